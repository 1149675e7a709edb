/* A loss that is no likelihood, under the family's Fisher: a normal fitted by
 * its continuous ranked probability score (Gneiting & Raftery 2007, JASA 102),
 *
 *     CRPS = sd (w (2 Phi(w) - 1) + 2 phi(w) - 1/sqrt(pi)),  w = (y - mean)/sd,
 *
 * which grows like |y| where minus the log-likelihood grows like y^2: a few
 * gross errors hardly move it. With z = (mean, log sd),
 *
 *     d/dmean = 1 - 2 Phi(w),   d/dlog sd = sd (2 phi(w) - 1/sqrt(pi)).
 *
 * The Fisher is a property of the normal family, not of the loss: it makes
 * the path one over distributions, whatever is minimised along it. */
#include <natgrad/natgrad.h>

#include <math.h>
#include <stdio.h>

enum { ROWS = 200, OUTLIERS = 10 };
#define INVERSE_ROOT_PI 0.56418958354775628695

static double normal_cdf(double w) {
    return 0.5 * erfc(-w / sqrt(2));
}

static double normal_density(double w) {
    return INVERSE_ROOT_PI / sqrt(2) * exp(-0.5 * w * w);
}

static void value(const ng_objective *objective, const ng_family *f, size_t n,
                  const double *z, const double *y, double *out, double *work) {
    (void)objective;
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double sd = exp(z[2 * i + 1]), w = (y[i] - z[2 * i]) / sd;
        out[i] = sd * (w * (2 * normal_cdf(w) - 1) + 2 * normal_density(w) -
                       INVERSE_ROOT_PI);
    }
}

static void gradient(const ng_objective *objective, const ng_family *f,
                     size_t n, const double *z, const double *y, double *out,
                     double *work) {
    (void)objective;
    (void)f;
    (void)work;
    for (size_t i = 0; i < n; i++) {
        double sd = exp(z[2 * i + 1]), w = (y[i] - z[2 * i]) / sd;
        out[2 * i] = 1 - 2 * normal_cdf(w);
        out[2 * i + 1] = sd * (2 * normal_density(w) - INVERSE_ROOT_PI);
    }
}

/* Without a Hessian the observed Fisher is not to be had; the exact one is. */
static const ng_objective crps = {
    .name = "crps", .value = value, .gradient = gradient};

/* Normal with mean 3 and sd 2, and every twentieth value a gross error. */
static void simulate(double *y) {
    ng_rng rng;
    ng_rng_init(&rng, 3, 0);
    for (size_t i = 0; i < ROWS; i++)
        y[i] = i % (ROWS / OUTLIERS) ? 3 + 2 * ng_rng_normal(&rng) : 60;
}

/* Two parameters and no inputs: eta = theta = (mean, log sd). */
static ng_status set_up(ng_ctx *ctx, const double *y,
                        const ng_objective *objective, ng_memory_source *memory,
                        ng_problem **problem) {
    ng_rows rows = {.count = ROWS, .y = y};
    ng_model_spec spec = {.block = {{&ng_predictor_none, 0, NG_LINK_IDENTITY},
                                    {&ng_predictor_none, 0, NG_LINK_LOG}},
                          .objective = objective};
    ng_status status = ng_family_init(ctx, "normal", 1, &spec.family);
    if (status == NG_OK)
        status = ng_memory_source_init(ctx, &rows, &spec.family, spec.block,
                                       memory, &spec.source);
    if (status == NG_OK)
        status = ng_model_problem_create(ctx, &spec, problem);
    return status;
}

static ng_status minimise(ng_problem *problem, double *theta,
                          ng_report *report) {
    ng_fit_options options;
    ng_fit *fit;
    ng_fit_options_init(&options);
    options.tolerance = 1e-8;
    /* The start is far off: without a radius the first step would land where
     * the normal is absurdly wide, and come back by small ones. */
    options.kl = 0.5;
    ng_status status = ng_fit_create(problem, &options, theta, &fit);
    if (status == NG_OK)
        status = ng_fit_run(fit, NULL, NULL, report);
    if (status == NG_OK) {
        theta[0] = ng_fit_theta(fit)[0];
        theta[1] = ng_fit_theta(fit)[1];
    }
    ng_fit_destroy(&fit);
    return status;
}

/* One line for one objective; `sd` is what it estimates. */
static ng_status estimate(ng_ctx *ctx, const double *y,
                          const ng_objective *objective, double *sd) {
    double theta[2] = {0, 0}, error;
    ng_memory_source memory;
    ng_problem *problem = NULL;
    ng_report report;
    ng_status status = set_up(ctx, y, objective, &memory, &problem);
    /* Anyone who writes derivatives should have them checked. */
    if (status == NG_OK)
        status = ng_check_gradient(problem, theta, &error);
    if (status == NG_OK && !(error < 1e-6)) {
        fprintf(stderr, "gradient of %s: off by %g\n", objective->name, error);
        status = NG_ENUMERIC;
    }
    if (status == NG_OK)
        status = minimise(problem, theta, &report);
    if (status == NG_OK) {
        *sd = exp(theta[1]);
        printf("%-10s  mean %7.4f  sd %7.4f  value %.6f, %zu iterations, %s\n",
               objective->name, theta[0], *sd, report.objective,
               report.iteration, ng_stop_text(report.stop));
        if (report.stop != NG_CONVERGED)
            status = NG_ENUMERIC;
    }
    ng_problem_destroy(&problem);
    return status;
}

int main(void) {
    static double y[ROWS];
    double sd_likelihood = 0, sd_crps = 0;
    ng_ctx *ctx;
    if (ng_ctx_create(NULL, &ctx) != NG_OK)
        return 1;
    simulate(y);
    printf("mean 3, sd 2, and %d of %d values gross errors\n", OUTLIERS, ROWS);
    ng_status status =
        estimate(ctx, y, ng_objective_likelihood(), &sd_likelihood);
    if (status == NG_OK)
        status = estimate(ctx, y, &crps, &sd_crps);
    if (status != NG_OK)
        fprintf(stderr, "custom_objective: %s: %s\n", ng_status_text(status),
                ng_error(ctx));
    ng_ctx_destroy(&ctx);
    return status != NG_OK || !(sd_crps < sd_likelihood);
}
