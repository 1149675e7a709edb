/* The summary of a model as the JSON object that users see. */
#include "learner/model_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

json_t *ngi_json_number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

/* Counts that happen to be whole are written as such. */
static json_t *count_json(double x) {
    return x == floor(x) && fabs(x) < 9e15 ? json_integer((json_int_t)x)
                                           : ngi_json_number(x);
}

static json_t *text_or_null(const char *text) {
    return text ? json_string(text) : json_null();
}

static json_t *parameter_json(const ng_model *model, const ng_parameter *p) {
    json_t *object = json_pack("{s:o}", model->is_glm ? "term" : "name",
                               text_or_null(p->term));
    if (!object)
        return NULL;
    int bad = 0;
    if (p->level)
        bad |= json_object_set_new(object, "level", text_or_null(p->level));
    bad |=
        json_object_set_new(object, "estimate", ngi_json_number(p->estimate));
    bad |=
        json_object_set_new(object, "std_error", ngi_json_number(p->std_error));
    if (model->is_glm) {
        bad |= json_object_set_new(object, "statistic",
                                   ngi_json_number(p->statistic));
        bad |=
            json_object_set_new(object, "p_value", ngi_json_number(p->p_value));
    }
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *parameters_json(const ng_model *model) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < model->summary.parameters; i++) {
        if (json_array_append_new(
                array, parameter_json(model, &model->parameter[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *covariance_json(const ng_model *model) {
    size_t d = model->summary.parameters;
    if (!model->covariance)
        return json_null();
    json_t *rows = json_array();
    for (size_t i = 0; rows && i < d; i++) {
        json_t *row = json_array();
        int bad = row ? 0 : -1;
        for (size_t j = 0; row && j < d; j++)
            bad |= json_array_append_new(
                row, ngi_json_number(model->covariance[i * d + j]));
        bad |= json_array_append_new(rows, row);
        if (bad) {
            json_decref(rows);
            return NULL;
        }
    }
    return rows;
}

static json_t *levels_json(const ng_model *model) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < model->levels.count; i++) {
        if (json_array_append_new(array, json_string(model->levels.name[i])) !=
            0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *warnings_json(const ng_model *model) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < model->summary.warnings; i++) {
        if (json_array_append_new(array, json_string(model->warning[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* Keys in the order in which people read them. */
typedef struct entry {
    const char *key;
    json_t *value;
    bool wanted;
} entry;

static json_t *object_of(entry *entries, size_t count) {
    json_t *object = json_object();
    int bad = object ? 0 : -1;
    for (size_t i = 0; i < count; i++) {
        if (!entries[i].wanted || bad)
            json_decref(entries[i].value);
        else
            bad |=
                json_object_set_new(object, entries[i].key, entries[i].value);
    }
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

json_t *ngi_model_result(const ng_model *model) {
    const ng_summary *s = &model->summary;
    bool glm = model->is_glm;
    entry entries[] = {
        {"learner", json_string(s->learner), true},
        {"family", json_string(s->family), true},
        {"link", text_or_null(s->link), glm},
        {"target", text_or_null(model->target), glm},
        {"levels", levels_json(model), model->levels.count > 0},
        {"n", count_json(s->n), true},
        {"df_residual", count_json(s->df_residual), glm},
        {glm ? "coefficients" : "parameters", parameters_json(model), true},
        {"covariance", covariance_json(model), !glm},
        {"dispersion", ngi_json_number(s->dispersion), glm},
        {"loss", ngi_json_number(s->loss), true},
        {"log_likelihood", ngi_json_number(s->log_likelihood), true},
        {"deviance", ngi_json_number(s->deviance), glm},
        {"null_deviance", ngi_json_number(s->null_deviance), glm},
        {"aic", ngi_json_number(s->aic), true},
        {"bic", ngi_json_number(s->bic), true},
        {"accuracy", ngi_json_number(s->accuracy),
         glm && isfinite(s->accuracy)},
        {"iterations", json_integer((json_int_t)s->iterations), true},
        {"converged", json_boolean(s->converged), true},
        {"stop", json_string(ng_stop_text(s->stop)), true},
        {"gradient_norm", ngi_json_number(s->gradient_norm), true},
        {"decrement", ngi_json_number(s->decrement), true},
        {"kl_total", ngi_json_number(s->kl_total), true},
        {"l2", ngi_json_number(s->l2), glm},
        {"rank", json_integer((json_int_t)s->rank), true},
        {"seconds", ngi_json_number(s->seconds), true},
        {"warnings", warnings_json(model), true},
    };
    return object_of(entries, sizeof entries / sizeof *entries);
}

ng_status ng_model_to_json(const ng_model *model, char **out) {
    *out = NULL;
    json_t *result = ngi_model_result(model);
    char *text =
        result ? json_dumps(result, JSON_INDENT(2) | JSON_REAL_PRECISION(17))
               : NULL;
    json_decref(result);
    if (text) {
        *out = ngi_strdup(model->ctx, text);
        free(text);
    }
    return *out ? NG_OK : ngi_fail_memory(model->ctx);
}

void ng_text_free(ng_ctx *ctx, char **text) {
    ngi_free(ctx, *text);
    *text = NULL;
}
