/* No inputs: eta = theta for every row, a distribution to be fitted. */
#include "natgrad/problem.h"

static size_t dim(size_t inputs, size_t outputs) {
    (void)inputs;
    return outputs;
}

static size_t work(const ng_predictor *p) {
    (void)p;
    return 1;
}

static void forward(const ng_predictor *p, size_t n, const double *X,
                    const double *theta, double *eta, size_t ld) {
    (void)X;
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < p->outputs; c++)
            eta[i * ld + c] = theta[c];
    }
}

static void jvp(const ng_predictor *p, size_t n, const double *X,
                const double *theta, const double *v, double *xi, size_t ld) {
    (void)theta;
    forward(p, n, X, v, xi, ld);
}

static void vjp(const ng_predictor *p, size_t n, const double *X,
                const double *theta, const double *u, size_t ld, double *g) {
    (void)X;
    (void)theta;
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < p->outputs; c++)
            g[c] += u[i * ld + c];
    }
}

static void jacobian(const ng_predictor *p, size_t n, const double *X,
                     const double *theta, size_t c, double *work,
                     const double **J, size_t *ldj, size_t *first,
                     size_t *count) {
    (void)p;
    (void)X;
    (void)theta;
    for (size_t i = 0; i < n; i++)
        work[i] = 1;
    *J = work;
    *ldj = 1;
    *first = c;
    *count = 1;
}

const ng_predictor_ops ng_predictor_none = {
    .name = "none",
    .separable = 1,
    .dim = dim,
    .work = work,
    .forward = forward,
    .jvp = jvp,
    .vjp = vjp,
    .jacobian = jacobian,
};
