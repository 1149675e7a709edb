/* One look at the rows: loss, gradient and Fisher, block by block. */
#include "glm/scoring_impl.h"

#include "glm/refine.h"
#include "numerics/linalg.h"
#include "numerics/linalg_single.h"

#include <math.h>
#include <string.h>

/* Blocks that single precision may sum before it hands over to double. */
enum { FLUSH = 16 };

typedef struct look {
    ngi_scoring *s;
    const double *theta;
    ngi_form form;
    bool observed, want_gradient;
} look;

/* Compensated (Neumaier 1974). */
static void add_losses(ngi_scoring_worker *w, const ngi_glm_block *block) {
    double total = w->sum, lost = 0;
    for (size_t i = 0; i < block->count; i++) {
        double weight = block->weight ? block->weight[i] : 1;
        double term = weight == 0 ? 0 : weight * w->loss[i];
        double next = total + term;
        lost += fabs(total) >= fabs(term) ? (total - next) + term
                                          : (term - next) + total;
        total = next;
    }
    w->outside = w->outside || !isfinite(total);
    w->sum = total;
    w->lost += lost;
}

static void multiply(const double *weight, size_t n, double *x) {
    for (size_t i = 0; weight && i < n; i++)
        x[i] = weight[i] == 0 ? 0 : weight[i] * x[i];
}

static void flush_single(const ngi_scoring *s, ngi_scoring_worker *w) {
    for (size_t i = 0; i < s->p; i++) {
        for (size_t j = 0; j <= i; j++)
            w->F[i * s->dim + j] += (double)w->single[i * s->p + j];
    }
    memset(w->single, 0, s->p * s->p * sizeof *w->single);
    w->pending = 0;
}

/* Observed curvature may be negative: both signs by a product instead of a
 * square. */
static void add_signed(const ngi_scoring *s, const ngi_glm_block *block,
                       ngi_scoring_worker *w) {
    size_t n = block->count;
    double *plain = w->square + s->p * s->p, *weighted = plain + n * s->p;
    ngi_glm_scaled(s->spec.rows, block, s->scale, NULL, plain);
    ngi_glm_scaled(s->spec.rows, block, s->scale, w->curvature, weighted);
    ngi_gemm_nt(s->p, s->p, n, plain, n, weighted, n, w->square, s->p);
    for (size_t i = 0; i < s->p; i++) {
        for (size_t j = 0; j <= i; j++)
            w->F[i * s->dim + j] += w->square[i * s->p + j];
    }
}

static void add_squares(const ngi_scoring *s, const ngi_glm_block *block,
                        ngi_form form, ngi_scoring_worker *w) {
    size_t n = block->count;
    for (size_t i = 0; i < n; i++)
        w->curvature[i] = sqrt(fmax(w->curvature[i], 0));
    if (form == NGI_FORM_DOUBLE) {
        ngi_glm_scaled(s->spec.rows, block, s->scale, w->curvature, w->scaled);
        ngi_syrk_columns(s->p, n, w->scaled, n, w->F, s->dim);
        return;
    }
    float *scaled = (float *)w->scaled;
    ngi_glm_scaled_single(s->spec.rows, block, s->scale, w->curvature, scaled);
    ngi_syrk_columns_single(s->p, n, scaled, n, w->single, s->p);
    if (++w->pending == FLUSH)
        flush_single(s, w);
}

/* The rows of F that belong to psi, against the columns. */
static void add_cross(const ngi_scoring *s, const ngi_glm_block *block,
                      ngi_scoring_worker *w) {
    for (size_t e = 0; e < s->q; e++) {
        double *cross = w->cross + e * block->count;
        double *row = w->F + (s->p + e) * s->dim;
        multiply(block->weight, block->count, cross);
        /* Raw columns here; their scales come in at the end. */
        ngi_glm_gradient(s->spec.rows, block, cross, row);
    }
}

static void visit(void *user, size_t worker, const ngi_glm_block *block) {
    const look *pass = user;
    const ngi_scoring *s = pass->s;
    const ngi_glm_kernel *kernel = s->spec.kernel;
    ngi_scoring_worker *w = &s->worker[worker];
    size_t n = block->count;
    bool form = pass->form != NGI_FORM_NONE;
    ngi_glm_terms terms = {
        .loss = w->loss,
        .score = pass->want_gradient ? w->score : NULL,
        .curvature = form ? w->curvature : NULL,
        .observed = pass->observed,
        .psi_score = s->q && pass->want_gradient ? w->gradient + s->p : NULL,
        .cross = s->q && form ? w->cross : NULL,
        .psi_curvature = s->q && form ? w->psi_curvature : NULL};
    if (w->outside)
        return;
    ngi_glm_predictor(s->spec.rows, block, pass->theta, w->eta);
    kernel->ops->terms(kernel, n, w->eta, pass->theta + s->p, block->y,
                       block->weight, &terms, w->work);
    add_losses(w, block);
    if (w->outside)
        return;
    if (pass->want_gradient) {
        multiply(block->weight, n, w->score);
        ngi_glm_gradient(s->spec.rows, block, w->score, w->gradient);
    }
    if (!form)
        return;
    multiply(block->weight, n, w->curvature);
    if (pass->observed)
        add_signed(s, block, w);
    else
        add_squares(s, block, pass->form, w);
    add_cross(s, block, w);
}

/* ---- Memory ---- */

ng_status ngi_scoring_reserve(ngi_scoring *s) {
    const ngi_glm_rows *rows = s->spec.rows;
    const ngi_glm_kernel *kernel = s->spec.kernel;
    size_t m = rows->block_rows, q = s->q;
    s->workers = rows->workers;
    s->worker = ngi_alloc(s->ctx, s->workers, sizeof *s->worker);
    if (!s->worker)
        return NG_ENOMEM;
    /* In lines of 8 doubles, so that no two workers write to one. */
    size_t vectors = m * (4 + q + kernel->work);
    size_t size = vectors + m * s->p + s->dim + q * q + s->dim * s->dim + 64;
    for (size_t i = 0; i < s->workers; i++) {
        ngi_scoring_worker *w = &s->worker[i];
        w->eta = ngi_alloc(s->ctx, size, sizeof *w->eta);
        w->single = ngi_alloc(s->ctx, s->p, s->p * sizeof *w->single);
        if (!w->eta || !w->single)
            return NG_ENOMEM;
        w->loss = w->eta + m;
        w->score = w->loss + m;
        w->curvature = w->score + m;
        w->cross = w->curvature + m;
        w->work = w->cross + m * q;
        w->scaled = w->work + m * kernel->work;
        w->gradient = w->scaled + m * s->p;
        w->psi_curvature = w->gradient + s->dim;
        w->F = w->psi_curvature + q * q;
    }
    return NG_OK;
}

static ng_status reserve_signed(ngi_scoring *s) {
    size_t size = s->spec.rows->block_rows * s->p;
    for (size_t i = 0; i < s->workers; i++) {
        ngi_scoring_worker *w = &s->worker[i];
        if (w->square)
            continue;
        w->square =
            ngi_alloc(s->ctx, s->p * s->p + 2 * size, sizeof *w->square);
        if (!w->square)
            return NG_ENOMEM;
    }
    return NG_OK;
}

void ngi_scoring_release(ngi_scoring *s) {
    for (size_t i = 0; s->worker && i < s->workers; i++) {
        ngi_free(s->ctx, s->worker[i].eta);
        ngi_free(s->ctx, s->worker[i].single);
        ngi_free(s->ctx, s->worker[i].square);
    }
    ngi_free(s->ctx, s->worker);
}

/* ---- A pass ---- */

static void clear(ngi_scoring *s, ngi_form form) {
    for (size_t i = 0; i < s->workers; i++) {
        ngi_scoring_worker *w = &s->worker[i];
        w->sum = w->lost = 0;
        w->outside = false;
        w->pending = 0;
        memset(w->gradient, 0, s->dim * sizeof *w->gradient);
        if (form == NGI_FORM_NONE)
            continue;
        memset(w->F, 0, s->dim * s->dim * sizeof *w->F);
        memset(w->psi_curvature, 0, s->q * s->q * sizeof *w->psi_curvature);
        memset(w->single, 0, s->p * s->p * sizeof *w->single);
    }
}

/* The workers' sums in their order, over the weight that was seen. */
static void gather_F(ngi_scoring *s, double total) {
    size_t d = s->dim;
    memset(s->F, 0, d * d * sizeof *s->F);
    for (size_t i = 0; i < s->workers; i++) {
        ngi_scoring_worker *w = &s->worker[i];
        if (w->pending)
            flush_single(s, w);
        for (size_t e = 0; e < s->q; e++) {
            double *row = w->F + (s->p + e) * d;
            for (size_t j = 0; j < s->p; j++)
                row[j] *= s->scale[j];
            for (size_t f = 0; f <= e; f++)
                row[s->p + f] = w->psi_curvature[e * s->q + f];
        }
        for (size_t k = 0; k < d; k++)
            ngi_axpy(k + 1, 1 / total, w->F + k * d, s->F + k * d);
    }
}

double ngi_scoring_penalty(const ngi_scoring *s, const double *theta) {
    double sum = 0;
    for (size_t j = 0; s->spec.ridge && j < s->p; j++)
        sum += 0.5 * s->spec.ridge[j] * theta[j] * theta[j];
    return sum;
}

/* With a stride only a share of the weight is seen; blocks are taken to weigh
 * alike, for such passes only prepare. */
static double weight_seen(const ngi_scoring *s, size_t stride) {
    const ngi_glm_rows *rows = s->spec.rows;
    if (stride <= 1)
        return rows->total_weight;
    size_t blocks = (rows->rows + rows->block_rows - 1) / rows->block_rows;
    size_t seen = (blocks + stride - 1) / stride;
    return rows->total_weight * (double)seen / (double)blocks;
}

ng_status ngi_scoring_pass(ngi_scoring *s, size_t stride, const double *theta,
                           ngi_form form, bool observed, double *loss,
                           double *gradient) {
    look pass = {s, theta, form, observed, gradient != NULL};
    double total = weight_seen(s, stride), sum = 0, lost = 0;
    bool outside = false;
    if (observed)
        NG_TRY(reserve_signed(s));
    clear(s, form);
    NG_TRY(s->spec.rows->each(s->spec.rows, stride, visit, &pass));
    for (size_t i = 0; i < s->workers; i++) {
        sum += s->worker[i].sum;
        lost += s->worker[i].lost;
        outside = outside || s->worker[i].outside;
    }
    *loss = (sum + lost) / total + ngi_scoring_penalty(s, theta);
    if (outside || !isfinite(*loss)) {
        *loss = HUGE_VAL;
        return NG_OK;
    }
    if (gradient)
        memset(gradient, 0, s->dim * sizeof *gradient);
    for (size_t i = 0; gradient && i < s->workers; i++)
        ngi_axpy(s->dim, 1 / total, s->worker[i].gradient, gradient);
    for (size_t j = 0; gradient && s->spec.ridge && j < s->p; j++)
        gradient[j] += s->spec.ridge[j] * theta[j];
    if (form != NGI_FORM_NONE)
        gather_F(s, total);
    return NG_OK;
}

ng_status ngi_scoring_refined_pass(ngi_scoring *s, const double *theta,
                                   const double *low, double *loss,
                                   double *gradient) {
    NG_TRY(ngi_refined_gradient(s->ctx, s->spec.rows, s->spec.kernel, theta,
                                low, theta + s->p, loss, gradient));
    *loss += ngi_scoring_penalty(s, theta);
    for (size_t j = 0; s->spec.ridge && j < s->p; j++)
        gradient[j] += s->spec.ridge[j] * (theta[j] + (low ? low[j] : 0));
    return NG_OK;
}

/* ---- Scales ---- */

static void visit_largest(void *user, size_t worker,
                          const ngi_glm_block *block) {
    ngi_scoring *s = user;
    double *largest = s->worker[worker].gradient;
    for (size_t j = 0; j < s->p; j++) {
        const double *x = block->x[j];
        double most = largest[j];
        for (size_t i = 0; i < block->count; i++)
            most = fabs(x[i]) > most ? fabs(x[i]) : most;
        largest[j] = most;
    }
}

ng_status ngi_scoring_scales(ngi_scoring *s, size_t stride) {
    clear(s, NGI_FORM_NONE);
    NG_TRY(s->spec.rows->each(s->spec.rows, stride, visit_largest, s));
    for (size_t j = 0; j < s->dim; j++) {
        double largest = 0;
        int exponent;
        for (size_t i = 0; i < s->workers; i++)
            largest = fmax(largest, s->worker[i].gradient[j]);
        s->scale[j] = 1;
        if (j >= s->p || !(largest > 0))
            continue;
        frexp(largest, &exponent);
        s->scale[j] = ldexp(1, -exponent);
    }
    s->scales_known = stride == 1;
    return NG_OK;
}
