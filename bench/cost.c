/* What one natural-gradient step costs as the number of parameters d grows:
 * seconds and bytes, for each metric, of a logistic regression on 2,000 rows.
 * A step is the evaluation, the metric's update, its factorisation and the
 * solve; the bytes are what natgrad took for it, the caller's data apart.
 *
 *   bench_cost COSTS.tsv SLOPES.tsv
 *
 * The residual is ||(F + damping I) x - g|| / ||g|| with F of the problem (of
 * the metric, for the diagonal, which means another matrix). */
#include <natgrad/natgrad.h>

#include "meter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROWS = 2000, LARGEST = 16384, MAX_POINTS = 16, MAX_REPEATS = 9 };

static const double DAMPING = 1e-3;
/* Enough of a measurement for its median to be worth something. */
static const double ENOUGH_SECONDS = 1.5;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- The case ---- */

typedef struct point {
    size_t d;
    double seconds, bytes, residual;
} point;

typedef struct plan {
    const char *metric;
    size_t first, last; /* d doubles from one to the other */
} plan;

static const plan PLANS[] = {{"diagonal", 16, LARGEST},
                             {"dense", 16, 4096},
                             {"cg", 16, LARGEST},
                             {"sample-space", 2048, LARGEST}};

typedef struct experiment {
    ng_ctx *ctx;
    meter meter;
    double *X, *y; /* X: ROWS x d, filled anew for each d */
    double *theta, *gradient, *direction, *image; /* LARGEST each */
} experiment;

static void simulate(experiment *e, size_t d) {
    ng_rng rng;
    ng_rng_init(&rng, 1, d);
    for (size_t i = 0; i < ROWS * d; i++)
        e->X[i] = ng_rng_normal(&rng);
    for (size_t j = 0; j < d; j++)
        e->theta[j] = ng_rng_normal(&rng) / sqrt((double)d);
    for (size_t i = 0; i < ROWS; i++)
        e->y[i] = ng_rng_uniform(&rng) < 0.5;
}

static ng_status step(experiment *e, ng_metric *metric) {
    double loss, objective;
    ng_status status =
        ng_metric_update(metric, e->theta, &loss, &objective, e->gradient);
    if (status == NG_OK)
        status = ng_metric_factor(metric, DAMPING);
    if (status == NG_OK)
        status = ng_metric_solve(metric, e->gradient, e->direction);
    return status;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static ng_status time_steps(experiment *e, ng_metric *metric, double *median) {
    double seconds[MAX_REPEATS], spent = 0;
    size_t count = 0;
    ng_status status = step(e, metric); /* not counted: first touch */
    while (status == NG_OK && count < MAX_REPEATS &&
           (count < 3 || spent < ENOUGH_SECONDS)) {
        double start = now();
        status = step(e, metric);
        seconds[count] = now() - start;
        spent += seconds[count++];
    }
    qsort(seconds, count, sizeof *seconds, ascending);
    *median = count ? seconds[count / 2] : 0;
    return status;
}

static ng_status measure_residual(experiment *e, ng_metric *metric,
                                  double *residual) {
    ng_problem *problem = metric->problem;
    double sum = 0, norm = 0;
    ng_status status = strcmp(metric->ops->name, "diagonal") == 0
                           ? ng_metric_product(metric, e->direction, e->image)
                           : problem->ops->fisher_product(
                                 problem, e->theta, &metric->options.fisher,
                                 e->direction, e->image);
    for (size_t j = 0; j < problem->dim; j++) {
        double left = e->image[j] + DAMPING * e->direction[j] - e->gradient[j];
        sum += left * left;
        norm += e->gradient[j] * e->gradient[j];
    }
    *residual = sqrt(sum / norm);
    return status;
}

static ng_status make_problem(experiment *e, size_t d, ng_memory_source *memory,
                              ng_problem **problem) {
    ng_rows rows = {.count = ROWS, .y = e->y, .X = {e->X}};
    ng_model_spec spec = {.block = {{&ng_predictor_linear, d, NG_LINK_LOGIT}}};
    ng_status status = ng_family_init(e->ctx, "bernoulli", 1, &spec.family);
    if (status == NG_OK)
        status = ng_memory_source_init(e->ctx, &rows, &spec.family, spec.block,
                                       memory, &spec.source);
    if (status == NG_OK)
        status = ng_model_problem_create(e->ctx, &spec, problem);
    return status;
}

static ng_status measure(experiment *e, const char *name, point *out) {
    ng_memory_source memory;
    ng_problem *problem = NULL;
    ng_metric *metric = NULL;
    ng_metric_options options;
    const ng_metric_ops *ops;
    ng_metric_options_init(&options);
    simulate(e, out->d);
    size_t before = e->meter.bytes;
    e->meter.peak = before;
    ng_status status = make_problem(e, out->d, &memory, &problem);
    if (status == NG_OK)
        status = ng_metric_find(e->ctx, name, &ops);
    if (status == NG_OK)
        status = ng_metric_create(problem, ops, &options, &metric);
    if (status == NG_OK)
        status = time_steps(e, metric, &out->seconds);
    out->bytes = (double)(e->meter.peak - before);
    if (status == NG_OK)
        status = measure_residual(e, metric, &out->residual);
    ng_metric_destroy(&metric);
    ng_problem_destroy(&problem);
    return status;
}

/* ---- The tables ---- */

/* Least-squares slope of log value over log d for the last points, where what
 * grows fastest has taken over. */
static double slope(const point *points, size_t count, size_t tail,
                    int of_bytes) {
    double sx = 0, sy = 0, sxx = 0, sxy = 0, m = 0;
    for (size_t i = count > tail ? count - tail : 0; i < count; i++) {
        double x = log((double)points[i].d);
        double y = log(of_bytes ? points[i].bytes : points[i].seconds);
        sx += x;
        sy += y;
        sxx += x * x;
        sxy += x * y;
        m++;
    }
    return (m * sxy - sx * sy) / (m * sxx - sx * sx);
}

static ng_status run_plan(experiment *e, const plan *p, FILE *costs,
                          FILE *slopes) {
    enum { TAIL = 4 };
    point points[MAX_POINTS] = {{0}};
    size_t count = 0;
    for (size_t d = p->first; d <= p->last; d *= 2) {
        point *at = &points[count++];
        at->d = d;
        ng_status status = measure(e, p->metric, at);
        if (status != NG_OK)
            return status;
        fprintf(costs, "step\t%s\t%d\t%zu\t%.6g\t%.0f\t%.3g\n", p->metric, ROWS,
                d, at->seconds, at->bytes, at->residual);
    }
    fputs("\n\n", costs); /* gnuplot's gap between data sets */
    size_t from = count > TAIL ? count - TAIL : 0;
    fprintf(slopes, "%s\t%zu\t%zu\t%.2f\t%.2f\n", p->metric, points[from].d,
            p->last, slope(points, count, TAIL, 0),
            slope(points, count, TAIL, 1));
    return NG_OK;
}

static ng_status run(experiment *e, FILE *costs, FILE *slopes) {
    fprintf(costs, "case\tmetric\tn\td\tseconds\tbytes\tresidual\n");
    fprintf(slopes, "metric\tfrom_d\tto_d\tseconds_slope\tbytes_slope\n");
    for (size_t i = 0; i < sizeof PLANS / sizeof *PLANS; i++) {
        ng_status status = run_plan(e, &PLANS[i], costs, slopes);
        if (status != NG_OK) {
            fprintf(stderr, "bench_cost: %s: %s\n", PLANS[i].metric,
                    ng_error(e->ctx));
            return status;
        }
    }
    return NG_OK;
}

int main(int argc, char **argv) {
    experiment e = {0};
    const ng_allocator allocator = {metered_alloc, metered_resize,
                                    metered_release, &e.meter};
    const ng_ctx_options options = {.allocator = &allocator, .threads = 1};
    if (argc != 3) {
        fprintf(stderr, "usage: bench_cost COSTS.tsv SLOPES.tsv\n");
        return 2;
    }
    ng_set_blas_threads(1);
    e.X = malloc((size_t)ROWS * (LARGEST + 1) * sizeof *e.X);
    e.theta = calloc(4 * LARGEST, sizeof *e.theta);
    FILE *costs = fopen(argv[1], "w"), *slopes = fopen(argv[2], "w");
    int failed = 1;
    if (e.X && e.theta && costs && slopes &&
        ng_ctx_create(&options, &e.ctx) == NG_OK) {
        e.y = e.X + (size_t)ROWS * LARGEST;
        e.gradient = e.theta + LARGEST;
        e.direction = e.gradient + LARGEST;
        e.image = e.direction + LARGEST;
        failed = run(&e, costs, slopes) != NG_OK;
    } else {
        perror("bench_cost");
    }
    ng_ctx_destroy(&e.ctx);
    failed = (costs && fclose(costs) != 0) || failed;
    failed = (slopes && fclose(slopes) != 0) || failed;
    free(e.X);
    free(e.theta);
    return failed;
}
