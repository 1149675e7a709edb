/* Dense algebra in single precision, for what only has to be near: a
 * Fisher that directs steps, factors of preconditioners. With linalg.c the only
 * place that includes cblas.h or lapacke.h for the library's own numerics. */
#ifndef NGI_LINALG_SINGLE_H
#define NGI_LINALG_SINGLE_H

#include "base/base.h"

/* Lower triangle of C (p x p) += A' A of columns: A is column-major, n x p with
 * leading dimension lda. */
void ngi_syrk_columns_single(size_t p, size_t n, const float *A, size_t lda,
                             float *C, size_t ldc);

/* S = L L' in place, d x d, lower triangle (row-major); false if a pivot is
 * not positive. */
bool ngi_cholesky_single(size_t d, float *S);
/* Solves L L' x = b in place of each of `count` right sides, one after the
 * other in B. */
void ngi_cholesky_solve_single(size_t d, const float *L, size_t count,
                               float *B);

/* A triangle in d (d + 1) / 2 numbers, as fast to compute with as a square:
 * the rectangular full packed format (Gustavson, Wasniewski, Dongarra & Langou
 * 2010). The same three operations, and += A' A for A of n rows of d. */
size_t ngi_packed_size(size_t d);
/* Where the diagonal's entry i is. */
size_t ngi_packed_diagonal(size_t d, size_t i);
void ngi_packed_syrk_single(size_t d, size_t n, const float *A, float *S);
bool ngi_packed_cholesky_single(size_t d, float *S);
void ngi_packed_solve_single(size_t d, const float *L, float *b);

#endif
