/* From the last point of a glm run to its summary, in R's definitions. */
#include "learner/glm.h"
#include "numerics/linalg.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK = 1024 }; /* rows whose means are held at once */

/* Sums over the rows that the summary is made of. */
typedef struct sums {
    double deviance, pearson, null_deviance;
    double minus_twice; /* -2 log-likelihood, at a given dispersion */
    double log_weight;
    double right;
    bool saturated; /* a fitted probability of 0 or 1 to rounding */
} sums;

/* log of R's dbinom(round(m y), round(m), mu). */
static double log_binomial(double y, double m, double mu) {
    double trials = rint(m), k = rint(m * y);
    double choose = -ngi_lbeta(k + 1, trials - k + 1) - log(trials + 1);
    double won = k > 0 ? k * log(mu) : 0;
    double lost = trials > k ? (trials - k) * log1p(-mu) : 0;
    return choose + won + lost;
}

static double binomial_minus_twice(const ngi_glm_data *data, size_t i, double w,
                                   double mu) {
    double trials = data->trials ? data->trials[i] : w;
    if (!(trials > 0))
        return 0;
    return -2 * w / trials * log_binomial(data->y[i], trials, mu);
}

static void add_row(const ngi_glm_family *family, const ngi_glm_data *data,
                    size_t i, double mu, double dispersion, sums *s) {
    double w = data->weight ? data->weight[i] : 1, y = data->y[i];
    if (w == 0)
        return;
    s->deviance += w * family->deviance(y, mu);
    s->pearson += w * (y - mu) * (y - mu) / family->variance(mu);
    s->log_weight += log(w);
    if (strcmp(family->name, "binomial") == 0) {
        s->minus_twice += binomial_minus_twice(data, i, w, mu);
        s->right += w * (mu > 0.5 ? y : 1 - y);
        s->saturated =
            s->saturated || mu < 10 * DBL_EPSILON || mu > 1 - 10 * DBL_EPSILON;
    } else if (family->minus_twice) {
        s->minus_twice += family->minus_twice(y, mu, w, dispersion);
    }
}

static void add_class_row(const ng_model *model, const ngi_glm_data *data,
                          size_t i, const double *p, sums *s) {
    double w = data->weight ? data->weight[i] : 1;
    size_t y = (size_t)data->y[i], best = 0;
    if (w == 0)
        return;
    for (size_t k = 1; k < model->family.size; k++)
        best = p[k] > p[best] ? k : best;
    s->minus_twice += -2 * w * log(p[y]);
    s->right += best == y ? w : 0;
    s->saturated = s->saturated || p[best] > 1 - 10 * DBL_EPSILON;
}

/* One pass over the fitted means. */
static ng_status add_rows(const ngi_glm_family *family, const ng_model *model,
                          const ngi_glm_data *data, ng_problem *problem,
                          const double *theta, double dispersion, sums *s) {
    const ng_family *f = &model->family;
    *s = (sums){0};
    double *z = ngi_alloc(data->ctx,
                          CHUNK * (f->dim_z + f->dim_mean) + ng_family_work(f),
                          sizeof *z);
    if (!z)
        return NG_ENOMEM;
    double *mean = z + CHUNK * f->dim_z, *work = mean + CHUNK * f->dim_mean;
    ng_status status = NG_OK;
    for (size_t first = 0; first < data->n; first += CHUNK) {
        size_t n = data->n - first < CHUNK ? data->n - first : CHUNK;
        NG_TRY_GOTO(ng_model_problem_predict(problem, theta, first, n, z));
        f->ops->mean(f, n, z, mean, work);
        for (size_t i = 0; i < n; i++) {
            if (family->variance)
                add_row(family, data, first + i, mean[i], dispersion, s);
            else
                add_class_row(model, data, first + i, mean + i * f->dim_mean,
                              s);
        }
    }
fail:
    ngi_free(data->ctx, z);
    return status;
}

/* Nats per example of the data at the estimates, dispersion included: what the
 * same model scores on other data. */
static ng_status mean_loss(const ng_model *model, const ngi_glm_data *data,
                           ng_problem *problem, const double *theta,
                           double *loss) {
    const ng_family *f = &model->family;
    double *z = ngi_alloc(data->ctx, CHUNK * (f->dim_z + 1) + ng_family_work(f),
                          sizeof *z);
    if (!z)
        return NG_ENOMEM;
    double *log_p = z + CHUNK * f->dim_z, *work = log_p + CHUNK;
    double coordinate =
        ngi_glm_dispersion_coordinate(model, model->summary.dispersion);
    double sum = 0;
    ng_status status = NG_OK;
    for (size_t first = 0; first < data->n; first += CHUNK) {
        size_t n = data->n - first < CHUNK ? data->n - first : CHUNK;
        NG_TRY_GOTO(ng_model_problem_predict(problem, theta, first, n, z));
        for (size_t i = 0; i < n; i++)
            z[i * f->dim_z + 1] = coordinate;
        f->ops->log_density(f, n, z, data->y + first, log_p, work);
        for (size_t i = 0; i < n; i++) {
            double w = data->weight ? data->weight[first + i] : 1;
            sum -= w == 0 ? 0 : w * log_p[i];
        }
    }
    *loss = sum / data->total_weight;
fail:
    ngi_free(data->ctx, z);
    return status;
}

/* ---- The null model ---- */

/* Classes: the shares themselves. */
static double null_deviance_classes(const ng_model *model,
                                    const ngi_glm_data *data) {
    double sum = 0;
    for (size_t k = 0; k < model->family.size; k++) {
        double share = 0;
        for (size_t i = 0; i < data->n; i++) {
            if (data->y[i] == (double)k)
                share += data->weight ? data->weight[i] : 1;
        }
        sum += share > 0 ? -2 * share * log(share / data->total_weight) : 0;
    }
    return sum;
}

static ng_status null_by_fit(const ng_glm_options *options,
                             const ngi_glm_family *family,
                             const ng_model *model, const ngi_glm_data *data,
                             double *deviance) {
    /* The same model with the intercept's column alone. */
    ng_ctx *ctx = data->ctx;
    ng_problem *problem = NULL;
    ng_fit *fit = NULL;
    ng_report report;
    ng_model constant = *model;
    ngi_design design = {.ctx = ctx, .intercept = 1, .width = 1};
    ngi_glm_data alone = *data;
    double theta = 0;
    ng_model_spec spec = {0};
    ng_status status;
    constant.design = &design;
    alone.p = 1;
    alone.X = ngi_alloc(ctx, data->n, sizeof *alone.X);
    if (!alone.X)
        return NG_ENOMEM;
    for (size_t i = 0; i < data->n; i++)
        alone.X[i] = 1;
    ngi_glm_blocks(&constant, &ng_predictor_fixed, &spec);
    ng_rows rows = {.count = data->n,
                    .y = data->y,
                    .weight = data->weight,
                    .X = {alone.X},
                    .offset = {data->offset}};
    ng_fit_options plain;
    ng_fit_options_init(&plain);
    NG_TRY_GOTO(ng_memory_source_init(ctx, &rows, &model->family, spec.block,
                                      &alone.memory, &spec.source));
    NG_TRY_GOTO(ng_model_problem_create(ctx, &spec, &problem));
    NG_TRY_GOTO(
        ngi_glm_start(options, family, &constant, &alone, problem, &theta));
    NG_TRY_GOTO(ng_fit_create(problem, &plain, &theta, &fit));
    NG_TRY_GOTO(ng_fit_run(fit, NULL, NULL, &report));
    sums s;
    NG_TRY_GOTO(
        add_rows(family, &constant, &alone, problem, ng_fit_theta(fit), 1, &s));
    *deviance = report.stop == NG_CONVERGED ? s.deviance : (double)NAN;
fail:
    ng_fit_destroy(&fit);
    ng_problem_destroy(&problem);
    ngi_free(ctx, alone.X);
    return status;
}

/* Without an intercept the null model is the offset alone; without an offset
 * either, eta = 0. */
static double null_without_intercept(const ngi_glm_family *family,
                                     const ng_model *model,
                                     const ngi_glm_data *data) {
    double sum = 0;
    for (size_t i = 0; i < data->n; i++) {
        double w = data->weight ? data->weight[i] : 1;
        double eta = data->offset ? data->offset[i] : 0, z[2] = {0}, mean;
        ng_link_inverse(model->links[0], model->family.block[0].coordinate, 1,
                        &eta, z, NULL, NULL);
        model->family.ops->mean(&model->family, 1, z, &mean, NULL);
        sum += w == 0 ? 0 : w * family->deviance(data->y[i], mean);
    }
    return sum;
}

static ng_status null_deviance(const ng_glm_options *options,
                               const ngi_glm_family *family, ng_model *model,
                               const ngi_glm_data *data, double *out) {
    if (!family->variance) {
        *out = options->intercept
                   ? null_deviance_classes(model, data)
                   : 2 * data->total_weight * log((double)model->family.size);
        return NG_OK;
    }
    if (!options->intercept) {
        *out = null_without_intercept(family, model, data);
        return NG_OK;
    }
    *out = NAN;
    /* A fit that was stopped is not held up for the sake of this. */
    if (ngi_cancelled(data->ctx))
        return NG_OK;
    ng_status status = null_by_fit(options, family, model, data, out);
    if (status != NG_ENUMERIC)
        return status;
    return ngi_model_warn(model, "the constant model could not be fitted: no "
                                 "null deviance");
}

/* ---- Raw coordinates ---- */

/* Rows of a matrix over gamma become rows over beta: beta_j = gamma_j /
 * scale_j and beta_0 = gamma_0 - sum_j shift_j gamma_j / scale_j. `step`
 * strides from parameter to parameter. */
static void to_raw(const ngi_glm_data *data, size_t outputs, double *v,
                   size_t step) {
    for (size_t c = 0; c < outputs; c++) {
        double *own = v + c * data->p * step;
        double moved = 0, lost = 0;
        for (size_t j = 0; j < data->p; j++) {
            double *entry = own + j * step;
            *entry /= data->scale[j];
            if (data->shift[j] == 0)
                continue;
            /* Compensated: intercepts are often small differences. */
            double term = data->shift[j] * *entry;
            double error = fma(data->shift[j], *entry, -term);
            double next = moved + term;
            lost += fabs(moved) >= fabs(term) ? (moved - next) + term
                                              : (term - next) + moved;
            lost += error;
            moved = next;
        }
        own[0] -= moved + lost;
    }
}

static void raw_covariance(const ngi_glm_data *data, size_t outputs, size_t d,
                           double *C) {
    for (size_t i = 0; i < d; i++)
        to_raw(data, outputs, C + i * d, 1);
    for (size_t j = 0; j < d; j++)
        to_raw(data, outputs, C + j, d);
}

/* ---- Standard errors ---- */

/* C = A^-1 / W times the dispersion, or the sandwich A^-1 B A^-1 / W. */
static ng_status covariance(const ng_glm_options *options, ng_model *model,
                            const ngi_glm_data *data, ng_problem *problem,
                            const double *theta, ngi_null_space *null_space) {
    size_t d = problem->dim;
    double *C = model->covariance;
    ng_fisher fisher = {.kind = options->std_errors == NG_SE_OBSERVED
                                    ? NG_FISHER_OBSERVED
                                    : NG_FISHER_EXACT};
    NG_TRY(
        problem->ops->evaluate(problem, theta, NULL, NULL, NULL, &fisher, C));
    problem->ops->penalty_add(problem, C);
    NG_TRY(ngi_invert_information(data->ctx, d, C, null_space));
    model->summary.rank = d - null_space->count;
    if (options->std_errors != NG_SE_ROBUST)
        return NG_OK;
    double *B = ngi_alloc(data->ctx, d, d * sizeof *B);
    if (!B)
        return NG_ENOMEM;
    ng_status status = ng_model_problem_score_covariance(problem, theta, B);
    if (status == NG_OK) {
        ngi_mirror(d, B);
        double *out = ngi_alloc(data->ctx, d, d * sizeof *out);
        status = out ? ngi_transform_covariance(data->ctx, d, d, C, B, out)
                     : NG_ENOMEM;
        if (out)
            memcpy(C, out, d * d * sizeof *C);
        ngi_free(data->ctx, out);
    }
    ngi_free(data->ctx, B);
    return status;
}

/* The row of the map from fitted to raw coefficients that makes coefficient i.
 */
static void raw_row(const ngi_glm_data *data, size_t d, size_t i, double *row) {
    size_t j = i % data->p, first = i - j;
    memset(row, 0, d * sizeof *row);
    for (size_t k = 0; j == 0 && k < data->p; k++)
        row[first + k] = -data->shift[k] / data->scale[k];
    row[i] = 1 / data->scale[j];
}

static void fill_standard_errors(const ng_glm_options *options,
                                 const ngi_glm_family *family, ng_model *model,
                                 const ngi_glm_data *data,
                                 const ngi_null_space *null_space,
                                 double *row) {
    ng_summary *s = &model->summary;
    size_t d = model->dim;
    double *C = model->covariance;
    /* The information was taken at the pilot dispersion; the sandwich does not
     * depend on one. */
    double scale =
        options->std_errors == NG_SE_ROBUST ? 1 : s->dispersion / model->pilot;
    for (size_t i = 0; i < d * d; i++)
        C[i] *= scale / data->total_weight;
    raw_covariance(data, model->family.block[0].count, d, C);
    for (size_t i = 0; i < d; i++) {
        ng_parameter *p = &model->parameter[i];
        raw_row(data, d, i, row);
        p->std_error = ngi_standard_error(C[i * d + i], d, row, null_space);
        p->statistic = p->estimate / p->std_error;
        p->p_value = family->dispersion
                         ? ngi_t_two_sided(p->statistic, s->df_residual)
                         : 2 * ngi_ndtr(-fabs(p->statistic));
        if (!(p->std_error > 0) || isinf(p->std_error))
            p->statistic = p->p_value = NAN;
    }
}

/* ---- All together ---- */

static ng_status name_parameters(ng_model *model) {
    size_t p = model->design->width;
    for (size_t i = 0; i < model->dim; i++) {
        char name[NGI_NAME_SIZE];
        const char *level =
            model->family.size > 1 ? model->levels.name[i / p + 1] : NULL;
        ngi_design_name(model->design, i % p, name, sizeof name);
        NG_TRY(ngi_model_set_name(model, i, name, level));
        model->parameter[i].estimate = model->theta[i];
    }
    return NG_OK;
}

static void fill_likelihood(const ngi_glm_family *family, ng_model *model,
                            const ngi_glm_data *data, const sums *fitted) {
    ng_summary *s = &model->summary;
    double parameters = (double)s->rank + (family->dispersion ? 1 : 0);
    if (strcmp(family->name, "gaussian") == 0)
        s->log_likelihood =
            -0.5 * (s->n * (NGI_LOG_2PI + log(s->deviance / s->n) + 1) -
                    fitted->log_weight);
    else
        s->log_likelihood = -0.5 * fitted->minus_twice;
    s->aic = 2 * parameters - 2 * s->log_likelihood;
    s->bic = parameters * log(s->n) - 2 * s->log_likelihood;
    if (!family->variance || strcmp(family->name, "binomial") == 0)
        s->accuracy = fitted->right / data->total_weight;
}

/* Deviance that is rounding beside the null model's. */
static bool is_perfect(const ngi_glm_family *family, const ng_summary *s) {
    return family->dispersion &&
           s->deviance <= sqrt(DBL_EPSILON) * DBL_EPSILON * s->null_deviance;
}

static ng_status add_warnings(const ng_glm_options *options,
                              const ngi_glm_family *family, ng_model *model,
                              const sums *fitted) {
    ng_summary *s = &model->summary;
    if (s->rank < model->dim)
        NG_TRY(ngi_model_warn(
            model,
            "the design is rank-deficient: %zu of %zu coefficients are not "
            "determined by the data; of the many answers this is one",
            model->dim - s->rank, model->dim));
    if (is_perfect(family, s)) {
        s->loss = NAN;
        NG_TRY(ngi_model_warn(model, "the fit is perfect to rounding: standard "
                                     "errors and likelihood mean nothing"));
    }
    if (fitted->saturated && options->l2 == 0)
        NG_TRY(ngi_model_warn(
            model, "fitted probabilities of 0 or 1 occurred: the classes may "
                   "be separable and the estimates infinite"));
    return NG_OK;
}

ng_status ngi_glm_conclude(const ng_glm_options *options,
                           const ngi_glm_family *family, ng_model *model,
                           ngi_glm_data *data, ng_problem *problem,
                           const double *theta) {
    ng_summary *s = &model->summary;
    size_t d = problem->dim;
    double *gradient = ngi_alloc(data->ctx, 2 * d, sizeof *gradient);
    ngi_null_space null_space = {0, NULL, NULL};
    sums fitted;
    ng_status status;
    if (!gradient)
        return NG_ENOMEM;
    double *raw = gradient + d;
    NG_TRY_GOTO(problem->ops->evaluate(problem, theta, &s->loss, NULL, gradient,
                                       NULL, NULL));
    problem->ops->user_gradient(problem, gradient, raw);
    s->gradient_norm = ngi_max_abs(d, raw);
    s->rank = d;
    s->n = data->used_rows;
    s->l2 = options->l2;
    if (model->covariance)
        NG_TRY_GOTO(
            covariance(options, model, data, problem, theta, &null_space));
    /* Pearson and deviance first: the likelihood of gamma and inverse
     * Gaussian is taken at the dispersion deviance / sum of weights. */
    NG_TRY_GOTO(add_rows(family, model, data, problem, theta, 1, &fitted));
    s->deviance = family->variance ? fitted.deviance : fitted.minus_twice;
    s->df_residual =
        s->n * (double)model->family.block[0].count - (double)s->rank;
    s->dispersion = 1;
    if (family->dispersion)
        s->dispersion =
            s->df_residual > 0 ? fitted.pearson / s->df_residual : (double)NAN;
    if (family->dispersion)
        NG_TRY_GOTO(add_rows(family, model, data, problem, theta,
                             s->deviance / data->total_weight, &fitted));
    if (family->dispersion && s->dispersion > 0)
        NG_TRY_GOTO(mean_loss(model, data, problem, theta, &s->loss));
    NG_TRY_GOTO(null_deviance(options, family, model, data, &s->null_deviance));
    memcpy(model->theta, theta, d * sizeof *theta);
    to_raw(data, model->family.block[0].count, model->theta, 1);
    if (s->converged && !ngi_all_finite(d, model->theta)) {
        status = ngi_fail(data->ctx, NG_ENUMERIC,
                          "a coefficient is beyond the range of numbers; "
                          "expected columns of a more usual scale");
        goto fail;
    }
    NG_TRY_GOTO(name_parameters(model));
    if (model->covariance)
        fill_standard_errors(options, family, model, data, &null_space, raw);
    fill_likelihood(family, model, data, &fitted);
    NG_TRY_GOTO(add_warnings(options, family, model, &fitted));
fail:
    ngi_free(data->ctx, gradient);
    ngi_free(data->ctx, null_space.vector);
    return status;
}
