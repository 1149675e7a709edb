/* From a direction to a point: how the flow d theta / dt = direction(theta)
 * is followed for one step of length h.
 *
 *   Euler      theta + h d
 *   midpoint   theta + h d(theta + h d / 2): agrees between parametrisations,
 *              and with the flow, to second order
 *   geodesic   theta + h d - h^2/2 F^-1 Gamma(d, d): the geodesic that leaves
 *              theta along d, to second order (Song, Song & Ermon 2018)
 */
#include "loop/loop.h"

#include "numerics/linalg.h"

#include <math.h>
#include <string.h>

static ng_status retract(ng_fit *fit, const double *delta, double *point) {
    ng_problem *problem = fit->problem;
    if (problem->ops->retract)
        return problem->ops->retract(problem, fit->theta, delta, point);
    memcpy(point, fit->theta, problem->dim * sizeof *point);
    ngi_axpy(problem->dim, 1, delta, point);
    return NG_OK;
}

static ng_status euler(ng_fit *fit, double length, double *point) {
    size_t d = fit->problem->dim;
    for (size_t j = 0; j < d; j++)
        fit->scratch[j] = length * fit->direction[j];
    return retract(fit, fit->scratch, point);
}

static ng_status midpoint(ng_fit *fit, double length) {
    size_t d = fit->problem->dim;
    double loss, objective;
    NG_TRY(euler(fit, 0.5 * length, fit->trial));
    NG_TRY(ng_metric_update(fit->metric, fit->trial, &loss, &objective,
                            fit->scratch1));
    fit->report.examples += (double)fit->problem->rows;
    /* A middle outside the domain makes the trial one that is refused. */
    if (!isfinite(objective) || !ngi_all_finite(d, fit->scratch1))
        return NG_OK;
    NG_TRY(ng_metric_factor(fit->metric, fit->damping));
    NG_TRY(ng_metric_solve(fit->metric, fit->scratch1, fit->scratch));
    for (size_t j = 0; j < d; j++)
        fit->scratch[j] *= -length;
    return retract(fit, fit->scratch, fit->trial);
}

static ng_status geodesic(ng_fit *fit, double length) {
    size_t d = fit->problem->dim;
    const ng_problem_ops *ops = fit->problem->ops;
    NG_TRY(ops->connection(fit->problem, fit->theta, fit->direction,
                           fit->scratch1));
    fit->report.examples += (double)fit->problem->rows;
    memset(fit->scratch, 0, d * sizeof *fit->scratch);
    if (ngi_all_finite(d, fit->scratch1))
        NG_TRY(ng_metric_solve(fit->metric, fit->scratch1, fit->scratch));
    for (size_t j = 0; j < d; j++)
        fit->scratch[j] = length * fit->direction[j] -
                          0.5 * length * length * fit->scratch[j];
    return retract(fit, fit->scratch, fit->trial);
}

ng_status ngi_try_length(ng_fit *fit, double length) {
    ng_problem *problem = fit->problem;
    fit->length = length;
    switch (fit->options.integrator) {
    case NG_EULER:
        NG_TRY(euler(fit, length, fit->trial));
        break;
    case NG_MIDPOINT:
        NG_TRY(midpoint(fit, length));
        break;
    case NG_GEODESIC:
        NG_TRY(geodesic(fit, length));
        break;
    }
    fit->change = fit->kl = HUGE_VAL;
    if (!ngi_all_finite(problem->dim, fit->trial))
        return NG_OK;
    /* The loss of a trial steers a search; beside a fixed step it is only
     * reported. */
    bool only_reported = fit->step == &ngi_step_fixed;
    if (only_reported)
        ngi_clock_stop(fit);
    NG_TRY(problem->ops->compare(problem, fit->theta, fit->trial, &fit->change,
                                 &fit->kl));
    if (only_reported)
        ngi_clock_start(fit);
    else
        fit->report.examples += (double)problem->rows;
    return NG_OK;
}
