/* Negative binomial, z = (log mean, log size). With m the mean, k the size,
 * P = m / (k + m), Q = 1 - P, a = (y - m) / (k + m), l(x) = log x - psi(x):
 *
 *   log p = log Gamma(y + k) / (Gamma(k) y!) + k log Q + y log P,
 *   score = (Q (y - m), k [log(1 + a) - a + l(k) - l(k + y)]),
 *   F = diag(Q m, Var score_2).
 *
 * F_22, which equals k^2 [sum_{j >= 0} P(Y > j) / (k + j)^2 - m / (k (k + m))]
 * in the form with a cancellation, and the divergence are expectations of
 * nonnegative functions of y: see
 * negative_binomial_sum.c. */
#include "family/negative_binomial.h"
#include "family/family.h"
#include "family/two_parameter.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>

static int shape(size_t size, ng_family *f) {
    return ngi_family_shape_two(size, f, "mu", NG_COORDINATE_LOG, "size",
                                NG_COORDINATE_LOG);
}

static int in_support(const ng_family *f, const double *y) {
    (void)f;
    return isfinite(y[0]) && y[0] >= 0 && y[0] == floor(y[0]);
}

static void log_density(const ng_family *f, size_t n, const double *z,
                        const double *y, double *out, double *work) {
    (void)work;
    for (size_t i = 0; i < n; i++) {
        if (!in_support(f, y + i)) {
            out[i] = -HUGE_VAL;
            continue;
        }
        ngi_nb law = ngi_nb_make(z + 2 * i);
        ngi_nb_point point = ngi_nb_at_count(&law, y[i]);
        out[i] = ngi_nb_log_mass(&law, &point);
    }
}

static void score(const ng_family *f, size_t n, const double *z,
                  const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        ngi_nb law = ngi_nb_make(z + 2 * i);
        ngi_nb_point point = ngi_nb_at_count(&law, y[i]);
        out[2 * i] = law.q * (y[i] - law.mean);
        out[2 * i + 1] = ngi_nb_size_score(&law, &point);
    }
}

static void fisher(const ng_family *f, size_t n, const double *z, double *out,
                   double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        ngi_nb law = ngi_nb_make(z + 2 * i);
        ngi_family_symmetric2(out + 4 * i, law.q * law.mean, 0,
                              ngi_nb_size_information(&law));
    }
}

static void observed(const ng_family *f, size_t n, const double *z,
                     const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        ngi_nb law = ngi_nb_make(z + 2 * i);
        ngi_nb_point point = ngi_nb_at_count(&law, y[i]);
        double mean_part = law.q * (law.q * law.mean + law.p * y[i]);
        double cross = -law.q * (law.p * (y[i] - law.mean));
        ngi_family_symmetric2(out + 4 * i, mean_part, cross,
                              ngi_nb_size_curvature(&law, &point));
    }
}

/* KL for equal sizes: k + m0 times the divergence of two Bernoulli laws with
 * logits log(m / k). By symmetry take p <= 1/2. */
static double mean_kl(const ngi_nb *law, double log_mean) {
    double a = law->log_mean - law->log_size, b = log_mean - law->log_size;
    double sign = a > 0 ? -1 : 1, d = sign * (b - a);
    double p = fmin(law->p, law->q);
    double bernoulli =
        d > 1 ? ngi_softplus(sign * b) - ngi_softplus(sign * a) - p * d
              : ngi_log1pmx(p * expm1(d)) + p * ngi_expm1mx(d);
    return (law->size + law->mean) * fmax(0, bernoulli);
}

/* log p(y | m0, k1) - log p(y | m1, k1) is linear in y, so that KL splits
 * exactly into a change of size at mean m0 and a change of mean at size k1. */
static void kl(const ng_family *f, size_t n, const double *z0, const double *z1,
               double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double middle[2] = {z0[2 * i], z1[2 * i + 1]};
        ngi_nb from = ngi_nb_make(z0 + 2 * i), to = ngi_nb_make(middle);
        out[i] = ngi_nb_size_kl(&from, &to) +
                 mean_kl(&to, fmin(fmax(z1[2 * i], -700), 700));
    }
}

/* A Poisson variable whose mean has a gamma distribution. */
static void sample(const ng_family *f, size_t n, const double *z, ng_rng *rng,
                   double *y, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        ngi_nb law = ngi_nb_make(z + 2 * i);
        double log_rate =
            ng_rng_log_gamma(rng, law.size) - law.log_size + law.log_mean;
        y[i] = ng_rng_poisson(rng, exp(fmin(log_rate, 690)));
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
        out[i] = exp(z[2 * i] + ngi_softplus(z[2 * i] - z[2 * i + 1]));
    }
}

/* P(Y <= y) = I_Q(k, y + 1) for a whole y >= 0. Q is lost to rounding at
 * either end: near 0 the first term of its series serves; near 1 the
 * complement, and where k swamps every count the Poisson limit. */
static double cdf_one(const ngi_nb *law, double y) {
    double log_q = -ngi_softplus(law->log_mean - law->log_size);
    double counts = y + law->mean + 1;
    if (log_q + log(y + 1) < -40) {
        double k = law->size;
        double log_p = k * log_q - law->log_size - ngi_lbeta(k, y + 1);
        return fmin(1, exp(log_p));
    }
    if (counts / law->size * counts < DBL_EPSILON)
        return ngi_gamma_q(y + 1, law->mean);
    if (law->q < 0.5)
        return ngi_beta_i(law->size, y + 1, law->q);
    /* The complement loses the lower tail; the direct form, where P is the
     * better known of P and Q, loses size ulp. */
    double complement = 1 - ngi_beta_i(y + 1, law->size, law->p);
    return complement * law->size < 1 ? ngi_beta_i(law->size, y + 1, law->q)
                                      : complement;
}

static void cdf(const ng_family *f, size_t n, const double *z, const double *y,
                double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        ngi_nb law = ngi_nb_make(z + 2 * i);
        double x = fmin(floor(y[i]), NGI_NB_MAX_COUNT);
        out[i] = x >= 0 ? cdf_one(&law, x) : 0;
        if (isinf(y[i]))
            out[i] = y[i] > 0;
    }
}

static double quantile_one(const ngi_nb *law, double p) {
    double low = 0, high = 0; /* P(Y <= low - 1) < p <= P(Y <= high) */
    while (cdf_one(law, high) < p) {
        low = high + 1;
        high = 2 * high + 1;
        if (high > NGI_NB_MAX_COUNT)
            return HUGE_VAL;
    }
    while (low < high) {
        double middle = low + floor(0.5 * (high - low));
        if (middle == high)
            return high;
        if (cdf_one(law, middle) >= p)
            high = middle;
        else if (middle + 1 > middle && middle < high)
            low = middle + 1;
        else
            return high; /* beyond 2^53 counts have no neighbours */
        if (high - low <= 0.5 * DBL_EPSILON * high)
            return high;
    }
    return low;
}

static void quantile(const ng_family *f, size_t n, const double *z, double p,
                     double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        ngi_nb law = ngi_nb_make(z + 2 * i);
        out[i] = quantile_one(&law, p);
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
    ngi_family_name(out, size, i == 0 ? "size" : "mu");
}

/* By moments: variance m + m^2 / k. A sample that is not overdispersed begins
 * at a variance 5% above the mean's, one of zeros alone at half a count. */
static void start(const ng_family *f, size_t n, const double *y,
                  const double *w, double *z, double *work) {
    (void)f;
    (void)work;
    double m, v, total = 0;
    for (size_t i = 0; i < n; i++)
        total += w[i];
    ngi_family_moments(n, y, w, &m, &v);
    if (m <= 0)
        m = 0.5 / total;
    double ratio = m / fmax(v - m, 0.05 * m);
    z[0] = log(m);
    z[1] = z[0] + log(fmax(ratio, DBL_MIN));
}

const ng_family_ops ngi_family_negative_binomial = {
    .name = "negative-binomial",
    .support = "a count 0, 1, 2, ...",
    .discrete = 1,
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
