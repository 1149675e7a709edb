/* Status codes, the context, memory, cancellation and random numbers: what
 * every other header stands on. */
#ifndef NATGRAD_BASE_H
#define NATGRAD_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define NG_API
#else
#define NG_API __attribute__((visibility("default")))
#endif
#define NG_MUST_CHECK __attribute__((warn_unused_result))

#define NG_VERSION_MAJOR 0
#define NG_VERSION_MINOR 1
#define NG_VERSION_PATCH 0
#define NG_VERSION       "0.1.0"

/* The version of the library that is running, to be compared with NG_VERSION
 * of the header that was compiled against. */
NG_API const char *ng_version(void);

/* Every way a call can end. After an error the arguments are as they were and
 * any object under construction has been released; ng_error(ctx) says what was
 * wrong and what was expected. Why a *run* stopped is no error: see ng_report.
 */
#define NG_STATUS_LIST(X)                                                      \
    X(NG_OK, "success")                                                        \
    X(NG_EUSAGE, "bad argument or option")                                     \
    X(NG_EDATA, "bad input data")                                              \
    X(NG_ENUMERIC, "numerical failure")                                        \
    X(NG_EUNSUPPORTED, "not supported by this family, metric or step")         \
    X(NG_ENOMEM, "out of memory")                                              \
    X(NG_EWRITE, "output could not be written")                                \
    X(NG_ECANCELLED, "cancelled")

typedef enum ng_status {
#define X(name, text) name,
    NG_STATUS_LIST(X)
#undef X
} ng_status;

/* Static text for a status; never NULL. */
NG_API const char *ng_status_text(ng_status status);

/* Memory comes from these three functions. They must behave as malloc, realloc
 * and free do; `user` is handed back on every call. */
typedef struct ng_allocator {
    void *(*alloc)(void *user, size_t size);
    void *(*resize)(void *user, void *block, size_t size);
    void (*release)(void *user, void *block);
    void *user;
} ng_allocator;

typedef struct ng_ctx_options {
    const ng_allocator *allocator; /* copied; NULL for malloc and friends */
    size_t threads;                /* workers for row blocks; 0 means 1 */
    /* Called with each warning (one line, no newline); NULL for silence. */
    void (*warn)(void *user, const char *message);
    void *user;
} ng_ctx_options;

/* A context owns the allocator, the worker threads, the last error and the
 * cancellation flag. One context serves one thread of the caller; contexts
 * share nothing. It must outlive every object made with it. */
typedef struct ng_ctx ng_ctx;

/* `options` may be NULL. Fails with NG_ENOMEM. */
NG_API NG_MUST_CHECK ng_status ng_ctx_create(const ng_ctx_options *options,
                                             ng_ctx **out);

/* Accepts NULL and a NULL context; clears the pointer. */
NG_API void ng_ctx_destroy(ng_ctx **ctx);

/* The text of the last error in this context, "" if none. Borrowed until the
 * next failing call. */
NG_API const char *ng_error(const ng_ctx *ctx);

/* Ask every run in this context to stop at the end of its iteration. Safe to
 * call from a signal handler or from another thread. */
NG_API void ng_cancel(ng_ctx *ctx);

/* OpenBLAS keeps threads of its own, which fight with a context's workers.
 * A program that gives its contexts threads calls this once with 1. It is not
 * done silently because the setting belongs to the whole process. No effect
 * with another BLAS. */
NG_API void ng_set_blas_threads(int threads);

/* Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror & Shaw,
 * SC 2011). The output depends on (seed, stream, position) alone, so that a
 * row's draws do not depend on the thread that makes them. A plain value:
 * copy it freely. */
typedef struct ng_rng {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t buffer[4];
    unsigned used; /* words of buffer already handed out */
} ng_rng;

NG_API void ng_rng_init(ng_rng *rng, uint64_t seed, uint64_t stream);
NG_API uint64_t ng_rng_bits(ng_rng *rng);
/* Uniform on the open interval (0, 1), 53 bits. */
NG_API double ng_rng_uniform(ng_rng *rng);
NG_API double ng_rng_normal(ng_rng *rng);
/* Gamma with the given shape > 0 and scale 1; the logarithm of the draw, which
 * stays finite where the draw itself underflows (shape << 1). */
NG_API double ng_rng_log_gamma(ng_rng *rng, double shape);
/* Poisson; a double because means beyond 2^53 are allowed. */
NG_API double ng_rng_poisson(ng_rng *rng, double mean);

#ifdef __cplusplus
}
#endif
#endif
