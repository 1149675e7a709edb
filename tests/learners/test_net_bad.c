/* What nets cannot be made from, or used with, and what is said about it. */
#include "net_place.h"

/* ---- Bad data -------------------------------------------------------------
 */

static ng_status try_read(const char *path, const char *target,
                          const char *family, const ng_net *like) {
    const ng_net_source source = {.path = path, .target = target};
    ng_net_data *data;
    ng_status status = ng_net_data_read(ctx, &source, family, like, &data);
    ck_assert((status == NG_OK) == (data != NULL));
    ng_net_data_destroy(&data);
    return status;
}

START_TEST(bad_tables_are_reported_by_name) {
    char path[512];
    begin();
    write_text(folder_file(&place, "t.csv"), "a,k,y\n1,u,2\n3,v,-1\n");
    strcpy(path, place.file);
    FAILS(try_read(path, "z", NULL, NULL), NG_EDATA, "t.csv", "\"z\"");
    FAILS(try_read(path, "self", NULL, NULL), NG_EDATA, "t.csv", "\"k\"",
          "self");
    FAILS(try_read(path, "k", "gaussian", NULL), NG_EDATA, "\"k\"", "numbers");
    FAILS(try_read(path, "a,y", "categorical", NULL), NG_EUSAGE, "categorical",
          "one target");
    FAILS(try_read(path, "self", "categorical", NULL), NG_EDATA, "self");
    ng_net_data *data = read_net_data(path, "y", "poisson", NULL);
    ng_net_options options = net_options("3", NG_TRAIN_ADAM);
    ng_net *net;
    FAILS(ng_net_fit(ctx, data, &options, &net), NG_EDATA, "t.csv", "row 2",
          "poisson");
    ng_net_data_destroy(&data);
    write_text(folder_file(&place, "u.csv"), "a,y\n1,0.5\n3,1\n");
    FAILS(try_read(place.file, "a,y", NULL, NULL), NG_EDATA, "u.csv", "inputs");
    FAILS(try_read(place.file, "y", "categorical", NULL), NG_EDATA, "u.csv",
          "whole", "0.5");
    end();
}
END_TEST

START_TEST(data_unlike_those_of_the_net_are_reported) {
    ng_prediction *p;
    ng_score score;
    begin();
    ng_net *net = quick_net("kind", "3");
    write_text(folder_file(&place, "t.csv"), "a,b,kind,y\n1,2,ant,1\n");
    FAILS(try_read(place.file, NULL, NULL, net), NG_EDATA, "t.csv", "group");
    write_text(folder_file(&place, "u.csv"),
               "y,a,b,group,kind\n4,1,2,up,ant\n5,1,2,left,dog\n");
    FAILS(try_read(place.file, NULL, NULL, net), NG_EDATA, "row 1", "up");
    FAILS(try_read(place.file, "y", NULL, net), NG_EUSAGE, "\"y\"", "\"kind\"");
    write_text(folder_file(&place, "v.csv"), "a,b,group,y\n1,2,left,1\n");
    ng_net_data *data = read_net_data(place.file, NULL, NULL, net);
    OK(ng_net_predict(net, data, &p));
    ng_prediction_destroy(&p);
    FAILS(ng_net_evaluate(net, data, &score), NG_EDATA, "v.csv", "targets");
    ng_net_data_destroy(&data);
    write_bytes(folder_file(&place, "images"), IMAGES, sizeof IMAGES);
    data = read_net_data(place.file, "self", NULL, NULL);
    FAILS(ng_net_predict(net, data, &p), NG_EDATA, "images", "array");
    ng_net_data_destroy(&data);
    ng_net_destroy(&net);
    end();
}
END_TEST

START_TEST(arrays_that_do_not_go_together_are_reported) {
    unsigned char labels[sizeof LABELS + 1];
    char images[512], other[512];
    begin();
    write_bytes(folder_file(&place, "images"), IMAGES, sizeof IMAGES);
    strcpy(images, place.file);
    memcpy(labels, LABELS, sizeof LABELS);
    labels[7] = 4;
    labels[11] = 0;
    write_bytes(folder_file(&place, "four"), labels, sizeof labels);
    FAILS(try_read(images, place.file, NULL, NULL), NG_EDATA, "four", "images",
          "4 ", "3 ");
    write_text(folder_file(&place, "text"), "a,b\n");
    FAILS(try_read(images, place.file, NULL, NULL), NG_EDATA, "text", "images");
    FAILS(try_read(images, "self", "categorical", NULL), NG_EUSAGE, "self");
    /* A test set whose labels the net has no class for. */
    write_bytes(folder_file(&place, "labels"), LABELS, sizeof LABELS);
    ng_net_data *data = read_net_data(images, place.file, NULL, NULL);
    labels[7] = 3;
    labels[9] = 7;
    write_bytes(folder_file(&place, "seven"), labels, sizeof LABELS);
    strcpy(other, place.file);
    ng_net_data *test = read_net_data(images, other, NULL, NULL);
    ng_net_options options = net_options("3", NG_TRAIN_ADAM);
    const ng_net_data *tests[] = {test};
    options.test = tests;
    options.tests = 1;
    ng_net *net;
    FAILS(ng_net_fit(ctx, data, &options, &net), NG_EDATA, "seven", "row 2",
          "label 7", "3 classes");
    ng_net_data_destroy(&test);
    ng_net_data_destroy(&data);
    end();
}
END_TEST

START_TEST(options_that_contradict_are_refused) {
    ng_net *net;
    begin();
    ng_net_data *data = points(100, 1, "kind");
    ng_net_options options = net_options("3", NG_TRAIN_ADAM), o;
    o = options;
    o.train.schedule = NG_SCHEDULE_COSINE;
    o.seconds = 1;
    FAILS(ng_net_fit(ctx, data, &o, &net), NG_EUSAGE, "cosine", "--epochs");
    o = options;
    o.patience = 2;
    FAILS(ng_net_fit(ctx, data, &o, &net), NG_EUSAGE, "patience", "validation");
    o = options;
    o.valid_fraction = 1;
    FAILS(ng_net_fit(ctx, data, &o, &net), NG_EUSAGE, "fraction");
    o = options;
    o.valid_fraction = 0.2;
    o.valid = data;
    FAILS(ng_net_fit(ctx, data, &o, &net), NG_EUSAGE, "validation");
    o = options;
    o.shift = 1;
    FAILS(ng_net_fit(ctx, data, &o, &net), NG_EUSAGE, "shift");
    o = options;
    o.layers = "3 tahn";
    FAILS(ng_net_fit(ctx, data, &o, &net), NG_EUSAGE, "item 1", "tahn");
    ck_assert_ptr_null(net);
    ng_net_data_destroy(&data);
    end();
}
END_TEST

static void add(TCase *tests) {
    tcase_add_test(tests, bad_tables_are_reported_by_name);
    tcase_add_test(tests, data_unlike_those_of_the_net_are_reported);
    tcase_add_test(tests, arrays_that_do_not_go_together_are_reported);
    tcase_add_test(tests, options_that_contradict_are_refused);
}

int main(void) {
    return learner_main("net_bad", add);
}
