/* Gamma, z = (log mean, log shape). With a the shape, u = log(y / mean) and
 * S(a) = a log a - a - log Gamma(a):
 *
 *   log p = S(a) - a (e^u - 1 - u) - log y,
 *   score = (a (e^u - 1), a (log a - psi(a)) - a (e^u - 1 - u)),
 *   F = diag(a, a^2 (psi'(a) - 1/a)).
 *
 * The mean and the shape are orthogonal, which shape and rate are not. */
#include "family/family.h"
#include "family/two_parameter.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>

static int shape(size_t size, ng_family *f) {
    return ngi_family_shape_two(size, f, "mean", NG_COORDINATE_LOG, "shape",
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
        double a = ngi_family_exp(z[2 * i + 1]), u = log(y[i]) - z[2 * i];
        out[i] = ngi_gamma_constant(a) - a * ngi_expm1mx(u) - log(y[i]);
    }
}

/* a (log a - psi(a)): from 1 at a = 0 to 1/2 at infinity. */
static double log_minus_digamma_times(double a) {
    return a > 1e16 ? 0.5 : a * ngi_log_minus_digamma(a);
}

static void score(const ng_family *f, size_t n, const double *z,
                  const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double a = ngi_family_exp(z[2 * i + 1]), u = log(y[i]) - z[2 * i];
        out[2 * i] = a * expm1(u);
        out[2 * i + 1] = log_minus_digamma_times(a) - a * ngi_expm1mx(u);
    }
}

static void fisher(const ng_family *f, size_t n, const double *z, double *out,
                   double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double a = ngi_family_exp(z[2 * i + 1]);
        ngi_family_symmetric2(out + 4 * i, a, 0, ngi_gamma_information(a));
    }
}

static void observed(const ng_family *f, size_t n, const double *z,
                     const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double a = ngi_family_exp(z[2 * i + 1]), u = log(y[i]) - z[2 * i];
        double score1 = log_minus_digamma_times(a) - a * ngi_expm1mx(u);
        ngi_family_symmetric2(out + 4 * i, a * exp(u), -a * expm1(u),
                              ngi_gamma_information(a) - score1);
    }
}

/* A step d in log shape from log a0. */
typedef struct shape_step {
    double log_a0, d;
} shape_step;

static double shape_integrand(double s, void *user) {
    const shape_step *step = user;
    double a = ngi_family_exp(step->log_a0 + s);
    return expm1(step->d - s) * ngi_gamma_information(a);
}

/* KL for equal means, the Bregman divergence of -S:
 *   S(a0) + S'(a0) (a1 - a0) - S(a1),  S'(a) = log a - psi(a),
 * as Taylor's remainder int_0^d (e^(d-s) - 1) a^2 (psi'(a) - 1/a) ds with
 * a = a0 e^s for short steps: its integrand does not change sign. */
static double shape_kl(double log_a0, double log_a1) {
    /* Cut as ngi_family_exp cuts, so that d belongs to a0 and a1. */
    log_a0 = fmax(-708, fmin(log_a0, 708));
    log_a1 = fmax(-708, fmin(log_a1, 708));
    shape_step step = {log_a0, log_a1 - log_a0};
    if (fabs(step.d) <= 1)
        return ngi_gauss8(shape_integrand, &step, 0, step.d);
    double a0 = ngi_family_exp(log_a0), a1 = ngi_family_exp(log_a1);
    double slope = log_minus_digamma_times(a0); /* a0 S'(a0) */
    return slope * expm1(step.d) + ngi_gamma_constant(a0) -
           ngi_gamma_constant(a1);
}

static void kl(const ng_family *f, size_t n, const double *z0, const double *z1,
               double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double a1 = ngi_family_exp(z1[2 * i + 1]);
        out[i] = a1 * ngi_expm1mx(z0[2 * i] - z1[2 * i]) +
                 shape_kl(z0[2 * i + 1], z1[2 * i + 1]);
    }
}

static void sample(const ng_family *f, size_t n, const double *z, ng_rng *rng,
                   double *y, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double a = ngi_family_exp(z[2 * i + 1]);
        double log_y = ng_rng_log_gamma(rng, a) - log(a) + z[2 * i];
        y[i] = ngi_positive_finite(exp(log_y));
    }
}

static void mean(const ng_family *f, size_t n, const double *z, double *out,
                 double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        out[i] = exp(z[2 * i]);
    }
}

static void variance(const ng_family *f, size_t n, const double *z, double *out,
                     double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        out[i] = exp(2 * z[2 * i] - z[2 * i + 1]);
    }
}

static void cdf(const ng_family *f, size_t n, const double *z, const double *y,
                double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double a = ngi_family_exp(z[2 * i + 1]);
        double log_x = log(a) + log(y[i]) - z[2 * i], x = exp(log_x);
        if (!(y[i] > 0))
            out[i] = 0;
        else if (x < 1e-290) /* P = x^a / Gamma(1 + a), also if x underflows */
            out[i] = exp(a * log_x - ngi_lgamma(1 + a));
        else
            out[i] = isinf(x) ? 1 : ngi_gamma_p(a, x);
    }
}

static void quantile(const ng_family *f, size_t n, const double *z, double p,
                     double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double a = ngi_family_exp(z[2 * i + 1]);
        double x = ngi_gamma_p_inverse(a, p);
        /* Far down P(a, x) = x^a / Gamma(1 + a), also where x underflows. */
        double log_x = x > 1e-290 ? log(x) : (log(p) + ngi_lgamma(1 + a)) / a;
        out[i] = exp(log_x - z[2 * i + 1] + z[2 * i]);
    }
}

static void to_customary(const ng_family *f, size_t n, const double *z,
                         double *c, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        c[2 * i] = exp(z[2 * i + 1]);
        c[2 * i + 1] = exp(z[2 * i + 1] - z[2 * i]);
    }
}

static void from_customary(const ng_family *f, size_t n, const double *c,
                           double *z, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        z[2 * i + 1] = log(c[2 * i]);
        z[2 * i] = z[2 * i + 1] - log(c[2 * i + 1]);
    }
}

static void customary_jacobian(const ng_family *f, const double *z, double *J,
                               double *work) {
    (void)f;
    (void)work;
    double rate = exp(z[1] - z[0]);
    J[0] = 0;
    J[1] = exp(z[1]);
    J[2] = -rate;
    J[3] = rate;
}

static void customary_name(const ng_family *f, size_t i,
                           const char *const *columns, char *out, size_t size) {
    (void)f;
    (void)columns;
    ngi_family_name(out, size, i == 0 ? "shape" : "rate");
}

/* The mean, and for the shape Thom's (1958) closed form in
 * s = log(mean y) - mean(log y), which is within 1.5% of the likelihood's. */
static void start(const ng_family *f, size_t n, const double *y,
                  const double *w, double *z, double *work) {
    (void)f;
    (void)work;
    double m, v, log_m;
    ngi_family_moments(n, y, w, &m, &v);
    ngi_log_moments(n, y, w, &log_m, &v);
    z[0] = log(m);
    double s = fmax(z[0] - log_m, DBL_EPSILON);
    z[1] = log((3 - s + sqrt((s - 3) * (s - 3) + 24 * s)) / (12 * s));
}

const ng_family_ops ngi_family_gamma = {
    .name = "gamma",
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
    .to_customary = to_customary,
    .from_customary = from_customary,
    .customary_jacobian = customary_jacobian,
    .customary_name = customary_name,
    .start = start,
};
