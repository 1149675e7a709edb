/* natgrad dist and natgrad glm. */
#include "cli.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

static bool to_standard_output(const cli_options *options) {
    return options->out && strcmp(options->out, "-") == 0;
}

/* What is no regular file is left for the end of the run. */
int cli_probe_output(ng_ctx *ctx, const char *path) {
    ng_writer *writer = NULL;
    struct stat about;
    if (!path || strcmp(path, "-") == 0 ||
        (stat(path, &about) == 0 && !S_ISREG(about.st_mode)))
        return CLI_DONE;
    int status = cli_fail(ctx, ng_writer_open(ctx, path, &writer));
    ng_writer_abort(&writer);
    return status;
}

/* Reports, saves, and says how it ended. */
static int deliver(ng_ctx *ctx, const cli_options *options,
                   const ng_model *model, json_t *extra) {
    const ng_summary *s = ng_model_summary(model);
    if (options->trace && extra)
        json_object_set_new(extra, "trace_file", json_string(options->trace));
    int status = CLI_DONE;
    if (options->out)
        status = cli_fail(ctx, ng_model_save(model, options->out));
    /* Standard output holds the model or the table, not both. */
    int printed = CLI_DONE;
    if (to_standard_output(options))
        json_decref(extra);
    else
        printed = cli_print_model(ctx, options, model, extra);
    if (status == CLI_DONE)
        status = printed;
    if (status != CLI_DONE || s->converged)
        return status;
    if (cli_interrupted())
        return cli_complain(CLI_FAILED, "interrupted after %zu iterations%s%s",
                            s->iterations,
                            options->out ? "; the model so far is in " : "",
                            options->out ? options->out : "");
    return cli_complain(CLI_FAILED, "the run did not converge: %s",
                        ng_stop_text(s->stop));
}

static size_t bar_length(const ng_fit_options *fit) {
    bool second_order =
        fit->optimizer == NG_NATURAL || fit->optimizer == NG_NEWTON;
    return fit->max_iter ? fit->max_iter : (second_order ? 1000 : 10000);
}

static int add_test(ng_ctx *ctx, const cli_options *options,
                    const ng_model *model, json_t *extra) {
    ng_frame *frame = NULL;
    double loss, accuracy;
    if (!options->test)
        return CLI_DONE;
    int status =
        cli_read_for_model(ctx, options, model, options->test, true, &frame);
    if (status == CLI_DONE)
        status =
            cli_fail(ctx, ng_model_evaluate(model, frame, &loss, &accuracy));
    if (status == CLI_DONE) {
        json_t *test = json_object();
        json_object_set_new(test, "loss", cli_number(loss));
        if (isfinite(accuracy))
            json_object_set_new(test, "accuracy", cli_number(accuracy));
        json_object_set_new(extra, "test", test);
    }
    ng_frame_destroy(&frame);
    return status;
}

/* A learner, what it is asked, and its data in one of two forms. */
typedef struct task {
    bool is_glm;
    ng_glm_options glm;
    ng_dist_options dist;
    ng_frame *frame;
    ng_stream *stream;
} task;

static int set_up(const cli_options *options, task *t) {
    return t->is_glm ? cli_glm_options(options, &t->glm)
                     : cli_dist_options(options, &t->dist);
}

static int read_data(ng_ctx *ctx, const cli_options *options, task *t) {
    const char *path = options->positional[0];
    cli_stream_bar bar;
    if (!t->is_glm)
        return cli_read_dist(ctx, options, path, &t->frame);
    if (!cli_wants_stream(options, path))
        return cli_read_glm(ctx, options, path, &t->frame);
    cli_stream_bar_start(options, path, NULL, &bar);
    int status = cli_stream_glm(ctx, options, path, &t->stream);
    cli_stream_bar_stop(&bar);
    return status;
}

static int run_stream(ng_ctx *ctx, const cli_options *options, task *t,
                      ng_model **model) {
    cli_stream_bar bar;
    cli_stream_bar_start(options, options->positional[0], t->stream, &bar);
    ng_status status = ng_glm_fit_stream(ctx, t->stream, &t->glm, model);
    cli_stream_bar_stop(&bar);
    return cli_fail(ctx, status);
}

static int run(ng_ctx *ctx, const cli_options *options, task *t,
               ng_model **model) {
    cli_monitor monitor = {0};
    const ng_fit_options *fit = t->is_glm ? &t->glm.fit : &t->dist.fit;
    int status = cli_monitor_open(ctx, options, bar_length(fit), &monitor);
    if (status != CLI_DONE)
        return status;
    monitor.streams = t->stream != NULL;
    t->glm.monitor = t->dist.monitor = cli_monitor_report;
    t->glm.user = t->dist.user = &monitor;
    if (t->stream)
        status = run_stream(ctx, options, t, model);
    else if (t->is_glm)
        status = cli_fail(ctx, ng_glm_fit(ctx, t->frame, &t->glm, model));
    else
        status = cli_fail(ctx, ng_dist_fit(ctx, t->frame, &t->dist, model));
    int closed = cli_monitor_close(ctx, &monitor);
    return status ? status : closed;
}

static void say_what_was_dropped(const cli_options *options, const task *t,
                                 json_t *extra) {
    size_t dropped =
        t->stream ? ng_stream_dropped(t->stream) : ng_frame_dropped(t->frame);
    if (options->missing)
        json_object_set_new(extra, "dropped",
                            json_integer((json_int_t)dropped));
}

static int fit(const cli_options *options, bool is_glm) {
    ng_ctx *ctx = NULL;
    ng_model *model = NULL;
    json_t *extra = json_object();
    task t = {.is_glm = is_glm};
    int status = set_up(options, &t);
    if (status == CLI_DONE)
        status = cli_context(options, &ctx);
    if (status == CLI_DONE)
        status = cli_check_limit(options);
    if (status == CLI_DONE)
        status = read_data(ctx, options, &t);
    const char *const outputs[] = {options->out, options->residuals,
                                   options->plot};
    for (size_t i = 0; i < 3 && status == CLI_DONE; i++)
        status = cli_probe_output(ctx, outputs[i]);
    if (status == CLI_DONE) /* what is left beside the data */
        status = cli_check_limit(options);
    if (status == CLI_DONE)
        status = run(ctx, options, &t, &model);
    if (status == CLI_DONE)
        status = add_test(ctx, options, model, extra);
    if (status == CLI_DONE)
        say_what_was_dropped(options, &t, extra);
    if (status == CLI_DONE)
        status = deliver(ctx, options, model, json_incref(extra));
    /* Also of a run that did not converge: there is something to see. */
    if (model && (options->residuals || options->plot) &&
        (status == CLI_DONE || status == CLI_FAILED)) {
        int drawn = cli_diagnose(ctx, options, model, t.frame);
        status = status ? status : drawn;
    }
    json_decref(extra);
    ng_model_destroy(&model);
    ng_frame_destroy(&t.frame);
    ng_stream_close(&t.stream);
    cli_context_destroy(&ctx);
    return status;
}

int cli_dist(const cli_options *options) {
    return fit(options, false);
}

int cli_glm(const cli_options *options) {
    return fit(options, true);
}
