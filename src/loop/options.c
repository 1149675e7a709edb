/* Options of a run: defaults and checks. */
#include "natgrad/fit.h"

#include "base/base.h"

#include <math.h>

void ng_fit_options_init(ng_fit_options *options) {
    *options = (ng_fit_options){.optimizer = NG_NATURAL,
                                .metric = NULL,
                                .fisher = NG_FISHER_EXACT,
                                .fisher_samples = 1,
                                .step = -1,
                                .rate = -1,
                                .kl = 0,
                                .damping = 0,
                                .integrator = NG_EULER,
                                .seed = 1,
                                .max_iter = 0,
                                .tolerance = 1e-10};
}

const char *ng_stop_text(ng_stop stop) {
    switch (stop) {
#define X(name, text)                                                          \
    case name:                                                                 \
        return text;
        NG_STOP_LIST(X)
#undef X
    }
    return "unknown";
}
