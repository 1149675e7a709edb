/* Dirichlet over d >= 2 proportions, z = log alpha. With phi = sum alpha,
 * mu = alpha / phi, S(a) = a log a - a - log Gamma(a), k(t) = e^t - 1 - t and
 * P(a) = a^2 (psi'(a) - 1/a),
 *
 *   log p = sum_i S(alpha_i) - S(phi) + sum_i (alpha_i log(y_i / mu_i)
 *           - log y_i),
 *   score_i = alpha_i (log y_i - psi(alpha_i) + psi(phi)),
 *   F_ij = [i = j] (P(alpha_i) + alpha_i) - mu_i mu_j (P(phi) + phi).
 *
 * The first sum of logarithms is phi (sum_i y_i - 1) - sum_i alpha_i
 * k(log(y_i / mu_i)), where nothing cancels. log p = -inf where a component
 * is 0. `work` holds log mu, mu and alpha of one row, and d more. */
#include "family/family.h"
#include "family/two_parameter.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>

/* Logs of alpha are cut here, so that sums and products with logarithms stay
 * finite. */
static const double LARGEST_LOG = 690;
/* Proportions typed with a few decimals add up to 1 within this. */
static const double SUM_TOLERANCE = 1e-6;

typedef struct row {
    double *log_mu, *mu, *alpha, *spare;
    double phi;
} row;

static double cut(double log_alpha) {
    return fmax(-LARGEST_LOG, fmin(log_alpha, LARGEST_LOG));
}

static row row_of(size_t d, const double *z, double *work) {
    row r = {work, work + d, work + 2 * d, work + 3 * d, 0};
    double top = cut(z[0]), sum = 0;
    for (size_t j = 1; j < d; j++)
        top = fmax(top, cut(z[j]));
    for (size_t j = 0; j < d; j++)
        sum += exp(cut(z[j]) - top);
    double log_phi = top + log(sum);
    for (size_t j = 0; j < d; j++) {
        r.log_mu[j] = cut(z[j]) - log_phi;
        r.mu[j] = exp(r.log_mu[j]);
        r.alpha[j] = exp(cut(z[j]));
        r.phi += r.alpha[j];
    }
    return r;
}

static int shape(size_t size, ng_family *f) {
    if (size < 2)
        return 0;
    f->dim_z = f->dim_y = f->dim_mean = f->dim_marginal = size;
    f->dim_customary = size;
    f->blocks = 1;
    f->block[0] = (ng_family_block){"alpha", 0, size, NG_COORDINATE_LOG};
    return 1;
}

static size_t work_size(const ng_family *f) {
    return 4 * f->size;
}

static int in_support(const ng_family *f, const double *y) {
    double sum = 0;
    for (size_t j = 0; j < f->size; j++) {
        if (!(y[j] > 0))
            return 0;
        sum += y[j];
    }
    return fabs(sum - 1) <= SUM_TOLERANCE;
}

static double log_density_row(const ng_family *f, const double *z,
                              const double *y, double *work) {
    if (!in_support(f, y))
        return -HUGE_VAL;
    size_t d = f->size;
    row r = row_of(d, z, work);
    double excess = -1, out = -ngi_gamma_constant(r.phi);
    for (size_t j = 0; j < d; j++) {
        double log_y = log(y[j]);
        excess += y[j];
        out += ngi_gamma_constant(r.alpha[j]) - log_y -
               r.alpha[j] * ngi_expm1mx(log_y - r.log_mu[j]);
    }
    return out + r.phi * excess;
}

static void log_density(const ng_family *f, size_t n, const double *z,
                        const double *y, double *out, double *work) {
    for (size_t i = 0; i < n; i++)
        out[i] = log_density_row(f, z + i * f->size, y + i * f->size, work);
}

/* A zero component counts as the smallest number. */
static void score_row(const row *r, size_t d, const double *y, double *out) {
    double rest = ngi_log_minus_digamma(r->phi);
    for (size_t j = 0; j < d; j++) {
        double log_ratio = log(fmax(y[j], DBL_MIN)) - r->log_mu[j];
        out[j] = r->alpha[j] *
                 (log_ratio + ngi_log_minus_digamma(r->alpha[j]) - rest);
    }
}

static void score(const ng_family *f, size_t n, const double *z,
                  const double *y, double *out, double *work) {
    size_t d = f->size;
    for (size_t i = 0; i < n; i++) {
        row r = row_of(d, z + i * d, work);
        score_row(&r, d, y + i * d, out + i * d);
    }
}

static void fisher_row(const row *r, size_t d, double *F) {
    double information = ngi_gamma_information(r->phi);
    double common = r->phi + information;
    for (size_t a = 0; a < d; a++) {
        for (size_t b = 0; b < a; b++)
            F[a * d + b] = F[b * d + a] = -r->mu[a] * (r->mu[b] * common);
    }
    for (size_t a = 0; a < d; a++) {
        /* alpha - mu alpha, 1 - mu summed from the others. */
        double others = 0;
        for (size_t b = 0; b < d; b++)
            others += b == a ? 0 : r->mu[b];
        F[a * d + a] = r->alpha[a] * others +
                       ngi_gamma_information(r->alpha[a]) -
                       r->mu[a] * r->mu[a] * information;
    }
}

static void fisher(const ng_family *f, size_t n, const double *z, double *out,
                   double *work) {
    size_t d = f->size;
    for (size_t i = 0; i < n; i++) {
        row r = row_of(d, z + i * d, work);
        fisher_row(&r, d, out + i * d * d);
    }
}

static void observed(const ng_family *f, size_t n, const double *z,
                     const double *y, double *out, double *work) {
    size_t d = f->size;
    for (size_t i = 0; i < n; i++) {
        row r = row_of(d, z + i * d, work);
        double *H = out + i * d * d;
        fisher_row(&r, d, H);
        score_row(&r, d, y + i * d, r.spare);
        for (size_t j = 0; j < d; j++)
            H[j * d + j] -= r.spare[j];
    }
}

/* log(phi1 / phi0) where alpha_j grows by e^(g_j). */
static double total_growth(const row *r0, size_t d, const double *g) {
    double top = g[0], sum = 0;
    for (size_t j = 0; j < d; j++) {
        top = fmax(top, fabs(g[j]));
        sum += r0->mu[j] * expm1(fmin(g[j], 1));
    }
    if (top < 1)
        return log1p(sum);
    top = r0->log_mu[0] + g[0];
    for (size_t j = 1; j < d; j++)
        top = fmax(top, r0->log_mu[j] + g[j]);
    sum = 0;
    for (size_t j = 0; j < d; j++)
        sum += exp(r0->log_mu[j] + g[j] - top);
    return top + log(sum);
}

/* As for the beta: phi1 KL(mu1 || mu0) = sum_j alpha1_j k(-log(mu1_j /
 * mu0_j)), and the divergences of N(a) = log Gamma(a) - a log a + a. */
static double kl_row(size_t d, const double *z0, const double *z1,
                     double *work) {
    row r = row_of(d, z0, work);
    double *g = r.spare, out = 0;
    for (size_t j = 0; j < d; j++)
        g[j] = cut(z1[j]) - cut(z0[j]);
    double total = total_growth(&r, d, g);
    for (size_t j = 0; j < d; j++) {
        out += exp(cut(z1[j])) * ngi_expm1mx(total - g[j]) +
               ngi_family_gamma_bregman(r.alpha[j], g[j]);
    }
    return isfinite(out) ? fmax(0, out - ngi_family_gamma_bregman(r.phi, total))
                         : HUGE_VAL;
}

static void kl(const ng_family *f, size_t n, const double *z0, const double *z1,
               double *out, double *work) {
    size_t d = f->size;
    for (size_t i = 0; i < n; i++)
        out[i] = kl_row(d, z0 + i * d, z1 + i * d, work);
}

static void sample(const ng_family *f, size_t n, const double *z, ng_rng *rng,
                   double *y, double *work) {
    size_t d = f->size;
    for (size_t i = 0; i < n; i++) {
        double *g = work, top = -HUGE_VAL, sum = 0;
        for (size_t j = 0; j < d; j++) {
            g[j] = ng_rng_log_gamma(rng, exp(cut(z[i * d + j])));
            top = fmax(top, g[j]);
        }
        for (size_t j = 0; j < d; j++)
            sum += exp(g[j] - top);
        /* Components that underflow stay inside the open support. */
        for (size_t j = 0; j < d; j++)
            y[i * d + j] = fmax(DBL_MIN, exp(g[j] - top) / sum);
    }
}

static void mean(const ng_family *f, size_t n, const double *z, double *out,
                 double *work) {
    size_t d = f->size;
    for (size_t i = 0; i < n; i++) {
        row r = row_of(d, z + i * d, work);
        for (size_t j = 0; j < d; j++)
            out[i * d + j] = r.mu[j];
    }
}

/* The sum of `values` without entry j. */
static double sum_of_others(size_t d, const double *values, size_t j) {
    double sum = 0;
    for (size_t k = 0; k < d; k++)
        sum += k == j ? 0 : values[k];
    return sum;
}

static void variance(const ng_family *f, size_t n, const double *z, double *out,
                     double *work) {
    size_t d = f->size;
    for (size_t i = 0; i < n; i++) {
        row r = row_of(d, z + i * d, work);
        for (size_t j = 0; j < d; j++)
            out[i * d + j] = r.mu[j] * sum_of_others(d, r.mu, j) / (1 + r.phi);
    }
}

static void cdf(const ng_family *f, size_t n, const double *z, const double *y,
                double *out, double *work) {
    size_t d = f->size;
    for (size_t i = 0; i < n; i++) {
        row r = row_of(d, z + i * d, work);
        for (size_t j = 0; j < d; j++)
            out[i * d + j] =
                ngi_beta_i(r.alpha[j], sum_of_others(d, r.alpha, j),
                           fmax(0, fmin(y[i * d + j], 1)));
    }
}

static void quantile(const ng_family *f, size_t n, const double *z, double p,
                     double *out, double *work) {
    size_t d = f->size;
    for (size_t i = 0; i < n; i++) {
        row r = row_of(d, z + i * d, work);
        for (size_t j = 0; j < d; j++)
            out[i * d + j] =
                ngi_beta_i_inverse(r.alpha[j], sum_of_others(d, r.alpha, j), p);
    }
}

static void to_customary(const ng_family *f, size_t n, const double *z,
                         double *c, double *work) {
    (void)work;
    for (size_t i = 0; i < n * f->size; i++)
        c[i] = exp(z[i]);
}

static void from_customary(const ng_family *f, size_t n, const double *c,
                           double *z, double *work) {
    (void)work;
    for (size_t i = 0; i < n * f->size; i++)
        z[i] = log(c[i]);
}

static void customary_jacobian(const ng_family *f, const double *z, double *J,
                               double *work) {
    (void)work;
    size_t d = f->size;
    for (size_t i = 0; i < d * d; i++)
        J[i] = i % (d + 1) ? 0 : exp(z[i / d]);
}

static void customary_name(const ng_family *f, size_t i,
                           const char *const *columns, char *out, size_t size) {
    (void)f;
    ngi_family_indexed_name(out, size, "alpha", columns, i);
}

/* Moments: sum_j variance_j = sum_j mu_j (1 - mu_j) / (1 + phi). */
static void start(const ng_family *f, size_t n, const double *y,
                  const double *w, double *z, double *work) {
    size_t d = f->size;
    double *m = work, expected = 0, spread = 0;
    for (size_t j = 0; j < d; j++) {
        double v;
        ngi_family_column_moments(n, d, j, y, w, m + j, &v);
        m[j] = fmax(1e-6, fmin(m[j], 1 - 1e-6));
        expected += m[j] * (1 - m[j]);
        spread += v;
    }
    double phi = expected / fmax(spread, 1e-12) - 1;
    phi = fmax(0.1, fmin(phi, 1e6));
    for (size_t j = 0; j < d; j++)
        z[j] = log(m[j] * phi);
}

const ng_family_ops ngi_family_dirichlet = {
    .name = "dirichlet",
    .support = "positive proportions that add up to 1",
    .smooth = 1,
    .shape = shape,
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
    .to_customary = to_customary,
    .from_customary = from_customary,
    .customary_jacobian = customary_jacobian,
    .customary_name = customary_name,
    .start = start,
};
