#include "numerics/special.h"

#include <float.h>
#include <math.h>

static const double sqrt_half = 0.70710678118654752440;
/* 1/sqrt(2) less the double nearest to it. */
static const double sqrt_half_low = -4.8336466567264567e-17;
static const double two_over_sqrt_pi = 1.12837916709551257390;

double ngi_ndtr(double x) {
    const double z = -x * sqrt_half;
    if (!(fabs(z) < 30.0))
        return 0.5 * erfc(z);
    /* erfc magnifies the rounding of z by 2 z^2, so that error is put back to
     * first order. */
    const double error = fma(-x, sqrt_half, -z) - x * sqrt_half_low;
    return 0.5 * (erfc(z) - error * two_over_sqrt_pi * exp(-z * z));
}

double ngi_log_ndtr(double x) {
    if (isnan(x))
        return x;
    if (x >= 0.0)
        return log1p(-ngi_ndtr(-x));
    if (x > -20.0)
        return log(ngi_ndtr(x));
    /* Phi(x) = phi(x) / |x| (1 - 1/x^2 + 3/x^4 - ...), A&S 26.2.12. */
    const double inverse = -1.0 / x;
    const double square = inverse * inverse;
    double sum = 0.0;
    for (int k = 12; k > 0; k--)
        sum = (1.0 + sum) * (1.0 - 2.0 * k) * square;
    return -0.5 * x * x - log(-x) - 0.5 * NGI_LOG_2PI + log1p(sum);
}

/* The quantile where |p - 1/2| is small: Halley steps on erf(z) = u. */
static double central_quantile(double u) {
    double z = u / two_over_sqrt_pi;
    for (int i = 0; i < 8; i++) {
        const double slope = two_over_sqrt_pi * exp(-z * z);
        const double newton = (erf(z) - u) / slope;
        const double step = newton / (1.0 + z * newton);
        z -= step;
        if (fabs(step) <= DBL_EPSILON * fabs(z))
            break;
    }
    return z / sqrt_half;
}

/* The quantile for small p: Halley steps on log Phi(x) = log p from the
 * rational approximation A&S 26.2.23. */
static double tail_quantile(double p) {
    const double log_p = log(p);
    const double t = sqrt(-2.0 * log_p);
    const double top = 2.515517 + t * (0.802853 + t * 0.010328);
    const double bottom = 1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308));
    double x = top / bottom - t;
    for (int i = 0; i < 8; i++) {
        const double value = ngi_log_ndtr(x);
        const double hazard = exp(-0.5 * x * x - 0.5 * NGI_LOG_2PI - value);
        const double newton = (value - log_p) / hazard;
        const double step = newton / (1.0 + 0.5 * newton * (x + hazard));
        x -= step;
        if (fabs(step) <= DBL_EPSILON * fabs(x))
            break;
    }
    return x;
}

double ngi_ndtri(double p) {
    if (!(p >= 0.0 && p <= 1.0))
        return NAN;
    if (p == 0.0)
        return -INFINITY;
    if (p == 1.0)
        return INFINITY;
    if (fabs(p - 0.5) <= 0.3)
        return central_quantile(2.0 * (p - 0.5));
    return p < 0.5 ? tail_quantile(p) : -tail_quantile(1.0 - p);
}
