#include "family/two_parameter.h"

#include "family/family.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>

/* Stirling's remainder log Gamma(a) - (a - 1/2) log a + a - log(2 pi) / 2 by
 * its asymptotic series, DLMF 5.11.1; to rounding for a >= 16. */
static double stirling_remainder(double a) {
    double x = 1 / a, x2 = x * x;
    return x * (1. / 12 -
                x2 * (1. / 360 -
                      x2 * (1. / 1260 - x2 * (1. / 1680 - x2 * (1. / 1188)))));
}

double ngi_gamma_constant(double a) {
    if (a < 16)
        return a * (log(a) - 1) - ngi_lgamma(a);
    return 0.5 * (log(a) - NGI_LOG_2PI) - stirling_remainder(a);
}

double ngi_gamma_information(double a) {
    if (a < 1e-9) /* psi'(a) = 1/a^2 + O(1), which overflows first */
        return 1 - a;
    if (a > 1e6) /* psi'(a) - 1/a underflows; the next term is a^-3 / 30 */
        return 0.5 + 1 / (6 * a);
    return a * a * ngi_trigamma_minus_inverse(a);
}

double ngi_gauss8(double (*f)(double x, void *user), void *user, double a,
                  double b) {
    static const double NODE[4] = {
        0.18343464249564980494, 0.52553240991632898582, 0.79666647741362673959,
        0.96028985649753623168};
    static const double WEIGHT[4] = {
        0.36268378337836198297, 0.31370664587788728734, 0.22238103445337447054,
        0.10122853629037625915};
    double middle = 0.5 * (a + b), half = 0.5 * (b - a), sum = 0;
    for (int i = 3; i >= 0; i--) {
        sum += WEIGHT[i] * (f(middle - half * NODE[i], user) +
                            f(middle + half * NODE[i], user));
    }
    return half * sum;
}

static double remainder_integrand(double v, void *user) {
    double h = *(double *)user;
    return (1 - v) * ngi_trigamma(2 + h * v);
}

/* With r = e^d, E t0 = -gamma and E e^t1 = e^c Gamma(1 + r), the divergence
 * is the sum of two terms that are nonnegative and of second order:
 *   expm1mx(c + log Gamma(1 + r)) + [log Gamma(r) + gamma (r - 1)].
 * Near r = 1 both logarithms of Gamma cancel; with h = r - 1 and Taylor's
 * remainder R = log Gamma(2 + h) - (1 - gamma) h they are
 *   log Gamma(1 + r) = (1 - gamma) h + R,  the bracket = R - log1pmx(h). */
double ngi_extreme_value_kl(double c, double d) {
    double growth, bracket;
    c = fmin(fmax(c, -1e300), 1e300);
    if (fabs(d) < 0.4) {
        double h = expm1(d);
        double R = h * h * ngi_gauss8(remainder_integrand, &h, 0, 1);
        growth = (1 - NGI_EULER_GAMMA) * h + R;
        bracket = R - ngi_log1pmx(h);
    } else {
        double r = exp(d);
        growth = r < 1e300 ? ngi_lgamma(1 + r) : HUGE_VAL;
        bracket = growth - d + NGI_EULER_GAMMA * (r < 1e300 ? r - 1 : 0);
    }
    return isinf(growth) ? HUGE_VAL : ngi_expm1mx(c + growth) + bracket;
}

void ngi_log_moments(size_t n, const double *y, const double *w, double *mean,
                     double *variance) {
    double total = 0, m = 0, sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (w[i] <= 0)
            continue;
        double deviation = log(y[i]) - m;
        total += w[i];
        m += deviation * (w[i] / total);
        sum += w[i] * deviation * (log(y[i]) - m);
    }
    *mean = m;
    *variance = total > 0 ? sum / total : 0;
}

double ngi_standardise(double y, double location, double log_scale) {
    double r = ngi_times(exp(-log_scale), y - location);
    return fmin(fmax(r, -1e300), 1e300);
}

double ngi_times(double big, double factor) {
    return factor == 0 ? 0 : big * factor;
}

double ngi_positive_finite(double y) {
    return fmin(fmax(y, DBL_TRUE_MIN), DBL_MAX);
}

int ngi_positive_support(const ng_family *f, const double *y) {
    (void)f;
    return isfinite(y[0]) && y[0] > 0;
}

void ngi_location_scale_to_customary(const ng_family *f, size_t n,
                                     const double *z, double *c, double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        c[2 * i] = z[2 * i];
        c[2 * i + 1] = exp(z[2 * i + 1]);
    }
}

void ngi_location_scale_from_customary(const ng_family *f, size_t n,
                                       const double *c, double *z,
                                       double *work) {
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        z[2 * i] = c[2 * i];
        z[2 * i + 1] = log(c[2 * i + 1]);
    }
}

void ngi_location_scale_customary_jacobian(const ng_family *f, const double *z,
                                           double *J, double *work) {
    (void)f;
    (void)work;
    J[0] = 1;
    J[1] = J[2] = 0;
    J[3] = exp(z[1]);
}

void ngi_fisher_solve_two(const ng_family *f, size_t n, const double *z,
                          double damping, const double *u, double *out,
                          double *work) {
    for (size_t i = 0; i < n; i++) {
        double F[4];
        f->ops->fisher(f, 1, z + 2 * i, F, work);
        double a = F[0] + damping, b = F[3] + damping;
        double root_a = a > 0 ? 1 / sqrt(a) : 0;
        double root_b = b > 0 ? 1 / sqrt(b) : 0;
        double r = F[1] * root_a * root_b;
        if (1 - r * r <= 4 * DBL_EPSILON) {
            /* Rank 1 to rounding: the pseudo-inverse is F / trace^2. */
            double trace = a + b;
            double u0 = u[2 * i] / trace, u1 = u[2 * i + 1] / trace;
            out[2 * i] = a / trace * u0 + F[1] / trace * u1;
            out[2 * i + 1] = F[1] / trace * u0 + b / trace * u1;
            continue;
        }
        double x0 = u[2 * i] * root_a, x1 = u[2 * i + 1] * root_b;
        out[2 * i] = root_a * (x0 - r * x1) / (1 - r * r);
        out[2 * i + 1] = root_b * (x1 - r * x0) / (1 - r * r);
    }
}
