#include "numerics/special_impl.h"

#include <float.h>
#include <math.h>

/* From this smaller shape on the uniform expansion holds wherever
 * |eta| <= 1. */
static const double uniform_shape = 30.0;

typedef struct beta_point {
    double a, b, x, y, w;
} beta_point;

static beta_point mirrored(const beta_point *p) {
    return (beta_point){p->b, p->a, p->y, p->x, -p->w};
}

/* log(1 + u) - u for u = ratio - 1. */
static double log_ratio_excess(double u, double ratio) {
    return fabs(u) < 0.5 ? ngi_log1pmx(u) : log(ratio) - u;
}

/* -log of the density's kernel relative to its mode: with n = a + b,
 * a log(a / (n x)) + b log(b / (n y)). The linear terms w - w cancel exactly
 * and are left out. */
static double beta_deviance(const beta_point *p) {
    const double n = p->a + p->b;
    const double below = log_ratio_excess(p->w / p->a, p->x * (n / p->a));
    const double above = log_ratio_excess(-p->w / p->b, p->y * (n / p->b));
    return -(p->a * below + p->b * above);
}

static double log_pair(double x, double y) {
    return x > 0.5 ? log1p(-y) : log(x);
}

/* x^a y^b / B(a, b) with a <= b. */
static double ordered_weight(const beta_point *p) {
    if (p->a >= 10.0) {
        const double n = p->a + p->b;
        const double remainder = ngi_stirling_remainder(p->a) +
                                 ngi_stirling_remainder(p->b) -
                                 ngi_stirling_remainder(n);
        return sqrt(p->a * (p->b / n) / (2.0 * NGI_PI)) *
               exp(-beta_deviance(p) - remainder);
    }
    const double log_y = p->b * log_pair(p->y, p->x);
    if (p->b < 10.0)
        return p->a * exp(p->a * log_pair(p->x, p->y) + log_y -
                          ngi_log_scaled_beta(p->a, p->b));
    /* log B(a, b) contains -a log b, which is joined to a log x: the two are
     * large and of opposite sign where b is large. */
    return p->a * exp(p->a * log(p->x * p->b) + log_y - ngi_lgamma1p(p->a) +
                      ngi_lgamma_excess(p->b, p->a));
}

static double beta_weight(const beta_point *p) {
    const beta_point mirror = mirrored(p);
    return ordered_weight(p->a <= p->b ? p : &mirror);
}

/* I / weight by the even part of DLMF 8.17.22, modified Lentz; written with
 * lambda = a - (a + b) x = -w, in which form the partial denominators do not
 * cancel where one shape is much the larger (Didonato & Morris 1992, eq. 9).
 */
static double beta_fraction(const beta_point *p) {
    const double a = p->a;
    const double b = p->b;
    const double x = p->x;
    const double lambda = -p->w;
    double d = 1.0 / (a / (a + 1.0) * (lambda + 1.0));
    double value = d;
    double c = INFINITY;
    for (int k = 1; k < 5000; k++) {
        const double before = k - 1.0;
        const double e = a + 2.0 * k;
        const double cross = k * ((b - k) * x) / (e - 1.0);
        const double numerator =
            cross * ((a + before) / (e - 1.0)) * ((a + b + before) * x);
        const double drift = lambda + 1.0 + k * (1.0 + p->y);
        const double base = k + cross + (a + k) / (e + 1.0) * drift;
        d = 1.0 / (base + numerator * d);
        c = base + numerator / c;
        value *= c * d;
        if (fabs(c * d - 1.0) <= DBL_EPSILON)
            break;
    }
    return value;
}

/* sum_{n >= 1} a (1 - b)_n x^n / (n! (a + n)). */
static double power_series(double a, double b, double x) {
    double term = 1.0;
    double sum = 0.0;
    for (int n = 1; n < 1000; n++) {
        term *= (n - b) / n * x;
        const double part = term / (a + n);
        sum += part;
        if (fabs(part) <= 0.1 * DBL_EPSILON * fabs(sum))
            break;
    }
    return a * sum;
}

/* y^b / (b B(a, b)), a < 1. */
static double leading_power(const beta_point *p) {
    const double log_power = p->b * log_pair(p->y, p->x);
    if (p->b < p->a)
        return exp(log_power - ngi_log_scaled_beta(p->b, p->a));
    return p->a / p->b * exp(log_power - ngi_log_scaled_beta(p->a, p->b));
}

/* 1 - I for a < 1 left of the mean, where the complement can be tiny: either
 * the power series from the other end, all of whose terms are positive, or
 * I = (1 + u) (1 + series) with u by expm1 (DLMF 8.17.7). */
static double upper_small_shape(const beta_point *p) {
    if (p->y <= 0.9)
        return leading_power(p) * (1.0 + power_series(p->b, p->a, p->y));
    const double log_power =
        p->a * log_pair(p->x, p->y) - ngi_log_scaled_beta(p->a, p->b);
    const double series = power_series(p->a, p->b, p->x);
    return -expm1(log_power) - exp(log_power) * series;
}

static void uniform_beta(const beta_point *p, double eta, double deviance,
                         ngi_tails *out) {
    const double n = p->a + p->b;
    const double x0 = p->a / n;
    const double y0 = p->b / n;
    ngi_uniform_tails((y0 - x0) / sqrt(y0), x0, p->a, eta, deviance, out);
}

/* The tails where the smaller shape is a and is large. */
static int large_tails(const beta_point *p, ngi_tails *out) {
    const double deviance = fmax(0.0, beta_deviance(p));
    if (!(deviance <= 0.5 * p->a))
        return 0;
    const double eta = copysign(sqrt(2.0 * deviance / p->a), p->w);
    uniform_beta(p, eta, deviance, out);
    return 1;
}

/* The tails at a point left of the turning point of the continued fraction.
 */
static void left_tails(const beta_point *p, ngi_tails *out) {
    out->lower = 0.0;
    if (out->weight > 0.0)
        out->lower = fmin(1.0, out->weight * beta_fraction(p));
    if (p->a < 1.0)
        out->upper = fmin(fmax(upper_small_shape(p), 0.0), 1.0);
    else
        out->upper = 1.0 - out->lower;
}

static void swap_tails(ngi_tails *tails) {
    const double lower = tails->lower;
    tails->lower = tails->upper;
    tails->upper = lower;
}

/* x <= (a + 1) / (a + b + 2), by whichever of x and y is the smaller. */
static int left_of_turn(const beta_point *p) {
    const double n = p->a + p->b + 2.0;
    return p->x <= 0.5 ? p->x <= (p->a + 1.0) / n : p->y >= (p->b + 1.0) / n;
}

void ngi_beta_tails(double a, double b, double x, double y, double w,
                    ngi_tails *out) {
    const beta_point point = {a, b, x, y, w};
    const beta_point mirror = mirrored(&point);
    *out = (ngi_tails){0.0, 1.0, 0.0};
    if (x <= 0.0)
        return;
    if (y <= 0.0) {
        swap_tails(out);
        return;
    }
    out->weight = beta_weight(&point);
    if (fmin(a, b) >= uniform_shape &&
        large_tails(a <= b ? &point : &mirror, out)) {
        if (a > b)
            swap_tails(out);
    } else if (left_of_turn(&point)) {
        left_tails(&point, out);
    } else {
        left_tails(&mirror, out);
        swap_tails(out);
    }
}

static int beta_domain(double a, double b, double x) {
    return a > 0.0 && b > 0.0 && !(isinf(a) && isinf(b)) && x >= 0.0 &&
           x <= 1.0;
}

/* Shapes whose sum overflows, or infinite ones, describe a point mass to
 * within rounding; smaller ones with the same mean describe it as well. */
static void limit_shapes(double *a, double *b) {
    const double huge = 1e300;
    const double largest = fmax(*a, *b);
    if (largest <= huge)
        return;
    if (isinf(largest)) {
        *a = fmin(*a, huge);
        *b = fmin(*b, huge);
        return;
    }
    const double scale = huge / largest;
    *a = fmin(*a, 1e30) < 1e30 ? *a : *a * scale;
    *b = fmin(*b, 1e30) < 1e30 ? *b : *b * scale;
}

double ngi_beta_i(double a, double b, double x) {
    if (!beta_domain(a, b, x))
        return NAN;
    limit_shapes(&a, &b);
    /* w = x b - a (1 - x) = x (a + b) - a with the sum in two parts: where
     * the shapes are large the result hangs on the difference. */
    const double n = a + b;
    const double large = fmax(a, b);
    const double low = fmin(a, b) - (n - large);
    const double w = fma(x, n, -a) + x * low;
    ngi_tails tails;
    ngi_beta_tails(a, b, x, 1.0 - x, w, &tails);
    return tails.lower;
}

/* parameter = {a, b, sign}: log I at logit s where sign > 0, else
 * log(1 - I). */
static double beta_log_tail(double s, const double *parameter, double *slope) {
    const double a = parameter[0];
    const double b = parameter[1];
    const double x = ngi_expit(s);
    const double y = ngi_expit(-s);
    ngi_tails tails;
    ngi_beta_tails(a, b, x, y, x * b - a * y, &tails);
    const double tail = parameter[2] > 0.0 ? tails.lower : tails.upper;
    *slope = parameter[2] * tails.weight / tail;
    return log(tail);
}

double ngi_beta_i_inverse(double a, double b, double p) {
    if (!beta_domain(a, b, 0.0) || !(p >= 0.0 && p <= 1.0))
        return NAN;
    if (p == 0.0 || p == 1.0)
        return p;
    limit_shapes(&a, &b);
    /* The logit has mean psi(a) - psi(b) and variance psi'(a) + psi'(b); the
     * leading powers at either end serve where a shape is small. */
    const double spread = sqrt(ngi_trigamma(a) + ngi_trigamma(b));
    double start = ngi_digamma(a) - ngi_digamma(b) + ngi_ndtri(p) * spread;
    const double left = (log(p) + ngi_log_scaled_beta(a, b)) / a;
    const double right = -(log1p(-p) + ngi_log_scaled_beta(b, a)) / b;
    if (a < 1.0 && left < -1.0)
        start = left;
    else if (b < 1.0 && right > 1.0)
        start = right;
    const double bracket[2] = {-745.2, 745.2};
    const double parameter[3] = {a, b, p < 0.5 ? 1.0 : -1.0};
    const double target = p < 0.5 ? log(p) : log1p(-p);
    const double s = ngi_log_tail_inverse(beta_log_tail, parameter, target,
                                          parameter[2], start, bracket);
    return ngi_expit(s);
}
