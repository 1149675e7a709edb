/* The metrics of networks against dense algebra: blocks and solves, told from
 * F by the network's gradients alone. */
#include "lab.h"

#include "natgrad/train.h"

#include <stdlib.h>

static const ng_trainer METRICS[] = {
    NG_TRAIN_KFAC,    NG_TRAIN_EKFAC,    NG_TRAIN_LAYER_DENSE,
    NG_TRAIN_NATURAL, NG_TRAIN_DIAGONAL, NG_TRAIN_SAMPLE_SPACE,
    NG_TRAIN_CG,
};
enum { METRIC_COUNT = sizeof METRICS / sizeof *METRICS };

/* ---- Blocks of F ---- */

/* What stays of F: everything, the layers' blocks or the diagonal. */
static void thin(const lab *l, ng_trainer optimizer, double *F) {
    size_t layers, n = l->dim;
    const ng_layer *layer = ng_network_layers(l->network, &layers);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            bool same = false;
            for (size_t k = 0; k < layers; k++) {
                size_t first = layer[k].parameter;
                size_t end = first + layer[k].parameters;
                same |= i >= first && i < end && j >= first && j < end;
            }
            if ((optimizer == NG_TRAIN_DIAGONAL && i != j) ||
                (optimizer == NG_TRAIN_LAYER_DENSE && !same))
                F[i * n + j] = 0;
        }
}

static void ck_matrix(lab *l, ng_trainer optimizer, const double *exact) {
    double *F = lab_square(l->dim), *M = lab_square(l->dim);
    double damping = lab_fitting_damping(l->dim, exact);
    memcpy(F, exact, l->dim * l->dim * sizeof *F);
    thin(l, optimizer, F);
    lab_metric(l, optimizer);
    lab_update(l, damping);
    lab_matrix(l, damping, M);
    /* Two inversions of a matrix of condition dim at most. */
    double most = distance(l->dim * l->dim, F, M);
    ck_assert_msg(most < 10 * (double)l->dim * lab_rounding(l, F),
                  "metric %d: %g from F", (int)optimizer, most);
    free(M);
    free(F);
}

START_TEST(blocks_are_those_of_the_exact_fisher) {
    static const ng_trainer exact[] = {NG_TRAIN_NATURAL, NG_TRAIN_LAYER_DENSE,
                                       NG_TRAIN_DIAGONAL,
                                       NG_TRAIN_SAMPLE_SPACE};
    lab l;
    lab_open(&l, ctx, &LAB_CASES[_i]);
    ck_assert_uint_le(l.dim, LAB_MOST_DIM);
    double *F = lab_square(l.dim);
    lab_fisher(&l, F);
    for (size_t k = 0; k < sizeof exact / sizeof *exact; k++)
        ck_matrix(&l, exact[k], F);
    free(F);
    lab_close(&l);
}
END_TEST

/* (F + damping I) d = g with the brute-force F. */
static void ck_solves(lab *l, const double *F, double damping,
                      double tolerance) {
    double *g = calloc(l->dim, sizeof *g), *d = calloc(l->dim, sizeof *d);
    double *shifted = lab_square(l->dim), *expected = calloc(l->dim, sizeof *d);
    memcpy(shifted, F, l->dim * l->dim * sizeof *F);
    for (size_t i = 0; i < l->dim; i++) {
        shifted[i * (l->dim + 1)] += damping;
        g[i] = ng_rng_normal(&l->rng);
    }
    solve_linear(l->dim, shifted, g, expected);
    lab_update(l, damping);
    OK(l->m.ops->solve(&l->m, g, d));
    double most = distance(l->dim, d, expected);
    ck_assert_msg(most < tolerance * norm(l->dim, g) / damping, "metric %d: %g",
                  (int)l->options.optimizer, most);
    free(expected);
    free(shifted);
    free(d);
    free(g);
}

START_TEST(natural_sample_space_and_cg_solve_one_system) {
    lab l;
    lab_open(&l, ctx, &LAB_CASES[_i]);
    double *F = lab_square(l.dim);
    lab_fisher(&l, F);
    double trace = lab_fitting_damping(l.dim, F) * (double)l.dim;
    /* Relative to |g| / damping: condition 1 + trace / damping, at most. */
    for (double damping = trace; damping > 1e-4 * trace; damping /= 10) {
        double exact = 1e4 * DBL_EPSILON * (1 + trace / damping);
        lab_metric(&l, NG_TRAIN_NATURAL);
        ck_solves(&l, F, damping, exact);
        lab_metric(&l, NG_TRAIN_SAMPLE_SPACE);
        ck_solves(&l, F, damping, exact);
    }
    /* At a condition of 2 an iteration shrinks the error by 0.17 in F's norm:
     * ten, which the rule waits for at least, by 2e-8. */
    lab_metric(&l, NG_TRAIN_CG);
    ck_solves(&l, F, trace, 1e-7);
    free(F);
    lab_close(&l);
}
END_TEST

/* With a damping of 0, what of g is in the range of F: d = F^+ g. */
START_TEST(sample_space_has_a_pseudo_inverse) {
    lab l;
    lab_open(&l, ctx, &LAB_CASES[0]);
    double *F = lab_square(l.dim), *v = calloc(l.dim, sizeof *v);
    double *g = calloc(l.dim, sizeof *g), *d = calloc(l.dim, sizeof *d);
    lab_fisher(&l, F);
    for (size_t i = 0; i < l.dim; i++)
        v[i] = ng_rng_normal(&l.rng);
    for (size_t i = 0; i < l.dim; i++)
        g[i] = dot(l.dim, F + i * l.dim, v);
    lab_metric(&l, NG_TRAIN_SAMPLE_SPACE);
    lab_update(&l, 0);
    OK(l.m.ops->solve(&l.m, g, d));
    for (size_t i = 0; i < l.dim; i++)
        NEAR(dot(l.dim, F + i * l.dim, d), g[i], 1e-9 * norm(l.dim, g));
    free(d);
    free(g);
    free(v);
    free(F);
    lab_close(&l);
}
END_TEST

/* ---- Sampling ---- */

/* E |F_S - F|^2 = sum_i (E |g_i|^4 - |F_i|^2) / (n^2 S). */
static double one_draw_variance(lab *l) {
    size_t outputs = ng_network_outputs(l->network), n = l->rows;
    double *g = calloc(n * outputs * l->dim, sizeof *g);
    double *w = calloc(n * outputs, sizeof *w), sum = 0;
    lab_gradients(l, g, w);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < outputs; c++)
            for (size_t k = 0; k < outputs; k++) {
                size_t p = i * outputs + c, q = i * outputs + k;
                double pq = dot(l->dim, g + p * l->dim, g + q * l->dim);
                sum += (c == k ? w[p] / (double)n * pq * pq : 0) -
                       w[p] * w[q] * pq * pq;
            }
    free(w);
    free(g);
    return sum;
}

/* Forty squared errors, each at least as concentrated about its expectation as
 * a chi-squared of one degree of freedom: their mean is within a factor of 2.5
 * but for one seed in a thousand. */
START_TEST(sampled_fisher_comes_to_the_exact_one_as_one_over_root_s) {
    enum { REPEATS = 40 };
    lab l;
    lab_open(&l, ctx, &LAB_CASES[0]);
    double *F = lab_square(l.dim), *M = lab_square(l.dim);
    lab_fisher(&l, F);
    double damping = lab_fitting_damping(l.dim, F);
    double variance = one_draw_variance(&l);
    l.options.fisher = NG_FISHER_SAMPLED;
    for (size_t samples = 1; samples <= 64; samples *= 8) {
        double mean = 0;
        l.options.fisher_samples = samples;
        lab_metric(&l, NG_TRAIN_NATURAL);
        for (size_t k = 0; k < REPEATS; k++) {
            lab_collect(&l, 0, k);
            lab_refresh(&l, damping);
            lab_matrix(&l, damping, M);
            double error = lab_block_distance(l.dim, F, M, 0, l.dim);
            mean += error * error / REPEATS;
        }
        double ratio = mean * (double)samples / variance;
        ck_assert_msg(ratio > 0.4 && ratio < 2.5, "S = %zu: %g", samples,
                      ratio);
    }
    free(M);
    free(F);
    lab_close(&l);
}
END_TEST

/* Averages of collections are averages of F. */
START_TEST(statistics_are_running_averages) {
    lab l;
    lab_open(&l, ctx, &LAB_CASES[0]);
    double *M[3];
    l.options.fisher = NG_FISHER_SAMPLED;
    l.options.fisher_samples = 1;
    for (size_t k = 0; k < 3; k++) {
        M[k] = lab_square(l.dim);
        lab_metric(&l, NG_TRAIN_NATURAL);
        lab_collect(&l, 0, k == 1);
        if (k == 2)
            lab_collect(&l, 0.75, 1);
        lab_refresh(&l, 1);
        lab_matrix(&l, 1, M[k]);
    }
    for (size_t i = 0; i < l.dim * l.dim; i++)
        NEAR(M[2][i], 0.75 * M[0][i] + 0.25 * M[1][i], lab_rounding(&l, M[0]));
    for (size_t k = 0; k < 3; k++)
        free(M[k]);
    lab_close(&l);
}
END_TEST

/* ---- Every metric ---- */

/* |damping d - g| <= |g| |F| / damping; K-FAC's factored damping divides A by
 * pi gamma and G by gamma / pi, gamma = sqrt(damping). */
START_TEST(a_large_damping_gives_the_gradient) {
    const double damping = 1e12;
    lab l;
    lab_open(&l, ctx, &LAB_CASES[_i]);
    double *F = lab_square(l.dim);
    double *g = calloc(l.dim, sizeof *g), *d = calloc(l.dim, sizeof *d);
    lab_fisher(&l, F);
    double trace = lab_fitting_damping(l.dim, F) * (double)l.dim;
    for (size_t i = 0; i < l.dim; i++)
        g[i] = ng_rng_normal(&l.rng);
    for (size_t k = 0; k < METRIC_COUNT; k++) {
        bool factored = METRICS[k] == NG_TRAIN_KFAC;
        lab_metric(&l, METRICS[k]);
        lab_update(&l, damping);
        OK(l.m.ops->solve(&l.m, g, d));
        for (size_t i = 0; i < l.dim; i++)
            d[i] = damping * d[i] - g[i];
        /* tr A / pi and pi tr G are sqrt(tr A tr G a / g) and so on: within
         * dim of the root of the block's own trace. */
        double bound = factored ? 2 * (double)l.dim * sqrt(trace / damping)
                                : 2 * trace / damping;
        ck_assert_msg(norm(l.dim, d) <
                          norm(l.dim, g) * (bound + 100 * DBL_EPSILON),
                      "metric %d", (int)METRICS[k]);
    }
    free(d);
    free(g);
    free(F);
    lab_close(&l);
}
END_TEST

/* Every metric is symmetric and no less than the damping. */
START_TEST(every_metric_is_symmetric_and_semidefinite) {
    lab l;
    lab_open(&l, ctx, &LAB_CASES[_i]);
    double *F = lab_square(l.dim), *M = lab_square(l.dim);
    lab_fisher(&l, F);
    double damping = lab_fitting_damping(l.dim, F);
    for (size_t k = 0; k < METRIC_COUNT; k++) {
        if (METRICS[k] == NG_TRAIN_CG) /* which begins at its last solution */
            continue;
        lab_metric(&l, METRICS[k]);
        lab_update(&l, damping);
        lab_matrix(&l, damping, M);
        /* K-FAC's factors add damping of their own: it is above. */
        double slack = 100 * (double)l.dim * lab_rounding(&l, M);
        for (size_t i = 0; i < l.dim; i++)
            for (size_t j = 0; j < i; j++)
                NEAR(M[i * l.dim + j], M[j * l.dim + i], slack);
        ck_assert_double_gt(smallest_eigenvalue(l.dim, M), -slack);
    }
    free(M);
    free(F);
    lab_close(&l);
}
END_TEST

/* The workers' shares are put together to the same matrix. */
START_TEST(two_workers_make_the_metric_of_one) {
    for (size_t k = 0; k < METRIC_COUNT; k++) {
        double *d[2], *g = NULL;
        size_t dim = 0;
        for (size_t threads = 1; threads <= 2; threads++) {
            ng_ctx *own;
            const ng_ctx_options options = {.threads = threads};
            lab l;
            OK(ng_ctx_create(&options, &own));
            lab_open(&l, own, &LAB_CASES[_i]);
            l.options.fisher = NG_FISHER_SAMPLED;
            l.options.fisher_samples = 2;
            dim = l.dim;
            d[threads - 1] = calloc(dim, sizeof *g);
            g = g ? g : calloc(dim, sizeof *g);
            for (size_t i = 0; threads == 1 && i < dim; i++)
                g[i] = ng_rng_normal(&l.rng);
            lab_metric(&l, METRICS[k]);
            lab_update(&l, 0.1);
            lab_collect(&l, 0.5, 1);
            lab_refresh(&l, 0.1);
            OK(l.m.ops->solve(&l.m, g, d[threads - 1]));
            lab_close(&l);
            ng_ctx_destroy(&own);
        }
        /* Conjugate gradients lose their conjugacy to rounding and stop a
         * little elsewhere. */
        double gap = relative_distance(dim, d[0], d[1]);
        ck_assert_msg(gap < (METRICS[k] == NG_TRAIN_CG ? 1e-6 : 1e-10),
                      "metric %d: %g", (int)METRICS[k], gap);
        free(d[0]);
        free(d[1]);
        free(g);
    }
}
END_TEST

/* What is made beside the training is what is made at once. */
START_TEST(a_refresh_beside_the_training_is_the_same) {
    ng_trainer optimizer = _i ? NG_TRAIN_EKFAC : NG_TRAIN_KFAC;
    const ng_ctx_options threads = {.threads = 2};
    double d[2][LAB_MOST_DIM], g[LAB_MOST_DIM];
    ng_ctx *own;
    lab l;
    OK(ng_ctx_create(&threads, &own));
    lab_open(&l, own, &LAB_CASES[0]);
    for (size_t i = 0; i < l.dim; i++)
        g[i] = ng_rng_normal(&l.rng);
    for (int beside = 0; beside < 2; beside++) {
        lab_metric(&l, optimizer);
        lab_update(&l, 1);
        lab_collect(&l, 0.5, 0);
        for (int k = 0; k < 5; k++) {
            lab_collect(&l, 0.5, 0);
            l.m.ops->refresh(&l.m, 0.1, beside);
            lab_collect(&l, 0.5, 1);
            l.m.ops->adopt(&l.m);
        }
        OK(l.m.ops->solve(&l.m, g, d[beside]));
    }
    ck_assert_mem_eq(d[0], d[1], l.dim * sizeof *g);
    lab_close(&l);
    ng_ctx_destroy(&own);
}
END_TEST

static void add(TCase *tests) {
    tcase_add_loop_test(tests, blocks_are_those_of_the_exact_fisher, 0,
                        LAB_CASE_COUNT);
    tcase_add_loop_test(tests, natural_sample_space_and_cg_solve_one_system, 0,
                        LAB_CASE_COUNT);
    tcase_add_test(tests, sample_space_has_a_pseudo_inverse);
    tcase_add_test(tests,
                   sampled_fisher_comes_to_the_exact_one_as_one_over_root_s);
    tcase_add_test(tests, statistics_are_running_averages);
    tcase_add_loop_test(tests, a_large_damping_gives_the_gradient, 0,
                        LAB_CASE_COUNT);
    tcase_add_loop_test(tests, every_metric_is_symmetric_and_semidefinite, 0,
                        LAB_CASE_COUNT);
    tcase_add_loop_test(tests, two_workers_make_the_metric_of_one, 0,
                        LAB_CASE_COUNT);
    tcase_add_loop_test(tests, a_refresh_beside_the_training_is_the_same, 0, 2);
}

int main(void) {
    return theory_main("layerwise", add);
}
