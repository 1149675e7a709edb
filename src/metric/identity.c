/* F = I: the natural gradient is the plain one, shortened by 1 + damping. */
#include "metric/metric.h"

#include <string.h>

static ng_status create(ng_metric *metric) {
    metric->state = NULL;
    return NG_OK;
}

static ng_status factor(ng_metric *metric, double damping) {
    (void)metric;
    (void)damping;
    return NG_OK;
}

static ng_status solve(ng_metric *metric, const double *g, double *d) {
    for (size_t j = 0; j < metric->problem->dim; j++)
        d[j] = g[j] / (1 + metric->damping);
    return NG_OK;
}

static ng_status product(ng_metric *metric, const double *v, double *out) {
    memcpy(out, v, metric->problem->dim * sizeof *out);
    return NG_OK;
}

static void destroy(ng_metric *metric) {
    (void)metric;
}

const ng_metric_ops ngi_metric_identity = {
    .name = "identity",
    .create = create,
    .update = ngi_metric_evaluate,
    .factor = factor,
    .solve = solve,
    .product = product,
    .destroy = destroy,
};
