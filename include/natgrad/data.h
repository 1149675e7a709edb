/* Tables of data read from CSV, and files written so that nothing on disk is
 * ever lost or half-written. */
#ifndef NATGRAD_DATA_H
#define NATGRAD_DATA_H

#include "natgrad/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One column of a frame. A numeric column has finite values; a factor has
 * levels, and its values are level indices 0, 1, ... as doubles. */
typedef struct ng_column {
    const char *name;
    const double *values;     /* rows of the frame */
    size_t levels;            /* 0 for a numeric column */
    const char *const *level; /* `levels` names, in order; the first is the
                                 reference */
} ng_column;

typedef struct ng_frame ng_frame;

/* Which columns to read, and how. Lists are borrowed for the call and may be
 * NULL when their count is 0. A name that the file lacks is NG_EDATA, except
 * in `factors` and `optional`. */
typedef struct ng_frame_options {
    const char *const *include; /* read only these; all if the count is 0 */
    size_t includes;
    const char *const *exclude; /* read all but these */
    size_t excludes;
    const char *const *factors; /* levels even if all values look numeric */
    size_t factor_count;
    const char *const *numeric; /* a non-number here is an error */
    size_t numerics;
    const char *const *optional; /* read if present (on top of `include`) */
    size_t optionals;
    int drop_missing;  /* leave out rows with a missing value */
    const char *spool; /* folder of a temporary file; NULL: /tmp */
} ng_frame_options;

/* Reads CSV as RFC 4180 has it (quotes, embedded newlines, CRLF or LF), plain
 * or gzipped, from `path` or, for "-", from standard input. The first record
 * names the columns. A column all of whose values are finite decimal or
 * hexadecimal floating-point numbers (strtod in the C locale) is numeric; any
 * other, and those in `factors`, becomes a factor, its levels sorted by
 * numeric value if all of them look numeric, else by bytes. A value is missing
 * if it is empty, "NA", or "nan" in any case. Only the columns read can have
 * missing or malformed values. Where a column is a factor only because less
 * than half of its values are not numbers, a warning names the first of them.
 *
 * Errors are NG_EDATA with one message that names the file, and the row
 * (records after the header, from 1) and column where there is one: no such
 * file, empty file, header only, duplicate or empty column name, ragged row,
 * quote never closed, NUL byte, missing value, infinite value, non-number in a
 * column of `numeric`, truncated or damaged gzip. Memory: 8 bytes a value, and
 * the text of the columns while it is read. */
NG_API NG_MUST_CHECK ng_status
ng_frame_read_csv(ng_ctx *ctx, const char *path,
                  const ng_frame_options *options, ng_frame **out);

/* A frame of numeric columns over arrays of the caller's (copied). */
NG_API NG_MUST_CHECK ng_status ng_frame_from_arrays(ng_ctx *ctx, size_t rows,
                                                    size_t columns,
                                                    const char *const *names,
                                                    const double *const *values,
                                                    ng_frame **out);

NG_API void ng_frame_destroy(ng_frame **frame);
NG_API size_t ng_frame_rows(const ng_frame *frame);
NG_API size_t ng_frame_columns(const ng_frame *frame);
/* Rows left out because of missing values. */
NG_API size_t ng_frame_dropped(const ng_frame *frame);
/* The path it was read from, for messages; "-" becomes "standard input". */
NG_API const char *ng_frame_source(const ng_frame *frame);
/* The record number in the file (from 1) of frame row `row` (from 0); they
 * differ where rows were dropped. */
NG_API size_t ng_frame_record(const ng_frame *frame, size_t row);
/* Column by position or by name; NULL if there is none. Borrowed. */
NG_API const ng_column *ng_frame_column(const ng_frame *frame, size_t i);
NG_API const ng_column *ng_frame_find(const ng_frame *frame, const char *name);

/* The same table read in blocks of rows, as often as is needed, for data
 * larger than memory: CSV as above, or a two-dimensional NPY whose columns are
 * named V1, V2, ... Opening is one pass, which finds the columns' types and
 * levels; standard input is spooled to a temporary file that has no name. A
 * pass over a compressed file unpacks it again. Options and errors as above;
 * rows with missing values are left out in every pass alike. Memory: a few
 * megabytes a worker. */
typedef struct ng_stream ng_stream;
NG_API NG_MUST_CHECK ng_status ng_stream_open(ng_ctx *ctx, const char *path,
                                              const ng_frame_options *options,
                                              ng_stream **out);
NG_API void ng_stream_close(ng_stream **stream);
NG_API size_t ng_stream_rows(const ng_stream *stream);
NG_API size_t ng_stream_columns(const ng_stream *stream);
NG_API size_t ng_stream_dropped(const ng_stream *stream);
/* `values` is NULL. */
NG_API const ng_column *ng_stream_column(const ng_stream *stream, size_t i);
/* Bytes read and to be read in the pass at hand or the last one, and passes
 * begun: for progress. May be called from a monitor or another thread. */
NG_API void ng_stream_progress(const ng_stream *stream, double *done,
                               double *total, size_t *passes);

/* A frame over columns of the caller's, which are not copied and must outlive
 * it. */
NG_API NG_MUST_CHECK ng_status ng_frame_of_columns(ng_ctx *ctx, size_t rows,
                                                   size_t columns,
                                                   const char *const *names,
                                                   const double *const *values,
                                                   ng_frame **out);

/* A frame of the columns of a two-dimensional NPY file, named V1, V2, ... */
NG_API NG_MUST_CHECK ng_status
ng_frame_read_npy(ng_ctx *ctx, const char *path,
                  const ng_frame_options *options, ng_frame **out);

/* A text file that appears under its name only when it is complete: written
 * to a temporary name in the same directory, flushed to disk, renamed. The
 * path "-" is standard output, written directly. */
typedef struct ng_writer ng_writer;
NG_API NG_MUST_CHECK ng_status ng_writer_open(ng_ctx *ctx, const char *path,
                                              ng_writer **out);
/* Buffers; trouble is remembered and reported by ng_writer_commit. */
__attribute__((format(printf, 2, 3))) NG_API void
ng_writer_print(ng_writer *writer, const char *format, ...);
NG_API void ng_writer_bytes(ng_writer *writer, const void *data, size_t size);
/* Finishes the file and destroys the writer. NG_EWRITE (disk full, no
 * permission, ...) leaves the old file as it was. */
NG_API NG_MUST_CHECK ng_status ng_writer_commit(ng_writer **writer);
/* Gives up: the old file stays. Accepts NULL. */
NG_API void ng_writer_abort(ng_writer **writer);

#ifdef __cplusplus
}
#endif
#endif
