#include "network/pass.h"

#include <string.h>

const layer_ops *NR(layer_ops)(ng_layer_kind kind) {
    static const layer_ops *const table[] = {
        [NG_LAYER_DENSE] = &NR(dense),
        [NG_LAYER_CONV] = &NR(conv),
        [NG_LAYER_MAX_POOL] = &NR(max_pool),
        [NG_LAYER_AVERAGE_POOL] = &NR(average_pool),
        [NG_LAYER_FLATTEN] = &NR(flatten),
        [NG_LAYER_LAYER_NORM] = &NR(layer_norm),
        [NG_LAYER_EMBEDDING] = &NR(embedding),
        [NG_LAYER_SUM] = &NR(sum),
        [NG_LAYER_ACTIVATION] = &NR(activation),
    };
    return table[kind];
}

/* An activation whose derivative can be told from its output overwrites its
 * input, unless somebody else reads that. */
static bool in_place(const ngi_architecture *a, size_t l) {
    const ng_layer *layer = &a->layer[l];
    if (layer->kind != NG_LAYER_ACTIVATION || l == 0 || a->shared[l] ||
        a->layer[l - 1].kind == NG_LAYER_ACTIVATION ||
        a->layer[l - 1].kind == NG_LAYER_MAX_POOL)
        return false;
    switch (layer->activation) {
    case NG_RELU:
    case NG_LEAKY_RELU:
        return layer->slope >= 0;
    case NG_TANH:
    case NG_SIGMOID:
    case NG_SOFTPLUS:
        return true;
    default:
        return false;
    }
}

static size_t scratch_size(const ng_layer *layer) {
    const layer_ops *ops = NR(layer_ops)(layer->kind);
    return ops->scratch ? ops->scratch(layer) : 0;
}

static size_t work_size(const ngi_architecture *a) {
    size_t most = 0;
    for (size_t l = 0; l < a->layers; l++) {
        const layer_ops *ops = NR(layer_ops)(a->layer[l].kind);
        size_t size = ops->work ? ops->work(&a->layer[l]) : 0;
        most = size > most ? size : most;
    }
    return most;
}

static size_t value_size(const ngi_architecture *a, size_t v) {
    const ng_shape *s = ngi_value_shape(a, v);
    return ngi_shape_positions(s) * ngi_value_stride(s);
}

/* Every array begins on a cache line. */
static size_t rounded(size_t count) {
    const size_t line = 64 / sizeof(real);
    return (count + line - 1) / line * line;
}

size_t NR(pass_size)(const ngi_architecture *a, size_t capacity,
                     size_t tangent_capacity) {
    size_t size =
        rounded(capacity * a->outputs) + rounded(capacity * a->targets) +
        rounded(2 * ngi_shape_size(&a->input)) + rounded(work_size(a));
    for (size_t v = 0; v <= a->layers; v++) {
        if (v == 0 || !in_place(a, v - 1))
            size += 2 * rounded(capacity * value_size(a, v));
        size += rounded(NGI_TANGENTS * tangent_capacity * value_size(a, v));
        if (v < a->layers)
            size += rounded(capacity * scratch_size(&a->layer[v]));
    }
    return size + 64 / sizeof(real);
}

static real *take(real **next, size_t count) {
    real *block = *next;
    *next += rounded(count);
    return block;
}

/* The column of ones behind a flat value's channels. */
static void set_ones(const pass *p, size_t v) {
    if (!ngi_shape_flat(ngi_value_shape(p->architecture, v)))
        return;
    size_t ld = pass_stride(p, v);
    for (size_t i = 0; i < p->capacity; i++)
        p->value[v][i * ld + ld - 1] = 1;
}

static void lay_out(pass *p) {
    const ngi_architecture *a = p->architecture;
    size_t misplaced = (size_t)((uintptr_t)p->memory % 64) / sizeof(real);
    real *next = p->memory + (misplaced ? 64 / sizeof(real) - misplaced : 0);
    p->mean = take(&next, p->capacity * a->outputs);
    p->target = take(&next, p->capacity * a->targets);
    p->work = take(&next, 2 * ngi_shape_size(&a->input));
    p->layer_work = take(&next, work_size(a));
    for (size_t v = 0; v <= a->layers; v++) {
        size_t size = value_size(a, v);
        if (v > 0 && in_place(a, v - 1)) {
            p->value[v] = p->value[v - 1];
            p->delta[v] = p->delta[v - 1];
        } else {
            p->value[v] = take(&next, p->capacity * size);
            p->delta[v] = take(&next, p->capacity * size);
        }
        p->tangent[v] = take(&next, NGI_TANGENTS * p->tangent_capacity * size);
        if (v < a->layers)
            p->scratch[v] =
                take(&next, p->capacity * scratch_size(&a->layer[v]));
        set_ones(p, v);
    }
}

ng_status NR(pass_create)(const ngi_architecture *a, size_t capacity,
                          size_t tangent_capacity, pass **out) {
    pass *p = ngi_alloc(a->ctx, 1, sizeof *p);
    if (!p)
        return NG_ENOMEM;
    p->architecture = a;
    p->capacity = capacity;
    p->tangent_capacity = tangent_capacity;
    p->value = ngi_alloc(a->ctx, 4 * (a->layers + 1), sizeof *p->value);
    p->row = ngi_alloc(a->ctx, capacity, sizeof *p->row);
    p->losses = ngi_alloc(a->ctx, capacity, sizeof *p->losses);
    p->memory = ngi_alloc(a->ctx, NR(pass_size)(a, capacity, tangent_capacity),
                          sizeof(real));
    p->wide = ngi_alloc(a->ctx, NR(output_wide)(a), sizeof *p->wide);
    if (!p->value || !p->row || !p->memory || !p->wide || !p->losses) {
        NR(pass_destroy)(&p);
        return NG_ENOMEM;
    }
    p->delta = p->value + a->layers + 1;
    p->tangent = p->delta + a->layers + 1;
    p->scratch = p->tangent + a->layers + 1;
    lay_out(p);
    *out = p;
    return NG_OK;
}

void NR(pass_destroy)(pass **pointer) {
    pass *p = *pointer;
    if (!p)
        return;
    ng_ctx *ctx = p->architecture->ctx;
    ngi_free(ctx, p->memory);
    ngi_free(ctx, p->wide);
    ngi_free(ctx, p->losses);
    ngi_free(ctx, p->row);
    ngi_free(ctx, p->value);
    ngi_free(ctx, p);
    *pointer = NULL;
}

/* ---- Batches --------------------------------------------------------------
 */

static void convert(const ng_array *array, size_t row, size_t width,
                    real *out) {
    real scale = (real)array->scale;
    size_t at = row * width;
    if (array->dtype == NG_U8) {
        const unsigned char *data = (const unsigned char *)array->data + at;
        for (size_t j = 0; j < width; j++)
            out[j] = scale * (real)data[j];
    } else if (array->dtype == NG_F32) {
        const float *data = (const float *)array->data + at;
        for (size_t j = 0; j < width; j++)
            out[j] = scale * (real)data[j];
    } else {
        const double *data = (const double *)array->data + at;
        for (size_t j = 0; j < width; j++)
            out[j] = scale * (real)data[j];
    }
}

/* Moves an image (channel by channel) by dy rows and dx columns; zeros come
 * in. */
static void shift_image(const ng_shape *s, long dy, long dx, real *image,
                        real *work) {
    long h = (long)s->height, w = (long)s->width;
    for (size_t c = 0; c < s->channels; c++) {
        real *plane = image + c * (size_t)(h * w);
        memcpy(work, plane, (size_t)(h * w) * sizeof *work);
        for (long y = 0; y < h; y++)
            for (long x = 0; x < w; x++) {
                long fy = y - dy, fx = x - dx;
                bool inside = fy >= 0 && fy < h && fx >= 0 && fx < w;
                plane[y * w + x] = inside ? work[fy * w + fx] : 0;
            }
    }
}

static void shift_row(const pass *p, const ng_batch *batch, size_t number,
                      real *image, real *work) {
    ng_rng rng;
    ng_rng_init(&rng, batch->shift_key, number);
    double span = 2 * (double)batch->shift + 1;
    long dy = (long)(ng_rng_uniform(&rng) * span) - (long)batch->shift;
    long dx = (long)(ng_rng_uniform(&rng) * span) - (long)batch->shift;
    shift_image(&p->architecture->image, dy, dx, image, work);
}

/* Files have images channel by channel; values have positions of channels. */
static void interleave(const ng_shape *s, const real *in, real *out) {
    size_t positions = ngi_shape_positions(s);
    for (size_t c = 0; c < s->channels; c++)
        for (size_t k = 0; k < positions; k++)
            out[k * s->channels + c] = in[c * positions + k];
}

void NR(pass_gather)(pass *p, const ng_batch *batch, size_t at, size_t first,
                     size_t count) {
    const ngi_architecture *a = p->architecture;
    const ng_shape *s = &a->input;
    size_t width = ngi_shape_size(s), size = value_size(a, 0);
    bool interleaved = s->channels > 1 && !ngi_shape_flat(s);
    p->rows = at + count;
    /* Without targets an autoencoder's are its inputs; other networks are only
     * asked what they predict. */
    p->targeted = batch->y || (a->levels == 0 && a->targets == width);
    for (size_t i = at; i < at + count; i++) {
        size_t number = first + i - at;
        size_t row = batch->row ? batch->row[number] : batch->first + number;
        real *x = p->value[0] + i * size;
        real *raw = interleaved ? p->work : x;
        p->row[i] = row;
        convert(batch->x, row, width, raw);
        if (batch->shift)
            shift_row(p, batch, number, raw, p->work + width);
        real *target = p->target + i * a->targets;
        if (batch->y)
            convert(batch->y, row, a->targets, target);
        else if (p->targeted)
            memcpy(target, raw, width * sizeof *target);
        if (interleaved)
            interleave(s, raw, x);
    }
}

/* ---- Forward, backward, tangent -------------------------------------------
 */

void NR(pass_forward)(pass *p, const real *theta) {
    const ngi_architecture *a = p->architecture;
    for (size_t l = 0; l < a->layers; l++)
        NR(layer_ops)
    (a->layer[l].kind)->forward(p, l, theta + a->layer[l].parameter);
    NR(output_prepare)(p, p->rows);
}

void NR(pass_backward)(pass *p, const real *theta, size_t count,
                       real *gradient) {
    const ngi_architecture *a = p->architecture;
    size_t rows = p->rows;
    p->rows = count;
    for (size_t v = a->first; v < a->layers; v++)
        if (a->shared[v])
            memset(p->delta[v], 0, count * pass_size(p, v) * sizeof(real));
    for (size_t l = a->layers; l-- > a->first;) {
        const ng_layer *layer = &a->layer[l];
        const layer_ops *ops = NR(layer_ops)(layer->kind);
        if (gradient && ops->gradient)
            ops->gradient(p, l, 0, count, gradient + layer->parameter);
        if (l > a->first)
            ops->backward(p, l, theta + layer->parameter);
    }
    p->rows = rows;
}

void NR(pass_tangent)(pass *p, const real *theta, const real *const *v,
                      size_t tangents, size_t rows) {
    const ngi_architecture *a = p->architecture;
    p->tangents = tangents;
    p->tangent_rows = rows;
    /* Values before the first parameters do not move; a sum may still read
     * them. */
    for (size_t u = 0; u <= a->first && u <= a->layers; u++)
        memset(p->tangent[u], 0,
               tangents * rows * pass_size(p, u) * sizeof(real));
    for (size_t l = a->first; l < a->layers; l++)
        NR(layer_ops)
    (a->layer[l].kind)
        ->tangent(p, l, theta + a->layer[l].parameter, v, l > a->first);
}
