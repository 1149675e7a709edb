/* CSV in all its forms, record by record. */
#ifndef NGI_CSV_READER_H
#define NGI_CSV_READER_H

#include "data/input.h"
#include "data/selection.h"

/* One cell of a record. */
typedef struct ngi_csv_cell {
    size_t start, length; /* in the text of the record */
    ngi_cell kind;
    double number;
} ngi_csv_cell;

/* Takes the cells of a record without missing values, one for each column that
 * is read. */
typedef ng_status (*ngi_csv_take)(void *user, const ngi_csv_cell *cells,
                                  const char *text);

/* The input is at its first byte. A selection that is complete is kept. */
typedef struct ngi_csv_reading {
    ng_ctx *ctx;
    ngi_input *input;
    const ng_frame_options *options;
    ngi_selection *selection;
    ngi_csv_take take; /* NULL: the columns of the selection take the cells */
    void *user;
    size_t records;  /* after the header */
    size_t *dropped; /* those with missing values, ours; not where taken */
    size_t drops, drop_capacity;
} ngi_csv_reading;

/* Read the input once, or, without `take`, as often as it takes to know what
 * the columns are. The thread is in the C locale. */
ng_status ngi_csv_read(ngi_csv_reading *reading);

#endif
