/* The families of generalised linear models: likelihoods, deviances, tails
 * and quantiles against R 4.2 (the calls are beside the numbers). */
#include "fixture.h"
#include "learner/glm_family.h"
#include "numerics/special.h"

/* ---- The table ---- */

static const double ALPHA = 0.7, LOG_PHI = 2;

static ngi_glm_law law_of(double mean, double dispersion) {
    ngi_glm_law law = {.mean = mean, .dispersion = dispersion, .trials = 10};
    return law;
}

static const ngi_glm_family *family(const char *name) {
    const ngi_glm_family *found;
    OK(ngi_glm_family_find(ctx, name, &found));
    return found;
}

typedef struct law_value {
    const char *family;
    double y, mean, dispersion;
    const double *psi;
    /* At weight 1 (binomial: 10); the deviance -1 where R has none. */
    double log_likelihood, deviance;
    double below, above; /* P(Y < y), P(Y > y) */
} law_value;

/* With a 2.5-shape gamma of scale 0.68 = 1.7 / 2.5 and so on, R's
 *   dnorm, dbinom(3, 10, .37), dpois(4, 2.2), dgamma(2.5, 2.5, scale = .68),
 *   dnbinom(6, size = 1 / .7, mu = 3.1), dbeta(.31, .42 * exp(2), ...),
 * FAMILY()$dev.resids(y, mu, 1) (MASS::negative.binomial(1 / .7)), the same
 * laws' p functions; the inverse Gaussian's density and the integral of it. */
static const law_value LAWS[] = {
    {"gaussian", 2, 3.5, 0.6, NULL, -2.5385257213216774, 2.25,
     0.026403755708056822, 0.97359624429194314},
    {"binomial", 0.3, 0.37, 1, NULL, -1.4295132944254654, 0.021672403331715107,
     0.22057078373298333, 0.54000379268814513},
    {"poisson", 4, 2.2, 1, NULL, -2.2242243888908648, 1.1826960060449636,
     0.81935242170333822, 0.072496308857799688},
    {"gamma", 2.5, 1.7, 0.4, NULL, -1.6225611588670195, 0.16985150896426593,
     0.80431321357478858, 0.19568678642521145},
    {"inverse-gaussian", 2.5, 1.7, 0.4, NULL, -1.9459559086774436,
     0.088581314878892758, 0.80876168236495716, 0.19123831763504284},
    {"negative-binomial", 6, 3.1, 1, &ALPHA, -2.9848384896816893,
     0.57108658989887928, 0.82094635546843042, 0.12850597767191771},
    {"beta", 0.31, 0.42, 1, &LOG_PHI, 0.68410582359097782, -1,
     0.28491592220568229, 0.71508407779431771},
};
enum { LAW_COUNT = sizeof LAWS / sizeof *LAWS };

START_TEST(laws_agree_with_R) {
    const law_value *v = &LAWS[_i];
    const ngi_glm_family *f = family(v->family);
    ngi_glm_law law = law_of(v->mean, v->dispersion);
    law.psi = v->psi;
    double w = f == family("binomial") ? law.trials : 1;
    check_relative("log-likelihood", f->log_likelihood(&law, v->y, w),
                   v->log_likelihood, 1e-14);
    if (v->deviance >= 0)
        check_relative("deviance", f->deviance(&law, v->y), v->deviance, 1e-13);
    ngi_glm_tails t = f->tails(&law, v->y);
    check_relative("below", t.below, v->below, 1e-13);
    check_relative("above", t.above, v->above, 1e-13);
    NEAR(t.below + t.at + t.above, 1, 1e-14);
    if (f->discrete)
        check_relative("at", t.at, exp(v->log_likelihood), 1e-13);
}
END_TEST

START_TEST(upper_tails_are_not_complements) {
    ngi_glm_law law = law_of(3.1, 1);
    law.psi = &ALPHA;
    /* pnbinom(80, size = 1 / .7, mu = 3.1, lower = FALSE) */
    check_relative("negative binomial",
                   family("negative-binomial")->tails(&law, 80).above,
                   2.1360547150234556e-13, 1e-12);
    law = law_of(0.37, 1);
    law.trials = 50;
    /* pbinom(48, 50, .37, lower = FALSE) */
    check_relative("binomial", family("binomial")->tails(&law, 0.96).above,
                   2.2144533854418135e-20, 1e-12);
    law = law_of(1.7, 0.4);
    /* pgamma(40, 2.5, scale = .68, lower = FALSE) */
    check_relative("gamma", family("gamma")->tails(&law, 40).above,
                   9.8851411555842326e-24, 1e-12);
    /* Of P(Y <= y) = 1 - 9.9e-24, which rounds to 1. */
    double r = ngi_glm_quantile_residual(family("gamma"), &law, 40, 0.5);
    check_relative("residual", 0.5 * erfc(r / sqrt(2)), 9.8851411555842326e-24,
                   1e-10);
    /* Phi(-a) - e^(2 / (phi mu)) Phi(-b) by mpmath */
    check_relative("inverse Gaussian",
                   family("inverse-gaussian")->tails(&law, 40).above,
                   6.8923387715260231e-10, 1e-12);
}
END_TEST

/* R's qbinom(.9, 10, .37) / 10, qpois(.975, 2.2), qnbinom(.975, size = 1 / .7,
 * mu = 3.1), qgamma(.025, 2.5, scale = .68), qbeta(.8, ...). */
START_TEST(quantiles_agree_with_R) {
    ngi_glm_law law = law_of(0.37, 1);
    ck_assert(family("binomial")->quantile(&law, 0.9) == 0.6);
    law = law_of(2.2, 1);
    ck_assert(family("poisson")->quantile(&law, 0.975) == 5);
    law = law_of(3.1, 1);
    law.psi = &ALPHA;
    ck_assert(family("negative-binomial")->quantile(&law, 0.975) == 11);
    law = law_of(1.7, 0.4);
    check_relative("gamma", family("gamma")->quantile(&law, 0.025),
                   0.28261194858546529, 1e-13);
    law = law_of(0.42, 1);
    law.psi = &LOG_PHI;
    check_relative("beta", family("beta")->quantile(&law, 0.8),
                   0.57194838181466512, 1e-13);
}
END_TEST

/* Each law's KL to itself is 0 and to others its definition by quadrature or
 * summation; here by the deviance where the dispersions agree. */
START_TEST(divergences_of_exponential_families_are_deviances) {
    static const char *const NAMES[] = {"gaussian", "poisson", "gamma",
                                        "inverse-gaussian", "binomial"};
    for (int i = 0; i < 5; i++) {
        const ngi_glm_family *f = family(NAMES[i]);
        double phi = f->dispersion ? 0.6 : 1;
        ngi_glm_law from = law_of(0.37, phi), to = law_of(0.52, phi);
        from.trials = to.trials = 1;
        check_relative(NAMES[i], f->kl(&from, &to),
                       f->deviance(&to, from.mean) / (2 * phi), 1e-13);
        NEAR(f->kl(&from, &from), 0, 1e-300);
    }
}
END_TEST

START_TEST(deviances_do_not_cancel) {
    /* A step of 2^-30 from the mean: variance times (step / mean)^2 but for
     * the third order, which is 2^-30 of it. */
    static const char *const NAMES[] = {
        "binomial",         "poisson",           "gamma",
        "inverse-gaussian", "negative-binomial", "tweedie"};
    for (int i = 0; i < 6; i++) {
        const ngi_glm_family *f = family(NAMES[i]);
        double mu = 0.625, step = 0x1p-30;
        ngi_glm_law law = law_of(mu, 1);
        law.psi = &ALPHA;
        law.power = 1.5;
        check_relative(NAMES[i], f->deviance(&law, mu + step),
                       step * step / f->variance(&law), 1e-8);
        ck_assert(f->deviance(&law, mu) == 0);
    }
}
END_TEST

START_TEST(negative_binomial_law_has_poisson_as_its_edge) {
    const ngi_glm_family *f = family("negative-binomial");
    const ngi_glm_family *poisson = family("poisson");
    const double edges[] = {0, 1e-18};
    for (int i = 0; i < 2; i++) {
        ngi_glm_law law = law_of(2.2, 1);
        law.psi = &edges[i];
        ngi_glm_law other = law_of(3, 1);
        other.psi = law.psi;
        ngi_glm_tails a = f->tails(&law, 4), b = poisson->tails(&law, 4);
        check_relative("likelihood", f->log_likelihood(&law, 4, 1),
                       poisson->log_likelihood(&law, 4, 1), 1e-13);
        check_relative("deviance", f->deviance(&law, 4),
                       poisson->deviance(&law, 4), 1e-13);
        check_relative("below", a.below, b.below, 1e-13);
        check_relative("above", a.above, b.above, 1e-13);
        ck_assert(f->quantile(&law, 0.9) == poisson->quantile(&law, 0.9));
        check_relative("kl", f->kl(&law, &other), poisson->kl(&law, &other),
                       1e-12);
    }
}
END_TEST

/* 1 / shape from uniroot of log(a) - digamma(a) - 3.3 / 24 in R. */
START_TEST(dispersions_by_maximum_likelihood) {
    check_relative("gamma", family("gamma")->ml_dispersion(3.3, 12, 12),
                   0.26350535773107459, 1e-14);
    ck_assert(family("gaussian")->ml_dispersion(3, 4, 12) == 0.75);
    ck_assert(family("inverse-gaussian")->ml_dispersion(3, 4, 12) == 0.25);
}
END_TEST

START_TEST(quantile_residuals_of_counts_fill_their_steps) {
    ngi_glm_law law = law_of(2.2, 1);
    const ngi_glm_family *f = family("poisson");
    double low = ngi_glm_quantile_residual(f, &law, 4, 0);
    double high = ngi_glm_quantile_residual(f, &law, 4, 1);
    double next = ngi_glm_quantile_residual(f, &law, 5, 0);
    /* qnorm(ppois(3, 2.2)) and qnorm(ppois(4, 2.2)) */
    NEAR(0.5 * erfc(-low / sqrt(2)), 0.81935242170333822, 1e-14);
    NEAR(0.5 * erfc(high / sqrt(2)), 0.072496308857799688, 1e-14);
    NEAR(next, high, 1e-13);
}
END_TEST

/* ---- Tweedie ---- */

/* For power 3/2 the jumps are exponential and the density is a Bessel
 * function; here by summing it term by term. */
START_TEST(tweedie_density_is_the_compound_s) {
    static const double Y[] = {1e-3, 0.4, 1.7, 9, 60};
    static const double POWER[] = {1.05, 1.3, 1.5, 1.7, 1.95};
    const double mean = 1.7, phi = 0.8;
    for (int p = 0; p < 5; p++) {
        double a = 2 - POWER[p], b = POWER[p] - 1, sum[5] = {0};
        double lambda = pow(mean, a) / (phi * a);
        double scale = phi * b * pow(mean, b);
        for (int j = 1; j < 400; j++) {
            for (int i = 0; i < 5; i++) {
                double shape = j * a / b;
                sum[i] += exp(-lambda + j * log(lambda) - lgamma(j + 1.0) +
                              (shape - 1) * log(Y[i]) - Y[i] / scale -
                              lgamma(shape) - shape * log(scale));
            }
        }
        for (int i = 0; i < 5; i++) {
            if (sum[i] > 1e-250) /* logarithms of up to 600, at 1e-16 */
                NEAR(ngi_tweedie_log_density(Y[i], mean, phi, POWER[p]),
                     log(sum[i]), 1e-12);
        }
        NEAR(ngi_tweedie_log_density(0, mean, phi, POWER[p]), -lambda, 1e-14);
    }
}
END_TEST

typedef struct tweedie_law {
    double mean, dispersion, power;
} tweedie_law;

static double tweedie_density(double log_y, void *user) {
    const tweedie_law *t = user;
    return exp(
        ngi_tweedie_log_density(exp(log_y), t->mean, t->dispersion, t->power) +
        log_y);
}

/* The density adds up to the tails, and they to one; large counts of jumps go
 * by the trapezoidal sum. */
START_TEST(tweedie_mass_is_one) {
    static const tweedie_law TABLE[] = {
        {1.7, 0.8, 1.3}, {3, 2, 1.6}, {50, 0.02, 1.5}, {2, 1e-4, 1.8}};
    const tweedie_law *t = &TABLE[_i];
    double middle = 1.1 * t->mean, nothing;
    ngi_glm_tails at =
        ngi_tweedie_tails(middle, t->mean, t->dispersion, t->power);
    nothing = ngi_tweedie_tails(0, t->mean, t->dispersion, t->power).at;
    NEAR(at.below + at.above, 1, 1e-12);
    double sd = sqrt(t->dispersion * pow(t->mean, t->power));
    double low = fmax(log(middle) - 60, log(middle) - 60 * sd / t->mean);
    double high = log(middle + 60 * sd);
    double below =
        ngi_integrate(tweedie_density, (void *)t, low, log(middle), 1e-10);
    double above =
        ngi_integrate(tweedie_density, (void *)t, log(middle), high, 1e-10);
    NEAR(nothing + below, at.below, 1e-9);
    NEAR(above, at.above, 1e-9);
    for (double p = 0.05; p < 1; p += 0.15) {
        double y = ngi_tweedie_quantile(p, t->mean, t->dispersion, t->power);
        ngi_glm_tails q =
            ngi_tweedie_tails(y, t->mean, t->dispersion, t->power);
        if (y > 0)
            NEAR(q.below, p, 1e-12);
        else
            ck_assert(p <= nothing);
    }
}
END_TEST

START_TEST(tweedie_of_a_named_power_is_that_family) {
    static const char *const NAMES[] = {"gamma", "inverse-gaussian"};
    const ngi_glm_family *tweedie = family("tweedie");
    for (int i = 0; i < 2; i++) {
        const ngi_glm_family *f = family(NAMES[i]);
        ngi_glm_law law = law_of(1.7, 0.4), to = law_of(1.1, 0.4);
        law.power = to.power = 2 + i;
        check_relative("deviance", tweedie->deviance(&law, 2.5),
                       f->deviance(&law, 2.5), 1e-14);
        check_relative("far deviance", tweedie->deviance(&law, 250),
                       f->deviance(&law, 250), 1e-14);
        check_relative("likelihood", tweedie->log_likelihood(&law, 2.5, 1),
                       f->log_likelihood(&law, 2.5, 1), 1e-14);
        check_relative("kl", tweedie->kl(&law, &to), f->kl(&law, &to), 1e-14);
    }
    /* No density in closed form or by this series beyond 2. */
    ck_assert(isnan(ngi_tweedie_log_density(1, 1, 1, 2.5)));
    ck_assert(isfinite(ngi_tweedie_deviance(1.5, 1, 2.5)));
}
END_TEST

/* Forms of the deviance written out, where they do not cancel. */
START_TEST(tweedie_deviance_is_its_formula) {
    static const double POWER[] = {1.2, 1.5, 1.9, 2.5, 4};
    for (int i = 0; i < 5; i++) {
        double p = POWER[i];
        for (double y = 0.05; y < 100; y *= 3) {
            double mu = 2.2;
            double formula =
                2 * (pow(y, 2 - p) / ((1 - p) * (2 - p)) -
                     y * pow(mu, 1 - p) / (1 - p) + pow(mu, 2 - p) / (2 - p));
            NEAR(ngi_tweedie_deviance(y, mu, p), formula,
                 1e-13 * (10 + 100 * fabs(formula)));
        }
    }
    NEAR(ngi_tweedie_deviance(0, 2.2, 1.5), 4 * sqrt(2.2), 1e-14);
}
END_TEST

/* ---- Names, links, starts ---- */

START_TEST(families_and_links_are_found_or_named) {
    const ngi_glm_family *f;
    ng_link link;
    ck_assert(ngi_glm_family_find(ctx, "weibull", &f) == NG_EUSAGE);
    ck_assert(strstr(ng_error(ctx), "negative-binomial") != NULL);
    ck_assert(ngi_glm_link(ctx, family("ordinal"), "log", &link) == NG_EUSAGE);
    ck_assert(strstr(ng_error(ctx), "logit, probit, cloglog, cauchit"));
    OK(ngi_glm_link(ctx, family("multinomial"), "logit", &link));
    ck_assert(link == NG_LINK_IDENTITY);
    ck_assert_str_eq(ngi_glm_link_name(family("multinomial"), link), "logit");
    ck_assert(ngi_glm_check_power(ctx, family("tweedie"), (double)NAN) ==
              NG_EUSAGE);
    ck_assert(ngi_glm_check_power(ctx, family("tweedie"), 0.5) == NG_EUSAGE);
    ck_assert(ngi_glm_check_power(ctx, family("gamma"), 2) == NG_EUSAGE);
    OK(ngi_glm_check_power(ctx, family("tweedie"), 1.5));
    OK(ngi_glm_check_power(ctx, family("gamma"), (double)NAN));
    ck_assert(ngi_glm_extras(family("ordinal"), 5) == 4);
    ck_assert(ngi_glm_extras(family("beta"), 0) == 1);
}
END_TEST

START_TEST(start_of_psi_fits_the_moments) {
    const double weight[3] = {20, 50, 30};
    ngi_glm_moments m = {100, 4, 12, weight, 3};
    double psi[2];
    family("negative-binomial")->start_psi(&m, NG_LINK_LOG, psi);
    NEAR(psi[0], 0.5, 1e-15); /* 4 + 16 / 2 = 12 */
    m.mean = 0.25;
    m.variance = 0.25 * 0.75 / 9;
    family("beta")->start_psi(&m, NG_LINK_LOGIT, psi);
    NEAR(psi[0], log(8), 1e-14);
    family("ordinal")->start_psi(&m, NG_LINK_LOGIT, psi);
    NEAR(psi[0], log(20.5 / 81), 1e-14);
    NEAR(psi[1], log(71 / 30.5), 1e-14);
    NEAR(ngi_glm_eta_of_mean(family("gamma"), NG_LINK_INVERSE, 4), 0.25, 1e-15);
    ck_assert(isnan(ngi_glm_eta_of_mean(family("gaussian"), NG_LINK_LOG, -1)));
}
END_TEST

static void add(TCase *tests) {
    tcase_add_loop_test(tests, laws_agree_with_R, 0, LAW_COUNT);
    tcase_add_test(tests, upper_tails_are_not_complements);
    tcase_add_test(tests, quantiles_agree_with_R);
    tcase_add_test(tests, divergences_of_exponential_families_are_deviances);
    tcase_add_test(tests, deviances_do_not_cancel);
    tcase_add_test(tests, negative_binomial_law_has_poisson_as_its_edge);
    tcase_add_test(tests, dispersions_by_maximum_likelihood);
    tcase_add_test(tests, quantile_residuals_of_counts_fill_their_steps);
    tcase_add_test(tests, tweedie_density_is_the_compound_s);
    tcase_add_loop_test(tests, tweedie_mass_is_one, 0, 4);
    tcase_add_test(tests, tweedie_of_a_named_power_is_that_family);
    tcase_add_test(tests, tweedie_deviance_is_its_formula);
    tcase_add_test(tests, families_and_links_are_found_or_named);
    tcase_add_test(tests, start_of_psi_fits_the_moments);
}

int main(void) {
    return learner_main("glm_families", add);
}
