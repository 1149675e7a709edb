/* From the last point of a glm run to its summary, in R's definitions. */
#include "learner/glm_sums.h"

#include "glm/separation.h"
#include "numerics/linalg.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Sums ---- */

static bool is_family(const ng_model *model, const char *name) {
    return strcmp(model->glm->name, name) == 0;
}

static ng_status add_rows(const ngi_glm_fit *fit, double dispersion,
                          double likelihood_dispersion, bool deviances,
                          bool likelihoods, ngi_glm_sums *out) {
    ngi_glm_point point = {.rows = &fit->data.rows,
                           .family = fit->model->glm,
                           .kernel = &fit->kernel,
                           .theta = fit->theta,
                           .level = fit->data.totals.mean,
                           .dispersion = dispersion,
                           .likelihood_dispersion = likelihood_dispersion,
                           .likelihoods = likelihoods,
                           .deviances = deviances};
    return ngi_glm_add_rows(&point, out);
}

/* The same rows with the first `width` columns alone. */
static ng_status each_narrow(const ngi_glm_rows *rows, size_t stride,
                             ngi_glm_visit visit, void *user) {
    const ngi_glm_rows *all = rows->state;
    return all->each(all, stride, visit, user);
}

static ngi_glm_rows narrow(ngi_glm_rows *rows, size_t width) {
    ngi_glm_rows out = *rows;
    out.width = width;
    out.each = each_narrow;
    out.state = rows;
    return out;
}

/* The intercept beside an offset, psi held where the fit has it. */
static ng_status fit_intercept(const ngi_glm_fit *fit, const ngi_glm_rows *rows,
                               double *theta) {
    ngi_scoring *scoring;
    ng_report report;
    ngi_scoring_spec spec = {
        .rows = rows, .kernel = &fit->kernel, .dispersion = fit->model->pilot};
    ngi_scoring_options options = {.max_iter = 1000,
                                   .tolerance = fit->options->fit.tolerance};
    NG_TRY(ngi_scoring_create(fit->ctx, &spec, &scoring));
    for (size_t e = 0; e < fit->model->extras; e++)
        ngi_scoring_held(scoring)[1 + e] = true;
    ng_status status = ngi_scoring_run(scoring, &options, theta, &report);
    ngi_scoring_destroy(&scoring);
    return status;
}

/* Of the shares of the levels, in every row. */
static double null_of_levels(const ngi_glm_data *data) {
    double sum = 0;
    for (size_t k = 0; k < data->model->levels.count; k++) {
        double w = data->level_weight[k];
        sum -= w > 0 ? 2 * w * log(w / data->totals.weight) : 0;
    }
    return sum;
}

/* The deviance of the model with nothing but an intercept (and the offset). */
static ng_status null_deviance(ngi_glm_fit *fit, double *out) {
    ng_model *model = fit->model;
    bool intercept = model->design->intercept;
    bool offset = fit->data.offset != SIZE_MAX || model->design->has_offset;
    ngi_glm_rows rows = narrow(&fit->data.rows, intercept);
    ngi_glm_sums sums;
    *out = (double)NAN;
    /* Not defined for beta, whose phi the null model would have of its own. */
    if (is_family(model, "beta"))
        return NG_OK;
    if (model->glm->has_levels) {
        *out = offset ? (double)NAN : null_of_levels(&fit->data);
        return NG_OK;
    }
    double *theta = ngi_alloc(fit->ctx, 1 + model->extras, sizeof *theta);
    if (!theta)
        return NG_ENOMEM;
    memcpy(theta + intercept, fit->theta + fit->data.rows.width,
           model->extras * sizeof *theta);
    if (intercept)
        theta[0] = ngi_glm_eta_of_mean(model->glm, model->links[0],
                                       fit->data.totals.mean);
    ng_status status = NG_OK;
    /* A constant y at the edge of its range. */
    if (intercept && !isfinite(theta[0])) {
        *out = 0;
        goto fail;
    }
    if (intercept && offset) {
        theta[0] -= fit->data.totals.offset;
        NG_TRY_GOTO(fit_intercept(fit, &rows, theta));
    }
    ngi_glm_point point = {.rows = &rows,
                           .family = model->glm,
                           .kernel = &fit->kernel,
                           .theta = theta,
                           .dispersion = 1,
                           .deviances = true};
    NG_TRY_GOTO(ngi_glm_add_rows(&point, &sums));
    *out = sums.deviance;
fail:
    ngi_free(fit->ctx, theta);
    /* Null models that cannot be: there is no such deviance. */
    return status == NG_ENUMERIC ? NG_OK : status;
}

/* ---- Dispersion ---- */

typedef struct search {
    const ngi_glm_fit *fit;
    ng_status status;
} search;

/* The slope of minus the log-likelihood in log phi, by a difference. */
static double likelihood_slope(double log_phi, void *user) {
    search *s = user;
    const double step = 1e-4;
    ngi_glm_sums up = {0}, down = {0};
    if (s->status == NG_OK)
        s->status = add_rows(s->fit, 1, exp(log_phi + step), false, true, &up);
    if (s->status == NG_OK)
        s->status =
            add_rows(s->fit, 1, exp(log_phi - step), false, true, &down);
    return (down.log_likelihood - up.log_likelihood) / (2 * step);
}

static ng_status ml_dispersion(const ngi_glm_fit *fit, double deviance,
                               double pearson, double *out) {
    const ngi_glm_totals *t = &fit->data.totals;
    const ngi_glm_family *family = fit->model->glm;
    search s = {fit, NG_OK};
    if (family->ml_dispersion) {
        *out = family->ml_dispersion(deviance, t->used, t->weight);
        return NG_OK;
    }
    double middle = log(pearson / t->used);
    double root = ngi_root(likelihood_slope, &s, middle - 5, middle + 5);
    *out = isfinite(root) ? exp(root) : (double)NAN;
    return s.status;
}

static ng_status find_dispersion(ngi_glm_fit *fit, const ngi_glm_sums *sums) {
    ng_summary *s = &fit->model->summary;
    s->dispersion_kind = fit->options->dispersion;
    s->dispersion = 1;
    if (!fit->model->glm->dispersion)
        return NG_OK;
    if (s->dispersion_kind == NG_DISPERSION_ML)
        return ml_dispersion(fit, sums->deviance, sums->pearson,
                             &s->dispersion);
    double statistic = s->dispersion_kind == NG_DISPERSION_PEARSON
                           ? sums->pearson
                           : sums->deviance;
    s->dispersion =
        s->df_residual > 0 ? statistic / s->df_residual : (double)NAN;
    return NG_OK;
}

/* ---- Likelihood ---- */

static ng_status find_likelihood(ngi_glm_fit *fit, const ngi_glm_sums *first) {
    ng_model *model = fit->model;
    ng_summary *s = &model->summary;
    const ngi_glm_family *family = model->glm;
    const ngi_glm_totals *t = &fit->data.totals;
    ngi_glm_sums sums = *first;
    double parameters =
        s->df_effective + (double)(model->extras + family->dispersion);
    double dispersion =
        ngi_glm_likelihood_dispersion(family, s->deviance, t->used, t->weight);
    if (family->dispersion)
        NG_TRY(add_rows(fit, s->dispersion, dispersion, false, true, &sums));
    s->log_likelihood = sums.log_likelihood;
    s->loss = -sums.log_density / t->weight;
    s->aic = 2 * parameters - 2 * s->log_likelihood;
    s->bic = parameters * log(s->n) - 2 * s->log_likelihood;
    if (family->has_levels || strcmp(family->name, "binomial") == 0)
        s->accuracy = first->right / t->weight;
    return NG_OK;
}

/* ---- Parameters ---- */

static ng_status name_parameters(ngi_glm_fit *fit) {
    ng_model *model = fit->model;
    size_t width = fit->data.rows.width;
    for (size_t j = 0; j < width; j++)
        NG_TRY(ngi_model_set_name(model, j, model->design->name[j], NULL));
    if (is_family(model, "beta"))
        return ngi_model_set_name(model, width, "(phi)", NULL);
    if (!model->glm->has_levels)
        return NG_OK;
    model->summary.thresholds = model->extras;
    for (size_t k = 0; k < model->extras; k++) {
        size_t size = strlen(model->levels.name[k]) +
                      strlen(model->levels.name[k + 1]) + 2;
        char *text = ngi_alloc(fit->ctx, size, 1);
        if (!text)
            return NG_ENOMEM;
        snprintf(text, size, "%s|%s", model->levels.name[k],
                 model->levels.name[k + 1]);
        ng_status status =
            ngi_model_set_name(model, width + k, "(threshold)", text);
        ngi_free(fit->ctx, text);
        NG_TRY(status);
    }
    return NG_OK;
}

/* Estimates on the scale shown, and what changes with the scale. */
static void fill_estimates(ngi_glm_fit *fit, double *C) {
    ng_model *model = fit->model;
    size_t width = fit->data.rows.width, shown = model->summary.parameters;
    const bool *aliased = ngi_scoring_aliased(fit->scoring);
    for (size_t i = 0; i < shown; i++) {
        ng_parameter *p = &model->parameter[i];
        p->aliased = aliased[i];
        p->estimate = aliased[i] ? (double)NAN : fit->theta[i];
    }
    if (!is_family(model, "beta"))
        return;
    double phi = exp(fit->theta[width]);
    model->parameter[width].estimate = phi;
    for (size_t i = 0; C && i <= width; i++) {
        C[i * model->dim + width] *= phi;
        C[width * model->dim + i] *= phi;
    }
}

static void fill_theta(ngi_glm_fit *fit, const double *C) {
    ng_model *model = fit->model;
    ng_summary *s = &model->summary;
    size_t at = model->dim - 1;
    if (!is_family(model, "negative-binomial"))
        return;
    double alpha = fit->theta[at];
    s->theta = alpha > 0 ? 1 / alpha : HUGE_VAL;
    s->theta_std_error = C && alpha > 0
                             ? sqrt(C[at * model->dim + at]) / alpha / alpha
                             : (double)NAN;
}

static void fill_standard_errors(ngi_glm_fit *fit, const double *C) {
    ng_model *model = fit->model;
    ng_summary *s = &model->summary;
    bool estimated = model->glm->dispersion;
    size_t shown = s->parameters;
    double tail = 0.5 * (1 - s->interval_level);
    double quantile = estimated && s->df_residual > 0
                          ? -ngi_t_quantile(tail, s->df_residual)
                          : -ngi_ndtri(tail);
    for (size_t i = 0; i < shown; i++) {
        ng_parameter *p = &model->parameter[i];
        for (size_t j = 0; j < shown; j++)
            model->covariance[i * shown + j] = C[i * model->dim + j];
        if (p->aliased)
            continue;
        p->std_error = ngi_scoring_informed(fit->scoring, i)
                           ? sqrt(C[i * model->dim + i])
                           : (double)NAN;
        if (!(p->std_error > 0) || isinf(p->std_error))
            continue;
        p->statistic = p->estimate / p->std_error;
        p->p_value = estimated ? ngi_t_two_sided(p->statistic, s->df_residual)
                               : 2 * ngi_ndtr(-fabs(p->statistic));
        p->lower = p->estimate - quantile * p->std_error;
        p->upper = p->estimate + quantile * p->std_error;
    }
}

/* The information on alpha is taken as observed and at these coefficients, as
 * R's glm.nb does: their expected one is block-diagonal. */
static ng_status observe_alpha(ngi_glm_fit *fit, double *C) {
    size_t dim = fit->model->dim, at = dim - 1;
    if (!is_family(fit->model, "negative-binomial") || fit->theta[at] <= 0 ||
        fit->options->std_errors == NG_SE_OBSERVED)
        return NG_OK;
    double *F = ngi_alloc(fit->ctx, dim, dim * sizeof *F);
    if (!F)
        return NG_ENOMEM;
    ng_status status =
        ngi_scoring_evaluate(fit->scoring, fit->theta, true, NULL, NULL, F);
    double information = F[at * dim + at] * fit->data.rows.total_weight;
    if (status == NG_OK && information > 0)
        C[at * dim + at] = 1 / information;
    ngi_free(fit->ctx, F);
    return status;
}

static ng_status fill_parameters(ngi_glm_fit *fit) {
    ng_model *model = fit->model;
    ng_summary *s = &model->summary;
    size_t dim = model->dim;
    double *C = NULL;
    ng_status status = NG_OK;
    NG_TRY(name_parameters(fit));
    if (model->covariance) {
        C = ngi_alloc(fit->ctx, dim, dim * sizeof *C);
        status = C ? ngi_glm_covariance(fit, s->dispersion, C) : NG_ENOMEM;
    }
    if (status == NG_OK && C)
        status = observe_alpha(fit, C);
    if (status == NG_OK) {
        fill_theta(fit, C);
        fill_estimates(fit, C);
    }
    if (status == NG_OK && C)
        fill_standard_errors(fit, C);
    ngi_free(fit->ctx, C);
    return status;
}

/* ---- Separation ---- */

static ng_status find_separation(ngi_glm_fit *fit, const ngi_glm_sums *sums) {
    ng_model *model = fit->model;
    ng_summary *s = &model->summary;
    ngi_separation_spec spec = {.rows = &fit->data.rows,
                                .form = ngi_separation_form_of(&fit->kernel),
                                .levels = model->levels.count,
                                .held = ngi_scoring_held(fit->scoring),
                                .theta = fit->theta,
                                .kernel = &fit->kernel};
    ngi_separation found;
    /* Where it separates the last point lies far out, but for bias-reduced
     * fits. */
    if (spec.form == NGI_SEPARATES_NEVER || fit->options->l2 > 0 ||
        s->stop == NG_STOPPED || (!sums->extreme && s->converged && !s->firth))
        return NG_OK;
    NG_TRY(ngi_separation_find(fit->ctx, &spec, &found));
    s->separation = found.kind;
    if (found.kind != NG_SEPARATION_NONE && !s->firth) {
        s->converged = 0;
        s->stop = NG_SEPARATED;
    }
    for (size_t i = 0; i < s->parameters && found.kind != NG_SEPARATION_NONE;
         i++) {
        ng_parameter *p = &model->parameter[i];
        p->infinite = found.infinite[i] ? (found.direction[i] < 0 ? -1 : 1) : 0;
        if (p->infinite && !s->firth)
            p->std_error = p->statistic = p->p_value = p->lower = p->upper =
                (double)NAN;
    }
    ngi_separation_clear(fit->ctx, &found);
    return NG_OK;
}

/* ---- Warnings ---- */

/* Deviance that is rounding beside the null model's; a beta's spread beside its
 * mean. */
static bool is_perfect(const ng_model *model) {
    const ng_summary *s = &model->summary;
    if (is_family(model, "beta"))
        return model->parameter[s->parameters - 1].estimate > 1e100;
    return model->glm->dispersion &&
           s->deviance <= sqrt(DBL_EPSILON) * DBL_EPSILON * s->null_deviance;
}

/* The names of the parameters that a test picks, as far as there is room. */
static void list_terms(const ng_model *model, bool infinite, char *text,
                       size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < model->summary.parameters; i++) {
        const ng_parameter *p = &model->parameter[i];
        if (!(infinite ? p->infinite : p->aliased))
            continue;
        int more =
            snprintf(text + used, size - used, "%s%s%s%s", used ? ", " : "",
                     p->term, p->level ? " " : "", p->level ? p->level : "");
        if (more < 0 || used + (size_t)more >= size - 4) {
            snprintf(text + (used < size - 6 ? used : size - 6), 6, ", ...");
            return;
        }
        used += (size_t)more;
    }
}

ng_status ngi_glm_add_warnings(ng_model *model) {
    ng_summary *s = &model->summary;
    char terms[320];
    list_terms(model, false, terms, sizeof terms);
    if (*terms)
        NG_TRY(ngi_model_warn(
            model, "combinations of other columns, left out: %s", terms));
    if (is_perfect(model)) {
        s->loss = (double)NAN;
        NG_TRY(ngi_model_warn(model, "the fit is perfect to rounding: standard "
                                     "errors and likelihood mean nothing"));
    }
    if (is_family(model, "negative-binomial") && isinf(s->theta))
        NG_TRY(ngi_model_warn(
            model, "theta is infinite: no overdispersion, the Poisson model "
                   "is the maximum of the likelihood"));
    if (s->separation == NG_SEPARATION_NONE)
        return NG_OK;
    list_terms(model, true, terms, sizeof terms);
    const char *kind =
        s->separation == NG_SEPARATION_COMPLETE ? "complete" : "quasi-complete";
    if (s->firth)
        return ngi_model_warn(model,
                              "%s separation: without bias reduction the "
                              "estimates of %s would be infinite",
                              kind, terms);
    bool reducible =
        is_family(model, "binomial") || is_family(model, "poisson");
    return ngi_model_warn(
        model,
        "%s separation: the estimates of %s are infinite, "
        "and the likelihood has no maximum; consider %sl2",
        kind, terms, reducible ? "bias-reduced estimates (Firth) or " : "");
}

/* Links that map an edge of the means to a finite predictor: a maximum may lie
 * there, where the gradient does not vanish and the Fisher is unbounded. */
static ng_status warn_of_edge(ng_model *model, const ngi_glm_sums *sums) {
    ng_link link = model->links[0];
    bool finite = link == NG_LINK_IDENTITY || link == NG_LINK_SQRT ||
                  (link == NG_LINK_LOG && is_family(model, "binomial"));
    if (!sums->extreme || !finite || model->glm->has_levels)
        return NG_OK;
    return ngi_model_warn(model,
                          "a fitted mean lies at the edge of the domain "
                          "of link \"%s\": standard errors mean "
                          "nothing",
                          model->link_name);
}

/* ---- All together ---- */

static void count_rank(ngi_glm_fit *fit) {
    ng_summary *s = &fit->model->summary;
    const bool *aliased = ngi_scoring_aliased(fit->scoring);
    size_t width = fit->data.rows.width;
    s->rank = 0;
    for (size_t j = 0; j < width; j++)
        s->rank += !aliased[j];
    s->df_residual = s->n - (double)s->rank;
    /* As glm.nb, polr and betareg count. */
    if (!is_family(fit->model, "negative-binomial"))
        s->df_residual -= (double)fit->model->extras;
}

/* A run may come to rest where it cannot go on: a decrement that says nothing
 * of some coefficient, or means that are no numbers. */
static void judge_point(const ngi_glm_fit *fit) {
    ng_summary *s = &fit->model->summary;
    const bool *aliased = ngi_scoring_aliased(fit->scoring);
    bool lost = !isfinite(s->deviance) ||
                (!fit->model->glm->dispersion && !isfinite(s->log_likelihood));
    size_t width = fit->data.rows.width;
    if (!s->converged)
        return;
    if (is_family(fit->model, "beta"))
        lost = lost || !isfinite(exp(fit->theta[width]));
    for (size_t j = 0; j < width; j++) {
        if (!aliased[j] && !ngi_scoring_informed(fit->scoring, j))
            s->stop = NG_FLAT;
    }
    if (lost)
        s->stop = NG_DIVERGED;
    s->converged = s->stop != NG_FLAT && s->stop != NG_DIVERGED;
}

static ng_status find_inverse(ngi_glm_fit *fit) {
    ng_model *model = fit->model;
    ng_summary *s = &model->summary;
    size_t dim = model->dim, width = fit->data.rows.width;
    double total = fit->data.rows.total_weight;
    s->df_effective = (double)s->rank;
    if (fit->options->std_errors == NG_SE_NONE && !(fit->options->l2 > 0))
        return NG_OK;
    fit->inverse = ngi_alloc(fit->ctx, dim, dim * sizeof *fit->inverse);
    if (!fit->inverse)
        return NG_ENOMEM;
    NG_TRY(ngi_scoring_inverse(fit->scoring, NULL, true, fit->inverse));
    /* trace((F + P)^-1 F) = rank - trace((F + P)^-1 P). */
    for (size_t j = 0; j < width; j++)
        s->df_effective -= total * fit->ridge[j] * fit->inverse[j * dim + j];
    s->df_residual += (double)s->rank - s->df_effective;
    return NG_OK;
}

static ng_status begin_model(ngi_glm_fit *fit, bool covariance) {
    ng_model *model = fit->model;
    ng_summary *s = &model->summary;
    const ng_glm_options *options = fit->options;
    size_t dim = fit->data.rows.width + model->extras;
    size_t shown = dim - is_family(model, "negative-binomial");
    NG_TRY(ngi_model_allocate(model, dim, shown, covariance));
    memcpy(model->theta, fit->theta, dim * sizeof *fit->theta);
    s->n = fit->data.totals.used;
    s->l2 = options->l2;
    s->firth = options->firth;
    s->std_errors = covariance ? options->std_errors : NG_SE_NONE;
    s->intervals = options->intervals;
    s->interval_level = options->level;
    count_rank(fit);
    return NG_OK;
}

ng_status ngi_glm_conclude_stopped(ngi_glm_fit *fit) {
    ng_summary *s = &fit->model->summary;
    NG_TRY(begin_model(fit, false));
    s->loss = s->log_likelihood = s->aic = s->bic = (double)NAN;
    s->dispersion = 1;
    return fill_parameters(fit);
}

ng_status ngi_glm_conclude(ngi_glm_fit *fit) {
    ng_model *model = fit->model;
    ng_summary *s = &model->summary;
    const ng_glm_options *options = fit->options;
    ngi_glm_sums sums;
    NG_TRY(begin_model(fit, options->std_errors != NG_SE_NONE));
    NG_TRY(find_inverse(fit));
    /* Without a dispersion to be known first, all in one pass. */
    NG_TRY(add_rows(fit, 1, 1, true, !model->glm->dispersion, &sums));
    s->deviance = sums.deviance;
    NG_TRY(find_dispersion(fit, &sums));
    NG_TRY(find_likelihood(fit, &sums));
    judge_point(fit);
    NG_TRY(null_deviance(fit, &s->null_deviance));
    if (s->converged && !ngi_all_finite(model->dim, fit->theta))
        return ngi_fail(fit->ctx, NG_ENUMERIC,
                        "a coefficient is beyond the range of numbers; "
                        "expected columns of a more usual scale");
    NG_TRY(fill_parameters(fit));
    NG_TRY(find_separation(fit, &sums));
    NG_TRY(warn_of_edge(model, &sums));
    if (options->intervals == NG_INTERVALS_PROFILE)
        NG_TRY(ngi_glm_profile(fit));
    return ngi_glm_add_warnings(model);
}
