/* The natural gradient itself: all of F, dense. For networks of some thousand
 * parameters: 2 dim^2 reals, dim^3 / 3 for each factor. */
#include "layerwise/dense_blocks.h"

static double memory(const ngi_architecture *a, const ng_train_options *options,
                     size_t rows) {
    (void)options;
    (void)rows;
    return NR(dense_blocks_memory)(a, true);
}

static ng_status create(metric *m) {
    return NR(dense_blocks_create)(m, true);
}

const metric_ops NR(natural) = {
    .memory = memory,
    .create = create,
    .destroy = NR(dense_blocks_destroy),
    .collect = NR(dense_blocks_collect),
    .refresh = NR(dense_blocks_refresh),
    .adopt = NR(dense_blocks_adopt),
    .solve = NR(dense_blocks_solve),
    .visit = NR(dense_blocks_visit),
};
