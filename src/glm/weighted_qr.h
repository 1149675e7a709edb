/* The triangular factor of a weighted design: what scoring solves with where
 * the cross-products of the columns would lose what tells them apart. */
#ifndef NGI_GLM_WEIGHTED_QR_H
#define NGI_GLM_WEIGHTED_QR_H

#include "glm/rows.h"

/* Square roots of the weights of a block's rows. Called by several workers at
 * once. */
typedef struct ngi_glm_roots {
    void (*root)(void *user, size_t worker, const ngi_glm_block *block,
                 double *root);
    void *user;
} ngi_glm_roots;

/* R's glm: a column of which less than this share of its norm is left beside
 * the earlier ones is aliased. */
#define NGI_GLM_ALIAS 1e-11

/* R of diag(root) X diag(scale) over the columns that are not held, in one
 * pass and O(width^2 + block) memory a worker.
 *
 * A column of which less than `tolerance` of its own norm is left after those
 * before it is aliased, and left out (LINPACK's dqrdc2 as R changed it). What
 * remains is written to R as the library's lower triangles are, kept x kept:
 * L with L L^T = R^T R, of positive diagonal, for ngi_cholesky_solve and its
 * like.
 *
 * `roots` NULL: the roots of the prior weights. `held` NULL: none. R has room
 * for width x width. NG_ENUMERIC where a root or a scaled column is not
 * finite. */
ng_status ngi_weighted_qr(ng_ctx *ctx, const ngi_glm_rows *rows,
                          const ngi_glm_roots *roots, const double *scale,
                          const bool *held, double tolerance, double *R,
                          bool *aliased, size_t *kept);

#endif
