/* Whether one design's columns are combinations of another's. A term stands
 * for a space, the product of those of its atoms: of a factor all functions of
 * its levels, whichever way it is coded, else the atom's own columns. A design
 * spans the sum of its terms' spaces, since a factor is coded by contrasts only
 * where a term that makes up for the rest is there. */
#include "learner/design_parts.h"

#include <string.h>

typedef struct comparison {
    const ngi_design *inner, *outer;
    size_t *same; /* of the inner's atoms: the outer's of the same text, or
                     SIZE_MAX */
} comparison;

static const char *text_of(const ngi_design *design, size_t source) {
    return ngi_strings_get(&design->terms->formula.atom_text, source);
}

static size_t find_text(const ngi_design *design, const char *text) {
    return ngi_strings_find(&design->terms->formula.atom_text, text,
                            strlen(text));
}

static const ngi_piece *piece_of(const ngi_design *design,
                                 const ngi_design_term *term, size_t k) {
    return &design->terms->piece[term->first + k];
}

static const ngi_source *source_of(const ngi_design *design,
                                   const ngi_piece *piece) {
    return &design->terms->source[piece->source];
}

/* The k-th variable that a source reads; SIZE_MAX behind the last. */
static size_t variable_read(const ngi_design *design, const ngi_source *source,
                            size_t *k) {
    const ngi_formula *f = &design->terms->formula;
    if (source->variable != SIZE_MAX)
        return (*k)++ ? SIZE_MAX : source->variable;
    while (*k < source->expression.count) {
        const ngi_instruction *step =
            &f->instruction[source->expression.first + (*k)++];
        if (step->operation == NGI_OPERATION_COLUMN)
            return step->index;
    }
    return SIZE_MAX;
}

/* ---- Offsets ---- */

bool ngi_design_same_offsets(const ngi_design *a, const ngi_design *b) {
    const struct ngi_design_terms *t = a->terms, *u = b->terms;
    bool same = t->offsets == u->offsets;
    for (size_t i = 0; same && i < t->offsets; i++) {
        size_t j = 0;
        while (j < u->offsets &&
               strcmp(text_of(a, t->offset[i]), text_of(b, u->offset[j])) != 0)
            j++;
        same = j < u->offsets;
    }
    return same;
}

/* ---- Terms ---- */

/* Whether the source is a function of this column's values alone. */
static bool reads_only(const ngi_design *design, const ngi_source *source,
                       const char *column) {
    bool only = true;
    size_t v, k = 0;
    while (only && (v = variable_read(design, source, &k)) != SIZE_MAX)
        only = strcmp(design->variable[v].column, column) == 0;
    return only;
}

static bool is_held(const comparison *c, const ngi_piece *piece,
                    const ngi_design_term *outer) {
    const ngi_source *source = source_of(c->inner, piece);
    for (size_t k = 0; k < outer->pieces; k++) {
        const ngi_piece *other = piece_of(c->outer, outer, k);
        const ngi_source *holder = source_of(c->outer, other);
        bool held =
            holder->degree
                ? source->degree && c->same[piece->source] == other->source
                : reads_only(c->inner, source,
                             c->outer->variable[holder->variable].column);
        if (held)
            return true;
    }
    return false;
}

/* Whether the outer's piece is a factor, which holds the constant, or a number
 * that the inner term has too. */
static bool is_matched(const comparison *c, const ngi_design_term *inner,
                       const ngi_piece *other) {
    bool matched = !source_of(c->outer, other)->degree;
    for (size_t k = 0; inner && !matched && k < inner->pieces; k++) {
        const ngi_piece *piece = piece_of(c->inner, inner, k);
        matched = source_of(c->inner, piece)->degree &&
                  c->same[piece->source] == other->source;
    }
    return matched;
}

/* `inner`: NULL for the constant. */
static bool lies_in(const comparison *c, const ngi_design_term *inner,
                    const ngi_design_term *outer) {
    bool within = true;
    for (size_t k = 0; within && k < outer->pieces; k++)
        within = is_matched(c, inner, piece_of(c->outer, outer, k));
    for (size_t k = 0; inner && within && k < inner->pieces; k++)
        within = is_held(c, piece_of(c->inner, inner, k), outer);
    return within;
}

static bool is_within(const comparison *c, const ngi_design_term *inner) {
    bool within = !inner && c->outer->intercept;
    for (size_t i = 0; !within && i < c->outer->terms->terms; i++)
        within = lies_in(c, inner, &c->outer->terms->term[i]);
    return within;
}

static bool is_read(const ngi_design *design, const char *column) {
    size_t v = 0;
    while (v < design->variables &&
           !(ngi_design_is_input(design, v) &&
             strcmp(design->variable[v].column, column) == 0))
        v++;
    return v < design->variables;
}

/* Whether the term reads a column that the outer design does not. */
static bool is_foreign(const comparison *c, const ngi_design_term *term) {
    for (size_t i = 0; i < term->pieces; i++) {
        const ngi_source *source =
            source_of(c->inner, piece_of(c->inner, term, i));
        size_t v, k = 0;
        while ((v = variable_read(c->inner, source, &k)) != SIZE_MAX)
            if (!is_read(c->outer, c->inner->variable[v].column))
                return true;
    }
    return false;
}

static ng_status write_term(const ngi_design *design,
                            const ngi_design_term *term, char **out) {
    size_t size = sizeof "(Intercept)";
    for (size_t k = 0; term && k < term->pieces; k++)
        size += strlen(text_of(design, piece_of(design, term, k)->source)) + 1;
    *out = ngi_alloc(design->ctx, size, 1);
    if (!*out)
        return NG_ENOMEM;
    if (!term)
        strcpy(*out, "(Intercept)");
    for (size_t k = 0; term && k < term->pieces; k++) {
        strcat(*out, k ? ":" : "");
        strcat(*out, text_of(design, piece_of(design, term, k)->source));
    }
    return NG_OK;
}

ng_status ngi_design_within(const ngi_design *inner, const ngi_design *outer,
                            bool thresholds, ngi_within *out, char **term) {
    const struct ngi_design_terms *t = inner->terms;
    comparison c = {.inner = inner, .outer = outer};
    ng_status status = NG_OK;
    *out = NGI_WITHIN_YES;
    *term = NULL;
    c.same = ngi_alloc(inner->ctx, t->sources, sizeof *c.same);
    if (!c.same)
        return NG_ENOMEM;
    for (size_t i = 0; i < t->sources; i++)
        c.same[i] = find_text(outer, text_of(inner, i));
    if (inner->intercept && !thresholds && !is_within(&c, NULL)) {
        *out = NGI_WITHIN_UNKNOWN;
        status = write_term(inner, NULL, term);
    }
    for (size_t i = 0; *out == NGI_WITHIN_YES && i < t->terms; i++) {
        if (is_within(&c, &t->term[i]))
            continue;
        *out = is_foreign(&c, &t->term[i]) ? NGI_WITHIN_NO : NGI_WITHIN_UNKNOWN;
        status = write_term(inner, &t->term[i], term);
    }
    ngi_free(inner->ctx, c.same);
    return status;
}
