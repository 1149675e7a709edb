/* Streams of NPY: a block is so many rows of the file, less those that are
 * left out. */
#include "data/npy_rows.h"
#include "data/stream.h"

#include <math.h>
#include <string.h>

typedef struct npy_state {
    ngi_npy npy;
    bool *factor; /* of each column */
} npy_state;

typedef struct pass {
    ng_stream *stream;
    npy_state *state;
    ngi_table_visit visit;
    void *user;
} pass;

/* How many of the first so many rows of the file were left out. */
static size_t drops_before(const ng_frame *frame, size_t row) {
    size_t low = 0, high = frame->dropped;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (frame->dropped_record[middle] <= row)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool name_value(const pass *p, size_t j, double *value) {
    ngi_number_text name = ngi_npy_name_level(&p->state->npy, *value);
    size_t level =
        ngi_strings_find(&p->stream->levels[j], name.text, strlen(name.text));
    *value = (double)level;
    return level != SIZE_MAX;
}

/* Rows that are left out are passed over, and the others close up; false if
 * the values are not what they were. */
static bool take_column(const pass *p, size_t j, size_t first, size_t rows,
                        size_t drop, double *value) {
    const ng_frame *frame = p->stream->frame;
    bool factor = p->state->factor[j];
    size_t kept = 0;
    for (size_t i = 0; i < rows; i++) {
        if (drop < frame->dropped &&
            frame->dropped_record[drop] == first + i + 1) {
            drop++;
            continue;
        }
        value[kept] = value[i];
        if (!isfinite(value[kept]) ||
            (factor && !name_value(p, j, &value[kept])))
            return false;
        kept++;
    }
    return true;
}

static bool all_finite(const double *x, size_t count) {
    double sum = 0; /* 0 x is 0 exactly where x is finite */
    for (size_t i = 0; i < count; i++)
        sum += 0 * x[i];
    return sum == 0;
}

static bool visit_block(void *user, size_t worker, size_t first, size_t rows,
                        double *const *column) {
    const pass *p = user;
    const ng_frame *frame = p->stream->frame;
    size_t drop = drops_before(frame, first);
    size_t kept = rows - (drops_before(frame, first + rows) - drop);
    for (size_t j = 0; j < frame->columns; j++) {
        bool simple = kept == rows && !p->state->factor[j];
        if (simple ? !all_finite(column[j], rows)
                   : !take_column(p, j, first, rows, drop, column[j]))
            return false;
    }
    const ngi_table_block block = {first - drop, kept,
                                   (const double *const *)column};
    if (kept)
        p->visit(p->user, worker, &block);
    return true;
}

static ng_status npy_each(ng_stream *s, size_t block_rows, size_t stride,
                          ngi_table_visit visit, void *user) {
    npy_state *state = s->state;
    pass p = {s, state, visit, user};
    bool whole;
    NG_TRY(ngi_stream_make_blocks(s, block_rows));
    NG_TRY(ngi_npy_each(&state->npy, block_rows, stride, s->column, visit_block,
                        &p, &whole));
    NG_TRY(ngi_npy_judge(&state->npy));
    return whole ? NG_OK : ngi_stream_fail_changed(s);
}

static void npy_close(ng_stream *s) {
    npy_state *state = s->state;
    ngi_npy_clear(&state->npy);
    ngi_free(s->ctx, state->factor);
    ngi_free(s->ctx, state);
}

ng_status ngi_stream_open_npy(ng_stream *s, const ng_frame_options *options) {
    static const ngi_stream_ops ops = {npy_each, npy_close};
    npy_state *state = ngi_alloc(s->ctx, 1, sizeof *state);
    s->ops = &ops;
    s->state = state;
    if (!state)
        return NG_ENOMEM;
    NG_TRY(ngi_npy_open(s->ctx, s->input, options, false, &state->npy));
    state->npy.progress = &s->progress;
    NG_TRY(ngi_npy_read(&state->npy, &s->frame));
    const ngi_selection *selection = &state->npy.selection;
    state->factor =
        ngi_alloc(s->ctx, selection->columns, sizeof *state->factor);
    if (!state->factor)
        return NG_ENOMEM;
    for (size_t j = 0; j < selection->columns; j++)
        state->factor[j] = selection->column[j].factor;
    return NG_OK;
}
