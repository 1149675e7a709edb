/* F's diagonal blocks, a layer each, as they are: what K-FAC approximates by
 * Kronecker factors. Two squares of a layer's parameters for each layer. */
#include "layerwise/dense_blocks.h"

static double memory(const ngi_architecture *a, const ng_train_options *options,
                     size_t rows) {
    (void)options;
    (void)rows;
    return NR(dense_blocks_memory)(a, false);
}

static ng_status create(metric *m) {
    return NR(dense_blocks_create)(m, false);
}

const metric_ops NR(layer_dense) = {
    .memory = memory,
    .create = create,
    .destroy = NR(dense_blocks_destroy),
    .collect = NR(dense_blocks_collect),
    .refresh = NR(dense_blocks_refresh),
    .adopt = NR(dense_blocks_adopt),
    .solve = NR(dense_blocks_solve),
    .visit = NR(dense_blocks_visit),
};
