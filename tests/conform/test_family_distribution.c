/* Densities, distribution functions, quantiles, moments and samples of every
 * family against one another. */
#include "cases.h"

#include "numerics/special.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

static const double LEVEL[] = {1e-10, 1e-6, 1e-3,     0.02,     0.3,      0.5,
                               0.8,   0.97, 1 - 1e-3, 1 - 1e-6, 1 - 1e-10};
enum { LEVELS = sizeof LEVEL / sizeof *LEVEL };

static void cdf(point *p, const double *y, double *out) {
    p->family.ops->cdf(&p->family, 1, p->z, y, out, p->work);
}

static void quantile(point *p, double level, double *out) {
    p->family.ops->quantile(&p->family, 1, p->z, level, out, p->work);
}

static void one(point *p, const double *y, const void *unused, double *out) {
    (void)p;
    (void)y;
    (void)unused;
    *out = 1;
}

static bool scalar_continuous(const point *p) {
    return p->family.dim_y == 1 && !p->family.ops->discrete;
}

START_TEST(density_has_mass_one) {
    point p = point_at(_i);
    double value, error;
    if (p.family.dim_y > 1)
        return;
    expect(&p, one, NULL, 1, &value, &error);
    ck_assert_double_eq_tol(value, 1, error);
}
END_TEST

/* Relative accuracy in the lower tail too: 1e-9 as in expect(). A support
 * that begins at a rounded number, -pi, is uncertain by an ulp of that, at a
 * density below 2. */
START_TEST(cdf_is_integral_of_density) {
    point p = point_at(_i);
    for (size_t i = 0; i < LEVELS && scalar_continuous(&p); i++) {
        double y, value;
        quantile(&p, LEVEL[i], &y);
        cdf(&p, &y, &value);
        double lower = p.facts->lower, edge = isinf(lower) ? 0 : fabs(lower);
        double integral = integrate_density(&p, lower, y);
        double error = 1e-9 * integral + DBL_EPSILON * edge;
        ck_assert_msg(fabs(value - integral) <= error,
                      "%s at level %g, z = (%g, %g, %g): cdf %.17g, integral "
                      "%.17g",
                      p.facts->name, LEVEL[i], p.z[0], p.z[1], p.z[2], value,
                      integral);
    }
}
END_TEST

START_TEST(cdf_is_sum_of_masses) {
    point p = point_at(_i);
    if (!p.family.ops->discrete)
        return;
    double far, sum = 0, value;
    quantile(&p, 1 - 1e-10, &far);
    for (double y = 0; y <= far + 2 && y <= p.facts->upper; y++) {
        double between = y + 0.5;
        sum += exp(log_density_at(&p, p.z, &y));
        cdf(&p, &y, &value);
        ck_assert_double_eq_tol(value, sum, 1e-10 * sum + DBL_MIN);
        cdf(&p, &between, &value);
        ck_assert_double_eq_tol(value, sum, 1e-10 * sum + DBL_MIN);
    }
    double below = -1;
    cdf(&p, &below, &value);
    ck_assert_double_eq(value, 0);
}
END_TEST

static void check_level(const point *p, size_t j, double level, double y,
                        double value, double error) {
    ck_assert_msg(fabs(value - level) <= error,
                  "%s[%zu] at z = (%g, %g, %g): cdf of quantile %.17g of "
                  "level %.17g is %.17g, allowed %g",
                  p->facts->name, j, p->z[0], p->z[1], p->z[2], y, level, value,
                  error);
}

/* What one ulp of y changes in the cdf, seen from one side. */
static double resolution(point *p, const double *y, size_t j) {
    double moved[MAX_Y], here[MAX_Y], there[MAX_Y];
    for (size_t k = 0; k < p->family.dim_marginal; k++)
        moved[k] = y[k];
    moved[j] += 8 * DBL_EPSILON * (fabs(y[j]) + DBL_MIN);
    cdf(p, y, here);
    cdf(p, moved, there);
    return fabs(there[j] - here[j]);
}

/* 1e-11 relative for the special functions at arguments of order 1e2, plus
 * what rounding y costs, plus the spacing of numbers near 1. */
START_TEST(quantile_inverts_cdf) {
    point p = point_at(_i);
    for (size_t i = 0; i < LEVELS && !p.family.ops->discrete; i++) {
        double y[MAX_Y], value[MAX_Y];
        quantile(&p, LEVEL[i], y);
        cdf(&p, y, value);
        for (size_t j = 0; j < p.family.dim_marginal; j++) {
            double error = 1e-11 * LEVEL[i] * (1 - LEVEL[i]) +
                           4 * DBL_EPSILON * LEVEL[i] + resolution(&p, y, j);
            check_level(&p, j, LEVEL[i], y[j], value[j], error);
        }
    }
}
END_TEST

START_TEST(quantile_is_smallest_enough) {
    point p = point_at(_i);
    for (size_t i = 0; i < LEVELS && p.family.ops->discrete; i++) {
        double y, value;
        quantile(&p, LEVEL[i], &y);
        ck_assert(p.family.ops->in_support(&p.family, &y));
        cdf(&p, &y, &value);
        ck_assert_double_ge(value, LEVEL[i] * (1 - 1e-11));
        y--;
        cdf(&p, &y, &value);
        ck_assert_double_lt(value, LEVEL[i] * (1 + 1e-11));
    }
}
END_TEST

/* A bounded support that begins below 0 is one of angles. */
static bool circular(const point *p) {
    return isfinite(p->facts->lower) && p->facts->lower < 0;
}

/* The variables whose moments mean and variance give: y itself, for classes
 * the indicators of the levels, for angles y's direction from the mean. */
static void moment_variables(point *p, const double *y, const void *user,
                             double *out) {
    const double *mean = user;
    size_t m = p->family.dim_mean;
    for (size_t j = 0; j < m; j++) {
        double x = p->family.dim_mean == p->family.dim_y
                       ? y[j]
                       : (double)(y[0] == (double)j);
        out[j] = x - mean[j];
        out[m + j] = out[j] * out[j];
        if (circular(p)) {
            out[j] = sin(x - mean[j]);
            out[m + j] = 1 - cos(x - mean[j]);
        }
    }
}

/* Deviations from a mean of many standard deviations lose eps |mean|. */
START_TEST(moments_are_expectations) {
    point p = point_at(_i);
    size_t m = p.family.dim_mean;
    double mean[2 * MAX_Y], variance[2 * MAX_Y];
    double value[4 * MAX_Y], error[4 * MAX_Y];
    p.family.ops->mean(&p.family, 1, p.z, mean, p.work);
    p.family.ops->variance(&p.family, 1, p.z, variance, p.work);
    expect(&p, moment_variables, mean, 2 * m, value, error);
    for (size_t j = 0; j < m; j++) {
        double rounding = 16 * DBL_EPSILON * fabs(mean[j]);
        ck_assert_double_eq_tol(value[j], 0, error[j] + rounding);
        ck_assert_msg(fabs(value[m + j] - variance[j]) <= error[m + j],
                      "%s at z = (%g, %g, %g): variance %.17g, expected "
                      "%.17g +- %g",
                      p.facts->name, p.z[0], p.z[1], p.z[2], variance[j],
                      value[m + j], error[m + j]);
    }
}
END_TEST

enum { DRAWS = 20000 };

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Kolmogorov's statistic: P(sqrt(n) D > t) ~ 2 exp(-2 t^2), 9e-7 at 2.7 and
 * 1e-4 for all points together. Seed fixed. */
START_TEST(continuous_draws_follow_cdf) {
    static double y[DRAWS * MAX_Y], u[DRAWS];
    point p = point_at(_i);
    size_t m = p.family.dim_marginal;
    double level[MAX_Y], largest;
    ng_rng rng;
    ng_rng_init(&rng, 90210, 0);
    for (size_t i = 0; i < DRAWS; i++) {
        p.family.ops->sample(&p.family, 1, p.z, &rng, y + i * m, p.work);
        ck_assert(p.family.ops->in_support(&p.family, y + i * m));
    }
    for (size_t j = 0; j < m && !p.family.ops->discrete; j++) {
        for (size_t i = 0; i < DRAWS; i++) {
            cdf(&p, y + i * m, level);
            u[i] = level[j];
        }
        qsort(u, DRAWS, sizeof *u, ascending);
        largest = 0;
        for (size_t i = 0; i < DRAWS; i++) {
            largest = fmax(largest, u[i] - (double)i / DRAWS);
            largest = fmax(largest, (double)(i + 1) / DRAWS - u[i]);
        }
        ck_assert_msg(sqrt(DRAWS) * largest < 2.7,
                      "%s[%zu] at z = (%g, %g, %g): KS statistic %g",
                      p.facts->name, j, p.z[0], p.z[1], p.z[2],
                      sqrt(DRAWS) * largest);
    }
}
END_TEST

/* Draws with lower < y <= upper. */
static double count_between(const double *y, double lower, double upper) {
    double count = 0;
    for (size_t i = 0; i < DRAWS; i++)
        count += y[i] > lower && y[i] <= upper;
    return count;
}

/* The end of the next cell above `lower`: at least LEAST draws expected in it
 * and above it, or infinity. `level` becomes its distribution function. */
static double next_cell(point *p, double lower, double *level) {
    static const double LEAST = 20. / DRAWS;
    double below = *level;
    for (double y = lower + 1; *level < 1 - LEAST; y++) {
        cdf(p, &y, level);
        if (*level >= below + LEAST && *level < 1 - LEAST)
            return y;
    }
    *level = 1;
    return HUGE_VAL;
}

/* Pearson's statistic; the 1e-6 tail of chi-square, 2e-5 for all points. Seed
 * fixed. */
START_TEST(discrete_draws_follow_cdf) {
    static double y[DRAWS];
    point p = point_at(_i);
    if (!p.family.ops->discrete)
        return;
    double pearson = 0, cells = 0, lower = -1, below = 0, level = 0;
    ng_rng rng;
    ng_rng_init(&rng, 90211, 0);
    for (size_t i = 0; i < DRAWS; i++)
        p.family.ops->sample(&p.family, 1, p.z, &rng, y + i, p.work);
    while (lower < HUGE_VAL) {
        double upper = next_cell(&p, lower, &level);
        double expected = (level - below) * DRAWS;
        double excess = count_between(y, lower, upper) - expected;
        pearson += excess * excess / expected;
        cells++;
        lower = upper;
        below = level;
    }
    ck_assert_double_ge(cells, 2);
    ck_assert_msg(ngi_gamma_q((cells - 1) / 2, pearson / 2) > 1e-6,
                  "%s at z = (%g, %g): chi-square %g in %g cells",
                  p.facts->name, p.z[0], p.z[1], pearson, cells);
}
END_TEST

/* Five standard errors, estimated from the draws: 6e-7 a comparison in the
 * normal approximation. Kurtosis is limited by the points of the table. */
START_TEST(draws_have_the_moments) {
    point p = point_at(_i);
    size_t m = p.family.dim_mean;
    double mean[2 * MAX_Y], variance[2 * MAX_Y], y[MAX_Y], x[4 * MAX_Y];
    double sum[4 * MAX_Y] = {0}, square[4 * MAX_Y] = {0};
    ng_rng rng;
    ng_rng_init(&rng, 90212, 0);
    p.family.ops->mean(&p.family, 1, p.z, mean, p.work);
    p.family.ops->variance(&p.family, 1, p.z, variance, p.work);
    for (size_t i = 0; i < DRAWS; i++) {
        p.family.ops->sample(&p.family, 1, p.z, &rng, y, p.work);
        moment_variables(&p, y, mean, x);
        for (size_t j = 0; j < 2 * m; j++) {
            x[j] -= j < m ? 0 : variance[j - m];
            sum[j] += x[j];
            square[j] += x[j] * x[j];
        }
    }
    for (size_t j = 0; j < 2 * m; j++)
        ck_assert_msg(fabs(sum[j]) <= 5 * sqrt(square[j]),
                      "%s at z = (%g, %g, %g): moment %zu of draws is off by "
                      "%g standard errors",
                      p.facts->name, p.z[0], p.z[1], p.z[2], j,
                      sum[j] / sqrt(square[j]));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("family distribution");
    TCase *tests = tcase_create("distribution");
    int points = point_count();
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, density_has_mass_one, 0, points);
    tcase_add_loop_test(tests, cdf_is_integral_of_density, 0, points);
    tcase_add_loop_test(tests, cdf_is_sum_of_masses, 0, points);
    tcase_add_loop_test(tests, quantile_inverts_cdf, 0, points);
    tcase_add_loop_test(tests, quantile_is_smallest_enough, 0, points);
    tcase_add_loop_test(tests, moments_are_expectations, 0, points);
    tcase_add_loop_test(tests, continuous_draws_follow_cdf, 0, points);
    tcase_add_loop_test(tests, discrete_draws_follow_cdf, 0, points);
    tcase_add_loop_test(tests, draws_have_the_moments, 0, points);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
