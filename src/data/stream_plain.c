/* Streams of plain CSV: every chunk is cut into blocks of its own, so that a
 * pass needs no more than the chunks' numbers of rows, and may leave out
 * chunks that have no block that is wanted. */
#include "data/csv_plain.h"
#include "data/stream.h"

#include <string.h>

typedef struct plain_state {
    ngi_csv_plain csv;
    size_t *row;   /* of the frame, with which a chunk begins */
    size_t *block; /* of this pass, with which a chunk begins */
} plain_state;

typedef struct pass {
    ng_stream *stream;
    plain_state *state;
    size_t block_rows, stride;
    ngi_table_visit visit;
    void *user;
} pass;

/* ---- A chunk ---- */

static bool chunk_wanted(void *user, size_t chunk) {
    const pass *p = user;
    size_t first = p->state->block[chunk], end = p->state->block[chunk + 1];
    return first < end && (end - 1) / p->stride * p->stride >= first;
}

/* The first of the dropped records at or after this one. */
static size_t find_drop(const ng_frame *frame, size_t record) {
    size_t low = 0, high = frame->dropped;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (frame->dropped_record[middle] < record)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Pass over lines until so many rows that are kept lie behind. */
static const char *skip_rows(const pass *p, ngi_lines *l, const char *at,
                             const char *end, size_t rows) {
    const ng_frame *frame = p->stream->frame;
    size_t before = p->state->csv.first[l->chunk] + 1;
    size_t drop = find_drop(frame, before + l->line);
    for (; rows && at < end; l->line++) {
        bool dropped = drop < frame->dropped &&
                       frame->dropped_record[drop] == before + l->line;
        at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
        drop += dropped;
        rows -= !dropped;
    }
    return rows ? NULL : at;
}

static const char *visit_rows(const pass *p, size_t worker, const char *at,
                              const char *end, size_t first, size_t rows) {
    ng_stream *s = p->stream;
    size_t kept, columns = s->frame->columns;
    double *const *column = s->column + worker * columns;
    at = ngi_lines_parse(&p->state->csv.lines[worker], at, end, rows, column,
                         &kept);
    if (!at || kept != rows)
        return NULL;
    const ngi_table_block block = {first, rows, (const double *const *)column};
    p->visit(p->user, worker, &block);
    return at;
}

static bool visit_chunk(void *user, size_t worker, size_t chunk, const char *at,
                        const char *end) {
    const pass *p = user;
    const plain_state *state = p->state;
    if (chunk >= state->csv.parts)
        return false;
    ngi_lines *l = &p->state->csv.lines[worker];
    size_t row = state->row[chunk], last = state->row[chunk + 1];
    l->chunk = chunk;
    l->line = 0;
    for (size_t b = state->block[chunk]; b < state->block[chunk + 1]; b++) {
        size_t left = last - row;
        size_t rows = left < p->block_rows ? left : p->block_rows;
        at = b % p->stride == 0 ? visit_rows(p, worker, at, end, row, rows)
                                : skip_rows(p, l, at, end, rows);
        if (!at || ngi_cancelled(p->stream->ctx))
            return false;
        row += rows;
    }
    /* Only lines that were dropped may be left. */
    size_t kept;
    at = ngi_lines_parse(l, at, end, 1, NULL, &kept);
    return at == end && !kept && l->line == state->csv.part[chunk].lines;
}

/* ---- A pass ---- */

static ng_status make_lines(ng_stream *s) {
    plain_state *state = s->state;
    ngi_csv_plain *csv = &state->csv;
    ngi_lines shared = {.ctx = s->ctx,
                        .powers = &csv->powers,
                        .selection = &csv->selection,
                        .drop_missing = csv->drop_missing,
                        .final = true,
                        .lock = &csv->chunks.lock,
                        .levels = s->levels,
                        .factor = csv->factor};
    for (size_t i = 0; i < csv->chunks.workers; i++) {
        if (!csv->lines[i].ctx)
            NG_TRY(ngi_lines_create(&shared, &csv->lines[i]));
    }
    return NG_OK;
}

static ng_status plain_each(ng_stream *s, size_t block_rows, size_t stride,
                            ngi_table_visit visit, void *user) {
    plain_state *state = s->state;
    ngi_csv_plain *csv = &state->csv;
    pass p = {s, state, block_rows, stride, visit, user};
    const ngi_chunks_walk walk = {.in_turn = true,
                                  .wanted = chunk_wanted,
                                  .visit = visit_chunk,
                                  .user = &p};
    bool whole;
    NG_TRY(make_lines(s));
    NG_TRY(ngi_stream_make_blocks(s, block_rows));
    for (size_t i = 0; i < csv->parts; i++)
        state->block[i + 1] = state->block[i] + csv->part[i].kept / block_rows +
                              (csv->part[i].kept % block_rows != 0);
    NG_TRY(ngi_chunks_each(&csv->chunks, &walk, &whole));
    if (!whole || csv->chunks.count != csv->parts)
        return ngi_stream_fail_changed(s);
    return NG_OK;
}

static void plain_close(ng_stream *s) {
    plain_state *state = s->state;
    ngi_csv_plain_clear(&state->csv);
    ngi_free(s->ctx, state->row);
    ngi_free(s->ctx, state->block);
    ngi_free(s->ctx, state);
}

/* ---- Opening ---- */

static ng_status count_rows(ng_stream *s) {
    plain_state *state = s->state;
    size_t parts = state->csv.parts;
    state->row = ngi_alloc(s->ctx, parts + 1, sizeof *state->row);
    state->block = ngi_alloc(s->ctx, parts + 1, sizeof *state->block);
    if (!state->row || !state->block)
        return NG_ENOMEM;
    for (size_t i = 0; i < parts; i++)
        state->row[i + 1] = state->row[i] + state->csv.part[i].kept;
    return NG_OK;
}

static ng_status read_all(ng_stream *s, const ng_frame_options *options,
                          size_t chunk, bool *done) {
    plain_state *state = s->state;
    NG_TRY(ngi_csv_plain_open(s->ctx, s->input, options, chunk, false,
                              &state->csv, done));
    state->csv.chunks.progress = &s->progress;
    if (*done)
        NG_TRY(ngi_csv_plain_read(&state->csv, &s->frame, done));
    if (!*done)
        return NG_OK;
    for (size_t i = 0; i < state->csv.chunks.workers; i++)
        ngi_lines_clear(&state->csv.lines[i]);
    return count_rows(s);
}

ng_status ngi_stream_open_plain(ng_stream *s, const ng_frame_options *options,
                                size_t chunk, bool *done) {
    static const ngi_stream_ops ops = {plain_each, plain_close};
    s->ops = &ops;
    s->state = ngi_alloc(s->ctx, 1, sizeof(plain_state));
    if (!s->state)
        return NG_ENOMEM;
    ng_status status = read_all(s, options, chunk, done);
    if (status != NG_OK || !*done) {
        plain_close(s);
        s->state = NULL;
    }
    return status;
}
