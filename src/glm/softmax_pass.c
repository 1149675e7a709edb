/* One look at the rows: loss, gradient and mean curvature, chunk by chunk. */
#include "glm/softmax_impl.h"

#include "numerics/linalg.h"
#include "numerics/vector_math.h"

#include <math.h>
#include <string.h>

/* Vectors of a chunk begin where a cache line does. */
enum { CHUNK = NGI_SOFTMAX_CHUNK, LINE = 64 };

/* ---- Memory ---- */

static size_t worker_doubles(const ngi_softmax *s) {
    return CHUNK * (s->levels + 2) + s->width * s->outputs + 2 * s->levels +
           s->width + LINE / sizeof(double);
}

static ng_status create_worker(ngi_softmax *s, ngi_softmax_worker *w,
                               double *from) {
    size_t past = (uintptr_t)from % LINE;
    w->p = from + (past ? (LINE - past) / sizeof *from : 0);
    w->top = w->p + CHUNK * s->levels;
    w->sum = w->top + CHUNK;
    w->gradient = w->sum + CHUNK;
    w->curvature = w->gradient + s->width * s->outputs;
    w->norm = w->curvature + 2 * s->levels;
    w->x = ngi_alloc(s->ctx, s->width, sizeof *w->x);
    w->scaled = ngi_alloc(s->ctx, CHUNK * s->width, sizeof *w->scaled);
    return w->x && w->scaled ? NG_OK : NG_ENOMEM;
}

ng_status ngi_softmax_create(ng_ctx *ctx, const ngi_softmax_spec *spec,
                             ngi_softmax *s) {
    *s = (ngi_softmax){.ctx = ctx, .spec = spec};
    s->width = spec->rows->width;
    s->levels = spec->levels;
    s->outputs = s->levels - 1;
    s->dim = s->outputs * s->width;
    s->workers = spec->rows->workers;
    if (ngi_threads(ctx) > s->workers)
        s->workers = ngi_threads(ctx);
    size_t each = worker_doubles(s);
    s->worker = ngi_alloc(ctx, s->workers, sizeof *s->worker);
    s->storage =
        ngi_alloc(ctx, s->dim + s->width + 2 * s->levels + s->workers * each,
                  sizeof(double));
    if (!s->worker || !s->storage)
        return NG_ENOMEM;
    s->panels = s->storage;
    s->norm = s->panels + s->dim;
    s->curvature = s->norm + s->width;
    double *from = s->curvature + 2 * s->levels;
    for (size_t i = 0; i < s->workers; i++)
        NG_TRY(create_worker(s, &s->worker[i], from + i * each));
    return ngi_softmax_metric_create(s);
}

void ngi_softmax_release(ngi_softmax *s) {
    ngi_softmax_metric_release(s);
    for (size_t i = 0; s->worker && i < s->workers; i++) {
        ngi_free(s->ctx, s->worker[i].x);
        ngi_free(s->ctx, s->worker[i].scaled);
    }
    ngi_free(s->ctx, s->worker);
    ngi_free(s->ctx, s->storage);
}

/* ---- Panels ---- */

void ngi_softmax_place(ngi_softmax *s, const double *theta) {
    size_t most = ngi_softmax_panel_width(s->outputs), p = s->width;
    s->origin = true;
    for (size_t i = 0; i < s->dim; i++)
        s->origin = s->origin && theta[i] == 0;
    for (size_t k = 0; k < s->outputs; k++) {
        size_t first = k - k % most;
        size_t K = s->outputs - first < most ? s->outputs - first : most;
        double *panel = s->panels + first * p;
        for (size_t j = 0; j < p; j++)
            panel[j * K + k - first] = theta[k * p + j];
    }
}

static void add_panels(const ngi_softmax *s, const double *panels,
                       double *gradient) {
    size_t most = ngi_softmax_panel_width(s->outputs), p = s->width;
    for (size_t k = 0; k < s->outputs; k++) {
        size_t first = k - k % most;
        size_t K = s->outputs - first < most ? s->outputs - first : most;
        const double *panel = panels + first * p;
        for (size_t j = 0; j < p; j++)
            gradient[k * p + j] += panel[j * K + k - first];
    }
}

/* ---- A chunk of rows ---- */

NGI_LANES static void keep_largest(size_t n, const double *restrict x,
                                   double *restrict top) {
    for (size_t i = 0; i < n; i++)
        top[i] = x[i] > top[i] ? x[i] : top[i];
}

NGI_LANES static void exponentials(size_t n, const double *restrict top,
                                   double *restrict x, double *restrict sum) {
    for (size_t i = 0; i < n; i++) {
        x[i] = ngi_lane_exp(x[i] - top[i]);
        sum[i] += x[i];
    }
}

NGI_LANES static void divide(size_t n, const double *restrict sum,
                             double *restrict x) {
    for (size_t i = 0; i < n; i++)
        x[i] /= sum[i];
}

static void look_at(const ngi_softmax *s, ngi_softmax_worker *w,
                    const ngi_glm_block *block, size_t first, size_t count) {
    for (size_t j = 0; j < s->width; j++)
        w->x[j] = block->x[j] + first;
    memset(w->p, 0, count * sizeof *w->p);
    if (s->origin)
        for (size_t k = 1; k < s->levels; k++)
            memset(w->p + k * CHUNK, 0, count * sizeof *w->p);
    else
        ngi_softmax_eta(count, s->width, s->outputs, w->x, s->panels,
                        w->p + CHUNK, CHUNK);
    memset(w->top, 0, count * sizeof *w->top);
    memset(w->sum, 0, count * sizeof *w->sum);
    for (size_t k = 1; k < s->levels; k++)
        keep_largest(count, w->p + k * CHUNK, w->top);
}

static void normalise(const ngi_softmax *s, ngi_softmax_worker *w,
                      size_t count) {
    for (size_t k = 0; k < s->levels; k++)
        exponentials(count, w->top, w->p + k * CHUNK, w->sum);
    for (size_t k = 0; k < s->levels; k++)
        divide(count, w->sum, w->p + k * CHUNK);
}

void ngi_softmax_probabilities(const ngi_softmax *s, ngi_softmax_worker *w,
                               const ngi_glm_block *block, size_t first,
                               size_t count) {
    look_at(s, w, block, first, count);
    normalise(s, w, count);
}

/* Compensated (Neumaier 1974). */
static void add_loss(ngi_softmax_worker *w, double term) {
    double next = w->loss + term;
    w->lost += fabs(w->loss) >= fabs(term) ? (w->loss - next) + term
                                           : (term - next) + w->loss;
    w->loss = next;
}

/* log sum_k e^eta_k - eta_y, from what eta_y was before the exponentials. */
static double chunk_loss(const ngi_softmax_worker *w, const double *eta_y,
                         const double *weight, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double loss = (w->top[i] - eta_y[i]) + log(w->sum[i]);
        double share = weight ? weight[i] : 1;
        sum += share == 0 ? 0 : share * loss;
    }
    return sum;
}

NGI_LANES static void add_curvature(size_t n, const double *restrict p,
                                    const double *restrict weight,
                                    double *curvature, double *mean) {
    double square = 0, sum = 0;
    for (size_t i = 0; i < n; i++) {
        double share = weight ? weight[i] * p[i] : p[i];
        sum += share;
        square += share * (1 - p[i]);
    }
    *curvature += square;
    *mean += sum;
}

/* p becomes the score w (p - [y = k]). */
static void make_scores(const ngi_softmax *s, ngi_softmax_worker *w,
                        const double *y, const double *weight, size_t count) {
    for (size_t i = 0; i < count; i++)
        w->p[(size_t)y[i] * CHUNK + i] -= 1;
    for (size_t k = 1; weight && k < s->levels; k++) {
        double *u = w->p + k * CHUNK;
        for (size_t i = 0; i < count; i++)
            u[i] = weight[i] == 0 ? 0 : weight[i] * u[i];
    }
}

/* Root of the sum of squares: by a sum where that neither overflows nor
 * underflows. */
static double column_norm(size_t n, const double *x) {
    double square = ngi_dot(n, x, x);
    if (square > 1e-280 && square < 1e280)
        return sqrt(square);
    return ngi_norm(n, x);
}

static void visit_chunk(const ngi_softmax *s, ngi_softmax_worker *w,
                        const ngi_glm_block *block, size_t first,
                        size_t count) {
    const double *y = block->y + first;
    const double *weight = block->weight ? block->weight + first : NULL;
    double eta_y[CHUNK];
    look_at(s, w, block, first, count);
    for (size_t i = 0; i < count; i++)
        eta_y[i] = w->p[(size_t)y[i] * CHUNK + i];
    normalise(s, w, count);
    add_loss(w, chunk_loss(w, eta_y, weight, count));
    for (size_t k = 0; k < s->levels; k++)
        add_curvature(count, w->p + k * CHUNK, weight, &w->curvature[k],
                      &w->curvature[s->levels + k]);
    make_scores(s, w, y, weight, count);
    ngi_softmax_gradient(count, s->width, s->outputs, w->x, w->p + CHUNK, CHUNK,
                         w->gradient);
    if (s->norms_known)
        return;
    for (size_t j = 0; j < s->width; j++)
        w->norm[j] = hypot(w->norm[j], column_norm(count, w->x[j]));
}

static void visit(void *user, size_t worker, const ngi_glm_block *block) {
    const ngi_softmax *s = user;
    for (size_t i = 0; i < block->count; i += CHUNK) {
        size_t count = block->count - i < CHUNK ? block->count - i : CHUNK;
        visit_chunk(s, &s->worker[worker], block, i, count);
    }
}

/* ---- A pass ---- */

static void clear(ngi_softmax *s) {
    for (size_t i = 0; i < s->workers; i++) {
        ngi_softmax_worker *w = &s->worker[i];
        memset(w->gradient, 0, s->dim * sizeof *w->gradient);
        memset(w->curvature, 0, 2 * s->levels * sizeof *w->curvature);
        w->loss = w->lost = 0;
        if (!s->norms_known)
            memset(w->norm, 0, s->width * sizeof *w->norm);
    }
}

/* Workers' sums, in order. */
static void collect(ngi_softmax *s, double *loss, double *gradient) {
    double total = s->spec->rows->total_weight;
    memset(gradient, 0, s->dim * sizeof *gradient);
    memset(s->curvature, 0, 2 * s->levels * sizeof *s->curvature);
    *loss = 0;
    for (size_t i = 0; i < s->workers; i++) {
        const ngi_softmax_worker *w = &s->worker[i];
        add_panels(s, w->gradient, gradient);
        ngi_axpy(2 * s->levels, 1 / total, w->curvature, s->curvature);
        *loss += (w->loss + w->lost) / total;
    }
    for (size_t i = 0; i < s->dim; i++)
        gradient[i] /= total;
}

static void collect_norms(ngi_softmax *s) {
    double root = sqrt((double)s->spec->rows->rows);
    for (size_t j = 0; j < s->width; j++) {
        s->norm[j] = 0;
        for (size_t i = 0; i < s->workers; i++)
            s->norm[j] = hypot(s->norm[j], s->worker[i].norm[j]);
        s->norm[j] /= root;
    }
    s->norms_known = true;
}

/* Coefficients about their mean over the levels, level 0 having 0. */
static double penalty(const ngi_softmax *s, const double *theta,
                      double *gradient) {
    const double *ridge = s->spec->ridge;
    double sum = 0;
    for (size_t j = 0; ridge && j < s->width; j++) {
        double mean = 0, square = 0;
        for (size_t k = 0; k < s->outputs; k++)
            mean += theta[k * s->width + j] / (double)s->levels;
        for (size_t k = 0; k < s->outputs; k++) {
            double b = theta[k * s->width + j] - mean;
            square += b * b;
            gradient[k * s->width + j] += ridge[j] * b;
        }
        sum += ridge[j] * (square + mean * mean);
    }
    return 0.5 * sum;
}

ng_status ngi_softmax_pass(ngi_softmax *s, const double *theta, double *loss,
                           double *objective, double *gradient) {
    const ngi_glm_rows *rows = s->spec->rows;
    ngi_softmax_place(s, theta);
    clear(s);
    NG_TRY(rows->each(rows, 1, visit, s));
    collect(s, loss, gradient);
    if (!s->norms_known)
        collect_norms(s);
    *objective = *loss + penalty(s, theta, gradient);
    return NG_OK;
}
