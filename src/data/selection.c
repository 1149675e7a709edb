#include "data/selection.h"

#include <string.h>

void ngi_selection_init(ngi_selection *selection, ng_ctx *ctx,
                        const char *source) {
    memset(selection, 0, sizeof *selection);
    selection->ctx = ctx;
    selection->source = source;
    ngi_strings_init(&selection->names, ctx);
}

void ngi_selection_clear(ngi_selection *s) {
    for (size_t i = 0; s->column && i < s->columns; i++)
        ngi_column_clear(&s->column[i]);
    ngi_strings_clear(&s->names);
    ngi_free(s->ctx, s->place);
    ngi_free(s->ctx, s->column);
    ngi_selection_init(s, s->ctx, s->source);
}

ng_status ngi_selection_add(ngi_selection *s, const char *name, size_t length) {
    size_t index, known = s->names.count;
    if (!length)
        return ngi_fail(s->ctx, NG_EDATA,
                        "%s: header: expected a name for column %zu, found "
                        "\"\"",
                        s->source, known + 1);
    NG_TRY(ngi_strings_intern(&s->names, name, length, &index));
    if (s->names.count == known)
        return ngi_fail(s->ctx, NG_EDATA,
                        "%s: header: expected distinct names, found \"%s\" "
                        "for columns %zu and %zu",
                        s->source, ngi_show(name, length).text, index + 1,
                        known + 1);
    return NG_OK;
}

enum { WANTED = 1, UNWANTED = 2 };

/* Mark the listed columns; SIZE_MAX in `missing` if the file has them all. */
static size_t mark(const ngi_selection *s, const char *const *list,
                   size_t count, unsigned char *marks, unsigned char value) {
    size_t missing = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t index = ngi_strings_find(&s->names, list[i], strlen(list[i]));
        if (index != SIZE_MAX)
            marks[index] |= value;
        else if (missing == SIZE_MAX)
            missing = i;
    }
    return missing;
}

static ng_status mark_all(const ngi_selection *s, const char *const *list,
                          size_t count, unsigned char *marks,
                          unsigned char value) {
    size_t missing = mark(s, list, count, marks, value);
    if (missing == SIZE_MAX)
        return NG_OK;
    return ngi_fail(s->ctx, NG_EDATA,
                    "%s: header: expected a column \"%s\", found none of that "
                    "name",
                    s->source, ngi_show_string(list[missing]).text);
}

/* Which columns to read: sets `place` and `columns`. */
static ng_status choose(ngi_selection *s, const ng_frame_options *o,
                        unsigned char *marks) {
    NG_TRY(mark_all(s, o->include, o->includes, marks, WANTED));
    NG_TRY(mark_all(s, o->exclude, o->excludes, marks, UNWANTED));
    mark(s, o->optional, o->optionals, marks, WANTED);
    for (size_t i = 0; i < s->names.count; i++) {
        bool wanted = !o->includes || (marks[i] & WANTED);
        bool read = wanted && !(marks[i] & UNWANTED);
        s->place[i] = read ? s->columns++ : SIZE_MAX;
    }
    return NG_OK;
}

/* As what to read them. */
static ng_status make_columns(ngi_selection *s, const ng_frame_options *o,
                              unsigned char *marks) {
    enum { FACTOR = 1, NUMERIC = 2 };
    memset(marks, 0, s->names.count);
    mark(s, o->factors, o->factor_count, marks, FACTOR);
    NG_TRY(mark_all(s, o->numeric, o->numerics, marks, NUMERIC));
    for (size_t i = 0; i < s->names.count; i++) {
        const char *name = ngi_strings_get(&s->names, i);
        if (marks[i] == (FACTOR | NUMERIC))
            return ngi_fail(s->ctx, NG_EUSAGE,
                            "column \"%s\" cannot be both numeric and a factor",
                            ngi_show_string(name).text);
        if (s->place[i] == SIZE_MAX)
            continue;
        ngi_column_builder *column = &s->column[s->place[i]];
        ngi_column_init(column, s->ctx, s->source, name);
        column->no_values = s->no_values;
        column->wanted_factor = marks[i] == FACTOR;
        column->wanted_numeric = marks[i] == NUMERIC;
        ngi_column_restart(column);
    }
    return NG_OK;
}

ng_status ngi_selection_make(ngi_selection *s,
                             const ng_frame_options *options) {
    static const ng_frame_options everything = {0};
    const ng_frame_options *o = options ? options : &everything;
    size_t count = s->names.count;
    unsigned char *marks = ngi_alloc(s->ctx, count, 1);
    s->place = ngi_alloc(s->ctx, count, sizeof *s->place);
    ng_status status = marks && s->place ? NG_OK : NG_ENOMEM;
    if (status == NG_OK)
        status = choose(s, o, marks);
    if (status == NG_OK) {
        s->column = ngi_alloc(s->ctx, s->columns, sizeof *s->column);
        /* So that they can be cleared, however far they are made. */
        for (size_t i = 0; s->column && i < s->columns; i++)
            ngi_column_init(&s->column[i], s->ctx, s->source, "");
        status = s->column ? make_columns(s, o, marks) : NG_ENOMEM;
    }
    ngi_free(s->ctx, marks);
    s->complete = status == NG_OK;
    return status;
}

bool ngi_selection_restart(ngi_selection *s) {
    bool again = false;
    for (size_t i = 0; i < s->columns; i++)
        again = again || s->column[i].mixed;
    for (size_t i = 0; again && i < s->columns; i++)
        ngi_column_restart(&s->column[i]);
    return again;
}

ng_status ngi_selection_finish(ngi_selection *s, ng_frame **out) {
    ng_frame *frame;
    NG_TRY(ngi_frame_create(s->ctx, s->source, s->columns, &frame));
    for (size_t i = 0; i < s->columns; i++) {
        ng_status status = ngi_column_finish(&s->column[i], &frame->column[i]);
        if (status != NG_OK) {
            ng_frame_destroy(&frame);
            return status;
        }
    }
    *out = frame;
    return NG_OK;
}
