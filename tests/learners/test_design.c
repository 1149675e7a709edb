/* Formulas and the designs that they make: R's columns, names and terms, and
 * the same from a saved design and over other data. */
#include "design_cases.h"
#include "design_fill.h"
#include "design_fixture.h"

/* All of X, row-major. */
static double *matrix_of(const ngi_design *design) {
    ngi_design_binding binding;
    double *X = malloc((table.rows * design->width + 1) * sizeof *X);
    ck_assert_ptr_nonnull(X);
    OK(ngi_design_bind(design, &table, false, &binding));
    OK(fill_design(&binding, &table, X, design->width));
    ngi_design_unbind(&binding);
    return X;
}

static void check_terms(const ngi_design *design, const char *terms) {
    char text[1024] = "";
    for (size_t j = 0; j < design->width; j++)
        sprintf(text + strlen(text), "%s%zu", j ? " " : "", design->term[j]);
    ck_assert_str_eq(text, terms);
}

/* Twelve products and sums, and a function off by a few units in the last
 * place, in either program. */
static void check_sums(const design_case *c, const ngi_design *design) {
    double *X = matrix_of(design);
    for (size_t j = 0; j < design->width; j++) {
        double sum = 0, scale = 0;
        for (size_t i = 0; i < CASE_ROWS; i++) {
            double value = X[i * design->width + j] * (double)(1u << i);
            sum += value;
            scale += fabs(value);
        }
        ck_assert_msg(fabs(sum - c->sum[j]) <= 32 * DBL_EPSILON * scale,
                      "%s: %s: %.17g, expected %.17g", c->formula,
                      design->name[j], sum, c->sum[j]);
    }
    free(X);
}

START_TEST(columns_are_those_of_R) {
    open_text(CASE_DATA, NULL);
    for (size_t i = 0; i < CASE_COUNT; i++) {
        ngi_design *design = design_of(CASES[i].formula);
        check_names(design, CASES[i].names);
        check_terms(design, CASES[i].terms);
        check_sums(&CASES[i], design);
        ngi_design_destroy(&design);
    }
    ng_frame_destroy(&frame);
}
END_TEST

static void check_same_design(const ngi_design *a, const ngi_design *b) {
    ck_assert_str_eq(a->formula, b->formula);
    ck_assert_uint_eq(a->width, b->width);
    ck_assert_uint_eq(a->variables, b->variables);
    ck_assert_int_eq(a->response, b->response);
    ck_assert_int_eq(a->intercept, b->intercept);
    ck_assert_int_eq(a->has_offset, b->has_offset);
    ck_assert_pstr_eq(a->target, b->target);
    for (size_t v = 0; v < a->variables; v++) {
        ck_assert_str_eq(a->variable[v].column, b->variable[v].column);
        ck_assert_uint_eq(a->variable[v].levels.count,
                          b->variable[v].levels.count);
        ck_assert_int_eq(ngi_design_is_input(a, v), ngi_design_is_input(b, v));
    }
    for (size_t j = 0; j < a->width; j++) {
        ck_assert_str_eq(a->name[j], b->name[j]);
        ck_assert_uint_eq(a->term[j], b->term[j]);
    }
    double *X = matrix_of(a), *Z = matrix_of(b);
    ck_assert_mem_eq(X, Z, table.rows * a->width * sizeof *X);
    free(X);
    free(Z);
}

START_TEST(a_saved_design_is_the_same_again) {
    open_text(CASE_DATA, NULL);
    for (size_t i = 0; i < CASE_COUNT; i++) {
        ngi_design *design = design_of(CASES[i].formula), *again;
        OK(ngi_design_restore(ctx, design->formula, design->variable,
                              design->variables, &again));
        check_same_design(design, again);
        ngi_design_destroy(&design);
        ngi_design_destroy(&again);
    }
    ng_frame_destroy(&frame);
}
END_TEST

START_TEST(the_canonical_formula_is_written_as_R_writes) {
    static const char *const FORMULAS[][2] = {
        {"y~.", "y ~ x + z + e + f + g + h"},
        {" y ~ .^2-x", "y ~ (x + z + e + f + g + h)^2 - x"},
        {"log( y )~. - 1", "log(y) ~ x + z + e + f + g + h - 1"},
        {"y~f:.", "y ~ f:(x + z + e + f + g + h)"},
        {"~x**2 %in%f", "~ x^2 %in% f"},
        {"y~I( 2.50*x/-z )+poly(x,degree=2,raw=T)",
         "y ~ I(2.5 * x/-z) + poly(x, degree = 2, raw = TRUE)"},
        {"`y`~`x`+((z))", "y ~ x + ((z))"},
        {"cbind(y,z-y)~f/(x+g)", "cbind(y, z - y) ~ f/(x + g)"},
    };
    open_text(CASE_DATA, NULL);
    for (size_t i = 0; i < sizeof FORMULAS / sizeof *FORMULAS; i++) {
        ngi_design *design = design_of(FORMULAS[i][0]);
        ck_assert_str_eq(design->formula, FORMULAS[i][1]);
        ngi_design_destroy(&design);
    }
    ng_frame_destroy(&frame);
}
END_TEST

START_TEST(levels_of_numbers_are_sorted_and_named_by_text) {
    open_text("y,k\n1,10\n2,2\n3,-1.5\n4,10\n5,-0\n6,0\n7,0.1\n", NULL);
    ngi_design *design = design_of("y ~ C(k)");
    check_names(design, "(Intercept)|C(k)[0]|C(k)[0.1]|C(k)[2]|C(k)[10]");
    double *X = matrix_of(design);
    ck_assert_double_eq(X[4], 1);
    ck_assert_double_eq(X[4 * 5 + 1], 1);
    ck_assert_double_eq(X[5 * 5 + 1], 1);
    ck_assert_double_eq(X[2 * 5 + 1], 0);
    free(X);
    ngi_design_destroy(&design);
    ng_frame_destroy(&frame);
}
END_TEST

/* As levels and as a number at once. */
START_TEST(a_column_may_be_a_number_and_a_factor) {
    open_text("y,k\n1,3\n2,1\n3,2\n", NULL);
    ngi_design *design = design_of("y ~ C(k) + k + log(k)"), *again;
    check_names(design, "(Intercept)|C(k)[2]|C(k)[3]|k|log(k)");
    ck_assert_uint_eq(design->variables, 3);
    ck_assert_uint_eq(design->variable[1].levels.count, 0);
    ck_assert_uint_eq(design->variable[2].levels.count, 3);
    OK(ngi_design_restore(ctx, design->formula, design->variable,
                          design->variables, &again));
    check_same_design(design, again);
    ngi_design_destroy(&design);
    ngi_design_destroy(&again);
    ng_frame_destroy(&frame);
}
END_TEST

START_TEST(a_reference_level_comes_first) {
    const ngi_reference references[] = {{"f", "b"}, {"e", "2.0"}, {"g", "q"}};
    ngi_design_spec spec = {
        .formula = "g ~ f + C(e)", .reference = references, .references = 3};
    ngi_design *design;
    open_text(CASE_DATA, NULL);
    OK(ngi_design_create(ctx, &table, &spec, &design));
    check_names(design, "(Intercept)|f[a]|f[c]|C(e)[1]|C(e)[10]");
    ck_assert_str_eq(design->variable[0].column, "g");
    ck_assert_str_eq(design->variable[0].levels.name[0], "q");
    double *X = matrix_of(design);
    ck_assert_double_eq(X[1], 1);
    ck_assert_double_eq(X[1 * 5 + 1] + X[1 * 5 + 2], 0);
    ck_assert_double_eq(X[2 * 5 + 4], 1);
    free(X);
    ngi_design_destroy(&design);
    ng_frame_destroy(&frame);
}
END_TEST

/* ---- Responses and offsets ---- */

typedef struct reader {
    const ngi_design_binding *binding;
    double *work, *y, *failures, *offset;
} reader;

static void read_block(void *user, size_t worker,
                       const ngi_table_block *block) {
    const reader *r = user;
    (void)worker;
    ngi_design_response(r->binding, block, r->work, r->y + block->first,
                        r->failures + block->first);
    ngi_design_offset(r->binding, block, r->work, r->offset + block->first);
}

static void read_all(const ngi_design *design, double *y, double *failures,
                     double *offset) {
    enum { ROWS = 5 };
    ngi_design_binding binding;
    OK(ngi_design_bind(design, &table, true, &binding));
    reader r = {&binding,
                malloc(ngi_design_work(design, ROWS) * sizeof(double)), y,
                failures, offset};
    ck_assert_ptr_nonnull(r.work);
    OK(table.each(&table, ROWS, 1, read_block, &r));
    free(r.work);
    ngi_design_unbind(&binding);
}

START_TEST(the_left_side_is_a_column_or_arithmetic_or_counts) {
    double y[CASE_ROWS], failures[CASE_ROWS], offset[CASE_ROWS];
    open_text(CASE_DATA, NULL);
    ngi_design *design = design_of("cbind(y, z - 1) ~ offset(log(x)) + "
                                   "offset(2 * z) + f");
    ck_assert_int_eq(design->response, NGI_RESPONSE_COUNTS);
    ck_assert_str_eq(design->target, "cbind(y, z - 1)");
    ck_assert(design->has_offset);
    read_all(design, y, failures, offset);
    ck_assert_double_eq(y[5], 9);
    ck_assert_double_eq(failures[5], 7);
    NEAR(offset[5], log(2) + 16, 4 * DBL_EPSILON * 16);
    ngi_design_destroy(&design);

    design = design_of("log(y)/2 ~ x");
    ck_assert_int_eq(design->response, NGI_RESPONSE_EXPRESSION);
    ck_assert_str_eq(design->target, "log(y)/2");
    read_all(design, y, failures, offset);
    ck_assert_double_eq(y[11], log(8) / 2);
    ck_assert_double_eq(offset[11], 0);
    ngi_design_destroy(&design);

    design = design_of("f ~ x");
    ck_assert_int_eq(design->response, NGI_RESPONSE_COLUMN);
    read_all(design, y, failures, offset);
    ck_assert_double_eq(y[8], 2);
    ck_assert(!ngi_design_is_input(design, 0));
    ck_assert(ngi_design_is_input(design, 1));
    ngi_design_destroy(&design);

    design = design_of("C(e) ~ x");
    ck_assert_int_eq(design->response, NGI_RESPONSE_COLUMN);
    ck_assert_str_eq(design->target, "e");
    read_all(design, y, failures, offset);
    ck_assert_double_eq(y[2], 2);
    ngi_design_destroy(&design);
    ng_frame_destroy(&frame);
}
END_TEST

START_TEST(a_left_side_that_is_a_term_too_is_left_out) {
    open_text(CASE_DATA, NULL);
    ngi_design *design = design_of("y ~ y + x + y:x");
    check_names(design, "(Intercept)|x");
    ngi_design_destroy(&design);
    ng_frame_destroy(&frame);
}
END_TEST

/* ---- Features ---- */

START_TEST(features_and_reserved_columns_make_a_design) {
    static const char *const features[] = {"a b", "log(x)", "f"};
    static const char *const reserved[] = {"y", "f"};
    ngi_design_spec spec = {.features = features,
                            .feature_count = 3,
                            .intercept = 1,
                            .reserved = reserved,
                            .reserved_count = 2};
    ngi_design *design;
    open_text("y,a b,log(x),`,f\n1,2,3,4,u\n1,2,3,4,v\n", NULL);
    OK(ngi_design_create(ctx, &table, &spec, &design));
    ck_assert_int_eq(design->response, NGI_RESPONSE_NONE);
    ck_assert_str_eq(design->formula, "~ `a b` + `log(x)` + f");
    check_names(design, "(Intercept)|a b|log(x)|f[v]");
    ngi_design_destroy(&design);
    spec.features = NULL;
    spec.intercept = 0;
    OK(ngi_design_create(ctx, &table, &spec, &design));
    ck_assert_str_eq(design->formula, "~ `a b` + `log(x)` + `\\`` - 1");
    check_names(design, "a b|log(x)|`");
    ngi_design_destroy(&design);
    spec.features = features;
    spec.feature_count = 0;
    OK(ngi_design_create(ctx, &table, &spec, &design));
    ck_assert_str_eq(design->formula, "~ 0");
    ck_assert_uint_eq(design->width, 0);
    ngi_design_destroy(&design);
    ng_frame_destroy(&frame);
}
END_TEST

/* Numbers are not copied. */
START_TEST(a_numeric_column_is_the_tables_own_memory) {
    const double *x[3];
    double work[64];
    ngi_design_binding binding;
    open_text("y,a,b\n1,2,3\n1,2,4\n", NULL);
    ngi_design *design = design_of("y ~ b + a");
    OK(ngi_design_bind(design, &table, true, &binding));
    const double *values[] = {ng_frame_column(frame, 0)->values,
                              ng_frame_column(frame, 1)->values,
                              ng_frame_column(frame, 2)->values};
    ngi_table_block block = {0, 2, values};
    ck_assert_uint_le(ngi_design_work(design, 2), 64);
    ngi_design_columns(&binding, &block, work, x);
    ck_assert_ptr_eq(x[1], values[2]);
    ck_assert_ptr_eq(x[2], values[1]);
    ck_assert_double_eq(x[0][1], 1);
    ngi_design_unbind(&binding);
    ngi_design_destroy(&design);
    ng_frame_destroy(&frame);
}
END_TEST

/* ---- Other data than those of the fit ---- */

static void check_bind(const ngi_design *design, const char *csv,
                       const char *factor, const char *message) {
    ngi_design_binding binding;
    open_text(csv, factor);
    ng_status status = ngi_design_bind(design, &table, false, &binding);
    if (message) {
        ck_assert_int_eq(status, NG_EDATA);
        ck_assert_str_eq(ng_error(ctx), message);
    } else {
        double X[8];
        OK(status);
        OK(fill_design(&binding, &table, X, 4));
        ck_assert_double_eq(X[1], 0);
        ck_assert_double_eq(X[2], 1);
        ck_assert_double_eq(X[3], 7);
        ck_assert_double_eq(X[5], 0);
        ck_assert_double_eq(X[6], 0);
    }
    ngi_design_unbind(&binding);
    ng_frame_destroy(&frame);
}

START_TEST(levels_are_matched_by_name) {
    open_text("y,f,x\n1,a,1\n2,b,2\n3,c,3\n", NULL);
    ngi_design *design = design_of("y ~ f + x");
    ng_frame_destroy(&frame);
    check_bind(design, "x,f\n7,c\n8,a\n", NULL, NULL);
    check_bind(design, "x,f\n7,c\n8,z\n", NULL,
               "text: row 2, column \"f\": level \"z\" was not seen when the "
               "model was fitted");
    check_bind(design, "x,f\n7,1\n8,2\n", NULL,
               "text: column \"f\" holds numbers; the model expects levels");
    check_bind(design, "x,f\n7,a\nq,b\n", NULL,
               "text: row 2, column \"x\": expected a number, found \"q\"");
    check_bind(design, "x,f\n7,a\n8,b\n", "x",
               "text: column \"x\" holds levels; the model expects numbers");
    check_bind(design, "x\n7\n", NULL, "text: no column \"f\"");
    ngi_design_destroy(&design);
}
END_TEST

START_TEST(levels_that_are_numbers_are_matched_as_such) {
    open_text("y,k,x\n1,1,1\n2,5,2\n3,10,3\n", NULL);
    ngi_design *design = design_of("y ~ C(k) + x");
    ng_frame_destroy(&frame);
    check_bind(design, "x,k\n7,10\n8,1\n", NULL, NULL);
    check_bind(design, "x,k\n7,10\n8,1\n", "k", NULL);
    check_bind(design, "x,k\n7,10.0\n8,1e0\n", "k", NULL);
    check_bind(design, "x,k\n7,10\n8,1.5\n", NULL,
               "text: row 2, column \"k\": level \"1.5\" was not seen when "
               "the model was fitted");
    ngi_design_destroy(&design);
    open_text("y,k,x\n1,1,1\n2,5,2\n3,10,3\n", "k");
    design = design_of("y ~ k + x");
    ng_frame_destroy(&frame);
    check_bind(design, "x,k\n7,10\n8,1\n", NULL, NULL);
    ngi_design_destroy(&design);
}
END_TEST

START_TEST(workers_and_blocks_do_not_change_the_columns) {
    enum { ROWS = 1000 };
    static double x[ROWS], k[ROWS], X[2][ROWS * 10];
    static const char *const names[] = {"x", "k"};
    const double *values[] = {x, k};
    for (size_t i = 0; i < ROWS; i++) {
        x[i] = sin((double)i);
        k[i] = (double)(i * 7 % 5);
    }
    for (size_t threads = 1; threads <= 2; threads++) {
        ng_ctx_options options = {.threads = threads};
        ngi_design_spec spec = {.formula = "~C(k)*exp(x) - 1"};
        ngi_design_binding binding;
        ngi_design *design;
        ng_ctx *own;
        ng_frame *data;
        ngi_table t;
        ck_assert_int_eq(ng_ctx_create(&options, &own), NG_OK);
        ck_assert_int_eq(
            ng_frame_from_arrays(own, ROWS, 2, names, values, &data), NG_OK);
        ngi_table_of_frame(data, &t);
        ck_assert_int_eq(ngi_design_create(own, &t, &spec, &design), NG_OK);
        ck_assert_uint_eq(design->width, 10);
        ck_assert_int_eq(ngi_design_bind(design, &t, true, &binding), NG_OK);
        ck_assert_int_eq(fill_design(&binding, &t, X[threads - 1], 10), NG_OK);
        ngi_design_unbind(&binding);
        ngi_design_destroy(&design);
        ng_frame_destroy(&data);
        ng_ctx_destroy(&own);
    }
    ck_assert_mem_eq(X[0], X[1], sizeof X[0]);
}
END_TEST

static void add(TCase *tests) {
    tcase_add_test(tests, columns_are_those_of_R);
    tcase_add_test(tests, a_saved_design_is_the_same_again);
    tcase_add_test(tests, the_canonical_formula_is_written_as_R_writes);
    tcase_add_test(tests, levels_of_numbers_are_sorted_and_named_by_text);
    tcase_add_test(tests, a_column_may_be_a_number_and_a_factor);
    tcase_add_test(tests, a_reference_level_comes_first);
    tcase_add_test(tests, the_left_side_is_a_column_or_arithmetic_or_counts);
    tcase_add_test(tests, a_left_side_that_is_a_term_too_is_left_out);
    tcase_add_test(tests, features_and_reserved_columns_make_a_design);
    tcase_add_test(tests, a_numeric_column_is_the_tables_own_memory);
    tcase_add_test(tests, levels_are_matched_by_name);
    tcase_add_test(tests, levels_that_are_numbers_are_matched_as_such);
    tcase_add_test(tests, workers_and_blocks_do_not_change_the_columns);
}

int main(void) {
    return learner_main("design", add);
}
