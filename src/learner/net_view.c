/* Data as a network has them that was trained on others. */
#include "learner/net.h"

#include <math.h>
#include <string.h>

/* Whether the data are coded as `coding` does it. */
static ng_status same_coding(const ngi_net_coding *coding,
                             const ng_net_data *data, bool *same) {
    json_t *a = ngi_net_coding_to_json(coding);
    json_t *b = ngi_net_coding_to_json(data->coding);
    *same = a && b && json_equal(a, b);
    ng_status status = a && b ? NG_OK : ngi_fail_memory(coding->ctx);
    json_decref(a);
    json_decref(b);
    return status;
}

static ng_status check_array(const ngi_net_coding *coding,
                             const ng_net_data *data) {
    char here[NGI_SHAPE_BYTES], there[NGI_SHAPE_BYTES];
    const ng_shape *s = &coding->shape;
    size_t width = ngi_shape_size(s);
    if (ng_array_width(&data->x) == width)
        return NG_OK;
    ng_shape own = {ng_array_width(&data->x), 1, 1};
    if (data->x.dims == 4)
        own = (ng_shape){data->x.shape[1], data->x.shape[2], data->x.shape[3]};
    if (data->x.dims == 3)
        own = (ng_shape){1, data->x.shape[1], data->x.shape[2]};
    return ngi_fail(coding->ctx, NG_EDATA,
                    "%s: its examples are %s, but the network was trained on "
                    "%s",
                    data->x_name, ngi_layer_shape_text(&own, here),
                    ngi_layer_shape_text(s, there));
}

static ng_status check_kind(const ngi_net_coding *coding,
                            const ng_net_data *data, bool targets) {
    bool table = data->frame != NULL;
    if (table != coding->table)
        return ngi_fail(coding->ctx, NG_EDATA,
                        "%s is %s, but the network was trained on %s",
                        data->x_name, table ? "a table" : "an array",
                        coding->table ? "a table" : "an array");
    bool self = data->targets && !data->y.data;
    if (targets && !coding->self &&
        (!data->targets || (self && !coding->table)))
        return ngi_fail(coding->ctx, NG_EDATA, "%s: the targets are missing",
                        data->x_name);
    return table ? NG_OK : check_array(coding, data);
}

ng_status ngi_net_view_open(const ngi_net_coding *coding,
                            const ng_net_data *data, bool targets,
                            ngi_net_view *view) {
    bool same = true;
    memset(view, 0, sizeof *view);
    view->ctx = coding->ctx;
    view->data = data;
    NG_TRY(check_kind(coding, data, targets));
    if (data->frame)
        NG_TRY(same_coding(coding, data, &same));
    if (same) {
        view->x = data->x;
        /* An autoencoder's are the examples, whatever else there may be. */
        if (targets && (data->frame || !coding->self))
            view->y = data->y;
        if (!targets || !coding->self || coding->plain || view->y.data)
            return NG_OK;
        memset(&view->x, 0, sizeof view->x);
    }
    NG_TRY(
        ngi_net_coding_fill(coding, data->frame, targets, &view->x, &view->y));
    view->own = true;
    return NG_OK;
}

void ngi_net_view_close(ngi_net_view *view) {
    if (view->own) {
        ng_array_free(view->ctx, &view->x);
        ng_array_free(view->ctx, &view->y);
    }
    memset(view, 0, sizeof *view);
}

ng_batch ngi_net_view_batch(const ngi_net_view *view) {
    return (ng_batch){.x = &view->x,
                      .y = view->y.data ? &view->y : NULL,
                      .count = ng_array_rows(&view->x)};
}
