/* From the text of a formula, or a list of features, to a design: which
 * columns it speaks of, what kind they are, and their levels. */
#include "learner/design.h"
#include "learner/design_parts.h"
#include "learner/formula_reader.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

/* A formula that a user writes. */
enum { FORMULA_MOST = 64 * 1024 };

/* What an atom wants of a column. */
typedef enum want { WANT_ANY, WANT_NUMBER, WANT_LEVELS } want;

typedef struct maker {
    ng_ctx *ctx;
    ngi_design *design;
    struct ngi_design_terms *terms;
    ngi_term_list list;
    /* Either the table, or the variables of a saved design. */
    const ngi_table *table;
    ngi_column_index index;
    const ngi_variable *given;
    size_t givens;
    ngi_strings given_names;
    size_t *given_number, *given_levels; /* of each name: 1 + variable, or 0 */
    /* Of each name in the formula: its column in the table, and 1 + variable
     * as a number and as levels, or 0. */
    size_t *column, *number, *levels;
} maker;

/* ---- Life ----------------------------------------------------------------
 */

static void free_terms(ng_ctx *ctx, ngi_design *design) {
    struct ngi_design_terms *t = design->terms;
    if (!t)
        return;
    for (size_t v = 0; t->numbers && v < design->variables; v++) {
        ngi_free(ctx, t->numbers[v].value);
        ngi_free(ctx, t->numbers[v].level);
    }
    ngi_formula_clear(&t->formula);
    ngi_free(ctx, t->source);
    ngi_free(ctx, t->inner_source);
    ngi_free(ctx, t->piece);
    ngi_free(ctx, t->term);
    ngi_free(ctx, t->offset);
    ngi_free(ctx, t->is_input);
    ngi_free(ctx, t->numbers);
    ngi_free(ctx, t);
}

void ngi_design_destroy(ngi_design **design) {
    if (!design || !*design)
        return;
    ngi_design *d = *design;
    free_terms(d->ctx, d);
    for (size_t v = 0; v < d->variables; v++) {
        ngi_free(d->ctx, d->variable[v].column);
        ngi_levels_free(d->ctx, &d->variable[v].levels);
    }
    for (size_t j = 0; d->name && j < d->width; j++)
        ngi_free(d->ctx, d->name[j]);
    ngi_free(d->ctx, d->formula);
    ngi_free(d->ctx, d->variable);
    ngi_free(d->ctx, d->target);
    ngi_free(d->ctx, d->name);
    ngi_free(d->ctx, d->term);
    ngi_free(d->ctx, d);
    *design = NULL;
}

bool ngi_design_is_input(const ngi_design *design, size_t v) {
    return design->terms->is_input[v];
}

/* Parses, and makes room for as many variables as there may be: every name as
 * a number and as a factor. */
static ng_status begin(maker *m, const char *text, const ngi_formula_dot *dot) {
    m->design = ngi_alloc(m->ctx, 1, sizeof *m->design);
    m->terms = ngi_alloc(m->ctx, 1, sizeof *m->terms);
    if (!m->design || !m->terms) {
        ngi_free(m->ctx, m->design);
        ngi_free(m->ctx, m->terms);
        m->design = NULL;
        return NG_ENOMEM;
    }
    m->design->ctx = m->ctx;
    m->design->terms = m->terms;
    m->terms->formula.ctx = m->ctx;
    NG_TRY(ngi_formula_parse(m->ctx, text, dot, &m->terms->formula));
    NG_TRY(ngi_term_list_create(&m->terms->formula, &m->list));
    size_t names = m->terms->formula.names.count;
    m->column = ngi_alloc(m->ctx, names, sizeof *m->column);
    m->number = ngi_alloc(m->ctx, names, sizeof *m->number);
    m->levels = ngi_alloc(m->ctx, names, sizeof *m->levels);
    m->design->variable =
        ngi_alloc(m->ctx, 2 * names, sizeof *m->design->variable);
    m->terms->is_input =
        ngi_alloc(m->ctx, 2 * names, sizeof *m->terms->is_input);
    m->terms->numbers = ngi_alloc(m->ctx, 2 * names, sizeof *m->terms->numbers);
    return m->column && m->number && m->levels && m->design->variable &&
                   m->terms->is_input && m->terms->numbers
               ? NG_OK
               : NG_ENOMEM;
}

static void end(maker *m) {
    ngi_term_list_clear(&m->list);
    ngi_column_index_clear(&m->index);
    ngi_strings_clear(&m->given_names);
    ngi_free(m->ctx, m->given_number);
    ngi_free(m->ctx, m->given_levels);
    ngi_free(m->ctx, m->column);
    ngi_free(m->ctx, m->number);
    ngi_free(m->ctx, m->levels);
    ngi_design_destroy(&m->design);
}

static const char *name_of(const maker *m, size_t name) {
    return ngi_strings_get(&m->terms->formula.names, name);
}

/* ---- Levels --------------------------------------------------------------
 */

static ng_status expect_levels(const maker *m, const char *column,
                               const ngi_levels *levels) {
    const char *source = m->table ? m->table->source : "formula";
    if (levels->count == 1)
        return ngi_fail(m->ctx, NG_EDATA,
                        "%s: column \"%s\" has one level only (\"%s\"); "
                        "expected two or more",
                        source, column, levels->name[0]);
    if (!levels->count)
        return ngi_fail(m->ctx, NG_EDATA,
                        "%s: column \"%s\" has no levels; expected two or more",
                        source, column);
    return NG_OK;
}

/* ---- Variables -----------------------------------------------------------
 */

static ng_status fail_numbers(const maker *m, size_t name,
                              const ng_column *column) {
    return ngi_fail(m->ctx, NG_EDATA,
                    "%s: column \"%s\": the formula expects numbers, found "
                    "the level \"%s\"",
                    m->table->source, name_of(m, name), column->level[0]);
}

/* Whether the variable that is wanted has levels. */
static ng_status find_kind(const maker *m, size_t name, want wanted,
                           bool *levels, size_t *given) {
    *levels = wanted == WANT_LEVELS;
    *given = 0;
    if (m->table) {
        const ng_column *column = m->table->column(m->table, m->column[name]);
        *levels |= wanted == WANT_ANY && column->levels;
        return wanted == WANT_NUMBER && column->levels
                   ? fail_numbers(m, name, column)
                   : NG_OK;
    }
    const char *text = name_of(m, name);
    size_t known = ngi_strings_find(&m->given_names, text, strlen(text));
    if (known != SIZE_MAX) {
        *levels |= wanted == WANT_ANY && !m->given_number[known];
        *given = *levels ? m->given_levels[known] : m->given_number[known];
    }
    if (!*given)
        return ngi_fail(m->ctx, NG_EDATA,
                        "formula: column \"%s\": expected among the "
                        "variables%s",
                        text,
                        wanted == WANT_ANY      ? ""
                        : wanted == WANT_NUMBER ? " as a number"
                                                : " with levels");
    --*given;
    return NG_OK;
}

static ng_status fill_levels(maker *m, size_t name, size_t given,
                             ngi_levels *out) {
    const ngi_levels *saved = m->table ? NULL : &m->given[given].levels;
    if (saved)
        return ngi_levels_copy(m->ctx, saved->count,
                               (const char *const *)saved->name, out);
    const ng_column *column = m->table->column(m->table, m->column[name]);
    return column->levels
               ? ngi_levels_copy(m->ctx, column->levels, column->level, out)
               : ngi_levels_of_numbers(m->table, m->column[name], out);
}

static ng_status use_variable(maker *m, size_t name, want wanted, bool input,
                              size_t *out) {
    bool levels;
    size_t given;
    NG_TRY(find_kind(m, name, wanted, &levels, &given));
    size_t *place = levels ? &m->levels[name] : &m->number[name];
    if (!*place) {
        ngi_variable *variable = &m->design->variable[m->design->variables];
        NG_TRY(ngi_name_copy(m->ctx, name_of(m, name), &variable->column));
        *place = ++m->design->variables;
        if (levels) {
            NG_TRY(fill_levels(m, name, given, &variable->levels));
            NG_TRY(ngi_levels_expect_distinct(m->ctx, variable));
        }
    }
    *out = *place - 1;
    m->terms->is_input[*out] |= input;
    const ngi_variable *variable = &m->design->variable[*out];
    return levels && input
               ? expect_levels(m, variable->column, &variable->levels)
               : NG_OK;
}

static ng_status use_atom(maker *m, const ngi_atom *atom, bool input,
                          ngi_source *out) {
    ngi_formula *f = &m->terms->formula;
    *out = (ngi_source){.kind = atom->kind,
                        .variable = SIZE_MAX,
                        .expression = atom->expression,
                        .degree = 1};
    if (atom->kind == NGI_ATOM_POLY)
        out->degree = atom->degree;
    if (atom->kind == NGI_ATOM_COLUMN || atom->kind == NGI_ATOM_CODED) {
        NG_TRY(
            use_variable(m, atom->name,
                         atom->kind == NGI_ATOM_CODED ? WANT_LEVELS : WANT_ANY,
                         input, &out->variable));
        if (m->design->variable[out->variable].levels.count)
            out->degree = 0;
        return NG_OK;
    }
    for (size_t i = 0; i < atom->expression.count; i++) {
        ngi_instruction *step = &f->instruction[atom->expression.first + i];
        if (step->operation == NGI_OPERATION_COLUMN)
            NG_TRY(
                use_variable(m, step->index, WANT_NUMBER, input, &step->index));
    }
    return NG_OK;
}

/* Atoms of terms that were taken away stay unused, and so do their columns. A
 * column that is both a number and coded is a number first, which is how a
 * file that is to be read for the design should read it. */
static ng_status use_right_side(maker *m, const bool *used) {
    struct ngi_design_terms *t = m->terms;
    const ngi_formula *f = &t->formula;
    for (int coded = 0; coded <= 1; coded++)
        for (size_t i = 0; i < t->sources; i++)
            if (used[i] && (f->atom[i].kind == NGI_ATOM_CODED) == coded)
                NG_TRY(use_atom(m, &f->atom[i], true, &t->source[i]));
    for (size_t k = 0; k < m->list.offsets; k++)
        t->offset[t->offsets++] = m->list.offset[k];
    return NG_OK;
}

static ng_status use_atoms(maker *m) {
    struct ngi_design_terms *t = m->terms;
    const ngi_formula *f = &t->formula;
    ng_status status = NG_ENOMEM;
    t->sources = f->atom_text.count;
    bool *used = ngi_alloc(m->ctx, t->sources, sizeof *used);
    t->source = ngi_alloc(m->ctx, t->sources, sizeof *t->source);
    t->offset = ngi_alloc(m->ctx, m->list.offsets, sizeof *t->offset);
    if (!used || !t->source || !t->offset)
        goto fail;
    for (size_t i = 0; i < f->lefts; i++)
        NG_TRY_GOTO(use_atom(m, &f->left[i], false, &t->left[i]));
    for (size_t k = 0; k < m->list.start[m->list.count]; k++)
        used[m->list.atom[k]] = true;
    for (size_t k = 0; k < m->list.offsets; k++)
        used[m->list.offset[k]] = true;
    status = use_right_side(m, used);
fail:
    ngi_free(m->ctx, used);
    return status;
}

/* ---- The rest, for both ways ---------------------------------------------
 */

static ng_status set_target(maker *m) {
    const ngi_formula *f = &m->terms->formula;
    m->design->response = f->response;
    if (f->response == NGI_RESPONSE_NONE)
        return NG_OK;
    m->design->target = f->response == NGI_RESPONSE_COLUMN
                            ? ngi_strdup(m->ctx, name_of(m, f->left[0].name))
                            : ngi_strndup(m->ctx, f->text, f->left_length);
    return m->design->target ? NG_OK : NG_ENOMEM;
}

static ng_status finish(maker *m, ngi_design **out) {
    ngi_design *d = m->design;
    for (size_t v = 0; v < d->variables; v++)
        if (d->variable[v].levels.count)
            NG_TRY(ngi_level_numbers_create(m->ctx, &d->variable[v].levels,
                                            &m->terms->numbers[v]));
    d->formula = ngi_strdup(m->ctx, m->terms->formula.text);
    if (!d->formula)
        return NG_ENOMEM;
    NG_TRY(set_target(m));
    d->intercept = m->terms->formula.intercept;
    d->has_offset = m->terms->offsets > 0;
    NG_TRY(ngi_design_lay_out(d, &m->list));
    m->design = NULL;
    *out = d;
    return NG_OK;
}

/* ---- From a table --------------------------------------------------------
 */

static bool is_reserved(const ngi_design_spec *spec, const char *name) {
    size_t i = 0;
    while (i < spec->reserved_count && strcmp(spec->reserved[i], name) != 0)
        i++;
    return i < spec->reserved_count;
}

static ng_status put_first(const maker *m, const ngi_reference *reference,
                           ngi_levels *levels) {
    if (ngi_levels_put_first(levels, reference->level))
        return NG_OK;
    return ngi_fail(m->ctx, NG_EDATA,
                    "%s: reference \"%s=%s\": column \"%s\" has no such "
                    "level",
                    m->table->source, reference->column, reference->level,
                    reference->column);
}

static ng_status set_reference(const maker *m, const ngi_design_spec *spec,
                               const ngi_reference *reference) {
    bool found = false, numbers = false;
    for (size_t v = 0; v < m->design->variables; v++) {
        ngi_variable *variable = &m->design->variable[v];
        if (strcmp(variable->column, reference->column) != 0)
            continue;
        numbers |= !variable->levels.count;
        found |= variable->levels.count > 0;
        if (variable->levels.count)
            NG_TRY(put_first(m, reference, &variable->levels));
    }
    if (found || is_reserved(spec, reference->column))
        return NG_OK;
    return ngi_fail(m->ctx, NG_EDATA, "%s: reference \"%s=%s\": %s",
                    m->table->source, reference->column, reference->level,
                    numbers ? "the column holds numbers; expected levels"
                            : "the design has no such column");
}

/* "~ a + `b c` - 1". */
static ng_status write_features(ng_ctx *ctx, const ngi_design_spec *spec,
                                size_t count, const char *const *name,
                                char **out) {
    ngi_reader writer = {.ctx = ctx};
    ng_status status = ngi_reader_write(&writer, "~ ");
    for (size_t i = 0; i < count && status == NG_OK; i++) {
        status = ngi_name_check(ctx, name[i]);
        if (status == NG_OK)
            status = ngi_reader_write(&writer, i ? " + " : "");
        if (status == NG_OK)
            status = ngi_reader_write_name(&writer, name[i]);
    }
    if (status == NG_OK && !(count && spec->intercept))
        status = ngi_reader_write(&writer, count             ? " - 1"
                                           : spec->intercept ? "1"
                                                             : "0");
    if (status == NG_OK) {
        *out = writer.canonical;
        writer.canonical = NULL;
    }
    ngi_reader_clear(&writer);
    return status;
}

/* Columns that nothing reserves, for "." and for the lack of features. */
static ng_status list_free_columns(const maker *m, const ngi_design_spec *spec,
                                   const char ***out, size_t *count) {
    const char **name = ngi_alloc(m->ctx, m->table->columns, sizeof *name);
    *count = 0;
    *out = name;
    if (!name)
        return NG_ENOMEM;
    for (size_t i = 0; i < m->table->columns; i++) {
        const ng_column *column = m->table->column(m->table, i);
        if (!is_reserved(spec, column->name))
            name[(*count)++] = column->name;
    }
    return NG_OK;
}

static ng_status begin_table(maker *m, const ngi_design_spec *spec) {
    const char **name;
    char *text = NULL;
    ngi_formula_dot dot = {.known = true};
    if (spec->formula && strlen(spec->formula) > FORMULA_MOST)
        return ngi_fail(m->ctx, NG_EUSAGE,
                        "formula of %zu bytes: expected at most %d",
                        strlen(spec->formula), FORMULA_MOST);
    ng_status status = list_free_columns(m, spec, &name, &dot.count);
    dot.name = name;
    if (status == NG_OK && !spec->formula)
        status = write_features(
            m->ctx, spec, spec->features ? spec->feature_count : dot.count,
            spec->features ? spec->features : name, &text);
    if (status == NG_OK)
        status = begin(m, spec->formula ? spec->formula : text, &dot);
    ngi_free(m->ctx, text);
    ngi_free(m->ctx, name);
    return status;
}

/* The levels of the target in the order that was asked for. */
static ng_status order_target(const maker *m, const ngi_design_spec *spec) {
    const ngi_design *design = m->design;
    if (!spec->order || m->terms->formula.response != NGI_RESPONSE_COLUMN)
        return NG_OK;
    const char *target = name_of(m, m->terms->formula.left[0].name);
    for (size_t v = 0; v < design->variables; v++) {
        ngi_variable *variable = &design->variable[v];
        if (strcmp(variable->column, target) == 0 && variable->levels.count)
            return ngi_levels_order(m->ctx, m->table->source, target,
                                    &variable->levels, spec->order,
                                    spec->ordered);
    }
    return NG_OK;
}

static ng_status make_from_table(maker *m, const ngi_design_spec *spec,
                                 ngi_design **out) {
    NG_TRY(ngi_column_index_create(m->table, &m->index));
    NG_TRY(begin_table(m, spec));
    for (size_t i = 0; i < m->terms->formula.names.count; i++)
        NG_TRY(ngi_column_index_find(&m->index, m->table, name_of(m, i),
                                     &m->column[i]));
    if (m->list.left_dropped)
        ngi_warn(m->ctx, "formula: the left side is among the terms; it was "
                         "left out there");
    NG_TRY(use_atoms(m));
    for (size_t i = 0; i < spec->references; i++)
        NG_TRY(set_reference(m, spec, &spec->reference[i]));
    NG_TRY(order_target(m, spec));
    return finish(m, out);
}

/* ---- From a saved model --------------------------------------------------
 */

static ng_status list_given(maker *m) {
    m->given_number = ngi_alloc(m->ctx, m->givens, sizeof *m->given_number);
    m->given_levels = ngi_alloc(m->ctx, m->givens, sizeof *m->given_levels);
    if (!m->given_number || !m->given_levels)
        return NG_ENOMEM;
    for (size_t v = 0; v < m->givens; v++) {
        const ngi_variable *given = &m->given[v];
        size_t name;
        NG_TRY(ngi_strings_intern(&m->given_names, given->column,
                                  strlen(given->column), &name));
        size_t *place = given->levels.count ? &m->given_levels[name]
                                            : &m->given_number[name];
        if (*place)
            return ngi_fail(m->ctx, NG_EDATA,
                            "formula: column \"%s\" is given twice",
                            ngi_show_string(given->column).text);
        *place = v + 1;
    }
    return NG_OK;
}

static ng_status make_from_saved(maker *m, const char *formula,
                                 ngi_design **out) {
    const ngi_formula_dot dot = {.known = false};
    NG_TRY(begin(m, formula, &dot));
    NG_TRY(list_given(m));
    NG_TRY(use_atoms(m));
    if (m->design->variables != m->givens)
        return ngi_fail(m->ctx, NG_EDATA,
                        "formula: expected %zu variables, found %zu",
                        m->design->variables, m->givens);
    return finish(m, out);
}

/* ---- Entry ---------------------------------------------------------------
 * Numbers have a decimal point whatever the user's language; the locale is
 * changed for this thread alone. */

static ng_status make(maker *m, const ngi_design_spec *spec,
                      const char *formula, ngi_design **out) {
    *out = NULL;
    m->list.ctx = m->ctx;
    ngi_strings_init(&m->given_names, m->ctx);
    ngi_strings_init(&m->index.names, m->ctx);
    locale_t standard = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!standard)
        return ngi_fail_memory(m->ctx);
    locale_t users = uselocale(standard);
    ng_status status = m->table ? make_from_table(m, spec, out)
                                : make_from_saved(m, formula, out);
    end(m);
    uselocale(users);
    freelocale(standard);
    return status;
}

ng_status ngi_design_create(ng_ctx *ctx, const ngi_table *table,
                            const ngi_design_spec *spec, ngi_design **out) {
    maker m = {.ctx = ctx, .table = table};
    return make(&m, spec, NULL, out);
}

/* What is wrong with a saved design is wrong with its file. */
ng_status ngi_design_restore(ng_ctx *ctx, const char *formula,
                             const ngi_variable *variables, size_t count,
                             ngi_design **out) {
    maker m = {.ctx = ctx, .given = variables, .givens = count};
    ng_status status = make(&m, NULL, formula, out);
    return status == NG_EUSAGE ? NG_EDATA : status;
}

void ngi_design_hide_intercept(ngi_design *design) {
    struct ngi_design_terms *t = design->terms;
    if (!design->intercept)
        return;
    design->intercept = false;
    design->width--;
    ngi_free(design->ctx, design->name[0]);
    memmove(design->name, design->name + 1,
            design->width * sizeof *design->name);
    memmove(design->term, design->term + 1,
            design->width * sizeof *design->term);
    for (size_t i = 0; i < t->terms; i++)
        t->term[i].column--;
}
