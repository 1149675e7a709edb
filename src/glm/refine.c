/* Sums of two doubles (Dekker, Numer. Math. 18, 1971; Ogita, Rump & Oishi,
 * SIAM J. Sci. Comput. 26, 2005): s = fl(a + b) and its exact error, p =
 * fl(a b) and its exact error by one fused multiply-add. */
#include "glm/refine.h"

#include "numerics/vector_math.h"

#include <math.h>
#include <string.h>

enum { LANES = 8 }; /* sums held beside each other, so that they are vectors */

typedef struct sum {
    double high, low;
} sum;

/* Several blocks of rows' scratch, and the worker's own sums. */
typedef struct part {
    double *eta, *low; /* block_rows each, then as all below */
    double *score, *slope, *loss;
    double *work; /* block_rows x kernel->work */
    sum *gradient;
    double *psi;
    sum total;
} part;

typedef struct pass {
    ng_ctx *ctx;
    const ngi_glm_rows *rows;
    const ngi_glm_kernel *kernel;
    const double *theta, *theta_low, *psi;
    bool residuals; /* the score is eta - y */
    part *parts;
} pass;

/* The error of s = fl(a + b). */
static inline double sum_error(double a, double b, double s) {
    double shadow = s - a;
    return (a - (s - shadow)) + (b - shadow);
}

static inline void add(sum *to, double high, double low) {
    double s = to->high + high;
    to->low += sum_error(to->high, high, s) + low;
    to->high = s;
}

/* eta + low += x (theta + theta_low) */
NGI_LANES static void add_column(size_t n, const double *restrict x,
                                 double theta, double theta_low,
                                 double *restrict eta, double *restrict low) {
    for (size_t i = 0; i < n; i++) {
        double p = x[i] * theta;
        double error = fma(x[i], theta, -p);
        double s = eta[i] + p;
        low[i] += sum_error(eta[i], p, s) + fma(x[i], theta_low, error);
        eta[i] = s;
    }
}

/* high + low += x' (u + u_low) */
NGI_LANES static void add_product(size_t n, const double *restrict x,
                                  const double *restrict u,
                                  const double *restrict u_low, sum *out) {
    double high[LANES] = {0}, low[LANES] = {0};
    size_t whole = n - n % LANES;
    for (size_t i = 0; i < whole; i += LANES) {
        for (size_t l = 0; l < LANES; l++) {
            double p = x[i + l] * u[i + l];
            double error = fma(x[i + l], u[i + l], -p);
            double s = high[l] + p;
            low[l] +=
                sum_error(high[l], p, s) + fma(x[i + l], u_low[i + l], error);
            high[l] = s;
        }
    }
    for (size_t i = whole; i < n; i++) {
        double p = x[i] * u[i];
        add(out, p, fma(x[i], u_low[i], fma(x[i], u[i], -p)));
    }
    for (size_t l = 0; l < LANES; l++)
        add(out, high[l], low[l]);
}

/* One double of high and a remainder below its last place. */
NGI_LANES static void settle(size_t n, double *restrict high,
                             double *restrict low) {
    for (size_t i = 0; i < n; i++) {
        double s = high[i] + low[i];
        double rest = sum_error(high[i], low[i], s);
        low[i] = isfinite(s) ? rest : 0;
        high[i] = s;
    }
}

static void predict(const pass *p, const ngi_glm_block *block, part *w) {
    size_t n = block->count;
    if (block->offset)
        memcpy(w->eta, block->offset, n * sizeof *w->eta);
    else
        memset(w->eta, 0, n * sizeof *w->eta);
    memset(w->low, 0, n * sizeof *w->low);
    for (size_t j = 0; j < p->rows->width; j++)
        add_column(n, block->x[j], p->theta[j],
                   p->theta_low ? p->theta_low[j] : 0, w->eta, w->low);
    settle(n, w->eta, w->low);
}

/* score + low: eta - y to all digits where it is that, else the kernel's with
 * its slope times the low part of eta, which becomes the low part. */
static void correct(const pass *p, const ngi_glm_block *block, part *w) {
    for (size_t i = 0; i < block->count; i++) {
        double r = w->eta[i] - block->y[i];
        double rest = sum_error(w->eta[i], -block->y[i], r);
        w->score[i] = p->residuals ? r : w->score[i];
        w->low[i] = p->residuals ? rest + w->low[i] : w->slope[i] * w->low[i];
    }
}

/* Rows of no weight say nothing, whatever is in them. */
static void weigh(const ngi_glm_block *block, part *w) {
    for (size_t i = 0; block->weight && i < block->count; i++) {
        double weight = block->weight[i], score = w->score[i];
        double u = weight * score;
        w->low[i] = fma(weight, w->low[i], fma(weight, score, -u));
        w->score[i] = u;
        w->loss[i] *= weight;
        if (weight == 0)
            w->score[i] = w->low[i] = w->loss[i] = 0;
    }
}

static void visit(void *user, size_t worker, const ngi_glm_block *block) {
    const pass *p = user;
    part *w = &p->parts[worker];
    predict(p, block, w);
    const ngi_glm_terms terms = {
        .loss = w->loss,
        .score = w->score,
        .curvature = w->slope,
        .observed = true,
        .psi_score = p->kernel->extras ? w->psi : NULL,
    };
    p->kernel->ops->terms(p->kernel, block->count, w->eta, p->psi, block->y,
                          block->weight, &terms, w->work);
    correct(p, block, w);
    weigh(block, w);
    for (size_t i = 0; i < block->count; i++)
        add(&w->total, w->loss[i], 0);
    for (size_t j = 0; j < p->rows->width; j++)
        add_product(block->count, block->x[j], w->score, w->low,
                    &w->gradient[j]);
}

static void free_parts(const pass *p) {
    for (size_t i = 0; p->parts && i < p->rows->workers; i++) {
        ngi_free(p->ctx, p->parts[i].eta);
        ngi_free(p->ctx, p->parts[i].work);
        ngi_free(p->ctx, p->parts[i].gradient);
        ngi_free(p->ctx, p->parts[i].psi);
    }
    ngi_free(p->ctx, p->parts);
}

static ng_status make_parts(pass *p) {
    size_t n = p->rows->block_rows;
    p->parts = ngi_alloc(p->ctx, p->rows->workers, sizeof *p->parts);
    if (!p->parts)
        return NG_ENOMEM;
    for (size_t i = 0; i < p->rows->workers; i++) {
        part *w = &p->parts[i];
        w->eta = ngi_alloc(p->ctx, 5 * n, sizeof *w->eta);
        w->work = ngi_alloc(p->ctx, n * p->kernel->work, sizeof *w->work);
        w->gradient = ngi_alloc(p->ctx, p->rows->width, sizeof *w->gradient);
        w->psi = ngi_alloc(p->ctx, p->kernel->extras, sizeof *w->psi);
        if (!w->eta || !w->work || !w->gradient || !w->psi)
            return NG_ENOMEM;
        w->low = w->eta + n;
        w->score = w->low + n;
        w->slope = w->score + n;
        w->loss = w->slope + n;
    }
    return NG_OK;
}

static double gather(const pass *p, double *gradient) {
    size_t width = p->rows->width, extras = p->kernel->extras;
    double scale = 1 / p->rows->total_weight;
    sum loss = {0, 0};
    for (size_t i = 0; i < p->rows->workers; i++)
        add(&loss, p->parts[i].total.high, p->parts[i].total.low);
    for (size_t j = 0; j < width; j++) {
        sum g = {0, 0};
        for (size_t i = 0; i < p->rows->workers; i++)
            add(&g, p->parts[i].gradient[j].high, p->parts[i].gradient[j].low);
        gradient[j] = (g.high + g.low) * scale;
    }
    for (size_t e = 0; e < extras; e++) {
        gradient[width + e] = 0;
        for (size_t i = 0; i < p->rows->workers; i++)
            gradient[width + e] += p->parts[i].psi[e] * scale;
    }
    double mean = (loss.high + loss.low) * scale;
    return isfinite(mean) ? mean : HUGE_VAL;
}

ng_status ngi_refined_gradient(ng_ctx *ctx, const ngi_glm_rows *rows,
                               const ngi_glm_kernel *kernel,
                               const double *theta, const double *theta_low,
                               const double *psi, double *loss,
                               double *gradient) {
    pass p = {.ctx = ctx,
              .rows = rows,
              .kernel = kernel,
              .theta = theta,
              .theta_low = theta_low,
              .psi = psi};
    p.residuals = kernel->extras == 0 && kernel->link == NG_LINK_IDENTITY &&
                  kernel->family &&
                  strcmp(kernel->family->ops->name, "normal") == 0;
    ng_status status;
    NG_TRY_GOTO(make_parts(&p));
    NG_TRY_GOTO(rows->each(rows, 1, visit, &p));
    double mean = gather(&p, gradient);
    if (loss)
        *loss = mean;
fail:
    free_parts(&p);
    return status;
}

void ngi_refined_move(size_t n, const double *step, double *theta,
                      double *theta_low) {
    for (size_t j = 0; j < n; j++) {
        sum moved = {theta[j], theta_low[j]};
        add(&moved, step[j], 0);
        theta[j] = moved.high + moved.low;
        theta_low[j] = sum_error(moved.high, moved.low, theta[j]);
    }
}
