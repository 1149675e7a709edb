/* What every metric promises, over every metric that is listed, and that the
 * several ways to the same Fisher agree. */
#include "fixture.h"

enum { ROWS = 14, MOST = 24 };

/* A problem of the suite, with a point at which to look. */
typedef struct sample {
    const char *family;
    size_t size;
    size_t inputs; /* of the linear blocks; 0: all blocks `none` */
    double most;   /* y is 0 .. most for counts, normal if 0 */
    bool ridge;
    bool intercept; /* not penalised */
    bool singular;  /* F, not F + P */
} sample;

static const sample SAMPLES[] = {
    {"bernoulli", 1, 4, 1, false, false, false},
    {"bernoulli", 1, 4, 1, true, false, false},
    {"poisson", 1, 5, 7, true, true, false},
    {"normal", 1, 0, 0, false, false, false},
    {"gumbel", 1, 4, 0, false, false, false},
    {"gumbel", 1, 3, 0, true, false, false},
    {"categorical", 3, 3, 2, false, false, false},
    {"categorical", 3, 3, 2, true, false, false},
    {"softmax", 3, 0, 2, false, false, true},
    {"softmax", 4, 3, 3, false, false, true},
    {"softmax", 3, 3, 2, true, false, true},
    {"bernoulli", 1, 20, 1, false, false, true},
    {"poisson", 1, 20, 5, true, false, true},
};
enum { SAMPLE_COUNT = sizeof SAMPLES / sizeof *SAMPLES };

typedef struct bench {
    small s;
    double X[ROWS * MOST], y[ROWS], weight[ROWS], ridge[MOST];
    double theta[MOST], v[MOST], u[MOST];
} bench;

static void open_sample(bench *b, const sample *kind) {
    ng_rng rng;
    ng_rng_init(&rng, 5, 0);
    size_t p = kind->inputs;
    random_design(&rng, ROWS, p ? p : 1, b->X);
    for (size_t i = 0; i < ROWS; i++) {
        b->weight[i] = 0.5 + ng_rng_uniform(&rng);
        b->y[i] = kind->most > 0
                      ? floor((kind->most + 1) * ng_rng_uniform(&rng))
                      : ng_rng_normal(&rng);
    }
    small_init(&b->s, kind->family, kind->size, ROWS, b->y);
    b->s.rows.weight = b->weight;
    for (size_t k = 0; k < b->s.family.blocks; k++) {
        ng_link link = b->s.block[k].link;
        /* Blocks share one design: their Jacobians are one array. */
        if (p)
            small_linear(&b->s, k, link, p, b->X);
        else
            small_none(&b->s, k, link);
    }
    for (size_t j = 0; j < p; j++)
        b->ridge[j] = j == 0 && kind->intercept ? 0 : 0.05 * (double)(j + 1);
    b->s.ridge = kind->ridge ? b->ridge : NULL;
    small_open(&b->s);
    ck_assert_uint_le(b->s.d, MOST);
    random_vector(&rng, b->s.d, 0.2, b->theta);
    random_vector(&rng, b->s.d, 1, b->v);
    random_vector(&rng, b->s.d, 1, b->u);
}

static ng_metric *open_metric(const bench *b, const ng_metric_ops *ops,
                              double damping) {
    ng_metric *metric;
    ng_metric_options options;
    double loss, objective, g[MOST];
    ng_metric_options_init(&options);
    options.cg_tolerance = 1e-13;
    OK(ng_metric_create(b->s.problem, ops, &options, &metric));
    OK(ng_metric_update(metric, b->theta, &loss, &objective, g));
    /* The pass is the problem's own. */
    double direct[MOST];
    gradient_at(&b->s, b->theta, direct);
    NEAR(objective, objective_at(&b->s, b->theta), ROWS * DBL_EPSILON * 10);
    ck_assert(relative_distance(b->s.d, g, direct) < ROWS * DBL_EPSILON * 10);
    OK(ng_metric_factor(metric, damping));
    return metric;
}

/* The matrix of `product`, column by column. */
static void assemble(ng_metric *metric, double *F) {
    size_t d = metric->problem->dim;
    for (size_t j = 0; j < d; j++) {
        double unit[MOST] = {0}, column[MOST];
        unit[j] = 1;
        OK(ng_metric_product(metric, unit, column));
        for (size_t i = 0; i < d; i++)
            F[i * d + j] = column[i];
    }
}

/* Sums over rows and components of numbers of the size of the matrix. */
static double rounding(size_t d, const double *F) {
    double largest = 1;
    for (size_t i = 0; i < d; i++)
        largest = fmax(largest, F[i * d + i]);
    return 16 * ROWS * largest * DBL_EPSILON;
}

/* ---- Every metric ---- */

static void ck_symmetric_and_semidefinite(const bench *b, ng_metric *metric) {
    size_t d = b->s.d;
    double F[MOST * MOST], Fv[MOST];
    assemble(metric, F);
    for (size_t i = 0; i < d; i++) {
        for (size_t j = 0; j < i; j++)
            NEAR(F[i * d + j], F[j * d + i], rounding(d, F));
    }
    ck_assert(smallest_eigenvalue(d, F) > -(double)d * rounding(d, F));
    OK(ng_metric_product(metric, b->v, Fv));
    for (size_t i = 0; i < d; i++)
        NEAR(Fv[i], dot(d, F + i * d, b->v), (double)d * rounding(d, F));
}

START_TEST(products_are_symmetric_and_semidefinite) {
    const ng_metric_ops *const *list = ng_metric_list();
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        for (size_t k = 0; list[k]; k++) {
            bench b;
            open_sample(&b, &SAMPLES[i]);
            ng_metric *metric = open_metric(&b, list[k], 0.1);
            ck_symmetric_and_semidefinite(&b, metric);
            ng_metric_destroy(&metric);
            small_close(&b.s);
        }
    }
}
END_TEST

/* The metric's own F, plus the problem's penalty, plus damping, times d. What
 * a diagonal metric knows of P is its diagonal. */
static void apply(const bench *b, ng_metric *metric, double damping,
                  const double *d, double *out) {
    const ng_problem_ops *ops = b->s.problem->ops;
    double diagonal[MOST] = {0};
    OK(ng_metric_product(metric, d, out));
    if (strcmp(metric->ops->name, "diagonal") == 0) {
        ops->penalty_diagonal(b->s.problem, diagonal);
        for (size_t j = 0; j < b->s.d; j++)
            out[j] += diagonal[j] * d[j];
    } else if (strcmp(metric->ops->name, "identity") != 0) {
        ops->penalty_product(b->s.problem, d, out);
    }
    for (size_t j = 0; j < b->s.d; j++)
        out[j] += damping * d[j];
}

START_TEST(solve_inverts_apply) {
    const ng_metric_ops *const *list = ng_metric_list();
    const double damping = 0.1;
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        for (size_t k = 0; list[k]; k++) {
            bench b;
            double d[MOST], back[MOST];
            open_sample(&b, &SAMPLES[i]);
            ng_metric *metric = open_metric(&b, list[k], damping);
            OK(ng_metric_solve(metric, b.v, d));
            apply(&b, metric, damping, d, back);
            /* F is below 100 here, so that the condition is below 1000; CG
             * stops at 1e-13 in its own norm. */
            ck_assert_msg(distance(b.s.d, back, b.v) < 1e-10,
                          "%s, sample %zu: %g", list[k]->name, i,
                          distance(b.s.d, back, b.v));
            ng_metric_destroy(&metric);
            small_close(&b.s);
        }
    }
}
END_TEST

START_TEST(large_damping_gives_the_scaled_gradient) {
    const ng_metric_ops *const *list = ng_metric_list();
    const double damping = 1e8;
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        for (size_t k = 0; list[k]; k++) {
            bench b;
            double d[MOST];
            open_sample(&b, &SAMPLES[i]);
            ng_metric *metric = open_metric(&b, list[k], damping);
            OK(ng_metric_solve(metric, b.v, d));
            /* Off by |F + P| / damping, and |F + P| < 100. */
            for (size_t j = 0; j < b.s.d; j++)
                NEAR(damping * d[j], b.v[j], 1e-6 * norm(b.s.d, b.v));
            ng_metric_destroy(&metric);
            small_close(&b.s);
        }
    }
}
END_TEST

START_TEST(small_damping_gives_the_natural_gradient) {
    const double dampings[] = {1e-2, 1e-3, 1e-4, 1e-5, 1e-6};
    double natural[MOST], damped[MOST], gap[5];
    bench b;
    open_sample(&b, &SAMPLES[0]);
    natural_gradient(&b.s, b.theta, 0, natural);
    for (size_t k = 0; k < 5; k++) {
        natural_gradient(&b.s, b.theta, dampings[k], damped);
        gap[k] = distance(b.s.d, damped, natural);
    }
    /* The gap is linear in the damping up to terms of the next power. */
    NEAR(log_slope(5, dampings, gap), 1, 0.05);
    small_close(&b.s);
}
END_TEST

/* ---- Against the dense one ---- */

static const ng_fisher KINDS[] = {{NG_FISHER_EXACT, 1, 0, 0},
                                  {NG_FISHER_EMPIRICAL, 1, 0, 0},
                                  {NG_FISHER_SAMPLED, 3, 42, 7}};

static void ck_same_solution(const bench *b, const char *name,
                             const ng_fisher *fisher, double damping,
                             double tolerance) {
    double g[MOST], d[MOST], dense[MOST];
    ng_metric_options options;
    ng_metric_options_init(&options);
    options.fisher = *fisher;
    options.cg_tolerance = 1e-12;
    gradient_at(&b->s, b->theta, g);
    solve_with(&b->s, "dense", &options, b->theta, damping, g, dense);
    solve_with(&b->s, name, &options, b->theta, damping, g, d);
    ck_assert_msg(relative_distance(b->s.d, d, dense) < tolerance,
                  "%s, kind %d, damping %g: %g", name, (int)fisher->kind,
                  damping, relative_distance(b->s.d, d, dense));
}

/* The conditions of the matrices are below 1e5, and the spectral form squares
 * them. The gradient lies in the range of F wherever F is singular: the
 * several pseudo-inverses are one on it. */
START_TEST(sample_space_equals_dense) {
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        for (size_t k = 0; k < 3; k++) {
            bench b;
            open_sample(&b, &SAMPLES[i]);
            ck_same_solution(&b, "sample-space", &KINDS[k], 0.01, 1e-9);
            ck_same_solution(&b, "sample-space", &KINDS[k], 10, 1e-9);
            small_close(&b.s);
        }
    }
}
END_TEST

START_TEST(sample_space_equals_dense_without_damping) {
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        if (SAMPLES[i].ridge)
            continue;
        bench b;
        open_sample(&b, &SAMPLES[i]);
        for (size_t k = 0; k < 2; k++)
            ck_same_solution(&b, "sample-space", &KINDS[k], 0, 1e-6);
        small_close(&b.s);
    }
}
END_TEST

/* Damping far below rounding beside F does nothing, and harms nothing: the
 * solutions differ by damping / 1e-4, the least eigenvalue that counts. */
START_TEST(sample_space_bears_any_damping) {
    const double dampings[] = {1e-11, 1e-15, 1e-20, 1e-300};
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        double d[MOST], undamped[MOST];
        bench b;
        open_sample(&b, &SAMPLES[i]);
        solve_with(&b.s, "sample-space", NULL, b.theta, 0, NULL, undamped);
        for (size_t k = 0; k < 4; k++) {
            solve_with(&b.s, "sample-space", NULL, b.theta, dampings[k], NULL,
                       d);
            ck_assert(relative_distance(b.s.d, d, undamped) < 1e-6);
        }
        small_close(&b.s);
    }
}
END_TEST

/* A damping of sqrt(eps) of the mean entry stands in where the penalty alone
 * has no inverse: the solution is off by that times the condition. */
START_TEST(sample_space_with_a_penalty_and_no_damping_is_close_to_dense) {
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        if (!SAMPLES[i].ridge)
            continue;
        bench b;
        open_sample(&b, &SAMPLES[i]);
        ck_same_solution(&b, "sample-space", &KINDS[0], 0, 1e-4);
        small_close(&b.s);
    }
}
END_TEST

START_TEST(cg_equals_dense_to_its_tolerance) {
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        bench b;
        open_sample(&b, &SAMPLES[i]);
        for (size_t k = 0; k < 3; k++)
            ck_same_solution(&b, "cg", &KINDS[k], 0.01, 1e-8);
        if (!SAMPLES[i].singular)
            ck_same_solution(&b, "cg", &KINDS[0], 0, 1e-8);
        small_close(&b.s);
    }
}
END_TEST

START_TEST(diagonal_is_the_diagonal_of_dense) {
    const ng_metric_ops *ops;
    OK(ng_metric_find(ctx, "diagonal", &ops));
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        bench b;
        double F[MOST * MOST], D[MOST * MOST];
        open_sample(&b, &SAMPLES[i]);
        ng_metric *metric = open_metric(&b, ops, 0);
        assemble(metric, D);
        fisher_at(&b.s, b.theta, NG_FISHER_EXACT, F);
        for (size_t j = 0; j < b.s.d * b.s.d; j++)
            NEAR(D[j], j % (b.s.d + 1) ? 0 : F[j], rounding(b.s.d, F));
        ng_metric_destroy(&metric);
        small_close(&b.s);
    }
}
END_TEST

/* ---- Singular ---- */

static void penalised_fisher(const bench *b, double *A) {
    size_t d = b->s.d;
    fisher_at(&b->s, b->theta, NG_FISHER_EXACT, A);
    b->s.problem->ops->penalty_add(b->s.problem, A);
    for (size_t i = 0; i < d; i++) {
        for (size_t j = 0; j < i; j++)
            A[j * d + i] = A[i * d + j];
    }
}

/* For the gradient, and for a vector that is not in the range of F. */
static void ck_pseudo_inverse(const sample *kind, const char *name) {
    bench b;
    double A[MOST * MOST], g[MOST], d[MOST], expected[MOST];
    open_sample(&b, kind);
    penalised_fisher(&b, A);
    gradient_at(&b.s, b.theta, g);
    pseudo_solve(b.s.d, A, g, expected);
    solve_with(&b.s, name, NULL, b.theta, 0, g, d);
    /* Eigenvalues that count are above 1e-4 of the largest here, and the
     * sample space squares them. */
    ck_assert_msg(relative_distance(b.s.d, d, expected) < 1e-6, "%s of %s: %g",
                  name, kind->family, relative_distance(b.s.d, d, expected));
    pseudo_solve(b.s.d, A, b.u, expected);
    solve_with(&b.s, name, NULL, b.theta, 0, b.u, d);
    ck_assert_msg(relative_distance(b.s.d, d, expected) < 1e-6,
                  "%s of %s, outside the range: %g", name, kind->family,
                  relative_distance(b.s.d, d, expected));
    small_close(&b.s);
}

START_TEST(singular_dense_is_the_pseudo_inverse) {
    for (size_t i = 0; i < SAMPLE_COUNT; i++)
        ck_pseudo_inverse(&SAMPLES[i], "dense");
}
END_TEST

START_TEST(singular_sample_space_is_the_pseudo_inverse) {
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        if (!SAMPLES[i].ridge)
            ck_pseudo_inverse(&SAMPLES[i], "sample-space");
    }
}
END_TEST

/* Probabilities that are 0 and 1 in double precision, where F is 0 or all but
 * so; and a column of zeros. */
START_TEST(degenerate_metrics_are_never_nan) {
    const double X[] = {1, 0, 3, 1, 0, -2, 1, 0, 0}, y[] = {0, 1, 1};
    const double points[][3] = {
        {800, 0, 0}, {-800, 1, 0}, {40, 0, 30}, {0, 0, 0}, {0, 1e300, 0}};
    const double dampings[] = {0, 1e-300, 1e-8, 1};
    const ng_metric_ops *const *list = ng_metric_list();
    small s;
    small_init(&s, "bernoulli", 1, 3, y);
    small_linear(&s, 0, NG_LINK_LOGIT, 3, X);
    small_open(&s);
    for (size_t k = 0; list[k]; k++) {
        for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
            for (size_t j = 0; j < 4; j++) {
                double d[3];
                solve_with(&s, list[k]->name, NULL, points[i], dampings[j],
                           NULL, d);
                for (size_t c = 0; c < 3; c++)
                    ck_assert_msg(!isnan(d[c]), "%s, point %zu, damping %g",
                                  list[k]->name, i, dampings[j]);
            }
        }
    }
    small_close(&s);
}
END_TEST

/* The observed information is made definite: d always ascends. */
START_TEST(indefinite_metrics_are_reflected) {
    const double X[] = {1, 0, 0, 1}, y[] = {1, 1}, theta[] = {-5, 0.1};
    double H[4], g[2], d[2];
    ng_metric_options options;
    small s;
    small_init(&s, "bernoulli", 1, 2, y);
    small_linear(&s, 0, NG_LINK_CAUCHIT, 2, X);
    small_open(&s);
    fisher_at(&s, theta, NG_FISHER_OBSERVED, H);
    ck_assert(H[0] < 0 && H[3] > 0);
    gradient_at(&s, theta, g);
    ng_metric_options_init(&options);
    options.fisher.kind = NG_FISHER_OBSERVED;
    solve_with(&s, "dense", &options, theta, 0, g, d);
    NEAR(d[0], g[0] / -H[0], 1e-13 * fabs(d[0]));
    NEAR(d[1], g[1] / H[3], 1e-13 * fabs(d[1]));
    solve_with(&s, "diagonal", &options, theta, 0, g, d);
    ck_assert(dot(2, g, d) > 0);
    solve_with(&s, "cg", &options, theta, 0, g, d);
    ck_assert(dot(2, g, d) > 0);
    small_close(&s);
}
END_TEST

START_TEST(observed_has_no_sample_space_form) {
    const ng_metric_ops *ops;
    ng_metric *metric;
    ng_metric_options options;
    bench b;
    open_sample(&b, &SAMPLES[0]);
    ng_metric_options_init(&options);
    options.fisher.kind = NG_FISHER_OBSERVED;
    OK(ng_metric_find(ctx, "sample-space", &ops));
    ck_assert_int_eq(ng_metric_create(b.s.problem, ops, &options, &metric),
                     NG_EUNSUPPORTED);
    ck_assert_ptr_null(metric);
    ck_assert_str_ne(ng_error(ctx), "");
    ck_assert_int_eq(ng_metric_find(ctx, "round", &ops), NG_EUSAGE);
    ck_assert_ptr_nonnull(strstr(ng_error(ctx), "round"));
    small_close(&b.s);
}
END_TEST

static void add(TCase *tests) {
    tcase_add_test(tests, products_are_symmetric_and_semidefinite);
    tcase_add_test(tests, solve_inverts_apply);
    tcase_add_test(tests, large_damping_gives_the_scaled_gradient);
    tcase_add_test(tests, small_damping_gives_the_natural_gradient);
    tcase_add_test(tests, sample_space_equals_dense);
    tcase_add_test(tests, sample_space_equals_dense_without_damping);
    tcase_add_test(tests, sample_space_bears_any_damping);
    tcase_add_test(
        tests, sample_space_with_a_penalty_and_no_damping_is_close_to_dense);
    tcase_add_test(tests, cg_equals_dense_to_its_tolerance);
    tcase_add_test(tests, diagonal_is_the_diagonal_of_dense);
    tcase_add_test(tests, singular_dense_is_the_pseudo_inverse);
    tcase_add_test(tests, singular_sample_space_is_the_pseudo_inverse);
    tcase_add_test(tests, degenerate_metrics_are_never_nan);
    tcase_add_test(tests, indefinite_metrics_are_reflected);
    tcase_add_test(tests, observed_has_no_sample_space_form);
}

int main(void) {
    return theory_main("metrics", add);
}
