/* Von Mises on the circle, z = kappa (cos mu, sin mu): natural parameters,
 * without a seam at mu = pi. With A = I1 / I0 and d = y - mu,
 *
 *   log p = -2 kappa sin^2(d / 2) - [log I0(kappa) - kappa] - log(2 pi),
 *   score = (cos y, sin y) - A (cos mu, sin mu),
 *   F = A'(kappa) n n^T + (A / kappa) t t^T, n = (cos mu, sin mu), t _|_ n,
 *
 * and the observed information is F. mean is the mean direction mu, variance
 * the circular variance 1 - A(kappa); the distribution function starts at
 * -pi. Angles are doubles, so that y = +-NGI_PI both lie inside (-pi, pi]. */
#include "family/family.h"
#include "family/two_parameter.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>

/* Beyond this kappa the expansions in 1/kappa are exact to rounding, and
 * differences from the leading terms would cancel. */
static const double LARGE_KAPPA = 1000;

typedef struct polar {
    double kappa, c, s; /* n = (c, s) */
} polar;

static polar polar_of(const double *z) {
    polar p = {ngi_family_finite(hypot(z[0], z[1])), 1, 0};
    if (p.kappa > 0) {
        double angle = atan2(z[1], z[0]);
        p.c = cos(angle);
        p.s = sin(angle);
    }
    return p;
}

/* log I0(kappa) - kappa (DLMF 10.40.1). */
static double log_i0_scaled(double kappa) {
    if (kappa < LARGE_KAPPA)
        return ngi_log_bessel_i0(kappa) - kappa;
    double x = 1 / kappa;
    double series =
        x * (1. / 8 + x * (9. / 128 + x * (225. / 3072 + x * 11025. / 98304)));
    return log1p(series) - 0.5 * (NGI_LOG_2PI + log(kappa));
}

/* 1 - A(kappa). */
static double one_minus_ratio(double kappa) {
    if (kappa < LARGE_KAPPA)
        return 1 - ngi_bessel_ratio(kappa);
    double x = 1 / kappa;
    return x * (1. / 2 +
                x * (1. / 8 +
                     x * (1. / 8 + x * (25. / 128 +
                                        x * (13. / 32 + x * 1073. / 1024)))));
}

/* A(kappa) / kappa, 1/2 at 0. */
static double ratio_over_kappa(double kappa) {
    return kappa < 1e-8 ? 0.5 : ngi_bessel_ratio(kappa) / kappa;
}

static int shape(size_t size, ng_family *f) {
    if (size != 1)
        return 0;
    f->dim_y = f->dim_mean = f->dim_marginal = f->blocks = 1;
    f->dim_z = f->dim_customary = 2;
    f->block[0] = (ng_family_block){"direction", 0, 2, NG_COORDINATE_OTHER};
    return 1;
}

static int in_support(const ng_family *f, const double *y) {
    (void)f;
    return fabs(y[0]) <= NGI_PI;
}

static void log_density(const ng_family *f, size_t n, const double *z,
                        const double *y, double *out, double *work) {
    (void)work;
    for (size_t i = 0; i < n; i++) {
        polar p = polar_of(z + 2 * i);
        double half = sin(0.5 * (y[i] - atan2(z[2 * i + 1], z[2 * i])));
        out[i] = in_support(f, y + i) ? -2 * (p.kappa * half) * half -
                                            log_i0_scaled(p.kappa) - NGI_LOG_2PI
                                      : -HUGE_VAL;
    }
}

static void score(const ng_family *f, size_t n, const double *z,
                  const double *y, double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        polar p = polar_of(z + 2 * i);
        double A = ngi_bessel_ratio(p.kappa);
        out[2 * i] = cos(y[i]) - A * p.c;
        out[2 * i + 1] = sin(y[i]) - A * p.s;
    }
}

static void fisher(const ng_family *f, size_t n, const double *z, double *out,
                   double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        polar p = polar_of(z + 2 * i);
        double along = ngi_bessel_ratio_derivative(p.kappa);
        double across = ratio_over_kappa(p.kappa);
        ngi_family_symmetric2(out + 4 * i,
                              along * p.c * p.c + across * p.s * p.s,
                              (along - across) * p.c * p.s,
                              along * p.s * p.s + across * p.c * p.c);
    }
}

static void observed(const ng_family *f, size_t n, const double *z,
                     const double *y, double *out, double *work) {
    (void)y;
    fisher(f, n, z, out, work);
}

typedef struct segment {
    double kappa, step;
} segment;

static double curvature(double t, void *user) {
    const segment *s = user;
    return (1 - t) * ngi_bessel_ratio_derivative(s->kappa + t * s->step);
}

/* log I0(k + step) - log I0(k) - A(k) step >= 0: Taylor's remainder where the
 * step is short on the scale over which A' changes. */
static double radial_divergence(double kappa, double step) {
    if (fabs(step) < fmax(1, 0.5 * kappa)) {
        segment s = {kappa, step};
        return step * (step * ngi_gauss8(curvature, &s, 0, 1));
    }
    return fmax(0, log_i0_scaled(kappa + step) - log_i0_scaled(kappa) +
                       one_minus_ratio(kappa) * step);
}

/* With the displacement split into r along n0 and q across it,
 *   KL = [log I0(k1) - log I0(k0) - A(k0)(k1 - k0)] + A(k0)(k1 - k0 - r),
 * k1 - k0 - r = q^2 / (k1 + k0 + r): two terms, neither negative. */
static double kl_row(const double *z0, const double *z1) {
    polar p = polar_of(z0);
    double k0 = p.kappa, k1 = ngi_family_finite(hypot(z1[0], z1[1]));
    double da = ngi_family_finite(z1[0] - z0[0]);
    double db = ngi_family_finite(z1[1] - z0[1]);
    double r = p.c * da + p.s * db, q = p.c * db - p.s * da;
    double along = k0 + r;
    double turn = along > 0 ? q * (q / (k1 + along)) : k1 - along;
    double step = along > 0 ? r + turn : k1 - k0;
    /* Rounding must not carry the end below kappa = 0. */
    step = fmax(step, -k0);
    turn = ngi_family_finite(fmax(0, turn));
    return radial_divergence(k0, step) + ngi_bessel_ratio(k0) * turn;
}

static void kl(const ng_family *f, size_t n, const double *z0, const double *z1,
               double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        out[i] = kl_row(z0 + 2 * i, z1 + 2 * i);
}

/* The representative in [-pi, pi]. */
static double wrap(double angle) {
    if (angle > NGI_PI)
        angle -= 2 * NGI_PI;
    else if (angle < -NGI_PI)
        angle += 2 * NGI_PI;
    return fmax(-NGI_PI, fmin(angle, NGI_PI));
}

/* Best & Fisher (1979, Applied Statistics 28, 152): rejection from a wrapped
 * Cauchy, written so that nothing cancels as kappa -> 0. */
static double best_fisher(double kappa, ng_rng *rng) {
    double tau = 1 + sqrt(1 + 4 * kappa * kappa), root = sqrt(tau);
    double rho = 2 * kappa / (root * (root + sqrt(2)));
    double kappa_r = (1 + rho * rho) * root * (root + sqrt(2)) / 4;
    for (;;) {
        double c = cos(NGI_PI * ng_rng_uniform(rng));
        double f =
            (2 * rho + (1 + rho * rho) * c) / (1 + rho * rho + 2 * rho * c);
        double excess = kappa_r - kappa * f, u = ng_rng_uniform(rng);
        if (excess * (2 - excess) > u || log(excess / u) + 1 >= excess) {
            double angle = acos(fmax(-1, fmin(f, 1)));
            return ng_rng_uniform(rng) < 0.5 ? -angle : angle;
        }
    }
}

/* For large kappa, where the arc cosine above loses the small angles:
 * rejection from a normal, 1 - cos d >= 2 d^2 / pi^2 on [-pi, pi]; two draws
 * in three are accepted. */
static double normal_rejection(double kappa, ng_rng *rng) {
    for (;;) {
        double x = 0.5 * NGI_PI * ng_rng_normal(rng); /* sqrt(kappa) d */
        double d = x / sqrt(kappa);
        double half = sqrt(kappa) * sin(0.5 * d);
        double log_ratio = 2 * x * x / (NGI_PI * NGI_PI) - 2 * half * half;
        if (fabs(d) <= NGI_PI && log(ng_rng_uniform(rng)) <= log_ratio)
            return d;
    }
}

static void sample(const ng_family *f, size_t n, const double *z, ng_rng *rng,
                   double *y, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        polar p = polar_of(z + 2 * i);
        double d = p.kappa < LARGE_KAPPA ? best_fisher(p.kappa, rng)
                                         : normal_rejection(p.kappa, rng);
        y[i] = wrap(atan2(z[2 * i + 1], z[2 * i]) + d);
    }
}

static void mean(const ng_family *f, size_t n, const double *z, double *out,
                 double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        out[i] = atan2(z[2 * i + 1], z[2 * i]);
}

static void variance(const ng_family *f, size_t n, const double *z, double *out,
                     double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        out[i] =
            one_minus_ratio(ngi_family_finite(hypot(z[2 * i], z[2 * i + 1])));
}

static double relative_density(double t, void *user) {
    double kappa = *(const double *)user, half = sin(0.5 * t);
    return exp(-2 * (kappa * half) * half);
}

/* The angle at which sin^2(t/2) has grown by `gain`, pi if there is none. */
static double angle_after(double sine, double gain) {
    double square = sine * sine + gain;
    return square < 1 ? 2 * asin(sqrt(square)) : NGI_PI;
}

/* P(d > x) with d = y - mu in (-pi, pi), for 0 <= x <= pi: the integral up to
 * where the density has fallen by e^-50 from its value at x. */
static double upper_tail(double kappa, double x) {
    if (x >= NGI_PI)
        return 0;
    double end = angle_after(sin(0.5 * x), 25 / kappa);
    double area = ngi_integrate(relative_density, &kappa, x, end, 1e-14);
    return area * exp(-log_i0_scaled(kappa) - NGI_LOG_2PI);
}

/* P(d <= x), continued to (-2 pi, 2 pi) as an integral of the periodic
 * density from -pi. */
static double unwrapped_cdf(double kappa, double x) {
    if (x < -NGI_PI)
        return -upper_tail(kappa, x + 2 * NGI_PI);
    if (x > NGI_PI)
        return 1 + upper_tail(kappa, 2 * NGI_PI - x);
    return x < 0 ? upper_tail(kappa, -x) : 1 - upper_tail(kappa, x);
}

static void cdf(const ng_family *f, size_t n, const double *z, const double *y,
                double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double kappa = polar_of(z + 2 * i).kappa;
        double mu = atan2(z[2 * i + 1], z[2 * i]);
        double before = unwrapped_cdf(kappa, -NGI_PI - mu);
        double value = fmax(-NGI_PI, fmin(y[i], NGI_PI));
        double p = unwrapped_cdf(kappa, value - mu) - before;
        out[i] = value >= NGI_PI ? 1 : fmax(0, fmin(p, 1));
    }
}

typedef struct tail_target {
    double kappa, tail;
} tail_target;

static double tail_gap(double x, void *user) {
    const tail_target *t = user;
    return t->tail - upper_tail(t->kappa, x);
}

/* The x in [0, pi] with P(d > x) = tail <= 1/2. */
static double tail_inverse(double kappa, double tail) {
    tail_target t = {kappa, tail};
    if (tail <= 0)
        return NGI_PI;
    return ngi_root(tail_gap, &t, 0, angle_after(0, 375 / kappa));
}

static double quantile_row(const double *z, double p) {
    double kappa = polar_of(z).kappa, mu = atan2(z[1], z[0]);
    /* P(d <= x) = target, modulo whole turns. */
    double target = p + unwrapped_cdf(kappa, -NGI_PI - mu), turn = 0;
    if (target < 0) {
        target += 1;
        turn = -2 * NGI_PI;
    } else if (target > 1) {
        target -= 1;
        turn = 2 * NGI_PI;
    }
    double x = target < 0.5 ? -tail_inverse(kappa, target)
                            : tail_inverse(kappa, 1 - target);
    return fmax(-NGI_PI, fmin(mu + x + turn, NGI_PI));
}

static void quantile(const ng_family *f, size_t n, const double *z, double p,
                     double *out, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++)
        out[i] = quantile_row(z + 2 * i, p);
}

static void to_customary(const ng_family *f, size_t n, const double *z,
                         double *c, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double mu = atan2(z[2 * i + 1], z[2 * i]);
        c[2 * i + 1] = polar_of(z + 2 * i).kappa;
        c[2 * i] = mu == -NGI_PI ? NGI_PI : mu;
    }
}

static void from_customary(const ng_family *f, size_t n, const double *c,
                           double *z, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double mu = c[2 * i], kappa = c[2 * i + 1];
        z[2 * i] = kappa * cos(mu);
        z[2 * i + 1] = kappa * sin(mu);
    }
}

/* mu has no derivative at kappa = 0: a large finite one stands in. */
static void customary_jacobian(const ng_family *f, const double *z, double *J,
                               double *work) {
    (void)f;
    (void)work;
    polar p = polar_of(z);
    double kappa = fmax(p.kappa, DBL_MIN);
    J[0] = -p.s / kappa;
    J[1] = p.c / kappa;
    J[2] = p.c;
    J[3] = p.s;
}

static void customary_name(const ng_family *f, size_t i,
                           const char *const *columns, char *out, size_t size) {
    (void)f;
    (void)columns;
    ngi_family_name(out, size, i == 0 ? "mu" : "kappa");
}

/* The mean resultant vector, which is A(kappa) (cos mu, sin mu): maximum
 * likelihood, but for a cut where all angles are the same. */
static void start(const ng_family *f, size_t n, const double *y,
                  const double *w, double *z, double *work) {
    (void)f;
    (void)work;
    double c = 0, s = 0, total = 0;
    for (size_t i = 0; i < n; i++) {
        c += w[i] * cos(y[i]);
        s += w[i] * sin(y[i]);
        total += w[i];
    }
    double mu = atan2(s, c);
    double kappa =
        ngi_bessel_ratio_inverse(fmin(hypot(c, s) / total, 1 - 1e-6));
    z[0] = kappa * cos(mu);
    z[1] = kappa * sin(mu);
}

const ng_family_ops ngi_family_vonmises = {
    .name = "vonmises",
    .support = "an angle in (-pi, pi]",
    .smooth = 1,
    .shape = shape,
    .in_support = in_support,
    .log_density = log_density,
    .score = score,
    .fisher = fisher,
    .fisher_solve = ngi_fisher_solve_two,
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
