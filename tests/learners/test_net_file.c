/* Files of nets: written, read back, and refused where they contradict
 * themselves. */
#include "net_place.h"

#include "learner/net.h"

/* ---- Files ----------------------------------------------------------------
 */

static void check_same_predictions(ng_net *a, ng_net *b,
                                   const ng_net_data *data) {
    ng_prediction *p, *q;
    OK(ng_net_predict(a, data, &p));
    OK(ng_net_predict(b, data, &q));
    ck_assert_uint_eq(p->columns, q->columns);
    ck_assert_uint_eq(p->rows, q->rows);
    for (size_t j = 0; j < p->columns; j++)
        ck_assert_str_eq(p->column[j], q->column[j]);
    ck_assert(memcmp(p->values, q->values,
                     p->rows * p->columns * sizeof *p->values) == 0);
    ng_prediction_destroy(&p);
    ng_prediction_destroy(&q);
}

START_TEST(a_net_comes_back_from_its_file_to_the_bit) {
    static const char *const targets[] = {"kind", "y", "kind"};
    begin();
    ng_net_data *data = points(200, 1, targets[_i]);
    ng_net_options options =
        net_options("5, [7 tanh, 5 leaky-relu 0.3] relu, layer-norm",
                    _i ? NG_TRAIN_ADAM : NG_TRAIN_KFAC);
    const ng_net_data *tests[] = {data};
    options.epochs = 2;
    options.valid_fraction = _i ? 0 : 0.25;
    options.precision = _i == 2 ? NG_DOUBLE : NG_SINGLE;
    options.test = tests;
    options.tests = 1;
    ng_net *net = fit_net(data, &options), *copy;
    const char *path = folder_file(&place, "net.safetensors");
    OK(ng_net_save(net, path));
    OK(ng_net_load(ctx, path, &copy));
    check_same_theta(net, copy);
    check_same_predictions(net, copy, data);
    char *a, *b;
    OK(ng_net_to_json(net, &a));
    OK(ng_net_to_json(copy, &b));
    ck_assert_str_eq(a, b);
    ng_text_free(ctx, &a);
    ng_text_free(ctx, &b);
    ng_net_destroy(&net);
    ng_net_destroy(&copy);
    ng_net_data_destroy(&data);
    end();
}
END_TEST

START_TEST(files_of_nets_and_others_are_told_apart) {
    int is_net;
    begin();
    ng_net *net = quick_net("kind", "3");
    const char *path = folder_file(&place, "net.safetensors");
    OK(ng_net_save(net, path));
    OK(ng_net_is_file(ctx, path, &is_net));
    ck_assert(is_net);
    OK(ng_net_is_file(ctx, folder_file(&place, "points1.csv"), &is_net));
    ck_assert(!is_net);
    OK(ng_net_is_file(ctx, folder_file(&place, "nothing"), &is_net));
    ck_assert(!is_net);
    ng_net *other;
    FAILS(ng_net_load(ctx, place.file, &other), NG_EDATA, "nothing");
    ng_net_destroy(&net);
    end();
}
END_TEST

/* A layer of each kind on images of 2 x 8 x 6. */
static ng_net *image_net(ng_precision precision) {
    const size_t shape[] = {40, 2, 8, 6}, flat[] = {40};
    ng_array x, y;
    ng_rng rng;
    char labels[512];
    ng_rng_init(&rng, 3, 0);
    OK(ng_array_create(ctx, NG_F64, 4, shape, &x));
    OK(ng_array_create(ctx, NG_U8, 1, flat, &y));
    for (size_t i = 0; i < 40 * 96; i++)
        ((double *)x.data)[i] = ng_rng_normal(&rng);
    for (size_t i = 0; i < 40; i++)
        ((unsigned char *)y.data)[i] = (unsigned char)(i % 3);
    OK(ng_array_write_npy(ctx, folder_file(&place, "y.npy"), &y));
    strcpy(labels, place.file);
    OK(ng_array_write_npy(ctx, folder_file(&place, "x.npy"), &x));
    ng_array_free(ctx, &x);
    ng_array_free(ctx, &y);
    ng_net_data *data = read_net_data(place.file, labels, "categorical", NULL);
    ng_net_options options =
        net_options("conv 4 3x3 pad same groups 2 relu, "
                    "[conv 4 3x3 pad same tanh, layer-norm] relu, pool 2, "
                    "conv 5 2x3 stride 2, average-pool all, 7 tanh",
                    NG_TRAIN_ADAM);
    options.iterations = 2;
    options.precision = precision;
    ng_net *net = fit_net(data, &options);
    ng_net_data_destroy(&data);
    return net;
}

typedef struct expected {
    const char *name;
    size_t dims, shape[4];
} expected;

/* Modules: 0 conv, 1 relu, 2 the residual (conv, tanh, norm), 3 relu, 4 pool,
 * 5 conv, 6 pool, 7 flatten, 8 linear, 9 tanh, 10 linear. */
START_TEST(tensors_have_the_names_and_shapes_of_pytorch) {
    static const expected LIST[] = {
        {"0.weight", 4, {4, 1, 3, 3}},   {"0.bias", 1, {4}},
        {"2.0.weight", 4, {4, 4, 3, 3}}, {"2.0.bias", 1, {4}},
        {"2.2.weight", 3, {4, 8, 6}},    {"2.2.bias", 3, {4, 8, 6}},
        {"5.weight", 4, {5, 4, 2, 3}},   {"5.bias", 1, {5}},
        {"8.weight", 2, {7, 5}},         {"8.bias", 1, {7}},
        {"10.weight", 2, {3, 7}},        {"10.bias", 1, {3}}};
    enum { COUNT = sizeof LIST / sizeof *LIST };
    ngi_tensors *tensors;
    begin();
    ng_net *net = image_net(NG_SINGLE);
    const char *path = folder_file(&place, "net.safetensors");
    OK(ng_net_save(net, path));
    OK(ngi_tensors_read(ctx, path, &tensors));
    ck_assert_uint_eq(tensors->count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        const ngi_tensor *t = ngi_tensors_find(tensors, LIST[i].name);
        ck_assert_msg(t != NULL, "no %s", LIST[i].name);
        ck_assert_int_eq(t->type, NGI_TENSOR_F32);
        ck_assert_uint_eq(t->dims, LIST[i].dims);
        for (size_t k = 0; k < t->dims; k++)
            ck_assert_uint_eq(t->shape[k], LIST[i].shape[k]);
    }
    ngi_tensors_destroy(&tensors);
    ng_net *copy;
    OK(ng_net_load(ctx, path, &copy));
    check_same_theta(net, copy);
    ng_net_destroy(&copy);
    ng_net_destroy(&net);
    end();
}
END_TEST

/* One image with a single 1 in channel c at (r, k): a convolution without
 * padding then shows its own weights, out(o, i, j) = W[o][c][r - i][k - j] +
 * bias[o]. */
START_TEST(weights_of_a_convolution_lie_as_pytorch_lays_them) {
    enum { CHANNELS = 2, H = 3, W = 4, KH = 2, KW = 3, OUT = 3 };
    const ng_network_options options = {.layers = "conv 3 2x3",
                                        .input = {CHANNELS, H, W},
                                        .family = "gaussian",
                                        .targets = 1,
                                        .init = NG_INIT_TORCH,
                                        .seed = 2,
                                        .precision = NG_DOUBLE};
    const size_t shape[] = {1, CHANNELS, H, W};
    ngi_net_tensor *list;
    ng_network *network;
    size_t count;
    ng_array x;
    OK(ng_network_create(ctx, &options, &network));
    size_t dim = ng_network_parameters(network);
    double *theta = calloc(dim, sizeof *theta), z;
    OK(ng_array_create(ctx, NG_F64, 4, shape, &x));
    OK(ngi_net_tensors_list(network->architecture, &list, &count));
    ck_assert_uint_eq(count, 4);
    ng_batch batch = {.x = &x, .count = 1};
    for (size_t k = 0; k < list[0].count; k++) {
        size_t o = k / (CHANNELS * KH * KW), c = k / (KH * KW) % CHANNELS;
        size_t r = k / KW % KH, s = k % KW;
        for (size_t i = 0; i < dim; i++)
            theta[i] = 0;
        theta[ngi_net_tensor_place(network->architecture, &list[0], k)] = 5;
        /* The output layer picks out(o, 1, 0), which sees rows from 1 on. */
        size_t output = o * 4 + 2;
        theta[ngi_net_tensor_place(network->architecture, &list[2], output)] =
            1;
        ng_network_set(network, theta);
        memset(x.data, 0, CHANNELS * H * W * sizeof(double));
        ((double *)x.data)[(c * H + 1 + r) * W + s] = 1;
        OK(ng_network_predict(network, &batch, &z));
        ck_assert_double_eq(z, 5);
    }
    free(theta);
    ng_text_free(ctx, (char **)(void *)&list);
    ng_array_free(ctx, &x);
    ng_network_destroy(&network);
}
END_TEST

/* ---- Bad models -----------------------------------------------------------
 */

/* Applies a change to the metadata, or the tensors, of a file. */
static void change_file(const char *path, const char *from, const char *to) {
    ngi_tensors *tensors;
    OK(ngi_tensors_read(ctx, path, &tensors));
    const char *text = ngi_tensors_metadata(tensors, "natgrad");
    const char *at = strstr(text, from);
    ck_assert_msg(at != NULL, "no %s in %s", from, text);
    size_t size = strlen(text) + strlen(to) + 1;
    char *changed = calloc(size, 1);
    snprintf(changed, size, "%.*s%s%s", (int)(at - text), text, to,
             at + strlen(from));
    OK(ngi_tensors_set_metadata(tensors, "natgrad", changed));
    OK(ngi_tensors_write(tensors, path));
    ngi_tensors_destroy(&tensors);
    free(changed);
}

START_TEST(a_model_file_that_contradicts_itself_is_refused) {
    static const char *const CHANGES[][3] = {
        {"\"learner\": \"net\"", "\"learner\": \"nut\"", "natgrad network"},
        {"\"outputs\": 5", "\"outputs\": 6", "0.weight"},
        {"\"outputs\": 5", "\"outputs\": 200000000", "0.weight"},
        {"\"outputs\": 5", "\"outputs\": -5", "outputs"},
        {"\"layer\": \"dense\"", "\"layer\": \"dunce\"", "dunce"},
        {"\"family\": \"categorical\"", "\"family\": \"cat\"", "family"},
        {"\"architecture\": [", "\"architecture\": 5, \"x\": [", "layers"},
        {"\"categorical\": true", "\"categorical\": false", ""},
        {"\"classes\": [\"ant\", ", "\"classes\": [", "2.weight"},
        {"\"shape\": [5", "\"shape\": [6", "shape"},
        {"\"shape\": [5, 1, 1]", "\"shape\": [2147483647, 2147483647, 9]",
         "shape"},
        {"\"sd\":", "\"sd\": 0, \"x\":", "inputs"},
        {"\"names\": [", "\"names\": [\"a\", ", "names"},
        {"\"stop\":", "\"halt\":", "stop"},
        {"\"optimizer\": \"kfac\"", "\"optimizer\": \"\"", "optimizer"},
        {"\"coding\": {", "\"coding\": 5, \"x\": {", "table"},
    };
    begin();
    ng_net *net = quick_net("kind", "5 tanh"), *copy;
    const char *path = folder_file(&place, "net.safetensors");
    for (size_t i = 0; i < sizeof CHANGES / sizeof *CHANGES; i++) {
        OK(ng_net_save(net, path));
        change_file(path, CHANGES[i][0], CHANGES[i][1]);
        ng_status status = ng_net_load(ctx, path, &copy);
        ck_assert_msg(status == NG_EDATA, "%s", CHANGES[i][1]);
        ck_assert_ptr_null(copy);
        ck_assert_msg(strstr(ng_error(ctx), path) != NULL &&
                          strstr(ng_error(ctx), CHANGES[i][2]) != NULL,
                      "%s does not say %s", ng_error(ctx), CHANGES[i][2]);
    }
    ng_net_destroy(&net);
    end();
}
END_TEST

static void add(TCase *tests) {
    tcase_add_loop_test(tests, a_net_comes_back_from_its_file_to_the_bit, 0, 3);
    tcase_add_test(tests, files_of_nets_and_others_are_told_apart);
    tcase_add_test(tests, tensors_have_the_names_and_shapes_of_pytorch);
    tcase_add_test(tests, weights_of_a_convolution_lie_as_pytorch_lays_them);
    tcase_add_test(tests, a_model_file_that_contradicts_itself_is_refused);
}

int main(void) {
    return learner_main("net_file", add);
}
