#include "data/npy_rows.h"
#include "data/bytes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 18 };

/* Integers up to here are doubles: 2^53. */
#define LARGEST_INTEGER (UINT64_C(1) << 53)

struct ngi_npy_worker {
    unsigned char *bytes;
    ngi_npy_problem first;
    bool failed; /* bytes could not be had */
};

/* ---- Problems ---- */

static ngi_npy_problem *new_problem(ngi_npy *npy, size_t worker, size_t row,
                                    size_t column) {
    ngi_npy_problem *first = &npy->worker[worker].first;
    if (row > first->row || (row == first->row && column >= first->column))
        return NULL;
    first->row = row;
    first->column = column;
    return first;
}

/* The column of the file that is read into this place. */
static size_t column_of(const ngi_npy *npy, size_t place) {
    size_t column = 0;
    while (npy->selection.place[column] != place)
        column++;
    return column;
}

void ngi_npy_note(ngi_npy *npy, size_t worker, size_t row, size_t place,
                  double value) {
    ngi_npy_problem *p = new_problem(npy, worker, row, column_of(npy, place));
    if (!p)
        return;
    p->problem = isnan(value) ? "missing value: " : "infinite value: ";
    p->expected = isnan(value) ? "a value" : "a finite number";
    strcpy(p->found, isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
}

ng_status ngi_npy_judge(const ngi_npy *npy) {
    const ngi_npy_problem *first = &npy->worker[0].first;
    for (size_t i = 1; i < npy->workers; i++) {
        const ngi_npy_problem *p = &npy->worker[i].first;
        if (p->row < first->row ||
            (p->row == first->row && p->column < first->column))
            first = p;
    }
    if (first->row == SIZE_MAX)
        return NG_OK;
    return ngi_fail(npy->ctx, NG_EDATA,
                    "%s: row %zu, column \"V%zu\": %sexpected %s, found \"%s\"",
                    npy->source, first->row + 1, first->column + 1,
                    first->problem, first->expected, first->found);
}

/* ---- Numbers ---- */

static double decode_float(const ngi_element *e, uint64_t bits) {
    uint32_t half = (uint32_t)bits;
    float narrow;
    double wide;
    memcpy(&narrow, &half, sizeof narrow);
    memcpy(&wide, &bits, sizeof wide);
    return e->size == sizeof narrow ? (double)narrow : wide;
}

/* False if no double is this number. */
static bool decode_integer(const ngi_element *e, uint64_t bits, double *value,
                           char *found, size_t room) {
    uint64_t sign = UINT64_C(1) << (8 * e->size - 1);
    bool negative = e->kind == NGI_SIGNED && (bits & sign);
    /* Two's complement. */
    uint64_t magnitude = negative ? sign - (bits & (sign - 1)) : bits;
    *value = negative ? -(double)magnitude : (double)magnitude;
    bool good = e->kind == NGI_BOOL ? bits <= 1 : magnitude <= LARGEST_INTEGER;
    if (!good)
        snprintf(found, room, "%s%llu", negative ? "-" : "",
                 (unsigned long long)magnitude);
    return good;
}

static bool native_double(const ngi_element *e) {
    const uint16_t one = 1;
    bool big = *(const unsigned char *)&one == 0;
    return e->kind == NGI_FLOAT && e->size == sizeof(double) && e->big == big;
}

/* `count` numbers of a column, `step` bytes apart. */
static void decode(ngi_npy *npy, size_t worker, const unsigned char *bytes,
                   size_t step, size_t row, size_t column, size_t count,
                   double *to) {
    const ngi_element *e = &npy->element;
    if (native_double(e)) {
        for (size_t i = 0; i < count; i++)
            memcpy(&to[i], bytes + i * step, sizeof *to);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = ngi_bytes_load(bytes + i * step, e->size, e->big);
        char found[32];
        if (e->kind == NGI_FLOAT) {
            to[i] = decode_float(e, bits);
        } else if (!decode_integer(e, bits, &to[i], found, sizeof found)) {
            ngi_npy_problem *p = new_problem(npy, worker, row + i, column);
            if (!p)
                continue;
            p->problem = "";
            p->expected = e->kind == NGI_BOOL
                              ? "a bool of 0 or 1"
                              : "an integer of at most 2^53 in size";
            memcpy(p->found, found, sizeof found);
        }
    }
}

/* ---- Blocks ---- */

static bool take_bytes(ngi_npy *npy, size_t worker, uint64_t at, size_t size) {
    unsigned char *bytes = npy->worker[worker].bytes;
    size_t got = 0;
    if (!npy->packed)
        return ngi_span_read(&npy->span, npy->offset + at, bytes, size);
    return ngi_input_read(npy->input, bytes, size, &got) == NG_OK &&
           got == size;
}

static bool fill_by_rows(ngi_npy *npy, size_t worker, size_t first, size_t rows,
                         double *const *column) {
    size_t size = npy->element.size, step = npy->columns * size;
    size_t most = npy->piece / step;
    for (size_t done = 0; done < rows;) {
        size_t count = rows - done < most ? rows - done : most;
        uint64_t at = (uint64_t)(first + done) * step;
        if (!take_bytes(npy, worker, at, count * step))
            return false;
        for (size_t j = 0; column && j < npy->columns; j++) {
            size_t place = npy->selection.place[j];
            if (place == SIZE_MAX)
                continue;
            decode(npy, worker, npy->worker[worker].bytes + j * size, step,
                   first + done, j, count, column[place] + done);
        }
        done += count;
    }
    return true;
}

static bool fill_by_columns(ngi_npy *npy, size_t worker, size_t first,
                            size_t rows, double *const *column) {
    size_t size = npy->element.size, most = npy->piece / size;
    for (size_t j = 0; j < npy->columns; j++) {
        size_t place = npy->selection.place[j];
        if (place == SIZE_MAX)
            continue;
        for (size_t done = 0; done < rows;) {
            size_t count = rows - done < most ? rows - done : most;
            uint64_t at = ((uint64_t)j * npy->rows + first + done) * size;
            if (!take_bytes(npy, worker, at, count * size))
                return false;
            decode(npy, worker, npy->worker[worker].bytes, size, first + done,
                   j, count, column[place] + done);
            done += count;
        }
    }
    return true;
}

static bool fill_block(ngi_npy *npy, size_t worker, size_t first, size_t rows,
                       double *const *column) {
    return npy->fortran ? fill_by_columns(npy, worker, first, rows, column)
                        : fill_by_rows(npy, worker, first, rows, column);
}

/* ---- Walks ---- */

typedef struct walk {
    ngi_npy *npy;
    size_t block_rows, stride, blocks;
    double *const *column;
    ngi_npy_visit visit;
    void *user;
    size_t first, loaded; /* where packed, the blocks of this round */
    atomic_bool stop;
} walk;

static size_t rows_of(const walk *w, size_t block) {
    size_t left = w->npy->rows - block * w->block_rows;
    return left < w->block_rows ? left : w->block_rows;
}

static double *const *columns_of(const walk *w, size_t worker) {
    return w->column + worker * w->npy->selection.columns;
}

static void show_progress(const walk *w, size_t rows) {
    const ngi_npy *npy = w->npy;
    if (npy->progress)
        atomic_fetch_add(&npy->progress->done,
                         (uint64_t)rows * npy->columns * npy->element.size);
}

static void visit(walk *w, size_t worker, size_t block) {
    if (!w->visit(w->user, worker, block * w->block_rows, rows_of(w, block),
                  columns_of(w, worker)))
        atomic_store(&w->stop, true);
    show_progress(w, rows_of(w, block));
}

static void walk_plain(void *user, size_t worker) {
    walk *w = user;
    ngi_npy *npy = w->npy;
    size_t step = w->stride * npy->workers;
    for (size_t b = worker * w->stride; b < w->blocks; b += step) {
        if (atomic_load(&w->stop) || ngi_cancelled(npy->ctx))
            return;
        if (!fill_block(npy, worker, b * w->block_rows, rows_of(w, b),
                        columns_of(w, worker)))
            npy->worker[worker].failed = true;
        else
            visit(w, worker, b);
        if (npy->worker[worker].failed)
            atomic_store(&w->stop, true);
    }
}

static void visit_packed(void *user, size_t worker) {
    walk *w = user;
    if (worker < w->loaded)
        visit(w, worker, w->first + worker * w->stride);
}

static ng_status begin_packed(ngi_npy *npy) {
    ngi_array_layout layout;
    NG_TRY(ngi_input_rewind(npy->input));
    return ngi_npy_read_header(npy->ctx, npy->input, &layout);
}

static ng_status walk_packed(walk *w) {
    ngi_npy *npy = w->npy;
    NG_TRY(begin_packed(npy));
    for (size_t b = 0; b < w->blocks && !atomic_load(&w->stop);) {
        w->first = b;
        w->loaded = 0;
        for (; b < w->blocks && w->loaded < npy->workers; b++) {
            bool wanted = b % w->stride == 0;
            if (wanted && w->loaded == 0)
                w->first = b;
            if (!fill_block(npy, w->loaded, b * w->block_rows, rows_of(w, b),
                            wanted ? columns_of(w, w->loaded) : NULL)) {
                atomic_store(&w->stop, true);
                return NG_OK;
            }
            w->loaded += wanted;
        }
        if (ngi_cancelled(npy->ctx))
            return NG_OK;
        ngi_parallel(npy->ctx, visit_packed, w);
    }
    return NG_OK;
}

ng_status ngi_npy_each(ngi_npy *npy, size_t block_rows, size_t stride,
                       double *const *column, ngi_npy_visit visit_block,
                       void *user, bool *whole) {
    walk w = {.npy = npy,
              .block_rows = block_rows,
              .stride = stride,
              .column = column,
              .visit = visit_block,
              .user = user};
    ng_status status = NG_OK;
    w.blocks = npy->rows / block_rows + (npy->rows % block_rows != 0);
    for (size_t i = 0; i < npy->workers; i++) {
        npy->worker[i].failed = false;
        npy->worker[i].first.row = SIZE_MAX;
    }
    if (npy->progress) {
        atomic_store(&npy->progress->done, 0);
        atomic_store(&npy->progress->total,
                     (uint64_t)npy->rows * npy->columns * npy->element.size);
    }
    if (npy->packed)
        status = walk_packed(&w);
    else
        ngi_parallel(npy->ctx, walk_plain, &w);
    *whole = !atomic_load(&w.stop);
    if (status == NG_OK && ngi_cancelled(npy->ctx))
        return ngi_fail(npy->ctx, NG_ECANCELLED, "%s: reading cancelled",
                        npy->source);
    return status;
}

/* ---- Opening ---- */

static ng_status check_shape(ngi_npy *npy, const ngi_array_layout *l) {
    if (l->dims != 2)
        return ngi_fail(npy->ctx, NG_EDATA,
                        "%s: expected two dimensions, rows and columns, found "
                        "%zu",
                        npy->source, l->dims);
    ngi_shape_text shape = ngi_show_shape(2, l->shape);
    size_t room = SIZE_MAX / sizeof(double);
    if (!l->shape[0] || !l->shape[1])
        return ngi_fail(npy->ctx, NG_EDATA,
                        "%s: expected at least one row and one column, found "
                        "shape %s",
                        npy->source, shape.text);
    if (l->shape[0] > room / l->shape[1])
        return ngi_fail(npy->ctx, NG_EDATA, "%s: shape %s is too large",
                        npy->source, shape.text);
    npy->rows = l->shape[0];
    npy->columns = l->shape[1];
    npy->element = l->element;
    npy->fortran = l->fortran;
    if (npy->packed && npy->fortran && npy->columns > 1)
        return ngi_fail(npy->ctx, NG_EDATA,
                        "%s: expected numbers row by row in a packed file, "
                        "found them column by column",
                        npy->source);
    npy->fortran = npy->fortran && !npy->packed;
    return NG_OK;
}

/* Nothing is made ready for numbers that are not there. */
static ng_status check_size(ngi_npy *npy) {
    uint64_t expected = (uint64_t)npy->rows * npy->columns * npy->element.size;
    uint64_t found = npy->packed ? 0 : npy->span.size - npy->offset;
    unsigned char bytes[4096];
    for (size_t got = npy->packed; got; found += got)
        NG_TRY(ngi_input_read(npy->input, bytes, sizeof bytes, &got));
    if (found == expected)
        return NG_OK;
    const size_t shape[] = {npy->rows, npy->columns};
    return ngi_fail(npy->ctx, NG_EDATA,
                    "%s: expected %llu bytes of data for shape %s, found %llu",
                    npy->source, (unsigned long long)expected,
                    ngi_show_shape(2, shape).text, (unsigned long long)found);
}

static ng_status name_columns(ngi_npy *npy, const ng_frame_options *options) {
    for (size_t j = 0; j < npy->columns; j++) {
        char name[32];
        int length = snprintf(name, sizeof name, "V%zu", j + 1);
        NG_TRY(ngi_selection_add(&npy->selection, name, (size_t)length));
    }
    return ngi_selection_make(&npy->selection, options);
}

static ng_status make_workers(ngi_npy *npy) {
    npy->worker = ngi_alloc(npy->ctx, npy->workers, sizeof *npy->worker);
    if (!npy->worker)
        return NG_ENOMEM;
    npy->piece = npy->columns * npy->element.size;
    if (npy->piece < PIECE)
        npy->piece = PIECE;
    for (size_t i = 0; i < npy->workers; i++) {
        npy->worker[i].bytes = ngi_alloc(npy->ctx, npy->piece, 1);
        npy->worker[i].first.row = SIZE_MAX;
        if (!npy->worker[i].bytes)
            return NG_ENOMEM;
    }
    return NG_OK;
}

static ng_status open_npy(ngi_npy *npy, const ng_frame_options *options) {
    ngi_array_layout layout = {0};
    npy->packed = !ngi_input_span(npy->input, &npy->span);
    NG_TRY(ngi_npy_read_header(npy->ctx, npy->input, &layout));
    npy->offset = ngi_input_told(npy->input);
    NG_TRY(check_shape(npy, &layout));
    NG_TRY(check_size(npy));
    NG_TRY(name_columns(npy, options));
    return make_workers(npy);
}

ng_status ngi_npy_open(ng_ctx *ctx, ngi_input *input,
                       const ng_frame_options *options, bool values,
                       ngi_npy *out) {
    memset(out, 0, sizeof *out);
    out->ctx = ctx;
    out->input = input;
    out->source = ngi_input_source(input);
    out->workers = ngi_threads(ctx);
    out->drop_missing = options && options->drop_missing;
    ngi_selection_init(&out->selection, ctx, out->source);
    out->selection.no_values = !values;
    out->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    ng_status status =
        out->locale ? open_npy(out, options) : ngi_fail_memory(ctx);
    if (status != NG_OK)
        ngi_npy_clear(out);
    return status;
}

void ngi_npy_clear(ngi_npy *npy) {
    if (!npy->ctx)
        return;
    for (size_t i = 0; npy->worker && i < npy->workers; i++)
        ngi_free(npy->ctx, npy->worker[i].bytes);
    ngi_free(npy->ctx, npy->worker);
    ngi_selection_clear(&npy->selection);
    if (npy->locale)
        freelocale(npy->locale);
    npy->ctx = NULL;
}

ngi_number_text ngi_npy_name_level(const ngi_npy *npy, double number) {
    ngi_number_text shown;
    locale_t users = uselocale(npy->locale);
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(shown.text, sizeof shown.text, "%.*g", digits, number);
        if (strtod(shown.text, NULL) == number)
            break;
    }
    uselocale(users);
    return shown;
}
