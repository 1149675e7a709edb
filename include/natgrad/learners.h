/* Learners: a frame of data goes in, a fitted model comes out. A model has a
 * summary to read, predicts, and is saved as one safetensors file. */
#ifndef NATGRAD_LEARNERS_H
#define NATGRAD_LEARNERS_H

#include "natgrad/data.h"
#include "natgrad/fit.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ng_model ng_model;

#define NG_STD_ERRORS_LIST(X)                                                  \
    X(NG_SE_EXPECTED, "expected") /* inverse of the exact Fisher */            \
    X(NG_SE_OBSERVED, "observed") /* inverse of the Hessian */                 \
    X(NG_SE_ROBUST, "robust")     /* sandwich, HC0: squares the weights */     \
    X(NG_SE_NONE, "none")         /* spares the dense matrix */
#define NG_ENUMERATOR(name, key) name,
typedef enum ng_std_errors { NG_STD_ERRORS_LIST(NG_ENUMERATOR) } ng_std_errors;
#undef NG_ENUMERATOR

/* ---- dist: maximum likelihood of a distribution --------------------------
 */
typedef struct ng_dist_options {
    const char *family;         /* a name from ng_family_list */
    const char *const *columns; /* one, or several for mvnormal, dirichlet */
    size_t column_count;
    const char *weights;      /* column, or NULL */
    ng_std_errors std_errors; /* expected or observed */
    /* Link of each block, for the coordinates that the run goes through: the
     * answer does not depend on them, the path does. -1 for the family's own.
     */
    int links[NG_FAMILY_MAX_BLOCKS];
    /* Customary parameters to begin from instead of moments; borrowed. */
    const double *start;
    ng_fit_options fit;
    ng_monitor monitor;
    void *user;
} ng_dist_options;
NG_API void ng_dist_options_init(ng_dist_options *options);

/* NG_EDATA for values outside the family's support. A run that does not
 * converge is no error: see the summary. */
NG_API NG_MUST_CHECK ng_status ng_dist_fit(ng_ctx *ctx, const ng_frame *frame,
                                           const ng_dist_options *options,
                                           ng_model **out);

/* ---- glm: generalised linear models ---------------------------------------
 */
typedef struct ng_glm_options {
    const char *target;
    const char *family; /* gaussian, binomial, poisson, gamma,
                           inverse-gaussian, multinomial */
    const char *link;   /* NULL for the family's default, R's canonical one */
    const char *const *features; /* NULL: every column not otherwise used */
    size_t feature_count;
    const char *weights, *offset, *trials; /* columns, or NULL */
    int intercept;
    /* 1/2 l2 ||beta||^2 beside the mean loss, intercepts free. For
     * multinomial, beta are the symmetric coefficients (which sum to zero over
     * the levels), so that the answer does not depend on the reference level.
     */
    double l2;
    ng_std_errors std_errors;
    /* Run on columns brought to zero mean and unit spread (by exact powers of
     * two): results are reported for the raw ones. The natural gradient does
     * not care; the first-order methods do. */
    int standardize;
    ng_fit_options fit;
    ng_monitor monitor;
    void *user;
} ng_glm_options;
NG_API void ng_glm_options_init(ng_glm_options *options);

NG_API NG_MUST_CHECK ng_status ng_glm_fit(ng_ctx *ctx, const ng_frame *frame,
                                          const ng_glm_options *options,
                                          ng_model **out);

/* Default link of a glm family; NG_EUSAGE lists the families. */
NG_API NG_MUST_CHECK ng_status ng_glm_default_link(ng_ctx *ctx,
                                                   const char *family,
                                                   const char **link);

/* ---- What a model says ----------------------------------------------------
 */
typedef struct ng_parameter {
    const char *term;  /* "(Intercept)", "name", "name[level]", "shape" */
    const char *level; /* of the target, for multinomial; else NULL */
    double estimate, std_error; /* NaN where there is none */
    double statistic, p_value;  /* glm: Wald; t where dispersion is estimated */
} ng_parameter;

typedef struct ng_summary {
    const char *learner, *family, *link; /* link: NULL for dist */
    const char *target;                  /* glm */
    size_t levels; /* of the target, 0 unless it has any; the first is the */
    const char *const *level; /* reference, the second of two the success */
    double n; /* sum of weights (dist), rows of non-zero weight (glm) */
    double df_residual; /* glm */
    size_t parameters;
    const ng_parameter *parameter;
    const double *covariance; /* parameters^2; NULL if not computed */
    double dispersion;        /* glm */
    double loss; /* nats per example at the estimates, without penalty and
                    with the estimated dispersion (a run reports at that of the
                    constant model) */
    double log_likelihood, aic, bic; /* R's definitions */
    double deviance, null_deviance;  /* glm; NaN where undefined */
    double accuracy; /* of the data, a fraction; NaN unless classes */
    size_t iterations;
    int converged;
    ng_stop stop;
    double gradient_norm, decrement, kl_total;
    double l2, seconds;
    size_t rank; /* parameters that the data determine */
    size_t warnings;
    const char *const *warning;
} ng_summary;

/* Borrowed from the model. */
NG_API const ng_summary *ng_model_summary(const ng_model *model);

/* The summary as one JSON object, as `--json` prints it: numbers with 17
 * significant digits, null where there is none. The caller frees it with
 * ng_text_free. */
NG_API NG_MUST_CHECK ng_status ng_model_to_json(const ng_model *model,
                                                char **out);
NG_API void ng_text_free(ng_ctx *ctx, char **text);
NG_API void ng_model_destroy(ng_model **model);

/* ---- Files ----------------------------------------------------------------
 */
/* One safetensors file: tensors "coefficients" and "covariance" (F64), and in
 * the metadata under "natgrad" a JSON object with all that predicting needs.
 * Atomic. */
NG_API NG_MUST_CHECK ng_status ng_model_save(const ng_model *model,
                                             const char *path);
NG_API NG_MUST_CHECK ng_status ng_model_load(ng_ctx *ctx, const char *path,
                                             ng_model **out);

/* ---- Using a model --------------------------------------------------------
 */
/* The columns a frame must have for this model's predictions, and of them
 * those to be read as factors and as numbers. Borrowed. `with_target` adds
 * the target, weights and trials. Fills the lists of `options`. */
NG_API NG_MUST_CHECK ng_status ng_model_columns(const ng_model *model,
                                                int with_target,
                                                ng_frame_options *options);

typedef struct ng_prediction {
    size_t rows, columns;
    char **column;            /* names: mean, lower, upper or p[level]... */
    double *values;           /* rows x columns */
    const char *const *level; /* class names; borrowed from the model */
    size_t *best;             /* rows: index of the likeliest class; or NULL */
    ng_ctx *ctx;
} ng_prediction;

/* mean, and the central interval of y of this probability, by the model's own
 * quantiles at the estimates; where the target has levels, their
 * probabilities. NG_EDATA names
 * what does not match: a column that is missing, a level that was not seen. */
NG_API NG_MUST_CHECK ng_status ng_model_predict(const ng_model *model,
                                                const ng_frame *frame,
                                                double interval,
                                                ng_prediction **out);
NG_API void ng_prediction_destroy(ng_prediction **prediction);

/* On data with the target present: nats per example, and the fraction of
 * classes right (NaN unless classes). Weights and trials count. */
NG_API NG_MUST_CHECK ng_status ng_model_evaluate(const ng_model *model,
                                                 const ng_frame *frame,
                                                 double *loss,
                                                 double *accuracy);

/* Mean KL(a || b) and KL(b || a) in nats per example over the rows of
 * `frame`; the two models must speak of the same family and levels, and not
 * of the same features. dist models need no rows: frame may be NULL. */
NG_API NG_MUST_CHECK ng_status ng_model_kl(const ng_model *a, const ng_model *b,
                                           const ng_frame *frame, double *ab,
                                           double *ba);

#ifdef __cplusplus
}
#endif
#endif
