/* Layer normalisation (Ba, Kiros & Hinton 2016): all values of an example are
 * brought to mean 0 and variance 1, then value r becomes gain_r x + bias_r.
 * Parameters are in the order of a flattened image: channels, positions. */
#include "network/pass.h"

#include <math.h>

typedef struct site {
    const ng_layer *layer;
    size_t channels, positions, stride, size;
    real *scratch; /* of each example: normalised values, 1 / sd */
} site;

static size_t scratch(const ng_layer *layer) {
    return ngi_shape_size(&layer->in) + 1;
}

static site site_of(const pass *p, size_t l) {
    const ng_layer *layer = &p->architecture->layer[l];
    return (site){.layer = layer,
                  .channels = layer->in.channels,
                  .positions = ngi_shape_positions(&layer->in),
                  .stride = pass_stride(p, l),
                  .size = ngi_shape_size(&layer->in),
                  .scratch = p->scratch[l]};
}

static real *normal_of(const site *s, size_t example) {
    return s->scratch + example * (s->size + 1);
}

/* Gain and bias of channel c at position k. */
static inline size_t parameter(const site *s, size_t k, size_t c) {
    return 2 * (c * s->positions + k);
}

static double mean_of(const site *s, const real *x) {
    double sum = 0;
    for (size_t k = 0; k < s->positions; k++)
        for (size_t c = 0; c < s->channels; c++)
            sum += (double)x[k * s->stride + c];
    return sum / (double)s->size;
}

/* Normalised values; 1 / sd behind them. */
static void normalise(const site *s, const real *x, real *normal) {
    double mean = mean_of(s, x), square = 0;
    for (size_t k = 0; k < s->positions; k++)
        for (size_t c = 0; c < s->channels; c++) {
            double centred = (double)x[k * s->stride + c] - mean;
            square += centred * centred;
        }
    double scale = 1 / sqrt(square / (double)s->size + s->layer->epsilon);
    for (size_t k = 0; k < s->positions; k++)
        for (size_t c = 0; c < s->channels; c++)
            normal[k * s->channels + c] =
                (real)(((double)x[k * s->stride + c] - mean) * scale);
    normal[s->size] = (real)scale;
}

static void forward(pass *p, size_t l, const real *theta) {
    site s = site_of(p, l);
    for (size_t i = 0; i < p->rows; i++) {
        size_t start = i * s.positions * s.stride;
        real *normal = normal_of(&s, i), *out = p->value[l + 1] + start;
        normalise(&s, p->value[l] + start, normal);
        for (size_t k = 0; k < s.positions; k++)
            for (size_t c = 0; c < s.channels; c++) {
                const real *own = theta + parameter(&s, k, c);
                out[k * s.stride + c] =
                    own[0] * normal[k * s.channels + c] + own[1];
            }
    }
}

/* The derivative of the normalised values is symmetric: it takes the mean and
 * the part along the values themselves out of t and divides by sd. */
typedef struct projection {
    real mean, along, scale;
} projection;

/* Of gain t, or of t alone where there is no gain. */
static projection project(const site *s, const real *normal, const real *gain,
                          const real *t) {
    double sum = 0, inner = 0;
    for (size_t k = 0; k < s->positions; k++)
        for (size_t c = 0; c < s->channels; c++) {
            double u = (double)t[k * s->stride + c];
            u *= gain ? (double)gain[parameter(s, k, c)] : 1;
            sum += u;
            inner += u * (double)normal[k * s->channels + c];
        }
    return (projection){(real)(sum / (double)s->size),
                        (real)(inner / (double)s->size), normal[s->size]};
}

static inline real projected(const projection *j, real t, real normal) {
    return j->scale * (t - j->mean - normal * j->along);
}

static void backward(pass *p, size_t l, const real *theta) {
    site s = site_of(p, l);
    real keep = p->architecture->shared[l] ? 1 : 0;
    for (size_t i = 0; i < p->rows; i++) {
        size_t start = i * s.positions * s.stride;
        const real *normal = normal_of(&s, i), *u = p->delta[l + 1] + start;
        real *delta = p->delta[l] + start;
        projection j = project(&s, normal, theta, u);
        for (size_t k = 0; k < s.positions; k++)
            for (size_t c = 0; c < s.channels; c++) {
                size_t at = k * s.stride + c;
                real old = keep != 0 ? delta[at] : 0;
                delta[at] =
                    old + projected(&j, theta[parameter(&s, k, c)] * u[at],
                                    normal[k * s.channels + c]);
            }
    }
}

static void gradient(pass *p, size_t l, size_t first, size_t count, real *g) {
    site s = site_of(p, l);
    for (size_t i = first; i < first + count; i++) {
        const real *normal = normal_of(&s, i);
        const real *u = p->delta[l + 1] + i * s.positions * s.stride;
        for (size_t k = 0; k < s.positions; k++)
            for (size_t c = 0; c < s.channels; c++) {
                real *own = g + parameter(&s, k, c);
                own[0] += u[k * s.stride + c] * normal[k * s.channels + c];
                own[1] += u[k * s.stride + c];
            }
    }
}

/* One example: t is NULL where the inputs do not move. */
static void tangent_example(const site *s, const real *theta, const real *v,
                            const real *normal, const real *t, real *out) {
    projection j = {0, 0, 0};
    if (t)
        j = project(s, normal, NULL, t);
    for (size_t k = 0; k < s->positions; k++)
        for (size_t c = 0; c < s->channels; c++) {
            size_t at = k * s->stride + c, own = parameter(s, k, c);
            real x = normal[k * s->channels + c];
            real moved = t ? theta[own] * projected(&j, t[at], x) : 0;
            out[at] = moved + v[own] * x + v[own + 1];
        }
}

static void tangent(pass *p, size_t l, const real *theta, const real *const *v,
                    bool inputs) {
    site s = site_of(p, l);
    size_t size = s.positions * s.stride;
    for (size_t k = 0; k < p->tangents; k++)
        for (size_t i = 0; i < p->tangent_rows; i++) {
            size_t start = (k * p->tangent_rows + i) * size;
            tangent_example(&s, theta, v[k] + s.layer->parameter,
                            normal_of(&s, i),
                            inputs ? p->tangent[l] + start : NULL,
                            p->tangent[l + 1] + start);
        }
}

const layer_ops NR(layer_norm) = {
    .name = "layer-norm",
    .scratch = scratch,
    .forward = forward,
    .backward = backward,
    .gradient = gradient,
    .tangent = tangent,
};
