/* Safetensors files: named arrays with a JSON header, the format of
 * huggingface/safetensors (8-byte little-endian header length, JSON object of
 * {name: {dtype, shape, data_offsets}}, "__metadata__" of strings, raw
 * little-endian data). */
#ifndef NGI_TENSORS_H
#define NGI_TENSORS_H

#include "base/base.h"

enum { NGI_TENSOR_MAX_DIMS = 8 };

typedef struct ngi_tensor {
    char *name;
    size_t dims;
    size_t shape[NGI_TENSOR_MAX_DIMS];
    size_t count;   /* product of the shape; 1 for a scalar */
    double *values; /* F64 as stored; F32 is widened on reading */
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

/* Both copy their arguments. */
ng_status ngi_tensors_add(ngi_tensors *tensors, const char *name, size_t dims,
                          const size_t *shape, const double *values);
ng_status ngi_tensors_set_metadata(ngi_tensors *tensors, const char *key,
                                   const char *value);

/* NULL if absent. */
const ngi_tensor *ngi_tensors_find(const ngi_tensors *tensors,
                                   const char *name);
const char *ngi_tensors_metadata(const ngi_tensors *tensors, const char *key);

/* Atomic, through ng_writer. Data is 8-byte aligned. */
ng_status ngi_tensors_write(const ngi_tensors *tensors, const char *path);

/* Every length, offset, shape, overlap and JSON type is checked before it is
 * used; NG_EDATA names the file and what is wrong with it. Dtypes other than
 * F64 and F32 are NG_EDATA. */
ng_status ngi_tensors_read(ng_ctx *ctx, const char *path, ngi_tensors **out);
ng_status ngi_tensors_parse(ng_ctx *ctx, const char *source, const void *data,
                            size_t size, ngi_tensors **out);

#endif
