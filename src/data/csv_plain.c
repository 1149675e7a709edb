#include "data/csv_plain.h"

#include <stdlib.h>
#include <string.h>

/* ---- Header ---- */

static ng_status read_names(ngi_csv_plain *p) {
    const char *at = p->chunks.header, *text, *end;
    size_t length;
    if (p->chunks.header_size > 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
        at += 3;
    for (;; at = end + 1) {
        if (!ngi_lines_find_cell(at, &text, &length, &end))
            return NG_EDATA;
        NG_TRY(ngi_selection_add(&p->selection, text, length));
        if (*end == '\n')
            return NG_OK;
    }
}

static ng_status make_columns(ngi_csv_plain *p,
                              const ng_frame_options *options) {
    ngi_selection *s = &p->selection;
    s->no_values = !p->want_values;
    NG_TRY(ngi_selection_make(s, options));
    p->factor = ngi_alloc(p->ctx, s->columns, sizeof *p->factor);
    p->lines = ngi_alloc(p->ctx, p->chunks.workers, sizeof *p->lines);
    p->to = ngi_alloc(p->ctx, p->chunks.workers * s->columns, sizeof *p->to);
    if (!p->factor || !p->lines || !p->to)
        return NG_ENOMEM;
    for (size_t j = 0; j < s->columns; j++)
        p->factor[j] = s->column[j].wanted_factor;
    return NG_OK;
}

ng_status ngi_csv_plain_open(ng_ctx *ctx, ngi_input *input,
                             const ng_frame_options *options, size_t chunk,
                             bool want_values, ngi_csv_plain *out,
                             bool *plain) {
    memset(out, 0, sizeof *out);
    NG_TRY(ngi_chunks_create(ctx, input, chunk, !want_values, &out->chunks,
                             plain));
    if (!*plain)
        return NG_OK;
    out->ctx = ctx;
    out->want_values = want_values;
    out->drop_missing = options && options->drop_missing;
    ngi_powers_init(&out->powers);
    ngi_selection_init(&out->selection, ctx, ngi_input_source(input));
    ng_status status = read_names(out);
    if (status == NG_OK)
        status = make_columns(out, options);
    *plain = status == NG_OK;
    if (!*plain)
        ngi_csv_plain_clear(out);
    return status == NG_ENOMEM ? status : NG_OK;
}

static void clear_lines(ngi_csv_plain *p) {
    for (size_t i = 0; p->lines && i < p->chunks.workers; i++)
        ngi_lines_clear(&p->lines[i]);
}

void ngi_csv_plain_clear(ngi_csv_plain *p) {
    if (!p->ctx)
        return;
    clear_lines(p);
    ngi_selection_clear(&p->selection);
    ngi_free(p->ctx, p->factor);
    ngi_free(p->ctx, p->part);
    ngi_free(p->ctx, p->first);
    ngi_free(p->ctx, p->lines);
    ngi_free(p->ctx, p->to);
    ngi_chunks_clear(&p->chunks);
    p->ctx = NULL;
}

/* ---- A pass ---- */

static ng_status expect_chunks(void *user, size_t chunks) {
    ngi_csv_plain *p = user;
    void *block = p->part;
    ng_status status =
        ngi_reserve(p->ctx, &block, &p->part_capacity, chunks, sizeof *p->part);
    p->part = block;
    p->parts = chunks;
    return status;
}

static bool read_chunk(void *user, size_t worker, size_t chunk,
                       const char *text, const char *end) {
    ngi_csv_plain *p = user;
    ngi_lines *l = &p->lines[worker];
    ngi_csv_part *part = &p->part[chunk];
    size_t columns = p->selection.columns, most = SIZE_MAX;
    double **to = p->want_values ? p->to + worker * columns : NULL;
    for (size_t j = 0; to && j < columns; j++)
        to[j] = p->selection.column[j].values + p->first[chunk];
    /* There is no room for more, should the file have grown. */
    if (to)
        most = p->first[chunk + 1] - p->first[chunk];
    l->chunk = chunk;
    l->line = 0;
    if (ngi_lines_parse(l, text, end, most, to, &part->kept) != end)
        return false;
    part->lines = l->line;
    part->owner = worker;
    return !to || part->lines == most;
}

static ng_status make_lines(ngi_csv_plain *p) {
    ngi_lines shared = {.ctx = p->ctx,
                        .powers = &p->powers,
                        .selection = &p->selection,
                        .drop_missing = p->drop_missing,
                        .lock = &p->chunks.lock,
                        .factor = p->factor};
    clear_lines(p);
    for (size_t i = 0; i < p->chunks.workers; i++)
        NG_TRY(ngi_lines_create(&shared, &p->lines[i]));
    return NG_OK;
}

static ng_status run_pass(ngi_csv_plain *p, size_t limit, bool *whole) {
    const ngi_chunks_walk walk = {.limit = limit,
                                  .expect = expect_chunks,
                                  .visit = read_chunk,
                                  .user = p};
    NG_TRY(make_lines(p));
    NG_TRY(ngi_chunks_each(&p->chunks, &walk, whole));
    for (size_t i = 0; i < p->chunks.workers; i++)
        NG_TRY(p->lines[i].status);
    return NG_OK;
}

typedef struct finding {
    size_t texts;
    const ngi_lines_note *first; /* NULL if there was none */
    bool infinite;
} finding;

static finding look_at(const ngi_csv_plain *p, size_t j) {
    finding f = {0, NULL, false};
    for (size_t i = 0; i < p->chunks.workers; i++) {
        const ngi_lines_note *note = &p->lines[i].note[j];
        f.infinite = f.infinite || note->infinite;
        f.texts += note->texts;
        if (note->texts && (!f.first || note->chunk < f.first->chunk))
            f.first = note;
    }
    return f;
}

/* Columns in which text has turned up become factors. */
static bool find_factors(ngi_csv_plain *p) {
    bool found = false;
    for (size_t j = 0; j < p->selection.columns; j++) {
        if (p->factor[j] || !look_at(p, j).texts)
            continue;
        p->factor[j] = found = true;
    }
    return found;
}

static bool acceptable(const ngi_csv_plain *p) {
    bool good = true;
    size_t kept = 0;
    for (size_t i = 0; i < p->parts; i++)
        kept += p->part[i].kept;
    for (size_t j = 0; j < p->selection.columns; j++) {
        finding f = look_at(p, j);
        bool numeric = p->selection.column[j].wanted_numeric;
        good = good && !(f.texts && numeric);
        good = good && !(f.infinite && !p->factor[j]);
    }
    return good && kept > 0;
}

/* A look at the first chunk spares most tables with factors another pass. */
static ng_status find_all(ngi_csv_plain *p, bool *whole) {
    enum { SHORT = 8 };
    bool again = p->chunks.packed || p->chunks.count > SHORT;
    if (again) {
        NG_TRY(run_pass(p, 1, whole));
        find_factors(p);
    }
    do {
        if (*whole)
            NG_TRY(run_pass(p, 0, whole));
        again = *whole && find_factors(p);
    } while (again);
    *whole = *whole && acceptable(p);
    return NG_OK;
}

/* ---- Columns ---- */

static ng_status make_room(ngi_csv_plain *p, bool *whole) {
    size_t count = p->chunks.count;
    p->first = ngi_alloc(p->ctx, count + 1, sizeof *p->first);
    if (!p->first)
        return NG_ENOMEM;
    NG_TRY(ngi_chunks_count(&p->chunks, p->first + 1, whole));
    for (size_t i = 0; i < count; i++)
        p->first[i + 1] += p->first[i];
    for (size_t j = 0; *whole && j < p->selection.columns; j++) {
        ngi_column_builder *column = &p->selection.column[j];
        /* Not cleared: that would take as long as reading. */
        column->values =
            ngi_resize(p->ctx, NULL, p->first[count], sizeof *column->values);
        if (!column->values)
            return NG_ENOMEM;
        column->capacity = p->first[count];
    }
    return NG_OK;
}

static void close_gaps(ngi_csv_plain *p, double *values) {
    size_t rows = 0;
    for (size_t i = 0; i < p->parts; i++) {
        if (rows != p->first[i])
            memmove(values + rows, values + p->first[i],
                    p->part[i].kept * sizeof *values);
        rows += p->part[i].kept;
    }
}

static void renumber(const ngi_csv_plain *p, size_t worker,
                     const size_t *number, double *values) {
    for (size_t i = 0; i < p->parts; i++) {
        if (p->part[i].owner != worker)
            continue;
        double *value = values + p->first[i];
        for (size_t k = 0; k < p->part[i].kept; k++)
            value[k] = (double)number[(size_t)value[k]];
    }
}

/* One list of levels for those of all workers. */
static ng_status join_levels(ngi_csv_plain *p, size_t j) {
    ngi_column_builder *column = &p->selection.column[j];
    ng_status status = NG_OK;
    for (size_t i = 0; i < p->chunks.workers && status == NG_OK; i++) {
        const ngi_strings *levels = &p->lines[i].levels[j];
        size_t *number = ngi_alloc(p->ctx, levels->count, sizeof *number);
        status = number ? NG_OK : NG_ENOMEM;
        for (size_t k = 0; k < levels->count && status == NG_OK; k++) {
            const char *text = ngi_strings_get(levels, k);
            status = ngi_strings_intern(&column->levels, text, strlen(text),
                                        &number[k]);
        }
        if (status == NG_OK && p->want_values)
            renumber(p, i, number, column->values);
        ngi_free(p->ctx, number);
    }
    return status;
}

/* The lines before each chunk. */
static ng_status count_lines(ngi_csv_plain *p) {
    if (p->first)
        return NG_OK;
    p->first = ngi_alloc(p->ctx, p->parts + 1, sizeof *p->first);
    if (!p->first)
        return NG_ENOMEM;
    for (size_t i = 0; i < p->parts; i++)
        p->first[i + 1] = p->first[i] + p->part[i].lines;
    return NG_OK;
}

static ng_status fill_column(ngi_csv_plain *p, size_t j, size_t rows) {
    ngi_column_builder *column = &p->selection.column[j];
    finding f = look_at(p, j);
    column->factor = p->factor[j];
    column->texts = f.texts;
    if (f.first) {
        column->first_text.record =
            p->first[f.first->chunk] + f.first->line + 1;
        column->first_text.shown = f.first->shown;
    }
    column->count = rows;
    if (column->factor)
        NG_TRY(join_levels(p, j));
    if (p->want_values)
        close_gaps(p, column->values);
    return NG_OK;
}

static int compare_sizes(const void *a, const void *b) {
    const size_t *p = a, *q = b;
    return (*p > *q) - (*p < *q);
}

static ng_status list_drops(ngi_csv_plain *p, size_t **out, size_t *count) {
    size_t drops = 0;
    for (size_t i = 0; i < p->chunks.workers; i++)
        drops += p->lines[i].drops;
    size_t *record = ngi_alloc(p->ctx, drops, sizeof *record);
    *out = record;
    *count = 0;
    if (!record)
        return NG_ENOMEM;
    for (size_t i = 0; i < p->chunks.workers; i++) {
        const ngi_lines *l = &p->lines[i];
        for (size_t k = 0; k < l->drops; k++)
            record[(*count)++] =
                p->first[l->drop[k].chunk] + l->drop[k].line + 1;
    }
    qsort(record, drops, sizeof *record, compare_sizes);
    return NG_OK;
}

static ng_status make_frame(ngi_csv_plain *p, ng_frame **out) {
    size_t rows = 0, *dropped, drops;
    NG_TRY(count_lines(p));
    for (size_t i = 0; i < p->parts; i++)
        rows += p->part[i].kept;
    for (size_t j = 0; j < p->selection.columns; j++)
        NG_TRY(fill_column(p, j, rows));
    NG_TRY(list_drops(p, &dropped, &drops));
    ng_status status = ngi_selection_finish(&p->selection, out);
    if (status != NG_OK) {
        ngi_free(p->ctx, dropped);
        return status;
    }
    (*out)->rows = rows;
    (*out)->dropped = drops;
    (*out)->dropped_record = dropped;
    return NG_OK;
}

ng_status ngi_csv_plain_read(ngi_csv_plain *p, ng_frame **out, bool *is_plain) {
    *out = NULL;
    *is_plain = true;
    if (p->want_values)
        NG_TRY(make_room(p, is_plain));
    if (*is_plain)
        NG_TRY(find_all(p, is_plain));
    return *is_plain ? make_frame(p, out) : NG_OK;
}
