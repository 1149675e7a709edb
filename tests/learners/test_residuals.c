/* Residuals, leverages and the analysis of deviance of glms: definitions
 * written out, rows left out, models that are true. */
#include "glm_world.h"

#include "learner/model.h"

/* ---- Residuals ---- */

/* R's definitions for a Poisson model under log, W = mu: hat values from
 * (X' W X)^-1, written out. */
START_TEST(poisson_residuals_by_hand) {
    world d;
    make_world(&d);
    ng_frame *frame = frame_of_world(&d);
    ng_model *model = fit_formula(frame, "poisson", "count ~ x + z");
    ng_prediction *r = residuals(model, frame, 1);
    double F[9] = {0}, C[9], total = 0;
    for (size_t i = 0; i < ROWS; i++) {
        const double x[] = {1, d.x[i], d.z[i]};
        for (size_t k = 0; k < 9; k++)
            F[k] += cell(r, i, "fitted") * x[k / 3] * x[k % 3];
    }
    invert(3, F, C);
    for (size_t i = 0; i < ROWS; i++) {
        const double x[] = {1, d.x[i], d.z[i]};
        double y = d.count[i], mu = cell(r, i, "fitted"), h = 0;
        double unit = 2 * ((y > 0 ? y * log(y / mu) : 0) - (y - mu));
        double pearson = (y - mu) / sqrt(mu);
        double deviance = (y < mu ? -1 : 1) * sqrt(unit);
        for (size_t k = 0; k < 9; k++)
            h += mu * C[k] * x[k / 3] * x[k % 3];
        NEAR(cell(r, i, "link"), log(mu), 1e-13);
        NEAR(cell(r, i, "response"), y - mu, 1e-13);
        NEAR(cell(r, i, "pearson"), pearson, 1e-13);
        /* A deviance near 0 is a difference. */
        NEAR(cell(r, i, "deviance"), deviance, 1e-7);
        check_relative("leverage", cell(r, i, "leverage"), h, 1e-12);
        NEAR(cell(r, i, "std_pearson"), pearson / sqrt(1 - h), 1e-12);
        NEAR(cell(r, i, "std_deviance"), deviance / sqrt(1 - h), 1e-7);
        check_relative("cook", cell(r, i, "cook"),
                       pearson * pearson * h / (3 * (1 - h) * (1 - h)), 1e-10);
        total += cell(r, i, "leverage");
    }
    /* The trace of a projection. */
    NEAR(total, 3, 1e-12);
    ng_prediction_destroy(&r);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}
END_TEST

/* betareg's: the precision is no coefficient of the mean. */
START_TEST(cook_of_a_beta_counts_the_coefficients_of_the_mean) {
    world d;
    make_world(&d);
    ng_frame *frame = frame_of_world(&d);
    ng_model *model = fit_formula(frame, "beta", "share ~ x + z");
    ng_prediction *r = residuals(model, frame, 1);
    for (size_t i = 0; i < ROWS; i++) {
        double h = cell(r, i, "leverage"), pearson = cell(r, i, "pearson");
        check_relative("cook", cell(r, i, "cook"),
                       pearson * pearson * h / (3 * (1 - h) * (1 - h)), 1e-12);
    }
    ng_prediction_destroy(&r);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}
END_TEST

/* Of a gaussian model Cook's distance is what leaving the row out moves:
 * |yhat - yhat(-i)|^2 / (p s^2). */
START_TEST(cook_is_what_leaving_out_moves) {
    world d;
    make_world(&d);
    ng_frame *frame = frame_of_world(&d);
    const kind k = {"gaussian", NULL, "normal ~ x + z", NULL, "w", NAN};
    kind all = k;
    for (size_t i = 0; i < ROWS; i++)
        d.w[i] = 1;
    ng_frame_destroy(&frame);
    frame = frame_of_world(&d);
    all.weights = NULL;
    ng_model *model = fit_kind(frame, &all);
    ng_prediction *r = residuals(model, frame, 1),
                  *p = predict(model, frame, 0);
    double s2 = ng_model_summary(model)->dispersion;
    for (size_t i = 0; i < ROWS; i += 7) {
        double moved = 0;
        world without = d;
        without.w[i] = 0;
        ng_frame *rest = frame_of_world(&without);
        ng_model *other = fit_kind(rest, &k);
        ng_prediction *q = predict(other, frame, 0);
        for (size_t j = 0; j < ROWS; j++)
            moved += pow(cell(p, j, "mean") - cell(q, j, "mean"), 2);
        check_relative("cook", cell(r, i, "cook"), moved / (3 * s2), 1e-9);
        ng_prediction_destroy(&q);
        ng_model_destroy(&other);
        ng_frame_destroy(&rest);
    }
    ng_prediction_destroy(&r);
    ng_prediction_destroy(&p);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}
END_TEST

/* Sums of squares of the residuals are the deviance and Pearson's statistic;
 * leverages add up to the coefficients. */
START_TEST(residuals_add_up) {
    world d;
    make_world(&d);
    ng_frame *frame = frame_of_world(&d);
    ng_model *model = fit_kind(frame, &MEANS[_i]);
    const ng_summary *s = ng_model_summary(model);
    ng_prediction *r = residuals(model, frame, 1);
    double deviance = 0, pearson = 0, leverage = 0;
    for (size_t i = 0; i < ROWS; i++) {
        deviance += pow(cell(r, i, "deviance"), 2);
        pearson += pow(cell(r, i, "pearson"), 2);
        leverage += cell(r, i, "leverage");
        ck_assert(isfinite(cell(r, i, "quantile")));
    }
    check_relative("deviance", deviance, s->deviance, 1e-11);
    NEAR(leverage, (double)model->design->width, 1e-11);
    if (model->glm->dispersion)
        check_relative("dispersion", pearson / s->df_residual, s->dispersion,
                       1e-12);
    ng_prediction_destroy(&r);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}
END_TEST

/* With a ridge the leverages add up to the effective degrees of freedom. */
START_TEST(leverages_with_a_ridge) {
    world d;
    make_world(&d);
    ng_frame *frame = frame_of_world(&d);
    ng_glm_options options = glm_options("poisson", NULL, NULL);
    options.formula = "count ~ x + z";
    options.l2 = 0.1;
    ng_model *model = fit_glm(frame, &options);
    ng_prediction *r = residuals(model, frame, 1);
    double leverage = 0;
    for (size_t i = 0; i < ROWS; i++)
        leverage += cell(r, i, "leverage");
    NEAR(leverage, ng_model_summary(model)->df_effective, 1e-10);
    ck_assert_double_lt(leverage, 3);
    ng_prediction_destroy(&r);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}
END_TEST

static int ascending(const void *a, const void *b) {
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Kolmogorov's distance of n numbers from the standard normal is below
 * 1.95 / sqrt(n) with probability 0.999; with estimated parameters it is
 * smaller still. The seed is fixed. */
static void check_normal(double *x, size_t n) {
    double distance = 0;
    qsort(x, n, sizeof *x, ascending);
    for (size_t i = 0; i < n; i++) {
        double p = 0.5 * erfc(-x[i] / sqrt(2));
        distance = fmax(distance, fabs(p - (double)i / (double)n));
        distance = fmax(distance, fabs(p - (double)(i + 1) / (double)n));
    }
    ck_assert_double_lt(distance, 1.95 / sqrt((double)n));
}

/* Counts and ordered levels from models that are true. */
START_TEST(quantile_residuals_are_normal) {
    enum { MANY = 2000 };
    static double x[MANY], count[MANY], level[MANY], mixed[MANY], out[MANY];
    static const char *const names[] = {"x", "count", "level", "mixed"};
    static const char *const formulas[] = {"count ~ x", "mixed ~ x",
                                           "level ~ x"};
    static const char *const families[] = {"poisson", "negative-binomial",
                                           "ordinal"};
    const double *const values[] = {x, count, level, mixed};
    ng_rng rng;
    ng_rng_init(&rng, 3, 1);
    for (size_t i = 0; i < MANY; i++) {
        x[i] = ng_rng_normal(&rng);
        double eta = 0.2 + 0.5 * x[i], u = ng_rng_uniform(&rng);
        count[i] = ng_rng_poisson(&rng, exp(eta));
        mixed[i] =
            ng_rng_poisson(&rng, exp(eta + ng_rng_log_gamma(&rng, 1.5)) / 1.5);
        double latent = eta + log(u / (1 - u));
        level[i] = latent < -1 ? 1 : latent < 0.5 ? 2 : latent < 2 ? 3 : 4;
    }
    ng_frame *frame = frame_of_arrays(MANY, 4, names, values);
    if (_i == 2) { /* levels come from text */
        ng_frame_destroy(&frame);
        size_t size = MANY * 32, used = 8;
        char *text = malloc(size);
        ck_assert_ptr_nonnull(text);
        strcpy(text, "x,level\n");
        for (size_t i = 0; i < MANY; i++)
            used += (size_t)snprintf(text + used, size - used, "%.9g,%g\n",
                                     x[i], level[i]);
        frame = frame_of_text(text, "level");
        free(text);
    }
    ng_model *model = fit_formula(frame, families[_i], formulas[_i]);
    ng_prediction *r = residuals(model, frame, 7),
                  *s = residuals(model, frame, 8);
    bool differ = false;
    for (size_t i = 0; i < MANY; i++) {
        out[i] = cell(r, i, "quantile");
        differ = differ || out[i] != cell(s, i, "quantile");
    }
    check_normal(out, MANY);
    ck_assert(differ); /* what is random depends on the seed */
    ng_prediction_destroy(&r);
    ng_prediction_destroy(&s);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}
END_TEST

START_TEST(residuals_that_do_not_exist) {
    static const char *const column[] = {"normal"};
    world d;
    make_world(&d);
    ng_frame *frame = frame_of_world(&d), *classes = frame_with_classes(&d);
    ng_dist_options options = dist_options("normal", column, 1);
    ng_model *dist = fit_dist(frame, &options);
    ng_model *multinomial = fit_kind(classes, &CLASSES[0]);
    ng_prediction *p;
    ck_assert_int_eq(ng_model_residuals(dist, frame, 1, &p), NG_EUNSUPPORTED);
    ck_assert_ptr_null(p);
    ck_assert_int_eq(ng_model_residuals(multinomial, classes, 1, &p),
                     NG_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(ng_error(ctx), "\"multinomial\""));
    ng_model_destroy(&dist);
    ng_model_destroy(&multinomial);
    ng_frame_destroy(&frame);
    ng_frame_destroy(&classes);
}
END_TEST

/* ---- Analysis of deviance ---- */

/* For one coefficient of a gaussian model, F = t^2 with the same p. */
START_TEST(F_of_one_coefficient_is_t_squared) {
    world d;
    make_world(&d);
    ng_frame *frame = frame_of_world(&d);
    ng_model *small = fit_formula(frame, "gaussian", "normal ~ x");
    ng_model *large = fit_formula(frame, "gaussian", "normal ~ z + x");
    const ng_parameter *z = parameter(large, "z", NULL);
    ng_nested t, u;
    OK(ng_glm_nested(small, large, &t));
    OK(ng_glm_nested(large, small, &u));
    ck_assert(t.is_F && !t.likelihood && !t.swapped && u.swapped);
    ck_assert_double_eq(t.df, 1);
    ck_assert_double_eq(t.statistic, u.statistic);
    check_relative("F", t.statistic, z->statistic * z->statistic, 1e-11);
    check_relative("p", t.p_value, z->p_value, 1e-9);
    ck_assert_double_eq(t.df_residual[0], ROWS - 2);
    ck_assert_double_eq(t.df_residual[1], ROWS - 3);
    ng_model_destroy(&small);
    ng_model_destroy(&large);
    ng_frame_destroy(&frame);
}
END_TEST

/* Chi-square of two degrees has the tail exp(-x / 2). */
START_TEST(deviances_and_likelihood_ratios) {
    static const struct {
        const char *family, *small, *large;
        int likelihood;
    } cases[] = {
        {"poisson", "count ~ 1", "count ~ x + z", 0},
        {"negative-binomial", "count ~ 1", "count ~ x + z", 1},
        {"beta", "share ~ 1", "share ~ x + z", 1},
    };
    world d;
    make_world(&d);
    ng_frame *frame = frame_of_world(&d);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ng_model *small = fit_formula(frame, cases[i].family, cases[i].small);
        ng_model *large = fit_formula(frame, cases[i].family, cases[i].large);
        const ng_summary *s = ng_model_summary(small),
                         *l = ng_model_summary(large);
        ng_nested t;
        OK(ng_glm_nested(small, large, &t));
        double gain = 2 * (l->log_likelihood - s->log_likelihood);
        ck_assert_int_eq(t.likelihood, cases[i].likelihood);
        ck_assert_int_eq(t.is_F, 0);
        ck_assert_double_eq(t.df, 2);
        check_relative("gain", t.statistic, gain, 1e-10);
        check_relative("p", t.p_value, exp(-0.5 * gain), 1e-8);
        ng_model_destroy(&small);
        ng_model_destroy(&large);
    }
    ng_frame_destroy(&frame);
}
END_TEST

static void refuse(const ng_model *a, const ng_model *b, const char *what) {
    ng_nested t;
    ck_assert_int_eq(ng_glm_nested(a, b, &t), NG_EUSAGE);
    ck_assert_msg(strstr(ng_error(ctx), what) != NULL, "%s: no \"%s\"",
                  ng_error(ctx), what);
}

START_TEST(models_that_are_not_nested) {
    static const char *const column[] = {"normal"};
    world d;
    make_world(&d);
    ng_frame *frame = frame_of_world(&d);
    ng_dist_options options = dist_options("normal", column, 1);
    ng_model *x = fit_formula(frame, "poisson", "count ~ x"),
             *z = fit_formula(frame, "poisson", "count ~ z"),
             *xz = fit_formula(frame, "poisson", "count ~ z + games"),
             *wins = fit_formula(frame, "poisson", "wins ~ x + z"),
             *gaussian = fit_formula(frame, "gaussian", "count ~ x + z"),
             *dist = fit_dist(frame, &options);
    refuse(x, z, "\"x\"");
    refuse(x, x, "nothing to test");
    refuse(x, xz, "\"x\"");
    refuse(x, wins, "target");
    refuse(x, gaussian, "family");
    refuse(x, dist, "\"glm\"");
    d.count[0] += 40;
    ng_frame *other = frame_of_world(&d);
    ng_model *elsewhere = fit_formula(other, "poisson", "count ~ x + z");
    refuse(x, elsewhere, "same data");
    ng_model *all[] = {x, z, xz, wins, gaussian, dist, elsewhere};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        ng_model_destroy(&all[i]);
    ng_frame_destroy(&frame);
    ng_frame_destroy(&other);
}
END_TEST

/* Counts beside two factors. */
static ng_frame *frame_with_factors(void) {
    enum { SIZE = ROWS * 96 };
    world d;
    char *text = malloc(SIZE);
    ck_assert_ptr_nonnull(text);
    size_t used = (size_t)snprintf(text, SIZE, "count,x,z,games,g,h\n");
    make_world(&d);
    for (size_t i = 0; i < ROWS; i++)
        used += (size_t)snprintf(
            text + used, SIZE - used, "%g,%.17g,%.17g,%g,%s,%s\n", d.count[i],
            d.x[i], d.z[i], d.games[i], i % 3 ? i % 3 > 1 ? "c" : "b" : "a",
            i % 4 > 1 ? "u" : "v");
    ng_frame *frame = frame_of_text(text, NULL);
    free(text);
    return frame;
}

/* Spaces are compared, not names: an order of factors, a coding, or a column
 * as a factor, changes none of them. */
START_TEST(terms_within_others) {
    static const struct {
        const char *small, *large, *refusal; /* NULL: nested */
    } cases[] = {
        {"z:x + x", "x * z + games", NULL},
        {"g:z:x", "x * z * g", NULL},
        {"g - 1", "g + x", NULL},
        {"g", "x + g - 1", NULL},
        {"x:g", "g / x", NULL},
        {"g", "g:x + g:h", NULL},
        {"games", "factor(games)", NULL},
        {"log(games)", "x + C(games)", NULL},
        {"x:I(games^2)", "x * factor(games)", NULL},
        {"x", "I(2 * x) + z", "cannot tell"},
        {"poly(x, 2, raw = TRUE)", "x + I(x^2) + z", "cannot tell"},
        {"x:z", "x + z + g", "cannot tell"},
        {"x", "x + z - 1", "cannot tell"},
        {"g", "x:g + z", "cannot tell"},
        {"h", "x + g + z", "\"h\", which"},
        {"x + offset(z)", "x + g", "offset() terms"},
        {"x", "x + g + offset(z)", "offset() terms"},
        {"offset(z) + offset(log(games))", "x + offset(log(games)) + offset(z)",
         NULL},
    };
    ng_frame *frame = frame_with_factors();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char small[128], large[128];
        ng_nested t;
        snprintf(small, sizeof small, "count ~ %s", cases[i].small);
        snprintf(large, sizeof large, "count ~ %s", cases[i].large);
        ng_model *s = fit_formula(frame, "poisson", small),
                 *l = fit_formula(frame, "poisson", large);
        if (cases[i].refusal) {
            refuse(s, l, cases[i].refusal);
        } else {
            ng_status status = ng_glm_nested(s, l, &t);
            ck_assert_msg(status == NG_OK, "%s: %s", small, ng_error(ctx));
            ck_assert(t.drop >= 0 && t.df > 0);
        }
        ng_model_destroy(&s);
        ng_model_destroy(&l);
    }
    ng_frame_destroy(&frame);
}
END_TEST

/* Offsets by column, and data that only the responses tell apart. */
START_TEST(nested_models_are_of_the_same_data) {
    static const char *const families[] = {"negative-binomial", "poisson"};
    world d;
    make_world(&d);
    ng_frame *frame = frame_of_world(&d);
    d.count[3] += 1;
    ng_frame *other = frame_of_world(&d);
    for (size_t i = 0; i < 2; i++) {
        ng_model *small = fit_formula(frame, families[i], "count ~ x - 1"),
                 *large = fit_formula(other, families[i], "count ~ x + z - 1");
        refuse(small, large, "same data");
        ng_model_destroy(&small);
        ng_model_destroy(&large);
    }
    ng_glm_options options = glm_options("poisson", NULL, NULL);
    options.formula = "count ~ x";
    options.offset = "z";
    ng_model *shifted = fit_glm(frame, &options),
             *plain = fit_formula(frame, "poisson", "count ~ x + games");
    refuse(shifted, plain, "expected the same offset, found \"z\" and none");
    ng_model_destroy(&shifted);
    ng_model_destroy(&plain);
    ng_frame_destroy(&frame);
    ng_frame_destroy(&other);
}
END_TEST

static void add(TCase *tests) {
    tcase_add_test(tests, poisson_residuals_by_hand);
    tcase_add_test(tests, cook_of_a_beta_counts_the_coefficients_of_the_mean);
    tcase_add_test(tests, cook_is_what_leaving_out_moves);
    tcase_add_loop_test(tests, residuals_add_up, 0, MEAN_COUNT);
    tcase_add_test(tests, leverages_with_a_ridge);
    tcase_add_loop_test(tests, quantile_residuals_are_normal, 0, 3);
    tcase_add_test(tests, residuals_that_do_not_exist);
    tcase_add_test(tests, F_of_one_coefficient_is_t_squared);
    tcase_add_test(tests, deviances_and_likelihood_ratios);
    tcase_add_test(tests, models_that_are_not_nested);
    tcase_add_test(tests, terms_within_others);
    tcase_add_test(tests, nested_models_are_of_the_same_data);
}

int main(void) {
    return learner_main("residuals", add);
}
