/* Outputs with kernels of their own; all other families go by the core's
 * functions in double (output_family.real.c). */
#include "network/pass.h"

#include <math.h>
#include <string.h>

static size_t outputs_of(const pass *p) {
    return p->architecture->outputs;
}

static const real *z_of(const pass *p, size_t row) {
    size_t last = p->architecture->layers;
    return p->value[last] + row * pass_stride(p, last);
}

static const real *y_of(const pass *p, size_t row) {
    return p->target + row * p->architecture->targets;
}

static real *mean_of(const pass *p, size_t row) {
    return p->mean + row * outputs_of(p);
}

NGI_VECTOR static double sum_of_squares(size_t n, const real *x,
                                        const real *y) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double e = (double)x[i] - (double)y[i];
        sum += e * e;
    }
    return sum;
}

NGI_VECTOR static void difference(size_t n, const real *x, const real *y,
                                  real *out) {
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] - y[i];
}

/* The error of the means, where p->mean has them. */
static void score_means(pass *p, size_t row, output_sums *sums) {
    sums->squared_error +=
        sum_of_squares(outputs_of(p), mean_of(p, row), y_of(p, row));
}

static void gradient_of_means(pass *p, size_t row, real *u) {
    difference(outputs_of(p), mean_of(p, row), y_of(p, row), u);
}

/* ---- Bernoulli pixels: logits, y in [0, 1] --------------------------------
 */

static void bernoulli_prepare(pass *p, size_t count) {
    size_t n = outputs_of(p);
    for (size_t i = 0; i < count; i++) {
        const real *z = z_of(p, i), *y = y_of(p, i);
        real *mean = mean_of(p, i);
        NR(softplus_tail)(n, z, mean);
        double loss = 0;
        for (size_t j = 0; j < n; j++)
            loss += (double)(mean[j] + (z[j] > 0 ? 1 - y[j] : -y[j]) * z[j]);
        p->losses[i] = loss;
        NR(sigmoid)(n, z, mean);
    }
}

/* Two draws of 32 bits from each word of 64. */
static void bernoulli_sampled(pass *p, size_t row, ng_rng *rng, real *u) {
    size_t n = outputs_of(p);
    const real *mean = mean_of(p, row);
    uint64_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        bits = i & 1 ? bits >> 32 : ng_rng_bits(rng);
        double uniform = ((double)(uint32_t)bits + 0.5) * 0x1p-32;
        u[i] = mean[i] - (uniform < (double)mean[i] ? 1 : 0);
    }
}

static void bernoulli_root(pass *p, size_t row, size_t c, real *u) {
    const real *mean = mean_of(p, row);
    memset(u, 0, outputs_of(p) * sizeof *u);
    u[c] = (real)sqrt((double)(mean[c] * (1 - mean[c])));
}

NGI_VECTOR static void variance_times(size_t n, const real *mean, const real *v,
                                      real *out) {
    for (size_t i = 0; i < n; i++)
        out[i] = mean[i] * (1 - mean[i]) * v[i];
}

static void bernoulli_fisher(pass *p, size_t row, const real *v, real *out) {
    variance_times(outputs_of(p), mean_of(p, row), v, out);
}

const output_ops NR(output_bernoulli) = {
    bernoulli_prepare, score_means,    gradient_of_means,
    bernoulli_sampled, bernoulli_root, bernoulli_fisher,
};

/* ---- Softmax: K logits, y a class -----------------------------------------
 */

static void softmax_prepare(pass *p, size_t count) {
    size_t n = outputs_of(p);
    for (size_t i = 0; i < count; i++) {
        const real *z = z_of(p, i);
        real *mean = mean_of(p, i), most = z[0];
        for (size_t j = 1; j < n; j++)
            most = z[j] > most ? z[j] : most;
        for (size_t j = 0; j < n; j++)
            mean[j] = z[j] - most;
        p->losses[i] = p->targeted ? -(double)mean[(size_t)y_of(p, i)[0]] : 0;
    }
    NR(exp)(count * n, p->mean, p->mean);
    for (size_t i = 0; i < count; i++) {
        real *mean = mean_of(p, i), sum = 0;
        for (size_t j = 0; j < n; j++)
            sum += mean[j];
        for (size_t j = 0; j < n; j++)
            mean[j] /= sum;
        p->losses[i] += log((double)sum);
    }
}

static void softmax_score(pass *p, size_t row, output_sums *sums) {
    const real *z = z_of(p, row);
    size_t best = 0;
    for (size_t i = 1; i < outputs_of(p); i++)
        best = z[i] > z[best] ? i : best;
    sums->right += best == (size_t)y_of(p, row)[0];
}

static void softmax_gradient(pass *p, size_t row, real *u) {
    memcpy(u, mean_of(p, row), outputs_of(p) * sizeof *u);
    u[(size_t)y_of(p, row)[0]] -= 1;
}

static void softmax_sampled(pass *p, size_t row, ng_rng *rng, real *u) {
    size_t n = outputs_of(p), label = 0;
    memcpy(u, mean_of(p, row), n * sizeof *u);
    double left = ng_rng_uniform(rng) - (double)u[0];
    while (left > 0 && label + 1 < n)
        left -= (double)u[++label];
    u[label] -= 1;
}

static void softmax_root(pass *p, size_t row, size_t c, real *u) {
    size_t n = outputs_of(p);
    const real *mean = mean_of(p, row);
    real root = (real)sqrt((double)mean[c]);
    for (size_t i = 0; i < n; i++)
        u[i] = -root * mean[i];
    u[c] += root;
}

static void softmax_fisher(pass *p, size_t row, const real *v, real *out) {
    size_t n = outputs_of(p);
    const real *mean = mean_of(p, row);
    real inner = 0;
    for (size_t i = 0; i < n; i++)
        inner += mean[i] * v[i];
    for (size_t i = 0; i < n; i++)
        out[i] = mean[i] * (v[i] - inner);
}

const output_ops NR(output_softmax) = {
    softmax_prepare, softmax_score, softmax_gradient,
    softmax_sampled, softmax_root,  softmax_fisher,
};

/* ---- Gaussian of unit variance: z is the mean -----------------------------
 */

static void gaussian_prepare(pass *p, size_t count) {
    const double half_log_2pi = 0.91893853320467274178;
    size_t n = outputs_of(p);
    for (size_t i = 0; i < count; i++) {
        memcpy(mean_of(p, i), z_of(p, i), n * sizeof(real));
        p->losses[i] = sum_of_squares(n, z_of(p, i), y_of(p, i)) / 2 +
                       (double)n * half_log_2pi;
    }
}

static void gaussian_sampled(pass *p, size_t row, ng_rng *rng, real *u) {
    (void)row;
    for (size_t i = 0; i < outputs_of(p); i++)
        u[i] = (real)ng_rng_normal(rng);
}

static void gaussian_root(pass *p, size_t row, size_t c, real *u) {
    (void)row;
    memset(u, 0, outputs_of(p) * sizeof *u);
    u[c] = 1;
}

static void gaussian_fisher(pass *p, size_t row, const real *v, real *out) {
    (void)row;
    memcpy(out, v, outputs_of(p) * sizeof *out);
}

const output_ops NR(output_gaussian) = {
    gaussian_prepare, score_means,   gradient_of_means,
    gaussian_sampled, gaussian_root, gaussian_fisher,
};

/* ---- Rows -----------------------------------------------------------------
 */

const output_ops *NR(output_ops)(const ngi_architecture *a) {
    if (a->known_scale)
        return &NR(output_gaussian);
    if (strcmp(a->family.ops->name, "bernoulli") == 0)
        return &NR(output_bernoulli);
    if (strcmp(a->family.ops->name, "softmax") == 0)
        return &NR(output_softmax);
    return &NR(output_family);
}

static real *delta_of(const pass *p, size_t row) {
    size_t last = p->architecture->layers;
    return p->delta[last] + row * pass_stride(p, last);
}

void NR(output_prepare)(pass *p, size_t count) {
    NR(output_ops)(p->architecture)->prepare(p, count);
}

double NR(output_loss)(const pass *p, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += p->losses[i];
    return sum;
}

void NR(output_sums)(pass *p, size_t first, size_t count, output_sums *sums) {
    const output_ops *ops = NR(output_ops)(p->architecture);
    for (size_t i = first; i < first + count; i++) {
        sums->loss += p->losses[i];
        ops->score(p, i, sums);
    }
}

void NR(output_gradient)(pass *p, size_t count) {
    const output_ops *ops = NR(output_ops)(p->architecture);
    for (size_t i = 0; i < count; i++)
        ops->gradient(p, i, delta_of(p, i));
}

void NR(output_sampled)(pass *p, size_t count, uint64_t seed, uint64_t draw,
                        size_t number) {
    const output_ops *ops = NR(output_ops)(p->architecture);
    for (size_t i = 0; i < count; i++) {
        ng_rng rng;
        ng_rng_init(&rng, seed, draw);
        rng.counter[1] = (uint32_t)(number + i);
        ops->sampled(p, i, &rng, delta_of(p, i));
    }
}

void NR(output_root)(pass *p, size_t count, size_t c) {
    const output_ops *ops = NR(output_ops)(p->architecture);
    for (size_t i = 0; i < count; i++)
        ops->root(p, i, c, delta_of(p, i));
}

void NR(output_fisher)(pass *p, size_t first, size_t count, const real *v,
                       size_t ldv, real *out, size_t ldo) {
    const output_ops *ops = NR(output_ops)(p->architecture);
    for (size_t i = 0; i < count; i++)
        ops->fisher(p, first + i, v + i * ldv, out + i * ldo);
}
