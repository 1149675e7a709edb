/* Helpers that several families share. */
#include "family/family.h"
#include "family/two_parameter.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

static void scalar_dimensions(ng_family *f, size_t components) {
    f->dim_y = f->dim_mean = f->dim_marginal = 1;
    f->dim_z = f->dim_customary = f->blocks = components;
}

int ngi_family_shape_scalar(size_t size, ng_family *f, const char *name,
                            ng_coordinate coordinate) {
    if (size != 1)
        return 0;
    scalar_dimensions(f, 1);
    f->block[0] = (ng_family_block){name, 0, 1, coordinate};
    return 1;
}

int ngi_family_shape_two(size_t size, ng_family *f, const char *name0,
                         ng_coordinate coordinate0, const char *name1,
                         ng_coordinate coordinate1) {
    if (size != 1)
        return 0;
    scalar_dimensions(f, 2);
    f->block[0] = (ng_family_block){name0, 0, 1, coordinate0};
    f->block[1] = (ng_family_block){name1, 1, 1, coordinate1};
    return 1;
}

void ngi_family_name(char *out, size_t size, const char *name) {
    snprintf(out, size, "%s", name);
}

void ngi_family_indexed_name(char *out, size_t size, const char *name,
                             const char *const *columns, size_t i) {
    if (columns)
        snprintf(out, size, "%s[%s]", name, columns[i]);
    else
        snprintf(out, size, "%s[%zu]", name, i);
}

void ngi_family_column_moments(size_t n, size_t columns, size_t column,
                               const double *y, const double *w, double *mean,
                               double *variance) {
    double total = 0, m = 0, v = 0;
    for (size_t i = 0; i < n; i++) {
        if (w[i] == 0)
            continue;
        total += w[i];
        double share = w[i] / total, value = y[i * columns + column];
        double delta = ngi_family_finite(value - m);
        m += share * delta;
        v += share * ngi_family_finite(delta * (1 - share) * delta - v);
    }
    *mean = ngi_family_finite(m);
    *variance = ngi_family_finite(v);
}

void ngi_family_moments(size_t n, const double *y, const double *w,
                        double *mean, double *variance) {
    ngi_family_column_moments(n, 1, 0, y, w, mean, variance);
}

double ngi_family_finite(double x) {
    return fmax(-DBL_MAX, fmin(x, DBL_MAX));
}

double ngi_family_exp(double x) {
    return exp(fmax(-708, fmin(x, 708)));
}

typedef struct bregman {
    double a, g;
} bregman;

static double bregman_remainder(double t, void *user) {
    const bregman *b = user;
    return expm1(b->g - t) * ngi_gamma_information(b->a * exp(t));
}

double ngi_family_gamma_bregman(double a, double g) {
    /* Taylor's remainder, with s = a e^t and s^2 N''(s) = information(s):
     * the integral of (e^(g-t) - 1) information(a e^t) over 0 < t < g. */
    if (fabs(g) < 1) {
        bregman b = {a, g};
        return ngi_gauss8(bregman_remainder, &b, 0, g);
    }
    double slope = a < 1e-100 ? 1 : a * ngi_log_minus_digamma(a);
    double half = exp(0.5 * g); /* e^g alone may leave the range of doubles */
    double end = fmax(DBL_MIN, ngi_family_finite(a * half * half));
    double rise = ngi_gamma_constant(a) - ngi_gamma_constant(end);
    return fmax(0, rise + slope * expm1(g));
}

void ngi_family_symmetric2(double *out, double a, double b, double c) {
    out[0] = a;
    out[1] = out[2] = b;
    out[3] = c;
}
