/* Names of levels, and columns of a frame by name. */
#ifndef NGI_LEVELS_H
#define NGI_LEVELS_H

#include "base/base.h"
#include "natgrad/data.h"

typedef struct ngi_levels {
    size_t count;
    char **name;
} ngi_levels;

/* NG_EDATA unless a name is UTF-8, which JSON and model files require; and a
 * copy of one that is. */
ng_status ngi_name_check(ng_ctx *ctx, const char *name);
ng_status ngi_name_copy(ng_ctx *ctx, const char *name, char **out);
ng_status ngi_levels_copy(ng_ctx *ctx, size_t count, const char *const *name,
                          ngi_levels *out);
void ngi_levels_free(ng_ctx *ctx, ngi_levels *levels);
/* Index of a level; `count` if there is none of that name. */
size_t ngi_levels_find(const ngi_levels *levels, const char *name);

/* Puts a level first, found by its text or, if it looks like a number, by its
 * value; false if there is none. */
bool ngi_levels_put_first(ngi_levels *levels, const char *name);
/* Puts levels into the order of these names; NG_EDATA unless they are the
 * levels. `source` and `column` are for the message. */
ng_status ngi_levels_order(ng_ctx *ctx, const char *source, const char *column,
                           ngi_levels *levels, const char *const *order,
                           size_t count);

/* The column `name` of a frame, and whether it is numeric: NG_EDATA else. */
ng_status ngi_require_column(ng_ctx *ctx, const ng_frame *frame,
                             const char *name, const ng_column **out);
ng_status ngi_require_numeric(ng_ctx *ctx, const ng_frame *frame,
                              const char *name, const ng_column **out);

/* values[i] = index in `levels` of row i's level. */
ng_status ngi_match_levels(ng_ctx *ctx, const ng_frame *frame,
                           const ng_column *column, const ngi_levels *levels,
                           double *values, size_t stride);

#endif
