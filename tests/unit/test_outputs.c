/* The outputs of a network as parameters of each family: gradients against
 * differences of the loss, roots and draws against the Fisher, and kernels of
 * their own against the family's functions. */
#include "network_fixture.h"

#define LENGTH(table) (sizeof(table) / sizeof *(table))
#define FLAT                                                                   \
    { 5, 1, 1 }

enum { OUTPUTS_MOST = 12 };

static const net_case NETS[] = {
    {.layers = "", .input = FLAT, .family = "gaussian", .targets = 3},
    {.layers = "", .input = FLAT, .family = "bernoulli", .targets = 5},
    {.layers = "", .input = FLAT, .family = "categorical", .levels = 5},
    {.layers = "", .input = FLAT, .family = "categorical", .levels = 2},
    {.layers = "", .input = FLAT, .family = "normal", .targets = 3},
    {.layers = "", .input = FLAT, .family = "mvnormal", .targets = 3},
    {.layers = "", .input = FLAT, .family = "poisson", .targets = 3},
    {.layers = "", .input = FLAT, .family = "exponential", .targets = 3},
    {.layers = "", .input = FLAT, .family = "gamma", .targets = 2},
    {.layers = "", .input = FLAT, .family = "inverse-gaussian", .targets = 2},
    {.layers = "", .input = FLAT, .family = "negative-binomial", .targets = 2},
    {.layers = "", .input = FLAT, .family = "beta", .targets = 2},
    {.layers = "", .input = FLAT, .family = "weibull", .targets = 2},
    {.layers = "", .input = FLAT, .family = "gumbel", .targets = 2},
    {.layers = "", .input = FLAT, .family = "logistic", .targets = 2},
    {.layers = "", .input = FLAT, .family = "lognormal", .targets = 2},
    {.layers = "", .input = FLAT, .family = "student-t", .targets = 2},
    {.layers = "", .input = FLAT, .family = "laplace", .targets = 2},
    {.layers = "", .input = FLAT, .family = "vonmises", .targets = 2},
    {.layers = "", .input = FLAT, .family = "dirichlet", .targets = 3},
};
/* The first of them have kernels of their own. */
enum { OWN_KERNELS = 4 };

/* Outputs near 0, drawn: what led to them does not matter here. */
static net started(int index) {
    net n = net_make(&NETS[index]);
    const ng_batch batch = batch_of(&n);
    ngi_pass_gather_f64(n.p, &batch, 0, 0, ROWS);
    ck_assert_uint_le(n.a->outputs, OUTPUTS_MOST);
    for (size_t i = 0; i < ROWS; i++)
        fill_normal(&n.rng, n.a->outputs, 0.5,
                    n.p->value[1] + i * pass_stride(n.p, 1));
    ngi_output_prepare_f64(n.p, ROWS);
    return n;
}

static double *output(const net *n, size_t i) {
    return n->p->value[1] + i * pass_stride(n->p, 1);
}

static void ck_near(double value, double expected, double tolerance,
                    int index) {
    ck_assert_msg(fabs(value - expected) <= tolerance,
                  "%s: %.17g, expected %.17g within %.2g", NETS[index].family,
                  value, expected, tolerance);
}

/* A density is a sum of a few terms that can be larger than itself. */
static const double LOSS_ROUNDINGS = 50;

START_TEST(the_gradient_is_the_slope_of_the_loss_in_the_outputs) {
    net n = started(_i);
    ngi_output_gradient_f64(n.p, ROWS);
    for (size_t k = 0; k < ROWS * n.a->outputs; k++) {
        size_t i = k / n.a->outputs, j = k % n.a->outputs;
        double *z = output(&n, i) + j, here = *z, f[4];
        for (size_t t = 0; t < 4; t++) {
            *z = here + DIFFERENCE_AT[t] * DIFFERENCE_STEP;
            ngi_output_prepare_f64(n.p, ROWS);
            f[t] = n.p->losses[i];
        }
        *z = here;
        slope s = slope_of(f, LOSS_ROUNDINGS * (1 + fabs(f[0])));
        ck_near(last_delta(&n, i)[j], s.value, s.error, _i);
    }
    net_free(&n);
}
END_TEST

typedef struct matrix {
    double at[OUTPUTS_MOST][OUTPUTS_MOST];
    double size; /* of its largest element */
} matrix;

static matrix fisher_of(net *n, size_t row) {
    matrix F = {.size = 0};
    size_t outputs = n->a->outputs;
    for (size_t j = 0; j < outputs; j++) {
        double unit[OUTPUTS_MOST] = {0}, column[OUTPUTS_MOST];
        unit[j] = 1;
        ngi_output_fisher_f64(n->p, row, 1, unit, outputs, column, outputs);
        for (size_t i = 0; i < outputs; i++) {
            F.at[i][j] = column[i];
            F.size = fmax(F.size, fabs(column[i]));
        }
    }
    return F;
}

static void add_square(const net *n, const double *u, matrix *sum) {
    for (size_t i = 0; i < n->a->outputs; i++)
        for (size_t j = 0; j < n->a->outputs; j++)
            sum->at[i][j] += u[i] * u[j];
}

START_TEST(the_columns_of_the_root_square_to_the_fisher) {
    net n = started(_i);
    for (size_t row = 0; row < ROWS; row++) {
        matrix F = fisher_of(&n, row), sum = {.size = 0};
        for (size_t c = 0; c < n.a->outputs; c++) {
            ngi_output_root_f64(n.p, ROWS, c);
            add_square(&n, last_delta(&n, row), &sum);
        }
        for (size_t i = 0; i < n.a->outputs; i++)
            for (size_t j = 0; j < n.a->outputs; j++)
                ck_near(sum.at[i][j], F.at[i][j], 20 * DBL_EPSILON * F.size,
                        _i);
    }
    net_free(&n);
}
END_TEST

/* The mean over draws and 5.2 standard errors of it, which are exceeded with
 * probability 2e-7; about 2000 are looked at. */
static void ck_mean(const double sum[2], double draws, double expected,
                    int index) {
    double mean = sum[0] / draws, square = sum[1] / draws;
    double error = sqrt(fmax(square - mean * mean, 0) / draws);
    ck_near(mean, expected, 5.2 * error + 20 * DBL_EPSILON * square, index);
}

START_TEST(sampled_gradients_have_mean_zero_and_the_fisher_for_covariance) {
    enum { DRAWS = 4000 };
    net n = started(_i);
    size_t outputs = n.a->outputs;
    double first[OUTPUTS_MOST][2] = {{0}};
    double second[OUTPUTS_MOST][OUTPUTS_MOST][2] = {{{0}}};
    matrix F = fisher_of(&n, 1);
    for (uint64_t draw = 0; draw < DRAWS; draw++) {
        ngi_output_sampled_f64(n.p, 2, 3, draw, 0);
        const double *u = last_delta(&n, 1);
        for (size_t i = 0; i < outputs; i++) {
            first[i][0] += u[i];
            first[i][1] += u[i] * u[i];
            for (size_t j = 0; j < outputs; j++) {
                second[i][j][0] += u[i] * u[j];
                second[i][j][1] += u[i] * u[j] * u[i] * u[j];
            }
        }
    }
    for (size_t i = 0; i < outputs; i++) {
        ck_mean(first[i], DRAWS, 0, _i);
        for (size_t j = 0; j < outputs; j++)
            ck_mean(second[i][j], DRAWS, F.at[i][j], _i);
    }
    net_free(&n);
}
END_TEST

START_TEST(draws_depend_on_a_rows_number_and_not_on_its_place) {
    net n = started(_i);
    double u[OUTPUTS_MOST];
    size_t bytes = n.a->outputs * sizeof *u;
    ngi_output_sampled_f64(n.p, ROWS, 9, 4, 30);
    memcpy(u, last_delta(&n, 2), bytes);
    memcpy(output(&n, 0), output(&n, 2), bytes);
    ngi_output_prepare_f64(n.p, ROWS);
    ngi_output_sampled_f64(n.p, 1, 9, 4, 32);
    ck_assert_mem_eq(u, last_delta(&n, 0), bytes);
    net_free(&n);
}
END_TEST

/* KL(z || z + h v) + KL(z || z - h v) = h^2 v'F v (1 + O(h^2)). */
START_TEST(kl_is_half_the_fisher_to_second_order) {
    const double h = 1e-3;
    net n = started(_i);
    size_t outputs = n.a->outputs;
    double z[OUTPUTS_MOST], v[OUTPUTS_MOST], sum = 0, square = 0;
    matrix F = fisher_of(&n, 0);
    fill_normal(&n.rng, outputs, 1, v);
    memcpy(z, output(&n, 0), outputs * sizeof *z);
    for (int side = -1; side <= 1; side += 2) {
        for (size_t i = 0; i < outputs; i++)
            output(&n, 0)[i] = z[i] + side * h * v[i];
        sum += ngi_output_kl_f64(n.p, 1, z, outputs);
    }
    for (size_t i = 0; i < outputs; i++)
        for (size_t j = 0; j < outputs; j++)
            square += v[i] * F.at[i][j] * v[j];
    /* Laplace's KL has a third-order kink. */
    double order = n.a->family.ops->smooth ? h * h : h;
    ck_near(sum / (h * h), square, 10 * order * square, _i);
    net_free(&n);
}
END_TEST

START_TEST(sums_are_the_losses_and_errors_of_the_means) {
    net n = started(_i);
    size_t width = n.a->replicates * n.a->family.dim_mean;
    double mean[OUTPUTS_MOST], loss = 0, right = 0, error = 0;
    output_sums sums = {0};
    ngi_output_sums_f64(n.p, 0, 2, &sums);
    ngi_output_sums_f64(n.p, 2, ROWS - 2, &sums);
    for (size_t i = 0; i < ROWS; i++) {
        const double *y = n.p->target + i * n.a->targets;
        size_t best = 0;
        loss += n.p->losses[i];
        ngi_output_mean_f64(n.p, i, 1, mean);
        for (size_t j = 0; j < width; j++) {
            best = mean[j] > mean[best] ? j : best;
            if (!n.a->levels)
                error += (mean[j] - y[j]) * (mean[j] - y[j]);
        }
        right += n.a->levels && (double)best == y[0];
    }
    ck_near(sums.loss, loss, ROWS * DBL_EPSILON * (1 + fabs(loss)) * 4, _i);
    ck_near(sums.squared_error, error, 100 * DBL_EPSILON * (1 + error), _i);
    ck_assert_double_eq(sums.right, right);
    net_free(&n);
}
END_TEST

/* ---- Kernels of their own -------------------------------------------------
 */

START_TEST(own_kernels_agree_with_the_family) {
    net n = started(_i);
    const output_ops *own = ngi_output_ops_f64(n.a);
    const output_ops *general = &ngi_output_family_f64;
    ck_assert_ptr_ne(own, general);
    if (n.a->known_scale) /* the family has one more parameter */
        general = own;
    for (size_t i = 0; i < ROWS; i++) {
        const double *z = output(&n, i);
        double u[2][OUTPUTS_MOST], w[2][OUTPUTS_MOST];
        ngi_output_family_f64.prepare(n.p, ROWS);
        double loss = n.p->losses[i];
        own->prepare(n.p, ROWS);
        own->gradient(n.p, i, u[0]);
        general->gradient(n.p, i, u[1]);
        own->fisher(n.p, i, z, w[0]);
        general->fisher(n.p, i, z, w[1]);
        ck_near(n.p->losses[i], loss,
                LOSS_ROUNDINGS * DBL_EPSILON * (1 + fabs(loss)), _i);
        for (size_t j = 0; j < n.a->outputs; j++) {
            ck_near(u[0][j], u[1][j], 20 * DBL_EPSILON, _i);
            ck_near(w[0][j], w[1][j], 20 * DBL_EPSILON, _i);
        }
    }
    net_free(&n);
}
END_TEST

START_TEST(far_off_outputs_have_finite_losses_and_gradients) {
    net n = started(_i);
    size_t outputs = n.a->outputs;
    double u[OUTPUTS_MOST];
    output_sums sums = {0};
    const output_ops *ops = ngi_output_ops_f64(n.a);
    for (size_t j = 0; j < outputs; j++)
        output(&n, 0)[j] = j % 2 ? 800 : -800;
    ops->prepare(n.p, 1);
    ops->score(n.p, 0, &sums);
    ck_assert(isfinite(n.p->losses[0]) && n.p->losses[0] >= 0);
    ops->gradient(n.p, 0, u);
    ck_assert(ngi_finite_f64(outputs, u));
    for (size_t c = 0; c < outputs; c++) {
        ops->root(n.p, 0, c, u);
        ck_assert(ngi_finite_f64(outputs, u));
    }
    net_free(&n);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("outputs");
    TCase *families = tcase_create("families");
    const int nets = (int)LENGTH(NETS);
    tcase_set_timeout(families, 60);
    tcase_add_loop_test(families,
                        the_gradient_is_the_slope_of_the_loss_in_the_outputs, 0,
                        nets);
    tcase_add_loop_test(families, the_columns_of_the_root_square_to_the_fisher,
                        0, nets);
    tcase_add_loop_test(
        families,
        sampled_gradients_have_mean_zero_and_the_fisher_for_covariance, 0,
        nets);
    tcase_add_loop_test(
        families, draws_depend_on_a_rows_number_and_not_on_its_place, 0, nets);
    tcase_add_loop_test(families, kl_is_half_the_fisher_to_second_order, 0,
                        nets);
    tcase_add_loop_test(families, sums_are_the_losses_and_errors_of_the_means,
                        0, nets);
    suite_add_tcase(suite, families);
    TCase *kernels = tcase_create("kernels");
    tcase_add_loop_test(kernels, own_kernels_agree_with_the_family, 0,
                        OWN_KERNELS);
    tcase_add_loop_test(kernels,
                        far_off_outputs_have_finite_losses_and_gradients, 0,
                        OWN_KERNELS);
    suite_add_tcase(suite, kernels);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
