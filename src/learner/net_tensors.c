/* A network's parameters as PyTorch has them: which module of a
 * torch.nn.Sequential a layer is, and in which order its numbers lie. */
#include "learner/net.h"

#include <stdio.h>
#include <string.h>

/* Residuals inside each other; each has a Sequential of its own. */
typedef struct numbering {
    const ngi_architecture *a;
    size_t depth;
    size_t next[NGI_RESIDUAL_DEPTH + 1]; /* module of each open Sequential */
    /* Whether a value has rows and columns there, if only one of each. */
    bool spatial;
    ngi_net_tensor *tensor;
    size_t count;
} numbering;

static void name_module(const numbering *n, char *out, size_t size) {
    size_t used = 0;
    for (size_t i = 0; i <= n->depth && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%zu.", n->next[i]);
}

static void shape_weight(const numbering *n, const ng_layer *layer,
                         ngi_net_tensor *out) {
    size_t inputs = layer->columns - 1;
    switch (layer->kind) {
    case NG_LAYER_CONV:
        out->dims = 4;
        out->shape[0] = layer->rows;
        out->shape[1] = inputs / (layer->kernel[0] * layer->kernel[1]);
        out->shape[2] = layer->kernel[0];
        out->shape[3] = layer->kernel[1];
        break;
    case NG_LAYER_LAYER_NORM:
        out->dims = n->spatial ? 3 : 1;
        out->shape[0] = layer->in.channels;
        out->shape[1] = layer->in.height;
        out->shape[2] = layer->in.width;
        break;
    default:
        out->dims = 2;
        out->shape[0] = layer->rows;
        out->shape[1] =
            layer->kind == NG_LAYER_EMBEDDING ? layer->columns : inputs;
        break;
    }
}

static void shape_bias(const numbering *n, const ng_layer *layer,
                       ngi_net_tensor *out) {
    if (layer->kind == NG_LAYER_LAYER_NORM) {
        shape_weight(n, layer, out);
        return;
    }
    out->dims = 1;
    out->shape[0] = layer->rows;
}

static void add_tensor(numbering *n, size_t l, bool bias) {
    const ng_layer *layer = &n->a->layer[l];
    ngi_net_tensor *out = &n->tensor[n->count++];
    char module[80];
    name_module(n, module, sizeof module);
    snprintf(out->name, sizeof out->name, "%s%s", module,
             bias ? "bias" : "weight");
    out->layer = l;
    out->bias = bias;
    if (bias)
        shape_bias(n, layer, out);
    else
        shape_weight(n, layer, out);
    out->count = 1;
    for (size_t i = 0; i < out->dims; i++)
        out->count *= out->shape[i];
}

static void add_layer(numbering *n, size_t l) {
    const ng_layer *layer = &n->a->layer[l];
    size_t opens = ngi_layer_opens(n->a, l);
    for (size_t i = 0; i < opens && n->depth < NGI_RESIDUAL_DEPTH; i++)
        n->next[++n->depth] = 0;
    if (layer->kind == NG_LAYER_SUM) {
        n->depth--;
        n->next[n->depth]++;
        return;
    }
    /* One position is flat here, but four dimensions are not for PyTorch. */
    if (layer->kind == NG_LAYER_DENSE && n->spatial)
        n->next[n->depth]++;
    if (layer->parameters) {
        add_tensor(n, l, false);
        if (layer->kind != NG_LAYER_EMBEDDING)
            add_tensor(n, l, true);
    }
    if (layer->kind == NG_LAYER_FLATTEN || layer->kind == NG_LAYER_DENSE)
        n->spatial = false;
    /* Its vectors are flattened by a module of its own. */
    n->next[n->depth] += layer->kind == NG_LAYER_EMBEDDING ? 2 : 1;
}

ng_status ngi_net_tensors_list(const ngi_architecture *a, ngi_net_tensor **out,
                               size_t *count) {
    numbering n = {.a = a, .spatial = !ngi_shape_flat(&a->input)};
    n.tensor = ngi_alloc(a->ctx, 2 * a->layers, sizeof *n.tensor);
    *out = NULL;
    if (!n.tensor)
        return NG_ENOMEM;
    for (size_t l = 0; l < a->layers; l++)
        add_layer(&n, l);
    *out = n.tensor;
    *count = n.count;
    return NG_OK;
}

/* Ours: rows of (row, column, channel) of the kernel and then the bias.
 * PyTorch's: rows of (channel, row, column). */
static size_t conv_place(const ng_layer *layer, const ngi_net_tensor *tensor,
                         size_t k) {
    size_t positions = tensor->shape[2] * tensor->shape[3];
    size_t size = tensor->shape[1] * positions;
    size_t row = k / size, channel = k % size / positions;
    size_t position = k % positions;
    return row * layer->columns + position * tensor->shape[1] + channel;
}

size_t ngi_net_tensor_place(const ngi_architecture *a,
                            const ngi_net_tensor *tensor, size_t k) {
    const ng_layer *layer = &a->layer[tensor->layer];
    size_t inputs = layer->columns - 1;
    switch (layer->kind) {
    case NG_LAYER_LAYER_NORM:
        return layer->parameter + 2 * k + tensor->bias;
    case NG_LAYER_EMBEDDING:
        return layer->parameter + k;
    default:
        break;
    }
    if (tensor->bias)
        return layer->parameter + k * layer->columns + inputs;
    if (layer->kind == NG_LAYER_CONV)
        return layer->parameter + conv_place(layer, tensor, k);
    return layer->parameter + k / inputs * layer->columns + k % inputs;
}
