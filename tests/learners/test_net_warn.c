/* What a run says about data and results that are no errors, and what is
 * refused before anything has been allocated for it. */
#include "net_place.h"

/* Whether some warning of the net says all of `words` (ended by NULL). */
static bool warns(const ng_net *net, const char *const *words) {
    const ng_net_summary *s = ng_net_result(net);
    for (size_t i = 0; i < s->warnings; i++) {
        size_t k = 0;
        while (words[k] && strstr(s->warning[i], words[k]))
            k++;
        if (!words[k])
            return true;
    }
    return false;
}
#define WARNS(net, ...) warns(net, (const char *const[]){__VA_ARGS__, NULL})

/* An NPY file of version 1 with one column of bytes or floats. */
static void write_npy(const char *path, const char *type, size_t rows,
                      const void *data, size_t size) {
    unsigned char bytes[4096] = "\x93NUMPY\x01";
    char header[119];
    memset(header, ' ', sizeof header);
    int used = snprintf(header, sizeof header,
                        "{'descr': '%s', 'fortran_order': False, "
                        "'shape': (%zu,), }",
                        type, rows);
    header[used] = ' ';
    header[117] = '\n';
    bytes[8] = 118;
    memcpy(bytes + 10, header, 118);
    memcpy(bytes + 128, data, size);
    write_bytes(path, bytes, 128 + size);
}

static ng_net_data *read_labels(const char *type, const void *data, size_t size,
                                const char *family) {
    static const float x[] = {0, 1, 2, 3, 4, 5};
    char inputs[512];
    write_npy(folder_file(&place, "x.npy"), "<f4", 6, x, sizeof x);
    strcpy(inputs, place.file);
    write_npy(folder_file(&place, "y.npy"), type, 6, data, size);
    return read_net_data(inputs, place.file, family, NULL);
}

static ng_net *fit_briefly(const ng_net_data *data) {
    ng_net_options options = net_options("3", NG_TRAIN_KFAC);
    options.iterations = 2;
    return fit_net(data, &options);
}

START_TEST(whole_numbers_as_targets_may_be_meant_as_classes) {
    static const float whole[] = {0, 2, 1, 0, 3, 1};
    static const float real[] = {0, 2, 1, 0.5F, 3, 1};
    begin();
    ng_net_data *data = read_labels("<f4", whole, sizeof whole, NULL);
    ng_net *net = fit_briefly(data);
    ck_assert(WARNS(net, "y.npy", "0..3", "--family categorical"));
    ng_net_destroy(&net);
    ng_net_data_destroy(&data);
    /* Not if someone said so, and not if they are none. */
    data = read_labels("<f4", whole, sizeof whole, "gaussian");
    net = fit_briefly(data);
    ck_assert(!WARNS(net, "categorical"));
    ng_net_destroy(&net);
    ng_net_data_destroy(&data);
    data = read_labels("<f4", real, sizeof real, NULL);
    net = fit_briefly(data);
    ck_assert(!WARNS(net, "categorical"));
    ng_net_destroy(&net);
    ng_net_data_destroy(&data);
    end();
}
END_TEST

START_TEST(classes_without_examples_are_named) {
    static const unsigned char gaps[] = {0, 2, 0, 9, 2, 0};
    static const unsigned char gap[] = {0, 2, 0, 3, 2, 0};
    static const unsigned char none[] = {0, 2, 0, 1, 2, 0};
    begin();
    ng_net_data *data = read_labels("|u1", gaps, sizeof gaps, "categorical");
    ng_net *net = fit_briefly(data);
    ck_assert(WARNS(net, "y.npy", "class 1 and 6 more have no example"));
    ng_net_destroy(&net);
    ng_net_data_destroy(&data);
    data = read_labels("|u1", gap, sizeof gap, "categorical");
    net = fit_briefly(data);
    ck_assert(WARNS(net, "class 1 has no example"));
    ng_net_destroy(&net);
    ng_net_data_destroy(&data);
    data = read_labels("|u1", none, sizeof none, "categorical");
    net = fit_briefly(data);
    ck_assert(!WARNS(net, "no example"));
    ng_net_destroy(&net);
    ng_net_data_destroy(&data);
    end();
}
END_TEST

START_TEST(one_class_is_refused_by_the_name_of_its_column) {
    static const unsigned char same[] = {4, 4, 4, 4, 4, 4};
    static const char said[] = "all examples have the same class";
    ng_net_options options = net_options("3", NG_TRAIN_ADAM);
    ng_net *net;
    begin();
    write_text(folder_file(&place, "t.csv"), "a,k\n1,u\n2,u\n5,u\n");
    ng_net_data *data = read_net_data(place.file, "k", NULL, NULL);
    FAILS(ng_net_fit(ctx, data, &options, &net), NG_EDATA, "t.csv", "target k",
          said);
    ng_net_data_destroy(&data);
    data = read_labels("|u1", same, sizeof same, "categorical");
    FAILS(ng_net_fit(ctx, data, &options, &net), NG_EDATA, "y.npy", said);
    ng_net_data_destroy(&data);
    end();
}
END_TEST

START_TEST(too_few_examples_and_an_empty_file_of_layers_are_named) {
    ng_net *net;
    begin();
    write_text(folder_file(&place, "t.csv"), "a,y\n1,0.5\n");
    ng_net_data *data = read_net_data(place.file, "y", NULL, NULL);
    ng_net_options options = net_options("3", NG_TRAIN_ADAM);
    options.valid_fraction = 0.5;
    FAILS(ng_net_fit(ctx, data, &options, &net), NG_EDATA,
          "1 example is too few to hold 1 out");
    write_text(folder_file(&place, "none.json"), "");
    options.layers = place.file;
    FAILS(ng_net_fit(ctx, data, &options, &net), NG_EUSAGE, "none.json",
          "empty");
    ng_net_data_destroy(&data);
    end();
}
END_TEST

START_TEST(a_loss_above_its_start_is_not_convergence) {
    begin();
    ng_net_data *data = points(200, 1, "kind");
    ng_net_options options = net_options("8 tanh", NG_TRAIN_SGD);
    options.iterations = 20;
    options.train.batch = 20;
    options.train.rate = 100;
    ng_net *net = fit_net(data, &options);
    ck_assert(WARNS(net, "above its start", "--batch", "--rate"));
    ck_assert(!ng_net_result(net)->converged);
    ng_net_destroy(&net);
    options.train.rate = 0.1;
    net = fit_net(data, &options);
    ck_assert_uint_eq(ng_net_result(net)->warnings, 0);
    ck_assert(ng_net_result(net)->converged);
    ng_net_destroy(&net);
    ng_net_data_destroy(&data);
    end();
}
END_TEST

/* Noise is learnt by heart; by validation, early parameters are the best. */
START_TEST(a_target_reached_by_other_parameters_is_said) {
    char text[8192] = "a,b,c,k\n";
    ng_rng rng;
    begin();
    ng_rng_init(&rng, 3, 0);
    for (size_t i = 0; i < 60; i++)
        snprintf(text + strlen(text), 100, "%.6f,%.6f,%.6f,%s\n",
                 ng_rng_normal(&rng), ng_rng_normal(&rng), ng_rng_normal(&rng),
                 ng_rng_uniform(&rng) < 0.5 ? "u" : "v");
    write_text(folder_file(&place, "noise.csv"), text);
    ng_net_data *data = read_net_data(place.file, "k", NULL, NULL);
    ng_net_options options = net_options("40 tanh", NG_TRAIN_KFAC);
    options.valid_fraction = 0.4;
    options.epochs = 500;
    options.target_loss = 0.05;
    ng_net *net = fit_net(data, &options);
    ck_assert_int_eq(ng_net_result(net)->stop, NG_NET_TARGET);
    ck_assert_double_gt(ng_net_result(net)->train.loss, 0.1);
    ck_assert(WARNS(net, "reached 0.05", "by validation"));
    ng_net_destroy(&net);
    ng_net_data_destroy(&data);
    end();
}
END_TEST

/* ---- Memory ---------------------------------------------------------------
 */

enum { MOST_BYTES = 1 << 20 };

static void *alloc_little(void *user, size_t size) {
    (void)user;
    return size > MOST_BYTES ? NULL : malloc(size);
}

static void *resize_little(void *user, void *block, size_t size) {
    (void)user;
    return size > MOST_BYTES ? NULL : realloc(block, size);
}

static void release(void *user, void *block) {
    (void)user;
    free(block);
}

START_TEST(memory_is_counted_without_being_taken) {
    ng_allocator little = {alloc_little, resize_little, release, NULL};
    const ng_ctx_options limited = {.allocator = &little, .threads = 1};
    double bytes;
    ng_net *net;
    ng_ctx_destroy(&ctx);
    ck_assert_int_eq(ng_ctx_create(&limited, &ctx), NG_OK);
    begin();
    ng_net_data *data = points(100, 1, "kind");
    ng_net_options options = net_options("3000000", NG_TRAIN_KFAC);
    OK(ng_net_memory(ctx, data, &options, &bytes));
    /* The factor of the output layer alone. */
    ck_assert_double_gt(bytes, 3e6 * 3e6 * sizeof(float));
    FAILS(ng_net_fit(ctx, data, &options, &net), NG_ENOMEM, "memory");
    /* As much as the summary says afterwards. */
    options = net_options("3", NG_TRAIN_KFAC);
    options.iterations = 1;
    OK(ng_net_memory(ctx, data, &options, &bytes));
    net = fit_net(data, &options);
    ck_assert(bytes == ng_net_result(net)->memory);
    ng_net_destroy(&net);
    ng_net_data_destroy(&data);
    end();
}
END_TEST

static void add(TCase *tests) {
    tcase_add_test(tests, whole_numbers_as_targets_may_be_meant_as_classes);
    tcase_add_test(tests, classes_without_examples_are_named);
    tcase_add_test(tests, one_class_is_refused_by_the_name_of_its_column);
    tcase_add_test(tests,
                   too_few_examples_and_an_empty_file_of_layers_are_named);
    tcase_add_test(tests, a_loss_above_its_start_is_not_convergence);
    tcase_add_test(tests, a_target_reached_by_other_parameters_is_said);
    tcase_add_test(tests, memory_is_counted_without_being_taken);
}

int main(void) {
    return learner_main("net_warn", add);
}
