/* Training: what comes before the first step, and the memory it would take. */
#include "learner/net.h"

#include <math.h>
#include <string.h>

/* Streams of random numbers that nothing else draws from. */
static const uint64_t SPLIT_STREAM = (uint64_t)1 << 40;
static const uint64_t EPOCH_STREAM = (uint64_t)1 << 41;

enum { LEAST_BATCH = 64 };
enum { DEFAULT_EPOCHS = 20 };

void ng_net_options_init(ng_net_options *options) {
    *options = (ng_net_options){.layers = "",
                                .init = -1,
                                .growing = 100,
                                .seed = 1,
                                .target_loss = -HUGE_VAL};
    ng_train_options_init(&options->train);
    options->train.batch = 0;
}

size_t ng_net_default_batch(ng_trainer optimizer, size_t examples) {
    size_t batch = 128;
    if (ng_trainer_second_order(optimizer)) {
        batch = examples / 8 < 1000 ? examples / 8 : 1000;
        batch = batch > LEAST_BATCH ? batch : LEAST_BATCH;
    }
    return batch < examples ? batch : examples;
}

/* Early gradients are large beside their noise: few rows will do for them. */
size_t ngi_net_batch_at(const ngi_net_run *run, uint64_t iteration) {
    double first = (double)run->options->first_batch;
    double largest = (double)run->largest;
    double growing = (double)run->options->growing;
    if (first == 0 || first >= largest || (double)iteration >= growing)
        return run->largest;
    return (size_t)floor(first *
                         pow(largest / first, (double)iteration / growing));
}

/* ---- Order ----------------------------------------------------------------
 */

static void shuffle(size_t *order, size_t count, uint64_t seed,
                    uint64_t stream) {
    ng_rng rng;
    ng_rng_init(&rng, seed, stream);
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)(ng_rng_uniform(&rng) * (double)i);
        size_t kept = order[i - 1];
        j = j < i ? j : i - 1;
        order[i - 1] = order[j];
        order[j] = kept;
    }
}

/* An epoch's order depends on the seed and its number alone. */
void ngi_net_epoch_begin(ngi_net_run *run) {
    memcpy(run->order, run->row, run->examples * sizeof *run->order);
    shuffle(run->order, run->examples, run->options->seed,
            EPOCH_STREAM + run->counters.epoch);
}

/* Rows that do not fill another batch are left to the next epochs. */
bool ngi_net_epoch_is_over(const ngi_net_run *run, uint64_t position,
                           uint64_t iteration) {
    return run->examples - position < ngi_net_batch_at(run, iteration);
}

static size_t iterations_of(const ngi_net_run *run, size_t epochs) {
    size_t iteration = 0;
    for (size_t epoch = 0; epoch < epochs; epoch++)
        for (uint64_t position = 0;
             !ngi_net_epoch_is_over(run, position, iteration);)
            position += ngi_net_batch_at(run, iteration++);
    return iteration;
}

/* ---- Preparing ------------------------------------------------------------
 */

/* 0: as many as it takes. */
static size_t epochs_of(const ng_net_options *o) {
    bool limited = o->seconds > 0 || o->iterations || o->patience ||
                   isfinite(o->target_loss);
    return o->epochs || limited ? o->epochs : DEFAULT_EPOCHS;
}

static ng_status check_options(ng_ctx *ctx, const ng_net_data *data,
                               const ng_net_options *o) {
    if (!data->targets)
        return ngi_fail(ctx, NG_EUSAGE, "%s: expected a target to learn",
                        data->x_name);
    if (!(o->valid_fraction >= 0 && o->valid_fraction < 1))
        return ngi_fail(ctx, NG_EUSAGE,
                        "expected a validation fraction from 0 to below 1");
    if (o->valid && o->valid_fraction > 0)
        return ngi_fail(ctx, NG_EUSAGE,
                        "validation data and a validation fraction exclude "
                        "each other");
    if (o->patience && !o->valid && o->valid_fraction == 0)
        return ngi_fail(ctx, NG_EUSAGE, "patience needs validation data");
    if (isnan(o->target_loss) || isnan(o->seconds) || o->seconds < 0)
        return ngi_fail(ctx, NG_EUSAGE,
                        "expected a target loss that is a number, and seconds "
                        "of 0 or more");
    if (o->train.schedule == NG_SCHEDULE_COSINE && !o->epochs && !o->iterations)
        return ngi_fail(ctx, NG_EUSAGE,
                        "schedule \"cosine\" must know where it ends: expected "
                        "a number of epochs (--epochs)");
    if (o->resume && !o->checkpoint)
        return ngi_fail(ctx, NG_EUSAGE,
                        "resuming needs the directory of a checkpoint");
    return NG_OK;
}

/* A class that is alone needs no network. */
static ng_status check_classes(ng_ctx *ctx, const ng_net_data *data) {
    const ngi_net_coding *coding = data->coding;
    size_t rows = ng_array_rows(&data->x), same = 1;
    if (!coding->categorical || rows == 0)
        return NG_OK;
    double first = ng_array_at(&data->y, 0, 0);
    while (same < rows && ng_array_at(&data->y, same, 0) == first)
        same++;
    if (coding->classes.count > 1 && (same < rows || rows == 1))
        return NG_OK;
    return ngi_fail(ctx, NG_EDATA,
                    "%s: all examples have the same class; two or more are "
                    "expected",
                    data->y_name);
}

static ng_network_options network_options(const ngi_net_run *run) {
    const ngi_net_coding *coding = run->net->coding;
    return (ng_network_options){
        .layers = run->options->layers,
        .input = coding->shape,
        .family = run->data->family,
        .levels = coding->categorical ? coding->classes.count : 0,
        .targets = coding->targets,
        .init = run->options->init,
        .seed = run->options->seed,
        .precision = run->options->precision};
}

/* A network that has shapes but no numbers: enough to check data and to count
 * memory. The inputs of an embedding are indices: they are not standardised.
 * Whether there is one is known when the layers have been read. */
static ng_status make_shell(ngi_net_run *run) {
    ngi_net_coding *coding = run->net->coding;
    ng_network_options options = network_options(run);
    ng_network *shell = ngi_alloc(run->ctx, 1, sizeof *shell);
    if (!shell)
        return NG_ENOMEM;
    run->net->network = shell;
    shell->ctx = run->ctx;
    shell->precision = options.precision;
    NG_TRY(ngi_architecture_create(run->ctx, &options, &shell->architecture));
    if (coding->plain ||
        shell->architecture->layer[0].kind != NG_LAYER_EMBEDDING)
        return NG_OK;
    coding->plain = true;
    coding->shape = (ng_shape){coding->inputs, 1, 1};
    options = network_options(run);
    ngi_architecture_destroy(&shell->architecture);
    return ngi_architecture_create(run->ctx, &options, &shell->architecture);
}

/* In the place of the shell. */
static ng_status make_network(ngi_net_run *run) {
    const ng_network_options options = network_options(run);
    ng_network_destroy(&run->net->network);
    return ng_network_create(run->ctx, &options, &run->net->network);
}

static ng_status check_view(const ngi_net_run *run, const ngi_net_view *view) {
    ng_batch batch = ngi_net_view_batch(view);
    return ng_network_check(run->net->network, batch.x, batch.y,
                            view->data->x_name, view->data->y_name);
}

static ng_status check_shift(const ngi_net_run *run) {
    const ng_shape *s = &run->net->coding->shape;
    if (run->options->shift == 0 || s->height > 1 || s->width > 1)
        return NG_OK;
    return ngi_fail(run->ctx, NG_EUSAGE,
                    "%s: only images can be shifted, and its examples are "
                    "vectors of %zu values",
                    run->data->x_name, s->channels);
}

static ng_status open_views(ngi_net_run *run) {
    const ng_net_options *o = run->options;
    const ngi_net_coding *coding = run->net->coding;
    NG_TRY(ngi_net_view_open(coding, run->data, true, &run->view));
    NG_TRY(check_view(run, &run->view));
    NG_TRY(check_shift(run));
    if (o->valid) {
        NG_TRY(ngi_net_view_open(coding, o->valid, true, &run->valid));
        NG_TRY(check_view(run, &run->valid));
    }
    run->test = ngi_alloc(run->ctx, o->tests, sizeof *run->test);
    if (!run->test)
        return NG_ENOMEM;
    NG_TRY(ngi_net_allocate_tests(run->net, o->tests));
    for (size_t i = 0; i < o->tests; i++) {
        const char *name = o->test_name ? o->test_name[i] : o->test[i]->x_name;
        run->net->test_name[i] = ngi_strdup(run->ctx, name);
        if (!run->net->test_name[i])
            return NG_ENOMEM;
        NG_TRY(ngi_net_view_open(coding, o->test[i], true, &run->test[i]));
        NG_TRY(check_view(run, &run->test[i]));
    }
    return NG_OK;
}

/* Training rows first, validation rows after them. */
static ng_status split(ngi_net_run *run) {
    double fraction = run->options->valid_fraction;
    size_t rows = ng_array_rows(&run->view.x);
    run->row = ngi_alloc(run->ctx, rows, sizeof *run->row);
    run->order = ngi_alloc(run->ctx, rows, sizeof *run->order);
    if (!run->row || !run->order)
        return NG_ENOMEM;
    for (size_t i = 0; i < rows; i++)
        run->row[i] = i;
    run->examples = rows;
    run->validates = run->options->valid || fraction > 0;
    if (fraction == 0)
        return NG_OK;
    size_t held = (size_t)fmax(1, round(fraction * (double)rows));
    if (held >= rows)
        return ngi_fail(
            run->ctx, NG_EDATA, "%s: %zu example%s too few to hold %zu out",
            run->data->x_name, rows, rows == 1 ? " is" : "s are", held);
    shuffle(run->row, rows, run->options->seed, SPLIT_STREAM);
    run->examples = rows - held;
    return NG_OK;
}

static void resolve(ngi_net_run *run) {
    const ng_net_options *o = run->options;
    ng_train_options *t = &run->train_options;
    *t = o->train;
    t->seed = o->seed;
    run->largest =
        t->batch ? t->batch : ng_net_default_batch(t->optimizer, run->examples);
    run->largest = run->largest < run->examples ? run->largest : run->examples;
    t->batch = run->largest;
    run->epochs = epochs_of(o);
    run->averages = t->average > 0 ||
                    (t->average < 0 && ng_trainer_second_order(t->optimizer));
    t->horizon = 0;
    if (t->schedule != NG_SCHEDULE_COSINE)
        return;
    t->horizon = run->epochs ? iterations_of(run, run->epochs) : o->iterations;
    if (o->iterations && o->iterations < t->horizon)
        t->horizon = o->iterations;
}

/* Beside the trainer's: parameters thrice in double, orders of the rows. */
static double memory(const ngi_net_run *run) {
    double dim = (double)ng_network_parameters(run->net->network);
    double rows = (double)ng_array_rows(&run->view.x);
    double real =
        run->options->precision == NG_DOUBLE ? sizeof(double) : sizeof(float);
    return ng_train_memory(run->net->network, &run->train_options) +
           dim * (real + 3 * sizeof(double)) + 2 * rows * sizeof(size_t);
}

/* Everything that takes neither numbers of the network nor a trainer. */
static ng_status plan(ngi_net_run *run) {
    const ng_net_data *data = run->data;
    NG_TRY(check_options(run->ctx, data, run->options));
    NG_TRY(check_classes(run->ctx, data));
    NG_TRY(ngi_net_create(run->ctx, data->family, data->target, &run->net));
    NG_TRY(ngi_net_coding_copy(data->coding, &run->net->coding));
    NG_TRY(make_shell(run));
    NG_TRY(open_views(run));
    NG_TRY(split(run));
    resolve(run);
    run->net->summary.memory = memory(run);
    return NG_OK;
}

static ng_status allocate(ngi_net_run *run) {
    size_t dim = ng_network_parameters(run->net->network);
    run->good = ngi_alloc(run->ctx, dim, sizeof *run->good);
    run->next = ngi_alloc(run->ctx, dim, sizeof *run->next);
    if (run->validates)
        run->best = ngi_alloc(run->ctx, dim, sizeof *run->best);
    if (!run->good || !run->next || (run->validates && !run->best))
        return NG_ENOMEM;
    ng_network_get(run->net->network, run->good);
    return NG_OK;
}

ng_status ngi_net_run_open(ngi_net_run *run) {
    NG_TRY(plan(run));
    NG_TRY(make_network(run));
    run->numbers.train = run->numbers.valid = ngi_net_no_score();
    run->numbers.damping = run->numbers.rate = run->numbers.momentum =
        (double)NAN;
    run->numbers.start = (double)NAN;
    run->tested = ngi_net_no_score();
    NG_TRY(ngi_net_warn_of_data(run));
    NG_TRY(allocate(run));
    return ng_train_create(run->net->network, &run->train_options, &run->train);
}

void ngi_net_run_close(ngi_net_run *run) {
    ng_train_destroy(&run->train);
    ngi_net_view_close(&run->view);
    ngi_net_view_close(&run->valid);
    for (size_t i = 0; run->test && i < run->options->tests; i++)
        ngi_net_view_close(&run->test[i]);
    void *blocks[] = {run->test, run->row,  run->order,
                      run->best, run->good, run->next};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        ngi_free(run->ctx, blocks[i]);
    ng_net_destroy(&run->net);
}

ng_status ng_net_memory(ng_ctx *ctx, const ng_net_data *data,
                        const ng_net_options *options, double *bytes) {
    ngi_net_run run = {.ctx = ctx, .data = data, .options = options};
    ng_status status = plan(&run);
    if (status == NG_OK)
        *bytes = run.net->summary.memory;
    ngi_net_run_close(&run);
    return status;
}
