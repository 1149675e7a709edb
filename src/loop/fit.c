/* The loop: evaluate, take a direction, take a step, record, stop. */
#include "loop/loop.h"

#include "numerics/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* First-order methods know no decrement. Every so many iterations one is
 * computed, off the clock, so that they stop by the same rule as the rest. */
enum { JUDGE_EVERY = 25, JUDGE_DENSE_MOST = 1000 };

static const ngi_step_ops *const STEPS[] = {[NG_STEP_FIXED] = &ngi_step_fixed,
                                            [NG_STEP_KL] = &ngi_step_kl,
                                            [NG_STEP_LINE_SEARCH] =
                                                &ngi_step_line_search,
                                            [NG_STEP_LM] = &ngi_step_lm};

static const ngi_rule *const RULES[] = {[NG_NATURAL] = NULL,
                                        [NG_NEWTON] = NULL,
                                        [NG_GRADIENT] = &ngi_rule_gradient,
                                        [NG_MOMENTUM] = &ngi_rule_momentum,
                                        [NG_RMSPROP] = &ngi_rule_rmsprop,
                                        [NG_ADAM] = &ngi_rule_adam};

/* ---- The clock ---- */

void ngi_clock_start(ng_fit *fit) {
    fit->started = ngi_seconds();
    fit->clock_runs = true;
}

void ngi_clock_stop(ng_fit *fit) {
    if (!fit->clock_runs)
        return;
    fit->report.seconds += ngi_seconds() - fit->started;
    fit->clock_runs = false;
}

/* ---- What steps ask for ---- */

double ngi_change_slack(const ng_fit *fit) {
    /* At a kink the slope promises what no step keeps, and an allowance for
     * rounding would let steps at its level go on for ever. */
    if (!fit->problem->smooth)
        return 0;
    return 8 * DBL_EPSILON * (1 + fabs(fit->objective));
}

ng_status ngi_quadratic_form(ng_fit *fit, double *form) {
    static const ng_fisher exact = {.kind = NG_FISHER_EXACT};
    ng_problem *problem = fit->problem;
    const ng_metric *metric = fit->metric;
    if (isnan(fit->form)) {
        bool knows = metric && strcmp(metric->ops->name, "dense") == 0 &&
                     metric->options.fisher.kind == NG_FISHER_EXACT;
        if (knows) {
            NG_TRY(
                ng_metric_product(fit->metric, fit->direction, fit->scratch));
        } else {
            NG_TRY(problem->ops->fisher_product(problem, fit->theta, &exact,
                                                fit->direction, fit->scratch));
            fit->report.examples += (double)problem->rows;
        }
        fit->form = ngi_dot(problem->dim, fit->direction, fit->scratch);
    }
    *form = fit->form;
    return NG_OK;
}

ng_status ngi_first_length(ng_fit *fit, double *length) {
    *length = fit->options.rate;
    if (fit->options.kl > 0) {
        double form;
        NG_TRY(ngi_quadratic_form(fit, &form));
        double reach = sqrt(2 * fit->options.kl / form);
        if (form > 0 && reach < *length)
            *length = reach;
    }
    return NG_OK;
}

ng_status ngi_metric_direction(ng_fit *fit, double damping) {
    size_t d = fit->problem->dim;
    NG_TRY(ng_metric_factor(fit->metric, damping));
    NG_TRY(ng_metric_solve(fit->metric, fit->gradient, fit->direction));
    for (size_t j = 0; j < d; j++)
        fit->direction[j] = -fit->direction[j];
    fit->slope = ngi_dot(d, fit->gradient, fit->direction);
    fit->form = NAN;
    return NG_OK;
}

/* ---- Creation ---- */

static ng_status check_options(ng_problem *problem,
                               const ng_fit_options *options) {
    ng_ctx *ctx = problem->ctx;
    bool has_metric =
        options->optimizer == NG_NATURAL || options->optimizer == NG_NEWTON;
    if (options->optimizer > NG_ADAM || options->step > (int)NG_STEP_LM ||
        options->integrator > NG_GEODESIC ||
        options->fisher > NG_FISHER_OBSERVED)
        return ngi_fail(ctx, NG_EUSAGE,
                        "expected an optimizer, step, integrator and Fisher "
                        "from their lists");
    if (isnan(options->rate) || isinf(options->rate) || options->rate == 0)
        return ngi_fail(ctx, NG_EUSAGE, "expected a rate > 0");
    if (!(options->kl >= 0) || isinf(options->kl))
        return ngi_fail(ctx, NG_EUSAGE, "expected a KL radius >= 0");
    if (!(options->damping >= 0) || isinf(options->damping))
        return ngi_fail(ctx, NG_EUSAGE, "expected a damping >= 0");
    if (!(options->tolerance >= 0))
        return ngi_fail(ctx, NG_EUSAGE, "expected a tolerance >= 0");
    if (options->step == NG_STEP_KL && !(options->kl > 0))
        return ngi_fail(ctx, NG_EUSAGE,
                        "step \"kl\" needs a KL radius > 0 (--kl)");
    if (options->step == NG_STEP_LM &&
        (!has_metric || options->integrator != NG_EULER))
        return ngi_fail(ctx, NG_EUSAGE,
                        "step \"lm\" goes with optimizer natural or newton "
                        "and integrator euler");
    if (options->integrator != NG_EULER && !has_metric)
        return ngi_fail(ctx, NG_EUSAGE,
                        "integrators other than euler go with optimizer "
                        "natural or newton");
    if (options->integrator == NG_GEODESIC && !problem->ops->connection)
        return ngi_fail(ctx, NG_EUNSUPPORTED,
                        "this problem has no geodesic correction");
    if (options->fisher == NG_FISHER_SAMPLED && options->fisher_samples == 0)
        return ngi_fail(ctx, NG_EUSAGE, "expected Fisher samples >= 1");
    return NG_OK;
}

static void resolve_defaults(ng_fit *fit) {
    ng_fit_options *options = &fit->options;
    fit->rule = RULES[options->optimizer];
    bool searches = !fit->rule || fit->rule == &ngi_rule_gradient;
    if (options->step < 0) {
        options->step = searches ? NG_STEP_LINE_SEARCH : NG_STEP_FIXED;
        /* A radius asked for is a radius kept. */
        if (!searches && options->kl > 0)
            options->step = NG_STEP_KL;
    }
    if (options->rate < 0)
        options->rate = fit->rule ? fit->rule->rate : 1;
    if (options->max_iter == 0)
        options->max_iter = fit->rule ? 10000 : 1000;
    fit->step = STEPS[options->step];
    fit->damping = options->damping;
    if (options->step == NG_STEP_LM && options->damping == 0)
        fit->damping = 1e-3;
}

static ng_status make_metric(ng_fit *fit) {
    const ng_fit_options *options = &fit->options;
    const ng_metric_ops *ops;
    ng_problem *problem = fit->problem;
    ng_metric_options metric;
    ng_metric_options_init(&metric);
    if (fit->rule) {
        const char *judge = problem->dim <= JUDGE_DENSE_MOST ? "dense" : "cg";
        NG_TRY(ng_metric_find(problem->ctx, judge, &ops));
        return ng_metric_create(problem, ops, &metric, &fit->judge);
    }
    metric.fisher.kind =
        options->optimizer == NG_NEWTON ? NG_FISHER_OBSERVED : options->fisher;
    metric.fisher.samples = options->fisher_samples;
    metric.fisher.seed = options->seed;
    NG_TRY(ng_metric_find(problem->ctx,
                          options->metric ? options->metric : "dense", &ops));
    return ng_metric_create(problem, ops, &metric, &fit->metric);
}

ng_status ng_fit_create(ng_problem *problem, const ng_fit_options *options,
                        const double *theta, ng_fit **out) {
    enum { VECTORS = 8 };
    ng_ctx *ctx = problem->ctx;
    size_t d = problem->dim;
    ng_status status = NG_ENOMEM;
    *out = NULL;
    NG_TRY(check_options(problem, options));
    ng_fit *fit = ngi_alloc(ctx, 1, sizeof *fit);
    if (!fit)
        return NG_ENOMEM;
    fit->problem = problem;
    fit->options = *options;
    resolve_defaults(fit);
    fit->memory = ngi_alloc(ctx, VECTORS * d, sizeof *fit->memory);
    if (!fit->memory)
        goto fail;
    double **pieces[VECTORS] = {&fit->theta,     &fit->trial,   &fit->gradient,
                                &fit->direction, &fit->scratch, &fit->scratch1,
                                &fit->first,     &fit->second};
    for (size_t i = 0; i < VECTORS; i++)
        *pieces[i] = fit->memory + i * d;
    NG_TRY_GOTO(make_metric(fit));
    memcpy(fit->theta, theta, d * sizeof *theta);
    fit->last_decrement = HUGE_VAL;
    *out = fit;
    return NG_OK;
fail:
    ng_fit_destroy(&fit);
    return status;
}

void ng_fit_destroy(ng_fit **fit) {
    if (!fit || !*fit)
        return;
    ng_ctx *ctx = (*fit)->problem->ctx;
    ng_metric_destroy(&(*fit)->metric);
    ng_metric_destroy(&(*fit)->judge);
    ngi_free(ctx, (*fit)->memory);
    ngi_free(ctx, *fit);
    *fit = NULL;
}

const double *ng_fit_theta(const ng_fit *fit) {
    return fit->theta;
}

/* ---- One iteration ---- */

static ng_status evaluate(ng_fit *fit) {
    ng_report *report = &fit->report;
    ng_problem *problem = fit->problem;
    if (fit->metric) {
        fit->metric->options.fisher.draw = report->iteration;
        NG_TRY(ng_metric_update(fit->metric, fit->theta, &report->loss,
                                &report->objective, fit->gradient));
    } else {
        NG_TRY(problem->ops->evaluate(problem, fit->theta, &report->loss,
                                      &report->objective, fit->gradient, NULL,
                                      NULL));
    }
    report->examples += (double)problem->rows;
    fit->objective = report->objective;
    if (!isfinite(report->objective) ||
        !ngi_all_finite(problem->dim, fit->gradient))
        report->stop = NG_DIVERGED;
    return NG_OK;
}

static void measure_gradient(ng_fit *fit) {
    const ng_problem *problem = fit->problem;
    const double *g = fit->gradient;
    if (problem->ops->user_gradient) {
        problem->ops->user_gradient(problem, g, fit->scratch);
        g = fit->scratch;
    }
    fit->report.gradient_norm = ngi_max_abs(problem->dim, g);
}

static double decrement_of(double product) {
    return sqrt(fmax(product, 0));
}

/* The decrement of a first-order method, from the exact Fisher. */
static ng_status judge(ng_fit *fit) {
    ng_report *report = &fit->report;
    double loss, objective;
    report->decrement = NAN;
    /* Nobody asked to stop by it. */
    if (fit->options.tolerance == 0)
        return NG_OK;
    if (report->iteration % JUDGE_EVERY != 0)
        return NG_OK;
    NG_TRY(ng_metric_update(fit->judge, fit->theta, &loss, &objective,
                            fit->scratch));
    NG_TRY(ng_metric_factor(fit->judge, 0));
    NG_TRY(ng_metric_solve(fit->judge, fit->gradient, fit->scratch));
    /* A Fisher of zero judges nothing. */
    if (fit->judge->repaired &&
        ngi_max_abs(fit->problem->dim, fit->scratch) == 0)
        return NG_OK;
    report->decrement =
        decrement_of(ngi_dot(fit->problem->dim, fit->gradient, fit->scratch));
    return NG_OK;
}

/* A singular metric answers with its pseudo-inverse, which cannot see a
 * gradient outside its range: a decrement of zero is then no optimum but a run
 * that left for where the Fisher vanishes. What rounding leaves outside is
 * small beside the steepest gradient of the run. */
static ng_status check_range(ng_fit *fit) {
    ng_problem *problem = fit->problem;
    size_t d = problem->dim;
    double norm = ngi_norm(d, fit->gradient);
    fit->steepest = fmax(fit->steepest, norm);
    double allowance = sqrt(DBL_EPSILON) * (1 + fit->steepest);
    if (!fit->metric->repaired || norm <= allowance)
        return NG_OK;
    /* An indefinite Hessian has been made definite, and a few draws of the
     * labels need not span the gradient: their residuals mean nothing. But a
     * direction of zero is one of a matrix of zero. */
    ng_fisher_kind kind = fit->metric->options.fisher.kind;
    if (kind == NG_FISHER_OBSERVED || kind == NG_FISHER_SAMPLED) {
        if (ngi_max_abs(d, fit->direction) == 0)
            fit->report.stop = NG_FLAT;
        return NG_OK;
    }
    /* direction = -(F + P)^+ g, so this is the residual of the solve. */
    NG_TRY(ng_metric_product(fit->metric, fit->direction, fit->scratch));
    if (problem->ops->penalty_product)
        problem->ops->penalty_product(problem, fit->direction, fit->scratch);
    ngi_axpy(d, 1, fit->gradient, fit->scratch);
    if (ngi_norm(d, fit->scratch) > fmax(allowance, 0.5 * norm))
        fit->report.stop = NG_FLAT;
    return NG_OK;
}

/* An iterative metric need not solve to the last digit far from the optimum:
 * a residual that shrinks with the decrement keeps the run's quadratic end
 * (Dembo, Eisenstat & Steihaug 1982). */
static void relax_solves(ng_fit *fit) {
    static const double LOOSEST = 0.1, TIGHTEST = 1e-8;
    double wanted = fmin(LOOSEST, LOOSEST * fit->last_decrement);
    fit->metric->options.cg_tolerance = fmax(wanted, TIGHTEST);
}

/* Direction and decrement. The decrement is of the undamped metric, whatever
 * damping the direction then takes. */
static ng_status direct(ng_fit *fit) {
    ng_report *report = &fit->report;
    size_t d = fit->problem->dim;
    if (fit->rule) {
        fit->rule->direction(d, report->iteration, fit->gradient, fit->first,
                             fit->second, fit->direction);
        fit->slope = ngi_dot(d, fit->gradient, fit->direction);
        fit->form = NAN;
        return NG_OK;
    }
    relax_solves(fit);
    NG_TRY(ngi_metric_direction(fit, 0));
    report->decrement = decrement_of(-fit->slope);
    NG_TRY(check_range(fit));
    if (fit->damping > 0)
        NG_TRY(ngi_metric_direction(fit, fit->damping));
    report->damping = fit->damping;
    report->repaired = fit->metric->repaired;
    return NG_OK;
}

/* At the optimum: by the decrement, or because the decrement is at the level
 * of rounding in the objective and no longer falls. */
static bool converged(ng_fit *fit) {
    double decrement = fit->report.decrement;
    if (isnan(decrement))
        return false;
    /* A huge objective rounds by more than any decrement is worth. */
    static const double NEAR = 1e-3;
    bool stalled = decrement <= NEAR &&
                   decrement * decrement <= ngi_change_slack(fit) &&
                   decrement >= fit->last_decrement;
    fit->last_decrement = decrement;
    return decrement <= fit->options.tolerance || stalled;
}

static ng_status predict_kl(ng_fit *fit) {
    double form;
    fit->report.kl_predicted = NAN;
    if (fit->rule && fit->options.kl <= 0)
        return NG_OK;
    NG_TRY(ngi_quadratic_form(fit, &form));
    fit->report.kl_predicted = 0.5 * fit->length * fit->length * form;
    return NG_OK;
}

static ng_status move(ng_fit *fit, bool last) {
    ng_report *report = &fit->report;
    ngi_outcome outcome;
    /* The midpoint takes the metric away from theta: form d'Fd before. */
    double form;
    if (fit->options.integrator == NG_MIDPOINT)
        NG_TRY(ngi_quadratic_form(fit, &form));
    NG_TRY(fit->step->take(fit, &outcome));
    ngi_clock_stop(fit);
    bool nowhere = !ngi_all_finite(fit->problem->dim, fit->trial);
    if (outcome == NGI_NO_DESCENT || nowhere) {
        if (last)
            return NG_OK;
        report->stop = nowhere && outcome == NGI_MOVED ? NG_DIVERGED
                       : fit->problem->smooth          ? NG_NO_DESCENT
                                                       : NG_AT_KINK;
        return NG_OK;
    }
    NG_TRY(predict_kl(fit));
    report->step = fit->last_length = fit->length;
    report->kl = fit->kl;
    report->kl_total += fit->kl;
    double *old = fit->theta;
    fit->theta = fit->trial;
    fit->trial = old;
    return NG_OK;
}

static ng_status iterate(ng_fit *fit) {
    ng_report *report = &fit->report;
    ngi_clock_start(fit);
    NG_TRY(evaluate(fit));
    ngi_clock_stop(fit);
    if (report->stop != NG_RUNNING)
        return NG_OK;
    measure_gradient(fit);
    if (fit->rule)
        NG_TRY(judge(fit));
    ngi_clock_start(fit);
    NG_TRY(direct(fit));
    if (report->stop != NG_RUNNING)
        return NG_OK;
    bool last = converged(fit);
    if (last && fit->rule) {
        report->stop = NG_CONVERGED;
        return NG_OK;
    }
    if (!last && report->iteration >= fit->options.max_iter) {
        report->stop = NG_MAX_ITER;
        return NG_OK;
    }
    /* The last direction is paid for: taking it squares what error is left. */
    NG_TRY(move(fit, last));
    if (last)
        report->stop = NG_CONVERGED;
    return NG_OK;
}

/* Rows that the metric looked at for itself. */
static void count_passes(ng_fit *fit) {
    if (!fit->metric)
        return;
    fit->report.examples +=
        (double)fit->metric->passes * (double)fit->problem->rows;
    fit->metric->passes = 0;
}

ng_status ng_fit_step(ng_fit *fit, ng_report *report) {
    ng_report *own = &fit->report;
    if (own->stop == NG_RUNNING) {
        own->step = own->kl = own->kl_predicted = 0;
        own->rejected = 0;
        own->repaired = 0;
        ng_status status = iterate(fit);
        ngi_clock_stop(fit);
        count_passes(fit);
        if (status != NG_OK)
            return status;
        if (own->stop == NG_RUNNING && ngi_cancelled(fit->problem->ctx))
            own->stop = NG_STOPPED;
    }
    *report = *own;
    if (own->stop == NG_RUNNING)
        own->iteration++;
    return NG_OK;
}

ng_status ng_fit_run(ng_fit *fit, ng_monitor monitor, void *user,
                     ng_report *report) {
    do {
        NG_TRY(ng_fit_step(fit, report));
        if (monitor && monitor(user, report) && report->stop == NG_RUNNING)
            report->stop = fit->report.stop = NG_STOPPED;
    } while (report->stop == NG_RUNNING);
    return NG_OK;
}
