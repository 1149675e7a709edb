/* Progress of passes over a file, shown by a thread of its own: a fit reports
 * between passes only. */
#include "cli.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <time.h>

static void show(cli_stream_bar *bar, double begun) {
    char text[160];
    double done = 0, total = 0, seconds = cli_now() - begun;
    size_t passes = 0;
    if (!bar->stream) {
        snprintf(text, sizeof text, "first look at %s, %.0f s", bar->path,
                 seconds);
        cli_bar_show(&bar->monitor, 0, text);
        return;
    }
    ng_stream_progress(bar->stream, &done, &total, &passes);
    double rate = done / fmax(seconds, 1e-3);
    double share = total > 0 ? fmin(done / total, 1) : 0;
    snprintf(text, sizeof text,
             "pass %zu, %.0f %%, %.0f MB/s, %.0f s of it left", passes,
             100 * share, 1e-6 * rate,
             rate > 0 ? fmax(total - done, 0) / rate : 0);
    cli_bar_show(&bar->monitor, share, text);
}

static void *watch(void *user) {
    static const struct timespec NAP = {0, 50000000};
    cli_stream_bar *bar = user;
    double begun = cli_now();
    size_t seen = 0;
    while (!atomic_load(&bar->over)) {
        double done, total;
        size_t passes = 0;
        nanosleep(&NAP, NULL);
        if (bar->stream)
            ng_stream_progress(bar->stream, &done, &total, &passes);
        if (passes != seen) {
            seen = passes;
            begun = cli_now();
        }
        if (cli_bar_due(&bar->monitor))
            show(bar, begun);
    }
    return NULL;
}

void cli_stream_bar_start(const cli_options *options, const char *path,
                          const ng_stream *stream, cli_stream_bar *bar) {
    sigset_t all, before;
    double now = cli_now();
    *bar = (cli_stream_bar){.path = strcmp(path, "-") == 0 ? "standard input"
                                                           : path,
                            .stream = stream,
                            .monitor = {.options = options,
                                        .label = options->command,
                                        .started = now,
                                        .last_shown = now}};
    atomic_init(&bar->over, false);
    if (options->quiet)
        return;
    /* Ctrl-C belongs to the thread that works. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bar->running = pthread_create(&bar->thread, NULL, watch, bar) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void cli_stream_bar_stop(cli_stream_bar *bar) {
    if (!bar->running)
        return;
    atomic_store(&bar->over, true);
    pthread_join(bar->thread, NULL);
    if (bar->monitor.shown)
        fputs("\r\033[K", stderr);
}
