/* Frames as tables: the blocks are pieces of the frame's own columns. */
#include "data/table.h"
#include "data/frame.h"

#include <string.h>

static const ng_column *frame_column(const ngi_table *table, size_t i) {
    return ng_frame_column(table->state, i);
}

static size_t frame_record(const ngi_table *table, size_t row) {
    return ng_frame_record(table->state, row);
}

typedef struct walk {
    const ng_frame *frame;
    size_t workers, block_rows, stride;
    size_t visits;         /* blocks that are wanted */
    const double **values; /* for each worker, of each column */
    ngi_table_visit visit;
    void *user;
} walk;

/* The first of the wanted blocks that a worker takes. */
static size_t first_visit(const walk *w, size_t worker) {
    size_t share = w->visits / w->workers, rest = w->visits % w->workers;
    return worker * share + (worker < rest ? worker : rest);
}

static void walk_blocks(void *user, size_t worker) {
    const walk *w = user;
    const ng_frame *frame = w->frame;
    const double **values = w->values + worker * frame->columns;
    size_t end = first_visit(w, worker + 1);
    for (size_t i = first_visit(w, worker); i < end; i++) {
        size_t first = i * w->stride * w->block_rows;
        size_t left = frame->rows - first;
        ngi_table_block block = {
            first, left < w->block_rows ? left : w->block_rows, values};
        for (size_t j = 0; j < frame->columns; j++)
            values[j] = frame->column[j].view.values + first;
        w->visit(w->user, worker, &block);
    }
}

static ng_status frame_each(const ngi_table *table, size_t block_rows,
                            size_t stride, ngi_table_visit visit, void *user) {
    const ng_frame *frame = table->state;
    walk w = {.frame = frame,
              .workers = table->workers,
              .block_rows = block_rows ? block_rows : 1,
              .stride = stride ? stride : 1,
              .visit = visit,
              .user = user};
    size_t blocks = frame->rows / w.block_rows;
    blocks += frame->rows % w.block_rows != 0;
    w.visits = blocks / w.stride + (blocks % w.stride != 0);
    w.values =
        ngi_alloc(frame->ctx, w.workers * frame->columns, sizeof *w.values);
    if (!w.values)
        return NG_ENOMEM;
    ngi_parallel(frame->ctx, walk_blocks, &w);
    ngi_free(frame->ctx, w.values);
    return NG_OK;
}

void ngi_table_of_frame(const ng_frame *frame, ngi_table *out) {
    *out = (ngi_table){.ctx = frame->ctx,
                       .source = frame->source,
                       .rows = frame->rows,
                       .columns = frame->columns,
                       .workers = ngi_threads(frame->ctx),
                       .streams = false,
                       .column = frame_column,
                       .record = frame_record,
                       .each = frame_each,
                       .state = frame};
}

const ng_column *ngi_table_find(const ngi_table *table, const char *name,
                                size_t *index) {
    for (size_t i = 0; i < table->columns; i++) {
        const ng_column *column = table->column(table, i);
        if (strcmp(column->name, name) != 0)
            continue;
        if (index)
            *index = i;
        return column;
    }
    return NULL;
}
