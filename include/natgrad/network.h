/* Networks: layers from a one-line specification, the products J v and J'u,
 * and outputs to a family.
 *
 * A network maps an example x to z, the parameters of a family p(y | z). It
 * computes in single or in double precision, the same source compiled twice;
 * what this header passes in and out as double is converted at the border.
 * Batches are arrays of examples: see array.h. */
#ifndef NATGRAD_NETWORK_H
#define NATGRAD_NETWORK_H

#include "natgrad/array.h"
#include "natgrad/family.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NG_ACTIVATION_LIST(X)                                                  \
    X(NG_IDENTITY, "identity")                                                 \
    X(NG_RELU, "relu")                                                         \
    X(NG_LEAKY_RELU, "leaky-relu") /* slope 0.01 below 0 unless given */       \
    X(NG_GELU, "gelu")             /* exact, by erf (Hendrycks & Gimpel) */    \
    X(NG_SILU, "silu")             /* x sigmoid(x) */                          \
    X(NG_TANH, "tanh")                                                         \
    X(NG_SIGMOID, "sigmoid")                                                   \
    X(NG_SOFTPLUS, "softplus")

#define NG_LAYER_LIST(X)                                                       \
    X(NG_LAYER_DENSE, "dense")                                                 \
    X(NG_LAYER_CONV, "conv")                                                   \
    X(NG_LAYER_MAX_POOL, "max-pool")                                           \
    X(NG_LAYER_AVERAGE_POOL, "average-pool")                                   \
    X(NG_LAYER_FLATTEN, "flatten")       /* channels, rows, columns */         \
    X(NG_LAYER_LAYER_NORM, "layer-norm") /* over an example's values */        \
    X(NG_LAYER_EMBEDDING, "embedding")   /* of each input, an index */         \
    X(NG_LAYER_SUM, "sum")               /* with an earlier value */           \
    X(NG_LAYER_ACTIVATION, "activation")

/* Initial weights; biases begin at 0 but for NG_INIT_TORCH.
 *   sparse: 15 normal weights an output, the rest 0 (Martens 2010);
 *   glorot: uniform, variance 2 / (in + out) (Glorot & Bengio 2010);
 *   he:     normal, variance 2 / in (He et al. 2015);
 *   lecun:  normal, variance 1 / in (LeCun et al. 1998);
 *   torch:  uniform within 1 / sqrt(in), biases too: PyTorch's layers. */
#define NG_INIT_LIST(X)                                                        \
    X(NG_INIT_SPARSE, "sparse")                                                \
    X(NG_INIT_GLOROT, "glorot")                                                \
    X(NG_INIT_HE, "he")                                                        \
    X(NG_INIT_LECUN, "lecun")                                                  \
    X(NG_INIT_TORCH, "torch")

#define NG_ENUMERATOR(name, key) name,
typedef enum ng_activation { NG_ACTIVATION_LIST(NG_ENUMERATOR) } ng_activation;
typedef enum ng_layer_kind { NG_LAYER_LIST(NG_ENUMERATOR) } ng_layer_kind;
typedef enum ng_init { NG_INIT_LIST(NG_ENUMERATOR) } ng_init;
#undef NG_ENUMERATOR

typedef enum ng_precision { NG_SINGLE, NG_DOUBLE } ng_precision;

/* What an example is between two layers: channels x height x width. A flat
 * vector has all its values in `channels`, height and width 1. */
typedef struct ng_shape {
    size_t channels, height, width;
} ng_shape;

/* One layer. Value 0 is the network's input and value l + 1 the output of
 * layer l, which reads value l. */
typedef struct ng_layer {
    ng_layer_kind kind;
    ng_shape in, out;
    ng_activation activation;                /* of an activation layer */
    double slope;                            /* of a leaky relu */
    size_t kernel[2], stride[2], padding[2]; /* conv and pools: height, width */
    size_t groups;                           /* conv */
    size_t vocabulary;                       /* embedding */
    double epsilon;                          /* layer norm, beside variance */
    size_t source;                           /* sum: which value is added */
    size_t item;      /* of the specification, from 1; 0: the output layer */
    size_t parameter; /* where its parameters begin in theta */
    size_t parameters;
    /* Its weights as a matrix, row-major in theta: `rows` outputs x `columns`
     * inputs, the last column being the bias. conv: columns are kernel
     * positions (height, width) x channels of one group, and the rows of the
     * groups follow each other; layer norm: one row an affected value, gain
     * and bias; embedding: vocabulary rows, no bias. */
    size_t rows, columns;
} ng_layer;

typedef struct ng_network_options {
    /* The hidden layers, separated by commas:
     *   512 tanh            dense with 512 outputs, then tanh
     *   512                 dense without activation
     *   conv 32 3x3 relu    32 channels; options `stride 2`, `pad 1` (or
     *                       `pad same`), `groups 4`
     *   pool 2              max-pool; also `max-pool 3x3 stride 2`,
     *                       `average-pool 2`, `average-pool all`
     *   flatten, layer-norm, embedding 1000x16
     *   relu                an activation alone
     *   [64 relu, 64]       residual: what is inside, plus its input
     * An image is flattened before a dense layer. "" or NULL: none. Ends in
     * ".json": a file with an array of objects of the same words, as
     * ng_network_to_json writes it. */
    const char *layers;
    ng_shape input;
    /* The output layer is dense and as wide as the family's parameters ask:
     * "categorical" of `levels` classes (softmax); else one member of a scalar
     * family for each of `targets` columns of y: "bernoulli" (pixels too),
     * "gaussian" (standard deviation known to be 1), "normal" (mean and log
     * standard deviation learnt), "poisson", ... any name of ng_family_list;
     * "mvnormal" and "dirichlet" take the columns as one vector. */
    const char *family;
    size_t levels, targets;
    int init; /* ng_init, or -1: he before rectifiers, lecun for the linear
                 layers of networks that have them, else glorot */
    uint64_t seed;
    ng_precision precision;
} ng_network_options;
NG_API void ng_network_options_init(ng_network_options *options);

typedef struct ng_network ng_network;

/* NG_EUSAGE for a specification that does not parse or fit together: the
 * message names the item, what it says and the sizes that do not match. */
NG_API NG_MUST_CHECK ng_status ng_network_create(
    ng_ctx *ctx, const ng_network_options *options, ng_network **out);
NG_API void ng_network_destroy(ng_network **network);

NG_API size_t ng_network_parameters(const ng_network *network);
NG_API size_t ng_network_outputs(const ng_network *network); /* dim of z */
NG_API const ng_layer *ng_network_layers(const ng_network *network,
                                         size_t *count);
/* "dense 784 -> 512", "conv 6 x 28 x 28 -> 16 x 10 x 10, 5 x 5", ... */
NG_API void ng_layer_text(const ng_layer *layer, char *out, size_t size);
/* The layers on one line, in the language of `layers` above; borrowed. */
NG_API const char *ng_network_text(const ng_network *network);

/* theta: ng_network_parameters doubles. */
NG_API void ng_network_get(const ng_network *network, double *theta);
NG_API void ng_network_set(ng_network *network, const double *theta);

/* ---- Batches --------------------------------------------------------------
 */
/* `count` examples: rows row[0], row[1], ... of x and y, or with a NULL `row`
 * the rows from `first` on. The arrays must have passed ng_network_check, and
 * have those rows: batches are not checked again but for their widths. */
typedef struct ng_batch {
    const ng_array *x;
    const ng_array *y; /* NULL: y is x, an autoencoder */
    const size_t *row;
    size_t first, count;
    size_t shift;       /* images moved by up to so many pixels each way */
    uint64_t shift_key; /* which random moves */
} ng_batch;

/* Checks that arrays fit the network: widths, classes in range, values in the
 * family's support, indices in the vocabulary. NG_EDATA names row and column;
 * `x_name` and `y_name` are what the message calls the arrays. */
NG_API NG_MUST_CHECK ng_status ng_network_check(const ng_network *network,
                                                const ng_array *x,
                                                const ng_array *y,
                                                const char *x_name,
                                                const char *y_name);

/* How well z predicts y, means over examples. */
typedef struct ng_score {
    double loss;          /* nats per example */
    double accuracy;      /* fraction of classes right; NaN without classes */
    double squared_error; /* of the family's mean, summed over y's columns; NaN
                             for classes */
} ng_score;

/* The functions below work in blocks of rows on the context's threads. */
NG_API NG_MUST_CHECK ng_status ng_network_evaluate(ng_network *network,
                                                   const ng_batch *batch,
                                                   ng_score *score);
/* z: count x outputs. */
NG_API NG_MUST_CHECK ng_status ng_network_predict(ng_network *network,
                                                  const ng_batch *batch,
                                                  double *z);
/* The means of p(y | z): count x targets; categorical: count x levels. */
NG_API NG_MUST_CHECK ng_status ng_network_mean(ng_network *network,
                                               const ng_batch *batch,
                                               double *mean);
/* The mean loss and its gradient; either may be NULL. */
NG_API NG_MUST_CHECK ng_status ng_network_gradient(ng_network *network,
                                                   const ng_batch *batch,
                                                   double *loss,
                                                   double *gradient);
/* out = J v: count x outputs. */
NG_API NG_MUST_CHECK ng_status ng_network_jvp(ng_network *network,
                                              const ng_batch *batch,
                                              const double *v, double *out);
/* out = sum over the batch of J'u, u count x outputs. */
NG_API NG_MUST_CHECK ng_status ng_network_vjp(ng_network *network,
                                              const ng_batch *batch,
                                              const double *u, double *out);
/* Mean KL(p || p') over the batch, nats per example, from the network's own
 * parameters to theta. */
NG_API NG_MUST_CHECK ng_status ng_network_kl(ng_network *network,
                                             const ng_batch *batch,
                                             const double *theta, double *kl);

#ifdef __cplusplus
}
#endif
#endif
