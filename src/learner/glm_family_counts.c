/* Binomial, Poisson and negative binomial models. */
#include "family/family.h"
#include "family/two_parameter.h"
#include "learner/glm_family.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>

static bool count(double y, double power) {
    (void)power;
    return y >= 0 && y == floor(y) && isfinite(y);
}

static void mean_kernel(const ng_family *core, ng_link link, double power,
                        size_t levels, ngi_glm_kernel *out) {
    (void)power;
    (void)levels;
    ngi_glm_kernel_mean(core, link, out);
}

/* ---- Binomial ---- */

static bool share(double y, double power) {
    (void)power;
    return y >= 0 && y <= 1;
}

static double binomial_start(double y, double weight) {
    return (weight * y + 0.5) / (weight + 1);
}

static double binomial_variance(const ngi_glm_law *law) {
    return law->mean * (1 - law->mean);
}

static double binomial_deviance(const ngi_glm_law *law, double y) {
    return 2 * (ngi_glm_log_gap(y, law->mean) +
                ngi_glm_log_gap(1 - y, 1 - law->mean));
}

static double trials_of(const ngi_glm_law *law) {
    return law->trials > 0 ? rint(law->trials) : 1;
}

/* Loader's (2000) saddle-point form, S(x) = x log x - x - log Gamma(x). */
static double log_binomial(double k, double m, double mu) {
    double j = m - k;
    if (m <= 0)
        return 0;
    if (k == 0 || j == 0)
        return m * (k == 0 ? log1p(-mu) : log(mu));
    return ngi_gamma_constant(k) + ngi_gamma_constant(j) -
           ngi_gamma_constant(m) + log(m / k) - log(j) -
           ngi_glm_log_gap(k, m * mu) - ngi_glm_log_gap(j, m * (1 - mu));
}

/* R's: w / m log dbinom(round(m y), round(m), mu). */
static double binomial_likelihood(const ngi_glm_law *law, double y, double w) {
    double m = law->trials > 0 ? law->trials : w;
    return m > 0 ? w / m * log_binomial(rint(m * y), rint(m), law->mean) : 0;
}

/* P(K >= k), K ~ binomial(m, mu). */
static double at_least(double k, double m, double mu) {
    return k <= 0 ? 1 : (k > m ? 0 : ngi_beta_i(k, m - k + 1, mu));
}

static ngi_glm_tails binomial_tails(const ngi_glm_law *law, double y) {
    double m = trials_of(law), k = rint(m * y), mu = law->mean;
    return (ngi_glm_tails){at_least(m - k + 1, m, 1 - mu),
                           exp(log_binomial(k, m, mu)), at_least(k + 1, m, mu)};
}

static double binomial_quantile(const ngi_glm_law *law, double p) {
    double m = trials_of(law), low = 0, high = m;
    while (low < high) {
        double middle = floor(0.5 * (low + high));
        if (1 - at_least(middle + 1, m, law->mean) >= p)
            high = middle;
        else
            low = middle + 1;
    }
    return low / m;
}

static double binomial_kl(const ngi_glm_law *from, const ngi_glm_law *to) {
    double z0[2], z1[2], kl;
    ngi_glm_to_core(&ngi_glm_binomial, from, z0);
    ngi_glm_to_core(&ngi_glm_binomial, to, z1);
    ngi_family_bernoulli.kl(NULL, 1, z0, z1, &kl, NULL);
    return trials_of(from) * kl;
}

const ngi_glm_family ngi_glm_binomial = {
    .name = "binomial",
    .core = "bernoulli",
    .coordinate = NG_COORDINATE_LOGIT,
    .link = NG_LINK_LOGIT,
    .links = NGI_GLM_LINK(LOGIT) | NGI_GLM_LINK(PROBIT) |
             NGI_GLM_LINK(CLOGLOG) | NGI_GLM_LINK(CAUCHIT) | NGI_GLM_LINK(LOG) |
             NGI_GLM_LINK(IDENTITY),
    .discrete = true,
    .support = "0 or 1",
    .in_support = share,
    .kernel = mean_kernel,
    .start_mean = binomial_start,
    .variance = binomial_variance,
    .deviance = binomial_deviance,
    .log_likelihood = binomial_likelihood,
    .tails = binomial_tails,
    .quantile = binomial_quantile,
    .kl = binomial_kl,
};

/* ---- Poisson ---- */

static double poisson_start(double y, double weight) {
    (void)weight;
    return y + 0.1;
}

static double poisson_variance(const ngi_glm_law *law) {
    return law->mean;
}

static double poisson_deviance(const ngi_glm_law *law, double y) {
    return 2 * ngi_glm_log_gap(y, law->mean);
}

static double log_poisson(double y, double mean) {
    return y > 0 ? ngi_gamma_constant(y) - log(y) - ngi_glm_log_gap(y, mean)
                 : -mean;
}

static double poisson_likelihood(const ngi_glm_law *law, double y, double w) {
    return w * log_poisson(y, law->mean);
}

static ngi_glm_tails poisson_tails(const ngi_glm_law *law, double y) {
    return (ngi_glm_tails){y > 0 ? ngi_gamma_q(y, law->mean) : 0,
                           exp(log_poisson(y, law->mean)),
                           ngi_gamma_p(y + 1, law->mean)};
}

static double poisson_quantile(const ngi_glm_law *law, double p) {
    double z = log(law->mean), y;
    ngi_family_poisson.quantile(NULL, 1, &z, p, &y, NULL);
    return y;
}

static double poisson_kl(const ngi_glm_law *from, const ngi_glm_law *to) {
    return ngi_glm_log_gap(from->mean, to->mean);
}

const ngi_glm_family ngi_glm_poisson = {
    .name = "poisson",
    .core = "poisson",
    .coordinate = NG_COORDINATE_LOG,
    .link = NG_LINK_LOG,
    .links = NGI_GLM_LINK(LOG) | NGI_GLM_LINK(IDENTITY) | NGI_GLM_LINK(SQRT) |
             NGI_GLM_LINK(INVERSE),
    .discrete = true,
    .support = "a count 0, 1, 2, ...",
    .in_support = count,
    .kernel = mean_kernel,
    .start_mean = poisson_start,
    .variance = poisson_variance,
    .deviance = poisson_deviance,
    .log_likelihood = poisson_likelihood,
    .tails = poisson_tails,
    .quantile = poisson_quantile,
    .kl = poisson_kl,
};

/* ---- Negative binomial: psi = alpha, 0 for Poisson ---- */

static void negative_binomial_kernel(const ng_family *core, ng_link link,
                                     double power, size_t levels,
                                     ngi_glm_kernel *out) {
    (void)core;
    (void)power;
    (void)levels;
    ngi_glm_kernel_negative_binomial(link, out);
}

static double negative_binomial_start(double y, double weight) {
    (void)weight;
    return y > 0 ? y : 1. / 6;
}

/* By moments, Var y = m + alpha m^2, and at least a variance 5% above the
 * mean: at alpha = 0 a fit might take the boundary for the answer. */
static void start_alpha(const ngi_glm_moments *moments, ng_link link,
                        double *psi) {
    double m = fmax(moments->mean, DBL_MIN);
    (void)link;
    psi[0] = fmax((moments->variance - m) / m / m, 0.05 / m);
    psi[0] = fmin(psi[0], 1e6);
}

static double negative_binomial_variance(const ngi_glm_law *law) {
    return law->mean * (1 + law->psi[0] * law->mean);
}

/* t - log(1 + t) >= 0 from t and 1 + t. */
static double remainder_of(double t, double above) {
    return t > -0.5 && t < 1 ? -ngi_log1pmx(t) : t - log(above);
}

/* 2 [y log(y / mu) - (y + 1 / a) log((1 + a y) / (1 + a mu))] as two terms
 * that are not negative, whose linear parts, +-r, r = (y - mu) / (1 + a mu),
 * cancel. */
static double negative_binomial_deviance(const ngi_glm_law *law, double y) {
    double a = law->psi[0], mu = law->mean, spread = a * mu, m = 1 + spread;
    if (y == 0)
        return 2 * (spread < DBL_EPSILON ? mu : log1p(spread) / a);
    double r = (y - mu) / m, t = a * r, q = (1 + a * y) / m;
    double first =
        fabs(t) < 1e-8 ? r * t * (0.5 - t / 3) : remainder_of(t, q) / a;
    return 2 * (first + y * remainder_of(-r / y, mu / y * q));
}

static void negative_binomial_coordinates(const ngi_glm_law *law, double *z) {
    ngi_glm_to_core(&ngi_glm_negative_binomial, law, z);
}

static double negative_binomial_likelihood(const ngi_glm_law *law, double y,
                                           double w) {
    double z[2], log_p;
    if (law->psi[0] == 0)
        return poisson_likelihood(law, y, w);
    negative_binomial_coordinates(law, z);
    ngi_family_negative_binomial.log_density(NULL, 1, z, &y, &log_p, NULL);
    return w * log_p;
}

static ngi_glm_tails negative_binomial_tails(const ngi_glm_law *law, double y) {
    double z[2], before = y - 1, a = law->psi[0];
    ngi_glm_tails t = {0, 0, 0};
    double counts = y + law->mean + 1;
    if (a * counts * counts < DBL_EPSILON)
        return poisson_tails(law, y);
    negative_binomial_coordinates(law, z);
    if (y > 0)
        ngi_family_negative_binomial.cdf(NULL, 1, z, &before, &t.below, NULL);
    t.at = exp(negative_binomial_likelihood(law, y, 1));
    t.above = ngi_beta_i(y + 1, 1 / a, a * law->mean / (1 + a * law->mean));
    return t;
}

static double negative_binomial_quantile(const ngi_glm_law *law, double p) {
    double z[2], y;
    if (law->psi[0] == 0)
        return poisson_quantile(law, p);
    negative_binomial_coordinates(law, z);
    ngi_family_negative_binomial.quantile(NULL, 1, z, p, &y, NULL);
    return y;
}

static double negative_binomial_kl(const ngi_glm_law *from,
                                   const ngi_glm_law *to) {
    double z0[2], z1[2], kl;
    negative_binomial_coordinates(from, z0);
    negative_binomial_coordinates(to, z1);
    ngi_family_negative_binomial.kl(NULL, 1, z0, z1, &kl, NULL);
    return kl;
}

const ngi_glm_family ngi_glm_negative_binomial = {
    .name = "negative-binomial",
    .core = "negative-binomial",
    .coordinate = NG_COORDINATE_LOG,
    .link = NG_LINK_LOG,
    .links = NGI_GLM_LINK(LOG) | NGI_GLM_LINK(SQRT) | NGI_GLM_LINK(IDENTITY),
    .discrete = true,
    .extras = 1,
    .support = "a count 0, 1, 2, ...",
    .in_support = count,
    .kernel = negative_binomial_kernel,
    .start_mean = negative_binomial_start,
    .start_psi = start_alpha,
    .variance = negative_binomial_variance,
    .deviance = negative_binomial_deviance,
    .log_likelihood = negative_binomial_likelihood,
    .tails = negative_binomial_tails,
    .quantile = negative_binomial_quantile,
    .kl = negative_binomial_kl,
};
