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
    X(NG_SE_ROBUST, "robust")     /* sandwich: HC0, clustered with a column */ \
    X(NG_SE_HC1, "HC1")           /* n / (n - p) of it */                      \
    X(NG_SE_HC2, "HC2")           /* residuals over sqrt(1 - leverage) */      \
    X(NG_SE_HC3, "HC3")           /* over 1 - leverage */                      \
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
#define NG_DISPERSION_LIST(X)                                                  \
    X(NG_DISPERSION_PEARSON, "pearson")   /* X^2 / (n - p), R's */             \
    X(NG_DISPERSION_DEVIANCE, "deviance") /* D / (n - p) */                    \
    X(NG_DISPERSION_ML, "ml")             /* maximum likelihood */

#define NG_INTERVALS_LIST(X)                                                   \
    X(NG_INTERVALS_WALD, "wald") /* estimate +- quantile x standard error */   \
    X(NG_INTERVALS_PROFILE, "profile") /* of the profile likelihood */

#define NG_ENUMERATOR(name, key) name,
typedef enum ng_dispersion { NG_DISPERSION_LIST(NG_ENUMERATOR) } ng_dispersion;
typedef enum ng_intervals { NG_INTERVALS_LIST(NG_ENUMERATOR) } ng_intervals;
#undef NG_ENUMERATOR

typedef struct ng_glm_options {
    /* gaussian, binomial, poisson, gamma, inverse-gaussian,
     * negative-binomial, multinomial, ordinal, beta, tweedie */
    const char *family;
    const char *link; /* NULL for the family's default, R's canonical one */
    double power;     /* tweedie: Var = phi mu^power, power in (1, 2) or >= 2;
                         NaN where not given */
    /* R's: "y ~ a + b:c + log(d) + C(e) + offset(f) - 1"; or a target and
     * features by name. */
    const char *formula;
    const char *target;
    const char *const *features; /* NULL: every column not otherwise used */
    size_t feature_count;
    int intercept; /* beside features */
    /* Levels that are the references of factors: "column=level". */
    const char *const *references;
    size_t reference_count;
    /* All levels of the target in order, for ordinal models; NULL: in the order
     * of the frame, by number or by bytes. */
    const char *const *levels;
    size_t level_count;
    const char *weights, *offset, *trials; /* columns, or NULL */
    const char *cluster; /* column of groups for robust standard errors */
    /* 1/2 l2 ||beta||^2 beside the mean loss, intercepts free. For
     * multinomial, beta are the symmetric coefficients (which sum to zero over
     * the levels), so that the answer does not depend on the reference level.
     */
    double l2;
    int firth; /* bias-reducing adjusted score (Firth 1993; Kosmidis & Firth
                  2009): finite estimates also where the data separate */
    ng_std_errors std_errors;
    ng_dispersion dispersion;
    ng_intervals intervals;
    double level; /* of the intervals: 0.95 */
    /* With first-order methods: run on columns brought to zero mean and unit
     * spread; results are reported for the raw ones. Fisher scoring does not
     * care. */
    int standardize;
    ng_fit_options fit;
    ng_monitor monitor;
    void *user;
} ng_glm_options;
NG_API void ng_glm_options_init(ng_glm_options *options);

NG_API NG_MUST_CHECK ng_status ng_glm_fit(ng_ctx *ctx, const ng_frame *frame,
                                          const ng_glm_options *options,
                                          ng_model **out);

/* The same over a stream: memory O(p^2 + block), whatever the rows. Fisher
 * scoring only; NG_EUSAGE for what needs the data whole. */
NG_API NG_MUST_CHECK ng_status ng_glm_fit_stream(ng_ctx *ctx,
                                                 const ng_stream *stream,
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
    double lower, upper;        /* glm: the interval; infinite where open */
    int aliased;  /* a combination of earlier columns: no estimate (NaN) */
    int infinite; /* the data separate: 1 or -1, the infinity at which the
                     likelihood is largest */
} ng_parameter;

/* Whether a direction exists along which the likelihood never falls (Albert &
 * Anderson 1984). */
#define NG_SEPARATION_LIST(X)                                                  \
    X(NG_SEPARATION_NONE, "none")                                              \
    X(NG_SEPARATION_QUASI, "quasi") /* for some rows it stands still */        \
    X(NG_SEPARATION_COMPLETE, "complete")
#define NG_ENUMERATOR(name, key) name,
typedef enum ng_separation { NG_SEPARATION_LIST(NG_ENUMERATOR) } ng_separation;
#undef NG_ENUMERATOR

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
    ng_dispersion dispersion_kind;
    ng_std_errors std_errors;
    ng_intervals intervals;
    double interval_level; /* of the parameters' intervals */
    const char *formula;   /* glm: canonical */
    /* ordinal: the thresholds are the last levels - 1 parameters, term
     * "(threshold)", level the lower of the two that each divides; beta:
     * "(phi)" is the last one. */
    size_t thresholds;
    double theta, theta_std_error; /* negative-binomial; infinite theta: the
                                      Poisson boundary */
    double power;                  /* tweedie */
    ng_separation separation;
    double df_effective; /* trace((F + P)^-1 F), rank without l2 */
    int firth;
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

/* A table of numbers, a row for each row of a frame. */
typedef struct ng_prediction {
    size_t rows, columns;
    char **column;            /* names: mean, lower, upper or p[level]... */
    double *values;           /* rows x columns */
    const char *const *level; /* class names; borrowed from the model */
    size_t *best;             /* rows: index of the likeliest class; or NULL */
    ng_ctx *ctx;
} ng_prediction;

typedef struct ng_predict_options {
    double interval; /* probability of the central interval of y: 0.9 */
    /* glm: also the standard errors of the estimates, by the delta method from
     * the model's covariance (NG_EUSAGE for a model that was fitted without),
     * and the intervals of the mean that they make: 0.95 of them hold it. */
    int std_errors;
    double level;
} ng_predict_options;
NG_API void ng_predict_options_init(ng_predict_options *options);

/* mean, and the central interval of y, lower and upper, by the model's own
 * quantiles at the estimates; where the target has levels, their
 * probabilities. With standard errors a glm's columns are mean, std_error,
 * mean_lower, mean_upper, lower, upper, link, link_std_error (the interval of
 * the mean is that of the linear predictor, taken back), or each p[level]
 * followed by its std_error[level]. `options` may be NULL. NG_EDATA names what
 * does not match: a column that is missing, a level that was not seen. */
NG_API NG_MUST_CHECK ng_status
ng_model_predict(const ng_model *model, const ng_frame *frame,
                 const ng_predict_options *options, ng_prediction **out);
NG_API void ng_prediction_destroy(ng_prediction **prediction);

/* On data with the target present: nats per example, and the fraction of
 * classes right (NaN unless classes). Weights and trials count. */
NG_API NG_MUST_CHECK ng_status ng_model_evaluate(const ng_model *model,
                                                 const ng_frame *frame,
                                                 double *loss,
                                                 double *accuracy);

/* Residuals of a glm on the data that it was fitted to (or others, with the
 * target present): R's residuals.glm, rstandard, hatvalues and cooks.distance,
 * and randomised quantile residuals (Dunn & Smyth 1996), which are standard
 * normal where the model is true. Columns: fitted, link, response, pearson,
 * deviance, quantile, std_pearson, std_deviance, leverage, cook; of an ordinal
 * model fitted (the probability of the level observed), link, deviance and
 * quantile. The leverage is of the expected Fisher, whatever the standard
 * errors are made of. Rows of weight 0 have NaN. `seed` is that of what is
 * random for a discrete y. NG_EUNSUPPORTED for dist models and
 * multinomial. */
NG_API NG_MUST_CHECK ng_status ng_model_residuals(const ng_model *model,
                                                  const ng_frame *frame,
                                                  uint64_t seed,
                                                  ng_prediction **out);

/* Analysis of deviance of two glms on the same data, the terms of one among
 * those of the other: R's anova(a, b, test = "F") where the dispersion is
 * estimated, "Chisq" where it is not; the likelihood-ratio test for families
 * with parameters beside the mean. */
typedef struct ng_nested {
    int swapped;                        /* the second model is the smaller */
    int is_F;                           /* else chi-square */
    int likelihood;                     /* deviance is -2 log-likelihood */
    double df_residual[2], deviance[2]; /* of the smaller, the larger */
    double df;                          /* their difference */
    double drop;                        /* of the deviance */
    double dispersion;
    double statistic; /* F, or the chi-square */
    double p_value;
} ng_nested;
/* NG_EUSAGE says which of family, link, target, data and terms differ. */
NG_API NG_MUST_CHECK ng_status ng_glm_nested(const ng_model *a,
                                             const ng_model *b, ng_nested *out);

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
