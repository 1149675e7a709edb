/* Lognormal, z = (meanlog, log sdlog): log y is normal. With
 * r = (log y - meanlog) / s:
 *
 *   log p = -log s - r^2/2 - log(2 pi)/2 - log y,
 *   score = (r / s, r^2 - 1),  F = diag(1 / s^2, 2). */
#include "family/family.h"
#include "family/two_parameter.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>

static int shape(size_t size, ng_family *f) {
    return ngi_family_shape_two(size, f, "meanlog", NG_COORDINATE_REAL, "sdlog",
                                NG_COORDINATE_LOG);
}

static void log_density(const ng_family *f, size_t n, const double *z,
                        const double *y, double *out, double *work) {
    (void)work;
    for (size_t i = 0; i < n; i++) {
        if (!ngi_positive_support(f, y + i)) {
            out[i] = -HUGE_VAL;
            continue;
        }
        double log_y = log(y[i]);
        double r = ngi_standardise(log_y, z[2 * i], z[2 * i + 1]);
        out[i] = -z[2 * i + 1] - 0.5 * (r * r + NGI_LOG_2PI) - log_y;
    }
}

static void score(const ng_family *f, size_t n, const double *z,
                  const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double r = ngi_standardise(log(y[i]), z[2 * i], z[2 * i + 1]);
        out[2 * i] = r * ngi_family_exp(-z[2 * i + 1]);
        out[2 * i + 1] = r * r - 1;
    }
}

static void fisher(const ng_family *f, size_t n, const double *z, double *out,
                   double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double inverse = ngi_family_exp(-z[2 * i + 1]);
        ngi_family_symmetric2(out + 4 * i, inverse * inverse, 0, 2);
    }
}

static void observed(const ng_family *f, size_t n, const double *z,
                     const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double inverse = ngi_family_exp(-z[2 * i + 1]);
        double r = ngi_standardise(log(y[i]), z[2 * i], z[2 * i + 1]);
        ngi_family_symmetric2(out + 4 * i, inverse * inverse, 2 * r * inverse,
                              2 * r * r);
    }
}

static void kl(const ng_family *f, size_t n, const double *z0, const double *z1,
               double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        /* log(s1/s0) + (s0^2/s1^2 - 1)/2 is (e^t - 1 - t)/2, t = 2 d. */
        double d = z0[2 * i + 1] - z1[2 * i + 1];
        double r = ngi_standardise(z0[2 * i], z1[2 * i], z1[2 * i + 1]);
        out[i] = 0.5 * (ngi_expm1mx(2 * d) + r * r);
    }
}

static void sample(const ng_family *f, size_t n, const double *z, ng_rng *rng,
                   double *y, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double spread = exp(z[2 * i + 1]) * ng_rng_normal(rng);
        y[i] = ngi_positive_finite(exp(z[2 * i] + spread));
    }
}

static void mean(const ng_family *f, size_t n, const double *z, double *out,
                 double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        out[i] = exp(z[2 * i] + 0.5 * exp(2 * z[2 * i + 1]));
    }
}

/* log(e^v - 1), v = e^log_v. */
static double log_expm1(double log_v) {
    double v = exp(log_v);
    return v < DBL_EPSILON ? log_v : v + ngi_log1mexp(-v);
}

static void variance(const ng_family *f, size_t n, const double *z, double *out,
                     double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double log_v = 2 * z[2 * i + 1];
        out[i] = log_v > 700
                     ? HUGE_VAL
                     : exp(2 * z[2 * i] + exp(log_v) + log_expm1(log_v));
    }
}

static void cdf(const ng_family *f, size_t n, const double *z, const double *y,
                double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double r = y[i] > 0 ? ngi_standardise(log(y[i]), z[2 * i], z[2 * i + 1])
                            : -HUGE_VAL;
        out[i] = ngi_ndtr(r);
    }
}

static void quantile(const ng_family *f, size_t n, const double *z, double p,
                     double *out, double *work) {
    (void)f;
    (void)work;
    double r = ngi_ndtri(p);
    for (size_t i = 0; i < n; i++) {
        out[i] = exp(z[2 * i] + ngi_times(exp(z[2 * i + 1]), r));
    }
}

static void customary_name(const ng_family *f, size_t i,
                           const char *const *columns, char *out, size_t size) {
    (void)f;
    (void)columns;
    ngi_family_name(out, size, i == 0 ? "meanlog" : "sdlog");
}

static void start(const ng_family *f, size_t n, const double *y,
                  const double *w, double *z, double *work) {
    (void)f;
    (void)work;
    double m, v;
    ngi_log_moments(n, y, w, &m, &v);
    z[0] = m;
    /* A constant sample has no spread: begin at the size of its rounding. */
    z[1] = 0.5 * log(fmax(v, DBL_EPSILON * DBL_EPSILON));
}

const ng_family_ops ngi_family_lognormal = {
    .name = "lognormal",
    .support = "a number above 0",
    .smooth = 1,
    .shape = shape,
    .in_support = ngi_positive_support,
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
