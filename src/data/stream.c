#include "data/stream.h"
#include "data/array.h"

#include <string.h>

ng_status ngi_stream_fail_changed(const ng_stream *stream) {
    return ngi_fail(stream->ctx, NG_EDATA, "%s: changed while it was read",
                    stream->frame->source);
}

static void free_blocks(ng_stream *s) {
    ngi_free(s->ctx, s->block);
    ngi_free(s->ctx, s->column);
    s->block = NULL;
    s->column = NULL;
    s->block_rows = 0;
}

ng_status ngi_stream_make_blocks(ng_stream *s, size_t block_rows) {
    size_t columns = s->frame->columns, workers = ngi_threads(s->ctx);
    if (s->block_rows >= block_rows)
        return NG_OK;
    free_blocks(s);
    if (columns && block_rows > SIZE_MAX / sizeof(double) / columns / workers)
        return ngi_fail_memory(s->ctx);
    s->block =
        ngi_alloc(s->ctx, workers * columns * block_rows, sizeof *s->block);
    s->column = ngi_alloc(s->ctx, workers * columns, sizeof *s->column);
    if (!s->block || !s->column)
        return NG_ENOMEM;
    s->block_rows = block_rows;
    for (size_t i = 0; i < workers * columns; i++)
        s->column[i] = s->block + i * block_rows;
    return NG_OK;
}

void ng_stream_close(ng_stream **stream) {
    if (!stream || !*stream)
        return;
    ng_stream *s = *stream;
    if (s->state)
        s->ops->close(s);
    for (size_t j = 0; s->levels && j < s->frame->columns; j++)
        ngi_strings_clear(&s->levels[j]);
    free_blocks(s);
    ngi_free(s->ctx, s->levels);
    ng_frame_destroy(&s->frame);
    ngi_input_close(&s->input);
    ngi_free(s->ctx, s);
    *stream = NULL;
}

/* The number of a level is that of its string. */
static ng_status list_levels(ng_stream *s) {
    size_t columns = s->frame->columns;
    s->levels = ngi_alloc(s->ctx, columns, sizeof *s->levels);
    if (!s->levels)
        return NG_ENOMEM;
    for (size_t j = 0; j < columns; j++)
        ngi_strings_init(&s->levels[j], s->ctx);
    for (size_t j = 0; j < columns; j++) {
        const ng_column *column = &s->frame->column[j].view;
        for (size_t i = 0; i < column->levels; i++) {
            size_t index;
            NG_TRY(ngi_strings_intern(&s->levels[j], column->level[i],
                                      strlen(column->level[i]), &index));
        }
    }
    return NG_OK;
}

static ng_status recognize(ng_stream *s, bool *npy) {
    unsigned char magic[NGI_ARRAY_MAGIC];
    size_t got;
    NG_TRY(ngi_input_read(s->input, magic, sizeof magic, &got));
    *npy = ngi_array_recognize(magic, got) == NG_ARRAY_NPY;
    return ngi_input_rewind(s->input);
}

static ng_status open_any(ng_stream *s, const ng_frame_options *options) {
    bool npy, plain;
    NG_TRY(ngi_input_spool(s->input, options ? options->spool : NULL));
    NG_TRY(recognize(s, &npy));
    if (npy)
        return ngi_stream_open_npy(s, options);
    NG_TRY(ngi_stream_open_plain(s, options, 0, &plain));
    if (plain)
        return NG_OK;
    NG_TRY(ngi_input_rewind(s->input));
    return ngi_stream_open_careful(s, options);
}

typedef enum way { ANY, CAREFUL, PLAIN } way;

/* The input becomes the stream's. */
static ng_status open_input(ng_ctx *ctx, ngi_input *input,
                            const ng_frame_options *options, way by,
                            size_t chunk, ng_stream **out) {
    bool plain = true;
    ng_stream *s = ngi_alloc(ctx, 1, sizeof *s);
    if (!s) {
        ngi_input_close(&input);
        return NG_ENOMEM;
    }
    s->ctx = ctx;
    s->self = s;
    s->input = input;
    ng_status status = by == ANY ? open_any(s, options)
                       : by == CAREFUL
                           ? ngi_stream_open_careful(s, options)
                           : ngi_stream_open_plain(s, options, chunk, &plain);
    if (status == NG_OK && plain)
        status = list_levels(s);
    s->stamp = ngi_input_stamp(s->input);
    atomic_store(&s->passes, 1);
    if (status == NG_OK && plain)
        *out = s;
    else
        ng_stream_close(&s);
    return status;
}

ng_status ng_stream_open(ng_ctx *ctx, const char *path,
                         const ng_frame_options *options, ng_stream **out) {
    ngi_input *input;
    *out = NULL;
    NG_TRY(ngi_input_open(ctx, path, &input));
    return open_input(ctx, input, options, ANY, 0, out);
}

ng_status ngi_stream_parse_by(ng_ctx *ctx, const char *source, const void *data,
                              size_t size, const ng_frame_options *options,
                              size_t chunk, ng_stream **out) {
    ngi_input *input;
    *out = NULL;
    NG_TRY(ngi_input_open_memory(ctx, source, data, size, &input));
    return open_input(ctx, input, options, chunk ? PLAIN : CAREFUL, chunk, out);
}

size_t ng_stream_rows(const ng_stream *stream) {
    return stream->frame->rows;
}

size_t ng_stream_columns(const ng_stream *stream) {
    return stream->frame->columns;
}

size_t ng_stream_dropped(const ng_stream *stream) {
    return stream->frame->dropped;
}

const ng_column *ng_stream_column(const ng_stream *stream, size_t i) {
    return ng_frame_column(stream->frame, i);
}

void ng_stream_progress(const ng_stream *stream, double *done, double *total,
                        size_t *passes) {
    if (done)
        *done = (double)atomic_load(&stream->progress.done);
    if (total)
        *total = (double)atomic_load(&stream->progress.total);
    if (passes)
        *passes = atomic_load(&stream->passes);
}

/* ---- As a table ---- */

static const ng_column *stream_column(const ngi_table *table, size_t i) {
    return ng_stream_column(table->state, i);
}

static size_t stream_record(const ngi_table *table, size_t row) {
    const ng_stream *stream = table->state;
    return ng_frame_record(stream->frame, row);
}

static ng_status stream_each(const ngi_table *table, size_t block_rows,
                             size_t stride, ngi_table_visit visit, void *user) {
    const ng_stream *stream = table->state;
    ng_stream *s = stream->self;
    block_rows = block_rows ? block_rows : 1;
    if (s->stamp != ngi_input_stamp(s->input))
        return ngi_stream_fail_changed(s);
    atomic_fetch_add(&s->passes, 1);
    return s->ops->each(s, block_rows, stride ? stride : 1, visit, user);
}

void ngi_table_of_stream(const ng_stream *stream, ngi_table *out) {
    *out = (ngi_table){.ctx = stream->ctx,
                       .source = stream->frame->source,
                       .rows = stream->frame->rows,
                       .columns = stream->frame->columns,
                       .workers = ngi_threads(stream->ctx),
                       .streams = true,
                       .column = stream_column,
                       .record = stream_record,
                       .each = stream_each,
                       .state = stream};
}
