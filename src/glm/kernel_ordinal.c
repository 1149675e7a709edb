/* Cumulative models of K ordered levels: P(Y <= k) = F(psi_k - eta).
 *
 * Level y is the cell (l, u) = (psi_{y-1} - eta, psi_y - eta), the outer
 * ends infinite, and its probability p = F(u) - F(l). Everything is made of
 *   up = f(u) / p,  low = f(l) / p,  slope = (f(u) - f(l)) / p,
 * for the loss is -log p and
 *   d/d eta = slope,  d/d psi_y = -up,  d/d psi_{y-1} = low.
 * Each distribution has forms of these in which neither a thin cell (g = u - l
 * small) nor a far one cancels. */
#include "family/two_parameter.h"
#include "glm/kernel.h"
#include "numerics/special.h"

#include <math.h>
#include <string.h>

typedef struct cell {
    double log_p, up, low, slope;
    /* -d2 log p: in eta (e), psi_y (u), psi_{y-1} (l) */
    double ee, eu, el, uu, ul, ll;
} cell;

/* The cell of l and u = l + g; curvatures where wanted. */
typedef void cell_at(double l, double u, double g, bool curved, cell *out);

/* ---- logit ----
 * p = F(u) S(l) (1 - e^-g), S = 1 - F. */
static void cell_logit(double l, double u, double g, bool curved, cell *c) {
    double Su = ngi_expit(-u), Fl = ngi_expit(l);
    double thin = 1 / expm1(g);
    c->log_p = -ngi_softplus(-u) - ngi_softplus(l);
    c->log_p += g < HUGE_VAL ? ngi_log1mexp(-g) : 0;
    c->up = u < HUGE_VAL ? Su + thin : 0;
    c->low = l > -HUGE_VAL ? Fl + thin : 0;
    c->slope = Su - Fl;
    if (!curved)
        return;
    double fu = Su * ngi_expit(u), fl = Fl * ngi_expit(-l);
    double both = thin * (1 + thin);
    c->ee = fu + fl;
    c->eu = -fu;
    c->el = -fl;
    c->uu = fu + both;
    c->ul = -both;
    c->ll = fl + both;
}

/* ---- probit ---- */

/* exp(-((c + t)^2 - c^2) / 2) */
static double relative_density(double t, void *user) {
    const double *centre = user;
    return exp(-t * (*centre + 0.5 * t));
}

/* log(Phi(u) - Phi(l)). A thin cell is the density at its centre times an
 * integral; else both are taken in the tail in which they are small. */
static double log_normal_cell(double l, double u, double g) {
    if (l + u > 0)
        return log_normal_cell(-u, -l, g);
    double centre = l + 0.5 * g;
    if (g * (1 + fabs(centre)) < 0.5) {
        double mass = ngi_gauss8(relative_density, &centre, -0.5 * g, 0.5 * g);
        return log(mass) - 0.5 * (centre * centre + NGI_LOG_2PI);
    }
    double above = ngi_log_ndtr(u);
    return l == -HUGE_VAL ? above
                          : above + ngi_log1mexp(ngi_log_ndtr(l) - above);
}

static double normal_ratio(double x, double log_p) {
    return isinf(x) ? 0 : exp(-0.5 * (x * x + NGI_LOG_2PI) - log_p);
}

/* f(u) - f(l) by the larger of the two. */
static double normal_slope(double l, double u, double g, const cell *c) {
    if (isinf(g))
        return c->up - c->low;
    double log_ratio = 0.5 * g * (u + l); /* log f(l) / f(u) */
    return log_ratio < 0 ? -c->up * expm1(log_ratio)
                         : c->low * expm1(-log_ratio);
}

static void cell_probit(double l, double u, double g, bool curved, cell *c) {
    c->log_p = log_normal_cell(l, u, g);
    c->up = normal_ratio(u, c->log_p);
    c->low = normal_ratio(l, c->log_p);
    double s = c->slope = normal_slope(l, u, g, c);
    if (!curved)
        return;
    /* (u f(u) - l f(l)) / p = u slope + g low = l slope + g up. */
    double by_u = s * (s + u) + (c->low > 0 ? g * c->low : 0);
    double by_l = s * (s + l) + (c->up > 0 ? g * c->up : 0);
    c->ee = fabs(u) < fabs(l) ? by_u : by_l;
    c->eu = c->up > 0 ? -c->up * (s + u) : 0;
    c->el = c->low > 0 ? c->low * (s + l) : 0;
    c->uu = c->up > 0 ? c->up * (c->up + u) : 0;
    c->ll = c->low > 0 ? c->low * (c->low - l) : 0;
    c->ul = -c->up * c->low;
}

/* ---- cloglog ----
 * F(x) = 1 - exp(-e^x). With E = e^l, D = e^u - e^l and r = D / (e^D - 1),
 *   p = e^-E (1 - e^-D),  slope = r - E,
 *   up = (e^u / D) r,  low = (E / D) (r + D). */

/* (1 - D - r) / D, from -1/2 at 0 to -1: r' = r times this. */
static double cloglog_bend(double D, double r) {
    if (D < 0.1) {
        double d2 = D * D;
        return -0.5 - D * (1. / 12 -
                           d2 * (1. / 720 - d2 * (1. / 30240 - d2 / 1209600)));
    }
    return (1 - D - r) / D;
}

/* e^-D is nothing: the cell is all that is above l. */
static void cell_above(double E, cell *c) {
    *c = (cell){.log_p = -E, .low = E, .slope = -E, .ee = E, .el = -E, .ll = E};
}

static void cell_cloglog(double l, double u, double g, bool curved, cell *c) {
    const double nothing = 745;
    double E = exp(l), D = isinf(g) ? exp(u) : E * expm1(g);
    if (D > nothing || u == HUGE_VAL) {
        cell_above(E, c);
        return;
    }
    double inner = isinf(g) ? 0 : 1 / expm1(g), outer = 1 + inner; /* / D */
    double r = D > 0 ? D / expm1(D) : 1;
    double log_D = u + (isinf(g) ? 0 : ngi_log1mexp(-g));
    c->log_p = (D > 1e-300 ? ngi_log1mexp(-D) : log_D) - E;
    c->up = outer * r;
    c->low = inner * (r + D);
    c->slope = r - E;
    if (!curved)
        return;
    double q = cloglog_bend(D, r), Drq = D * r * q;
    c->ee = E - Drq;
    c->eu = Drq * outer;
    c->el = -Drq * inner - E;
    c->uu = c->up * (inner * (r + D) - q * D);
    c->ul = -c->up * c->low;
    c->ll = c->low * (1 + inner * r);
}

/* ---- cauchit ---- */

/* pi p: the angle between the directions of l and u. */
static double cauchy_angle(double l, double u, double g) {
    if (u == HUGE_VAL)
        return l == -HUGE_VAL ? NGI_PI : atan2(1, l);
    if (l == -HUGE_VAL)
        return atan2(1, -u);
    double a = fabs(l), b = fabs(u);
    if (a > 1 && b > 1)
        return atan2(g / a / b,
                     (l < 0) == (u < 0) ? 1 + 1 / a / b : -1 + 1 / a / b);
    return atan2(g, 1 + l * u);
}

static double cauchy_height(double x) {
    return isinf(x) ? 0 : 1 / (1 + x * x);
}

static void cell_cauchit(double l, double u, double g, bool curved, cell *c) {
    double angle = cauchy_angle(l, u, g);
    double a = cauchy_height(u), b = cauchy_height(l);
    bool inner = !isinf(g);
    c->log_p = log(angle / NGI_PI);
    c->up = a / angle;
    c->low = b / angle;
    double s = c->slope = inner ? -c->up * b * (g * (u + l)) : c->up - c->low;
    if (!curved)
        return;
    /* f' = -2 x f / (1 + x^2) */
    double hu = isinf(u) ? 0 : -2 * u * a * c->up;
    double hl = isinf(l) ? 0 : -2 * l * b * c->low;
    double difference = hu - hl;
    if (inner && fmax(fabs(l), fabs(u)) < 1e70)
        difference = -2 * c->up * b * g *
                     ((1 - l * u * (2 + l * l + l * u + u * u)) * (a * b));
    c->ee = s * s - difference;
    c->eu = hu - s * c->up;
    c->el = s * c->low - hl;
    c->uu = c->up * c->up - hu;
    c->ul = -c->up * c->low;
    c->ll = c->low * c->low + hl;
}

/* ---- The kernel ---- */

static cell_at *cells_of(ng_link link) {
    switch (link) {
    case NG_LINK_PROBIT:
        return cell_probit;
    case NG_LINK_CLOGLOG:
        return cell_cloglog;
    case NG_LINK_CAUCHIT:
        return cell_cauchit;
    default:
        return cell_logit;
    }
}

static bool increasing(size_t count, const double *psi) {
    for (size_t e = 1; e < count; e++) {
        if (!(psi[e] > psi[e - 1]))
            return false;
    }
    return true;
}

static void level_cell(cell_at *at, size_t levels, const double *psi, size_t y,
                       double eta, bool curved, cell *out) {
    bool first = y == 0, last = y + 1 == levels;
    double l = first ? -HUGE_VAL : psi[y - 1] - eta;
    double u = last ? HUGE_VAL : psi[y] - eta;
    at(l, u, first || last ? HUGE_VAL : psi[y] - psi[y - 1], curved, out);
}

/* Where a row's curvatures go: psi's lower triangle, and cross at a stride. */
typedef struct sums {
    size_t extras, stride;
    double *cross, *psi;
} sums;

/* Adds scale times the curvatures of the cell of level y, cross as it is. */
static void add_curvature(const sums *to, size_t y, const cell *c, double scale,
                          double cross_scale) {
    size_t E = to->extras;
    if (to->cross && y < E)
        to->cross[y * to->stride] += cross_scale * c->eu;
    if (to->cross && y > 0)
        to->cross[(y - 1) * to->stride] += cross_scale * c->el;
    if (!to->psi)
        return;
    if (y < E)
        to->psi[y * E + y] += scale * c->uu;
    if (y > 0)
        to->psi[(y - 1) * E + y - 1] += scale * c->ll;
    if (y > 0 && y < E)
        to->psi[y * E + y - 1] += scale * c->ul;
}

/* The expectation: the outer product of each level's score, times its
 * probability. */
static double expected_row(cell_at *at, size_t levels, const double *psi,
                           double eta, double w, const sums *to) {
    double ee = 0;
    for (size_t y = 0; y < levels; y++) {
        cell c;
        level_cell(at, levels, psi, y, eta, false, &c);
        double p = exp(c.log_p);
        if (p == 0)
            continue;
        ee += p * c.slope * c.slope;
        c.eu = -c.slope * c.up;
        c.el = c.slope * c.low;
        c.uu = c.up * c.up;
        c.ul = -c.up * c.low;
        c.ll = c.low * c.low;
        add_curvature(to, y, &c, w * p, p);
    }
    return ee;
}

/* The same under logit for a few levels, where the exponentials of the gaps
 * serve all rows and one more serves each threshold. */
enum { FEW_LEVELS = 32 };

typedef struct gaps {
    double width[FEW_LEVELS]; /* 1 - e^-g, 1 for the outer levels */
    double thin[FEW_LEVELS];  /* 1 / (e^g - 1), 0 for them */
} gaps;

static void make_gaps(size_t levels, const double *psi, gaps *out) {
    for (size_t y = 0; y < levels; y++) {
        bool outer = y == 0 || y + 1 == levels;
        double g = outer ? HUGE_VAL : psi[y] - psi[y - 1];
        out->width[y] = -expm1(-g);
        out->thin[y] = 1 / expm1(g);
    }
}

static double expected_logit(const gaps *all, size_t levels, const double *psi,
                             double eta, double w, const sums *to) {
    double ee = 0, Fl = 0, Sl = 1; /* at the lower end */
    for (size_t y = 0; y < levels; y++) {
        bool first = y == 0, last = y + 1 == levels;
        double x = last ? HUGE_VAL : psi[y] - eta, e = exp(-fabs(x));
        double large = 1 / (1 + e), small = e * large;
        double Fu = x > 0 ? large : small, Su = x > 0 ? small : large;
        double p = Fu * Sl * all->width[y], slope = Su - Fl;
        double up = last ? 0 : Su + all->thin[y];
        double low = first ? 0 : Fl + all->thin[y];
        cell c = {.eu = -slope * up,
                  .el = slope * low,
                  .uu = up * up,
                  .ul = -up * low,
                  .ll = low * low};
        ee += p * slope * slope;
        add_curvature(to, y, &c, w * p, p);
        Fl = Fu;
        Sl = Su;
    }
    return ee;
}

static void score_row(size_t levels, size_t i, size_t y, double w,
                      const cell *c, const ngi_glm_terms *out) {
    if (out->loss)
        out->loss[i] = isnan(c->log_p) ? HUGE_VAL : -c->log_p;
    if (out->score)
        out->score[i] = c->slope;
    if (!out->psi_score || w == 0)
        return;
    if (y + 1 < levels)
        out->psi_score[y] -= w * c->up;
    if (y > 0)
        out->psi_score[y - 1] += w * c->low;
}

static void terms(const ngi_glm_kernel *k, size_t n, const double *eta,
                  const double *psi, const double *y, const double *w,
                  const ngi_glm_terms *out, double *work) {
    (void)work;
    cell_at *at = cells_of(k->link);
    bool few = at == cell_logit && k->levels <= FEW_LEVELS;
    gaps all;
    bool curvature = out->curvature || out->cross || out->psi_curvature;
    if (out->cross)
        memset(out->cross, 0, n * k->extras * sizeof *out->cross);
    if (!increasing(k->extras, psi)) {
        for (size_t i = 0; out->loss && i < n; i++)
            out->loss[i] = HUGE_VAL;
        return;
    }
    if (few)
        make_gaps(k->levels, psi, &all);
    for (size_t i = 0; i < n; i++) {
        size_t level = (size_t)y[i];
        double weight = w ? w[i] : 1, ee;
        sums to = {k->extras, n, out->cross ? out->cross + i : NULL,
                   weight == 0 ? NULL : out->psi_curvature};
        cell c;
        level_cell(at, k->levels, psi, level, eta[i],
                   curvature && out->observed, &c);
        score_row(k->levels, i, level, weight, &c, out);
        if (!curvature)
            continue;
        if (out->observed) {
            ee = c.ee;
            add_curvature(&to, level, &c, weight, 1);
        } else if (few) {
            ee = expected_logit(&all, k->levels, psi, eta[i], weight, &to);
        } else {
            ee = expected_row(at, k->levels, psi, eta[i], weight, &to);
        }
        if (out->curvature)
            out->curvature[i] = ee;
    }
}

/* p_j and its derivatives: f(l) - f(u) in eta, f(u) in psi_j, -f(l) in
 * psi_{j-1}. */
static void probabilities(const ngi_glm_kernel *k, size_t n, const double *eta,
                          const double *psi, double *p, double *dp,
                          double *dpsi) {
    cell_at *at = cells_of(k->link);
    size_t K = k->levels, E = k->extras;
    if (dpsi)
        memset(dpsi, 0, n * K * E * sizeof *dpsi);
    for (size_t i = 0; i < n * K; i++) {
        size_t j = i % K;
        cell c;
        level_cell(at, K, psi, j, eta[i / K], false, &c);
        p[i] = exp(c.log_p);
        if (dp)
            dp[i] = p[i] > 0 ? -p[i] * c.slope : 0;
        if (dpsi && j < E && p[i] > 0)
            dpsi[i * E + j] = p[i] * c.up;
        if (dpsi && j > 0 && p[i] > 0)
            dpsi[i * E + j - 1] = -p[i] * c.low;
    }
}

static const ngi_glm_kernel_ops OPS = {.terms = terms,
                                       .probabilities = probabilities};

void ngi_glm_kernel_ordinal(size_t levels, ng_link link, ngi_glm_kernel *out) {
    *out = (ngi_glm_kernel){.ops = &OPS,
                            .link = link,
                            .levels = levels,
                            .extras = levels - 1,
                            .psi_lower = -HUGE_VAL};
}
