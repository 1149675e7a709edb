#include "network/engine.h"

#include <math.h>
#include <string.h>

ng_status NR(engine_create)(const ngi_architecture *a, engine **out) {
    engine *e = ngi_alloc(a->ctx, 1, sizeof *e);
    if (!e)
        return NG_ENOMEM;
    e->ctx = a->ctx;
    e->architecture = a;
    e->dim = a->dim;
    e->workers = ngi_threads(a->ctx);
    e->theta = ngi_alloc(a->ctx, a->dim, sizeof *e->theta);
    e->pass = ngi_alloc(a->ctx, e->workers, sizeof(pass *));
    if (!e->theta || !e->pass) {
        NR(engine_destroy)(&e);
        return NG_ENOMEM;
    }
    *out = e;
    return NG_OK;
}

void NR(engine_destroy)(engine **pointer) {
    engine *e = *pointer;
    if (!e)
        return;
    for (size_t w = 0; e->pass && w < e->workers; w++)
        NR(pass_destroy)(&e->pass[w]);
    ngi_free(e->ctx, e->pass);
    ngi_free(e->ctx, e->theta);
    ngi_free(e->ctx, e);
    *pointer = NULL;
}

ng_status NR(engine_reserve)(engine *e, size_t capacity,
                             size_t tangent_capacity) {
    if (capacity <= e->capacity && tangent_capacity <= e->tangent_capacity)
        return NG_OK;
    capacity = capacity > e->capacity ? capacity : e->capacity;
    if (tangent_capacity < e->tangent_capacity)
        tangent_capacity = e->tangent_capacity;
    pass **fresh = ngi_alloc(e->ctx, e->workers, sizeof(pass *));
    if (!fresh)
        return NG_ENOMEM;
    for (size_t w = 0; w < e->workers; w++) {
        ng_status status = NR(pass_create)(e->architecture, capacity,
                                           tangent_capacity, &fresh[w]);
        if (status != NG_OK) {
            while (w-- > 0)
                NR(pass_destroy)(&fresh[w]);
            ngi_free(e->ctx, fresh);
            return status;
        }
    }
    for (size_t w = 0; w < e->workers; w++) {
        NR(pass_destroy)(&e->pass[w]);
        e->pass[w] = fresh[w];
    }
    ngi_free(e->ctx, fresh);
    e->capacity = capacity;
    e->tangent_capacity = tangent_capacity;
    return NG_OK;
}

/* ---- Runs over a batch in blocks of rows ----------------------------------
 */

enum { BLOCK_ROWS = 512 };

typedef struct run run;
struct run {
    engine *e;
    const ng_batch *batch;
    /* A worker's block: rows [first, first + p->rows) of the batch. */
    void (*block)(run *r, size_t worker, pass *p, size_t first);
    output_sums *sums; /* a worker each */
    real *partial;     /* a worker's sum of gradients, dim each */
    const real *v;
    const double *u;
    double *out;
};

static void run_worker(void *user, size_t worker) {
    run *r = user;
    size_t first, end;
    engine_share(r->batch->count, worker, r->e->workers, &first, &end);
    while (first < end) {
        pass *p = r->e->pass[worker];
        size_t count =
            end - first < r->e->capacity ? end - first : r->e->capacity;
        NR(pass_gather)(p, r->batch, 0, first, count);
        NR(pass_forward)(p, r->e->theta);
        r->block(r, worker, p, first);
        first += count;
    }
}

static ng_status run_blocks(run *r, bool tangents) {
    engine *e = r->e;
    size_t share = (r->batch->count + e->workers - 1) / e->workers;
    /* Training has said what memory it takes: its passes must do. */
    size_t most = e->capacity ? e->capacity : BLOCK_ROWS;
    size_t rows = share < most ? share : most;
    NG_TRY(ngi_architecture_fits(e->architecture, r->batch));
    NG_TRY(NR(engine_reserve)(e, rows, 0));
    if (tangents)
        NG_TRY(NR(engine_reserve)(e, rows, e->capacity));
    r->sums = ngi_alloc(e->ctx, e->workers, sizeof *r->sums);
    if (!r->sums)
        return NG_ENOMEM;
    ngi_parallel(e->ctx, run_worker, r);
    return NG_OK;
}

static output_sums total(const run *r) {
    output_sums sum = {0};
    for (size_t w = 0; w < r->e->workers; w++) {
        sum.loss += r->sums[w].loss;
        sum.right += r->sums[w].right;
        sum.squared_error += r->sums[w].squared_error;
    }
    return sum;
}

static void evaluate_block(run *r, size_t worker, pass *p, size_t first) {
    (void)first;
    NR(output_sums)(p, 0, p->rows, &r->sums[worker]);
}

static ng_status evaluate(void *engine_, const ng_batch *batch,
                          ng_score *score) {
    engine *e = engine_;
    run r = {.e = e, .batch = batch, .block = evaluate_block};
    NG_TRY(run_blocks(&r, false));
    output_sums sum = total(&r);
    ngi_free(e->ctx, r.sums);
    double n = (double)batch->count;
    bool classes = e->architecture->levels > 0;
    score->loss = sum.loss / n;
    score->accuracy = classes ? sum.right / n : (double)NAN;
    score->squared_error = classes ? (double)NAN : sum.squared_error / n;
    return NG_OK;
}

static void predict_block(run *r, size_t worker, pass *p, size_t first) {
    size_t outputs = r->e->architecture->outputs;
    size_t last = r->e->architecture->layers, ld = pass_stride(p, last);
    (void)worker;
    for (size_t i = 0; i < p->rows; i++)
        for (size_t j = 0; j < outputs; j++)
            r->out[(first + i) * outputs + j] =
                (double)p->value[last][i * ld + j];
}

static ng_status predict(void *engine_, const ng_batch *batch, double *z) {
    run r = {.e = engine_, .batch = batch, .block = predict_block, .out = z};
    NG_TRY(run_blocks(&r, false));
    ngi_free(r.e->ctx, r.sums);
    return NG_OK;
}

static void mean_block(run *r, size_t worker, pass *p, size_t first) {
    const ngi_architecture *a = r->e->architecture;
    size_t width = a->replicates * a->family.dim_mean;
    (void)worker;
    NR(output_mean)(p, 0, p->rows, r->out + first * width);
}

static ng_status mean(void *engine_, const ng_batch *batch, double *out) {
    run r = {.e = engine_, .batch = batch, .block = mean_block, .out = out};
    NG_TRY(run_blocks(&r, false));
    ngi_free(r.e->ctx, r.sums);
    return NG_OK;
}

static void gradient_block(run *r, size_t worker, pass *p, size_t first) {
    (void)first;
    NR(output_sums)(p, 0, p->rows, &r->sums[worker]);
    if (!r->partial)
        return;
    NR(output_gradient)(p, p->rows);
    NR(pass_backward)
    (p, r->e->theta, p->rows, r->partial + worker * r->e->dim);
}

/* The workers' sums of gradients, scaled, in double. */
static ng_status sum_partials(run *r, bool tangents, double scale,
                              double *out) {
    engine *e = r->e;
    r->partial = ngi_alloc(e->ctx, e->dim * e->workers, sizeof(real));
    if (!r->partial)
        return NG_ENOMEM;
    ng_status status = run_blocks(r, tangents);
    for (size_t j = 0; status == NG_OK && j < e->dim; j++) {
        double sum = 0;
        for (size_t w = 0; w < e->workers; w++)
            sum += (double)r->partial[w * e->dim + j];
        out[j] = sum * scale;
    }
    ngi_free(e->ctx, r->partial);
    return status;
}

static ng_status gradient(void *engine_, const ng_batch *batch, double *loss,
                          double *out) {
    run r = {.e = engine_, .batch = batch, .block = gradient_block};
    double n = (double)batch->count;
    if (out)
        NG_TRY(sum_partials(&r, false, 1 / n, out));
    else
        NG_TRY(run_blocks(&r, false));
    if (loss)
        *loss = total(&r).loss / n;
    ngi_free(r.e->ctx, r.sums);
    return NG_OK;
}

static void jvp_block(run *r, size_t worker, pass *p, size_t first) {
    size_t outputs = r->e->architecture->outputs;
    size_t last = r->e->architecture->layers, ld = pass_stride(p, last);
    (void)worker;
    NR(pass_tangent)(p, r->e->theta, &r->v, 1, p->rows);
    for (size_t i = 0; i < p->rows; i++)
        for (size_t j = 0; j < outputs; j++)
            r->out[(first + i) * outputs + j] =
                (double)p->tangent[last][i * ld + j];
}

static real *narrowed(engine *e, const double *x) {
    real *copy = ngi_alloc(e->ctx, e->dim, sizeof *copy);
    for (size_t j = 0; copy && j < e->dim; j++)
        copy[j] = (real)x[j];
    return copy;
}

static ng_status jvp(void *engine_, const ng_batch *batch, const double *v,
                     double *out) {
    engine *e = engine_;
    real *direction = narrowed(e, v);
    run r = {
        .e = e, .batch = batch, .block = jvp_block, .v = direction, .out = out};
    if (!direction)
        return NG_ENOMEM;
    ng_status status = run_blocks(&r, true);
    ngi_free(e->ctx, direction);
    if (status == NG_OK)
        ngi_free(e->ctx, r.sums);
    return status;
}

static void vjp_block(run *r, size_t worker, pass *p, size_t first) {
    size_t outputs = r->e->architecture->outputs;
    size_t last = r->e->architecture->layers, ld = pass_stride(p, last);
    for (size_t i = 0; i < p->rows; i++)
        for (size_t j = 0; j < outputs; j++)
            p->delta[last][i * ld + j] = (real)r->u[(first + i) * outputs + j];
    NR(pass_backward)
    (p, r->e->theta, p->rows, r->partial + worker * r->e->dim);
}

static ng_status vjp(void *engine_, const ng_batch *batch, const double *u,
                     double *out) {
    run r = {.e = engine_, .batch = batch, .block = vjp_block, .u = u};
    NG_TRY(sum_partials(&r, false, 1, out));
    ngi_free(r.e->ctx, r.sums);
    return NG_OK;
}

/* The outputs at the old parameters wait in the tangents of the last value
 * while the pass goes forward again. */
static void kl_block(run *r, size_t worker, pass *p, size_t first) {
    size_t last = r->e->architecture->layers, ld = pass_stride(p, last);
    (void)first;
    memcpy(p->tangent[last], p->value[last], p->rows * ld * sizeof(real));
    NR(pass_forward)(p, r->v);
    r->sums[worker].loss += NR(output_kl)(p, p->rows, p->tangent[last], ld);
}

static ng_status kl(void *engine_, const ng_batch *batch, const double *theta,
                    double *out) {
    engine *e = engine_;
    real *other = narrowed(e, theta);
    run r = {.e = e, .batch = batch, .block = kl_block, .v = other};
    if (!other)
        return NG_ENOMEM;
    ng_status status = run_blocks(&r, true);
    ngi_free(e->ctx, other);
    if (status != NG_OK)
        return status;
    *out = total(&r).loss / (double)batch->count;
    ngi_free(e->ctx, r.sums);
    return NG_OK;
}

static ng_status create(const ngi_architecture *a, void **out) {
    engine *e;
    NG_TRY(NR(engine_create)(a, &e));
    *out = e;
    return NG_OK;
}

static void destroy(void **pointer) {
    engine *e = *pointer;
    NR(engine_destroy)(&e);
    *pointer = NULL;
}

static void get(const void *engine_, double *theta) {
    const engine *e = engine_;
    for (size_t j = 0; j < e->dim; j++)
        theta[j] = (double)e->theta[j];
}

static void set(void *engine_, const double *theta) {
    engine *e = engine_;
    for (size_t j = 0; j < e->dim; j++)
        e->theta[j] = (real)theta[j];
}

const ngi_engine_ops NR(engine_ops) = {
    .create = create,
    .destroy = destroy,
    .get = get,
    .set = set,
    .evaluate = evaluate,
    .predict = predict,
    .mean = mean,
    .gradient = gradient,
    .jvp = jvp,
    .vjp = vjp,
    .kl = kl,
};
