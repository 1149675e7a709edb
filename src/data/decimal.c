/* w 10^q, w an integer of 64 bits. Small ones are one exact operation on
 * doubles (Clinger, PLDI 1990); else w is multiplied by the leading bits of
 * 5^q, whose error is known, and where it cannot change how the product is
 * rounded the double is right (Lemire, Software: Practice and Experience 51,
 * 2021). */
#include "data/decimal.h"

#include <string.h>

/* ---- Powers of five ---- */

/* A large integer, its lowest word first. */
enum { WORDS = 32, RECIPROCAL_BITS = 960 };

static unsigned highest_bit(const uint32_t *word) {
    unsigned i = WORDS;
    while (!word[i - 1])
        i--;
    unsigned bit = 31;
    while (!(word[i - 1] >> bit))
        bit--;
    return 32 * (i - 1) + bit;
}

static uint64_t word_at(const uint32_t *word, int i) {
    return i < 0 ? 0 : word[i];
}

/* 64 bits from bit `top` downwards, zeros below the lowest. */
static uint64_t bits_from(const uint32_t *word, int top) {
    int i = (top + 64) / 32 - 2, over = (top + 64) % 32;
    uint64_t high = word_at(word, i) << 32 | word_at(word, i - 1);
    return high << (31 - over) | word_at(word, i - 2) >> (over + 1);
}

static void store_power(ngi_powers *powers, int q, const uint32_t *word) {
    int top = (int)highest_bit(word), i = q - NGI_POWER_MIN;
    powers->high[i] = bits_from(word, top);
    powers->low[i] = bits_from(word, top - 64);
    powers->scale[i] = (int16_t)(q < 0 ? top - RECIPROCAL_BITS : top);
}

static void multiply_by_5(uint32_t *word) {
    uint64_t carry = 0;
    for (size_t i = 0; i < WORDS; i++) {
        carry += UINT64_C(5) * word[i];
        word[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static void divide_by_5(uint32_t *word) {
    uint64_t rest = 0;
    for (size_t i = WORDS; i-- > 0;) {
        rest = rest << 32 | word[i];
        word[i] = (uint32_t)(rest / 5);
        rest %= 5;
    }
}

/* The quotient of a quotient is the quotient, cut off in the same way, so that
 * dividing 2^960 by 5 again and again gives the leading bits of 5^-q. */
void ngi_powers_init(ngi_powers *powers) {
    uint32_t word[WORDS] = {1};
    for (int q = 0; q <= NGI_POWER_MAX; q++) {
        store_power(powers, q, word);
        multiply_by_5(word);
    }
    memset(word, 0, sizeof word);
    word[RECIPROCAL_BITS / 32] = 1;
    for (int q = -1; q >= NGI_POWER_MIN; q--) {
        divide_by_5(word);
        store_power(powers, q, word);
    }
}

/* ---- Rounding ---- */

enum { EXACT_POWER = 55, SMALL_POWER = 22 };

typedef struct wide {
    uint64_t high, low;
} wide;

static inline wide multiply(uint64_t a, uint64_t b) {
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t p00 = a0 * b0, p10 = a1 * b0, p01 = a0 * b1;
    uint64_t middle = p10 + (p00 >> 32) + (uint32_t)p01;
    wide product = {a1 * b1 + (middle >> 32) + (p01 >> 32),
                    middle << 32 | (uint32_t)p00};
    return product;
}

/* The exponent of w / 2 as a double tells them, but for a w that is rounded up
 * to a power of two, which has one more. */
static inline unsigned leading_zeros(uint64_t w) {
    double half = (double)(int64_t)(w >> 1);
    uint64_t bits;
    memcpy(&bits, &half, sizeof bits);
    unsigned zeros = w == 1 ? 63 : 1023 + 62 - (unsigned)(bits >> 52);
    return zeros + !(w << zeros >> 63);
}

/* Whether the high 64 bits of a product, the rest of which is unknown, may lie
 * on either side of the middle between two doubles, or on it. */
static inline bool near_middle(uint64_t high, unsigned shift) {
    uint64_t half = UINT64_C(1) << (shift - 1);
    uint64_t rest = high & (2 * half - 1);
    return rest == half - 1 || rest == half;
}

/* The integer nearest to (high, ...) 2^-shift; false if the bits do not tell.
 * The true product lies less than one unit of `middle` above the computed one,
 * and not on it unless the power is exact. */
static bool round_exactly(wide part, uint64_t w, uint64_t low_power, bool exact,
                          uint64_t *mantissa) {
    wide more = multiply(w, low_power);
    uint64_t middle = part.low + more.high;
    uint64_t high = part.high + (middle < part.low);
    unsigned shift = high >> 63 ? 11 : 10;
    uint64_t half = UINT64_C(1) << (shift - 1);
    uint64_t rest = high & (2 * half - 1);
    if (!exact && rest == half - 1 && middle == UINT64_MAX)
        return false;
    bool tie = exact && rest == half && !middle && !more.low;
    *mantissa = high >> shift;
    *mantissa += tie ? *mantissa & 1 : rest >= half;
    /* In the scale that the caller has found from part.high. */
    if (shift == 11 && !(part.high >> 63))
        *mantissa *= 2;
    return true;
}

static bool scale_small(uint64_t w, int q, double *number) {
    static const double power[SMALL_POWER + 1] = {
        1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (w > UINT64_C(1) << 53 || q < -SMALL_POWER || q > SMALL_POWER)
        return false;
    *number = q < 0 ? (double)w / power[-q] : (double)w * power[q];
    return true;
}

static bool scale_large(const ngi_powers *powers, uint64_t w, int q,
                        double *number) {
    if (q < NGI_POWER_MIN || q > NGI_POWER_MAX)
        return false;
    size_t i = (size_t)(q - NGI_POWER_MIN);
    unsigned zeros = leading_zeros(w);
    w <<= zeros;
    wide part = multiply(w, powers->high[i]);
    unsigned shift = part.high >> 63 ? 11 : 10;
    uint64_t mantissa;
    if (!near_middle(part.high, shift))
        mantissa = (part.high >> shift) + (part.high >> (shift - 1) & 1);
    else if (!round_exactly(part, w, powers->low[i], q >= 0 && q <= EXACT_POWER,
                            &mantissa))
        return false;
    /* mantissa 2^e; the mantissa may have been rounded up to 2^53. */
    int e = q - (int)zeros + powers->scale[i] + 1 + (int)shift;
    uint64_t carry = mantissa >> 53;
    int biased = e + 52 + 1023 + (int)carry;
    if (biased <= 0 || biased >= 2047)
        return false;
    uint64_t bits = (mantissa >> carry) & ((UINT64_C(1) << 52) - 1);
    bits |= (uint64_t)biased << 52;
    memcpy(number, &bits, sizeof *number);
    return true;
}

/* Zeros at the end only make a number look difficult. */
static bool scale_zeros(uint64_t w, int q, double *number) {
    while (w % 10 == 0) {
        w /= 10;
        q++;
    }
    return scale_small(w, q, number);
}

static inline bool scale(const ngi_powers *powers, uint64_t w, int q,
                         double *number) {
    *number = 0;
    return !w || scale_small(w, q, number) ||
           scale_large(powers, w, q, number) || scale_zeros(w, q, number);
}

/* ---- Text ---- */

/* Written so that it is one load on most machines. */
static inline uint64_t load_eight(const char *text) {
    const unsigned char *t = (const unsigned char *)text;
    return (uint64_t)t[0] | (uint64_t)t[1] << 8 | (uint64_t)t[2] << 16 |
           (uint64_t)t[3] << 24 | (uint64_t)t[4] << 32 | (uint64_t)t[5] << 40 |
           (uint64_t)t[6] << 48 | (uint64_t)t[7] << 56;
}

/* A digit has 3 in its upper half, also after 6 was added. */
static inline bool all_digits(uint64_t eight) {
    const uint64_t upper = UINT64_C(0xf0f0f0f0f0f0f0f0);
    const uint64_t threes = UINT64_C(0x3030303030303030);
    return (eight & upper) == threes &&
           ((eight + UINT64_C(0x0606060606060606)) & upper) == threes;
}

/* Pairs of digits, then pairs of pairs. */
static inline uint64_t value_of_eight(uint64_t eight) {
    eight &= UINT64_C(0x0f0f0f0f0f0f0f0f);
    eight = (10 * eight + (eight >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    eight = (100 * eight + (eight >> 16)) & UINT64_C(0x0000ffff0000ffff);
    return (10000 * eight + (eight >> 32)) & UINT64_C(0xffffffff);
}

static inline const char *read_digits(const char *at, uint64_t *w) {
    uint64_t value = *w, eight = load_eight(at);
    for (; all_digits(eight); eight = load_eight(at += 8))
        value = 100000000 * value + value_of_eight(eight);
    for (unsigned digit; (digit = (unsigned)(*at - '0')) <= 9; at++)
        value = 10 * value + digit;
    *w = value;
    return at;
}

/* Digits from `begin` to `end`, `point` among them or at the end. */
enum { MOST_DIGITS = 19 };

/* The first 19 digits that count, and how many of those before the point were
 * left out; true if one of those was not 0. */
static bool read_leading(const char *begin, const char *point, const char *end,
                         uint64_t *w, int *q) {
    size_t digits = 0;
    bool more = false;
    *w = 0;
    *q = 0;
    for (const char *at = begin; at < end; at++) {
        if (at == point)
            continue;
        if (digits == MOST_DIGITS) {
            more = more || *at != '0';
            *q += at < point;
            continue;
        }
        *w = 10 * *w + (uint64_t)(*at - '0');
        digits += *w != 0;
        *q -= at > point;
    }
    return more;
}

static bool scale_long(const ngi_powers *powers, const char *begin,
                       const char *point, const char *end, int exponent,
                       double *number) {
    uint64_t w;
    int q;
    double above;
    bool more = read_leading(begin, point, end, &w, &q);
    q += exponent;
    if (!scale(powers, w, q, number))
        return false;
    return !more || (scale(powers, w + 1, q, &above) && above == *number);
}

/* What follows 'e'; `at` itself if no digit does. */
static const char *read_exponent(const char *at, int *exponent) {
    const char *begin = at;
    bool negative = *++at == '-';
    at += *at == '-' || *at == '+';
    if ((unsigned)(*at - '0') > 9)
        return begin;
    int value = 0;
    for (unsigned digit; (digit = (unsigned)(*at - '0')) <= 9; at++)
        value = value < 100000 ? 10 * value + (int)digit : value;
    *exponent = negative ? -value : value;
    return at;
}

const char *ngi_decimal_read(const ngi_powers *powers, const char *text,
                             double *number) {
    const char *begin = text + (*text == '-' || *text == '+');
    uint64_t w = 0;
    int exponent = 0;
    const char *point = read_digits(begin, &w), *end = point;
    if (*point == '.')
        end = read_digits(point + 1, &w);
    ptrdiff_t digits = end - begin - (end > point);
    if (digits <= 0 || end - begin > 4096)
        return NULL;
    const char *after = end;
    if (*end == 'e' || *end == 'E')
        after = read_exponent(end, &exponent);
    double magnitude;
    int decimals = end > point ? (int)(end - point - 1) : 0;
    bool known =
        digits <= MOST_DIGITS
            ? scale(powers, w, exponent - decimals, &magnitude)
            : scale_long(powers, begin, point, end, exponent, &magnitude);
    if (!known)
        return NULL;
    *number = *text == '-' ? -magnitude : magnitude;
    return after;
}
