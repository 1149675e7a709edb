/* The learner `net`: from files to nets. */
#include "net_place.h"

#include <jansson.h>

/* ---- Learning -------------------------------------------------------------
 */

static ng_net_data *digits(void) {
    char path[4096];
    snprintf(path, sizeof path, "%s/data/digits.csv.gz", NG_SOURCE_DIR);
    return read_net_data(path, "digit", "categorical", NULL);
}

/* 359 held out: the standard error of 95 % is 1.2 %. */
START_TEST(kfac_learns_the_digits_in_a_few_epochs) {
    ng_net_data *data = digits();
    ng_net_options options = net_options("64 tanh", NG_TRAIN_KFAC);
    options.epochs = 6;
    options.valid_fraction = 0.2;
    ng_net *net = fit_net(data, &options);
    const ng_net_summary *s = ng_net_result(net);
    ck_assert_int_eq(s->stop, NG_NET_EPOCHS);
    ck_assert_uint_eq(s->epochs, 6);
    ck_assert_double_gt(s->valid.accuracy, 0.95);
    ck_assert_double_gt(s->train.accuracy, 0.97);
    ck_assert(s->converged);
    ng_net_destroy(&net);
    ng_net_data_destroy(&data);
}
END_TEST

/* The pixels of the digits as an array of values from 0 to 1; their spread
 * about the mean image, which is what a code of no numbers leaves. */
static double write_pixels(const char *path) {
    ng_frame *frame;
    char digits_path[4096];
    const char *const without[] = {"digit"};
    ng_frame_options options = {.exclude = without, .excludes = 1};
    snprintf(digits_path, sizeof digits_path, "%s/data/digits.csv.gz",
             NG_SOURCE_DIR);
    OK(ng_frame_read_csv(ctx, digits_path, &options, &frame));
    const size_t shape[] = {ng_frame_rows(frame), 8, 8};
    ng_array array;
    double spread = 0;
    OK(ng_array_create(ctx, NG_F32, 3, shape, &array));
    for (size_t j = 0; j < 64; j++) {
        const ng_column *column = ng_frame_column(frame, j);
        double sum = 0, squares = 0, n = (double)shape[0];
        for (size_t i = 0; i < shape[0]; i++) {
            double x = column->values[i] / 16;
            ((float *)array.data)[i * 64 + j] = (float)x;
            sum += x / n;
            squares += x * x / n;
        }
        spread += squares - sum * sum;
    }
    OK(ng_array_write_npy(ctx, path, &array));
    ng_array_free(ctx, &array);
    ng_frame_destroy(&frame);
    return spread;
}

START_TEST(an_autoencoder_is_a_target_called_self) {
    begin();
    double spread = write_pixels(folder_file(&place, "pixels.npy"));
    ng_net_data *data = read_net_data(place.file, "self", NULL, NULL);
    ck_assert_str_eq(ng_net_data_family(data), "bernoulli");
    ck_assert_ptr_null(ng_net_data_y(data));
    ng_net_options options = net_options("32 tanh, 8, 32 tanh", NG_TRAIN_KFAC);
    options.epochs = 8;
    ng_net *net = fit_net(data, &options);
    const ng_net_summary *s = ng_net_result(net);
    ck_assert_double_lt(s->train.squared_error, 0.5 * spread);
    ck_assert(isnan(s->train.accuracy));
    ng_prediction *p;
    OK(ng_net_predict(net, data, &p));
    ck_assert_uint_eq(p->columns, 64);
    ck_assert_str_eq(p->column[0], "mean[1]");
    ng_prediction_destroy(&p);
    ng_net_destroy(&net);
    ng_net_data_destroy(&data);
    end();
}
END_TEST

/* y has variance 0.3^2 5^2 + var sin 2b + 1/4 > 2.7; the net must explain 95 %
 * of it, in the units of y. */
START_TEST(a_regression_is_in_the_units_of_its_target) {
    begin();
    write_points(folder_file(&place, "p.csv"), 600, 3);
    const char *const features[] = {"group", "b", "a"};
    const ng_net_source source = {.path = place.file,
                                  .target = "y",
                                  .features = features,
                                  .feature_count = 3};
    ng_net_data *data;
    OK(ng_net_data_read(ctx, &source, NULL, NULL, &data));
    ck_assert_str_eq(ng_net_data_family(data), "gaussian");
    ck_assert_uint_eq(ng_array_width(ng_net_data_x(data)), 4);
    ng_net_options options = net_options("24 tanh", NG_TRAIN_KFAC);
    options.epochs = 40;
    ng_net *net = fit_net(data, &options);
    const ng_net_summary *s = ng_net_result(net);
    ck_assert_double_lt(s->train.squared_error, 0.13);
    /* Half the squared error and the constant of a unit variance. */
    NEAR(s->train.loss, s->train.squared_error / 2 + 0.5 * log(2 * acos(-1)),
         1e-5);
    ng_prediction *p;
    OK(ng_net_predict(net, data, &p));
    ck_assert_uint_eq(p->columns, 1);
    ck_assert_str_eq(p->column[0], "mean");
    ck_assert_ptr_null(p->best);
    ng_prediction_destroy(&p);
    ng_net_destroy(&net);
    ng_net_data_destroy(&data);
    end();
}
END_TEST

/* ---- Limits ---------------------------------------------------------------
 */

typedef struct watch {
    size_t calls, evaluations, stop;
    double least_valid, last_valid;
    bool cancel;
} watch;

static int look(void *user, const ng_net_progress *p) {
    watch *w = user;
    w->calls++;
    ck_assert_uint_eq(p->iteration, w->calls);
    ck_assert(p->fraction >= 0 && p->fraction <= 1);
    if (p->evaluated) {
        w->evaluations++;
        w->last_valid = p->valid.loss;
        if (!(p->valid.loss >= w->least_valid))
            w->least_valid = p->valid.loss;
    }
    if (w->cancel && p->iteration == w->stop)
        ng_cancel(ctx);
    return !w->cancel && p->iteration == w->stop;
}

START_TEST(the_best_parameters_by_validation_are_kept) {
    begin();
    ng_net_data *data = points(300, 1, "kind");
    watch w = {.least_valid = HUGE_VAL};
    ng_net_options options = net_options("30 tanh", NG_TRAIN_ADAM);
    options.train.rate = 0.05;
    options.valid_fraction = 0.5;
    options.patience = 4;
    options.monitor = look;
    options.user = &w;
    ng_net *net = fit_net(data, &options);
    const ng_net_summary *s = ng_net_result(net);
    ck_assert_int_eq(s->stop, NG_NET_PATIENCE);
    ck_assert(s->converged);
    ck_assert_double_gt(w.last_valid, w.least_valid);
    ck_assert(s->valid.loss == w.least_valid);
    ng_net_destroy(&net);
    ng_net_data_destroy(&data);
    end();
}
END_TEST

START_TEST(a_target_loss_ends_the_run) {
    begin();
    ng_net_data *data = points(300, 1, "kind");
    ng_net_options options = net_options("10 tanh", NG_TRAIN_KFAC);
    options.target_loss = 0.3;
    ng_net *net = fit_net(data, &options);
    ck_assert_int_eq(ng_net_result(net)->stop, NG_NET_TARGET);
    ck_assert_double_le(ng_net_result(net)->train.loss, 0.3);
    ng_net_destroy(&net);
    options.target_loss = -5;
    options.epochs = 2;
    net = fit_net(data, &options);
    ck_assert_int_eq(ng_net_result(net)->stop, NG_NET_EPOCHS);
    ck_assert(!ng_net_result(net)->converged);
    ng_net_destroy(&net);
    ng_net_data_destroy(&data);
    end();
}
END_TEST

START_TEST(batches_grow_from_the_first_to_the_default) {
    static const size_t least = 32, most = 125;
    begin();
    ng_net_data *data = points(1000, 1, "kind");
    ck_assert_uint_eq(ng_net_default_batch(NG_TRAIN_KFAC, 1000), most);
    ck_assert_uint_eq(ng_net_default_batch(NG_TRAIN_KFAC, 100000), 1000);
    ck_assert_uint_eq(ng_net_default_batch(NG_TRAIN_ADAM, 100000), 128);
    ck_assert_uint_eq(ng_net_default_batch(NG_TRAIN_ADAM, 20), 20);
    ng_net_options options = net_options("4", NG_TRAIN_KFAC);
    options.first_batch = least;
    options.iterations = 1;
    ng_net *net = fit_net(data, &options);
    ck_assert_uint_eq(ng_net_result(net)->batch, least);
    ng_net_destroy(&net);
    options.iterations = 101;
    net = fit_net(data, &options);
    ck_assert_uint_eq(ng_net_result(net)->batch, most);
    ng_net_destroy(&net);
    ng_net_data_destroy(&data);
    end();
}
END_TEST

START_TEST(a_request_stops_the_run_where_it_is) {
    begin();
    ng_net_data *data = points(300, 1, "kind");
    watch w = {.stop = 4, .cancel = _i == 1};
    ng_net_options options = net_options("10 tanh", NG_TRAIN_KFAC);
    options.monitor = look;
    options.user = &w;
    ng_net *net = fit_net(data, &options);
    ck_assert_int_eq(ng_net_result(net)->stop, NG_NET_STOPPED);
    ck_assert_uint_eq(ng_net_result(net)->iterations, 4);
    ck_assert(isfinite(ng_net_result(net)->train.loss));
    ck_assert(!ng_net_result(net)->converged);
    ng_net_destroy(&net);
    ng_net_data_destroy(&data);
    end();
}
END_TEST

START_TEST(a_run_that_diverges_keeps_its_last_good_parameters) {
    begin();
    ng_net_data *data = points(300, 1, "y");
    ng_net_options options = net_options("10 relu, 10 relu", NG_TRAIN_SGD);
    options.train.rate = 1e9;
    ng_net *net = fit_net(data, &options);
    const ng_net_summary *s = ng_net_result(net);
    ck_assert_int_eq(s->stop, NG_NET_DIVERGED);
    ck_assert(!s->converged);
    ck_assert_uint_ge(s->warnings, 1);
    ck_assert_msg(strstr(s->warning[0], "not finite") != NULL, "%s",
                  s->warning[0]);
    double *theta = net_theta(net);
    for (size_t i = 0; i < s->parameters; i++)
        ck_assert(isfinite(theta[i]));
    free(theta);
    ng_net_destroy(&net);
    ng_net_data_destroy(&data);
    end();
}
END_TEST

/* ---- Coding ---------------------------------------------------------------
 */

/* As many inputs as targets: the inputs must not pass for labels. */
START_TEST(a_classifier_of_one_number_predicts_without_targets) {
    static const double x[] = {-3e4, 2e6, 5};
    folder f;
    ng_prediction *p;
    folder_open(&f);
    FILE *stream = fopen(folder_file(&f, "one.csv"), "wb");
    ck_assert_ptr_nonnull(stream);
    fprintf(stream, "x,kind\n");
    for (size_t i = 0; i < 90; i++)
        fprintf(stream, "%g,%s\n", x[i % 3] + (double)i,
                i % 3 ? "high" : "low");
    ck_assert_int_eq(fclose(stream), 0);
    ng_net_data *data = read_net_data(f.file, "kind", NULL, NULL);
    ng_net_options options = net_options("3 tanh", NG_TRAIN_KFAC);
    options.epochs = 1;
    ng_net *net = fit_net(data, &options);
    ng_net_data *alone = read_net_data(f.file, NULL, NULL, net);
    OK(ng_net_predict(net, alone, &p));
    for (size_t i = 0; i < p->rows; i++)
        NEAR(p->values[2 * i] + p->values[2 * i + 1], 1, 1e-6);
    ng_prediction_destroy(&p);
    ng_net_data_destroy(&alone);
    ng_net_destroy(&net);
    ng_net_data_destroy(&data);
    folder_remove(f.path);
}
END_TEST

START_TEST(kl_of_networks_is_zero_only_for_the_same) {
    begin();
    ng_net_data *data = points(200, 1, "kind");
    ng_net_options options = net_options("4 tanh", NG_TRAIN_ADAM);
    options.iterations = 5;
    ng_net *a = fit_net(data, &options), *b;
    options.iterations = 50;
    b = fit_net(data, &options);
    double ab, ba;
    OK(ng_net_kl(a, a, data, &ab, &ba));
    ck_assert(ab == 0 && ba == 0);
    OK(ng_net_kl(a, b, data, &ab, &ba));
    ck_assert(ab > 0 && ba > 0 && ab != ba);
    ng_net_destroy(&a);
    ng_net_destroy(&b);
    ng_net_data_destroy(&data);
    end();
}
END_TEST

START_TEST(inputs_are_standardised_and_factors_are_indicators) {
    begin();
    write_text(folder_file(&place, "t.csv"),
               "n,k,c,y\n1,b,7,1\n3,a,7,2\n5,c,7,3\n3,b,7,4\n");
    ng_net_data *data = read_net_data(place.file, "y", NULL, NULL);
    const ng_array *x = ng_net_data_x(data);
    static const double expected[4][5] = {
        {-1, 0, 1, 0, 0}, {0, 1, 0, 0, 0}, {1, 0, 0, 1, 0}, {0, 0, 1, 0, 0}};
    ck_assert_uint_eq(ng_array_width(x), 5);
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 5; j++) {
            /* n has mean 3 and variance 2. */
            double scale = j == 0 ? sqrt(2) : 1;
            NEAR(ng_array_at(x, i, j), expected[i][j] * scale, 1e-15);
        }
    ck_assert_double_eq(ng_array_at(ng_net_data_y(data), 2, 0), 3);
    ng_net_data_destroy(&data);
    end();
}
END_TEST

/* The same rows score the same, though the second file lacks a level, has its
 * columns in another order and other moments. */
START_TEST(other_data_are_coded_as_the_training_data) {
    begin();
    ng_net *net = quick_net("kind", "5 tanh");
    write_text(folder_file(&place, "all.csv"),
               "a,b,group,kind,y\n8,1,left,cat,2\n9,0,right,bee,1\n"
               "4,2,left,cat,3\n");
    ng_net_data *all = read_net_data(place.file, "kind", NULL, net);
    write_text(folder_file(&place, "some.csv"),
               "y,kind,group,b,a\n2,cat,left,1,8\n3,cat,left,2,4\n");
    ng_net_data *some = read_net_data(place.file, "kind", NULL, NULL);
    ng_prediction *p, *q;
    OK(ng_net_predict(net, all, &p));
    OK(ng_net_predict(net, some, &q));
    ck_assert_str_eq(p->column[1], "p[bee]");
    ck_assert_str_eq(p->level[2], "cat");
    for (size_t j = 0; j < 3; j++) {
        NEAR(p->values[j], q->values[j], 1e-6);
        NEAR(p->values[6 + j], q->values[3 + j], 1e-6);
    }
    for (size_t i = 0; i < 3; i++) {
        double sum = 0;
        for (size_t j = 0; j < 3; j++) {
            sum += p->values[3 * i + j];
            ck_assert(p->values[3 * i + p->best[i]] >= p->values[3 * i + j]);
        }
        NEAR(sum, 1, 1e-6);
    }
    ng_score score;
    OK(ng_net_evaluate(net, some, &score));
    NEAR(score.loss, -(log(q->values[2]) + log(q->values[5])) / 2, 1e-5);
    ng_prediction_destroy(&p);
    ng_prediction_destroy(&q);
    ng_net_data_destroy(&all);
    ng_net_data_destroy(&some);
    ng_net_destroy(&net);
    end();
}
END_TEST

START_TEST(an_embedding_takes_indices_as_they_are) {
    begin();
    write_text(folder_file(&place, "t.csv"),
               "word,next,y\n3,b,1\n0,a,2\n2,b,0\n3,a,5\n");
    ng_net_data *data = read_net_data(place.file, "y", NULL, NULL);
    ng_net_options options = net_options("embedding 4x2, 3", NG_TRAIN_ADAM);
    options.iterations = 2;
    ng_net *net = fit_net(data, &options);
    size_t count;
    const ng_layer *layer = ng_network_layers(ng_net_network(net), &count);
    ck_assert_uint_eq(layer[0].in.channels, 2);
    ng_prediction *p;
    OK(ng_net_predict(net, data, &p));
    ck_assert_uint_eq(p->rows, 4);
    ng_prediction_destroy(&p);
    write_text(folder_file(&place, "u.csv"), "word,next\n4,b\n");
    ng_net_data *other = read_net_data(place.file, NULL, NULL, net);
    FAILS(ng_net_predict(net, other, &p), NG_EDATA, "u.csv", "row 1",
          "column 1", "embedding");
    ng_net_data_destroy(&other);
    ng_net_destroy(&net);
    ng_net_data_destroy(&data);
    end();
}
END_TEST

START_TEST(idx_images_are_scaled_and_their_labels_are_classes) {
    char labels[512];
    begin();
    write_bytes(folder_file(&place, "labels"), LABELS, sizeof LABELS);
    strcpy(labels, place.file);
    write_bytes(folder_file(&place, "images"), IMAGES, sizeof IMAGES);
    ng_net_data *data = read_net_data(place.file, labels, NULL, NULL);
    ck_assert_str_eq(ng_net_data_family(data), "categorical");
    NEAR(ng_array_at(ng_net_data_x(data), 0, 1), 0.2, 1e-15);
    ck_assert_double_eq(ng_array_at(ng_net_data_y(data), 0, 0), 2);
    ng_net_options options = net_options("conv 2 2x2 relu", NG_TRAIN_KFAC);
    options.iterations = 2;
    options.shift = 1;
    ng_net *net = fit_net(data, &options);
    size_t count;
    const ng_layer *layer = ng_network_layers(ng_net_network(net), &count);
    ck_assert_uint_eq(layer[0].in.height, 2);
    ck_assert_uint_eq(ng_network_outputs(ng_net_network(net)), 3);
    ng_net_destroy(&net);
    ng_net_data_destroy(&data);
    end();
}
END_TEST

/* ---- What is reported -----------------------------------------------------
 */

START_TEST(json_has_what_was_promised) {
    static const char *const KEYS[] = {
        "learner",   "family", "target",     "layers",  "parameters",
        "optimizer", "epochs", "iterations", "seconds", "train",
        "valid",     "test",   "converged",  "stop",    "batch",
        "damping",   "rate",   "momentum",   "l2",      "memory_mib",
        "warnings"};
    char *text;
    double bytes;
    begin();
    ng_net_data *data = points(200, 1, "kind");
    const ng_net_data *tests[] = {data, data};
    const char *const names[] = {"one.csv", "two.csv"};
    ng_net_options options = net_options("5 tanh", NG_TRAIN_KFAC);
    options.epochs = 2;
    options.test = tests;
    options.tests = 2;
    options.test_name = names;
    ng_net *net = fit_net(data, &options);
    OK(ng_net_to_json(net, &text));
    json_t *object = json_loads(text, 0, NULL);
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        ck_assert_msg(json_object_get(object, KEYS[i]) != NULL, "%s", KEYS[i]);
    const json_t *test = json_array_get(json_object_get(object, "test"), 1);
    ck_assert_str_eq(json_string_value(json_object_get(test, "file")),
                     "two.csv");
    /* The training data under another name. */
    ck_assert(
        json_equal(json_object_get(test, "loss"),
                   json_object_get(json_object_get(object, "train"), "loss")));
    OK(ng_net_memory(ctx, data, &options, &bytes));
    ck_assert(bytes == ng_net_result(net)->memory && bytes > 1000);
    json_decref(object);
    ng_text_free(ctx, &text);
    ng_net_destroy(&net);
    ng_net_data_destroy(&data);
    end();
}
END_TEST

static void add(TCase *tests) {
    tcase_add_test(tests, kfac_learns_the_digits_in_a_few_epochs);
    tcase_add_test(tests, an_autoencoder_is_a_target_called_self);
    tcase_add_test(tests, a_regression_is_in_the_units_of_its_target);
    tcase_add_test(tests, the_best_parameters_by_validation_are_kept);
    tcase_add_test(tests, a_target_loss_ends_the_run);
    tcase_add_test(tests, batches_grow_from_the_first_to_the_default);
    tcase_add_loop_test(tests, a_request_stops_the_run_where_it_is, 0, 2);
    tcase_add_test(tests, a_run_that_diverges_keeps_its_last_good_parameters);
    tcase_add_test(tests, kl_of_networks_is_zero_only_for_the_same);
    tcase_add_test(tests, a_classifier_of_one_number_predicts_without_targets);
    tcase_add_test(tests, inputs_are_standardised_and_factors_are_indicators);
    tcase_add_test(tests, other_data_are_coded_as_the_training_data);
    tcase_add_test(tests, an_embedding_takes_indices_as_they_are);
    tcase_add_test(tests, idx_images_are_scaled_and_their_labels_are_classes);
    tcase_add_test(tests, json_has_what_was_promised);
}

int main(void) {
    return learner_main("net", add);
}
