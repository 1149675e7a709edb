/* The first pass over plain CSV: what its columns are, how many rows it has,
 * and, for a frame, the values. */
#ifndef NGI_CSV_PLAIN_H
#define NGI_CSV_PLAIN_H

#include "data/csv_chunks.h"
#include "data/csv_lines.h"
#include "data/frame.h"

/* The lines of a chunk, and how many of them are kept. */
typedef struct ngi_csv_part {
    size_t lines, kept;
    size_t owner; /* the worker that read it last */
} ngi_csv_part;

typedef struct ngi_csv_plain {
    ng_ctx *ctx;
    ngi_chunks chunks;
    ngi_selection selection;
    ngi_powers powers;
    bool drop_missing, want_values;
    bool *factor; /* of each column that is read */
    ngi_csv_part *part;
    size_t parts, part_capacity;
    size_t *first;    /* where values are wanted, the lines before each chunk */
    ngi_lines *lines; /* of each worker */
    double **to;      /* of each worker, of each column */
} ngi_csv_plain;

/* Reads the header. *plain is false, and nothing is left to clear, if the
 * careful reader must have a look. */
ng_status ngi_csv_plain_open(ng_ctx *ctx, ngi_input *input,
                             const ng_frame_options *options, size_t chunk,
                             bool want_values, ngi_csv_plain *out, bool *plain);
void ngi_csv_plain_clear(ngi_csv_plain *plain);

/* Read all into a frame, whose columns have values if they are wanted. *plain
 * is false, and there is no frame, as above. */
ng_status ngi_csv_plain_read(ngi_csv_plain *plain, ng_frame **out,
                             bool *is_plain);

#endif
