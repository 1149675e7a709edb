/* Student t, z = (location, log scale, log df). With nu = df,
 * u = (y - location) / (scale sqrt(nu)), a = u^2 / (1 + u^2), b = 1 - a and
 * c(x) = log Gamma(x + 1/2) - log Gamma(x) - log(x) / 2,
 *
 *   log p = c(nu/2) - log(2 pi)/2 - log scale - (nu + 1)/2 log(1 + u^2),
 *   score = ((nu + 1) a / (y - location), nu a - b,
 *            nu/2 [c'(nu/2) + a - log(1 + u^2)] + a/2),
 *
 * and the expected information of Lange, Little & Taylor (1989, JASA 84,
 * 881). The mean does not exist for df <= 1; `mean` gives the location, which
 * is the median, for every df. The variance is +inf for df <= 2. */
#include "family/student_t.h"
#include "family/family.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>

/* Below, the functions of the half step are shifted up by their recurrences,
 * whose terms all have one sign; from here their asymptotic series, from
 * Stirling's, are exact to rounding. */
static const double LARGE = 16;

double ngi_half_step(double x) {
    double sum = 0;
    for (; x < LARGE; x += 1) {
        double h = x + 0.5;
        sum += x < 0.5 ? 0.5 * log(x * (x + 1)) - log(h)
                       : 0.5 * log1p(-0.25 / (h * h));
    }
    double r = 1 / x, s = r * r;
    return sum - r * (1. / 8 -
                      s * (1. / 192 -
                           s * (1. / 640 -
                                s * (17. / 14336 -
                                     s * (31. / 18432 - s * 691. / 180224)))));
}

double ngi_half_step_slope(double x) {
    double sum = 0;
    for (; x < LARGE; x += 1)
        sum += 0.25 / (x * (x + 0.5) * (x + 1));
    double r = 1 / x, s = r * r;
    return sum +
           s * (1. / 8 - s * (1. / 64 -
                              s * (1. / 128 -
                                   s * (17. / 2048 -
                                        s * (31. / 2048 - s * 691. / 16384)))));
}

double ngi_half_step_curvature(double x) {
    double sum = 0, start = x;
    for (; x < LARGE; x += 1) {
        double p = start / x, q = start / (x + 0.5), r = start / (x + 1);
        sum += 0.25 * p / ((x + 0.5) * (x + 1)) * (p + q + r);
    }
    double r = 1 / x, s = r * r, scale = start / x;
    return -sum -
           scale * scale * r *
               (1. / 4 -
                s * (1. / 16 -
                     s * (3. / 64 - s * (17. / 256 - s * (155. / 1024 -
                                                          s * 2073. / 4096)))));
}

typedef struct parameters {
    double location, scale, df;
} parameters;

static parameters parameters_of(const double *z) {
    /* df is cut so that df times a squared logarithm is finite. */
    double log_df = fmax(-690, fmin(z[2], 690));
    return (parameters){z[0], ngi_family_exp(z[1]), exp(log_df)};
}

/* What log p and its derivatives are made of. */
typedef struct terms {
    double df, a, b;
    double log_q; /* log(1 + u^2) */
    double bend;  /* a - log(1 + u^2) */
    double pull;  /* a / (y - location) */
    double curve; /* (nu + 1) a (b - a) / (y - location)^2 */
} terms;

static terms terms_of(const double *z, double y) {
    parameters p = parameters_of(z);
    double e = ngi_family_finite(y - p.location);
    double g = ngi_family_exp(-z[1] - 0.5 * log(p.df));
    double u = e * g;
    terms t = {p.df, 1, 0, 0, 0, 0, 0};
    if (fabs(u) < 1) {
        t.b = 1 / (1 + u * u);
        t.a = u * u * t.b;
        t.log_q = log1p(u * u);
        t.bend = ngi_log1pmx(-t.a);
        t.pull = ngi_family_finite(u * t.b * g);
        double head = ngi_family_finite((1 + 1 / p.df) / p.scale / p.scale);
        t.curve = head * (t.b * (t.b - t.a));
        return t;
    }
    if (fabs(u) < 1e150) {
        t.b = 1 / (1 + u * u);
        t.a = 1 - t.b;
        t.log_q = log1p(u * u);
    } else {
        t.log_q = 2 * (log(fabs(e)) - z[1] - 0.5 * log(p.df));
    }
    t.bend = t.a - t.log_q;
    t.pull = ngi_family_finite(t.a / e);
    t.curve = ngi_family_finite((p.df + 1) * (t.a * (t.b - t.a)) / e / e);
    return t;
}

static int shape(size_t size, ng_family *f) {
    if (size != 1)
        return 0;
    f->dim_y = f->dim_mean = f->dim_marginal = 1;
    f->dim_z = f->dim_customary = f->blocks = 3;
    f->block[0] = (ng_family_block){"location", 0, 1, NG_COORDINATE_REAL};
    f->block[1] = (ng_family_block){"scale", 1, 1, NG_COORDINATE_LOG};
    f->block[2] = (ng_family_block){"df", 2, 1, NG_COORDINATE_LOG};
    return 1;
}

static int in_support(const ng_family *f, const double *y) {
    (void)f;
    return isfinite(y[0]);
}

static void log_density(const ng_family *f, size_t n, const double *z,
                        const double *y, double *out, double *work) {
    (void)work;
    for (size_t i = 0; i < n; i++) {
        terms t = terms_of(z + 3 * i, y[i]);
        out[i] = in_support(f, y + i)
                     ? ngi_half_step(0.5 * t.df) - 0.5 * NGI_LOG_2PI -
                           z[3 * i + 1] - 0.5 * (t.df + 1) * t.log_q
                     : -HUGE_VAL;
    }
}

static void score_row(const terms *t, double *out) {
    double slope = ngi_half_step_slope(0.5 * t->df);
    out[0] = ngi_family_finite((t->df + 1) * t->pull);
    out[1] = t->df * t->a - t->b;
    out[2] = 0.5 * t->df * (slope + t->bend) + 0.5 * t->a;
}

static void score(const ng_family *f, size_t n, const double *z,
                  const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        terms t = terms_of(z + 3 * i, y[i]);
        score_row(&t, out + 3 * i);
    }
}

/* nu^2 times the information on nu itself,
 *   (3 - nu) / (2 (nu + 1)(nu + 3)) - x^2 c''(x), x = nu/2.
 * Both terms are O(1/nu) and their sum 7 / (2 nu^2): for large nu -1/(2 nu)
 * is taken out of the first and 1/(2 nu) out of the second. */
static double df_information(double nu) {
    double curvature = ngi_half_step_curvature(0.5 * nu);
    if (nu < 8)
        return (3 - nu) / (2 * (nu + 1) * (nu + 3)) - curvature;
    double head = (7 + 3 / nu) / 2 / (nu + 1) / (nu + 3);
    double r = 2 / nu, rest;
    if (nu < 2 * LARGE)
        rest = curvature + 0.5 / nu;
    else
        rest = 2 * r * r * r *
               (1. / 32 -
                r * r *
                    (3. / 128 -
                     r * r *
                         (17. / 512 -
                          r * r * (155. / 2048 - r * r * 2073. / 8192))));
    return head - rest;
}

static void fisher(const ng_family *f, size_t n, const double *z, double *out,
                   double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        parameters p = parameters_of(z + 3 * i);
        double nu = p.df, *F = out + 9 * i;
        F[0] = ngi_family_finite((nu + 1) / (nu + 3) / p.scale / p.scale);
        F[1] = F[2] = F[3] = F[6] = 0;
        F[4] = 2 * (nu / (nu + 3));
        F[5] = F[7] = -2 * (nu / (nu + 3)) / (nu + 1);
        F[8] = df_information(nu);
    }
}

static void observed(const ng_family *f, size_t n, const double *z,
                     const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        terms t = terms_of(z + 3 * i, y[i]);
        double *H = out + 9 * i, nu = t.df;
        double cross = t.b - nu * t.a; /* recurs in every derivative by df */
        double curvature = ngi_half_step_curvature(0.5 * nu), g[3];
        score_row(&t, g);
        H[0] = t.curve;
        H[1] = H[3] = ngi_family_finite(2 * (nu + 1) * t.b * t.pull);
        H[2] = H[6] = ngi_family_finite(cross * t.pull);
        H[4] = 2 * (nu + 1) * t.a * t.b;
        H[5] = H[7] = t.a * cross;
        H[8] = 0.5 * t.a * (1 + t.b) - g[2] - 0.5 * nu * t.a * t.a - curvature;
    }
}

static void kl(const ng_family *f, size_t n, const double *z0, const double *z1,
               double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        out[i] = ngi_student_t_kl(z0 + 3 * i, z1 + 3 * i);
}

/* A normal over the root of an independent gamma of mean 1. */
static void sample(const ng_family *f, size_t n, const double *z, ng_rng *rng,
                   double *y, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        parameters p = parameters_of(z + 3 * i);
        double log_mean = log(0.5 * p.df);
        double log_gamma = ng_rng_log_gamma(rng, 0.5 * p.df);
        double factor =
            ngi_family_exp(z[3 * i + 1] + 0.5 * (log_mean - log_gamma));
        y[i] = ngi_family_finite(p.location + factor * ng_rng_normal(rng));
    }
}

static void mean(const ng_family *f, size_t n, const double *z, double *out,
                 double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        out[i] = z[3 * i];
}

static void variance(const ng_family *f, size_t n, const double *z, double *out,
                     double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        parameters p = parameters_of(z + 3 * i);
        out[i] = p.df > 2 ? p.scale * p.scale / (1 - 2 / p.df) : HUGE_VAL;
    }
}

static void cdf(const ng_family *f, size_t n, const double *z, const double *y,
                double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        parameters p = parameters_of(z + 3 * i);
        out[i] = ngi_t_cdf((y[i] - p.location) / p.scale, p.df);
    }
}

static void quantile(const ng_family *f, size_t n, const double *z, double p,
                     double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        parameters q = parameters_of(z + 3 * i);
        out[i] = q.location + q.scale * ngi_t_quantile(p, q.df);
    }
}

static void to_customary(const ng_family *f, size_t n, const double *z,
                         double *c, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        c[3 * i] = z[3 * i];
        c[3 * i + 1] = exp(z[3 * i + 1]);
        c[3 * i + 2] = exp(z[3 * i + 2]);
    }
}

static void from_customary(const ng_family *f, size_t n, const double *c,
                           double *z, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        z[3 * i] = c[3 * i];
        z[3 * i + 1] = log(c[3 * i + 1]);
        z[3 * i + 2] = log(c[3 * i + 2]);
    }
}

static void customary_jacobian(const ng_family *f, const double *z, double *J,
                               double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < 9; i++)
        J[i] = 0;
    J[0] = 1;
    J[4] = exp(z[1]);
    J[8] = exp(z[2]);
}

static void customary_name(const ng_family *f, size_t i,
                           const char *const *columns, char *out, size_t size) {
    static const char *const NAMES[] = {"location", "scale", "df"};
    (void)f;
    (void)columns;
    ngi_family_name(out, size, NAMES[i]);
}

/* One step of the EM algorithm for known df (Lange, Little & Taylor 1989):
 * a weighted mean and variance, far values weighing little. */
static void reweight(size_t n, const double *y, const double *w, double df,
                     double *location, double *square) {
    double total = 0, weights = 0, sum = 0, spread = 0;
    double inverse_scale = 1 / sqrt(*square);
    for (size_t i = 0; i < n; i++) {
        double e = ngi_family_finite(y[i] - *location);
        double r = e * inverse_scale;
        double weight = w[i] * ((df + 1) / (df + r * r));
        total += w[i];
        weights += weight;
        sum += weight * e;
    }
    double shift = weights > 0 ? sum / weights : 0;
    for (size_t i = 0; i < n; i++) {
        double e = ngi_family_finite(y[i] - *location);
        double r = e * inverse_scale, left = (e - shift) * inverse_scale;
        double weight = (df + 1) / (df + r * r);
        spread += w[i] * fmin(weight * left * left, DBL_MAX / 1e10) / total;
    }
    *location = ngi_family_finite(*location + shift);
    *square = ngi_family_finite(*square * spread);
}

/* Moments, then a few EM steps at df = 4 so that outliers do not set the
 * scale. A constant sample begins at the size of its rounding. */
static void start(const ng_family *f, size_t n, const double *y,
                  const double *w, double *z, double *work) {
    enum { STEPS = 20 };
    const double df = 4;
    (void)f;
    (void)work;
    double m, v;
    ngi_family_moments(n, y, w, &m, &v);
    for (int k = 0; k < STEPS; k++) {
        v = fmax(v, DBL_EPSILON * ngi_family_finite(m * m) + DBL_MIN);
        reweight(n, y, w, df, &m, &v);
    }
    v = fmax(v, DBL_EPSILON * ngi_family_finite(m * m) + DBL_MIN);
    z[0] = m;
    z[1] = 0.5 * log(v);
    z[2] = log(df);
}

const ng_family_ops ngi_family_student_t = {
    .name = "student-t",
    .support = "a finite number",
    .smooth = 1,
    .shape = shape,
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
