/* The public face of networks: what does not depend on the precision. */
#include "network/engine_ops.h"

#include <math.h>
#include <string.h>

void ng_network_options_init(ng_network_options *options) {
    *options = (ng_network_options){.family = "categorical",
                                    .init = -1,
                                    .seed = 1,
                                    .targets = 1,
                                    .precision = NG_SINGLE};
}

static ng_status initialise(ng_network *network,
                            const ng_network_options *options) {
    double *theta =
        ngi_alloc(network->ctx, network->architecture->dim, sizeof *theta);
    if (!theta)
        return NG_ENOMEM;
    ngi_architecture_init(network->architecture, options->init, options->seed,
                          theta);
    network->ops->set(network->engine, theta);
    ngi_free(network->ctx, theta);
    return NG_OK;
}

ng_status ng_network_create(ng_ctx *ctx, const ng_network_options *options,
                            ng_network **out) {
    ng_status status;
    ng_network *network = ngi_alloc(ctx, 1, sizeof *network);
    if (!network)
        return NG_ENOMEM;
    network->ctx = ctx;
    network->precision = options->precision;
    network->ops = options->precision == NG_DOUBLE ? &ngi_engine_ops_f64
                                                   : &ngi_engine_ops_f32;
    NG_TRY_GOTO(ngi_architecture_create(ctx, options, &network->architecture));
    NG_TRY_GOTO(network->ops->create(network->architecture, &network->engine));
    NG_TRY_GOTO(initialise(network, options));
    *out = network;
    return NG_OK;
fail:
    ng_network_destroy(&network);
    return status;
}

void ng_network_destroy(ng_network **pointer) {
    ng_network *network = *pointer;
    if (!network)
        return;
    if (network->engine)
        network->ops->destroy(&network->engine);
    ngi_architecture_destroy(&network->architecture);
    ngi_free(network->ctx, network);
    *pointer = NULL;
}

size_t ng_network_parameters(const ng_network *network) {
    return network->architecture->dim;
}

size_t ng_network_outputs(const ng_network *network) {
    return network->architecture->outputs;
}

const ng_layer *ng_network_layers(const ng_network *network, size_t *count) {
    *count = network->architecture->layers;
    return network->architecture->layer;
}

const char *ng_network_text(const ng_network *network) {
    return network->architecture->text;
}

void ng_network_get(const ng_network *network, double *theta) {
    network->ops->get(network->engine, theta);
}

void ng_network_set(ng_network *network, const double *theta) {
    network->ops->set(network->engine, theta);
}

/* ---- Checks ---------------------------------------------------------------
 */

ng_status ngi_network_check_indices(const ng_network *network,
                                    const ng_array *x, const char *name) {
    const ngi_architecture *a = network->architecture;
    if (a->layers == 0 || a->layer[0].kind != NG_LAYER_EMBEDDING)
        return NG_OK;
    size_t width = ng_array_width(x);
    for (size_t i = 0; i < ng_array_rows(x); i++)
        for (size_t j = 0; j < width; j++) {
            double v = ng_array_at(x, i, j);
            if (!(v >= 0 && v < (double)a->layer[0].vocabulary) ||
                v != floor(v))
                return ngi_fail(network->ctx, NG_EDATA,
                                "%s: row %zu, column %zu: %g is not an index "
                                "of the embedding (0 to %zu)",
                                name, i + 1, j + 1, v,
                                a->layer[0].vocabulary - 1);
        }
    return NG_OK;
}

static bool in_support(const ngi_architecture *a, const double *y) {
    if (a->levels)
        return y[0] >= 0 && y[0] < (double)a->levels && y[0] == floor(y[0]);
    /* A pixel's grey is a mean of blacks and whites: cross-entropy. */
    if (strcmp(a->family.ops->name, "bernoulli") == 0)
        return y[0] >= 0 && y[0] <= 1;
    return a->family.ops->in_support(&a->family, y);
}

static ng_status fail_support(const ng_network *network, const char *name,
                              size_t row, size_t column, double value) {
    const ngi_architecture *a = network->architecture;
    if (a->levels)
        return ngi_fail(network->ctx, NG_EDATA,
                        "%s: row %zu: label %g is out of range: %zu classes, 0 "
                        "to %zu",
                        name, row + 1, value, a->levels, a->levels - 1);
    return ngi_fail(network->ctx, NG_EDATA,
                    "%s: row %zu, column %zu: %g, but the family %s needs %s",
                    name, row + 1, column + 1, value, a->family_name,
                    strcmp(a->family.ops->name, "bernoulli") == 0
                        ? "values from 0 to 1"
                        : a->family.ops->support);
}

static ng_status check_targets(const ng_network *network, const ng_array *y,
                               const char *name) {
    const ngi_architecture *a = network->architecture;
    size_t width = ng_array_width(y), step = a->levels ? 1 : a->family.dim_y;
    double *row = ngi_alloc(network->ctx, width, sizeof *row);
    ng_status status = NG_OK;
    if (!row)
        return NG_ENOMEM;
    for (size_t i = 0; status == NG_OK && i < ng_array_rows(y); i++) {
        for (size_t j = 0; j < width; j++)
            row[j] = ng_array_at(y, i, j);
        for (size_t j = 0; status == NG_OK && j < width; j += step)
            if (!in_support(a, row + j))
                status = fail_support(network, name, i, j, row[j]);
    }
    ngi_free(network->ctx, row);
    return status;
}

ng_status ng_network_check(const ng_network *network, const ng_array *x,
                           const ng_array *y, const char *x_name,
                           const char *y_name) {
    const ngi_architecture *a = network->architecture;
    size_t width = ngi_shape_size(&a->input);
    if (ng_array_width(x) != width)
        return ngi_fail(network->ctx, NG_EDATA,
                        "%s: examples of %zu values, but the network takes %zu",
                        x_name, ng_array_width(x), width);
    NG_TRY(ngi_network_check_indices(network, x, x_name));
    const ng_array *target = y ? y : x;
    const char *name = y ? y_name : x_name;
    if (ng_array_rows(target) != ng_array_rows(x))
        return ngi_fail(network->ctx, NG_EDATA,
                        "%s has %zu examples, but %s has %zu: one for each is "
                        "expected",
                        name, ng_array_rows(target), x_name, ng_array_rows(x));
    if (ng_array_width(target) != a->targets)
        return ngi_fail(network->ctx, NG_EDATA,
                        "%s: targets of %zu values, but the network has %zu",
                        name, ng_array_width(target), a->targets);
    return check_targets(network, target, name);
}

/* ---- Work -----------------------------------------------------------------
 */

ng_status ng_network_evaluate(ng_network *network, const ng_batch *batch,
                              ng_score *score) {
    return network->ops->evaluate(network->engine, batch, score);
}

ng_status ng_network_predict(ng_network *network, const ng_batch *batch,
                             double *z) {
    return network->ops->predict(network->engine, batch, z);
}

ng_status ng_network_mean(ng_network *network, const ng_batch *batch,
                          double *mean) {
    return network->ops->mean(network->engine, batch, mean);
}

ng_status ng_network_gradient(ng_network *network, const ng_batch *batch,
                              double *loss, double *gradient) {
    return network->ops->gradient(network->engine, batch, loss, gradient);
}

ng_status ng_network_jvp(ng_network *network, const ng_batch *batch,
                         const double *v, double *out) {
    return network->ops->jvp(network->engine, batch, v, out);
}

ng_status ng_network_vjp(ng_network *network, const ng_batch *batch,
                         const double *u, double *out) {
    return network->ops->vjp(network->engine, batch, u, out);
}

ng_status ng_network_kl(ng_network *network, const ng_batch *batch,
                        const double *theta, double *kl) {
    return network->ops->kl(network->engine, batch, theta, kl);
}
