/* Plain CSV at speed: lines without oddities, parsed by one worker. Odd is all
 * that the careful reader (csv_reader.h) might have a word to say about:
 * doubled quotes and such around line ends, NUL, a lone CR, too few or too
 * many fields, a missing value that is not to be dropped. */
#ifndef NGI_CSV_LINES_H
#define NGI_CSV_LINES_H

#include "data/decimal.h"
#include "data/selection.h"

#include <pthread.h>

/* So many bytes after the last line must be readable. */
enum { NGI_LINES_PADDING = 16 };

/* What was found in a column, in the rows that are kept. */
typedef struct ngi_lines_note {
    size_t texts;       /* cells that are no numbers */
    size_t chunk, line; /* of the first of them */
    ngi_shown shown;
    bool infinite;
} ngi_lines_note;

/* A line that is not kept. */
typedef struct ngi_lines_drop {
    size_t chunk, line;
} ngi_lines_drop;

/* A cell that waits until all of its line is known. */
typedef struct ngi_lines_cell {
    size_t place;
    ngi_cell kind;
    const char *text;
    size_t length;
} ngi_lines_cell;

typedef struct ngi_lines {
    ng_ctx *ctx;
    const ngi_powers *powers;
    const ngi_selection *selection;
    bool drop_missing;
    bool final; /* types and levels are known: anything else is odd */
    pthread_mutex_t *lock; /* around allocations, which workers may not make at
                              the same time */
    /* Of each column that is read. */
    ngi_strings *levels; /* this worker's, or, where final, everybody's */
    const bool *factor;
    ngi_lines_note *note;
    size_t chunk, line; /* of the next line; the caller sets them */
    ngi_lines_drop *drop;
    size_t drops, drop_capacity; /* only counted where final */
    bool odd;
    ng_status status; /* NG_ENOMEM */
    ngi_lines_cell *cell;
    size_t cells;
    double *rows; /* a few, before they are dealt out to the columns */
    size_t room;
} ngi_lines;

/* `shared` and what it points to is borrowed; allocates levels unless final. */
ng_status ngi_lines_create(const ngi_lines *shared, ngi_lines *out);
void ngi_lines_clear(ngi_lines *lines);

/* Parse whole lines until `most` rows are kept or the text ends. Their values
 * go to to[place][0], to[place][1], ... unless `to` is NULL. Returns where the
 * next line begins, or NULL: look at `odd` and `status`. */
const char *ngi_lines_parse(ngi_lines *lines, const char *text, const char *end,
                            size_t most, double *const *to, size_t *kept);

/* The text of a cell, without its quotes. False if it is odd. */
bool ngi_lines_find_cell(const char *at, const char **text, size_t *length,
                         const char **end);

#endif
