/* Training: batches, limits, and what happens between the steps. */
#include "learner/net.h"

#include <math.h>
#include <string.h>
#include <time.h>

/* Streams of random numbers that nothing else draws from. */
static const uint64_t SPLIT_STREAM = (uint64_t)1 << 40;
static const uint64_t EPOCH_STREAM = (uint64_t)1 << 41;
static const uint64_t SHIFT_STREAM = (uint64_t)1 << 42;

enum { LEAST_BATCH = 64 };
enum { DEFAULT_EPOCHS = 20, SNAPSHOT_NUMBERS = 1 << 17 };

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
static void begin_epoch(ngi_net_run *run) {
    memcpy(run->order, run->row, run->examples * sizeof *run->order);
    shuffle(run->order, run->examples, run->options->seed,
            EPOCH_STREAM + run->counters.epoch);
}

/* Rows that do not fill another batch are left to the next epochs. */
static bool epoch_is_over(const ngi_net_run *run, uint64_t position,
                          uint64_t iteration) {
    return run->examples - position < ngi_net_batch_at(run, iteration);
}

static size_t iterations_of(const ngi_net_run *run, size_t epochs) {
    size_t iteration = 0;
    for (size_t epoch = 0; epoch < epochs; epoch++)
        for (uint64_t position = 0; !epoch_is_over(run, position, iteration);)
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

static ng_status create_network(ngi_net_run *run, const char *family) {
    const ngi_net_coding *coding = run->net->coding;
    const ng_network_options options = {
        .layers = run->options->layers,
        .input = coding->shape,
        .family = family,
        .levels = coding->categorical ? coding->classes.count : 0,
        .targets = coding->targets,
        .init = run->options->init,
        .seed = run->options->seed,
        .precision = run->options->precision};
    return ng_network_create(run->ctx, &options, &run->net->network);
}

/* The inputs of an embedding are indices: they are not standardised. Whether
 * there is one is known when the layers have been read. */
static ng_status make_network(ngi_net_run *run) {
    ngi_net_coding *coding = run->net->coding;
    size_t layers;
    NG_TRY(create_network(run, run->data->family));
    const ng_layer *first = ng_network_layers(run->net->network, &layers);
    if (coding->plain || first->kind != NG_LAYER_EMBEDDING)
        return NG_OK;
    coding->plain = true;
    coding->shape = (ng_shape){coding->inputs, 1, 1};
    ng_network_destroy(&run->net->network);
    return create_network(run, run->data->family);
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
        return ngi_fail(run->ctx, NG_EDATA,
                        "%s: %zu examples are too few to hold %zu out",
                        run->data->x_name, rows, held);
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

static void close_run(ngi_net_run *run) {
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

/* Everything but the trainer. */
static ng_status prepare(ngi_net_run *run) {
    const ng_net_data *data = run->data;
    NG_TRY(check_options(run->ctx, data, run->options));
    NG_TRY(ngi_net_create(run->ctx, data->family, data->target, &run->net));
    NG_TRY(ngi_net_coding_copy(data->coding, &run->net->coding));
    NG_TRY(make_network(run));
    NG_TRY(open_views(run));
    NG_TRY(split(run));
    resolve(run);
    run->net->summary.memory = memory(run);
    run->numbers.train = run->numbers.valid = ngi_net_no_score();
    run->numbers.damping = run->numbers.rate = run->numbers.momentum =
        (double)NAN;
    run->tested = ngi_net_no_score();
    return NG_OK;
}

/* ---- Steps ----------------------------------------------------------------
 */

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static ng_batch next_batch(const ngi_net_run *run) {
    const ngi_net_counters *c = &run->counters;
    ng_batch batch = ngi_net_view_batch(&run->view);
    batch.row = run->order + c->position;
    batch.count = ngi_net_batch_at(run, c->iteration);
    batch.shift = run->options->shift;
    ng_rng rng;
    ng_rng_init(&rng, run->options->seed, SHIFT_STREAM + c->iteration);
    batch.shift_key = ng_rng_bits(&rng);
    return batch;
}

/* A point is good if it gives a batch a finite loss. Large networks are looked
 * at now and then only, for copying them takes time. */
static void keep_good(ngi_net_run *run, bool taken) {
    double *kept = run->good;
    if (!taken)
        return;
    run->good = run->next;
    run->next = kept;
}

static ng_status step(ngi_net_run *run, ng_net_progress *progress) {
    ngi_net_counters *c = &run->counters;
    ngi_net_numbers *n = &run->numbers;
    ng_batch batch = next_batch(run);
    size_t dim = ng_network_parameters(run->net->network);
    bool snapshot = c->iteration % (1 + dim / SNAPSHOT_NUMBERS) == 0;
    if (snapshot)
        ng_network_get(run->net->network, run->next);
    NG_TRY(ng_train_step(run->train, &batch, &progress->step));
    keep_good(run, snapshot);
    c->iteration++;
    c->position += batch.count;
    c->batch = batch.count;
    n->seconds = progress->step.seconds;
    n->examples += (double)batch.count;
    n->damping = progress->step.damping;
    n->rate = progress->step.rate;
    n->momentum = progress->step.momentum;
    return NG_OK;
}

/* Whether that ended an epoch. */
static bool advance(ngi_net_run *run) {
    ngi_net_counters *c = &run->counters;
    if (!epoch_is_over(run, c->position, c->iteration))
        return false;
    c->epoch++;
    c->position = 0;
    begin_epoch(run);
    return true;
}

static double watched(const ngi_net_run *run) {
    return run->validates ? run->numbers.valid.loss : run->numbers.train.loss;
}

static bool out_of_time(const ngi_net_run *run, ng_net_stop *stop) {
    const ng_net_options *o = run->options;
    const ngi_net_counters *c = &run->counters;
    if (o->seconds > 0 && run->numbers.seconds >= o->seconds)
        *stop = NG_NET_SECONDS;
    else if (o->iterations && c->iteration >= o->iterations)
        *stop = NG_NET_ITERATIONS;
    else if (run->epochs && c->epoch >= run->epochs)
        *stop = NG_NET_EPOCHS;
    else
        return false;
    return true;
}

/* Depends on what a checkpoint keeps alone, but for the request. */
static bool is_over(const ngi_net_run *run, bool asked, ng_net_stop *stop) {
    const ng_net_options *o = run->options;
    const ngi_net_counters *c = &run->counters;
    if (c->scored && watched(run) <= o->target_loss)
        *stop = NG_NET_TARGET;
    else if (o->patience && c->stale >= o->patience)
        *stop = NG_NET_PATIENCE;
    else if (out_of_time(run, stop))
        return true;
    else if (asked || ngi_cancelled(run->ctx))
        *stop = NG_NET_STOPPED;
    else
        return false;
    return true;
}

static bool evaluation_is_due(const ngi_net_run *run, bool epoch_over) {
    const ng_net_options *o = run->options;
    if (o->evaluate_every)
        return run->counters.iteration % o->evaluate_every == 0;
    return epoch_over &&
           (run->validates || isfinite(o->target_loss) || o->monitor);
}

static double fraction_done(const ngi_net_run *run) {
    const ng_net_options *o = run->options;
    const ngi_net_counters *c = &run->counters;
    double epochs =
        (double)c->epoch + (double)c->position / (double)run->examples;
    double done = run->epochs ? epochs / (double)run->epochs : 0;
    if (o->iterations)
        done = fmax(done, (double)c->iteration / (double)o->iterations);
    if (o->seconds > 0)
        done = fmax(done, run->numbers.seconds / o->seconds);
    return fmin(done, 1);
}

static bool tell(const ngi_net_run *run, ng_net_progress *progress,
                 bool evaluated) {
    const ng_net_options *o = run->options;
    const ngi_net_counters *c = &run->counters;
    if (!o->monitor)
        return false;
    progress->epoch = (size_t)c->epoch;
    progress->iteration = (size_t)c->iteration;
    progress->batch = (size_t)c->batch;
    progress->fraction = fraction_done(run);
    progress->examples = run->numbers.examples;
    progress->evaluated = evaluated;
    progress->train = evaluated ? run->numbers.train : ngi_net_no_score();
    progress->valid = evaluated ? run->numbers.valid : ngi_net_no_score();
    progress->test = evaluated ? run->tested : ngi_net_no_score();
    return o->monitor(o->user, progress) != 0;
}

/* With nothing said, at every pause, but not all the time. */
static bool checkpoint_is_due(const ngi_net_run *run, bool pause) {
    const ng_net_options *o = run->options;
    if (!o->checkpoint)
        return false;
    if (o->checkpoint_every)
        return run->counters.iteration % o->checkpoint_every == 0;
    return pause && now() > run->saved + 1;
}

/* A checkpoint is of a point that gives a finite loss. A disk that is full is
 * no reason to lose what has been learnt: the run goes on. */
static ng_status save(ngi_net_run *run) {
    const ngi_net_counters *c = &run->counters;
    ng_score score = run->numbers.train;
    ng_batch batch = ngi_net_view_batch(&run->view);
    batch.row = run->order;
    batch.count = (size_t)(c->batch ? c->batch : 1);
    if (c->scored != c->iteration)
        NG_TRY(ng_network_evaluate(run->net->network, &batch, &score));
    if (!isfinite(score.loss))
        return NG_OK;
    run->saved = now();
    ng_status status = ngi_net_checkpoint_save(run);
    if (status != NG_EWRITE)
        return status;
    bool first = !run->unwritten;
    run->unwritten = true;
    return first ? ngi_net_warn(run->net, ng_error(run->ctx)) : NG_OK;
}

static ng_status diverge(ngi_net_run *run) {
    run->net->summary.stop = NG_NET_DIVERGED;
    return ngi_net_warn(run->net, ng_error(run->ctx));
}

/* After a step: what is due. */
static ng_status pause_run(ngi_net_run *run, ng_net_progress *progress,
                           bool *asked) {
    bool over = advance(run);
    bool evaluates = evaluation_is_due(run, over);
    if (evaluates)
        NG_TRY(ngi_net_run_evaluate(run));
    *asked = tell(run, progress, evaluates);
    if (checkpoint_is_due(run, over || evaluates))
        NG_TRY(save(run));
    return NG_OK;
}

static ng_status loop(ngi_net_run *run) {
    ng_net_progress progress = {0};
    bool asked = false;
    while (!is_over(run, asked, &run->net->summary.stop)) {
        ng_status status = step(run, &progress);
        if (status == NG_ENUMERIC)
            return diverge(run);
        NG_TRY(status);
        NG_TRY(pause_run(run, &progress, &asked));
        bool scored = run->counters.scored == run->counters.iteration;
        if (scored && !isfinite(run->numbers.train.loss))
            break;
    }
    return run->options->checkpoint ? save(run) : NG_OK;
}

static ng_status fit(ngi_net_run *run) {
    NG_TRY(prepare(run));
    NG_TRY(allocate(run));
    NG_TRY(
        ng_train_create(run->net->network, &run->train_options, &run->train));
    if (run->options->checkpoint)
        NG_TRY(ngi_net_checkpoint_open(run));
    begin_epoch(run);
    NG_TRY(loop(run));
    return ngi_net_run_conclude(run);
}

ng_status ng_net_fit(ng_ctx *ctx, const ng_net_data *data,
                     const ng_net_options *options, ng_net **out) {
    ngi_net_run run = {.ctx = ctx, .data = data, .options = options};
    ng_status status = fit(&run);
    *out = NULL;
    if (status == NG_OK) {
        *out = run.net;
        run.net = NULL;
    }
    close_run(&run);
    return status;
}

ng_status ng_net_memory(ng_ctx *ctx, const ng_net_data *data,
                        const ng_net_options *options, double *bytes) {
    ngi_net_run run = {.ctx = ctx, .data = data, .options = options};
    ng_status status = prepare(&run);
    if (status == NG_OK)
        *bytes = run.net->summary.memory;
    close_run(&run);
    return status;
}
