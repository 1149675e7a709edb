/* A fitted glm on the rows of a frame. */
#include "learner/apply.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>
#include <string.h>

const double *ngi_model_shared(const ng_model *model) {
    return model->theta + (model->dim - model->extras);
}

static void mean_of_coordinate(ng_coordinate coordinate, double z, double *mean,
                               double *slope) {
    switch (coordinate) {
    case NG_COORDINATE_LOG:
        *mean = *slope = exp(z);
        return;
    case NG_COORDINATE_LOGIT:
        *mean = ngi_expit(z);
        *slope = *mean * ngi_expit(-z);
        return;
    case NG_COORDINATE_REAL:
    case NG_COORDINATE_OTHER:
        break;
    }
    *mean = z;
    *slope = 1;
}

double ngi_model_mean_at(const ng_model *model, double eta) {
    double z, mean, slope;
    ng_coordinate coordinate = model->glm->coordinate;
    ng_link_inverse(model->links[0], coordinate, 1, &eta, &z, NULL, NULL);
    mean_of_coordinate(coordinate, z, &mean, &slope);
    return mean;
}

/* ---- Opening ---- */

static ng_status numeric_column(const ngi_apply *a, const char *name,
                                const double **out) {
    const ng_column *column;
    *out = NULL;
    if (!name)
        return NG_OK;
    NG_TRY(ngi_require_numeric(a->model->ctx, a->frame, name, &column));
    *out = column->values;
    return NG_OK;
}

/* A target by its name, beside a design that has only features. */
static ng_status find_target(ngi_apply *a) {
    const ng_model *model = a->model;
    const ng_column *column;
    if (model->design->response != NGI_RESPONSE_NONE)
        return NG_OK;
    if (!model->levels.count)
        return numeric_column(a, model->target, &a->target);
    NG_TRY(ngi_require_column(model->ctx, a->frame, model->target, &column));
    a->matched =
        ngi_alloc(model->ctx, ng_frame_rows(a->frame), sizeof *a->matched);
    if (!a->matched)
        return NG_ENOMEM;
    a->target = a->matched;
    return ngi_match_levels(model->ctx, a->frame, column, &model->levels,
                            a->matched, 1);
}

static ng_status allocate(ngi_apply *a) {
    enum { ARRAYS = 8 }; /* z, dz, mean, dmean, y, weight, trials, failures */
    const ng_model *model = a->model;
    ng_ctx *ctx = model->ctx;
    size_t width = model->design->width;
    size_t own = model->outputs + model->levels.count + ARRAYS;
    size_t family = model->family.ops ? ng_family_work(&model->family) : 0;
    size_t design = ngi_design_work(model->design, NGI_APPLY_ROWS);
    a->values = ngi_alloc(ctx, a->table.columns, sizeof *a->values);
    a->x = ngi_alloc(ctx, width, sizeof *a->x);
    a->storage = ngi_alloc(ctx, own * NGI_APPLY_ROWS + family + design,
                           sizeof *a->storage);
    if (!a->values || !a->x || !a->storage)
        return NG_ENOMEM;
    double **arrays[ARRAYS] = {&a->z, &a->dz,     &a->mean,   &a->dmean,
                               &a->y, &a->weight, &a->trials, &a->failures};
    double *at = a->storage;
    for (size_t i = 0; i < ARRAYS; i++, at += NGI_APPLY_ROWS)
        *arrays[i] = at;
    a->eta = at;
    a->p = a->eta + NGI_APPLY_ROWS * model->outputs;
    a->family_work = a->p + NGI_APPLY_ROWS * model->levels.count;
    a->work = a->family_work + family;
    return NG_OK;
}

ng_status ngi_apply_open(const ng_model *model, const ng_frame *frame,
                         bool with_target, ngi_apply *out) {
    ng_status status;
    *out =
        (ngi_apply){.model = model, .frame = frame, .with_target = with_target};
    ngi_table_of_frame(frame, &out->table);
    status =
        ngi_design_bind(model->design, &out->table, with_target, &out->binding);
    if (status != NG_OK) {
        out->model = NULL;
        return status;
    }
    if (model->glm->kernel)
        model->glm->kernel(&model->family, model->links[0],
                           model->summary.power, model->levels.count,
                           &out->kernel);
    NG_TRY_GOTO(numeric_column(out, model->offset, &out->offset));
    if (with_target) {
        NG_TRY_GOTO(numeric_column(out, model->weights, &out->prior));
        NG_TRY_GOTO(numeric_column(out, model->trials, &out->trial_column));
        NG_TRY_GOTO(find_target(out));
    }
    NG_TRY_GOTO(allocate(out));
    return NG_OK;
fail:
    ngi_apply_close(out);
    return status;
}

void ngi_apply_close(ngi_apply *a) {
    if (!a->model)
        return;
    ng_ctx *ctx = a->model->ctx;
    ngi_design_unbind(&a->binding);
    ngi_free(ctx, a->matched);
    ngi_free(ctx, a->values);
    ngi_free(ctx, a->x);
    ngi_free(ctx, a->storage);
    a->model = NULL;
}

/* ---- A block ---- */

ng_status ngi_apply_bad_row(const ngi_apply *a, size_t i, const char *column,
                            const char *expected, double found) {
    return ngi_fail(a->model->ctx, NG_EDATA,
                    "%s: row %zu, column \"%s\": expected %s, found %.6g",
                    ng_frame_source(a->frame),
                    ng_frame_record(a->frame, a->first + i), column, expected,
                    found);
}

/* Row-major, and a row's sum in the order of the columns. */
static void add_columns(ngi_apply *a) {
    size_t width = a->model->design->width, outputs = a->model->outputs;
    for (size_t j = 0; j < width; j++) {
        for (size_t c = 0; c < outputs; c++) {
            double theta = a->model->theta[c * width + j];
            for (size_t i = 0; i < a->count; i++)
                a->eta[i * outputs + c] += theta * a->x[j][i];
        }
    }
}

static void fill_predictor(ngi_apply *a, const ngi_table_block *block) {
    size_t outputs = a->model->outputs;
    memset(a->eta, 0, a->count * outputs * sizeof *a->eta);
    if (a->model->design->has_offset) {
        /* No family with several outputs has an offset. */
        ngi_design_offset(&a->binding, block, a->work, a->mean);
        for (size_t i = 0; outputs == 1 && i < a->count; i++)
            a->eta[i] = a->mean[i];
    }
    for (size_t i = 0; a->offset && outputs == 1 && i < a->count; i++)
        a->eta[i] += a->offset[a->first + i];
    ngi_design_columns(&a->binding, block, a->work, a->x);
    add_columns(a);
}

static ng_status outside_domain(const ngi_apply *a, size_t i) {
    return ngi_fail(a->model->ctx, NG_EDATA,
                    "%s: row %zu: the predictor leaves the domain of link "
                    "\"%s\"",
                    ng_frame_source(a->frame),
                    ng_frame_record(a->frame, a->first + i),
                    a->model->link_name);
}

static ng_status fill_means(ngi_apply *a) {
    ng_coordinate coordinate = a->model->glm->coordinate;
    ng_link_inverse(a->model->links[0], coordinate, a->count, a->eta, a->z,
                    a->dz, NULL);
    for (size_t i = 0; i < a->count; i++) {
        double slope;
        /* Rows of weight 0 were not part of the fit. */
        bool counts = !a->with_target || a->weight[i] > 0;
        if (isnan(a->z[i]) && counts)
            return outside_domain(a, i);
        mean_of_coordinate(coordinate, a->z[i], &a->mean[i], &slope);
        a->dmean[i] = slope * a->dz[i];
    }
    return NG_OK;
}

static ng_status fill_laws(ngi_apply *a) {
    const ng_model *model = a->model;
    for (size_t i = 0; i < a->count * model->outputs; i++) {
        if (isnan(a->eta[i]))
            return outside_domain(a, i / model->outputs);
    }
    if (!model->glm->has_levels)
        return fill_means(a);
    if (model->glm->kernel)
        a->kernel.ops->probabilities(&a->kernel, a->count, a->eta,
                                     ngi_model_shared(model), a->p, NULL, NULL);
    else
        model->family.ops->mean(&model->family, a->count, a->eta, a->p,
                                a->family_work);
    return NG_OK;
}

/* Successes out of trials become shares. */
static ng_status divide_trials(ngi_apply *a) {
    const ng_model *model = a->model;
    for (size_t i = 0; i < a->count; i++) {
        double m = a->trials[i], k = a->y[i];
        if (!(m >= 0) || m != floor(m))
            return ngi_apply_bad_row(
                a, i, model->trials ? model->trials : model->target,
                "a whole number of trials", m);
        if (!(k >= 0 && k <= m && k == floor(k)))
            return ngi_apply_bad_row(
                a, i, model->target,
                "a number of successes from 0 to the trials", k);
        a->y[i] = m > 0 ? k / m : 0;
        a->weight[i] *= m;
    }
    return NG_OK;
}

static ng_status fill_target(ngi_apply *a, const ngi_table_block *block) {
    const ng_model *model = a->model;
    bool counts = model->design->response == NGI_RESPONSE_COUNTS;
    if (a->target)
        memcpy(a->y, a->target + a->first, a->count * sizeof *a->y);
    else
        ngi_design_response(&a->binding, block, a->work, a->y,
                            counts ? a->failures : NULL);
    for (size_t i = 0; i < a->count; i++) {
        a->weight[i] = a->prior ? a->prior[a->first + i] : 1;
        a->trials[i] = counts ? a->y[i] + a->failures[i] : 1;
        if (a->trial_column)
            a->trials[i] = a->trial_column[a->first + i];
        if (!(a->weight[i] >= 0))
            return ngi_apply_bad_row(a, i, model->weights, "a weight >= 0",
                                     a->weight[i]);
    }
    if (counts || a->trial_column)
        return divide_trials(a);
    for (size_t i = 0; !model->levels.count && i < a->count; i++) {
        if (!model->glm->in_support(a->y[i], model->summary.power))
            return ngi_apply_bad_row(a, i, model->target, model->glm->support,
                                     a->y[i]);
    }
    return NG_OK;
}

ng_status ngi_apply_next(ngi_apply *a) {
    size_t rows = ng_frame_rows(a->frame);
    a->first += a->count;
    a->count =
        rows - a->first < NGI_APPLY_ROWS ? rows - a->first : NGI_APPLY_ROWS;
    if (a->count == 0)
        return NG_OK;
    for (size_t j = 0; j < a->table.columns; j++)
        a->values[j] = a->table.column(&a->table, j)->values + a->first;
    const ngi_table_block block = {a->first, a->count, a->values};
    /* What the design computes shares its scratch: the target is copied out
     * before the columns are made. */
    if (a->with_target)
        NG_TRY(fill_target(a, &block));
    fill_predictor(a, &block);
    return fill_laws(a);
}

ngi_glm_law ngi_apply_law(const ngi_apply *a, size_t i) {
    const ng_model *model = a->model;
    size_t levels = model->glm->has_levels ? model->levels.count : 0;
    return (ngi_glm_law){
        .mean = levels ? (double)NAN : a->mean[i],
        .dispersion = model->glm->dispersion ? model->summary.dispersion : 1,
        .trials = 1,
        .power = model->summary.power,
        .psi = ngi_model_shared(model),
        .p = levels ? a->p + i * levels : NULL,
        .levels = levels};
}
