/* Rows of a generalised linear model that lie in a test's own arrays. */
#ifndef ARRAY_ROWS_H
#define ARRAY_ROWS_H

#include "glm/rows.h"

#include <check.h>
#include <stdlib.h>

enum { ARRAY_WIDTH_MOST = 256 };

typedef struct array_rows {
    ngi_glm_rows rows;
    const double *X; /* column-major */
    const double *y, *weight, *offset;
} array_rows;

/* Blocks go to the workers in turn. */
static inline ng_status array_rows_each(const ngi_glm_rows *rows, size_t stride,
                                        ngi_glm_visit visit, void *user) {
    const array_rows *a = rows->state;
    const double *x[ARRAY_WIDTH_MOST];
    size_t number = 0;
    for (size_t first = 0; first < rows->rows; first += rows->block_rows) {
        size_t left = rows->rows - first;
        ngi_glm_block block = {
            .first = first,
            .count = left < rows->block_rows ? left : rows->block_rows,
            .x = x,
            .y = a->y + first,
            .weight = a->weight ? a->weight + first : NULL,
            .offset = a->offset ? a->offset + first : NULL};
        for (size_t j = 0; j < rows->width; j++)
            x[j] = a->X + j * rows->rows + first;
        if (number % stride == 0)
            visit(user, number / stride % rows->workers, &block);
        number++;
    }
    return NG_OK;
}

/* `a` must stay where it is. */
static inline void array_rows_init(array_rows *a, ng_ctx *ctx, size_t rows,
                                   size_t width, const double *X,
                                   const double *y, const double *weight) {
    ck_assert_uint_le(width, ARRAY_WIDTH_MOST);
    *a = (array_rows){.X = X, .y = y, .weight = weight};
    a->rows = (ngi_glm_rows){.ctx = ctx,
                             .rows = rows,
                             .width = width,
                             .workers = 2,
                             .block_rows = 64,
                             .each = array_rows_each,
                             .state = a};
    for (size_t i = 0; i < rows; i++) {
        a->rows.total_weight += weight ? weight[i] : 1;
        a->rows.used += !weight || weight[i] > 0;
    }
}

#endif
