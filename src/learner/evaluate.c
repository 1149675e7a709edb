/* A fitted model on other data: its loss, its accuracy, and the KL divergence
 * between two models. */
#include "learner/apply.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- A row of a glm in the coordinates of its core family ---- */

/* The second coordinate of a family of location and dispersion: log sd of a
 * normal, log shape of a gamma or inverse Gaussian. */
static double dispersion_coordinate(const ng_model *model, double dispersion) {
    double log_dispersion = log(fmax(dispersion, DBL_MIN));
    return model->glm->coordinate == NG_COORDINATE_REAL ? 0.5 * log_dispersion
                                                        : -log_dispersion;
}

/* False where the core has no such point, or the family no core. What has a
 * core coordinate of its own keeps it: a mean of 1 - 1e-17 is not 1. */
static bool core_row(const ngi_apply *a, size_t i, double *z) {
    const ng_model *model = a->model;
    if (!model->glm->core)
        return false;
    if (model->glm->has_levels) {
        memcpy(z, a->eta + i * model->outputs, model->outputs * sizeof *z);
        return true;
    }
    if (model->extras) {
        ngi_glm_law law = ngi_apply_law(a, i);
        return ngi_glm_to_core(model->glm, &law, z);
    }
    z[0] = a->z[i];
    if (model->glm->dispersion)
        z[1] = dispersion_coordinate(model, model->summary.dispersion);
    return isfinite(z[0]) != 0;
}

/* ---- Evaluation ---- */

typedef struct score {
    double total, sum, right;
} score;

static double log_likelihood_of(const ngi_apply *a, size_t i, double *z) {
    const ng_model *model = a->model;
    const ng_family *f = &model->family;
    double log_p;
    if (core_row(a, i, z)) {
        f->ops->log_density(f, 1, z, &a->y[i], &log_p, a->family_work);
        return log_p;
    }
    ngi_glm_law law = ngi_apply_law(a, i);
    if (model->glm->has_levels)
        return -0.5 * model->glm->deviance(&law, a->y[i]);
    return model->glm->log_likelihood(&law, a->y[i], 1);
}

static double hits(const ngi_apply *a, size_t i) {
    size_t levels = a->model->levels.count, best = 0;
    const double *p = a->p + i * levels;
    if (!a->model->glm->has_levels)
        return a->mean[i] > 0.5 ? a->y[i] : 1 - a->y[i];
    for (size_t k = 1; k < levels; k++)
        best = p[k] > p[best] ? k : best;
    return best == (size_t)a->y[i] ? 1 : 0;
}

static ng_status score_glm(const ng_model *model, const ng_frame *frame,
                           bool classes, score *s) {
    ngi_apply a;
    ng_status status;
    double *z = ngi_alloc(model->ctx, model->outputs + 2, sizeof *z);
    if (!z)
        return NG_ENOMEM;
    NG_TRY_GOTO(ngi_apply_open(model, frame, true, &a));
    for (;;) {
        NG_TRY_GOTO(ngi_apply_next(&a));
        if (a.count == 0)
            break;
        for (size_t i = 0; i < a.count; i++) {
            if (a.weight[i] == 0)
                continue;
            s->total += a.weight[i];
            s->sum -= a.weight[i] * log_likelihood_of(&a, i, z);
            s->right += classes ? a.weight[i] * hits(&a, i) : 0;
        }
    }
fail:
    ngi_apply_close(&a);
    ngi_free(model->ctx, z);
    return status;
}

/* The columns of y of a dist model (n x dim_y), and its weights. */
static ng_status read_dist(const ng_model *model, const ng_frame *frame,
                           double *y, const double **weight) {
    size_t width = model->family.dim_y, n = ng_frame_rows(frame);
    const ng_column *column;
    for (size_t j = 0; j < width; j++) {
        const char *name = model->columns.name[j];
        if (model->levels.count) {
            NG_TRY(ngi_require_column(model->ctx, frame, name, &column));
            NG_TRY(ngi_match_levels(model->ctx, frame, column, &model->levels,
                                    y + j, width));
            continue;
        }
        NG_TRY(ngi_require_numeric(model->ctx, frame, name, &column));
        for (size_t i = 0; i < n; i++)
            y[i * width + j] = column->values[i];
    }
    *weight = NULL;
    if (!model->weights)
        return NG_OK;
    NG_TRY(ngi_require_numeric(model->ctx, frame, model->weights, &column));
    *weight = column->values;
    return NG_OK;
}

static ng_status bad_value(const ng_model *model, const ng_frame *frame,
                           size_t row, const char *column, const char *expected,
                           double found) {
    return ngi_fail(model->ctx, NG_EDATA,
                    "%s: row %zu, column \"%s\": expected %s, found %.6g",
                    ng_frame_source(frame), ng_frame_record(frame, row), column,
                    expected, found);
}

static ng_status score_dist(const ng_model *model, const ng_frame *frame,
                            bool classes, score *s) {
    const ng_family *f = &model->family;
    size_t n = ng_frame_rows(frame);
    const double *weight = NULL;
    double log_p;
    double *y = ngi_alloc(
        model->ctx, n * f->dim_y + f->dim_mean + ng_family_work(f), sizeof *y);
    if (!y)
        return NG_ENOMEM;
    double *mean = y + n * f->dim_y, *work = mean + f->dim_mean;
    ng_status status = read_dist(model, frame, y, &weight);
    f->ops->mean(f, 1, model->theta, mean, work);
    size_t best = f->dim_mean == 1 && mean[0] > 0.5 ? 1 : 0;
    for (size_t k = 1; k < f->dim_mean; k++)
        best = mean[k] > mean[best] ? k : best;
    for (size_t i = 0; i < n && status == NG_OK; i++) {
        const double *row = y + i * f->dim_y;
        double w = weight ? weight[i] : 1;
        if (w < 0)
            status =
                bad_value(model, frame, i, model->weights, "a weight >= 0", w);
        else if (!model->levels.count && !f->ops->in_support(f, row))
            status = bad_value(model, frame, i, model->columns.name[0],
                               f->ops->support, *row);
        if (w == 0 || status != NG_OK)
            continue;
        f->ops->log_density(f, 1, model->theta, row, &log_p, work);
        s->total += w;
        s->sum -= w * log_p;
        s->right += classes && (size_t)row[0] == best ? w : 0;
    }
    ngi_free(model->ctx, y);
    return status;
}

static bool is_class_like(const ng_model *model) {
    if (model->is_glm)
        return model->glm->has_levels ||
               strcmp(model->family_name, "binomial") == 0;
    return ngi_model_has_classes(model) ||
           strcmp(model->family.ops->name, "bernoulli") == 0;
}

ng_status ng_model_evaluate(const ng_model *model, const ng_frame *frame,
                            double *loss, double *accuracy) {
    bool classes = is_class_like(model);
    score s = {0, 0, 0};
    NG_TRY(model->is_glm ? score_glm(model, frame, classes, &s)
                         : score_dist(model, frame, classes, &s));
    if (!(s.total > 0))
        return ngi_fail(model->ctx, NG_EDATA,
                        "%s: column \"%s\": all weights are zero",
                        ng_frame_source(frame),
                        model->trials    ? model->trials
                        : model->weights ? model->weights
                                         : model->target);
    *loss = s.sum / s.total;
    *accuracy = classes ? s.right / s.total : (double)NAN;
    return NG_OK;
}

/* ---- KL ---- */

/* A model over the rows of a frame, or a distribution over any. */
typedef struct side {
    const ng_model *model;
    ngi_apply apply; /* glm */
    double *z;       /* of one row, in the core's coordinates */
} side;

static bool same_levels(const ng_model *a, const ng_model *b) {
    if (a->levels.count != b->levels.count)
        return false;
    for (size_t k = 0; k < a->levels.count; k++) {
        if (strcmp(a->levels.name[k], b->levels.name[k]) != 0)
            return false;
    }
    return true;
}

static bool same_kind(const ng_model *a, const ng_model *b) {
    if (!same_levels(a, b))
        return false;
    if (a->glm && b->glm && a->glm == b->glm)
        return true;
    return a->family.ops && a->family.ops == b->family.ops &&
           a->family.size == b->family.size;
}

static ng_status open_side(const ng_model *model, const ng_frame *frame,
                           side *s) {
    size_t size = model->outputs + 2;
    s->model = model;
    if (model->family.ops && model->family.dim_z > size)
        size = model->family.dim_z;
    s->z = ngi_alloc(model->ctx, size, sizeof *s->z);
    if (!s->z)
        return NG_ENOMEM;
    return model->is_glm ? ngi_apply_open(model, frame, false, &s->apply)
                         : NG_OK;
}

static void close_side(side *s) {
    if (!s->model)
        return;
    ngi_apply_close(&s->apply);
    ngi_free(s->model->ctx, s->z);
}

/* z of row i of the block; false where the core has none. */
static bool side_row(side *s, size_t i, const double **z) {
    *z = s->model->is_glm ? s->z : s->model->theta;
    return !s->model->is_glm || core_row(&s->apply, i, s->z);
}

static double row_kl(side *from, side *to, size_t i, double *work) {
    const ng_family *f = &from->model->family;
    const double *z0, *z1;
    double kl;
    bool core = side_row(from, i, &z0);
    core = side_row(to, i, &z1) && core;
    if (core) {
        f->ops->kl(f, 1, z0, z1, &kl, work);
        return kl;
    }
    if (!from->model->glm || from->model->glm != to->model->glm)
        return (double)NAN;
    ngi_glm_law a = ngi_apply_law(&from->apply, i);
    ngi_glm_law b = ngi_apply_law(&to->apply, i);
    return from->model->glm->kl(&a, &b);
}

static ng_status add_rows(side *a, side *b, size_t n, double *work, double *ab,
                          double *ba) {
    for (size_t first = 0; first < n;) {
        if (a->model->is_glm)
            NG_TRY(ngi_apply_next(&a->apply));
        if (b->model->is_glm)
            NG_TRY(ngi_apply_next(&b->apply));
        size_t count = a->model->is_glm ? a->apply.count : b->apply.count;
        if (!a->model->is_glm && !b->model->is_glm)
            count = n;
        for (size_t i = 0; i < count; i++) {
            *ab += row_kl(a, b, i, work) / (double)n;
            *ba += row_kl(b, a, i, work) / (double)n;
        }
        first += count;
    }
    return NG_OK;
}

ng_status ng_model_kl(const ng_model *a, const ng_model *b,
                      const ng_frame *frame, double *ab, double *ba) {
    side one = {.model = NULL}, other = {.model = NULL};
    double *work = NULL;
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
    size_t size = a->family.ops ? ng_family_work(&a->family) : 0;
    work = ngi_alloc(a->ctx, size, sizeof *work);
    if (!work)
        return NG_ENOMEM;
    *ab = *ba = 0;
    NG_TRY_GOTO(open_side(a, frame, &one));
    NG_TRY_GOTO(open_side(b, frame, &other));
    NG_TRY_GOTO(add_rows(&one, &other, n, work, ab, ba));
fail:
    close_side(&one);
    close_side(&other);
    ngi_free(a->ctx, work);
    return status;
}
