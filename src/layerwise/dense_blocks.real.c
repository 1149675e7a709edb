#include "layerwise/dense_blocks.h"

#include <math.h>
#include <string.h>

enum { CHUNK = 64 }; /* examples whose gradients are held at once */

/* What a list of blocks takes: in double, for it may not fit a size_t. */
typedef struct extent {
    size_t blocks, widest;
    double squares;
} extent;

static extent measure(const ngi_architecture *a, bool whole) {
    extent x = {0};
    if (whole)
        return (extent){1, a->dim, (double)a->dim * (double)a->dim};
    for (size_t l = 0; l < a->layers; l++) {
        size_t n = a->layer[l].parameters;
        x.blocks += n > 0;
        x.widest = n > x.widest ? n : x.widest;
        x.squares += (double)n * (double)n;
    }
    return x;
}

double NR(dense_blocks_memory)(const ngi_architecture *a, bool whole) {
    extent x = measure(a, whole);
    return sizeof(real) * (2 * x.squares + CHUNK * (double)x.widest *
                                               (double)ngi_threads(a->ctx));
}

void NR(dense_blocks_destroy)(metric *m) {
    dense_blocks *s = m->state;
    if (!s)
        return;
    ngi_free(m->ctx, s->block);
    ngi_free(m->ctx, s->memory);
    ngi_free(m->ctx, s->rows);
    ngi_free(m->ctx, s);
    m->state = NULL;
}

static void lay_out(const metric *m, dense_blocks *s, bool whole) {
    const ngi_architecture *a = m->engine->architecture;
    real *next = s->memory;
    size_t i = 0;
    if (whole)
        s->block[0] = (dense_block){.layers = a->layers, .size = a->dim};
    for (size_t l = 0; !whole && l < a->layers; l++)
        if (a->layer[l].parameters)
            s->block[i++] = (dense_block){.layer = l,
                                          .layers = 1,
                                          .parameter = a->layer[l].parameter,
                                          .size = a->layer[l].parameters};
    for (i = 0; i < s->blocks; i++) {
        dense_block *b = &s->block[i];
        b->F = next;
        b->L = s->memory + s->size + (next - s->memory);
        next += b->size * b->size;
    }
}

/* To each block the worker that has the least to factor so far. */
static void share_work(const metric *m, dense_blocks *s) {
    for (size_t i = 0; i < s->blocks; i++) {
        double least = HUGE_VAL;
        for (size_t w = 0; w < m->engine->workers; w++) {
            double load = 0;
            for (size_t j = 0; j < i; j++)
                load += s->block[j].worker == w
                            ? pow((double)s->block[j].size, 3)
                            : 0;
            if (load < least) {
                least = load;
                s->block[i].worker = w;
            }
        }
    }
}

ng_status NR(dense_blocks_create)(metric *m, bool whole) {
    extent x = measure(m->engine->architecture, whole);
    if (2 * x.squares * sizeof(real) > 0.5 * (double)SIZE_MAX)
        return ngi_fail_memory(m->ctx);
    dense_blocks *s = ngi_alloc(m->ctx, 1, sizeof *s);
    if (!s)
        return NG_ENOMEM;
    m->state = s;
    s->blocks = x.blocks;
    s->widest = x.widest;
    s->size = 0;
    for (size_t l = 0; l < m->engine->architecture->layers; l++) {
        size_t n = m->engine->architecture->layer[l].parameters;
        s->size += n * n;
    }
    if (whole)
        s->size = x.widest * x.widest;
    s->block = ngi_alloc(m->ctx, s->blocks, sizeof *s->block);
    s->memory = ngi_alloc(m->ctx, 2 * s->size, sizeof(real));
    s->rows =
        ngi_alloc(m->ctx, s->widest * CHUNK * m->engine->workers, sizeof(real));
    if (!s->block || !s->memory || !s->rows) {
        NR(dense_blocks_destroy)(m);
        return NG_ENOMEM;
    }
    lay_out(m, s, whole);
    share_work(m, s);
    return NG_OK;
}

/* ---- Collecting -----------------------------------------------------------
 */

/* Each worker makes the gradients for itself: they cost the square root of
 * what their products do. */
static void collect_block(metric *m, const dense_block *b, const collection *c,
                          size_t worker) {
    const engine *e = m->engine;
    const dense_blocks *s = m->state;
    real *R = s->rows + worker * CHUNK * s->widest;
    real scale = (real)((1 - c->decay) / (double)c->total * c->weight);
    real keep = c->draw == 0 ? (real)c->decay : 1;
    size_t n = b->size, first = NR(triangle_share)(n, worker, e->workers);
    size_t count = NR(triangle_share)(n, worker + 1, e->workers) - first;
    real *F = b->F + first * n;
    for (size_t w = 0; w < e->workers && count; w++)
        for (size_t at = 0; at < c->count[w]; at += CHUNK) {
            size_t rows = c->count[w] - at < CHUNK ? c->count[w] - at : CHUNK;
            for (size_t i = 0; i < rows; i++)
                NR(example_gradient)
            (e, w, at + i, b->layer, b->layers, b->parameter, n, R + i * n);
            NR(gemm_tn)
            (count, first, rows, scale, R + first, n, R, n, keep, F, n);
            NR(syrk_tn)(count, rows, scale, R + first, n, keep, F + first, n);
            keep = 1;
        }
}

void NR(dense_blocks_collect)(metric *m, const collection *c, size_t worker) {
    const dense_blocks *s = m->state;
    for (size_t i = 0; i < s->blocks; i++)
        collect_block(m, &s->block[i], c, worker);
}

/* ---- Factors and solves ---------------------------------------------------
 */

/* L L' = F + damping I, or, where rounding has made that indefinite, with the
 * least multiple of rounding that mends it. */
static void factor(const dense_block *b, double damping) {
    enum { MOST_TRIALS = 24 };
    size_t n = b->size;
    double trace = 0;
    for (size_t j = 0; j < n; j++)
        trace += (double)b->F[j * (n + 1)];
    double added = fmax(damping, REAL_EPSILON * trace);
    for (int trial = 0; trial < MOST_TRIALS; trial++, added *= 10) {
        memcpy(b->L, b->F, n * n * sizeof(real));
        for (size_t j = 0; j < n; j++)
            b->L[j * (n + 1)] += (real)added;
        if (NR(cholesky)(n, b->L))
            return;
    }
    /* Not a number: let the solution show it. */
    for (size_t j = 0; j < n; j++)
        b->L[j * (n + 1)] = (real)NAN;
}

static void factor_worker(void *user, size_t worker) {
    const metric *m = user;
    const dense_blocks *s = m->state;
    for (size_t i = 0; i < s->blocks; i++)
        if (s->block[i].worker == worker)
            factor(&s->block[i], s->damping);
}

void NR(dense_blocks_refresh)(metric *m, double damping, bool beside) {
    dense_blocks *s = m->state;
    (void)beside;
    s->damping = damping;
    ngi_parallel(m->ctx, factor_worker, m);
}

void NR(dense_blocks_adopt)(metric *m) {
    (void)m;
}

typedef struct solving {
    const metric *m;
    const real *g;
    real *d;
} solving;

static void solve_worker(void *user, size_t worker) {
    const solving *s = user;
    const dense_blocks *blocks = s->m->state;
    for (size_t i = 0; i < blocks->blocks; i++) {
        const dense_block *b = &blocks->block[i];
        if (b->worker != worker)
            continue;
        memcpy(s->d + b->parameter, s->g + b->parameter,
               b->size * sizeof(real));
        NR(cholesky_solve)(b->size, b->L, s->d + b->parameter);
    }
}

ng_status NR(dense_blocks_solve)(metric *m, const real *g, real *d) {
    solving s = {m, g, d};
    ngi_parallel(m->ctx, solve_worker, &s);
    return NG_OK;
}

ng_status NR(dense_blocks_visit)(metric *m, int loading, ng_train_visitor visit,
                                 void *user) {
    dense_blocks *s = m->state;
    (void)loading;
    NG_TRY(visit(user, "fisher", 'r', s->size, s->memory));
    return visit(user, "fisher_factor", 'r', s->size, s->memory + s->size);
}
