/* Two-dimensional NPY files as tables of rows, read in blocks. */
#ifndef NGI_NPY_ROWS_H
#define NGI_NPY_ROWS_H

#include "data/array.h"
#include "data/selection.h"

#include <locale.h>

typedef struct ngi_npy_worker ngi_npy_worker;

typedef struct ngi_npy {
    ng_ctx *ctx;
    ngi_input *input;
    const char *source;
    ngi_selection selection;
    bool drop_missing;
    ngi_span span;
    bool packed; /* blocks come in their order, from `input` */
    ngi_element element;
    bool fortran;
    uint64_t offset; /* of the numbers */
    size_t rows, columns;
    size_t piece;    /* bytes that are read at a time */
    locale_t locale; /* in which numbers have a decimal point */
    size_t workers;
    ngi_npy_worker *worker;
    ngi_progress *progress; /* NULL if nobody asks */
} ngi_npy;

/* The first value that cannot be had, by row and then by column. */
typedef struct ngi_npy_problem {
    size_t row, column; /* of the file; `row` SIZE_MAX if there is none */
    const char *problem, *expected;
    char found[32];
} ngi_npy_problem;

/* Rows `first`, ... of the file, in the columns that are read. A NaN is a
 * missing value. False: nobody need go on. */
typedef bool (*ngi_npy_visit)(void *user, size_t worker, size_t first,
                              size_t rows, double *const *column);

/* Reads the header; the file is known to have all its numbers. */
ng_status ngi_npy_open(ng_ctx *ctx, ngi_input *input,
                       const ng_frame_options *options, bool values,
                       ngi_npy *out);
void ngi_npy_clear(ngi_npy *npy);

/* Visit one in `stride` blocks; `column` is of each worker, of each column
 * that is read. *whole is false if a visit said so, or bytes could not be
 * had. */
ng_status ngi_npy_each(ngi_npy *npy, size_t block_rows, size_t stride,
                       double *const *column, ngi_npy_visit visit, void *user,
                       bool *whole);

/* A visit may find values that are no finite numbers. */
void ngi_npy_note(ngi_npy *npy, size_t worker, size_t row, size_t place,
                  double value);
/* The first of all that were noted, in words. NG_OK if there was none. */
ng_status ngi_npy_judge(const ngi_npy *npy);

/* As text that reads back as the number: the name of a level. */
typedef struct ngi_number_text {
    char text[32];
} ngi_number_text;
ngi_number_text ngi_npy_name_level(const ngi_npy *npy, double number);

/* A frame of all rows, with values if the selection wants them. */
ng_status ngi_npy_read(ngi_npy *npy, ng_frame **out);

#endif
