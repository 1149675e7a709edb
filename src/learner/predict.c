/* Using a fitted model: the columns that it needs, and predictions with the
 * uncertainty of y and of the estimates. */
#include "learner/apply.h"
#include "numerics/linalg.h"
#include "numerics/special.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Columns ---- */

typedef struct lists {
    const char **all, **factors, **numeric;
    size_t alls, factor_count, numerics;
} lists;

static void list_column(lists *l, const char *name, bool factor) {
    if (!name)
        return;
    l->all[l->alls++] = name;
    if (factor)
        l->factors[l->factor_count++] = name;
    else
        l->numeric[l->numerics++] = name;
}

static void list_design(lists *l, const ngi_design *design, bool with_target) {
    for (size_t v = 0; design && v < design->variables; v++) {
        if (with_target || ngi_design_is_input(design, v))
            list_column(l, design->variable[v].column,
                        design->variable[v].levels.count > 0);
    }
}

ng_status ng_model_columns(const ng_model *model, int with_target,
                           ng_frame_options *options) {
    enum { NAMED = 4 };
    size_t most = (model->design ? model->design->variables : 0) +
                  model->columns.count + NAMED;
    /* Kept in the model, whose contents they borrow. */
    ng_model *owner = (ng_model *)model;
    bool left_side =
        model->design && model->design->response != NGI_RESPONSE_NONE;
    memset(options, 0, sizeof *options);
    if (!owner->column_list)
        owner->column_list =
            ngi_alloc(model->ctx, 3 * most, sizeof *owner->column_list);
    if (!owner->column_list)
        return NG_ENOMEM;
    lists l = {owner->column_list,
               owner->column_list + most,
               owner->column_list + 2 * most,
               0,
               0,
               0};
    list_design(&l, model->design, with_target != 0);
    list_column(&l, model->offset, false);
    if (with_target) {
        if (!left_side)
            list_column(&l, model->target, model->levels.count > 0);
        list_column(&l, model->weights, false);
        list_column(&l, model->trials, false);
        for (size_t i = 0; i < model->columns.count; i++)
            list_column(&l, model->columns.name[i], model->levels.count > 0);
    }
    options->include = l.all;
    options->includes = l.alls;
    options->factors = l.factors;
    options->factor_count = l.factor_count;
    options->numeric = l.numeric;
    options->numerics = l.numerics;
    return NG_OK;
}

/* ---- The table ---- */

void ng_predict_options_init(ng_predict_options *options) {
    *options = (ng_predict_options){.interval = 0.9, .level = 0.95};
}

void ng_prediction_destroy(ng_prediction **pointer) {
    if (!pointer || !*pointer)
        return;
    ng_prediction *p = *pointer;
    for (size_t i = 0; p->column && i < p->columns; i++)
        ngi_free(p->ctx, p->column[i]);
    ngi_free(p->ctx, p->column);
    ngi_free(p->ctx, p->values);
    ngi_free(p->ctx, p->best);
    ngi_free(p->ctx, p);
    *pointer = NULL;
}

ng_status ngi_prediction_create(ng_ctx *ctx, size_t rows, size_t columns,
                                ng_prediction **out) {
    ng_prediction *p = ngi_alloc(ctx, 1, sizeof *p);
    *out = NULL;
    if (!p)
        return NG_ENOMEM;
    p->ctx = ctx;
    p->rows = rows;
    p->columns = columns;
    p->column = ngi_alloc(ctx, columns, sizeof *p->column);
    p->values = ngi_alloc(ctx, rows, columns * sizeof *p->values);
    if (p->column && p->values)
        *out = p;
    else
        ng_prediction_destroy(&p);
    return *out ? NG_OK : NG_ENOMEM;
}

ng_status ngi_prediction_name(ng_prediction *p, size_t i, const char *what,
                              const char *of) {
    char name[NGI_NAME_SIZE];
    if (of)
        snprintf(name, sizeof name, "%s[%s]", what, of);
    else
        snprintf(name, sizeof name, "%s", what);
    p->column[i] = ngi_strdup(p->ctx, name);
    return p->column[i] ? NG_OK : NG_ENOMEM;
}

static const char *const INTERVAL[] = {"mean", "lower", "upper"};
static const char *const UNCERTAIN[] = {
    "mean",  "std_error", "mean_lower", "mean_upper",
    "lower", "upper",     "link",       "link_std_error"};
enum {
    INTERVAL_COLUMNS = sizeof INTERVAL / sizeof *INTERVAL,
    UNCERTAIN_COLUMNS = sizeof UNCERTAIN / sizeof *UNCERTAIN
};

static ng_status create_classes(const ng_model *model, size_t rows,
                                bool std_errors, ng_prediction **out) {
    size_t each = std_errors ? 2 : 1;
    NG_TRY(ngi_prediction_create(model->ctx, rows, each * model->levels.count,
                                 out));
    ng_prediction *p = *out;
    p->level = (const char *const *)model->levels.name;
    p->best = ngi_alloc(p->ctx, rows, sizeof *p->best);
    if (!p->best)
        return NG_ENOMEM;
    for (size_t k = 0; k < p->columns; k++)
        NG_TRY(ngi_prediction_name(p, k, k % each ? "std_error" : "p",
                                   model->levels.name[k / each]));
    return NG_OK;
}

static ng_status create_table(const ng_model *model, size_t rows,
                              bool std_errors, ng_prediction **out) {
    size_t margins = model->is_glm ? 1 : model->family.dim_mean;
    size_t each = std_errors ? UNCERTAIN_COLUMNS : INTERVAL_COLUMNS;
    const char *const *names = std_errors ? UNCERTAIN : INTERVAL;
    if (model->levels.count)
        return create_classes(model, rows, std_errors, out);
    NG_TRY(ngi_prediction_create(model->ctx, rows, each * margins, out));
    for (size_t k = 0; k < (*out)->columns; k++)
        NG_TRY(ngi_prediction_name(*out, k, names[k % each],
                                   margins > 1 ? model->columns.name[k / each]
                                               : NULL));
    return NG_OK;
}

/* The likeliest class of row i, whose probabilities are `step` apart. */
static void choose_class(ng_prediction *p, size_t i, size_t step) {
    const double *row = p->values + i * p->columns;
    for (size_t k = 1; k < p->columns / step; k++) {
        if (row[k * step] > row[p->best[i] * step])
            p->best[i] = k;
    }
}

/* ---- dist: one z for all rows ---- */

static void fill_dist_row(const ng_model *model, double interval, double *work,
                          double *margins, double *row) {
    const ng_family *f = &model->family;
    double tail = 0.5 * (1 - interval);
    f->ops->mean(f, 1, model->theta, margins, work);
    f->ops->quantile(f, 1, model->theta, tail, margins + f->dim_mean, work);
    f->ops->quantile(f, 1, model->theta, 1 - tail, margins + 2 * f->dim_mean,
                     work);
    for (size_t j = 0; j < f->dim_mean; j++) {
        for (size_t k = 0; k < INTERVAL_COLUMNS; k++)
            row[INTERVAL_COLUMNS * j + k] = margins[k * f->dim_mean + j];
    }
}

static void fill_dist_classes(const ng_model *model, double *work,
                              double *row) {
    const ng_family *f = &model->family;
    if (f->dim_mean == model->levels.count) {
        f->ops->mean(f, 1, model->theta, row, work);
    } else { /* Bernoulli: both tails by themselves */
        double failure = -model->theta[0];
        f->ops->mean(f, 1, &failure, row, work);
        f->ops->mean(f, 1, model->theta, row + 1, work);
    }
}

static ng_status predict_dist(const ng_model *model, double interval,
                              ng_prediction *p) {
    const ng_family *f = &model->family;
    size_t size = ng_family_work(f);
    double *work = ngi_alloc(model->ctx, size + 3 * f->dim_mean, sizeof *work);
    if (!work)
        return NG_ENOMEM;
    for (size_t i = 0; i < p->rows; i++) {
        double *row = p->values + i * p->columns;
        if (p->best) {
            fill_dist_classes(model, work, row);
            choose_class(p, i, 1);
        } else {
            fill_dist_row(model, interval, work, work + size, row);
        }
    }
    ngi_free(model->ctx, work);
    return NG_OK;
}

/* ---- glm ---- */

/* Scratch of the delta method over a block. */
typedef struct delta {
    double *X;       /* rows x width, row-major */
    double *product; /* rows x parameters */
    double *link;    /* rows x outputs x outputs: covariances of eta */
    double *dp;      /* rows x levels */
    double *dpsi;    /* rows x levels x extras */
    double *cross;   /* rows x (1 + extras)^2: of eta and psi */
} delta;

static size_t parameters_of(const ng_model *model) {
    return model->summary.parameters;
}

static ng_status create_delta(const ng_model *model, delta *d) {
    size_t width = model->design->width, outputs = model->outputs;
    size_t levels = model->levels.count, all = 1 + model->extras;
    size_t row = width + parameters_of(model) + outputs * outputs +
                 levels * all + all * all;
    d->X = ngi_alloc(model->ctx, row * NGI_APPLY_ROWS, sizeof *d->X);
    if (!d->X)
        return NG_ENOMEM;
    d->product = d->X + width * NGI_APPLY_ROWS;
    d->link = d->product + parameters_of(model) * NGI_APPLY_ROWS;
    d->dp = d->link + outputs * outputs * NGI_APPLY_ROWS;
    d->dpsi = d->dp + levels * NGI_APPLY_ROWS;
    d->cross = d->dpsi + levels * model->extras * NGI_APPLY_ROWS;
    return NG_OK;
}

static void gather(const ngi_apply *a, double *X) {
    size_t width = a->model->design->width;
    for (size_t j = 0; j < width; j++) {
        for (size_t i = 0; i < a->count; i++)
            X[i * width + j] = a->x[j][i];
    }
}

/* link[c, e] = x' C_ce x, and the products with C of output c are left. */
static void link_covariance(const ngi_apply *a, delta *d) {
    const ng_model *model = a->model;
    size_t width = model->design->width, outputs = model->outputs;
    size_t all = parameters_of(model);
    if (width == 0) { /* thresholds alone */
        memset(d->link, 0, a->count * sizeof *d->link);
        return;
    }
    gather(a, d->X);
    for (size_t c = 0; c < outputs; c++) {
        /* C is symmetric: its columns of output c are rows of C. */
        for (size_t e = 0; e <= c; e++) {
            ngi_gemm_nt(a->count, width, width, d->X, width,
                        model->covariance + (e * width) * all + c * width, all,
                        d->product, width);
            for (size_t i = 0; i < a->count; i++) {
                double *M = d->link + i * outputs * outputs;
                double v =
                    ngi_dot(width, d->product + i * width, d->X + i * width);
                M[c * outputs + e] = M[e * outputs + c] = v;
            }
        }
    }
}

static double root(double variance) {
    return variance > 0 ? sqrt(variance) : variance == 0 ? 0 : (double)NAN;
}

static double scaled(double factor, double std_error) {
    return factor == 0 ? 0 : fabs(factor) * std_error;
}

/* The variance of one probability of a multinomial: dp_k / d eta_c = p_k
 * (1[k = c] - p_c), the reference level being without an eta. */
static double multinomial_variance(const double *p, size_t k, size_t outputs,
                                   const double *M) {
    double sum = 0;
    for (size_t c = 0; c < outputs; c++) {
        double a = (k == c + 1 ? 1 : 0) - p[c + 1];
        for (size_t e = 0; e < outputs; e++) {
            double b = (k == e + 1 ? 1 : 0) - p[e + 1];
            sum += a * b * M[c * outputs + e];
        }
    }
    return p[k] * p[k] * sum;
}

/* The covariance of (eta, psi), psi being the last parameters. */
static void threshold_covariance(const ngi_apply *a, delta *d) {
    const ng_model *model = a->model;
    size_t width = model->design->width, extras = model->extras;
    size_t all = parameters_of(model), side = 1 + extras;
    const double *C = model->covariance;
    for (size_t i = 0; i < a->count; i++) {
        double *M = d->cross + i * side * side;
        M[0] = d->link[i];
        for (size_t e = 0; e < extras; e++) {
            double v = ngi_dot(width, C + (width + e) * all, d->X + i * width);
            M[1 + e] = M[(1 + e) * side] = v;
        }
        for (size_t e = 0; e < extras * extras; e++)
            M[(1 + e / extras) * side + 1 + e % extras] =
                C[(width + e / extras) * all + width + e % extras];
    }
}

static double ordinal_variance(const delta *d, size_t i, size_t k,
                               size_t levels, size_t extras) {
    size_t side = 1 + extras;
    const double *M = d->cross + i * side * side;
    const double *dpsi = d->dpsi + (i * levels + k) * extras;
    double dp = d->dp[i * levels + k], sum = dp * dp * M[0];
    for (size_t e = 0; e < extras; e++) {
        double inner = 2 * dp * M[1 + e];
        for (size_t f = 0; f < extras; f++)
            inner += dpsi[f] * M[(1 + e) * side + 1 + f];
        sum += dpsi[e] * inner;
    }
    return sum;
}

/* Standard errors behind the probabilities, which stand every other column. */
static void fill_class_errors(const ngi_apply *a, delta *d, double *values) {
    const ng_model *model = a->model;
    size_t levels = model->levels.count;
    link_covariance(a, d);
    if (model->extras) {
        a->kernel.ops->probabilities(&a->kernel, a->count, a->eta,
                                     ngi_model_shared(model), a->p, d->dp,
                                     d->dpsi);
        threshold_covariance(a, d);
    }
    for (size_t i = 0; i < a->count; i++) {
        double *row = values + i * 2 * levels;
        for (size_t k = 0; k < levels; k++) {
            double variance;
            if (!model->glm->has_levels)
                variance = a->dmean[i] * a->dmean[i] * d->link[i];
            else if (model->extras)
                variance = ordinal_variance(d, i, k, levels, model->extras);
            else
                variance = multinomial_variance(
                    a->p + i * levels, k, model->outputs,
                    d->link + i * model->outputs * model->outputs);
            row[2 * k + 1] = root(variance);
        }
    }
}

static void fill_classes(const ngi_apply *a, size_t step, double *values) {
    size_t levels = a->model->levels.count;
    for (size_t i = 0; i < a->count; i++) {
        double *row = values + i * step * levels;
        for (size_t k = 0; a->model->glm->has_levels && k < levels; k++)
            row[k * step] = a->p[i * levels + k];
        if (a->model->glm->has_levels)
            continue;
        row[0] = ngi_expit(-a->z[i]); /* both tails by themselves */
        row[step] = ngi_expit(a->z[i]);
    }
}

/* The two ends of the mean's interval; the link may fall. */
static void mean_interval(const ng_model *model, double eta, double half,
                          double *row) {
    double one = ngi_model_mean_at(model, eta - half);
    double other = ngi_model_mean_at(model, eta + half);
    /* Beyond the link's domain there is no end. */
    row[0] = fmin(one, other);
    row[1] = fmax(one, other);
    if (isnan(one) || isnan(other))
        row[0] = row[1] = (double)NAN;
}

/* In standard errors: Student's t where the dispersion was estimated. */
static double half_width(const ng_model *model, double level) {
    double tail = 0.5 * (1 - level), df = model->summary.df_residual;
    if (!model->glm->dispersion)
        return -ngi_ndtri(tail);
    return df > 0 ? -ngi_t_quantile(tail, df) : (double)NAN;
}

static void fill_means(const ngi_apply *a, const ng_predict_options *options,
                       delta *d, double *values) {
    const ng_model *model = a->model;
    bool std_errors = options->std_errors != 0;
    double tail = 0.5 * (1 - options->interval);
    double width = std_errors ? half_width(model, options->level) : 0;
    size_t columns = std_errors ? UNCERTAIN_COLUMNS : INTERVAL_COLUMNS;
    if (std_errors)
        link_covariance(a, d);
    for (size_t i = 0; i < a->count; i++) {
        double *row = values + i * columns;
        ngi_glm_law law = ngi_apply_law(a, i);
        double *ends = std_errors ? row + 4 : row + 1;
        row[0] = a->mean[i];
        ends[0] = model->glm->quantile(&law, tail);
        ends[1] = model->glm->quantile(&law, 1 - tail);
        if (!std_errors)
            continue;
        double error = root(d->link[i]);
        row[1] = scaled(a->dmean[i], error);
        mean_interval(model, a->eta[i], width * error, row + 2);
        row[6] = a->eta[i];
        row[7] = error;
    }
}

static ng_status predict_glm(const ng_model *model, const ng_frame *frame,
                             const ng_predict_options *options,
                             ng_prediction *p) {
    size_t step = options->std_errors ? 2 : 1;
    ngi_apply a;
    delta d = {NULL, NULL, NULL, NULL, NULL, NULL};
    ng_status status;
    NG_TRY(ngi_apply_open(model, frame, false, &a));
    if (options->std_errors)
        NG_TRY_GOTO(create_delta(model, &d));
    for (;;) {
        NG_TRY_GOTO(ngi_apply_next(&a));
        if (a.count == 0)
            break;
        double *values = p->values + a.first * p->columns;
        if (!p->best) {
            fill_means(&a, options, &d, values);
            continue;
        }
        fill_classes(&a, step, values);
        for (size_t i = 0; i < a.count; i++)
            choose_class(p, a.first + i, step);
        if (options->std_errors)
            fill_class_errors(&a, &d, values);
    }
fail:
    ngi_apply_close(&a);
    ngi_free(model->ctx, d.X);
    return status;
}

static ng_status check_options(const ng_model *model,
                               const ng_predict_options *options) {
    ng_ctx *ctx = model->ctx;
    if (!(options->interval > 0 && options->interval < 1))
        return ngi_fail(ctx, NG_EUSAGE,
                        "expected an interval between 0 and 1, found %g",
                        options->interval);
    if (!options->std_errors)
        return NG_OK;
    if (!model->is_glm)
        return ngi_fail(ctx, NG_EUSAGE,
                        "standard errors of predictions are those of glms: "
                        "this model is of learner \"dist\"");
    if (!(options->level > 0 && options->level < 1))
        return ngi_fail(ctx, NG_EUSAGE,
                        "expected a level between 0 and 1, found %g",
                        options->level);
    if (!model->covariance)
        return ngi_fail(ctx, NG_EUSAGE,
                        "the model has no covariance to make standard errors "
                        "of: it was fitted with --std-errors none");
    return NG_OK;
}

ng_status ng_model_predict(const ng_model *model, const ng_frame *frame,
                           const ng_predict_options *options,
                           ng_prediction **out) {
    ng_predict_options defaults;
    ng_prediction *p = NULL;
    ng_status status;
    *out = NULL;
    ng_predict_options_init(&defaults);
    if (!options)
        options = &defaults;
    NG_TRY(check_options(model, options));
    NG_TRY_GOTO(create_table(model, ng_frame_rows(frame),
                             options->std_errors != 0, &p));
    NG_TRY_GOTO(model->is_glm ? predict_glm(model, frame, options, p)
                              : predict_dist(model, options->interval, p));
    *out = p;
    return NG_OK;
fail:
    ng_prediction_destroy(&p);
    return status;
}
