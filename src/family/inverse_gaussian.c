/* Inverse Gaussian, z = (log mean, log shape). With m the mean, l the shape,
 * phi = l / m and u = log(y / m),
 *
 *   Q = l (y - m)^2 / (m^2 y) = 4 phi sinh^2(u / 2),
 *   log p = (log l - log 2 pi - 3 log y - Q) / 2,
 *   score = (phi (e^u - 1), (1 - Q) / 2),  F = diag(phi, 1/2). */
#include "family/family.h"
#include "family/two_parameter.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>

static int shape(size_t size, ng_family *f) {
    return ngi_family_shape_two(size, f, "mean", NG_COORDINATE_LOG, "shape",
                                NG_COORDINATE_LOG);
}

/* phi (e^u - 1) and Q from log phi and u; only products that are
 * representable are formed, for phi and e^u may overflow in opposite ways. */
static double tilt(double log_phi, double u) {
    return u > 0 ? -ngi_times(exp(log_phi + u), expm1(-u))
                 : ngi_times(exp(log_phi), expm1(u));
}

static double squared_deviation(double log_phi, double u) {
    double root = ngi_times(exp(0.5 * (log_phi + fabs(u))), expm1(-fabs(u)));
    return root * root;
}

static void log_density(const ng_family *f, size_t n, const double *z,
                        const double *y, double *out, double *work) {
    (void)work;
    for (size_t i = 0; i < n; i++) {
        if (!ngi_positive_support(f, y + i)) {
            out[i] = -HUGE_VAL;
            continue;
        }
        double log_y = log(y[i]), log_phi = z[2 * i + 1] - z[2 * i];
        double Q = squared_deviation(log_phi, log_y - z[2 * i]);
        out[i] = 0.5 * (z[2 * i + 1] - NGI_LOG_2PI - 3 * log_y - Q);
    }
}

static void score(const ng_family *f, size_t n, const double *z,
                  const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double u = log(y[i]) - z[2 * i], log_phi = z[2 * i + 1] - z[2 * i];
        out[2 * i] = tilt(log_phi, u);
        out[2 * i + 1] = 0.5 * (1 - squared_deviation(log_phi, u));
    }
}

static void fisher(const ng_family *f, size_t n, const double *z, double *out,
                   double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        ngi_family_symmetric2(out + 4 * i, exp(z[2 * i + 1] - z[2 * i]), 0,
                              0.5);
    }
}

/* phi (2 e^u - 1) = -d2 log p / d(log mean)^2. */
static double mean_curvature(double log_phi, double u) {
    return u > 0 ? exp(log_phi + u) * (2 - exp(-u))
                 : ngi_times(exp(log_phi), 2 * exp(u) - 1);
}

static void observed(const ng_family *f, size_t n, const double *z,
                     const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double u = log(y[i]) - z[2 * i], log_phi = z[2 * i + 1] - z[2 * i];
        ngi_family_symmetric2(out + 4 * i, mean_curvature(log_phi, u),
                              -tilt(log_phi, u),
                              0.5 * squared_deviation(log_phi, u));
    }
}

static void kl(const ng_family *f, size_t n, const double *z0, const double *z1,
               double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        /* E0 Q1 = phi1 (m0 - m1)^2 / (m0 m1) + l1 / l0. */
        double log_phi = z1[2 * i + 1] - z1[2 * i];
        out[i] = 0.5 * (ngi_expm1mx(z1[2 * i + 1] - z0[2 * i + 1]) +
                        squared_deviation(log_phi, z0[2 * i] - z1[2 * i]));
    }
}

/* Michael, Schucany & Haas (1976): Q is chi-squared with one degree of
 * freedom, and of the two roots u = -s, s of 4 phi sinh^2(u / 2) = Q the
 * lower has probability 1 / (1 + e^-s). */
static void sample(const ng_family *f, size_t n, const double *z, ng_rng *rng,
                   double *y, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double log_phi = z[2 * i + 1] - z[2 * i];
        double root = fabs(ng_rng_normal(rng)) * exp(-0.5 * log_phi);
        double s = 2 * asinh(0.5 * fmin(root, DBL_MAX));
        double sign = ng_rng_uniform(rng) < ngi_expit(s) ? -1 : 1;
        y[i] = ngi_positive_finite(exp(z[2 * i] + sign * s));
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
        out[i] = exp(3 * z[2 * i] - z[2 * i + 1]);
    }
}

/* Mills' ratio (1 - Phi(b)) / phi(b), b >= 0: from log Phi where its square
 * is small, else by Laplace's continued fraction (DLMF 7.9). */
static double mills_ratio(double b) {
    enum { DEPTH = 40 };
    if (b < 4)
        return exp(ngi_log_ndtr(-b) + 0.5 * (b * b + NGI_LOG_2PI));
    double tail = b;
    for (int k = DEPTH; k > 0; k--)
        tail = b + k / tail;
    return 1 / tail;
}

/* P(log(Y / m) <= u) = Phi(a) + e^(2 phi) Phi(-b) with
 * a = 2 sqrt(phi) sinh(u / 2), b = 2 sqrt(phi) cosh(u / 2); since
 * b^2 - a^2 = 4 phi the second term is phi(a) times Mills' ratio at b. */
static double log_ratio_cdf(double log_phi, double u) {
    double top = exp(0.5 * (log_phi + fabs(u))), small = -fabs(u);
    double a = copysign(ngi_times(top, expm1(small)), u);
    double b = top * (1 + exp(small));
    double second = exp(-0.5 * (a * a + NGI_LOG_2PI)) * mills_ratio(b);
    return fmin(1, ngi_ndtr(a) + second);
}

static void cdf(const ng_family *f, size_t n, const double *z, const double *y,
                double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double log_phi = z[2 * i + 1] - z[2 * i];
        out[i] = y[i] > 0 ? log_ratio_cdf(log_phi, log(y[i]) - z[2 * i]) : 0;
        if (isinf(y[i]))
            out[i] = y[i] > 0;
    }
}

typedef struct quantile_problem {
    double log_phi, p;
} quantile_problem;

static double excess(double u, void *user) {
    const quantile_problem *q = user;
    return log_ratio_cdf(q->log_phi, u) - q->p;
}

static double quantile_log_ratio(double log_phi, double p) {
    enum { MAX_DOUBLINGS = 1100 };
    quantile_problem q = {log_phi, p};
    double low, high, scale = exp(fmin(0, -0.5 * log_phi));
    low = high = fmax(scale, DBL_MIN);
    for (int k = 0; k < MAX_DOUBLINGS && excess(-low, &q) > 0; k++)
        low *= 2;
    for (int k = 0; k < MAX_DOUBLINGS && excess(high, &q) < 0; k++)
        high *= 2;
    return ngi_root(excess, &q, -low, high);
}

static void quantile(const ng_family *f, size_t n, const double *z, double p,
                     double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double log_phi = z[2 * i + 1] - z[2 * i];
        out[i] = exp(z[2 * i] + quantile_log_ratio(log_phi, p));
    }
}

static void to_customary(const ng_family *f, size_t n, const double *z,
                         double *c, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        c[2 * i] = exp(z[2 * i]);
        c[2 * i + 1] = exp(z[2 * i + 1]);
    }
}

static void from_customary(const ng_family *f, size_t n, const double *c,
                           double *z, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        z[2 * i] = log(c[2 * i]);
        z[2 * i + 1] = log(c[2 * i + 1]);
    }
}

static void customary_jacobian(const ng_family *f, const double *z, double *J,
                               double *work) {
    (void)f;
    (void)work;
    J[0] = exp(z[0]);
    J[1] = J[2] = 0;
    J[3] = exp(z[1]);
}

static void customary_name(const ng_family *f, size_t i,
                           const char *const *columns, char *out, size_t size) {
    (void)f;
    (void)columns;
    ngi_family_name(out, size, i == 0 ? "mean" : "shape");
}

/* The exact maximum of the likelihood: 1 / phi is the mean of
 * 4 sinh^2(log(y / m) / 2). */
static void start(const ng_family *f, size_t n, const double *y,
                  const double *w, double *z, double *work) {
    (void)f;
    (void)work;
    double m, v, sum = 0, total = 0;
    ngi_family_moments(n, y, w, &m, &v);
    z[0] = log(m);
    for (size_t i = 0; i < n; i++) {
        if (w[i] <= 0)
            continue;
        sum += w[i] * squared_deviation(0, log(y[i]) - z[0]);
        total += w[i];
    }
    double spread = fmin(fmax(sum / total, DBL_EPSILON), DBL_MAX);
    z[1] = z[0] - log(spread);
}

const ng_family_ops ngi_family_inverse_gaussian = {
    .name = "inverse-gaussian",
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
