/* Bias-reduced fits (Firth 1993; Kosmidis & Firth 2009): the root of the
 * adjusted score
 *     U*_j = U_j + 1/2 sum_i h_i (mu''_i / mu'_i) x_ij,
 * h_i the diagonal of the projection W^1/2 X (X'WX)^-1 X'W^1/2 and W the
 * expected weights. The estimates are finite also where the data separate. */
#ifndef NGI_GLM_FIRTH_H
#define NGI_GLM_FIRTH_H

#include "glm/kernel.h"
#include "glm/rows.h"
#include "glm/scoring.h"

/* Binomial and Poisson, whose dispersion is 1, under any link. */
bool ngi_firth_serves(const ngi_glm_kernel *kernel);

/* From theta (`width` numbers) to the root, in place; where theta is too far
 * out to have a Fisher it is left for 0. `held` (NULL: none) as in
 * ngi_scoring_held; columns that are combinations of others must be held,
 * NG_ENUMERIC otherwise. `covariance` (width x width, NULL: not wanted) is the
 * inverse of the expected information at the answer, 0 for what is held.
 *
 * The report's objective has the penalty - log|F| / 2 where there is one, under
 * the canonical link (Jeffreys' prior). */
ng_status ngi_firth_run(ng_ctx *ctx, const ngi_glm_rows *rows,
                        const ngi_glm_kernel *kernel, const bool *held,
                        const ngi_scoring_options *options, double *theta,
                        double *covariance, ng_report *report);

#endif
