/* The inside of the learner `net`. */
#ifndef NGI_NET_H
#define NGI_NET_H

#include "data/tensors.h"
#include "learner/design.h"
#include "natgrad/net.h"
#include "network/engine_ops.h"

#include <jansson.h>

/* ---- Coding: how what a file holds becomes examples (net_coding.c) --------
 */

typedef struct ngi_net_column {
    char *name;
    ngi_levels levels; /* none for a number */
    double mean, sd;   /* of a number */
} ngi_net_column;

typedef struct ngi_net_coding {
    ng_ctx *ctx;
    bool table;       /* columns of a CSV; else an array */
    bool self;        /* the targets are the inputs */
    bool categorical; /* the target is a class */
    /* Numbers as they are, factors by the number of their level: the indices
     * of an embedding, and grey pixels that are targets as well. Else numbers
     * are standardised and a factor becomes an indicator a level. */
    bool plain;
    ng_shape shape; /* of an example */
    size_t inputs;  /* columns of a table */
    ngi_net_column *input;
    size_t targets;     /* columns of y */
    ngi_levels names;   /* of the targets, in a table */
    ngi_levels classes; /* of the target, where it has levels */
} ngi_net_coding;

ng_status ngi_net_coding_create(ng_ctx *ctx, ngi_net_coding **out);
void ngi_net_coding_destroy(ngi_net_coding **coding);
ng_status ngi_net_coding_copy(const ngi_net_coding *coding,
                              ngi_net_coding **out);
/* Values of an example of a table. */
size_t ngi_net_coding_width(const ngi_net_coding *coding);
/* x, and with `targets` y, from a frame; y stays empty where it is x. */
ng_status ngi_net_coding_fill(const ngi_net_coding *coding,
                              const ng_frame *frame, bool targets, ng_array *x,
                              ng_array *y);
/* A new reference; NULL when out of memory. */
json_t *ngi_net_coding_to_json(const ngi_net_coding *coding);
/* NG_EDATA for anything that is not as the above wrote it. */
ng_status ngi_net_coding_from_json(ng_ctx *ctx, const char *source,
                                   const json_t *object, ngi_net_coding **out);

/* ---- Data (net_data.c) ----------------------------------------------------
 */

struct ng_net_data {
    ng_ctx *ctx;
    char *path, *target, *family;
    char *x_name, *y_name; /* for messages */
    ngi_net_coding *coding;
    ng_frame *frame; /* of a table */
    ng_array x, y;
    bool targets; /* there are any: y, or x itself */
    /* The family was chosen here, and the targets look like labels of classes
     * from 0 to this; 0: they do not. */
    size_t largest_label;
};

/* Data as another coding has them; what need not be made anew is borrowed. */
typedef struct ngi_net_view {
    ng_ctx *ctx;
    const ng_net_data *data;
    ng_array x, y; /* y.data NULL: y is x, or there is none */
    bool own;
} ngi_net_view;

ng_status ngi_net_view_open(const ngi_net_coding *coding,
                            const ng_net_data *data, bool targets,
                            ngi_net_view *view);
void ngi_net_view_close(ngi_net_view *view);
/* All rows. */
ng_batch ngi_net_view_batch(const ngi_net_view *view);

/* ---- Nets (net.c) ---------------------------------------------------------
 */

struct ng_net {
    ng_ctx *ctx;
    ng_network *network;
    ngi_net_coding *coding;
    char *family, *target;
    ng_net_summary summary;
    char **warning;
    char **test_name;
    ng_score *test;
};

ng_status ngi_net_create(ng_ctx *ctx, const char *family, const char *target,
                         ng_net **out);
/* Room for the scores of so many test sets. */
ng_status ngi_net_allocate_tests(ng_net *net, size_t tests);
ng_status ngi_net_warn(ng_net *net, const char *text);
const char *ngi_trainer_name(ng_trainer optimizer);
const char *ngi_net_stop_text(ng_net_stop stop);
/* NaN in all places. */
ng_score ngi_net_no_score(void);

/* ---- JSON (net_json.c) ----------------------------------------------------
 */

/* The summary as users see it; NULL when out of memory. */
json_t *ngi_net_result(const ng_net *net);
ng_status ngi_net_result_read(ng_net *net, const char *source,
                              const json_t *result);
/* Layers, family, sizes and precision, which a network cannot change. */
json_t *ngi_net_network_json(const ngi_architecture *architecture,
                             ng_precision precision);

/* ---- Tensors of a model (net_tensors.c) -----------------------------------
 */

/* One parameter tensor in PyTorch's layout. */
typedef struct ngi_net_tensor {
    char name[96]; /* "3.0.weight" */
    size_t layer;
    bool bias;
    size_t dims, shape[4], count;
} ngi_net_tensor;

/* Those of all layers, in their order; freed with ngi_free. */
ng_status ngi_net_tensors_list(const ngi_architecture *architecture,
                               ngi_net_tensor **out, size_t *count);
/* Where in theta number k of the tensor is. */
size_t ngi_net_tensor_place(const ngi_architecture *architecture,
                            const ngi_net_tensor *tensor, size_t k);
/* ng_net_load from memory. */
ng_status ngi_net_parse(ng_ctx *ctx, const char *source, const void *data,
                        size_t size, ng_net **out);

/* ---- Runs (net_prepare.c, net_fit.c, net_evaluate.c, net_warn.c) ----------
 */

/* Together with the trainer's own, the state of a run. */
typedef struct ngi_net_counters {
    uint64_t epoch, position, iteration;
    uint64_t batch;    /* of the last step */
    uint64_t stale;    /* evaluations since the best one */
    uint64_t has_best; /* by validation */
    uint64_t scored;   /* iteration of the last evaluation, or 0 */
    uint64_t average;  /* the average was the better one then */
} ngi_net_counters;

typedef struct ngi_net_numbers {
    double seconds, examples;
    double damping, rate, momentum; /* of the last step */
    double best;                    /* validation loss */
    double start;                   /* loss of the first batch, before it */
    ng_score train, valid;          /* of the last evaluation */
    ng_score best_train, best_valid;
} ngi_net_numbers;

typedef struct ngi_net_run {
    ng_ctx *ctx;
    const ng_net_data *data;
    const ng_net_options *options;
    ng_train_options train_options;
    size_t largest; /* batch */
    size_t epochs;  /* 0: no limit */
    bool averages, validates;
    ng_net *net;
    ng_train *train;
    ngi_net_view view, valid;
    ngi_net_view *test;
    size_t examples;     /* to train on */
    size_t *row, *order; /* rows of the data: training, then validation; those
                            of the epoch in their order */
    double *best;        /* parameters */
    double *good, *next; /* the last that gave a loss; those before a step */
    ngi_net_counters counters;
    ngi_net_numbers numbers;
    double saved;      /* when the last checkpoint was written, seconds */
    bool unwritten;    /* one could not be */
    uint64_t checksum; /* of the data, once there are checkpoints */
    ng_score tested;
} ngi_net_run;

/* Everything up to the first step. A run is zeroed but for its context, data
 * and options; it is to be closed whatever became of it. */
ng_status ngi_net_run_open(ngi_net_run *run);
void ngi_net_run_close(ngi_net_run *run);
/* The size of the batch of a step. */
size_t ngi_net_batch_at(const ngi_net_run *run, uint64_t iteration);
/* Shuffles the rows. */
void ngi_net_epoch_begin(ngi_net_run *run);
bool ngi_net_epoch_is_over(const ngi_net_run *run, uint64_t position,
                           uint64_t iteration);
/* Scores of training, validation and the first test set, with the clock
 * stopped; keeps what is best. */
ng_status ngi_net_run_evaluate(ngi_net_run *run);
/* The parameters that the run ends with, and all its scores. */
ng_status ngi_net_run_conclude(ngi_net_run *run);

/* Warnings in the summary: of the data, and of a run that has been concluded,
 * which may turn out not to have converged. */
ng_status ngi_net_warn_of_data(ngi_net_run *run);
ng_status ngi_net_warn_of_result(ngi_net_run *run);

/* ---- Checkpoints (net_checkpoint.c, net_same.c) ---------------------------
 */

/* Makes the directory, or finds that it cannot go on there. */
ng_status ngi_net_checkpoint_open(ngi_net_run *run);
ng_status ngi_net_checkpoint_save(ngi_net_run *run);
/* What a run that goes on must agree with, in words; NULL when out of
 * memory. */
json_t *ngi_net_run_description(const ngi_net_run *run);
uint64_t ngi_net_data_checksum(const ngi_net_run *run);
/* NG_EDATA names the first difference. */
ng_status ngi_net_run_compare(const ngi_net_run *run, const char *path,
                              const json_t *description);

#endif
