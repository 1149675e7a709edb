/* An NPY or IDX file from memory. */
#include "data/array.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_array(const ng_array *array) {
    size_t rows = ng_array_rows(array), width = ng_array_width(array);
    if (!array->data || !array->dims || array->dims > NG_ARRAY_MAX_DIMS ||
        !rows || !width)
        abort();
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < width; j++)
            if (!isfinite(ng_array_at(array, i, j)))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ng_ctx *ctx;
    ng_array array;
    if (ng_ctx_create(NULL, &ctx) != NG_OK)
        return 0;
    ng_status status = ngi_array_parse(ctx, "fuzz", data, size, &array);
    if (status == NG_OK)
        check_array(&array);
    else if (status != NG_EDATA || array.data || !*ng_error(ctx))
        abort();
    ng_array_free(ctx, &array);
    ng_ctx_destroy(&ctx);
    return 0;
}
