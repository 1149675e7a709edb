#include "data/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Length of the UTF-8 character at `text` (RFC 3629: no overlong forms, no
 * surrogates, nothing above U+10FFFF); 0 if there is none. */
static size_t utf8_length(const unsigned char *text, size_t size) {
    unsigned char lead = text[0];
    if (lead < 0x80)
        return 1;
    size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead < 0xc2 || lead > 0xf4 || length > size)
        return 0;
    unsigned char low = 0x80, high = 0xbf;
    if (lead == 0xe0)
        low = 0xa0;
    else if (lead == 0xed)
        high = 0x9f;
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (text[i] < 0x80 || text[i] > 0xbf)
            return 0;
    return length;
}

bool ngi_utf8_valid(const char *text, size_t length) {
    const unsigned char *bytes = (const unsigned char *)text;
    for (size_t i = 0; i < length;) {
        size_t step = utf8_length(bytes + i, length - i);
        if (!step)
            return false;
        i += step;
    }
    return true;
}

/* ASCII and C1 control characters would disturb a terminal. */
static bool printable(const unsigned char *text, size_t length) {
    if (length == 1)
        return text[0] >= 0x20 && text[0] < 0x7f;
    return length > 1 && !(text[0] == 0xc2 && text[1] < 0xa0);
}

ngi_shown ngi_show(const char *text, size_t length) {
    ngi_shown shown;
    const unsigned char *bytes = (const unsigned char *)text;
    size_t used = 0, i = 0;
    while (i < length) {
        size_t step = utf8_length(bytes + i, length - i);
        bool fit = printable(bytes + i, step);
        if (!fit)
            step = 1;
        if (used + step > NGI_SHOWN_BYTES)
            break;
        if (fit)
            memcpy(shown.text + used, text + i, step);
        else
            shown.text[used] = '?';
        used += step;
        i += step;
    }
    strcpy(shown.text + used, i < length ? "..." : "");
    return shown;
}

ngi_shown ngi_show_string(const char *text) {
    return ngi_show(text, strlen(text));
}

const char *ngi_errno_text(int error, char *text, size_t size) {
    if (strerror_r(error, text, size) != 0)
        snprintf(text, size, "error %d", error);
    return text;
}

static bool equal_ignoring_case(const char *text, size_t length,
                                const char *lower) {
    if (length != strlen(lower))
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (c != lower[i])
            return false;
    }
    return true;
}

/* Digits with at most one point, 15 of them at most: the digits are an exact
 * double, 10^k is too for k <= 22, and so one division rounds correctly
 * (Clinger, PLDI 1990). Most numbers in data files are of this kind. */
static bool short_decimal(const char *text, size_t length, double *number) {
    static const double power[] = {1e0,  1e1,  1e2,  1e3, 1e4,  1e5,
                                   1e6,  1e7,  1e8,  1e9, 1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15};
    size_t i = *text == '-' || *text == '+', point = length, digits = 0;
    uint64_t mantissa = 0;
    if (length - i > 16)
        return false;
    for (; i < length; i++) {
        unsigned digit = (unsigned)(text[i] - '0');
        if (digit <= 9) {
            mantissa = 10 * mantissa + digit;
            digits++;
        } else if (text[i] == '.' && point == length) {
            point = i;
        } else {
            return false;
        }
    }
    if (!digits || digits > 15)
        return false;
    size_t decimals = point == length ? 0 : length - point - 1;
    double magnitude = (double)mantissa / power[decimals];
    *number = *text == '-' ? -magnitude : magnitude;
    return true;
}

ngi_cell ngi_cell_classify(const char *text, size_t length, double *number) {
    while (length && (text[0] == ' ' || text[0] == '\t')) {
        text++;
        length--;
    }
    while (length && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    if (!length || (length == 2 && memcmp(text, "NA", 2) == 0))
        return NGI_CELL_MISSING;
    if (short_decimal(text, length, number))
        return NGI_CELL_NUMBER;
    size_t sign = text[0] == '-' || text[0] == '+';
    const char *rest = text + sign;
    size_t size = length - sign;
    if (equal_ignoring_case(rest, size, "nan"))
        return NGI_CELL_MISSING;
    if (equal_ignoring_case(rest, size, "inf") ||
        equal_ignoring_case(rest, size, "infinity"))
        return NGI_CELL_INFINITE;
    /* strtod would also skip newlines and take "nan(...)". */
    if (!size || (*rest != '.' && (*rest < '0' || *rest > '9')))
        return NGI_CELL_TEXT;
    char *end;
    *number = strtod(text, &end);
    if (end != text + length)
        return NGI_CELL_TEXT;
    return isfinite(*number) ? NGI_CELL_NUMBER : NGI_CELL_INFINITE;
}

ng_status ngi_reserve(ng_ctx *ctx, void **block, size_t *capacity,
                      size_t needed, size_t size) {
    if (needed <= *capacity)
        return NG_OK;
    size_t room = *capacity + *capacity / 2;
    if (room < needed)
        room = needed;
    if (room < 16)
        room = 16;
    void *grown = ngi_resize(ctx, *block, room, size);
    if (!grown)
        return NG_ENOMEM;
    *block = grown;
    *capacity = room;
    return NG_OK;
}

void ngi_strings_init(ngi_strings *strings, ng_ctx *ctx) {
    memset(strings, 0, sizeof *strings);
    strings->ctx = ctx;
}

void ngi_strings_clear(ngi_strings *strings) {
    ngi_free(strings->ctx, strings->text);
    ngi_free(strings->ctx, strings->start);
    ngi_free(strings->ctx, strings->slot);
    ngi_strings_init(strings, strings->ctx);
}

const char *ngi_strings_get(const ngi_strings *strings, size_t index) {
    return strings->text + strings->start[index];
}

/* FNV-1a, its halves folded because the low bits alone mix poorly. */
static size_t hash(const char *text, size_t length) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return (size_t)(h ^ (h >> 32));
}

/* The slot that holds the string, or the free one where it belongs. */
static size_t find_slot(const ngi_strings *s, const char *text, size_t length) {
    size_t mask = s->slots - 1, i = hash(text, length) & mask;
    for (; s->slot[i]; i = (i + 1) & mask) {
        const char *other = ngi_strings_get(s, s->slot[i] - 1);
        if (strncmp(other, text, length) == 0 && !other[length])
            return i;
    }
    return i;
}

static ng_status grow_table(ngi_strings *s) {
    size_t slots = s->slots ? 2 * s->slots : 16;
    size_t *slot = ngi_alloc(s->ctx, slots, sizeof *slot);
    if (!slot)
        return NG_ENOMEM;
    ngi_free(s->ctx, s->slot);
    s->slot = slot;
    s->slots = slots;
    for (size_t i = 0; i < s->count; i++) {
        const char *text = ngi_strings_get(s, i);
        slot[find_slot(s, text, strlen(text))] = i + 1;
    }
    return NG_OK;
}

size_t ngi_strings_find(const ngi_strings *strings, const char *text,
                        size_t length) {
    if (!strings->slots)
        return SIZE_MAX;
    /* An empty slot holds 0, and 0 - 1 is SIZE_MAX. */
    return strings->slot[find_slot(strings, text, length)] - 1;
}

ng_status ngi_strings_intern(ngi_strings *strings, const char *text,
                             size_t length, size_t *index) {
    if (strings->count >= strings->slots / 2)
        NG_TRY(grow_table(strings));
    size_t slot = find_slot(strings, text, length);
    if (strings->slot[slot]) {
        *index = strings->slot[slot] - 1;
        return NG_OK;
    }
    void *block = strings->text;
    ng_status status =
        ngi_reserve(strings->ctx, &block, &strings->text_capacity,
                    strings->text_size + length + 1, 1);
    strings->text = block;
    NG_TRY(status);
    block = strings->start;
    status = ngi_reserve(strings->ctx, &block, &strings->capacity,
                         strings->count + 1, sizeof *strings->start);
    strings->start = block;
    NG_TRY(status);
    *index = strings->count++;
    strings->start[*index] = strings->text_size;
    memcpy(strings->text + strings->text_size, text, length);
    strings->text[strings->text_size + length] = '\0';
    strings->text_size += length + 1;
    strings->slot[slot] = *index + 1;
    return NG_OK;
}
