/* What users should know about a run although it is no error. */
#include "data/text.h"
#include "learner/net.h"

#include <math.h>
#include <stdio.h>

/* ---- Data -----------------------------------------------------------------
 */

static ng_status warn_of_labels(ngi_net_run *run) {
    char text[512];
    if (!run->data->largest_label)
        return NG_OK;
    snprintf(text, sizeof text,
             "%s: the targets are whole numbers 0..%zu: --family categorical "
             "makes them classes",
             run->data->y_name, run->data->largest_label);
    return ngi_net_warn(run->net, text);
}

/* Those of the rows that are trained on. */
static void count_examples(const ngi_net_run *run, size_t *count) {
    for (size_t i = 0; i < run->examples; i++)
        count[(size_t)ng_array_at(&run->view.y, run->row[i], 0)]++;
}

static ng_status warn_of_empty(ngi_net_run *run, const size_t *count) {
    const ngi_levels *classes = &run->net->coding->classes;
    size_t first = classes->count, empty = 0;
    char text[512], more[64] = "";
    for (size_t k = classes->count; k-- > 0;) {
        if (count[k])
            continue;
        first = k;
        empty++;
    }
    if (empty == 0)
        return NG_OK;
    if (empty > 1)
        snprintf(more, sizeof more, " and %zu more", empty - 1);
    snprintf(text, sizeof text, "%s: class %s%s %s no example to train on",
             run->data->y_name, ngi_show_string(classes->name[first]).text,
             more, empty > 1 ? "have" : "has");
    return ngi_net_warn(run->net, text);
}

static ng_status warn_of_classes(ngi_net_run *run) {
    const ngi_net_coding *coding = run->net->coding;
    if (!coding->categorical)
        return NG_OK;
    size_t *count = ngi_alloc(run->ctx, coding->classes.count, sizeof *count);
    if (!count)
        return NG_ENOMEM;
    count_examples(run, count);
    ng_status status = warn_of_empty(run, count);
    ngi_free(run->ctx, count);
    return status;
}

ng_status ngi_net_warn_of_data(ngi_net_run *run) {
    NG_TRY(warn_of_labels(run));
    return warn_of_classes(run);
}

/* ---- The result -----------------------------------------------------------
 */

static bool well_above(double loss, double start) {
    return loss > start + 0.5 * fabs(start);
}

/* Of all training rows: a single batch may be a lucky one. */
static ng_status score_start(ngi_net_run *run, double *loss) {
    ng_network *network = run->net->network;
    ng_batch batch = ngi_net_view_batch(&run->view);
    ng_score score;
    batch.row = run->row;
    batch.count = run->examples;
    ng_network_get(network, run->good);
    ngi_architecture_init(network->architecture, run->options->init,
                          run->options->seed, run->next);
    ng_network_set(network, run->next);
    ng_status status = ng_network_evaluate(network, &batch, &score);
    ng_network_set(network, run->good);
    *loss = score.loss;
    return status;
}

static ng_status warn_of_rise(ngi_net_run *run) {
    ng_net_summary *s = &run->net->summary;
    double start = run->numbers.start;
    char text[256];
    if (s->stop == NG_NET_DIVERGED || !well_above(s->train.loss, start))
        return NG_OK;
    NG_TRY(score_start(run, &start));
    if (!well_above(s->train.loss, start))
        return NG_OK;
    s->converged = 0;
    snprintf(text, sizeof text,
             "training ended above its start: a training loss of %.4g after "
             "%.4g; a larger --batch or %s may help",
             s->train.loss, start,
             ng_trainer_second_order(run->train_options.optimizer)
                 ? "more --damping"
                 : "a smaller --rate");
    return ngi_net_warn(run->net, text);
}

/* The best parameters by validation may be those of long before. */
static ng_status warn_of_target(ngi_net_run *run) {
    const ng_net_summary *s = &run->net->summary;
    double target = run->options->target_loss;
    char text[256];
    if (s->stop != NG_NET_TARGET ||
        !(s->train.loss > target + 0.1 * fabs(target)))
        return NG_OK;
    snprintf(text, sizeof text,
             "the training loss reached %.4g, but the parameters kept are the "
             "best by validation, where it is %.4g",
             target, s->train.loss);
    return ngi_net_warn(run->net, text);
}

ng_status ngi_net_warn_of_result(ngi_net_run *run) {
    NG_TRY(warn_of_rise(run));
    return warn_of_target(run);
}
