/* The design of a linear predictor: from a formula, or a list of columns, to
 * the columns of X, block by block of rows. R's meaning: treatment contrasts,
 * full indicators where a factor's lower-order term is absent. */
#ifndef NGI_DESIGN_H
#define NGI_DESIGN_H

#include "data/table.h"
#include "learner/levels.h"

enum { NGI_NAME_SIZE = 512 }; /* longest term that is kept whole */

/* A column of the table that the formula speaks of. */
typedef struct ngi_variable {
    char *column;
    ngi_levels levels; /* in the order used, the reference first; none for a
                          number */
} ngi_variable;

/* What is modelled. */
typedef enum ngi_response {
    NGI_RESPONSE_NONE,   /* a formula without a left side */
    NGI_RESPONSE_COLUMN, /* a column as it is, perhaps a factor */
    NGI_RESPONSE_EXPRESSION /* a number computed: log(y) */,
    NGI_RESPONSE_COUNTS /* cbind(successes, failures) */
} ngi_response;

typedef struct ngi_reference {
    const char *column, *level;
} ngi_reference;

typedef struct ngi_design_spec {
    const char *formula;         /* "y ~ a + b:c - 1"; NULL: take `features` */
    const char *const *features; /* NULL: every column not in `reserved` */
    size_t feature_count;
    int intercept; /* beside `features` */
    /* Columns that "." and the absence of features leave out. */
    const char *const *reserved;
    size_t reserved_count;
    const ngi_reference *reference;
    size_t references;
    const char *const *order; /* the target's levels; NULL: as the table's */
    size_t ordered;
} ngi_design_spec;

typedef struct ngi_expression ngi_expression; /* private to the formula */

typedef struct ngi_design {
    ng_ctx *ctx;
    char *formula; /* canonical text; "." and `features` written out, odd names
                      between backticks */
    size_t variables;
    ngi_variable *variable;
    ngi_response response;
    char *target;   /* text of the left side; of a column its plain name */
    bool intercept; /* column 0 is all ones */
    bool has_offset;
    size_t width; /* columns of X */
    char **name;  /* of each: "(Intercept)", "a", "b[x]:log(d)" */
    size_t *term; /* of each: its term, 0 for the intercept, for the
                     analysis of deviance */
    struct ngi_design_terms *terms; /* private to design.c */
} ngi_design;

/* Reads the formula against the table's columns. NG_EUSAGE for a formula that
 * cannot be read: what was expected, and where (character). NG_EDATA for a
 * column that is missing, a factor of one level, a factor where a number is
 * needed, a reference that is no level. */
ng_status ngi_design_create(ng_ctx *ctx, const ngi_table *table,
                            const ngi_design_spec *spec, ngi_design **out);
/* From what was saved: the canonical formula and the variables (copied). */
ng_status ngi_design_restore(ng_ctx *ctx, const char *formula,
                             const ngi_variable *variables, size_t count,
                             ngi_design **out);
void ngi_design_destroy(ngi_design **design);

/* Leaves the column of ones out: the intercept counted for the coding of
 * factors, and something else takes its place (an ordinal's thresholds). */
void ngi_design_hide_intercept(ngi_design *design);

/* Whether variable v is needed for X and the offset, or for the left side
 * alone. */
bool ngi_design_is_input(const ngi_design *design, size_t v);

/* Where a table has the variables. */
typedef struct ngi_design_binding {
    ng_ctx *ctx;
    const ngi_design *design;
    size_t *column; /* of each variable; SIZE_MAX where not needed */
    double **map;   /* of each factor: own level index to the design's */
    unsigned char *reading; /* of each variable: private to the design */
} ngi_design_binding;

/* NG_EDATA names a missing column, a wrong kind, or an unseen level and its
 * row. Without the target, the left side's variables may be absent. */
ng_status ngi_design_bind(const ngi_design *design, const ngi_table *table,
                          bool with_target, ngi_design_binding *out);
void ngi_design_unbind(ngi_design_binding *binding);

/* Doubles of scratch that a block of so many rows needs. */
size_t ngi_design_work(const ngi_design *design, size_t rows);
/* x[j] (width pointers) at the columns of X over a block: into the table's own
 * memory where a column is one of its numbers, into `work` else. */
void ngi_design_columns(const ngi_design_binding *binding,
                        const ngi_table_block *block, double *work,
                        const double **x);
/* The sum of the offset() terms. */
void ngi_design_offset(const ngi_design_binding *binding,
                       const ngi_table_block *block, double *work, double *out);
/* The left side: numbers, level indices, or successes, and failures where
 * there are counts (else NULL). */
void ngi_design_response(const ngi_design_binding *binding,
                         const ngi_table_block *block, double *work, double *y,
                         double *failures);

/* Whether the offset() terms are the same, in any order. */
bool ngi_design_same_offsets(const ngi_design *a, const ngi_design *b);

/* Whether the columns of one design are combinations of those of another,
 * whatever the data, as far as the formulas tell. */
typedef enum ngi_within {
    NGI_WITHIN_YES,
    NGI_WITHIN_NO,     /* a term reads a column that the other does not */
    NGI_WITHIN_UNKNOWN /* no term of the other is seen to hold this one */
} ngi_within;

/* `term`: of the first term that is not, its text, to be freed by ngi_free.
 * Only what `inner` and `outer` read counts, not whether a constant is hidden:
 * those that have thresholds hold one. */
ng_status ngi_design_within(const ngi_design *inner, const ngi_design *outer,
                            bool thresholds, ngi_within *out, char **term);

#endif
