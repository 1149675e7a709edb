/* The inside of Fisher scoring, shared by its files: scoring.c is the loop,
 * scoring_pass.c looks at the rows, scoring_factor.c solves, scoring_object.c
 * is the rest. */
#ifndef NGI_GLM_SCORING_IMPL_H
#define NGI_GLM_SCORING_IMPL_H

#include "glm/scoring.h"

/* Which Fisher a pass forms on the way. */
typedef enum ngi_form {
    NGI_FORM_NONE,
    NGI_FORM_SINGLE,
    NGI_FORM_DOUBLE
} ngi_form;

/* One worker's memory for a block of rows, and its share of the sums. */
typedef struct ngi_scoring_worker {
    double *eta, *loss, *score, *curvature; /* rows each */
    double *cross;                          /* rows x extras */
    double *work;                           /* of the kernel */
    double *scaled;        /* rows x width, or as many floats */
    double *gradient;      /* dim */
    double *psi_curvature; /* extras x extras */
    double *square;   /* width x width and two blocks more, where curvature may
                         be negative; NULL until then */
    double *F;        /* dim x dim, scaled columns */
    float *single;    /* width x width, not yet in F */
    size_t pending;   /* blocks in `single` */
    double sum, lost; /* of the losses, compensated */
    bool outside;     /* a row's eta was outside the model's domain */
} ngi_scoring_worker;

/* A factor of F + ridge over the active parameters, equilibrated. */
typedef struct ngi_scoring_factor {
    double *L;      /* active x active, lower */
    double *root;   /* active: 1 / sqrt(diagonal) */
    size_t *active; /* their indices */
    size_t count;
    double smallest; /* pivot of the equilibrated matrix: 1 - R^2 of the column
                        that is nearest to a combination of earlier ones */
    double *work;    /* dim */
} ngi_scoring_factor;

struct ngi_scoring {
    ng_ctx *ctx;
    ngi_scoring_spec spec;
    size_t p, q, dim;
    double *scale; /* dim: powers of two that bring columns near 1; 1 for psi */
    bool scales_known;
    bool *held, *aliased;
    bool *bound; /* dim: at the lower bound of psi and pressed against it */
    size_t workers;
    ngi_scoring_worker *worker;
    double *F; /* dim x dim, lower, of scaled columns: the last one formed */
    ngi_scoring_factor factor;
    bool exact;      /* single precision has shown itself too coarse */
    bool by_qr;      /* the factor is R of the weighted design */
    bool refined;    /* gradients are taken in double-double */
    double *vectors; /* storage of what the loop needs */
};

/* ---- scoring_pass.c ---- */
ng_status ngi_scoring_reserve(ngi_scoring *s);
void ngi_scoring_release(ngi_scoring *s);
ng_status ngi_scoring_scales(ngi_scoring *s, size_t stride);
/* A pass over one in `stride` blocks: mean loss with the ridge, its gradient
 * in raw columns (dim, NULL: not wanted), and s->F in the form wanted. */
ng_status ngi_scoring_pass(ngi_scoring *s, size_t stride, const double *theta,
                           ngi_form form, bool observed, double *loss,
                           double *gradient);
/* The same to the last bit that matters: double-double sums. theta is theta +
 * low. */
ng_status ngi_scoring_refined_pass(ngi_scoring *s, const double *theta,
                                   const double *low, double *loss,
                                   double *gradient);
double ngi_scoring_penalty(const ngi_scoring *s, const double *theta);

/* ---- scoring_factor.c ---- */
ng_status ngi_factor_reserve(ngi_scoring *s);
void ngi_factor_release(ngi_scoring *s);
/* Factors F (lower, scaled columns) + ridge over the parameters neither held
 * nor at a bound; false if not positive definite to `least`, the smallest
 * pivot allowed. */
bool ngi_factor_make(ngi_scoring *s, const double *F, double least);
/* The same, leaving out whatever has too small a pivot. */
bool ngi_factor_make_partial(ngi_scoring *s, const double *F, double least);
/* By QR of the weighted design at theta (NULL: of the prior weights), where
 * there is no psi; columns that are combinations of earlier ones are left out.
 */
ng_status ngi_factor_by_qr(ngi_scoring *s, const double *theta);
/* d (raw columns) = (F + P)^-1 g, 0 where not active; g' d. */
double ngi_factor_solve(ngi_scoring *s, const double *g, double *d);

#endif
