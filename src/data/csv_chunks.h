/* The lines of a text in chunks, handed to all workers at once. */
#ifndef NGI_CSV_CHUNKS_H
#define NGI_CSV_CHUNKS_H

#include "data/input.h"

#include <pthread.h>

/* Whole lines, each with its line feed; NGI_LINES_PADDING bytes after `end` may
 * be read. False: nobody need go on. */
typedef bool (*ngi_chunks_visit)(void *user, size_t worker, size_t chunk,
                                 const char *text, const char *end);

typedef struct ngi_chunks_worker ngi_chunks_worker;

typedef struct ngi_chunks {
    ng_ctx *ctx;
    ngi_input *input;
    ngi_span span;
    bool packed;   /* chunks come one after the other, from `input` */
    uint64_t body; /* where the lines after the header begin */
    uint64_t end;  /* of the last line that is not blank */
    size_t size;   /* about that of a chunk, in bytes */
    size_t count;  /* of chunks; where packed, after the first pass */
    size_t workers;
    ngi_chunks_worker *worker;
    pthread_mutex_t lock; /* around allocations of workers */
    char *header;         /* the first line, with its line feed */
    size_t header_size;
    char *carry; /* where packed, what follows the last chunk's lines */
    size_t carried, carry_capacity;
    atomic_size_t next;
    atomic_bool stop;
    ngi_progress *progress; /* NULL if nobody asks */
} ngi_chunks;

/* How to go through the chunks. */
typedef struct ngi_chunks_walk {
    bool in_turn; /* chunk i goes to worker i mod workers, always */
    size_t limit; /* of chunks; 0 for all */
    /* NULL, or whether a chunk needs to be read. */
    bool (*wanted)(void *user, size_t chunk);
    /* NULL, or makes ready for that many chunks; called by no worker. */
    ng_status (*expect)(void *user, size_t chunks);
    ngi_chunks_visit visit;
    void *user;
} ngi_chunks_walk;

/* `size` 0 is a good size. *plain is false if this is no matter for chunks:
 * nothing has gone wrong, but the text is odd, short or a pipe, or is packed
 * and may not be. */
ng_status ngi_chunks_create(ng_ctx *ctx, ngi_input *input, size_t size,
                            bool may_be_packed, ngi_chunks *out, bool *plain);
void ngi_chunks_clear(ngi_chunks *chunks);

/* *whole is false if a visit said so or bytes could not be had; NG_ENOMEM,
 * NG_ECANCELLED, and NG_EDATA for damaged gzip. */
ng_status ngi_chunks_each(ngi_chunks *chunks, const ngi_chunks_walk *walk,
                          bool *whole);

/* The number of lines of every chunk, not for what is packed. */
ng_status ngi_chunks_count(ngi_chunks *chunks, size_t *lines, bool *whole);

#endif
