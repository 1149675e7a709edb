/* Columns of a design over a block of rows. */
#include "learner/design_parts.h"

#include <math.h>
#include <string.h>

typedef struct view {
    const ngi_design_binding *binding;
    const struct ngi_design_terms *terms;
    const ngi_table_block *block;
    size_t rows;
    double *work;
} view;

static view make_view(const ngi_design_binding *binding,
                      const ngi_table_block *block, double *work) {
    return (view){binding, binding->design->terms, block, block->count, work};
}

static double *slot(const view *w, size_t index) {
    return w->work + index * w->rows;
}

static double *shared_slot(const view *w, size_t index) {
    return slot(w, w->terms->shared + index);
}

static const double *table_values(const view *w, size_t variable) {
    return w->block->values[w->binding->column[variable]];
}

/* ---- Arithmetic ----------------------------------------------------------
 * Operands are columns of the table, or results in the stack's slots, the
 * first of which is the place of the answer. */

static void fill(size_t n, double value, double *out) {
    for (size_t i = 0; i < n; i++)
        out[i] = value;
}

static void raise(size_t n, const double *a, const double *b, double *out) {
    for (size_t i = 0; i < n; i++)
        out[i] = b[i] == 2 ? a[i] * a[i] : pow(a[i], b[i]);
}

static void apply_two(ngi_operation operation, size_t n, const double *a,
                      const double *b, double *out) {
    switch (operation) {
    case NGI_OPERATION_ADD:
        for (size_t i = 0; i < n; i++)
            out[i] = a[i] + b[i];
        break;
    case NGI_OPERATION_SUBTRACT:
        for (size_t i = 0; i < n; i++)
            out[i] = a[i] - b[i];
        break;
    case NGI_OPERATION_MULTIPLY:
        for (size_t i = 0; i < n; i++)
            out[i] = a[i] * b[i];
        break;
    case NGI_OPERATION_DIVIDE:
        for (size_t i = 0; i < n; i++)
            out[i] = a[i] / b[i];
        break;
    default:
        raise(n, a, b, out);
    }
}

static void apply_one(const ngi_instruction *step, size_t n, const double *a,
                      double *out) {
    if (step->operation == NGI_OPERATION_NEGATE) {
        for (size_t i = 0; i < n; i++)
            out[i] = -a[i];
        return;
    }
    double (*value)(double) = NGI_FUNCTIONS[step->index].value;
    for (size_t i = 0; i < n; i++)
        out[i] = value(a[i]);
}

static void evaluate(const view *w, const ngi_expression *expression,
                     double *out) {
    const double *operand[NGI_STACK_MOST];
    size_t depth = 0, n = w->rows;
    for (size_t k = 0; k < expression->count; k++) {
        const ngi_instruction *step =
            &w->terms->formula.instruction[expression->first + k];
        bool two = step->operation >= NGI_OPERATION_ADD &&
                   step->operation <= NGI_OPERATION_POWER;
        bool pushes = step->operation == NGI_OPERATION_NUMBER ||
                      step->operation == NGI_OPERATION_COLUMN;
        depth -= pushes ? 0 : two ? 2 : 1;
        double *to = depth ? shared_slot(w, NGI_SLOT_STACK + depth - 1) : out;
        const double *a = pushes ? NULL : operand[depth];
        operand[depth] = to;
        if (step->operation == NGI_OPERATION_COLUMN)
            operand[depth] = table_values(w, step->index);
        else if (step->operation == NGI_OPERATION_NUMBER)
            fill(n, step->number, to);
        else if (two)
            apply_two(step->operation, n, a, operand[depth + 1], to);
        else
            apply_one(step, n, a, to);
        depth++;
    }
    if (operand[0] != out)
        memcpy(out, operand[0], n * sizeof *out);
}

/* ---- Sources -------------------------------------------------------------
 */

/* Level indices of a factor: the table's own, or in `out`. A level that the
 * design does not have, which no bound table holds, counts as the first. */
static const double *level_indices(const view *w, size_t variable,
                                   double *out) {
    const double *value = table_values(w, variable);
    const double *map = w->binding->map[variable];
    const ngi_level_numbers *numbers = &w->terms->numbers[variable];
    if (w->binding->reading[variable] == NGI_READING_DIRECT)
        return value;
    for (size_t i = 0; i < w->rows; i++) {
        if (w->binding->reading[variable] == NGI_READING_MAP) {
            out[i] = map[(size_t)value[i]];
            continue;
        }
        size_t level = ngi_level_of_number(numbers, value[i]);
        out[i] = level < numbers->count ? (double)level : 0;
    }
    return out;
}

static void compute_source(const view *w, const ngi_source *source) {
    double *out = slot(w, source->slot);
    if (source->kind == NGI_ATOM_COLUMN || source->kind == NGI_ATOM_CODED) {
        if (!source->degree)
            level_indices(w, source->variable, out);
        return;
    }
    evaluate(w, &source->expression, out);
    for (size_t k = 1; k < source->degree; k++) {
        double *power = slot(w, source->slot + k);
        for (size_t i = 0; i < w->rows; i++)
            power[i] = k == 1 ? out[i] * out[i] : pow(out[i], (double)(k + 1));
    }
}

/* What compute_source left, or the table's own. */
static const double *source_values(const view *w, const ngi_source *source,
                                   size_t k) {
    bool column =
        source->kind == NGI_ATOM_COLUMN || source->kind == NGI_ATOM_CODED;
    if (column && (source->degree ||
                   w->binding->reading[source->variable] == NGI_READING_DIRECT))
        return table_values(w, source->variable);
    return slot(w, source->slot + k);
}

/* ---- Terms ---------------------------------------------------------------
 */

static const ngi_source *source_of(const view *w, const ngi_piece *piece) {
    return &w->terms->source[piece->source];
}

/* Columns that the term's numbers have of their own, without its factors. */
static size_t number_columns(const view *w, const ngi_design_term *term) {
    size_t count = 1;
    for (size_t k = 0; k < term->pieces; k++) {
        const ngi_piece *piece = &w->terms->piece[term->first + k];
        count *= source_of(w, piece)->degree ? piece->width : 1;
    }
    return count;
}

/* Product of the term's numbers, the choice-th of them, the first piece
 * varying fastest: `out`, a source's own values where there is one piece only,
 * NULL where there is none. Its place among the term's columns goes to
 * *column. */
static const double *multiply(const view *w, const ngi_design_term *term,
                              size_t choice, double *out, size_t *column) {
    const double *product = NULL;
    *column = 0;
    for (size_t k = 0; k < term->pieces; k++) {
        const ngi_piece *piece = &w->terms->piece[term->first + k];
        const ngi_source *source = source_of(w, piece);
        if (!source->degree)
            continue;
        const double *value = source_values(w, source, choice % piece->width);
        *column += choice % piece->width * piece->stride;
        choice /= piece->width;
        if (product)
            apply_two(NGI_OPERATION_MULTIPLY, w->rows, product, value, out);
        product = product ? out : value;
    }
    return product;
}

/* Where in the term a row's levels put its number, or -1 where all of its
 * indicators are 0. */
static const double *code_levels(const view *w, const ngi_design_term *term) {
    double *code = shared_slot(w, NGI_SLOT_CODE);
    fill(w->rows, 0, code);
    for (size_t k = 0; k < term->pieces; k++) {
        const ngi_piece *piece = &w->terms->piece[term->first + k];
        const ngi_source *source = source_of(w, piece);
        if (source->degree)
            continue;
        const double *level = source_values(w, source, 0);
        double stride = (double)piece->stride, skipped = piece->full ? 0 : 1;
        for (size_t i = 0; i < w->rows; i++)
            code[i] = code[i] < 0 || level[i] < skipped
                          ? -1
                          : code[i] + stride * (level[i] - skipped);
    }
    return code;
}

static void spread(const view *w, const ngi_design_term *term) {
    const double *code = code_levels(w, term);
    double *out = slot(w, term->slot);
    size_t n = w->rows, choices = number_columns(w, term), column;
    memset(out, 0, term->width * n * sizeof *out);
    for (size_t c = 0; c < choices; c++) {
        const double *value =
            multiply(w, term, c, shared_slot(w, NGI_SLOT_PRODUCT), &column);
        for (size_t i = 0; i < n; i++)
            if (code[i] >= 0)
                out[((size_t)code[i] + column) * n + i] = value ? value[i] : 1;
    }
}

static void compute_term(const view *w, const ngi_design_term *term,
                         const double **x) {
    if (term->factors)
        spread(w, term);
    for (size_t j = 0; j < term->width; j++) {
        size_t column = j;
        x[j] = term->factors
                   ? slot(w, term->slot + j)
                   : multiply(w, term, j,
                              term->slot == SIZE_MAX ? NULL
                                                     : slot(w, term->slot + j),
                              &column);
    }
}

/* ---- Entry ---------------------------------------------------------------
 */

size_t ngi_design_work(const ngi_design *design, size_t rows) {
    return design->terms->slots * rows;
}

void ngi_design_columns(const ngi_design_binding *binding,
                        const ngi_table_block *block, double *work,
                        const double **x) {
    view w = make_view(binding, block, work);
    const struct ngi_design_terms *t = w.terms;
    if (binding->design->intercept) {
        fill(w.rows, 1, slot(&w, 0));
        x[0] = slot(&w, 0);
    }
    for (size_t i = 0; i < t->inner; i++)
        compute_source(&w, &t->source[t->inner_source[i]]);
    for (size_t i = 0; i < t->terms; i++)
        compute_term(&w, &t->term[i], x + t->term[i].column);
}

void ngi_design_offset(const ngi_design_binding *binding,
                       const ngi_table_block *block, double *work,
                       double *out) {
    view w = make_view(binding, block, work);
    double *more = shared_slot(&w, NGI_SLOT_PRODUCT);
    fill(w.rows, 0, out);
    for (size_t i = 0; i < w.terms->offsets; i++) {
        const ngi_source *source = &w.terms->source[w.terms->offset[i]];
        evaluate(&w, &source->expression, more);
        apply_two(NGI_OPERATION_ADD, w.rows, out, more, out);
    }
}

void ngi_design_response(const ngi_design_binding *binding,
                         const ngi_table_block *block, double *work, double *y,
                         double *failures) {
    view w = make_view(binding, block, work);
    const ngi_source *left = w.terms->left;
    switch (binding->design->response) {
    case NGI_RESPONSE_NONE:
        return;
    case NGI_RESPONSE_COLUMN: {
        const double *value = left->degree
                                  ? table_values(&w, left->variable)
                                  : level_indices(&w, left->variable, y);
        if (value != y)
            memcpy(y, value, w.rows * sizeof *y);
        return;
    }
    case NGI_RESPONSE_EXPRESSION:
        evaluate(&w, &left[0].expression, y);
        return;
    case NGI_RESPONSE_COUNTS:
        evaluate(&w, &left[0].expression, y);
        if (failures)
            evaluate(&w, &left[1].expression, failures);
        return;
    }
}
