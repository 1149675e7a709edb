/* The first-order methods, over a worker's slice of theta. */
#include "train/trainer.h"

#include <math.h>

static const double RMSPROP_DECAY = 0.9;
static const double ADAM_FIRST = 0.9, ADAM_SECOND = 0.999;
static const double TINY = 1e-8;

#if NGI_DOUBLE
#define SQRT sqrt
#else
#define SQRT sqrtf
#endif

NGI_VECTOR static void sgd(size_t n, real rate, const real *g, real *theta) {
    for (size_t i = 0; i < n; i++)
        theta[i] -= rate * g[i];
}

/* Nesterov's momentum as PyTorch has it: s is the running sum of gradients. */
NGI_VECTOR static void nesterov(size_t n, real rate, real momentum,
                                const real *g, real *s, real *theta) {
    for (size_t i = 0; i < n; i++) {
        s[i] = momentum * s[i] + g[i];
        theta[i] -= rate * (g[i] + momentum * s[i]);
    }
}

NGI_VECTOR static void rmsprop(size_t n, real rate, real keep, const real *g,
                               real *second, real *theta) {
    for (size_t i = 0; i < n; i++) {
        second[i] = keep * second[i] + (1 - keep) * g[i] * g[i];
        theta[i] -= rate * g[i] / (SQRT(second[i]) + (real)TINY);
    }
}

/* `shrink` is adamw's decay. The corrections for the start are in `rate` and
 * `scale`. */
NGI_VECTOR static void adam(size_t n, real rate, real scale, real shrink,
                            real keep_first, real keep_second, const real *g,
                            real *first, real *second, real *theta) {
    for (size_t i = 0; i < n; i++) {
        first[i] = keep_first * first[i] + (1 - keep_first) * g[i];
        second[i] = keep_second * second[i] + (1 - keep_second) * g[i] * g[i];
        theta[i] = shrink * theta[i] -
                   rate * first[i] / (SQRT(second[i]) * scale + (real)TINY);
    }
}

static void adam_slice(trainer *t, size_t first, size_t n) {
    double k = (double)t->iteration + 1, rate = t->scale_d;
    double scale = 1 / sqrt(1 - pow(ADAM_SECOND, k));
    double shrink = t->options.optimizer == NG_TRAIN_ADAMW
                        ? 1 - rate * t->options.weight_decay
                        : 1;
    adam(n, (real)(rate / (1 - pow(ADAM_FIRST, k))), (real)scale, (real)shrink,
         (real)ADAM_FIRST, (real)ADAM_SECOND, t->gradient + first,
         t->first + first, t->second + first, t->e->theta + first);
}

static void rule_worker(void *user, size_t worker) {
    trainer *t = user;
    size_t first, end;
    engine_share(t->e->dim, worker, t->e->workers, &first, &end);
    size_t n = end - first;
    real rate = (real)t->scale_d, *theta = t->e->theta + first;
    const real *g = t->gradient + first;
    switch (t->options.optimizer) {
    case NG_TRAIN_MOMENTUM:
        nesterov(n, rate, (real)t->options.momentum, g, t->first + first,
                 theta);
        break;
    case NG_TRAIN_RMSPROP:
        rmsprop(n, rate, (real)RMSPROP_DECAY, g, t->second + first, theta);
        break;
    case NG_TRAIN_ADAM:
    case NG_TRAIN_ADAMW:
        adam_slice(t, first, n);
        break;
    default:
        sgd(n, rate, g, theta);
        break;
    }
    NR(trainer_follow)(t, first, n);
}

void NR(rule_step)(trainer *t, double rate) {
    t->scale_d = rate;
    NR(trainer_run)(t, rule_worker);
}
