/* The context: allocator, last error, warnings, cancellation. */
#include "base/ctx.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void *default_alloc(void *user, size_t size) {
    (void)user;
    return malloc(size);
}

static void *default_resize(void *user, void *block, size_t size) {
    (void)user;
    return realloc(block, size);
}

static void default_release(void *user, void *block) {
    (void)user;
    free(block);
}

const char *ng_version(void) {
    return NG_VERSION;
}

const char *ng_status_text(ng_status status) {
    switch (status) {
#define X(name, text)                                                          \
    case name:                                                                 \
        return text;
        NG_STATUS_LIST(X)
#undef X
    }
    return "unknown status";
}

ng_status ng_ctx_create(const ng_ctx_options *options, ng_ctx **out) {
    const ng_allocator standard = {default_alloc, default_resize,
                                   default_release, NULL};
    const ng_allocator *allocator =
        options && options->allocator ? options->allocator : &standard;
    ng_ctx *ctx = allocator->alloc(allocator->user, sizeof *ctx);
    *out = NULL;
    if (!ctx)
        return NG_ENOMEM;
    memset(ctx, 0, sizeof *ctx);
    ctx->allocator = *allocator;
    if (options) {
        ctx->warn = options->warn;
        ctx->user = options->user;
    }
    ng_status status =
        ngi_pool_create(ctx, options ? options->threads : 1, &ctx->pool);
    if (status != NG_OK) {
        allocator->release(allocator->user, ctx);
        return status;
    }
    *out = ctx;
    return NG_OK;
}

void ng_ctx_destroy(ng_ctx **ctx) {
    if (!ctx || !*ctx)
        return;
    ngi_pool_destroy(*ctx, &(*ctx)->pool);
    ng_allocator allocator = (*ctx)->allocator;
    allocator.release(allocator.user, *ctx);
    *ctx = NULL;
}

const char *ng_error(const ng_ctx *ctx) {
    return ctx->error;
}

void ng_cancel(ng_ctx *ctx) {
    ctx->cancelled = 1;
}

double ngi_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool ngi_cancelled(const ng_ctx *ctx) {
    return ctx->cancelled != 0;
}

size_t ngi_threads(const ng_ctx *ctx) {
    return ngi_pool_size(ctx->pool);
}

void ngi_parallel(ng_ctx *ctx, void (*task)(void *user, size_t worker),
                  void *user) {
    ngi_pool_run(ctx->pool, task, user);
}

ng_status ngi_fail(ng_ctx *ctx, ng_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(ctx->error, sizeof ctx->error, format, args);
    va_end(args);
    return status;
}

ng_status ngi_fail_memory(ng_ctx *ctx) {
    return ngi_fail(ctx, NG_ENOMEM, "out of memory");
}

void ngi_warn(ng_ctx *ctx, const char *format, ...) {
    char line[NGI_MESSAGE_SIZE];
    if (!ctx->warn)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    ctx->warn(ctx->user, line);
}

void *ngi_alloc(ng_ctx *ctx, size_t count, size_t size) {
    size_t bytes = count * size;
    void *block = NULL;
    if (!size || count <= SIZE_MAX / size)
        block = ctx->allocator.alloc(ctx->allocator.user, bytes ? bytes : 1);
    if (!block) {
        ngi_fail_memory(ctx);
        return NULL;
    }
    memset(block, 0, bytes);
    return block;
}

void *ngi_resize(ng_ctx *ctx, void *block, size_t count, size_t size) {
    size_t bytes = count * size;
    void *grown = NULL;
    if (!size || count <= SIZE_MAX / size)
        grown = ctx->allocator.resize(ctx->allocator.user, block,
                                      bytes ? bytes : 1);
    if (!grown)
        ngi_fail_memory(ctx);
    return grown;
}

void ngi_free(ng_ctx *ctx, void *block) {
    if (block)
        ctx->allocator.release(ctx->allocator.user, block);
}

char *ngi_strndup(ng_ctx *ctx, const char *text, size_t length) {
    char *copy = ngi_alloc(ctx, length + 1, 1);
    if (copy)
        memcpy(copy, text, length);
    return copy;
}

char *ngi_strdup(ng_ctx *ctx, const char *text) {
    return ngi_strndup(ctx, text, strlen(text));
}
