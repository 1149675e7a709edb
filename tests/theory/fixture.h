/* What the theory tests share: a context for each test, small problems over
 * arrays, and linear algebra written apart from the library's. */
#ifndef THEORY_FIXTURE_H
#define THEORY_FIXTURE_H

#include "natgrad/natgrad.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Made anew for each test. */
extern ng_ctx *ctx;

/* Runs the tests that `add` puts in the case; 0 if all passed. */
int theory_main(const char *name, void (*add)(TCase *tests));

#define OK(call)                                                               \
    do {                                                                       \
        ng_status ok_status_ = (call);                                         \
        ck_assert_msg(ok_status_ == NG_OK, "%s: %s", #call, ng_error(ctx));    \
    } while (0)

#define NEAR(x, y, tolerance) ck_assert_double_eq_tol(x, y, tolerance)

/* Largest |a - b| over n entries. */
double distance(size_t n, const double *a, const double *b);
/* The same over max(1, largest |b|). */
double relative_distance(size_t n, const double *a, const double *b);

/* ---- Problems ---- */

/* A model problem over the caller's arrays. small_init fixes every block with
 * no offset and the family's own link; change `block` and `rows`, then open.
 * It must not be moved while open. */
typedef struct small {
    ng_family family;
    ng_model_block block[NG_FAMILY_MAX_BLOCKS];
    ng_rows rows;
    const ng_objective *objective;
    const double *ridge;
    ng_memory_source memory;
    ng_problem *problem;
    size_t d;
} small;

/* The link under which eta is the family's own coordinate. */
ng_link own_link(ng_coordinate coordinate);

void small_init(small *s, const char *family, size_t size, size_t rows,
                const double *y);
void small_none(small *s, size_t block, ng_link link);
void small_linear(small *s, size_t block, ng_link link, size_t inputs,
                  const double *X);
void small_open_in(small *s, ng_ctx *own);
void small_open(small *s);
void small_close(small *s);

/* A logistic regression, y drawn at random: the usual example. X has a column
 * of ones. */
enum { USUAL_MOST = 4096 };
typedef struct usual {
    small s;
    double X[USUAL_MOST], y[USUAL_MOST], weight[USUAL_MOST];
} usual;
/* n x p inputs in X, a column of ones and normal numbers. */
void random_design(ng_rng *rng, size_t n, size_t p, double *X);
void random_vector(ng_rng *rng, size_t n, double scale, double *v);
void usual_open(usual *u, ng_link link, size_t rows, size_t inputs,
                uint64_t seed);
/* One row y of a family of one parameter under a link, no inputs. */
void single_open(small *s, const char *family, ng_link link, size_t rows,
                 const double *y);

double objective_at(const small *s, const double *theta);
void gradient_at(const small *s, const double *theta, double *g);
/* Both triangles. */
void fisher_at(const small *s, const double *theta, ng_fisher_kind kind,
               double *F);
void fisher_of(const small *s, const double *theta, const ng_fisher *fisher,
               double *F);
double kl_between(const small *s, const double *theta0, const double *theta1);
double change_between(const small *s, const double *theta0,
                      const double *theta1);
/* Central differences of the gradient. */
void numeric_hessian(const small *s, const double *theta, double *H);

/* d = (F + P + damping I)^+ g with the metric of that name. */
void solve_with(const small *s, const char *metric,
                const ng_metric_options *options, const double *theta,
                double damping, const double *g, double *d);
/* The natural gradient by the dense metric. */
void natural_gradient(const small *s, const double *theta, double damping,
                      double *d);

/* Fixed steps of length `rate`: iterations run exactly. */
ng_fit_options fixed_steps(ng_optimizer optimizer, double rate);
void take_steps(const small *s, const ng_fit_options *options, size_t steps,
                const double *from, double *to);
/* A run to its end. */
ng_report run_fit(const small *s, const ng_fit_options *options,
                  const double *from, double *to);

/* ---- Linear algebra of the tests' own ---- */

double dot(size_t n, const double *a, const double *b);
double norm(size_t n, const double *a);
/* x' A y, all of A. */
double form(size_t n, const double *A, const double *x, const double *y);
/* Gaussian elimination with partial pivoting, A kept. */
void solve_linear(size_t n, const double *A, const double *b, double *x);
/* argmin |X beta - y| by Householder's QR. */
void least_squares(size_t n, size_t p, const double *X, const double *y,
                   double *beta);
/* Jacobi's method: eigenvalues w, eigenvectors in the columns of V. */
void eigen(size_t n, const double *A, double *w, double *V);
/* x = A^+ b, by `eigen`, eigenvalues below 1e-10 of the largest dropped. */
void pseudo_solve(size_t n, const double *A, const double *b, double *x);
double smallest_eigenvalue(size_t n, const double *A);

/* Least-squares slope of log y against log x. */
double log_slope(size_t n, const double *x, const double *y);

#endif
