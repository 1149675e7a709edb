/* The facts of the theory: small examples with known answers. */
#include "fixture.h"

static double expit(double x) {
    return 1 / (1 + exp(-x));
}

/* Numbers of order one after a handful of operations. */
static const double ROUNDING = 16 * DBL_EPSILON;

START_TEST(bernoulli_worked_example) {
    const double y[] = {1}, start[] = {0};
    double g, F, plain, natural;
    small s;
    single_open(&s, "bernoulli", NG_LINK_LOGIT, 1, y);
    gradient_at(&s, start, &g);
    fisher_at(&s, start, NG_FISHER_EXACT, &F);
    NEAR(g, -0.5, ROUNDING);
    NEAR(F, 0.25, ROUNDING);
    ng_fit_options options = fixed_steps(NG_GRADIENT, 1);
    take_steps(&s, &options, 1, start, &plain);
    NEAR(plain, 0.5, ROUNDING);
    NEAR(expit(plain), 0.6225, 5e-5);
    options = fixed_steps(NG_NATURAL, 1);
    take_steps(&s, &options, 1, start, &natural);
    NEAR(natural, 2, ROUNDING);
    NEAR(expit(natural), 0.8808, 5e-5);
    small_close(&s);
}
END_TEST

/* 1/2 |mean - (1, 2)|^2, whatever y is. */
static void bowl_value(const ng_objective *objective, const ng_family *f,
                       size_t n, const double *z, const double *y, double *out,
                       double *work) {
    (void)objective;
    (void)y;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double a = z[i * f->dim_z] - 1, b = z[i * f->dim_z + 1] - 2;
        out[i] = 0.5 * (a * a + b * b);
    }
}

static void bowl_gradient(const ng_objective *objective, const ng_family *f,
                          size_t n, const double *z, const double *y,
                          double *out, double *work) {
    (void)objective;
    (void)y;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double *row = out + i * f->dim_z;
        memset(row, 0, f->dim_z * sizeof *row);
        row[0] = z[i * f->dim_z] - 1;
        row[1] = z[i * f->dim_z + 1] - 2;
    }
}

static const ng_objective BOWL = {
    .name = "bowl", .value = bowl_value, .gradient = bowl_gradient};

START_TEST(correlated_normal_under_a_loss_that_is_no_likelihood) {
    const double y[] = {0, 0}, start[] = {0, 0};
    /* L of [[2, 1], [1, 2]]: row by row, logs on the diagonal. */
    const double cholesky[] = {0.5 * log(2), 1 / sqrt(2), 0.5 * log(1.5)};
    double g[2], d[2];
    small s;
    small_init(&s, "mvnormal", 2, 1, y);
    small_none(&s, 0, NG_LINK_IDENTITY);
    s.rows.offset[1] = cholesky;
    s.objective = &BOWL;
    small_open(&s);
    ck_assert_uint_eq(s.d, 2);
    gradient_at(&s, start, g);
    NEAR(g[0], -1, ROUNDING);
    NEAR(g[1], -2, ROUNDING);
    natural_gradient(&s, start, 0, d);
    NEAR(d[0], -4, 4 * ROUNDING);
    NEAR(d[1], -5, 4 * ROUNDING);
    small_close(&s);
}
END_TEST

static void normal_fisher(ng_link sd_link, double sd_parameter, double *F) {
    const double y[] = {0.3}, theta[] = {-1.2, sd_parameter};
    small s;
    small_init(&s, "normal", 1, 1, y);
    small_none(&s, 0, NG_LINK_IDENTITY);
    small_none(&s, 1, sd_link);
    small_open(&s);
    fisher_at(&s, theta, NG_FISHER_EXACT, F);
    small_close(&s);
}

START_TEST(normal_fisher_in_two_coordinates) {
    const double sd = 1.7;
    double F[4];
    normal_fisher(NG_LINK_IDENTITY, sd, F);
    NEAR(F[0], 1 / (sd * sd), ROUNDING);
    NEAR(F[3], 2 / (sd * sd), ROUNDING);
    ck_assert_double_eq(F[1], 0);
    normal_fisher(NG_LINK_LOG, log(sd), F);
    NEAR(F[0], 1 / (sd * sd), ROUNDING);
    NEAR(F[3], 2, ROUNDING);
    ck_assert_double_eq(F[1], 0);
}
END_TEST

START_TEST(unit_normal_natural_gradient_is_the_plain_one) {
    const double y[] = {0.25, -3, 8}, theta[] = {0.7};
    double F, g, d;
    small s;
    single_open(&s, "normal", NG_LINK_IDENTITY, 3, y);
    fisher_at(&s, theta, NG_FISHER_EXACT, &F);
    ck_assert_double_eq(F, 1);
    gradient_at(&s, theta, &g);
    natural_gradient(&s, theta, 0, &d);
    NEAR(d, g, ROUNDING);
    small_close(&s);
}
END_TEST

START_TEST(softmax_null_space) {
    enum { K = 4 };
    const double y[] = {0, 1, 1, 3, 2, 1}, theta[] = {0.3, -0.2, 0.9, -1.1};
    const double damping = 0.01;
    double F[K * K], g[K], d[K], Fd[K], smallest = 1;
    small s;
    small_init(&s, "softmax", K, 6, y);
    small_none(&s, 0, NG_LINK_IDENTITY);
    small_open(&s);
    fisher_at(&s, theta, NG_FISHER_EXACT, F);
    gradient_at(&s, theta, g);
    for (size_t i = 0; i < K; i++) {
        NEAR(F[i * K] + F[i * K + 1] + F[i * K + 2] + F[i * K + 3], 0,
             ROUNDING);
        smallest = fmin(smallest, F[i * K + i]);
    }
    /* The other eigenvalues are above the least p_k. */
    double condition = K / smallest;
    natural_gradient(&s, theta, 0, d);
    NEAR(d[0] + d[1] + d[2] + d[3], 0, condition * ROUNDING);
    for (size_t i = 0; i < K; i++)
        NEAR(dot(K, F + i * K, d), g[i], condition * ROUNDING);
    natural_gradient(&s, theta, damping, d);
    for (size_t i = 0; i < K; i++) {
        Fd[i] = dot(K, F + i * K, d) + damping * d[i];
        NEAR(Fd[i], g[i], K / damping * ROUNDING);
    }
    small_close(&s);
}
END_TEST

START_TEST(one_natural_step_is_the_least_squares_solution) {
    enum { N = 40, P = 5 };
    double X[N * P], y[N], start[P], beta[P], to[P];
    ng_rng rng;
    ng_rng_init(&rng, 11, 0);
    random_design(&rng, N, P, X);
    random_vector(&rng, N, 2, y);
    random_vector(&rng, P, 100, start);
    least_squares(N, P, X, y, beta);
    small s;
    small_init(&s, "normal", 1, N, y);
    small_linear(&s, 0, NG_LINK_IDENTITY, P, X);
    small_open(&s);
    ng_fit_options options = fixed_steps(NG_NATURAL, 1);
    take_steps(&s, &options, 1, start, to);
    /* F's condition number is below 10 for such a design; the start, of
     * size 300, is subtracted from. */
    NEAR(distance(P, to, beta), 0, 4 * P * P * 10 * 300 * DBL_EPSILON);
    small_close(&s);
}
END_TEST

START_TEST(linear_regression_fisher_is_the_mean_square_of_inputs) {
    enum { N = 30, P = 3 };
    double X[N * P], y[N], theta[P], F[P * P];
    ng_rng rng;
    ng_rng_init(&rng, 12, 0);
    random_design(&rng, N, P, X);
    random_vector(&rng, N, 1, y);
    random_vector(&rng, P, 1, theta);
    small s;
    small_init(&s, "normal", 1, N, y);
    small_linear(&s, 0, NG_LINK_IDENTITY, P, X);
    small_open(&s);
    fisher_at(&s, theta, NG_FISHER_EXACT, F);
    for (size_t a = 0; a < P; a++) {
        for (size_t b = 0; b < P; b++) {
            double mean = 0;
            for (size_t i = 0; i < N; i++)
                mean += X[i * P + a] * X[i * P + b] / N;
            NEAR(F[a * P + b], mean, N * ROUNDING);
        }
    }
    small_close(&s);
}
END_TEST

/* ---- Canonical links ---- */

enum { ROWS = 24, INPUTS = 3, LEVELS = 3 };

typedef struct glm {
    small s;
    double X[ROWS * INPUTS], y[ROWS], theta[INPUTS * (LEVELS - 1)];
} glm;

/* Data that the model does not fit, at a point that is no optimum. */
static void glm_open(glm *m, const char *family, size_t size, ng_link link,
                     double most) {
    ng_rng rng;
    ng_rng_init(&rng, 21, 0);
    random_design(&rng, ROWS, INPUTS, m->X);
    random_vector(&rng, INPUTS * (LEVELS - 1), 0.5, m->theta);
    for (size_t i = 0; i < ROWS; i++)
        m->y[i] = floor((most + 1) * ng_rng_uniform(&rng));
    small_init(&m->s, family, size, ROWS, m->y);
    small_linear(&m->s, 0, link, INPUTS, m->X);
    small_open(&m->s);
}

static void ck_fisher_is_hessian(const char *family, size_t size, ng_link link,
                                 double most) {
    double F[36], H[36], numeric[36], natural[6], newton[6];
    glm m;
    glm_open(&m, family, size, link, most);
    size_t d = m.s.d;
    fisher_at(&m.s, m.theta, NG_FISHER_EXACT, F);
    fisher_at(&m.s, m.theta, NG_FISHER_OBSERVED, H);
    numeric_hessian(&m.s, m.theta, numeric);
    ck_assert(relative_distance(d * d, F, H) < ROWS * ROUNDING);
    /* h^2/6 of a fourth derivative of order 10 and eps/h of a gradient of
     * order 10, with h = 6e-6. */
    ck_assert(relative_distance(d * d, F, numeric) < 1e-9);
    ng_fit_options options = fixed_steps(NG_NATURAL, 1);
    take_steps(&m.s, &options, 1, m.theta, natural);
    options = fixed_steps(NG_NEWTON, 1);
    take_steps(&m.s, &options, 1, m.theta, newton);
    ck_assert(relative_distance(d, natural, newton) < 1e3 * ROUNDING);
    small_close(&m.s);
}

START_TEST(canonical_link_fisher_is_the_hessian) {
    ck_fisher_is_hessian("bernoulli", 1, NG_LINK_LOGIT, 1);
    ck_fisher_is_hessian("poisson", 1, NG_LINK_LOG, 9);
    ck_fisher_is_hessian("normal", 1, NG_LINK_IDENTITY, 5);
    ck_fisher_is_hessian("categorical", LEVELS, NG_LINK_IDENTITY, 2);
}
END_TEST

START_TEST(canonical_natural_step_is_iteratively_reweighted_least_squares) {
    glm m;
    double W[ROWS * INPUTS], working[ROWS], irls[INPUTS], natural[INPUTS];
    glm_open(&m, "bernoulli", 1, NG_LINK_LOGIT, 1);
    for (size_t i = 0; i < ROWS; i++) {
        double eta = dot(INPUTS, m.X + i * INPUTS, m.theta);
        double p = expit(eta), root = sqrt(p * (1 - p));
        for (size_t j = 0; j < INPUTS; j++)
            W[i * INPUTS + j] = root * m.X[i * INPUTS + j];
        working[i] = root * eta + (m.y[i] - p) / root;
    }
    least_squares(ROWS, INPUTS, W, working, irls);
    ng_fit_options options = fixed_steps(NG_NATURAL, 1);
    take_steps(&m.s, &options, 1, m.theta, natural);
    ck_assert(relative_distance(INPUTS, natural, irls) < 1e3 * ROUNDING);
    small_close(&m.s);
}
END_TEST

START_TEST(probit_fisher_is_not_the_hessian) {
    double F[9], H[9], numeric[9], natural[3], newton[3];
    glm m;
    glm_open(&m, "bernoulli", 1, NG_LINK_PROBIT, 1);
    fisher_at(&m.s, m.theta, NG_FISHER_EXACT, F);
    fisher_at(&m.s, m.theta, NG_FISHER_OBSERVED, H);
    numeric_hessian(&m.s, m.theta, numeric);
    ck_assert(relative_distance(9, H, numeric) < 1e-9);
    ck_assert(distance(9, F, H) > 1e-2);
    ng_fit_options options = fixed_steps(NG_NATURAL, 1);
    take_steps(&m.s, &options, 1, m.theta, natural);
    options = fixed_steps(NG_NEWTON, 1);
    take_steps(&m.s, &options, 1, m.theta, newton);
    ck_assert(distance(3, natural, newton) > 1e-2);
    small_close(&m.s);
}
END_TEST

/* ---- Coordinates ---- */

/* theta = (mean, log sd) and phi = (mean, precision) of one distribution:
 * J = dphi/dtheta = diag(1, -2 / sd^2). */
START_TEST(fisher_and_length_in_other_coordinates) {
    const double sd = 0.8, jacobian[] = {1, -2 / (sd * sd)};
    const double step[] = {0.3, -0.7};
    double moved[] = {jacobian[0] * step[0], jacobian[1] * step[1]};
    double F[4], G[4];
    normal_fisher(NG_LINK_LOG, log(sd), F);
    normal_fisher(NG_LINK_INVERSE_SQUARE, 1 / (sd * sd), G);
    for (size_t a = 0; a < 2; a++) {
        for (size_t b = 0; b < 2; b++)
            NEAR(G[a * 2 + b], F[a * 2 + b] / jacobian[a] / jacobian[b],
                 ROUNDING);
    }
    NEAR(form(2, G, moved, moved), form(2, F, step, step), ROUNDING);
}
END_TEST

/* X A in place of X: theta = A phi, so F becomes A'FA and phi's natural
 * gradient is A^-1 times theta's. */
START_TEST(linear_change_of_coordinates) {
    enum { P = INPUTS };
    const double A[P * P] = {1, 2, 0, -1, 1, 3, 0.5, 0, 2};
    double XA[ROWS * P], phi[P], F[P * P], G[P * P], d[P], e[P], Ae[P];
    glm m;
    small changed;
    glm_open(&m, "poisson", 1, NG_LINK_LOG, 5);
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < P; j++) {
            XA[i * P + j] = 0;
            for (size_t k = 0; k < P; k++)
                XA[i * P + j] += m.X[i * P + k] * A[k * P + j];
        }
    }
    small_init(&changed, "poisson", 1, ROWS, m.y);
    small_linear(&changed, 0, NG_LINK_LOG, P, XA);
    small_open(&changed);
    solve_linear(P, A, m.theta, phi);
    fisher_at(&m.s, m.theta, NG_FISHER_EXACT, F);
    fisher_at(&changed, phi, NG_FISHER_EXACT, G);
    for (size_t a = 0; a < P; a++) {
        for (size_t b = 0; b < P; b++) {
            double column_a[] = {A[a], A[P + a], A[2 * P + a]};
            double column_b[] = {A[b], A[P + b], A[2 * P + b]};
            NEAR(G[a * P + b], form(P, F, column_a, column_b),
                 ROWS * 100 * ROUNDING);
        }
    }
    natural_gradient(&m.s, m.theta, 0, d);
    natural_gradient(&changed, phi, 0, e);
    for (size_t a = 0; a < P; a++)
        Ae[a] = dot(P, A + a * P, e);
    ck_assert(relative_distance(P, Ae, d) < 1e3 * ROUNDING);
    small_close(&changed);
    small_close(&m.s);
}
END_TEST

/* ---- Expectation maximisation ---- */

START_TEST(unit_step_in_the_mean_parameters_is_the_m_step) {
    const double y[] = {3, 9, 4, 4}, mean[] = {1}, natural[] = {0};
    double d, g, to;
    small s;
    single_open(&s, "poisson", NG_LINK_IDENTITY, 4, y);
    natural_gradient(&s, mean, 0, &d);
    NEAR(d, 1 - 5, ROUNDING);
    ng_fit_options options = fixed_steps(NG_NATURAL, 1);
    take_steps(&s, &options, 1, mean, &to);
    NEAR(to, 5, 5 * ROUNDING);
    options = fixed_steps(NG_NATURAL, 0.25);
    take_steps(&s, &options, 1, mean, &to);
    NEAR(to, 1 + 0.25 * (5 - 1), ROUNDING);
    small_close(&s);
    /* It is the plain gradient in the natural parameters; the unit step there
     * is Newton's. */
    single_open(&s, "poisson", NG_LINK_LOG, 4, y);
    gradient_at(&s, natural, &g);
    NEAR(g, d, ROUNDING);
    options = fixed_steps(NG_NATURAL, 1);
    take_steps(&s, &options, 1, natural, &to);
    NEAR(exp(to), 54.6, 0.05);
    NEAR(to, 4, 4 * ROUNDING);
    small_close(&s);
}
END_TEST

/* Responsibilities as weights: from any mean, the unit natural step of a
 * component lands on its M-step, and that of the mixing weight on the mean
 * responsibility. */
START_TEST(mixture_m_step_is_a_unit_natural_step) {
    enum { N = 8 };
    const double y[N] = {0, 1, 1, 2, 7, 9, 8, 11}, pi = 0.4, low = 2, high = 6;
    const double outcome[2 * N] = {1, 1, 1, 1, 1, 1, 1, 1};
    double weight[2 * N], sum = 0, product = 0, to;
    for (size_t i = 0; i < N; i++) {
        double a = pi * exp(y[i] * log(low) - low);
        double b = (1 - pi) * exp(y[i] * log(high) - high);
        weight[i] = a / (a + b);
        weight[N + i] = 1 - weight[i];
        sum += weight[i];
        product += weight[i] * y[i];
    }
    small s;
    ng_fit_options options = fixed_steps(NG_NATURAL, 1);
    small_init(&s, "poisson", 1, N, y);
    small_none(&s, 0, NG_LINK_IDENTITY);
    s.rows.weight = weight;
    small_open(&s);
    take_steps(&s, &options, 1, &low, &to);
    NEAR(to, product / sum, N * ROUNDING);
    small_close(&s);
    small_init(&s, "bernoulli", 1, 2 * N, outcome);
    small_none(&s, 0, NG_LINK_IDENTITY);
    s.rows.weight = weight;
    small_open(&s);
    take_steps(&s, &options, 1, &pi, &to);
    NEAR(to, sum / N, N * ROUNDING);
    small_close(&s);
}
END_TEST

/* ---- One point, many ways to it ---- */

START_TEST(all_optimizers_share_the_stationary_point) {
    static const ng_optimizer OPTIMIZERS[] = {NG_NEWTON, NG_GRADIENT,
                                              NG_MOMENTUM, NG_ADAM};
    const double start[INPUTS] = {0};
    double optimum[INPUTS], to[INPUTS], g[INPUTS];
    glm m;
    glm_open(&m, "bernoulli", 1, NG_LINK_LOGIT, 1);
    ng_fit_options options;
    ng_fit_options_init(&options);
    ng_report report = run_fit(&m.s, &options, start, optimum);
    ck_assert_int_eq(report.stop, NG_CONVERGED);
    gradient_at(&m.s, optimum, g);
    ck_assert(norm(INPUTS, g) < ROWS * ROUNDING);
    /* Not below the square root of what rounding does to the objective, where
     * a search cannot tell up from down. As a distance in the Fisher's norm,
     * whose least eigenvalue is above 0.01 here, it is ten times less than in
     * the parameters. */
    options.tolerance = 1e-7;
    for (size_t i = 0; i < sizeof OPTIMIZERS / sizeof *OPTIMIZERS; i++) {
        options.optimizer = OPTIMIZERS[i];
        report = run_fit(&m.s, &options, start, to);
        ck_assert_msg(report.stop == NG_CONVERGED, "optimizer %d: %s, %g",
                      (int)OPTIMIZERS[i], ng_stop_text(report.stop),
                      report.decrement);
        ck_assert(distance(INPUTS, to, optimum) < 1e-6);
    }
    /* RMSProp has no smaller step than about its rate, and comes as near. */
    options = fixed_steps(NG_RMSPROP, 1e-3);
    take_steps(&m.s, &options, 5000, start, to);
    ck_assert(distance(INPUTS, to, optimum) < 3e-3);
    small_close(&m.s);
}
END_TEST

static void add(TCase *tests) {
    tcase_add_test(tests, bernoulli_worked_example);
    tcase_add_test(tests, correlated_normal_under_a_loss_that_is_no_likelihood);
    tcase_add_test(tests, normal_fisher_in_two_coordinates);
    tcase_add_test(tests, unit_normal_natural_gradient_is_the_plain_one);
    tcase_add_test(tests, softmax_null_space);
    tcase_add_test(tests, one_natural_step_is_the_least_squares_solution);
    tcase_add_test(tests,
                   linear_regression_fisher_is_the_mean_square_of_inputs);
    tcase_add_test(tests, canonical_link_fisher_is_the_hessian);
    tcase_add_test(
        tests, canonical_natural_step_is_iteratively_reweighted_least_squares);
    tcase_add_test(tests, probit_fisher_is_not_the_hessian);
    tcase_add_test(tests, fisher_and_length_in_other_coordinates);
    tcase_add_test(tests, linear_change_of_coordinates);
    tcase_add_test(tests, unit_step_in_the_mean_parameters_is_the_m_step);
    tcase_add_test(tests, mixture_m_step_is_a_unit_natural_step);
    tcase_add_test(tests, all_optimizers_share_the_stationary_point);
}

int main(void) {
    return theory_main("facts", add);
}
