#include "numerics/special_impl.h"

#include <float.h>
#include <math.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* B_{2k} / (2k (2k - 1)), k = 1, 2, ...: Stirling's series, DLMF 5.11.1. */
static const double stirling[] = {
    1.0 / 12.0,    -1.0 / 360.0,       1.0 / 1260.0,
    -1.0 / 1680.0, 1.0 / 1188.0,       -691.0 / 360360.0,
    1.0 / 156.0,   -3617.0 / 122400.0, 43867.0 / 244188.0,
};

/* B_{2k}, k = 1, 2, ... */
static const double bernoulli[] = {
    1.0 / 6.0,       -1.0 / 30.0, 1.0 / 42.0,      -1.0 / 30.0,     5.0 / 66.0,
    -691.0 / 2730.0, 7.0 / 6.0,   -3617.0 / 510.0, 43867.0 / 798.0,
};

/* (-1)^k (zeta(k) - 1) / k, k = 2, 3, ...: the Taylor coefficients of
 * log Gamma(2 + z), DLMF 5.7.3. */
static const double log_gamma_taylor[] = {
    3.2246703342411322e-1,   -6.7352301053198095e-2,  2.0580808427784548e-2,
    -7.3855510286739853e-3,  2.8905103307415233e-3,   -1.1927539117032610e-3,
    5.0966952474304242e-4,   -2.2315475845357938e-4,  9.9457512781808534e-5,
    -4.4926236738133142e-5,  2.0507212775670692e-5,   -9.4394882752683959e-6,
    4.3748667899074878e-6,   -2.0392157538013662e-6,  9.5514121304074198e-7,
    -4.4924691987645660e-7,  2.1207184805554666e-7,   -1.0043224823968100e-7,
    4.7698101693639806e-8,   -2.2711094608943165e-8,  1.0838659214896954e-8,
    -5.1834750419700467e-9,  2.4836745438024783e-9,   -1.1921401405860912e-9,
    5.7313672416788620e-10,  -2.7595228851242331e-10, 1.3304764374244489e-10,
    -6.4229645638381000e-11,
};

/* The asymptotic series of the polygamma functions are used from here on:
 * with nine Bernoulli terms they have converged to below one ulp. */
static const double polygamma_large = 12.0;

double ngi_stirling_remainder(double x) {
    const double inverse = 1.0 / x;
    const double square = inverse * inverse;
    double sum = 0.0;
    for (size_t k = COUNT(stirling); k-- > 0;)
        sum = sum * square + stirling[k];
    return sum * inverse;
}

/* log Gamma(2 + z), |z| <= 1/2. */
static double lgamma_near_two(double z) {
    double sum = 0.0;
    for (size_t k = COUNT(log_gamma_taylor); k-- > 0;)
        sum = sum * z + log_gamma_taylor[k];
    return z * ((1.0 - NGI_EULER_GAMMA) + z * sum);
}

double ngi_lgamma1p(double z) {
    if (fabs(z) <= 0.5)
        return lgamma_near_two(z) - log1p(z);
    if (z < 1.5)
        return lgamma_near_two(z - 1.0);
    return ngi_lgamma(1.0 + z);
}

double ngi_lgamma(double x) {
    if (!(x >= 0.0))
        return NAN;
    if (isinf(x))
        return x;
    if (x < 0.5)
        return ngi_lgamma1p(x) - log(x);
    if (x < 2.5)
        return ngi_lgamma1p(x - 1.0);
    if (x < 10.0) {
        double product = 1.0;
        while (x > 2.5) {
            x -= 1.0;
            product *= x;
        }
        return log(product) + lgamma_near_two(x - 2.0);
    }
    const double log_x = log(x);
    return x * (log_x - 1.0) - 0.5 * log_x +
           (0.5 * NGI_LOG_2PI + ngi_stirling_remainder(x));
}

/* log((x + d) / x). */
static double log_growth(double x, double d) {
    const double ratio = d / x;
    return isinf(ratio) ? log(d) - log(x) : log1p(ratio);
}

/* Stirling remainder at x + d less that at x: each power is differenced by
 * expm1 so that nothing cancels where d << x. */
static double stirling_difference(double x, double d, double growth) {
    if (d >= x)
        return ngi_stirling_remainder(x + d) - ngi_stirling_remainder(x);
    const double square = 1.0 / x / x;
    double power = 1.0 / x;
    double sum = 0.0;
    for (size_t k = 0; k < COUNT(stirling); k++) {
        const double change = expm1(-(2.0 * (double)k + 1.0) * growth);
        const double term = stirling[k] * power * change;
        sum += term;
        if (fabs(term) <= DBL_EPSILON * 1e-3 * fabs(sum))
            break;
        power *= square;
    }
    return sum;
}

double ngi_lgamma_excess(double x, double d) {
    /* Stirling at both ends, with (x + d - 1/2) log(x + d) - (x - 1/2) log x
     * - d regrouped about log1p(d / x) - d / x. */
    const double growth = log_growth(x, d);
    const double bend = d < x ? x * ngi_log1pmx(d / x) : x * growth - d;
    return d * growth + bend - 0.5 * growth + stirling_difference(x, d, growth);
}

double ngi_lgamma_diff(double x, double d) {
    if (!(x >= 0.0) || !(d >= 0.0))
        return NAN;
    if (d == 0.0)
        return 0.0;
    if (x < 10.0 && d >= 0.5)
        return ngi_lgamma(x + d) - ngi_lgamma(x);
    if (isinf(x) || isinf(d))
        return INFINITY;
    double shift = 0.0;
    for (; x < 10.0; x += 1.0)
        shift += log_growth(x, d);
    return d * log(x) + ngi_lgamma_excess(x, d) - shift;
}

double ngi_log_scaled_beta(double s, double l) {
    return ngi_lgamma1p(s) - ngi_lgamma_diff(l, s);
}

double ngi_lbeta(double a, double b) {
    const double s = fmin(a, b);
    const double l = fmax(a, b);
    if (!(s >= 0.0) || isnan(l))
        return NAN;
    if (s == 0.0)
        return INFINITY;
    if (isinf(l))
        return -INFINITY;
    if (s < 10.0)
        return ngi_lgamma(s) - ngi_lgamma_diff(l, s);
    /* Stirling for all three; every large term has the same sign. */
    const double ratio = s / l;
    const double remainder = ngi_stirling_remainder(s) +
                             ngi_stirling_remainder(l) -
                             ngi_stirling_remainder(s + l);
    const double log_x0 = log(ratio) - log1p(ratio);
    return (s - 0.5) * log_x0 - l * log1p(ratio) - 0.5 * log(l) +
           (0.5 * NGI_LOG_2PI + remainder);
}

/* sum_k B_{2k} (weights 1/2k, 1 or 2k + 1 by order 0, 1, 2) / x^{2k}. */
static double bernoulli_sum(double x, int order) {
    const double square = 1.0 / x / x;
    double sum = 0.0;
    for (size_t k = COUNT(bernoulli); k-- > 0;) {
        const double twice = 2.0 * ((double)k + 1.0);
        double term = bernoulli[k];
        if (order == 0)
            term /= twice;
        else if (order == 2)
            term *= twice + 1.0;
        sum = (sum + term) * square;
        if (k == 0)
            return sum;
    }
    return sum;
}

double ngi_digamma(double x) {
    if (!(x >= 0.0))
        return NAN;
    double shift = 0.0;
    for (; x < polygamma_large; x += 1.0)
        shift += 1.0 / x;
    return log(x) - 0.5 / x - bernoulli_sum(x, 0) - shift;
}

double ngi_trigamma(double x) {
    if (!(x >= 0.0))
        return NAN;
    double shift = 0.0;
    for (; x < polygamma_large; x += 1.0)
        shift += 1.0 / x / x;
    const double inverse = 1.0 / x;
    return shift + inverse * (1.0 + 0.5 * inverse + bernoulli_sum(x, 1));
}

double ngi_tetragamma(double x) {
    if (!(x >= 0.0))
        return NAN;
    double shift = 0.0;
    for (; x < polygamma_large; x += 1.0)
        shift += 2.0 / x / x / x;
    const double inverse = 1.0 / x;
    const double sum = 1.0 + inverse + bernoulli_sum(x, 2);
    return -shift - inverse * inverse * sum;
}

double ngi_log_minus_digamma(double x) {
    if (!(x >= 0.0))
        return NAN;
    /* The recurrence psi(x + 1) = psi(x) + 1/x gives steps
     * 1/x - log(1 + 1/x), all positive. */
    double shift = 0.0;
    for (; x < polygamma_large; x += 1.0)
        shift -= ngi_log1pmx(1.0 / x);
    return shift + 0.5 / x + bernoulli_sum(x, 0);
}

double ngi_trigamma_minus_inverse(double x) {
    if (!(x >= 0.0))
        return NAN;
    /* 1/x^2 - 1/x + 1/(x + 1) = 1 / (x^2 (x + 1)). */
    double shift = 0.0;
    for (; x < polygamma_large; x += 1.0)
        shift += 1.0 / x / x / (x + 1.0);
    const double inverse = 1.0 / x;
    return shift + inverse * (0.5 * inverse + bernoulli_sum(x, 1));
}

double ngi_digamma_inverse(double y) {
    if (isnan(y))
        return NAN;
    if (y < -1e16)
        return -1.0 / y;
    if (y > 40.0)
        return exp(y); /* psi(x) = log x - 1/(2x): e^y + 1/2 rounds to e^y */
    /* Start of Minka (2000), "Estimating a Dirichlet distribution", app. C;
     * Newton then converges from below, psi being concave. */
    double x = y >= -2.22 ? exp(y) + 0.5 : -1.0 / (y + NGI_EULER_GAMMA);
    for (int i = 0; i < 12; i++) {
        const double step = (y - ngi_digamma(x)) / ngi_trigamma(x);
        x = fmax(x + step, 0.5 * x);
        if (fabs(step) <= DBL_EPSILON * x)
            break;
    }
    return x;
}
