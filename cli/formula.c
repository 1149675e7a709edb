/* Which columns a formula may speak of, so that no others are read: its names
 * that call nothing. The library judges the formula itself. */
#include "cli.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Bytes above ASCII are letters. */
static bool begins_name(const char *at) {
    return isalpha((unsigned char)*at) || *at == '_' || *at == '.' ||
           (unsigned char)*at >= 0x80;
}

static size_t name_length(const char *at) {
    size_t length = 0;
    while (begins_name(at + length) || isdigit((unsigned char)at[length]))
        length++;
    return length;
}

/* A number may hold a letter, as 1e5 does. */
static size_t number_length(const char *at) {
    char *end;
    strtod(at, &end);
    return end > at ? (size_t)(end - at) : 1;
}

/* Copies the name between backticks, in which a backslash guards the next
 * byte; where the text goes on. */
static const char *copy_quoted(const char *at, char *out) {
    for (at++; *at && *at != '`'; at++) {
        if (*at == '\\' && at[1])
            at++;
        *out++ = *at;
    }
    *out = '\0';
    return *at ? at + 1 : at;
}

static void add(cli_formula *f, const char *name, bool factor) {
    for (size_t i = 0; i < f->names; i++) {
        if (strcmp(f->name[i], name) == 0) {
            f->factor[i] = f->factor[i] || factor;
            return;
        }
    }
    f->factor[f->names] = factor;
    f->name[f->names++] = name;
}

static bool makes_factor(const char *call) {
    return strcmp(call, "C") == 0 || strcmp(call, "factor") == 0;
}

static const char *skip_space(const char *at) {
    return at + strspn(at, " \t\r\n");
}

/* Copies the name at the text's place; where the text goes on, or NULL where
 * there is none. */
static const char *copy_name(const char *at, char *out) {
    if (*at == '`')
        return copy_quoted(at, out);
    if (!begins_name(at) || (*at == '.' && isdigit((unsigned char)at[1])))
        return NULL;
    size_t length = name_length(at);
    memcpy(out, at, length);
    out[length] = '\0';
    return at + length;
}

/* "%in%" holds no name. */
static const char *skip_other(const char *at) {
    const char *end = *at == '%' ? strchr(at + 1, '%') : NULL;
    if (end)
        return end + 1;
    return at +
           (*at == '.' || isdigit((unsigned char)*at) ? number_length(at) : 1);
}

static void scan(cli_formula *f, const char *at) {
    const char *call = "";
    char *out = f->text;
    bool left = true, lone = true;
    for (at = skip_space(at); *at; at = skip_space(at)) {
        const char *after = copy_name(at, out);
        if (!after) {
            left = left && *at != '~';
            lone = lone && !left;
            at = skip_other(at);
            call = "";
            continue;
        }
        at = skip_space(after);
        bool calls = *at == '(';
        lone = lone && !(calls && left);
        if (calls)
            at++;
        else if (strcmp(out, ".") == 0)
            f->all = true;
        else
            add(f, out, makes_factor(call));
        call = calls ? out : "";
        out += strlen(out) + 1;
    }
    f->lone_target = lone && !left && f->names > 0;
}

int cli_formula_names(const char *formula, cli_formula *out) {
    size_t size = formula ? strlen(formula) : 0;
    *out = (cli_formula){.names = 0};
    if (!formula)
        return CLI_DONE;
    /* A name and its end are no longer than the name and what follows it. */
    out->text = malloc(2 * size + 2);
    out->name = calloc(size + 1, sizeof *out->name);
    out->factor = calloc(size + 1, sizeof *out->factor);
    if (!out->text || !out->name || !out->factor)
        return cli_complain(CLI_RESOURCES, "out of memory");
    const char *first = skip_space(formula);
    out->has_left = *first != '~';
    scan(out, formula);
    out->lone_target = out->lone_target && out->has_left;
    return CLI_DONE;
}

void cli_formula_free(cli_formula *formula) {
    free(formula->text);
    free(formula->name);
    free(formula->factor);
}
