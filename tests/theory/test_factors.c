/* K-FAC's factors and EKFAC's basis against brute force, and where theory says
 * that they are the Fisher itself. */
#include "lab.h"

#include <stdlib.h>

/* ---- Factors ---- */

/* Factors without a metric around them. */
static factors *current;

static void collect_factors(lab *l, const collection *c, size_t worker) {
    ngi_factors_collect_f64(&l->m, current, c, worker);
}

static void open_factors(lab *l, factors *f) {
    l->m = (metric){
        .ctx = l->ctx, .engine = l->e, .options = &l->options, .rows = l->rows};
    OK(ngi_factors_create_f64(&l->m, f));
    current = f;
    lab_collect_into(l, collect_factors, 0, 0);
    for (size_t i = 0; i < f->blocks; i++) {
        if (f->block[i].kind == BLOCK_KRONECKER)
            ngi_mirror_f64(f->block[i].a, f->block[i].A);
        ngi_mirror_f64(f->block[i].g, f->block[i].G);
    }
}

static void close_factors(lab *l, factors *f) {
    ngi_factors_destroy_f64(&l->m, f);
    l->m = (metric){0};
}

/* K = G (x) A in place of a layer's block. */
static void kronecker(const block *b, size_t dim, double *K) {
    for (size_t i = 0; i < b->g; i++)
        for (size_t j = 0; j < b->g; j++)
            for (size_t k = 0; k < b->a; k++)
                for (size_t m = 0; m < b->a; m++)
                    K[(b->parameter + i * b->a + k) * dim + b->parameter +
                      j * b->a + m] = b->G[i * b->g + j] * b->A[k * b->a + m];
}

static void ck_kfac_is_exact(const lab_case *kind, bool whole) {
    lab l;
    factors f;
    lab_open(&l, ctx, kind);
    double *F = lab_square(l.dim), *K = lab_square(l.dim);
    lab_fisher(&l, F);
    open_factors(&l, &f);
    for (size_t i = 0; i < f.blocks; i++) {
        const block *b = &f.block[i];
        kronecker(b, l.dim, K);
        ck_assert_double_lt(
            lab_block_distance(l.dim, F, K, b->parameter, b->a * b->g),
            (double)l.dim * lab_rounding(&l, F));
    }
    if (whole)
        ck_assert_double_lt(lab_block_distance(l.dim, F, K, 0, l.dim),
                            (double)l.dim * lab_rounding(&l, F));
    close_factors(&l, &f);
    free(K);
    free(F);
    lab_close(&l);
}

START_TEST(kfac_is_the_exact_fisher_of_one_layer_with_squared_error) {
    static const lab_case kind = {"", {4, 1, 1}, "gaussian", 0, 3, 9};
    ck_kfac_is_exact(&kind, true);
}
END_TEST

/* Martens & Grosse 2015: dz/ds does not depend on the input, so that G is the
 * same for all examples and independent of a. */
START_TEST(kfac_has_the_exact_diagonal_blocks_of_a_deep_linear_network) {
    static const lab_case kind = {"4, 3, 4", {3, 1, 1}, "gaussian", 0, 2, 9};
    ck_kfac_is_exact(&kind, false);
}
END_TEST

/* The gradient of a dense layer is g (a, 1)': its last column is g, and any
 * row is a multiple of (a, 1). */
static void add_brute_force(const block *b, const double *gradient, double w,
                            double rows, double *A, double *G, bool inputs) {
    const double *V = gradient + b->parameter;
    size_t best = 0, last = b->a - 1;
    for (size_t i = 0; i < b->g; i++)
        if (fabs(V[i * b->a + last]) > fabs(V[best * b->a + last]))
            best = i;
    const double *row = V + best * b->a;
    for (size_t i = 0; inputs && i < b->a; i++)
        for (size_t j = 0; j < b->a; j++)
            A[i * b->a + j] += row[i] / row[last] * row[j] / row[last] / rows;
    for (size_t i = 0; i < b->g; i++)
        for (size_t j = 0; j < b->g; j++)
            G[i * b->g + j] += w * V[i * b->a + last] * V[j * b->a + last];
}

START_TEST(factors_are_the_brute_force_expectations) {
    const lab_case *kind = &LAB_CASES[_i];
    lab l;
    factors f;
    lab_open(&l, ctx, kind);
    size_t outputs = ng_network_outputs(l.network);
    double *g = calloc(l.rows * outputs * l.dim, sizeof *g);
    double *w = calloc(l.rows * outputs, sizeof *w);
    size_t count = lab_gradients(&l, g, w);
    open_factors(&l, &f);
    for (size_t i = 0; i < f.blocks; i++) {
        const block *b = &f.block[i];
        double *A = lab_square(b->a), *G = lab_square(b->g);
        for (size_t k = 0; k < count; k++)
            add_brute_force(b, g + k * l.dim, w[k], (double)l.rows, A, G,
                            k % outputs == 0);
        ck_assert(relative_distance(b->a * b->a, b->A, A) < 1e4 * DBL_EPSILON);
        ck_assert(relative_distance(b->g * b->g, b->G, G) < 1e4 * DBL_EPSILON);
        free(A);
        free(G);
    }
    close_factors(&l, &f);
    free(w);
    free(g);
    lab_close(&l);
}
END_TEST

/* ---- Convolutions' factors by hand ---- */

enum { IN = 4, KERNEL = 2, OUT = 3, CHANNELS = 2, PLACES = OUT * OUT };
enum { PATCH = KERNEL * KERNEL + 1 };

/* Inputs a and gradients g of every position of the first layer of "conv 2 2x2
 * tanh" under a dense gaussian output: by the chain rule written out. */
static void hand_made(const lab *l, size_t example, size_t output,
                      double a[PLACES][PATCH], double g[PLACES][CHANNELS]) {
    const double *theta = l->e->theta;
    const double *x = (double *)l->x.data + example * IN * IN;
    const double *V =
        theta + CHANNELS * PATCH + output * (CHANNELS * PLACES + 1);
    for (size_t k = 0; k < PLACES; k++) {
        for (size_t i = 0; i < PATCH - 1; i++)
            a[k][i] = x[(k / OUT + i / KERNEL) * IN + k % OUT + i % KERNEL];
        a[k][PATCH - 1] = 1;
        for (size_t c = 0; c < CHANNELS; c++) {
            double t = tanh(dot(PATCH, theta + c * PATCH, a[k]));
            g[k][c] = V[c * PLACES + k] * (1 - t * t);
        }
    }
}

static void reduce_positions(double a[PLACES][PATCH],
                             double g[PLACES][CHANNELS]) {
    for (size_t k = 1; k < PLACES; k++) {
        for (size_t i = 0; i < PATCH; i++)
            a[0][i] += a[k][i];
        for (size_t c = 0; c < CHANNELS; c++)
            g[0][c] += g[k][c];
    }
    for (size_t i = 0; i < PATCH; i++)
        a[0][i] /= PLACES;
}

START_TEST(convolutions_factors_are_those_of_kfc) {
    static const lab_case kind = {
        "conv 2 2x2 tanh", {1, IN, IN}, "gaussian", 0, 2, 5};
    ng_sharing sharing = _i ? NG_REDUCE : NG_EXPAND;
    double A[PATCH * PATCH] = {0}, G[CHANNELS * CHANNELS] = {0};
    double a[PLACES][PATCH], g[PLACES][CHANNELS];
    lab l;
    factors f;
    lab_open(&l, ctx, &kind);
    l.options.sharing = sharing;
    for (size_t n = 0; n < 2 * l.rows; n++) {
        hand_made(&l, n / 2, n % 2, a, g);
        size_t places = sharing == NG_REDUCE ? 1 : PLACES;
        if (sharing == NG_REDUCE)
            reduce_positions(a, g);
        for (size_t k = 0; k < places; k++) {
            for (size_t i = 0; n % 2 == 0 && i < PATCH * PATCH; i++)
                A[i] += a[k][i / PATCH] * a[k][i % PATCH] /
                        (double)(places * l.rows);
            for (size_t i = 0; i < CHANNELS * CHANNELS; i++)
                G[i] +=
                    g[k][i / CHANNELS] * g[k][i % CHANNELS] / (double)l.rows;
        }
    }
    open_factors(&l, &f);
    ck_assert(relative_distance(PATCH * PATCH, f.block[0].A, A) <
              1000 * DBL_EPSILON);
    ck_assert(relative_distance(CHANNELS * CHANNELS, f.block[0].G, G) <
              1000 * DBL_EPSILON);
    close_factors(&l, &f);
    lab_close(&l);
}
END_TEST

/* ---- EKFAC ---- */

/* Of all diagonals in K-FAC's eigenbasis the moments are nearest to F; K-FAC
 * is another such diagonal. */
START_TEST(ekfac_is_never_further_from_the_fisher_than_kfac) {
    lab l;
    factors f;
    lab_open(&l, ctx, &LAB_CASES[_i]);
    double *F = lab_square(l.dim), *K = lab_square(l.dim),
           *E = lab_square(l.dim);
    lab_fisher(&l, F);
    double damping = lab_fitting_damping(l.dim, F);
    lab_metric(&l, NG_TRAIN_EKFAC);
    lab_update(&l, damping);
    lab_collect(&l, 0, 0); /* moments in the basis that there is now */
    lab_matrix(&l, damping, E);
    l.m.ops->destroy(&l.m);
    open_factors(&l, &f);
    double gained = 0;
    for (size_t i = 0; i < f.blocks; i++) {
        const block *b = &f.block[i];
        size_t size = b->a * b->g;
        if (b->kind != BLOCK_KRONECKER)
            continue;
        kronecker(b, l.dim, K);
        double kfac = lab_block_distance(l.dim, F, K, b->parameter, size);
        double ekfac = lab_block_distance(l.dim, F, E, b->parameter, size);
        ck_assert_double_le(ekfac, kfac + (double)l.dim * lab_rounding(&l, F));
        gained += kfac - ekfac;
    }
    /* Equal where K-FAC is exact already. */
    if (_i != 1)
        ck_assert_double_gt(gained, 1e-6 * lab_largest(l.dim * l.dim, F));
    close_factors(&l, &f);
    free(E);
    free(K);
    free(F);
    lab_close(&l);
}
END_TEST

/* A basis begins with the factors' eigenvalues: K-FAC without the factored
 * damping. */
START_TEST(ekfac_begins_as_kfac) {
    lab l;
    factors f;
    lab_open(&l, ctx, &LAB_CASES[0]);
    double *K = lab_square(l.dim), *E = lab_square(l.dim);
    lab_metric(&l, NG_TRAIN_EKFAC);
    lab_update(&l, 0.1);
    lab_matrix(&l, 0.1, E);
    l.m.ops->destroy(&l.m);
    open_factors(&l, &f);
    for (size_t i = 0; i < f.blocks; i++)
        kronecker(&f.block[i], l.dim, K);
    ck_assert_double_lt(distance(l.dim * l.dim, K, E),
                        10 * (double)l.dim * lab_rounding(&l, K));
    close_factors(&l, &f);
    free(E);
    free(K);
    lab_close(&l);
}
END_TEST

static void add(TCase *tests) {
    tcase_add_test(tests,
                   kfac_is_the_exact_fisher_of_one_layer_with_squared_error);
    tcase_add_test(tests,
                   kfac_has_the_exact_diagonal_blocks_of_a_deep_linear_network);
    tcase_add_loop_test(tests, factors_are_the_brute_force_expectations, 0, 3);
    tcase_add_loop_test(tests, convolutions_factors_are_those_of_kfc, 0, 2);
    tcase_add_loop_test(tests, ekfac_is_never_further_from_the_fisher_than_kfac,
                        0, LAB_CASE_COUNT);
    tcase_add_test(tests, ekfac_begins_as_kfac);
}

int main(void) {
    return theory_main("factors", add);
}
