/* Nets on disk: a safetensors file of PyTorch's tensors, all else in its
 * metadata. Nothing in a file is believed before it is checked. */
#include "data/input.h"
#include "learner/net.h"
#include "numerics/linalg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Writing --------------------------------------------------------------
 */

static json_t *header(const ng_net *net) {
    const ngi_architecture *a = net->network->architecture;
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "version",
                     ng_version(), "learner", "net", "target", net->target,
                     "network",
                     ngi_net_network_json(a, net->network->precision),
                     "architecture", ngi_architecture_to_json(a), "coding",
                     ngi_net_coding_to_json(net->coding),
                     /* The long part last, where a person looks for it. */
                     "result", ngi_net_result(net));
}

static ng_status add_metadata(const ng_net *net, ngi_tensors *tensors) {
    json_t *object = header(net);
    char *text = object ? json_dumps(object, JSON_REAL_PRECISION(17)) : NULL;
    json_decref(object);
    if (!text)
        return ngi_fail_memory(net->ctx);
    ng_status status = ngi_tensors_set_metadata(tensors, "natgrad", text);
    free(text);
    return status;
}

static ng_status add_tensor(const ng_net *net, const ngi_net_tensor *tensor,
                            const double *theta, ngi_tensors *tensors) {
    const ngi_architecture *a = net->network->architecture;
    bool single = net->network->precision == NG_SINGLE;
    size_t size = single ? sizeof(float) : sizeof(double);
    void *values = ngi_alloc(net->ctx, tensor->count, size);
    if (!values)
        return NG_ENOMEM;
    for (size_t k = 0; k < tensor->count; k++) {
        double value = theta[ngi_net_tensor_place(a, tensor, k)];
        if (single)
            ((float *)values)[k] = (float)value;
        else
            ((double *)values)[k] = value;
    }
    ng_status status = ngi_tensors_add_data(
        tensors, tensor->name, single ? NGI_TENSOR_F32 : NGI_TENSOR_F64,
        tensor->dims, tensor->shape, values);
    ngi_free(net->ctx, values);
    return status;
}

static ng_status add_tensors(const ng_net *net, const double *theta,
                             ngi_tensors *tensors) {
    ngi_net_tensor *list;
    size_t count;
    ng_status status;
    NG_TRY(ngi_net_tensors_list(net->network->architecture, &list, &count));
    NG_TRY_GOTO(add_metadata(net, tensors));
    for (size_t i = 0; i < count; i++)
        NG_TRY_GOTO(add_tensor(net, &list[i], theta, tensors));
fail:
    ngi_free(net->ctx, list);
    return status;
}

ng_status ng_net_save(const ng_net *net, const char *path) {
    size_t dim = ng_network_parameters(net->network);
    ngi_tensors *tensors = NULL;
    ng_status status = NG_ENOMEM;
    double *theta = ngi_alloc(net->ctx, dim, sizeof *theta);
    if (!theta)
        goto fail;
    ng_network_get(net->network, theta);
    status = NG_ENUMERIC;
    if (!ngi_all_finite(dim, theta)) {
        ngi_fail(net->ctx, NG_ENUMERIC,
                 "%s: not written: a parameter is not finite", path);
        goto fail;
    }
    NG_TRY_GOTO(ngi_tensors_create(net->ctx, &tensors));
    NG_TRY_GOTO(add_tensors(net, theta, tensors));
    NG_TRY_GOTO(ngi_tensors_write(tensors, path));
fail:
    ngi_free(net->ctx, theta);
    ngi_tensors_destroy(&tensors);
    return status;
}

/* ---- Reading --------------------------------------------------------------
 */

typedef struct reader {
    ng_ctx *ctx;
    const char *path;
    const ngi_tensors *tensors;
    const json_t *object;
    ng_precision precision;
} reader;

static ng_status malformed(const reader *r, const char *what) {
    return ngi_fail(r->ctx, NG_EDATA, "%s: not a natgrad network: %s", r->path,
                    what);
}

/* Parses the JSON of the metadata; *object is NULL where there is none. */
static json_t *load_metadata(const ngi_tensors *tensors) {
    const char *text = ngi_tensors_metadata(tensors, "natgrad");
    json_error_t error;
    return text ? json_loads(text, JSON_REJECT_DUPLICATES, &error) : NULL;
}

/* What is a bad option elsewhere is a bad file here. */
static ng_status explain(const reader *r) {
    char text[512];
    snprintf(text, sizeof text, "%s", ng_error(r->ctx));
    if (strncmp(text, r->path, strlen(r->path)) == 0)
        return NG_EDATA;
    return malformed(r, text);
}

static ng_status read_architecture(const reader *r,
                                   const ngi_net_coding *coding,
                                   ngi_architecture **out) {
    const json_t *network = json_object_get(r->object, "network");
    const json_t *layers = json_object_get(r->object, "architecture");
    const char *family = json_string_value(json_object_get(network, "family"));
    if (!family || !json_is_array(layers))
        return malformed(r, "its layers or its family are missing");
    const ng_network_options options = {
        .input = coding->shape,
        .family = family,
        .levels = coding->categorical ? coding->classes.count : 0,
        .targets = coding->targets,
        .init = -1,
    };
    ng_status status =
        ngi_architecture_create_json(r->ctx, &options, r->path, layers, out);
    return status == NG_EUSAGE ? explain(r) : status;
}

static ng_status check_tensor(const reader *r, const ngi_net_tensor *expected,
                              const ngi_tensor **out) {
    const ngi_tensor *t = ngi_tensors_find(r->tensors, expected->name);
    if (!t)
        return ngi_fail(r->ctx, NG_EDATA, "%s: tensor \"%s\" is missing",
                        r->path, expected->name);
    bool fits = t->dims == expected->dims &&
                (t->type == NGI_TENSOR_F32 || t->type == NGI_TENSOR_F64);
    for (size_t i = 0; fits && i < t->dims; i++)
        fits = t->shape[i] == expected->shape[i];
    if (!fits)
        return ngi_fail(r->ctx, NG_EDATA,
                        "%s: tensor \"%s\" does not have the shape or the type "
                        "that the layers ask for",
                        r->path, expected->name);
    *out = t;
    return NG_OK;
}

static ng_status read_tensor(const reader *r, const ngi_architecture *a,
                             const ngi_net_tensor *expected, double *theta) {
    const ngi_tensor *t;
    NG_TRY(check_tensor(r, expected, &t));
    for (size_t k = 0; k < t->count; k++) {
        double value = ngi_tensor_value(t, k);
        if (!isfinite(value))
            return ngi_fail(r->ctx, NG_EDATA,
                            "%s: tensor \"%s\": a number is not finite",
                            r->path, expected->name);
        theta[ngi_net_tensor_place(a, expected, k)] = value;
    }
    return NG_OK;
}

/* Before anything is sized by the layers the data must bear them out. */
static ng_status read_theta(const reader *r, const ngi_architecture *a,
                            double **out) {
    ngi_net_tensor *list;
    const ngi_tensor *ignored;
    size_t count;
    ng_status status;
    double *theta = NULL;
    *out = NULL;
    NG_TRY(ngi_net_tensors_list(a, &list, &count));
    for (size_t i = 0; i < count; i++)
        NG_TRY_GOTO(check_tensor(r, &list[i], &ignored));
    theta = ngi_alloc(r->ctx, a->dim, sizeof *theta);
    status = theta ? NG_OK : NG_ENOMEM;
    for (size_t i = 0; status == NG_OK && i < count; i++)
        status = read_tensor(r, a, &list[i], theta);
fail:
    ngi_free(r->ctx, list);
    if (status == NG_OK)
        *out = theta;
    else
        ngi_free(r->ctx, theta);
    return status;
}

static ng_status read_network(const reader *r, ng_net *net) {
    double *theta = NULL;
    ng_network *network = ngi_alloc(r->ctx, 1, sizeof *network);
    if (!network)
        return NG_ENOMEM;
    net->network = network;
    network->ctx = r->ctx;
    network->precision = r->precision;
    network->ops =
        r->precision == NG_DOUBLE ? &ngi_engine_ops_f64 : &ngi_engine_ops_f32;
    NG_TRY(read_architecture(r, net->coding, &network->architecture));
    NG_TRY(read_theta(r, network->architecture, &theta));
    ng_status status =
        network->ops->create(network->architecture, &network->engine);
    if (status == NG_OK)
        ng_network_set(network, theta);
    ngi_free(r->ctx, theta);
    return status;
}

static ng_status read_net(reader *r, ng_net **out) {
    const json_t *network = json_object_get(r->object, "network");
    const char *family = json_string_value(json_object_get(network, "family"));
    const char *target =
        json_string_value(json_object_get(r->object, "target"));
    const char *precision =
        json_string_value(json_object_get(network, "precision"));
    ng_status status;
    ng_net *net;
    if (!family || !target || !precision)
        return malformed(r, "its family, target or precision is missing");
    r->precision = strcmp(precision, "double") == 0 ? NG_DOUBLE : NG_SINGLE;
    NG_TRY(ngi_net_create(r->ctx, family, target, &net));
    NG_TRY_GOTO(ngi_net_coding_from_json(
        r->ctx, r->path, json_object_get(r->object, "coding"), &net->coding));
    NG_TRY_GOTO(read_network(r, net));
    NG_TRY_GOTO(ngi_net_result_read(net, r->path,
                                    json_object_get(r->object, "result")));
    net->summary.parameters = ng_network_parameters(net->network);
    *out = net;
    return NG_OK;
fail:
    ng_net_destroy(&net);
    return status;
}

static bool is_net(const json_t *object) {
    const char *learner = json_string_value(json_object_get(object, "learner"));
    return learner && strcmp(learner, "net") == 0;
}

static ng_status from_tensors(ng_ctx *ctx, const char *path,
                              const ngi_tensors *tensors, ng_net **out) {
    reader r = {.ctx = ctx, .path = path, .tensors = tensors};
    json_t *object = load_metadata(tensors);
    r.object = object;
    ng_status status = is_net(object)
                           ? read_net(&r, out)
                           : malformed(&r, "its metadata does not say so");
    json_decref(object);
    return status;
}

ng_status ngi_net_parse(ng_ctx *ctx, const char *source, const void *data,
                        size_t size, ng_net **out) {
    ngi_tensors *tensors;
    *out = NULL;
    NG_TRY(ngi_tensors_parse(ctx, source, data, size, &tensors));
    ng_status status = from_tensors(ctx, source, tensors, out);
    ngi_tensors_destroy(&tensors);
    return status;
}

ng_status ng_net_load(ng_ctx *ctx, const char *path, ng_net **out) {
    ngi_tensors *tensors;
    *out = NULL;
    NG_TRY(ngi_tensors_read(ctx, path, &tensors));
    ng_status status = from_tensors(ctx, path, tensors, out);
    ngi_tensors_destroy(&tensors);
    return status;
}

/* What is wrong with a file is for its reader to say. */
ng_status ng_net_is_file(ng_ctx *ctx, const char *path, int *result) {
    ngi_tensors *tensors;
    *result = 0;
    ng_status status = ngi_tensors_read(ctx, path, &tensors);
    if (status != NG_OK)
        return status == NG_ENOMEM ? status : NG_OK;
    json_t *object = load_metadata(tensors);
    *result = is_net(object);
    json_decref(object);
    ngi_tensors_destroy(&tensors);
    return NG_OK;
}
