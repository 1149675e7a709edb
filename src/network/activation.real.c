/* Elementwise functions. Where the derivative can be told from the output, it
 * is, so that the output may lie where the input was. */
#include "network/pass.h"

#include <math.h>
#include <string.h>

static const double SQRT_HALF = 0.70710678118654752440;
static const double NORMAL_PEAK = 0.39894228040143267794; /* 1/sqrt(2 pi) */

#if NGI_DOUBLE
#define ERF   erf
#define EXP   exp
#define EXPM1 expm1
#else
#define ERF   erff
#define EXP   expf
#define EXPM1 expm1f
#endif

NGI_VECTOR static void rectify(size_t n, real slope, const real *x, real *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] > 0 ? x[i] : slope * x[i];
}

static void apply(const ng_layer *layer, size_t n, const real *x, real *y) {
    switch (layer->activation) {
    case NG_RELU:
        rectify(n, 0, x, y);
        break;
    case NG_LEAKY_RELU:
        rectify(n, (real)layer->slope, x, y);
        break;
    case NG_GELU:
        for (size_t i = 0; i < n; i++)
            y[i] = (real)0.5 * x[i] * (1 + ERF(x[i] * (real)SQRT_HALF));
        break;
    case NG_SILU:
        for (size_t i = 0; i < n; i++)
            y[i] = x[i] / (1 + EXP(-x[i]));
        break;
    case NG_TANH:
        NR(tanh)(n, x, y);
        break;
    case NG_SIGMOID:
        NR(sigmoid)(n, x, y);
        break;
    case NG_SOFTPLUS:
        NR(softplus)(n, x, y);
        break;
    case NG_IDENTITY:
        memcpy(y, x, n * sizeof *y);
        break;
    }
}

NGI_VECTOR static void chain_tanh(size_t n, const real *y, const real *u,
                                  real *out) {
    for (size_t i = 0; i < n; i++)
        out[i] = u[i] * (1 - y[i] * y[i]);
}

NGI_VECTOR static void chain_sigmoid(size_t n, const real *y, const real *u,
                                     real *out) {
    for (size_t i = 0; i < n; i++)
        out[i] = u[i] * y[i] * (1 - y[i]);
}

/* A rectifier's input and output have the same sign. */
NGI_VECTOR static void chain_relu(size_t n, real slope, const real *s,
                                  const real *u, real *out) {
    for (size_t i = 0; i < n; i++)
        out[i] = s[i] > 0 ? u[i] : slope * u[i];
}

/* out = u f'(x), y = f(x). */
static void chain(const ng_layer *layer, size_t n, const real *x, const real *y,
                  const real *u, real *out) {
    switch (layer->activation) {
    case NG_RELU:
        chain_relu(n, 0, y, u, out);
        break;
    case NG_LEAKY_RELU:
        chain_relu(n, (real)layer->slope, layer->slope >= 0 ? y : x, u, out);
        break;
    case NG_GELU:
        for (size_t i = 0; i < n; i++) {
            real cdf = (real)0.5 * (1 + ERF(x[i] * (real)SQRT_HALF));
            real pdf = (real)NORMAL_PEAK * EXP((real)-0.5 * x[i] * x[i]);
            out[i] = u[i] * (cdf + x[i] * pdf);
        }
        break;
    case NG_SILU:
        for (size_t i = 0; i < n; i++) {
            real s = 1 / (1 + EXP(-x[i]));
            out[i] = u[i] * s * (1 + x[i] * (1 - s));
        }
        break;
    case NG_TANH:
        chain_tanh(n, y, u, out);
        break;
    case NG_SIGMOID:
        chain_sigmoid(n, y, u, out);
        break;
    case NG_SOFTPLUS: /* sigmoid(x) = 1 - e^-y */
        for (size_t i = 0; i < n; i++)
            out[i] = -u[i] * EXPM1(-y[i]);
        break;
    case NG_IDENTITY:
        memmove(out, u, n * sizeof *out);
        break;
    }
}

/* The rows of a value that hold one run of numbers each: a flat value's ones
 * must be left alone, an image has none. */
typedef struct runs {
    size_t count, length, stride;
} runs;

static runs runs_of(const pass *p, size_t value, size_t examples) {
    const ng_shape *s = ngi_value_shape(p->architecture, value);
    size_t stride = ngi_value_stride(s);
    if (ngi_shape_flat(s))
        return (runs){examples, s->channels, stride};
    return (runs){1, examples * ngi_shape_size(s), 0};
}

static void forward(pass *p, size_t l, const real *theta) {
    const ng_layer *layer = &p->architecture->layer[l];
    runs r = runs_of(p, l, p->rows);
    (void)theta;
    for (size_t i = 0; i < r.count; i++)
        apply(layer, r.length, p->value[l] + i * r.stride,
              p->value[l + 1] + i * r.stride);
}

static void backward(pass *p, size_t l, const real *theta) {
    const ng_layer *layer = &p->architecture->layer[l];
    runs r = runs_of(p, l, p->rows);
    (void)theta;
    for (size_t i = 0; i < r.count; i++) {
        size_t at = i * r.stride;
        real *u = p->delta[l + 1] + at;
        if (!p->architecture->shared[l]) {
            chain(layer, r.length, p->value[l] + at, p->value[l + 1] + at, u,
                  p->delta[l] + at);
            continue;
        }
        chain(layer, r.length, p->value[l] + at, p->value[l + 1] + at, u, u);
        NR(axpby)(r.length, 1, u, 1, p->delta[l] + at);
    }
}

static void tangent(pass *p, size_t l, const real *theta, const real *const *v,
                    bool inputs) {
    const ng_layer *layer = &p->architecture->layer[l];
    runs r = runs_of(p, l, p->tangent_rows);
    size_t size = p->tangent_rows * pass_size(p, l);
    (void)theta;
    (void)v;
    (void)inputs; /* an activation before any parameters: zero stays zero */
    for (size_t k = 0; k < p->tangents; k++)
        for (size_t i = 0; i < r.count; i++) {
            size_t at = i * r.stride;
            chain(layer, r.length, p->value[l] + at, p->value[l + 1] + at,
                  p->tangent[l] + k * size + at,
                  p->tangent[l + 1] + k * size + at);
        }
}

const layer_ops NR(activation) = {
    .name = "activation",
    .forward = forward,
    .backward = backward,
    .tangent = tangent,
};
