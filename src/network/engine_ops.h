/* What the engine of either precision offers to the public header. */
#ifndef NGI_ENGINE_OPS_H
#define NGI_ENGINE_OPS_H

#include "natgrad/train.h"
#include "network/architecture.h"

typedef struct ngi_engine_ops {
    ng_status (*create)(const ngi_architecture *a, void **engine);
    void (*destroy)(void **engine);
    void (*get)(const void *engine, double *theta);
    void (*set)(void *engine, const double *theta);
    ng_status (*evaluate)(void *engine, const ng_batch *batch, ng_score *score);
    ng_status (*predict)(void *engine, const ng_batch *batch, double *z);
    ng_status (*mean)(void *engine, const ng_batch *batch, double *mean);
    ng_status (*gradient)(void *engine, const ng_batch *batch, double *loss,
                          double *gradient);
    ng_status (*jvp)(void *engine, const ng_batch *batch, const double *v,
                     double *out);
    ng_status (*vjp)(void *engine, const ng_batch *batch, const double *u,
                     double *out);
    ng_status (*kl)(void *engine, const ng_batch *batch, const double *theta,
                    double *kl);
} ngi_engine_ops;

extern const ngi_engine_ops ngi_engine_ops_f32, ngi_engine_ops_f64;

struct ng_network {
    ng_ctx *ctx;
    ngi_architecture *architecture;
    ng_precision precision;
    const ngi_engine_ops *ops;
    void *engine;
};

/* That embedded indices are within the vocabulary; NG_EDATA names row and
 * column of `name`. */
ng_status ngi_network_check_indices(const ng_network *network,
                                    const ng_array *x, const char *name);

/* Training, in the precision of the network. */
typedef struct ngi_trainer_ops {
    ng_status (*create)(void *engine, const ng_train_options *options,
                        void **trainer);
    void (*destroy)(void **trainer);
    double (*memory)(const ngi_architecture *a,
                     const ng_train_options *options);
    ng_status (*step)(void *trainer, const ng_batch *batch,
                      ng_train_report *report);
    void (*swap_average)(void *trainer);
    ng_status (*visit)(void *trainer, int loading, ng_train_visitor visit,
                       void *user);
} ngi_trainer_ops;

extern const ngi_trainer_ops ngi_trainer_ops_f32, ngi_trainer_ops_f64;

#endif
