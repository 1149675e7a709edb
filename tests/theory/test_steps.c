/* Steps, integrators and optimizers: what each promises of an iteration and
 * of a run. */
#include "fixture.h"

#include <stdio.h>

enum { ROWS = 25, INPUTS = 3 };

typedef struct bench {
    small s;
    double X[ROWS * INPUTS], y[ROWS];
} bench;

static const double START[] = {0.5, -0.8, 0.6};

static void open_poisson(bench *b) {
    ng_rng rng;
    ng_rng_init(&rng, 2, 0);
    random_design(&rng, ROWS, INPUTS, b->X);
    for (size_t i = 0; i < ROWS; i++)
        b->y[i] = ng_rng_poisson(&rng, exp(0.5 + 0.4 * b->X[i * INPUTS + 1]));
    small_init(&b->s, "poisson", 1, ROWS, b->y);
    small_linear(&b->s, 0, NG_LINK_LOG, INPUTS, b->X);
    small_open(&b->s);
}

/* ---- Line search ---- */

typedef struct history {
    size_t count;
    ng_report report[1000];
} history;

static int remember(void *user, const ng_report *report) {
    history *h = user;
    if (h->count < 1000)
        h->report[h->count++] = *report;
    return 0;
}

static ng_report record_run(const small *s, const ng_fit_options *options,
                            const double *start, history *h) {
    ng_fit *fit;
    ng_report report;
    h->count = 0;
    OK(ng_fit_create(s->problem, options, start, &fit));
    OK(ng_fit_run(fit, remember, h, &report));
    ng_fit_destroy(&fit);
    return report;
}

START_TEST(line_search_descends_within_the_radius) {
    static const ng_optimizer OPTIMIZERS[] = {NG_NATURAL, NG_NEWTON,
                                              NG_GRADIENT};
    static history h;
    const double far[] = {-3, 2, 4}, radius = 0.05;
    bench b;
    open_poisson(&b);
    for (size_t i = 0; i < 3; i++) {
        for (int bounded = 0; bounded < 2; bounded++) {
            ng_fit_options options;
            ng_fit_options_init(&options);
            options.optimizer = OPTIMIZERS[i];
            options.tolerance = 1e-6;
            options.kl = bounded ? radius : 0;
            ng_report report = record_run(&b.s, &options, far, &h);
            ck_assert_int_eq(report.stop, NG_CONVERGED);
            for (size_t k = 1; k < h.count; k++) {
                double slack =
                    8 * DBL_EPSILON * (1 + fabs(h.report[k].objective));
                ck_assert_double_le(h.report[k].objective,
                                    h.report[k - 1].objective + slack);
                if (bounded)
                    ck_assert_double_le(h.report[k - 1].kl, radius);
            }
        }
    }
    small_close(&b.s);
}
END_TEST

START_TEST(kl_total_is_the_sum_of_true_kl) {
    static history h;
    double sum = 0;
    ng_fit_options options;
    bench b;
    open_poisson(&b);
    ng_fit_options_init(&options);
    ng_report report = record_run(&b.s, &options, START, &h);
    for (size_t k = 0; k < h.count; k++) {
        sum += h.report[k].kl;
        ck_assert_uint_eq(h.report[k].iteration, k);
    }
    NEAR(report.kl_total, sum, (double)h.count * DBL_EPSILON * sum);
    small_close(&b.s);
}
END_TEST

/* delta'F delta / 2 is the KL up to the third derivative times the step. */
START_TEST(predicted_kl_of_small_steps_is_the_true_one) {
    enum { RATES = 4 };
    const double rates[RATES] = {1e-1, 1e-2, 1e-3, 1e-4};
    double gap[RATES];
    bench b;
    open_poisson(&b);
    for (size_t k = 0; k < RATES; k++) {
        ng_fit_options options = fixed_steps(NG_NATURAL, rates[k]);
        ng_fit *fit;
        ng_report report;
        OK(ng_fit_create(b.s.problem, &options, START, &fit));
        OK(ng_fit_step(fit, &report));
        gap[k] = fabs(report.kl / report.kl_predicted - 1);
        NEAR(report.kl, kl_between(&b.s, START, ng_fit_theta(fit)),
             1e-12 * report.kl);
        ng_fit_destroy(&fit);
    }
    NEAR(log_slope(RATES, rates, gap), 1, 0.1);
    small_close(&b.s);
}
END_TEST

/* ---- Levenberg-Marquardt ---- */

/* One iteration of the rule, worked out from the two points alone: the ratio
 * of the true to the predicted reduction, undamped. */
static double reduction_ratio(const small *s, const double *from,
                              const double *to) {
    double F[INPUTS * INPUTS], g[INPUTS], delta[INPUTS];
    gradient_at(s, from, g);
    fisher_at(s, from, NG_FISHER_EXACT, F);
    for (size_t j = 0; j < INPUTS; j++)
        delta[j] = to[j] - from[j];
    double expected =
        -dot(INPUTS, g, delta) - 0.5 * form(INPUTS, F, delta, delta);
    return -change_between(s, from, to) / expected;
}

static double next_damping(double damping, double ratio) {
    return ratio > 0.75 ? damping / 4 : ratio < 0.25 ? damping * 4 : damping;
}

typedef struct tally {
    size_t lowered, kept, raised, refused;
} tally;

static void count_outcome(tally *seen, double ratio, size_t rejected) {
    seen->lowered += ratio > 0.75;
    seen->kept += ratio <= 0.75 && ratio >= 0.25;
    seen->raised += ratio < 0.25;
    seen->refused += rejected;
}

static void ck_reduction_rule(const small *s, const double *start, double rate,
                              tally *seen) {
    double from[INPUTS];
    ng_fit_options options;
    ng_fit *fit;
    ng_report report;
    ng_fit_options_init(&options);
    options.step = NG_STEP_LM;
    options.damping = 1e-6;
    options.rate = rate;
    OK(ng_fit_create(s->problem, &options, start, &fit));
    double expected = options.damping;
    for (;;) {
        memcpy(from, ng_fit_theta(fit), sizeof from);
        OK(ng_fit_step(fit, &report));
        /* Near the end both reductions are rounding. */
        if (report.stop != NG_RUNNING || report.decrement < 1e-6)
            break;
        /* Every refusal takes the damping up. */
        expected *= pow(4, (double)report.rejected);
        NEAR(report.damping, expected, 1e-14 * expected);
        double ratio = reduction_ratio(s, from, ng_fit_theta(fit));
        ck_assert_double_gt(ratio, 0);
        count_outcome(seen, ratio, report.rejected);
        expected = next_damping(report.damping, ratio);
    }
    OK(ng_fit_run(fit, NULL, NULL, &report));
    ck_assert_int_eq(report.stop, NG_CONVERGED);
    ck_assert_double_lt(report.gradient_norm, 1e-9);
    ng_fit_destroy(&fit);
}

START_TEST(lm_damping_follows_the_reduction_ratio) {
    enum { STARTS = 40 };
    double start[INPUTS];
    tally seen = {0};
    ng_rng rng;
    bench b;
    open_poisson(&b);
    ng_rng_init(&rng, 77, 0);
    for (size_t i = 0; i < STARTS; i++) {
        random_vector(&rng, INPUTS, 2, start);
        ck_reduction_rule(&b.s, start, 1, &seen);
    }
    ck_reduction_rule(&b.s, START, 0.7, &seen);
    ck_assert_uint_gt(seen.lowered, 0);
    ck_assert_uint_gt(seen.kept, 0);
    ck_assert_uint_gt(seen.raised, 0);
    ck_assert_uint_gt(seen.refused, 0);
    small_close(&b.s);
}
END_TEST

START_TEST(lm_respects_the_radius) {
    static history h;
    const double far[] = {-3, 2, 4}, radius = 0.05;
    ng_fit_options options;
    bench b;
    open_poisson(&b);
    ng_fit_options_init(&options);
    options.step = NG_STEP_LM;
    options.kl = radius;
    ng_report report = record_run(&b.s, &options, far, &h);
    ck_assert_int_eq(report.stop, NG_CONVERGED);
    for (size_t k = 0; k < h.count; k++)
        ck_assert_double_le(h.report[k].kl, radius);
    small_close(&b.s);
}
END_TEST

START_TEST(lm_converges_in_the_sample_space_too) {
    double to[INPUTS], dense[INPUTS];
    ng_fit_options options;
    bench b;
    open_poisson(&b);
    ng_fit_options_init(&options);
    options.step = NG_STEP_LM;
    run_fit(&b.s, &options, START, dense);
    options.metric = "sample-space";
    ng_report report = run_fit(&b.s, &options, START, to);
    ck_assert_int_eq(report.stop, NG_CONVERGED);
    ck_assert(distance(INPUTS, to, dense) < 1e-9);
    small_close(&b.s);
}
END_TEST

/* ---- First-order rules ---- */

/* The recurrences as published, with rate 0.01. */
static void follow_rule(const small *s, ng_optimizer optimizer, size_t steps,
                        double *theta) {
    double m[INPUTS] = {0}, v[INPUTS] = {0}, g[INPUTS];
    for (size_t t = 1; t <= steps; t++) {
        gradient_at(s, theta, g);
        for (size_t j = 0; j < INPUTS; j++) {
            double direction = g[j];
            if (optimizer == NG_MOMENTUM) {
                direction = m[j] = 0.9 * m[j] + g[j];
            } else if (optimizer == NG_RMSPROP) {
                v[j] = 0.9 * v[j] + 0.1 * g[j] * g[j];
                direction = g[j] / (sqrt(v[j]) + 1e-8);
            } else if (optimizer == NG_ADAM) {
                m[j] = 0.9 * m[j] + 0.1 * g[j];
                v[j] = 0.999 * v[j] + 0.001 * g[j] * g[j];
                direction = m[j] / (1 - pow(0.9, (double)t)) /
                            (sqrt(v[j] / (1 - pow(0.999, (double)t))) + 1e-8);
            }
            theta[j] -= 0.01 * direction;
        }
    }
}

START_TEST(first_order_rules_are_as_published) {
    enum { STEPS = 20 };
    bench b;
    open_poisson(&b);
    for (int o = NG_GRADIENT; o <= NG_ADAM; o++) {
        double expected[INPUTS], to[INPUTS];
        ng_fit_options options = fixed_steps((ng_optimizer)o, 0.01);
        memcpy(expected, START, sizeof expected);
        follow_rule(&b.s, (ng_optimizer)o, STEPS, expected);
        take_steps(&b.s, &options, STEPS, START, to);
        /* 1 - 0.999^t loses three digits. */
        ck_assert_msg(distance(INPUTS, to, expected) <
                          1e4 * STEPS * DBL_EPSILON,
                      "optimizer %d", o);
    }
    small_close(&b.s);
}
END_TEST

/* ---- All combinations ---- */

static bool legal(const ng_fit_options *o) {
    bool has_metric = o->optimizer == NG_NATURAL || o->optimizer == NG_NEWTON;
    if (o->step == NG_STEP_LM && (!has_metric || o->integrator != NG_EULER))
        return false;
    if (o->step == NG_STEP_KL && !(o->kl > 0))
        return false;
    return o->integrator == NG_EULER || has_metric;
}

static void ck_combination(const bench *b, const ng_fit_options *options) {
    ng_fit *fit;
    ng_report report;
    char what[96];
    snprintf(what, sizeof what,
             "optimizer %d, step %d, integrator %d, kl %g, damping %g",
             (int)options->optimizer, options->step, (int)options->integrator,
             options->kl, options->damping);
    ng_status status = ng_fit_create(b->s.problem, options, START, &fit);
    if (!legal(options)) {
        ck_assert_msg(status == NG_EUSAGE, "%s", what);
        ck_assert_ptr_null(fit);
        ck_assert_str_ne(ng_error(ctx), "");
        return;
    }
    ck_assert_msg(status == NG_OK, "%s: %s", what, ng_error(ctx));
    OK(ng_fit_run(fit, NULL, NULL, &report));
    ck_assert_msg(report.stop == NG_CONVERGED || report.stop == NG_MAX_ITER,
                  "%s: %s", what, ng_stop_text(report.stop));
    ck_assert_msg(isfinite(report.objective) && isfinite(report.kl) &&
                      isfinite(report.kl_total) && isfinite(report.step) &&
                      isfinite(report.gradient_norm),
                  "%s", what);
    for (size_t j = 0; j < INPUTS; j++)
        ck_assert_msg(isfinite(ng_fit_theta(fit)[j]), "%s", what);
    ck_assert_msg(report.objective < objective_at(&b->s, START), "%s", what);
    ng_fit_destroy(&fit);
}

START_TEST(every_combination_ends_or_is_refused) {
    bench b;
    open_poisson(&b);
    ng_fit_options options;
    ng_fit_options_init(&options);
    options.max_iter = 120;
    for (int o = NG_NATURAL; o <= NG_ADAM; o++) {
        options.optimizer = (ng_optimizer)o;
        for (int step = NG_STEP_FIXED; step <= NG_STEP_LM; step++) {
            options.step = step;
            for (int i = NG_EULER; i <= NG_GEODESIC; i++) {
                options.integrator = (ng_integrator)i;
                for (int k = 0; k < 4; k++) {
                    options.kl = k % 2 ? 0.01 : 0;
                    options.damping = k / 2 ? 0.1 : 0;
                    /* The plain gradient has no safe rate of its own. */
                    options.rate = o == NG_GRADIENT ? 0.1 : -1;
                    ck_combination(&b, &options);
                }
            }
        }
    }
    small_close(&b.s);
}
END_TEST

/* Metrics and Fishers under the natural gradient's own default step. */
START_TEST(every_metric_and_fisher_converges_or_is_refused) {
    const ng_metric_ops *const *list = ng_metric_list();
    double optimum[INPUTS], to[INPUTS];
    ng_fit_options options;
    bench b;
    open_poisson(&b);
    ng_fit_options_init(&options);
    run_fit(&b.s, &options, START, optimum);
    options.max_iter = 2000;
    options.tolerance = 1e-7;
    for (size_t k = 0; list[k]; k++) {
        options.metric = list[k]->name;
        for (int kind = NG_FISHER_EXACT; kind <= NG_FISHER_OBSERVED; kind++) {
            ng_fit *fit;
            options.fisher = (ng_fisher_kind)kind;
            options.fisher_samples = 4;
            ng_status status =
                ng_fit_create(b.s.problem, &options, START, &fit);
            if (status != NG_OK) {
                ck_assert_int_eq(status, NG_EUNSUPPORTED);
                ck_assert(kind == NG_FISHER_OBSERVED);
                ck_assert_str_eq(list[k]->name, "sample-space");
                continue;
            }
            ng_fit_destroy(&fit);
            ng_report report = run_fit(&b.s, &options, START, to);
            ck_assert_msg(report.stop == NG_CONVERGED, "%s, kind %d: %s, %g",
                          list[k]->name, kind, ng_stop_text(report.stop),
                          report.decrement);
            ck_assert_msg(distance(INPUTS, to, optimum) < 1e-5, "%s, kind %d",
                          list[k]->name, kind);
        }
    }
    small_close(&b.s);
}
END_TEST

static void ck_refused(const bench *b, const ng_fit_options *options) {
    ng_fit *fit;
    ck_assert_int_eq(ng_fit_create(b->s.problem, options, START, &fit),
                     NG_EUSAGE);
    ck_assert_ptr_null(fit);
    ck_assert_str_ne(ng_error(ctx), "");
}

START_TEST(bad_options_are_refused) {
    bench b;
    open_poisson(&b);
    ng_fit_options good, bad;
    ng_fit_options_init(&good);
#define REFUSED(member, value)                                                 \
    bad = good;                                                                \
    bad.member = value;                                                        \
    ck_refused(&b, &bad)
    REFUSED(rate, 0);
    REFUSED(rate, (double)NAN);
    REFUSED(rate, (double)INFINITY);
    REFUSED(kl, -1);
    REFUSED(kl, (double)NAN);
    REFUSED(damping, -1);
    REFUSED(damping, (double)INFINITY);
    REFUSED(tolerance, -1);
    REFUSED(tolerance, (double)NAN);
    REFUSED(metric, "round");
    REFUSED(step, NG_STEP_KL);
    REFUSED(step, 17);
    REFUSED(optimizer, (ng_optimizer)17);
    REFUSED(integrator, (ng_integrator)17);
    REFUSED(fisher, (ng_fisher_kind)17);
    good.fisher = NG_FISHER_SAMPLED;
    REFUSED(fisher_samples, 0);
#undef REFUSED
    small_close(&b.s);
}
END_TEST

/* ---- Ends of a run ---- */

static int stop_at_third(void *user, const ng_report *report) {
    (void)user;
    return report->iteration == 2;
}

START_TEST(a_run_can_be_stopped) {
    ng_fit *fit;
    ng_report report;
    bench b;
    open_poisson(&b);
    ng_fit_options options = fixed_steps(NG_NATURAL, 0.01);
    OK(ng_fit_create(b.s.problem, &options, START, &fit));
    OK(ng_fit_run(fit, stop_at_third, NULL, &report));
    ck_assert_int_eq(report.stop, NG_STOPPED);
    ck_assert_uint_eq(report.iteration, 2);
    double at = ng_fit_theta(fit)[0];
    OK(ng_fit_step(fit, &report));
    ck_assert_double_eq(ng_fit_theta(fit)[0], at);
    ck_assert_int_eq(report.stop, NG_STOPPED);
    ng_fit_destroy(&fit);
    OK(ng_fit_create(b.s.problem, &options, START, &fit));
    ng_cancel(ctx);
    OK(ng_fit_run(fit, NULL, NULL, &report));
    ck_assert_int_eq(report.stop, NG_STOPPED);
    ck_assert_uint_eq(report.iteration, 0);
    ng_fit_destroy(&fit);
    small_close(&b.s);
}
END_TEST

START_TEST(a_start_outside_the_domain_is_divergence) {
    const double y[] = {1, 0}, start[] = {1.5};
    double to;
    ng_fit_options options;
    small s;
    ng_fit_options_init(&options);
    single_open(&s, "bernoulli", NG_LINK_IDENTITY, 2, y);
    ck_assert(isinf(objective_at(&s, start)));
    ng_report report = run_fit(&s, &options, start, &to);
    ck_assert_int_eq(report.stop, NG_DIVERGED);
    small_close(&s);
}
END_TEST

/* From p = 0.9 the natural step with y mostly 0 would leave (0, 1). */
START_TEST(searches_turn_back_at_the_edge_of_the_domain) {
    const double y[] = {0, 0, 0, 1}, start[] = {0.9};
    double to;
    ng_fit_options options;
    small s;
    ng_fit_options_init(&options);
    options.rate = 2;
    single_open(&s, "bernoulli", NG_LINK_IDENTITY, 4, y);
    ng_report report = run_fit(&s, &options, start, &to);
    ck_assert_int_eq(report.stop, NG_CONVERGED);
    NEAR(to, 0.25, 1e-9);
    small_close(&s);
}
END_TEST

static void add(TCase *tests) {
    tcase_add_test(tests, line_search_descends_within_the_radius);
    tcase_add_test(tests, kl_total_is_the_sum_of_true_kl);
    tcase_add_test(tests, predicted_kl_of_small_steps_is_the_true_one);
    tcase_add_test(tests, lm_damping_follows_the_reduction_ratio);
    tcase_add_test(tests, lm_respects_the_radius);
    tcase_add_test(tests, lm_converges_in_the_sample_space_too);
    tcase_add_test(tests, first_order_rules_are_as_published);
    tcase_add_test(tests, every_combination_ends_or_is_refused);
    tcase_add_test(tests, every_metric_and_fisher_converges_or_is_refused);
    tcase_add_test(tests, bad_options_are_refused);
    tcase_add_test(tests, a_run_can_be_stopped);
    tcase_add_test(tests, a_start_outside_the_domain_is_divergence);
    tcase_add_test(tests, searches_turn_back_at_the_edge_of_the_domain);
}

int main(void) {
    return theory_main("steps", add);
}
