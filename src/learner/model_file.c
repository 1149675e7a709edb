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

static json_t *terms_json(const ngi_design *design) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < design->terms; i++) {
        json_t *term =
            json_pack("{s:s, s:o}", "column", design->term[i].column, "levels",
                      levels_json(&design->term[i].levels));
        if (json_array_append_new(array, term) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
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
        glm = json_pack("{s:s, s:s?, s:s?, s:s?, s:b, s:o}", "target",
                        model->target, "weights", model->weights, "offset",
                        model->offset, "trials", model->trials, "intercept",
                        model->design->intercept, "terms",
                        terms_json(model->design));
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
    size_t width = model->is_glm ? model->design->width : model->dim;
    size_t shape[2] = {model->dim / width, width}, square[2] = {d, d};
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
        ngi_tensors_add(tensors, "coefficients", 2, shape, model->theta));
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

static ng_status read_design(const reader *r, ng_model *model) {
    const json_t *terms = json_object_get(r->object, "terms");
    const json_t *intercept = json_object_get(r->object, "intercept");
    if (!json_is_array(terms) || !json_is_boolean(intercept))
        return malformed(r, "expected \"terms\" and \"intercept\"");
    NG_TRY(ngi_design_allocate(r->ctx, json_array_size(terms),
                               json_is_true(intercept), &model->design));
    for (size_t i = 0; i < model->design->terms; i++) {
        ngi_term *term = &model->design->term[i];
        const json_t *object = json_array_get(terms, i);
        const char *column =
            json_string_value(json_object_get(object, "column"));
        if (!column)
            return malformed(r, "expected every term to name a column");
        term->column = ngi_strdup(r->ctx, column);
        if (!term->column)
            return NG_ENOMEM;
        NG_TRY(
            read_levels(r, json_object_get(object, "levels"), &term->levels));
        if (term->levels.count == 1)
            return malformed(r, "a factor has one level only");
    }
    ngi_design_measure(model->design);
    return model->design->width ? NG_OK : malformed(r, "it has no columns");
}

static double number_at(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static size_t count_at(const json_t *object, const char *key) {
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (size_t)value : 0;
}

static void read_summary(const json_t *result, ng_summary *s) {
    s->n = number_at(result, "n");
    s->df_residual = number_at(result, "df_residual");
    s->dispersion = number_at(result, "dispersion");
    s->loss = number_at(result, "loss");
    s->log_likelihood = number_at(result, "log_likelihood");
    s->deviance = number_at(result, "deviance");
    s->null_deviance = number_at(result, "null_deviance");
    s->aic = number_at(result, "aic");
    s->bic = number_at(result, "bic");
    s->accuracy = number_at(result, "accuracy");
    s->gradient_norm = number_at(result, "gradient_norm");
    s->decrement = number_at(result, "decrement");
    s->kl_total = number_at(result, "kl_total");
    s->l2 = number_at(result, "l2");
    s->seconds = number_at(result, "seconds");
    s->iterations = count_at(result, "iterations");
    s->rank = count_at(result, "rank");
    s->converged = json_is_true(json_object_get(result, "converged"));
    const char *stop = json_string_value(json_object_get(result, "stop"));
    for (int i = NG_RUNNING; stop && i <= NG_STOPPED; i++) {
        if (strcmp(stop, ng_stop_text((ng_stop)i)) == 0)
            s->stop = (ng_stop)i;
    }
}

static ng_status read_parameters(const reader *r, const json_t *result,
                                 ng_model *model) {
    const json_t *array =
        json_object_get(result, model->is_glm ? "coefficients" : "parameters");
    if (json_array_size(array) != model->summary.parameters)
        return malformed(r, "the number of parameters does not fit");
    for (size_t i = 0; i < model->summary.parameters; i++) {
        const json_t *object = json_array_get(array, i);
        const char *term = json_string_value(
            json_object_get(object, model->is_glm ? "term" : "name"));
        if (!term)
            return malformed(r, "expected every parameter to have a name");
        NG_TRY(ngi_model_set_name(
            model, i, term,
            json_string_value(json_object_get(object, "level"))));
        ng_parameter *p = &model->parameter[i];
        p->estimate = number_at(object, "estimate");
        p->std_error = number_at(object, "std_error");
        p->statistic = number_at(object, "statistic");
        p->p_value = number_at(object, "p_value");
    }
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

static ng_status read_values(const reader *r, ng_model *model) {
    const json_t *result = json_object_get(r->object, "result");
    const json_t *warnings = json_object_get(result, "warnings");
    const ng_family *f = &model->family;
    size_t dim =
        model->is_glm ? model->design->width * f->block[0].count : f->dim_z;
    size_t parameters = model->is_glm ? dim : f->dim_customary;
    bool covariance = ngi_tensors_find(r->tensors, "covariance") != NULL;
    /* Before anything is sized by the header, the data must bear it out. */
    const ngi_tensor *coefficients =
        ngi_tensors_find(r->tensors, "coefficients");
    if (!coefficients || coefficients->count != dim || !json_is_object(result))
        return malformed(r, "the coefficients do not fit the header");
    NG_TRY(ngi_model_allocate(model, dim, parameters, covariance));
    NG_TRY(read_tensor(r, "coefficients", dim, model->theta));
    if (covariance)
        NG_TRY(read_tensor(r, "covariance", parameters * parameters,
                           model->covariance));
    read_summary(result, &model->summary);
    for (size_t i = 0; i < json_array_size(warnings); i++) {
        const char *text = json_string_value(json_array_get(warnings, i));
        if (text)
            NG_TRY(ngi_model_warn(model, "%s", text));
    }
    return read_parameters(r, result, model);
}

static ng_status read_family(const reader *r, ng_model *model) {
    const char *name = model->family_name;
    size_t size = count_at(r->object, "size");
    ng_status status = NG_OK;
    if (size > SIZE_MAX / 1024)
        return malformed(r, "its size is out of range");
    if (model->is_glm) {
        const ngi_glm_family *family;
        status = ngi_glm_family_find(r->ctx, name, &family);
        if (status == NG_OK)
            status = ngi_glm_link(r->ctx, family, model->link_name,
                                  &model->links[0]);
        if (status == NG_OK)
            name = family->family;
        model->links[1] = NG_LINK_LOG;
    }
    if (status == NG_OK)
        status = ng_family_init(r->ctx, name, size, &model->family);
    if (status != NG_OK)
        return malformed(r, "its family, link or size is unknown");
    /* Sizes are counted by what the file lists. */
    size_t listed = 1;
    if (ngi_model_has_classes(model))
        listed = model->levels.count;
    else if (!model->is_glm)
        listed = model->columns.count;
    if (listed != size)
        return malformed(r, "its levels or columns do not fit its size");
    bool binary = strcmp(model->family.ops->name, "bernoulli") == 0;
    if (!ngi_model_has_classes(model) && model->levels.count &&
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
    NG_TRY(ngi_model_create(r->ctx, is_glm, family, link, &model));
    NG_TRY_GOTO(
        read_levels(r, json_object_get(r->object, "levels"), &model->levels));
    NG_TRY_GOTO(
        read_levels(r, json_object_get(r->object, "columns"), &model->columns));
    NG_TRY_GOTO(read_family(r, model));
    if (is_glm) {
        NG_TRY_GOTO(read_text(r, "target", true, &model->target));
        NG_TRY_GOTO(read_text(r, "weights", false, &model->weights));
        NG_TRY_GOTO(read_text(r, "offset", false, &model->offset));
        NG_TRY_GOTO(read_text(r, "trials", false, &model->trials));
        NG_TRY_GOTO(read_design(r, model));
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
