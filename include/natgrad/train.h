/* Training networks on mini-batches: K-FAC and its kin, and the first-order
 * methods that they are compared with, step by step.
 *
 * A step looks at one batch, with loss L = mean negative log-likelihood +
 * l2/2 ||theta||^2, and moves theta. Everything random depends on the seed, the
 * iteration and a row's place in the batch; results do not depend on the
 * clock, and on the number of threads only by rounding. */
#ifndef NATGRAD_TRAIN_H
#define NATGRAD_TRAIN_H

#include "natgrad/network.h"
#include "natgrad/problem.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NG_TRAINER_LIST(X)                                                     \
    X(NG_TRAIN_KFAC, "kfac")               /* Martens & Grosse 2015 */         \
    X(NG_TRAIN_EKFAC, "ekfac")             /* George et al. 2018 */            \
    X(NG_TRAIN_LAYER_DENSE, "layer-dense") /* F's diagonal blocks by layer */  \
    X(NG_TRAIN_NATURAL, "natural")         /* F whole */                       \
    X(NG_TRAIN_SAMPLE_SPACE, "sample-space") /* Woodbury over the rows */      \
    X(NG_TRAIN_DIAGONAL, "diagonal")         /* of F */                        \
    X(NG_TRAIN_CG, "cg")                     /* F v products, Martens 2010 */  \
    X(NG_TRAIN_SGD, "sgd")                   /* plain */                       \
    X(NG_TRAIN_MOMENTUM, "momentum")         /* Nesterov's */                  \
    X(NG_TRAIN_RMSPROP, "rmsprop")           /* Tieleman & Hinton 2012 */      \
    X(NG_TRAIN_ADAM, "adam")                 /* Kingma & Ba 2015 */            \
    X(NG_TRAIN_ADAMW, "adamw")               /* Loshchilov & Hutter 2019 */

#define NG_SCHEDULE_LIST(X)                                                    \
    X(NG_SCHEDULE_CONSTANT, "constant")                                        \
    X(NG_SCHEDULE_COSINE, "cosine") /* to 0 at `horizon` */

/* Convolutions' factors (Eschenhagen et al. 2023). */
#define NG_SHARING_LIST(X)                                                     \
    X(NG_EXPAND, "expand") /* positions are examples: KFC, Grosse & Martens */ \
    X(NG_REDUCE, "reduce") /* positions are summed first */

#define NG_ENUMERATOR(name, key) name,
typedef enum ng_trainer { NG_TRAINER_LIST(NG_ENUMERATOR) } ng_trainer;
typedef enum ng_schedule { NG_SCHEDULE_LIST(NG_ENUMERATOR) } ng_schedule;
typedef enum ng_sharing { NG_SHARING_LIST(NG_ENUMERATOR) } ng_sharing;
#undef NG_ENUMERATOR

/* Second-order: has a Fisher, a damping and a quadratic model. */
NG_API int ng_trainer_second_order(ng_trainer optimizer);

/* A negative number means the default that is named. */
typedef struct ng_train_options {
    ng_trainer optimizer;
    size_t batch; /* most examples that a step will be given */
    double l2;
    uint64_t seed;

    /* First-order: the rate (0.1 sgd, 0.003 momentum, 1e-3 others).
     * Second-order: negative for rate and momentum from the quadratic model
     * (Martens & Grosse 2015, section 7); else this rate, cut to the KL
     * radius. */
    double rate;
    double momentum; /* 0.9; with the quadratic model, which finds its own, 0
                        turns it off and other values do nothing */
    ng_schedule schedule;
    size_t horizon;      /* iterations, for a schedule */
    double weight_decay; /* adamw: 0.01 */

    /* The curvature. */
    ng_fisher_kind fisher; /* sampled; exact costs a backward pass an output */
    size_t fisher_samples;
    ng_sharing sharing;
    double curvature_fraction; /* of the batch: statistics and quadratic model;
                                  an eighth, but at least 65536 / outputs
                                  examples: all of most classifiers' batches */
    double statistics_every;   /* iterations between statistics; 2 */
    double inverse_every;      /* between inversions; 20, often at first */
    double inverse_delay;      /* from start to adoption of an inverse; 5 */
    double statistics_decay;   /* of the running averages, at most; 0.95 */

    /* Damping on the scale of F; negative: found at the start. */
    double damping;
    int adapt_damping; /* by the reduction ratio, Levenberg-Marquardt */
    double kl_radius;  /* nats per example that a step may move by the model;
                          negative: curvature examples x outputs / 1024 with
                          the quadratic model, which binds only where those are
                          few; 1e-3 with a given rate */
    double average;    /* of the last tenth of the iterates, with at most this
                          decay; 0: none; negative: 0.99 for second-order, none
                          else */
    size_t cg_iterations; /* 0: 50 */
} ng_train_options;
NG_API void ng_train_options_init(ng_train_options *options);

typedef struct ng_train ng_train;

/* Everything is allocated here; `network` is borrowed and its parameters are
 * those that move. NG_ENOMEM says how much memory was asked for. */
NG_API NG_MUST_CHECK ng_status ng_train_create(ng_network *network,
                                               const ng_train_options *options,
                                               ng_train **out);
NG_API void ng_train_destroy(ng_train **train);

/* Bytes that ng_train_create would take for workers' passes, gradients and
 * the metric. */
NG_API double ng_train_memory(const ng_network *network,
                              const ng_train_options *options);

/* What a step did; numbers that do not apply are NaN. */
typedef struct ng_train_report {
    size_t iteration;      /* from 1: steps taken */
    double loss;           /* of the batch before the step, without l2 */
    double objective;      /* with l2 */
    double gradient_norm;  /* ||g|| of the objective */
    double decrement;      /* sqrt(g' d), d the preconditioned gradient */
    double rate, momentum; /* alpha and mu of the step */
    double damping;
    double reduction; /* ratio of true to predicted change, when measured */
    double kl;        /* predicted nats of the step, half its F-length^2 */
    double seconds;   /* spent in steps so far */
} ng_train_report;

/* One step. NG_ENUMERIC where loss or gradient is not finite: the parameters
 * stay as they were and the message names the layer where the first value that
 * is not finite appears. */
NG_API NG_MUST_CHECK ng_status ng_train_step(ng_train *train,
                                             const ng_batch *batch,
                                             ng_train_report *report);

/* The parameters that a model should have: the average of the iterates where
 * there is one, else the present ones. Exchanges them with the network's;
 * a second call brings the present ones back. In between steps and visits are
 * refused. */
NG_API void ng_train_swap_average(ng_train *train);

/* The state as named arrays, for checkpoints. `visit` is called for each; a
 * loader writes into `data`. Kinds: 'r' real of the network's precision, 'd'
 * double, 'u' uint64_t. A pending inversion is waited for. */
typedef ng_status (*ng_train_visitor)(void *user, const char *name, char kind,
                                      size_t count, void *data);
NG_API NG_MUST_CHECK ng_status ng_train_visit(ng_train *train, int loading,
                                              ng_train_visitor visit,
                                              void *user);

/* ---- K-FAC for a network that lives elsewhere ------------------------------
 *
 * Single precision. For each layer: its inputs a (rows x inputs; a 1 is
 * appended here where it has a bias) and the gradients g of the per-example
 * loss with respect to its outputs (rows x outputs), the labels preferably
 * drawn from the model. */
typedef struct ng_kfac_layer {
    size_t inputs, outputs;
    int bias;
} ng_kfac_layer;

typedef struct ng_kfac ng_kfac;
NG_API NG_MUST_CHECK ng_status ng_kfac_create(ng_ctx *ctx,
                                              const ng_kfac_layer *layers,
                                              size_t count, double decay,
                                              ng_kfac **out);
NG_API void ng_kfac_destroy(ng_kfac **kfac);
/* Running averages of E[a a'] and E[g g']. Cost rows (inputs^2 + outputs^2). */
NG_API NG_MUST_CHECK ng_status ng_kfac_observe(ng_kfac *kfac, size_t layer,
                                               size_t rows, const float *a,
                                               const float *g);
/* Inverts the damped factors (factored Tikhonov, pi by traces). `damping` is
 * on the Fisher's scale. Cost inputs^3 + outputs^3. */
NG_API NG_MUST_CHECK ng_status ng_kfac_refresh(ng_kfac *kfac, double damping);
/* out = G^-1 V A^-1 for the gradient V (outputs x (inputs + bias)); in place
 * is allowed. */
NG_API NG_MUST_CHECK ng_status ng_kfac_precondition(ng_kfac *kfac, size_t layer,
                                                    const float *gradient,
                                                    float *out);

#ifdef __cplusplus
}
#endif
#endif
