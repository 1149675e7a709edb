/* natgrad compare glm: optimisers on the same work from the same start, each
 * at the best rate of one search that is the same for all. */
#include "race.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A factor of about 3 apart: what people try by hand. */
static const double RATES[] = {0.001, 0.003, 0.01, 0.03, 0.1,
                               0.3,   1,     3,    10};

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

static void prepare(const runner *r, double rate, ng_glm_options *glm) {
    glm->fit.optimizer = r->optimizer;
    glm->fit.step = NG_STEP_FIXED;
    glm->fit.rate = rate;
    /* Only the natural gradient has a choice of metric. */
    if (r->optimizer != NG_NATURAL && r->optimizer != NG_NEWTON)
        glm->fit.metric = NULL;
    if (r->optimizer != NG_NATURAL && r->optimizer != NG_NEWTON)
        glm->fit.damping = 0;
    glm->std_errors = NG_SE_NONE;
    glm->monitor = record;
}

static int run(ng_ctx *ctx, const ng_frame *frame, const runner *r,
               const ng_glm_options *base, double rate, size_t iterations,
               runner *out, ng_model **model) {
    ng_glm_options glm = *base;
    prepare(r, rate, &glm);
    glm.fit.max_iter = iterations;
    glm.user = out;
    ng_status status = ng_glm_fit(ctx, frame, &glm, model);
    if (status == NG_ENUMERIC) /* a rate that breaks the run loses, no more */
        return CLI_DONE;
    return cli_fail(ctx, status);
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

static int tune(ng_ctx *ctx, const cli_options *options,
                const ng_frame *frame, const ng_glm_options *base,
                const double *rates, size_t count, runner *r) {
    double best = HUGE_VAL;
    size_t best_length = 0;
    if (!options->json)
        printf("%-9s", r->name);
    r->rate = rates[0];
    for (size_t i = 0; i < count && !cli_interrupted(); i++) {
        runner trial = *r;
        ng_model *model = NULL;
        double objective;
        size_t length;
        trial.point = NULL;
        trial.points = trial.room = 0;
        trial.stop = NG_RUNNING;
        ng_glm_options glm = *base;
        /* Only a metric's decrement comes free of charge. */
        if (r->optimizer != NG_NATURAL && r->optimizer != NG_NEWTON)
            glm.fit.tolerance = 0;
        int status = run(ctx, frame, r, &glm, rates[i],
                         (size_t)options->tune_iter, &trial, &model);
        judge(&trial, &objective, &length);
        free(trial.point);
        ng_model_destroy(&model);
        if (status != CLI_DONE)
            return status;
        if (!options->json)
            isfinite(objective) ? printf(" %9.5g", objective)
                                : printf(" %9s", "-");
        bool tie = fabs(objective - best) <= SAME && length < best_length;
        if (objective < best - SAME || tie) {
            best = objective;
            best_length = length;
            r->rate = rates[i];
            r->tuned = true;
        }
        fflush(stdout);
    }
    if (!options->json)
        printf("   rate %g\n", r->rate);
    return CLI_DONE;
}

static int add_test(ng_ctx *ctx, const cli_options *options,
                    const ng_model *model, runner *r) {
    ng_frame *frame = NULL;
    r->test_loss = r->test_accuracy = (double)NAN;
    if (!options->test || !model)
        return CLI_DONE;
    int status =
        cli_read_for_model(ctx, options, model, options->test, true, &frame);
    if (status == CLI_DONE)
        status = cli_fail(ctx, ng_model_evaluate(model, frame, &r->test_loss,
                                                 &r->test_accuracy));
    ng_frame_destroy(&frame);
    return status;
}

static int race_one(ng_ctx *ctx, const cli_options *options,
                    const ng_frame *frame, const ng_glm_options *base,
                    runner *r) {
    enum { LENGTH = 200 };
    ng_model *model = NULL;
    size_t iterations =
        options->max_iter > 0 ? (size_t)options->max_iter : LENGTH;
    int status =
        run(ctx, frame, r, base, r->rate, iterations, r, &model);
    if (status == CLI_DONE && r->failed)
        status = cli_complain(CLI_RESOURCES, "out of memory");
    if (status == CLI_DONE)
        status = add_test(ctx, options, model, r);
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
        int status = cli_optimizer(names[i], &(*out)[i].optimizer);
        if (status != CLI_DONE)
            return status;
    }
    return CLI_DONE;
}

static int choose_rates(const cli_options *options, double **out,
                        size_t *count) {
    *count = options->rates.count ? options->rates.count
                                  : sizeof RATES / sizeof *RATES;
    *out = malloc(*count * sizeof **out);
    if (!*out)
        return cli_complain(CLI_RESOURCES, "out of memory");
    for (size_t i = 0; i < *count; i++) {
        char *end;
        const char *text =
            options->rates.count ? options->rates.item[i] : NULL;
        (*out)[i] = text ? strtod(text, &end) : RATES[i];
        if (text && (*end || !((*out)[i] > 0) || !isfinite((*out)[i])))
            return cli_complain(CLI_USAGE,
                                "--rates: expected numbers > 0, found \"%s\"",
                                text);
    }
    return CLI_DONE;
}

static int race(ng_ctx *ctx, const cli_options *options,
                const ng_frame *frame, const ng_glm_options *base,
                const double *rates, size_t rate_count, runner *runners,
                size_t count) {
    int status = CLI_DONE;
    if (!options->json) {
        printf("Tuning: objective after at most %.0f iterations at each "
               "rate\n%-9s",
               options->tune_iter, "");
        for (size_t i = 0; i < rate_count; i++)
            printf(" %9g", rates[i]);
        putchar('\n');
    }
    for (size_t i = 0; i < count && status == CLI_DONE; i++)
        status = tune(ctx, options, frame, base, rates, rate_count,
                      &runners[i]);
    for (size_t i = 0; i < count && status == CLI_DONE; i++)
        status = race_one(ctx, options, frame, base, &runners[i]);
    if (status == CLI_DONE)
        status = race_report(ctx, options, runners, count);
    return status;
}

int cli_compare_glm(const cli_options *options) {
    ng_ctx *ctx = NULL;
    ng_frame *frame = NULL;
    ng_glm_options glm;
    runner *runners = NULL;
    double *rates = NULL;
    size_t count = 0, rate_count = 0;
    int status = cli_glm_options(options, &glm);
    if (status == CLI_DONE)
        status = choose_runners(options, &runners, &count);
    if (status == CLI_DONE)
        status = choose_rates(options, &rates, &rate_count);
    if (status == CLI_DONE)
        status = cli_context(options, &ctx);
    if (status == CLI_DONE)
        status = cli_read_glm(ctx, options, options->positional[0], &frame);
    if (status == CLI_DONE)
        status = race(ctx, options, frame, &glm, rates, rate_count, runners,
                      count);
    for (size_t i = 0; runners && i < count; i++)
        free(runners[i].point);
    free(runners);
    free(rates);
    ng_frame_destroy(&frame);
    ng_ctx_destroy(&ctx);
    if (status == CLI_DONE && cli_interrupted())
        status = cli_complain(CLI_FAILED, "interrupted");
    return status;
}
