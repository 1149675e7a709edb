/* Blocks of F that are held as they are: a layer's, or the whole of it. Two
 * matrices each, the running average and its damped Cholesky factor; the
 * factor is made at once, for what waits beside the training would need a
 * third. */
#ifndef NGI_DENSE_BLOCKS_H
#define NGI_DENSE_BLOCKS_H

#include "layerwise/rows.h"

typedef struct dense_block {
    size_t layer, layers; /* whose parameters */
    size_t parameter, size;
    real *F, *L;   /* size x size, lower triangles */
    size_t worker; /* who factors and solves */
} dense_block;

typedef struct dense_blocks {
    size_t blocks;
    dense_block *block;
    real *memory;
    size_t size;   /* reals of all F and of all L */
    real *rows;    /* gradients of a few examples, for each worker */
    size_t widest; /* reals of a row */
    double damping;
} dense_blocks;

/* One block for all layers, or one for each layer that has parameters. */
double NR(dense_blocks_memory)(const ngi_architecture *architecture,
                               bool whole);
ng_status NR(dense_blocks_create)(metric *m, bool whole);
void NR(dense_blocks_destroy)(metric *m);
void NR(dense_blocks_collect)(metric *m, const collection *c, size_t worker);
void NR(dense_blocks_refresh)(metric *m, double damping, bool beside);
void NR(dense_blocks_adopt)(metric *m);
ng_status NR(dense_blocks_solve)(metric *m, const real *g, real *d);
ng_status NR(dense_blocks_visit)(metric *m, int loading, ng_train_visitor visit,
                                 void *user);

#endif
