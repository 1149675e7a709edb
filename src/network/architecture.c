/* Layers put on top of each other: what fits, what comes out, where the
 * parameters are, and the output layer that a family asks for. */
#include "network/architecture.h"

#include "data/input.h"
#include "data/text.h"

#include <stdio.h>
#include <string.h>

enum { OUTPUT_LAYERS_MOST = 2 }; /* a flatten and a dense layer */

ng_status ngi_architecture_fail(ngi_architecture *a, const char *source,
                                size_t item, const char *format, ...) {
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (item == 0)
        return ngi_fail(a->ctx, NG_EUSAGE, "%s: the output layer: %s", source,
                        what);
    ngi_shown text = ngi_show(a->item_text ? a->item_text : "", a->item_length);
    return ngi_fail(a->ctx, NG_EUSAGE, "%s: item %zu, '%s': %s", source, item,
                    text.text, what);
}

ng_layer ngi_layer_default(ng_layer_kind kind, size_t item) {
    ng_layer layer = {.kind = kind, .item = item, .groups = 1};
    if (kind == NG_LAYER_CONV)
        layer.stride[0] = layer.stride[1] = 1;
    return layer;
}

ng_status ngi_layer_pad_same(ngi_architecture *a, const char *source,
                             ng_layer *layer) {
    for (size_t i = 0; i < 2; i++) {
        size_t kernel = layer->kernel[i];
        if (kernel % 2 == 0 || layer->stride[i] != 1)
            return ngi_architecture_fail(
                a, source, layer->item,
                "padding to the same size needs an odd kernel and a stride "
                "of 1; the kernel is %zu x %zu, the stride %zu x %zu",
                layer->kernel[0], layer->kernel[1], layer->stride[0],
                layer->stride[1]);
        layer->padding[i] = (kernel - 1) / 2;
    }
    return NG_OK;
}

/* *product *= factor, unless that is more than any size may be. */
static bool multiply(size_t *product, size_t factor) {
    if (factor != 0 && *product > NGI_SIZE_MOST / factor)
        return false;
    *product *= factor;
    return true;
}

static bool shape_allowed(const ng_shape *s) {
    size_t size = s->channels;
    return s->channels && s->height && s->width && size <= NGI_SIZE_MOST &&
           multiply(&size, s->height) && multiply(&size, s->width);
}

/* ---- One layer on top of what is there ---- */

/* What a layer is derived with. */
typedef struct site {
    ngi_architecture *a;
    const char *source;
    ng_layer *layer;
} site;

static ng_status fail_flat(const site *s) {
    char in[NGI_SHAPE_BYTES];
    return ngi_architecture_fail(
        s->a, s->source, s->layer->item,
        "its input is a flat vector of %s values, but it needs an image: give "
        "the shape, channels x height x width",
        ngi_layer_shape_text(&s->layer->in, in));
}

/* The floor formula for a window that slides over the padded input. */
static ng_status slide(const site *s) {
    ng_layer *layer = s->layer;
    size_t in[2] = {layer->in.height, layer->in.width}, out[2];
    char shape[NGI_SHAPE_BYTES];
    for (size_t i = 0; i < 2; i++) {
        size_t padded = in[i] + 2 * layer->padding[i];
        if (layer->kernel[i] > padded)
            return ngi_architecture_fail(
                s->a, s->source, layer->item,
                "the kernel is larger than its%s input of %s",
                layer->padding[0] || layer->padding[1] ? " padded" : "",
                ngi_layer_shape_text(&(ng_shape){layer->in.channels,
                                                 in[0] + 2 * layer->padding[0],
                                                 in[1] + 2 * layer->padding[1]},
                                     shape));
        out[i] = (padded - layer->kernel[i]) / layer->stride[i] + 1;
    }
    layer->out.height = out[0];
    layer->out.width = out[1];
    return NG_OK;
}

static ng_status derive_conv(const site *s) {
    ng_layer *layer = s->layer;
    size_t inputs = layer->kernel[0];
    if (ngi_shape_flat(&layer->in))
        return fail_flat(s);
    if (layer->in.channels % layer->groups ||
        layer->out.channels % layer->groups)
        return ngi_architecture_fail(
            s->a, s->source, layer->item,
            "%zu groups must divide both the %zu channels of its input and the "
            "%zu of its output",
            layer->groups, layer->in.channels, layer->out.channels);
    NG_TRY(slide(s));
    if (!multiply(&inputs, layer->kernel[1]) ||
        !multiply(&inputs, layer->in.channels / layer->groups))
        return ngi_architecture_fail(s->a, s->source, layer->item,
                                     "the kernel is too large");
    layer->rows = layer->out.channels;
    layer->columns = inputs + 1;
    return NG_OK;
}

static ng_status derive_pool(const site *s) {
    ng_layer *layer = s->layer;
    size_t in[2] = {layer->in.height, layer->in.width};
    if (ngi_shape_flat(&layer->in))
        return fail_flat(s);
    for (size_t i = 0; i < 2; i++) {
        layer->kernel[i] = layer->kernel[i] ? layer->kernel[i] : in[i];
        layer->stride[i] =
            layer->stride[i] ? layer->stride[i] : layer->kernel[i];
        if (layer->padding[i] > layer->kernel[i] / 2)
            return ngi_architecture_fail(
                s->a, s->source, layer->item,
                "the padding of a pool is at most half its kernel; here it is "
                "%zu x %zu and the kernel %zu x %zu",
                layer->padding[0], layer->padding[1], layer->kernel[0],
                layer->kernel[1]);
    }
    layer->out.channels = layer->in.channels;
    return slide(s);
}

static ng_status derive_embedding(const site *s) {
    ng_layer *layer = s->layer;
    size_t out = layer->in.channels;
    if (s->a->layers != 0)
        return ngi_architecture_fail(
            s->a, s->source, layer->item,
            "an embedding comes first, where its input is indices");
    if (!ngi_shape_flat(&layer->in))
        return ngi_architecture_fail(
            s->a, s->source, layer->item,
            "an embedding takes a flat vector of indices, not an image");
    if (!multiply(&out, layer->columns))
        return ngi_architecture_fail(s->a, s->source, layer->item,
                                     "its output is too large");
    if (layer->vocabulary > NGI_INDEX_MOST)
        return ngi_architecture_fail(s->a, s->source, layer->item,
                                     "its vocabulary of %zu is larger than %zu",
                                     layer->vocabulary, NGI_INDEX_MOST);
    layer->rows = layer->vocabulary;
    layer->out = (ng_shape){out, 1, 1};
    return NG_OK;
}

static ng_status derive_sum(const site *s) {
    ng_layer *layer = s->layer;
    const ng_shape *from = ngi_value_shape(s->a, layer->source);
    char before[NGI_SHAPE_BYTES], after[NGI_SHAPE_BYTES];
    if (layer->source >= s->a->layers)
        return ngi_architecture_fail(s->a, s->source, layer->item,
                                     "there is no layer in the brackets");
    if (memcmp(from, &layer->in, sizeof *from) != 0)
        return ngi_architecture_fail(
            s->a, s->source, layer->item,
            "what is in the brackets makes %s of its input of %s, and so the "
            "two cannot be added",
            ngi_layer_shape_text(&layer->in, after),
            ngi_layer_shape_text(from, before));
    layer->out = layer->in;
    return NG_OK;
}

static ng_status derive(const site *s) {
    ng_layer *layer = s->layer;
    switch (layer->kind) {
    case NG_LAYER_DENSE:
        layer->rows = layer->out.channels;
        layer->columns = layer->in.channels + 1;
        layer->out.height = layer->out.width = 1;
        return NG_OK;
    case NG_LAYER_CONV:
        return derive_conv(s);
    case NG_LAYER_MAX_POOL:
    case NG_LAYER_AVERAGE_POOL:
        return derive_pool(s);
    case NG_LAYER_FLATTEN:
        layer->out = (ng_shape){ngi_shape_size(&layer->in), 1, 1};
        return NG_OK;
    case NG_LAYER_LAYER_NORM:
        layer->out = layer->in;
        layer->rows = ngi_shape_size(&layer->in);
        layer->columns = 2;
        layer->epsilon = 1e-5;
        return NG_OK;
    case NG_LAYER_EMBEDDING:
        return derive_embedding(s);
    case NG_LAYER_SUM:
        return derive_sum(s);
    case NG_LAYER_ACTIVATION:
        layer->out = layer->in;
        return NG_OK;
    }
    return NG_OK;
}

/* Derives one layer, lays its parameters out and keeps it. */
static ng_status push(ngi_architecture *a, const char *source, ng_layer layer) {
    site s = {a, source, &layer};
    size_t most = NGI_LAYERS_MOST + (layer.item ? 0 : OUTPUT_LAYERS_MOST);
    void *block = a->layer;
    if (a->layers >= most)
        return ngi_architecture_fail(
            a, source, layer.item, "there are more than %d layers", (int)most);
    layer.in = *ngi_value_shape(a, a->layers);
    NG_TRY(derive(&s));
    if (!shape_allowed(&layer.out))
        return ngi_architecture_fail(
            a, source, layer.item,
            "its output of %zu x %zu x %zu has more than %zu values",
            layer.out.channels, layer.out.height, layer.out.width,
            NGI_SIZE_MOST);
    layer.parameter = a->dim;
    layer.parameters = layer.rows;
    if (!multiply(&layer.parameters, layer.columns) ||
        a->dim + layer.parameters > NGI_SIZE_MOST)
        return ngi_architecture_fail(
            a, source, layer.item,
            "with its %zu x %zu weights the network has more than %zu "
            "parameters",
            layer.rows, layer.columns, NGI_SIZE_MOST);
    ng_status status = ngi_reserve(a->ctx, &block, &a->capacity, a->layers + 1,
                                   sizeof *a->layer);
    a->layer = block;
    NG_TRY(status);
    a->dim += layer.parameters;
    a->layer[a->layers++] = layer;
    return NG_OK;
}

ng_status ngi_architecture_append(ngi_architecture *a, const char *source,
                                  const ng_layer *layer) {
    bool flat = ngi_shape_flat(ngi_value_shape(a, a->layers));
    ng_layer own = *layer, after = ngi_layer_default(NG_LAYER_ACTIVATION, 0);
    after.item = layer->item;
    after.activation = layer->activation;
    after.slope = layer->slope;
    own.activation = NG_IDENTITY;
    own.slope = 0;
    /* An image that only a dense layer looks at is flat from the start: files
     * have it in that order already. */
    if (own.kind == NG_LAYER_DENSE && a->layers == 0) {
        a->input = (ng_shape){ngi_shape_size(&a->input), 1, 1};
        flat = true;
    }
    if (own.kind == NG_LAYER_DENSE && !flat)
        NG_TRY(push(a, source, ngi_layer_default(NG_LAYER_FLATTEN, own.item)));
    if (own.kind != NG_LAYER_ACTIVATION &&
        !(own.kind == NG_LAYER_FLATTEN && flat))
        NG_TRY(push(a, source, own));
    return after.activation == NG_IDENTITY ? NG_OK : push(a, source, after);
}

/* ---- The family and the output layer ---- */

static ng_status unknown_family(ng_ctx *ctx, const char *name) {
    const ng_family_ops *const *family = ng_family_list();
    char names[512];
    size_t used = (size_t)snprintf(names, sizeof names, "gaussian");
    for (size_t i = 0; family[i]; i++) {
        if (strcmp(family[i]->name, "softmax") != 0 && used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, ", %s",
                                     family[i]->name);
    }
    ngi_shown shown = ngi_show_string(name);
    return ngi_fail(ctx, NG_EUSAGE,
                    "family: unknown family \"%s\"; expected one of %s",
                    shown.text, names);
}

static bool is_family(const char *name) {
    const ng_family_ops *const *family = ng_family_list();
    for (size_t i = 0; family[i]; i++) {
        if (strcmp(family[i]->name, name) == 0)
            return true;
    }
    return false;
}

/* One class a row. All its logits are outputs, as everyone's softmax has it;
 * the Fisher is singular along their common constant. */
static ng_status choose_classes(ngi_architecture *a,
                                const ng_network_options *o) {
    if (o->levels < 2 || o->levels > NGI_INDEX_MOST)
        return ngi_fail(a->ctx, NG_EUSAGE,
                        "family: \"%s\" needs from 2 to %zu classes; there %s "
                        "%zu",
                        o->family, NGI_INDEX_MOST,
                        o->levels == 1 ? "is" : "are", o->levels);
    if (o->targets > 1)
        return ngi_fail(a->ctx, NG_EUSAGE,
                        "family: \"%s\" takes one column of classes; there "
                        "are %zu columns",
                        o->family, o->targets);
    a->levels = o->levels;
    a->targets = a->replicates = 1;
    NG_TRY(ng_family_init(a->ctx, "softmax", o->levels, &a->family));
    a->outputs = a->family.dim_z;
    return NG_OK;
}

static ng_status choose_family(ngi_architecture *a,
                               const ng_network_options *o) {
    const char *name = o->family;
    if (!name || (strcmp(name, "gaussian") != 0 && !is_family(name)))
        return unknown_family(a->ctx, name ? name : "");
    a->family_name = ngi_strdup(a->ctx, name);
    if (!a->family_name)
        return NG_ENOMEM;
    if (strcmp(name, "categorical") == 0 || strcmp(name, "softmax") == 0)
        return choose_classes(a, o);
    if (o->targets == 0 || o->targets > NGI_SIZE_MOST)
        return ngi_fail(a->ctx, NG_EUSAGE,
                        "family: \"%s\" needs from 1 to %zu columns of "
                        "targets; there are %zu",
                        name, NGI_SIZE_MOST, o->targets);
    bool joint =
        strcmp(name, "mvnormal") == 0 || strcmp(name, "dirichlet") == 0;
    a->known_scale = strcmp(name, "gaussian") == 0;
    a->targets = o->targets;
    a->replicates = joint ? 1 : o->targets;
    NG_TRY(ng_family_init(a->ctx, a->known_scale ? "normal" : name,
                          joint ? o->targets : 1, &a->family));
    a->outputs = a->replicates * (a->known_scale ? 1 : a->family.dim_z);
    return NG_OK;
}

static ng_status append_output(ngi_architecture *a) {
    ng_layer layer = ngi_layer_default(NG_LAYER_DENSE, 0);
    layer.out.channels = a->outputs;
    if (a->outputs > NGI_SIZE_MOST)
        return ngi_architecture_fail(
            a, "family", 0, "\"%s\" of %zu targets asks for too many outputs",
            a->family_name, a->targets);
    return ngi_architecture_append(a, "layers", &layer);
}

/* What is known once all layers are there. */
static ng_status finish(ngi_architecture *a) {
    NG_TRY(append_output(a));
    a->text = ngi_architecture_to_text(a);
    a->shared = ngi_alloc(a->ctx, a->layers + 1, sizeof *a->shared);
    if (!a->text || !a->shared)
        return NG_ENOMEM;
    a->first = a->layers;
    for (size_t l = a->layers; l-- > 0;) {
        if (a->layer[l].parameters)
            a->first = l;
        if (a->layer[l].kind == NG_LAYER_SUM)
            a->shared[a->layer[l].source] = true;
    }
    a->item_text = NULL;
    a->item_length = 0;
    return NG_OK;
}

ng_status ngi_architecture_fits(const ngi_architecture *a,
                                const ng_batch *batch) {
    size_t width = ngi_shape_size(&a->input);
    if (batch->count == 0)
        return ngi_fail(a->ctx, NG_EUSAGE, "a batch needs an example");
    if (ng_array_width(batch->x) != width)
        return ngi_fail(a->ctx, NG_EUSAGE,
                        "the batch has examples of %zu values, the network "
                        "takes %zu",
                        ng_array_width(batch->x), width);
    if (batch->y && ng_array_width(batch->y) != a->targets)
        return ngi_fail(a->ctx, NG_EUSAGE,
                        "the batch has targets of %zu values, the network has "
                        "%zu",
                        ng_array_width(batch->y), a->targets);
    return NG_OK;
}

/* ---- The whole ---- */

static bool names_file(const char *layers) {
    static const char suffix[] = ".json";
    size_t length = strlen(layers), tail = sizeof suffix - 1;
    return length >= tail && strcmp(layers + length - tail, suffix) == 0;
}

static ng_status read_file(ngi_architecture *a, const char *path) {
    json_error_t error;
    char *data;
    size_t size;
    NG_TRY(ngi_input_slurp(a->ctx, path, &data, &size));
    if (size == 0) {
        ngi_free(a->ctx, data);
        return ngi_fail(a->ctx, NG_EUSAGE,
                        "%s: the file is empty; an array of layers is expected",
                        path);
    }
    json_t *layers = json_loadb(data, size, JSON_REJECT_DUPLICATES, &error);
    ngi_free(a->ctx, data);
    if (!layers && json_error_code(&error) == json_error_out_of_memory)
        return ngi_fail_memory(a->ctx);
    if (!layers)
        return ngi_fail(a->ctx, NG_EUSAGE, "%s: line %d, column %d: %s", path,
                        error.line, error.column, error.text);
    ng_status status = ngi_spec_parse_json(a, path, layers);
    json_decref(layers);
    return status;
}

static ng_status begin(ng_ctx *ctx, const ng_network_options *o,
                       ngi_architecture **out) {
    ngi_architecture *a;
    *out = NULL;
    if (!shape_allowed(&o->input))
        return ngi_fail(ctx, NG_EUSAGE,
                        "input: %zu x %zu x %zu is not a shape; each size is "
                        "at least 1 and their product at most %zu",
                        o->input.channels, o->input.height, o->input.width,
                        NGI_SIZE_MOST);
    if (o->init < -1 || o->init > (int)NG_INIT_TORCH)
        return ngi_fail(ctx, NG_EUSAGE,
                        "init: %d is not one of the initialisations", o->init);
    a = ngi_alloc(ctx, 1, sizeof *a);
    if (!a)
        return NG_ENOMEM;
    a->ctx = ctx;
    a->input = a->image = o->input;
    *out = a;
    return NG_OK;
}

static ng_status end(ngi_architecture *a, ng_status status,
                     ngi_architecture **out) {
    if (status == NG_OK)
        status = finish(a);
    if (status != NG_OK)
        ngi_architecture_destroy(&a);
    *out = a;
    return status;
}

ng_status ngi_architecture_create(ng_ctx *ctx, const ng_network_options *o,
                                  ngi_architecture **out) {
    const char *layers = o->layers ? o->layers : "";
    ngi_architecture *a;
    *out = NULL;
    NG_TRY(begin(ctx, o, &a));
    ng_status status = choose_family(a, o);
    if (status == NG_OK)
        status = names_file(layers) ? read_file(a, layers)
                                    : ngi_spec_parse(a, "layers", layers);
    return end(a, status, out);
}

ng_status ngi_architecture_create_json(ng_ctx *ctx, const ng_network_options *o,
                                       const char *source, const json_t *layers,
                                       ngi_architecture **out) {
    ngi_architecture *a;
    *out = NULL;
    NG_TRY(begin(ctx, o, &a));
    ng_status status = choose_family(a, o);
    if (status == NG_OK)
        status = ngi_spec_parse_json(a, source, layers);
    return end(a, status, out);
}

void ngi_architecture_destroy(ngi_architecture **architecture) {
    ngi_architecture *a = *architecture;
    if (a) {
        ngi_free(a->ctx, a->layer);
        ngi_free(a->ctx, a->text);
        ngi_free(a->ctx, a->family_name);
        ngi_free(a->ctx, a->shared);
        ngi_free(a->ctx, a);
    }
    *architecture = NULL;
}
