/* Using a fitted model: predictions, the loss on other data, and the KL
 * divergence between two models. */
#include "learner/model.h"

#include <float.h>
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

ng_status ng_model_columns(const ng_model *model, int with_target,
                           ng_frame_options *options) {
    enum { NAMED = 4 };
    size_t most = (model->design ? model->design->terms : 0) +
                  model->columns.count + NAMED;
    /* Kept in the model, whose contents they borrow. */
    ng_model *owner = (ng_model *)model;
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
    for (size_t i = 0; model->design && i < model->design->terms; i++)
        list_column(&l, model->design->term[i].column,
                    model->design->term[i].levels.count > 0);
    list_column(&l, model->offset, false);
    if (with_target) {
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

/* ---- z of the rows of a frame ---- */

static ng_status glm_coordinates(const ng_model *model, const ng_frame *frame,
                                 double *z) {
    ng_ctx *ctx = model->ctx;
    size_t n = ng_frame_rows(frame), p = model->design->width;
    const ng_column *offset = NULL;
    ng_model_spec spec = {0};
    ng_memory_source memory;
    ng_problem *problem = NULL;
    ng_status status;
    double *X = ngi_alloc(ctx, n, p * sizeof *X);
    double *theta = ngi_alloc(ctx, model->dim + 1, sizeof *theta);
    if (!X || !theta) {
        status = NG_ENOMEM;
        goto fail;
    }
    memcpy(theta, model->theta, model->dim * sizeof *theta);
    theta[model->dim] =
        ngi_glm_dispersion_coordinate(model, model->summary.dispersion);
    NG_TRY_GOTO(ngi_design_fill(model->design, frame, X));
    if (model->offset)
        NG_TRY_GOTO(ngi_require_numeric(ctx, frame, model->offset, &offset));
    ngi_glm_blocks(model, &ng_predictor_none, &spec);
    ng_rows rows = {
        .count = n, .X = {X}, .offset = {offset ? offset->values : NULL}};
    NG_TRY_GOTO(ng_memory_source_init(ctx, &rows, &model->family, spec.block,
                                      &memory, &spec.source));
    NG_TRY_GOTO(ng_model_problem_create(ctx, &spec, &problem));
    NG_TRY_GOTO(ng_model_problem_predict(problem, theta, 0, n, z));
fail:
    ng_problem_destroy(&problem);
    ngi_free(ctx, X);
    ngi_free(ctx, theta);
    return status;
}

/* n x dim_z, to be freed by the caller. A dist model has one z for all. */
static ng_status coordinates(const ng_model *model, const ng_frame *frame,
                             size_t n, double **out) {
    size_t K = model->family.dim_z;
    *out = ngi_alloc(model->ctx, n, K * sizeof **out);
    if (!*out)
        return NG_ENOMEM;
    ng_status status = NG_OK;
    if (model->is_glm)
        status = glm_coordinates(model, frame, *out);
    for (size_t i = 0; !model->is_glm && i < n; i++)
        memcpy(*out + i * K, model->theta, K * sizeof **out);
    for (size_t i = 0; status == NG_OK && i < n * K; i++) {
        if (isnan((*out)[i]))
            status = ngi_fail(model->ctx, NG_EDATA,
                              "%s: row %zu: the predictor leaves the domain "
                              "of link \"%s\"",
                              ng_frame_source(frame),
                              ng_frame_record(frame, i / K), model->link_name);
    }
    if (status != NG_OK) {
        ngi_free(model->ctx, *out);
        *out = NULL;
    }
    return status;
}

/* ---- Prediction ---- */

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

static ng_status allocate_prediction(const ng_model *model, size_t rows,
                                     ng_prediction *p) {
    size_t margins = model->family.dim_mean;
    bool classes = model->levels.count > 0;
    p->ctx = model->ctx;
    p->rows = rows;
    p->columns = classes ? model->levels.count : 3 * margins;
    p->level = (const char *const *)model->levels.name;
    p->column = ngi_alloc(p->ctx, p->columns, sizeof *p->column);
    p->values = ngi_alloc(p->ctx, rows, p->columns * sizeof *p->values);
    if (classes)
        p->best = ngi_alloc(p->ctx, rows, sizeof *p->best);
    bool failed = !p->column || !p->values || (classes && !p->best);
    for (size_t i = 0; !failed && i < p->columns; i++) {
        static const char *const what[] = {"mean", "lower", "upper"};
        char name[NGI_NAME_SIZE];
        if (classes)
            snprintf(name, sizeof name, "p[%s]", model->levels.name[i]);
        else if (margins > 1)
            snprintf(name, sizeof name, "%s[%s]", what[i % 3],
                     model->columns.name[i / 3]);
        else
            snprintf(name, sizeof name, "%s", what[i]);
        p->column[i] = ngi_strdup(p->ctx, name);
        failed = !p->column[i];
    }
    return failed ? NG_ENOMEM : NG_OK;
}

static void fill_classes(const ng_model *model, const double *z, double *work,
                         ng_prediction *p) {
    const ng_family *f = &model->family;
    for (size_t i = 0; i < p->rows; i++) {
        double *row = p->values + i * p->columns;
        if (f->dim_mean == p->columns) {
            f->ops->mean(f, 1, z + i * f->dim_z, row, work);
        } else { /* Bernoulli: both tails by themselves */
            double failure = -z[i];
            f->ops->mean(f, 1, &failure, row, work);
            f->ops->mean(f, 1, z + i, row + 1, work);
        }
        for (size_t k = 1; k < p->columns; k++) {
            if (row[k] > row[p->best[i]])
                p->best[i] = k;
        }
    }
}

/* Mean and both ends, margin by margin: one row at a time into its place. */
static void fill_intervals(const ng_model *model, const double *z,
                           double interval, double *work, double *margins,
                           ng_prediction *p) {
    const ng_family *f = &model->family;
    double tail = 0.5 * (1 - interval);
    for (size_t i = 0; i < p->rows; i++) {
        const double *row = z + i * f->dim_z;
        double *out = p->values + i * p->columns;
        f->ops->mean(f, 1, row, margins, work);
        f->ops->quantile(f, 1, row, tail, margins + f->dim_mean, work);
        f->ops->quantile(f, 1, row, 1 - tail, margins + 2 * f->dim_mean, work);
        for (size_t j = 0; j < f->dim_mean; j++) {
            for (size_t k = 0; k < 3; k++)
                out[3 * j + k] = margins[k * f->dim_mean + j];
        }
    }
}

ng_status ng_model_predict(const ng_model *model, const ng_frame *frame,
                           double interval, ng_prediction **out) {
    const ng_family *f = &model->family;
    ng_ctx *ctx = model->ctx;
    size_t n = ng_frame_rows(frame), work_size = ng_family_work(f);
    double *z = NULL, *work = NULL;
    ng_status status = NG_ENOMEM;
    *out = NULL;
    if (!(interval > 0 && interval < 1))
        return ngi_fail(ctx, NG_EUSAGE,
                        "expected an interval between 0 and 1, found %g",
                        interval);
    ng_prediction *p = ngi_alloc(ctx, 1, sizeof *p);
    if (!p)
        return NG_ENOMEM;
    NG_TRY_GOTO(allocate_prediction(model, n, p));
    NG_TRY_GOTO(coordinates(model, frame, n, &z));
    work = ngi_alloc(ctx, work_size + 3 * f->dim_mean, sizeof *work);
    if (!work) {
        status = NG_ENOMEM;
        goto fail;
    }
    if (p->best)
        fill_classes(model, z, work, p);
    else
        fill_intervals(model, z, interval, work, work + work_size, p);
    *out = p;
    p = NULL;
fail:
    ngi_free(ctx, z);
    ngi_free(ctx, work);
    ng_prediction_destroy(&p);
    return status;
}

/* ---- Evaluation ---- */

typedef struct labels {
    double *y; /* n x dim_y */
    const double *weight, *trials;
} labels;

static ng_status read_label_column(const ng_model *model, const ng_frame *frame,
                                   const char *name, size_t stride, double *y) {
    const ng_column *column;
    if (model->levels.count) {
        NG_TRY(ngi_require_column(model->ctx, frame, name, &column));
        return ngi_match_levels(model->ctx, frame, column, &model->levels, y,
                                stride);
    }
    NG_TRY(ngi_require_numeric(model->ctx, frame, name, &column));
    for (size_t i = 0; i < ng_frame_rows(frame); i++)
        y[i * stride] = column->values[i];
    return NG_OK;
}

static ng_status bad_label(const ng_model *model, const ng_frame *frame,
                           size_t row, const char *column, const char *expected,
                           double found) {
    return ngi_fail(model->ctx, NG_EDATA,
                    "%s: row %zu, column \"%s\": expected %s, found %.6g",
                    ng_frame_source(frame), ng_frame_record(frame, row), column,
                    expected, found);
}

/* Whether y could have been in the data of a fit. */
static ng_status check_support(const ng_model *model, const ng_frame *frame,
                               const labels *l) {
    const ng_family *f = &model->family;
    const ngi_glm_family *family = NULL;
    if (model->levels.count || model->trials)
        return NG_OK;
    if (model->is_glm)
        NG_TRY(ngi_glm_family_find(model->ctx, model->family_name, &family));
    for (size_t i = 0; i < ng_frame_rows(frame); i++) {
        const double *y = l->y + i * f->dim_y;
        if (family ? family->in_support(*y) : f->ops->in_support(f, y))
            continue;
        return bad_label(model, frame, i,
                         family ? model->target : model->columns.name[0],
                         family ? family->support : f->ops->support, *y);
    }
    return NG_OK;
}

/* Successes out of trials become shares. */
static ng_status divide_trials(const ng_model *model, const ng_frame *frame,
                               labels *l) {
    for (size_t i = 0; l->trials && i < ng_frame_rows(frame); i++) {
        double m = l->trials[i], k = l->y[i];
        if (!(m >= 0) || m != floor(m))
            return bad_label(model, frame, i, model->trials,
                             "a whole number of trials", m);
        if (!(k >= 0 && k <= m && k == floor(k)))
            return bad_label(model, frame, i, model->target,
                             "a number of successes from 0 to the trials", k);
        l->y[i] = m > 0 ? k / m : 0;
    }
    return NG_OK;
}

static ng_status check_weights(const ng_model *model, const ng_frame *frame,
                               const labels *l) {
    double total = 0;
    size_t n = ng_frame_rows(frame);
    for (size_t i = 0; i < n; i++) {
        double w = l->weight ? l->weight[i] : 1;
        if (w < 0)
            return bad_label(model, frame, i, model->weights, "a weight >= 0",
                             w);
        total += w * (l->trials ? l->trials[i] : 1);
    }
    if (total > 0)
        return NG_OK;
    return ngi_fail(
        model->ctx, NG_EDATA, "%s: column \"%s\": all weights are zero",
        ng_frame_source(frame), model->trials ? model->trials : model->weights);
}

static ng_status read_labels(const ng_model *model, const ng_frame *frame,
                             labels *l) {
    ng_ctx *ctx = model->ctx;
    const ng_column *column;
    size_t width = model->family.dim_y;
    for (size_t j = 0; j < width; j++)
        NG_TRY(read_label_column(model, frame,
                                 model->is_glm ? model->target
                                               : model->columns.name[j],
                                 width, l->y + j));
    if (model->weights) {
        NG_TRY(ngi_require_numeric(ctx, frame, model->weights, &column));
        l->weight = column->values;
    }
    if (model->trials) {
        NG_TRY(ngi_require_numeric(ctx, frame, model->trials, &column));
        l->trials = column->values;
    }
    NG_TRY(check_support(model, frame, l));
    NG_TRY(check_weights(model, frame, l));
    return divide_trials(model, frame, l);
}

static double hits(const ng_model *model, const double *z, double y,
                   double *mean, double *work) {
    const ng_family *f = &model->family;
    size_t best = 0;
    f->ops->mean(f, 1, z, mean, work);
    if (f->dim_mean == 1)
        return mean[0] > 0.5 ? y : 1 - y;
    for (size_t k = 1; k < f->dim_mean; k++)
        best = mean[k] > mean[best] ? k : best;
    return best == (size_t)y ? 1 : 0;
}

ng_status ng_model_evaluate(const ng_model *model, const ng_frame *frame,
                            double *loss, double *accuracy) {
    const ng_family *f = &model->family;
    ng_ctx *ctx = model->ctx;
    size_t n = ng_frame_rows(frame);
    double *z = NULL, total = 0, sum = 0, right = 0;
    ng_status status = NG_ENOMEM;
    labels l = {0};
    bool classes =
        ngi_model_has_classes(model) || strcmp(f->ops->name, "bernoulli") == 0;
    l.y = ngi_alloc(ctx, n * f->dim_y + f->dim_mean + ng_family_work(f),
                    sizeof *l.y);
    if (!l.y)
        return NG_ENOMEM;
    double *mean = l.y + n * f->dim_y, *work = mean + f->dim_mean;
    NG_TRY_GOTO(read_labels(model, frame, &l));
    NG_TRY_GOTO(coordinates(model, frame, n, &z));
    for (size_t i = 0; i < n; i++) {
        const double *row = z + i * f->dim_z, *y = l.y + i * f->dim_y;
        double w = (l.weight ? l.weight[i] : 1) * (l.trials ? l.trials[i] : 1);
        double log_p;
        if (w == 0)
            continue;
        f->ops->log_density(f, 1, row, y, &log_p, work);
        total += w;
        sum -= w * log_p;
        right += classes ? w * hits(model, row, y[0], mean, work) : 0;
    }
    *loss = sum / total;
    *accuracy = classes ? right / total : (double)NAN;
fail:
    ngi_free(ctx, z);
    ngi_free(ctx, l.y);
    return status;
}

/* ---- KL ---- */

static bool same_kind(const ng_model *a, const ng_model *b) {
    if (a->family.ops != b->family.ops || a->family.size != b->family.size ||
        a->levels.count != b->levels.count)
        return false;
    for (size_t k = 0; k < a->levels.count; k++) {
        if (strcmp(a->levels.name[k], b->levels.name[k]) != 0)
            return false;
    }
    return true;
}

static ng_status mean_kl(const ng_model *a, size_t n, const double *za,
                         const double *zb, double *out) {
    const ng_family *f = &a->family;
    double *kl = ngi_alloc(a->ctx, 1 + ng_family_work(f), sizeof *kl);
    if (!kl)
        return NG_ENOMEM;
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        f->ops->kl(f, 1, za + i * f->dim_z, zb + i * f->dim_z, kl, kl + 1);
        *out += kl[0] / (double)n;
    }
    ngi_free(a->ctx, kl);
    return NG_OK;
}

ng_status ng_model_kl(const ng_model *a, const ng_model *b,
                      const ng_frame *frame, double *ab, double *ba) {
    double *za = NULL, *zb = NULL;
    ng_status status = NG_OK;
    size_t n = a->is_glm || b->is_glm ? 0 : 1;
    if (!same_kind(a, b))
        return ngi_fail(
            a->ctx, NG_EUSAGE,
            "no KL between a model of family \"%s\" with %zu levels "
            "and one of family \"%s\" with %zu: expected the "
            "same family and levels",
            a->family_name, a->levels.count, b->family_name, b->levels.count);
    if (n == 0 && !frame)
        return ngi_fail(a->ctx, NG_EUSAGE,
                        "the models have inputs: expected data");
    n = n ? n : ng_frame_rows(frame);
    NG_TRY_GOTO(coordinates(a, frame, n, &za));
    NG_TRY_GOTO(coordinates(b, frame, n, &zb));
    NG_TRY_GOTO(mean_kl(a, n, za, zb, ab));
    NG_TRY_GOTO(mean_kl(a, n, zb, za, ba));
fail:
    ngi_free(a->ctx, za);
    ngi_free(a->ctx, zb);
    return status;
}
