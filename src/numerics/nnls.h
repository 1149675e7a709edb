/* Non-negative least squares over vectors that arrive in the course:
 *     min || b + sum_k mu_k a_k ||,  mu >= 0
 * by the active set method of Lawson & Hanson (1974, ch. 23). For whoever has
 * too many a_k to hold: solve over a few, look for those with a_k' r < 0 among
 * the rest, add them, solve again. */
#ifndef NGI_NNLS_H
#define NGI_NNLS_H

#include "base/base.h"

typedef struct ngi_nnls ngi_nnls;

/* For vectors of up to `dim` numbers, of which `batch` are added at a time. */
ng_status ngi_nnls_create(ng_ctx *ctx, size_t dim, size_t batch,
                          ngi_nnls **out);
void ngi_nnls_destroy(ngi_nnls **nnls);

/* Forgets all vectors; b and those to come have `size` <= dim numbers. */
void ngi_nnls_begin(ngi_nnls *n, size_t size, const double *b);

/* Room for a batch: vectors without a multiplier are forgotten. */
void ngi_nnls_make_room(ngi_nnls *n);
/* Adds a vector, `id` distinguishing it from others; false if it is there. */
bool ngi_nnls_add(ngi_nnls *n, uint64_t id, const double *a);

/* Solves over the vectors at hand, or until the norm of the residual is below
 * `enough`. */
void ngi_nnls_solve(ngi_nnls *n, double enough);

/* r = b + sum mu_k a_k, orthogonal to every a_k with mu_k > 0 to rounding. */
const double *ngi_nnls_residual(const ngi_nnls *n);
/* An upper bound of |r| that holds for the multipliers as they were rounded:
 * the sum formed anew, and what forming it may have lost. */
double ngi_nnls_bound(const ngi_nnls *n, double *work /* size */);

#endif
