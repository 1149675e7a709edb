#include "numerics/special.h"

#include <float.h>
#include <math.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* From here on the expansions in 1/x have terms below e^{-2x} < 1e-17. */
static const double bessel_large = 30.0;

/* Coefficients of A(x) = sum c_k x^-k. The Riccati equation
 * A' = 1 - A^2 - A/x gives, from c_0 = 1,
 *   2 c_k = (k - 2) c_{k-1} - sum_{i=1}^{k-1} c_i c_{k-i}. */
static const double ratio_series[] = {
    1.0,
    -0.5,
    -0.125,
    -0.125,
    -0.1953125,
    -0.40625,
    -1.0478515625,
    -3.21875,
    -11.466461181640625,
    -46.478515625,
    -211.27614974975586,
    -1064.67822265625,
    -5892.0457146167755,
    -35528.87744140625,
    -231884.63595631719,
    -1628749.4532470703,
    -12251067.63286615,
    -98252781.815467834,
    -836956449.77997616,
    -7546911569.3669949,
    -71816112232.68328,
    -719236632073.38027,
    -7562132599676.877,
};

double ngi_log_bessel_i0(double x) {
    if (!(x >= 0.0))
        return NAN;
    if (isinf(x))
        return x;
    double sum = 0.0;
    double term = 1.0;
    if (x < bessel_large) {
        /* DLMF 10.25.2, every term positive. */
        for (int k = 1; k < 200; k++) {
            term *= (0.5 * x / k) * (0.5 * x / k);
            sum += term;
            if (term <= 0.1 * DBL_EPSILON * sum)
                break;
        }
        return log1p(sum);
    }
    /* DLMF 10.40.1. */
    for (int k = 1; k < 40; k++) {
        term *= (2.0 * k - 1.0) * (2.0 * k - 1.0) / (8.0 * k * x);
        sum += term;
        if (term <= 0.1 * DBL_EPSILON * sum)
            break;
    }
    return x - 0.5 * (log(x) + NGI_LOG_2PI) + log1p(sum);
}

/* 1 - A for large x. */
static double ratio_deficit(double x) {
    const double inverse = 1.0 / x;
    double sum = 0.0;
    for (size_t k = COUNT(ratio_series); k-- > 1;)
        sum = (sum + ratio_series[k]) * inverse;
    return -sum;
}

static double ratio_derivative_large(double x) {
    const double inverse = 1.0 / x;
    double sum = 0.0;
    for (size_t k = COUNT(ratio_series); k-- > 1;)
        sum = (sum - (double)k * ratio_series[k]) * inverse;
    return sum * inverse;
}

/* A and A' for x < 30 by the continued fraction of the ratios
 * r_n = I_n / I_{n-1} = x q_n, q_n = 1 / (2n + x r_{n+1}), and its derivative
 * r_n' = 2n q_n^2 - r_n^2 r_{n+1}'. Sixty levels leave an error far below
 * rounding. */
static double ratio_small(double x, double *derivative) {
    double ratio = 0.0;
    double slope = 0.0;
    for (int n = 60; n > 0; n--) {
        const double q = 1.0 / (2.0 * n + x * ratio);
        ratio = x * q;
        slope = 2.0 * n * q * q - ratio * ratio * slope;
    }
    *derivative = slope;
    return ratio;
}

double ngi_bessel_ratio(double x) {
    if (!(x >= 0.0))
        return NAN;
    double derivative;
    return x < bessel_large ? ratio_small(x, &derivative)
                            : 1.0 - ratio_deficit(x);
}

double ngi_bessel_ratio_derivative(double x) {
    if (!(x >= 0.0))
        return NAN;
    if (x >= bessel_large)
        return ratio_derivative_large(x);
    double derivative;
    ratio_small(x, &derivative);
    return derivative;
}

/* Newton in 1/x, in which 1 - A is nearly linear, with the deficit 1 - r
 * rather than r itself as the target: it is exact. */
static double ratio_inverse_large(double deficit) {
    double u = 2.0 * deficit;
    for (int i = 0; i < 12; i++) {
        const double x = 1.0 / u;
        double slope;
        const double gap = x < bessel_large
                               ? 1.0 - ratio_small(x, &slope) - deficit
                               : ratio_deficit(x) - deficit;
        const double step = gap / (x * (x * ngi_bessel_ratio_derivative(x)));
        u -= step;
        if (fabs(step) <= DBL_EPSILON * u)
            break;
    }
    return 1.0 / u;
}

double ngi_bessel_ratio_inverse(double r) {
    if (!(r >= 0.0 && r <= 1.0))
        return NAN;
    if (r == 1.0)
        return INFINITY;
    if (r > 0.8)
        return ratio_inverse_large(1.0 - r);
    /* Start of Banerjee et al. (2005), JMLR 6, 1345. */
    double x = r * (2.0 - r * r) / (1.0 - r * r);
    for (int i = 0; i < 12; i++) {
        double slope;
        const double step = (ratio_small(x, &slope) - r) / slope;
        x -= step;
        if (fabs(step) <= DBL_EPSILON * x)
            break;
    }
    return x;
}
