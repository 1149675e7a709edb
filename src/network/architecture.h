/* What a network looks like: layers and shapes, without numbers. Shared by
 * both precisions. */
#ifndef NGI_ARCHITECTURE_H
#define NGI_ARCHITECTURE_H

#include "base/base.h"
#include "natgrad/network.h"

#include <jansson.h>

typedef struct ngi_architecture {
    ng_ctx *ctx;
    size_t layers;
    ng_layer *layer;
    ng_shape input;
    ng_shape image; /* the input before it was flattened */
    size_t dim;     /* parameters */
    size_t first;   /* first layer with parameters: deltas stop there */
    char *text;     /* the hidden layers on one line, normalised */
    /* Output. */
    char *family_name; /* as the user knows it */
    ng_family family;  /* of the core: softmax for categorical */
    size_t replicates; /* independent members of the family */
    size_t outputs;    /* replicates x family.dim_z, dim of z */
    size_t targets;    /* columns of y */
    size_t levels;     /* classes, or 0 */
    bool known_scale;  /* gaussian: z is the mean alone */
    /* For each of the layers + 1 values: is it read by a sum as well? */
    bool *shared;
    size_t capacity; /* of `layer` */
    /* The item of the specification that is being read, for messages. */
    const char *item_text;
    size_t item_length;
} ngi_architecture;

/* Limits of what a specification may ask for. */
#define NGI_SIZE_MOST                                                          \
    (((size_t)1 << 31) - 2) /* of a value, or parameters in all */
enum { NGI_LAYERS_MOST = 1000, NGI_RESIDUAL_DEPTH = 16 };

/* From options: parses, checks that sizes fit together, appends the output
 * layer and lays the parameters out. NG_EUSAGE, see ng_network_create. */
ng_status ngi_architecture_create(ng_ctx *ctx,
                                  const ng_network_options *options,
                                  ngi_architecture **out);
/* The same with the hidden layers from JSON; options->layers is not read. */
ng_status ngi_architecture_create_json(ng_ctx *ctx,
                                       const ng_network_options *options,
                                       const char *source, const json_t *layers,
                                       ngi_architecture **out);
void ngi_architecture_destroy(ngi_architecture **architecture);

/* Parses the hidden layers (spec.c, spec_json.c) and appends them. `text` is
 * one line; `source` names it in messages. */
ng_status ngi_spec_parse(ngi_architecture *architecture, const char *source,
                         const char *text);
ng_status ngi_spec_parse_json(ngi_architecture *architecture,
                              const char *source, const json_t *layers);
/* What both parsers call, item by item: checks that the layer fits on what is
 * there (layer->in is set here), derives out, rows and columns, and appends
 * it. An activation, a flatten before a dense layer and the sum that ends a
 * residual are layers of their own. What `layer` must say:
 *   dense, conv: out.channels, and conv its kernel, stride, padding, groups;
 *   pools: kernel, stride, padding; a kernel of 0 covers the whole image;
 *   embedding: vocabulary, and in `columns` the numbers an index becomes;
 *   sum: source;
 *   any: activation and slope, what follows it (identity for nothing). */
ng_status ngi_architecture_append(ngi_architecture *architecture,
                                  const char *source, const ng_layer *layer);
/* NG_EUSAGE: source, the item that is being read, and what is wrong. */
__attribute__((format(printf, 4, 5))) ng_status
ngi_architecture_fail(ngi_architecture *architecture, const char *source,
                      size_t item, const char *format, ...);
/* A layer of `kind` with everything at its default: no activation, stride 1
 * (of a pool 0: its kernel), no padding, one group. */
ng_layer ngi_layer_default(ng_layer_kind kind, size_t item);
/* `pad same` of both directions, where it exists. */
ng_status ngi_layer_pad_same(ngi_architecture *architecture, const char *source,
                             ng_layer *layer);
/* The hidden layers on one line, as ngi_spec_parse reads them; NULL when out of
 * memory. */
char *ngi_architecture_to_text(const ngi_architecture *architecture);
/* The hidden layers as JSON, a new reference; NULL when out of memory. */
json_t *ngi_architecture_to_json(const ngi_architecture *architecture);

static inline size_t ngi_shape_positions(const ng_shape *s) {
    return s->height * s->width;
}
static inline size_t ngi_shape_size(const ng_shape *s) {
    return s->channels * s->height * s->width;
}
static inline bool ngi_shape_flat(const ng_shape *s) {
    return s->height == 1 && s->width == 1;
}

/* The shape of value v (0 .. layers). */
static inline const ng_shape *ngi_value_shape(const ngi_architecture *a,
                                              size_t v) {
    return v == 0 ? &a->input : &a->layer[v - 1].out;
}

/* Values are stored position by position, channels innermost, each position a
 * row. Where there is one position a column of ones follows the channels, so
 * that a layer's bias is a weight like the others. */
static inline size_t ngi_value_stride(const ng_shape *s) {
    return s->channels + (ngi_shape_flat(s) ? 1 : 0);
}

/* ---- Names (layer_text.c) ---- */
const char *ngi_activation_name(ng_activation activation);
const char *ngi_layer_name(ng_layer_kind kind);
const char *ngi_init_name(ng_init init);
/* By name; false if unknown. Layers: "pool" is max-pool, and "sum" is not for
 * users to say. */
bool ngi_activation_find(const char *text, size_t length, ng_activation *out);
bool ngi_layer_find(const char *text, size_t length, ng_layer_kind *out);
bool ngi_init_find(const char *text, size_t length, ng_init *out);
/* All activations, separated by commas. */
enum { NGI_NAMES_BYTES = 128 };
void ngi_activation_names(char out[NGI_NAMES_BYTES]);
/* "512" or "16 x 5 x 5". */
enum { NGI_SHAPE_BYTES = 72 };
const char *ngi_layer_shape_text(const ng_shape *shape,
                                 char out[NGI_SHAPE_BYTES]);
/* The shortest decimal number that reads back as `slope`. */
enum { NGI_SLOPE_BYTES = 32 };
const char *ngi_slope_text(double slope, char out[NGI_SLOPE_BYTES]);
/* Is the activation layer l written behind the layer before it? */
bool ngi_layer_attached(const ngi_architecture *architecture, size_t l);
/* Is the layer not written, being a flatten that a dense layer asked for? */
bool ngi_layer_implied(const ngi_architecture *architecture, size_t l);
/* How many layers come before the output layer and its flatten. */
size_t ngi_architecture_hidden(const ngi_architecture *architecture);
/* How many residuals begin with layer l. */
size_t ngi_layer_opens(const ngi_architecture *architecture, size_t l);

/* An index must be exact in single precision. */
#define NGI_INDEX_MOST ((size_t)1 << 24)

/* Sizes of a batch: NG_EUSAGE if there are no examples or x or y are not as
 * wide as the network. */
ng_status ngi_architecture_fits(const ngi_architecture *architecture,
                                const ng_batch *batch);

/* theta <- initial weights; the same for both precisions. */
void ngi_architecture_init(const ngi_architecture *architecture, int init,
                           uint64_t seed, double *theta);

#endif
