/* The rate, whatever comes of it. */
#include "loop/loop.h"

static ng_status take(ng_fit *fit, ngi_outcome *outcome) {
    *outcome = NGI_MOVED;
    return ngi_try_length(fit, fit->options.rate);
}

const ngi_step_ops ngi_step_fixed = {take};
