/* The passes over the rows in search of separation. */
#include "glm/separation_impl.h"

#include "numerics/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- What a row says ---- */

static ngi_side side_of(size_t up, size_t down) {
    return (ngi_side){up, down, NGI_NO_SIDE, 0};
}

static size_t ordinal_sides(size_t levels, double y, ngi_side *out) {
    size_t k = (size_t)y, n = 0;
    if (k + 1 < levels)
        out[n++] = (ngi_side){NGI_NO_SIDE, 0, k, 1};
    if (k > 0)
        out[n++] = (ngi_side){0, NGI_NO_SIDE, k - 1, -1};
    return n;
}

static size_t class_sides(size_t levels, double y, ngi_side *out) {
    size_t own = (size_t)y, n = 0;
    for (size_t c = 0; c < levels; c++) {
        if (c != own)
            out[n++] =
                side_of(own ? own - 1 : NGI_NO_SIDE, c ? c - 1 : NGI_NO_SIDE);
    }
    return n;
}

/* A row that pulls both ways says an equality: two sides. */
bool ngi_side_is_equality(const ngi_finder *f, double y) {
    if (f->spec->form == NGI_SEPARATES_COUNT)
        return y > 0;
    return f->spec->form == NGI_SEPARATES_BINARY && y > 0 && y < 1;
}

size_t ngi_sides(const ngi_finder *f, double y, ngi_side *out) {
    if (f->spec->form == NGI_SEPARATES_ORDINAL)
        return ordinal_sides(f->spec->levels, y, out);
    if (f->spec->form == NGI_SEPARATES_CLASSES)
        return class_sides(f->spec->levels, y, out);
    bool both = ngi_side_is_equality(f, y);
    size_t n = 0;
    if (both || y > 0)
        out[n++] = side_of(0, NGI_NO_SIDE);
    if (both || y <= 0)
        out[n++] = side_of(NGI_NO_SIDE, 0);
    return n;
}

/* The entry of parameter k in a side's vector. */
double ngi_side_entry(const ngi_finder *f, const ngi_glm_block *block,
                      const ngi_side *side, size_t i, size_t k) {
    if (k >= f->outputs * f->width)
        return side->psi == k - f->outputs * f->width ? side->sign : 0;
    size_t o = k / f->width, j = k % f->width;
    double sign = (side->up == o) - (side->down == o);
    return sign == 0 ? 0
                     : sign * ((block->x[j][i] - f->shift[j]) * f->scale[j]);
}

/* ---- Columns ---- */

static void visit_columns(void *user, size_t worker,
                          const ngi_glm_block *block) {
    ngi_finder *f = user;
    ngi_separation_worker *w = &f->worker[worker];
    for (size_t j = 0; j < f->width; j++) {
        for (size_t i = 0; i < block->count; i++) {
            if (!ngi_side_counts(block, i))
                continue;
            w->low[j] = fmin(w->low[j], block->x[j][i]);
            w->high[j] = fmax(w->high[j], block->x[j][i]);
        }
    }
}

ng_status ngi_finder_look(ngi_finder *f, ngi_glm_visit visit) {
    f->passes++;
    if (ngi_cancelled(f->ctx))
        return ngi_fail(f->ctx, NG_ECANCELLED, "cancelled");
    return f->spec->rows->each(f->spec->rows, 1, visit, f);
}

static bool is_held(const ngi_finder *f, size_t k) {
    return f->spec->held && f->spec->held[k];
}

/* The range of every column, in f->shift (low) and f->scale (high). */
static ng_status find_ranges(ngi_finder *f) {
    for (size_t i = 0; i < f->workers; i++) {
        for (size_t j = 0; j < f->width; j++) {
            f->worker[i].low[j] = HUGE_VAL;
            f->worker[i].high[j] = -HUGE_VAL;
        }
    }
    NG_TRY(ngi_finder_look(f, visit_columns));
    for (size_t j = 0; j < f->width; j++) {
        f->shift[j] = HUGE_VAL;
        f->scale[j] = -HUGE_VAL;
        for (size_t i = 0; i < f->workers; i++) {
            f->shift[j] = fmin(f->shift[j], f->worker[i].low[j]);
            f->scale[j] = fmax(f->scale[j], f->worker[i].high[j]);
        }
    }
    return NG_OK;
}

/* The first column that is constant and free in every block. */
static void find_constant(ngi_finder *f) {
    f->constant = NGI_NO_SIDE;
    for (size_t j = 0; j < f->width && f->constant == NGI_NO_SIDE; j++) {
        bool fits = f->shift[j] == f->scale[j] && f->magnitude[j] > DBL_MIN;
        for (size_t o = 0; o < f->outputs; o++)
            fits = fits && !is_held(f, o * f->width + j);
        if (fits)
            f->constant = j;
    }
    if (f->constant != NGI_NO_SIDE)
        f->constant_sign = f->scale[f->constant] < 0 ? -1 : 1;
}

ng_status ngi_finder_columns(ngi_finder *f) {
    NG_TRY(find_ranges(f));
    for (size_t j = 0; j < f->width; j++)
        f->magnitude[j] = fmax(fabs(f->shift[j]), fabs(f->scale[j]));
    find_constant(f);
    bool thresholds = f->thresholds > 0;
    for (size_t k = 0; k < f->thresholds; k++)
        thresholds = thresholds && !is_held(f, f->width + k);
    for (size_t j = 0; j < f->width; j++) {
        double low = f->shift[j], high = f->scale[j], reach = f->magnitude[j];
        bool moves =
            thresholds || (f->constant != NGI_NO_SIDE && f->constant != j);
        f->shift[j] = moves ? low / 2 + high / 2 : 0;
        if (moves)
            reach = fmax(high - f->shift[j], f->shift[j] - low);
        /* A column that is 0 to the last bit moves nothing. */
        f->scale[j] = reach > DBL_MIN && isfinite(reach) ? 1 / reach : 0;
    }
    f->kept = 0;
    for (size_t k = 0; k < f->dim; k++) {
        bool moves = k >= f->outputs * f->width || f->scale[k % f->width] > 0;
        if (moves && !is_held(f, k))
            f->keep[f->kept++] = k;
    }
    return NG_OK;
}

/* ---- Along a direction ---- */

static void evaluate(const ngi_finder *f, const ngi_glm_block *block,
                     const double *direction, ngi_separation_worker *w) {
    size_t n = block->count;
    memset(w->eta, 0, n * f->outputs * sizeof *w->eta);
    memset(w->reach, 0, n * f->outputs * sizeof *w->reach);
    for (size_t k = 0; k < f->outputs * f->width; k++) {
        size_t o = k / f->width, j = k % f->width;
        const double *x = block->x[j];
        double d = direction[k] * f->scale[j], shift = f->shift[j];
        double h = direction[f->dim + k] * f->scale[j];
        double *eta = w->eta + o * n, *reach = w->reach + o * n;
        for (size_t i = 0; h > 0 && i < n; i++) {
            eta[i] += (x[i] - shift) * d;
            reach[i] += fabs(x[i] - shift) * h;
        }
    }
}

/* a' d, and the sum of the magnitudes that it was formed of. */
static double side_value(const ngi_finder *f, const double *direction,
                         const ngi_separation_worker *w, const ngi_side *side,
                         size_t n, size_t i, double *reach) {
    const double *psi = direction + f->outputs * f->width;
    double value = 0;
    *reach = 0;
    if (side->up != NGI_NO_SIDE) {
        value += w->eta[side->up * n + i];
        *reach += w->reach[side->up * n + i];
    }
    if (side->down != NGI_NO_SIDE) {
        value -= w->eta[side->down * n + i];
        *reach += w->reach[side->down * n + i];
    }
    if (side->psi != NGI_NO_SIDE) {
        value += side->sign * psi[side->psi];
        *reach += psi[f->dim + side->psi];
    }
    return value;
}

/* Which sides rise along none of the directions found. */
void ngi_finder_living(const ngi_finder *f, const ngi_glm_block *block,
                       ngi_separation_worker *w) {
    size_t n = block->count;
    for (size_t k = 0; k < n * f->most; k++)
        w->alive[k] = true;
    for (size_t s = 0; s < f->found; s++) {
        const double *direction = f->found_direction + 2 * f->dim * s;
        evaluate(f, block, direction, w);
        for (size_t i = 0; i < n; i++) {
            size_t count = ngi_sides(f, block->y[i], w->side);
            for (size_t c = 0; c < count; c++) {
                double reach, value = side_value(f, direction, w, &w->side[c],
                                                 n, i, &reach);
                if (value > f->tolerance * reach)
                    w->alive[i * f->most + c] = false;
            }
        }
    }
}

/* ---- Probes ---- */

/* Keeps the most violated sides: a full list gives up its weakest. */
static void keep_candidate(const ngi_finder *f, const ngi_glm_block *block,
                           size_t i, size_t c, double score,
                           ngi_separation_worker *w) {
    size_t place = w->candidates;
    if (place == f->batch) {
        place = w->weakest;
        if (score >= w->score[place])
            return;
    } else {
        w->candidates++;
    }
    w->score[place] = score;
    w->id[place] = (uint64_t)(block->first + i) * f->most + c;
    for (size_t k = 0; k < f->kept; k++)
        w->vector[place * f->dim + k] =
            ngi_side_entry(f, block, &w->side[c], i, f->keep[k]);
    w->weakest = 0;
    for (size_t k = 1; k < w->candidates; k++) {
        if (w->score[k] > w->score[w->weakest])
            w->weakest = k;
    }
}

/* What was found combined, to be compared with the trial. */
static void find_combined(const ngi_finder *f, const ngi_glm_block *block,
                          ngi_separation_worker *w) {
    evaluate(f, block, f->combined, w);
    for (size_t i = 0; i < block->count; i++) {
        size_t count = ngi_sides(f, block->y[i], w->side);
        for (size_t c = 0; c < count; c++) {
            double reach;
            w->value[i * f->most + c] = side_value(
                f, f->combined, w, &w->side[c], block->count, i, &reach);
        }
    }
}

static void probe_row(const ngi_finder *f, const ngi_glm_block *block, size_t i,
                      ngi_separation_worker *w) {
    size_t count = ngi_sides(f, block->y[i], w->side);
    bool rises = false;
    for (size_t c = 0; c < count; c++) {
        size_t k = i * f->most + c;
        double reach, value = side_value(f, f->trial, w, &w->side[c],
                                         block->count, i, &reach);
        double tolerance = f->tolerance * reach;
        if (!w->alive[k]) {
            rises = true;
            if (value < 0)
                w->ratio = fmin(w->ratio, w->value[k] / -value);
            continue;
        }
        w->living++;
        rises = rises || value > tolerance;
        w->risen += value > tolerance;
        if (value >= -tolerance)
            continue;
        w->violated++;
        keep_candidate(f, block, i, c, value / reach, w);
    }
    w->risen_rows += rises;
}

static void visit_probe(void *user, size_t worker, const ngi_glm_block *block) {
    ngi_finder *f = user;
    ngi_separation_worker *w = &f->worker[worker];
    ngi_finder_living(f, block, w);
    if (f->found)
        find_combined(f, block, w);
    evaluate(f, block, f->trial, w);
    for (size_t i = 0; i < block->count; i++) {
        if (ngi_side_counts(block, i))
            probe_row(f, block, i, w);
    }
}

ng_status ngi_finder_probe(ngi_finder *f, ngi_probe *out) {
    for (size_t i = 0; i < f->workers; i++) {
        ngi_separation_worker *w = &f->worker[i];
        w->living = w->violated = w->risen = w->risen_rows = 0;
        w->candidates = w->weakest = 0;
        w->ratio = HUGE_VAL;
    }
    NG_TRY(ngi_finder_look(f, visit_probe));
    *out = (ngi_probe){.ratio = HUGE_VAL};
    for (size_t i = 0; i < f->workers; i++) {
        const ngi_separation_worker *w = &f->worker[i];
        out->living += w->living;
        out->violated += w->violated;
        out->risen += w->risen;
        out->risen_rows += w->risen_rows;
        out->ratio = fmin(out->ratio, w->ratio);
    }
    return NG_OK;
}

/* ---- Memory ---- */

static ng_status reserve_worker(ngi_finder *f, ngi_separation_worker *w) {
    size_t n = f->spec->rows->block_rows, d = f->dim, levels = f->spec->levels;
    const ngi_glm_kernel *kernel = f->spec->kernel;
    size_t scratch = n * (1 + (kernel ? kernel->work : 0));
    if (f->spec->form == NGI_SEPARATES_ORDINAL)
        scratch = n * levels * levels;
    size_t pair = 2 * n * (f->outputs + f->most);
    w->eta = ngi_alloc(f->ctx, pair + scratch, sizeof *w->eta);
    w->alive = ngi_alloc(f->ctx, n * f->most, sizeof *w->alive);
    w->side = ngi_alloc(f->ctx, f->most + NGI_SIDE_CHUNK, sizeof *w->side);
    w->chunk_row = ngi_alloc(f->ctx, NGI_SIDE_CHUNK, sizeof *w->chunk_row);
    w->chunk_root =
        ngi_alloc(f->ctx, NGI_SIDE_CHUNK, (d + 1) * sizeof *w->chunk_root);
    w->G = ngi_alloc(f->ctx, 2 * d + 4, (d + 1) * sizeof *w->G);
    w->list = ngi_alloc(f->ctx, d, sizeof *w->list);
    w->score = ngi_alloc(f->ctx, f->batch, (d + 1) * sizeof *w->score);
    w->id = ngi_alloc(f->ctx, f->batch, sizeof *w->id);
    if (!w->eta || !w->alive || !w->side || !w->chunk_row || !w->chunk_root ||
        !w->G || !w->score || !w->id || !w->list)
        return NG_ENOMEM;
    w->reach = w->eta + n * f->outputs;
    w->value = w->reach + n * f->outputs;
    w->multiplier = w->value + n * f->most;
    w->kernel = w->multiplier + n * f->most;
    w->chunk_side = w->side + f->most;
    w->chunk = w->chunk_root + NGI_SIDE_CHUNK;
    w->b = w->G + d * (d + 1);
    w->noise = w->b + d;
    w->low = w->noise + d;
    w->high = w->low + f->width;
    w->square = w->high + f->width;
    w->vector = w->score + f->batch;
    return NG_OK;
}

ng_status ngi_finder_reserve(ngi_finder *f) {
    size_t d = f->dim;
    f->worker = ngi_alloc(f->ctx, f->workers, sizeof *f->worker);
    f->scale = ngi_alloc(f->ctx, 3 * f->width + 6 * d, sizeof *f->scale);
    f->keep = ngi_alloc(f->ctx, 2 * d, sizeof *f->keep);
    f->G = ngi_alloc(f->ctx, d, d * sizeof *f->G);
    if (!f->worker || !f->scale || !f->keep || !f->G)
        return NG_ENOMEM;
    f->shift = f->scale + f->width;
    f->magnitude = f->shift + f->width;
    f->b = f->magnitude + f->width;
    f->noise = f->b + d;
    f->trial = f->noise + d;
    f->combined = f->trial + 2 * d;
    for (size_t i = 0; i < f->workers; i++)
        NG_TRY(reserve_worker(f, &f->worker[i]));
    return NG_OK;
}

void ngi_finder_release(ngi_finder *f) {
    for (size_t i = 0; f->worker && i < f->workers; i++) {
        ngi_separation_worker *w = &f->worker[i];
        ngi_free(f->ctx, w->eta);
        ngi_free(f->ctx, w->alive);
        ngi_free(f->ctx, w->side);
        ngi_free(f->ctx, w->chunk_row);
        ngi_free(f->ctx, w->chunk_root);
        ngi_free(f->ctx, w->G);
        ngi_free(f->ctx, w->score);
        ngi_free(f->ctx, w->id);
        ngi_free(f->ctx, w->list);
    }
    ngi_free(f->ctx, f->worker);
    ngi_free(f->ctx, f->scale);
    ngi_free(f->ctx, f->keep);
    ngi_free(f->ctx, f->G);
    ngi_free(f->ctx, f->found_direction);
}
