/* Decimal numbers to doubles, correctly rounded, without strtod. */
#ifndef NGI_DECIMAL_H
#define NGI_DECIMAL_H

#include "base/base.h"

enum { NGI_POWER_MIN = -342, NGI_POWER_MAX = 308 };
enum { NGI_POWERS = NGI_POWER_MAX - NGI_POWER_MIN + 1 };

/* 5^q from its highest bit on, cut after 128 bits: (high, low) 2^(scale - 127).
 * Exact for 0 <= q <= 55. */
typedef struct ngi_powers {
    uint64_t high[NGI_POWERS], low[NGI_POWERS];
    int16_t scale[NGI_POWERS];
} ngi_powers;

void ngi_powers_init(ngi_powers *powers);

/* Reads a number of the form [+-]digits[.digits][e[+-]digits] and returns where
 * it ends. NULL where the text begins with no such number, and for the few
 * numbers that are left to strtod: those beyond the normal doubles, and those
 * so close to the middle between two doubles that 128 bits do not tell. At
 * least eight bytes after the number must be readable. */
const char *ngi_decimal_read(const ngi_powers *powers, const char *text,
                             double *number);

#endif
