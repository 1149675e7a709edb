/* What the families with one or two scalar parameters share: the terms of a
 * gamma density, quadrature for divergences, a 2 x 2 solve. */
#ifndef NGI_TWO_PARAMETER_H
#define NGI_TWO_PARAMETER_H

#include "natgrad/family.h"

/* S(a) = a log a - a - log Gamma(a), a > 0: half of log(a / 2 pi) less
 * Stirling's remainder, so it stays of the order of log a. */
double ngi_gamma_constant(double a);
/* a^2 (psi'(a) - 1/a): falls from 1 at a = 0 to 1/2 at infinity. */
double ngi_gamma_information(double a);

/* The 8-point Gauss-Legendre rule for f over (a, b): exact to rounding for
 * the smooth remainders of short parameter steps that it serves here. */
double ngi_gauss8(double (*f)(double x, void *user), void *user, double a,
                  double b);

/* KL between two extreme-value laws. With t0 standard (e^t0 exponential of
 * mean 1) and t1 = e^d t0 + c,
 *   KL = E[t0 - e^t0 - t1 + e^t1] - d, both for Weibull and for Gumbel. */
double ngi_extreme_value_kl(double c, double d);

/* Weighted mean and variance of log y. */
void ngi_log_moments(size_t n, const double *y, const double *w, double *mean,
                     double *variance);

/* (y - location) / e^log_scale, cut to +-1e300: never NaN. */
double ngi_standardise(double y, double location, double log_scale);
/* big * factor, 0 where the factor is 0 even if `big` has overflowed. */
double ngi_times(double big, double factor);
/* Keeps a draw that underflowed or overflowed inside (0, infinity). */
double ngi_positive_finite(double y);
/* in_support for y > 0. */
int ngi_positive_support(const ng_family *f, const double *y);

/* Customary parameters (location, scale) of z = (location, log scale). */
void ngi_location_scale_to_customary(const ng_family *f, size_t n,
                                     const double *z, double *c, double *work);
void ngi_location_scale_from_customary(const ng_family *f, size_t n,
                                       const double *c, double *z,
                                       double *work);
void ngi_location_scale_customary_jacobian(const ng_family *f, const double *z,
                                           double *J, double *work);

/* fisher_solve for dim_z = 2. Scaling by the diagonal first keeps both
 * components exact where their units differ by many orders of magnitude. */
void ngi_fisher_solve_two(const ng_family *f, size_t n, const double *z,
                          double damping, const double *u, double *out,
                          double *work);
#endif
