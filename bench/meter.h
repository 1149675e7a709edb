/* Memory, counted: the functions of an ng_allocator whose user is a meter. */
#ifndef BENCH_METER_H
#define BENCH_METER_H

#include <stdlib.h>
#include <string.h>

typedef struct meter {
    size_t bytes, peak;
} meter;

/* Sizes are kept in front of the blocks; 64 bytes keep them aligned. */
enum { HEAD = 64 };

static inline void *metered_resize(void *user, void *block, size_t size) {
    meter *m = user;
    char *head = block ? (char *)block - HEAD : NULL;
    size_t old = 0;
    if (head)
        memcpy(&old, head, sizeof old);
    head = realloc(head, size + HEAD);
    if (!head)
        return NULL;
    memcpy(head, &size, sizeof size);
    m->bytes += size - old;
    m->peak = m->bytes > m->peak ? m->bytes : m->peak;
    return head + HEAD;
}

static inline void *metered_alloc(void *user, size_t size) {
    return metered_resize(user, NULL, size);
}

static inline void metered_release(void *user, void *block) {
    meter *m = user;
    size_t size;
    if (!block)
        return;
    memcpy(&size, (char *)block - HEAD, sizeof size);
    m->bytes -= size;
    free((char *)block - HEAD);
}

#endif
