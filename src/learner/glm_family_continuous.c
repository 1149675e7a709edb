/* Gaussian, gamma, inverse Gaussian and beta models. The core's coordinates of
 * the dispersion phi are log sd = log(phi) / 2 and log shape = -log phi; a beta
 * has its log precision in psi. */
#include "family/family.h"
#include "learner/glm_family.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>

/* ---- Of the core ---- */

static double core_quantile(const ng_family_ops *ops, const double *z,
                            double p) {
    double y;
    ops->quantile(NULL, 1, z, p, &y, NULL);
    return y;
}

static double core_log_density(const ng_family_ops *ops, const double *z,
                               double y) {
    double log_p;
    ops->log_density(NULL, 1, z, &y, &log_p, NULL);
    return log_p;
}

static double core_kl(const ng_family_ops *ops, const double *from,
                      const double *to) {
    double kl;
    ops->kl(NULL, 1, from, to, &kl, NULL);
    return kl;
}

static bool positive(double y, double power) {
    (void)power;
    return y > 0 && isfinite(y);
}

static double start_at_y(double y, double weight) {
    (void)weight;
    return y;
}

static void mean_kernel(const ng_family *core, ng_link link, double power,
                        size_t levels, ngi_glm_kernel *out) {
    (void)power;
    (void)levels;
    ngi_glm_kernel_mean(core, link, out);
}

static double ml_by_weight(double deviance, double rows, double total) {
    (void)rows;
    return deviance / total;
}

/* ---- Gaussian ---- */

static bool any_real(double y, double power) {
    (void)power;
    return isfinite(y);
}

static double gaussian_variance(const ngi_glm_law *law) {
    (void)law;
    return 1;
}

static double gaussian_deviance(const ngi_glm_law *law, double y) {
    return (y - law->mean) * (y - law->mean);
}

/* Here a weight is a precision. */
static double gaussian_likelihood(const ngi_glm_law *law, double y, double w) {
    double r = y - law->mean;
    return -0.5 * (NGI_LOG_2PI + log(law->dispersion) - log(w) +
                   w * r / law->dispersion * r);
}

static double gaussian_ml(double deviance, double rows, double total) {
    (void)total;
    return deviance / rows;
}

static ngi_glm_tails gaussian_tails(const ngi_glm_law *law, double y) {
    double x = (y - law->mean) / sqrt(law->dispersion);
    return (ngi_glm_tails){ngi_ndtr(x), 0, ngi_ndtr(-x)};
}

static double gaussian_quantile(const ngi_glm_law *law, double p) {
    return law->mean + sqrt(law->dispersion) * ngi_ndtri(p);
}

static double gaussian_kl(const ngi_glm_law *from, const ngi_glm_law *to) {
    double r = from->mean - to->mean;
    return 0.5 * (ngi_expm1mx(log(from->dispersion / to->dispersion)) +
                  r / to->dispersion * r);
}

const ngi_glm_family ngi_glm_gaussian = {
    .name = "gaussian",
    .core = "normal",
    .coordinate = NG_COORDINATE_REAL,
    .link = NG_LINK_IDENTITY,
    .links = NGI_GLM_LINK(IDENTITY) | NGI_GLM_LINK(LOG) |
             NGI_GLM_LINK(INVERSE) | NGI_GLM_LINK(SQRT),
    .dispersion = true,
    .support = "a finite number",
    .in_support = any_real,
    .kernel = mean_kernel,
    .start_mean = start_at_y,
    .variance = gaussian_variance,
    .deviance = gaussian_deviance,
    .log_likelihood = gaussian_likelihood,
    .ml_dispersion = gaussian_ml,
    .tails = gaussian_tails,
    .quantile = gaussian_quantile,
    .kl = gaussian_kl,
};

/* ---- Gamma ---- */

/* (log mean, log shape), of gamma and inverse Gaussian. */
static void shape_coordinates(const ngi_glm_law *law, double *z) {
    ngi_glm_to_core(&ngi_glm_gamma, law, z);
}

static double gamma_variance(const ngi_glm_law *law) {
    return law->mean * law->mean;
}

static double gamma_deviance(const ngi_glm_law *law, double y) {
    /* 2 ((y - mu) / mu - log(y / mu)) */
    return 2 * ngi_glm_log_gap(law->mean, y) / law->mean;
}

static double gamma_likelihood(const ngi_glm_law *law, double y, double w) {
    double z[2];
    shape_coordinates(law, z);
    return w * core_log_density(&ngi_family_gamma, z, y);
}

/* The shape a solves log a - psi(a) = s, half the mean deviance. Newton's
 * method in log a, from Thom's (1958) closed form, which is within 1.5%. */
static double gamma_ml(double deviance, double rows, double total) {
    enum { MAX_STEPS = 50 };
    double s = 0.5 * deviance / total;
    (void)rows;
    if (!(s > 0) || !isfinite(s))
        return 2 * s;
    double a = (3 - s + sqrt((s - 3) * (s - 3) + 24 * s)) / (12 * s);
    for (int i = 0; i < MAX_STEPS; i++) {
        double slope = a * ngi_trigamma_minus_inverse(a);
        double step = (ngi_log_minus_digamma(a) - s) / slope;
        a *= exp(fmax(-1, fmin(step, 1)));
        if (fabs(step) < 4 * DBL_EPSILON)
            break;
    }
    return 1 / a;
}

static ngi_glm_tails gamma_tails(const ngi_glm_law *law, double y) {
    double shape = 1 / law->dispersion, z[2], below;
    if (!(y > 0))
        return (ngi_glm_tails){0, 0, 1};
    shape_coordinates(law, z);
    ngi_family_gamma.cdf(NULL, 1, z, &y, &below, NULL);
    return (ngi_glm_tails){below, 0,
                           ngi_gamma_q(shape, shape * (y / law->mean))};
}

static double gamma_quantile(const ngi_glm_law *law, double p) {
    double z[2];
    shape_coordinates(law, z);
    return core_quantile(&ngi_family_gamma, z, p);
}

static double gamma_kl(const ngi_glm_law *from, const ngi_glm_law *to) {
    double z0[2], z1[2];
    shape_coordinates(from, z0);
    shape_coordinates(to, z1);
    return core_kl(&ngi_family_gamma, z0, z1);
}

const ngi_glm_family ngi_glm_gamma = {
    .name = "gamma",
    .core = "gamma",
    .coordinate = NG_COORDINATE_LOG,
    .link = NG_LINK_INVERSE,
    .links = NGI_GLM_LINK(INVERSE) | NGI_GLM_LINK(LOG) |
             NGI_GLM_LINK(IDENTITY) | NGI_GLM_LINK(SQRT),
    .dispersion = true,
    .support = "a number > 0",
    .in_support = positive,
    .kernel = mean_kernel,
    .start_mean = start_at_y,
    .variance = gamma_variance,
    .deviance = gamma_deviance,
    .log_likelihood = gamma_likelihood,
    .ml_dispersion = gamma_ml,
    .tails = gamma_tails,
    .quantile = gamma_quantile,
    .kl = gamma_kl,
};

/* ---- Inverse Gaussian ---- */

static double inverse_gaussian_variance(const ngi_glm_law *law) {
    return law->mean * law->mean * law->mean;
}

static double inverse_gaussian_deviance(const ngi_glm_law *law, double y) {
    double r = (y - law->mean) / law->mean;
    return r * r / y;
}

static double inverse_gaussian_likelihood(const ngi_glm_law *law, double y,
                                          double w) {
    return -0.5 * w *
           (NGI_LOG_2PI + log(law->dispersion) + 3 * log(y) +
            inverse_gaussian_deviance(law, y) / law->dispersion);
}

/* P(Y > y) = Phi(-a) - e^(2 / (phi mu)) Phi(-b), a = (y - mu) / s,
 * b = (y + mu) / s, s = mu sqrt(phi y). */
static ngi_glm_tails inverse_gaussian_tails(const ngi_glm_law *law, double y) {
    double z[2], below, s = law->mean * sqrt(law->dispersion * y);
    double a = (y - law->mean) / s, b = (y + law->mean) / s;
    if (!(y > 0))
        return (ngi_glm_tails){0, 0, 1};
    shape_coordinates(law, z);
    ngi_family_inverse_gaussian.cdf(NULL, 1, z, &y, &below, NULL);
    double log_first = ngi_log_ndtr(-a);
    double log_second = 2 / (law->dispersion * law->mean) + ngi_log_ndtr(-b);
    double above = below < 0.5
                       ? 1 - below
                       : -exp(log_first) * expm1(log_second - log_first);
    return (ngi_glm_tails){below, 0, fmax(above, 0)};
}

static double inverse_gaussian_quantile(const ngi_glm_law *law, double p) {
    double z[2];
    shape_coordinates(law, z);
    return core_quantile(&ngi_family_inverse_gaussian, z, p);
}

static double inverse_gaussian_kl(const ngi_glm_law *from,
                                  const ngi_glm_law *to) {
    double z0[2], z1[2];
    shape_coordinates(from, z0);
    shape_coordinates(to, z1);
    return core_kl(&ngi_family_inverse_gaussian, z0, z1);
}

const ngi_glm_family ngi_glm_inverse_gaussian = {
    .name = "inverse-gaussian",
    .core = "inverse-gaussian",
    .coordinate = NG_COORDINATE_LOG,
    .link = NG_LINK_INVERSE_SQUARE,
    .links = NGI_GLM_LINK(INVERSE_SQUARE) | NGI_GLM_LINK(INVERSE) |
             NGI_GLM_LINK(LOG) | NGI_GLM_LINK(IDENTITY),
    .dispersion = true,
    .support = "a number > 0",
    .in_support = positive,
    .kernel = mean_kernel,
    .start_mean = start_at_y,
    .variance = inverse_gaussian_variance,
    .deviance = inverse_gaussian_deviance,
    .log_likelihood = inverse_gaussian_likelihood,
    .ml_dispersion = ml_by_weight,
    .tails = inverse_gaussian_tails,
    .quantile = inverse_gaussian_quantile,
    .kl = inverse_gaussian_kl,
};

/* ---- Beta ---- */

static bool inside_unit(double y, double power) {
    (void)power;
    return y > 0 && y < 1;
}

static void beta_kernel(const ng_family *core, ng_link link, double power,
                        size_t levels, ngi_glm_kernel *out) {
    (void)core;
    (void)power;
    (void)levels;
    ngi_glm_kernel_beta(link, out);
}

/* By moments: Var y = m (1 - m) / (1 + phi). */
static void beta_start(const ngi_glm_moments *moments, ng_link link,
                       double *psi) {
    double m = moments->mean;
    (void)link;
    psi[0] = log(fmax(m * (1 - m) / moments->variance - 1, 0.01));
    psi[0] = fmin(psi[0], log(1 / DBL_EPSILON));
}

static void beta_coordinates(const ngi_glm_law *law, double *z) {
    ngi_glm_to_core(&ngi_glm_beta, law, z);
}

static double beta_variance(const ngi_glm_law *law) {
    return law->mean * (1 - law->mean) / (1 + exp(law->psi[0]));
}

static double beta_deviance(const ngi_glm_law *law, double y) {
    double z[2], best[2] = {log(y) - log1p(-y), law->psi[0]};
    beta_coordinates(law, z);
    return 2 * fabs(core_log_density(&ngi_family_beta, best, y) -
                    core_log_density(&ngi_family_beta, z, y));
}

static double beta_likelihood(const ngi_glm_law *law, double y, double w) {
    double z[2];
    beta_coordinates(law, z);
    return w * core_log_density(&ngi_family_beta, z, y);
}

static ngi_glm_tails beta_tails(const ngi_glm_law *law, double y) {
    double phi = exp(law->psi[0]);
    double a = law->mean * phi, b = (1 - law->mean) * phi;
    if (y <= 0 || y >= 1)
        return (ngi_glm_tails){y >= 1, 0, y <= 0};
    return (ngi_glm_tails){ngi_beta_i(a, b, y), 0, ngi_beta_i(b, a, 1 - y)};
}

static double beta_quantile(const ngi_glm_law *law, double p) {
    double z[2];
    beta_coordinates(law, z);
    return core_quantile(&ngi_family_beta, z, p);
}

static double beta_kl(const ngi_glm_law *from, const ngi_glm_law *to) {
    double z0[2], z1[2];
    beta_coordinates(from, z0);
    beta_coordinates(to, z1);
    return core_kl(&ngi_family_beta, z0, z1);
}

const ngi_glm_family ngi_glm_beta = {
    .name = "beta",
    .core = "beta",
    .coordinate = NG_COORDINATE_LOGIT,
    .link = NG_LINK_LOGIT,
    .links = NGI_GLM_LINK(LOGIT) | NGI_GLM_LINK(PROBIT) |
             NGI_GLM_LINK(CLOGLOG) | NGI_GLM_LINK(CAUCHIT) | NGI_GLM_LINK(LOG),
    .extras = 1,
    .support = "a number between 0 and 1",
    .in_support = inside_unit,
    .kernel = beta_kernel,
    .start_mean = start_at_y,
    .start_psi = beta_start,
    .variance = beta_variance,
    .deviance = beta_deviance,
    .log_likelihood = beta_likelihood,
    .tails = beta_tails,
    .quantile = beta_quantile,
    .kl = beta_kl,
};
