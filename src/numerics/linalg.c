#include "numerics/linalg.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>

/* Row-major lower is column-major upper: LAPACK is always called in its own
 * column-major order with the other triangle, which neither copies nor
 * allocates. */
static const char TRIANGLE = 'U';

void ng_set_blas_threads(int threads) {
    openblas_set_num_threads(threads);
}

double ngi_dot(size_t n, const double *x, const double *y) {
    return cblas_ddot((int)n, x, 1, y, 1);
}

double ngi_norm(size_t n, const double *x) {
    return cblas_dnrm2((int)n, x, 1);
}

double ngi_max_abs(size_t n, const double *x) {
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(fabs(x[i]) <= largest))
            largest = fabs(x[i]);
    }
    return largest;
}

void ngi_axpy(size_t n, double a, const double *x, double *y) {
    cblas_daxpy((int)n, a, x, 1, y, 1);
}

bool ngi_all_finite(size_t n, const double *x) {
    /* x - x is 0 for finite x and NaN otherwise; the sum keeps the NaN. */
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] - x[i];
    return sum == 0;
}

void ngi_gemm_nt(size_t n, size_t k, size_t p, const double *A, size_t lda,
                 const double *B, size_t ldb, double *C, size_t ldc) {
    if (k == 1 && ldc == 1) {
        cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)n, (int)p, 1.0, A,
                    (int)lda, B, 1, 0.0, C, 1);
        return;
    }
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)k, (int)p,
                1.0, A, (int)lda, B, (int)ldb, 0.0, C, (int)ldc);
}

void ngi_gemm_tn(size_t k, size_t p, size_t n, const double *A, size_t lda,
                 const double *B, size_t ldb, double *C, size_t ldc) {
    if (k == 1 && lda == 1) {
        cblas_dgemv(CblasRowMajor, CblasTrans, (int)n, (int)p, 1.0, B, (int)ldb,
                    A, 1, 1.0, C, 1);
        return;
    }
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)k, (int)p, (int)n,
                1.0, A, (int)lda, B, (int)ldb, 1.0, C, (int)ldc);
}

void ngi_syrk(size_t p, size_t n, double alpha, const double *A, size_t lda,
              double *C, size_t ldc) {
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, (int)p, (int)n, alpha, A,
                (int)lda, 1.0, C, (int)ldc);
}

void ngi_syrk_columns(size_t p, size_t n, const double *A, size_t lda,
                      double *C, size_t ldc) {
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasNoTrans, (int)p, (int)n, 1.0, A,
                (int)lda, 1.0, C, (int)ldc);
}

void ngi_symv(size_t d, const double *S, const double *x, double *y) {
    cblas_dsymv(CblasRowMajor, CblasLower, (int)d, 1.0, S, (int)d, x, 1, 0.0, y,
                1);
}

void ngi_mirror(size_t d, double *S) {
    for (size_t i = 0; i < d; i++) {
        for (size_t j = 0; j < i; j++)
            S[j * d + i] = S[i * d + j];
    }
}

bool ngi_cholesky(size_t d, double *S) {
    return LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, TRIANGLE, (int)d, S,
                               (int)(d ? d : 1)) == 0;
}

void ngi_cholesky_solve(size_t d, const double *L, double *b) {
    int order = (int)(d ? d : 1);
    LAPACKE_dpotrs_work(LAPACK_COL_MAJOR, TRIANGLE, (int)d, 1, L, order, b,
                        order);
}

bool ngi_cholesky_inverse(size_t d, double *L) {
    return LAPACKE_dpotri_work(LAPACK_COL_MAJOR, TRIANGLE, (int)d, L,
                               (int)(d ? d : 1)) == 0;
}

double ngi_symmetric_norm1(size_t d, const double *S, double *work) {
    return LAPACKE_dlansy_work(LAPACK_COL_MAJOR, '1', TRIANGLE, (int)d, S,
                               (int)(d ? d : 1), work);
}

double ngi_cholesky_rcond(size_t d, const double *L, double norm, double *work,
                          int *iwork) {
    double rcond = 0;
    if (LAPACKE_dpocon_work(LAPACK_COL_MAJOR, TRIANGLE, (int)d, L,
                            (int)(d ? d : 1), norm, &rcond, work, iwork) != 0)
        return 0;
    return rcond;
}

size_t ngi_eigen_work(size_t d) {
    /* LAPACK's block size of 32, and 2 more columns (dsyev). */
    return 34 * d + 1;
}

bool ngi_eigen(size_t d, double *S, double *w, double *work) {
    return LAPACKE_dsyev_work(LAPACK_COL_MAJOR, 'V', TRIANGLE, (int)d, S,
                              (int)(d ? d : 1), w, work,
                              (int)ngi_eigen_work(d)) == 0;
}

/* Columns that are reduced together: Householder vectors of a panel are
 * applied to what follows as one product. */
enum { QR_PANEL = 32 };

size_t ngi_qr_work(size_t d) {
    return 2 * QR_PANEL * d + 1;
}

void ngi_qr_append(size_t d, double *R, size_t n, double *B, size_t ldb,
                   bool upper, double *work) {
    int panel = d < QR_PANEL ? (int)d : QR_PANEL;
    if (d == 0 || n == 0)
        return;
    /* The factors of Q, panel x d, and the scratch beside them. */
    LAPACKE_dtpqrt_work(LAPACK_COL_MAJOR, (int)n, (int)d, upper ? (int)n : 0,
                        panel, R, (int)d, B, (int)ldb, work, panel,
                        work + QR_PANEL * d);
}
