/* What a race records. */
#ifndef CLI_RACE_H
#define CLI_RACE_H

#include "cli.h"

/* One iteration of one runner. */
typedef struct race_point {
    double seconds, loss, objective, gradient_norm, decrement, kl_total,
        examples;
} race_point;

typedef struct runner {
    const char *name;
    ng_optimizer optimizer;
    double rate;
    /* The search: objectives reached, by rate. */
    const double *tried;
    double *reached;
    size_t trials;
    race_point *point;
    size_t points, room;
    ng_stop stop;
    double test_loss, test_accuracy;
    bool failed; /* memory ran out while recording */
} runner;

/* Table, TSV, picture and JSON of runners that have run. */
int race_report(ng_ctx *ctx, const cli_options *options, const runner *runners,
                size_t count);

#endif
