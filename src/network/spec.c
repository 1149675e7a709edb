/* The one-line specification of hidden layers. Items are separated by commas,
 * words by blanks:
 *
 *   list  = item { "," item }
 *   item  = "[" list "]" [activation] | layer [activation] | activation
 *
 * Items are counted in the order in which they are written, those in brackets
 * like the others. */
#include "network/architecture.h"

#include "data/text.h"

#include <stdio.h>
#include <string.h>

/* More words than any item has. */
enum { WORDS_MOST = 16 };

typedef struct word {
    const char *text;
    size_t length;
} word;

typedef struct reader {
    ngi_architecture *a;
    const char *source;
    const char *at;
    size_t item;
    word word[WORDS_MOST]; /* of this item */
    size_t words, next;
    size_t depth; /* brackets that are open */
    struct {
        const char *text;
        size_t value;
    } open[NGI_RESIDUAL_DEPTH];
} reader;

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(reader *r) {
    while (is_blank(*r->at))
        r->at++;
}

/* ---- Words ---- */

static bool word_is(const word *w, const char *text) {
    return w->length == strlen(text) && memcmp(w->text, text, w->length) == 0;
}

static const word *peek(const reader *r) {
    return r->next < r->words ? &r->word[r->next] : NULL;
}

/* Takes the next word if it is `text`. */
static bool accept(reader *r, const char *text) {
    const word *w = peek(r);
    if (!w || !word_is(w, text))
        return false;
    r->next++;
    return true;
}

#define FAIL(r, ...)                                                           \
    ngi_architecture_fail((r)->a, (r)->source, (r)->item, __VA_ARGS__)

/* Does the word look as if a number was meant? */
static bool is_numeric(const word *w) {
    return strchr("0123456789+-.", *w->text) != NULL;
}

/* Digits from `text` to `end` as a size of at least `least`. */
static bool digits(const char *text, const char *end, size_t least,
                   size_t *out) {
    size_t value = 0;
    if (text == end)
        return false;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = 10 * value + (size_t)(*text - '0');
        if (value > NGI_SIZE_MOST)
            return false;
    }
    *out = value;
    return value >= least;
}

static ng_status read_size(reader *r, const char *what, size_t *out) {
    const word *w = peek(r);
    if (!w)
        return FAIL(r, "%s is missing: a whole number", what);
    if (!digits(w->text, w->text + w->length, 1, out)) {
        ngi_shown shown = ngi_show(w->text, w->length);
        return FAIL(r, "'%s' is not %s: a whole number from 1 to %zu",
                    shown.text, what, NGI_SIZE_MOST);
    }
    r->next++;
    return NG_OK;
}

/* "3x5", or where `single` is allowed "3" for both. */
static bool pair(const word *w, size_t least, bool single, size_t out[2]) {
    const char *end = w->text + w->length;
    const char *cross = memchr(w->text, 'x', w->length);
    if (!cross) {
        if (!single || !digits(w->text, end, least, &out[0]))
            return false;
        out[1] = out[0];
        return true;
    }
    return digits(w->text, cross, least, &out[0]) &&
           digits(cross + 1, end, least, &out[1]);
}

static ng_status read_pair(reader *r, const char *what, size_t least,
                           size_t out[2]) {
    const word *w = peek(r);
    if (!w)
        return FAIL(r,
                    "%s is missing: a number such as 3, or 3x5 for height "
                    "and width",
                    what);
    if (!pair(w, least, true, out)) {
        ngi_shown shown = ngi_show(w->text, w->length);
        return FAIL(r,
                    "'%s' is not %s: a number such as 3, or 3x5 for height and "
                    "width, each from %zu to %zu",
                    shown.text, what, least, NGI_SIZE_MOST);
    }
    r->next++;
    return NG_OK;
}

/* ---- Layers ---- */

static ng_status read_slope(reader *r, ng_layer *layer) {
    char text[NGI_SLOPE_BYTES];
    const word *w = peek(r);
    layer->slope = 0.01;
    if (!w || !is_numeric(w))
        return NG_OK;
    double slope = -1;
    if (w->length < sizeof text) {
        memcpy(text, w->text, w->length);
        text[w->length] = '\0';
        if (ngi_cell_classify(text, w->length, &slope) != NGI_CELL_NUMBER)
            slope = -1;
    }
    if (!(slope >= 0 && slope <= 1)) {
        ngi_shown shown = ngi_show(w->text, w->length);
        return FAIL(r, "'%s' is not a slope, a number from 0 to 1", shown.text);
    }
    layer->slope = slope;
    r->next++;
    return NG_OK;
}

/* What may end every item. */
static ng_status read_activation(reader *r, ng_layer *layer) {
    const word *w = peek(r);
    if (!w || !ngi_activation_find(w->text, w->length, &layer->activation))
        return NG_OK;
    r->next++;
    return layer->activation == NG_LEAKY_RELU ? read_slope(r, layer) : NG_OK;
}

static ng_status read_end(reader *r, const char *expected) {
    const word *w = peek(r);
    char names[NGI_NAMES_BYTES];
    if (!w)
        return NG_OK;
    ngi_shown shown = ngi_show(w->text, w->length);
    ngi_activation_names(names);
    return FAIL(r, "'%s' is not expected here; there can be %sone of %s",
                shown.text, expected, names);
}

/* Options in any order; `allow_groups` for a convolution. */
static ng_status read_window(reader *r, ng_layer *layer, bool allow_groups) {
    bool same = false;
    for (;;) {
        if (accept(r, "stride")) {
            NG_TRY(read_pair(r, "the stride", 1, layer->stride));
        } else if (accept(r, "pad")) {
            same = accept(r, "same");
            if (!same)
                NG_TRY(read_pair(r, "the padding", 0, layer->padding));
        } else if (allow_groups && accept(r, "groups")) {
            NG_TRY(read_size(r, "the number of groups", &layer->groups));
        } else {
            break;
        }
    }
    return same ? ngi_layer_pad_same(r->a, r->source, layer) : NG_OK;
}

static ng_status read_pool(reader *r, ng_layer *layer) {
    if (accept(r, "all"))
        return NG_OK;
    NG_TRY(read_pair(r, "the kernel", 1, layer->kernel));
    memcpy(layer->stride, layer->kernel, sizeof layer->stride);
    return read_window(r, layer, false);
}

static ng_status read_embedding(reader *r, ng_layer *layer) {
    const word *w = peek(r);
    size_t sizes[2];
    if (!w || !pair(w, 1, false, sizes))
        return FAIL(r, "an embedding is given as the vocabulary and the "
                       "numbers for each index, such as 1000x16");
    r->next++;
    layer->vocabulary = sizes[0];
    layer->columns = sizes[1];
    return NG_OK;
}

/* What follows the layer's name. `expected` is what could have followed
 * instead, for the message. */
static ng_status read_options(reader *r, ng_layer *layer,
                              const char **expected) {
    *expected = "";
    switch (layer->kind) {
    case NG_LAYER_DENSE:
        return read_size(r, "the number of outputs", &layer->out.channels);
    case NG_LAYER_CONV:
        *expected = "stride, pad, groups, or ";
        NG_TRY(read_size(r, "the number of channels", &layer->out.channels));
        NG_TRY(read_pair(r, "the kernel", 1, layer->kernel));
        return read_window(r, layer, true);
    case NG_LAYER_MAX_POOL:
    case NG_LAYER_AVERAGE_POOL:
        *expected =
            peek(r) && word_is(peek(r), "all") ? "" : "stride, pad, or ";
        return read_pool(r, layer);
    case NG_LAYER_EMBEDDING:
        return read_embedding(r, layer);
    default:
        return NG_OK;
    }
}

static ng_status unknown_word(reader *r) {
    char names[NGI_NAMES_BYTES];
    ngi_shown shown = ngi_show(r->word[0].text, r->word[0].length);
    ngi_activation_names(names);
    return FAIL(r,
                "unknown word '%s'; expected a number of outputs, conv, pool, "
                "max-pool, average-pool, flatten, layer-norm, embedding, or "
                "one of %s",
                shown.text, names);
}

/* The words of an item as a layer. */
static ng_status read_item(reader *r) {
    const word *w = &r->word[0];
    ng_layer layer = ngi_layer_default(NG_LAYER_ACTIVATION, r->item);
    ng_layer_kind kind;
    ng_activation activation;
    const char *expected = "";
    if (is_numeric(w)) {
        layer = ngi_layer_default(NG_LAYER_DENSE, r->item);
        NG_TRY(read_options(r, &layer, &expected));
    } else if (ngi_layer_find(w->text, w->length, &kind) &&
               kind != NG_LAYER_ACTIVATION) {
        layer = ngi_layer_default(kind, r->item);
        r->next++;
        NG_TRY(read_options(r, &layer, &expected));
    } else if (!ngi_activation_find(w->text, w->length, &activation)) {
        return unknown_word(r);
    }
    NG_TRY(read_activation(r, &layer));
    NG_TRY(read_end(r, expected));
    return ngi_architecture_append(r->a, r->source, &layer);
}

/* ---- The list ---- */

/* The words up to the next comma or bracket. */
static ng_status split_words(reader *r) {
    r->words = r->next = 0;
    r->a->item_text = r->at;
    r->a->item_length = 0;
    for (skip_blanks(r); *r->at && !strchr(",[]", *r->at); skip_blanks(r)) {
        const char *begin = r->at;
        while (*r->at && !is_blank(*r->at) && !strchr(",[]", *r->at))
            r->at++;
        if (r->words == WORDS_MOST)
            return FAIL(r, "there are more than %d words", WORDS_MOST);
        r->word[r->words++] = (word){begin, (size_t)(r->at - begin)};
        r->a->item_text = r->word[0].text;
        r->a->item_length = (size_t)(r->at - r->word[0].text);
    }
    if (*r->at == '[')
        return FAIL(r, "there must be a comma before a '['");
    return NG_OK;
}

static ng_status open_bracket(reader *r) {
    if (r->depth == NGI_RESIDUAL_DEPTH) {
        r->a->item_text = r->at;
        r->a->item_length = 1;
        return FAIL(r, "there are more than %d brackets in each other",
                    NGI_RESIDUAL_DEPTH);
    }
    r->open[r->depth].text = r->at++;
    r->open[r->depth++].value = r->a->layers;
    return NG_OK;
}

static ng_status close_bracket(reader *r) {
    ng_layer layer = ngi_layer_default(NG_LAYER_SUM, r->item);
    const char *close = r->at++;
    if (r->depth == 0) {
        r->a->item_text = close;
        r->a->item_length = 1;
        return FAIL(r, "this bracket was not opened");
    }
    NG_TRY(split_words(r));
    r->depth--;
    r->a->item_text = r->open[r->depth].text;
    r->a->item_length = (size_t)(close + 1 - r->a->item_text);
    layer.source = r->open[r->depth].value;
    NG_TRY(read_activation(r, &layer));
    NG_TRY(read_end(r, "a comma, or "));
    return ngi_architecture_append(r->a, r->source, &layer);
}

/* One item with the brackets around it; stops at a comma or at the end. */
static ng_status read_next(reader *r) {
    r->item++;
    for (skip_blanks(r); *r->at == '['; skip_blanks(r))
        NG_TRY(open_bracket(r));
    NG_TRY(split_words(r));
    if (r->words == 0)
        return FAIL(r, "there is nothing where a layer is expected");
    NG_TRY(read_item(r));
    while (*r->at == ']')
        NG_TRY(close_bracket(r));
    return NG_OK;
}

ng_status ngi_spec_parse(ngi_architecture *a, const char *source,
                         const char *text) {
    reader r = {.a = a, .source = source, .at = text};
    skip_blanks(&r);
    if (!*r.at)
        return NG_OK;
    NG_TRY(read_next(&r));
    while (*r.at == ',') {
        r.at++;
        NG_TRY(read_next(&r));
    }
    if (r.depth == 0)
        return NG_OK;
    a->item_text = r.open[r.depth - 1].text;
    a->item_length = strlen(a->item_text);
    return ngi_architecture_fail(a, source, r.item,
                                 "this bracket is not closed");
}

/* ---- And back ---- */

/* The end of a text that has room for what is still to come. */
typedef struct pen {
    char *at;
    size_t room;
} pen;

__attribute__((format(printf, 2, 3))) static void put(pen *p,
                                                      const char *format, ...) {
    va_list args;
    va_start(args, format);
    int written = vsnprintf(p->at, p->room, format, args);
    va_end(args);
    size_t used = written < 0 ? 0 : (size_t)written;
    used = used < p->room ? used : p->room - 1;
    p->at += used;
    p->room -= used;
}

static void put_pair(pen *p, const char *name, const size_t size[2]) {
    if (size[0] == size[1])
        put(p, "%s%zu", name, size[0]);
    else
        put(p, "%s%zux%zu", name, size[0], size[1]);
}

static void put_window(pen *p, const ng_layer *layer, const size_t usual[2]) {
    if (layer->stride[0] != usual[0] || layer->stride[1] != usual[1])
        put_pair(p, " stride ", layer->stride);
    if (layer->padding[0] || layer->padding[1])
        put_pair(p, " pad ", layer->padding);
}

static void put_conv(pen *p, const ng_layer *layer) {
    put(p, "conv %zu %zux%zu", layer->out.channels, layer->kernel[0],
        layer->kernel[1]);
    put_window(p, layer, (const size_t[]){1, 1});
    if (layer->groups != 1)
        put(p, " groups %zu", layer->groups);
}

static void put_pool(pen *p, const ng_layer *layer) {
    bool all = layer->kernel[0] == layer->in.height &&
               layer->kernel[1] == layer->in.width &&
               layer->stride[0] == layer->kernel[0] &&
               layer->stride[1] == layer->kernel[1] && !layer->padding[0] &&
               !layer->padding[1];
    put(p, "%s", ngi_layer_name(layer->kind));
    if (all) {
        put(p, " all");
        return;
    }
    put_pair(p, " ", layer->kernel);
    put_window(p, layer, layer->kernel);
}

static void put_activation(pen *p, const ng_layer *layer) {
    char slope[NGI_SLOPE_BYTES];
    put(p, "%s", ngi_activation_name(layer->activation));
    if (layer->activation == NG_LEAKY_RELU && layer->slope != 0.01)
        put(p, " %s", ngi_slope_text(layer->slope, slope));
}

static void put_layer(pen *p, const ng_layer *layer) {
    switch (layer->kind) {
    case NG_LAYER_DENSE:
        put(p, "%zu", layer->out.channels);
        break;
    case NG_LAYER_CONV:
        put_conv(p, layer);
        break;
    case NG_LAYER_MAX_POOL:
    case NG_LAYER_AVERAGE_POOL:
        put_pool(p, layer);
        break;
    case NG_LAYER_EMBEDDING:
        put(p, "embedding %zux%zu", layer->rows, layer->columns);
        break;
    case NG_LAYER_SUM:
        put(p, "]");
        break;
    case NG_LAYER_ACTIVATION:
        put_activation(p, layer);
        break;
    case NG_LAYER_FLATTEN:
    case NG_LAYER_LAYER_NORM:
        put(p, "%s", ngi_layer_name(layer->kind));
        break;
    }
}

char *ngi_architecture_to_text(const ngi_architecture *a) {
    /* The longest layer is a convolution: six words, seven sizes. */
    enum { LAYER_BYTES = 160 + NGI_RESIDUAL_DEPTH };
    size_t hidden = ngi_architecture_hidden(a);
    size_t room = hidden * LAYER_BYTES + 1;
    char *text = ngi_alloc(a->ctx, room, 1);
    pen p = {text, room};
    if (!text)
        return NULL;
    for (size_t l = 0; l < hidden; l++) {
        const ng_layer *layer = &a->layer[l];
        bool attached = ngi_layer_attached(a, l);
        if (ngi_layer_implied(a, l))
            continue;
        if (attached)
            put(&p, " ");
        else if (layer->kind != NG_LAYER_SUM && p.at > text)
            put(&p, ", ");
        for (size_t i = ngi_layer_opens(a, l); i-- > 0;)
            put(&p, "[");
        put_layer(&p, layer);
    }
    char *fitted = ngi_strdup(a->ctx, text);
    ngi_free(a->ctx, text);
    return fitted;
}
