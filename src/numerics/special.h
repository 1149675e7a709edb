/* Special functions that libm lacks. All are reentrant, allocate nothing and
 * return NaN only for NaN or for arguments outside the stated domain. Unless
 * said otherwise the relative error is a few ulp, or a few ulp of the largest
 * intermediate term. */
#ifndef NGI_SPECIAL_H
#define NGI_SPECIAL_H

#include <stddef.h>

#define NGI_EULER_GAMMA 0.57721566490153286061
#define NGI_PI          3.14159265358979323846
#define NGI_LOG_2PI     1.83787706640934548356
#define NGI_LOG_2       0.69314718055994530942

/* 1 / (1 + e^-x); underflows to 0 and saturates at 1 without overflow. */
double ngi_expit(double x);
/* log(1 + e^x), accurate in both tails. */
double ngi_softplus(double x);
/* log(1 - e^x) for x < 0. */
double ngi_log1mexp(double x);
/* e^x - 1 - x and log(1 + x) - x without cancellation near 0. */
double ngi_expm1mx(double x);
double ngi_log1pmx(double x);
/* x log(y), 0 where x is 0 whatever y is. */
double ngi_xlogy(double x, double y);

/* log Gamma for x > 0, reentrant (lgamma sets a global). */
double ngi_lgamma(double x);
/* log Gamma(x + d) - log Gamma(x), x > 0, d >= 0, accurate where d << x. */
double ngi_lgamma_diff(double x, double d);
/* log B(a, b), accurate where one argument is much the larger. */
double ngi_lbeta(double a, double b);
double ngi_digamma(double x);    /* x > 0 */
double ngi_trigamma(double x);   /* x > 0 */
double ngi_tetragamma(double x); /* x > 0; psi''(x) < 0 */
/* log x - digamma(x) > 0 and trigamma(x) - 1/x > 0, accurate for large x. */
double ngi_log_minus_digamma(double x);
double ngi_trigamma_minus_inverse(double x);
/* Inverse of digamma: the x > 0 with digamma(x) = y. */
double ngi_digamma_inverse(double y);

/* Standard normal: log Phi(x) in both tails, and the quantile. */
double ngi_log_ndtr(double x);
double ngi_ndtr(double x);
double ngi_ndtri(double p); /* 0 < p < 1; -inf and +inf at 0 and 1 */

/* Regularised incomplete gamma P(a, x) and Q = 1 - P, a > 0, x >= 0. */
double ngi_gamma_p(double a, double x);
double ngi_gamma_q(double a, double x);
/* x with P(a, x) = p. */
double ngi_gamma_p_inverse(double a, double p);
/* Regularised incomplete beta I_x(a, b), and x with I_x(a, b) = p. */
double ngi_beta_i(double a, double b, double x);
double ngi_beta_i_inverse(double a, double b, double p);

/* Student t with nu > 0 degrees of freedom (not only whole ones): P(T <= t),
 * the two-sided tail P(|T| >= |t|) to full relative accuracy, the quantile. */
double ngi_t_cdf(double t, double nu);
double ngi_t_two_sided(double t, double nu);
double ngi_t_quantile(double p, double nu);

/* Modified Bessel functions of the first kind, x >= 0:
 * log I0(x), and A(x) = I1(x) / I0(x) (0 at 0, -> 1). */
double ngi_log_bessel_i0(double x);
double ngi_bessel_ratio(double x);
/* A'(x) = 1 - A(x)^2 - A(x)/x, positive, accurate for small and large x. */
double ngi_bessel_ratio_derivative(double x);
/* The kappa >= 0 with A(kappa) = r, 0 <= r < 1. */
double ngi_bessel_ratio_inverse(double r);

/* Integral of f over (a, b), either end may be infinite, by the tanh-sinh
 * rule (Takahasi & Mori 1974) with nested doubling until two levels agree to
 * `tolerance` relative to the integral of |f|. f is never called at an end. */
double ngi_integrate(double (*f)(double x, void *user), void *user, double a,
                     double b, double tolerance);

/* The root of an increasing f on [a, b] with f(a) <= 0 <= f(b), to the last
 * bits (Chandrupatla 1997). */
double ngi_root(double (*f)(double x, void *user), void *user, double a,
                double b);
#endif
