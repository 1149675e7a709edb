/* (F + P)^-1 by equilibrated Cholesky, by QR of the weighted design where
 * squaring it would lose what there is. */
#include "glm/scoring_impl.h"

#include "glm/weighted_qr.h"
#include "numerics/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

ng_status ngi_factor_reserve(ngi_scoring *s) {
    ngi_scoring_factor *f = &s->factor;
    size_t d = s->dim;
    f->L = ngi_alloc(s->ctx, d, d * sizeof *f->L);
    f->root = ngi_alloc(s->ctx, 2 * d, sizeof *f->root);
    f->active = ngi_alloc(s->ctx, d, sizeof *f->active);
    if (!f->L || !f->root || !f->active)
        return NG_ENOMEM;
    f->work = f->root + d;
    return NG_OK;
}

void ngi_factor_release(ngi_scoring *s) {
    ngi_free(s->ctx, s->factor.L);
    ngi_free(s->ctx, s->factor.root);
    ngi_free(s->ctx, s->factor.active);
}

/* The ridge of parameter i in scaled columns. */
static double scaled_ridge(const ngi_scoring *s, size_t i) {
    return s->spec.ridge && i < s->p
               ? s->spec.ridge[i] * s->scale[i] * s->scale[i]
               : 0;
}

/* psi first: a column that thresholds make up is aliased, and not they. */
static void choose_active(ngi_scoring *s) {
    ngi_scoring_factor *f = &s->factor;
    f->count = 0;
    for (size_t k = 0; k < s->dim; k++) {
        size_t i = k < s->q ? s->p + k : k - s->q;
        if (!s->held[i] && !s->bound[i])
            f->active[f->count++] = i;
    }
}

/* Of a matrix of which the lower triangle is known. */
static size_t lower(const ngi_scoring *s, size_t i, size_t j) {
    return i > j ? i * s->dim + j : j * s->dim + i;
}

/* L = the active part of F + ridge with a unit diagonal. A diagonal that is
 * not positive becomes a row of the unit matrix and is reported. */
static bool compress(ngi_scoring *s, const double *F, double *L) {
    ngi_scoring_factor *f = &s->factor;
    size_t a = f->count;
    bool positive = true;
    for (size_t i = 0; i < a; i++) {
        size_t row = f->active[i];
        double diagonal = F[row * s->dim + row] + scaled_ridge(s, row);
        positive = positive && diagonal > 0 && isfinite(diagonal);
        f->root[i] = diagonal > 0 ? 1 / sqrt(diagonal) : 0;
    }
    for (size_t i = 0; i < a; i++) {
        for (size_t j = 0; j < i; j++)
            L[i * a + j] = F[lower(s, f->active[i], f->active[j])] *
                           f->root[i] * f->root[j];
        L[i * a + i] = 1;
    }
    return positive && ngi_all_finite(a * a, L);
}

static double smallest_pivot(size_t a, const double *L) {
    double smallest = 1;
    for (size_t i = 0; i < a; i++)
        smallest = fmin(smallest, L[i * a + i] * L[i * a + i]);
    return smallest;
}

bool ngi_factor_make(ngi_scoring *s, const double *F, double least) {
    ngi_scoring_factor *f = &s->factor;
    s->by_qr = false;
    choose_active(s);
    f->smallest = 0;
    /* The upper triangle is not read, but is looked through for numbers. */
    memset(f->L, 0, f->count * f->count * sizeof *f->L);
    if (!compress(s, F, f->L) || !ngi_cholesky(f->count, f->L))
        return false;
    f->smallest = smallest_pivot(f->count, f->L);
    return f->smallest >= least;
}

bool ngi_factor_make_partial(ngi_scoring *s, const double *F, double least) {
    ngi_scoring_factor *f = &s->factor;
    size_t kept = 0;
    choose_active(s);
    memset(f->L, 0, f->count * f->count * sizeof *f->L);
    compress(s, F, f->L);
    size_t a = f->count;
    /* Row by row (Cholesky-Banachiewicz), in place; a row with too small a
     * pivot is passed over. */
    for (size_t i = 0; i < a; i++) {
        double *row = f->L + i * a, pivot = f->root[i] > 0 ? 1 : 0;
        size_t k = 0;
        for (size_t j = 0; j < i; j++) {
            const double *other = f->L + j * a;
            if (f->work[j] == 0)
                continue;
            row[k] = (row[j] - ngi_dot(k, row, other)) / other[k];
            pivot -= row[k] * row[k];
            k++;
        }
        f->work[i] = isfinite(pivot) && pivot > least ? 1 : 0;
        row[k] = sqrt(fmax(pivot, 0));
        if (f->work[i] == 0)
            memset(row, 0, a * sizeof *row);
    }
    for (size_t i = 0; i < a; i++) {
        if (f->work[i] == 0)
            continue;
        f->active[kept] = f->active[i];
        f->root[kept] = f->root[i];
        memmove(f->L + kept * a, f->L + i * a, (kept + 1) * sizeof *f->L);
        kept++;
    }
    for (size_t i = 0; i < kept; i++)
        memmove(f->L + i * kept, f->L + i * a, (i + 1) * sizeof *f->L);
    f->count = kept;
    f->smallest = least;
    return kept > 0;
}

/* ---- QR ---- */

typedef struct point {
    const ngi_scoring *s;
    const double *theta;
} point;

static void root_weights(void *user, size_t worker, const ngi_glm_block *block,
                         double *root) {
    const point *at = user;
    const ngi_scoring *s = at->s;
    const ngi_glm_kernel *kernel = s->spec.kernel;
    ngi_scoring_worker *w = &s->worker[worker];
    ngi_glm_terms terms = {.loss = w->loss, .curvature = root};
    ngi_glm_predictor(s->spec.rows, block, at->theta, w->eta);
    kernel->ops->terms(kernel, block->count, w->eta, at->theta + s->p, block->y,
                       block->weight, &terms, w->work);
    for (size_t i = 0; i < block->count; i++) {
        double weight = block->weight ? block->weight[i] : 1;
        root[i] =
            weight == 0
                ? 0
                : sqrt(fmax(root[i], 0) * weight / s->spec.rows->total_weight);
    }
}

ng_status ngi_factor_by_qr(ngi_scoring *s, const double *theta) {
    ngi_scoring_factor *f = &s->factor;
    point at = {s, theta};
    ngi_glm_roots roots = {root_weights, &at};
    size_t a = 0, kept = 0;
    bool *aliased = ngi_alloc(s->ctx, s->p, sizeof *aliased);
    if (!aliased)
        return NG_ENOMEM;
    ng_status status =
        ngi_weighted_qr(s->ctx, s->spec.rows, theta ? &roots : NULL, s->scale,
                        s->held, NGI_GLM_ALIAS, f->L, aliased, &a);
    choose_active(s);
    for (size_t i = 0; i < f->count; i++) {
        if (!aliased[f->active[i]])
            f->active[kept++] = f->active[i];
    }
    f->count = kept;
    ngi_free(s->ctx, aliased);
    NG_TRY(status);
    for (size_t i = 0; i < a; i++) {
        double *row = f->L + i * a, norm = ngi_norm(i + 1, row);
        f->root[i] = 1 / norm;
        for (size_t k = 0; k <= i; k++)
            row[k] /= norm;
    }
    f->smallest = smallest_pivot(a, f->L);
    s->by_qr = true;
    return NG_OK;
}

/* ---- Solving ---- */

double ngi_factor_solve(ngi_scoring *s, const double *g, double *d) {
    ngi_scoring_factor *f = &s->factor;
    double *x = f->work, sum = 0;
    for (size_t i = 0; i < f->count; i++) {
        size_t at = f->active[i];
        x[i] = g[at] * s->scale[at] * f->root[i];
    }
    ngi_cholesky_solve(f->count, f->L, x);
    memset(d, 0, s->dim * sizeof *d);
    for (size_t i = 0; i < f->count; i++) {
        size_t at = f->active[i];
        d[at] = x[i] * f->root[i] * s->scale[at];
        sum += g[at] * d[at];
    }
    return sum;
}

ng_status ngi_scoring_inverse(ngi_scoring *s, const double *F, bool penalised,
                              double *C) {
    ngi_scoring_factor *f = &s->factor;
    const double *ridge = s->spec.ridge;
    size_t d = s->dim;
    double total = s->spec.rows->total_weight;
    double *A = s->worker[0].F; /* between passes, free */
    if (F) {
        if (!penalised)
            s->spec.ridge = NULL;
        bool good = ngi_factor_make(s, F, DBL_EPSILON);
        s->spec.ridge = ridge;
        if (!good)
            return ngi_fail(s->ctx, NG_ENUMERIC,
                            "the observed information is not positive "
                            "definite: use the expected one");
    }
    memcpy(A, f->L, f->count * f->count * sizeof *A);
    if (!ngi_cholesky_inverse(f->count, A))
        return ngi_fail(s->ctx, NG_ENUMERIC,
                        "the information matrix cannot be inverted");
    memset(C, 0, d * d * sizeof *C);
    for (size_t i = 0; i < f->count; i++) {
        for (size_t j = 0; j <= i; j++) {
            size_t row = f->active[i], column = f->active[j];
            double scale =
                f->root[i] * s->scale[row] * f->root[j] * s->scale[column];
            C[lower(s, row, column)] = A[i * f->count + j] * scale / total;
        }
    }
    ngi_mirror(d, C);
    return NG_OK;
}

const double *ngi_scoring_scale(const ngi_scoring *s) {
    return s->scale;
}
