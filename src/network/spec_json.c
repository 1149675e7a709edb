/* Hidden layers as an array of JSON objects, both ways. The words are those of
 * the one-line specification. */
#include "network/architecture.h"

#include "data/text.h"

#include <string.h>

/* ---- Reading ---- */

typedef struct reader {
    ngi_architecture *a;
    const char *source;
    size_t item;
    size_t depth;
} reader;

#define FAIL(r, ...)                                                           \
    ngi_architecture_fail((r)->a, (r)->source, (r)->item, __VA_ARGS__)

static bool read_number(const json_t *json, json_int_t least, size_t *out) {
    json_int_t value = json_integer_value(json);
    if (!json_is_integer(json) || value < least ||
        (json_int_t)NGI_SIZE_MOST < value)
        return false;
    *out = (size_t)value;
    return true;
}

static ng_status read_size(reader *r, const json_t *object, const char *key,
                           size_t *out) {
    if (read_number(json_object_get(object, key), 1, out))
        return NG_OK;
    return FAIL(r, "\"%s\" must be a whole number from 1 to %zu", key,
                NGI_SIZE_MOST);
}

/* A number or an array of two, height and width. What is absent is left as it
 * is. */
static ng_status read_pair(reader *r, const json_t *object, const char *key,
                           json_int_t least, size_t out[2]) {
    const json_t *json = json_object_get(object, key);
    const json_t *first = json, *second = json;
    if (!json)
        return NG_OK;
    if (json_is_array(json) && json_array_size(json) == 2) {
        first = json_array_get(json, 0);
        second = json_array_get(json, 1);
    }
    if (read_number(first, least, &out[0]) &&
        read_number(second, least, &out[1]))
        return NG_OK;
    return FAIL(r,
                "\"%s\" must be a whole number, or an array of two for height "
                "and width, from %d to %zu",
                key, (int)least, NGI_SIZE_MOST);
}

static bool member_is(const json_t *object, const char *key, const char *text) {
    const char *value = json_string_value(json_object_get(object, key));
    return value && strcmp(value, text) == 0;
}

static ng_status read_conv(reader *r, const json_t *object, ng_layer *layer) {
    bool same = member_is(object, "padding", "same");
    NG_TRY(read_size(r, object, "channels", &layer->out.channels));
    NG_TRY(read_pair(r, object, "kernel", 1, layer->kernel));
    if (!layer->kernel[0])
        return FAIL(r, "\"kernel\" is missing");
    NG_TRY(read_pair(r, object, "stride", 1, layer->stride));
    if (json_object_get(object, "groups"))
        NG_TRY(read_size(r, object, "groups", &layer->groups));
    return same ? ngi_layer_pad_same(r->a, r->source, layer)
                : read_pair(r, object, "padding", 0, layer->padding);
}

static ng_status read_pool(reader *r, const json_t *object, ng_layer *layer) {
    if (member_is(object, "kernel", "all")) {
        if (json_object_get(object, "stride") ||
            json_object_get(object, "padding"))
            return FAIL(r, "a pool over all of an image has neither \"stride\" "
                           "nor \"padding\"");
        return NG_OK;
    }
    NG_TRY(read_pair(r, object, "kernel", 1, layer->kernel));
    if (!layer->kernel[0])
        return FAIL(r, "\"kernel\" is missing");
    memcpy(layer->stride, layer->kernel, sizeof layer->stride);
    NG_TRY(read_pair(r, object, "stride", 1, layer->stride));
    if (member_is(object, "padding", "same"))
        return ngi_layer_pad_same(r->a, r->source, layer);
    return read_pair(r, object, "padding", 0, layer->padding);
}

static ng_status read_slope(reader *r, const json_t *object, ng_layer *layer) {
    const json_t *json = json_object_get(object, "slope");
    bool leaky = layer->activation == NG_LEAKY_RELU;
    layer->slope = leaky ? 0.01 : 0;
    if (!json)
        return NG_OK;
    double slope = json_is_number(json) ? json_number_value(json) : -1;
    if (!leaky || !(slope >= 0 && slope <= 1))
        return FAIL(r, "\"slope\" must be a number from 0 to 1, beside the "
                       "activation \"leaky-relu\"");
    layer->slope = slope;
    return NG_OK;
}

static ng_status read_activation(reader *r, const json_t *object,
                                 ng_layer *layer) {
    const json_t *json = json_object_get(object, "activation");
    const char *text = json_string_value(json);
    char names[NGI_NAMES_BYTES];
    if ((json || layer->kind == NG_LAYER_ACTIVATION) &&
        (!text ||
         !ngi_activation_find(text, strlen(text), &layer->activation))) {
        ngi_activation_names(names);
        return FAIL(r, "\"activation\" must be one of %s", names);
    }
    return read_slope(r, object, layer);
}

static ng_status read_layer(reader *r, const json_t *object, ng_layer *layer) {
    switch (layer->kind) {
    case NG_LAYER_DENSE:
        return read_size(r, object, "outputs", &layer->out.channels);
    case NG_LAYER_CONV:
        return read_conv(r, object, layer);
    case NG_LAYER_MAX_POOL:
    case NG_LAYER_AVERAGE_POOL:
        return read_pool(r, object, layer);
    case NG_LAYER_EMBEDDING:
        NG_TRY(read_size(r, object, "vocabulary", &layer->vocabulary));
        return read_size(r, object, "size", &layer->columns);
    default:
        return NG_OK;
    }
}

/* The keys that a layer of this kind has. */
static const char *keys_of(ng_layer_kind kind) {
    switch (kind) {
    case NG_LAYER_DENSE:
        return "layer, outputs, activation, slope";
    case NG_LAYER_CONV:
        return "layer, channels, kernel, stride, padding, groups, activation, "
               "slope";
    case NG_LAYER_MAX_POOL:
    case NG_LAYER_AVERAGE_POOL:
        return "layer, kernel, stride, padding, activation, slope";
    case NG_LAYER_EMBEDDING:
        return "layer, vocabulary, size, activation, slope";
    case NG_LAYER_SUM:
        return "layer, layers, activation, slope";
    default:
        return "layer, activation, slope";
    }
}

/* Is `key` one of the words of `keys`? */
static bool is_listed(const char *keys, const char *key) {
    size_t length = strlen(key);
    for (const char *at = keys; at; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (length == strcspn(at, ",") && memcmp(at, key, length) == 0)
            return true;
    }
    return false;
}

static ng_status check_keys(reader *r, const json_t *object,
                            ng_layer_kind kind) {
    /* Nothing is changed through the iterator; it takes no const object. */
    json_t *members = (json_t *)(uintptr_t)object;
    for (void *i = json_object_iter(members); i;
         i = json_object_iter_next(members, i)) {
        const char *key = json_object_iter_key(i);
        ngi_shown shown = ngi_show_string(key);
        if (!is_listed(keys_of(kind), key))
            return FAIL(r, "unknown key \"%s\"; expected some of %s",
                        shown.text, keys_of(kind));
    }
    return NG_OK;
}

static ng_status read_list(reader *r, const json_t *list);

static ng_status read_residual(reader *r, const json_t *object) {
    const json_t *list = json_object_get(object, "layers");
    const char *text = r->a->item_text;
    ng_layer layer = ngi_layer_default(NG_LAYER_SUM, r->item);
    layer.source = r->a->layers;
    NG_TRY(check_keys(r, object, NG_LAYER_SUM));
    NG_TRY(read_activation(r, object, &layer));
    if (!json_is_array(list) || json_array_size(list) == 0)
        return FAIL(r, "\"layers\" must be an array of layers");
    if (r->depth == NGI_RESIDUAL_DEPTH)
        return FAIL(r, "there are more than %d residuals in each other",
                    NGI_RESIDUAL_DEPTH);
    r->depth++;
    r->item--;
    NG_TRY(read_list(r, list));
    r->depth--;
    r->a->item_text = text;
    r->a->item_length = strlen(text);
    layer.item = r->item;
    return ngi_architecture_append(r->a, r->source, &layer);
}

/* Items are counted as they are in one line: a residual is none, its layers
 * are. */
static ng_status read_object(reader *r, const json_t *object) {
    const char *name = json_string_value(json_object_get(object, "layer"));
    ng_layer_kind kind;
    r->item++;
    r->a->item_text = name ? name : "?";
    r->a->item_length = strlen(r->a->item_text);
    if (!json_is_object(object))
        return FAIL(r, "a layer must be an object, such as {\"layer\": "
                       "\"dense\", \"outputs\": 64}");
    if (!name)
        return FAIL(r, "\"layer\", the kind of layer, is missing or no string");
    if (strcmp(name, "residual") == 0)
        return read_residual(r, object);
    if (!ngi_layer_find(name, strlen(name), &kind))
        return FAIL(r, "unknown layer; expected one of dense, conv, max-pool, "
                       "average-pool, flatten, layer-norm, embedding, "
                       "activation, residual");
    ng_layer layer = ngi_layer_default(kind, r->item);
    NG_TRY(check_keys(r, object, kind));
    NG_TRY(read_layer(r, object, &layer));
    NG_TRY(read_activation(r, object, &layer));
    return ngi_architecture_append(r->a, r->source, &layer);
}

static ng_status read_list(reader *r, const json_t *list) {
    for (size_t i = 0; i < json_array_size(list); i++)
        NG_TRY(read_object(r, json_array_get(list, i)));
    return NG_OK;
}

ng_status ngi_spec_parse_json(ngi_architecture *a, const char *source,
                              const json_t *layers) {
    reader r = {.a = a, .source = source};
    if (!json_is_array(layers))
        return ngi_fail(a->ctx, NG_EUSAGE, "%s: an array of layers is expected",
                        source);
    ng_status status = read_list(&r, layers);
    /* The text belongs to `layers`. */
    a->item_text = NULL;
    a->item_length = 0;
    return status;
}

/* ---- Writing ---- */

static json_t *whole(size_t x) {
    return json_integer((json_int_t)x);
}

static int set_pair(json_t *object, const char *key, const size_t size[2]) {
    return json_object_set_new(
        object, key, json_pack("[o,o]", whole(size[0]), whole(size[1])));
}

static int set_window(json_t *object, const ng_layer *layer) {
    int bad = set_pair(object, "kernel", layer->kernel);
    bad |= set_pair(object, "stride", layer->stride);
    return bad | set_pair(object, "padding", layer->padding);
}

static int set_activation(json_t *object, const ng_layer *layer) {
    int bad = json_object_set_new(
        object, "activation",
        json_string(ngi_activation_name(layer->activation)));
    if (layer->activation == NG_LEAKY_RELU)
        bad |= json_object_set_new(object, "slope", json_real(layer->slope));
    return bad;
}

static int set_members(json_t *object, const ng_layer *layer) {
    int bad = 0;
    switch (layer->kind) {
    case NG_LAYER_DENSE:
        return json_object_set_new(object, "outputs", whole(layer->rows));
    case NG_LAYER_CONV:
        bad = json_object_set_new(object, "channels", whole(layer->rows));
        bad |= set_window(object, layer);
        return bad |
               json_object_set_new(object, "groups", whole(layer->groups));
    case NG_LAYER_MAX_POOL:
    case NG_LAYER_AVERAGE_POOL:
        return set_window(object, layer);
    case NG_LAYER_EMBEDDING:
        bad = json_object_set_new(object, "vocabulary", whole(layer->rows));
        return bad | json_object_set_new(object, "size", whole(layer->columns));
    case NG_LAYER_ACTIVATION:
        return set_activation(object, layer);
    default:
        return 0;
    }
}

/* Appends {"layer": name} to the list; borrowed, NULL when out of memory. */
static json_t *append_object(json_t *list, const char *name) {
    json_t *object = json_pack("{s:s}", "layer", name);
    return json_array_append_new(list, object) == 0 ? object : NULL;
}

/* Appends a residual to the list; its own list, borrowed. */
static json_t *append_residual(json_t *list) {
    json_t *object = append_object(list, "residual"), *inner = json_array();
    return json_object_set_new(object, "layers", inner) == 0 ? inner : NULL;
}

/* Writes layer l to the innermost list that is open. */
static int write_layer(const ngi_architecture *a, size_t l, json_t **open,
                       size_t *depth) {
    const ng_layer *layer = &a->layer[l];
    if (ngi_layer_implied(a, l))
        return 0;
    if (layer->kind == NG_LAYER_SUM) {
        (*depth)--;
        return 0;
    }
    if (ngi_layer_attached(a, l)) {
        size_t count = json_array_size(open[*depth]);
        return set_activation(json_array_get(open[*depth], count - 1), layer);
    }
    for (size_t i = ngi_layer_opens(a, l); i-- > 0;) {
        open[*depth + 1] = append_residual(open[*depth]);
        if (!open[++*depth])
            return -1;
    }
    json_t *object = append_object(open[*depth], ngi_layer_name(layer->kind));
    return object ? set_members(object, layer) : -1;
}

json_t *ngi_architecture_to_json(const ngi_architecture *a) {
    json_t *open[NGI_RESIDUAL_DEPTH + 1] = {json_array()};
    size_t hidden = ngi_architecture_hidden(a), depth = 0;
    for (size_t l = 0; open[0] && l < hidden; l++) {
        if (write_layer(a, l, open, &depth) != 0) {
            json_decref(open[0]);
            return NULL;
        }
    }
    return open[0];
}
