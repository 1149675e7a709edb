/* Standard errors: from the inverse Fisher to the covariance that was asked
 * for. */
#include "learner/glm.h"
#include "numerics/linalg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The middle of the sandwich, B = sum of outer products of scores (Huber 1967;
 * White 1980), with residuals inflated by what each row draws the fit to
 * itself (MacKinnon & White 1985). */
typedef struct meat_worker {
    double *eta, *loss, *score, *curvature, *kernel;
    double *scaled, *product; /* block_rows x width, width x block_rows */
    double *B;                /* width^2 or clusters x width */
} meat_worker;

typedef struct meat {
    const ngi_glm_fit *fit;
    const double *scale;
    double *A;             /* the bread in scaled columns, width^2 */
    double power;          /* of 1 / (1 - leverage): 0, 1/2, 1 */
    const double *cluster; /* by row, NULL: none */
    const double *known;   /* its distinct values, ascending */
    size_t clusters;
    meat_worker *worker;
} meat;

/* w_i W_i x_i' A x_i, into loss. */
static void find_leverages(const meat *m, const ngi_glm_block *block,
                           meat_worker *w) {
    size_t n = block->count, p = m->fit->data.rows.width;
    memset(w->product, 0, n * p * sizeof *w->product);
    memset(w->loss, 0, n * sizeof *w->loss);
    ngi_gemm_tn(p, n, p, m->A, p, w->scaled, n, w->product, n);
    for (size_t j = 0; j < p; j++) {
        const double *x = w->scaled + j * n, *y = w->product + j * n;
        for (size_t i = 0; i < n; i++)
            w->loss[i] += x[i] * y[i];
    }
    for (size_t i = 0; i < n; i++)
        w->loss[i] *= w->curvature[i] * (block->weight ? block->weight[i] : 1);
}

static int compare_numbers(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static size_t cluster_of(const meat *m, double value) {
    const double *found =
        bsearch(&value, m->known, m->clusters, sizeof value, compare_numbers);
    return (size_t)(found - m->known);
}

static void add_clusters(const meat *m, const ngi_glm_block *block,
                         meat_worker *w) {
    size_t n = block->count, p = m->fit->data.rows.width;
    for (size_t i = 0; i < n; i++) {
        if (w->score[i] == 0)
            continue;
        double *row = w->B + cluster_of(m, m->cluster[block->first + i]) * p;
        for (size_t j = 0; j < p; j++)
            row[j] += w->score[i] * w->scaled[j * n + i];
    }
}

static void add_meat(void *user, size_t worker, const ngi_glm_block *block) {
    const meat *m = user;
    const ngi_glm_fit *fit = m->fit;
    const ngi_glm_rows *rows = &fit->data.rows;
    meat_worker *w = &m->worker[worker];
    size_t n = block->count, p = rows->width;
    ngi_glm_terms terms = {
        .loss = w->loss, .score = w->score, .curvature = w->curvature};
    ngi_glm_predictor(rows, block, fit->theta, w->eta);
    fit->kernel.ops->terms(&fit->kernel, n, w->eta, fit->theta + p, block->y,
                           block->weight, &terms, w->kernel);
    ngi_glm_scaled(rows, block, m->scale, NULL, w->scaled);
    for (size_t i = 0; i < n; i++)
        w->score[i] *= block->weight ? block->weight[i] : 1;
    if (m->cluster) {
        add_clusters(m, block, w);
        return;
    }
    if (m->power > 0)
        find_leverages(m, block, w);
    for (size_t i = 0; i < n; i++) {
        double free = 1 - (m->power > 0 ? w->loss[i] : 0);
        w->score[i] = w->score[i] == 0
                          ? 0
                          : fabs(w->score[i]) * pow(fmax(free, 0), -m->power);
    }
    for (size_t j = 0; j < p; j++) {
        double *x = w->scaled + j * n;
        for (size_t i = 0; i < n; i++)
            x[i] *= w->score[i];
    }
    ngi_syrk_columns(p, n, w->scaled, n, w->B, p);
}

/* ---- Clusters ---- */

/* The clusters of rows that count; NaN for the others. */
typedef struct marking {
    const double *cluster;
    double *values;
} marking;

static void mark_clusters(void *user, size_t worker,
                          const ngi_glm_block *block) {
    const marking *m = user;
    (void)worker;
    for (size_t i = block->first; i < block->first + block->count; i++) {
        bool counts = !block->weight || block->weight[i - block->first] > 0;
        m->values[i] = counts ? m->cluster[i] : (double)NAN;
    }
}

static ng_status find_clusters(const ngi_glm_fit *fit, meat *m,
                               double **storage) {
    const ngi_glm_rows *rows = &fit->data.rows;
    size_t column, n = 0, distinct = 0;
    const ngi_table *table = fit->data.table;
    const ng_column *found =
        ngi_table_find(table, fit->options->cluster, &column);
    if (!found)
        return ngi_fail(fit->ctx, NG_EDATA, "%s: no column \"%s\"",
                        table->source, fit->options->cluster);
    double *values = *storage = ngi_alloc(fit->ctx, rows->rows, sizeof *values);
    if (!values)
        return NG_ENOMEM;
    marking marks = {found->values, values};
    NG_TRY(rows->each(rows, 1, mark_clusters, &marks));
    for (size_t i = 0; i < rows->rows; i++) {
        if (!isnan(values[i]))
            values[n++] = values[i];
    }
    qsort(values, n, sizeof *values, compare_numbers);
    for (size_t i = 0; i < n; i++) {
        if (distinct == 0 || values[i] != values[distinct - 1])
            values[distinct++] = values[i];
    }
    m->cluster = found->values;
    m->known = values;
    m->clusters = distinct;
    if (distinct > 1)
        return NG_OK;
    return ngi_fail(fit->ctx, NG_EDATA,
                    "%s: column \"%s\": expected two clusters or more, found "
                    "one",
                    table->source, fit->options->cluster);
}

/* ---- The sandwich ---- */

static ng_status reserve(const ngi_glm_fit *fit, meat *m) {
    const ngi_glm_rows *rows = &fit->data.rows;
    size_t n = rows->block_rows, p = rows->width;
    size_t sums = (m->cluster ? m->clusters : p) * p;
    size_t vectors = (4 + fit->kernel.work) * n;
    m->worker = ngi_alloc(fit->ctx, rows->workers, sizeof *m->worker);
    for (size_t k = 0; m->worker && k < rows->workers; k++) {
        meat_worker *w = &m->worker[k];
        w->eta =
            ngi_alloc(fit->ctx, vectors + 2 * n * p + sums, sizeof *w->eta);
        if (!w->eta)
            return NG_ENOMEM;
        w->loss = w->eta + n;
        w->score = w->loss + n;
        w->curvature = w->score + n;
        w->kernel = w->curvature + n;
        w->scaled = w->eta + vectors;
        w->product = w->scaled + n * p;
        w->B = w->product + n * p;
    }
    return m->worker ? NG_OK : NG_ENOMEM;
}

/* B (width^2) from the workers' shares. Clusters: with sandwich's G / (G - 1).
 */
static void gather(const ngi_glm_fit *fit, const meat *m, double *B) {
    const ngi_glm_rows *rows = &fit->data.rows;
    size_t p = rows->width, size = (m->cluster ? m->clusters : p) * p;
    double *sum = m->worker[0].B, G = (double)m->clusters;
    for (size_t k = 1; k < rows->workers; k++)
        ngi_axpy(size, 1, m->worker[k].B, sum);
    memset(B, 0, p * p * sizeof *B);
    if (m->cluster)
        ngi_syrk(p, m->clusters, G / (G - 1), sum, p, B, p);
    else
        memcpy(B, sum, p * p * sizeof *B);
    ngi_mirror(p, B);
}

/* C = A B A over the columns, in raw ones. */
static ng_status close_sandwich(const ngi_glm_fit *fit, const meat *m,
                                double factor, double *C) {
    size_t p = fit->data.rows.width, dim = p + fit->model->extras;
    double *B = ngi_alloc(fit->ctx, 2 * p, p * sizeof *B);
    double *AB = B ? B + p * p : NULL;
    if (!B)
        return NG_ENOMEM;
    gather(fit, m, B);
    memset(AB, 0, p * p * sizeof *AB);
    ngi_gemm_tn(p, p, p, m->A, p, B, p, AB, p);
    memset(B, 0, p * p * sizeof *B);
    ngi_gemm_nt(p, p, p, AB, p, m->A, p, B, p);
    for (size_t i = 0; i < p; i++) {
        for (size_t j = 0; j < p; j++)
            C[i * dim + j] = factor * B[i * p + j] * m->scale[i] * m->scale[j];
    }
    ngi_free(fit->ctx, B);
    return NG_OK;
}

static ng_status sandwich(ngi_glm_fit *fit, double rank, double *C) {
    const ngi_glm_rows *rows = &fit->data.rows;
    size_t p = rows->width, dim = p + fit->model->extras;
    ng_std_errors kind = fit->options->std_errors;
    meat m = {.fit = fit, .scale = ngi_scoring_scale(fit->scoring)};
    double *known = NULL;
    double factor = 1;
    ng_status status = NG_OK;
    m.power = kind == NG_SE_HC2 ? 0.5 : (kind == NG_SE_HC3 ? 1 : 0);
    if (kind == NG_SE_HC1)
        factor = rows->used / (rows->used - rank);
    m.A = ngi_alloc(fit->ctx, p, p * sizeof *m.A);
    if (!m.A)
        return NG_ENOMEM;
    for (size_t i = 0; i < p; i++) {
        for (size_t j = 0; j < p; j++)
            m.A[i * p + j] =
                fit->inverse[i * dim + j] / m.scale[i] / m.scale[j];
    }
    if (fit->options->cluster)
        NG_TRY_GOTO(find_clusters(fit, &m, &known));
    NG_TRY_GOTO(reserve(fit, &m));
    NG_TRY_GOTO(rows->each(rows, 1, add_meat, &m));
    NG_TRY_GOTO(close_sandwich(fit, &m, factor, C));
fail:
    for (size_t k = 0; m.worker && k < rows->workers; k++)
        ngi_free(fit->ctx, m.worker[k].eta);
    ngi_free(fit->ctx, m.worker);
    ngi_free(fit->ctx, known);
    ngi_free(fit->ctx, m.A);
    return status;
}

ng_status ngi_glm_covariance(ngi_glm_fit *fit, double dispersion, double *C) {
    ng_std_errors kind = fit->options->std_errors;
    size_t dim = fit->data.rows.width + fit->model->extras;
    if (kind >= NG_SE_ROBUST && kind <= NG_SE_HC3) {
        memset(C, 0, dim * dim * sizeof *C);
        return sandwich(fit, (double)fit->model->summary.rank, C);
    }
    memcpy(C, fit->inverse, dim * dim * sizeof *C);
    if (kind == NG_SE_OBSERVED) {
        double *F = ngi_alloc(fit->ctx, dim, dim * sizeof *F);
        if (!F)
            return NG_ENOMEM;
        ng_status status =
            ngi_scoring_evaluate(fit->scoring, fit->theta, true, NULL, NULL, F);
        if (status == NG_OK)
            status = ngi_scoring_inverse(fit->scoring, F, true, C);
        ngi_free(fit->ctx, F);
        NG_TRY(status);
    }
    for (size_t i = 0; i < dim * dim; i++)
        C[i] *= dispersion;
    return NG_OK;
}
