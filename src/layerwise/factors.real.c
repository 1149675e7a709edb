#include "layerwise/factors.h"

#include <math.h>
#include <string.h>

static size_t blocks_of(const ng_layer *layer) {
    return layer->kind == NG_LAYER_CONV ? layer->groups
                                        : (layer->parameters ? 1 : 0);
}

static void describe(const ng_layer *layer, size_t l, size_t group, block *b) {
    *b = (block){.layer = l, .group = group, .parameter = layer->parameter};
    switch (layer->kind) {
    case NG_LAYER_LAYER_NORM:
        b->kind = BLOCK_DIAGONAL;
        b->a = layer->parameters;
        break;
    case NG_LAYER_EMBEDDING:
        b->kind = BLOCK_TABLE;
        b->a = layer->rows;
        b->g = layer->columns;
        break;
    default:
        b->kind = BLOCK_KRONECKER;
        b->a = layer->columns;
        b->g = layer->rows / blocks_of(layer);
        b->parameter += group * b->g * b->a;
        break;
    }
}

static size_t a_size(const block *b) {
    return b->kind == BLOCK_KRONECKER ? b->a * b->a : b->a;
}

static size_t count_blocks(const ngi_architecture *a) {
    size_t count = 0;
    for (size_t l = 0; l < a->layers; l++)
        count += blocks_of(&a->layer[l]);
    return count;
}

/* Reals of all factors, and of the work that one worker needs. */
static void measure(const ngi_architecture *a, size_t rows, size_t *size,
                    size_t *row_size) {
    *size = *row_size = 0;
    for (size_t l = 0; l < a->layers; l++)
        for (size_t k = 0; k < blocks_of(&a->layer[l]); k++) {
            block b;
            size_t work = 0;
            describe(&a->layer[l], l, k, &b);
            *size += a_size(&b) + b.g * b.g;
            if (a->layer[l].kind == NG_LAYER_CONV)
                work = rows * (b.a + b.g);
            else if (b.kind == BLOCK_DIAGONAL)
                work = b.a;
            *row_size = work > *row_size ? work : *row_size;
        }
}

double NR(factors_memory)(const ngi_architecture *a,
                          const ng_train_options *options, size_t rows) {
    size_t size, row_size;
    (void)options;
    measure(a, rows, &size, &row_size);
    return sizeof(real) *
           ((double)size + (double)row_size * (double)ngi_threads(a->ctx));
}

/* To the worker with the least to do so far. */
static size_t least_loaded(double *load, size_t workers, double work) {
    size_t least = 0;
    for (size_t w = 1; w < workers; w++)
        least = load[w] < load[least] ? w : least;
    load[least] += work;
    return least;
}

static void share_work(factors *f, size_t workers) {
    enum { MOST = 64 };
    double collect[MOST] = {0}, invert[MOST] = {0};
    workers = workers < MOST ? workers : MOST;
    for (size_t i = 0; i < f->blocks; i++) {
        block *b = &f->block[i];
        double a = (double)b->a, g = (double)b->g;
        bool full = b->kind == BLOCK_KRONECKER;
        b->a_worker = least_loaded(collect, workers, full ? a * a : a);
        b->g_worker = least_loaded(collect, workers, g * g);
        b->inverse_worker =
            least_loaded(invert, workers, (full ? a * a * a : a) + g * g * g);
    }
}

ng_status NR(factors_create)(metric *m, factors *f) {
    const ngi_architecture *a = m->engine->architecture;
    size_t i = 0;
    f->blocks = count_blocks(a);
    measure(a, m->rows, &f->size, &f->row_size);
    f->block = ngi_alloc(m->ctx, f->blocks, sizeof *f->block);
    f->memory = ngi_alloc(m->ctx, f->size, sizeof(real));
    f->row = ngi_alloc(m->ctx, f->row_size * m->engine->workers, sizeof(real));
    if (!f->block || !f->memory || !f->row) {
        NR(factors_destroy)(m, f);
        return NG_ENOMEM;
    }
    real *next = f->memory;
    for (size_t l = 0; l < a->layers; l++)
        for (size_t k = 0; k < blocks_of(&a->layer[l]); k++) {
            block *b = &f->block[i++];
            describe(&a->layer[l], l, k, b);
            b->A = next;
            b->G = b->A + a_size(b);
            next = b->G + b->g * b->g;
        }
    share_work(f, m->engine->workers);
    return NG_OK;
}

void NR(factors_destroy)(metric *m, factors *f) {
    ngi_free(m->ctx, f->block);
    ngi_free(m->ctx, f->memory);
    ngi_free(m->ctx, f->row);
    *f = (factors){0};
}

/* ---- Collecting -----------------------------------------------------------
 */

/* Sums and means over an example's positions. */
static void reduce(const capture *in, const block *b, size_t examples,
                   real *work, capture *out) {
    real *a = work, *g = work + examples * b->a;
    for (size_t i = 0; i < examples; i++) {
        const real *x = in->a + i * in->positions * in->lda;
        const real *u = in->g + i * in->positions * in->ldg;
        memset(a + i * b->a, 0, b->a * sizeof *a);
        memset(g + i * b->g, 0, b->g * sizeof *g);
        for (size_t k = 0; k < in->positions; k++) {
            NR(axpby)
            (b->a, (real)(1 / (double)in->positions), x + k * in->lda, 1,
             a + i * b->a);
            NR(axpby)(b->g, 1, u + k * in->ldg, 1, g + i * b->g);
        }
    }
    *out = (capture){.a = a,
                     .g = g,
                     .lda = b->a,
                     .ldg = b->g,
                     .rows = examples,
                     .positions = 1};
}

static void collect_kronecker(metric *m, factors *f, block *b,
                              const collection *c, size_t worker) {
    const engine *e = m->engine;
    bool inputs = b->a_worker == worker && c->draw == 0;
    bool outputs = b->g_worker == worker;
    real keep_a = (real)c->decay;
    real keep_g = c->draw == 0 ? (real)c->decay : 1;
    for (size_t w = 0; w < e->workers && (inputs || outputs); w++) {
        const layer_ops *ops =
            NR(layer_ops)(e->architecture->layer[b->layer].kind);
        capture rows;
        if (c->count[w] == 0)
            continue;
        ops->capture(e->pass[w], b->layer, b->group, 0, c->count[w], &rows);
        if (rows.positions > 1 && m->options->sharing == NG_REDUCE)
            reduce(&rows, b, c->count[w], f->row + worker * f->row_size, &rows);
        double fresh = (1 - c->decay) / (double)c->total;
        if (inputs)
            NR(syrk_tn)
        (b->a, rows.rows, (real)(fresh / (double)rows.positions), rows.a,
         rows.lda, keep_a, b->A, b->a);
        if (outputs)
            NR(syrk_tn)
        (b->g, rows.rows, (real)(fresh * c->weight), rows.g, rows.ldg, keep_g,
         b->G, b->g);
        keep_a = keep_g = 1;
    }
}

/* An index that appears twice in an example counts twice: positions are taken
 * for examples, as expand has it. */
static void collect_table(metric *m, block *b, const collection *c,
                          size_t worker) {
    const engine *e = m->engine;
    const ng_layer *layer = &e->architecture->layer[b->layer];
    size_t tokens = layer->in.channels;
    real fresh = (real)((1 - c->decay) / (double)c->total);
    if (b->a_worker == worker && c->draw == 0) {
        NR(axpby)(b->a, (real)c->decay, b->A, 0, b->A);
        for (size_t w = 0; w < e->workers; w++)
            for (size_t i = 0; i < c->count[w]; i++)
                for (size_t t = 0; t < tokens; t++) {
                    const real *x = e->pass[w]->value[b->layer];
                    size_t index = (size_t)x[i * (tokens + 1) + t];
                    b->A[index] += fresh / (real)tokens;
                }
    }
    if (b->g_worker != worker)
        return;
    if (c->draw == 0)
        NR(axpby)(b->g * b->g, (real)c->decay, b->G, 0, b->G);
    for (size_t w = 0; w < e->workers; w++)
        for (size_t t = 0; t < tokens; t++)
            if (c->count[w])
                NR(syrk_tn)
    (b->g, c->count[w], fresh * (real)c->weight,
     e->pass[w]->delta[b->layer + 1] + t * b->g, tokens * b->g + 1, 1, b->G,
     b->g);
}

static void collect_diagonal(metric *m, factors *f, block *b,
                             const collection *c, size_t worker) {
    const engine *e = m->engine;
    const layer_ops *ops = NR(layer_ops)(e->architecture->layer[b->layer].kind);
    real *row = f->row + worker * f->row_size;
    real fresh = (real)((1 - c->decay) / (double)c->total * c->weight);
    if (b->a_worker != worker)
        return;
    if (c->draw == 0)
        NR(axpby)(b->a, (real)c->decay, b->A, 0, b->A);
    for (size_t w = 0; w < e->workers; w++)
        for (size_t i = 0; i < c->count[w]; i++) {
            memset(row, 0, b->a * sizeof *row);
            ops->gradient(e->pass[w], b->layer, i, 1, row);
            for (size_t j = 0; j < b->a; j++)
                b->A[j] += fresh * row[j] * row[j];
        }
}

void NR(factors_collect)(metric *m, factors *f, const collection *c,
                         size_t worker) {
    for (size_t i = 0; i < f->blocks; i++) {
        block *b = &f->block[i];
        if (b->kind == BLOCK_KRONECKER)
            collect_kronecker(m, f, b, c, worker);
        else if (b->kind == BLOCK_TABLE)
            collect_table(m, b, c, worker);
        else
            collect_diagonal(m, f, b, c, worker);
    }
}

/* ---- Traces ---------------------------------------------------------------
 */

static double diagonal_sum(size_t n, const real *S, size_t step) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)S[i * step];
    return sum;
}

double NR(trace)(size_t n, const real *S) {
    return diagonal_sum(n, S, n + 1);
}

double NR(balance)(double a, double g) {
    double pi = sqrt(a / g);
    /* Dead inputs or outputs: nothing to balance. */
    return pi > 0 && isfinite(pi) ? pi : 1;
}

double NR(factors_pi)(const block *b) {
    size_t step = b->kind == BLOCK_KRONECKER ? b->a + 1 : 1;
    return NR(balance)(diagonal_sum(b->a, b->A, step) / (double)b->a,
                       NR(trace)(b->g, b->G) / (double)b->g);
}

void NR(invert_damped)(size_t n, real *S, double damping) {
    double trace = NR(trace)(n, S);
    double added = fmax(damping, REAL_EPSILON * trace);
    for (size_t i = 0; i < n; i++)
        S[i * (n + 1)] += (real)added;
    if (NR(invert)(n, S))
        return;
    memset(S, 0, n * n * sizeof *S);
    for (size_t i = 0; i < n; i++)
        S[i * (n + 1)] = (real)(1 / (trace / (double)n + added));
}

ng_status NR(factors_visit)(factors *f, ng_train_visitor visit, void *user) {
    return visit(user, "factors", 'r', f->size, f->memory);
}
