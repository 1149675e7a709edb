/* What conjugate gradients are preconditioned with: the diagonal blocks of
 * F + P + damping I over parameters that serve the same output, from a share
 * of the rows, or the diagonal alone where blocks would be too large. */
#ifndef NGI_PRECONDITIONER_H
#define NGI_PRECONDITIONER_H

#include "base/base.h"
#include "natgrad/metric.h"

typedef struct ngi_preconditioner {
    ng_problem *problem;
    size_t blocks;      /* 0: the diagonal alone */
    size_t *size;       /* blocks */
    double *F, *factor; /* the blocks one after the other */
    size_t stride;      /* one block of rows in so many is looked at */
    double *diagonal;   /* dim: of F (diagonal alone) */
    double *penalty;    /* dim: of P */
    double damping;
} ngi_preconditioner;

ng_status ngi_preconditioner_create(ng_problem *problem,
                                    const ng_fisher *fisher,
                                    ngi_preconditioner **out);
void ngi_preconditioner_destroy(ngi_preconditioner **preconditioner);
/* Moves it to theta: a pass over its share of the rows. */
ng_status ngi_preconditioner_update(ngi_preconditioner *p, const double *theta,
                                    const ng_fisher *fisher);
void ngi_preconditioner_factor(ngi_preconditioner *p, double damping);
/* out = M^-1 r, M positive definite (zero where F has no entry). */
void ngi_preconditioner_apply(const ngi_preconditioner *p, const double *r,
                              double *out);

#endif
