/* CSV from memory, for tests that feed it to the readers. */
#ifndef NGI_CSV_H
#define NGI_CSV_H

#include "base/base.h"
#include "natgrad/data.h"

/* As ng_frame_read_csv, from bytes; `source` stands for the path. */
ng_status ngi_frame_parse_csv(ng_ctx *ctx, const char *source, const void *data,
                              size_t size, const ng_frame_options *options,
                              ng_frame **out);

/* By one reader alone: the careful one, or, if `chunk` is not 0, the one for
 * plain text in chunks of so many bytes, which gives no frame where the text
 * is not plain. */
ng_status ngi_frame_parse_csv_by(ng_ctx *ctx, const char *source,
                                 const void *data, size_t size,
                                 const ng_frame_options *options, size_t chunk,
                                 ng_frame **out);

#endif
