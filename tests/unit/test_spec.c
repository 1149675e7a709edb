/* Specifications of networks: what parses and to what, what does not and what
 * is said about it, the way back to text and JSON, and initial weights. */
#include "network/architecture.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LENGTH(table) (sizeof(table) / sizeof *(table))

static ng_ctx *ctx;

static void set_up(void) {
    ck_assert_int_eq(ng_ctx_create(NULL, &ctx), NG_OK);
}

static void tear_down(void) {
    ng_ctx_destroy(&ctx);
}

static ng_network_options options_of(const char *layers, ng_shape input) {
    return (ng_network_options){.layers = layers,
                                .input = input,
                                .family = "gaussian",
                                .targets = 1,
                                .init = -1};
}

static ngi_architecture *create(const ng_network_options *options) {
    ngi_architecture *a;
    ng_status status = ngi_architecture_create(ctx, options, &a);
    ck_assert_msg(status == NG_OK, "%s: %s", options->layers, ng_error(ctx));
    return a;
}

static void ck_refused(const ng_network_options *options, const char *message) {
    ngi_architecture *a;
    ng_status status = ngi_architecture_create(ctx, options, &a);
    ck_assert_msg(status == NG_EUSAGE, "%s: status %d", options->layers,
                  (int)status);
    ck_assert_ptr_null(a);
    ck_assert_msg(strstr(ng_error(ctx), message), "said: %s\nexpected: %s",
                  ng_error(ctx), message);
}

/* ---- What parses ---- */

typedef struct good {
    const char *layers;
    ng_shape input;
    const char *text; /* as it is written back */
    const char *list; /* the layers, by ng_layer_text, without the output */
    size_t dim;
} good;

#define FLAT(n)                                                                \
    { n, 1, 1 }

static const good GOOD[] = {
    {"", FLAT(4), "", "", 5},
    {" \t", FLAT(4), "", "", 5},
    {"8", FLAT(4), "8", "dense 4 -> 8", 40 + 9},
    {"dense 8", FLAT(4), "8", "dense 4 -> 8", 40 + 9},
    {" 8  tanh,3 ", FLAT(4), "8 tanh, 3", "dense 4 -> 8; tanh 8; dense 8 -> 3",
     40 + 27 + 4},
    {"8 identity, identity", FLAT(4), "8", "dense 4 -> 8", 49},
    {"8, relu", FLAT(4), "8, relu", "dense 4 -> 8; relu 8", 49},
    {"relu, relu", FLAT(4), "relu, relu", "relu 4; relu 4", 5},
    {"8 leaky-relu", FLAT(4), "8 leaky-relu",
     "dense 4 -> 8; leaky-relu 8, slope 0.01", 49},
    {"8 leaky-relu 0.2", FLAT(4), "8 leaky-relu 0.2",
     "dense 4 -> 8; leaky-relu 8, slope 0.2", 49},
    {"leaky-relu 1e-1", FLAT(4), "leaky-relu 0.1", "leaky-relu 4, slope 0.1",
     5},
    {"layer-norm gelu", FLAT(4), "layer-norm gelu", "layer-norm 4; gelu 4",
     8 + 5},
    {"flatten, 2", FLAT(4), "2", "dense 4 -> 2", 10 + 3},
    {"flatten silu", FLAT(4), "silu", "silu 4", 5},
    {"embedding 10x3", FLAT(4), "embedding 10x3", "embedding 4 -> 12, 10 x 3",
     30 + 13},
    {"2 softplus",
     {3, 4, 5},
     "2 softplus",
     "dense 60 -> 2; softplus 2",
     122 + 3},
    {"flatten, 2",
     {3, 4, 5},
     "flatten, 2",
     "flatten 3 x 4 x 5 -> 60; dense 60 -> 2",
     122 + 3},
    {"flatten tanh",
     {3, 4, 5},
     "flatten tanh",
     "flatten 3 x 4 x 5 -> 60; tanh 60",
     61},
    {"layer-norm", {3, 4, 5}, "layer-norm", "layer-norm 3 x 4 x 5", 120 + 61},
    {"conv 16 5x5",
     {6, 28, 28},
     "conv 16 5x5",
     "conv 6 x 28 x 28 -> 16 x 24 x 24, 5 x 5",
     16 * 151 + 9217},
    {"conv 2 3 relu",
     {1, 5, 5},
     "conv 2 3x3 relu",
     "conv 1 x 5 x 5 -> 2 x 3 x 3, 3 x 3; relu 2 x 3 x 3",
     20 + 19},
    {"conv 2 3x1 pad same",
     {1, 5, 5},
     "conv 2 3x1 pad 1x0",
     "conv 1 x 5 x 5 -> 2 x 5 x 5, 3 x 1, padding 1 x 0",
     8 + 51},
    {"conv 2 3x3 pad 1 stride 2",
     {1, 6, 7},
     "conv 2 3x3 stride 2 pad 1",
     "conv 1 x 6 x 7 -> 2 x 3 x 4, 3 x 3, stride 2 x 2, padding 1 x 1",
     20 + 25},
    {"conv 6 1x2 stride 1x2 groups 2 sigmoid",
     {4, 1, 6},
     "conv 6 1x2 stride 1x2 groups 2 sigmoid",
     "conv 4 x 1 x 6 -> 6 x 1 x 3, 1 x 2, stride 1 x 2, 2 groups; "
     "sigmoid 6 x 1 x 3",
     6 * 5 + 19},
    {"pool 2",
     {3, 5, 5},
     "max-pool 2",
     "max-pool 3 x 5 x 5 -> 3 x 2 x 2, 2 x 2",
     13},
    {"max-pool 3x3 stride 2 pad 1",
     {3, 5, 5},
     "max-pool 3 stride 2 pad 1",
     "max-pool 3 x 5 x 5 -> 3 x 3 x 3, 3 x 3, stride 2 x 2, padding 1 x 1",
     28},
    {"average-pool 2x1",
     {3, 5, 5},
     "average-pool 2x1",
     "average-pool 3 x 5 x 5 -> 3 x 2 x 5, 2 x 1",
     31},
    {"average-pool all, 2",
     {3, 5, 4},
     "average-pool all, 2",
     "average-pool 3 x 5 x 4 -> 3, 5 x 4; dense 3 -> 2",
     8 + 3},
    {"average-pool 5x4",
     {3, 5, 4},
     "average-pool all",
     "average-pool 3 x 5 x 4 -> 3, 5 x 4",
     4},
    {"[4 relu, 4]", FLAT(4), "[4 relu, 4]",
     "dense 4 -> 4; relu 4; dense 4 -> 4; sum 4, with value 0", 20 + 20 + 5},
    {"3,[ [ 3 ],relu ] tanh", FLAT(4), "3, [[3], relu] tanh",
     "dense 4 -> 3; dense 3 -> 3; sum 3, with value 1; relu 3; "
     "sum 3, with value 1; tanh 3",
     15 + 12 + 4},
    {"[conv 2 3 pad same, layer-norm relu] relu, [relu]",
     {2, 3, 3},
     "[conv 2 3x3 pad 1, layer-norm relu] relu, [relu]",
     "conv 2 x 3 x 3 -> 2 x 3 x 3, 3 x 3, padding 1 x 1; "
     "layer-norm 2 x 3 x 3; relu 2 x 3 x 3; sum 2 x 3 x 3, with value 0; "
     "relu 2 x 3 x 3; relu 2 x 3 x 3; sum 2 x 3 x 3, with value 5",
     38 + 36 + 19},
};

static bool same_layer(const ng_layer *a, const ng_layer *b) {
    ng_layer x = *a, y = *b;
    /* All but `item`: what does nothing is not written back. */
    return memcmp(&x.in, &y.in, sizeof x.in) == 0 &&
           memcmp(&x.out, &y.out, sizeof x.out) == 0 && x.kind == y.kind &&
           x.activation == y.activation && x.slope == y.slope &&
           memcmp(x.kernel, y.kernel, sizeof x.kernel) == 0 &&
           memcmp(x.stride, y.stride, sizeof x.stride) == 0 &&
           memcmp(x.padding, y.padding, sizeof x.padding) == 0 &&
           x.groups == y.groups && x.vocabulary == y.vocabulary &&
           x.epsilon == y.epsilon && x.source == y.source &&
           x.parameter == y.parameter && x.parameters == y.parameters &&
           x.rows == y.rows && x.columns == y.columns;
}

static void ck_same(const ngi_architecture *a, const ngi_architecture *b) {
    ck_assert_str_eq(a->text, b->text);
    ck_assert_uint_eq(a->layers, b->layers);
    ck_assert_uint_eq(a->dim, b->dim);
    ck_assert_uint_eq(a->first, b->first);
    for (size_t l = 0; l < a->layers; l++)
        ck_assert_msg(same_layer(&a->layer[l], &b->layer[l]), "%s: layer %zu",
                      a->text, l);
    ck_assert_mem_eq(a->shared, b->shared, a->layers + 1);
}

/* Text and JSON give back what they were made of. */
static void ck_round_trips(const ngi_architecture *a,
                           const ng_network_options *options) {
    ng_network_options again = *options;
    again.layers = a->text;
    ngi_architecture *b = create(&again);
    ck_same(a, b);
    ngi_architecture_destroy(&b);
    json_t *json = ngi_architecture_to_json(a);
    char *text = json_dumps(json, JSON_REAL_PRECISION(17));
    json_decref(json);
    json = json_loads(text, 0, NULL);
    ng_status status =
        ngi_architecture_create_json(ctx, options, "j", json, &b);
    ck_assert_msg(status == NG_OK, "%s: %s", text, ng_error(ctx));
    ck_same(a, b);
    free(text);
    json_decref(json);
    ngi_architecture_destroy(&b);
}

/* What holds of every architecture. */
static void ck_laid_out(const ngi_architecture *a) {
    size_t parameters = 0;
    for (size_t l = 0; l < a->layers; l++) {
        const ng_layer *layer = &a->layer[l];
        ck_assert_mem_eq(&layer->in, ngi_value_shape(a, l), sizeof layer->in);
        ck_assert_uint_eq(layer->parameter, parameters);
        ck_assert_uint_eq(layer->parameters, layer->rows * layer->columns);
        parameters += layer->parameters;
        ck_assert(a->first <= l || layer->parameters == 0);
    }
    ck_assert_uint_eq(a->dim, parameters);
    ck_assert_uint_gt(a->layer[a->first].parameters, 0);
    for (size_t v = 0; v <= a->layers; v++) {
        bool read = false;
        for (size_t l = 0; l < a->layers; l++)
            read |= a->layer[l].kind == NG_LAYER_SUM && a->layer[l].source == v;
        ck_assert(a->shared[v] == read);
    }
}

START_TEST(specifications_become_these_layers) {
    const good *g = &GOOD[_i];
    char list[1024] = "", text[256];
    ng_network_options options = options_of(g->layers, g->input);
    ngi_architecture *a = create(&options);
    for (size_t l = 0; l < ngi_architecture_hidden(a); l++) {
        ng_layer_text(&a->layer[l], text, sizeof text);
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s",
                 l ? "; " : "", text);
    }
    ck_assert_str_eq(a->text, g->text);
    ck_assert_str_eq(list, g->list);
    ck_assert_uint_eq(a->dim, g->dim);
    ck_laid_out(a);
    ck_round_trips(a, &options);
    ngi_architecture_destroy(&a);
}
END_TEST

/* ---- What does not ---- */

typedef struct bad {
    const char *layers;
    ng_shape input;
    const char *message;
} bad;

static const bad BAD[] = {
    {"conv 8 3x3, relu, conv 16 5x5",
     {6, 5, 5},
     "layers: item 3, 'conv 16 5x5': the kernel is larger than its input of "
     "8 x 3 x 3"},
    {"conv 1 9 pad 1",
     {1, 5, 5},
     "item 1, 'conv 1 9 pad 1': the kernel is larger than its padded input "
     "of 1 x 7 x 7"},
    {"8, conv 2 3", FLAT(4),
     "item 2, 'conv 2 3': its input is a flat vector of 8 values, but it "
     "needs an image"},
    {"pool 2", FLAT(4), "needs an image"},
    {"conv 4 3 groups 2",
     {3, 5, 5},
     "2 groups must divide both the 3 channels of its input and the 4 of"},
    {"conv 3 3 groups 2", {2, 5, 5}, "2 groups must divide both"},
    {"conv 3 2 pad same", {2, 5, 5}, "needs an odd kernel and a stride of 1"},
    {"conv 3 3 pad same stride 2", {2, 5, 5}, "the stride 2 x 2"},
    {"pool 3 pad 2", {2, 5, 5}, "at most half its kernel"},
    {"pool all stride 2", {2, 5, 5}, "'stride' is not expected here"},
    {"cnov 3", FLAT(4),
     "item 1, 'cnov 3': unknown word 'cnov'; expected a number of outputs, "
     "conv, pool, max-pool, average-pool, flatten, layer-norm, embedding, or "
     "one of identity, relu, leaky-relu, gelu, silu, tanh, sigmoid, softplus"},
    {"sum", FLAT(4), "unknown word 'sum'"},
    {"activation", FLAT(4), "unknown word 'activation'"},
    {"0", FLAT(4), "'0' is not the number of outputs"},
    {"-3", FLAT(4), "'-3' is not the number of outputs"},
    {"3.5", FLAT(4), "a whole number from 1 to 2147483646"},
    {"2147483649", FLAT(4), "'2147483649' is not"},
    {"99999999999999999999999999", FLAT(4), "is not the number of outputs"},
    {"3x3", FLAT(4), "'3x3' is not the number of outputs"},
    {"dense", FLAT(4), "the number of outputs is missing"},
    {"conv", {2, 5, 5}, "the number of channels is missing"},
    {"conv 3", {2, 5, 5}, "the kernel is missing"},
    {"conv 3 0x3", {2, 5, 5}, "'0x3' is not the kernel"},
    {"conv 3 3x3x3", {2, 5, 5}, "'3x3x3' is not the kernel"},
    {"conv 3 3 stride", {2, 5, 5}, "the stride is missing"},
    {"conv 3 3 stride 0", {2, 5, 5}, "'0' is not the stride"},
    {"conv 3 3 pad no", {2, 5, 5}, "'no' is not the padding"},
    {"conv 3 3 relu pad 1",
     {2, 5, 5},
     "'pad' is not expected here; there can be stride, pad, groups, or one "
     "of identity, relu"},
    {"8 tanh relu", FLAT(4), "'relu' is not expected here"},
    {"8 tanhh", FLAT(4), "'tanhh' is not expected here"},
    {"8 leaky-relu 2", FLAT(4), "'2' is not a slope, a number from 0 to 1"},
    {"8 leaky-relu -0.1", FLAT(4), "is not a slope"},
    {"8 leaky-relu 0.1x", FLAT(4), "is not a slope"},
    {"8 relu 0.1", FLAT(4), "'0.1' is not expected here"},
    {"embedding 10", FLAT(4), "the vocabulary and the numbers for each index"},
    {"embedding 10x0", FLAT(4), "such as 1000x16"},
    {"8, embedding 10x2", FLAT(4),
     "item 2, 'embedding 10x2': an embedding "
     "comes first"},
    {"embedding 10x2", {2, 5, 5}, "flat vector of indices"},
    {"embedding 10x2147483646", FLAT(4), "its output is too large"},
    {"8,", FLAT(4), "item 2, '': there is nothing where a layer"},
    {",8", FLAT(4), "item 1, '': there is nothing"},
    {"8,,8", FLAT(4), "item 2, '': there is nothing"},
    {"[]", FLAT(4), "there is nothing where a layer"},
    {"[identity]", FLAT(4), "there is no layer in the brackets"},
    {"8 [8]", FLAT(4), "item 1, '8': there must be a comma before a '['"},
    {"[8]8", FLAT(4), "'8' is not expected here; there can be a comma, or"},
    {"[4", FLAT(4), "item 1, '[4': this bracket is not closed"},
    {"4, 4]", FLAT(4), "item 2, ']': this bracket was not opened"},
    {"8, [4 relu, 5]", FLAT(4),
     "item 3, '[4 relu, 5]': what is in the brackets makes 5 of its input of "
     "8, and so the two cannot be added"},
    {"[5]", {1, 2, 2}, "makes 5 of its input of 4"},
    {"[[[[[[[[[[[[[[[[[4", FLAT(4), "more than 16 brackets in each other"},
    {"2147483646", FLAT(4),
     "item 1, '2147483646': with its 2147483646 x 5 weights the network has "
     "more than 2147483646 parameters"},
    {"30000, 30000, 30000, 30000", FLAT(4),
     "item 4, '30000': with its 30000 x 30001 weights"},
    {"conv 2147483646 1", {1, 2, 2}, "has more than 2147483646 values"},
    {"conv 2 2147483646 pad 2147483646", {1, 2, 2}, "the kernel is too large"},
    {"conv 2 1 pad 2147483646", {1, 2, 2}, "has more than 2147483646 values"},
    {"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", FLAT(4),
     "more than 16 words"},
    {"8 \033[31m", FLAT(4), "'8 ?'"},
};

START_TEST(bad_specifications_are_told_where_and_why) {
    ng_network_options options = options_of(BAD[_i].layers, BAD[_i].input);
    ck_refused(&options, BAD[_i].message);
}
END_TEST

START_TEST(a_thousand_layers_are_allowed_and_one_more_is_not) {
    char text[8 * 1024] = "1";
    for (size_t i = 1; i < 1000; i++)
        strcat(text, ",1");
    ng_network_options options = options_of(text, (ng_shape)FLAT(1));
    ngi_architecture *a = create(&options);
    ck_assert_uint_eq(a->layers, 1001);
    ck_round_trips(a, &options);
    ngi_architecture_destroy(&a);
    strcat(text, ",1");
    ck_refused(&options, "item 1001, '1': there are more than 1000 layers");
}
END_TEST

START_TEST(impossible_inputs_and_initialisations_are_refused) {
    ng_network_options options = options_of("", (ng_shape){3, 0, 1});
    ck_refused(&options, "input: 3 x 0 x 1 is not a shape");
    options.input = (ng_shape){(size_t)1 << 20, (size_t)1 << 20, 1};
    ck_refused(&options, "is not a shape");
    options.input = (ng_shape)FLAT(2);
    options.init = 5;
    ck_refused(&options, "init: 5 is not");
}
END_TEST

/* Words of the language in no order: parsed or refused, never worse. */
START_TEST(random_words_parse_or_are_refused) {
    static const char *const WORDS[] = {
        "4",    " ",    ",",       "[",        "]",          "conv",     "3x3",
        "pad",  "same", "stride",  "2",        "groups",     "pool",     "all",
        "relu", "tanh", "flatten", "0.5",      "layer-norm", "1x",       "x",
        "99",   "é",    "\t",      "max-pool", "leaky-relu", "embedding"};
    ng_rng rng;
    size_t parsed = 0;
    ng_rng_init(&rng, 1, 0);
    for (int trial = 0; trial < 20000; trial++) {
        char text[256] = "";
        size_t words = ng_rng_bits(&rng) % 12;
        for (size_t i = 0; i < words; i++) {
            strcat(text, WORDS[ng_rng_bits(&rng) % LENGTH(WORDS)]);
            strcat(text, ng_rng_bits(&rng) % 4 ? " " : "");
        }
        ng_network_options options = options_of(
            text, trial % 2 ? (ng_shape)FLAT(4) : (ng_shape){4, 6, 6});
        ngi_architecture *a;
        if (ngi_architecture_create(ctx, &options, &a) == NG_OK) {
            ck_laid_out(a);
            ck_round_trips(a, &options);
            parsed++;
        } else {
            ck_assert_ptr_null(a);
            ck_assert_ptr_nonnull(strstr(ng_error(ctx), "layers: item"));
        }
        ngi_architecture_destroy(&a);
    }
    ck_assert_uint_gt(parsed, 1000);
}
END_TEST

/* ---- JSON ---- */

static const bad BAD_JSON[] = {
    {"{}", FLAT(4), "j: an array of layers is expected"},
    {"[3]", FLAT(4), "j: item 1, '?': a layer must be an object"},
    {"[{}]", FLAT(4), "\"layer\", the kind of layer, is missing"},
    {"[{\"layer\": \"cnov\"}]", FLAT(4),
     "item 1, 'cnov': unknown layer; expected one of dense, conv"},
    {"[{\"layer\": \"sum\"}]", FLAT(4), "unknown layer"},
    {"[{\"layer\": \"dense\"}]", FLAT(4), "\"outputs\" must be a whole number"},
    {"[{\"layer\": \"dense\", \"outputs\": 2.0}]", FLAT(4),
     "item 1, 'dense': \"outputs\" must be a whole number from 1"},
    {"[{\"layer\": \"dense\", \"outputs\": -2}]", FLAT(4), "\"outputs\" must"},
    {"[{\"layer\": \"dense\", \"outputs\": 2, \"kernel\": 3}]", FLAT(4),
     "unknown key \"kernel\"; expected some of layer, outputs, activation"},
    {"[{\"layer\": \"dense\", \"outputs\": 2, \"out\": 3}]", FLAT(4),
     "unknown key \"out\""},
    {"[{\"layer\": \"relu\"}]", FLAT(4), "unknown layer"},
    {"[{\"layer\": \"activation\"}]", FLAT(4), "\"activation\" must be one of"},
    {"[{\"layer\": \"activation\", \"activation\": 3}]", FLAT(4),
     "\"activation\" must be one of identity, relu"},
    {"[{\"layer\": \"activation\", \"activation\": \"relu\", \"slope\": 0.1}]",
     FLAT(4), "beside the activation \"leaky-relu\""},
    {"[{\"layer\": \"conv\", \"channels\": 2}]",
     {1, 5, 5},
     "\"kernel\" is missing"},
    {"[{\"layer\": \"conv\", \"channels\": 2, \"kernel\": [3]}]",
     {1, 5, 5},
     "\"kernel\" must be a whole number, or an array of two"},
    {"[{\"layer\": \"conv\", \"channels\": 2, \"kernel\": [9, 3]}]",
     {1, 5, 5},
     "item 1, 'conv': the kernel is larger than its input of 1 x 5 x 5"},
    {"[{\"layer\": \"max-pool\", \"kernel\": 2, \"padding\": 2}]",
     {1, 5, 5},
     "at most half its kernel"},
    {"[{\"layer\": \"max-pool\", \"kernel\": \"all\", \"stride\": 2}]",
     {1, 5, 5},
     "neither \"stride\" nor"},
    {"[{\"layer\": \"residual\"}]", FLAT(4), "\"layers\" must be an array"},
    {"[{\"layer\": \"dense\", \"outputs\": 8}, {\"layer\": \"residual\", "
     "\"layers\": [{\"layer\": \"dense\", \"outputs\": 2}]}]",
     FLAT(4), "item 2, 'residual': what is in the brackets makes 2 of its"},
};

START_TEST(bad_json_is_told_where_and_why) {
    ng_network_options options = options_of(NULL, BAD_JSON[_i].input);
    ngi_architecture *a;
    json_t *json = json_loads(BAD_JSON[_i].layers, 0, NULL);
    ck_assert_ptr_nonnull(json);
    ck_assert_int_eq(ngi_architecture_create_json(ctx, &options, "j", json, &a),
                     NG_EUSAGE);
    ck_assert_ptr_null(a);
    ck_assert_msg(strstr(ng_error(ctx), BAD_JSON[_i].message),
                  "said: %s\nexpected: %s", ng_error(ctx),
                  BAD_JSON[_i].message);
    json_decref(json);
}
END_TEST

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(layers_are_read_from_a_file_of_json) {
    char folder[] = "/tmp/natgrad-test-XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/net.json", folder);
    ng_network_options options = options_of(path, (ng_shape){1, 6, 6});
    write_file(path, "[{\"layer\": \"conv\", \"channels\": 2, \"kernel\": 3,"
                     "  \"padding\": \"same\", \"activation\": \"tanh\"},\n"
                     " {\"layer\": \"pool\", \"kernel\": \"all\"}]");
    ngi_architecture *a = create(&options);
    ck_assert_str_eq(a->text, "conv 2 3x3 pad 1 tanh, max-pool all");
    ngi_architecture_destroy(&a);
    write_file(path, "[{\"layer\": \"dense\", \"outputs\": 2,\n}]");
    ck_refused(&options, "net.json: line 2, column 1: ");
    write_file(path, "[{\"layer\": \"dense\", \"outputs\": 0}]");
    ck_refused(&options, "net.json: item 1, 'dense': \"outputs\" must be");
    unlink(path);
    ck_assert_int_eq(ngi_architecture_create(ctx, &options, &a), NG_EDATA);
    ck_assert_ptr_null(a);
    rmdir(folder);
}
END_TEST

/* ---- The output layer ---- */

typedef struct output {
    const char *family;
    size_t levels, targets;
    const char *core;
    size_t replicates, outputs;
} output;

static const output OUTPUTS[] = {{"categorical", 10, 1, "softmax", 1, 10},
                                 {"softmax", 3, 0, "softmax", 1, 3},
                                 {"bernoulli", 0, 784, "bernoulli", 784, 784},
                                 {"gaussian", 0, 5, "normal", 5, 5},
                                 {"normal", 0, 5, "normal", 5, 10},
                                 {"poisson", 0, 1, "poisson", 1, 1},
                                 {"mvnormal", 0, 3, "mvnormal", 1, 9},
                                 {"dirichlet", 0, 4, "dirichlet", 1, 4},
                                 {"gamma", 0, 2, "gamma", 2, 4}};

START_TEST(the_output_is_as_wide_as_the_family_asks) {
    const output *o = &OUTPUTS[_i];
    ng_network_options options = options_of("conv 2 3", (ng_shape){1, 4, 4});
    options.family = o->family;
    options.levels = o->levels;
    options.targets = o->targets;
    ngi_architecture *a = create(&options);
    const ng_layer *last = &a->layer[a->layers - 1];
    ck_assert_str_eq(a->family_name, o->family);
    ck_assert_str_eq(a->family.ops->name, o->core);
    ck_assert_uint_eq(a->replicates, o->replicates);
    ck_assert_uint_eq(a->outputs, o->outputs);
    ck_assert_uint_eq(a->levels, o->levels);
    ck_assert(a->known_scale == (strcmp(o->family, "gaussian") == 0));
    ck_assert_uint_eq(a->layers, 3);
    ck_assert_int_eq(a->layer[1].kind, NG_LAYER_FLATTEN);
    ck_assert_uint_eq(a->layer[1].item, 0);
    ck_assert_int_eq(last->kind, NG_LAYER_DENSE);
    ck_assert_uint_eq(last->item, 0);
    ck_assert_uint_eq(last->rows, o->outputs);
    ck_assert_uint_eq(last->columns, 9);
    ngi_architecture_destroy(&a);
}
END_TEST

START_TEST(families_that_do_not_fit_are_refused) {
    ng_network_options options = options_of("8", (ng_shape)FLAT(4));
    options.family = "gausian";
    ck_refused(&options, "unknown family \"gausian\"; expected one of "
                         "gaussian, bernoulli, categorical, normal");
    options.family = NULL;
    ck_refused(&options, "unknown family \"\"");
    options.family = "poisson";
    options.targets = 0;
    ck_refused(&options, "\"poisson\" needs from 1 to");
    options.family = "categorical";
    ck_refused(&options, "needs from 2 to 16777216 classes; there are 0");
    options.levels = 3;
    options.targets = 2;
    ck_refused(&options, "takes one column of classes; there are 2");
    options.family = "dirichlet";
    options.targets = 1;
    ck_refused(&options, "\"dirichlet\" cannot have 1");
    options.family = "normal";
    options.targets = ((size_t)1 << 31) - 2;
    ck_refused(&options, "asks for too many outputs");
    options.family = "bernoulli";
    ck_refused(&options, "layers: the output layer: with its");
}
END_TEST

static void add_tests(TCase *tests) {
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, specifications_become_these_layers, 0,
                        LENGTH(GOOD));
    tcase_add_loop_test(tests, bad_specifications_are_told_where_and_why, 0,
                        LENGTH(BAD));
    tcase_add_test(tests, a_thousand_layers_are_allowed_and_one_more_is_not);
    tcase_add_test(tests, impossible_inputs_and_initialisations_are_refused);
    tcase_add_test(tests, random_words_parse_or_are_refused);
    tcase_add_loop_test(tests, bad_json_is_told_where_and_why, 0,
                        LENGTH(BAD_JSON));
    tcase_add_test(tests, layers_are_read_from_a_file_of_json);
    tcase_add_loop_test(tests, the_output_is_as_wide_as_the_family_asks, 0,
                        LENGTH(OUTPUTS));
    tcase_add_test(tests, families_that_do_not_fit_are_refused);
}

int main(void) {
    Suite *suite = suite_create("spec");
    TCase *tests = tcase_create("spec");
    add_tests(tests);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
