/* Matrix-free: (F + P + damping I) d = g by preconditioned conjugate gradients
 * (Nocedal & Wright 2006, algorithm 5.3). Started from zero, it finds the
 * least-norm solution of a consistent singular system in the preconditioner's
 * norm, and it stops at a direction of no or negative curvature with what it
 * has. */
#include "metric/metric.h"
#include "metric/preconditioner.h"

#include "base/base.h"
#include "numerics/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* A preconditioner from an earlier theta serves until solves get long. */
enum { LONG_SOLVE = 10 };

typedef struct cg {
    double *theta, *residual, *direction, *image, *scaled; /* dim each */
    ngi_preconditioner *preconditioner;
    size_t iterations; /* of the longest solve since it was made; 0: none */
    bool stale;
} cg;

static void destroy(ng_metric *metric) {
    cg *state = metric->state;
    ngi_preconditioner_destroy(&state->preconditioner);
    ngi_free(metric->problem->ctx, state->theta);
    ngi_free(metric->problem->ctx, state);
}

static ng_status create(ng_metric *metric) {
    ng_ctx *ctx = metric->problem->ctx;
    size_t d = metric->problem->dim;
    cg *state = ngi_alloc(ctx, 1, sizeof *state);
    if (!state)
        return NG_ENOMEM;
    metric->state = state;
    ng_status status = ngi_preconditioner_create(
        metric->problem, &metric->options.fisher, &state->preconditioner);
    if (status == NG_OK) {
        state->theta = ngi_alloc(ctx, 5 * d, sizeof *state->theta);
        status = state->theta ? NG_OK : NG_ENOMEM;
    }
    if (status != NG_OK) {
        destroy(metric);
        return status;
    }
    state->residual = state->theta + d;
    state->direction = state->residual + d;
    state->image = state->direction + d;
    state->scaled = state->image + d;
    state->stale = true;
    return NG_OK;
}

static ng_status update(ng_metric *metric, const double *theta, double *loss,
                        double *objective, double *gradient) {
    cg *state = metric->state;
    ng_problem *problem = metric->problem;
    NG_TRY(ngi_metric_evaluate(metric, theta, loss, objective, gradient));
    memcpy(state->theta, theta, problem->dim * sizeof *theta);
    if (!state->stale && state->iterations <= LONG_SOLVE)
        return NG_OK;
    metric->passes++;
    state->stale = false;
    state->iterations = 0;
    return ngi_preconditioner_update(state->preconditioner, theta,
                                     &metric->options.fisher);
}

static ng_status factor(ng_metric *metric, double damping) {
    cg *state = metric->state;
    ngi_preconditioner_factor(state->preconditioner, damping);
    return NG_OK;
}

static ng_status product(ng_metric *metric, const double *v, double *out) {
    const cg *state = metric->state;
    metric->passes++;
    return metric->problem->ops->fisher_product(
        metric->problem, state->theta, &metric->options.fisher, v, out);
}

static ng_status apply(ng_metric *metric, const double *v, double *out) {
    ng_problem *problem = metric->problem;
    NG_TRY(product(metric, v, out));
    if (problem->ops->penalty_product)
        problem->ops->penalty_product(problem, v, out);
    ngi_axpy(problem->dim, metric->damping, v, out);
    return NG_OK;
}

static ng_status solve(ng_metric *metric, const double *g, double *d) {
    cg *state = metric->state;
    size_t n = metric->problem->dim;
    double *r = state->residual, *p = state->direction;
    memset(d, 0, n * sizeof *d);
    memcpy(r, g, n * sizeof *r);
    ngi_preconditioner_apply(state->preconditioner, r, p);
    double rho = ngi_dot(n, r, p);
    double goal = metric->options.cg_tolerance;
    double enough = goal * goal * rho;
    for (size_t i = 0; i < metric->options.cg_iterations && rho > enough; i++) {
        NG_TRY(apply(metric, p, state->image));
        double curvature = ngi_dot(n, p, state->image);
        if (!(curvature > DBL_EPSILON * DBL_EPSILON * rho)) {
            metric->repaired = 1;
            if (i == 0)
                memcpy(d, p, n * sizeof *d);
            return NG_OK;
        }
        if (i + 1 > state->iterations)
            state->iterations = i + 1;
        double alpha = rho / curvature;
        ngi_axpy(n, alpha, p, d);
        ngi_axpy(n, -alpha, state->image, r);
        ngi_preconditioner_apply(state->preconditioner, r, state->scaled);
        double next = ngi_dot(n, r, state->scaled);
        for (size_t j = 0; j < n; j++)
            p[j] = state->scaled[j] + next / rho * p[j];
        rho = next;
        if (ngi_cancelled(metric->problem->ctx))
            return NG_OK;
    }
    return NG_OK;
}

const ng_metric_ops ngi_metric_cg = {
    .name = "cg",
    .create = create,
    .update = update,
    .factor = factor,
    .solve = solve,
    .product = product,
    .destroy = destroy,
};
