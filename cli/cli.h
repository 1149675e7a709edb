/* The natgrad command: one file a subcommand, public headers only. */
#ifndef CLI_H
#define CLI_H

#include <natgrad/natgrad.h>

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

/* Exit statuses: see natgrad(1). */
enum {
    CLI_DONE = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_DATA = 3,
    CLI_RESOURCES = 4
};

/* A comma-separated list; items point into one allocated text. */
typedef struct cli_list {
    char *text;
    const char **item;
    size_t count;
} cli_list;

/* Every option of every subcommand. Numbers of a network that are not given
 * are negative. */
typedef struct cli_options {
    const char *command; /* "glm", "compare glm", ... */
    char **word;         /* the arguments after it */
    size_t words;
    const char *positional[3];
    size_t positionals;
    /* data */
    const char *target, *column, *family, *link, *weights, *offset, *trials;
    cli_list columns, features, exclude, categorical;
    const char *missing, *test;
    bool no_intercept, no_standardize;
    double l2;
    const char *formula, *std_errors, *cluster, *dispersion, *intervals;
    cli_list references, levels;
    double power, level;
    bool firth, stream, nested, with_std_errors;
    /* optimisation */
    const char *optimizer, *metric, *fisher, *step, *integrator;
    double fisher_samples, rate, kl, damping, tol, max_iter, seed, threads;
    /* comparison */
    cli_list optimizers, parametrizations, start, rates;
    double tune_iter;
    /* networks */
    const char *layers, *init, *precision, *sharing, *augment, *schedule;
    const char *valid, *valid_target, *checkpoint, *onnx;
    cli_list tests, test_targets;
    double batch, first_batch, epochs, seconds, target_loss, patience, momentum;
    double checkpoint_every, evaluate_every;
    bool resume;
    /* output */
    const char *out, *trace, *plot, *residuals;
    double interval;
    bool json, quiet;
} cli_options;

/* Parses argv after the subcommand's words. Returns a CLI status; on --help
 * prints and sets *done. */
int cli_parse(int argc, char **argv, const char *command, cli_options *options,
              bool *done);
void cli_options_free(cli_options *options);
/* That they go together. */
int cli_check_options(const cli_options *options);
/* That no two files are the same of which one is written. */
int cli_check_files(const cli_options *options);

/* Complains on standard error, one line, and gives the exit status. */
__attribute__((format(printf, 2, 3))) int cli_complain(int status,
                                                       const char *format, ...);
/* The same for a failed library call. */
int cli_fail(const ng_ctx *ctx, ng_status status);

/* Bytes that ulimit -v and -d leave beside what is mapped and what so many
 * threads of linear algebra map; negative where that is too much, infinite
 * without a limit. */
double cli_limit_leaves(double threads);
/* CLI_RESOURCES, having said so, where they leave too little: OpenBLAS would
 * wait for ever. */
int cli_check_limit(const cli_options *options);

/* A context with the run's threads, and Ctrl-C turned into ng_cancel. */
int cli_context(const cli_options *options, ng_ctx **out);
void cli_context_destroy(ng_ctx **ctx);
bool cli_interrupted(void);

/* Options of the loop from the command line. */
int cli_fit_options(const cli_options *options, ng_fit_options *fit);
/* A list of numbers, to be freed by the caller also after an error. */
int cli_numbers(const char *option, const cli_list *list, double **out);
int cli_optimizer(const char *option, const char *name, ng_optimizer *out);
int cli_choice(const char *option, const char *text, const char *const *choices,
               int *out);

/* Progress and trace of a run. */
typedef struct cli_monitor {
    const cli_options *options;
    ng_writer *trace;
    size_t max_iter;
    double last_shown; /* seconds of wall clock */
    double started;
    bool shown;
    bool streams; /* another bar is shown */
    const char *label;
} cli_monitor;
int cli_monitor_open(ng_ctx *ctx, const cli_options *options, size_t max_iter,
                     cli_monitor *monitor);
int cli_monitor_report(void *user, const ng_report *report);
/* Ends the bar; keeps the trace. */
int cli_monitor_close(ng_ctx *ctx, cli_monitor *monitor);
/* Whether it is time to show something again, and showing it: `done` between
 * 0 and 1, and a text. */
bool cli_bar_due(cli_monitor *monitor);
void cli_bar_show(cli_monitor *monitor, double done, const char *text);
/* A bar over the passes of a stream, or over its opening where it is NULL. */
typedef struct cli_stream_bar {
    const char *path;
    const ng_stream *stream;
    cli_monitor monitor;
    pthread_t thread;
    atomic_bool over;
    bool running;
} cli_stream_bar;
void cli_stream_bar_start(const cli_options *options, const char *path,
                          const ng_stream *stream, cli_stream_bar *bar);
void cli_stream_bar_stop(cli_stream_bar *bar);
/* `, "key": x` */
void cli_trace_number(ng_writer *writer, const char *key, double x);
double cli_now(void);
/* Whether an output can be written is better known before a long run than
 * after it; a NULL path can. */
int cli_probe_output(ng_ctx *ctx, const char *path);

/* The names in a formula that may be columns. */
typedef struct cli_formula {
    char *text;
    const char **name;
    bool *factor; /* of each: within C() */
    size_t names;
    bool all;         /* "." */
    bool has_left;    /* something before "~" */
    bool lone_target; /* that is one name, the first of these */
} cli_formula;
/* NULL has none. To be freed also after an error. */
int cli_formula_names(const char *formula, cli_formula *out);
void cli_formula_free(cli_formula *formula);

/* Reads CSV, or where a table of numbers will do also NPY, and says how many
 * rows were dropped. */
int cli_read(ng_ctx *ctx, const cli_options *options, const char *path,
             const ng_frame_options *how, ng_frame **out);
void cli_say_dropped(size_t rows);
/* A slip in --categorical would silently fit another model. One of frame and
 * stream is not NULL. */
int cli_check_categorical(const cli_options *options, const ng_frame *frame,
                          const ng_stream *stream);
/* Reads the data that a learner's options name. */
int cli_read_glm(ng_ctx *ctx, const cli_options *options, const char *path,
                 ng_frame **out);
/* The same to be read in every pass. */
int cli_stream_glm(ng_ctx *ctx, const cli_options *options, const char *path,
                   ng_stream **out);
/* Whether the data are to be read so: where it was asked for, and where they
 * would take more than half of the memory, which is said. */
bool cli_wants_stream(const cli_options *options, const char *path);
int cli_read_dist(ng_ctx *ctx, const cli_options *options, const char *path,
                  ng_frame **out);
int cli_glm_options(const cli_options *options, ng_glm_options *glm);
/* --start, as many numbers as the family has customary parameters. */
int cli_start(ng_ctx *ctx, const cli_options *options, double **out);
int cli_dist_options(const cli_options *options, ng_dist_options *dist);

/* A frame for a model's predictions. */
int cli_read_for_model(ng_ctx *ctx, const cli_options *options,
                       const ng_model *model, const char *path,
                       bool with_target, ng_frame **out);

/* Prints a result; `extra` (may be NULL, stolen) is merged into the JSON. */
int cli_print_model(ng_ctx *ctx, const cli_options *options,
                    const ng_model *model, json_t *extra);
int cli_print_json(json_t *object);
json_t *cli_number(double x);

/* What --residuals and --plot ask of a fitted glm. */
int cli_diagnose(ng_ctx *ctx, const cli_options *options, const ng_model *model,
                 const ng_frame *frame);
/* A path as it stands between single quotes in a gnuplot script, allocated. */
char *cli_escape(const char *path);
/* Runs gnuplot on a script; says so where it is missing. */
int cli_gnuplot(const char *script, const char *picture);
/* "a/b.svg" with another ending, allocated. */
char *cli_beside(const char *path, const char *ending);

int cli_dist(const cli_options *options);
int cli_glm(const cli_options *options);
int cli_predict(const cli_options *options);
int cli_show(const cli_options *options);
int cli_kl(const cli_options *options);
int cli_compare_glm(const cli_options *options);
int cli_compare_dist(const cli_options *options);
int cli_nested(const cli_options *options);
int cli_manifold(const cli_options *options);
int cli_net(const cli_options *options);
int cli_compare_net(const cli_options *options);

/* What predict, show and kl do where the model is a network. */
bool cli_is_net(ng_ctx *ctx, const char *path);
int cli_predict_net(ng_ctx *ctx, const cli_options *options);
int cli_show_net(ng_ctx *ctx, const cli_options *options);
int cli_kl_net(ng_ctx *ctx, const cli_options *options);
/* One field of CSV, quoted where it must be. */
void cli_print_field(ng_writer *writer, const char *text);
/* A prediction as CSV; with a frame, each row's number in the data first. */
void cli_write_prediction(ng_writer *writer, const ng_prediction *p,
                          const ng_frame *frame);
int cli_print_kl(const cli_options *options, double ab, double ba);

#endif
