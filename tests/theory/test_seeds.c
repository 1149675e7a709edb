/* Claims that are often made about the natural gradient, put right: what is
 * exact, what holds in a limit, and what does not hold. */
#include "fixture.h"

static double expit(double x) {
    return 1 / (1 + exp(-x));
}

/* ---- Invariance is of the velocity, not of a finite step ---- */

START_TEST(unit_step_in_probability_and_in_logits_differ) {
    const double y[] = {1}, half[] = {0.5}, zero[] = {0};
    double d, F, g, to;
    small s;
    ng_fit_options options = fixed_steps(NG_NATURAL, 1);
    single_open(&s, "bernoulli", NG_LINK_IDENTITY, 1, y);
    fisher_at(&s, half, NG_FISHER_EXACT, &F);
    NEAR(F, 1 / (0.5 * 0.5), 1e-14);
    natural_gradient(&s, half, 0, &d);
    NEAR(d, 0.5 - 1, 1e-15);
    /* It lands on 1, the edge of the domain, where the loss is finite only in
     * the limit. */
    NEAR(half[0] - d, 1, 1e-15);
    options.rate = 1 - 1e-9;
    take_steps(&s, &options, 1, half, &to);
    NEAR(to, 1, 1e-9);
    small_close(&s);
    single_open(&s, "bernoulli", NG_LINK_LOGIT, 1, y);
    natural_gradient(&s, zero, 0, &g);
    /* One velocity: dp = p (1 - p) dlogit. */
    NEAR(0.25 * g, d, 1e-15);
    options.rate = 1;
    take_steps(&s, &options, 1, zero, &to);
    NEAR(expit(to), 0.881, 5e-4);
    small_close(&s);
}
END_TEST

/* ---- Logistic regression is not whitened by its link ---- */

START_TEST(logistic_natural_gradient_is_not_the_plain_one) {
    usual u;
    const double theta[] = {0.3, -0.4, 0.5};
    double g[3], d[3];
    usual_open(&u, NG_LINK_LOGIT, 40, 3, 4);
    gradient_at(&u.s, theta, g);
    natural_gradient(&u.s, theta, 0, d);
    double cosine = dot(3, g, d) / norm(3, g) / norm(3, d);
    ck_assert_double_lt(cosine, 0.999);
    small_close(&u.s);
}
END_TEST

/* ---- Newton is invariant to affine changes, and not to curved ones ---- */

static double newton_step(const char *family, ng_link link, const double *y,
                          size_t rows, double start) {
    small s;
    double to;
    ng_fit_options options = fixed_steps(NG_NEWTON, 1);
    single_open(&s, family, link, rows, y);
    take_steps(&s, &options, 1, &start, &to);
    small_close(&s);
    return to;
}

START_TEST(newton_is_invariant_to_affine_changes_only) {
    const double y[] = {2, 3, 5, 4};
    const double X[] = {4, 4, 4, 4}, start[] = {0.2 / 4};
    double scaled;
    /* Of eta = 4 theta. */
    ng_fit_options options = fixed_steps(NG_NEWTON, 1);
    small s;
    small_init(&s, "poisson", 1, 4, y);
    small_linear(&s, 0, NG_LINK_LOG, 1, X);
    small_open(&s);
    take_steps(&s, &options, 1, start, &scaled);
    small_close(&s);
    double log_step = newton_step("poisson", NG_LINK_LOG, y, 4, 0.2);
    NEAR(4 * scaled, log_step, 1e-14);
    /* Of mu = e^eta: not even the velocities are one. */
    double mean = exp(0.2);
    double mean_step = newton_step("poisson", NG_LINK_IDENTITY, y, 4, mean);
    ck_assert_double_gt(fabs((mean_step - mean) / mean - (log_step - 0.2)),
                        0.1);
}
END_TEST

/* ---- Four matrices that are not the same ---- */

/* The root mean square error of the sampled Fisher over many draws. Its own
 * relative standard error is about 1/sqrt(2 x 100), so that the slope's is
 * below 0.02: a miss of 0.1 is five of them, less than 1 in 10^6 seeds. */
START_TEST(sampled_fisher_converges_as_the_square_root_of_samples) {
    enum { P = 3, SIZES = 5, DRAWS = 100 };
    const double theta[] = {0.3, -0.4, 0.5};
    double exact[P * P], F[P * P], samples[SIZES], error[SIZES];
    usual u;
    usual_open(&u, NG_LINK_PROBIT, 20, P, 6);
    fisher_at(&u.s, theta, NG_FISHER_EXACT, exact);
    ng_fisher fisher = {.kind = NG_FISHER_SAMPLED, .samples = 1, .seed = 3};
    for (size_t k = 0; k < SIZES; k++, fisher.samples *= 4) {
        double square = 0;
        for (fisher.draw = 0; fisher.draw < DRAWS; fisher.draw++) {
            fisher_of(&u.s, theta, &fisher, F);
            for (size_t j = 0; j < P * P; j++)
                square += (F[j] - exact[j]) * (F[j] - exact[j]);
        }
        samples[k] = (double)fisher.samples;
        error[k] = sqrt(square / DRAWS);
    }
    NEAR(log_slope(SIZES, samples, error), -0.5, 0.1);
    small_close(&u.s);
}
END_TEST

/* Two of one seed and draw are one; another draw is another. */
START_TEST(sampled_fisher_depends_on_seed_and_draw_alone) {
    const double theta[] = {0.3, -0.4, 0.5};
    double F[9], same[9], other[9];
    ng_fisher fisher = {.kind = NG_FISHER_SAMPLED, .samples = 2, .seed = 3};
    usual u;
    usual_open(&u, NG_LINK_PROBIT, 20, 3, 6);
    fisher_of(&u.s, theta, &fisher, F);
    fisher_of(&u.s, theta, &fisher, same);
    fisher.draw = 1;
    fisher_of(&u.s, theta, &fisher, other);
    ck_assert_mem_eq(F, same, sizeof F);
    ck_assert(distance(9, F, other) > 1e-3);
    small_close(&u.s);
}
END_TEST

/* Poisson counts of mean 2 and variance 12, under the log link: exact F =
 * mean of the model, empirical F = mean square residual. */
START_TEST(empirical_fisher_differs_away_from_the_optimum_and_at_it) {
    const double y[] = {0, 0, 0, 8}, optimum[] = {log(2)}, away[] = {log(5)};
    double exact, empirical;
    small s;
    single_open(&s, "poisson", NG_LINK_LOG, 4, y);
    fisher_at(&s, optimum, NG_FISHER_EXACT, &exact);
    fisher_at(&s, optimum, NG_FISHER_EMPIRICAL, &empirical);
    NEAR(exact, 2, 1e-14);
    NEAR(empirical, 12, 1e-13);
    fisher_at(&s, away, NG_FISHER_EXACT, &exact);
    fisher_at(&s, away, NG_FISHER_EMPIRICAL, &empirical);
    NEAR(exact, 5, 1e-14);
    NEAR(empirical, 21, 1e-13);
    small_close(&s);
}
END_TEST

/* A Bernoulli fits any sample of one proportion. */
START_TEST(empirical_fisher_is_exact_at_the_optimum_of_a_model_that_fits) {
    const double y[] = {0, 1, 1, 1}, optimum[] = {log(3)};
    double exact, empirical;
    small s;
    single_open(&s, "bernoulli", NG_LINK_LOGIT, 4, y);
    fisher_at(&s, optimum, NG_FISHER_EXACT, &exact);
    fisher_at(&s, optimum, NG_FISHER_EMPIRICAL, &empirical);
    NEAR(exact, 3.0 / 16, 1e-15);
    NEAR(empirical, 3.0 / 16, 1e-15);
    small_close(&s);
}
END_TEST

/* Generalised Gauss-Newton: J' H J with J = dz/dtheta by differences and H
 * the Hessian of the loss in the natural parameter, p (1 - p). */
START_TEST(exact_fisher_is_generalised_gauss_newton) {
    enum { P = 3, ROWS = 15 };
    const double h = 1e-5;
    double theta[] = {0.3, -0.4, 0.5}, total = 0;
    double z[ROWS], up[ROWS], down[ROWS], J[ROWS * P], F[P * P], G[P * P] = {0};
    usual u;
    usual_open(&u, NG_LINK_CLOGLOG, ROWS, P, 9);
    fisher_at(&u.s, theta, NG_FISHER_EXACT, F);
    OK(ng_model_problem_predict(u.s.problem, theta, 0, ROWS, z));
    for (size_t j = 0; j < P; j++) {
        double centre = theta[j];
        theta[j] = centre + h;
        OK(ng_model_problem_predict(u.s.problem, theta, 0, ROWS, up));
        theta[j] = centre - h;
        OK(ng_model_problem_predict(u.s.problem, theta, 0, ROWS, down));
        theta[j] = centre;
        for (size_t i = 0; i < ROWS; i++)
            J[i * P + j] = (up[i] - down[i]) / (2 * h);
    }
    for (size_t i = 0; i < ROWS; i++)
        total += u.weight[i];
    for (size_t i = 0; i < ROWS; i++) {
        double p = expit(z[i]), w = u.weight[i] / total * p * (1 - p);
        for (size_t j = 0; j < P * P; j++)
            G[j] += w * J[i * P + j / P] * J[i * P + j % P];
    }
    /* h^2/6 of third derivatives and eps/h: 1e-10. */
    ck_assert(relative_distance(P * P, F, G) < 1e-9);
    small_close(&u.s);
}
END_TEST

/* ---- The observed information may be indefinite ---- */

static void open_cauchit(small *s, const double *X, const double *y) {
    small_init(s, "bernoulli", 1, 2, y);
    small_linear(s, 0, NG_LINK_CAUCHIT, 2, X);
    small_open(s);
}

START_TEST(newton_climbs_where_the_hessian_is_indefinite) {
    const double X[] = {1, 0.2, 0.1, 1}, y[] = {1, 1}, theta[] = {-5, 0.5};
    double F[4], H[4], g[2], newton[2], d[2], unguarded[2], to[2];
    small s;
    open_cauchit(&s, X, y);
    fisher_at(&s, theta, NG_FISHER_EXACT, F);
    fisher_at(&s, theta, NG_FISHER_OBSERVED, H);
    ck_assert(smallest_eigenvalue(2, F) > 0);
    ck_assert(smallest_eigenvalue(2, H) < 0);
    ck_assert(H[0] + H[3] > 0);
    gradient_at(&s, theta, g);
    solve_linear(2, H, g, newton);
    ck_assert_double_lt(dot(2, g, newton), 0);
    for (size_t j = 0; j < 2; j++)
        unguarded[j] = theta[j] - newton[j];
    ck_assert_double_gt(change_between(&s, theta, unguarded), 0);
    natural_gradient(&s, theta, 0, d);
    ck_assert_double_gt(dot(2, g, d), 0);
    ng_fit_options options = fixed_steps(NG_NATURAL, 0.5);
    take_steps(&s, &options, 1, theta, to);
    ck_assert_double_lt(change_between(&s, theta, to), 0);
    ng_fit_options_init(&options);
    options.optimizer = NG_NEWTON;
    take_steps(&s, &options, 1, theta, to);
    ck_assert_double_lt(change_between(&s, theta, to), 0);
    small_close(&s);
}
END_TEST

/* ---- Empirical Fisher: steps of 1 / residual ---- */

START_TEST(empirical_steps_shrink_with_residuals_and_grow_near_the_fit) {
    const double y[] = {3, 3, 3};
    small s;
    single_open(&s, "normal", NG_LINK_IDENTITY, 3, y);
    ng_fit_options options = fixed_steps(NG_NATURAL, 1);
    for (double residual = 1000; residual > 1e-3; residual /= 10) {
        double from = 3 + residual, to;
        /* y and from are rounded, and so is what is left of them. */
        double rounding =
            64 * DBL_EPSILON * (from + from / residual / residual);
        options.fisher = NG_FISHER_EMPIRICAL;
        take_steps(&s, &options, 1, &from, &to);
        NEAR(from - to, 1 / residual, rounding);
        options.fisher = NG_FISHER_EXACT;
        take_steps(&s, &options, 1, &from, &to);
        NEAR(from - to, residual, rounding);
    }
    small_close(&s);
}
END_TEST

/* ---- The direction of steepest descent on the sphere of KL ---- */

static double kl_at(const small *s, const double *theta, double angle, double r,
                    double *point) {
    point[0] = theta[0] + r * cos(angle);
    point[1] = theta[1] + r * sin(angle);
    return kl_between(s, theta, point);
}

/* The point at this angle from theta whose KL is epsilon, by bisection. */
static void sphere_point(const small *s, const double *theta, double angle,
                         double epsilon, double *point) {
    double low = 0, high = 1e-6;
    while (kl_at(s, theta, angle, high, point) < epsilon)
        high *= 2;
    for (int i = 0; i < 60; i++) {
        double middle = 0.5 * (low + high);
        if (kl_at(s, theta, angle, middle, point) < epsilon)
            low = middle;
        else
            high = middle;
    }
}

static double change_at(const small *s, const double *theta, double angle,
                        double epsilon) {
    double point[2];
    sphere_point(s, theta, angle, epsilon, point);
    return change_between(s, theta, point);
}

/* A grid of directions, and ever finer ones about the best. */
static double best_angle(const small *s, const double *theta, double epsilon) {
    enum { DIRECTIONS = 90, FINER = 21, LEVELS = 5 };
    const double turn = 2 * acos(-1);
    double best = 0, lowest = HUGE_VAL, width = turn / DIRECTIONS;
    for (int i = 0; i < DIRECTIONS; i++) {
        double change = change_at(s, theta, i * width, epsilon);
        if (change < lowest)
            lowest = change, best = i * width;
    }
    for (int level = 0; level < LEVELS; level++, width /= 8) {
        double centre = best;
        for (int i = -FINER / 2; i <= FINER / 2; i++) {
            double angle = centre + 2 * width * i / FINER;
            double change = change_at(s, theta, angle, epsilon);
            if (change < lowest)
                lowest = change, best = angle;
        }
    }
    return best;
}

START_TEST(natural_direction_is_steepest_on_small_spheres_of_kl) {
    enum { RADII = 4 };
    const double theta[] = {0.6, -0.9};
    const double radii[RADII] = {1e-2, 1e-3, 1e-4, 1e-5};
    double d[2], g[2], gap[RADII];
    usual u;
    usual_open(&u, NG_LINK_PROBIT, 8, 2, 33);
    natural_gradient(&u.s, theta, 0, d);
    gradient_at(&u.s, theta, g);
    double natural = atan2(-d[1], -d[0]), plain = atan2(-g[1], -g[0]);
    for (size_t k = 0; k < RADII; k++)
        gap[k] = fabs(remainder(best_angle(&u.s, theta, radii[k]) - natural,
                                2 * acos(-1)));
    /* The gap is a multiple of the radius, sqrt(epsilon), and more of its
     * square; the search for the angle stops at 1e-5. */
    NEAR(log_slope(RADII, radii, gap), 0.5, 0.1);
    ck_assert_double_lt(gap[RADII - 1], 0.01);
    /* And it is another direction than the plain gradient's. */
    ck_assert_double_gt(fabs(remainder(plain - natural, 2 * acos(-1))), 0.1);
    small_close(&u.s);
}
END_TEST

/* ---- The KL radius ---- */

START_TEST(step_of_a_kl_radius_moves_that_far) {
    enum { RADII = 5 };
    const double theta[] = {0.3, -0.4, 1.5};
    double radii[RADII], gap[RADII];
    usual u;
    usual_open(&u, NG_LINK_LOGIT, 20, 3, 13);
    for (size_t k = 0; k < RADII; k++) {
        double to[3];
        radii[k] = pow(10, -2 - (double)k);
        for (int damped = 0; damped < 2; damped++) {
            ng_fit_options options = fixed_steps(NG_NATURAL, 1);
            options.step = NG_STEP_KL;
            options.kl = radii[k];
            options.damping = damped ? 0.1 : 0;
            take_steps(&u.s, &options, 1, theta, to);
            double moved = kl_between(&u.s, theta, to) / radii[k];
            ck_assert_double_lt(fabs(moved - 1), sqrt(radii[k]) * 3);
            if (!damped)
                gap[k] = fabs(moved - 1);
        }
    }
    /* The third derivative: relative error of the order sqrt(epsilon). */
    NEAR(log_slope(RADII, radii, gap), 0.5, 0.1);
    small_close(&u.s);
}
END_TEST

/* sqrt(2 epsilon / g'd) with the damped d falls short, because g'd = d'(F +
 * damping I)d, and damping of the Fisher's size takes half of it. */
START_TEST(damped_short_form_of_the_radius_falls_short) {
    const double theta[] = {0.3, -0.4, 1.5}, epsilon = 1e-6;
    double F[9], g[3], d[3], to[3];
    usual u;
    usual_open(&u, NG_LINK_LOGIT, 20, 3, 13);
    fisher_at(&u.s, theta, NG_FISHER_EXACT, F);
    gradient_at(&u.s, theta, g);
    natural_gradient(&u.s, theta, (F[0] + F[4] + F[8]) / 3, d);
    double length = sqrt(2 * epsilon / dot(3, g, d));
    for (size_t j = 0; j < 3; j++)
        to[j] = theta[j] - length * d[j];
    double share = kl_between(&u.s, theta, to) / epsilon;
    ck_assert_double_gt(share, 0.3);
    ck_assert_double_lt(share, 0.6);
    length = sqrt(2 * epsilon / form(3, F, d, d));
    for (size_t j = 0; j < 3; j++)
        to[j] = theta[j] - length * d[j];
    NEAR(kl_between(&u.s, theta, to) / epsilon, 1, 3 * sqrt(epsilon));
    small_close(&u.s);
}
END_TEST

START_TEST(one_wild_example_moves_the_model_by_at_most_the_radius) {
    const double X[] = {1, 0.3, 1, -0.8, 1, 1.1, 1, 40};
    const double y[] = {0.2, -0.5, 1.3, 1e6}, theta[] = {0, 1};
    const double radius = 0.01;
    double to[2];
    small s;
    small_init(&s, "normal", 1, 4, y);
    small_linear(&s, 0, NG_LINK_IDENTITY, 2, X);
    small_open(&s);
    ng_fit_options options = fixed_steps(NG_NATURAL, 1);
    options.step = NG_STEP_KL;
    options.kl = radius;
    take_steps(&s, &options, 1, theta, to);
    /* KL is quadratic here, and so the radius is exact. */
    NEAR(kl_between(&s, theta, to), radius, 1e-12 * radius);
    options.step = NG_STEP_LINE_SEARCH;
    take_steps(&s, &options, 1, theta, to);
    ck_assert_double_le(kl_between(&s, theta, to), radius);
    options = fixed_steps(NG_GRADIENT, 0.1);
    take_steps(&s, &options, 1, theta, to);
    ck_assert_double_gt(kl_between(&s, theta, to), 1e6 * radius);
    small_close(&s);
}
END_TEST

static void add(TCase *tests) {
    tcase_add_test(tests, unit_step_in_probability_and_in_logits_differ);
    tcase_add_test(tests, logistic_natural_gradient_is_not_the_plain_one);
    tcase_add_test(tests, newton_is_invariant_to_affine_changes_only);
    tcase_add_test(tests,
                   sampled_fisher_converges_as_the_square_root_of_samples);
    tcase_add_test(tests, sampled_fisher_depends_on_seed_and_draw_alone);
    tcase_add_test(tests,
                   empirical_fisher_differs_away_from_the_optimum_and_at_it);
    tcase_add_test(
        tests, empirical_fisher_is_exact_at_the_optimum_of_a_model_that_fits);
    tcase_add_test(tests, exact_fisher_is_generalised_gauss_newton);
    tcase_add_test(tests, newton_climbs_where_the_hessian_is_indefinite);
    tcase_add_test(tests,
                   empirical_steps_shrink_with_residuals_and_grow_near_the_fit);
    tcase_add_test(tests, natural_direction_is_steepest_on_small_spheres_of_kl);
    tcase_add_test(tests, step_of_a_kl_radius_moves_that_far);
    tcase_add_test(tests, damped_short_form_of_the_radius_falls_short);
    tcase_add_test(tests,
                   one_wild_example_moves_the_model_by_at_most_the_radius);
}

int main(void) {
    return theory_main("seeds", add);
}
