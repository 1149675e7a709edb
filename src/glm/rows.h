/* The rows of a generalised linear model, handed out in blocks that stay in
 * cache. Memory and files look alike: whoever has rows fills this table. */
#ifndef NGI_GLM_ROWS_H
#define NGI_GLM_ROWS_H

#include "base/base.h"

/* A run of rows. Columns are contiguous, so that a numeric column of a frame
 * is not copied. */
typedef struct ngi_glm_block {
    size_t first, count;
    const double *const *x; /* `width` columns of `count` numbers */
    const double *y;        /* responses; shares of successes; level indices */
    const double *weight;   /* prior weights, times trials where there are any;
                               NULL: all 1 */
    const double *offset;   /* NULL: none */
    const double *trials;   /* NULL unless given */
} ngi_glm_block;

typedef void (*ngi_glm_visit)(void *user, size_t worker,
                              const ngi_glm_block *block);

typedef struct ngi_glm_rows {
    ng_ctx *ctx;
    size_t rows, width;
    size_t workers;    /* `worker` of a visit is below this */
    size_t block_rows; /* no block has more */
    double total_weight;
    double used;  /* rows of non-zero weight */
    bool streams; /* a pass reads a file: worth avoiding */
    /* Calls `visit` once for one in `stride` blocks (1: all of them), several
     * workers at once. Which worker a block goes to depends on its position
     * alone. NG_ECANCELLED on interrupt, NG_EDATA where a file changed. */
    ng_status (*each)(const struct ngi_glm_rows *rows, size_t stride,
                      ngi_glm_visit visit, void *user);
    void *state;
} ngi_glm_rows;

/* eta = offset + sum_j x_j theta_j over a block. */
void ngi_glm_predictor(const ngi_glm_rows *rows, const ngi_glm_block *block,
                       const double *theta, double *eta);
/* g_j += x_j' u. */
void ngi_glm_gradient(const ngi_glm_rows *rows, const ngi_glm_block *block,
                      const double *u, double *g);
/* out (count x width, column-major with leading dimension `count`) = x_j
 * scale_j root_i, of which either may be NULL: 1. */
void ngi_glm_scaled(const ngi_glm_rows *rows, const ngi_glm_block *block,
                    const double *scale, const double *root, double *out);
/* The same in single precision. What is out of its range is the caller's to
 * scale away: columns of unit root mean square are safe. */
void ngi_glm_scaled_single(const ngi_glm_rows *rows, const ngi_glm_block *block,
                           const double *scale, const double *root, float *out);

#endif
