/* A problem: what is minimised, and under which geometry.
 *
 * The objective is a mean over rows, in nats per example where it is a
 * negative log-likelihood, with weights that sum to n. The Fisher information
 * is on the scale of one example, so that KL(theta || theta + delta) is about
 * delta' F delta / 2 nats per example. The KL divergence is always taken from
 * the old parameters to the new ones. */
#ifndef NATGRAD_PROBLEM_H
#define NATGRAD_PROBLEM_H

#include "natgrad/family.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Four matrices that are not the same. */
typedef enum ng_fisher_kind {
    NG_FISHER_EXACT,     /* expectation over the model, in closed form */
    NG_FISHER_SAMPLED,   /* labels drawn from the model; unbiased for exact */
    NG_FISHER_EMPIRICAL, /* the data's own labels: no Fisher, a habit */
    NG_FISHER_OBSERVED   /* Hessian of the objective; may be indefinite */
} ng_fisher_kind;

typedef struct ng_fisher {
    ng_fisher_kind kind;
    size_t samples; /* draws a row, for NG_FISHER_SAMPLED */
    uint64_t seed;
    uint64_t draw; /* which draw: the iteration, so that each differs */
} ng_fisher;

typedef struct ng_problem ng_problem;

/* What ng_problem_ops.reserve is asked for. */
enum { NG_RESERVE_NOTHING, NG_RESERVE_DENSE, NG_RESERVE_BLOCKS };

/* What a problem must answer. theta, gradients and vectors have
 * problem->dim entries; matrices are dim x dim, of which only the lower
 * triangle (row-major) is meaningful. Where an entry is optional, NULL means
 * what is said beside it. A theta outside the model's domain gives an infinite
 * objective and NG_OK: it is the step's business to turn back. */
typedef struct ng_problem_ops {
    /* Any output pointer may be NULL and is then not computed. `loss`
     * excludes the penalty, `objective` and `gradient` include it; `F` is the
     * matrix that `fisher` names, without the penalty. One pass. */
    ng_status (*evaluate)(ng_problem *problem, const double *theta,
                          double *loss, double *objective, double *gradient,
                          const ng_fisher *fisher, double *F);
    /* The change of the objective from theta0 to theta1, formed row by row so
     * that it keeps its accuracy for close points, and the true KL. */
    ng_status (*compare)(ng_problem *problem, const double *theta0,
                         const double *theta1, double *change, double *kl);
    /* out = F v. */
    ng_status (*fisher_product)(ng_problem *problem, const double *theta,
                                const ng_fisher *fisher, const double *v,
                                double *out);
    ng_status (*fisher_diagonal)(ng_problem *problem, const double *theta,
                                 const ng_fisher *fisher, double *diagonal);
    /* Diagonal blocks of F over runs of parameters that serve one output, one
     * block after the other (row-major, lower triangles), from one in `stride`
     * blocks of rows and scaled up to all. The number of blocks, and their
     * sizes where `size` is not NULL; they cover theta in order. Optional,
     * both: the diagonal must do. */
    size_t (*fisher_block_sizes)(const ng_problem *problem, size_t *size);
    ng_status (*fisher_blocks)(ng_problem *problem, const double *theta,
                               const ng_fisher *fisher, size_t stride,
                               double *blocks);
    /* Rows of S with F = S' S: root_rows of them, dim wide. Optional: no
     * sample-space metric. */
    size_t (*root_rows)(const ng_problem *problem, const ng_fisher *fisher);
    ng_status (*fisher_root)(ng_problem *problem, const double *theta,
                             const ng_fisher *fisher, double *S);
    /* out_m = Gamma_{m,ab} v_a v_b, the Christoffel symbols of the exact
     * Fisher, first index lowered. Optional: no geodesic integrator. */
    ng_status (*connection)(ng_problem *problem, const double *theta,
                            const double *v, double *out);
    /* theta1 = theta0 moved by delta. Optional: addition. */
    ng_status (*retract)(ng_problem *problem, const double *theta0,
                         const double *delta, double *theta1);
    /* The penalty's constant Hessian P: out += P v; F += P; diagonal +=
     * diag P; and out = (P + damping I)^-1 v, which fails with NG_ENUMERIC
     * where that is singular. Optional, all four: no penalty. */
    void (*penalty_product)(const ng_problem *problem, const double *v,
                            double *out);
    void (*penalty_add)(const ng_problem *problem, double *F);
    void (*penalty_diagonal)(const ng_problem *problem, double *diagonal);
    ng_status (*penalty_solve)(const ng_problem *problem, double damping,
                               const double *v, double *out);
    /* The gradient in the coordinates that the user knows (the raw columns
     * where the fit runs on standardised ones). Optional: the same. */
    void (*user_gradient)(const ng_problem *problem, const double *gradient,
                          double *out);
    /* Takes the memory for F, or for its blocks, before the first iteration.
     * Optional. */
    ng_status (*reserve)(ng_problem *problem, const ng_fisher *fisher,
                         int what);
    void (*destroy)(ng_problem *problem);
} ng_problem_ops;

struct ng_problem {
    const ng_problem_ops *ops;
    ng_ctx *ctx;
    size_t dim;
    size_t rows; /* examples that one evaluation looks at */
    int smooth;  /* 0 where the objective has kinks: a point from which no step
                    descends may then be a minimum with a gradient */
    void *state;
};

NG_API void ng_problem_destroy(ng_problem **problem);

/* ---- Objectives over the rows of a family ---------------------------------
 *
 * What is minimised need not be a likelihood: policies minimise a surrogate,
 * boosting a CRPS, all under the family's Fisher. Arrays as in ng_family_ops.
 */
typedef struct ng_objective {
    const char *name;
    void (*value)(const struct ng_objective *objective, const ng_family *f,
                  size_t n, const double *z, const double *y, double *out,
                  double *work);
    /* d value / dz: n x dim_z */
    void (*gradient)(const struct ng_objective *objective, const ng_family *f,
                     size_t n, const double *z, const double *y, double *out,
                     double *work);
    /* d2 value / dz2: n x dim_z x dim_z. Optional: no NG_FISHER_OBSERVED. */
    void (*hessian)(const struct ng_objective *objective, const ng_family *f,
                    size_t n, const double *z, const double *y, double *out,
                    double *work);
    const void *user;
} ng_objective;

/* The default: minus the log-density. */
NG_API const ng_objective *ng_objective_likelihood(void);

/* ---- Predictors: eta = f(x; theta) ----------------------------------------
 */
typedef struct ng_predictor ng_predictor;

typedef struct ng_predictor_ops {
    const char *name;
    /* No parameter serves two outputs, and theta has them output by output. */
    int separable;
    /* The number of parameters. */
    size_t (*dim)(size_t inputs, size_t outputs);
    /* Doubles a row that `jacobian` writes, at least its largest count where
     * that is not the number of inputs. Optional: none. */
    size_t (*work)(const ng_predictor *p);
    /* eta (n x outputs, row stride ld) from X (n x inputs). */
    void (*forward)(const ng_predictor *p, size_t n, const double *X,
                    const double *theta, double *eta, size_t ld);
    /* xi = J v, like eta. */
    void (*jvp)(const ng_predictor *p, size_t n, const double *X,
                const double *theta, const double *v, double *xi, size_t ld);
    /* g += J' u, u like eta. */
    void (*vjp)(const ng_predictor *p, size_t n, const double *X,
                const double *theta, const double *u, size_t ld, double *g);
    /* The derivatives of output c: only the `*count` parameters from `*first`
     * can matter to it, and J (n x count, row stride *ldj) holds theirs. J is
     * borrowed from X or written to `work` (n x the predictor's `work`). */
    void (*jacobian)(const ng_predictor *p, size_t n, const double *X,
                     const double *theta, size_t c, double *work,
                     const double **J, size_t *ldj, size_t *first,
                     size_t *count);
} ng_predictor_ops;

struct ng_predictor {
    const ng_predictor_ops *ops;
    size_t inputs, outputs, dim;
};

/* eta is what the offset says (0 without one): no parameters. */
extern NG_API const ng_predictor_ops ng_predictor_fixed;
/* eta = theta, the same for every row. */
extern NG_API const ng_predictor_ops ng_predictor_none;
/* eta = X B', theta = B (outputs x inputs, row-major). An intercept is a
 * column of ones. */
extern NG_API const ng_predictor_ops ng_predictor_linear;

/* ---- Sources of rows ------------------------------------------------------
 */
/* A run of rows. Pointers to one block's inputs and offsets (rows x outputs)
 * may be NULL: no inputs, no offset. */
typedef struct ng_rows {
    size_t first, count;
    const double *y;
    const double *weight; /* NULL: all 1 */
    const double *X[NG_FAMILY_MAX_BLOCKS];
    const double *offset[NG_FAMILY_MAX_BLOCKS];
} ng_rows;

typedef struct ng_source ng_source;

/* Memory, file and stream look alike: rows are asked for in order of
 * position, and asking for row 0 rewinds. */
struct ng_source {
    /* Gives rows [first, first + count). What it points to stays valid until
     * the worker's next call. */
    ng_status (*read)(const ng_source *source, size_t worker, size_t first,
                      size_t count, ng_rows *out);
    int random_access; /* workers may read different places at once */
    size_t rows;
    double total_weight; /* of all rows, > 0 */
    const void *state;
};

/* ---- The problem of a family, its predictors and data ---------------------
 */
typedef struct ng_model_block {
    const ng_predictor_ops *predictor;
    size_t inputs; /* columns of X */
    ng_link link;
    double value; /* added to eta: what a fixed block is fixed at */
} ng_model_block;

typedef struct ng_model_spec {
    ng_family family;
    ng_model_block block[NG_FAMILY_MAX_BLOCKS]; /* one for each of family's */
    const ng_objective *objective; /* borrowed; NULL for the likelihood */
    ng_source source;              /* copied; its state is borrowed */
    /* 1/2 sum_j ridge[j] ||B_j||^2 over the columns B_j of the first block with
     * inputs (as many entries, copied; NULL for none). For a categorical
     * family B_j includes the reference level's 0 and is taken about its mean
     * over the levels: the penalty of the symmetric softmax, whichever level
     * is the reference. */
    const double *ridge;
    /* How raw coefficients come from fitted ones: the columns of the first
     * block with inputs were entered as (x - shift) / scale, column 0 being
     * the intercept. Copied; NULL for none. */
    const double *shift, *scale;
} ng_model_spec;

/* theta is the concatenation of the blocks' parameters. Memory: one block of
 * rows a worker; with dense curvature also dim^2 a worker but the first. Cost
 * of an evaluation: one pass over the source; with F, rows x (symmetric rank
 * updates of outputs^2 / 2 blocks of inputs^2). */
NG_API NG_MUST_CHECK ng_status ng_model_problem_create(
    ng_ctx *ctx, const ng_model_spec *spec, ng_problem **out);

/* Rows first .. first + count: z (count x dim_z) at theta. */
NG_API NG_MUST_CHECK ng_status ng_model_problem_predict(ng_problem *problem,
                                                        const double *theta,
                                                        size_t first,
                                                        size_t count,
                                                        double *z);

/* Where block b's parameters begin in theta. */
NG_API size_t ng_model_problem_offset(const ng_problem *problem, size_t block);

/* sum_i w_i^2 s_i s_i' / n, lower triangle, s_i the row's score: the middle
 * of the robust (sandwich) covariance (Huber 1967; White 1980). */
NG_API NG_MUST_CHECK ng_status ng_model_problem_score_covariance(
    ng_problem *problem, const double *theta, double *out);

/* A source over arrays in memory; `rows` is copied, its arrays are borrowed
 * for the life of the source. `family` and `block` give the widths. */
typedef struct ng_memory_source {
    ng_rows rows;
    size_t dim_y;
    size_t inputs[NG_FAMILY_MAX_BLOCKS];
    size_t outputs[NG_FAMILY_MAX_BLOCKS];
} ng_memory_source;

/* Fills `memory` (which the source borrows) and `source`. NG_EUSAGE if the
 * weights are negative, not finite or sum to 0. */
NG_API NG_MUST_CHECK ng_status ng_memory_source_init(
    ng_ctx *ctx, const ng_rows *rows, const ng_family *family,
    const ng_model_block *block, ng_memory_source *memory, ng_source *source);

#ifdef __cplusplus
}
#endif
#endif
