/* The parts of a glm fit, shared by its files. */
#ifndef NGI_GLM_H
#define NGI_GLM_H

#include "learner/model.h"

/* The data of a fit, in memory. X is standardised in place:
 * x~ = (x - shift) / scale. */
typedef struct ngi_glm_data {
    ng_ctx *ctx;
    size_t n, p;
    double *y, *weight, *offset, *trials; /* n each; NULL where not given */
    double *X;                            /* n x p */
    double *shift, *scale, *ridge;        /* p each */
    double total_weight, used_rows;
    ng_source source;
    ng_memory_source memory;
} ngi_glm_data;

/* Target, weights, offset and trials from the frame, checked. For classes the
 * target becomes level indices and for binomial shares of successes; with
 * trials the weight includes them. */
ng_status ngi_glm_read(const ng_frame *frame, const ng_glm_options *options,
                       const ngi_glm_family *family, ng_model *model,
                       ngi_glm_data *data);
void ngi_glm_data_free(ngi_glm_data *data);

ng_status ngi_glm_standardize(ngi_glm_data *data, int intercept, bool wanted);

/* Where the fit begins (theta, problem->dim entries). */
ng_status ngi_glm_start(const ng_glm_options *options,
                        const ngi_glm_family *family, const ng_model *model,
                        ngi_glm_data *data, ng_problem *problem, double *theta);

/* Fills the summary, the parameters and their covariance from the run's last
 * point. */
ng_status ngi_glm_conclude(const ng_glm_options *options,
                           const ngi_glm_family *family, ng_model *model,
                           ngi_glm_data *data, ng_problem *problem,
                           const double *theta);

#endif
