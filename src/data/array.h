/* What the readers of NPY and IDX share. */
#ifndef NGI_ARRAY_H
#define NGI_ARRAY_H

#include "data/input.h"
#include "natgrad/array.h"

/* A number as it is stored. */
typedef struct ngi_element {
    enum { NGI_BOOL, NGI_UNSIGNED, NGI_SIGNED, NGI_FLOAT } kind;
    size_t size; /* bytes */
    bool big;    /* big-endian */
} ngi_element;

/* What a header says. Nothing of it is checked against the data. */
typedef struct ngi_array_layout {
    ngi_element element;
    bool fortran; /* the first index runs fastest */
    size_t dims;  /* may exceed the sizes that are kept */
    size_t shape[NG_ARRAY_MAX_DIMS];
} ngi_array_layout;

/* A shape as Python writes it: (3,) or (3, 4). */
typedef struct ngi_shape_text {
    char text[24 * NG_ARRAY_MAX_DIMS];
} ngi_shape_text;

ngi_shape_text ngi_show_shape(size_t dims, const size_t *shape);

enum { NGI_ARRAY_MAGIC = 6 };

ng_array_format ngi_array_recognize(const unsigned char *magic, size_t size);

/* These start at the first byte of the file and stop after the header. */
ng_status ngi_npy_read_header(ng_ctx *ctx, ngi_input *input,
                              ngi_array_layout *layout);
ng_status ngi_idx_read_header(ng_ctx *ctx, ngi_input *input,
                              ngi_array_layout *layout);

/* So many bytes of a header. */
ng_status ngi_array_take(ng_ctx *ctx, ngi_input *input, void *bytes,
                         size_t size);

/* ng_array_read from memory. */
ng_status ngi_array_parse(ng_ctx *ctx, const char *source, const void *data,
                          size_t size, ng_array *out);

#endif
