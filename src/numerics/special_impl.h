/* What the files that implement special.h share with one another. */
#ifndef NGI_SPECIAL_IMPL_H
#define NGI_SPECIAL_IMPL_H

#include "numerics/special.h"

/* The remainder of Stirling's series, log Gamma(x) - (x - 1/2) log x + x -
 * log(2 pi) / 2, for x >= 10 (DLMF 5.11.1). */
double ngi_stirling_remainder(double x);
/* log Gamma(1 + z) for z > -1/2, relative accuracy near 0 as well. */
double ngi_lgamma1p(double z);
/* log Gamma(x + d) - log Gamma(x) - d log x for x >= 10. */
double ngi_lgamma_excess(double x, double d);
/* log(s B(s, l)), accurate however small s is. */
double ngi_log_scaled_beta(double s, double l);

/* The two tails of a distribution at a point, each to its own relative
 * accuracy. `weight` is the derivative of `lower` in log x (gamma) or in
 * logit x (beta). */
typedef struct ngi_tails {
    double lower, upper;
    double weight;
} ngi_tails;

/* The tails, not the weight, of an exponential-family density with a large
 * effective size m, at the point whose deviance from the mode is
 * m eta^2 / 2 = `deviance` (eta < 0 below it). Its centred and scaled variable
 * z obeys z dz/deta = eta (1 + c1 z - c2 z^2). For m >= 30 and |eta| <= 1. */
void ngi_uniform_tails(double c1, double c2, double m, double eta,
                       double deviance, ngi_tails *out);

/* P, Q and x dP/dx of the gamma distribution. */
void ngi_gamma_tails(double a, double x, ngi_tails *out);
/* I, 1 - I and x (1 - x) dI/dx at the point with complement y = 1 - x and
 * w = x b - a y, all three given to full accuracy. */
void ngi_beta_tails(double a, double b, double x, double y, double w,
                    ngi_tails *out);

/* log of a tail as a function of s, and its derivative. */
typedef double (*ngi_log_tail)(double s, const double *parameter,
                               double *slope);
/* The s in [lo, hi] at which a monotone concave log tail equals `target`, by
 * Newton's method kept inside a shrinking bracket. `sign` is that of the
 * slope. */
double ngi_log_tail_inverse(ngi_log_tail f, const double *parameter,
                            double target, double sign, double start,
                            const double *bracket);

#endif
