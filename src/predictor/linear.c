/* eta = X B': each output has its own row of B and the inputs are shared, so
 * that the Jacobian of every output is X itself. */
#include "natgrad/problem.h"

#include "numerics/linalg.h"

static size_t dim(size_t inputs, size_t outputs) {
    return inputs * outputs;
}

static void forward(const ng_predictor *p, size_t n, const double *X,
                    const double *theta, double *eta, size_t ld) {
    ngi_gemm_nt(n, p->outputs, p->inputs, X, p->inputs, theta, p->inputs, eta,
                ld);
}

static void jvp(const ng_predictor *p, size_t n, const double *X,
                const double *theta, const double *v, double *xi, size_t ld) {
    (void)theta;
    forward(p, n, X, v, xi, ld);
}

static void vjp(const ng_predictor *p, size_t n, const double *X,
                const double *theta, const double *u, size_t ld, double *g) {
    (void)theta;
    ngi_gemm_tn(p->outputs, p->inputs, n, u, ld, X, p->inputs, g, p->inputs);
}

static void jacobian(const ng_predictor *p, size_t n, const double *X,
                     const double *theta, size_t c, double *work,
                     const double **J, size_t *ldj, size_t *first,
                     size_t *count) {
    (void)n;
    (void)theta;
    (void)work;
    *J = X;
    *ldj = *count = p->inputs;
    *first = c * p->inputs;
}

const ng_predictor_ops ng_predictor_linear = {
    .name = "linear",
    .separable = 1,
    .dim = dim,
    .forward = forward,
    .jvp = jvp,
    .vjp = vjp,
    .jacobian = jacobian,
};
