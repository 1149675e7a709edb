/* The inside of a context and its thread pool; only src/base includes this. */
#ifndef NGI_CTX_H
#define NGI_CTX_H

#include "base/base.h"

#include <signal.h>

enum { NGI_MESSAGE_SIZE = 1024 };

typedef struct ngi_pool ngi_pool;

struct ng_ctx {
    ng_allocator allocator;
    void (*warn)(void *user, const char *message);
    void *user;
    ngi_pool *pool;
    volatile sig_atomic_t cancelled;
    char error[NGI_MESSAGE_SIZE];
};

/* A pool of size - 1 threads beside the caller's own. */
ng_status ngi_pool_create(ng_ctx *ctx, size_t size, ngi_pool **out);
void ngi_pool_destroy(ng_ctx *ctx, ngi_pool **pool);
size_t ngi_pool_size(const ngi_pool *pool);
void ngi_pool_run(ngi_pool *pool, void (*task)(void *user, size_t worker),
                  void *user);

#endif
