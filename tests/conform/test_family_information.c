/* The Fisher by three definitions, and the divergence, of every family. */
#include "cases.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <string.h>

static void fisher_at(point *p, double *F) {
    p->family.ops->fisher(&p->family, 1, p->z, F, p->work);
}

static void check_entry(const point *p, const char *what, size_t j,
                        double entry, double value, double error) {
    ck_assert_msg(fabs(entry - value) <= error,
                  "%s %s[%zu] at z = (%g, %g, %g): %.17g, expected %.17g "
                  "+- %g",
                  p->facts->name, what, j, p->z[0], p->z[1], p->z[2], entry,
                  value, error);
}

/* The score, then its outer product. */
static void score_moments(point *p, const double *y, const void *unused,
                          double *out) {
    size_t d = p->family.dim_z;
    (void)unused;
    p->family.ops->score(&p->family, 1, p->z, y, out, p->work);
    for (size_t j = 0; j < d; j++) {
        for (size_t k = 0; k < d; k++)
            out[d + j * d + k] = out[j] * out[k];
    }
}

START_TEST(fisher_is_covariance_of_score) {
    point p = point_at(_i);
    size_t d = p.family.dim_z;
    double F[MAX_Z * MAX_Z], value[MAX_STATISTICS], error[MAX_STATISTICS];
    fisher_at(&p, F);
    expect(&p, score_moments, NULL, d + d * d, value, error);
    for (size_t j = 0; j < d; j++)
        check_entry(&p, "mean score", j, 0, value[j], error[j]);
    for (size_t j = 0; j < d * d; j++)
        check_entry(&p, "fisher", j, F[j], value[d + j], error[d + j]);
}
END_TEST

static void observed_at(point *p, const double *y, const void *unused,
                        double *out) {
    (void)unused;
    p->family.ops->observed(&p->family, 1, p->z, y, out, p->work);
}

/* Canonical parameters have observed = F for every y: no spread, and an error
 * of rounding only, for which a few ulp of the diagonal are added. */
START_TEST(fisher_is_expected_hessian) {
    point p = point_at(_i);
    if (!p.family.ops->smooth)
        return;
    size_t d = p.family.dim_z;
    double F[MAX_Z * MAX_Z], value[MAX_STATISTICS], error[MAX_STATISTICS];
    double unit[MAX_Z];
    point_units(&p, unit);
    fisher_at(&p, F);
    expect(&p, observed_at, NULL, d * d, value, error);
    for (size_t j = 0; j < d * d; j++) {
        double ulp = DBL_EPSILON * unit[j / d] * unit[j % d];
        check_entry(&p, "expected hessian", j, F[j], value[j],
                    error[j] + 64 * ulp);
    }
}
END_TEST

static double divergence_along(point *p, const double *direction, double t) {
    double z[MAX_Z];
    for (size_t j = 0; j < p->family.dim_z; j++)
        z[j] = p->z[j] + t * direction[j];
    return divergence(p, z);
}

/* d2/dt2 KL(z || z + t v) at 0. KL itself is 0 there and its own error is
 * relative, so the quotient loses nothing but the rounding of z + t v. The
 * truncation error of second differences is c t^2, of a kinked family c |t|,
 * and extrapolation removes it; the next order is bounded as in
 * differentiate(). */
static double curvature(point *p, const double *v, double *error) {
    double estimate[3], step = 1. / 256;
    for (size_t i = 0; i < 3; i++, step *= 2)
        estimate[i] =
            (divergence_along(p, v, step) + divergence_along(p, v, -step)) /
            (step * step);
    double ratio = p->family.ops->smooth ? 4 : 2;
    double fine = (ratio * estimate[0] - estimate[1]) / (ratio - 1);
    double coarse = (ratio * estimate[1] - estimate[2]) / (ratio - 1);
    double size = 0, length = 0;
    for (size_t j = 0; j < p->family.dim_z; j++) {
        size = fmax(size, fabs(p->z[j]));
        length = fmax(length, fabs(v[j]));
    }
    double moved = 256 * DBL_EPSILON * (1 + size / length);
    *error = fabs(coarse - fine) + (1e-11 + moved) * fabs(fine);
    return fine;
}

/* By polarisation, in natural units: 4 v'Fw = (v+w)'F(v+w) - (v-w)'F(v-w). */
START_TEST(fisher_is_curvature_of_divergence) {
    point p = point_at(_i);
    size_t d = p.family.dim_z;
    double F[MAX_Z * MAX_Z], unit[MAX_Z];
    fisher_at(&p, F);
    point_units(&p, unit);
    for (size_t j = 0; j < d; j++) {
        for (size_t k = 0; k <= j; k++) {
            double sum[MAX_Z] = {0}, difference[MAX_Z] = {0}, e[2] = {0};
            double a = 1 / fmax(1, unit[j]), b = 1 / fmax(1, unit[k]);
            sum[j] = difference[j] = a;
            sum[k] += b;
            difference[k] -= b;
            double value = curvature(&p, sum, e);
            if (j != k)
                value -= curvature(&p, difference, e + 1);
            double allowed = e[0] + e[1];
            check_entry(&p, "curvature of KL", j * d + k, F[j * d + k] * a * b,
                        value / 4, allowed / 4);
            ck_assert_double_le(allowed, 1e-3);
        }
    }
}
END_TEST

/* KL(z, z + h e) = h^2/2 e'Fe (1 + c h + ...) with no floor of noise: c is
 * taken from h = 1e-3 and doubled, and 1e-6 is for the rounding of
 * differences of transformed parameters, eps / h relative at the least h. */
static void check_tiny_steps(point *p, const double *e) {
    size_t d = p->family.dim_z;
    double F[MAX_Z * MAX_Z], bend = 0;
    fisher_at(p, F);
    for (int power = 3; power <= 8; power++) {
        double h = pow(10, -power), z[MAX_Z], step[MAX_Z], form = 0;
        for (size_t j = 0; j < d; j++) {
            z[j] = p->z[j] + h * e[j];
            step[j] = z[j] - p->z[j];
        }
        for (size_t j = 0; j < d * d; j++)
            form += step[j / d] * F[j] * step[j % d];
        double excess = fabs(divergence(p, z) / (0.5 * form) - 1);
        if (power == 3)
            bend = excess / h;
        ck_assert_double_le(bend, 100);
        ck_assert_msg(excess <= 1e-6 + 2 * bend * h,
                      "%s KL of a step of 1e-%d at z = (%g, %g, %g): "
                      "relative error %g, allowed %g",
                      p->facts->name, power, p->z[0], p->z[1], p->z[2], excess,
                      1e-6 + 2 * bend * h);
    }
}

START_TEST(divergence_has_no_noise_floor) {
    point p = point_at(_i);
    size_t d = p.family.dim_z;
    double unit[MAX_Z], e[MAX_Z];
    ng_rng rng;
    ng_rng_init(&rng, 41, 0);
    point_units(&p, unit);
    for (size_t j = 0; j <= d; j++) {
        for (size_t k = 0; k < d; k++) {
            double size = j == d ? ng_rng_normal(&rng) : (double)(j == k);
            e[k] = size / fmax(1, unit[k]);
        }
        check_tiny_steps(&p, e);
    }
}
END_TEST

typedef struct pair {
    double z1[MAX_Z];
} pair;

static void log_ratio(point *p, const double *y, const void *user,
                      double *out) {
    const pair *other = user;
    *out = log_density_at(p, p->z, y) - log_density_at(p, other->z1, y);
}

static void check_divergence(point *p, const double *z1) {
    pair other;
    double value, error;
    memcpy(other.z1, z1, sizeof other.z1);
    const ng_family *f = &p->family;
    if (!f->ops->smooth) /* the kink of the second density: its median */
        f->ops->quantile(f, 1, z1, 0.5, &p->kink, p->work);
    double kl = divergence(p, z1);
    ck_assert_double_ge(kl, 0);
    expect(p, log_ratio, &other, 1, &value, &error);
    check_entry(p, "KL", 0, kl, value, error + 1e-12 * (1 + kl));
}

/* Steps of a few tenths and of about one unit in every component. */
START_TEST(divergence_is_expected_log_ratio) {
    static const double SIZE[] = {0.01, 0.3, -0.4, 1, -1.3};
    point p = point_at(_i);
    size_t d = p.family.dim_z;
    double unit[MAX_Z], z1[MAX_Z] = {0};
    ng_rng rng;
    ng_rng_init(&rng, 43, 0);
    point_units(&p, unit);
    for (size_t i = 0; i < sizeof SIZE / sizeof *SIZE; i++) {
        for (size_t k = 0; k < d; k++)
            z1[k] = p.z[k] +
                    SIZE[i] * (0.5 + ng_rng_uniform(&rng)) / fmax(1, unit[k]);
        check_divergence(&p, z1);
    }
    for (size_t k = 0; k < d; k++) {
        memcpy(z1, p.z, sizeof z1);
        z1[k] += 0.7;
        check_divergence(&p, z1);
    }
}
END_TEST

/* Long steps; of a vector y, whose draws cover p1's tails badly, none. */
START_TEST(divergence_between_points) {
    point p = point_at(_i);
    for (size_t i = 0; i < p.facts->points && p.family.dim_y == 1; i++)
        check_divergence(&p, p.facts->z[i]);
}
END_TEST

/* A Student t of e^60 degrees of freedom is a normal: its divergences to
 * e^3 degrees of freedom, at the same scale and at e^(1/2) times it, are
 * integrals of normal densities, here from 20 digits of mpmath. */
START_TEST(nearly_normal_student_diverges) {
    static const double Z0[] = {0, 0, 60}, Z1[] = {0, 0, 3, 0, 0.5, 3};
    static const double KL[] = {0.0033676093200702325, 0.20053039575369362};
    ng_family f;
    double kl, work[MAX_WORK];
    ck_assert_int_eq(ng_family_init(NULL, "student-t", 1, &f), NG_OK);
    for (size_t i = 0; i < 2; i++) {
        f.ops->kl(&f, 1, Z0, Z1 + 3 * i, &kl, work);
        ck_assert_double_eq_tol(kl, KL[i], 1e-12);
    }
}
END_TEST

START_TEST(divergence_is_zero_at_home) {
    point p = point_at(_i);
    ck_assert_double_eq(divergence(&p, p.z), 0);
}
END_TEST

START_TEST(fisher_is_symmetric) {
    point p = point_at(_i);
    size_t d = p.family.dim_z;
    double F[MAX_Z * MAX_Z];
    fisher_at(&p, F);
    for (size_t j = 0; j < d * d; j++)
        ck_assert_double_eq(F[j], F[j % d * d + j / d]);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("family information");
    TCase *tests = tcase_create("fisher and divergence");
    int points = point_count();
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, fisher_is_symmetric, 0, points);
    tcase_add_loop_test(tests, fisher_is_covariance_of_score, 0, points);
    tcase_add_loop_test(tests, fisher_is_expected_hessian, 0, points);
    tcase_add_loop_test(tests, fisher_is_curvature_of_divergence, 0, points);
    tcase_add_loop_test(tests, divergence_is_zero_at_home, 0, points);
    tcase_add_loop_test(tests, divergence_has_no_noise_floor, 0, points);
    tcase_add_loop_test(tests, divergence_is_expected_log_ratio, 0, points);
    tcase_add_loop_test(tests, divergence_between_points, 0, points);
    tcase_add_test(tests, nearly_normal_student_diverges);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
