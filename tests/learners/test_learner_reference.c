/* The reference results under shared/: estimates, standard errors and
 * likelihoods computed there with 40 digits. */
#include "fixture.h"

#include <jansson.h>

/* Convergence leaves a decrement of 1e-10 at most, so that estimates are
 * within 1e-10 / sqrt(n) standard errors of the optimum. What is left is
 * rounding: estimates within 1e-9, likelihoods within 1e-11 of themselves. */
static const double COEFFICIENT = 1e-9, LIKELIHOOD = 1e-11;

static json_t *read_json(const char *test, const char *file) {
    char *text = reference_text(test, file);
    json_t *json = text ? json_loads(text, 0, NULL) : NULL;
    free(text);
    return json;
}

/* A number, whether the file has it as one or as a string. */
static double number(const json_t *value) {
    ck_assert(json_is_string(value) || json_is_number(value));
    return json_is_string(value) ? strtod(json_string_value(value), NULL)
                                 : json_number_value(value);
}

static double number_at(const json_t *object, const char *key) {
    return number(json_object_get(object, key));
}

static void check_list(const ng_model *model, size_t first,
                       const json_t *coefficients, const json_t *errors,
                       double tolerance) {
    for (size_t i = 0; i < json_array_size(coefficients); i++) {
        const ng_parameter *p = &ng_model_summary(model)->parameter[first + i];
        check_relative(p->term, p->estimate,
                       number(json_array_get(coefficients, i)), tolerance);
        check_relative(p->term, p->std_error, number(json_array_get(errors, i)),
                       tolerance);
    }
}

static void check_glm(const ng_model *model, const json_t *json) {
    const ng_summary *s = ng_model_summary(model);
    const json_t *expected = json_object_get(json, "expected");
    const json_t *R = json_object_get(json, "R");
    ck_assert(s->converged);
    ck_assert_uint_eq(s->parameters,
                      json_array_size(json_object_get(expected, "coef")));
    check_list(model, 0, json_object_get(expected, "coef"),
               json_object_get(expected, "se_expected_information"),
               COEFFICIENT);
    check_relative("log-likelihood", s->log_likelihood,
                   number_at(expected, "loglik"), LIKELIHOOD);
    check_relative("deviance", s->deviance, number_at(expected, "deviance"),
                   LIKELIHOOD);
    /* R's own 15 digits. */
    check_relative("null deviance", s->null_deviance,
                   number_at(R, "null_deviance"), LIKELIHOOD);
    check_relative("aic", s->aic, number_at(R, "aic"), LIKELIHOOD);
    ck_assert_double_eq(s->df_residual, number_at(expected, "df_residual"));
    ck_assert_double_eq(s->n, number_at(json, "n"));
    ck_assert_uint_eq(s->warnings, 0);
}

/* The *_design.csv: columns y, weight, offset, x0 (the ones), x1, ... */
static void check_design(const char *test, const char *file, const char *family,
                         const json_t *json) {
    static const char *const x[] = {"x0", "x1", "x2", "x3", "x4", "x5", "x6"};
    ng_frame *frame = frame_of_reference(test, file);
    ng_glm_options options = glm_options(family, NULL, "y");
    options.features = x;
    options.feature_count = (size_t)number_at(json, "p");
    options.weights = "weight";
    options.offset = "offset";
    options.intercept = 0;
    ng_model *model = fit_glm(frame, &options);
    const ng_summary *s = ng_model_summary(model);
    const json_t *expected = json_object_get(json, "expected");
    ck_assert(s->converged);
    check_list(model, 0, json_object_get(expected, "coef"),
               json_object_get(expected, "se_expected_information"),
               COEFFICIENT);
    check_relative("log-likelihood", s->log_likelihood,
                   number_at(expected, "loglik"), LIKELIHOOD);
    check_relative("deviance", s->deviance, number_at(expected, "deviance"),
                   LIKELIHOOD);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}

START_TEST(infert_logit_agrees_with_the_reference) {
    static const char *const features[] = {"age", "parity", "education",
                                           "spontaneous", "induced"};
    json_t *json = read_json("infert_logit_agrees_with_the_reference",
                             "infert_logit.json");
    if (!json)
        return;
    ng_frame *frame = frame_of_reference("infert_logit", "infert.csv");
    ng_glm_options options = glm_options("binomial", NULL, "case");
    options.features = features;
    options.feature_count = 5;
    /* Levels in byte order begin with R's reference too, but go on with
     * 12+yrs before 6-11yrs: terms are matched by name. */
    ng_model *model = fit_glm(frame, &options);
    const ng_summary *s = ng_model_summary(model);
    static const char *const term[] = {
        "(Intercept)",       "age",         "parity", "education[6-11yrs]",
        "education[12+yrs]", "spontaneous", "induced"};
    const json_t *expected = json_object_get(json, "expected");
    for (size_t i = 0; i < 7; i++) {
        const ng_parameter *p = parameter(model, term[i], NULL);
        check_relative(
            p->term, p->estimate,
            number(json_array_get(json_object_get(expected, "coef"), i)),
            COEFFICIENT);
        check_relative(
            p->term, p->std_error,
            number(json_array_get(
                json_object_get(expected, "se_expected_information"), i)),
            COEFFICIENT);
    }
    check_relative("log-likelihood", s->log_likelihood,
                   number_at(expected, "loglik"), LIKELIHOOD);
    check_relative("null deviance", s->null_deviance,
                   number_at(json_object_get(json, "R"), "null_deviance"),
                   LIKELIHOOD);
    check_relative("aic", s->aic, number_at(json_object_get(json, "R"), "aic"),
                   LIKELIHOOD);
    check_design("infert_logit", "infert_logit_design.csv", "binomial", json);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
    json_decref(json);
}
END_TEST

/* The design has the interaction as columns; x0 is the intercept's, whose
 * place --no-intercept leaves to it. */
START_TEST(warpbreaks_poisson_agrees_with_the_reference) {
    json_t *json = read_json("warpbreaks_poisson_agrees_with_the_reference",
                             "warpbreaks_poisson.json");
    if (!json)
        return;
    check_design("warpbreaks_poisson", "warpbreaks_poisson_design.csv",
                 "poisson", json);
    static const char *const features[] = {"x1", "x2", "x3", "x4", "x5"};
    ng_frame *frame = frame_of_reference("warpbreaks_poisson",
                                         "warpbreaks_poisson_design.csv");
    ng_glm_options options = glm_options("poisson", NULL, "y");
    options.features = features;
    options.feature_count = 5;
    ng_model *model = fit_glm(frame, &options);
    check_glm(model, json);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
    json_decref(json);
}
END_TEST

/* The raw file: levels in byte order, matched by name. */
static void check_raw_multinomial(const json_t *expected) {
    static const char *const features[] = {"age", "parity", "spontaneous"};
    static const char *const level[] = {"6-11yrs", "12+yrs"};
    ng_frame *frame = frame_of_reference("infert_multinomial", "infert.csv");
    ng_glm_options options = glm_options("multinomial", NULL, "education");
    options.features = features;
    options.feature_count = 3;
    ng_model *model = fit_glm(frame, &options);
    for (size_t i = 0; i < 8; i++) {
        size_t k = i / 4, j = i % 4;
        const ng_parameter *p =
            parameter(model, j ? features[j - 1] : "(Intercept)", level[k]);
        const json_t *row =
            json_array_get(json_object_get(expected, "coef"), k);
        check_relative(p->term, p->estimate, number(json_array_get(row, j)),
                       COEFFICIENT);
    }
    check_relative("log-likelihood", ng_model_summary(model)->log_likelihood,
                   number_at(expected, "loglik"), LIKELIHOOD);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}

START_TEST(infert_multinomial_agrees_with_the_reference) {
    static const char *const features[] = {"x1", "x2", "x3"};
    json_t *json = read_json("infert_multinomial_agrees_with_the_reference",
                             "infert_education_multinom.json");
    if (!json)
        return;
    char path[4096];
    const char *target = "y";
    ng_frame *frame;
    ng_frame_options how = {.factors = &target, .factor_count = 1};
    snprintf(path, sizeof path,
             "%s/reference/stat/infert_education_multinom_design.csv",
             NG_SHARED_DIR);
    OK(ng_frame_read_csv(ctx, path, &how, &frame));
    ng_glm_options options = glm_options("multinomial", NULL, "y");
    options.features = features;
    options.feature_count = 3;
    options.weights = "weight";
    ng_model *model = fit_glm(frame, &options);
    const ng_summary *s = ng_model_summary(model);
    const json_t *expected = json_object_get(json, "expected");
    for (size_t k = 0; k < 2; k++)
        check_list(
            model, 4 * k, json_array_get(json_object_get(expected, "coef"), k),
            json_array_get(json_object_get(expected, "se"), k), COEFFICIENT);
    check_relative("log-likelihood", s->log_likelihood,
                   number_at(expected, "loglik"), LIKELIHOOD);
    check_relative("deviance", s->deviance, number_at(expected, "deviance"),
                   LIKELIHOOD);
    check_raw_multinomial(expected);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
    json_decref(json);
}
END_TEST

/* NIST's data set of higher difficulty: the condition number of the raw
 * columns is 5e9, so that 1e-8 here shows what standardising by exact steps
 * is worth. */
START_TEST(longley_agrees_with_nist) {
    json_t *json = read_json("longley_agrees_with_nist", "longley_nist.json");
    if (!json)
        return;
    ng_frame *frame = frame_of_reference("longley", "nist_longley.csv");
    ng_glm_options options = glm_options("gaussian", NULL, "y");
    ng_model *model = fit_glm(frame, &options);
    const ng_summary *s = ng_model_summary(model);
    ck_assert(s->converged);
    check_list(model, 0, json_object_get(json, "coef"),
               json_object_get(json, "se"), 1e-8);
    check_relative("residual sd", sqrt(s->dispersion),
                   number_at(json, "residual_sd"), 1e-9);
    check_relative("rss", s->deviance, number_at(json, "rss"), 1e-9);
    ck_assert_double_eq(s->df_residual, number_at(json, "df"));
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
    json_decref(json);
}
END_TEST

START_TEST(abbey_gamma_agrees_with_the_reference) {
    json_t *list =
        read_json("abbey_gamma_agrees_with_the_reference", "abbey_gamma.json");
    if (!list)
        return;
    const json_t *json = json_array_get(list, 0);
    static const char *const column[] = {"x"};
    ng_frame *frame = frame_of_reference("abbey", "dist_abbey.csv");
    for (int observed = 0; observed < 2; observed++) {
        ng_dist_options options = dist_options("gamma", column, 1);
        options.std_errors = observed ? NG_SE_OBSERVED : NG_SE_EXPECTED;
        ng_model *model = fit_dist(frame, &options);
        ck_assert(ng_model_summary(model)->converged);
        check_list(model, 0, json_object_get(json, "mle"),
                   json_object_get(json, observed ? "se_observed_information"
                                                  : "se_expected_information"),
                   COEFFICIENT);
        check_relative("log-likelihood",
                       ng_model_summary(model)->log_likelihood,
                       number_at(json, "loglik"), LIKELIHOOD);
        ng_model_destroy(&model);
    }
    ng_frame_destroy(&frame);
    json_decref(list);
}
END_TEST

static void add(TCase *tests) {
    tcase_add_test(tests, infert_logit_agrees_with_the_reference);
    tcase_add_test(tests, warpbreaks_poisson_agrees_with_the_reference);
    tcase_add_test(tests, infert_multinomial_agrees_with_the_reference);
    tcase_add_test(tests, longley_agrees_with_nist);
    tcase_add_test(tests, abbey_gamma_agrees_with_the_reference);
}

int main(void) {
    return learner_main("learner_reference", add);
}
