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
        return "an estimate is not finite";
    if (p->infinite)
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
    bool no_loss =
        warns(s, "perfect") || c->power > 2 || !isfinite(s->dispersion);
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
    bool separates = s->separation != NG_SEPARATION_NONE && !s->firth;
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
#ifdef EXPLORE
    if (trouble || seconds > 0.5)
        printf("%-18s %-8s %-22s %.2f s: %s (%s)\n", s->c->family, s->c->link,
               what, seconds, trouble ? trouble : "slow", text);
#else
    ck_assert_msg(!trouble, "%s %s, %s: %s (%s)", s->c->family, s->c->link,
                  what, trouble, text);
    ck_assert_msg(seconds < 20, "%s %s, %s: %.1f s", s->c->family, s->c->link,
                  what, seconds);
#endif
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

#define MUTATIONS(X)                                                           \
    X(nothing, (void)s)                                                        \
    X(constant_column, fill(s, 1, 3))                                          \
    X(column_of_zeros, fill(s, 0, 0))                                          \
    X(all_columns_zero, s->p = 1; fill(s, 0, 0))                               \
    X(copied_column, memcpy(s->x[2], s->x[0], s->n * sizeof *s->y))            \
    X(all_dummies,                                                             \
      for (size_t i = 0; i < s->n; i++) for (size_t j = 0; j < 3; j++)         \
          s->x[j][i] = i % 3 == j)                                             \
    X(one_dummy_row, fill(s, 0, 0); s->x[0][s->n - 1] = 1)                     \
    X(more_columns_than_rows, s->n = 4; s->p = 9;                              \
      for (size_t j = 3; j < 9; j++) for (size_t i = 0; i < 4; i++)            \
          s->x[j][i] = ng_rng_normal(rng))                                     \
    X(as_many_columns_as_rows, s->n = 4)                                       \
    X(one_row, s->n = 1)                                                       \
    X(two_rows, s->n = 2)                                                      \
    X(one_column, s->p = 1)                                                    \
    X(all_weights_zero, weigh(s, 0))                                           \
    X(one_weight, weigh(s, 0); s->w[1] = 2)                                    \
    X(half_the_weights_zero, weigh(s, 1);                                      \
      for (size_t i = 0; i < s->n; i += 2) s->w[i] = 0)                        \
    X(tiny_weights, weigh(s, 1e-300))                                          \
    X(huge_weights, weigh(s, 1e300))                                           \
    X(uneven_weights, weigh(s, 1);                                             \
      for (size_t i = 0; i < s->n; i++) s->w[i] = pow(10, i % 25 - 12.))       \
    X(negative_weight, weigh(s, 1); s->w[2] = -1)                              \
    X(huge_columns, stretch(s, 0, 1e150); stretch(s, 1, 1e150))                \
    X(tiny_columns, stretch(s, 0, 1e-150); stretch(s, 2, 1e-150))              \
    X(mixed_columns, stretch(s, 0, 1e150); stretch(s, 1, 1e-150))              \
    X(largest_column, stretch(s, 0, 1.7e308))                                  \
    X(subnormal_column, stretch(s, 0, 1e-320))                                 \
    X(outlying_x, s->x[0][3] = 1e12)                                           \
    X(absurd_x, s->x[0][3] = 1e160)                                            \
    X(large_level_of_x, for (size_t i = 0; i < s->n; i++) s->x[0][i] += 1e9)   \
    X(nearly_collinear_6, for (size_t i = 0; i < s->n; i++) s->x[2][i] =       \
                              s->x[0][i] + 1e-6 * s->x[2][i])                  \
    X(nearly_collinear_9, for (size_t i = 0; i < s->n; i++) s->x[2][i] =       \
                              s->x[0][i] + 1e-9 * s->x[2][i])                  \
    X(nearly_collinear_12, for (size_t i = 0; i < s->n; i++) s->x[2][i] =      \
                               s->x[0][i] + 1e-12 * s->x[2][i])                \
    X(nearly_collinear_15, for (size_t i = 0; i < s->n; i++) s->x[2][i] =      \
                               s->x[0][i] + 1e-15 * s->x[2][i])                \
    X(huge_response, multiply(s, 1e150))                                       \
    X(tiny_response, multiply(s, 1e-150))                                      \
    X(large_counts, multiply(s, 1e9))                                          \
    X(largest_response, multiply(s, 1e300))                                    \
    X(smallest_response, multiply(s, 1e-300))                                  \
    X(outlying_response, if (!has_levels(s->c)) s->y[4] = 1e12)                \
    X(spread_responses,                                                        \
      if (!has_levels(s->c)) for (size_t i = 0; i < s->n; i++) s->y[i] =       \
          floor(pow(10, i % 13)))                                              \
    X(all_zero, respond(s, 0))                                                 \
    X(all_one, respond(s, 1))                                                  \
    X(all_half, respond(s, 0.5))                                               \
    X(all_seven, respond(s, 7))                                                \
    X(negative_response, s->y[3] = -2)                                         \
    X(fractional_response, s->y[3] = 1.5)                                      \
    X(separated, for (size_t i = 0; i < s->n; i++) s->y[i] = s->x[0][i] > 0.5) \
    X(separated_twice, for (size_t i = 0; i < s->n; i++) s->y[i] =             \
                           s->x[0][i] + s->x[1][i] > 1 ? 1                     \
                           : s->x[2][i] > 0.5          ? 2                     \
                                                       : 0)                             \
    X(perfect_line, for (size_t i = 0; i < s->n; i++) s->y[i] =                \
                        mean_of(s->c, predictor(s->c, s, i)))                  \
    X(                                                                         \
        zero_where_x_is, for (size_t i = 0; i < s->n; i += 3) {                \
            s->x[0][i] = 7;                                                    \
            s->y[i] = 0;                                                       \
        })                                                                     \
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
            ck_assert_msg(isfinite(p->estimate) && p->std_error > 0 &&
                              !p->infinite,
                          "%s %s", s->c->link, p->term);
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
    {"binomial", "logit", NAN},   {"binomial", "probit", NAN},
    {"binomial", "cloglog", NAN}, {"binomial", "cauchit", NAN},
    {"ordinal", "logit", NAN},    {"ordinal", "probit", NAN},
    {"multinomial", "logit", NAN}};
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
            bool moves = j == 1 && !firth;
            ck_assert_int_eq(m->parameter[j].infinite, moves ? -1 : 0);
            ck_assert(moves || isfinite(m->parameter[j].std_error));
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

static void add_tests(TCase *tests) {
    tcase_add_loop_test(tests, every_bad_design_has_a_defined_answer, 0,
                        MUTATION_COUNT);
    tcase_add_loop_test(tests, hidden_directions_are_found, 0,
                        4 * SEPARABLE_COUNT);
    tcase_add_loop_test(tests, levels_without_counts_separate, 0, 4);
    tcase_add_loop_test(tests, bias_reduced_estimates_are_finite, 0,
                        MUTATION_COUNT);
}

int main(void) {
    return learner_main("glm_bad_designs", add_tests);
}
