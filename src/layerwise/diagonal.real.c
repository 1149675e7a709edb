/* The diagonal of F: running averages of the squares of single examples'
 * gradients. */
#include "layerwise/rows.h"

#include <string.h>

typedef struct diagonal {
    real *D;    /* dim */
    real *work; /* for each worker */
    size_t work_size;
    double damping;
} diagonal;

/* Squares of inputs and of a share of the gradients (one position), an
 * example's gradient (several), what an embedding's indices contribute. */
static size_t work_of(const ng_layer *layer, size_t rows) {
    if (layer->kind == NG_LAYER_EMBEDDING)
        return rows * layer->in.channels * layer->columns;
    size_t dense = rows * (layer->columns + layer->rows);
    return dense > layer->parameters ? dense : layer->parameters;
}

static size_t measure(const ngi_architecture *a, size_t rows) {
    size_t most = 0;
    for (size_t l = 0; l < a->layers; l++) {
        size_t size = a->layer[l].parameters ? work_of(&a->layer[l], rows) : 0;
        most = size > most ? size : most;
    }
    return most;
}

static double memory(const ngi_architecture *a, const ng_train_options *options,
                     size_t rows) {
    (void)options;
    return sizeof(real) * ((double)a->dim + (double)measure(a, rows) *
                                                (double)ngi_threads(a->ctx));
}

static void destroy(metric *m) {
    diagonal *s = m->state;
    if (!s)
        return;
    ngi_free(m->ctx, s->D);
    ngi_free(m->ctx, s->work);
    ngi_free(m->ctx, s);
    m->state = NULL;
}

static ng_status create(metric *m) {
    diagonal *s = ngi_alloc(m->ctx, 1, sizeof *s);
    if (!s)
        return NG_ENOMEM;
    m->state = s;
    s->work_size = measure(m->engine->architecture, m->rows);
    s->D = ngi_alloc(m->ctx, m->engine->dim, sizeof *s->D);
    s->work =
        ngi_alloc(m->ctx, s->work_size * m->engine->workers, sizeof *s->work);
    if (!s->D || !s->work) {
        destroy(m);
        return NG_ENOMEM;
    }
    return NG_OK;
}

/* ---- Collecting -----------------------------------------------------------
 */

/* What a worker adds to one layer. */
typedef struct site {
    const engine *e;
    const collection *c;
    size_t layer, worker;
    real *D; /* of the layer */
    real *work;
    real scale;
} site;

NGI_VECTOR static void square(size_t n, const real *x, real *out) {
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] * x[i];
}

/* One position: sum of (g^2)' a^2, a product of matrices. */
static void add_products(const site *s, const capture *in, size_t first,
                         size_t count, real *D, size_t columns) {
    real *a = s->work, *g = s->work + in->rows * columns;
    for (size_t i = 0; i < in->rows; i++) {
        square(columns, in->a + i * in->lda, a + i * columns);
        square(count, in->g + i * in->ldg + first, g + i * count);
    }
    NR(gemm_tn)
    (count, columns, in->rows, s->scale, g, count, a, columns, 1,
     D + first * columns, columns);
}

/* Several: the squares of each example's sum over them. */
static void add_sums(const site *s, const capture *in, size_t first,
                     size_t count, real *D, size_t columns) {
    size_t step = in->positions;
    for (size_t i = 0; i < in->rows; i += step) {
        NR(gemm_tn)
        (count, columns, step, 1, in->g + i * in->ldg + first, in->ldg,
         in->a + i * in->lda, in->lda, 0, s->work, columns);
        NR(add_squares)
        (count * columns, s->scale, s->work, D + first * columns);
    }
}

/* A worker has a share of the outputs of each group. */
static void add_captured(const site *s, const ng_layer *layer,
                         const layer_ops *ops) {
    size_t groups = layer->kind == NG_LAYER_CONV ? layer->groups : 1;
    size_t rows = layer->rows / groups, first, end;
    engine_share(rows, s->worker, s->e->workers, &first, &end);
    for (size_t k = 0; k < groups && first < end; k++)
        for (size_t w = 0; w < s->e->workers; w++) {
            real *D = s->D + k * rows * layer->columns;
            capture in;
            if (s->c->count[w] == 0)
                continue;
            ops->capture(s->e->pass[w], s->layer, k, 0, s->c->count[w], &in);
            if (in.positions == 1)
                add_products(s, &in, first, end - first, D, layer->columns);
            else
                add_sums(s, &in, first, end - first, D, layer->columns);
        }
}

static void add_table(const site *s, const ng_layer *layer) {
    size_t width = layer->in.channels * layer->columns;
    for (size_t w = 0; w < s->e->workers; w++) {
        const real *u = s->e->pass[w]->delta[s->layer + 1];
        for (size_t i = 0; i < s->c->count[w]; i++)
            memcpy(s->work + i * width, u + i * (width + 1),
                   width * sizeof(real));
        NR(table_squares)
        (s->e, w, s->layer, s->c->count[w], s->work, s->scale, s->D);
    }
}

static void add_gradients(const site *s, const ng_layer *layer) {
    size_t n = layer->parameters;
    for (size_t w = 0; w < s->e->workers; w++)
        for (size_t i = 0; i < s->c->count[w]; i++) {
            NR(example_gradient)
            (s->e, w, i, s->layer, 1, layer->parameter, n, s->work);
            NR(add_squares)(n, s->scale, s->work, s->D);
        }
}

/* The layers that cannot be shared go round. */
static bool whole_layer_is_mine(const site *s) {
    return s->layer % s->e->workers == s->worker;
}

static void decay_rows(const site *s, const ng_layer *layer, bool shared) {
    size_t groups = layer->kind == NG_LAYER_CONV ? layer->groups : 1;
    size_t first = 0, end = layer->parameters;
    if (s->c->draw > 0)
        return;
    for (size_t k = 0; k < (shared ? groups : 1); k++) {
        real *D = s->D;
        if (shared) {
            size_t rows = layer->rows / groups;
            engine_share(rows, s->worker, s->e->workers, &first, &end);
            first = (k * rows + first) * layer->columns;
            end = (k * rows + end) * layer->columns;
        }
        NR(axpby)(end - first, (real)s->c->decay, D + first, 0, D + first);
    }
}

static void collect(metric *m, const collection *c, size_t worker) {
    const ngi_architecture *a = m->engine->architecture;
    diagonal *state = m->state;
    site s = {.e = m->engine,
              .c = c,
              .worker = worker,
              .work = state->work + worker * state->work_size,
              .scale = (real)((1 - c->decay) / (double)c->total * c->weight)};
    for (size_t l = 0; l < a->layers; l++) {
        const ng_layer *layer = &a->layer[l];
        const layer_ops *ops = NR(layer_ops)(layer->kind);
        bool table = layer->kind == NG_LAYER_EMBEDDING;
        bool shared = !table && ops->capture;
        s.layer = l;
        s.D = state->D + layer->parameter;
        if (!layer->parameters || (!shared && !whole_layer_is_mine(&s)))
            continue;
        decay_rows(&s, layer, shared);
        if (shared)
            add_captured(&s, layer, ops);
        else if (table)
            add_table(&s, layer);
        else
            add_gradients(&s, layer);
    }
}

/* ---- Solve ----------------------------------------------------------------
 */

static void refresh(metric *m, double damping, bool beside) {
    diagonal *s = m->state;
    (void)beside;
    s->damping = damping;
}

static void adopt(metric *m) {
    (void)m;
}

typedef struct solving {
    const metric *m;
    const real *g;
    real *d;
} solving;

NGI_VECTOR static void divide(size_t n, real damping, const real *D,
                              const real *g, real *d) {
    for (size_t i = 0; i < n; i++)
        d[i] = g[i] / (D[i] + damping);
}

static void solve_worker(void *user, size_t worker) {
    const solving *s = user;
    const engine *e = s->m->engine;
    const diagonal *state = s->m->state;
    size_t first, end;
    engine_share(e->dim, worker, e->workers, &first, &end);
    divide(end - first, (real)state->damping, state->D + first, s->g + first,
           s->d + first);
}

static ng_status solve(metric *m, const real *g, real *d) {
    solving s = {m, g, d};
    ngi_parallel(m->ctx, solve_worker, &s);
    return NG_OK;
}

static ng_status visit_state(metric *m, int loading, ng_train_visitor visit,
                             void *user) {
    diagonal *s = m->state;
    (void)loading;
    return visit(user, "fisher_diagonal", 'r', m->engine->dim, s->D);
}

const metric_ops NR(diagonal) = {
    .memory = memory,
    .create = create,
    .destroy = destroy,
    .collect = collect,
    .refresh = refresh,
    .adopt = adopt,
    .solve = solve,
    .visit = visit_state,
    .immediate = true,
};
