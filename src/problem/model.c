/* The problem of a family, its predictors and a source of rows: creation, the
 * pass over row blocks, and the two evaluations that every fit makes. */
#include "problem/model.h"

#include "numerics/linalg.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Rows a block, so that a block's inputs stay in the second-level cache
 * (half a megabyte) and matrix products still have some depth. It depends on
 * the widths alone: results do not change with the number of threads' luck. */
enum { CACHE_DOUBLES = 65536, MIN_BLOCK = 128, MAX_BLOCK = 1024 };

static size_t choose_block_rows(const ngi_model *m) {
    size_t width = m->spec.family.dim_z * (m->spec.family.dim_z + 4);
    for (size_t b = 0; b < m->spec.family.blocks; b++)
        width += m->spec.block[b].inputs;
    size_t rows = CACHE_DOUBLES / (width ? width : 1);
    rows = rows < MIN_BLOCK ? MIN_BLOCK : rows;
    rows = rows > MAX_BLOCK ? MAX_BLOCK : rows;
    return rows < m->spec.source.rows ? rows : m->spec.source.rows;
}

/* ---- A pass ---- */

typedef struct span {
    size_t begin, end; /* blocks of rows */
} span;

static span worker_span(const ngi_model *m, size_t worker) {
    if (!m->spec.source.random_access)
        return worker == 0 ? (span){0, m->blocks} : (span){0, 0};
    return (span){m->blocks * worker / m->workers,
                  m->blocks * (worker + 1) / m->workers};
}

static void run_worker(void *user, size_t worker) {
    ngi_pass *pass = user;
    ngi_model *m = pass->model;
    const ng_source *source = &m->spec.source;
    if (worker >= m->workers)
        return;
    span blocks = worker_span(m, worker);
    ngi_scratch *s = &m->scratch[worker];
    if (pass->want_gradient)
        memset(s->gradient, 0, m->base.dim * sizeof *s->gradient);
    if (pass->want_F)
        memset(s->F, 0, m->base.dim * m->base.dim * sizeof *s->F);
    if (pass->F_blocks)
        memset(s->F_blocks, 0, ngi_model_block_memory(m) * sizeof *s->F_blocks);
    pass->status[worker] = NG_OK;
    for (size_t b = blocks.begin; b < blocks.end; b++) {
        if (pass->stride > 1 && b % pass->stride != 0)
            continue;
        size_t first = b * m->block_rows;
        size_t left = source->rows - first;
        ng_rows rows = {0};
        pass->status[worker] =
            source->read(source, worker, first,
                         left < m->block_rows ? left : m->block_rows, &rows);
        if (pass->status[worker] != NG_OK)
            return;
        pass->rows(pass, worker, &rows);
    }
}

static void add_shares(ngi_pass *pass) {
    ngi_model *m = pass->model;
    size_t d = m->base.dim;
    if (pass->want_gradient) {
        memset(pass->gradient, 0, d * sizeof *pass->gradient);
        for (size_t w = 0; w < m->workers; w++)
            ngi_axpy(d, 1, m->scratch[w].gradient, pass->gradient);
    }
    for (size_t w = 1; pass->F_blocks && w < m->workers; w++)
        ngi_axpy(ngi_model_block_memory(m), 1, m->scratch[w].F_blocks,
                 pass->F_blocks);
    if (!pass->want_F)
        return;
    for (size_t w = 1; w < m->workers; w++) {
        for (size_t i = 0; i < d; i++)
            ngi_axpy(i + 1, 1, m->scratch[w].F + i * d, pass->F + i * d);
    }
    ngi_model_complete_F(m, pass->F);
}

ng_status ngi_pass_run(ngi_pass *pass) {
    ngi_model *m = pass->model;
    /* Sums and statuses of the workers lie behind the scratch. */
    double *sums = m->memory;
    ng_status *status = (ng_status *)(sums + 2 * m->workers);
    memset(sums, 0, 2 * m->workers * sizeof *sums);
    pass->sum = sums;
    pass->sum1 = sums + m->workers;
    pass->status = status;
    m->scratch[0].F = pass->F;
    m->scratch[0].F_blocks = pass->F_blocks;
    if (m->workers == 1)
        run_worker(pass, 0);
    else
        ngi_parallel(m->base.ctx, run_worker, pass);
    for (size_t w = 0; w < m->workers; w++)
        NG_TRY(status[w]);
    for (size_t w = 1; w < m->workers; w++) {
        pass->sum[0] += pass->sum[w];
        pass->sum1[0] += pass->sum1[w];
    }
    add_shares(pass);
    return NG_OK;
}

/* ---- From theta to z ---- */

static void predict_eta(const ngi_model *m, const ng_rows *rows,
                        const double *theta, double *eta) {
    size_t K = m->spec.family.dim_z;
    for (size_t b = 0; b < m->spec.family.blocks; b++) {
        const ng_predictor *p = &m->predictor[b];
        size_t first = m->spec.family.block[b].first;
        p->ops->forward(p, rows->count, rows->X[b], theta + m->theta_first[b],
                        eta + first, K);
        double value = m->spec.block[b].value;
        for (size_t i = 0; value != 0 && i < rows->count; i++) {
            for (size_t c = 0; c < p->outputs; c++)
                eta[i * K + first + c] += value;
        }
        if (!rows->offset[b])
            continue;
        for (size_t i = 0; i < rows->count; i++) {
            for (size_t c = 0; c < p->outputs; c++)
                eta[i * K + first + c] += rows->offset[b][i * p->outputs + c];
        }
    }
}

static void apply_links(const ngi_model *m, size_t n, const double *eta,
                        double *z, double *dz, double *d2z) {
    size_t K = m->spec.family.dim_z;
    for (size_t b = 0; b < m->spec.family.blocks; b++) {
        const ng_family_block *block = &m->spec.family.block[b];
        bool whole = block->count == K;
        size_t runs = whole ? 1 : n, length = whole ? n * K : block->count;
        for (size_t i = 0; i < runs; i++) {
            size_t at = i * K + block->first;
            ng_link_inverse(m->spec.block[b].link, block->coordinate, length,
                            eta + at, z + at, dz ? dz + at : NULL,
                            d2z ? d2z + at : NULL);
        }
    }
}

void ngi_model_forward(const ngi_model *m, const ng_rows *rows,
                       const double *theta, ngi_scratch *s) {
    predict_eta(m, rows, theta, s->eta);
    apply_links(m, rows->count, s->eta, s->z, s->dz, s->d2z);
}

void ngi_model_forward_kept(const ngi_model *m, const ng_rows *rows,
                            const double *theta, ngi_scratch *s) {
    size_t K = m->spec.family.dim_z, bytes = rows->count * K * sizeof(double);
    double *kept = m->kept_eta ? m->kept_eta + rows->first * K : NULL;
    if (kept && m->keeps)
        memcpy(s->eta, kept, bytes);
    else
        predict_eta(m, rows, theta, s->eta);
    if (kept && !m->keeps)
        memcpy(kept, s->eta, bytes);
    apply_links(m, rows->count, s->eta, s->z, s->dz, s->d2z);
}

void ngi_model_forward_z(const ngi_model *m, const ng_rows *rows,
                         const double *theta, ngi_scratch *s, double *z) {
    predict_eta(m, rows, theta, s->xi);
    apply_links(m, rows->count, s->xi, z, NULL, NULL);
}

void ngi_model_jvp(const ngi_model *m, const ng_rows *rows, const double *theta,
                   const double *v, double *xi) {
    for (size_t b = 0; b < m->spec.family.blocks; b++) {
        const ng_predictor *p = &m->predictor[b];
        size_t at = m->theta_first[b];
        p->ops->jvp(p, rows->count, rows->X[b], theta + at, v + at,
                    xi + m->spec.family.block[b].first, m->spec.family.dim_z);
    }
}

void ngi_model_vjp(const ngi_model *m, const ng_rows *rows, const double *theta,
                   const double *u, double *gradient) {
    for (size_t b = 0; b < m->spec.family.blocks; b++) {
        const ng_predictor *p = &m->predictor[b];
        size_t at = m->theta_first[b];
        p->ops->vjp(p, rows->count, rows->X[b], theta + at,
                    u + m->spec.family.block[b].first, m->spec.family.dim_z,
                    gradient + at);
    }
}

/* ---- Evaluate ---- */

/* Compensated (Neumaier 1974): n rows lose no more than one does. */
static void add_weighted(const ngi_model *m, const ng_rows *rows,
                         const double *value, const double *minus,
                         double *sum) {
    double total = *sum, lost = 0;
    for (size_t i = 0; i < rows->count; i++) {
        double w = ngi_row_weight(m, rows, i);
        double term = w == 0 ? 0 : w * (minus ? value[i] - minus[i] : value[i]);
        double next = total + term;
        lost += fabs(total) >= fabs(term) ? (total - next) + term
                                          : (term - next) + total;
        total = next;
    }
    *sum = isfinite(lost) ? total + lost : total;
}

static void accumulate_gradient(const ngi_model *m, const ng_rows *rows,
                                const double *theta, ngi_scratch *s) {
    const ng_objective *objective = m->spec.objective;
    size_t K = m->spec.family.dim_z;
    objective->gradient(objective, &m->spec.family, rows->count, s->z, rows->y,
                        s->u, s->work);
    for (size_t i = 0; i < rows->count; i++) {
        double w = ngi_row_weight(m, rows, i);
        for (size_t c = 0; c < K; c++) {
            double *u = &s->u[i * K + c];
            *u = w == 0 ? 0 : *u * w * s->dz[i * K + c];
        }
    }
    ngi_model_vjp(m, rows, theta, s->u, s->gradient);
}

static void accumulate_fisher(const ngi_pass *pass, const ng_rows *rows,
                              ngi_scratch *s) {
    const ngi_model *m = pass->model;
    const double one = 1;
    /* The same z in every row has the same exact Fisher in every row. */
    if (m->constant && pass->fisher->kind == NG_FISHER_EXACT) {
        if (rows->first > 0)
            return;
        ngi_model_exact_curvature(m, 1, s, s->M);
        ngi_model_accumulate_F(m, rows, 1, pass->theta, s->M, &one, s, s->F);
        return;
    }
    ngi_model_curvature(m, rows, pass->fisher, s, s->M);
    for (size_t i = 0; i < rows->count; i++) {
        double w = ngi_row_weight(m, rows, i);
        s->value[i] =
            pass->square_weights ? w * w * m->spec.source.total_weight : w;
    }
    ngi_model_accumulate_F(m, rows, rows->count, pass->theta, s->M, s->value, s,
                           s->F);
}

static void evaluate_rows(ngi_pass *pass, size_t worker, const ng_rows *rows) {
    const ngi_model *m = pass->model;
    const ng_objective *objective = m->spec.objective;
    ngi_scratch *s = &m->scratch[worker];
    ngi_model_forward(m, rows, pass->theta, s);
    if (pass->want_value) {
        objective->value(objective, &m->spec.family, rows->count, s->z, rows->y,
                         s->value, s->work);
        add_weighted(m, rows, s->value, NULL, &pass->sum[worker]);
    }
    if (pass->want_gradient)
        accumulate_gradient(m, rows, pass->theta, s);
    if (pass->want_F)
        accumulate_fisher(pass, rows, s);
}

/* A share of F, or of its blocks, for every worker but the first. */
static ng_status reserve_shares(ngi_model *m, size_t size, double **memory) {
    if (*memory || m->workers == 1)
        return NG_OK;
    *memory = ngi_alloc(m->base.ctx, m->workers - 1, size * sizeof **memory);
    return *memory ? NG_OK : NG_ENOMEM;
}

static ng_status reserve(ng_problem *problem, const ng_fisher *fisher,
                         int what) {
    ngi_model *m = ngi_model_of(problem);
    size_t d = problem->dim;
    if (fisher && fisher->kind == NG_FISHER_OBSERVED &&
        !m->spec.objective->hessian)
        return ngi_fail(problem->ctx, NG_EUNSUPPORTED,
                        "objective \"%s\" has no Hessian",
                        m->spec.objective->name);
    if (what == NG_RESERVE_DENSE) {
        NG_TRY(reserve_shares(m, d * d, &m->dense));
        for (size_t w = 1; w < m->workers; w++)
            m->scratch[w].F = m->dense + (w - 1) * d * d;
    }
    if (what == NG_RESERVE_BLOCKS && !m->kept_eta &&
        m->spec.source.random_access) {
        m->kept_eta =
            ngi_alloc(problem->ctx, problem->rows * m->spec.family.dim_z + d,
                      sizeof *m->kept_eta);
        if (!m->kept_eta)
            return NG_ENOMEM;
        m->kept_theta = m->kept_eta + problem->rows * m->spec.family.dim_z;
    }
    if (what == NG_RESERVE_BLOCKS) {
        size_t size = ngi_model_block_memory(m);
        NG_TRY(reserve_shares(m, size, &m->block_shares));
        for (size_t w = 1; w < m->workers; w++)
            m->scratch[w].F_blocks = m->block_shares + (w - 1) * size;
    }
    return NG_OK;
}

static ng_status evaluate(ng_problem *problem, const double *theta,
                          double *loss, double *objective, double *gradient,
                          const ng_fisher *fisher, double *F) {
    ngi_model *m = ngi_model_of(problem);
    if (F)
        NG_TRY(reserve(problem, fisher, NG_RESERVE_DENSE));
    ngi_pass pass = {.model = m,
                     .rows = evaluate_rows,
                     .theta = theta,
                     .fisher = fisher,
                     .want_value = loss || objective,
                     .want_gradient = gradient != NULL,
                     .want_F = F != NULL,
                     .gradient = gradient,
                     .F = F};
    NG_TRY(ngi_pass_run(&pass));
    double value = isnan(pass.sum[0]) ? HUGE_VAL : pass.sum[0];
    if (loss)
        *loss = value;
    if (objective)
        *objective = value + ngi_model_penalty(m, theta);
    if (gradient)
        ngi_model_penalty_product(problem, theta, gradient);
    return NG_OK;
}

/* ---- Compare ---- */

static void compare_rows(ngi_pass *pass, size_t worker, const ng_rows *rows) {
    const ngi_model *m = pass->model;
    const ng_objective *objective = m->spec.objective;
    const ng_family *f = &m->spec.family;
    ngi_scratch *s = &m->scratch[worker];
    ngi_model_forward_z(m, rows, pass->theta, s, s->z);
    ngi_model_forward_z(m, rows, pass->theta1, s, s->z1);
    objective->value(objective, f, rows->count, s->z, rows->y, s->value,
                     s->work);
    objective->value(objective, f, rows->count, s->z1, rows->y, s->value1,
                     s->work);
    add_weighted(m, rows, s->value1, s->value, &pass->sum[worker]);
    if (m->constant) {
        if (rows->first == 0)
            f->ops->kl(f, 1, s->z, s->z1, &pass->sum1[worker], s->work);
        return;
    }
    f->ops->kl(f, rows->count, s->z, s->z1, s->value, s->work);
    add_weighted(m, rows, s->value, NULL, &pass->sum1[worker]);
}

static ng_status compare(ng_problem *problem, const double *theta0,
                         const double *theta1, double *change, double *kl) {
    ngi_model *m = ngi_model_of(problem);
    ngi_pass pass = {
        .model = m, .rows = compare_rows, .theta = theta0, .theta1 = theta1};
    NG_TRY(ngi_pass_run(&pass));
    *change = isnan(pass.sum[0])
                  ? HUGE_VAL
                  : pass.sum[0] + ngi_model_penalty_change(m, theta0, theta1);
    *kl = isnan(pass.sum1[0]) ? HUGE_VAL : pass.sum1[0];
    return NG_OK;
}

/* ---- What the user sees ---- */

/* With x~ = (x - shift) / scale: gamma_j = scale_j beta_j and
 * gamma_0 = beta_0 + sum_j shift_j beta_j, so by the chain rule
 * dL/dbeta_j = scale_j dL/dgamma_j + shift_j dL/dgamma_0. */
static void user_gradient(const ng_problem *problem, const double *gradient,
                          double *out) {
    const ngi_model *m = ngi_model_of(problem);
    memcpy(out, gradient, problem->dim * sizeof *out);
    if (!m->scale)
        return;
    const ng_predictor *p = &m->predictor[m->ridge_block];
    double *g = out + m->theta_first[m->ridge_block];
    for (size_t c = 0; c < p->outputs; c++) {
        for (size_t j = p->inputs; j-- > 0;) {
            double *entry = &g[c * p->inputs + j];
            *entry = m->scale[j] * *entry;
            if (m->shift[j] != 0)
                *entry += m->shift[j] * g[c * p->inputs];
        }
    }
}

ng_status ng_model_problem_predict(ng_problem *problem, const double *theta,
                                   size_t first, size_t count, double *z) {
    ngi_model *m = ngi_model_of(problem);
    size_t K = m->spec.family.dim_z;
    for (size_t done = 0; done < count;) {
        size_t n = count - done < m->block_rows ? count - done : m->block_rows;
        ng_rows rows = {0};
        NG_TRY(m->spec.source.read(&m->spec.source, 0, first + done, n, &rows));
        ngi_model_forward_z(m, &rows, theta, &m->scratch[0], z + done * K);
        done += n;
    }
    return NG_OK;
}

size_t ng_model_problem_offset(const ng_problem *problem, size_t block) {
    return ngi_model_of(problem)->theta_first[block];
}

ng_status ng_model_problem_score_covariance(ng_problem *problem,
                                            const double *theta, double *out) {
    ngi_model *m = ngi_model_of(problem);
    const ng_fisher scores = {.kind = NG_FISHER_EMPIRICAL};
    NG_TRY(reserve(problem, &scores, NG_RESERVE_DENSE));
    ngi_pass pass = {.model = m,
                     .rows = evaluate_rows,
                     .theta = theta,
                     .fisher = &scores,
                     .want_F = true,
                     .square_weights = true,
                     .F = out};
    return ngi_pass_run(&pass);
}

/* ---- Creation ---- */

static void destroy(ng_problem *problem) {
    ngi_model *m = ngi_model_of(problem);
    ng_ctx *ctx = problem->ctx;
    ngi_free(ctx, m->ridge);
    ngi_free(ctx, m->shift);
    ngi_free(ctx, m->scale);
    ngi_free(ctx, m->scratch);
    ngi_free(ctx, m->memory);
    ngi_free(ctx, m->dense);
    ngi_free(ctx, m->block_shares);
    ngi_free(ctx, m->kept_eta);
    ngi_free(ctx, m);
}

static const ng_problem_ops MODEL_OPS = {
    .evaluate = evaluate,
    .compare = compare,
    .fisher_product = ngi_model_fisher_product,
    .fisher_diagonal = ngi_model_fisher_diagonal,
    .fisher_block_sizes = ngi_model_fisher_block_sizes,
    .fisher_blocks = ngi_model_fisher_blocks,
    .root_rows = ngi_model_root_rows,
    .fisher_root = ngi_model_fisher_root,
    .connection = ngi_model_connection,
    .penalty_product = ngi_model_penalty_product,
    .penalty_add = ngi_model_penalty_add,
    .penalty_diagonal = ngi_model_penalty_diagonal,
    .penalty_solve = ngi_model_penalty_solve,
    .user_gradient = user_gradient,
    .reserve = reserve,
    .destroy = destroy,
};

/* Hands out pieces of one block; with a NULL base it only counts. */
static double *take(double *base, size_t *used, size_t count) {
    double *piece = base ? base + *used : NULL;
    *used += count;
    return piece;
}

static size_t lay_out_scratch(const ngi_model *m, double *base,
                              ngi_scratch *s) {
    size_t n = m->block_rows, K = m->spec.family.dim_z, used = 0;
    size_t widest = 1, written = 0;
    for (size_t b = 0; b < m->spec.family.blocks; b++) {
        const ng_predictor *p = &m->predictor[b];
        size_t own = p->ops->work ? p->ops->work(p) : 0;
        if (p->dim > 0 && p->inputs > widest)
            widest = p->inputs;
        written = own > written ? own : written;
    }
    widest = written > widest ? written : widest;
    double **row_pieces[] = {&s->eta, &s->z, &s->dz, &s->d2z,
                             &s->z1,  &s->u, &s->xi};
    for (size_t i = 0; i < sizeof row_pieces / sizeof *row_pieces; i++)
        *row_pieces[i] = take(base, &used, n * K);
    s->M = take(base, &used, n * K * K);
    s->M1 = take(base, &used, n * K * K);
    s->value = take(base, &used, n);
    s->value1 = take(base, &used, n);
    s->y = take(base, &used, n * m->spec.family.dim_y);
    s->jacobian = take(base, &used, 2 * n * written);
    s->jacobian_size = n * written;
    s->scaled = take(base, &used, n * widest);
    s->work = take(base, &used, ng_family_work(&m->spec.family));
    s->gradient = take(base, &used, m->base.dim);
    return used;
}

static ng_status make_scratch(ngi_model *m) {
    ng_ctx *ctx = m->base.ctx;
    ngi_scratch counting;
    size_t each = lay_out_scratch(m, NULL, &counting);
    size_t shared = 3 * m->workers;
    m->scratch = ngi_alloc(ctx, m->workers, sizeof *m->scratch);
    m->memory = ngi_alloc(ctx, shared + m->workers * each, sizeof *m->memory);
    if (!m->scratch || !m->memory)
        return NG_ENOMEM;
    for (size_t w = 0; w < m->workers; w++)
        lay_out_scratch(m, m->memory + shared + w * each, &m->scratch[w]);
    return NG_OK;
}

static ng_status copy_vector(ng_ctx *ctx, const double *from, size_t count,
                             double **to) {
    if (!from)
        return NG_OK;
    *to = ngi_alloc(ctx, count, sizeof **to);
    if (!*to)
        return NG_ENOMEM;
    memcpy(*to, from, count * sizeof **to);
    return NG_OK;
}

static void describe_blocks(ngi_model *m) {
    const ng_family *f = &m->spec.family;
    bool ridge_found = false;
    m->constant = true;
    m->free_first = f->dim_z;
    for (size_t b = 0; b < f->blocks; b++) {
        ng_predictor *p = &m->predictor[b];
        p->ops = m->spec.block[b].predictor;
        p->inputs = m->spec.block[b].inputs;
        p->outputs = f->block[b].count;
        p->dim = p->ops->dim(p->inputs, p->outputs);
        m->theta_first[b] = m->base.dim;
        m->base.dim += p->dim;
        if (p->inputs > 0) {
            m->constant = false;
            if (!ridge_found)
                m->ridge_block = b;
            ridge_found = true;
        }
        if (p->dim == 0)
            continue;
        if (m->free_first == f->dim_z)
            m->free_first = f->block[b].first;
        m->free_count = f->block[b].first + p->outputs - m->free_first;
    }
}

ng_status ng_model_problem_create(ng_ctx *ctx, const ng_model_spec *spec,
                                  ng_problem **out) {
    ng_status status = NG_ENOMEM;
    *out = NULL;
    ngi_model *m = ngi_alloc(ctx, 1, sizeof *m);
    if (!m)
        return NG_ENOMEM;
    m->base = (ng_problem){.ops = &MODEL_OPS,
                           .ctx = ctx,
                           .rows = spec->source.rows,
                           .smooth = spec->family.ops->smooth,
                           .state = m};
    m->spec = *spec;
    if (!m->spec.objective)
        m->spec.objective = ng_objective_likelihood();
    describe_blocks(m);
    ng_rows probe = {0};
    NG_TRY_GOTO(spec->source.read(&spec->source, 0, 0, 1, &probe));
    for (size_t b = 0; b < spec->family.blocks; b++)
        m->constant = m->constant && !probe.offset[b];
    m->coupling = strcmp(spec->family.ops->name, "categorical") == 0
                      ? 1 / (double)spec->family.size
                      : 0;
    m->workers = spec->source.random_access ? ngi_threads(ctx) : 1;
    m->block_rows = choose_block_rows(m);
    m->blocks = (spec->source.rows + m->block_rows - 1) / m->block_rows;
    m->workers = m->workers < m->blocks ? m->workers : m->blocks;
    size_t inputs = m->predictor[m->ridge_block].inputs;
    NG_TRY_GOTO(make_scratch(m));
    NG_TRY_GOTO(copy_vector(ctx, spec->ridge, inputs, &m->ridge));
    NG_TRY_GOTO(copy_vector(ctx, spec->shift, inputs, &m->shift));
    NG_TRY_GOTO(copy_vector(ctx, spec->scale, inputs, &m->scale));
    *out = &m->base;
    return NG_OK;
fail:
    destroy(&m->base);
    return status;
}
