/* The search for separation. In coordinates in which A'A = I the non-negative
 * least squares problem
 *     min || A'(1 + mu) ||,  mu >= 0
 * has a residual r with A r >= 0 and |r|^2 = 1'A r >= |A r| = |r|: it is either
 * a direction of separation of norm at least 1, or 0, and then 1 + mu are
 * Stiemke's multipliers. So a residual below 1 proves already that nothing
 * separates. The problem is solved over a few sides, those that a pass over the
 * rows finds most violated join, and so on.
 *
 * What rises along r is set aside and the rest is searched again. In the end
 * the directions that keep the rest where it is are the span of all that
 * separate: a direction may rise as far as it likes along what was set aside.
 *
 * At a fit with multipliers l (the derivative of the loss along each side)
 * A'l = -g. With F = sum l a a', M = max a'd over the sides and d of the cone
 *     g'd <= |g|_F' sqrt(d'F d) <= |g|_F' sqrt(M g'd),  g'd >= min(l) M,
 * so |g|_F'^2 < min(l) proves that nothing separates (|.|_F' by F^-1): at a
 * converged fit in the interior one pass is all. */
#include "glm/separation.h"

#include "glm/separation_impl.h"
#include "numerics/linalg.h"
#include "numerics/nnls.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Beyond these the squares alone would fill the memory. */
enum { MOST_PARAMETERS = 2048 };
/* A share of a null vector that is more than rounding. */
static const double MOVES = 1e-6;

static ngi_separation_form binary_form(ng_link link) {
    switch (link) {
    case NG_LINK_LOGIT:
    case NG_LINK_PROBIT:
    case NG_LINK_CLOGLOG:
    case NG_LINK_CAUCHIT:
        return NGI_SEPARATES_BINARY;
    case NG_LINK_LOG: /* whose predictor cannot rise above 0 */
        return NGI_SEPARATES_COUNT;
    default:
        return NGI_SEPARATES_NEVER;
    }
}

ngi_separation_form ngi_separation_form_of(const ngi_glm_kernel *kernel) {
    const ng_family *family = kernel->family;
    if (kernel->levels)
        return binary_form(kernel->link) == NGI_SEPARATES_BINARY
                   ? NGI_SEPARATES_ORDINAL
                   : NGI_SEPARATES_NEVER;
    if (family && strcmp(family->ops->name, "bernoulli") == 0)
        return binary_form(kernel->link);
    bool counts = family ? strcmp(family->ops->name, "poisson") == 0
                  /* negative binomial; Tweedie with a mass at 0 */
                  : kernel->extras ? kernel->psi_lower == 0
                                   : kernel->power >= 1 && kernel->power < 2;
    return counts && kernel->link == NG_LINK_LOG ? NGI_SEPARATES_COUNT
                                                 : NGI_SEPARATES_NEVER;
}

/* ---- State ---- */

typedef struct search {
    ngi_finder finder;
    ngi_separation *out;
    double *T;      /* whitening, rank x kept */
    double *scale;  /* kept: of G to a unit diagonal */
    double *values; /* kept */
    double *work;   /* of the eigenproblem, and 4 kept */
    int *iwork;     /* kept */
    size_t rank;
    double *full;    /* 3 dim */
    double *moves;   /* dim: share of parameter k in the null space of G */
    double *aliased; /* dim: the same of all sides */
    ngi_nnls *nnls;
} search;

static void release(ng_ctx *ctx, search *s) {
    ngi_free(ctx, s->T);
    ngi_free(ctx, s->scale);
    ngi_free(ctx, s->work);
    ngi_free(ctx, s->iwork);
    ngi_nnls_destroy(&s->nnls);
    ngi_finder_release(&s->finder);
}

static ng_status reserve(ng_ctx *ctx, search *s) {
    ngi_finder *f = &s->finder;
    NG_TRY(ngi_finder_reserve(f));
    size_t d = f->dim;
    s->T = ngi_alloc(ctx, d, d * sizeof *s->T);
    s->scale = ngi_alloc(ctx, 7 * d, sizeof *s->scale);
    s->work = ngi_alloc(ctx, ngi_eigen_work(d) + 4 * d, sizeof *s->work);
    s->iwork = ngi_alloc(ctx, d, sizeof *s->iwork);
    if (!s->T || !s->scale || !s->work || !s->iwork)
        return NG_ENOMEM;
    s->values = s->scale + d;
    s->moves = s->values + d;
    s->aliased = s->moves + d;
    s->full = s->aliased + d;
    return ngi_nnls_create(ctx, d, f->batch * f->workers, &s->nnls);
}

/* T = G with a unit diagonal; `scale` says how. */
static void equilibrate(search *s) {
    const ngi_finder *f = &s->finder;
    size_t d = f->kept;
    for (size_t k = 0; k < d; k++)
        s->scale[k] = f->G[k * d + k] > 0 ? 1 / sqrt(f->G[k * d + k]) : 0;
    for (size_t k = 0; k < d; k++) {
        for (size_t j = 0; j <= k; j++)
            s->T[k * d + j] = f->G[k * d + j] * s->scale[k] * s->scale[j];
    }
}

/* ---- The certificate of a fit ---- */

/* Whether (|g| + |rounding of g|)^2 in the norm of F^-1 is below min(l). The
 * sums lose about sqrt(n) roundings; F with a unit diagonal has no eigenvalue
 * below the reciprocal of its condition number. */
static bool fit_certifies(search *s, size_t living, double least) {
    ngi_finder *f = &s->finder;
    size_t d = f->kept;
    double noise = 0, *g = s->values;
    if (!(least > 0) || !isfinite(least) || !ngi_all_finite(d * d, f->G))
        return false;
    equilibrate(s);
    for (size_t k = 0; k < d; k++) {
        double lost = 4 * DBL_EPSILON * sqrt((double)living) * f->noise[k];
        g[k] = f->b[k] * s->scale[k];
        noise += lost * lost * s->scale[k] * s->scale[k];
    }
    double norm = ngi_symmetric_norm1(d, s->T, s->work);
    if (!ngi_cholesky(d, s->T))
        return false;
    double rcond = ngi_cholesky_rcond(d, s->T, norm, s->work, s->iwork);
    if (!(rcond > 100 * (double)d * DBL_EPSILON))
        return false;
    memcpy(s->work, g, d * sizeof *g);
    ngi_cholesky_solve(d, s->T, s->work);
    double total = sqrt(fmax(ngi_dot(d, g, s->work), 0)) + sqrt(noise / rcond);
    return 2 * total * total < least;
}

static ng_status ask_fit(search *s, bool *none) {
    ngi_finder *f = &s->finder;
    size_t living;
    double least;
    *none = false;
    if (!f->spec->theta ||
        !(f->spec->kernel || f->spec->form == NGI_SEPARATES_CLASSES))
        return NG_OK;
    f->weighted = true;
    ng_status status = ngi_finder_sum(f, &living, &least);
    f->weighted = false;
    if (status == NG_OK)
        *none = fit_certifies(s, living, least);
    return status;
}

/* ---- Directions ---- */

/* Parameters that the earlier ones determine do not move. */
static void drop_aliased(search *s) {
    ngi_finder *f = &s->finder;
    size_t d = f->kept, left = 0;
    double cutoff = 1e4 * (double)d * DBL_EPSILON;
    equilibrate(s);
    double *L = s->T;
    for (size_t k = 0; k < d; k++) {
        /* Row k against the rows that were kept, which stand in front. */
        double pivot = L[k * d + k];
        for (size_t c = 0; c < left; c++) {
            double sum = L[k * d + f->keep[c + d]];
            const double *row = L + f->keep[c + d] * d;
            for (size_t e = 0; e < c; e++)
                sum -= row[f->keep[e + d]] * L[k * d + f->keep[e + d]];
            L[k * d + f->keep[c + d]] = sum / row[f->keep[c + d]];
            pivot -= L[k * d + f->keep[c + d]] * L[k * d + f->keep[c + d]];
        }
        if (!(pivot > cutoff))
            continue;
        L[k * d + k] = sqrt(pivot);
        f->keep[d + left++] = k;
    }
    for (size_t k = 0; k < left; k++) {
        size_t from = f->keep[d + k];
        f->b[k] = f->b[from];
        for (size_t j = 0; j <= k; j++)
            f->G[k * left + j] = f->G[from * d + f->keep[d + j]];
    }
    for (size_t k = 0; k < left; k++)
        f->keep[k] = f->keep[f->keep[d + k]];
    f->kept = left;
}

/* What the shifts of the columns of block `o` take from the constant along d:
 * its sum and the size of its terms. */
static double shifted(const ngi_finder *f, const double *d, size_t o,
                      double *size) {
    double sum = 0;
    for (size_t j = 0; j < f->width; j++) {
        double term = d[o * f->width + j] * f->scale[j] * f->shift[j];
        sum += term;
        *size += fabs(term);
    }
    return sum;
}

/* From a direction of the shifted columns to one of the columns themselves,
 * per unit of their largest |x|. The constant and the thresholds take in the
 * shifts, and are 0 where no more than `rounding` of the terms is left;
 * `share` is what is left of them. */
static void unshift(const ngi_finder *f, const double *d, double rounding,
                    double *out, double *share) {
    for (size_t k = 0; k < f->dim; k++) {
        bool threshold = k >= f->outputs * f->width;
        size_t j = threshold ? NGI_NO_SIDE : k % f->width;
        if (!threshold && j != f->constant) {
            out[k] = d[k] * f->scale[j] * f->magnitude[j];
            share[k] = out[k];
            continue;
        }
        double size = fabs(d[k]), sign = threshold ? 1 : -f->constant_sign;
        double sum = sign * shifted(f, d, threshold ? 0 : k / f->width, &size);
        bool left = fabs(d[k] + sum) > rounding * size;
        out[k] = left ? d[k] + sum : 0;
        share[k] = left ? out[k] / size : 0;
    }
}

/* The parameters that move along a null vector of G with a unit diagonal. */
static void note_moves(search *s, const double *row) {
    const ngi_finder *f = &s->finder;
    double *d = s->full, *out = d + f->dim, *share = out + f->dim;
    memset(d, 0, f->dim * sizeof *d);
    for (size_t j = 0; j < f->kept; j++) {
        double scale = s->scale[j] > 0 ? s->scale[j] : 1;
        d[f->keep[j]] = fabs(row[j]) > MOVES ? row[j] * scale : 0;
    }
    unshift(f, d, MOVES, out, share);
    for (size_t j = 0; j < f->kept; j++) {
        size_t k = f->keep[j];
        bool whole = k < f->outputs * f->width && k % f->width != f->constant;
        double moved = whole ? row[j] : share[k];
        s->moves[k] += moved * moved;
    }
}

/* T with T G T' = I over the range of G, row by row in the eigenvectors' place;
 * what lies in its null space is noted in `moves`. */
static bool whiten(search *s) {
    ngi_finder *f = &s->finder;
    size_t d = f->kept;
    equilibrate(s);
    memset(s->moves, 0, f->dim * sizeof *s->moves);
    if (!ngi_eigen(d, s->T, s->values, s->work))
        return false;
    double cutoff = 100 * (double)d * DBL_EPSILON * fabs(s->values[d - 1]);
    s->rank = 0;
    for (size_t k = 0; k < d; k++) {
        double *row = s->T + k * d;
        if (!(s->values[k] > cutoff)) {
            note_moves(s, row);
            continue;
        }
        double root = 1 / sqrt(s->values[k]);
        for (size_t j = 0; j < d; j++)
            s->T[s->rank * d + j] = row[j] * s->scale[j] * root;
        s->rank++;
    }
    return true;
}

static void to_white(const search *s, const double *a, double *out) {
    size_t d = s->finder.kept;
    for (size_t k = 0; k < s->rank; k++)
        out[k] = ngi_dot(d, s->T + k * d, a);
}

/* The trial is T'r. Each entry of r carries roundings of all of r, and so does
 * what is made of it: that is its reach. */
static void set_trial(search *s, const double *r) {
    ngi_finder *f = &s->finder;
    size_t d = f->kept;
    double size = ngi_norm(s->rank, r);
    memset(f->trial, 0, 2 * f->dim * sizeof *f->trial);
    for (size_t j = 0; j < d; j++) {
        double sum = 0, reach = 0;
        for (size_t k = 0; k < s->rank; k++) {
            sum += s->T[k * d + j] * r[k];
            reach += fabs(s->T[k * d + j]) * size;
        }
        f->trial[f->keep[j]] = sum;
        f->trial[f->dim + f->keep[j]] = reach;
    }
}

/* The violated sides join; false if they are all there. */
static bool take_candidates(search *s) {
    ngi_finder *f = &s->finder;
    bool any = false;
    double *white = s->work;
    ngi_nnls_make_room(s->nnls);
    for (size_t i = 0; i < f->workers; i++) {
        const ngi_separation_worker *w = &f->worker[i];
        for (size_t c = 0; c < w->candidates; c++) {
            to_white(s, w->vector + c * f->dim, white);
            any = ngi_nnls_add(s->nnls, w->id[c], white) || any;
        }
    }
    return any;
}

typedef enum search_verdict { NOTHING, FOUND, OPEN } search_verdict;

/* One direction of separation of the sides alive, in the trial. */
static ng_status descend(search *s, search_verdict *out, ngi_probe *probe) {
    ngi_finder *f = &s->finder;
    size_t limit = 50 + 10 * f->kept;
    *out = OPEN;
    to_white(s, f->b, s->values);
    ngi_nnls_begin(s->nnls, s->rank, s->values);
    while (limit-- > 0) {
        ngi_nnls_solve(s->nnls, 0.5);
        if (ngi_nnls_bound(s->nnls, s->work) < 0.9) {
            *out = NOTHING;
            return NG_OK;
        }
        set_trial(s, ngi_nnls_residual(s->nnls));
        NG_TRY(ngi_finder_probe(f, probe));
        if (probe->violated == 0) {
            *out = probe->risen ? FOUND : OPEN;
            return NG_OK;
        }
        if (!take_candidates(s))
            return NG_OK;
    }
    return NG_OK;
}

/* The trial joins the directions found, and in a small enough share what they
 * come to together. */
static ng_status accept(search *s, const ngi_probe *probe) {
    ngi_finder *f = &s->finder;
    size_t size = 2 * f->dim;
    double largest = ngi_max_abs(f->dim, f->trial);
    for (size_t k = 0; k < size; k++)
        f->trial[k] /= largest;
    double *grown = ngi_resize(f->ctx, f->found_direction,
                               (f->found + 1) * size, sizeof *grown);
    if (!grown)
        return NG_ENOMEM;
    f->found_direction = grown;
    memcpy(grown + f->found * size, f->trial, size * sizeof *grown);
    f->found++;
    double share = fmin(1, 0.5 * probe->ratio * largest);
    ngi_axpy(size, share, f->trial, f->combined);
    s->out->separated = probe->risen_rows;
    return NG_OK;
}

/* The trial is theta, as a direction of the shifted columns. */
static void shift_theta(ngi_finder *f) {
    double *d = f->trial, *reach = f->trial + f->dim;
    memset(d, 0, 2 * f->dim * sizeof *d);
    for (size_t i = 0; i < f->kept; i++) {
        size_t k = f->keep[i];
        double scale = 1;
        if (k < f->outputs * f->width)
            scale = k % f->width == f->constant ? 1 / f->magnitude[f->constant]
                                                : f->scale[k % f->width];
        d[k] = f->spec->theta[k] / scale;
        reach[k] = fabs(d[k]);
    }
    for (size_t i = 0; i < f->kept; i++) {
        size_t k = f->keep[i];
        bool column = k < f->outputs * f->width;
        if (column && k % f->width != f->constant)
            continue;
        double sign = column ? f->constant_sign : -1;
        d[k] += sign * shifted(f, d, column ? k / f->width : 0, &reach[k]);
    }
}

/* Whether theta itself separates completely, as it does when a fit has run
 * after it for a few steps. */
static ng_status ask_theta(search *s, ngi_probe *probe, bool *complete) {
    ngi_finder *f = &s->finder;
    *complete = false;
    if (!f->spec->theta)
        return NG_OK;
    shift_theta(f);
    if (!ngi_all_finite(f->dim, f->trial))
        return NG_OK;
    NG_TRY(ngi_finder_probe(f, probe));
    *complete = probe->living > 0 && probe->risen == probe->living;
    return NG_OK;
}

/* Rounds of one direction each, until what is alive overlaps. */
static ng_status search_rounds(search *s) {
    ngi_finder *f = &s->finder;
    ngi_probe probe = {0};
    search_verdict verdict = FOUND;
    size_t living;
    double least;
    bool complete;
    NG_TRY(ask_theta(s, &probe, &complete));
    NG_TRY(ngi_finder_sum(f, &living, &least));
    if (!ngi_all_finite(f->kept * f->kept, f->G)) {
        s->out->determined = false;
        return NG_OK;
    }
    drop_aliased(s);
    if (complete) {
        NG_TRY(accept(s, &probe));
        living = 0;
    }
    while (living > 0 && f->kept > 0) {
        if (!whiten(s)) {
            verdict = OPEN;
            break;
        }
        if (f->found == 0)
            memcpy(s->aliased, s->moves, f->dim * sizeof *s->moves);
        if (s->rank == 0)
            break;
        NG_TRY(descend(s, &verdict, &probe));
        if (verdict != FOUND)
            break;
        NG_TRY(accept(s, &probe));
        NG_TRY(ngi_finder_sum(f, &living, &least));
    }
    if (living == 0) {
        for (size_t k = 0; k < f->kept; k++)
            s->moves[f->keep[k]] = 1;
    }
    s->out->determined = verdict != OPEN;
    s->out->kind = f->found == 0 ? NG_SEPARATION_NONE
                   : living == 0 ? NG_SEPARATION_COMPLETE
                                 : NG_SEPARATION_QUASI;
    return NG_OK;
}

/* ---- Results ---- */

static void conclude(search *s) {
    ngi_finder *f = &s->finder;
    ngi_separation *out = s->out;
    if (out->kind == NG_SEPARATION_NONE)
        return;
    double *d = f->combined;
    for (size_t k = 0; k < f->dim; k++) {
        out->infinite[k] = s->moves[k] > s->aliased[k] + MOVES * MOVES;
        if (fabs(d[k]) <= f->tolerance * d[f->dim + k])
            d[k] = 0;
    }
    unshift(f, d, f->tolerance, out->direction, s->full);
    double largest = ngi_max_abs(f->dim, out->direction);
    for (size_t k = 0; k < f->dim; k++)
        out->direction[k] /= largest;
}

static ng_status find(ng_ctx *ctx, search *s) {
    ngi_finder *f = &s->finder;
    bool none;
    if (f->dim > MOST_PARAMETERS) {
        s->out->determined = false;
        return NG_OK;
    }
    NG_TRY(reserve(ctx, s));
    NG_TRY(ngi_finder_columns(f));
    if (f->kept == 0)
        return NG_OK;
    NG_TRY(ask_fit(s, &none));
    if (none)
        return NG_OK;
    NG_TRY(search_rounds(s));
    conclude(s);
    return NG_OK;
}

static void describe(ng_ctx *ctx, const ngi_separation_spec *spec,
                     ngi_finder *f) {
    bool classes = spec->form == NGI_SEPARATES_CLASSES;
    bool ordinal = spec->form == NGI_SEPARATES_ORDINAL;
    f->spec = spec;
    f->ctx = ctx;
    f->width = spec->rows->width;
    f->outputs = classes ? spec->levels - 1 : 1;
    f->thresholds = ordinal ? spec->levels - 1 : 0;
    f->dim = f->outputs * f->width + f->thresholds;
    f->most = classes && spec->levels > 2 ? spec->levels - 1 : 2;
    f->batch = f->dim + 8;
    f->workers = spec->rows->workers;
    /* A residual is orthogonal to the sides that hold it to a few roundings of
     * its reach; other sides on the same face are combinations of those. */
    f->tolerance = 1e3 * DBL_EPSILON * (double)(f->dim + 1);
}

ng_status ngi_separation_find(ng_ctx *ctx, const ngi_separation_spec *spec,
                              ngi_separation *out) {
    search s = {.out = out};
    *out = (ngi_separation){.kind = NG_SEPARATION_NONE, .determined = true};
    describe(ctx, spec, &s.finder);
    out->dim = s.finder.dim;
    out->infinite = ngi_alloc(ctx, out->dim, sizeof *out->infinite);
    out->direction = ngi_alloc(ctx, out->dim, sizeof *out->direction);
    ng_status status = NG_ENOMEM;
    if (out->infinite && out->direction)
        status = spec->form == NGI_SEPARATES_NEVER ? NG_OK : find(ctx, &s);
    out->passes = s.finder.passes;
    release(ctx, &s);
    if (status != NG_OK)
        ngi_separation_clear(ctx, out);
    return status;
}

void ngi_separation_clear(ng_ctx *ctx, ngi_separation *separation) {
    ngi_free(ctx, separation->infinite);
    ngi_free(ctx, separation->direction);
    *separation = (ngi_separation){.kind = NG_SEPARATION_NONE};
}
