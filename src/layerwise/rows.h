/* Gradients of single examples, from passes that have gone backward. */
#ifndef NGI_ROWS_H
#define NGI_ROWS_H

#include "layerwise/layerwise.h"

/* The gradient of one example in a worker's pass with respect to the
 * parameters of `layers` layers from `first` on, which begin at `parameter` and
 * are `size` in all. */
void NR(example_gradient)(const engine *e, size_t worker, size_t example,
                          size_t first, size_t layers, size_t parameter,
                          size_t size, real *row);
/* S (vocabulary x columns) += scale times the squared gradients of the first
 * `count` examples with respect to an embedding's table. u has count x indices
 * x columns numbers: what each index that was looked up contributes. An index
 * that comes twice in an example has the sum of both. */
void NR(table_squares)(const engine *e, size_t worker, size_t layer,
                       size_t count, const real *u, real scale, real *S);
/* S (n) += scale x^2 */
void NR(add_squares)(size_t n, real scale, const real *x, real *S);
/* Row of a triangle of n at which the share of worker `worker` begins: shares
 * have equal areas. */
size_t NR(triangle_share)(size_t n, size_t worker, size_t workers);
/* How many backward passes a collection has. */
size_t NR(draws)(const ngi_architecture *architecture,
                 const ng_train_options *options);

#endif
