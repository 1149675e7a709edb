/* z = W (a, 1): the bias is the weight of the ones that follow a. */
#include "network/pass.h"

static const ng_layer *layer_of(const pass *p, size_t l) {
    return &p->architecture->layer[l];
}

static void forward(pass *p, size_t l, const real *theta) {
    const ng_layer *layer = layer_of(p, l);
    NR(gemm_nt)
    (p->rows, layer->rows, layer->columns, 1, p->value[l], layer->columns,
     theta, layer->columns, 0, p->value[l + 1], layer->rows + 1);
}

static void backward(pass *p, size_t l, const real *theta) {
    const ng_layer *layer = layer_of(p, l);
    NR(gemm_nn)
    (p->rows, layer->columns - 1, layer->rows, 1, p->delta[l + 1],
     layer->rows + 1, theta, layer->columns, p->architecture->shared[l] ? 1 : 0,
     p->delta[l], layer->columns);
}

static void gradient(pass *p, size_t l, size_t first, size_t count, real *g) {
    const ng_layer *layer = layer_of(p, l);
    NR(gemm_tn)
    (layer->rows, layer->columns, count, 1,
     p->delta[l + 1] + first * (layer->rows + 1), layer->rows + 1,
     p->value[l] + first * layer->columns, layer->columns, 1, g,
     layer->columns);
}

static void tangent(pass *p, size_t l, const real *theta, const real *const *v,
                    bool inputs) {
    const ng_layer *layer = layer_of(p, l);
    size_t ld = layer->rows + 1, rows = p->tangent_rows;
    real *out = p->tangent[l + 1];
    if (inputs)
        NR(gemm_nt)
    (p->tangents * rows, layer->rows, layer->columns - 1, 1, p->tangent[l],
     layer->columns, theta, layer->columns, 0, out, ld);
    for (size_t k = 0; k < p->tangents; k++)
        NR(gemm_nt)
    (rows, layer->rows, layer->columns, 1, p->value[l], layer->columns,
     v[k] + layer->parameter, layer->columns, inputs ? 1 : 0,
     out + k * rows * ld, ld);
}

static void capture_rows(pass *p, size_t l, size_t group, size_t first,
                         size_t count, capture *out) {
    const ng_layer *layer = layer_of(p, l);
    (void)group;
    *out = (capture){.a = p->value[l] + first * layer->columns,
                     .lda = layer->columns,
                     .g = p->delta[l + 1] + first * (layer->rows + 1),
                     .ldg = layer->rows + 1,
                     .rows = count,
                     .positions = 1};
}

const layer_ops NR(dense) = {
    .name = "dense",
    .forward = forward,
    .backward = backward,
    .gradient = gradient,
    .tangent = tangent,
    .capture = capture_rows,
};
