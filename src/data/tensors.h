/* Safetensors files: named arrays with a JSON header, the format of
 * huggingface/safetensors (8-byte little-endian header length, JSON object of
 * {name: {dtype, shape, data_offsets}}, "__metadata__" of strings, raw
 * little-endian data). */
#ifndef NGI_TENSORS_H
#define NGI_TENSORS_H

#include "base/base.h"

enum { NGI_TENSOR_MAX_DIMS = 8 };

/* The dtypes that are read and written, in the table of tensors.c. */
typedef enum ngi_tensor_type {
    NGI_TENSOR_F64,
    NGI_TENSOR_F32,
    NGI_TENSOR_I64,
    NGI_TENSOR_U8
} ngi_tensor_type;

typedef struct ngi_tensor {
    char *name;
    ngi_tensor_type type;
    size_t dims;
    size_t shape[NGI_TENSOR_MAX_DIMS];
    size_t count; /* product of the shape; 1 for a scalar */
    void *data;   /* `count` of double, float, int64_t or uint8_t */
} ngi_tensor;

typedef struct ngi_tensors {
    ng_ctx *ctx;
    size_t count;
    ngi_tensor *tensor;
    size_t metadata_count; /* string pairs of __metadata__ */
    char **metadata_key, **metadata_value;
} ngi_tensors;

ng_status ngi_tensors_create(ng_ctx *ctx, ngi_tensors **out);
void ngi_tensors_destroy(ngi_tensors **tensors);

/* Bytes per number, and the name in the file. */
size_t ngi_tensor_type_size(ngi_tensor_type type);
const char *ngi_tensor_type_name(ngi_tensor_type type);

/* Number i; an I64 beyond 2^53 is rounded. */
double ngi_tensor_value(const ngi_tensor *tensor, size_t i);
/* All of them. */
void ngi_tensor_values(const ngi_tensor *tensor, double *out);

/* These copy their arguments. The first is for F64; `data` of the second is
 * what `type` says it is. Bits are kept, those of a NaN too. */
ng_status ngi_tensors_add(ngi_tensors *tensors, const char *name, size_t dims,
                          const size_t *shape, const double *values);
ng_status ngi_tensors_add_data(ngi_tensors *tensors, const char *name,
                               ngi_tensor_type type, size_t dims,
                               const size_t *shape, const void *data);
ng_status ngi_tensors_set_metadata(ngi_tensors *tensors, const char *key,
                                   const char *value);

/* NULL if absent. */
const ngi_tensor *ngi_tensors_find(const ngi_tensors *tensors,
                                   const char *name);
const char *ngi_tensors_metadata(const ngi_tensors *tensors, const char *key);

/* Atomic, through ng_writer. The numbers of every tensor lie in the file on a
 * multiple of their size. */
ng_status ngi_tensors_write(const ngi_tensors *tensors, const char *path);

/* Every length, offset, shape, overlap and JSON type is checked before it is
 * used; NG_EDATA names the file and what is wrong with it. Dtypes other than
 * those above are NG_EDATA. */
ng_status ngi_tensors_read(ng_ctx *ctx, const char *path, ngi_tensors **out);
ng_status ngi_tensors_parse(ng_ctx *ctx, const char *source, const void *data,
                            size_t size, ngi_tensors **out);

#endif
