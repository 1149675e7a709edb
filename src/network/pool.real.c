/* Windows over positions, channel by channel. */
#include "network/pass.h"

#include <string.h>

/* The window of one output: rows and columns of the input inside it. */
typedef struct window {
    size_t top, bottom, left, right;
} window;

static inline void clip(size_t place, size_t stride, size_t padding,
                        size_t kernel, size_t size, size_t *first,
                        size_t *last) {
    size_t from = place * stride, to = from + kernel; /* of the padded input */
    *first = from > padding ? from - padding : 0;
    *last = to - padding < size ? to - padding : size;
}

static inline window window_at(const ng_layer *layer, size_t position) {
    window w;
    clip(position / layer->out.width, layer->stride[0], layer->padding[0],
         layer->kernel[0], layer->in.height, &w.top, &w.bottom);
    clip(position % layer->out.width, layer->stride[1], layer->padding[1],
         layer->kernel[1], layer->in.width, &w.left, &w.right);
    return w;
}

static size_t out_size(const pass *p, size_t l) {
    return ngi_shape_size(&p->architecture->layer[l].out);
}

/* What a backward pass adds to. */
static void begin_delta(pass *p, size_t l) {
    if (!p->architecture->shared[l])
        memset(p->delta[l], 0, p->rows * pass_size(p, l) * sizeof(real));
}

/* ---- Maximum --------------------------------------------------------------
 */

/* In scratch is where each maximum came from, counted in its example (a size
 * is at most 2^31), and behind that of all examples the line below. */
static size_t max_scratch(const ng_layer *layer) {
    return ngi_shape_size(&layer->out) +
           2 * layer->in.width * ngi_value_stride(&layer->in);
}

static uint32_t *origins(const pass *p, size_t l) {
    return (uint32_t *)(void *)p->scratch[l];
}

/* One row of windows is first made one line, the maxima of its columns: that
 * is long runs, where a window's are as short as there are channels. */
typedef struct strip {
    size_t stride, length;
    real *best;
    uint32_t *origin;
} strip;

static strip strip_of(const pass *p, size_t l) {
    const ng_layer *layer = &p->architecture->layer[l];
    size_t stride = pass_stride(p, l), length = stride * layer->in.width;
    real *space = p->scratch[l] + p->capacity * out_size(p, l);
    return (strip){stride, length, space, (uint32_t *)(void *)(space + length)};
}

/* A NaN is the largest of all; of equals the first is taken. */
static inline void columns_of(const strip *s, const real *in, size_t top,
                              size_t bottom) {
    size_t n = s->length;
    real *best = s->best;
    uint32_t *origin = s->origin;
    for (size_t i = 0; i < n; i++) {
        best[i] = in[top * n + i];
        origin[i] = (uint32_t)(top * n + i);
    }
    for (size_t y = top + 1; y < bottom; y++) {
        const real *row = in + y * n;
        for (size_t i = 0; i < n; i++) {
            bool larger = (row[i] > best[i]) | (row[i] != row[i]);
            best[i] = larger ? row[i] : best[i];
            origin[i] = larger ? (uint32_t)(y * n + i) : origin[i];
        }
    }
}

static inline void window_of(const strip *s, size_t left, size_t right,
                             size_t channels, real *best, uint32_t *origin) {
    for (size_t c = 0; c < channels; c++) {
        size_t at = left * s->stride + c;
        best[c] = s->best[at];
        origin[c] = s->origin[at];
    }
    for (size_t x = left + 1; x < right; x++)
        for (size_t c = 0; c < channels; c++) {
            real value = s->best[x * s->stride + c];
            uint32_t from = s->origin[x * s->stride + c];
            bool larger = (value > best[c]) | (value != value) |
                          ((value == best[c]) & (from < origin[c]));
            best[c] = larger ? value : best[c];
            origin[c] = larger ? from : origin[c];
        }
}

NGI_VECTOR static void max_image(const ng_layer *layer, const strip *s,
                                 size_t stride, const real *in, real *out,
                                 uint32_t *origin) {
    size_t channels = layer->out.channels;
    for (size_t k = 0; k < ngi_shape_positions(&layer->out); k++) {
        window w = window_at(layer, k);
        if (k % layer->out.width == 0)
            columns_of(s, in, w.top, w.bottom);
        window_of(s, w.left, w.right, channels, out + k * stride,
                  origin + k * channels);
    }
}

static void max_forward(pass *p, size_t l, const real *theta) {
    const ng_layer *layer = &p->architecture->layer[l];
    strip s = strip_of(p, l);
    (void)theta;
    for (size_t i = 0; i < p->rows; i++)
        max_image(layer, &s, pass_stride(p, l + 1),
                  p->value[l] + i * pass_size(p, l),
                  p->value[l + 1] + i * pass_size(p, l + 1),
                  origins(p, l) + i * out_size(p, l));
}

static void max_backward(pass *p, size_t l, const real *theta) {
    size_t channels = p->architecture->layer[l].out.channels;
    size_t stride = pass_stride(p, l + 1), positions = pass_positions(p, l + 1);
    const uint32_t *origin = origins(p, l);
    const real *u = p->delta[l + 1];
    (void)theta;
    begin_delta(p, l);
    for (size_t i = 0; i < p->rows; i++) {
        real *image = p->delta[l] + i * pass_size(p, l);
        for (size_t k = 0; k < positions; k++, u += stride, origin += channels)
            for (size_t c = 0; c < channels; c++)
                image[origin[c]] += u[c];
    }
}

static void max_tangent(pass *p, size_t l, const real *theta,
                        const real *const *v, bool inputs) {
    size_t channels = p->architecture->layer[l].out.channels;
    size_t stride = pass_stride(p, l + 1), positions = pass_positions(p, l + 1);
    real *out = p->tangent[l + 1];
    (void)theta;
    (void)v;
    (void)inputs;
    for (size_t i = 0; i < p->tangents * p->tangent_rows; i++) {
        const real *image = p->tangent[l] + i * pass_size(p, l);
        const uint32_t *origin =
            origins(p, l) + i % p->tangent_rows * out_size(p, l);
        for (size_t k = 0; k < positions;
             k++, out += stride, origin += channels)
            for (size_t c = 0; c < channels; c++)
                out[c] = image[origin[c]];
    }
}

const layer_ops NR(max_pool) = {
    .name = "max-pool",
    .scratch = max_scratch,
    .forward = max_forward,
    .backward = max_backward,
    .tangent = max_tangent,
};

/* ---- Average --------------------------------------------------------------
 */

/* Padding counts as zeros: every window is divided by the kernel's size. */
static real share(const ng_layer *layer) {
    return 1 / (real)(layer->kernel[0] * layer->kernel[1]);
}

static inline void add_scaled(size_t channels, real scale, const real *x,
                              real *sum) {
    for (size_t c = 0; c < channels; c++)
        sum[c] += scale * x[c];
}

NGI_VECTOR static void average_image(const ng_layer *layer, size_t in_stride,
                                     size_t out_stride, const real *in,
                                     real *out) {
    size_t channels = layer->out.channels, width = layer->in.width;
    real scale = share(layer);
    for (size_t k = 0; k < ngi_shape_positions(&layer->out); k++) {
        window w = window_at(layer, k);
        real *sum = out + k * out_stride;
        for (size_t c = 0; c < channels; c++)
            sum[c] = 0;
        for (size_t y = w.top; y < w.bottom; y++)
            for (size_t x = w.left; x < w.right; x++)
                add_scaled(channels, scale, in + (y * width + x) * in_stride,
                           sum);
    }
}

NGI_VECTOR static void spread_image(const ng_layer *layer, size_t in_stride,
                                    size_t out_stride, const real *u,
                                    real *image) {
    size_t channels = layer->out.channels, width = layer->in.width;
    real scale = share(layer);
    for (size_t k = 0; k < ngi_shape_positions(&layer->out); k++) {
        window w = window_at(layer, k);
        for (size_t y = w.top; y < w.bottom; y++)
            for (size_t x = w.left; x < w.right; x++)
                add_scaled(channels, scale, u + k * out_stride,
                           image + (y * width + x) * in_stride);
    }
}

static void average_images(const pass *p, size_t l, size_t examples,
                           const real *in, real *out) {
    for (size_t i = 0; i < examples; i++)
        average_image(&p->architecture->layer[l], pass_stride(p, l),
                      pass_stride(p, l + 1), in + i * pass_size(p, l),
                      out + i * pass_size(p, l + 1));
}

static void average_forward(pass *p, size_t l, const real *theta) {
    (void)theta;
    average_images(p, l, p->rows, p->value[l], p->value[l + 1]);
}

static void average_backward(pass *p, size_t l, const real *theta) {
    (void)theta;
    begin_delta(p, l);
    for (size_t i = 0; i < p->rows; i++)
        spread_image(&p->architecture->layer[l], pass_stride(p, l),
                     pass_stride(p, l + 1),
                     p->delta[l + 1] + i * pass_size(p, l + 1),
                     p->delta[l] + i * pass_size(p, l));
}

static void average_tangent(pass *p, size_t l, const real *theta,
                            const real *const *v, bool inputs) {
    (void)theta;
    (void)v;
    (void)inputs;
    average_images(p, l, p->tangents * p->tangent_rows, p->tangent[l],
                   p->tangent[l + 1]);
}

const layer_ops NR(average_pool) = {
    .name = "average-pool",
    .forward = average_forward,
    .backward = average_backward,
    .tangent = average_tangent,
};
