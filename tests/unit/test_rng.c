/* The generator against the published answers, and the samplers against the
 * distributions they claim. Every seed is fixed, so that a test's error rate
 * is the chance that a correct sampler would have failed it once, when the
 * seed was chosen. */
#include "natgrad/base.h"
#include "numerics/special.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { draws = 20000 };

/* Kolmogorov's limit: P(sqrt(n) D > 2.226) = 1e-4. */
static const double kolmogorov_critical = 2.226;
/* |z| > 4.42 has probability 1e-5. */
static const double normal_critical = 4.42;

static ng_rng start(uint64_t seed) {
    ng_rng rng;
    ng_rng_init(&rng, seed, 0);
    return rng;
}

static void ck_first_block(ng_rng *rng, const uint32_t *expected) {
    const uint64_t low = ng_rng_bits(rng);
    const uint64_t high = ng_rng_bits(rng);
    ck_assert_uint_eq(low, (uint64_t)expected[1] << 32 | expected[0]);
    ck_assert_uint_eq(high, (uint64_t)expected[3] << 32 | expected[2]);
}

START_TEST(philox_gives_the_published_known_answers) {
    /* The known-answer file of Random123: philox4x32, 10 rounds. */
    const uint32_t zeros[] = {0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu,
                              0x9b00dbd8u};
    const uint32_t ones[] = {0x408f276du, 0x41c83b0eu, 0xa20bc7c6u,
                             0x6d5451fdu};
    const uint32_t pi[] = {0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u};
    ng_rng rng;
    ng_rng_init(&rng, 0, 0);
    ck_first_block(&rng, zeros);

    ng_rng_init(&rng, UINT64_MAX, UINT64_MAX);
    rng.counter[0] = rng.counter[1] = UINT32_MAX;
    ck_first_block(&rng, ones);

    ng_rng_init(&rng, 0x299f31d0a4093822u, 0x0370734413198a2eu);
    rng.counter[0] = 0x243f6a88u;
    rng.counter[1] = 0x85a308d3u;
    ck_first_block(&rng, pi);
}
END_TEST

START_TEST(position_carries_into_its_high_word_and_not_the_stream) {
    ng_rng rng;
    ng_rng_init(&rng, 1, 7);
    rng.counter[0] = UINT32_MAX;
    ng_rng_bits(&rng);
    ck_assert_uint_eq(rng.counter[0], 0);
    ck_assert_uint_eq(rng.counter[1], 1);
    rng.counter[0] = rng.counter[1] = UINT32_MAX;
    ng_rng_bits(&rng);
    ng_rng_bits(&rng);
    ck_assert_uint_eq(rng.counter[1], 0);
    ck_assert_uint_eq(rng.counter[2], 7);
    ck_assert_uint_eq(rng.counter[3], 0);
}
END_TEST

START_TEST(a_copy_repeats_the_draws_and_a_stream_differs) {
    ng_rng one, other;
    ng_rng_init(&one, 42, 3);
    ng_rng_init(&other, 42, 4);
    ng_rng_uniform(&one);
    ng_rng copy = one;
    int equal = 0;
    for (int i = 0; i < 100; i++) {
        const uint64_t bits = ng_rng_bits(&one);
        ck_assert_uint_eq(bits, ng_rng_bits(&copy));
        equal += bits == ng_rng_bits(&other);
    }
    ck_assert_int_eq(equal, 0);
}
END_TEST

START_TEST(uniform_is_inside_the_open_interval_at_both_extremes) {
    ng_rng rng = start(0);
    rng.used = 0;
    memset(rng.buffer, 0, sizeof rng.buffer);
    ck_assert_double_eq(ng_rng_uniform(&rng), 0x1p-54);
    rng.used = 0;
    memset(rng.buffer, 0xff, sizeof rng.buffer);
    ck_assert_double_eq(ng_rng_uniform(&rng), 1.0 - 0x1p-53);
}
END_TEST

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* sqrt(n) D of probabilities that should be uniform. */
static double kolmogorov(double *u, int n) {
    qsort(u, (size_t)n, sizeof *u, ascending);
    double gap = 0.0;
    for (int i = 0; i < n; i++)
        gap = fmax(gap, fmax((i + 1.0) / n - u[i], u[i] - (double)i / n));
    return gap * sqrt(n);
}

static double probabilities[draws];

START_TEST(uniform_passes_kolmogorov) {
    ng_rng rng = start(11);
    for (int i = 0; i < draws; i++)
        probabilities[i] = ng_rng_uniform(&rng);
    ck_assert_double_lt(kolmogorov(probabilities, draws), kolmogorov_critical);
}
END_TEST

START_TEST(normal_passes_kolmogorov_and_has_its_moments) {
    ng_rng rng = start(12);
    double sum[5] = {0.0};
    for (int i = 0; i < draws; i++) {
        const double x = ng_rng_normal(&rng);
        probabilities[i] = ngi_ndtr(x);
        double power = 1.0;
        for (int k = 1; k < 5; k++)
            sum[k] += power *= x;
    }
    ck_assert_double_lt(kolmogorov(probabilities, draws), kolmogorov_critical);
    /* The variances of x, x^2, x^3, x^4 are 1, 2, 15, 96. */
    const double mean[5] = {0.0, 0.0, 1.0, 0.0, 3.0};
    const double variance[5] = {0.0, 1.0, 2.0, 15.0, 96.0};
    for (int k = 1; k < 5; k++)
        ck_assert_double_lt(fabs(sum[k] / draws - mean[k]),
                            normal_critical * sqrt(variance[k] / draws));
}
END_TEST

START_TEST(normal_draws_do_not_depend_on_their_neighbours) {
    /* Lag-one correlation has variance 1/n. */
    ng_rng rng = start(13);
    double previous = ng_rng_normal(&rng);
    double sum = 0.0;
    for (int i = 0; i < draws; i++) {
        const double x = ng_rng_normal(&rng);
        sum += previous * x;
        previous = x;
    }
    ck_assert_double_lt(fabs(sum / draws), normal_critical / sqrt(draws));
}
END_TEST

static const double gamma_shapes[] = {0.05, 0.5, 1.0, 1.5, 7.0, 300.0, 1e6};

START_TEST(log_gamma_passes_kolmogorov) {
    const double shape = gamma_shapes[_i];
    ng_rng rng = start(100 + (uint64_t)_i);
    for (int i = 0; i < draws; i++)
        probabilities[i] =
            ngi_gamma_p(shape, exp(ng_rng_log_gamma(&rng, shape)));
    ck_assert_double_lt(kolmogorov(probabilities, draws), kolmogorov_critical);
}
END_TEST

START_TEST(log_gamma_has_the_mean_digamma_and_the_variance_trigamma) {
    const double shapes[] = {1e-300, 1e-5, 0.3, 4.0, 1e10};
    const double shape = shapes[_i];
    ng_rng rng = start(200 + (uint64_t)_i);
    const double mean = ngi_digamma(shape);
    const double spread =
        shape < 1e-100 ? 1.0 / shape : sqrt(ngi_trigamma(shape));
    double first = 0.0;
    double second = 0.0;
    for (int i = 0; i < draws; i++) {
        const double x = ng_rng_log_gamma(&rng, shape);
        ck_assert(isfinite(x));
        const double z = (x - mean) / spread;
        first += z;
        second += z * z;
    }
    ck_assert_double_lt(fabs(first / draws), normal_critical / sqrt(draws));
    /* The kurtosis lies between 3 (normal) and 9 (exponential). */
    ck_assert_double_lt(fabs(second / draws - 1.0),
                        normal_critical * sqrt(8.0 / draws));
}
END_TEST

static const double poisson_means[] = {0.01, 0.7,  5.0,   9.99,
                                       10.0, 30.0, 400.0, 1e6};

/* A draw k is spread uniformly over the step of the distribution function at
 * k, which makes the probabilities exactly uniform. */
START_TEST(poisson_passes_kolmogorov) {
    const double mean = poisson_means[_i];
    ng_rng rng = start(300 + (uint64_t)_i);
    ng_rng spread = start(400 + (uint64_t)_i);
    for (int i = 0; i < draws; i++) {
        const double k = ng_rng_poisson(&rng, mean);
        ck_assert(k >= 0.0 && k == floor(k));
        const double above = ngi_gamma_q(k + 1.0, mean);
        const double below = k > 0.0 ? ngi_gamma_q(k, mean) : 0.0;
        probabilities[i] = below + (above - below) * ng_rng_uniform(&spread);
    }
    ck_assert_double_lt(kolmogorov(probabilities, draws), kolmogorov_critical);
}
END_TEST

START_TEST(poisson_is_normal_where_whole_numbers_are_no_longer_doubles) {
    /* At 1e18 the spacing of doubles is 128, the standard deviation 1e9. */
    const double mean = 1e18;
    ng_rng rng = start(501);
    double first = 0.0;
    double second = 0.0;
    for (int i = 0; i < draws; i++) {
        const double z = (ng_rng_poisson(&rng, mean) - mean) / sqrt(mean);
        probabilities[i] = ngi_ndtr(z);
        first += z;
        second += z * z;
    }
    ck_assert_double_lt(kolmogorov(probabilities, draws), kolmogorov_critical);
    ck_assert_double_lt(fabs(first / draws), normal_critical / sqrt(draws));
    ck_assert_double_lt(fabs(second / draws - 1.0),
                        normal_critical * sqrt(2.0 / draws));
}
END_TEST

START_TEST(poisson_is_the_mean_where_doubles_are_coarser_than_the_spread) {
    const double mean = 1e40;
    ng_rng rng = start(500);
    double first = 0.0;
    double second = 0.0;
    for (int i = 0; i < draws; i++) {
        const double z = (ng_rng_poisson(&rng, mean) - mean) / sqrt(mean);
        first += z;
        second += z * z;
    }
    /* The spacing of doubles at 1e40 is 1e4 times the standard deviation, so
     * that only the exact mean is within reach. */
    ck_assert_double_eq(first, 0.0);
    ck_assert_double_eq(second, 0.0);
}
END_TEST

START_TEST(samplers_reject_what_lies_outside_their_domain) {
    ng_rng rng = start(1);
    ck_assert_double_nan(ng_rng_log_gamma(&rng, 0.0));
    ck_assert_double_nan(ng_rng_log_gamma(&rng, -1.0));
    ck_assert_double_nan(ng_rng_log_gamma(&rng, NAN));
    ck_assert_double_nan(ng_rng_poisson(&rng, -1.0));
    ck_assert_double_nan(ng_rng_poisson(&rng, NAN));
    ck_assert_double_eq(ng_rng_poisson(&rng, 0.0), 0.0);
    ck_assert(isfinite(ng_rng_poisson(&rng, 1e308)));
    ck_assert(isfinite(ng_rng_log_gamma(&rng, 1e308)));
    ck_assert(isfinite(ng_rng_log_gamma(&rng, 4.9e-324)));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("rng");
    TCase *generator = tcase_create("generator");
    tcase_add_test(generator, philox_gives_the_published_known_answers);
    tcase_add_test(generator,
                   position_carries_into_its_high_word_and_not_the_stream);
    tcase_add_test(generator, a_copy_repeats_the_draws_and_a_stream_differs);
    tcase_add_test(generator,
                   uniform_is_inside_the_open_interval_at_both_extremes);
    suite_add_tcase(suite, generator);
    TCase *samplers = tcase_create("samplers");
    tcase_set_timeout(samplers, 60.0);
    tcase_add_test(samplers, uniform_passes_kolmogorov);
    tcase_add_test(samplers, normal_passes_kolmogorov_and_has_its_moments);
    tcase_add_test(samplers, normal_draws_do_not_depend_on_their_neighbours);
    tcase_add_loop_test(samplers, log_gamma_passes_kolmogorov, 0, 7);
    tcase_add_loop_test(
        samplers, log_gamma_has_the_mean_digamma_and_the_variance_trigamma, 0,
        5);
    tcase_add_loop_test(samplers, poisson_passes_kolmogorov, 0, 8);
    tcase_add_test(samplers,
                   poisson_is_normal_where_whole_numbers_are_no_longer_doubles);
    tcase_add_test(
        samplers,
        poisson_is_the_mean_where_doubles_are_coarser_than_the_spread);
    tcase_add_test(samplers, samplers_reject_what_lies_outside_their_domain);
    suite_add_tcase(suite, samplers);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
