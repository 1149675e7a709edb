/* The learner `net`: files of examples go in, a trained network comes out. */
#ifndef NATGRAD_NET_H
#define NATGRAD_NET_H

#include "natgrad/learners.h"
#include "natgrad/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Data ------------------------------------------------------------------
 *
 * Examples x and targets y as arrays, and how they came from columns. */
typedef struct ng_net_data ng_net_data;

typedef struct ng_net_source {
    /* CSV (a frame), NPY or IDX, gzipped or not. IDX bytes are read as
     * value/255. */
    const char *path;
    /* CSV: a column, or several separated by commas. NPY and IDX: a file of
     * targets, one for each example. "self": the examples themselves. NULL: no
     * targets (prediction). */
    const char *target;
    /* CSV: inputs, or NULL for every column but the targets. */
    const char *const *features;
    size_t feature_count;
    int drop_missing;
} ng_net_source;

typedef struct ng_net ng_net;

/* Reads examples. With a `like` (a trained net, or NULL) columns are coded as
 * it coded its own: factors by its levels, numbers standardised by its means
 * and deviations; NG_EDATA names what does not fit. Without one numeric inputs
 * of a CSV are standardised, factors become an indicator a level, and a target
 * that is a factor (or for the family categorical any whole numbers) becomes
 * classes. Numbers stay as they are where the layers begin with an embedding
 * and for "self" within 0 and 1; other targets are never scaled. Whatever data
 * are given beside training data or to a net are coded as those of training.
 * `family` may be NULL: categorical for a factor and for integer bytes beside
 * IDX images, bernoulli for "self" within 0 and 1, gaussian else. */
NG_API NG_MUST_CHECK ng_status ng_net_data_read(ng_ctx *ctx,
                                                const ng_net_source *source,
                                                const char *family,
                                                const ng_net *like,
                                                ng_net_data **out);
NG_API void ng_net_data_destroy(ng_net_data **data);
NG_API const ng_array *ng_net_data_x(const ng_net_data *data);
NG_API const ng_array *ng_net_data_y(const ng_net_data *data); /* or NULL */
NG_API const char *ng_net_data_family(const ng_net_data *data);

/* ---- Training --------------------------------------------------------------
 */
/* State of a run after a step. Scores are of the average of the iterates or of
 * the last one, whichever has the lower training loss; they are there where
 * `evaluated`. */
typedef struct ng_net_progress {
    size_t epoch, iteration, batch;
    double fraction; /* of the run done, by its nearest limit; 0 to 1 */
    double examples; /* looked at so far */
    ng_train_report step;
    int evaluated;
    ng_score train, valid, test; /* test: the first one */
} ng_net_progress;

typedef struct ng_net_options {
    const char *layers;
    int init;
    uint64_t seed;
    ng_train_options train; /* batch 0: see below; seed and horizon are set */
    /* Batches: `train.batch` examples a step, 0 for ng_net_default_batch. With
     * a `first_batch` they grow from that, by the same factor at each of the
     * first `growing` iterations. Rows that do not fill another batch are left
     * to the next epoch, which has another order. */
    size_t first_batch, growing; /* 0: no growth; 100 */
    size_t epochs;               /* 0: until another limit, or 20 */
    double seconds;              /* of training, 0: no limit */
    size_t iterations;           /* 0: no limit */
    double target_loss; /* stop when the training loss is evaluated as at most
                           this; -inf: none */
    const ng_net_data *valid; /* or NULL */
    double valid_fraction;    /* of the data held out (last after shuffling) */
    size_t patience; /* evaluations without a better validation loss; 0: none.
                        The best parameters are kept whenever there is
                        validation data */
    size_t shift;    /* images moved by up to so many pixels */
    const ng_net_data *const *test;
    const char *const *test_name;
    size_t tests;
    size_t evaluate_every;  /* iterations; 0: once an epoch if anything needs it
                               (valid, target loss, trace), else at the end */
    const char *checkpoint; /* directory, or NULL */
    size_t checkpoint_every; /* iterations, and at the end; 0: at evaluations
                                and between epochs, once a second at most */
    int resume;
    /* Called after every step; non-zero stops the run. */
    int (*monitor)(void *user, const ng_net_progress *progress);
    void *user;
    ng_precision precision; /* single */
} ng_net_options;
NG_API void ng_net_options_init(ng_net_options *options);
/* 128, and for second-order optimizers an eighth of the examples within 64 and
 * 1000; never more than there are. */
NG_API size_t ng_net_default_batch(ng_trainer optimizer, size_t examples);

#define NG_NET_STOP_LIST(X)                                                    \
    X(NG_NET_EPOCHS, "epochs done")                                            \
    X(NG_NET_ITERATIONS, "iterations done")                                    \
    X(NG_NET_SECONDS, "time is up")                                            \
    X(NG_NET_TARGET, "target loss reached")                                    \
    X(NG_NET_PATIENCE, "validation loss no longer falls")                      \
    X(NG_NET_DIVERGED, "values are not finite")                                \
    X(NG_NET_STOPPED, "stopped by request")
#define NG_ENUMERATOR(name, text) name,
typedef enum ng_net_stop { NG_NET_STOP_LIST(NG_ENUMERATOR) } ng_net_stop;
#undef NG_ENUMERATOR

typedef struct ng_net_summary {
    const char *family, *target, *layers, *optimizer;
    size_t parameters, epochs, iterations, batch;
    double seconds, examples;
    ng_score train, valid; /* valid: NaN where there is none */
    size_t tests;
    const ng_score *test;
    const char *const *test_name;
    ng_net_stop stop;
    int converged; /* target reached, patience over, or the limit asked for,
                      unless the loss ended above its start */
    /* What the optimizer chose by itself, as it was at the end. */
    double damping, rate, momentum, l2;
    double memory; /* bytes of training */
    size_t warnings;
    const char *const *warning;
} ng_net_summary;

/* Trains. A run whose loss is no longer finite ends with NG_NET_DIVERGED, the
 * last good parameters, and a warning that names the layer; its checkpoint is
 * the last good one. A checkpoint that cannot be written is a warning, not the
 * end of the run. A cancelled run (ng_cancel) is saved and ends with
 * NG_NET_STOPPED. Resuming: the checkpoint must be of the same layers, family,
 * optimizer, options and data, but for the limits of the run, NG_EDATA says
 * what differs; the result is
 * bit for bit that of a run never stopped (with as many threads). */
NG_API NG_MUST_CHECK ng_status ng_net_fit(ng_ctx *ctx, const ng_net_data *data,
                                          const ng_net_options *options,
                                          ng_net **out);
/* Bytes that training takes beside the data, found from the layers alone. */
NG_API NG_MUST_CHECK ng_status ng_net_memory(ng_ctx *ctx,
                                             const ng_net_data *data,
                                             const ng_net_options *options,
                                             double *bytes);
NG_API void ng_net_destroy(ng_net **net);
NG_API const ng_net_summary *ng_net_result(const ng_net *net);
NG_API ng_network *ng_net_network(ng_net *net); /* borrowed */

/* The summary as one JSON object; freed with ng_text_free. */
NG_API NG_MUST_CHECK ng_status ng_net_to_json(const ng_net *net, char **out);

/* ---- Files ----------------------------------------------------------------
 */
/* Safetensors, float32 (float64 for a double network): "0.weight", "0.bias",
 * ... numbered as the modules of a torch.nn.Sequential of these layers, in
 * PyTorch's shapes; all else in the metadata "natgrad". Activations, pools and
 * flatten count; a Flatten stands before a dense layer that follows an image
 * (one of 1 x 1 too) and behind an embedding; a residual is one module, a
 * Sequential of its own, "3.0.weight". */
NG_API NG_MUST_CHECK ng_status ng_net_save(const ng_net *net, const char *path);
NG_API NG_MUST_CHECK ng_status ng_net_load(ng_ctx *ctx, const char *path,
                                           ng_net **out);
/* Whether the file is a network; else it is for ng_model_load. */
NG_API NG_MUST_CHECK ng_status ng_net_is_file(ng_ctx *ctx, const char *path,
                                              int *is_net);
/* ONNX, opset 13: input "x" (batch x input shape), output "z" (the family's
 * parameters) and "mean". */
NG_API NG_MUST_CHECK ng_status ng_net_export_onnx(const ng_net *net,
                                                  const char *path);

/* ---- Use ------------------------------------------------------------------
 */
/* As ng_model_predict: p[level] and the likeliest class, or the means of the
 * targets. NG_ENUMERIC where the network gives numbers that are not finite. */
NG_API NG_MUST_CHECK ng_status ng_net_predict(ng_net *net,
                                              const ng_net_data *data,
                                              ng_prediction **out);
NG_API NG_MUST_CHECK ng_status ng_net_evaluate(ng_net *net,
                                               const ng_net_data *data,
                                               ng_score *score);
/* Mean KL(a || b) and KL(b || a) in nats per example over the inputs of `data`,
 * which need no targets. The networks must have the same layers, family and
 * coding of inputs and classes, else NG_EUSAGE. */
NG_API NG_MUST_CHECK ng_status ng_net_kl(ng_net *a, ng_net *b,
                                         const ng_net_data *data, double *ab,
                                         double *ba);

#ifdef __cplusplus
}
#endif
#endif
