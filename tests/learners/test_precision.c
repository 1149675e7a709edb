/* What answers beyond the condition of the data stand on: the triangle of a
 * weighted design, and gradients in double-double. */
#include "array_rows.h"
#include "fixture.h"

#include "glm/refine.h"
#include "glm/weighted_qr.h"
#include "unit/scarce.h"

enum { ROWS = 300, WIDTH = 7 };

typedef struct design {
    double X[WIDTH * ROWS], y[ROWS], weight[ROWS];
    array_rows rows;
} design;

static void draw(design *d, ng_ctx *context) {
    ng_rng rng;
    ng_rng_init(&rng, 5, 0);
    for (size_t i = 0; i < WIDTH * ROWS; i++)
        d->X[i] = ng_rng_normal(&rng);
    for (size_t i = 0; i < ROWS; i++) {
        d->y[i] = ng_rng_normal(&rng);
        d->weight[i] = ng_rng_uniform(&rng) < 0.1 ? 0 : ng_rng_uniform(&rng);
    }
    array_rows_init(&d->rows, context, ROWS, WIDTH, d->X, d->y, d->weight);
}

/* ---- The triangle ---- */

static const double ONES[WIDTH] = {1, 1, 1, 1, 1, 1, 1};

/* |R'R - X'WX| in the norms of the columns: backward stable to a few roundings
 * for each of the rows that were reduced together. */
static void check_triangle(const design *d, const double *scale,
                           const size_t *column, size_t kept, const double *R) {
    double tolerance = (64 + WIDTH) * WIDTH * DBL_EPSILON;
    for (size_t a = 0; a < kept; a++) {
        ck_assert_double_gt(R[a * kept + a], 0);
        for (size_t b = 0; b <= a; b++) {
            double found = 0, exact = 0, norm_a = 0, norm_b = 0;
            for (size_t i = 0; i <= b; i++)
                found += R[a * kept + i] * R[b * kept + i];
            for (size_t i = 0; i < ROWS; i++) {
                double x = scale[column[a]] * d->X[column[a] * ROWS + i];
                double z = scale[column[b]] * d->X[column[b] * ROWS + i];
                exact += d->weight[i] * x * z;
                norm_a += d->weight[i] * x * x;
                norm_b += d->weight[i] * z * z;
            }
            NEAR(found, exact, tolerance * sqrt(norm_a * norm_b));
        }
    }
}

START_TEST(a_triangle_squares_to_the_cross_products) {
    static const size_t ALL[WIDTH] = {0, 1, 2, 3, 4, 5, 6};
    double scale[WIDTH], R[WIDTH * WIDTH];
    bool aliased[WIDTH];
    size_t kept;
    design *d = malloc(sizeof *d);
    ck_assert(d != NULL);
    draw(d, ctx);
    d->rows.rows.workers = (size_t)_i;
    for (size_t j = 0; j < WIDTH; j++)
        scale[j] = ldexp(1, 10 * (int)j - 30);
    OK(ngi_weighted_qr(ctx, &d->rows.rows, NULL, scale, NULL, 1e-11, R, aliased,
                       &kept));
    ck_assert_uint_eq(kept, WIDTH);
    check_triangle(d, scale, ALL, kept, R);
    free(d);
}
END_TEST

/* Column 2 is held; 3 repeats 1; 4 is zero; 6 is made of 0 and 5. */
START_TEST(later_of_dependent_columns_are_aliased) {
    static const size_t LEFT[] = {0, 1, 5};
    static const bool EXPECTED[WIDTH] = {false, false, false, true,
                                         true,  false, true};
    const bool held[WIDTH] = {false, false, true};
    double R[WIDTH * WIDTH];
    bool aliased[WIDTH];
    size_t kept;
    design *d = malloc(sizeof *d);
    ck_assert(d != NULL);
    draw(d, ctx);
    for (size_t i = 0; i < ROWS; i++) {
        double *x = d->X + i;
        x[3 * ROWS] = x[1 * ROWS];
        x[4 * ROWS] = 0;
        x[6 * ROWS] = 2 * x[0] - x[5 * ROWS];
    }
    OK(ngi_weighted_qr(ctx, &d->rows.rows, NULL, ONES, held, 1e-11, R, aliased,
                       &kept));
    ck_assert_uint_eq(kept, 3);
    for (size_t j = 0; j < WIDTH; j++)
        ck_assert_int_eq(aliased[j], EXPECTED[j]);
    check_triangle(d, ONES, LEFT, kept, R);
    free(d);
}
END_TEST

/* A share s of the last column is its own: 1e-12 is below the tolerance,
 * 1e-10 above. Of what the cross-products hold, s squared, both are none. */
START_TEST(a_column_is_kept_for_a_share_of_its_own) {
    static const struct {
        double share;
        size_t kept;
    } CASES[] = {{1e-10, WIDTH}, {1e-12, WIDTH - 1}};
    double R[WIDTH * WIDTH];
    bool aliased[WIDTH];
    size_t kept;
    design *d = malloc(sizeof *d);
    ck_assert(d != NULL);
    draw(d, ctx);
    for (size_t i = 0; i < ROWS; i++)
        d->X[6 * ROWS + i] = d->X[i] + CASES[_i].share * d->X[6 * ROWS + i];
    OK(ngi_weighted_qr(ctx, &d->rows.rows, NULL, ONES, NULL, 1e-11, R, aliased,
                       &kept));
    ck_assert_uint_eq(kept, CASES[_i].kept);
    free(d);
}
END_TEST

START_TEST(a_design_that_is_not_finite_is_refused) {
    double R[WIDTH * WIDTH];
    bool aliased[WIDTH];
    size_t kept;
    design *d = malloc(sizeof *d);
    ck_assert(d != NULL);
    draw(d, ctx);
    d->X[17] = HUGE_VAL;
    d->weight[17] = 1;
    ck_assert_int_eq(ngi_weighted_qr(ctx, &d->rows.rows, NULL, ONES, NULL,
                                     1e-11, R, aliased, &kept),
                     NG_ENUMERIC);
    free(d);
}
END_TEST

/* ---- The gradient ---- */

static ngi_glm_kernel kernel_of(ng_ctx *context, ng_family *family,
                                const char *name, ng_link link) {
    ngi_glm_kernel kernel;
    ck_assert_int_eq(ng_family_init(context, name, 1, family), NG_OK);
    ngi_glm_kernel_mean(family, link, &kernel);
    return kernel;
}

/* Residuals 1, 2^-20, 1 against x = 2^52, 1, -2^52: doubles would sum to 0. */
START_TEST(a_gradient_survives_cancellation) {
    static const double X[] = {0x1p52, 1, -0x1p52};
    static const double Y[] = {0x1p52 - 1, 1 - 0x1p-20, -0x1p52 - 1};
    const double theta = 1;
    double loss, gradient;
    array_rows a;
    ng_family family;
    ngi_glm_kernel kernel = kernel_of(ctx, &family, "normal", NG_LINK_IDENTITY);
    array_rows_init(&a, ctx, 3, 1, X, Y, NULL);
    OK(ngi_refined_gradient(ctx, &a.rows, &kernel, &theta, NULL, NULL, &loss,
                            &gradient));
    ck_assert_double_eq(gradient, 0x1p-20 / 3);
    /* The loss is of residuals as doubles. */
    NEAR(loss, (1 + 0.5 * 0x1p-40) / 3, 4 * DBL_EPSILON);
}
END_TEST

/* A fit that is perfect but for the low part of theta. */
START_TEST(the_low_part_of_theta_counts) {
    const double theta[WIDTH] = {1, 2, -1, 4, 0, 1, 1};
    const double low[WIDTH] = {0, 0x1p-70};
    double gradient[WIDTH], total = 0;
    ng_family family;
    ngi_glm_kernel kernel = kernel_of(ctx, &family, "normal", NG_LINK_IDENTITY);
    design *d = malloc(sizeof *d);
    ck_assert(d != NULL);
    draw(d, ctx);
    /* Of 20 bits, so that eta is a double. */
    for (size_t i = 0; i < WIDTH * ROWS; i++)
        d->X[i] = ldexp(rint(ldexp(d->X[i], 16)), -16);
    for (size_t i = 0; i < ROWS; i++) {
        d->y[i] = 0;
        total += d->weight[i];
        for (size_t j = 0; j < WIDTH; j++)
            d->y[i] += theta[j] * d->X[j * ROWS + i];
    }
    OK(ngi_refined_gradient(ctx, &d->rows.rows, &kernel, theta, low, NULL, NULL,
                            gradient));
    for (size_t j = 0; j < WIDTH; j++) {
        double exact = 0, size = 0;
        for (size_t i = 0; i < ROWS; i++) {
            double term = d->weight[i] * d->X[j * ROWS + i] * d->X[ROWS + i];
            exact += term * 0x1p-70 / total;
            size += fabs(term) * 0x1p-70 / total;
        }
        NEAR(gradient[j], exact, ROWS * DBL_EPSILON * size);
    }
    free(d);
}
END_TEST

/* Against long double where it has more digits than double: the score itself
 * has only those of double, of each row a few roundings. */
START_TEST(a_logit_gradient_is_that_of_double_scores) {
    double theta[WIDTH], gradient[WIDTH], loss;
    long double exact_loss = 0, total = 0, exact[WIDTH] = {0};
    ng_family family;
    ngi_glm_kernel kernel = kernel_of(ctx, &family, "bernoulli", NG_LINK_LOGIT);
    design *d = malloc(sizeof *d);
    ck_assert(d != NULL);
    draw(d, ctx);
    for (size_t j = 0; j < WIDTH; j++)
        theta[j] = 0.3 * (double)j - 1;
    for (size_t i = 0; i < ROWS; i++) {
        d->y[i] = d->y[i] > 0;
        long double eta = 0, y = (long double)d->y[i];
        long double weight = (long double)d->weight[i];
        for (size_t j = 0; j < WIDTH; j++)
            eta += (long double)theta[j] * (long double)d->X[j * ROWS + i];
        total += weight;
        exact_loss += weight * (log1pl(expl(eta)) - y * eta);
        for (size_t j = 0; j < WIDTH; j++)
            exact[j] += weight * (1 / (1 + expl(-eta)) - y) *
                        (long double)d->X[j * ROWS + i];
    }
    OK(ngi_refined_gradient(ctx, &d->rows.rows, &kernel, theta, NULL, NULL,
                            &loss, gradient));
    /* |x| < 4, |score| < 1, errors of rows add up. */
    for (size_t j = 0; j < WIDTH; j++)
        NEAR(gradient[j], (double)(exact[j] / total), 16 * DBL_EPSILON);
    NEAR(loss, (double)(exact_loss / total), 32 * DBL_EPSILON);
    free(d);
}
END_TEST

START_TEST(a_moved_theta_keeps_what_double_would_drop) {
    double theta = 1, low = 0;
    const double step = 0x1p-60;
    for (size_t i = 0; i < 1 << 9; i++)
        ngi_refined_move(1, &step, &theta, &low);
    ck_assert_double_eq(theta - 1 + low, 0x1p-51);
    ck_assert_double_le(fabs(low), 0.5 * DBL_EPSILON);
}
END_TEST

/* ---- Scarce memory ---- */

static ng_status use_both(ng_ctx *poor, const char *path) {
    double R[WIDTH * WIDTH], gradient[WIDTH], theta[WIDTH] = {0};
    bool aliased[WIDTH];
    size_t kept;
    ng_family family;
    ngi_glm_kernel kernel =
        kernel_of(poor, &family, "normal", NG_LINK_IDENTITY);
    (void)path;
    design *d = malloc(sizeof *d);
    ck_assert(d != NULL);
    draw(d, poor);
    ng_status status = ngi_weighted_qr(poor, &d->rows.rows, NULL, ONES, NULL,
                                       1e-11, R, aliased, &kept);
    if (status == NG_OK)
        status = ngi_refined_gradient(poor, &d->rows.rows, &kernel, theta, NULL,
                                      NULL, NULL, gradient);
    free(d);
    return status;
}

START_TEST(memory_that_runs_out_is_given_back) {
    starve(use_both, NULL);
}
END_TEST

static void add(TCase *tests) {
    tcase_add_loop_test(tests, a_triangle_squares_to_the_cross_products, 1, 4);
    tcase_add_test(tests, later_of_dependent_columns_are_aliased);
    tcase_add_loop_test(tests, a_column_is_kept_for_a_share_of_its_own, 0, 2);
    tcase_add_test(tests, a_design_that_is_not_finite_is_refused);
    tcase_add_test(tests, a_gradient_survives_cancellation);
    tcase_add_test(tests, the_low_part_of_theta_counts);
    tcase_add_test(tests, a_logit_gradient_is_that_of_double_scores);
    tcase_add_test(tests, a_moved_theta_keeps_what_double_would_drop);
    tcase_add_test(tests, memory_that_runs_out_is_given_back);
}

int main(void) {
    return learner_main("precision", add);
}
