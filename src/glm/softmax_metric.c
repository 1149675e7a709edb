/* The Fisher that directs the steps, in the symmetric coordinates of all
 * levels. There F is X'X times diag(p) - p p', whose blocks for one level,
 *
 *   X' diag(p_k (1 - p_k)) X  levels / (levels - 1),
 *
 * are all that is kept: what couples levels is then mostly that coefficients
 * have no common part, which the step back to differences against level 0
 * takes out. (At equal probabilities of all levels that is exact; the factor
 * makes the mean of the eigenvalues right elsewhere.) Where every row has
 * nearly the same p, one factor serves all levels; where columns are nearly
 * uncorrelated, their diagonal is better than what a sample of rows says. */
#include "glm/softmax_impl.h"

#include "numerics/linalg.h"
#include "numerics/linalg_single.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum {
    CHUNK = NGI_SOFTMAX_CHUNK,
    ROWS_TO_JUDGE = 2,  /* rows a column that show whether columns correlate */
    ROWS_TO_FACTOR = 8, /* rows a column that a shared factor is made from */
    LEVELS_A_ROW = 10,
    ROWS_TO_BLOCK = 3, /* and those of one level */
    MOST_EFFORT = 2,
    MORE_ROWS = 8 /* times, for each time that they were too few */
};
/* Mean square of the eigenvalues of the columns' correlation about 1, below
 * which it is left alone. */
static const double NEARLY_ROUND = 0.3;
/* A column with less than this share of its mean square in the sample is
 * taken to be uncorrelated with all others. */
static const double UNSEEN = 0.25;
/* Least diagonal, of the mean: a few roundings of single precision. */
static const double LIFT = 2e-6, LIFT_BLOCKS = 1e-5;
/* Of the design's memory, for the rows of a sample that are kept at a time. */
static const double SAMPLE_SHARE = 0.01;

/* ---- Memory ---- */

static size_t sample_rows(const ngi_softmax *s) {
    double n = (double)s->spec->rows->rows, p = (double)s->width;
    double rows = SAMPLE_SHARE * n;
    /* Where all is small, enough for any purpose. */
    if (n * p < 8e6)
        rows = fmax(rows, 4 * p);
    return (size_t)fmin(n, fmax(rows, 64));
}

ng_status ngi_softmax_metric_create(ngi_softmax *s) {
    ngi_softmax_metric *m = &s->metric;
    size_t p = s->width, K = s->levels;
    m->scale = ngi_alloc(s->ctx, 2 * p + K, sizeof *m->scale);
    m->vector = ngi_alloc(s->ctx, K * p, sizeof *m->vector);
    if (!m->scale || !m->vector)
        return NG_ENOMEM;
    m->share = m->scale + p;
    m->level = m->share + p;
    double design = (double)s->spec->rows->rows * (double)p * sizeof(double);
    double blocks = (double)K * (double)ngi_packed_size(p) * sizeof(float);
    m->blocks = K > 2 && blocks <= design ? ngi_packed_size(p) : 0;
    m->rows = sample_rows(s);
    return NG_OK;
}

static void release_shared(ngi_softmax *s) {
    for (size_t i = 0; s->worker && i < s->workers; i++) {
        ngi_free(s->ctx, s->worker[i].F);
        s->worker[i].F = NULL;
    }
}

static void release_factor(ngi_softmax *s) {
    ngi_softmax_metric *m = &s->metric;
    ngi_free(s->ctx, m->factor);
    m->factor = NULL;
}

void ngi_softmax_metric_release(ngi_softmax *s) {
    ngi_softmax_metric *m = &s->metric;
    release_shared(s);
    release_factor(s);
    ngi_free(s->ctx, m->scale);
    ngi_free(s->ctx, m->vector);
    ngi_free(s->ctx, m->sample);
    ngi_free(s->ctx, m->weight);
}

/* Blocks are what is chosen, so there should be a few of them. */
static size_t stride_for(const ngi_softmax *s, double wanted) {
    const ngi_glm_rows *rows = s->spec->rows;
    double blocks = ceil((double)rows->rows / (double)rows->block_rows);
    double stride = fmin((double)rows->rows / wanted, blocks / 8);
    return stride < 1 ? 1 : (size_t)stride;
}

double ngi_softmax_explained(const ngi_softmax *s, const double *curvature) {
    double own = 0, all = 0;
    for (size_t k = 0; k < s->levels; k++) {
        double mean = curvature[s->levels + k];
        own += curvature[k];
        all += mean * (1 - mean);
    }
    return all > 0 ? 1 - own / all : 0;
}

/* Rows that a shared factor is made from. */
static double factor_rows(const ngi_softmax *s) {
    double rows = ROWS_TO_FACTOR * (double)s->width;
    for (size_t i = 0; i < s->metric.effort; i++)
        rows *= MORE_ROWS;
    return s->metric.effort < MOST_EFFORT
               ? rows
               : fmax(rows, (double)s->spec->rows->rows);
}

bool ngi_softmax_metric_improve(ngi_softmax *s) {
    ngi_softmax_metric *m = &s->metric;
    if (m->effort == MOST_EFFORT ||
        (m->kind == NGI_SOFTMAX_SHARED && stride_for(s, factor_rows(s)) == 1))
        return false;
    m->effort++;
    return true;
}

/* Rows that the factors of levels are made from: a row counts for a few levels
 * only. */
static double block_rows(const ngi_softmax *s) {
    double rows = ROWS_TO_BLOCK * (double)s->width *
                  fmax(1, (double)s->levels / LEVELS_A_ROW);
    for (size_t i = 0; i < s->metric.effort; i++)
        rows *= MORE_ROWS;
    return fmin(rows, (double)s->spec->rows->rows);
}

static bool would_block(const ngi_softmax *s, bool blocks) {
    return blocks && s->metric.blocks > 0 && s->metric.effort < MOST_EFFORT;
}

/* Cross-products in single precision run at some three times the rate of the
 * narrow products of a pass. */
double ngi_softmax_metric_cost(const ngi_softmax *s, bool blocks) {
    double n = (double)s->spec->rows->rows, p = (double)s->width;
    bool each = would_block(s, blocks);
    double rows = each ? block_rows(s) : fmin(n, factor_rows(s));
    double factors = each ? (double)s->levels : 1;
    double metric =
        fmin(factors, LEVELS_A_ROW) * rows * p * p + factors * p * p * p / 3;
    return metric / 3 / (4 * n * (double)s->dim);
}

/* ---- One factor for all ---- */

/* sqrt(w mean_k p_k (1 - p_k) levels / outputs) of each row. */
static void row_roots(const ngi_softmax *s, const ngi_softmax_worker *w,
                      const double *weight, size_t count, double *root) {
    for (size_t i = 0; i < count; i++)
        root[i] = 0;
    for (size_t k = 0; k < s->levels; k++) {
        const double *p = w->p + k * CHUNK;
        for (size_t i = 0; i < count; i++)
            root[i] += p[i] * (1 - p[i]);
    }
    for (size_t i = 0; i < count; i++)
        root[i] = sqrt((weight ? weight[i] : 1) * root[i] / (double)s->outputs);
}

static void visit_shared(void *user, size_t worker,
                         const ngi_glm_block *block) {
    const ngi_softmax *s = user;
    ngi_softmax_worker *w = &s->worker[worker];
    double root[CHUNK];
    for (size_t first = 0; first < block->count; first += CHUNK) {
        size_t n = block->count - first;
        n = n < CHUNK ? n : CHUNK;
        ngi_softmax_probabilities(s, w, block, first, n);
        row_roots(s, w, block->weight ? block->weight + first : NULL, n, root);
        const ngi_glm_block chunk = {.count = n, .x = w->x};
        ngi_glm_scaled_single(s->spec->rows, &chunk, s->metric.scale, root,
                              w->scaled);
        ngi_syrk_columns_single(s->width, n, w->scaled, n, w->F, s->width);
        w->seen += (double)n;
    }
}

static ng_status reserve_shared(ngi_softmax *s) {
    size_t p = s->width;
    release_factor(s);
    for (size_t i = 0; i < s->spec->rows->workers; i++) {
        ngi_softmax_worker *w = &s->worker[i];
        if (!w->F)
            w->F = ngi_alloc(s->ctx, p * p, sizeof *w->F);
        if (!w->F)
            return NG_ENOMEM;
    }
    return NG_OK;
}

/* The first worker's F = mean of w x x' over one in `stride` blocks. */
static ng_status form_shared(ngi_softmax *s, size_t stride, double *seen) {
    const ngi_glm_rows *rows = s->spec->rows;
    size_t square = s->width * s->width;
    for (size_t i = 0; i < rows->workers; i++) {
        memset(s->worker[i].F, 0, square * sizeof(float));
        s->worker[i].seen = 0;
    }
    NG_TRY(rows->each(rows, stride, visit_shared, s));
    float *F = s->worker[0].F;
    *seen = 0;
    for (size_t i = 0; i < rows->workers; i++) {
        const float *add = s->worker[i].F;
        *seen += s->worker[i].seen;
        for (size_t j = 0; i > 0 && j < square; j++)
            F[j] += add[j];
    }
    float mean = (float)((double)rows->rows / rows->total_weight / *seen);
    for (size_t j = 0; j < square; j++)
        F[j] *= mean;
    return NG_OK;
}

/* sum of squared correlations beyond what so many rows of uncorrelated columns
 * would show: p times the eigenvalues' mean square about 1. */
static bool nearly_round(const ngi_softmax *s, const float *F, double seen) {
    size_t p = s->width;
    double energy = 0;
    for (size_t i = 0; i < p; i++) {
        double sum = 0, own = (double)F[i * p + i];
        for (size_t j = 0; j < i; j++) {
            double other = (double)F[j * p + j], c = (double)F[i * p + j];
            sum += other > 0 ? c * c / other : 0;
        }
        energy += own > 0 ? 2 * sum / own : 0;
    }
    return energy - (double)p * (double)p / seen < NEARLY_ROUND * (double)p;
}

static double mean_level(const ngi_softmax *s) {
    double mean = 0;
    for (size_t k = 0; k < s->levels; k++)
        mean += s->metric.level[k] / (double)s->levels;
    return mean;
}

static double scaled_ridge(const ngi_softmax *s, size_t j) {
    double scale = s->metric.scale[j];
    return s->spec->ridge ? s->spec->ridge[j] * scale * scale : 0;
}

/* What is added to a diagonal entry so that the factor exists and stands for
 * what the sample has not seen. */
static double addition(const ngi_softmax *s, size_t j, double share,
                       double level, double lift) {
    double unseen = share < UNSEEN ? (1 - share) * level : 0;
    return scaled_ridge(s, j) + unseen + lift * level;
}

static void factor_shared(ngi_softmax *s) {
    size_t p = s->width;
    float *F = s->worker[0].F, *L = s->metric.factor;
    double level = mean_level(s), lift = LIFT;
    do {
        memcpy(L, F, p * p * sizeof *L);
        for (size_t j = 0; j < p; j++) {
            double share = (double)F[j * p + j] / level;
            L[j * p + j] += (float)addition(s, j, share, level, lift);
        }
        lift *= 8;
    } while (!ngi_cholesky_single(p, L) && lift < 1e6);
}

/* Whether a few rows show the columns to be nearly uncorrelated. */
static ng_status judge_round(ngi_softmax *s, double *examples, bool *round) {
    double seen;
    *round = false;
    if (s->metric.effort > 0)
        return NG_OK;
    NG_TRY(
        form_shared(s, stride_for(s, ROWS_TO_JUDGE * (double)s->width), &seen));
    *examples += seen;
    *round = nearly_round(s, s->worker[0].F, seen);
    return NG_OK;
}

static ng_status make_shared(ngi_softmax *s, double *examples) {
    size_t square = s->width * s->width;
    double seen;
    bool round;
    NG_TRY(reserve_shared(s));
    NG_TRY(judge_round(s, examples, &round));
    s->metric.kind = round ? NGI_SOFTMAX_DIAGONAL : NGI_SOFTMAX_SHARED;
    if (!round) {
        NG_TRY(form_shared(s, stride_for(s, factor_rows(s)), &seen));
        *examples += seen;
        s->metric.factor = ngi_alloc(s->ctx, square, sizeof(float));
        if (!s->metric.factor)
            return NG_ENOMEM;
        factor_shared(s);
    }
    release_shared(s);
    return NG_OK;
}

/* ---- A factor for each level ---- */

/* Rows are drawn as their curvature is large, systematically (Madow 1949), and
 * stand for the others: w / chance. They are drawn in rounds, each from its
 * own blocks, so that few of them need be kept at a time. */
typedef struct draw {
    ngi_softmax *s;
    double rate; /* chance over curvature */
    size_t stride, rounds, round;
} draw;

static void keep_row(ngi_softmax *s, ngi_softmax_worker *w, size_t i,
                     double weight) {
    ngi_softmax_metric *m = &s->metric;
    size_t at = w->first + w->count++;
    float *x = m->sample + at * s->width, *level = m->weight + at * s->levels;
    for (size_t j = 0; j < s->width; j++)
        x[j] = (float)(w->x[j][i] * m->scale[j]);
    for (size_t k = 0; k < s->levels; k++) {
        double p = w->p[k * CHUNK + i];
        level[k] = (float)(weight * p * (1 - p));
    }
}

static void draw_rows(const draw *d, ngi_softmax_worker *w,
                      const double *weight, size_t count) {
    double root[CHUNK];
    row_roots(d->s, w, weight, count, root);
    for (size_t i = 0; i < count; i++) {
        double chance = fmin(1, d->rate * root[i] * root[i]);
        w->carry += chance;
        if (!(w->carry >= 1) || w->count == w->capacity)
            continue;
        w->carry -= 1;
        keep_row(d->s, w, i, (weight ? weight[i] : 1) / chance);
    }
}

static void visit_draw(void *user, size_t worker, const ngi_glm_block *block) {
    const draw *d = user;
    const ngi_softmax *s = d->s;
    ngi_softmax_worker *w = &s->worker[worker];
    size_t number = block->first / s->spec->rows->block_rows / d->stride;
    if (number % d->rounds != d->round)
        return;
    for (size_t first = 0; first < block->count; first += CHUNK) {
        size_t n = block->count - first;
        n = n < CHUNK ? n : CHUNK;
        ngi_softmax_probabilities(s, w, block, first, n);
        draw_rows(d, w, block->weight ? block->weight + first : NULL, n);
    }
}

static ng_status reserve_blocks(ngi_softmax *s) {
    ngi_softmax_metric *m = &s->metric;
    size_t K = s->levels, numbers = K * m->blocks;
    if (m->kind != NGI_SOFTMAX_BLOCKS || !m->factor) {
        release_factor(s);
        m->factor = ngi_alloc(s->ctx, numbers, sizeof *m->factor);
    }
    if (!m->sample)
        m->sample = ngi_alloc(s->ctx, m->rows, s->width * sizeof *m->sample);
    if (!m->weight)
        m->weight = ngi_alloc(s->ctx, m->rows, K * sizeof *m->weight);
    if (!m->factor || !m->sample || !m->weight)
        return NG_ENOMEM;
    memset(m->factor, 0, numbers * sizeof *m->factor);
    memset(m->share, 0, s->width * sizeof *m->share);
    m->kind = NGI_SOFTMAX_BLOCKS;
    return NG_OK;
}

/* Mean squares of the sample's columns, which would be 1 of all rows. */
static void add_shares(ngi_softmax *s, const ngi_softmax_worker *w) {
    ngi_softmax_metric *m = &s->metric;
    double unit = 1 / ((double)s->outputs * mean_level(s) * m->total);
    for (size_t r = w->first; r < w->first + w->count; r++) {
        const float *x = m->sample + r * s->width;
        double weight = 0;
        for (size_t k = 0; k < s->levels; k++)
            weight += unit * (double)m->weight[r * s->levels + k];
        for (size_t j = 0; j < s->width; j++)
            m->share[j] += weight * (double)(x[j] * x[j]);
    }
}

/* F of level k += rows of the sample from `first`, those that weigh anything,
 * by way of the worker's memory. */
static void add_rows(const ngi_softmax *s, ngi_softmax_worker *w, size_t k,
                     size_t first, size_t count) {
    const ngi_softmax_metric *m = &s->metric;
    size_t p = s->width, kept = 0;
    double unit = (double)s->levels / (double)s->outputs / m->total;
    /* Rows of a hundredth of the mean come to a hundredth at most. */
    double least = 0.01 * m->level[k] / unit / m->drawn;
    for (size_t r = first; r < first + count; r++) {
        double weight = (double)m->weight[r * s->levels + k];
        if (weight > least) {
            float root = (float)sqrt(unit * weight);
            const float *x = m->sample + r * p;
            float *to = w->scaled + kept++ * p;
            for (size_t j = 0; j < p; j++)
                to[j] = root * x[j];
        }
        if (kept == CHUNK || r + 1 == first + count) {
            ngi_packed_syrk_single(p, kept, w->scaled,
                                   m->factor + k * m->blocks);
            kept = 0;
        }
    }
}

static void add_sample(void *user, size_t worker) {
    ngi_softmax *s = user;
    size_t workers = ngi_threads(s->ctx);
    for (size_t k = worker; k < s->levels; k += workers)
        for (size_t i = 0; i < s->spec->rows->workers; i++)
            add_rows(s, &s->worker[worker], k, s->worker[i].first,
                     s->worker[i].count);
}

static ng_status play_round(ngi_softmax *s, draw *d) {
    ngi_softmax_metric *m = &s->metric;
    const ngi_glm_rows *rows = s->spec->rows;
    size_t each = m->rows / rows->workers;
    for (size_t i = 0; i < rows->workers; i++) {
        ngi_softmax_worker *w = &s->worker[i];
        w->first = i * each;
        w->capacity = each;
        w->count = 0;
        w->carry = 0.5;
    }
    NG_TRY(rows->each(rows, d->stride, visit_draw, d));
    for (size_t i = 0; i < rows->workers; i++)
        add_shares(s, &s->worker[i]);
    ngi_parallel(s->ctx, add_sample, s);
    return NG_OK;
}

static void factor_levels(void *user, size_t worker) {
    const ngi_softmax *s = user;
    const ngi_softmax_metric *m = &s->metric;
    size_t workers = ngi_threads(s->ctx), p = s->width;
    for (size_t k = worker; k < s->levels; k += workers) {
        float *F = m->factor + k * m->blocks;
        double level = m->level[k];
        for (size_t j = 0; j < p; j++)
            F[ngi_packed_diagonal(p, j)] +=
                (float)addition(s, j, m->share[j], level, LIFT_BLOCKS);
        if (ngi_packed_cholesky_single(p, F))
            continue;
        /* Too few rows even so. */
        memset(F, 0, m->blocks * sizeof *F);
        for (size_t j = 0; j < p; j++)
            F[ngi_packed_diagonal(p, j)] =
                (float)sqrt(level + scaled_ridge(s, j));
    }
}

static ng_status make_blocks(ngi_softmax *s, double *examples) {
    enum { LOOKED_AT = 4 }; /* rows for each that is kept */
    ngi_softmax_metric *m = &s->metric;
    const ngi_glm_rows *rows = s->spec->rows;
    double n = (double)rows->rows, wanted = block_rows(s);
    NG_TRY(reserve_blocks(s));
    draw d = {.s = s, .stride = stride_for(s, LOOKED_AT * wanted)};
    /* A file is read once. */
    d.rounds = rows->streams ? 1 : (size_t)ceil(wanted / (double)m->rows);
    m->drawn = fmin(wanted, (double)(d.rounds * m->rows));
    m->total = rows->total_weight / (double)d.stride;
    d.rate =
        0.8 * m->drawn * (double)d.stride / mean_level(s) / rows->total_weight;
    for (; d.round < d.rounds; d.round++)
        NG_TRY(play_round(s, &d));
    ngi_parallel(s->ctx, factor_levels, s);
    *examples += n / (double)d.stride;
    return NG_OK;
}

/* ---- Use ---- */

ng_status ngi_softmax_metric_make(ngi_softmax *s, const double *theta,
                                  const double *curvature, bool blocks,
                                  double *examples) {
    ngi_softmax_metric *m = &s->metric;
    double ratio = (double)s->levels / (double)s->outputs, largest = 0;
    for (size_t j = 0; j < s->width; j++)
        m->scale[j] = s->norm[j] > 0 ? 1 / s->norm[j] : 0;
    for (size_t k = 0; k < s->levels; k++)
        largest = fmax(largest, curvature[k]);
    /* A level without any curvature is not without any metric. */
    double least = fmax(1e-4 * largest, 1e-30);
    for (size_t k = 0; k < s->levels; k++)
        m->level[k] = ratio * fmax(curvature[k], least);
    ngi_softmax_place(s, theta);
    if (would_block(s, blocks))
        return make_blocks(s, examples);
    return make_shared(s, examples);
}

/* Rows of all levels in single precision, level 0 having what makes the sum 0;
 * their largest entry is near 1. */
static double to_levels(const ngi_softmax *s, const double *g, float *v) {
    const double *scale = s->metric.scale;
    size_t p = s->width;
    double largest = 0;
    for (size_t k = 0; k < s->outputs; k++)
        for (size_t j = 0; j < p; j++)
            largest = fmax(largest, fabs(g[k * p + j] * scale[j]));
    if (!(largest > 0) || !isfinite(largest))
        largest = 1;
    for (size_t j = 0; j < p; j++) {
        double sum = 0;
        for (size_t k = 0; k < s->outputs; k++) {
            double entry = g[k * p + j] * scale[j] / largest;
            v[(k + 1) * p + j] = (float)entry;
            sum += entry;
        }
        v[j] = (float)-sum;
    }
    return largest;
}

static void solve_diagonal(const ngi_softmax *s) {
    for (size_t k = 0; k < s->levels; k++) {
        double level = s->metric.level[k];
        float *v = s->metric.vector + k * s->width;
        for (size_t j = 0; j < s->width; j++)
            v[j] /= (float)(level + scaled_ridge(s, j));
    }
}

/* Levels of other curvature than the mean differ in scale, as they would if
 * columns were uncorrelated. */
static void solve_shared(const ngi_softmax *s) {
    const ngi_softmax_metric *m = &s->metric;
    double mean = mean_level(s), ridge = 0;
    for (size_t j = 0; j < s->width; j++)
        ridge += scaled_ridge(s, j) / (double)s->width;
    ngi_cholesky_solve_single(s->width, m->factor, s->levels, m->vector);
    for (size_t k = 0; k < s->levels; k++) {
        double level = fmax(m->level[k], 1e-3 * mean);
        float share = (float)((mean + ridge) / (level + ridge));
        for (size_t j = 0; j < s->width; j++)
            m->vector[k * s->width + j] *= share;
    }
}

static void solve_levels(void *user, size_t worker) {
    const ngi_softmax *s = user;
    const ngi_softmax_metric *m = &s->metric;
    size_t workers = ngi_threads(s->ctx);
    for (size_t k = worker; k < s->levels; k += workers)
        ngi_packed_solve_single(s->width, m->factor + k * m->blocks,
                                m->vector + k * s->width);
}

void ngi_softmax_metric_solve(ngi_softmax *s, const double *g, double *d) {
    const ngi_softmax_metric *m = &s->metric;
    size_t p = s->width;
    const float *v = m->vector;
    double unit = to_levels(s, g, m->vector);
    if (m->kind == NGI_SOFTMAX_DIAGONAL)
        solve_diagonal(s);
    else if (m->kind == NGI_SOFTMAX_SHARED)
        solve_shared(s);
    else
        ngi_parallel(s->ctx, solve_levels, s);
    for (size_t k = 0; k < s->outputs; k++)
        for (size_t j = 0; j < p; j++)
            d[k * p + j] = unit * m->scale[j] *
                           ((double)v[(k + 1) * p + j] - (double)v[j]);
}
