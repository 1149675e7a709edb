/* What the tests of src/data share: a context that remembers its last
 * warning, and a folder of their own. */
#ifndef DATA_FIXTURE_H
#define DATA_FIXTURE_H

#include "natgrad/data.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static ng_ctx *ctx;
static char warning[1024];
static char folder[64];

static void remember(void *user, const char *message) {
    (void)user;
    snprintf(warning, sizeof warning, "%s", message);
}

static void set_up(void) {
    const ng_ctx_options options = {.warn = remember};
    ck_assert_int_eq(ng_ctx_create(&options, &ctx), NG_OK);
    warning[0] = '\0';
    strcpy(folder, "/tmp/natgrad-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

/* Every test removes its files, and so this tells of files left behind. */
static void tear_down(void) {
    ng_ctx_destroy(&ctx);
    ck_assert_int_eq(rmdir(folder), 0);
}

static inline const char *path_of(const char *name) {
    static char path[4][128];
    static unsigned next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

/* As gzip does it; the length of the packed data. */
static inline size_t squeeze_bytes(const void *data, size_t size,
                                   unsigned char *packed, size_t room) {
    z_stream z = {0};
    ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, 0), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)data;
    z.avail_in = (uInt)size;
    z.next_out = packed;
    z.avail_out = (uInt)room;
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return room - z.avail_out;
}

static inline size_t squeeze(const char *text, unsigned char *packed,
                             size_t room) {
    return squeeze_bytes(text, strlen(text), packed, room);
}

#endif
