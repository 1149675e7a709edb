/* BLAS and LAPACK in the precision at hand. */
#include "network/real.h"

#include <cblas.h>
#include <lapacke.h>
#include <stdint.h>

#if NGI_DOUBLE
#define CBLAS(name)  cblas_d##name
#define LAPACK(name) LAPACKE_d##name##_work
#else
#define CBLAS(name)  cblas_s##name
#define LAPACK(name) LAPACKE_s##name##_work
#endif

void NR(gemm_nt)(size_t m, size_t n, size_t k, real alpha, const real *A,
                 size_t lda, const real *B, size_t ldb, real beta, real *C,
                 size_t ldc) {
    if (m && n)
        CBLAS(gemm)
    (CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)n, (int)k, alpha, A,
     (int)lda, B, (int)ldb, beta, C, (int)ldc);
}

void NR(gemm_nn)(size_t m, size_t n, size_t k, real alpha, const real *A,
                 size_t lda, const real *B, size_t ldb, real beta, real *C,
                 size_t ldc) {
    if (m && n)
        CBLAS(gemm)
    (CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)n, (int)k, alpha,
     A, (int)lda, B, (int)ldb, beta, C, (int)ldc);
}

void NR(gemm_tn)(size_t m, size_t n, size_t k, real alpha, const real *A,
                 size_t lda, const real *B, size_t ldb, real beta, real *C,
                 size_t ldc) {
    if (m && n)
        CBLAS(gemm)
    (CblasRowMajor, CblasTrans, CblasNoTrans, (int)m, (int)n, (int)k, alpha, A,
     (int)lda, B, (int)ldb, beta, C, (int)ldc);
}

void NR(syrk_tn)(size_t n, size_t k, real alpha, const real *A, size_t lda,
                 real beta, real *C, size_t ldc) {
    CBLAS(syrk)
    (CblasRowMajor, CblasLower, CblasTrans, (int)n, (int)k, alpha, A, (int)lda,
     beta, C, (int)ldc);
}

void NR(syrk_nt)(size_t m, size_t k, real alpha, const real *A, size_t lda,
                 real beta, real *C, size_t ldc) {
    CBLAS(syrk)
    (CblasRowMajor, CblasLower, CblasNoTrans, (int)m, (int)k, alpha, A,
     (int)lda, beta, C, (int)ldc);
}

/* Tiles, so that neither side of the copy walks through memory in long
 * strides. */
void NR(mirror)(size_t n, real *S) {
    enum { TILE = 32 };
    for (size_t i0 = 0; i0 < n; i0 += TILE)
        for (size_t j0 = 0; j0 <= i0; j0 += TILE)
            for (size_t i = i0; i < i0 + TILE && i < n; i++)
                for (size_t j = j0; j < j0 + TILE && j < i; j++)
                    S[j * n + i] = S[i * n + j];
}

/* A row-major lower triangle is a column-major upper one. */
bool NR(cholesky)(size_t n, real *S) {
    return LAPACK(potrf)(LAPACK_COL_MAJOR, 'U', (int)n, S, (int)n) == 0;
}

void NR(cholesky_solve)(size_t n, const real *L, real *b) {
    LAPACK(potrs)
    (LAPACK_COL_MAJOR, 'U', (int)n, 1, L, (int)n, b, (int)n);
}

bool NR(invert)(size_t n, real *S) {
    if (!NR(cholesky)(n, S) ||
        LAPACK(potri)(LAPACK_COL_MAJOR, 'U', (int)n, S, (int)n) != 0)
        return false;
    NR(mirror)(n, S);
    return true;
}

/* Space of ?syevd: 1 + 6n + 2n^2 reals and 3 + 5n integers. */
size_t NR(eigen_work)(size_t n) {
    return 2 * n * n + 12 * n + 16;
}

bool NR(eigen)(size_t n, real *S, real *w, real *work) {
    size_t reals = 1 + 6 * n + 2 * n * n, integers = 3 + 5 * n;
    int *iwork = (int *)(void *)(work + reals + (reals & 1));
    if (reals > INT32_MAX)
        return false;
    return LAPACK(syevd)(LAPACK_COL_MAJOR, 'V', 'U', (int)n, S, (int)n, w, work,
                         (int)reals, iwork, (int)integers) == 0;
}
