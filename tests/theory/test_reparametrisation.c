/* What does and does not depend on the parametrisation. */
#include "fixture.h"

/* The quantities of the two families used here and their parametrisations:
 * the same model, with one link or another on the last block. */
typedef struct chart {
    const char *family;
    size_t block;
    ng_link link;
} chart;

static const double Y[] = {0.2, 1.9, 2.4, -0.6, 3.1};
static const double SUCCESSES[] = {1, 1, 0, 1, 1};
enum { ROWS = 5 };

static void open_chart(small *s, const chart *c) {
    bool normal = strcmp(c->family, "normal") == 0;
    small_init(s, c->family, 1, ROWS, normal ? Y : SUCCESSES);
    for (size_t b = 0; b < s->family.blocks; b++)
        small_none(s, b,
                   b == c->block ? c->link
                                 : own_link(s->family.block[b].coordinate));
    small_open(s);
}

/* theta from the family's own z, and back. */
static void to_chart(const small *s, const double *z, double *theta) {
    for (size_t b = 0; b < s->d; b++)
        ng_link_forward(s->block[b].link, s->family.block[b].coordinate, 1,
                        z + b, theta + b);
}

static void from_chart(const small *s, const double *theta, double *z,
                       double *dz) {
    for (size_t b = 0; b < s->d; b++)
        ng_link_inverse(s->block[b].link, s->family.block[b].coordinate, 1,
                        theta + b, z + b, dz + b, NULL);
}

/* The distance of the velocities of two charts at z, brought to z. */
static double velocity_gap(const chart *a, const chart *b, const double *z,
                           bool natural) {
    const chart *charts[] = {a, b};
    double velocity[2][2];
    size_t d = 0;
    for (size_t k = 0; k < 2; k++) {
        small s;
        double theta[2], back[2], dz[2];
        open_chart(&s, charts[k]);
        d = s.d;
        to_chart(&s, z, theta);
        from_chart(&s, theta, back, dz);
        if (natural)
            natural_gradient(&s, theta, 0, velocity[k]);
        else
            gradient_at(&s, theta, velocity[k]);
        for (size_t j = 0; j < d; j++)
            velocity[k][j] *= dz[j];
        small_close(&s);
    }
    return relative_distance(d, velocity[0], velocity[1]);
}

static const chart LOGIT = {"bernoulli", 0, NG_LINK_LOGIT};
static const chart PROBABILITY = {"bernoulli", 0, NG_LINK_IDENTITY};
static const chart CLOGLOG = {"bernoulli", 0, NG_LINK_CLOGLOG};
static const chart LOG_SD = {"normal", 1, NG_LINK_LOG};
static const chart SD = {"normal", 1, NG_LINK_IDENTITY};
static const chart PRECISION = {"normal", 1, NG_LINK_INVERSE_SQUARE};

static const double BERNOULLI_START[] = {-0.9};
static const double NORMAL_START[] = {-0.5, 0.7};

START_TEST(natural_velocity_is_one_in_all_parametrisations) {
    /* F^-1 g forms quotients of numbers that the links' derivatives scale:
     * some tens of roundings. */
    const double rounding = 64 * DBL_EPSILON;
    ck_assert(velocity_gap(&LOGIT, &PROBABILITY, BERNOULLI_START, true) <
              rounding);
    ck_assert(velocity_gap(&LOGIT, &CLOGLOG, BERNOULLI_START, true) < rounding);
    ck_assert(velocity_gap(&LOG_SD, &SD, NORMAL_START, true) < rounding);
    ck_assert(velocity_gap(&LOG_SD, &PRECISION, NORMAL_START, true) < rounding);
}
END_TEST

START_TEST(plain_velocity_is_not) {
    ck_assert(velocity_gap(&LOGIT, &PROBABILITY, BERNOULLI_START, false) > 0.1);
    ck_assert(velocity_gap(&LOGIT, &CLOGLOG, BERNOULLI_START, false) > 0.1);
    ck_assert(velocity_gap(&LOG_SD, &SD, NORMAL_START, false) > 0.1);
    ck_assert(velocity_gap(&LOG_SD, &PRECISION, NORMAL_START, false) > 0.1);
}
END_TEST

/* Where the run of a chart is, in z, at time 1 after `steps` steps. */
static void arrive(const chart *c, const double *z, ng_optimizer optimizer,
                   ng_integrator integrator, size_t steps, double *end) {
    small s;
    double theta[2], dz[2];
    ng_fit_options options = fixed_steps(optimizer, 1 / (double)steps);
    options.integrator = integrator;
    open_chart(&s, c);
    to_chart(&s, z, theta);
    take_steps(&s, &options, steps, theta, theta);
    from_chart(&s, theta, end, dz);
    small_close(&s);
}

enum { REFINEMENTS = 5, FIRST_STEPS = 32 };

/* The gaps at time 1 of two charts, for 32, 64, ... 512 steps. */
static void gaps(const chart *a, const chart *b, const double *z,
                 ng_optimizer optimizer, ng_integrator integrator,
                 double *steps, double *gap) {
    size_t n = FIRST_STEPS;
    for (size_t k = 0; k < REFINEMENTS; k++, n *= 2) {
        double end_a[2] = {0}, end_b[2] = {0};
        arrive(a, z, optimizer, integrator, n, end_a);
        arrive(b, z, optimizer, integrator, n, end_b);
        steps[k] = (double)n;
        gap[k] = distance(2, end_a, end_b);
    }
}

/* The order at which natural trajectories agree. With n steps the next power
 * of the step is a share of some 3/n of the gap and moves the slope by that
 * much: 0.1 where n begins. */
static void ck_order(const chart *a, const chart *b, const double *z,
                     ng_integrator integrator, double order) {
    double steps[REFINEMENTS], gap[REFINEMENTS];
    gaps(a, b, z, NG_NATURAL, integrator, steps, gap);
    double slope = -log_slope(REFINEMENTS, steps, gap);
    ck_assert_msg(fabs(slope - order) < 0.1,
                  "links %s and %s: order %.3f, expected %g",
                  ng_link_name(a->link), ng_link_name(b->link), slope, order);
}

static void ck_order_everywhere(ng_integrator integrator, double order) {
    ck_order(&LOGIT, &PROBABILITY, BERNOULLI_START, integrator, order);
    ck_order(&LOGIT, &CLOGLOG, BERNOULLI_START, integrator, order);
    ck_order(&LOG_SD, &SD, NORMAL_START, integrator, order);
    ck_order(&LOG_SD, &PRECISION, NORMAL_START, integrator, order);
    ck_order(&SD, &PRECISION, NORMAL_START, integrator, order);
}

START_TEST(euler_trajectories_agree_to_first_order) {
    ck_order_everywhere(NG_EULER, 1);
}
END_TEST

START_TEST(midpoint_trajectories_agree_to_second_order) {
    ck_order_everywhere(NG_MIDPOINT, 2);
}
END_TEST

START_TEST(geodesic_trajectories_agree_to_second_order) {
    ck_order_everywhere(NG_GEODESIC, 2);
}
END_TEST

START_TEST(plain_trajectories_never_agree) {
    double steps[REFINEMENTS], gap[REFINEMENTS];
    gaps(&LOGIT, &PROBABILITY, BERNOULLI_START, NG_GRADIENT, NG_EULER, steps,
         gap);
    ck_assert_double_gt(gap[REFINEMENTS - 1], 0.1);
    ck_assert(fabs(log_slope(REFINEMENTS, steps, gap)) < 0.1);
    gaps(&LOG_SD, &PRECISION, NORMAL_START, NG_GRADIENT, NG_EULER, steps, gap);
    ck_assert_double_gt(gap[REFINEMENTS - 1], 0.01);
    ck_assert(fabs(log_slope(REFINEMENTS, steps, gap)) < 0.1);
}
END_TEST

/* Towards the flow itself, p(t) = ybar + (p0 - ybar) e^-t for a Bernoulli, the
 * midpoint is of second order and the geodesic step of first. */
START_TEST(order_towards_the_flow) {
    static const ng_integrator INTEGRATORS[] = {NG_EULER, NG_MIDPOINT,
                                                NG_GEODESIC};
    static const double ORDERS[] = {1, 2, 1};
    const double p0 = 1 / (1 + exp(-BERNOULLI_START[0]));
    const double p1 = 0.8 + (p0 - 0.8) * exp(-1);
    const double flow = log(p1 / (1 - p1));
    for (size_t k = 0; k < 3; k++) {
        double steps[REFINEMENTS], gap[REFINEMENTS];
        size_t n = FIRST_STEPS;
        for (size_t i = 0; i < REFINEMENTS; i++, n *= 2) {
            double end;
            arrive(&LOGIT, BERNOULLI_START, NG_NATURAL, INTEGRATORS[k], n,
                   &end);
            steps[i] = (double)n;
            gap[i] = fabs(end - flow);
        }
        double slope = -log_slope(REFINEMENTS, steps, gap);
        ck_assert_msg(fabs(slope - ORDERS[k]) < 0.1, "integrator %zu: %.3f", k,
                      slope);
    }
}
END_TEST

/* With regressors and two linear blocks at once. */
START_TEST(regression_trajectories_agree_at_the_same_orders) {
    enum { N = 12, P = 2 };
    static const ng_link LINKS[] = {NG_LINK_LOG, NG_LINK_IDENTITY};
    double X[N * P], y[N], ones[N], end[2][2];
    double steps[REFINEMENTS], gap[REFINEMENTS];
    ng_rng rng;
    ng_rng_init(&rng, 3, 0);
    random_design(&rng, N, P, X);
    for (size_t i = 0; i < N; i++) {
        y[i] = 1 + X[i * P + 1] + 0.5 * ng_rng_normal(&rng);
        ones[i] = 1;
    }
    for (ng_integrator integrator = NG_EULER; integrator <= NG_GEODESIC;
         integrator++) {
        size_t n = FIRST_STEPS;
        for (size_t k = 0; k < REFINEMENTS; k++, n *= 2) {
            for (size_t l = 0; l < 2; l++) {
                double theta[] = {0, 0, l == 0 ? log(1.5) : 1.5};
                small s;
                small_init(&s, "gumbel", 1, N, y);
                small_linear(&s, 0, NG_LINK_IDENTITY, P, X);
                small_linear(&s, 1, LINKS[l], 1, ones);
                small_open(&s);
                ng_fit_options options = fixed_steps(NG_NATURAL, 1 / (double)n);
                options.integrator = integrator;
                take_steps(&s, &options, n, theta, theta);
                memcpy(end[l], theta, sizeof end[l]);
                small_close(&s);
            }
            steps[k] = (double)n;
            gap[k] = distance(2, end[0], end[1]);
        }
        double order = integrator == NG_EULER ? 1 : 2;
        ck_assert_msg(fabs(-log_slope(REFINEMENTS, steps, gap) - order) < 0.1,
                      "integrator %d: %g", (int)integrator,
                      -log_slope(REFINEMENTS, steps, gap));
    }
}
END_TEST

static void add(TCase *tests) {
    tcase_add_test(tests, natural_velocity_is_one_in_all_parametrisations);
    tcase_add_test(tests, plain_velocity_is_not);
    tcase_add_test(tests, euler_trajectories_agree_to_first_order);
    tcase_add_test(tests, midpoint_trajectories_agree_to_second_order);
    tcase_add_test(tests, geodesic_trajectories_agree_to_second_order);
    tcase_add_test(tests, plain_trajectories_never_agree);
    tcase_add_test(tests, order_towards_the_flow);
    tcase_add_test(tests, regression_trajectories_agree_at_the_same_orders);
}

int main(void) {
    return theory_main("reparametrisation", add);
}
