/* Fitted models: making, naming, releasing. */
#include "learner/model.h"

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
    s->accuracy = s->decrement = NAN;
    *out = model;
    return NG_OK;
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
        model->parameter[i] = (ng_parameter){NULL, NULL, NAN, NAN, NAN, NAN};
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
                     model->weights,     model->offset,    model->trials};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ngi_free(ctx, names[i]);
    ngi_free(ctx, model->column_list);
    ngi_free(ctx, model);
    *pointer = NULL;
}
