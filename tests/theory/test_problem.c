/* A problem answers every question in more than one way; the ways agree. For
 * every family, with every link that fits. */
#include "fixture.h"

#include <stdio.h>

enum { ROWS = 30, INPUTS = 3, MOST_Z = 12, MOST = MOST_Z * INPUTS };

typedef struct bench {
    small s;
    double X[ROWS * INPUTS], y[ROWS * 4], weight[ROWS];
    double theta[MOST], v[MOST];
} bench;

static size_t size_of(const ng_family_ops *ops) {
    bool wide = strcmp(ops->name, "categorical") == 0 ||
                strcmp(ops->name, "softmax") == 0 ||
                strcmp(ops->name, "dirichlet") == 0;
    return wide ? 3 : strcmp(ops->name, "mvnormal") == 0 ? 2 : 1;
}

/* Whether z = 0.2 can be had under this link. */
static bool fits(ng_link link, ng_coordinate coordinate) {
    const double z = 0.2;
    double eta, back;
    ng_link_forward(link, coordinate, 1, &z, &eta);
    if (!isfinite(eta))
        return false;
    ng_link_inverse(link, coordinate, 1, &eta, &back, NULL, NULL);
    return fabs(back - z) < 1e-12;
}

/* Labels drawn from the model itself. */
static void draw_labels(bench *b, ng_rng *rng) {
    const ng_family *f = &b->s.family;
    double z[ROWS * MOST_Z], work[4096];
    ck_assert_uint_le(ng_family_work(f), 4096);
    OK(ng_model_problem_predict(b->s.problem, b->theta, 0, ROWS, z));
    f->ops->sample(f, ROWS, z, rng, b->y, work);
}

/* Every block linear; block `at` under `link`, the others under their own.
 * z is about 0.2 in every row. */
static void open_family(bench *b, const ng_family_ops *ops, size_t at,
                        ng_link link) {
    ng_rng rng;
    ng_rng_init(&rng, 17, 0);
    random_design(&rng, ROWS, INPUTS, b->X);
    for (size_t i = 0; i < ROWS; i++)
        b->weight[i] = 0.5 + ng_rng_uniform(&rng);
    memset(b->y, 0, sizeof b->y);
    small_init(&b->s, ops->name, size_of(ops), ROWS, b->y);
    b->s.rows.weight = b->weight;
    for (size_t k = 0; k < b->s.family.blocks; k++)
        small_linear(&b->s, k, k == at ? link : b->s.block[k].link, INPUTS,
                     b->X);
    small_open(&b->s);
    ck_assert_uint_le(b->s.d, MOST);
    random_vector(&rng, b->s.d, 1, b->v);
    double *theta = b->theta;
    for (size_t k = 0; k < b->s.family.blocks; k++) {
        const ng_family_block *block = &b->s.family.block[k];
        const double z = 0.2;
        for (size_t c = 0; c < block->count; c++, theta += INPUTS) {
            ng_link_forward(b->s.block[k].link, block->coordinate, 1, &z,
                            theta);
            for (size_t j = 1; j < INPUTS; j++)
                theta[j] = 0.02 * ng_rng_normal(&rng);
        }
    }
    draw_labels(b, &rng);
}

/* Calls `look` for every family, block and link. */
static void everywhere(void (*look)(bench *b, const char *what)) {
    const ng_family_ops *const *list = ng_family_list();
    for (size_t i = 0; list[i]; i++) {
        ng_family f;
        OK(ng_family_init(ctx, list[i]->name, size_of(list[i]), &f));
        for (size_t k = 0; k < f.blocks; k++) {
            for (int link = 0; link < NG_LINK_COUNT; link++) {
                if (!fits((ng_link)link, f.block[k].coordinate))
                    continue;
                bench b;
                char what[128];
                snprintf(what, sizeof what, "%s, %s of %s", f.ops->name,
                         ng_link_name((ng_link)link), f.block[k].name);
                open_family(&b, list[i], k, (ng_link)link);
                look(&b, what);
                small_close(&b.s);
            }
        }
    }
}

/* h^2/6 times a third derivative and eps/h times the objective, h = 6e-6:
 * 1e-10 each for derivatives of order one, and these reach 1e3. */
static const double DIFFERENCES = 1e-7;

static void look_at_gradient(bench *b, const char *what) {
    double error;
    OK(ng_check_gradient(b->s.problem, b->theta, &error));
    ck_assert_msg(error < DIFFERENCES, "%s: %g", what, error);
}

START_TEST(gradients_are_those_of_the_objective) {
    everywhere(look_at_gradient);
}
END_TEST

static void look_at_hessian(bench *b, const char *what) {
    double H[MOST * MOST], numeric[MOST * MOST];
    if (!b->s.problem->smooth)
        return;
    fisher_at(&b->s, b->theta, NG_FISHER_OBSERVED, H);
    numeric_hessian(&b->s, b->theta, numeric);
    double gap = relative_distance(b->s.d * b->s.d, H, numeric);
    ck_assert_msg(gap < DIFFERENCES, "%s: %g", what, gap);
}

START_TEST(observed_is_the_hessian_of_the_objective) {
    everywhere(look_at_hessian);
}
END_TEST

static const ng_fisher KINDS[] = {{NG_FISHER_EXACT, 1, 0, 0},
                                  {NG_FISHER_SAMPLED, 2, 9, 3},
                                  {NG_FISHER_EMPIRICAL, 1, 0, 0},
                                  {NG_FISHER_OBSERVED, 1, 0, 0}};

static void ck_forms_agree(const bench *b, const ng_fisher *fisher,
                           const char *what) {
    static double S[ROWS * MOST_Z * MOST];
    double F[MOST * MOST], Fv[MOST], diagonal[MOST];
    ng_problem *problem = b->s.problem;
    size_t d = b->s.d;
    fisher_of(&b->s, b->theta, fisher, F);
    double scale = 1;
    for (size_t j = 0; j < d * d; j++)
        scale = fmax(scale, fabs(F[j]));
    double rounding = 64 * ROWS * scale * DBL_EPSILON;
    OK(problem->ops->fisher_product(problem, b->theta, fisher, b->v, Fv));
    OK(problem->ops->fisher_diagonal(problem, b->theta, fisher, diagonal));
    for (size_t j = 0; j < d; j++) {
        ck_assert_msg(fabs(Fv[j] - dot(d, F + j * d, b->v)) <
                          (double)d * rounding,
                      "%s, kind %d: product %g, dense %g", what,
                      (int)fisher->kind, Fv[j], dot(d, F + j * d, b->v));
        ck_assert_msg(fabs(diagonal[j] - F[j * d + j]) < rounding, "%s", what);
    }
    size_t N = problem->ops->root_rows(problem, fisher);
    if (fisher->kind == NG_FISHER_OBSERVED) {
        ck_assert_uint_eq(N, 0);
        return;
    }
    OK(problem->ops->fisher_root(problem, b->theta, fisher, S));
    for (size_t i = 0; i < d; i++) {
        for (size_t j = 0; j < d; j++) {
            double sum = 0;
            for (size_t k = 0; k < N; k++)
                sum += S[k * d + i] * S[k * d + j];
            ck_assert_msg(fabs(sum - F[i * d + j]) < rounding,
                          "%s, kind %d: root %g, dense %g", what,
                          (int)fisher->kind, sum, F[i * d + j]);
        }
    }
}

static void look_at_forms(bench *b, const char *what) {
    for (size_t k = 0; k < sizeof KINDS / sizeof *KINDS; k++)
        ck_forms_agree(b, &KINDS[k], what);
}

START_TEST(dense_product_diagonal_and_root_are_one_fisher) {
    everywhere(look_at_forms);
}
END_TEST

static void look_at_compare(bench *b, const char *what) {
    const ng_family *f = &b->s.family;
    double to[MOST], z0[ROWS * MOST_Z], z1[ROWS * MOST_Z], kl[ROWS];
    double work[4096], expected = 0, total = 0;
    for (size_t j = 0; j < b->s.d; j++)
        to[j] = b->theta[j] + 0.01 * b->v[j];
    double before = objective_at(&b->s, b->theta);
    double after = objective_at(&b->s, to);
    if (!isfinite(after)) /* where the move leaves the domain */
        return;
    double rounding = 64 * DBL_EPSILON * (1 + fabs(before));
    ck_assert_msg(fabs(change_between(&b->s, b->theta, to) - after + before) <
                      rounding,
                  "%s", what);
    OK(ng_model_problem_predict(b->s.problem, b->theta, 0, ROWS, z0));
    OK(ng_model_problem_predict(b->s.problem, to, 0, ROWS, z1));
    f->ops->kl(f, ROWS, z0, z1, kl, work);
    for (size_t i = 0; i < ROWS; i++) {
        expected += b->weight[i] * kl[i];
        total += b->weight[i];
    }
    NEAR(kl_between(&b->s, b->theta, to), expected / total,
         ROWS * DBL_EPSILON * (1 + expected));
}

START_TEST(compare_is_the_difference_of_objectives_and_the_mean_kl) {
    everywhere(look_at_compare);
}
END_TEST

/* Half the second derivative of KL(theta || theta + t v) is v'Fv / 2, to the
 * third derivative times t. */
static void look_at_kl(bench *b, const char *what) {
    const double t = 1e-5;
    double F[MOST * MOST], to[MOST];
    fisher_at(&b->s, b->theta, NG_FISHER_EXACT, F);
    for (size_t j = 0; j < b->s.d; j++)
        to[j] = b->theta[j] + t * b->v[j];
    double expected = 0.5 * form(b->s.d, F, b->v, b->v);
    double kl = kl_between(&b->s, b->theta, to) / (t * t);
    ck_assert_msg(fabs(kl / expected - 1) < 1e-3, "%s: %g, expected %g", what,
                  kl, expected);
}

START_TEST(exact_fisher_is_the_curvature_of_kl) {
    everywhere(look_at_kl);
}
END_TEST

START_TEST(compare_keeps_its_digits_for_close_points) {
    bench b;
    double g[MOST], to[MOST];
    open_family(&b, *ng_family_list(), 0, NG_LINK_LOGIT);
    gradient_at(&b.s, b.theta, g);
    for (double t = 1e-3; t > 1e-9; t /= 10) {
        for (size_t j = 0; j < b.s.d; j++)
            to[j] = b.theta[j] + t * b.v[j];
        double change = change_between(&b.s, b.theta, to);
        /* Off by the second derivative times t, and eps / t. */
        NEAR(change / t, dot(b.s.d, g, b.v),
             dot(b.s.d, b.v, b.v) * t + 16 * DBL_EPSILON / t);
    }
    small_close(&b.s);
}
END_TEST

/* The penalty in its several forms; of a categorical, where it couples the
 * levels, and of another family. */
static void ck_penalty(const char *family, size_t size, double most) {
    const double ridge[INPUTS] = {0, 0.3, 0.7}, damping = 0.2;
    double P[MOST * MOST] = {0}, Pv[MOST] = {0}, diagonal[MOST] = {0};
    double solved[MOST], to[MOST], error, loss, objective;
    bench b;
    ng_rng rng;
    ng_rng_init(&rng, 23, 0);
    random_design(&rng, ROWS, INPUTS, b.X);
    for (size_t i = 0; i < ROWS; i++)
        b.y[i] = floor((most + 1) * ng_rng_uniform(&rng));
    small_init(&b.s, family, size, ROWS, b.y);
    small_linear(&b.s, 0, b.s.block[0].link, INPUTS, b.X);
    b.s.ridge = ridge;
    small_open(&b.s);
    ng_problem *problem = b.s.problem;
    size_t d = b.s.d;
    random_vector(&rng, d, 1, b.v);
    random_vector(&rng, d, 1, b.theta);
    random_vector(&rng, d, 1, to);
    OK(ng_check_gradient(problem, b.theta, &error));
    ck_assert_double_lt(error, DIFFERENCES);
    problem->ops->penalty_add(problem, P);
    for (size_t i = 0; i < d; i++) {
        for (size_t j = 0; j < i; j++)
            P[j * d + i] = P[i * d + j];
    }
    const double rounding = 64 * (double)d * DBL_EPSILON;
    OK(problem->ops->evaluate(problem, b.theta, &loss, &objective, NULL, NULL,
                              NULL));
    NEAR(objective - loss, 0.5 * form(d, P, b.theta, b.theta),
         rounding * (1 + objective));
    NEAR(change_between(&b.s, b.theta, to), objective_at(&b.s, to) - objective,
         rounding * (1 + objective));
    problem->ops->penalty_product(problem, b.v, Pv);
    problem->ops->penalty_diagonal(problem, diagonal);
    OK(problem->ops->penalty_solve(problem, damping, b.v, solved));
    for (size_t i = 0; i < d; i++) {
        NEAR(Pv[i], dot(d, P + i * d, b.v), rounding);
        NEAR(diagonal[i], P[i * d + i], rounding);
        NEAR(dot(d, P + i * d, solved) + damping * solved[i], b.v[i],
             rounding / damping);
    }
    small_close(&b.s);
}

START_TEST(penalty_in_all_its_forms) {
    ck_penalty("categorical", 3, 2);
    ck_penalty("softmax", 3, 2);
    ck_penalty("poisson", 1, 6);
}
END_TEST

/* ---- Weights ---- */

START_TEST(a_row_of_weight_three_is_three_rows) {
    enum { N = 4 };
    const double X[] = {1, 0.3, 1, -1, 1, 2, 1, 0.8}, y[] = {2, 0, 7, 3};
    const double X3[] = {1, 0.3, 1, -1, 1, 2, 1, 2, 1, 2, 1, 0.8};
    const double y3[] = {2, 0, 7, 7, 7, 3}, weight[] = {1, 1, 3, 1};
    const double theta[] = {0.4, 0.5}, to[] = {0.6, 0.1};
    double g[2], g3[2], F[4], F3[4];
    small a, b;
    small_init(&a, "poisson", 1, N, y);
    small_linear(&a, 0, NG_LINK_LOG, 2, X);
    a.rows.weight = weight;
    small_open(&a);
    small_init(&b, "poisson", 1, 6, y3);
    small_linear(&b, 0, NG_LINK_LOG, 2, X3);
    small_open(&b);
    const double rounding = 64 * DBL_EPSILON;
    NEAR(objective_at(&a, theta), objective_at(&b, theta), rounding);
    NEAR(change_between(&a, theta, to), change_between(&b, theta, to),
         rounding);
    NEAR(kl_between(&a, theta, to), kl_between(&b, theta, to), rounding);
    gradient_at(&a, theta, g);
    gradient_at(&b, theta, g3);
    ck_assert(distance(2, g, g3) < rounding);
    for (ng_fisher_kind kind = NG_FISHER_EXACT; kind <= NG_FISHER_OBSERVED;
         kind++) {
        if (kind == NG_FISHER_SAMPLED)
            continue;
        fisher_at(&a, theta, kind, F);
        fisher_at(&b, theta, kind, F3);
        ck_assert(relative_distance(4, F, F3) < rounding);
    }
    small_close(&a);
    small_close(&b);
}
END_TEST

/* The scale of the weights does not matter, rows of weight 0 are not there,
 * whatever they hold. */
START_TEST(weights_are_relative_and_may_be_zero) {
    const double X[] = {1, 0.3, 1, -1, 1, 900}, y[] = {2, 0, 7};
    const double weight[] = {7, 14, 0}, half[] = {0.5, 1};
    const double theta[] = {0.4, 1}, to[] = {0.1, 0.8};
    double g[2], h[2], F[4], G[4];
    small a, b;
    small_init(&a, "poisson", 1, 3, y);
    small_linear(&a, 0, NG_LINK_LOG, 2, X);
    a.rows.weight = weight;
    small_open(&a);
    small_init(&b, "poisson", 1, 2, y);
    small_linear(&b, 0, NG_LINK_LOG, 2, X);
    b.rows.weight = half;
    small_open(&b);
    NEAR(objective_at(&a, theta), objective_at(&b, theta), 1e-14);
    NEAR(kl_between(&a, theta, to), kl_between(&b, theta, to), 1e-14);
    gradient_at(&a, theta, g);
    gradient_at(&b, theta, h);
    ck_assert(distance(2, g, h) < 1e-14);
    fisher_at(&a, theta, NG_FISHER_EXACT, F);
    fisher_at(&b, theta, NG_FISHER_EXACT, G);
    ck_assert(distance(4, F, G) < 1e-14);
    small_close(&a);
    small_close(&b);
}
END_TEST

START_TEST(bad_weights_are_refused) {
    static const double BAD[][2] = {
        {1, -1}, {0, 0}, {1, NAN}, {INFINITY, 1}, {DBL_MAX, DBL_MAX}};
    const double y[] = {0, 1};
    small s;
    small_init(&s, "bernoulli", 1, 2, y);
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        ng_source source;
        s.rows.weight = BAD[i];
        ck_assert_int_eq(ng_memory_source_init(ctx, &s.rows, &s.family, s.block,
                                               &s.memory, &source),
                         NG_EUSAGE);
        ck_assert_str_ne(ng_error(ctx), "");
    }
}
END_TEST

/* ---- Threads ---- */

enum { LONG_ROWS = 5000, WIDE = 6 };

typedef struct answers {
    double objective, change, kl;
    double g[WIDE], F[4][WIDE * WIDE], Fv[WIDE];
} answers;

static void ask(size_t threads, const double *X, const double *y,
                answers *out) {
    const ng_ctx_options options = {.threads = threads};
    const double theta[WIDE] = {0.2, -0.1, 0.3, 0.1, 0.4, -0.2};
    const double to[WIDE] = {0.1, 0.1, 0.2, 0.1, 0.3, 0.2};
    ng_ctx *own;
    small s;
    ck_assert_int_eq(ng_ctx_create(&options, &own), NG_OK);
    small_init(&s, "poisson", 1, LONG_ROWS, y);
    small_linear(&s, 0, NG_LINK_LOG, WIDE, X);
    small_open_in(&s, own);
    memset(out, 0, sizeof *out);
    out->objective = objective_at(&s, theta);
    gradient_at(&s, theta, out->g);
    for (size_t k = 0; k < 4; k++)
        fisher_of(&s, theta, &KINDS[k], out->F[k]);
    OK(s.problem->ops->compare(s.problem, theta, to, &out->change, &out->kl));
    OK(s.problem->ops->fisher_product(s.problem, theta, &KINDS[0], to,
                                      out->Fv));
    small_close(&s);
    ng_ctx_destroy(&own);
}

START_TEST(two_threads_equal_one_and_runs_are_bit_identical) {
    static double X[LONG_ROWS * WIDE], y[LONG_ROWS];
    answers one, two, again;
    ng_rng rng;
    ng_rng_init(&rng, 8, 0);
    random_design(&rng, LONG_ROWS, WIDE, X);
    for (size_t i = 0; i < LONG_ROWS; i++)
        y[i] = ng_rng_poisson(&rng, 1.5);
    ask(1, X, y, &one);
    ask(1, X, y, &again);
    ck_assert_mem_eq(&one, &again, sizeof one);
    ask(2, X, y, &two);
    /* Sums of 5000 terms of order one over n, in another order. */
    const double rounding = LONG_ROWS * DBL_EPSILON;
    ck_assert(relative_distance(sizeof one / sizeof(double), &one.objective,
                                &two.objective) < rounding);
    for (int run = 0; run < 5; run++) {
        ask(2, X, y, &again);
        ck_assert_mem_eq(&two, &again, sizeof two);
    }
}
END_TEST

static void add(TCase *tests) {
    tcase_add_test(tests, gradients_are_those_of_the_objective);
    tcase_add_test(tests, observed_is_the_hessian_of_the_objective);
    tcase_add_test(tests, dense_product_diagonal_and_root_are_one_fisher);
    tcase_add_test(tests,
                   compare_is_the_difference_of_objectives_and_the_mean_kl);
    tcase_add_test(tests, exact_fisher_is_the_curvature_of_kl);
    tcase_add_test(tests, compare_keeps_its_digits_for_close_points);
    tcase_add_test(tests, penalty_in_all_its_forms);
    tcase_add_test(tests, a_row_of_weight_three_is_three_rows);
    tcase_add_test(tests, weights_are_relative_and_may_be_zero);
    tcase_add_test(tests, bad_weights_are_refused);
    tcase_add_test(tests, two_threads_equal_one_and_runs_are_bit_identical);
}

int main(void) {
    return theory_main("problem", add);
}
