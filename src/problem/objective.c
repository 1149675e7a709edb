/* The default objective: the negative log-likelihood of a row. */
#include "natgrad/problem.h"

static void value(const ng_objective *objective, const ng_family *f, size_t n,
                  const double *z, const double *y, double *out, double *work) {
    (void)objective;
    f->ops->log_density(f, n, z, y, out, work);
    for (size_t i = 0; i < n; i++)
        out[i] = -out[i];
}

static void gradient(const ng_objective *objective, const ng_family *f,
                     size_t n, const double *z, const double *y, double *out,
                     double *work) {
    (void)objective;
    f->ops->score(f, n, z, y, out, work);
    for (size_t i = 0; i < n * f->dim_z; i++)
        out[i] = -out[i];
}

static void hessian(const ng_objective *objective, const ng_family *f, size_t n,
                    const double *z, const double *y, double *out,
                    double *work) {
    (void)objective;
    f->ops->observed(f, n, z, y, out, work);
}

static const ng_objective LIKELIHOOD = {
    .name = "likelihood",
    .value = value,
    .gradient = gradient,
    .hessian = hessian,
};

const ng_objective *ng_objective_likelihood(void) {
    return &LIKELIHOOD;
}
