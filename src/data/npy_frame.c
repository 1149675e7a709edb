/* Frames from NPY: blocks are transposed into columns as they are read. */
#include "data/npy_rows.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct drops {
    size_t *record, count, capacity;
} drops;

typedef struct pass {
    ngi_npy *npy;
    drops *drop;          /* of each worker */
    pthread_mutex_t lock; /* around allocations, and the levels */
    ng_status status;     /* under the lock */
} pass;

static void fail(pass *p, ng_status status) {
    if (p->status == NG_OK)
        p->status = status;
}

static bool drop_row(pass *p, size_t worker, size_t row) {
    drops *d = &p->drop[worker];
    void *block = d->record;
    pthread_mutex_lock(&p->lock);
    ng_status status = ngi_reserve(p->npy->ctx, &block, &d->capacity,
                                   d->count + 1, sizeof *d->record);
    if (status != NG_OK)
        fail(p, status);
    pthread_mutex_unlock(&p->lock);
    d->record = block;
    if (status == NG_OK)
        d->record[d->count++] = row + 1;
    return status == NG_OK;
}

static bool all_finite(const double *x, size_t count) {
    double sum = 0; /* 0 x is 0 exactly where x is finite */
    for (size_t i = 0; i < count; i++)
        sum += 0 * x[i];
    return sum == 0;
}

/* A row with a value that is not finite; false if there is no memory. */
static bool look_at_row(pass *p, size_t worker, size_t first, size_t i,
                        double *const *column) {
    size_t columns = p->npy->selection.columns;
    bool missing = false;
    for (size_t j = 0; j < columns; j++)
        missing = missing || isnan(column[j][i]);
    if (missing && p->npy->drop_missing)
        return drop_row(p, worker, first + i);
    for (size_t j = 0; j < columns; j++) {
        if (!isfinite(column[j][i]))
            ngi_npy_note(p->npy, worker, first + i, j, column[j][i]);
    }
    return true;
}

static bool look_at_block(pass *p, size_t worker, size_t first, size_t rows,
                          double *const *column) {
    size_t columns = p->npy->selection.columns;
    bool finite = true;
    for (size_t j = 0; j < columns && finite; j++)
        finite = all_finite(column[j], rows);
    for (size_t i = 0; i < rows && !finite; i++) {
        bool good = true;
        for (size_t j = 0; j < columns && good; j++)
            good = isfinite(column[j][i]);
        if (!good && !look_at_row(p, worker, first, i, column))
            return false;
    }
    return true;
}

static bool row_dropped(const drops *d, size_t first_drop, size_t record) {
    for (size_t i = first_drop; i < d->count; i++) {
        if (d->record[i] == record)
            return true;
    }
    return false;
}

/* Values become numbers of levels; those of rows that are dropped, nothing. */
static ng_status intern_levels(pass *p, size_t j, const drops *d,
                               size_t first_drop, size_t first, size_t rows,
                               double *value) {
    ngi_column_builder *column = &p->npy->selection.column[j];
    for (size_t i = 0; i < rows; i++) {
        size_t level = 0;
        if (isfinite(value[i]) && !row_dropped(d, first_drop, first + i + 1)) {
            ngi_number_text name = ngi_npy_name_level(p->npy, value[i]);
            NG_TRY(ngi_strings_intern(&column->levels, name.text,
                                      strlen(name.text), &level));
        }
        value[i] = (double)level;
    }
    return NG_OK;
}

static bool take_block(void *user, size_t worker, size_t first, size_t rows,
                       double *const *column) {
    pass *p = user;
    const ngi_selection *s = &p->npy->selection;
    drops *d = &p->drop[worker];
    size_t first_drop = d->count;
    if (!look_at_block(p, worker, first, rows, column))
        return false;
    ng_status status = NG_OK;
    for (size_t j = 0; j < s->columns && status == NG_OK; j++) {
        if (s->column[j].factor) {
            pthread_mutex_lock(&p->lock);
            status = intern_levels(p, j, d, first_drop, first, rows, column[j]);
            if (status != NG_OK)
                fail(p, status);
            pthread_mutex_unlock(&p->lock);
        }
        if (s->column[j].values)
            memcpy(s->column[j].values + first, column[j],
                   rows * sizeof(double));
    }
    return status == NG_OK;
}

/* ---- Putting together ---- */

static int compare_sizes(const void *a, const void *b) {
    const size_t *p = a, *q = b;
    return (*p > *q) - (*p < *q);
}

static ng_status join_drops(pass *p, drops *all) {
    for (size_t i = 0; i < p->npy->workers; i++)
        all->capacity += p->drop[i].count;
    all->record = ngi_alloc(p->npy->ctx, all->capacity, sizeof *all->record);
    if (!all->record)
        return NG_ENOMEM;
    for (size_t i = 0; i < p->npy->workers; i++) {
        const drops *d = &p->drop[i];
        if (d->count)
            memcpy(all->record + all->count, d->record,
                   d->count * sizeof *d->record);
        all->count += d->count;
    }
    qsort(all->record, all->count, sizeof *all->record, compare_sizes);
    return NG_OK;
}

static void close_gaps(double *values, size_t rows, const drops *d) {
    for (size_t i = 0; i < d->count; i++) {
        size_t next = i + 1 < d->count ? d->record[i + 1] - 1 : rows;
        size_t from = d->record[i];
        memmove(values + from - 1 - i, values + from,
                (next - from) * sizeof *values);
    }
}

static ng_status make_frame(ngi_npy *npy, drops *d, ng_frame **out) {
    ngi_selection *s = &npy->selection;
    if (d->count == npy->rows)
        return ngi_fail(npy->ctx, NG_EDATA,
                        "%s: expected a row without missing values, found "
                        "none",
                        npy->source);
    for (size_t j = 0; j < s->columns; j++) {
        if (s->column[j].values)
            close_gaps(s->column[j].values, npy->rows, d);
        s->column[j].count = npy->rows - d->count;
    }
    NG_TRY(ngi_selection_finish(s, out));
    (*out)->rows = npy->rows - d->count;
    (*out)->dropped = d->count;
    (*out)->dropped_record = d->record;
    d->record = NULL;
    return NG_OK;
}

static ng_status finish(pass *p, bool whole, ng_frame **out) {
    drops all = {0};
    NG_TRY(p->status);
    NG_TRY(ngi_npy_judge(p->npy));
    if (!whole)
        return ngi_fail(p->npy->ctx, NG_EDATA, "%s: changed while it was read",
                        p->npy->source);
    ng_status status = join_drops(p, &all);
    if (status == NG_OK)
        status = make_frame(p->npy, &all, out);
    ngi_free(p->npy->ctx, all.record);
    return status;
}

/* Blocks of about so many bytes stay in cache until they are looked at. */
static size_t choose_rows(const ngi_npy *npy) {
    enum { BYTES = 1 << 18 };
    size_t row = npy->selection.columns * sizeof(double);
    size_t rows = BYTES / (row ? row : 1);
    return rows < 8 ? 8 : rows > 4096 ? 4096 : rows;
}

static ng_status run(pass *p, ng_frame **out) {
    ngi_npy *npy = p->npy;
    size_t columns = npy->selection.columns, rows = choose_rows(npy);
    size_t count = npy->workers * columns;
    double *block = ngi_alloc(npy->ctx, count * rows, sizeof *block);
    double **column = ngi_alloc(npy->ctx, count, sizeof *column);
    bool whole = true;
    ng_status status = block && column ? NG_OK : NG_ENOMEM;
    if (status == NG_OK) {
        for (size_t i = 0; i < count; i++)
            column[i] = block + i * rows;
        status = ngi_npy_each(npy, rows, 1, column, take_block, p, &whole);
    }
    if (status == NG_OK)
        status = finish(p, whole, out);
    ngi_free(npy->ctx, block);
    ngi_free(npy->ctx, column);
    return status;
}

static ng_status make_room(ngi_npy *npy) {
    for (size_t j = 0; j < npy->selection.columns; j++) {
        ngi_column_builder *column = &npy->selection.column[j];
        if (column->no_values)
            continue;
        /* Not cleared: that would take as long as reading. */
        column->values =
            ngi_resize(npy->ctx, NULL, npy->rows, sizeof *column->values);
        if (!column->values)
            return NG_ENOMEM;
    }
    return NG_OK;
}

ng_status ngi_npy_read(ngi_npy *npy, ng_frame **out) {
    pass p = {.npy = npy};
    *out = NULL;
    NG_TRY(make_room(npy));
    p.drop = ngi_alloc(npy->ctx, npy->workers, sizeof *p.drop);
    if (!p.drop)
        return NG_ENOMEM;
    pthread_mutex_init(&p.lock, NULL);
    ng_status status = run(&p, out);
    pthread_mutex_destroy(&p.lock);
    for (size_t i = 0; i < npy->workers; i++)
        ngi_free(npy->ctx, p.drop[i].record);
    ngi_free(npy->ctx, p.drop);
    return status;
}

static ng_status read_input(ng_ctx *ctx, ngi_input *input,
                            const ng_frame_options *options, ng_frame **out) {
    ngi_npy *npy = ngi_alloc(ctx, 1, sizeof *npy);
    if (!npy)
        return NG_ENOMEM;
    ng_status status = ngi_npy_open(ctx, input, options, true, npy);
    if (status == NG_OK) {
        status = ngi_npy_read(npy, out);
        ngi_npy_clear(npy);
    }
    ngi_free(ctx, npy);
    return status;
}

ng_status ng_frame_read_npy(ng_ctx *ctx, const char *path,
                            const ng_frame_options *options, ng_frame **out) {
    ngi_input *input;
    *out = NULL;
    NG_TRY(ngi_input_open(ctx, path, &input));
    ng_status status = ngi_input_spool(input, options ? options->spool : NULL);
    if (status == NG_OK)
        status = read_input(ctx, input, options, out);
    ngi_input_close(&input);
    return status;
}
