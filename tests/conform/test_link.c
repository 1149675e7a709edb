/* Links: eta -> z with derivatives, and back. */
#include "natgrad/family.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>

/* The pairs with a meaning, the open interval of eta on which each is
 * defined, and whether q grows with eta. */
typedef struct pair {
    ng_link link;
    ng_coordinate coordinate;
    double low, high, sign;
} pair;

static const pair PAIRS[] = {
    {NG_LINK_IDENTITY, NG_COORDINATE_OTHER, -HUGE_VAL, HUGE_VAL, 1},
    {NG_LINK_IDENTITY, NG_COORDINATE_REAL, -HUGE_VAL, HUGE_VAL, 1},
    {NG_LINK_LOG, NG_COORDINATE_REAL, -HUGE_VAL, HUGE_VAL, 1},
    {NG_LINK_INVERSE, NG_COORDINATE_REAL, -HUGE_VAL, 0, -1},
    {NG_LINK_INVERSE, NG_COORDINATE_REAL, 0, HUGE_VAL, -1},
    {NG_LINK_INVERSE_SQUARE, NG_COORDINATE_REAL, 0, HUGE_VAL, -1},
    {NG_LINK_SQRT, NG_COORDINATE_REAL, 0, HUGE_VAL, 1},
    {NG_LINK_IDENTITY, NG_COORDINATE_LOG, 0, HUGE_VAL, 1},
    {NG_LINK_LOG, NG_COORDINATE_LOG, -HUGE_VAL, HUGE_VAL, 1},
    {NG_LINK_INVERSE, NG_COORDINATE_LOG, 0, HUGE_VAL, -1},
    {NG_LINK_INVERSE_SQUARE, NG_COORDINATE_LOG, 0, HUGE_VAL, -1},
    {NG_LINK_SQRT, NG_COORDINATE_LOG, 0, HUGE_VAL, 1},
    {NG_LINK_IDENTITY, NG_COORDINATE_LOGIT, 0, 1, 1},
    {NG_LINK_LOG, NG_COORDINATE_LOGIT, -HUGE_VAL, 0, 1},
    {NG_LINK_LOGIT, NG_COORDINATE_LOGIT, -HUGE_VAL, HUGE_VAL, 1},
    {NG_LINK_PROBIT, NG_COORDINATE_LOGIT, -HUGE_VAL, HUGE_VAL, 1},
    {NG_LINK_CLOGLOG, NG_COORDINATE_LOGIT, -HUGE_VAL, HUGE_VAL, 1},
    {NG_LINK_CAUCHIT, NG_COORDINATE_LOGIT, -HUGE_VAL, HUGE_VAL, 1},
};
enum { PAIR_COUNT = sizeof PAIRS / sizeof *PAIRS };

static const double ETA[] = {-300, -30, -9,   -3,  -0.7, -0.02, -1e-6, 0,  1e-6,
                             0.1,  0.5, 0.93, 1.5, 4,    11,    30,    300};
enum { ETAS = sizeof ETA / sizeof *ETA };

typedef struct jet {
    double z, dz, d2z;
} jet;

static jet inverse(const pair *p, double eta) {
    jet j;
    ng_link_inverse(p->link, p->coordinate, 1, &eta, &j.z, &j.dz, &j.d2z);
    return j;
}

static bool inside(const pair *p, double eta) {
    return eta > p->low && eta < p->high;
}

static void fail_at(const pair *p, const char *what, double eta, double value,
                    double expected) {
    ck_abort_msg("%s, coordinate %d, at eta = %g: %s %.17g, expected %.17g",
                 ng_link_name(p->link), (int)p->coordinate, eta, what, value,
                 expected);
}

/* Fourth-order differences at steps h and 2h, h a 256th of the distance to
 * the domain's end or of the tails' scale 1 / (1 + |eta|) (a probit's z is
 * quadratic there). Their difference bounds the truncation error; rounding is
 * a few ulp of f over h, and of eta as it moves. dz is an exponential of
 * logarithms as large as z: |z| ulp. */
static void differentiate(const pair *p, double eta, double *value,
                          double *error) {
    double edge = fmin(eta - p->low, p->high - eta);
    double h = fmin(1, edge) / (256 * (1 + fmin(fabs(eta), 30)));
    static const double AT[] = {-4, -2, -1, 1, 2, 4};
    double out[2][6], size[2] = {0};
    h = edge < 1 ? edge / 256 : h;
    for (size_t i = 0; i < 6; i++) {
        jet j = inverse(p, eta + AT[i] * h);
        out[0][i] = j.z;
        out[1][i] = j.dz;
        size[0] = fmax(size[0], fabs(j.z));
        size[1] = fmax(size[1], fabs(j.dz) * (1 + fabs(j.z) / 8));
    }
    for (size_t k = 0; k < 2; k++) {
        const double *f = out[k];
        double fine = (8 * (f[3] - f[2]) - (f[4] - f[1])) / (12 * h);
        double coarse = (8 * (f[4] - f[1]) - (f[5] - f[0])) / (24 * h);
        value[k] = fine;
        error[k] =
            fabs(coarse - fine) +
            DBL_EPSILON / h * (32 * size[k] + 4 * fabs(eta) * fabs(fine));
    }
}

START_TEST(derivatives_match_differences) {
    const pair *p = PAIRS + _i;
    for (size_t i = 0; i < ETAS; i++) {
        double value[2], error[2];
        if (!inside(p, ETA[i]) || fabs(ETA[i]) > 30)
            continue;
        jet j = inverse(p, ETA[i]);
        differentiate(p, ETA[i], value, error);
        if (!(fabs(j.dz - value[0]) <= error[0]))
            fail_at(p, "dz", ETA[i], j.dz, value[0]);
        if (!(fabs(j.d2z - value[1]) <= error[1]))
            fail_at(p, "d2z", ETA[i], j.d2z, value[1]);
        ck_assert_double_le(error[0], 1e-6 * fabs(j.dz));
    }
}
END_TEST

/* eta comes back to rounding: that of z costs eps |z| / |dz|, that of a
 * logarithm of q up to eps |z| relative. */
START_TEST(forward_inverts_inverse) {
    const pair *p = PAIRS + _i;
    for (size_t i = 0; i < ETAS; i++) {
        double eta = ETA[i], again;
        if (!inside(p, eta) || fabs(eta) > 30)
            continue;
        jet j = inverse(p, eta);
        ng_link_forward(p->link, p->coordinate, 1, &j.z, &again);
        double error =
            16 * DBL_EPSILON * (fabs(eta) + (1 + fabs(j.z)) / fabs(j.dz));
        if (!(fabs(again - eta) <= error))
            fail_at(p, "round trip", eta, again, eta);
    }
}
END_TEST

START_TEST(tails_are_finite_and_monotone) {
    const pair *p = PAIRS + _i;
    double before = -HUGE_VAL;
    for (size_t i = 0; i < ETAS; i++) {
        if (!inside(p, ETA[i]))
            continue;
        jet j = inverse(p, ETA[i]);
        ck_assert_msg(isfinite(j.z) && isfinite(j.dz) && isfinite(j.d2z),
                      "%s at eta = %g: z %g, dz %g, d2z %g",
                      ng_link_name(p->link), ETA[i], j.z, j.dz, j.d2z);
        ck_assert_double_gt(p->sign * j.dz, 0);
        ck_assert_double_gt(p->sign * j.z, before);
        before = p->sign * j.z;
    }
}
END_TEST

START_TEST(outside_domain_is_nan) {
    const pair *p = PAIRS + _i;
    bool both_sides =
        p->link == NG_LINK_INVERSE && p->coordinate == NG_COORDINATE_REAL;
    for (size_t i = 0; i < ETAS; i++) {
        /* sqrt's eta = 0 is q = 0, an ordinary real. */
        bool edge = ETA[i] == 0 && p->link == NG_LINK_SQRT &&
                    p->coordinate == NG_COORDINATE_REAL;
        if (inside(p, ETA[i]) || edge || (both_sides && ETA[i] != 0))
            continue;
        jet j = inverse(p, ETA[i]);
        if (!isnan(j.z))
            fail_at(p, "z outside the domain", ETA[i], j.z, (double)NAN);
    }
}
END_TEST

static bool has_meaning(ng_link link, ng_coordinate coordinate) {
    for (size_t i = 0; i < PAIR_COUNT; i++) {
        if (PAIRS[i].link == link && PAIRS[i].coordinate == coordinate)
            return true;
    }
    return false;
}

START_TEST(meaningless_pairs_are_nan) {
    static const double Z[] = {-1, 0.25, 2};
    for (int link = 0; link < NG_LINK_COUNT; link++) {
        for (int c = NG_COORDINATE_REAL; c <= NG_COORDINATE_OTHER; c++) {
            double z[3], eta[3];
            if (has_meaning((ng_link)link, (ng_coordinate)c))
                continue;
            ng_link_inverse((ng_link)link, (ng_coordinate)c, 3, Z, z, NULL,
                            NULL);
            ng_link_forward((ng_link)link, (ng_coordinate)c, 3, Z, eta);
            for (size_t i = 0; i < 3; i++)
                ck_assert(isnan(z[i]) && isnan(eta[i]));
        }
    }
}
END_TEST

START_TEST(rows_and_null_derivatives) {
    const pair *p = PAIRS + _i;
    double z[ETAS], dz[ETAS], d2z[ETAS], alone[ETAS];
    ng_link_inverse(p->link, p->coordinate, ETAS, ETA, z, dz, d2z);
    ng_link_inverse(p->link, p->coordinate, ETAS, ETA, alone, NULL, NULL);
    for (size_t i = 0; i < ETAS; i++) {
        jet j = inverse(p, ETA[i]);
        ck_assert(isnan(z[i]) ? isnan(j.z) && isnan(alone[i])
                              : j.z == z[i] && alone[i] == z[i] &&
                                    j.dz == dz[i] && j.d2z == d2z[i]);
    }
}
END_TEST

START_TEST(names_find_links) {
    ng_ctx *ctx;
    ck_assert_int_eq(ng_ctx_create(NULL, &ctx), NG_OK);
    for (int link = 0; link < NG_LINK_COUNT; link++) {
        ng_link found;
        const char *name = ng_link_name((ng_link)link);
        ck_assert_int_eq(ng_link_find(ctx, name, &found), NG_OK);
        ck_assert_int_eq(found, link);
    }
    ng_link found = NG_LINK_SQRT;
    ck_assert_int_eq(ng_link_find(ctx, "log10", &found), NG_EUSAGE);
    ck_assert_int_eq(found, NG_LINK_SQRT);
    ng_ctx_destroy(&ctx);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("links");
    TCase *tests = tcase_create("links");
    tcase_add_loop_test(tests, derivatives_match_differences, 0, PAIR_COUNT);
    tcase_add_loop_test(tests, forward_inverts_inverse, 0, PAIR_COUNT);
    tcase_add_loop_test(tests, tails_are_finite_and_monotone, 0, PAIR_COUNT);
    tcase_add_loop_test(tests, outside_domain_is_nan, 0, PAIR_COUNT);
    tcase_add_loop_test(tests, rows_and_null_derivatives, 0, PAIR_COUNT);
    tcase_add_test(tests, meaningless_pairs_are_nan);
    tcase_add_test(tests, names_find_links);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
