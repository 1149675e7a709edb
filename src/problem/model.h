/* The inside of a model problem, shared by the files that make its passes. */
#ifndef NGI_MODEL_H
#define NGI_MODEL_H

#include "base/base.h"
#include "natgrad/problem.h"

/* One worker's memory for a block of rows. */
typedef struct ngi_scratch {
    double *eta, *z, *dz, *d2z; /* rows x dim_z */
    double *z1;                 /* the same at a second point */
    double *u, *xi;             /* rows x dim_z: cotangents, tangents */
    double *M;                  /* rows x dim_z x dim_z: curvature in eta */
    double *M1;                 /* a second one, where derivatives need it */
    double *value, *value1;     /* rows */
    double *y;                  /* rows x dim_y: sampled labels */
    double *jacobian;           /* two of rows x the widest predictor's need */
    size_t jacobian_size;       /* of one */
    double *scaled;             /* rows x the widest Jacobian */
    double *work;               /* of the family */
    double *gradient;           /* dim: this worker's share */
    double *F;                  /* dim x dim; worker 0 writes to the caller */
    double *F_blocks;           /* diagonal blocks, likewise */
} ngi_scratch;

typedef struct ngi_model {
    ng_problem base;
    ng_model_spec spec;
    ng_predictor predictor[NG_FAMILY_MAX_BLOCKS];
    size_t theta_first[NG_FAMILY_MAX_BLOCKS];
    double *ridge, *shift, *scale; /* copies, or NULL */
    size_t ridge_block;
    double coupling; /* C = I - coupling 1 1' couples a column's outputs */
    /* Many products F v are taken at one theta: eta there, kept from the first
     * of them (rows x dim_z and dim; NULL unless blocks are reserved). */
    double *kept_eta, *kept_theta;
    bool keeps;
    size_t free_first, free_count; /* components of z that any theta moves */
    bool constant;                 /* z is the same in every row */
    size_t block_rows;
    size_t blocks;
    size_t workers;
    ngi_scratch *scratch;
    double *memory;
    double *dense;        /* (workers - 1) x dim^2, once reserved */
    double *block_shares; /* (workers - 1) x the blocks' memory, likewise */
} ngi_model;

/* A pass over all rows: `rows` is called for every block of rows, on the
 * worker that the block belongs to. Which worker that is depends on the
 * position alone. Sums are kept by worker and added in their order. */
typedef struct ngi_pass {
    ngi_model *model;
    void (*rows)(struct ngi_pass *pass, size_t worker, const ng_rows *rows);
    const double *theta, *theta1, *v;
    const ng_fisher *fisher;
    bool want_value, want_gradient, want_F, square_weights;
    double *gradient; /* sum over workers, dim */
    double *F;
    double *F_blocks;   /* diagonal blocks of F, NULL if not wanted */
    size_t stride;      /* above 1: one block of rows in so many */
    double *S;          /* rows of the root, written in place */
    double *sum, *sum1; /* one entry a worker */
    ng_status *status;
} ngi_pass;

static inline ngi_model *ngi_model_of(const ng_problem *problem) {
    return problem->state;
}

/* Runs the pass and adds up the workers' gradients and F. */
ng_status ngi_pass_run(ngi_pass *pass);

/* eta, z, dz, d2z of these rows at theta. */
void ngi_model_forward(const ngi_model *m, const ng_rows *rows,
                       const double *theta, ngi_scratch *s);
/* The same through m->kept_eta, where there is one: read, or written. */
void ngi_model_forward_kept(const ngi_model *m, const ng_rows *rows,
                            const double *theta, ngi_scratch *s);
/* z alone, for a second point, into z (through s->xi). */
void ngi_model_forward_z(const ngi_model *m, const ng_rows *rows,
                         const double *theta, ngi_scratch *s, double *z);
/* xi = J v; gradient += J' u. */
void ngi_model_jvp(const ngi_model *m, const ng_rows *rows, const double *theta,
                   const double *v, double *xi);
void ngi_model_vjp(const ngi_model *m, const ng_rows *rows, const double *theta,
                   const double *u, double *gradient);

/* Curvature rows M in eta, after ngi_model_forward. */
void ngi_model_curvature(const ngi_model *m, const ng_rows *rows,
                         const ng_fisher *fisher, ngi_scratch *s, double *M);
/* The exact one at s->eta as it stands. */
void ngi_model_exact_curvature(const ngi_model *m, size_t n, ngi_scratch *s,
                               double *M);
/* F += sum_i w_i J_i' M_i J_i / n over the first n of the rows. */
void ngi_model_accumulate_F(const ngi_model *m, const ng_rows *rows, size_t n,
                            const double *theta, const double *M,
                            const double *row_weight, ngi_scratch *s,
                            double *F);
/* Off-diagonal blocks over one design are symmetric and only their lower
 * halves are accumulated. */
void ngi_model_complete_F(const ngi_model *m, double *F);

/* Weight of row i over the total. */
static inline double ngi_row_weight(const ngi_model *m, const ng_rows *rows,
                                    size_t i) {
    return (rows->weight ? rows->weight[i] : 1) / m->spec.source.total_weight;
}

/* Entries of the table that live in files of their own. */
ng_status ngi_model_fisher_product(ng_problem *problem, const double *theta,
                                   const ng_fisher *fisher, const double *v,
                                   double *out);
ng_status ngi_model_fisher_diagonal(ng_problem *problem, const double *theta,
                                    const ng_fisher *fisher, double *diagonal);
size_t ngi_model_fisher_block_sizes(const ng_problem *problem, size_t *size);
size_t ngi_model_block_memory(const ngi_model *m);
ng_status ngi_model_fisher_blocks(ng_problem *problem, const double *theta,
                                  const ng_fisher *fisher, size_t stride,
                                  double *blocks);
size_t ngi_model_root_rows(const ng_problem *problem, const ng_fisher *fisher);
ng_status ngi_model_fisher_root(ng_problem *problem, const double *theta,
                                const ng_fisher *fisher, double *S);
ng_status ngi_model_connection(ng_problem *problem, const double *theta,
                               const double *v, double *out);
double ngi_model_penalty(const ngi_model *m, const double *theta);
double ngi_model_penalty_change(const ngi_model *m, const double *theta0,
                                const double *theta1);
void ngi_model_penalty_product(const ng_problem *problem, const double *v,
                               double *out);
void ngi_model_penalty_add(const ng_problem *problem, double *F);
void ngi_model_penalty_diagonal(const ng_problem *problem, double *diagonal);
ng_status ngi_model_penalty_solve(const ng_problem *problem, double damping,
                                  const double *v, double *out);

#endif
