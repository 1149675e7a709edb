/* Backtracking: halve until the objective falls by a share of what its slope
 * promises (Armijo 1966) and the true KL is within the radius. */
#include "loop/loop.h"

#include <math.h>

enum { MAX_HALVINGS = 60 };

/* Nocedal & Wright's customary share. */
static const double ARMIJO = 1e-4;

static bool acceptable(const ng_fit *fit) {
    double goal = ARMIJO * fit->length * fit->slope + ngi_change_slack(fit);
    bool near = fit->options.kl <= 0 || fit->kl <= fit->options.kl;
    return fit->change <= goal && isfinite(fit->kl) && near;
}

static ng_status take(ng_fit *fit, ngi_outcome *outcome) {
    double length;
    NG_TRY(ngi_first_length(fit, &length));
    /* A plain gradient has no length of its own: go on from the last one. */
    if (fit->rule && fit->last_length > 0)
        length = 2 * fit->last_length;
    *outcome = NGI_MOVED;
    for (int i = 0; i < MAX_HALVINGS; i++, length *= 0.5) {
        NG_TRY(ngi_try_length(fit, length));
        if (acceptable(fit))
            return NG_OK;
        fit->report.rejected++;
    }
    *outcome = NGI_NO_DESCENT;
    return NG_OK;
}

const ngi_step_ops ngi_step_line_search = {take};
