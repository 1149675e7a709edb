/* natgrad compare net: optimizers on one network from the same weights through
 * the same batches. Second-order methods run as they are; the others first
 * look for their best rate, one search for all. */
#include "net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A factor of about 3 apart: what people try by hand. */
static const double RATES[] = {0.0001, 0.0003, 0.001, 0.003, 0.01,
                               0.03,   0.1,    0.3,   1};
static const char *const USUAL[] = {"kfac", "adam", "momentum"};

typedef struct race {
    ng_ctx *ctx;
    const cli_options *options;
    net_data data;
    ng_net_options how;
    double *rates;
    size_t rate_count;
    net_runner *runner;
    size_t runners;
    size_t done, total;
    double started;
    ng_net *best; /* of the runner with the lowest training loss */
    double best_loss;
} race;

static int complain_twice(const char *name) {
    return cli_complain(CLI_USAGE, "--optimizers: %s is there twice", name);
}

/* That each is there once, and every option is for one of them. */
static int check_runners(const race *r) {
    ng_trainer *chosen = malloc((r->runners + 1) * sizeof *chosen);
    if (!chosen)
        return cli_complain(CLI_RESOURCES, "out of memory");
    int status = CLI_DONE;
    for (size_t j = 0; j < r->runners && status == CLI_DONE; j++) {
        chosen[j] = r->runner[j].optimizer;
        for (size_t i = 0; i < j && status == CLI_DONE; i++) {
            if (chosen[i] == chosen[j])
                status = complain_twice(r->runner[j].curve.name);
        }
    }
    if (status == CLI_DONE)
        status = net_check_optimizers(r->options, chosen, r->runners);
    free(chosen);
    return status;
}

static int choose_runners(race *r) {
    const cli_options *o = r->options;
    bool given = o->optimizers.count > 0;
    const char *const *names = given ? o->optimizers.item : USUAL;
    r->runners = given ? o->optimizers.count : sizeof USUAL / sizeof *USUAL;
    r->runner = calloc(r->runners, sizeof *r->runner);
    if (!r->runner)
        return cli_complain(CLI_RESOURCES, "out of memory");
    for (size_t i = 0; i < r->runners; i++) {
        net_runner *runner = &r->runner[i];
        int status = net_trainer("optimizers", names[i], &runner->optimizer);
        if (status != CLI_DONE)
            return status;
        runner->curve.name = names[i];
        runner->curve.rate = (double)NAN;
        runner->tuned = !ng_trainer_second_order(runner->optimizer);
    }
    return check_runners(r);
}

static int choose_rates(race *r) {
    const cli_list *list = &r->options->rates;
    int status = cli_numbers("rates", list, &r->rates);
    r->rate_count = list->count;
    for (size_t i = 0; i < r->rate_count && status == CLI_DONE; i++) {
        if (!(r->rates[i] > 0))
            status = cli_complain(CLI_USAGE,
                                  "--rates: expected numbers > 0, found "
                                  "\"%s\"",
                                  list->item[i]);
    }
    if (status != CLI_DONE || r->rate_count)
        return status;
    free(r->rates);
    r->rates = malloc(sizeof RATES);
    if (!r->rates)
        return cli_complain(CLI_RESOURCES, "out of memory");
    memcpy(r->rates, RATES, sizeof RATES);
    r->rate_count = sizeof RATES / sizeof *RATES;
    return CLI_DONE;
}

/* Where the table is not being watched as it grows, a bar is. */
static void show_progress(race *r, double part) {
    enum { WIDTH = 20 };
    if (r->options->quiet || !isatty(STDERR_FILENO) || isatty(STDOUT_FILENO))
        return;
    double done = (double)r->done + part, total = (double)r->total;
    fputs("\r[", stderr);
    for (size_t i = 0; i < WIDTH; i++)
        fputc((double)i * total < done * WIDTH ? '#' : '.', stderr);
    fprintf(stderr, "] run %zu of %zu, %.0f s\033[K", r->done + 1, r->total,
            cli_now() - r->started);
    if (done >= total)
        fputs("\r\033[K", stderr);
}

/* What the monitor of a run needs. */
typedef struct watcher {
    race *race;
    net_curve *curve; /* or NULL while tuning */
    double shown;
    bool failed;
} watcher;

static int watch(void *user, const ng_net_progress *progress) {
    static const double EVERY = 0.1;
    watcher *w = user;
    if (w->curve && progress->evaluated && !net_curve_add(w->curve, progress))
        w->failed = true;
    if (cli_now() - w->shown > EVERY) {
        w->shown = cli_now();
        show_progress(w->race, progress->fraction);
    }
    return w->failed || cli_interrupted();
}

/* A run that breaks loses, no more: *net is then NULL. */
static int run(race *r, const net_runner *runner, double rate, bool tuning,
               net_curve *curve, ng_net **net) {
    watcher w = {.race = r, .curve = curve};
    ng_net_options how = r->how;
    how.train.optimizer = runner->optimizer;
    how.train.rate = runner->tuned ? rate : -1;
    net_keep_useful(&how.train);
    if (tuning) {
        how.iterations = (size_t)r->options->tune_iter;
        how.epochs = how.tests = 0;
        how.seconds = 0;
        /* Only the end is of interest. */
        how.evaluate_every = how.iterations;
    }
    how.monitor = watch;
    how.user = &w;
    ng_status status = ng_net_fit(r->ctx, r->data.train, &how, net);
    r->done++;
    show_progress(r, 0);
    if (w.failed)
        return cli_complain(CLI_RESOURCES, "out of memory");
    if (status == NG_ENUMERIC)
        return CLI_DONE;
    return cli_fail(r->ctx, status);
}

static double loss_of(const ng_net *net) {
    if (!net || ng_net_result(net)->stop == NG_NET_DIVERGED)
        return HUGE_VAL;
    double loss = ng_net_result(net)->train.loss;
    return isfinite(loss) ? loss : HUGE_VAL;
}

static int tune(race *r, net_runner *runner) {
    double best = HUGE_VAL;
    bool talks = !r->options->json;
    runner->curve.rate = r->rates[0];
    runner->reached = malloc(r->rate_count * sizeof *runner->reached);
    if (!runner->reached)
        return cli_complain(CLI_RESOURCES, "out of memory");
    if (talks)
        printf("%-12s", runner->curve.name);
    for (size_t i = 0; i < r->rate_count && !cli_interrupted(); i++) {
        ng_net *net = NULL;
        int status = run(r, runner, r->rates[i], true, NULL, &net);
        double loss = loss_of(net);
        ng_net_destroy(&net);
        if (status != CLI_DONE)
            return status;
        runner->reached[runner->trials++] = loss;
        if (loss < best)
            runner->curve.rate = r->rates[i];
        best = fmin(best, loss);
        if (talks && isfinite(loss))
            printf(" %8.4g", loss);
        else if (talks)
            printf(" %8s", "-");
        fflush(stdout);
    }
    runner->hopeless = runner->trials == r->rate_count && !isfinite(best);
    if (runner->hopeless)
        runner->curve.rate = (double)NAN;
    if (talks && runner->trials < r->rate_count)
        putchar('\n'); /* interrupted */
    else if (talks && runner->hopeless)
        printf("   diverged at every rate\n");
    else if (talks)
        printf("   rate %g\n", runner->curve.rate);
    return CLI_DONE;
}

static int keep_result(race *r, net_runner *runner, ng_net **net) {
    const ng_net_summary *s = ng_net_result(*net);
    runner->ran = true;
    runner->train = s->train;
    runner->iterations = s->iterations;
    runner->epochs = s->epochs;
    runner->seconds = s->seconds;
    runner->stop = s->stop;
    runner->test = calloc(s->tests + 1, sizeof *runner->test);
    if (!runner->test || !net_curve_end(&runner->curve, s))
        return cli_complain(CLI_RESOURCES, "out of memory");
    for (size_t i = 0; i < s->tests; i++)
        runner->test[i] = s->test[i];
    if (loss_of(*net) < r->best_loss) {
        r->best_loss = loss_of(*net);
        ng_net_destroy(&r->best);
        r->best = *net;
        *net = NULL;
    }
    return CLI_DONE;
}

static int race_one(race *r, net_runner *runner) {
    ng_net *net = NULL;
    int status =
        run(r, runner, runner->curve.rate, false, &runner->curve, &net);
    if (status == CLI_DONE && net)
        status = keep_result(r, runner, &net);
    ng_net_destroy(&net);
    return status;
}

static void print_search_head(const race *r) {
    printf("Tuning: loss after at most %.0f iterations at each rate\n%-12s",
           r->options->tune_iter, "");
    for (size_t i = 0; i < r->rate_count; i++)
        printf(" %8g", r->rates[i]);
    putchar('\n');
}

static int race_all(race *r) {
    int status = CLI_DONE;
    size_t tuned = 0;
    r->started = cli_now();
    for (size_t i = 0; i < r->runners; i++)
        tuned += r->runner[i].tuned;
    r->total = r->runners + tuned * r->rate_count;
    if (tuned && !r->options->json)
        print_search_head(r);
    for (size_t i = 0; i < r->runners && status == CLI_DONE; i++) {
        if (r->runner[i].tuned && !cli_interrupted())
            status = tune(r, &r->runner[i]);
    }
    for (size_t i = 0; i < r->runners && status == CLI_DONE; i++) {
        if (!cli_interrupted() && !r->runner[i].hopeless)
            status = race_one(r, &r->runner[i]);
    }
    if (status == CLI_DONE)
        status = net_race_report(r->ctx, r->options, &r->data, r->rates,
                                 r->runner, r->runners, r->best);
    return status;
}

/* The memory of the hungriest. */
static int check_memory(race *r) {
    size_t hungriest = 0;
    double most = -1, bytes;
    ng_net_options how = r->how;
    for (size_t i = 0; i < r->runners; i++) {
        how.train.optimizer = r->runner[i].optimizer;
        int status = cli_fail(
            r->ctx, ng_net_memory(r->ctx, r->data.train, &how, &bytes));
        if (status != CLI_DONE)
            return status;
        if (bytes > most)
            hungriest = i;
        most = fmax(most, bytes);
    }
    how.train.optimizer = r->runner[hungriest].optimizer;
    return net_check_memory(r->ctx, r->options, &r->data, &how);
}

static int prepare(race *r) {
    const cli_options *o = r->options;
    int status = choose_runners(r);
    if (status == CLI_DONE)
        status = choose_rates(r);
    if (status == CLI_DONE)
        status = net_options(o, &r->data, &r->how);
    if (status == CLI_DONE)
        status = cli_context(o, &r->ctx);
    if (status == CLI_DONE)
        status = net_read(r->ctx, o, &r->data);
    if (status == CLI_DONE)
        status = net_options(o, &r->data, &r->how);
    if (status == CLI_DONE)
        status = cli_probe_output(r->ctx, o->out);
    if (status == CLI_DONE)
        status = cli_probe_output(r->ctx, o->plot);
    return status == CLI_DONE ? check_memory(r) : status;
}

static int complain_hopeless(const race *r) {
    int status = CLI_DONE;
    for (size_t i = 0; i < r->runners; i++) {
        if (r->runner[i].hopeless)
            status = cli_complain(CLI_FAILED,
                                  "%s diverged at every rate; lower ones can "
                                  "be given in --rates",
                                  r->runner[i].curve.name);
    }
    return status;
}

int cli_compare_net(const cli_options *options) {
    race r = {.options = options, .best_loss = HUGE_VAL};
    int status = prepare(&r);
    if (status == CLI_DONE)
        status = race_all(&r);
    if (status == CLI_DONE)
        status = complain_hopeless(&r);
    for (size_t i = 0; r.runner && i < r.runners; i++) {
        free(r.runner[i].curve.point);
        free(r.runner[i].reached);
        free(r.runner[i].test);
    }
    free(r.runner);
    free(r.rates);
    ng_net_destroy(&r.best);
    net_data_free(&r.data);
    cli_context_destroy(&r.ctx);
    if (status == CLI_DONE && cli_interrupted())
        status = cli_complain(CLI_FAILED, "interrupted");
    return status;
}
