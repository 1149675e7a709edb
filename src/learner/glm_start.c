/* Where a glm fit begins: at the constant model, and where that is outside the
 * link's domain at the least-squares fit of the linked data, as R does. */
#include "learner/glm.h"
#include "numerics/linalg.h"

#include <math.h>
#include <string.h>

/* y pulled off the edge of its range so that a link can be taken of it (R's
 * mustart), in the family's own coordinate. */
static double inner_coordinate(const ng_model *model, double y, double w) {
    switch (model->family.block[0].coordinate) {
    case NG_COORDINATE_LOGIT:
        return log((w * y + 0.5) / (w * (1 - y) + 0.5));
    case NG_COORDINATE_LOG:
        return log(model->family.ops->discrete ? y + 0.1 : y);
    case NG_COORDINATE_REAL:
    case NG_COORDINATE_OTHER:
        break;
    }
    return y;
}

static double linked(const ng_model *model, double coordinate) {
    double eta;
    ng_link_forward(model->links[0], model->family.block[0].coordinate, 1,
                    &coordinate, &eta);
    return eta;
}

/* Intercepts at the link of the mean, or the logs of the classes' shares. */
static void constant_start(const ng_model *model, const ngi_glm_data *data,
                           double *theta) {
    size_t outputs = model->family.block[0].count;
    double total = 0, mean = 0, offset = 0;
    for (size_t i = 0; i < data->n; i++) {
        double w = data->weight ? data->weight[i] : 1;
        total += w;
        mean += w * data->y[i];
        offset += data->offset ? w * data->offset[i] : 0;
        if (model->family.size > 1 && data->y[i] > 0)
            theta[((size_t)data->y[i] - 1) * data->p] += w;
    }
    if (model->family.size == 1) {
        double coordinate = inner_coordinate(model, mean / total, total);
        theta[0] = linked(model, coordinate) - offset / total;
        return;
    }
    /* theta holds the classes' weights by now; half a row for each. */
    double reference = total;
    for (size_t k = 0; k < outputs; k++)
        reference -= theta[k * data->p];
    for (size_t k = 0; k < outputs; k++)
        theta[k * data->p] =
            log((theta[k * data->p] + 0.5) / (reference + 0.5));
}

/* One natural step of a normal model from anywhere is least squares. */
static ng_status least_squares(ngi_glm_data *data, const double *target,
                               const double *ridge, double *theta) {
    ng_model_spec spec = {.ridge = ridge};
    ng_memory_source memory;
    ng_problem *problem = NULL;
    ng_fit *fit = NULL;
    ng_fit_options options;
    ng_report report;
    ng_status status;
    NG_TRY(ng_family_init(data->ctx, "normal", 1, &spec.family));
    spec.block[0] =
        (ng_model_block){&ng_predictor_linear, data->p, NG_LINK_IDENTITY, 0};
    spec.block[1] = (ng_model_block){&ng_predictor_fixed, 0, NG_LINK_LOG, 0};
    ng_rows rows = {
        .count = data->n, .y = target, .weight = data->weight, .X = {data->X}};
    NG_TRY(ng_memory_source_init(data->ctx, &rows, &spec.family, spec.block,
                                 &memory, &spec.source));
    NG_TRY(ng_model_problem_create(data->ctx, &spec, &problem));
    memset(theta, 0, data->p * sizeof *theta);
    ng_fit_options_init(&options);
    options.max_iter = 2;
    NG_TRY_GOTO(ng_fit_create(problem, &options, theta, &fit));
    NG_TRY_GOTO(ng_fit_run(fit, NULL, NULL, &report));
    memcpy(theta, ng_fit_theta(fit), data->p * sizeof *theta);
fail:
    ng_fit_destroy(&fit);
    ng_problem_destroy(&problem);
    return status;
}

static ng_status linked_start(const ng_glm_options *options,
                              const ng_model *model, ngi_glm_data *data,
                              double *theta) {
    double *target = ngi_alloc(data->ctx, data->n, sizeof *target);
    if (!target)
        return NG_ENOMEM;
    for (size_t i = 0; i < data->n; i++) {
        double w = data->weight ? data->weight[i] : 1;
        double eta = linked(model, inner_coordinate(model, data->y[i], w));
        target[i] = eta - (data->offset ? data->offset[i] : 0);
        if (w == 0 && !isfinite(target[i]))
            target[i] = 0;
    }
    ng_status status = NG_OK;
    if (ngi_all_finite(data->n, target))
        status = least_squares(data, target,
                               options->l2 > 0 ? data->ridge : NULL, theta);
    ngi_free(data->ctx, target);
    return status;
}

ng_status ngi_glm_start(const ng_glm_options *options,
                        const ngi_glm_family *family, const ng_model *model,
                        ngi_glm_data *data, ng_problem *problem,
                        double *theta) {
    double objective;
    if (options->intercept)
        constant_start(model, data, theta);
    NG_TRY(problem->ops->evaluate(problem, theta, NULL, &objective, NULL, NULL,
                                  NULL));
    if (isfinite(objective) || !family->variance)
        return NG_OK;
    NG_TRY(linked_start(options, model, data, theta));
    NG_TRY(problem->ops->evaluate(problem, theta, NULL, &objective, NULL, NULL,
                                  NULL));
    if (isfinite(objective))
        return NG_OK;
    return ngi_fail(data->ctx, NG_ENUMERIC,
                    "no start with a finite loss was found for family \"%s\" "
                    "with link \"%s\"; expected means inside the link's "
                    "domain",
                    model->family_name, model->link_name);
}
