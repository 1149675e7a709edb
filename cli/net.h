/* What the files about networks share. */
#ifndef CLI_NET_H
#define CLI_NET_H

#include "cli.h"

/* Everything that is read before training. */
typedef struct net_data {
    ng_net_data *train, *valid;
    ng_net_data **test;
    const char **test_name;
    size_t tests;
} net_data;

int net_read(ng_ctx *ctx, const cli_options *options, net_data *out);
void net_data_free(net_data *data);

/* The learner's options from the command's. */
int net_options(const cli_options *options, const net_data *data,
                ng_net_options *out);
/* Options that do not go with an optimizer are errors that name it. */
int net_check_optimizer(const cli_options *options, const char *name,
                        ng_trainer optimizer);
/* Of several in a race: an error where none of them has a use for an option. */
int net_check_optimizers(const cli_options *options,
                         const ng_trainer *optimizer, size_t count);
/* Leaves out what has no meaning for the optimizer. */
void net_keep_useful(ng_train_options *train);
int net_trainer(const char *option, const char *name, ng_trainer *out);
/* Says what training will take, and refuses what the machine has not. */
int net_check_memory(ng_ctx *ctx, const cli_options *options,
                     const net_data *data, const ng_net_options *net);

/* A run where it was evaluated. */
typedef struct net_point {
    size_t iteration, epoch;
    double seconds, examples, loss; /* of the batch */
    ng_score train, valid, test;
} net_point;

typedef struct net_curve {
    const char *name; /* of the optimizer */
    double rate;      /* not finite: found by itself */
    net_point *point;
    size_t points, room;
} net_curve;

/* Progress, trace and curve of a run; `user` of net_watch. */
typedef struct net_monitor {
    cli_monitor base;
    net_curve *curve; /* or NULL */
    char *old_trace;  /* of a run that is resumed, or NULL */
    double first_fraction, first_examples, first_seen;
    bool begun, failed; /* failed: memory ran out */
} net_monitor;
int net_monitor_open(ng_ctx *ctx, const cli_options *options,
                     net_monitor *monitor);
int net_watch(void *user, const ng_net_progress *progress);
int net_monitor_close(ng_ctx *ctx, net_monitor *monitor);
bool net_curve_add(net_curve *curve, const ng_net_progress *progress);
/* Where the run ended, if it was not evaluated there before. */
bool net_curve_end(net_curve *curve, const ng_net_summary *summary);

/* What is shown of an autoencoder: the first test data, or those trained on
 * where the columns of a table are coded after them. */
const ng_net_data *net_examples(const net_data *data);

/* The table of curves, a block for each; commas where `path` ends in .csv. */
int net_write_table(ng_ctx *ctx, const char *path, const net_curve *curves,
                    size_t count);
/* The picture: with one curve its three data sets share a panel, else each has
 * panels in which the optimizers meet. `net` and `data` may be NULL; examples
 * of an autoencoder of images stand below. `table`: where the curves are, or
 * NULL for a table beside the picture. */
int net_draw(ng_ctx *ctx, const cli_options *options, const net_curve *curves,
             size_t count, const char *table, ng_net *net,
             const ng_net_data *data);

/* The result as a table to read, or with --json (`extra` is merged, stolen). */
int net_print(ng_ctx *ctx, const cli_options *options, ng_net *net,
              json_t *extra);

/* The same, and its layers and what each number means. */
int net_explain(ng_ctx *ctx, const cli_options *options, ng_net *net);
const char *net_end_text(ng_net_stop stop);

/* What came of a race between networks. */
typedef struct net_runner {
    ng_trainer optimizer;
    bool tuned;
    bool hopeless;   /* every rate diverged */
    double *reached; /* training losses, by rate */
    size_t trials;
    net_curve curve;
    ng_score train, *test; /* at the end */
    size_t iterations, epochs;
    double seconds;
    ng_net_stop stop;
    bool ran;
} net_runner;
int net_race_report(ng_ctx *ctx, const cli_options *options,
                    const net_data *data, const double *rates,
                    net_runner *runners, size_t count, ng_net *net);

#endif
