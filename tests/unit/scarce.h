/* Tasks that run short of memory. */
#ifndef SCARCE_H
#define SCARCE_H

#include "natgrad/base.h"

#include <check.h>
#include <stdlib.h>

/* An allocator whose n-th allocation fails, and that counts live blocks. */
typedef struct scarce {
    size_t left, live;
} scarce;

static void *scarce_resize(void *user, void *block, size_t size) {
    scarce *s = user;
    if (!s->left)
        return NULL;
    s->left--;
    s->live += !block;
    return realloc(block, size);
}

static void *scarce_alloc(void *user, size_t size) {
    return scarce_resize(user, NULL, size);
}

static void scarce_release(void *user, void *block) {
    scarce *s = user;
    s->live--;
    free(block);
}

/* Let the first, second, ... allocation fail until none is wanting. */
static void starve(ng_status (*task)(ng_ctx *poor, const char *path),
                   const char *path) {
    ng_status status = NG_ENOMEM;
    size_t allowance = 0;
    for (; status != NG_OK && allowance < 10000; allowance++) {
        scarce memory = {SIZE_MAX, 0};
        const ng_allocator allocator = {scarce_alloc, scarce_resize,
                                        scarce_release, &memory};
        const ng_ctx_options options = {.allocator = &allocator};
        ng_ctx *poor;
        ck_assert_int_eq(ng_ctx_create(&options, &poor), NG_OK);
        size_t live = memory.live;
        memory.left = allowance;
        status = task(poor, path);
        ck_assert(status == NG_OK || status == NG_ENOMEM);
        if (status != NG_OK)
            ck_assert_str_eq(ng_error(poor), "out of memory");
        ck_assert_uint_eq(memory.live, live);
        ng_ctx_destroy(&poor);
    }
    ck_assert_int_eq(status, NG_OK);
    ck_assert_uint_gt(allowance, 5);
}

#endif
