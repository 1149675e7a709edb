/* The quadratic model of a step, its products and its minimiser (Martens &
 * Grosse 2015, sections 6.4, 6.5 and 7). */
#include "train/trainer.h"

#include <math.h>
#include <string.h>

static void slice_products(void *user, size_t worker) {
    trainer *t = user;
    worker_sums *sums = &t->sums[worker];
    size_t first, end;
    engine_share(t->e->dim, worker, t->e->workers, &first, &end);
    const real *g = t->gradient + first, *d = t->direction + first;
    const real *s = t->step + first, *theta = t->e->theta + first;
    size_t n = end - first;
    /* Piece by piece, so that the second product of a vector finds it in the
     * cache. */
    enum { PIECE = 4096 };
    for (size_t at = 0; at < n; at += PIECE) {
        size_t k = n - at < PIECE ? n - at : PIECE;
        sums->gd += NR(dot)(k, g + at, d + at);
        sums->dd += NR(dot)(k, d + at, d + at);
        sums->td += NR(dot)(k, theta + at, d + at);
        if (t->scale_s == 0)
            continue;
        sums->gs += NR(dot)(k, g + at, s + at);
        sums->ds += NR(dot)(k, d + at, s + at);
        sums->ss += NR(dot)(k, s + at, s + at);
        sums->ts += NR(dot)(k, theta + at, s + at);
    }
}

/* Products with F on the curvature rows. delta of the last value is free: it
 * holds F_z J v. */
static void row_products(trainer *t, size_t worker) {
    pass *p = t->e->pass[worker];
    worker_sums *sums = &t->sums[worker];
    size_t last = t->e->architecture->layers, ld = pass_stride(p, last);
    size_t n = t->e->architecture->outputs, rows = t->count[worker];
    bool both = t->scale_s != 0;
    const real *v[2] = {t->direction, t->step};
    NR(pass_tangent)(p, t->e->theta, v, both ? 2 : 1, rows);
    real *product = p->delta[last];
    const real *d = p->tangent[last], *s = d + rows * ld;
    NR(output_fisher)(p, 0, rows, d, ld, product, ld);
    for (size_t i = 0; i < rows; i++) {
        const real *u = t->score[worker] + i * n;
        sums->d_F_d += NR(dot)(n, d + i * ld, product + i * ld);
        sums->u_d += NR(dot)(n, d + i * ld, u);
        if (!both)
            continue;
        sums->d_F_s += NR(dot)(n, s + i * ld, product + i * ld);
        sums->u_s += NR(dot)(n, s + i * ld, u);
    }
    if (!both)
        return;
    NR(output_fisher)(p, 0, rows, s, ld, product, ld);
    for (size_t i = 0; i < rows; i++)
        sums->s_F_s += NR(dot)(n, s + i * ld, product + i * ld);
}

static void products_worker(void *user, size_t worker) {
    row_products(user, worker);
    slice_products(user, worker);
}

void NR(trainer_products)(trainer *t, bool both, quadratic *q) {
    memset(t->sums, 0, t->e->workers * sizeof *t->sums);
    memset(q, 0, sizeof *q);
    t->scale_s = both ? 1 : 0;
    NR(trainer_run)(t, products_worker);
    double n = (double)t->rows;
    for (size_t w = 0; w < t->e->workers; w++) {
        const worker_sums *s = &t->sums[w];
        q->gd += s->gd;
        q->gs += s->gs;
        q->dd += s->dd;
        q->ds += s->ds;
        q->ss += s->ss;
        q->td += s->td;
        q->ts += s->ts;
        q->d_F_d += s->d_F_d / n;
        q->d_F_s += s->d_F_s / n;
        q->s_F_s += s->s_F_s / n;
        q->u_d += s->u_d / n;
        q->u_s += s->u_s / n;
    }
}

void NR(quadratic_minimise)(const quadratic *q, double damping, bool both,
                            double *a, double *b) {
    double dd = q->d_F_d + damping * q->dd;
    double ds = q->d_F_s + damping * q->ds;
    double ss = q->s_F_s + damping * q->ss;
    double determinant = dd * ss - ds * ds;
    *b = 0;
    /* Almost parallel: one of them is enough. */
    if (both && determinant > 1e-6 * dd * ss)
        *b = -(dd * q->gs - ds * q->gd) / determinant;
    *b = *b < 0 ? 0 : *b > 1 ? 1 : *b;
    *a = dd > 0 ? -(q->gd + *b * ds) / dd : 0;
}

double NR(quadratic_kl)(const quadratic *q, double a, double b) {
    return (a * a * q->d_F_d + 2 * a * b * q->d_F_s + b * b * q->s_F_s) / 2;
}

static double squared_length(const quadratic *q, double a, double b) {
    return a * a * q->dd + 2 * a * b * q->ds + b * b * q->ss;
}

double NR(quadratic_value)(const quadratic *q, double l2, double damping,
                           double a, double b) {
    double linear = a * (q->u_d + l2 * q->td) + b * (q->u_s + l2 * q->ts);
    return linear + NR(quadratic_kl)(q, a, b) +
           damping * squared_length(q, a, b) / 2;
}

static void move_worker(void *user, size_t worker) {
    trainer *t = user;
    size_t first, end;
    engine_share(t->e->dim, worker, t->e->workers, &first, &end);
    real a = (real)t->scale_d, b = (real)t->scale_s;
    real *s = t->step, *theta = t->e->theta;
    NR(axpby)(end - first, a, t->direction + first, b, s + first);
    NR(axpby)(end - first, 1, s + first, 1, theta + first);
}

void NR(trainer_move)(trainer *t, double a, double b) {
    t->scale_d = a;
    t->scale_s = b;
    NR(trainer_run)(t, move_worker);
}

static void shorten_worker(void *user, size_t worker) {
    trainer *t = user;
    size_t first, end;
    engine_share(t->e->dim, worker, t->e->workers, &first, &end);
    real *s = t->step, *theta = t->e->theta;
    real left = (real)t->scale_s;
    NR(axpby)(end - first, left - 1, s + first, 1, theta + first);
    NR(axpby)(end - first, left, s + first, 0, s + first);
}

void NR(trainer_shorten)(trainer *t, double left) {
    t->scale_s = left;
    NR(trainer_run)(t, shorten_worker);
}

static void change_worker(void *user, size_t worker) {
    trainer *t = user;
    pass *p = t->e->pass[worker];
    size_t rows = p->rows, count = t->count[worker];
    p->rows = count;
    NR(pass_forward)(p, t->e->theta);
    p->rows = rows;
    double change = 0;
    for (size_t i = 0; i < count; i++)
        change += p->losses[i] - t->losses[worker][i];
    t->sums[worker].change = change;
}

double NR(trainer_change)(trainer *t, const quadratic *q, double a, double b) {
    NR(trainer_run)(t, change_worker);
    double change = 0;
    for (size_t w = 0; w < t->e->workers; w++)
        change += t->sums[w].change;
    return change / (double)t->rows +
           t->options.l2 *
               (a * q->td + b * q->ts + squared_length(q, a, b) / 2);
}
