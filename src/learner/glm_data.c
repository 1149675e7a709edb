/* From a frame to the arrays of a glm fit. */
#include "learner/glm.h"

#include <float.h>
#include <math.h>
#include <string.h>

void ngi_glm_data_free(ngi_glm_data *data) {
    double *arrays[] = {data->y,      data->weight, data->offset,
                        data->trials, data->X,      data->shift};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        ngi_free(data->ctx, arrays[i]);
}

static ng_status copy_column(ngi_glm_data *data, const ng_frame *frame,
                             const char *name, double **out) {
    const ng_column *column;
    if (!name)
        return NG_OK;
    NG_TRY(ngi_require_numeric(data->ctx, frame, name, &column));
    *out = ngi_alloc(data->ctx, data->n, sizeof **out);
    if (!*out)
        return NG_ENOMEM;
    memcpy(*out, column->values, data->n * sizeof **out);
    return NG_OK;
}

static ng_status bad_cell(const ngi_glm_data *data, const ng_frame *frame,
                          size_t row, const char *column, const char *expected,
                          double found) {
    return ngi_fail(data->ctx, NG_EDATA,
                    "%s: row %zu, column \"%s\": expected %s, found %.6g",
                    ng_frame_source(frame), ng_frame_record(frame, row), column,
                    expected, found);
}

static ng_status read_weights(const ng_frame *frame,
                              const ng_glm_options *options,
                              ngi_glm_data *data) {
    NG_TRY(copy_column(data, frame, options->weights, &data->weight));
    NG_TRY(copy_column(data, frame, options->trials, &data->trials));
    NG_TRY(copy_column(data, frame, options->offset, &data->offset));
    for (size_t i = 0; data->weight && i < data->n; i++) {
        if (data->weight[i] < 0)
            return bad_cell(data, frame, i, options->weights, "a weight >= 0",
                            data->weight[i]);
    }
    for (size_t i = 0; data->trials && i < data->n; i++) {
        double trials = data->trials[i];
        if (!(trials >= 0) || trials != floor(trials))
            return bad_cell(data, frame, i, options->trials,
                            "a whole number of trials", trials);
    }
    return NG_OK;
}

/* Successes out of trials become shares, weighted by the trials. */
static ng_status apply_trials(const ng_frame *frame,
                              const ng_glm_options *options,
                              ngi_glm_data *data) {
    if (!data->trials)
        return NG_OK;
    if (!data->weight) {
        data->weight = ngi_alloc(data->ctx, data->n, sizeof *data->weight);
        if (!data->weight)
            return NG_ENOMEM;
        for (size_t i = 0; i < data->n; i++)
            data->weight[i] = 1;
    }
    for (size_t i = 0; i < data->n; i++) {
        double y = data->y[i], m = data->trials[i];
        if (!(y >= 0 && y <= m && y == floor(y)))
            return bad_cell(data, frame, i, options->target,
                            "a number of successes from 0 to the trials", y);
        data->y[i] = m > 0 ? y / m : 0;
        data->weight[i] *= m;
    }
    return NG_OK;
}

static ng_status count_weight(const ng_frame *frame,
                              const ng_glm_options *options,
                              ngi_glm_data *data) {
    for (size_t i = 0; i < data->n; i++) {
        double w = data->weight ? data->weight[i] : 1;
        data->total_weight += w;
        data->used_rows += w > 0 ? 1 : 0;
    }
    if (data->total_weight > 0)
        return NG_OK;
    return ngi_fail(data->ctx, NG_EDATA,
                    "%s: column \"%s\": all weights are zero",
                    ng_frame_source(frame),
                    options->trials ? options->trials : options->weights);
}

static ng_status read_classes(const ng_frame *frame, const ng_column *column,
                              size_t at_least, size_t at_most, ng_model *model,
                              ngi_glm_data *data) {
    ng_ctx *ctx = data->ctx;
    if (column->levels == 1)
        return ngi_fail(ctx, NG_EDATA,
                        "%s: target \"%s\" has one level only (\"%s\"); "
                        "expected two or more",
                        ng_frame_source(frame), column->name, column->level[0]);
    if (column->levels < at_least)
        return ngi_fail(ctx, NG_EDATA,
                        "%s: target \"%s\" holds numbers; family "
                        "\"multinomial\" expects levels",
                        ng_frame_source(frame), column->name);
    if (column->levels > at_most)
        return ngi_fail(ctx, NG_EDATA,
                        "%s: target \"%s\" has %zu levels; family "
                        "\"binomial\" expects two",
                        ng_frame_source(frame), column->name, column->levels);
    memcpy(data->y, column->values, data->n * sizeof *data->y);
    return ngi_levels_copy(ctx, column->levels, column->level, &model->levels);
}

static ng_status read_numbers(const ng_frame *frame,
                              const ng_glm_options *options,
                              const ngi_glm_family *family,
                              ngi_glm_data *data) {
    const ng_column *column;
    NG_TRY(ngi_require_numeric(data->ctx, frame, options->target, &column));
    memcpy(data->y, column->values, data->n * sizeof *data->y);
    if (options->trials)
        return NG_OK;
    bool binary = strcmp(family->name, "binomial") == 0 && !options->weights;
    for (size_t i = 0; i < data->n; i++) {
        double y = data->y[i];
        if (!family->in_support(y) || (binary && y != 0 && y != 1))
            return ngi_fail(
                data->ctx, NG_EDATA,
                "%s: row %zu, column \"%s\": family \"%s\" expects %s, found "
                "%.6g",
                ng_frame_source(frame), ng_frame_record(frame, i),
                options->target, family->name,
                binary || strcmp(family->name, "binomial") != 0
                    ? family->support
                    : "a share from 0 to 1",
                y);
    }
    return NG_OK;
}

ng_status ngi_glm_read(const ng_frame *frame, const ng_glm_options *options,
                       const ngi_glm_family *family, ng_model *model,
                       ngi_glm_data *data) {
    const ng_column *target;
    NG_TRY(ngi_require_column(data->ctx, frame, options->target, &target));
    data->n = ng_frame_rows(frame);
    data->y = ngi_alloc(data->ctx, data->n, sizeof *data->y);
    if (!data->y)
        return NG_ENOMEM;
    NG_TRY(read_weights(frame, options, data));
    if (!family->variance)
        NG_TRY(read_classes(frame, target, 2, SIZE_MAX, model, data));
    else if (target->levels && strcmp(family->name, "binomial") == 0 &&
             !options->trials)
        NG_TRY(read_classes(frame, target, 2, 2, model, data));
    else
        NG_TRY(read_numbers(frame, options, family, data));
    NG_TRY(apply_trials(frame, options, data));
    return count_weight(frame, options, data);
}

/* Shift to near the mean, scale to near the standard deviation, both rounded
 * so that applying them rounds as little as can be: the scale to a power of
 * two, which is exact, the shift to a multiple of the scale (a difference of
 * numbers within a factor of two has no rounding error, Sterbenz 1974; others
 * lose at most half a unit in the last place of the result). Whole numbers,
 * years, pixels come through unchanged. */
static void choose_coordinates(const ngi_glm_data *data, size_t j, bool centre,
                               double *shift, double *scale) {
    double mean = 0, spread = 0, n = (double)data->n;
    for (size_t i = 0; i < data->n; i++)
        mean += (data->X[i * data->p + j] - mean) / ((double)i + 1);
    double about = centre ? mean : 0;
    for (size_t i = 0; i < data->n; i++) {
        double r = data->X[i * data->p + j] - about;
        spread = hypot(spread, r);
    }
    spread /= sqrt(n);
    *shift = 0;
    *scale = 1;
    /* A constant column has no spread beyond rounding and stays as it is. */
    if (!(spread > 4 * DBL_EPSILON * fabs(mean)) || !isfinite(spread))
        return;
    int exponent;
    frexp(spread, &exponent);
    *scale = ldexp(1, exponent);
    if (centre)
        *shift = rint(mean / *scale) * *scale;
}

ng_status ngi_glm_standardize(ngi_glm_data *data, int intercept, bool wanted) {
    data->shift = ngi_alloc(data->ctx, 3 * data->p, sizeof *data->shift);
    if (!data->shift)
        return NG_ENOMEM;
    data->scale = data->shift + data->p;
    data->ridge = data->scale + data->p;
    for (size_t j = 0; j < data->p; j++) {
        data->scale[j] = 1;
        if (!wanted || (intercept && j == 0))
            continue;
        choose_coordinates(data, j, intercept, &data->shift[j],
                           &data->scale[j]);
        for (size_t i = 0; i < data->n; i++) {
            double *x = &data->X[i * data->p + j];
            *x = (*x - data->shift[j]) / data->scale[j];
        }
    }
    return NG_OK;
}
