/* Models on disk: a safetensors file whose metadata entry "natgrad" is a JSON
 * object. Nothing in a file is believed before it is checked. */
#include "data/tensors.h"
#include "learner/model_json.h"
#include "numerics/linalg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Writing ---- */

static json_t *levels_json(const ngi_levels *levels) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < levels->count; i++) {
        if (json_array_append_new(array, json_string(levels->name[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *variables_json(const ngi_design *design) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < design->variables; i++) {
        const ngi_variable *v = &design->variable[i];
        json_t *variable = json_pack("{s:s, s:o}", "column", v->column,
                                     "levels", levels_json(&v->levels));
        if (json_array_append_new(array, variable) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *response_json(const ngi_model_response *response) {
    return json_pack("{s:o, s:o, s:o}", "weight",
                     ngi_json_number(response->weight), "mean",
                     ngi_json_number(response->mean), "spread",
                     ngi_json_number(response->spread));
}

static json_t *header(const ng_model *model) {
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s?, s:I, s:o, s:o}", "version", ng_version(),
        "learner", model->summary.learner, "family", model->family_name, "link",
        model->link_name, "size", (json_int_t)model->family.size, "levels",
        levels_json(&model->levels), "columns", levels_json(&model->columns));
    json_t *glm = NULL;
    bool failed = !object;
    if (model->is_glm) {
        glm = json_pack(
            "{s:s, s:s?, s:s?, s:s?, s:s?, s:s, s:o, s:o}", "target",
            model->target, "weights", model->weights, "offset", model->offset,
            "trials", model->trials, "cluster", model->cluster, "formula",
            model->design->formula, "variables", variables_json(model->design),
            "response", response_json(&model->response));
        failed = failed || !glm || json_object_update(object, glm) != 0;
    }
    json_decref(glm);
    /* The long part last, where a person looks for it. */
    failed = failed || json_object_set_new(object, "result",
                                           ngi_model_result(model)) != 0;
    if (!failed)
        return object;
    json_decref(object);
    return NULL;
}

ng_status ng_model_save(const ng_model *model, const char *path) {
    ngi_tensors *tensors = NULL;
    ng_status status;
    size_t d = model->summary.parameters;
    size_t square[2] = {d, d};
    if (!ngi_all_finite(model->dim, model->theta))
        return ngi_fail(model->ctx, NG_ENUMERIC,
                        "%s: not written: a coefficient is not finite", path);
    json_t *object = header(model);
    char *text = object ? json_dumps(object, JSON_REAL_PRECISION(17)) : NULL;
    json_decref(object);
    if (!text)
        return ngi_fail_memory(model->ctx);
    NG_TRY_GOTO(ngi_tensors_create(model->ctx, &tensors));
    NG_TRY_GOTO(ngi_tensors_set_metadata(tensors, "natgrad", text));
    NG_TRY_GOTO(
        ngi_tensors_add(tensors, "coefficients", 1, &model->dim, model->theta));
    if (model->covariance)
        NG_TRY_GOTO(ngi_tensors_add(tensors, "covariance", 2, square,
                                    model->covariance));
    NG_TRY_GOTO(ngi_tensors_write(tensors, path));
fail:
    free(text);
    ngi_tensors_destroy(&tensors);
    return status;
}

/* ---- Reading ---- */

typedef struct reader {
    ng_ctx *ctx;
    const char *path;
    const ngi_tensors *tensors;
    const json_t *object;
} reader;

static ng_status malformed(const reader *r, const char *what) {
    return ngi_fail(r->ctx, NG_EDATA, "%s: not a natgrad model: %s", r->path,
                    what);
}

static bool is_negative_binomial(const ng_model *model) {
    return model->is_glm &&
           strcmp(model->family_name, "negative-binomial") == 0;
}

static ng_status read_text(const reader *r, const char *key, bool required,
                           char **out) {
    const json_t *value = json_object_get(r->object, key);
    if (!required && (!value || json_is_null(value)))
        return NG_OK;
    if (!json_is_string(value))
        return ngi_fail(r->ctx, NG_EDATA,
                        "%s: not a natgrad model: expected \"%s\" to be text",
                        r->path, key);
    *out = ngi_strdup(r->ctx, json_string_value(value));
    return *out ? NG_OK : NG_ENOMEM;
}

static ng_status read_levels(const reader *r, const json_t *array,
                             ngi_levels *out) {
    if (!json_is_array(array))
        return malformed(r, "expected a list of levels");
    size_t count = json_array_size(array);
    out->name = ngi_alloc(r->ctx, count, sizeof *out->name);
    if (!out->name)
        return NG_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        if (!text)
            return malformed(r, "expected every level to be text");
        out->name[i] = ngi_strdup(r->ctx, text);
        if (!out->name[i])
            return NG_ENOMEM;
        out->count++;
    }
    return NG_OK;
}

static ng_status read_variable(const reader *r, const json_t *object,
                               ngi_variable *variable) {
    const char *column = json_string_value(json_object_get(object, "column"));
    if (!column)
        return malformed(r, "expected every variable to name a column");
    variable->column = ngi_strdup(r->ctx, column);
    if (!variable->column)
        return NG_ENOMEM;
    return read_levels(r, json_object_get(object, "levels"), &variable->levels);
}

static ng_status restore_design(const reader *r, const char *formula,
                                const ngi_variable *variables, size_t count,
                                ng_model *model) {
    ng_status status =
        ngi_design_restore(r->ctx, formula, variables, count, &model->design);
    if (status == NG_ENOMEM)
        return status;
    if (status != NG_OK)
        return malformed(r, "its formula and its variables do not fit");
    /* Thresholds are the intercepts of an ordinal model. */
    if (model->glm->has_levels && model->glm->kernel)
        ngi_design_hide_intercept(model->design);
    return ngi_model_set_formula(model);
}

static ng_status read_design(const reader *r, ng_model *model) {
    const json_t *list = json_object_get(r->object, "variables");
    const char *formula =
        json_string_value(json_object_get(r->object, "formula"));
    size_t count = json_array_size(list);
    ng_status status = NG_OK;
    if (!json_is_array(list) || !formula)
        return malformed(r, "expected \"formula\" and \"variables\"");
    ngi_variable *variables = ngi_alloc(r->ctx, count, sizeof *variables);
    if (!variables)
        return NG_ENOMEM;
    for (size_t i = 0; i < count && status == NG_OK; i++)
        status = read_variable(r, json_array_get(list, i), &variables[i]);
    if (status == NG_OK)
        status = restore_design(r, formula, variables, count, model);
    for (size_t i = 0; i < count; i++) {
        ngi_free(r->ctx, variables[i].column);
        ngi_levels_free(r->ctx, &variables[i].levels);
    }
    ngi_free(r->ctx, variables);
    return status;
}

static double number_at(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static size_t count_at(const json_t *object, const char *key) {
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (size_t)value : 0;
}

static int sign_at(const json_t *object, const char *key) {
    double value = number_at(object, key);
    return value > 0 ? 1 : value < 0 ? -1 : 0;
}

static void read_response(const json_t *response, ngi_model_response *out) {
    out->weight = number_at(response, "weight");
    out->mean = number_at(response, "mean");
    out->spread = number_at(response, "spread");
}

static void read_summary(const json_t *result, ng_summary *s) {
    const struct {
        const char *key;
        double *to;
    } numbers[] = {
        {"n", &s->n},
        {"df_residual", &s->df_residual},
        {"dispersion", &s->dispersion},
        {"power", &s->power},
        {"theta", &s->theta},
        {"theta_std_error", &s->theta_std_error},
        {"level", &s->interval_level},
        {"loss", &s->loss},
        {"log_likelihood", &s->log_likelihood},
        {"deviance", &s->deviance},
        {"null_deviance", &s->null_deviance},
        {"aic", &s->aic},
        {"bic", &s->bic},
        {"accuracy", &s->accuracy},
        {"gradient_norm", &s->gradient_norm},
        {"decrement", &s->decrement},
        {"kl_total", &s->kl_total},
        {"l2", &s->l2},
        {"df_effective", &s->df_effective},
        {"seconds", &s->seconds},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        *numbers[i].to = number_at(result, numbers[i].key);
    s->iterations = count_at(result, "iterations");
    s->rank = count_at(result, "rank");
    s->converged = json_is_true(json_object_get(result, "converged"));
    s->firth = json_is_true(json_object_get(result, "firth"));
    ngi_model_read_kinds(result, s);
    const char *stop = json_string_value(json_object_get(result, "stop"));
    for (int i = NG_RUNNING; stop && i <= NG_STOPPED; i++) {
        if (strcmp(stop, ng_stop_text((ng_stop)i)) == 0)
            s->stop = (ng_stop)i;
    }
}

/* JSON has no infinity: where there is one end, the other is open, and where
 * the estimate is infinite both may be. */
static void open_interval(ng_parameter *p, bool finite) {
    bool open =
        (p->infinite && !finite) || isfinite(p->lower) || isfinite(p->upper);
    if (open && !isfinite(p->lower))
        p->lower = -HUGE_VAL;
    if (open && !isfinite(p->upper))
        p->upper = HUGE_VAL;
}

static ng_status read_parameter(const reader *r, const json_t *object,
                                const char *term, ng_model *model, size_t i) {
    ng_parameter *p = &model->parameter[i];
    if (!term)
        term = json_string_value(
            json_object_get(object, model->is_glm ? "term" : "name"));
    if (!term)
        return malformed(r, "expected every parameter to have a name");
    if (model->is_glm && i < model->outputs * model->design->width &&
        strcmp(term, model->design->name[i % model->design->width]) != 0)
        return malformed(r, "its coefficients do not fit its formula");
    NG_TRY(ngi_model_set_name(
        model, i, term, json_string_value(json_object_get(object, "level"))));
    p->estimate = number_at(object, "estimate");
    p->std_error = number_at(object, "std_error");
    p->statistic = number_at(object, "statistic");
    p->p_value = number_at(object, "p_value");
    p->lower = number_at(object, "lower");
    p->upper = number_at(object, "upper");
    p->aliased = json_is_true(json_object_get(object, "aliased"));
    p->infinite = sign_at(object, "infinite");
    open_interval(p, model->summary.firth);
    return NG_OK;
}

static ng_status read_parameters(const reader *r, const json_t *result,
                                 ng_model *model) {
    const json_t *array =
        json_object_get(result, model->is_glm ? "coefficients" : "parameters");
    const json_t *thresholds = json_object_get(result, "thresholds");
    size_t count = model->summary.parameters - model->summary.thresholds;
    if (json_array_size(array) != count ||
        json_array_size(thresholds) != model->summary.thresholds)
        return malformed(r, "the number of parameters does not fit");
    for (size_t i = 0; i < count; i++)
        NG_TRY(read_parameter(r, json_array_get(array, i), NULL, model, i));
    for (size_t i = 0; i < model->summary.thresholds; i++)
        NG_TRY(read_parameter(r, json_array_get(thresholds, i), "(threshold)",
                              model, count + i));
    return NG_OK;
}

static ng_status read_tensor(const reader *r, const char *name, size_t count,
                             double *out) {
    const ngi_tensor *tensor = ngi_tensors_find(r->tensors, name);
    if (!tensor || tensor->count != count)
        return ngi_fail(r->ctx, NG_EDATA,
                        "%s: not a natgrad model: expected a tensor \"%s\" "
                        "of %zu numbers",
                        r->path, name, count);
    ngi_tensor_values(tensor, out);
    if (!ngi_all_finite(count, out) && strcmp(name, "coefficients") == 0)
        return malformed(r, "a coefficient is not finite");
    return NG_OK;
}

/* Sizes, before anything is allocated by them: the data must bear them out. */
static ng_status allocate(const reader *r, ng_model *model) {
    const ng_family *f = &model->family;
    const ngi_tensor *theta = ngi_tensors_find(r->tensors, "coefficients");
    bool covariance = ngi_tensors_find(r->tensors, "covariance") != NULL;
    size_t dim = f->dim_z, parameters = f->dim_customary;
    if (model->is_glm) {
        ngi_model_measure(model);
        dim = model->design->width * model->outputs + model->extras;
        if (dim == 0)
            return malformed(r, "it has no coefficients");
        /* 1 / theta is reported beside the coefficients. */
        parameters = dim - (is_negative_binomial(model) ? 1 : 0);
        model->summary.thresholds = model->glm->has_levels ? model->extras : 0;
    }
    if (!theta || theta->count != dim ||
        !json_is_object(json_object_get(r->object, "result")))
        return malformed(r, "the coefficients do not fit the header");
    return ngi_model_allocate(model, dim, parameters, covariance);
}

/* What all rows share is within its range. */
static ng_status check_shared(const reader *r, const ng_model *model) {
    const double *psi = model->theta + model->dim - model->extras;
    for (size_t i = 1; i < model->summary.thresholds; i++) {
        if (!(psi[i] > psi[i - 1]))
            return malformed(r, "its thresholds do not increase");
    }
    if (is_negative_binomial(model) && psi[0] < 0)
        return malformed(r, "its theta is negative");
    return NG_OK;
}

static ng_status read_values(const reader *r, ng_model *model) {
    const json_t *result = json_object_get(r->object, "result");
    const json_t *warnings = json_object_get(result, "warnings");
    ng_summary *s = &model->summary;
    NG_TRY(allocate(r, model));
    NG_TRY(read_tensor(r, "coefficients", model->dim, model->theta));
    if (model->covariance)
        NG_TRY(read_tensor(r, "covariance", s->parameters * s->parameters,
                           model->covariance));
    if (model->is_glm)
        NG_TRY(check_shared(r, model));
    read_summary(result, s);
    if (model->is_glm &&
        ngi_glm_check_power(r->ctx, model->glm, s->power) != NG_OK)
        return malformed(r, "its power does not fit its family");
    if (is_negative_binomial(model) && model->theta[model->dim - 1] == 0)
        s->theta = HUGE_VAL;
    for (size_t i = 0; i < json_array_size(warnings); i++) {
        const char *text = json_string_value(json_array_get(warnings, i));
        if (text)
            NG_TRY(ngi_model_warn(model, "%s", text));
    }
    return read_parameters(r, result, model);
}

static ng_status read_glm_family(const reader *r, ng_model *model) {
    bool binary = strcmp(model->family_name, "binomial") == 0;
    size_t levels = model->levels.count;
    if (model->glm->has_levels ? levels < 2
                               : levels && (!binary || levels != 2))
        return malformed(r, "its levels do not fit its family");
    model->links[1] = NG_LINK_LOG;
    if (!model->glm->core)
        return NG_OK;
    return ng_family_init(r->ctx, model->glm->core,
                          model->glm->has_levels ? levels : 1, &model->family);
}

static ng_status read_dist_family(const reader *r, ng_model *model) {
    size_t size = count_at(r->object, "size");
    if (size > SIZE_MAX / 1024)
        return malformed(r, "its size is out of range");
    if (ng_family_init(r->ctx, model->family_name, size, &model->family) !=
        NG_OK)
        return malformed(r, "its family or size is unknown");
    /* Sizes are counted by what the file lists. */
    bool classes = ngi_model_has_classes(model);
    if ((classes ? model->levels.count : model->columns.count) != size)
        return malformed(r, "its levels or columns do not fit its size");
    bool binary = strcmp(model->family.ops->name, "bernoulli") == 0;
    if (!classes && model->levels.count &&
        (!binary || model->levels.count != 2))
        return malformed(r, "its levels do not fit its family");
    return NG_OK;
}

static ng_status read_model(const reader *r, ng_model **out) {
    const char *learner =
        json_string_value(json_object_get(r->object, "learner"));
    const char *family =
        json_string_value(json_object_get(r->object, "family"));
    const char *link = json_string_value(json_object_get(r->object, "link"));
    bool is_glm = learner && strcmp(learner, "glm") == 0;
    ng_model *model = NULL;
    ng_status status;
    if (!family || !learner || (is_glm && !link) ||
        (!is_glm && strcmp(learner, "dist") != 0))
        return malformed(r, "expected a learner and a family");
    status = ngi_model_create(r->ctx, is_glm, family, link, &model);
    if (status == NG_EUSAGE)
        return malformed(r, "its family or link is unknown");
    if (status != NG_OK)
        return status;
    NG_TRY_GOTO(
        read_levels(r, json_object_get(r->object, "levels"), &model->levels));
    NG_TRY_GOTO(
        read_levels(r, json_object_get(r->object, "columns"), &model->columns));
    NG_TRY_GOTO(is_glm ? read_glm_family(r, model)
                       : read_dist_family(r, model));
    if (is_glm) {
        NG_TRY_GOTO(read_text(r, "target", true, &model->target));
        NG_TRY_GOTO(read_text(r, "weights", false, &model->weights));
        NG_TRY_GOTO(read_text(r, "offset", false, &model->offset));
        NG_TRY_GOTO(read_text(r, "trials", false, &model->trials));
        NG_TRY_GOTO(read_text(r, "cluster", false, &model->cluster));
        NG_TRY_GOTO(read_design(r, model));
        read_response(json_object_get(r->object, "response"), &model->response);
    }
    NG_TRY_GOTO(read_values(r, model));
    *out = model;
    return NG_OK;
fail:
    ng_model_destroy(&model);
    return status;
}

static ng_status from_tensors(ng_ctx *ctx, const char *path,
                              const ngi_tensors *tensors, ng_model **out) {
    reader r = {ctx, path, tensors, NULL};
    const char *text = ngi_tensors_metadata(tensors, "natgrad");
    if (!text)
        return malformed(&r, "its metadata has no entry \"natgrad\"");
    json_error_t error;
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(object)) {
        json_decref(object);
        return malformed(&r, "its metadata is not a JSON object");
    }
    r.object = object;
    ng_status status = read_model(&r, out);
    json_decref(object);
    return status;
}

ng_status ng_model_load(ng_ctx *ctx, const char *path, ng_model **out) {
    ngi_tensors *tensors;
    *out = NULL;
    NG_TRY(ngi_tensors_read(ctx, path, &tensors));
    ng_status status = from_tensors(ctx, path, tensors, out);
    ngi_tensors_destroy(&tensors);
    return status;
}

ng_status ngi_model_parse(ng_ctx *ctx, const char *source, const void *data,
                          size_t size, ng_model **out) {
    ngi_tensors *tensors;
    *out = NULL;
    NG_TRY(ngi_tensors_parse(ctx, source, data, size, &tensors));
    ng_status status = from_tensors(ctx, source, tensors, out);
    ngi_tensors_destroy(&tensors);
    return status;
}
