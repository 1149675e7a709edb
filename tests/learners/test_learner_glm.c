/* glm, every family with every link, against its defining equations written
 * out here: scores, the Hessian of the score, and the sandwich. */
#include "fixture.h"

enum { ROWS = 200, WIDTH = 3 };

typedef struct combination {
    const char *family, *link;
    double beta[WIDTH]; /* of the simulated data */
} combination;

/* Coefficients that keep every mean inside the link's domain for inputs in
 * (0, 1). */
static const combination TABLE[] = {
    {"gaussian", "identity", {2, 1, -0.5}},
    {"gaussian", "log", {0.8, 0.5, -0.4}},
    {"gaussian", "inverse", {0.4, 0.2, -0.1}},
    {"gaussian", "sqrt", {1.6, 0.5, -0.3}},
    {"binomial", "logit", {-0.3, 0.8, -0.6}},
    {"binomial", "probit", {-0.3, 0.8, -0.6}},
    {"binomial", "cloglog", {-0.3, 0.8, -0.6}},
    {"binomial", "cauchit", {-0.3, 0.8, -0.6}},
    {"binomial", "log", {-1.5, 0.5, -0.4}},
    {"binomial", "identity", {0.4, 0.3, -0.2}},
    {"poisson", "log", {0.8, 0.5, -0.4}},
    {"poisson", "identity", {2, 1, -0.5}},
    {"poisson", "sqrt", {1.6, 0.5, -0.3}},
    {"poisson", "inverse", {0.4, 0.2, -0.1}},
    {"gamma", "inverse", {0.6, 0.3, -0.2}},
    {"gamma", "log", {0.3, 0.5, -0.4}},
    {"gamma", "identity", {2, 1, -0.5}},
    {"gamma", "sqrt", {1.4, 0.5, -0.3}},
    {"inverse-gaussian", "1/mu^2", {0.5, 0.3, -0.2}},
    {"inverse-gaussian", "inverse", {0.6, 0.3, -0.2}},
    {"inverse-gaussian", "log", {0.3, 0.5, -0.4}},
    {"inverse-gaussian", "identity", {2, 1, -0.5}},
};
enum { TABLE_SIZE = sizeof TABLE / sizeof *TABLE };

/* mu(eta) and mu'(eta). */
static double inverse_link(const char *link, double eta, double *slope) {
    if (strcmp(link, "log") == 0)
        return *slope = exp(eta);
    if (strcmp(link, "inverse") == 0)
        return *slope = -1 / (eta * eta), 1 / eta;
    if (strcmp(link, "sqrt") == 0)
        return *slope = 2 * eta, eta * eta;
    if (strcmp(link, "1/mu^2") == 0)
        return *slope = -0.5 * pow(eta, -1.5), 1 / sqrt(eta);
    if (strcmp(link, "logit") == 0) {
        double p = 1 / (1 + exp(-eta));
        return *slope = p * (1 - p), p;
    }
    if (strcmp(link, "probit") == 0)
        return *slope = exp(-0.5 * eta * eta) / sqrt(2 * acos(-1)),
               0.5 * erfc(-eta / sqrt(2));
    if (strcmp(link, "cloglog") == 0)
        return *slope = exp(eta - exp(eta)), -expm1(-exp(eta));
    if (strcmp(link, "cauchit") == 0)
        return *slope = 1 / (acos(-1) * (1 + eta * eta)),
               0.5 + atan(eta) / acos(-1);
    *slope = 1;
    return eta;
}

static double variance(const char *family, double mu) {
    if (strcmp(family, "binomial") == 0)
        return mu * (1 - mu);
    if (strcmp(family, "poisson") == 0)
        return mu;
    if (strcmp(family, "gamma") == 0)
        return mu * mu;
    return strcmp(family, "inverse-gaussian") == 0 ? mu * mu * mu : 1;
}

static double draw(const char *family, double mu, ng_rng *rng) {
    if (strcmp(family, "gaussian") == 0)
        return mu + 0.3 * ng_rng_normal(rng);
    if (strcmp(family, "binomial") == 0)
        return ng_rng_uniform(rng) < mu ? 1 : 0;
    if (strcmp(family, "poisson") == 0)
        return ng_rng_poisson(rng, mu);
    return mu * exp(ng_rng_log_gamma(rng, 5)) / 5;
}

typedef struct sample {
    const combination *of;
    double x1[ROWS], x2[ROWS], y[ROWS], w[ROWS];
    ng_frame *frame;
} sample;

static void sample_init(sample *s, const combination *of, uint64_t seed) {
    static const char *const names[] = {"x1", "x2", "y", "w"};
    const double *values[] = {s->x1, s->x2, s->y, s->w};
    ng_rng rng;
    ng_rng_init(&rng, seed, 0);
    s->of = of;
    for (size_t i = 0; i < ROWS; i++) {
        double slope;
        s->x1[i] = ng_rng_uniform(&rng);
        s->x2[i] = ng_rng_uniform(&rng);
        s->y[i] = draw(of->family,
                       inverse_link(of->link,
                                    of->beta[0] + of->beta[1] * s->x1[i] +
                                        of->beta[2] * s->x2[i],
                                    &slope),
                       &rng);
        s->w[i] = (double)(i % 4);
    }
    s->frame = frame_of_arrays(ROWS, 4, names, values);
}

static ng_model *sample_fit(const sample *s, ng_std_errors kind,
                            bool weighted) {
    static const char *const features[] = {"x1", "x2"};
    ng_glm_options options = glm_options(s->of->family, s->of->link, "y");
    options.features = features;
    options.feature_count = 2;
    options.std_errors = kind;
    options.weights = weighted ? "w" : NULL;
    return fit_glm(s->frame, &options);
}

/* Score of row i without its 1/dispersion, and the weight of its outer
 * product in the expected information. */
static double row_score(const sample *s, const double *beta, size_t i,
                        double *information) {
    double slope, eta = beta[0] + beta[1] * s->x1[i] + beta[2] * s->x2[i];
    double mu = inverse_link(s->of->link, eta, &slope);
    double v = variance(s->of->family, mu);
    *information = slope * slope / v;
    return (s->y[i] - mu) * slope / v;
}

static void row_inputs(const sample *s, size_t i, double *x) {
    x[0] = 1;
    x[1] = s->x1[i];
    x[2] = s->x2[i];
}

/* Sums over the rows: score, sum of |terms| of it, expected information, and
 * outer products of the weighted scores. */
typedef struct totals {
    double score[WIDTH], size[WIDTH], information[WIDTH * WIDTH],
        outer[WIDTH * WIDTH];
} totals;

static void add_up(const sample *s, const double *beta, bool weighted,
                   totals *t) {
    memset(t, 0, sizeof *t);
    for (size_t i = 0; i < ROWS; i++) {
        double x[WIDTH], weight, w = weighted ? s->w[i] : 1;
        double score = row_score(s, beta, i, &weight);
        row_inputs(s, i, x);
        for (size_t j = 0; j < WIDTH; j++) {
            t->score[j] += w * score * x[j];
            t->size[j] += fabs(w * score * x[j]);
            for (size_t k = 0; k < WIDTH; k++) {
                t->information[j * WIDTH + k] += w * weight * x[j] * x[k];
                t->outer[j * WIDTH + k] += w * w * score * score * x[j] * x[k];
            }
        }
    }
}

static void estimates(const ng_model *model, double *beta) {
    for (size_t j = 0; j < WIDTH; j++)
        beta[j] = estimate(model, j);
}

/* A decrement of 1e-10 bounds the mean score: |g_j| <= 1e-10 sqrt(F_jj) by
 * Cauchy and Schwarz; rounding adds a few DBL_EPSILON of every term. */
START_TEST(estimates_solve_the_score_equations) {
    sample s;
    sample_init(&s, &TABLE[_i], 11);
    for (int weighted = 0; weighted < 2; weighted++) {
        ng_model *model = sample_fit(&s, NG_SE_EXPECTED, weighted);
        double beta[WIDTH], n = 0;
        totals t;
        ck_assert(ng_model_summary(model)->converged);
        estimates(model, beta);
        add_up(&s, beta, weighted, &t);
        for (size_t i = 0; i < ROWS; i++)
            n += weighted ? s.w[i] : 1;
        for (size_t j = 0; j < WIDTH; j++) {
            double bound = 1e-10 * sqrt(n * t.information[j * WIDTH + j]) +
                           32 * DBL_EPSILON * t.size[j];
            NEAR(t.score[j], 0, bound);
        }
        ng_model_destroy(&model);
    }
    ng_frame_destroy(&s.frame);
}
END_TEST

static void check_covariance(const ng_model *model, const double *expected,
                             double tolerance) {
    for (size_t j = 0; j < WIDTH; j++)
        check_relative(ng_model_summary(model)->parameter[j].term,
                       std_error(model, j), sqrt(expected[j * WIDTH + j]),
                       tolerance);
}

/* Inverting a 3 x 3 matrix whose condition is some hundreds. */
static const double INVERSION = 1e-11;

START_TEST(expected_standard_errors_invert_the_information) {
    sample s;
    sample_init(&s, &TABLE[_i], 12);
    ng_model *model = sample_fit(&s, NG_SE_EXPECTED, true);
    double beta[WIDTH], C[WIDTH * WIDTH];
    totals t;
    estimates(model, beta);
    add_up(&s, beta, true, &t);
    invert(WIDTH, t.information, C);
    for (size_t i = 0; i < WIDTH * WIDTH; i++)
        C[i] *= ng_model_summary(model)->dispersion;
    check_covariance(model, C, INVERSION);
    ng_model_destroy(&model);
    ng_frame_destroy(&s.frame);
}
END_TEST

/* Central differences of the score: h^2/6 of its third derivative, and
 * DBL_EPSILON / h of rounding, both near 1e-10 of the terms. */
START_TEST(observed_standard_errors_invert_the_hessian) {
    static const double H = 1e-5;
    sample s;
    sample_init(&s, &TABLE[_i], 13);
    ng_model *model = sample_fit(&s, NG_SE_OBSERVED, false);
    double beta[WIDTH], hessian[WIDTH * WIDTH], C[WIDTH * WIDTH];
    estimates(model, beta);
    for (size_t k = 0; k < WIDTH; k++) {
        totals up, down;
        double kept = beta[k];
        beta[k] = kept + H;
        add_up(&s, beta, false, &up);
        beta[k] = kept - H;
        add_up(&s, beta, false, &down);
        beta[k] = kept;
        for (size_t j = 0; j < WIDTH; j++)
            hessian[j * WIDTH + k] = -(up.score[j] - down.score[j]) / (2 * H);
    }
    invert(WIDTH, hessian, C);
    for (size_t i = 0; i < WIDTH * WIDTH; i++)
        C[i] *= ng_model_summary(model)->dispersion;
    check_covariance(model, C, 1e-7);
    ng_model_destroy(&model);
    ng_frame_destroy(&s.frame);
}
END_TEST

/* HC0 as R's sandwich has it: A^-1 (sum (w s)(w s)') A^-1, a weighted row being
 * one row of the weighted score. */
START_TEST(robust_standard_errors_are_the_sandwich) {
    sample s;
    sample_init(&s, &TABLE[_i], 14);
    ng_model *model = sample_fit(&s, NG_SE_ROBUST, true);
    double beta[WIDTH], A[WIDTH * WIDTH], C[WIDTH * WIDTH] = {0};
    totals t;
    estimates(model, beta);
    add_up(&s, beta, true, &t);
    invert(WIDTH, t.information, A);
    for (size_t i = 0; i < WIDTH; i++)
        for (size_t j = 0; j < WIDTH; j++)
            for (size_t k = 0; k < WIDTH * WIDTH; k++)
                C[i * WIDTH + j] += A[i * WIDTH + k / WIDTH] * t.outer[k] *
                                    A[k % WIDTH * WIDTH + j];
    check_covariance(model, C, INVERSION);
    ng_model_destroy(&model);
    ng_frame_destroy(&s.frame);
}
END_TEST

static double deviance(const char *family, double y, double mu) {
    if (strcmp(family, "gaussian") == 0)
        return (y - mu) * (y - mu);
    if (strcmp(family, "binomial") == 0)
        return -2 * log(y > 0 ? mu : 1 - mu);
    if (strcmp(family, "poisson") == 0)
        return 2 * ((y > 0 ? y * log(y / mu) : 0) - (y - mu));
    if (strcmp(family, "gamma") == 0)
        return 2 * ((y - mu) / mu - log(y / mu));
    return (y - mu) * (y - mu) / (mu * mu * y);
}

START_TEST(deviance_and_dispersion_are_those_of_the_definition) {
    sample s;
    sample_init(&s, &TABLE[_i], 15);
    ng_model *model = sample_fit(&s, NG_SE_EXPECTED, true);
    const ng_summary *summary = ng_model_summary(model);
    double beta[WIDTH], sum = 0, pearson = 0, slope, used = 0;
    estimates(model, beta);
    for (size_t i = 0; i < ROWS; i++) {
        double mu = inverse_link(
            s.of->link, beta[0] + beta[1] * s.x1[i] + beta[2] * s.x2[i],
            &slope);
        double r = s.y[i] - mu;
        sum += s.w[i] * deviance(s.of->family, s.y[i], mu);
        pearson += s.w[i] * r * r / variance(s.of->family, mu);
        used += s.w[i] > 0 ? 1 : 0;
    }
    check_relative("deviance", summary->deviance, sum, 1e-12);
    ck_assert_double_eq(summary->n, used);
    ck_assert_double_eq(summary->df_residual, used - WIDTH);
    if (strcmp(s.of->family, "binomial") == 0 ||
        strcmp(s.of->family, "poisson") == 0)
        ck_assert_double_eq(summary->dispersion, 1);
    else
        check_relative("dispersion", summary->dispersion,
                       pearson / (used - WIDTH), 1e-12);
    ng_model_destroy(&model);
    ng_frame_destroy(&s.frame);
}
END_TEST

/* Where all of a group are 0 the maximum is at the edge of the square root's
 * domain; the counts' variance is above the mean, so that the larger family
 * has the higher likelihood. */
START_TEST(a_group_of_zeros_under_a_root_keeps_the_fit_inside) {
    static const char csv[] = "g,y\na,0\na,0\na,0\nb,1\nb,9\nb,2\n"
                              "c,0\nc,7\nc,1\n";
    static const char *const families[] = {"poisson", "negative-binomial"};
    double likelihood[2];
    ng_frame *frame = frame_of_text(csv, NULL);
    for (int k = 0; k < 2; k++) {
        ng_glm_options options = glm_options(families[k], "sqrt", NULL);
        options.formula = "y ~ g";
        ng_model *model = fit_glm(frame, &options);
        ck_assert(ng_model_summary(model)->converged);
        ck_assert_double_ge(estimate(model, 0), 0);
        likelihood[k] = ng_model_summary(model)->log_likelihood;
        ng_model_destroy(&model);
    }
    /* sum y log mu - mu - log y! at the groups' means 0, 4, 8/3 */
    double poisson = 12 * log(4) - 12 + 8 * log(8. / 3) - 8 - lgamma(10) -
                     log(2) - lgamma(8);
    NEAR(likelihood[0], poisson, 1e-9);
    ck_assert_double_gt(likelihood[1], likelihood[0]);
    ng_frame_destroy(&frame);
}
END_TEST

/* y = x + noise under the identity link: at x = -9 a Poisson has no mean. */
START_TEST(a_row_without_weight_may_lie_outside_the_domain) {
    static const char csv[] = "x,y,w\n1,1,1\n2,3,1\n3,2,1\n4,5,1\n-9,2,0\n"
                              "5,4,1\n";
    ng_frame *frame = frame_of_text(csv, NULL);
    ng_glm_options options = glm_options("poisson", "identity", NULL);
    ng_prediction *residuals;
    options.formula = "y ~ x";
    options.weights = "w";
    ng_model *model = fit_glm(frame, &options);
    OK(ng_model_residuals(model, frame, 1, &residuals));
    const double *outside = residuals->values + 4 * residuals->columns;
    const double *inside = residuals->values + 5 * residuals->columns;
    ck_assert_double_nan(outside[3]);
    ck_assert_double_finite(inside[3]);
    ng_prediction_destroy(&residuals);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}
END_TEST

static void add(TCase *tests) {
    tcase_add_loop_test(tests, estimates_solve_the_score_equations, 0,
                        TABLE_SIZE);
    tcase_add_loop_test(tests, expected_standard_errors_invert_the_information,
                        0, TABLE_SIZE);
    tcase_add_loop_test(tests, observed_standard_errors_invert_the_hessian, 0,
                        TABLE_SIZE);
    tcase_add_loop_test(tests, robust_standard_errors_are_the_sandwich, 0,
                        TABLE_SIZE);
    tcase_add_loop_test(tests,
                        deviance_and_dispersion_are_those_of_the_definition, 0,
                        TABLE_SIZE);
    tcase_add_test(tests, a_group_of_zeros_under_a_root_keeps_the_fit_inside);
    tcase_add_test(tests, a_row_without_weight_may_lie_outside_the_domain);
}

int main(void) {
    return learner_main("learner_glm", add);
}
