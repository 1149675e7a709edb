/* Half-step differences of log Gamma, which the Student t is made of. */
#ifndef NGI_STUDENT_T_H
#define NGI_STUDENT_T_H

/* c(x) = log Gamma(x + 1/2) - log Gamma(x) - log(x) / 2 < 0 for x > 0, and
 * its first two derivatives; ~ -1/(8 x), 1/(8 x^2), -1/(4 x^3). */
double ngi_half_step(double x);
double ngi_half_step_slope(double x);
double ngi_half_step_curvature(double x);

/* KL between two Student t, z = (location, log scale, log df). */
double ngi_student_t_kl(const double *z0, const double *z1);

#endif
