/* The text of a formula as tokens, and the canonical text that is written
 * while they are read. */
#ifndef NGI_FORMULA_READER_H
#define NGI_FORMULA_READER_H

#include "base/base.h"

/* A token's kind is the symbol itself, or one of these. "**" is read as "^",
 * "%in%" as '%'. */
enum {
    NGI_TOKEN_END = '\0',
    NGI_TOKEN_NUMBER = '0',
    NGI_TOKEN_NAME = 'n',
    NGI_TOKEN_QUOTED = '`'
};

typedef struct ngi_token {
    char kind;
    bool call;            /* a name before "(" */
    size_t start, length; /* bytes */
    size_t position;      /* characters before it, and one */
    double number;
} ngi_token;

typedef struct ngi_reader {
    ng_ctx *ctx;
    const char *text;
    size_t size;
    ngi_token token, previous; /* previous: of length 0 before the first */
    char *canonical;
    size_t used, capacity;
    char *name; /* scratch of ngi_reader_name */
    size_t name_capacity;
} ngi_reader;

/* The text is borrowed. To be cleared whatever the status. */
ng_status ngi_reader_init(ngi_reader *reader, ng_ctx *ctx, const char *text);
void ngi_reader_clear(ngi_reader *reader);

ng_status ngi_reader_advance(ngi_reader *reader);
/* Writes `as` for the token at hand and goes to the next one. */
ng_status ngi_reader_take(ngi_reader *reader, const char *as);
/* The same, once the token is of that kind; NG_EUSAGE with `expected` else. */
ng_status ngi_reader_expect(ngi_reader *reader, char kind, const char *as,
                            const char *expected);

ng_status ngi_reader_write(ngi_reader *reader, const char *text);
/* Between backticks where it is no plain name. */
ng_status ngi_reader_write_name(ngi_reader *reader, const char *name);
/* In as few digits as give the number back. */
ng_status ngi_reader_write_number(ngi_reader *reader, double number);

/* The name that the token at hand is, without its backticks; valid until the
 * next call. */
ng_status ngi_reader_name(ngi_reader *reader, const char **name);
/* Whether the token at hand is this plain name. */
bool ngi_reader_is(const ngi_reader *reader, const char *name);

/* "formula, character 7: expected EXPECTED, found ..." */
ng_status ngi_reader_fail(const ngi_reader *reader, const char *expected);
/* ... expected EXPECTED after "+", found ..." */
ng_status ngi_reader_fail_after(const ngi_reader *reader, const char *expected);

/* In as few digits as give the number back; the thread must be in the C
 * locale. */
enum { NGI_NUMBER_SIZE = 32 };
void ngi_number_text(double number, char *out);

#endif
