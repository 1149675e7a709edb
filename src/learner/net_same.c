/* What a run that goes on must have in common with the one that stopped, in
 * words that can be shown where it has not. */
#include "learner/model_json.h"
#include "learner/net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* ---- The data -------------------------------------------------------------
 */

static void update_sum(const ng_array *array, const size_t *row, size_t rows,
                       uLong *sum) {
    size_t width = ng_array_width(array) * ng_dtype_size(array->dtype);
    for (size_t i = 0; array->data && i < rows; i++)
        *sum = crc32_z(*sum,
                       (const unsigned char *)array->data +
                           (row ? row[i] : i) * width,
                       width);
}

/* Of the data themselves, in the order of the split. */
uint64_t ngi_net_data_checksum(const ngi_net_run *run) {
    uLong sum = crc32_z(0, NULL, 0);
    size_t rows = ng_array_rows(&run->view.x);
    update_sum(&run->view.x, run->row, rows, &sum);
    update_sum(&run->view.y, run->row, rows, &sum);
    if (run->options->valid) {
        rows = ng_array_rows(&run->valid.x);
        update_sum(&run->valid.x, NULL, rows, &sum);
        update_sum(&run->valid.y, NULL, rows, &sum);
    }
    return sum;
}

/* ---- The description ------------------------------------------------------
 */

static int set_text(json_t *object, const char *key, const char *text) {
    return json_object_set_new(object, key, json_string(text));
}

static int set_whole(json_t *object, const char *key, uint64_t value) {
    return json_object_set_new(object, key, json_integer((json_int_t)value));
}

static int set_number(json_t *object, const char *key, double value) {
    return json_object_set_new(object, key, ngi_json_number(value));
}

/* A negative number leaves the choice to the library. */
static int set_choice(json_t *object, const char *key, double value,
                      const char *otherwise) {
    return value < 0 ? set_text(object, key, otherwise)
                     : set_number(object, key, value);
}

static int set_default(json_t *object, const char *key, double value) {
    return set_choice(object, key, value, "the default");
}

#define KEY(name, key) key,
static const char *const FISHERS[] = {
    [NG_FISHER_EXACT] = "exact",
    [NG_FISHER_SAMPLED] = "sampled",
    [NG_FISHER_EMPIRICAL] = "empirical",
    [NG_FISHER_OBSERVED] = "observed",
};
static const char *const SHARINGS[] = {NG_SHARING_LIST(KEY)};
static const char *const SCHEDULES[] = {NG_SCHEDULE_LIST(KEY)};
#undef KEY

/* With the iteration where it ends, which depends on the limits. */
static int set_schedule(json_t *object, const ng_train_options *o) {
    char text[64];
    const char *name = SCHEDULES[o->schedule];
    if (o->horizon)
        snprintf(text, sizeof text, "%s over %zu iteration%s", name, o->horizon,
                 o->horizon == 1 ? "" : "s");
    else
        snprintf(text, sizeof text, "%s", name);
    return set_text(object, "schedule", text);
}

static int set_curvature(json_t *object, const ng_train_options *o) {
    int bad = set_text(object, "fisher", FISHERS[o->fisher]);
    bad |= set_whole(object, "number of Fisher samples", o->fisher_samples);
    bad |= set_text(object, "sharing", SHARINGS[o->sharing]);
    bad |= set_default(object, "curvature fraction", o->curvature_fraction);
    bad |= set_default(object, "interval of statistics", o->statistics_every);
    bad |= set_default(object, "interval of inverses", o->inverse_every);
    bad |= set_default(object, "delay of inverses", o->inverse_delay);
    bad |= set_default(object, "decay of statistics", o->statistics_decay);
    bad |= set_choice(object, "damping", o->damping, "found by itself");
    bad |= set_text(object, "adaptation of the damping",
                    o->adapt_damping ? "on" : "off");
    bad |= set_default(object, "KL radius", o->kl_radius);
    bad |= set_default(object, "average", o->average);
    return bad |
           (o->cg_iterations
                ? set_whole(object, "number of CG iterations", o->cg_iterations)
                : set_text(object, "number of CG iterations", "the default"));
}

static int set_training(json_t *object, const ng_train_options *o) {
    const char *found = ng_trainer_second_order(o->optimizer)
                            ? "found by itself"
                            : "the default";
    int bad = set_text(object, "optimizer", ngi_trainer_name(o->optimizer));
    bad |= set_whole(object, "batch", o->batch);
    bad |= set_whole(object, "seed", o->seed);
    bad |= set_number(object, "l2", o->l2);
    bad |= set_choice(object, "rate", o->rate, found);
    bad |= set_choice(object, "momentum", o->momentum, found);
    bad |= set_schedule(object, o);
    bad |= set_default(object, "weight decay", o->weight_decay);
    return bad | set_curvature(object, o);
}

static int set_batches(json_t *object, const ng_net_options *o) {
    int bad = o->first_batch ? set_whole(object, "first batch", o->first_batch)
                             : set_text(object, "first batch", "as the others");
    bad |= set_whole(object, "growth of the batch", o->growing);
    bad |= set_number(object, "validation fraction", o->valid_fraction);
    return bad | set_whole(object, "shift", o->shift);
}

/* Evaluations decide which parameters are the best by validation, and when
 * patience is over. Without validation they change nothing. */
static int set_evaluations(json_t *object, const ngi_net_run *run) {
    static const char key[] = "interval of evaluations";
    size_t every = run->validates ? run->options->evaluate_every : 0;
    return every ? set_whole(object, key, every)
                 : set_text(object, key, "1 epoch");
}

/* What follows from the data comes after them, or they would not be blamed.
 * Limits are not among it: a run may be prolonged. */
json_t *ngi_net_run_description(const ngi_net_run *run) {
    const ng_net_options *o = run->options;
    const ng_network *network = run->net->network;
    json_t *object = json_object();
    json_t *layers =
        ngi_net_network_json(network->architecture, network->precision);
    int bad = object && layers ? 0 : -1;
    bad |= set_whole(object, "examples", ng_array_rows(&run->view.x));
    bad |= set_whole(object, "validation examples",
                     o->valid ? ng_array_rows(&run->valid.x) : 0);
    bad |= json_object_update(object, layers);
    bad |=
        set_text(object, "init",
                 o->init < 0 ? "the default" : ngi_init_name((ng_init)o->init));
    bad |= set_training(object, &run->train_options);
    bad |= set_batches(object, o);
    bad |= set_evaluations(object, run);
    bad |= set_whole(object, "checksum", run->checksum);
    json_decref(layers);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

/* ---- Differences ----------------------------------------------------------
 */

static bool is_of_data(const char *key) {
    return strcmp(key, "examples") == 0 ||
           strcmp(key, "validation examples") == 0;
}

/* As people write it; to be freed, NULL when out of memory. */
static char *shown(const json_t *value) {
    char text[40];
    if (json_is_string(value))
        return strdup(json_string_value(value));
    if (!json_is_real(value))
        return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    snprintf(text, sizeof text, "%.12g", json_real_value(value));
    return strdup(text);
}

static ng_status fail_other(const ngi_net_run *run, const char *path,
                            const char *key, const json_t *was,
                            const json_t *is) {
    char *before = was ? shown(was) : NULL, *here = shown(is);
    if (strcmp(key, "checksum") == 0)
        ngi_fail(run->ctx, NG_EDATA,
                 "%s: the checkpoint is of a run on other data than %s", path,
                 run->data->x_name);
    else
        ngi_fail(run->ctx, NG_EDATA,
                 "%s: the checkpoint is of %s%s: %s: %.200s, here %.200s", path,
                 is_of_data(key) ? "a run on other data than " : "another run",
                 is_of_data(key) ? run->data->x_name : "", key,
                 before ? before : "not there", here ? here : "another");
    free(before);
    free(here);
    return NG_EDATA;
}

/* A number of the file is as it was written, to the last bit. */
static ng_status compare(const ngi_net_run *run, const char *path,
                         const json_t *was, json_t *is) {
    const char *key;
    json_t *value;
    json_object_foreach(is, key, value) {
        const json_t *before = json_object_get(was, key);
        if (!before || !json_equal(before, value))
            return fail_other(run, path, key, before, value);
    }
    return NG_OK;
}

ng_status ngi_net_run_compare(const ngi_net_run *run, const char *path,
                              const json_t *description) {
    json_t *own = ngi_net_run_description(run);
    if (!own)
        return ngi_fail_memory(run->ctx);
    ng_status status = compare(run, path, description, own);
    json_decref(own);
    return status;
}
