/* What is done with a fitted model: files, predictions, evaluation, KL. */
#include "fixture.h"

#include <unistd.h>

static const char TEXT[] =
    "x,group,n,y,class,count,w,off\n"
    "0.5,a,3,1.2,p,2,1,0.1\n1.5,b,4,2.9,q,3,2,0.2\n2.1,a,2,2.2,r,1,1,-0.1\n"
    "2.9,c,5,4.1,p,4,3,0\n3.3,b,6,3.7,q,5,1,0.3\n4.2,c,3,6.1,r,2,2,0.1\n"
    "4.8,a,7,4.4,q,6,1,0\n5.5,b,5,5.9,r,5,2,-0.2\n6.1,c,8,8.8,p,7,1,0.1\n"
    "6.6,a,4,5.2,r,4,1,0.2\n";

static const char *const FEATURES[] = {"x", "group"};

static const ng_predict_options EIGHTY = {.interval = 0.8, .level = 0.95};

typedef struct kind {
    const char *family, *target, *weights, *offset, *trials;
    double l2;
} kind;

static const kind KINDS[] = {
    {"gaussian", "y", NULL, NULL, NULL, 0},
    {"gaussian", "y", "w", "off", NULL, 0.1},
    {"gamma", "y", NULL, NULL, NULL, 0},
    {"inverse-gaussian", "y", NULL, NULL, NULL, 0.01},
    {"poisson", "count", NULL, "off", NULL, 0},
    {"binomial", "count", NULL, NULL, "n", 0},
    {"multinomial", "class", "w", NULL, NULL, 0.05},
};
enum { KIND_COUNT = sizeof KINDS / sizeof *KINDS };

static ng_model *fit_kind(const ng_frame *frame, const kind *k) {
    ng_glm_options options = glm_options(
        k->family, strcmp(k->family, "gamma") == 0 ? "log" : NULL, k->target);
    options.features = FEATURES;
    options.feature_count = 2;
    options.weights = k->weights;
    options.offset = k->offset;
    options.trials = k->trials;
    options.l2 = k->l2;
    return fit_glm(frame, &options);
}

/* Saved under a name of its own, read back, and the file removed. */
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

static void check_same_text(const ng_model *a, const ng_model *b) {
    char *s, *t;
    OK(ng_model_to_json(a, &s));
    OK(ng_model_to_json(b, &t));
    ck_assert_str_eq(s, t);
    ng_text_free(ctx, &s);
    ng_text_free(ctx, &t);
    ck_assert_ptr_null(s);
}

static void check_same_predictions(const ng_model *a, const ng_model *b,
                                   const ng_frame *frame) {
    ng_prediction *p, *q;
    OK(ng_model_predict(a, frame, &EIGHTY, &p));
    OK(ng_model_predict(b, frame, &EIGHTY, &q));
    ck_assert_uint_eq(p->rows, ng_frame_rows(frame));
    ck_assert_uint_eq(p->columns, q->columns);
    ck_assert_mem_eq(p->values, q->values,
                     p->rows * p->columns * sizeof *p->values);
    for (size_t j = 0; j < p->columns; j++)
        ck_assert_str_eq(p->column[j], q->column[j]);
    for (size_t i = 0; p->best && i < p->rows; i++)
        ck_assert_str_eq(p->level[p->best[i]], q->level[q->best[i]]);
    ng_prediction_destroy(&p);
    ng_prediction_destroy(&q);
}

/* 17 digits in the JSON and 8 bytes in the tensors: nothing is lost. */
START_TEST(a_model_survives_its_file) {
    ng_frame *frame = frame_of_text(TEXT, NULL);
    ng_model *model = fit_kind(frame, &KINDS[_i]);
    ng_model *loaded = through_file(model);
    const ng_summary *s = ng_model_summary(model),
                     *t = ng_model_summary(loaded);
    check_same_text(model, loaded);
    check_same_predictions(model, loaded, frame);
    ck_assert_mem_eq(s->covariance, t->covariance,
                     s->parameters * s->parameters * sizeof(double));
    ck_assert_int_eq(s->stop, t->stop);
    double loss[2], accuracy[2];
    OK(ng_model_evaluate(model, frame, &loss[0], &accuracy[0]));
    OK(ng_model_evaluate(loaded, frame, &loss[1], &accuracy[1]));
    ck_assert_double_eq(loss[0], loss[1]);
    ng_model_destroy(&model);
    ng_model_destroy(&loaded);
    ng_frame_destroy(&frame);
}
END_TEST

START_TEST(a_distribution_survives_its_file) {
    static const char *const scalar[] = {"normal",  "gamma",   "weibull",
                                         "laplace", "poisson", "student-t"};
    static const char *const y[] = {"y"}, *const count[] = {"count"},
                             *const pair[] = {"x", "y"},
                             *const class[] = {"class"};
    ng_frame *frame = frame_of_text(TEXT, NULL);
    for (size_t i = 0; i < 8; i++) {
        bool discrete = i == 4;
        ng_dist_options options = dist_options(
            i < 6 ? scalar[i] : (i == 6 ? "mvnormal" : "categorical"),
            i < 6 ? (discrete ? count : y) : (i == 6 ? pair : class),
            i == 6 ? 2 : 1);
        ng_model *model = fit_dist(frame, &options);
        ng_model *loaded = through_file(model);
        double ab, ba;
        check_same_text(model, loaded);
        check_same_predictions(model, loaded, frame);
        OK(ng_model_kl(model, loaded, NULL, &ab, &ba));
        ck_assert_double_eq(ab, 0);
        ck_assert_double_eq(ba, 0);
        ng_model_destroy(&model);
        ng_model_destroy(&loaded);
    }
    ng_frame_destroy(&frame);
}
END_TEST

/* ---- Predictions ---- */

/* mean = x beta, and the interval mean -+ 1.2815515655446004 sd of an 80 %
 * interval of the normal. */
START_TEST(gaussian_predictions_by_hand) {
    ng_frame *frame = frame_of_text(TEXT, NULL);
    ng_model *model = fit_kind(frame, &KINDS[0]);
    const double *x = ng_frame_find(frame, "x")->values,
                 *g = ng_frame_find(frame, "group")->values;
    double sd = sqrt(ng_model_summary(model)->dispersion);
    ng_prediction *p;
    OK(ng_model_predict(model, frame, &EIGHTY, &p));
    ck_assert_uint_eq(p->columns, 3);
    ck_assert_ptr_null(p->best);
    ck_assert_str_eq(p->column[0], "mean");
    ck_assert_str_eq(p->column[1], "lower");
    ck_assert_str_eq(p->column[2], "upper");
    for (size_t i = 0; i < p->rows; i++) {
        double mean = estimate(model, 0) + estimate(model, 1) * x[i] +
                      (g[i] == 1 ? estimate(model, 2) : 0) +
                      (g[i] == 2 ? estimate(model, 3) : 0);
        NEAR(p->values[3 * i], mean, 1e-13);
        NEAR(p->values[3 * i + 1], mean - 1.2815515655446004 * sd, 1e-12);
        NEAR(p->values[3 * i + 2], mean + 1.2815515655446004 * sd, 1e-12);
    }
    ng_prediction_destroy(&p);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}
END_TEST

START_TEST(class_predictions_by_hand) {
    ng_frame *frame = frame_of_text(TEXT, NULL);
    ng_model *model = fit_kind(frame, &KINDS[KIND_COUNT - 1]);
    const double *x = ng_frame_find(frame, "x")->values,
                 *g = ng_frame_find(frame, "group")->values,
                 *y = ng_frame_find(frame, "class")->values,
                 *w = ng_frame_find(frame, "w")->values;
    double loss = 0, right = 0, total = 0, found_loss, accuracy;
    ng_prediction *p;
    OK(ng_model_predict(model, frame, NULL, &p));
    ck_assert_str_eq(p->column[0], "p[p]");
    ck_assert_str_eq(p->column[2], "p[r]");
    for (size_t i = 0; i < p->rows; i++) {
        double e[3] = {1, 0, 0}, sum = 1;
        size_t best = 0;
        for (size_t k = 1; k < 3; k++) {
            const ng_parameter *b =
                ng_model_summary(model)->parameter + 4 * (k - 1);
            ck_assert_str_eq(b->level, k == 1 ? "q" : "r");
            e[k] = exp(b[0].estimate + b[1].estimate * x[i] +
                       (g[i] == 1 ? b[2].estimate : 0) +
                       (g[i] == 2 ? b[3].estimate : 0));
            sum += e[k];
            best = e[k] > e[best] ? k : best;
        }
        for (size_t k = 0; k < 3; k++)
            NEAR(p->values[3 * i + k], e[k] / sum, 1e-14);
        ck_assert_uint_eq(p->best[i], best);
        total += w[i];
        loss -= w[i] * log(e[(size_t)y[i]] / sum);
        right += best == (size_t)y[i] ? w[i] : 0;
    }
    OK(ng_model_evaluate(model, frame, &found_loss, &accuracy));
    NEAR(found_loss, loss / total, 1e-14);
    ck_assert_double_eq_tol(accuracy, right / total, 1e-15);
    NEAR(ng_model_summary(model)->accuracy, right / total, 1e-15);
    /* The deviance of classes is twice the loss. */
    check_relative("deviance", ng_model_summary(model)->deviance, 2 * loss,
                   1e-13);
    check_relative("log-likelihood", ng_model_summary(model)->log_likelihood,
                   -loss, 1e-13);
    ng_prediction_destroy(&p);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}
END_TEST

/* Poisson with an offset: -log p of the data, written out. */
START_TEST(evaluation_by_hand) {
    ng_frame *frame = frame_of_text(TEXT, NULL);
    ng_model *model = fit_kind(frame, &KINDS[4]);
    const double *x = ng_frame_find(frame, "x")->values,
                 *g = ng_frame_find(frame, "group")->values,
                 *y = ng_frame_find(frame, "count")->values,
                 *offset = ng_frame_find(frame, "off")->values;
    double loss = 0, found, accuracy;
    size_t n = ng_frame_rows(frame);
    for (size_t i = 0; i < n; i++) {
        double eta = offset[i] + estimate(model, 0) +
                     estimate(model, 1) * x[i] +
                     (g[i] == 1 ? estimate(model, 2) : 0) +
                     (g[i] == 2 ? estimate(model, 3) : 0);
        loss += (exp(eta) - y[i] * eta + lgamma(y[i] + 1)) / (double)n;
    }
    OK(ng_model_evaluate(model, frame, &found, &accuracy));
    NEAR(found, loss, 1e-13);
    NEAR(ng_model_summary(model)->loss, loss, 1e-13);
    ck_assert(isnan(accuracy));
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}
END_TEST

/* ---- KL ---- */

START_TEST(kl_of_two_normals) {
    static const char *const x[] = {"x"}, *const y[] = {"y"};
    ng_frame *frame = frame_of_text(TEXT, NULL);
    ng_dist_options of_x = dist_options("normal", x, 1),
                    of_y = dist_options("normal", y, 1);
    ng_model *a = fit_dist(frame, &of_x), *b = fit_dist(frame, &of_y);
    double ab, ba, m = estimate(a, 0) - estimate(b, 0), s = estimate(a, 1),
                   t = estimate(b, 1);
    OK(ng_model_kl(a, b, NULL, &ab, &ba));
    NEAR(ab, log(t / s) + (s * s + m * m) / (2 * t * t) - 0.5, 1e-14);
    NEAR(ba, log(s / t) + (t * t + m * m) / (2 * s * s) - 0.5, 1e-14);
    ng_model_destroy(&a);
    ng_model_destroy(&b);
    ng_frame_destroy(&frame);
}
END_TEST

/* Models of one family on different features: mean over the rows. */
START_TEST(kl_of_two_glms) {
    ng_frame *frame = frame_of_text(TEXT, NULL);
    ng_glm_options options = glm_options("poisson", NULL, "count");
    options.features = FEATURES;
    options.feature_count = 1;
    ng_model *a = fit_glm(frame, &options);
    options.feature_count = 2;
    options.link = "sqrt";
    ng_model *b = fit_glm(frame, &options);
    ng_prediction *p, *q;
    double ab, ba, sum = 0;
    OK(ng_model_predict(a, frame, NULL, &p));
    OK(ng_model_predict(b, frame, NULL, &q));
    for (size_t i = 0; i < p->rows; i++) {
        double l = p->values[3 * i], m = q->values[3 * i];
        sum += (l * log(l / m) - l + m) / (double)p->rows;
    }
    OK(ng_model_kl(a, b, frame, &ab, &ba));
    NEAR(ab, sum, 1e-13);
    ck_assert_double_gt(ba, 0);
    ck_assert_int_eq(ng_model_kl(a, b, NULL, &ab, &ba), NG_EUSAGE);
    ng_prediction_destroy(&p);
    ng_prediction_destroy(&q);
    ng_model_destroy(&a);
    ng_model_destroy(&b);
    ng_frame_destroy(&frame);
}
END_TEST

START_TEST(kl_of_different_families_is_refused) {
    ng_frame *frame = frame_of_text(TEXT, NULL);
    ng_model *a = fit_kind(frame, &KINDS[0]), *b = fit_kind(frame, &KINDS[4]);
    double ab, ba;
    ck_assert_int_eq(ng_model_kl(a, b, frame, &ab, &ba), NG_EUSAGE);
    ck_assert_ptr_nonnull(strstr(ng_error(ctx), "\"gaussian\""));
    ng_model_destroy(&a);
    ng_model_destroy(&b);
    ng_frame_destroy(&frame);
}
END_TEST

/* ---- What does not match ---- */

static void refuse(const ng_model *model, const char *csv,
                   const char *message) {
    ng_frame *frame = frame_of_text(csv, NULL);
    ng_prediction *p;
    ck_assert_int_eq(ng_model_predict(model, frame, NULL, &p), NG_EDATA);
    ck_assert_ptr_null(p);
    ck_assert_str_eq(ng_error(ctx), message);
    ng_frame_destroy(&frame);
}

START_TEST(data_that_do_not_match_are_refused) {
    ng_frame *frame = frame_of_text(TEXT, NULL);
    ng_model *model = fit_kind(frame, &KINDS[0]);
    refuse(model, "x\n1\n2\n", "text: no column \"group\"");
    refuse(model, "x,group\n1,a\n2,z\n",
           "text: row 2, column \"group\": level \"z\" was not seen when the "
           "model was fitted");
    refuse(model, "x,group\n1,1\n2,2\n",
           "text: column \"group\" holds numbers; the model expects levels");
    refuse(model, "x,group\nb,a\nb,c\n",
           "text: row 1, column \"x\": expected a number, found \"b\"");
    double loss, accuracy;
    ng_frame *bare = frame_of_text("x,group\n1,a\n", NULL);
    ck_assert_int_eq(ng_model_evaluate(model, bare, &loss, &accuracy),
                     NG_EDATA);
    ck_assert_str_eq(ng_error(ctx), "text: no column \"y\"");
    ng_frame_destroy(&bare);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}
END_TEST

START_TEST(labels_outside_the_support_are_refused) {
    static const char *const bad[] = {
        "x,group,count,off\n1,a,-2,0\n", "x,group,n,count\n1,a,2,3\n",
        "x,group,w,class\n1,a,-1,p\n", "x,group,w,class\n1,a,0,p\n"};
    static const char *const message[] = {
        "text: row 1, column \"count\": expected a count 0, 1, 2, ..., found "
        "-2",
        "text: row 1, column \"count\": expected a number of successes from 0 "
        "to the trials, found 3",
        "text: row 1, column \"w\": expected a weight >= 0, found -1",
        "text: column \"w\": all weights are zero"};
    static const size_t kind_of[] = {4, 5, 6, 6};
    ng_frame *frame = frame_of_text(TEXT, NULL);
    for (size_t i = 0; i < 4; i++) {
        ng_model *model = fit_kind(frame, &KINDS[kind_of[i]]);
        ng_frame *other = frame_of_text(bad[i], NULL);
        double loss, accuracy;
        ck_assert_int_eq(ng_model_evaluate(model, other, &loss, &accuracy),
                         NG_EDATA);
        ck_assert_str_eq(ng_error(ctx), message[i]);
        ng_frame_destroy(&other);
        ng_model_destroy(&model);
    }
    ng_frame_destroy(&frame);
}
END_TEST

/* A Bernoulli of two levels knows them after its file, too. */
START_TEST(a_bernoulli_remembers_its_levels) {
    static const char *const column[] = {"a"};
    ng_frame *frame = frame_of_text("a\nno\nyes\nyes\nno\nyes\n", NULL);
    ng_dist_options options = dist_options("bernoulli", column, 1);
    ng_model *model = fit_dist(frame, &options);
    ng_model *loaded = through_file(model);
    double loss, accuracy;
    NEAR(estimate(model, 0), 0.6, 1e-10);
    OK(ng_model_evaluate(loaded, frame, &loss, &accuracy));
    NEAR(loss, -0.6 * log(0.6) - 0.4 * log(0.4), 1e-12);
    NEAR(accuracy, 0.6, 1e-15);
    ng_model_destroy(&model);
    ng_model_destroy(&loaded);
    ng_frame_destroy(&frame);
}
END_TEST

static void add(TCase *tests) {
    tcase_add_loop_test(tests, a_model_survives_its_file, 0, KIND_COUNT);
    tcase_add_test(tests, a_distribution_survives_its_file);
    tcase_add_test(tests, gaussian_predictions_by_hand);
    tcase_add_test(tests, class_predictions_by_hand);
    tcase_add_test(tests, evaluation_by_hand);
    tcase_add_test(tests, kl_of_two_normals);
    tcase_add_test(tests, kl_of_two_glms);
    tcase_add_test(tests, kl_of_different_families_is_refused);
    tcase_add_test(tests, data_that_do_not_match_are_refused);
    tcase_add_test(tests, labels_outside_the_support_are_refused);
    tcase_add_test(tests, a_bernoulli_remembers_its_levels);
}

int main(void) {
    return learner_main("learner_model", add);
}
