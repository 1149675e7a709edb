/* Progress on standard error and the trace of a run. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* A bar moves ten times a second, plain lines come every ten seconds, and
 * runs of under half a second show nothing. */
static const double BAR_EVERY = 0.1, LINE_EVERY = 10, SILENT = 0.5;

double cli_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int cli_monitor_open(ng_ctx *ctx, const cli_options *options, size_t max_iter,
                     cli_monitor *monitor) {
    *monitor = (cli_monitor){.options = options,
                             .max_iter = max_iter,
                             .label = options->command,
                             .started = cli_now()};
    monitor->last_shown = monitor->started;
    if (!options->trace)
        return CLI_DONE;
    return cli_fail(ctx, ng_writer_open(ctx, options->trace, &monitor->trace));
}

void cli_trace_number(ng_writer *writer, const char *key, double x) {
    if (isfinite(x))
        ng_writer_print(writer, ", \"%s\": %.17g", key, x);
    else
        ng_writer_print(writer, ", \"%s\": null", key);
}

static void trace(ng_writer *writer, const ng_report *r) {
    ng_writer_print(writer, "{\"iteration\": %zu", r->iteration);
    cli_trace_number(writer, "loss", r->loss);
    cli_trace_number(writer, "objective", r->objective);
    cli_trace_number(writer, "gradient_norm", r->gradient_norm);
    cli_trace_number(writer, "decrement", r->decrement);
    cli_trace_number(writer, "damping", r->damping);
    cli_trace_number(writer, "step", r->step);
    cli_trace_number(writer, "kl_predicted", r->kl_predicted);
    cli_trace_number(writer, "kl", r->kl);
    cli_trace_number(writer, "kl_total", r->kl_total);
    cli_trace_number(writer, "seconds", r->seconds);
    cli_trace_number(writer, "examples", r->examples);
    ng_writer_print(writer, ", \"rejected\": %zu, \"stop\": \"%s\"}\n",
                    r->rejected, ng_stop_text(r->stop));
}

bool cli_bar_due(cli_monitor *monitor) {
    double now = cli_now();
    double every = isatty(STDERR_FILENO) ? BAR_EVERY : LINE_EVERY;
    if (monitor->options->quiet || now - monitor->started < SILENT ||
        now - monitor->last_shown < every)
        return false;
    monitor->last_shown = now;
    return true;
}

void cli_bar_show(cli_monitor *monitor, double done, const char *text) {
    enum { WIDTH = 20 };
    monitor->shown = isatty(STDERR_FILENO) != 0;
    if (!monitor->shown) {
        fprintf(stderr, "%s: %s\n", monitor->label, text);
        return;
    }
    fprintf(stderr, "\r%s [", monitor->label);
    for (size_t i = 0; i < WIDTH; i++)
        fputc((double)(i + 1) <= WIDTH * done ? '#' : '.', stderr);
    fprintf(stderr, "] %s  \033[K", text);
}

static void show(cli_monitor *monitor, const ng_report *r) {
    char text[160];
    if (monitor->streams || !cli_bar_due(monitor))
        return;
    double done = (double)(r->iteration + 1);
    double rate = done / (cli_now() - monitor->started);
    double left = ((double)monitor->max_iter - done) / rate;
    snprintf(text, sizeof text,
             "iteration %zu, loss %.6g, %.3g a second, at most %.0f s left",
             r->iteration, r->loss, rate, fmax(left, 0));
    cli_bar_show(monitor, done / (double)monitor->max_iter, text);
}

int cli_monitor_report(void *user, const ng_report *report) {
    cli_monitor *monitor = user;
    if (monitor->trace)
        trace(monitor->trace, report);
    show(monitor, report);
    return cli_interrupted();
}

int cli_monitor_close(ng_ctx *ctx, cli_monitor *monitor) {
    if (monitor->shown)
        fputs("\r\033[K", stderr);
    if (!monitor->trace)
        return CLI_DONE;
    return cli_fail(ctx, ng_writer_commit(&monitor->trace));
}
