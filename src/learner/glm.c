/* glm: generalised linear models by Fisher scoring, which is the natural
 * gradient with a step of one. */
#include "learner/glm.h"

#include "glm/firth.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void ng_glm_options_init(ng_glm_options *options) {
    *options = (ng_glm_options){.intercept = 1,
                                .power = (double)NAN,
                                .std_errors = NG_SE_EXPECTED,
                                .level = 0.95,
                                .standardize = 1};
    ng_fit_options_init(&options->fit);
}

/* ---- Options ---- */

/* No column can be two of target, weights, offset, trials and cluster. */
static ng_status check_roles(ng_ctx *ctx, const ng_glm_options *options) {
    const char *role[] = {options->target, options->weights, options->offset,
                          options->trials, options->cluster};
    enum { ROLES = sizeof role / sizeof *role };
    for (size_t i = 0; i < ROLES; i++) {
        for (size_t j = i + 1; j < ROLES; j++) {
            if (role[i] && role[j] && strcmp(role[i], role[j]) == 0)
                return ngi_fail(ctx, NG_EUSAGE,
                                "column \"%s\" is named twice among target, "
                                "weights, offset, trials and cluster",
                                role[i]);
        }
    }
    for (size_t i = 0; i < options->feature_count; i++) {
        for (size_t j = 0; j < ROLES; j++) {
            if (role[j] && strcmp(role[j], options->features[i]) == 0)
                return ngi_fail(ctx, NG_EUSAGE,
                                "column \"%s\" is named as a feature and as "
                                "something else",
                                role[j]);
        }
    }
    return NG_OK;
}

bool ngi_glm_scores(const ng_fit_options *o) {
    return o->optimizer == NG_NATURAL &&
           (!o->metric || strcmp(o->metric, "dense") == 0) &&
           o->fisher == NG_FISHER_EXACT &&
           (o->step < 0 || o->step == NG_STEP_LINE_SEARCH) &&
           !(o->rate > 0 && o->rate != 1) && !(o->kl > 0) &&
           !(o->damping > 0) && o->integrator == NG_EULER;
}

static ng_status check_std_errors(ng_ctx *ctx, const ng_glm_options *options,
                                  const ngi_glm_family *family) {
    bool robust =
        options->std_errors >= NG_SE_ROBUST && options->std_errors <= NG_SE_HC3;
    bool corrected = options->std_errors > NG_SE_ROBUST && robust;
    if (options->cluster && options->std_errors != NG_SE_ROBUST)
        return ngi_fail(ctx, NG_EUSAGE,
                        "a cluster column goes with robust standard errors");
    if (robust && family->has_levels && family->kernel)
        return ngi_fail(ctx, NG_EUSAGE,
                        "family \"%s\" has no robust standard errors",
                        family->name);
    if (robust && strcmp(family->name, "beta") == 0)
        return ngi_fail(ctx, NG_EUSAGE,
                        "family \"beta\" has no robust standard errors");
    if (!family->kernel && (corrected || options->cluster))
        return ngi_fail(ctx, NG_EUSAGE,
                        "family \"multinomial\" has robust standard errors "
                        "of kind HC0 only");
    return NG_OK;
}

static ng_status check_options(ng_ctx *ctx, const ng_glm_options *options,
                               const ngi_glm_family *family, bool streams) {
    bool binomial = strcmp(family->name, "binomial") == 0;
    bool scores = ngi_glm_scores(&options->fit);
    if (!options->target && !options->formula)
        return ngi_fail(ctx, NG_EUSAGE, "expected a target column (--target)");
    if (options->formula && (options->target || options->features))
        return ngi_fail(ctx, NG_EUSAGE,
                        "a formula names target and features itself");
    if (!(options->l2 >= 0) || isinf(options->l2))
        return ngi_fail(ctx, NG_EUSAGE, "expected l2 >= 0");
    if (!(options->level > 0 && options->level < 1))
        return ngi_fail(ctx, NG_EUSAGE,
                        "expected a level between 0 and 1, found %g",
                        options->level);
    if (options->trials && !binomial)
        return ngi_fail(ctx, NG_EUSAGE,
                        "trials go with family \"binomial\", not \"%s\"",
                        family->name);
    if (options->offset && !family->kernel)
        return ngi_fail(ctx, NG_EUSAGE,
                        "family \"multinomial\" takes no offset");
    if (options->firth && (options->l2 > 0 || !scores ||
                           (!binomial && strcmp(family->name, "poisson") != 0)))
        return ngi_fail(ctx, NG_EUSAGE,
                        "bias reduction (Firth) is for families binomial and "
                        "poisson, by Fisher scoring and without l2");
    if (options->intervals == NG_INTERVALS_PROFILE &&
        (options->l2 > 0 || options->firth || !family->kernel ||
         options->std_errors > NG_SE_OBSERVED))
        return ngi_fail(ctx, NG_EUSAGE,
                        "profile intervals are of fits with expected or "
                        "observed standard errors, without l2 and bias "
                        "reduction, and not of multinomial models");
    if (!scores && family->kernel && (family->extras || !family->core))
        return ngi_fail(ctx, NG_EUSAGE,
                        "family \"%s\" is fitted by Fisher scoring only",
                        family->name);
    bool named = !family->kernel && options->fit.metric;
    if (streams && (!scores || named || options->cluster))
        return ngi_fail(ctx, NG_EUSAGE,
                        "a stream is fitted by Fisher scoring, without "
                        "clusters");
    NG_TRY(check_std_errors(ctx, options, family));
    NG_TRY(ngi_glm_check_power(ctx, family, options->power));
    return check_roles(ctx, options);
}

/* ---- Model and design ---- */

static ng_status copy_name(ng_ctx *ctx, const char *from, char **to) {
    return from ? ngi_name_copy(ctx, from, to) : NG_OK;
}

static ng_status copy_names(const ng_glm_options *options, ng_model *model) {
    NG_TRY(copy_name(model->ctx, options->weights, &model->weights));
    NG_TRY(copy_name(model->ctx, options->offset, &model->offset));
    NG_TRY(copy_name(model->ctx, options->cluster, &model->cluster));
    return copy_name(model->ctx, options->trials, &model->trials);
}

/* "column=level": split at the first sign whose left side is a column. */
static ng_status split_reference(ng_ctx *ctx, const ngi_table *table,
                                 const char *text, char *column,
                                 ngi_reference *out) {
    for (const char *sign = strchr(text, '='); sign;
         sign = strchr(sign + 1, '=')) {
        size_t length = (size_t)(sign - text);
        memcpy(column, text, length);
        column[length] = '\0';
        *out = (ngi_reference){column, sign + 1};
        if (ngi_table_find(table, column, NULL))
            return NG_OK;
    }
    return ngi_fail(ctx, NG_EUSAGE,
                    "reference \"%s\": expected COLUMN=LEVEL with a column of "
                    "the data",
                    text);
}

static ng_status split_references(ng_ctx *ctx, const ngi_table *table,
                                  const ng_glm_options *options, char *text,
                                  ngi_reference *out) {
    for (size_t i = 0; i < options->reference_count; i++) {
        NG_TRY(
            split_reference(ctx, table, options->references[i], text, &out[i]));
        text += strlen(options->references[i]) + 1;
    }
    return NG_OK;
}

static ng_status make_design(const ngi_table *table,
                             const ng_glm_options *options, ng_model *model) {
    ng_ctx *ctx = model->ctx;
    const char *reserved[5];
    size_t count = 0, size = 1;
    const char *names[] = {options->target, options->weights, options->offset,
                           options->trials, options->cluster};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i])
            reserved[count++] = names[i];
    }
    for (size_t i = 0; i < options->reference_count; i++)
        size += strlen(options->references[i]) + 1;
    char *text = ngi_alloc(ctx, size, 1);
    ngi_reference *reference =
        ngi_alloc(ctx, options->reference_count, sizeof *reference);
    ngi_design_spec spec = {.formula = options->formula,
                            .features = options->features,
                            .feature_count = options->feature_count,
                            .intercept = options->intercept,
                            .reserved = reserved,
                            .reserved_count = count,
                            .reference = reference,
                            .references = options->reference_count,
                            .order = options->levels,
                            .ordered = options->level_count};
    ng_status status = text && reference ? split_references(ctx, table, options,
                                                            text, reference)
                                         : NG_ENOMEM;
    if (status == NG_OK)
        status = ngi_design_create(ctx, table, &spec, &model->design);
    ngi_free(ctx, text);
    ngi_free(ctx, reference);
    NG_TRY(status);
    const char *target =
        options->formula ? model->design->target : options->target;
    if (!target)
        return ngi_fail(
            ctx, NG_EUSAGE,
            "formula: expected a left side, as in \"y ~ x\", found \"%s\"",
            options->formula);
    NG_TRY(ngi_name_copy(ctx, target, &model->target));
    if (model->design->response == NGI_RESPONSE_COUNTS &&
        strcmp(model->glm->name, "binomial") != 0)
        return ngi_fail(ctx, NG_EUSAGE,
                        "cbind(successes, failures) goes with family "
                        "\"binomial\", not \"%s\"",
                        model->glm->name);
    if (model->design->response == NGI_RESPONSE_COUNTS && options->trials)
        return ngi_fail(ctx, NG_EUSAGE,
                        "cbind(successes, failures) and trials contradict "
                        "each other");
    /* Thresholds are the intercepts of an ordinal model. */
    if (model->glm->has_levels && model->glm->kernel)
        ngi_design_hide_intercept(model->design);
    return ngi_model_set_formula(model);
}

/* An order by bytes is hardly ever the one that was meant. */
static ng_status warn_of_order(const ng_glm_options *options, ng_model *model) {
    const ngi_levels *levels = &model->levels;
    char *end = NULL;
    if (!model->extras || !model->glm->has_levels || options->levels)
        return NG_OK;
    strtod(levels->name[0], &end);
    if (*end == '\0' && end != levels->name[0])
        return NG_OK;
    return ngi_model_warn(model,
                          "the levels of \"%s\" are ordered by their bytes, "
                          "\"%s\" first and \"%s\" last; name them in order "
                          "if that is not meant",
                          model->target, levels->name[0],
                          levels->name[levels->count - 1]);
}

static ng_status init_family(const ng_glm_options *options, ng_model *model) {
    const ngi_glm_family *family = model->glm;
    model->summary.power = options->power;
    ngi_model_measure(model);
    NG_TRY(warn_of_order(options, model));
    if (!family->core)
        return NG_OK;
    size_t size = family->has_levels ? model->levels.count : 1;
    return ng_family_init(model->ctx, family->core, size, &model->family);
}

/* ---- One predictor ---- */

/* The dispersion at which decrements are measured, which changes no estimate:
 * Pearson's statistic of the constant model. Then they are in nats of a model
 * of the right spread, whatever the units of y. */
static double pilot_dispersion(const ngi_glm_fit *fit) {
    const ngi_glm_family *family = fit->model->glm;
    const ngi_glm_totals *t = &fit->data.totals;
    if (!family->dispersion)
        return 1;
    ngi_glm_law law = {
        .mean = t->mean, .dispersion = 1, .power = fit->options->power};
    double pilot = t->spread / t->weight / family->variance(&law);
    return pilot > DBL_MIN && isfinite(pilot) ? pilot : 1;
}

static ng_status prepare(ngi_glm_fit *fit) {
    const ng_glm_options *options = fit->options;
    ng_model *model = fit->model;
    size_t width = fit->data.rows.width, dim = width + model->extras;
    if (dim == 0)
        return ngi_fail(fit->ctx, NG_EUSAGE,
                        "expected an intercept or at least one feature");
    model->glm->kernel(&model->family, model->links[0], options->power,
                       model->levels.count, &fit->kernel);
    model->pilot = pilot_dispersion(fit);
    const ngi_glm_totals *t = &fit->data.totals;
    model->response = (ngi_model_response){t->weight, t->mean, t->spread};
    fit->theta = ngi_alloc(fit->ctx, dim, sizeof *fit->theta);
    fit->ridge = ngi_alloc(fit->ctx, width, sizeof *fit->ridge);
    if (!fit->theta || !fit->ridge)
        return NG_ENOMEM;
    for (size_t j = model->design->intercept; j < width; j++)
        fit->ridge[j] = options->l2;
    ngi_scoring_spec spec = {.rows = &fit->data.rows,
                             .kernel = &fit->kernel,
                             .ridge = options->l2 > 0 ? fit->ridge : NULL,
                             .dispersion = model->pilot};
    return ngi_scoring_create(fit->ctx, &spec, &fit->scoring);
}

static ng_status run(ngi_glm_fit *fit) {
    const ng_glm_options *options = fit->options;
    ngi_scoring_options scoring = {
        .max_iter = options->fit.max_iter ? options->fit.max_iter : 1000,
        .tolerance = options->fit.tolerance,
        .monitor = options->monitor,
        .user = options->user};
    /* The Fisher at an answer that others found, and what is aliased there. */
    ngi_scoring_options look = {.max_iter = 0, .exact = true};
    ng_report ignored;
    NG_TRY(ngi_glm_start(fit));
    if (options->firth) {
        NG_TRY(ngi_scoring_run(fit->scoring, &look, fit->theta, &ignored));
        NG_TRY(ngi_firth_run(fit->ctx, &fit->data.rows, &fit->kernel,
                             ngi_scoring_held(fit->scoring), &scoring,
                             fit->theta, NULL, &fit->report));
        return ngi_scoring_run(fit->scoring, &look, fit->theta, &ignored);
    }
    if (ngi_glm_scores(&options->fit))
        return ngi_scoring_run(fit->scoring, &scoring, fit->theta,
                               &fit->report);
    NG_TRY(ngi_glm_run_method(fit));
    return ngi_scoring_run(fit->scoring, &look, fit->theta, &ignored);
}

static ng_status fit_predictor(ngi_glm_fit *fit) {
    NG_TRY(prepare(fit));
    ng_status status = run(fit);
    /* A pass over a file was cut short: the point before it is what there is.
     */
    bool stopped = status == NG_ECANCELLED && fit->report.stop == NG_STOPPED;
    if (!stopped)
        NG_TRY(status);
    ngi_model_record_run(fit->model, &fit->report);
    return stopped ? ngi_glm_conclude_stopped(fit) : ngi_glm_conclude(fit);
}

/* ---- All together ---- */

static void release(ngi_glm_fit *fit) {
    ngi_scoring_destroy(&fit->scoring);
    ngi_glm_data_close(&fit->data);
    ngi_free(fit->ctx, fit->theta);
    ngi_free(fit->ctx, fit->ridge);
    ngi_free(fit->ctx, fit->inverse);
}

static ng_status fit_table(ng_ctx *ctx, const ngi_table *table,
                           const ng_glm_options *options, ng_model **out) {
    const ngi_glm_family *family;
    ngi_glm_fit fit = {.ctx = ctx, .options = options};
    const char *link;
    ng_link code;
    ng_status status;
    *out = NULL;
    NG_TRY(ngi_glm_family_find(ctx, options->family, &family));
    NG_TRY(check_options(ctx, options, family, table->streams));
    NG_TRY(ngi_glm_link(ctx, family, options->link, &code));
    link = ngi_glm_link_name(family, code);
    NG_TRY(ngi_model_create(ctx, true, family->name, link, &fit.model));
    NG_TRY_GOTO(copy_names(options, fit.model));
    NG_TRY_GOTO(make_design(table, options, fit.model));
    NG_TRY_GOTO(ngi_glm_data_open(table, options, fit.model, &fit.data));
    NG_TRY_GOTO(init_family(options, fit.model));
    NG_TRY_GOTO(family->kernel ? fit_predictor(&fit)
                               : ngi_glm_fit_classes(&fit));
    *out = fit.model;
    fit.model = NULL;
fail:
    release(&fit);
    ng_model_destroy(&fit.model);
    return status;
}

ng_status ng_glm_fit(ng_ctx *ctx, const ng_frame *frame,
                     const ng_glm_options *options, ng_model **out) {
    ngi_table table;
    ngi_table_of_frame(frame, &table);
    return fit_table(ctx, &table, options, out);
}

ng_status ng_glm_fit_stream(ng_ctx *ctx, const ng_stream *stream,
                            const ng_glm_options *options, ng_model **out) {
    ngi_table table;
    ngi_table_of_stream(stream, &table);
    return fit_table(ctx, &table, options, out);
}
