/* The first damping. Martens & Grosse begin at 150 for every problem; the
 * right number depends on the scale of F, which the first batch tells. */
#include "train/trainer.h"

#include <math.h>
#include <string.h>

enum { MOST_TRIALS = 16 };
static const double FACTOR = 0.31622776601683794;
/* Of the curvature along the gradient: where a steady metric begins, and what
 * damping never falls below. */
static const double START = 5e-4, LEAST = 5e-5, LEAST_UNSTEADY = 1e-3;

static void forward_worker(void *user, size_t worker) {
    trainer *t = user;
    pass *p = t->e->pass[worker];
    size_t rows = p->rows;
    p->rows = t->count[worker];
    NR(pass_forward)(p, t->e->theta);
    p->rows = rows;
}

/* The objective's change on the curvature rows after the step that `damping`
 * gives. t->step keeps theta; the passes are brought back. */
static ng_status try_damping(trainer *t, double damping, double *change) {
    quadratic q;
    double a, b, total = damping + t->options.l2;
    size_t dim = t->e->dim;
    t->metric.ops->refresh(&t->metric, total, false);
    t->metric.ops->adopt(&t->metric);
    NG_TRY(t->metric.ops->solve(&t->metric, t->gradient, t->direction));
    NR(trainer_products)(t, false, &q);
    NR(quadratic_minimise)(&q, total, false, &a, &b);
    memcpy(t->step, t->e->theta, dim * sizeof(real));
    NR(axpby)(dim, (real)a, t->direction, 1, t->e->theta);
    *change = NR(trainer_change)(t, &q, a, 0);
    memcpy(t->e->theta, t->step, dim * sizeof(real));
    memset(t->step, 0, dim * sizeof(real));
    NR(trainer_run)(t, forward_worker);
    if (!isfinite(*change))
        *change = HUGE_VAL;
    return NG_OK;
}

/* F's curvature along the gradient: a damping above it changes nothing. */
static double gradient_curvature(trainer *t) {
    quadratic q;
    memcpy(t->direction, t->gradient, t->e->dim * sizeof(real));
    NR(trainer_products)(t, false, &q);
    return q.dd > 0 && q.d_F_d > 0 ? q.d_F_d / q.dd : 1;
}

/* From the top down until steps no longer get better. */
static ng_status search(trainer *t, double damping) {
    double best = HUGE_VAL, change;
    if (t->metric.ops->collect)
        NR(trainer_collect)(t);
    for (size_t i = 0; i < MOST_TRIALS; i++, damping *= FACTOR) {
        NG_TRY(try_damping(t, damping, &change));
        if (!(change < best))
            break;
        best = change;
        t->damping = damping;
    }
    t->collections = 0; /* the step collects from the same rows */
    return NG_OK;
}

/* A steady metric begins low: what is best for one step from the start is too
 * careful for the many that follow, and steps that do harm are cut. */
ng_status NR(trainer_calibrate)(trainer *t) {
    double curvature = gradient_curvature(t);
    bool steady = t->metric.ops->steady;
    t->least_damping = curvature * (steady ? LEAST : LEAST_UNSTEADY);
    t->damping = curvature * START;
    if (!steady)
        NG_TRY(search(t, curvature));
    t->damping = fmax(t->damping, t->least_damping);
    return NG_OK;
}
