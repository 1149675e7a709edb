/* The bytes of a file, of standard input or of a block of memory, unpacked if
 * they are gzipped. They can be read more than once. */
#ifndef NGI_INPUT_H
#define NGI_INPUT_H

#include "base/base.h"

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

/* All bytes of a file as they are, gzip or not. */
ng_status ngi_input_slurp(ng_ctx *ctx, const char *path, char **data,
                          size_t *size);

#endif
