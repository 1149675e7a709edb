#include "data/frame.h"
#include "data/text.h"

#include <math.h>
#include <string.h>

ng_status ngi_frame_create(ng_ctx *ctx, const char *source, size_t columns,
                           ng_frame **out) {
    ng_frame *frame = ngi_alloc(ctx, 1, sizeof *frame);
    *out = NULL;
    if (!frame)
        return NG_ENOMEM;
    frame->ctx = ctx;
    frame->source = ngi_strdup(ctx, source);
    frame->column = ngi_alloc(ctx, columns, sizeof *frame->column);
    frame->columns = frame->column ? columns : 0;
    if (!frame->source || !frame->column) {
        ng_frame_destroy(&frame);
        return NG_ENOMEM;
    }
    *out = frame;
    return NG_OK;
}

void ngi_frame_show(ngi_frame_column *column, size_t levels) {
    column->view.name = column->name;
    column->view.values = column->values;
    column->view.levels = levels;
    column->view.level = column->level;
}

void ng_frame_destroy(ng_frame **frame) {
    if (!frame || !*frame)
        return;
    ng_frame *f = *frame;
    for (size_t i = 0; i < f->columns; i++) {
        ngi_free(f->ctx, f->column[i].name);
        ngi_free(f->ctx, f->column[i].values);
        ngi_free(f->ctx, f->column[i].level);
        ngi_free(f->ctx, f->column[i].level_text);
    }
    ngi_free(f->ctx, f->column);
    ngi_free(f->ctx, f->dropped_record);
    ngi_free(f->ctx, f->source);
    ngi_free(f->ctx, f);
    *frame = NULL;
}

static ng_status check_column(const ng_frame *frame, size_t i, const char *name,
                              const double *values) {
    if (!name || !*name)
        return ngi_fail(frame->ctx, NG_EUSAGE, "column %zu: empty name", i + 1);
    ngi_shown shown = ngi_show_string(name);
    for (size_t j = 0; j < i; j++)
        if (strcmp(frame->column[j].name, name) == 0)
            return ngi_fail(frame->ctx, NG_EUSAGE,
                            "columns %zu and %zu are both named \"%s\"", j + 1,
                            i + 1, shown.text);
    for (size_t row = 0; row < frame->rows; row++)
        if (!isfinite(values[row]))
            return ngi_fail(frame->ctx, NG_EDATA,
                            "row %zu, column \"%s\": expected a finite "
                            "number, found %g",
                            row + 1, shown.text, values[row]);
    return NG_OK;
}

static ng_status add_column(ng_frame *frame, size_t i, const char *name,
                            const double *values, bool copy) {
    ngi_frame_column *column = &frame->column[i];
    NG_TRY(check_column(frame, i, name, values));
    column->name = ngi_strdup(frame->ctx, name);
    if (!column->name)
        return NG_ENOMEM;
    if (copy) {
        column->values = ngi_alloc(frame->ctx, frame->rows, sizeof(double));
        if (!column->values)
            return NG_ENOMEM;
        if (frame->rows)
            memcpy(column->values, values, frame->rows * sizeof *values);
    }
    ngi_frame_show(column, 0);
    if (!copy)
        column->view.values = values;
    return NG_OK;
}

static ng_status from_arrays(ng_ctx *ctx, size_t rows, size_t columns,
                             const char *const *names,
                             const double *const *values, bool copy,
                             ng_frame **out) {
    ng_frame *frame;
    *out = NULL;
    NG_TRY(ngi_frame_create(ctx, "arrays", columns, &frame));
    frame->rows = rows;
    for (size_t i = 0; i < columns; i++) {
        ng_status status = add_column(frame, i, names[i], values[i], copy);
        if (status != NG_OK) {
            ng_frame_destroy(&frame);
            return status;
        }
    }
    *out = frame;
    return NG_OK;
}

ng_status ng_frame_from_arrays(ng_ctx *ctx, size_t rows, size_t columns,
                               const char *const *names,
                               const double *const *values, ng_frame **out) {
    return from_arrays(ctx, rows, columns, names, values, true, out);
}

ng_status ng_frame_of_columns(ng_ctx *ctx, size_t rows, size_t columns,
                              const char *const *names,
                              const double *const *values, ng_frame **out) {
    return from_arrays(ctx, rows, columns, names, values, false, out);
}

size_t ng_frame_rows(const ng_frame *frame) {
    return frame->rows;
}

size_t ng_frame_columns(const ng_frame *frame) {
    return frame->columns;
}

size_t ng_frame_dropped(const ng_frame *frame) {
    return frame->dropped;
}

const char *ng_frame_source(const ng_frame *frame) {
    return frame->source;
}

/* dropped[j] - 1 - j rows come before the j-th record that was dropped, and so
 * that record was passed over on the way to `row` if this is no more than
 * `row`. */
size_t ngi_record_of_row(const size_t *dropped, size_t drops, size_t row) {
    size_t low = 0, high = drops;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (dropped[middle] - 1 - middle <= row)
            low = middle + 1;
        else
            high = middle;
    }
    return row + 1 + low;
}

size_t ng_frame_record(const ng_frame *frame, size_t row) {
    return ngi_record_of_row(frame->dropped_record, frame->dropped, row);
}

const ng_column *ng_frame_column(const ng_frame *frame, size_t i) {
    return i < frame->columns ? &frame->column[i].view : NULL;
}

const ng_column *ng_frame_find(const ng_frame *frame, const char *name) {
    for (size_t i = 0; i < frame->columns; i++)
        if (strcmp(frame->column[i].name, name) == 0)
            return &frame->column[i].view;
    return NULL;
}
