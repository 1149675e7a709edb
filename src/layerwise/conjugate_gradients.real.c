/* (F + damping I) d = g by conjugate gradients, F never formed: products
 * J'F_z J v on the curvature rows (Martens 2010; Pearlmutter 1994, Schraudolph
 * 2002). F_z is the family's own, so that this Fisher is always the exact one.
 */
#include "layerwise/layerwise.h"

#include <math.h>
#include <string.h>

/* Martens 2010, sections 4.4 and 4.5: stop when the last tenth of the
 * iterations (at least 10) has brought less than so much of the decrease for
 * each of them; begin at the last solution, shrunk. */
static const double PROGRESS = 0.0005, SHRINK = 0.95;
enum { LEAST_WINDOW = 10 };

typedef struct conjugate_gradients {
    real *memory;
    real *x;         /* dim each: the last solution, which is state, */
    real *r, *p, *q; /* g - A x, direction, A p */
    real *partial;   /* F p of workers but the first */
    double *value;   /* of the quadratic after each iteration */
    double *sum;     /* of each worker, 8 apart */
    double damping;
    /* The task at hand. */
    const real *v;
    real *out;
    double alpha, beta;
} conjugate_gradients;

typedef conjugate_gradients cg;

enum { VECTORS = 4, APART = 8 };

static double memory(const ngi_architecture *a, const ng_train_options *options,
                     size_t rows) {
    double workers = (double)ngi_threads(a->ctx);
    (void)rows;
    return sizeof(real) * (VECTORS + workers - 1) * (double)a->dim +
           sizeof(double) *
               ((double)options->cg_iterations + 1 + APART * workers);
}

static void destroy(metric *m) {
    cg *s = m->state;
    if (!s)
        return;
    ngi_free(m->ctx, s->memory);
    ngi_free(m->ctx, s->value);
    ngi_free(m->ctx, s->sum);
    ngi_free(m->ctx, s);
    m->state = NULL;
}

static ng_status create(metric *m) {
    size_t dim = m->engine->dim, workers = m->engine->workers;
    cg *s = ngi_alloc(m->ctx, 1, sizeof *s);
    if (!s)
        return NG_ENOMEM;
    m->state = s;
    s->memory = ngi_alloc(m->ctx, (VECTORS + workers - 1) * dim, sizeof(real));
    s->value = ngi_alloc(m->ctx, m->options->cg_iterations + 1, sizeof(double));
    s->sum = ngi_alloc(m->ctx, APART * workers, sizeof(double));
    if (!s->memory || !s->value || !s->sum) {
        destroy(m);
        return NG_ENOMEM;
    }
    s->x = s->memory;
    s->r = s->x + dim;
    s->p = s->r + dim;
    s->q = s->p + dim;
    s->partial = s->q + dim;
    return NG_OK;
}

static void refresh(metric *m, double damping, bool beside) {
    cg *s = m->state;
    (void)beside;
    s->damping = damping;
}

static void adopt(metric *m) {
    (void)m;
}

/* ---- Products -------------------------------------------------------------
 */

static void rows_worker(void *user, size_t worker) {
    const metric *m = user;
    const engine *e = m->engine;
    cg *s = m->state;
    pass *p = e->pass[worker];
    size_t last = e->architecture->layers, ld = pass_stride(p, last);
    real *out = worker ? s->partial + (worker - 1) * e->dim : s->out;
    memset(out, 0, e->dim * sizeof *out);
    if (m->count[worker] == 0)
        return;
    NR(pass_tangent)(p, e->theta, &s->v, 1, m->count[worker]);
    NR(output_fisher)
    (p, 0, m->count[worker], p->tangent[last], ld, p->delta[last], ld);
    NR(pass_backward)(p, e->theta, m->count[worker], out);
}

/* out = sum over workers / total + damping v; its product with v. */
static void sum_worker(void *user, size_t worker) {
    const metric *m = user;
    const engine *e = m->engine;
    cg *s = m->state;
    size_t first, end;
    engine_share(e->dim, worker, e->workers, &first, &end);
    size_t n = end - first;
    real *out = s->out + first;
    for (size_t w = 1; w < e->workers; w++)
        NR(axpby)(n, 1, s->partial + (w - 1) * e->dim + first, 1, out);
    NR(axpby)
    (n, (real)s->damping, s->v + first, (real)(1 / (double)m->total), out);
    s->sum[worker * APART] = NR(dot)(n, s->v + first, out);
}

static double total(const metric *m) {
    const cg *s = m->state;
    double sum = 0;
    for (size_t w = 0; w < m->engine->workers; w++)
        sum += s->sum[w * APART];
    return sum;
}

/* out = (F + damping I) v; returns v'out. */
static double product(metric *m, const real *v, real *out) {
    cg *s = m->state;
    s->v = v;
    s->out = out;
    ngi_parallel(m->ctx, rows_worker, m);
    ngi_parallel(m->ctx, sum_worker, m);
    return total(m);
}

/* ---- Iterations -----------------------------------------------------------
 */

/* x += alpha p, r -= alpha q; r'r. */
static void advance_worker(void *user, size_t worker) {
    const metric *m = user;
    cg *s = m->state;
    size_t first, end;
    engine_share(m->engine->dim, worker, m->engine->workers, &first, &end);
    size_t n = end - first;
    NR(axpby)(n, (real)s->alpha, s->p + first, 1, s->x + first);
    NR(axpby)(n, (real)-s->alpha, s->q + first, 1, s->r + first);
    s->sum[worker * APART] = NR(dot)(n, s->r + first, s->r + first);
}

/* p = r + beta p */
static void turn_worker(void *user, size_t worker) {
    const metric *m = user;
    cg *s = m->state;
    size_t first, end;
    engine_share(m->engine->dim, worker, m->engine->workers, &first, &end);
    NR(axpby)(end - first, 1, s->r + first, (real)s->beta, s->p + first);
}

static bool little_progress(const cg *s, size_t iteration) {
    size_t window = iteration / 10;
    if (window < LEAST_WINDOW)
        window = LEAST_WINDOW;
    if (iteration < window || !(s->value[iteration] < 0))
        return false;
    double change = s->value[iteration - window] - s->value[iteration];
    return change < -s->value[iteration] * PROGRESS * (double)window;
}

/* r = g - A x and the quadratic x'A x / 2 - g'x at the start. */
static double begin(metric *m, const real *g, double *rr) {
    cg *s = m->state;
    size_t dim = m->engine->dim;
    NR(axpby)(dim, (real)SHRINK, s->x, 0, s->x);
    double xAx = product(m, s->x, s->q);
    double gx = NR(dot)(dim, g, s->x);
    memcpy(s->r, g, dim * sizeof *g);
    NR(axpby)(dim, -1, s->q, 1, s->r);
    memcpy(s->p, s->r, dim * sizeof *g);
    *rr = NR(dot)(dim, s->r, s->r);
    return xAx / 2 - gx;
}

static ng_status solve(metric *m, const real *g, real *d) {
    cg *s = m->state;
    size_t dim = m->engine->dim;
    double rr;
    s->value[0] = begin(m, g, &rr);
    double floor = REAL_EPSILON * REAL_EPSILON * NR(dot)(dim, g, g);
    for (size_t i = 1; i <= m->options->cg_iterations && rr > floor; i++) {
        double pAp = product(m, s->p, s->q);
        if (!(pAp > 0))
            break;
        s->alpha = rr / pAp;
        /* With r'p = r'r the step lowers the quadratic by half of this. */
        s->value[i] = s->value[i - 1] - s->alpha * rr / 2;
        ngi_parallel(m->ctx, advance_worker, m);
        s->beta = total(m) / rr;
        rr = total(m);
        ngi_parallel(m->ctx, turn_worker, m);
        if (little_progress(s, i))
            break;
    }
    memcpy(d, s->x, dim * sizeof *d);
    return NG_OK;
}

static ng_status visit_state(metric *m, int loading, ng_train_visitor visit,
                             void *user) {
    cg *s = m->state;
    (void)loading;
    return visit(user, "solution", 'r', m->engine->dim, s->x);
}

const metric_ops NR(conjugate_gradients) = {
    .memory = memory,
    .create = create,
    .destroy = destroy,
    .refresh = refresh,
    .adopt = adopt,
    .solve = solve,
    .visit = visit_state,
    .immediate = true,
};
