/* Columns of a design: how the factors of each term are coded, how many
 * columns that gives, and their names. */
#include "learner/design_parts.h"

#include <stdio.h>
#include <string.h>

/* ---- Coding --------------------------------------------------------------
 * A factor f of a term t is coded by contrasts if t without f lies within an
 * earlier term, or is empty, and by all its indicators else: the rule of R's
 * model.matrix. The earlier term has at most as many atoms as t, so that it is
 * t without f, or that and one atom more: these are the sets that are kept. */

typedef struct subset {
    uint64_t hash;
    size_t term, omitted; /* atom, or SIZE_MAX */
    bool taken;
} subset;

typedef struct subsets {
    const ngi_term_list *list;
    subset *slot;
    size_t slots; /* a power of two */
} subsets;

static size_t degree(const ngi_term_list *list, size_t term) {
    return list->start[term + 1] - list->start[term];
}

static bool same_set(const ngi_term_list *list, const subset *a,
                     const subset *b) {
    size_t i = list->start[a->term], i_end = list->start[a->term + 1];
    size_t j = list->start[b->term], j_end = list->start[b->term + 1];
    for (;;) {
        i += i < i_end && list->atom[i] == a->omitted;
        j += j < j_end && list->atom[j] == b->omitted;
        if (i == i_end || j == j_end)
            return i == i_end && j == j_end;
        if (list->atom[i++] != list->atom[j++])
            return false;
    }
}

static size_t find_subset(const subsets *s, const subset *wanted) {
    size_t mask = s->slots - 1, i = (size_t)wanted->hash & mask;
    while (s->slot[i].taken && (s->slot[i].hash != wanted->hash ||
                                !same_set(s->list, &s->slot[i], wanted)))
        i = (i + 1) & mask;
    return i;
}

static subset make_subset(const ngi_term_list *list, size_t term,
                          size_t omitted) {
    subset made = {0, term, omitted, true};
    for (size_t k = list->start[term]; k < list->start[term + 1]; k++)
        if (list->atom[k] != omitted)
            made.hash += ngi_atom_hash(list->atom[k]);
    return made;
}

static void keep_subset(subsets *s, size_t term, size_t omitted) {
    subset made = make_subset(s->list, term, omitted);
    s->slot[find_subset(s, &made)] = made;
}

static ng_status create_subsets(ng_ctx *ctx, const ngi_term_list *list,
                                subsets *out) {
    size_t needed = list->start[list->count] + list->count;
    *out = (subsets){list, NULL, 16};
    while (out->slots < 2 * needed)
        out->slots *= 2;
    out->slot = ngi_alloc(ctx, out->slots, sizeof *out->slot);
    return out->slot ? NG_OK : NG_ENOMEM;
}

static bool is_factor(const struct ngi_design_terms *t,
                      const ngi_piece *piece) {
    return !t->source[piece->source].degree;
}

static bool needs_full(const subsets *s, size_t term, size_t atom) {
    subset wanted = make_subset(s->list, term, atom);
    return degree(s->list, term) > 1 && !s->slot[find_subset(s, &wanted)].taken;
}

static ng_status code_factors(ngi_design *design, const ngi_term_list *list) {
    struct ngi_design_terms *t = design->terms;
    subsets seen;
    NG_TRY(create_subsets(design->ctx, list, &seen));
    for (size_t i = 0; i < t->terms; i++) {
        ngi_design_term *term = &t->term[i];
        for (size_t k = term->first; k < term->first + term->pieces; k++) {
            ngi_piece *piece = &t->piece[k];
            if (!is_factor(t, piece))
                continue;
            term->factors = true;
            piece->full = needs_full(&seen, i, piece->source);
        }
        keep_subset(&seen, i, SIZE_MAX);
        for (size_t k = term->first; k < term->first + term->pieces; k++)
            keep_subset(&seen, i, t->piece[k].source);
    }
    ngi_free(design->ctx, seen.slot);
    return NG_OK;
}

/* Without an intercept the first factor of all stands for it. */
static void stand_for_intercept(struct ngi_design_terms *t) {
    for (size_t k = 0; k < t->pieces; k++)
        if (is_factor(t, &t->piece[k])) {
            t->piece[k].full = true;
            return;
        }
}

/* ---- Width ---------------------------------------------------------------
 */

static size_t piece_width(const ngi_design *design, const ngi_piece *piece) {
    const ngi_source *source = &design->terms->source[piece->source];
    return source->degree ? source->degree
                          : design->variable[source->variable].levels.count -
                                (piece->full ? 0 : 1);
}

static ng_status measure(ngi_design *design) {
    struct ngi_design_terms *t = design->terms;
    design->width = design->intercept ? 1 : 0;
    for (size_t i = 0; i < t->terms; i++) {
        ngi_design_term *term = &t->term[i];
        term->column = design->width;
        term->width = 1;
        for (size_t k = term->first; k < term->first + term->pieces; k++) {
            ngi_piece *piece = &t->piece[k];
            piece->width = piece_width(design, piece);
            piece->stride = term->width;
            term->width *= piece->width;
            if (term->width > NGI_DESIGN_MOST - design->width)
                return ngi_fail(design->ctx, NG_EUSAGE,
                                "formula: its terms have more than %d columns",
                                NGI_DESIGN_MOST);
        }
        design->width += term->width;
    }
    return NG_OK;
}

/* ---- Scratch -------------------------------------------------------------
 */

static size_t stack_depth(const ngi_formula *formula,
                          const ngi_expression *expression) {
    size_t depth = 0, most = 0;
    for (size_t i = 0; i < expression->count; i++) {
        switch (formula->instruction[expression->first + i].operation) {
        case NGI_OPERATION_NUMBER:
        case NGI_OPERATION_COLUMN:
            depth++;
            break;
        case NGI_OPERATION_NEGATE:
        case NGI_OPERATION_CALL:
            break;
        default:
            depth--;
        }
        most = depth > most ? depth : most;
    }
    return most;
}

static void place_sources(ngi_design *design, const bool *used) {
    struct ngi_design_terms *t = design->terms;
    for (size_t i = 0; i < t->sources; i++) {
        ngi_source *source = &t->source[i];
        source->slot = t->slots;
        if (!used[i] || source->kind == NGI_ATOM_OFFSET)
            continue;
        if (source->kind == NGI_ATOM_COLUMN && source->degree)
            continue;
        t->inner_source[t->inner++] = i;
        t->slots += source->degree ? source->degree : 1;
    }
}

static void place_columns(ngi_design *design) {
    struct ngi_design_terms *t = design->terms;
    for (size_t i = 0; i < t->terms; i++) {
        ngi_design_term *term = &t->term[i];
        bool elsewhere = term->pieces == 1 && !term->factors;
        term->slot = elsewhere ? SIZE_MAX : t->slots;
        t->slots += elsewhere ? 0 : term->width;
    }
}

static ng_status place(ngi_design *design, const ngi_term_list *list) {
    struct ngi_design_terms *t = design->terms;
    size_t depth = 0;
    bool *used = ngi_alloc(design->ctx, t->sources, sizeof *used);
    t->inner_source =
        ngi_alloc(design->ctx, t->sources, sizeof *t->inner_source);
    if (!used || !t->inner_source) {
        ngi_free(design->ctx, used);
        return NG_ENOMEM;
    }
    for (size_t k = 0; k < list->start[list->count]; k++)
        used[list->atom[k]] = true;
    t->slots = design->intercept ? 1 : 0;
    place_sources(design, used);
    place_columns(design);
    t->shared = t->slots;
    for (size_t i = 0; i < t->sources + t->formula.lefts; i++) {
        const ngi_source *source =
            i < t->sources ? &t->source[i] : &t->left[i - t->sources];
        size_t needed = stack_depth(&t->formula, &source->expression);
        depth = needed > depth ? needed : depth;
    }
    t->slots += NGI_SLOT_STACK + depth;
    ngi_free(design->ctx, used);
    return NG_OK;
}

/* ---- Names ---------------------------------------------------------------
 */

typedef struct name_text {
    char text[NGI_NAME_SIZE];
    size_t used;
    bool cut;
} name_text;

static void write_name(name_text *name, const char *text) {
    size_t length = strlen(text), room = sizeof name->text - 1 - name->used;
    if (name->cut)
        return;
    name->cut = length > room;
    if (name->cut)
        length = room;
    memcpy(name->text + name->used, text, length);
    name->used += length;
    name->text[name->used] = '\0';
}

/* Ends a name that was cut with "...", and no character in its middle. */
static void end_name(name_text *name) {
    if (!name->cut)
        return;
    size_t at = sizeof name->text - 4;
    while (((unsigned char)name->text[at] & 0xc0) == 0x80)
        at--;
    memcpy(name->text + at, "...", 4);
}

static void write_piece(const ngi_design *design, const ngi_piece *piece,
                        size_t column, name_text *name) {
    const struct ngi_design_terms *t = design->terms;
    const ngi_source *source = &t->source[piece->source];
    const ngi_atom *atom = &t->formula.atom[piece->source];
    write_name(name,
               atom->kind == NGI_ATOM_COLUMN
                   ? ngi_strings_get(&t->formula.names, atom->name)
                   : ngi_strings_get(&t->formula.atom_text, piece->source));
    if (source->degree == 1)
        return;
    char number[24];
    size_t level = column + (piece->full ? 0 : 1);
    snprintf(number, sizeof number, "%zu", column + 1);
    write_name(name, "[");
    write_name(name,
               source->degree
                   ? number
                   : design->variable[source->variable].levels.name[level]);
    write_name(name, "]");
}

static ng_status name_columns(ngi_design *design) {
    const struct ngi_design_terms *t = design->terms;
    if (design->intercept) {
        design->name[0] = ngi_strdup(design->ctx, "(Intercept)");
        if (!design->name[0])
            return NG_ENOMEM;
    }
    for (size_t i = 0; i < t->terms; i++) {
        const ngi_design_term *term = &t->term[i];
        for (size_t j = 0; j < term->width; j++) {
            name_text name = {.used = 0};
            for (size_t k = 0; k < term->pieces && !name.cut; k++) {
                const ngi_piece *piece = &t->piece[term->first + k];
                write_name(&name, k ? ":" : "");
                write_piece(design, piece, j / piece->stride % piece->width,
                            &name);
            }
            end_name(&name);
            design->term[term->column + j] = i + 1;
            design->name[term->column + j] = ngi_strdup(design->ctx, name.text);
            if (!design->name[term->column + j])
                return NG_ENOMEM;
        }
    }
    return NG_OK;
}

/* ---- All of it -----------------------------------------------------------
 */

static ng_status list_pieces(ngi_design *design, const ngi_term_list *list) {
    struct ngi_design_terms *t = design->terms;
    size_t pieces = list->start[list->count];
    t->piece = ngi_alloc(design->ctx, pieces, sizeof *t->piece);
    t->term = ngi_alloc(design->ctx, list->count, sizeof *t->term);
    if (!t->piece || !t->term)
        return NG_ENOMEM;
    t->pieces = pieces;
    t->terms = list->count;
    for (size_t k = 0; k < pieces; k++)
        t->piece[k].source = list->atom[k];
    for (size_t i = 0; i < list->count; i++) {
        t->term[i].first = list->start[i];
        t->term[i].pieces = degree(list, i);
    }
    return NG_OK;
}

ng_status ngi_design_lay_out(ngi_design *design, const ngi_term_list *list) {
    NG_TRY(list_pieces(design, list));
    NG_TRY(code_factors(design, list));
    if (!design->intercept)
        stand_for_intercept(design->terms);
    NG_TRY(measure(design));
    NG_TRY(place(design, list));
    design->name = ngi_alloc(design->ctx, design->width, sizeof *design->name);
    design->term = ngi_alloc(design->ctx, design->width, sizeof *design->term);
    if (!design->name || !design->term)
        return NG_ENOMEM;
    return name_columns(design);
}
