/* Checkpoints: one safetensors file in a directory, written anew each time and
 * renamed over the old one, from which a run goes on as if never stopped. */
#include "data/text.h"
#include "learner/model_json.h"
#include "learner/net.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* ---- What a run must agree with -------------------------------------------
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
static uint64_t checksum(const ngi_net_run *run) {
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

static int set(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value);
}

static int set_whole(json_t *object, const char *key, uint64_t value) {
    return set(object, key, json_integer((json_int_t)value));
}

static int set_number(json_t *object, const char *key, double value) {
    return set(object, key, ngi_json_number(value));
}

static int set_training(json_t *object, const ng_train_options *o) {
    int bad =
        set(object, "optimizer", json_string(ngi_trainer_name(o->optimizer)));
    bad |= set_whole(object, "batch", o->batch);
    bad |= set_whole(object, "seed", o->seed);
    bad |= set_number(object, "l2", o->l2);
    bad |= set_number(object, "rate", o->rate);
    bad |= set_number(object, "momentum", o->momentum);
    bad |= set_whole(object, "schedule", o->schedule);
    bad |= set_whole(object, "horizon of the schedule", o->horizon);
    bad |= set_number(object, "weight decay", o->weight_decay);
    bad |= set_whole(object, "fisher", o->fisher);
    bad |= set_whole(object, "fisher samples", o->fisher_samples);
    bad |= set_whole(object, "sharing", o->sharing);
    bad |= set_number(object, "curvature fraction", o->curvature_fraction);
    bad |= set_number(object, "statistics every", o->statistics_every);
    bad |= set_number(object, "inverse every", o->inverse_every);
    bad |= set_number(object, "inverse delay", o->inverse_delay);
    bad |= set_number(object, "statistics decay", o->statistics_decay);
    bad |= set_number(object, "damping", o->damping);
    bad |= set(object, "adapt damping", json_boolean(o->adapt_damping));
    bad |= set_number(object, "KL radius", o->kl_radius);
    bad |= set_number(object, "average", o->average);
    return bad | set_whole(object, "CG iterations", o->cg_iterations);
}

/* Limits are not among it: a run may be prolonged. */
static json_t *describe(const ngi_net_run *run) {
    const ng_net_options *o = run->options;
    const ng_network *network = run->net->network;
    json_t *object =
        ngi_net_network_json(network->architecture, network->precision);
    int bad = object ? 0 : -1;
    bad |= set(object, "init", json_integer(o->init));
    bad |= set_training(object, &run->train_options);
    bad |= set(object, "first batch", json_integer((json_int_t)o->first_batch));
    bad |= set(object, "growing", json_integer((json_int_t)o->growing));
    bad |= set_number(object, "validation fraction", o->valid_fraction);
    bad |= set_whole(object, "shift", o->shift);
    /* Without validation they change nothing. */
    bad |= set_whole(object, "evaluations every",
                     run->validates ? o->evaluate_every : 0);
    bad |= set_whole(object, "examples", ng_array_rows(&run->view.x));
    bad |= set_whole(object, "validation examples",
                     run->options->valid ? ng_array_rows(&run->valid.x) : 0);
    bad |= set_whole(object, "checksum of the data", run->checksum);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

/* ---- Saving ---------------------------------------------------------------
 */

static ng_status path_of(const ngi_net_run *run, char **out) {
    static const char file[] = "/checkpoint.safetensors";
    const char *directory = run->options->checkpoint;
    size_t length = strlen(directory), size = length + sizeof file;
    *out = ngi_alloc(run->ctx, size, 1);
    if (!*out)
        return NG_ENOMEM;
    snprintf(*out, size, "%s%s", directory, file);
    return NG_OK;
}

typedef struct transfer {
    ngi_net_run *run;
    ngi_tensors *tensors;
    const char *path;
    const char *prefix;
} transfer;

static ngi_tensor_type type_of(const transfer *t, char kind) {
    if (kind == 'u')
        return NGI_TENSOR_I64;
    return kind == 'd' || t->run->options->precision == NG_DOUBLE
               ? NGI_TENSOR_F64
               : NGI_TENSOR_F32;
}

static void name_tensor(const transfer *t, const char *name, char out[128]) {
    snprintf(out, 128, "%s.%s", t->prefix, name);
}

static ng_status save_array(void *user, const char *name, char kind,
                            size_t count, void *data) {
    const transfer *t = user;
    char text[128];
    name_tensor(t, name, text);
    return ngi_tensors_add_data(t->tensors, text, type_of(t, kind), 1, &count,
                                data);
}

static ng_status load_array(void *user, const char *name, char kind,
                            size_t count, void *data) {
    const transfer *t = user;
    char text[128];
    name_tensor(t, name, text);
    const ngi_tensor *tensor = ngi_tensors_find(t->tensors, text);
    if (!tensor || tensor->type != type_of(t, kind) || tensor->count != count)
        return ngi_fail(t->run->ctx, NG_EDATA,
                        "%s: damaged: expected a tensor \"%s\" of %zu numbers",
                        t->path, text, count);
    memcpy(data, tensor->data, count * ngi_tensor_type_size(tensor->type));
    return NG_OK;
}

/* Everything that is not the trainer's. */
static ng_status visit_run(transfer *t, ng_train_visitor visit) {
    ngi_net_run *run = t->run;
    t->prefix = "run";
    NG_TRY(visit(t, "counters", 'u', sizeof run->counters / sizeof(uint64_t),
                 &run->counters));
    NG_TRY(visit(t, "numbers", 'd', sizeof run->numbers / sizeof(double),
                 &run->numbers));
    if (run->counters.has_best && run->best)
        NG_TRY(visit(t, "best", 'd', ng_network_parameters(run->net->network),
                     run->best));
    t->prefix = "train";
    return NG_OK;
}

static ng_status add_metadata(const ngi_net_run *run, ngi_tensors *tensors) {
    json_t *object =
        json_pack("{s:s, s:s, s:I, s:o}", "version", ng_version(), "learner",
                  "net checkpoint", "threads",
                  (json_int_t)ngi_threads(run->ctx), "run", describe(run));
    char *text = object ? json_dumps(object, JSON_REAL_PRECISION(17)) : NULL;
    json_decref(object);
    if (!text)
        return ngi_fail_memory(run->ctx);
    ng_status status = ngi_tensors_set_metadata(tensors, "natgrad", text);
    free(text);
    return status;
}

ng_status ngi_net_checkpoint_save(ngi_net_run *run) {
    transfer t = {.run = run};
    ng_status status;
    char *path;
    NG_TRY(path_of(run, &path));
    NG_TRY_GOTO(ngi_tensors_create(run->ctx, &t.tensors));
    NG_TRY_GOTO(add_metadata(run, t.tensors));
    NG_TRY_GOTO(visit_run(&t, save_array));
    NG_TRY_GOTO(ng_train_visit(run->train, 0, save_array, &t));
    NG_TRY_GOTO(ngi_tensors_write(t.tensors, path));
fail:
    ngi_tensors_destroy(&t.tensors);
    ngi_free(run->ctx, path);
    return status;
}

/* ---- Resuming -------------------------------------------------------------
 */

static ng_status fail_other(const transfer *t, const char *key,
                            const json_t *was, const json_t *is) {
    const int flags = JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(12);
    char *before = was ? json_dumps(was, flags) : NULL;
    char *here = json_dumps(is, flags);
    if (strcmp(key, "checksum of the data") == 0)
        ngi_fail(t->run->ctx, NG_EDATA,
                 "%s: the checkpoint is of a run on other data than %s",
                 t->path, t->run->data->x_name);
    else
        ngi_fail(t->run->ctx, NG_EDATA,
                 "%s: the checkpoint is of another run: its %s is %.200s, here "
                 "it is %.200s",
                 t->path, key, before ? before : "not there",
                 here ? here : "another");
    free(before);
    free(here);
    return NG_EDATA;
}

/* A number of the file is as it was written, to the last bit. */
static ng_status compare(const transfer *t, const json_t *was, json_t *is) {
    const char *key;
    json_t *value;
    json_object_foreach(is, key, value) {
        const json_t *before = json_object_get(was, key);
        if (!before || !json_equal(before, value))
            return fail_other(t, key, before, value);
    }
    return NG_OK;
}

static ng_status compare_runs(const transfer *t) {
    const char *text = ngi_tensors_metadata(t->tensors, "natgrad");
    ng_ctx *ctx = t->run->ctx;
    json_error_t error;
    json_t *object =
        text ? json_loads(text, JSON_REJECT_DUPLICATES, &error) : NULL;
    const char *learner = json_string_value(json_object_get(object, "learner"));
    json_int_t threads = json_integer_value(json_object_get(object, "threads"));
    ng_status status;
    if (!learner || strcmp(learner, "net checkpoint") != 0) {
        json_decref(object);
        return ngi_fail(ctx, NG_EDATA, "%s: not a checkpoint of a network",
                        t->path);
    }
    json_t *own = describe(t->run);
    if (own)
        status = compare(t, json_object_get(object, "run"), own);
    else
        status = ngi_fail_memory(ctx);
    if (status == NG_OK && threads != (json_int_t)ngi_threads(ctx))
        ngi_warn(ctx,
                 "%s: the run had %lld threads, not %zu: it goes on to the "
                 "same result but for rounding",
                 t->path, (long long)threads, ngi_threads(ctx));
    json_decref(own);
    json_decref(object);
    return status;
}

/* Counts that are used as places must be such. */
static ng_status check_counters(const transfer *t) {
    const ngi_net_run *run = t->run;
    const ngi_net_counters *c = &run->counters;
    if (c->iteration > INT64_MAX || c->epoch > c->iteration ||
        c->scored > c->iteration || c->batch > run->largest ||
        (c->has_best && !run->best) ||
        c->position + ngi_net_batch_at(run, c->iteration) > run->examples ||
        c->position > run->examples)
        return ngi_fail(run->ctx, NG_EDATA,
                        "%s: damaged: its counters contradict each other",
                        t->path);
    return NG_OK;
}

static ng_status load(ngi_net_run *run, const char *path) {
    transfer t = {.run = run, .path = path};
    ng_status status;
    NG_TRY(ngi_tensors_read(run->ctx, path, &t.tensors));
    NG_TRY_GOTO(compare_runs(&t));
    NG_TRY_GOTO(visit_run(&t, load_array));
    NG_TRY_GOTO(check_counters(&t));
    NG_TRY_GOTO(ng_train_visit(run->train, 1, load_array, &t));
    /* What the trainer goes on from gave a loss when it was saved. */
    ng_network_get(run->net->network, run->good);
fail:
    ngi_tensors_destroy(&t.tensors);
    return status;
}

/* ---- The directory --------------------------------------------------------
 */

static ng_status make_directory(ng_ctx *ctx, const char *path) {
    char text[128];
    struct stat about;
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return ngi_fail(ctx, NG_EWRITE, "%s: the directory cannot be made: %s",
                        path, ngi_errno_text(errno, text, sizeof text));
    if (stat(path, &about) != 0 || !S_ISDIR(about.st_mode))
        return ngi_fail(ctx, NG_EWRITE,
                        "%s: expected a directory for checkpoints", path);
    if (access(path, W_OK | X_OK) != 0)
        return ngi_fail(ctx, NG_EWRITE, "%s: cannot be written: %s", path,
                        ngi_errno_text(errno, text, sizeof text));
    return NG_OK;
}

static ng_status open_path(ngi_net_run *run, const char *path) {
    struct stat about;
    bool there = stat(path, &about) == 0;
    if (run->options->resume && !there)
        return ngi_fail(run->ctx, NG_EDATA,
                        "%s: there is no checkpoint to resume from", path);
    if (!run->options->resume && there)
        return ngi_fail(run->ctx, NG_EUSAGE,
                        "%s: there is a checkpoint already; resume it or "
                        "choose another directory",
                        path);
    return there ? load(run, path) : NG_OK;
}

ng_status ngi_net_checkpoint_open(ngi_net_run *run) {
    char *path;
    if (!run->options->resume)
        NG_TRY(make_directory(run->ctx, run->options->checkpoint));
    NG_TRY(path_of(run, &path));
    run->checksum = checksum(run);
    ng_status status = open_path(run, path);
    ngi_free(run->ctx, path);
    return status;
}
