/* Beta, z = (logit mean, log precision): mu = mean, phi = precision,
 * alpha = mu phi, beta = (1 - mu) phi.
 *
 * With S(a) = a log a - a - log Gamma(a), which is O(log a), and
 * k(t) = e^t - 1 - t >= 0,
 *
 *   log p = S(alpha) + S(beta) - S(phi) - log y - log(1 - y)
 *           - alpha k(log(y / mu)) - beta k(log((1 - y) / (1 - mu))),
 *
 * in which nothing of the order of phi cancels. With
 * R = logit y - psi(alpha) + psi(beta) and P(a) = a^2 (psi'(a) - 1/a),
 *
 *   score = (phi mu (1 - mu) R,
 *            alpha [log y - psi(alpha)] + beta [log(1 - y) - psi(beta)]
 *            + phi psi(phi)),
 *   F = [phi mu (1 - mu) + (1 - mu)^2 P(alpha) + mu^2 P(beta),
 *        (1 - mu) P(alpha) - mu P(beta); ., P(alpha) + P(beta) - P(phi)].
 *
 * The support is open: log p = -inf at y = 0 and y = 1. */
#include "family/family.h"
#include "family/two_parameter.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>

/* Logs of shapes are cut here, so that products of shapes with logarithms
 * stay finite. */
static const double LARGEST_LOG = 690;

typedef struct shapes {
    double mu, nu;         /* mean and 1 - mean */
    double log_mu, log_nu; /* and their logarithms */
    double a, b, phi;
} shapes;

static double cut_exp(double x) {
    return exp(fmax(-LARGEST_LOG, fmin(x, LARGEST_LOG)));
}

static shapes shapes_of(const double *z) {
    shapes s;
    s.log_mu = -ngi_softplus(-z[0]);
    s.log_nu = -ngi_softplus(z[0]);
    s.mu = exp(s.log_mu);
    s.nu = exp(s.log_nu);
    s.a = cut_exp(s.log_mu + z[1]);
    s.b = cut_exp(s.log_nu + z[1]);
    s.phi = cut_exp(z[1]);
    return s;
}

static int shape(size_t size, ng_family *f) {
    return ngi_family_shape_two(size, f, "mean", NG_COORDINATE_LOGIT,
                                "precision", NG_COORDINATE_LOG);
}

static int in_support(const ng_family *f, const double *y) {
    (void)f;
    return y[0] > 0 && y[0] < 1;
}

static void log_density(const ng_family *f, size_t n, const double *z,
                        const double *y, double *out, double *work) {
    (void)work;
    for (size_t i = 0; i < n; i++) {
        if (!in_support(f, y + i)) {
            out[i] = -HUGE_VAL;
            continue;
        }
        shapes s = shapes_of(z + 2 * i);
        double log_y = log(y[i]), log_rest = log1p(-y[i]);
        out[i] = ngi_gamma_constant(s.a) + ngi_gamma_constant(s.b) -
                 ngi_gamma_constant(s.phi) - log_y - log_rest -
                 s.a * ngi_expm1mx(log_y - s.log_mu) -
                 s.b * ngi_expm1mx(log_rest - s.log_nu);
    }
}

/* The score; y at an edge counts as the number next to it. */
static void score_row(const shapes *s, double y, double *out) {
    double inner = fmax(DBL_MIN, fmin(y, 1 - 0.5 * DBL_EPSILON));
    /* log y - psi(a) + psi(phi), and the same for 1 - y; psi is split as
     * log less a small rest, since log a - log phi = log mu. */
    double rest = ngi_log_minus_digamma(s->phi);
    double da = log(inner) - s->log_mu + ngi_log_minus_digamma(s->a) - rest;
    double db = log1p(-inner) - s->log_nu + ngi_log_minus_digamma(s->b) - rest;
    out[0] = s->nu * (s->a * da) - s->mu * (s->b * db);
    out[1] = s->a * da + s->b * db;
}

static void score(const ng_family *f, size_t n, const double *z,
                  const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        shapes s = shapes_of(z + 2 * i);
        score_row(&s, y[i], out + 2 * i);
    }
}

static void fisher_row(const shapes *s, double *out) {
    double pa = ngi_gamma_information(s->a), pb = ngi_gamma_information(s->b);
    ngi_family_symmetric2(
        out, s->mu * s->b + s->nu * s->nu * pa + s->mu * s->mu * pb,
        s->nu * pa - s->mu * pb, pa + pb - ngi_gamma_information(s->phi));
}

static void fisher(const ng_family *f, size_t n, const double *z, double *out,
                   double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        shapes s = shapes_of(z + 2 * i);
        fisher_row(&s, out + 4 * i);
    }
}

/* F less the score times the second derivatives of (alpha, beta) in z. */
static void observed(const ng_family *f, size_t n, const double *z,
                     const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        shapes s = shapes_of(z + 2 * i);
        double F[4], g[2];
        score_row(&s, y[i], g);
        fisher_row(&s, F);
        ngi_family_symmetric2(out + 4 * i, F[0] - (s.nu - s.mu) * g[0],
                              F[1] - g[0], F[3] - g[1]);
    }
}

/* log(mu1 / mu0) for logits t0 and t0 + d; mu1 / mu0 = 1 / (1 + (1 - mu0)
 * (e^-d - 1)) keeps what a difference of logarithms loses for small d. */
static double log_mean_ratio(double t0, double t1) {
    double d = t1 - t0;
    if (fabs(d) > 1)
        return ngi_softplus(-t0) - ngi_softplus(-t1);
    return -log1p(ngi_expit(-t0) * expm1(-d));
}

/* phi1 KL(mu1 || mu0) + N-Bregman(alpha) + N-Bregman(beta)
 * - N-Bregman(phi): log Gamma split into a log a - a, whose divergences add
 * up to the first term, and N. */
static double kl_row(const double *z0, const double *z1) {
    shapes s0 = shapes_of(z0), s1 = shapes_of(z1);
    double ra = log_mean_ratio(z0[0], z1[0]);
    double rb = log_mean_ratio(-z0[0], -z1[0]);
    double d = z1[1] - z0[1];
    double out = s1.a * ngi_expm1mx(-ra) + s1.b * ngi_expm1mx(-rb) +
                 ngi_family_gamma_bregman(s0.a, ra + d) +
                 ngi_family_gamma_bregman(s0.b, rb + d);
    return isfinite(out) ? fmax(0, out - ngi_family_gamma_bregman(s0.phi, d))
                         : HUGE_VAL;
}

static void kl(const ng_family *f, size_t n, const double *z0, const double *z1,
               double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        out[i] = kl_row(z0 + 2 * i, z1 + 2 * i);
}

static void sample(const ng_family *f, size_t n, const double *z, ng_rng *rng,
                   double *y, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        shapes s = shapes_of(z + 2 * i);
        double la = ng_rng_log_gamma(rng, s.a);
        double lb = ng_rng_log_gamma(rng, s.b);
        /* Draws that round to an edge stay inside the open support. */
        y[i] = fmax(DBL_MIN, fmin(ngi_expit(la - lb), 1 - 0.5 * DBL_EPSILON));
    }
}

static void mean(const ng_family *f, size_t n, const double *z, double *out,
                 double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        out[i] = ngi_expit(z[2 * i]);
}

static void variance(const ng_family *f, size_t n, const double *z, double *out,
                     double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        shapes s = shapes_of(z + 2 * i);
        out[i] = s.mu * s.nu / (1 + s.phi);
    }
}

static void cdf(const ng_family *f, size_t n, const double *z, const double *y,
                double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        shapes s = shapes_of(z + 2 * i);
        out[i] = ngi_beta_i(s.a, s.b, fmax(0, fmin(y[i], 1)));
    }
}

static void quantile(const ng_family *f, size_t n, const double *z, double p,
                     double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        shapes s = shapes_of(z + 2 * i);
        out[i] = ngi_beta_i_inverse(s.a, s.b, p);
    }
}

static void to_customary(const ng_family *f, size_t n, const double *z,
                         double *c, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        shapes s = shapes_of(z + 2 * i);
        c[2 * i] = s.a;
        c[2 * i + 1] = s.b;
    }
}

static void from_customary(const ng_family *f, size_t n, const double *c,
                           double *z, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double a = c[2 * i], b = c[2 * i + 1];
        z[2 * i] = log(a) - log(b);
        z[2 * i + 1] = log(a + b);
    }
}

static void customary_jacobian(const ng_family *f, const double *z, double *J,
                               double *work) {
    (void)f;
    (void)work;
    shapes s = shapes_of(z);
    J[0] = s.nu * s.a;
    J[1] = s.a;
    J[2] = -s.mu * s.b;
    J[3] = s.b;
}

static void customary_name(const ng_family *f, size_t i,
                           const char *const *columns, char *out, size_t size) {
    (void)f;
    (void)columns;
    ngi_family_name(out, size, i == 0 ? "shape1" : "shape2");
}

/* Moments: variance = mu (1 - mu) / (1 + phi). */
static void start(const ng_family *f, size_t n, const double *y,
                  const double *w, double *z, double *work) {
    (void)f;
    (void)work;
    double m, v;
    ngi_family_moments(n, y, w, &m, &v);
    m = fmax(1e-6, fmin(m, 1 - 1e-6));
    double phi = m * (1 - m) / fmax(v, 1e-12) - 1;
    z[0] = log(m) - log1p(-m);
    z[1] = log(fmax(0.1, fmin(phi, 1e6)));
}

const ng_family_ops ngi_family_beta = {
    .name = "beta",
    .support = "a number between 0 and 1, neither included",
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
    .to_customary = to_customary,
    .from_customary = from_customary,
    .customary_jacobian = customary_jacobian,
    .customary_name = customary_name,
    .start = start,
};
