/* The summary of a model as the JSON object that users see. */
#include "learner/model_json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY(name, key) key,
static const char *const STD_ERRORS[] = {NG_STD_ERRORS_LIST(KEY)};
static const char *const DISPERSIONS[] = {NG_DISPERSION_LIST(KEY)};
static const char *const INTERVALS[] = {NG_INTERVALS_LIST(KEY)};
static const char *const SEPARATIONS[] = {NG_SEPARATION_LIST(KEY)};
#undef KEY

const char *ngi_std_errors_name(ng_std_errors kind) {
    return STD_ERRORS[kind];
}

const char *ngi_dispersion_name(ng_dispersion kind) {
    return DISPERSIONS[kind];
}

const char *ngi_intervals_name(ng_intervals kind) {
    return INTERVALS[kind];
}

const char *ngi_separation_name(ng_separation kind) {
    return SEPARATIONS[kind];
}

static int find_name(const char *const *names, size_t count, const char *name) {
    for (size_t i = 0; name && i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return (int)i;
    }
    return 0;
}

#define FIND(names, name) find_name(names, sizeof names / sizeof *(names), name)

void ngi_model_read_kinds(const json_t *result, ng_summary *s) {
    s->std_errors = (ng_std_errors)FIND(
        STD_ERRORS, json_string_value(json_object_get(result, "std_errors")));
    s->dispersion_kind = (ng_dispersion)FIND(
        DISPERSIONS,
        json_string_value(json_object_get(result, "dispersion_kind")));
    s->intervals = (ng_intervals)FIND(
        INTERVALS, json_string_value(json_object_get(result, "intervals")));
    s->separation = (ng_separation)FIND(
        SEPARATIONS, json_string_value(json_object_get(
                         json_object_get(result, "separation"), "kind")));
}

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

static json_t *parameter_json(const ng_model *model, const ng_parameter *p,
                              bool named) {
    bool glm = model->is_glm;
    entry entries[] = {
        {glm ? "term" : "name", text_or_null(p->term), named},
        {"level", text_or_null(p->level), p->level != NULL},
        {"estimate", ngi_json_number(p->estimate), true},
        {"std_error", ngi_json_number(p->std_error), true},
        {"statistic", ngi_json_number(p->statistic), glm},
        {"p_value", ngi_json_number(p->p_value), glm},
        {"lower", ngi_json_number(p->lower), glm},
        {"upper", ngi_json_number(p->upper), glm},
        {"aliased", json_true(), p->aliased != 0},
        {"infinite", json_integer(p->infinite), p->infinite != 0},
    };
    return object_of(entries, sizeof entries / sizeof *entries);
}

static json_t *parameters_json(const ng_model *model, size_t first,
                               size_t count, bool named) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < count; i++) {
        const ng_parameter *p = &model->parameter[first + i];
        if (json_array_append_new(array, parameter_json(model, p, named)) !=
            0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static bool is_listed(const json_t *array, const char *text) {
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (strcmp(json_string_value(json_array_get(array, i)), text) == 0)
            return true;
    }
    return false;
}

/* Thresholds are told apart by the levels that they divide. */
static void write_term(const ng_model *model, size_t i, char *out,
                       size_t size) {
    const ng_parameter *p = &model->parameter[i];
    bool threshold =
        i >= model->summary.parameters - model->summary.thresholds && p->level;
    snprintf(out, size, "%s%s%s", p->term, threshold ? " " : "",
             threshold ? p->level : "");
}

/* The terms of the aliased parameters, or of those at infinity, each once. */
static json_t *terms_json(const ng_model *model, bool aliased) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < model->summary.parameters; i++) {
        const ng_parameter *p = &model->parameter[i];
        char term[NGI_NAME_SIZE];
        if (!(aliased ? p->aliased : p->infinite) || !p->term)
            continue;
        write_term(model, i, term, sizeof term);
        if (is_listed(array, term))
            continue;
        if (json_array_append_new(array, json_string(term)) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *separation_json(const ng_model *model) {
    entry entries[] = {
        {"kind", json_string(ngi_separation_name(model->summary.separation)),
         true},
        {"terms", terms_json(model, false), true},
    };
    return object_of(entries, sizeof entries / sizeof *entries);
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

json_t *ngi_model_result(const ng_model *model) {
    const ng_summary *s = &model->summary;
    bool glm = model->is_glm;
    bool counts = glm && strcmp(s->family, "negative-binomial") == 0;
    size_t coefficients = s->parameters - s->thresholds;
    entry entries[] = {
        {"learner", json_string(s->learner), true},
        {"family", json_string(s->family), true},
        {"link", text_or_null(s->link), glm},
        {"power", ngi_json_number(s->power), glm && isfinite(s->power)},
        {"formula", text_or_null(model->formula), glm},
        {"target", text_or_null(model->target), glm},
        {"levels", levels_json(model), model->levels.count > 0},
        {"n", count_json(s->n), true},
        {"df_residual", count_json(s->df_residual), glm},
        {glm ? "coefficients" : "parameters",
         parameters_json(model, 0, coefficients, true), true},
        {"thresholds",
         parameters_json(model, coefficients, s->thresholds, false),
         s->thresholds > 0},
        {"theta", ngi_json_number(s->theta), counts},
        {"theta_std_error", ngi_json_number(s->theta_std_error), counts},
        {"covariance", covariance_json(model), !glm},
        {"std_errors", json_string(ngi_std_errors_name(s->std_errors)), glm},
        {"intervals", json_string(ngi_intervals_name(s->intervals)), glm},
        {"level", ngi_json_number(s->interval_level), glm},
        {"dispersion", ngi_json_number(s->dispersion), glm},
        {"dispersion_kind",
         json_string(ngi_dispersion_name(s->dispersion_kind)), glm},
        {"loss", ngi_json_number(s->loss), true},
        {"log_likelihood", ngi_json_number(s->log_likelihood), true},
        {"deviance", ngi_json_number(s->deviance), glm},
        {"null_deviance", ngi_json_number(s->null_deviance), glm},
        {"aic", ngi_json_number(s->aic), true},
        {"bic", ngi_json_number(s->bic), true},
        {"accuracy", ngi_json_number(s->accuracy),
         glm && isfinite(s->accuracy)},
        {"separation", separation_json(model), glm},
        {"aliased", terms_json(model, true), glm},
        {"iterations", json_integer((json_int_t)s->iterations), true},
        {"converged", json_boolean(s->converged), true},
        {"stop", json_string(ng_stop_text(s->stop)), true},
        {"gradient_norm", ngi_json_number(s->gradient_norm), true},
        {"decrement", ngi_json_number(s->decrement), true},
        {"kl_total", ngi_json_number(s->kl_total), true},
        {"l2", ngi_json_number(s->l2), glm},
        {"df_effective", ngi_json_number(s->df_effective), glm},
        {"firth", json_boolean(s->firth), glm},
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
