/* Whether the data separate: whether there is a direction along which the
 * likelihood of no row falls and that of some row rises for ever, so that the
 * maximum lies at infinity (Albert & Anderson 1984; for counts Correia,
 * Guimaraes & Zylkin 2019).
 *
 * Each row says one or a few inequalities a' d >= 0. By Stiemke's theorem the
 * data do not separate if and only if multipliers l > 0 exist with A' l = 0.
 * Both answers are verified: "none" by multipliers whose sum A' l is too small
 * to leave room for a direction, the others by a direction looked at along
 * every row. A row that stands still along a direction cannot be told from one
 * that moves by some 1e-12 of the columns' spread. */
#ifndef NGI_GLM_SEPARATION_H
#define NGI_GLM_SEPARATION_H

#include "glm/kernel.h"
#include "glm/rows.h"
#include "natgrad/learners.h"

/* What a row says of a direction d. */
typedef enum ngi_separation_form {
    NGI_SEPARATES_NEVER,
    NGI_SEPARATES_BINARY,  /* y = 1: x'd >= 0; 0: x'd <= 0; between: = 0 */
    NGI_SEPARATES_COUNT,   /* log link; y = 0: x'd <= 0; above: = 0 */
    NGI_SEPARATES_ORDINAL, /* level k: psi_k >= x'd >= psi_(k-1) */
    NGI_SEPARATES_CLASSES  /* class y: x'(d_y - d_c) >= 0, d_0 = 0 */
} ngi_separation_form;

ngi_separation_form ngi_separation_form_of(const ngi_glm_kernel *kernel);

typedef struct ngi_separation_spec {
    const ngi_glm_rows *rows;
    ngi_separation_form form;
    size_t levels; /* ordinal, classes */
    /* All of `dim` entries: the columns; of classes the columns for class 1,
     * then for class 2, ...; of ordinal the columns, then the thresholds. */
    const bool *held; /* not to be moved; NULL: none */
    /* A fit, NULL if there is none. Where it converged in the interior, it
     * proves by one pass that nothing separates. Followed by the kernel's psi.
     */
    const double *theta;
    const ngi_glm_kernel *kernel; /* of theta; not needed for classes */
} ngi_separation_spec;

typedef struct ngi_separation {
    ng_separation kind;
    bool determined; /* else rounding, or more than 2,048 parameters, left it
                        open; `kind` is what was found until then */
    size_t dim;
    bool *infinite;    /* dim: moves along some direction of the cone */
    double *direction; /* dim: one along which every separated row rises, per
                          unit of the largest |x| of a column */
    size_t separated;  /* rows that rise along it */
    size_t passes;
} ngi_separation;

ng_status ngi_separation_find(ng_ctx *ctx, const ngi_separation_spec *spec,
                              ngi_separation *out);
void ngi_separation_clear(ng_ctx *ctx, ngi_separation *separation);

#endif
