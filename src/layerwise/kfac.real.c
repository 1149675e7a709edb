/* K-FAC: d = G^-1 V A^-1 with damped factors, inverted beside the training. */
#include "layerwise/factors.h"

#include <math.h>
#include <string.h>

typedef struct kfac {
    factors factors;
    /* The damped inverses in use and those being made, laid out like the
     * factors; full symmetric matrices. */
    real *inverse, *next;
    real *middle; /* V A^-1, all layers */
    double gamma; /* of the pending refresh */
    bool pending;
    ngi_background *background;
} kfac;

static double memory(const ngi_architecture *a, const ng_train_options *options,
                     size_t rows) {
    double one = NR(factors_memory)(a, options, rows);
    return 3 * one + (double)a->dim * sizeof(real);
}

static void destroy(metric *m) {
    kfac *k = m->state;
    if (!k)
        return;
    ngi_background_destroy(&k->background);
    ngi_free(m->ctx, k->inverse);
    ngi_free(m->ctx, k->next);
    ngi_free(m->ctx, k->middle);
    NR(factors_destroy)(m, &k->factors);
    ngi_free(m->ctx, k);
    m->state = NULL;
}

static ng_status create(metric *m) {
    ng_status status;
    kfac *k = ngi_alloc(m->ctx, 1, sizeof *k);
    if (!k)
        return NG_ENOMEM;
    m->state = k;
    NG_TRY_GOTO(NR(factors_create)(m, &k->factors));
    k->inverse = ngi_alloc(m->ctx, k->factors.size, sizeof(real));
    k->next = ngi_alloc(m->ctx, k->factors.size, sizeof(real));
    k->middle = ngi_alloc(m->ctx, m->engine->dim, sizeof(real));
    status = NG_ENOMEM;
    if (!k->inverse || !k->next || !k->middle)
        goto fail;
    NG_TRY_GOTO(
        ngi_background_create(m->ctx, m->engine->workers > 1, &k->background));
    return NG_OK;
fail:
    destroy(m);
    return status;
}

static void collect(metric *m, const collection *c, size_t worker) {
    kfac *k = m->state;
    NR(factors_collect)(m, &k->factors, c, worker);
}

/* ---- Inverses -------------------------------------------------------------
 */

static void invert_block(const kfac *k, const block *b, real *A, real *G) {
    if (b->kind == BLOCK_DIAGONAL) {
        for (size_t j = 0; j < b->a; j++)
            A[j] = 1 / (A[j] + (real)(k->gamma * k->gamma));
        return;
    }
    block copy = *b; /* pi of what was copied, not of what has come since */
    copy.A = A;
    copy.G = G;
    double pi = NR(factors_pi)(&copy);
    if (b->kind == BLOCK_KRONECKER)
        NR(invert_damped)(b->a, A, pi * k->gamma);
    else
        for (size_t j = 0; j < b->a; j++)
            A[j] = 1 / (A[j] + (real)(pi * k->gamma));
    NR(invert_damped)(b->g, G, k->gamma / pi);
}

/* Factor by factor would balance better; blocks are what has a pi. */
static void invert_share(kfac *k, size_t worker, size_t workers) {
    for (size_t i = 0; i < k->factors.blocks; i++) {
        const block *b = &k->factors.block[i];
        if (b->inverse_worker % workers == worker)
            invert_block(k, b, k->next + (b->A - k->factors.memory),
                         k->next + (b->G - k->factors.memory));
    }
}

static void invert_all(void *user) {
    invert_share(user, 0, 1);
}

static void invert_worker(void *user, size_t worker) {
    const metric *m = user;
    invert_share(m->state, worker, m->engine->workers);
}

static void refresh(metric *m, double damping, bool beside) {
    kfac *k = m->state;
    ngi_background_wait(k->background);
    memcpy(k->next, k->factors.memory, k->factors.size * sizeof(real));
    k->gamma = sqrt(damping);
    k->pending = true;
    if (beside)
        ngi_background_start(k->background, invert_all, k);
    else
        ngi_parallel(m->ctx, invert_worker, m);
}

static void adopt(metric *m) {
    kfac *k = m->state;
    if (!k->pending)
        return;
    ngi_background_wait(k->background);
    real *old = k->inverse;
    k->inverse = k->next;
    k->next = old;
    k->pending = false;
}

/* ---- Solve ----------------------------------------------------------------
 */

typedef struct solving {
    const metric *m;
    const real *g;
    real *d;
} solving;

static const real *inverse_of(const kfac *k, const real *factor) {
    return k->inverse + (factor - k->factors.memory);
}

/* Each worker takes a slab of every layer: rows of V A^-1, then, when all are
 * done, rows of G^-1 (V A^-1). */
static void solve_inputs(void *user, size_t worker) {
    const solving *s = user;
    const kfac *k = s->m->state;
    for (size_t i = 0; i < k->factors.blocks; i++) {
        const block *b = &k->factors.block[i];
        const real *A = inverse_of(k, b->A);
        const real *V = s->g + b->parameter;
        real *out = k->middle + b->parameter;
        size_t first, end;
        if (b->kind == BLOCK_DIAGONAL) {
            engine_share(b->a, worker, s->m->engine->workers, &first, &end);
            for (size_t j = first; j < end; j++)
                s->d[b->parameter + j] = A[j] * V[j];
        } else if (b->kind == BLOCK_TABLE) {
            engine_share(b->a, worker, s->m->engine->workers, &first, &end);
            for (size_t j = first; j < end; j++)
                NR(axpby)(b->g, A[j], V + j * b->g, 0, out + j * b->g);
        } else {
            engine_share(b->g, worker, s->m->engine->workers, &first, &end);
            NR(gemm_nn)
            (end - first, b->a, b->a, 1, V + first * b->a, b->a, A, b->a, 0,
             out + first * b->a, b->a);
        }
    }
}

static void solve_outputs(void *user, size_t worker) {
    const solving *s = user;
    const kfac *k = s->m->state;
    for (size_t i = 0; i < k->factors.blocks; i++) {
        const block *b = &k->factors.block[i];
        const real *G = inverse_of(k, b->G);
        const real *V = k->middle + b->parameter;
        real *out = s->d + b->parameter;
        size_t first, end;
        if (b->kind == BLOCK_TABLE) {
            engine_share(b->a, worker, s->m->engine->workers, &first, &end);
            NR(gemm_nn)
            (end - first, b->g, b->g, 1, V + first * b->g, b->g, G, b->g, 0,
             out + first * b->g, b->g);
        } else if (b->kind == BLOCK_KRONECKER) {
            engine_share(b->g, worker, s->m->engine->workers, &first, &end);
            NR(gemm_nn)
            (end - first, b->a, b->g, 1, G + first * b->g, b->g, V, b->a, 0,
             out + first * b->a, b->a);
        }
    }
}

static ng_status solve(metric *m, const real *g, real *d) {
    solving s = {m, g, d};
    ngi_parallel(m->ctx, solve_inputs, &s);
    ngi_parallel(m->ctx, solve_outputs, &s);
    return NG_OK;
}

static ng_status visit_state(metric *m, int loading, ng_train_visitor visit,
                             void *user) {
    kfac *k = m->state;
    uint64_t pending = k->pending;
    ngi_background_wait(k->background);
    NG_TRY(NR(factors_visit)(&k->factors, visit, user));
    NG_TRY(visit(user, "inverse", 'r', k->factors.size, k->inverse));
    NG_TRY(visit(user, "inverse_pending", 'u', 1, &pending));
    if (loading)
        k->pending = pending != 0;
    if (k->pending)
        NG_TRY(visit(user, "inverse_next", 'r', k->factors.size, k->next));
    return NG_OK;
}

const metric_ops NR(kfac) = {
    .memory = memory,
    .create = create,
    .destroy = destroy,
    .collect = collect,
    .refresh = refresh,
    .adopt = adopt,
    .solve = solve,
    .visit = visit_state,
    .steady = true,
};
