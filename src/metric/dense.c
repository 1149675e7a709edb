/* F whole. A = F + P + damping I is equilibrated to a unit diagonal and
 * factored by Cholesky, which loses nothing to badly scaled parameters. Where
 * that fails or leaves no digits, the eigendecomposition serves: eigenvalues
 * that are zero to rounding are dropped (pseudo-inverse), negative ones, which
 * only the observed Fisher has, are reflected. */
#include "metric/metric.h"

#include "base/base.h"
#include "numerics/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef struct dense {
    double *F;      /* d x d, lower */
    double *factor; /* d x d: Cholesky factor, or eigenvectors by row */
    double *scale;  /* d: 1 / sqrt(diag A) */
    double *w;      /* d: eigenvalues, where used */
    double *t;      /* 2 d */
    double *work;   /* of the eigenproblem */
    int *iwork;     /* d */
    bool spectral;  /* which of the two `factor` holds */
    size_t nullity; /* eigenvalues dropped */
} dense;

static void destroy(ng_metric *metric) {
    dense *state = metric->state;
    ng_ctx *ctx = metric->problem->ctx;
    ngi_free(ctx, state->F);
    ngi_free(ctx, state->factor);
    ngi_free(ctx, state->scale);
    ngi_free(ctx, state->work);
    ngi_free(ctx, state->iwork);
    ngi_free(ctx, state);
}

static ng_status create(ng_metric *metric) {
    ng_problem *problem = metric->problem;
    ng_ctx *ctx = problem->ctx;
    size_t d = problem->dim;
    dense *state = ngi_alloc(ctx, 1, sizeof *state);
    if (!state)
        return NG_ENOMEM;
    metric->state = state;
    state->F = ngi_alloc(ctx, d * d, sizeof *state->F);
    state->factor = ngi_alloc(ctx, d * d, sizeof *state->factor);
    state->scale = ngi_alloc(ctx, 7 * d, sizeof *state->scale);
    state->work = ngi_alloc(ctx, ngi_eigen_work(d), sizeof *state->work);
    state->iwork = ngi_alloc(ctx, d, sizeof *state->iwork);
    ng_status status = NG_ENOMEM;
    if (state->F && state->factor && state->scale && state->work &&
        state->iwork)
        status = problem->ops->reserve
                     ? problem->ops->reserve(problem, &metric->options.fisher,
                                             NG_RESERVE_DENSE)
                     : NG_OK;
    if (status != NG_OK) {
        destroy(metric);
        return status;
    }
    state->w = state->scale + d;
    state->t = state->w + d;
    return NG_OK;
}

static ng_status update(ng_metric *metric, const double *theta, double *loss,
                        double *objective, double *gradient) {
    dense *state = metric->state;
    ng_problem *problem = metric->problem;
    return problem->ops->evaluate(problem, theta, loss, objective, gradient,
                                  &metric->options.fisher, state->F);
}

/* factor = D A D with unit diagonal where A's is positive. */
static void equilibrate(ng_metric *metric, double damping) {
    dense *state = metric->state;
    ng_problem *problem = metric->problem;
    size_t d = problem->dim;
    double *A = state->factor;
    for (size_t i = 0; i < d; i++)
        memcpy(A + i * d, state->F + i * d, (i + 1) * sizeof *A);
    if (problem->ops->penalty_add)
        problem->ops->penalty_add(problem, A);
    for (size_t i = 0; i < d; i++) {
        A[i * d + i] += damping;
        double diagonal = fabs(A[i * d + i]);
        state->scale[i] = diagonal > 0 ? 1 / sqrt(diagonal) : 1;
    }
    for (size_t i = 0; i < d; i++) {
        for (size_t j = 0; j <= i; j++)
            A[i * d + j] *= state->scale[i] * state->scale[j];
    }
}

/* Dropped eigenvectors, brought back to the parameters' own scale and made
 * orthonormal (modified Gram-Schmidt), span the null space of A. They stay in
 * the first `nullity` rows of the factor, where nothing else needs them. */
static void orthonormalise_null_space(dense *state, size_t d) {
    for (size_t k = 0; k < state->nullity; k++) {
        double *row = state->factor + k * d;
        for (size_t j = 0; j < d; j++)
            row[j] *= state->scale[j];
        for (size_t i = 0; i < k; i++) {
            const double *other = state->factor + i * d;
            ngi_axpy(d, -ngi_dot(d, row, other), other, row);
        }
        double norm = ngi_norm(d, row);
        for (size_t j = 0; j < d; j++)
            row[j] /= norm;
    }
}

static ng_status factor_spectral(ng_metric *metric, double damping) {
    dense *state = metric->state;
    size_t d = metric->problem->dim;
    equilibrate(metric, damping);
    if (!ngi_all_finite(d, state->scale) ||
        !ngi_eigen(d, state->factor, state->w, state->work))
        return ngi_fail(metric->problem->ctx, NG_ENUMERIC,
                        "the eigenvalues of the metric were not found");
    metric->repaired = 1;
    state->spectral = true;
    double largest = fmax(fabs(state->w[0]), fabs(state->w[d - 1]));
    double cutoff = (double)d * DBL_EPSILON * largest;
    /* Dropped ones first: only they are of the null space. */
    state->nullity = 0;
    for (size_t k = 0; k < d; k++) {
        if (fabs(state->w[k]) > cutoff)
            continue;
        double *front = state->factor + state->nullity * d;
        double *row = state->factor + k * d;
        for (size_t j = 0; front != row && j < d; j++) {
            double swap = front[j];
            front[j] = row[j];
            row[j] = swap;
        }
        state->w[k] = state->w[state->nullity];
        state->w[state->nullity++] = 0;
    }
    orthonormalise_null_space(state, d);
    return NG_OK;
}

static ng_status factor(ng_metric *metric, double damping) {
    dense *state = metric->state;
    size_t d = metric->problem->dim;
    state->spectral = false;
    if (d == 0)
        return NG_OK;
    equilibrate(metric, damping);
    double norm = ngi_symmetric_norm1(d, state->factor, state->t);
    if (!isfinite(norm))
        return ngi_fail(metric->problem->ctx, NG_ENUMERIC,
                        "the metric is not finite");
    if (ngi_cholesky(d, state->factor) &&
        ngi_cholesky_rcond(d, state->factor, norm, state->t, state->iwork) >
            (double)d * DBL_EPSILON)
        return NG_OK;
    return factor_spectral(metric, damping);
}

static void remove_null_space(const dense *state, size_t dim, double *x) {
    for (size_t k = 0; k < state->nullity; k++) {
        const double *vector = state->factor + k * dim;
        ngi_axpy(dim, -ngi_dot(dim, vector, x), vector, x);
    }
}

/* A^+ g = Q S (S A S)^+ S Q g, Q taking the null space of A away: without it
 * on the right the scale S would weight the residual of a g out of range, and
 * without it on the left the norm of the solution. */
static void solve_spectral(dense *state, size_t dim, const double *g,
                           double *d) {
    double *x = state->t + dim;
    memcpy(d, g, dim * sizeof *d);
    remove_null_space(state, dim, d);
    for (size_t j = 0; j < dim; j++)
        state->t[j] = d[j] * state->scale[j];
    memset(x, 0, dim * sizeof *x);
    for (size_t k = state->nullity; k < dim; k++) {
        const double *vector = state->factor + k * dim;
        ngi_axpy(dim, ngi_dot(dim, vector, state->t) / fabs(state->w[k]),
                 vector, x);
    }
    for (size_t j = 0; j < dim; j++)
        d[j] = x[j] * state->scale[j];
    remove_null_space(state, dim, d);
}

static ng_status solve(ng_metric *metric, const double *g, double *d) {
    dense *state = metric->state;
    size_t dim = metric->problem->dim;
    if (state->spectral) {
        solve_spectral(state, dim, g, d);
        return NG_OK;
    }
    for (size_t j = 0; j < dim; j++)
        state->t[j] = g[j] * state->scale[j];
    ngi_cholesky_solve(dim, state->factor, state->t);
    for (size_t j = 0; j < dim; j++)
        d[j] = state->t[j] * state->scale[j];
    return NG_OK;
}

static ng_status product(ng_metric *metric, const double *v, double *out) {
    const dense *state = metric->state;
    ngi_symv(metric->problem->dim, state->F, v, out);
    return NG_OK;
}

const ng_metric_ops ngi_metric_dense = {
    .name = "dense",
    .create = create,
    .update = update,
    .factor = factor,
    .solve = solve,
    .product = product,
    .destroy = destroy,
};
