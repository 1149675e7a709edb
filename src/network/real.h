/* Files named *.real.c are compiled twice, with `real` as float and as double,
 * and their shared names end in _f32 and _f64: NR(name) is that name. */
#ifndef NGI_REAL_H
#define NGI_REAL_H

#include "base/base.h"

#if NGI_DOUBLE
typedef double real;
#define NR(name)     ngi_##name##_f64
#define REAL_EPSILON 2.2204460492503131e-16
#else
typedef float real;
#define NR(name)     ngi_##name##_f32
#define REAL_EPSILON 1.1920929e-07
#endif

/* Kernels over arrays are compiled for several instruction sets; the best one
 * is chosen when the program is loaded. Sanitizers cannot follow that. */
#if defined(__x86_64__) && defined(__linux__) && !defined(__clang__) &&        \
    !defined(__SANITIZE_ADDRESS__)
#define NGI_VECTOR __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define NGI_VECTOR
#endif

/* ---- Dense algebra (algebra.real.c) ---------------------------------------
 * Row-major; ld is the distance of rows. */

/* C (m x n) = alpha A (m x k) B' + beta C, B n x k. */
void NR(gemm_nt)(size_t m, size_t n, size_t k, real alpha, const real *A,
                 size_t lda, const real *B, size_t ldb, real beta, real *C,
                 size_t ldc);
/* C (m x n) = alpha A (m x k) B + beta C, B k x n. */
void NR(gemm_nn)(size_t m, size_t n, size_t k, real alpha, const real *A,
                 size_t lda, const real *B, size_t ldb, real beta, real *C,
                 size_t ldc);
/* C (m x n) = alpha A' B + beta C, A k x m, B k x n. */
void NR(gemm_tn)(size_t m, size_t n, size_t k, real alpha, const real *A,
                 size_t lda, const real *B, size_t ldb, real beta, real *C,
                 size_t ldc);
/* Lower triangle of C (n x n) = alpha A' A + beta C, A k x n. */
void NR(syrk_tn)(size_t n, size_t k, real alpha, const real *A, size_t lda,
                 real beta, real *C, size_t ldc);
/* Lower triangle of C (m x m) = alpha A A' + beta C, A m x k. */
void NR(syrk_nt)(size_t m, size_t k, real alpha, const real *A, size_t lda,
                 real beta, real *C, size_t ldc);
/* The inverse of S (n x n, lower triangle read), both triangles, in place;
 * false if S is not positive definite. */
bool NR(invert)(size_t n, real *S);
/* S = L L' in place; false if S is not positive definite. */
bool NR(cholesky)(size_t n, real *S);
/* L L' x = b in place of b. */
void NR(cholesky_solve)(size_t n, const real *L, real *b);
/* S = sum_k w_k v_k v_k': eigenvalues ascending, eigenvector k in ROW k of V,
 * which replaces S (lower triangle read). `work` is eigen_work(n) reals and as
 * many ints. False if it does not converge. */
size_t NR(eigen_work)(size_t n);
bool NR(eigen)(size_t n, real *S, real *w, real *work);
void NR(mirror)(size_t n, real *S); /* lower triangle to upper */

/* ---- Kernels over arrays (vector.real.c) ----------------------------------
 */
double NR(dot)(size_t n, const real *x, const real *y);
/* y = a x + b y */
void NR(axpby)(size_t n, real a, const real *x, real b, real *y);
void NR(tanh)(size_t n, const real *x, real *y);
void NR(sigmoid)(size_t n, const real *x, real *y);
/* log(1 + e^x) */
void NR(softplus)(size_t n, const real *x, real *y);
/* log(1 + e^-|x|) */
void NR(softplus_tail)(size_t n, const real *x, real *y);
void NR(exp)(size_t n, const real *x, real *y);
/* Is every value finite? */
bool NR(finite)(size_t n, const real *x);

#endif
