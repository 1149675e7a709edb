/* NPY, NumPy's format for one array (NEP 1): a magic string, a version, the
 * length of the header, and the header, a Python dictionary such as
 * {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }. Read here is
 * that one dictionary, no Python. */
#include "data/array.h"
#include "data/bytes.h"
#include "data/text.h"
#include "natgrad/data.h"

#include <stdio.h>
#include <string.h>

/* Versions 2 and 3 allow 4 GB, of which only structured types have need. */
enum { MAX_HEADER = 1 << 16, ALIGNMENT = 64, PREAMBLE = 8 };

typedef enum key { DESCR, FORTRAN_ORDER, SHAPE, KEYS } key;

static const char *const KEY_NAMES[] = {"descr", "fortran_order", "shape"};

typedef struct parser {
    ng_ctx *ctx;
    const char *source;
    const char *text;
    size_t length, position;
    bool seen[KEYS];
    ngi_array_layout *layout;
} parser;

/* A string literal between its quotes. */
typedef struct literal {
    const char *text;
    size_t length;
} literal;

/* ---- The dictionary ---- */

static ng_status fail_expected(const parser *p, const char *expected) {
    size_t left = p->length - p->position;
    if (!left)
        return ngi_fail(p->ctx, NG_EDATA,
                        "%s: NPY header: expected %s, found its end", p->source,
                        expected);
    return ngi_fail(p->ctx, NG_EDATA,
                    "%s: NPY header: expected %s at byte %zu, found \"%s\"",
                    p->source, expected, p->position + 1,
                    ngi_show(p->text + p->position, left).text);
}

static void skip_blanks(parser *p) {
    while (p->position < p->length &&
           memchr(" \t\r\n", p->text[p->position], 4))
        p->position++;
}

/* The next byte that is not blank, NUL at the end. */
static char peek(parser *p) {
    skip_blanks(p);
    return p->position < p->length ? p->text[p->position] : '\0';
}

static bool accept(parser *p, char c) {
    if (peek(p) != c)
        return false;
    p->position++;
    return true;
}

static bool accept_word(parser *p, const char *word) {
    size_t length = strlen(word);
    skip_blanks(p);
    if (p->length - p->position < length ||
        memcmp(p->text + p->position, word, length) != 0)
        return false;
    p->position += length;
    return true;
}

/* Nothing that matters has an escape in it: a backslash belongs to an unknown
 * key or type. */
static bool accept_literal(parser *p, literal *out) {
    char quote = peek(p);
    if (quote != '\'' && quote != '"')
        return false;
    const char *begin = p->text + p->position + 1;
    size_t left = p->length - p->position - 1;
    const char *end = memchr(begin, quote, left);
    if (!end)
        return false;
    out->text = begin;
    out->length = (size_t)(end - begin);
    p->position += out->length + 2;
    return true;
}

/* An integer, with the L that Python 2 gave it. What overflows stays as large
 * as can be, and is refused as a shape. */
static bool accept_size(parser *p, size_t *out) {
    char c = peek(p);
    if (c < '0' || c > '9')
        return false;
    for (*out = 0; c >= '0' && c <= '9'; p->position++) {
        size_t digit = (size_t)(c - '0');
        *out = *out > (SIZE_MAX - digit) / 10 ? SIZE_MAX : 10 * *out + digit;
        c = p->position + 1 < p->length ? p->text[p->position + 1] : '\0';
    }
    p->position += c == 'L';
    return true;
}

static ng_status read_shape(parser *p) {
    ngi_array_layout *l = p->layout;
    if (!accept(p, '('))
        return fail_expected(p, "a tuple of sizes");
    for (l->dims = 0; !accept(p, ')'); l->dims++) {
        size_t size;
        if (!accept_size(p, &size))
            return fail_expected(p, "a size");
        if (l->dims < NG_ARRAY_MAX_DIMS)
            l->shape[l->dims] = size;
        if (!accept(p, ',') && peek(p) != ')')
            return fail_expected(p, "\",\" or \")\"");
    }
    return NG_OK;
}

/* ---- Types ---- */

static bool little_endian(void) {
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 1;
}

/* What the letter of a type stands for, if we cannot read it. */
static const char *name_type(char letter, size_t size) {
    switch (letter) {
    case 'f':
        return size == 2  ? "float16"
               : size > 8 ? "extended precision"
                          : "unknown";
    case 'c':
        return size == 8 ? "complex64" : size == 16 ? "complex128" : "complex";
    case 'O':
        return "Python objects";
    case 'S':
    case 'a':
        return "byte strings";
    case 'U':
        return "strings";
    case 'M':
    case 'm':
        return "dates or times";
    case 'V':
        return "raw bytes";
    default:
        return "unknown";
    }
}

static bool known_type(char letter, size_t size, ngi_element *element) {
    bool two_to_eight = size == 2 || size == 4 || size == 8;
    element->size = size;
    switch (letter) {
    case 'b':
        element->kind = NGI_BOOL;
        return size == 1;
    case 'u':
        element->kind = NGI_UNSIGNED;
        return size == 1 || two_to_eight;
    case 'i':
        element->kind = NGI_SIGNED;
        return size == 1 || two_to_eight;
    case 'f':
        element->kind = NGI_FLOAT;
        return size == 4 || size == 8;
    default:
        return false;
    }
}

/* A byte order, a letter and a number of bytes, such as <f4. */
static ng_status read_type(parser *p) {
    literal type;
    size_t i = 0, size = 0;
    if (peek(p) == '[')
        return ngi_fail(p->ctx, NG_EDATA,
                        "%s: expected an array of bool, integers, float32 or "
                        "float64, found a structured type",
                        p->source);
    if (!accept_literal(p, &type))
        return fail_expected(p, "a type");
    bool little = little_endian();
    if (type.length && memchr("<>|=", type.text[0], 4)) {
        char order = type.text[i++];
        little = order == '<' || (order != '>' && little);
    }
    char letter = i < type.length ? type.text[i++] : '\0';
    for (; i < type.length && size < 1000; i++) {
        if (type.text[i] < '0' || type.text[i] > '9')
            break;
        size = 10 * size + (size_t)(type.text[i] - '0');
    }
    p->layout->element.big = !little;
    if (i == type.length && known_type(letter, size, &p->layout->element))
        return NG_OK;
    return ngi_fail(p->ctx, NG_EDATA,
                    "%s: expected an array of bool, integers, float32 or "
                    "float64, found type \"%s\" (%s)",
                    p->source, ngi_show(type.text, type.length).text,
                    name_type(letter, size));
}

/* ---- Header ---- */

static ng_status read_key(parser *p, key *out) {
    literal text;
    if (!accept_literal(p, &text))
        return fail_expected(p, "a key");
    int i = 0;
    while (i < KEYS && (strlen(KEY_NAMES[i]) != text.length ||
                        memcmp(KEY_NAMES[i], text.text, text.length) != 0))
        i++;
    if (i == KEYS || p->seen[i])
        return ngi_fail(p->ctx, NG_EDATA,
                        "%s: NPY header: expected each of the keys descr, "
                        "fortran_order and shape once, found %s\"%s\"",
                        p->source, i == KEYS ? "" : "another ",
                        ngi_show(text.text, text.length).text);
    p->seen[i] = true;
    *out = (key)i;
    return accept(p, ':') ? NG_OK : fail_expected(p, "\":\"");
}

static ng_status read_entry(parser *p) {
    key which = KEYS;
    NG_TRY(read_key(p, &which));
    if (which == DESCR)
        return read_type(p);
    if (which == SHAPE)
        return read_shape(p);
    p->layout->fortran = accept_word(p, "True");
    if (p->layout->fortran || accept_word(p, "False"))
        return NG_OK;
    return fail_expected(p, "True or False");
}

static ng_status read_dictionary(parser *p) {
    if (!accept(p, '{'))
        return fail_expected(p, "\"{\"");
    while (!accept(p, '}')) {
        NG_TRY(read_entry(p));
        if (!accept(p, ',') && peek(p) != '}')
            return fail_expected(p, "\",\" or \"}\"");
    }
    skip_blanks(p);
    if (p->position != p->length)
        return fail_expected(p, "blanks only");
    for (int i = 0; i < KEYS; i++) {
        if (!p->seen[i])
            return ngi_fail(p->ctx, NG_EDATA,
                            "%s: NPY header: expected a key \"%s\", found none "
                            "of that name",
                            p->source, KEY_NAMES[i]);
    }
    return NG_OK;
}

/* From the version to the length of the header. */
static ng_status read_preamble(ng_ctx *ctx, ngi_input *input, size_t *length) {
    unsigned char bytes[PREAMBLE], size[4];
    NG_TRY(ngi_array_take(ctx, input, bytes, sizeof bytes));
    unsigned major = bytes[6], minor = bytes[7];
    if (major < 1 || major > 3 || minor != 0)
        return ngi_fail(ctx, NG_EDATA,
                        "%s: expected NPY version 1.0, 2.0 or 3.0, found %u.%u",
                        ngi_input_source(input), major, minor);
    size_t width = major == 1 ? 2 : 4;
    NG_TRY(ngi_array_take(ctx, input, size, width));
    uint64_t asked = ngi_bytes_load(size, width, false);
    if (asked > MAX_HEADER)
        return ngi_fail(ctx, NG_EDATA,
                        "%s: expected an NPY header of at most %d bytes, found "
                        "%llu",
                        ngi_input_source(input), MAX_HEADER,
                        (unsigned long long)asked);
    *length = (size_t)asked;
    return NG_OK;
}

ng_status ngi_npy_read_header(ng_ctx *ctx, ngi_input *input,
                              ngi_array_layout *layout) {
    size_t length = 0;
    NG_TRY(read_preamble(ctx, input, &length));
    char *text = ngi_alloc(ctx, length, 1);
    if (!text)
        return NG_ENOMEM;
    parser p = {.ctx = ctx,
                .source = ngi_input_source(input),
                .text = text,
                .length = length,
                .layout = layout};
    ng_status status = ngi_array_take(ctx, input, text, length);
    if (status == NG_OK)
        status = read_dictionary(&p);
    ngi_free(ctx, text);
    return status;
}

/* ---- Writing ---- */

/* Blanks put the data on a multiple of 64 bytes. */
static void write_header(ng_writer *writer, const ng_array *array) {
    static const char *const descr[] = {
        [NG_U8] = "|u1", [NG_F32] = "<f4", [NG_F64] = "<f8"};
    char text[256];
    unsigned char size[2];
    size_t used = (size_t)snprintf(
        text, sizeof text,
        "{'descr': '%s', 'fortran_order': False, 'shape': %s, }",
        descr[array->dtype], ngi_show_shape(array->dims, array->shape).text);
    size_t total = PREAMBLE + sizeof size + used + 1;
    size_t padding = (ALIGNMENT - total % ALIGNMENT) % ALIGNMENT;
    ngi_bytes_store(used + padding + 1, sizeof size, size);
    ng_writer_bytes(writer, "\x93NUMPY\x01\x00", PREAMBLE);
    ng_writer_bytes(writer, size, sizeof size);
    ng_writer_bytes(writer, text, used);
    ng_writer_print(writer, "%*s\n", (int)padding, "");
}

ng_status ng_array_write_npy(ng_ctx *ctx, const char *path,
                             const ng_array *array) {
    ng_writer *writer;
    if (!array->dims || array->dims > NG_ARRAY_MAX_DIMS)
        return ngi_fail(ctx, NG_EUSAGE,
                        "%s: expected an array of 1 to %d dimensions, found "
                        "%zu",
                        path, NG_ARRAY_MAX_DIMS, array->dims);
    NG_TRY(ng_writer_open(ctx, path, &writer));
    write_header(writer, array);
    ngi_bits_write(writer, array->data, ng_dtype_size(array->dtype),
                   ng_array_rows(array) * ng_array_width(array));
    return ng_writer_commit(&writer);
}
