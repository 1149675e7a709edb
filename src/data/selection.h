/* The columns of a file, and which of them are read as what. */
#ifndef NGI_SELECTION_H
#define NGI_SELECTION_H

#include "data/column.h"
#include "data/frame.h"
#include "data/text.h"

typedef struct ngi_selection {
    ng_ctx *ctx;
    const char *source;         /* borrowed */
    ngi_strings names;          /* of all columns of the file */
    size_t *place;              /* of each in `column`; SIZE_MAX if not read */
    ngi_column_builder *column; /* those that are read */
    size_t columns;
    bool no_values; /* only types and levels are wanted */
    bool complete;  /* ngi_selection_make was here */
} ngi_selection;

void ngi_selection_init(ngi_selection *selection, ng_ctx *ctx,
                        const char *source);
void ngi_selection_clear(ngi_selection *selection);

/* One more column of the file. */
ng_status ngi_selection_add(ngi_selection *selection, const char *name,
                            size_t length);

/* All have been added: make the columns that the options ask for. */
ng_status ngi_selection_make(ngi_selection *selection,
                             const ng_frame_options *options);

/* Forget the cells of all columns; false if no column was mixed. */
bool ngi_selection_restart(ngi_selection *selection);

/* Hand the columns over to a frame. */
ng_status ngi_selection_finish(ngi_selection *selection, ng_frame **out);

#endif
