/* Analysis of deviance of two nested glms. */
#include "learner/model.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static bool same_text(const char *a, const char *b) {
    return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

/* A name between quotation marks, or none. */
static void show_name(const char *name, char *out, size_t size) {
    snprintf(out, size, name ? "\"%s\"" : "none", name);
}

static ng_status differ(const ng_model *a, const char *what, const char *one,
                        const char *other) {
    char first[NGI_NAME_SIZE], second[NGI_NAME_SIZE];
    show_name(one, first, sizeof first);
    show_name(other, second, sizeof second);
    return ngi_fail(a->ctx, NG_EUSAGE,
                    "the models are not nested: expected the same %s, found "
                    "%s and %s",
                    what, first, second);
}

static bool same_levels(const ng_model *a, const ng_model *b) {
    bool same = a->levels.count == b->levels.count;
    for (size_t k = 0; same && k < a->levels.count; k++)
        same = strcmp(a->levels.name[k], b->levels.name[k]) == 0;
    return same;
}

/* Two of the same sum, up to the rounding of workers and iterations; what is
 * not known differs from nothing. */
static bool agree(double a, double b) {
    const double tolerance = 1e-6;
    return !(fabs(a - b) > tolerance * (fabs(a) + DBL_MIN));
}

/* Both are of the same data if their responses and their null models are
 * alike. Models without an intercept have a null model of their own, and so
 * have those of different thetas. */
static bool same_data(const ng_model *a, const ng_model *b) {
    const ng_summary *s = &a->summary, *t = &b->summary;
    const ngi_model_response *y = &a->response, *z = &b->response;
    if (s->n != t->n || !agree(y->weight, z->weight) ||
        !agree(y->spread, z->spread) ||
        fabs(y->mean - z->mean) > 1e-6 * (fabs(y->mean) + sqrt(y->spread)))
        return false;
    bool own = a->extras && !a->glm->has_levels;
    return own || a->design->intercept != b->design->intercept ||
           agree(s->null_deviance, t->null_deviance);
}

static ng_status check_offsets(const ng_model *a, const ng_model *b) {
    if (!same_text(a->offset, b->offset))
        return differ(a, "offset", a->offset, b->offset);
    if (ngi_design_same_offsets(a->design, b->design))
        return NG_OK;
    return ngi_fail(a->ctx, NG_EUSAGE,
                    "the models are not nested: expected the same offset() "
                    "terms, found \"%s\" and \"%s\"",
                    a->formula, b->formula);
}

static ng_status check_kind(const ng_model *a, const ng_model *b) {
    const ng_summary *s = &a->summary, *t = &b->summary;
    if (!a->is_glm || !b->is_glm)
        return ngi_fail(a->ctx, NG_EUSAGE,
                        "an analysis of deviance is of two models of learner "
                        "\"glm\"");
    if (!same_text(a->family_name, b->family_name))
        return differ(a, "family", a->family_name, b->family_name);
    if (!same_text(a->link_name, b->link_name))
        return differ(a, "link", a->link_name, b->link_name);
    if (!same_text(a->target, b->target))
        return differ(a, "target", a->target, b->target);
    if (!same_text(a->weights, b->weights))
        return differ(a, "weights", a->weights, b->weights);
    if (!same_text(a->trials, b->trials))
        return differ(a, "trials", a->trials, b->trials);
    NG_TRY(check_offsets(a, b));
    if (isfinite(s->power) && s->power != t->power)
        return ngi_fail(a->ctx, NG_EUSAGE,
                        "the models are not nested: expected the same power, "
                        "found %g and %g",
                        s->power, t->power);
    if (!same_levels(a, b) || !same_data(a, b))
        return ngi_fail(a->ctx, NG_EUSAGE,
                        "the models are not nested: they were not fitted to "
                        "the same data (%.10g and %.10g rows, null deviance "
                        "%.10g and %.10g)",
                        s->n, t->n, s->null_deviance, t->null_deviance);
    if (s->l2 > 0 || t->l2 > 0 || s->firth || t->firth)
        return ngi_fail(a->ctx, NG_EUSAGE,
                        "an analysis of deviance is of maximum-likelihood "
                        "fits: a model was fitted with --l2 or --firth");
    return NG_OK;
}

static ng_status check_terms(const ng_model *smaller, const ng_model *larger) {
    bool thresholds = smaller->summary.thresholds > 0;
    ngi_within within;
    char *term;
    NG_TRY(ngi_design_within(smaller->design, larger->design, thresholds,
                             &within, &term));
    ng_status status = NG_OK;
    if (within == NGI_WITHIN_NO)
        status = ngi_fail(smaller->ctx, NG_EUSAGE,
                          "the models are not nested: the smaller one has the "
                          "term \"%s\", which the larger one has not",
                          term);
    else if (within == NGI_WITHIN_UNKNOWN)
        status = ngi_fail(smaller->ctx, NG_EUSAGE,
                          "cannot tell whether the models are nested: the "
                          "smaller one has the term \"%s\", which is not seen "
                          "to lie in any of the larger one",
                          term);
    ngi_free(smaller->ctx, term);
    return status;
}

/* The larger model fits no worse, up to the rounding of the sums and to what
 * the iterations left. */
static ng_status check_drop(const ng_model *larger, ng_nested *t) {
    const double left = 1e-9, rounding = 1e-12;
    const ng_summary *s = &larger->summary;
    double size = fmax(fabs(t->deviance[0]), fabs(t->deviance[1]));
    double whole = isfinite(s->null_deviance) ? fabs(s->null_deviance) : 0;
    if (t->drop < -left * size - rounding * (whole + s->n))
        return ngi_fail(larger->ctx, NG_EUSAGE,
                        "the larger model fits worse, by %.6g of the deviance: "
                        "expected two fits that converged, of the same data",
                        -t->drop);
    t->drop = t->drop < 0 ? 0 : t->drop;
    return NG_OK;
}

/* P(chi-square of df degrees > x). */
static double chi_square_tail(double x, double df) {
    return x > 0 ? ngi_gamma_q(0.5 * df, 0.5 * x) : 1;
}

/* P(F of df1, df2 > x), from the tail that does not cancel. */
static double f_tail(double x, double df1, double df2) {
    return x > 0 ? ngi_beta_i(0.5 * df2, 0.5 * df1, df2 / (df2 + df1 * x)) : 1;
}

static void test_by_likelihood(ng_nested *t) {
    t->dispersion = 1;
    t->statistic = t->drop;
    t->p_value = chi_square_tail(t->statistic, t->df);
}

/* The dispersion is that of the larger model. */
static void test_by_F(const ng_summary *larger, ng_nested *t) {
    t->is_F = 1;
    t->dispersion = larger->dispersion;
    t->statistic = t->drop / t->df / t->dispersion;
    t->p_value = f_tail(t->statistic, t->df, larger->df_residual);
}

ng_status ng_glm_nested(const ng_model *a, const ng_model *b, ng_nested *out) {
    *out = (ng_nested){0};
    NG_TRY(check_kind(a, b));
    out->swapped = a->summary.rank > b->summary.rank;
    const ng_model *smaller = out->swapped ? b : a;
    const ng_model *larger = out->swapped ? a : b;
    const ng_summary *s = &smaller->summary, *l = &larger->summary;
    NG_TRY(check_terms(smaller, larger));
    if (s->rank == l->rank)
        return ngi_fail(a->ctx, NG_EUSAGE,
                        "the models span the same predictors: there is "
                        "nothing to test");
    /* Deviances are at the models' own thetas, and so not comparable, where
     * the family has parameters of its own. */
    out->likelihood = a->extras > 0 || a->glm->has_levels;
    out->df_residual[0] = s->df_residual;
    out->df_residual[1] = l->df_residual;
    out->deviance[0] = out->likelihood ? -2 * s->log_likelihood : s->deviance;
    out->deviance[1] = out->likelihood ? -2 * l->log_likelihood : l->deviance;
    out->df = (double)(l->rank - s->rank);
    out->drop = out->deviance[0] - out->deviance[1];
    NG_TRY(check_drop(larger, out));
    if (a->glm->dispersion && l->df_residual > 0)
        test_by_F(l, out);
    else if (a->glm->dispersion)
        out->statistic = out->p_value = (double)NAN;
    else
        test_by_likelihood(out);
    return NG_OK;
}
