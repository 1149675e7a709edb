/* Multivariate normal of d columns, z = (mean, lower triangle of the Cholesky
 * factor L of the covariance, row by row, logs of its diagonal). With
 * x = L^-1 (y - mean), v = L^-T x, P = (L L^T)^-1 and K = L^-1,
 *
 *   log p = -d log(2 pi)/2 - sum_r log L_rr - x^T x / 2,
 *   d/dmean = v,  d/dL_rs = v_r x_s - [r = s] / L_rr,
 *   F: P for the mean; for L_rs and L_tq
 *      [s = q] P_rt + [r = s = t = q] / L_rr^2,
 *
 * and a row or column of a log-diagonal takes the factor L_rr. F falls into
 * d + 1 blocks: the mean, and the column s of L for each s. `work` holds
 * three d x d matrices L, K, P, one for the block solve, and 3 d numbers.
 * Sums and products are cut to finite numbers, so that log-diagonals at the
 * ends of the exponent range never meet as inf - inf. */
#include "family/family.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

typedef struct factor {
    size_t d;
    double *L, *K, *P, *block; /* d x d, row-major */
    double *x, *v, *e;         /* d */
} factor;

static double times(double a, double b) {
    return ngi_family_finite(a * b);
}

/* c - a b for finite numbers. */
static double less(double c, double a, double b) {
    return ngi_family_finite(c - a * b);
}

static size_t packed(size_t d, size_t r, size_t s) {
    return d + r * (r + 1) / 2 + s;
}

static void unpack(size_t d, const double *z, double *L) {
    for (size_t r = 0; r < d; r++) {
        for (size_t s = 0; s < d; s++)
            L[r * d + s] = s < r ? z[packed(d, r, s)] : 0;
        L[r * d + r] = ngi_family_exp(z[packed(d, r, r)]);
    }
}

static factor factor_of(const ng_family *f, const double *z, double *work) {
    size_t d = f->size, dd = d * d;
    factor c = {d,
                work,
                work + dd,
                work + 2 * dd,
                work + 3 * dd,
                work + 4 * dd,
                work + 4 * dd + d,
                work + 4 * dd + 2 * d};
    unpack(d, z, c.L);
    return c;
}

/* b := L^-1 b for `columns` right-hand sides, b[j * stride + column]. */
static void solve_lower(size_t d, const double *L, double *b, size_t columns) {
    for (size_t r = 0; r < d; r++) {
        for (size_t k = 0; k < columns; k++) {
            double sum = b[r * columns + k];
            for (size_t s = 0; s < r; s++)
                sum = less(sum, L[r * d + s], b[s * columns + k]);
            b[r * columns + k] = ngi_family_finite(sum / L[r * d + r]);
        }
    }
}

/* b := L^-T b. */
static void solve_upper(size_t d, const double *L, double *b) {
    for (size_t r = d; r-- > 0;) {
        for (size_t s = r + 1; s < d; s++)
            b[r] = less(b[r], L[s * d + r], b[s]);
        b[r] = ngi_family_finite(b[r] / L[r * d + r]);
    }
}

/* x = L^-1 (y - mean) and v = L^-T x. */
static void residuals(const factor *c, const double *z, const double *y) {
    for (size_t r = 0; r < c->d; r++)
        c->x[r] = ngi_family_finite(y[r] - z[r]);
    solve_lower(c->d, c->L, c->x, 1);
    for (size_t r = 0; r < c->d; r++)
        c->v[r] = c->x[r];
    solve_upper(c->d, c->L, c->v);
}

/* K = L^-1 and P = K^T K. */
static void precision(const factor *c) {
    size_t d = c->d;
    for (size_t i = 0; i < d * d; i++)
        c->K[i] = i % (d + 1) ? 0 : 1;
    solve_lower(d, c->L, c->K, d);
    for (size_t r = 0; r < d; r++) {
        for (size_t t = 0; t <= r; t++) {
            double sum = 0;
            for (size_t k = r; k < d; k++)
                sum = less(sum, -c->K[k * d + r], c->K[k * d + t]);
            c->P[r * d + t] = c->P[t * d + r] = sum;
        }
    }
}

/* dL_rs/dz: the factor that a log-diagonal takes. */
static double chain(const factor *c, size_t r, size_t s) {
    return r == s ? c->L[r * c->d + r] : 1;
}

static int shape(size_t size, ng_family *f) {
    /* d (d + 1) / 2 + d squared must still count doubles. */
    if (size < 1 || size > 10000)
        return 0;
    size_t triangle = size * (size + 1) / 2;
    f->dim_y = f->dim_mean = f->dim_marginal = size;
    f->dim_z = f->dim_customary = size + triangle;
    f->blocks = 2;
    f->block[0] = (ng_family_block){"mean", 0, size, NG_COORDINATE_REAL};
    f->block[1] =
        (ng_family_block){"covariance", size, triangle, NG_COORDINATE_OTHER};
    return 1;
}

static size_t work_size(const ng_family *f) {
    return 4 * f->size * f->size + 3 * f->size;
}

static int in_support(const ng_family *f, const double *y) {
    for (size_t j = 0; j < f->size; j++) {
        if (!isfinite(y[j]))
            return 0;
    }
    return 1;
}

static void log_density(const ng_family *f, size_t n, const double *z,
                        const double *y, double *out, double *work) {
    size_t d = f->size;
    for (size_t i = 0; i < n; i++) {
        const double *row = z + i * f->dim_z;
        factor c = factor_of(f, row, work);
        residuals(&c, row, y + i * d);
        double sum = 0;
        for (size_t r = 0; r < d; r++)
            sum += 0.5 * (c.x[r] * c.x[r] + NGI_LOG_2PI) + row[packed(d, r, r)];
        out[i] = in_support(f, y + i * d) ? -sum : -HUGE_VAL;
    }
}

static void score_row(const factor *c, double *out) {
    size_t d = c->d;
    for (size_t r = 0; r < d; r++) {
        out[r] = c->v[r];
        for (size_t s = 0; s < r; s++)
            out[packed(d, r, s)] = times(c->v[r], c->x[s]);
        out[packed(d, r, r)] =
            times(times(c->L[r * d + r], c->v[r]), c->x[r]) - 1;
    }
}

static void score(const ng_family *f, size_t n, const double *z,
                  const double *y, double *out, double *work) {
    for (size_t i = 0; i < n; i++) {
        factor c = factor_of(f, z + i * f->dim_z, work);
        residuals(&c, z + i * f->dim_z, y + i * f->size);
        score_row(&c, out + i * f->dim_z);
    }
}

/* The entry of F for L_rs and L_ts in the coordinates z. */
static double column_entry(const factor *c, size_t s, size_t r, size_t t) {
    double entry = times(chain(c, r, s), c->P[r * c->d + t]);
    return times(chain(c, t, s), entry) + (r == s && t == s ? 1 : 0);
}

static void fisher_row(const factor *c, size_t dim_z, double *F) {
    size_t d = c->d;
    for (size_t i = 0; i < dim_z * dim_z; i++)
        F[i] = 0;
    for (size_t r = 0; r < d; r++) {
        for (size_t t = 0; t < d; t++)
            F[r * dim_z + t] = c->P[r * d + t];
    }
    for (size_t s = 0; s < d; s++) {
        for (size_t r = s; r < d; r++) {
            for (size_t t = s; t < d; t++)
                F[packed(d, r, s) * dim_z + packed(d, t, s)] =
                    column_entry(c, s, r, t);
        }
    }
}

static void fisher(const ng_family *f, size_t n, const double *z, double *out,
                   double *work) {
    for (size_t i = 0; i < n; i++) {
        factor c = factor_of(f, z + i * f->dim_z, work);
        precision(&c);
        fisher_row(&c, f->dim_z, out + i * f->dim_z * f->dim_z);
    }
}

/* Solves B b := b for a positive definite m x m matrix. F has full rank, so
 * that a pivot fails by rounding only; its direction is left out. */
static void solve_block(size_t m, double *B, double *b) {
    for (size_t r = 0; r < m; r++) {
        for (size_t s = 0; s <= r; s++) {
            double sum = B[r * m + s];
            for (size_t k = 0; k < s; k++)
                sum = less(sum, B[r * m + k], B[s * m + k]);
            B[r * m + s] = ngi_family_finite(
                s < r ? sum / B[s * m + s] : (sum > 0 ? sqrt(sum) : DBL_MAX));
        }
    }
    solve_lower(m, B, b, 1);
    solve_upper(m, B, b);
}

static void solve_row(const factor *c, double damping, const double *u,
                      double *out) {
    size_t d = c->d;
    for (size_t i = 0; i < d * d; i++)
        c->block[i] = c->P[i] + (i % (d + 1) ? 0 : damping);
    for (size_t r = 0; r < d; r++)
        out[r] = u[r];
    solve_block(d, c->block, out);
    for (size_t s = 0; s < d; s++) {
        size_t m = d - s;
        for (size_t r = 0; r < m; r++) {
            for (size_t t = 0; t < m; t++)
                c->block[r * m + t] =
                    column_entry(c, s, s + r, s + t) + (r == t ? damping : 0);
            c->e[r] = u[packed(d, s + r, s)];
        }
        solve_block(m, c->block, c->e);
        for (size_t r = 0; r < m; r++)
            out[packed(d, s + r, s)] = c->e[r];
    }
}

static void fisher_solve(const ng_family *f, size_t n, const double *z,
                         double damping, const double *u, double *out,
                         double *work) {
    for (size_t i = 0; i < n; i++) {
        factor c = factor_of(f, z + i * f->dim_z, work);
        precision(&c);
        solve_row(&c, damping, u + i * f->dim_z, out + i * f->dim_z);
    }
}

/* -d2 log p / dL_rs dL_tq = K_qr v_t x_s + P_rt x_q x_s + K_st v_r x_q, and
 * for a log-diagonal with itself less its score. */
static double observed_entry(const factor *c, size_t r, size_t s, size_t t,
                             size_t q) {
    size_t d = c->d;
    const double *x = c->x, *v = c->v;
    double a = chain(c, r, s), b = chain(c, t, q);
    if (r == s && t == q && r == t)
        return times(times(a, v[r]), x[r]) +
               times(times(times(a, x[r]), c->P[r * d + r]), times(a, x[r]));
    double ab = times(a, b);
    double crossed = times(times(times(ab, c->K[q * d + r]), v[t]), x[s]);
    double straight = times(times(times(ab, c->P[r * d + t]), x[q]), x[s]);
    double other = times(times(times(ab, c->K[s * d + t]), v[r]), x[q]);
    return crossed + straight + other;
}

static void observed_mean(const factor *c, size_t dim_z, double *H) {
    size_t d = c->d;
    for (size_t i = 0; i < d; i++) {
        for (size_t t = 0; t < d; t++)
            H[i * dim_z + t] = c->P[i * d + t];
        for (size_t r = 0; r < d; r++) {
            for (size_t s = 0; s <= r; s++) {
                double a = chain(c, r, s);
                double entry = times(times(a, c->K[s * d + i]), c->v[r]) +
                               times(times(a, c->P[i * d + r]), c->x[s]);
                H[i * dim_z + packed(d, r, s)] = entry;
                H[packed(d, r, s) * dim_z + i] = entry;
            }
        }
    }
}

static void observed_row(const factor *c, size_t dim_z, double *H) {
    size_t d = c->d;
    observed_mean(c, dim_z, H);
    for (size_t r = 0; r < d; r++) {
        for (size_t s = 0; s <= r; s++) {
            double *line = H + packed(d, r, s) * dim_z;
            for (size_t t = 0; t < d; t++) {
                for (size_t q = 0; q <= t; q++)
                    line[packed(d, t, q)] = observed_entry(c, r, s, t, q);
            }
        }
    }
}

static void observed(const ng_family *f, size_t n, const double *z,
                     const double *y, double *out, double *work) {
    size_t dim_z = f->dim_z;
    for (size_t i = 0; i < n; i++) {
        factor c = factor_of(f, z + i * dim_z, work);
        precision(&c);
        residuals(&c, z + i * dim_z, y + i * f->size);
        observed_row(&c, dim_z, out + i * dim_z * dim_z);
    }
}

/* With B = L1^-1 L0 = I + L1^-1 (L0 - L1),
 *   2 KL = sum_r k(log B_rr^2) + sum_{r > s} B_rs^2 + |L1^-1 (m1 - m0)|^2,
 * k(t) = e^t - 1 - t: no term is negative. */
static double kl_row(const ng_family *f, const double *z0, const double *z1,
                     double *work) {
    factor c = factor_of(f, z1, work);
    size_t d = c.d;
    double *B = c.K;
    for (size_t r = 0; r < d; r++) {
        double change = z0[packed(d, r, r)] - z1[packed(d, r, r)];
        for (size_t s = 0; s < d; s++)
            B[r * d + s] =
                s < r ? z0[packed(d, r, s)] - z1[packed(d, r, s)] : 0;
        B[r * d + r] = times(c.L[r * d + r], expm1(change));
        c.x[r] = ngi_family_finite(z1[r] - z0[r]);
    }
    solve_lower(d, c.L, B, d);
    solve_lower(d, c.L, c.x, 1);
    double sum = 0;
    for (size_t r = 0; r < d; r++) {
        double change = z0[packed(d, r, r)] - z1[packed(d, r, r)];
        sum += c.x[r] * c.x[r] + ngi_expm1mx(2 * change);
        for (size_t s = 0; s < r; s++)
            sum += B[r * d + s] * B[r * d + s];
    }
    return 0.5 * sum;
}

static void kl(const ng_family *f, size_t n, const double *z0, const double *z1,
               double *out, double *work) {
    for (size_t i = 0; i < n; i++)
        out[i] = kl_row(f, z0 + i * f->dim_z, z1 + i * f->dim_z, work);
}

static void sample(const ng_family *f, size_t n, const double *z, ng_rng *rng,
                   double *y, double *work) {
    size_t d = f->size;
    for (size_t i = 0; i < n; i++) {
        factor c = factor_of(f, z + i * f->dim_z, work);
        for (size_t r = 0; r < d; r++)
            c.x[r] = ng_rng_normal(rng);
        for (size_t r = 0; r < d; r++) {
            double sum = z[i * f->dim_z + r];
            for (size_t s = 0; s <= r; s++)
                sum = less(sum, -c.L[r * d + s], c.x[s]);
            y[i * d + r] = sum;
        }
    }
}

static void mean(const ng_family *f, size_t n, const double *z, double *out,
                 double *work) {
    (void)work;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < f->size; j++)
            out[i * f->size + j] = z[i * f->dim_z + j];
    }
}

/* (L L^T)_ab */
static double covariance(const factor *c, size_t a, size_t b) {
    double sum = 0;
    for (size_t k = 0; k <= a && k <= b; k++)
        sum = less(sum, -c->L[a * c->d + k], c->L[b * c->d + k]);
    return sum;
}

static void variance(const ng_family *f, size_t n, const double *z, double *out,
                     double *work) {
    size_t d = f->size;
    for (size_t i = 0; i < n; i++) {
        factor c = factor_of(f, z + i * f->dim_z, work);
        for (size_t j = 0; j < d; j++)
            out[i * d + j] = covariance(&c, j, j);
    }
}

/* Norm of row j of L: the standard deviation of column j, which may be finite
 * where its square is not. */
static double deviation(const factor *c, size_t j) {
    double sd = 0;
    for (size_t k = 0; k <= j; k++)
        sd = hypot(sd, c->L[j * c->d + k]);
    return ngi_family_finite(sd);
}

static void cdf(const ng_family *f, size_t n, const double *z, const double *y,
                double *out, double *work) {
    size_t d = f->size;
    for (size_t i = 0; i < n; i++) {
        factor c = factor_of(f, z + i * f->dim_z, work);
        for (size_t j = 0; j < d; j++)
            out[i * d + j] = ngi_ndtr((y[i * d + j] - z[i * f->dim_z + j]) /
                                      deviation(&c, j));
    }
}

static void quantile(const ng_family *f, size_t n, const double *z, double p,
                     double *out, double *work) {
    size_t d = f->size;
    double standard = ngi_ndtri(p);
    for (size_t i = 0; i < n; i++) {
        factor c = factor_of(f, z + i * f->dim_z, work);
        for (size_t j = 0; j < d; j++)
            out[i * d + j] = z[i * f->dim_z + j] + standard * deviation(&c, j);
    }
}

static void to_customary(const ng_family *f, size_t n, const double *z,
                         double *out, double *work) {
    size_t d = f->size;
    for (size_t i = 0; i < n; i++) {
        factor c = factor_of(f, z + i * f->dim_z, work);
        double *row = out + i * f->dim_customary;
        for (size_t a = 0; a < d; a++) {
            row[a] = z[i * f->dim_z + a];
            for (size_t b = 0; b <= a; b++)
                row[packed(d, a, b)] = covariance(&c, a, b);
        }
    }
}

/* Cholesky's factor of the packed covariance in row[d...], into the packed
 * coordinates of z. A pivot is kept above `floor` times its diagonal entry,
 * and above the smallest number. */
static void factorise(size_t d, const double *row, double floor, double *L,
                      double *z) {
    for (size_t a = 0; a < d; a++) {
        for (size_t b = 0; b <= a; b++) {
            double sum = row[packed(d, a, b)];
            for (size_t k = 0; k < b; k++)
                sum = less(sum, L[a * d + k], L[b * d + k]);
            if (b < a) {
                z[packed(d, a, b)] = L[a * d + b] =
                    ngi_family_finite(sum / L[b * d + b]);
                continue;
            }
            double least = fmax(floor * row[packed(d, a, a)], DBL_MIN);
            L[a * d + a] = sqrt(fmax(sum, least));
            z[packed(d, a, a)] = log(L[a * d + a]);
        }
    }
}

static void from_customary(const ng_family *f, size_t n, const double *c,
                           double *z, double *work) {
    for (size_t i = 0; i < n; i++) {
        const double *from = c + i * f->dim_customary;
        double *row = z + i * f->dim_z;
        for (size_t j = 0; j < f->size; j++)
            row[j] = from[j];
        factorise(f->size, from, 0, work, row);
    }
}

/* d cov_ab / dL_rs = [a = r] L_bs + [b = r] L_as. */
static void customary_jacobian(const ng_family *f, const double *z, double *J,
                               double *work) {
    size_t d = f->size, m = f->dim_z;
    factor c = factor_of(f, z, work);
    for (size_t i = 0; i < m * m; i++)
        J[i] = 0;
    for (size_t a = 0; a < d; a++) {
        J[a * m + a] = 1;
        for (size_t b = 0; b <= a; b++) {
            double *line = J + packed(d, a, b) * m;
            for (size_t s = 0; s <= b; s++) {
                line[packed(d, a, s)] += times(chain(&c, a, s), c.L[b * d + s]);
                line[packed(d, b, s)] += times(chain(&c, b, s), c.L[a * d + s]);
            }
        }
    }
}

static void customary_name(const ng_family *f, size_t i,
                           const char *const *columns, char *out, size_t size) {
    if (i < f->size) {
        ngi_family_indexed_name(out, size, "mean", columns, i);
        return;
    }
    size_t a = 0;
    while (packed(f->size, a, a) < i)
        a++;
    size_t b = i - packed(f->size, a, 0);
    if (columns)
        snprintf(out, size, "cov[%s,%s]", columns[b], columns[a]);
    else
        snprintf(out, size, "cov[%zu,%zu]", b, a);
}

/* Weighted mean and covariance; fewer rows than columns leave it singular,
 * hence the floor under the pivots. */
static void start(const ng_family *f, size_t n, const double *y,
                  const double *w, double *z, double *work) {
    size_t d = f->size;
    double total = 0;
    for (size_t i = 0; i < n; i++)
        total += w[i];
    for (size_t j = 0; j < d; j++) {
        double v;
        ngi_family_column_moments(n, d, j, y, w, z + j, &v);
    }
    for (size_t a = 0; a < d; a++) {
        for (size_t b = 0; b <= a; b++) {
            double sum = 0;
            for (size_t i = 0; i < n; i++)
                sum = less(sum, -times(w[i] / total, y[i * d + a] - z[a]),
                           ngi_family_finite(y[i * d + b] - z[b]));
            z[packed(d, a, b)] = sum;
        }
        /* A constant column begins at the size of its rounding. */
        double least = DBL_EPSILON * times(z[a], z[a]) + DBL_MIN;
        z[packed(d, a, a)] = fmax(z[packed(d, a, a)], least);
    }
    factorise(d, z, 1e-6, work, z);
}

const ng_family_ops ngi_family_mvnormal = {
    .name = "mvnormal",
    .support = "finite numbers",
    .smooth = 1,
    .shape = shape,
    .work = work_size,
    .in_support = in_support,
    .log_density = log_density,
    .score = score,
    .fisher = fisher,
    .fisher_solve = fisher_solve,
    .observed = observed,
    .kl = kl,
    .sample = sample,
    .mean = mean,
    .variance = variance,
    .cdf = cdf,
    .quantile = quantile,
    .to_customary = to_customary,
    .from_customary = from_customary,
    .customary_jacobian = customary_jacobian,
    .customary_name = customary_name,
    .start = start,
};
