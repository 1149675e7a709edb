/* A column while its cells arrive: whether it is numeric or a factor turns
 * out on the way. */
#ifndef NGI_COLUMN_H
#define NGI_COLUMN_H

#include "data/frame.h"
#include "data/text.h"

/* The first cell of some kind. */
typedef struct ngi_finding {
    size_t record; /* from 1; 0 if there was none */
    ngi_shown shown;
} ngi_finding;

typedef struct ngi_column_builder {
    ng_ctx *ctx;
    const char *source, *name; /* borrowed */
    bool wanted_factor;        /* levels whatever the cells look like */
    bool wanted_numeric;       /* a cell that is no number is an error */
    bool no_values;            /* only types and levels are wanted */
    bool factor;               /* cells are turned into levels */
    bool mixed;     /* numbers, then text: to be read again as a factor, for the
                       text of the numbers was not kept */
    double *values; /* numbers, or level numbers in order of arrival */
    size_t count, capacity;
    ngi_strings levels;
    size_t texts; /* cells that are no numbers */
    ngi_finding first_text, first_infinite;
} ngi_column_builder;

void ngi_column_init(ngi_column_builder *column, ng_ctx *ctx,
                     const char *source, const char *name);
void ngi_column_clear(ngi_column_builder *column);

/* Forget the cells; a mixed column is a factor from here on. */
void ngi_column_restart(ngi_column_builder *column);

/* One more cell, which is not missing. */
ng_status ngi_column_add(ngi_column_builder *column, size_t record,
                         ngi_cell kind, double number, const char *text,
                         size_t length);

/* Hand the values and levels over to a column of a frame. */
ng_status ngi_column_finish(ngi_column_builder *column, ngi_frame_column *out);

/* FILE: row 7, column "age": PROBLEMexpected EXPECTED, found "abc". */
ng_status ngi_column_fail(const ngi_column_builder *column, size_t record,
                          const char *problem, const char *expected,
                          const char *found);

#endif
