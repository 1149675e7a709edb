/* Families of distributions p(y | z) and the links that lead to them.
 *
 * A family's parameters z are unconstrained reals. Everything is vectorised
 * over rows: z is n x dim_z and y is n x dim_y, both row-major, and row i of
 * the output belongs to row i of the input. All logarithms are natural, all
 * information is in nats. Functions named here never allocate. */
#ifndef NATGRAD_FAMILY_H
#define NATGRAD_FAMILY_H

#include "natgrad/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ng_family ng_family;

/* How a component of z is made from the customary quantity q it stands for;
 * links are taken of q. */
typedef enum ng_coordinate {
    NG_COORDINATE_REAL,  /* z = q, any real */
    NG_COORDINATE_LOG,   /* z = log q, q > 0 */
    NG_COORDINATE_LOGIT, /* z = log(q / (1 - q)), 0 < q < 1 */
    NG_COORDINATE_OTHER  /* no scalar quantity of its own; identity link only */
} ng_coordinate;

/* A block of z: a run of components that share one predictor and one link
 * (mean; log sd; logits; ...). */
typedef struct ng_family_block {
    const char *name; /* of the quantity: "mean", "sd", "shape", ... */
    size_t first, count;
    ng_coordinate coordinate;
} ng_family_block;

enum { NG_FAMILY_MAX_BLOCKS = 3 };

/* What a new family supplies, in a file of its own (see src/family). `work`
 * is ops->work(family) doubles of scratch. Where an entry is marked optional,
 * NULL selects the generic method named beside it. Values outside the support
 * give a log-density of -inf; an entry never returns NaN for finite z and for
 * y in the support. */
typedef struct ng_family_ops {
    const char *name;    /* stable key: command line, JSON, model files */
    const char *support; /* what y must be, for error messages */
    int discrete;        /* y is a count or a class */
    int smooth;          /* 0 where log p has kinks in z (Laplace) */
    /* Sets every dimension and the blocks from `size` (levels or columns);
     * returns 0 if the family cannot have that size. */
    int (*shape)(size_t size, ng_family *family);
    size_t (*work)(const ng_family *f); /* optional: no scratch */
    int (*in_support)(const ng_family *f, const double *y); /* one row */

    void (*log_density)(const ng_family *f, size_t n, const double *z,
                        const double *y, double *out, double *work);
    /* d log p / dz: n x dim_z */
    void (*score)(const ng_family *f, size_t n, const double *z,
                  const double *y, double *out, double *work);
    /* E[score scoreT]: n x dim_z x dim_z, full symmetric matrices */
    void (*fisher)(const ng_family *f, size_t n, const double *z, double *out,
                   double *work);
    /* out = (F + damping I)^+ u row by row, the pseudo-inverse where the sum
     * is singular. Optional: eigendecomposition of `fisher`. */
    void (*fisher_solve)(const ng_family *f, size_t n, const double *z,
                         double damping, const double *u, double *out,
                         double *work);
    /* -d2 log p / dz2 at the data: n x dim_z x dim_z */
    void (*observed)(const ng_family *f, size_t n, const double *z,
                     const double *y, double *out, double *work);
    /* KL(p(.|z0) || p(.|z1)): n; keeps its relative accuracy as z1 -> z0 */
    void (*kl)(const ng_family *f, size_t n, const double *z0, const double *z1,
               double *out, double *work);
    void (*sample)(const ng_family *f, size_t n, const double *z, ng_rng *rng,
                   double *y, double *work);
    /* n x dim_mean each; NaN-free: +-inf where the moment is infinite or does
     * not exist */
    void (*mean)(const ng_family *f, size_t n, const double *z, double *out,
                 double *work);
    void (*variance)(const ng_family *f, size_t n, const double *z, double *out,
                     double *work);
    /* Marginal distribution functions P(Y_j <= y_j) and their inverses (the
     * smallest y with P >= p, 0 < p < 1): n x dim_marginal. */
    void (*cdf)(const ng_family *f, size_t n, const double *z, const double *y,
                double *out, double *work);
    void (*quantile)(const ng_family *f, size_t n, const double *z, double p,
                     double *out, double *work);

    /* Customary parameters c, with R's names: n x dim_customary. */
    void (*to_customary)(const ng_family *f, size_t n, const double *z,
                         double *c, double *work);
    void (*from_customary)(const ng_family *f, size_t n, const double *c,
                           double *z, double *work);
    /* dc/dz of one row: dim_customary x dim_z, for the delta method */
    void (*customary_jacobian)(const ng_family *f, const double *z, double *J,
                               double *work);
    /* Writes the name of customary parameter i; `columns` (dim_y names, or
     * level names for a categorical) may be NULL, and then indices serve. */
    void (*customary_name)(const ng_family *f, size_t i,
                           const char *const *columns, char *out, size_t size);
    /* Where a fit begins: one z from n rows with weights w (not all zero),
     * by moments or medians. Always finite. */
    void (*start)(const ng_family *f, size_t n, const double *y,
                  const double *w, double *z, double *work);
} ng_family_ops;

/* A family with its sizes filled in. A plain value: copy it freely. */
struct ng_family {
    const ng_family_ops *ops;
    size_t size;         /* levels of a categorical, columns of a vector y */
    size_t dim_z;        /* parameters a row */
    size_t dim_y;        /* columns of y */
    size_t dim_mean;     /* columns of mean and variance */
    size_t dim_marginal; /* columns of cdf and quantile */
    size_t dim_customary;
    size_t blocks;
    ng_family_block block[NG_FAMILY_MAX_BLOCKS];
};

/* Finds a family by name and sizes it. `size` counts the levels of
 * "categorical" (K-1 logits against the first level) and "softmax" (K logits,
 * one of them redundant, so that the Fisher is singular) or the columns of
 * "mvnormal" and "dirichlet"; the scalar families take 1. NG_EUSAGE for an
 * unknown name or an impossible size; the message lists the names. */
NG_API NG_MUST_CHECK ng_status ng_family_init(ng_ctx *ctx, const char *name,
                                              size_t size, ng_family *out);

/* The table of all families, ended by NULL. */
NG_API const ng_family_ops *const *ng_family_list(void);

/* Doubles of scratch that the entries of `f` need. */
NG_API size_t ng_family_work(const ng_family *f);

/* (F + damping I)^+ u, by the family's own method or the generic one.
 * `work` is ng_family_work(f) doubles. */
NG_API void ng_family_fisher_solve(const ng_family *f, size_t n,
                                   const double *z, double damping,
                                   const double *u, double *out, double *work);

/* Links: eta = g(q), where q is a block's quantity. Problems need the way
 * back to the family's own coordinate, z(eta), with two derivatives. */
typedef enum ng_link {
    NG_LINK_IDENTITY,
    NG_LINK_LOG,
    NG_LINK_LOGIT,
    NG_LINK_PROBIT,
    NG_LINK_CLOGLOG,
    NG_LINK_CAUCHIT,
    NG_LINK_INVERSE,
    NG_LINK_INVERSE_SQUARE, /* "1/mu^2" */
    NG_LINK_SQRT,
    NG_LINK_COUNT
} ng_link;

/* R's names: "identity", "log", "logit", "probit", "cloglog", "cauchit",
 * "inverse", "1/mu^2", "sqrt". */
NG_API const char *ng_link_name(ng_link link);
NG_API NG_MUST_CHECK ng_status ng_link_find(ng_ctx *ctx, const char *name,
                                            ng_link *out);

/* z(eta) and, where the pointers are not NULL, dz/deta and d2z/deta2, for n
 * values. An eta that no q belongs to (a negative mean) gives z = NaN: the
 * loss there is infinite and steps turn back. */
NG_API void ng_link_inverse(ng_link link, ng_coordinate coordinate, size_t n,
                            const double *eta, double *z, double *dz,
                            double *d2z);

/* eta = g(q) from the family's coordinate z. */
NG_API void ng_link_forward(ng_link link, ng_coordinate coordinate, size_t n,
                            const double *z, double *eta);

#ifdef __cplusplus
}
#endif
#endif
