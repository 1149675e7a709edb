/* The special functions against reference values, identities and closed
 * forms, and at the extremes of their domains. */
#include "numerics/special.h"
#include "special_values.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

typedef double (*function1)(double);
typedef double (*function2)(double, double);
typedef double (*function3)(double, double, double);

/* |value - expected| <= k eps scale. */
static void ck_close(double value, double expected, double k, double scale) {
    ck_assert_msg(fabs(value - expected) <= k * DBL_EPSILON * fabs(scale),
                  "%.17g, not %.17g: off by %.2g eps scale", value, expected,
                  (value - expected) / (DBL_EPSILON * fabs(scale)));
}

/* Relative to the value, or to `floor` where the value is smaller. */
static void ck_rows1(function1 f, const row1 *rows, size_t count, double k,
                     double floor) {
    for (size_t i = 0; i < count; i++)
        ck_close(f(rows[i].x), rows[i].value, k,
                 fmax(fabs(rows[i].value), floor));
}

static void ck_rows2(function2 f, const row2 *rows, size_t count, double k) {
    for (size_t i = 0; i < count; i++)
        ck_close(f(rows[i].x, rows[i].y), rows[i].value, k, rows[i].value);
}

/* An exponential magnifies the rounding of its argument by the argument. */
static double tail_scale(double p) {
    return p * (1.0 - log(p));
}

static const double probes[] = {
    0.0,    DBL_TRUE_MIN, DBL_MIN,
    1e-200, 1e-20,        1e-8,
    0.01,   0.3,          0.5,
    0.999,  1.0,          1.5,
    3.0,    9.9,          12.0,
    29.9,   30.1,         500.0,
    1e5,    1e8,          1e16,
    1e26,   1e100,        1e200,
    1e300,  DBL_MAX,      (double)INFINITY,
};

START_TEST(log_gamma_and_polygamma_agree_with_reference_values) {
    ck_rows1(ngi_lgamma, log_gamma_rows, COUNT(log_gamma_rows), 4, 0);
    ck_rows1(ngi_digamma, digamma_rows, COUNT(digamma_rows), 4, 1);
    ck_rows1(ngi_trigamma, trigamma_rows, COUNT(trigamma_rows), 4, 0);
    ck_rows1(ngi_tetragamma, tetragamma_rows, COUNT(tetragamma_rows), 4, 0);
}
END_TEST

START_TEST(polygamma_remainders_keep_relative_accuracy_for_large_x) {
    ck_rows1(ngi_log_minus_digamma, log_minus_digamma_rows,
             COUNT(log_minus_digamma_rows), 4, 0);
    ck_rows1(ngi_trigamma_minus_inverse, trigamma_minus_inverse_rows,
             COUNT(trigamma_minus_inverse_rows), 4, 0);
}
END_TEST

START_TEST(log_gamma_difference_and_log_beta_do_not_cancel) {
    ck_rows2(ngi_lgamma_diff, log_gamma_difference_rows,
             COUNT(log_gamma_difference_rows), 16);
    ck_rows2(ngi_lbeta, log_beta_rows, COUNT(log_beta_rows), 8);
    for (size_t i = 0; i < COUNT(log_beta_rows); i++) {
        const row2 *r = &log_beta_rows[i];
        ck_assert_double_eq(ngi_lbeta(r->y, r->x), ngi_lbeta(r->x, r->y));
    }
}
END_TEST

START_TEST(polygamma_obeys_recurrence_and_reflection) {
    for (double x = 0.05; x < 0.5; x += 0.05) {
        /* DLMF 5.5.3, 5.5.4, 5.15.6. */
        const double s = sin(NGI_PI * x);
        ck_close(ngi_lgamma(x) + ngi_lgamma(1.0 - x), log(NGI_PI / s), 16, 1);
        ck_close(ngi_digamma(1.0 - x) - ngi_digamma(x),
                 NGI_PI * cos(NGI_PI * x) / s, 8, ngi_digamma(x));
        ck_close(ngi_trigamma(1.0 - x) + ngi_trigamma(x),
                 NGI_PI * NGI_PI / (s * s), 8, ngi_trigamma(x));
    }
    for (double x = 8.0; x < 16.0; x += 0.37) {
        /* Both sides of the switch to the asymptotic series. */
        ck_close(ngi_lgamma(x + 1.0) - ngi_lgamma(x), log(x), 8,
                 ngi_lgamma(x + 1.0));
        ck_close(ngi_digamma(x + 1.0), ngi_digamma(x) + 1.0 / x, 8, 3.0);
        ck_close(ngi_tetragamma(x + 1.0), ngi_tetragamma(x) + 2.0 / (x * x * x),
                 16, ngi_tetragamma(x));
    }
}
END_TEST

START_TEST(digamma_inverse_undoes_digamma) {
    for (double y = -1e6; y < 36.0; y = y < -1.0 ? 0.7 * y : y + 0.31) {
        const double x = ngi_digamma_inverse(y);
        /* The residual over x psi'(x) is the relative error of x. */
        const double residual = ngi_digamma(x) - y;
        ck_close(residual / (x * ngi_trigamma(x)), 0.0, 16,
                 fmax(1.0, fmax(y, 1.0 / (x * ngi_trigamma(x)))));
    }
    ck_close(ngi_digamma_inverse(-NGI_EULER_GAMMA), 1.0, 4, 1.0);
    ck_assert_double_eq(ngi_digamma_inverse(-1e300), 1e-300);
    ck_assert_double_eq(ngi_digamma_inverse((double)INFINITY),
                        (double)INFINITY);
    ck_assert_double_eq(ngi_digamma_inverse(-(double)INFINITY), 0.0);
}
END_TEST

START_TEST(elementary_functions_keep_relative_accuracy_everywhere) {
    for (double x = 1e-18; x < 1e3; x *= 1.7) {
        ck_close(ngi_expit(x) + ngi_expit(-x), 1.0, 2, 1);
        ck_close(ngi_softplus(x) - ngi_softplus(-x), x, 4, x + 1.0);
        ck_close(exp(ngi_log1mexp(-x)), -expm1(-x), 4, tail_scale(-expm1(-x)));
    }
    for (double x = 1e-3; x < 0.9; x *= 1.1) {
        /* Where the plain formula still has half its digits. */
        ck_close(ngi_expm1mx(x), expm1(x) - x, 2, x);
        ck_close(ngi_expm1mx(-x), expm1(-x) + x, 2, x);
        ck_close(ngi_log1pmx(x), log1p(x) - x, 2, x);
        ck_close(ngi_log1pmx(-x), log1p(-x) + x, 4, x / (1.0 - x));
    }
    ck_close(ngi_expm1mx(1e-9), 5e-19 * (1.0 + 1e-9 / 3.0), 4, 5e-19);
    ck_close(ngi_log1pmx(1e-9), -5e-19 * (1.0 - 2e-9 / 3.0), 4, 5e-19);
    ck_close(ngi_softplus(-700.0), exp(-700.0), 4, exp(-700.0));
    ck_assert_double_eq(ngi_softplus(1e308), 1e308);
    ck_assert_double_eq(ngi_expit(-1e308), 0.0);
    ck_assert_double_eq(ngi_xlogy(0.0, 0.0), 0.0);
    ck_assert_double_eq(ngi_xlogy(0.0, (double)INFINITY), 0.0);
    ck_assert_double_eq(ngi_xlogy(2.0, 1.0), 0.0);
}
END_TEST

START_TEST(normal_tails_and_quantiles_agree_with_reference_values) {
    ck_rows1(ngi_log_ndtr, log_ndtr_rows, COUNT(log_ndtr_rows), 4, 0);
    for (size_t i = 0; i < COUNT(log_ndtr_rows); i++) {
        const double p = exp(log_ndtr_rows[i].value);
        if (p > DBL_MIN)
            ck_close(ngi_ndtr(log_ndtr_rows[i].x), p, 4, tail_scale(p));
    }
    ck_rows1(ngi_ndtri, quantile_rows, COUNT(quantile_rows), 4, 0);
    for (double p = 1e-300; p < 0.5; p *= 3.0)
        if (p > DBL_EPSILON)
            ck_close(ngi_ndtri(1.0 - p), -ngi_ndtri(1.0 - (1.0 - p)), 2,
                     ngi_ndtri(p));
    ck_assert_double_eq(ngi_ndtri(0.5), 0.0);
    ck_assert_double_eq(ngi_ndtri(0.0), -(double)INFINITY);
    ck_assert_double_eq(ngi_ndtri(1.0), (double)INFINITY);
}
END_TEST

START_TEST(incomplete_gamma_agrees_with_reference_values) {
    for (size_t i = 0; i < COUNT(gamma_p_rows); i++) {
        const row2 *r = &gamma_p_rows[i];
        const double p = ngi_gamma_p(r->x, r->y);
        ck_close(p, r->value, 8, tail_scale(r->value));
        ck_close(p + ngi_gamma_q(r->x, r->y), 1.0, 8, 1.0);
    }
    for (size_t i = 0; i < COUNT(gamma_q_rows); i++) {
        const row2 *r = &gamma_q_rows[i];
        ck_close(ngi_gamma_q(r->x, r->y), r->value, 8, tail_scale(r->value));
    }
}
END_TEST

START_TEST(incomplete_gamma_of_whole_shape_is_a_poisson_sum) {
    /* Q(n, x) = e^-x sum_{k < n} x^k / k!; n straddles the switch to the
     * uniform expansion. */
    for (int n = 1; n < 60; n++)
        for (double x = 0.5; x < 120.0; x *= 1.3) {
            double term = exp(-x);
            double sum = 0.0;
            for (int k = 0; k < n; term *= x / ++k)
                sum += term;
            ck_close(ngi_gamma_q(n, x), sum, 8.0 + n, tail_scale(sum));
        }
}
END_TEST

static void ck_gamma_inverse(double a, double p) {
    const double x = ngi_gamma_p_inverse(a, p);
    if (x < DBL_MIN)
        return;
    /* dP/dlog x, by which the residual gives the relative error of x; that
     * of the tail itself is a few eps of its scale. */
    const double slope = exp(a * log(x) - x - ngi_lgamma(a));
    const double noise =
        64.0 * DBL_EPSILON * fmin(tail_scale(p), tail_scale(1.0 - p)) / slope;
    const double error = (ngi_gamma_p(a, x) - p) / slope;
    ck_assert_msg(fabs(error) < 1e-13 + noise + DBL_EPSILON / slope,
                  "a %g, p %g: relative error %g", a, p, error);
}

START_TEST(incomplete_gamma_inverse_undoes_it) {
    const double p[] = {1e-100, 1e-10, 0.01, 0.3, 0.5, 0.9, 1.0 - 1e-10};
    for (double a = 1e-3; a < 2e8; a *= 3.7)
        for (size_t i = 0; i < COUNT(p); i++)
            ck_gamma_inverse(a, p[i]);
    ck_assert_double_eq(ngi_gamma_p_inverse(2.0, 0.0), 0.0);
    ck_assert_double_eq(ngi_gamma_p_inverse(2.0, 1.0), (double)INFINITY);
    ck_close(ngi_gamma_p_inverse(1.0, 0.25), -log1p(-0.25), 8, 1.0);
}
END_TEST

START_TEST(incomplete_beta_agrees_with_reference_values) {
    for (size_t i = 0; i < COUNT(beta_rows); i++) {
        const row3 *r = &beta_rows[i];
        ck_close(ngi_beta_i(r->x, r->y, r->z), r->value, 16,
                 tail_scale(r->value));
    }
    /* I_{1/2}(a, a) = 1/2. */
    for (double a = 1e-8; a < 1e9; a *= 2.9)
        ck_close(ngi_beta_i(a, a, 0.5), 0.5, 8, 1.0);
}
END_TEST

START_TEST(incomplete_beta_obeys_symmetry_and_closed_forms) {
    const double x[] = {0.0078125, 0.25, 0.375, 0.5, 0.75, 0.984375};
    for (double a = 1e-6; a < 1e7; a *= 7.3)
        for (size_t i = 0; i < COUNT(x); i++) {
            /* I_x(a, 1) = x^a, I_x(1, b) = 1 - (1 - x)^b. */
            const double power = pow(x[i], a);
            if (power > DBL_MIN)
                ck_close(ngi_beta_i(a, 1.0, x[i]), power, 16,
                         tail_scale(power));
            const double other = -expm1(a * log1p(-x[i]));
            ck_close(ngi_beta_i(1.0, a, x[i]), other, 16, other);
            ck_close(ngi_beta_i(a, 2.5, x[i]) + ngi_beta_i(2.5, a, 1.0 - x[i]),
                     1.0, 16, 1.0);
        }
}
END_TEST

START_TEST(incomplete_beta_inverse_undoes_it) {
    const double p[] = {1e-20, 1e-3, 0.2, 0.5, 0.8, 0.999};
    for (double a = 0.01; a < 1e5; a *= 5.1)
        for (double b = 0.02; b < 1e5; b *= 6.7)
            for (size_t i = 0; i < COUNT(p); i++) {
                const double x = ngi_beta_i_inverse(a, b, p[i]);
                if (x < DBL_MIN || x > 0.999)
                    continue;
                const double slope =
                    exp(a * log(x) + b * log1p(-x) - ngi_lbeta(a, b)) /
                    (1.0 - x);
                const double error = (ngi_beta_i(a, b, x) - p[i]) / slope;
                const double noise =
                    64.0 * DBL_EPSILON * tail_scale(p[i]) / slope;
                ck_assert_msg(fabs(error) < 1e-12 + noise,
                              "a %g, b %g, p %g: relative error %g", a, b, p[i],
                              error);
            }
}
END_TEST

START_TEST(student_tail_agrees_with_reference_values) {
    for (size_t i = 0; i < COUNT(student_rows); i++) {
        const row2 *r = &student_rows[i];
        const double q = ngi_t_two_sided(r->x, r->y);
        ck_close(q, r->value, 16, tail_scale(r->value));
        ck_assert_double_eq(ngi_t_two_sided(-r->x, r->y), q);
        ck_assert_double_eq(ngi_t_cdf(-r->x, r->y), 0.5 * q);
        ck_close(ngi_t_cdf(r->x, r->y), 1.0 - 0.5 * q, 4, 1.0);
    }
}
END_TEST

START_TEST(student_reduces_to_cauchy_and_normal) {
    for (double t = 1e-12; t < 1e200; t *= 13.0) {
        const double tail = 2.0 / NGI_PI * atan2(1.0, t);
        ck_close(ngi_t_two_sided(t, 1.0), tail, 8, tail_scale(tail));
        /* Two degrees: the tail is 1 - t / sqrt(2 + t^2). */
        const double root = hypot(sqrt(2.0), t);
        const double two = 2.0 / root / (root + t);
        if (two > DBL_MIN)
            ck_close(ngi_t_two_sided(t, 2.0), two, 8, tail_scale(two));
    }
    const double limits[] = {1e20, 1e24, 1e26, 1e300, (double)INFINITY};
    for (size_t i = 0; i < COUNT(limits); i++)
        for (double t = 0.01; t < 37.0; t *= 1.9) {
            const double tail = 2.0 * ngi_ndtr(-t);
            /* Near t^2 / 2 = 1 the continued fraction takes about a hundred
             * rounded steps. */
            ck_close(ngi_t_two_sided(t, limits[i]), tail, 64, tail_scale(tail));
            ck_close(ngi_t_quantile(0.5 * tail, limits[i]), -t, 1e3,
                     t + 1.0 / t);
        }
}
END_TEST

START_TEST(student_quantile_undoes_the_distribution_function) {
    const double nu[] = {0.1, 0.7, 1.0, 2.5, 10.0, 61.0, 1e3, 1e8};
    const double p[] = {1e-30, 1e-6, 0.02, 0.25, 0.4375, 0.498046875};
    for (size_t i = 0; i < COUNT(nu); i++)
        for (size_t j = 0; j < COUNT(p); j++) {
            const double t = ngi_t_quantile(p[j], nu[i]);
            ck_assert_double_lt(t, 0.0);
            if (t > -1e300)
                ck_close(ngi_t_cdf(t, nu[i]), p[j], 256,
                         tail_scale(p[j]) * (1.0 + fmin(nu[i], t * t)));
        }
    ck_close(ngi_t_quantile(0.75, 1.0), 1.0, 8, 1.0);
    ck_assert_double_eq(ngi_t_quantile(0.5, 3.0), 0.0);
    ck_assert_double_eq(ngi_t_quantile(0.0, 3.0), -(double)INFINITY);
    /* The upper 2.5 % point for 10 degrees, A&S table 26.10. */
    ck_assert_double_lt(fabs(ngi_t_quantile(0.975, 10.0) - 2.228), 5e-4);
}
END_TEST

START_TEST(bessel_functions_agree_with_reference_values) {
    ck_rows1(ngi_log_bessel_i0, log_bessel_rows, COUNT(log_bessel_rows), 4, 0);
    ck_rows1(ngi_bessel_ratio, bessel_ratio_rows, COUNT(bessel_ratio_rows), 4,
             0);
    /* The continued fraction loses 2 x eps just below the switch at 30. */
    ck_rows1(ngi_bessel_ratio_derivative, bessel_derivative_rows,
             COUNT(bessel_derivative_rows), 128, 0);
}
END_TEST

START_TEST(bessel_ratio_inverse_undoes_it) {
    for (double x = 1e-12; x < 1e7; x *= 1.7) {
        const double r = ngi_bessel_ratio(x);
        /* The rounding of r is worth eps r / (x A') in x. */
        const double worth = r / (x * ngi_bessel_ratio_derivative(x));
        ck_close(ngi_bessel_ratio_inverse(r), x, 64.0 + worth, x);
    }
    ck_assert_double_eq(ngi_bessel_ratio_inverse(0.0), 0.0);
    ck_assert_double_eq(ngi_bessel_ratio_inverse(1.0), (double)INFINITY);
}
END_TEST

START_TEST(no_function_gives_nan_inside_its_domain) {
    const function1 f[] = {ngi_expit,
                           ngi_softplus,
                           ngi_expm1mx,
                           ngi_log1pmx,
                           ngi_lgamma,
                           ngi_digamma,
                           ngi_trigamma,
                           ngi_tetragamma,
                           ngi_log_minus_digamma,
                           ngi_trigamma_minus_inverse,
                           ngi_digamma_inverse,
                           ngi_log_ndtr,
                           ngi_ndtr,
                           ngi_log_bessel_i0,
                           ngi_bessel_ratio,
                           ngi_bessel_ratio_derivative};
    for (size_t i = 0; i < COUNT(f); i++)
        for (size_t j = 0; j < COUNT(probes); j++)
            ck_assert_msg(!isnan(f[i](probes[j])), "function %zu at %g", i,
                          probes[j]);
}
END_TEST

static void ck_probability(double p, const char *what, double a, double b) {
    ck_assert_msg(p >= 0.0 && p <= 1.0, "%s at %g, %g: %g", what, a, b, p);
}

static void ck_extreme_pair(double a, double b) {
    ck_assert(!isnan(ngi_lgamma_diff(a, b)));
    ck_assert(!isnan(ngi_lbeta(a, b)));
    ck_probability(ngi_t_two_sided(b, a), "two-sided t", a, b);
    ck_probability(ngi_t_cdf(-b, a), "t", a, b);
    if (!isinf(a)) {
        const double p = ngi_gamma_p(a, b);
        const double q = ngi_gamma_q(a, b);
        ck_probability(p, "P", a, b);
        ck_probability(q, "Q", a, b);
        ck_close(p + q, 1.0, 16, 1.0);
        if (b <= 1.0)
            ck_assert(ngi_gamma_p_inverse(a, b) >= 0.0);
    }
    if (b <= 1.0)
        ck_assert(!isnan(ngi_t_quantile(b, a)));
    if (b == 0.0 || (isinf(a) && isinf(b)))
        return;
    for (double x = 0.0; x <= 1.0; x += 0.125) {
        ck_probability(ngi_beta_i(a, b, x), "I", a, b);
        ck_probability(ngi_beta_i_inverse(a, b, x), "inverse I", a, b);
    }
}

START_TEST(distributions_stay_probabilities_at_extreme_arguments) {
    for (size_t i = 1; i < COUNT(probes); i++)
        for (size_t j = 0; j < COUNT(probes); j++)
            ck_extreme_pair(probes[i], probes[j]);
}
END_TEST

START_TEST(arguments_outside_the_domain_give_nan) {
    ck_assert_double_nan(ngi_lgamma(-1.0));
    ck_assert_double_nan(ngi_digamma(-0.5));
    ck_assert_double_nan(ngi_trigamma((double)NAN));
    ck_assert_double_nan(ngi_ndtri(1.5));
    ck_assert_double_nan(ngi_gamma_p(0.0, 1.0));
    ck_assert_double_nan(ngi_gamma_q(1.0, -1.0));
    ck_assert_double_nan(ngi_beta_i(1.0, 1.0, 2.0));
    ck_assert_double_nan(ngi_t_two_sided(1.0, 0.0));
    ck_assert_double_nan(ngi_bessel_ratio_inverse(1.5));
    ck_assert_double_nan(ngi_log_bessel_i0(-1.0));
}
END_TEST

static double power_integrand(double x, void *user) {
    return pow(x, *(const double *)user);
}

static double normal_density(double x, void *user) {
    const double z = x - *(const double *)user;
    return exp(-0.5 * (z * z + NGI_LOG_2PI));
}

static double exponential_density(double x, void *user) {
    (void)user;
    return exp(-x);
}

static double reflected_density(double x, void *user) {
    return exponential_density(-x, user);
}

static double overflowing_product(double x, void *user) {
    (void)user;
    return exp(-x * x) * cosh(x);
}

START_TEST(integrals_agree_with_closed_forms) {
    const double infinity = (double)INFINITY;
    double exponent = -0.5;
    const double tolerance = 1e-13;
    ck_close(ngi_integrate(power_integrand, &exponent, 0.0, 1.0, tolerance),
             2.0, 64, 1.0);
    exponent = 2.5;
    ck_close(ngi_integrate(power_integrand, &exponent, 0.0, 4.0, tolerance),
             pow(4.0, 3.5) / 3.5, 16, 40.0);
    for (double mean = -3.0; mean < 4.0; mean += 1.5) {
        ck_close(ngi_integrate(normal_density, &mean, -infinity, infinity,
                               tolerance),
                 1.0, 16, 1.0);
        ck_close(
            ngi_integrate(normal_density, &mean, -infinity, 0.5, tolerance),
            ngi_ndtr(0.5 - mean), 16, 1.0);
        ck_close(ngi_integrate(normal_density, &mean, 2.0, -1.0, tolerance),
                 ngi_ndtr(-1.0 - mean) - ngi_ndtr(2.0 - mean), 16, 1.0);
    }
    ck_close(ngi_integrate(exponential_density, NULL, 2.0, infinity, tolerance),
             exp(-2.0), 16, 1.0);
    ck_close(ngi_integrate(reflected_density, NULL, -infinity, -2.0, tolerance),
             exp(-2.0), 16, 1.0);
    /* The second factor overflows where the first has vanished. */
    ck_close(ngi_integrate(overflowing_product, NULL, -infinity, infinity,
                           tolerance),
             sqrt(NGI_PI) * exp(0.25), 16, 2.0);
    ck_assert_double_eq(
        ngi_integrate(exponential_density, NULL, 1.0, 1.0, tolerance), 0.0);
}
END_TEST

typedef struct counted_root {
    double root;
    int power;
    int calls;
} counted_root;

static double root_function(double x, void *user) {
    counted_root *r = user;
    r->calls++;
    return copysign(pow(fabs(x - r->root), r->power), x - r->root);
}

static double step_function(double x, void *user) {
    return x < *(const double *)user ? -1.0 : 1.0;
}

START_TEST(root_is_found_to_the_last_bits_in_few_calls) {
    const double roots[] = {1e-3, 0.7, 1.0, 1234.5};
    for (size_t i = 0; i < COUNT(roots); i++)
        for (int power = 1; power < 6; power += 2) {
            counted_root r = {roots[i], power, 0};
            const double x = ngi_root(root_function, &r, -1.0, 2000.0);
            ck_close(x, r.root, 4, r.root);
            ck_assert_int_lt(r.calls, 160);
        }
    double step = 0.3;
    ck_close(ngi_root(step_function, &step, -1e8, 1e8), step, 4, step);
    /* A root at an end. */
    counted_root end = {2.0, 1, 0};
    ck_assert_double_eq(ngi_root(root_function, &end, 2.0, 5.0), 2.0);
    ck_assert_double_eq(ngi_root(root_function, &end, 0.0, 2.0), 2.0);
}
END_TEST

static void add_gamma_tests(Suite *suite) {
    TCase *tests = tcase_create("gamma");
    tcase_add_test(tests, log_gamma_and_polygamma_agree_with_reference_values);
    tcase_add_test(tests,
                   polygamma_remainders_keep_relative_accuracy_for_large_x);
    tcase_add_test(tests, log_gamma_difference_and_log_beta_do_not_cancel);
    tcase_add_test(tests, polygamma_obeys_recurrence_and_reflection);
    tcase_add_test(tests, digamma_inverse_undoes_digamma);
    suite_add_tcase(suite, tests);
}

static void add_distribution_tests(Suite *suite) {
    TCase *tests = tcase_create("distributions");
    tcase_set_timeout(tests, 60.0);
    tcase_add_test(tests,
                   normal_tails_and_quantiles_agree_with_reference_values);
    tcase_add_test(tests, incomplete_gamma_agrees_with_reference_values);
    tcase_add_test(tests, incomplete_gamma_of_whole_shape_is_a_poisson_sum);
    tcase_add_test(tests, incomplete_gamma_inverse_undoes_it);
    tcase_add_test(tests, incomplete_beta_agrees_with_reference_values);
    tcase_add_test(tests, incomplete_beta_obeys_symmetry_and_closed_forms);
    tcase_add_test(tests, incomplete_beta_inverse_undoes_it);
    tcase_add_test(tests, student_tail_agrees_with_reference_values);
    tcase_add_test(tests, student_reduces_to_cauchy_and_normal);
    tcase_add_test(tests, student_quantile_undoes_the_distribution_function);
    suite_add_tcase(suite, tests);
}

static void add_other_tests(Suite *suite) {
    TCase *tests = tcase_create("elementary, Bessel, quadrature");
    tcase_add_test(tests,
                   elementary_functions_keep_relative_accuracy_everywhere);
    tcase_add_test(tests, bessel_functions_agree_with_reference_values);
    tcase_add_test(tests, bessel_ratio_inverse_undoes_it);
    tcase_add_test(tests, integrals_agree_with_closed_forms);
    tcase_add_test(tests, root_is_found_to_the_last_bits_in_few_calls);
    suite_add_tcase(suite, tests);
}

static void add_extreme_tests(Suite *suite) {
    TCase *tests = tcase_create("extremes");
    tcase_set_timeout(tests, 120.0);
    tcase_add_test(tests, no_function_gives_nan_inside_its_domain);
    tcase_add_test(tests,
                   distributions_stay_probabilities_at_extreme_arguments);
    tcase_add_test(tests, arguments_outside_the_domain_give_nan);
    suite_add_tcase(suite, tests);
}

int main(void) {
    Suite *suite = suite_create("special");
    add_gamma_tests(suite);
    add_distribution_tests(suite);
    add_other_tests(suite);
    add_extreme_tests(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
