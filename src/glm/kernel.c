/* Any family under any link, by the chain rule from the family's own
 * coordinate z, in which nothing is lost in the tails. Slow and right: the
 * vector code of kernel_fused.c is compared with it. */
#include "glm/kernel.h"

#include "family/family.h"
#include "glm/kernel_mean.h"
#include "numerics/special.h"

#include <math.h>

/* ---- Means ---------------------------------------------------------------
 */

typedef struct jet {
    double mu, d, d2;
} jet;

static const jet NOWHERE = {(double)NAN, (double)NAN, (double)NAN};

static jet logit(double eta) {
    double small = ngi_expit(-fabs(eta)), large = 1 - small;
    double bend = small * large * (large - small);
    return (jet){eta > 0 ? large : small, small * large,
                 eta > 0 ? -bend : bend};
}

static jet probit(double eta) {
    double density = exp(-0.5 * (eta * eta + NGI_LOG_2PI));
    return (jet){ngi_ndtr(eta), density, density == 0 ? 0 : -eta * density};
}

static jet cloglog(double eta) {
    double e = exp(eta), d = exp(eta - e);
    return (jet){-expm1(-e), d, d == 0 ? 0 : -expm1(eta) * d};
}

static jet cauchit(double eta) {
    double d = 1 / (NGI_PI * (1 + eta * eta));
    return (jet){atan2(1, -eta) / NGI_PI, d, -2 * NGI_PI * (eta * d) * d};
}

static jet link_mean(ng_link link, double eta) {
    switch (link) {
    case NG_LINK_IDENTITY:
        return (jet){eta, 1, 0};
    case NG_LINK_LOG:
        return (jet){exp(eta), exp(eta), exp(eta)};
    case NG_LINK_LOGIT:
        return logit(eta);
    case NG_LINK_PROBIT:
        return probit(eta);
    case NG_LINK_CLOGLOG:
        return cloglog(eta);
    case NG_LINK_CAUCHIT:
        return cauchit(eta);
    case NG_LINK_INVERSE:
        return eta == 0 ? NOWHERE
                        : (jet){1 / eta, -1 / eta / eta, 2 / eta / eta / eta};
    case NG_LINK_INVERSE_SQUARE: {
        double mu = 1 / sqrt(eta);
        return eta > 0 ? (jet){mu, -0.5 * mu / eta, 0.75 * mu / eta / eta}
                       : NOWHERE;
    }
    case NG_LINK_SQRT:
        return eta >= 0 ? (jet){eta * eta, 2 * eta, 2} : NOWHERE;
    case NG_LINK_COUNT:
        break;
    }
    return NOWHERE;
}

void ngi_glm_link_mean(ng_link link, bool positive, size_t n, const double *eta,
                       double *mu, double *dmu, double *d2mu) {
    /* exp underflows to 0, which is no other eta's mean either. */
    bool check = positive && link != NG_LINK_LOG;
    for (size_t i = 0; i < n; i++) {
        jet j = check && !(eta[i] > 0) ? NOWHERE : link_mean(link, eta[i]);
        mu[i] = j.mu;
        if (dmu)
            dmu[i] = j.d;
        if (d2mu)
            d2mu[i] = j.d2;
    }
}

/* A share that the identity or the log takes out of (0, 1). */
static bool no_share(ng_link link, double eta) {
    return link == NG_LINK_IDENTITY ? !(eta > 0 && eta < 1)
                                    : link == NG_LINK_LOG && !(eta < 0);
}

void ngi_glm_family_mean(const ngi_glm_kernel *k, size_t n, const double *eta,
                         double *mu, double *dmu, double *d2mu) {
    ng_coordinate coordinate = k->family->block[0].coordinate;
    ngi_glm_link_mean(k->link, coordinate == NG_COORDINATE_LOG, n, eta, mu, dmu,
                      d2mu);
    for (size_t i = 0; coordinate == NG_COORDINATE_LOGIT && i < n; i++) {
        if (no_share(k->link, eta[i])) {
            mu[i] = (double)NAN;
            if (dmu)
                dmu[i] = (double)NAN;
            if (d2mu)
                d2mu[i] = (double)NAN;
        }
    }
}

/* ---- Rows in the family's coordinate --------------------------------------
 */

/* z = logit p; a fractional y is a share of successes. */
static ngi_glm_row bernoulli(double z, double y) {
    /* Everything from the side on which it does not cancel. */
    double wrong = z > 0 ? 1 - y : y, small = ngi_expit(-fabs(z));
    double residual = wrong - small;
    return (ngi_glm_row){
        ngi_softplus(-fabs(z)) + (wrong == 0 ? 0 : wrong * fabs(z)),
        z > 0 ? residual : -residual, small * (1 - small), small * (1 - small)};
}

/* z = log mu, and half the unit deviance y (e^u - 1 - u), u = z - log y. */
static ngi_glm_row poisson(double z, double y) {
    double mu = exp(z);
    if (y == 0)
        return (ngi_glm_row){mu, mu, mu, mu};
    double u = z - log(y);
    return (ngi_glm_row){y * ngi_expm1mx(u), y * expm1(u), mu, mu};
}

/* z = log mu, e^u - 1 - u, u = log y - z. */
static ngi_glm_row gamma_row(double z, double y) {
    double u = log(y) - z;
    return (ngi_glm_row){ngi_expm1mx(u), -expm1(u), 1, exp(u)};
}

/* z = log mu, (y - mu)^2 / (2 y mu^2); only what is representable is formed,
 * for e^-z and e^u may overflow in opposite ways. */
static ngi_glm_row inverse_gaussian(double z, double y) {
    double u = log(y) - z, phi = exp(-z);
    double root = exp(0.5 * (fabs(u) - z)) * expm1(-fabs(u));
    double residual = u > 0 ? exp(u - z) * expm1(-u) : -phi * expm1(u);
    double observed =
        u > 0 ? exp(u - z) * (2 - exp(-u)) : phi * (2 * exp(u) - 1);
    return (ngi_glm_row){0.5 * root * root, residual, phi, observed};
}

/* z = mu. */
static ngi_glm_row normal(double z, double y) {
    double residual = z - y;
    return (ngi_glm_row){0.5 * residual * residual, residual, 1, 1};
}

typedef ngi_glm_row (*row_function)(double z, double y);

static row_function find_row(const ng_family *family) {
    if (family->ops == &ngi_family_bernoulli)
        return bernoulli;
    if (family->ops == &ngi_family_poisson)
        return poisson;
    if (family->ops == &ngi_family_gamma)
        return gamma_row;
    if (family->ops == &ngi_family_inverse_gaussian)
        return inverse_gaussian;
    return normal;
}

/* 0 stays 0 beside a factor that has overflowed. */
static double times(double a, double b) {
    return a == 0 || b == 0 ? 0 : a * b;
}

void ngi_glm_put_row(const ngi_glm_terms *out, size_t i, const ngi_glm_row *row,
                     double dz, double d2z) {
    double curvature = times(times(row->expected, dz), dz);
    if (out->observed) {
        double second =
            times(times(row->observed, dz), dz) + times(row->score, d2z);
        curvature = isnan(second) ? curvature : second;
    }
    double score = times(row->score, dz);
    /* false for NaN, too */
    bool inside = fabs(row->loss) + fabs(score) + fabs(curvature) < HUGE_VAL;
    if (out->loss)
        out->loss[i] = inside ? row->loss : HUGE_VAL;
    if (out->score)
        out->score[i] = inside ? score : 0;
    if (out->curvature)
        out->curvature[i] = inside ? curvature : 0;
}

static void terms(const ngi_glm_kernel *k, size_t n, const double *eta,
                  const double *psi, const double *y, const double *w,
                  const ngi_glm_terms *out, double *work) {
    (void)psi;
    (void)w;
    row_function row = find_row(k->family);
    double *z = work, *dz = work + n, *d2z = work + 2 * n;
    ng_link_inverse(k->link, k->family->block[0].coordinate, n, eta, z, dz,
                    d2z);
    for (size_t i = 0; i < n; i++) {
        ngi_glm_row in_z = row(z[i], y[i]);
        ngi_glm_put_row(out, i, &in_z, dz[i], d2z[i]);
    }
}

static const ngi_glm_kernel_ops GENERIC = {.terms = terms,
                                           .mean = ngi_glm_family_mean};

void ngi_glm_kernel_generic(const ng_family *family, ng_link link,
                            ngi_glm_kernel *out) {
    *out = (ngi_glm_kernel){.ops = &GENERIC,
                            .family = family,
                            .link = link,
                            .work = 3,
                            .psi_lower = -HUGE_VAL};
}

void ngi_glm_kernel_mean(const ng_family *family, ng_link link,
                         ngi_glm_kernel *out) {
    ngi_glm_kernel_generic(family, link, out);
    const ngi_glm_kernel_ops *fused = ngi_glm_kernel_fused(family, link);
    if (fused) {
        out->ops = fused;
        out->work = NGI_GLM_FUSED_WORK;
    }
}
