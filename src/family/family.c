/* The table that names the families, and the generic solve. */
#include "family/family.h"

#include "base/base.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const ng_family_ops *const FAMILIES[] = {&ngi_family_bernoulli,
                                                &ngi_family_categorical,
                                                &ngi_family_softmax,
                                                &ngi_family_normal,
                                                &ngi_family_mvnormal,
                                                &ngi_family_poisson,
                                                &ngi_family_exponential,
                                                &ngi_family_gamma,
                                                &ngi_family_inverse_gaussian,
                                                &ngi_family_negative_binomial,
                                                &ngi_family_beta,
                                                &ngi_family_weibull,
                                                &ngi_family_gumbel,
                                                &ngi_family_logistic,
                                                &ngi_family_lognormal,
                                                &ngi_family_student_t,
                                                &ngi_family_laplace,
                                                &ngi_family_vonmises,
                                                &ngi_family_dirichlet,
                                                NULL};

const ng_family_ops *const *ng_family_list(void) {
    return FAMILIES;
}

static ng_status unknown_family(ng_ctx *ctx, const char *name) {
    char names[512];
    size_t used = 0;
    for (size_t i = 0; FAMILIES[i]; i++) {
        int written = snprintf(names + used, sizeof names - used, "%s%s",
                               i ? ", " : "", FAMILIES[i]->name);
        used += (size_t)written;
    }
    return ngi_fail(ctx, NG_EUSAGE, "unknown family \"%s\"; expected one of %s",
                    name, names);
}

ng_status ng_family_init(ng_ctx *ctx, const char *name, size_t size,
                         ng_family *out) {
    for (size_t i = 0; FAMILIES[i]; i++) {
        if (strcmp(FAMILIES[i]->name, name) != 0)
            continue;
        memset(out, 0, sizeof *out);
        out->ops = FAMILIES[i];
        out->size = size;
        if (!out->ops->shape(size, out))
            return ngi_fail(ctx, NG_EUSAGE,
                            "family \"%s\" cannot have %zu levels or columns",
                            name, size);
        return NG_OK;
    }
    return unknown_family(ctx, name);
}

/* Generic solve: Jacobi's eigenvalue method on the row's small matrix. */
static size_t generic_work(const ng_family *f) {
    return 2 * f->dim_z * f->dim_z + f->dim_z;
}

size_t ng_family_work(const ng_family *f) {
    size_t own = f->ops->work ? f->ops->work(f) : 0;
    return own + (f->ops->fisher_solve ? 0 : generic_work(f));
}

/* Annihilates A[p][q]; false where it is negligible already. */
static bool rotate(size_t d, double *A, double *V, size_t p, size_t q) {
    double apq = A[p * d + q], app = A[p * d + p], aqq = A[q * d + q];
    if (fabs(apq) <= 0.25 * DBL_EPSILON * sqrt(fabs(app)) * sqrt(fabs(aqq)))
        return false;
    double theta = (aqq - app) / (2 * apq);
    double t = copysign(1, theta) / (fabs(theta) + hypot(theta, 1));
    double c = 1 / hypot(t, 1), s = t * c;
    for (size_t k = 0; k < d; k++) {
        double akp = A[k * d + p], akq = A[k * d + q];
        A[k * d + p] = c * akp - s * akq;
        A[k * d + q] = s * akp + c * akq;
    }
    for (size_t k = 0; k < d; k++) {
        double apk = A[p * d + k], aqk = A[q * d + k];
        A[p * d + k] = c * apk - s * aqk;
        A[q * d + k] = s * apk + c * aqk;
        double vkp = V[k * d + p], vkq = V[k * d + q];
        V[k * d + p] = c * vkp - s * vkq;
        V[k * d + q] = s * vkp + c * vkq;
    }
    return true;
}

/* Cyclic Jacobi rotations (Golub & Van Loan, 8.5): A becomes diagonal, the
 * columns of V its eigenvectors. */
static void jacobi_eigen(size_t d, double *A, double *V) {
    enum { MAX_SWEEPS = 60 };
    for (size_t i = 0; i < d * d; i++)
        V[i] = i % (d + 1) ? 0 : 1;
    for (int sweep = 0; sweep < MAX_SWEEPS; sweep++) {
        bool rotated = false;
        for (size_t p = 0; p + 1 < d; p++) {
            for (size_t q = p + 1; q < d; q++)
                rotated |= rotate(d, A, V, p, q);
        }
        if (!rotated)
            return;
    }
}

void ng_family_fisher_solve(const ng_family *f, size_t n, const double *z,
                            double damping, const double *u, double *out,
                            double *work) {
    if (f->ops->fisher_solve) {
        f->ops->fisher_solve(f, n, z, damping, u, out, work);
        return;
    }
    size_t d = f->dim_z;
    double *F = work, *V = F + d * d, *t = V + d * d, *own = t + d;
    for (size_t i = 0; i < n; i++) {
        f->ops->fisher(f, 1, z + i * d, F, own);
        jacobi_eigen(d, F, V);
        double largest = 0;
        for (size_t k = 0; k < d; k++)
            largest = fmax(largest, F[k * d + k]);
        double largest_part = DBL_MAX / (double)d;
        double cutoff = (double)d * DBL_EPSILON * (largest + damping);
        for (size_t k = 0; k < d; k++) {
            double eigenvalue = F[k * d + k] + damping;
            t[k] = 0;
            for (size_t j = 0; j < d; j++)
                t[k] += V[j * d + k] * u[i * d + j];
            t[k] = eigenvalue > cutoff ? t[k] / eigenvalue : 0;
            /* Sums of the parts below must not meet as inf - inf. */
            t[k] = fmax(-largest_part, fmin(t[k], largest_part));
        }
        for (size_t j = 0; j < d; j++) {
            out[i * d + j] = 0;
            for (size_t k = 0; k < d; k++)
                out[i * d + j] += V[j * d + k] * t[k];
        }
    }
}
