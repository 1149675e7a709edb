#include "data/column.h"

#include <stdlib.h>
#include <string.h>

void ngi_column_init(ngi_column_builder *column, ng_ctx *ctx,
                     const char *source, const char *name) {
    memset(column, 0, sizeof *column);
    column->ctx = ctx;
    column->source = source;
    column->name = name;
    ngi_strings_init(&column->levels, ctx);
}

void ngi_column_clear(ngi_column_builder *column) {
    ngi_free(column->ctx, column->values);
    ngi_strings_clear(&column->levels);
    column->values = NULL;
    column->count = column->capacity = 0;
}

void ngi_column_restart(ngi_column_builder *column) {
    ngi_strings_clear(&column->levels);
    column->factor = column->wanted_factor || column->mixed;
    column->mixed = false;
    column->count = column->texts = 0;
    column->first_text.record = column->first_infinite.record = 0;
}

ng_status ngi_column_fail(const ngi_column_builder *column, size_t record,
                          const char *problem, const char *expected,
                          const char *found) {
    return ngi_fail(column->ctx, NG_EDATA,
                    "%s: row %zu, column \"%s\": %sexpected %s, found \"%s\"",
                    column->source, record, ngi_show_string(column->name).text,
                    problem, expected, found);
}

static void note(ngi_finding *first, size_t record, const char *text,
                 size_t length) {
    if (first->record)
        return;
    first->record = record;
    first->shown = ngi_show(text, length);
}

static ng_status fail_infinite(const ngi_column_builder *column) {
    return ngi_column_fail(column, column->first_infinite.record,
                           "infinite value: ", "a finite number",
                           column->first_infinite.shown.text);
}

/* What the cell says about the column. */
static ng_status judge(ngi_column_builder *column, size_t record, ngi_cell kind,
                       const char *text, size_t length) {
    if (kind == NGI_CELL_INFINITE) {
        note(&column->first_infinite, record, text, length);
        if (column->wanted_numeric)
            return fail_infinite(column);
    }
    if (kind != NGI_CELL_TEXT)
        return NG_OK;
    column->texts++;
    note(&column->first_text, record, text, length);
    if (column->wanted_numeric)
        return ngi_column_fail(column, record, "", "a number",
                               column->first_text.shown.text);
    if (!column->factor && column->count)
        column->mixed = true;
    else
        column->factor = true;
    return NG_OK;
}

static ng_status make_room(ngi_column_builder *column) {
    void *block = column->values;
    ng_status status = ngi_reserve(column->ctx, &block, &column->capacity,
                                   column->count + 1, sizeof *column->values);
    column->values = block;
    return status;
}

ng_status ngi_column_add(ngi_column_builder *column, size_t record,
                         ngi_cell kind, double number, const char *text,
                         size_t length) {
    NG_TRY(judge(column, record, kind, text, length));
    if (column->mixed)
        return NG_OK;
    if (!column->no_values)
        NG_TRY(make_room(column));
    if (column->factor) {
        size_t level;
        NG_TRY(ngi_strings_intern(&column->levels, text, length, &level));
        number = (double)level;
    }
    if (!column->no_values)
        column->values[column->count] = number;
    column->count++;
    return NG_OK;
}

typedef struct level_order {
    const char *text;
    double number;
    size_t index; /* in order of arrival */
} level_order;

static int compare_text(const void *a, const void *b) {
    const level_order *p = a, *q = b;
    return strcmp(p->text, q->text);
}

static int compare_number(const void *a, const void *b) {
    const level_order *p = a, *q = b;
    if (p->number != q->number)
        return p->number < q->number ? -1 : 1;
    return strcmp(p->text, q->text);
}

static void sort_levels(const ngi_strings *levels, level_order *order) {
    bool numbers = true;
    for (size_t i = 0; i < levels->count; i++) {
        const char *text = ngi_strings_get(levels, i);
        order[i].text = text;
        order[i].index = i;
        if (ngi_cell_classify(text, strlen(text), &order[i].number) !=
            NGI_CELL_NUMBER)
            numbers = false;
    }
    qsort(order, levels->count, sizeof *order,
          numbers ? compare_number : compare_text);
}

/* Level numbers in order of arrival become positions in sorted order. */
static ng_status finish_levels(ngi_column_builder *column,
                               ngi_frame_column *out) {
    size_t count = column->levels.count;
    level_order *order = ngi_alloc(column->ctx, count, sizeof *order);
    double *position = ngi_alloc(column->ctx, count, sizeof *position);
    out->level = ngi_alloc(column->ctx, count, sizeof *out->level);
    ng_status status = NG_ENOMEM;
    if (order && position && out->level) {
        sort_levels(&column->levels, order);
        for (size_t i = 0; i < count; i++) {
            position[order[i].index] = (double)i;
            out->level[i] = order[i].text;
        }
        for (size_t i = 0; column->values && i < column->count; i++)
            column->values[i] = position[(size_t)column->values[i]];
        out->level_text = column->levels.text;
        column->levels.text = NULL;
        status = NG_OK;
    }
    ngi_free(column->ctx, order);
    ngi_free(column->ctx, position);
    return status;
}

static void warn_few_texts(const ngi_column_builder *column) {
    if (column->wanted_factor || !column->texts ||
        column->texts >= column->count - column->texts)
        return;
    ngi_warn(column->ctx,
             "%s: row %zu, column \"%s\": expected a number, found \"%s\"; the "
             "column becomes a factor because %zu of its %zu values %s",
             column->source, column->first_text.record,
             ngi_show_string(column->name).text, column->first_text.shown.text,
             column->texts, column->count,
             column->texts == 1 ? "is not a number" : "are not numbers");
}

static ng_status hand_over_values(ngi_column_builder *column,
                                  ngi_frame_column *out) {
    double *values =
        ngi_resize(column->ctx, column->values, column->count, sizeof *values);
    if (!values)
        return NG_ENOMEM;
    out->values = values;
    column->values = NULL;
    return NG_OK;
}

ng_status ngi_column_finish(ngi_column_builder *column, ngi_frame_column *out) {
    if (!column->factor && column->first_infinite.record)
        return fail_infinite(column);
    out->name = ngi_strdup(column->ctx, column->name);
    if (!out->name)
        return NG_ENOMEM;
    if (column->factor)
        NG_TRY(finish_levels(column, out));
    warn_few_texts(column);
    if (!column->no_values)
        NG_TRY(hand_over_values(column, out));
    ngi_frame_show(out, column->factor ? column->levels.count : 0);
    return NG_OK;
}
