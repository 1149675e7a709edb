/* Initial weights of networks, by their moments, and every allocation of an
 * architecture made to fail. Seeds are fixed: a test's error rate is the
 * chance that correct weights would have failed it once, when the seed was
 * chosen. */
#include "network/architecture.h"
#include "scarce.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LENGTH(table) (sizeof(table) / sizeof *(table))

/* |z| > 4.42 has probability 1e-5. */
static const double normal_critical = 4.42;

static ng_network_options options_of(const char *layers, ng_shape input) {
    return (ng_network_options){.layers = layers,
                                .input = input,
                                .family = "gaussian",
                                .targets = 20,
                                .init = -1};
}

typedef struct network {
    ng_ctx *ctx;
    ngi_architecture *a;
    double *theta;
} network;

static network open_network(const char *layers, ng_shape input) {
    network n;
    ng_network_options options = options_of(layers, input);
    ck_assert_int_eq(ng_ctx_create(NULL, &n.ctx), NG_OK);
    ng_status status = ngi_architecture_create(n.ctx, &options, &n.a);
    ck_assert_msg(status == NG_OK, "%s", ng_error(n.ctx));
    n.theta = malloc(n.a->dim * sizeof *n.theta);
    ck_assert_ptr_nonnull(n.theta);
    return n;
}

static void initialise(const network *n, int init, uint64_t seed) {
    for (size_t i = 0; i < n->a->dim; i++)
        n->theta[i] = (double)NAN;
    ngi_architecture_init(n->a, init, seed, n->theta);
    for (size_t i = 0; i < n->a->dim; i++)
        ck_assert(isfinite(n->theta[i]));
}

static void close_network(network *n) {
    free(n->theta);
    ngi_architecture_destroy(&n->a);
    ng_ctx_destroy(&n->ctx);
}

/* ---- Moments ---- */

/* With kurtosis k, the mean of n squares has variance (k - 1) variance^2 / n.
 * Two tests, each wrong once in 1e5. */
static void ck_moments(const ng_layer *layer, const double *weights,
                       double variance, double kurtosis) {
    double sum = 0, squares = 0;
    double n = (double)(layer->rows * (layer->columns - 1));
    for (size_t r = 0; r < layer->rows; r++) {
        for (size_t j = 0; j + 1 < layer->columns; j++) {
            double w = weights[r * layer->columns + j];
            sum += w;
            squares += w * w;
        }
    }
    ck_assert_double_lt(fabs(sum / sqrt(n * variance)), normal_critical);
    ck_assert_double_lt(fabs(squares / n - variance),
                        normal_critical * variance * sqrt((kurtosis - 1) / n));
}

static void ck_biases(const ng_layer *layer, const double *weights,
                      double bound) {
    double largest = 0;
    for (size_t r = 0; r < layer->rows; r++)
        largest = fmax(largest,
                       fabs(weights[r * layer->columns + layer->columns - 1]));
    ck_assert_double_le(largest, bound);
    ck_assert(bound == 0 || largest > bound / 2);
}

static void ck_within(const ng_layer *layer, const double *weights,
                      double bound) {
    for (size_t i = 0; i < layer->parameters; i++)
        ck_assert_double_le(fabs(weights[i]), bound);
}

/* Inputs and outputs that a weight meets. Convolution: 3 x 3 positions of 4
 * channels a group, and of 16 outputs. */
typedef struct fan {
    const char *layers;
    ng_shape input;
    double in, out;
} fan;

static const fan FANS[] = {{"200", {300, 1, 1}, 300, 200},
                           {"32 tanh", {2, 5, 10}, 100, 32},
                           {"conv 32 3x3 groups 2", {8, 5, 5}, 36, 144}};
enum { FAN_COUNT = LENGTH(FANS) };

START_TEST(weights_have_the_moments_of_their_initialisation) {
    const fan *f = &FANS[_i % FAN_COUNT];
    ng_init init = (ng_init)(_i / FAN_COUNT);
    network n = open_network(f->layers, f->input);
    initialise(&n, (int)init, 7);
    const ng_layer *layer = &n.a->layer[n.a->first];
    const double *weights = n.theta + layer->parameter;
    double torch = 1 / sqrt(f->in), glorot = 2 / (f->in + f->out);
    switch (init) {
    case NG_INIT_SPARSE: /* 0 but with probability 15 / in */
        ck_moments(layer, weights, 15 / f->in, 3 * f->in / 15);
        break;
    case NG_INIT_GLOROT:
        ck_moments(layer, weights, glorot, 1.8);
        ck_within(layer, weights, sqrt(3 * glorot));
        break;
    case NG_INIT_HE:
        ck_moments(layer, weights, 2 / f->in, 3);
        break;
    case NG_INIT_LECUN:
        ck_moments(layer, weights, 1 / f->in, 3);
        break;
    case NG_INIT_TORCH:
        ck_moments(layer, weights, torch * torch / 3, 1.8);
        ck_within(layer, weights, torch);
        break;
    }
    ck_biases(layer, weights, init == NG_INIT_TORCH ? torch : 0);
    close_network(&n);
}
END_TEST

/* A place is taken with probability 15 / 40 in each of 2000 rows. 40 tests of
 * |z| < 5.2, each wrong once in 5e6. */
START_TEST(sparse_rows_have_fifteen_weights_in_any_place) {
    enum { IN = 40, ROWS = 2000 };
    network n = open_network("2000", (ng_shape){IN, 1, 1});
    size_t taken[IN] = {0};
    initialise(&n, NG_INIT_SPARSE, 3);
    for (size_t r = 0; r < ROWS; r++) {
        size_t nonzero = 0;
        for (size_t j = 0; j < IN; j++) {
            bool is = n.theta[r * (IN + 1) + j] != 0;
            nonzero += is;
            taken[j] += is;
        }
        ck_assert_uint_eq(nonzero, 15);
    }
    double p = 15.0 / IN, sd = sqrt(ROWS * p * (1 - p));
    for (size_t j = 0; j < IN; j++)
        ck_assert_double_lt(fabs((double)taken[j] - ROWS * p), 5.2 * sd);
    close_network(&n);
}
END_TEST

START_TEST(sparse_rows_of_few_inputs_are_full) {
    network n = open_network("9", (ng_shape){15, 1, 1});
    initialise(&n, NG_INIT_SPARSE, 3);
    for (size_t i = 0; i < n.a->layer[0].parameters; i++)
        ck_assert((n.theta[i] == 0) == (i % 16 == 15));
    close_network(&n);
}
END_TEST

START_TEST(norms_begin_as_identities_and_embeddings_as_normals) {
    network n =
        open_network("embedding 1000x50, layer-norm", (ng_shape){2, 1, 1});
    const ng_layer *norm = &n.a->layer[1];
    initialise(&n, -1, 5);
    double sum = 0, squares = 0, count = 50000;
    for (size_t i = 0; i < 50000; i++) {
        sum += n.theta[i];
        squares += n.theta[i] * n.theta[i];
    }
    ck_assert_double_lt(fabs(sum / sqrt(count)), normal_critical);
    ck_assert_double_lt(fabs(squares / count - 1),
                        normal_critical * sqrt(2 / count));
    for (size_t r = 0; r < norm->rows; r++) {
        ck_assert_double_eq(n.theta[norm->parameter + 2 * r], 1);
        ck_assert_double_eq(n.theta[norm->parameter + 2 * r + 1], 0);
    }
    close_network(&n);
}
END_TEST

/* ---- The default ---- */

/* One letter for each layer with weights, the output's last. */
typedef struct chosen {
    const char *layers;
    ng_shape input;
    const char *inits; /* g, h, l */
} chosen;

static const chosen CHOSEN[] = {
    {"", {16, 1, 1}, "g"},
    {"30 tanh, 10 sigmoid", {20, 1, 1}, "ggg"},
    {"30 softplus, 10", {8, 1, 1}, "ggg"},
    {"30 relu, 10 gelu", {20, 1, 1}, "hhl"},
    {"30 silu, 10, 5 leaky-relu", {20, 1, 1}, "hlhl"},
    {"30 relu, 20 tanh", {20, 1, 1}, "hgl"},
    {"conv 4 3, pool 2, relu", {2, 8, 8}, "hl"},
    {"20, layer-norm relu", {8, 1, 1}, "hl"},
    {"conv 4 3 tanh", {2, 8, 8}, "gg"},
    {"[20 relu, 20], relu", {20, 1, 1}, "hhl"},
};

static ng_init init_of(char letter) {
    switch (letter) {
    case 'g':
        return NG_INIT_GLOROT;
    case 'h':
        return NG_INIT_HE;
    default:
        return NG_INIT_LECUN;
    }
}

START_TEST(the_default_goes_by_what_follows) {
    network n = open_network(CHOSEN[_i].layers, CHOSEN[_i].input);
    double *usual = malloc(n.a->dim * sizeof *usual);
    const char *letter = CHOSEN[_i].inits;
    ck_assert_ptr_nonnull(usual);
    initialise(&n, -1, 11);
    memcpy(usual, n.theta, n.a->dim * sizeof *usual);
    for (size_t l = 0; l < n.a->layers; l++) {
        const ng_layer *layer = &n.a->layer[l];
        if (layer->kind != NG_LAYER_DENSE && layer->kind != NG_LAYER_CONV)
            continue;
        initialise(&n, (int)init_of(*letter++), 11);
        ck_assert_msg(memcmp(usual + layer->parameter,
                             n.theta + layer->parameter,
                             layer->parameters * sizeof *usual) == 0,
                      "%s: layer %zu", CHOSEN[_i].layers, l);
    }
    ck_assert_int_eq(*letter, '\0');
    free(usual);
    close_network(&n);
}
END_TEST

START_TEST(a_layer_depends_on_the_seed_and_its_place_alone) {
    network n = open_network("30 tanh, 8", (ng_shape){20, 1, 1});
    network m = open_network("30 tanh, 9 relu, 5", (ng_shape){20, 1, 1});
    size_t first = n.a->layer[0].parameters;
    initialise(&n, NG_INIT_HE, 11);
    initialise(&m, NG_INIT_HE, 11);
    ck_assert_mem_eq(n.theta, m.theta, first * sizeof(double));
    initialise(&m, NG_INIT_HE, 12);
    ck_assert_mem_ne(n.theta, m.theta, first * sizeof(double));
    close_network(&n);
    close_network(&m);
}
END_TEST

/* ---- Names ---- */

START_TEST(names_are_found_again) {
    ng_activation activation;
    ng_init init;
    ng_layer_kind kind;
    for (int i = 0; i <= (int)NG_SOFTPLUS; i++) {
        const char *name = ngi_activation_name((ng_activation)i);
        ck_assert(ngi_activation_find(name, strlen(name), &activation));
        ck_assert_int_eq(activation, i);
        ck_assert(!ngi_activation_find(name, strlen(name) - 1, &activation));
    }
    for (int i = 0; i <= (int)NG_INIT_TORCH; i++) {
        const char *name = ngi_init_name((ng_init)i);
        ck_assert(ngi_init_find(name, strlen(name), &init));
        ck_assert_int_eq(init, i);
    }
    ck_assert(ngi_layer_find("average-pool", 12, &kind));
    ck_assert_int_eq(kind, NG_LAYER_AVERAGE_POOL);
    ck_assert(ngi_layer_find("pool", 4, &kind));
    ck_assert_int_eq(kind, NG_LAYER_MAX_POOL);
    ck_assert(!ngi_layer_find("sum", 3, &kind));
    ck_assert(!ngi_init_find("", 0, &init));
}
END_TEST

START_TEST(a_layer_s_text_is_cut_to_the_room_there_is) {
    network n = open_network("30 tanh", (ng_shape){20, 1, 1});
    char text[6] = "?????";
    ng_layer_text(&n.a->layer[0], text, sizeof text);
    ck_assert_str_eq(text, "dense");
    close_network(&n);
}
END_TEST

/* ---- Memory ---- */

static const char DEEP[] =
    "conv 4 3 relu, [conv 4 3 pad same relu, conv 4 3 pad same] relu, pool 2, "
    "30 tanh, 20 tanh, 10 tanh, 20 tanh, 30 tanh, [30, layer-norm]";

static ng_status create_once(ng_ctx *poor, const char *layers) {
    ng_network_options options = options_of(layers, (ng_shape){1, 8, 8});
    ngi_architecture *a;
    ng_status status = ngi_architecture_create(poor, &options, &a);
    ck_assert((status == NG_OK) == (a != NULL));
    ngi_architecture_destroy(&a);
    return status;
}

START_TEST(every_allocation_can_fail) {
    char folder[] = "/tmp/natgrad-test-XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/net.json", folder);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("[{\"layer\": \"layer-norm\"}]", file);
    fclose(file);
    starve(create_once, DEEP);
    starve(create_once, path);
    unlink(path);
    rmdir(folder);
}
END_TEST

static void add_tests(TCase *tests) {
    tcase_add_loop_test(tests, weights_have_the_moments_of_their_initialisation,
                        0, FAN_COUNT * (NG_INIT_TORCH + 1));
    tcase_add_test(tests, sparse_rows_have_fifteen_weights_in_any_place);
    tcase_add_test(tests, sparse_rows_of_few_inputs_are_full);
    tcase_add_test(tests, norms_begin_as_identities_and_embeddings_as_normals);
    tcase_add_loop_test(tests, the_default_goes_by_what_follows, 0,
                        LENGTH(CHOSEN));
    tcase_add_test(tests, a_layer_depends_on_the_seed_and_its_place_alone);
    tcase_add_test(tests, names_are_found_again);
    tcase_add_test(tests, a_layer_s_text_is_cut_to_the_room_there_is);
    tcase_add_test(tests, every_allocation_can_fail);
}

int main(void) {
    Suite *suite = suite_create("architecture");
    TCase *tests = tcase_create("architecture");
    add_tests(tests);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
