/* Reading safetensors. The rules are those of the reference implementation:
 * a header of at most 100 MB, data without holes or overlaps, every byte of
 * it used. */
#include "data/bytes.h"
#include "data/input.h"
#include "data/tensors.h"
#include "data/text.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HEADER UINT64_C(100000000)

typedef struct span {
    size_t begin, end;
} span;

typedef struct file {
    ng_ctx *ctx;
    const char *source;
    const unsigned char *data; /* what follows the header */
    size_t size;
    ngi_tensors *tensors;
    span *spans; /* of all tensors so far */
} file;

static ng_status fail_tensor(const file *f, const char *name,
                             const char *problem) {
    return ngi_fail(f->ctx, NG_EDATA, "%s: tensor \"%s\": %s", f->source,
                    ngi_show_string(name).text, problem);
}

static bool read_size(const json_t *value, size_t *out) {
    json_int_t integer = json_integer_value(value);
    if (!json_is_integer(value) || integer < 0 || (uint64_t)integer > SIZE_MAX)
        return false;
    *out = (size_t)integer;
    return true;
}

static ng_status read_shape(const file *f, const char *name,
                            const json_t *entry, size_t *dims, size_t *shape) {
    const json_t *array = json_object_get(entry, "shape");
    *dims = json_array_size(array);
    if (!json_is_array(array))
        return fail_tensor(f, name, "expected an array \"shape\"");
    if (*dims > NGI_TENSOR_MAX_DIMS)
        return fail_tensor(f, name, "expected at most 8 dimensions");
    for (size_t i = 0; i < *dims; i++)
        if (!read_size(json_array_get(array, i), &shape[i]))
            return fail_tensor(f, name, "expected sizes in \"shape\"");
    return NG_OK;
}

static ng_status read_span(const file *f, const char *name, const json_t *entry,
                           span *where) {
    const json_t *array = json_object_get(entry, "data_offsets");
    if (!json_is_array(array) || json_array_size(array) != 2 ||
        !read_size(json_array_get(array, 0), &where->begin) ||
        !read_size(json_array_get(array, 1), &where->end))
        return fail_tensor(f, name, "expected two offsets in \"data_offsets\"");
    if (where->begin > where->end || where->end > f->size)
        return ngi_fail(f->ctx, NG_EDATA,
                        "%s: tensor \"%s\": expected offsets within %zu bytes "
                        "of data, found [%zu, %zu]",
                        f->source, ngi_show_string(name).text, f->size,
                        where->begin, where->end);
    return NG_OK;
}

static ng_status read_type(const file *f, const char *name, const json_t *entry,
                           ngi_tensor_type *type) {
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (!dtype)
        return fail_tensor(f, name, "expected a string \"dtype\"");
    for (int i = NGI_TENSOR_F64; i <= NGI_TENSOR_U8; i++) {
        *type = (ngi_tensor_type)i;
        if (strcmp(dtype, ngi_tensor_type_name(*type)) == 0)
            return NG_OK;
    }
    return ngi_fail(f->ctx, NG_EDATA,
                    "%s: tensor \"%s\": expected dtype F64, F32, I64 or U8, "
                    "found \"%s\"",
                    f->source, ngi_show_string(name).text,
                    ngi_show_string(dtype).text);
}

/* *count numbers must be just what the span holds. */
static ng_status count_values(const file *f, const char *name, size_t dims,
                              const size_t *shape, size_t width,
                              const span *where, size_t *count) {
    *count = 1;
    for (size_t i = 0; i < dims; i++) {
        if (shape[i] && *count > SIZE_MAX / width / shape[i])
            return fail_tensor(f, name, "shape too large");
        *count *= shape[i];
    }
    if (*count * width == where->end - where->begin)
        return NG_OK;
    return ngi_fail(f->ctx, NG_EDATA,
                    "%s: tensor \"%s\": expected %zu bytes of data for its "
                    "shape, found %zu",
                    f->source, ngi_show_string(name).text, *count * width,
                    where->end - where->begin);
}

/* The tensor is put in place before it is filled in, so that whoever destroys
 * the list releases it. */
static ng_status read_tensor(file *f, const char *name, const json_t *entry) {
    ngi_tensor *tensor = &f->tensors->tensor[f->tensors->count];
    span *where = &f->spans[f->tensors->count];
    if (!json_is_object(entry))
        return fail_tensor(f, name, "expected an object");
    NG_TRY(read_type(f, name, entry, &tensor->type));
    size_t width = ngi_tensor_type_size(tensor->type);
    NG_TRY(read_shape(f, name, entry, &tensor->dims, tensor->shape));
    NG_TRY(read_span(f, name, entry, where));
    NG_TRY(count_values(f, name, tensor->dims, tensor->shape, width, where,
                        &tensor->count));
    f->tensors->count++;
    tensor->name = ngi_strdup(f->ctx, name);
    tensor->data = ngi_alloc(f->ctx, tensor->count, width);
    if (!tensor->name || !tensor->data)
        return NG_ENOMEM;
    const unsigned char *bytes = f->data + where->begin;
    for (size_t i = 0; i < tensor->count; i++)
        ngi_bits_set(tensor->data, width, i,
                     ngi_bytes_load(bytes + i * width, width, false));
    return NG_OK;
}

/* As with tensors, a pair belongs to the list before it is filled in. */
static ng_status read_metadata(file *f, json_t *pairs) {
    ngi_tensors *t = f->tensors;
    const char *key;
    json_t *value;
    if (!json_is_object(pairs))
        return ngi_fail(f->ctx, NG_EDATA,
                        "%s: expected an object \"__metadata__\"", f->source);
    size_t count = json_object_size(pairs);
    t->metadata_key = ngi_alloc(f->ctx, count, sizeof *t->metadata_key);
    t->metadata_value = ngi_alloc(f->ctx, count, sizeof *t->metadata_value);
    if (!t->metadata_key || !t->metadata_value)
        return NG_ENOMEM;
    json_object_foreach(pairs, key, value) {
        if (!json_is_string(value))
            return ngi_fail(f->ctx, NG_EDATA,
                            "%s: metadata \"%s\": expected a string", f->source,
                            ngi_show_string(key).text);
        size_t i = t->metadata_count++;
        t->metadata_key[i] = ngi_strdup(f->ctx, key);
        t->metadata_value[i] = ngi_strdup(f->ctx, json_string_value(value));
        if (!t->metadata_key[i] || !t->metadata_value[i])
            return NG_ENOMEM;
    }
    return NG_OK;
}

static ng_status read_entries(file *f, json_t *root) {
    const char *name;
    json_t *entry;
    size_t count = json_object_size(root);
    f->tensors->tensor = ngi_alloc(f->ctx, count, sizeof *f->tensors->tensor);
    f->spans = ngi_alloc(f->ctx, count, sizeof *f->spans);
    if (!f->tensors->tensor || !f->spans)
        return NG_ENOMEM;
    json_object_foreach(root, name, entry) {
        if (strcmp(name, "__metadata__") == 0)
            NG_TRY(read_metadata(f, entry));
        else
            NG_TRY(read_tensor(f, name, entry));
    }
    return NG_OK;
}

static int compare_spans(const void *a, const void *b) {
    const span *p = a, *q = b;
    if (p->begin != q->begin)
        return p->begin < q->begin ? -1 : 1;
    return p->end < q->end ? -1 : p->end > q->end;
}

static ng_status check_coverage(const file *f) {
    size_t covered = 0;
    qsort(f->spans, f->tensors->count, sizeof *f->spans, compare_spans);
    for (size_t i = 0; i < f->tensors->count; i++) {
        if (f->spans[i].begin != covered)
            return ngi_fail(f->ctx, NG_EDATA,
                            "%s: expected a tensor at offset %zu, found one "
                            "at %zu",
                            f->source, covered, f->spans[i].begin);
        covered = f->spans[i].end;
    }
    if (covered == f->size)
        return NG_OK;
    return ngi_fail(f->ctx, NG_EDATA,
                    "%s: expected %zu bytes of data, found %zu", f->source,
                    covered, f->size);
}

static ng_status load_header(const file *f, const char *text, size_t length,
                             json_t **root) {
    json_error_t error;
    *root = NULL;
    if (!length || text[0] != '{')
        return ngi_fail(f->ctx, NG_EDATA,
                        "%s: expected a header that begins with \"{\"",
                        f->source);
    *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (*root)
        return NG_OK;
    /* Jansson has no message for most of its failed allocations. */
    if (!error.text[0] || json_error_code(&error) == json_error_out_of_memory)
        return ngi_fail_memory(f->ctx);
    return ngi_fail(f->ctx, NG_EDATA,
                    "%s: expected a JSON header, found an error at byte %d: "
                    "%s",
                    f->source, error.position,
                    ngi_show_string(error.text).text);
}

/* Split the file; the length of the header comes first. */
static ng_status find_header(file *f, const unsigned char *bytes, size_t size,
                             size_t *length) {
    if (size < 8)
        return ngi_fail(f->ctx, NG_EDATA,
                        "%s: expected the length of a header, found %zu bytes",
                        f->source, size);
    uint64_t header = ngi_bytes_load(bytes, 8, false);
    if (header > MAX_HEADER || header > size - 8)
        return ngi_fail(
            f->ctx, NG_EDATA,
            "%s: not a safetensors file: expected a header of at most "
            "%zu bytes, found "
            "%llu",
            f->source, size - 8 < MAX_HEADER ? size - 8 : (size_t)MAX_HEADER,
            (unsigned long long)header);
    *length = (size_t)header;
    f->data = bytes + 8 + header;
    f->size = size - 8 - *length;
    return NG_OK;
}

ng_status ngi_tensors_parse(ng_ctx *ctx, const char *source, const void *data,
                            size_t size, ngi_tensors **out) {
    file f = {.ctx = ctx, .source = source};
    size_t length = 0;
    json_t *root = NULL;
    *out = NULL;
    NG_TRY(find_header(&f, data, size, &length));
    NG_TRY(load_header(&f, (const char *)data + 8, length, &root));
    ng_status status = ngi_tensors_create(ctx, &f.tensors);
    if (status == NG_OK)
        status = read_entries(&f, root);
    if (status == NG_OK)
        status = check_coverage(&f);
    if (status == NG_OK)
        *out = f.tensors;
    else
        ngi_tensors_destroy(&f.tensors);
    ngi_free(ctx, f.spans);
    json_decref(root);
    return status;
}

ng_status ngi_tensors_read(ng_ctx *ctx, const char *path, ngi_tensors **out) {
    char *data;
    size_t size;
    *out = NULL;
    NG_TRY(ngi_input_slurp(ctx, path, &data, &size));
    ng_status status = ngi_tensors_parse(ctx, path, data, size, out);
    ngi_free(ctx, data);
    return status;
}
