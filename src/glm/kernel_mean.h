/* What the kernels without psi share. */
#ifndef NGI_GLM_KERNEL_MEAN_H
#define NGI_GLM_KERNEL_MEAN_H

#include "glm/kernel.h"

/* mu(eta) of a link with two derivatives. NaN outside the link's domain, and
 * where `positive` for every eta that has no mean above 0. */
void ngi_glm_link_mean(ng_link link, bool positive, size_t n, const double *eta,
                       double *mu, double *dmu, double *d2mu);
/* The same as an entry of a kernel with a family. */
void ngi_glm_family_mean(const ngi_glm_kernel *k, size_t n, const double *eta,
                         double *mu, double *dmu, double *d2mu);

/* The kernel without vector code, for any family and link. */
void ngi_glm_kernel_generic(const ng_family *family, ng_link link,
                            ngi_glm_kernel *out);

/* The vector code for a family and a link that have one, else NULL. */
const ngi_glm_kernel_ops *ngi_glm_kernel_fused(const ng_family *family,
                                               ng_link link);
enum { NGI_GLM_FUSED_WORK = 3 }; /* doubles of scratch a row */

/* A row's loss with its derivatives in some coordinate z: expected and
 * observed curvature. */
typedef struct ngi_glm_row {
    double loss, score, expected, observed;
} ngi_glm_row;

/* Row i of the output, from z to eta by the chain rule. */
void ngi_glm_put_row(const ngi_glm_terms *out, size_t i, const ngi_glm_row *row,
                     double dz, double d2z);

#endif
