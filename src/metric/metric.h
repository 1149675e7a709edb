/* The built-in metrics, one file each. */
#ifndef NGI_METRIC_H
#define NGI_METRIC_H

#include "natgrad/metric.h"

extern const ng_metric_ops ngi_metric_identity;
extern const ng_metric_ops ngi_metric_diagonal;
extern const ng_metric_ops ngi_metric_dense;
extern const ng_metric_ops ngi_metric_cg;
extern const ng_metric_ops ngi_metric_sample_space;

/* For metrics that need nothing of the pass: evaluates and no more. */
ng_status ngi_metric_evaluate(ng_metric *metric, const double *theta,
                              double *loss, double *objective,
                              double *gradient);

#endif
