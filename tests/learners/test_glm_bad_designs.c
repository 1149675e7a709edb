/* Designs and responses that go wrong, for every family and link: each has a
 * defined answer or one clear sentence. */
#include "glm_random.h"

#include <time.h>

enum { SENTENCE = 256 };

/* ---- What is defined ---- */

static bool warns(const ng_summary *s, const char *of) {
    for (size_t i = 0; i < s->warnings; i++) {
        if (strstr(s->warning[i], of))
            return true;
    }
    return false;
}

/* What is wrong with a parameter; NULL: nothing. */
static const char *parameter_trouble(const ng_summary *s,
                                     const ng_parameter *p) {
    bool known = isfinite(p->std_error);
    bool excused = warns(s, "standard errors mean nothing") ||
                   warns(s, "standard errors and likelihood mean nothing");
    if (p->aliased)
        return isnan(p->estimate) && isnan(p->std_error) && !p->infinite
                   ? NULL
                   : "an aliased column has numbers";
    if (!isfinite(p->estimate))
        return s->converged ? "an estimate is not finite" : NULL;
    if (p->infinite && !s->firth)
        return known ? "an infinite estimate has a standard error" : NULL;
    if (s->converged && isfinite(s->dispersion) && !known && !excused)
        return "a standard error is not finite";
    /* Squares of less than 1e-154 underflow, dispersions too. */
    bool small = fabs(p->estimate) < 1e-150 || s->dispersion == 0;
    if (known && !(p->std_error > 0) && !excused && !small && s->converged)
        return "a standard error is 0";
    if (known && (p->lower > p->estimate || p->upper < p->estimate))
        return "an interval is beside its estimate";
    return NULL;
}

static const char *summary_trouble(const ng_model *model, const cell *c) {
    const ng_summary *s = ng_model_summary(model);
    size_t rank = 0, infinite = 0;
    bool stopped = s->stop == NG_CONVERGED || s->stop == NG_AT_KINK;
    /* Dispersions of units far out are 0 or infinite. */
    bool no_loss = warns(s, "perfect") || c->power > 2 ||
                   !(s->dispersion > 0 && isfinite(s->dispersion));
    for (size_t i = 0; i < s->parameters; i++) {
        const ng_parameter *p = &s->parameter[i];
        const char *trouble = parameter_trouble(s, p);
        rank += !p->aliased;
        infinite += p->infinite != 0;
        if (trouble)
            return trouble;
    }
    if (stopped != (s->converged != 0))
        return "the stop says something else than converged";
    if (s->converged && !no_loss && !isfinite(s->loss))
        return "converged without a loss";
    if (s->converged && !isfinite(s->decrement))
        return "converged without a decrement";
    bool separates = s->separation != NG_SEPARATION_NONE;
    if (separates != (infinite > 0))
        return "separation without infinite estimates, or they without it";
    if (s->converged && s->rank + s->thresholds + is(c, "beta") != rank)
        return "rank does not count what is not aliased";
    return NULL;
}

/* A model can be used on its own data, whatever they are. */
static const char *use_trouble(const ng_model *model, const ng_frame *frame) {
    ng_prediction *p = NULL;
    char *json;
    bool good = true;
    OK(ng_model_to_json(model, &json));
    bool numbers = !strstr(json, "nan") && !strstr(json, "inf,");
    ng_text_free(ctx, &json);
    if (!numbers)
        return "JSON holds what is no number";
    if (ng_model_predict(model, frame, NULL, &p) != NG_OK)
        return strstr(ng_error(ctx), "row") ? NULL : "prediction without a row";
    for (size_t i = 0; i < p->rows; i++)
        good = good && !isnan(p->values[i * p->columns]);
    ng_prediction_destroy(&p);
    return good || !ng_model_summary(model)->converged ? NULL : "a mean is NaN";
}

/* One sentence that says what was expected, and nothing that converged. */
static const char *error_trouble(ng_status status) {
    const char *text = ng_error(ctx);
    if (status != NG_EDATA && status != NG_EUSAGE && status != NG_ENUMERIC)
        return "an unusual status";
    return strlen(text) > 15 && strlen(text) < SENTENCE && !strchr(text, '\n')
               ? NULL
               : "an error without a sentence";
}

static void check_answer(const sample *s, const char *what,
                         const ng_glm_options *options) {
    ng_frame *frame = frame_of(s);
    ng_model *model;
    clock_t began = clock();
    ng_status status = ng_glm_fit(ctx, frame, options, &model);
    double seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
    const char *trouble;
    char text[SENTENCE] = "fitted";
    if (status != NG_OK) {
        trouble = error_trouble(status);
        snprintf(text, sizeof text, "%s", ng_error(ctx));
    } else {
        trouble = summary_trouble(model, s->c);
        if (!trouble)
            trouble = use_trouble(model, frame);
        snprintf(text, sizeof text, "%s",
                 ng_stop_text(ng_model_summary(model)->stop));
        ng_model_destroy(&model);
    }
    ng_frame_destroy(&frame);
    ck_assert_msg(!trouble, "%s %s, %s: %s (%s)", s->c->family, s->c->link,
                  what, trouble, text);
    ck_assert_msg(seconds < 20, "%s %s, %s: %.1f s", s->c->family, s->c->link,
                  what, seconds);
}

/* ---- What goes wrong ---- */

typedef void mutation(sample *s, ng_rng *rng);

static void fill(sample *s, size_t j, double value) {
    for (size_t i = 0; i < s->n; i++)
        s->x[j][i] = value;
}

static void stretch(sample *s, size_t j, double factor) {
    for (size_t i = 0; i < s->n; i++)
        s->x[j][i] *= factor;
}

static void respond(sample *s, double value) {
    for (size_t i = 0; i < s->n; i++)
        s->y[i] = value;
}

static void multiply(sample *s, double factor) {
    for (size_t i = 0; i < s->n && !has_levels(s->c); i++)
        s->y[i] *= factor;
}

static void move(sample *s, double offset) {
    s->shifted = !is(s->c, "multinomial");
    for (size_t i = 0; i < s->n; i++)
        s->o[i] = offset * (1 + s->x[0][i]);
}

static void weigh(sample *s, double weight) {
    s->weighted = true;
    for (size_t i = 0; i < s->n; i++)
        s->w[i] = weight;
}

static void weigh_unevenly(sample *s) {
    weigh(s, 1);
    for (size_t i = 0; i < s->n; i++)
        s->w[i] = pow(10, (double)(i % 25) - 12);
}

static void weigh_half(sample *s) {
    weigh(s, 1);
    for (size_t i = 0; i < s->n; i += 2)
        s->w[i] = 0;
}

static void make_dummies(sample *s) {
    for (size_t i = 0; i < s->n; i++) {
        for (size_t j = 0; j < 3; j++)
            s->x[j][i] = i % 3 == j;
    }
}

static void widen(sample *s, ng_rng *rng) {
    s->n = 4;
    for (s->p = 3; s->p < 9; s->p++) {
        for (size_t i = 0; i < 4; i++)
            s->x[s->p][i] = ng_rng_normal(rng);
    }
}

static void lift(sample *s, double level) {
    for (size_t i = 0; i < s->n; i++)
        s->x[0][i] += level;
}

static void approach(sample *s, double gap) {
    for (size_t i = 0; i < s->n; i++)
        s->x[2][i] = s->x[0][i] + gap * s->x[2][i];
}

static void spread(sample *s) {
    for (size_t i = 0; i < s->n && !has_levels(s->c); i++)
        s->y[i] = floor(pow(10, (double)(i % 13)));
}

static void separate(sample *s, bool twice) {
    for (size_t i = 0; i < s->n; i++) {
        s->y[i] = s->x[0][i] > 0.5;
        if (twice && s->y[i] == 0 && s->x[2][i] > 0.5)
            s->y[i] = 2;
    }
}

static void remove_noise(sample *s) {
    for (size_t i = 0; i < s->n; i++)
        s->y[i] = mean_of(s->c, predictor(s->c, s, i));
}

static void mark_zeros(sample *s) {
    for (size_t i = 0; i < s->n; i += 3) {
        s->x[0][i] = 7;
        s->y[i] = 0;
    }
}

#define MUTATIONS(X)                                                           \
    X(nothing, (void)s)                                                        \
    X(constant_column, fill(s, 1, 3))                                          \
    X(column_of_zeros, fill(s, 0, 0))                                          \
    X(all_columns_zero, s->p = 1; fill(s, 0, 0))                               \
    X(copied_column, memcpy(s->x[2], s->x[0], s->n * sizeof *s->y))            \
    X(all_dummies, make_dummies(s))                                            \
    X(one_dummy_row, fill(s, 0, 0); s->x[0][s->n - 1] = 1)                     \
    X(more_columns_than_rows, widen(s, rng))                                   \
    X(as_many_columns_as_rows, s->n = 4)                                       \
    X(one_row, s->n = 1)                                                       \
    X(two_rows, s->n = 2)                                                      \
    X(one_column, s->p = 1)                                                    \
    X(all_weights_zero, weigh(s, 0))                                           \
    X(one_weight, weigh(s, 0); s->w[1] = 2)                                    \
    X(half_the_weights_zero, weigh_half(s))                                    \
    X(tiny_weights, weigh(s, 1e-300))                                          \
    X(huge_weights, weigh(s, 1e300))                                           \
    X(uneven_weights, weigh_unevenly(s))                                       \
    X(negative_weight, weigh(s, 1); s->w[2] = -1)                              \
    X(huge_columns, stretch(s, 0, 1e150); stretch(s, 1, 1e150))                \
    X(tiny_columns, stretch(s, 0, 1e-150); stretch(s, 2, 1e-150))              \
    X(mixed_columns, stretch(s, 0, 1e150); stretch(s, 1, 1e-150))              \
    X(largest_column, stretch(s, 0, 1.7e308))                                  \
    X(subnormal_column, stretch(s, 0, 1e-320))                                 \
    X(outlying_x, s->x[0][3] = 1e12)                                           \
    X(absurd_x, s->x[0][3] = 1e160)                                            \
    X(large_level_of_x, lift(s, 1e9))                                          \
    X(nearly_collinear_6, approach(s, 1e-6))                                   \
    X(nearly_collinear_9, approach(s, 1e-9))                                   \
    X(nearly_collinear_12, approach(s, 1e-12))                                 \
    X(nearly_collinear_15, approach(s, 1e-15))                                 \
    X(huge_response, multiply(s, 1e150))                                       \
    X(tiny_response, multiply(s, 1e-150))                                      \
    X(large_counts, multiply(s, 1e9))                                          \
    X(largest_response, multiply(s, 1e300))                                    \
    X(smallest_response, multiply(s, 1e-300))                                  \
    X(outlying_response, s->y[4] = has_levels(s->c) ? 0 : 1e12)                \
    X(spread_responses, spread(s))                                             \
    X(all_zero, respond(s, 0))                                                 \
    X(all_one, respond(s, 1))                                                  \
    X(all_half, respond(s, 0.5))                                               \
    X(all_seven, respond(s, 7))                                                \
    X(negative_response, s->y[3] = -2)                                         \
    X(fractional_response, s->y[3] = 1.5)                                      \
    X(separated, separate(s, false))                                           \
    X(separated_twice, separate(s, true))                                      \
    X(perfect_line, remove_noise(s))                                           \
    X(zero_where_x_is, mark_zeros(s))                                          \
    X(offset_of_thousands, move(s, 1e3))                                       \
    X(offset_below, move(s, -1e3))                                             \
    X(huge_offset, move(s, 1e150))                                             \
    X(largest_offset, move(s, -8e307))                                         \
    X(some_offset, move(s, 0.1))

#define DEFINE(name, body)                                                     \
    static void name(sample *s, ng_rng *rng) {                                 \
        (void)rng;                                                             \
        body;                                                                  \
    }
MUTATIONS(DEFINE)
#undef DEFINE

static const struct {
    const char *name;
    mutation *apply;
} MUTATION[] = {
#define ENTRY(name, body) {#name, name},
    MUTATIONS(ENTRY)
#undef ENTRY
};
enum { MUTATION_COUNT = sizeof MUTATION / sizeof *MUTATION };

static void spoil(sample *s, size_t cell_index, size_t which) {
    ng_rng rng;
    ng_rng_init(&rng, 31, cell_index);
    make_sample(s, &CELLS[cell_index], 17, 24, 3);
    MUTATION[which].apply(s, &rng);
}

START_TEST(every_bad_design_has_a_defined_answer) {
    static sample s;
    for (size_t k = 0; k < CELL_COUNT; k++) {
        spoil(&s, k, (size_t)_i);
        ng_glm_options options = options_of(&s);
        options.fit.max_iter = 200;
        check_answer(&s, MUTATION[_i].name, &options);
    }
}
END_TEST

/* ---- Separation ---- */

/* A hidden direction d splits rows of features around 0: y = 1 where x'd is
 * above a gap. The feature x2 has no part in it. */
static const double HIDDEN[2] = {1, -2};

static double along(const sample *s, size_t i) {
    return HIDDEN[0] * s->x[0][i] + HIDDEN[1] * s->x[1][i];
}

/* Complete: every row stands off the plane. Quasi: rows of x0 = x1 = 0 overlap.
 */
static void hide(sample *s, const cell *c, uint64_t seed, bool complete) {
    ng_rng rng;
    make_sample(s, &CELLS[0], seed, 60, 3);
    ng_rng_init(&rng, seed, 5);
    s->c = c;
    for (size_t i = 0; i < s->n; i++) {
        bool still = !complete && i % 3 == 0;
        for (size_t j = 0; j < 3; j++)
            s->x[j][i] = still && j < 2 ? 0 : ng_rng_normal(&rng);
        while (!still && fabs(along(s, i)) < 0.2)
            s->x[0][i] = ng_rng_normal(&rng);
        s->y[i] = still ? ng_rng_uniform(&rng) < 0.5 : along(s, i) > 0;
    }
}

static void check_hidden(const sample *s, bool complete, bool firth) {
    ng_frame *frame = frame_of(s);
    ng_glm_options options = options_of(s);
    options.firth = firth;
    ng_model *model = fit_glm(frame, &options);
    const ng_summary *m = ng_model_summary(model);
    ck_assert_msg(m->separation ==
                      (complete ? NG_SEPARATION_COMPLETE : NG_SEPARATION_QUASI),
                  "%s %s: kind %d", s->c->family, s->c->link, m->separation);
    ck_assert_int_eq(m->converged, firth);
    for (size_t i = 0; i < m->parameters; i++) {
        const ng_parameter *p = &m->parameter[i];
        bool moves = p->term[0] == 'x' && p->term[1] < '2';
        double sign = p->term[1] == '0' ? HIDDEN[0] : HIDDEN[1];
        if (firth)
            ck_assert_msg(isfinite(p->estimate) && p->std_error > 0, "%s %s",
                          s->c->link, p->term);
        else if (moves)
            ck_assert_msg(p->infinite * sign > 0, "%s %s, %s: %d", s->c->family,
                          s->c->link, p->term, p->infinite);
        else if (!complete)
            ck_assert_msg(p->infinite == 0, "%s %s, %s: %d", s->c->family,
                          s->c->link, p->term, p->infinite);
    }
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}

static const cell SEPARABLE[] = {
    {"binomial", "logit", 0},   {"binomial", "probit", 0},
    {"binomial", "cloglog", 0}, {"binomial", "cauchit", 0},
    {"ordinal", "logit", 0},    {"ordinal", "probit", 0},
    {"multinomial", "logit", 0}};
enum { SEPARABLE_COUNT = sizeof SEPARABLE / sizeof *SEPARABLE };

START_TEST(hidden_directions_are_found) {
    static sample s;
    for (int complete = 0; complete < 2; complete++) {
        hide(&s, &SEPARABLE[_i % SEPARABLE_COUNT], (uint64_t)_i, complete);
        check_hidden(&s, complete, false);
        if (is(s.c, "binomial"))
            check_hidden(&s, complete, true);
    }
}
END_TEST

static const cell *poisson_log(void) {
    for (size_t k = 0; k < CELL_COUNT; k++) {
        if (is(&CELLS[k], "poisson") && has_link(&CELLS[k], "log"))
            return &CELLS[k];
    }
    return NULL;
}

/* Nothing was ever counted where x0 is 1. */
START_TEST(levels_without_counts_separate) {
    static sample s;
    for (int firth = 0; firth < 2; firth++) {
        make_sample(&s, poisson_log(), (uint64_t)_i, 40, 3);
        for (size_t i = 0; i < s.n; i++) {
            s.x[0][i] = i % 4 == 0;
            s.y[i] *= s.x[0][i] == 0;
        }
        ng_frame *frame = frame_of(&s);
        ng_glm_options options = options_of(&s);
        options.firth = firth;
        ng_model *model = fit_glm(frame, &options);
        const ng_summary *m = ng_model_summary(model);
        ck_assert_int_eq(m->separation, NG_SEPARATION_QUASI);
        for (size_t j = 0; j < m->parameters; j++) {
            bool moves = j == 1;
            ck_assert_int_eq(m->parameter[j].infinite, moves ? -1 : 0);
            ck_assert((moves && !firth) || isfinite(m->parameter[j].std_error));
        }
        ng_model_destroy(&model);
        ng_frame_destroy(&frame);
    }
}
END_TEST

/* Bias reduction pulls every estimate in, whatever the data are. */
START_TEST(bias_reduced_estimates_are_finite) {
    static sample s;
    for (size_t k = 0; k < CELL_COUNT; k++) {
        if (!is(&CELLS[k], "binomial") && &CELLS[k] != poisson_log())
            continue;
        spoil(&s, k, (size_t)_i);
        ng_glm_options options = options_of(&s);
        options.firth = 1;
        options.fit.max_iter = 200;
        check_answer(&s, MUTATION[_i].name, &options);
    }
}
END_TEST

/* ---- Factors ---- */

static ng_status fit_text(const char *text, const char *formula,
                          const char *weights, ng_model **model) {
    ng_frame *frame = frame_of_text(text, NULL);
    ng_glm_options options = glm_options("gaussian", NULL, NULL);
    options.formula = formula;
    options.weights = weights;
    ng_status status = ng_glm_fit(ctx, frame, &options, model);
    ng_frame_destroy(&frame);
    return status;
}

static const char LEVELS[] = "y,w,f,one,x\n"
                             "1,1,a,u,3\n2,1,a,u,1\n4,1,b,u,4\n3,2,b,u,1\n"
                             "9,0,c,u,5\n8,0,c,u,9\n5,1,a,u,2\n1,1,b,u,6\n";

START_TEST(a_factor_of_one_level_is_refused) {
    ng_model *model;
    ck_assert_int_eq(fit_text(LEVELS, "y ~ x + one", NULL, &model), NG_EDATA);
    ck_assert_ptr_nonnull(strstr(ng_error(ctx), "one level"));
    ck_assert_ptr_null(model);
}
END_TEST

START_TEST(a_level_whose_rows_weigh_nothing_is_aliased) {
    ng_model *model;
    OK(fit_text(LEVELS, "y ~ x + f", "w", &model));
    const ng_summary *s = ng_model_summary(model);
    ck_assert(s->converged);
    ck_assert_uint_eq(s->rank, 3);
    for (size_t i = 0; i < s->parameters; i++)
        ck_assert_int_eq(s->parameter[i].aliased, i + 1 == s->parameters);
    ng_model_destroy(&model);
}
END_TEST

/* (1, 2, 4, 3, 9, 8, 5, 1): the mean is 33 / 8. */
START_TEST(a_model_needs_no_columns) {
    ng_model *model;
    OK(fit_text(LEVELS, "y ~ 1", NULL, &model));
    NEAR(estimate(model, 0), 33. / 8, 1e-14);
    ng_model_destroy(&model);
    ck_assert_int_eq(fit_text(LEVELS, "y ~ 0", NULL, &model), NG_EUSAGE);
    ck_assert_ptr_nonnull(strstr(ng_error(ctx), "at least one"));
}
END_TEST

static void add_tests(TCase *tests) {
    tcase_add_loop_test(tests, every_bad_design_has_a_defined_answer, 0,
                        MUTATION_COUNT);
    tcase_add_test(tests, a_factor_of_one_level_is_refused);
    tcase_add_test(tests, a_level_whose_rows_weigh_nothing_is_aliased);
    tcase_add_test(tests, a_model_needs_no_columns);
    tcase_add_loop_test(tests, hidden_directions_are_found, 0,
                        4 * SEPARABLE_COUNT);
    tcase_add_loop_test(tests, levels_without_counts_separate, 0, 4);
    tcase_add_loop_test(tests, bias_reduced_estimates_are_finite, 0,
                        MUTATION_COUNT);
}

int main(void) {
    return learner_main("glm_bad_designs", add_tests);
}
