/* Each input is an index and becomes a row of the table. */
#include "network/pass.h"

#include <string.h>

typedef struct site {
    const ng_layer *layer;
    size_t indices, width; /* inputs of an example; numbers one becomes */
    size_t in_stride, out_stride;
    const real *input;
} site;

static site site_of(const pass *p, size_t l) {
    const ng_layer *layer = &p->architecture->layer[l];
    return (site){.layer = layer,
                  .indices = layer->in.channels,
                  .width = layer->columns,
                  .in_stride = pass_stride(p, l),
                  .out_stride = pass_stride(p, l + 1),
                  .input = p->value[l]};
}

/* Where in the table input j of an example begins. */
static size_t entry(const site *s, size_t example, size_t j) {
    return (size_t)s->input[example * s->in_stride + j] * s->width;
}

static void look_up(const site *s, const real *table, size_t examples,
                    real *out) {
    for (size_t i = 0; i < examples; i++)
        for (size_t j = 0; j < s->indices; j++)
            memcpy(out + i * s->out_stride + j * s->width,
                   table + entry(s, i, j), s->width * sizeof *out);
}

static void forward(pass *p, size_t l, const real *theta) {
    site s = site_of(p, l);
    look_up(&s, theta, p->rows, p->value[l + 1]);
}

/* Indices do not move. */
static void backward(pass *p, size_t l, const real *theta) {
    (void)theta;
    if (!p->architecture->shared[l])
        memset(p->delta[l], 0, p->rows * pass_size(p, l) * sizeof(real));
}

static void gradient(pass *p, size_t l, size_t first, size_t count, real *g) {
    site s = site_of(p, l);
    for (size_t i = first; i < first + count; i++)
        for (size_t j = 0; j < s.indices; j++)
            NR(axpby)
    (s.width, 1, p->delta[l + 1] + i * s.out_stride + j * s.width, 1,
     g + entry(&s, i, j));
}

static void tangent(pass *p, size_t l, const real *theta, const real *const *v,
                    bool inputs) {
    site s = site_of(p, l);
    (void)theta;
    (void)inputs;
    for (size_t k = 0; k < p->tangents; k++)
        look_up(&s, v[k] + s.layer->parameter, p->tangent_rows,
                p->tangent[l + 1] + k * p->tangent_rows * s.out_stride);
}

const layer_ops NR(embedding) = {
    .name = "embedding",
    .forward = forward,
    .backward = backward,
    .gradient = gradient,
    .tangent = tangent,
};
