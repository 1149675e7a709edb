/* All of a design's X, for tests that look at it whole. */
#ifndef DESIGN_FILL_H
#define DESIGN_FILL_H

#include "learner/design.h"

/* Rows whose columns stay in cache while they are turned into rows. */
enum { FILL_ROWS = 128 };

typedef struct filler {
    const ngi_design_binding *binding;
    double *work, *X;
    size_t work_size, ld;
    const double **x;
} filler;

static inline void visit_fill(void *user, size_t worker,
                              const ngi_table_block *block) {
    const filler *f = user;
    size_t width = f->binding->design->width;
    const double **x = f->x + worker * width;
    ngi_design_columns(f->binding, block, f->work + worker * f->work_size, x);
    for (size_t i = 0; i < block->count; i++) {
        double *row = f->X + (block->first + i) * f->ld;
        for (size_t j = 0; j < width; j++)
            row[j] = x[j][i];
    }
}

/* Row-major: rows x width, ld. */
static inline ng_status fill_design(const ngi_design_binding *binding,
                                    const ngi_table *table, double *X,
                                    size_t ld) {
    filler f = {.binding = binding, .X = X, .ld = ld};
    ng_ctx *ctx = binding->ctx;
    ng_status status = NG_ENOMEM;
    f.work_size = ngi_design_work(binding->design, FILL_ROWS);
    f.work = ngi_alloc(ctx, table->workers * f.work_size, sizeof *f.work);
    f.x = ngi_alloc(ctx, table->workers * binding->design->width, sizeof *f.x);
    if (f.work && f.x)
        status = table->each(table, FILL_ROWS, 1, visit_fill, &f);
    ngi_free(ctx, f.work);
    ngi_free(ctx, f.x);
    return status;
}

#endif
