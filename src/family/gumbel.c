/* Gumbel of maxima, z = (location, log scale). With r = (y - location) / s and
 * w = e^-r, which is exponential of mean 1:
 *
 *   log p = -log s - r - w,  score = ((1 - w) / s, r (1 - w) - 1),
 *   F = [1/s^2, -(1 - gamma)/s; ., pi^2/6 + (1 - gamma)^2]. */
#include "family/family.h"
#include "family/two_parameter.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>

static int shape(size_t size, ng_family *f) {
    return ngi_family_shape_two(size, f, "location", NG_COORDINATE_REAL,
                                "scale", NG_COORDINATE_LOG);
}

static int in_support(const ng_family *f, const double *y) {
    (void)f;
    return isfinite(y[0]);
}

static void log_density(const ng_family *f, size_t n, const double *z,
                        const double *y, double *out, double *work) {
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double r = ngi_standardise(y[i], z[2 * i], z[2 * i + 1]);
        out[i] =
            in_support(f, y + i) ? -z[2 * i + 1] - (r + exp(-r)) : -HUGE_VAL;
    }
}

static void score(const ng_family *f, size_t n, const double *z,
                  const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double r = ngi_standardise(y[i], z[2 * i], z[2 * i + 1]);
        double one_less_w = -expm1(-r);
        out[2 * i] = one_less_w * ngi_family_exp(-z[2 * i + 1]);
        out[2 * i + 1] = r * one_less_w - 1;
    }
}

static void fisher(const ng_family *f, size_t n, const double *z, double *out,
                   double *work) {
    (void)f;
    (void)work;
    const double root = 1 - NGI_EULER_GAMMA;
    const double F11 = NGI_PI * NGI_PI / 6 + root * root;
    for (size_t i = 0; i < n; i++) {
        double inverse = ngi_family_exp(-z[2 * i + 1]);
        ngi_family_symmetric2(out + 4 * i, inverse * inverse, -root * inverse,
                              F11);
    }
}

static void observed(const ng_family *f, size_t n, const double *z,
                     const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double inverse = ngi_family_exp(-z[2 * i + 1]);
        double r = ngi_standardise(y[i], z[2 * i], z[2 * i + 1]);
        double w = exp(-r), e = -expm1(-r);
        ngi_family_symmetric2(out + 4 * i, inverse * (inverse * w),
                              inverse * (e + r * w), r * e + r * (r * w));
    }
}

static void kl(const ng_family *f, size_t n, const double *z0, const double *z1,
               double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double c = ngi_standardise(z1[2 * i], z0[2 * i], z1[2 * i + 1]);
        out[i] = ngi_extreme_value_kl(c, z0[2 * i + 1] - z1[2 * i + 1]);
    }
}

static void sample(const ng_family *f, size_t n, const double *z, ng_rng *rng,
                   double *y, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double r = -log(-log(ng_rng_uniform(rng)));
        y[i] = ngi_family_finite(z[2 * i] + exp(z[2 * i + 1]) * r);
    }
}

static void mean(const ng_family *f, size_t n, const double *z, double *out,
                 double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        out[i] = z[2 * i] + NGI_EULER_GAMMA * exp(z[2 * i + 1]);
    }
}

static void variance(const ng_family *f, size_t n, const double *z, double *out,
                     double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        out[i] = NGI_PI * NGI_PI / 6 * exp(2 * z[2 * i + 1]);
    }
}

static void cdf(const ng_family *f, size_t n, const double *z, const double *y,
                double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        out[i] = exp(-exp(-ngi_standardise(y[i], z[2 * i], z[2 * i + 1])));
    }
}

static void quantile(const ng_family *f, size_t n, const double *z, double p,
                     double *out, double *work) {
    (void)f;
    (void)work;
    double r = -log(-log(p));
    for (size_t i = 0; i < n; i++) {
        out[i] = z[2 * i] + ngi_times(exp(z[2 * i + 1]), r);
    }
}

static void customary_name(const ng_family *f, size_t i,
                           const char *const *columns, char *out, size_t size) {
    (void)f;
    (void)columns;
    ngi_family_name(out, size, i == 0 ? "location" : "scale");
}

static void start(const ng_family *f, size_t n, const double *y,
                  const double *w, double *z, double *work) {
    (void)f;
    (void)work;
    double m, v;
    ngi_family_moments(n, y, w, &m, &v);
    /* A constant sample has no spread: begin at the size of its rounding. */
    v = fmax(v, DBL_EPSILON * fmin(m * m, DBL_MAX) + DBL_MIN);
    double s = sqrt(6) * sqrt(v) / NGI_PI;
    z[0] = ngi_family_finite(m - NGI_EULER_GAMMA * s);
    z[1] = log(s);
}

const ng_family_ops ngi_family_gumbel = {
    .name = "gumbel",
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
