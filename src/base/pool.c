/* A pool of worker threads that sleep between tasks: they block on a condition
 * variable and never spin, so that two pools on one machine do not fight. */
#include "base/ctx.h"

#include <pthread.h>

typedef struct worker {
    ngi_pool *pool;
    size_t index;
    pthread_t thread;
} worker;

struct ngi_pool {
    size_t size;
    size_t started;
    worker *workers; /* size - 1 of them; index 0 is the caller */
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    unsigned long generation; /* of the task at hand */
    size_t pending;
    bool stop;
    void (*task)(void *user, size_t worker);
    void *user;
};

static void *worker_main(void *argument) {
    worker *self = argument;
    ngi_pool *pool = self->pool;
    unsigned long seen = 0;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->stop && pool->generation == seen)
            pthread_cond_wait(&pool->wake, &pool->lock);
        if (pool->stop)
            break;
        seen = pool->generation;
        pthread_mutex_unlock(&pool->lock);
        pool->task(pool->user, self->index);
        pthread_mutex_lock(&pool->lock);
        if (--pool->pending == 0)
            pthread_cond_signal(&pool->done);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

ng_status ngi_pool_create(ng_ctx *ctx, size_t size, ngi_pool **out) {
    ngi_pool *pool = ngi_alloc(ctx, 1, sizeof *pool);
    if (!pool)
        return NG_ENOMEM;
    pool->size = size ? size : 1;
    pool->workers = ngi_alloc(ctx, pool->size, sizeof *pool->workers);
    if (!pool->workers) {
        ngi_free(ctx, pool);
        return NG_ENOMEM;
    }
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    for (size_t i = 0; i + 1 < pool->size; i++) {
        worker *w = &pool->workers[i];
        w->pool = pool;
        w->index = i + 1;
        if (pthread_create(&w->thread, NULL, worker_main, w) != 0) {
            ngi_pool_destroy(ctx, &pool);
            return ngi_fail(ctx, NG_ENOMEM, "cannot start %zu threads", size);
        }
        pool->started++;
    }
    *out = pool;
    return NG_OK;
}

void ngi_pool_destroy(ng_ctx *ctx, ngi_pool **pool_pointer) {
    ngi_pool *pool = *pool_pointer;
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < pool->started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    ngi_free(ctx, pool->workers);
    ngi_free(ctx, pool);
    *pool_pointer = NULL;
}

size_t ngi_pool_size(const ngi_pool *pool) {
    return pool->size;
}

void ngi_pool_run(ngi_pool *pool, void (*task)(void *user, size_t worker),
                  void *user) {
    if (pool->size > 1) {
        pthread_mutex_lock(&pool->lock);
        pool->task = task;
        pool->user = user;
        pool->pending = pool->size - 1;
        pool->generation++;
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->lock);
    }
    task(user, 0);
    if (pool->size > 1) {
        pthread_mutex_lock(&pool->lock);
        while (pool->pending)
            pthread_cond_wait(&pool->done, &pool->lock);
        pthread_mutex_unlock(&pool->lock);
    }
}
