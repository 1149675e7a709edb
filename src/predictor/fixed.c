/* eta is the offset alone: a known variance, a given dispersion. */
#include "natgrad/problem.h"

static size_t dim(size_t inputs, size_t outputs) {
    (void)inputs;
    (void)outputs;
    return 0;
}

static void forward(const ng_predictor *p, size_t n, const double *X,
                    const double *theta, double *eta, size_t ld) {
    (void)X;
    (void)theta;
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < p->outputs; c++)
            eta[i * ld + c] = 0;
    }
}

static void jvp(const ng_predictor *p, size_t n, const double *X,
                const double *theta, const double *v, double *xi, size_t ld) {
    (void)v;
    forward(p, n, X, theta, xi, ld);
}

static void vjp(const ng_predictor *p, size_t n, const double *X,
                const double *theta, const double *u, size_t ld, double *g) {
    (void)p;
    (void)n;
    (void)X;
    (void)theta;
    (void)u;
    (void)ld;
    (void)g;
}

static void jacobian(const ng_predictor *p, size_t n, const double *X,
                     const double *theta, size_t c, double *work,
                     const double **J, size_t *ldj, size_t *first,
                     size_t *count) {
    (void)p;
    (void)n;
    (void)X;
    (void)theta;
    (void)c;
    *J = work;
    *ldj = 1;
    *first = *count = 0;
}

const ng_predictor_ops ng_predictor_fixed = {
    .name = "fixed",
    .separable = 1,
    .dim = dim,
    .forward = forward,
    .jvp = jvp,
    .vjp = vjp,
    .jacobian = jacobian,
};
