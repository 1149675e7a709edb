/* The two products of a pass, straight from the columns: no copy, each number
 * read from memory once a pass, the sums of a panel of outputs in registers.
 * A general matrix product would first pack what is read once. */
#include "glm/softmax_impl.h"

#include "numerics/vector_math.h"

/* Multiply and add in one instruction where there is one. */
#if defined(__GNUC__) && !defined(__clang__)
#define FUSED __attribute__((optimize("fp-contract=fast", "O3")))
#else
#define FUSED
#endif
#define ALWAYS_INLINE __attribute__((always_inline))

enum { LANES = 8, COLUMNS = 8 };

typedef double lanes __attribute__((vector_size(8 * LANES), aligned(8)));

size_t ngi_softmax_panel_width(size_t outputs) {
    size_t panels = (outputs + NGI_SOFTMAX_PANEL - 1) / NGI_SOFTMAX_PANEL;
    return (outputs + panels - 1) / panels;
}

/* Sixteen rows of K outputs += COLUMNS or fewer columns. */
FUSED ALWAYS_INLINE static inline void
eta_panel(const size_t K, size_t n, size_t columns, const double *const *x,
          const double *coefficient, double *eta, size_t ld) {
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        lanes a[NGI_SOFTMAX_PANEL], b[NGI_SOFTMAX_PANEL];
        for (size_t k = 0; k < K; k++) {
            a[k] = *(const lanes *)(eta + k * ld + i);
            b[k] = *(const lanes *)(eta + k * ld + i + LANES);
        }
        for (size_t j = 0; j < columns; j++) {
            const double *c = coefficient + j * K;
            lanes u = *(const lanes *)(x[j] + i);
            lanes v = *(const lanes *)(x[j] + i + LANES);
            for (size_t k = 0; k < K; k++) {
                a[k] += c[k] * u;
                b[k] += c[k] * v;
            }
        }
        for (size_t k = 0; k < K; k++) {
            *(lanes *)(eta + k * ld + i) = a[k];
            *(lanes *)(eta + k * ld + i + LANES) = b[k];
        }
    }
    for (; i < n; i++) {
        for (size_t j = 0; j < columns; j++)
            for (size_t k = 0; k < K; k++)
                eta[k * ld + i] += coefficient[j * K + k] * x[j][i];
    }
}

FUSED ALWAYS_INLINE static inline double sum_lanes(const lanes *v) {
    const double *x = (const double *)v;
    return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]));
}

/* Two columns' products with K vectors. */
FUSED ALWAYS_INLINE static inline void
gradient_panel(const size_t K, size_t n, const double *x0, const double *x1,
               const double *u, size_t ld, double *g0, double *g1) {
    lanes a[NGI_SOFTMAX_PANEL], b[NGI_SOFTMAX_PANEL];
    size_t i = 0;
    for (size_t k = 0; k < K; k++)
        a[k] = b[k] = (lanes){0};
    for (; i + LANES <= n; i += LANES) {
        lanes p = *(const lanes *)(x0 + i), q = *(const lanes *)(x1 + i);
        for (size_t k = 0; k < K; k++) {
            lanes v = *(const lanes *)(u + k * ld + i);
            a[k] += v * p;
            b[k] += v * q;
        }
    }
    for (size_t k = 0; k < K; k++) {
        double s = sum_lanes(&a[k]), t = sum_lanes(&b[k]);
        for (size_t r = i; r < n; r++) {
            s += u[k * ld + r] * x0[r];
            t += u[k * ld + r] * x1[r];
        }
        g0[k] += s;
        g1[k] += t;
    }
}

/* The compiler must know K to keep the sums in registers. */
#define WIDTHS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10)
#define DEFINE(K)                                                              \
    FUSED NGI_LANES static void eta_##K(                                       \
        size_t n, size_t columns, const double *const *x, const double *c,     \
        double *eta, size_t ld) {                                              \
        eta_panel(K, n, columns, x, c, eta, ld);                               \
    }                                                                          \
    FUSED NGI_LANES static void gradient_##K(                                  \
        size_t n, const double *x0, const double *x1, const double *u,         \
        size_t ld, double *g0, double *g1) {                                   \
        gradient_panel(K, n, x0, x1, u, ld, g0, g1);                           \
    }
WIDTHS(DEFINE)

typedef void (*eta_function)(size_t n, size_t columns, const double *const *x,
                             const double *c, double *eta, size_t ld);
typedef void (*gradient_function)(size_t n, const double *x0, const double *x1,
                                  const double *u, size_t ld, double *g0,
                                  double *g1);
#define ETA(K)      eta_##K,
#define GRADIENT(K) gradient_##K,
static const eta_function ETAS[] = {NULL, WIDTHS(ETA)};
static const gradient_function GRADIENTS[] = {NULL, WIDTHS(GRADIENT)};

void ngi_softmax_eta(size_t n, size_t width, size_t outputs,
                     const double *const *x, const double *panels, double *eta,
                     size_t ld) {
    size_t most = ngi_softmax_panel_width(outputs);
    for (size_t k = 0; k < outputs; k++)
        memset(eta + k * ld, 0, n * sizeof *eta);
    for (size_t k = 0; k < outputs; k += most) {
        size_t K = outputs - k < most ? outputs - k : most;
        const double *c = panels + k * width;
        for (size_t j = 0; j < width; j += COLUMNS) {
            size_t columns = width - j < COLUMNS ? width - j : COLUMNS;
            ETAS[K](n, columns, x + j, c + j * K, eta + k * ld, ld);
        }
    }
}

void ngi_softmax_gradient(size_t n, size_t width, size_t outputs,
                          const double *const *x, const double *u, size_t ld,
                          double *panels) {
    size_t most = ngi_softmax_panel_width(outputs);
    double unused[NGI_SOFTMAX_PANEL] = {0};
    for (size_t k = 0; k < outputs; k += most) {
        size_t K = outputs - k < most ? outputs - k : most;
        double *g = panels + k * width;
        for (size_t j = 0; j < width; j += 2) {
            bool pair = j + 1 < width;
            GRADIENTS[K](n, x[j], pair ? x[j + 1] : x[j], u + k * ld, ld,
                         g + j * K, pair ? g + (j + 1) * K : unused);
        }
    }
}
