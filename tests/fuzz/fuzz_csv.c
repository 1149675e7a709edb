/* CSV from memory, under options chosen by the first byte. */
#include "data/csv.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const a[] = {"a"}, *const b[] = {"b"};
    ng_frame_options options = {0};
    ng_ctx *ctx;
    ng_frame *frame;
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
    if (ngi_frame_parse_csv(ctx, "fuzz", data + 1, size - 1, &options,
                            &frame) == NG_OK)
        check_frame(frame);
    else if (frame || !*ng_error(ctx))
        abort();
    ng_frame_destroy(&frame);
    ng_ctx_destroy(&ctx);
    return 0;
}
