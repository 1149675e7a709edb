/* Score, observed information and customary parameters of every family
 * against differences; solves with the Fisher; rows against one row. */
#include "cases.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void log_density_of(point *p, const double *z, const void *y,
                           double *out) {
    *out = log_density_at(p, z, y);
}

static void score_of(point *p, const double *z, const void *y, double *out) {
    p->family.ops->score(&p->family, 1, z, y, out, p->work);
}

static void customary_of(point *p, const double *z, const void *unused,
                         double *out) {
    (void)unused;
    p->family.ops->to_customary(&p->family, 1, z, out, p->work);
}

/* A 256th of component j's natural unit. */
static double direction_of(point *p, size_t j, double *direction) {
    double unit[MAX_Z];
    point_units(p, unit);
    for (size_t k = 0; k < p->family.dim_z; k++)
        direction[k] = k == j ? 1 : 0;
    return 1 / (256 * fmax(1, unit[j]));
}

/* The estimate must be close to the entry, and sharp enough to mean it. */
static void check_close(const point *p, const char *what, size_t j,
                        double entry, double estimate, double error,
                        double scale) {
    ck_assert_msg(fabs(entry - estimate) <= error,
                  "%s %s[%zu] at z = (%g, %g, %g): %.17g, differences %.17g "
                  "+- %g",
                  p->facts->name, what, j, p->z[0], p->z[1], p->z[2], entry,
                  estimate, error);
    ck_assert_msg(error <= 1e-5 * (scale + fabs(entry)),
                  "%s %s[%zu]: differences too rough, +- %g", p->facts->name,
                  what, j, error);
}

START_TEST(score_is_gradient) {
    point p = point_at(_i);
    double y[MAX_OBSERVATIONS * MAX_Y], score[MAX_Z], unit[MAX_Z];
    double direction[MAX_Z], value, error;
    size_t count = point_observations(&p, y);
    point_units(&p, unit);
    for (size_t i = 0; i < count; i++) {
        const double *row = y + i * p.family.dim_y;
        score_of(&p, p.z, row, score);
        for (size_t j = 0; j < p.family.dim_z; j++) {
            double step = direction_of(&p, j, direction);
            differentiate(&p, direction, step, log_density_of, row, 1, 0,
                          &value, &error);
            check_close(&p, "score", j, score[j], value, error, 1 + unit[j]);
        }
    }
}
END_TEST

/* The score sums terms of the order of F times logarithms of order 1. */
START_TEST(observed_is_curvature) {
    point p = point_at(_i);
    size_t d = p.family.dim_z;
    double y[MAX_OBSERVATIONS * MAX_Y], observed[MAX_Z * MAX_Z], unit[MAX_Z];
    double direction[MAX_Z], value[MAX_Z], error[MAX_Z];
    size_t count = point_observations(&p, y);
    point_units(&p, unit);
    double terms = 0;
    for (size_t j = 0; j < d; j++)
        terms = fmax(terms, unit[j] * unit[j]);
    for (size_t i = 0; i < count; i++) {
        const double *row = y + i * p.family.dim_y;
        p.family.ops->observed(&p.family, 1, p.z, row, observed, p.work);
        for (size_t j = 0; j < d; j++) {
            double step = direction_of(&p, j, direction);
            differentiate(&p, direction, step, score_of, row, d, terms, value,
                          error);
            for (size_t k = 0; k < d; k++) {
                ck_assert_double_eq_tol(
                    observed[k * d + j], observed[j * d + k],
                    16 * DBL_EPSILON * (1 + unit[j]) * (1 + unit[k]));
                check_close(&p, "observed", k * d + j, observed[k * d + j],
                            -value[k], error[k], (1 + unit[j]) * (1 + unit[k]));
            }
        }
    }
}
END_TEST

/* Shorter steps: an angle bends on the scale of kappa, not of the Fisher. */
START_TEST(customary_jacobian_is_derivative) {
    point p = point_at(_i);
    size_t d = p.family.dim_z, m = p.family.dim_customary;
    double J[3 * MAX_Z * MAX_Z], direction[MAX_Z];
    double c[3 * MAX_Z], value[3 * MAX_Z], error[3 * MAX_Z];
    customary_of(&p, p.z, NULL, c);
    p.family.ops->customary_jacobian(&p.family, p.z, J, p.work);
    for (size_t j = 0; j < d; j++) {
        double step = direction_of(&p, j, direction) / 16;
        differentiate(&p, direction, step, customary_of, NULL, m, 0, value,
                      error);
        for (size_t k = 0; k < m; k++)
            check_close(&p, "jacobian", k * d + j, J[k * d + j], value[k],
                        error[k], 1 + fabs(c[k]));
    }
}
END_TEST

/* Tolerance 1e-12: thousands of ulp, for the Cholesky factor of a covariance
 * of condition number below 1e3. A softmax keeps only differences of z. */
START_TEST(customary_round_trip) {
    point p = point_at(_i);
    size_t d = p.family.dim_z, m = p.family.dim_customary;
    double c[3 * MAX_Z], again[3 * MAX_Z], z[MAX_Z];
    customary_of(&p, p.z, NULL, c);
    p.family.ops->from_customary(&p.family, 1, c, z, p.work);
    customary_of(&p, z, NULL, again);
    for (size_t k = 0; k < m; k++)
        ck_assert_double_eq_tol(again[k], c[k], 1e-12 * (1 + fabs(c[k])));
    double shift =
        m == d && strcmp(p.facts->name, "softmax") == 0 ? z[0] - p.z[0] : 0;
    for (size_t j = 0; j < d; j++)
        ck_assert_double_eq_tol(z[j] - shift, p.z[j],
                                1e-12 * (1 + fabs(p.z[j])));
}
END_TEST

START_TEST(customary_names_differ) {
    static const char *const COLUMNS[] = {"ant", "bee", "cow", "dog"};
    point p = family_at(_i);
    const ng_family *f = &p.family;
    char name[64], other[64], small[4];
    for (size_t i = 0; i < f->dim_customary; i++) {
        f->ops->customary_name(f, i, COLUMNS, name, sizeof name);
        ck_assert_uint_gt(strlen(name), 0);
        f->ops->customary_name(f, i, NULL, name, sizeof name);
        ck_assert_uint_gt(strlen(name), 0);
        ck_assert_uint_lt(strlen(name), sizeof name);
        for (size_t j = 0; j < i; j++) {
            f->ops->customary_name(f, j, NULL, other, sizeof other);
            ck_assert_str_ne(name, other);
        }
        memset(small, 'x', sizeof small);
        f->ops->customary_name(f, i, COLUMNS, small, sizeof small);
        ck_assert_ptr_nonnull(memchr(small, '\0', sizeof small));
    }
}
END_TEST

START_TEST(blocks_cover_z) {
    point p = family_at(_i);
    size_t next = 0;
    ck_assert_uint_ge(p.family.blocks, 1);
    for (size_t b = 0; b < p.family.blocks; b++) {
        ck_assert_uint_eq(p.family.block[b].first, next);
        ck_assert_uint_gt(strlen(p.family.block[b].name), 0);
        next += p.family.block[b].count;
    }
    ck_assert_uint_eq(next, p.family.dim_z);
}
END_TEST

static void multiply(size_t d, const double *F, double damping, const double *x,
                     double *out) {
    for (size_t j = 0; j < d; j++) {
        out[j] = damping * x[j];
        for (size_t k = 0; k < d; k++)
            out[j] += F[j * d + k] * x[k];
    }
}

static double norm(size_t d, const double *x) {
    double sum = 0;
    for (size_t j = 0; j < d; j++)
        sum += x[j] * x[j];
    return sqrt(sum);
}

static void solve(point *p, double damping, const double *u, double *x) {
    ng_family_fisher_solve(&p->family, 1, p->z, damping, u, x, p->work);
}

/* Residuals of a stable solve: |(F + damping I) x - u| is at most a small
 * multiple of d eps (|F| + damping) |x|. */
static void check_residual(size_t d, const double *F, double damping,
                           const double *u, const double *x) {
    double Fx[MAX_Z], size = damping + norm(d * d, F);
    multiply(d, F, damping, x, Fx);
    double bound = 64 * (double)d * DBL_EPSILON * size * norm(d, x);
    for (size_t j = 0; j < d; j++)
        ck_assert_double_le(fabs(Fx[j] - u[j]), bound);
}

static void random_vector(ng_rng *rng, size_t d, double *u) {
    for (size_t j = 0; j < d; j++)
        u[j] = ng_rng_normal(rng);
}

START_TEST(damped_solve_has_small_residual) {
    static const double DAMPING[] = {1e-6, 1e-3, 1, 1e6};
    point p = point_at(_i);
    size_t d = p.family.dim_z;
    double F[MAX_Z * MAX_Z], u[MAX_Z], x[MAX_Z];
    ng_rng rng;
    ng_rng_init(&rng, 31, 0);
    p.family.ops->fisher(&p.family, 1, p.z, F, p.work);
    for (size_t i = 0; i < sizeof DAMPING / sizeof *DAMPING; i++) {
        random_vector(&rng, d, u);
        solve(&p, DAMPING[i], u, x);
        check_residual(d, F, DAMPING[i], u, x);
    }
}
END_TEST

/* With P = F F^+: F x = P u is the part of u in the range, F^+ (u - F x) = 0
 * and F^+ F x = x (Penrose). |x| eps cond(F) is what a solve may lose. */
START_TEST(undamped_solve_is_pseudo_inverse) {
    point p = point_at(_i);
    size_t d = p.family.dim_z;
    double F[MAX_Z * MAX_Z], u[MAX_Z], x[MAX_Z], Fx[MAX_Z], again[MAX_Z];
    ng_rng rng;
    ng_rng_init(&rng, 37, 0);
    random_vector(&rng, d, u);
    p.family.ops->fisher(&p.family, 1, p.z, F, p.work);
    solve(&p, 0, u, x);
    multiply(d, F, 0, x, Fx);
    solve(&p, 0, Fx, again);
    for (size_t j = 0; j < d; j++) {
        u[j] -= Fx[j];
        ck_assert_double_eq_tol(again[j], x[j], 1e-9 * norm(d, x));
    }
    solve(&p, 0, u, again);
    ck_assert_double_le(norm(d, again), 1e-9 * norm(d, x));
    bool singular = strcmp(p.facts->name, "softmax") == 0;
    if (!singular)
        ck_assert_double_le(norm(d, u), 1e-9 * (1 + norm(d, Fx)));
}
END_TEST

START_TEST(softmax_null_vector_is_one) {
    for (int i = 0; i < point_count(); i++) {
        point p = point_at(i);
        if (strcmp(p.facts->name, "softmax") != 0)
            continue;
        size_t d = p.family.dim_z;
        double F[MAX_Z * MAX_Z], Fx[MAX_Z], x[MAX_Z], sum = 0;
        double one[MAX_Z], u[MAX_Z] = {1, -2, 0.5, 3};
        for (size_t j = 0; j < d; j++)
            one[j] = 1;
        p.family.ops->fisher(&p.family, 1, p.z, F, p.work);
        multiply(d, F, 0, one, Fx);
        ck_assert_double_le(norm(d, Fx), 16 * DBL_EPSILON);
        solve(&p, 0, one, x);
        ck_assert_double_le(norm(d, x), 1e-9);
        solve(&p, 0, u, x);
        multiply(d, F, 0, x, Fx);
        for (size_t j = 0; j < d; j++) {
            ck_assert_double_eq_tol(Fx[j], u[j] - 0.625, 1e-9);
            sum += x[j];
        }
        ck_assert_double_le(fabs(sum), 1e-12 * norm(d, x));
    }
}
END_TEST

enum { MAX_ROWS = MAX_POINTS * MAX_OBSERVATIONS };

/* Every point of the family with every observation of it. */
static size_t rows_of(int index, double *z, double *y) {
    const char *name = ng_family_list()[index]->name;
    size_t n = 0;
    for (int i = 0; i < point_count(); i++) {
        point p = point_at(i);
        if (strcmp(p.facts->name, name) != 0)
            continue;
        size_t dz = p.family.dim_z, dy = p.family.dim_y;
        double rows[MAX_OBSERVATIONS * MAX_Y];
        size_t count = point_observations(&p, rows);
        memcpy(y + n * dy, rows, count * dy * sizeof *y);
        for (size_t r = 0; r < count; r++)
            memcpy(z + (n + r) * dz, p.z, dz * sizeof *z);
        n += count;
    }
    return n;
}

typedef void (*entry)(point *p, size_t n, const double *z, const double *y,
                      ng_rng *rng, double *out);

#define ENTRY(name, ...)                                                       \
    static void row_##name(point *p, size_t n, const double *z,                \
                           const double *y, ng_rng *rng, double *out) {        \
        (void)y;                                                               \
        (void)rng;                                                             \
        p->family.ops->name(&p->family, n, z, __VA_ARGS__, p->work);           \
    }

ENTRY(log_density, y, out)
ENTRY(score, y, out)
ENTRY(fisher, out)
ENTRY(observed, y, out)
ENTRY(sample, rng, out)
ENTRY(mean, out)
ENTRY(variance, out)
ENTRY(cdf, y, out)
ENTRY(quantile, 0.3, out)
ENTRY(to_customary, out)

static void row_kl(point *p, size_t n, const double *z, const double *y,
                   ng_rng *rng, double *out) {
    double other[MAX_ROWS * MAX_Z];
    (void)y;
    (void)rng;
    for (size_t i = 0; i < n * p->family.dim_z; i++)
        other[i] = z[i] + 0.1;
    p->family.ops->kl(&p->family, n, z, other, out, p->work);
}

static void row_solve(point *p, size_t n, const double *z, const double *y,
                      ng_rng *rng, double *out) {
    (void)y;
    (void)rng;
    ng_family_fisher_solve(&p->family, n, z, 0.1, z, out, p->work);
}

static void row_from_customary(point *p, size_t n, const double *z,
                               const double *y, ng_rng *rng, double *out) {
    double c[3 * MAX_ROWS * MAX_Z];
    (void)y;
    (void)rng;
    p->family.ops->to_customary(&p->family, n, z, c, p->work);
    p->family.ops->from_customary(&p->family, n, c, out, p->work);
}

static void check_rows(point *p, const char *what, entry run, size_t width,
                       size_t n, const double *z, const double *y) {
    double together[MAX_ROWS * MAX_Z * MAX_Z];
    double alone[MAX_ROWS * MAX_Z * MAX_Z];
    ng_rng rng, same;
    ng_rng_init(&rng, 5, 0);
    same = rng;
    run(p, n, z, y, &rng, together);
    for (size_t i = 0; i < n; i++)
        run(p, 1, z + i * p->family.dim_z, y + i * p->family.dim_y, &same,
            alone + i * width);
    ck_assert_msg(memcmp(together, alone, n * width * sizeof *alone) == 0,
                  "%s %s: rows differ from single rows", p->facts->name, what);
}

START_TEST(rows_are_independent) {
    point p = family_at(_i);
    const ng_family *f = &p.family;
    double z[MAX_ROWS * MAX_Z], y[MAX_ROWS * MAX_Y];
    size_t n = rows_of(_i, z, y), d = f->dim_z;
    check_rows(&p, "log_density", row_log_density, 1, n, z, y);
    check_rows(&p, "score", row_score, d, n, z, y);
    check_rows(&p, "fisher", row_fisher, d * d, n, z, y);
    check_rows(&p, "fisher_solve", row_solve, d, n, z, y);
    check_rows(&p, "observed", row_observed, d * d, n, z, y);
    check_rows(&p, "kl", row_kl, 1, n, z, y);
    check_rows(&p, "sample", row_sample, f->dim_y, n, z, y);
    check_rows(&p, "mean", row_mean, f->dim_mean, n, z, y);
    check_rows(&p, "variance", row_variance, f->dim_mean, n, z, y);
    check_rows(&p, "cdf", row_cdf, f->dim_marginal, n, z, y);
    check_rows(&p, "quantile", row_quantile, f->dim_marginal, n, z, y);
    check_rows(&p, "to_customary", row_to_customary, f->dim_customary, n, z, y);
    check_rows(&p, "from_customary", row_from_customary, d, n, z, y);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("family derivatives");
    TCase *tests = tcase_create("differences");
    int points = point_count(), families = family_count();
    tcase_add_loop_test(tests, score_is_gradient, 0, points);
    tcase_add_loop_test(tests, observed_is_curvature, 0, points);
    tcase_add_loop_test(tests, customary_jacobian_is_derivative, 0, points);
    tcase_add_loop_test(tests, customary_round_trip, 0, points);
    tcase_add_loop_test(tests, customary_names_differ, 0, families);
    tcase_add_loop_test(tests, blocks_cover_z, 0, families);
    tcase_add_loop_test(tests, damped_solve_has_small_residual, 0, points);
    tcase_add_loop_test(tests, undamped_solve_is_pseudo_inverse, 0, points);
    tcase_add_test(tests, softmax_null_vector_is_one);
    tcase_add_loop_test(tests, rows_are_independent, 0, families);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
