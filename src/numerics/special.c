#include "numerics/special.h"

#include <math.h>

double ngi_expit(double x) {
    if (x >= 0.0)
        return 1.0 / (1.0 + exp(-x));
    const double e = exp(x);
    return e / (1.0 + e);
}

double ngi_softplus(double x) {
    if (x > 0.0)
        return x + log1p(exp(-x));
    return log1p(exp(x));
}

double ngi_log1mexp(double x) {
    /* Each branch keeps the argument of its logarithm away from 1 (Maechler
     * 2012, "Accurately computing log(1 - exp(-|a|))"). */
    if (x > -NGI_LOG_2)
        return log(-expm1(x));
    return log1p(-exp(x));
}

double ngi_expm1mx(double x) {
    if (isinf(x))
        return INFINITY;
    if (fabs(x) > 1.0)
        return expm1(x) - x;
    /* sum_{k >= 2} x^k / k!, nested from the smallest term. */
    double sum = 1.0;
    for (int k = 19; k > 2; k--)
        sum = 1.0 + sum * x / k;
    return 0.5 * x * x * sum;
}

double ngi_log1pmx(double x) {
    if (x >= HUGE_VAL)
        return -INFINITY;
    if (!(x > -0.6 && x < 1.0))
        return log1p(x) - x;
    /* With s = x / (2 + x), log(1 + x) = 2 atanh(s) and 2 s - x = -x s. */
    const double s = x / (2.0 + x);
    const double s2 = s * s;
    double sum = 0.0;
    double power = 1.0;
    for (int k = 3; k < 61; k += 2) {
        const double term = power / k;
        sum += term;
        if (term < 1e-18)
            break;
        power *= s2;
    }
    return s * (2.0 * s2 * sum - x);
}

double ngi_xlogy(double x, double y) {
    return x == 0.0 ? 0.0 : x * log(y);
}
