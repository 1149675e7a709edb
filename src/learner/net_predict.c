/* Using a net: predictions, and its scores on other data. */
#include "learner/net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void ng_net_prediction_destroy(ng_net_prediction **pointer) {
    if (!pointer || !*pointer)
        return;
    ng_net_prediction *p = *pointer;
    for (size_t i = 0; p->column && i < p->columns; i++)
        ngi_free(p->ctx, p->column[i]);
    ngi_free(p->ctx, p->column);
    ngi_free(p->ctx, p->values);
    ngi_free(p->ctx, p->best);
    ngi_free(p->ctx, p);
    *pointer = NULL;
}

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

static ng_status name_columns(const ngi_net_coding *coding,
                              ng_net_prediction *p) {
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

static ng_status choose_best(const ngi_net_coding *coding,
                             ng_net_prediction *p) {
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

static ng_status predict(ng_net *net, const ngi_net_view *view,
                         ng_net_prediction *p) {
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
    NG_TRY(name_columns(net->coding, p));
    return choose_best(net->coding, p);
}

ng_status ng_net_predict(ng_net *net, const ng_net_data *data,
                         ng_net_prediction **out) {
    ngi_net_view view;
    *out = NULL;
    NG_TRY(ngi_net_view_open(net->coding, data, false, &view));
    ng_net_prediction *p = ngi_alloc(net->ctx, 1, sizeof *p);
    ng_status status = NG_ENOMEM;
    if (p) {
        p->ctx = net->ctx;
        status = predict(net, &view, p);
    }
    if (status == NG_OK)
        *out = p;
    else
        ng_net_prediction_destroy(&p);
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
