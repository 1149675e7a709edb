/* The parts of a glm fit, shared by its files. */
#ifndef NGI_GLM_H
#define NGI_GLM_H

#include "data/table.h"
#include "glm/scoring.h"
#include "learner/model.h"

/* A mean or probability this near the edge of its range is what separation
 * looks like. */
#define NGI_GLM_EDGE 1e-7

/* What the first pass over the rows adds up. */
typedef struct ngi_glm_totals {
    double weight, used; /* of the weights; rows whose weight is not 0 */
    double mean, spread; /* of y: weighted mean, sum of w (y - mean)^2 */
    double offset;       /* weighted mean */
    double log_weight;   /* sum of log w over rows used */
    double trials;       /* sum over rows used */
} ngi_glm_totals;

/* The first row that cannot be. */
typedef struct ngi_glm_finding {
    size_t row; /* SIZE_MAX: none */
    int kind;
    size_t column; /* of X */
    double value;
} ngi_glm_finding;

/* One worker's memory for a block. */
typedef struct ngi_glm_worker {
    const double **x;
    double *y, *weight, *offset, *trials, *failures, *work, *memory;
    double *level_weight;
    ngi_glm_totals totals;
    ngi_glm_finding finding;
} ngi_glm_worker;

/* The data of a fit: a table seen through the design. */
typedef struct ngi_glm_data {
    ng_ctx *ctx;
    const ngi_table *table;
    const ng_glm_options *options;
    ng_model *model; /* its design, levels and columns are read */
    ngi_design_binding binding;
    bool bound;
    size_t target, weights, offset, trials; /* columns; SIZE_MAX: none */
    ngi_glm_rows rows;
    ngi_glm_worker *worker;
    ngi_glm_totals totals;
    double *level_weight; /* by level of the target; NULL: no levels */
    double *map; /* the table's level of the target to the model's; or NULL */
} ngi_glm_data;

/* Finds the columns, takes the levels of the target into the model, and looks
 * at every row once: NG_EDATA names the first that cannot be. */
ng_status ngi_glm_data_open(const ngi_table *table,
                            const ng_glm_options *options, ng_model *model,
                            ngi_glm_data *data);
void ngi_glm_data_close(ngi_glm_data *data);

/* A row of the table for a message. */
ng_status ngi_glm_bad_row(const ngi_glm_data *data, size_t row,
                          const char *column, const char *expected,
                          double found);

/* A fit under way. */
typedef struct ngi_glm_fit {
    ng_ctx *ctx;
    const ng_glm_options *options;
    ng_model *model;
    ngi_glm_data data;
    ngi_glm_kernel kernel; /* not of multinomial */
    ngi_scoring *scoring;
    double *ridge; /* width, mean-loss scale */
    double *theta; /* coefficients, psi */
    ng_report report;
    /* What the conclusion finds: the inverse of the expected Fisher over the
     * total weight (dim x dim, at dispersion 1); NULL without standard errors.
     */
    double *inverse;
} ngi_glm_fit;

/* theta (zero on entry) where a fit begins. */
ng_status ngi_glm_start(ngi_glm_fit *fit);

/* From start to answer by whichever method the options name, in theta. */
bool ngi_glm_scores(const ng_fit_options *options);
ng_status ngi_glm_run_method(ngi_glm_fit *fit);

/* From the answer to the model's summary, parameters and covariance. */
ng_status ngi_glm_conclude(ngi_glm_fit *fit);

/* The same of a stream that can be read no more: estimates alone. */
ng_status ngi_glm_conclude_stopped(ngi_glm_fit *fit);

/* What people should know: aliased columns, separation, a perfect fit. */
ng_status ngi_glm_add_warnings(ng_model *model);

/* The covariance of the shown parameters from fit->inverse: dispersion and
 * what kind of standard error was asked for. C is dim x dim. */
ng_status ngi_glm_covariance(ngi_glm_fit *fit, double dispersion, double *C);

/* Replaces the parameters' intervals by those of the profile likelihood; needs
 * fit->inverse. */
ng_status ngi_glm_profile(ngi_glm_fit *fit);

/* Families of unordered levels: all of it. */
ng_status ngi_glm_fit_classes(ngi_glm_fit *fit);

#endif
