/* From information to covariance. */
#include "learner/model.h"
#include "numerics/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* scale = 1 / sqrt(diag A), and A made scale A scale. */
static void equilibrate(size_t d, double *A, double *scale) {
    for (size_t i = 0; i < d; i++) {
        double diagonal = A[i * d + i];
        scale[i] = diagonal > 0 ? 1 / sqrt(diagonal) : 1;
    }
    for (size_t i = 0; i < d; i++) {
        for (size_t j = 0; j <= i; j++)
            A[i * d + j] *= scale[i] * scale[j];
    }
}

static void unscale(size_t d, double *A, const double *scale) {
    for (size_t i = 0; i < d; i++) {
        for (size_t j = 0; j <= i; j++)
            A[i * d + j] *= scale[i] * scale[j];
    }
    ngi_mirror(d, A);
}

/* A = V diag(1/w) V' without the eigenvalues that are zero to rounding, whose
 * vectors come first. */
static bool pseudo_invert(size_t d, double *A, double *V, double *w,
                          double *work, size_t *rank) {
    memcpy(V, A, d * d * sizeof *V);
    if (!ngi_eigen(d, V, w, work))
        return false;
    double cutoff = (double)d * DBL_EPSILON * fmax(fabs(w[0]), fabs(w[d - 1]));
    memset(A, 0, d * d * sizeof *A);
    *rank = 0;
    for (size_t k = 0; k < d; k++) {
        if (w[k] <= cutoff)
            continue;
        (*rank)++;
        ngi_syrk(d, 1, 1 / w[k], V + k * d, d, A, d);
    }
    return true;
}

static ng_status keep_null_space(ng_ctx *ctx, size_t d, const double *V,
                                 const double *scale,
                                 ngi_null_space *null_space) {
    size_t count = null_space->count;
    null_space->vector =
        ngi_alloc(ctx, count + 1, d * sizeof *null_space->vector);
    if (!null_space->vector)
        return NG_ENOMEM;
    memcpy(null_space->vector, V, count * d * sizeof *V);
    null_space->scale = null_space->vector + count * d;
    memcpy(null_space->scale, scale, d * sizeof *scale);
    return NG_OK;
}

ng_status ngi_invert_information(ng_ctx *ctx, size_t d, double *A,
                                 ngi_null_space *null_space) {
    *null_space = (ngi_null_space){0, NULL, NULL};
    if (d == 0)
        return NG_OK;
    ng_status status = NG_OK;
    double *L = ngi_alloc(ctx, d, d * sizeof *L);
    double *scale = ngi_alloc(ctx, 5 * d + ngi_eigen_work(d), sizeof *scale);
    int *iwork = ngi_alloc(ctx, d, sizeof *iwork);
    size_t rank = d;
    if (!L || !scale || !iwork) {
        status = NG_ENOMEM;
        goto done;
    }
    double *w = scale + d, *work = w + d;
    equilibrate(d, A, scale);
    memcpy(L, A, d * d * sizeof *L);
    double norm = ngi_symmetric_norm1(d, A, work);
    if (isfinite(norm) && ngi_cholesky(d, L) &&
        ngi_cholesky_rcond(d, L, norm, work, iwork) > (double)d * DBL_EPSILON &&
        ngi_cholesky_inverse(d, L)) {
        memcpy(A, L, d * d * sizeof *A);
    } else if (!isfinite(norm) || !pseudo_invert(d, A, L, w, work, &rank)) {
        status = ngi_fail(ctx, NG_ENUMERIC,
                          "the information matrix cannot be inverted");
        goto done;
    }
    null_space->count = d - rank;
    if (rank < d)
        status = keep_null_space(ctx, d, L, scale, null_space);
    unscale(d, A, scale);
done:
    ngi_free(ctx, L);
    ngi_free(ctx, scale);
    ngi_free(ctx, iwork);
    return status;
}

double ngi_standard_error(double variance, size_t d, const double *row,
                          const ngi_null_space *null_space) {
    for (size_t k = 0; k < null_space->count; k++) {
        const double *vector = null_space->vector + k * d;
        double sum = 0, size = 0;
        for (size_t j = 0; j < d; j++) {
            double scaled = row[j] * null_space->scale[j];
            sum += scaled * vector[j];
            size = hypot(size, scaled);
        }
        if (fabs(sum) > sqrt(DBL_EPSILON) * size)
            return HUGE_VAL;
    }
    /* Rounding can leave a variance of zero a shade below it. */
    return variance < 0 ? 0 : sqrt(variance);
}

ng_status ngi_transform_covariance(ng_ctx *ctx, size_t rows, size_t d,
                                   const double *T, const double *C,
                                   double *out) {
    double *CT = ngi_alloc(ctx, rows, d * sizeof *CT);
    if (!CT)
        return NG_ENOMEM;
    /* C is symmetric: T C is (rows x d) times C by rows. */
    ngi_gemm_nt(rows, d, d, T, d, C, d, CT, d);
    ngi_gemm_nt(rows, rows, d, CT, d, T, d, out, rows);
    ngi_free(ctx, CT);
    return NG_OK;
}
