/* Bernoulli, z = logit p.
 *
 *   log p(y|z) = y z - softplus(z),  score = y - p,  F = p (1 - p).
 *
 * A fractional y is the share of successes of a binomial row: the same
 * formulas are then its log-likelihood per trial, less the binomial
 * coefficient. in_support admits 0 and 1 only; who knows the trials checks
 * shares himself. */
#include "family/family.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>

static int shape(size_t size, ng_family *f) {
    return ngi_family_shape_scalar(size, f, "probability", NG_COORDINATE_LOGIT);
}

static int in_support(const ng_family *f, const double *y) {
    (void)f;
    return y[0] == 0 || y[0] == 1;
}

static void log_density(const ng_family *f, size_t n, const double *z,
                        const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        /* y z - softplus(z), from the side on which it does not cancel. */
        double s = ngi_softplus(-fabs(z[i]));
        double wrong = z[i] > 0 ? 1 - y[i] : y[i];
        out[i] = y[i] < 0 || y[i] > 1
                     ? -HUGE_VAL
                     : -(wrong == 0 ? 0 : wrong * fabs(z[i])) - s;
    }
}

static void score(const ng_family *f, size_t n, const double *z,
                  const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        out[i] =
            z[i] > 0 ? ngi_expit(-z[i]) - (1 - y[i]) : y[i] - ngi_expit(z[i]);
    }
}

static void fisher(const ng_family *f, size_t n, const double *z, double *out,
                   double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double small = ngi_expit(-fabs(z[i]));
        out[i] = small * (1 - small);
    }
}

static void observed(const ng_family *f, size_t n, const double *z,
                     const double *y, double *out, double *work) {
    (void)y;
    fisher(f, n, z, out, work);
}

static void kl(const ng_family *f, size_t n, const double *z0, const double *z1,
               double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        /* By symmetry take p0 <= 1/2. With d = z1 - z0 and
         * u = p0 (e^d - 1), KL = log(1 + u) - p0 d, and both remainders
         * below are of the order of d^2, as KL is. */
        double sign = z0[i] > 0 ? -1 : 1;
        double a = sign * z0[i], b = sign * z1[i], d = b - a;
        double p = ngi_expit(a);
        if (d > 1)
            out[i] = fmax(0, ngi_softplus(b) - ngi_softplus(a) - p * d);
        else
            out[i] = fmax(0, ngi_log1pmx(p * expm1(d)) + p * ngi_expm1mx(d));
    }
}

static void sample(const ng_family *f, size_t n, const double *z, ng_rng *rng,
                   double *y, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        y[i] = ng_rng_uniform(rng) < ngi_expit(z[i]) ? 1 : 0;
}

static void mean(const ng_family *f, size_t n, const double *z, double *out,
                 double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        out[i] = ngi_expit(z[i]);
}

static void cdf(const ng_family *f, size_t n, const double *z, const double *y,
                double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        out[i] = y[i] < 0 ? 0 : (y[i] < 1 ? ngi_expit(-z[i]) : 1);
}

static void quantile(const ng_family *f, size_t n, const double *z, double p,
                     double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        out[i] = p <= ngi_expit(-z[i]) ? 0 : 1;
}

static void from_customary(const ng_family *f, size_t n, const double *c,
                           double *z, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        z[i] = log(c[i]) - log1p(-c[i]);
}

static void customary_jacobian(const ng_family *f, const double *z, double *J,
                               double *work) {
    fisher(f, 1, z, J, work);
}

static void customary_name(const ng_family *f, size_t i,
                           const char *const *columns, char *out, size_t size) {
    (void)f;
    (void)i;
    (void)columns;
    ngi_family_name(out, size, "prob");
}

static void start(const ng_family *f, size_t n, const double *y,
                  const double *w, double *z, double *work) {
    (void)f;
    (void)work;
    double total = 0, successes = 0;
    for (size_t i = 0; i < n; i++) {
        total += w[i];
        successes += w[i] * y[i];
    }
    /* Half a success and half a failure keep the start finite. */
    z[0] = log((successes + 0.5) / (total - successes + 0.5));
}

const ng_family_ops ngi_family_bernoulli = {
    .name = "bernoulli",
    .support = "0 or 1",
    .discrete = 1,
    .smooth = 1,
    .shape = shape,
    .in_support = in_support,
    .log_density = log_density,
    .score = score,
    .fisher = fisher,
    .observed = observed,
    .kl = kl,
    .sample = sample,
    .mean = mean,
    .variance = fisher,
    .cdf = cdf,
    .quantile = quantile,
    .to_customary = mean,
    .from_customary = from_customary,
    .customary_jacobian = customary_jacobian,
    .customary_name = customary_name,
    .start = start,
};
