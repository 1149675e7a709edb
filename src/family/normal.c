/* Normal, z = (mean, log sd). With r = (y - mean) / sd:
 *
 *   log p = -log sd - r^2/2 - log(2 pi)/2,  score = (r / sd, r^2 - 1),
 *   F = diag(1 / sd^2, 2).
 *
 * The normal of known variance is this family with its second block fixed. */
#include "family/family.h"
#include "family/two_parameter.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>

static int shape(size_t size, ng_family *f) {
    return ngi_family_shape_two(size, f, "mean", NG_COORDINATE_REAL, "sd",
                                NG_COORDINATE_LOG);
}

static int in_support(const ng_family *f, const double *y) {
    (void)f;
    return isfinite(y[0]);
}

/* exp(-log sd), kept finite so that r = 0 never meets infinity. */
static double precision_root(double log_sd) {
    return exp(fmin(-log_sd, 709));
}

static void log_density(const ng_family *f, size_t n, const double *z,
                        const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double r = (y[i] - z[2 * i]) * precision_root(z[2 * i + 1]);
        out[i] = -z[2 * i + 1] - 0.5 * r * r - 0.5 * NGI_LOG_2PI;
    }
}

static void score(const ng_family *f, size_t n, const double *z,
                  const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double inverse_sd = precision_root(z[2 * i + 1]);
        double r = (y[i] - z[2 * i]) * inverse_sd;
        out[2 * i] = r * inverse_sd;
        out[2 * i + 1] = r * r - 1;
    }
}

static void fisher(const ng_family *f, size_t n, const double *z, double *out,
                   double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double inverse_sd = precision_root(z[2 * i + 1]);
        out[4 * i] = inverse_sd * inverse_sd;
        out[4 * i + 1] = out[4 * i + 2] = 0;
        out[4 * i + 3] = 2;
    }
}

static void observed(const ng_family *f, size_t n, const double *z,
                     const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double inverse_sd = precision_root(z[2 * i + 1]);
        double r = (y[i] - z[2 * i]) * inverse_sd;
        out[4 * i] = inverse_sd * inverse_sd;
        out[4 * i + 1] = out[4 * i + 2] = 2 * r * inverse_sd;
        out[4 * i + 3] = 2 * r * r;
    }
}

static void kl(const ng_family *f, size_t n, const double *z0, const double *z1,
               double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        /* log(s1/s0) + (s0^2/s1^2 - 1)/2 is (e^t - 1 - t)/2, t = -2 ds. */
        double ds = z1[2 * i + 1] - z0[2 * i + 1];
        double r = (z1[2 * i] - z0[2 * i]) * precision_root(z1[2 * i + 1]);
        out[i] = 0.5 * (ngi_expm1mx(-2 * ds) + r * r);
    }
}

static void sample(const ng_family *f, size_t n, const double *z, ng_rng *rng,
                   double *y, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        y[i] = z[2 * i] + exp(z[2 * i + 1]) * ng_rng_normal(rng);
}

static void mean(const ng_family *f, size_t n, const double *z, double *out,
                 double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        out[i] = z[2 * i];
}

static void variance(const ng_family *f, size_t n, const double *z, double *out,
                     double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        out[i] = exp(2 * z[2 * i + 1]);
}

static void cdf(const ng_family *f, size_t n, const double *z, const double *y,
                double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        out[i] = ngi_ndtr((y[i] - z[2 * i]) * precision_root(z[2 * i + 1]));
}

static void quantile(const ng_family *f, size_t n, const double *z, double p,
                     double *out, double *work) {
    (void)f;
    (void)work;
    double standard = ngi_ndtri(p);
    for (size_t i = 0; i < n; i++) {
        double spread = standard == 0 ? 0 : exp(z[2 * i + 1]) * standard;
        out[i] = z[2 * i] + spread;
    }
}

static void customary_name(const ng_family *f, size_t i,
                           const char *const *columns, char *out, size_t size) {
    (void)f;
    (void)columns;
    ngi_family_name(out, size, i == 0 ? "mean" : "sd");
}

static void start(const ng_family *f, size_t n, const double *y,
                  const double *w, double *z, double *work) {
    (void)f;
    (void)work;
    double m, v;
    ngi_family_moments(n, y, w, &m, &v);
    z[0] = m;
    /* A constant sample has no spread: begin at the size of its rounding. */
    z[1] = 0.5 * log(fmax(v, DBL_EPSILON * fmin(m * m, DBL_MAX) + DBL_MIN));
}

const ng_family_ops ngi_family_normal = {
    .name = "normal",
    .support = "a finite number",
    .smooth = 1,
    .shape = shape,
    .in_support = in_support,
    .log_density = log_density,
    .score = score,
    .fisher = fisher,
    .fisher_solve = ngi_fisher_solve_two,
    .observed = observed,
    .kl = kl,
    .sample = sample,
    .mean = mean,
    .variance = variance,
    .cdf = cdf,
    .quantile = quantile,
    .to_customary = ngi_location_scale_to_customary,
    .from_customary = ngi_location_scale_from_customary,
    .customary_jacobian = ngi_location_scale_customary_jacobian,
    .customary_name = customary_name,
    .start = start,
};
