/* What the library's own files share and users do not see. */
#ifndef NGI_BASE_H
#define NGI_BASE_H

#include "natgrad/base.h"

#include <stdarg.h>
#include <stdbool.h>

/* Hand an error upward. */
#define NG_TRY(call)                                                           \
    do {                                                                       \
        ng_status try_status_ = (call);                                        \
        if (try_status_ != NG_OK)                                              \
            return try_status_;                                                \
    } while (0)

/* Hand an error to the label `fail`, with the status in `status`. */
#define NG_TRY_GOTO(call)                                                      \
    do {                                                                       \
        status = (call);                                                       \
        if (status != NG_OK)                                                   \
            goto fail;                                                         \
    } while (0)

/* Record a message in the context and return the status. */
__attribute__((format(printf, 3, 4))) ng_status
ngi_fail(ng_ctx *ctx, ng_status status, const char *format, ...);
ng_status ngi_fail_memory(ng_ctx *ctx);

/* Pass one line to the caller's warning function. */
__attribute__((format(printf, 2, 3))) void ngi_warn(ng_ctx *ctx,
                                                    const char *format, ...);

/* Zeroed array of `count` items, NULL on overflow or exhaustion (the error is
 * recorded). A count of 0 gives a valid block. */
void *ngi_alloc(ng_ctx *ctx, size_t count, size_t size);
/* Grow a block; contents beyond the old size are not cleared. */
void *ngi_resize(ng_ctx *ctx, void *block, size_t count, size_t size);
void ngi_free(ng_ctx *ctx, void *block);
char *ngi_strdup(ng_ctx *ctx, const char *text);
char *ngi_strndup(ng_ctx *ctx, const char *text, size_t length);

/* Of a clock that only runs forward. */
double ngi_seconds(void);

bool ngi_cancelled(const ng_ctx *ctx);
size_t ngi_threads(const ng_ctx *ctx);

/* Run task(user, worker) once on each of the context's workers, the caller
 * being worker 0, and wait for all. Workers block between calls. */
void ngi_parallel(ng_ctx *ctx, void (*task)(void *user, size_t worker),
                  void *user);

#endif
