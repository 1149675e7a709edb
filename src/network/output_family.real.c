/* Any family of the core at the outputs of a network, converted to double row
 * by row: `replicates` independent members of it side by side. */
#include "network/pass.h"

#include <math.h>
#include <string.h>

/* How pass.wide is cut. */
typedef struct wide {
    double *z, *z0; /* outputs + 1 a member where the scale is known */
    double *y;
    double *u;      /* outputs */
    double *matrix; /* replicates x dim_z^2 */
    double *out;    /* replicates, or targets */
    double *work;
} wide;

static size_t z_size(const ngi_architecture *a) {
    return a->replicates * a->family.dim_z;
}

static size_t out_size(const ngi_architecture *a) {
    return a->replicates + a->targets + a->replicates * a->family.dim_mean;
}

size_t NR(output_wide)(const ngi_architecture *a) {
    return 3 * z_size(a) + a->targets + out_size(a) +
           a->replicates * a->family.dim_z * a->family.dim_z +
           ng_family_work(&a->family) + 8;
}

static wide cut(const pass *p) {
    const ngi_architecture *a = p->architecture;
    wide w = {.z = p->wide};
    w.z0 = w.z + z_size(a);
    w.u = w.z0 + z_size(a);
    w.y = w.u + z_size(a);
    w.out = w.y + a->targets;
    w.matrix = w.out + out_size(a);
    w.work = w.matrix + a->replicates * a->family.dim_z * a->family.dim_z;
    return w;
}

/* A known standard deviation of 1 is a log of 0 beside the mean. */
static void widen_z(const ngi_architecture *a, const real *z, double *out) {
    if (!a->known_scale) {
        for (size_t i = 0; i < a->outputs; i++)
            out[i] = (double)z[i];
        return;
    }
    for (size_t i = 0; i < a->outputs; i++) {
        out[2 * i] = (double)z[i];
        out[2 * i + 1] = 0;
    }
}

static void widen(const real *x, size_t n, double *out) {
    for (size_t i = 0; i < n; i++)
        out[i] = (double)x[i];
}

static void widen_row(pass *p, size_t row, wide *w) {
    const ngi_architecture *a = p->architecture;
    *w = cut(p);
    widen_z(a, p->value[a->layers] + row * pass_stride(p, a->layers), w->z);
    widen(p->target + row * a->targets, a->targets, w->y);
}

static void prepare(pass *p, size_t count) {
    const ngi_architecture *a = p->architecture;
    const ng_family *f = &a->family;
    wide w;
    if (!p->targeted)
        return;
    for (size_t i = 0; i < count; i++) {
        widen_row(p, i, &w);
        f->ops->log_density(f, a->replicates, w.z, w.y, w.out, w.work);
        p->losses[i] = 0;
        for (size_t m = 0; m < a->replicates; m++)
            p->losses[i] -= w.out[m];
    }
}

static void score(pass *p, size_t row, output_sums *sums) {
    const ngi_architecture *a = p->architecture;
    const ng_family *f = &a->family;
    wide w;
    if (f->dim_mean != f->dim_y)
        return;
    widen_row(p, row, &w);
    f->ops->mean(f, a->replicates, w.z, w.out, w.work);
    for (size_t i = 0; i < a->targets; i++)
        sums->squared_error += (w.out[i] - w.y[i]) * (w.out[i] - w.y[i]);
}

static void slope(pass *p, const wide *w, real *u) {
    const ngi_architecture *a = p->architecture;
    const ng_family *f = &a->family;
    f->ops->score(f, a->replicates, w->z, w->y, w->u, w->work);
    for (size_t i = 0; i < a->outputs; i++)
        u[i] = (real)-w->u[i];
}

static void gradient(pass *p, size_t row, real *u) {
    wide w;
    widen_row(p, row, &w);
    slope(p, &w, u);
}

static void sampled(pass *p, size_t row, ng_rng *rng, real *u) {
    const ngi_architecture *a = p->architecture;
    wide w;
    widen_row(p, row, &w);
    a->family.ops->sample(&a->family, a->replicates, w.z, rng, w.y, w.work);
    slope(p, &w, u);
}

static double *member_fisher(pass *p, size_t row) {
    const ngi_architecture *a = p->architecture;
    wide w;
    widen_row(p, row, &w);
    a->family.ops->fisher(&a->family, a->replicates, w.z, w.matrix, w.work);
    return w.matrix;
}

/* The Cholesky factor of a member's F, semidefinite allowed: a vanishing pivot
 * leaves a column of zeros. */
static void factor(size_t d, double *F) {
    for (size_t j = 0; j < d; j++) {
        double pivot = F[j * d + j];
        for (size_t k = 0; k < j; k++)
            pivot -= F[j * d + k] * F[j * d + k];
        double root = pivot > 0 ? sqrt(pivot) : 0;
        F[j * d + j] = root;
        for (size_t i = j + 1; i < d; i++) {
            double sum = F[i * d + j];
            for (size_t k = 0; k < j; k++)
                sum -= F[i * d + k] * F[j * d + k];
            F[i * d + j] = root > 0 ? sum / root : 0;
        }
    }
}

static void root(pass *p, size_t row, size_t c, real *u) {
    size_t d = p->architecture->family.dim_z;
    size_t member = c / d, column = c % d;
    double *F = member_fisher(p, row) + member * d * d;
    factor(d, F);
    memset(u, 0, p->architecture->outputs * sizeof *u);
    for (size_t i = column; i < d; i++)
        u[member * d + i] = (real)F[i * d + column];
}

static void fisher(pass *p, size_t row, const real *v, real *out) {
    size_t d = p->architecture->family.dim_z;
    const double *F = member_fisher(p, row);
    for (size_t m = 0; m < p->architecture->replicates; m++)
        for (size_t i = 0; i < d; i++) {
            double sum = 0;
            for (size_t j = 0; j < d; j++)
                sum += F[(m * d + i) * d + j] * (double)v[m * d + j];
            out[m * d + i] = (real)sum;
        }
}

const output_ops NR(output_family) = {prepare, score, gradient,
                                      sampled, root,  fisher};

double NR(output_kl)(pass *p, size_t count, const real *z0, size_t ld0) {
    const ngi_architecture *a = p->architecture;
    const ng_family *f = &a->family;
    const real *z = p->value[a->layers];
    size_t ld = pass_stride(p, a->layers);
    wide w = cut(p);
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        widen_z(a, z0 + i * ld0, w.z0);
        widen_z(a, z + i * ld, w.z);
        f->ops->kl(f, a->replicates, w.z0, w.z, w.out, w.work);
        for (size_t m = 0; m < a->replicates; m++)
            sum += w.out[m];
    }
    return sum;
}

void NR(output_mean)(pass *p, size_t first, size_t count, double *mean) {
    const ngi_architecture *a = p->architecture;
    const ng_family *f = &a->family;
    size_t width = a->replicates * f->dim_mean;
    size_t ld = pass_stride(p, a->layers);
    wide w = cut(p);
    for (size_t i = 0; i < count; i++) {
        widen_z(a, p->value[a->layers] + (first + i) * ld, w.z);
        f->ops->mean(f, a->replicates, w.z, mean + i * width, w.work);
    }
}
