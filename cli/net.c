/* natgrad net. */
#include "net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool to_standard_output(const cli_options *options) {
    return (options->out && strcmp(options->out, "-") == 0) ||
           (options->onnx && strcmp(options->onnx, "-") == 0);
}

/* A word as a shell reads it back. */
static void print_word(FILE *stream, const char *word) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+./:=,@%";
    if (*word && word[strspn(word, plain)] == '\0') {
        fputs(word, stream);
        return;
    }
    fputc('\'', stream);
    for (; *word; word++) {
        if (*word == '\'')
            fputs("'\\''", stream);
        else
            fputc(*word, stream);
    }
    fputc('\'', stream);
}

/* The command that was given, and --resume. */
static int say_how_to_go_on(const cli_options *options, size_t iterations) {
    fprintf(stderr, "natgrad: stopped at iteration %zu; go on with: natgrad",
            iterations);
    fprintf(stderr, " %s%s", options->command,
            options->resume ? "" : " --resume");
    for (size_t i = 0; i < options->words; i++) {
        fputc(' ', stderr);
        print_word(stderr, options->word[i]);
    }
    fputc('\n', stderr);
    return CLI_FAILED;
}

/* How a run ended that did not end well. */
static int complain_end(const cli_options *options, const ng_net_summary *s) {
    if (s->converged)
        return CLI_DONE;
    if (s->stop == NG_NET_STOPPED && options->checkpoint)
        return say_how_to_go_on(options, s->iterations);
    if (s->stop == NG_NET_STOPPED)
        return cli_complain(CLI_FAILED, "interrupted after %zu iteration%s%s%s",
                            s->iterations, s->iterations == 1 ? "" : "s",
                            options->out ? "; the model so far is in " : "",
                            options->out ? options->out : "");
    if (s->stop == NG_NET_DIVERGED && options->out)
        return cli_complain(CLI_FAILED,
                            "the run diverged after %zu iteration%s: %s; the "
                            "last good model is in %s",
                            s->iterations, s->iterations == 1 ? "" : "s",
                            net_end_text(s->stop), options->out);
    return cli_complain(CLI_FAILED, "the run did not converge: %s",
                        net_end_text(s->stop));
}

static int save(ng_ctx *ctx, const cli_options *options, const ng_net *net) {
    int status = CLI_DONE, exported = CLI_DONE;
    if (options->out)
        status = cli_fail(ctx, ng_net_save(net, options->out));
    if (options->onnx)
        exported = cli_fail(ctx, ng_net_export_onnx(net, options->onnx));
    return status ? status : exported;
}

static void add_file(json_t *object, const char *key, const char *path) {
    if (path)
        json_object_set_new(object, key, json_string(path));
}

/* Reports, saves, draws, and says how it ended. What can be delivered is,
 * whatever else fails. */
static int deliver(ng_ctx *ctx, const cli_options *options,
                   const net_data *data, const net_curve *curve, ng_net *net) {
    json_t *extra = json_object();
    int printed = CLI_DONE, drawn = CLI_DONE;
    int status = save(ctx, options, net);
    add_file(extra, "model_file", options->out);
    add_file(extra, "onnx_file", options->onnx);
    add_file(extra, "trace_file", options->trace);
    add_file(extra, "plot_file", options->plot);
    if (to_standard_output(options))
        json_decref(extra);
    else
        printed = net_print(ctx, options, net, extra);
    if (options->plot)
        drawn = net_draw(ctx, options, curve, 1, NULL, net, net_examples(data));
    status = status ? status : printed;
    status = status ? status : drawn;
    int ended = complain_end(options, ng_net_result(net));
    return status ? status : ended;
}

static int probe(ng_ctx *ctx, const cli_options *options) {
    int status = cli_probe_output(ctx, options->out);
    if (status == CLI_DONE)
        status = cli_probe_output(ctx, options->onnx);
    if (status == CLI_DONE)
        status = cli_probe_output(ctx, options->plot);
    return status;
}

/* Evaluations in between take time; a checkpoint is of a run that has them or
 * has not, whatever is to be seen of it. */
static bool needs_evaluations(const cli_options *o) {
    return o->trace || o->plot || o->valid || o->checkpoint ||
           isfinite(o->target_loss) || o->evaluate_every > 0;
}

static int train(ng_ctx *ctx, const cli_options *options, const net_data *data,
                 ng_net_options *how, net_curve *curve, ng_net **net) {
    net_monitor monitor;
    int status = net_monitor_open(ctx, options, &monitor);
    if (status != CLI_DONE)
        return status;
    monitor.curve = options->plot ? curve : NULL;
    if (!needs_evaluations(options))
        how->evaluate_every = SIZE_MAX;
    how->monitor = net_watch;
    how->user = &monitor;
    status = cli_fail(ctx, ng_net_fit(ctx, data->train, how, net));
    if (status == CLI_DONE && options->plot &&
        !net_curve_end(curve, ng_net_result(*net)))
        monitor.failed = true;
    int closed = net_monitor_close(ctx, &monitor);
    return status ? status : closed;
}

/* A name that the table of curves can carry. */
static net_curve curve_of(const ng_net_options *how) {
    static const char *const names[] = {
#define NAME(name, key) key,
        NG_TRAINER_LIST(NAME)
#undef NAME
    };
    return (net_curve){.name = names[how->train.optimizer],
                       .rate =
                           how->train.rate > 0 ? how->train.rate : (double)NAN};
}

int cli_net(const cli_options *options) {
    ng_ctx *ctx = NULL;
    ng_net *net = NULL;
    net_data data = {0};
    ng_net_options how;
    /* Mistakes in options are found before the data are read. */
    int status = net_options(options, &data, &how);
    net_curve curve = {0};
    if (status == CLI_DONE)
        status = net_check_optimizer(options, options->optimizer,
                                     how.train.optimizer);
    if (status == CLI_DONE)
        status = cli_context(options, &ctx);
    if (status == CLI_DONE)
        status = net_read(ctx, options, &data);
    if (status == CLI_DONE)
        status = net_options(options, &data, &how);
    if (status == CLI_DONE)
        status = probe(ctx, options);
    if (status == CLI_DONE)
        status = net_check_memory(ctx, options, &data, &how);
    if (status == CLI_DONE) {
        curve = curve_of(&how);
        status = train(ctx, options, &data, &how, &curve, &net);
    }
    if (status == CLI_DONE)
        status = deliver(ctx, options, &data, &curve, net);
    free(curve.point);
    ng_net_destroy(&net);
    net_data_free(&data);
    cli_context_destroy(&ctx);
    return status;
}
