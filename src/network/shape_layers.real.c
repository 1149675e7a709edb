/* Layers that only move numbers: flatten and sum. */
#include "network/pass.h"

#include <string.h>

/* positions x channels <-> channels x positions, the order that files and
 * other libraries give a flattened image. */
static void flatten_rows(const ng_layer *layer, size_t examples, const real *in,
                         real *out) {
    size_t c = layer->in.channels, k = ngi_shape_positions(&layer->in);
    size_t from = k * ngi_value_stride(&layer->in);
    size_t to = ngi_value_stride(&layer->out);
    for (size_t i = 0; i < examples; i++)
        for (size_t j = 0; j < c; j++)
            for (size_t q = 0; q < k; q++)
                out[i * to + j * k + q] = in[i * from + q * c + j];
}

static void flatten_forward(pass *p, size_t l, const real *theta) {
    (void)theta;
    flatten_rows(&p->architecture->layer[l], p->rows, p->value[l],
                 p->value[l + 1]);
}

static void flatten_backward(pass *p, size_t l, const real *theta) {
    const ng_layer *layer = &p->architecture->layer[l];
    size_t c = layer->in.channels, k = ngi_shape_positions(&layer->in);
    size_t to = k * ngi_value_stride(&layer->in);
    size_t from = ngi_value_stride(&layer->out);
    real keep = p->architecture->shared[l] ? 1 : 0;
    (void)theta;
    for (size_t i = 0; i < p->rows; i++)
        for (size_t j = 0; j < c; j++)
            for (size_t q = 0; q < k; q++) {
                real *x = &p->delta[l][i * to + q * c + j];
                real u = p->delta[l + 1][i * from + j * k + q];
                *x = u + (keep != 0 ? *x : 0);
            }
}

static void flatten_tangent(pass *p, size_t l, const real *theta,
                            const real *const *v, bool inputs) {
    (void)theta;
    (void)v;
    (void)inputs;
    flatten_rows(&p->architecture->layer[l], p->tangents * p->tangent_rows,
                 p->tangent[l], p->tangent[l + 1]);
}

const layer_ops NR(flatten) = {
    .name = "flatten",
    .forward = flatten_forward,
    .backward = flatten_backward,
    .tangent = flatten_tangent,
};

static void add_rows(const pass *p, size_t l, size_t examples, const real *a,
                     const real *b, real *out) {
    size_t channels = p->architecture->layer[l].out.channels;
    size_t stride = pass_stride(p, l + 1);
    size_t rows = examples * pass_positions(p, l + 1);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < channels; j++)
            out[i * stride + j] = a[i * stride + j] + b[i * stride + j];
}

static void sum_forward(pass *p, size_t l, const real *theta) {
    (void)theta;
    add_rows(p, l, p->rows, p->value[l],
             p->value[p->architecture->layer[l].source], p->value[l + 1]);
}

/* The source is shared, so its delta began at zero and grows. */
static void sum_backward(pass *p, size_t l, const real *theta) {
    size_t source = p->architecture->layer[l].source;
    const real *u = p->delta[l + 1];
    (void)theta;
    if (source >= p->architecture->first)
        add_rows(p, l, p->rows, u, p->delta[source], p->delta[source]);
    if (p->architecture->shared[l])
        add_rows(p, l, p->rows, u, p->delta[l], p->delta[l]);
    else
        memcpy(p->delta[l], u, p->rows * pass_size(p, l) * sizeof *u);
}

static void sum_tangent(pass *p, size_t l, const real *theta,
                        const real *const *v, bool inputs) {
    (void)theta;
    (void)v;
    (void)inputs;
    add_rows(p, l, p->tangents * p->tangent_rows, p->tangent[l],
             p->tangent[p->architecture->layer[l].source], p->tangent[l + 1]);
}

const layer_ops NR(sum) = {
    .name = "sum",
    .forward = sum_forward,
    .backward = sum_backward,
    .tangent = sum_tangent,
};
