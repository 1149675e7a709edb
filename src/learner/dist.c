/* dist: maximum likelihood of one distribution, no inputs. */
#include "learner/model.h"
#include "numerics/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

void ng_dist_options_init(ng_dist_options *options) {
    *options =
        (ng_dist_options){.family = "normal", .std_errors = NG_SE_EXPECTED};
    for (size_t b = 0; b < NG_FAMILY_MAX_BLOCKS; b++)
        options->links[b] = -1;
    ng_fit_options_init(&options->fit);
}

/* The data of a fit. */
typedef struct sample {
    ng_ctx *ctx;
    size_t n;
    double *y; /* n x dim_y */
    const double *w;
    ng_source source;
    ng_memory_source memory;
} sample;

static ng_status check_levels(ng_ctx *ctx, const ng_frame *frame,
                              const ng_column *column, size_t most,
                              const char *family) {
    if (column->levels >= 2 && column->levels <= most)
        return NG_OK;
    if (column->levels == 1)
        return ngi_fail(ctx, NG_EDATA,
                        "%s: column \"%s\" has one level only (\"%s\"); "
                        "expected two or more",
                        ng_frame_source(frame), column->name, column->level[0]);
    return ngi_fail(ctx, NG_EDATA,
                    "%s: column \"%s\" has %zu levels; family \"%s\" expects "
                    "two%s",
                    ng_frame_source(frame), column->name, column->levels,
                    family, most == 2 ? "" : " or more");
}

static ng_status init_family(ng_ctx *ctx, const ng_frame *frame,
                             const ng_dist_options *options, ng_model *model) {
    const ng_column *first;
    size_t size = options->column_count;
    if (size == 0)
        return ngi_fail(ctx, NG_EUSAGE, "expected a column to fit");
    NG_TRY(ngi_require_column(ctx, frame, options->columns[0], &first));
    bool classes = strcmp(options->family, "categorical") == 0 ||
                   strcmp(options->family, "softmax") == 0;
    /* Two levels will do for a Bernoulli: the second is the success. */
    bool binary = strcmp(options->family, "bernoulli") == 0;
    if (size == 1 && (classes || (binary && first->levels))) {
        NG_TRY(check_levels(ctx, frame, first, classes ? SIZE_MAX : 2,
                            options->family));
        NG_TRY(
            ngi_levels_copy(ctx, first->levels, first->level, &model->levels));
        size = classes ? first->levels : 1;
    }
    NG_TRY(ng_family_init(ctx, options->family, size, &model->family));
    if (model->family.dim_y != options->column_count)
        return ngi_fail(
            ctx, NG_EUSAGE, "family \"%s\" takes %zu column%s, not %zu",
            options->family, model->family.dim_y,
            model->family.dim_y == 1 ? "" : "s", options->column_count);
    return ngi_levels_copy(ctx, options->column_count, options->columns,
                           &model->columns);
}

static ng_status read_column(ng_ctx *ctx, const ng_frame *frame,
                             const ng_model *model, const char *name,
                             const ng_column **out) {
    return model->levels.count ? ngi_require_column(ctx, frame, name, out)
                               : ngi_require_numeric(ctx, frame, name, out);
}

static ng_status check_support(const ng_model *model, const ng_frame *frame,
                               const sample *s) {
    const ng_family *f = &model->family;
    for (size_t i = 0; i < s->n; i++) {
        const double *y = s->y + i * f->dim_y;
        if (f->ops->in_support(f, y))
            continue;
        return ngi_fail(s->ctx, NG_EDATA,
                        "%s: row %zu, column \"%s\": family \"%s\" expects "
                        "%s, found %.6g",
                        ng_frame_source(frame), ng_frame_record(frame, i),
                        model->columns.name[0], f->ops->name, f->ops->support,
                        y[0]);
    }
    return NG_OK;
}

/* The covariance of the columns must have an inverse: the columns, centred and
 * brought to unit length, are orthogonalised in turn, and one that is left
 * with nothing but rounding depends on those before it. */
static ng_status check_rank(const ng_model *model, const ng_frame *frame,
                            const sample *s) {
    size_t d = model->family.dim_y;
    double *Q = ngi_alloc(s->ctx, s->n * d, sizeof *Q);
    ng_status status = NG_OK;
    if (!Q)
        return NG_ENOMEM;
    for (size_t j = 0; j < d && status == NG_OK; j++) {
        double *q = Q + j * s->n, mean = 0, total = 0;
        for (size_t i = 0; i < s->n; i++) {
            double w = s->w ? s->w[i] : 1;
            total += w;
            mean += w == 0 ? 0 : w / total * (s->y[i * d + j] - mean);
        }
        for (size_t i = 0; i < s->n; i++)
            q[i] = sqrt(s->w ? s->w[i] : 1) * (s->y[i * d + j] - mean);
        double length = ngi_norm(s->n, q);
        for (size_t k = 0; k < j; k++)
            ngi_axpy(s->n, -ngi_dot(s->n, q, Q + k * s->n), Q + k * s->n, q);
        double left = ngi_norm(s->n, q);
        if (!(left > sqrt(DBL_EPSILON) * length))
            status = ngi_fail(s->ctx, NG_EDATA,
                              "%s: column \"%s\" is constant or a combination "
                              "of the columns before it; family \"mvnormal\" "
                              "expects columns of full rank and more rows "
                              "than columns",
                              ng_frame_source(frame), model->columns.name[j]);
        for (size_t i = 0; i < s->n; i++)
            q[i] /= left;
    }
    ngi_free(s->ctx, Q);
    return status;
}

/* A continuous family with a spread follows equal values to a point mass: its
 * likelihood has no maximum there. */
static ng_status check_spread(const ng_model *model, const ng_frame *frame,
                              const sample *s) {
    const ng_family *f = &model->family;
    const double *first = NULL;
    if (strcmp(f->ops->name, "mvnormal") == 0)
        return check_rank(model, frame, s);
    if (f->ops->discrete || f->dim_y > 1 || f->dim_z < 2)
        return NG_OK;
    for (size_t i = 0; i < s->n; i++) {
        if (s->w && s->w[i] == 0)
            continue;
        if (first && s->y[i] != *first)
            return NG_OK;
        first = s->y + i;
    }
    return ngi_fail(s->ctx, NG_EDATA,
                    "%s: column \"%s\": all values are equal; family \"%s\" "
                    "expects values that differ",
                    ng_frame_source(frame), model->columns.name[0],
                    f->ops->name);
}

static ng_status check_weights(const ng_frame *frame, const char *name,
                               const sample *s) {
    double total = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (s->w[i] < 0)
            return ngi_fail(s->ctx, NG_EDATA,
                            "%s: row %zu, column \"%s\": expected a weight "
                            ">= 0, found %.6g",
                            ng_frame_source(frame), ng_frame_record(frame, i),
                            name, s->w[i]);
        total += s->w[i];
    }
    if (!(total > 0))
        return ngi_fail(s->ctx, NG_EDATA,
                        "%s: column \"%s\": all weights are zero",
                        ng_frame_source(frame), name);
    return NG_OK;
}

static ng_status read_sample(const ng_frame *frame,
                             const ng_dist_options *options,
                             const ng_model *model, sample *s) {
    size_t width = model->family.dim_y;
    s->ctx = model->ctx;
    s->n = ng_frame_rows(frame);
    s->y = ngi_alloc(s->ctx, s->n, width * sizeof *s->y);
    if (!s->y)
        return NG_ENOMEM;
    for (size_t j = 0; j < width; j++) {
        const ng_column *column;
        NG_TRY(read_column(s->ctx, frame, model, options->columns[j], &column));
        for (size_t i = 0; i < s->n; i++)
            s->y[i * width + j] = column->values[i];
    }
    NG_TRY(check_support(model, frame, s));
    if (options->weights) {
        const ng_column *column;
        NG_TRY(ngi_require_numeric(s->ctx, frame, options->weights, &column));
        s->w = column->values;
        NG_TRY(check_weights(frame, options->weights, s));
    }
    return check_spread(model, frame, s);
}

static ng_status make_problem(const ng_model *model, sample *s,
                              ng_problem **out) {
    ng_model_spec spec = {.family = model->family};
    for (size_t b = 0; b < model->family.blocks; b++)
        spec.block[b] =
            (ng_model_block){&ng_predictor_none, 0, model->links[b], 0};
    ng_rows rows = {.count = s->n, .y = s->y, .weight = s->w};
    NG_TRY(ng_memory_source_init(s->ctx, &rows, &model->family, spec.block,
                                 &s->memory, &spec.source));
    s->source = spec.source;
    return ng_model_problem_create(s->ctx, &spec, out);
}

/* Own coordinates unless asked for others. */
static void choose_links(const ng_dist_options *options, ng_model *model) {
    static const ng_link own[] = {[NG_COORDINATE_REAL] = NG_LINK_IDENTITY,
                                  [NG_COORDINATE_LOG] = NG_LINK_LOG,
                                  [NG_COORDINATE_LOGIT] = NG_LINK_LOGIT,
                                  [NG_COORDINATE_OTHER] = NG_LINK_IDENTITY};
    for (size_t b = 0; b < model->family.blocks; b++)
        model->links[b] = options->links[b] >= 0
                              ? (ng_link)options->links[b]
                              : own[model->family.block[b].coordinate];
}

static ng_status begin(const ng_dist_options *options, const ng_model *model,
                       const sample *s, double *eta) {
    const ng_family *f = &model->family;
    size_t work_size = ng_family_work(f);
    double *ones = ngi_alloc(s->ctx, s->n + work_size + f->dim_z, sizeof *ones);
    if (!ones)
        return NG_ENOMEM;
    double *work = ones + s->n, *z = work + work_size;
    for (size_t i = 0; i < s->n; i++)
        ones[i] = 1;
    if (options->start)
        f->ops->from_customary(f, 1, options->start, z, work);
    else
        f->ops->start(f, s->n, s->y, s->w ? s->w : ones, z, work);
    for (size_t b = 0; b < f->blocks; b++)
        ng_link_forward(model->links[b], f->block[b].coordinate,
                        f->block[b].count, z + f->block[b].first,
                        eta + f->block[b].first);
    ng_status status =
        ngi_all_finite(f->dim_z, eta)
            ? NG_OK
            : ngi_fail(s->ctx, NG_EUSAGE,
                       "the start is outside the family's parameter space");
    ngi_free(s->ctx, ones);
    return status;
}

/* J dz/deta: customary parameters over the run's coordinates. */
static void chain(const ng_model *model, const double *eta, double *J) {
    const ng_family *f = &model->family;
    for (size_t b = 0; b < f->blocks; b++) {
        for (size_t c = 0; c < f->block[b].count; c++) {
            size_t k = f->block[b].first + c;
            double z, dz;
            ng_link_inverse(model->links[b], f->block[b].coordinate, 1, eta + k,
                            &z, &dz, NULL);
            for (size_t i = 0; i < f->dim_customary; i++)
                J[i * f->dim_z + k] *= dz;
        }
    }
}

static ng_status standard_errors(const ng_dist_options *options,
                                 ng_model *model, ng_problem *problem,
                                 const double *eta, double total_weight) {
    const ng_family *f = &model->family;
    ng_ctx *ctx = model->ctx;
    size_t d = problem->dim, c = f->dim_customary;
    ng_fisher fisher = {.kind = options->std_errors == NG_SE_OBSERVED
                                    ? NG_FISHER_OBSERVED
                                    : NG_FISHER_EXACT};
    double *F = ngi_alloc(ctx, d * d + c * d + ng_family_work(f), sizeof *F);
    ngi_null_space null_space = {0, NULL, NULL};
    bool estimable = true;
    if (!F)
        return NG_ENOMEM;
    double *J = F + d * d, *work = J + c * d;
    ng_status status;
    NG_TRY_GOTO(
        problem->ops->evaluate(problem, eta, NULL, NULL, NULL, &fisher, F));
    NG_TRY_GOTO(ngi_invert_information(ctx, d, F, &null_space));
    model->summary.rank = d - null_space.count;
    f->ops->customary_jacobian(f, model->theta, J, work);
    chain(model, eta, J);
    NG_TRY_GOTO(ngi_transform_covariance(ctx, c, d, J, F, model->covariance));
    for (size_t i = 0; i < c * c; i++)
        model->covariance[i] /= total_weight;
    for (size_t i = 0; i < c; i++) {
        model->parameter[i].std_error = ngi_standard_error(
            model->covariance[i * c + i], d, J + i * d, &null_space);
        if (!isfinite(model->parameter[i].estimate))
            model->parameter[i].std_error = NAN;
        estimable = estimable && isfinite(model->parameter[i].std_error);
    }
    for (size_t i = 0; i < c; i++) {
        if (isinf(model->parameter[i].estimate))
            NG_TRY_GOTO(ngi_model_warn(model,
                                       "%s is at infinity, or beyond the "
                                       "range of numbers",
                                       model->parameter[i].term));
    }
    if (!estimable)
        NG_TRY_GOTO(ngi_model_warn(
            model, "the information is singular: some combination of the "
                   "parameters is not determined by the data"));
fail:
    ngi_free(ctx, null_space.vector);
    ngi_free(ctx, F);
    return status;
}

static ng_status name_parameters(ng_model *model) {
    const ng_family *f = &model->family;
    const char *const *columns =
        (const char *const *)(model->levels.count ? model->levels.name
                                                  : model->columns.name);
    for (size_t i = 0; i < f->dim_customary; i++) {
        char name[NGI_NAME_SIZE];
        f->ops->customary_name(f, i, columns, name, sizeof name);
        NG_TRY(ngi_model_set_name(model, i, name, NULL));
    }
    return NG_OK;
}

/* z, the customary parameters and the summary at the last point. */
static ng_status conclude(const ng_dist_options *options, ng_model *model,
                          ng_problem *problem, const double *eta,
                          double total_weight) {
    const ng_family *f = &model->family;
    ng_summary *summary = &model->summary;
    double *scratch = ngi_alloc(
        model->ctx, f->dim_customary + ng_family_work(f) + 2 * problem->dim,
        sizeof *scratch);
    if (!scratch)
        return NG_ENOMEM;
    double *customary = scratch, *gradient = customary + f->dim_customary;
    double *work = gradient + 2 * problem->dim;
    ng_status status;
    NG_TRY_GOTO(ng_model_problem_predict(problem, eta, 0, 1, model->theta));
    NG_TRY_GOTO(problem->ops->evaluate(problem, eta, &summary->loss, NULL,
                                       gradient, NULL, NULL));
    summary->gradient_norm = ngi_max_abs(problem->dim, gradient);
    f->ops->to_customary(f, 1, model->theta, customary, work);
    for (size_t i = 0; i < f->dim_customary; i++)
        model->parameter[i].estimate = customary[i];
    NG_TRY_GOTO(name_parameters(model));
    /* softmax's redundant logit and the like are no parameters. */
    size_t free_parameters =
        f->dim_z - (strcmp(f->ops->name, "softmax") == 0 ? 1 : 0);
    summary->n = total_weight;
    summary->log_likelihood = -summary->loss * total_weight;
    summary->aic = 2 * (double)free_parameters - 2 * summary->log_likelihood;
    summary->bic = (double)free_parameters * log(total_weight) -
                   2 * summary->log_likelihood;
    summary->rank = free_parameters;
    if (options->std_errors != NG_SE_NONE)
        NG_TRY_GOTO(
            standard_errors(options, model, problem, eta, total_weight));
fail:
    ngi_free(model->ctx, scratch);
    return status;
}

static ng_status run(const ng_dist_options *options, ng_model *model,
                     ng_problem *problem, const sample *s) {
    ng_report report;
    ng_fit *fit = NULL;
    double *eta = ngi_alloc(s->ctx, problem->dim, sizeof *eta);
    if (!eta)
        return NG_ENOMEM;
    ng_status status;
    NG_TRY_GOTO(begin(options, model, s, eta));
    NG_TRY_GOTO(ng_fit_create(problem, &options->fit, eta, &fit));
    NG_TRY_GOTO(ng_fit_run(fit, options->monitor, options->user, &report));
    ngi_model_record_run(model, &report);
    NG_TRY_GOTO(conclude(options, model, problem, ng_fit_theta(fit),
                         s->source.total_weight));
fail:
    ng_fit_destroy(&fit);
    ngi_free(s->ctx, eta);
    return status;
}

ng_status ng_dist_fit(ng_ctx *ctx, const ng_frame *frame,
                      const ng_dist_options *options, ng_model **out) {
    ng_model *model = NULL;
    ng_problem *problem = NULL;
    sample s = {.ctx = ctx};
    ng_status status;
    *out = NULL;
    if (options->std_errors == NG_SE_ROBUST)
        return ngi_fail(ctx, NG_EUSAGE,
                        "dist takes standard errors expected, observed or "
                        "none");
    NG_TRY(ngi_model_create(ctx, false, options->family, NULL, &model));
    NG_TRY_GOTO(init_family(ctx, frame, options, model));
    choose_links(options, model);
    NG_TRY_GOTO(ngi_model_allocate(model, model->family.dim_z,
                                   model->family.dim_customary,
                                   options->std_errors != NG_SE_NONE));
    NG_TRY_GOTO(read_sample(frame, options, model, &s));
    NG_TRY_GOTO(make_problem(model, &s, &problem));
    NG_TRY_GOTO(run(options, model, problem, &s));
    *out = model;
    model = NULL;
fail:
    ng_problem_destroy(&problem);
    ngi_free(ctx, s.y);
    ng_model_destroy(&model);
    return status;
}
