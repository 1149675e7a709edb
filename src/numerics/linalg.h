/* The dense linear algebra that natgrad needs. Nothing else includes cblas.h
 * or lapacke.h. Symmetric matrices are d x d with leading dimension d, and
 * only the lower triangle (row-major: a[i*d+j], j <= i) is read or written
 * unless said otherwise. Vectors and row blocks are contiguous. */
#ifndef NGI_LINALG_H
#define NGI_LINALG_H

#include "base/base.h"

double ngi_dot(size_t n, const double *x, const double *y);
double ngi_norm(size_t n, const double *x);
double ngi_max_abs(size_t n, const double *x);
/* y += a x */
void ngi_axpy(size_t n, double a, const double *x, double *y);
bool ngi_all_finite(size_t n, const double *x);

/* C (n x k, ld ldc) = A (n x p, ld lda) B^T, B k x p. */
void ngi_gemm_nt(size_t n, size_t k, size_t p, const double *A, size_t lda,
                 const double *B, size_t ldb, double *C, size_t ldc);
/* C (k x p, ld ldc) += A^T (A n x k) B (n x p). */
void ngi_gemm_tn(size_t k, size_t p, size_t n, const double *A, size_t lda,
                 const double *B, size_t ldb, double *C, size_t ldc);
/* Lower triangle of C (p x p) += alpha A^T A, A n x p. */
void ngi_syrk(size_t p, size_t n, double alpha, const double *A, size_t lda,
              double *C, size_t ldc);
/* The same of columns: A is column-major, n x p with leading dimension lda. */
void ngi_syrk_columns(size_t p, size_t n, const double *A, size_t lda,
                      double *C, size_t ldc);
/* y = S x, S symmetric (lower). */
void ngi_symv(size_t d, const double *S, const double *x, double *y);
void ngi_mirror(size_t d, double *S); /* lower triangle to upper */

/* S = L L^T in place; false if a pivot is not positive. */
bool ngi_cholesky(size_t d, double *S);
/* Solves L L^T x = b in place of b. */
void ngi_cholesky_solve(size_t d, const double *L, double *b);
/* Lower triangle of (L L^T)^-1 in place of L. */
bool ngi_cholesky_inverse(size_t d, double *L);
/* Reciprocal condition number in the 1-norm of the matrix that L factors. */
double ngi_cholesky_rcond(size_t d, const double *L, double norm,
                          double *work /* 3d */, int *iwork /* d */);
double ngi_symmetric_norm1(size_t d, const double *S, double *work /* d */);

/* S = V diag(w) V^T: eigenvalues ascending in w, eigenvector k in row k of V,
 * which replaces S. `work` is ngi_eigen_work(d) doubles: linear in d, so that
 * it can be held ready. False if it does not converge. */
size_t ngi_eigen_work(size_t d);
bool ngi_eigen(size_t d, double *S, double *w, double *work);

/* R of [R; B] = Q R' in place of R, B destroyed: B is n x d, column-major with
 * leading dimension ldb, and `upper` where it is square and triangular itself.
 * R is d x d, upper and column-major: read as the library reads lower
 * triangles it is L with L L^T = R^T R. `work` is ngi_qr_work(d) doubles. */
size_t ngi_qr_work(size_t d);
void ngi_qr_append(size_t d, double *R, size_t n, double *B, size_t ldb,
                   bool upper, double *work);

#endif
