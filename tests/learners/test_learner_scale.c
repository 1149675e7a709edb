/* What must not depend on the units of y: the ridge's meaning and the digits
 * of an answer. */
#include "natgrad/natgrad.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 12 };

static const double X[ROWS] = {0.3, 1.1, 1.9, 2.2, 3.7, 4.1,
                               4.8, 5.5, 6.3, 7.0, 7.7, 9.2};
static const double Y[ROWS] = {1.2, 0.7, 2.9, 2.1, 4.4, 3.6,
                               5.9, 5.1, 6.6, 8.2, 7.1, 9.9};

static ng_model *fit(ng_ctx *ctx, const char *family, const char *link,
                     double unit, double l2) {
    static const char *const names[] = {"x", "y"};
    double y[ROWS];
    const double *const values[] = {X, y};
    ng_frame *frame = NULL;
    ng_model *model = NULL;
    ng_glm_options options;
    for (int i = 0; i < ROWS; i++)
        y[i] = unit * Y[i];
    ck_assert_int_eq(ng_frame_from_arrays(ctx, ROWS, 2, names, values, &frame),
                     NG_OK);
    ng_glm_options_init(&options);
    options.target = "y";
    options.family = family;
    options.link = link;
    options.l2 = l2;
    ck_assert_msg(ng_glm_fit(ctx, frame, &options, &model) == NG_OK, "%s",
                  ng_error(ctx));
    ck_assert(ng_model_summary(model)->converged);
    ng_frame_destroy(&frame);
    return model;
}

/* min 1/(2n) sum (y - a - b x)^2 + l2/2 b^2 has b = Sxy / (Sxx + n l2). */
START_TEST(gaussian_ridge_has_its_closed_form) {
    static const double units[] = {1e-9, 1, 1e9};
    double mx = 0, my = 0, sxx = 0, sxy = 0, l2 = 0.7;
    ng_ctx *ctx = NULL;
    ck_assert_int_eq(ng_ctx_create(NULL, &ctx), NG_OK);
    for (int i = 0; i < ROWS; i++) {
        mx += X[i] / ROWS;
        my += Y[i] / ROWS;
    }
    for (int i = 0; i < ROWS; i++) {
        sxx += (X[i] - mx) * (X[i] - mx);
        sxy += (X[i] - mx) * (Y[i] - my);
    }
    double slope = sxy / (sxx + ROWS * l2);
    ng_model *model = fit(ctx, "gaussian", NULL, units[_i], l2);
    double got = ng_model_summary(model)->parameter[1].estimate / units[_i];
    /* Sums of 12 terms, a solve of condition about 10. */
    ck_assert_double_eq_tol(got, slope, 1e3 * DBL_EPSILON * slope);
    ng_model_destroy(&model);
    ng_ctx_destroy(&ctx);
}
END_TEST

/* log mu = a + b x: multiplying y moves a alone. */
START_TEST(slopes_of_a_log_link_do_not_depend_on_units) {
    static const char *const families[] = {"gaussian", "gamma",
                                           "inverse-gaussian"};
    ng_ctx *ctx = NULL;
    ck_assert_int_eq(ng_ctx_create(NULL, &ctx), NG_OK);
    double slope[3];
    static const double units[] = {1, 1e-12, 1e10};
    for (int u = 0; u < 3; u++) {
        ng_model *model = fit(ctx, families[_i], "log", units[u], 0);
        slope[u] = ng_model_summary(model)->parameter[1].estimate;
        ng_model_destroy(&model);
    }
    /* Iterations end at a decrement of 1e-10, and then take one step more. */
    ck_assert_double_eq_tol(slope[1], slope[0], 1e-9 * fabs(slope[0]));
    ck_assert_double_eq_tol(slope[2], slope[0], 1e-9 * fabs(slope[0]));
    ng_ctx_destroy(&ctx);
}
END_TEST

/* A run that leaves for where the Fisher vanishes has not converged: where it
 * ends nothing can be said of the coefficients. */
START_TEST(a_vanished_fisher_is_no_convergence) {
    static const char *const names[] = {"x", "y"};
    double y[ROWS];
    const double *const values[] = {X, y};
    ng_ctx *ctx = NULL;
    ng_frame *frame = NULL;
    ng_model *model = NULL;
    ng_glm_options options;
    for (int i = 0; i < ROWS; i++)
        y[i] = i % 3 == 0 ? 1 : 0;
    ck_assert_int_eq(ng_ctx_create(NULL, &ctx), NG_OK);
    ck_assert_int_eq(ng_frame_from_arrays(ctx, ROWS, 2, names, values, &frame),
                     NG_OK);
    ng_glm_options_init(&options);
    options.target = "y";
    options.family = "binomial";
    options.fit.optimizer = _i ? NG_NEWTON : NG_NATURAL;
    options.fit.step = NG_STEP_FIXED;
    options.fit.rate = 8;
    ck_assert_int_eq(ng_glm_fit(ctx, frame, &options, &model), NG_ENUMERIC);
    ck_assert_ptr_nonnull(strstr(ng_error(ctx), "vanishes"));
    ck_assert_ptr_null(model);
    ng_frame_destroy(&frame);
    ng_ctx_destroy(&ctx);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("learner_scale");
    TCase *tests = tcase_create("learner_scale");
    tcase_add_loop_test(tests, gaussian_ridge_has_its_closed_form, 0, 3);
    tcase_add_loop_test(tests, slopes_of_a_log_link_do_not_depend_on_units, 0,
                        3);
    tcase_add_loop_test(tests, a_vanished_fisher_is_no_convergence, 0, 2);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
