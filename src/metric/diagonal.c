/* The diagonal of F + P: a scale for every parameter, correlations ignored.
 * Entries that are zero have pseudo-inverse zero. */
#include "metric/metric.h"

#include "base/base.h"

#include <string.h>

typedef struct diagonal {
    double *F;       /* dim */
    double *penalty; /* dim */
} diagonal;

static ng_status create(ng_metric *metric) {
    ng_problem *problem = metric->problem;
    size_t d = problem->dim;
    diagonal *state = ngi_alloc(problem->ctx, 1, sizeof *state);
    if (!state)
        return NG_ENOMEM;
    state->F = ngi_alloc(problem->ctx, 2 * d, sizeof *state->F);
    if (!state->F) {
        ngi_free(problem->ctx, state);
        return NG_ENOMEM;
    }
    state->penalty = state->F + d;
    if (problem->ops->penalty_diagonal)
        problem->ops->penalty_diagonal(problem, state->penalty);
    metric->state = state;
    return NG_OK;
}

static ng_status update(ng_metric *metric, const double *theta, double *loss,
                        double *objective, double *gradient) {
    diagonal *state = metric->state;
    ng_problem *problem = metric->problem;
    NG_TRY(ngi_metric_evaluate(metric, theta, loss, objective, gradient));
    metric->passes++;
    return problem->ops->fisher_diagonal(problem, theta,
                                         &metric->options.fisher, state->F);
}

static ng_status factor(ng_metric *metric, double damping) {
    (void)metric;
    (void)damping;
    return NG_OK;
}

static ng_status solve(ng_metric *metric, const double *g, double *d) {
    const diagonal *state = metric->state;
    for (size_t j = 0; j < metric->problem->dim; j++) {
        double entry = state->F[j] + state->penalty[j];
        /* Observed entries may be negative: see ng_metric_ops.solve. */
        entry = (entry < 0 ? -entry : entry) + metric->damping;
        d[j] = entry > 0 ? g[j] / entry : 0;
    }
    return NG_OK;
}

static ng_status product(ng_metric *metric, const double *v, double *out) {
    const diagonal *state = metric->state;
    for (size_t j = 0; j < metric->problem->dim; j++)
        out[j] = state->F[j] * v[j];
    return NG_OK;
}

static void destroy(ng_metric *metric) {
    diagonal *state = metric->state;
    ngi_free(metric->problem->ctx, state->F);
    ngi_free(metric->problem->ctx, state);
}

const ng_metric_ops ngi_metric_diagonal = {
    .name = "diagonal",
    .create = create,
    .update = update,
    .factor = factor,
    .solve = solve,
    .product = product,
    .destroy = destroy,
};
