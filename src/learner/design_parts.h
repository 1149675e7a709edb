/* The inside of a design. */
#ifndef NGI_DESIGN_PARTS_H
#define NGI_DESIGN_PARTS_H

#include "learner/terms.h"

/* An atom that the design uses: where its values come from, and its place in
 * the scratch of a block. */
typedef struct ngi_source {
    ngi_atom_kind kind;
    size_t variable; /* of a column, SIZE_MAX where computed */
    ngi_expression expression;
    size_t degree; /* values in a row; 0 for a factor */
    size_t slot;
} ngi_source;

/* An atom within a term. */
typedef struct ngi_piece {
    size_t source;
    bool full;     /* indicators of all levels, not of all but the first */
    size_t width;  /* columns that it makes by itself */
    size_t stride; /* columns of the term from one of these to the next */
} ngi_piece;

typedef struct ngi_design_term {
    size_t first, pieces;
    size_t column, width;
    size_t slot;  /* of the first column; SIZE_MAX for what lies elsewhere */
    bool factors; /* any of the pieces is one */
} ngi_design_term;

/* Levels that all look like numbers: these, ascending, and which they are. */
typedef struct ngi_level_numbers {
    size_t count; /* 0 where they do not */
    double *value;
    size_t *level;
} ngi_level_numbers;

struct ngi_design_terms {
    ngi_formula formula; /* its instructions speak of variables */
    size_t sources;
    ngi_source *source; /* of each atom of the formula */
    size_t inner;
    size_t *inner_source; /* those that a block computes, for X */
    size_t pieces;
    ngi_piece *piece;
    size_t terms;
    ngi_design_term *term;
    size_t offsets;
    size_t *offset; /* sources */
    ngi_source left[2];
    bool *is_input;             /* of each variable */
    ngi_level_numbers *numbers; /* of each variable */
    size_t slots;               /* columns of scratch in all, of which behind
                                   `shared` lie those that every call uses */
    size_t shared;
};

/* The scratch of a block: a slot is a column of it. Behind `shared` come that
 * of products, that of level codes, and the stack of arithmetic. */
enum { NGI_SLOT_PRODUCT, NGI_SLOT_CODE, NGI_SLOT_STACK };

/* How a binding reads a variable. */
typedef enum ngi_reading {
    NGI_READING_NONE,   /* not needed */
    NGI_READING_DIRECT, /* the table's numbers, or level indices */
    NGI_READING_MAP,    /* its level indices are not the design's */
    NGI_READING_NUMBERS /* its numbers are the design's levels */
} ngi_reading;

/* Finds the terms' pieces, columns, their names and the scratch; `list` is
 * what the formula came to. */
ng_status ngi_design_lay_out(ngi_design *design, const ngi_term_list *list);

/* The distinct values of a numeric column, ascending, as text: one pass. */
ng_status ngi_levels_of_numbers(const ngi_table *table, size_t column,
                                ngi_levels *out);
/* NG_EDATA where two of the levels have one name. */
ng_status ngi_levels_expect_distinct(ng_ctx *ctx, const ngi_variable *variable);
/* Freed by the owner, whatever the status. */
ng_status ngi_level_numbers_create(ng_ctx *ctx, const ngi_levels *levels,
                                   ngi_level_numbers *out);
/* Index of the level that a number is; `count` if it is none. */
size_t ngi_level_of_number(const ngi_level_numbers *numbers, double value);

/* Names of the table's columns, so that many are found quickly. */
typedef struct ngi_column_index {
    ngi_strings names;
    size_t *column; /* of each name, the first that has it */
} ngi_column_index;

ng_status ngi_column_index_create(const ngi_table *table,
                                  ngi_column_index *out);
void ngi_column_index_clear(ngi_column_index *index);
/* SIZE_MAX and NG_EDATA if there is none. */
ng_status ngi_column_index_find(const ngi_column_index *index,
                                const ngi_table *table, const char *name,
                                size_t *column);

#endif
