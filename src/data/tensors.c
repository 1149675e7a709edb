#include "data/tensors.h"
#include "data/bytes.h"
#include "data/text.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
} TYPES[] = {
    [NGI_TENSOR_F64] = {"F64", 8},
    [NGI_TENSOR_F32] = {"F32", 4},
    [NGI_TENSOR_I64] = {"I64", 8},
    [NGI_TENSOR_U8] = {"U8", 1},
};

size_t ngi_tensor_type_size(ngi_tensor_type type) {
    return TYPES[type].size;
}

const char *ngi_tensor_type_name(ngi_tensor_type type) {
    return TYPES[type].name;
}

double ngi_tensor_value(const ngi_tensor *tensor, size_t i) {
    switch (tensor->type) {
    case NGI_TENSOR_F64:
        return ((const double *)tensor->data)[i];
    case NGI_TENSOR_F32:
        return (double)((const float *)tensor->data)[i];
    case NGI_TENSOR_I64:
        return (double)((const int64_t *)tensor->data)[i];
    case NGI_TENSOR_U8:
        return ((const uint8_t *)tensor->data)[i];
    }
    return (double)NAN;
}

void ngi_tensor_values(const ngi_tensor *tensor, double *out) {
    for (size_t i = 0; i < tensor->count; i++)
        out[i] = ngi_tensor_value(tensor, i);
}

ng_status ngi_tensors_create(ng_ctx *ctx, ngi_tensors **out) {
    *out = ngi_alloc(ctx, 1, sizeof **out);
    if (!*out)
        return NG_ENOMEM;
    (*out)->ctx = ctx;
    return NG_OK;
}

void ngi_tensors_destroy(ngi_tensors **tensors) {
    ngi_tensors *t = *tensors;
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++) {
        ngi_free(t->ctx, t->tensor[i].name);
        ngi_free(t->ctx, t->tensor[i].data);
    }
    for (size_t i = 0; i < t->metadata_count; i++) {
        ngi_free(t->ctx, t->metadata_key[i]);
        ngi_free(t->ctx, t->metadata_value[i]);
    }
    ngi_free(t->ctx, t->tensor);
    ngi_free(t->ctx, t->metadata_key);
    ngi_free(t->ctx, t->metadata_value);
    ngi_free(t->ctx, t);
    *tensors = NULL;
}

/* A name of the caller's that is fit for the header. */
static ng_status check_text(ng_ctx *ctx, const char *what, const char *text) {
    if (ngi_utf8_valid(text, strlen(text)))
        return NG_OK;
    return ngi_fail(ctx, NG_EUSAGE, "%s \"%s\": expected UTF-8", what,
                    ngi_show_string(text).text);
}

static ng_status check_name(const ngi_tensors *tensors, const char *name) {
    NG_TRY(check_text(tensors->ctx, "tensor", name));
    if (strcmp(name, "__metadata__") == 0)
        return ngi_fail(tensors->ctx, NG_EUSAGE,
                        "a tensor cannot be named \"%s\"", name);
    if (ngi_tensors_find(tensors, name))
        return ngi_fail(tensors->ctx, NG_EUSAGE,
                        "tensor \"%s\": expected a new name",
                        ngi_show_string(name).text);
    return NG_OK;
}

static ng_status set_shape(ng_ctx *ctx, ngi_tensor *tensor, size_t dims,
                           const size_t *shape) {
    if (dims > NGI_TENSOR_MAX_DIMS)
        return ngi_fail(ctx, NG_EUSAGE,
                        "tensor \"%s\": expected at most %d dimensions, "
                        "found %zu",
                        ngi_show_string(tensor->name).text, NGI_TENSOR_MAX_DIMS,
                        dims);
    tensor->dims = dims;
    tensor->count = 1;
    for (size_t i = 0; i < dims; i++) {
        if (shape[i] && tensor->count > SIZE_MAX / sizeof(double) / shape[i])
            return ngi_fail(ctx, NG_EUSAGE, "tensor \"%s\": shape too large",
                            ngi_show_string(tensor->name).text);
        tensor->shape[i] = shape[i];
        tensor->count *= shape[i];
    }
    return NG_OK;
}

ng_status ngi_tensors_add_data(ngi_tensors *tensors, const char *name,
                               ngi_tensor_type type, size_t dims,
                               const size_t *shape, const void *data) {
    ng_ctx *ctx = tensors->ctx;
    ngi_tensor tensor = {.type = type};
    size_t size = ngi_tensor_type_size(type);
    NG_TRY(check_name(tensors, name));
    ngi_tensor *grown =
        ngi_resize(ctx, tensors->tensor, tensors->count + 1, sizeof *grown);
    if (!grown)
        return NG_ENOMEM;
    tensors->tensor = grown;
    tensor.name = ngi_strdup(ctx, name);
    ng_status status =
        tensor.name ? set_shape(ctx, &tensor, dims, shape) : NG_ENOMEM;
    if (status == NG_OK) {
        tensor.data = ngi_alloc(ctx, tensor.count, size);
        status = tensor.data ? NG_OK : NG_ENOMEM;
    }
    if (status != NG_OK) {
        ngi_free(ctx, tensor.name);
        return status;
    }
    if (tensor.count)
        memcpy(tensor.data, data, tensor.count * size);
    tensors->tensor[tensors->count++] = tensor;
    return NG_OK;
}

ng_status ngi_tensors_add(ngi_tensors *tensors, const char *name, size_t dims,
                          const size_t *shape, const double *values) {
    return ngi_tensors_add_data(tensors, name, NGI_TENSOR_F64, dims, shape,
                                values);
}

static size_t find_key(const ngi_tensors *tensors, const char *key) {
    size_t i = 0;
    while (i < tensors->metadata_count &&
           strcmp(tensors->metadata_key[i], key) != 0)
        i++;
    return i;
}

/* Room for one more pair. */
static ng_status grow_metadata(ngi_tensors *t) {
    size_t count = t->metadata_count + 1;
    char **grown = ngi_resize(t->ctx, t->metadata_key, count, sizeof *grown);
    if (!grown)
        return NG_ENOMEM;
    t->metadata_key = grown;
    grown = ngi_resize(t->ctx, t->metadata_value, count, sizeof *grown);
    if (!grown)
        return NG_ENOMEM;
    t->metadata_value = grown;
    return NG_OK;
}

ng_status ngi_tensors_set_metadata(ngi_tensors *tensors, const char *key,
                                   const char *value) {
    ng_ctx *ctx = tensors->ctx;
    NG_TRY(check_text(ctx, "metadata key", key));
    NG_TRY(check_text(ctx, "metadata value", value));
    size_t i = find_key(tensors, key);
    if (i == tensors->metadata_count)
        NG_TRY(grow_metadata(tensors));
    char *copy = ngi_strdup(ctx, value);
    if (!copy)
        return NG_ENOMEM;
    if (i < tensors->metadata_count) {
        ngi_free(ctx, tensors->metadata_value[i]);
        tensors->metadata_value[i] = copy;
        return NG_OK;
    }
    tensors->metadata_key[i] = ngi_strdup(ctx, key);
    if (!tensors->metadata_key[i]) {
        ngi_free(ctx, copy);
        return NG_ENOMEM;
    }
    tensors->metadata_value[i] = copy;
    tensors->metadata_count++;
    return NG_OK;
}

const ngi_tensor *ngi_tensors_find(const ngi_tensors *tensors,
                                   const char *name) {
    for (size_t i = 0; i < tensors->count; i++)
        if (strcmp(tensors->tensor[i].name, name) == 0)
            return &tensors->tensor[i];
    return NULL;
}

const char *ngi_tensors_metadata(const ngi_tensors *tensors, const char *key) {
    size_t i = find_key(tensors, key);
    return i < tensors->metadata_count ? tensors->metadata_value[i] : NULL;
}

/* Jansson's functions give NULL or -1 when memory is short, accept NULL where
 * an object is to be added, and then take over nothing. */
static int add_metadata(json_t *root, const ngi_tensors *tensors) {
    if (!tensors->metadata_count)
        return 0;
    json_t *pairs = json_object();
    int bad = json_object_set_new(root, "__metadata__", pairs);
    for (size_t i = 0; !bad && i < tensors->metadata_count; i++)
        bad = json_object_set_new(pairs, tensors->metadata_key[i],
                                  json_string(tensors->metadata_value[i]));
    return bad;
}

static size_t bytes_of(const ngi_tensor *tensor) {
    return tensor->count * ngi_tensor_type_size(tensor->type);
}

/* The format allows no gaps: wide numbers come first, so that all others are
 * aligned too. */
static const size_t SIZES[] = {8, 4, 1};
enum { SIZE_COUNT = sizeof SIZES / sizeof *SIZES };

static size_t begin_of(const ngi_tensors *tensors, size_t index) {
    size_t begin = 0, size = ngi_tensor_type_size(tensors->tensor[index].type);
    for (size_t i = 0; i < tensors->count; i++) {
        size_t other = ngi_tensor_type_size(tensors->tensor[i].type);
        if (other > size || (other == size && i < index))
            begin += bytes_of(&tensors->tensor[i]);
    }
    return begin;
}

static int add_entry(json_t *root, const ngi_tensor *tensor, size_t begin) {
    size_t end = begin + bytes_of(tensor);
    json_t *entry = json_object(), *shape = json_array();
    json_t *offsets = json_array();
    int bad = json_object_set_new(root, tensor->name, entry);
    if (bad) {
        json_decref(shape);
        json_decref(offsets);
        return bad;
    }
    bad |= json_object_set_new(entry, "dtype",
                               json_string(ngi_tensor_type_name(tensor->type)));
    for (size_t i = 0; i < tensor->dims; i++)
        bad |= json_array_append_new(
            shape, json_integer((json_int_t)tensor->shape[i]));
    bad |= json_object_set_new(entry, "shape", shape);
    bad |= json_array_append_new(offsets, json_integer((json_int_t)begin));
    bad |= json_array_append_new(offsets, json_integer((json_int_t)end));
    bad |= json_object_set_new(entry, "data_offsets", offsets);
    return bad;
}

/* The JSON text, to be released with free; NULL when memory is short. */
static char *make_header(const ngi_tensors *tensors) {
    json_t *root = json_object();
    int bad = !root || add_metadata(root, tensors);
    for (size_t i = 0; !bad && i < tensors->count; i++)
        bad = add_entry(root, &tensors->tensor[i], begin_of(tensors, i));
    char *text = bad ? NULL : json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

/* Blanks after the header put the data on a multiple of 8 bytes. */
static void write_header(ng_writer *writer, const char *header) {
    size_t length = strlen(header), padding = (8 - length % 8) % 8;
    unsigned char size[8];
    ngi_bytes_store(length + padding, sizeof size, size);
    ng_writer_bytes(writer, size, sizeof size);
    ng_writer_bytes(writer, header, length);
    ng_writer_bytes(writer, "        ", padding);
}

static void write_data(ng_writer *writer, const ngi_tensors *tensors) {
    for (size_t s = 0; s < SIZE_COUNT; s++) {
        for (size_t i = 0; i < tensors->count; i++) {
            const ngi_tensor *tensor = &tensors->tensor[i];
            if (ngi_tensor_type_size(tensor->type) == SIZES[s])
                ngi_bits_write(writer, tensor->data, SIZES[s], tensor->count);
        }
    }
}

ng_status ngi_tensors_write(const ngi_tensors *tensors, const char *path) {
    char *header = make_header(tensors);
    if (!header)
        return ngi_fail_memory(tensors->ctx);
    ng_writer *writer;
    ng_status status = ng_writer_open(tensors->ctx, path, &writer);
    if (status == NG_OK) {
        write_header(writer, header);
        write_data(writer, tensors);
        status = ng_writer_commit(&writer);
    }
    free(header);
    return status;
}
