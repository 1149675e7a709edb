/* The inside of bias-reduced fits: firth_pass.c looks at the rows, firth_step.c
 * moves, firth.c is the loop. */
#ifndef NGI_GLM_FIRTH_IMPL_H
#define NGI_GLM_FIRTH_IMPL_H

#include "glm/firth.h"

typedef struct ngi_firth_worker {
    double *eta, *loss, *score, *curvature; /* rows each */
    double *mean, *slope, *bend;            /* mu and derivatives: rows each */
    double *work;                           /* of the kernel */
    double *scaled, *product;               /* rows x width */
    double *F, *gradient, *largest;         /* active^2, width, width */
    double sum;                             /* of the losses */
} ngi_firth_worker;

/* What is known at a theta; sums are divided by the total weight. */
typedef struct ngi_firth_point {
    double *theta, *gradient, *direction; /* width */
    double *C; /* active x active: F^-1 in scaled columns */
    double loss, objective, decrement;
} ngi_firth_point;

typedef struct ngi_firth {
    ng_ctx *ctx;
    const ngi_glm_rows *rows;
    const ngi_glm_kernel *kernel;
    bool canonical;
    size_t width, active;
    size_t *index;             /* active: columns that are not held */
    double *scale;             /* width: 1 / largest |x|, 0 where held */
    double *root;              /* active: of the diagonal of F */
    const ngi_firth_point *at; /* of the pass under way */
    ngi_firth_point here, trial;
    /* Where steps by F^-1 are slow or fail, because the adjusted score's
     * derivative is too unlike F: its inverse as steps have shown it. */
    bool secant;
    double *B, *step, *change, *left, *right; /* active x active; width */
    double pace, longest;                     /* of steps by F^-1 */
    double best;                              /* the smallest decrement */
    size_t idle;                              /* iterations since */
    bool turned; /* a step went too far meanwhile */
    double bar;  /* no secants above this decrement */
    size_t workers;
    ngi_firth_worker *worker;
    double examples;
} ngi_firth;

ng_status ngi_firth_reserve(ngi_firth *f);
void ngi_firth_release(ngi_firth *f);
/* Which columns move, and their scales. */
ng_status ngi_firth_columns(ngi_firth *f, const bool *held);
/* Everything at point->theta, by two passes; `regular` false where the loss is
 * not finite or the Fisher not invertible. The direction is -F^-1 gradient. */
ng_status ngi_firth_evaluate(ngi_firth *f, ngi_firth_point *point,
                             bool *regular);
/* From f->here to the next; report->step is 0 where no step was accepted. */
ng_status ngi_firth_advance(ngi_firth *f, ng_report *report);

#endif
