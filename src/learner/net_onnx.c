/* A network as a graph of ONNX operators. Tensors have the names and shapes of
 * the model file; value v of the network is called "value<v>". A flat value is
 * batch x channels, an image batch x channels x height x width. */
#include "learner/net.h"
#include "learner/onnx.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct name {
    char text[64];
} name;

typedef struct exporter {
    const ngi_architecture *a;
    ngi_onnx *onnx;
    ngi_onnx_type real;
    ngi_net_tensor *tensor;
    size_t tensors;
    double *theta, *values; /* all parameters; one tensor's */
} exporter;

static name value_name(const exporter *e, size_t value) {
    name n;
    if (value == 0)
        strcpy(n.text, "x");
    else if (value == e->a->layers)
        strcpy(n.text, "z");
    else
        snprintf(n.text, sizeof n.text, "value%zu", value);
    return n;
}

/* Of what is made on the way to the output of layer l. */
static name part_name(size_t l, const char *part) {
    name n;
    snprintf(n.text, sizeof n.text, "value%zu.%s", l + 1, part);
    return n;
}

/* output = op(a, b); b may be NULL. */
static void apply(const exporter *e, const char *op, const char *a,
                  const char *b, const char *output) {
    ngi_onnx_node(e->onnx, op, (const char *const[NGI_ONNX_INPUTS]){a, b},
                  output);
}

/* The same on the way to the output of layer l. */
static name step(const exporter *e, size_t l, const char *op, const name *a,
                 const name *b, const char *part) {
    name output = part_name(l, part);
    apply(e, op, a->text, b ? b->text : NULL, output.text);
    return output;
}

static name number(const exporter *e, size_t l, const char *part,
                   double value) {
    name n = part_name(l, part);
    ngi_onnx_tensor(e->onnx, n.text, e->real, 0, NULL, &value);
    return n;
}

/* NULL if the layer has none. */
static const char *weight_name(const exporter *e, size_t l, bool bias) {
    for (size_t i = 0; i < e->tensors; i++)
        if (e->tensor[i].layer == l && e->tensor[i].bias == bias)
            return e->tensor[i].name;
    return NULL;
}

/* An image of one position is flat here, but not in the model file. */
static size_t weight_dims(const exporter *e, const ngi_net_tensor *t) {
    const ng_layer *layer = &e->a->layer[t->layer];
    bool norm = layer->kind == NG_LAYER_LAYER_NORM;
    return norm && ngi_shape_flat(&layer->in) ? 1 : t->dims;
}

static void add_weights(const exporter *e) {
    for (size_t i = 0; i < e->tensors; i++) {
        const ngi_net_tensor *t = &e->tensor[i];
        for (size_t k = 0; k < t->count; k++)
            e->values[k] = e->theta[ngi_net_tensor_place(e->a, t, k)];
        ngi_onnx_tensor(e->onnx, t->name, e->real, weight_dims(e, t), t->shape,
                        e->values);
    }
}

/* ---- Layers ---------------------------------------------------------------
 */

static void add_affine(const exporter *e, size_t l, const char *op,
                       const char *output) {
    name in = value_name(e, l);
    const char *const inputs[NGI_ONNX_INPUTS] = {
        in.text, weight_name(e, l, false), weight_name(e, l, true)};
    ngi_onnx_node(e->onnx, op, inputs, output);
}

static void add_dense(const exporter *e, size_t l) {
    ngi_onnx_integer(e->onnx, "transB", 1);
    add_affine(e, l, "Gemm", value_name(e, l + 1).text);
}

static void add_window(const exporter *e, const ng_layer *layer) {
    int64_t kernel[2], stride[2], padding[4];
    for (size_t i = 0; i < 2; i++) {
        kernel[i] = (int64_t)layer->kernel[i];
        stride[i] = (int64_t)layer->stride[i];
        padding[i] = padding[i + 2] = (int64_t)layer->padding[i];
    }
    ngi_onnx_integers(e->onnx, "kernel_shape", 2, kernel);
    ngi_onnx_integers(e->onnx, "strides", 2, stride);
    ngi_onnx_integers(e->onnx, "pads", 4, padding);
}

/* Convolutions and pools. An image of one position is flat to the layers that
 * follow. */
static void add_image(const exporter *e, size_t l) {
    const ng_layer *layer = &e->a->layer[l];
    bool flat = ngi_shape_flat(&layer->out);
    name in = value_name(e, l), out = value_name(e, l + 1);
    name image = flat ? part_name(l, "image") : out;
    add_window(e, layer);
    if (layer->kind == NG_LAYER_CONV) {
        ngi_onnx_integer(e->onnx, "group", (int64_t)layer->groups);
        add_affine(e, l, "Conv", image.text);
    } else if (layer->kind == NG_LAYER_MAX_POOL) {
        apply(e, "MaxPool", in.text, NULL, image.text);
    } else {
        ngi_onnx_integer(e->onnx, "count_include_pad", 1);
        apply(e, "AveragePool", in.text, NULL, image.text);
    }
    if (flat)
        apply(e, "Flatten", image.text, NULL, out.text);
}

static name mean_of_example(const exporter *e, size_t l, const name *of,
                            const char *part) {
    static const int64_t axes[] = {1, 2, 3};
    bool flat = ngi_shape_flat(&e->a->layer[l].in);
    ngi_onnx_integers(e->onnx, "axes", flat ? 1 : 3, axes);
    return step(e, l, "ReduceMean", of, NULL, part);
}

/* Opset 13 has no operator for it. */
static void add_layer_norm(const exporter *e, size_t l) {
    name x = value_name(e, l);
    name epsilon = number(e, l, "epsilon", e->a->layer[l].epsilon);
    name mean = mean_of_example(e, l, &x, "mean");
    name centred = step(e, l, "Sub", &x, &mean, "centred");
    name square = step(e, l, "Mul", &centred, &centred, "square");
    name variance = mean_of_example(e, l, &square, "variance");
    name raised = step(e, l, "Add", &variance, &epsilon, "raised");
    name sd = step(e, l, "Sqrt", &raised, NULL, "sd");
    name normal = step(e, l, "Div", &centred, &sd, "normal");
    name scaled = part_name(l, "scaled");
    apply(e, "Mul", normal.text, weight_name(e, l, false), scaled.text);
    apply(e, "Add", scaled.text, weight_name(e, l, true),
          value_name(e, l + 1).text);
}

static void add_embedding(const exporter *e, size_t l) {
    name x = value_name(e, l);
    ngi_onnx_integer(e->onnx, "to", NGI_ONNX_INT64);
    name index = step(e, l, "Cast", &x, NULL, "index");
    name rows = part_name(l, "rows");
    apply(e, "Gather", weight_name(e, l, false), index.text, rows.text);
    apply(e, "Flatten", rows.text, NULL, value_name(e, l + 1).text);
}

static void add_sum(const exporter *e, size_t l) {
    name source = value_name(e, e->a->layer[l].source);
    apply(e, "Add", value_name(e, l).text, source.text,
          value_name(e, l + 1).text);
}

/* x/2 (1 + erf(x / sqrt 2)) */
static void add_gelu(const exporter *e, size_t l) {
    name x = value_name(e, l);
    name one = number(e, l, "one", 1), half = number(e, l, "half", 0.5);
    name root = number(e, l, "root", sqrt(0.5));
    name scaled = step(e, l, "Mul", &x, &root, "scaled");
    name curve = step(e, l, "Erf", &scaled, NULL, "erf");
    name raised = step(e, l, "Add", &curve, &one, "raised");
    name halved = step(e, l, "Mul", &x, &half, "halved");
    apply(e, "Mul", halved.text, raised.text, value_name(e, l + 1).text);
}

static void add_silu(const exporter *e, size_t l) {
    name x = value_name(e, l);
    name gate = step(e, l, "Sigmoid", &x, NULL, "gate");
    apply(e, "Mul", x.text, gate.text, value_name(e, l + 1).text);
}

static void add_activation(const exporter *e, size_t l) {
    static const char *const operators[] = {
        [NG_IDENTITY] = "Identity",    [NG_RELU] = "Relu",
        [NG_LEAKY_RELU] = "LeakyRelu", [NG_TANH] = "Tanh",
        [NG_SIGMOID] = "Sigmoid",      [NG_SOFTPLUS] = "Softplus"};
    const ng_layer *layer = &e->a->layer[l];
    if (layer->activation == NG_GELU) {
        add_gelu(e, l);
        return;
    }
    if (layer->activation == NG_SILU) {
        add_silu(e, l);
        return;
    }
    if (layer->activation == NG_LEAKY_RELU)
        ngi_onnx_real(e->onnx, "alpha", layer->slope);
    apply(e, operators[layer->activation], value_name(e, l).text, NULL,
          value_name(e, l + 1).text);
}

static void add_layer(const exporter *e, size_t l) {
    switch (e->a->layer[l].kind) {
    case NG_LAYER_DENSE:
        add_dense(e, l);
        break;
    case NG_LAYER_CONV:
    case NG_LAYER_MAX_POOL:
    case NG_LAYER_AVERAGE_POOL:
        add_image(e, l);
        break;
    case NG_LAYER_FLATTEN:
        apply(e, "Flatten", value_name(e, l).text, NULL,
              value_name(e, l + 1).text);
        break;
    case NG_LAYER_LAYER_NORM:
        add_layer_norm(e, l);
        break;
    case NG_LAYER_EMBEDDING:
        add_embedding(e, l);
        break;
    case NG_LAYER_SUM:
        add_sum(e, l);
        break;
    case NG_LAYER_ACTIVATION:
        add_activation(e, l);
        break;
    }
}

/* ---- The mean -------------------------------------------------------------
 */

/* What makes the mean of the first components of z: up to two operators. */
typedef struct mean_map {
    const char *family, *operators[2];
} mean_map;

static const mean_map MEANS[] = {
    {"bernoulli", {"Sigmoid"}},
    {"beta", {"Sigmoid"}},
    {"softmax", {"Softmax"}},
    {"dirichlet", {"Softmax"}},
    {"normal", {"Identity"}},
    {"mvnormal", {"Identity"}},
    {"logistic", {"Identity"}},
    {"laplace", {"Identity"}},
    {"student-t", {"Identity"}},
    {"poisson", {"Exp"}},
    {"gamma", {"Exp"}},
    {"inverse-gaussian", {"Exp"}},
    {"negative-binomial", {"Exp"}},
    {"exponential", {"Neg", "Exp"}},
};

/* NULL where the mean is not so simple. */
static const mean_map *find_mean(const ngi_architecture *a) {
    for (size_t i = 0; i < sizeof MEANS / sizeof *MEANS; i++)
        if (strcmp(MEANS[i].family, a->family.ops->name) == 0)
            return &MEANS[i];
    return NULL;
}

static size_t mean_width(const ngi_architecture *a) {
    return a->replicates * a->family.dim_mean;
}

/* The components that each member's mean is made of: its first ones. */
static const char *pick_components(const exporter *e) {
    const ngi_architecture *a = e->a;
    size_t width = mean_width(a), own = a->family.dim_mean;
    if (width == a->outputs)
        return "z";
    for (size_t i = 0; i < width; i++)
        e->values[i] = (double)(i / own * a->family.dim_z + i % own);
    ngi_onnx_tensor(e->onnx, "mean.index", NGI_ONNX_INT64, 1, &width,
                    e->values);
    ngi_onnx_integer(e->onnx, "axis", 1);
    apply(e, "Gather", "z", "mean.index", "mean.part");
    return "mean.part";
}

static void add_mean(const exporter *e) {
    const mean_map *map = find_mean(e->a);
    size_t width = mean_width(e->a);
    if (!map)
        return;
    const char *from = pick_components(e);
    if (map->operators[1]) {
        apply(e, map->operators[0], from, NULL, "mean.inner");
        apply(e, map->operators[1], "mean.inner", NULL, "mean");
    } else {
        apply(e, map->operators[0], from, NULL, "mean");
    }
    ngi_onnx_graph_output(e->onnx, "mean", e->real, 1, &width);
}

/* ---- The whole ------------------------------------------------------------
 */

static void add_border(const exporter *e) {
    const ng_shape *in = &e->a->input;
    const size_t shape[] = {in->channels, in->height, in->width};
    ngi_onnx_graph_input(e->onnx, "x", e->real, ngi_shape_flat(in) ? 1 : 3,
                         shape);
    ngi_onnx_graph_output(e->onnx, "z", e->real, 1, &e->a->outputs);
    ngi_onnx_metadata(e->onnx, "family", e->a->family_name);
    ngi_onnx_metadata(e->onnx, "layers", e->a->text);
}

/* Room for the numbers of any tensor, or for the components of the means: no
 * more than there are biases of the output layer. */
static size_t largest_tensor(const exporter *e) {
    size_t most = 0;
    for (size_t i = 0; i < e->tensors; i++)
        most = e->tensor[i].count > most ? e->tensor[i].count : most;
    return most;
}

static ng_status gather(exporter *e, const ng_network *network) {
    ng_ctx *ctx = network->ctx;
    NG_TRY(ngi_net_tensors_list(e->a, &e->tensor, &e->tensors));
    e->theta = ngi_alloc(ctx, e->a->dim, sizeof *e->theta);
    e->values = ngi_alloc(ctx, largest_tensor(e), sizeof *e->values);
    if (!e->theta || !e->values)
        return NG_ENOMEM;
    ng_network_get(network, e->theta);
    return ngi_onnx_create(ctx, &e->onnx);
}

/* How columns of a file become x, as the model file has it; NULL if that is
 * not known. */
static ng_status add_coding(const exporter *e, const ngi_net_coding *coding) {
    if (!coding)
        return NG_OK;
    json_t *object = ngi_net_coding_to_json(coding);
    char *text = object ? json_dumps(object, JSON_REAL_PRECISION(17)) : NULL;
    json_decref(object);
    if (!text)
        return ngi_fail_memory(e->a->ctx);
    ngi_onnx_metadata(e->onnx, "coding", text);
    free(text);
    return NG_OK;
}

static ng_status write_graph(exporter *e, const ngi_net_coding *coding,
                             const char *path) {
    NG_TRY(add_coding(e, coding));
    add_border(e);
    add_weights(e);
    for (size_t l = 0; l < e->a->layers; l++)
        add_layer(e, l);
    add_mean(e);
    return ngi_onnx_write(e->onnx, path);
}

static ng_status export(const ng_network *network, const ngi_net_coding *coding,
                        const char *path) {
    bool single = network->precision == NG_SINGLE;
    exporter e = {.a = network->architecture,
                  .real = single ? NGI_ONNX_FLOAT : NGI_ONNX_DOUBLE};
    ng_status status = gather(&e, network);
    if (status == NG_OK)
        status = write_graph(&e, coding, path);
    ngi_onnx_destroy(&e.onnx);
    ngi_free(network->ctx, e.values);
    ngi_free(network->ctx, e.theta);
    ngi_free(network->ctx, e.tensor);
    return status;
}

ng_status ngi_network_export_onnx(const ng_network *network, const char *path) {
    return export(network, NULL, path);
}

ng_status ng_net_export_onnx(const ng_net *net, const char *path) {
    return export(net->network, net->coding, path);
}
