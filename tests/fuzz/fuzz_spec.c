/* Layers of a network from memory, as one line or as JSON by the first byte:
 * what is read must hold together, and be read again from what is written. */
#include "network/architecture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* More parameters than this are not drawn. */
enum { PARAMETERS_MOST = 100000 };

static void check_layers(const ngi_architecture *a) {
    size_t dim = 0;
    char text[512];
    for (size_t l = 0; l < a->layers; l++) {
        const ng_layer *layer = &a->layer[l];
        ng_layer_text(layer, text, sizeof text);
        if (layer->parameter != dim || !ngi_shape_size(&layer->out) ||
            layer->parameters != layer->rows * layer->columns ||
            memcmp(&layer->in, ngi_value_shape(a, l), sizeof layer->in) != 0)
            abort();
        if (layer->kind == NG_LAYER_SUM &&
            (layer->source >= l || !a->shared[layer->source]))
            abort();
        dim += layer->parameters;
    }
    if (dim != a->dim || !a->layer[a->first].parameters)
        abort();
}

static void check_weights(const ngi_architecture *a) {
    double *theta = malloc(PARAMETERS_MOST * sizeof *theta);
    if (theta && a->dim <= PARAMETERS_MOST) {
        ngi_architecture_init(a, -1, 1, theta);
        for (size_t i = 0; i < a->dim; i++)
            if (!isfinite(theta[i]))
                abort();
    }
    free(theta);
}

static void check_same(const ngi_architecture *a, const ngi_architecture *b) {
    if (strcmp(a->text, b->text) != 0 || a->dim != b->dim ||
        a->layers != b->layers)
        abort();
}

/* Through text and through JSON. */
static void check_round_trips(const ngi_architecture *a,
                              const ng_network_options *options) {
    ng_network_options again = *options;
    ngi_architecture *b;
    again.layers = a->text;
    if (ngi_architecture_create(a->ctx, &again, &b) != NG_OK)
        abort();
    check_same(a, b);
    ngi_architecture_destroy(&b);
    json_t *json = ngi_architecture_to_json(a);
    if (!json || ngi_architecture_create_json(a->ctx, options, "fuzz", json,
                                              &b) != NG_OK)
        abort();
    check_same(a, b);
    json_decref(json);
    ngi_architecture_destroy(&b);
}

/* Text that names a file is none to parse. */
static ng_status create_text(ng_ctx *ctx, const uint8_t *data, size_t size,
                             ng_network_options *options,
                             ngi_architecture **a) {
    char *text = malloc(size + 2);
    if (!text)
        abort();
    memcpy(text, data, size);
    memcpy(text + size, " ", 2);
    options->layers = text;
    ng_status status = ngi_architecture_create(ctx, options, a);
    options->layers = NULL;
    free(text);
    return status;
}

static ng_status create_json(ng_ctx *ctx, const uint8_t *data, size_t size,
                             const ng_network_options *options,
                             ngi_architecture **a) {
    json_t *json =
        json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    *a = NULL;
    if (!json)
        return NG_OK;
    ng_status status =
        ngi_architecture_create_json(ctx, options, "fuzz", json, a);
    json_decref(json);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ng_network_options options = {
        .input = {3, 1, 1}, .family = "gaussian", .targets = 2, .init = -1};
    ng_ctx *ctx;
    ngi_architecture *a;
    if (!size || ng_ctx_create(NULL, &ctx) != NG_OK)
        return 0;
    if (data[0] & 2)
        options.input.height = options.input.width = 9;
    ng_status status = data[0] & 1
                           ? create_json(ctx, data + 1, size - 1, &options, &a)
                           : create_text(ctx, data + 1, size - 1, &options, &a);
    if (status != NG_OK && (a || !*ng_error(ctx)))
        abort();
    if (a) {
        check_layers(a);
        check_weights(a);
        check_round_trips(a, &options);
    }
    ngi_architecture_destroy(&a);
    ng_ctx_destroy(&ctx);
    return 0;
}
