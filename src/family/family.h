/* What the families share: the table's declarations and small helpers. */
#ifndef NGI_FAMILY_H
#define NGI_FAMILY_H

#include "natgrad/family.h"

extern const ng_family_ops ngi_family_bernoulli;
extern const ng_family_ops ngi_family_categorical;
extern const ng_family_ops ngi_family_softmax;
extern const ng_family_ops ngi_family_normal;
extern const ng_family_ops ngi_family_mvnormal;
extern const ng_family_ops ngi_family_poisson;
extern const ng_family_ops ngi_family_exponential;
extern const ng_family_ops ngi_family_gamma;
extern const ng_family_ops ngi_family_inverse_gaussian;
extern const ng_family_ops ngi_family_negative_binomial;
extern const ng_family_ops ngi_family_beta;
extern const ng_family_ops ngi_family_weibull;
extern const ng_family_ops ngi_family_gumbel;
extern const ng_family_ops ngi_family_logistic;
extern const ng_family_ops ngi_family_lognormal;
extern const ng_family_ops ngi_family_student_t;
extern const ng_family_ops ngi_family_laplace;
extern const ng_family_ops ngi_family_vonmises;
extern const ng_family_ops ngi_family_dirichlet;

/* shape() of a scalar y with blocks of one component each; every dimension
 * of y is 1 and there are as many customary parameters as components. */
int ngi_family_shape_scalar(size_t size, ng_family *f, const char *name,
                            ng_coordinate coordinate);
int ngi_family_shape_two(size_t size, ng_family *f, const char *name0,
                         ng_coordinate coordinate0, const char *name1,
                         ng_coordinate coordinate1);

/* Copies a customary name; cut if it does not fit. */
void ngi_family_name(char *out, size_t size, const char *name);
/* "name[column]", or "name[i]" where columns is NULL. */
void ngi_family_indexed_name(char *out, size_t size, const char *name,
                             const char *const *columns, size_t i);

/* Weighted mean and variance (divisor: the weights' sum) of n values, by
 * West's (1979) recurrence: no cancellation, no squares of large means.
 * Always finite for finite y. */
void ngi_family_moments(size_t n, const double *y, const double *w,
                        double *mean, double *variance);
/* The same for column `column` of an n x columns matrix. */
void ngi_family_column_moments(size_t n, size_t columns, size_t column,
                               const double *y, const double *w, double *mean,
                               double *variance);

/* The nearest finite number: +-inf becomes +-DBL_MAX. */
double ngi_family_finite(double x);
/* e^x that neither overflows nor underflows to 0 (x is cut to +-708), for
 * factors that must not meet their opposite as 0 * inf. */
double ngi_family_exp(double x);
/* With N(a) = log Gamma(a) - a log a + a, the Bregman divergence
 * N(a e^g) - N(a) - a N'(a) (e^g - 1) >= 0: what a shape parameter that grows
 * by the factor e^g adds to the divergence of a beta or Dirichlet. Keeps its
 * relative accuracy as g -> 0. */
double ngi_family_gamma_bregman(double a, double g);
/* Writes the symmetric 2 x 2 matrix [a b; b c]. */
void ngi_family_symmetric2(double *out, double a, double b, double c);

#endif
