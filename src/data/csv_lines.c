#include "data/csv_lines.h"

#include <string.h>

/* ---- Cells ---- */

/* What ends a cell, and what is odd in it, comes no later than the comma. */
static inline const char *skip_text(const char *at) {
    for (;; at++) {
        char c = *at;
        if ((unsigned char)c > ',')
            continue;
        if (c == ',' || c == '\n' || c == '\r' || c == '"' || c == '\0')
            return at;
    }
}

bool ngi_lines_find_cell(const char *at, const char **text, size_t *length,
                         const char **end) {
    bool quoted = *at == '"';
    *text = at += quoted;
    at = skip_text(at);
    while (quoted && *at == ',')
        at = skip_text(at + 1);
    *length = (size_t)(at - *text);
    if (quoted != (*at == '"'))
        return false;
    at += quoted;
    at += at[0] == '\r' && at[1] == '\n';
    *end = at;
    return *at == ',' || *at == '\n';
}

/* A cell that cannot be read as a plain number in passing. */
static const char *wait_cell(ngi_lines *l, const char *at, size_t place,
                             double *number, bool *missing) {
    ngi_lines_cell *c = &l->cell[l->cells];
    const char *end;
    if (!ngi_lines_find_cell(at, &c->text, &c->length, &end))
        return NULL;
    /* strtod stops at whatever ends a cell. */
    c->kind = ngi_cell_classify(c->text, c->length, number);
    c->place = place;
    if (c->kind == NGI_CELL_MISSING)
        *missing = true;
    else if (c->kind != NGI_CELL_NUMBER || l->factor[place])
        l->cells++;
    return end;
}

/* The end of the cell, or NULL if it is odd. */
static inline const char *read_cell(ngi_lines *l, const char *at, size_t place,
                                    double *row, bool *missing) {
    if (place == SIZE_MAX) {
        const char *text, *end;
        size_t length;
        return ngi_lines_find_cell(at, &text, &length, &end) ? end : NULL;
    }
    row[place] = 0;
    if (l->factor[place])
        return wait_cell(l, at, place, &row[place], missing);
    const char *number = at;
    while (*number == ' ')
        number++;
    const char *end = ngi_decimal_read(l->powers, number, &row[place]);
    if (end && (*end == ',' || *end == '\n'))
        return end;
    if (end && end[0] == '\r' && end[1] == '\n')
        return end + 1;
    return wait_cell(l, at, place, &row[place], missing);
}

/* ---- Levels ---- */

static bool fail(ngi_lines *l, ng_status status) {
    l->status = status;
    return false;
}

static bool find_level(ngi_lines *l, const ngi_lines_cell *c, double *value) {
    ngi_strings *levels = &l->levels[c->place];
    size_t level = ngi_strings_find(levels, c->text, c->length);
    if (level == SIZE_MAX && l->final)
        return false;
    if (level == SIZE_MAX) {
        pthread_mutex_lock(l->lock);
        ng_status status =
            ngi_strings_intern(levels, c->text, c->length, &level);
        pthread_mutex_unlock(l->lock);
        if (status != NG_OK)
            return fail(l, status);
    }
    *value = (double)level;
    return true;
}

/* The cells that waited, now that their row is kept. */
static bool take_cells(ngi_lines *l, double *row) {
    for (size_t i = 0; i < l->cells; i++) {
        const ngi_lines_cell *c = &l->cell[i];
        ngi_lines_note *note = &l->note[c->place];
        if (c->kind == NGI_CELL_TEXT && note->texts++ == 0) {
            note->chunk = l->chunk;
            note->line = l->line;
            note->shown = ngi_show(c->text, c->length);
        }
        note->infinite = note->infinite || c->kind == NGI_CELL_INFINITE;
        if (l->factor[c->place]) {
            if (!find_level(l, c, &row[c->place]))
                return false;
        } else if (l->final) {
            return false;
        }
    }
    return true;
}

/* ---- Lines ---- */

static bool drop_line(ngi_lines *l) {
    if (!l->drop_missing)
        return false;
    if (!l->final) {
        void *block = l->drop;
        pthread_mutex_lock(l->lock);
        ng_status status = ngi_reserve(l->ctx, &block, &l->drop_capacity,
                                       l->drops + 1, sizeof *l->drop);
        pthread_mutex_unlock(l->lock);
        l->drop = block;
        if (status != NG_OK)
            return fail(l, status);
        l->drop[l->drops] = (ngi_lines_drop){l->chunk, l->line};
    }
    l->drops++;
    return true;
}

/* One line; where the next one begins, or NULL. */
static const char *read_line(ngi_lines *l, const char *at, double *row,
                             bool *missing) {
    const ngi_selection *s = l->selection;
    size_t fields = s->names.count;
    if (*at == '\n' || *at == '\r')
        return NULL;
    l->cells = 0;
    for (size_t j = 0; j < fields; j++) {
        at = read_cell(l, at, s->place[j], row, missing);
        if (!at || *at != (j + 1 < fields ? ',' : '\n'))
            return NULL;
        at++;
    }
    return at;
}

static void deal_out(const ngi_lines *l, size_t rows, double *const *to,
                     size_t first) {
    size_t columns = l->selection->columns;
    for (size_t j = 0; j < columns; j++) {
        const double *from = l->rows + j;
        double *column = to[j] + first;
        for (size_t i = 0; i < rows; i++)
            column[i] = from[i * columns];
    }
}

static const char *stop_odd(ngi_lines *l) {
    l->odd = l->status == NG_OK;
    return NULL;
}

const char *ngi_lines_parse(ngi_lines *l, const char *text, const char *end,
                            size_t most, double *const *to, size_t *kept) {
    size_t columns = l->selection->columns, done = 0, waiting = 0;
    *kept = 0;
    for (; text < end && done + waiting < most; l->line++) {
        double *row = l->rows + waiting * columns;
        bool missing = false;
        text = read_line(l, text, row, &missing);
        if (!text || (missing && !drop_line(l)))
            return stop_odd(l);
        if (missing)
            continue;
        if (l->cells && !take_cells(l, row))
            return stop_odd(l);
        if (++waiting < l->room)
            continue;
        if (to)
            deal_out(l, waiting, to, done);
        done += waiting;
        waiting = 0;
    }
    if (to)
        deal_out(l, waiting, to, done);
    *kept = done + waiting;
    return text;
}

/* ---- Memory ---- */

/* Rows that wait stay in the fastest cache, if they are not very long. */
static size_t choose_room(size_t columns) {
    enum { VALUES = 2048, FEWEST = 8, MOST = 64 };
    size_t room = VALUES / (columns ? columns : 1);
    return room < FEWEST ? FEWEST : room > MOST ? MOST : room;
}

ng_status ngi_lines_create(const ngi_lines *shared, ngi_lines *out) {
    size_t columns = shared->selection->columns;
    *out = *shared;
    out->room = choose_room(columns);
    out->rows = ngi_alloc(out->ctx, out->room, columns * sizeof *out->rows);
    out->cell = ngi_alloc(out->ctx, columns + 1, sizeof *out->cell);
    out->note = ngi_alloc(out->ctx, columns, sizeof *out->note);
    if (!out->final)
        out->levels = ngi_alloc(out->ctx, columns, sizeof *out->levels);
    if (!out->rows || !out->cell || !out->note || !out->levels) {
        ngi_lines_clear(out);
        return NG_ENOMEM;
    }
    for (size_t j = 0; !out->final && j < columns; j++)
        ngi_strings_init(&out->levels[j], out->ctx);
    return NG_OK;
}

void ngi_lines_clear(ngi_lines *l) {
    if (!l->ctx)
        return;
    for (size_t j = 0; !l->final && l->levels && j < l->selection->columns; j++)
        ngi_strings_clear(&l->levels[j]);
    if (!l->final)
        ngi_free(l->ctx, l->levels);
    ngi_free(l->ctx, l->rows);
    ngi_free(l->ctx, l->cell);
    ngi_free(l->ctx, l->note);
    ngi_free(l->ctx, l->drop);
    memset(l, 0, sizeof *l);
}
