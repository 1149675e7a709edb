/* What a run knows about itself: scores, the best parameters, and those that
 * it ends with. */
#include "learner/net.h"

#include <math.h>
#include <stdio.h>

static ng_batch training_rows(const ngi_net_run *run) {
    ng_batch batch = ngi_net_view_batch(&run->view);
    if (run->options->valid_fraction > 0) {
        batch.row = run->row;
        batch.count = run->examples;
    }
    return batch;
}

static ng_batch validation_rows(const ngi_net_run *run) {
    if (run->options->valid)
        return ngi_net_view_batch(&run->valid);
    ng_batch batch = ngi_net_view_batch(&run->view);
    batch.row = run->row + run->examples;
    batch.count -= run->examples;
    return batch;
}

static ng_status score(ngi_net_run *run, ng_batch batch, ng_score *out) {
    return ng_network_evaluate(run->net->network, &batch, out);
}

/* The training scores of the last iterate and of the average; the better one
 * stays in the network. */
static ng_status choose(ngi_net_run *run) {
    ng_score last, average;
    run->counters.average = 0;
    NG_TRY(score(run, training_rows(run), &last));
    run->numbers.train = last;
    if (!run->averages || run->counters.iteration == 0)
        return NG_OK;
    ng_train_swap_average(run->train);
    ng_status status = score(run, training_rows(run), &average);
    if (status == NG_OK && (average.loss < last.loss || !isfinite(last.loss))) {
        run->counters.average = 1;
        run->numbers.train = average;
        return NG_OK;
    }
    ng_train_swap_average(run->train);
    return status;
}

static void keep_best(ngi_net_run *run) {
    ngi_net_numbers *n = &run->numbers;
    bool better = run->counters.has_best ? n->valid.loss < n->best
                                         : isfinite(n->valid.loss);
    run->counters.stale = better ? 0 : run->counters.stale + 1;
    if (!better)
        return;
    run->counters.has_best = 1;
    n->best = n->valid.loss;
    n->best_train = n->train;
    n->best_valid = n->valid;
    ng_network_get(run->net->network, run->best);
}

static ng_status score_others(ngi_net_run *run) {
    if (run->validates) {
        NG_TRY(score(run, validation_rows(run), &run->numbers.valid));
        keep_best(run);
    }
    if (run->options->tests)
        NG_TRY(score(run, ngi_net_view_batch(&run->test[0]), &run->tested));
    return NG_OK;
}

ng_status ngi_net_run_evaluate(ngi_net_run *run) {
    NG_TRY(choose(run));
    ng_status status = score_others(run);
    if (run->counters.average)
        ng_train_swap_average(run->train);
    run->counters.scored = run->counters.iteration;
    return status;
}

/* ---- The end --------------------------------------------------------------
 */

static ng_status return_to(ngi_net_run *run, const double *theta) {
    ng_network_set(run->net->network, theta);
    NG_TRY(score(run, training_rows(run), &run->net->summary.train));
    if (run->validates)
        NG_TRY(score(run, validation_rows(run), &run->net->summary.valid));
    return NG_OK;
}

static ng_status fail_safe(ngi_net_run *run) {
    char text[128];
    run->net->summary.stop = NG_NET_DIVERGED;
    snprintf(text, sizeof text,
             "iteration %llu: the training loss is not finite; the parameters "
             "are those before",
             (unsigned long long)run->counters.iteration);
    return ngi_net_warn(run->net, text);
}

/* The parameters and their scores of training and validation. */
static ng_status settle(ngi_net_run *run) {
    ng_net_summary *s = &run->net->summary;
    const ngi_net_numbers *n = &run->numbers;
    bool fresh = run->counters.scored == run->counters.iteration &&
                 run->counters.iteration > 0;
    if (s->stop != NG_NET_DIVERGED && !fresh)
        NG_TRY(ngi_net_run_evaluate(run));
    if (s->stop != NG_NET_DIVERGED && !isfinite(n->train.loss))
        NG_TRY(fail_safe(run));
    if (run->counters.has_best) {
        ng_network_set(run->net->network, run->best);
        s->train = n->best_train;
        s->valid = n->best_valid;
        return NG_OK;
    }
    if (s->stop == NG_NET_DIVERGED)
        return return_to(run, run->good);
    if (run->counters.average)
        ng_train_swap_average(run->train);
    s->train = n->train;
    if (run->validates)
        s->valid = n->valid;
    return NG_OK;
}

static bool converged(const ngi_net_run *run) {
    bool asked = isfinite(run->options->target_loss);
    switch (run->net->summary.stop) {
    case NG_NET_TARGET:
    case NG_NET_PATIENCE:
        return true;
    case NG_NET_EPOCHS:
    case NG_NET_ITERATIONS:
    case NG_NET_SECONDS:
        return !asked;
    default:
        return false;
    }
}

ng_status ngi_net_run_conclude(ngi_net_run *run) {
    ng_net_summary *s = &run->net->summary;
    const ngi_net_counters *c = &run->counters;
    const ngi_net_numbers *n = &run->numbers;
    NG_TRY(settle(run));
    for (size_t i = 0; i < s->tests; i++)
        NG_TRY(
            score(run, ngi_net_view_batch(&run->test[i]), &run->net->test[i]));
    s->optimizer = ngi_trainer_name(run->train_options.optimizer);
    s->parameters = ng_network_parameters(run->net->network);
    s->epochs = (size_t)c->epoch;
    s->iterations = (size_t)c->iteration;
    s->batch = (size_t)c->batch;
    s->seconds = n->seconds;
    s->examples = n->examples;
    s->damping = n->damping;
    s->rate = n->rate;
    s->momentum = n->momentum;
    s->l2 = run->train_options.l2;
    s->converged = converged(run);
    return ngi_net_warn_of_result(run);
}
