/* Metrics of networks: they learn about F from passes over a few rows of each
 * batch, layer by layer, and solve (F + damping I) d = g. */
#ifndef NGI_LAYERWISE_H
#define NGI_LAYERWISE_H

#include "base/background.h"
#include "natgrad/train.h"
#include "network/engine.h"

typedef struct metric metric;

/* A collection of statistics: a root of F or gradients of drawn labels, one
 * backward pass at a time. */
typedef struct collection {
    const size_t *count; /* examples of each worker's pass that take part */
    size_t total;        /* of all workers */
    size_t draw, draws;  /* this backward pass, of so many */
    /* What one draw contributes: sum over draws of weight g g' estimates F of
     * an example. 1 for the columns of a root, 1 / S for samples. */
    double weight;
    double decay; /* of the running averages; 0: replaced */
} collection;

typedef struct metric_ops {
    /* Bytes that `create` takes. */
    double (*memory)(const ngi_architecture *architecture,
                     const ng_train_options *options, size_t rows);
    ng_status (*create)(metric *m);
    void (*destroy)(metric *m);
    /* Worker `worker`'s part of taking in one backward pass of all workers.
     * Called on all workers at once when all passes are done. Optional. */
    void (*collect)(metric *m, const collection *c, size_t worker);
    /* Begins to make solves with this damping (which includes l2) ready,
     * `beside` the training or with all workers at once; `adopt` waits for the
     * end of that and uses it from then on. */
    void (*refresh)(metric *m, double damping, bool beside);
    void (*adopt)(metric *m);
    /* d = (F + damping I)^-1 g. May use the passes, whose first rows are those
     * of the last collection. */
    ng_status (*solve)(metric *m, const real *g, real *d);
    ng_status (*visit)(metric *m, int loading, ng_train_visitor visit,
                       void *user);
    /* Refreshed and adopted at every iteration: solves depend on it. */
    bool immediate;
    /* What it knows is averaged over many batches and structured, so that
     * directions do not fit one batch: damping may become small, and not every
     * step needs to be judged. */
    bool steady;
} metric_ops;

struct metric {
    const metric_ops *ops;
    ng_ctx *ctx;
    engine *engine; /* borrowed */
    const ng_train_options *options;
    size_t rows; /* most examples of a collection */
    void *state;
    /* How many rows the passes hold for products (cg), as of the last step. */
    const size_t *count;
    size_t total;
};

extern const metric_ops NR(kfac), NR(ekfac), NR(layer_dense), NR(natural),
    NR(sample_space), NR(diagonal), NR(conjugate_gradients);

/* NULL for the first-order optimizers. */
const metric_ops *NR(metric_find)(ng_trainer optimizer);

#endif
