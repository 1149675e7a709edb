/* Models of levels: multinomial and ordinal. Their laws are the levels'
 * probabilities. */
#include "learner/glm_family.h"
#include "numerics/special.h"

#include <math.h>

static double deviance(const ngi_glm_law *law, double y) {
    return -2 * log(law->p[(size_t)y]);
}

static double log_likelihood(const ngi_glm_law *law, double y, double w) {
    return w * log(law->p[(size_t)y]);
}

/* Of a sum of p log(p / q) each term less p - q, whose sum is 0. */
static double kl(const ngi_glm_law *from, const ngi_glm_law *to) {
    double sum = 0;
    for (size_t j = 0; j < from->levels; j++)
        sum += ngi_glm_log_gap(from->p[j], to->p[j]);
    return sum;
}

const ngi_glm_family ngi_glm_multinomial = {
    .name = "multinomial",
    .core = "categorical",
    .coordinate = NG_COORDINATE_OTHER,
    .link = NG_LINK_IDENTITY,
    .links = NGI_GLM_LINK(IDENTITY) | NGI_GLM_LINK(LOGIT),
    .has_levels = true,
    .discrete = true,
    .support = "a level",
    .deviance = deviance,
    .log_likelihood = log_likelihood,
    .kl = kl,
};

/* ---- Ordinal ---- */

static void kernel(const ng_family *core, ng_link link, double power,
                   size_t levels, ngi_glm_kernel *out) {
    (void)core;
    (void)power;
    ngi_glm_kernel_ordinal(levels, link, out);
}

/* The link of the cumulative shares, half a row for each level. */
static void start_thresholds(const ngi_glm_moments *moments, ng_link link,
                             double *psi) {
    double half = 0.5, below = 0;
    double total = moments->total + half * (double)moments->levels;
    for (size_t k = 0; k + 1 < moments->levels; k++) {
        below += moments->level_weight[k] + half;
        double z = log(below) - log(total - below);
        ng_link_forward(link, NG_COORDINATE_LOGIT, 1, &z, psi + k);
    }
}

static ngi_glm_tails tails(const ngi_glm_law *law, double y) {
    ngi_glm_tails t = {0, 0, 0};
    for (size_t j = 0; j < law->levels; j++) {
        double *to =
            (double)j < y ? &t.below : ((double)j > y ? &t.above : &t.at);
        *to += law->p[j];
    }
    return t;
}

static double quantile(const ngi_glm_law *law, double p) {
    double sum = 0;
    for (size_t j = 0; j + 1 < law->levels; j++) {
        sum += law->p[j];
        if (sum >= p)
            return (double)j;
    }
    return (double)(law->levels - 1);
}

const ngi_glm_family ngi_glm_ordinal = {
    .name = "ordinal",
    .coordinate = NG_COORDINATE_LOGIT,
    .link = NG_LINK_LOGIT,
    .links = NGI_GLM_LINK(LOGIT) | NGI_GLM_LINK(PROBIT) |
             NGI_GLM_LINK(CLOGLOG) | NGI_GLM_LINK(CAUCHIT),
    .has_levels = true,
    .discrete = true,
    .support = "a level",
    .kernel = kernel,
    .start_psi = start_thresholds,
    .deviance = deviance,
    .log_likelihood = log_likelihood,
    .tails = tails,
    .quantile = quantile,
    .kl = kl,
};
