/* Kernels over arrays, written so that the compiler turns them into vector
 * code. In single precision exponentials are polynomials of our own: the C
 * library's are called value by value. */
#include "network/real.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { LANES = 16 };

/* Sums in double, sixteen at a time: the order does not depend on anything
 * but n. */
NGI_VECTOR double NR(dot)(size_t n, const real *x, const real *y) {
    double lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            lane[k] += (double)x[i + k] * (double)y[i + k];
    double sum = 0;
    for (; i < n; i++)
        sum += (double)x[i] * (double)y[i];
    for (size_t k = 0; k < LANES; k++)
        sum += lane[k];
    return sum;
}

NGI_VECTOR void NR(axpby)(size_t n, real a, const real *x, real b, real *y) {
    if (b == 0)
        for (size_t i = 0; i < n; i++)
            y[i] = a * x[i];
    else
        for (size_t i = 0; i < n; i++)
            y[i] = a * x[i] + b * y[i];
}

bool NR(finite)(size_t n, const real *x) {
    real sum = 0; /* 0 * x is 0 exactly where x is finite */
    for (size_t i = 0; i < n; i++)
        sum += 0 * x[i];
    return sum == 0;
}

#if NGI_DOUBLE

void NR(exp)(size_t n, const real *x, real *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = exp(x[i]);
}

void NR(tanh)(size_t n, const real *x, real *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = tanh(x[i]);
}

void NR(sigmoid)(size_t n, const real *x, real *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = 1 / (1 + exp(-x[i]));
}

void NR(softplus)(size_t n, const real *x, real *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = fmax(x[i], 0) + log1p(exp(-fabs(x[i])));
}

void NR(softplus_tail)(size_t n, const real *x, real *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = log1p(exp(-fabs(x[i])));
}

#else

/* x = k ln 2 + r, |r| <= ln(2)/2; *scale = 2^k; e^r - 1 by its Taylor series,
 * whose first term left out is below 2e-8 |r|. x is within +-87. */
static inline float exp_minus_1_reduced(float x, float *scale) {
    const float round = 12582912.0f; /* 1.5 x 2^23: adding it rounds */
    float shifted = x * 1.44269504f + round;
    float k = shifted - round;
    float r = (x - k * 0.693359375f) + k * 2.12194440e-4f;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits << 23) + 0x3f800000u;
    memcpy(scale, &bits, sizeof bits);
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    return p * r * r + r;
}

static inline float clamp(float x, float bound) {
    x = x < bound ? x : bound; /* a NaN becomes the bound: see below */
    return x > -bound ? x : -bound;
}

static inline float exp_1(float x) {
    float scale, p = exp_minus_1_reduced(clamp(x, 87.0f), &scale);
    return scale * p + scale;
}

/* A NaN must come out as one, though clamp took it for its bound. */
static inline float keep_nan(float x, float y) {
    return x == x ? y : x;
}

NGI_VECTOR void NR(exp)(size_t n, const real *x, real *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = keep_nan(x[i], exp_1(x[i]));
}

/* (e^2x - 1) / (e^2x + 1), relatively accurate near 0. */
NGI_VECTOR void NR(tanh)(size_t n, const real *x, real *y) {
    for (size_t i = 0; i < n; i++) {
        float scale;
        float p = exp_minus_1_reduced(clamp(2 * x[i], 40.0f), &scale);
        float e = scale * p + (scale - 1);
        y[i] = keep_nan(x[i], e / (e + 2));
    }
}

NGI_VECTOR void NR(sigmoid)(size_t n, const real *x, real *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = keep_nan(x[i], 1 / (1 + exp_1(-x[i])));
}

/* log(1 + t) = 2 artanh(t / (2 + t)), 0 <= t <= 1: the series' first term left
 * out is below 1.5e-8 of the sum. */
static inline float log1p_unit(float t) {
    float s = t / (2 + t), q = s * s;
    float p = 1.0f / 13;
    p = p * q + 1.0f / 11;
    p = p * q + 1.0f / 9;
    p = p * q + 1.0f / 7;
    p = p * q + 1.0f / 5;
    p = p * q + 1.0f / 3;
    p = p * q + 1;
    return 2 * s * p;
}

NGI_VECTOR void NR(softplus)(size_t n, const real *x, real *y) {
    for (size_t i = 0; i < n; i++) {
        float positive = x[i] > 0 ? x[i] : 0;
        float magnitude = x[i] > 0 ? x[i] : -x[i];
        y[i] = keep_nan(x[i], positive + log1p_unit(exp_1(-magnitude)));
    }
}

NGI_VECTOR void NR(softplus_tail)(size_t n, const real *x, real *y) {
    for (size_t i = 0; i < n; i++) {
        float magnitude = x[i] > 0 ? x[i] : -x[i];
        y[i] = keep_nan(x[i], log1p_unit(exp_1(-magnitude)));
    }
}

#endif
