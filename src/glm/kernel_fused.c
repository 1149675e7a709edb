/* One pass of vector code over rows, for the families and links that are used
 * most. Every loss is half the unit deviance, but for shares, whose is their
 * log-likelihood; in the forms below neither it nor the score cancels where mu
 * is near y or in a tail. */
#include "family/family.h"
#include "glm/kernel_mean.h"
#include "numerics/vector_math.h"

/* An eta without a mean: what else is computed for it is not read. */
NGI_LANE double inside(double eta, double loss) {
    return eta > 0 ? loss : HUGE_VAL;
}

/* From the side on which it does not cancel, as all of src/family/bernoulli.c.
 */
NGI_LANE ngi_glm_row bernoulli_logit(double eta, double y) {
    ngi_lane_tail tail = ngi_lane_logistic(eta);
    double wrong = eta > 0 ? 1 - y : y;
    double residual = wrong - tail.small;
    double curvature = tail.small * (1 - tail.small);
    ngi_glm_row row = {tail.log_large + wrong * fabs(eta),
                       eta > 0 ? residual : -residual, curvature, curvature};
    return row;
}

/* Q = phi(a) m(a), a = |eta|, m Mills' ratio, is the smaller probability; the
 * losses of the two outcomes and their derivatives in a are
 *   -log Q: 1 / m, (1 - a m) / m^2,  -log(1 - Q): -h, h (a + h),
 * h = phi / (1 - Q). */
NGI_LANE ngi_glm_row bernoulli_probit(double eta, double y) {
    double a = fabs(eta), m = ngi_lane_mills(a), half = 0.5 * a * a;
    double phi = 0.39894228040143267794 * ngi_lane_exp(-half), Q = phi * m;
    double h = phi / (1 - Q), wrong = eta > 0 ? 1 - y : y, right = 1 - wrong;
    double improbable = half + 0.91893853320467274178 - ngi_lane_log(m);
    double probable = Q - ngi_lane_log_less(1 - Q, -Q);
    double slope = wrong / m - right * h;
    ngi_glm_row row = {wrong * improbable + right * probable,
                       eta > 0 ? slope : -slope, h / m,
                       wrong * ((1 - a * m) / (m * m)) + right * h * (a + h)};
    return row;
}

/* With e = e^eta, S = e^-e, F = 1 - S and r = e S / F: the losses of the two
 * outcomes are -log F and e, their first derivatives -r and e, the second
 * r (e - F) / F and e. Beyond e^eta = DBL_MAX all is over anyway. */
NGI_LANE ngi_glm_row bernoulli_cloglog(double eta, double y) {
    double e = ngi_lane_exp(eta < 709 ? eta : 709);
    ngi_lane_growth g = ngi_lane_grow(-e);
    double S = g.exp, F = -g.minus_1, miss = 1 - y;
    double unit = F > DBL_MIN ? F : DBL_MIN; /* F = e up to rounding there */
    double r = eta > -40 ? e * S / unit : 1;
    double success = eta > -40 ? S - ngi_lane_log_less(unit, -S) : -eta;
    ngi_glm_row row = {y * success + miss * e, miss * e - y * r, e * r,
                       miss * e + y * r * (g.minus_1_x / unit)};
    row.loss = eta < 709 ? row.loss : HUGE_VAL;
    return row;
}

/* y (e^u - 1 - u), u = eta - log y; mu where y = 0. */
NGI_LANE ngi_glm_row poisson_log(double eta, double y) {
    double unit = y > 0 ? y : 1;
    ngi_lane_growth g = ngi_lane_grow(eta - ngi_lane_log(unit));
    double mu = unit * g.exp;
    ngi_glm_row row = {y > 0 ? unit * g.minus_1_x : mu,
                       y > 0 ? unit * g.minus_1 : mu, mu, mu};
    return row;
}

/* y (x - log(1 + x)), x = (mu - y) / y; mu where y = 0. */
NGI_LANE double poisson_loss(double mu, double y) {
    double unit = y > 0 ? y : 1;
    double loss = -unit * ngi_lane_log_less(mu / unit, (mu - unit) / unit);
    return y > 0 ? loss : mu;
}

NGI_LANE ngi_glm_row poisson_identity(double eta, double y) {
    ngi_glm_row row = {inside(eta, poisson_loss(eta, y)), (eta - y) / eta,
                       1 / eta, y / eta / eta};
    return row;
}

NGI_LANE ngi_glm_row poisson_sqrt(double eta, double y) {
    double mu = eta * eta;
    ngi_glm_row row = {inside(eta, poisson_loss(mu, y)), 2 * ((mu - y) / eta),
                       4, 2 + 2 * (y / eta / eta)};
    return row;
}

NGI_LANE ngi_glm_row normal_identity(double eta, double y) {
    double residual = eta - y;
    ngi_glm_row row = {0.5 * residual * residual, residual, 1, 1};
    return row;
}

NGI_LANE ngi_glm_row normal_log(double eta, double y) {
    double mu = ngi_lane_exp(eta), residual = mu - y;
    ngi_glm_row row = {0.5 * residual * residual, residual * mu, mu * mu,
                       (mu + residual) * mu};
    return row;
}

/* e^u - 1 - u, u = log y - eta. */
NGI_LANE ngi_glm_row gamma_log(double eta, double y) {
    ngi_lane_growth g = ngi_lane_grow(ngi_lane_log(y) - eta);
    ngi_glm_row row = {g.minus_1_x, -g.minus_1, 1, g.exp};
    return row;
}

/* x - log(1 + x), x = y / mu - 1. */
NGI_LANE ngi_glm_row gamma_inverse(double eta, double y) {
    double x = y * eta - 1, curvature = 1 / eta / eta;
    ngi_glm_row row = {inside(eta, -ngi_lane_log_less(y * eta, x)), x / eta,
                       curvature, curvature};
    return row;
}

NGI_LANE ngi_glm_row gamma_identity(double eta, double y) {
    double x = (y - eta) / eta, ratio = y / eta;
    ngi_glm_row row = {inside(eta, -ngi_lane_log_less(ratio, x)), -x / eta,
                       1 / eta / eta, (2 * ratio - 1) / eta / eta};
    return row;
}

/* x^2 / (2 y), x = y / mu - 1. */
NGI_LANE ngi_glm_row inverse_gaussian_log(double eta, double y) {
    double reciprocal = ngi_lane_exp(-eta), x = y * reciprocal - 1;
    ngi_glm_row row = {0.5 * x / y * x, -reciprocal * x, reciprocal,
                       reciprocal * (2 * x + 1)};
    return row;
}

NGI_LANE ngi_glm_row inverse_gaussian_inverse(double eta, double y) {
    double x = y * eta - 1;
    ngi_glm_row row = {inside(eta, 0.5 * x / y * x), x, 1 / eta, y};
    return row;
}

NGI_LANE ngi_glm_row inverse_gaussian_inverse_square(double eta, double y) {
    double root = sqrt(eta), x = y * root - 1;
    double curvature = 0.25 / eta / root;
    ngi_glm_row row = {inside(eta, 0.5 * x / y * x), 0.5 * x / root, curvature,
                       curvature};
    return row;
}

typedef void (*loop)(size_t n, const double *restrict eta,
                     const double *restrict y, bool observed,
                     double *restrict loss, double *restrict score,
                     double *restrict curvature);

/* NAME over rows, the curvature being row.KIND. */
#define PASS(NAME, KIND)                                                       \
    for (size_t i = 0; i < n; i++) {                                           \
        ngi_glm_row row = NAME(eta[i], y[i]);                                  \
        bool finite =                                                          \
            fabs(row.loss) + fabs(row.score) + fabs(row.KIND) < HUGE_VAL;      \
        loss[i] = finite ? row.loss : HUGE_VAL;                                \
        score[i] = finite ? row.score : 0;                                     \
        curvature[i] = finite ? row.KIND : 0;                                  \
    }

#define LOOP(NAME)                                                             \
    NGI_LANES static void NAME##_rows(                                         \
        size_t n, const double *restrict eta, const double *restrict y,        \
        bool observed, double *restrict loss, double *restrict score,          \
        double *restrict curvature) {                                          \
        if (observed)                                                          \
            PASS(NAME, observed)                                               \
        else                                                                   \
            PASS(NAME, expected)                                               \
    }

LOOP(bernoulli_logit)
LOOP(bernoulli_probit)
LOOP(bernoulli_cloglog)
LOOP(poisson_log)
LOOP(poisson_identity)
LOOP(poisson_sqrt)
LOOP(normal_identity)
LOOP(normal_log)
LOOP(gamma_log)
LOOP(gamma_inverse)
LOOP(gamma_identity)
LOOP(inverse_gaussian_log)
LOOP(inverse_gaussian_inverse)
LOOP(inverse_gaussian_inverse_square)

static const struct {
    const ng_family_ops *family;
    ng_link link;
    loop rows;
} FUSED[] = {
    {&ngi_family_bernoulli, NG_LINK_LOGIT, bernoulli_logit_rows},
    {&ngi_family_bernoulli, NG_LINK_PROBIT, bernoulli_probit_rows},
    {&ngi_family_bernoulli, NG_LINK_CLOGLOG, bernoulli_cloglog_rows},
    {&ngi_family_poisson, NG_LINK_LOG, poisson_log_rows},
    {&ngi_family_poisson, NG_LINK_IDENTITY, poisson_identity_rows},
    {&ngi_family_poisson, NG_LINK_SQRT, poisson_sqrt_rows},
    {&ngi_family_normal, NG_LINK_IDENTITY, normal_identity_rows},
    {&ngi_family_normal, NG_LINK_LOG, normal_log_rows},
    {&ngi_family_gamma, NG_LINK_LOG, gamma_log_rows},
    {&ngi_family_gamma, NG_LINK_INVERSE, gamma_inverse_rows},
    {&ngi_family_gamma, NG_LINK_IDENTITY, gamma_identity_rows},
    {&ngi_family_inverse_gaussian, NG_LINK_LOG, inverse_gaussian_log_rows},
    {&ngi_family_inverse_gaussian, NG_LINK_INVERSE,
     inverse_gaussian_inverse_rows},
    {&ngi_family_inverse_gaussian, NG_LINK_INVERSE_SQUARE,
     inverse_gaussian_inverse_square_rows},
};

static loop find(const ng_family *family, ng_link link) {
    for (size_t i = 0; i < sizeof FUSED / sizeof *FUSED; i++)
        if (FUSED[i].family == family->ops && FUSED[i].link == link)
            return FUSED[i].rows;
    return NULL;
}

static void terms(const ngi_glm_kernel *k, size_t n, const double *eta,
                  const double *psi, const double *y, const double *w,
                  const ngi_glm_terms *out, double *work) {
    (void)psi;
    (void)w;
    find(k->family, k->link)(n, eta, y, out->observed,
                             out->loss ? out->loss : work,
                             out->score ? out->score : work + n,
                             out->curvature ? out->curvature : work + 2 * n);
}

const ngi_glm_kernel_ops *ngi_glm_kernel_fused(const ng_family *family,
                                               ng_link link) {
    static const ngi_glm_kernel_ops ops = {.terms = terms,
                                           .mean = ngi_glm_family_mean};
    return find(family, link) ? &ops : NULL;
}
