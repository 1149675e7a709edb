/* Finding a family and its links, and what is the same for all of them. */
#include "learner/glm_family.h"
#include "natgrad/learners.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const ngi_glm_family *const FAMILIES[] = {
    &ngi_glm_gaussian,    &ngi_glm_binomial,         &ngi_glm_poisson,
    &ngi_glm_gamma,       &ngi_glm_inverse_gaussian, &ngi_glm_negative_binomial,
    &ngi_glm_multinomial, &ngi_glm_ordinal,          &ngi_glm_beta,
    &ngi_glm_tweedie,
};

enum { FAMILY_COUNT = sizeof FAMILIES / sizeof *FAMILIES };

/* Appends "name" or ", name" as far as it fits. */
static void list_name(char *list, size_t size, const char *name) {
    size_t used = strlen(list);
    snprintf(list + used, size - used, "%s%s", used ? ", " : "", name);
}

ng_status ngi_glm_family_find(ng_ctx *ctx, const char *name,
                              const ngi_glm_family **out) {
    char names[256] = "";
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        if (name && strcmp(FAMILIES[i]->name, name) == 0) {
            *out = FAMILIES[i];
            return NG_OK;
        }
        list_name(names, sizeof names, FAMILIES[i]->name);
    }
    return ngi_fail(ctx, NG_EUSAGE,
                    "unknown glm family \"%s\"; expected one of %s",
                    name ? name : "", names);
}

/* Whether the family's law is given by a softmax, in whose coordinate the
 * user's logit is the identity. */
static bool is_softmax(const ngi_glm_family *family) {
    return family->coordinate == NG_COORDINATE_OTHER;
}

ng_status ngi_glm_link(ng_ctx *ctx, const ngi_glm_family *family,
                       const char *name, ng_link *out) {
    char names[128] = "";
    *out = family->link;
    if (!name)
        return NG_OK;
    NG_TRY(ng_link_find(ctx, name, out));
    if (family->links & (1u << *out)) {
        *out = is_softmax(family) ? NG_LINK_IDENTITY : *out;
        return NG_OK;
    }
    for (int i = 0; i < NG_LINK_COUNT; i++) {
        if (family->links & (1u << i))
            list_name(names, sizeof names, ng_link_name((ng_link)i));
    }
    return ngi_fail(ctx, NG_EUSAGE,
                    "family \"%s\" has no link \"%s\"; expected one of %s",
                    family->name, name, names);
}

const char *ngi_glm_link_name(const ngi_glm_family *family, ng_link link) {
    return is_softmax(family) ? "logit" : ng_link_name(link);
}

ng_status ng_glm_default_link(ng_ctx *ctx, const char *family,
                              const char **link) {
    const ngi_glm_family *found;
    NG_TRY(ngi_glm_family_find(ctx, family, &found));
    *link = ngi_glm_link_name(found, found->link);
    return NG_OK;
}

ng_status ngi_glm_check_power(ng_ctx *ctx, const ngi_glm_family *family,
                              double power) {
    bool wanted = family == &ngi_glm_tweedie;
    if (wanted && power > 1 && isfinite(power))
        return NG_OK;
    if (wanted && isnan(power))
        return ngi_fail(ctx, NG_EUSAGE,
                        "family \"tweedie\" expects a power above 1");
    if (wanted)
        return ngi_fail(ctx, NG_EUSAGE,
                        "family \"tweedie\" expects a power above 1, found %g",
                        power);
    if (!isnan(power))
        return ngi_fail(ctx, NG_EUSAGE,
                        "a power goes with family \"tweedie\", not \"%s\"",
                        family->name);
    return NG_OK;
}

size_t ngi_glm_extras(const ngi_glm_family *family, size_t levels) {
    return family == &ngi_glm_ordinal ? levels - 1 : family->extras;
}

double ngi_glm_eta_of_mean(const ngi_glm_family *family, ng_link link,
                           double mean) {
    double z = mean, eta;
    if (family->coordinate == NG_COORDINATE_LOG)
        z = mean >= 0 ? log(mean) : (double)NAN;
    else if (family->coordinate == NG_COORDINATE_LOGIT)
        z = mean >= 0 && mean <= 1 ? log(mean) - log1p(-mean) : (double)NAN;
    ng_link_forward(link, family->coordinate, 1, &z, &eta);
    return eta;
}

double ngi_glm_likelihood_dispersion(const ngi_glm_family *family,
                                     double deviance, double rows,
                                     double total) {
    if (!family->dispersion)
        return 1;
    return deviance / (family == &ngi_glm_gaussian ? rows : total);
}

double ngi_glm_quantile_residual(const ngi_glm_family *family,
                                 const ngi_glm_law *law, double y, double u) {
    if (family == &ngi_glm_gaussian)
        return (y - law->mean) / sqrt(law->dispersion);
    if (!family->tails)
        return (double)NAN;
    ngi_glm_tails t = family->tails(law, y);
    double low = t.below, high = t.above;
    if (t.at > 0) {
        low += u * t.at;
        high += (1 - u) * t.at;
    }
    return low < high ? ngi_ndtri(low) : -ngi_ndtri(high);
}

static double clamp(double x, double bound) {
    return fmax(-bound, fmin(x, bound));
}

bool ngi_glm_to_core(const ngi_glm_family *family, const ngi_glm_law *law,
                     double *z) {
    const double edge = 745; /* e^-edge is the least number */
    double mu = law->mean;
    if (!family->core || family->has_levels)
        return false;
    switch (family->coordinate) {
    case NG_COORDINATE_LOG:
        z[0] = clamp(log(mu), edge);
        break;
    case NG_COORDINATE_LOGIT:
        z[0] = clamp(log(mu) - log1p(-mu), edge);
        break;
    default:
        z[0] = mu;
    }
    if (family == &ngi_glm_gaussian)
        z[1] = 0.5 * log(fmax(law->dispersion, DBL_MIN));
    else if (family->dispersion)
        z[1] = -log(fmax(law->dispersion, DBL_MIN));
    else if (family == &ngi_glm_negative_binomial)
        z[1] = clamp(-log(law->psi[0]), 700);
    else if (family->extras)
        z[1] = law->psi[0];
    return true;
}

double ngi_glm_log_gap(double y, double mean) {
    if (y == 0)
        return mean;
    double x = (mean - y) / y;
    return x > -0.5 && x < 1 ? -y * ngi_log1pmx(x)
                             : y * log(y / mean) + (mean - y);
}
