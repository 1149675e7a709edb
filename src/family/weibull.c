/* Weibull, z = (log scale, log shape). With k the shape, t = k log(y / scale)
 * and w = e^t, which is exponential of mean 1:
 *
 *   log p = log k - log y + t - w,  score = (k (w - 1), 1 - t (w - 1)),
 *   F = [k^2, -k (1 - gamma); ., pi^2/6 + (1 - gamma)^2].
 *
 * log y is minus a Gumbel variable. */
#include "family/family.h"
#include "family/two_parameter.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>

static int shape(size_t size, ng_family *f) {
    return ngi_family_shape_two(size, f, "scale", NG_COORDINATE_LOG, "shape",
                                NG_COORDINATE_LOG);
}

/* t, cut so that its products with an underflowed e^t are 0. */
static double power(const double *z, double y) {
    double t = exp(fmin(z[1], 709)) * (log(y) - z[0]);
    return fmin(fmax(t, -1e300), 1e300);
}

static void log_density(const ng_family *f, size_t n, const double *z,
                        const double *y, double *out, double *work) {
    (void)work;
    for (size_t i = 0; i < n; i++) {
        if (!ngi_positive_support(f, y + i)) {
            out[i] = -HUGE_VAL;
            continue;
        }
        double t = power(z + 2 * i, y[i]);
        out[i] = z[2 * i + 1] - log(y[i]) + (t - exp(t));
    }
}

static void score(const ng_family *f, size_t n, const double *z,
                  const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double t = power(z + 2 * i, y[i]);
        out[2 * i] = ngi_family_exp(z[2 * i + 1]) * expm1(t);
        out[2 * i + 1] = 1 - t * expm1(t);
    }
}

static void fisher(const ng_family *f, size_t n, const double *z, double *out,
                   double *work) {
    (void)f;
    (void)work;
    const double root = 1 - NGI_EULER_GAMMA;
    const double F11 = NGI_PI * NGI_PI / 6 + root * root;
    for (size_t i = 0; i < n; i++) {
        double k = ngi_family_exp(z[2 * i + 1]);
        ngi_family_symmetric2(out + 4 * i, k * k, -k * root, F11);
    }
}

static void observed(const ng_family *f, size_t n, const double *z,
                     const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double k = ngi_family_exp(z[2 * i + 1]), t = power(z + 2 * i, y[i]);
        double e = expm1(t), tw = t * exp(t);
        ngi_family_symmetric2(out + 4 * i, k * (k * exp(t)), -k * (e + tw),
                              t * e + t * tw);
    }
}

static void kl(const ng_family *f, size_t n, const double *z0, const double *z1,
               double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double c = ngi_family_exp(z1[2 * i + 1]) * (z0[2 * i] - z1[2 * i]);
        out[i] = ngi_extreme_value_kl(c, z1[2 * i + 1] - z0[2 * i + 1]);
    }
}

static void sample(const ng_family *f, size_t n, const double *z, ng_rng *rng,
                   double *y, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double t = log(-log(ng_rng_uniform(rng)));
        double spread = ngi_family_exp(-z[2 * i + 1]) * t;
        y[i] = ngi_positive_finite(exp(z[2 * i] + spread));
    }
}

/* 1 / shape, where Gamma(1 + it) is still a number or overflows cleanly. */
static double inverse_shape(double log_shape) {
    return fmin(exp(-log_shape), 1e300);
}

static void mean(const ng_family *f, size_t n, const double *z, double *out,
                 double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        out[i] = exp(z[2 * i] + ngi_lgamma(1 + inverse_shape(z[2 * i + 1])));
    }
}

static double difference_integrand(double v, void *user) {
    double e = *(double *)user;
    return (1 - v) *
           (ngi_trigamma(1 + e + e * v) + ngi_trigamma(1 + e - e * v));
}

/* log of Var(Y) / scale^2 = Gamma(1 + 2e) - Gamma(1 + e)^2, e = 1 / k. The
 * logarithm of the ratio of the terms is the second difference of log Gamma
 * about 1 + e, e^2 int_0^1 (1 - v) [psi'(1+e+ev) + psi'(1+e-ev)] dv. */
static double log_variance(double log_shape) {
    double e = inverse_shape(log_shape), g1 = ngi_lgamma(1 + e);
    if (e > 0.4) {
        double x = ngi_lgamma(1 + 2 * e) - 2 * g1;
        return 2 * g1 + x + ngi_log1mexp(-x);
    }
    double integral = ngi_gauss8(difference_integrand, &e, 0, 1);
    double x = e * e * integral; /* log(e^x - 1) = log x + log((e^x - 1)/x) */
    double excess = x > 0 ? log1p(ngi_expm1mx(x) / x) : 0;
    return 2 * g1 + log(integral) - 2 * log_shape + excess;
}

static void variance(const ng_family *f, size_t n, const double *z, double *out,
                     double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        out[i] = exp(2 * z[2 * i] + log_variance(z[2 * i + 1]));
    }
}

static void cdf(const ng_family *f, size_t n, const double *z, const double *y,
                double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        out[i] = y[i] > 0 ? -expm1(-exp(power(z + 2 * i, y[i]))) : 0;
    }
}

static void quantile(const ng_family *f, size_t n, const double *z, double p,
                     double *out, double *work) {
    (void)f;
    (void)work;
    double t = log(-log1p(-p));
    for (size_t i = 0; i < n; i++) {
        out[i] = exp(z[2 * i] + ngi_family_exp(-z[2 * i + 1]) * t);
    }
}

static void to_customary(const ng_family *f, size_t n, const double *z,
                         double *c, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        c[2 * i] = exp(z[2 * i + 1]);
        c[2 * i + 1] = exp(z[2 * i]);
    }
}

static void from_customary(const ng_family *f, size_t n, const double *c,
                           double *z, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        z[2 * i] = log(c[2 * i + 1]);
        z[2 * i + 1] = log(c[2 * i]);
    }
}

static void customary_jacobian(const ng_family *f, const double *z, double *J,
                               double *work) {
    (void)f;
    (void)work;
    J[0] = J[3] = 0;
    J[1] = exp(z[1]);
    J[2] = exp(z[0]);
}

static void customary_name(const ng_family *f, size_t i,
                           const char *const *columns, char *out, size_t size) {
    (void)f;
    (void)columns;
    ngi_family_name(out, size, i == 0 ? "shape" : "scale");
}

/* By the moments of log y: mean log scale - gamma / k, variance
 * pi^2 / (6 k^2). */
static void start(const ng_family *f, size_t n, const double *y,
                  const double *w, double *z, double *work) {
    (void)f;
    (void)work;
    double m, v;
    ngi_log_moments(n, y, w, &m, &v);
    /* A constant sample has no spread: begin at that of its rounding. */
    double b = sqrt(6 * fmax(v, DBL_EPSILON * DBL_EPSILON)) / NGI_PI;
    z[0] = m + NGI_EULER_GAMMA * b;
    z[1] = -log(b);
}

const ng_family_ops ngi_family_weibull = {
    .name = "weibull",
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
