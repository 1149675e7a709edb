/* Tokens of a formula. */
#include "learner/formula_reader.h"
#include "data/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of a formula once everything is written out, and of a number. */
enum { TEXT_MOST = 1 << 24, NUMBER_MOST = 64 };

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Bytes above ASCII belong to names, whatever letters they are. */
static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool begins_name(const char *text) {
    return is_letter(text[0]) || (text[0] == '.' && !is_digit(text[1]));
}

static size_t name_length(const char *text) {
    size_t length = 0;
    while (is_letter(text[length]) || is_digit(text[length]) ||
           text[length] == '.')
        length++;
    return length;
}

static const char *skip_space(const char *text) {
    return text + strspn(text, " \t\r\n\f\v");
}

static ng_status fail_found(const ngi_reader *reader, const char *expected,
                            const char *relation, const char *after) {
    const ngi_token *token = &reader->token;
    if (token->kind == NGI_TOKEN_END)
        return ngi_fail(reader->ctx, NG_EUSAGE,
                        "formula, character %zu: expected %s%s%s, found the "
                        "end",
                        token->position, expected, relation, after);
    return ngi_fail(reader->ctx, NG_EUSAGE,
                    "formula, character %zu: expected %s%s%s, found \"%s\"",
                    token->position, expected, relation, after,
                    ngi_show(reader->text + token->start, token->length).text);
}

ng_status ngi_reader_fail(const ngi_reader *reader, const char *expected) {
    return fail_found(reader, expected, "", "");
}

ng_status ngi_reader_fail_after(const ngi_reader *reader,
                                const char *expected) {
    const ngi_token *previous = &reader->previous;
    char after[NGI_SHOWN_BYTES + 8];
    if (!previous->length)
        return fail_found(reader, expected, "", "");
    snprintf(after, sizeof after, "\"%s\"",
             ngi_show(reader->text + previous->start, previous->length).text);
    return fail_found(reader, expected, " after ", after);
}

/* ---- Reading -------------------------------------------------------------
 */

static size_t number_length(const char *text) {
    size_t length = strspn(text, "0123456789");
    if (text[length] == '.')
        length += 1 + strspn(text + length + 1, "0123456789");
    if (text[length] == 'e' || text[length] == 'E') {
        size_t sign = text[length + 1] == '-' || text[length + 1] == '+';
        size_t digits = strspn(text + length + 1 + sign, "0123456789");
        if (digits)
            length += 1 + sign + digits;
    }
    return length;
}

static ng_status read_number(ngi_reader *reader, const char *text) {
    char copy[NUMBER_MOST];
    ngi_token *token = &reader->token;
    token->kind = NGI_TOKEN_NUMBER;
    token->length = number_length(text);
    bool good = token->length < sizeof copy;
    if (good) {
        memcpy(copy, text, token->length);
        copy[token->length] = '\0';
        good = ngi_cell_classify(copy, token->length, &token->number) ==
               NGI_CELL_NUMBER;
    }
    return good ? NG_OK : ngi_reader_fail(reader, "a finite number");
}

static ng_status read_quoted(ngi_reader *reader, const char *text) {
    size_t length = 1;
    while (text[length] && text[length] != '`')
        length += text[length] == '\\' && text[length + 1] ? 2 : 1;
    reader->token.kind = NGI_TOKEN_QUOTED;
    reader->token.length = length;
    if (!text[length])
        return ngi_fail(reader->ctx, NG_EUSAGE,
                        "formula, character %zu: expected a second \"`\", "
                        "found the end",
                        reader->token.position);
    reader->token.length = length + 1;
    if (length == 1)
        return ngi_reader_fail(reader, "a name between backticks");
    return NG_OK;
}

static ng_status read_symbol(ngi_reader *reader, const char *text) {
    ngi_token *token = &reader->token;
    token->length = 1;
    token->kind = *text;
    if (text[0] == '*' && text[1] == '*') {
        token->kind = '^';
        token->length = 2;
    } else if (strncmp(text, "%in%", 4) == 0) {
        token->length = 4;
    } else if (!strchr("+-*/^:~(),=", *text)) {
        return ngi_reader_fail(reader, "an operator");
    }
    return NG_OK;
}

static size_t count_characters(const char *text, size_t length) {
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

ng_status ngi_reader_advance(ngi_reader *reader) {
    const ngi_token last = reader->token;
    const char *text = skip_space(reader->text + last.start + last.length);
    size_t start = (size_t)(text - reader->text);
    reader->previous = last;
    reader->token = (ngi_token){
        .start = start,
        .position = last.position + count_characters(reader->text + last.start,
                                                     start - last.start)};
    if (!*text)
        return NG_OK;
    if (begins_name(text)) {
        reader->token.kind = NGI_TOKEN_NAME;
        reader->token.length = name_length(text);
        reader->token.call = *skip_space(text + reader->token.length) == '(';
        return NG_OK;
    }
    if (is_digit(*text) || *text == '.')
        return read_number(reader, text);
    if (*text == '`')
        return read_quoted(reader, text);
    return read_symbol(reader, text);
}

ng_status ngi_reader_init(ngi_reader *reader, ng_ctx *ctx, const char *text) {
    *reader = (ngi_reader){.ctx = ctx, .text = text, .size = strlen(text)};
    if (reader->size > TEXT_MOST)
        return ngi_fail(ctx, NG_EUSAGE,
                        "formula of %zu bytes: expected at most %d",
                        reader->size, TEXT_MOST);
    if (!ngi_utf8_valid(text, reader->size))
        return ngi_fail(ctx, NG_EUSAGE, "formula \"%s\": expected UTF-8",
                        ngi_show(text, reader->size).text);
    reader->token.position = 1;
    return ngi_reader_advance(reader);
}

void ngi_reader_clear(ngi_reader *reader) {
    ngi_free(reader->ctx, reader->canonical);
    ngi_free(reader->ctx, reader->name);
    reader->canonical = reader->name = NULL;
}

bool ngi_reader_is(const ngi_reader *reader, const char *name) {
    const ngi_token *token = &reader->token;
    return token->kind == NGI_TOKEN_NAME && strlen(name) == token->length &&
           memcmp(reader->text + token->start, name, token->length) == 0;
}

ng_status ngi_reader_name(ngi_reader *reader, const char **name) {
    const ngi_token *token = &reader->token;
    const char *text = reader->text + token->start;
    bool quoted = token->kind == NGI_TOKEN_QUOTED;
    void *block = reader->name;
    ng_status status = ngi_reserve(reader->ctx, &block, &reader->name_capacity,
                                   token->length + 1, 1);
    reader->name = block;
    NG_TRY(status);
    size_t used = 0;
    for (size_t i = quoted; i < token->length - quoted; i++) {
        i += quoted && text[i] == '\\';
        reader->name[used++] = text[i];
    }
    reader->name[used] = '\0';
    *name = reader->name;
    return NG_OK;
}

/* ---- Writing -------------------------------------------------------------
 */

static ng_status write_bytes(ngi_reader *reader, const char *text,
                             size_t length) {
    if (length > TEXT_MOST - reader->used)
        return ngi_fail(reader->ctx, NG_EUSAGE,
                        "formula: more than %d bytes once it is written out",
                        TEXT_MOST);
    void *block = reader->canonical;
    ng_status status = ngi_reserve(reader->ctx, &block, &reader->capacity,
                                   reader->used + length + 1, 1);
    reader->canonical = block;
    NG_TRY(status);
    memcpy(reader->canonical + reader->used, text, length);
    reader->used += length;
    reader->canonical[reader->used] = '\0';
    return NG_OK;
}

ng_status ngi_reader_write(ngi_reader *reader, const char *text) {
    return write_bytes(reader, text, strlen(text));
}

ng_status ngi_reader_write_name(ngi_reader *reader, const char *name) {
    size_t length = strlen(name);
    if (begins_name(name) && name_length(name) == length &&
        strcmp(name, ".") != 0)
        return write_bytes(reader, name, length);
    NG_TRY(write_bytes(reader, "`", 1));
    for (size_t i = 0; i < length; i++) {
        if (name[i] == '`' || name[i] == '\\')
            NG_TRY(write_bytes(reader, "\\", 1));
        NG_TRY(write_bytes(reader, name + i, 1));
    }
    return write_bytes(reader, "`", 1);
}

void ngi_number_text(double number, char *out) {
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, NGI_NUMBER_SIZE, "%.*g", digits, number);
        if (strtod(out, NULL) == number)
            return;
    }
}

ng_status ngi_reader_write_number(ngi_reader *reader, double number) {
    char text[NGI_NUMBER_SIZE];
    ngi_number_text(number, text);
    return ngi_reader_write(reader, text);
}

ng_status ngi_reader_take(ngi_reader *reader, const char *as) {
    NG_TRY(ngi_reader_write(reader, as));
    return ngi_reader_advance(reader);
}

ng_status ngi_reader_expect(ngi_reader *reader, char kind, const char *as,
                            const char *expected) {
    if (reader->token.kind != kind)
        return ngi_reader_fail(reader, expected);
    return ngi_reader_take(reader, as);
}
