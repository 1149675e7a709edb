/* A glm by whichever method is asked for: as a problem of the core, over a
 * design that is held whole. */
#include "learner/glm.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* The arrays of such a run. X is standardised in place:
 * x~ = (x - shift) / scale. */
typedef struct arrays {
    size_t n, p;
    double *y, *weight, *offset, *X;
    double *shift, *scale, *ridge; /* p each */
    ng_memory_source memory;
} arrays;

/* ---- Collecting ---- */

static void collect(void *user, size_t worker, const ngi_glm_block *block) {
    const arrays *a = user;
    size_t first = block->first;
    (void)worker;
    for (size_t i = 0; i < block->count; i++) {
        double *row = a->X + (first + i) * a->p;
        for (size_t j = 0; j < a->p; j++)
            row[j] = block->x[j][i];
        a->y[first + i] = block->y[i];
        a->weight[first + i] = block->weight ? block->weight[i] : 1;
        a->offset[first + i] = block->offset ? block->offset[i] : 0;
    }
}

static ng_status fill_arrays(const ngi_glm_fit *fit, arrays *a) {
    ng_ctx *ctx = fit->ctx;
    a->n = fit->data.rows.rows;
    a->p = fit->data.rows.width;
    a->y = ngi_alloc(ctx, 3 * a->n, sizeof *a->y);
    a->X = ngi_alloc(ctx, a->n, a->p * sizeof *a->X);
    a->shift = ngi_alloc(ctx, 3 * a->p, sizeof *a->shift);
    if (!a->y || !a->X || !a->shift)
        return NG_ENOMEM;
    a->weight = a->y + a->n;
    a->offset = a->weight + a->n;
    a->scale = a->shift + a->p;
    a->ridge = a->scale + a->p;
    return fit->data.rows.each(&fit->data.rows, 1, collect, a);
}

/* ---- Standardising ---- */

/* Shift to near the mean, scale to near the standard deviation, both rounded
 * so that applying them rounds as little as can be: the scale to a power of
 * two, which is exact, the shift to a multiple of the scale (a difference of
 * numbers within a factor of two has no rounding error, Sterbenz 1974; others
 * lose at most half a unit in the last place of the result). Whole numbers,
 * years, pixels come through unchanged. */
static void choose_coordinates(const arrays *a, size_t j, bool centre) {
    double mean = 0, spread = 0, n = (double)a->n;
    for (size_t i = 0; i < a->n; i++)
        mean += (a->X[i * a->p + j] - mean) / ((double)i + 1);
    double about = centre ? mean : 0;
    for (size_t i = 0; i < a->n; i++)
        spread = hypot(spread, a->X[i * a->p + j] - about);
    spread /= sqrt(n);
    /* A constant column has no spread beyond rounding and stays as it is. */
    if (!(spread > 4 * DBL_EPSILON * fabs(mean)) || !isfinite(spread))
        return;
    int exponent;
    frexp(spread, &exponent);
    a->scale[j] = ldexp(1, exponent);
    if (centre)
        a->shift[j] = rint(mean / a->scale[j]) * a->scale[j];
}

static void standardize(const arrays *a, bool intercept, bool wanted) {
    for (size_t j = 0; j < a->p; j++) {
        a->shift[j] = 0;
        a->scale[j] = 1;
        if (!wanted || (intercept && j == 0))
            continue;
        choose_coordinates(a, j, intercept);
        for (size_t i = 0; i < a->n; i++) {
            double *x = &a->X[i * a->p + j];
            *x = (*x - a->shift[j]) / a->scale[j];
        }
    }
}

/* theta = T theta~ and back: coefficients of raw columns and of standardised
 * ones. */
static void to_raw(const arrays *a, size_t outputs, double *theta) {
    for (size_t k = 0; k < outputs; k++, theta += a->p) {
        for (size_t j = 0; j < a->p; j++) {
            theta[j] /= a->scale[j];
            if (j > 0)
                theta[0] -= a->shift[j] * theta[j];
        }
    }
}

static void from_raw(const arrays *a, size_t outputs, double *theta) {
    for (size_t k = 0; k < outputs; k++, theta += a->p) {
        for (size_t j = a->p; j-- > 0;) {
            if (j > 0)
                theta[0] += a->shift[j] * theta[j];
            theta[j] *= a->scale[j];
        }
    }
}

/* ---- Running ---- */

/* A dispersion in the coordinate of the family's second block: log sd of a
 * normal, log shape of a gamma or inverse Gaussian. */
static double dispersion_coordinate(const ng_model *model) {
    double log_dispersion = log(model->pilot);
    return strcmp(model->family.ops->name, "normal") == 0 ? 0.5 * log_dispersion
                                                          : -log_dispersion;
}

static ng_status make_problem(const ngi_glm_fit *fit, arrays *a,
                              ng_problem **out) {
    const ng_model *model = fit->model;
    const ng_glm_options *options = fit->options;
    ng_model_spec spec = {.family = model->family};
    bool classes = model->glm->has_levels;
    for (size_t b = 0; b < model->family.blocks; b++)
        spec.block[b] = (ng_model_block){
            .predictor = b == 0 ? &ng_predictor_linear : &ng_predictor_fixed,
            .inputs = b == 0 ? a->p : 0,
            .link = b == 0 ? model->links[0] : NG_LINK_LOG,
            .value = b == 0 ? 0 : dispersion_coordinate(model)};
    ng_rows rows = {.count = a->n,
                    .y = a->y,
                    .weight = a->weight,
                    .X = {a->X},
                    .offset = {classes ? NULL : a->offset}};
    NG_TRY(ng_memory_source_init(fit->ctx, &rows, &model->family, spec.block,
                                 &a->memory, &spec.source));
    for (size_t j = model->design->intercept; j < a->p; j++)
        a->ridge[j] = options->l2 / model->pilot / (a->scale[j] * a->scale[j]);
    spec.ridge = options->l2 > 0 ? a->ridge : NULL;
    spec.shift = a->shift;
    spec.scale = a->scale;
    return ng_model_problem_create(fit->ctx, &spec, out);
}

ng_status ngi_glm_run_method(ngi_glm_fit *fit) {
    const ng_glm_options *options = fit->options;
    size_t outputs = fit->model->outputs;
    arrays a = {0};
    ng_problem *problem = NULL;
    ng_fit *run = NULL;
    ng_status status;
    NG_TRY_GOTO(fill_arrays(fit, &a));
    standardize(&a, fit->model->design->intercept, options->standardize);
    from_raw(&a, outputs, fit->theta);
    NG_TRY_GOTO(make_problem(fit, &a, &problem));
    NG_TRY_GOTO(ng_fit_create(problem, &options->fit, fit->theta, &run));
    NG_TRY_GOTO(ng_fit_run(run, options->monitor, options->user, &fit->report));
    memcpy(fit->theta, ng_fit_theta(run), problem->dim * sizeof *fit->theta);
    to_raw(&a, outputs, fit->theta);
fail:
    ng_fit_destroy(&run);
    ng_problem_destroy(&problem);
    ngi_free(fit->ctx, a.y);
    ngi_free(fit->ctx, a.X);
    ngi_free(fit->ctx, a.shift);
    return status;
}
