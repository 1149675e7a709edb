/* What holds for every problem. */
#include "natgrad/fit.h"

#include "base/base.h"

#include <float.h>
#include <math.h>

void ng_problem_destroy(ng_problem **problem) {
    if (!problem || !*problem)
        return;
    (*problem)->ops->destroy(*problem);
    *problem = NULL;
}

static ng_status objective_at(ng_problem *problem, const double *theta,
                              double *objective) {
    return problem->ops->evaluate(problem, theta, NULL, objective, NULL, NULL,
                                  NULL);
}

ng_status ng_check_gradient(ng_problem *problem, const double *theta,
                            double *error) {
    size_t d = problem->dim;
    double *g = ngi_alloc(problem->ctx, 2 * d, sizeof *g);
    if (!g)
        return NG_ENOMEM;
    double *point = g + d;
    ng_status status =
        problem->ops->evaluate(problem, theta, NULL, NULL, g, NULL, NULL);
    for (size_t j = 0; j < d; j++)
        point[j] = theta[j];
    *error = 0;
    for (size_t j = 0; status == NG_OK && j < d; j++) {
        double up = 0, down = 0;
        double h = cbrt(DBL_EPSILON) * fmax(1, fabs(theta[j]));
        point[j] = theta[j] + h;
        status = objective_at(problem, point, &up);
        point[j] = theta[j] - h;
        if (status == NG_OK)
            status = objective_at(problem, point, &down);
        point[j] = theta[j];
        double numeric = (up - down) / (2 * h);
        *error = fmax(*error, fabs(numeric - g[j]) / fmax(1, fabs(g[j])));
    }
    ngi_free(problem->ctx, g);
    return status;
}
