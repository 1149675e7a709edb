/* Recursive descent over the tokens of a formula. From what binds loosest:
 *     +  -    *  /    %in%    :    unary -    ^
 * which is R's order, of terms as of numbers. */
#include "learner/formula.h"
#include "learner/formula_reader.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Calls, parentheses, signs and powers within each other. Each of them leaves
 * three operands waiting at most: of a sum, a product and a power. */
enum { NESTING_MOST = 100, DEGREE_MOST = 1000, POWER_MOST = 1000000 };

const ngi_function NGI_FUNCTIONS[] = {
    {"log", log}, {"log2", log2},   {"log10", log10}, {"log1p", log1p},
    {"exp", exp}, {"expm1", expm1}, {"sqrt", sqrt},   {"abs", fabs},
    {"sin", sin}, {"cos", cos},     {"tan", tan},     {NULL, NULL},
};

typedef struct parser {
    ngi_reader reader;
    ngi_formula *formula;
    const ngi_formula_dot *dot;
    size_t left_names;
    size_t nesting;
    bool adding; /* 1 brings the intercept, which it does not after "-" */
} parser;

static char kind(const parser *p) {
    return p->reader.token.kind;
}

static bool is_name(const parser *p) {
    return kind(p) == NGI_TOKEN_NAME || kind(p) == NGI_TOKEN_QUOTED;
}

static size_t here(const parser *p) {
    return p->reader.token.position;
}

static ng_status enter(parser *p) {
    if (++p->nesting <= NESTING_MOST)
        return NG_OK;
    return ngi_fail(p->reader.ctx, NG_EUSAGE,
                    "formula, character %zu: expected at most %d expressions "
                    "within each other",
                    here(p), NESTING_MOST);
}

/* ---- What is built -------------------------------------------------------
 */

static ng_status add_instruction(parser *p, ngi_operation operation,
                                 size_t index, double number) {
    ngi_formula *f = p->formula;
    void *block = f->instruction;
    ng_status status = ngi_reserve(f->ctx, &block, &f->instruction_capacity,
                                   f->instructions + 1, sizeof *f->instruction);
    f->instruction = block;
    NG_TRY(status);
    f->instruction[f->instructions++] =
        (ngi_instruction){operation, index, number};
    return NG_OK;
}

static ng_status add_step(parser *p, ngi_step_kind step, size_t value,
                          size_t position) {
    ngi_formula *f = p->formula;
    void *block = f->step;
    ng_status status = ngi_reserve(f->ctx, &block, &f->step_capacity,
                                   f->steps + 1, sizeof *f->step);
    f->step = block;
    NG_TRY(status);
    f->step[f->steps++] = (ngi_step){step, value, position};
    return NG_OK;
}

/* The atom whose canonical text began at `start`, and the step that pushes it.
 * One that was there before stays what it was. */
static ng_status add_atom(parser *p, size_t start, const ngi_atom *atom) {
    ngi_formula *f = p->formula;
    size_t index, before = f->atom_text.count;
    NG_TRY(ngi_strings_intern(&f->atom_text, p->reader.canonical + start,
                              p->reader.used - start, &index));
    if (index == before) {
        void *block = f->atom;
        ng_status status = ngi_reserve(f->ctx, &block, &f->atom_capacity,
                                       index + 1, sizeof *f->atom);
        f->atom = block;
        NG_TRY(status);
        f->atom[index] = *atom;
    } else if (atom->expression.count) {
        f->instructions = atom->expression.first;
    }
    return add_step(p, NGI_STEP_ATOM, index, atom->position);
}

/* The name of a column: written, and interned. */
static ng_status take_name(parser *p, size_t *index) {
    const char *name;
    if (!is_name(p))
        return ngi_reader_fail_after(&p->reader, "the name of a column");
    if (p->reader.token.call)
        return ngi_reader_fail(&p->reader, "the name of a column");
    NG_TRY(ngi_reader_name(&p->reader, &name));
    NG_TRY(ngi_strings_intern(&p->formula->names, name, strlen(name), index));
    NG_TRY(ngi_reader_write_name(&p->reader, name));
    return ngi_reader_advance(&p->reader);
}

/* ---- Arithmetic ----------------------------------------------------------
 */

static ng_status parse_arithmetic(parser *p);

/* Terms only, in the middle of numbers. */
static bool is_special(const parser *p) {
    return p->reader.token.call && (ngi_reader_is(&p->reader, "poly") ||
                                    ngi_reader_is(&p->reader, "C") ||
                                    ngi_reader_is(&p->reader, "factor") ||
                                    ngi_reader_is(&p->reader, "offset") ||
                                    ngi_reader_is(&p->reader, "cbind"));
}

static ng_status fail_function(const parser *p) {
    char expected[256] = "one of the functions I, poly, C, factor, offset";
    size_t used = strlen(expected);
    for (const ngi_function *f = NGI_FUNCTIONS; f->name; f++)
        used += (size_t)snprintf(expected + used, sizeof expected - used,
                                 ", %s", f->name);
    return ngi_reader_fail(&p->reader, expected);
}

/* I(x) is x. */
static ng_status parse_call(parser *p) {
    size_t function = 0;
    bool identity = ngi_reader_is(&p->reader, "I");
    if (is_special(p))
        return ngi_reader_fail(&p->reader, "numbers");
    while (NGI_FUNCTIONS[function].name &&
           !ngi_reader_is(&p->reader, NGI_FUNCTIONS[function].name))
        function++;
    if (!identity && !NGI_FUNCTIONS[function].name)
        return fail_function(p);
    NG_TRY(ngi_reader_take(&p->reader,
                           identity ? "I" : NGI_FUNCTIONS[function].name));
    NG_TRY(ngi_reader_take(&p->reader, "("));
    NG_TRY(parse_arithmetic(p));
    NG_TRY(ngi_reader_expect(&p->reader, ')', ")", "an operator or \")\""));
    return identity ? NG_OK
                    : add_instruction(p, NGI_OPERATION_CALL, function, 0);
}

static ng_status parse_number(parser *p) {
    double number = p->reader.token.number;
    NG_TRY(add_instruction(p, NGI_OPERATION_NUMBER, 0, number));
    NG_TRY(ngi_reader_write_number(&p->reader, number));
    return ngi_reader_advance(&p->reader);
}

static ng_status parse_column(parser *p) {
    size_t name;
    NG_TRY(take_name(p, &name));
    return add_instruction(p, NGI_OPERATION_COLUMN, name, 0);
}

static ng_status parse_operand(parser *p) {
    if (kind(p) == NGI_TOKEN_NUMBER)
        return parse_number(p);
    if (ngi_reader_is(&p->reader, "."))
        return ngi_reader_fail(&p->reader, "a column, a number or \"(\"");
    if (p->reader.token.call)
        return parse_call(p);
    if (is_name(p))
        return parse_column(p);
    if (kind(p) != '(')
        return ngi_reader_fail_after(&p->reader, "a column, a number or \"(\"");
    NG_TRY(ngi_reader_take(&p->reader, "("));
    NG_TRY(parse_arithmetic(p));
    return ngi_reader_expect(&p->reader, ')', ")", "an operator or \")\"");
}

/* A sign binds what follows to it with its powers, -x^2 being -(x^2), and
 * stands in an exponent: 2^-1. */
static ng_status parse_signed(parser *p) {
    NG_TRY(enter(p));
    if (kind(p) == '-') {
        NG_TRY(ngi_reader_take(&p->reader, "-"));
        NG_TRY(parse_signed(p));
        NG_TRY(add_instruction(p, NGI_OPERATION_NEGATE, 0, 0));
    } else if (kind(p) == '+') {
        NG_TRY(ngi_reader_take(&p->reader, "+"));
        NG_TRY(parse_signed(p));
    } else {
        NG_TRY(parse_operand(p));
        if (kind(p) == '^') {
            NG_TRY(ngi_reader_take(&p->reader, "^"));
            NG_TRY(parse_signed(p));
            NG_TRY(add_instruction(p, NGI_OPERATION_POWER, 0, 0));
        }
    }
    p->nesting--;
    return NG_OK;
}

static ng_status parse_scaled(parser *p) {
    NG_TRY(parse_signed(p));
    while (kind(p) == '*' || kind(p) == '/') {
        bool times = kind(p) == '*';
        NG_TRY(ngi_reader_take(&p->reader, times ? " * " : "/"));
        NG_TRY(parse_signed(p));
        NG_TRY(add_instruction(
            p, times ? NGI_OPERATION_MULTIPLY : NGI_OPERATION_DIVIDE, 0, 0));
    }
    return NG_OK;
}

static ng_status parse_arithmetic(parser *p) {
    NG_TRY(parse_scaled(p));
    while (kind(p) == '+' || kind(p) == '-') {
        bool plus = kind(p) == '+';
        NG_TRY(ngi_reader_take(&p->reader, plus ? " + " : " - "));
        NG_TRY(parse_scaled(p));
        NG_TRY(add_instruction(
            p, plus ? NGI_OPERATION_ADD : NGI_OPERATION_SUBTRACT, 0, 0));
    }
    return NG_OK;
}

static ng_status parse_expression(parser *p, ngi_expression *out) {
    size_t first = p->formula->instructions;
    NG_TRY(parse_arithmetic(p));
    *out = (ngi_expression){first, p->formula->instructions - first};
    return NG_OK;
}

/* ---- Terms ---------------------------------------------------------------
 */

static ng_status parse_terms(parser *p);

static ng_status take_opening(parser *p, const char *function) {
    NG_TRY(ngi_reader_take(&p->reader, function));
    return ngi_reader_take(&p->reader, "(");
}

static ng_status parse_coded(parser *p, ngi_atom *atom) {
    bool short_name = ngi_reader_is(&p->reader, "C");
    atom->kind = NGI_ATOM_CODED;
    NG_TRY(take_opening(p, short_name ? "C" : "factor"));
    NG_TRY(take_name(p, &atom->name));
    return ngi_reader_expect(&p->reader, ')', ")", "\")\"");
}

static ng_status parse_offset(parser *p, ngi_atom *atom) {
    atom->kind = NGI_ATOM_OFFSET;
    NG_TRY(take_opening(p, "offset"));
    NG_TRY(parse_expression(p, &atom->expression));
    return ngi_reader_expect(&p->reader, ')', ")", "an operator or \")\"");
}

static ng_status parse_degree(parser *p, ngi_atom *atom) {
    double degree = p->reader.token.number;
    if (kind(p) != NGI_TOKEN_NUMBER || degree != floor(degree) || degree < 1 ||
        degree > DEGREE_MOST)
        return ngi_reader_fail(&p->reader, "a degree from 1 to 1000");
    atom->degree = (size_t)degree;
    NG_TRY(ngi_reader_write_number(&p->reader, degree));
    return ngi_reader_advance(&p->reader);
}

static ng_status parse_raw(parser *p) {
    const char *expected =
        "\", raw = TRUE\" (orthogonal polynomials are not offered)";
    if (!ngi_reader_is(&p->reader, "raw"))
        return ngi_reader_fail(&p->reader, expected);
    NG_TRY(ngi_reader_take(&p->reader, "raw"));
    NG_TRY(ngi_reader_expect(&p->reader, '=', " = ", "\"=\""));
    if (!ngi_reader_is(&p->reader, "TRUE") && !ngi_reader_is(&p->reader, "T"))
        return ngi_reader_fail(&p->reader, "TRUE");
    NG_TRY(ngi_reader_take(&p->reader, "TRUE"));
    return NG_OK;
}

/* poly(e, k, raw = TRUE), or degree = k. */
static ng_status parse_poly(parser *p, ngi_atom *atom) {
    const char *comma = "\", raw = TRUE\" (orthogonal polynomials are not "
                        "offered)";
    atom->kind = NGI_ATOM_POLY;
    NG_TRY(take_opening(p, "poly"));
    NG_TRY(parse_expression(p, &atom->expression));
    NG_TRY(ngi_reader_expect(&p->reader, ',', ", ", "\",\" and a degree"));
    if (ngi_reader_is(&p->reader, "degree")) {
        NG_TRY(ngi_reader_take(&p->reader, "degree"));
        NG_TRY(ngi_reader_expect(&p->reader, '=', " = ", "\"=\""));
    }
    NG_TRY(parse_degree(p, atom));
    NG_TRY(ngi_reader_expect(&p->reader, ',', ", ", comma));
    NG_TRY(parse_raw(p));
    return ngi_reader_expect(&p->reader, ')', ")", "\")\"");
}

static ng_status parse_atom(parser *p) {
    ngi_atom atom = {.position = here(p)};
    size_t start = p->reader.used;
    bool call = p->reader.token.call;
    if (!call)
        NG_TRY(take_name(p, &atom.name));
    else if (ngi_reader_is(&p->reader, "C") ||
             ngi_reader_is(&p->reader, "factor"))
        NG_TRY(parse_coded(p, &atom));
    else if (ngi_reader_is(&p->reader, "offset"))
        NG_TRY(parse_offset(p, &atom));
    else if (ngi_reader_is(&p->reader, "poly"))
        NG_TRY(parse_poly(p, &atom));
    else {
        atom.kind = NGI_ATOM_COMPUTED;
        atom.expression.first = p->formula->instructions;
        NG_TRY(parse_call(p));
        atom.expression.count =
            p->formula->instructions - atom.expression.first;
    }
    return add_atom(p, start, &atom);
}

static ng_status write_dot_name(parser *p, const char *name, size_t count,
                                size_t position) {
    ngi_atom atom = {.position = position};
    NG_TRY(ngi_name_check(p->reader.ctx, name));
    if (count)
        NG_TRY(ngi_reader_write(&p->reader, " + "));
    size_t start = p->reader.used;
    NG_TRY(ngi_reader_write_name(&p->reader, name));
    NG_TRY(
        ngi_strings_intern(&p->formula->names, name, strlen(name), &atom.name));
    return add_atom(p, start, &atom);
}

/* Written out, and between parentheses unless only sums are around it. */
static ng_status parse_dot(parser *p) {
    size_t position = here(p), count = 0;
    char before = p->reader.previous.kind;
    if (!p->dot->known)
        return ngi_reader_fail(&p->reader, "the names of columns");
    NG_TRY(ngi_reader_advance(&p->reader));
    /* A plus before it may be a sign: "f:g/+.". */
    bool bare = (before == '~' || before == '(') &&
                (kind(p) == '+' || kind(p) == '-' || kind(p) == ')' ||
                 kind(p) == NGI_TOKEN_END);
    if (!bare)
        NG_TRY(ngi_reader_write(&p->reader, "("));
    for (size_t i = 0; i < p->dot->count; i++) {
        const char *name = p->dot->name[i];
        size_t known = ngi_strings_find(&p->formula->names, name, strlen(name));
        if (known < p->left_names)
            continue;
        NG_TRY(write_dot_name(p, name, count++, position));
    }
    if (!count)
        return ngi_fail(p->reader.ctx, NG_EDATA,
                        "formula, character %zu: \".\" stands for no column: "
                        "none is left",
                        position);
    NG_TRY(add_step(p, NGI_STEP_SUM, count, position));
    return bare ? NG_OK : ngi_reader_write(&p->reader, ")");
}

/* 1 is the intercept and 0 is none, wherever they stand. */
static ng_status parse_intercept(parser *p) {
    double number = p->reader.token.number;
    if (number != 0 && number != 1)
        return ngi_reader_fail(&p->reader, "a term, 0 or 1");
    p->formula->intercept = (number == 1) == p->adding;
    NG_TRY(ngi_reader_take(&p->reader, number == 1 ? "1" : "0"));
    return add_step(p, NGI_STEP_NOTHING, 0, here(p));
}

static ng_status parse_primary(parser *p) {
    if (kind(p) == NGI_TOKEN_NUMBER)
        return parse_intercept(p);
    if (ngi_reader_is(&p->reader, ".") && !p->reader.token.call)
        return parse_dot(p);
    if (is_name(p))
        return parse_atom(p);
    if (kind(p) != '(')
        return ngi_reader_fail_after(&p->reader, "a term");
    NG_TRY(ngi_reader_take(&p->reader, "("));
    NG_TRY(enter(p));
    NG_TRY(parse_terms(p));
    p->nesting--;
    return ngi_reader_expect(&p->reader, ')', ")", "an operator or \")\"");
}

static ng_status parse_power(parser *p) {
    NG_TRY(parse_primary(p));
    if (kind(p) != '^')
        return NG_OK;
    size_t position = here(p);
    NG_TRY(ngi_reader_take(&p->reader, "^"));
    double power = p->reader.token.number;
    if (kind(p) != NGI_TOKEN_NUMBER || power != floor(power) || power < 1 ||
        power > POWER_MOST)
        return ngi_reader_fail_after(&p->reader, "a whole number from 1");
    NG_TRY(ngi_reader_write_number(&p->reader, power));
    NG_TRY(ngi_reader_advance(&p->reader));
    return add_step(p, NGI_STEP_POWER, (size_t)power, position);
}

static ng_status parse_negated(parser *p) {
    bool minus = kind(p) == '-';
    if (!minus && kind(p) != '+')
        return parse_power(p);
    size_t position = here(p);
    NG_TRY(enter(p));
    NG_TRY(ngi_reader_take(&p->reader, minus ? "-" : "+"));
    p->adding ^= minus;
    NG_TRY(parse_negated(p));
    p->adding ^= minus;
    p->nesting--;
    return minus ? add_step(p, NGI_STEP_DROP, 0, position) : NG_OK;
}

/* The two-place operators but + and -, each to the left. */
typedef struct binary {
    char token;
    const char *text;
    ngi_step_kind step;
    int level;
} binary;

static const binary BINARY[] = {
    {'*', " * ", NGI_STEP_CROSS, 0},
    {'/', "/", NGI_STEP_NEST, 0},
    {'%', " %in% ", NGI_STEP_WITHIN, 1},
    {':', ":", NGI_STEP_INTERACT, 2},
};
enum { BINARIES = sizeof BINARY / sizeof *BINARY, TIGHTEST = 2 };

static const binary *find_binary(const parser *p, int level) {
    for (size_t i = 0; i < BINARIES; i++)
        if (BINARY[i].token == kind(p) && BINARY[i].level == level)
            return &BINARY[i];
    return NULL;
}

static ng_status parse_joined(parser *p, int level) {
    if (level > TIGHTEST)
        return parse_negated(p);
    NG_TRY(parse_joined(p, level + 1));
    for (const binary *b; (b = find_binary(p, level));) {
        size_t position = here(p);
        NG_TRY(ngi_reader_take(&p->reader, b->text));
        NG_TRY(parse_joined(p, level + 1));
        NG_TRY(add_step(p, b->step, 0, position));
    }
    return NG_OK;
}

/* One step for the whole sum, so that long ones take time in proportion. */
static ng_status parse_terms(parser *p) {
    size_t operands = 1, position = here(p);
    NG_TRY(parse_joined(p, 0));
    while (kind(p) == '+' || kind(p) == '-') {
        bool minus = kind(p) == '-';
        NG_TRY(ngi_reader_take(&p->reader, minus ? " - " : " + "));
        p->adding ^= minus;
        NG_TRY(parse_joined(p, 0));
        p->adding ^= minus;
        if (minus)
            NG_TRY(add_step(p, NGI_STEP_MINUS, 0, position));
        operands++;
    }
    return operands == 1 ? NG_OK
                         : add_step(p, NGI_STEP_SUM, operands, position);
}

/* ---- The whole -----------------------------------------------------------
 */

/* A column alone is itself, whatever parentheses are around it. */
static ng_status parse_left_number(parser *p, ngi_atom *atom) {
    ngi_formula *f = p->formula;
    atom->kind = NGI_ATOM_COMPUTED;
    atom->position = here(p);
    NG_TRY(parse_expression(p, &atom->expression));
    const ngi_instruction *first = &f->instruction[atom->expression.first];
    if (f->response == NGI_RESPONSE_COUNTS)
        return NG_OK;
    f->response = NGI_RESPONSE_EXPRESSION;
    if (atom->expression.count == 1 &&
        first->operation == NGI_OPERATION_COLUMN) {
        f->response = NGI_RESPONSE_COLUMN;
        atom->kind = NGI_ATOM_COLUMN;
        atom->name = first->index;
        f->instructions = atom->expression.first;
        atom->expression = (ngi_expression){0, 0};
    }
    return NG_OK;
}

static ng_status parse_left(parser *p) {
    ngi_formula *f = p->formula;
    bool call = p->reader.token.call;
    f->lefts = 1;
    if (call && (ngi_reader_is(&p->reader, "C") ||
                 ngi_reader_is(&p->reader, "factor"))) {
        f->response = NGI_RESPONSE_COLUMN;
        f->left[0].position = here(p);
        return parse_coded(p, &f->left[0]);
    }
    if (!call || !ngi_reader_is(&p->reader, "cbind"))
        return parse_left_number(p, &f->left[0]);
    f->response = NGI_RESPONSE_COUNTS;
    f->lefts = 2;
    NG_TRY(take_opening(p, "cbind"));
    NG_TRY(parse_left_number(p, &f->left[0]));
    NG_TRY(ngi_reader_expect(&p->reader, ',', ", ", "\",\" and the failures"));
    NG_TRY(parse_left_number(p, &f->left[1]));
    return ngi_reader_expect(&p->reader, ')', ")", "an operator or \")\"");
}

static ng_status parse_formula(parser *p) {
    ngi_formula *f = p->formula;
    if (kind(p) != '~')
        NG_TRY(parse_left(p));
    f->left_length = p->reader.used;
    p->left_names = f->names.count;
    NG_TRY(ngi_reader_expect(&p->reader, '~', f->lefts ? " ~ " : "~ ",
                             f->lefts ? "an operator or \"~\"" : "\"~\""));
    NG_TRY(parse_terms(p));
    if (kind(p) != NGI_TOKEN_END)
        return ngi_reader_fail(&p->reader, "an operator");
    f->text = p->reader.canonical;
    p->reader.canonical = NULL;
    return NG_OK;
}

void ngi_formula_clear(ngi_formula *formula) {
    ngi_free(formula->ctx, formula->text);
    ngi_free(formula->ctx, formula->instruction);
    ngi_free(formula->ctx, formula->atom);
    ngi_free(formula->ctx, formula->step);
    ngi_strings_clear(&formula->names);
    ngi_strings_clear(&formula->atom_text);
    *formula = (ngi_formula){.ctx = formula->ctx};
    ngi_strings_init(&formula->names, formula->ctx);
    ngi_strings_init(&formula->atom_text, formula->ctx);
}

ng_status ngi_formula_parse(ng_ctx *ctx, const char *text,
                            const ngi_formula_dot *dot, ngi_formula *out) {
    parser p = {.formula = out, .dot = dot, .adding = true};
    *out = (ngi_formula){.ctx = ctx, .intercept = true};
    ngi_strings_init(&out->names, ctx);
    ngi_strings_init(&out->atom_text, ctx);
    locale_t standard = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!standard)
        return ngi_fail_memory(ctx);
    locale_t users = uselocale(standard);
    ng_status status = ngi_reader_init(&p.reader, ctx, text);
    if (status == NG_OK)
        status = parse_formula(&p);
    ngi_reader_clear(&p.reader);
    uselocale(users);
    freelocale(standard);
    if (status != NG_OK)
        ngi_formula_clear(out);
    return status;
}
