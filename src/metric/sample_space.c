/* Fewer rows than parameters: with F = S' S, S of N rows, and D = P + damping
 * I, Woodbury's identity solves in the space of rows,
 *
 *   (D + S'S)^-1 g = D^-1 g - D^-1 S' (I + S D^-1 S')^-1 S D^-1 g,
 *
 * and without a penalty, for a damping that is zero or too small beside F for
 * that difference to keep any digits, g in the range of S' has
 * (F + damping I)^+ g = S' (S S')^+ (S S' + damping I)^+ S g. */
#include "metric/metric.h"

#include "base/base.h"
#include "numerics/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum {
    CHUNK = 64,      /* rows of S D^-1 held at once */
    MOST_ROWS = 2000 /* where they outnumber the parameters: N^3 work */
};

typedef struct sample_space {
    size_t N;
    double *S;       /* N x d */
    double *G;       /* N x N: Cholesky factor, or eigenvectors by row */
    double *w;       /* N: eigenvalues */
    double *chunk;   /* CHUNK x d */
    double *product; /* CHUNK x N */
    double *t, *t1;  /* N */
    double *v;       /* d */
    double *work;    /* of the eigenproblem */
    bool spectral;
    double damping; /* in use: see make_definite */
} sample_space;

static void destroy(ng_metric *metric) {
    sample_space *state = metric->state;
    ng_ctx *ctx = metric->problem->ctx;
    ngi_free(ctx, state->S);
    ngi_free(ctx, state->G);
    ngi_free(ctx, state->w);
    ngi_free(ctx, state->chunk);
    ngi_free(ctx, state->work);
    ngi_free(ctx, state);
}

static ng_status create(ng_metric *metric) {
    ng_problem *problem = metric->problem;
    ng_ctx *ctx = problem->ctx;
    size_t d = problem->dim;
    if (!problem->ops->root_rows ||
        !problem->ops->root_rows(problem, &metric->options.fisher))
        return ngi_fail(ctx, NG_EUNSUPPORTED,
                        "metric \"sample-space\" needs a Fisher that is a sum "
                        "of squares: exact, sampled or empirical");
    size_t roots = problem->ops->root_rows(problem, &metric->options.fisher);
    if (roots > d && roots > MOST_ROWS)
        return ngi_fail(ctx, NG_EUNSUPPORTED,
                        "metric \"sample-space\" is for fewer rows than "
                        "parameters: %zu against %zu here",
                        roots, d);
    sample_space *state = ngi_alloc(ctx, 1, sizeof *state);
    if (!state)
        return NG_ENOMEM;
    metric->state = state;
    size_t N = state->N = roots;
    state->S = ngi_alloc(ctx, N, d * sizeof *state->S);
    state->G = ngi_alloc(ctx, N, N * sizeof *state->G);
    state->w = ngi_alloc(ctx, 3 * N + d, sizeof *state->w);
    state->chunk = ngi_alloc(ctx, CHUNK * (d + N), sizeof *state->chunk);
    state->work = ngi_alloc(ctx, ngi_eigen_work(N), sizeof *state->work);
    if (!state->S || !state->G || !state->w || !state->chunk || !state->work) {
        destroy(metric);
        return NG_ENOMEM;
    }
    state->product = state->chunk + CHUNK * d;
    state->t = state->w + N;
    state->t1 = state->t + N;
    state->v = state->t1 + N;
    return NG_OK;
}

static ng_status update(ng_metric *metric, const double *theta, double *loss,
                        double *objective, double *gradient) {
    sample_space *state = metric->state;
    ng_problem *problem = metric->problem;
    NG_TRY(ngi_metric_evaluate(metric, theta, loss, objective, gradient));
    metric->passes++;
    return problem->ops->fisher_root(problem, theta, &metric->options.fisher,
                                     state->S);
}

/* v -> D^-1 v, or v itself where there is no D at all. */
static ng_status solve_diagonal(ng_metric *metric, const double *v,
                                double *out) {
    const sample_space *state = metric->state;
    ng_problem *problem = metric->problem;
    if (state->spectral) {
        memcpy(out, v, problem->dim * sizeof *out);
        return NG_OK;
    }
    if (problem->ops->penalty_solve)
        return problem->ops->penalty_solve(problem, state->damping, v, out);
    for (size_t j = 0; j < problem->dim; j++)
        out[j] = v[j] / state->damping;
    return NG_OK;
}

/* G = S D^-1 S', lower triangle, by blocks of rows. */
static ng_status gram(ng_metric *metric) {
    sample_space *state = metric->state;
    size_t d = metric->problem->dim, N = state->N;
    for (size_t first = 0; first < N; first += CHUNK) {
        size_t count = N - first < CHUNK ? N - first : CHUNK;
        for (size_t i = 0; i < count; i++)
            NG_TRY(solve_diagonal(metric, state->S + (first + i) * d,
                                  state->chunk + i * d));
        ngi_gemm_nt(count, first + count, d, state->chunk, d, state->S, d,
                    state->G + first * N, N);
    }
    return NG_OK;
}

/* Woodbury's difference loses eps |F| / damping. Below sqrt(eps) of the mean
 * Fisher entry the spectral form serves, or, beside a penalty, which may leave
 * some parameters free (the intercepts) and have no inverse by itself, a
 * damping of that size: it turns the direction by about as much and the
 * optimum not at all. */
static void make_definite(ng_metric *metric) {
    sample_space *state = metric->state;
    ng_problem *problem = metric->problem;
    size_t d = problem->dim;
    double trace = 0;
    for (size_t i = 0; i < state->N; i++)
        trace += ngi_dot(d, state->S + i * d, state->S + i * d);
    double least = sqrt(DBL_EPSILON) * fmax(trace / (double)d, DBL_MIN);
    state->damping = metric->damping;
    state->spectral = false;
    if (state->damping >= least)
        return;
    bool penalised = false;
    if (problem->ops->penalty_diagonal) {
        memset(state->v, 0, d * sizeof *state->v);
        problem->ops->penalty_diagonal(problem, state->v);
        penalised = ngi_max_abs(d, state->v) > 0;
    }
    if (!penalised) {
        state->spectral = true;
        return;
    }
    state->damping = least;
    metric->repaired = 1;
}

static ng_status factor_spectral(ng_metric *metric) {
    sample_space *state = metric->state;
    ng_ctx *ctx = metric->problem->ctx;
    size_t N = state->N;
    if (!ngi_eigen(N, state->G, state->w, state->work))
        return ngi_fail(ctx, NG_ENUMERIC,
                        "the eigenvalues of the Gram matrix were not found");
    if (metric->problem->dim > N)
        metric->repaired = 1;
    return NG_OK;
}

static ng_status factor(ng_metric *metric, double damping) {
    sample_space *state = metric->state;
    size_t d = metric->problem->dim, N = state->N;
    (void)damping;
    for (size_t i = 0; i < N; i++) {
        if (!ngi_all_finite(d, state->S + i * d))
            return ngi_fail(metric->problem->ctx, NG_ENUMERIC,
                            "the metric is not finite");
    }
    make_definite(metric);
    NG_TRY(gram(metric));
    if (state->spectral)
        return factor_spectral(metric);
    for (size_t i = 0; i < N; i++)
        state->G[i * N + i] += 1;
    if (!ngi_cholesky(N, state->G))
        return ngi_fail(metric->problem->ctx, NG_ENUMERIC,
                        "the Gram matrix is not positive definite");
    return NG_OK;
}

/* t1 = (S S')^+ (S S' + damping I)^+ t */
static void pseudo_inverse_product(sample_space *state) {
    size_t N = state->N;
    double largest = fmax(fabs(state->w[0]), fabs(state->w[N - 1]));
    double cutoff = (double)N * DBL_EPSILON * largest;
    memset(state->t1, 0, N * sizeof *state->t1);
    for (size_t k = 0; k < N; k++) {
        const double *vector = state->G + k * N;
        if (state->w[k] <= cutoff)
            continue;
        ngi_axpy(N,
                 ngi_dot(N, vector, state->t) / state->w[k] /
                     (state->w[k] + state->damping),
                 vector, state->t1);
    }
}

static ng_status solve(ng_metric *metric, const double *g, double *d) {
    sample_space *state = metric->state;
    size_t dim = metric->problem->dim, N = state->N;
    NG_TRY(solve_diagonal(metric, g, state->v));
    ngi_gemm_nt(N, 1, dim, state->S, dim, state->v, dim, state->t, 1);
    if (state->spectral) {
        pseudo_inverse_product(state);
        memset(d, 0, dim * sizeof *d);
        ngi_gemm_tn(1, dim, N, state->t1, 1, state->S, dim, d, dim);
        return NG_OK;
    }
    ngi_cholesky_solve(N, state->G, state->t);
    memcpy(state->v, g, dim * sizeof *d);
    for (size_t i = 0; i < N; i++)
        ngi_axpy(dim, -state->t[i], state->S + i * dim, state->v);
    return solve_diagonal(metric, state->v, d);
}

static ng_status product(ng_metric *metric, const double *v, double *out) {
    sample_space *state = metric->state;
    size_t d = metric->problem->dim, N = state->N;
    ngi_gemm_nt(N, 1, d, state->S, d, v, d, state->t1, 1);
    memset(out, 0, d * sizeof *out);
    ngi_gemm_tn(1, d, N, state->t1, 1, state->S, d, out, d);
    return NG_OK;
}

const ng_metric_ops ngi_metric_sample_space = {
    .name = "sample-space",
    .create = create,
    .update = update,
    .factor = factor,
    .solve = solve,
    .product = product,
    .destroy = destroy,
};
