/* Arrays of numbers as other tools write them: NumPy's NPY and the IDX of
 * MNIST, gzipped or not. */
#ifndef NATGRAD_ARRAY_H
#define NATGRAD_ARRAY_H

#include "natgrad/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ng_dtype { NG_U8, NG_F32, NG_F64 } ng_dtype;

NG_API size_t ng_dtype_size(ng_dtype dtype);
NG_API const char *ng_dtype_name(ng_dtype dtype); /* "uint8", "float32", ... */

enum { NG_ARRAY_MAX_DIMS = 4 };

/* A row-major array: shape[0] examples of shape[1] x shape[2] x ... values. A
 * plain value that borrows `data`; a stored value v stands for scale * v. */
typedef struct ng_array {
    ng_dtype dtype;
    size_t dims;
    size_t shape[NG_ARRAY_MAX_DIMS];
    double scale;
    void *data;
} ng_array;

/* Numbers of examples and of values in one example (1 for a vector). */
NG_API size_t ng_array_rows(const ng_array *array);
NG_API size_t ng_array_width(const ng_array *array);
/* Value j of example i, scaled. */
NG_API double ng_array_at(const ng_array *array, size_t i, size_t j);

/* How a file begins. */
typedef enum ng_array_format {
    NG_ARRAY_NPY,
    NG_ARRAY_IDX,
    NG_ARRAY_OTHER /* not an array: CSV, perhaps */
} ng_array_format;

/* Looks at the first bytes (unpacked) of `path`; NG_EDATA if there is no such
 * file, it is empty, or its gzip stream is damaged. What can be read once only
 * (a pipe) is left alone: NG_ARRAY_OTHER. "-" is standard input. */
NG_API NG_MUST_CHECK ng_status ng_array_sniff(ng_ctx *ctx, const char *path,
                                              ng_array_format *format);

/* Reads NPY (versions 1 to 3; bool, integers, float32 and float64 of either
 * byte order, C or Fortran order) or IDX (every type of its definition),
 * gzipped or not. Bytes stay NG_U8 and float32 NG_F32, all else becomes NG_F64
 * (integers beyond 2^53 are an error); Fortran order is made row-major; scale
 * is 1. The caller frees `out` with ng_array_free.
 *
 * NG_EDATA, one message that names the file: wrong magic, header that does not
 * parse, more than NG_ARRAY_MAX_DIMS dimensions or none, no examples, more or
 * fewer bytes than the shape asks for, truncated gzip; and for a value that is
 * not finite its row and column (from 1, the column within the example). */
NG_API NG_MUST_CHECK ng_status ng_array_read(ng_ctx *ctx, const char *path,
                                             ng_array *out);

/* A zeroed array of the shape. NG_ENOMEM. */
NG_API NG_MUST_CHECK ng_status ng_array_create(ng_ctx *ctx, ng_dtype dtype,
                                               size_t dims, const size_t *shape,
                                               ng_array *out);
/* Accepts an array of NULL data; clears it. */
NG_API void ng_array_free(ng_ctx *ctx, ng_array *array);

/* NPY version 1.0 in C order, values unscaled; atomic like ng_writer. */
NG_API NG_MUST_CHECK ng_status ng_array_write_npy(ng_ctx *ctx, const char *path,
                                                  const ng_array *array);

#ifdef __cplusplus
}
#endif
#endif
