/* A fitted glm applied to the rows of a frame, block by block: X is never held
 * whole. */
#ifndef NGI_APPLY_H
#define NGI_APPLY_H

#include "learner/model.h"

typedef struct ngi_apply {
    const ng_model *model;
    const ng_frame *frame;
    bool with_target;
    ngi_table table;
    ngi_design_binding binding;
    ngi_glm_kernel kernel;                       /* none for multinomial */
    const double *offset, *prior, *trial_column; /* of the frame, or NULL */
    double *matched;       /* n level indices, where the target has levels */
    const double *target;  /* n, where the design has no left side */
    const double **values; /* of the table's columns, at the block */
    double *storage;
    /* The block. */
    size_t first, count;
    const double **x;     /* width columns */
    double *work;         /* of the design */
    double *eta;          /* count x outputs, row-major */
    double *z, *dz;       /* with a mean: the family's coordinate, d/d eta */
    double *mean, *dmean; /* with a mean: and d/d eta */
    double *p;            /* with levels: count x levels */
    double *family_work;  /* of the core family */
    /* With a target: shares of successes, level indices; prior weights times
     * trials; trials (1 where there are none). */
    double *y, *weight, *trials, *failures;
} ngi_apply;

enum { NGI_APPLY_ROWS = 256 };

/* NG_EDATA names what does not match. */
ng_status ngi_apply_open(const ng_model *model, const ng_frame *frame,
                         bool with_target, ngi_apply *out);
void ngi_apply_close(ngi_apply *apply);
/* The next block, or count = 0. NG_EDATA for a row whose predictor is outside
 * the link's domain, or whose target is outside the family's support. */
ng_status ngi_apply_next(ngi_apply *apply);
/* The law of y in row i of the block. */
ngi_glm_law ngi_apply_law(const ngi_apply *apply, size_t i);
/* The parameters that all rows share. */
const double *ngi_model_shared(const ng_model *model);
/* The mean at a linear predictor; NaN outside the link's domain. Not for
 * families with levels. */
double ngi_model_mean_at(const ng_model *model, double eta);
/* A table of numbers; its columns are to be named, each once: "what" or
 * "what[of]". */
ng_status ngi_prediction_create(ng_ctx *ctx, size_t rows, size_t columns,
                                ng_prediction **out);
ng_status ngi_prediction_name(ng_prediction *prediction, size_t i,
                              const char *what, const char *of);
/* NG_EDATA: FILE: row R, column "C": expected WHAT, found X. */
ng_status ngi_apply_bad_row(const ngi_apply *apply, size_t i,
                            const char *column, const char *expected,
                            double found);

#endif
