/* Intervals of the profile likelihood: where the signed root of twice what the
 * likelihood loses, the other parameters fitted anew, reaches a quantile
 * (McCullagh & Nelder 1989, 7.4; Venables & Ripley 2002, 8.4). */
#include "learner/glm.h"
#include "numerics/special.h"

#include <math.h>
#include <string.h>

typedef struct profile {
    ngi_glm_fit *fit;
    size_t parameter;
    double quantile;
    double best;         /* loss at the maximum */
    double estimate;     /* there */
    double *theta;       /* the last constrained fit */
    const double *slope; /* d theta / d parameter along the profile */
} profile;

/* The root at parameter = value, signed; infinite where there is no fit. */
static ng_status root_at(profile *p, double value, double *out) {
    ngi_glm_fit *fit = p->fit;
    const ng_summary *s = &fit->model->summary;
    size_t dim = fit->model->dim;
    ng_report report;
    ngi_scoring_options options = {
        .max_iter = 200, .tolerance = 1e-9, .keep_rank = true};
    double loss, move = value - p->theta[p->parameter];
    for (size_t i = 0; i < dim; i++)
        p->theta[i] += move * p->slope[i];
    p->theta[p->parameter] = value;
    ng_status status =
        ngi_scoring_run(fit->scoring, &options, p->theta, &report);
    if (status == NG_OK)
        status = ngi_scoring_evaluate(fit->scoring, p->theta, false, &loss,
                                      NULL, NULL);
    bool nowhere = status == NG_ENUMERIC;
    if (nowhere || (status == NG_OK && !isfinite(loss))) {
        memcpy(p->theta, fit->theta, dim * sizeof *p->theta);
        *out = value > p->estimate ? HUGE_VAL : -HUGE_VAL;
        return NG_OK;
    }
    NG_TRY(status);
    double lost =
        2 * (loss - p->best) * fit->data.totals.weight / s->dispersion;
    *out = copysign(sqrt(fmax(lost, 0)), value - p->estimate);
    return NG_OK;
}

/* The value on one side (sign +-1) where the root is sign x quantile. */
static ng_status find_end(profile *p, double sign, double step, double *out) {
    enum { DOUBLINGS = 40, MOST = 60 };
    double inner = p->estimate, inner_root = 0;
    double outer = p->estimate + sign * step, outer_root = 0;
    double target = sign * p->quantile;
    *out = sign * HUGE_VAL;
    for (int k = 0; k < DOUBLINGS; k++, step *= 2) {
        outer = inner + sign * step;
        NG_TRY(root_at(p, outer, &outer_root));
        if (fabs(outer_root) >= p->quantile)
            break;
        /* The likelihood has come to a level: no value is excluded. */
        if (k > 8 && fabs(outer_root - inner_root) < 1e-6)
            return NG_OK;
        inner = outer;
        inner_root = outer_root;
    }
    if (fabs(outer_root) < p->quantile)
        return NG_OK;
    /* Regula falsi with the Illinois rule: the root is nearly linear. */
    double f0 = inner_root - target, f1 = outer_root - target;
    for (int k = 0; k < MOST; k++) {
        double width = fabs(outer - inner);
        double value = isfinite(f1) ? (inner * f1 - outer * f0) / (f1 - f0)
                                    : 0.5 * (inner + outer);
        double root;
        if (width <= 1e-10 * fmax(fabs(inner), fabs(outer)) || f0 == 0)
            break;
        NG_TRY(root_at(p, value, &root));
        *out = value;
        if (fabs(root - target) <= 1e-9)
            return NG_OK;
        if ((root - target) * f1 > 0) {
            outer = value;
            f1 = root - target;
            f0 *= 0.5;
        } else {
            inner = value;
            f0 = root - target;
            f1 *= 0.5;
        }
    }
    return NG_OK;
}

static ng_status profile_one(profile *p, double *slope) {
    ngi_glm_fit *fit = p->fit;
    ng_model *model = fit->model;
    ng_parameter *shown = &model->parameter[p->parameter];
    size_t dim = model->dim, at = p->parameter;
    double variance = fit->inverse[at * dim + at];
    double error = sqrt(variance * model->summary.dispersion);
    bool known = variance > 0 && isfinite(error) && !shown->infinite;
    bool positive = strcmp(model->glm->name, "beta") == 0 && at == dim - 1;
    double step = known ? p->quantile * error : 1 + 0.25 * fabs(p->estimate),
           end[2];
    for (size_t i = 0; i < dim; i++)
        slope[i] = known ? fit->inverse[i * dim + at] / variance : 0;
    slope[at] = 1;
    p->slope = slope;
    for (int side = 0; side < 2; side++) {
        end[side] = side ? HUGE_VAL : -HUGE_VAL;
        if (shown->infinite == (side ? 1 : -1))
            continue;
        memcpy(p->theta, fit->theta, dim * sizeof *p->theta);
        NG_TRY(find_end(p, side ? 1 : -1, step, &end[side]));
    }
    shown->lower = positive ? exp(end[0]) : end[0];
    shown->upper = positive ? exp(end[1]) : end[1];
    return NG_OK;
}

ng_status ngi_glm_profile(ngi_glm_fit *fit) {
    ng_model *model = fit->model;
    const ng_summary *s = &model->summary;
    size_t dim = model->dim;
    bool *held = ngi_scoring_held(fit->scoring);
    double tail = 0.5 * (1 - s->interval_level);
    profile p = {.fit = fit};
    p.quantile = model->glm->dispersion && s->df_residual > 0
                     ? -ngi_t_quantile(tail, s->df_residual)
                     : -ngi_ndtri(tail);
    double *memory = ngi_alloc(fit->ctx, 2 * dim, sizeof *memory);
    if (!memory)
        return NG_ENOMEM;
    p.theta = memory;
    ng_status status = ngi_scoring_evaluate(fit->scoring, fit->theta, false,
                                            &p.best, NULL, NULL);
    for (size_t i = 0; status == NG_OK && i < s->parameters; i++) {
        if (held[i])
            continue;
        p.parameter = i;
        p.estimate = fit->theta[i];
        held[i] = true;
        status = profile_one(&p, memory + dim);
        held[i] = false;
        if (ngi_cancelled(fit->ctx))
            status = ngi_fail(fit->ctx, NG_ECANCELLED, "interrupted");
    }
    ngi_free(fit->ctx, memory);
    return status;
}
