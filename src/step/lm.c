/* Levenberg-Marquardt: the damping follows the ratio of the true to the
 * predicted reduction (Marquardt 1963; the thresholds are those of Martens &
 * Grosse 2015, section 6.5, with faster moves for full-batch work). */
#include "loop/loop.h"

#include "numerics/linalg.h"

#include <float.h>
#include <math.h>

enum { MAX_TRIALS = 60 };

/* Below this share of the predicted reduction a trial is refused. */
static const double REFUSE = 1e-4;

/* -(g'd + d'(F + P)d/2) for the move from theta to trial: undamped. */
static ng_status predicted_reduction(ng_fit *fit, double *reduction) {
    size_t d = fit->problem->dim;
    const ng_problem_ops *ops = fit->problem->ops;
    double *Fd = fit->scratch;
    NG_TRY(ng_metric_product(fit->metric, fit->direction, Fd));
    if (ops->penalty_product)
        ops->penalty_product(fit->problem, fit->direction, Fd);
    double form = ngi_dot(d, fit->direction, Fd);
    double length = fit->length;
    *reduction = -(length * fit->slope + 0.5 * length * length * form);
    return NG_OK;
}

static ng_status take(ng_fit *fit, ngi_outcome *outcome) {
    *outcome = NGI_MOVED;
    for (int i = 0; i < MAX_TRIALS; i++) {
        double expected;
        fit->report.damping = fit->damping;
        if (i > 0)
            NG_TRY(ngi_metric_direction(fit, fit->damping));
        NG_TRY(ngi_try_length(fit, fit->options.rate));
        NG_TRY(predicted_reduction(fit, &expected));
        double slack = ngi_change_slack(fit);
        bool near = fit->options.kl <= 0 || fit->kl <= fit->options.kl;
        bool resolved = expected > slack;
        double ratio = resolved ? -fit->change / expected : 1;
        if (!resolved && !(fit->change <= slack))
            ratio = -1;
        if (ratio > 0.75 && near)
            fit->damping /= 4;
        else if (!(ratio >= 0.25) || !near)
            fit->damping *= 4;
        /* Below rounding of F's scale a damping does nothing. */
        if (fit->damping < DBL_EPSILON * DBL_EPSILON)
            fit->damping = DBL_EPSILON * DBL_EPSILON;
        if (ratio > REFUSE && isfinite(fit->kl) && near)
            return NG_OK;
        fit->report.rejected++;
    }
    *outcome = NGI_NO_DESCENT;
    return NG_OK;
}

const ngi_step_ops ngi_step_lm = {take};
