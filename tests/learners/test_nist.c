/* NIST's linear regressions: correct digits, which are -log10 of the relative
 * error against the certified values. What is asked for is what the least
 * squares of the data as doubles have in exact arithmetic, but one digit (the
 * certified values have 15 digits; decimals that are no doubles cost some of
 * Wampler2's and most of Filip's). R's lm: Norris 11.9, Pontius 12.0, Longley
 * 13.0, Wampler1-5 9.2 13.2 9.4 7.6 5.6, Filip: a column left out. */
#include "fixture.h"
#include "nist/nist.h"

typedef struct demand {
    const char *name;
    double estimate, std_error, residual_sd;
} demand;

/* Standard errors are of R of the design, which is that of a design one
 * rounding away: they lose the digits of its condition (Wampler: 1e3; Filip:
 * 1e9), residuals those by which the predictor's terms exceed them. */
static const demand DEMANDS[] = {
    {"Norris", 13, 12.5, 12.5}, {"Pontius", 12.5, 12, 12.5},
    {"NoInt1", 13.7, 13, 13},   {"NoInt2", 13.7, 13, 13},
    {"Filip", 7, 6, 8},         {"Longley", 13.5, 11.5, 11.5},
    {"Wampler1", 13.2, 0, 0},   {"Wampler2", 13.1, 0, 0},
    {"Wampler3", 13.2, 12, 13}, {"Wampler4", 13.2, 12, 13},
    {"Wampler5", 13.2, 12, 13}};

enum { MOST_ROWS = 82, MOST_COLUMNS = 11 };

typedef struct table {
    char text[MOST_COLUMNS][16];
    const char *name[MOST_COLUMNS];
    double value[MOST_COLUMNS][MOST_ROWS];
    const double *column[MOST_COLUMNS];
    double largest; /* |y| */
} table;

static void fill(const nist_set *set, table *t) {
    size_t count = 1 + (set->columns - 1) * set->degree;
    t->largest = 0;
    for (size_t j = 0; j < count; j++) {
        snprintf(t->text[j], sizeof t->text[j], j ? "x%zu" : "y", j);
        t->name[j] = t->text[j];
        t->column[j] = t->value[j];
    }
    for (size_t i = 0; i < set->rows; i++) {
        const double *row = set->data + i * set->columns;
        t->value[0][i] = row[0];
        t->largest = fmax(t->largest, fabs(row[0]));
        for (size_t j = 1; j < count; j++) {
            size_t x = 1 + (j - 1) / set->degree;
            t->value[j][i] = pow(row[x], (double)(1 + (j - 1) % set->degree));
        }
    }
}

static double digits(double x, double certified) {
    double error = fabs(x - certified) / fabs(certified);
    return isnan(error) ? 0 : fmin(-log10(error), 16);
}

static ng_model *fit_set(const nist_set *set, table *t) {
    ng_glm_options options = glm_options("gaussian", NULL, "y");
    fill(set, t);
    ng_frame *frame = frame_of_arrays(
        set->rows, 1 + (set->columns - 1) * set->degree, t->name, t->column);
    options.features = t->name + 1;
    options.feature_count = (set->columns - 1) * set->degree;
    options.intercept = set->intercept;
    ng_model *model = fit_glm(frame, &options);
    ng_frame_destroy(&frame);
    return model;
}

static double least_digits(size_t count, const ng_model *model, bool errors,
                           const double *certified) {
    double least = 16;
    for (size_t j = 0; j < count; j++) {
        double x = errors ? std_error(model, j) : estimate(model, j);
        least = fmin(least, digits(x, certified[j]));
    }
    return least;
}

static void check_set(const nist_set *set, const demand *asked) {
    table t;
    ck_assert_str_eq(set->name, asked->name);
    ng_model *model = fit_set(set, &t);
    const ng_summary *summary = ng_model_summary(model);
    double residual_sd = sqrt(summary->dispersion);
    double found = least_digits(set->parameters, model, false, set->estimate);
    ck_assert_uint_eq(summary->parameters, set->parameters);
    ck_assert_msg(found >= asked->estimate, "%s: %.2f digits, asked %.1f",
                  set->name, found, asked->estimate);
    if (set->residual_sd > 0) {
        double errors =
            least_digits(set->parameters, model, true, set->std_error);
        double sd = digits(residual_sd, set->residual_sd);
        ck_assert_msg(errors >= asked->std_error,
                      "%s: standard errors to %.2f digits, asked %.1f",
                      set->name, errors, asked->std_error);
        ck_assert_msg(sd >= asked->residual_sd,
                      "%s: residual sd to %.2f digits, asked %.1f", set->name,
                      sd, asked->residual_sd);
    } else {
        /* A perfect fit: what is left are roundings of the predictor, one for
         * each of its terms. */
        double rounding = (double)set->parameters * DBL_EPSILON * t.largest;
        ck_assert_double_le(residual_sd, rounding);
    }
    ng_model_destroy(&model);
}

START_TEST(answers_have_the_digits_of_the_data) {
    check_set(&NIST[_i], &DEMANDS[_i]);
}
END_TEST

/* By a power of two: the same roundings happen. */
START_TEST(a_column_in_other_units_has_the_same_digits) {
    static const double UNIT = 0x1p-200;
    const nist_set *set = &NIST[5];
    table t;
    ng_glm_options options = glm_options("gaussian", NULL, "y");
    ck_assert_str_eq(set->name, "Longley");
    fill(set, &t);
    for (size_t i = 0; i < set->rows; i++)
        t.value[2][i] *= UNIT;
    ng_frame *frame =
        frame_of_arrays(set->rows, set->columns, t.name, t.column);
    options.features = t.name + 1;
    options.feature_count = set->columns - 1;
    ng_model *model = fit_glm(frame, &options);
    for (size_t j = 0; j < set->parameters; j++) {
        double unit = j == 2 ? UNIT : 1;
        double found = digits(estimate(model, j) * unit, set->estimate[j]);
        ck_assert_msg(found >= 13.5, "parameter %zu: %.2f digits", j, found);
    }
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}
END_TEST

static void add(TCase *tests) {
    tcase_add_loop_test(tests, answers_have_the_digits_of_the_data, 0,
                        (int)NIST_SETS);
    tcase_add_test(tests, a_column_in_other_units_has_the_same_digits);
}

int main(void) {
    return learner_main("nist", add);
}
