/* EKFAC (George et al. 2018): K-FAC's eigenvectors, but along them the second
 * moments S of the gradient itself, which of all diagonals in that basis is
 * nearest to F:
 *
 *   d = U_G' ((U_G V U_A') / (S + damping)) U_A, eigenvectors being rows.
 *
 * The bases are dear and made beside the training at every fifth refresh; S is
 * cheap and follows every collection. A new basis begins with K-FAC's own
 * moments, the products of the factors' eigenvalues. Convolutions take the
 * squares of each example's gradient exactly, the sum over its positions. */
#include "layerwise/factors.h"
#include "layerwise/rows.h"

#include <math.h>
#include <string.h>

enum { REFRESHES = 5 }; /* with new statistics, that a basis lasts */

typedef struct ekfac {
    factors factors;
    /* Eigenvectors by row, laid out like the factors, and moments in their
     * basis, dim: those in use and those being made. */
    real *basis, *next_basis, *moments, *next_moments;
    real *middle, *middle2; /* dim each */
    real *squares;          /* (U_G g)^2 summed over draws, block by block */
    size_t *square;         /* where a block's begin */
    size_t *owner;          /* who collects a block's moments */
    real *work;             /* of each worker and of what runs beside them */
    size_t work_size;
    double damping, next_damping;
    bool ready;           /* there is a basis */
    bool pending, remade; /* a refresh, with a new basis */
    bool fresh;           /* statistics have come since the last refresh */
    uint64_t age;         /* refreshes of the basis */
    ngi_background *background;
} ekfac;

/* ---- Memory ---------------------------------------------------------------
 */

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static size_t groups_of(const ng_layer *layer) {
    return layer->kind == NG_LAYER_CONV ? layer->groups : 1;
}

/* Does an example's gradient sum over several positions? */
static bool summed(const ng_layer *layer) {
    return layer->kind == NG_LAYER_CONV && ngi_shape_positions(&layer->out) > 1;
}

typedef struct extent {
    size_t squares, work;
} extent;

static extent measure(const ngi_architecture *a, size_t rows) {
    extent x = {0};
    for (size_t l = 0; l < a->layers; l++) {
        const ng_layer *layer = &a->layer[l];
        size_t m = layer->columns, n = layer->rows / groups_of(layer);
        size_t eigen;
        if (!layer->parameters || layer->kind == NG_LAYER_LAYER_NORM)
            continue;
        if (layer->kind == NG_LAYER_EMBEDDING) {
            x.work = larger(x.work, rows * layer->in.channels * m);
            eigen = m;
        } else {
            x.work =
                larger(x.work, summed(layer) ? 2 * m * n : rows * larger(m, n));
            x.squares += summed(layer) ? 0 : groups_of(layer) * rows * n;
            eigen = larger(m, n);
        }
        x.work = larger(x.work, NR(eigen_work)(eigen) + m + layer->rows);
    }
    return x;
}

static double memory(const ngi_architecture *a, const ng_train_options *options,
                     size_t rows) {
    extent x = measure(a, rows);
    return NR(factors_memory)(a, options, rows) +
           2 * NR(factors_memory)(a, options, 0) +
           sizeof(real) * (4 * (double)a->dim + (double)x.squares +
                           (double)x.work * ((double)ngi_threads(a->ctx) + 1));
}

static void destroy(metric *m) {
    ekfac *k = m->state;
    if (!k)
        return;
    ngi_background_destroy(&k->background);
    ngi_free(m->ctx, k->basis);
    ngi_free(m->ctx, k->next_basis);
    ngi_free(m->ctx, k->moments);
    ngi_free(m->ctx, k->next_moments);
    ngi_free(m->ctx, k->middle);
    ngi_free(m->ctx, k->squares);
    ngi_free(m->ctx, k->square);
    ngi_free(m->ctx, k->work);
    NR(factors_destroy)(m, &k->factors);
    ngi_free(m->ctx, k);
    m->state = NULL;
}

/* Where the squares of each block begin, and to each block the worker that has
 * the least to do so far. */
static void share_work(metric *m, ekfac *k) {
    const ngi_architecture *a = m->engine->architecture;
    size_t next = 0;
    for (size_t i = 0; i < k->factors.blocks; i++) {
        const block *b = &k->factors.block[i];
        double least = HUGE_VAL;
        k->square[i] = next;
        if (b->kind == BLOCK_KRONECKER && !summed(&a->layer[b->layer]))
            next += m->rows * b->g;
        for (size_t w = 0; w < m->engine->workers; w++) {
            double load = 0;
            for (size_t j = 0; j < i; j++) {
                const block *other = &k->factors.block[j];
                double size = (double)(other->a + other->g);
                load += k->owner[j] == w ? size * size : 0;
            }
            if (load < least) {
                least = load;
                k->owner[i] = w;
            }
        }
    }
}

static ng_status create(metric *m) {
    ng_status status;
    size_t dim = m->engine->dim;
    extent x = measure(m->engine->architecture, m->rows);
    ekfac *k = ngi_alloc(m->ctx, 1, sizeof *k);
    if (!k)
        return NG_ENOMEM;
    m->state = k;
    NG_TRY_GOTO(NR(factors_create)(m, &k->factors));
    k->basis = ngi_alloc(m->ctx, k->factors.size, sizeof(real));
    k->next_basis = ngi_alloc(m->ctx, k->factors.size, sizeof(real));
    k->moments = ngi_alloc(m->ctx, dim, sizeof(real));
    k->next_moments = ngi_alloc(m->ctx, dim, sizeof(real));
    k->middle = ngi_alloc(m->ctx, 2 * dim, sizeof(real));
    k->squares = ngi_alloc(m->ctx, x.squares, sizeof(real));
    k->square = ngi_alloc(m->ctx, 2 * k->factors.blocks, sizeof(size_t));
    k->work =
        ngi_alloc(m->ctx, x.work * (m->engine->workers + 1), sizeof(real));
    status = NG_ENOMEM;
    if (!k->basis || !k->next_basis || !k->moments || !k->next_moments ||
        !k->middle || !k->squares || !k->square || !k->work)
        goto fail;
    k->middle2 = k->middle + dim;
    k->owner = k->square + k->factors.blocks;
    k->work_size = x.work;
    share_work(m, k);
    NG_TRY_GOTO(
        ngi_background_create(m->ctx, m->engine->workers > 1, &k->background));
    return NG_OK;
fail:
    destroy(m);
    return status;
}

/* ---- Collecting -----------------------------------------------------------
 */

static real *basis_of(real *basis, const ekfac *k, const real *factor) {
    return basis + (factor - k->factors.memory);
}

/* What one worker adds to the moments of one block. */
typedef struct site {
    const engine *e;
    const ekfac *k;
    const block *b;
    const collection *c;
    const real *A, *G; /* eigenvectors */
    real *S, *work, *squares;
    real fresh;
} site;

static capture captured(const site *s, size_t worker) {
    const block *b = s->b;
    const ng_layer *layer = &s->e->architecture->layer[b->layer];
    capture out;
    NR(layer_ops)
    (layer->kind)
        ->capture(s->e->pass[worker], b->layer, b->group, 0,
                  s->c->count[worker], &out);
    return out;
}

/* One position: E[(U_G g)^2 (U_A a)^2'], where a is the same in all draws. */
static void add_products(const site *s) {
    const block *b = s->b;
    size_t at = 0;
    bool last = s->c->draw + 1 == s->c->draws;
    if (s->c->draw == 0)
        memset(s->squares, 0, s->c->total * b->g * sizeof(real));
    for (size_t w = 0; w < s->e->workers; w++) {
        size_t rows = s->c->count[w];
        real *squares = s->squares + at * b->g;
        if (rows == 0)
            continue;
        at += rows;
        capture in = captured(s, w);
        NR(gemm_nt)
        (rows, b->g, b->g, 1, in.g, in.ldg, s->G, b->g, 0, s->work, b->g);
        NR(add_squares)(rows * b->g, 1, s->work, squares);
        if (!last)
            continue;
        NR(gemm_nt)
        (rows, b->a, b->a, 1, in.a, in.lda, s->A, b->a, 0, s->work, b->a);
        for (size_t j = 0; j < rows * b->a; j++)
            s->work[j] *= s->work[j];
        NR(gemm_tn)
        (b->g, b->a, rows, s->fresh, squares, b->g, s->work, b->a, 1, s->S,
         b->a);
    }
}

/* Several: the projected gradient of each example, squared. */
static void add_sums(const site *s) {
    const block *b = s->b;
    real *V = s->work, *VA = s->work + b->a * b->g;
    for (size_t w = 0; w < s->e->workers; w++) {
        if (s->c->count[w] == 0)
            continue;
        capture in = captured(s, w);
        for (size_t i = 0; i < in.rows; i += in.positions) {
            NR(gemm_tn)
            (b->g, b->a, in.positions, 1, in.g + i * in.ldg, in.ldg,
             in.a + i * in.lda, in.lda, 0, V, b->a);
            NR(gemm_nt)(b->g, b->a, b->a, 1, V, b->a, s->A, b->a, 0, VA, b->a);
            NR(gemm_nn)(b->g, b->a, b->g, 1, s->G, b->g, VA, b->a, 0, V, b->a);
            NR(add_squares)(b->g * b->a, s->fresh, V, s->S);
        }
    }
}

static void add_table(const site *s) {
    const block *b = s->b;
    size_t indices = s->e->architecture->layer[b->layer].in.channels;
    size_t ld = indices * b->g;
    for (size_t w = 0; w < s->e->workers; w++) {
        const real *u = s->e->pass[w]->delta[b->layer + 1];
        if (s->c->count[w] == 0)
            continue;
        for (size_t t = 0; t < indices; t++)
            NR(gemm_nt)
        (s->c->count[w], b->g, b->g, 1, u + t * b->g, ld + 1, s->G, b->g, 0,
         s->work + t * b->g, ld);
        NR(table_squares)
        (s->e, w, b->layer, s->c->count[w], s->work, s->fresh, s->S);
    }
}

static void collect_moments(metric *m, size_t i, const collection *c,
                            size_t worker) {
    ekfac *k = m->state;
    const block *b = &k->factors.block[i];
    const ng_layer *layer = &m->engine->architecture->layer[b->layer];
    site s = {.e = m->engine,
              .k = k,
              .b = b,
              .c = c,
              .A = basis_of(k->basis, k, b->A),
              .G = basis_of(k->basis, k, b->G),
              .S = k->moments + b->parameter,
              .work = k->work + worker * k->work_size,
              .squares = k->squares + k->square[i],
              .fresh = (real)((1 - c->decay) / (double)c->total * c->weight)};
    if (c->draw == 0)
        NR(axpby)(b->a * b->g, (real)c->decay, s.S, 0, s.S);
    if (b->kind == BLOCK_TABLE)
        add_table(&s);
    else if (summed(layer))
        add_sums(&s);
    else
        add_products(&s);
}

static void collect(metric *m, const collection *c, size_t worker) {
    ekfac *k = m->state;
    NR(factors_collect)(m, &k->factors, c, worker);
    for (size_t i = 0; k->ready && i < k->factors.blocks; i++)
        if (k->owner[i] == worker && k->factors.block[i].kind != BLOCK_DIAGONAL)
            collect_moments(m, i, c, worker);
    if (worker == 0)
        k->fresh = true;
}

/* ---- Bases ----------------------------------------------------------------
 */

/* Eigenvectors in the rows of S, eigenvalues in w, none below 0; where they are
 * not found the axes themselves. */
static void diagonalise(size_t n, real *S, real *w, real *diagonal,
                        real *work) {
    for (size_t i = 0; i < n; i++)
        diagonal[i] = S[i * (n + 1)];
    if (!NR(eigen)(n, S, w, work)) {
        memset(S, 0, n * n * sizeof *S);
        for (size_t i = 0; i < n; i++)
            S[i * (n + 1)] = 1;
        memcpy(w, diagonal, n * sizeof *w);
    }
    for (size_t i = 0; i < n; i++)
        w[i] = w[i] > 0 ? w[i] : 0;
}

/* `work`: eigenvalues of both factors, then what the search for them takes. */
static void make_basis(const ekfac *k, const block *b, real *work) {
    real *A = basis_of(k->next_basis, k, b->A);
    real *G = basis_of(k->next_basis, k, b->G);
    real *S = k->next_moments + b->parameter;
    real *wg = work, *wa = wg + b->g, *rest = wa + b->a;
    diagonalise(b->g, G, wg, S, rest);
    if (b->kind == BLOCK_TABLE) {
        for (size_t j = 0; j < b->a; j++)
            for (size_t i = 0; i < b->g; i++)
                S[j * b->g + i] = A[j] * wg[i];
        return;
    }
    diagonalise(b->a, A, wa, S, rest);
    for (size_t i = 0; i < b->g; i++)
        for (size_t j = 0; j < b->a; j++)
            S[i * b->a + j] = wg[i] * wa[j];
}

static void make_share(const ekfac *k, size_t worker, size_t workers,
                       real *work) {
    for (size_t i = 0; i < k->factors.blocks; i++) {
        const block *b = &k->factors.block[i];
        if (b->kind != BLOCK_DIAGONAL && b->inverse_worker % workers == worker)
            make_basis(k, b, work);
    }
}

/* The workers' own space is theirs for collections meanwhile. */
static void make_beside(void *user) {
    const metric *m = user;
    const ekfac *k = m->state;
    make_share(k, 0, 1, k->work + m->engine->workers * k->work_size);
}

static void make_worker(void *user, size_t worker) {
    const metric *m = user;
    const ekfac *k = m->state;
    make_share(k, worker, m->engine->workers, k->work + worker * k->work_size);
}

static void refresh(metric *m, double damping, bool beside) {
    ekfac *k = m->state;
    ngi_background_wait(k->background);
    bool waiting = k->pending && k->remade;
    k->next_damping = damping;
    k->pending = true;
    k->age += k->fresh;
    k->fresh = false;
    k->remade = waiting || !k->ready || k->age >= REFRESHES;
    if (!k->remade || waiting)
        return;
    k->age = 0;
    memcpy(k->next_basis, k->factors.memory, k->factors.size * sizeof(real));
    if (beside)
        ngi_background_start(k->background, make_beside, m);
    else
        ngi_parallel(m->ctx, make_worker, m);
}

static void exchange(real **a, real **b) {
    real *c = *a;
    *a = *b;
    *b = c;
}

static void adopt(metric *m) {
    ekfac *k = m->state;
    if (!k->pending)
        return;
    ngi_background_wait(k->background);
    k->damping = k->next_damping;
    if (k->remade) {
        exchange(&k->basis, &k->next_basis);
        exchange(&k->moments, &k->next_moments);
        k->ready = true;
    }
    k->pending = k->remade = false;
}

/* ---- Solve ----------------------------------------------------------------
 */

typedef struct solving {
    const metric *m;
    const real *g;
    real *d;
} solving;

NGI_VECTOR static void divide(size_t n, real damping, const real *S,
                              const real *v, real *out) {
    for (size_t i = 0; i < n; i++)
        out[i] = v[i] / (S[i] + damping);
}

/* A block's share of a solve. */
typedef struct slab {
    const block *b;
    const real *A, *G;
    size_t first, count; /* rows of the weights */
    size_t at;           /* in theta */
} slab;

static slab slab_of(const solving *s, const block *b, size_t worker) {
    const ekfac *k = s->m->state;
    size_t rows = b->kind == BLOCK_KRONECKER ? b->g : b->a, end;
    size_t width = b->kind == BLOCK_DIAGONAL ? 1
                   : b->kind == BLOCK_TABLE  ? b->g
                                             : b->a;
    slab t = {.b = b,
              .A = basis_of(k->basis, k, b->A),
              .G = basis_of(k->basis, k, b->G)};
    engine_share(rows, worker, s->m->engine->workers, &t.first, &end);
    t.count = end - t.first;
    t.at = b->parameter + t.first * width;
    return t;
}

/* Rows of an embedding's table do not wait for each other. */
static void solve_table(const solving *s, const slab *t) {
    const ekfac *k = s->m->state;
    size_t g = t->b->g;
    real *V = k->middle + t->at;
    NR(gemm_nt)(t->count, g, g, 1, s->g + t->at, g, t->G, g, 0, V, g);
    divide(t->count * g, (real)k->damping, k->moments + t->at, V, V);
    NR(gemm_nn)(t->count, g, g, 1, V, g, t->G, g, 0, s->d + t->at, g);
}

/* V U_A' */
static void solve_first(void *user, size_t worker) {
    const solving *s = user;
    const ekfac *k = s->m->state;
    for (size_t i = 0; i < k->factors.blocks; i++) {
        const block *b = &k->factors.block[i];
        slab t = slab_of(s, b, worker);
        if (b->kind == BLOCK_DIAGONAL)
            divide(t.count, (real)k->damping, b->A + t.first, s->g + t.at,
                   s->d + t.at);
        else if (b->kind == BLOCK_TABLE)
            solve_table(s, &t);
        else
            NR(gemm_nt)
        (t.count, b->a, b->a, 1, s->g + t.at, b->a, t.A, b->a, 0,
         k->middle + t.at, b->a);
    }
}

/* U_G of that, divided, and on to U_A */
static void solve_second(void *user, size_t worker) {
    const solving *s = user;
    const ekfac *k = s->m->state;
    for (size_t i = 0; i < k->factors.blocks; i++) {
        const block *b = &k->factors.block[i];
        slab t = slab_of(s, b, worker);
        real *V = s->d + t.at;
        if (b->kind != BLOCK_KRONECKER)
            continue;
        NR(gemm_nn)
        (t.count, b->a, b->g, 1, t.G + t.first * b->g, b->g,
         k->middle + b->parameter, b->a, 0, V, b->a);
        divide(t.count * b->a, (real)k->damping, k->moments + t.at, V, V);
        NR(gemm_nn)
        (t.count, b->a, b->a, 1, V, b->a, t.A, b->a, 0, k->middle2 + t.at,
         b->a);
    }
}

/* U_G' of that */
static void solve_third(void *user, size_t worker) {
    const solving *s = user;
    const ekfac *k = s->m->state;
    for (size_t i = 0; i < k->factors.blocks; i++) {
        const block *b = &k->factors.block[i];
        slab t = slab_of(s, b, worker);
        if (b->kind == BLOCK_KRONECKER)
            NR(gemm_tn)
        (t.count, b->a, b->g, 1, t.G + t.first, b->g, k->middle2 + b->parameter,
         b->a, 0, s->d + t.at, b->a);
    }
}

static ng_status solve(metric *m, const real *g, real *d) {
    solving s = {m, g, d};
    ngi_parallel(m->ctx, solve_first, &s);
    ngi_parallel(m->ctx, solve_second, &s);
    ngi_parallel(m->ctx, solve_third, &s);
    return NG_OK;
}

static ng_status visit_state(metric *m, int loading, ng_train_visitor visit,
                             void *user) {
    ekfac *k = m->state;
    size_t dim = m->engine->dim;
    uint64_t flags[] = {k->ready, k->pending, k->remade, k->fresh, k->age};
    double damping[] = {k->damping, k->next_damping};
    ngi_background_wait(k->background);
    NG_TRY(NR(factors_visit)(&k->factors, visit, user));
    NG_TRY(visit(user, "basis_flags", 'u', 5, flags));
    NG_TRY(visit(user, "basis_damping", 'd', 2, damping));
    NG_TRY(visit(user, "basis", 'r', k->factors.size, k->basis));
    NG_TRY(visit(user, "moments", 'r', dim, k->moments));
    if (loading) {
        k->ready = flags[0] != 0;
        k->pending = flags[1] != 0;
        k->remade = flags[2] != 0;
        k->fresh = flags[3] != 0;
        k->age = flags[4];
        k->damping = damping[0];
        k->next_damping = damping[1];
    }
    if (!k->remade)
        return NG_OK;
    NG_TRY(visit(user, "basis_next", 'r', k->factors.size, k->next_basis));
    return visit(user, "moments_next", 'r', dim, k->next_moments);
}

const metric_ops NR(ekfac) = {
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
