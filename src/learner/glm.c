/* glm: generalised linear models by Fisher scoring, which is the natural
 * gradient with a step of one. */
#include "learner/glm.h"
#include "numerics/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

void ng_glm_options_init(ng_glm_options *options) {
    *options = (ng_glm_options){
        .intercept = 1, .std_errors = NG_SE_EXPECTED, .standardize = 1};
    ng_fit_options_init(&options->fit);
}

/* No column can be two of target, weights, offset and trials. */
static ng_status check_roles(ng_ctx *ctx, const ng_glm_options *options) {
    const char *role[] = {options->target, options->weights, options->offset,
                          options->trials};
    enum { ROLES = sizeof role / sizeof *role };
    for (size_t i = 0; i < ROLES; i++) {
        for (size_t j = i + 1; j < ROLES; j++) {
            if (role[i] && role[j] && strcmp(role[i], role[j]) == 0)
                return ngi_fail(ctx, NG_EUSAGE,
                                "column \"%s\" is named twice among target, "
                                "weights, offset and trials",
                                role[i]);
        }
    }
    return NG_OK;
}

static ng_status check_options(ng_ctx *ctx, const ng_glm_options *options,
                               const ngi_glm_family *family) {
    bool binomial = strcmp(family->name, "binomial") == 0;
    if (!options->target)
        return ngi_fail(ctx, NG_EUSAGE, "expected a target column (--target)");
    if (!(options->l2 >= 0) || isinf(options->l2))
        return ngi_fail(ctx, NG_EUSAGE, "expected l2 >= 0");
    if (options->trials && !binomial)
        return ngi_fail(ctx, NG_EUSAGE,
                        "trials go with family \"binomial\", not \"%s\"",
                        family->name);
    if (options->offset && !family->variance)
        return ngi_fail(ctx, NG_EUSAGE,
                        "family \"multinomial\" takes no offset");
    return check_roles(ctx, options);
}

static bool is(const char *a, const char *b) {
    return a && strcmp(a, b) == 0;
}

static bool is_special(const ng_glm_options *options, const char *name) {
    return is(options->target, name) || is(options->weights, name) ||
           is(options->offset, name) || is(options->trials, name);
}

/* Every column not otherwise used, unless features are named. */
static ng_status make_design(const ng_frame *frame,
                             const ng_glm_options *options, ng_model *model) {
    ng_ctx *ctx = model->ctx;
    if (options->features) {
        for (size_t i = 0; i < options->feature_count; i++) {
            if (is_special(options, options->features[i]))
                return ngi_fail(ctx, NG_EUSAGE,
                                "column \"%s\" is named as a feature and as "
                                "something else",
                                options->features[i]);
        }
        return ngi_design_create(ctx, frame, options->features,
                                 options->feature_count, options->intercept,
                                 &model->design);
    }
    size_t columns = ng_frame_columns(frame), count = 0;
    const char **names = ngi_alloc(ctx, columns, sizeof *names);
    if (!names)
        return NG_ENOMEM;
    for (size_t i = 0; i < columns; i++) {
        const char *name = ng_frame_column(frame, i)->name;
        if (!is_special(options, name))
            names[count++] = name;
    }
    ng_status status = ngi_design_create(ctx, frame, names, count,
                                         options->intercept, &model->design);
    ngi_free(ctx, names);
    return status;
}

static ng_status copy_name(ng_ctx *ctx, const char *from, char **to) {
    return from ? ngi_name_copy(ctx, from, to) : NG_OK;
}

static ng_status copy_names(const ng_glm_options *options, ng_model *model) {
    NG_TRY(copy_name(model->ctx, options->target, &model->target));
    NG_TRY(copy_name(model->ctx, options->weights, &model->weights));
    NG_TRY(copy_name(model->ctx, options->offset, &model->offset));
    return copy_name(model->ctx, options->trials, &model->trials);
}

static ng_status make_X(const ng_frame *frame, const ng_glm_options *options,
                        const ng_model *model, ngi_glm_data *data) {
    data->p = model->design->width;
    if (data->p == 0)
        return ngi_fail(data->ctx, NG_EUSAGE,
                        "expected an intercept or at least one feature");
    if (options->l2 == 0 && data->used_rows < (double)data->p)
        return ngi_fail(data->ctx, NG_EDATA,
                        "%s: %zu coefficients cannot be estimated from %.0f "
                        "rows; expected more rows, fewer features or --l2",
                        ng_frame_source(frame), data->p, data->used_rows);
    data->X = ngi_alloc(data->ctx, data->n, data->p * sizeof *data->X);
    if (!data->X)
        return NG_ENOMEM;
    return ngi_design_fill(model->design, frame, data->X);
}

/* The run holds the dispersion fixed, which changes no estimate, at Pearson's
 * statistic of the constant model: then what it measures is in nats of a model
 * of the right spread, whatever the units of y. */
static double pilot_dispersion(const ngi_glm_family *family,
                               const ngi_glm_data *data) {
    double mean = 0, sum = 0;
    if (!family->dispersion)
        return 1;
    for (size_t i = 0; i < data->n; i++)
        mean += (data->weight ? data->weight[i] : 1) / data->total_weight *
                data->y[i];
    for (size_t i = 0; i < data->n; i++) {
        double w = data->weight ? data->weight[i] : 1, r = data->y[i] - mean;
        sum += w / data->total_weight * r * r;
    }
    double pilot = sum / family->variance(mean);
    return pilot > DBL_MIN && isfinite(pilot) ? pilot : 1;
}

static ng_status make_problem(const ng_glm_options *options, ng_model *model,
                              ngi_glm_data *data, ng_problem **out) {
    ng_model_spec spec = {0};
    ngi_glm_blocks(model, &ng_predictor_fixed, &spec);
    ng_rows rows = {.count = data->n,
                    .y = data->y,
                    .weight = data->weight,
                    .X = {data->X},
                    .offset = {data->offset}};
    NG_TRY(ng_memory_source_init(data->ctx, &rows, &model->family, spec.block,
                                 &data->memory, &spec.source));
    data->source = spec.source;
    for (size_t j = 0; j < data->p; j++) {
        bool free_of_charge = options->intercept && j == 0;
        /* l2 stands beside a loss of dispersion 1. */
        double ridge = options->l2 / model->pilot;
        data->ridge[j] =
            free_of_charge ? 0 : ridge / (data->scale[j] * data->scale[j]);
    }
    spec.ridge = options->l2 > 0 ? data->ridge : NULL;
    spec.shift = data->shift;
    spec.scale = data->scale;
    return ng_model_problem_create(data->ctx, &spec, out);
}

static ng_status run(const ng_glm_options *options,
                     const ngi_glm_family *family, ng_model *model,
                     ngi_glm_data *data, ng_problem *problem) {
    ng_report report;
    ng_fit *fit = NULL;
    double *theta = ngi_alloc(data->ctx, problem->dim, sizeof *theta);
    if (!theta)
        return NG_ENOMEM;
    ng_status status;
    NG_TRY_GOTO(ngi_glm_start(options, family, model, data, problem, theta));
    NG_TRY_GOTO(ng_fit_create(problem, &options->fit, theta, &fit));
    NG_TRY_GOTO(ng_fit_run(fit, options->monitor, options->user, &report));
    ngi_model_record_run(model, &report);
    NG_TRY_GOTO(ngi_glm_conclude(options, family, model, data, problem,
                                 ng_fit_theta(fit)));
fail:
    ng_fit_destroy(&fit);
    ngi_free(data->ctx, theta);
    return status;
}

static ng_status init_family(const ng_glm_options *options,
                             const ngi_glm_family *family, ng_model *model) {
    size_t size = family->variance ? 1 : model->levels.count;
    NG_TRY(ng_family_init(model->ctx, family->family, size, &model->family));
    NG_TRY(ngi_glm_link(model->ctx, family, options->link, &model->links[0]));
    /* Dispersion: log coordinate, at its value. */
    model->links[1] = NG_LINK_LOG;
    return NG_OK;
}

ng_status ng_glm_fit(ng_ctx *ctx, const ng_frame *frame,
                     const ng_glm_options *options, ng_model **out) {
    const ngi_glm_family *family;
    const char *link_name = options->link;
    ng_link link;
    ng_model *model = NULL;
    ng_problem *problem = NULL;
    ngi_glm_data data = {.ctx = ctx};
    ng_status status;
    *out = NULL;
    NG_TRY(ngi_glm_family_find(ctx, options->family, &family));
    NG_TRY(check_options(ctx, options, family));
    NG_TRY(ngi_glm_link(ctx, family, options->link, &link));
    if (!link_name || !family->variance)
        NG_TRY(ng_glm_default_link(ctx, family->name, &link_name));
    NG_TRY(ngi_model_create(ctx, true, family->name, link_name, &model));
    NG_TRY_GOTO(copy_names(options, model));
    NG_TRY_GOTO(ngi_glm_read(frame, options, family, model, &data));
    NG_TRY_GOTO(init_family(options, family, model));
    model->pilot = pilot_dispersion(family, &data);
    NG_TRY_GOTO(make_design(frame, options, model));
    NG_TRY_GOTO(make_X(frame, options, model, &data));
    NG_TRY_GOTO(
        ngi_glm_standardize(&data, options->intercept, options->standardize));
    NG_TRY_GOTO(make_problem(options, model, &data, &problem));
    NG_TRY_GOTO(ngi_model_allocate(model, problem->dim, problem->dim,
                                   options->std_errors != NG_SE_NONE));
    NG_TRY_GOTO(run(options, family, model, &data, problem));
    *out = model;
    model = NULL;
fail:
    ng_problem_destroy(&problem);
    ngi_glm_data_free(&data);
    ng_model_destroy(&model);
    return status;
}
