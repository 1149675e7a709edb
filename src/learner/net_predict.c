/* Using a net: predictions, its scores on other data, its distance from another
 * net. */
#include "learner/net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The name of target j: of its column, or its number. */
static void name_target(const ngi_net_coding *coding, size_t j, char *out,
                        size_t size) {
    if (coding->targets == 1)
        snprintf(out, size, "mean");
    else if (coding->table && coding->self)
        snprintf(out, size, "mean[%s]", coding->input[j].name);
    else if (coding->table)
        snprintf(out, size, "mean[%s]", coding->names.name[j]);
    else
        snprintf(out, size, "mean[%zu]", j + 1);
}

static ng_status name_columns(const ngi_net_coding *coding, ng_prediction *p) {
    char name[512];
    p->column = ngi_alloc(p->ctx, p->columns, sizeof *p->column);
    if (!p->column)
        return NG_ENOMEM;
    for (size_t j = 0; j < p->columns; j++) {
        if (coding->categorical)
            snprintf(name, sizeof name, "p[%s]", coding->classes.name[j]);
        else
            name_target(coding, j, name, sizeof name);
        p->column[j] = ngi_strdup(p->ctx, name);
        if (!p->column[j])
            return NG_ENOMEM;
    }
    return NG_OK;
}

static ng_status choose_best(const ngi_net_coding *coding, ng_prediction *p) {
    if (!coding->categorical)
        return NG_OK;
    p->level = (const char *const *)coding->classes.name;
    p->best = ngi_alloc(p->ctx, p->rows, sizeof *p->best);
    if (!p->best)
        return NG_ENOMEM;
    for (size_t i = 0; i < p->rows; i++) {
        const double *row = p->values + i * p->columns;
        for (size_t j = 1; j < p->columns; j++)
            if (row[j] > row[p->best[i]])
                p->best[i] = j;
    }
    return NG_OK;
}

/* Finite weights may still be too large for the numbers between. */
static ng_status check_finite(const ngi_net_view *view,
                              const ng_prediction *p) {
    for (size_t i = 0; i < p->rows * p->columns; i++)
        if (!isfinite(p->values[i]))
            return ngi_fail(view->ctx, NG_ENUMERIC,
                            "%s: row %zu: the model's predictions are not "
                            "finite",
                            view->data->x_name, i / p->columns + 1);
    return NG_OK;
}

static ng_status predict(ng_net *net, const ngi_net_view *view,
                         ng_prediction *p) {
    const ngi_architecture *a = net->network->architecture;
    ng_batch batch = ngi_net_view_batch(view);
    NG_TRY(
        ngi_network_check_indices(net->network, &view->x, view->data->x_name));
    p->rows = batch.count;
    p->columns = a->replicates * a->family.dim_mean;
    p->values = ngi_alloc(p->ctx, p->rows, p->columns * sizeof *p->values);
    if (!p->values)
        return NG_ENOMEM;
    NG_TRY(ng_network_mean(net->network, &batch, p->values));
    NG_TRY(check_finite(view, p));
    NG_TRY(name_columns(net->coding, p));
    return choose_best(net->coding, p);
}

ng_status ng_net_predict(ng_net *net, const ng_net_data *data,
                         ng_prediction **out) {
    ngi_net_view view;
    *out = NULL;
    NG_TRY(ngi_net_view_open(net->coding, data, false, &view));
    ng_prediction *p = ngi_alloc(net->ctx, 1, sizeof *p);
    ng_status status = NG_ENOMEM;
    if (p) {
        p->ctx = net->ctx;
        status = predict(net, &view, p);
    }
    if (status == NG_OK)
        *out = p;
    else
        ng_prediction_destroy(&p);
    ngi_net_view_close(&view);
    return status;
}

ng_status ng_net_evaluate(ng_net *net, const ng_net_data *data,
                          ng_score *score) {
    ngi_net_view view;
    NG_TRY(ngi_net_view_open(net->coding, data, true, &view));
    ng_batch batch = ngi_net_view_batch(&view);
    ng_status status = ng_network_check(net->network, batch.x, batch.y,
                                        data->x_name, data->y_name);
    if (status == NG_OK)
        status = ng_network_evaluate(net->network, &batch, score);
    ngi_net_view_close(&view);
    return status;
}

/* ---- Divergence -----------------------------------------------------------
 */

/* Of the codings what an example and a class are; the names of targets may
 * differ. */
static ng_status same_examples(const ngi_net_coding *a, const ngi_net_coding *b,
                               bool *same) {
    static const char *const KEYS[] = {"table", "plain", "shape", "classes",
                                       "inputs"};
    json_t *one = ngi_net_coding_to_json(a), *other = ngi_net_coding_to_json(b);
    *same = one && other;
    for (size_t i = 0; *same && i < sizeof KEYS / sizeof *KEYS; i++)
        *same = json_equal(json_object_get(one, KEYS[i]),
                           json_object_get(other, KEYS[i]));
    ng_status status = one && other ? NG_OK : ngi_fail_memory(a->ctx);
    json_decref(one);
    json_decref(other);
    return status;
}

/* One network is given the other's parameters for a while. */
static ng_status check_alike(const ng_net *a, const ng_net *b) {
    bool same;
    if (strcmp(ng_network_text(a->network), ng_network_text(b->network)) != 0 ||
        strcmp(a->family, b->family) != 0 ||
        ng_network_parameters(a->network) !=
            ng_network_parameters(b->network) ||
        ng_network_outputs(a->network) != ng_network_outputs(b->network))
        return ngi_fail(a->ctx, NG_EUSAGE,
                        "kl compares only networks with the same "
                        "layers, inputs, targets and family");
    NG_TRY(same_examples(a->coding, b->coding, &same));
    if (same)
        return NG_OK;
    return ngi_fail(a->ctx, NG_EUSAGE,
                    "the networks were trained on other columns, means and "
                    "deviations or classes, so that the same row is not the "
                    "same example");
}

static ng_status one_way(const ng_net *from, const ng_net *to,
                         const ng_batch *batch, double *kl) {
    size_t dim = ng_network_parameters(to->network);
    double *theta = ngi_alloc(from->ctx, dim, sizeof *theta);
    if (!theta)
        return NG_ENOMEM;
    ng_network_get(to->network, theta);
    ng_status status = ng_network_kl(from->network, batch, theta, kl);
    ngi_free(from->ctx, theta);
    if (status == NG_OK && !isfinite(*kl))
        return ngi_fail(from->ctx, NG_ENUMERIC,
                        "the KL divergence of the networks is not finite");
    return status;
}

ng_status ng_net_kl(ng_net *a, ng_net *b, const ng_net_data *data, double *ab,
                    double *ba) {
    ngi_net_view view;
    NG_TRY(check_alike(a, b));
    NG_TRY(ngi_net_view_open(a->coding, data, false, &view));
    ng_batch batch = ngi_net_view_batch(&view);
    ng_status status =
        ngi_network_check_indices(a->network, &view.x, data->x_name);
    if (status == NG_OK)
        status = one_way(a, b, &batch, ab);
    if (status == NG_OK)
        status = one_way(b, a, &batch, ba);
    ngi_net_view_close(&view);
    return status;
}
