/* Fewer examples than parameters: F = S'S from the latest collection alone, S
 * having one row for each example and draw, and
 *
 *   (S'S + damping I)^-1 g = (g - S' (S S' + damping I)^-1 S g) / damping.
 *
 * Where the damping is too small beside F for that difference to keep any
 * digits, what of g is in the range of S' has
 * (S'S + damping I)^+ g = S' (S S')^+ (S S' + damping I)^+ S g.
 *
 * N rows take N dim + 5 N^2 reals. */
#include "layerwise/rows.h"

#include <math.h>
#include <string.h>

typedef struct sample_space {
    size_t most, rows; /* that fit, that there are */
    real *S;           /* most x dim */
    real *K;           /* S S', lower triangle */
    real *L;           /* its damped Cholesky factor, or eigenvectors by row */
    real *w, *t, *t1;  /* most each: eigenvalues, work */
    real *eigen_work;
    double damping;
    bool stale; /* K does not belong to S */
    bool spectral, failed;
} sample_space;

static double memory(const ngi_architecture *a, const ng_train_options *options,
                     size_t rows) {
    double n = (double)rows * (double)NR(draws)(a, options);
    return sizeof(real) * (n * (double)a->dim + 2 * n * n + 3 * n +
                           (double)NR(eigen_work)((size_t)n));
}

static void destroy(metric *m) {
    sample_space *s = m->state;
    if (!s)
        return;
    ngi_free(m->ctx, s->S);
    ngi_free(m->ctx, s->K);
    ngi_free(m->ctx, s->L);
    ngi_free(m->ctx, s->w);
    ngi_free(m->ctx, s->eigen_work);
    ngi_free(m->ctx, s);
    m->state = NULL;
}

static ng_status create(metric *m) {
    const ngi_architecture *a = m->engine->architecture;
    if (memory(a, m->options, m->rows) > 0.5 * (double)SIZE_MAX)
        return ngi_fail_memory(m->ctx);
    sample_space *s = ngi_alloc(m->ctx, 1, sizeof *s);
    if (!s)
        return NG_ENOMEM;
    m->state = s;
    size_t n = s->most = m->rows * NR(draws)(a, m->options);
    s->S = ngi_alloc(m->ctx, n * a->dim, sizeof(real));
    s->K = ngi_alloc(m->ctx, n * n, sizeof(real));
    s->L = ngi_alloc(m->ctx, n * n, sizeof(real));
    s->w = ngi_alloc(m->ctx, 3 * n, sizeof(real));
    s->eigen_work = ngi_alloc(m->ctx, NR(eigen_work)(n), sizeof(real));
    if (!s->S || !s->K || !s->L || !s->w || !s->eigen_work) {
        destroy(m);
        return NG_ENOMEM;
    }
    s->t = s->w + n;
    s->t1 = s->t + n;
    return NG_OK;
}

/* Worker's examples behind those of the workers before it, draw by draw. */
static void collect(metric *m, const collection *c, size_t worker) {
    const engine *e = m->engine;
    sample_space *s = m->state;
    size_t row = c->draw * c->total;
    real scale = (real)sqrt(c->weight / (double)c->total);
    for (size_t w = 0; w < worker; w++)
        row += c->count[w];
    for (size_t i = 0; i < c->count[worker]; i++) {
        real *out = s->S + (row + i) * e->dim;
        NR(example_gradient)
        (e, worker, i, 0, e->architecture->layers, 0, e->dim, out);
        NR(axpby)(e->dim, scale, out, 0, out);
    }
    if (worker == 0) {
        s->rows = c->draws * c->total;
        s->stale = true;
    }
}

/* ---- Gram matrix ----------------------------------------------------------
 */

/* Each worker makes rows of equal area of the triangle. */
static void gram_worker(void *user, size_t worker) {
    const metric *m = user;
    sample_space *s = m->state;
    size_t n = s->rows, dim = m->engine->dim, workers = m->engine->workers;
    size_t first = NR(triangle_share)(n, worker, workers);
    size_t end = NR(triangle_share)(n, worker + 1, workers);
    NR(gemm_nt)
    (end - first, end, dim, 1, s->S + first * dim, dim, s->S, dim, 0,
     s->K + first * n, n);
}

static double trace_of(const sample_space *s) {
    double trace = 0;
    for (size_t i = 0; i < s->rows; i++)
        trace += (double)s->K[i * (s->rows + 1)];
    return trace;
}

static void refresh(metric *m, double damping, bool beside) {
    sample_space *s = m->state;
    size_t n = s->rows;
    (void)beside;
    if (s->stale)
        ngi_parallel(m->ctx, gram_worker, m);
    s->stale = false;
    s->damping = damping;
    /* Woodbury's difference loses eps |F| / damping. */
    double mean = trace_of(s) / (double)m->engine->dim;
    s->spectral = damping < sqrt(REAL_EPSILON) * mean;
    memcpy(s->L, s->K, n * n * sizeof(real));
    if (!s->spectral) {
        for (size_t i = 0; i < n; i++)
            s->L[i * (n + 1)] += (real)damping;
        s->spectral = !NR(cholesky)(n, s->L);
        if (!s->spectral)
            return;
        memcpy(s->L, s->K, n * n * sizeof(real));
    }
    s->failed = !NR(eigen)(n, s->L, s->w, s->eigen_work);
}

static void adopt(metric *m) {
    (void)m;
}

/* ---- Solve ----------------------------------------------------------------
 */

typedef struct solving {
    const metric *m;
    const real *g;
    real *d;
} solving;

static void project_worker(void *user, size_t worker) {
    const solving *v = user;
    sample_space *s = v->m->state;
    size_t first, end, dim = v->m->engine->dim;
    engine_share(s->rows, worker, v->m->engine->workers, &first, &end);
    for (size_t i = first; i < end; i++)
        s->t[i] = (real)NR(dot)(dim, s->S + i * dim, v->g);
}

/* t <- (S S')^+ (S S' + damping I)^+ t */
static void pseudo_inverse_product(sample_space *s) {
    size_t n = s->rows;
    double largest = fmax(fabs((double)s->w[0]), fabs((double)s->w[n - 1]));
    double cutoff = (double)n * REAL_EPSILON * largest;
    memset(s->t1, 0, n * sizeof(real));
    for (size_t k = 0; k < n; k++) {
        const real *vector = s->L + k * n;
        double w = (double)s->w[k];
        if (w <= cutoff)
            continue;
        double along = NR(dot)(n, vector, s->t) / w / (w + s->damping);
        NR(axpby)(n, (real)along, vector, 1, s->t1);
    }
    memcpy(s->t, s->t1, n * sizeof(real));
}

static void combine_worker(void *user, size_t worker) {
    const solving *v = user;
    const sample_space *s = v->m->state;
    size_t first, end, dim = v->m->engine->dim;
    engine_share(dim, worker, v->m->engine->workers, &first, &end);
    real *d = v->d + first;
    size_t n = end - first;
    if (s->spectral) {
        NR(gemm_nn)
        (1, n, s->rows, 1, s->t, s->rows, s->S + first, dim, 0, d, n);
        return;
    }
    memcpy(d, v->g + first, n * sizeof(real));
    NR(gemm_nn)(1, n, s->rows, -1, s->t, s->rows, s->S + first, dim, 1, d, n);
    NR(axpby)(n, (real)(1 / s->damping), d, 0, d);
}

static ng_status solve(metric *m, const real *g, real *d) {
    sample_space *s = m->state;
    solving v = {m, g, d};
    ngi_parallel(m->ctx, project_worker, &v);
    if (s->spectral && s->failed)
        return ngi_fail(m->ctx, NG_ENUMERIC,
                        "the eigenvalues of the Gram matrix were not found");
    if (s->spectral)
        pseudo_inverse_product(s);
    else
        NR(cholesky_solve)(s->rows, s->L, s->t);
    ngi_parallel(m->ctx, combine_worker, &v);
    return NG_OK;
}

/* The Gram matrix is made anew from the rows: by the same sums. */
static ng_status visit_state(metric *m, int loading, ng_train_visitor visit,
                             void *user) {
    sample_space *s = m->state;
    uint64_t rows = s->rows;
    NG_TRY(visit(user, "sample_count", 'u', 1, &rows));
    if (rows > s->most)
        return ngi_fail(m->ctx, NG_EDATA,
                        "%llu rows of gradients: at most %zu fit",
                        (unsigned long long)rows, s->most);
    if (loading) {
        s->rows = (size_t)rows;
        s->stale = true;
    }
    return visit(user, "samples", 'r', s->rows * m->engine->dim, s->S);
}

const metric_ops NR(sample_space) = {
    .memory = memory,
    .create = create,
    .destroy = destroy,
    .collect = collect,
    .refresh = refresh,
    .adopt = adopt,
    .solve = solve,
    .visit = visit_state,
    .immediate = true,
};
