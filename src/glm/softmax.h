/* Multinomial logistic regression by the natural gradient.
 *
 * The gradient is exact, in double, over all rows, at every step. The Fisher
 * that turns it into a direction is formed in single precision from a share of
 * the rows, when steps do not contract as they should, and corrected in
 * between by how the gradient changed along the last steps (the secant pairs
 * of L-BFGS, with the Fisher as its first metric: Nocedal & Wright 2006,
 * algorithm 7.4), which near the answer converges as fast as conjugate
 * gradients on the exact Fisher would, a pass over the rows a step. */
#ifndef NGI_GLM_SOFTMAX_H
#define NGI_GLM_SOFTMAX_H

#include "glm/rows.h"
#include "natgrad/fit.h"

typedef struct ngi_softmax_spec {
    const ngi_glm_rows *rows;  /* y: level indices 0 .. levels - 1; offsets and
                                  trials are not looked at. Borrowed. */
    size_t levels;             /* >= 2 */
    const double *ridge;       /* width, mean-loss scale, on the coefficients of
                                  a column about their mean over all levels;
                                  NULL: none. Borrowed. */
    double tolerance;          /* of the decrement; 0: not looked at */
    double gradient_tolerance; /* of max |gradient|; 0: not looked at */
    size_t max_iter;
    ng_monitor monitor;
    void *user;
} ngi_softmax_spec;

/* From theta ((levels - 1) x width, row-major, of levels 1, 2, ... against
 * level 0) to the optimum, in place. The report's decrement is of the run's
 * own metric. Memory: at most a few per cent of a design that has many more
 * rows than theta has entries; width^2 and some 30 thetas else. NG_ENUMERIC
 * where the loss is not finite at the start. */
ng_status ngi_softmax_run(ng_ctx *ctx, const ngi_softmax_spec *spec,
                          double *theta, ng_report *report);

#endif
