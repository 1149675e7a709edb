/* The table of metrics and what they share. */
#include "metric/metric.h"

#include "base/base.h"

#include <string.h>

static const ng_metric_ops *const METRICS[] = {
    &ngi_metric_identity, &ngi_metric_diagonal,     &ngi_metric_dense,
    &ngi_metric_cg,       &ngi_metric_sample_space, NULL};

const ng_metric_ops *const *ng_metric_list(void) {
    return METRICS;
}

ng_status ng_metric_find(ng_ctx *ctx, const char *name,
                         const ng_metric_ops **out) {
    for (size_t i = 0; METRICS[i]; i++) {
        if (strcmp(METRICS[i]->name, name) == 0) {
            *out = METRICS[i];
            return NG_OK;
        }
    }
    return ngi_fail(ctx, NG_EUSAGE,
                    "unknown metric \"%s\"; expected one of identity, "
                    "diagonal, dense, cg, sample-space",
                    name);
}

void ng_metric_options_init(ng_metric_options *options) {
    *options = (ng_metric_options){.fisher = {NG_FISHER_EXACT, 1, 0, 0},
                                   .cg_iterations = 1000,
                                   .cg_tolerance = 1e-8};
}

ng_status ng_metric_create(ng_problem *problem, const ng_metric_ops *ops,
                           const ng_metric_options *options, ng_metric **out) {
    *out = NULL;
    ng_metric *metric = ngi_alloc(problem->ctx, 1, sizeof *metric);
    if (!metric)
        return NG_ENOMEM;
    metric->ops = ops;
    metric->problem = problem;
    metric->options = *options;
    ng_status status = NG_OK;
    if (problem->ops->reserve)
        status = problem->ops->reserve(problem, &options->fisher,
                                       NG_RESERVE_NOTHING);
    if (status == NG_OK)
        status = ops->create(metric);
    if (status != NG_OK) {
        ngi_free(problem->ctx, metric);
        return status;
    }
    *out = metric;
    return NG_OK;
}

void ng_metric_destroy(ng_metric **metric) {
    if (!metric || !*metric)
        return;
    (*metric)->ops->destroy(*metric);
    ngi_free((*metric)->problem->ctx, *metric);
    *metric = NULL;
}

ng_status ng_metric_update(ng_metric *metric, const double *theta, double *loss,
                           double *objective, double *gradient) {
    return metric->ops->update(metric, theta, loss, objective, gradient);
}

ng_status ng_metric_factor(ng_metric *metric, double damping) {
    metric->repaired = 0;
    metric->damping = damping;
    return metric->ops->factor(metric, damping);
}

ng_status ng_metric_solve(ng_metric *metric, const double *g, double *d) {
    return metric->ops->solve(metric, g, d);
}

ng_status ng_metric_product(ng_metric *metric, const double *v, double *out) {
    return metric->ops->product(metric, v, out);
}

ng_status ngi_metric_evaluate(ng_metric *metric, const double *theta,
                              double *loss, double *objective,
                              double *gradient) {
    ng_problem *problem = metric->problem;
    return problem->ops->evaluate(problem, theta, loss, objective, gradient,
                                  NULL, NULL);
}
