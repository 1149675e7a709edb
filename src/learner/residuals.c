/* Residuals and influence of the rows of a glm: R's definitions, and the
 * quantile residuals of Dunn & Smyth (1996). */
#include "learner/apply.h"
#include "numerics/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum {
    FITTED,
    LINK,
    RESPONSE,
    PEARSON,
    DEVIANCE,
    QUANTILE,
    STD_PEARSON,
    STD_DEVIANCE,
    LEVERAGE,
    COOK,
    COLUMNS
};
static const char *const NAMES[COLUMNS] = {
    "fitted",   "link",        "response",     "pearson",  "deviance",
    "quantile", "std_pearson", "std_deviance", "leverage", "cook"};

enum { ORDINAL_FITTED, ORDINAL_LINK, ORDINAL_DEVIANCE, ORDINAL_QUANTILE };
static const char *const ORDINAL_NAMES[] = {"fitted", "link", "deviance",
                                            "quantile"};
enum { ORDINAL_COLUMNS = sizeof ORDINAL_NAMES / sizeof *ORDINAL_NAMES };

/* The weighted design of the expected Fisher, as a triangular factor. */
typedef struct influence {
    ng_ctx *ctx;
    size_t width;
    double *scale; /* of each column; 0 for aliased ones */
    double *root;  /* of the weights of a block's rows */
    double *B;     /* block x width, column-major */
    double *L;     /* lower: L L' = scale (X' W X + ridge) scale */
    double *row;   /* width */
    double *qr_work, *kernel_work;
    double total; /* weight */
} influence;

static ng_status create_influence(const ng_model *model, influence *f) {
    size_t width = model->design->width;
    ngi_glm_kernel kernel;
    model->glm->kernel(&model->family, model->links[0], model->summary.power, 0,
                       &kernel);
    *f = (influence){.ctx = model->ctx, .width = width};
    /* The ridge is appended as width rows. */
    size_t rows = NGI_APPLY_ROWS > width ? NGI_APPLY_ROWS : width;
    f->B = ngi_alloc(f->ctx, rows, width * sizeof *f->B);
    f->L = ngi_alloc(f->ctx, width, width * sizeof *f->L);
    f->scale = ngi_alloc(f->ctx,
                         2 * width + NGI_APPLY_ROWS * (1 + kernel.work) +
                             ngi_qr_work(width),
                         sizeof *f->scale);
    if (!f->B || !f->L || !f->scale)
        return NG_ENOMEM;
    f->row = f->scale + width;
    f->root = f->row + width;
    f->kernel_work = f->root + NGI_APPLY_ROWS;
    f->qr_work = f->kernel_work + NGI_APPLY_ROWS * kernel.work;
    return NG_OK;
}

static void free_influence(influence *f) {
    if (!f->ctx)
        return;
    ngi_free(f->ctx, f->B);
    ngi_free(f->ctx, f->L);
    ngi_free(f->ctx, f->scale);
}

/* Roots of the weights of Fisher scoring, at dispersion 1. */
static void fill_roots(const ngi_apply *a, const influence *f) {
    double *root = f->root;
    const ng_model *model = a->model;
    /* The mean of a beta has its information from log y, not from y alone. */
    bool by_kernel = strcmp(model->family_name, "beta") == 0;
    const ngi_glm_terms terms = {.curvature = root};
    if (by_kernel)
        a->kernel.ops->terms(&a->kernel, a->count, a->eta,
                             ngi_model_shared(model), a->y, NULL, &terms,
                             f->kernel_work);
    for (size_t i = 0; i < a->count; i++) {
        ngi_glm_law law = ngi_apply_law(a, i);
        double W = by_kernel
                       ? root[i]
                       : a->dmean[i] * a->dmean[i] / model->glm->variance(&law);
        W *= a->weight[i];
        root[i] = W > 0 && isfinite(W) ? sqrt(W) : 0;
    }
}

static double absolute_maximum(const ngi_apply *a, const influence *f,
                               size_t j) {
    double most = 0;
    for (size_t i = 0; i < a->count; i++)
        most = fmax(most, fabs(f->root[i] * a->x[j][i]));
    return most;
}

static ng_status measure_columns(const ng_model *model, const ng_frame *frame,
                                 influence *f) {
    ngi_apply a;
    NG_TRY(ngi_apply_open(model, frame, true, &a));
    ng_status status;
    for (;;) {
        NG_TRY_GOTO(ngi_apply_next(&a));
        if (a.count == 0)
            break;
        fill_roots(&a, f);
        for (size_t j = 0; j < f->width; j++)
            f->scale[j] = fmax(f->scale[j], absolute_maximum(&a, f, j));
        for (size_t i = 0; i < a.count; i++)
            f->total += a.weight[i];
    }
    for (size_t j = 0; j < f->width; j++) {
        bool used = !model->parameter[j].aliased && f->scale[j] > 0;
        f->scale[j] = used ? 1 / f->scale[j] : 0;
    }
fail:
    ngi_apply_close(&a);
    return status;
}

static void scaled_rows(const ngi_apply *a, const influence *f) {
    for (size_t j = 0; j < f->width; j++) {
        for (size_t i = 0; i < a->count; i++)
            f->B[j * a->count + i] = f->root[i] * f->scale[j] * a->x[j][i];
    }
}

/* What holds the coefficients beside the data: the ridge, and for aliased
 * columns anything, since their entries in a row are 0. */
static void append_ridge(const ng_model *model, influence *f) {
    size_t width = f->width;
    memset(f->B, 0, width * width * sizeof *f->B);
    for (size_t j = 0; j < width; j++) {
        bool free_of_charge = model->design->intercept && j == 0;
        double ridge = free_of_charge ? 0 : model->summary.l2 * f->total;
        f->B[j * width + j] =
            f->scale[j] > 0 ? sqrt(fmax(ridge, 0)) * f->scale[j] : 1;
    }
    ngi_qr_append(width, f->L, width, f->B, width, true, f->qr_work);
}

static ng_status factor(const ng_model *model, const ng_frame *frame,
                        influence *f) {
    ngi_apply a;
    ng_status status;
    NG_TRY(create_influence(model, f));
    NG_TRY(measure_columns(model, frame, f));
    NG_TRY(ngi_apply_open(model, frame, true, &a));
    for (;;) {
        NG_TRY_GOTO(ngi_apply_next(&a));
        if (a.count == 0)
            break;
        fill_roots(&a, f);
        scaled_rows(&a, f);
        ngi_qr_append(f->width, f->L, a.count, f->B, a.count, false,
                      f->qr_work);
    }
    append_ridge(model, f);
fail:
    ngi_apply_close(&a);
    return status;
}

/* |L^-1 b|^2 for the scaled row b. */
static double leverage(const influence *f, size_t count, size_t i) {
    double sum = 0;
    for (size_t j = 0; j < f->width; j++) {
        const double *own = f->L + j * f->width;
        double v = f->B[j * count + i] - ngi_dot(j, own, f->row);
        f->row[j] = f->B[j * count + i] == 0 && v == 0 ? 0 : v / own[j];
        sum += f->row[j] * f->row[j];
    }
    return fmin(sum, 1);
}

/* ---- Residuals ---- */

static double signed_root(double sign, double square) {
    double root = square > 0 ? sqrt(square) : 0;
    if (isnan(square))
        return (double)NAN;
    return sign < 0 ? -root : root;
}

/* The law of what a row reports: a mean of w draws has w-th of the
 * dispersion. */
static double quantile_residual(const ngi_apply *a, size_t i, uint64_t seed) {
    const ng_model *model = a->model;
    ngi_glm_law law = ngi_apply_law(a, i);
    ng_rng rng;
    bool counted =
        model->trials || model->design->response == NGI_RESPONSE_COUNTS;
    if (model->glm->dispersion)
        law.dispersion /= a->weight[i];
    law.trials = counted ? a->trials[i] : a->weight[i];
    ng_rng_init(&rng, seed, a->first + i);
    return ngi_glm_quantile_residual(model->glm, &law, a->y[i],
                                     ng_rng_uniform(&rng));
}

static void fill_row(const ngi_apply *a, size_t i, uint64_t seed, double *row) {
    const ng_model *model = a->model;
    ngi_glm_law law = ngi_apply_law(a, i);
    double w = a->weight[i], gap = a->y[i] - law.mean;
    row[FITTED] = law.mean;
    row[LINK] = a->eta[i];
    row[RESPONSE] = gap;
    if (w == 0) {
        for (size_t k = PEARSON; k < COLUMNS; k++)
            row[k] = (double)NAN;
        return;
    }
    row[PEARSON] = gap == 0 ? 0 : gap * sqrt(w / model->glm->variance(&law));
    row[DEVIANCE] = signed_root(gap, w * model->glm->deviance(&law, a->y[i]));
    row[QUANTILE] = quantile_residual(a, i, seed);
}

static void fill_influence(const ng_model *model, double h, double *row) {
    /* As influence() in R has it: a leverage of 1 to rounding is 1. */
    double left = h > 1 - 10 * DBL_EPSILON ? 0 : 1 - h;
    double dispersion = model->glm->dispersion ? model->summary.dispersion : 1;
    double parameters = model->summary.l2 > 0 ? model->summary.df_effective
                                              : (double)model->summary.rank;
    if (isnan(row[PEARSON]))
        return;
    double spread = sqrt(dispersion * left);
    row[LEVERAGE] = h;
    row[STD_PEARSON] = left > 0 ? row[PEARSON] / spread : (double)NAN;
    row[STD_DEVIANCE] = left > 0 ? row[DEVIANCE] / spread : (double)NAN;
    double moved = row[PEARSON] / left;
    row[COOK] =
        left > 0 ? moved * moved * h / (dispersion * parameters) : (double)NAN;
}

static ng_status fill_table(const ng_model *model, const ng_frame *frame,
                            uint64_t seed, ng_prediction *p) {
    influence f = {.ctx = NULL};
    ngi_apply a = {.model = NULL};
    ng_status status;
    NG_TRY_GOTO(factor(model, frame, &f));
    NG_TRY_GOTO(ngi_apply_open(model, frame, true, &a));
    for (;;) {
        NG_TRY_GOTO(ngi_apply_next(&a));
        if (a.count == 0)
            break;
        fill_roots(&a, &f);
        scaled_rows(&a, &f);
        for (size_t i = 0; i < a.count; i++) {
            double *row = p->values + (a.first + i) * COLUMNS;
            fill_row(&a, i, seed, row);
            fill_influence(model, leverage(&f, a.count, i), row);
        }
    }
fail:
    ngi_apply_close(&a);
    free_influence(&f);
    return status;
}

static ng_status fill_ordinal(const ng_model *model, const ng_frame *frame,
                              uint64_t seed, ng_prediction *p) {
    ngi_apply a;
    ng_status status;
    NG_TRY(ngi_apply_open(model, frame, true, &a));
    for (;;) {
        NG_TRY_GOTO(ngi_apply_next(&a));
        if (a.count == 0)
            break;
        for (size_t i = 0; i < a.count; i++) {
            double *row = p->values + (a.first + i) * ORDINAL_COLUMNS;
            ngi_glm_law law = ngi_apply_law(&a, i);
            bool used = a.weight[i] > 0;
            double deviance = a.weight[i] * model->glm->deviance(&law, a.y[i]);
            row[ORDINAL_FITTED] = law.p[(size_t)a.y[i]];
            row[ORDINAL_LINK] = a.eta[i];
            row[ORDINAL_DEVIANCE] =
                used ? signed_root(1, deviance) : (double)NAN;
            row[ORDINAL_QUANTILE] =
                used ? quantile_residual(&a, i, seed) : (double)NAN;
        }
    }
fail:
    ngi_apply_close(&a);
    return status;
}

ng_status ng_model_residuals(const ng_model *model, const ng_frame *frame,
                             uint64_t seed, ng_prediction **out) {
    ng_prediction *p = NULL;
    ng_status status;
    *out = NULL;
    if (!model->is_glm || (model->glm->has_levels && !model->extras))
        return ngi_fail(model->ctx, NG_EUNSUPPORTED,
                        "residuals are those of a glm with a mean or with "
                        "ordered levels: this model is of family \"%s\"",
                        model->family_name);
    bool ordinal = model->glm->has_levels;
    size_t columns = ordinal ? (size_t)ORDINAL_COLUMNS : (size_t)COLUMNS;
    NG_TRY_GOTO(
        ngi_prediction_create(model->ctx, ng_frame_rows(frame), columns, &p));
    for (size_t k = 0; k < columns; k++)
        NG_TRY_GOTO(ngi_prediction_name(
            p, k, ordinal ? ORDINAL_NAMES[k] : NAMES[k], NULL));
    NG_TRY_GOTO(ordinal ? fill_ordinal(model, frame, seed, p)
                        : fill_table(model, frame, seed, p));
    *out = p;
    return NG_OK;
fail:
    ng_prediction_destroy(&p);
    return status;
}
