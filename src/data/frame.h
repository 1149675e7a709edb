/* The inside of a frame, for those who fill one. */
#ifndef NGI_FRAME_H
#define NGI_FRAME_H

#include "base/base.h"
#include "natgrad/data.h"

/* The owner of what `view` shows. */
typedef struct ngi_frame_column {
    ng_column view;
    char *name;
    double *values; /* NULL where the caller lent them */
    const char **level;
    char *level_text; /* what `level` points into */
} ngi_frame_column;

struct ng_frame {
    ng_ctx *ctx;
    char *source;
    size_t rows, columns, dropped;
    size_t *dropped_record; /* ascending */
    ngi_frame_column *column;
};

/* An empty frame; its columns are zeroed and `column[i].view` is filled in by
 * ngi_frame_show. */
ng_status ngi_frame_create(ng_ctx *ctx, const char *source, size_t columns,
                           ng_frame **out);
void ngi_frame_show(ngi_frame_column *column, size_t levels);

/* The record (from 1) of a row (from 0), the records left out being known, in
 * ascending order. */
size_t ngi_record_of_row(const size_t *dropped, size_t drops, size_t row);

#endif
