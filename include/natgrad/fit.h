/* The loop: direction, step, record, stop. */
#ifndef NATGRAD_FIT_H
#define NATGRAD_FIT_H

#include "natgrad/metric.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Name lists: the enumerator and its key on the command line. */
#define NG_OPTIMIZER_LIST(X)                                                   \
    X(NG_NATURAL, "natural")   /* -(F + P + damping I)^-1 gradient */          \
    X(NG_NEWTON, "newton")     /* the same with the Hessian, guarded */        \
    X(NG_GRADIENT, "gradient") /* steepest descent */                          \
    X(NG_MOMENTUM, "momentum") /* heavy ball (Polyak 1964) */                  \
    X(NG_RMSPROP, "rmsprop")   /* Tieleman & Hinton 2012 */                    \
    X(NG_ADAM, "adam")         /* Kingma & Ba 2015 */

#define NG_STEP_LIST(X)                                                        \
    X(NG_STEP_FIXED, "fixed")             /* rate x direction */               \
    X(NG_STEP_KL, "kl")                   /* the rate, cut to a KL radius */   \
    X(NG_STEP_LINE_SEARCH, "line-search") /* halved until the objective falls  \
                                             and the KL is in bounds */        \
    X(NG_STEP_LM, "lm")                   /* Levenberg-Marquardt damping */

#define NG_INTEGRATOR_LIST(X)                                                  \
    X(NG_EULER, "euler")                                                       \
    X(NG_MIDPOINT, "midpoint") /* the direction of the middle of the step */   \
    X(NG_GEODESIC, "geodesic") /* Song, Song & Ermon 2018 */

#define NG_FISHER_LIST(X)                                                      \
    X(NG_FISHER_EXACT, "exact")                                                \
    X(NG_FISHER_SAMPLED, "sampled")                                            \
    X(NG_FISHER_EMPIRICAL, "empirical")                                        \
    X(NG_FISHER_OBSERVED, "observed")

#define NG_ENUMERATOR(name, key) name,
typedef enum ng_optimizer { NG_OPTIMIZER_LIST(NG_ENUMERATOR) } ng_optimizer;
typedef enum ng_step { NG_STEP_LIST(NG_ENUMERATOR) } ng_step;
typedef enum ng_integrator { NG_INTEGRATOR_LIST(NG_ENUMERATOR) } ng_integrator;
#undef NG_ENUMERATOR

/* A negative number, or 0 for `max_iter`, means the default of the optimizer:
 *   natural, newton: line-search, rate 1, at most 1,000 iterations;
 *   gradient: line-search, rate 1; momentum: fixed, 0.1; rmsprop and adam:
 *   fixed, 0.01; these at most 10,000 iterations. */
typedef struct ng_fit_options {
    ng_optimizer optimizer;
    const char *metric; /* a name from ng_metric_list; NULL for "dense" */
    ng_fisher_kind fisher;
    size_t fisher_samples;
    int step;       /* ng_step, or -1 */
    double rate;    /* step length along the direction, > 0 */
    double kl;      /* radius in nats per example; 0 for none */
    double damping; /* on the Fisher's scale; the first one of "lm" */
    ng_integrator integrator;
    uint64_t seed;
    size_t max_iter;
    double tolerance; /* stop at this decrement, sqrt(g' F^-1 g) */
} ng_fit_options;

NG_API void ng_fit_options_init(ng_fit_options *options);

/* Why a run stopped. */
#define NG_STOP_LIST(X)                                                        \
    X(NG_RUNNING, "running")                                                   \
    X(NG_CONVERGED, "converged")                                               \
    X(NG_AT_KINK, "converged at a kink of the objective")                      \
    X(NG_MAX_ITER, "iteration limit reached")                                  \
    X(NG_NO_DESCENT, "no step lowers the objective")                           \
    X(NG_FLAT, "the Fisher vanishes where the gradient does not")              \
    X(NG_SEPARATED, "the data separate: the likelihood has no maximum")        \
    X(NG_DIVERGED, "the objective or its gradient is not finite")              \
    X(NG_STOPPED, "stopped by request")
#define NG_ENUMERATOR(name, key) name,
typedef enum ng_stop { NG_STOP_LIST(NG_ENUMERATOR) } ng_stop;
#undef NG_ENUMERATOR
NG_API const char *ng_stop_text(ng_stop stop);

/* The state before iteration `iteration` (from 0) and the step taken from
 * it. Everything in nats per example where the objective is a likelihood. */
typedef struct ng_report {
    size_t iteration;
    double loss, objective; /* without and with the penalty */
    double gradient_norm;   /* max |d objective|, in the user's coordinates */
    double decrement;       /* sqrt(g' (F + P)^+ g) with the run's own metric as
                               F (exact for first-order methods, which measure
                               it now and then), undamped; NaN where it was not
                               computed */
    double damping;
    double step;         /* length along the direction; 0 if none was taken */
    double kl_predicted; /* length^2 d' F d / 2 along the direction d, exact
                            undamped F; NaN for first-order methods unless a
                            KL radius makes them compute it */
    double kl;           /* true KL of the step; of glms by Fisher scoring, its
                            second-order value */
    double kl_total;     /* of all steps so far */
    double seconds;      /* of work so far, bookkeeping not counted */
    double examples;     /* rows looked at so far */
    size_t rejected;     /* trials refused in this iteration */
    int repaired;        /* the metric was singular or indefinite */
    ng_stop stop;
} ng_report;

/* Called after each iteration; non-zero stops the run. */
typedef int (*ng_monitor)(void *user, const ng_report *report);

typedef struct ng_fit ng_fit;

/* Prepares a run from theta (problem->dim entries, copied). Everything is
 * allocated here. `problem` is borrowed until the fit is destroyed. */
NG_API NG_MUST_CHECK ng_status ng_fit_create(ng_problem *problem,
                                             const ng_fit_options *options,
                                             const double *theta, ng_fit **out);
NG_API void ng_fit_destroy(ng_fit **fit);

/* One iteration, for callers that own their loop. After report->stop is no
 * longer NG_RUNNING further calls change nothing. */
NG_API NG_MUST_CHECK ng_status ng_fit_step(ng_fit *fit, ng_report *report);

/* Steps until a stop, in `report`; `monitor` may be NULL. */
NG_API NG_MUST_CHECK ng_status ng_fit_run(ng_fit *fit, ng_monitor monitor,
                                          void *user, ng_report *report);

/* The current parameters; borrowed until the next step. */
NG_API const double *ng_fit_theta(const ng_fit *fit);

/* The central-difference check of a problem's gradient at theta: the largest
 * |analytic - numeric| over max(1, |analytic|). For people who write problems,
 * families and predictors. Allocates 2 dim. */
NG_API NG_MUST_CHECK ng_status ng_check_gradient(ng_problem *problem,
                                                 const double *theta,
                                                 double *error);

#ifdef __cplusplus
}
#endif
#endif
