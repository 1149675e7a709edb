/* The branch-free elementary functions against the C library in extended
 * precision. An ulp is the distance of doubles at the exact value; where a
 * long double has no more digits than a double, it adds half an ulp of its
 * own. */
#include "numerics/vector_math.h"

#include <check.h>
#include <stdlib.h>

#define LENGTH(table) (sizeof(table) / sizeof *(table))

static long double exact_softplus(long double x) {
    return (x > 0 ? x : 0) + log1pl(expl(-fabsl(x)));
}

static long double exact_expit(long double x) {
    return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x));
}

/* e^x - 1 - x by its series where the difference cancels. */
static long double exact_minus_1_x(long double x) {
    if (fabsl(x) > 0.5L)
        return expm1l(x) - x;
    long double sum = 0;
    for (int k = 24; k > 2; k--)
        sum = (1 + sum) * x / k;
    return 0.5L * x * x * (1 + sum);
}

/* log(1 + x) - x likewise. */
static long double exact_log_less(long double x) {
    if (fabsl(x) > 0.25L)
        return log1pl(x) - x;
    long double sum = 0;
    for (int k = 40; k >= 2; k--)
        sum = sum * -x + 1.0L / k;
    return -x * x * sum;
}

static void grow_minus_1(size_t n, const double *x, double *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = ngi_lane_grow(x[i]).minus_1;
}

static void grow_minus_1_x(size_t n, const double *x, double *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = ngi_lane_grow(x[i]).minus_1_x;
}

static void log_less(size_t n, const double *x, double *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = ngi_lane_log_less(1 + x[i], x[i]);
}

static void logistic_small(size_t n, const double *x, double *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = ngi_lane_logistic(x[i]).small;
}

static long double exact_small(long double x) {
    return exact_expit(-fabsl(x));
}

/* The bounds: exp and log are half an ulp of the last sum and less than half
 * of one before it. expit adds the sum and the division. e^x - 1 is at worst
 * 2 (e^r - 1) + 1 at r = -ln(2) / 2, where it loses a factor of 1.4 and the
 * last sum rounds once more. Where x is subtracted, too, (x beyond ln(2) / 2
 * for an exponential, sqrt(2) - 1 for a logarithm) the terms are up to 7 times
 * as large as what remains, and each has an error of an ulp. */
static const struct {
    const char *name;
    void (*own)(size_t n, const double *x, double *y);
    long double (*exact)(long double x);
    double bound; /* ulps */
    double from, to;
} CASES[] = {
    {"exp", ngi_vector_exp, expl, 1, -745.2, 709.7},
    {"exp", ngi_vector_exp, expl, 1, -1, 1},
    {"log", ngi_vector_log, logl, 1, 0x1p-1022, 4},
    {"log", ngi_vector_log, logl, 1, 0.5, 2},
    {"log", ngi_vector_log, logl, 1, 0x1p-1074, 0x1p-1020},
    {"log", ngi_vector_log, logl, 1, 1, 0x1p1023},
    {"softplus", ngi_vector_softplus, exact_softplus, 3, -745, 800},
    {"softplus", ngi_vector_softplus, exact_softplus, 3, -5, 5},
    {"expit", ngi_vector_expit, exact_expit, 3, -745, 40},
    {"expit", ngi_vector_expit, exact_expit, 3, -5, 5},
    {"small", logistic_small, exact_small, 3, -745, 745},
    {"e^x-1", grow_minus_1, expm1l, 4, -40, 709},
    {"e^x-1", grow_minus_1, expm1l, 4, -2, 2},
    {"e^x-1", grow_minus_1, expm1l, 4, -1e-9, 1e-9},
    {"e^x-1-x", grow_minus_1_x, exact_minus_1_x, 16, -600, 600},
    {"e^x-1-x", grow_minus_1_x, exact_minus_1_x, 16, -2, 2},
    {"e^x-1-x", grow_minus_1_x, exact_minus_1_x, 4, -0.34, 0.34},
    {"e^x-1-x", grow_minus_1_x, exact_minus_1_x, 4, -1e-9, 1e-9},
    {"log(1+x)-x", log_less, exact_log_less, 16, -0.999, 10},
    {"log(1+x)-x", log_less, exact_log_less, 4, -0.29, 0.41},
    {"log(1+x)-x", log_less, exact_log_less, 4, -1e-9, 1e-9},
};

static double ulp(long double exact) {
    int exponent;
    frexpl(exact, &exponent);
    return ldexp(1, exponent - DBL_MANT_DIG > -1074 ? exponent - DBL_MANT_DIG
                                                    : -1074);
}

START_TEST(a_function_is_within_its_ulps_over_even_grids) {
    enum { BATCHES = 100, BATCH = 1001 };
    double step = (CASES[_i].to - CASES[_i].from) / (BATCHES * BATCH);
    for (size_t b = 0; b < BATCHES; b++) {
        double x[BATCH], y[BATCH];
        for (size_t i = 0; i < BATCH; i++)
            x[i] = CASES[_i].from + (double)(b * BATCH + i) * step;
        CASES[_i].own(BATCH, x, y);
        for (size_t i = 0; i < BATCH; i++) {
            long double exact = CASES[_i].exact((long double)x[i]);
            double error =
                (double)fabsl((long double)y[i] - exact) / ulp(exact);
            ck_assert_msg(error <= CASES[_i].bound, "%s(%.17g): %g ulp",
                          CASES[_i].name, x[i], error);
        }
    }
}
END_TEST

START_TEST(limits_are_met_and_a_nan_stays_one) {
    const double x[] = {0, HUGE_VAL, -HUGE_VAL, 800, -800, DBL_MAX, -DBL_MAX};
    double y[LENGTH(x)], nan = (double)NAN;
    ngi_vector_exp(LENGTH(x), x, y);
    ck_assert(y[0] == 1 && y[1] == HUGE_VAL && y[2] == 0);
    ck_assert(y[3] == HUGE_VAL && y[4] == 0 && y[5] == HUGE_VAL && y[6] == 0);
    ngi_vector_log(LENGTH(x), x, y);
    ck_assert(y[0] == -HUGE_VAL && y[1] == HUGE_VAL);
    ck_assert(isnan(y[2]) && isnan(y[4]) && isnan(y[6]));
    ngi_vector_softplus(LENGTH(x), x, y);
    ck_assert(y[1] == HUGE_VAL && y[2] == 0 && y[3] == 800 && y[4] == 0);
    ck_assert(y[5] == DBL_MAX && y[6] == 0);
    ngi_vector_expit(LENGTH(x), x, y);
    ck_assert(y[0] == 0.5 && y[1] == 1 && y[2] == 0 && y[3] == 1 && y[4] == 0);
    void (*const all[])(size_t, const double *, double *) = {
        ngi_vector_exp,   ngi_vector_log, ngi_vector_softplus,
        ngi_vector_expit, grow_minus_1,   grow_minus_1_x};
    for (size_t k = 0; k < LENGTH(all); k++) {
        all[k](1, &nan, y);
        ck_assert(isnan(y[0]));
    }
}
END_TEST

START_TEST(log_of_1_and_growth_by_0_are_0_exactly) {
    double one = 1, y;
    ngi_vector_log(1, &one, &y);
    ck_assert(y == 0);
    ngi_lane_growth g = ngi_lane_grow(0);
    ck_assert(g.exp == 1 && g.minus_1 == 0 && g.minus_1_x == 0);
    ck_assert(ngi_lane_log_less(1, 0) == 0);
    ck_assert(ngi_lane_log1p_unit(0) == 0);
}
END_TEST

/* The last numbers of an array take another way than those in full vectors;
 * an ulp each is what contracted products may make of it. */
START_TEST(a_number_gives_the_same_in_every_place) {
    double x[37], y[37], alone;
    for (size_t i = 0; i < LENGTH(x); i++)
        x[i] = 0.37 * (double)i + 0.01;
    ngi_vector_log(LENGTH(x), x, y);
    for (size_t i = 0; i < LENGTH(x); i++) {
        ngi_vector_log(1, x + i, &alone);
        ck_assert_double_le(fabs(alone - y[i]), 2 * ulp((long double)y[i]));
    }
    ngi_vector_exp(LENGTH(x), x, y);
    for (size_t i = 0; i < LENGTH(x); i++) {
        ngi_vector_exp(1, x + i, &alone);
        ck_assert_double_le(fabs(alone - y[i]), 2 * ulp((long double)y[i]));
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("vector_math");
    TCase *functions = tcase_create("functions");
    tcase_set_timeout(functions, 60);
    tcase_add_loop_test(functions,
                        a_function_is_within_its_ulps_over_even_grids, 0,
                        (int)LENGTH(CASES));
    tcase_add_test(functions, limits_are_met_and_a_nan_stays_one);
    tcase_add_test(functions, log_of_1_and_growth_by_0_are_0_exactly);
    tcase_add_test(functions, a_number_gives_the_same_in_every_place);
    suite_add_tcase(suite, functions);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
