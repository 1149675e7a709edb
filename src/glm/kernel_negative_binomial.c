/* The negative binomial with Var = mu + a mu^2, a = psi = 1 / theta >= 0; at
 * a = 0 it is Poisson, and everything here is continuous and differentiable
 * down to there.
 *
 * The loss is less the saturated Poisson's log-likelihood, so that it is 0 at
 * best. With m = 1 + a mu, r = (y - mu) / m, k = 1 / a, S(x) = x log x - x -
 * log Gamma(x) and H(t) = (log(1 + t) - t) / t^2 it splits into two terms that
 * are not negative, half the deviance and what a costs at mu = y:
 *
 *   loss = -a r^2 H(a r) - y (r / y)^2 H(-r / y)  +  S(k + y) - S(k),
 *   d/da = r^2 H(a r)  +  k^2 [l(k) - l(k + y)],  l(x) = log x - psi(x),
 *   d2/da2 = r^2 [y / (1 + a y) + r G(a r)] + d/da of the bracket above,
 *   G(t) = -2 (H(t) + 1/2) / t.
 *
 * For k >= 16 the brackets in k are Stirling's series, each term's difference
 * in a form that has the right limit at a = 0. */
#include "family/negative_binomial.h"
#include "family/two_parameter.h"
#include "glm/kernel.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>

static const double SERIES_FROM = 16; /* in k */
enum { FEW = 8 };                     /* counts that are summed outright */

/* (log(1 + t) - t) / t^2; t > -1. */
static double remainder_ratio(double t) {
    if (fabs(t) < 1e-4)
        return -0.5 + t * (1. / 3 - t * (0.25 - t * (0.2 - t / 6)));
    return ngi_log1pmx(t) / (t * t);
}

/* -2 (H(t) + 1/2) / t. */
static double third_ratio(double t) {
    if (fabs(t) < 0.1) {
        double sum = 0;
        for (int j = 16; j >= 3; j--)
            sum = 1. / j - t * sum;
        return -2 * sum;
    }
    return -2 * (remainder_ratio(t) + 0.5) / t;
}

/* ---- What alpha costs at mu = y, as a function of y and a alone ---- */

typedef struct cost {
    double value, slope, bend; /* in a */
} cost;

/* The slope has terms c a^(p-2) (1 - v^p), v = 1 / (1 + a y), where l(x) =
 * sum c / x^p (DLMF 5.11.2), and S the terms c a^(p-1) (1 - v^(p-1)) / (p - 1).
 * 1 - v^(p+1) = (1 - v^p) + v^p (1 - v) does not cancel. */
static cost series_cost(double a, double y) {
    static const double C[6] = {1. / 12,   -1. / 120, 1. / 252,
                                -1. / 240, 1. / 132,  -691. / 32760};
    double v = 1 / (1 + a * y), step = a * y * v, yv = y * v;
    cost c = {0.5 * log1p(a * y), 0.5 * yv, -0.5 * yv * yv};
    double power = 1, before = 0;    /* a^(p-2), a^(p-3) */
    double fall = step, v_to_p1 = v; /* 1 - v^(p-1), v^(p-1) */
    for (int i = 0; i < 6; i++) {
        double p = 2 * i + 2, v_to_p = v_to_p1 * v;
        double full = fall + v_to_p1 * step;
        c.value += C[i] / (p - 1) * (a * power) * fall;
        c.slope += C[i] * power * full;
        c.bend += C[i] * (power * p * (yv * v_to_p) + (p - 2) * before * full);
        before = power * a;
        power = before * a;
        fall = full + v_to_p * step;
        v_to_p1 = v_to_p * v;
    }
    return c;
}

/* (y + k) log(1 + a y) - y - sum_{j < y} log(1 + a j). */
static cost summed_cost(double a, double y) {
    double t = a * y, q = 1 + t, H = remainder_ratio(t);
    cost c = {(y + 1 / a) * log1p(t) - y, -y * y * H,
              -y * y * (y * third_ratio(t) + y / q)};
    double product = 1;
    for (double j = 1; j < y; j++) {
        double factor = 1 + a * j, s = j / factor;
        product *= factor;
        c.slope -= s;
        c.bend += s * s;
    }
    c.value -= log(product);
    return c;
}

static cost closed_cost(double a, double y) {
    double k = 1 / a;
    double gap = ngi_log_minus_digamma(k) - ngi_log_minus_digamma(k + y);
    double fall =
        ngi_trigamma_minus_inverse(k) - ngi_trigamma_minus_inverse(k + y);
    cost c = {ngi_gamma_constant(k + y) - ngi_gamma_constant(k), k * k * gap,
              k * k * k * (k * fall - 2 * gap)};
    return c;
}

static cost cost_of(double a, double y) {
    if (y == 0)
        return (cost){0, 0, 0};
    if (a * SERIES_FROM <= 1)
        return series_cost(a, y);
    return y <= FEW ? summed_cost(a, y) : closed_cost(a, y);
}

/* ---- A row ---- */

typedef struct mean_jet {
    double mu, log_mu, d1, d2; /* derivatives of mu in eta */
} mean_jet;

static const mean_jet NOWHERE = {(double)NAN, (double)NAN, (double)NAN,
                                 (double)NAN};

/* False outside the link's domain. */
static bool mean_of(ng_link link, double eta, mean_jet *out) {
    switch (link) {
    case NG_LINK_SQRT:
        *out = (mean_jet){eta * eta, 2 * log(eta), 2 * eta, 2};
        return eta > 0;
    case NG_LINK_IDENTITY:
        *out = (mean_jet){eta, log(eta), 1, 0};
        return eta > 0;
    default: {
        double mu = exp(eta);
        *out = (mean_jet){mu, eta, mu, mu};
        return true;
    }
    }
}

/* log(1 + t) - t from the accurate logarithm where t nears -1. */
static double log_remainder(double t, double log1p_t) {
    return t < -0.5 ? log1p_t - t : ngi_log1pmx(t);
}

/* Half the deviance; HUGE_VAL where it overflows. */
static double half_deviance(double a, double y, const mean_jet *m) {
    double spread = a * m->mu, grow = log1p(spread);
    if (!(spread < HUGE_VAL) || !(m->mu < HUGE_VAL))
        return HUGE_VAL;
    if (y == 0)
        return spread < DBL_EPSILON ? m->mu : grow / a;
    double r = (y - m->mu) / (1 + spread), t = a * r, log_q = log1p(a * y);
    double first = fabs(t) < 1e-4 ? -a * r * r * remainder_ratio(t)
                                  : -log_remainder(t, log_q - grow) / a;
    double log_ratio = m->log_mu - log(y) + log_q - grow;
    return first - y * log_remainder(-r / y, log_ratio);
}

/* ---- E[(d loss / d a)^2] ---- */

static double alpha_information(double a, double log_mu) {
    double z[2] = {log_mu, -log(a)}, mu = exp(log_mu);
    /* Beyond doubt Poisson: half of mu^2. */
    if (!(a * (1 + mu) > DBL_EPSILON))
        return 0.5 * mu * mu;
    ngi_nb law = ngi_nb_make(z);
    return ngi_nb_size_information(&law) / (a * a);
}

/* One such expectation is a sum over many counts. For many rows log E is
 * interpolated in x = (log mu - centre) / half at Chebyshev's points: it is
 * analytic up to log mu = -log a +- i pi, so that `count` points leave an error
 * of about exp(-count asinh(pi / half)). */
enum { MOST = 64, LEAST = 12, ROWS_A_POINT = 4 };

typedef struct interpolant {
    double centre, half;
    size_t count; /* above MOST: too wide a range */
    double c[MOST];
} interpolant;

static void plan(double low, double high, interpolant *out) {
    const double digits = 40; /* e-folds */
    out->centre = 0.5 * (low + high);
    out->half = fmax(0.5 * (high - low), 1e-3);
    double needed = ceil(digits / asinh(NGI_PI / out->half));
    out->count = (size_t)fmin(fmax(needed, LEAST), MOST + 1);
}

static void interpolate(double a, interpolant *f) {
    double value[MOST], step = NGI_PI / (double)f->count;
    for (size_t i = 0; i < f->count; i++) {
        double x = cos(step * ((double)i + 0.5));
        value[i] = log(alpha_information(a, f->centre + f->half * x));
    }
    for (size_t j = 0; j < f->count; j++) {
        double sum = 0;
        for (size_t i = 0; i < f->count; i++)
            sum += value[i] * cos(step * (double)j * ((double)i + 0.5));
        f->c[j] = sum * (j > 0 ? 2 : 1) / (double)f->count;
    }
}

/* Clenshaw's recurrence. */
static double interpolated(const interpolant *f, double log_mu) {
    double x = (log_mu - f->centre) / f->half, b1 = 0, b2 = 0;
    for (size_t j = f->count - 1; j > 0; j--) {
        double b = 2 * x * b1 - b2 + f->c[j];
        b2 = b1;
        b1 = b;
    }
    return exp(x * b1 - b2 + f->c[0]);
}

/* Over the rows, whose log means are given; a mean of nothing tells nothing. */
static double information_sum(double a, size_t n, const double *log_mu,
                              const double *w) {
    const double nothing = -300;
    double low = HUGE_VAL, high = -HUGE_VAL, sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(log_mu[i] > nothing) || (w && w[i] == 0))
            continue;
        low = fmin(low, log_mu[i]);
        high = fmax(high, log_mu[i]);
    }
    if (!(low <= high))
        return 0;
    interpolant f;
    plan(low, high, &f);
    bool serves = f.count <= MOST && n > ROWS_A_POINT * f.count;
    if (serves)
        interpolate(a, &f);
    for (size_t i = 0; i < n; i++) {
        if (!(log_mu[i] > nothing) || (w && w[i] == 0))
            continue;
        double e = serves ? interpolated(&f, log_mu[i])
                          : alpha_information(a, log_mu[i]);
        sum += (w ? w[i] : 1) * e;
    }
    return sum;
}

/* ---- All together ---- */

/* What is summed over the rows, but for the expectation. */
static void alpha_row(double a, double y, double mu, double w, const cost *c,
                      const ngi_glm_terms *out) {
    double r = (y - mu) / (1 + a * mu), t = a * r;
    if (w == 0)
        return;
    if (out->psi_score)
        out->psi_score[0] += w * (c->slope + r * r * remainder_ratio(t));
    if (out->psi_curvature && out->observed)
        out->psi_curvature[0] +=
            w * (c->bend + r * r * (y / (1 + a * y) + r * third_ratio(t)));
}

static void row(double a, double y, const mean_jet *m, const cost *c, size_t i,
                const ngi_glm_terms *out) {
    double mu = m->mu, spread = 1 + a * mu, r = (y - mu) / spread;
    /* mu' / mu, which stays where mu underflows */
    double relative = mu > 0 ? m->d1 / mu : 1;
    if (out->loss)
        out->loss[i] = half_deviance(a, y, m) + c->value;
    if (out->score)
        out->score[i] = -r * relative;
    if (out->cross)
        out->cross[i] = out->observed ? r / spread * m->d1 : 0;
    if (!out->curvature)
        return;
    if (!out->observed) {
        out->curvature[i] = m->d1 * relative / spread;
        return;
    }
    /* d2 loss / dmu2 = [y + 2 a mu y - a mu^2] / (mu spread)^2 */
    double share = a * mu / spread; /* of the variance beyond Poisson's */
    double second = (y + share * (y - mu)) / spread;
    double bend = mu > 0 ? m->d2 / mu : 1;
    out->curvature[i] = second * relative * relative - r * bend;
}

static void terms(const ngi_glm_kernel *k, size_t n, const double *eta,
                  const double *psi, const double *y, const double *w,
                  const ngi_glm_terms *out, double *work) {
    double a = psi[0];
    bool alpha = out->psi_score || (out->psi_curvature && out->observed);
    bool expected = out->psi_curvature && !out->observed;
    for (size_t i = 0; i < n; i++) {
        mean_jet m;
        cost c = {0, 0, 0};
        bool inside = a >= 0 && mean_of(k->link, eta[i], &m);
        if (expected)
            work[i] = inside ? m.log_mu : -HUGE_VAL;
        if (!inside && out->loss)
            out->loss[i] = HUGE_VAL;
        if (!inside)
            continue;
        if (out->loss || alpha)
            c = cost_of(a, y[i]);
        row(a, y[i], &m, &c, i, out);
        if (alpha)
            alpha_row(a, y[i], m.mu, w ? w[i] : 1, &c, out);
    }
    if (expected && a >= 0)
        out->psi_curvature[0] += information_sum(a, n, work, w);
}

static void mean(const ngi_glm_kernel *k, size_t n, const double *eta,
                 double *mu, double *dmu, double *d2mu) {
    for (size_t i = 0; i < n; i++) {
        mean_jet m;
        if (!mean_of(k->link, eta[i], &m))
            m = NOWHERE;
        mu[i] = m.mu;
        if (dmu)
            dmu[i] = m.d1;
        if (d2mu)
            d2mu[i] = m.d2;
    }
}

static const ngi_glm_kernel_ops OPS = {.terms = terms, .mean = mean};

void ngi_glm_kernel_negative_binomial(ng_link link, ngi_glm_kernel *out) {
    *out = (ngi_glm_kernel){.ops = &OPS, .link = link, .work = 1, .extras = 1};
}
