/* Predictions of glms and their standard errors, by differences in the
 * parameters; what a file keeps; KL. */
#include "glm_world.h"

#include "learner/model.h"

#include <unistd.h>

/* ---- Standard errors ---- */

/* The variance of any output is J C J', with J by central differences in the
 * model's own parameters. Step h = cube root of the rounding: an error of
 * about h^2 = 4e-11 relative to what curves, and the same from rounding. */
static void check_by_differences(ng_model *model, const ng_frame *frame,
                                 const char *value, const char *error) {
    const double tolerance = 1e-6;
    const ng_summary *s = ng_model_summary(model);
    size_t d = s->parameters;
    double *J = calloc(ROWS * d, sizeof *J);
    ng_prediction *there = predict(model, frame, 1);
    ck_assert_ptr_nonnull(J);
    for (size_t k = 0; k < d; k++) {
        double kept = model->theta[k], h = 6e-6 * fmax(1, fabs(kept));
        /* phi is shown as itself and held as its logarithm. */
        double scale =
            strcmp(s->parameter[k].term, "(phi)") == 0 ? exp(kept) : 1;
        model->theta[k] = kept + h;
        ng_prediction *up = predict(model, frame, 1);
        model->theta[k] = kept - h;
        ng_prediction *down = predict(model, frame, 1);
        model->theta[k] = kept;
        for (size_t i = 0; i < ROWS; i++)
            J[i * d + k] =
                (cell(up, i, value) - cell(down, i, value)) / (2 * h * scale);
        ng_prediction_destroy(&up);
        ng_prediction_destroy(&down);
    }
    for (size_t i = 0; i < ROWS; i++) {
        double variance = 0;
        for (size_t k = 0; k < d * d; k++)
            variance += J[i * d + k / d] * J[i * d + k % d] * s->covariance[k];
        check_relative(error, cell(there, i, error), sqrt(variance), tolerance);
    }
    ng_prediction_destroy(&there);
    free(J);
}

START_TEST(std_errors_of_means_are_the_delta_method) {
    world d;
    make_world(&d);
    ng_frame *frame = frame_of_world(&d);
    ng_model *model = fit_kind(frame, &MEANS[_i]);
    check_by_differences(model, frame, "mean", "std_error");
    check_by_differences(model, frame, "link", "link_std_error");
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}
END_TEST

START_TEST(std_errors_of_classes_are_the_delta_method) {
    world d;
    make_world(&d);
    ng_frame *frame = frame_with_classes(&d);
    ng_model *model = fit_kind(frame, &CLASSES[_i]);
    const ng_summary *s = ng_model_summary(model);
    for (size_t k = 0; k < s->levels; k++) {
        char value[32], error[32];
        snprintf(value, sizeof value, "p[%s]", s->level[k]);
        snprintf(error, sizeof error, "std_error[%s]", s->level[k]);
        check_by_differences(model, frame, value, error);
    }
    ng_prediction *p = predict(model, frame, 0);
    for (size_t i = 0; i < ROWS; i++) {
        double sum = 0;
        for (size_t k = 0; k < s->levels; k++)
            sum += p->values[i * s->levels + k];
        NEAR(sum, 1, 4 * DBL_EPSILON);
    }
    ng_prediction_destroy(&p);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}
END_TEST

/* The interval of the mean is that of the linear predictor, taken back; where
 * the dispersion is known its half width is 1.959963984540054 errors. */
START_TEST(intervals_of_the_mean_by_hand) {
    world d;
    make_world(&d);
    ng_frame *frame = frame_of_world(&d);
    ng_model *model = fit_kind(frame, &MEANS[6]);
    ng_prediction *p = predict(model, frame, 1);
    for (size_t i = 0; i < ROWS; i++) {
        double eta = cell(p, i, "link"),
               half = 1.959963984540054 * cell(p, i, "link_std_error");
        NEAR(cell(p, i, "mean_lower"), 1 / (1 + exp(half - eta)), 1e-14);
        NEAR(cell(p, i, "mean_upper"), 1 / (1 + exp(-half - eta)), 1e-14);
    }
    ng_prediction_destroy(&p);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}
END_TEST

START_TEST(the_interval_holds_its_share_of_the_law) {
    world d;
    make_world(&d);
    ng_frame *frame = frame_of_world(&d);
    ng_model *model = fit_kind(frame, &MEANS[_i]);
    ng_prediction *p = predict(model, frame, 0), *q = predict(model, frame, 1);
    for (size_t i = 0; i < ROWS; i++) {
        ngi_glm_law law = {.mean = cell(p, i, "mean"),
                           .dispersion = model->glm->dispersion
                                             ? model->summary.dispersion
                                             : 1,
                           .power = model->summary.power,
                           .psi = model->theta + model->dim - model->extras};
        ngi_glm_tails low = model->glm->tails(&law, cell(p, i, "lower")),
                      high = model->glm->tails(&law, cell(p, i, "upper"));
        /* The quantiles are the smallest y that have at least their share. */
        ck_assert_double_le(low.below, 0.05 + 1e-9);
        ck_assert_double_ge(low.below + low.at, 0.05 - 1e-9);
        ck_assert_double_le(high.above, 0.05 + 1e-9);
        ck_assert_double_ge(high.above + high.at, 0.05 - 1e-9);
        ck_assert_double_eq(cell(p, i, "lower"), cell(q, i, "lower"));
        ck_assert_double_eq(cell(p, i, "upper"), cell(q, i, "upper"));
    }
    ng_prediction_destroy(&p);
    ng_prediction_destroy(&q);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}
END_TEST

/* A column that says nothing new changes no prediction and no error. */
START_TEST(an_aliased_column_changes_nothing) {
    world d;
    make_world(&d);
    ng_frame *frame = frame_of_world(&d);
    ng_model *plain = fit_formula(frame, "poisson", "count ~ x + z");
    ng_model *more = fit_formula(frame, "poisson", "count ~ x + z + same");
    ng_prediction *p = predict(plain, frame, 1), *q = predict(more, frame, 1);
    ng_prediction *r = residuals(plain, frame, 1),
                  *s = residuals(more, frame, 1);
    ck_assert(ng_model_summary(more)->parameter[3].aliased);
    for (size_t i = 0; i < ROWS; i++) {
        check_relative("mean", cell(q, i, "mean"), cell(p, i, "mean"), 1e-12);
        check_relative("std_error", cell(q, i, "std_error"),
                       cell(p, i, "std_error"), 1e-9);
        check_relative("leverage", cell(s, i, "leverage"),
                       cell(r, i, "leverage"), 1e-11);
        check_relative("cook", cell(s, i, "cook"), cell(r, i, "cook"), 1e-10);
    }
    ng_prediction_destroy(&p);
    ng_prediction_destroy(&q);
    ng_prediction_destroy(&r);
    ng_prediction_destroy(&s);
    ng_model_destroy(&plain);
    ng_model_destroy(&more);
    ng_frame_destroy(&frame);
}
END_TEST

START_TEST(std_errors_need_a_covariance) {
    world d;
    make_world(&d);
    ng_frame *frame = frame_of_world(&d);
    ng_glm_options options = glm_options("poisson", NULL, NULL);
    options.formula = "count ~ x";
    options.std_errors = NG_SE_NONE;
    ng_model *model = fit_glm(frame, &options);
    ng_predict_options how;
    ng_prediction *p;
    ng_predict_options_init(&how);
    how.std_errors = 1;
    ck_assert_int_eq(ng_model_predict(model, frame, &how, &p), NG_EUSAGE);
    ck_assert_ptr_null(p);
    how.std_errors = 0;
    OK(ng_model_predict(model, frame, &how, &p));
    ng_prediction_destroy(&p);
    how.interval = 1;
    ck_assert_int_eq(ng_model_predict(model, frame, &how, &p), NG_EUSAGE);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}
END_TEST

/* ---- Files ---- */

static ng_model *through_file(const ng_model *model) {
    char path[] = "/tmp/natgrad-test-XXXXXX";
    int fd = mkstemp(path);
    ng_model *loaded;
    ck_assert_int_ge(fd, 0);
    close(fd);
    OK(ng_model_save(model, path));
    OK(ng_model_load(ctx, path, &loaded));
    unlink(path);
    return loaded;
}

static void check_same(const ng_model *model, const ng_frame *frame) {
    ng_model *loaded = through_file(model);
    ng_prediction *p = predict(model, frame, 1), *q = predict(loaded, frame, 1);
    char *s, *t;
    double loss[2], accuracy[2];
    OK(ng_model_to_json(model, &s));
    OK(ng_model_to_json(loaded, &t));
    ck_assert_str_eq(s, t);
    ck_assert_mem_eq(p->values, q->values,
                     p->rows * p->columns * sizeof *p->values);
    OK(ng_model_evaluate(model, frame, &loss[0], &accuracy[0]));
    OK(ng_model_evaluate(loaded, frame, &loss[1], &accuracy[1]));
    ck_assert_double_eq(loss[0], loss[1]);
    /* On its own data a model has the loss that its fit reported. */
    NEAR(loss[0], ng_model_summary(model)->loss,
         1e-12 * fmax(1, fabs(loss[0])));
    ng_text_free(ctx, &s);
    ng_text_free(ctx, &t);
    ng_prediction_destroy(&p);
    ng_prediction_destroy(&q);
    ng_model_destroy(&loaded);
}

START_TEST(models_of_means_survive_their_files) {
    world d;
    make_world(&d);
    ng_frame *frame = frame_of_world(&d);
    ng_model *model = fit_kind(frame, &MEANS[_i]);
    check_same(model, frame);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}
END_TEST

START_TEST(models_of_classes_survive_their_files) {
    world d;
    make_world(&d);
    ng_frame *frame = frame_with_classes(&d);
    ng_model *model = fit_kind(frame, &CLASSES[_i]);
    check_same(model, frame);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}
END_TEST

/* The KL of a model from itself is 0, from another positive. */
START_TEST(kl_of_every_family) {
    world d;
    make_world(&d);
    ng_frame *frame = frame_of_world(&d);
    kind constant = MEANS[_i];
    char formula[64];
    snprintf(formula, sizeof formula, "%s", constant.formula);
    strcpy(strchr(formula, '~'), "~ 1");
    constant.formula = formula;
    ng_model *a = fit_kind(frame, &MEANS[_i]), *b = fit_kind(frame, &constant);
    double ab, ba;
    OK(ng_model_kl(a, a, frame, &ab, &ba));
    NEAR(ab, 0, 1e-13);
    NEAR(ba, 0, 1e-13);
    OK(ng_model_kl(a, b, frame, &ab, &ba));
    /* Tweedie laws of different dispersions have none in closed form. */
    if (strcmp(constant.family, "tweedie") != 0) {
        ck_assert_double_gt(ab, 0);
        ck_assert_double_gt(ba, 0);
    }
    ng_model_destroy(&a);
    ng_model_destroy(&b);
    ng_frame_destroy(&frame);
}
END_TEST

static void add(TCase *tests) {
    tcase_add_loop_test(tests, std_errors_of_means_are_the_delta_method, 0,
                        MEAN_COUNT);
    tcase_add_loop_test(tests, std_errors_of_classes_are_the_delta_method, 0,
                        CLASS_COUNT);
    tcase_add_test(tests, intervals_of_the_mean_by_hand);
    tcase_add_loop_test(tests, the_interval_holds_its_share_of_the_law, 0,
                        MEAN_COUNT);
    tcase_add_test(tests, an_aliased_column_changes_nothing);
    tcase_add_test(tests, std_errors_need_a_covariance);
    tcase_add_loop_test(tests, models_of_means_survive_their_files, 0,
                        MEAN_COUNT);
    tcase_add_loop_test(tests, models_of_classes_survive_their_files, 0,
                        CLASS_COUNT);
    tcase_add_loop_test(tests, kl_of_every_family, 0, MEAN_COUNT);
}

int main(void) {
    return learner_main("predict", add);
}
