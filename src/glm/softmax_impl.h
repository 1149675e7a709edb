/* The inside of the softmax, shared by its files: softmax.c is the loop,
 * softmax_pass.c looks at the rows by the products of softmax_kernel.c,
 * softmax_metric.c is the Fisher that directs, softmax_secant.c what corrects
 * it. */
#ifndef NGI_GLM_SOFTMAX_IMPL_H
#define NGI_GLM_SOFTMAX_IMPL_H

#include "glm/softmax.h"

enum {
    NGI_SOFTMAX_CHUNK = 256, /* rows at a time: eta stays in the first cache */
    NGI_SOFTMAX_PANEL = 10   /* outputs at a time: sums stay in registers */
};

/* One worker's memory, and its share of the sums. */
typedef struct ngi_softmax_worker {
    double *p;         /* CHUNK x levels, column-major: eta, then probability */
    double *top, *sum; /* CHUNK each */
    double *gradient;  /* width x outputs, by panels */
    double *curvature; /* levels: sum of w p (1 - p); levels: of w p */
    double *norm;      /* width: of the columns */
    const double **x;  /* width: the columns from where the chunk begins */
    double loss, lost; /* compensated */
    float *scaled;     /* CHUNK x width */
    float *F;          /* width x width, while a shared factor is made */
    double seen;       /* rows that went into it */
    size_t first, count, capacity; /* its rows of the sample */
    double carry;                  /* of systematic sampling */
} ngi_softmax_worker;

typedef enum ngi_softmax_kind {
    NGI_SOFTMAX_DIAGONAL, /* c_k diag(X'X) */
    NGI_SOFTMAX_SHARED,   /* c_k X'WX, one factor */
    NGI_SOFTMAX_BLOCKS    /* X' diag(p_k (1 - p_k)) X, a factor a level */
} ngi_softmax_kind;

/* The Fisher near some theta, in the symmetric coordinates of all levels and
 * of columns scaled to a mean square of 1. */
typedef struct ngi_softmax_metric {
    ngi_softmax_kind kind;
    float *factor; /* width x width, or levels packed triangles */
    double *scale; /* width: 1 / root mean square of a column, 0 for 0 */
    double *level; /* levels: c_k, mean p_k (1 - p_k) levels / outputs */
    double *share; /* width: of a column's mean square that the sample has */
    float *vector; /* levels x width */
    size_t effort; /* how often its sample has proved too small */
    size_t blocks; /* numbers in a factor for each level, 0: too many */
    float *sample; /* rows of the scaled columns, row-major */
    float *weight; /* of its rows: levels each */
    size_t rows;   /* that there is room for */
    double total;  /* weight of the rows that it is drawn from */
    double drawn;  /* rows that it has, in all rounds */
} ngi_softmax_metric;

typedef struct ngi_softmax {
    ng_ctx *ctx;
    const ngi_softmax_spec *spec;
    size_t width, levels, outputs, dim;
    size_t workers;
    ngi_softmax_worker *worker;
    double *panels; /* theta, by panels */
    bool origin;    /* theta is 0: so is eta */
    double *norm;   /* width: root of the mean square of a column */
    bool norms_known;
    double *curvature; /* 2 levels: means of p (1 - p) and p at the last pass */
    ngi_softmax_metric metric;
    double *storage;
} ngi_softmax;

/* ---- softmax_kernel.c ----------------------------------------------------
 * Outputs are cut into panels of equal width, at most PANEL: coefficients of
 * the panel that begins at output k are at `panels` + k width, those of a
 * column together. Columns have CHUNK rows at most. */
size_t ngi_softmax_panel_width(size_t outputs);
/* eta (column-major, ld rows apart) = X B'. */
void ngi_softmax_eta(size_t n, size_t width, size_t outputs,
                     const double *const *x, const double *panels, double *eta,
                     size_t ld);
/* panels += X' u, u like eta. */
void ngi_softmax_gradient(size_t n, size_t width, size_t outputs,
                          const double *const *x, const double *u, size_t ld,
                          double *panels);

/* ---- softmax_pass.c ---- */
ng_status ngi_softmax_create(ng_ctx *ctx, const ngi_softmax_spec *spec,
                             ngi_softmax *s);
void ngi_softmax_release(ngi_softmax *s);
/* The penalised mean loss at theta, the loss without the penalty, and the
 * gradient of the former. */
ng_status ngi_softmax_pass(ngi_softmax *s, const double *theta, double *loss,
                           double *objective, double *gradient);
void ngi_softmax_place(ngi_softmax *s, const double *theta);
/* Points the worker's columns at `count` rows of the block from `first` and
 * leaves their probabilities in its p. */
void ngi_softmax_probabilities(const ngi_softmax *s, ngi_softmax_worker *w,
                               const ngi_glm_block *block, size_t first,
                               size_t count);

/* ---- softmax_metric.c ---- */
ng_status ngi_softmax_metric_create(ngi_softmax *s);
void ngi_softmax_metric_release(ngi_softmax *s);
/* Forms the metric at theta, `curvature` being s->curvature after a pass
 * there; a factor for each level where that is wanted and can be had. */
ng_status ngi_softmax_metric_make(ngi_softmax *s, const double *theta,
                                  const double *curvature, bool blocks,
                                  double *examples);
/* The share of the variance of the levels' indicators that the rows' own
 * probabilities account for: 0 where all rows have the same. */
double ngi_softmax_explained(const ngi_softmax *s, const double *curvature);
/* What a new metric costs, in passes. */
double ngi_softmax_metric_cost(const ngi_softmax *s, bool blocks);
/* The next metric will look at more rows; false if there are none. */
bool ngi_softmax_metric_improve(ngi_softmax *s);
/* d = M^-1 g. */
void ngi_softmax_metric_solve(ngi_softmax *s, const double *g, double *d);

/* ---- softmax_secant.c ---- */
typedef struct ngi_secants {
    size_t dim, most, count, next;
    double *step, *change;   /* most x dim */
    double *product, *alpha; /* most each */
} ngi_secants;

ng_status ngi_secants_create(ng_ctx *ctx, size_t dim, size_t most,
                             ngi_secants *out);
void ngi_secants_release(ng_ctx *ctx, ngi_secants *secants);
void ngi_secants_clear(ngi_secants *secants);
/* A step from one gradient to the next. */
void ngi_secants_add(ngi_secants *secants, double length, const double *step,
                     const double *before, const double *after);
/* d = H g; `scratch` has dim entries. */
void ngi_secants_apply(ngi_secants *secants, ngi_softmax *s, const double *g,
                       double *d, double *scratch);

#endif
