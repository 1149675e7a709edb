/* CSV from memory, for tests that feed it to the reader. */
#ifndef NGI_CSV_H
#define NGI_CSV_H

#include "base/base.h"
#include "natgrad/data.h"

/* As ng_frame_read_csv, from bytes; `source` stands for the path. */
ng_status ngi_frame_parse_csv(ng_ctx *ctx, const char *source, const void *data,
                              size_t size, const ng_frame_options *options,
                              ng_frame **out);

#endif
