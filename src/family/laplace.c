/* Laplace, z = (location, log scale). With r = (y - location) / b:
 *
 *   log p = -log 2b - |r|,  score = (sign(r) / b, |r| - 1),  F = diag(1/b^2,
 * 1).
 *
 * The density has a kink at its location: sign(0) = 0 there, and the second
 * derivative in the location is 0 almost everywhere, so that the observed
 * information does not average to F. */
#include "family/family.h"
#include "family/two_parameter.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>
#include <string.h>

static int shape(size_t size, ng_family *f) {
    return ngi_family_shape_two(size, f, "location", NG_COORDINATE_REAL,
                                "scale", NG_COORDINATE_LOG);
}

static int in_support(const ng_family *f, const double *y) {
    (void)f;
    return isfinite(y[0]);
}

static double sign(double r) {
    return (double)((r > 0) - (r < 0));
}

static void log_density(const ng_family *f, size_t n, const double *z,
                        const double *y, double *out, double *work) {
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double r = ngi_standardise(y[i], z[2 * i], z[2 * i + 1]);
        out[i] = in_support(f, y + i) ? -NGI_LOG_2 - z[2 * i + 1] - fabs(r)
                                      : -HUGE_VAL;
    }
}

static void score(const ng_family *f, size_t n, const double *z,
                  const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double r = ngi_standardise(y[i], z[2 * i], z[2 * i + 1]);
        out[2 * i] = sign(y[i] - z[2 * i]) * ngi_family_exp(-z[2 * i + 1]);
        out[2 * i + 1] = fabs(r) - 1;
    }
}

static void fisher(const ng_family *f, size_t n, const double *z, double *out,
                   double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double inverse = ngi_family_exp(-z[2 * i + 1]);
        ngi_family_symmetric2(out + 4 * i, inverse * inverse, 0, 1);
    }
}

static void observed(const ng_family *f, size_t n, const double *z,
                     const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double inverse = ngi_family_exp(-z[2 * i + 1]);
        double r = ngi_standardise(y[i], z[2 * i], z[2 * i + 1]);
        ngi_family_symmetric2(out + 4 * i, 0, sign(y[i] - z[2 * i]) * inverse,
                              fabs(r));
    }
}

/* With d = log(b1/b0) and a = |difference of locations| / b0,
 *   KL = (e^-d - 1 + d) + e^-d (e^-a - 1 + a); the last product is taken as
 * |difference| / b1 where a is large, since a e^-d need not be finite then. */
static double kl_one(const double *z0, const double *z1) {
    double d = z1[1] - z0[1];
    double a = fabs(ngi_standardise(z1[0], z0[0], z0[1]));
    double shift =
        a > 40 ? fabs(ngi_standardise(z1[0], z0[0], z1[1])) * (1 - 1 / a)
               : ngi_times(exp(-d), ngi_expm1mx(-a));
    return ngi_expm1mx(-d) + shift;
}

static void kl(const ng_family *f, size_t n, const double *z0, const double *z1,
               double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        out[i] = kl_one(z0 + 2 * i, z1 + 2 * i);
    }
}

/* The standard quantile; p = 1/2 gives 0. */
static double standard_quantile(double p) {
    return p < 0.5 ? log(2 * p) : -log(2 - 2 * p);
}

static void sample(const ng_family *f, size_t n, const double *z, ng_rng *rng,
                   double *y, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double r = standard_quantile(ng_rng_uniform(rng));
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
        out[i] = 2 * exp(2 * z[2 * i + 1]);
    }
}

static void cdf(const ng_family *f, size_t n, const double *z, const double *y,
                double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double r = ngi_standardise(y[i], z[2 * i], z[2 * i + 1]);
        out[i] = r < 0 ? 0.5 * exp(r) : 1 - 0.5 * exp(-r);
    }
}

static void quantile(const ng_family *f, size_t n, const double *z, double p,
                     double *out, double *work) {
    (void)f;
    (void)work;
    double r = standard_quantile(p);
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

/* Doubles and unsigned integers in the same order, so that bisection over the
 * integers ends on a datum after at most 64 passes and needs no memory. */
static uint64_t ordered_bits(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? ~bits : bits | (UINT64_C(1) << 63);
}

static double from_ordered_bits(uint64_t key) {
    uint64_t bits = key >> 63 ? key & ~(UINT64_C(1) << 63) : ~key;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static double weight_up_to(size_t n, const double *y, const double *w,
                           double x) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += y[i] <= x ? w[i] : 0;
    return sum;
}

/* The smallest datum x with a weight of at least `least` at or below it. */
static double weighted_order_statistic(size_t n, const double *y,
                                       const double *w, double least) {
    uint64_t low = ordered_bits(-DBL_MAX), high = ordered_bits(DBL_MAX);
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (weight_up_to(n, y, w, from_ordered_bits(middle)) >= least)
            high = middle;
        else
            low = middle + 1;
    }
    return from_ordered_bits(low) + 0; /* -0 becomes 0 */
}

/* The middle of the interval of minimisers of the absolute deviation. */
static double weighted_median(size_t n, const double *y, const double *w,
                              double total) {
    /* What the rounding of the sums may add to or take from an even split. */
    double tolerance = (double)n * DBL_EPSILON * total;
    double low = weighted_order_statistic(n, y, w, 0.5 * total - tolerance);
    if (weight_up_to(n, y, w, low) > 0.5 * total + tolerance)
        return low;
    double high = DBL_MAX;
    for (size_t i = 0; i < n; i++) {
        if (w[i] > 0 && y[i] > low)
            high = fmin(high, y[i]);
    }
    return 0.5 * low + 0.5 * high;
}

static void start(const ng_family *f, size_t n, const double *y,
                  const double *w, double *z, double *work) {
    (void)f;
    (void)work;
    double total = weight_up_to(n, y, w, DBL_MAX), deviation = 0;
    z[0] = weighted_median(n, y, w, total);
    for (size_t i = 0; i < n; i++)
        deviation += w[i] / total * fabs(y[i] - z[0]);
    /* A constant sample has no spread: begin at the size of its rounding. */
    double least = DBL_EPSILON * fabs(z[0]) + DBL_MIN;
    z[1] = log(fmin(fmax(deviation, least), DBL_MAX));
}

const ng_family_ops ngi_family_laplace = {
    .name = "laplace",
    .support = "a finite number",
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
