/* Half-step differences of log Gamma, which the Student t is made of. */
#ifndef NGI_STUDENT_T_H
#define NGI_STUDENT_T_H

/* For x > 0: c(x) = log Gamma(x + 1/2) - log Gamma(x) - log(x) / 2, c'(x) and
 * x^2 c''(x); ~ -1/(8 x), 1/(8 x^2) and -1/(4 x) for large x. */
double ngi_half_step(double x);
double ngi_half_step_slope(double x);
double ngi_half_step_curvature(double x);

/* KL between two Student t, z = (location, log scale, log df). */
double ngi_student_t_kl(const double *z0, const double *z1);

#endif
