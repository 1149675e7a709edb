/* Tall-skinny QR (Demmel, Grigori, Hoemmen & Langou, SIAM J. Sci. Comput. 34,
 * 2012): each worker holds the triangle of the rows it has seen and reduces a
 * block on top of it; the workers' triangles are reduced in order. */
#include "glm/weighted_qr.h"

#include "numerics/linalg.h"

#include <math.h>

typedef struct part {
    double *R;     /* width x width, upper, column-major */
    double *block; /* block_rows x width */
    double *root;  /* block_rows */
    double *work;
} part;

typedef struct reduction {
    ng_ctx *ctx;
    const ngi_glm_rows *rows;
    const ngi_glm_roots *roots;
    const double *scale;
    part *parts;
} reduction;

static void prior_roots(const ngi_glm_block *block, double *root) {
    for (size_t i = 0; i < block->count; i++)
        root[i] = block->weight ? sqrt(block->weight[i]) : 1;
}

static void reduce_block(void *user, size_t worker,
                         const ngi_glm_block *block) {
    const reduction *r = user;
    part *p = &r->parts[worker];
    if (r->roots)
        r->roots->root(r->roots->user, worker, block, p->root);
    else
        prior_roots(block, p->root);
    ngi_glm_scaled(r->rows, block, r->scale, p->root, p->block);
    ngi_qr_append(r->rows->width, p->R, block->count, p->block, block->count,
                  false, p->work);
}

static void free_parts(const reduction *r) {
    for (size_t i = 0; r->parts && i < r->rows->workers; i++) {
        ngi_free(r->ctx, r->parts[i].R);
        ngi_free(r->ctx, r->parts[i].block);
        ngi_free(r->ctx, r->parts[i].root);
        ngi_free(r->ctx, r->parts[i].work);
    }
    ngi_free(r->ctx, r->parts);
}

static ng_status make_parts(reduction *r) {
    size_t width = r->rows->width, count = r->rows->block_rows;
    r->parts = ngi_alloc(r->ctx, r->rows->workers, sizeof *r->parts);
    if (!r->parts)
        return NG_ENOMEM;
    for (size_t i = 0; i < r->rows->workers; i++) {
        part *p = &r->parts[i];
        p->R = ngi_alloc(r->ctx, width * width, sizeof *p->R);
        p->block = ngi_alloc(r->ctx, count * width, sizeof *p->block);
        p->root = ngi_alloc(r->ctx, count, sizeof *p->root);
        p->work = ngi_alloc(r->ctx, ngi_qr_work(width), sizeof *p->work);
        if (!p->R || !p->block || !p->root || !p->work)
            return NG_ENOMEM;
    }
    return NG_OK;
}

/* The reflection I - tau v v' that takes x to (-+|x|, 0, ...); v replaces x,
 * v_0 being 1. Returns what becomes of x_0. */
static double reflector(size_t n, double *x, double *tau) {
    double rest = ngi_norm(n - 1, x + 1);
    *tau = 0;
    if (rest == 0)
        return x[0];
    double value = -copysign(hypot(x[0], rest), x[0]);
    double lead = x[0] - value; /* of one sign: nothing cancels */
    *tau = -lead / value;
    for (size_t i = 1; i < n; i++)
        x[i] /= lead;
    x[0] = 1;
    return value;
}

static void reflect(size_t n, const double *v, double tau, double *x) {
    ngi_axpy(n, -tau * ngi_dot(n, v, x), v, x);
}

/* The triangle of the columns that are kept, in place of R, which has the
 * width's leading dimension: reflections undo what leaving a column out does
 * to the triangle. Where nothing is left out nothing is done. */
static size_t choose(size_t width, const bool *held, double tolerance,
                     double *R, bool *aliased) {
    size_t kept = 0;
    for (size_t j = 0; j < width; j++) {
        double *column = R + j * width, tau;
        double own = ngi_norm(j + 1, column);
        double left = ngi_norm(j + 1 - kept, column + kept);
        aliased[j] = !(held && held[j]) && !(left > tolerance * own);
        if (aliased[j] || (held && held[j]))
            continue;
        double value = reflector(j + 1 - kept, column + kept, &tau);
        for (size_t k = j + 1; tau != 0 && k < width; k++)
            reflect(j + 1 - kept, column + kept, tau, R + k * width + kept);
        column[kept] = value;
        for (size_t i = 0; i <= kept; i++)
            R[kept * width + i] = column[i];
        kept++;
    }
    return kept;
}

/* Packs the triangle and makes its diagonal positive: row i of R and its
 * opposite are the same factor. */
static void pack(size_t width, size_t kept, const double *R, double *out) {
    for (size_t j = 0; j < kept; j++) {
        for (size_t i = 0; i < kept; i++) {
            double sign = copysign(1, R[i * width + i]);
            out[j * kept + i] = i <= j ? sign * R[j * width + i] : 0;
        }
    }
}

static bool finite_triangle(size_t d, const double *R) {
    for (size_t j = 0; j < d; j++) {
        if (!ngi_all_finite(j + 1, R + j * d))
            return false;
    }
    return true;
}

ng_status ngi_weighted_qr(ng_ctx *ctx, const ngi_glm_rows *rows,
                          const ngi_glm_roots *roots, const double *scale,
                          const bool *held, double tolerance, double *R,
                          bool *aliased, size_t *kept) {
    reduction r = {ctx, rows, roots, scale, NULL};
    size_t width = rows->width;
    ng_status status;
    NG_TRY_GOTO(make_parts(&r));
    NG_TRY_GOTO(rows->each(rows, 1, reduce_block, &r));
    double *total = r.parts[0].R;
    for (size_t i = 1; i < rows->workers; i++)
        ngi_qr_append(width, total, width, r.parts[i].R, width, true,
                      r.parts[0].work);
    if (!finite_triangle(width, total)) {
        status = ngi_fail(ctx, NG_ENUMERIC,
                          "the weighted columns are not all finite");
        goto fail;
    }
    *kept = choose(width, held, tolerance, total, aliased);
    pack(width, *kept, total, R);
fail:
    free_parts(&r);
    return status;
}
