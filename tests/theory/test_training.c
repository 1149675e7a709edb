/* Training as a whole, through the public headers: what theory says of steps,
 * and that a run is the same run again. Double precision but where it says
 * so. */
#include "fixture.h"

#include "natgrad/train.h"

#include <stdlib.h>

static const ng_trainer OPTIMIZERS[] = {
#define X(name, key) name,
    NG_TRAINER_LIST(X)
#undef X
};
static const char *const NAMES[] = {
#define X(name, key) key,
    NG_TRAINER_LIST(X)
#undef X
};
enum { OPTIMIZER_COUNT = sizeof OPTIMIZERS / sizeof *OPTIMIZERS };

/* ---- A run ---- */

typedef struct course {
    const char *layers;
    ng_shape input;
    const char *family;
    size_t levels, targets, rows;
} course;

typedef struct run {
    ng_ctx *ctx;
    ng_network *network;
    ng_train *train;
    ng_array x, y;
    ng_batch batch;
    size_t dim;
    ng_train_options options;
    ng_train_report report;
} run;

static void fill(run *r, const course *c) {
    ng_rng rng;
    const size_t width = c->input.channels * c->input.height * c->input.width;
    const size_t x_shape[] = {c->rows, width},
                 y_shape[] = {c->rows, c->targets};
    bool indices = strncmp(c->layers, "embedding", 9) == 0;
    ng_rng_init(&rng, 4, c->rows);
    OK(ng_array_create(r->ctx, NG_F64, 2, x_shape, &r->x));
    OK(ng_array_create(r->ctx, NG_F64, 2, y_shape, &r->y));
    r->x.scale = r->y.scale = 1;
    double *x = r->x.data, *y = r->y.data;
    for (size_t i = 0; i < c->rows * width; i++)
        x[i] = indices ? floor(5 * ng_rng_uniform(&rng)) : ng_rng_normal(&rng);
    /* Something smooth to learn, with a little noise. */
    for (size_t i = 0; i < c->rows * c->targets; i++) {
        const double *row = x + i / c->targets * width;
        double s = sin(1.5 * row[0] + (double)(i % c->targets)) +
                   row[width - 1] * row[width / 2];
        s += 0.1 * ng_rng_normal(&rng);
        y[i] = c->levels                             ? (s > 0.5) + (s > -0.5)
               : strcmp(c->family, "bernoulli") == 0 ? s > 0
                                                     : s;
        if (c->levels == 2)
            y[i] = s > 0;
    }
    r->batch = (ng_batch){.x = &r->x, .y = &r->y, .count = c->rows};
}

static void open_network(run *r, const course *c, ng_precision precision) {
    ng_network_options options;
    ng_network_options_init(&options);
    options.layers = c->layers;
    options.input = c->input;
    options.family = c->family;
    options.levels = c->levels;
    options.targets = c->targets;
    options.precision = precision;
    OK(ng_network_create(r->ctx, &options, &r->network));
    r->dim = ng_network_parameters(r->network);
}

static void open_in(run *r, ng_ctx *own, const course *c, ng_trainer optimizer,
                    ng_precision precision) {
    memset(r, 0, sizeof *r);
    r->ctx = own;
    fill(r, c);
    open_network(r, c, precision);
    ng_train_options_init(&r->options);
    r->options.optimizer = optimizer;
    r->options.batch = c->rows;
    r->options.l2 = 1e-5;
}

/* The options may be changed before the first steps. */
static void steps(run *r, size_t count) {
    if (!r->train)
        OK(ng_train_create(r->network, &r->options, &r->train));
    for (size_t i = 0; i < count; i++) {
        ng_status status = ng_train_step(r->train, &r->batch, &r->report);
        ck_assert_msg(status == NG_OK, "%s: %s", NAMES[r->options.optimizer],
                      ng_error(r->ctx));
    }
}

static void close_run(run *r) {
    ng_train_destroy(&r->train);
    ng_network_destroy(&r->network);
    ng_array_free(r->ctx, &r->x);
    ng_array_free(r->ctx, &r->y);
}

static double *vector(size_t n) {
    double *out = calloc(n, sizeof *out);
    ck_assert_ptr_nonnull(out);
    return out;
}

static double *parameters(const run *r) {
    double *theta = vector(r->dim);
    ng_network_get(r->network, theta);
    return theta;
}

static double loss_of(run *r) {
    ng_score score;
    OK(ng_network_evaluate(r->network, &r->batch, &score));
    return score.loss;
}

static const course SMALL = {
    "6 tanh, 5 tanh", {3, 1, 1}, "categorical", 3, 1, 96};

/* ---- Every optimizer ---- */

/* At the rates that train.h names; sgd's and its kin's small ones need more
 * steps. */
static size_t patience(ng_trainer optimizer) {
    return ng_trainer_second_order(optimizer) ? 30 : 400;
}

START_TEST(every_optimizer_lowers_the_loss) {
    ng_trainer optimizer = OPTIMIZERS[_i % OPTIMIZER_COUNT];
    bool single = _i >= OPTIMIZER_COUNT;
    run r;
    open_in(&r, ctx, &SMALL, optimizer, single ? NG_SINGLE : NG_DOUBLE);
    double before = loss_of(&r);
    steps(&r, patience(optimizer));
    double after = loss_of(&r);
    /* Chance is log 3; what the methods reach is 0.3 and less. */
    ck_assert_msg(after < 0.8 * before, "%s: %g to %g", NAMES[optimizer],
                  before, after);
    ng_train_swap_average(r.train);
    ck_assert_double_lt(loss_of(&r), 0.9 * before);
    close_run(&r);
}
END_TEST

static const course NETS[] = {
    {"conv 3 2x2 relu, conv 4 2x2 stride 2 tanh",
     {1, 5, 5},
     "categorical",
     3,
     1,
     64},
    {"embedding 5x3, 6 tanh", {3, 1, 1}, "categorical", 2, 1, 64},
    {"6 tanh, layer-norm, [6 gelu, 6]", {3, 1, 1}, "gaussian", 0, 2, 64},
    {"conv 4 3x3 pad same groups 2 silu, max-pool 2",
     {2, 4, 4},
     "bernoulli",
     0,
     2,
     64},
    {"8 softplus", {3, 1, 1}, "normal", 0, 1, 64},
};
enum { NET_COUNT = sizeof NETS / sizeof *NETS };

START_TEST(second_order_methods_train_every_kind_of_network) {
    for (size_t k = 0; k < OPTIMIZER_COUNT; k++) {
        run r;
        if (!ng_trainer_second_order(OPTIMIZERS[k]))
            continue;
        open_in(&r, ctx, &NETS[_i % NET_COUNT], OPTIMIZERS[k], NG_DOUBLE);
        r.options.sharing = _i < NET_COUNT ? NG_EXPAND : NG_REDUCE;
        double before = loss_of(&r);
        steps(&r, 30);
        double after = loss_of(&r);
        ck_assert_msg(after < before - 0.1, "%s: %g to %g", NAMES[k], before,
                      after);
        close_run(&r);
    }
}
END_TEST

/* ---- The same run again ---- */

static void run_threads(const course *c, ng_trainer optimizer, size_t threads,
                        double *theta) {
    const ng_ctx_options options = {.threads = threads};
    ng_ctx *own;
    run r;
    OK(ng_ctx_create(&options, &own));
    open_in(&r, own, c, optimizer, NG_DOUBLE);
    r.options.batch = 48;
    r.batch.count = 48;
    /* Conjugate gradients in an ill-conditioned F multiply roundings by more
     * than they leave: at this damping they do not. */
    if (optimizer == NG_TRAIN_CG) {
        r.options.damping = 0.3;
        r.options.adapt_damping = 0;
    }
    for (size_t i = 0; i < 24; i++) {
        r.batch.first = 48 * (i % 2);
        steps(&r, 1);
    }
    ng_network_get(r.network, theta);
    close_run(&r);
    ng_ctx_destroy(&own);
}

/* Inverses made beside the training included: iteration 40 and on has them,
 * see the next test; here the workers' shares are what is looked at. */
START_TEST(two_threads_are_one_to_rounding_and_the_same_bits_again) {
    ng_trainer optimizer = OPTIMIZERS[_i];
    double one[256], two[256], again[256];
    run_threads(&SMALL, optimizer, 1, one);
    run_threads(&SMALL, optimizer, 2, two);
    run_threads(&SMALL, optimizer, 2, again);
    size_t dim = 24 + 35 + 18;
    ck_assert_mem_eq(two, again, dim * sizeof *two);
    /* Roundings of 1e-16 grow with every step of a net that learns. */
    double gap = relative_distance(dim, one, two);
    ck_assert_msg(gap < 1e-7, "%s: %g", NAMES[optimizer], gap);
}
END_TEST

/* A state that fits anywhere: arrays one behind the other. */
typedef struct tape {
    char *data;
    size_t at, size;
    bool loading;
} tape;

static ng_status visit_tape(void *user, const char *name, char kind,
                            size_t count, void *data) {
    tape *t = user;
    size_t bytes = count * (kind == 'r' || kind == 'd' ? sizeof(double)
                                                       : sizeof(uint64_t));
    ck_assert_ptr_nonnull(name);
    if (t->loading) {
        ck_assert_uint_le(t->at + bytes, t->size);
        memcpy(data, t->data + t->at, bytes);
    } else {
        t->data = realloc(t->data, t->at + bytes + 1);
        memcpy(t->data + t->at, data, bytes);
        t->size = t->at + bytes;
    }
    t->at += bytes;
    return NG_OK;
}

static void run_on(const course *c, ng_trainer optimizer, size_t from,
                   size_t more, tape *t, double *theta) {
    const ng_ctx_options options = {.threads = 2};
    ng_ctx *own;
    run r;
    OK(ng_ctx_create(&options, &own));
    open_in(&r, own, c, optimizer, NG_DOUBLE);
    if (!t->loading)
        steps(&r, from);
    else
        steps(&r, 0);
    t->at = 0;
    OK(ng_train_visit(r.train, t->loading, visit_tape, t));
    steps(&r, more);
    ng_network_get(r.network, theta);
    close_run(&r);
    ng_ctx_destroy(&own);
}

/* At iteration 40 inverses are begun beside the training and adopted five
 * iterations later: 42 has pending ones. */
START_TEST(a_resumed_run_has_the_same_bits) {
    static const size_t moments[] = {1, 7, 40, 42, 45};
    ng_trainer optimizer = OPTIMIZERS[_i];
    double straight[512], resumed[512];
    const course *c = optimizer == NG_TRAIN_KFAC || optimizer == NG_TRAIN_EKFAC
                          ? &NETS[2]
                          : &SMALL;
    for (size_t k = 0; k < sizeof moments / sizeof *moments; k++) {
        tape t = {0};
        memset(straight, 0, sizeof straight);
        memset(resumed, 0, sizeof resumed);
        run_on(c, optimizer, moments[k], 12, &t, straight);
        t.loading = true;
        run_on(c, optimizer, moments[k], 12, &t, resumed);
        ck_assert_uint_eq(t.at, t.size);
        ck_assert_msg(memcmp(straight, resumed, sizeof resumed) == 0,
                      "%s from %zu: %g apart", NAMES[optimizer], moments[k],
                      distance(512, straight, resumed));
        free(t.data);
    }
}
END_TEST

/* A convolution at a batch smaller than its cache slices: an evaluation needs
 * larger passes, and must not change how sums are cut. */
START_TEST(an_evaluation_changes_no_bit_of_the_training) {
    static const course images = {.layers = "conv 8 5x5 pad same relu",
                                  .input = {2, 12, 12},
                                  .family = "gaussian",
                                  .targets = 1,
                                  .rows = 64};
    double *theta[2];
    for (int evaluates = 0; evaluates < 2; evaluates++) {
        run r;
        ng_score score;
        open_in(&r, ctx, &images, NG_TRAIN_ADAM, NG_DOUBLE);
        r.options.batch = r.batch.count = 4;
        steps(&r, 3);
        if (evaluates) {
            ng_batch all = r.batch;
            all.count = ng_array_rows(r.batch.x);
            OK(ng_network_evaluate(r.network, &all, &score));
        }
        steps(&r, 7);
        theta[evaluates] = parameters(&r);
        if (evaluates)
            ck_assert_mem_eq(theta[0], theta[1],
                             ng_network_parameters(r.network) * sizeof(double));
        close_run(&r);
    }
    free(theta[0]);
    free(theta[1]);
}
END_TEST

/* ---- KL ---- */

static double kl_gap(ng_trainer optimizer, double radius) {
    run r;
    open_in(&r, ctx, &SMALL, optimizer, NG_DOUBLE);
    r.options.l2 = 0;
    r.options.rate = 1e3; /* cut to the radius */
    r.options.kl_radius = radius;
    r.options.damping = 1e-2;
    r.options.curvature_fraction = 1;
    r.options.fisher = NG_FISHER_EXACT;
    double *before = parameters(&r), kl;
    steps(&r, 1);
    double *after = parameters(&r);
    ng_network_set(r.network, before);
    OK(ng_network_kl(r.network, &r.batch, after, &kl));
    NEAR(r.report.kl, radius, 1e-9 * radius);
    free(before);
    free(after);
    close_run(&r);
    return fabs(kl / r.report.kl - 1);
}

/* KL = delta'F delta / 2 (1 + O(|delta|)): a radius 100 times smaller has a
 * tenth of the gap. */
START_TEST(predicted_and_true_kl_of_a_small_step_agree) {
    for (size_t k = 0; k < OPTIMIZER_COUNT; k++) {
        if (!ng_trainer_second_order(OPTIMIZERS[k]))
            continue;
        double coarse = kl_gap(OPTIMIZERS[k], 1e-6);
        double fine = kl_gap(OPTIMIZERS[k], 1e-8);
        ck_assert_msg(coarse < 0.05 && fine < 0.2 * coarse + 1e-5, "%s: %g, %g",
                      NAMES[k], coarse, fine);
    }
}
END_TEST

/* ---- Twins ---- */

/* tanh(u) = 2 sigma(2 u) - 1: with W' = 2 W, V' = 2 V and c' = c - V 1 a
 * sigmoid network is a tanh network. */
enum { IN = 2, HIDDEN = 2, WIDE = IN + 1, SEEN = 3, TWIN_ROWS = 60 };
enum { TWIN_DIM = HIDDEN * WIDE + SEEN * (HIDDEN + 1) };
static const course TWINS[] = {
    {"2 tanh", {IN, 1, 1}, "gaussian", 0, SEEN, TWIN_ROWS},
    {"2 sigmoid", {IN, 1, 1}, "gaussian", 0, SEEN, TWIN_ROWS},
};

/* The tanh network's parameters become the sigmoid network's. */
static void translate(double *theta) {
    for (size_t i = 0; i < HIDDEN * WIDE; i++)
        theta[i] *= 2;
    for (size_t k = 0; k < SEEN; k++) {
        double *V = theta + HIDDEN * WIDE + k * (HIDDEN + 1);
        for (size_t j = 0; j < HIDDEN; j++) {
            V[HIDDEN] -= V[j];
            V[j] *= 2;
        }
    }
}

static void open_twin(run *r, bool sigmoid, ng_trainer optimizer,
                      double damping) {
    /* Hidden units that look different ways: F is far from singular. */
    double theta[TWIN_DIM] = {1.2, 0.2, 0.3, -0.3, 0.9, -0.4, 1,   -0.5,
                              0.1, 0.6, 1,   0,    -1,  0.7,  -0.2};
    open_in(r, ctx, &TWINS[sigmoid], optimizer, NG_DOUBLE);
    ck_assert_uint_eq(r->dim, TWIN_DIM);
    if (sigmoid)
        translate(theta);
    ng_network_set(r->network, theta);
    r->options.l2 = 0;
    r->options.damping = damping;
    r->options.adapt_damping = 0;
    r->options.fisher = NG_FISHER_EXACT;
    r->options.curvature_fraction = 1;
    r->options.statistics_every = 1;
    r->options.statistics_decay = 0;
    r->options.inverse_every = 1;
    r->options.inverse_delay = 0;
    r->options.momentum = 0;
    r->options.kl_radius = 0;
    r->options.average = 0;
    r->options.rate = ng_trainer_second_order(optimizer) ? 0.1 : 0.01;
}

/* How far the twins' outputs are apart after some steps. */
static double twins_apart(ng_trainer optimizer, double damping, size_t count) {
    double z[2][TWIN_ROWS * SEEN];
    for (int sigmoid = 0; sigmoid < 2; sigmoid++) {
        run r;
        open_twin(&r, sigmoid, optimizer, damping);
        steps(&r, count);
        OK(ng_network_predict(r.network, &r.batch, z[sigmoid]));
        close_run(&r);
    }
    return distance(TWIN_ROWS * SEEN, z[0], z[1]);
}

START_TEST(twins_begin_as_one_model) {
    double z[2][TWIN_ROWS * SEEN];
    for (int sigmoid = 0; sigmoid < 2; sigmoid++) {
        run r;
        open_twin(&r, sigmoid, NG_TRAIN_SGD, -1);
        OK(ng_network_predict(r.network, &r.batch, z[sigmoid]));
        close_run(&r);
    }
    ck_assert_double_lt(distance(TWIN_ROWS * SEEN, z[0], z[1]),
                        100 * DBL_EPSILON);
}
END_TEST

/* The map between the twins is affine, so that finite steps agree as well; the
 * damping is not the same in both. The gap is of the order of the damping, and
 * with K-FAC's factored damping of its root. */
static double gap_slope(ng_trainer optimizer, double top, double *least) {
    double damping[3], gap[3];
    for (size_t k = 0; k < 3; k++) {
        damping[k] = top * pow(10, -2.0 * (double)k);
        gap[k] = twins_apart(optimizer, damping[k], 5);
    }
    *least = gap[2];
    return log_slope(3, damping, gap);
}

START_TEST(twins_stay_together_under_the_natural_gradient) {
    double least;
    double slope = gap_slope(NG_TRAIN_NATURAL, 1e-6, &least);
    ck_assert_msg(fabs(slope - 1) < 0.02 && least < 1e-6, "slope %g, gap %g",
                  slope, least);
}
END_TEST

START_TEST(twins_stay_together_under_kfac_as_damping_vanishes) {
    double least;
    double slope = gap_slope(NG_TRAIN_KFAC, 1e-6, &least);
    ck_assert_msg(fabs(slope - 0.5) < 0.02 && least < 1e-3, "slope %g, gap %g",
                  slope, least);
}
END_TEST

START_TEST(twins_part_under_adam_and_sgd) {
    ck_assert_double_gt(twins_apart(NG_TRAIN_ADAM, -1, 30), 0.01);
    ck_assert_double_gt(twins_apart(NG_TRAIN_SGD, -1, 30), 0.01);
}
END_TEST

/* ---- Memory ---- */

/* An allocator that remembers each block's size, counts what is asked for and
 * may have only so many calls left. */
typedef struct ledger {
    size_t bytes, calls, left;
} ledger;

static void *ledger_resize(void *user, void *block, size_t size) {
    ledger *l = user;
    size_t *head = block ? (size_t *)block - 2 : NULL;
    if (!l->left)
        return NULL;
    l->left--;
    l->bytes -= head ? *head : 0;
    head = realloc(head, size + 2 * sizeof *head);
    *head = size;
    l->bytes += size;
    l->calls++;
    return head + 2;
}

static void *ledger_alloc(void *user, size_t size) {
    return ledger_resize(user, NULL, size);
}

static void ledger_release(void *user, void *block) {
    ledger *l = user;
    size_t *head = (size_t *)block - 2;
    l->bytes -= *head;
    free(head);
}

static ng_ctx *ledger_context(ledger *book) {
    const ng_allocator allocator = {ledger_alloc, ledger_resize, ledger_release,
                                    book};
    const ng_ctx_options options = {.allocator = &allocator, .threads = 2};
    ng_ctx *own;
    *book = (ledger){.left = SIZE_MAX};
    OK(ng_ctx_create(&options, &own));
    return own;
}

/* Large enough that tables of pointers do not count. */
static const course LARGE = {"conv 6 3x3 relu, max-pool 2, 20 tanh",
                             {1, 12, 12},
                             "categorical",
                             10,
                             1,
                             80};

START_TEST(memory_is_what_create_takes_and_a_step_takes_none) {
    ledger book;
    ng_ctx *own = ledger_context(&book);
    run r;
    open_in(&r, own, &LARGE, OPTIMIZERS[_i], NG_SINGLE);
    if (OPTIMIZERS[_i] == NG_TRAIN_SAMPLE_SPACE)
        r.options.fisher_samples = 2;
    double said = ng_train_memory(r.network, &r.options);
    size_t before = book.bytes;
    steps(&r, 0);
    double taken = (double)(book.bytes - before);
    ck_assert_msg(fabs(said - taken) < 0.02 * taken + 8192,
                  "%s: %.0f said, %.0f taken", NAMES[_i], said, taken);
    size_t calls = book.calls;
    steps(&r, 3);
    ck_assert_uint_eq(book.calls, calls);
    close_run(&r);
    ng_ctx_destroy(&own);
}
END_TEST

START_TEST(every_failed_allocation_is_survived) {
    ng_status status = NG_ENOMEM;
    for (size_t allowance = 0; status != NG_OK; allowance++) {
        ledger book;
        ng_ctx *own = ledger_context(&book);
        run r;
        open_in(&r, own, &SMALL, OPTIMIZERS[_i], NG_DOUBLE);
        book.left = allowance;
        status = ng_train_create(r.network, &r.options, &r.train);
        book.left = SIZE_MAX;
        ck_assert(status == NG_OK || status == NG_ENOMEM);
        ck_assert(status == NG_OK || strstr(ng_error(own), "memory"));
        close_run(&r);
        ng_ctx_destroy(&own);
        ck_assert_uint_eq(book.bytes, 0);
    }
}
END_TEST

/* 10^6 parameters of one dense block are 4 x 10^12 bytes. */
START_TEST(a_metric_that_cannot_fit_says_what_it_needs) {
    static const course wide = {
        "1024 tanh, 1024 tanh", {4, 1, 1}, "categorical", 3, 1, 8};
    run r;
    open_in(&r, ctx, &wide, NG_TRAIN_NATURAL, NG_SINGLE);
    double said = ng_train_memory(r.network, &r.options);
    ck_assert_double_gt(said, 8.0 * (double)r.dim * (double)r.dim);
    close_run(&r);
}
END_TEST

static void add(TCase *tests) {
    ng_set_blas_threads(1);
    tcase_add_loop_test(tests, every_optimizer_lowers_the_loss, 0,
                        2 * OPTIMIZER_COUNT);
    tcase_add_loop_test(tests, second_order_methods_train_every_kind_of_network,
                        0, 2 * NET_COUNT);
    tcase_add_loop_test(tests,
                        two_threads_are_one_to_rounding_and_the_same_bits_again,
                        0, OPTIMIZER_COUNT);
    tcase_add_loop_test(tests, a_resumed_run_has_the_same_bits, 0,
                        OPTIMIZER_COUNT);
    tcase_add_test(tests, an_evaluation_changes_no_bit_of_the_training);
    tcase_add_test(tests, predicted_and_true_kl_of_a_small_step_agree);
    tcase_add_test(tests, twins_begin_as_one_model);
    tcase_add_test(tests, twins_stay_together_under_the_natural_gradient);
    tcase_add_test(tests, twins_stay_together_under_kfac_as_damping_vanishes);
    tcase_add_test(tests, twins_part_under_adam_and_sgd);
    tcase_add_loop_test(tests,
                        memory_is_what_create_takes_and_a_step_takes_none, 0,
                        OPTIMIZER_COUNT);
    tcase_add_loop_test(tests, every_failed_allocation_is_survived, 0,
                        OPTIMIZER_COUNT);
    tcase_add_test(tests, a_metric_that_cannot_fit_says_what_it_needs);
}

int main(void) {
    return theory_main("training", add);
}
