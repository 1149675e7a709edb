#include "numerics/special.h"

#include <float.h>
#include <math.h>

typedef struct integrand {
    double (*f)(double x, void *user);
    void *user;
    double a, b;
    int kind; /* 0 finite, 1 (a, inf), 2 (-inf, b), 3 the whole line */
} integrand;

/* Beyond these |t| the weight, or the distance to the end, has left the range
 * of doubles. */
static double reach(const integrand *g) {
    return g->kind == 0 ? 6.0 : 6.75;
}

/* The weighted value at t of the substituted integrand; 0 where the abscissa
 * has rounded to an end, and where f vanishes however large the weight. */
static double weighted(const integrand *g, double t) {
    const double u = 0.5 * NGI_PI * sinh(t);
    const double du = 0.5 * NGI_PI * cosh(t);
    double x;
    double dx;
    if (g->kind == 0) {
        /* x = middle + half tanh(u), measured from the nearer end. */
        const double half = 0.5 * g->b - 0.5 * g->a;
        const double e = exp(-2.0 * fabs(u));
        const double from_end = 2.0 * half * (e / (1.0 + e));
        x = u < 0.0 ? g->a + from_end : g->b - from_end;
        dx = half * (4.0 * e / ((1.0 + e) * (1.0 + e))) * du;
        if (x <= g->a || x >= g->b)
            return 0.0;
    } else if (g->kind == 3) {
        x = sinh(u);
        dx = cosh(u) * du;
    } else {
        const double e = exp(u);
        x = g->kind == 1 ? g->a + e : g->b - e;
        dx = e * du;
        if (x == (g->kind == 1 ? g->a : g->b))
            return 0.0;
    }
    if (isinf(x))
        return 0.0;
    const double value = g->f(x, g->user);
    /* Far out a product such as e^{-x^2} cosh x is 0 times infinity. */
    if (value == 0.0 || (!isfinite(value) && fabs(t) > 2.0))
        return 0.0;
    return value * dx;
}

/* Add the values at t = start, start + step, ... and their negatives. */
static void add_level(const integrand *g, double start, double step,
                      double *sum, double *size) {
    const double end = reach(g);
    for (double t = start; t <= end; t += step) {
        const double right = weighted(g, t);
        const double left = weighted(g, -t);
        *sum += right + left;
        *size += fabs(right) + fabs(left);
    }
}

double ngi_integrate(double (*f)(double x, void *user), void *user, double a,
                     double b, double tolerance) {
    if (isnan(a) || isnan(b))
        return NAN;
    if (a == b)
        return 0.0;
    if (a > b)
        return -ngi_integrate(f, user, b, a, tolerance);
    const int kind = (b >= HUGE_VAL ? 1 : 0) + (a <= -HUGE_VAL ? 2 : 0);
    const integrand g = {f, user, a, b, kind};
    double sum = weighted(&g, 0.0);
    double size = fabs(sum);
    double step = 0.5;
    add_level(&g, step, step, &sum, &size);
    double integral = step * sum;
    for (int level = 0; level < 10; level++) {
        const double previous = integral;
        step *= 0.5;
        add_level(&g, step, 2.0 * step, &sum, &size);
        integral = step * sum;
        const double target = fmax(tolerance, 4.0 * DBL_EPSILON) * step * size;
        /* The first level is too coarse for its agreement to mean much, and
         * agreement on nothing at all may be a narrow peak overlooked. */
        const int first = size > 0.0 ? 1 : 6;
        if (level >= first && fabs(integral - previous) <= target)
            break;
    }
    return integral;
}

/* Chandrupatla's test: whether inverse quadratic interpolation through the
 * three points is monotone over the bracket. */
static int quadratic_fits(double xi, double phi) {
    return phi * phi < xi && (1.0 - phi) * (1.0 - phi) < 1.0 - xi;
}

double ngi_root(double (*f)(double x, void *user), void *user, double a,
                double b) {
    /* x1 is the newest point, x2 its partner across the root, x3 the one
     * before (Chandrupatla 1997, Adv. Eng. Software 28, 145). */
    double x1 = b, x2 = a, x3 = a;
    double f1 = f(x1, user), f2 = f(x2, user), f3 = f2;
    if (!(f2 < 0.0))
        return isnan(f2) ? f2 : x2;
    if (!(f1 > 0.0))
        return isnan(f1) ? f1 : x1;
    double t = 0.5;
    for (int i = 0; i < 2200; i++) {
        const double x = x1 + t * (x2 - x1);
        const double value = f(x, user);
        const int same = (value > 0.0) == (f1 > 0.0);
        x3 = same ? x1 : x2;
        f3 = same ? f1 : f2;
        if (!same) {
            x2 = x1;
            f2 = f1;
        }
        x1 = x;
        f1 = value;
        const double best = fabs(f1) < fabs(f2) ? x1 : x2;
        const double spacing = DBL_EPSILON * fabs(best) + DBL_TRUE_MIN;
        const double limit = 0.5 * spacing / fabs(x2 - x1);
        if (f1 == 0.0 || !(limit < 0.5))
            return f1 == 0.0 ? x1 : best;
        const double xi = (x1 - x2) / (x3 - x2);
        const double phi = (f1 - f2) / (f3 - f2);
        t = 0.5;
        if (quadratic_fits(xi, phi))
            t = f1 / (f2 - f1) * (f3 / (f2 - f3)) +
                (x3 - x1) / (x2 - x1) * (f1 / (f3 - f1)) * (f2 / (f3 - f2));
        t = fmin(fmax(t, limit), 1.0 - limit);
    }
    return x1;
}
