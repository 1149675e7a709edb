/* K-FAC for a network that lives elsewhere, and jobs beside the caller. */
#include "fixture.h"

#include "base/background.h"
#include "natgrad/train.h"

#include <stdlib.h>

static double *square(size_t n) {
    return calloc(n * n, sizeof(double));
}

enum { INPUTS = 4, OUTPUTS = 3, OBSERVED = 16, COLUMNS = INPUTS + 1 };

/* Damped by the formulas of Martens & Grosse, section 6.3. */
static void hand_precondition(size_t n, size_t m, const double *A,
                              const double *G, double damping, const double *V,
                              double *out) {
    double a = 0, g = 0, *S = square(n), *T = square(m);
    double *middle = calloc(n * m, sizeof *middle), column[8], solved[8];
    for (size_t i = 0; i < n; i++)
        a += A[i * (n + 1)] / (double)n;
    for (size_t i = 0; i < m; i++)
        g += G[i * (m + 1)] / (double)m;
    memcpy(S, A, n * n * sizeof *S);
    memcpy(T, G, m * m * sizeof *T);
    for (size_t i = 0; i < n; i++)
        S[i * (n + 1)] += sqrt(a / g) * sqrt(damping);
    for (size_t i = 0; i < m; i++)
        T[i * (m + 1)] += sqrt(g / a) * sqrt(damping);
    for (size_t i = 0; i < m; i++)
        solve_linear(n, S, V + i * n, middle + i * n);
    for (size_t j = 0; j < n; j++) {
        for (size_t i = 0; i < m; i++)
            column[i] = middle[i * n + j];
        solve_linear(m, T, column, solved);
        for (size_t i = 0; i < m; i++)
            out[i * n + j] = solved[i];
    }
    free(middle);
    free(T);
    free(S);
}

START_TEST(kfac_for_another_network_is_dense_algebra) {
    size_t n = _i ? COLUMNS : INPUTS;
    const ng_kfac_layer layers[] = {{2, 2, 1}, {INPUTS, OUTPUTS, _i}};
    float a[2][OBSERVED * INPUTS], g[2][OBSERVED * OUTPUTS];
    float other[OBSERVED * 2] = {1}, V[OUTPUTS * COLUMNS];
    double A[COLUMNS * COLUMNS] = {0}, G[OUTPUTS * OUTPUTS] = {0};
    double wide[OUTPUTS * COLUMNS], expected[OUTPUTS * COLUMNS];
    ng_rng rng;
    ng_kfac *k;
    ng_rng_init(&rng, 2, 2);
    OK(ng_kfac_create(ctx, layers, 2, 0.95, &k));
    OK(ng_kfac_observe(k, 0, OBSERVED, other, other));
    for (size_t t = 0; t < 2; t++) {
        for (size_t i = 0; i < OBSERVED * INPUTS; i++)
            a[t][i] = (float)ng_rng_normal(&rng);
        for (size_t i = 0; i < OBSERVED * OUTPUTS; i++)
            g[t][i] = (float)ng_rng_normal(&rng);
        OK(ng_kfac_observe(k, 1, OBSERVED, a[t], g[t]));
        for (size_t i = 0; i < OBSERVED; i++) {
            double row[COLUMNS] = {0, 0, 0, 0, 1};
            for (size_t j = 0; j < INPUTS; j++)
                row[j] = (double)a[t][i * INPUTS + j];
            for (size_t j = 0; j < n * n; j++)
                A[j] += row[j / n] * row[j % n] / (2 * OBSERVED);
            const float *u = g[t] + i * OUTPUTS;
            for (size_t j = 0; j < OUTPUTS * OUTPUTS; j++)
                G[j] += (double)u[j / OUTPUTS] * (double)u[j % OUTPUTS] /
                        (2 * OBSERVED);
        }
    }
    for (size_t i = 0; i < OUTPUTS * n; i++)
        wide[i] = (double)(V[i] = (float)ng_rng_normal(&rng));
    OK(ng_kfac_refresh(k, 0.01));
    hand_precondition(n, OUTPUTS, A, G, 0.01, wide, expected);
    OK(ng_kfac_precondition(k, 1, V, V));
    /* Single precision, condition about 30. */
    for (size_t i = 0; i < OUTPUTS * n; i++)
        NEAR((double)V[i], expected[i], 1000 * (double)FLT_EPSILON);
    ng_kfac_destroy(&k);
    ck_assert_ptr_null(k);
}
END_TEST

START_TEST(kfac_for_another_network_refuses_nonsense) {
    const ng_kfac_layer bad = {0, 2, 1}, good = {1, 1, 0};
    const float one = 1, nan = NAN;
    float out;
    ng_kfac *k;
    ck_assert_int_eq(ng_kfac_create(ctx, &bad, 1, 0.9, &k), NG_EUSAGE);
    ck_assert_int_eq(ng_kfac_create(ctx, &good, 1, 1, &k), NG_EUSAGE);
    OK(ng_kfac_create(ctx, &good, 1, 0.9, &k));
    ck_assert_int_eq(ng_kfac_refresh(k, 1), NG_EUSAGE);
    ck_assert_int_eq(ng_kfac_observe(k, 1, 1, &one, &one), NG_EUSAGE);
    ck_assert_int_eq(ng_kfac_observe(k, 0, 1, &one, &nan), NG_EDATA);
    ck_assert_int_eq(ng_kfac_precondition(k, 0, &one, &out), NG_EUSAGE);
    OK(ng_kfac_observe(k, 0, 1, &one, &one));
    ck_assert_int_eq(ng_kfac_refresh(k, 0), NG_EUSAGE);
    OK(ng_kfac_refresh(k, 1));
    OK(ng_kfac_precondition(k, 0, &one, &out));
    NEAR((double)out, 0.25, 1e-6); /* (1 + 1) (1 + 1) */
    ng_kfac_destroy(&k);
}
END_TEST

/* ---- Beside the training ---- */

typedef struct count_down {
    size_t from;
    double sum;
} count_down;

static void add_up(void *user) {
    count_down *c = user;
    for (size_t i = 1; i <= c->from; i++)
        c->sum += (double)i;
}

START_TEST(jobs_beside_the_training_are_done_when_waited_for) {
    ngi_background *b;
    count_down c = {1000, 0};
    OK(ngi_background_create(ctx, _i == 1, &b));
    ngi_background_wait(b); /* for nothing */
    for (size_t k = 1; k <= 100; k++) {
        ngi_background_start(b, add_up, &c);
        ngi_background_wait(b);
        ck_assert(c.sum == 500500.0 * (double)k);
    }
    ngi_background_start(b, add_up, &c);
    ngi_background_destroy(&b);
    ck_assert(c.sum == 500500.0 * 101);
    ck_assert_ptr_null(b);
    ngi_background_destroy(&b);
}
END_TEST

static void add(TCase *tests) {
    tcase_add_loop_test(
        tests, jobs_beside_the_training_are_done_when_waited_for, 0, 2);
    tcase_add_loop_test(tests, kfac_for_another_network_is_dense_algebra, 0, 2);
    tcase_add_test(tests, kfac_for_another_network_refuses_nonsense);
}

int main(void) {
    return theory_main("outside", add);
}
