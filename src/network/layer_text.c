/* What layers, activations and initialisations are called, and layers as
 * people read them. */
#include "network/architecture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY(name, key) key,
static const char *const ACTIVATIONS[] = {NG_ACTIVATION_LIST(KEY)};
static const char *const LAYERS[] = {NG_LAYER_LIST(KEY)};
static const char *const INITS[] = {NG_INIT_LIST(KEY)};
#undef KEY

#define COUNT(table) (sizeof(table) / sizeof *(table))

static size_t find(const char *const *table, size_t count, const char *text,
                   size_t length) {
    size_t i = 0;
    while (i < count &&
           (strlen(table[i]) != length || memcmp(table[i], text, length) != 0))
        i++;
    return i;
}

const char *ngi_activation_name(ng_activation activation) {
    return ACTIVATIONS[activation];
}

const char *ngi_layer_name(ng_layer_kind kind) {
    return LAYERS[kind];
}

const char *ngi_init_name(ng_init init) {
    return INITS[init];
}

bool ngi_activation_find(const char *text, size_t length, ng_activation *out) {
    size_t i = find(ACTIVATIONS, COUNT(ACTIVATIONS), text, length);
    if (i < COUNT(ACTIVATIONS))
        *out = (ng_activation)i;
    return i < COUNT(ACTIVATIONS);
}

bool ngi_layer_find(const char *text, size_t length, ng_layer_kind *out) {
    static const char *const pool[] = {"pool"};
    size_t i = find(LAYERS, COUNT(LAYERS), text, length);
    if (find(pool, 1, text, length) == 0)
        i = NG_LAYER_MAX_POOL;
    if (i >= COUNT(LAYERS) || i == NG_LAYER_SUM)
        return false;
    *out = (ng_layer_kind)i;
    return true;
}

bool ngi_init_find(const char *text, size_t length, ng_init *out) {
    size_t i = find(INITS, COUNT(INITS), text, length);
    if (i < COUNT(INITS))
        *out = (ng_init)i;
    return i < COUNT(INITS);
}

void ngi_activation_names(char out[NGI_NAMES_BYTES]) {
    size_t used = 0;
    for (size_t i = 0; i < COUNT(ACTIVATIONS) && used < NGI_NAMES_BYTES; i++)
        used += (size_t)snprintf(out + used, NGI_NAMES_BYTES - used, "%s%s",
                                 i ? ", " : "", ACTIVATIONS[i]);
}

const char *ngi_layer_shape_text(const ng_shape *s, char out[NGI_SHAPE_BYTES]) {
    if (ngi_shape_flat(s))
        snprintf(out, NGI_SHAPE_BYTES, "%zu", s->channels);
    else
        snprintf(out, NGI_SHAPE_BYTES, "%zu x %zu x %zu", s->channels,
                 s->height, s->width);
    return out;
}

const char *ngi_slope_text(double slope, char out[NGI_SLOPE_BYTES]) {
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(out, NGI_SLOPE_BYTES, "%.*g", digits, slope);
        if (strtod(out, NULL) == slope)
            break;
    }
    return out;
}

/* ---- How an architecture is written ---- */

bool ngi_layer_attached(const ngi_architecture *a, size_t l) {
    const ng_layer *layer = &a->layer[l];
    return layer->kind == NG_LAYER_ACTIVATION && l > 0 &&
           layer[-1].item == layer->item &&
           layer[-1].kind != NG_LAYER_ACTIVATION;
}

bool ngi_layer_implied(const ngi_architecture *a, size_t l) {
    const ng_layer *layer = &a->layer[l];
    return layer->kind == NG_LAYER_FLATTEN && l + 1 < a->layers &&
           layer[1].kind == NG_LAYER_DENSE && layer[1].item == layer->item;
}

size_t ngi_architecture_hidden(const ngi_architecture *a) {
    size_t hidden = a->layers;
    while (hidden > 0 && a->layer[hidden - 1].item == 0)
        hidden--;
    return hidden;
}

size_t ngi_layer_opens(const ngi_architecture *a, size_t l) {
    size_t count = 0;
    for (size_t i = l + 1; i < a->layers; i++)
        count += a->layer[i].kind == NG_LAYER_SUM && a->layer[i].source == l;
    return count;
}

/* ---- One layer ---- */

/* "kernel", and what is not usual about how it moves. */
static void window_text(const ng_layer *layer, char *out, size_t size) {
    const size_t *stride = layer->stride, *padding = layer->padding;
    size_t used = (size_t)snprintf(out, size, ", %zu x %zu", layer->kernel[0],
                                   layer->kernel[1]);
    bool conv = layer->kind == NG_LAYER_CONV;
    if (stride[0] != (conv ? 1 : layer->kernel[0]) ||
        stride[1] != (conv ? 1 : layer->kernel[1]))
        used += (size_t)snprintf(out + used, size - used, ", stride %zu x %zu",
                                 stride[0], stride[1]);
    if (padding[0] || padding[1])
        used += (size_t)snprintf(out + used, size - used, ", padding %zu x %zu",
                                 padding[0], padding[1]);
    if (conv && layer->groups != 1)
        snprintf(out + used, size - used, ", %zu groups", layer->groups);
}

void ng_layer_text(const ng_layer *layer, char *out, size_t size) {
    char in[NGI_SHAPE_BYTES], after[NGI_SHAPE_BYTES], window[256] = "";
    char slope[NGI_SLOPE_BYTES];
    const char *name = LAYERS[layer->kind];
    ngi_layer_shape_text(&layer->in, in);
    ngi_layer_shape_text(&layer->out, after);
    switch (layer->kind) {
    case NG_LAYER_LAYER_NORM:
        snprintf(out, size, "%s %s", name, in);
        break;
    case NG_LAYER_SUM:
        snprintf(out, size, "%s %s, with value %zu", name, in, layer->source);
        break;
    case NG_LAYER_ACTIVATION:
        if (layer->activation == NG_LEAKY_RELU)
            snprintf(window, sizeof window, ", slope %s",
                     ngi_slope_text(layer->slope, slope));
        snprintf(out, size, "%s %s%s", ACTIVATIONS[layer->activation], in,
                 window);
        break;
    case NG_LAYER_EMBEDDING:
        snprintf(out, size, "%s %s -> %s, %zu x %zu", name, in, after,
                 layer->rows, layer->columns);
        break;
    default:
        if (layer->kernel[0])
            window_text(layer, window, sizeof window);
        snprintf(out, size, "%s %s -> %s%s", name, in, after, window);
        break;
    }
}
