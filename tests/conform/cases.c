#include "cases.h"

#include "numerics/special.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <string.h>

#define REALS    -HUGE_VAL, HUGE_VAL
#define POSITIVE 0, HUGE_VAL
/* Counts, classes and proportions. */
#define UP_TO(n) 0, n
#define ANGLES   -NGI_PI, NGI_PI

const family_facts FAMILY_FACTS[] = {
    {"bernoulli", 1, UP_TO(1), 4, {{-3}, {0}, {1.5}, {6}}},
    {"categorical", 4, UP_TO(3), 3, {{0.3, -0.5, 1.2}, {0}, {4, -3, 1}}},
    {"softmax",
     4,
     UP_TO(3),
     3,
     {{0.3, -0.5, 1.2, 0}, {2, 2, 2, 2}, {5, -2, 1, 0}}},
    {"normal", 1, REALS, 3, {{0.5, 0.2}, {-3, -2}, {100, 3}}},
    {"mvnormal",
     3,
     REALS,
     2,
     {{0.3, -1, 2, 0.2, 0.5, -0.3, -0.4, 0.7, 0.1}, {0}}},
    {"poisson", 1, POSITIVE, 4, {{-2}, {0.7}, {5}, {9}}},
    {"exponential", 1, POSITIVE, 3, {{-2}, {0.3}, {4}}},
    {"gamma", 1, POSITIVE, 4, {{0.5, 1.2}, {-2, -1.5}, {3, 4}, {1, 12}}},
    {"inverse-gaussian",
     1,
     POSITIVE,
     4,
     {{0.2, 0.7}, {1, -1}, {-1, 4}, {1, 12}}},
    {"negative-binomial",
     1,
     POSITIVE,
     5,
     {{1, 0.5}, {2, -1}, {3, 5}, {-1, 2}, {2, 12}}},
    {"beta", 1, UP_TO(1), 4, {{0.3, 1.5}, {-1, 0.5}, {1, 4}, {-0.5, 12}}},
    {"weibull", 1, POSITIVE, 3, {{0.5, 0.4}, {-1, -0.5}, {2, 2}}},
    {"gumbel", 1, REALS, 3, {{0.5, 0.2}, {-3, -2}, {20, 3}}},
    {"logistic", 1, REALS, 3, {{0.5, 0.2}, {-3, -2}, {20, 3}}},
    {"lognormal", 1, POSITIVE, 3, {{0.3, -0.5}, {-2, 0.3}, {1, -2}}},
    {"student-t",
     1,
     REALS,
     4,
     {{0.5, 0.2, 1.5}, {-3, -2, 2.5}, {20, 3, 4}, {1, 0, 8}}},
    {"laplace", 1, REALS, 3, {{0.5, 0.2}, {-3, -2}, {20, 3}}},
    {"vonmises", 1, ANGLES, 4, {{0.5, 0.2}, {-1.5, 1}, {3, -8}, {0, 0.2}}},
    {"dirichlet",
     3,
     UP_TO(1),
     3,
     {{0.5, 1, -0.3}, {2, 3, 2.5}, {-0.7, 0.2, 0.1}}},
    {.name = NULL}};

int family_count(void) {
    int count = 0;
    while (ng_family_list()[count])
        count++;
    return count;
}

static const family_facts *find_facts(const char *name) {
    const family_facts *facts = FAMILY_FACTS;
    while (facts->name && strcmp(facts->name, name) != 0)
        facts++;
    return facts;
}

int point_count(void) {
    size_t count = 0;
    for (int i = 0; i < family_count(); i++)
        count += find_facts(ng_family_list()[i]->name)->points;
    return (int)count;
}

static point make_point(const family_facts *facts, size_t index) {
    point p = {.facts = facts, .kink = (double)NAN};
    ck_assert_ptr_nonnull(facts->name);
    ck_assert_int_eq(ng_family_init(NULL, facts->name, facts->size, &p.family),
                     NG_OK);
    ck_assert_uint_le(p.family.dim_z, MAX_Z);
    ck_assert_uint_le(p.family.dim_y, MAX_Y);
    ck_assert_uint_le(ng_family_work(&p.family), MAX_WORK);
    memcpy(p.z, facts->z[index], sizeof p.z);
    return p;
}

point family_at(int index) {
    return make_point(find_facts(ng_family_list()[index]->name), 0);
}

point point_at(int index) {
    size_t rest = (size_t)index;
    for (int i = 0; i < family_count(); i++) {
        const family_facts *facts = find_facts(ng_family_list()[i]->name);
        if (rest < facts->points)
            return make_point(facts, rest);
        rest -= facts->points;
    }
    ck_abort_msg("no point %d", index);
    return (point){0};
}

void point_units(point *p, double *unit) {
    size_t d = p->family.dim_z;
    double F[MAX_Z * MAX_Z];
    p->family.ops->fisher(&p->family, 1, p->z, F, p->work);
    for (size_t j = 0; j < d; j++)
        unit[j] = sqrt(F[j * d + j]);
}

size_t point_observations(point *p, double *y) {
    static const double LEVEL[] = {1e-6, 0.04, 0.3, 0.6, 0.93, 1 - 1e-6};
    enum { COUNT = sizeof LEVEL / sizeof *LEVEL };
    const ng_family *f = &p->family;
    for (size_t i = 0; i < COUNT && f->dim_y == 1; i++)
        f->ops->quantile(f, 1, p->z, LEVEL[i], y + i, p->work);
    ng_rng rng;
    ng_rng_init(&rng, 20240607, 1);
    for (size_t i = 0; i < COUNT && f->dim_y > 1; i++)
        f->ops->sample(f, 1, p->z, &rng, y + i * f->dim_y, p->work);
    return COUNT;
}

double log_density_at(point *p, const double *z, const double *y) {
    double out;
    p->family.ops->log_density(&p->family, 1, z, y, &out, p->work);
    return out;
}

double divergence(point *p, const double *z1) {
    double out;
    p->family.ops->kl(&p->family, 1, p->z, z1, &out, p->work);
    return out;
}

/* Central differences of fourth order, D(h) = D + O(h^4), from steps h and 2h.
 * Since D(2h) - D(h) is 15 times the truncation error of D(h) to leading
 * order, it bounds that error with room to spare. Rounding adds a few ulp of
 * f's terms, and of z as it moves, over the step:
 * 32 eps |f| / h + 4 eps |z| |D| / h.
 */
void differentiate(point *p, const double *direction, double step,
                   vector_function f, const void *user, size_t k, double terms,
                   double *value, double *error) {
    static const double AT[] = {-4, -2, -1, 1, 2, 4};
    double out[6][MAX_STATISTICS], z[MAX_Z], size = 0;
    for (size_t i = 0; i < 6; i++) {
        for (size_t j = 0; j < p->family.dim_z; j++) {
            z[j] = p->z[j] + AT[i] * step * direction[j];
            size = fmax(size, fabs(direction[j] * z[j]));
        }
        f(p, z, user, out[i]);
    }
    for (size_t j = 0; j < k; j++) {
        double one = out[3][j] - out[2][j], two = out[4][j] - out[1][j];
        double four = out[5][j] - out[0][j];
        double largest = 1 + terms + fmax(fabs(out[5][j]), fabs(out[0][j]));
        value[j] = (8 * one - two) / (12 * step);
        double coarse = (8 * two - four) / (24 * step);
        error[j] =
            fabs(coarse - value[j]) +
            DBL_EPSILON / step * (32 * largest + 4 * size * fabs(value[j]));
    }
}

/* One component of g times the density, or its modulus. */
typedef struct integrand {
    point *p;
    statistic g;
    const void *user;
    size_t component;
    bool modulus;
} integrand;

static double weighted_statistic(double y, void *user) {
    integrand *it = user;
    double out[MAX_STATISTICS];
    double density = exp(log_density_at(it->p, it->p->z, &y));
    if (density == 0)
        return 0;
    it->g(it->p, &y, it->user, out);
    double value = out[it->component];
    return density * (it->modulus ? fabs(value) : value);
}

/* Pieces between quantiles: each is smooth (the kink of a Laplace lies at its
 * median) and holds a fair share of the mass, so that the double exponential
 * rule sees it at any scale. */
static double integrate_pieces(integrand *it, double a, double b,
                               double tolerance) {
    enum { CUTS = 3 };
    static const double LEVEL[CUTS] = {1e-3, 0.5, 0.999};
    const ng_family *f = &it->p->family;
    double cut[CUTS + 1], sum = 0;
    for (size_t i = 0; i < CUTS; i++)
        f->ops->quantile(f, 1, it->p->z, LEVEL[i], cut + i, it->p->work);
    cut[CUTS] = b;
    double kink = it->p->kink;
    for (size_t i = 0; i <= CUTS; i++) {
        double end = fmin(cut[i], b);
        if (kink > a && kink < end) {
            sum += ngi_integrate(weighted_statistic, it, a, kink, tolerance);
            a = kink;
        }
        if (end > a)
            sum += ngi_integrate(weighted_statistic, it, a, end, tolerance);
        a = fmax(a, end);
    }
    return sum;
}

/* Levels of the rule agree to 1e-12 of the integral of the modulus; the error
 * allowed is a thousand times that, for the rounding of log p (an absolute
 * error of log p is a relative one of p) and the mass next to an edge that
 * doubles cannot tell from it. */
static void expect_by_quadrature(point *p, statistic g, const void *user,
                                 size_t k, double *value, double *error) {
    for (size_t j = 0; j < k; j++) {
        integrand it = {p, g, user, j, false};
        double a = p->facts->lower, b = p->facts->upper;
        value[j] = integrate_pieces(&it, a, b, 1e-12);
        it.modulus = true;
        error[j] = 1e-9 * integrate_pieces(&it, a, b, 1e-2) + DBL_MIN;
    }
}

static void unit_statistic(point *p, const double *y, const void *user,
                           double *out) {
    (void)p;
    (void)y;
    (void)user;
    *out = 1;
}

double integrate_density(point *p, double a, double b) {
    integrand it = {p, unit_statistic, NULL, 0, false};
    return integrate_pieces(&it, a, b, 1e-12);
}

/* Summed until the density is below e^-60 beyond the 0.999 quantile; rounding
 * of log p as in expect_by_quadrature. */
static void expect_by_sum(point *p, statistic g, const void *user, size_t k,
                          double *value, double *error) {
    const ng_family *f = &p->family;
    double out[MAX_STATISTICS], far;
    f->ops->quantile(f, 1, p->z, 0.999, &far, p->work);
    for (size_t j = 0; j < k; j++)
        value[j] = error[j] = 0;
    for (double y = 0; y <= p->facts->upper; y++) {
        double log_p = log_density_at(p, p->z, &y);
        if (y > far && log_p < -60)
            break;
        g(p, &y, user, out);
        for (size_t j = 0; j < k; j++) {
            value[j] += exp(log_p) * out[j];
            error[j] += 1e-10 * exp(log_p) * fabs(out[j]);
        }
    }
}

/* Five standard errors of the mean: each comparison fails by chance with
 * probability 6e-7, and a suite makes fewer than 2000. Seed fixed. */
static void expect_by_draws(point *p, statistic g, const void *user, size_t k,
                            double *value, double *error) {
    enum { DRAWS = 100000 };
    const ng_family *f = &p->family;
    double out[MAX_STATISTICS], y[MAX_Y], square[MAX_STATISTICS] = {0};
    ng_rng rng;
    ng_rng_init(&rng, 7081998, 0);
    for (size_t j = 0; j < k; j++)
        value[j] = 0;
    for (size_t i = 0; i < DRAWS; i++) {
        f->ops->sample(f, 1, p->z, &rng, y, p->work);
        g(p, y, user, out);
        for (size_t j = 0; j < k; j++) {
            double delta = out[j] - value[j];
            value[j] += delta / (double)(i + 1);
            square[j] += delta * (out[j] - value[j]);
        }
    }
    for (size_t j = 0; j < k; j++)
        error[j] = 5 * sqrt(square[j]) / DRAWS + 1e-12 * fabs(value[j]);
}

void expect(point *p, statistic g, const void *user, size_t k, double *value,
            double *error) {
    if (p->family.dim_y > 1)
        expect_by_draws(p, g, user, k, value, error);
    else if (p->family.ops->discrete)
        expect_by_sum(p, g, user, k, value, error);
    else
        expect_by_quadrature(p, g, user, k, value, error);
}

int run_suite(struct Suite *suite) {
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
