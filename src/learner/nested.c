/* Analysis of deviance of two nested glms. */
#include "learner/model.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>
#include <string.h>

static bool same_text(const char *a, const char *b) {
    return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

static ng_status differ(const ng_model *a, const char *what, const char *one,
                        const char *other) {
    return ngi_fail(a->ctx, NG_EUSAGE,
                    "the models are not nested: expected the same %s, found "
                    "\"%s\" and \"%s\"",
                    what, one ? one : "", other ? other : "");
}

static bool same_levels(const ng_model *a, const ng_model *b) {
    bool same = a->levels.count == b->levels.count;
    for (size_t k = 0; same && k < a->levels.count; k++)
        same = strcmp(a->levels.name[k], b->levels.name[k]) == 0;
    return same;
}

/* Both are of the same data if their null models are alike, up to the
 * iterations that found them. Models without an intercept have a null model of
 * their own, and so have those of different thetas. */
static bool same_data(const ng_model *a, const ng_model *b) {
    const double tolerance = 1e-6;
    const ng_summary *s = &a->summary, *t = &b->summary;
    if (s->n != t->n)
        return false;
    if (a->design->intercept != b->design->intercept ||
        !same_text(a->offset, b->offset) || a->design->has_offset ||
        b->design->has_offset || a->extras)
        return true;
    return !(fabs(s->null_deviance - t->null_deviance) >
             tolerance * (fabs(s->null_deviance) + DBL_MIN));
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

/* A smaller model spans no direction that the larger one does not: it is
 * enough that its columns are there, by name. An interaction may be written in
 * either order. */
static bool same_term(const char *a, const char *b) {
    size_t length = strlen(a);
    const char *colon = strchr(a, ':');
    if (strcmp(a, b) == 0)
        return true;
    if (!colon || strchr(colon + 1, ':') || strlen(b) != length)
        return false;
    size_t first = (size_t)(colon - a), second = length - first - 1;
    return strncmp(b, colon + 1, second) == 0 && b[second] == ':' &&
           strncmp(b + second + 1, a, first) == 0;
}

static ng_status check_terms(const ng_model *smaller, const ng_model *larger) {
    const ngi_design *s = smaller->design, *l = larger->design;
    for (size_t i = 0; i < s->width; i++) {
        bool found = false;
        for (size_t j = 0; j < l->width && !found; j++)
            found = same_term(s->name[i], l->name[j]);
        if (!found)
            return ngi_fail(smaller->ctx, NG_EUSAGE,
                            "the models are not nested: the smaller one has "
                            "the term \"%s\", which the larger one has not",
                            s->name[i]);
    }
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
    if (a->glm->dispersion && l->df_residual > 0)
        test_by_F(l, out);
    else if (a->glm->dispersion)
        out->statistic = out->p_value = (double)NAN;
    else
        test_by_likelihood(out);
    return NG_OK;
}
