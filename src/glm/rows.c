/* The passes over a block of columns. They are bound by memory, so several
 * columns are read at a time against one short vector that stays in the first
 * cache: eta is read and written once for eight columns, not for each. */
#include "glm/rows.h"

#include "numerics/vector_math.h"

/* LANES running sums a column hide the latency of an addition. */
enum { COLUMNS = 8, LANES = 8 };

NGI_LANES static void add_eight(size_t n, const double *const *x,
                                const double *theta, double *restrict eta) {
    const double *restrict x0 = x[0], *restrict x1 = x[1], *restrict x2 = x[2],
                           *restrict x3 = x[3], *restrict x4 = x[4],
                           *restrict x5 = x[5], *restrict x6 = x[6],
                           *restrict x7 = x[7];
    double t0 = theta[0], t1 = theta[1], t2 = theta[2], t3 = theta[3];
    double t4 = theta[4], t5 = theta[5], t6 = theta[6], t7 = theta[7];
    for (size_t i = 0; i < n; i++)
        eta[i] += ((t0 * x0[i] + t1 * x1[i]) + (t2 * x2[i] + t3 * x3[i])) +
                  ((t4 * x4[i] + t5 * x5[i]) + (t6 * x6[i] + t7 * x7[i]));
}

NGI_LANES static void add_one(size_t n, const double *restrict x, double theta,
                              double *restrict eta) {
    for (size_t i = 0; i < n; i++)
        eta[i] += theta * x[i];
}

void ngi_glm_predictor(const ngi_glm_rows *rows, const ngi_glm_block *block,
                       const double *theta, double *eta) {
    size_t n = block->count, j = 0;
    if (block->offset)
        memcpy(eta, block->offset, n * sizeof *eta);
    else
        memset(eta, 0, n * sizeof *eta);
    for (; j + COLUMNS <= rows->width; j += COLUMNS)
        add_eight(n, block->x + j, theta + j, eta);
    for (; j < rows->width; j++)
        add_one(n, block->x[j], theta[j], eta);
}

/* The running sums as a vector of any instruction set: arrays of them are not
 * kept in registers. */
typedef double lanes __attribute__((vector_size(8 * LANES), aligned(8)));

static double sum_lanes(const lanes *v) {
    double sum = 0;
    for (size_t k = 0; k < LANES; k++)
        sum += (*v)[k];
    return sum;
}

/* g_c += x_c' u for eight columns, n a multiple of LANES. */
NGI_LANES static void dot_eight(size_t n, const double *const *x,
                                const double *u, double *g) {
    const double *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
    const double *x4 = x[4], *x5 = x[5], *x6 = x[6], *x7 = x[7];
    lanes s0 = {0}, s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0,
          s7 = s0;
    for (size_t i = 0; i < n; i += LANES) {
        lanes v = *(const lanes *)(u + i);
        s0 += *(const lanes *)(x0 + i) * v;
        s1 += *(const lanes *)(x1 + i) * v;
        s2 += *(const lanes *)(x2 + i) * v;
        s3 += *(const lanes *)(x3 + i) * v;
        s4 += *(const lanes *)(x4 + i) * v;
        s5 += *(const lanes *)(x5 + i) * v;
        s6 += *(const lanes *)(x6 + i) * v;
        s7 += *(const lanes *)(x7 + i) * v;
    }
    g[0] += sum_lanes(&s0);
    g[1] += sum_lanes(&s1);
    g[2] += sum_lanes(&s2);
    g[3] += sum_lanes(&s3);
    g[4] += sum_lanes(&s4);
    g[5] += sum_lanes(&s5);
    g[6] += sum_lanes(&s6);
    g[7] += sum_lanes(&s7);
}

/* The same for one column. */
NGI_LANES static void dot_one(size_t n, const double *x, const double *u,
                              double *g) {
    lanes s = {0};
    for (size_t i = 0; i < n; i += LANES)
        s += *(const lanes *)(x + i) * *(const lanes *)(u + i);
    *g += sum_lanes(&s);
}

void ngi_glm_gradient(const ngi_glm_rows *rows, const ngi_glm_block *block,
                      const double *u, double *g) {
    size_t n = block->count, whole = n - n % LANES, j = 0;
    for (; j + COLUMNS <= rows->width; j += COLUMNS)
        dot_eight(whole, block->x + j, u, g + j);
    for (; j < rows->width; j++)
        dot_one(whole, block->x[j], u, g + j);
    for (j = 0; whole < n && j < rows->width; j++)
        for (size_t i = whole; i < n; i++)
            g[j] += block->x[j][i] * u[i];
}

NGI_LANES static void scale_column(size_t n, const double *restrict x,
                                   double scale, const double *restrict root,
                                   double *restrict out) {
    if (root)
        for (size_t i = 0; i < n; i++)
            out[i] = x[i] * scale * root[i];
    else
        for (size_t i = 0; i < n; i++)
            out[i] = x[i] * scale;
}

void ngi_glm_scaled(const ngi_glm_rows *rows, const ngi_glm_block *block,
                    const double *scale, const double *root, double *out) {
    size_t n = block->count;
    for (size_t j = 0; j < rows->width; j++)
        scale_column(n, block->x[j], scale ? scale[j] : 1, root, out + j * n);
}

NGI_LANES static void scale_column_single(size_t n, const double *restrict x,
                                          double scale,
                                          const double *restrict root,
                                          float *restrict out) {
    if (root)
        for (size_t i = 0; i < n; i++)
            out[i] = (float)(x[i] * scale * root[i]);
    else
        for (size_t i = 0; i < n; i++)
            out[i] = (float)(x[i] * scale);
}

void ngi_glm_scaled_single(const ngi_glm_rows *rows, const ngi_glm_block *block,
                           const double *scale, const double *root,
                           float *out) {
    size_t n = block->count;
    for (size_t j = 0; j < rows->width; j++)
        scale_column_single(n, block->x[j], scale ? scale[j] : 1, root,
                            out + j * n);
}
