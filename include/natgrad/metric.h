/* Metrics: what the Fisher is, and what (F + P + damping I)^-1 g is, P being
 * the Hessian of the problem's penalty. */
#ifndef NATGRAD_METRIC_H
#define NATGRAD_METRIC_H

#include "natgrad/problem.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ng_metric ng_metric;

typedef struct ng_metric_options {
    ng_fisher fisher;
    /* Conjugate gradients: most iterations a solve, and the residual, relative
     * to the gradient in the preconditioner's norm, at which it stops. A run
     * solves less exactly while it is far from the optimum, to a tenth of the
     * last decrement. */
    size_t cg_iterations;
    double cg_tolerance;
} ng_metric_options;

NG_API void ng_metric_options_init(ng_metric_options *options);

/* Everything is sized by create; the other entries allocate nothing. */
typedef struct ng_metric_ops {
    const char *name; /* stable key: command line and traces */
    ng_status (*create)(ng_metric *metric);
    /* Moves the metric to theta and, in the same pass over the data where it
     * can, evaluates loss, objective and gradient (as ng_problem_ops). */
    ng_status (*update)(ng_metric *metric, const double *theta, double *loss,
                        double *objective, double *gradient);
    /* Makes solves with this damping ready. */
    ng_status (*factor)(ng_metric *metric, double damping);
    /* d = (F + P + damping I)^+ g: the pseudo-inverse where singular. An
     * indefinite matrix (NG_FISHER_OBSERVED) is made definite, so that d always
     * ascends: dense reflects negative eigenvalues, diagonal negative entries,
     * cg stops at the first direction of negative curvature. */
    ng_status (*solve)(ng_metric *metric, const double *g, double *d);
    /* out = F v, undamped and without the penalty. */
    ng_status (*product)(ng_metric *metric, const double *v, double *out);
    void (*destroy)(ng_metric *metric);
} ng_metric_ops;

struct ng_metric {
    const ng_metric_ops *ops;
    ng_problem *problem; /* borrowed until the metric is destroyed */
    ng_metric_options options;
    double damping; /* of the last factor */
    int repaired;   /* the last factor was singular or indefinite */
    size_t passes;  /* over the rows, beyond one for each update; whoever reads
                       them sets them back to 0 */
    void *state;
};

/* "identity": F = I and P = 0, plain gradient. No memory.
 * "diagonal": the diagonal of F. Memory d.
 * "dense": F whole. Memory 2 d^2, cost d^3/3 a factor.
 * "cg": matrix-free conjugate gradients, a pass over the data an iteration,
 *       preconditioned with F's blocks by output from a share of the rows
 *       (blocks of over 2048 parameters: with the diagonal). Memory 7 d and
 *       two of the blocks.
 * "sample-space": Woodbury's identity in the space of rows, for fewer rows
 *       than parameters. Where the damping is below sqrt(eps) of F's mean
 *       diagonal it counts as none: the pseudo-inverse, which leaves out what
 *       of g lies outside the rows' span. Memory rows x d + rows^2. */
NG_API const ng_metric_ops *const *ng_metric_list(void);

/* By name; the message of NG_EUSAGE lists the names. */
NG_API NG_MUST_CHECK ng_status ng_metric_find(ng_ctx *ctx, const char *name,
                                              const ng_metric_ops **out);

/* `ops` may be one of natgrad's or one of the caller's own. */
NG_API NG_MUST_CHECK ng_status
ng_metric_create(ng_problem *problem, const ng_metric_ops *ops,
                 const ng_metric_options *options, ng_metric **out);
NG_API void ng_metric_destroy(ng_metric **metric);

/* Wrappers over the table. */
NG_API NG_MUST_CHECK ng_status ng_metric_update(ng_metric *metric,
                                                const double *theta,
                                                double *loss, double *objective,
                                                double *gradient);
NG_API NG_MUST_CHECK ng_status ng_metric_factor(ng_metric *metric,
                                                double damping);
NG_API NG_MUST_CHECK ng_status ng_metric_solve(ng_metric *metric,
                                               const double *g, double *d);
NG_API NG_MUST_CHECK ng_status ng_metric_product(ng_metric *metric,
                                                 const double *v, double *out);

#ifdef __cplusplus
}
#endif
#endif
