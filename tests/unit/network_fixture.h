/* What the tests of a network's parts share: a small network with a batch, in
 * double precision, and a pass through it. */
#ifndef NETWORK_FIXTURE_H
#define NETWORK_FIXTURE_H

#ifndef NGI_DOUBLE
#define NGI_DOUBLE 1
#endif
#include "network/pass.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* More examples than a pass has rows, more rows than tangents: nothing may be
 * taken for anything else. */
enum { CAPACITY = 6, ROWS = 5, TANGENT_ROWS = 4, FIRST_ROW = 1 };

typedef struct net_case {
    const char *layers;
    ng_shape input;
    const char *family; /* NULL: normal of two targets */
    size_t levels, targets;
    bool own; /* every sum adds its own input instead */
} net_case;

typedef struct net {
    ng_ctx *ctx;
    ngi_architecture *a;
    pass *p;
    double *theta;
    ng_array x, y;
    ng_rng rng;
} net;

static inline void fill_normal(ng_rng *rng, size_t n, double scale,
                               double *out) {
    for (size_t i = 0; i < n; i++)
        out[i] = scale * ng_rng_normal(rng);
}

static inline double *normals(net *n, size_t count, double scale) {
    double *out = calloc(count + 1, sizeof *out);
    ck_assert_ptr_nonnull(out);
    fill_normal(&n->rng, count, scale, out);
    return out;
}

/* Each sum adds its own input: what no specification can say. */
static inline void add_own_inputs(ngi_architecture *a) {
    for (size_t v = 0; v < a->layers; v++)
        a->shared[v] = a->layer[v].kind == NG_LAYER_SUM;
    for (size_t l = 0; l < a->layers; l++)
        if (a->layer[l].kind == NG_LAYER_SUM)
            a->layer[l].source = l;
}

/* Weights that keep values of order 1, gains about 1. */
static inline void draw_theta(net *n) {
    n->theta = normals(n, n->a->dim, 1);
    for (size_t l = 0; l < n->a->layers; l++) {
        const ng_layer *layer = &n->a->layer[l];
        double *own = n->theta + layer->parameter;
        bool gains = layer->kind == NG_LAYER_LAYER_NORM;
        double scale = 1 / sqrt(gains ? 16 : (double)layer->columns);
        for (size_t i = 0; i < layer->parameters; i++)
            own[i] = scale * own[i] + (gains && i % 2 == 0 ? 1 : 0);
    }
}

/* Labels from the family itself, at parameters near 0. */
static inline void draw_targets(net *n) {
    const ng_family *f = &n->a->family;
    size_t rows = n->y.shape[0] * n->a->replicates;
    double *z = normals(n, rows * f->dim_z, 0.5);
    double *work = calloc(ng_family_work(f) + 1, sizeof *work);
    ck_assert_ptr_nonnull(work);
    f->ops->sample(f, rows, z, &n->rng, n->y.data, work);
    free(work);
    free(z);
}

static inline void draw_inputs(net *n) {
    size_t width = ngi_shape_size(&n->a->input);
    double *x = n->x.data;
    const ng_layer *layer = &n->a->layer[0];
    fill_normal(&n->rng, n->x.shape[0] * width, 1, x);
    if (layer->kind != NG_LAYER_EMBEDDING)
        return;
    for (size_t i = 0; i < n->x.shape[0] * width; i++)
        x[i] = floor(ng_rng_uniform(&n->rng) * (double)layer->vocabulary);
}

static inline void net_forward(net *n) {
    ngi_pass_forward_f64(n->p, n->theta);
}

static inline net net_make(const net_case *c) {
    net n = {0};
    const ng_network_options options = {.layers = c->layers,
                                        .input = c->input,
                                        .family =
                                            c->family ? c->family : "normal",
                                        .levels = c->levels,
                                        .targets = c->targets  ? c->targets
                                                   : c->levels ? 1
                                                               : 2,
                                        .init = -1};
    const size_t x_shape[] = {CAPACITY + 2, ngi_shape_size(&c->input)};
    ng_rng_init(&n.rng, 7, strlen(c->layers));
    ck_assert_int_eq(ng_ctx_create(NULL, &n.ctx), NG_OK);
    ck_assert_msg(ngi_architecture_create(n.ctx, &options, &n.a) == NG_OK, "%s",
                  ng_error(n.ctx));
    const size_t y_shape[] = {x_shape[0], n.a->targets};
    if (c->own)
        add_own_inputs(n.a);
    draw_theta(&n);
    ck_assert_int_eq(ng_array_create(n.ctx, NG_F64, 2, x_shape, &n.x), NG_OK);
    ck_assert_int_eq(ng_array_create(n.ctx, NG_F64, 2, y_shape, &n.y), NG_OK);
    n.x.scale = n.y.scale = 1;
    draw_inputs(&n);
    draw_targets(&n);
    ck_assert_int_eq(ngi_pass_create_f64(n.a, CAPACITY, TANGENT_ROWS, &n.p),
                     NG_OK);
    return n;
}

/* Of ROWS rows; points into `n`. */
static inline ng_batch batch_of(const net *n) {
    return (ng_batch){
        .x = &n->x, .y = &n->y, .count = ROWS, .first = FIRST_ROW};
}

static inline void net_start(net *n) {
    const ng_batch batch = batch_of(n);
    ngi_pass_gather_f64(n->p, &batch, 0, 0, ROWS);
    net_forward(n);
}

static inline void net_free(net *n) {
    ngi_pass_destroy_f64(&n->p);
    ng_array_free(n->ctx, &n->x);
    ng_array_free(n->ctx, &n->y);
    ngi_architecture_destroy(&n->a);
    free(n->theta);
    ng_ctx_destroy(&n->ctx);
}

/* Output j of row i. */
static inline double net_output(const net *n, size_t i, size_t j) {
    size_t last = n->a->layers;
    return n->p->value[last][i * pass_stride(n->p, last) + j];
}

static inline double *last_delta(const net *n, size_t i) {
    size_t last = n->a->layers;
    return n->p->delta[last] + i * pass_stride(n->p, last);
}

/* Central differences of f at step h and at 2h: the truncation error is c h^2
 * and 4 c h^2, so that their difference is three times the first one's; and
 * what f rounds is divided by h. Around h = eps^(1/3) the two are of one size,
 * eps^(2/3). */
static const double DIFFERENCE_STEP = 6e-6;
typedef struct slope {
    double value, error;
} slope;

/* f at 2h, h, -h, -2h; `roundings` as a multiple of DBL_EPSILON. */
static inline slope slope_of(const double f[4], double roundings) {
    double near = (f[1] - f[2]) / (2 * DIFFERENCE_STEP);
    double far = (f[0] - f[3]) / (4 * DIFFERENCE_STEP);
    return (slope){near, fabs(far - near) +
                             roundings * DBL_EPSILON / DIFFERENCE_STEP};
}

static const double DIFFERENCE_AT[4] = {2, 1, -1, -2};

#endif
