/* The Levi-Civita connection of the exact Fisher, for the geodesic correction
 * (Song, Song & Ermon, "Accelerating natural gradient with higher-order
 * invariance", ICML 2018). With xi = J v, in a predictor that is linear in
 * theta,
 *
 *   Gamma_m = J' [ (dM[xi]) xi - 1/2 grad_eta (xi' M xi) ],
 *
 * dM[xi] being the derivative of M(eta) along xi. */
#include "problem/model.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* M where component c of eta is moved by sign x value, in every row. z and dz
 * are left displaced in that component. */
static void displaced_curvature(const ngi_model *m, size_t n, size_t c,
                                double sign, ngi_scratch *s, double *M) {
    const ng_family *f = &m->spec.family;
    size_t K = f->dim_z, b = 0;
    while (c >= f->block[b].first + f->block[b].count)
        b++;
    for (size_t i = 0; i < n; i++) {
        double eta = s->eta[i * K + c] + sign * s->value[i];
        ng_link_inverse(m->spec.block[b].link, f->block[b].coordinate, 1, &eta,
                        &s->z[i * K + c], &s->dz[i * K + c], NULL);
    }
    ngi_model_exact_curvature(m, n, s, M);
}

/* Adds to u what the derivative of M in component c contributes: xi_c dM xi
 * everywhere, and -1/2 xi' dM xi in component c itself. The derivative is a
 * central difference at h = cbrt(eps), good to about 1e-10: far below what
 * the correction, itself of second order in the step, can use. */
static void add_component(const ngi_model *m, size_t n, size_t c,
                          ngi_scratch *s) {
    size_t K = m->spec.family.dim_z;
    for (size_t i = 0; i < n; i++)
        s->value[i] = cbrt(DBL_EPSILON) * fmax(1, fabs(s->eta[i * K + c]));
    displaced_curvature(m, n, c, 1, s, s->M);
    displaced_curvature(m, n, c, -1, s, s->M1);
    for (size_t i = 0; i < n; i++) {
        const double *xi = s->xi + i * K;
        double form = 0;
        for (size_t a = 0; a < K; a++) {
            double slope = 0;
            for (size_t b = 0; b < K; b++) {
                size_t at = (i * K + a) * K + b;
                slope += (s->M[at] - s->M1[at]) * xi[b];
            }
            slope /= 2 * s->value[i];
            s->u[i * K + a] += xi[c] * slope;
            form += xi[a] * slope;
        }
        s->u[i * K + c] -= 0.5 * form;
    }
}

static void connection_rows(ngi_pass *pass, size_t worker,
                            const ng_rows *rows) {
    const ngi_model *m = pass->model;
    ngi_scratch *s = &m->scratch[worker];
    size_t K = m->spec.family.dim_z, n = rows->count;
    ngi_model_forward(m, rows, pass->theta, s);
    ngi_model_jvp(m, rows, pass->theta, pass->v, s->xi);
    memset(s->u, 0, n * K * sizeof *s->u);
    for (size_t c = m->free_first; c < m->free_first + m->free_count; c++) {
        add_component(m, n, c, s);
        displaced_curvature(m, n, c, 0, s, s->M); /* puts z back */
    }
    for (size_t i = 0; i < n; i++) {
        double w = ngi_row_weight(m, rows, i);
        for (size_t a = 0; a < K; a++)
            s->u[i * K + a] = w == 0 ? 0 : w * s->u[i * K + a];
    }
    ngi_model_vjp(m, rows, pass->theta, s->u, s->gradient);
}

ng_status ngi_model_connection(ng_problem *problem, const double *theta,
                               const double *v, double *out) {
    ngi_pass pass = {.model = ngi_model_of(problem),
                     .rows = connection_rows,
                     .theta = theta,
                     .v = v,
                     .want_gradient = true,
                     .gradient = out};
    return ngi_pass_run(&pass);
}
