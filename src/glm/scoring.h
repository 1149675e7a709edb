/* Fisher scoring: the natural gradient with a step of one, over rows that are
 * looked at once an iteration.
 *
 * theta is the coefficients of the columns, then the kernel's psi. Losses,
 * gradients and information are means over the total weight, at dispersion 1.
 *
 * The gradient is exact always. The Fisher that directs a step may come from a
 * share of the rows, be formed in single precision or be kept from an earlier
 * iteration, as long as the decrement contracts; the one that is left at the
 * end is the exact one at the answer, in double. */
#ifndef NGI_GLM_SCORING_H
#define NGI_GLM_SCORING_H

#include "glm/kernel.h"
#include "glm/rows.h"
#include "natgrad/fit.h"

typedef struct ngi_scoring ngi_scoring;

typedef struct ngi_scoring_spec {
    const ngi_glm_rows *rows;
    const ngi_glm_kernel *kernel;
    const double *ridge; /* width, mean-loss scale; NULL: none. Borrowed. */
    double dispersion;   /* the decrement and the report are at this one */
} ngi_scoring_spec;

typedef struct ngi_scoring_options {
    size_t max_iter;
    double tolerance; /* of the decrement */
    bool keep_rank;   /* do not look for aliased columns again */
    bool exact;       /* every Fisher in double, of all rows, at every step */
    ng_monitor monitor;
    void *user;
} ngi_scoring_options;

ng_status ngi_scoring_create(ng_ctx *ctx, const ngi_scoring_spec *spec,
                             ngi_scoring **out);
void ngi_scoring_destroy(ngi_scoring **scoring);

/* Parameters that are not estimated but held where theta has them: set by the
 * caller before a run, and by a run for the columns that it finds to be
 * combinations of earlier ones (`aliased`, whose theta is 0). */
bool *ngi_scoring_held(ngi_scoring *s);
const bool *ngi_scoring_aliased(const ngi_scoring *s);
/* Whether the last factor says anything of a parameter: not where it is held,
 * and not where its information vanishes. */
bool ngi_scoring_informed(const ngi_scoring *s, size_t i);

/* From theta to the optimum, in place. */
ng_status ngi_scoring_run(ngi_scoring *s, const ngi_scoring_options *options,
                          double *theta, ng_report *report);

/* One pass at theta: what is not wanted is NULL. `loss` without the ridge;
 * `gradient` (dim) with it; `F` (dim x dim, lower) without, expected or
 * observed, of scaled columns. Rows and columns of aliased or held parameters
 * are there like all others. */
ng_status ngi_scoring_evaluate(ngi_scoring *s, const double *theta,
                               bool observed, double *loss, double *gradient,
                               double *F);

/* The inverse of an information F (dim x dim, lower, without ridge) over the
 * parameters not held, times 1 / total weight; rows and columns of those held
 * are 0. With the ridge added where `penalised`. Mirrored. NG_ENUMERIC where
 * it is singular (observed only). By the factor of the run where F is NULL:
 * the expected Fisher at the answer, by QR where that was needed. */
ng_status ngi_scoring_inverse(ngi_scoring *s, const double *F, bool penalised,
                              double *C);

/* Powers of two that bring the columns near 1, in which F and its like are
 * held: those of column j are of x_j scale[j]. dim entries. */
const double *ngi_scoring_scale(const ngi_scoring *s);

#endif
