/* K-FAC for a network that lives elsewhere, in single precision: the factors
 * and their damped inverses, fed by whoever runs the network. */
#include "layerwise/factors.h"

#include <math.h>
#include <string.h>

#if !NGI_DOUBLE

typedef struct outer_layer {
    size_t inputs, outputs, columns; /* columns: inputs and the bias's one */
    real *A, *G;                     /* running averages, lower triangles */
    real *A_inverse, *G_inverse;
    uint64_t observations;
} outer_layer;

struct ng_kfac {
    ng_ctx *ctx;
    size_t count;
    outer_layer *layer;
    double decay;
    bool ready;
    real *memory;
    real *middle; /* V A^-1 of the largest layer */
    double damping;
    /* The layer at hand. */
    const outer_layer *current;
    const real *gradient;
    real *out;
};

static ng_status check_layers(ng_ctx *ctx, const ng_kfac_layer *layers,
                              size_t count, double decay) {
    if (!(decay >= 0 && decay < 1))
        return ngi_fail(ctx, NG_EUSAGE,
                        "decay %g of the running averages: 0 <= decay < 1 is "
                        "expected",
                        decay);
    for (size_t i = 0; i < count; i++)
        if (layers[i].inputs == 0 || layers[i].outputs == 0 ||
            layers[i].inputs >= INT32_MAX || layers[i].outputs >= INT32_MAX)
            return ngi_fail(ctx, NG_EUSAGE,
                            "layer %zu has %zu inputs and %zu outputs: at "
                            "least one of each is expected",
                            i, layers[i].inputs, layers[i].outputs);
    return NG_OK;
}

/* Reals of all matrices; the largest gradient. */
static double measure(const ng_kfac_layer *layers, size_t count,
                      double *largest) {
    double size = 0;
    *largest = 0;
    for (size_t i = 0; i < count; i++) {
        double a = (double)layers[i].inputs + (layers[i].bias ? 1 : 0);
        double g = (double)layers[i].outputs;
        size += 2 * (a * a + g * g);
        *largest = fmax(*largest, a * g);
    }
    return size;
}

static void lay_out(ng_kfac *k, const ng_kfac_layer *layers) {
    real *next = k->memory;
    for (size_t i = 0; i < k->count; i++) {
        outer_layer *l = &k->layer[i];
        l->inputs = layers[i].inputs;
        l->outputs = layers[i].outputs;
        l->columns = l->inputs + (layers[i].bias ? 1 : 0);
        l->A = next;
        l->A_inverse = l->A + l->columns * l->columns;
        l->G = l->A_inverse + l->columns * l->columns;
        l->G_inverse = l->G + l->outputs * l->outputs;
        next = l->G_inverse + l->outputs * l->outputs;
    }
}

ng_status ng_kfac_create(ng_ctx *ctx, const ng_kfac_layer *layers, size_t count,
                         double decay, ng_kfac **out) {
    NG_TRY(check_layers(ctx, layers, count, decay));
    double largest, size = measure(layers, count, &largest);
    if (size * sizeof(real) > 0.5 * (double)SIZE_MAX)
        return ngi_fail_memory(ctx);
    ng_kfac *k = ngi_alloc(ctx, 1, sizeof *k);
    if (!k)
        return NG_ENOMEM;
    k->ctx = ctx;
    k->count = count;
    k->decay = decay;
    k->layer = ngi_alloc(ctx, count, sizeof *k->layer);
    k->memory = ngi_alloc(ctx, (size_t)size, sizeof(real));
    k->middle = ngi_alloc(ctx, (size_t)largest, sizeof(real));
    if (!k->layer || !k->memory || !k->middle) {
        ng_kfac_destroy(&k);
        return NG_ENOMEM;
    }
    lay_out(k, layers);
    *out = k;
    return NG_OK;
}

void ng_kfac_destroy(ng_kfac **pointer) {
    ng_kfac *k = *pointer;
    if (!k)
        return;
    ngi_free(k->ctx, k->layer);
    ngi_free(k->ctx, k->memory);
    ngi_free(k->ctx, k->middle);
    ngi_free(k->ctx, k);
    *pointer = NULL;
}

static ng_status check_layer(const ng_kfac *k, size_t layer) {
    if (layer < k->count)
        return NG_OK;
    return ngi_fail(k->ctx, NG_EUSAGE, "layer %zu of %zu: they count from 0",
                    layer, k->count);
}

/* ---- Factors --------------------------------------------------------------
 */

/* The last row of E[(a, 1) (a, 1)'], which is the mean of (a, 1). */
static void observe_ones(outer_layer *l, size_t rows, const float *a,
                         real fresh, real keep) {
    real *last = l->A + l->inputs * l->columns;
    NR(axpby)(l->columns, keep, last, 0, last);
    for (size_t i = 0; i < rows; i++)
        NR(axpby)(l->inputs, fresh, a + i * l->inputs, 1, last);
    last[l->inputs] += fresh * (real)rows;
}

ng_status ng_kfac_observe(ng_kfac *k, size_t layer, size_t rows, const float *a,
                          const float *g) {
    NG_TRY(check_layer(k, layer));
    outer_layer *l = &k->layer[layer];
    if (rows == 0)
        return ngi_fail(k->ctx, NG_EUSAGE, "layer %zu: no rows to observe",
                        layer);
    if (!NR(finite)(rows * l->inputs, a) || !NR(finite)(rows * l->outputs, g))
        return ngi_fail(k->ctx, NG_EDATA,
                        "layer %zu: an input or gradient is not finite", layer);
    double before = (double)l->observations++;
    double decay = fmin(k->decay, before / (before + 1));
    real keep = (real)decay, fresh = (real)((1 - decay) / (double)rows);
    NR(syrk_tn)
    (l->inputs, rows, fresh, a, l->inputs, keep, l->A, l->columns);
    if (l->columns > l->inputs)
        observe_ones(l, rows, a, fresh, keep);
    NR(syrk_tn)(l->outputs, rows, fresh, g, l->outputs, keep, l->G, l->outputs);
    return NG_OK;
}

/* ---- Inverses -------------------------------------------------------------
 */

static void invert(size_t n, const real *S, double damping, real *inverse) {
    memcpy(inverse, S, n * n * sizeof *S);
    NR(invert_damped)(n, inverse, damping);
}

static void refresh_worker(void *user, size_t worker) {
    const ng_kfac *k = user;
    size_t workers = ngi_threads(k->ctx);
    for (size_t i = worker; i < k->count; i += workers) {
        const outer_layer *l = &k->layer[i];
        double a = NR(trace)(l->columns, l->A) / (double)l->columns;
        double g = NR(trace)(l->outputs, l->G) / (double)l->outputs;
        double pi = NR(balance)(a, g), gamma = sqrt(k->damping);
        invert(l->columns, l->A, pi * gamma, l->A_inverse);
        invert(l->outputs, l->G, gamma / pi, l->G_inverse);
    }
}

ng_status ng_kfac_refresh(ng_kfac *k, double damping) {
    if (!(damping > 0 && isfinite(damping)))
        return ngi_fail(k->ctx, NG_EUSAGE,
                        "damping %g: a positive number is expected", damping);
    for (size_t i = 0; i < k->count; i++)
        if (k->layer[i].observations == 0)
            return ngi_fail(k->ctx, NG_EUSAGE,
                            "layer %zu has not been observed yet", i);
    k->damping = damping;
    ngi_parallel(k->ctx, refresh_worker, k);
    k->ready = true;
    return NG_OK;
}

/* ---- Gradients ------------------------------------------------------------
 */

/* Rows of V A^-1, then, when all are done, rows of G^-1 (V A^-1). */
static void inputs_worker(void *user, size_t worker) {
    const ng_kfac *k = user;
    const outer_layer *l = k->current;
    size_t workers = ngi_threads(k->ctx), n = l->columns;
    size_t first = l->outputs * worker / workers;
    size_t end = l->outputs * (worker + 1) / workers;
    NR(gemm_nn)
    (end - first, n, n, 1, k->gradient + first * n, n, l->A_inverse, n, 0,
     k->middle + first * n, n);
}

static void outputs_worker(void *user, size_t worker) {
    const ng_kfac *k = user;
    const outer_layer *l = k->current;
    size_t workers = ngi_threads(k->ctx), n = l->columns;
    size_t first = l->outputs * worker / workers;
    size_t end = l->outputs * (worker + 1) / workers;
    NR(gemm_nn)
    (end - first, n, l->outputs, 1, l->G_inverse + first * l->outputs,
     l->outputs, k->middle, n, 0, k->out + first * n, n);
}

ng_status ng_kfac_precondition(ng_kfac *k, size_t layer, const float *gradient,
                               float *out) {
    NG_TRY(check_layer(k, layer));
    if (!k->ready)
        return ngi_fail(k->ctx, NG_EUSAGE,
                        "ng_kfac_refresh must come before "
                        "ng_kfac_precondition");
    k->current = &k->layer[layer];
    k->gradient = gradient;
    k->out = out;
    ngi_parallel(k->ctx, inputs_worker, k);
    ngi_parallel(k->ctx, outputs_worker, k);
    return NG_OK;
}

#endif
