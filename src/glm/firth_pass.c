/* The two passes of a bias-reduced fit: the Fisher, then, with its inverse, hat
 * values and the adjusted score. */
#include "glm/firth_impl.h"

#include "numerics/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- Memory ---- */

void ngi_firth_release(ngi_firth *f) {
    for (size_t i = 0; f->worker && i < f->workers; i++)
        ngi_free(f->ctx, f->worker[i].eta);
    ngi_free(f->ctx, f->worker);
    ngi_free(f->ctx, f->index);
    ngi_free(f->ctx, f->scale);
    ngi_free(f->ctx, f->here.C);
    ngi_free(f->ctx, f->trial.C);
    ngi_free(f->ctx, f->B);
}

ng_status ngi_firth_reserve(ngi_firth *f) {
    size_t n = f->rows->block_rows, p = f->width;
    size_t size =
        n * (7 + f->kernel->work + 2 * p) + p * p + 2 * p + 8 /* a line */;
    f->workers = f->rows->workers;
    f->worker = ngi_alloc(f->ctx, f->workers, sizeof *f->worker);
    f->index = ngi_alloc(f->ctx, p, sizeof *f->index);
    f->scale = ngi_alloc(f->ctx, 12 * p, sizeof *f->scale);
    f->B = ngi_alloc(f->ctx, p, p * sizeof *f->B);
    f->here.C = ngi_alloc(f->ctx, p, p * sizeof *f->here.C);
    f->trial.C = ngi_alloc(f->ctx, p, p * sizeof *f->trial.C);
    if (!f->worker || !f->index || !f->scale || !f->here.C || !f->trial.C ||
        !f->B)
        return NG_ENOMEM;
    f->root = f->scale + p;
    f->here.theta = f->root + p;
    f->here.gradient = f->here.theta + p;
    f->here.direction = f->here.gradient + p;
    f->trial.theta = f->here.direction + p;
    f->trial.gradient = f->trial.theta + p;
    f->trial.direction = f->trial.gradient + p;
    f->change = f->trial.direction + p;
    f->left = f->change + p;
    f->right = f->left + p;
    f->step = f->right + p;
    for (size_t i = 0; i < f->workers; i++) {
        ngi_firth_worker *w = &f->worker[i];
        w->eta = ngi_alloc(f->ctx, size, sizeof *w->eta);
        if (!w->eta)
            return NG_ENOMEM;
        w->loss = w->eta + n;
        w->score = w->loss + n;
        w->curvature = w->score + n;
        w->mean = w->curvature + n;
        w->slope = w->mean + n;
        w->bend = w->slope + n;
        w->work = w->bend + n;
        w->scaled = w->work + n * f->kernel->work;
        w->product = w->scaled + n * p;
        w->F = w->product + n * p;
        w->gradient = w->F + p * p;
        w->largest = w->gradient + p;
    }
    return NG_OK;
}

/* ---- Passes ---- */

static ng_status look(ngi_firth *f, ngi_glm_visit visit) {
    if (ngi_cancelled(f->ctx))
        return ngi_fail(f->ctx, NG_ECANCELLED, "cancelled");
    f->examples += (double)f->rows->rows;
    return f->rows->each(f->rows, 1, visit, f);
}

static bool counts(const ngi_glm_block *block, size_t i) {
    return !block->weight || block->weight[i] > 0;
}

static void visit_columns(void *user, size_t worker,
                          const ngi_glm_block *block) {
    ngi_firth *f = user;
    double *largest = f->worker[worker].largest;
    for (size_t j = 0; j < f->width; j++) {
        for (size_t i = 0; i < block->count; i++) {
            if (counts(block, i))
                largest[j] = fmax(largest[j], fabs(block->x[j][i]));
        }
    }
}

ng_status ngi_firth_columns(ngi_firth *f, const bool *held) {
    NG_TRY(look(f, visit_columns));
    for (size_t j = 0; j < f->width; j++) {
        double largest = 0;
        for (size_t w = 0; w < f->workers; w++)
            largest = fmax(largest, f->worker[w].largest[j]);
        if (held && held[j])
            continue;
        f->index[f->active++] = j;
        f->scale[j] = largest > DBL_MIN ? 1 / largest : 1;
    }
    return NG_OK;
}

/* The columns that are not held, in a row: w->scaled. */
static void gather(const ngi_firth *f, const ngi_glm_block *block,
                   const double *root, ngi_firth_worker *w) {
    for (size_t k = 0; k < f->active; k++) {
        const double *x = block->x[f->index[k]];
        double scale = f->scale[f->index[k]];
        double *out = w->scaled + k * block->count;
        for (size_t i = 0; i < block->count; i++)
            out[i] = root[i] == 0 ? 0 : x[i] * scale * root[i];
    }
}

/* eta, the kernel's terms times the weights, and the root of the curvature. */
static void evaluate_rows(const ngi_firth *f, const ngi_glm_block *block,
                          ngi_firth_worker *w) {
    ngi_glm_terms terms = {
        .loss = w->loss, .score = w->score, .curvature = w->curvature};
    ngi_glm_predictor(f->rows, block, f->at->theta, w->eta);
    f->kernel->ops->terms(f->kernel, block->count, w->eta, NULL, block->y,
                          block->weight, &terms, w->work);
    for (size_t i = 0; i < block->count; i++) {
        double weight = block->weight ? block->weight[i] : 1;
        w->loss[i] = weight > 0 ? weight * w->loss[i] : 0;
        w->score[i] = weight > 0 ? weight * w->score[i] : 0;
        w->curvature[i] = weight > 0 ? sqrt(weight * w->curvature[i]) : 0;
    }
}

static void visit_fisher(void *user, size_t worker,
                         const ngi_glm_block *block) {
    ngi_firth *f = user;
    ngi_firth_worker *w = &f->worker[worker];
    evaluate_rows(f, block, w);
    for (size_t i = 0; i < block->count; i++)
        w->sum += w->loss[i];
    if (!isfinite(w->sum) || f->active == 0)
        return;
    gather(f, block, w->curvature, w);
    ngi_syrk_columns(f->active, block->count, w->scaled, block->count, w->F,
                     f->active);
}

/* h_i = |L^-1 W^1/2 x_i|^2, here with C = (L L')^-1; its sum over rows is the
 * number of parameters. */
static void visit_score(void *user, size_t worker, const ngi_glm_block *block) {
    ngi_firth *f = user;
    ngi_firth_worker *w = &f->worker[worker];
    size_t n = block->count, a = f->active;
    double total = f->rows->total_weight;
    evaluate_rows(f, block, w);
    gather(f, block, w->curvature, w);
    memset(w->product, 0, n * a * sizeof *w->product);
    ngi_gemm_tn(a, n, a, f->at->C, a, w->scaled, n, w->product, n);
    f->kernel->ops->mean(f->kernel, n, w->eta, w->mean, w->slope, w->bend);
    for (size_t i = 0; i < n; i++) {
        double h = 0, ratio = w->bend[i] / w->slope[i];
        for (size_t k = 0; k < a; k++)
            h += w->scaled[k * n + i] * w->product[k * n + i];
        /* A mean that has come to its end has no hat value left either. */
        if (w->curvature[i] > 0 && isfinite(ratio))
            w->score[i] -= 0.5 * h / total * ratio;
    }
    for (size_t k = 0; k < a; k++) {
        const double *x = block->x[f->index[k]];
        double scale = f->scale[f->index[k]], sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += w->score[i] == 0 ? 0 : w->score[i] * (x[i] * scale);
        w->gradient[k] += sum;
    }
}

/* ---- A point ---- */

/* C = F^-1 by way of a unit diagonal, and log |F|. */
static bool invert(ngi_firth *f, double *C, double *log_det) {
    size_t a = f->active;
    *log_det = 0;
    for (size_t i = 0; i < a; i++) {
        double diagonal = C[i * a + i];
        if (!(diagonal > 0) || !isfinite(diagonal))
            return false;
        f->root[i] = sqrt(diagonal);
    }
    for (size_t i = 0; i < a; i++) {
        for (size_t j = 0; j <= i; j++)
            C[i * a + j] /= f->root[i] * f->root[j];
    }
    if (a == 0)
        return true;
    if (!ngi_cholesky(a, C))
        return false;
    for (size_t i = 0; i < a; i++) {
        double pivot = C[i * a + i];
        if (!(pivot * pivot > 10 * (double)a * DBL_EPSILON))
            return false;
        *log_det += 2 * log(pivot * f->root[i]);
    }
    if (!ngi_cholesky_inverse(a, C))
        return false;
    for (size_t i = 0; i < a; i++) {
        for (size_t j = 0; j <= i; j++)
            C[i * a + j] /= f->root[i] * f->root[j];
    }
    ngi_mirror(a, C);
    return true;
}

static ng_status find_fisher(ngi_firth *f, ngi_firth_point *point,
                             bool *regular) {
    size_t a = f->active;
    double total = f->rows->total_weight, log_det;
    for (size_t i = 0; i < f->workers; i++) {
        memset(f->worker[i].F, 0, a * a * sizeof(double));
        f->worker[i].sum = 0;
    }
    *regular = false;
    point->loss = 0;
    memset(point->C, 0, a * a * sizeof *point->C);
    NG_TRY(look(f, visit_fisher));
    for (size_t i = 0; i < f->workers; i++) {
        point->loss += f->worker[i].sum / total;
        ngi_axpy(a * a, 1 / total, f->worker[i].F, point->C);
    }
    *regular = isfinite(point->loss) && invert(f, point->C, &log_det);
    if (*regular)
        point->objective =
            point->loss - (f->canonical ? 0.5 * log_det / total : 0);
    return NG_OK;
}

/* Everything at point->theta; false where there is no Fisher to invert. */
ng_status ngi_firth_evaluate(ngi_firth *f, ngi_firth_point *point,
                             bool *regular) {
    size_t a = f->active;
    double total = f->rows->total_weight;
    f->at = point;
    NG_TRY(find_fisher(f, point, regular));
    point->decrement = 0;
    if (!*regular || a == 0)
        return NG_OK;
    memset(point->gradient, 0, f->width * sizeof *point->gradient);
    for (size_t i = 0; i < f->workers; i++)
        memset(f->worker[i].gradient, 0, f->width * sizeof(double));
    NG_TRY(look(f, visit_score));
    for (size_t i = 0; i < f->workers; i++)
        ngi_axpy(a, 1 / total, f->worker[i].gradient, point->gradient);
    double square = 0;
    for (size_t k = 0; k < a; k++) {
        point->direction[k] = -ngi_dot(a, point->C + k * a, point->gradient);
        square -= point->direction[k] * point->gradient[k];
    }
    point->decrement = sqrt(fmax(square, 0));
    *regular = isfinite(square);
    return NG_OK;
}
