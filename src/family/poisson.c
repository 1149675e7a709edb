/* Poisson, z = log lambda.
 *
 *   log p(y|z) = y z - e^z - log y!,  score = y - e^z,  F = e^z.
 *
 * With u = z - log y and S(y) = y log y - y - log Gamma(y), of the order of
 * log y, log p = S(y) - log y - y (e^u - 1 - u): nothing of the order of y
 * cancels. */
#include "family/family.h"
#include "family/two_parameter.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>

static int shape(size_t size, ng_family *f) {
    return ngi_family_shape_scalar(size, f, "mean", NG_COORDINATE_LOG);
}

static int in_support(const ng_family *f, const double *y) {
    (void)f;
    return isfinite(y[0]) && y[0] >= 0 && y[0] == floor(y[0]);
}

/* Finite, so that differences and products stay numbers. */
static double rate(double z) {
    return exp(fmin(z, 709));
}

static double log_mass(double z, double y) {
    if (y == 0)
        return -rate(z);
    double log_y = log(y);
    return ngi_gamma_constant(y) - log_y - y * ngi_expm1mx(z - log_y);
}

static void log_density(const ng_family *f, size_t n, const double *z,
                        const double *y, double *out, double *work) {
    (void)work;
    for (size_t i = 0; i < n; i++)
        out[i] = in_support(f, y + i) ? log_mass(z[i], y[i]) : -HUGE_VAL;
}

static void score(const ng_family *f, size_t n, const double *z,
                  const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        out[i] = y[i] - rate(z[i]);
}

static void fisher(const ng_family *f, size_t n, const double *z, double *out,
                   double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        out[i] = rate(z[i]);
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
    for (size_t i = 0; i < n; i++)
        out[i] = rate(z0[i]) * ngi_expm1mx(z1[i] - z0[i]);
}

static void sample(const ng_family *f, size_t n, const double *z, ng_rng *rng,
                   double *y, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        y[i] = ng_rng_poisson(rng, rate(z[i]));
}

static void mean(const ng_family *f, size_t n, const double *z, double *out,
                 double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        out[i] = exp(z[i]);
}

static double cdf_one(double lambda, double y) {
    return y < 0 ? 0 : ngi_gamma_q(floor(y) + 1, lambda);
}

static void cdf(const ng_family *f, size_t n, const double *z, const double *y,
                double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        out[i] = cdf_one(rate(z[i]), y[i]);
}

/* Starts from the Cornish-Fisher guess and brackets by doubling steps. */
static double quantile_one(double lambda, double p) {
    double x = ngi_ndtri(p), sd = sqrt(lambda);
    double guess = floor(fmax(0, lambda + sd * x + (x * x - 1) / 6));
    double low = guess, high = guess, step = 1;
    while (low > 0 && cdf_one(lambda, low - 1) >= p) {
        high = low - 1;
        low = fmax(0, low - step);
        step *= 2;
    }
    for (step = 1; cdf_one(lambda, high) < p && high < 1e300; step *= 2) {
        low = high + 1;
        high += fmax(step, high * DBL_EPSILON);
    }
    while (low < high) {
        double middle = low + floor(0.5 * (high - low));
        if (middle == high)
            return high;
        if (cdf_one(lambda, middle) >= p)
            high = middle;
        else if (middle + 1 > middle)
            low = middle + 1;
        else
            return high; /* beyond 2^53 counts have no neighbours */
    }
    return low;
}

static void quantile(const ng_family *f, size_t n, const double *z, double p,
                     double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        out[i] = quantile_one(rate(z[i]), p);
}

static void from_customary(const ng_family *f, size_t n, const double *c,
                           double *z, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        z[i] = log(c[i]);
}

static void customary_jacobian(const ng_family *f, const double *z, double *J,
                               double *work) {
    mean(f, 1, z, J, work);
}

static void customary_name(const ng_family *f, size_t i,
                           const char *const *columns, char *out, size_t size) {
    (void)f;
    (void)i;
    (void)columns;
    ngi_family_name(out, size, "lambda");
}

static void start(const ng_family *f, size_t n, const double *y,
                  const double *w, double *z, double *work) {
    (void)f;
    (void)work;
    double m, v;
    ngi_family_moments(n, y, w, &m, &v);
    /* All zeros: half a count in all keeps the start finite. */
    double total = 0;
    for (size_t i = 0; i < n; i++)
        total += w[i];
    z[0] = log(m > 0 ? m : 0.5 / total);
}

const ng_family_ops ngi_family_poisson = {
    .name = "poisson",
    .support = "a count 0, 1, 2, ...",
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
    .variance = mean,
    .cdf = cdf,
    .quantile = quantile,
    .to_customary = mean,
    .from_customary = from_customary,
    .customary_jacobian = customary_jacobian,
    .customary_name = customary_name,
    .start = start,
};
