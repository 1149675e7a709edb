/* The loop: a direction, a length that the true loss agrees to, a judgement of
 * the metric. */
#include "glm/softmax_impl.h"

#include "numerics/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* A metric that contracts the decrement by less than this is made anew once
 * the distribution has moved by so many nats since it was made, if what is
 * left to do is worth it. */
static const double SLOW = 0.6, FAR = 0.02;
/* And one that does no better than this over a while, in any case. */
static const double STUCK = 0.8;
/* What a new metric may be expected to contract by. */
static const double HOPED = 0.45;
/* One factor will not do for all levels where rows differ by so much. */
static const double EXPLAINED = 0.3;
/* Where rows x coefficients is below this, passes cost nothing. */
static const double SMALL = 5e5;
/* What is left of a decrement when no digit of the estimates is missing. */
static const double EXACT = 1e-14;
/* A length below this is no matter of the loss's third derivative. */
static const double REFUSED = 0.2;

typedef struct run {
    ngi_softmax s;
    ng_ctx *ctx;
    const ngi_softmax_spec *spec;
    double *theta, *trial, *gradient, *trial_gradient, *direction, *scratch;
    double *curvature; /* s.curvature at theta */
    ngi_secants secants;
    double loss, objective;             /* at theta */
    double trial_loss, trial_objective; /* at trial */
    double moved;                       /* nats since the metric was made */
    size_t steps;                       /* since then */
    size_t patience;                    /* steps that a slow one is given */
    size_t refusals;                    /* of lengths far from 1, since then */
    double first;                       /* decrement when it was made */
    double before, last; /* decrements, two iterations and one ago */
    double started;
    ng_report report;
} run;

/* ---- Looking at the rows ---- */

static ng_status evaluate(run *r, const double *theta, double *loss,
                          double *objective, double *gradient) {
    r->report.examples += (double)r->spec->rows->rows;
    return ngi_softmax_pass(&r->s, theta, loss, objective, gradient);
}

static ng_status make_metric(run *r, bool blocks) {
    ngi_secants_clear(&r->secants);
    r->moved = 0;
    r->steps = r->refusals = 0;
    r->before = r->last = r->first = HUGE_VAL;
    return ngi_softmax_metric_make(&r->s, r->theta, r->curvature, blocks,
                                   &r->report.examples);
}

/* The direction and its decrement; without secant pairs should rounding have
 * spoilt them. */
static double direct(run *r) {
    for (;;) {
        size_t pairs = r->secants.count;
        ngi_secants_apply(&r->secants, &r->s, r->gradient, r->direction,
                          r->scratch);
        double slope = ngi_dot(r->s.dim, r->gradient, r->direction);
        if ((slope >= 0 && isfinite(slope)) || pairs == 0)
            return slope >= 0 ? sqrt(slope) : (double)NAN;
        ngi_secants_clear(&r->secants);
    }
}

/* ---- A step ---- */

/* How far rounding may take a mean loss. */
static double rounding(const run *r) {
    return 64 * DBL_EPSILON * (1 + fabs(r->objective));
}

/* Armijo's condition, or where the loss no longer shows a change the slope's
 * (Hager & Zhang 2005). */
static bool acceptable(const run *r, double length, double decrement) {
    const double least = 1e-4;
    double slope = decrement * decrement;
    double change = r->trial_objective - r->objective;
    if (!isfinite(r->trial_objective))
        return false;
    if (change <= -least * length * slope)
        return true;
    double after = -ngi_dot(r->s.dim, r->trial_gradient, r->direction);
    return change <= rounding(r) && after <= (1 - 2 * least) * slope &&
           after >= -0.9 * slope;
}

/* The minimum of the parabola through both losses and the slope. */
static double shorter(const run *r, double length, double decrement) {
    double slope = decrement * decrement;
    double bend = r->trial_objective - r->objective + length * slope;
    double best = 0.5 * slope * length * length / bend;
    if (!isfinite(best))
        return 0.5 * length;
    return fmin(0.5 * length, fmax(0.1 * length, best));
}

static void accept(run *r, double length) {
    double *theta = r->theta, *gradient = r->gradient;
    for (size_t i = 0; i < r->s.dim; i++)
        r->direction[i] = -r->direction[i];
    ngi_secants_add(&r->secants, length, r->direction, gradient,
                    r->trial_gradient);
    r->theta = r->trial;
    r->trial = theta;
    r->gradient = r->trial_gradient;
    r->trial_gradient = gradient;
    r->loss = r->trial_loss;
    r->objective = r->trial_objective;
    memcpy(r->curvature, r->s.curvature,
           2 * r->s.levels * sizeof *r->curvature);
}

/* Theta is the trial now. */
static void moved(run *r, double length, double decrement) {
    double square = length * length * decrement * decrement;
    accept(r, length);
    r->report.step = length;
    r->report.kl_predicted = r->report.kl = 0.5 * square;
    r->report.kl_total += r->report.kl;
    r->moved += square;
}

/* A metric that promises this much more than there is has not seen enough. */
static ng_status after_refusal(run *r, double *length, double *decrement) {
    r->report.rejected++;
    *length = shorter(r, *length, *decrement);
    bool blocks = r->s.metric.kind == NGI_SOFTMAX_BLOCKS;
    double cost = ngi_softmax_metric_cost(&r->s, blocks);
    if (*length > REFUSED)
        return NG_OK;
    r->refusals++;
    bool worth =
        *length <= REFUSED / (1 + cost / 5) || (double)r->refusals >= cost;
    if (!worth || !ngi_softmax_metric_improve(&r->s))
        return NG_OK;
    NG_TRY(make_metric(r, blocks));
    *decrement = direct(r);
    *length = 1;
    return NG_OK;
}

static ng_status step(run *r, double *decrement, bool *found) {
    enum { HALVINGS = 40 };
    double length = 1;
    r->report.rejected = 0;
    for (size_t k = 0; k < HALVINGS; k++) {
        for (size_t i = 0; i < r->s.dim; i++)
            r->trial[i] = r->theta[i] - length * r->direction[i];
        NG_TRY(evaluate(r, r->trial, &r->trial_loss, &r->trial_objective,
                        r->trial_gradient));
        if (acceptable(r, length, *decrement)) {
            moved(r, length, *decrement);
            *found = true;
            return NG_OK;
        }
        NG_TRY(after_refusal(r, &length, decrement));
    }
    *found = false;
    return NG_OK;
}

/* ---- Judgement ---- */

static bool converged(const run *r, double decrement) {
    const ngi_softmax_spec *spec = r->spec;
    return (spec->tolerance > 0 && decrement <= spec->tolerance) ||
           (spec->gradient_tolerance > 0 &&
            r->report.gradient_norm <= spec->gradient_tolerance) ||
           decrement == 0;
}

/* Iterations that are left at this contraction. */
static double left(const run *r, double decrement, double contraction) {
    double ratio = HUGE_VAL;
    if (r->spec->tolerance > 0)
        ratio = decrement / r->spec->tolerance;
    if (r->spec->gradient_tolerance > 0)
        ratio =
            fmin(ratio, r->report.gradient_norm / r->spec->gradient_tolerance);
    if (!isfinite(ratio))
        ratio = 1e8;
    return contraction < 1 ? log(ratio) / -log(contraction) : HUGE_VAL;
}

/* Whether a new metric here would pay: the distribution has moved away, or what
 * has moved counts for little in nats and for much in curvature. */
static bool stale(run *r, double decrement) {
    double contraction = sqrt(decrement / r->before);
    bool far = r->steps >= 3 && r->moved >= FAR && contraction > SLOW;
    if (!far && r->steps >= r->patience) {
        contraction = pow(decrement / r->first, 1 / (double)r->steps);
        far = contraction > STUCK;
        if (far)
            r->patience += r->patience / 2;
    }
    return far &&
           left(r, decrement, contraction) >
               left(r, decrement, HOPED) + ngi_softmax_metric_cost(&r->s, true);
}

static ng_status refresh(run *r, double *decrement) {
    if (stale(r, *decrement)) {
        NG_TRY(make_metric(r, true));
        *decrement = direct(r);
    }
    if (r->steps == 0)
        r->first = *decrement;
    r->before = r->last;
    r->last = *decrement;
    r->steps++;
    return NG_OK;
}

/* ---- The run ---- */

static ng_status advance(run *r) {
    double decrement = direct(r);
    bool found = true;
    r->report.loss = r->loss;
    r->report.objective = r->objective;
    r->report.gradient_norm = ngi_max_abs(r->s.dim, r->gradient);
    r->report.step = 0;
    r->report.kl_predicted = r->report.kl = 0;
    if (!converged(r, decrement))
        NG_TRY(refresh(r, &decrement));
    if (converged(r, decrement))
        r->report.stop = NG_CONVERGED;
    else if (ngi_cancelled(r->ctx))
        r->report.stop = NG_STOPPED;
    else if (r->report.iteration >= r->spec->max_iter)
        r->report.stop = NG_MAX_ITER;
    else
        NG_TRY(step(r, &decrement, &found));
    r->report.decrement = decrement;
    /* Nothing is lower that rounding could tell. */
    if (!found)
        r->report.stop =
            decrement * decrement <= rounding(r) ? NG_CONVERGED : NG_NO_DESCENT;
    return NG_OK;
}

static ng_status iterate(run *r) {
    while (r->report.stop == NG_RUNNING) {
        ng_status status = advance(r);
        if (status == NG_ECANCELLED)
            r->report.stop = NG_STOPPED;
        else if (status != NG_OK)
            return status;
        r->report.seconds = ngi_seconds() - r->started;
        if (r->spec->monitor && r->spec->monitor(r->spec->user, &r->report) &&
            r->report.stop == NG_RUNNING)
            r->report.stop = NG_STOPPED;
        if (r->report.stop == NG_RUNNING)
            r->report.iteration++;
    }
    return NG_OK;
}

/* The last digits, where they are cheap: iterations go on unseen. */
static ng_status refine(run *r) {
    const ngi_softmax_spec *spec = r->spec;
    double size = (double)spec->rows->rows * (double)r->s.dim;
    ng_report report = r->report;
    ngi_softmax_spec finer = *spec;
    if (size > SMALL || !(spec->tolerance > EXACT))
        return NG_OK;
    finer.tolerance = EXACT;
    finer.gradient_tolerance = 0;
    finer.max_iter = report.iteration + 50;
    finer.monitor = NULL;
    r->spec = &finer;
    r->report.stop = NG_RUNNING;
    ng_status status = iterate(r);
    r->spec = spec;
    report.gradient_norm = r->report.gradient_norm;
    report.decrement = r->report.decrement;
    report.examples = r->report.examples;
    report.seconds = r->report.seconds;
    r->report = report;
    return status;
}

/* As many secant pairs as memory of a hundredth of the design holds. */
static size_t pairs(const ngi_softmax *s) {
    double most = 0.01 * (double)s->spec->rows->rows / (double)s->outputs;
    return (size_t)fmin(20, fmax(5, most));
}

static ng_status create(run *r, const double *theta) {
    NG_TRY(ngi_softmax_create(r->ctx, r->spec, &r->s));
    size_t dim = r->s.dim;
    r->scratch =
        ngi_alloc(r->ctx, 6 * dim + 2 * r->s.levels, sizeof *r->scratch);
    if (!r->scratch)
        return NG_ENOMEM;
    r->theta = r->scratch + dim;
    r->trial = r->theta + dim;
    r->gradient = r->trial + dim;
    r->trial_gradient = r->gradient + dim;
    r->direction = r->trial_gradient + dim;
    r->curvature = r->direction + dim;
    memcpy(r->theta, theta, dim * sizeof *theta);
    return ngi_secants_create(r->ctx, dim, pairs(&r->s), &r->secants);
}

static ng_status start(run *r) {
    NG_TRY(evaluate(r, r->theta, &r->loss, &r->objective, r->gradient));
    if (!isfinite(r->objective) || !ngi_all_finite(r->s.dim, r->gradient))
        return ngi_fail(r->ctx, NG_ENUMERIC,
                        "the loss is not finite at the start; expected finite "
                        "columns and coefficients");
    memcpy(r->curvature, r->s.curvature,
           2 * r->s.levels * sizeof *r->curvature);
    return make_metric(r,
                       ngi_softmax_explained(&r->s, r->curvature) > EXPLAINED);
}

ng_status ngi_softmax_run(ng_ctx *ctx, const ngi_softmax_spec *spec,
                          double *theta, ng_report *report) {
    run r = {
        .ctx = ctx, .spec = spec, .patience = 12, .started = ngi_seconds()};
    ng_status status;
    NG_TRY_GOTO(create(&r, theta));
    NG_TRY_GOTO(start(&r));
    NG_TRY_GOTO(iterate(&r));
    if (r.report.stop == NG_CONVERGED)
        NG_TRY_GOTO(refine(&r));
    memcpy(theta, r.theta, r.s.dim * sizeof *theta);
    *report = r.report;
fail:
    ngi_secants_release(ctx, &r.secants);
    ngi_free(ctx, r.scratch);
    ngi_softmax_release(&r.s);
    return status;
}
