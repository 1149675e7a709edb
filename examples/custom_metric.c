/* A metric of one's own behind the same table as natgrad's: the diagonal of
 * the Fisher estimated from one sampled label a row, averaged over the
 * iterations,
 *
 *     v_t = rho v_(t-1) + (1 - rho) diag F_t,   F ~ v_t / (1 - rho^t),
 *
 * so that the noise of the draws averages out while the metric still follows
 * the parameters. It drives a loop that moves at most so many nats a step. */
#include <natgrad/natgrad.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 400, INPUTS = 4, ITERATIONS = 60 };
#define RHO 0.9

/* ---- The metric ---- */

typedef struct averaged {
    double weight; /* 1 - rho^t: what the average adds up to */
    double *now;   /* dim: this iteration's diagonal */
    double *sum;   /* dim: v */
} averaged;

static void destroy(ng_metric *metric) {
    averaged *state = metric->state;
    free(state->now);
    free(state);
}

static ng_status create(ng_metric *metric) {
    size_t dim = metric->problem->dim;
    averaged *state = calloc(1, sizeof *state);
    if (!state)
        return NG_ENOMEM;
    state->now = calloc(2 * dim, sizeof *state->now);
    if (!state->now) {
        free(state);
        return NG_ENOMEM;
    }
    state->sum = state->now + dim;
    metric->state = state;
    return NG_OK;
}

static ng_status update(ng_metric *metric, const double *theta, double *loss,
                        double *objective, double *gradient) {
    averaged *state = metric->state;
    ng_problem *problem = metric->problem;
    ng_fisher *fisher = &metric->options.fisher;
    ng_status status = problem->ops->evaluate(problem, theta, loss, objective,
                                              gradient, NULL, NULL);
    fisher->draw++;
    if (status == NG_OK)
        status =
            problem->ops->fisher_diagonal(problem, theta, fisher, state->now);
    if (status != NG_OK)
        return status;
    state->weight = RHO * state->weight + (1 - RHO);
    for (size_t j = 0; j < problem->dim; j++)
        state->sum[j] = RHO * state->sum[j] + (1 - RHO) * state->now[j];
    return NG_OK;
}

/* Nothing to prepare: a diagonal divides. */
static ng_status factor(ng_metric *metric, double damping) {
    (void)metric;
    (void)damping;
    return NG_OK;
}

static ng_status solve(ng_metric *metric, const double *g, double *d) {
    const averaged *state = metric->state;
    for (size_t j = 0; j < metric->problem->dim; j++) {
        double entry = state->sum[j] / state->weight + metric->damping;
        d[j] = entry > 0 ? g[j] / entry : 0;
    }
    return NG_OK;
}

static ng_status product(ng_metric *metric, const double *v, double *out) {
    const averaged *state = metric->state;
    for (size_t j = 0; j < metric->problem->dim; j++)
        out[j] = state->sum[j] / state->weight * v[j];
    return NG_OK;
}

static const ng_metric_ops averaged_diagonal = {
    .name = "averaged-diagonal",
    .create = create,
    .update = update,
    .factor = factor,
    .solve = solve,
    .product = product,
    .destroy = destroy,
};

/* ---- The loop ---- */

/* theta moves against the direction d; half the length as long as the
 * objective does not fall or the step is longer than `radius` nats. */
static ng_status move(ng_problem *problem, double *theta, const double *d,
                      double radius, double *kl) {
    double trial[INPUTS], change;
    for (double length = 1; length > 1e-6; length /= 2) {
        for (size_t j = 0; j < INPUTS; j++)
            trial[j] = theta[j] - length * d[j];
        ng_status status =
            problem->ops->compare(problem, theta, trial, &change, kl);
        if (status != NG_OK)
            return status;
        if (change < 0 && *kl <= radius) {
            for (size_t j = 0; j < INPUTS; j++)
                theta[j] = trial[j];
            return NG_OK;
        }
    }
    *kl = 0;
    return NG_OK;
}

static ng_status descend(ng_problem *problem, double *theta, double *loss) {
    double gradient[INPUTS], d[INPUTS], objective, kl;
    ng_metric_options options;
    ng_metric *metric;
    ng_metric_options_init(&options);
    options.fisher.kind = NG_FISHER_SAMPLED;
    ng_status status =
        ng_metric_create(problem, &averaged_diagonal, &options, &metric);
    if (status != NG_OK)
        return status;
    for (size_t t = 0; t < ITERATIONS; t++) {
        status = ng_metric_update(metric, theta, loss, &objective, gradient);
        if (status == NG_OK)
            status = ng_metric_factor(metric, 1e-6);
        if (status == NG_OK)
            status = ng_metric_solve(metric, gradient, d);
        if (status == NG_OK)
            status = move(problem, theta, d, 0.05, &kl);
        if (status != NG_OK)
            break;
        if (t % 10 == 0 || t + 1 == ITERATIONS)
            printf("%9zu  %.9f  %.3e\n", t, *loss, kl);
    }
    ng_metric_destroy(&metric);
    return status;
}

/* The optimum, by the whole Fisher, to measure against. */
static ng_status optimum(ng_problem *problem, double *loss) {
    const double zero[INPUTS] = {0};
    ng_fit_options options;
    ng_fit *fit;
    ng_report report;
    ng_fit_options_init(&options);
    ng_status status = ng_fit_create(problem, &options, zero, &fit);
    if (status == NG_OK)
        status = ng_fit_run(fit, NULL, NULL, &report);
    if (status == NG_OK)
        *loss = report.loss;
    ng_fit_destroy(&fit);
    return status;
}

/* ---- Counts whose log-mean is linear, on columns of unlike scales ---- */

static void simulate(double *X, double *y) {
    static const double truth[INPUTS] = {0.5, 0.8, -0.03, 4};
    static const double scale[INPUTS] = {1, 1, 20, 0.1};
    ng_rng rng;
    ng_rng_init(&rng, 2, 0);
    for (size_t i = 0; i < ROWS; i++) {
        double *x = X + i * INPUTS, eta = 0;
        for (size_t j = 0; j < INPUTS; j++) {
            x[j] = j ? scale[j] * (2 * ng_rng_uniform(&rng) - 1) : 1;
            eta += truth[j] * x[j];
        }
        y[i] = ng_rng_poisson(&rng, exp(eta));
    }
}

static ng_status set_up(ng_ctx *ctx, const double *X, const double *y,
                        ng_memory_source *memory, ng_problem **problem) {
    ng_rows rows = {.count = ROWS, .y = y, .X = {X}};
    ng_model_spec spec = {
        .block = {{&ng_predictor_linear, INPUTS, NG_LINK_LOG}}};
    ng_status status = ng_family_init(ctx, "poisson", 1, &spec.family);
    if (status == NG_OK)
        status = ng_memory_source_init(ctx, &rows, &spec.family, spec.block,
                                       memory, &spec.source);
    if (status == NG_OK)
        status = ng_model_problem_create(ctx, &spec, problem);
    return status;
}

int main(void) {
    static double X[ROWS * INPUTS], y[ROWS];
    double theta[INPUTS] = {0}, loss = HUGE_VAL, best = 0;
    ng_ctx *ctx;
    ng_problem *problem = NULL;
    ng_memory_source memory;
    if (ng_ctx_create(NULL, &ctx) != NG_OK)
        return 1;
    simulate(X, y);
    printf("iteration         loss  nats moved\n");
    ng_status status = set_up(ctx, X, y, &memory, &problem);
    if (status == NG_OK)
        status = descend(problem, theta, &loss);
    if (status == NG_OK)
        status = optimum(problem, &best);
    if (status == NG_OK)
        printf("  optimum  %.9f, %.1e nats away\n", best, loss - best);
    else
        fprintf(stderr, "custom_metric: %s: %s\n", ng_status_text(status),
                ng_error(ctx));
    ng_problem_destroy(&problem);
    ng_ctx_destroy(&ctx);
    return status != NG_OK || !(loss - best < 1e-6);
}
