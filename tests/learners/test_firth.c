/* Bias-reduced fits against closed forms and against an independent iteration
 * in R. */
#include "array_rows.h"

#include "glm/firth.h"
#include "natgrad/natgrad.h"
#include "unit/scarce.h"

#include <float.h>
#include <math.h>
#include <string.h>

static ng_ctx *ctx;

static void open_context(void) {
    ck_assert_int_eq(ng_ctx_create(NULL, &ctx), NG_OK);
}

static void close_context(void) {
    ng_ctx_destroy(&ctx);
}

static const ngi_scoring_options OPTIONS = {.max_iter = 100,
                                            .tolerance = 1e-12};

static ngi_glm_kernel kernel_of(const char *name, ng_link link,
                                ng_family *family) {
    ngi_glm_kernel kernel;
    ck_assert_int_eq(ng_family_init(ctx, name, 1, family), NG_OK);
    ngi_glm_kernel_mean(family, link, &kernel);
    return kernel;
}

/* Fits from theta, which must converge. */
static ng_report fit(const char *name, ng_link link, const array_rows *rows,
                     const bool *held, double *theta, double *covariance) {
    ng_family family;
    ng_report report;
    ngi_glm_kernel kernel = kernel_of(name, link, &family);
    ck_assert_msg(ngi_firth_run(ctx, &rows->rows, &kernel, held, &OPTIONS,
                                theta, covariance, &report) == NG_OK,
                  "%s", ng_error(ctx));
    ck_assert_msg(report.stop == NG_CONVERGED, "%s after %zu at %g",
                  ng_stop_text(report.stop), report.iteration,
                  report.decrement);
    return report;
}

/* The answer is within the last decrement of the root, in units of standard
 * errors: 1e-12 sqrt(total weight), and roundings. */
static void check_close(double got, double wanted, double scale) {
    ck_assert_double_eq_tol(got, wanted, 1e-11 * scale);
}

/* ---- Closed forms ---- */

/* A saturated logit model: 1/2 joins each cell, and a row of a 2 x 2 table
 * with a + b successes and failures has log odds log((a + 1/2) / (b + 1/2)) of
 * information (n mu (1 - mu)). */
START_TEST(a_saturated_logit_adds_half_to_each_cell) {
    static const double successes[2] = {0, 7}, failures[2] = {9, 3};
    const double X[4] = {1, 1, 0, 1};
    double y[2], weight[2], theta[2] = {0, 0}, C[4], eta[2], variance[2];
    array_rows rows;
    for (int i = 0; i < 2; i++) {
        double mu = (successes[i] + 0.5) / (successes[i] + failures[i] + 1);
        weight[i] = successes[i] + failures[i];
        y[i] = successes[i] / weight[i];
        eta[i] = log(mu / (1 - mu));
        variance[i] = 1 / (weight[i] * mu * (1 - mu));
    }
    array_rows_init(&rows, ctx, 2, 2, X, y, weight);
    fit("bernoulli", NG_LINK_LOGIT, &rows, NULL, theta, C);
    check_close(theta[0], eta[0], fabs(eta[0]));
    check_close(theta[1], eta[1] - eta[0], fabs(eta[1] - eta[0]));
    check_close(C[0], variance[0], variance[0]);
    check_close(C[1], -variance[0], variance[0]);
    check_close(C[2], -variance[0], variance[0]);
    check_close(C[3], variance[0] + variance[1], variance[0] + variance[1]);
}
END_TEST

/* The same table row by row, by other starts: the way there is no matter. */
START_TEST(the_start_does_not_matter) {
    static const double starts[][2] = {{0, 0}, {-20, 30}, {800, -900}, {3, 3}};
    double X[38], y[19], theta[2];
    array_rows rows;
    for (int i = 0; i < 19; i++) {
        X[i] = 1;
        X[19 + i] = i >= 9;
        y[i] = i >= 9 && i < 16;
    }
    memcpy(theta, starts[_i], sizeof theta);
    array_rows_init(&rows, ctx, 19, 2, X, y, NULL);
    fit("bernoulli", NG_LINK_LOGIT, &rows, NULL, theta, NULL);
    check_close(theta[0], log(0.5 / 9.5), 3);
    check_close(theta[1], log(7.5 / 3.5) - log(0.5 / 9.5), 4);
}
END_TEST

/* With exposures e the hat values are e / sum e: the rate is
 * (sum y + 1/2) / sum e, also where nothing was ever counted. */
START_TEST(a_poisson_rate_adds_half_an_event) {
    const double X[4] = {1, 1, 1, 1};
    const double offset[4] = {0, log(2.0), log(5.0), log(0.5)};
    const double y[2][4] = {{0, 0, 0, 0}, {1, 3, 4, 0}};
    double theta = 0, C, rate = _i ? 8.5 / 8.5 : 0.5 / 8.5;
    array_rows rows;
    array_rows_init(&rows, ctx, 4, 1, X, y[_i], NULL);
    rows.offset = offset;
    fit("poisson", NG_LINK_LOG, &rows, NULL, &theta, &C);
    check_close(theta, log(rate), 3);
    check_close(C, 1 / (8.5 * rate), 1 / (8.5 * rate));
}
END_TEST

/* ---- Against R ----
 * firth <- function(y, w, fam, off = 0) {
 *   b <- c(fam$linkfun((sum(w*y)+.5)/(sum(w)+1)), 0, 0)
 *   for (i in 1:2000) {
 *     eta <- drop(X %*% b) + off
 *     mu <- fam$linkinv(eta); d <- fam$mu.eta(eta)
 *     d2 <- switch(fam$link, logit = d*(1-2*mu), probit = -eta*d,
 *       cloglog = (1-exp(eta))*d, log = mu, cauchit = -2*eta*d/(1+eta^2))
 *     W <- w*d^2/fam$variance(mu)
 *     h <- rowSums(qr.Q(qr(sqrt(W)*X))^2)
 *     U <- crossprod(X, w*(y-mu)*d/fam$variance(mu) + 0.5*h*d2/d)
 *     V <- solve(crossprod(X, W*X)); s <- V %*% U; b <- b + 0.5*drop(s)
 *     if (max(abs(s)) < 1e-15) break
 *   }
 *   print(cbind(b, sqrt(diag(V))), digits = 16)
 * }
 * with X = cbind(1, x1, x2) and the data below. */
static const double X[36] = {1,   1,   1,   1,   1,   1,   1,   1,   1,
                             1,   1,   1,   0.3, 1.1, 1.9, 2.2, 3.7, 4.1,
                             4.8, 5.5, 6.3, 7.0, 7.7, 9.2, 1,   0,   1,
                             1,   0,   1,   0,   0,   1,   1,   0,   1};
static const double WEIGHT[12] = {1, 2, 1, 3, 1, 1, 2, 1, 1, 4, 1, 1};
static const double SEPARATED[12] = {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1};
static const double SHARES[12] = {0,   0.5, 0, 1.0 / 3, 0,   1,
                                  0.5, 1,   0, 0.75,    1.0, 1};
static const double EVENTS[12] = {0, 1, 0, 2, 3, 1, 0, 4, 2, 5, 9, 7};

typedef struct case_of_r {
    const char *family;
    ng_link link;
    const double *y, *weight;
    bool log_offset; /* log(1:12) */
    double estimate[3], std_error[3];
} case_of_r;

static const case_of_r CASES[] = {
    {"bernoulli",
     NG_LINK_LOGIT,
     SEPARATED,
     NULL,
     false,
     {-4.075745461548866, 1.008342254381120, -1.003641535975280},
     {2.7489438377255939, 0.5592073948487929, 1.8086643677345460}},
    {"bernoulli",
     NG_LINK_LOGIT,
     SHARES,
     WEIGHT,
     false,
     {-1.0858817872444109, 0.3338150549776200, -0.4830815096950029},
     {1.1488565417974910, 0.2069701894177135, 1.0415009476388328}},
    {"bernoulli",
     NG_LINK_PROBIT,
     SEPARATED,
     NULL,
     false,
     {-2.0599415634366545, 0.5236627289339014, -0.5400625357968911},
     {1.2915262611701093, 0.2518855311272908, 0.9672904096767265}},
    {"bernoulli",
     NG_LINK_PROBIT,
     SHARES,
     WEIGHT,
     false,
     {-0.6938221019369268, 0.2151732695229905, -0.3195334564385701},
     {0.6983950529772162, 0.1236752813317026, 0.6342538847175235}},
    {"bernoulli",
     NG_LINK_CLOGLOG,
     SEPARATED,
     NULL,
     false,
     {-2.3986553335051584, 0.4995784706741047, -0.6482332337503356},
     {1.4672363480048183, 0.2636344064776191, 1.0147566230477953}},
    {"bernoulli",
     NG_LINK_CLOGLOG,
     SHARES,
     WEIGHT,
     false,
     {-1.1928023366262541, 0.2488173640401718, -0.3727573547282505},
     {0.8441850699406869, 0.1430133726472403, 0.6970471468057571}},
    {"bernoulli",
     NG_LINK_CAUCHIT,
     SHARES,
     WEIGHT,
     false,
     {-0.7564586729037682, 0.2221469565793522, -0.2754587133980561},
     {1.0191632998373259, 0.1922508233165332, 0.9040109746201085}},
    {"poisson",
     NG_LINK_LOG,
     EVENTS,
     NULL,
     false,
     {-0.5721572733613315, 0.3457420121725230, -0.5265018810915708},
     {0.52845772098596966, 0.07896306756909911, 0.34793039877249859}},
    {"poisson",
     NG_LINK_LOG,
     EVENTS,
     WEIGHT,
     true,
     {-1.4017828179405900, 0.1091600140026893, -0.1025150567833552},
     {0.44259437099952947, 0.06756352430910571, 0.29239495723627479}},
};

START_TEST(estimates_are_those_of_an_iteration_in_r) {
    const case_of_r *c = &CASES[_i];
    double offset[12], theta[3] = {0, 0, 0}, C[9];
    array_rows rows;
    for (int i = 0; i < 12; i++)
        offset[i] = log(i + 1.0);
    array_rows_init(&rows, ctx, 12, 3, X, c->y, c->weight);
    rows.offset = c->log_offset ? offset : NULL;
    rows.rows.block_rows = 5;
    fit(c->family, c->link, &rows, NULL, theta, C);
    for (int j = 0; j < 3; j++) {
        /* R stops at steps of 1e-15, which its roundings of V U, of condition
         * about 100, do not always come below. */
        check_close(theta[j], c->estimate[j], 10 * c->std_error[j]);
        check_close(sqrt(C[4 * j]), c->std_error[j], 10 * c->std_error[j]);
    }
}
END_TEST

/* Under this link the adjusted score of separated data has several roots, and
 * steps by the inverse Fisher lead to none of them unless shortened: in R's
 * script they reach the first in 241 halves, and U is below 1e-11 at the
 * second. */
START_TEST(a_root_is_found_where_plain_steps_go_round_it) {
    static const double roots[2][3] = {
        {-5.0189413925576636, 1.2022237890874505, -0.6322890284129272},
        {-4.520076926518248, 1.083453666165621, -1.20905840425515}};
    double theta[3] = {0, 0, 0};
    array_rows rows;
    array_rows_init(&rows, ctx, 12, 3, X, SEPARATED, NULL);
    fit("bernoulli", NG_LINK_CAUCHIT, &rows, NULL, theta, NULL);
    const double *root = roots[fabs(theta[2]) > 1];
    for (int j = 0; j < 3; j++)
        check_close(theta[j], root[j], 50);
}
END_TEST

/* ---- What must not matter ---- */

/* Units of columns, by powers of two and far out; rows of weight 0; a column
 * that is held where it is. */
START_TEST(units_and_idle_rows_and_columns_do_not_matter) {
    double scaled[52], y[13], weight[13], theta[4] = {0, 0, 0, 0.25};
    double plain[3] = {0, 0, 0}, C[16], plain_C[9];
    static const double units[3] = {1, 0x1p-490, 0x1p490};
    static const bool held[4] = {false, false, false, true};
    array_rows rows, reference;
    double offset[12];
    for (int i = 0; i < 13; i++) {
        for (int j = 0; j < 3; j++)
            scaled[13 * j + i] = i < 12 ? X[12 * j + i] * units[j] : -3e5;
        scaled[39 + i] = i < 12 ? X[12 + i] : 1e10;
        y[i] = i < 12 ? SEPARATED[i] : 1;
        weight[i] = i < 12;
    }
    for (int i = 0; i < 12; i++)
        offset[i] = 0.25 * X[12 + i];
    array_rows_init(&rows, ctx, 13, 4, scaled, y, weight);
    array_rows_init(&reference, ctx, 12, 3, X, SEPARATED, NULL);
    reference.offset = offset;
    fit("bernoulli", NG_LINK_LOGIT, &rows, held, theta, C);
    fit("bernoulli", NG_LINK_LOGIT, &reference, NULL, plain, plain_C);
    ck_assert_double_eq(theta[3], 0.25);
    for (int j = 0; j < 3; j++) {
        double variance = plain_C[4 * j];
        check_close(theta[j] * units[j], plain[j], 10 * sqrt(variance));
        check_close(C[5 * j] * units[j] * units[j], variance, 10 * variance);
        ck_assert_double_eq(C[4 * j + 3], 0);
        ck_assert_double_eq(C[12 + j], 0);
    }
}
END_TEST

/* The estimate of the separated case maximises log L + log|F| / 2: the
 * objective rises whichever way one goes. */
START_TEST(the_penalised_likelihood_is_greatest_at_the_answer) {
    double theta[3] = {0, 0, 0};
    array_rows rows;
    ng_family family;
    ng_report report;
    ngi_glm_kernel kernel = kernel_of("bernoulli", NG_LINK_LOGIT, &family);
    ngi_scoring_options still = {.max_iter = 0};
    array_rows_init(&rows, ctx, 12, 3, X, SEPARATED, NULL);
    double best =
        fit("bernoulli", NG_LINK_LOGIT, &rows, NULL, theta, NULL).objective;
    for (int j = 0; j < 3; j++) {
        for (int sign = -1; sign <= 1; sign += 2) {
            double moved[3];
            memcpy(moved, theta, sizeof moved);
            moved[j] += sign * 1e-3;
            ck_assert_int_eq(ngi_firth_run(ctx, &rows.rows, &kernel, NULL,
                                           &still, moved, NULL, &report),
                             NG_OK);
            ck_assert_int_eq(report.stop, NG_MAX_ITER);
            ck_assert_double_gt(report.objective, best);
        }
    }
}
END_TEST

START_TEST(collinear_columns_and_other_families_are_refused) {
    double twice[24], theta[3] = {0, 0, 0};
    array_rows rows;
    ng_family family;
    ng_report report;
    memcpy(twice, X + 12, 12 * sizeof *twice);
    memcpy(twice + 12, X + 12, 12 * sizeof *twice);
    ngi_glm_kernel kernel = kernel_of("bernoulli", NG_LINK_LOGIT, &family);
    array_rows_init(&rows, ctx, 12, 2, twice, SEPARATED, NULL);
    ck_assert_int_eq(ngi_firth_run(ctx, &rows.rows, &kernel, NULL, &OPTIONS,
                                   theta, NULL, &report),
                     NG_ENUMERIC);
    kernel = kernel_of("normal", NG_LINK_IDENTITY, &family);
    ck_assert_int_eq(ngi_firth_run(ctx, &rows.rows, &kernel, NULL, &OPTIONS,
                                   theta, NULL, &report),
                     NG_EUNSUPPORTED);
}
END_TEST

static int stop_at_once(void *user, const ng_report *report) {
    size_t *calls = user;
    (*calls)++;
    return report->iteration == 1;
}

START_TEST(a_monitor_stops_a_run_and_a_context_cancels_it) {
    double theta[3] = {0, 0, 0};
    size_t calls = 0;
    array_rows rows;
    ng_family family;
    ng_report report;
    ngi_glm_kernel kernel = kernel_of("bernoulli", NG_LINK_LOGIT, &family);
    ngi_scoring_options options = OPTIONS;
    options.monitor = stop_at_once;
    options.user = &calls;
    array_rows_init(&rows, ctx, 12, 3, X, SEPARATED, NULL);
    ck_assert_int_eq(ngi_firth_run(ctx, &rows.rows, &kernel, NULL, &options,
                                   theta, NULL, &report),
                     NG_OK);
    ck_assert_int_eq(report.stop, NG_STOPPED);
    ck_assert_uint_eq(calls, 2);
    ng_cancel(ctx);
    ck_assert_int_eq(ngi_firth_run(ctx, &rows.rows, &kernel, NULL, &options,
                                   theta, NULL, &report),
                     NG_ECANCELLED);
}
END_TEST

static ng_status fit_poor(ng_ctx *poor, const char *path) {
    double theta[3] = {0, 0, 0}, C[9];
    array_rows rows;
    ng_family family;
    ng_report report;
    ngi_glm_kernel kernel = kernel_of("bernoulli", NG_LINK_LOGIT, &family);
    (void)path;
    array_rows_init(&rows, poor, 12, 3, X, SEPARATED, NULL);
    return ngi_firth_run(poor, &rows.rows, &kernel, NULL, &OPTIONS, theta, C,
                         &report);
}

START_TEST(every_allocation_may_fail) {
    starve(fit_poor, NULL);
}
END_TEST

/* Nothing to estimate: the loss where theta is. */
START_TEST(all_columns_may_be_held) {
    static const bool held[3] = {true, true, true};
    double theta[3] = {0, 0, 0}, C[9];
    array_rows rows;
    array_rows_init(&rows, ctx, 12, 3, X, SEPARATED, NULL);
    ng_report report = fit("bernoulli", NG_LINK_LOGIT, &rows, held, theta, C);
    ck_assert_double_eq_tol(report.loss, log(2.0), 1e-14);
    ck_assert_double_eq(C[0], 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("firth");
    TCase *tests = tcase_create("firth");
    tcase_add_checked_fixture(tests, open_context, close_context);
    tcase_add_test(tests, a_saturated_logit_adds_half_to_each_cell);
    tcase_add_loop_test(tests, the_start_does_not_matter, 0, 4);
    tcase_add_loop_test(tests, a_poisson_rate_adds_half_an_event, 0, 2);
    tcase_add_loop_test(tests, estimates_are_those_of_an_iteration_in_r, 0,
                        (int)(sizeof CASES / sizeof *CASES));
    tcase_add_test(tests, a_root_is_found_where_plain_steps_go_round_it);
    tcase_add_test(tests, units_and_idle_rows_and_columns_do_not_matter);
    tcase_add_test(tests, the_penalised_likelihood_is_greatest_at_the_answer);
    tcase_add_test(tests, collinear_columns_and_other_families_are_refused);
    tcase_add_test(tests, a_monitor_stops_a_run_and_a_context_cancels_it);
    tcase_add_test(tests, every_allocation_may_fail);
    tcase_add_test(tests, all_columns_may_be_held);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
