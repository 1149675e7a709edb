/* The kernels whose rows share parameters (thresholds, a dispersion alpha, a
 * precision) against differences, identities and values to many digits. */
#include "fixture.h"
#include "glm/kernel.h"
#include "numerics/special.h"

/* ---- One row of a kernel ---- */

enum { MOST_EXTRAS = 4 };

typedef struct one_row {
    double loss, score, curvature;
    double psi_score[MOST_EXTRAS], cross[MOST_EXTRAS];
    double psi_curvature[MOST_EXTRAS * MOST_EXTRAS];
} one_row;

static one_row row_of(const ngi_glm_kernel *k, double eta, const double *psi,
                      double y, bool observed) {
    one_row r = {0};
    double work[64];
    ngi_glm_terms out = {&r.loss,     &r.score, &r.curvature,   observed,
                         r.psi_score, r.cross,  r.psi_curvature};
    ck_assert_uint_le(k->work, 64);
    k->ops->terms(k, 1, &eta, psi, &y, NULL, &out, work);
    return r;
}

/* The loss, its first or an entry of its second derivatives, with parameter
 * `i` (0 for eta, e + 1 for psi_e) moved by h. */
static one_row moved(const ngi_glm_kernel *k, double eta, const double *psi,
                     double y, size_t i, double h) {
    double shifted[MOST_EXTRAS];
    memcpy(shifted, psi, k->extras * sizeof *psi);
    if (i > 0)
        shifted[i - 1] += h;
    return row_of(k, i == 0 ? eta + h : eta, shifted, y, true);
}

static double first_of(const one_row *r, size_t i) {
    return i == 0 ? r->score : r->psi_score[i - 1];
}

static double second_of(const ngi_glm_kernel *k, const one_row *r, size_t i,
                        size_t j) {
    if (i == 0)
        return j == 0 ? r->curvature : r->cross[j - 1];
    if (j == 0)
        return r->cross[i - 1];
    size_t high = i > j ? i : j, low = i > j ? j : i;
    return r->psi_curvature[(high - 1) * k->extras + low - 1];
}

/* Five-point differences: the error is h^4 / 30 of the fifth derivative plus
 * 1.5 roundings over h, both near 1e-11 of the derivatives' scale here. */
static double difference(const ngi_glm_kernel *k, double eta, const double *psi,
                         double y, size_t i, size_t j) {
    const double h = 1e-3;
    double sum = 0;
    static const double AT[4] = {-2, -1, 1, 2}, BY[4] = {1, -8, 8, -1};
    for (int s = 0; s < 4; s++) {
        one_row r = moved(k, eta, psi, y, i, AT[s] * h);
        sum += BY[s] / 12 * (j == SIZE_MAX ? r.loss : first_of(&r, j));
    }
    return sum / h;
}

/* Score and observed curvature are the loss's derivatives. */
static void check_derivatives(const ngi_glm_kernel *k, double eta,
                              const double *psi, double y, double scale) {
    one_row r = row_of(k, eta, psi, y, true);
    ck_assert(isfinite(r.loss));
    for (size_t i = 0; i <= k->extras; i++) {
        double tolerance = 1e-8 * scale * (1 + fabs(r.loss));
        NEAR(first_of(&r, i), difference(k, eta, psi, y, i, SIZE_MAX),
             tolerance);
        for (size_t j = 0; j <= i; j++)
            NEAR(second_of(k, &r, i, j), difference(k, eta, psi, y, i, j),
                 tolerance);
    }
}

/* ---- Ordinal ---- */

static const ng_link ORDINAL_LINKS[] = {NG_LINK_LOGIT, NG_LINK_PROBIT,
                                        NG_LINK_CLOGLOG, NG_LINK_CAUCHIT};
static const double THRESHOLDS[3] = {-1, 0.5, 1.75};
static const double ETAS[] = {-3, -0.7, 0, 0.3, 1.1, 2.5};
enum { ETA_COUNT = sizeof ETAS / sizeof *ETAS, LEVELS = 4 };

START_TEST(ordinal_terms_are_derivatives_of_the_loss) {
    ngi_glm_kernel k;
    ngi_glm_kernel_ordinal(LEVELS, ORDINAL_LINKS[_i], &k);
    for (int e = 0; e < ETA_COUNT; e++) {
        for (int y = 0; y < LEVELS; y++)
            check_derivatives(&k, ETAS[e], THRESHOLDS, y, 10);
    }
}
END_TEST

/* Bartlett's identity: over the levels, E[d2 loss] = E[score scoreT], and the
 * scores average to 0. */
START_TEST(ordinal_expected_curvature_is_the_mean_of_the_observed) {
    ngi_glm_kernel k;
    ngi_glm_kernel_ordinal(LEVELS, ORDINAL_LINKS[_i], &k);
    for (int e = 0; e < ETA_COUNT; e++) {
        double p[LEVELS], second[LEVELS][LEVELS] = {{0}}, mean[LEVELS] = {0};
        one_row expected = row_of(&k, ETAS[e], THRESHOLDS, 1, false);
        k.ops->probabilities(&k, 1, &ETAS[e], THRESHOLDS, p, NULL, NULL);
        for (int y = 0; y < LEVELS; y++) {
            one_row r = row_of(&k, ETAS[e], THRESHOLDS, y, true);
            check_relative("p", p[y], exp(-r.loss), 1e-14);
            for (size_t i = 0; i < LEVELS; i++) {
                mean[i] += p[y] * first_of(&r, i);
                for (size_t j = 0; j <= i; j++)
                    second[i][j] += p[y] * second_of(&k, &r, i, j);
            }
        }
        for (size_t i = 0; i < LEVELS; i++) {
            NEAR(mean[i], 0, 1e-14);
            for (size_t j = 0; j <= i; j++)
                NEAR(second_of(&k, &expected, i, j), second[i][j], 1e-13);
        }
    }
}
END_TEST

START_TEST(ordinal_probabilities_have_their_derivatives) {
    const double h = 1e-3;
    ngi_glm_kernel k;
    ngi_glm_kernel_ordinal(LEVELS, ORDINAL_LINKS[_i], &k);
    for (int e = 0; e < ETA_COUNT; e++) {
        double p[LEVELS], dp[LEVELS], dpsi[LEVELS * 3], at[4][LEVELS];
        double total = 0;
        k.ops->probabilities(&k, 1, &ETAS[e], THRESHOLDS, p, dp, dpsi);
        for (size_t i = 0; i < LEVELS; i++) {
            static const double MOVE[4] = {-2, -1, 1, 2};
            for (int s = 0; s < 4; s++) {
                double psi[3] = {THRESHOLDS[0], THRESHOLDS[1], THRESHOLDS[2]};
                double eta = ETAS[e] + (i == 0 ? MOVE[s] * h : 0);
                if (i > 0)
                    psi[i - 1] += MOVE[s] * h;
                k.ops->probabilities(&k, 1, &eta, psi, at[s], NULL, NULL);
            }
            total += p[i];
            for (size_t y = 0; y < LEVELS; y++) {
                double slope =
                    (at[0][y] - 8 * at[1][y] + 8 * at[2][y] - at[3][y]) /
                    (12 * h);
                NEAR(i == 0 ? dp[y] : dpsi[y * 3 + i - 1], slope, 1e-10);
            }
        }
        NEAR(total, 1, 4 * DBL_EPSILON);
    }
}
END_TEST

typedef struct cell_value {
    ng_link link;
    double low, high, loss, score;
} cell_value;

/* -log(F(high) - F(low)) and (f(high) - f(low)) / p from mpmath at 450 digits
 * with the doubles shown. */
static const cell_value CELLS[] = {
    {NG_LINK_LOGIT, -40.0, -39.5, 40.43275212956718858, 0.9999999999999999887},
    {NG_LINK_LOGIT, 30.0, 31.0, 30.45867514538720989, -0.999999999999871999},
    {NG_LINK_LOGIT, -1.0, -0.9999999990686774, 22.42093879161961488,
     0.4621171570769006266},
    {NG_LINK_PROBIT, -30.0, -29.5, 439.4294749500186895, 29.5338206739250106},
    {NG_LINK_PROBIT, 12.0, 13.0, 75.41067644498930097, -12.08221075309312546},
    {NG_LINK_PROBIT, 20.0, 20.000000000931323, 221.7133539593162578,
     -20.00000000046566129},
    {NG_LINK_PROBIT, -6.0, 7.0, 9.878674580695250329e-10,
     -6.06674813540806395e-9},
    {NG_LINK_CLOGLOG, -50.0, -49.0, 49.45867514538708189, 1.0},
    {NG_LINK_CLOGLOG, 5.0, 5.5, 148.4131591025766034, -148.4131591025766034},
    {NG_LINK_CLOGLOG, -3.0, -2.9999999990686774, 23.84420248472374585,
     0.9502129316089521467},
    {NG_LINK_CAUCHIT, -100000000.0, -10000000.0, 17.36818605246554996,
     1.09999999999999296e-7},
    {NG_LINK_CAUCHIT, 1000000.0, 1000000.0009765625, 35.70722280835496398,
     -1.999999999021437501e-6},
    {NG_LINK_CAUCHIT, -3.0, 1000000000.0, 0.108048996015603212,
     -0.03546297860581493015},
};
enum { CELLS_COUNT = sizeof CELLS / sizeof *CELLS };

/* Thin cells and far tails: what a difference of two values of F would lose.
 * A normal density at x has x^2 / 2 roundings. */
START_TEST(ordinal_cells_keep_their_accuracy_in_the_tails) {
    const cell_value *c = &CELLS[_i];
    const double psi[2] = {c->low, c->high};
    double x = fmax(fabs(c->low), fabs(c->high));
    double roundings = c->link == NG_LINK_PROBIT ? 16 + x * x : 16;
    ngi_glm_kernel k;
    ngi_glm_kernel_ordinal(3, c->link, &k);
    one_row r = row_of(&k, 0, psi, 1, true);
    check_relative("loss", r.loss, c->loss, 16 * DBL_EPSILON);
    check_relative("score", r.score, c->score, roundings * DBL_EPSILON);
}
END_TEST

START_TEST(ordinal_thresholds_out_of_order_have_infinite_loss) {
    const double crossed[3] = {0, 1, 0.5}, equal[3] = {0, 0, 1};
    ngi_glm_kernel k;
    ngi_glm_kernel_ordinal(LEVELS, ORDINAL_LINKS[_i], &k);
    ck_assert(row_of(&k, 0, crossed, 0, false).loss == HUGE_VAL);
    ck_assert(row_of(&k, 0, equal, 3, false).loss == HUGE_VAL);
}
END_TEST

/* The fast path for logit with few levels against the general one. */
START_TEST(ordinal_many_levels_are_as_exact_as_few) {
    enum { MANY = 40, FEW = 30 };
    double psi[MANY - 1], F[2][(MANY - 1) * (MANY - 1)] = {{0}};
    double y = 3, eta = 0.2, cross[MANY - 1], curvature[2];
    /* The levels beyond the few have next to no probability. */
    for (int e = 0; e < MANY - 1; e++)
        psi[e] = e < FEW - 1 ? -3 + 0.2 * e : 700 + e;
    for (int i = 0; i < 2; i++) {
        ngi_glm_kernel k;
        ngi_glm_terms out = {
            .curvature = &curvature[i], .cross = cross, .psi_curvature = F[i]};
        ngi_glm_kernel_ordinal(i ? MANY : FEW, NG_LINK_LOGIT, &k);
        k.ops->terms(&k, 1, &eta, psi, &y, NULL, &out, NULL);
    }
    check_relative("curvature", curvature[1], curvature[0], 1e-14);
    for (int i = 0; i < FEW - 1; i++) {
        for (int j = 0; j <= i; j++)
            NEAR(F[1][i * (MANY - 1) + j], F[0][i * (FEW - 1) + j],
                 1e-14 * fabs(F[0][i * (FEW - 1) + j]) + DBL_MIN);
    }
}
END_TEST

/* ---- Negative binomial ---- */

static const double ALPHAS[] = {0.01, 0.06, 0.07, 0.5, 3, 40};
static const double COUNTS[] = {0, 1, 2, 8, 9, 60};
enum {
    ALPHA_COUNT = sizeof ALPHAS / sizeof *ALPHAS,
    COUNTS_COUNT = sizeof COUNTS / sizeof *COUNTS
};

START_TEST(negative_binomial_terms_are_derivatives_of_the_loss) {
    static const ng_link LINKS[] = {NG_LINK_LOG, NG_LINK_SQRT,
                                    NG_LINK_IDENTITY};
    ngi_glm_kernel k;
    ngi_glm_kernel_negative_binomial(LINKS[_i], &k);
    for (int a = 0; a < ALPHA_COUNT; a++) {
        for (int c = 0; c < COUNTS_COUNT; c++) {
            /* The differences are as good as the loss is smooth. */
            double y = COUNTS[c], scale = 100 * (1 + y * y);
            check_derivatives(&k, 0.8, &ALPHAS[a], y, scale);
            check_derivatives(&k, 2.1, &ALPHAS[a], y, scale);
        }
    }
}
END_TEST

/* log(y) and so on: what the loss leaves out is the Poisson's saturated
 * log-likelihood. */
START_TEST(negative_binomial_loss_is_the_density_s) {
    ng_family law, poisson;
    ngi_glm_kernel k;
    OK(ng_family_init(ctx, "negative-binomial", 1, &law));
    OK(ng_family_init(ctx, "poisson", 1, &poisson));
    ngi_glm_kernel_negative_binomial(NG_LINK_LOG, &k);
    for (int a = 0; a < ALPHA_COUNT; a++) {
        for (int c = 0; c < COUNTS_COUNT; c++) {
            double z[2] = {1.3, -log(ALPHAS[a])}, log_p, best = 0;
            double y = COUNTS[c], at_y = log(y);
            law.ops->log_density(&law, 1, z, &y, &log_p, NULL);
            if (y > 0)
                poisson.ops->log_density(&poisson, 1, &at_y, &y, &best, NULL);
            NEAR(row_of(&k, z[0], &ALPHAS[a], y, false).loss, best - log_p,
                 1e-14 * (10 + fabs(log_p)));
        }
    }
}
END_TEST

/* Down to alpha = 0, where it is Poisson. */
START_TEST(negative_binomial_reaches_poisson_smoothly) {
    const double zero = 0, tiny = 1e-13, eta = 1.3, mu = exp(eta);
    ngi_glm_kernel k;
    ngi_glm_kernel_negative_binomial(NG_LINK_LOG, &k);
    for (int c = 0; c < COUNTS_COUNT; c++) {
        double y = COUNTS[c], r = y - mu, scale = 1 + pow(y + mu, 3);
        double loss = y > 0 ? y * log(y / mu) - y + mu : mu;
        for (int observed = 0; observed < 2; observed++) {
            one_row a = row_of(&k, eta, &zero, y, observed);
            one_row b = row_of(&k, eta, &tiny, y, observed);
            NEAR(a.loss, loss, 1e-14 * (1 + y));
            NEAR(a.score, -r, 1e-14 * (1 + y));
            NEAR(a.curvature, mu, 1e-14 * mu);
            NEAR(a.psi_score[0], 0.5 * (y - r * r), 1e-14 * scale);
            NEAR(b.loss, a.loss, 10 * tiny * scale);
            NEAR(b.psi_score[0], a.psi_score[0], 10 * tiny * scale);
            NEAR(b.psi_curvature[0], a.psi_curvature[0],
                 100 * tiny * scale * scale);
            NEAR(a.cross[0], observed ? mu * r : 0, 1e-13 * scale);
        }
    }
    /* Variance of the score ((y - mu)^2 - y) / 2 under Poisson. */
    NEAR(row_of(&k, eta, &zero, 0, false).psi_curvature[0], 0.5 * mu * mu,
         1e-14 * mu * mu);
    const double below = -1e-3;
    ck_assert(row_of(&k, eta, &below, 1, false).loss == HUGE_VAL);
    ck_assert(k.psi_lower == 0);
}
END_TEST

START_TEST(negative_binomial_expected_information_is_the_scores_variance) {
    enum { ENOUGH = 4000 };
    ng_family law;
    ngi_glm_kernel k;
    OK(ng_family_init(ctx, "negative-binomial", 1, &law));
    ngi_glm_kernel_negative_binomial(NG_LINK_LOG, &k);
    for (int a = 0; a < ALPHA_COUNT - 1; a++) {
        double z[2] = {0.9, -log(ALPHAS[a])}, sum = 0, left = 1;
        for (double y = 0; y < ENOUGH && left > 1e-14; y++) {
            double log_p;
            one_row r = row_of(&k, z[0], &ALPHAS[a], y, true);
            law.ops->log_density(&law, 1, z, &y, &log_p, NULL);
            sum += exp(log_p) * r.psi_score[0] * r.psi_score[0];
            left -= exp(log_p);
        }
        one_row expected = row_of(&k, z[0], &ALPHAS[a], 1, false);
        check_relative("information", expected.psi_curvature[0], sum, 1e-9);
    }
}
END_TEST

/* Many rows share an interpolant; one row has the sum itself. */
START_TEST(negative_binomial_information_is_the_same_in_blocks) {
    enum { ROWS = 400 };
    static double eta[ROWS], y[ROWS], w[ROWS], work[ROWS];
    ngi_glm_kernel k;
    ngi_glm_kernel_negative_binomial(NG_LINK_LOG, &k);
    for (int a = 0; a < ALPHA_COUNT; a++) {
        double together = 0, apart = 0;
        ngi_glm_terms out = {.psi_curvature = &together};
        for (int i = 0; i < ROWS; i++) {
            eta[i] = -3 + 7.0 * i / ROWS;
            w[i] = i % 3;
        }
        k.ops->terms(&k, ROWS, eta, &ALPHAS[a], y, w, &out, work);
        out.psi_curvature = &apart;
        for (int i = 0; i < ROWS; i++)
            k.ops->terms(&k, 1, eta + i, &ALPHAS[a], y, w + i, &out, work);
        check_relative("information", together, apart, 1e-13);
    }
}
END_TEST

/* ---- Beta ---- */

START_TEST(beta_terms_are_derivatives_of_the_loss) {
    static const ng_link LINKS[] = {NG_LINK_LOGIT, NG_LINK_PROBIT,
                                    NG_LINK_CLOGLOG, NG_LINK_CAUCHIT,
                                    NG_LINK_LOG};
    static const double PSI[] = {-0.5, 1, 3};
    ngi_glm_kernel k;
    ngi_glm_kernel_beta(LINKS[_i], &k);
    for (int p = 0; p < 3; p++) {
        check_derivatives(&k, -0.9, &PSI[p], 0.03, 100);
        check_derivatives(&k, -0.4, &PSI[p], 0.71, 100);
    }
}
END_TEST

typedef struct beta_moment {
    const ngi_glm_kernel *k;
    double eta, psi;
    size_t i, j; /* first_of the one times the other */
} beta_moment;

/* Over t = logit y. */
static double beta_integrand(double t, void *user) {
    const beta_moment *m = user;
    double y = 1 / (1 + exp(-t));
    if (!(y > 0 && y < 1))
        return 0;
    one_row r = row_of(m->k, m->eta, &m->psi, y, true);
    return exp(-r.loss) * y * (1 - y) * first_of(&r, m->i) * first_of(&r, m->j);
}

START_TEST(beta_expected_information_is_the_scores_covariance) {
    ngi_glm_kernel k;
    ngi_glm_kernel_beta(NG_LINK_PROBIT, &k);
    double psi = 1.2, eta = 0.4;
    one_row expected = row_of(&k, eta, &psi, 0.3, false);
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j <= i; j++) {
            beta_moment m = {&k, eta, psi, i, j};
            double F = ngi_integrate(beta_integrand, &m, -30, 30, 1e-10);
            NEAR(second_of(&k, &expected, i, j), F, 1e-9);
        }
    }
}
END_TEST

START_TEST(means_have_their_derivatives) {
    ngi_glm_kernel k[2];
    ngi_glm_kernel_beta(NG_LINK_CLOGLOG, &k[0]);
    ngi_glm_kernel_negative_binomial(NG_LINK_SQRT, &k[1]);
    for (int i = 0; i < 2; i++) {
        const double h = 1e-4;
        double eta[3] = {0.7 - h, 0.7, 0.7 + h}, mu[3], d[3], d2[3];
        k[i].ops->mean(&k[i], 3, eta, mu, d, d2);
        NEAR(d[1], (mu[2] - mu[0]) / (2 * h), 1e-7);
        NEAR(d2[1], (d[2] - d[0]) / (2 * h), 1e-7);
    }
}
END_TEST

static void add(TCase *tests) {
    tcase_add_loop_test(tests, ordinal_terms_are_derivatives_of_the_loss, 0, 4);
    tcase_add_loop_test(
        tests, ordinal_expected_curvature_is_the_mean_of_the_observed, 0, 4);
    tcase_add_loop_test(tests, ordinal_probabilities_have_their_derivatives, 0,
                        4);
    tcase_add_loop_test(tests, ordinal_cells_keep_their_accuracy_in_the_tails,
                        0, CELLS_COUNT);
    tcase_add_loop_test(
        tests, ordinal_thresholds_out_of_order_have_infinite_loss, 0, 4);
    tcase_add_test(tests, ordinal_many_levels_are_as_exact_as_few);
    tcase_add_loop_test(
        tests, negative_binomial_terms_are_derivatives_of_the_loss, 0, 3);
    tcase_add_test(tests, negative_binomial_loss_is_the_density_s);
    tcase_add_test(tests, negative_binomial_reaches_poisson_smoothly);
    tcase_add_test(
        tests, negative_binomial_expected_information_is_the_scores_variance);
    tcase_add_test(tests, negative_binomial_information_is_the_same_in_blocks);
    tcase_add_loop_test(tests, beta_terms_are_derivatives_of_the_loss, 0, 5);
    tcase_add_test(tests, beta_expected_information_is_the_scores_covariance);
    tcase_add_test(tests, means_have_their_derivatives);
}

int main(void) {
    return learner_main("glm_shared_parameters", add);
}
