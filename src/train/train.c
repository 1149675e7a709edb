/* The public face of training. */
#include "network/engine_ops.h"

struct ng_train {
    ng_ctx *ctx;
    const ngi_trainer_ops *ops;
    void *trainer;
};

void ng_train_options_init(ng_train_options *options) {
    *options = (ng_train_options){.optimizer = NG_TRAIN_KFAC,
                                  .batch = 1000,
                                  .seed = 1,
                                  .rate = -1,
                                  .momentum = -1,
                                  .weight_decay = -1,
                                  .fisher = NG_FISHER_SAMPLED,
                                  .fisher_samples = 1,
                                  .curvature_fraction = -1,
                                  .statistics_every = -1,
                                  .inverse_every = -1,
                                  .inverse_delay = -1,
                                  .statistics_decay = -1,
                                  .damping = -1,
                                  .adapt_damping = 1,
                                  .kl_radius = -1,
                                  .average = -1};
}

int ng_trainer_second_order(ng_trainer optimizer) {
    return optimizer < NG_TRAIN_SGD;
}

static const ngi_trainer_ops *ops_of(const ng_network *network) {
    return network->precision == NG_DOUBLE ? &ngi_trainer_ops_f64
                                           : &ngi_trainer_ops_f32;
}

ng_status ng_train_create(ng_network *network, const ng_train_options *options,
                          ng_train **out) {
    ng_train *train = ngi_alloc(network->ctx, 1, sizeof *train);
    if (!train)
        return NG_ENOMEM;
    train->ctx = network->ctx;
    train->ops = ops_of(network);
    ng_status status =
        train->ops->create(network->engine, options, &train->trainer);
    if (status != NG_OK) {
        ngi_free(network->ctx, train);
        return status;
    }
    *out = train;
    return NG_OK;
}

void ng_train_destroy(ng_train **pointer) {
    ng_train *train = *pointer;
    if (!train)
        return;
    train->ops->destroy(&train->trainer);
    ngi_free(train->ctx, train);
    *pointer = NULL;
}

double ng_train_memory(const ng_network *network,
                       const ng_train_options *options) {
    return ops_of(network)->memory(network->architecture, options);
}

ng_status ng_train_step(ng_train *train, const ng_batch *batch,
                        ng_train_report *report) {
    return train->ops->step(train->trainer, batch, report);
}

void ng_train_swap_average(ng_train *train) {
    train->ops->swap_average(train->trainer);
}

ng_status ng_train_visit(ng_train *train, int loading, ng_train_visitor visit,
                         void *user) {
    return train->ops->visit(train->trainer, loading, visit, user);
}
