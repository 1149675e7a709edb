/* A formula against a small table, or, by the first byte, as a saved design
 * whose variables are the table's: what is made must hold together, be
 * computed, and come back from its own text. */
#include "../learners/design_fill.h"
#include "data/csv.h"
#include "learner/design.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* More columns than this are not computed. */
enum { WIDTH_MOST = 2000 };

static const char TABLE[] =
    "y,x,z,e,f,g,s n\n3,1,2,1,a,p,1\n1,2.5,7,2,b,q,2\n4,0.5,1,10,c,q,0\n"
    "1,3,-8,1,a,p,0\n5,0,2,2,c,q,0.5\n";

static void check_design(const ngi_design *d) {
    if (!d->formula || (d->response == NGI_RESPONSE_NONE) != !d->target)
        abort();
    for (size_t j = 0; j < d->width; j++) {
        size_t length = strlen(d->name[j]);
        if (!length || length >= NGI_NAME_SIZE ||
            (j && d->term[j] < d->term[j - 1]) ||
            (d->intercept && j == 0) != (d->term[j] == 0))
            abort();
    }
    for (size_t v = 0; v < d->variables; v++)
        if (ngi_design_is_input(d, v) && d->variable[v].levels.count == 1)
            abort();
}

static void read_left(void *user, size_t worker, const ngi_table_block *block) {
    const ngi_design_binding *binding = user;
    size_t n = block->count;
    double *work =
        malloc((ngi_design_work(binding->design, n) + 2 * n) * sizeof *work);
    (void)worker;
    if (!work)
        return;
    ngi_design_response(binding, block, work + 2 * n, work, work + n);
    ngi_design_offset(binding, block, work + 2 * n, work);
    free(work);
}

static void use(const ngi_design *design, const ngi_table *table) {
    ngi_design_binding binding;
    if (design->width > WIDTH_MOST ||
        ngi_design_bind(design, table, true, &binding) != NG_OK)
        return;
    double *X = malloc((table->rows * design->width + 1) * sizeof *X);
    if (X && fill_design(&binding, table, X, design->width) != NG_OK)
        abort();
    if (table->each(table, 2, 1, read_left, &binding) != NG_OK)
        abort();
    free(X);
    ngi_design_unbind(&binding);
}

/* From its own text and variables. */
static void check_again(ng_ctx *ctx, const ngi_design *d) {
    ngi_design *again;
    if (ngi_design_restore(ctx, d->formula, d->variable, d->variables,
                           &again) != NG_OK)
        abort();
    if (strcmp(again->formula, d->formula) != 0 || again->width != d->width)
        abort();
    for (size_t j = 0; j < d->width; j++)
        if (strcmp(again->name[j], d->name[j]) != 0)
            abort();
    ngi_design_destroy(&again);
}

static ng_status make(ng_ctx *ctx, const ngi_table *table, unsigned kind,
                      const char *formula, ngi_design **out) {
    static char *levels_f[] = {"a", "b", "c"}, *levels_e[] = {"1", "2", "10"};
    static const ngi_variable variables[] = {{"y", {0, NULL}},
                                             {"x", {0, NULL}},
                                             {"f", {3, levels_f}},
                                             {"e", {3, levels_e}}};
    static const ngi_reference reference = {"f", "b"};
    static const char *const reserved[] = {"z"};
    ngi_design_spec spec = {.formula = formula,
                            .reserved = reserved,
                            .reserved_count = kind >> 3 & 1,
                            .reference = &reference,
                            .references = kind >> 4 & 1};
    return kind & 1
               ? ngi_design_restore(ctx, formula, variables + (kind >> 5 & 1),
                                    1 + (kind >> 1 & 3) % 3, out)
               : ngi_design_create(ctx, table, &spec, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ng_ctx *ctx;
    ng_frame *frame;
    ngi_table table;
    ngi_design *design;
    char *formula = malloc(size + 1);
    if (!size || !formula || ng_ctx_create(NULL, &ctx) != NG_OK) {
        free(formula);
        return 0;
    }
    memcpy(formula, data + 1, size - 1);
    formula[size - 1] = '\0';
    if (ngi_frame_parse_csv(ctx, "fuzz", TABLE, sizeof TABLE - 1, NULL,
                            &frame) != NG_OK)
        abort();
    ngi_table_of_frame(frame, &table);
    ng_status status = make(ctx, &table, data[0], formula, &design);
    if (status != NG_OK && (design || !*ng_error(ctx)))
        abort();
    if (status == NG_OK) {
        check_design(design);
        use(design, &table);
        check_again(ctx, design);
    }
    ngi_design_destroy(&design);
    ng_frame_destroy(&frame);
    ng_ctx_destroy(&ctx);
    free(formula);
    return 0;
}
