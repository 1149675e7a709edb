/* Parameters at the ends of the exponent range, observations at the edges of
 * the support and far out, samples of one row: nothing is NaN, no log-density
 * is +inf (every support here is open at its poles), and infinite scores
 * point the way that the likelihood grows. */
#include "cases.h"

#include "numerics/special.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <string.h>

static const double EXTREME[] = {0, 700, -700, 30, -30};
enum { EXTREMES = sizeof EXTREME / sizeof *EXTREME };

/* All combinations of up to three components; of more, one component at a
 * time, then all at once, then combinations drawn with a fixed seed. */
static int grid_size(const point *p) {
    int d = (int)p->family.dim_z;
    return d <= 3 ? (int)pow(EXTREMES, d) : EXTREMES * (d + 1) + 60;
}

static void grid_point(point *p, int index, double *z) {
    size_t d = p->family.dim_z;
    ng_rng rng;
    ng_rng_init(&rng, 61, (uint64_t)index);
    int component = index / EXTREMES;
    for (size_t j = 0; j < d; j++) {
        size_t pick = ng_rng_bits(&rng) % EXTREMES;
        if (d <= 3) {
            pick = (size_t)index % EXTREMES;
            index /= EXTREMES;
        } else if (component < (int)d) {
            pick = (int)j == component ? (size_t)index % EXTREMES : 0;
        } else if (component == (int)d) {
            pick = (size_t)index % EXTREMES;
        }
        z[j] = EXTREME[pick];
    }
}

static const double CANDIDATE[][MAX_Y] = {
    {0},
    {-0.0},
    {5e-324},
    {DBL_MIN},
    {1e-300, 1, 1e-300},
    {1e-10, 0.5, 0.5 - 1e-10},
    {0.5, 0.25, 0.25},
    {1 - DBL_EPSILON / 2, DBL_EPSILON / 4, DBL_EPSILON / 4},
    {1, 0, 0},
    {1, 1e-200, 1e-200},
    {2, -1, 0},
    {3},
    {4},
    {1e3},
    {1e10, -1e10, 1},
    {9007199254740992.0},
    {1e100, 1e100, 1e100},
    {1e300, -1e300, 1},
    {DBL_MAX, DBL_MAX, DBL_MAX},
    {-DBL_MAX, DBL_MAX, 0},
    {-0.5, 0.5, 1},
    {-3.14159265358979323846},
    {3.14159265358979323846},
    {-1e10},
    {HUGE_VAL},
    {-HUGE_VAL, 1, 1},
};
enum { CANDIDATES = sizeof CANDIDATE / sizeof *CANDIDATE };

static bool supported(const point *p, size_t i) {
    return p->family.ops->in_support(&p->family, CANDIDATE[i]);
}

/* Fails with all that is needed to repeat the call. */
static void fail_at(const point *p, const char *what, const double *z,
                    const double *y, double value) {
    ck_abort_msg("%s %s at z = (%g, %g, %g, %g), y = (%.17g, %g, %g): %g",
                 p->facts->name, what, z[0], z[1], z[2], z[3], y ? y[0] : 0.,
                 y ? y[1] : 0., y ? y[2] : 0., value);
}

static void check_numbers(const point *p, const char *what, const double *z,
                          const double *y, size_t count, const double *value) {
    for (size_t i = 0; i < count; i++) {
        if (isnan(value[i]))
            fail_at(p, what, z, y, value[i]);
    }
}

static void check_range(const point *p, const char *what, const double *z,
                        size_t count, const double *value, double low,
                        double high) {
    for (size_t i = 0; i < count; i++) {
        if (!(value[i] >= low && value[i] <= high))
            fail_at(p, what, z, NULL, value[i]);
    }
}

/* An infinite score has the sign of the change of log p over one unit. */
static void check_score_sign(point *p, const double *z, const double *y,
                             size_t j, double score) {
    double lower[MAX_Z], upper[MAX_Z];
    memcpy(lower, z, sizeof lower);
    memcpy(upper, z, sizeof upper);
    lower[j] -= 1;
    upper[j] += 1;
    double rise = log_density_at(p, upper, y) - log_density_at(p, lower, y);
    if (isinf(score) && rise * score < 0)
        fail_at(p, "sign of score", z, y, score);
}

START_TEST(extreme_observations_are_not_nan) {
    point p = family_at(_i);
    const ng_family *f = &p.family;
    double z[MAX_Z] = {0}, out[MAX_Z * MAX_Z];
    size_t d = f->dim_z;
    for (int g = 0; g < grid_size(&p); g++) {
        grid_point(&p, g, z);
        for (size_t i = 0; i < CANDIDATES; i++) {
            const double *y = CANDIDATE[i];
            if (!supported(&p, i))
                continue;
            f->ops->log_density(f, 1, z, y, out, p.work);
            if (!(*out < HUGE_VAL))
                fail_at(&p, "log_density", z, y, *out);
            f->ops->score(f, 1, z, y, out, p.work);
            check_numbers(&p, "score", z, y, d, out);
            for (size_t j = 0; j < d; j++)
                check_score_sign(&p, z, y, j, out[j]);
            f->ops->observed(f, 1, z, y, out, p.work);
            check_numbers(&p, "observed", z, y, d * d, out);
            f->ops->cdf(f, 1, z, y, out, p.work);
            check_range(&p, "cdf", z, f->dim_marginal, out, 0, 1);
        }
    }
}
END_TEST

/* A Bernoulli y may be a share: its support is for checks, not for this. */
START_TEST(outside_support_density_is_zero) {
    point p = point_at(_i);
    bool shares = strcmp(p.facts->name, "bernoulli") == 0;
    for (size_t i = 0; i < CANDIDATES; i++) {
        const double *y = CANDIDATE[i];
        if (supported(&p, i) || (shares && y[0] > 0 && y[0] < 1))
            continue;
        double value = log_density_at(&p, p.z, y);
        if (!(value == -HUGE_VAL))
            fail_at(&p, "log_density", p.z, y, value);
    }
}
END_TEST

START_TEST(extreme_laws_are_not_nan) {
    point p = family_at(_i);
    const ng_family *f = &p.family;
    double z[MAX_Z] = {0}, out[3 * MAX_Z * MAX_Z];
    size_t d = f->dim_z, m = f->dim_mean;
    double low = p.facts->lower, high = p.facts->upper;
    for (int g = 0; g < grid_size(&p); g++) {
        grid_point(&p, g, z);
        f->ops->fisher(f, 1, z, out, p.work);
        check_numbers(&p, "fisher", z, NULL, d * d, out);
        for (size_t j = 0; j < d; j++)
            check_range(&p, "fisher", z, 1, out + j * d + j, 0, HUGE_VAL);
        f->ops->mean(f, 1, z, out, p.work);
        check_numbers(&p, "mean", z, NULL, m, out);
        f->ops->variance(f, 1, z, out, p.work);
        check_range(&p, "variance", z, m, out, 0, HUGE_VAL);
        f->ops->to_customary(f, 1, z, out, p.work);
        check_numbers(&p, "to_customary", z, NULL, f->dim_customary, out);
        f->ops->customary_jacobian(f, z, out, p.work);
        check_numbers(&p, "customary_jacobian", z, NULL, f->dim_customary * d,
                      out);
        for (double level = 1e-10; level < 1; level += 0.49999999985) {
            f->ops->quantile(f, 1, z, level, out, p.work);
            check_range(&p, "quantile", z, f->dim_marginal, out, low, high);
        }
    }
}
END_TEST

START_TEST(extreme_solves_are_not_nan) {
    static const double DAMPING[] = {0, 1e-6, 1};
    point p = family_at(_i);
    size_t d = p.family.dim_z;
    double z[MAX_Z] = {0}, u[MAX_Z], x[MAX_Z];
    for (size_t j = 0; j < d; j++)
        u[j] = j % 2 ? -1 : 1;
    for (int g = 0; g < grid_size(&p); g++) {
        grid_point(&p, g, z);
        for (size_t i = 0; i < 3; i++) {
            ng_family_fisher_solve(&p.family, 1, z, DAMPING[i], u, x, p.work);
            check_numbers(&p, "fisher_solve", z, NULL, d, x);
        }
    }
}
END_TEST

START_TEST(extreme_draws_are_in_support) {
    point p = family_at(_i);
    const ng_family *f = &p.family;
    double z[MAX_Z] = {0}, y[MAX_Y] = {0};
    ng_rng rng;
    ng_rng_init(&rng, 67, 0);
    for (int g = 0; g < grid_size(&p); g++) {
        grid_point(&p, g, z);
        for (int i = 0; i < 3; i++) {
            f->ops->sample(f, 1, z, &rng, y, p.work);
            if (!f->ops->in_support(f, y))
                fail_at(&p, "sample", z, y, 0);
        }
    }
}
END_TEST

/* Coarse-graining loses information: for the event Y <= y the divergence of
 * two Bernoulli is a lower bound. Floors under the second law's probabilities
 * keep it one where its cdf has rounded, next to 1 to eps. 1e-6 is for cdfs
 * and divergences at arguments of e^700. */
static void check_coarse_bound(point *p, const double *z0, const double *z1,
                               double kl) {
    const ng_family *f = &p->family;
    static const double LEVEL[] = {0.1, 0.5, 0.9};
    if (f->dim_y > 1)
        return;
    for (size_t i = 0; i < 3; i++) {
        double y, P0, P1;
        f->ops->quantile(f, 1, z0, LEVEL[i], &y, p->work);
        f->ops->cdf(f, 1, z0, &y, &P0, p->work);
        f->ops->cdf(f, 1, z1, &y, &P1, p->work);
        double bound = ngi_xlogy(P0, P0 / fmax(P1, 1e-300)) +
                       ngi_xlogy(1 - P0, (1 - P0) / fmax(1 - P1, 1e-9));
        if (!(kl >= bound - 1e-6 * (1 + fabs(bound))))
            fail_at(p, "kl below a coarse bound", z0, z1, kl);
    }
}

/* From every point of the grid to itself and to others, at most 25. */
START_TEST(extreme_divergences_are_not_negative) {
    point p = family_at(_i);
    const ng_family *f = &p.family;
    double z0[MAX_Z] = {0}, z1[MAX_Z] = {0}, kl;
    int size = grid_size(&p), stride = 1 + (size - 1) / 25;
    for (int a = 0; a < size; a++) {
        grid_point(&p, a, z0);
        f->ops->kl(f, 1, z0, z0, &kl, p.work);
        if (kl != 0)
            fail_at(&p, "kl to itself", z0, z0, kl);
        for (int b = a % stride; b < size; b += stride) {
            grid_point(&p, b, z1);
            f->ops->kl(f, 1, z0, z1, &kl, p.work);
            if (!(kl >= 0))
                fail_at(&p, "kl", z0, z1, kl);
        }
    }
}
END_TEST

/* At half the grid, +-350 and +-15, where the ratio of two scales and of a
 * mean to a shape are still doubles. */
START_TEST(extreme_divergences_exceed_coarse_ones) {
    point p = family_at(_i);
    const ng_family *f = &p.family;
    double z0[MAX_Z] = {0}, z1[MAX_Z] = {0}, kl;
    int size = grid_size(&p), stride = 1 + (size - 1) / 25;
    for (int a = 0; a < size; a++) {
        for (int b = a % stride; b < size; b += stride) {
            grid_point(&p, a, z0);
            grid_point(&p, b, z1);
            for (size_t j = 0; j < f->dim_z; j++) {
                z0[j] /= 2;
                z1[j] /= 2;
            }
            f->ops->kl(f, 1, z0, z1, &kl, p.work);
            check_coarse_bound(&p, z0, z1, kl);
        }
    }
}
END_TEST

static void check_start(point *p, const char *what, size_t n, const double *y,
                        const double *w) {
    double z[MAX_Z] = {0};
    p->family.ops->start(&p->family, n, y, w, z, p->work);
    for (size_t j = 0; j < p->family.dim_z; j++) {
        if (!isfinite(z[j]))
            fail_at(p, what, z, y, z[j]);
    }
}

START_TEST(start_is_finite) {
    enum { ROWS = 5 };
    static const double WEIGHT[ROWS] = {0, 2, 0.5, 0, 3}, TINY = 1e-300;
    point p = family_at(_i);
    size_t dy = p.family.dim_y;
    double y[ROWS * MAX_Y];
    for (size_t i = 0; i < CANDIDATES; i++) {
        if (!supported(&p, i))
            continue;
        check_start(&p, "start of one row", 1, CANDIDATE[i], WEIGHT + 1);
        check_start(&p, "start of one light row", 1, CANDIDATE[i], &TINY);
        for (size_t r = 0; r < ROWS; r++)
            memcpy(y + r * dy, CANDIDATE[i], dy * sizeof *y);
        check_start(&p, "start of constant y", ROWS, y, WEIGHT);
        for (size_t k = 0; k < CANDIDATES; k++) {
            if (!supported(&p, k))
                continue;
            memcpy(y + dy, CANDIDATE[k], dy * sizeof *y);
            check_start(&p, "start of two values", ROWS, y, WEIGHT);
        }
    }
}
END_TEST

/* Rows of weight 0 are no rows. */
START_TEST(start_ignores_weightless_rows) {
    point p = point_at(_i);
    const ng_family *f = &p.family;
    size_t dy = f->dim_y, d = f->dim_z, count = 0;
    double y[MAX_OBSERVATIONS * MAX_Y], kept[MAX_OBSERVATIONS * MAX_Y];
    double w[MAX_OBSERVATIONS], heavy[MAX_OBSERVATIONS], z[MAX_Z], same[MAX_Z];
    size_t n = point_observations(&p, y);
    for (size_t i = 0; i < n; i++) {
        w[i] = i % 3 == 0 ? 0 : 1 + (double)i;
        if (w[i] == 0)
            continue;
        memcpy(kept + count * dy, y + i * dy, dy * sizeof *y);
        heavy[count++] = w[i];
    }
    f->ops->start(f, n, y, w, z, p.work);
    f->ops->start(f, count, kept, heavy, same, p.work);
    for (size_t j = 0; j < d; j++)
        ck_assert_double_eq_tol(z[j], same[j], 1e-12 * (1 + fabs(z[j])));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("family extremes");
    TCase *tests = tcase_create("extremes");
    int points = point_count(), families = family_count();
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, extreme_observations_are_not_nan, 0, families);
    tcase_add_loop_test(tests, outside_support_density_is_zero, 0, points);
    tcase_add_loop_test(tests, extreme_laws_are_not_nan, 0, families);
    tcase_add_loop_test(tests, extreme_solves_are_not_nan, 0, families);
    tcase_add_loop_test(tests, extreme_draws_are_in_support, 0, families);
    tcase_add_loop_test(tests, extreme_divergences_are_not_negative, 0,
                        families);
    tcase_add_loop_test(tests, extreme_divergences_exceed_coarse_ones, 0,
                        families);
    tcase_add_loop_test(tests, start_is_finite, 0, families);
    tcase_add_loop_test(tests, start_ignores_weightless_rows, 0, points);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
