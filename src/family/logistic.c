/* Logistic, z = (location, log scale). With r = (y - location) / s and
 * h(r) = 2 log(2 cosh(r/2)) = |r| + 2 log(1 + e^-|r|):
 *
 *   log p = -log s - h(r),  score = (T / s, r T - 1),  T = h'(r) = tanh(r/2),
 *   F = diag(1 / (3 s^2), 1/3 + pi^2/9). */
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

static double soft_absolute(double r) {
    return fabs(r) + 2 * ngi_softplus(-fabs(r));
}

/* The standard density; h'' is twice that. */
static double standard_density(double r) {
    double q = ngi_expit(-fabs(r));
    return q * (1 - q);
}

static void log_density(const ng_family *f, size_t n, const double *z,
                        const double *y, double *out, double *work) {
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double r = ngi_standardise(y[i], z[2 * i], z[2 * i + 1]);
        out[i] =
            in_support(f, y + i) ? -z[2 * i + 1] - soft_absolute(r) : -HUGE_VAL;
    }
}

static void score(const ng_family *f, size_t n, const double *z,
                  const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double r = ngi_standardise(y[i], z[2 * i], z[2 * i + 1]);
        double T = tanh(0.5 * r);
        out[2 * i] = T * ngi_family_exp(-z[2 * i + 1]);
        out[2 * i + 1] = r * T - 1;
    }
}

static void fisher(const ng_family *f, size_t n, const double *z, double *out,
                   double *work) {
    (void)f;
    (void)work;
    const double F11 = 1. / 3 + NGI_PI * NGI_PI / 9;
    for (size_t i = 0; i < n; i++) {
        double inverse = ngi_family_exp(-z[2 * i + 1]);
        ngi_family_symmetric2(out + 4 * i, inverse * inverse / 3, 0, F11);
    }
}

static void observed(const ng_family *f, size_t n, const double *z,
                     const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double inverse = ngi_family_exp(-z[2 * i + 1]);
        double r = ngi_standardise(y[i], z[2 * i], z[2 * i + 1]);
        double T = tanh(0.5 * r), q = 2 * standard_density(r);
        ngi_family_symmetric2(out + 4 * i, inverse * (inverse * q),
                              inverse * (T + q * r), r * T + r * (r * q));
    }
}

/* r1 = rho r0 + c relates the two standardised variables; a = c / rho. */
typedef struct kl_problem {
    double rho, shrink, c, a; /* shrink = rho - 1 */
} kl_problem;

/* h(r + e) - h(r) - h'(r) e >= 0. By symmetry take r > 0, so that
 * q = 1 / (1 + e^r) <= 1/2; then it is twice log(1 + x) + q e with
 * x = q (e^-e - 1), and both remainders below are of its order. */
static double bregman(double r, double e) {
    if (fabs(e) > 1)
        return soft_absolute(r + e) - soft_absolute(r) - tanh(0.5 * r) * e;
    double q = ngi_expit(-fabs(r)), step = r < 0 ? e : -e;
    return 2 * (ngi_log1pmx(q * expm1(step)) + q * ngi_expm1mx(step));
}

static double bregman_integrand(double r, void *user) {
    const kl_problem *k = user;
    double density = standard_density(r);
    if (density == 0)
        return 0;
    return density * fmax(0, bregman(r, r * k->shrink + k->c));
}

/* The tanh-sinh rule doubles its digits with each level: when two agree to
 * half of them the later has all. */
static const double HALF_DIGITS = 1e-9;

static double softplus_integrand(double x, void *user) {
    const kl_problem *k = user;
    double u = x / k->rho;
    return ngi_softplus(-x) *
           (standard_density(u - k->a) + standard_density(u + k->a)) / k->rho;
}

/* x coth x - 1 by the continued fraction x^2/(3 + x^2/(5 + ...)). */
static double coth_excess(double x) {
    double x2 = x * x, tail = 31;
    if (fabs(x) > 2)
        return fabs(x) / tanh(fabs(x)) - 1;
    for (int k = 29; k >= 3; k -= 2)
        tail = k + x2 / tail;
    return x2 / tail;
}

/* KL = -log rho - 2 + E h(rho r + c). It is closed for rho = 1. For moderate
 * rho, with e = r1 - r0, E h'(r) = 0 and E r h'(r) = 1 turn it into
 *   expm1mx(log rho) + E[h(r + e) - h(r) - h'(r) e],
 * two terms that are nonnegative and of second order, so that no digits are
 * lost as the laws approach each other. For large rho the integrand would be
 * too sharp in r; E|r + a| = h(a) leaves
 *   E h(rho r + c) = rho h(a) + 2 E log(1 + e^-|x|),  x = rho r + c,
 * to be integrated over x. */
static double kl_one(const double *z0, const double *z1) {
    double d = z0[1] - z1[1], rho = exp(d);
    kl_problem k = {rho, expm1(d), ngi_standardise(z0[0], z1[0], z1[1]),
                    ngi_standardise(z0[0], z1[0], z0[1])};
    if (d == 0)
        return 2 * coth_excess(0.5 * k.c);
    if (d > 700)
        return exp(d + log(soft_absolute(k.a)));
    if (d > 1) {
        double tail =
            ngi_integrate(softplus_integrand, &k, 0, HUGE_VAL, HALF_DIGITS);
        return rho * soft_absolute(k.a) + 2 * tail - d - 2;
    }
    if (fabs(k.c) > 1e100) /* the law of y is a point beside that distance */
        return fabs(k.c) - d - 2;
    return ngi_expm1mx(d) + ngi_integrate(bregman_integrand, &k, -HUGE_VAL,
                                          HUGE_VAL, HALF_DIGITS);
}

static void kl(const ng_family *f, size_t n, const double *z0, const double *z1,
               double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        out[i] = kl_one(z0 + 2 * i, z1 + 2 * i);
    }
}

static void sample(const ng_family *f, size_t n, const double *z, ng_rng *rng,
                   double *y, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double u = ng_rng_uniform(rng), r = log(u) - log1p(-u);
        y[i] = ngi_family_finite(z[2 * i] + ngi_times(exp(z[2 * i + 1]), r));
    }
}

static void mean(const ng_family *f, size_t n, const double *z, double *out,
                 double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        out[i] = z[2 * i];
    }
}

static void variance(const ng_family *f, size_t n, const double *z, double *out,
                     double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        out[i] = NGI_PI * NGI_PI / 3 * exp(2 * z[2 * i + 1]);
    }
}

static void cdf(const ng_family *f, size_t n, const double *z, const double *y,
                double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        out[i] = ngi_expit(ngi_standardise(y[i], z[2 * i], z[2 * i + 1]));
    }
}

static void quantile(const ng_family *f, size_t n, const double *z, double p,
                     double *out, double *work) {
    (void)f;
    (void)work;
    double r = log(p) - log1p(-p);
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
    z[0] = m;
    z[1] = 0.5 * (log(3) + log(v)) - log(NGI_PI);
}

const ng_family_ops ngi_family_logistic = {
    .name = "logistic",
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
