/* The secant pairs of the last steps, and the two loops that apply them to the
 * metric (Nocedal & Wright 2006, algorithm 7.4). */
#include "glm/softmax_impl.h"

#include "numerics/linalg.h"

#include <string.h>

ng_status ngi_secants_create(ng_ctx *ctx, size_t dim, size_t most,
                             ngi_secants *out) {
    *out = (ngi_secants){.dim = dim, .most = most};
    out->step = ngi_alloc(ctx, most, 2 * dim * sizeof *out->step);
    out->product = ngi_alloc(ctx, 2 * most, sizeof *out->product);
    if (!out->step || !out->product)
        return NG_ENOMEM;
    out->change = out->step + most * dim;
    out->alpha = out->product + most;
    return NG_OK;
}

void ngi_secants_release(ng_ctx *ctx, ngi_secants *secants) {
    ngi_free(ctx, secants->step);
    ngi_free(ctx, secants->product);
}

void ngi_secants_clear(ngi_secants *secants) {
    secants->count = secants->next = 0;
}

void ngi_secants_add(ngi_secants *secants, double length, const double *step,
                     const double *before, const double *after) {
    size_t at = secants->next, dim = secants->dim;
    double *s = secants->step + at * dim, *y = secants->change + at * dim;
    for (size_t i = 0; i < dim; i++) {
        s[i] = length * step[i];
        y[i] = after[i] - before[i];
    }
    double product = ngi_dot(dim, s, y);
    /* The loss is convex: what is not positive is rounding. */
    if (!(product > 0))
        return;
    secants->product[at] = product;
    secants->next = (at + 1) % secants->most;
    if (secants->count < secants->most)
        secants->count++;
}

void ngi_secants_apply(ngi_secants *c, ngi_softmax *s, const double *g,
                       double *d, double *scratch) {
    size_t dim = c->dim;
    memcpy(scratch, g, dim * sizeof *g);
    for (size_t i = 0; i < c->count; i++) {
        size_t at = (c->next + c->most - 1 - i) % c->most;
        c->alpha[at] =
            ngi_dot(dim, c->step + at * dim, scratch) / c->product[at];
        ngi_axpy(dim, -c->alpha[at], c->change + at * dim, scratch);
    }
    ngi_softmax_metric_solve(s, scratch, d);
    for (size_t i = c->count; i-- > 0;) {
        size_t at = (c->next + c->most - 1 - i) % c->most;
        double beta = ngi_dot(dim, c->change + at * dim, d) / c->product[at];
        ngi_axpy(dim, c->alpha[at] - beta, c->step + at * dim, d);
    }
}
