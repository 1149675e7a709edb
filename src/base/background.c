#include "base/background.h"

#include <pthread.h>

struct ngi_background {
    ng_ctx *ctx;
    bool threaded, busy, stop;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
    void (*job)(void *user);
    void *user;
};

static void *background_main(void *argument) {
    ngi_background *b = argument;
    pthread_mutex_lock(&b->lock);
    for (;;) {
        while (!b->busy && !b->stop)
            pthread_cond_wait(&b->change, &b->lock);
        if (!b->busy)
            break;
        pthread_mutex_unlock(&b->lock);
        b->job(b->user);
        pthread_mutex_lock(&b->lock);
        b->busy = false;
        pthread_cond_broadcast(&b->change);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

ng_status ngi_background_create(ng_ctx *ctx, bool threaded,
                                ngi_background **out) {
    ngi_background *b = ngi_alloc(ctx, 1, sizeof *b);
    if (!b)
        return NG_ENOMEM;
    b->ctx = ctx;
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->change, NULL);
    b->threaded = threaded;
    if (threaded && pthread_create(&b->thread, NULL, background_main, b) != 0) {
        b->threaded = false;
        ngi_background_destroy(&b);
        return ngi_fail(ctx, NG_ENOMEM, "cannot start a background thread");
    }
    *out = b;
    return NG_OK;
}

void ngi_background_destroy(ngi_background **pointer) {
    ngi_background *b = *pointer;
    if (!b)
        return;
    if (b->threaded) {
        pthread_mutex_lock(&b->lock);
        b->stop = true;
        pthread_cond_broadcast(&b->change);
        pthread_mutex_unlock(&b->lock);
        pthread_join(b->thread, NULL);
    }
    pthread_cond_destroy(&b->change);
    pthread_mutex_destroy(&b->lock);
    ngi_free(b->ctx, b);
    *pointer = NULL;
}

void ngi_background_start(ngi_background *b, void (*job)(void *user),
                          void *user) {
    if (!b->threaded) {
        job(user);
        return;
    }
    pthread_mutex_lock(&b->lock);
    b->job = job;
    b->user = user;
    b->busy = true;
    pthread_cond_broadcast(&b->change);
    pthread_mutex_unlock(&b->lock);
}

void ngi_background_wait(ngi_background *b) {
    if (!b->threaded)
        return;
    pthread_mutex_lock(&b->lock);
    while (b->busy)
        pthread_cond_wait(&b->change, &b->lock);
    pthread_mutex_unlock(&b->lock);
}
