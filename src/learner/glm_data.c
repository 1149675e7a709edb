/* A table seen through a design: the rows of a glm, block by block, and the
 * first look at them. */
#include "learner/glm.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Half of a second-level cache for a block and what becomes of it. */
enum { CACHE_DOUBLES = 49152, MIN_BLOCK = 256, MAX_BLOCK = 1024 };

static size_t choose_block_rows(size_t width, size_t rows) {
    size_t count = CACHE_DOUBLES / (width + 8);
    count = count < MIN_BLOCK ? MIN_BLOCK : count;
    count = count > MAX_BLOCK ? MAX_BLOCK : count;
    return count < rows ? count : rows;
}

/* ---- A block ---- */

typedef struct passing {
    const ngi_glm_data *data;
    ngi_glm_visit visit;
    void *user;
} passing;

static const double *numbers(const ngi_table_block *block, size_t column) {
    return column == SIZE_MAX ? NULL : block->values[column];
}

/* Counts become shares; trials multiply the weight. */
static void divide_trials(const ngi_glm_worker *w, size_t n,
                          const double *trials, const double *prior) {
    for (size_t i = 0; i < n; i++) {
        w->y[i] = trials[i] > 0 ? w->y[i] / trials[i] : 0;
        w->weight[i] = trials[i] * (prior ? prior[i] : 1);
    }
}

static void make_response(const ngi_glm_data *data, ngi_glm_worker *w,
                          const ngi_table_block *from, ngi_glm_block *out) {
    const ngi_design *design = data->model->design;
    const double *prior = numbers(from, data->weights);
    const double *trials = numbers(from, data->trials);
    size_t n = from->count;
    bool counts = design->response == NGI_RESPONSE_COUNTS;
    if (design->response == NGI_RESPONSE_NONE)
        memcpy(w->y, from->values[data->target], n * sizeof *w->y);
    else
        ngi_design_response(&data->binding, from, w->work, w->y,
                            counts ? w->failures : NULL);
    for (size_t i = 0; data->map && i < n; i++)
        w->y[i] = data->map[(size_t)w->y[i]];
    for (size_t i = 0; counts && i < n; i++)
        w->trials[i] = w->y[i] + w->failures[i];
    if (counts)
        trials = w->trials;
    out->y = w->y;
    out->weight = prior;
    out->trials = trials;
    if (!trials)
        return;
    divide_trials(w, n, trials, prior);
    out->weight = w->weight;
}

static void make_offset(const ngi_glm_data *data, ngi_glm_worker *w,
                        const ngi_table_block *from, ngi_glm_block *out) {
    const double *column = numbers(from, data->offset);
    out->offset = column;
    if (!data->model->design->has_offset)
        return;
    ngi_design_offset(&data->binding, from, w->work, w->offset);
    for (size_t i = 0; column && i < from->count; i++)
        w->offset[i] += column[i];
    out->offset = w->offset;
}

static void make_block(const ngi_glm_data *data, ngi_glm_worker *w,
                       const ngi_table_block *from, ngi_glm_block *out) {
    *out =
        (ngi_glm_block){.first = from->first, .count = from->count, .x = w->x};
    make_response(data, w, from, out);
    make_offset(data, w, from, out);
    /* Last, for the columns live in the scratch that the others used. */
    ngi_design_columns(&data->binding, from, w->work, w->x);
}

static void pass_on(void *user, size_t worker, const ngi_table_block *block) {
    const passing *p = user;
    ngi_glm_block out;
    make_block(p->data, &p->data->worker[worker], block, &out);
    p->visit(p->user, worker, &out);
}

static ng_status each(const ngi_glm_rows *rows, size_t stride,
                      ngi_glm_visit visit, void *user) {
    const ngi_glm_data *data = rows->state;
    passing p = {data, visit, user};
    return data->table->each(data->table, rows->block_rows, stride, pass_on,
                             &p);
}

/* ---- The first look ---- */

enum { GOOD, BAD_WEIGHT, BAD_TRIALS, BAD_COUNT, BAD_Y, BAD_OFFSET, BAD_X };

static void note(ngi_glm_worker *w, size_t row, int kind, size_t column,
                 double value) {
    if (row >= w->finding.row)
        return;
    w->finding = (ngi_glm_finding){row, kind, column, value};
}

static int judge_row(const ngi_glm_data *data, const ngi_glm_block *block,
                     const double *prior, size_t i, double *value) {
    const ngi_glm_family *family = data->model->glm;
    double y = block->y[i];
    *value = prior ? prior[i] : 1;
    if (!(*value >= 0) || isinf(*value))
        return BAD_WEIGHT;
    *value = block->offset ? block->offset[i] : 0;
    if (!isfinite(*value))
        return BAD_OFFSET;
    if (block->trials) {
        double trials = *value = block->trials[i];
        if (!(trials >= 0) || trials != floor(trials) || isinf(trials))
            return BAD_TRIALS;
        *value = y = y * trials;
        double count = rint(y);
        return fabs(y - count) <= 1e-9 * trials && count >= 0 && count <= trials
                   ? GOOD
                   : BAD_COUNT;
    }
    *value = y;
    bool binary = strcmp(family->name, "binomial") == 0 && !prior;
    if (!family->has_levels && (!family->in_support(y, data->options->power) ||
                                (binary && y != 0 && y != 1)))
        return BAD_Y;
    return GOOD;
}

/* Running mean and spread of a block joined to those so far (Chan, Golub &
 * LeVeque 1979). */
static void join(ngi_glm_totals *to, const ngi_glm_totals *more) {
    double total = to->weight + more->weight;
    if (!(more->weight > 0)) {
        return;
    }
    double gap = more->mean - to->mean, share = more->weight / total;
    to->spread += more->spread + gap * gap * to->weight * share;
    to->mean += gap * share;
    to->offset += (more->offset - to->offset) * share;
    to->weight = total;
    to->used += more->used;
    to->log_weight += more->log_weight;
    to->trials += more->trials;
}

static void add_block(const ngi_glm_data *data, ngi_glm_worker *w,
                      const ngi_glm_block *block) {
    ngi_glm_totals t = {0};
    for (size_t i = 0; i < block->count; i++) {
        double weight = block->weight ? block->weight[i] : 1;
        t.weight += weight;
        t.mean += weight * block->y[i];
        t.offset += weight * (block->offset ? block->offset[i] : 0);
        t.used += weight > 0;
        t.log_weight += block->weight && weight > 0 ? log(weight) : 0;
        t.trials += block->trials && weight > 0 ? block->trials[i] : 0;
        if (data->level_weight)
            w->level_weight[(size_t)block->y[i]] += weight;
    }
    if (!(t.weight > 0))
        return;
    t.mean /= t.weight;
    t.offset /= t.weight;
    for (size_t i = 0; i < block->count; i++) {
        double r = block->y[i] - t.mean;
        t.spread += (block->weight ? block->weight[i] : 1) * r * r;
    }
    join(&w->totals, &t);
}

static void check_columns(const ngi_glm_data *data, ngi_glm_worker *w,
                          const ngi_glm_block *block) {
    size_t work = ngi_design_work(data->model->design, data->rows.block_rows);
    for (size_t j = 0; j < data->rows.width; j++) {
        const double *x = block->x[j];
        double sum = 0;
        /* The table's own numbers are finite. */
        if (x < w->work || x >= w->work + work)
            continue;
        for (size_t i = 0; i < block->count; i++)
            sum += x[i] - x[i];
        for (size_t i = 0; sum != 0 && i < block->count; i++) {
            if (!isfinite(x[i]))
                note(w, block->first + i, BAD_X, j, x[i]);
        }
    }
}

static void look(void *user, size_t worker, const ngi_table_block *from) {
    const ngi_glm_data *data = user;
    ngi_glm_worker *w = &data->worker[worker];
    ngi_glm_block block;
    double value;
    make_block(data, w, from, &block);
    for (size_t i = 0; i < block.count; i++) {
        int kind =
            judge_row(data, &block, numbers(from, data->weights), i, &value);
        if (kind != GOOD) {
            note(w, block.first + i, kind, 0, value);
            break;
        }
    }
    check_columns(data, w, &block);
    if (w->finding.row == SIZE_MAX)
        add_block(data, w, &block);
}

ng_status ngi_glm_bad_row(const ngi_glm_data *data, size_t row,
                          const char *column, const char *expected,
                          double found) {
    return ngi_fail(data->ctx, NG_EDATA,
                    "%s: row %zu, column \"%s\": expected %s, found %.6g",
                    data->table->source, data->table->record(data->table, row),
                    column, expected, found);
}

static ng_status report(const ngi_glm_data *data,
                        const ngi_glm_finding *finding) {
    const ng_model *model = data->model;
    const ng_glm_options *options = data->options;
    const ngi_glm_family *family = model->glm;
    bool binary = strcmp(family->name, "binomial") == 0;
    switch (finding->kind) {
    case BAD_WEIGHT:
        return ngi_glm_bad_row(data, finding->row, options->weights,
                               "a weight >= 0", finding->value);
    case BAD_TRIALS:
        return ngi_glm_bad_row(data, finding->row,
                               options->trials ? options->trials
                                               : model->target,
                               "a whole number of trials", finding->value);
    case BAD_COUNT:
        return ngi_glm_bad_row(data, finding->row, model->target,
                               "a number of successes from 0 to the trials",
                               finding->value);
    case BAD_OFFSET:
        return ngi_glm_bad_row(data, finding->row,
                               options->offset ? options->offset : "offset()",
                               "a finite offset", finding->value);
    case BAD_X:
        return ngi_fail(data->ctx, NG_EDATA,
                        "%s: row %zu: term %s: expected a finite number, "
                        "found %g",
                        data->table->source,
                        data->table->record(data->table, finding->row),
                        model->design->name[finding->column], finding->value);
    default:
        break;
    }
    return ngi_fail(
        data->ctx, NG_EDATA,
        "%s: row %zu, column \"%s\": family \"%s\" expects %s, found %.6g",
        data->table->source, data->table->record(data->table, finding->row),
        model->target, family->name,
        !binary            ? family->support
        : options->weights ? "a share from 0 to 1"
                           : "0 or 1",
        finding->value);
}

static ng_status look_at_rows(ngi_glm_data *data) {
    const ngi_glm_finding *first = NULL;
    NG_TRY(
        data->table->each(data->table, data->rows.block_rows, 1, look, data));
    for (size_t k = 0; k < data->rows.workers; k++) {
        ngi_glm_worker *w = &data->worker[k];
        if (w->finding.row != SIZE_MAX &&
            (!first || w->finding.row < first->row))
            first = &w->finding;
        join(&data->totals, &w->totals);
        for (size_t l = 0; data->level_weight && l < data->model->levels.count;
             l++)
            data->level_weight[l] += w->level_weight[l];
    }
    if (first)
        return report(data, first);
    data->rows.total_weight = data->totals.weight;
    data->rows.used = data->totals.used;
    if (data->totals.weight > 0 && isfinite(data->totals.weight))
        return NG_OK;
    const char *named =
        data->options->trials ? data->options->trials : data->options->weights;
    return ngi_fail(data->ctx, NG_EDATA,
                    "%s: column \"%s\": all weights are zero",
                    data->table->source, named ? named : data->model->target);
}

/* ---- Opening ---- */

static ng_status find_numeric(const ngi_glm_data *data, const char *name,
                              size_t *index) {
    *index = SIZE_MAX;
    if (!name)
        return NG_OK;
    const ng_column *column = ngi_table_find(data->table, name, index);
    if (!column)
        return ngi_fail(data->ctx, NG_EDATA, "%s: no column \"%s\"",
                        data->table->source, name);
    if (column->levels)
        return ngi_fail(data->ctx, NG_EDATA,
                        "%s: column \"%s\": expected numbers, found levels "
                        "(\"%s\")",
                        data->table->source, name, column->level[0]);
    return NG_OK;
}

/* Beside a list of features the target's levels are put in order here: what
 * the table calls k is level map[k]. */
static ng_status order_levels(ngi_glm_data *data, size_t count,
                              const char *const *level) {
    const ng_glm_options *o = data->options;
    ngi_levels *levels = &data->model->levels;
    const char *target = data->model->target;
    size_t length = strlen(target);
    if (data->model->design->response != NGI_RESPONSE_NONE)
        return NG_OK;
    for (size_t i = 0; i < o->reference_count; i++) {
        const char *text = o->references[i];
        if (strncmp(text, target, length) != 0 || text[length] != '=')
            continue;
        if (!ngi_levels_put_first(levels, text + length + 1))
            return ngi_fail(data->ctx, NG_EDATA,
                            "%s: reference \"%s\": no such level",
                            data->table->source, text);
    }
    if (o->levels)
        NG_TRY(ngi_levels_order(data->ctx, data->table->source, target, levels,
                                o->levels, o->level_count));
    data->map = ngi_alloc(data->ctx, count, sizeof *data->map);
    for (size_t k = 0; data->map && k < count; k++)
        data->map[k] = (double)ngi_levels_find(levels, level[k]);
    return data->map ? NG_OK : NG_ENOMEM;
}

static ng_status take_levels(ngi_glm_data *data, size_t count,
                             const char *const *level) {
    ng_model *model = data->model;
    const char *target = model->target;
    if (count == 1)
        return ngi_fail(data->ctx, NG_EDATA,
                        "%s: target \"%s\" has one level only (\"%s\"); "
                        "expected two or more",
                        data->table->source, target, level[0]);
    if (!model->glm->has_levels && count != 2)
        return ngi_fail(data->ctx, NG_EDATA,
                        "%s: target \"%s\" has %zu levels; family "
                        "\"%s\" expects two",
                        data->table->source, target, count, model->glm->name);
    NG_TRY(ngi_levels_copy(data->ctx, count, level, &model->levels));
    return order_levels(data, count, level);
}

/* The levels of the target, where it has any and the family wants them. */
static ng_status find_target(ngi_glm_data *data) {
    ng_model *model = data->model;
    const ngi_design *design = model->design;
    bool binomial = strcmp(model->glm->name, "binomial") == 0;
    const char *const *level = NULL;
    size_t count = 0;
    data->target = SIZE_MAX;
    if (design->response == NGI_RESPONSE_NONE) {
        const ng_column *column =
            ngi_table_find(data->table, model->target, &data->target);
        if (!column)
            return ngi_fail(data->ctx, NG_EDATA, "%s: no column \"%s\"",
                            data->table->source, model->target);
        count = column->levels;
        level = column->level;
    }
    for (size_t v = 0;
         design->response == NGI_RESPONSE_COLUMN && v < design->variables;
         v++) {
        if (strcmp(design->variable[v].column, model->target) != 0)
            continue;
        count = design->variable[v].levels.count;
        level = (const char *const *)design->variable[v].levels.name;
    }
    if (count &&
        (model->glm->has_levels || (binomial && !data->options->trials)))
        return take_levels(data, count, level);
    if (count)
        return ngi_fail(data->ctx, NG_EDATA,
                        "%s: row %zu, column \"%s\": expected a number, found "
                        "a level",
                        data->table->source,
                        data->table->record(data->table, 0), model->target);
    if (model->glm->has_levels)
        return ngi_fail(data->ctx, NG_EDATA,
                        "%s: target \"%s\" holds numbers; family \"%s\" "
                        "expects levels",
                        data->table->source, model->target, model->glm->name);
    return NG_OK;
}

static ng_status reserve(ngi_glm_data *data) {
    ngi_glm_rows *rows = &data->rows;
    size_t m = rows->block_rows, p = rows->width;
    size_t work = ngi_design_work(data->model->design, m);
    data->worker = ngi_alloc(data->ctx, rows->workers, sizeof *data->worker);
    if (!data->worker)
        return NG_ENOMEM;
    for (size_t k = 0; k < rows->workers; k++) {
        ngi_glm_worker *w = &data->worker[k];
        w->x = ngi_alloc(data->ctx, p, sizeof *w->x);
        w->memory =
            ngi_alloc(data->ctx, 5 * m + work + data->model->levels.count + 8,
                      sizeof *w->memory);
        if (!w->x || !w->memory)
            return NG_ENOMEM;
        w->y = w->memory;
        w->weight = w->y + m;
        w->offset = w->weight + m;
        w->trials = w->offset + m;
        w->failures = w->trials + m;
        w->work = w->failures + m;
        w->level_weight = w->work + work;
        w->finding.row = SIZE_MAX;
    }
    if (data->model->levels.count == 0)
        return NG_OK;
    data->level_weight = ngi_alloc(data->ctx, data->model->levels.count,
                                   sizeof *data->level_weight);
    return data->level_weight ? NG_OK : NG_ENOMEM;
}

ng_status ngi_glm_data_open(const ngi_table *table,
                            const ng_glm_options *options, ng_model *model,
                            ngi_glm_data *data) {
    *data = (ngi_glm_data){
        .ctx = model->ctx, .table = table, .options = options, .model = model};
    NG_TRY(find_target(data));
    NG_TRY(find_numeric(data, options->weights, &data->weights));
    NG_TRY(find_numeric(data, options->offset, &data->offset));
    NG_TRY(find_numeric(data, options->trials, &data->trials));
    NG_TRY(ngi_design_bind(model->design, table, true, &data->binding));
    data->bound = true;
    size_t width = model->design->width;
    data->rows =
        (ngi_glm_rows){.ctx = model->ctx,
                       .rows = table->rows,
                       .width = width,
                       .workers = table->workers,
                       .block_rows = choose_block_rows(width, table->rows),
                       .streams = table->streams,
                       .each = each,
                       .state = data};
    NG_TRY(reserve(data));
    return look_at_rows(data);
}

void ngi_glm_data_close(ngi_glm_data *data) {
    for (size_t k = 0; data->worker && k < data->rows.workers; k++) {
        ngi_free(data->ctx, data->worker[k].x);
        ngi_free(data->ctx, data->worker[k].memory);
    }
    ngi_free(data->ctx, data->worker);
    ngi_free(data->ctx, data->level_weight);
    ngi_free(data->ctx, data->map);
    if (data->bound)
        ngi_design_unbind(&data->binding);
    data->bound = false;
}
