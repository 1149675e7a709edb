/* What generalised linear models add to a family: R's names, links, variance
 * functions, deviances and log-likelihoods. */
#include "learner/model.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define LINK(name) (1u << NG_LINK_##name)

static bool any_real(double y) {
    return isfinite(y);
}

static bool share(double y) {
    return y >= 0 && y <= 1;
}

static bool count(double y) {
    return y >= 0 && y == floor(y) && isfinite(y);
}

static bool positive(double y) {
    return y > 0 && isfinite(y);
}

static double variance_constant(double mu) {
    (void)mu;
    return 1;
}

static double variance_binomial(double mu) {
    return mu * (1 - mu);
}

static double variance_poisson(double mu) {
    return mu;
}

static double variance_gamma(double mu) {
    return mu * mu;
}

static double variance_inverse_gaussian(double mu) {
    return mu * mu * mu;
}

static double deviance_gaussian(double y, double mu) {
    return (y - mu) * (y - mu);
}

static double deviance_binomial(double y, double mu) {
    double won = y > 0 ? y * log(y / mu) : 0;
    double lost = y < 1 ? (1 - y) * log((1 - y) / (1 - mu)) : 0;
    return 2 * (won + lost);
}

static double deviance_poisson(double y, double mu) {
    return 2 * ((y > 0 ? y * log(y / mu) : 0) - (y - mu));
}

static double deviance_gamma(double y, double mu) {
    /* -2 (log(y/mu) - (y - mu)/mu) in the form that does not cancel. */
    return -2 * ngi_log1pmx((y - mu) / mu);
}

static double deviance_inverse_gaussian(double y, double mu) {
    return (y - mu) * (y - mu) / (y * mu * mu);
}

static double likelihood_poisson(double y, double mu, double w,
                                 double dispersion) {
    (void)dispersion;
    double log_p = (y > 0 ? y * log(mu) : 0) - mu - ngi_lgamma(y + 1);
    return -2 * w * log_p;
}

static double likelihood_gamma(double y, double mu, double w,
                               double dispersion) {
    double shape = 1 / dispersion;
    double log_p = shape * log(shape / mu) + (shape - 1) * log(y) -
                   shape * y / mu - ngi_lgamma(shape);
    return -2 * w * log_p;
}

static double likelihood_inverse_gaussian(double y, double mu, double w,
                                          double dispersion) {
    (void)mu;
    return w * (log(dispersion) + NGI_LOG_2PI + 1 + 3 * log(y));
}

static const ngi_glm_family FAMILIES[] = {
    {"gaussian", "normal", NG_LINK_IDENTITY,
     LINK(IDENTITY) | LINK(LOG) | LINK(INVERSE) | LINK(SQRT), true,
     "a finite number", any_real, variance_constant, deviance_gaussian, NULL},
    {"binomial", "bernoulli", NG_LINK_LOGIT,
     LINK(LOGIT) | LINK(PROBIT) | LINK(CLOGLOG) | LINK(CAUCHIT) | LINK(LOG) |
         LINK(IDENTITY),
     false, "0 or 1", share, variance_binomial, deviance_binomial, NULL},
    {"poisson", "poisson", NG_LINK_LOG,
     LINK(LOG) | LINK(IDENTITY) | LINK(SQRT) | LINK(INVERSE), false,
     "a count 0, 1, 2, ...", count, variance_poisson, deviance_poisson,
     likelihood_poisson},
    {"gamma", "gamma", NG_LINK_INVERSE,
     LINK(INVERSE) | LINK(LOG) | LINK(IDENTITY) | LINK(SQRT), true,
     "a number > 0", positive, variance_gamma, deviance_gamma,
     likelihood_gamma},
    {"inverse-gaussian", "inverse-gaussian", NG_LINK_INVERSE_SQUARE,
     LINK(INVERSE_SQUARE) | LINK(INVERSE) | LINK(LOG) | LINK(IDENTITY), true,
     "a number > 0", positive, variance_inverse_gaussian,
     deviance_inverse_gaussian, likelihood_inverse_gaussian},
    {"multinomial", "categorical", NG_LINK_IDENTITY,
     LINK(IDENTITY) | LINK(LOGIT), false, "a level", NULL, NULL, NULL, NULL},
};

enum { FAMILY_COUNT = sizeof FAMILIES / sizeof *FAMILIES };

ng_status ngi_glm_family_find(ng_ctx *ctx, const char *name,
                              const ngi_glm_family **out) {
    for (size_t i = 0; name && i < FAMILY_COUNT; i++) {
        if (strcmp(FAMILIES[i].name, name) == 0) {
            *out = &FAMILIES[i];
            return NG_OK;
        }
    }
    return ngi_fail(ctx, NG_EUSAGE,
                    "unknown glm family \"%s\"; expected one of gaussian, "
                    "binomial, poisson, gamma, inverse-gaussian, multinomial",
                    name ? name : "");
}

ng_status ngi_glm_link(ng_ctx *ctx, const ngi_glm_family *family,
                       const char *name, ng_link *out) {
    char names[128];
    size_t used = 0;
    *out = family->link;
    if (!name)
        return NG_OK;
    NG_TRY(ng_link_find(ctx, name, out));
    if (family->links & (1u << *out)) {
        /* A multinomial's logit is against the reference level: the
         * coordinate of its family, in which the link is the identity. */
        if (!family->variance)
            *out = NG_LINK_IDENTITY;
        return NG_OK;
    }
    names[0] = '\0';
    for (int i = 0; i < NG_LINK_COUNT; i++) {
        if (family->links & (1u << i))
            used +=
                (size_t)snprintf(names + used, sizeof names - used, "%s%s",
                                 used ? ", " : "", ng_link_name((ng_link)i));
    }
    return ngi_fail(ctx, NG_EUSAGE,
                    "family \"%s\" has no link \"%s\"; expected one of %s",
                    family->name, name, names);
}

ng_status ng_glm_default_link(ng_ctx *ctx, const char *family,
                              const char **link) {
    const ngi_glm_family *found;
    NG_TRY(ngi_glm_family_find(ctx, family, &found));
    *link = found->variance ? ng_link_name(found->link) : "logit";
    return NG_OK;
}

double ngi_glm_dispersion_coordinate(const ng_model *model, double dispersion) {
    double log_dispersion = log(fmax(dispersion, DBL_MIN));
    return strcmp(model->family.ops->name, "normal") == 0 ? 0.5 * log_dispersion
                                                          : -log_dispersion;
}

void ngi_glm_blocks(const ng_model *model, const ng_predictor_ops *second,
                    ng_model_spec *spec) {
    spec->family = model->family;
    for (size_t b = 0; b < model->family.blocks; b++) {
        bool fixed = b > 0 && second == &ng_predictor_fixed;
        spec->block[b] = (ng_model_block){
            .predictor = b == 0 ? &ng_predictor_linear : second,
            .inputs = b == 0 ? model->design->width : 0,
            .link = model->links[b],
            .value =
                fixed ? ngi_glm_dispersion_coordinate(model, model->pilot) : 0};
    }
}
