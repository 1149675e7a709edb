/* Categorical over K levels, y = 0 .. K-1, in two parametrisations:
 *
 *   "categorical"  K-1 logits against the first level, whose own logit is 0;
 *   "softmax"      K logits, redundant by a common constant.
 *
 *   log p(y|z) = z_y - log sum_k e^{z_k},  score_k = [y = k] - p_k,
 *   F = diag(p) - p p^T, of rank K-1: singular for softmax, null vector 1.
 *
 * mean and variance are of the K indicators of the levels, cdf and quantile
 * of the level's index. `work` holds p and 1 - p of one row. */
#include "family/family.h"
#include "numerics/special.h"

#include <math.h>
#include <stdio.h>

/* Logits that are implied, not stored: 1 for categorical, 0 for softmax. */
static size_t implied(const ng_family *f) {
    return f->size - f->dim_z;
}

static int shape(size_t size, ng_family *f, size_t implied_logits) {
    if (size < 2)
        return 0;
    f->dim_z = size - implied_logits;
    f->dim_y = f->dim_marginal = 1;
    f->dim_mean = f->dim_customary = size;
    f->blocks = 1;
    f->block[0] = (ng_family_block){"logit", 0, f->dim_z, NG_COORDINATE_OTHER};
    return 1;
}

static int shape_categorical(size_t size, ng_family *f) {
    return shape(size, f, 1);
}

static int shape_softmax(size_t size, ng_family *f) {
    return shape(size, f, 0);
}

static size_t work_size(const ng_family *f) {
    return 3 * f->size;
}

static int in_support(const ng_family *f, const double *y) {
    return y[0] >= 0 && y[0] < (double)f->size && y[0] == floor(y[0]);
}

static double logit(const ng_family *f, const double *z, size_t k) {
    if (implied(f))
        return k == 0 ? 0 : z[k - 1];
    return z[k];
}

static size_t largest_logit(const ng_family *f, const double *z) {
    size_t best = 0;
    for (size_t k = 1; k < f->size; k++) {
        if (logit(f, z, k) > logit(f, z, best))
            best = k;
    }
    return best;
}

/* p and q = 1 - p of one row; q of the largest level is summed from the
 * others, so that it does not cancel. Returns log sum_k e^{z_k} - max z. */
static double probabilities(const ng_family *f, const double *z, double *p,
                            double *q) {
    size_t K = f->size, best = largest_logit(f, z);
    double top = logit(f, z, best), rest = 0;
    for (size_t k = 0; k < K; k++) {
        p[k] = exp(logit(f, z, k) - top);
        rest += k == best ? 0 : p[k];
    }
    for (size_t k = 0; k < K; k++) {
        p[k] /= 1 + rest;
        q[k] = 1 - p[k];
    }
    q[best] = rest / (1 + rest);
    return log1p(rest);
}

static void log_density(const ng_family *f, size_t n, const double *z,
                        const double *y, double *out, double *work) {
    (void)work;
    for (size_t i = 0; i < n; i++) {
        const double *row = z + i * f->dim_z;
        size_t best = largest_logit(f, row);
        double top = logit(f, row, best), rest = 0;
        for (size_t k = 0; k < f->size; k++)
            rest += k == best ? 0 : exp(logit(f, row, k) - top);
        out[i] = in_support(f, y + i)
                     ? logit(f, row, (size_t)y[i]) - top - log1p(rest)
                     : -HUGE_VAL;
    }
}

static void score(const ng_family *f, size_t n, const double *z,
                  const double *y, double *out, double *work) {
    double *p = work, *q = p + f->size;
    size_t skip = implied(f);
    for (size_t i = 0; i < n; i++) {
        probabilities(f, z + i * f->dim_z, p, q);
        for (size_t j = 0; j < f->dim_z; j++) {
            size_t k = j + skip;
            out[i * f->dim_z + j] = y[i] == (double)k ? q[k] : -p[k];
        }
    }
}

static void fisher(const ng_family *f, size_t n, const double *z, double *out,
                   double *work) {
    double *p = work, *q = p + f->size;
    size_t d = f->dim_z, skip = implied(f);
    for (size_t i = 0; i < n; i++) {
        double *F = out + i * d * d;
        probabilities(f, z + i * d, p, q);
        for (size_t a = 0; a < d; a++) {
            for (size_t b = 0; b < a; b++)
                F[a * d + b] = F[b * d + a] = -p[a + skip] * p[b + skip];
            F[a * d + a] = p[a + skip] * q[a + skip];
        }
    }
}

static void observed(const ng_family *f, size_t n, const double *z,
                     const double *y, double *out, double *work) {
    (void)y;
    fisher(f, n, z, out, work);
}

/* With d = z1 - z0 centred under p0, sum_k p_k d_k = 0 and
 *   KL = log sum_k p_k e^{d_k} = log(1 + sum_k p_k (e^{d_k} - 1 - d_k)),
 * a sum of terms none of which is negative. */
static double kl_row(const ng_family *f, const double *z0, const double *z1,
                     double *work) {
    size_t K = f->size;
    double *p = work, *q = p + K, *d = q + K;
    double log_sum = probabilities(f, z0, p, q);
    double log_Z = logit(f, z0, largest_logit(f, z0)) + log_sum;
    double centre = 0, top = -HUGE_VAL;
    for (size_t k = 0; k < K; k++) {
        d[k] = logit(f, z1, k) - logit(f, z0, k);
        centre += p[k] * d[k];
    }
    double sum = 0;
    for (size_t k = 0; k < K; k++) {
        d[k] -= centre;
        double log_pe = logit(f, z0, k) - log_Z + d[k];
        /* p may underflow where p e^d does not. */
        sum += d[k] > 1 ? exp(log_pe) - p[k] * (1 + d[k])
                        : p[k] * ngi_expm1mx(d[k]);
        top = fmax(top, log_pe);
    }
    if (top <= 0)
        return log1p(sum);
    /* Some e^{d_k} is large: sum in logarithms. */
    sum = 0;
    for (size_t k = 0; k < K; k++)
        sum += exp(logit(f, z0, k) - log_Z + d[k] - top);
    return top + log(sum);
}

static void kl(const ng_family *f, size_t n, const double *z0, const double *z1,
               double *out, double *work) {
    for (size_t i = 0; i < n; i++)
        out[i] = kl_row(f, z0 + i * f->dim_z, z1 + i * f->dim_z, work);
}

static void sample(const ng_family *f, size_t n, const double *z, ng_rng *rng,
                   double *y, double *work) {
    double *p = work, *q = p + f->size;
    for (size_t i = 0; i < n; i++) {
        probabilities(f, z + i * f->dim_z, p, q);
        double u = ng_rng_uniform(rng);
        size_t k = 0;
        while (k + 1 < f->size && u >= p[k])
            u -= p[k++];
        y[i] = (double)k;
    }
}

static void mean(const ng_family *f, size_t n, const double *z, double *out,
                 double *work) {
    for (size_t i = 0; i < n; i++)
        probabilities(f, z + i * f->dim_z, out + i * f->size, work);
}

static void variance(const ng_family *f, size_t n, const double *z, double *out,
                     double *work) {
    for (size_t i = 0; i < n; i++) {
        double *v = out + i * f->size;
        probabilities(f, z + i * f->dim_z, v, work);
        for (size_t k = 0; k < f->size; k++)
            v[k] *= work[k];
    }
}

static void cdf(const ng_family *f, size_t n, const double *z, const double *y,
                double *out, double *work) {
    double *p = work, *q = p + f->size;
    for (size_t i = 0; i < n; i++) {
        probabilities(f, z + i * f->dim_z, p, q);
        double sum = 0;
        for (size_t k = 0; k < f->size && (double)k <= y[i]; k++)
            sum += p[k];
        out[i] = y[i] >= (double)(f->size - 1) ? 1 : fmin(sum, 1);
    }
}

static void quantile(const ng_family *f, size_t n, const double *z,
                     double level, double *out, double *work) {
    double *p = work, *q = p + f->size;
    for (size_t i = 0; i < n; i++) {
        probabilities(f, z + i * f->dim_z, p, q);
        size_t k = 0;
        double sum = p[0];
        while (k + 1 < f->size && sum < level)
            sum += p[++k];
        out[i] = (double)k;
    }
}

static void from_customary(const ng_family *f, size_t n, const double *c,
                           double *z, double *work) {
    (void)work;
    size_t skip = implied(f);
    for (size_t i = 0; i < n; i++) {
        double base = skip ? log(c[i * f->size]) : 0;
        for (size_t j = 0; j < f->dim_z; j++)
            z[i * f->dim_z + j] = log(c[i * f->size + j + skip]) - base;
    }
}

static void customary_jacobian(const ng_family *f, const double *z, double *J,
                               double *work) {
    double *p = work, *q = p + f->size;
    size_t skip = implied(f);
    probabilities(f, z, p, q);
    for (size_t k = 0; k < f->size; k++) {
        for (size_t j = 0; j < f->dim_z; j++) {
            J[k * f->dim_z + j] =
                k == j + skip ? p[k] * q[k] : -p[k] * p[j + skip];
        }
    }
}

static void customary_name(const ng_family *f, size_t i,
                           const char *const *columns, char *out, size_t size) {
    (void)f;
    if (columns)
        snprintf(out, size, "prob[%s]", columns[i]);
    else
        snprintf(out, size, "prob[%zu]", i);
}

static void start(const ng_family *f, size_t n, const double *y,
                  const double *w, double *z, double *work) {
    double *count = work;
    /* Half a row in every level keeps the start finite. */
    for (size_t k = 0; k < f->size; k++)
        count[k] = 0.5;
    for (size_t i = 0; i < n; i++)
        count[(size_t)y[i]] += w[i];
    for (size_t j = 0; j < f->dim_z; j++)
        z[j] = log(count[j + implied(f)] / count[0]);
}

const ng_family_ops ngi_family_categorical = {
    .name = "categorical",
    .support = "a level",
    .discrete = 1,
    .smooth = 1,
    .shape = shape_categorical,
    .work = work_size,
    .in_support = in_support,
    .log_density = log_density,
    .score = score,
    .fisher = fisher,
    .observed = observed,
    .kl = kl,
    .sample = sample,
    .mean = mean,
    .variance = variance,
    .cdf = cdf,
    .quantile = quantile,
    .to_customary = mean,
    .from_customary = from_customary,
    .customary_jacobian = customary_jacobian,
    .customary_name = customary_name,
    .start = start,
};

const ng_family_ops ngi_family_softmax = {
    .name = "softmax",
    .support = "a level",
    .discrete = 1,
    .smooth = 1,
    .shape = shape_softmax,
    .work = work_size,
    .in_support = in_support,
    .log_density = log_density,
    .score = score,
    .fisher = fisher,
    .observed = observed,
    .kl = kl,
    .sample = sample,
    .mean = mean,
    .variance = variance,
    .cdf = cdf,
    .quantile = quantile,
    .to_customary = mean,
    .from_customary = from_customary,
    .customary_jacobian = customary_jacobian,
    .customary_name = customary_name,
    .start = start,
};
