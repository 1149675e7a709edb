/* Files of arrays put together byte by byte, and what a test asks of them. */
#ifndef ARRAY_FIXTURE_H
#define ARRAY_FIXTURE_H

#include "data/array.h"
#include "data_fixture.h"

/* A file as it is put together. */
typedef struct bytes {
    unsigned char data[4096];
    size_t size;
} bytes;

static void append(bytes *b, const void *data, size_t size) {
    ck_assert_uint_le(b->size + size, sizeof b->data);
    if (size)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

/* Little-endian. */
static void append_number(bytes *b, uint64_t value, size_t size) {
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)(value >> (8 * i));
        append(b, &byte, 1);
    }
}

static bytes npy(unsigned char version, const char *header, const void *data,
                 size_t size) {
    bytes b = {.size = 0};
    const unsigned char versions[] = {version, 0};
    append(&b, "\x93NUMPY", 6);
    append(&b, versions, 2);
    append_number(&b, strlen(header), version == 1 ? 2 : 4);
    append(&b, header, strlen(header));
    append(&b, data, size);
    return b;
}

#define HEADER(descr, fortran, shape)                                          \
    "{'descr': '" descr "', 'fortran_order': " fortran ", 'shape': " shape "}"

static bytes idx(unsigned char type, size_t dims, const uint32_t *shape,
                 const void *data, size_t size) {
    bytes b = {.size = 0};
    const unsigned char magic[] = {0, 0, type, (unsigned char)dims};
    append(&b, magic, sizeof magic);
    for (size_t k = 0; k < dims; k++) {
        const unsigned char big[] = {
            (unsigned char)(shape[k] >> 24), (unsigned char)(shape[k] >> 16),
            (unsigned char)(shape[k] >> 8), (unsigned char)shape[k]};
        append(&b, big, sizeof big);
    }
    append(&b, data, size);
    return b;
}

static void ck_bad(bytes b, const char *message) {
    ng_array a;
    char full[512];
    snprintf(full, sizeof full, "a: %s", message);
    ck_assert_int_eq(ngi_array_parse(ctx, "a", b.data, b.size, &a), NG_EDATA);
    ck_assert_str_eq(ng_error(ctx), full);
    ck_assert_ptr_null(a.data);
}

/* 1.5, -8 and 0, little-endian. */
static const unsigned char THREE_FLOATS[] = {0, 0,    0xc0, 0x3f, 0, 0,
                                             0, 0xc1, 0,    0,    0, 0};

#endif
