#include "numerics/linalg_single.h"

#include <cblas.h>
#include <lapacke.h>

/* Row-major lower is column-major upper, as in linalg.c. */
void ngi_syrk_columns_single(size_t p, size_t n, const float *A, size_t lda,
                             float *C, size_t ldc) {
    cblas_ssyrk(CblasRowMajor, CblasLower, CblasNoTrans, (int)p, (int)n, 1.0F,
                A, (int)lda, 1.0F, C, (int)ldc);
}

bool ngi_cholesky_single(size_t d, float *S) {
    return LAPACKE_spotrf_work(LAPACK_COL_MAJOR, 'U', (int)d, S,
                               (int)(d ? d : 1)) == 0;
}

void ngi_cholesky_solve_single(size_t d, const float *L, size_t count,
                               float *B) {
    int order = (int)(d ? d : 1);
    LAPACKE_spotrs_work(LAPACK_COL_MAJOR, 'U', (int)d, (int)count, L, order, B,
                        order);
}

size_t ngi_packed_size(size_t d) {
    return d * (d + 1) / 2;
}

/* Not transposed, lower, column-major. For an even d = 2k the array is
 * (d + 1) x k: rows 0 .. k of column j hold the lower right triangle
 * transposed, above the left half that is one row further down. For an odd
 * d = 2k + 1 it is d x (k + 1), and the lower right triangle is one column to
 * the right instead. */
size_t ngi_packed_diagonal(size_t d, size_t i) {
    size_t half = d / 2, even = d % 2 == 0;
    size_t left = even ? half : half + 1, ld = even ? d + 1 : d;
    if (i < left)
        return i * ld + i + even;
    size_t m = i - left;
    return even ? m * ld + m : (m + 1) * ld + m;
}

void ngi_packed_syrk_single(size_t d, size_t n, const float *A, float *S) {
    if (d && n)
        LAPACKE_ssfrk_work(LAPACK_COL_MAJOR, 'N', 'L', 'N', (int)d, (int)n,
                           1.0F, A, (int)d, 1.0F, S);
}

bool ngi_packed_cholesky_single(size_t d, float *S) {
    return LAPACKE_spftrf_work(LAPACK_COL_MAJOR, 'N', 'L', (int)d, S) == 0;
}

void ngi_packed_solve_single(size_t d, const float *L, float *b) {
    LAPACKE_spftrs_work(LAPACK_COL_MAJOR, 'N', 'L', (int)d, 1, L, b,
                        (int)(d ? d : 1));
}
