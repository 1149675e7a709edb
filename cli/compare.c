/* natgrad compare glm, and compare dist: optimisers on the same work from the
 * same start, each at the best rate of one search that is the same for all. */
#include "race.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A factor of about 3 apart: what people try by hand. */
static const double RATES[] = {0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10};

static const char *const ALL[] = {"natural",  "newton",  "gradient",
                                  "momentum", "rmsprop", "adam"};

/* Rates whose objectives differ by less are equal, and the faster run wins. */
static const double SAME = 1e-9;

static int record(void *user, const ng_report *report) {
    runner *r = user;
    if (r->points == r->room) {
        size_t room = r->room ? 2 * r->room : 64;
        race_point *grown = realloc(r->point, room * sizeof *grown);
        if (!grown) {
            r->failed = true;
            return 1;
        }
        r->point = grown;
        r->room = room;
    }
    r->point[r->points++] = (race_point){
        report->seconds,       report->loss,      report->objective,
        report->gradient_norm, report->decrement, report->kl_total,
        report->examples};
    r->stop = report->stop;
    return cli_interrupted();
}

/* What is run: one of the learners, with its options. */
typedef struct task {
    ng_ctx *ctx;
    const cli_options *options;
    const ng_frame *frame;
    bool is_glm;
    ng_glm_options glm;
    ng_dist_options dist;
    double *start; /* dist: customary parameters, or none */
    double started;
    size_t runs, total_runs;
} task;

static void prepare(const runner *r, double rate, size_t iterations,
                    bool judged, ng_fit_options *fit) {
    bool second_order = r->optimizer == NG_NATURAL || r->optimizer == NG_NEWTON;
    fit->optimizer = r->optimizer;
    fit->step = NG_STEP_FIXED;
    fit->rate = rate;
    fit->max_iter = iterations;
    /* A Hessian has no root for the sample space. */
    if (r->optimizer == NG_NEWTON && fit->metric &&
        strcmp(fit->metric, "sample-space") == 0)
        fit->metric = NULL;
    /* Only they have a choice of metric, and only their decrement comes free
     * of charge. */
    if (!second_order) {
        fit->metric = NULL;
        fit->damping = 0;
    }
    if (!second_order && !judged)
        fit->tolerance = 0;
}

static int run(const task *t, const runner *r, double rate, size_t iterations,
               bool judged, runner *out, ng_model **model) {
    ng_glm_options glm = t->glm;
    ng_dist_options dist = t->dist;
    prepare(r, rate, iterations, judged, t->is_glm ? &glm.fit : &dist.fit);
    glm.std_errors = dist.std_errors = NG_SE_NONE;
    glm.monitor = dist.monitor = record;
    glm.user = dist.user = out;
    ng_status status = t->is_glm ? ng_glm_fit(t->ctx, t->frame, &glm, model)
                                 : ng_dist_fit(t->ctx, t->frame, &dist, model);
    if (status == NG_ENUMERIC) /* a rate that breaks the run loses, no more */
        return CLI_DONE;
    return cli_fail(t->ctx, status);
}

/* The end of a tuning run: objective, and how long it took to get there. */
static void judge(const runner *trial, double *objective, size_t *length) {
    *objective = HUGE_VAL;
    *length = trial->points;
    if (trial->points == 0 || trial->stop == NG_DIVERGED)
        return;
    double last = trial->point[trial->points - 1].objective;
    if (isfinite(last))
        *objective = last;
}

/* Where the table is not being watched as it grows, a bar is. */
static void show_progress(const task *t, size_t done, size_t total) {
    enum { WIDTH = 20 };
    if (t->options->quiet || !isatty(STDERR_FILENO) || isatty(STDOUT_FILENO))
        return;
    double elapsed = cli_now() - t->started;
    double left = elapsed / (double)done * (double)(total - done);
    fputs("\r[", stderr);
    for (size_t i = 0; i < WIDTH; i++)
        fputc(i * total < done * WIDTH ? '#' : '.', stderr);
    fprintf(stderr, "] run %zu of %zu, %.2g a second, about %.0f s left\033[K",
            done, total, (double)done / elapsed, left);
    if (done == total)
        fputs("\r\033[K", stderr);
}

static int tune(task *t, const double *rates, size_t count, runner *r) {
    const cli_options *options = t->options;
    double best = HUGE_VAL;
    size_t best_length = 0;
    if (!options->json)
        printf("%-9s", r->name);
    r->rate = rates[0];
    r->tried = rates;
    r->reached = malloc(count * sizeof *r->reached);
    if (!r->reached)
        return cli_complain(CLI_RESOURCES, "out of memory");
    for (size_t i = 0; i < count && !cli_interrupted(); i++) {
        runner trial = *r;
        ng_model *model = NULL;
        double objective;
        size_t length;
        trial.point = NULL;
        trial.points = trial.room = 0;
        trial.stop = NG_RUNNING;
        int status = run(t, r, rates[i], (size_t)options->tune_iter, false,
                         &trial, &model);
        judge(&trial, &objective, &length);
        r->reached[r->trials++] = objective;
        show_progress(t, ++t->runs, t->total_runs);
        free(trial.point);
        ng_model_destroy(&model);
        if (status != CLI_DONE)
            return status;
        if (!options->json && isfinite(objective))
            printf(" %9.4g", objective);
        else if (!options->json)
            printf(" %9s", "-");
        bool tie = fabs(objective - best) <= SAME && length < best_length;
        if (objective < best - SAME || tie) {
            best = objective;
            best_length = length;
            r->rate = rates[i];
        }
        fflush(stdout);
    }
    if (!options->json)
        printf("   rate %g\n", r->rate);
    return CLI_DONE;
}

static int add_test(const task *t, const ng_model *model, runner *r) {
    ng_frame *frame = NULL;
    r->test_loss = r->test_accuracy = (double)NAN;
    if (!t->options->test || !model)
        return CLI_DONE;
    int status = cli_read_for_model(t->ctx, t->options, model, t->options->test,
                                    true, &frame);
    if (status == CLI_DONE)
        status = cli_fail(t->ctx, ng_model_evaluate(model, frame, &r->test_loss,
                                                    &r->test_accuracy));
    ng_frame_destroy(&frame);
    return status;
}

static int race_one(task *t, runner *r) {
    enum { LENGTH = 200 };
    ng_model *model = NULL;
    size_t iterations =
        t->options->max_iter > 0 ? (size_t)t->options->max_iter : LENGTH;
    int status = run(t, r, r->rate, iterations, true, r, &model);
    show_progress(t, ++t->runs, t->total_runs);
    if (status == CLI_DONE && r->failed)
        status = cli_complain(CLI_RESOURCES, "out of memory");
    if (status == CLI_DONE)
        status = add_test(t, model, r);
    ng_model_destroy(&model);
    return status;
}

static int choose_runners(const cli_options *options, runner **out,
                          size_t *count) {
    const char *const *names =
        options->optimizers.count ? options->optimizers.item : ALL;
    *count = options->optimizers.count ? options->optimizers.count
                                       : sizeof ALL / sizeof *ALL;
    *out = calloc(*count, sizeof **out);
    if (!*out)
        return cli_complain(CLI_RESOURCES, "out of memory");
    for (size_t i = 0; i < *count; i++) {
        (*out)[i].name = names[i];
        int status =
            cli_optimizer("optimizers", names[i], &(*out)[i].optimizer);
        if (status != CLI_DONE)
            return status;
    }
    return CLI_DONE;
}

static int choose_rates(const cli_options *options, double **out,
                        size_t *count) {
    int status = cli_numbers("rates", &options->rates, out);
    *count = options->rates.count;
    for (size_t i = 0; i < *count && status == CLI_DONE; i++) {
        if (!((*out)[i] > 0))
            status = cli_complain(CLI_USAGE,
                                  "--rates: expected numbers > 0, found "
                                  "\"%s\"",
                                  options->rates.item[i]);
    }
    if (status != CLI_DONE || *count)
        return status;
    *count = sizeof RATES / sizeof *RATES;
    free(*out);
    *out = malloc(sizeof RATES);
    if (!*out)
        return cli_complain(CLI_RESOURCES, "out of memory");
    memcpy(*out, RATES, sizeof RATES);
    return CLI_DONE;
}

static int race(task *t, const double *rates, size_t rate_count,
                runner *runners, size_t count) {
    const cli_options *options = t->options;
    int status = CLI_DONE;
    t->started = cli_now();
    t->total_runs = count * (rate_count + 1);
    if (!options->json) {
        printf("Tuning: objective after at most %.0f iterations at each "
               "rate\n%-9s",
               options->tune_iter, "");
        for (size_t i = 0; i < rate_count; i++)
            printf(" %9g", rates[i]);
        putchar('\n');
    }
    for (size_t i = 0; i < count && status == CLI_DONE; i++)
        status = tune(t, rates, rate_count, &runners[i]);
    for (size_t i = 0; i < count && status == CLI_DONE; i++)
        status = race_one(t, &runners[i]);
    if (status == CLI_DONE)
        status = race_report(t->ctx, options, runners, count);
    return status;
}

static int read_task(const cli_options *options, task *t, ng_frame **frame) {
    const char *path = options->positional[0];
    int status = t->is_glm ? cli_glm_options(options, &t->glm)
                           : cli_dist_options(options, &t->dist);
    if (status == CLI_DONE)
        status = cli_context(options, &t->ctx);
    if (status == CLI_DONE)
        status = t->is_glm ? cli_read_glm(t->ctx, options, path, frame)
                           : cli_read_dist(t->ctx, options, path, frame);
    if (status == CLI_DONE)
        status = cli_check_limit(options);
    t->frame = *frame;
    if (status != CLI_DONE || !options->start.count)
        return status;
    status = cli_start(t->ctx, options, &t->start);
    t->dist.start = t->start;
    return status;
}

static void free_runner(runner *r) {
    free(r->point);
    free(r->reached);
}

static int compare(const cli_options *options, bool is_glm) {
    task t = {.options = options, .is_glm = is_glm};
    ng_frame *frame = NULL;
    runner *runners = NULL;
    double *rates = NULL;
    size_t count = 0, rate_count = 0;
    int status = choose_runners(options, &runners, &count);
    if (status == CLI_DONE)
        status = choose_rates(options, &rates, &rate_count);
    if (status == CLI_DONE)
        status = read_task(options, &t, &frame);
    if (status == CLI_DONE)
        status = race(&t, rates, rate_count, runners, count);
    for (size_t i = 0; runners && i < count; i++)
        free_runner(&runners[i]);
    free(runners);
    free(rates);
    free(t.start);
    ng_frame_destroy(&frame);
    cli_context_destroy(&t.ctx);
    if (status == CLI_DONE && cli_interrupted())
        status = cli_complain(CLI_FAILED, "interrupted");
    return status;
}

int cli_compare_glm(const cli_options *options) {
    if (options->nested)
        return cli_nested(options);
    return compare(options, true);
}

/* Paths where parametrisations are named, a race else. */
int cli_compare_dist(const cli_options *options) {
    if (options->parametrizations.count)
        return cli_manifold(options);
    if (options->kl > 0)
        return cli_complain(CLI_USAGE, "--kl goes with --parametrizations");
    return compare(options, false);
}
