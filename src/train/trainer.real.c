/* A training run: memory, the order of a step, and its state. */
#include "train/trainer.h"

#include <math.h>
#include <string.h>

enum { BLOCK_ROWS = 512 };
/* Rows x outputs that F's products along two directions should be averaged
 * over: with a few hundred the quadratic model is noise. */
static const double LEAST_CURVATURE = 65536;

static size_t curvature_rows(const ngi_architecture *a,
                             const ng_train_options *o, size_t batch) {
    double rows = ceil(fabs(o->curvature_fraction) * (double)batch);
    if (o->curvature_fraction < 0)
        rows = fmax(rows, ceil(LEAST_CURVATURE / (double)a->outputs));
    return rows < (double)batch ? (size_t)rows : batch;
}

static ng_train_options resolved(const ng_train_options *given) {
    ng_train_options o = *given;
    bool second = ng_trainer_second_order(o.optimizer);
    bool model = second && o.rate < 0;
    if (o.rate < 0 && !second)
        o.rate = o.optimizer == NG_TRAIN_SGD        ? 0.1
                 : o.optimizer == NG_TRAIN_MOMENTUM ? 0.003
                                                    : 1e-3;
    if (o.momentum < 0)
        o.momentum = 0.9;
    if (o.weight_decay < 0)
        o.weight_decay = 0.01;
    if (o.curvature_fraction < 0)
        o.curvature_fraction = -0.125;
    if (o.statistics_every < 0)
        o.statistics_every = 2;
    if (o.inverse_every < 0)
        o.inverse_every = 20;
    if (o.inverse_delay < 0)
        o.inverse_delay = 5;
    if (o.statistics_decay < 0)
        o.statistics_decay = 0.95;
    if (o.kl_radius < 0)
        o.kl_radius = model ? 0 : 1e-3;
    if (o.average < 0)
        o.average = second ? 0.99 : 0;
    if (o.cg_iterations == 0)
        o.cg_iterations = 50;
    if (o.fisher_samples == 0)
        o.fisher_samples = 1;
    return o;
}

typedef struct plan {
    size_t curvature, capacity, tangents;
    size_t vectors; /* of dim reals */
} plan;

static plan make_plan(const ngi_architecture *a, const ng_train_options *o) {
    size_t workers = ngi_threads(a->ctx);
    bool second = ng_trainer_second_order(o->optimizer);
    plan p = {.curvature = second ? curvature_rows(a, o, o->batch) : 0};
    size_t share = (o->batch + workers - 1) / workers + 1;
    p.tangents = second ? (p.curvature + workers - 1) / workers : 0;
    p.capacity = share < BLOCK_ROWS ? share : BLOCK_ROWS;
    /* Beside the curvature rows there must be room for others. */
    if (p.capacity < p.tangents + 1)
        p.capacity = p.tangents + (share > p.tangents ? 1 : 0);
    p.vectors = workers + 2; /* gradients, direction and step or moments */
    if (o->average > 0)
        p.vectors += 2;
    return p;
}

static double bytes(const ngi_architecture *a, const ng_train_options *given) {
    ng_train_options o = resolved(given);
    plan p = make_plan(a, &o);
    double workers = (double)ngi_threads(a->ctx);
    double total = sizeof(real) *
                   ((double)p.vectors * (double)a->dim +
                    workers * (double)NR(pass_size)(a, p.capacity, p.tangents));
    total += workers * (double)p.tangents *
             ((double)a->outputs * sizeof(real) + sizeof(double));
    const metric_ops *ops = NR(metric_find)(o.optimizer);
    return total + (ops ? ops->memory(a, &o, p.curvature) : 0);
}

static void destroy(void **pointer) {
    trainer *t = *pointer;
    if (!t)
        return;
    if (t->metric.state)
        t->metric.ops->destroy(&t->metric);
    for (size_t w = 0; w < t->e->workers; w++) {
        if (t->score)
            ngi_free(t->ctx, t->score[w]);
        if (t->losses)
            ngi_free(t->ctx, t->losses[w]);
    }
    ngi_free(t->ctx, t->score);
    ngi_free(t->ctx, t->losses);
    ngi_free(t->ctx, t->count);
    ngi_free(t->ctx, t->sums);
    ngi_free(t->ctx, t->memory);
    ngi_free(t->ctx, t);
    *pointer = NULL;
}

static ng_status allocate_workers(trainer *t, const plan *p) {
    size_t workers = t->e->workers, n = t->e->architecture->outputs;
    t->score = ngi_alloc(t->ctx, workers, sizeof *t->score);
    t->losses = ngi_alloc(t->ctx, workers, sizeof *t->losses);
    t->count = ngi_alloc(t->ctx, workers, sizeof *t->count);
    t->sums = ngi_alloc(t->ctx, workers, sizeof *t->sums);
    if (!t->score || !t->losses || !t->count || !t->sums)
        return NG_ENOMEM;
    for (size_t w = 0; w < workers; w++) {
        t->score[w] = ngi_alloc(t->ctx, p->tangents * n, sizeof(real));
        t->losses[w] = ngi_alloc(t->ctx, p->tangents, sizeof(double));
        if (!t->score[w] || !t->losses[w])
            return NG_ENOMEM;
    }
    return NG_OK;
}

static ng_status allocate_vectors(trainer *t, const plan *p) {
    size_t dim = t->e->dim;
    t->memory = ngi_alloc(t->ctx, p->vectors * dim, sizeof(real));
    if (!t->memory)
        return NG_ENOMEM;
    t->gradient = t->memory;
    t->direction = t->first = t->gradient + dim;
    t->step = t->second = t->direction + dim;
    t->partial = t->step + dim;
    if (t->options.average > 0) {
        t->average = t->partial + (t->e->workers - 1) * dim;
        t->saved = t->average + dim;
    }
    return NG_OK;
}

static ng_status create_metric(trainer *t, const plan *p) {
    t->metric = (metric){.ops = NR(metric_find)(t->options.optimizer),
                         .ctx = t->ctx,
                         .engine = t->e,
                         .options = &t->options,
                         .rows = p->curvature,
                         .count = t->count};
    return t->metric.ops ? t->metric.ops->create(&t->metric) : NG_OK;
}

static ng_status check_option(ng_ctx *ctx, bool good, const char *name,
                              const char *expected) {
    return good ? NG_OK
                : ngi_fail(ctx, NG_EUSAGE, "training: %s must be %s", name,
                           expected);
}

/* What is left after the defaults have been filled in. */
static ng_status check_options(ng_ctx *ctx, const ng_train_options *o,
                               bool model) {
    struct {
        bool good;
        const char *name, *expected;
    } checks[] = {
        {o->batch > 0, "batch", "at least 1"},
        {o->l2 >= 0 && isfinite(o->l2), "l2", "at least 0"},
        {model || (o->rate >= 0 && isfinite(o->rate)), "rate", "at least 0"},
        {o->momentum >= 0 && o->momentum < 1, "momentum", "from 0 to below 1"},
        {o->weight_decay >= 0 && isfinite(o->weight_decay), "weight decay",
         "at least 0"},
        {o->fisher != NG_FISHER_OBSERVED, "fisher",
         "exact, sampled or empirical"},
        {o->curvature_fraction != 0 && fabs(o->curvature_fraction) <= 1,
         "curvature fraction", "above 0 and at most 1"},
        {o->statistics_every >= 1 && o->inverse_every >= 1 &&
             isfinite(o->statistics_every) && isfinite(o->inverse_every),
         "intervals", "at least 1"},
        {o->inverse_delay <= 1e9, "inverse delay", "at most 1e9"},
        {o->statistics_decay < 1, "statistics decay", "below 1"},
        {o->damping <= 1e300, "damping", "a number"},
        {isfinite(o->kl_radius), "KL radius", "a number"},
        {o->average < 1, "average", "below 1"},
    };
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        NG_TRY(check_option(ctx, checks[i].good, checks[i].name,
                            checks[i].expected));
    return NG_OK;
}

static ng_status create(void *engine_, const ng_train_options *options,
                        void **out) {
    engine *e = engine_;
    ng_status status;
    void *self = ngi_alloc(e->ctx, 1, sizeof(trainer));
    trainer *t = self;
    if (!t)
        return NG_ENOMEM;
    t->ctx = e->ctx;
    t->e = e;
    t->options = resolved(options);
    t->second_order = ng_trainer_second_order(options->optimizer);
    t->model = t->second_order && options->rate < 0;
    t->damping = options->damping;
    t->least_damping = 1e-2 * options->damping;
    NG_TRY_GOTO(check_options(e->ctx, &t->options, t->model));
    plan p = make_plan(e->architecture, &t->options);
    t->capacity = p.capacity;
    t->curvature = p.curvature;
    NG_TRY_GOTO(NR(engine_reserve)(e, p.capacity, p.tangents));
    NG_TRY_GOTO(allocate_workers(t, &p));
    NG_TRY_GOTO(allocate_vectors(t, &p));
    NG_TRY_GOTO(create_metric(t, &p));
    *out = t;
    return NG_OK;
fail:
    destroy(&self);
    if (status != NG_ENOMEM)
        return status;
    return ngi_fail(e->ctx, NG_ENOMEM,
                    "out of memory: this network, batch and metric take %.1f "
                    "MiB",
                    bytes(e->architecture, options) / 0x1p20);
}

/* ---- A step ---------------------------------------------------------------
 */

static double schedule(const trainer *t) {
    if (t->options.schedule != NG_SCHEDULE_COSINE || t->options.horizon == 0)
        return 1;
    double k = (double)t->iteration, all = (double)t->options.horizon;
    return k < all ? (1 + cos(3.14159265358979323846 * k / all)) / 2 : 0;
}

/* How long the inverses are kept: they change fast at first. */
static uint64_t refresh_interval(const trainer *t) {
    double interval = ceil((double)t->iteration / 4);
    interval = fmin(interval, t->options.inverse_every);
    return interval > 1 ? (uint64_t)interval : 1;
}

static void update_metric(trainer *t) {
    const metric_ops *ops = t->metric.ops;
    double damping = t->damping + t->options.l2;
    uint64_t every = (uint64_t)fmax(t->options.statistics_every, 1);
    uint64_t delay = (uint64_t)t->options.inverse_delay;
    if (ops->collect && (t->iteration % every == 0 || t->collections < 10))
        NR(trainer_collect)(t);
    if (ops->immediate) {
        ops->refresh(&t->metric, damping, false);
        ops->adopt(&t->metric);
        return;
    }
    uint64_t interval = refresh_interval(t);
    if (t->iteration >= t->refreshed + interval || t->iteration == 0) {
        bool beside = interval >= 2 * delay && delay > 0;
        ops->refresh(&t->metric, damping, beside);
        t->refreshed = t->iteration;
        t->adopt_at = t->iteration + (beside ? delay : 0);
    }
    if (t->iteration == t->adopt_at)
        ops->adopt(&t->metric);
}

/* Levenberg & Marquardt's rule (section 6.5), from which the right damping is
 * found in steps of 0.6 at first and then of (19/20)^5. The ratio is of the
 * batch's own loss, which knows no noise: without a least damping steps would
 * come to fit the batch alone. */
enum { ADAPT_EVERY = 5, ADAPT_ALWAYS = 50, WATCH = 10, MOST_CUTS = 10 };

static bool adapts_now(const trainer *t) {
    return !t->metric.ops->steady || t->iteration < ADAPT_ALWAYS ||
           t->iteration < t->watch_until ||
           t->iteration % ADAPT_EVERY == ADAPT_EVERY - 1;
}

static void adapt_damping(trainer *t, double ratio) {
    double omega = t->iteration < ADAPT_ALWAYS ? 0.6 : 0.7737809375;
    if (!t->options.adapt_damping)
        return;
    if (ratio > 0.75)
        t->damping *= omega;
    else if (!(ratio >= 0))
        t->damping /= omega * omega * omega; /* it did harm */
    else if (ratio < 0.25)
        t->damping /= omega;
    t->damping = fmax(t->damping, t->least_damping);
}

/* A given rate and no bound on the step: nothing to ask the model for. */
static bool needs_products(const trainer *t) {
    return t->model || t->options.kl_radius > 0 ||
           (t->options.adapt_damping && adapts_now(t));
}

/* Nats that a step may move; 0: no bound. A model of few rows x outputs is no
 * model to be trusted far. */
static double kl_radius(const trainer *t) {
    const double trusted = 1024;
    double numbers = (double)(t->rows * t->e->architecture->outputs);
    if (!t->model || t->options.kl_radius > 0)
        return t->options.kl_radius;
    return numbers / trusted;
}

/* a and b of the step a d + b s. */
static void choose_step(trainer *t, const quadratic *q, bool both, double *a,
                        double *b) {
    double factor = schedule(t);
    if (t->model) {
        NR(quadratic_minimise)
        (q, t->damping + t->options.l2, both, a, b);
        *b *= factor;
    } else {
        *a = -t->options.rate;
        *b = both ? t->options.momentum : 0;
    }
    *a *= factor;
    double radius = kl_radius(t);
    if (radius > 0) {
        double kl = NR(quadratic_kl)(q, *a, *b);
        double cut = fmin(1, sqrt(radius / kl));
        *a *= cut;
        *b *= cut;
    }
}

static ng_status fail_direction(trainer *t) {
    return ngi_fail(t->ctx, NG_ENUMERIC,
                    "iteration %llu: the preconditioned gradient is not finite "
                    "at damping %g",
                    (unsigned long long)t->iteration + 1, t->damping);
}

/* Compares what the step did with what the model said. One that made things
 * worse is cut until it does not, and the next ones are watched. */
static void judge_step(trainer *t, const quadratic *q, double a, double b,
                       ng_train_report *report) {
    const double left = 0.25;
    double damping = t->damping + t->options.l2;
    double predicted = NR(quadratic_value)(q, t->options.l2, damping, a, b);
    double change = NR(trainer_change)(t, q, a, b);
    report->reduction = change / predicted;
    adapt_damping(t, predicted < 0 ? report->reduction : -1);
    for (int cut = 0; cut < MOST_CUTS && !(change <= 0); cut++) {
        a *= left;
        b *= left;
        NR(trainer_shorten)(t, left);
        change = NR(trainer_change)(t, q, a, b);
        t->watch_until = t->iteration + WATCH;
        report->rate = -a;
        report->momentum = b;
        report->kl = NR(quadratic_kl)(q, a, b);
    }
}

static ng_status second_order_step(trainer *t, ng_train_report *report) {
    quadratic q = {.gd = NAN, .d_F_d = NAN};
    double a, b;
    bool both = t->iteration > 0 && t->options.momentum > 0;
    if (t->iteration == 0 && t->damping < 0)
        NG_TRY(NR(trainer_calibrate)(t));
    report->damping = t->damping;
    update_metric(t);
    NG_TRY(t->metric.ops->solve(&t->metric, t->gradient, t->direction));
    bool products = needs_products(t);
    if (products) {
        NR(trainer_products)(t, both, &q);
        if (!isfinite(q.gd) || !isfinite(q.d_F_d) || !isfinite(q.dd))
            return fail_direction(t);
    } else if (!NR(finite)(t->e->dim, t->direction)) {
        return fail_direction(t);
    }
    choose_step(t, &q, both, &a, &b);
    NR(trainer_move)(t, a, b);
    report->rate = -a;
    report->momentum = b;
    report->decrement = sqrt(q.gd > 0 ? q.gd : products ? 0 : (double)NAN);
    report->kl = NR(quadratic_kl)(&q, a, b);
    /* Nor is a step taken on trust that moves by as much as there is left to
     * lose. */
    bool far = products && report->kl > fabs(report->loss) / 2;
    if (far || (products && adapts_now(t)))
        judge_step(t, &q, a, b, report);
    NR(trainer_average)(t);
    return NG_OK;
}

static ng_status fail_swapped(const trainer *t) {
    return ngi_fail(t->ctx, NG_EUSAGE,
                    "the network has the averaged parameters: swap them back "
                    "first");
}

static ng_status step(void *self, const ng_batch *batch,
                      ng_train_report *report) {
    trainer *t = self;
    double start = ngi_seconds(), norm;
    NG_TRY(ngi_architecture_fits(t->e->architecture, batch));
    if (t->swapped)
        return fail_swapped(t);
    if (batch->count > t->options.batch)
        return ngi_fail(t->ctx, NG_EUSAGE,
                        "a batch of %zu examples: 1 to %zu are expected",
                        batch->count, t->options.batch);
    *report = (ng_train_report){.decrement = NAN,
                                .damping = NAN,
                                .momentum = NAN,
                                .reduction = NAN,
                                .kl = NAN};
    t->batch = batch;
    t->rows = t->second_order ? curvature_rows(t->e->architecture, &t->options,
                                               batch->count)
                              : 0;
    t->metric.total = t->rows;
    NG_TRY(NR(trainer_gradient)(t, &report->loss, &norm));
    double tt = 0;
    for (size_t w = 0; w < t->e->workers; w++)
        tt += t->sums[w].tt;
    report->objective = report->loss + t->options.l2 / 2 * tt;
    report->gradient_norm = norm;
    if (t->second_order) {
        NG_TRY(second_order_step(t, report));
    } else {
        report->rate = t->options.rate * schedule(t);
        NR(rule_step)(t, report->rate);
    }
    t->iteration++;
    t->seconds += ngi_seconds() - start;
    report->iteration = t->iteration;
    report->seconds = t->seconds;
    return NG_OK;
}

static void swap_average(void *self) {
    trainer *t = self;
    size_t size = t->e->dim * sizeof(real);
    if (!t->average || t->iteration == 0)
        return;
    if (t->swapped) {
        memcpy(t->e->theta, t->saved, size);
    } else {
        memcpy(t->saved, t->e->theta, size);
        memcpy(t->e->theta, t->average, size);
    }
    t->swapped = !t->swapped;
}

/* ---- State ----------------------------------------------------------------
 */

static ng_status visit_state(void *self, int loading, ng_train_visitor visit,
                             void *user) {
    trainer *t = self;
    size_t dim = t->e->dim;
    if (t->swapped)
        return fail_swapped(t);
    uint64_t counters[] = {t->iteration, t->collections, t->refreshed,
                           t->adopt_at, t->watch_until};
    double numbers[] = {t->damping, t->seconds, t->least_damping};
    NG_TRY(visit(user, "counters", 'u', 5, counters));
    NG_TRY(visit(user, "numbers", 'd', 3, numbers));
    NG_TRY(visit(user, "parameters", 'r', dim, t->e->theta));
    NG_TRY(visit(user, "first", 'r', dim, t->first));
    NG_TRY(visit(user, "second", 'r', dim, t->second));
    if (t->average)
        NG_TRY(visit(user, "average", 'r', dim, t->average));
    if (t->metric.ops && t->metric.ops->visit)
        NG_TRY(t->metric.ops->visit(&t->metric, loading, visit, user));
    if (!loading)
        return NG_OK;
    t->iteration = counters[0];
    t->collections = counters[1];
    t->refreshed = counters[2];
    t->adopt_at = counters[3];
    t->watch_until = counters[4];
    t->damping = numbers[0];
    t->seconds = numbers[1];
    t->least_damping = numbers[2];
    return NG_OK;
}

const ngi_trainer_ops NR(trainer_ops) = {
    .create = create,
    .destroy = destroy,
    .memory = bytes,
    .step = step,
    .swap_average = swap_average,
    .visit = visit_state,
};
