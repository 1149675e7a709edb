/* Steps of a bias-reduced fit. F is the derivative of the score, not of the
 * adjusted one, so F^-1 U* comes near the root by a factor an iteration only,
 * and in small samples that factor may be near 1 or beyond it. Secants of the
 * steps taken make up for what F lacks. */
#include "glm/firth_impl.h"

#include "numerics/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { TRIALS = 60, IDLE = 10 };
/* Below this decrement a change of the objective drowns in its rounding: its
 * square is the change. */
static const double NEAR = 1e-6;
/* Steps that leave more of the decrement than this are slow. */
static const double SLOW = 0.3;
/* How much of the score a step by secants may leave, and one that goes too far
 * may turn around. */
static const double SHRINK = 0.7;
/* No step is expected to lower a decrement that is this small. */
static const double ROUNDING = 1e3 * DBL_EPSILON;

/* The trial's adjusted score, in the metric of where the step began: that of
 * the trial grows by itself where the Fisher fades. */
static double trial_size(const ngi_firth *f) {
    size_t a = f->active;
    const double *g = f->trial.gradient;
    double square = 0;
    for (size_t k = 0; k < a; k++)
        square += g[k] * ngi_dot(a, f->here.C + k * a, g);
    return sqrt(fmax(square, 0));
}

/* Broyden (1965): B += (s - B y) s'B / s'B y for the step s and the change y
 * of the score. */
static void learn_broyden(ngi_firth *f) {
    size_t a = f->active;
    memset(f->right, 0, a * sizeof *f->right);
    for (size_t k = 0; k < a; k++) {
        f->left[k] = f->step[k] - ngi_dot(a, f->B + k * a, f->change);
        ngi_axpy(a, f->step[k], f->B + k * a, f->right);
    }
    double scale = ngi_dot(a, f->right, f->change);
    double size = ngi_norm(a, f->right) * ngi_norm(a, f->change);
    if (!(fabs(scale) > 1e-10 * size))
        return;
    for (size_t k = 0; k < a; k++)
        ngi_axpy(a, f->left[k] / scale, f->right, f->B + k * a);
}

/* The symmetric update that keeps B positive definite (Broyden, Fletcher,
 * Goldfarb & Shanno 1970): the score is a gradient. */
static void learn_symmetric(ngi_firth *f) {
    size_t a = f->active;
    const double *s = f->step, *y = f->change;
    double curvature = ngi_dot(a, s, y);
    if (!(curvature > 1e-10 * ngi_norm(a, s) * ngi_norm(a, y)))
        return;
    for (size_t k = 0; k < a; k++)
        f->left[k] = ngi_dot(a, f->B + k * a, y) / curvature;
    double factor = 1 / curvature + ngi_dot(a, y, f->left) / curvature;
    for (size_t k = 0; k < a; k++) {
        ngi_axpy(a, factor * s[k] - f->left[k], s, f->B + k * a);
        ngi_axpy(a, -s[k], f->left, f->B + k * a);
    }
}

/* From the trial and where it began. */
static void learn(ngi_firth *f) {
    size_t a = f->active;
    if (!f->secant)
        memcpy(f->B, f->here.C, a * a * sizeof *f->B);
    f->secant = true;
    for (size_t k = 0; k < a; k++) {
        size_t j = f->index[k];
        f->step[k] = (f->trial.theta[j] - f->here.theta[j]) / f->scale[j];
        f->change[k] = f->trial.gradient[k] - f->here.gradient[k];
    }
    if (f->canonical)
        learn_symmetric(f);
    else
        learn_broyden(f);
}

static void point_by_secants(ngi_firth *f) {
    size_t a = f->active;
    for (size_t k = 0; k < a; k++)
        f->here.direction[k] = -ngi_dot(a, f->B + k * a, f->here.gradient);
}

static ng_status try_step(ngi_firth *f, double step, bool *regular) {
    memcpy(f->trial.theta, f->here.theta, f->width * sizeof *f->trial.theta);
    for (size_t k = 0; k < f->active; k++)
        f->trial.theta[f->index[k]] +=
            step * f->here.direction[k] * f->scale[f->index[k]];
    return ngi_firth_evaluate(f, &f->trial, regular);
}

static void point_by_fisher(ngi_firth *f) {
    size_t a = f->active;
    for (size_t k = 0; k < a; k++)
        f->here.direction[k] = -ngi_dot(a, f->here.C + k * a, f->here.gradient);
}

static void move(ngi_firth *f, double step, ng_report *report) {
    ngi_firth_point old = f->here;
    f->here = f->trial;
    f->trial = old;
    report->step = step;
}

static bool is_slow(const ngi_firth *f) {
    return f->trial.decrement > SLOW * f->here.decrement;
}

/* Under the canonical link the penalised likelihood judges. */
static ng_status advance_by_likelihood(ngi_firth *f, ng_report *report) {
    const ngi_firth_point *old = &f->here, *new = &f->trial;
    double step = 1;
    bool regular;
    if (f->secant)
        point_by_secants(f);
    for (; report->rejected < TRIALS; report->rejected++, step /= 2) {
        NG_TRY(try_step(f, step, &regular));
        bool better = old->decrement > NEAR ? new->objective < old->objective
                                            : trial_size(f) < old->decrement;
        if (regular && better) {
            if (f->secant || (is_slow(f) && step == 1))
                learn(f);
            move(f, step, report);
            return NG_OK;
        }
        if (old->decrement < ROUNDING)
            break;
    }
    return NG_OK;
}

/* How much of the score along the step is left, negative where the step went
 * beyond the point at which it vanishes. */
static double remainder_along(const ngi_firth *f) {
    size_t a = f->active;
    double sum = 0;
    for (size_t k = 0; k < a; k++)
        sum += f->trial.gradient[k] *
               ngi_dot(a, f->here.C + k * a, f->here.gradient);
    return sum / (f->here.decrement * f->here.decrement);
}

/* Under other links nothing is known to fall on the way: the norm of the score
 * has minima of its own. Steps follow the flow d theta = F^-1 U*, and are
 * shortened where they go too far beyond the point at which the score along
 * them vanishes. Steps by what was learned go first, and must shrink the
 * score. */
static ng_status advance_by_score(ngi_firth *f, ng_report *report) {
    bool regular, by_secants = f->secant;
    double step = by_secants ? 1 : f->pace;
    for (; report->rejected < TRIALS; report->rejected++) {
        if (by_secants)
            point_by_secants(f);
        else
            point_by_fisher(f);
        NG_TRY(try_step(f, step, &regular));
        double left = regular ? remainder_along(f) : -1;
        bool good = by_secants ? trial_size(f) < SHRINK * f->here.decrement
                               : left > -SHRINK;
        bool open = f->here.decrement < f->bar;
        if (regular && (f->secant || (is_slow(f) && open)))
            learn(f);
        f->turned = f->turned || left < 0;
        if (regular && good) {
            if (!by_secants)
                f->pace = fmin(left > 0.5 ? 2 * step : step, f->longest);
            move(f, step, report);
            return NG_OK;
        }
        if (f->here.decrement < ROUNDING)
            break;
        step = by_secants ? f->pace : step / 2;
        by_secants = false;
    }
    return NG_OK;
}

/* Where the decrement has not fallen for a while the flow is going round in
 * circles, in which case steps become shorter, or crossing a ridge, from which
 * secants would lead back: they wait until it has come down. */
static void watch(ngi_firth *f) {
    f->idle = f->here.decrement < f->best ? 0 : f->idle + 1;
    f->best = fmin(f->best, f->here.decrement);
    if (f->idle < IDLE)
        return;
    f->bar = f->best / 2;
    f->best = f->here.decrement;
    f->idle = 0;
    f->longest /= f->turned ? 2 : 1;
    f->pace = fmin(f->pace, f->longest);
    f->turned = f->secant = false;
}

ng_status ngi_firth_advance(ngi_firth *f, ng_report *report) {
    report->step = 0;
    report->rejected = 0;
    if (f->canonical)
        return advance_by_likelihood(f, report);
    watch(f);
    return advance_by_score(f, report);
}
