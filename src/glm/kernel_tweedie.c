/* Tweedie's exponential dispersion models, Var = mu^p. Half the unit deviance
 * is int_mu^y (y - t) t^-p dt; with t = mu e^v, z = log mu and u = log y - z
 *
 *   loss = mu^(2-p) (e^u E(1-p, u) - E(2-p, u)),  E(a, u) = (e^(au) - 1) / a,
 *
 * which has no gaps at p = 1 and p = 2, where E(0, u) = u. In z the score is
 * mu^(2-p) (1 - e^u) and the Fisher mu^(2-p). Dunn & Smyth (2005). */
#include "glm/kernel.h"

#include "glm/kernel_mean.h"
#include "numerics/special.h"

#include <math.h>

/* (y^a - mu^a) / a = e^(az) E(a, u) from log y, z = log mu and u: only what is
 * representable is formed. */
static double span(double a, double log_y, double z, double u) {
    if (a == 0)
        return u;
    return a * u > 0 ? -exp(a * log_y) * expm1(-a * u) / a
                     : exp(a * z) * expm1(a * u) / a;
}

/* E(a, u) - u */
static double growth_beyond(double a, double u) {
    return a == 0 ? 0 : ngi_expm1mx(a * u) / a;
}

/* y = 0, which a power from 2 on does not admit. */
static ngi_glm_row zero_row(double p, double z) {
    double scale = exp((2 - p) * z);
    if (!(p < 2))
        return (ngi_glm_row){HUGE_VAL, 0, 0, 0};
    return (ngi_glm_row){scale / (2 - p), scale, scale, (2 - p) * scale};
}

static ngi_glm_row tweedie(double p, double z, double y) {
    if (y == 0)
        return zero_row(p, z);
    double log_y = log(y), u = log_y - z, scale = exp((2 - p) * z);
    double tilted = y * exp((1 - p) * z); /* scale e^u */
    double loss;
    if (fabs(u) < 1) /* the terms of the order of u cancelled by hand */
        loss = scale * (u * expm1(u) + exp(u) * growth_beyond(1 - p, u) -
                        growth_beyond(2 - p, u));
    else
        loss = y * span(1 - p, log_y, z, u) - span(2 - p, log_y, z, u);
    double score = u > 0 ? tilted * expm1(-u) : -scale * expm1(u);
    return (ngi_glm_row){loss, score, scale,
                         (2 - p) * scale - (1 - p) * tilted};
}

static void terms(const ngi_glm_kernel *k, size_t n, const double *eta,
                  const double *psi, const double *y, const double *w,
                  const ngi_glm_terms *out, double *work) {
    (void)psi;
    (void)w;
    double *z = work, *dz = work + n, *d2z = work + 2 * n;
    ng_link_inverse(k->link, NG_COORDINATE_LOG, n, eta, z, dz, d2z);
    for (size_t i = 0; i < n; i++) {
        ngi_glm_row row = tweedie(k->power, z[i], y[i]);
        ngi_glm_put_row(out, i, &row, dz[i], d2z[i]);
    }
}

static void mean(const ngi_glm_kernel *k, size_t n, const double *eta,
                 double *mu, double *dmu, double *d2mu) {
    ngi_glm_link_mean(k->link, true, n, eta, mu, dmu, d2mu);
}

static const ngi_glm_kernel_ops TWEEDIE = {.terms = terms, .mean = mean};

void ngi_glm_kernel_tweedie(double power, ng_link link, ngi_glm_kernel *out) {
    *out = (ngi_glm_kernel){.ops = &TWEEDIE,
                            .link = link,
                            .power = power,
                            .work = 3,
                            .psi_lower = -HUGE_VAL};
}
