/* What a step does with rows: gradient and statistics. */
#include "layerwise/rows.h"
#include "train/trainer.h"

#include <math.h>
#include <string.h>

/* Apart from the streams of initial weights and of the rows' order. */
static const uint64_t DRAW_STREAM = (uint64_t)1 << 43;

void NR(trainer_run)(trainer *t, void (*task)(void *user, size_t worker)) {
    ngi_parallel(t->ctx, task, t);
}

/* From 1; 0 if all values are finite. */
static size_t first_bad_layer(const trainer *t, const pass *p) {
    const ngi_architecture *a = t->e->architecture;
    for (size_t l = 0; l < a->layers; l++) {
        const ng_layer *layer = &a->layer[l];
        if (!NR(finite)(p->rows * pass_size(p, l + 1), p->value[l + 1]) ||
            !NR(finite)(layer->parameters, t->e->theta + layer->parameter))
            return l + 1;
    }
    return 0;
}

/* Curvature rows are the batch's first; a worker has its share of them at the
 * head of its pass, so that what is a curvature row does not depend on the
 * number of workers. */
static void gradient_worker(void *user, size_t worker) {
    trainer *t = user;
    engine *e = t->e;
    pass *p = e->pass[worker];
    worker_sums *sums = &t->sums[worker];
    real *gradient = worker ? t->partial + (worker - 1) * e->dim : t->gradient;
    size_t c_first, c_end, first, end;
    engine_share(t->rows, worker, e->workers, &c_first, &c_end);
    engine_share(t->batch->count - t->rows, worker, e->workers, &first, &end);
    first += t->rows;
    end += t->rows;
    memset(gradient, 0, e->dim * sizeof *gradient);
    size_t curvature = c_end - c_first;
    size_t kept = t->capacity - curvature; /* others beside them */
    t->count[worker] = curvature;
    for (;;) {
        /* The block with the curvature rows comes last and stays. */
        bool last = end - first <= kept;
        size_t others = last                               ? end - first
                        : end - first - kept < t->capacity ? end - first - kept
                                                           : t->capacity;
        size_t at = last ? curvature : 0;
        if (at)
            NR(pass_gather)(p, t->batch, 0, c_first, at);
        NR(pass_gather)(p, t->batch, at, first, others);
        first += others;
        NR(pass_forward)(p, e->theta);
        double loss = NR(output_loss)(p, p->rows);
        sums->loss += loss;
        if (!isfinite(loss) && !sums->bad_layer)
            sums->bad_layer = first_bad_layer(t, p);
        NR(output_gradient)(p, p->rows);
        if (last && t->second_order) {
            size_t value = e->architecture->layers, ld = pass_stride(p, value);
            for (size_t i = 0; i < curvature; i++)
                memcpy(t->score[worker] + i * e->architecture->outputs,
                       p->delta[value] + i * ld,
                       e->architecture->outputs * sizeof(real));
            memcpy(t->losses[worker], p->losses, curvature * sizeof *p->losses);
        }
        NR(pass_backward)(p, e->theta, p->rows, gradient);
        if (last)
            break;
    }
}

static void reduce_worker(void *user, size_t worker) {
    trainer *t = user;
    engine *e = t->e;
    size_t first, end;
    engine_share(e->dim, worker, e->workers, &first, &end);
    real scale = (real)(1 / (double)t->batch->count), l2 = (real)t->options.l2;
    real *g = t->gradient;
    for (size_t w = 1; w < e->workers; w++) {
        const real *part = t->partial + (w - 1) * e->dim;
        NR(axpby)(end - first, 1, part + first, 1, g + first);
    }
    NR(axpby)(end - first, l2, e->theta + first, scale, g + first);
    t->sums[worker].gg = NR(dot)(end - first, g + first, g + first);
    t->sums[worker].tt =
        NR(dot)(end - first, e->theta + first, e->theta + first);
}

static ng_status fail_not_finite(trainer *t, double loss) {
    const ngi_architecture *a = t->e->architecture;
    unsigned long long iteration = (unsigned long long)t->iteration + 1;
    char text[128] = "";
    size_t bad = first_bad_layer(t, t->e->pass[0]);
    for (size_t w = 0; w < t->e->workers; w++) {
        size_t own = t->sums[w].bad_layer;
        bad = own && (!bad || own < bad) ? own : bad;
    }
    if (!bad)
        return ngi_fail(t->ctx, NG_ENUMERIC,
                        "iteration %llu: the %s is not finite; the parameters "
                        "were left as they were",
                        iteration, isfinite(loss) ? "gradient" : "loss");
    ng_layer_text(&a->layer[bad - 1], text, sizeof text);
    return ngi_fail(t->ctx, NG_ENUMERIC,
                    "iteration %llu: values are not finite from layer %zu (%s) "
                    "on; the parameters were left as they were",
                    iteration, bad, text);
}

ng_status NR(trainer_gradient)(trainer *t, double *loss, double *norm) {
    double gg = 0, tt = 0;
    memset(t->sums, 0, t->e->workers * sizeof *t->sums);
    NR(trainer_run)(t, gradient_worker);
    NR(trainer_run)(t, reduce_worker);
    *loss = 0;
    for (size_t w = 0; w < t->e->workers; w++) {
        *loss += t->sums[w].loss;
        gg += t->sums[w].gg;
        tt += t->sums[w].tt;
    }
    *loss /= (double)t->batch->count;
    *norm = sqrt(gg);
    if (!isfinite(*loss) || !isfinite(gg) || !isfinite(tt))
        return fail_not_finite(t, *loss);
    return NG_OK;
}

/* ---- Statistics -----------------------------------------------------------
 */

static void draw_worker(void *user, size_t worker) {
    trainer *t = user;
    pass *p = t->e->pass[worker];
    size_t count = t->count[worker], first, end;
    engine_share(t->rows, worker, t->e->workers, &first, &end);
    if (t->options.fisher == NG_FISHER_EXACT)
        NR(output_root)(p, count, t->root);
    else if (t->options.fisher == NG_FISHER_SAMPLED)
        NR(output_sampled)(p, count, t->options.seed, t->draw, first);
    else
        NR(output_gradient)(p, count);
    NR(pass_backward)(p, t->e->theta, count, NULL);
}

static void collect_worker(void *user, size_t worker) {
    trainer *t = user;
    t->metric.ops->collect(&t->metric, &t->collection, worker);
}

void NR(trainer_collect)(trainer *t) {
    size_t samples = t->options.fisher_samples;
    bool exact = t->options.fisher == NG_FISHER_EXACT;
    bool sampled = t->options.fisher == NG_FISHER_SAMPLED;
    size_t draws = exact ? t->e->architecture->outputs : sampled ? samples : 1;
    double k = (double)t->collections;
    double decay = k / (k + 1); /* an average of all until the bound */
    if (decay > t->options.statistics_decay)
        decay = t->options.statistics_decay;
    t->collection = (collection){.count = t->count,
                                 .total = t->rows,
                                 .draws = draws,
                                 .weight = exact ? 1 : 1 / (double)draws,
                                 .decay = decay};
    for (size_t i = 0; i < draws; i++) {
        t->root = i;
        t->collection.draw = i;
        t->draw = DRAW_STREAM + t->iteration * (samples + 1) + i;
        NR(trainer_run)(t, draw_worker);
        NR(trainer_run)(t, collect_worker);
    }
    t->collections++;
}
