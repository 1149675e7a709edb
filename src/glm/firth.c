#include "glm/firth.h"

#include "glm/firth_impl.h"

#include <math.h>
#include <string.h>

static bool is_family(const ngi_glm_kernel *kernel, const char *name) {
    return kernel->family && strcmp(kernel->family->ops->name, name) == 0;
}

bool ngi_firth_serves(const ngi_glm_kernel *kernel) {
    return kernel->extras == 0 && kernel->ops->mean &&
           (is_family(kernel, "bernoulli") || is_family(kernel, "poisson"));
}

static void describe(const ngi_firth *f, ng_report *report) {
    report->loss = f->here.loss;
    report->objective = f->here.objective;
    report->decrement = f->here.decrement;
    report->examples = f->examples;
    report->gradient_norm = 0;
    for (size_t k = 0; k < f->active; k++) {
        double g = fabs(f->here.gradient[k]) / f->scale[f->index[k]];
        report->gradient_norm = fmax(report->gradient_norm, g);
    }
}

static ng_status iterate(ngi_firth *f, const ngi_scoring_options *options,
                         ng_report *report) {
    double begun = ngi_seconds();
    f->pace = f->longest = 1;
    f->best = f->bar = HUGE_VAL;
    *report = (ng_report){0};
    for (;; report->iteration++) {
        double decrement = f->here.decrement;
        describe(f, report);
        report->step = 0;
        report->rejected = 0;
        report->kl_predicted = report->kl = 0;
        report->stop = decrement <= options->tolerance          ? NG_CONVERGED
                       : report->iteration >= options->max_iter ? NG_MAX_ITER
                                                                : NG_RUNNING;
        if (report->stop == NG_RUNNING) {
            NG_TRY(ngi_firth_advance(f, report));
            report->stop = report->step > 0 ? NG_RUNNING : NG_NO_DESCENT;
            report->kl_predicted = report->kl =
                0.5 * report->step * report->step * decrement * decrement;
            report->kl_total += report->kl;
        }
        report->seconds = ngi_seconds() - begun;
        if (options->monitor && options->monitor(options->user, report) &&
            report->stop == NG_RUNNING) {
            report->stop = NG_STOPPED;
            describe(f, report);
        }
        if (report->stop != NG_RUNNING)
            return NG_OK;
    }
}

static ng_status begin(ngi_firth *f, const double *theta) {
    bool regular;
    memcpy(f->here.theta, theta, f->width * sizeof *theta);
    NG_TRY(ngi_firth_evaluate(f, &f->here, &regular));
    if (regular)
        return NG_OK;
    for (size_t k = 0; k < f->active; k++)
        f->here.theta[f->index[k]] = 0;
    NG_TRY(ngi_firth_evaluate(f, &f->here, &regular));
    if (regular)
        return NG_OK;
    return ngi_fail(f->ctx, NG_ENUMERIC,
                    "the bias-reduced fit finds no invertible Fisher to begin "
                    "with: a finite loss at the start and columns that are no "
                    "combinations of each other are needed");
}

static void put_covariance(const ngi_firth *f, double *covariance) {
    size_t a = f->active;
    memset(covariance, 0, f->width * f->width * sizeof *covariance);
    for (size_t i = 0; i < a; i++) {
        for (size_t j = 0; j < a; j++)
            covariance[f->index[i] * f->width + f->index[j]] =
                f->here.C[i * a + j] * f->scale[f->index[i]] *
                f->scale[f->index[j]] / f->rows->total_weight;
    }
}

ng_status ngi_firth_run(ng_ctx *ctx, const ngi_glm_rows *rows,
                        const ngi_glm_kernel *kernel, const bool *held,
                        const ngi_scoring_options *options, double *theta,
                        double *covariance, ng_report *report) {
    ngi_firth f = {
        .ctx = ctx, .rows = rows, .kernel = kernel, .width = rows->width};
    ng_status status;
    if (!ngi_firth_serves(kernel))
        return ngi_fail(ctx, NG_EUNSUPPORTED,
                        "bias-reduced fits are of binomial and poisson "
                        "responses");
    f.canonical = kernel->link ==
                  (is_family(kernel, "poisson") ? NG_LINK_LOG : NG_LINK_LOGIT);
    NG_TRY_GOTO(ngi_firth_reserve(&f));
    NG_TRY_GOTO(ngi_firth_columns(&f, held));
    NG_TRY_GOTO(begin(&f, theta));
    NG_TRY_GOTO(iterate(&f, options, report));
    memcpy(theta, f.here.theta, f.width * sizeof *theta);
    if (covariance)
        put_covariance(&f, covariance);
fail:
    ngi_firth_release(&f);
    return status;
}
