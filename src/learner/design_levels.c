/* Levels of a design: those of numbers, their order, and numbers that stand
 * for levels. */
#include "learner/design_parts.h"
#include "learner/formula_reader.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows that a pass over the table looks at in one go. */
enum { BLOCK_ROWS = 4096 };

/* ---- Distinct numbers ----------------------------------------------------
 */

enum { LEVELS_MOST = 10000, SET_SLOTS = 32768 };

/* Each worker has a hash table of the values that it met; NaN is a free
 * slot. */
typedef struct distinct {
    size_t column;
    double *slot;
    size_t *count;
} distinct;

/* -0 is 0; the upper half of the product is mixed best. */
static size_t hash_number(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits *= UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)((bits ^ (bits >> 29)) >> 32) % SET_SLOTS;
}

static void add_number(double *slot, size_t *count, double value) {
    size_t i = hash_number(value);
    while (slot[i] == slot[i] && slot[i] != value)
        i = (i + 1) % SET_SLOTS;
    if (slot[i] == value || *count > LEVELS_MOST)
        return;
    slot[i] = value;
    ++*count;
}

static void visit_distinct(void *user, size_t worker,
                           const ngi_table_block *block) {
    const distinct *d = user;
    const double *value = block->values[d->column];
    for (size_t i = 0; i < block->count; i++)
        add_number(d->slot + worker * SET_SLOTS, &d->count[worker],
                   value[i] + 0.0);
}

static int compare_number(const void *p, const void *q) {
    double a = *(const double *)p, b = *(const double *)q;
    return a < b ? -1 : a > b;
}

/* All into the first worker's table, then out of it. */
static ng_status gather(const ngi_table *table, const distinct *d,
                        double **value, size_t *count) {
    for (size_t i = SET_SLOTS; i < table->workers * SET_SLOTS; i++)
        if (d->slot[i] == d->slot[i])
            add_number(d->slot, &d->count[0], d->slot[i]);
    if (d->count[0] > LEVELS_MOST)
        return ngi_fail(table->ctx, NG_EDATA,
                        "%s: column \"%s\" has more than %d distinct numbers, "
                        "too many for the levels of a factor",
                        table->source, table->column(table, d->column)->name,
                        LEVELS_MOST);
    *value = ngi_alloc(table->ctx, d->count[0], sizeof **value);
    if (!*value)
        return NG_ENOMEM;
    for (size_t i = 0; i < SET_SLOTS; i++)
        if (d->slot[i] == d->slot[i])
            (*value)[(*count)++] = d->slot[i];
    qsort(*value, *count, sizeof **value, compare_number);
    return NG_OK;
}

static ng_status find_distinct(const ngi_table *table, size_t column,
                               double **value, size_t *count) {
    size_t slots = table->workers * SET_SLOTS;
    distinct d = {.column = column};
    d.slot = ngi_alloc(table->ctx, slots, sizeof *d.slot);
    d.count = ngi_alloc(table->ctx, table->workers, sizeof *d.count);
    ng_status status = d.slot && d.count ? NG_OK : NG_ENOMEM;
    *value = NULL;
    *count = 0;
    for (size_t i = 0; i < slots && status == NG_OK; i++)
        d.slot[i] = (double)NAN;
    if (status == NG_OK)
        status = table->each(table, BLOCK_ROWS, 1, visit_distinct, &d);
    if (status == NG_OK)
        status = gather(table, &d, value, count);
    ngi_free(table->ctx, d.slot);
    ngi_free(table->ctx, d.count);
    return status;
}

ng_status ngi_levels_of_numbers(const ngi_table *table, size_t column,
                                ngi_levels *out) {
    double *value;
    size_t count;
    NG_TRY(find_distinct(table, column, &value, &count));
    ng_status status = NG_ENOMEM;
    out->name = ngi_alloc(table->ctx, count, sizeof *out->name);
    if (!out->name)
        goto fail;
    for (; out->count < count; out->count++) {
        char text[NGI_NUMBER_SIZE];
        ngi_number_text(value[out->count], text);
        out->name[out->count] = ngi_strdup(table->ctx, text);
        if (!out->name[out->count])
            goto fail;
    }
    status = NG_OK;
fail:
    ngi_free(table->ctx, value);
    return status;
}

/* ---- Levels that look like numbers ---------------------------------------
 */

typedef struct numbered {
    double value;
    size_t level;
} numbered;

static int compare_value(const void *p, const void *q) {
    const numbered *a = p, *b = q;
    return a->value < b->value ? -1 : a->value > b->value;
}

ng_status ngi_level_numbers_create(ng_ctx *ctx, const ngi_levels *levels,
                                   ngi_level_numbers *out) {
    size_t count = levels->count;
    numbered *order = ngi_alloc(ctx, count, sizeof *order);
    out->value = ngi_alloc(ctx, count, sizeof *out->value);
    out->level = ngi_alloc(ctx, count, sizeof *out->level);
    bool good = order && out->value && out->level;
    ng_status status = good ? NG_OK : NG_ENOMEM;
    for (size_t k = 0; k < count && good; k++) {
        const char *name = levels->name[k];
        order[k].level = k;
        good = ngi_cell_classify(name, strlen(name), &order[k].value) ==
               NGI_CELL_NUMBER;
    }
    if (good)
        qsort(order, count, sizeof *order, compare_value);
    for (size_t k = 0; k < count && good; k++) {
        good = k == 0 || order[k].value != order[k - 1].value;
        out->value[k] = order[k].value;
        out->level[k] = order[k].level;
    }
    out->count = good ? count : 0;
    ngi_free(ctx, order);
    return status;
}

size_t ngi_level_of_number(const ngi_level_numbers *numbers, double value) {
    size_t low = 0, high = numbers->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (numbers->value[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low < numbers->count && numbers->value[low] == value
               ? numbers->level[low]
               : numbers->count;
}

/* Two levels of one name could not be told apart. */
ng_status ngi_levels_expect_distinct(ng_ctx *ctx,
                                     const ngi_variable *variable) {
    ngi_strings seen;
    size_t index;
    ng_status status = NG_OK;
    ngi_strings_init(&seen, ctx);
    for (size_t k = 0; k < variable->levels.count && status == NG_OK; k++) {
        const char *name = variable->levels.name[k];
        status = ngi_strings_intern(&seen, name, strlen(name), &index);
        if (status == NG_OK && index != k)
            status = ngi_fail(ctx, NG_EDATA,
                              "formula: column \"%s\" has the level \"%s\" "
                              "twice",
                              variable->column, name);
    }
    ngi_strings_clear(&seen);
    return status;
}

/* ---- The reference -------------------------------------------------------
 */

static bool same_level(const char *level, const char *wanted) {
    double a, b;
    return strcmp(level, wanted) == 0 ||
           (ngi_cell_classify(level, strlen(level), &a) == NGI_CELL_NUMBER &&
            ngi_cell_classify(wanted, strlen(wanted), &b) == NGI_CELL_NUMBER &&
            a == b);
}

bool ngi_levels_put_first(ngi_levels *levels, const char *name) {
    size_t found = ngi_levels_find(levels, name);
    for (size_t k = 0; k < levels->count && found == levels->count; k++)
        if (same_level(levels->name[k], name))
            found = k;
    if (found == levels->count)
        return false;
    char *first = levels->name[found];
    memmove(levels->name + 1, levels->name, found * sizeof *levels->name);
    levels->name[0] = first;
    return true;
}

ng_status ngi_levels_order(ng_ctx *ctx, const char *source, const char *column,
                           ngi_levels *levels, const char *const *order,
                           size_t count) {
    size_t known = 0;
    for (size_t i = count; i-- > 0;)
        known += ngi_levels_put_first(levels, order[i]);
    /* A name twice leaves fewer at the front than were named. */
    for (size_t i = 0; i < count && known == count; i++)
        known -= i >= levels->count || !same_level(levels->name[i], order[i]);
    if (known == count && count == levels->count)
        return NG_OK;
    for (size_t i = 0; i < count; i++) {
        if (!ngi_levels_put_first(levels, order[i]))
            return ngi_fail(ctx, NG_EDATA,
                            "%s: column \"%s\" has no level \"%s\"", source,
                            column, ngi_show_string(order[i]).text);
    }
    return ngi_fail(ctx, NG_EDATA,
                    "%s: column \"%s\": expected an order of all its %zu "
                    "levels, each once",
                    source, column, levels->count);
}
