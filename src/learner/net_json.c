/* The summary of a net as the JSON object that users see, both ways. */
#include "learner/model_json.h"
#include "learner/net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *whole(size_t x) {
    return json_integer((json_int_t)x);
}

/* A count that may be larger than a size. */
static json_t *count(double x) {
    return fabs(x) < 9e15 ? json_integer((json_int_t)x) : ngi_json_number(x);
}

static json_t *score_json(const ng_score *score, const char *file) {
    json_t *object = json_object();
    int bad = object ? 0 : -1;
    if (file)
        bad |= json_object_set_new(object, "file", json_string(file));
    bad |= json_object_set_new(object, "loss", ngi_json_number(score->loss));
    if (isfinite(score->accuracy))
        bad |=
            json_object_set_new(object, "accuracy", json_real(score->accuracy));
    else
        bad |= json_object_set_new(object, "squared_error",
                                   ngi_json_number(score->squared_error));
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *tests_json(const ng_net_summary *s) {
    json_t *array = json_array();
    int bad = array ? 0 : -1;
    for (size_t i = 0; !bad && i < s->tests; i++)
        bad = json_array_append_new(array,
                                    score_json(&s->test[i], s->test_name[i]));
    if (!bad)
        return array;
    json_decref(array);
    return NULL;
}

static json_t *warnings_json(const ng_net_summary *s) {
    json_t *array = json_array();
    int bad = array ? 0 : -1;
    for (size_t i = 0; !bad && i < s->warnings; i++)
        bad = json_array_append_new(array, json_string(s->warning[i]));
    if (!bad)
        return array;
    json_decref(array);
    return NULL;
}

json_t *ngi_net_result(const ng_net *net) {
    const ng_net_summary *s = ng_net_result(net);
    bool validated = isfinite(s->valid.loss);
    /* Keys in the order in which people read them. */
    struct {
        const char *key;
        json_t *value;
    } entries[] = {
        {"learner", json_string("net")},
        {"family", json_string(s->family)},
        {"target", json_string(s->target)},
        {"layers", json_string(s->layers)},
        {"parameters", whole(s->parameters)},
        {"optimizer", json_string(s->optimizer)},
        {"epochs", whole(s->epochs)},
        {"iterations", whole(s->iterations)},
        {"examples", count(s->examples)},
        {"seconds", ngi_json_number(s->seconds)},
        {"train", score_json(&s->train, NULL)},
        {"valid", validated ? score_json(&s->valid, NULL) : json_null()},
        {"test", tests_json(s)},
        {"converged", json_boolean(s->converged)},
        {"stop", json_string(ngi_net_stop_text(s->stop))},
        {"batch", whole(s->batch)},
        {"damping", ngi_json_number(s->damping)},
        {"rate", ngi_json_number(s->rate)},
        {"momentum", ngi_json_number(s->momentum)},
        {"l2", ngi_json_number(s->l2)},
        {"memory_mib", ngi_json_number(s->memory / 0x1p20)},
        {"warnings", warnings_json(s)},
    };
    json_t *object = json_object();
    int bad = object ? 0 : -1;
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        bad |= json_object_set_new(object, entries[i].key, entries[i].value);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

ng_status ng_net_to_json(const ng_net *net, char **out) {
    *out = NULL;
    json_t *result = ngi_net_result(net);
    char *text =
        result ? json_dumps(result, JSON_INDENT(2) | JSON_REAL_PRECISION(17))
               : NULL;
    json_decref(result);
    if (text) {
        *out = ngi_strdup(net->ctx, text);
        free(text);
    }
    return *out ? NG_OK : ngi_fail_memory(net->ctx);
}

/* ---- Reading --------------------------------------------------------------
 */

static ng_status malformed(const ng_net *net, const char *source,
                           const char *key) {
    return ngi_fail(net->ctx, NG_EDATA,
                    "%s: not a natgrad network: \"%s\" is missing or is not "
                    "as it should be",
                    source, key);
}

static double number_at(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static size_t count_at(const json_t *object, const char *key) {
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (size_t)value : 0;
}

static ng_score score_at(const json_t *object) {
    return (ng_score){number_at(object, "loss"), number_at(object, "accuracy"),
                      number_at(object, "squared_error")};
}

static bool find_optimizer(const char *text, ng_net_summary *s) {
    for (int i = 0; text && i <= (int)NG_TRAIN_ADAMW; i++) {
        s->optimizer = ngi_trainer_name((ng_trainer)i);
        if (strcmp(text, s->optimizer) == 0)
            return true;
    }
    return false;
}

static bool find_stop(const char *text, ng_net_summary *s) {
    for (int i = 0; text && i <= (int)NG_NET_STOPPED; i++) {
        s->stop = (ng_net_stop)i;
        if (strcmp(text, ngi_net_stop_text(s->stop)) == 0)
            return true;
    }
    return false;
}

static ng_status read_tests(ng_net *net, const char *source,
                            const json_t *array) {
    if (!json_is_array(array))
        return malformed(net, source, "test");
    NG_TRY(ngi_net_allocate_tests(net, json_array_size(array)));
    for (size_t i = 0; i < net->summary.tests; i++) {
        const json_t *object = json_array_get(array, i);
        const char *file = json_string_value(json_object_get(object, "file"));
        if (!file)
            return malformed(net, source, "test");
        net->test_name[i] = ngi_strdup(net->ctx, file);
        if (!net->test_name[i])
            return NG_ENOMEM;
        net->test[i] = score_at(object);
    }
    return NG_OK;
}

ng_status ngi_net_result_read(ng_net *net, const char *source,
                              const json_t *result) {
    ng_net_summary *s = &net->summary;
    const json_t *warnings = json_object_get(result, "warnings");
    if (!find_optimizer(json_string_value(json_object_get(result, "optimizer")),
                        s))
        return malformed(net, source, "optimizer");
    if (!find_stop(json_string_value(json_object_get(result, "stop")), s))
        return malformed(net, source, "stop");
    s->epochs = count_at(result, "epochs");
    s->iterations = count_at(result, "iterations");
    s->examples = number_at(result, "examples");
    s->seconds = number_at(result, "seconds");
    s->batch = count_at(result, "batch");
    s->train = score_at(json_object_get(result, "train"));
    s->valid = score_at(json_object_get(result, "valid"));
    s->converged = json_is_true(json_object_get(result, "converged"));
    s->damping = number_at(result, "damping");
    s->rate = number_at(result, "rate");
    s->momentum = number_at(result, "momentum");
    s->l2 = number_at(result, "l2");
    s->memory = number_at(result, "memory_mib") * 0x1p20;
    for (size_t i = 0; i < json_array_size(warnings); i++) {
        const char *text = json_string_value(json_array_get(warnings, i));
        if (text)
            NG_TRY(ngi_net_warn(net, text));
    }
    return read_tests(net, source, json_object_get(result, "test"));
}

/* ---- The network ----------------------------------------------------------
 */

json_t *ngi_net_network_json(const ngi_architecture *a,
                             ng_precision precision) {
    return json_pack("{s:s, s:s, s:I, s:I, s:[I,I,I], s:s}", "layers", a->text,
                     "family", a->family_name, "levels", (json_int_t)a->levels,
                     "targets", (json_int_t)a->targets, "input",
                     (json_int_t)a->image.channels, (json_int_t)a->image.height,
                     (json_int_t)a->image.width, "precision",
                     precision == NG_DOUBLE ? "double" : "single");
}
