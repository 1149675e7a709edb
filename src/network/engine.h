/* A network with its numbers, and the workers' passes through it. */
#ifndef NGI_ENGINE_H
#define NGI_ENGINE_H

#include "network/engine_ops.h"
#include "network/pass.h"

typedef struct engine {
    ng_ctx *ctx;
    const ngi_architecture *architecture;
    size_t dim;
    real *theta;
    size_t workers;
    size_t capacity, tangent_capacity; /* examples of each worker's pass */
    pass **pass;
} engine;

ng_status NR(engine_create)(const ngi_architecture *architecture, engine **out);
void NR(engine_destroy)(engine **e);
/* Passes of at least these capacities. After an error the old ones stay. */
ng_status NR(engine_reserve)(engine *e, size_t capacity,
                             size_t tangent_capacity);

/* The share [*first, *end) that worker w of `workers` has of `count` things. */
static inline void engine_share(size_t count, size_t w, size_t workers,
                                size_t *first, size_t *end) {
    *first = count * w / workers;
    *end = count * (w + 1) / workers;
}

#endif
