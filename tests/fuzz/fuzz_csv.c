/* CSV from memory, under options chosen by the first byte: every reader gives
 * the same frame, or none. */
#include "data/csv.h"
#include "data/stream.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a frame promises its readers. */
static void check_frame(const ng_frame *frame) {
    size_t rows = ng_frame_rows(frame), record = 0;
    if (!rows)
        abort();
    for (size_t row = 0; row < rows; row++) {
        if (ng_frame_record(frame, row) <= record)
            abort();
        record = ng_frame_record(frame, row);
    }
    if (record > rows + ng_frame_dropped(frame))
        abort();
    for (size_t i = 0; i < ng_frame_columns(frame); i++) {
        const ng_column *column = ng_frame_column(frame, i);
        if (ng_frame_find(frame, column->name) != column)
            abort();
        for (size_t row = 0; row < rows; row++)
            if (!isfinite(column->values[row]) ||
                (column->levels &&
                 column->values[row] >= (double)column->levels))
                abort();
        for (size_t level = 1; level < column->levels; level++)
            if (strcmp(column->level[level - 1], column->level[level]) == 0)
                abort();
    }
}

static void compare_columns(const ng_column *a, const ng_column *b) {
    if (strcmp(a->name, b->name) != 0 || a->levels != b->levels)
        abort();
    for (size_t i = 0; i < a->levels; i++)
        if (strcmp(a->level[i], b->level[i]) != 0)
            abort();
}

static void compare_frames(const ng_frame *a, const ng_frame *b) {
    size_t rows = ng_frame_rows(a);
    if (rows != ng_frame_rows(b) ||
        ng_frame_columns(a) != ng_frame_columns(b) ||
        ng_frame_dropped(a) != ng_frame_dropped(b) ||
        ng_frame_record(a, rows - 1) != ng_frame_record(b, rows - 1))
        abort();
    for (size_t i = 0; i < ng_frame_columns(a); i++) {
        const ng_column *x = ng_frame_column(a, i), *y = ng_frame_column(b, i);
        compare_columns(x, y);
        if (memcmp(x->values, y->values, rows * sizeof *x->values) != 0)
            abort();
    }
}

typedef struct sighting {
    const ng_frame *frame;
    size_t rows;
} sighting;

/* One worker: nothing needs a lock. */
static void look(void *user, size_t worker, const ngi_table_block *block) {
    sighting *seen = user;
    if (worker || block->first != seen->rows)
        abort();
    seen->rows += block->count;
    for (size_t i = 0; i < ng_frame_columns(seen->frame); i++)
        if (memcmp(ng_frame_column(seen->frame, i)->values + block->first,
                   block->values[i], block->count * sizeof(double)) != 0)
            abort();
}

static void compare_stream(const ng_stream *stream, const ng_frame *frame) {
    sighting seen = {frame, 0};
    ngi_table table;
    ngi_table_of_stream(stream, &table);
    if (table.each(&table, 3, 1, look, &seen) != NG_OK ||
        seen.rows != ng_frame_rows(frame))
        abort();
}

/* What the careful reader says of the bytes, the others have to say too. */
static void try_others(ng_ctx *ctx, const uint8_t *data, size_t size,
                       const ng_frame_options *options, const ng_frame *frame) {
    for (size_t chunk = 0; chunk < 60; chunk = 3 * chunk + 5) {
        ng_frame *other = NULL;
        ng_stream *stream;
        ng_status status = NG_OK;
        if (chunk)
            status = ngi_frame_parse_csv_by(ctx, "fuzz", data, size, options,
                                            chunk, &other);
        if (other && !frame)
            abort();
        if (other)
            compare_frames(other, frame);
        ng_frame_destroy(&other);
        if (status == NG_OK)
            status = ngi_stream_parse_by(ctx, "fuzz", data, size, options,
                                         chunk, &stream);
        if (status != NG_OK && frame)
            abort();
        if (status == NG_OK && stream) {
            if (!frame)
                abort();
            compare_stream(stream, frame);
            ng_stream_close(&stream);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const a[] = {"a"}, *const b[] = {"b"};
    ng_frame_options options = {0};
    ng_ctx *ctx;
    ng_frame *frame, *usual;
    if (!size || ng_ctx_create(NULL, &ctx) != NG_OK)
        return 0;
    options.factors = options.include = options.exclude = a;
    options.numeric = options.optional = b;
    options.factor_count = data[0] & 1;
    options.numerics = data[0] >> 1 & 1;
    options.includes = data[0] >> 2 & 1;
    options.excludes = data[0] >> 3 & 1;
    options.optionals = data[0] >> 4 & 1;
    options.drop_missing = data[0] >> 5 & 1;
    ng_status status = ngi_frame_parse_csv_by(ctx, "fuzz", data + 1, size - 1,
                                              &options, 0, &frame);
    if (status == NG_OK)
        check_frame(frame);
    else if (frame || !*ng_error(ctx))
        abort();
    if (ngi_frame_parse_csv(ctx, "fuzz", data + 1, size - 1, &options,
                            &usual) != status)
        abort();
    if (usual)
        compare_frames(usual, frame);
    try_others(ctx, data + 1, size - 1, &options, frame);
    ng_frame_destroy(&usual);
    ng_frame_destroy(&frame);
    ng_ctx_destroy(&ctx);
    return 0;
}
