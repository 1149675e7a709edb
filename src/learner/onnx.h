/* Writing ONNX models: the messages of onnx.proto3 that a feed-forward graph
 * needs, in protocol buffers' wire format. */
#ifndef NGI_ONNX_H
#define NGI_ONNX_H

#include "natgrad/network.h"

#include "base/base.h"

/* Of the operators, and of the format that carries them. */
enum { NGI_ONNX_OPSET = 13, NGI_ONNX_IR = 8 };

/* TensorProto.DataType */
typedef enum ngi_onnx_type {
    NGI_ONNX_FLOAT = 1,
    NGI_ONNX_INT64 = 7,
    NGI_ONNX_DOUBLE = 11
} ngi_onnx_type;

/* A model that grows. What goes wrong on the way is remembered, what follows
 * is then without effect, and ngi_onnx_write says so. */
typedef struct ngi_onnx ngi_onnx;

ng_status ngi_onnx_create(ng_ctx *ctx, ngi_onnx **out);
void ngi_onnx_destroy(ngi_onnx **onnx);

/* `inputs` and `output` below are names of values, each made once, before it is
 * used. Dimension 0 of an input or output of the graph is the batch; its
 * others are `shape`. */
void ngi_onnx_graph_input(ngi_onnx *onnx, const char *name, ngi_onnx_type type,
                          size_t dims, const size_t *shape);
void ngi_onnx_graph_output(ngi_onnx *onnx, const char *name, ngi_onnx_type type,
                           size_t dims, const size_t *shape);
/* Constants, 0 dimensions for a number. */
void ngi_onnx_tensor(ngi_onnx *onnx, const char *name, ngi_onnx_type type,
                     size_t dims, const size_t *shape, const double *values);

/* Attributes of the node that ngi_onnx_node adds next. */
void ngi_onnx_integer(ngi_onnx *onnx, const char *name, int64_t value);
void ngi_onnx_integers(ngi_onnx *onnx, const char *name, size_t count,
                       const int64_t *values);
void ngi_onnx_real(ngi_onnx *onnx, const char *name, double value);
/* `inputs`: up to three, NULL ends them early. */
enum { NGI_ONNX_INPUTS = 3 };
void ngi_onnx_node(ngi_onnx *onnx, const char *op,
                   const char *const inputs[NGI_ONNX_INPUTS],
                   const char *output);

void ngi_onnx_metadata(ngi_onnx *onnx, const char *key, const char *value);

/* The whole model, atomic through ng_writer. NG_EUNSUPPORTED for more than
 * protocol buffers hold, 2 GiB. */
ng_status ngi_onnx_write(ngi_onnx *onnx, const char *path);

/* ng_net_export_onnx for a network alone. The graph's input is x as the network
 * sees it: columns of a table are coded before, numbers standardised, which the
 * metadata "coding" of a net's file describes. Metadata "family" and "layers"
 * say what it is. Gumbel, lognormal, von Mises and Weibull means take functions
 * that the opset lacks, or two components of z: the output is z alone. */
ng_status ngi_network_export_onnx(const ng_network *network, const char *path);

#endif
