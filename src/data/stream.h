/* The inside of a stream, for those who make one. */
#ifndef NGI_STREAM_H
#define NGI_STREAM_H

#include "data/frame.h"
#include "data/input.h"
#include "data/table.h"
#include "data/text.h"

typedef struct ngi_stream_ops {
    /* As ngi_table's. */
    ng_status (*each)(ng_stream *stream, size_t block_rows, size_t stride,
                      ngi_table_visit visit, void *user);
    void (*close)(ng_stream *stream);
} ngi_stream_ops;

struct ng_stream {
    ng_ctx *ctx;
    ng_stream *self; /* passes change what is else only looked at */
    ngi_input *input;
    uint64_t stamp;      /* of the input when it was opened */
    ng_frame *frame;     /* rows, columns, drops; no values */
    ngi_strings *levels; /* of each column, in their order */
    const ngi_stream_ops *ops;
    void *state; /* of the ops, freed by `close` */
    ngi_progress progress;
    atomic_size_t passes;
    /* Blocks to fill, one for each worker. */
    size_t block_rows;
    double *block;
    double **column; /* of each worker, of each column */
};

/* Fill in `frame`, `ops` and `state`. *done is false if the input is no matter
 * for these. `chunk` 0 is a good size. */
ng_status ngi_stream_open_plain(ng_stream *stream,
                                const ng_frame_options *options, size_t chunk,
                                bool *done);
ng_status ngi_stream_open_careful(ng_stream *stream,
                                  const ng_frame_options *options);
ng_status ngi_stream_open_npy(ng_stream *stream,
                              const ng_frame_options *options);

/* Make blocks of so many rows, if there are none. */
ng_status ngi_stream_make_blocks(ng_stream *stream, size_t block_rows);
ng_status ngi_stream_fail_changed(const ng_stream *stream);

/* ng_stream_open from memory, for tests: by the careful reader, or, if `chunk`
 * is not 0, by the one for plain text, which gives no stream if it is not. */
ng_status ngi_stream_parse_by(ng_ctx *ctx, const char *source, const void *data,
                              size_t size, const ng_frame_options *options,
                              size_t chunk, ng_stream **out);

#endif
