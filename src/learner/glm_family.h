/* The families of generalised linear models: R's names, links, variance
 * functions, deviances, log-likelihoods, quantiles. A const table of functions
 * of one row's law; what is fitted is in glm/kernel.h. */
#ifndef NGI_GLM_FAMILY_H
#define NGI_GLM_FAMILY_H

#include "glm/kernel.h"

/* The law of y in one row. A prior weight w that is a precision (the families
 * with a dispersion) is divided into the dispersion by who wants that law. */
typedef struct ngi_glm_law {
    double mean;       /* binomial: of the share of successes */
    double dispersion; /* phi; 1 for families without one */
    double trials;     /* binomial: rounded; 0 counts as 1 */
    double power;      /* tweedie */
    const double *psi; /* negative-binomial: alpha; beta: log phi */
    const double *p;   /* families with levels: their probabilities */
    size_t levels;
} ngi_glm_law;

/* Of the response and its prior weights (times trials), for the start of psi:
 * what a stream can add up. */
typedef struct ngi_glm_moments {
    double total, mean, variance; /* variance: over the total */
    const double *level_weight;   /* sums by level, else NULL */
    size_t levels;
} ngi_glm_moments;

/* P(Y < y), P(Y = y) (0 for a density) and P(Y > y), each to its own relative
 * accuracy in the tails. */
typedef struct ngi_glm_tails {
    double below, at, above;
} ngi_glm_tails;

typedef struct ngi_glm_family ngi_glm_family;

struct ngi_glm_family {
    const char *name;         /* R's */
    const char *core;         /* name in the core; NULL: tweedie, ordinal */
    ng_coordinate coordinate; /* of the mean, what links are taken of */
    ng_link link;             /* default */
    unsigned links;           /* bit set of those that make sense */
    bool dispersion;          /* phi is estimated beside the coefficients */
    bool has_levels;          /* y is a level index, law.p its probabilities */
    bool discrete;
    size_t extras; /* psi besides levels: 1 for negative-binomial, beta */
    const char *support;
    /* `power` is read by tweedie alone. Binomial: a share in [0, 1]. NULL with
     * levels. */
    bool (*in_support)(double y, double power);
    /* The kernel. `core` is borrowed (NULL where the family has none). NULL
     * for multinomial. */
    void (*kernel)(const ng_family *core, ng_link link, double power,
                   size_t levels, ngi_glm_kernel *out);
    /* R's mustart: y moved off the edge of its range; `weight` is the prior
     * weight times trials. NULL with levels. */
    double (*start_mean)(double y, double weight);
    /* NULL where there is no psi. */
    void (*start_psi)(const ngi_glm_moments *moments, ng_link link,
                      double *psi);

    /* Var(y) = phi V; NULL with levels. Beta: of y itself, mu (1 - mu) / (1 +
     * phi). */
    double (*variance)(const ngi_glm_law *law);
    /* Twice the log-likelihood lost against the saturated law, times phi and
     * for one unit of weight. Levels: -2 log p. Beta: betareg's, saturated at
     * mean y. */
    double (*deviance)(const ngi_glm_law *law, double y);
    /* R's logLik: of a row of prior weight w (binomial: w includes trials).
     * law.dispersion is the plain phi here, not divided by w. NaN where there
     * is no such density (tweedie of a power > 2 that is no named family). */
    double (*log_likelihood)(const ngi_glm_law *law, double y, double w);
    /* The dispersion that maximises the sum of the above over `rows` rows of
     * non-zero weight, from the total deviance. NULL: no dispersion, or
     * (tweedie) it must be searched for. */
    double (*ml_dispersion)(double deviance, double rows, double total);

    /* NULL: multinomial. NaN as above. */
    ngi_glm_tails (*tails)(const ngi_glm_law *law, double y);
    /* Smallest y with P(Y <= y) >= p, 0 < p < 1; binomial: a share. */
    double (*quantile)(const ngi_glm_law *law, double p);
    /* KL(from || to) in nats of a row; tweedie: both at from's power, for
     * different dispersions NaN where there is no closed form. */
    double (*kl)(const ngi_glm_law *from, const ngi_glm_law *to);
};

ng_status ngi_glm_family_find(ng_ctx *ctx, const char *name,
                              const ngi_glm_family **out);
/* The link called `name` (NULL: the default) if the family has it. The
 * multinomial's "logit" is against the reference level: the coordinate of its
 * core family, in which the link is the identity. */
ng_status ngi_glm_link(ng_ctx *ctx, const ngi_glm_family *family,
                       const char *name, ng_link *out);
/* The name of the link as the user knows it. */
const char *ngi_glm_link_name(const ngi_glm_family *family, ng_link link);
/* Tweedie needs a power, in (1, 2) or >= 2; the others take none (NaN). */
ng_status ngi_glm_check_power(ng_ctx *ctx, const ngi_glm_family *family,
                              double power);
size_t ngi_glm_extras(const ngi_glm_family *family, size_t levels);

/* eta of a mean: NaN or infinite outside the link's domain. */
double ngi_glm_eta_of_mean(const ngi_glm_family *family, ng_link link,
                           double mean);

/* The dispersion at which R takes the log-likelihood: deviance / rows for
 * gaussian, deviance / total weight for the others; 1 without dispersion. */
double ngi_glm_likelihood_dispersion(const ngi_glm_family *family,
                                     double deviance, double rows,
                                     double total);

/* Randomised quantile residual (Dunn & Smyth 1996): standard normal under the
 * law if u is uniform on (0, 1); u is not read where the law has a density. */
double ngi_glm_quantile_residual(const ngi_glm_family *family,
                                 const ngi_glm_law *law, double y, double u);

/* The law in the core family's coordinates (z: its dim_z, 2 at most); edges
 * that the core does not have (alpha = 0, a mean of 0 or 1) become points next
 * to them. False for a family that has no core or has levels. */
bool ngi_glm_to_core(const ngi_glm_family *family, const ngi_glm_law *law,
                     double *z);

/* ---- The families ---- */
#define NGI_GLM_LINK(name) (1u << NG_LINK_##name)

extern const ngi_glm_family ngi_glm_gaussian, ngi_glm_binomial, ngi_glm_poisson,
    ngi_glm_gamma, ngi_glm_inverse_gaussian, ngi_glm_negative_binomial,
    ngi_glm_multinomial, ngi_glm_ordinal, ngi_glm_beta, ngi_glm_tweedie;

/* y log(y / mu) - y + mu >= 0, half the Poisson deviance, without
 * cancellation; y = 0 gives mu. */
double ngi_glm_log_gap(double y, double mean);

/* ---- The Tweedie laws ---- */

/* log density (of y > 0) or log P(Y = 0); 1 < power < 2, and 2, 3. NaN for
 * other powers. */
double ngi_tweedie_log_density(double y, double mean, double dispersion,
                               double power);
ngi_glm_tails ngi_tweedie_tails(double y, double mean, double dispersion,
                                double power);
double ngi_tweedie_quantile(double p, double mean, double dispersion,
                            double power);
/* 2 int_mu^y (y - t) / t^power dt. */
double ngi_tweedie_deviance(double y, double mean, double power);

#endif
