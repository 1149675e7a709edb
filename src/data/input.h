/* The bytes of a file, of standard input or of a block of memory, unpacked if
 * they are gzipped. They can be read more than once. */
#ifndef NGI_INPUT_H
#define NGI_INPUT_H

#include "base/base.h"

#include <stdatomic.h>

typedef struct ngi_input ngi_input;

/* "-" is standard input. What cannot be repositioned (a pipe) is kept in
 * memory as it is read, so that it can be read again. */
ng_status ngi_input_open(ng_ctx *ctx, const char *path, ngi_input **out);
/* `data` is borrowed. */
ng_status ngi_input_open_memory(ng_ctx *ctx, const char *source,
                                const void *data, size_t size, ngi_input **out);
/* For messages. */
const char *ngi_input_source(const ngi_input *input);

/* Fills the buffer; *got < size only at the end of the data. */
ng_status ngi_input_read(ngi_input *input, void *buffer, size_t size,
                         size_t *got);
/* Back to the first byte. */
ng_status ngi_input_rewind(ngi_input *input);
void ngi_input_close(ngi_input **input);

/* How many bytes have been read since the first. */
uint64_t ngi_input_told(const ngi_input *input);
/* How much of what is stored has been read, and how much there is (0 if that
 * is not known). They differ from the above where it is packed. */
void ngi_input_progress(const ngi_input *input, uint64_t *done,
                        uint64_t *total);

/* How far a pass over a file has come; other threads may look at it. */
typedef struct ngi_progress {
    _Atomic uint64_t done, total; /* bytes, as stored */
} ngi_progress;

/* Whether it can be read again without having been kept in memory. */
bool ngi_input_repeats(const ngi_input *input);

/* Put what cannot be repositioned into a temporary file without a name in a
 * folder (NULL: /tmp), and
 * read that from now on. */
ng_status ngi_input_spool(ngi_input *input, const char *folder);

/* Bytes that can be had in any order. */
typedef struct ngi_span {
    int fd; /* -1 for memory */
    int64_t start;
    const char *memory;
    uint64_t size;
} ngi_span;

/* False for a pipe, for what is packed, and for what has no bytes. Borrows the
 * input, whose own position does not change. */
bool ngi_input_span(const ngi_input *input, ngi_span *out);
/* From several threads at once, if need be. False if these bytes could not be
 * had. */
bool ngi_span_read(const ngi_span *span, uint64_t offset, void *buffer,
                   size_t size);

/* A number that tells when the file is no longer what it was. */
uint64_t ngi_input_stamp(const ngi_input *input);

/* All bytes of a file as they are, gzip or not. */
ng_status ngi_input_slurp(ng_ctx *ctx, const char *path, char **data,
                          size_t *size);

#endif
