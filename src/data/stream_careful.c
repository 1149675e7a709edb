/* Streams of CSV that is not plain: one reads, and when every worker has a
 * block all look at theirs. */
#include "data/csv_reader.h"
#include "data/stream.h"

#include <locale.h>

typedef struct careful_state {
    ngi_selection selection;
    size_t records;
    bool *factor;          /* of each column */
    ngi_table_block *full; /* blocks that wait, of the first workers */
    ng_frame_options options;
} careful_state;

typedef struct pass {
    ng_stream *stream;
    careful_state *state;
    size_t block_rows, stride;
    ngi_table_visit visit;
    void *user;
    size_t row;     /* of the frame, that comes next */
    size_t waiting; /* blocks that are full */
    size_t filled;  /* rows of the block that is being filled */
} pass;

static void visit_block(void *user, size_t worker) {
    const pass *p = user;
    if (worker < p->waiting)
        p->visit(p->user, worker, &p->state->full[worker]);
}

static void visit_blocks(pass *p) {
    ng_stream *s = p->stream;
    uint64_t done, total;
    if (p->waiting)
        ngi_parallel(s->ctx, visit_block, p);
    p->waiting = 0;
    ngi_input_progress(s->input, &done, &total);
    atomic_store(&s->progress.done, done);
    atomic_store(&s->progress.total, total);
}

static void end_block(pass *p) {
    const ng_stream *s = p->stream;
    double *const *column = s->column + p->waiting * s->frame->columns;
    if (p->filled)
        p->state->full[p->waiting++] = (ngi_table_block){
            p->row - p->filled, p->filled, (const double *const *)column};
    p->filled = 0;
    if (p->waiting == ngi_threads(s->ctx))
        visit_blocks(p);
}

static bool known_value(const pass *p, size_t j, const ngi_csv_cell *cell,
                        const char *text, double *value) {
    *value = cell->number;
    if (!p->state->factor[j])
        return cell->kind == NGI_CELL_NUMBER;
    size_t level = ngi_strings_find(&p->stream->levels[j], text + cell->start,
                                    cell->length);
    *value = (double)level;
    return level != SIZE_MAX;
}

static ng_status take_row(void *user, const ngi_csv_cell *cells,
                          const char *text) {
    pass *p = user;
    ng_stream *s = p->stream;
    size_t columns = s->frame->columns;
    if (p->row == s->frame->rows)
        return ngi_stream_fail_changed(s);
    if (p->row / p->block_rows % p->stride == 0) {
        for (size_t j = 0; j < columns; j++) {
            double *to = s->column[p->waiting * columns + j] + p->filled;
            if (!known_value(p, j, &cells[j], text, to))
                return ngi_stream_fail_changed(s);
        }
        p->filled++;
    }
    p->row++;
    if (p->row % p->block_rows == 0)
        end_block(p);
    return NG_OK;
}

static ng_status read_in_c_locale(ng_ctx *ctx, ngi_csv_reading *reading) {
    locale_t standard = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!standard)
        return ngi_fail_memory(ctx);
    locale_t users = uselocale(standard);
    ng_status status = ngi_csv_read(reading);
    uselocale(users);
    freelocale(standard);
    return status;
}

static ng_status careful_each(ng_stream *s, size_t block_rows, size_t stride,
                              ngi_table_visit visit, void *user) {
    careful_state *state = s->state;
    pass p = {.stream = s,
              .state = state,
              .block_rows = block_rows,
              .stride = stride,
              .visit = visit,
              .user = user};
    ngi_csv_reading reading = {.ctx = s->ctx,
                               .input = s->input,
                               .options = &state->options,
                               .selection = &state->selection,
                               .take = take_row,
                               .user = &p};
    NG_TRY(ngi_stream_make_blocks(s, block_rows));
    NG_TRY(ngi_input_rewind(s->input));
    NG_TRY(read_in_c_locale(s->ctx, &reading));
    if (reading.records != state->records || p.row != s->frame->rows)
        return ngi_stream_fail_changed(s);
    end_block(&p);
    visit_blocks(&p);
    return NG_OK;
}

static void careful_close(ng_stream *s) {
    careful_state *state = s->state;
    ngi_selection_clear(&state->selection);
    ngi_free(s->ctx, state->factor);
    ngi_free(s->ctx, state->full);
    ngi_free(s->ctx, state);
}

static ng_status make_frame(ng_stream *s, ngi_csv_reading *reading) {
    careful_state *state = s->state;
    ngi_selection *selection = &state->selection;
    state->records = reading->records;
    state->factor =
        ngi_alloc(s->ctx, selection->columns, sizeof *state->factor);
    state->full = ngi_alloc(s->ctx, ngi_threads(s->ctx), sizeof *state->full);
    if (!state->factor || !state->full)
        return NG_ENOMEM;
    NG_TRY(ngi_selection_finish(selection, &s->frame));
    for (size_t j = 0; j < selection->columns; j++)
        state->factor[j] = selection->column[j].factor;
    s->frame->rows = reading->records - reading->drops;
    s->frame->dropped = reading->drops;
    s->frame->dropped_record = reading->dropped;
    reading->dropped = NULL;
    return NG_OK;
}

ng_status ngi_stream_open_careful(ng_stream *s,
                                  const ng_frame_options *options) {
    static const ngi_stream_ops ops = {careful_each, careful_close};
    careful_state *state = ngi_alloc(s->ctx, 1, sizeof *state);
    s->ops = &ops;
    s->state = state;
    if (!state)
        return NG_ENOMEM;
    ngi_selection_init(&state->selection, s->ctx, ngi_input_source(s->input));
    state->selection.no_values = true;
    state->options.drop_missing = options && options->drop_missing;
    ngi_csv_reading reading = {.ctx = s->ctx,
                               .input = s->input,
                               .options = options,
                               .selection = &state->selection};
    ng_status status = read_in_c_locale(s->ctx, &reading);
    if (status == NG_OK)
        status = make_frame(s, &reading);
    ngi_free(s->ctx, reading.dropped);
    return status;
}
