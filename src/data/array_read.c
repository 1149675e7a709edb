/* Reading arrays. A header is believed only as far as the data bears it out:
 * room for values is made as they arrive. */
#include "data/array.h"
#include "data/bytes.h"
#include "data/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK = 1 << 16 };

/* Integers up to here are doubles: 2^53. */
#define LARGEST_INTEGER (UINT64_C(1) << 53)

typedef struct reader {
    ng_ctx *ctx;
    ngi_input *input;
    const char *source;
    ngi_array_layout layout;
    ng_array array;
    size_t count; /* of all values that the shape asks for */
    size_t done, capacity;
} reader;

ng_status ngi_array_take(ng_ctx *ctx, ngi_input *input, void *bytes,
                         size_t size) {
    size_t got;
    NG_TRY(ngi_input_read(input, bytes, size, &got));
    if (got == size)
        return NG_OK;
    return ngi_fail(ctx, NG_EDATA, "%s: the file ends within its header",
                    ngi_input_source(input));
}

/* ---- Shapes ---- */

static ng_dtype stored_as(const ngi_element *element) {
    if (element->kind == NGI_FLOAT && element->size == sizeof(float))
        return NG_F32;
    bool byte = element->size == 1 && element->kind != NGI_SIGNED;
    return byte ? NG_U8 : NG_F64;
}

static ng_status check_shape(reader *r) {
    const ngi_array_layout *l = &r->layout;
    if (!l->dims || l->dims > NG_ARRAY_MAX_DIMS)
        return ngi_fail(r->ctx, NG_EDATA,
                        "%s: expected 1 to %d dimensions, found %zu", r->source,
                        NG_ARRAY_MAX_DIMS, l->dims);
    /* Neither the bytes of the file nor those in memory may overflow. */
    size_t room = SIZE_MAX / sizeof(double);
    bool empty = false, large = false;
    r->count = 1;
    for (size_t k = 0; k < l->dims; k++) {
        empty = empty || !l->shape[k];
        large = large || (l->shape[k] && r->count > room / l->shape[k]);
        r->count *= l->shape[k];
        r->array.shape[k] = l->shape[k];
    }
    if (empty)
        return ngi_fail(r->ctx, NG_EDATA,
                        "%s: expected at least one example of at least one "
                        "value, found shape %s",
                        r->source, ngi_show_shape(l->dims, l->shape).text);
    if (large)
        return ngi_fail(r->ctx, NG_EDATA, "%s: shape %s is too large",
                        r->source, ngi_show_shape(l->dims, l->shape).text);
    r->array.dims = l->dims;
    r->array.dtype = stored_as(&l->element);
    r->array.scale = 1;
    return NG_OK;
}

/* Where value `index` of the file belongs in row-major order. */
static size_t row_major(const reader *r, size_t index) {
    const ngi_array_layout *l = &r->layout;
    size_t place = 0, stride = r->count;
    if (!l->fortran)
        return index;
    for (size_t k = 0; k < l->dims; k++) {
        stride /= l->shape[k];
        place += stride * (index % l->shape[k]);
        index /= l->shape[k];
    }
    return place;
}

/* ---- Values ---- */

static ng_status fail_value(const reader *r, size_t index, const char *problem,
                            const char *found) {
    size_t place = row_major(r, index), width = ng_array_width(&r->array);
    return ngi_fail(r->ctx, NG_EDATA,
                    "%s: row %zu, column %zu: expected %s, found %s", r->source,
                    place / width + 1, place % width + 1, problem, found);
}

static ng_status put_float(reader *r, size_t index, uint64_t bits) {
    uint32_t half = (uint32_t)bits;
    float narrow;
    double wide;
    memcpy(&narrow, &half, sizeof narrow);
    memcpy(&wide, &bits, sizeof wide);
    double value = r->array.dtype == NG_F32 ? (double)narrow : wide;
    if (!isfinite(value))
        return fail_value(r, index, "a finite number",
                          isnan(value) ? "nan"
                          : value > 0  ? "inf"
                                       : "-inf");
    ngi_bits_set(r->array.data, r->layout.element.size, index, bits);
    return NG_OK;
}

static ng_status put_integer(reader *r, size_t index, uint64_t bits) {
    const ngi_element *e = &r->layout.element;
    uint64_t sign = UINT64_C(1) << (8 * e->size - 1);
    bool negative = e->kind == NGI_SIGNED && (bits & sign);
    /* Two's complement. */
    uint64_t magnitude = negative ? sign - (bits & (sign - 1)) : bits;
    if (magnitude > LARGEST_INTEGER) {
        char found[32];
        snprintf(found, sizeof found, "%s%llu", negative ? "-" : "",
                 (unsigned long long)magnitude);
        return fail_value(r, index, "an integer of at most 2^53 in size",
                          found);
    }
    ((double *)r->array.data)[index] =
        negative ? -(double)magnitude : (double)magnitude;
    return NG_OK;
}

static ng_status put_bool(reader *r, size_t index, uint64_t bits) {
    if (bits > 1) {
        char found[8];
        snprintf(found, sizeof found, "%u", (unsigned)bits & 0xff);
        return fail_value(r, index, "a bool of 0 or 1", found);
    }
    ((uint8_t *)r->array.data)[index] = (uint8_t)bits;
    return NG_OK;
}

/* Values done, done + 1, ... */
static ng_status decode(reader *r, const unsigned char *bytes, size_t values) {
    const ngi_element *e = &r->layout.element;
    if (values && e->kind == NGI_UNSIGNED && e->size == 1) {
        memcpy((unsigned char *)r->array.data + r->done, bytes, values);
        r->done += values;
        return NG_OK;
    }
    for (size_t i = 0; i < values; i++, r->done++) {
        uint64_t bits = ngi_bytes_load(bytes + i * e->size, e->size, e->big);
        if (e->kind == NGI_FLOAT)
            NG_TRY(put_float(r, r->done, bits));
        else if (e->kind == NGI_BOOL)
            NG_TRY(put_bool(r, r->done, bits));
        else
            NG_TRY(put_integer(r, r->done, bits));
    }
    return NG_OK;
}

/* Room for so many values more: twice as many as before, but never more than
 * the shape asks for. */
static ng_status make_room(reader *r, size_t values) {
    size_t needed = r->done + values;
    if (needed <= r->capacity)
        return NG_OK;
    size_t room = r->capacity < r->count / 2 ? 2 * r->capacity : r->count;
    room = room < needed ? needed : room;
    void *grown =
        ngi_resize(r->ctx, r->array.data, room, ng_dtype_size(r->array.dtype));
    if (!grown)
        return NG_ENOMEM;
    r->array.data = grown;
    r->capacity = room;
    return NG_OK;
}

static ng_status check_end(const reader *r) {
    unsigned char more;
    size_t got;
    NG_TRY(ngi_input_read(r->input, &more, 1, &got));
    if (!got)
        return NG_OK;
    return ngi_fail(r->ctx, NG_EDATA,
                    "%s: expected %zu bytes of data for shape %s, found more",
                    r->source, r->count * r->layout.element.size,
                    ngi_show_shape(r->layout.dims, r->layout.shape).text);
}

static ng_status read_values(reader *r) {
    unsigned char bytes[CHUNK];
    size_t size = r->layout.element.size;
    while (r->done < r->count) {
        size_t left = r->count - r->done, got;
        size_t values = left < CHUNK / size ? left : CHUNK / size;
        NG_TRY(ngi_input_read(r->input, bytes, values * size, &got));
        NG_TRY(make_room(r, got / size));
        NG_TRY(decode(r, bytes, got / size));
        if (got < values * size)
            return ngi_fail(
                r->ctx, NG_EDATA,
                "%s: expected %zu bytes of data for shape %s, "
                "found %zu",
                r->source, r->count * size,
                ngi_show_shape(r->layout.dims, r->layout.shape).text,
                r->done * size + got % size);
    }
    return check_end(r);
}

static ng_status transpose(reader *r) {
    size_t size = ng_dtype_size(r->array.dtype);
    if (!r->layout.fortran || r->layout.dims == 1)
        return NG_OK;
    void *data = ngi_alloc(r->ctx, r->count, size);
    if (!data)
        return NG_ENOMEM;
    for (size_t i = 0; i < r->count; i++)
        ngi_bits_set(data, size, row_major(r, i),
                     ngi_bits_get(r->array.data, size, i));
    ngi_free(r->ctx, r->array.data);
    r->array.data = data;
    return NG_OK;
}

/* ---- Files ---- */

static ng_status read_header(reader *r) {
    unsigned char magic[NGI_ARRAY_MAGIC];
    size_t got;
    NG_TRY(ngi_input_read(r->input, magic, sizeof magic, &got));
    NG_TRY(ngi_input_rewind(r->input));
    if (!got)
        return ngi_fail(r->ctx, NG_EDATA,
                        "%s: expected an array, found an empty file",
                        r->source);
    switch (ngi_array_recognize(magic, got)) {
    case NG_ARRAY_NPY:
        return ngi_npy_read_header(r->ctx, r->input, &r->layout);
    case NG_ARRAY_IDX:
        return ngi_idx_read_header(r->ctx, r->input, &r->layout);
    case NG_ARRAY_OTHER:
        break;
    }
    return ngi_fail(r->ctx, NG_EDATA,
                    "%s: expected an NPY or IDX file, found one that begins "
                    "with \"%s\"",
                    r->source, ngi_show((const char *)magic, got).text);
}

static ng_status read_input(ng_ctx *ctx, ngi_input *input, ng_array *out) {
    reader r = {.ctx = ctx, .input = input, .source = ngi_input_source(input)};
    ng_status status = read_header(&r);
    if (status == NG_OK)
        status = check_shape(&r);
    if (status == NG_OK)
        status = read_values(&r);
    if (status == NG_OK)
        status = transpose(&r);
    if (status == NG_OK)
        *out = r.array;
    else
        ng_array_free(ctx, &r.array);
    return status;
}

ng_status ng_array_read(ng_ctx *ctx, const char *path, ng_array *out) {
    ngi_input *input;
    memset(out, 0, sizeof *out);
    NG_TRY(ngi_input_open(ctx, path, &input));
    ng_status status = read_input(ctx, input, out);
    ngi_input_close(&input);
    return status;
}

ng_status ngi_array_parse(ng_ctx *ctx, const char *source, const void *data,
                          size_t size, ng_array *out) {
    ngi_input *input;
    memset(out, 0, sizeof *out);
    NG_TRY(ngi_input_open_memory(ctx, source, data, size, &input));
    ng_status status = read_input(ctx, input, out);
    ngi_input_close(&input);
    return status;
}
