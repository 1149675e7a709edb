/* Columns of data, in memory or in a file, handed out in blocks of rows. */
#ifndef NGI_TABLE_H
#define NGI_TABLE_H

#include "base/base.h"
#include "natgrad/data.h"

typedef struct ngi_table_block {
    size_t first, count;
    const double *const *values; /* of each column; level indices of factors */
} ngi_table_block;

typedef void (*ngi_table_visit)(void *user, size_t worker,
                                const ngi_table_block *block);

typedef struct ngi_table {
    ng_ctx *ctx;
    const char *source; /* for messages */
    size_t rows, columns;
    size_t workers;
    bool streams;
    /* Name, levels; `values` is NULL where the table streams. */
    const ng_column *(*column)(const struct ngi_table *table, size_t i);
    /* The record in the file (from 1) of row `row` (from 0). */
    size_t (*record)(const struct ngi_table *table, size_t row);
    /* Visits one in `stride` blocks of `block_rows` rows (the last one may be
     * shorter; a stream may cut shorter ones), several workers at once. Which
     * worker gets which rows depends on their position alone. */
    ng_status (*each)(const struct ngi_table *table, size_t block_rows,
                      size_t stride, ngi_table_visit visit, void *user);
    const void *state;
} ngi_table;

/* Borrow the frame or the stream. */
void ngi_table_of_frame(const ng_frame *frame, ngi_table *out);
void ngi_table_of_stream(const ng_stream *stream, ngi_table *out);

/* The column of this name, its index where not NULL; NULL if there is none. */
const ng_column *ngi_table_find(const ngi_table *table, const char *name,
                                size_t *index);

#endif
