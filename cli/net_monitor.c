/* Progress, trace and curve of a network in training. */
#include "net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The whole file, or NULL: a trace that is not there yet is empty. */
static char *read_text(const char *path) {
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t used = 0, room = 0;
    while (file && !feof(file) && !ferror(file)) {
        if (used + 1 >= room) {
            room = room ? 2 * room : 65536;
            char *grown = realloc(text, room);
            if (!grown)
                break;
            text = grown;
        }
        used += fread(text + used, 1, room - used - 1, file);
    }
    if (file)
        fclose(file);
    if (text)
        text[used] = '\0';
    return text;
}

int net_monitor_open(ng_ctx *ctx, const cli_options *options,
                     net_monitor *monitor) {
    *monitor = (net_monitor){.begun = false};
    if (options->resume && options->trace && strcmp(options->trace, "-") != 0)
        monitor->old_trace = read_text(options->trace);
    return cli_monitor_open(ctx, options, 0, &monitor->base);
}

/* The iterations before those that are done again. */
static void copy_old_trace(net_monitor *monitor, size_t before) {
    size_t iteration;
    const char *line = monitor->old_trace;
    while (line && *line) {
        const char *end = strchr(line, '\n');
        if (!end || sscanf(line, "{\"iteration\": %zu,", &iteration) != 1 ||
            iteration >= before)
            return;
        ng_writer_bytes(monitor->base.trace, line, (size_t)(end + 1 - line));
        line = end + 1;
    }
}

static void trace_score(ng_writer *writer, const char *key,
                        const ng_score *score) {
    if (isnan(score->loss) && isnan(score->accuracy) &&
        isnan(score->squared_error))
        return;
    if (isfinite(score->loss))
        ng_writer_print(writer, ", \"%s\": {\"loss\": %.17g", key, score->loss);
    else
        ng_writer_print(writer, ", \"%s\": {\"loss\": null", key);
    if (!isnan(score->accuracy))
        cli_trace_number(writer, "accuracy", score->accuracy);
    if (!isnan(score->squared_error))
        cli_trace_number(writer, "squared_error", score->squared_error);
    ng_writer_print(writer, "}");
}

static void trace(ng_writer *writer, const ng_net_progress *p) {
    const ng_train_report *r = &p->step;
    ng_writer_print(writer, "{\"iteration\": %zu, \"epoch\": %zu, ",
                    p->iteration, p->epoch);
    ng_writer_print(writer, "\"batch\": %zu", p->batch);
    cli_trace_number(writer, "seconds", r->seconds);
    cli_trace_number(writer, "examples", p->examples);
    cli_trace_number(writer, "loss", r->loss);
    cli_trace_number(writer, "objective", r->objective);
    cli_trace_number(writer, "gradient_norm", r->gradient_norm);
    cli_trace_number(writer, "decrement", r->decrement);
    cli_trace_number(writer, "rate", r->rate);
    cli_trace_number(writer, "momentum", r->momentum);
    cli_trace_number(writer, "damping", r->damping);
    cli_trace_number(writer, "reduction", r->reduction);
    cli_trace_number(writer, "kl", r->kl);
    if (p->evaluated) {
        trace_score(writer, "train", &p->train);
        trace_score(writer, "valid", &p->valid);
        trace_score(writer, "test", &p->test);
    }
    ng_writer_print(writer, "}\n");
}

static bool add_point(net_curve *curve, net_point point) {
    if (curve->points == curve->room) {
        size_t room = curve->room ? 2 * curve->room : 64;
        net_point *grown = realloc(curve->point, room * sizeof *grown);
        if (!grown)
            return false;
        curve->point = grown;
        curve->room = room;
    }
    curve->point[curve->points++] = point;
    return true;
}

bool net_curve_add(net_curve *curve, const ng_net_progress *p) {
    return add_point(curve, (net_point){.iteration = p->iteration,
                                        .epoch = p->epoch,
                                        .seconds = p->step.seconds,
                                        .examples = p->examples,
                                        .loss = p->step.loss,
                                        .train = p->train,
                                        .valid = p->valid,
                                        .test = p->test});
}

/* With validation data the scores are those of the best point, not of the
 * last; after a breakdown of the one before. */
bool net_curve_end(net_curve *curve, const ng_net_summary *s) {
    const double none = (double)NAN;
    const ng_score no_score = {none, none, none};
    size_t last = curve->points ? curve->point[curve->points - 1].iteration : 0;
    if (isfinite(s->valid.loss) || s->stop == NG_NET_DIVERGED ||
        s->iterations <= last)
        return true;
    return add_point(curve,
                     (net_point){.iteration = s->iterations,
                                 .epoch = s->epochs,
                                 .seconds = s->seconds,
                                 .examples = s->examples,
                                 .loss = none,
                                 .train = s->train,
                                 .valid = no_score,
                                 .test = s->tests ? s->test[0] : no_score});
}

/* A resumed run has not done all its work in the time seen. */
static void show(net_monitor *monitor, const ng_net_progress *p) {
    char text[160], left[48] = "";
    double seen = cli_now() - monitor->first_seen;
    double done = p->fraction - monitor->first_fraction;
    if (!cli_bar_due(&monitor->base) || !(seen > 0))
        return;
    if (done > 0)
        snprintf(left, sizeof left, ", at most %.0f s left",
                 fmax(seen / done * (1 - p->fraction), 0));
    snprintf(text, sizeof text,
             "epoch %zu, iteration %zu, loss %.6g, %.0f examples a second%s",
             p->epoch, p->iteration, p->step.loss,
             (p->examples - monitor->first_examples) / seen, left);
    cli_bar_show(&monitor->base, p->fraction, text);
}

int net_watch(void *user, const ng_net_progress *progress) {
    net_monitor *monitor = user;
    if (!monitor->begun) {
        monitor->begun = true;
        monitor->first_fraction = progress->fraction;
        monitor->first_examples = progress->examples;
        monitor->first_seen = cli_now();
        if (monitor->base.trace)
            copy_old_trace(monitor, progress->iteration);
    }
    if (monitor->base.trace)
        trace(monitor->base.trace, progress);
    if (monitor->curve && progress->evaluated &&
        !net_curve_add(monitor->curve, progress))
        monitor->failed = true;
    show(monitor, progress);
    return monitor->failed || cli_interrupted();
}

int net_monitor_close(ng_ctx *ctx, net_monitor *monitor) {
    if (!monitor->begun && monitor->base.trace) /* all was done before */
        copy_old_trace(monitor, SIZE_MAX);
    free(monitor->old_trace);
    int status = cli_monitor_close(ctx, &monitor->base);
    if (status == CLI_DONE && monitor->failed)
        status = cli_complain(CLI_RESOURCES, "out of memory");
    return status;
}
