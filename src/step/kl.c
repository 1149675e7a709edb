/* A step of a given length in nats: sqrt(2 epsilon / d'Fd) along d, and never
 * longer than the rate, so that the run comes to rest at the optimum. */
#include "loop/loop.h"

static ng_status take(ng_fit *fit, ngi_outcome *outcome) {
    double length;
    NG_TRY(ngi_first_length(fit, &length));
    *outcome = NGI_MOVED;
    return ngi_try_length(fit, length);
}

const ngi_step_ops ngi_step_kl = {take};
