/* The divergence of two Student t, which has no closed form.
 *
 * The integral is taken over v with y = location0 + scale0 sqrt(df0) sinh v,
 * in which p0 has the density cosh(v)^-df0 / B(df0/2, 1/2): tails of any
 * weight become exponential. With D = log p1 - log p0 two integrands serve:
 *
 *   near:  p0 (e^D - 1 - D), never negative, so that nothing cancels;
 *   far:  -p0 D, which has no spike where p1 is much narrower than p0.
 *
 * For short steps D is itself a difference that cancels. There it is taken
 * as the line integral of the score from z0 to z1, by Gauss's rule. */
#include "family/family.h"
#include "family/student_t.h"
#include "numerics/special.h"

#include <math.h>
#include <stdbool.h>

enum { NODES = 8 };
/* Gauss-Legendre on (0, 1), DLMF 3.5. */
static const double NODE[NODES] = {0.0198550717512318842, 0.10166676129318663,
                                   0.237233795041835507,  0.408282678752175098,
                                   0.591717321247824902,  0.762766204958164493,
                                   0.89833323870681337,   0.980144928248768116};
static const double WEIGHT[NODES] = {
    0.0506142681451881296, 0.111190517226687235, 0.156853322938943644,
    0.181341891689180991,  0.181341891689180991, 0.156853322938943644,
    0.111190517226687235,  0.0506142681451881296};

typedef struct divergence {
    double df0, df1;
    double shift;             /* (location1 - location0) / (scale0 sqrt(df0)) */
    double log_scale, log_df; /* changes from z0 to z1 */
    double log_contraction;   /* -(log_scale + log_df / 2) */
    double constant;          /* c(df1 / 2) - c(df0 / 2) - log_scale */
    double log_norm;          /* log of 1 / B(df0/2, 1/2) */
    double unit;              /* v = unit * t */
    bool is_short, is_near;
    /* at the nodes of the line: */
    double df[NODES], slope[NODES], growth[NODES];
} divergence;

/* u0 = sinh v, and log(1 + u0^2) = 2 log cosh v. */
static double log_cosh_twice(double v) {
    double u = sinh(v);
    return fabs(v) < 1 ? log1p(u * u)
                       : 2 * (fabs(v) - NGI_LOG_2 + log1p(exp(-2 * fabs(v))));
}

/* log(1 + u^2), u = (sinh v - shift) e^log_factor, without overflow. */
static double log_quadratic(double v, double shift, double log_factor) {
    if (fabs(v) < 300) {
        double difference = ngi_family_finite(sinh(v) - shift);
        double u = difference * ngi_family_exp(log_factor);
        if (fabs(u) < 1e150)
            return log1p(u * u);
        return 2 * (log(fabs(difference)) + log_factor);
    }
    double ratio = 2 * shift * exp(-fabs(v)) * copysign(1, v);
    double log_difference = fabs(v) - NGI_LOG_2 + log(fabs(1 - ratio));
    return ngi_softplus(2 * (log_difference + log_factor));
}

/* The score at node k along (shift, log_scale, log_df), see student_t.c. */
static double directional_score(const divergence *g, size_t k, double v) {
    double t = NODE[k], df = g->df[k];
    double a = 1, b = 0, ub = 0, bend;
    if (fabs(v) < 300) {
        double u = (sinh(v) - t * g->shift) * g->growth[k];
        b = 1 / (1 + u * u);
        ub = u * b;
        a = u * ub;
        bend = fabs(u) < 1 ? ngi_log1pmx(-a) : a - log1p(u * u);
    } else {
        bend = 1 - log_quadratic(v, t * g->shift, t * g->log_contraction);
    }
    double location = (df + 1) * (ub * g->shift * g->growth[k]);
    double scale = df * a - b;
    double freedom = 0.5 * df * (g->slope[k] + bend) + 0.5 * a;
    return location + scale * g->log_scale + freedom * g->log_df;
}

static double log_ratio_line(const divergence *g, double v) {
    double sum = 0;
    for (size_t k = 0; k < NODES; k++)
        sum += WEIGHT[k] * directional_score(g, k, v);
    return sum;
}

static double log_ratio(const divergence *g, double v) {
    if (g->is_short)
        return log_ratio_line(g, v);
    double w0 = log_cosh_twice(v);
    double w1 = log_quadratic(v, g->shift, g->log_contraction);
    if (w0 > 0.5 || w1 > 0.5 || fabs(g->log_scale) > 1)
        return g->constant - 0.5 * ((g->df1 + 1) * w1 - (g->df0 + 1) * w0);
    /* df log(1 + r^2/df) = r^2 + df [log(1 + q) - q]: the squares are
     * subtracted first, since they cancel for large df. */
    double u = sinh(v), m = g->shift;
    double q0 = u * u, q1 = expm1(w1);
    double squares = g->df0 * ((u - m) * (u - m) * expm1(-2 * g->log_scale) -
                               m * (2 * u - m));
    return g->constant - 0.5 * (squares + g->df1 * ngi_log1pmx(q1) -
                                g->df0 * ngi_log1pmx(q0) + (w1 - w0));
}

/* log p1 in v's coordinate: log p0 + D less the terms that cancel. */
static double log_second(const divergence *g, double v) {
    double w0 = log_cosh_twice(v);
    double w1 = log_quadratic(v, g->shift, g->log_contraction);
    return g->log_norm + g->constant - 0.5 * ((g->df1 + 1) * w1 - w0);
}

static double integrand(double t, void *user) {
    const divergence *g = user;
    double v = g->unit * t;
    double log_p = g->log_norm - 0.5 * g->df0 * log_cosh_twice(v);
    double D = log_ratio(g, v);
    if (!g->is_near)
        return log_p > -740 ? -ngi_family_finite(exp(log_p) * D) : 0;
    if (D <= 1)
        return log_p > -740 ? exp(log_p) * ngi_expm1mx(D) : 0;
    /* e^D alone may overflow where p1 = p0 e^D does not. */
    double log_p1 = g->is_short ? log_p + D : log_second(g, v);
    return exp(log_p1) - (log_p > -740 ? exp(log_p) * (1 + D) : 0);
}

static void prepare(divergence *g, const double *z0, const double *z1) {
    double log_df0 = fmax(-690, fmin(z0[2], 690));
    double log_df1 = fmax(-690, fmin(z1[2], 690));
    g->df0 = exp(log_df0);
    g->df1 = exp(log_df1);
    g->log_scale = z1[1] - z0[1];
    g->log_df = log_df1 - log_df0;
    g->log_contraction = -(g->log_scale + 0.5 * g->log_df);
    g->shift = ngi_family_finite((z1[0] - z0[0]) *
                                 ngi_family_exp(-z0[1] - 0.5 * log_df0));
    double c0 = ngi_half_step(0.5 * g->df0);
    g->constant = ngi_half_step(0.5 * g->df1) - c0 - g->log_scale;
    g->log_norm = c0 + 0.5 * (log_df0 - NGI_LOG_2PI);
    g->unit = sqrt(1 + g->df0) / g->df0;
    /* In units of the width of p0's centre. */
    double width = fabs(g->shift) * sqrt(g->df0 / (1 + 1 / g->df0));
    double step = fmax(fabs(g->log_scale), width);
    g->is_short = fmax(step, fabs(g->log_df)) < 0.2 && fabs(g->shift) < 0.2;
    g->is_near =
        g->is_short || (step < 1 && fabs(g->shift) < 1 &&
                        (fabs(g->log_df) < 2 || fmin(log_df0, log_df1) > 0));
    for (size_t k = 0; k < NODES; k++) {
        g->df[k] = exp(log_df0 + NODE[k] * g->log_df);
        g->slope[k] = ngi_half_step_slope(0.5 * g->df[k]);
        g->growth[k] = ngi_family_exp(NODE[k] * g->log_contraction);
    }
}

double ngi_student_t_kl(const double *z0, const double *z1) {
    if (z0[0] == z1[0] && z0[1] == z1[1] && z0[2] == z1[2])
        return 0;
    divergence g;
    prepare(&g, z0, z1);
    /* p1's centre, where the far integrand has its logarithmic dip. */
    double centre = asinh(g.shift) / g.unit;
    double low = fmin(0, centre), high = fmax(0, centre);
    double sum = ngi_integrate(integrand, &g, -HUGE_VAL, low, 1e-13) +
                 ngi_integrate(integrand, &g, low, high, 1e-13) +
                 ngi_integrate(integrand, &g, high, HUGE_VAL, 1e-13);
    double out = g.unit * sum;
    return isnan(out) ? HUGE_VAL : fmax(0, out);
}
