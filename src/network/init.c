/* Initial weights. Every layer draws from a stream of its own, so that a
 * layer's weights depend on the seed, its position and its sizes alone. */
#include "network/architecture.h"

#include <math.h>

/* Nonzero weights of a unit (Martens 2010). */
enum { SPARSE_WEIGHTS = 15 };

/* ---- Which one, where none was asked for ---- */

static bool rectifies(ng_activation activation) {
    return activation == NG_RELU || activation == NG_LEAKY_RELU ||
           activation == NG_GELU || activation == NG_SILU;
}

static bool has_weights(const ng_layer *layer) {
    return layer->kind == NG_LAYER_DENSE || layer->kind == NG_LAYER_CONV;
}

/* The activation that what layer l computes runs into, through layers that
 * keep its scale; NULL if weights or the end come first. */
static const ng_layer *activation_after(const ngi_architecture *a, size_t l) {
    for (size_t i = l + 1; i < a->layers && !has_weights(&a->layer[i]); i++) {
        if (a->layer[i].kind == NG_LAYER_ACTIVATION)
            return &a->layer[i];
    }
    return NULL;
}

static bool has_rectifiers(const ngi_architecture *a) {
    for (size_t l = 0; l < a->layers; l++) {
        if (a->layer[l].kind == NG_LAYER_ACTIVATION &&
            rectifies(a->layer[l].activation))
            return true;
    }
    return false;
}

/* A linear layer, such as the output, goes by what the rest of the network
 * has: behind rectifiers its outputs keep the variance of its inputs. */
static ng_init choose(const ngi_architecture *a, size_t l) {
    const ng_layer *after = activation_after(a, l);
    if (after && rectifies(after->activation))
        return NG_INIT_HE;
    if (!after && has_rectifiers(a))
        return NG_INIT_LECUN;
    return NG_INIT_GLOROT;
}

/* ---- Filling ---- */

static double uniform(ng_rng *rng, double half_width) {
    return half_width * (2 * ng_rng_uniform(rng) - 1);
}

/* `most` distinct places of a row of n > most, by Floyd's algorithm (Bentley &
 * Floyd 1987): most draws, every subset equally likely. */
static void sparse_row(ng_rng *rng, size_t n, double *row) {
    size_t chosen[SPARSE_WEIGHTS];
    for (size_t i = 0; i < SPARSE_WEIGHTS; i++) {
        size_t last = n - SPARSE_WEIGHTS + i;
        size_t place = (size_t)(ng_rng_uniform(rng) * (double)(last + 1));
        bool taken = place > last;
        for (size_t j = 0; j < i; j++)
            taken |= chosen[j] == place;
        chosen[i] = taken ? last : place;
        row[chosen[i]] = ng_rng_normal(rng);
    }
}

static void fill_row(ng_rng *rng, ng_init init, size_t in, size_t out,
                     double *row) {
    double width = sqrt(6 / ((double)in + (double)out)), sd = 1;
    if (init == NG_INIT_SPARSE && in > SPARSE_WEIGHTS) {
        sparse_row(rng, in, row);
        return;
    }
    if (init == NG_INIT_HE)
        sd = sqrt(2 / (double)in);
    if (init == NG_INIT_LECUN)
        sd = 1 / sqrt((double)in);
    if (init == NG_INIT_TORCH)
        width = 1 / sqrt((double)in);
    bool flat = init == NG_INIT_GLOROT || init == NG_INIT_TORCH;
    for (size_t j = 0; j < in; j++)
        row[j] = flat ? uniform(rng, width) : sd * ng_rng_normal(rng);
    if (init == NG_INIT_TORCH)
        row[in] = uniform(rng, width);
}

/* Fans of a convolution count the kernel's positions, those of one group. */
static void fill_weights(const ng_layer *layer, ng_init init, ng_rng *rng,
                         double *theta) {
    size_t in = layer->columns - 1, out = layer->rows;
    if (layer->kind == NG_LAYER_CONV)
        out = layer->kernel[0] * layer->kernel[1] *
              (layer->out.channels / layer->groups);
    for (size_t r = 0; r < layer->rows; r++)
        fill_row(rng, init, in, out, theta + r * layer->columns);
}

static void fill(const ngi_architecture *a, size_t l, int init, ng_rng *rng,
                 double *theta) {
    const ng_layer *layer = &a->layer[l];
    for (size_t i = 0; i < layer->parameters; i++)
        theta[i] = 0;
    if (has_weights(layer))
        fill_weights(layer, init < 0 ? choose(a, l) : (ng_init)init, rng,
                     theta);
    if (layer->kind == NG_LAYER_LAYER_NORM) {
        for (size_t r = 0; r < layer->rows; r++)
            theta[2 * r] = 1;
    }
    if (layer->kind == NG_LAYER_EMBEDDING) {
        for (size_t i = 0; i < layer->parameters; i++)
            theta[i] = ng_rng_normal(rng);
    }
}

void ngi_architecture_init(const ngi_architecture *a, int init, uint64_t seed,
                           double *theta) {
    for (size_t l = 0; l < a->layers; l++) {
        ng_rng rng;
        ng_rng_init(&rng, seed, l);
        fill(a, l, init, &rng, theta + a->layer[l].parameter);
    }
}
