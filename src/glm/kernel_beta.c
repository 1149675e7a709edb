/* Beta regression (Ferrari & Cribari-Neto 2004): the mean under a link, the
 * log precision psi shared by all rows. The core's beta law has the
 * coordinates (logit mean, log precision); a link adds dz and d2z of its first
 * one. */
#include "family/family.h"
#include "glm/kernel.h"
#include "numerics/special.h"

#include <math.h>

enum { LAW_DIM = 2, CHUNK = 128 };

/* Scratch of a chunk of rows. */
typedef struct chunk {
    double z[CHUNK * LAW_DIM], g[CHUNK * LAW_DIM];
    double F[CHUNK * LAW_DIM * LAW_DIM], log_p[CHUNK];
    double logit[CHUNK], dz[CHUNK], d2z[CHUNK];
} chunk;

/* The core's terms in its own coordinates. */
static void evaluate(const ngi_glm_kernel *k, size_t n, const double *eta,
                     double psi, const double *y, const ngi_glm_terms *out,
                     chunk *c) {
    const ng_family_ops *law = &ngi_family_beta;
    bool curvature = out->curvature || out->cross || out->psi_curvature;
    ng_link_inverse(k->link, NG_COORDINATE_LOGIT, n, eta, c->logit, c->dz,
                    c->d2z);
    for (size_t i = 0; i < n; i++) {
        c->z[2 * i] = c->logit[i];
        c->z[2 * i + 1] = psi;
    }
    if (out->loss)
        law->log_density(NULL, n, c->z, y, c->log_p, NULL);
    if (out->score || out->psi_score || (curvature && out->observed))
        law->score(NULL, n, c->z, y, c->g, NULL);
    if (curvature && out->observed)
        law->observed(NULL, n, c->z, y, c->F, NULL);
    else if (curvature)
        law->fisher(NULL, n, c->z, c->F, NULL);
}

static void row(const chunk *c, size_t i, size_t at, double w,
                const ngi_glm_terms *out) {
    double dz = c->dz[i];
    const double *F = c->F + 4 * i, *g = c->g + 2 * i;
    if (out->loss) /* a density's logarithm has no best value */
        out->loss[at] = isnan(c->logit[i]) ? HUGE_VAL : -c->log_p[i];
    if (out->score)
        out->score[at] = -g[0] * dz;
    if (out->curvature)
        out->curvature[at] =
            F[0] * dz * dz - (out->observed ? g[0] * c->d2z[i] : 0);
    if (out->cross)
        out->cross[at] = F[1] * dz;
    if (w == 0)
        return;
    if (out->psi_score)
        out->psi_score[0] -= w * g[1];
    if (out->psi_curvature)
        out->psi_curvature[0] += w * F[3];
}

static void terms(const ngi_glm_kernel *k, size_t n, const double *eta,
                  const double *psi, const double *y, const double *w,
                  const ngi_glm_terms *out, double *work) {
    (void)work;
    chunk c;
    for (size_t first = 0; first < n; first += CHUNK) {
        size_t count = n - first < CHUNK ? n - first : CHUNK;
        evaluate(k, count, eta + first, psi[0], y + first, out, &c);
        for (size_t i = 0; i < count; i++)
            row(&c, i, first + i, w ? w[first + i] : 1, out);
    }
}

/* dmu/deta = mu (1 - mu) dz. */
static void mean(const ngi_glm_kernel *k, size_t n, const double *eta,
                 double *mu, double *dmu, double *d2mu) {
    for (size_t i = 0; i < n; i++) {
        double z, dz, d2z;
        ng_link_inverse(k->link, NG_COORDINATE_LOGIT, 1, eta + i, &z, &dz,
                        &d2z);
        double p = ngi_expit(z), q = ngi_expit(-z);
        mu[i] = p;
        if (dmu)
            dmu[i] = p * q * dz;
        if (d2mu)
            d2mu[i] = p * q * (d2z + (q - p) * dz * dz);
    }
}

static const ngi_glm_kernel_ops OPS = {.terms = terms, .mean = mean};

void ngi_glm_kernel_beta(ng_link link, ngi_glm_kernel *out) {
    *out = (ngi_glm_kernel){
        .ops = &OPS, .link = link, .extras = 1, .psi_lower = -HUGE_VAL};
}
