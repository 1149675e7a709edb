#include "natgrad/base.h"

#include "numerics/special_impl.h"

#include <float.h>
#include <math.h>

/* Philox4x32-10 of Salmon, Moraes, Dror & Shaw (SC 2011), table 2 for the
 * multipliers; the key schedule is a Weyl sequence. */
static void philox_block(const uint32_t *counter, const uint32_t *key,
                         uint32_t *out) {
    uint32_t c0 = counter[0], c1 = counter[1];
    uint32_t c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        const uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void ng_rng_init(ng_rng *rng, uint64_t seed, uint64_t stream) {
    *rng = (ng_rng){
        .key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
        .counter = {0, 0, (uint32_t)stream, (uint32_t)(stream >> 32)},
        .used = 4,
    };
}

uint64_t ng_rng_bits(ng_rng *rng) {
    if (rng->used > 2) {
        philox_block(rng->counter, rng->key, rng->buffer);
        rng->used = 0;
        /* The position is the low 64 bits; it wraps inside its stream. */
        if (++rng->counter[0] == 0)
            ++rng->counter[1];
    }
    const uint32_t *word = rng->buffer + rng->used;
    rng->used += 2;
    return (uint64_t)word[1] << 32 | word[0];
}

double ng_rng_uniform(ng_rng *rng) {
    const uint64_t bits = ng_rng_bits(rng) >> 11;
    /* The middle of the first cell stands for 0, so that every draw takes the
     * same number of bits. */
    return bits ? (double)bits * 0x1p-53 : 0x1p-54;
}

double ng_rng_normal(ng_rng *rng) {
    /* Box & Muller (1958). The sine half is not kept: a value that depended
     * on the calls before would defeat the counter. */
    const double radius = sqrt(-2.0 * log(ng_rng_uniform(rng)));
    return radius * cos(2.0 * NGI_PI * ng_rng_uniform(rng));
}

/* Marsaglia & Tsang (2000) for shape >= 1: d (1 + c x)^3 with x normal. */
static double log_gamma_large(ng_rng *rng, double shape) {
    const double d = shape - 1.0 / 3.0;
    const double c = 1.0 / sqrt(9.0 * d);
    /* Rejection is below 5 % a round; the bound only guards the loop. */
    for (int i = 0; i < 1000; i++) {
        const double x = ng_rng_normal(rng);
        const double cx = c * x;
        const double u = ng_rng_uniform(rng);
        if (cx <= -1.0)
            continue;
        /* log v - (v - 1) directly: d times it stays accurate however large
         * d is. */
        const double excess = cx * (3.0 + cx * (3.0 + cx));
        if (log(u) < 0.5 * x * x + d * ngi_log1pmx(excess))
            return log(d) + 3.0 * log1p(cx);
    }
    return log(d);
}

double ng_rng_log_gamma(ng_rng *rng, double shape) {
    if (!(shape > 0.0))
        return NAN;
    if (shape >= 1.0)
        return log_gamma_large(rng, shape);
    /* G_a = G_{a+1} U^{1/a} (Stuart 1962), in logarithms. */
    const double head = log_gamma_large(rng, shape + 1.0);
    const double tail = log(ng_rng_uniform(rng)) / shape;
    return fmax(head + tail, -DBL_MAX);
}

/* Sequential inversion. */
static double poisson_small(ng_rng *rng, double mean) {
    const double u = ng_rng_uniform(rng);
    double mass = exp(-mean);
    double total = mass;
    int k = 0;
    while (u > total && k < 200) {
        k++;
        mass *= mean / k;
        total += mass;
    }
    return k;
}

/* log of the Poisson mass, in the saddle-point form for k >= 10: no large
 * terms cancel. */
static double poisson_log_mass(double k, double mean) {
    if (k < 10.0)
        return k * log(mean) - mean - ngi_lgamma(k + 1.0);
    const double gap = (mean - k) / k;
    return k * ngi_log1pmx(gap) - 0.5 * (NGI_LOG_2PI + log(k)) -
           ngi_stirling_remainder(k);
}

/* PTRS, the transformed rejection of Hoermann (1993), Insurance: Mathematics
 * and Economics 12, 39; mean >= 10. */
static double poisson_large(ng_rng *rng, double mean) {
    const double b = 0.931 + 2.53 * sqrt(mean);
    const double a = -0.059 + 0.02483 * b;
    const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    const double quick = 0.9277 - 3.6224 / (b - 2.0);
    for (int i = 0; i < 1000; i++) {
        const double u = ng_rng_uniform(rng) - 0.5;
        const double v = ng_rng_uniform(rng);
        const double us = 0.5 - fabs(u);
        const double k = floor((2.0 * a / us + b) * u + mean + 0.43);
        if (us >= 0.07 && v <= quick)
            return k;
        if (!(k >= 0.0) || (us < 0.013 && v > us))
            continue;
        const double cap = log(v * inverse_alpha / (a / (us * us) + b));
        if (cap <= poisson_log_mass(k, mean))
            return k;
    }
    return floor(mean);
}

double ng_rng_poisson(ng_rng *rng, double mean) {
    if (!(mean >= 0.0))
        return NAN;
    if (isinf(mean))
        return mean;
    return mean < 10.0 ? poisson_small(rng, mean) : poisson_large(rng, mean);
}
