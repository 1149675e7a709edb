/* The design of a linear predictor: which columns of a frame become which
 * columns of X. A factor of k levels becomes k-1 indicators, the first level
 * being the reference (treatment contrasts). */
#ifndef NGI_DESIGN_H
#define NGI_DESIGN_H

#include "base/base.h"
#include "natgrad/data.h"

typedef struct ngi_levels {
    size_t count;
    char **name;
} ngi_levels;

/* A copy of a name; NG_EDATA unless it is UTF-8, which JSON and model files
 * require. */
ng_status ngi_name_copy(ng_ctx *ctx, const char *name, char **out);
ng_status ngi_levels_copy(ng_ctx *ctx, size_t count, const char *const *name,
                          ngi_levels *out);
void ngi_levels_free(ng_ctx *ctx, ngi_levels *levels);

typedef struct ngi_term {
    char *column;
    ngi_levels levels; /* none for a numeric column */
} ngi_term;

typedef struct ngi_design {
    ng_ctx *ctx;
    int intercept;
    size_t terms;
    ngi_term *term;
    size_t width; /* columns of X */
} ngi_design;

/* From the named columns of a frame. NG_EDATA for a factor of one level. */
ng_status ngi_design_create(ng_ctx *ctx, const ng_frame *frame,
                            const char *const *features, size_t count,
                            int intercept, ngi_design **out);
/* An empty design of `terms` terms, to be filled by a reader. */
ng_status ngi_design_allocate(ng_ctx *ctx, size_t terms, int intercept,
                              ngi_design **out);
void ngi_design_measure(ngi_design *design); /* sets width from the terms */
void ngi_design_destroy(ngi_design **design);

/* X (rows x width, row-major) from a frame that has the columns; NG_EDATA
 * names a missing column, a wrong kind or an unseen level. */
ng_status ngi_design_fill(const ngi_design *design, const ng_frame *frame,
                          double *X);

/* "(Intercept)", "name" or "name[level]" of column j. */
void ngi_design_name(const ngi_design *design, size_t j, char *out,
                     size_t size);

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
