#include "metric/preconditioner.h"

#include "numerics/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum {
    LARGEST_BLOCK = 2048, /* 32 MB, and a second's work to factor */
    ROWS_EACH = 8         /* rows looked at for each parameter of a block */
};

static size_t block_memory(const ngi_preconditioner *p) {
    size_t total = 0;
    for (size_t b = 0; b < p->blocks; b++)
        total += p->size[b] * p->size[b];
    return total;
}

void ngi_preconditioner_destroy(ngi_preconditioner **pointer) {
    ngi_preconditioner *p = *pointer;
    if (!p)
        return;
    ng_ctx *ctx = p->problem->ctx;
    ngi_free(ctx, p->size);
    ngi_free(ctx, p->F);
    ngi_free(ctx, p->diagonal);
    ngi_free(ctx, p);
    *pointer = NULL;
}

static ng_status make_blocks(ngi_preconditioner *p) {
    ng_problem *problem = p->problem;
    size_t blocks = problem->ops->fisher_blocks
                        ? problem->ops->fisher_block_sizes(problem, NULL)
                        : 0;
    size_t largest = 0;
    p->size = ngi_alloc(problem->ctx, blocks + 1, sizeof *p->size);
    if (!p->size)
        return NG_ENOMEM;
    if (blocks)
        problem->ops->fisher_block_sizes(problem, p->size);
    for (size_t b = 0; b < blocks; b++)
        largest = p->size[b] > largest ? p->size[b] : largest;
    if (blocks == 0 || largest > LARGEST_BLOCK)
        return NG_OK;
    p->blocks = blocks;
    p->stride = problem->rows / (ROWS_EACH * largest);
    p->stride = p->stride ? p->stride : 1;
    size_t memory = block_memory(p);
    p->F = ngi_alloc(problem->ctx, 2 * memory, sizeof *p->F);
    p->factor = p->F ? p->F + memory : NULL;
    return p->F ? NG_OK : NG_ENOMEM;
}

ng_status ngi_preconditioner_create(ng_problem *problem,
                                    const ng_fisher *fisher,
                                    ngi_preconditioner **out) {
    *out = NULL;
    ngi_preconditioner *p = ngi_alloc(problem->ctx, 1, sizeof *p);
    if (!p)
        return NG_ENOMEM;
    p->problem = problem;
    ng_status status = make_blocks(p);
    if (status == NG_OK) {
        p->diagonal =
            ngi_alloc(problem->ctx, 2 * problem->dim, sizeof *p->diagonal);
        status = p->diagonal ? NG_OK : NG_ENOMEM;
    }
    if (status == NG_OK && p->blocks && problem->ops->reserve)
        status = problem->ops->reserve(problem, fisher, NG_RESERVE_BLOCKS);
    if (status != NG_OK) {
        ngi_preconditioner_destroy(&p);
        return status;
    }
    p->penalty = p->diagonal + problem->dim;
    if (problem->ops->penalty_diagonal)
        problem->ops->penalty_diagonal(problem, p->penalty);
    *out = p;
    return NG_OK;
}

ng_status ngi_preconditioner_update(ngi_preconditioner *p, const double *theta,
                                    const ng_fisher *fisher) {
    const ng_problem_ops *ops = p->problem->ops;
    if (p->blocks)
        return ops->fisher_blocks(p->problem, theta, fisher, p->stride, p->F);
    return ops->fisher_diagonal(p->problem, theta, fisher, p->diagonal);
}

/* Cholesky of F + P + damping; what is not positive definite, by rounding or
 * because the observed Fisher need not be, is lifted until it is. */
static void factor_block(size_t n, const double *F, const double *penalty,
                         double damping, double *factor) {
    double trace = 0;
    for (size_t i = 0; i < n; i++)
        trace += fabs(F[i * n + i]) + penalty[i];
    double lift = 0, first = DBL_EPSILON * (trace > 0 ? trace : 1);
    if (!isfinite(trace)) { /* the run is lost; let it say so itself */
        memset(factor, 0, n * n * sizeof *factor);
        for (size_t i = 0; i < n; i++)
            factor[i * n + i] = 1;
        return;
    }
    do {
        memcpy(factor, F, n * n * sizeof *F);
        for (size_t i = 0; i < n; i++)
            factor[i * n + i] += penalty[i] + damping + lift;
        lift = lift > 0 ? 10 * lift : first;
    } while (!ngi_cholesky(n, factor) && isfinite(lift));
}

void ngi_preconditioner_factor(ngi_preconditioner *p, double damping) {
    const double *F = p->F, *penalty = p->penalty;
    double *factor = p->factor;
    p->damping = damping;
    for (size_t b = 0; b < p->blocks; b++) {
        size_t n = p->size[b];
        factor_block(n, F, penalty, damping, factor);
        F += n * n;
        factor += n * n;
        penalty += n;
    }
}

void ngi_preconditioner_apply(const ngi_preconditioner *p, const double *r,
                              double *out) {
    size_t dim = p->problem->dim;
    if (p->blocks) {
        const double *factor = p->factor;
        double *part = out;
        memcpy(out, r, dim * sizeof *out);
        for (size_t b = 0; b < p->blocks; b++) {
            ngi_cholesky_solve(p->size[b], factor, part);
            factor += p->size[b] * p->size[b];
            part += p->size[b];
        }
        return;
    }
    for (size_t j = 0; j < dim; j++) {
        double entry = fabs(p->diagonal[j]) + p->penalty[j] + p->damping;
        out[j] = entry > 0 ? r[j] / entry : 0;
    }
}
