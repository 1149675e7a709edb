/* Expectations under the negative binomial.
 *
 * With x(y) the score of log size, F_22 = E x^2; with x = log p1/p0 between
 * laws of equal means, KL = E[e^x - 1 - x], because E[e^x] = 1. Both sum
 * nonnegative terms, so that they keep their relative accuracy where they are
 * small (a large size: Poisson's limit; a short step), where the textbook
 * series is a difference of nearly equal numbers.
 *
 * Counts below CUT are summed, with the recurrences
 *   p(y+1) / p(y) = (Q m + P y) / (y + 1),
 *   score(y+1) - score(y) = Q (m - y) / (k + y),
 *   x(y+1) - x(y) = log1p((k1 - k0) (m - y) / ((k0 + y) (k1 + m))),
 * and the rest is an integral from CUT - 1/2 with the correction that turns
 * the midpoint rule into the sum. The work is bounded for every law. */
#include "family/family.h"
#include "family/negative_binomial.h"
#include "family/two_parameter.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>

enum { CUT = 1024 };

static double clamp_log(double x) {
    return fmin(fmax(x, -700), 700);
}

ngi_nb ngi_nb_make(const double *z) {
    ngi_nb law;
    law.log_mean = clamp_log(z[0]);
    law.log_size = clamp_log(z[1]);
    law.mean = exp(law.log_mean);
    law.size = exp(law.log_size);
    law.p = ngi_expit(law.log_mean - law.log_size);
    law.q = ngi_expit(law.log_size - law.log_mean);
    law.log_total = law.log_size + ngi_softplus(law.log_mean - law.log_size);
    return law;
}

ngi_nb_point ngi_nb_at_count(const ngi_nb *law, double y) {
    ngi_nb_point point = {fmin(y, NGI_NB_MAX_COUNT), 0, 0};
    point.a = (point.y - law->mean) / (law->size + law->mean);
    point.b = point.y > 0 ? law->q * (law->mean / point.y - 1) : 0;
    return point;
}

/* y = mean e^s. */
static ngi_nb_point at_log_ratio(const ngi_nb *law, double s) {
    ngi_nb_point point = {law->mean * exp(s), law->p * expm1(s),
                          law->q * expm1(-s)};
    return point;
}

/* log(1 + x) - x, from the accurate logarithm where x nears -1. */
static double remainder_of(double x, double log1p_x) {
    return x < -0.5 ? log1p_x - x : ngi_log1pmx(x);
}

/* k [log(1 + a) - a]; k a = Q (y - m) also where a overflows. */
static double size_part(const ngi_nb *law, const ngi_nb_point *point) {
    if (point->a > -0.5 && point->a < 1e3)
        return law->size * ngi_log1pmx(point->a);
    double log_sum = log(law->size + point->y) - law->log_total;
    return law->size * log_sum - law->q * (point->y - law->mean);
}

/* Loader's (2000) saddle-point form, whose terms do not grow with y: with
 * S(x) = x log x - x - log Gamma(x),
 *   log p = S(k) + S(y) - S(k+y) - log y + k [log(1+a) - a]
 *           + y [log(1+b) - b]. */
double ngi_nb_log_mass(const ngi_nb *law, const ngi_nb_point *point) {
    double k = law->size, y = point->y;
    if (y == 0)
        return -k * ngi_softplus(law->log_mean - law->log_size);
    double log_y = log(y), log_sum = log(k + y) - law->log_total;
    double constant = ngi_gamma_constant(k) + ngi_gamma_constant(y) -
                      ngi_gamma_constant(k + y) - log_y;
    double above = remainder_of(point->b, law->log_mean - log_y + log_sum);
    return constant + size_part(law, point) + y * above;
}

/* The differences k [l(k) - l(k+y)] (order 0) and k^2 [T(k) - T(k+y)] (order
 * 1), T = -l', for k >= 16 from the asymptotic series
 *   l(x) = sum c_i / x^i (DLMF 5.11.2), each term's difference without
 * cancellation; to rounding. */
static double series_gap(double k, double y, int order) {
    static const double C[7] = {1. / 2,    1. / 12,  -1. / 120,    1. / 252,
                                -1. / 240, 1. / 132, -691. / 32760};
    double sum = 0, grow = log1p(y / k);
    for (int i = 6; i >= 0; i--) {
        int power = i > 0 ? 2 * i : 1;
        double scale = pow(k, 1 - power) * (order ? power : 1);
        sum += C[i] * scale * -expm1(-(power + order) * grow);
    }
    return sum;
}

static double score_gap(double k, double y) {
    if (y == 0)
        return 0;
    if (k >= 16)
        return series_gap(k, y, 0);
    return k * (ngi_log_minus_digamma(k) - ngi_log_minus_digamma(k + y));
}

double ngi_nb_size_score(const ngi_nb *law, const ngi_nb_point *point) {
    return size_part(law, point) + score_gap(law->size, point->y);
}

/* k^2 [T(k) - T(k+y)] - k^2 a^2 / (k + y) - score, T(x) = psi'(x) - 1/x. */
double ngi_nb_size_curvature(const ngi_nb *law, const ngi_nb_point *point) {
    double k = law->size, y = point->y, gap = 0;
    if (y > 0 && k >= 16)
        gap = series_gap(k, y, 1);
    else if (y > 0)
        gap = ngi_gamma_information(k) -
              k * k * ngi_trigamma_minus_inverse(k + y);
    double ka = law->q * (y - law->mean), spread = ka / (k + y) * ka;
    return gap - spread - ngi_nb_size_score(law, point);
}

/* Which function of y is averaged under `law`. */
typedef enum average_kind {
    SCORE_SQUARED,
    DIVERGENCE, /* e^x - 1 - x */
    LOG_RATIO   /* -x, where p1 may have no mass in common with p0 */
} average_kind;

typedef struct average {
    average_kind kind;
    const ngi_nb *law, *to; /* `to` has the same mean */
    double step;            /* log size of `to` less that of `law` */
    double least_size;      /* of the laws that must be covered */
} average;

/* The score along the way from one size to another, at a fixed y. */
typedef struct path {
    const ngi_nb *law;
    double y, s; /* s = log(y / mean) */
} path;

static double path_score(double t, void *user) {
    const path *way = user;
    double z[2] = {way->law->log_mean, way->law->log_size + t};
    ngi_nb law = ngi_nb_make(z);
    ngi_nb_point point =
        way->y == 0 ? ngi_nb_at_count(&law, 0) : at_log_ratio(&law, way->s);
    return ngi_nb_size_score(&law, &point);
}

/* x at mean e^s, or at y = 0 for s = -inf. A small x integrates the score,
 * since the difference of two logarithms of p would lose x's leading digits. */
static double argument_at(const average *e, double s) {
    ngi_nb_point from = {0, -e->law->p, 0}, to = from;
    if (s > -HUGE_VAL) {
        from = at_log_ratio(e->law, s);
        if (e->to)
            to = at_log_ratio(e->to, s);
    } else if (e->to) {
        to.a = -e->to->p;
    }
    if (e->kind == SCORE_SQUARED)
        return ngi_nb_size_score(e->law, &from);
    path way = {e->law, from.y, s};
    if (fabs(e->step) <= 1 && fabs(e->step) * e->law->p < 0.02)
        return ngi_gauss8(path_score, &way, 0, e->step);
    return ngi_nb_log_mass(e->to, &to) - ngi_nb_log_mass(e->law, &from);
}

static double value_of(const average *e, double x) {
    if (e->kind == SCORE_SQUARED)
        return x * x;
    return e->kind == DIVERGENCE ? ngi_expm1mx(x) : -x;
}

/* x(y + 1) - x(y). */
static double increment(const average *e, double y) {
    const ngi_nb *law = e->law, *to = e->to;
    double slope = (law->mean - y) / (law->size + y);
    if (e->kind == SCORE_SQUARED)
        return law->q * slope;
    double t = slope * ((to->size - law->size) / (to->size + to->mean));
    if (t > -0.5)
        return log1p(t);
    double log_ratio = y > 0 ? log(to->size + y) - log(law->size + y) : e->step;
    return log_ratio - (to->log_total - law->log_total);
}

static double mass_ratio(const ngi_nb *law, double y) {
    return (law->q * law->mean + law->p * y) / (y + 1);
}

static double log_ratio_of(const ngi_nb *law, double y) {
    return y > 0 ? log(y) - law->log_mean : -HUGE_VAL;
}

typedef struct walk_state {
    double y, mass, x;
} walk_state;

static double sum_down(const average *e, walk_state at) {
    double sum = 0;
    while (at.y > 0 && at.mass > 0) {
        at.y -= 1;
        at.mass /= mass_ratio(e->law, at.y);
        at.x -= increment(e, at.y);
        sum += at.mass * value_of(e, at.x);
    }
    return sum;
}

/* Ends at CUT or where what follows is negligible: beyond the mode the masses
 * fall at least geometrically. *ended tells which. */
static double sum_up(const average *e, walk_state at, int *ended) {
    const double negligible = 1e-19;
    double sum = 0, top = 0;
    *ended = 1;
    while (at.y < CUT && at.mass > 0) {
        double value = value_of(e, at.x);
        sum += at.mass * value;
        top = fmax(top, fabs(value));
        double ratio = mass_ratio(e->law, at.y);
        double rest = at.mass * top / (1 - fmax(ratio, e->law->p));
        if (at.y > e->law->mean + 2 && ratio < 1 && rest > 0 &&
            rest < negligible * fabs(sum))
            return sum;
        at.x += increment(e, at.y);
        at.mass *= ratio;
        at.y += 1;
    }
    *ended = at.mass == 0;
    return sum;
}

/* The mass at mean e^s times e^log_width and the value there: a mass far out
 * underflows where its product with the width does not. */
static double term(const average *e, double s, double log_width) {
    const ngi_nb_point point = at_log_ratio(e->law, s);
    double mass = exp(ngi_nb_log_mass(e->law, &point) + log_width);
    return mass == 0 ? 0 : mass * value_of(e, argument_at(e, s));
}

static double tail_integrand(double s, void *user) {
    const average *e = user;
    return term(e, s, e->law->log_mean + s);
}

/* The sum over y >= CUT less the integral from CUT - 1/2, by central
 * differences there: 1/(2 sinh(D/2)) - 1/D in powers of the difference. */
static double midpoint_correction(const average *e) {
    double g[6];
    for (int j = 0; j < 6; j++)
        g[j] = term(e, log_ratio_of(e->law, CUT - 3 + j), 0);
    double d1 = g[3] - g[2];
    double d3 = g[4] - 3 * g[3] + 3 * g[2] - g[1];
    double d5 = g[5] - 5 * g[4] + 10 * (g[3] - g[2]) + 5 * g[1] - g[0];
    return d1 / 24 - d3 * 17 / 5760 + d5 * 367 / 967680;
}

/* log(Y / mean) lies between these but for 1e-17 or so: it has a standard
 * deviation of about w, a tail of rate k to the left and a double exponential
 * one to the right. */
typedef struct range {
    double w, left, right;
} range;

static range range_of(const average *e) {
    double w2 = 1 / e->law->mean + 1 / e->least_size;
    range r = {sqrt(w2), 0, 0};
    r.left = -10 * r.w - 48 * w2;
    /* e^708 keeps the counts representable. */
    r.right = fmin(log1p(10 * r.w + 50 * w2), 708 - e->law->log_mean);
    return r;
}

/* The tanh-sinh rule doubles its digits with each level: when two agree to
 * half of them the later has all. */
static double integral(const average *e, double from, double to) {
    const double half_digits = 1e-9;
    return ngi_integrate(tail_integrand, (void *)e, from, to, half_digits);
}

static double tail(const average *e, range r) {
    double from = log(CUT - 0.5) - e->law->log_mean;
    double low = fmax(from, r.left);
    if (low >= r.right)
        return 0;
    /* In two pieces about the mode's neighbourhood, for the rule's sake. */
    double middle = fmin(fmax(0, low), r.right);
    double sum = integral(e, middle, r.right);
    if (low < middle)
        sum += integral(e, low, middle);
    return from > r.left ? sum + midpoint_correction(e) : sum;
}

/* For a bell well away from 0 the sum over the counts and the trapezoidal sum
 * over log y both equal the integral to rounding, their errors being of the
 * order of exp(-2 pi^2 (standard deviation / step)^2). */
static double bell(const average *e, range r) {
    double step = 0.4 * r.w, sum = 0;
    int above = (int)ceil(r.right / step), below = (int)ceil(-r.left / step);
    for (int i = -below; i <= above; i++)
        sum += tail_integrand(step * i, (void *)e);
    return step * sum;
}

static double expectation(const average *e) {
    const ngi_nb *law = e->law;
    range r = range_of(e);
    double mode = law->size > 1 ? law->mean - law->mean / law->size : 0;
    int within = law->log_mean + r.right < log(CUT);
    if (!within && r.w < 0.2 && law->log_mean + r.left > log(20))
        return bell(e, r);
    walk_state at = {fmin(CUT - 1, floor(fmax(mode, 0))), 0, 0};
    ngi_nb_point point = ngi_nb_at_count(law, at.y);
    at.mass = exp(ngi_nb_log_mass(law, &point));
    at.x = argument_at(e, log_ratio_of(law, at.y));
    int ended;
    double sum = sum_up(e, at, &ended) + sum_down(e, at);
    return ended && mode < CUT - 1 ? sum : sum + tail(e, r);
}

/* Where mean and size both exceed this, log y is normal to rounding. */
static const double NORMAL_FROM = 1e16;

double ngi_nb_size_information(const ngi_nb *law) {
    if (fmin(law->mean, law->size) > NORMAL_FROM)
        return 0.5 * law->p * law->p;
    average e = {SCORE_SQUARED, law, 0, 0, law->size};
    return expectation(&e);
}

double ngi_nb_size_kl(const ngi_nb *from, const ngi_nb *to) {
    double step = to->log_size - from->log_size;
    double least = fmin(from->size, to->size);
    if (step == 0)
        return 0;
    if (fmin(from->mean, least) > NORMAL_FROM) {
        /* Normal laws whose variances have the ratio e^-d. */
        double d = fabs(step) <= 1 ? -log1p(from->p * expm1(-step))
                                   : (from->log_total - from->log_size) -
                                         (to->log_total - to->log_size);
        return 0.5 * ngi_expm1mx(d);
    }
    int close = fabs(step) <= 1 || least > 2 * (1 + from->mean);
    average e = {close ? DIVERGENCE : LOG_RATIO, from, to, step,
                 close ? least : from->size};
    return fmax(0, expectation(&e));
}
