/* Fitted models: making, naming, releasing. */
#include "learner/model.h"

#include "learner/formula_reader.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

ng_status ngi_model_create(ng_ctx *ctx, bool is_glm, const char *family_name,
                           const char *link_name, ng_model **out) {
    *out = NULL;
    ng_model *model = ngi_alloc(ctx, 1, sizeof *model);
    if (!model)
        return NG_ENOMEM;
    model->ctx = ctx;
    model->is_glm = is_glm;
    model->family_name = ngi_strdup(ctx, family_name);
    model->link_name = link_name ? ngi_strdup(ctx, link_name) : NULL;
    if (!model->family_name || (link_name && !model->link_name)) {
        ng_model_destroy(&model);
        return NG_ENOMEM;
    }
    ng_summary *s = &model->summary;
    s->learner = is_glm ? "glm" : "dist";
    s->family = model->family_name;
    s->link = model->link_name;
    s->df_residual = s->dispersion = s->deviance = s->null_deviance = NAN;
    s->accuracy = s->decrement = s->df_effective = NAN;
    s->theta = s->theta_std_error = s->power = NAN;
    s->interval_level = 0.95;
    model->response = (ngi_model_response){NAN, NAN, NAN};
    ng_status status = NG_OK;
    if (is_glm)
        status = ngi_glm_family_find(ctx, family_name, &model->glm);
    if (is_glm && status == NG_OK)
        status = ngi_glm_link(ctx, model->glm, link_name, &model->links[0]);
    if (status == NG_OK)
        *out = model;
    else
        ng_model_destroy(&model);
    return status;
}

void ngi_model_measure(ng_model *model) {
    bool multinomial = model->glm->has_levels && !model->glm->kernel;
    model->extras = ngi_glm_extras(model->glm, model->levels.count);
    model->outputs = multinomial ? model->levels.count - 1 : 1;
}

ng_status ngi_model_allocate(ng_model *model, size_t dim, size_t parameters,
                             bool covariance) {
    ng_ctx *ctx = model->ctx;
    model->dim = dim;
    model->theta = ngi_alloc(ctx, dim, sizeof *model->theta);
    model->parameter = ngi_alloc(ctx, parameters, sizeof *model->parameter);
    if (!model->theta || !model->parameter)
        return NG_ENOMEM;
    model->summary.parameters = parameters;
    model->summary.parameter = model->parameter;
    for (size_t i = 0; i < parameters; i++)
        model->parameter[i] = (ng_parameter){.estimate = NAN,
                                             .std_error = NAN,
                                             .statistic = NAN,
                                             .p_value = NAN,
                                             .lower = NAN,
                                             .upper = NAN};
    if (!covariance)
        return NG_OK;
    model->covariance =
        ngi_alloc(ctx, parameters, parameters * sizeof *model->covariance);
    model->summary.covariance = model->covariance;
    return model->covariance ? NG_OK : NG_ENOMEM;
}

ng_status ngi_model_set_name(ng_model *model, size_t i, const char *term,
                             const char *level) {
    ng_parameter *p = &model->parameter[i];
    p->term = ngi_strdup(model->ctx, term);
    p->level = level ? ngi_strdup(model->ctx, level) : NULL;
    return p->term && (p->level || !level) ? NG_OK : NG_ENOMEM;
}

ng_status ngi_model_set_formula(ng_model *model) {
    const ngi_design *design = model->design;
    const char *right = design->formula;
    ngi_reader writer = {.ctx = model->ctx};
    ng_status status = NG_OK;
    /* Without a left side of its own it begins with its tilde, "~a" and "~ a"
     * alike. */
    if (design->response == NGI_RESPONSE_NONE && model->target) {
        status = ngi_reader_write_name(&writer, model->target);
        if (status == NG_OK)
            status = ngi_reader_write(&writer, " ~ ");
        right += 1 + strspn(right + 1, " ");
    }
    if (status == NG_OK)
        status = ngi_reader_write(&writer, right);
    if (status == NG_OK) {
        ngi_free(model->ctx, model->formula);
        model->formula = writer.canonical;
        writer.canonical = NULL;
    }
    ngi_reader_clear(&writer);
    return status;
}

ng_status ngi_model_warn(ng_model *model, const char *format, ...) {
    char text[NGI_NAME_SIZE];
    ng_summary *s = &model->summary;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char **grown =
        ngi_resize(model->ctx, model->warning, s->warnings + 1, sizeof *grown);
    if (!grown)
        return NG_ENOMEM;
    model->warning = grown;
    s->warning = (const char *const *)grown;
    grown[s->warnings] = ngi_strdup(model->ctx, text);
    if (!grown[s->warnings])
        return NG_ENOMEM;
    s->warnings++;
    return NG_OK;
}

void ngi_model_record_run(ng_model *model, const ng_report *report) {
    ng_summary *s = &model->summary;
    s->iterations = report->iteration + (report->step > 0 ? 1 : 0);
    s->stop = report->stop;
    s->converged = report->stop == NG_CONVERGED || report->stop == NG_AT_KINK;
    s->decrement = report->decrement;
    s->gradient_norm = report->gradient_norm;
    s->kl_total = report->kl_total;
    s->seconds = report->seconds;
}

const ng_summary *ng_model_summary(const ng_model *model) {
    /* The summary speaks of names that the model holds. */
    ng_summary *summary = &((ng_model *)model)->summary;
    summary->target = model->target;
    summary->levels = model->levels.count;
    summary->level = (const char *const *)model->levels.name;
    summary->formula = model->formula;
    return &model->summary;
}

void ng_model_destroy(ng_model **pointer) {
    if (!pointer || !*pointer)
        return;
    ng_model *model = *pointer;
    ng_ctx *ctx = model->ctx;
    for (size_t i = 0; model->parameter && i < model->summary.parameters; i++) {
        ngi_free(ctx, (char *)model->parameter[i].term);
        ngi_free(ctx, (char *)model->parameter[i].level);
    }
    for (size_t i = 0; i < model->summary.warnings; i++)
        ngi_free(ctx, model->warning[i]);
    ngi_free(ctx, model->warning);
    ngi_free(ctx, model->parameter);
    ngi_free(ctx, model->covariance);
    ngi_free(ctx, model->theta);
    ngi_design_destroy(&model->design);
    ngi_levels_free(ctx, &model->levels);
    ngi_levels_free(ctx, &model->columns);
    char *names[] = {model->family_name, model->link_name, model->target,
                     model->weights,     model->offset,    model->trials,
                     model->cluster,     model->formula};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ngi_free(ctx, names[i]);
    ngi_free(ctx, model->column_list);
    ngi_free(ctx, model);
    *pointer = NULL;
}
