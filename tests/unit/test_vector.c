/* The single-precision kernels against the C library in double precision, and
 * sums. An ulp is the distance of floats at the exact value. */
#define NGI_DOUBLE 0
#include "network/real.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH(table) (sizeof(table) / sizeof *(table))

double ngi_dot_f64(size_t n, const double *x, const double *y);
void ngi_sigmoid_f64(size_t n, const double *x, double *y);
void ngi_softplus_f64(size_t n, const double *x, double *y);
bool ngi_finite_f64(size_t n, const double *x);

static double exact_sigmoid(double x) {
    return x > 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

static double exact_softplus(double x) {
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

typedef struct kernel {
    const char *name;
    void (*own)(size_t n, const float *x, float *y);
    double (*exact)(double x);
    double bound;    /* ulps */
    double from, to; /* where it holds */
} kernel;

/* The bounds follow from the steps, in units of half an ulp of the result:
 * exp: the argument's reduction 1, its polynomial 2, scaling and sum 1; twice
 * where a sum lies just above a power of 2. tanh, sigmoid: that, a sum and a
 * division more. softplus: the exponential, the quotient and the polynomial.
 */
static const kernel KERNELS[] = {
    {"exp", ngi_exp_f32, exp, 2, -87, 87},
    {"tanh", ngi_tanh_f32, tanh, 4, -100, 100},
    {"sigmoid", ngi_sigmoid_f32, exact_sigmoid, 4, -87, 100},
    {"softplus", ngi_softplus_f32, exact_softplus, 4, -87, 1e30},
};

static double ulp(double exact) {
    int exponent;
    frexp(exact, &exponent);
    return ldexp(1, exponent - FLT_MANT_DIG);
}

enum { BATCH = 1000 };

/* The largest error over a batch, in ulps. */
static double worst(const kernel *k, const float *x, size_t n) {
    float y[BATCH];
    double most = 0;
    k->own(n, x, y);
    for (size_t i = 0; i < n; i++) {
        double exact = k->exact((double)x[i]);
        most = fmax(most, fabs((double)y[i] - exact) / ulp(exact));
    }
    return most;
}

/* Evenly spaced numbers over [from, to]. */
static double worst_even(const kernel *k, double from, double to) {
    enum { BATCHES = 400 };
    double most = 0, step = (to - from) / (BATCHES * BATCH - 1.0);
    for (size_t b = 0; b < BATCHES; b++) {
        float x[BATCH];
        for (size_t i = 0; i < BATCH; i++)
            x[i] = (float)(from + (double)(b * BATCH + i) * step);
        most = fmax(most, worst(k, x, BATCH));
    }
    return most;
}

START_TEST(a_kernel_is_within_its_ulps_over_even_grids) {
    const kernel *k = &KERNELS[_i];
    double spans[] = {1, 20, HUGE_VAL};
    for (size_t s = 0; s < LENGTH(spans); s++) {
        double from = fmax(k->from, -spans[s]);
        double to = fmin(fmin(k->to, spans[s]), 200);
        double most = worst_even(k, from, to);
        ck_assert_msg(most <= k->bound, "%s within %g: %g ulp", k->name,
                      spans[s], most);
    }
}
END_TEST

/* Both signs, from the smallest normal float on. */
START_TEST(a_kernel_is_within_its_ulps_over_all_magnitudes) {
    const kernel *k = &KERNELS[_i];
    double most = 0;
    for (int exponent = -126; exponent < 100; exponent++) {
        float x[BATCH];
        size_t n = 0;
        for (int i = 0; i < BATCH; i++) {
            double value = ldexp(1 + (i / 2) / (BATCH / 2.0), exponent);
            value = i % 2 ? -value : value;
            if (value >= k->from && value <= k->to)
                x[n++] = (float)value;
        }
        most = fmax(most, worst(k, x, n));
    }
    ck_assert_msg(most <= k->bound, "%s: %g ulp", k->name, most);
}
END_TEST

/* A value does not depend on its place, nor on how many there are. */
START_TEST(a_kernel_gives_the_same_bits_in_every_place) {
    const kernel *k = &KERNELS[_i];
    float x[67], all[67], one;
    for (int i = 0; i < 67; i++)
        x[i] = 0.37f * (float)(i - 33);
    k->own(67, x, all);
    for (int i = 0; i < 67; i++) {
        k->own(1, x + i, &one);
        ck_assert_mem_eq(&one, all + i, sizeof one);
    }
    k->own(67, x, x);
    ck_assert_mem_eq(x, all, sizeof all);
}
END_TEST

START_TEST(a_nan_stays_one) {
    float x[33], y[33];
    for (int i = 0; i < 33; i++)
        x[i] = i % 2 ? (float)NAN : 1;
    KERNELS[_i].own(33, x, y);
    for (int i = 0; i < 33; i++)
        ck_assert_int_eq(isnan(y[i]) != 0, i % 2);
}
END_TEST

/* Exponentials stop at e^+-87 (6.1e37 and 1.6e-38), so that nothing becomes 0
 * or infinite whose logarithm or reciprocal is wanted. */
START_TEST(infinities_and_what_lies_far_out_meet_the_limits) {
    const float far[] = {HUGE_VALF, FLT_MAX, 1000, -1000, -FLT_MAX, -HUGE_VALF};
    float y[6];
    ngi_exp_f32(6, far, y);
    for (int i = 0; i < 6; i++) {
        double limit = exp(i < 3 ? 87 : -87);
        ck_assert_double_le(fabs((double)y[i] - limit), 2 * ulp(limit));
    }
    ngi_tanh_f32(6, far, y);
    for (int i = 0; i < 6; i++)
        ck_assert(y[i] == (i < 3 ? 1 : -1));
    ngi_sigmoid_f32(6, far, y);
    for (int i = 0; i < 6; i++)
        ck_assert(i < 3 ? y[i] == 1 : y[i] > 0 && y[i] < 2e-38f);
    ngi_softplus_f32(6, far, y);
    for (int i = 0; i < 6; i++)
        ck_assert(i < 3 ? y[i] == far[i] : y[i] > 0 && y[i] < 2e-38f);
}
END_TEST

START_TEST(double_kernels_meet_their_limits_too) {
    const double x[] = {HUGE_VAL, -HUGE_VAL, (double)NAN, 0};
    double y[4];
    ngi_sigmoid_f64(4, x, y);
    ck_assert(y[0] == 1 && y[1] == 0 && isnan(y[2]) && y[3] == 0.5);
    ngi_softplus_f64(4, x, y);
    ck_assert(isinf(y[0]) && y[1] == 0 && isnan(y[2]));
    ck_assert_double_le(fabs(y[3] - log(2)), DBL_EPSILON);
}
END_TEST

START_TEST(zero_keeps_its_sign_and_ones_are_exact) {
    const float x[] = {0.0f, -0.0f};
    float y[2];
    ngi_tanh_f32(2, x, y);
    ck_assert(y[0] == 0 && y[1] == 0);
    ngi_exp_f32(2, x, y);
    ck_assert(y[0] == 1 && y[1] == 1);
    ngi_sigmoid_f32(2, x, y);
    ck_assert(y[0] == 0.5f && y[1] == 0.5f);
}
END_TEST

/* ---- Sums -----------------------------------------------------------------
 */

/* Products of floats are exact in double: n roundings of partial sums. */
START_TEST(dot_is_summed_in_double) {
    enum { MOST = 4099 };
    static float x[MOST], y[MOST];
    ng_rng rng;
    ng_rng_init(&rng, 5, 0);
    for (size_t i = 0; i < MOST; i++) {
        x[i] = (float)ng_rng_normal(&rng);
        y[i] = (float)ng_rng_normal(&rng);
    }
    const size_t lengths[] = {0, 1, 15, 16, 17, 31, 257, MOST};
    for (size_t k = 0; k < LENGTH(lengths); k++) {
        long double sum = 0, size = 0;
        for (size_t i = 0; i < lengths[k]; i++) {
            sum += (long double)x[i] * (long double)y[i];
            size += fabsl((long double)x[i] * (long double)y[i]);
        }
        double error =
            fabs((double)(ngi_dot_f32(lengths[k], x, y) - (double)sum));
        ck_assert_double_le(error,
                            (double)lengths[k] * DBL_EPSILON * (double)size);
    }
}
END_TEST

/* The order of a sum depends on nothing but its length: not on where the
 * numbers lie in memory. */
START_TEST(dot_has_the_same_bits_wherever_its_numbers_lie) {
    static double x[600], copy[600];
    ng_rng rng;
    ng_rng_init(&rng, 6, 0);
    for (size_t i = 0; i < 500; i++)
        x[i] = ng_rng_normal(&rng);
    double first = ngi_dot_f64(500, x, x);
    for (size_t shift = 1; shift < 16; shift++) {
        memcpy(copy + shift, x, 500 * sizeof *x);
        double again = ngi_dot_f64(500, copy + shift, copy + shift);
        ck_assert_mem_eq(&again, &first, sizeof first);
    }
}
END_TEST

START_TEST(axpby_without_b_does_not_read_y) {
    float x[20], y[20];
    for (int i = 0; i < 20; i++) {
        x[i] = (float)i;
        y[i] = (float)NAN;
    }
    ngi_axpby_f32(20, 2, x, 0, y);
    for (int i = 0; i < 20; i++)
        ck_assert(y[i] == 2 * x[i]);
    ngi_axpby_f32(20, -1, x, 3, y);
    for (int i = 0; i < 20; i++)
        ck_assert(y[i] == 5 * x[i]);
}
END_TEST

START_TEST(finite_finds_one_that_is_not_and_large_ones_are) {
    float x[40];
    double wide[40];
    const float bad[] = {HUGE_VALF, -HUGE_VALF, (float)NAN};
    for (size_t i = 0; i < 40; i++) {
        x[i] = i % 2 ? FLT_MAX : -FLT_MAX;
        wide[i] = DBL_MAX;
    }
    ck_assert(ngi_finite_f32(40, x) && ngi_finite_f32(0, x));
    ck_assert(ngi_finite_f64(40, wide));
    for (size_t i = 0; i < 40; i++) {
        float kept = x[i];
        x[i] = bad[i % 3];
        wide[i] = (double)bad[i % 3];
        ck_assert(!ngi_finite_f32(40, x) && !ngi_finite_f64(40, wide));
        x[i] = kept;
        wide[i] = 0;
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("vector");
    TCase *kernels = tcase_create("kernels");
    const int count = (int)LENGTH(KERNELS);
    tcase_set_timeout(kernels, 60);
    tcase_add_loop_test(kernels, a_kernel_is_within_its_ulps_over_even_grids, 0,
                        count);
    tcase_add_loop_test(
        kernels, a_kernel_is_within_its_ulps_over_all_magnitudes, 0, count);
    tcase_add_loop_test(kernels, a_kernel_gives_the_same_bits_in_every_place, 0,
                        count);
    tcase_add_loop_test(kernels, a_nan_stays_one, 0, count);
    tcase_add_test(kernels, infinities_and_what_lies_far_out_meet_the_limits);
    tcase_add_test(kernels, double_kernels_meet_their_limits_too);
    tcase_add_test(kernels, zero_keeps_its_sign_and_ones_are_exact);
    suite_add_tcase(suite, kernels);
    TCase *sums = tcase_create("sums");
    tcase_add_test(sums, dot_is_summed_in_double);
    tcase_add_test(sums, dot_has_the_same_bits_wherever_its_numbers_lie);
    tcase_add_test(sums, axpby_without_b_does_not_read_y);
    tcase_add_test(sums, finite_finds_one_that_is_not_and_large_ones_are);
    suite_add_tcase(suite, sums);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
