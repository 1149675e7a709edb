/* What a formula says, read in R's language of models (Wilkinson & Rogers
 * 1973; Chambers & Hastie 1992). Nothing here knows the data: names are names,
 * and which of them are factors is found out later. */
#ifndef NGI_FORMULA_H
#define NGI_FORMULA_H

#include "data/text.h"
#include "learner/design.h"

/* Arithmetic is a program for a stack machine, so that no expression, however
 * it is nested, makes anyone recurse over it. */
typedef enum ngi_operation {
    NGI_OPERATION_NUMBER, /* push `number` */
    NGI_OPERATION_COLUMN, /* push column `index` */
    NGI_OPERATION_NEGATE,
    NGI_OPERATION_ADD,
    NGI_OPERATION_SUBTRACT,
    NGI_OPERATION_MULTIPLY,
    NGI_OPERATION_DIVIDE,
    NGI_OPERATION_POWER,
    NGI_OPERATION_CALL /* function `index` of NGI_FUNCTIONS */
} ngi_operation;

typedef struct ngi_instruction {
    ngi_operation operation;
    size_t index;
    double number;
} ngi_instruction;

/* A run of the formula's instructions. */
struct ngi_expression {
    size_t first, count;
};

/* No expression needs a deeper stack. */
enum { NGI_STACK_MOST = 320 };

typedef struct ngi_function {
    const char *name;
    double (*value)(double x);
} ngi_function;

extern const ngi_function NGI_FUNCTIONS[]; /* ends with a NULL name */

/* What terms are made of. */
typedef enum ngi_atom_kind {
    NGI_ATOM_COLUMN, /* a column as it is, of numbers or levels */
    NGI_ATOM_CODED,  /* C(column), factor(column) */
    NGI_ATOM_COMPUTED,
    NGI_ATOM_POLY, /* powers 1, ..., degree */
    NGI_ATOM_OFFSET
} ngi_atom_kind;

typedef struct ngi_atom {
    ngi_atom_kind kind;
    size_t name; /* of the column, or coded */
    ngi_expression expression;
    size_t degree;
    size_t position; /* character */
} ngi_atom;

/* The right side, in postfix order over a stack of lists of terms. */
typedef enum ngi_step_kind {
    NGI_STEP_ATOM,     /* push a list of atom `value` */
    NGI_STEP_NOTHING,  /* push the empty list (0 and 1 stand for no term) */
    NGI_STEP_MINUS,    /* the last list is to be taken away by the sum */
    NGI_STEP_DROP,     /* a list that nothing precedes is taken away */
    NGI_STEP_SUM,      /* of `value` lists */
    NGI_STEP_INTERACT, /* a:b */
    NGI_STEP_CROSS,    /* a * b */
    NGI_STEP_NEST,     /* a / b */
    NGI_STEP_WITHIN,   /* a %in% b */
    NGI_STEP_POWER     /* ^ value */
} ngi_step_kind;

typedef struct ngi_step {
    ngi_step_kind kind;
    size_t value;
    size_t position; /* character of the operator */
} ngi_step;

typedef struct ngi_formula {
    ng_ctx *ctx;
    char *text;        /* canonical, without "." */
    ngi_strings names; /* of columns, in order of appearance */
    ngi_instruction *instruction;
    size_t instructions, instruction_capacity;
    ngi_strings atom_text; /* canonical, one of each atom */
    ngi_atom *atom;
    size_t atom_capacity;
    ngi_step *step;
    size_t steps, step_capacity;
    bool intercept;
    ngi_response response;
    ngi_atom left[2]; /* cbind() has two */
    size_t lefts;
    size_t left_length; /* bytes of `text` that are the left side */
} ngi_formula;

/* What "." stands for: these columns, less those of the left side. */
typedef struct ngi_formula_dot {
    bool known;
    size_t count;
    const char *const *name;
} ngi_formula_dot;

/* NG_EUSAGE tells what was expected, and at which character. */
ng_status ngi_formula_parse(ng_ctx *ctx, const char *text,
                            const ngi_formula_dot *dot, ngi_formula *out);
void ngi_formula_clear(ngi_formula *formula);

#endif
