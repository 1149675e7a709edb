/* A design meets a table: where the variables are, and how its levels map to
 * the design's. */
#include "learner/design_parts.h"
#include "learner/formula_reader.h"

#include <locale.h>
#include <string.h>

/* Rows that a pass over the table looks at in one go. */
enum { BLOCK_ROWS = 4096 };

/* ---- Columns by name -----------------------------------------------------
 */

ng_status ngi_column_index_create(const ngi_table *table,
                                  ngi_column_index *out) {
    ngi_strings_init(&out->names, table->ctx);
    out->column = ngi_alloc(table->ctx, table->columns, sizeof *out->column);
    if (!out->column)
        return NG_ENOMEM;
    for (size_t i = 0; i < table->columns; i++) {
        const char *name = table->column(table, i)->name;
        size_t known = out->names.count, index;
        NG_TRY(ngi_strings_intern(&out->names, name, strlen(name), &index));
        if (index == known)
            out->column[index] = i;
    }
    return NG_OK;
}

void ngi_column_index_clear(ngi_column_index *index) {
    ngi_free(index->names.ctx, index->column);
    index->column = NULL;
    ngi_strings_clear(&index->names);
}

ng_status ngi_column_index_find(const ngi_column_index *index,
                                const ngi_table *table, const char *name,
                                size_t *column) {
    size_t known = ngi_strings_find(&index->names, name, strlen(name));
    *column = SIZE_MAX;
    if (known == SIZE_MAX)
        return ngi_fail(table->ctx, NG_EDATA, "%s: no column \"%s\"",
                        table->source, name);
    *column = index->column[known];
    return NG_OK;
}

/* ---- Values that do not fit ----------------------------------------------
 * What is wrong with a column may be in none of its rows, so the first row is
 * looked for, by a pass over the table. */

typedef struct misfit {
    size_t row; /* SIZE_MAX: none */
    double value;
} misfit;

typedef struct search {
    const ngi_level_numbers *numbers; /* none of these; or */
    const bool *wrong;                /* one of these own levels */
    size_t column;
    misfit *first; /* of each worker */
} search;

static bool fits(const search *s, double value) {
    return s->numbers
               ? ngi_level_of_number(s->numbers, value) < s->numbers->count
               : !s->wrong[(size_t)value];
}

static void visit_misfit(void *user, size_t worker,
                         const ngi_table_block *block) {
    const search *s = user;
    const double *value = block->values[s->column];
    misfit *first = &s->first[worker];
    for (size_t i = 0; i < block->count; i++)
        if (!fits(s, value[i])) {
            if (block->first + i < first->row)
                *first = (misfit){block->first + i, value[i]};
            return;
        }
}

static ng_status find_misfit(const ngi_table *table, search *s, misfit *out) {
    *out = (misfit){SIZE_MAX, 0};
    s->first = ngi_alloc(table->ctx, table->workers, sizeof *s->first);
    if (!s->first)
        return NG_ENOMEM;
    for (size_t i = 0; i < table->workers; i++)
        s->first[i] = *out;
    ng_status status = table->each(table, BLOCK_ROWS, 1, visit_misfit, s);
    for (size_t i = 0; i < table->workers && status == NG_OK; i++)
        if (s->first[i].row < out->row)
            *out = s->first[i];
    ngi_free(table->ctx, s->first);
    return status;
}

static ng_status fail_unseen(const ngi_table *table, size_t column, size_t row,
                             const char *level) {
    return ngi_fail(table->ctx, NG_EDATA,
                    "%s: row %zu, column \"%s\": level \"%s\" was not seen "
                    "when the model was fitted",
                    table->source, table->record(table, row),
                    table->column(table, column)->name, level);
}

/* ---- Binding -------------------------------------------------------------
 */

/* Levels where numbers are expected: the first that is none is shown. */
static ng_status fail_number(const ngi_table *table, size_t index) {
    const ng_column *column = table->column(table, index);
    search s = {.column = index};
    misfit found;
    double number;
    bool *wrong = ngi_alloc(table->ctx, column->levels, sizeof *wrong);
    if (!wrong)
        return NG_ENOMEM;
    for (size_t k = 0; k < column->levels; k++)
        wrong[k] = ngi_cell_classify(column->level[k], strlen(column->level[k]),
                                     &number) != NGI_CELL_NUMBER;
    s.wrong = wrong;
    ng_status status = find_misfit(table, &s, &found);
    ngi_free(table->ctx, wrong);
    NG_TRY(status);
    if (found.row == SIZE_MAX)
        return ngi_fail(table->ctx, NG_EDATA,
                        "%s: column \"%s\" holds levels; the model expects "
                        "numbers",
                        table->source, column->name);
    return ngi_fail(table->ctx, NG_EDATA,
                    "%s: row %zu, column \"%s\": expected a number, found "
                    "\"%s\"",
                    table->source, table->record(table, found.row),
                    column->name, column->level[(size_t)found.value]);
}

static ng_status bind_numbers(ngi_design_binding *b, const ngi_table *table,
                              size_t v) {
    search s = {.numbers = &b->design->terms->numbers[v],
                .column = b->column[v]};
    misfit found;
    char text[NGI_NUMBER_SIZE];
    if (!s.numbers->count)
        return ngi_fail(table->ctx, NG_EDATA,
                        "%s: column \"%s\" holds numbers; the model expects "
                        "levels",
                        table->source,
                        table->column(table, b->column[v])->name);
    b->reading[v] = NGI_READING_NUMBERS;
    NG_TRY(find_misfit(table, &s, &found));
    if (found.row == SIZE_MAX)
        return NG_OK;
    ngi_number_text(found.value, text);
    return fail_unseen(table, b->column[v], found.row, text);
}

static ng_status expect_known(const ngi_table *table, size_t index,
                              const bool *unseen) {
    search s = {.wrong = unseen, .column = index};
    const ng_column *column = table->column(table, index);
    misfit found;
    NG_TRY(find_misfit(table, &s, &found));
    return found.row == SIZE_MAX
               ? NG_OK
               : fail_unseen(table, index, found.row,
                             column->level[(size_t)found.value]);
}

/* Index of a level, by its text or else by the number that it looks like; the
 * count of levels if there is none. */
static size_t find_level(const ngi_strings *names,
                         const ngi_level_numbers *numbers, const char *name) {
    size_t length = strlen(name), index = ngi_strings_find(names, name, length);
    double number;
    if (index != SIZE_MAX)
        return index;
    if (!numbers->count ||
        ngi_cell_classify(name, length, &number) != NGI_CELL_NUMBER)
        return names->count;
    return ngi_level_of_number(numbers, number);
}

static ng_status map_levels(const ngi_levels *levels,
                            const ngi_level_numbers *numbers,
                            const ng_column *column, ng_ctx *ctx, double *map,
                            bool *unseen) {
    ngi_strings names;
    size_t index;
    ng_status status = NG_OK;
    ngi_strings_init(&names, ctx);
    for (size_t k = 0; k < levels->count && status == NG_OK; k++)
        status = ngi_strings_intern(&names, levels->name[k],
                                    strlen(levels->name[k]), &index);
    for (size_t k = 0; k < column->levels && status == NG_OK; k++) {
        index = find_level(&names, numbers, column->level[k]);
        unseen[k] = index == levels->count;
        map[k] = unseen[k] ? 0 : (double)index;
    }
    ngi_strings_clear(&names);
    return status;
}

static ng_status bind_levels(ngi_design_binding *b, const ngi_table *table,
                             size_t v) {
    const ng_column *column = table->column(table, b->column[v]);
    bool *unseen = ngi_alloc(b->ctx, column->levels, sizeof *unseen);
    b->map[v] = ngi_alloc(b->ctx, column->levels, sizeof *b->map[v]);
    ng_status status = NG_ENOMEM;
    if (!unseen || !b->map[v])
        goto fail;
    NG_TRY_GOTO(map_levels(&b->design->variable[v].levels,
                           &b->design->terms->numbers[v], column, b->ctx,
                           b->map[v], unseen));
    bool strange = false, identity = true;
    for (size_t k = 0; k < column->levels; k++) {
        strange |= unseen[k];
        identity &= !unseen[k] && b->map[v][k] == (double)k;
    }
    b->reading[v] = identity ? NGI_READING_DIRECT : NGI_READING_MAP;
    if (strange)
        status = expect_known(table, b->column[v], unseen);
fail:
    ngi_free(b->ctx, unseen);
    return status;
}

static ng_status bind_variable(ngi_design_binding *b, const ngi_table *table,
                               size_t v) {
    const ng_column *column = table->column(table, b->column[v]);
    bool levels = b->design->variable[v].levels.count > 0;
    if (levels)
        return column->levels ? bind_levels(b, table, v)
                              : bind_numbers(b, table, v);
    b->reading[v] = NGI_READING_DIRECT;
    return column->levels ? fail_number(table, b->column[v]) : NG_OK;
}

static ng_status bind_all(ngi_design_binding *b, const ngi_table *table,
                          const ngi_column_index *index, bool with_target) {
    const ngi_design *d = b->design;
    for (size_t v = 0; v < d->variables; v++) {
        b->column[v] = SIZE_MAX;
        if (!with_target && !ngi_design_is_input(d, v))
            continue;
        NG_TRY(ngi_column_index_find(index, table, d->variable[v].column,
                                     &b->column[v]));
    }
    for (size_t v = 0; v < d->variables; v++)
        if (b->column[v] != SIZE_MAX)
            NG_TRY(bind_variable(b, table, v));
    return NG_OK;
}

static ng_status bind(ngi_design_binding *b, const ngi_table *table,
                      bool with_target) {
    size_t variables = b->design->variables;
    ngi_column_index index;
    b->column = ngi_alloc(b->ctx, variables, sizeof *b->column);
    b->map = ngi_alloc(b->ctx, variables, sizeof *b->map);
    b->reading = ngi_alloc(b->ctx, variables, sizeof *b->reading);
    if (!b->column || !b->map || !b->reading)
        return NG_ENOMEM;
    ng_status status = ngi_column_index_create(table, &index);
    if (status == NG_OK)
        status = bind_all(b, table, &index, with_target);
    ngi_column_index_clear(&index);
    return status;
}

/* Levels may be numbers, which have a decimal point whatever the user's
 * language. */
ng_status ngi_design_bind(const ngi_design *design, const ngi_table *table,
                          bool with_target, ngi_design_binding *out) {
    *out = (ngi_design_binding){.ctx = design->ctx, .design = design};
    locale_t standard = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!standard)
        return ngi_fail_memory(design->ctx);
    locale_t users = uselocale(standard);
    ng_status status = bind(out, table, with_target);
    if (status != NG_OK)
        ngi_design_unbind(out);
    uselocale(users);
    freelocale(standard);
    return status;
}

void ngi_design_unbind(ngi_design_binding *binding) {
    for (size_t v = 0; binding->map && v < binding->design->variables; v++)
        ngi_free(binding->ctx, binding->map[v]);
    ngi_free(binding->ctx, binding->column);
    ngi_free(binding->ctx, binding->map);
    ngi_free(binding->ctx, binding->reading);
    *binding = (ngi_design_binding){.ctx = binding->ctx};
}
