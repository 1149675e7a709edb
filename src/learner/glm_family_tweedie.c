/* Tweedie laws, Var = phi mu^power. For 1 < power < 2 they are sums of a
 * Poisson number of gamma variables: with kappa = (2 - p) / (p - 1),
 *   lambda = mu^(2-p) / (phi (2-p)),  scale = phi (p-1) mu^(p-1),
 *   P(Y = 0) = e^-lambda,
 *   p(y) = sum_{j >= 1} Poisson(j; lambda) Gamma(y; shape j kappa, scale),
 * whose terms are largest near j = y^(2-p) / (phi (2-p)) and are summed from
 * there outwards (Dunn & Smyth 2005). Their logarithms are in the saddle-point
 * form, in which nothing of the order of j cancels. */
#include "family/two_parameter.h"
#include "learner/glm_family.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>

typedef struct compound {
    double y, log_y;
    double shape; /* kappa, of one jump */
    double lambda, log_lambda, log_scale;
    double centre, spread; /* of j given y */
} compound;

static compound compound_of(double y, double mean, double phi, double power) {
    double log_mean = log(mean), a = 2 - power, b = power - 1;
    compound c = {.y = y, .log_y = log(y), .shape = a / b};
    c.log_lambda = a * log_mean - log(phi) - log(a);
    c.lambda = exp(c.log_lambda);
    c.log_scale = log(phi) + log(b) + b * log_mean;
    c.centre = exp(a * c.log_y - log(phi) - log(a));
    c.spread = sqrt(c.centre * b);
    return c;
}

/* ---- Sums over the number of jumps ---- */

static double log_jumps(const compound *c, double j) {
    double log_j = log(j);
    return ngi_gamma_constant(j) - log_j -
           j * ngi_expm1mx(c->log_lambda - log_j);
}

static double log_joint(const compound *c, double j) {
    double a = j * c->shape, u = c->log_y - log(a) - c->log_scale;
    return log_jumps(c, j) + ngi_gamma_constant(a) - a * ngi_expm1mx(u) -
           c->log_y;
}

/* P(Y <= y) given j jumps, and P(Y > y). */
static double log_below(const compound *c, double j) {
    double x = exp(c->log_y - c->log_scale);
    return log_jumps(c, j) + log(ngi_gamma_p(j * c->shape, x));
}

static double log_above(const compound *c, double j) {
    double x = exp(c->log_y - c->log_scale);
    return log_jumps(c, j) + log(ngi_gamma_q(j * c->shape, x));
}

/* So many jumps are no longer told apart: a sum over them is an integral, and
 * what it leaves of any law is normal. */
static const double COUNTLESS = 1e18;

/* log sum_{j >= 1} e^term(j), the terms having one mode, from `centre`
 * outwards. Where they are smooth on the scale of many j the sum equals the
 * trapezoidal one at 0.4 of their spread to rounding: the error is of the
 * order of exp(-2 pi^2 / 0.16). */
static double log_sum(double (*term)(const compound *c, double j),
                      const compound *c, double centre, double spread) {
    const double negligible = -42, many = 16;
    bool smooth = spread > many && centre > 12 * spread + 20;
    double step = smooth ? 0.4 * spread : 1;
    double start = smooth ? centre : fmax(1, rint(centre));
    double top = term(c, start), sum = 1, last = top;
    if (!(fabs(top) < HUGE_VAL))
        return top;
    for (int direction = 1; direction >= -1; direction -= 2) {
        double before = top;
        for (double j = start + direction * step; j >= 1;
             j += direction * step, before = last) {
            last = term(c, j);
            if (last > top) { /* not yet at the mode: rescale */
                sum = sum * exp(top - last);
                top = last;
            }
            sum += exp(last - top);
            if (last <= before && last - top - log(sum) < negligible)
                break;
        }
    }
    return top + log(sum) + log(step);
}

/* ---- Densities ---- */

static const ngi_glm_tails UNKNOWN = {(double)NAN, (double)NAN, (double)NAN};

/* A named family's law of the same power; NULL for other powers. */
static const ngi_glm_family *named(double power) {
    return power == 2 ? &ngi_glm_gamma
                      : (power == 3 ? &ngi_glm_inverse_gaussian : NULL);
}

static bool is_compound(double power) {
    return power > 1 && power < 2;
}

double ngi_tweedie_log_density(double y, double mean, double dispersion,
                               double power) {
    const ngi_glm_family *same = named(power);
    ngi_glm_law law = {.mean = mean, .dispersion = dispersion};
    if (same)
        return same->log_likelihood(&law, y, 1);
    if (!is_compound(power))
        return (double)NAN;
    compound c = compound_of(y, mean, dispersion, power);
    if (y == 0)
        return -c.lambda;
    if (c.centre > COUNTLESS)
        return log_joint(&c, c.centre) + log(c.spread) + 0.5 * log(2 * NGI_PI);
    return y > 0 ? log_sum(log_joint, &c, c.centre, c.spread) : -HUGE_VAL;
}

ngi_glm_tails ngi_tweedie_tails(double y, double mean, double dispersion,
                                double power) {
    const ngi_glm_family *same = named(power);
    ngi_glm_law law = {.mean = mean, .dispersion = dispersion};
    if (same)
        return same->tails(&law, y);
    if (!is_compound(power))
        return UNKNOWN;
    compound c = compound_of(y, mean, dispersion, power);
    double nothing = exp(-c.lambda);
    if (!(y > 0))
        return y < 0 ? (ngi_glm_tails){0, 0, 1}
                     : (ngi_glm_tails){0, nothing, -expm1(-c.lambda)};
    double low = fmin(c.centre, c.lambda), high = fmax(c.centre, c.lambda);
    if (high > COUNTLESS) {
        double z = (y - mean) / sqrt(dispersion * pow(mean, power));
        return (ngi_glm_tails){ngi_ndtr(z), 0, ngi_ndtr(-z)};
    }
    double spread = sqrt(low * (power - 1));
    ngi_glm_tails t = {0, 0, 0};
    t.below = nothing + exp(log_sum(log_below, &c, low, spread));
    t.above = exp(log_sum(log_above, &c, high, spread));
    return t;
}

typedef struct search {
    double p, mean, dispersion, power;
} search;

/* Of log y, increasing; by the smaller tail. */
static double excess(double log_y, void *user) {
    const search *s = user;
    ngi_glm_tails t =
        ngi_tweedie_tails(exp(log_y), s->mean, s->dispersion, s->power);
    return s->p < 0.5 ? t.below - s->p : (1 - s->p) - t.above;
}

double ngi_tweedie_quantile(double p, double mean, double dispersion,
                            double power) {
    const ngi_glm_family *same = named(power);
    ngi_glm_law law = {.mean = mean, .dispersion = dispersion};
    search s = {p, mean, dispersion, power};
    if (same)
        return same->quantile(&law, p);
    if (!is_compound(power) || !(mean > 0) || !isfinite(dispersion))
        return (double)NAN;
    if (p <= ngi_tweedie_tails(0, mean, dispersion, power).at)
        return 0;
    double low = log(mean), high = low, least = log(DBL_MIN);
    for (double step = 1; low > least && excess(low, &s) > 0; step *= 2)
        low -= step;
    for (double step = 1; high < -least && excess(high, &s) < 0; step *= 2)
        high += step;
    return low > least ? exp(ngi_root(excess, &s, low, high)) : 0;
}

/* ---- Deviance ---- */

/* [k(b u) / b - k(u)] / (b - 1), k(t) = e^t - 1 - t, which is the integral of
 * (e^u - e^t) e^((b - 1) t) over t from 0 to u. */
static double divergence(double b, double u) {
    if (fabs(u) > 1 || fabs(b * u) > 1) {
        double first = b == 0 ? 0 : ngi_expm1mx(b * u) / b;
        return (first - ngi_expm1mx(u)) / (b - 1);
    }
    /* sum_{n >= 2} u^n / n! (1 + b + ... + b^(n-2)) */
    double power = 0.5 * u * u, geometric = 1, sum = 0;
    for (int n = 2; n < 24; n++) {
        sum += power * geometric;
        power *= u / (n + 1);
        geometric = 1 + b * geometric;
    }
    return sum;
}

double ngi_tweedie_deviance(double y, double mean, double power) {
    double b = 2 - power, scale = 2 * pow(mean, b);
    if (y == 0)
        return b > 0 ? scale / b : HUGE_VAL;
    double near = (y - mean) / mean;
    double u = fabs(near) < 0.5 ? log1p(near) : log(y / mean);
    return scale * divergence(b, u);
}

/* ---- The family ---- */

static bool in_support(double y, double power) {
    return isfinite(y) && (power < 2 ? y >= 0 : y > 0);
}

static void kernel(const ng_family *core, ng_link link, double power,
                   size_t levels, ngi_glm_kernel *out) {
    (void)core;
    (void)levels;
    ngi_glm_kernel_tweedie(power, link, out);
}

static double start_mean(double y, double weight) {
    (void)weight;
    return y > 0 ? y : 0.1;
}

static double variance(const ngi_glm_law *law) {
    return pow(law->mean, law->power);
}

static double deviance(const ngi_glm_law *law, double y) {
    return ngi_tweedie_deviance(y, law->mean, law->power);
}

static double log_likelihood(const ngi_glm_law *law, double y, double w) {
    return w *
           ngi_tweedie_log_density(y, law->mean, law->dispersion, law->power);
}

static ngi_glm_tails tails(const ngi_glm_law *law, double y) {
    return ngi_tweedie_tails(y, law->mean, law->dispersion, law->power);
}

static double quantile(const ngi_glm_law *law, double p) {
    return ngi_tweedie_quantile(p, law->mean, law->dispersion, law->power);
}

/* Laws of one dispersion are an exponential family, of which the deviance is
 * the divergence. */
static double kl(const ngi_glm_law *from, const ngi_glm_law *to) {
    const ngi_glm_family *same = named(from->power);
    if (from->power != to->power)
        return (double)NAN;
    if (same)
        return same->kl(from, to);
    if (from->dispersion != to->dispersion)
        return (double)NAN;
    return ngi_tweedie_deviance(from->mean, to->mean, from->power) /
           (2 * from->dispersion);
}

const ngi_glm_family ngi_glm_tweedie = {
    .name = "tweedie",
    .coordinate = NG_COORDINATE_LOG,
    .link = NG_LINK_LOG,
    .links = NGI_GLM_LINK(LOG) | NGI_GLM_LINK(IDENTITY) |
             NGI_GLM_LINK(INVERSE) | NGI_GLM_LINK(SQRT),
    .dispersion = true,
    .support = "a number >= 0 (> 0 for a power of 2 or more)",
    .in_support = in_support,
    .kernel = kernel,
    .start_mean = start_mean,
    .variance = variance,
    .deviance = deviance,
    .log_likelihood = log_likelihood,
    .tails = tails,
    .quantile = quantile,
    .kl = kl,
};
