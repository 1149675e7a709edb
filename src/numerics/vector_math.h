/* Elementary functions without a branch or a table, so that a loop over them
 * becomes vector code: exp and log are within 1 ulp, what is made of them
 * within 3, with the limits at 0 and at the infinities, overflow and gradual
 * underflow. A NaN comes out as one.
 *
 * The reductions are Tang's (1989, 1990) without his tables; the polynomials
 * interpolate at Chebyshev's points, and what they leave out is below a tenth
 * of an ulp. */
#ifndef NGI_VECTOR_MATH_H
#define NGI_VECTOR_MATH_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A function with such a loop is compiled for several instruction sets; the
 * best one is chosen when the program is loaded. Sanitizers cannot follow
 * that. */
#if defined(__x86_64__) && defined(__linux__) && !defined(__clang__) &&        \
    !defined(__SANITIZE_ADDRESS__)
#define NGI_LANES                                                              \
    __attribute__((target_clones("default", "arch=x86-64-v3", "avx512f")))
#else
#define NGI_LANES
#endif

/* What such a loop calls: a call that stays one ends the vector code. */
#define NGI_LANE static inline __attribute__((always_inline))

/* ln 2, its first 33 bits and the rest. */
#define NGI_LN2_HIGH 0x1.62e42fee00000p-1
#define NGI_LN2_LOW  1.9082149292705877e-10

NGI_LANE double ngi_lane_of_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

NGI_LANE uint64_t ngi_lane_bits(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* 1.5 x 2^52: adding it rounds to a whole number, which is then in the last
 * bits. */
#define NGI_LANE_ROUND 0x1.8p52

/* 2^k from k + NGI_LANE_ROUND, |k| <= 1022. */
NGI_LANE double ngi_lane_power(double shifted) {
    return ngi_lane_of_bits((ngi_lane_bits(shifted) + 1023) << 52);
}

/* e^x, e^x - 1 and e^x - 1 - x. */
typedef struct ngi_lane_growth {
    double exp, minus_1, minus_1_x;
} ngi_lane_growth;

/* x = k ln 2 + r, |r| <= ln(2) / 2, e^r = 1 + r + r^2 q(r). 2^k in two factors,
 * for it may overflow or underflow where e^x does not. */
NGI_LANE ngi_lane_growth ngi_lane_grow(double x) {
    double c = x < 710 ? x : 710;
    c = c > -746 ? c : -746;
    double k = (c * 1.44269504088896340736 + NGI_LANE_ROUND) - NGI_LANE_ROUND;
    double r = (c - k * NGI_LN2_HIGH) - k * NGI_LN2_LOW;
    double q = 2.0914686968086876e-09;
    q = q * r + 2.5105217004720745e-08;
    q = q * r + 2.75572736431103e-07;
    q = q * r + 2.7557255400206422e-06;
    q = q * r + 2.4801587325547743e-05;
    q = q * r + 0.00019841269874820627;
    q = q * r + 0.0013888888888883748;
    q = q * r + 0.008333333333326136;
    q = q * r + 0.04166666666666667;
    q = q * r + 0.1666666666666667;
    q = q * r + 0.5;
    double second = r * r * q, first = r + second;
    double half = 0.5 * k + NGI_LANE_ROUND, rest = k - (half - NGI_LANE_ROUND);
    double scale = ngi_lane_power(half);
    double scale_rest = ngi_lane_power(rest + NGI_LANE_ROUND);
    /* Beyond the reach of r the 1 and the x cancel one digit at most. */
    double e = (scale * (1 + first)) * scale_rest;
    double power = scale * scale_rest;
    double e1 = k > 1000 ? e : power * first + (power - 1);
    ngi_lane_growth g;
    g.exp = x == x ? e : x;
    g.minus_1 = x == x ? e1 : x;
    g.minus_1_x = k == 0 ? second : g.minus_1 - x;
    return g;
}

NGI_LANE double ngi_lane_exp(double x) {
    return ngi_lane_grow(x).exp;
}

/* x = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2), for normal x > 0. */
NGI_LANE double ngi_lane_split(double x, double *f) {
    const uint64_t root = 0x3fe6a09e667f3bcdu, one = 0x3ff0000000000000u;
    uint64_t bits = ngi_lane_bits(x) + (one - root);
    double k = ngi_lane_of_bits((bits >> 52) | 0x4330000000000000u);
    *f = ngi_lane_of_bits((bits & 0xfffffffffffffu) + root) - 1;
    return k - (0x1p52 + 1023);
}

/* log(1 + f) - f = s (f^2 / 2 + R(s^2)) - f^2 / 2, s = f / (2 + f), from
 * log(1 + f) = 2 artanh(s) = 2 s + s R. */
NGI_LANE double ngi_lane_log_rest(double f) {
    double s = f / (2 + f), z = s * s, half = 0.5 * f * f;
    double R = 0.13086907887965027;
    R = R * z + 0.13268746195596595;
    R = R * z + 0.15386240708969665;
    R = R * z + 0.18181795621632782;
    R = R * z + 0.22222222391887064;
    R = R * z + 0.2857142857080285;
    R = R * z + 0.4000000000000088;
    R = R * z + 0.6666666666666666;
    return s * (half + R * z) - half;
}

NGI_LANE double ngi_lane_log(double x) {
    double tiny = x < DBL_MIN ? 54 : 0, f;
    double k = ngi_lane_split(x < DBL_MIN ? x * 0x1p54 : x, &f) - tiny;
    double y =
        k * NGI_LN2_HIGH + (f + (ngi_lane_log_rest(f) + k * NGI_LN2_LOW));
    double edge = x == 0 ? -HUGE_VAL : (double)NAN;
    y = x > 0 ? y : edge;
    return x < HUGE_VAL ? y : x;
}

/* log(1 + t), 0 <= t <= 1. */
NGI_LANE double ngi_lane_log1p_unit(double t) {
    double k = t > 0.41421356237309503 ? 1 : 0;
    double f = k == 0 ? t : 0.5 * (t - 1);
    return k * NGI_LN2_HIGH + (f + (ngi_lane_log_rest(f) + k * NGI_LN2_LOW));
}

/* log u - x where u = 1 + x >= 0 and both are known as well as can be: neither
 * a small x nor a small u cancels. Below DBL_MIN u counts as that. */
NGI_LANE double ngi_lane_log_less(double u, double x) {
    double f, k = ngi_lane_split(u > DBL_MIN ? u : DBL_MIN, &f);
    f = k == 0 ? x : f;
    double rest = ngi_lane_log_rest(f) + k * NGI_LN2_LOW;
    return k == 0 ? rest : (k * NGI_LN2_HIGH - x) + (f + rest);
}

/* The two tails of a logistic law at x: the smaller of its two probabilities,
 * 1 / (1 + e^|x|), and minus the logarithm of the larger, log(1 + e^-|x|). */
typedef struct ngi_lane_tail {
    double small, log_large;
} ngi_lane_tail;

NGI_LANE ngi_lane_tail ngi_lane_logistic(double x) {
    double t = ngi_lane_exp(-fabs(x));
    ngi_lane_tail tail;
    tail.small = t / (1 + t);
    tail.log_large = ngi_lane_log1p_unit(t);
    return tail;
}

/* Mills' ratio of the standard normal law, (1 - Phi(x)) / phi(x), 0 <= x <
 * DBL_MAX, within 4 ulp: (1 + x) times it as a polynomial in (x - 5) / (x + 5),
 * Shepherd & Laframboise (1981). */
NGI_LANE double ngi_lane_mills(double x) {
    double t = (x - 5) / (x + 5);
    double p = 6.163047198655167e-11;
    p = p * t - 9.545215884456858e-10;
    p = p * t - 1.0770966817867951e-09;
    p = p * t + 1.1020770424653135e-08;
    p = p * t + 1.006273629203449e-08;
    p = p * t - 7.755689282319666e-08;
    p = p * t - 6.735246707235891e-08;
    p = p * t + 4.919558007942762e-07;
    p = p * t + 3.2194150125726876e-07;
    p = p * t - 3.2772513658038686e-06;
    p = p * t - 1.7721527238693433e-07;
    p = p * t + 2.270959149359291e-05;
    p = p * t - 2.480546663097941e-05;
    p = p * t - 0.0001343742704194541;
    p = p * t + 0.0004570438205116078;
    p = p * t + 1.9530636365484052e-05;
    p = p * t - 0.004201290311078416;
    p = p * t + 0.016348231281331425;
    p = p * t - 0.03802659218771832;
    p = p * t + 0.061505045840161206;
    p = p * t - 0.06617760077899582;
    p = p * t + 0.02507217930163978;
    p = p * t + 0.07778159886873558;
    p = p * t - 0.22948753825211318;
    p = p * t + 1.1568486282918946;
    return p / (1 + x);
}

/* Over arrays; y may be x. */
void ngi_vector_exp(size_t n, const double *x, double *y);
void ngi_vector_log(size_t n, const double *x, double *y);
/* log(1 + e^x). */
void ngi_vector_softplus(size_t n, const double *x, double *y);
/* 1 / (1 + e^-x). */
void ngi_vector_expit(size_t n, const double *x, double *y);

#endif
