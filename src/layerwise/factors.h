/* Kronecker factors of the Fisher's diagonal blocks: F_W = E[g g' (x) a a'] is
 * taken for G (x) A (Martens & Grosse 2015; Grosse & Martens 2016). */
#ifndef NGI_FACTORS_H
#define NGI_FACTORS_H

#include "layerwise/layerwise.h"

typedef enum block_kind {
    BLOCK_KRONECKER, /* W is g x a */
    BLOCK_TABLE,     /* embedding: A is diagonal, W is a x g */
    BLOCK_DIAGONAL   /* layer norm: the diagonal of F, `a` entries */
} block_kind;

typedef struct block {
    block_kind kind;
    size_t layer, group;
    size_t parameter; /* in theta */
    size_t a, g;      /* sizes; g is 0 for a diagonal */
    real *A, *G;      /* running averages: a x a (or a), g x g; lower */
    size_t a_worker, g_worker; /* who collects them */
    size_t inverse_worker;     /* and inverts both */
} block;

typedef struct factors {
    size_t blocks;
    block *block;
    real *memory;
    size_t size; /* reals of A and G together */
    real *row;   /* each worker's work: rows of a reduced convolution, or the
                    gradient of an example */
    size_t row_size;
} factors;

double NR(factors_memory)(const ngi_architecture *architecture,
                          const ng_train_options *options, size_t rows);
ng_status NR(factors_create)(metric *m, factors *f);
void NR(factors_destroy)(metric *m, factors *f);
void NR(factors_collect)(metric *m, factors *f, const collection *c,
                         size_t worker);
ng_status NR(factors_visit)(factors *f, ng_train_visitor visit, void *user);

/* pi of the factored Tikhonov damping (section 6.3): A + pi gamma I and G +
 * gamma / pi I. */
double NR(factors_pi)(const block *b);
/* The same from the means of both diagonals. */
double NR(balance)(double a, double g);
double NR(trace)(size_t n, const real *S);
/* S + damping I (lower triangle read) inverted in place, both triangles; where
 * rounding has made that indefinite, the multiple of I that stands for it. */
void NR(invert_damped)(size_t n, real *S, double damping);

#endif
