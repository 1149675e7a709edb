#include "data/array.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

size_t ng_dtype_size(ng_dtype dtype) {
    switch (dtype) {
    case NG_U8:
        return sizeof(uint8_t);
    case NG_F32:
        return sizeof(float);
    case NG_F64:
        return sizeof(double);
    }
    return 0;
}

const char *ng_dtype_name(ng_dtype dtype) {
    switch (dtype) {
    case NG_U8:
        return "uint8";
    case NG_F32:
        return "float32";
    case NG_F64:
        return "float64";
    }
    return "unknown";
}

size_t ng_array_rows(const ng_array *array) {
    return array->dims ? array->shape[0] : 0;
}

size_t ng_array_width(const ng_array *array) {
    size_t width = 1;
    for (size_t k = 1; k < array->dims; k++)
        width *= array->shape[k];
    return width;
}

double ng_array_at(const ng_array *array, size_t i, size_t j) {
    size_t index = i * ng_array_width(array) + j;
    switch (array->dtype) {
    case NG_U8:
        return array->scale * ((const uint8_t *)array->data)[index];
    case NG_F32:
        return array->scale * (double)((const float *)array->data)[index];
    case NG_F64:
        return array->scale * ((const double *)array->data)[index];
    }
    return (double)NAN;
}

ng_status ng_array_create(ng_ctx *ctx, ng_dtype dtype, size_t dims,
                          const size_t *shape, ng_array *out) {
    ng_array array = {.dtype = dtype, .dims = dims, .scale = 1};
    size_t count = 1;
    memset(out, 0, sizeof *out);
    if (!dims || dims > NG_ARRAY_MAX_DIMS)
        return ngi_fail(ctx, NG_EUSAGE,
                        "array: expected 1 to %d dimensions, found %zu",
                        NG_ARRAY_MAX_DIMS, dims);
    for (size_t k = 0; k < dims; k++) {
        if (shape[k] && count > SIZE_MAX / shape[k])
            return ngi_fail_memory(ctx);
        count *= shape[k];
        array.shape[k] = shape[k];
    }
    array.data = ngi_alloc(ctx, count, ng_dtype_size(dtype));
    if (!array.data)
        return NG_ENOMEM;
    *out = array;
    return NG_OK;
}

void ng_array_free(ng_ctx *ctx, ng_array *array) {
    ngi_free(ctx, array->data);
    memset(array, 0, sizeof *array);
}

ngi_shape_text ngi_show_shape(size_t dims, const size_t *shape) {
    ngi_shape_text shown;
    size_t used = 0, room = sizeof shown.text;
    for (size_t k = 0; k < dims; k++)
        used += (size_t)snprintf(shown.text + used, room - used, "%s%zu",
                                 k ? ", " : "(", shape[k]);
    snprintf(shown.text + used, room - used, "%s", dims == 1 ? ",)" : ")");
    return shown;
}

/* No text begins with a NUL, and so two of them tell IDX, whatever type and
 * dimensions follow. */
ng_array_format ngi_array_recognize(const unsigned char *magic, size_t size) {
    if (size >= 6 && memcmp(magic, "\x93NUMPY", 6) == 0)
        return NG_ARRAY_NPY;
    if (size >= 2 && magic[0] == 0 && magic[1] == 0)
        return NG_ARRAY_IDX;
    return NG_ARRAY_OTHER;
}

/* The bytes of a pipe can be had once only. */
static bool can_be_read_again(const char *path) {
    struct stat about;
    if (strcmp(path, "-") != 0)
        return stat(path, &about) != 0 || S_ISREG(about.st_mode) ||
               S_ISDIR(about.st_mode);
    return fstat(STDIN_FILENO, &about) == 0 && S_ISREG(about.st_mode) &&
           lseek(STDIN_FILENO, 0, SEEK_CUR) >= 0;
}

static ng_status sniff(ng_ctx *ctx, ngi_input *input, ng_array_format *format) {
    unsigned char magic[NGI_ARRAY_MAGIC];
    size_t got;
    NG_TRY(ngi_input_read(input, magic, sizeof magic, &got));
    if (!got)
        return ngi_fail(ctx, NG_EDATA, "%s: expected data, found an empty file",
                        ngi_input_source(input));
    *format = ngi_array_recognize(magic, got);
    return ngi_input_rewind(input);
}

ng_status ng_array_sniff(ng_ctx *ctx, const char *path,
                         ng_array_format *format) {
    ngi_input *input;
    *format = NG_ARRAY_OTHER;
    if (!can_be_read_again(path))
        return NG_OK;
    NG_TRY(ngi_input_open(ctx, path, &input));
    ng_status status = sniff(ctx, input, format);
    ngi_input_close(&input);
    return status;
}
