#include "learner/onnx.h"
#include "data/bytes.h"
#include "data/text.h"

#include <string.h>

/* A message under construction. Its fields may come in any order, but repeated
 * ones keep theirs. */
typedef struct message {
    void *bytes;
    size_t size, capacity;
} message;

struct ngi_onnx {
    ng_ctx *ctx;
    ng_status status; /* the first trouble */
    message graph, metadata;
    /* What the graph takes in: attributes of the next node; scratch, one for
     * each depth of nesting. */
    message attributes, inner[3];
};

/* Numbers of fields, as onnx.proto3 has them. */
enum {
    MODEL_IR_VERSION = 1,
    MODEL_PRODUCER_NAME = 2,
    MODEL_PRODUCER_VERSION = 3,
    MODEL_GRAPH = 7,
    MODEL_OPSET_IMPORT = 8,
    MODEL_METADATA = 14,
    OPSET_DOMAIN = 1,
    OPSET_VERSION = 2,
    ENTRY_KEY = 1,
    ENTRY_VALUE = 2,
    GRAPH_NODE = 1,
    GRAPH_NAME = 2,
    GRAPH_INITIALIZER = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    NODE_INPUT = 1,
    NODE_OUTPUT = 2,
    NODE_NAME = 3,
    NODE_OPERATOR = 4,
    NODE_ATTRIBUTE = 5,
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_REAL = 2,
    ATTRIBUTE_INTEGER = 3,
    ATTRIBUTE_INTEGERS = 8,
    ATTRIBUTE_TYPE = 20,
    ATTRIBUTE_IS_REAL = 1,
    ATTRIBUTE_IS_INTEGER = 2,
    ATTRIBUTE_ARE_INTEGERS = 7,
    TENSOR_DIMENSION = 1,
    TENSOR_TYPE = 2,
    TENSOR_NAME = 8,
    TENSOR_BYTES = 9,
    VALUE_NAME = 1,
    VALUE_TYPE = 2,
    TYPE_TENSOR = 1,
    TENSOR_TYPE_ELEMENT = 1,
    TENSOR_TYPE_SHAPE = 2,
    SHAPE_DIMENSION = 1,
    DIMENSION_VALUE = 1,
    DIMENSION_NAME = 2
};

/* How a field is stored, in the lowest bits of its tag. */
enum { WIRE_VARINT = 0, WIRE_BYTES = 2, WIRE_FOUR_BYTES = 5, WIRE_BITS = 3 };

/* A message is shorter than 2^31 bytes. Room is left for what surrounds the
 * graph. */
static const size_t MESSAGE_MOST = INT32_MAX - (1 << 20);

enum { VARINT_BYTES = 10 };

/* ---- The wire format ------------------------------------------------------
 */

static void fail(ngi_onnx *o, ng_status status) {
    if (o->status == NG_OK)
        o->status = status;
}

/* `size` more bytes at the end, to be filled; NULL if they cannot be had. */
static unsigned char *extend(ngi_onnx *o, message *m, size_t size) {
    if (o->status != NG_OK)
        return NULL;
    if (size > MESSAGE_MOST - m->size) {
        fail(o, ngi_fail(o->ctx, NG_EUNSUPPORTED,
                         "an ONNX file holds less than 2 GiB; this network "
                         "takes more"));
        return NULL;
    }
    fail(o, ngi_reserve(o->ctx, &m->bytes, &m->capacity, m->size + size, 1));
    if (o->status != NG_OK)
        return NULL;
    unsigned char *at = (unsigned char *)m->bytes + m->size;
    m->size += size;
    return at;
}

static void put_bytes(ngi_onnx *o, message *m, const void *bytes, size_t size) {
    unsigned char *at = extend(o, m, size);
    if (at && size)
        memcpy(at, bytes, size);
}

/* Seven bits a byte, the lowest first; all but the last have the eighth. */
static size_t varint(uint64_t value, unsigned char out[VARINT_BYTES]) {
    size_t length = 0;
    for (; value > 0x7f; value >>= 7)
        out[length++] = (unsigned char)(value | 0x80);
    out[length++] = (unsigned char)value;
    return length;
}

static void put_varint(ngi_onnx *o, message *m, uint64_t value) {
    unsigned char bytes[VARINT_BYTES];
    put_bytes(o, m, bytes, varint(value, bytes));
}

static void put_tag(ngi_onnx *o, message *m, unsigned field, unsigned wire) {
    put_varint(o, m, field << WIRE_BITS | wire);
}

static void put_integer(ngi_onnx *o, message *m, unsigned field,
                        int64_t value) {
    put_tag(o, m, field, WIRE_VARINT);
    put_varint(o, m, (uint64_t)value);
}

static void put_run(ngi_onnx *o, message *m, unsigned field, const void *bytes,
                    size_t size) {
    put_tag(o, m, field, WIRE_BYTES);
    put_varint(o, m, size);
    put_bytes(o, m, bytes, size);
}

static void put_text(ngi_onnx *o, message *m, unsigned field,
                     const char *text) {
    put_run(o, m, field, text, strlen(text));
}

/* The message `part`, which is empty afterwards. */
static void put_message(ngi_onnx *o, message *m, unsigned field,
                        message *part) {
    put_run(o, m, field, part->bytes, part->size);
    part->size = 0;
}

/* ---- A model --------------------------------------------------------------
 */

ng_status ngi_onnx_create(ng_ctx *ctx, ngi_onnx **out) {
    ngi_onnx *o = ngi_alloc(ctx, 1, sizeof *o);
    if (!o)
        return NG_ENOMEM;
    o->ctx = ctx;
    put_text(o, &o->graph, GRAPH_NAME, "natgrad");
    *out = o;
    return NG_OK;
}

void ngi_onnx_destroy(ngi_onnx **pointer) {
    ngi_onnx *o = *pointer;
    if (!o)
        return;
    ngi_free(o->ctx, o->graph.bytes);
    ngi_free(o->ctx, o->metadata.bytes);
    ngi_free(o->ctx, o->attributes.bytes);
    for (size_t i = 0; i < sizeof o->inner / sizeof *o->inner; i++)
        ngi_free(o->ctx, o->inner[i].bytes);
    ngi_free(o->ctx, o);
    *pointer = NULL;
}

/* ---- Values at the border -------------------------------------------------
 */

/* ValueInfoProto, with the TypeProto in it. */
static void put_value(ngi_onnx *o, unsigned field, const char *name,
                      ngi_onnx_type type, size_t dims, const size_t *shape) {
    message *outer = &o->inner[0], *middle = &o->inner[1];
    message *dimension = &o->inner[2];
    put_text(o, dimension, DIMENSION_NAME, "batch");
    put_message(o, middle, SHAPE_DIMENSION, dimension);
    for (size_t i = 0; i < dims; i++) {
        put_integer(o, dimension, DIMENSION_VALUE, (int64_t)shape[i]);
        put_message(o, middle, SHAPE_DIMENSION, dimension);
    }
    put_integer(o, outer, TENSOR_TYPE_ELEMENT, type);
    put_message(o, outer, TENSOR_TYPE_SHAPE, middle);
    put_message(o, middle, TYPE_TENSOR, outer);
    put_text(o, outer, VALUE_NAME, name);
    put_message(o, outer, VALUE_TYPE, middle);
    put_message(o, &o->graph, field, outer);
}

void ngi_onnx_graph_input(ngi_onnx *o, const char *name, ngi_onnx_type type,
                          size_t dims, const size_t *shape) {
    put_value(o, GRAPH_INPUT, name, type, dims, shape);
}

void ngi_onnx_graph_output(ngi_onnx *o, const char *name, ngi_onnx_type type,
                           size_t dims, const size_t *shape) {
    put_value(o, GRAPH_OUTPUT, name, type, dims, shape);
}

/* ---- Constants ------------------------------------------------------------
 */

static size_t type_size(ngi_onnx_type type) {
    return type == NGI_ONNX_FLOAT ? sizeof(float) : sizeof(double);
}

static uint64_t bits_of(ngi_onnx_type type, double value) {
    float single = (float)value;
    uint32_t four;
    uint64_t eight;
    switch (type) {
    case NGI_ONNX_FLOAT:
        memcpy(&four, &single, sizeof four);
        return four;
    case NGI_ONNX_DOUBLE:
        memcpy(&eight, &value, sizeof eight);
        return eight;
    case NGI_ONNX_INT64:
        return (uint64_t)(int64_t)value;
    }
    return 0;
}

/* The numbers go straight into the graph: they may be most of a machine's
 * memory. */
void ngi_onnx_tensor(ngi_onnx *o, const char *name, ngi_onnx_type type,
                     size_t dims, const size_t *shape, const double *values) {
    message *head = &o->inner[0];
    size_t count = 1, size = type_size(type);
    for (size_t i = 0; i < dims; i++) {
        count *= shape[i];
        put_integer(o, head, TENSOR_DIMENSION, (int64_t)shape[i]);
    }
    put_integer(o, head, TENSOR_TYPE, type);
    put_text(o, head, TENSOR_NAME, name);
    put_tag(o, head, TENSOR_BYTES, WIRE_BYTES);
    put_varint(o, head, size * count);
    put_tag(o, &o->graph, GRAPH_INITIALIZER, WIRE_BYTES);
    put_varint(o, &o->graph, head->size + size * count);
    put_bytes(o, &o->graph, head->bytes, head->size);
    head->size = 0;
    unsigned char *at = extend(o, &o->graph, size * count);
    for (size_t i = 0; at && i < count; i++)
        ngi_bytes_store(bits_of(type, values[i]), size, at + i * size);
}

/* ---- Nodes ----------------------------------------------------------------
 */

void ngi_onnx_integer(ngi_onnx *o, const char *name, int64_t value) {
    message *m = &o->inner[0];
    put_text(o, m, ATTRIBUTE_NAME, name);
    put_integer(o, m, ATTRIBUTE_INTEGER, value);
    put_integer(o, m, ATTRIBUTE_TYPE, ATTRIBUTE_IS_INTEGER);
    put_message(o, &o->attributes, NODE_ATTRIBUTE, m);
}

void ngi_onnx_integers(ngi_onnx *o, const char *name, size_t count,
                       const int64_t *values) {
    message *m = &o->inner[0];
    put_text(o, m, ATTRIBUTE_NAME, name);
    for (size_t i = 0; i < count; i++)
        put_integer(o, m, ATTRIBUTE_INTEGERS, values[i]);
    put_integer(o, m, ATTRIBUTE_TYPE, ATTRIBUTE_ARE_INTEGERS);
    put_message(o, &o->attributes, NODE_ATTRIBUTE, m);
}

void ngi_onnx_real(ngi_onnx *o, const char *name, double value) {
    message *m = &o->inner[0];
    unsigned char bytes[sizeof(float)];
    ngi_bytes_store(bits_of(NGI_ONNX_FLOAT, value), sizeof bytes, bytes);
    put_text(o, m, ATTRIBUTE_NAME, name);
    put_tag(o, m, ATTRIBUTE_REAL, WIRE_FOUR_BYTES);
    put_bytes(o, m, bytes, sizeof bytes);
    put_integer(o, m, ATTRIBUTE_TYPE, ATTRIBUTE_IS_REAL);
    put_message(o, &o->attributes, NODE_ATTRIBUTE, m);
}

void ngi_onnx_node(ngi_onnx *o, const char *op,
                   const char *const inputs[NGI_ONNX_INPUTS],
                   const char *output) {
    message *m = &o->inner[0];
    for (size_t i = 0; i < NGI_ONNX_INPUTS && inputs[i]; i++)
        put_text(o, m, NODE_INPUT, inputs[i]);
    put_text(o, m, NODE_OUTPUT, output);
    put_text(o, m, NODE_NAME, output);
    put_text(o, m, NODE_OPERATOR, op);
    put_bytes(o, m, o->attributes.bytes, o->attributes.size);
    o->attributes.size = 0;
    put_message(o, &o->graph, GRAPH_NODE, m);
}

/* ---- The file -------------------------------------------------------------
 */

void ngi_onnx_metadata(ngi_onnx *o, const char *key, const char *value) {
    message *m = &o->inner[0];
    put_text(o, m, ENTRY_KEY, key);
    put_text(o, m, ENTRY_VALUE, value);
    put_message(o, &o->metadata, MODEL_METADATA, m);
}

/* ModelProto up to the contents of its graph. */
static void put_head(ngi_onnx *o, message *m) {
    message *opset = &o->inner[1];
    put_integer(o, m, MODEL_IR_VERSION, NGI_ONNX_IR);
    put_text(o, m, MODEL_PRODUCER_NAME, "natgrad");
    put_text(o, m, MODEL_PRODUCER_VERSION, NG_VERSION);
    put_text(o, opset, OPSET_DOMAIN, "");
    put_integer(o, opset, OPSET_VERSION, NGI_ONNX_OPSET);
    put_message(o, m, MODEL_OPSET_IMPORT, opset);
    put_bytes(o, m, o->metadata.bytes, o->metadata.size);
    put_tag(o, m, MODEL_GRAPH, WIRE_BYTES);
    put_varint(o, m, o->graph.size);
}

ng_status ngi_onnx_write(ngi_onnx *o, const char *path) {
    message *head = &o->inner[0];
    ng_writer *writer;
    put_head(o, head);
    NG_TRY(o->status);
    NG_TRY(ng_writer_open(o->ctx, path, &writer));
    ng_writer_bytes(writer, head->bytes, head->size);
    ng_writer_bytes(writer, o->graph.bytes, o->graph.size);
    head->size = 0;
    return ng_writer_commit(&writer);
}
