/* The inside of a fitted model, shared by the learners. */
#ifndef NGI_FITTED_MODEL_H
#define NGI_FITTED_MODEL_H

#include "base/base.h"
#include "learner/design.h"
#include "learner/glm_family.h"
#include "natgrad/learners.h"

/* By which data are known again: the sum of the weights, the weighted mean of
 * the response, and the sum of squares about it; NaN where not known. */
typedef struct ngi_model_response {
    double weight, mean, spread;
} ngi_model_response;

struct ng_model {
    ng_ctx *ctx;
    bool is_glm;
    char *family_name, *link_name; /* as the user knows them; link for glm */
    const ngi_glm_family *glm;     /* NULL for dist */
    ng_family family; /* of the core; ops is NULL for glms without one */
    ng_link links[NG_FAMILY_MAX_BLOCKS];
    ngi_design *design; /* glm */
    /* Column names or NULL; the target may be the text of a left side. */
    char *target, *weights, *offset, *trials, *cluster;
    ngi_model_response response; /* glm */
    ngi_levels columns;          /* dist: the columns of y */
    ngi_levels levels;           /* of the target, where it has any */
    /* glm, while it is fitted: the dispersion that the run holds fixed. */
    double pilot;
    /* glm: theta is outputs x design->width coefficients of raw columns, those
     * of aliased columns 0, then the `extras` parameters that all rows share:
     * thresholds of an ordinal, log phi of a beta, 1 / theta of a
     * negative-binomial. dist: z. */
    size_t outputs, extras;
    size_t dim;
    double *theta;
    /* The covariance is parameters x parameters and on the scale shown;
     * rows of aliased parameters are 0. */
    ng_parameter *parameter;
    double *covariance; /* or NULL */
    ng_summary summary;
    char *formula; /* glm: the design's, with the target before it */
    char **warning;
    const char **column_list; /* storage for ng_model_columns */
};

/* Finds the family and the first link of a glm: NG_EUSAGE else. */
ng_status ngi_model_create(ng_ctx *ctx, bool is_glm, const char *family_name,
                           const char *link_name, ng_model **out);
/* Sizes theta, parameters and, where wanted, the covariance. */
ng_status ngi_model_allocate(ng_model *model, size_t dim, size_t parameters,
                             bool covariance);
ng_status ngi_model_set_name(ng_model *model, size_t i, const char *term,
                             const char *level);
/* glm: makes the text of the formula from the design and the target. */
ng_status ngi_model_set_formula(ng_model *model);
__attribute__((format(printf, 2, 3))) ng_status
ngi_model_warn(ng_model *model, const char *format, ...);
/* glm: counts outputs and extras from the family and the levels. */
void ngi_model_measure(ng_model *model);
/* ng_model_load from memory. */
ng_status ngi_model_parse(ng_ctx *ctx, const char *source, const void *data,
                          size_t size, ng_model **out);
/* Copies what a run reported into the summary. */
void ngi_model_record_run(ng_model *model, const ng_report *report);

/* Whether y is one of several classes. */
static inline bool ngi_model_has_classes(const ng_model *model) {
    return model->family.ops && model->family.ops->discrete &&
           model->family.dim_mean > 1;
}

/* Directions in which the data say nothing: `count` orthonormal vectors (x d)
 * in the coordinates theta / scale that give the information a unit diagonal.
 */
typedef struct ngi_null_space {
    size_t count;
    double *vector; /* to be freed by ngi_free; NULL if there are none */
    double *scale;  /* d, behind the vectors */
} ngi_null_space;

/* The inverse of the symmetric A (d x d, lower) in place and mirrored, by
 * equilibrated Cholesky, or its pseudo-inverse where A is singular. */
ng_status ngi_invert_information(ng_ctx *ctx, size_t d, double *A,
                                 ngi_null_space *null_space);
/* The standard error of row' theta, whose variance is given: infinite where
 * the combination is not estimable, which it is if and only if the row is
 * orthogonal to the null space. */
double ngi_standard_error(double variance, size_t d, const double *row,
                          const ngi_null_space *null_space);
/* out = T C T' (rows x rows), T rows x d, C d x d. */
ng_status ngi_transform_covariance(ng_ctx *ctx, size_t rows, size_t d,
                                   const double *T, const double *C,
                                   double *out);

#endif
