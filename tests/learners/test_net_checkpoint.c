/* Runs that are stopped and go on: bit for bit as if they never had been, and
 * not at all where something else is there. */
#include "net_fixture.h"

#include "data/tensors.h"

#include <jansson.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <zlib.h>

static folder place;
static ng_net_data *data;

static void begin(size_t rows) {
    folder_open(&place);
    write_points(folder_file(&place, "points.csv"), rows, 1);
    data = read_net_data(place.file, "kind", NULL, NULL);
}

static void end(void) {
    ng_net_data_destroy(&data);
    folder_remove(place.path);
}

static const char *folder_of(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", place.path, name);
    return path;
}

static const char *checkpoint_of(const char *name) {
    static char path[600];
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", folder_of(name));
    return path;
}

static int stop_at(void *user, const ng_net_progress *progress) {
    return progress->iteration >= *(const size_t *)user;
}

static ng_net_options options_of(ng_trainer optimizer) {
    ng_net_options options = net_options("8 tanh, 6 relu", optimizer);
    options.iterations = 12;
    options.seed = 5;
    options.first_batch = 30;
    options.growing = 10;
    options.train.l2 = 1e-3;
    /* Inverses are on their way most of the time. */
    options.train.inverse_every = 4;
    options.train.inverse_delay = 2;
    return options;
}

/* Stops at `stop`, goes on, and compares with the run that went through. */
static void check_stop(ng_net_options options, ng_net *whole, size_t stop) {
    char name[32];
    snprintf(name, sizeof name, "stop%zu", stop);
    options.checkpoint = folder_of(name);
    options.monitor = stop_at;
    options.user = &stop;
    ng_net *first = fit_net(data, &options);
    ck_assert_int_eq(ng_net_result(first)->stop, NG_NET_STOPPED);
    ck_assert_uint_eq(ng_net_result(first)->iterations, stop);
    ng_net_destroy(&first);
    options.monitor = NULL;
    options.resume = 1;
    /* A monitor asks for evaluations, unless they are given. */
    ng_net *rest = fit_net(data, &options);
    const ng_net_summary *a = ng_net_result(whole), *b = ng_net_result(rest);
    check_same_theta(whole, rest);
    ck_assert_int_eq(a->stop, b->stop);
    ck_assert_uint_eq(a->iterations, b->iterations);
    ck_assert_uint_eq(a->epochs, b->epochs);
    ck_assert(a->train.loss == b->train.loss);
    ck_assert(a->examples == b->examples);
    ck_assert(memcmp(&a->damping, &b->damping, sizeof a->damping) == 0);
    ng_net_destroy(&rest);
}

static const ng_trainer OPTIMIZERS[] = {
    NG_TRAIN_KFAC, NG_TRAIN_EKFAC,    NG_TRAIN_LAYER_DENSE,
    NG_TRAIN_CG,   NG_TRAIN_DIAGONAL, NG_TRAIN_SAMPLE_SPACE,
    NG_TRAIN_SGD,  NG_TRAIN_MOMENTUM, NG_TRAIN_RMSPROP,
    NG_TRAIN_ADAM, NG_TRAIN_ADAMW,    NG_TRAIN_NATURAL};
enum { OPTIMIZER_COUNT = sizeof OPTIMIZERS / sizeof *OPTIMIZERS };

START_TEST(a_resumed_run_ends_in_the_same_bits) {
    begin(700);
    ng_net_options options = options_of(OPTIMIZERS[_i]);
    options.evaluate_every = 100;
    ng_net *whole = fit_net(data, &options);
    check_stop(options, whole, 1);
    check_stop(options, whole, 5);
    check_stop(options, whole, 11);
    ng_net_destroy(&whole);
    end();
}
END_TEST

START_TEST(inverses_that_are_being_made_survive_at_every_iteration) {
    ng_ctx_options two = {.threads = 2};
    ng_ctx_destroy(&ctx);
    ck_assert_int_eq(ng_ctx_create(&two, &ctx), NG_OK);
    begin(1200);
    ng_net_options options = options_of(_i ? NG_TRAIN_EKFAC : NG_TRAIN_KFAC);
    options.evaluate_every = 100;
    ng_net *whole = fit_net(data, &options);
    for (size_t stop = 2; stop < 12; stop++)
        check_stop(options, whole, stop);
    ng_net_destroy(&whole);
    end();
}
END_TEST

START_TEST(validation_and_patience_go_on_where_they_were) {
    begin(400);
    ng_net_options options = options_of(_i ? NG_TRAIN_ADAM : NG_TRAIN_KFAC);
    options.iterations = 300;
    options.valid_fraction = 0.3;
    options.patience = 3;
    options.evaluate_every = 2;
    ng_net *whole = fit_net(data, &options);
    size_t iterations = ng_net_result(whole)->iterations;
    ck_assert_uint_gt(iterations, 9);
    check_stop(options, whole, 3);
    check_stop(options, whole, iterations - 1);
    check_stop(options, whole, iterations - 4);
    ng_net_destroy(&whole);
    end();
}
END_TEST

START_TEST(a_schedule_goes_on_where_it_was) {
    begin(500);
    ng_net_options options = options_of(NG_TRAIN_ADAM);
    options.iterations = 0;
    options.epochs = 4;
    options.first_batch = 0;
    options.train.schedule = NG_SCHEDULE_COSINE;
    ng_net *whole = fit_net(data, &options);
    ck_assert_uint_eq(ng_net_result(whole)->iterations, 12);
    /* A 12th of the cosine is left. */
    NEAR(ng_net_result(whole)->rate, 1e-3 * (1 + cos(acos(-1) * 11 / 12)) / 2,
         1e-12);
    check_stop(options, whole, 7);
    ng_net_destroy(&whole);
    end();
}
END_TEST

static void copy_file(const char *from, const char *to) {
    static char bytes[1 << 22];
    FILE *stream = fopen(from, "rb");
    ck_assert_ptr_nonnull(stream);
    size_t size = fread(bytes, 1, sizeof bytes, stream);
    fclose(stream);
    write_bytes(to, bytes, size);
}

static int copy_at_seven(void *user, const ng_net_progress *progress) {
    if (progress->iteration != 7)
        return 0;
    ck_assert_int_eq(mkdir(user, 0777), 0);
    char path[600];
    snprintf(path, sizeof path, "%s/checkpoint.safetensors",
             (const char *)user);
    copy_file(checkpoint_of("run"), path);
    return 0;
}

/* What kill -9 leaves is the file as it is at that moment. */
START_TEST(a_checkpoint_in_the_middle_leads_to_the_same_end) {
    char killed[512];
    begin(700);
    strcpy(killed, folder_of("killed"));
    ng_net_options options = options_of(NG_TRAIN_KFAC);
    options.evaluate_every = 5;
    options.checkpoint = strdup(folder_of("run"));
    options.checkpoint_every = 3;
    options.monitor = copy_at_seven;
    options.user = killed;
    ng_net *whole = fit_net(data, &options);
    free((char *)(uintptr_t)options.checkpoint);
    options.checkpoint = killed;
    options.monitor = NULL;
    options.resume = 1;
    ng_net *rest = fit_net(data, &options);
    check_same_theta(whole, rest);
    ng_net_destroy(&rest);
    ng_net_destroy(&whole);
    end();
}
END_TEST

START_TEST(a_run_that_is_done_can_be_prolonged) {
    begin(300);
    ng_net_options options = options_of(NG_TRAIN_KFAC);
    ng_net *whole = fit_net(data, &options);
    options.checkpoint = folder_of("run");
    options.iterations = 4;
    ng_net *part = fit_net(data, &options);
    ck_assert_int_eq(ng_net_result(part)->stop, NG_NET_ITERATIONS);
    options.resume = 1;
    ng_net *same = fit_net(data, &options);
    check_same_theta(part, same);
    ck_assert_uint_eq(ng_net_result(same)->iterations, 4);
    options.iterations = 12;
    ng_net *rest = fit_net(data, &options);
    check_same_theta(whole, rest);
    ng_net_destroy(&whole);
    ng_net_destroy(&part);
    ng_net_destroy(&same);
    ng_net_destroy(&rest);
    end();
}
END_TEST

static int fill_disk(void *user, const ng_net_progress *progress) {
    const struct rlimit *limit = user;
    if (progress->iteration == 6)
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, limit), 0);
    return 0;
}

START_TEST(a_full_disk_costs_neither_the_run_nor_the_last_checkpoint) {
    struct rlimit before, small;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 1000;
    begin(300);
    ng_net_options options = options_of(NG_TRAIN_KFAC);
    options.evaluate_every = 100;
    ng_net *whole = fit_net(data, &options);
    options.checkpoint = folder_of("run");
    options.checkpoint_every = 2;
    options.monitor = fill_disk;
    options.user = &small;
    ng_net *net = fit_net(data, &options);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    check_same_theta(whole, net);
    ck_assert_uint_eq(ng_net_result(net)->warnings, 1);
    ck_assert_ptr_nonnull(
        strstr(ng_net_result(net)->warning[0], "cannot be written"));
    options.monitor = NULL;
    options.resume = 1;
    ng_net *rest = fit_net(data, &options);
    check_same_theta(whole, rest);
    ng_net_destroy(&whole);
    ng_net_destroy(&net);
    ng_net_destroy(&rest);
    end();
}
END_TEST

/* ---- What is not gone on with ---------------------------------------------
 */

static ng_net_options begin_checkpoint(void) {
    begin(200);
    ng_net_options options = options_of(NG_TRAIN_KFAC);
    options.iterations = 3;
    options.checkpoint = folder_of("run");
    ng_net *net = fit_net(data, &options);
    ng_net_destroy(&net);
    options.resume = 1;
    return options;
}

START_TEST(a_checkpoint_of_another_run_is_refused_with_what_differs) {
    ng_net *net;
    ng_net_options options = begin_checkpoint(), other;
    other = options;
    other.layers = "8 tanh";
    FAILS(ng_net_fit(ctx, data, &other, &net), NG_EDATA, checkpoint_of("run"),
          "layers", "8 tanh");
    other = options;
    other.train.optimizer = NG_TRAIN_EKFAC;
    FAILS(ng_net_fit(ctx, data, &other, &net), NG_EDATA, "optimizer", "ekfac");
    other = options;
    other.train.l2 = 0.5;
    FAILS(ng_net_fit(ctx, data, &other, &net), NG_EDATA, "l2", "0.5");
    other = options;
    other.seed = 6;
    FAILS(ng_net_fit(ctx, data, &other, &net), NG_EDATA, "seed", "6");
    other = options;
    other.precision = NG_DOUBLE;
    FAILS(ng_net_fit(ctx, data, &other, &net), NG_EDATA, "precision");
    ck_assert_ptr_null(net);
    end();
}
END_TEST

START_TEST(a_checkpoint_of_other_data_is_refused) {
    ng_net *net;
    ng_net_options options = begin_checkpoint();
    write_points(folder_file(&place, "others.csv"), 200, 2);
    ng_net_data *others = read_net_data(place.file, "kind", NULL, NULL);
    FAILS(ng_net_fit(ctx, others, &options, &net), NG_EDATA, "other data",
          "others.csv");
    ng_net_data_destroy(&others);
    end();
}
END_TEST

START_TEST(no_checkpoint_is_overwritten_and_none_invented) {
    ng_net *net;
    ng_net_options options = begin_checkpoint();
    options.resume = 0;
    FAILS(ng_net_fit(ctx, data, &options, &net), NG_EUSAGE,
          "there is a checkpoint already", "resume");
    options.resume = 1;
    options.checkpoint = folder_of("nowhere");
    FAILS(ng_net_fit(ctx, data, &options, &net), NG_EDATA, "nowhere",
          "no checkpoint to resume");
    options.checkpoint = NULL;
    FAILS(ng_net_fit(ctx, data, &options, &net), NG_EUSAGE, "directory");
    options.resume = 0;
    options.checkpoint = folder_file(&place, "points.csv");
    FAILS(ng_net_fit(ctx, data, &options, &net), NG_EWRITE, "points.csv",
          "directory");
    end();
}
END_TEST

START_TEST(differences_are_told_in_words) {
    ng_net *net;
    ng_net_options options = begin_checkpoint(), other = options;
    other.train.schedule = NG_SCHEDULE_COSINE;
    FAILS(ng_net_fit(ctx, data, &other, &net), NG_EDATA,
          "schedule: constant, here cosine over 3 iterations");
    other = options;
    other.train.damping = 3;
    FAILS(ng_net_fit(ctx, data, &other, &net), NG_EDATA,
          "damping: found by itself, here 3");
    other = options;
    other.init = NG_INIT_HE;
    FAILS(ng_net_fit(ctx, data, &other, &net), NG_EDATA,
          "init: the default, here he");
    other = options;
    other.train.fisher = NG_FISHER_EXACT;
    FAILS(ng_net_fit(ctx, data, &other, &net), NG_EDATA,
          "fisher: sampled, here exact");
    end();
}
END_TEST

START_TEST(data_of_another_size_are_other_data) {
    ng_net *net;
    ng_net_options options = begin_checkpoint();
    write_points(folder_file(&place, "fewer.csv"), 20, 1);
    ng_net_data *fewer = read_net_data(place.file, "kind", NULL, NULL);
    FAILS(ng_net_fit(ctx, fewer, &options, &net), NG_EDATA, "other data",
          "fewer.csv", "examples: 200, here 20");
    ng_net_data_destroy(&fewer);
    end();
}
END_TEST

START_TEST(evaluations_that_choose_parameters_are_part_of_the_run) {
    ng_net *net;
    begin(200);
    ng_net_options options = options_of(NG_TRAIN_KFAC);
    options.iterations = 3;
    options.valid = data;
    options.evaluate_every = 2;
    options.checkpoint = folder_of("run");
    net = fit_net(data, &options);
    ng_net_destroy(&net);
    options.resume = 1;
    options.evaluate_every = 3;
    FAILS(ng_net_fit(ctx, data, &options, &net), NG_EDATA,
          "interval of evaluations: 2, here 3");
    options.evaluate_every = 0;
    FAILS(ng_net_fit(ctx, data, &options, &net), NG_EDATA,
          "interval of evaluations: 2, here 1 epoch");
    end();
}
END_TEST

/* ---- Damage ---------------------------------------------------------------
 */

static ngi_tensor *tensor_of(ngi_tensors *tensors, const char *name) {
    ngi_tensor *found = NULL;
    for (size_t i = 0; i < tensors->count; i++)
        if (strcmp(tensors->tensor[i].name, name) == 0)
            found = &tensors->tensor[i];
    ck_assert_ptr_nonnull(found);
    return found;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const ngi_tensor *)a)->name, ((const ngi_tensor *)b)->name);
}

/* Writes a member of the metadata, or takes it away. */
static void set_member(ngi_tensors *tensors, const char *key, json_t *value) {
    json_t *object =
        json_loads(ngi_tensors_metadata(tensors, "natgrad"), 0, NULL);
    ck_assert_ptr_nonnull(object);
    if (value)
        json_object_set_new(object, key, value);
    else
        json_object_del(object, key);
    char *text = json_dumps(object, JSON_REAL_PRECISION(17));
    OK(ngi_tensors_set_metadata(tensors, "natgrad", text));
    free(text);
    json_decref(object);
}

/* Gives the numbers the checksum that they would have been written with. */
static void seal(ngi_tensors *tensors) {
    uLong sum = crc32_z(0, NULL, 0);
    qsort(tensors->tensor, tensors->count, sizeof *tensors->tensor, by_name);
    for (size_t i = 0; i < tensors->count; i++) {
        const ngi_tensor *t = &tensors->tensor[i];
        sum = crc32_z(sum, (const void *)t->name, strlen(t->name) + 1);
        sum = crc32_z(sum, t->data, t->count * ngi_tensor_type_size(t->type));
    }
    set_member(tensors, "checksum", json_integer((json_int_t)sum));
}

static void check_refused(const ng_net_options *options, ngi_tensors *tensors,
                          const char *words) {
    ng_net *net;
    OK(ngi_tensors_write(tensors, checkpoint_of("run")));
    FAILS(ng_net_fit(ctx, data, options, &net), NG_EDATA, checkpoint_of("run"),
          "checkpoint is damaged", words);
}

START_TEST(a_flipped_bit_anywhere_is_seen) {
    ngi_tensors *tensors;
    ng_net_options options = begin_checkpoint();
    OK(ngi_tensors_read(ctx, checkpoint_of("run"), &tensors));
    for (size_t i = 0; i < tensors->count; i++) {
        ngi_tensor *t = &tensors->tensor[i];
        unsigned char *bytes = t->data;
        size_t size = t->count * ngi_tensor_type_size(t->type);
        if (size == 0)
            continue;
        bytes[size / 2] ^= 4;
        check_refused(&options, tensors, "not those that were written");
        bytes[size / 2] ^= 4;
    }
    set_member(tensors, "checksum", NULL);
    check_refused(&options, tensors, "\"checksum\"");
    ngi_tensors_destroy(&tensors);
    end();
}
END_TEST

START_TEST(counters_that_contradict_each_other_are_refused) {
    /* epoch, position, iteration, batch, stale, has_best, scored, average */
    static const int64_t absurd[] = {400, -7, 1 << 20, 31, -1, 1, 99, 2};
    ngi_tensors *tensors;
    ng_net_options options = begin_checkpoint();
    OK(ngi_tensors_read(ctx, checkpoint_of("run"), &tensors));
    for (size_t i = 0; i < sizeof absurd / sizeof *absurd; i++) {
        int64_t *counters = tensor_of(tensors, "run.counters")->data;
        int64_t kept = counters[i];
        counters[i] = absurd[i];
        seal(tensors);
        check_refused(&options, tensors, "counters");
        counters = tensor_of(tensors, "run.counters")->data;
        counters[i] = kept;
    }
    tensor_of(tensors, "run.counters")->name[0] = 'R';
    seal(tensors);
    check_refused(&options, tensors, "run.counters");
    ngi_tensors_destroy(&tensors);
    end();
}
END_TEST

START_TEST(the_threads_of_a_checkpoint_are_a_number) {
    ngi_tensors *tensors;
    ng_net_options options = begin_checkpoint();
    OK(ngi_tensors_read(ctx, checkpoint_of("run"), &tensors));
    set_member(tensors, "threads", json_string("1"));
    check_refused(&options, tensors, "threads");
    set_member(tensors, "threads", json_integer(0));
    check_refused(&options, tensors, "threads");
    set_member(tensors, "threads", NULL);
    check_refused(&options, tensors, "threads");
    ngi_tensors_destroy(&tensors);
    end();
}
END_TEST

START_TEST(a_truncated_checkpoint_is_an_error_not_a_run) {
    ng_net *net;
    ng_net_options options = begin_checkpoint();
    const char *path = checkpoint_of("run");
    struct stat about;
    ck_assert_int_eq(stat(path, &about), 0);
    for (int part = 3; part >= 0; part--) {
        ck_assert_int_eq(truncate(path, about.st_size * part / 4), 0);
        FAILS(ng_net_fit(ctx, data, &options, &net), NG_EDATA, path);
    }
    end();
}
END_TEST

/* ---- The directory --------------------------------------------------------
 */

/* A file in the directory of the run. */
static void leave(const char *pattern, long process) {
    char path[600], name[80];
    snprintf(name, sizeof name, pattern, process);
    snprintf(path, sizeof path, "%s/%s", folder_of("run"), name);
    write_text(path, "half");
}

static bool is_there(const char *pattern, long process) {
    char path[600], name[80];
    snprintf(name, sizeof name, pattern, process);
    snprintf(path, sizeof path, "%s/%s", folder_of("run"), name);
    return access(path, F_OK) == 0;
}

START_TEST(only_files_of_dead_writers_are_removed) {
    static const char ours[] = ".natgrad-%lx-1f-0.tmp";
    static const char others[] = ".natgrad-%lx-1f-0.tmp.bak";
    ng_net_options options = begin_checkpoint();
    pid_t dead = fork();
    if (dead == 0)
        _exit(0);
    ck_assert_int_eq(waitpid(dead, NULL, 0), dead);
    leave(ours, (long)dead);
    leave(others, (long)dead);
    leave(ours, (long)getpid());
    ng_net *net = fit_net(data, &options);
    ck_assert(!is_there(ours, (long)dead));
    ck_assert(is_there(others, (long)dead));
    ck_assert(is_there(ours, (long)getpid()));
    ck_assert_int_eq(access(checkpoint_of("run"), F_OK), 0);
    ng_net_destroy(&net);
    end();
}
END_TEST

static void add(TCase *tests) {
    tcase_add_loop_test(tests, a_resumed_run_ends_in_the_same_bits, 0,
                        OPTIMIZER_COUNT);
    tcase_add_loop_test(
        tests, inverses_that_are_being_made_survive_at_every_iteration, 0, 2);
    tcase_add_loop_test(tests, validation_and_patience_go_on_where_they_were, 0,
                        2);
    tcase_add_test(tests, a_schedule_goes_on_where_it_was);
    tcase_add_test(tests, a_checkpoint_in_the_middle_leads_to_the_same_end);
    tcase_add_test(tests,
                   a_full_disk_costs_neither_the_run_nor_the_last_checkpoint);
    tcase_add_test(tests, a_run_that_is_done_can_be_prolonged);
    tcase_add_test(tests,
                   a_checkpoint_of_another_run_is_refused_with_what_differs);
    tcase_add_test(tests, a_checkpoint_of_other_data_is_refused);
    tcase_add_test(tests, no_checkpoint_is_overwritten_and_none_invented);
    tcase_add_test(tests, differences_are_told_in_words);
    tcase_add_test(tests, data_of_another_size_are_other_data);
    tcase_add_test(tests,
                   evaluations_that_choose_parameters_are_part_of_the_run);
    tcase_add_test(tests, a_flipped_bit_anywhere_is_seen);
    tcase_add_test(tests, counters_that_contradict_each_other_are_refused);
    tcase_add_test(tests, the_threads_of_a_checkpoint_are_a_number);
    tcase_add_test(tests, a_truncated_checkpoint_is_an_error_not_a_run);
    tcase_add_test(tests, only_files_of_dead_writers_are_removed);
}

int main(void) {
    return learner_main("net_checkpoint", add);
}
