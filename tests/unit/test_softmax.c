/* The softmax engine against closed forms, against a gradient that is written
 * down directly, and against itself under changes that must not matter. */
#include "glm/softmax_impl.h"
#include "learners/array_rows.h"
#include "numerics/linalg.h"
#include "numerics/linalg_single.h"
#include "unit/scarce.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define OK(call) ck_assert_int_eq(call, NG_OK)

enum { ROWS = 700, WIDTH = 6, LEVELS = 4, DIM = (LEVELS - 1) * WIDTH };

static ng_ctx *ctx;

static void set_up(void) {
    OK(ng_ctx_create(NULL, &ctx));
}

static void tear_down(void) {
    ng_ctx_destroy(&ctx);
}

/* ---- Data ---- */

typedef struct data {
    double X[ROWS * WIDTH], y[ROWS], weight[ROWS], ridge[WIDTH];
    array_rows rows;
    ngi_softmax_spec spec;
    double theta[DIM];
    ng_report report;
} data;

/* An intercept and correlated columns; levels drawn from a softmax whose
 * coefficients are of this size. */
static data *simulate(double size) {
    data *d = calloc(1, sizeof *d);
    ck_assert_ptr_nonnull(d);
    ng_rng rng;
    ng_rng_init(&rng, 5, 0);
    for (size_t i = 0; i < ROWS; i++) {
        double common = ng_rng_normal(&rng), best = -HUGE_VAL;
        for (size_t j = 0; j < WIDTH; j++)
            d->X[j * ROWS + i] = j ? common + ng_rng_normal(&rng) : 1;
        for (size_t k = 0; k < LEVELS; k++) {
            double eta = -log(-log(ng_rng_uniform(&rng)));
            for (size_t j = 0; j < WIDTH; j++)
                eta += size * sin((double)(3 * k + 5 * j)) * d->X[j * ROWS + i];
            d->y[i] = eta > best ? (double)k : d->y[i];
            best = fmax(eta, best);
        }
        d->weight[i] = 1;
    }
    d->spec = (ngi_softmax_spec){
        .levels = LEVELS, .gradient_tolerance = 1e-12, .max_iter = 200};
    return d;
}

static void fit_on(ng_ctx *where, data *d) {
    array_rows_init(&d->rows, where, ROWS, WIDTH, d->X, d->y, d->weight);
    d->spec.rows = &d->rows.rows;
    OK(ngi_softmax_run(where, &d->spec, d->theta, &d->report));
}

static void fit(data *d) {
    fit_on(ctx, d);
}

/* The penalised mean loss and its gradient, row by row. */
static double objective(const data *d, const double *theta, double *gradient) {
    double total = 0, loss = 0;
    memset(gradient, 0, DIM * sizeof *gradient);
    for (size_t i = 0; i < ROWS; i++)
        total += d->weight[i];
    for (size_t i = 0; i < ROWS; i++) {
        double eta[LEVELS] = {0}, sum = 0, top = 0;
        for (size_t k = 1; k < LEVELS; k++)
            for (size_t j = 0; j < WIDTH; j++)
                eta[k] += theta[(k - 1) * WIDTH + j] * d->X[j * ROWS + i];
        for (size_t k = 0; k < LEVELS; k++)
            top = fmax(top, eta[k]);
        for (size_t k = 0; k < LEVELS; k++)
            sum += exp(eta[k] -= top);
        loss += d->weight[i] / total * (log(sum) - eta[(size_t)d->y[i]]);
        for (size_t k = 1; k < LEVELS; k++) {
            double u = exp(eta[k]) / sum - (d->y[i] == (double)k);
            for (size_t j = 0; j < WIDTH; j++)
                gradient[(k - 1) * WIDTH + j] +=
                    d->weight[i] / total * u * d->X[j * ROWS + i];
        }
    }
    for (size_t j = 0; j < WIDTH; j++) {
        double mean = 0;
        for (size_t k = 0; k + 1 < LEVELS; k++)
            mean += theta[k * WIDTH + j] / LEVELS;
        for (size_t k = 0; k < LEVELS; k++) {
            double b = (k ? theta[(k - 1) * WIDTH + j] : 0) - mean;
            loss += 0.5 * d->ridge[j] * b * b;
            if (k)
                gradient[(k - 1) * WIDTH + j] += d->ridge[j] * b;
        }
    }
    return loss;
}

/* Sums of ROWS terms of a few units, each a few roundings off. */
static const double gradient_rounding = 1e-13;

static void check_optimum(const data *d) {
    double gradient[DIM];
    double loss = objective(d, d->theta, gradient);
    ck_assert_int_eq(d->report.stop, NG_CONVERGED);
    ck_assert_double_le(ngi_max_abs(DIM, gradient),
                        d->spec.gradient_tolerance + gradient_rounding);
    ck_assert_double_eq_tol(d->report.objective, loss, 1e-13);
    ck_assert_double_le(d->report.gradient_norm, d->spec.gradient_tolerance);
}

/* ---- The products ---- */

START_TEST(products_are_those_of_plain_loops_for_every_number_of_outputs) {
    enum { N = 77, P = 5, LD = NGI_SOFTMAX_CHUNK, MOST = 23 };
    size_t q = (size_t)_i;
    static double X[P * N], eta[MOST * LD], panels[MOST * P], u[MOST * LD];
    const double *x[P];
    ng_rng rng;
    ng_rng_init(&rng, 1, q);
    for (size_t i = 0; i < P * N; i++)
        X[i] = ng_rng_normal(&rng);
    for (size_t j = 0; j < P; j++)
        x[j] = X + j * N;
    for (size_t i = 0; i < MOST * P; i++)
        panels[i] = ng_rng_normal(&rng);
    size_t width = ngi_softmax_panel_width(q);
    ngi_softmax_eta(N, P, q, x, panels, eta, LD);
    for (size_t k = 0; k < q; k++) {
        size_t first = k - k % width;
        size_t K = q - first < width ? q - first : width;
        for (size_t i = 0; i < N; i++) {
            double sum = 0;
            for (size_t j = 0; j < P; j++)
                sum += panels[first * P + j * K + k - first] * x[j][i];
            ck_assert_double_eq_tol(eta[k * LD + i], sum, 1e-14 * 20);
            u[k * LD + i] = ng_rng_normal(&rng);
        }
    }
    memset(panels, 0, sizeof panels);
    ngi_softmax_gradient(N, P, q, x, u, LD, panels);
    for (size_t k = 0; k < q; k++) {
        size_t first = k - k % width;
        size_t K = q - first < width ? q - first : width;
        for (size_t j = 0; j < P; j++) {
            double sum = 0;
            for (size_t i = 0; i < N; i++)
                sum += u[k * LD + i] * x[j][i];
            ck_assert_double_eq_tol(panels[first * P + j * K + k - first], sum,
                                    N * 1e-15 * 10);
        }
    }
}
END_TEST

START_TEST(packed_triangles_compute_what_squares_do) {
    enum { N = 40, MOST = 12 };
    size_t d = (size_t)_i;
    float A[N * MOST], S[MOST * MOST] = {0}, packed[MOST * (MOST + 1) / 2];
    float b[MOST], c[MOST];
    ng_rng rng;
    ng_rng_init(&rng, 2, d);
    for (size_t i = 0; i < N * d; i++)
        A[i] = (float)ng_rng_normal(&rng);
    memset(packed, 0, sizeof packed);
    ngi_packed_syrk_single(d, N, A, packed);
    for (size_t i = 0; i < d; i++) {
        b[i] = c[i] = (float)i - 2;
        packed[ngi_packed_diagonal(d, i)] += (float)i;
        S[i * d + i] = (float)i;
        for (size_t j = 0; j <= i; j++)
            for (size_t r = 0; r < N; r++)
                S[i * d + j] += A[r * d + i] * A[r * d + j];
    }
    ck_assert(ngi_packed_cholesky_single(d, packed));
    ck_assert(ngi_cholesky_single(d, S));
    ngi_packed_solve_single(d, packed, b);
    ngi_cholesky_solve_single(d, S, 1, c);
    /* Forty rows of at most twelve columns: a condition below 100. */
    for (size_t i = 0; i < d; i++)
        ck_assert_double_eq_tol((double)b[i], (double)c[i],
                                100 * 12 * (double)FLT_EPSILON);
}
END_TEST

/* ---- Answers ---- */

START_TEST(intercepts_alone_are_logs_of_the_ratios_of_counts) {
    data *d = simulate(0.3);
    double count[LEVELS] = {0};
    for (size_t i = 0; i < ROWS; i++) {
        count[(size_t)d->y[i]]++;
        for (size_t j = 1; j < WIDTH; j++)
            d->X[j * ROWS + i] = 0;
    }
    fit(d);
    check_optimum(d);
    for (size_t k = 1; k < LEVELS; k++) {
        ck_assert_double_eq_tol(d->theta[(k - 1) * WIDTH],
                                log(count[k] / count[0]), 1e-10);
        for (size_t j = 1; j < WIDTH; j++)
            ck_assert_double_eq(d->theta[(k - 1) * WIDTH + j], 0);
    }
    free(d);
}
END_TEST

START_TEST(the_gradient_vanishes_at_the_answer) {
    const double sizes[] = {0, 0.3, 1, 3};
    data *d = simulate(sizes[_i]);
    for (size_t i = 0; i < ROWS; i++)
        d->weight[i] = 0.5 + (double)(i % 3);
    fit(d);
    check_optimum(d);
    free(d);
}
END_TEST

START_TEST(a_ridge_is_on_coefficients_about_their_mean) {
    data *d = simulate(3);
    for (size_t j = 1; j < WIDTH; j++)
        d->ridge[j] = 1e-3 * (double)j;
    d->spec.ridge = d->ridge;
    fit(d);
    check_optimum(d);
    free(d);
}
END_TEST

START_TEST(two_levels_are_logistic_regression) {
    data *d = simulate(0.5);
    double successes[2] = {0}, count[2] = {0};
    for (size_t i = 0; i < ROWS; i++) {
        size_t group = i % 3 == 0;
        d->y[i] = d->y[i] > 1;
        d->X[ROWS + i] = (double)group;
        count[group]++;
        successes[group] += d->y[i];
        for (size_t j = 2; j < WIDTH; j++)
            d->X[j * ROWS + i] = 0;
    }
    d->spec.levels = 2;
    fit(d);
    double odds[2];
    for (size_t g = 0; g < 2; g++)
        odds[g] = log(successes[g] / (count[g] - successes[g]));
    ck_assert_double_eq_tol(d->theta[0], odds[0], 1e-10);
    ck_assert_double_eq_tol(d->theta[1], odds[1] - odds[0], 1e-10);
    free(d);
}
END_TEST

START_TEST(a_duplicated_column_changes_no_fitted_value) {
    data *d = simulate(0.5), *twice = simulate(0.5);
    memset(d->X + 5 * ROWS, 0, ROWS * sizeof *d->X);
    memcpy(twice->X + 5 * ROWS, twice->X + 4 * ROWS, ROWS * sizeof *d->X);
    fit(d);
    fit(twice);
    check_optimum(d);
    check_optimum(twice);
    ck_assert_double_eq_tol(d->report.loss, twice->report.loss, 1e-14);
    for (size_t k = 0; k + 1 < LEVELS; k++) {
        const double *once = d->theta + k * WIDTH;
        const double *both = twice->theta + k * WIDTH;
        ck_assert_double_eq_tol(once[4], both[4] + both[5], 1e-9);
    }
    free(d);
    free(twice);
}
END_TEST

START_TEST(units_of_columns_do_not_matter) {
    const double units[] = {1e-150, 1e-20, 1e20, 1e150};
    double unit = units[_i];
    data *d = simulate(0.5), *scaled = simulate(0.5);
    for (size_t i = 0; i < ROWS; i++)
        scaled->X[2 * ROWS + i] *= unit;
    d->spec.gradient_tolerance = scaled->spec.gradient_tolerance = 0;
    d->spec.tolerance = scaled->spec.tolerance = 1e-11;
    fit(d);
    fit(scaled);
    ck_assert_int_eq(scaled->report.stop, NG_CONVERGED);
    for (size_t k = 0; k < DIM; k++) {
        double back =
            k % WIDTH == 2 ? scaled->theta[k] * unit : scaled->theta[k];
        ck_assert_double_eq_tol(back, d->theta[k], 1e-9);
    }
    free(d);
    free(scaled);
}
END_TEST

START_TEST(a_weight_of_two_is_two_rows_and_of_zero_is_none) {
    data *d = simulate(0.5), *twice = simulate(0.5);
    for (size_t i = 0; i < ROWS; i++) {
        size_t from = i % (ROWS / 2);
        d->weight[i] = i < ROWS / 2 ? 2 : 0;
        for (size_t j = 0; j < WIDTH; j++)
            twice->X[j * ROWS + i] = d->X[j * ROWS + from];
        twice->y[i] = d->y[from];
    }
    fit(d);
    fit(twice);
    check_optimum(d);
    for (size_t k = 0; k < DIM; k++)
        ck_assert_double_eq_tol(d->theta[k], twice->theta[k], 1e-9);
    free(d);
    free(twice);
}
END_TEST

/* ---- The course of a run ---- */

START_TEST(separated_levels_end_with_a_small_loss_and_finite_numbers) {
    data *d = simulate(0.5);
    for (size_t i = 0; i < ROWS; i++)
        d->X[3 * ROWS + i] = d->y[i] == 2 ? 1 : -1;
    d->spec.gradient_tolerance = 1e-8;
    fit(d);
    check_optimum(d);
    ck_assert(ngi_all_finite(DIM, d->theta));
    free(d);
}
END_TEST

/* Both kinds of metric, told apart by where the run starts. */
START_TEST(an_answer_does_not_depend_on_the_start) {
    data *d = simulate(1), *far = simulate(1);
    for (size_t k = 0; k < DIM; k++)
        far->theta[k] = 3 * cos((double)k);
    fit(d);
    fit(far);
    check_optimum(far);
    for (size_t k = 0; k < DIM; k++)
        ck_assert_double_eq_tol(d->theta[k], far->theta[k], 1e-9);
    free(d);
    free(far);
}
END_TEST

START_TEST(threads_and_repetition_change_nothing) {
    ng_ctx_options options = {.threads = 2};
    data *d = simulate(1), *again = simulate(1), *other = simulate(1);
    ng_ctx *pair;
    OK(ng_ctx_create(&options, &pair));
    fit(d);
    fit(again);
    fit_on(pair, other);
    ck_assert_mem_eq(d->theta, again->theta, sizeof d->theta);
    ck_assert_mem_eq(d->theta, other->theta, sizeof d->theta);
    ng_ctx_destroy(&pair);
    free(d);
    free(again);
    free(other);
}
END_TEST

static int stop_at_once(void *user, const ng_report *report) {
    *(size_t *)user = report->iteration;
    return 1;
}

START_TEST(a_monitor_stops_the_run) {
    data *d = simulate(1);
    size_t seen = 99;
    d->spec.monitor = stop_at_once;
    d->spec.user = &seen;
    fit(d);
    ck_assert_int_eq(d->report.stop, NG_STOPPED);
    ck_assert_uint_eq(seen, 0);
    free(d);
}
END_TEST

START_TEST(a_start_that_overflows_is_an_error) {
    data *d = simulate(1);
    array_rows_init(&d->rows, ctx, ROWS, WIDTH, d->X, d->y, d->weight);
    d->spec.rows = &d->rows.rows;
    d->theta[1] = HUGE_VAL;
    ck_assert_int_eq(ngi_softmax_run(ctx, &d->spec, d->theta, &d->report),
                     NG_ENUMERIC);
    free(d);
}
END_TEST

static ng_status short_of_memory(ng_ctx *poor, const char *path) {
    (void)path;
    data *d = simulate(1);
    for (size_t k = 0; k < DIM; k++)
        d->theta[k] = cos((double)k);
    array_rows_init(&d->rows, poor, ROWS, WIDTH, d->X, d->y, d->weight);
    d->spec.rows = &d->rows.rows;
    ng_status status = ngi_softmax_run(poor, &d->spec, d->theta, &d->report);
    free(d);
    return status;
}

START_TEST(every_allocation_may_fail) {
    starve(short_of_memory, NULL);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("softmax");
    TCase *tests = tcase_create("softmax");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(
        tests, products_are_those_of_plain_loops_for_every_number_of_outputs, 1,
        24);
    tcase_add_loop_test(tests, packed_triangles_compute_what_squares_do, 1, 13);
    tcase_add_test(tests, intercepts_alone_are_logs_of_the_ratios_of_counts);
    tcase_add_loop_test(tests, the_gradient_vanishes_at_the_answer, 0, 4);
    tcase_add_test(tests, a_ridge_is_on_coefficients_about_their_mean);
    tcase_add_test(tests, two_levels_are_logistic_regression);
    tcase_add_test(tests, a_duplicated_column_changes_no_fitted_value);
    tcase_add_loop_test(tests, units_of_columns_do_not_matter, 0, 4);
    tcase_add_test(tests, a_weight_of_two_is_two_rows_and_of_zero_is_none);
    tcase_add_test(tests,
                   separated_levels_end_with_a_small_loss_and_finite_numbers);
    tcase_add_test(tests, an_answer_does_not_depend_on_the_start);
    tcase_add_test(tests, threads_and_repetition_change_nothing);
    tcase_add_test(tests, a_monitor_stops_the_run);
    tcase_add_test(tests, a_start_that_overflows_is_an_error);
    tcase_add_test(tests, every_allocation_may_fail);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
