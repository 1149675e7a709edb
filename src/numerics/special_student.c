#include "numerics/special_impl.h"

#include <math.h>

/* Everything is a function of r = |t| / sqrt(nu): with q = r^2,
 * P(|T| >= |t|) = I_x(nu / 2, 1 / 2) at x = 1 / (1 + q) (DLMF 8.17, A&S
 * 26.7.1). `lower` is then the two-sided tail and `upper` the centre. r may
 * overflow where log r does not. */
static void student_tails(double r, double log_r, double nu, ngi_tails *out) {
    const double a = 0.5 * nu;
    if (r > 1e10) {
        /* The leading power; the next term is below rounding. */
        const double log_x = -2.0 * log_r;
        const double log_tail =
            fmin(0.0, a * log_x - ngi_log_scaled_beta(a, 0.5));
        out->lower = exp(log_tail);
        out->upper = -expm1(log_tail);
        out->weight = a * out->lower;
        return;
    }
    const double q = r * r;
    const double w = (0.5 - a * q) / (1.0 + q);
    ngi_beta_tails(a, 0.5, 1.0 / (1.0 + q), q / (1.0 + q), w, out);
}

/* The two log tails differ by about t^4 / (4 nu), nothing to the last bit for
 * every |t| < 40; beyond that both underflow. */
static int normal_limit(double nu) {
    return nu > 1e25;
}

double ngi_t_two_sided(double t, double nu) {
    if (isnan(t) || !(nu > 0.0))
        return NAN;
    if (normal_limit(nu))
        return 2.0 * ngi_ndtr(-fabs(t));
    ngi_tails tails;
    student_tails(fabs(t) / sqrt(nu), log(fabs(t)) - 0.5 * log(nu), nu, &tails);
    return tails.lower;
}

double ngi_t_cdf(double t, double nu) {
    if (isnan(t) || !(nu > 0.0))
        return NAN;
    if (normal_limit(nu))
        return ngi_ndtr(t);
    ngi_tails tails;
    student_tails(fabs(t) / sqrt(nu), log(fabs(t)) - 0.5 * log(nu), nu, &tails);
    return t < 0.0 ? 0.5 * tails.lower : 0.5 + 0.5 * tails.upper;
}

/* parameter = {nu, sign}: as a function of log r, the log of the two-sided
 * tail where sign < 0, else of the centre. */
static double student_log_tail(double s, const double *parameter,
                               double *slope) {
    ngi_tails tails;
    student_tails(exp(s), s, parameter[0], &tails);
    const double tail = parameter[1] > 0.0 ? tails.upper : tails.lower;
    *slope = parameter[1] * 2.0 * tails.weight / tail;
    return log(tail);
}

/* |t| / sqrt(nu) from the two-sided tail q and its complement. */
static double student_log_radius(double q, double centre, double nu) {
    const double a = 0.5 * nu;
    const double normal = log(-ngi_ndtri(0.5 * q)) - 0.5 * log(nu);
    /* I_x(a, 1/2) >= x^a / (a B(a, 1/2)) bounds x from above. */
    const double log_x = (log(q) + ngi_log_scaled_beta(a, 0.5)) / a;
    double start = normal;
    if (log_x < -30.0)
        start = fmax(start, -0.5 * log_x);
    else if (log_x < 0.0)
        start = fmax(start, 0.5 * log(expm1(-log_x)));
    const double bracket[2] = {-1500.0, 1500.0};
    if (start > 700.0)
        return start;
    const double parameter[2] = {nu, q < 0.5 ? -1.0 : 1.0};
    const double target = q < 0.5 ? log(q) : log(centre);
    return ngi_log_tail_inverse(student_log_tail, parameter, target,
                                parameter[1], start, bracket);
}

double ngi_t_quantile(double p, double nu) {
    if (!(p >= 0.0 && p <= 1.0) || !(nu > 0.0))
        return NAN;
    if (p == 0.5)
        return 0.0;
    const double sign = p < 0.5 ? -1.0 : 1.0;
    if (p == 0.0 || p == 1.0)
        return sign * HUGE_VAL;
    if (normal_limit(nu))
        return ngi_ndtri(p);
    const double q = p < 0.5 ? 2.0 * p : 2.0 * (1.0 - p);
    const double s = student_log_radius(q, fabs(2.0 * (p - 0.5)), nu);
    if (s > 700.0)
        return sign * exp(s + 0.5 * log(nu));
    return sign * exp(s) * sqrt(nu);
}
