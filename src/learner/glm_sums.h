/* Sums over the rows of a fitted glm that its summary is made of. */
#ifndef NGI_GLM_SUMS_H
#define NGI_GLM_SUMS_H

#include "learner/glm.h"

typedef struct ngi_glm_sums {
    double deviance;
    double pearson;        /* of families with a dispersion */
    double log_likelihood; /* R's, at `likelihood_dispersion` */
    double log_density;    /* sum of w log p(y), at `dispersion` */
    double right;          /* weight of the rows whose class is the likeliest */
    bool extreme; /* a fitted probability or mean is so near its edge that the
                     data may separate */
} ngi_glm_sums;

/* At which dispersions the likelihoods are taken. */
typedef struct ngi_glm_point {
    const ngi_glm_rows *rows;
    const ngi_glm_family *family;
    const ngi_glm_kernel *kernel;
    const double *theta; /* coefficients, psi */
    double level;        /* weighted mean of y, to judge a small mean by */
    double dispersion, likelihood_dispersion;
    bool likelihoods; /* the two of them */
    bool deviances;   /* the others */
} ngi_glm_point;

ng_status ngi_glm_add_rows(const ngi_glm_point *point, ngi_glm_sums *out);

#endif
