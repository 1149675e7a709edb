/* What a family under a link makes of eta: losses, scores and curvatures
 * against each other by quadrature, against the family's own table, against
 * deviances as they are written in books, and the vector code against the
 * chain rule. */
#include "family/two_parameter.h"
#include "glm/kernel_mean.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH(table) (sizeof(table) / sizeof *(table))

/* Where a link has a mean: up to how near the end of it a loss is smooth. */
typedef enum domain { REAL, POSITIVE, NEGATIVE, UNIT } domain;

typedef struct pair {
    const char *family;
    ng_link link;
    domain domain;
    double far; /* how far out the loss and the like are representable */
} pair;

/* The vector code is compared up to |eta| = 700 where exponentials are its
 * only terms. A normal under the log squares them; an inverse Gaussian, too. */
static const pair PAIRS[] = {
    {"bernoulli", NG_LINK_LOGIT, REAL, 700},
    {"bernoulli", NG_LINK_PROBIT, REAL, 30},
    {"bernoulli", NG_LINK_CLOGLOG, REAL, 600},
    {"bernoulli", NG_LINK_CAUCHIT, REAL, 1e6},
    {"bernoulli", NG_LINK_LOG, NEGATIVE, 600},
    {"bernoulli", NG_LINK_IDENTITY, UNIT, 1},
    {"poisson", NG_LINK_LOG, REAL, 700},
    {"poisson", NG_LINK_IDENTITY, POSITIVE, 1e9},
    {"poisson", NG_LINK_SQRT, POSITIVE, 1e6},
    {"poisson", NG_LINK_INVERSE, POSITIVE, 1e9},
    {"normal", NG_LINK_IDENTITY, REAL, 700},
    {"normal", NG_LINK_LOG, REAL, 300},
    {"normal", NG_LINK_INVERSE, POSITIVE, 1e9},
    {"normal", NG_LINK_SQRT, POSITIVE, 1e9},
    {"gamma", NG_LINK_LOG, REAL, 700},
    {"gamma", NG_LINK_INVERSE, POSITIVE, 1e9},
    {"gamma", NG_LINK_IDENTITY, POSITIVE, 1e9},
    {"gamma", NG_LINK_SQRT, POSITIVE, 1e9},
    {"inverse-gaussian", NG_LINK_LOG, REAL, 300},
    {"inverse-gaussian", NG_LINK_INVERSE, POSITIVE, 1e9},
    {"inverse-gaussian", NG_LINK_INVERSE_SQUARE, POSITIVE, 1e9},
    {"inverse-gaussian", NG_LINK_IDENTITY, POSITIVE, 1e9},
    {"tweedie 1", NG_LINK_LOG, REAL, 700},
    {"tweedie 1.2", NG_LINK_LOG, REAL, 600},
    {"tweedie 1.5", NG_LINK_LOG, REAL, 600},
    {"tweedie 1.5", NG_LINK_IDENTITY, POSITIVE, 1e9},
    {"tweedie 1.5", NG_LINK_SQRT, POSITIVE, 1e9},
    {"tweedie 1.9", NG_LINK_INVERSE, POSITIVE, 1e9},
    {"tweedie 2", NG_LINK_LOG, REAL, 600},
    {"tweedie 2.5", NG_LINK_LOG, REAL, 300},
    {"tweedie 3", NG_LINK_LOG, REAL, 300},
};

/* `family` is the caller's, for the kernel to borrow. */
static void make(const pair *p, ng_family *family, bool generic,
                 ngi_glm_kernel *k) {
    double power;
    if (sscanf(p->family, "tweedie %lf", &power) == 1) {
        ngi_glm_kernel_tweedie(power, p->link, k);
        return;
    }
    ck_assert_int_eq(ng_family_init(NULL, p->family, 1, family), NG_OK);
    (generic ? ngi_glm_kernel_generic : ngi_glm_kernel_mean)(family, p->link,
                                                             k);
}

static ngi_glm_row row_at(const ngi_glm_kernel *k, double eta, double y) {
    double work[16];
    ngi_glm_row row;
    ngi_glm_terms out = {
        .loss = &row.loss, .score = &row.score, .curvature = &row.expected};
    ck_assert_uint_le(k->work, LENGTH(work));
    k->ops->terms(k, 1, &eta, NULL, &y, NULL, &out, work);
    out = (ngi_glm_terms){.curvature = &row.observed, .observed = true};
    k->ops->terms(k, 1, &eta, NULL, &y, NULL, &out, work);
    return row;
}

/* Responses of a family; the count of them. */
static size_t responses(const pair *p, double *y) {
    static const double SHARES[] = {0, 1, 0.3}, COUNTS[] = {0, 1, 7, 1000};
    static const double REALS[] = {-2, 0.5, 30}, RATIOS[] = {0.01, 1, 50};
    double power = -1;
    sscanf(p->family, "tweedie %lf", &power);
    if (strcmp(p->family, "bernoulli") == 0)
        memcpy(y, SHARES, sizeof SHARES);
    else if (strcmp(p->family, "poisson") == 0 || (power >= 1 && power < 2))
        memcpy(y, COUNTS, sizeof COUNTS);
    else if (strcmp(p->family, "normal") == 0)
        memcpy(y, REALS, sizeof REALS);
    else
        memcpy(y, RATIOS, sizeof RATIOS);
    return memcmp(y, COUNTS, sizeof COUNTS) == 0 ? 4 : 3;
}

/* A step in eta that matters: a share of the distance to the domain's end. */
static double reach(const pair *p, double eta) {
    switch (p->domain) {
    case REAL:
        if (p->link == NG_LINK_CLOGLOG) /* exp(-e^eta) */
            return 1 / (1 + exp(eta));
        return p->link == NG_LINK_CAUCHIT ? fmax(1, fabs(eta)) : 1;
    case POSITIVE:
        return eta;
    case NEGATIVE:
        return fmin(1, -eta);
    case UNIT:
        return fmin(eta, 1 - eta);
    }
    return 1;
}

/* Eta at u in (-1, 1), `size` being how far out. */
static double place(const pair *p, double u, double size) {
    switch (p->domain) {
    case REAL:
        return u * size;
    case POSITIVE:
        return pow(size, u);
    case NEGATIVE:
        return -pow(size, u);
    case UNIT:
        return 0.5 + 0.499999 * u;
    }
    return 0;
}

/* Relative error of an exponential whose exponent has a rounding: eta itself
 * for most links, eta^2 / 2 for the probit's, e^eta for the cloglog's. Some
 * sixteen operations of that kind make a loss. */
static double rounding(const pair *p, double eta) {
    double exponent = 1 + fabs(p->domain == POSITIVE ? log(eta) : eta);
    if (p->link == NG_LINK_PROBIT)
        exponent += eta * eta;
    if (p->link == NG_LINK_CLOGLOG)
        exponent += fmin(exp(eta), 745);
    if (p->link == NG_LINK_CAUCHIT)
        exponent = 1 + log1p(fabs(eta));
    /* log y of the largest response is 7. */
    return 16 * DBL_EPSILON * (exponent + 7);
}

/* What a relative change of `rounding` in the distance to the domain's end
 * makes of a row. */
static ngi_glm_row tolerance(const pair *p, double eta, const ngi_glm_row *at) {
    double r = rounding(p, eta), s = reach(p, eta);
    double bend = fabs(at->observed) + at->expected;
    ngi_glm_row t = {
        r * (fabs(at->loss) + fabs(at->score) * s + r * bend * s * s),
        r * (fabs(at->score) + bend * s), r * 4 * bend,
        r * (4 * bend + fabs(at->score) / s)};
    t.loss += DBL_MIN;
    t.score += DBL_MIN;
    t.expected += DBL_MIN;
    t.observed += DBL_MIN;
    return t;
}

enum { DRAWS = 300 };

START_TEST(vector_code_agrees_with_the_chain_rule) {
    const pair *p = &PAIRS[_i];
    ng_family family;
    ngi_glm_kernel fast, slow;
    make(p, &family, false, &fast);
    make(p, &family, true, &slow);
    ng_rng rng;
    ng_rng_init(&rng, 11, 0);
    for (int i = 0; i < DRAWS; i++) {
        double y[4], u = i < 2 ? 2. * i - 1 : 2 * ng_rng_uniform(&rng) - 1;
        double eta = place(p, u, i % 2 ? 5 : p->far);
        for (size_t j = 0, n = responses(p, y); j < n; j++) {
            ngi_glm_row a = row_at(&fast, eta, y[j]);
            ngi_glm_row b = row_at(&slow, eta, y[j]);
            ngi_glm_row t = tolerance(p, eta, &b);
            bool same = isinf(b.loss)
                            ? isinf(a.loss)
                            : fabs(a.loss - b.loss) <= t.loss &&
                                  fabs(a.score - b.score) <= t.score &&
                                  fabs(a.expected - b.expected) <= t.expected &&
                                  fabs(a.observed - b.observed) <= t.observed;
            ck_assert_msg(same,
                          "%s %s eta %.17g y %g: %.17g %.17g %.17g %.17g, "
                          "%.17g %.17g %.17g %.17g",
                          p->family, ng_link_name(p->link), eta, y[j], a.loss,
                          a.score, a.expected, a.observed, b.loss, b.score,
                          b.expected, b.observed);
        }
    }
}
END_TEST

typedef struct integrand {
    const ngi_glm_kernel *kernel;
    double y;
    bool second;
} integrand;

static double value(double eta, void *user) {
    const integrand *f = user;
    ngi_glm_row row = row_at(f->kernel, eta, f->y);
    return f->second ? row.observed : row.score;
}

/* Over a twentieth of the way to a singularity the rule of 8 points leaves
 * out (1/80)^16: only rounding is left. */
static void check_integrals(const pair *p, const ngi_glm_kernel *k, double eta,
                            double y) {
    integrand first = {k, y, false}, second = {k, y, true};
    double to = eta + 0.05 * reach(p, eta), h = to - eta;
    ngi_glm_row a = row_at(k, eta, y), b = row_at(k, to, y);
    ngi_glm_row ta = tolerance(p, eta, &a), tb = tolerance(p, to, &b);
    double rise = ngi_gauss8(value, &first, eta, to);
    double turn = ngi_gauss8(value, &second, eta, to);
    ck_assert_msg(fabs(b.loss - a.loss - rise) <=
                      ta.loss + tb.loss + h * (ta.score + tb.score),
                  "%s %s eta %.17g y %g: loss %.17g, %.17g; score's %.17g",
                  p->family, ng_link_name(p->link), eta, y, a.loss, b.loss,
                  rise);
    ck_assert_msg(fabs(b.score - a.score - turn) <=
                      ta.score + tb.score + h * (ta.observed + tb.observed),
                  "%s %s eta %.17g y %g: score %.17g, %.17g; curvature's "
                  "%.17g",
                  p->family, ng_link_name(p->link), eta, y, a.score, b.score,
                  turn);
}

START_TEST(scores_and_observed_curvatures_integrate_to_losses_and_scores) {
    const pair *p = &PAIRS[_i];
    ng_rng rng;
    ng_rng_init(&rng, 12, 0);
    for (int i = 0; i < DRAWS; i++) {
        ng_family family;
        ngi_glm_kernel k;
        make(p, &family, i % 2, &k);
        double y[4], u = 2 * ng_rng_uniform(&rng) - 1;
        for (size_t j = 0, n = responses(p, y); j < n; j++)
            check_integrals(p, &k, place(p, u, 8), y[j]);
    }
}
END_TEST

/* For an exponential family the observed curvature is affine in y: its mean
 * is its value at the mean. Nor has a share or a count to be a whole number
 * for the formulas. */
START_TEST(at_the_mean_the_score_is_0_and_the_curvatures_agree) {
    const pair *p = &PAIRS[_i];
    for (int i = 0; i < 2 * DRAWS; i++) {
        ng_family family;
        ngi_glm_kernel k;
        make(p, &family, i % 2, &k);
        double mu, d, eta = place(p, (i - DRAWS) / (DRAWS + 1.), 6);
        k.ops->mean(&k, 1, &eta, &mu, &d, NULL);
        ngi_glm_row row = row_at(&k, eta, mu);
        ngi_glm_row t = tolerance(p, eta, &row);
        /* The rounding of mu itself, by d score / dy = mu' / V = F / mu'. */
        double of_mean = 2 * DBL_EPSILON * fabs(mu * row.expected / d);
        ck_assert_double_le(fabs(row.score), t.score + of_mean);
        ck_assert_double_le(fabs(row.expected - row.observed),
                            t.observed + of_mean / reach(p, eta));
        if (strcmp(p->family, "bernoulli") != 0) {
            double r = rounding(p, eta), s = reach(p, eta);
            ck_assert_double_le(fabs(row.loss), r * r * row.expected * s * s);
        }
    }
}
END_TEST

static double variance_function(const pair *p, double mu) {
    double power;
    if (sscanf(p->family, "tweedie %lf", &power) == 1)
        return pow(mu, power);
    switch (p->family[0]) {
    case 'b':
        return mu * (1 - mu);
    case 'p':
        return mu;
    case 'g':
        return mu * mu;
    case 'i':
        return mu * mu * mu;
    default:
        return 1;
    }
}

/* score = (mu - y) mu' / V(mu), Fisher = mu'^2 / V(mu). */
START_TEST(scores_and_fisher_are_those_of_the_mean_and_its_variance) {
    const pair *p = &PAIRS[_i];
    ng_family family;
    ngi_glm_kernel k;
    make(p, &family, false, &k);
    for (int i = 0; i < 200; i++) {
        /* mu (1 - mu) has lost nothing yet at |eta| < 2. */
        double y[4], mu, d, eta = place(p, (i - 100) / 101., 2);
        k.ops->mean(&k, 1, &eta, &mu, &d, NULL);
        double V = variance_function(p, mu), r = 8 * rounding(p, eta);
        for (size_t j = 0, n = responses(p, y); j < n; j++) {
            ngi_glm_row row = row_at(&k, eta, y[j]);
            double score = (mu - y[j]) * d / V;
            ck_assert_double_le(fabs(row.score - score),
                                r * (fabs(mu) + fabs(y[j])) * fabs(d) / V);
            ck_assert_double_le(fabs(row.expected - d * d / V), r * d * d / V);
        }
    }
}
END_TEST

typedef struct mean_of {
    const ngi_glm_kernel *kernel;
    int derivative;
} mean_of;

static double mean_value(double eta, void *user) {
    const mean_of *f = user;
    double mu, d, d2;
    f->kernel->ops->mean(f->kernel, 1, &eta, &mu, &d, &d2);
    return f->derivative == 1 ? d : d2;
}

START_TEST(derivatives_of_the_mean_integrate_to_it) {
    const pair *p = &PAIRS[_i];
    ng_family family;
    ngi_glm_kernel k;
    make(p, &family, false, &k);
    for (int i = 0; i < DRAWS; i++) {
        double eta[2] = {place(p, (2. * i - DRAWS) / (DRAWS + 1), 8)};
        eta[1] = eta[0] + 0.05 * reach(p, eta[0]);
        double h = eta[1] - eta[0], s = reach(p, eta[0]), mu[2], d[2], d2[2];
        k.ops->mean(&k, 2, eta, mu, d, d2);
        mean_of first = {&k, 1}, second = {&k, 2};
        double rise = ngi_gauss8(mean_value, &first, eta[0], eta[1]);
        double turn = ngi_gauss8(mean_value, &second, eta[0], eta[1]);
        double r = rounding(p, eta[0]) + rounding(p, eta[1]);
        double size = fabs(mu[0]) + fabs(mu[1]) + s * fabs(d[0]);
        ck_assert_double_le(fabs(mu[1] - mu[0] - rise), r * size);
        size = fabs(d[0]) + fabs(d[1]) + (h + s) * (fabs(d2[0]) + fabs(d2[1]));
        ck_assert_double_le(fabs(d[1] - d[0] - turn), r * size);
    }
}
END_TEST

/* The family's own log-density differs by what depends on y alone. */
START_TEST(losses_are_the_familys_log_density_at_dispersion_1) {
    const pair *p = &PAIRS[_i];
    if (strncmp(p->family, "tweedie", 7) == 0)
        return;
    ng_family family;
    ngi_glm_kernel k;
    make(p, &family, false, &k);
    for (int i = 0; i < 100; i++) {
        double y[4], eta[2] = {place(p, (i - 50) / 51., 4), place(p, 0.1, 4)};
        double z[2] = {0}, density[2], loss[2]; /* a log scale of 0 */
        size_t n = responses(p, y);
        for (size_t j = 0; j < n; j++) {
            double size = 0;
            for (size_t e = 0; e < 2; e++) {
                ng_link_inverse(p->link, family.block[0].coordinate, 1, eta + e,
                                z, NULL, NULL);
                family.ops->log_density(&family, 1, z, y + j, density + e,
                                        NULL);
                ngi_glm_row row = row_at(&k, eta[e], y[j]);
                loss[e] = row.loss;
                size += tolerance(p, eta[e], &row).loss +
                        rounding(p, eta[e]) * fabs(density[e]);
            }
            ck_assert_double_le(
                fabs((loss[0] - loss[1]) + (density[0] - density[1])), size);
        }
    }
}
END_TEST

/* 2 y log(y / mu) - ... with its limit at y = 0, for 1 < p < 2; Dunn & Smyth
 * (2005). mu is far from y, so that nothing cancels much. */
START_TEST(tweedies_loss_is_half_the_deviance_of_the_books) {
    const double powers[] = {1.1, 1.5, 1.9, 2.5}, y[] = {0.5, 3, 40};
    for (size_t i = 0; i < LENGTH(powers) * LENGTH(y); i++) {
        double p = powers[i / LENGTH(y)], one = y[i % LENGTH(y)];
        ngi_glm_kernel k;
        ngi_glm_kernel_tweedie(p, NG_LINK_IDENTITY, &k);
        for (double mu = 0.1; mu < 100; mu *= 1.7) {
            double terms[3] = {pow(one, 2 - p) / ((1 - p) * (2 - p)),
                               -one * pow(mu, 1 - p) / (1 - p),
                               pow(mu, 2 - p) / (2 - p)};
            double size = fabs(terms[0]) + fabs(terms[1]) + fabs(terms[2]);
            double loss = row_at(&k, mu, one).loss;
            ck_assert_double_le(fabs(loss - (terms[0] + terms[1] + terms[2])),
                                32 * DBL_EPSILON * size);
            if (p < 2)
                ck_assert_double_le(fabs(row_at(&k, mu, 0).loss - terms[2]),
                                    32 * DBL_EPSILON * terms[2]);
        }
    }
}
END_TEST

START_TEST(tweedie_meets_the_families_that_it_contains) {
    static const struct {
        double power;
        const char *family;
    } SAME[] = {{1, "poisson"}, {2, "gamma"}, {3, "inverse-gaussian"}};
    const pair p = {"", NG_LINK_LOG, REAL, 300};
    for (size_t i = 0; i < LENGTH(SAME); i++) {
        ng_family family;
        ngi_glm_kernel k, tweedie, near;
        ck_assert_int_eq(ng_family_init(NULL, SAME[i].family, 1, &family),
                         NG_OK);
        ngi_glm_kernel_mean(&family, NG_LINK_LOG, &k);
        ngi_glm_kernel_tweedie(SAME[i].power, NG_LINK_LOG, &tweedie);
        ngi_glm_kernel_tweedie(SAME[i].power + 1e-12, NG_LINK_LOG, &near);
        for (double eta = -5; eta < 6; eta += 0.37) {
            ngi_glm_row a = row_at(&k, eta, 4), b = row_at(&tweedie, eta, 4);
            ngi_glm_row c = row_at(&near, eta, 4), t = tolerance(&p, eta, &a);
            ck_assert_double_le(fabs(a.loss - b.loss), t.loss);
            ck_assert_double_le(fabs(a.score - b.score), t.score);
            ck_assert_double_le(fabs(a.expected - b.expected), t.expected);
            ck_assert_double_le(fabs(a.observed - b.observed), t.observed);
            /* d log(loss) / dp is of the order of log y and log mu. */
            ck_assert_double_le(fabs(b.loss - c.loss),
                                t.loss + 1e-12 * 10 * a.loss);
        }
    }
}
END_TEST

static bool has_mean(const pair *p, double eta) {
    if (isnan(eta) || p->domain == REAL)
        return !isnan(eta);
    if (strcmp(p->family, "normal") == 0) /* any but the links' own gaps */
        return p->link == NG_LINK_SQRT ? eta >= 0 : eta != 0;
    return p->domain == NEGATIVE ? eta < 0
                                 : eta > 0 && (p->domain != UNIT || eta < 1);
}

START_TEST(an_eta_without_a_mean_has_an_infinite_loss_and_nothing_else) {
    const pair *p = &PAIRS[_i];
    const double outside[] = {(double)NAN, 0, -1, -1e300, 1, 2, 1e300};
    for (size_t i = 0; i < 2 * LENGTH(outside); i++) {
        ng_family family;
        ngi_glm_kernel k;
        make(p, &family, i % 2, &k);
        double y[4], mu, eta = outside[i / 2];
        if (has_mean(p, eta))
            continue;
        responses(p, y);
        ngi_glm_row row = row_at(&k, eta, y[1]);
        ck_assert(row.loss == HUGE_VAL && row.score == 0);
        ck_assert(row.expected == 0 && row.observed == 0);
        k.ops->mean(&k, 1, &eta, &mu, NULL, NULL);
        ck_assert(isnan(mu));
    }
}
END_TEST

START_TEST(nothing_is_nan_however_far_out) {
    const double far[] = {1e-300, 1e-20, 1,     30,      36.9,    40,  100,
                          708,    709,   709.9, 745,     746,     1e4, 1e10,
                          1e150,  1e160, 1e300, DBL_MAX, HUGE_VAL};
    const pair *p = &PAIRS[_i];
    for (size_t i = 0; i < 4 * LENGTH(far); i++) {
        ng_family family;
        ngi_glm_kernel k;
        make(p, &family, i % 2, &k);
        double y[4], eta = (i % 4 < 2 ? 1 : -1) * far[i / 4];
        for (size_t j = 0, n = responses(p, y); j < n; j++) {
            ngi_glm_row row = row_at(&k, eta, y[j]);
            ck_assert_msg(row.loss >= -1e-300 && isfinite(row.score) &&
                              row.expected >= 0 && isfinite(row.expected) &&
                              isfinite(row.observed),
                          "%s %s eta %g y %g: %g %g %g %g", p->family,
                          ng_link_name(p->link), eta, y[j], row.loss, row.score,
                          row.expected, row.observed);
        }
    }
}
END_TEST

/* Where mu is 1 to rounding what is left is e^-eta, and has all its digits. */
START_TEST(a_share_keeps_its_digits_in_both_tails) {
    ng_family family;
    ngi_glm_kernel k;
    ck_assert_int_eq(ng_family_init(NULL, "bernoulli", 1, &family), NG_OK);
    ngi_glm_kernel_mean(&family, NG_LINK_LOGIT, &k);
    for (double eta = 37; eta < 700; eta += 1.3) {
        double tail = exp(-eta), bound = 8 * DBL_EPSILON * tail;
        ngi_glm_row right = row_at(&k, eta, 1), left = row_at(&k, -eta, 0);
        ck_assert_double_le(fabs(right.loss - tail), bound);
        ck_assert_double_le(fabs(right.score + tail), bound);
        ck_assert_double_le(fabs(right.expected - tail), bound);
        ck_assert_double_le(fabs(left.loss - tail), bound);
        ck_assert_double_le(fabs(left.score - tail), bound);
    }
}
END_TEST

START_TEST(what_is_not_wanted_changes_nothing) {
    enum { N = 21 };
    const pair *p = &PAIRS[_i];
    ng_family family;
    ngi_glm_kernel k;
    make(p, &family, false, &k);
    double y[N + 4], eta[N], all[3][N], one[N], *work;
    work = calloc(N * k.work, sizeof *work);
    ck_assert_ptr_nonnull(work);
    for (size_t i = 0; i < N; i++) {
        responses(p, y + i);
        eta[i] = place(p, ((double)i - 10) / 11, 3);
    }
    ngi_glm_terms out = {.loss = all[0], .score = all[1], .curvature = all[2]};
    k.ops->terms(&k, N, eta, NULL, y, NULL, &out, work);
    for (int want = 0; want < 3; want++) {
        ngi_glm_terms some = {.loss = want == 0 ? one : NULL,
                              .score = want == 1 ? one : NULL,
                              .curvature = want == 2 ? one : NULL};
        k.ops->terms(&k, N, eta, NULL, y, NULL, &some, work);
        ck_assert_mem_eq(one, all[want], sizeof one);
    }
    free(work);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("glm_kernel");
    TCase *pairs = tcase_create("pairs");
    const int count = (int)LENGTH(PAIRS);
    tcase_set_timeout(pairs, 60);
    tcase_add_loop_test(pairs, vector_code_agrees_with_the_chain_rule, 0,
                        count);
    tcase_add_loop_test(
        pairs, scores_and_observed_curvatures_integrate_to_losses_and_scores, 0,
        count);
    tcase_add_loop_test(
        pairs, at_the_mean_the_score_is_0_and_the_curvatures_agree, 0, count);
    tcase_add_loop_test(
        pairs, scores_and_fisher_are_those_of_the_mean_and_its_variance, 0,
        count);
    tcase_add_loop_test(pairs, derivatives_of_the_mean_integrate_to_it, 0,
                        count);
    tcase_add_loop_test(
        pairs, losses_are_the_familys_log_density_at_dispersion_1, 0, count);
    tcase_add_loop_test(
        pairs, an_eta_without_a_mean_has_an_infinite_loss_and_nothing_else, 0,
        count);
    tcase_add_loop_test(pairs, nothing_is_nan_however_far_out, 0, count);
    tcase_add_loop_test(pairs, what_is_not_wanted_changes_nothing, 0, count);
    tcase_add_test(pairs, a_share_keeps_its_digits_in_both_tails);
    suite_add_tcase(suite, pairs);
    TCase *tweedie = tcase_create("tweedie");
    tcase_add_test(tweedie, tweedies_loss_is_half_the_deviance_of_the_books);
    tcase_add_test(tweedie, tweedie_meets_the_families_that_it_contains);
    suite_add_tcase(suite, tweedie);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
