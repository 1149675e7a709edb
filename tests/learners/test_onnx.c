/* Networks as ONNX: what is in the file, and what can go wrong. That the graph
 * computes what the network does is for tests/cli/test_interop.sh to see: with
 * a directory as its argument this program writes there what the scripts of
 * tests/interop compare. */
#include "fixture.h"

#include "learner/onnx.h"
#include "natgrad/net.h"
#include "network/engine_ops.h"
#include "unit/scarce.h"

#include <sys/stat.h>
#include <unistd.h>

enum { EXAMPLES = 9 };

typedef struct net_case {
    const char *name, *layers;
    ng_shape input;
    const char *family;
    size_t levels, targets;
    ng_precision precision;
} net_case;

#define FLAT                                                                   \
    { 6, 1, 1 }
#define IMAGE                                                                  \
    { 4, 9, 7 }
#define ACTIVATION(key, text)                                                  \
    { "activation-" key, "11 " text ", 7", FLAT, "gaussian", .targets = 3 }
#define FAMILY(key, columns)                                                   \
    { "family-" key, "8 tanh", FLAT, key, .targets = columns }

static const net_case CASES[] = {
    {"no-layers", "", FLAT, "gaussian", .targets = 2},
    {"autoencoder",
     "20 tanh, 5, 20 tanh",
     {12, 1, 1},
     "bernoulli",
     .targets = 12},
    {"convolution",
     "conv 6 3x2 stride 2 pad 1 groups 2 relu, max-pool 3 stride 2 pad 1, "
     "conv 8 2x1 tanh, average-pool 2x1 stride 1, 10 softplus",
     {4, 14, 9},
     "categorical",
     .levels = 5},
    {"pools", "average-pool 3x2 stride 2 pad 1x0, max-pool 2x3 stride 1x2",
     IMAGE, "gaussian", .targets = 2},
    {"one-position", "conv 5 3 pad same relu, average-pool all, [5 tanh, 5]",
     IMAGE, "poisson", .targets = 2},
    {"one-position-norm", "conv 5 9x7, layer-norm relu", IMAGE, "gaussian",
     .targets = 2},
    {"whole-kernel", "conv 5 9x7 gelu", IMAGE, "categorical", .levels = 3},
    {"residual",
     "conv 4 1, [conv 4 3 pad same relu, conv 4 3 pad same groups 2] relu, "
     "[relu, conv 4 1], 9, [8 silu, [6 tanh, 8], 9]",
     IMAGE, "categorical", .levels = 4},
    {"layer-norm", "layer-norm, 8 tanh, layer-norm relu, 5", FLAT, "gaussian",
     .targets = 3},
    {"layer-norm-image", "conv 3 3, layer-norm relu, flatten, layer-norm",
     IMAGE, "gaussian", .targets = 3},
    {"embedding", "embedding 7x3, 9 tanh", FLAT, "categorical", .levels = 3},
    {"flattened-image", "10 tanh", IMAGE, "categorical", .levels = 3},
    {"flattened-residual", "[6 tanh, 252]", IMAGE, "gaussian", .targets = 2},
    {"double", "conv 3 2 tanh, layer-norm, 8 gelu", IMAGE, "normal",
     .targets = 2, .precision = NG_DOUBLE},
    ACTIVATION("relu", "relu"),
    ACTIVATION("leaky-relu", "leaky-relu"),
    ACTIVATION("leaky-relu-slope", "leaky-relu 0.3"),
    ACTIVATION("gelu", "gelu"),
    ACTIVATION("silu", "silu"),
    ACTIVATION("tanh", "tanh"),
    ACTIVATION("sigmoid", "sigmoid"),
    ACTIVATION("softplus", "softplus"),
    FAMILY("bernoulli", 3),
    FAMILY("beta", 2),
    FAMILY("dirichlet", 4),
    FAMILY("exponential", 2),
    FAMILY("gamma", 2),
    FAMILY("gaussian", 2),
    FAMILY("gumbel", 2),
    FAMILY("inverse-gaussian", 2),
    FAMILY("laplace", 3),
    FAMILY("logistic", 2),
    FAMILY("lognormal", 2),
    FAMILY("mvnormal", 3),
    FAMILY("negative-binomial", 2),
    FAMILY("normal", 3),
    FAMILY("poisson", 2),
    FAMILY("student-t", 2),
    FAMILY("vonmises", 2),
    FAMILY("weibull", 2),
};
enum { CASE_COUNT = sizeof CASES / sizeof *CASES };

/* ---- Networks whose every parameter matters -------------------------------
 */

/* Weights that keep values of order 1, gains about 1. */
static void draw_parameters(ng_network *network) {
    size_t layers;
    const ng_layer *layer = ng_network_layers(network, &layers);
    double *theta = calloc(ng_network_parameters(network), sizeof *theta);
    ng_rng rng;
    ng_rng_init(&rng, 3, layers);
    for (size_t l = 0; theta && l < layers; l++) {
        bool gains = layer[l].kind == NG_LAYER_LAYER_NORM;
        double scale = gains ? 0.25 : 1 / sqrt((double)layer[l].columns);
        double *own = theta + layer[l].parameter;
        for (size_t i = 0; i < layer[l].parameters; i++)
            own[i] = scale * ng_rng_normal(&rng) + (gains && i % 2 == 0);
    }
    if (theta)
        ng_network_set(network, theta);
    free(theta);
}

static ng_status make(ng_ctx *own, const net_case *c, ng_network **out) {
    ng_network_options options;
    ng_network_options_init(&options);
    options.layers = c->layers;
    options.input = c->input;
    options.family = c->family;
    options.levels = c->levels;
    options.targets = c->levels ? 1 : c->targets;
    options.precision = c->precision;
    NG_TRY(ng_network_create(own, &options, out));
    draw_parameters(*out);
    return NG_OK;
}

/* ---- Files ----------------------------------------------------------------
 */

typedef struct file {
    unsigned char *bytes;
    size_t size;
} file;

static file read_file(const char *path) {
    struct stat about;
    FILE *stream = fopen(path, "rb");
    ck_assert_ptr_nonnull(stream);
    ck_assert_int_eq(fstat(fileno(stream), &about), 0);
    file f = {malloc((size_t)about.st_size + 1), (size_t)about.st_size};
    ck_assert_ptr_nonnull(f.bytes);
    ck_assert_uint_eq(fread(f.bytes, 1, f.size, stream), f.size);
    fclose(stream);
    return f;
}

typedef struct scratch {
    char folder[64], path[96];
} scratch;

static scratch make_scratch(void) {
    scratch s;
    strcpy(s.folder, "/tmp/natgrad-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(s.folder));
    snprintf(s.path, sizeof s.path, "%s/net.onnx", s.folder);
    return s;
}

/* Nothing but the file may have been left behind. */
static void remove_scratch(const scratch *s) {
    unlink(s->path);
    ck_assert_int_eq(rmdir(s->folder), 0);
}

static file export_case(const net_case *c, const char *path) {
    ng_network *network;
    OK(make(ctx, c, &network));
    OK(ngi_network_export_onnx(network, path));
    ng_network_destroy(&network);
    return read_file(path);
}

/* ---- A reader of protocol buffers, from their definition ------------------
 */

typedef struct span {
    const unsigned char *at, *end;
} span;

static uint64_t read_varint(span *s) {
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        ck_assert(s->at < s->end);
        ck_assert_uint_lt(shift, 64);
        value |= (uint64_t)(*s->at & 0x7f) << shift;
        if (!(*s->at++ & 0x80))
            return value;
    }
}

typedef struct field {
    unsigned number;
    uint64_t value; /* of a varint */
    span content;   /* of anything else */
} field;

static bool next_field(span *s, field *f) {
    if (s->at == s->end)
        return false;
    uint64_t tag = read_varint(s);
    *f = (field){.number = (unsigned)(tag >> 3)};
    if ((tag & 7) == 0) {
        f->value = read_varint(s);
        return true;
    }
    ck_assert(tag % 8 == 2 || tag % 8 == 5);
    uint64_t size = tag % 8 == 2 ? read_varint(s) : 4;
    ck_assert_uint_le(size, (uint64_t)(s->end - s->at));
    f->content = (span){s->at, s->at + size};
    s->at += size;
    return true;
}

/* The fields `number` of a message: how many, and the sum of their values or
 * lengths. All others must be well-formed, too. */
typedef struct tally {
    size_t count;
    uint64_t sum;
    span last;
} tally;

static tally tally_fields(span s, unsigned number) {
    tally t = {0};
    for (field f; next_field(&s, &f);) {
        if (f.number != number)
            continue;
        t.count++;
        t.sum += f.value;
        if (f.content.at)
            t.sum += (uint64_t)(f.content.end - f.content.at);
        t.last = f.content;
    }
    return t;
}

static bool is_text(span s, const char *text) {
    size_t length = (size_t)(s.end - s.at);
    return length == strlen(text) && memcmp(s.at, text, length) == 0;
}

/* By the numbers of onnx.proto3. */
static span graph_of(const file *f) {
    span all = {f->bytes, f->bytes + f->size};
    tally graph = tally_fields(all, 7);
    ck_assert_uint_eq(graph.count, 1);
    return graph.last;
}

/* Bytes of the weights, which are the initializers that "weight" or "bias"
 * ends the name of. */
static uint64_t weight_bytes(span graph) {
    uint64_t sum = 0;
    for (field f; next_field(&graph, &f);) {
        if (f.number != 5)
            continue;
        span name = tally_fields(f.content, 8).last;
        size_t length = (size_t)(name.end - name.at);
        if ((length > 7 && memcmp(name.end - 7, ".weight", 7) == 0) ||
            (length > 5 && memcmp(name.end - 5, ".bias", 5) == 0))
            sum += tally_fields(f.content, 9).sum;
    }
    return sum;
}

/* ---- Tests ----------------------------------------------------------------
 */

START_TEST(a_model_says_its_versions_and_ends_where_it_should) {
    scratch s = make_scratch();
    for (size_t i = 0; i < CASE_COUNT; i++) {
        file f = export_case(&CASES[i], s.path);
        span all = {f.bytes, f.bytes + f.size};
        ck_assert_uint_eq(tally_fields(all, 1).sum, 8); /* ir_version */
        ck_assert(is_text(tally_fields(all, 2).last, "natgrad"));
        span opset = tally_fields(all, 8).last;
        ck_assert_uint_eq(tally_fields(opset, 2).sum, 13);
        ck_assert_uint_eq(tally_fields(all, 14).count, 2); /* metadata */
        ck_assert_uint_eq(tally_fields(graph_of(&f), 11).count, 1);
        free(f.bytes);
    }
    remove_scratch(&s);
}
END_TEST

START_TEST(all_parameters_are_in_the_file) {
    scratch s = make_scratch();
    for (size_t i = 0; i < CASE_COUNT; i++) {
        ng_network *network;
        OK(make(ctx, &CASES[i], &network));
        file f = export_case(&CASES[i], s.path);
        size_t size = CASES[i].precision == NG_DOUBLE ? 8 : 4;
        ck_assert_msg(weight_bytes(graph_of(&f)) ==
                          size * ng_network_parameters(network),
                      "%s", CASES[i].name);
        free(f.bytes);
        ng_network_destroy(&network);
    }
    remove_scratch(&s);
}
END_TEST

START_TEST(a_layer_is_a_node) {
    const net_case c = {.layers = "20 tanh, [5 relu, 20]",
                        .input = FLAT,
                        .family = "bernoulli",
                        .targets = 3};
    scratch s = make_scratch();
    file f = export_case(&c, s.path);
    /* Gemm, Tanh; Gemm, Relu, Gemm, Add; Gemm; Sigmoid */
    ck_assert_uint_eq(tally_fields(graph_of(&f), 1).count, 8);
    ck_assert_uint_eq(tally_fields(graph_of(&f), 5).count, 8);
    ck_assert_uint_eq(tally_fields(graph_of(&f), 12).count, 2);
    free(f.bytes);
    remove_scratch(&s);
}
END_TEST

/* Their means need functions that opset 13 lacks, or two components. */
START_TEST(a_mean_that_is_not_simple_is_left_out) {
    static const char *const without[] = {"gumbel", "lognormal", "vonmises",
                                          "weibull"};
    scratch s = make_scratch();
    for (size_t i = 0; i < CASE_COUNT; i++) {
        size_t outputs = 2;
        for (size_t j = 0; j < sizeof without / sizeof *without; j++)
            if (strcmp(CASES[i].family, without[j]) == 0)
                outputs = 1;
        file f = export_case(&CASES[i], s.path);
        ck_assert_msg(tally_fields(graph_of(&f), 12).count == outputs, "%s",
                      CASES[i].name);
        free(f.bytes);
    }
    remove_scratch(&s);
}
END_TEST

START_TEST(a_file_that_cannot_be_written_is_named) {
    ng_network *network;
    OK(make(ctx, &CASES[0], &network));
    ck_assert_int_eq(ngi_network_export_onnx(network, "/nowhere/net.onnx"),
                     NG_EWRITE);
    ck_assert_ptr_nonnull(strstr(ng_error(ctx), "/nowhere/net.onnx"));
    ng_network_destroy(&network);
}
END_TEST

/* Refused before a number is looked at. */
START_TEST(two_gibibytes_are_too_many) {
    const size_t shape[] = {1 << 15, 1 << 14};
    const double none = 0;
    ngi_onnx *onnx;
    scratch s = make_scratch();
    OK(ngi_onnx_create(ctx, &onnx));
    ngi_onnx_tensor(onnx, "w", NGI_ONNX_FLOAT, 2, shape, &none);
    ngi_onnx_tensor(onnx, "b", NGI_ONNX_FLOAT, 0, NULL, &none);
    ck_assert_int_eq(ngi_onnx_write(onnx, s.path), NG_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(ng_error(ctx), "2 GiB"));
    ngi_onnx_destroy(&onnx);
    remove_scratch(&s);
}
END_TEST

static const net_case *scarce_case;

static ng_status export_scarcely(ng_ctx *poor, const char *path) {
    ng_network *network = NULL;
    ng_status status = make(poor, scarce_case, &network);
    if (status == NG_OK)
        status = ngi_network_export_onnx(network, path);
    ng_network_destroy(&network);
    return status;
}

START_TEST(memory_that_runs_out_leaves_nothing_behind) {
    static const char *const names[] = {"convolution", "layer-norm", "double"};
    scratch s = make_scratch();
    for (size_t i = 0; i < CASE_COUNT; i++)
        for (size_t j = 0; j < sizeof names / sizeof *names; j++)
            if (strcmp(CASES[i].name, names[j]) == 0) {
                scarce_case = &CASES[i];
                starve(export_scarcely, s.path);
            }
    remove_scratch(&s);
}
END_TEST

static void add(TCase *tests) {
    tcase_add_test(tests, a_model_says_its_versions_and_ends_where_it_should);
    tcase_add_test(tests, all_parameters_are_in_the_file);
    tcase_add_test(tests, a_layer_is_a_node);
    tcase_add_test(tests, a_mean_that_is_not_simple_is_left_out);
    tcase_add_test(tests, a_file_that_cannot_be_written_is_named);
    tcase_add_test(tests, two_gibibytes_are_too_many);
    tcase_add_test(tests, memory_that_runs_out_leaves_nothing_behind);
}

/* ---- For other programs ---------------------------------------------------
 */

/* Ends the program: there is no test that could fail. */
static void demand(ng_status status, const char *what) {
    if (status == NG_OK)
        return;
    fprintf(stderr, "test_onnx: %s: %s\n", what, ng_error(ctx));
    exit(1);
}

static const char *place(const char *folder, const net_case *c,
                         const char *suffix) {
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s.%s", folder, c->name, suffix);
    return path;
}

static ng_array inputs_of(const net_case *c) {
    const ng_shape *in = &c->input;
    bool flat = in->height == 1 && in->width == 1;
    const size_t shape[] = {EXAMPLES, in->channels, in->height, in->width};
    bool indices = strncmp(c->layers, "embedding", 9) == 0;
    ng_array x;
    ng_rng rng;
    demand(ng_array_create(ctx, NG_F32, flat ? 2 : 4, shape, &x), c->name);
    ng_rng_init(&rng, 11, 0);
    float *value = x.data;
    for (size_t i = 0; i < EXAMPLES * ng_array_width(&x); i++)
        value[i] = indices ? (float)(i * i % 7) : (float)ng_rng_normal(&rng);
    return x;
}

static void write_matrix(const char *path, size_t columns, double *values) {
    const ng_array array = {.dtype = NG_F64,
                            .dims = 2,
                            .shape = {EXAMPLES, columns},
                            .scale = 1,
                            .data = values};
    demand(ng_array_write_npy(ctx, path, &array), path);
}

/* What the network makes of the inputs. */
static void write_results(const char *folder, const net_case *c,
                          const ng_array *x, ng_network *network) {
    const ngi_architecture *a = network->architecture;
    size_t means = a->replicates * a->family.dim_mean;
    const ng_batch batch = {.x = x, .count = EXAMPLES};
    double *out = calloc(EXAMPLES * (a->outputs + means), sizeof *out);
    if (!out)
        exit(1);
    demand(ng_network_predict(network, &batch, out), c->name);
    write_matrix(place(folder, c, "z.npy"), a->outputs, out);
    demand(ng_network_mean(network, &batch, out), c->name);
    write_matrix(place(folder, c, "mean.npy"), means, out);
    free(out);
}

/* Drawn from the family at z = 0, its labels in a cycle. */
static void write_targets(const char *path, const ngi_architecture *a) {
    const ng_family *f = &a->family;
    size_t rows = EXAMPLES * a->replicates;
    double *z = calloc(rows * f->dim_z, sizeof *z);
    double *y = calloc(rows * f->dim_y, sizeof *y);
    double *work = calloc(ng_family_work(f) + 1, sizeof *work);
    ng_rng rng;
    if (!z || !y || !work)
        exit(1);
    ng_rng_init(&rng, 5, 0);
    f->ops->sample(f, rows, z, &rng, y, work);
    for (size_t i = 0; a->levels && i < EXAMPLES; i++)
        y[i] = (double)(i % a->levels);
    write_matrix(path, a->targets, y);
    free(work);
    free(y);
    free(z);
}

/* As training leaves one, but that its parameters are drawn anew. */
static ng_net *train_net(const char *folder, const net_case *c) {
    ng_net_options options;
    ng_net_data *data;
    ng_net *net;
    char x_path[4096], y_path[4096];
    snprintf(x_path, sizeof x_path, "%s", place(folder, c, "x.npy"));
    snprintf(y_path, sizeof y_path, "%s", place(folder, c, "y.npy"));
    const ng_net_source source = {.path = x_path, .target = y_path};
    demand(ng_net_data_read(ctx, &source, c->family, NULL, &data), c->name);
    ng_net_options_init(&options);
    options.layers = c->layers;
    options.precision = c->precision;
    options.iterations = 1;
    options.train.optimizer = NG_TRAIN_SGD;
    demand(ng_net_fit(ctx, data, &options, &net), c->name);
    ng_net_data_destroy(&data);
    draw_parameters(ng_net_network(net));
    return net;
}

static void write_case(const char *folder, const net_case *c) {
    ng_network *network;
    ng_array x = inputs_of(c);
    demand(make(ctx, c, &network), c->name);
    demand(ng_array_write_npy(ctx, place(folder, c, "x.npy"), &x), c->name);
    write_targets(place(folder, c, "y.npy"), network->architecture);
    ng_network_destroy(&network);
    ng_net *net = train_net(folder, c);
    write_results(folder, c, &x, ng_net_network(net));
    demand(ng_net_export_onnx(net, place(folder, c, "onnx")), c->name);
    demand(ng_net_save(net, place(folder, c, "safetensors")), c->name);
    ng_net_destroy(&net);
    ng_array_free(ctx, &x);
}

static int write_cases(const char *folder) {
    if (ng_ctx_create(NULL, &ctx) != NG_OK)
        return 1;
    for (size_t i = 0; i < CASE_COUNT; i++)
        write_case(folder, &CASES[i]);
    ng_ctx_destroy(&ctx);
    return 0;
}

int main(int argc, char **argv) {
    return argc > 1 ? write_cases(argv[1]) : learner_main("onnx", add);
}
