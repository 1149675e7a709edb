/* The inside of a training run. */
#ifndef NGI_TRAINER_H
#define NGI_TRAINER_H

#include "layerwise/layerwise.h"

/* What a worker adds up while it looks at its rows or its slice of theta. */
typedef struct worker_sums {
    double loss;
    /* Over slices: products of gradient g, theta t, direction d and last step
     * s. */
    double gg, tt, gd, gs, dd, ds, ss, td, ts;
    /* Over curvature rows: J'F_z J between d and s, and u J for both. */
    double d_F_d, d_F_s, s_F_s, u_d, u_s;
    double change;    /* of the loss on the curvature rows */
    size_t bad_layer; /* from 1; the first with values that are not finite */
    char padding[64];
} worker_sums;

/* The quadratic model M(delta) = delta'(F + damping I) delta / 2 + g'delta,
 * for delta = a d + b s. Sums over workers. */
typedef struct quadratic {
    double gd, gs, dd, ds, ss, td, ts;
    double d_F_d, d_F_s, s_F_s, u_d, u_s;
} quadratic;

typedef struct trainer {
    ng_ctx *ctx;
    engine *e;                /* borrowed */
    ng_train_options options; /* defaults filled in */
    bool second_order, model; /* rate and momentum from the quadratic model */
    metric metric;
    size_t capacity;  /* examples of a worker's block */
    size_t curvature; /* most curvature rows of all workers */
    real *memory;
    real *gradient, *direction, *step; /* dim each; step is the last delta */
    real *partial;                     /* gradients of workers but the first */
    real *first, *second;              /* moments of the first-order rules */
    real *average, *saved;             /* dim each, or NULL */
    bool swapped;
    real **score;    /* a worker's curvature rows x outputs: d loss / dz */
    double **losses; /* a worker's curvature rows */
    size_t *count;   /* a worker's curvature rows in this step */
    worker_sums *sums;
    /* State that a checkpoint keeps. */
    uint64_t iteration, collections, refreshed, adopt_at, watch_until;
    double damping, least_damping, seconds;
    /* The step at hand. */
    const ng_batch *batch;
    size_t rows;             /* curvature rows of all workers */
    double scale_d, scale_s; /* delta = scale_d d + scale_s s */
    uint64_t draw;
    size_t root; /* column, for the exact Fisher */
    collection collection;
} trainer;

void NR(trainer_run)(trainer *t, void (*task)(void *user, size_t worker));

/* ---- passes.real.c --------------------------------------------------------
 */
/* Forward and backward over the batch: gradient of the objective in
 * t->gradient, the mean loss of the batch. The passes keep the curvature rows.
 */
ng_status NR(trainer_gradient)(trainer *t, double *loss, double *norm);
/* The metric's statistics from the curvature rows. */
void NR(trainer_collect)(trainer *t);

/* ---- quadratic.real.c -----------------------------------------------------
 */
/* Products with d (and s, with `both`) at the present point. */
void NR(trainer_products)(trainer *t, bool both, quadratic *q);
/* The minimiser of the model over a (and b). */
void NR(quadratic_minimise)(const quadratic *q, double damping, bool both,
                            double *a, double *b);
/* M(a d + b s) - M(0) on the curvature rows, and F's part of it. */
double NR(quadratic_value)(const quadratic *q, double l2, double damping,
                           double a, double b);
double NR(quadratic_kl)(const quadratic *q, double a, double b);
/* theta += a d + b s, which becomes s. */
void NR(trainer_move)(trainer *t, double a, double b);
/* Takes back all but the share `left` of the last step. */
void NR(trainer_shorten)(trainer *t, double left);
/* The objective's true change on the curvature rows since the gradient, now
 * that theta has moved. The passes lose their values. */
double NR(trainer_change)(trainer *t, const quadratic *q, double a, double b);

/* ---- average.real.c -------------------------------------------------------
 */
/* Takes theta, or a slice of it, into the average. */
void NR(trainer_average)(trainer *t);
void NR(trainer_follow)(trainer *t, size_t first, size_t count);

/* ---- rules.real.c ---------------------------------------------------------
 */
void NR(rule_step)(trainer *t, double rate);

/* ---- damping.real.c -------------------------------------------------------
 */
/* The first damping, by trial steps from the first batch. */
ng_status NR(trainer_calibrate)(trainer *t);

#endif
