/* Multinomial models: a softmax over unordered levels, the first of which is
 * the reference. */
#include "learner/glm.h"

#include "glm/separation.h"
#include "glm/softmax.h"
#include "glm/weighted_qr.h"
#include "numerics/linalg.h"
#include "numerics/special.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Where rows x width^2 is above this, what is aliased is looked for only if
 * standard errors are wanted: they cost more. */
static const double LARGE = 2e9;
/* More coefficients than these have no dense covariance (8 GB). */
enum { MOST_DENSE = 30000 };

/* ---- The design without its aliased columns ---- */

typedef struct reduced {
    const ngi_glm_rows *all;
    size_t width;
    size_t *kept;     /* their columns */
    const double **x; /* width for each worker */
    ngi_glm_visit visit;
    void *user;
} reduced;

static void pass_reduced(void *user, size_t worker,
                         const ngi_glm_block *block) {
    const reduced *r = user;
    const double **x = r->x + worker * r->width;
    ngi_glm_block out = *block;
    for (size_t j = 0; j < r->width; j++)
        x[j] = block->x[r->kept[j]];
    out.x = x;
    r->visit(r->user, worker, &out);
}

static ng_status each_reduced(const ngi_glm_rows *rows, size_t stride,
                              ngi_glm_visit visit, void *user) {
    reduced pass = *(const reduced *)rows->state;
    pass.visit = visit;
    pass.user = user;
    return pass.all->each(pass.all, stride, pass_reduced, &pass);
}

static ng_status find_aliased(const ngi_glm_fit *fit, reduced *r) {
    const ngi_glm_rows *rows = &fit->data.rows;
    size_t p = rows->width, kept;
    double work = (double)rows->rows * (double)p * (double)p;
    bool look = !(fit->options->l2 > 0) &&
                (work < LARGE || fit->options->std_errors != NG_SE_NONE);
    r->all = rows;
    r->kept = ngi_alloc(fit->ctx, p, sizeof *r->kept);
    r->x = ngi_alloc(fit->ctx, rows->workers, p * sizeof *r->x);
    double *R = look ? ngi_alloc(fit->ctx, p, p * sizeof *R) : NULL;
    bool *aliased = ngi_alloc(fit->ctx, p, sizeof *aliased);
    ng_status status =
        r->kept && r->x && aliased && (R || !look) ? NG_OK : NG_ENOMEM;
    if (status == NG_OK && look)
        status = ngi_weighted_qr(fit->ctx, rows, NULL, NULL, NULL,
                                 NGI_GLM_ALIAS, R, aliased, &kept);
    for (size_t j = 0; status == NG_OK && j < p; j++) {
        if (!aliased[j])
            r->kept[r->width++] = j;
    }
    ngi_free(fit->ctx, R);
    ngi_free(fit->ctx, aliased);
    return status;
}

/* ---- A pass at theta ---- */

typedef enum sum_kind { SUM_LIKELIHOOD, SUM_FISHER, SUM_SCORES } sum_kind;

typedef struct class_worker {
    double *eta, *p, *weighted, *scaled, *block, *F;
    double deviance, right;
    bool extreme;
} class_worker;

typedef struct class_pass {
    const ngi_glm_rows *rows;
    size_t levels;
    const double *theta;
    sum_kind kind;
    class_worker *worker;
} class_pass;

/* Probabilities (levels columns of n) and what the row says of them. */
static void add_probabilities(const class_pass *c, const ngi_glm_block *block,
                              class_worker *w) {
    size_t n = block->count, K = c->levels;
    memset(w->eta, 0, n * sizeof *w->eta);
    ngi_glm_block plain = *block;
    plain.offset = NULL;
    for (size_t k = 1; k < K; k++)
        ngi_glm_predictor(c->rows, &plain, c->theta + (k - 1) * c->rows->width,
                          w->eta + k * n);
    for (size_t i = 0; i < n; i++) {
        double weight = block->weight ? block->weight[i] : 1;
        double most = 0, sum = 0;
        size_t best = 0, y = (size_t)block->y[i];
        for (size_t k = 1; k < K; k++) {
            best = w->eta[k * n + i] > most ? k : best;
            most = fmax(most, w->eta[k * n + i]);
        }
        for (size_t k = 0; k < K; k++) {
            w->p[k * n + i] = exp(w->eta[k * n + i] - most);
            sum += w->p[k * n + i];
        }
        for (size_t k = 0; k < K; k++)
            w->p[k * n + i] /= sum;
        if (weight == 0)
            continue;
        w->deviance += 2 * weight * (log(sum) + most - w->eta[y * n + i]);
        w->right += best == y ? weight : 0;
        w->extreme = w->extreme || w->p[best * n + i] > 1 - NGI_GLM_EDGE;
    }
}

/* Row weights of block (k, l) of the sum. */
static double curvature(const class_pass *c, const ngi_glm_block *block,
                        const class_worker *w, size_t k, size_t l, size_t i) {
    size_t n = block->count;
    double weight = block->weight ? block->weight[i] : 1;
    double pk = w->p[k * n + i], pl = w->p[l * n + i];
    if (c->kind == SUM_FISHER)
        return weight * pk * (k == l ? 1 - pk : -pl);
    size_t y = (size_t)block->y[i];
    return weight * weight * (pk - (k == y)) * (pl - (l == y));
}

static void visit(void *user, size_t worker, const ngi_glm_block *block) {
    const class_pass *c = user;
    class_worker *w = &c->worker[worker];
    size_t n = block->count, p = c->rows->width, d = (c->levels - 1) * p;
    add_probabilities(c, block, w);
    if (c->kind == SUM_LIKELIHOOD)
        return;
    ngi_glm_scaled(c->rows, block, NULL, NULL, w->scaled);
    for (size_t k = 1; k < c->levels; k++) {
        for (size_t l = 1; l <= k; l++) {
            for (size_t i = 0; i < n; i++)
                w->eta[i] = curvature(c, block, w, k, l, i);
            ngi_glm_scaled(c->rows, block, NULL, w->eta, w->weighted);
            ngi_gemm_nt(p, p, n, w->scaled, n, w->weighted, n, w->block, p);
            for (size_t j = 0; j < p; j++)
                ngi_axpy(p, 1, w->block + j * p,
                         w->F + ((k - 1) * p + j) * d + (l - 1) * p);
        }
    }
}

static ng_status run_pass(ng_ctx *ctx, const ngi_glm_rows *rows, size_t levels,
                          const double *theta, sum_kind kind,
                          class_worker *total, double *F) {
    size_t n = rows->block_rows, p = rows->width, d = (levels - 1) * p;
    bool dense = kind != SUM_LIKELIHOOD;
    size_t vectors = 2 * n * levels + (dense ? 2 * n * p + p * p : 0);
    class_pass c = {rows, levels, theta, kind, NULL};
    ng_status status = NG_ENOMEM;
    *total = (class_worker){0};
    c.worker = ngi_alloc(ctx, rows->workers, sizeof *c.worker);
    if (!c.worker)
        goto fail;
    for (size_t k = 0; k < rows->workers; k++) {
        class_worker *w = &c.worker[k];
        w->eta =
            ngi_alloc(ctx, vectors + (dense && k ? d * d : 0), sizeof *w->eta);
        if (!w->eta)
            goto fail;
        w->p = w->eta + n * levels;
        w->scaled = w->p + n * levels;
        w->weighted = w->scaled + n * p;
        w->block = w->weighted + n * p;
        w->F = k ? w->eta + vectors : F;
    }
    if (dense)
        memset(F, 0, d * d * sizeof *F);
    NG_TRY_GOTO(rows->each(rows, 1, visit, &c));
    for (size_t k = 0; k < rows->workers; k++) {
        total->deviance += c.worker[k].deviance;
        total->right += c.worker[k].right;
        total->extreme = total->extreme || c.worker[k].extreme;
        if (dense && k)
            ngi_axpy(d * d, 1, c.worker[k].F, F);
    }
fail:
    for (size_t k = 0; c.worker && k < rows->workers; k++)
        ngi_free(ctx, c.worker[k].eta);
    ngi_free(ctx, c.worker);
    return status;
}

/* ---- Covariance ---- */

/* The penalty of the symmetric softmax, whichever level is the reference:
 * total x ridge_j (I - 1 1' / levels) for column j. */
static void add_penalty(const double *ridge, double total, size_t p,
                        size_t levels, double *F) {
    size_t d = (levels - 1) * p;
    for (size_t k = 0; k + 1 < levels; k++) {
        for (size_t l = 0; l <= k; l++) {
            double share = (k == l) - 1 / (double)levels;
            for (size_t j = 0; j < p; j++)
                F[(k * p + j) * d + l * p + j] += total * ridge[j] * share;
        }
    }
}

/* The rows and columns of S that count, as a matrix of their own. */
static void compress(size_t d, const size_t *index, size_t count, double *S) {
    for (size_t a = 0; a < count; a++) {
        for (size_t b = 0; b <= a; b++)
            S[a * count + b] = S[index[a] * d + index[b]];
    }
}

/* And back: zeros elsewhere. From the end, for it is done in place. */
static void expand(size_t d, const size_t *index, size_t count, double *S) {
    memset(S + count * count, 0, (d * d - count * count) * sizeof *S);
    for (size_t a = count; a-- > 0;) {
        for (size_t b = count; b-- > 0;) {
            double value = S[a * count + b];
            S[a * count + b] = 0;
            S[index[a] * d + index[b]] = value;
        }
    }
}

/* The middle of the sandwich around C (count x count). */
static ng_status add_sandwich(const ngi_glm_fit *fit, const ngi_glm_rows *rows,
                              const double *theta, const size_t *index,
                              size_t count, double *C) {
    size_t levels = fit->model->levels.count, d = (levels - 1) * rows->width;
    class_worker ignored;
    double *B = ngi_alloc(fit->ctx, 2 * d, d * sizeof *B);
    if (!B)
        return NG_ENOMEM;
    double *out = B + d * d;
    ng_status status =
        run_pass(fit->ctx, rows, levels, theta, SUM_SCORES, &ignored, B);
    if (status == NG_OK) {
        compress(d, index, count, B);
        ngi_mirror(count, B);
        status = ngi_transform_covariance(fit->ctx, count, count, C, B, out);
        memcpy(C, out, count * count * sizeof *C);
    }
    ngi_free(fit->ctx, B);
    return status;
}

/* What of the trace of the penalised inverse the ridge takes away. */
static double penalised_share(const ngi_glm_fit *fit, const ngi_glm_rows *rows,
                              const double *ridge, const double *C) {
    size_t levels = fit->model->levels.count, p = rows->width;
    size_t d = (levels - 1) * p;
    double sum = 0;
    for (size_t k = 0; k + 1 < levels; k++) {
        for (size_t l = 0; l + 1 < levels; l++) {
            double share = (k == l) - 1 / (double)levels;
            for (size_t j = 0; j < p; j++)
                sum += rows->total_weight * ridge[j] * share *
                       C[(k * p + j) * d + l * p + j];
        }
    }
    return sum;
}

/* Over the parameters that have a finite estimate: towards the maximum the
 * information on the others, and what they share with these, vanishes.
 * `infinite` NULL: all have one. */
static ng_status covariance(const ngi_glm_fit *fit, const ngi_glm_rows *rows,
                            const double *theta, const double *ridge,
                            const bool *infinite, double *C,
                            double *effective) {
    size_t levels = fit->model->levels.count, p = rows->width;
    size_t d = (levels - 1) * p, count = 0;
    class_worker ignored;
    ngi_null_space null_space;
    ng_status status;
    size_t *index = ngi_alloc(fit->ctx, d, sizeof *index);
    if (!index)
        return NG_ENOMEM;
    for (size_t i = 0; i < d; i++) {
        if (!infinite || !infinite[i])
            index[count++] = i;
    }
    NG_TRY_GOTO(
        run_pass(fit->ctx, rows, levels, theta, SUM_FISHER, &ignored, C));
    if (fit->options->l2 > 0)
        add_penalty(ridge, rows->total_weight, p, levels, C);
    compress(d, index, count, C);
    NG_TRY_GOTO(ngi_invert_information(fit->ctx, count, C, &null_space));
    *effective = (double)(d - null_space.count);
    ngi_free(fit->ctx, null_space.vector);
    if (fit->options->std_errors == NG_SE_ROBUST)
        NG_TRY_GOTO(add_sandwich(fit, rows, theta, index, count, C));
    expand(d, index, count, C);
    if (fit->options->l2 > 0)
        *effective -= penalised_share(fit, rows, ridge, C);
fail:
    ngi_free(fit->ctx, index);
    return status;
}

/* ---- Conclusion ---- */

static ng_status fill_parameters(const ngi_glm_fit *fit, const reduced *r,
                                 const double *theta, const double *C) {
    ng_model *model = fit->model;
    ng_summary *s = &model->summary;
    size_t p = fit->data.rows.width, q = r->width, d = model->dim;
    double quantile = -ngi_ndtri(0.5 * (1 - s->interval_level));
    for (size_t i = 0; i < d; i++) {
        NG_TRY(ngi_model_set_name(model, i, model->design->name[i % p],
                                  model->levels.name[i / p + 1]));
        model->parameter[i].aliased = 1;
    }
    for (size_t a = 0; a < model->outputs * q; a++) {
        size_t i = a / q * p + r->kept[a % q];
        ng_parameter *at = &model->parameter[i];
        at->aliased = 0;
        at->estimate = model->theta[i] = theta[a];
        for (size_t b = 0; C && b < model->outputs * q; b++)
            model->covariance[i * d + b / q * p + r->kept[b % q]] =
                C[a * model->outputs * q + b];
        if (!C)
            continue;
        at->std_error = sqrt(fmax(C[a * model->outputs * q + a], 0));
        if (!(at->std_error > 0) || isinf(at->std_error))
            continue;
        at->statistic = at->estimate / at->std_error;
        at->p_value = 2 * ngi_ndtr(-fabs(at->statistic));
        at->lower = at->estimate - quantile * at->std_error;
        at->upper = at->estimate + quantile * at->std_error;
    }
    return NG_OK;
}

static void fill_summary(const ngi_glm_fit *fit, const reduced *r,
                         const class_worker *sums) {
    const ngi_glm_data *data = &fit->data;
    ng_summary *s = &fit->model->summary;
    double total = data->totals.weight;
    s->n = data->totals.used;
    s->l2 = fit->options->l2;
    s->std_errors = fit->options->std_errors;
    s->intervals = NG_INTERVALS_WALD;
    s->interval_level = fit->options->level;
    s->rank = fit->model->outputs * r->width;
    s->df_residual = s->n * (double)fit->model->outputs - (double)s->rank;
    s->df_effective = (double)s->rank;
    s->dispersion = 1;
    s->deviance = sums->deviance;
    s->loss = 0.5 * sums->deviance / total;
    s->log_likelihood = -0.5 * sums->deviance;
    s->aic = 2 * (double)s->rank - 2 * s->log_likelihood;
    s->bic = (double)s->rank * log(s->n) - 2 * s->log_likelihood;
    s->accuracy = sums->right / total;
    s->null_deviance = 0;
    double equal = 1 / (double)fit->model->levels.count;
    for (size_t k = 0; k < fit->model->levels.count; k++) {
        double w = data->level_weight[k];
        double share = fit->model->design->intercept ? w / total : equal;
        s->null_deviance -= w > 0 ? 2 * w * log(share) : 0;
    }
}

/* Whether the levels separate; what was found is the caller's to clear. */
static ng_status find_separation(ngi_glm_fit *fit, const ngi_glm_rows *rows,
                                 const double *theta, bool extreme,
                                 ngi_separation *found) {
    ng_summary *s = &fit->model->summary;
    ngi_separation_spec spec = {.rows = rows,
                                .form = NGI_SEPARATES_CLASSES,
                                .levels = fit->model->levels.count,
                                .theta = theta};
    *found = (ngi_separation){.kind = NG_SEPARATION_NONE};
    if (fit->options->l2 > 0 || s->stop == NG_STOPPED ||
        (s->converged && !extreme))
        return NG_OK;
    NG_TRY(ngi_separation_find(fit->ctx, &spec, found));
    s->separation = found->kind;
    if (found->kind == NG_SEPARATION_NONE)
        return NG_OK;
    s->converged = 0;
    s->stop = NG_SEPARATED;
    return NG_OK;
}

static void mark_infinite(ng_model *model, const reduced *r, size_t p,
                          const ngi_separation *found) {
    for (size_t a = 0; a < model->outputs * r->width; a++) {
        ng_parameter *at =
            &model->parameter[a / r->width * p + r->kept[a % r->width]];
        if (!found->infinite[a])
            continue;
        at->infinite = found->direction[a] < 0 ? -1 : 1;
        at->std_error = at->statistic = at->p_value = at->lower = at->upper =
            (double)NAN;
    }
}

static ng_status conclude(ngi_glm_fit *fit, const ngi_glm_rows *rows,
                          const reduced *r, const double *theta,
                          const double *ridge) {
    ng_model *model = fit->model;
    size_t d = model->outputs * fit->data.rows.width;
    size_t kept = model->outputs * r->width;
    bool dense = fit->options->std_errors != NG_SE_NONE;
    ngi_separation found = {.kind = NG_SEPARATION_NONE};
    class_worker sums;
    double *C = NULL;
    ng_status status;
    if (dense && d > MOST_DENSE)
        return ngi_fail(fit->ctx, NG_EUSAGE,
                        "%zu coefficients are too many for standard errors; "
                        "ask for none",
                        d);
    NG_TRY(ngi_model_allocate(model, d, d, dense));
    NG_TRY(run_pass(fit->ctx, rows, model->levels.count, theta, SUM_LIKELIHOOD,
                    &sums, NULL));
    fill_summary(fit, r, &sums);
    NG_TRY(find_separation(fit, rows, theta, sums.extreme, &found));
    bool separates = found.kind != NG_SEPARATION_NONE;
    if (dense) {
        C = ngi_alloc(fit->ctx, kept, kept * sizeof *C);
        status = C ? covariance(fit, rows, theta, ridge,
                                separates ? found.infinite : NULL, C,
                                &model->summary.df_effective)
                   : NG_ENOMEM;
        if (status != NG_OK)
            goto fail;
    }
    NG_TRY_GOTO(fill_parameters(fit, r, theta, C));
    if (separates)
        mark_infinite(model, r, fit->data.rows.width, &found);
fail:
    ngi_separation_clear(fit->ctx, &found);
    ngi_free(fit->ctx, C);
    return status;
}

/* ---- The fit ---- */

/* Logs of the levels' shares, half a row for each. */
static void start(const ngi_glm_fit *fit, size_t width, double *theta) {
    const double *share = fit->data.level_weight;
    if (!fit->model->design->intercept)
        return;
    for (size_t k = 1; k < fit->model->levels.count; k++)
        theta[(k - 1) * width] = log((share[k] + 0.5) / (share[0] + 0.5));
}

static ng_status run(ngi_glm_fit *fit, const ngi_glm_rows *rows,
                     const double *ridge, double *theta) {
    const ng_glm_options *options = fit->options;
    ngi_softmax_spec spec = {
        .rows = rows,
        .levels = fit->model->levels.count,
        .ridge = options->l2 > 0 ? ridge : NULL,
        .tolerance = options->fit.tolerance,
        .max_iter = options->fit.max_iter ? options->fit.max_iter : 1000,
        .monitor = options->monitor,
        .user = options->user};
    return ngi_softmax_run(fit->ctx, &spec, theta, &fit->report);
}

/* Other methods run on all columns: what is aliased has a coefficient. */
static ng_status run_method(ngi_glm_fit *fit, reduced *r) {
    size_t p = fit->data.rows.width;
    for (size_t j = 0; j < p; j++)
        r->kept[j] = j;
    r->width = p;
    return ngi_glm_run_method(fit);
}

static ng_status fit_reduced(ngi_glm_fit *fit, reduced *r) {
    const ng_glm_options *options = fit->options;
    size_t outputs = fit->model->outputs;
    ngi_glm_rows rows = fit->data.rows;
    /* By default matrix-free; dense where that is asked for by name. */
    bool scores = ngi_glm_scores(&options->fit) && !options->fit.metric;
    rows.width = scores ? r->width : fit->data.rows.width;
    rows.each = each_reduced;
    rows.state = r;
    fit->theta = ngi_alloc(fit->ctx, outputs, rows.width * sizeof *fit->theta);
    fit->ridge = ngi_alloc(fit->ctx, rows.width, sizeof *fit->ridge);
    if (!fit->theta || !fit->ridge)
        return NG_ENOMEM;
    for (size_t j = fit->model->design->intercept; j < rows.width; j++)
        fit->ridge[j] = options->l2;
    start(fit, rows.width, fit->theta);
    NG_TRY(scores ? run(fit, &rows, fit->ridge, fit->theta)
                  : run_method(fit, r));
    ngi_model_record_run(fit->model, &fit->report);
    NG_TRY(conclude(fit, &rows, r, fit->theta, fit->ridge));
    return ngi_glm_add_warnings(fit->model);
}

ng_status ngi_glm_fit_classes(ngi_glm_fit *fit) {
    reduced r = {0};
    fit->model->pilot = 1;
    if (fit->data.rows.width == 0)
        return ngi_fail(fit->ctx, NG_EUSAGE,
                        "expected an intercept or at least one feature");
    ng_status status = find_aliased(fit, &r);
    if (status == NG_OK)
        status = fit_reduced(fit, &r);
    ngi_free(fit->ctx, r.kept);
    ngi_free(fit->ctx, r.x);
    return status;
}
