/* Training: steps, limits, and what happens between them. */
#include "learner/net.h"

#include <math.h>

/* Random numbers that nothing else draws. */
static const uint64_t SHIFT_STREAM = (uint64_t)1 << 42;

enum { SNAPSHOT_NUMBERS = 1 << 17 };

/* ---- Steps ----------------------------------------------------------------
 */

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
    if (c->iteration == 0)
        n->start = progress->step.loss;
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
    if (!ngi_net_epoch_is_over(run, c->position, c->iteration))
        return false;
    c->epoch++;
    c->position = 0;
    ngi_net_epoch_begin(run);
    return true;
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
    if (c->scored && run->numbers.train.loss <= o->target_loss)
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
    return pause && ngi_seconds() > run->saved + 1;
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
    run->saved = ngi_seconds();
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
    NG_TRY(ngi_net_run_open(run));
    if (run->options->checkpoint)
        NG_TRY(ngi_net_checkpoint_open(run));
    ngi_net_epoch_begin(run);
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
    ngi_net_run_close(&run);
    return status;
}
