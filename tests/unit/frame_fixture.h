/* Frames that ought to be the same. */
#ifndef FRAME_FIXTURE_H
#define FRAME_FIXTURE_H

#include "natgrad/data.h"

#include <check.h>
#include <string.h>

static inline void ck_same_column(const ng_column *a, const ng_column *b) {
    ck_assert_str_eq(a->name, b->name);
    ck_assert_uint_eq(a->levels, b->levels);
    for (size_t i = 0; i < a->levels; i++)
        ck_assert_str_eq(a->level[i], b->level[i]);
}

/* To the last bit: a zero has a sign. */
static inline void ck_same_frame(const ng_frame *a, const ng_frame *b) {
    size_t rows = ng_frame_rows(a);
    ck_assert_uint_eq(rows, ng_frame_rows(b));
    ck_assert_uint_eq(ng_frame_columns(a), ng_frame_columns(b));
    ck_assert_uint_eq(ng_frame_dropped(a), ng_frame_dropped(b));
    for (size_t i = 0; i < rows; i++)
        ck_assert_uint_eq(ng_frame_record(a, i), ng_frame_record(b, i));
    for (size_t j = 0; j < ng_frame_columns(a); j++) {
        const ng_column *x = ng_frame_column(a, j), *y = ng_frame_column(b, j);
        ck_same_column(x, y);
        ck_assert_mem_eq(x->values, y->values, rows * sizeof(double));
    }
}

#endif
