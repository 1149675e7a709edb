/* What the options of glm mean: weights, trials, offsets, penalties, and
 * which of them must not change the answer. */
#include "fixture.h"

enum { ROWS = 60 };

/* A logistic regression and counts on the same two inputs. */
typedef struct sample {
    double x1[4 * ROWS], x2[4 * ROWS], binary[4 * ROWS], count[4 * ROWS],
        weight[4 * ROWS];
    size_t rows;
    ng_frame *frame;
} sample;

static const char *const NAMES[] = {"x1", "x2", "binary", "count", "weight"};
static const char *const FEATURES[] = {"x1", "x2"};

static void sample_open(sample *s) {
    const double *values[] = {s->x1, s->x2, s->binary, s->count, s->weight};
    s->frame = frame_of_arrays(s->rows, 5, NAMES, values);
}

static void sample_init(sample *s, uint64_t seed) {
    ng_rng rng;
    ng_rng_init(&rng, seed, 0);
    s->rows = ROWS;
    for (size_t i = 0; i < ROWS; i++) {
        s->x1[i] = ng_rng_normal(&rng);
        s->x2[i] = 3 + 2 * ng_rng_normal(&rng);
        double eta = 0.4 + 0.7 * s->x1[i] - 0.3 * s->x2[i];
        s->binary[i] = ng_rng_uniform(&rng) < 1 / (1 + exp(-eta)) ? 1 : 0;
        s->count[i] = ng_rng_poisson(&rng, exp(1 + 0.3 * eta));
        s->weight[i] = (double)(i % 4);
    }
    sample_open(s);
}

static ng_glm_options options_for(const char *family, const char *target) {
    ng_glm_options options = glm_options(family, NULL, target);
    options.features = FEATURES;
    options.feature_count = 2;
    return options;
}

/* Both runs stop with a decrement of at most 1e-10, so that estimates agree to
 * 2e-10 standard errors of one example, and to rounding. */
static const double SAME = 1e-9;

START_TEST(a_weight_of_three_is_three_rows) {
    static const char *const family[] = {"binomial", "poisson"};
    static const char *const target[] = {"binary", "count"};
    static sample s, repeated;
    sample_init(&s, 1);
    repeated.rows = 0;
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t k = 0; k < (size_t)s.weight[i]; k++) {
            size_t to = repeated.rows++;
            repeated.x1[to] = s.x1[i];
            repeated.x2[to] = s.x2[i];
            repeated.binary[to] = s.binary[i];
            repeated.count[to] = s.count[i];
        }
    }
    sample_open(&repeated);
    for (size_t f = 0; f < 2; f++) {
        ng_glm_options options = options_for(family[f], target[f]);
        ng_model *b = fit_glm(repeated.frame, &options);
        options.weights = "weight";
        ng_model *a = fit_glm(s.frame, &options);
        check_same_fit(a, b, SAME);
        check_relative("log-likelihood", ng_model_summary(a)->log_likelihood,
                       ng_model_summary(b)->log_likelihood, 1e-12);
        check_relative("deviance", ng_model_summary(a)->deviance,
                       ng_model_summary(b)->deviance, 1e-12);
        ng_model_destroy(&a);
        ng_model_destroy(&b);
    }
    ng_frame_destroy(&s.frame);
    ng_frame_destroy(&repeated.frame);
}
END_TEST

START_TEST(trials_are_rows_of_zero_and_one) {
    static const double x[] = {-1, 0, 0.5, 1, 2}, k[] = {1, 0, 3, 2, 4},
                        m[] = {4, 2, 5, 3, 4};
    static const char *const grouped[] = {"x", "k", "m"};
    static const char *const single[] = {"x", "y"}, *const features[] = {"x"};
    double xs[18], ys[18];
    const double *values[] = {x, k, m}, *rows[] = {xs, ys};
    size_t n = 0;
    for (size_t i = 0; i < 5; i++) {
        for (size_t j = 0; j < (size_t)m[i]; j++) {
            xs[n] = x[i];
            ys[n++] = (double)j < k[i] ? 1 : 0;
        }
    }
    ng_frame *few = frame_of_arrays(5, 3, grouped, values);
    ng_frame *many = frame_of_arrays(n, 2, single, rows);
    ng_glm_options options = glm_options("binomial", NULL, "y");
    options.features = features;
    options.feature_count = 1;
    ng_model *b = fit_glm(many, &options);
    options.target = "k";
    options.trials = "m";
    ng_model *a = fit_glm(few, &options);
    check_same_fit(a, b, SAME);
    /* The likelihoods differ by the constants log choose(m, k). */
    double constant = 0;
    for (size_t i = 0; i < 5; i++)
        constant +=
            lgamma(m[i] + 1) - lgamma(k[i] + 1) - lgamma(m[i] - k[i] + 1);
    NEAR(ng_model_summary(a)->log_likelihood,
         ng_model_summary(b)->log_likelihood + constant, 1e-12);
    NEAR(ng_model_summary(a)->loss, ng_model_summary(b)->loss, 1e-13);
    ng_model_destroy(&a);
    ng_model_destroy(&b);
    ng_frame_destroy(&few);
    ng_frame_destroy(&many);
}
END_TEST

/* eta = offset + x beta: an offset of c + 2 x1 takes c and 2 from the
 * estimates and nothing else. */
START_TEST(an_offset_is_a_coefficient_of_one) {
    static sample s;
    sample_init(&s, 2);
    for (size_t i = 0; i < ROWS; i++)
        s.weight[i] = 0.25 + 2 * s.x1[i];
    ng_frame_destroy(&s.frame);
    sample_open(&s);
    ng_glm_options options = options_for("poisson", "count");
    ng_model *plain = fit_glm(s.frame, &options);
    options.offset = "weight";
    ng_model *moved = fit_glm(s.frame, &options);
    static const double shift[] = {0.25, 2, 0};
    for (size_t i = 0; i < 3; i++) {
        NEAR(estimate(plain, i), estimate(moved, i) + shift[i], 1e-9);
        check_relative("se", std_error(moved, i), std_error(plain, i), SAME);
    }
    NEAR(ng_model_summary(plain)->deviance, ng_model_summary(moved)->deviance,
         1e-10);
    ng_model_destroy(&plain);
    ng_model_destroy(&moved);
    ng_frame_destroy(&s.frame);
}
END_TEST

START_TEST(standardising_does_not_change_the_answer) {
    static const double lambda[] = {0, 0.1};
    static sample s;
    sample_init(&s, 3);
    for (size_t l = 0; l < 2; l++) {
        for (int intercept = 0; intercept < 2; intercept++) {
            ng_glm_options options = options_for("binomial", "binary");
            options.l2 = lambda[l];
            options.intercept = intercept;
            ng_model *a = fit_glm(s.frame, &options);
            options.standardize = 0;
            ng_model *b = fit_glm(s.frame, &options);
            check_same_fit(a, b, SAME);
            NEAR(ng_model_summary(a)->null_deviance,
                 ng_model_summary(b)->null_deviance, 1e-10);
            ng_model_destroy(&a);
            ng_model_destroy(&b);
        }
    }
    ng_frame_destroy(&s.frame);
}
END_TEST

/* ---- Penalty ---- */

/* mean (p - y) x_j + lambda beta_j = 0, and no lambda for the intercept. */
START_TEST(the_penalty_spares_the_intercept) {
    static const double lambda = 0.3;
    static sample s;
    sample_init(&s, 4);
    ng_glm_options options = options_for("binomial", "binary");
    options.l2 = lambda;
    ng_model *model = fit_glm(s.frame, &options);
    double g[3] = {0}, loss = 0;
    for (size_t i = 0; i < ROWS; i++) {
        double eta = estimate(model, 0) + estimate(model, 1) * s.x1[i] +
                     estimate(model, 2) * s.x2[i];
        double r = (1 / (1 + exp(-eta)) - s.binary[i]) / ROWS;
        g[0] += r;
        g[1] += r * s.x1[i];
        g[2] += r * s.x2[i];
        loss += (log1p(exp(eta)) - s.binary[i] * eta) / ROWS;
    }
    NEAR(g[0], 0, 1e-9);
    NEAR(g[1] + lambda * estimate(model, 1), 0, 1e-9);
    NEAR(g[2] + lambda * estimate(model, 2), 0, 1e-9);
    NEAR(ng_model_summary(model)->loss, loss, 1e-13);
    NEAR(ng_model_summary(model)->log_likelihood, -ROWS * loss, 1e-11);
    ng_model_destroy(&model);
    ng_frame_destroy(&s.frame);
}
END_TEST

static const char CLASSES[] =
    "x,z,u,v\n0.1,1.2,a,c\n0.4,-0.3,b,a\n1.1,0.2,c,b\n1.6,0.9,a,c\n"
    "2.2,-1.1,b,a\n2.5,0.4,c,b\n3.1,0.8,c,b\n3.3,-0.6,a,c\n3.9,0.1,b,a\n"
    "4.2,1.5,c,b\n4.8,-0.9,b,a\n5.0,0.6,c,b\n";

/* u and v name the same classes: a, b, c of u are c, a, b of v. */
START_TEST(the_penalty_knows_no_reference_level) {
    static const char *const features[] = {"x", "z"};
    static const double lambda = 0.05;
    ng_frame *frame = frame_of_text(CLASSES, NULL);
    ng_glm_options options = glm_options("multinomial", NULL, "u");
    options.features = features;
    options.feature_count = 2;
    options.l2 = lambda;
    ng_model *u = fit_glm(frame, &options);
    options.target = "v";
    ng_model *v = fit_glm(frame, &options);
    ng_prediction *p, *q;
    OK(ng_model_predict(u, frame, NULL, &p));
    OK(ng_model_predict(v, frame, NULL, &q));
    for (size_t i = 0; i < p->rows; i++) {
        for (size_t k = 0; k < 3; k++)
            NEAR(p->values[3 * i + k], q->values[3 * i + (k + 2) % 3], 1e-9);
    }
    /* First-order conditions of the symmetric coefficients b_k, which sum to
     * zero: mean (p_k - y_k) x_j + lambda b_kj = 0. */
    const ng_column *y = ng_frame_find(frame, "u");
    for (size_t k = 0; k < 3; k++) {
        for (size_t j = 0; j < 3; j++) {
            double b0 = -(estimate(u, j) + estimate(u, 3 + j)) / 3;
            double b = k ? b0 + estimate(u, 3 * (k - 1) + j) : b0;
            double g = j ? lambda * b : 0;
            for (size_t i = 0; i < p->rows; i++) {
                double x = j ? ng_frame_column(frame, j - 1)->values[i] : 1;
                double own = y->values[i] == (double)k ? 1 : 0;
                g += (p->values[3 * i + k] - own) * x / (double)p->rows;
            }
            NEAR(g, 0, 1e-9);
        }
    }
    ng_prediction_destroy(&p);
    ng_prediction_destroy(&q);
    ng_model_destroy(&u);
    ng_model_destroy(&v);
    ng_frame_destroy(&frame);
}
END_TEST

/* ---- Ways to the same answer ---- */

typedef struct way {
    ng_optimizer optimizer;
    const char *metric;
    ng_fisher_kind fisher;
    int step;
    double rate;
    ng_integrator integrator;
    double tolerance, agree; /* in standard errors */
} way;

/* Methods that take F^-1 converge to a decrement of 1e-10. The others are
 * judged by the same decrement, asked for 1e-6. A fixed RMSProp step never
 * comes to rest: it circles the optimum at the distance of its rate. */
static const way WAYS[] = {
    {NG_NATURAL, "dense", NG_FISHER_EXACT, -1, -1, NG_EULER, 1e-10, 1e-8},
    {NG_NATURAL, "cg", NG_FISHER_EXACT, -1, -1, NG_EULER, 1e-10, 1e-8},
    {NG_NATURAL, "sample-space", NG_FISHER_EXACT, -1, -1, NG_EULER, 1e-10,
     1e-8},
    {NG_NATURAL, "diagonal", NG_FISHER_EXACT, -1, -1, NG_EULER, 1e-8, 1e-5},
    {NG_NATURAL, "identity", NG_FISHER_EXACT, -1, -1, NG_EULER, 1e-8, 1e-5},
    {NG_NATURAL, "dense", NG_FISHER_SAMPLED, -1, -1, NG_EULER, 1e-8, 1e-5},
    {NG_NATURAL, "dense", NG_FISHER_EMPIRICAL, -1, -1, NG_EULER, 1e-8, 1e-5},
    {NG_NATURAL, "dense", NG_FISHER_OBSERVED, -1, -1, NG_EULER, 1e-10, 1e-8},
    {NG_NATURAL, "dense", NG_FISHER_EXACT, NG_STEP_LM, -1, NG_EULER, 1e-10,
     1e-8},
    {NG_NATURAL, "dense", NG_FISHER_EXACT, NG_STEP_FIXED, 1, NG_MIDPOINT, 1e-10,
     1e-8},
    {NG_NATURAL, "dense", NG_FISHER_EXACT, -1, -1, NG_GEODESIC, 1e-10, 1e-8},
    {NG_NEWTON, NULL, NG_FISHER_EXACT, -1, -1, NG_EULER, 1e-10, 1e-8},
    {NG_GRADIENT, NULL, NG_FISHER_EXACT, -1, -1, NG_EULER, 1e-6, 1e-4},
    {NG_MOMENTUM, NULL, NG_FISHER_EXACT, -1, -1, NG_EULER, 1e-6, 1e-4},
    {NG_ADAM, NULL, NG_FISHER_EXACT, -1, -1, NG_EULER, 1e-6, 1e-4},
    {NG_RMSPROP, NULL, NG_FISHER_EXACT, -1, -1, NG_EULER, 1e-6, 0.1},
};
enum { WAY_COUNT = sizeof WAYS / sizeof *WAYS };

START_TEST(every_optimizer_and_metric_finds_the_same_estimates) {
    static sample s;
    const way *w = &WAYS[_i];
    sample_init(&s, 5);
    ng_glm_options options = options_for("poisson", "count");
    ng_model *usual = fit_glm(s.frame, &options);
    options.fit.optimizer = w->optimizer;
    options.fit.metric = w->metric;
    options.fit.fisher = w->fisher;
    options.fit.step = w->step;
    options.fit.rate = w->rate;
    options.fit.integrator = w->integrator;
    options.fit.tolerance = w->tolerance;
    ng_model *other = fit_glm(s.frame, &options);
    if (w->optimizer != NG_RMSPROP)
        ck_assert_msg(ng_model_summary(other)->converged, "%s",
                      ng_stop_text(ng_model_summary(other)->stop));
    for (size_t i = 0; i < 3; i++)
        NEAR(estimate(other, i), estimate(usual, i),
             w->agree * std_error(usual, i));
    ng_model_destroy(&usual);
    ng_model_destroy(&other);
    ng_frame_destroy(&s.frame);
}
END_TEST

/* ---- Trouble that is no error ---- */

static bool warned(const ng_model *model, const char *word) {
    const ng_summary *s = ng_model_summary(model);
    for (size_t i = 0; i < s->warnings; i++) {
        if (strstr(s->warning[i], word))
            return true;
    }
    return false;
}

START_TEST(a_rank_deficient_design_warns) {
    static const char *const names[] = {"a", "b", "c", "y"};
    static const double a[] = {1, 2, 3, 4, 5, 6}, b[] = {0, 1, 0, 1, 1, 0},
                        c[] = {2, 6, 6, 10, 12, 12}, /* 2 a + 2 b */
        y[] = {1, 3, 2, 5, 7, 6};
    const double *values[] = {a, b, c, y};
    ng_frame *frame = frame_of_arrays(6, 4, names, values);
    ng_glm_options options = glm_options("gaussian", NULL, "y");
    ng_model *model = fit_glm(frame, &options);
    const ng_summary *s = ng_model_summary(model);
    ck_assert(warned(model, "left out: c"));
    ck_assert_int_eq(s->parameter[3].aliased, 1);
    ck_assert_uint_eq(s->rank, 3);
    ck_assert_double_eq(s->df_residual, 3);
    /* The fit is that without the column. */
    options.features = names;
    options.feature_count = 2;
    ng_model *fewer = fit_glm(frame, &options);
    check_relative("deviance", s->deviance, ng_model_summary(fewer)->deviance,
                   1e-10);
    check_relative("log-likelihood", s->log_likelihood,
                   ng_model_summary(fewer)->log_likelihood, 1e-10);
    ng_model_destroy(&model);
    ng_model_destroy(&fewer);
    ng_frame_destroy(&frame);
}
END_TEST

/* Where a third level stands apart, the other two are as if it were not there:
 * their contrast has the binomial's estimates and standard errors, whichever
 * level is the reference. */
START_TEST(a_separated_level_leaves_the_others_alone) {
    static const char *const names[] = {"x", "y"};
    static const char *const order[][3] = {{"a", "b", "c"}, {"a", "c", "b"}};
    const char *csv = "x,y\n1,a\n2,a\n3,b\n4,a\n5,b\n6,b\n2.5,b\n4.5,a\n"
                      "90,c\n91,c\n95,c\n";
    const char *two = "x,y\n1,a\n2,a\n3,b\n4,a\n5,b\n6,b\n2.5,b\n4.5,a\n";
    ng_frame *all = frame_of_text(csv, "y"), *pair = frame_of_text(two, "y");
    ng_glm_options options = glm_options("binomial", NULL, "y");
    options.features = names;
    options.feature_count = 1;
    ng_model *binomial = fit_glm(pair, &options);
    options.family = "multinomial";
    for (int k = 0; k < 2; k++) {
        options.levels = order[k];
        options.level_count = 3;
        ng_model *model = fit_glm(all, &options);
        ck_assert_int_ne(ng_model_summary(model)->separation,
                         NG_SEPARATION_NONE);
        const ng_parameter *p = parameter(model, "x", "b");
        check_relative("estimate", p->estimate, estimate(binomial, 1), 1e-6);
        check_relative("std_error", p->std_error, std_error(binomial, 1), 1e-6);
        ck_assert(isnan(parameter(model, "x", "c")->std_error));
        ng_model_destroy(&model);
    }
    ng_model_destroy(&binomial);
    ng_frame_destroy(&all);
    ng_frame_destroy(&pair);
}
END_TEST

START_TEST(separable_classes_warn) {
    static const char *const names[] = {"x", "y"};
    static const double x[] = {1, 2, 3, 4, 5, 6}, y[] = {0, 0, 0, 1, 1, 1};
    const double *values[] = {x, y};
    ng_frame *frame = frame_of_arrays(6, 2, names, values);
    ng_glm_options options = glm_options("binomial", NULL, "y");
    ng_model *model = fit_glm(frame, &options);
    ck_assert(warned(model, "complete separation"));
    ck_assert_int_eq(ng_model_summary(model)->separation,
                     NG_SEPARATION_COMPLETE);
    ck_assert_int_eq(ng_model_summary(model)->parameter[1].infinite, 1);
    ck_assert(!ng_model_summary(model)->converged);
    ng_model_destroy(&model);
    options.l2 = 0.1;
    model = fit_glm(frame, &options);
    ck_assert(ng_model_summary(model)->converged);
    ck_assert_uint_eq(ng_model_summary(model)->warnings, 0);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}
END_TEST

/* ---- Stopping ---- */

static int cancel_at_three(void *user, const ng_report *report) {
    if (report->iteration == 3)
        ng_cancel(user);
    return 0;
}

static int stop_at_three(void *user, const ng_report *report) {
    (void)user;
    return report->iteration == 3;
}

START_TEST(a_stopped_run_leaves_a_model) {
    static const ng_monitor monitor[] = {stop_at_three, cancel_at_three};
    static sample s;
    sample_init(&s, 6);
    for (size_t i = 0; i < 2; i++) {
        ng_glm_options options = options_for("binomial", "binary");
        options.fit.optimizer = NG_GRADIENT;
        options.monitor = monitor[i];
        options.user = ctx;
        ng_model *model = fit_glm(s.frame, &options);
        const ng_summary *summary = ng_model_summary(model);
        ck_assert_int_eq(summary->stop, NG_STOPPED);
        ck_assert(!summary->converged);
        /* A cancellation is seen at the end of an iteration. */
        ck_assert_uint_eq(summary->iterations, i == 0 ? 4 : 5);
        ck_assert(isfinite(summary->log_likelihood));
        ck_assert(isfinite(estimate(model, 1)));
        ng_model_destroy(&model);
    }
    ng_frame_destroy(&s.frame);
}
END_TEST

static void add(TCase *tests) {
    tcase_add_test(tests, a_weight_of_three_is_three_rows);
    tcase_add_test(tests, trials_are_rows_of_zero_and_one);
    tcase_add_test(tests, an_offset_is_a_coefficient_of_one);
    tcase_add_test(tests, standardising_does_not_change_the_answer);
    tcase_add_test(tests, the_penalty_spares_the_intercept);
    tcase_add_test(tests, the_penalty_knows_no_reference_level);
    tcase_add_loop_test(tests,
                        every_optimizer_and_metric_finds_the_same_estimates, 0,
                        WAY_COUNT);
    tcase_add_test(tests, a_rank_deficient_design_warns);
    tcase_add_test(tests, a_separated_level_leaves_the_others_alone);
    tcase_add_test(tests, separable_classes_warn);
    tcase_add_test(tests, a_stopped_run_leaves_a_model);
}

int main(void) {
    return learner_main("learner_options", add);
}
