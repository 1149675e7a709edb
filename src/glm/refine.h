/* Gradients beyond double: what iterative refinement needs so that the answer
 * has the digits of the data and not those of the factorisation. */
#ifndef NGI_GLM_REFINE_H
#define NGI_GLM_REFINE_H

#include "glm/kernel.h"
#include "glm/rows.h"

/* One pass at theta + theta_low (the low part NULL: 0): the mean loss and its
 * mean gradient in the coefficients and then psi.
 *
 * eta and every sum over rows are carried as unevaluated sums of two doubles.
 * The score of a normal mean under the identity link is exact to that
 * precision, of another kernel to that of double, corrected by its slope for
 * the low part of eta. Either way what is left of the gradient at the optimum
 * is no rounding error of a sum.
 *
 * loss may be NULL; it is HUGE_VAL where theta is outside the model's domain,
 * and then the gradient is not to be read. */
ng_status ngi_refined_gradient(ng_ctx *ctx, const ngi_glm_rows *rows,
                               const ngi_glm_kernel *kernel,
                               const double *theta, const double *theta_low,
                               const double *psi, double *loss,
                               double *gradient);

/* theta + theta_low += step, theta the nearest double of the sum. */
void ngi_refined_move(size_t n, const double *step, double *theta,
                      double *theta_low);

#endif
