/* Checkpoints: one safetensors file in a directory, written anew each time and
 * renamed over the old one, from which a run goes on as if never stopped. */
#include "data/text.h"
#include "learner/net.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

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
                        "%s: the checkpoint is damaged: expected a tensor "
                        "\"%s\" of %zu numbers",
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

static int by_name(const void *a, const void *b) {
    const ngi_tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* Of all numbers and their names, in whatever order the file has them. */
static ng_status checksum(const ngi_tensors *tensors, uint64_t *out) {
    size_t count = tensors->count;
    const ngi_tensor **sorted = ngi_alloc(tensors->ctx, count, sizeof *sorted);
    if (!sorted)
        return NG_ENOMEM;
    for (size_t i = 0; i < count; i++)
        sorted[i] = &tensors->tensor[i];
    qsort(sorted, count, sizeof *sorted, by_name);
    uLong sum = crc32_z(0, NULL, 0);
    for (size_t i = 0; i < count; i++) {
        const ngi_tensor *t = sorted[i];
        sum = crc32_z(sum, (const unsigned char *)t->name, strlen(t->name) + 1);
        sum = crc32_z(sum, t->data, t->count * ngi_tensor_type_size(t->type));
    }
    ngi_free(tensors->ctx, sorted);
    *out = sum;
    return NG_OK;
}

/* Once all tensors are there. */
static ng_status add_metadata(const ngi_net_run *run, ngi_tensors *tensors) {
    uint64_t sum;
    NG_TRY(checksum(tensors, &sum));
    json_t *object = json_pack(
        "{s:s, s:s, s:I, s:I, s:o}", "version", ng_version(), "learner",
        "net checkpoint", "threads", (json_int_t)ngi_threads(run->ctx),
        "checksum", (json_int_t)sum, "run", ngi_net_run_description(run));
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
    NG_TRY_GOTO(visit_run(&t, save_array));
    NG_TRY_GOTO(ng_train_visit(run->train, 0, save_array, &t));
    NG_TRY_GOTO(add_metadata(run, t.tensors));
    NG_TRY_GOTO(ngi_tensors_write(t.tensors, path));
fail:
    ngi_tensors_destroy(&t.tensors);
    ngi_free(run->ctx, path);
    return status;
}

/* ---- Resuming -------------------------------------------------------------
 */

static ng_status damaged(const transfer *t, const char *what) {
    return ngi_fail(t->run->ctx, NG_EDATA, "%s: the checkpoint is damaged: %s",
                    t->path, what);
}

static ng_status check_sum(const transfer *t, const json_t *object) {
    const json_t *written = json_object_get(object, "checksum");
    uint64_t sum;
    NG_TRY(checksum(t->tensors, &sum));
    if (!json_is_integer(written))
        return damaged(t, "its \"checksum\" is missing or no whole number");
    if (json_integer_value(written) != (json_int_t)sum)
        return damaged(t, "its numbers are not those that were written");
    return NG_OK;
}

/* Sums in another order: rounding. */
static ng_status check_threads(const transfer *t, const json_t *object) {
    ng_ctx *ctx = t->run->ctx;
    const json_t *value = json_object_get(object, "threads");
    json_int_t threads = json_integer_value(value);
    if (!json_is_integer(value) || threads < 1)
        return damaged(t, "its \"threads\" is missing or no whole number from "
                          "1");
    if (threads != (json_int_t)ngi_threads(ctx))
        ngi_warn(ctx,
                 "%s: the run had %lld thread%s, not %zu: it goes on to the "
                 "same result but for rounding",
                 t->path, (long long)threads, threads == 1 ? "" : "s",
                 ngi_threads(ctx));
    return NG_OK;
}

static ng_status check_object(const transfer *t, const json_t *object) {
    const char *learner = json_string_value(json_object_get(object, "learner"));
    if (!learner || strcmp(learner, "net checkpoint") != 0)
        return ngi_fail(t->run->ctx, NG_EDATA,
                        "%s: not a checkpoint of a network", t->path);
    NG_TRY(check_sum(t, object));
    NG_TRY(
        ngi_net_run_compare(t->run, t->path, json_object_get(object, "run")));
    return check_threads(t, object);
}

static ng_status check_metadata(const transfer *t) {
    const char *text = ngi_tensors_metadata(t->tensors, "natgrad");
    json_error_t error;
    json_t *object =
        text ? json_loads(text, JSON_REJECT_DUPLICATES, &error) : NULL;
    ng_status status = check_object(t, object);
    json_decref(object);
    return status;
}

/* Counts that are used as places must be such. */
static bool counters_agree(const ngi_net_run *run) {
    const ngi_net_counters *c = &run->counters;
    const ngi_net_numbers *n = &run->numbers;
    double iterations = (double)c->iteration;
    uint64_t batch = c->iteration ? ngi_net_batch_at(run, c->iteration - 1) : 0;
    return c->iteration <= INT64_MAX && c->epoch <= c->iteration &&
           c->scored <= c->iteration && c->stale <= c->iteration &&
           c->batch == batch && c->average <= 1 &&
           c->has_best <= (run->best ? 1 : 0) && c->position <= run->examples &&
           !ngi_net_epoch_is_over(run, c->position, c->iteration) &&
           n->examples >= iterations &&
           n->examples <= iterations * (double)run->largest &&
           n->seconds >= 0 && isfinite(n->seconds);
}

static ng_status load(ngi_net_run *run, const char *path) {
    transfer t = {.run = run, .path = path};
    ng_status status;
    NG_TRY(ngi_tensors_read(run->ctx, path, &t.tensors));
    NG_TRY_GOTO(check_metadata(&t));
    NG_TRY_GOTO(visit_run(&t, load_array));
    if (!counters_agree(run))
        NG_TRY_GOTO(damaged(&t, "its counters contradict each other"));
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

/* Whether the name is one that ng_writer gives a file that is not whole yet,
 * and the process that was writing it is no more. */
static bool is_left_over(const char *name) {
    unsigned long process, moment;
    unsigned number;
    char again[80];
    if (sscanf(name, ".natgrad-%lx-%lx-%u.tmp", &process, &moment, &number) !=
        3)
        return false;
    snprintf(again, sizeof again, ".natgrad-%lx-%lx-%u.tmp", process, moment,
             number);
    return strcmp(name, again) == 0 && process > 0 && process <= INT_MAX &&
           kill((pid_t)process, 0) != 0 && errno == ESRCH;
}

/* What runs that were killed while they wrote have left. A directory that may
 * be written but not listed keeps it. */
static void remove_left_over(const char *path) {
    DIR *directory = opendir(path);
    if (!directory)
        return;
    for (struct dirent *e = readdir(directory); e; e = readdir(directory))
        if (is_left_over(e->d_name))
            unlinkat(dirfd(directory), e->d_name, 0);
    closedir(directory);
}

ng_status ngi_net_checkpoint_open(ngi_net_run *run) {
    char *path;
    if (!run->options->resume)
        NG_TRY(make_directory(run->ctx, run->options->checkpoint));
    NG_TRY(path_of(run, &path));
    run->checksum = ngi_net_data_checksum(run);
    ng_status status = open_path(run, path);
    ngi_free(run->ctx, path);
    if (status == NG_OK)
        remove_left_over(run->options->checkpoint);
    return status;
}
