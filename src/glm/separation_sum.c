/* Sums over the rows: G = sum of l a a' and b = sum of l a. */
#include "glm/separation_impl.h"

#include "numerics/linalg.h"

#include <math.h>
#include <string.h>

/* ---- Multipliers at theta: l = w |d loss / d (a' theta)| ---- */

static void class_multipliers(const ngi_finder *f, const ngi_glm_block *block,
                              size_t i, ngi_separation_worker *w) {
    size_t n = block->count, own = (size_t)block->y[i], c = 0;
    double weight = block->weight ? block->weight[i] : 1;
    double largest = 0, sum = 0;
    for (size_t o = 0; o < f->outputs; o++)
        largest = fmax(largest, w->eta[o * n + i]);
    for (size_t k = 0; k <= f->outputs; k++)
        sum += exp((k ? w->eta[(k - 1) * n + i] : 0) - largest);
    for (size_t k = 0; k <= f->outputs; k++) {
        double p = exp((k ? w->eta[(k - 1) * n + i] : 0) - largest) / sum;
        if (k != own)
            w->multiplier[i * f->most + c++] = weight * p;
    }
}

static void ordinal_multipliers(const ngi_finder *f, const ngi_glm_block *block,
                                ngi_separation_worker *w) {
    const ngi_glm_kernel *kernel = f->spec->kernel;
    size_t n = block->count, levels = f->spec->levels, extras = levels - 1;
    double *p = w->kernel, *dpsi = p + n * levels;
    kernel->ops->probabilities(kernel, n, w->eta, f->spec->theta + f->width, p,
                               NULL, dpsi);
    for (size_t i = 0; i < n; i++) {
        double weight = block->weight ? block->weight[i] : 1;
        size_t k = (size_t)block->y[i];
        size_t count = ngi_sides(f, block->y[i], w->side);
        for (size_t c = 0; c < count; c++) {
            size_t psi = w->side[c].psi;
            double slope = dpsi[(i * levels + k) * extras + psi];
            w->multiplier[i * f->most + c] =
                weight * w->side[c].sign * slope / p[i * levels + k];
        }
    }
}

/* The multipliers of an equality are free in sign: both of its sides get what
 * gives the right difference and is well above 0. */
static void score_multipliers(const ngi_finder *f, const ngi_glm_block *block,
                              ngi_separation_worker *w) {
    const ngi_glm_kernel *kernel = f->spec->kernel;
    size_t n = block->count;
    double *score = w->kernel;
    ngi_glm_terms terms = {.score = score};
    kernel->ops->terms(kernel, n, w->eta, f->spec->theta + f->width, block->y,
                       block->weight, &terms, score + n);
    for (size_t i = 0; i < n; i++) {
        double weight = block->weight ? block->weight[i] : 1;
        double *multiplier = w->multiplier + i * f->most;
        if (ngi_side_is_equality(f, block->y[i])) {
            multiplier[0] = weight * (1 + fmax(-score[i], 0));
            multiplier[1] = weight * (1 + fmax(score[i], 0));
        } else {
            multiplier[0] = weight * (block->y[i] > 0 ? -score[i] : score[i]);
        }
    }
}

static void find_multipliers(const ngi_finder *f, const ngi_glm_block *block,
                             ngi_separation_worker *w) {
    size_t n = block->count;
    for (size_t o = 0; o < f->outputs; o++)
        ngi_glm_predictor(f->spec->rows, block, f->spec->theta + o * f->width,
                          w->eta + o * n);
    if (f->spec->form == NGI_SEPARATES_ORDINAL)
        ordinal_multipliers(f, block, w);
    else if (f->spec->form != NGI_SEPARATES_CLASSES)
        score_multipliers(f, block, w);
    for (size_t i = 0; f->spec->form == NGI_SEPARATES_CLASSES && i < n; i++)
        class_multipliers(f, block, i, w);
}

/* ---- Sums ---- */

/* The sides collected go into G and b. Only the parameters listed are not 0 in
 * them. */
static void flush(const ngi_finder *f, const ngi_glm_block *block,
                  ngi_separation_worker *w) {
    size_t m = w->listed;
    for (size_t a = 0; a < m; a++) {
        size_t k = w->list[a];
        double *column = w->chunk + a * NGI_SIDE_CHUNK;
        double sum = 0, magnitude = 0;
        for (size_t e = 0; e < w->pending; e++) {
            double root = w->chunk_root[e];
            column[e] = root * ngi_side_entry(f, block, &w->chunk_side[e],
                                              w->chunk_row[e], f->keep[k]);
            sum += root * column[e];
            magnitude += root * fabs(column[e]);
        }
        w->b[k] += sum;
        w->noise[k] += magnitude;
    }
    ngi_syrk_columns(m, w->pending, w->chunk, NGI_SIDE_CHUNK, w->square, m);
    w->pending = 0;
}

/* A square over the parameters listed, added where it belongs. */
static void spread(const ngi_finder *f, ngi_separation_worker *w) {
    size_t m = w->listed;
    for (size_t a = 0; a < m; a++) {
        for (size_t b = 0; b <= a; b++)
            w->G[w->list[a] * f->kept + w->list[b]] += w->square[a * m + b];
    }
    memset(w->square, 0, m * m * sizeof *w->square);
}

static void add_side(const ngi_finder *f, const ngi_glm_block *block, size_t i,
                     size_t c, ngi_separation_worker *w) {
    double l = f->weighted ? w->multiplier[i * f->most + c] : 1;
    if (!w->alive[i * f->most + c])
        return;
    w->living++;
    if (!ngi_side_is_equality(f, block->y[i]) && !(l >= w->least))
        w->least = l > 0 ? l : 0;
    w->chunk_side[w->pending] = w->side[c];
    w->chunk_row[w->pending] = i;
    w->chunk_root[w->pending] = sqrt(fmax(l, 0));
    if (++w->pending == NGI_SIDE_CHUNK)
        flush(f, block, w);
}

/* Of classes the sides of one pair at a time, which are 0 but in two blocks. */
static void add_pair(const ngi_finder *f, const ngi_glm_block *block,
                     size_t low, size_t high, ngi_separation_worker *w) {
    w->listed = 0;
    for (size_t k = 0; k < f->kept; k++) {
        size_t class = f->keep[k] / f->width + 1;
        if (class == low || class == high)
            w->list[w->listed++] = k;
    }
    for (size_t i = 0; i < block->count; i++) {
        size_t own = (size_t)block->y[i];
        if (!ngi_side_counts(block, i) || (own != low && own != high))
            continue;
        /* Side c is against class c, from the own class on against c + 1. */
        ngi_sides(f, block->y[i], w->side);
        add_side(f, block, i, own == low ? high - 1 : low, w);
    }
    flush(f, block, w);
    spread(f, w);
}

static void visit_sum(void *user, size_t worker, const ngi_glm_block *block) {
    ngi_finder *f = user;
    ngi_separation_worker *w = &f->worker[worker];
    ngi_finder_living(f, block, w);
    if (f->weighted)
        find_multipliers(f, block, w);
    if (f->spec->form == NGI_SEPARATES_CLASSES) {
        for (size_t high = 1; high < f->spec->levels; high++) {
            for (size_t low = 0; low < high; low++)
                add_pair(f, block, low, high, w);
        }
        return;
    }
    for (size_t k = 0; k < f->kept; k++)
        w->list[k] = k;
    w->listed = f->kept;
    for (size_t i = 0; i < block->count; i++) {
        size_t count =
            ngi_side_counts(block, i) ? ngi_sides(f, block->y[i], w->side) : 0;
        for (size_t c = 0; c < count; c++)
            add_side(f, block, i, c, w);
    }
    flush(f, block, w);
}

ng_status ngi_finder_sum(ngi_finder *f, size_t *living, double *least) {
    size_t d = f->kept;
    for (size_t i = 0; i < f->workers; i++) {
        ngi_separation_worker *w = &f->worker[i];
        memset(w->G, 0, d * d * sizeof *w->G);
        memset(w->b, 0, d * sizeof *w->b);
        memset(w->noise, 0, d * sizeof *w->noise);
        memset(w->square, 0, d * d * sizeof *w->square);
        w->listed = 0;
        w->living = 0;
        w->least = HUGE_VAL;
    }
    NG_TRY(ngi_finder_look(f, visit_sum));
    memset(f->G, 0, d * d * sizeof *f->G);
    memset(f->b, 0, d * sizeof *f->b);
    memset(f->noise, 0, d * sizeof *f->noise);
    *living = 0;
    *least = HUGE_VAL;
    for (size_t i = 0; i < f->workers; i++) {
        ngi_separation_worker *w = &f->worker[i];
        if (f->spec->form != NGI_SEPARATES_CLASSES)
            spread(f, w);
        ngi_axpy(d * d, 1, w->G, f->G);
        ngi_axpy(d, 1, w->b, f->b);
        ngi_axpy(d, 1, w->noise, f->noise);
        *living += w->living;
        *least = fmin(*least, w->least);
    }
    return NG_OK;
}
