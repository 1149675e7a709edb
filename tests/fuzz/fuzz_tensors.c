/* A safetensors file from memory. */
#include "data/tensors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tensors(const ngi_tensors *tensors) {
    for (size_t i = 0; i < tensors->count; i++) {
        const ngi_tensor *tensor = &tensors->tensor[i];
        size_t count = 1;
        for (size_t j = 0; j < tensor->dims; j++)
            count *= tensor->shape[j];
        if (count != tensor->count ||
            ngi_tensors_find(tensors, tensor->name) != tensor)
            abort();
    }
    for (size_t i = 0; i < tensors->metadata_count; i++)
        if (ngi_tensors_metadata(tensors, tensors->metadata_key[i]) !=
            tensors->metadata_value[i])
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ng_ctx *ctx;
    ngi_tensors *tensors;
    if (ng_ctx_create(NULL, &ctx) != NG_OK)
        return 0;
    if (ngi_tensors_parse(ctx, "fuzz", data, size, &tensors) == NG_OK)
        check_tensors(tensors);
    else if (tensors || !*ng_error(ctx))
        abort();
    ngi_tensors_destroy(&tensors);
    ng_ctx_destroy(&ctx);
    return 0;
}
