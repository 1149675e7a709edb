/* A loop of one's own: logistic regression on arrays in memory, one
 * natural-gradient iteration at a time. The same as ng_fit_run, with
 * everything between the iterations in the program's hands. */
#include <natgrad/natgrad.h>

#include <math.h>
#include <stdio.h>

enum { ROWS = 500, INPUTS = 3 };

/* Rows drawn from the model itself; the first input is the intercept. */
static void simulate(double *X, double *y) {
    static const double truth[INPUTS] = {-0.5, 2, -1};
    ng_rng rng;
    ng_rng_init(&rng, 1, 0);
    for (size_t i = 0; i < ROWS; i++) {
        double *x = X + i * INPUTS, eta = 0;
        x[0] = 1;
        x[1] = ng_rng_normal(&rng);
        x[2] = ng_rng_normal(&rng);
        for (size_t j = 0; j < INPUTS; j++)
            eta += truth[j] * x[j];
        y[i] = ng_rng_uniform(&rng) < 1 / (1 + exp(-eta));
    }
}

static ng_status learn(ng_problem *problem, double *theta) {
    ng_fit_options options;
    ng_fit *fit;
    ng_report report;
    ng_fit_options_init(&options);
    options.kl = 0.1; /* no step moves further than this, in nats */
    ng_status status = ng_fit_create(problem, &options, theta, &fit);
    if (status != NG_OK)
        return status;
    printf("iteration      loss   nats moved  nats predicted  decrement\n");
    do {
        status = ng_fit_step(fit, &report);
        if (status != NG_OK)
            break;
        printf("%9zu  %.6f  %11.3e  %14.3e  %9.2e\n", report.iteration,
               report.loss, report.kl, report.kl_predicted, report.decrement);
    } while (report.stop == NG_RUNNING);
    if (status == NG_OK) {
        printf("%s after %.3f nats in all\n", ng_stop_text(report.stop),
               report.kl_total);
        for (size_t j = 0; j < INPUTS; j++)
            theta[j] = ng_fit_theta(fit)[j];
        if (report.stop != NG_CONVERGED)
            status = NG_ENUMERIC;
    }
    ng_fit_destroy(&fit);
    return status;
}

/* What is learned: the family, how its parameter hangs on the inputs, and
 * where the rows are. */
static ng_status set_up(ng_ctx *ctx, const double *X, const double *y,
                        ng_memory_source *memory, ng_problem **problem) {
    ng_rows rows = {.count = ROWS, .y = y, .X = {X}};
    ng_model_spec spec = {
        .block = {{&ng_predictor_linear, INPUTS, NG_LINK_LOGIT}}};
    ng_status status = ng_family_init(ctx, "bernoulli", 1, &spec.family);
    if (status == NG_OK)
        status = ng_memory_source_init(ctx, &rows, &spec.family, spec.block,
                                       memory, &spec.source);
    if (status == NG_OK)
        status = ng_model_problem_create(ctx, &spec, problem);
    return status;
}

int main(void) {
    static double X[ROWS * INPUTS], y[ROWS];
    double theta[INPUTS] = {0};
    ng_ctx *ctx;
    ng_problem *problem = NULL;
    ng_memory_source memory; /* lives as long as the problem */
    if (ng_ctx_create(NULL, &ctx) != NG_OK)
        return 1;
    simulate(X, y);
    ng_status status = set_up(ctx, X, y, &memory, &problem);
    if (status == NG_OK)
        status = learn(problem, theta);
    if (status == NG_OK)
        printf("coefficients %.4f %.4f %.4f\n", theta[0], theta[1], theta[2]);
    else
        fprintf(stderr, "own_loop: %s: %s\n", ng_status_text(status),
                ng_error(ctx));
    ng_problem_destroy(&problem);
    ng_ctx_destroy(&ctx);
    return status != NG_OK;
}
