/* What must hold of every family and link, over random data: what an answer
 * does not depend on, and that it is one. */
#include "glm_random.h"

#include <unistd.h>

/* Runs end at a decrement of 1e-10, in roots of nats per row; a standard error
 * is 1 / sqrt(n) of that, so two runs agree to 2e-10 sqrt(n). */
static const double SAME = 1e-8;

static sample *draw_sample(int i, size_t n, size_t p) {
    static sample s;
    make_sample(&s, &CELLS[i % CELL_COUNT], 7 + (uint64_t)(i / CELL_COUNT), n,
                p);
    return &s;
}

/* ---- The answer is one ---- */

static double loss_at(const ng_model *model, const sample *s) {
    double loss, accuracy;
    ng_frame *frame = frame_of(s);
    OK(ng_model_evaluate(model, frame, &loss, &accuracy));
    ng_frame_destroy(&frame);
    return loss;
}

/* The loss at beta + step e_j is that of data whose offset has step x_j more.
 */
static double loss_beside(const ng_model *model, sample *s, const double *x,
                          double step) {
    double kept[MOST_ROWS];
    memcpy(kept, s->o, s->n * sizeof *kept);
    for (size_t i = 0; i < s->n; i++)
        s->o[i] += step * (x ? x[i] : 1);
    double loss = loss_at(model, s);
    memcpy(s->o, kept, s->n * sizeof *kept);
    return loss;
}

/* Both sides are higher, and by as much: the slope is that of a point nearer
 * than 1e-5 standard errors to the maximum. */
static void check_maximum(const ng_model *model, sample *s, size_t j,
                          const double *x) {
    const ng_parameter *p = &ng_model_summary(model)->parameter[j];
    double step = 1e-3 * p->std_error, here = loss_at(model, s);
    double up = loss_beside(model, s, x, step);
    double down = loss_beside(model, s, x, -step);
    double rise = up + down - 2 * here;
    ck_assert_msg(up > here && down > here && fabs(up - down) <= 0.02 * rise,
                  "%s %s, %s: %.17g %.17g %.17g", s->c->family, s->c->link,
                  p->term, down - here, here, up - here);
}

START_TEST(likelihood_is_largest_at_the_answer) {
    sample *s = draw_sample(_i, 90, 3);
    if (is(s->c, "multinomial") || s->c->power > 2)
        return; /* no offset; no density to evaluate */
    s->shifted = true;
    s->weighted = _i % 2;
    ng_rng rng;
    ng_rng_init(&rng, 3, (uint64_t)_i);
    for (size_t i = 0; i < s->n; i++)
        s->o[i] = 0.02 * ng_rng_uniform(&rng);
    ng_model *model = fit_sample(s);
    bool intercept = !is(s->c, "ordinal");
    if (intercept)
        check_maximum(model, s, 0, NULL);
    for (size_t j = 0; j < s->p; j++)
        check_maximum(model, s, j + intercept, s->x[j]);
    ng_model_destroy(&model);
}
END_TEST

/* ---- What does not matter ---- */

/* Columns are brought near 1 by powers of two before anything is computed. */
START_TEST(powers_of_two_come_out_exactly) {
    static const int exponents[] = {-400, 13, 300};
    sample *s = draw_sample(_i, 80, 3);
    ng_model *plain = fit_sample(s);
    for (size_t j = 0; j < 3; j++) {
        for (size_t i = 0; i < s->n; i++)
            s->x[j][i] = ldexp(s->x[j][i], exponents[j]);
    }
    ng_model *scaled = fit_sample(s);
    const ng_summary *a = ng_model_summary(plain);
    for (size_t i = 0; i < a->parameters; i++) {
        ng_parameter p = ng_model_summary(scaled)->parameter[i];
        int k = p.term[0] == 'x' ? exponents[p.term[1] - '0'] : 0;
        p.estimate = ldexp(p.estimate, k);
        check_near(s->c, &p, &a->parameter[i], 1e-12);
        check_relative("std_error", ldexp(p.std_error, k),
                       a->parameter[i].std_error, 1e-12);
    }
    check_relative("deviance", ng_model_summary(scaled)->deviance, a->deviance,
                   1e-12);
    ng_model_destroy(&plain);
    ng_model_destroy(&scaled);
}
END_TEST

START_TEST(order_of_columns_does_not_matter) {
    sample *s = draw_sample(_i, 80, 4);
    ng_frame *frame = frame_of(s);
    ng_model *plain = fit_sample(s), *turned;
    static const char *const order[] = {"x2", "x0", "x3", "x1"};
    ng_glm_options options = options_of(s);
    options.features = order;
    turned = fit_glm(frame, &options);
    check_agrees(s->c, turned, plain, SAME);
    ng_frame_destroy(&frame);
    ng_model_destroy(&plain);
    ng_model_destroy(&turned);
}
END_TEST

static void add_row(sample *s, size_t like, double weight) {
    size_t n = s->n++;
    ck_assert_uint_lt(n, MOST_ROWS);
    for (size_t j = 0; j < s->p; j++)
        s->x[j][n] = s->x[j][like];
    s->y[n] = s->y[like];
    s->o[n] = s->o[like];
    s->w[n] = weight;
}

/* A row of weight k is k rows; the weight may lie in any of its copies. */
START_TEST(weights_are_rows_that_repeat) {
    sample *s = draw_sample(_i, 60, 2);
    ng_model *weighted, *split, *repeated;
    size_t n = s->n;
    s->weighted = true;
    weighted = fit_sample(s);
    for (size_t i = 0; i < n; i++) {
        double whole = s->w[i];
        s->w[i] = 0.25 * whole;
        add_row(s, i, 0.75 * whole);
        add_row(s, i, 0);
    }
    split = fit_sample(s);
    s->n = n;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 1; k < i % 3 + 1; k++)
            add_row(s, i, 1);
    }
    s->weighted = false;
    repeated = fit_sample(s);
    check_agrees(s->c, split, weighted, SAME);
    check_agrees(s->c, repeated, weighted, SAME);
    check_relative("deviance", ng_model_summary(split)->deviance,
                   ng_model_summary(weighted)->deviance, 1e-11);
    check_relative("deviance", ng_model_summary(repeated)->deviance,
                   ng_model_summary(weighted)->deviance, 1e-11);
    ng_model_destroy(&weighted);
    ng_model_destroy(&split);
    ng_model_destroy(&repeated);
}
END_TEST

/* A copy in other units, a sum, a constant and a column of zeros. */
START_TEST(aliased_columns_change_their_flags_alone) {
    sample *s = draw_sample(_i, 80, 3);
    ng_model *plain = fit_sample(s);
    for (size_t i = 0; i < s->n; i++) {
        s->x[3][i] = 1e6 * s->x[1][i];
        s->x[4][i] = s->x[0][i] - 3 * s->x[2][i] + 0.1;
        s->x[5][i] = 2.5;
        s->x[6][i] = 0;
    }
    s->p = 7;
    ng_model *more = fit_sample(s);
    const ng_summary *a = ng_model_summary(more), *b = ng_model_summary(plain);
    check_agrees(s->c, more, plain, SAME);
    for (size_t i = 0; i < a->parameters; i++) {
        const ng_parameter *p = &a->parameter[i];
        bool added = p->term[0] == 'x' && p->term[1] >= '3';
        ck_assert_msg(p->aliased == added && isnan(p->estimate) == added,
                      "%s %s, %s: aliased %d, %g", s->c->family, s->c->link,
                      p->term, p->aliased, p->estimate);
    }
    ck_assert_uint_eq(a->rank, b->rank);
    check_relative("log-likelihood", a->deviance, b->deviance, 1e-11);
    ng_model_destroy(&plain);
    ng_model_destroy(&more);
}
END_TEST

static ng_model *fit_in_threads(const sample *s, size_t threads) {
    ng_ctx_options options = {.threads = threads};
    ng_ctx_destroy(&ctx);
    ck_assert_int_eq(ng_ctx_create(&options, &ctx), NG_OK);
    return fit_sample(s);
}

/* A model belongs to its context: what is compared is copied. */
START_TEST(number_of_threads_does_not_matter) {
    ng_parameter kept[MOST_COLUMNS];
    char *text;
    sample *s = draw_sample(_i, 1500, 5);
    ng_model *model = fit_in_threads(s, 3);
    const ng_summary *a = ng_model_summary(model);
    size_t count = a->parameters;
    ck_assert_uint_le(count, MOST_COLUMNS);
    memcpy(kept, a->parameter, count * sizeof *kept);
    OK(ng_model_to_json(model, &text));
    ng_text_free(ctx, &text);
    ng_model_destroy(&model);
    model = fit_in_threads(s, 1);
    for (size_t i = 0; i < count; i++) {
        const ng_parameter *p = &ng_model_summary(model)->parameter[i];
        kept[i].term = p->term;
        check_near(s->c, &kept[i], p, 1e-10 * sqrt(1500));
        check_relative("std_error", kept[i].std_error, p->std_error, 1e-10);
    }
    ng_model_destroy(&model);
}
END_TEST

/* ---- Other ways in and out ---- */

static void write_file(const char *path, const char *text) {
    FILE *stream = fopen(path, "wb");
    ck_assert_ptr_nonnull(stream);
    ck_assert_uint_eq(fwrite(text, 1, strlen(text), stream), strlen(text));
    ck_assert_int_eq(fclose(stream), 0);
}

START_TEST(a_stream_gives_what_a_frame_gives) {
    sample *s = draw_sample(_i, 700, 3);
    char path[64], *text = text_of(s);
    ng_stream *stream;
    ng_model *streamed;
    s->weighted = true;
    ng_model *whole = fit_sample(s);
    ng_glm_options options = options_of(s);
    snprintf(path, sizeof path, "glm_properties_%ld.csv", (long)getpid());
    write_file(path, text);
    OK(ng_stream_open(ctx, path, NULL, &stream));
    OK(ng_glm_fit_stream(ctx, stream, &options, &streamed));
    remove(path);
    ck_assert(ng_model_summary(streamed)->converged);
    check_agrees(s->c, streamed, whole, SAME);
    /* At the estimate of theta, which is no maximum of the deviance. */
    check_relative("deviance", ng_model_summary(streamed)->deviance,
                   ng_model_summary(whole)->deviance, SAME);
    ng_stream_close(&stream);
    ng_model_destroy(&streamed);
    ng_model_destroy(&whole);
    free(text);
}
END_TEST

static ng_prediction *predict_all(const ng_model *model,
                                  const ng_frame *frame) {
    ng_predict_options options;
    ng_prediction *p;
    ng_predict_options_init(&options);
    options.std_errors = 1;
    OK(ng_model_predict(model, frame, &options, &p));
    return p;
}

/* Tweedie laws of a power beyond 2 have no quantiles; a mean's interval may
 * leave the domain of a link that has an edge. */
static bool may_be_open(const cell *c, const char *column) {
    bool edge = has_link(c, "identity") || has_link(c, "sqrt") ||
                has_link(c, "inverse") || has_link(c, "1/mu^2") ||
                (is_share(c) && has_link(c, "log"));
    return c->power > 2 || (edge && strncmp(column, "mean_", 5) == 0);
}

START_TEST(a_model_read_back_predicts_the_same) {
    sample *s = draw_sample(_i, 60, 3);
    char path[64];
    for (size_t i = 0; i < s->n; i++)
        s->x[3][i] = s->x[1][i]; /* aliased */
    s->p = 4;
    ng_frame *frame = frame_of(s);
    ng_model *model = fit_sample(s), *back;
    snprintf(path, sizeof path, "glm_properties_%ld.model", (long)getpid());
    OK(ng_model_save(model, path));
    OK(ng_model_load(ctx, path, &back));
    remove(path);
    ng_prediction *a = predict_all(model, frame), *b = predict_all(back, frame);
    ck_assert_uint_eq(a->rows, s->n);
    ck_assert_uint_eq(a->columns, b->columns);
    for (size_t k = 0; k < a->rows * a->columns; k++) {
        ck_assert_msg(a->values[k] == b->values[k] ||
                          (isnan(a->values[k]) && isnan(b->values[k])),
                      "%s %s: %s is %.17g and %.17g", s->c->family, s->c->link,
                      a->column[k % a->columns], a->values[k], b->values[k]);
        ck_assert_msg(isfinite(a->values[k]) ||
                          may_be_open(s->c, a->column[k % a->columns]),
                      "%s %s: %s", s->c->family, s->c->link,
                      a->column[k % a->columns]);
    }
    ng_prediction_destroy(&a);
    ng_prediction_destroy(&b);
    ng_frame_destroy(&frame);
    ng_model_destroy(&model);
    ng_model_destroy(&back);
}
END_TEST

/* ---- Where plain scoring overflows ---- */

/* Means over twelve orders of magnitude: from the constant model, the first
 * full step leaves the range of exp. */
START_TEST(steep_log_links_converge) {
    static const char *const families[] = {"poisson", "gamma", "tweedie",
                                           "negative-binomial"};
    static sample s;
    cell c = {families[_i % 4], "log", _i % 4 == 2 ? 1.3 : 0};
    ng_rng rng;
    make_sample(&s, &CELLS[0], 5, 60, 2);
    ng_rng_init(&rng, 11, (uint64_t)_i);
    s.c = &c;
    for (size_t i = 0; i < s.n; i++) {
        double mu = exp(28 * s.x[0][i] - 2 * s.x[1][i]);
        s.y[i] = _i % 4 == 0   ? ng_rng_poisson(&rng, mu)
                 : _i % 4 == 3 ? ng_rng_poisson(&rng, draw_gamma(&rng, 3, mu))
                               : draw_gamma(&rng, 4, mu);
    }
    s.shifted = true;
    ng_model *model = fit_sample(&s);
    check_maximum(model, &s, 0, NULL);
    check_maximum(model, &s, 1, s.x[0]);
    check_maximum(model, &s, 2, s.x[1]);
    NEAR(estimate(model, 1), 28, 6 * std_error(model, 1));
    ng_model_destroy(&model);
}
END_TEST

/* ---- Intervals ---- */

static ng_model *fit_intervals(const sample *s, const ng_frame *frame,
                               double level) {
    ng_glm_options options = options_of(s);
    ng_model *model;
    options.intervals = NG_INTERVALS_PROFILE;
    options.level = level;
    ng_status status = ng_glm_fit(ctx, frame, &options, &model);
    ck_assert_msg(status == NG_OK, "%s %s: %s", s->c->family, s->c->link,
                  ng_error(ctx));
    return model;
}

/* Ends may be open where the likelihood or the link's domain has no more. */
START_TEST(profile_intervals_hold_the_estimate_and_grow) {
    static const double levels[] = {0.5, 0.9, 0.99};
    sample *s = draw_sample(_i, 50, 2);
    if (is(s->c, "multinomial"))
        return;
    ng_frame *frame = frame_of(s);
    ng_model *model[3];
    for (int k = 0; k < 3; k++)
        model[k] = fit_intervals(s, frame, levels[k]);
    for (size_t i = 0; i < ng_model_summary(model[0])->parameters; i++) {
        double lower = estimate(model[0], i), upper = lower;
        for (int k = 0; k < 3; k++) {
            const ng_parameter *p = &ng_model_summary(model[k])->parameter[i];
            ck_assert_msg(p->lower < lower && upper < p->upper,
                          "%s %s, %s at %g: [%.17g, %.17g], before it "
                          "[%.17g, %.17g]",
                          s->c->family, s->c->link, p->term, levels[k],
                          p->lower, p->upper, lower, upper);
            lower = p->lower;
            upper = p->upper;
        }
    }
    for (int k = 0; k < 3; k++)
        ng_model_destroy(&model[k]);
    ng_frame_destroy(&frame);
}
END_TEST

static void add_tests(TCase *tests) {
    enum { TWICE = 2 * CELL_COUNT };
    tcase_add_loop_test(tests, likelihood_is_largest_at_the_answer, 0, TWICE);
    tcase_add_loop_test(tests, powers_of_two_come_out_exactly, 0, TWICE);
    tcase_add_loop_test(tests, order_of_columns_does_not_matter, 0, TWICE);
    tcase_add_loop_test(tests, weights_are_rows_that_repeat, 0, TWICE);
    tcase_add_loop_test(tests, aliased_columns_change_their_flags_alone, 0,
                        TWICE);
    tcase_add_loop_test(tests, number_of_threads_does_not_matter, 0,
                        CELL_COUNT);
    tcase_add_loop_test(tests, a_stream_gives_what_a_frame_gives, 0,
                        CELL_COUNT);
    tcase_add_loop_test(tests, a_model_read_back_predicts_the_same, 0, TWICE);
    tcase_add_loop_test(tests, steep_log_links_converge, 0, 12);
    tcase_add_loop_test(tests, profile_intervals_hold_the_estimate_and_grow, 0,
                        CELL_COUNT);
}

int main(void) {
    return learner_main("glm_properties", add_tests);
}
