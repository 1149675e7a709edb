/* The loop of Fisher scoring: which Fisher to form when, how far to step, and
 * when it is over. */
#include "glm/scoring_impl.h"

#include "glm/refine.h"
#include "numerics/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Where rows x dim^2 is below this, a pass takes a millisecond or so and there
 * is nothing to be spared. */
static const double SMALL = 3e7;
/* Where rows x columns is below this, passes in double-double cost nothing. */
static const double SMALL_TO_REFINE = 2e6;
/* Cross-products of a column that is this near to a combination of earlier
 * ones have few digits left; in single precision, none. */
static const double LEAST_PIVOT = 1e-10, LEAST_PIVOT_SINGLE = 1e-3;
static const double ROUNDING_PIVOT = 1e-13, DIGITS_PIVOT = 1e-2;
/* A kept Fisher must shrink the decrement by this, or it is formed anew. */
static const double SLOW = 0.2;
/* Steps of fresh Fishers that shrink it by less than this are slow. */
static const double LAZY = 0.1;
/* Near enough for the first kept step. */
static const double CLOSE = 0.15;
/* A Fisher formed this near to the answer, in roots of nats, is the answer's:
 * standard errors differ by less. It is formed where a step promises to come
 * nearer still. */
static const double THERE = 1e-8, PROMISED = 1e-9;
/* What is left of a decrement when no digit of the estimates is missing. */
static const double EXACT = 1e-13;

typedef struct run {
    ngi_scoring *s;
    const ngi_scoring_options *options;
    size_t stride; /* one in so many blocks of rows is looked at */
    double tolerance;
    double *theta, *low, *trial, *gradient, *trial_gradient, *step;
    double loss; /* at theta */
    /* What s->F is: of theta, of double precision and all rows, and how far
     * from the answer its point was (not known: infinite). */
    bool valid, here, fine;
    double distance;
    bool factored; /* s->factor is one of an F, perhaps an earlier one */
    bool sampled;  /* that F was of a share of the rows */
    /* Where the Hessian is far from the Fisher scoring contracts slowly: then
     * it is the Hessian that is formed, if it is positive definite. */
    bool newton, refused, hessian;
    size_t slow;
    bool rank_known, thorough;     /* every Fisher in double, at every step */
    double decrement, contraction; /* NaN: not known */
    double best;                   /* smallest decrement so far */
    size_t stalled;
    double started;
    ng_report report;
} run;

/* ---- Looking at the rows ---- */

static ng_status evaluate(run *r, const double *theta, ngi_form form,
                          double *loss, double *gradient) {
    const ngi_glm_rows *rows = r->s->spec.rows;
    r->report.examples += (double)rows->rows / (double)r->stride;
    if (form != NGI_FORM_NONE)
        r->valid = false;
    return ngi_scoring_pass(r->s, r->stride, theta, form,
                            r->newton && form == NGI_FORM_DOUBLE, loss,
                            gradient);
}

/* s->F was formed at what is theta now. */
static void adopt(run *r, ngi_form form) {
    r->here = form != NGI_FORM_NONE;
    if (!r->here)
        return;
    r->valid = true;
    r->hessian = r->newton && form == NGI_FORM_DOUBLE;
    r->fine = form == NGI_FORM_DOUBLE && r->stride == 1 && !r->hessian;
    r->distance = HUGE_VAL;
    r->factored = false;
    r->sampled = r->stride > 1;
}

static ng_status refresh(run *r, ngi_form form) {
    NG_TRY(evaluate(r, r->theta, form, &r->loss, r->gradient));
    adopt(r, form);
    return NG_OK;
}

static ngi_form coarse_form(const run *r) {
    return r->s->exact || r->newton ? NGI_FORM_DOUBLE : NGI_FORM_SINGLE;
}

/* ---- The factor ---- */

/* psi that lies at its bound and is pressed against it does not move. */
static void find_bounds(run *r) {
    ngi_scoring *s = r->s;
    for (size_t i = s->p; i < s->dim; i++) {
        bool bound =
            r->theta[i] <= s->spec.kernel->psi_lower && r->gradient[i] >= 0;
        r->factored = r->factored && bound == s->bound[i];
        s->bound[i] = bound;
    }
}

bool ngi_scoring_informed(const ngi_scoring *s, size_t i) {
    for (size_t k = 0; k < s->factor.count; k++) {
        if (s->factor.active[k] == i)
            return true;
    }
    return false;
}

/* What the factor left out is aliased, and has no coefficient. */
static ng_status drop_aliased(run *r) {
    ngi_scoring *s = r->s;
    bool moved = false;
    for (size_t i = 0; i < s->dim; i++) {
        if (ngi_scoring_informed(s, i) || s->held[i] || s->bound[i])
            continue;
        s->held[i] = s->aliased[i] = true;
        moved = moved || r->theta[i] != 0;
        r->theta[i] = 0;
    }
    return moved ? refresh(r, NGI_FORM_DOUBLE) : NG_OK;
}

/* The first singular F of all rows decides what cannot be told apart; later
 * ones may be singular because weights vanish, which is another matter. */
static ng_status find_rank(run *r) {
    ngi_scoring *s = r->s;
    r->rank_known = true;
    /* By the design alone: weights may be anything at a start. With psi, by
     * F, which knows what psi and a column have in common. */
    if (s->q == 0)
        NG_TRY(ngi_factor_by_qr(s, NULL));
    else
        ngi_factor_make_partial(s, s->F, ROUNDING_PIVOT);
    return drop_aliased(r);
}

static ng_status factor_singular(run *r) {
    ngi_scoring *s = r->s;
    bool whole = r->stride == 1 && !s->spec.ridge;
    r->report.repaired = 1;
    if (whole && !r->rank_known && !r->options->keep_rank) {
        NG_TRY(find_rank(r));
        /* What remains may be a good matrix. */
        r->factored = true;
        if (ngi_factor_make(s, s->F, LEAST_PIVOT))
            return NG_OK;
    }
    if (whole && s->q == 0)
        NG_TRY(ngi_factor_by_qr(s, r->theta));
    else
        ngi_factor_make_partial(s, s->F, ROUNDING_PIVOT);
    r->factored = true;
    if (s->factor.count > 0)
        return NG_OK;
    return ngi_fail(s->ctx, NG_ENUMERIC,
                    "the Fisher information vanishes: no coefficient can be "
                    "determined");
}

/* Scales were taken from a share of the rows; the rest may hold a number that
 * is larger beyond all measure. */
static ng_status look_again(run *r) {
    ngi_scoring *s = r->s;
    if (s->scales_known || ngi_all_finite(s->dim * s->dim, s->F))
        return NG_OK;
    NG_TRY(ngi_scoring_scales(s, 1));
    return refresh(r, NGI_FORM_DOUBLE);
}

static ng_status factor(run *r) {
    ngi_scoring *s = r->s;
    find_bounds(r);
    if (r->factored)
        return NG_OK;
    if (!r->valid)
        NG_TRY(refresh(r, coarse_form(r)));
    if (r->hessian) {
        r->factored = ngi_factor_make(s, s->F, LEAST_PIVOT);
        if (r->factored)
            return NG_OK;
        r->newton = false;
        r->refused = true;
        NG_TRY(refresh(r, NGI_FORM_DOUBLE));
    }
    if (!r->fine && r->stride == 1) {
        r->factored = ngi_factor_make(s, s->F, LEAST_PIVOT_SINGLE);
        if (r->factored)
            return NG_OK;
        s->exact = true;
        NG_TRY(refresh(r, NGI_FORM_DOUBLE));
    }
    NG_TRY(look_again(r));
    r->factored = ngi_factor_make(s, s->F, LEAST_PIVOT);
    if (!r->factored)
        return factor_singular(r);
    r->rank_known = r->rank_known || r->stride == 1;
    return NG_OK;
}

/* ---- A step ---- */

/* Of what is free to move. */
static double largest(const run *r, const double *gradient) {
    const ngi_scoring *s = r->s;
    double most = 0;
    for (size_t i = 0; i < s->dim; i++) {
        if (!s->held[i] && !s->bound[i])
            most = fmax(most, fabs(gradient[i]));
    }
    return most / s->spec.dispersion;
}

/* Direction and decrement at theta. */
static ng_status measure(run *r, double *slope) {
    ngi_scoring *s = r->s;
    ng_report *report = &r->report;
    double last = r->decrement, dispersion = s->spec.dispersion;
    bool kept = r->factored && !r->here;
    NG_TRY(factor(r));
    *slope = ngi_factor_solve(s, r->gradient, r->step);
    if (!(*slope >= 0) || !ngi_all_finite(s->dim, r->step))
        return ngi_fail(s->ctx, NG_ENUMERIC,
                        "the natural gradient is not finite; expected columns "
                        "of a more usual scale");
    r->decrement = sqrt(*slope / dispersion);
    r->contraction = kept ? r->decrement / last : (double)NAN;
    if (r->here)
        r->distance = r->decrement;
    bool lazy = r->here && r->decrement > LAZY * last && r->decrement < 1;
    r->slow = lazy ? r->slow + 1 : 0;
    r->newton = r->newton || (r->slow >= 2 && !r->refused && r->stride == 1);
    report->objective = r->loss / dispersion;
    report->loss = (r->loss - ngi_scoring_penalty(s, r->theta)) / dispersion;
    report->gradient_norm = largest(r, r->gradient);
    report->decrement = r->decrement;
    return NG_OK;
}

/* Which Fisher to form at the next point: none as long as the one at hand
 * shrinks the decrement fast enough; the one that is left at the end when that
 * is near. */
static ngi_form next_form(const run *r) {
    bool known = !isnan(r->contraction);
    double expected =
        r->decrement * (known ? r->contraction : fmin(1, r->decrement));
    if (r->fine && r->distance <= THERE)
        return NGI_FORM_NONE;
    bool enough = known ? r->contraction < SLOW : r->decrement < CLOSE;
    if (r->newton && known && enough)
        return NGI_FORM_NONE;
    if (r->stride > 1 || r->thorough || r->newton ||
        expected <= fmax(PROMISED, r->tolerance))
        return NGI_FORM_DOUBLE;
    if (enough && !r->sampled)
        return NGI_FORM_NONE;
    return coarse_form(r);
}

static void move(const run *r, double length) {
    const ngi_scoring *s = r->s;
    for (size_t i = 0; i < s->dim; i++) {
        r->trial[i] = r->theta[i] - length * r->step[i];
        if (i >= s->p)
            r->trial[i] = fmax(r->trial[i], s->spec.kernel->psi_lower);
    }
}

/* What the mean of many losses cannot tell from no change. */
static double rounding(const run *r) {
    return 64 * DBL_EPSILON * (fabs(r->loss) + r->s->spec.dispersion);
}

static void exchange(double **a, double **b) {
    double *c = *a;
    *a = *b;
    *b = c;
}

/* Goes where the loss falls, halving the step until it does (Armijo); stays
 * where none does. A kept Fisher is not halved but formed anew. */
static ng_status search(run *r, double slope) {
    enum { HALVINGS = 60 };
    ngi_form form = next_form(r);
    double loss, length = 1, d = r->decrement;
    r->report.step = 0;
    for (size_t k = 0; k < HALVINGS; k++, length /= 2) {
        move(r, length);
        NG_TRY(evaluate(r, r->trial, form, &loss, r->trial_gradient));
        if (loss <= r->loss - 1e-4 * length * slope + rounding(r) &&
            isfinite(loss)) {
            exchange(&r->theta, &r->trial);
            exchange(&r->gradient, &r->trial_gradient);
            r->loss = loss;
            adopt(r, form);
            r->report.step = length;
            r->report.kl_predicted = r->report.kl =
                0.5 * length * length * d * d;
            r->report.kl_total += r->report.kl;
            return NG_OK;
        }
        r->report.rejected++;
        if (ngi_cancelled(r->s->ctx))
            return NG_OK;
        if (!r->here) {
            NG_TRY(refresh(r, coarse_form(r)));
            return NG_OK;
        }
        form = NGI_FORM_NONE;
    }
    r->report.stop = NG_NO_DESCENT;
    return NG_OK;
}

/* ---- When it is over ---- */

/* The decrement is as small as rounding lets it be: it has not been smaller
 * for a while, and what it promises is less than the loss can show. */
static bool at_rounding(run *r) {
    enum { PATIENCE = 3 };
    double promise = r->decrement * r->decrement * r->s->spec.dispersion;
    bool stalls = r->decrement > 0.95 * r->best;
    r->stalled = stalls && promise <= rounding(r) ? r->stalled + 1 : 0;
    r->best = fmin(r->best, r->decrement);
    return r->stalled >= PATIENCE;
}

/* The answer's own Fisher in double is what standard errors are made of. */
static ng_status settle(run *r, bool *over) {
    double slope;
    *over = true;
    if (r->stride > 1 || (r->fine && r->distance <= THERE))
        return NG_OK;
    if (r->fine && r->here)
        return NG_OK;
    r->newton = false;
    NG_TRY(refresh(r, NGI_FORM_DOUBLE));
    NG_TRY(measure(r, &slope));
    *over = r->decrement <= r->tolerance || r->stalled > 0;
    return NG_OK;
}

static ng_status report(run *r) {
    const ngi_scoring_options *options = r->options;
    r->report.seconds = ngi_seconds() - r->started;
    if (r->stride > 1)
        return NG_OK;
    if (options->monitor && options->monitor(options->user, &r->report) &&
        r->report.stop == NG_RUNNING)
        r->report.stop = NG_STOPPED;
    return NG_OK;
}

/* Iterations until a stop, from a theta at which F and gradient are known. */
static ng_status iterate(run *r) {
    double slope;
    r->decrement = (double)NAN;
    r->best = HUGE_VAL;
    r->stalled = 0;
    while (r->report.stop == NG_RUNNING) {
        bool over = false;
        r->report.rejected = 0;
        NG_TRY(measure(r, &slope));
        if (r->decrement <= r->tolerance || at_rounding(r))
            NG_TRY(settle(r, &over));
        if (over)
            r->report.stop = NG_CONVERGED;
        else if (ngi_cancelled(r->s->ctx))
            r->report.stop = NG_STOPPED;
        else if (r->report.iteration >= r->options->max_iter)
            r->report.stop = NG_MAX_ITER;
        else
            NG_TRY(search(r, slope));
        NG_TRY(report(r));
        if (r->report.stop == NG_RUNNING)
            r->report.iteration++;
    }
    return NG_OK;
}

/* ---- Before and after ---- */

/* A start from a share of the rows: as near to the answer as the share's own
 * error, for a share of the work. What goes wrong there does not matter. */
static ng_status prepare(run *r, size_t stride) {
    const ngi_scoring *s = r->s;
    double rows = (double)s->spec.rows->rows, dim = (double)s->dim;
    if (stride == 1)
        return NG_OK;
    memcpy(r->low, r->theta, s->dim * sizeof *r->low);
    r->stride = stride;
    r->tolerance = 0.3 * sqrt(dim * (double)stride / rows);
    NG_TRY(refresh(r, NGI_FORM_DOUBLE));
    ng_status status = isfinite(r->loss) ? iterate(r) : NG_ENUMERIC;
    bool arrived = status == NG_OK && r->report.stop == NG_CONVERGED;
    if (!arrived)
        memcpy(r->theta, r->low, s->dim * sizeof *r->theta);
    /* What it says of curvature is good for the first step of all rows. */
    r->factored = arrived && s->factor.smallest >= LEAST_PIVOT;
    memset(r->low, 0, s->dim * sizeof *r->low);
    r->stride = 1;
    r->tolerance = r->options->tolerance;
    r->report = (ng_report){.examples = r->report.examples};
    r->valid = r->here = false;
    return status == NG_ENUMERIC ? NG_OK : status;
}

/* Unit steps on gradients in double-double, as long as they help. `slow`: they
 * do, and yet they are far from done. */
static ng_status refine_steps(run *r, bool *slow) {
    enum { MOST = 12 };
    ngi_scoring *s = r->s;
    double last = HUGE_VAL, loss;
    *slow = false;
    for (size_t k = 0; k < MOST && !ngi_cancelled(s->ctx); k++) {
        NG_TRY(ngi_scoring_refined_pass(s, r->theta, r->low, &loss,
                                        r->trial_gradient));
        r->report.examples += (double)s->spec.rows->rows;
        /* The step before has left the model's domain. */
        if (!isfinite(loss) && k > 0) {
            memcpy(r->theta, r->trial, s->dim * sizeof *r->theta);
            memset(r->low, 0, s->dim * sizeof *r->low);
        }
        if (!isfinite(loss))
            return NG_OK;
        double slope = ngi_factor_solve(s, r->trial_gradient, r->step);
        double decrement = sqrt(fmax(slope, 0) / s->spec.dispersion);
        *slow = decrement > EXACT;
        if (!(decrement < 0.5 * last) || !ngi_all_finite(s->dim, r->step))
            return NG_OK;
        last = r->report.decrement = decrement;
        r->report.gradient_norm = largest(r, r->trial_gradient);
        for (size_t i = 0; i < s->dim; i++)
            r->step[i] = -r->step[i];
        memcpy(r->trial, r->theta, s->dim * sizeof *r->theta);
        ngi_refined_move(s->dim, r->step, r->theta, r->low);
        for (size_t i = s->p; i < s->dim; i++)
            r->theta[i] = fmax(r->theta[i], s->spec.kernel->psi_lower);
    }
    return NG_OK;
}

/* Whether every linear predictor has a mean. */
static bool is_everywhere(const ngi_glm_kernel *kernel) {
    switch (kernel->link) {
    case NG_LINK_LOGIT:
    case NG_LINK_PROBIT:
    case NG_LINK_CLOGLOG:
    case NG_LINK_CAUCHIT:
        return true;
    default:
        return kernel->link == NG_LINK_LOG &&
               !(kernel->family &&
                 kernel->family->block[0].coordinate == NG_COORDINATE_LOGIT);
    }
}

/* The step that was found to be short enough to stop at, for what it is worth:
 * it costs no look at the rows. */
static ng_status last_step(run *r) {
    if (r->decrement <= r->tolerance && is_everywhere(r->s->spec.kernel)) {
        move(r, 1);
        exchange(&r->theta, &r->trial);
    }
    return NG_OK;
}

/* The last digits, where they are cheap or hard to come by. Scoring contracts
 * by what the Hessian differs from the Fisher; where that is slow the last
 * steps are Newton's. */
static ng_status refine(run *r) {
    ngi_scoring *s = r->s;
    double size = (double)s->spec.rows->rows * (double)s->p, loss;
    bool slow;
    r->newton = false;
    if (s->spec.rows->streams && s->factor.smallest > LEAST_PIVOT)
        return last_step(r);
    if (size > SMALL_TO_REFINE && s->factor.smallest > 1e-6)
        return last_step(r);
    NG_TRY(refine_steps(r, &slow));
    if (slow && !s->by_qr) {
        r->valid = false;
        NG_TRY(ngi_scoring_pass(s, 1, r->theta, NGI_FORM_DOUBLE, true, &loss,
                                r->gradient));
        r->factored = false;
        if (isfinite(loss) && ngi_factor_make(s, s->F, LEAST_PIVOT))
            NG_TRY(refine_steps(r, &slow));
    }
    if (r->thorough || r->factored)
        return NG_OK;
    NG_TRY(refresh(r, NGI_FORM_DOUBLE));
    return factor(r);
}

/* Where it costs nothing the Fisher is taken at the very answer, and factored
 * from the weighted design where its square has lost digits. */
static ng_status polish(run *r) {
    ngi_scoring *s = r->s;
    r->newton = false;
    if (!r->thorough)
        return NG_OK;
    NG_TRY(refresh(r, NGI_FORM_DOUBLE));
    if (!isfinite(r->loss))
        return NG_OK;
    NG_TRY(factor(r));
    if (s->factor.smallest < DIGITS_PIVOT && s->q == 0 && !s->spec.ridge)
        NG_TRY(ngi_factor_by_qr(s, r->theta));
    return NG_OK;
}

static ng_status no_start(const run *r) {
    return ngi_fail(r->s->ctx, NG_ENUMERIC,
                    "the loss is not finite at the start; expected means "
                    "inside the link's domain");
}

/* A hundred rows a parameter are a share worth looking at. */
static size_t choose_stride(const run *r) {
    double rows = (double)r->s->spec.rows->rows, dim = (double)r->s->dim;
    double stride = fmin(32, rows / (100 * dim));
    return r->s->exact || stride < 4 ? 1 : (size_t)stride;
}

static ng_status run_all(run *r) {
    ngi_scoring *s = r->s;
    double work = (double)s->spec.rows->rows * (double)s->dim * (double)s->dim;
    s->exact = r->thorough = r->options->exact || work <= SMALL;
    memset(s->bound, 0, s->dim * sizeof *s->bound);
    size_t stride = choose_stride(r);
    NG_TRY(ngi_scoring_scales(s, stride));
    NG_TRY(prepare(r, stride));
    NG_TRY(refresh(r, r->factored ? NGI_FORM_NONE : coarse_form(r)));
    if (!isfinite(r->loss))
        return no_start(r);
    NG_TRY(iterate(r));
    if (r->report.stop == NG_CONVERGED)
        NG_TRY(refine(r));
    NG_TRY(polish(r));
    r->report.seconds = ngi_seconds() - r->started;
    return NG_OK;
}

ng_status ngi_scoring_run(ngi_scoring *s, const ngi_scoring_options *options,
                          double *theta, ng_report *report) {
    size_t d = s->dim;
    double *v = s->vectors;
    run r = {.s = s,
             .options = options,
             .stride = 1,
             .tolerance = options->tolerance,
             .theta = v,
             .low = v + d,
             .trial = v + 2 * d,
             .gradient = v + 3 * d,
             .trial_gradient = v + 4 * d,
             .step = v + 5 * d,
             .started = ngi_seconds()};
    memset(r.low, 0, d * sizeof *r.low);
    memcpy(r.theta, theta, d * sizeof *theta);
    ng_status status = run_all(&r);
    if (status == NG_ECANCELLED)
        r.report.stop = NG_STOPPED;
    memcpy(theta, r.theta, d * sizeof *theta);
    *report = r.report;
    return status;
}
