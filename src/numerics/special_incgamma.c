#include "numerics/special_impl.h"

#include <float.h>
#include <math.h>

/* From this shape on the uniform expansion holds wherever |eta| <= 1. */
static const double uniform_shape = 30.0;

/* Half the squared eta, per unit of shape: lambda - 1 - log lambda. */
static double gamma_rate(double a, double x) {
    const double mu = (x - a) / a;
    if (fabs(mu) < 0.5)
        return -ngi_log1pmx(mu);
    const double lambda = x / a;
    return lambda - 1.0 - log(lambda);
}

/* x^a e^-x / Gamma(a). */
static double gamma_weight(double a, double x) {
    if (a >= 10.0)
        return sqrt(a / (2.0 * NGI_PI)) *
               exp(-a * gamma_rate(a, x) - ngi_stirling_remainder(a));
    return a * exp(a * log(x) - x - ngi_lgamma1p(a));
}

/* P / weight = sum x^n / (a (a + 1) ... (a + n)), DLMF 8.11.4; x < a + 1, or
 * x < 2. */
static double lower_series(double a, double x) {
    double term = 1.0 / a;
    double sum = term;
    for (int n = 1; n < 1000; n++) {
        term *= x / (a + n);
        sum += term;
        if (term <= sum * (0.25 * DBL_EPSILON))
            break;
    }
    return sum;
}

/* Q / weight for x > a: the even part of the continued fraction DLMF 8.9.2,
 *   1 / (x + 1 - a - 1 (1 - a) / (x + 3 - a - 2 (2 - a) / ...)),
 * by the modified Lentz rule. */
static double upper_fraction(double a, double x) {
    double base = x + 1.0 - a;
    double c = INFINITY;
    double d = 1.0 / base;
    double value = d;
    for (int n = 1; n < 1000; n++) {
        const double numerator = -n * (n - a);
        base += 2.0;
        d = 1.0 / (base + numerator * d);
        c = base + numerator / c;
        value *= c * d;
        if (fabs(c * d - 1.0) <= DBL_EPSILON)
            break;
    }
    return value;
}

/* Q for a <= 1 and small x, where 1 - P would cancel: with
 * x^a / Gamma(1 + a) = 1 + u, Q = -u - (1 + u) a sum_{n >= 1}
 * (-x)^n / ((a + n) n!) (DLMF 8.7.1). */
static double upper_small_shape(double a, double x) {
    const double log_power = a * log(x) - ngi_lgamma1p(a);
    double term = 1.0;
    double sum = 0.0;
    for (int n = 1; n < 60; n++) {
        term *= -x / n;
        sum += term / (a + n);
        if (fabs(term) <= 0.01 * DBL_EPSILON * fabs(sum))
            break;
    }
    return -expm1(log_power) - exp(log_power) * a * sum;
}

void ngi_gamma_tails(double a, double x, ngi_tails *out) {
    *out = (ngi_tails){0.0, 1.0, 0.0};
    if (x <= 0.0)
        return;
    out->weight = isinf(x) ? 0.0 : gamma_weight(a, x);
    const double rate = gamma_rate(a, x);
    if (a >= uniform_shape && rate <= 0.5) {
        const double eta = copysign(sqrt(2.0 * rate), x - a);
        ngi_uniform_tails(1.0, 0.0, a, eta, a * rate, out);
    } else if (a <= 1.0 && x < 1.5) {
        out->lower = fmin(1.0, out->weight * lower_series(a, x));
        out->upper = fmax(0.0, upper_small_shape(a, x));
    } else if (x < a + 1.0) {
        out->lower = fmin(1.0, out->weight * lower_series(a, x));
        out->upper = 1.0 - out->lower;
    } else {
        if (out->weight > 0.0)
            out->upper = fmin(1.0, out->weight * upper_fraction(a, x));
        else
            out->upper = 0.0;
        out->lower = 1.0 - out->upper;
    }
}

static int gamma_domain(double a, double x) {
    return a > 0.0 && a < HUGE_VAL && x >= 0.0;
}

double ngi_gamma_p(double a, double x) {
    ngi_tails tails;
    if (!gamma_domain(a, x))
        return NAN;
    ngi_gamma_tails(a, x, &tails);
    return tails.lower;
}

double ngi_gamma_q(double a, double x) {
    ngi_tails tails;
    if (!gamma_domain(a, x))
        return NAN;
    ngi_gamma_tails(a, x, &tails);
    return tails.upper;
}

/* parameter = {a, sign}: log P(a, e^s) where sign > 0, else log Q. */
static double gamma_log_tail(double s, const double *parameter, double *slope) {
    ngi_tails tails;
    ngi_gamma_tails(parameter[0], exp(s), &tails);
    const double tail = parameter[1] > 0.0 ? tails.lower : tails.upper;
    *slope = parameter[1] * tails.weight / tail;
    return log(tail);
}

static double polished(double x, const double *parameter, double target) {
    ngi_tails tails;
    ngi_gamma_tails(parameter[0], x, &tails);
    const double tail = parameter[1] > 0.0 ? tails.lower : tails.upper;
    const double step =
        parameter[1] * (log(tail) - target) * (tail / tails.weight);
    return fabs(step) < 1e-8 ? x - x * step : x;
}

double ngi_gamma_p_inverse(double a, double p) {
    if (!gamma_domain(a, 0.0) || !(p >= 0.0 && p <= 1.0))
        return NAN;
    if (p == 0.0)
        return 0.0;
    if (p == 1.0)
        return INFINITY;
    /* The relative spread a^-1/2 of the distribution is below rounding. */
    if (a > 1e36)
        return a;
    /* P(a, x) <= x^a / Gamma(a + 1) bounds log x from below, and is all there
     * is to P where x has almost underflowed. */
    const double bound = (log(p) + ngi_lgamma1p(a)) / a;
    if (bound < -700.0)
        return exp(bound);
    /* log x has mean psi(a) and variance psi'(a). */
    const double normal = ngi_digamma(a) + ngi_ndtri(p) * sqrt(ngi_trigamma(a));
    const double bracket[2] = {bound - 1e-10 * (1.0 + fabs(bound)), 709.78};
    const double parameter[2] = {a, p < 0.5 ? 1.0 : -1.0};
    const double target = p < 0.5 ? log(p) : log1p(-p);
    const double s =
        ngi_log_tail_inverse(gamma_log_tail, parameter, target, parameter[1],
                             fmax(bound, normal), bracket);
    /* exp(s) has lost the last bits of x, which matter to P where a is large:
     * one more step in x itself. */
    const double x = exp(s);
    return polished(x, parameter, target);
}
