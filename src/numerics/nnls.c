/* Vectors with a positive multiplier stand first, with a QR factorisation that
 * grows by a column at a time; the others, candidates, stand behind them. */
#include "numerics/nnls.h"

#include "numerics/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* A vector of which no more than this share is left beside others is a
 * combination of them. */
static const double DEPENDENT = 1e-12;

struct ngi_nnls {
    ng_ctx *ctx;
    size_t dim, batch, capacity; /* sizes of the memory */
    size_t size, positive, count;
    double *a; /* capacity x dim: one vector a row */
    uint64_t *id;
    double *mu, *trial; /* capacity */
    bool *refused;      /* capacity */
    double *Q, *R;      /* columns of `dim` */
    double *b, *r, *coordinates;
};

void ngi_nnls_destroy(ngi_nnls **nnls) {
    ngi_nnls *n = *nnls;
    if (!n)
        return;
    ngi_free(n->ctx, n->a);
    ngi_free(n->ctx, n->id);
    ngi_free(n->ctx, n->mu);
    ngi_free(n->ctx, n->refused);
    ngi_free(n->ctx, n->Q);
    ngi_free(n->ctx, n->b);
    ngi_free(n->ctx, n);
    *nnls = NULL;
}

ng_status ngi_nnls_create(ng_ctx *ctx, size_t dim, size_t batch,
                          ngi_nnls **out) {
    ngi_nnls *n = ngi_alloc(ctx, 1, sizeof *n);
    if (!n)
        return NG_ENOMEM;
    n->ctx = ctx;
    n->dim = dim;
    n->batch = batch;
    n->capacity = dim + batch;
    n->a = ngi_alloc(ctx, n->capacity, dim * sizeof *n->a);
    n->id = ngi_alloc(ctx, n->capacity, sizeof *n->id);
    n->mu = ngi_alloc(ctx, 2 * n->capacity, sizeof *n->mu);
    n->refused = ngi_alloc(ctx, n->capacity, sizeof *n->refused);
    n->Q = ngi_alloc(ctx, 2 * dim, dim * sizeof *n->Q);
    n->b = ngi_alloc(ctx, 3 * dim, sizeof *n->b);
    if (!n->a || !n->id || !n->mu || !n->refused || !n->Q || !n->b) {
        ngi_nnls_destroy(&n);
        return NG_ENOMEM;
    }
    n->trial = n->mu + n->capacity;
    n->R = n->Q + dim * dim;
    n->r = n->b + dim;
    n->coordinates = n->r + dim;
    *out = n;
    return NG_OK;
}

void ngi_nnls_begin(ngi_nnls *n, size_t size, const double *b) {
    n->size = size;
    n->positive = n->count = 0;
    memcpy(n->b, b, size * sizeof *b);
    memcpy(n->r, b, size * sizeof *b);
}

void ngi_nnls_make_room(ngi_nnls *n) {
    n->count = n->positive;
}

bool ngi_nnls_add(ngi_nnls *n, uint64_t id, const double *a) {
    for (size_t k = 0; k < n->count; k++) {
        if (n->id[k] == id)
            return false;
    }
    size_t k = n->count++;
    memcpy(n->a + k * n->dim, a, n->size * sizeof *a);
    n->id[k] = id;
    n->mu[k] = 0;
    return true;
}

static void swap(ngi_nnls *n, size_t i, size_t k) {
    double *x = n->a + i * n->dim, *y = n->a + k * n->dim;
    for (size_t j = 0; i != k && j < n->size; j++) {
        double kept = x[j];
        x[j] = y[j];
        y[j] = kept;
    }
    uint64_t id = n->id[i];
    double mu = n->mu[i];
    bool refused = n->refused[i];
    n->id[i] = n->id[k];
    n->mu[i] = n->mu[k];
    n->refused[i] = n->refused[k];
    n->id[k] = id;
    n->mu[k] = mu;
    n->refused[k] = refused;
}

/* x less what the first k columns of Q span, twice, which is enough for
 * orthogonality to rounding (Giraud, Langou & Rozloznik 2005); the products
 * are added to `products`. */
static void orthogonalise(const ngi_nnls *n, size_t k, double *x,
                          double *products) {
    for (int sweep = 0; sweep < 2; sweep++) {
        for (size_t c = 0; c < k; c++) {
            const double *q = n->Q + c * n->dim;
            double product = ngi_dot(n->size, q, x);
            products[c] += product;
            ngi_axpy(n->size, -product, q, x);
        }
    }
}

/* Column k of Q and R, from vector k; false if it depends on those before. */
static bool extend(ngi_nnls *n, size_t k) {
    double *q = n->Q + k * n->dim, *column = n->R + k * n->dim;
    const double *a = n->a + k * n->dim;
    if (k >= n->size)
        return false;
    memcpy(q, a, n->size * sizeof *q);
    memset(column, 0, n->dim * sizeof *column);
    orthogonalise(n, k, q, column);
    double norm = ngi_norm(n->size, q);
    if (!(norm > DEPENDENT * ngi_norm(n->size, a)))
        return false;
    column[k] = norm;
    for (size_t j = 0; j < n->size; j++)
        q[j] /= norm;
    return true;
}

static void update_residual(ngi_nnls *n) {
    memcpy(n->r, n->b, n->size * sizeof *n->r);
    memset(n->coordinates, 0, n->dim * sizeof *n->coordinates);
    orthogonalise(n, n->positive, n->r, n->coordinates);
}

/* The multipliers that would be best if they could be negative. */
static void solve_trial(ngi_nnls *n) {
    update_residual(n);
    for (size_t i = n->positive; i-- > 0;) {
        double sum = -n->coordinates[i];
        for (size_t k = i + 1; k < n->positive; k++)
            sum -= n->R[k * n->dim + i] * n->trial[k];
        n->trial[i] = sum / n->R[i * n->dim + i];
    }
}

/* Vectors whose multiplier came to 0 become candidates again. */
static void drop(ngi_nnls *n) {
    size_t kept = 0, first = n->positive;
    for (size_t k = 0; k < n->positive; k++) {
        if (!(n->mu[k] > 0)) {
            first = first < k ? first : k;
            continue;
        }
        swap(n, kept++, k);
    }
    size_t end = kept;
    n->positive = first < kept ? first : kept;
    for (size_t k = n->positive; k < end; k++) {
        if (!extend(n, n->positive)) { /* by rounding alone */
            swap(n, n->positive, --end);
            n->mu[end] = 0;
            k--;
            continue;
        }
        n->positive++;
    }
    for (size_t k = n->positive; k < n->count; k++)
        n->mu[k] = 0;
}

/* After vector `positive - 1` came in: walk towards the best multipliers,
 * letting go of those that reach 0 on the way. False: the new one would not
 * even begin to rise, so it was no improvement but rounding. */
static bool walk(ngi_nnls *n) {
    bool begun = false;
    while (n->positive) {
        double share = 1;
        size_t blocking = n->positive;
        solve_trial(n);
        if (!begun && !(n->trial[n->positive - 1] > 0))
            return false;
        begun = true;
        for (size_t k = 0; k < n->positive; k++) {
            double reach = n->mu[k] / (n->mu[k] - n->trial[k]);
            if (n->trial[k] > 0 || !(reach < share || blocking == n->positive))
                continue;
            share = reach;
            blocking = k;
        }
        for (size_t k = 0; k < n->positive; k++)
            n->mu[k] += share * (n->trial[k] - n->mu[k]);
        if (blocking == n->positive)
            return true;
        n->mu[blocking] = 0;
        drop(n);
    }
    return true;
}

/* The candidate that points most against the residual, or `count`. */
static size_t most_violated(const ngi_nnls *n) {
    double worst =
        -1e3 * DBL_EPSILON * (double)n->size * ngi_norm(n->size, n->r);
    size_t found = n->count;
    for (size_t k = n->positive; k < n->count; k++) {
        const double *a = n->a + k * n->dim;
        double norm = ngi_norm(n->size, a);
        double slope = ngi_dot(n->size, a, n->r) / (norm > 0 ? norm : 1);
        if (n->refused[k] || !(slope < worst))
            continue;
        worst = slope;
        found = k;
    }
    return found;
}

void ngi_nnls_solve(ngi_nnls *n, double enough) {
    /* Each turn lowers |r|, so no active set comes twice; the limit is for
     * rounding that made one do so. */
    size_t limit = 10 * n->capacity;
    memset(n->refused, 0, n->capacity * sizeof *n->refused);
    update_residual(n);
    while (limit-- > 0 && !ngi_cancelled(n->ctx)) {
        if (ngi_norm(n->size, n->r) < enough)
            return;
        size_t k = most_violated(n);
        if (k == n->count)
            return;
        swap(n, n->positive, k);
        k = n->positive;
        bool taken = extend(n, k);
        if (taken) {
            n->positive++;
            taken = walk(n);
            if (!taken)
                n->positive--;
        }
        update_residual(n);
        if (taken)
            memset(n->refused, 0, n->capacity * sizeof *n->refused);
        else
            n->refused[k] = true;
    }
}

const double *ngi_nnls_residual(const ngi_nnls *n) {
    return n->r;
}

double ngi_nnls_bound(const ngi_nnls *n, double *work) {
    double size = ngi_norm(n->size, n->b);
    memcpy(work, n->b, n->size * sizeof *work);
    for (size_t k = 0; k < n->positive; k++) {
        const double *a = n->a + k * n->dim;
        ngi_axpy(n->size, n->mu[k], a, work);
        size += n->mu[k] * ngi_norm(n->size, a);
    }
    return ngi_norm(n->size, work) +
           (double)(n->positive + 1) * DBL_EPSILON * size;
}
