/* Separation in designs whose answer is known by construction: a hidden
 * direction, or hidden multipliers that forbid one. */
#include "array_rows.h"

#include "glm/separation.h"
#include "numerics/linalg.h"
#include "unit/scarce.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { MOST_ROWS = 400, MOST_COLUMNS = 12, SEEDS = 40 };

static ng_ctx *ctx;

static void open_context(void) {
    ck_assert_int_eq(ng_ctx_create(NULL, &ctx), NG_OK);
}

static void close_context(void) {
    ng_ctx_destroy(&ctx);
}

/* Rows in the making: inequalities a, row-major, turned into (x, y) later. */
typedef struct design {
    size_t n, p;
    double a[MOST_ROWS][MOST_COLUMNS];
    double X[MOST_ROWS * MOST_COLUMNS], y[MOST_ROWS];
    array_rows rows;
} design;

static double *next_row(design *d) {
    ck_assert_uint_lt(d->n, MOST_ROWS);
    return d->a[d->n++];
}

static double pick(ng_rng *rng, double low, double high) {
    return low + (high - low) * ng_rng_uniform(rng);
}

/* Rows with a[j] = 0 for j < fixed that leave no direction in the others: the
 * last is minus a positive combination of all before. */
static void add_overlap(design *d, ng_rng *rng, size_t fixed, size_t count) {
    double sum[MOST_COLUMNS] = {0};
    for (size_t i = 0; i < count; i++) {
        double *a = next_row(d), l = pick(rng, 0.01, 1);
        for (size_t j = 0; j < d->p; j++) {
            a[j] = j < fixed ? 0 : ng_rng_normal(rng);
            sum[j] += l * a[j];
        }
    }
    double *last = next_row(d);
    for (size_t j = 0; j < d->p; j++)
        last[j] = -sum[j];
}

/* Rows with a[j] = 0 for j < level, a[level] > 0, and anything after. */
static void add_risers(design *d, ng_rng *rng, size_t level, size_t count) {
    for (size_t i = 0; i < count; i++) {
        double *a = next_row(d);
        for (size_t j = 0; j < d->p; j++)
            a[j] = j < level    ? 0
                   : j == level ? pick(rng, 0.05, 2)
                                : 3 * ng_rng_normal(rng);
    }
}

/* x = +-a under the reflection a - 2 v (v'a) / v'v, which hides the axes, with
 * columns in odd units. */
static void finish(design *d, ng_rng *rng, const double *v,
                   const double *unit) {
    double square = v ? ngi_dot(d->p, v, v) : 1;
    for (size_t i = 0; i < d->n; i++) {
        double *a = d->a[i];
        double along = v ? 2 * ngi_dot(d->p, v, a) / square : 0;
        d->y[i] = ng_rng_uniform(rng) < 0.5;
        for (size_t j = 0; j < d->p; j++) {
            if (v)
                a[j] -= along * v[j];
            d->X[j * d->n + i] =
                (d->y[i] > 0 ? a[j] : -a[j]) * (unit ? unit[j] : 1);
        }
    }
    array_rows_init(&d->rows, ctx, d->n, d->p, d->X, d->y, NULL);
}

static ngi_separation find_with(const ngi_separation_spec *spec) {
    ngi_separation found;
    ck_assert_msg(ngi_separation_find(ctx, spec, &found) == NG_OK, "%s",
                  ng_error(ctx));
    ck_assert(found.determined);
    return found;
}

static ngi_separation find(design *d, ngi_separation_form form) {
    ngi_separation_spec spec = {.rows = &d->rows.rows, .form = form};
    return find_with(&spec);
}

/* Every row rises or stands along the direction, as many rise as were said. */
static void check_direction(const design *d, const ngi_separation *found) {
    double largest[MOST_COLUMNS] = {0};
    size_t risen = 0;
    for (size_t j = 0; j < d->p; j++)
        largest[j] = ngi_max_abs(d->n, d->X + j * d->n);
    for (size_t i = 0; i < d->n; i++) {
        double value = 0, reach = 0;
        for (size_t j = 0; j < d->p; j++) {
            double term = d->X[j * d->n + i] / largest[j] * found->direction[j];
            value += d->y[i] > 0 ? term : -term;
            reach += fabs(term);
        }
        /* Rows that stand do so to the rounding of a solve with p rows. */
        ck_assert_double_ge(value, -1e4 * DBL_EPSILON * reach);
        risen += value > 1e4 * DBL_EPSILON * reach;
    }
    ck_assert_uint_eq(risen, found->separated);
}

START_TEST(multipliers_that_cancel_forbid_separation) {
    static design d;
    ng_rng rng;
    ng_rng_init(&rng, 1, (uint64_t)_i);
    d.n = 0;
    d.p = 1 + (size_t)_i % MOST_COLUMNS;
    add_overlap(&d, &rng, 0, d.p + (size_t)_i * 5);
    finish(&d, &rng, NULL, NULL);
    ngi_separation found = find(&d, NGI_SEPARATES_BINARY);
    ck_assert_int_eq(found.kind, NG_SEPARATION_NONE);
    ngi_separation_clear(ctx, &found);
}
END_TEST

START_TEST(a_hidden_direction_separates_completely) {
    static design d;
    double v[MOST_COLUMNS], unit[MOST_COLUMNS];
    ng_rng rng;
    ng_rng_init(&rng, 2, (uint64_t)_i);
    d.n = 0;
    d.p = 1 + (size_t)_i % MOST_COLUMNS;
    for (size_t j = 0; j < d.p; j++) {
        v[j] = ng_rng_normal(&rng);
        unit[j] = pow(10, pick(&rng, -150, 150));
    }
    add_risers(&d, &rng, 0, 1 + (size_t)_i * 7);
    finish(&d, &rng, v, unit);
    ngi_separation found = find(&d, NGI_SEPARATES_BINARY);
    ck_assert_int_eq(found.kind, NG_SEPARATION_COMPLETE);
    ck_assert_uint_eq(found.separated, d.n);
    check_direction(&d, &found);
    ngi_separation_clear(ctx, &found);
}
END_TEST

/* `levels` axes separate one after the other, each only what the ones before
 * leave, and the other axes overlap. Hidden by a reflection that leaves every
 * third axis where it was. */
static void check_quasi(int i, size_t levels) {
    static design d;
    double v[MOST_COLUMNS];
    ng_rng rng;
    ng_rng_init(&rng, 3 + levels, (uint64_t)i);
    d.n = 0;
    d.p = levels + 1 + (size_t)i % (MOST_COLUMNS - levels);
    for (size_t j = 0; j < d.p; j++)
        v[j] = j % 3 == 2 ? 0 : ng_rng_normal(&rng);
    size_t risers = 0;
    for (size_t level = 0; level < levels; level++) {
        add_risers(&d, &rng, level, 1 + (size_t)i % 30);
        risers += 1 + (size_t)i % 30;
    }
    add_overlap(&d, &rng, levels, 2 * d.p + (size_t)i);
    finish(&d, &rng, v, NULL);
    ngi_separation found = find(&d, NGI_SEPARATES_BINARY);
    ck_assert_int_eq(found.kind, NG_SEPARATION_QUASI);
    ck_assert_uint_eq(found.separated, risers);
    check_direction(&d, &found);
    for (size_t j = 0; j < d.p; j++) {
        bool hidden = v[j] == 0 && j >= levels;
        ck_assert_int_eq(found.infinite[j], !hidden);
    }
    ngi_separation_clear(ctx, &found);
}

START_TEST(a_hidden_direction_separates_some_rows) {
    check_quasi(_i, 1);
}
END_TEST

START_TEST(directions_below_directions_are_found) {
    check_quasi(_i, 2);
    check_quasi(_i, 3);
}
END_TEST

/* ---- Close calls ---- */

/* Two groups of x around a base, a gap (or, negative, an overlap) apart; the
 * answer is that of the numbers as they were rounded, down to 1e-11 of their
 * spread. */
START_TEST(a_gap_is_told_from_an_overlap) {
    static const double bases[] = {0, 1, 2000, 1.5e9};
    static const double gaps[] = {1, 1e-3, 1e-6, 1e-8, -1e-3, -1e-6, -1e-8};
    enum { GAPS = 7, GROUP = 20 };
    static design d;
    double base = bases[_i / GAPS], gap = gaps[_i % GAPS];
    ng_rng rng;
    ng_rng_init(&rng, 9, (uint64_t)_i);
    d.n = 2 * GROUP;
    d.p = 2;
    double low = HUGE_VAL, high = -HUGE_VAL;
    for (size_t i = 0; i < d.n; i++) {
        bool right = i >= GROUP;
        double away = i % GROUP ? pick(&rng, 0, 900) + fabs(gap) : 0;
        double x = base + (right ? gap / 2 + away : -gap / 2 - away);
        d.X[i] = 1;
        d.X[d.n + i] = x;
        d.y[i] = right;
        low = right ? fmin(low, x) : low;
        high = right ? high : fmax(high, x);
    }
    array_rows_init(&d.rows, ctx, d.n, d.p, d.X, d.y, NULL);
    ng_separation wanted = low > high    ? NG_SEPARATION_COMPLETE
                           : low == high ? NG_SEPARATION_QUASI
                                         : NG_SEPARATION_NONE;
    ngi_separation found = find(&d, NGI_SEPARATES_BINARY);
    ck_assert_int_eq(found.kind, wanted);
    ngi_separation_clear(ctx, &found);
}
END_TEST

/* ---- Degenerate designs ---- */

static ngi_separation find_small(ngi_separation_form form, size_t levels,
                                 size_t n, size_t p, const double *X,
                                 const double *y, const double *weight) {
    array_rows rows;
    array_rows_init(&rows, ctx, n, p, X, y, weight);
    ngi_separation_spec spec = {
        .rows = &rows.rows, .form = form, .levels = levels};
    return find_with(&spec);
}

static void check_small(ngi_separation_form form, size_t levels, size_t n,
                        size_t p, const double *X, const double *y,
                        const double *weight, ng_separation kind,
                        const char *infinite) {
    ngi_separation found = find_small(form, levels, n, p, X, y, weight);
    ck_assert_int_eq(found.kind, kind);
    ck_assert_uint_eq(found.dim, strlen(infinite));
    for (size_t k = 0; k < found.dim; k++)
        ck_assert_msg(found.infinite[k] == (infinite[k] == 'i'),
                      "parameter %zu", k);
    ngi_separation_clear(ctx, &found);
}

START_TEST(small_binary_designs) {
    const ngi_separation_form form = NGI_SEPARATES_BINARY;
    const ng_separation none = NG_SEPARATION_NONE, quasi = NG_SEPARATION_QUASI,
                        complete = NG_SEPARATION_COMPLETE;
    /* A single row. */
    check_small(form, 0, 1, 1, (double[]){2}, (double[]){1}, NULL, complete,
                "i");
    check_small(form, 0, 1, 1, (double[]){2}, (double[]){0.5}, NULL, none, ".");
    /* Nothing to move: a column of zeros; no row that counts. */
    check_small(form, 0, 2, 1, (double[]){0, 0}, (double[]){1, 1}, NULL, none,
                ".");
    check_small(form, 0, 1, 1, (double[]){2}, (double[]){1}, (double[]){0},
                none, ".");
    /* One success among failures keeps the constant finite, unless it does not
     * count. */
    check_small(form, 0, 3, 1, (double[]){1, 1, 1}, (double[]){0, 1, 0}, NULL,
                none, ".");
    check_small(form, 0, 3, 1, (double[]){1, 1, 1}, (double[]){0, 1, 0},
                (double[]){1, 0, 1}, complete, "i");
    /* A 2 x 2 table with one empty cell; each column twice. */
    check_small(form, 0, 4, 2, (double[]){1, 1, 1, 1, 0, 0, 1, 1},
                (double[]){0, 1, 1, 1}, NULL, quasi, ".i");
    check_small(form, 0, 4, 4,
                (double[]){1, 1, 1, 1, 2, 2, 2, 2, 0, 0, 1, 1, 0, 0, 3, 3},
                (double[]){0, 1, 1, 1}, NULL, quasi, "..i.");
    /* The same by two indicators, without a constant. */
    check_small(form, 0, 4, 2, (double[]){1, 1, 0, 0, 0, 0, 1, 1},
                (double[]){0, 1, 1, 1}, NULL, quasi, ".i");
    /* An empty cell at the reference moves the constant, and against it all
     * else. */
    check_small(form, 0, 4, 2, (double[]){1, 1, 1, 1, 0, 0, 1, 1},
                (double[]){1, 1, 0, 1}, NULL, quasi, "ii");
    /* Shares hold their row. */
    check_small(form, 0, 4, 2, (double[]){1, 1, 1, 1, 0, 0, 1, 1},
                (double[]){0, 1, 1, 0.999}, NULL, none, "..");
}
END_TEST

START_TEST(small_count_designs) {
    const ngi_separation_form form = NGI_SEPARATES_COUNT;
    const double X[8] = {1, 1, 1, 1, 0, 0, 1, 1};
    check_small(form, 0, 4, 2, X, (double[]){0, 3, 0, 1}, NULL,
                NG_SEPARATION_NONE, "..");
    check_small(form, 0, 4, 2, X, (double[]){2, 3, 0, 0}, NULL,
                NG_SEPARATION_QUASI, ".i");
    check_small(form, 0, 4, 2, X, (double[]){0, 0, 0, 1}, NULL,
                NG_SEPARATION_QUASI, "ii");
    check_small(form, 0, 4, 2, X, (double[]){0, 0, 0, 0}, NULL,
                NG_SEPARATION_COMPLETE, "ii");
}
END_TEST

START_TEST(small_designs_with_levels) {
    /* Levels in order along x; then the last two mixed; then all. */
    const double x[6] = {1, 2, 3, 4, 5, 6}, twin[6] = {1, 2, 3, 4, 4, 6};
    const ngi_separation_form ordinal = NGI_SEPARATES_ORDINAL;
    check_small(ordinal, 3, 6, 1, x, (double[]){0, 0, 1, 1, 2, 2}, NULL,
                NG_SEPARATION_COMPLETE, "iii");
    check_small(ordinal, 3, 6, 1, twin, (double[]){0, 0, 1, 1, 2, 2}, NULL,
                NG_SEPARATION_QUASI, "iii");
    check_small(ordinal, 3, 6, 1, x, (double[]){0, 1, 2, 0, 2, 1}, NULL,
                NG_SEPARATION_NONE, "...");
    /* No columns at all; a level that is never seen takes its neighbour along.
     */
    check_small(ordinal, 3, 3, 0, x, (double[]){0, 1, 2}, NULL,
                NG_SEPARATION_NONE, "..");
    check_small(ordinal, 3, 3, 0, x, (double[]){0, 1, 1}, NULL,
                NG_SEPARATION_QUASI, ".i");
    /* The classes overlap; where the indicator is 1 there is only class 2,
     * which leaves open what becomes of class 1 against 0; then 0 and 2. */
    const double X[16] = {1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1};
    check_small(NGI_SEPARATES_CLASSES, 3, 8, 2, X,
                (double[]){0, 1, 2, 0, 1, 2, 2, 2}, NULL, NG_SEPARATION_QUASI,
                ".i.i");
    check_small(NGI_SEPARATES_CLASSES, 3, 8, 2, X,
                (double[]){0, 1, 2, 0, 1, 2, 0, 2}, NULL, NG_SEPARATION_QUASI,
                ".i..");
    check_small(NGI_SEPARATES_CLASSES, 3, 3, 1, (double[]){1, 2, 3},
                (double[]){0, 1, 2}, NULL, NG_SEPARATION_NONE, "..");
    check_small(NGI_SEPARATES_CLASSES, 3, 3, 2, (double[]){1, 1, 1, 1, 2, 3},
                (double[]){0, 1, 2}, NULL, NG_SEPARATION_COMPLETE, "iiii");
}
END_TEST

START_TEST(held_columns_do_not_separate) {
    const double X[8] = {1, 1, 1, 1, 0, 0, 1, 1}, y[4] = {0, 1, 1, 1};
    const bool held[2] = {false, true};
    array_rows rows;
    array_rows_init(&rows, ctx, 4, 2, X, y, NULL);
    ngi_separation_spec spec = {
        .rows = &rows.rows, .form = NGI_SEPARATES_BINARY, .held = held};
    ngi_separation found = find_with(&spec);
    ck_assert_int_eq(found.kind, NG_SEPARATION_NONE);
    ngi_separation_clear(ctx, &found);
}
END_TEST

/* ---- At a fit ---- */

typedef struct balanced {
    ngi_separation_form form;
    size_t levels;
    const char *family;
} balanced;

static const balanced BALANCED[] = {
    {NGI_SEPARATES_BINARY, 2, "bernoulli"},
    {NGI_SEPARATES_COUNT, 3, "poisson"},
    {NGI_SEPARATES_ORDINAL, 4, NULL},
    {NGI_SEPARATES_CLASSES, 4, NULL},
};

/* Every x with every level, so that 0 is the fit (with even thresholds, and
 * counts 0, 1, 2 of mean 1): one pass finds the scales, another the proof. */
START_TEST(a_fit_in_the_interior_is_proof_by_itself) {
    enum { DISTINCT = 30, P = 3 };
    const balanced *b = &BALANCED[_i];
    static double X[P * DISTINCT * 4], y[DISTINCT * 4];
    double theta[P * 3] = {0};
    size_t n = DISTINCT * b->levels;
    ng_family family;
    ngi_glm_kernel kernel;
    array_rows rows;
    ng_rng rng;
    ng_rng_init(&rng, 5, (uint64_t)_i);
    for (size_t i = 0; i < n; i++) {
        y[i] = (double)(i % b->levels);
        for (size_t j = 0; j < P; j++)
            X[j * n + i] = y[i] > 0 ? X[j * n + i - 1] : ng_rng_normal(&rng);
    }
    array_rows_init(&rows, ctx, n, P, X, y, NULL);
    ngi_separation_spec spec = {.rows = &rows.rows,
                                .form = b->form,
                                .levels = b->levels,
                                .theta = theta,
                                .kernel = b->family ? &kernel : NULL};
    if (b->family) {
        ck_assert_int_eq(ng_family_init(ctx, b->family, 1, &family), NG_OK);
        ngi_glm_kernel_mean(
            &family, b->levels == 2 ? NG_LINK_LOGIT : NG_LINK_LOG, &kernel);
    } else if (b->form == NGI_SEPARATES_ORDINAL) {
        ngi_glm_kernel_ordinal(b->levels, NG_LINK_LOGIT, &kernel);
        spec.kernel = &kernel;
        for (size_t k = 1; k < b->levels; k++)
            theta[P + k - 1] = log((double)k / (double)(b->levels - k));
    }
    ngi_separation found = find_with(&spec);
    ck_assert_int_eq(found.kind, NG_SEPARATION_NONE);
    ck_assert_uint_eq(found.passes, 2);
    ngi_separation_clear(ctx, &found);
}
END_TEST

/* However far a fit has run along a direction of separation, and with a
 * gradient that underflows: it proves nothing. */
START_TEST(a_fit_that_ran_away_is_no_proof) {
    static const double lengths[] = {0, 1, 20, 36, 40, 200, 700, 1e4};
    const double X[12] = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1};
    const double y[6] = {0, 1, 0, 1, 1, 1};
    const double theta[2] = {0, lengths[_i]};
    ng_family family;
    ngi_glm_kernel kernel;
    array_rows rows;
    ck_assert_int_eq(ng_family_init(ctx, "bernoulli", 1, &family), NG_OK);
    ngi_glm_kernel_mean(&family, NG_LINK_LOGIT, &kernel);
    array_rows_init(&rows, ctx, 6, 2, X, y, NULL);
    ngi_separation_spec spec = {.rows = &rows.rows,
                                .form = NGI_SEPARATES_BINARY,
                                .theta = theta,
                                .kernel = &kernel};
    ngi_separation found = find_with(&spec);
    ck_assert_int_eq(found.kind, NG_SEPARATION_QUASI);
    ck_assert(found.infinite[1] && !found.infinite[0]);
    ck_assert_uint_eq(found.separated, 2);
    ngi_separation_clear(ctx, &found);
}
END_TEST

/* ---- Which models can ---- */

START_TEST(the_form_is_that_of_family_and_link) {
    ng_family bernoulli, poisson, gamma;
    ngi_glm_kernel k;
    ck_assert_int_eq(ng_family_init(ctx, "bernoulli", 1, &bernoulli), NG_OK);
    ck_assert_int_eq(ng_family_init(ctx, "poisson", 1, &poisson), NG_OK);
    ck_assert_int_eq(ng_family_init(ctx, "gamma", 1, &gamma), NG_OK);
    ngi_glm_kernel_mean(&bernoulli, NG_LINK_CAUCHIT, &k);
    ck_assert_int_eq(ngi_separation_form_of(&k), NGI_SEPARATES_BINARY);
    ngi_glm_kernel_mean(&bernoulli, NG_LINK_LOG, &k);
    ck_assert_int_eq(ngi_separation_form_of(&k), NGI_SEPARATES_COUNT);
    ngi_glm_kernel_mean(&bernoulli, NG_LINK_IDENTITY, &k);
    ck_assert_int_eq(ngi_separation_form_of(&k), NGI_SEPARATES_NEVER);
    ngi_glm_kernel_mean(&poisson, NG_LINK_LOG, &k);
    ck_assert_int_eq(ngi_separation_form_of(&k), NGI_SEPARATES_COUNT);
    ngi_glm_kernel_mean(&poisson, NG_LINK_SQRT, &k);
    ck_assert_int_eq(ngi_separation_form_of(&k), NGI_SEPARATES_NEVER);
    ngi_glm_kernel_mean(&gamma, NG_LINK_LOG, &k);
    ck_assert_int_eq(ngi_separation_form_of(&k), NGI_SEPARATES_NEVER);
    ngi_glm_kernel_negative_binomial(NG_LINK_LOG, &k);
    ck_assert_int_eq(ngi_separation_form_of(&k), NGI_SEPARATES_COUNT);
    ngi_glm_kernel_tweedie(1.5, NG_LINK_LOG, &k);
    ck_assert_int_eq(ngi_separation_form_of(&k), NGI_SEPARATES_COUNT);
    ngi_glm_kernel_tweedie(2.5, NG_LINK_LOG, &k);
    ck_assert_int_eq(ngi_separation_form_of(&k), NGI_SEPARATES_NEVER);
    ngi_glm_kernel_beta(NG_LINK_LOGIT, &k);
    ck_assert_int_eq(ngi_separation_form_of(&k), NGI_SEPARATES_NEVER);
    ngi_glm_kernel_ordinal(4, NG_LINK_PROBIT, &k);
    ck_assert_int_eq(ngi_separation_form_of(&k), NGI_SEPARATES_ORDINAL);
}
END_TEST

/* ---- Without memory; cancelled ---- */

static ng_status search_poor(ng_ctx *poor, const char *path) {
    const double X[12] = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1};
    const double y[6] = {0, 1, 0, 1, 1, 1};
    (void)path;
    array_rows rows;
    ngi_separation found;
    array_rows_init(&rows, poor, 6, 2, X, y, NULL);
    ngi_separation_spec spec = {.rows = &rows.rows,
                                .form = NGI_SEPARATES_BINARY};
    ng_status status = ngi_separation_find(poor, &spec, &found);
    if (status == NG_OK)
        ngi_separation_clear(poor, &found);
    return status;
}

START_TEST(every_allocation_may_fail) {
    starve(search_poor, NULL);
}
END_TEST

START_TEST(a_context_cancels_the_search) {
    ng_cancel(ctx);
    ck_assert_int_eq(search_poor(ctx, NULL), NG_ECANCELLED);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("separation");
    TCase *tests = tcase_create("separation");
    tcase_add_checked_fixture(tests, open_context, close_context);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, multipliers_that_cancel_forbid_separation, 0,
                        SEEDS);
    tcase_add_loop_test(tests, a_hidden_direction_separates_completely, 0,
                        SEEDS);
    tcase_add_loop_test(tests, a_hidden_direction_separates_some_rows, 0,
                        SEEDS);
    tcase_add_loop_test(tests, directions_below_directions_are_found, 0, SEEDS);
    tcase_add_loop_test(tests, a_gap_is_told_from_an_overlap, 0, 28);
    tcase_add_test(tests, small_binary_designs);
    tcase_add_test(tests, small_count_designs);
    tcase_add_test(tests, small_designs_with_levels);
    tcase_add_test(tests, held_columns_do_not_separate);
    tcase_add_loop_test(tests, a_fit_in_the_interior_is_proof_by_itself, 0, 4);
    tcase_add_loop_test(tests, a_fit_that_ran_away_is_no_proof, 0, 8);
    tcase_add_test(tests, the_form_is_that_of_family_and_link);
    tcase_add_test(tests, every_allocation_may_fail);
    tcase_add_test(tests, a_context_cancels_the_search);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
