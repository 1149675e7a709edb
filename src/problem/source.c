/* Rows that lie in memory. */
#include "natgrad/problem.h"

#include "base/base.h"

#include <math.h>

static const double *advance(const double *base, size_t rows, size_t width) {
    return base ? base + rows * width : NULL;
}

static ng_status read_memory(const ng_source *source, size_t worker,
                             size_t first, size_t count, ng_rows *out) {
    const ng_memory_source *memory = source->state;
    (void)worker;
    out->first = first;
    out->count = count;
    out->y = advance(memory->rows.y, first, memory->dim_y);
    out->weight = advance(memory->rows.weight, first, 1);
    for (size_t b = 0; b < NG_FAMILY_MAX_BLOCKS; b++) {
        out->X[b] = advance(memory->rows.X[b], first, memory->inputs[b]);
        out->offset[b] =
            advance(memory->rows.offset[b], first, memory->outputs[b]);
    }
    return NG_OK;
}

static ng_status sum_weights(ng_ctx *ctx, const ng_rows *rows, double *total) {
    *total = (double)rows->count;
    if (!rows->weight)
        return NG_OK;
    *total = 0;
    for (size_t i = 0; i < rows->count; i++) {
        double w = rows->weight[i];
        if (!(w >= 0) || !isfinite(w))
            return ngi_fail(ctx, NG_EUSAGE,
                            "row %zu: expected a weight >= 0, found %g",
                            rows->first + i + 1, w);
        *total += w;
    }
    return NG_OK;
}

ng_status ng_memory_source_init(ng_ctx *ctx, const ng_rows *rows,
                                const ng_family *family,
                                const ng_model_block *block,
                                ng_memory_source *memory, ng_source *source) {
    double total;
    NG_TRY(sum_weights(ctx, rows, &total));
    if (!(total > 0) || !isfinite(total))
        return ngi_fail(ctx, NG_EUSAGE,
                        "expected weights with a positive, finite sum");
    memory->rows = *rows;
    memory->dim_y = family->dim_y;
    for (size_t b = 0; b < family->blocks; b++) {
        memory->inputs[b] = block[b].inputs;
        memory->outputs[b] = family->block[b].count;
    }
    source->read = read_memory;
    source->random_access = 1;
    source->rows = rows->count;
    source->total_weight = total;
    source->state = memory;
    return NG_OK;
}
