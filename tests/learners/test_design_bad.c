/* Formulas and data that make no design: what is refused, in which words, and
 * that nothing hostile takes long or leaks. */
#include "data/csv.h"
#include "design_cases.h"
#include "design_fill.h"
#include "design_fixture.h"

/* ---- What is refused ---- */

typedef struct refusal {
    const char *formula;
    ng_status status;
    const char *message;
} refusal;

static const refusal REFUSALS[] = {
    {"", NG_EUSAGE,
     "formula, character 1: expected a column, a number or \"(\", found the "
     "end"},
    {"y", NG_EUSAGE,
     "formula, character 2: expected an operator or \"~\", found the end"},
    {"y ~ x + )", NG_EUSAGE,
     "formula, character 9: expected a term after \"+\", found \")\""},
    {"y ~ ", NG_EUSAGE,
     "formula, character 5: expected a term after \"~\", found the end"},
    {"y ~ (x + z", NG_EUSAGE,
     "formula, character 11: expected an operator or \")\", found the end"},
    {"y ~ x z", NG_EUSAGE,
     "formula, character 7: expected an operator, found \"z\""},
    {"\303\251 ~ x & z", NG_EUSAGE,
     "formula, character 7: expected an operator, found \"&\""},
    {"y ~ x ~ z", NG_EUSAGE,
     "formula, character 7: expected an operator, found \"~\""},
    {"y ~ x + 2", NG_EUSAGE,
     "formula, character 9: expected a term, 0 or 1, found \"2\""},
    {"y ~ x^z", NG_EUSAGE,
     "formula, character 7: expected a whole number from 1 after \"^\", found "
     "\"z\""},
    {"y ~ 1:x", NG_EUSAGE,
     "formula, character 6: expected a term on either side of the operator"},
    {"y ~ poly(x, 2)", NG_EUSAGE,
     "formula, character 14: expected \", raw = TRUE\" (orthogonal polynomials "
     "are not offered), found \")\""},
    {"y ~ poly(x, 0, raw = TRUE)", NG_EUSAGE,
     "formula, character 13: expected a degree from 1 to 1000, found \"0\""},
    {"y ~ ns(x)", NG_EUSAGE,
     "formula, character 5: expected one of the functions I, poly, C, factor, "
     "offset, log, log2, log10, log1p, exp, expm1, sqrt, abs, sin, cos, tan, "
     "found \"ns\""},
    {"y ~ log(x:z)", NG_EUSAGE,
     "formula, character 10: expected an operator or \")\", found \":\""},
    {"y ~ log(C(x))", NG_EUSAGE,
     "formula, character 9: expected numbers, found \"C\""},
    {"y ~ C(x + 1)", NG_EUSAGE,
     "formula, character 9: expected \")\", found \"+\""},
    {"y ~ `x", NG_EUSAGE,
     "formula, character 5: expected a second \"`\", found the end"},
    {"y ~ ``", NG_EUSAGE,
     "formula, character 5: expected a name between backticks, found \"``\""},
    {"y ~ x:offset(z)", NG_EUSAGE,
     "formula, character 7: offset() has no interactions"},
    {"y ~ I(x^1e999)", NG_EUSAGE,
     "formula, character 9: expected a finite number, found \"1e999\""},
    {"y ~ x\377", NG_EUSAGE, "formula \"y ~ x?\": expected UTF-8"},
    {"y ~ q", NG_EDATA, "text: no column \"q\""},
    {"y ~ x - q", NG_EDATA, "text: no column \"q\""},
    {"y ~ log(f)", NG_EDATA,
     "text: column \"f\": the formula expects numbers, found the level \"a\""},
    {"cbind(f, y) ~ x", NG_EDATA,
     "text: column \"f\": the formula expects numbers, found the level \"a\""},
    {"y ~ o", NG_EDATA,
     "text: column \"o\" has one level only (\"k\"); expected two or more"},
    {"y ~ C(x)", NG_EDATA,
     "text: column \"x\" has one level only (\"1\"); expected two or more"},
};

START_TEST(what_cannot_be_read_is_refused_in_a_sentence) {
    open_text("y,x,z,f,o,\303\251\n1,1,1,a,k,1\n2,1,3,b,k,2\n", NULL);
    for (size_t i = 0; i < sizeof REFUSALS / sizeof *REFUSALS; i++) {
        ngi_design_spec spec = {.formula = REFUSALS[i].formula};
        ngi_design *design;
        ng_status status = ngi_design_create(ctx, &table, &spec, &design);
        ck_assert_msg(status == REFUSALS[i].status, "%s: %s", spec.formula,
                      ng_error(ctx));
        ck_assert_ptr_null(design);
        ck_assert_str_eq(ng_error(ctx), REFUSALS[i].message);
    }
    ng_frame_destroy(&frame);
}
END_TEST

START_TEST(columns_of_one_level_may_be_taken_away) {
    open_text("y,x,o,i\n1,1,k,2\n2,1,k,3\n", NULL);
    ngi_design *design = design_of("y ~ . - o - i");
    check_names(design, "(Intercept)|x");
    ck_assert_uint_eq(design->variables, 2);
    ngi_design_destroy(&design);
    ng_frame_destroy(&frame);
}
END_TEST

START_TEST(a_reference_that_is_none_is_refused) {
    static const struct {
        ngi_reference reference;
        const char *message;
    } BAD[] = {
        {{"f", "q"}, "text: reference \"f=q\": column \"f\" has no such level"},
        {{"x", "1"},
         "text: reference \"x=1\": the column holds numbers; expected levels"},
        {{"g", "p"}, "text: reference \"g=p\": the design has no such column"},
    };
    open_text(CASE_DATA, NULL);
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        ngi_design_spec spec = {.formula = "y ~ f + x",
                                .reference = &BAD[i].reference,
                                .references = 1};
        ngi_design *design;
        ck_assert_int_eq(ngi_design_create(ctx, &table, &spec, &design),
                         NG_EDATA);
        ck_assert_str_eq(ng_error(ctx), BAD[i].message);
    }
    ng_frame_destroy(&frame);
}
END_TEST

/* "y ~ " and `count` times a piece. */
static char *repeated(const char *piece, size_t count, const char *tail) {
    char *text = malloc(8 + count * strlen(piece) + strlen(tail));
    ck_assert_ptr_nonnull(text);
    strcpy(text, "y ~ ");
    for (size_t i = 0; i < count; i++)
        strcpy(text + 4 + i * strlen(piece), piece);
    strcat(text, tail);
    return text;
}

static void check_hostile(const char *piece, size_t count, const char *tail,
                          const char *message) {
    char *formula = repeated(piece, count, tail);
    ngi_design_spec spec = {.formula = formula};
    ngi_design *design;
    ng_status status = ngi_design_create(ctx, &table, &spec, &design);
    if (message) {
        ck_assert_msg(status == NG_EUSAGE && strstr(ng_error(ctx), message),
                      "%s... %s: %s", piece, tail, ng_error(ctx));
    } else {
        OK(status);
    }
    ngi_design_destroy(&design);
    free(formula);
}

START_TEST(hostile_formulas_end_soon) {
    open_text("y,a,b,c,d,e,f,g,h,i,j,k,l,m,n,o\n"
              "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,p\n"
              "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,q\n",
              NULL);
    check_hostile("(", 30000, "", "100 expressions within each other");
    check_hostile("-", 30000, "a", "100 expressions within each other");
    check_hostile("I(", 20000, "", "100 expressions within each other");
    check_hostile("I(a^", 1000, "", "100 expressions within each other");
    check_hostile("a+", 30000, "b", NULL);
    check_hostile("a:", 30000, "b", NULL);
    check_hostile("a*", 30000, "b", NULL);
    check_hostile("I(a", 1, ")", NULL);
    check_hostile("a+", 40000, "b", "expected at most 65536");
    check_hostile(".^15:", 1, ".^15", "too many terms to write out");
    check_hostile("(.^15)^999999", 1, "", "too many terms to write out");
    check_hostile(".+.*", 5000, ".", NULL);
    check_hostile(".^3*", 5000, ".", "too many terms to write out");
    check_hostile("poly(a,1000,raw=TRUE):", 1, "poly(b,1000,raw=TRUE)",
                  "more than 100000 columns");
    ng_frame_destroy(&frame);
}
END_TEST

START_TEST(a_long_name_is_cut_between_characters) {
    char name[700] = "", csv[800];
    for (size_t i = 0; i < 300; i++)
        strcat(name, "\303\251");
    sprintf(csv, "y,%s\n1,2\n3,4\n", name);
    open_text(csv, NULL);
    ngi_design *design = design_of("y ~ .");
    size_t length = strlen(design->name[1]);
    ck_assert_uint_lt(length, NGI_NAME_SIZE);
    ck_assert_str_eq(design->name[1] + length - 5, "\303\251...");
    ngi_design_destroy(&design);
    ng_frame_destroy(&frame);
}
END_TEST

START_TEST(a_damaged_saved_design_is_refused) {
    char *levels[] = {"a", "b"}, *twice[] = {"a", "a"}, *one[] = {"a"};
    ngi_variable number = {"x", {0, NULL}}, factor = {"x", {2, levels}},
                 same = {"x", {2, twice}}, short_one = {"x", {1, one}};
    const struct {
        const char *formula;
        ngi_variable variable[2];
        size_t count;
    } BAD[] = {
        {"~ x +", {number}, 1},       {"~ .", {number}, 1},
        {"~ z", {number}, 1},         {"~ x", {number}, 0},
        {"~ x", {number, number}, 2}, {"~ x", {number, factor}, 2},
        {"~ log(x)", {factor}, 1},    {"~ C(x)", {number}, 1},
        {"~ x", {same}, 1},           {"~ x", {short_one}, 1},
        {"~ 1", {number}, 1},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        ngi_design *design;
        ck_assert_int_eq(ngi_design_restore(ctx, BAD[i].formula,
                                            BAD[i].variable, BAD[i].count,
                                            &design),
                         NG_EDATA);
        ck_assert_ptr_null(design);
    }
}
END_TEST

/* ---- Memory ---- */

typedef struct heap {
    size_t live, requests, refused;
} heap;

static void *heap_resize(void *user, void *block, size_t size) {
    heap *h = user;
    if (++h->requests == h->refused)
        return NULL;
    void *grown = realloc(block, size);
    h->live += grown && !block ? 1 : 0;
    return grown;
}

static void *heap_alloc(void *user, size_t size) {
    return heap_resize(user, NULL, size);
}

static void heap_release(void *user, void *block) {
    heap *h = user;
    h->live--;
    free(block);
}

static ng_status make_and_fill(ng_ctx *own, const ngi_table *t) {
    static const ngi_reference reference = {"e", "2"};
    ngi_design_spec spec = {.formula = "cbind(y, 2 * z) ~ .^2 + C(e):log(x) + "
                                       "offset(x) + poly(x, 2, raw = TRUE)",
                            .reference = &reference,
                            .references = 1};
    ngi_design *design, *again = NULL;
    ngi_design_binding binding;
    double X[CASE_ROWS * 64];
    ng_status status = ngi_design_create(own, t, &spec, &design);
    if (status == NG_OK)
        status = ngi_design_restore(own, design->formula, design->variable,
                                    design->variables, &again);
    if (status == NG_OK) {
        ck_assert_uint_le(design->width, 64);
        status = ngi_design_bind(again, t, true, &binding);
        if (status == NG_OK)
            status = fill_design(&binding, t, X, 64);
        ngi_design_unbind(&binding);
    }
    ngi_design_destroy(&again);
    ngi_design_destroy(&design);
    return status;
}

START_TEST(every_allocation_may_fail) {
    heap h = {0, 0, 0};
    ng_allocator allocator = {heap_alloc, heap_resize, heap_release, &h};
    ng_ctx_options options = {.allocator = &allocator, .threads = 1};
    ng_status status = NG_ENOMEM;
    ng_ctx *own;
    ng_frame *data;
    ngi_table t;
    ck_assert_int_eq(ng_ctx_create(&options, &own), NG_OK);
    ck_assert_int_eq(ngi_frame_parse_csv(own, "text", CASE_DATA,
                                         strlen(CASE_DATA), NULL, &data),
                     NG_OK);
    ngi_table_of_frame(data, &t);
    for (size_t n = 1; status == NG_ENOMEM; n++) {
        size_t live = h.live;
        h.requests = 0;
        h.refused = n;
        status = make_and_fill(own, &t);
        ck_assert_uint_eq(h.live, live);
    }
    ck_assert_int_eq(status, NG_OK);
    ck_assert_uint_gt(h.requests, 100);
    ng_frame_destroy(&data);
    ng_ctx_destroy(&own);
    ck_assert_uint_eq(h.live, 0);
}
END_TEST

static void add(TCase *tests) {
    tcase_add_test(tests, what_cannot_be_read_is_refused_in_a_sentence);
    tcase_add_test(tests, columns_of_one_level_may_be_taken_away);
    tcase_add_test(tests, a_reference_that_is_none_is_refused);
    tcase_add_test(tests, hostile_formulas_end_soon);
    tcase_add_test(tests, a_long_name_is_cut_between_characters);
    tcase_add_test(tests, a_damaged_saved_design_is_refused);
    tcase_add_test(tests, every_allocation_may_fail);
}

int main(void) {
    return learner_main("design, bad input", add);
}
