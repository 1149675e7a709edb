/* What a family under a link makes of the linear predictor, vectorised over
 * rows: loss, score and curvature in eta, and the same in the few parameters
 * that all rows share (thresholds, a precision, a dispersion alpha), here
 * called psi. */
#ifndef NGI_GLM_KERNEL_H
#define NGI_GLM_KERNEL_H

#include "natgrad/family.h"

#include "base/base.h"

/* What to compute over n rows; NULL where not wanted. Row weights multiply
 * nothing that is given by row, and everything that is a sum. */
typedef struct ngi_glm_terms {
    double *loss;  /* n: minus the log-likelihood at dispersion 1, up to what
                      depends on y alone; best 0 at a perfect fit. HUGE_VAL for
                      an eta outside the model's domain, and whatever comes
                      with it is then not read. */
    double *score; /* n: d loss / d eta */
    double *curvature; /* n: E[d2 loss / d eta2] >= 0, or where `observed` the
                          second derivative at y */
    bool observed;
    /* Of psi (extras of them): */
    double *psi_score;     /* extras: += sum_i w_i d loss_i / d psi */
    double *cross;         /* n x extras, column-major (psi e at cross + e n):
                              curvature between eta and psi */
    double *psi_curvature; /* extras x extras, lower: += sum_i w_i ... */
} ngi_glm_terms;

typedef struct ngi_glm_kernel ngi_glm_kernel;

typedef struct ngi_glm_kernel_ops {
    void (*terms)(const ngi_glm_kernel *k, size_t n, const double *eta,
                  const double *psi, const double *y,
                  const double *w /* NULL: all 1 */, const ngi_glm_terms *out,
                  double *work /* n x k->work */);
    /* mu(eta), and where the pointers are not NULL d mu / d eta and its
     * derivative. Families with levels: NULL. */
    void (*mean)(const ngi_glm_kernel *k, size_t n, const double *eta,
                 double *mu, double *dmu, double *d2mu);
    /* Families with levels: n x levels probabilities, row-major, and where not
     * NULL their derivatives in eta (n x levels) and psi (n x levels x
     * extras). */
    void (*probabilities)(const ngi_glm_kernel *k, size_t n, const double *eta,
                          const double *psi, double *p, double *dp,
                          double *dpsi);
} ngi_glm_kernel_ops;

struct ngi_glm_kernel {
    const ngi_glm_kernel_ops *ops;
    const ng_family *family; /* of the core; NULL where there is none */
    ng_link link;
    double power;  /* Tweedie's */
    size_t levels; /* ordinal */
    size_t work;   /* doubles of scratch a row */
    size_t extras;
    double psi_lower; /* no psi is below; -HUGE_VAL for no bound */
};

/* The kernel of a family without psi: gaussian, binomial, poisson, gamma,
 * inverse-gaussian under any of its links, tweedie. Borrow `family`. */
void ngi_glm_kernel_mean(const ng_family *family, ng_link link,
                         ngi_glm_kernel *out);
void ngi_glm_kernel_tweedie(double power, ng_link link, ngi_glm_kernel *out);
/* psi = alpha = 1/theta >= 0, Var = mu + alpha mu^2; 0 is Poisson. */
void ngi_glm_kernel_negative_binomial(ng_link link, ngi_glm_kernel *out);
/* psi = log precision; logit mean. */
void ngi_glm_kernel_beta(ng_link link, ngi_glm_kernel *out);
/* P(y <= k) = F(psi_k - eta), psi increasing; levels - 1 of them. */
void ngi_glm_kernel_ordinal(size_t levels, ng_link link, ngi_glm_kernel *out);

#endif
