/* The curvature of a model problem: small matrices M_i in each row's eta, and
 * F = (1/n) sum_i w_i J_i' M_i J_i in its several forms. */
#include "problem/model.h"

#include "numerics/linalg.h"

#include <math.h>
#include <string.h>

/* ---- M ---- */

/* From z to eta: dz_a dz_b times the entry (the links act by component). */
static void pull_back(size_t n, size_t K, const double *dz, double *M) {
    for (size_t i = 0; i < n; i++) {
        for (size_t a = 0; a < K; a++) {
            for (size_t b = 0; b < K; b++)
                M[(i * K + a) * K + b] *= dz[i * K + a] * dz[i * K + b];
        }
    }
}

void ngi_model_exact_curvature(const ngi_model *m, size_t n, ngi_scratch *s,
                               double *M) {
    const ng_family *f = &m->spec.family;
    f->ops->fisher(f, n, s->z, M, s->work);
    pull_back(n, f->dim_z, s->dz, M);
}

static void add_outer(size_t n, size_t K, double scale, const double *u,
                      double *M) {
    for (size_t i = 0; i < n; i++) {
        for (size_t a = 0; a < K; a++) {
            for (size_t b = 0; b < K; b++)
                M[(i * K + a) * K + b] += scale * u[i * K + a] * u[i * K + b];
        }
    }
}

/* Streams are numbered by draw and position, so that neither the order of
 * evaluation nor the number of workers matters. */
static void draw_scores(const ngi_model *m, const ng_rows *rows,
                        const ng_fisher *fisher, size_t sample,
                        ngi_scratch *s) {
    const ng_family *f = &m->spec.family;
    ng_rng rng;
    uint64_t draw = fisher->draw * fisher->samples + sample;
    ng_rng_init(&rng, fisher->seed, (draw << 32) ^ rows->first);
    f->ops->sample(f, rows->count, s->z, &rng, s->y, s->work);
    f->ops->score(f, rows->count, s->z, s->y, s->u, s->work);
}

static void observed_curvature(const ngi_model *m, const ng_rows *rows,
                               ngi_scratch *s, double *M) {
    const ng_family *f = &m->spec.family;
    const ng_objective *objective = m->spec.objective;
    size_t K = f->dim_z;
    objective->hessian(objective, f, rows->count, s->z, rows->y, M, s->work);
    pull_back(rows->count, K, s->dz, M);
    objective->gradient(objective, f, rows->count, s->z, rows->y, s->u,
                        s->work);
    for (size_t i = 0; i < rows->count; i++) {
        for (size_t a = 0; a < K; a++) {
            double bend = s->d2z[i * K + a];
            if (bend != 0)
                M[(i * K + a) * K + a] += bend * s->u[i * K + a];
        }
    }
}

void ngi_model_curvature(const ngi_model *m, const ng_rows *rows,
                         const ng_fisher *fisher, ngi_scratch *s, double *M) {
    const ng_family *f = &m->spec.family;
    size_t n = rows->count, K = f->dim_z;
    switch (fisher->kind) {
    case NG_FISHER_EXACT:
        ngi_model_exact_curvature(m, n, s, M);
        return;
    case NG_FISHER_OBSERVED:
        observed_curvature(m, rows, s, M);
        return;
    case NG_FISHER_SAMPLED:
        memset(M, 0, n * K * K * sizeof *M);
        for (size_t sample = 0; sample < fisher->samples; sample++) {
            draw_scores(m, rows, fisher, sample, s);
            add_outer(n, K, 1 / (double)fisher->samples, s->u, M);
        }
        break;
    case NG_FISHER_EMPIRICAL:
        memset(M, 0, n * K * K * sizeof *M);
        f->ops->score(f, n, s->z, rows->y, s->u, s->work);
        add_outer(n, K, 1, s->u, M);
        break;
    }
    pull_back(n, K, s->dz, M);
}

/* ---- Dense F ---- */

/* The Jacobian of component `component` of z, wherever it lives. */
typedef struct jacobian {
    const double *J;
    size_t ld, first, count;
    size_t block; /* of the family */
} jacobian;

static jacobian component_jacobian(const ngi_model *m, const ng_rows *rows,
                                   const double *theta, size_t component,
                                   double *work) {
    const ng_family *f = &m->spec.family;
    size_t b = 0;
    while (component >= f->block[b].first + f->block[b].count)
        b++;
    const ng_predictor *p = &m->predictor[b];
    jacobian j = {.block = b};
    p->ops->jacobian(p, rows->count, rows->X[b], theta + m->theta_first[b],
                     component - f->block[b].first, work, &j.J, &j.ld, &j.first,
                     &j.count);
    j.first += m->theta_first[b];
    return j;
}

/* +1 or -1 if no entry has the other sign, else 0. */
static double common_sign(size_t n, const double *x) {
    bool positive = false, negative = false;
    for (size_t i = 0; i < n; i++) {
        positive = positive || !(x[i] <= 0);
        negative = negative || x[i] < 0;
    }
    return positive && negative ? 0 : (negative ? -1 : 1);
}

static void scale_rows(size_t n, const double *weight, const jacobian *j,
                       double *out) {
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < j->count; k++)
            out[i * j->count + k] = weight[i] * j->J[i * j->ld + k];
    }
}

/* F[a, b] += Ja' diag(weight) Jb. Over one design a symmetric rank update
 * does it with half the work, which needs weights of one sign: the exact
 * Fisher has them. It leaves half of the corner to ngi_model_complete_F, which
 * knows of corners within a block of the family alone. */
static void add_pair(size_t d, size_t n, double *weight, const jacobian *a,
                     const jacobian *b, double *scaled, double *F) {
    double *target = F + a->first * d + b->first;
    bool shared = a->block == b->block && a->J == b->J && a->count == b->count;
    double sign = shared ? common_sign(n, weight) : 0;
    if (sign != 0) {
        for (size_t i = 0; i < n; i++)
            weight[i] = sqrt(fabs(weight[i]));
        scale_rows(n, weight, a, scaled);
        ngi_syrk(a->count, n, sign, scaled, a->count, target, d);
        return;
    }
    scale_rows(n, weight, b, scaled);
    ngi_gemm_tn(a->count, b->count, n, a->J, a->ld, scaled, b->count, target,
                d);
}

void ngi_model_accumulate_F(const ngi_model *m, const ng_rows *rows, size_t n,
                            const double *theta, const double *M,
                            const double *row_weight, ngi_scratch *s,
                            double *F) {
    size_t K = m->spec.family.dim_z, d = m->base.dim;
    ng_rows part = *rows;
    part.count = n;
    for (size_t a = m->free_first; a < m->free_first + m->free_count; a++) {
        jacobian ja = component_jacobian(m, &part, theta, a, s->jacobian);
        for (size_t b = m->free_first; b <= a && ja.count; b++) {
            jacobian jb = component_jacobian(m, &part, theta, b,
                                             s->jacobian + s->jacobian_size);
            /* value1 is free here: weights of the pair. */
            for (size_t i = 0; i < n; i++) {
                double w = row_weight[i];
                s->value1[i] = w == 0 ? 0 : w * M[(i * K + a) * K + b];
            }
            if (jb.count)
                add_pair(d, n, s->value1, &ja, &jb, s->scaled, F);
        }
    }
}

void ngi_model_complete_F(const ngi_model *m, double *F) {
    size_t d = m->base.dim;
    for (size_t block = 0; block < m->spec.family.blocks; block++) {
        size_t p = m->predictor[block].inputs;
        size_t outputs =
            m->predictor[block].dim ? m->predictor[block].outputs : 0;
        for (size_t a = 1; p && a < outputs; a++) {
            for (size_t b = 0; b < a; b++) {
                double *corner = F + (m->theta_first[block] + a * p) * d +
                                 m->theta_first[block] + b * p;
                for (size_t i = 0; i < p; i++) {
                    for (size_t j = 0; j < i; j++)
                        corner[j * d + i] = corner[i * d + j];
                }
            }
        }
    }
}

/* ---- Diagonal blocks of F ---- */

/* One for each component of z that has parameters. */
static size_t component_width(const ngi_model *m, size_t component) {
    const ng_family *f = &m->spec.family;
    size_t b = 0;
    while (component >= f->block[b].first + f->block[b].count)
        b++;
    return m->predictor[b].dim / m->predictor[b].outputs;
}

size_t ngi_model_fisher_block_sizes(const ng_problem *problem, size_t *size) {
    const ngi_model *m = ngi_model_of(problem);
    size_t blocks = 0;
    for (size_t b = 0; b < m->spec.family.blocks; b++) {
        if (!m->predictor[b].ops->separable)
            return 0;
    }
    for (size_t a = 0; a < m->spec.family.dim_z; a++) {
        size_t width = component_width(m, a);
        if (width && size)
            size[blocks] = width;
        blocks += width ? 1 : 0;
    }
    return blocks;
}

size_t ngi_model_block_memory(const ngi_model *m) {
    size_t total = 0;
    for (size_t a = 0; a < m->spec.family.dim_z; a++)
        total += component_width(m, a) * component_width(m, a);
    return total;
}

static void block_rows(ngi_pass *pass, size_t worker, const ng_rows *rows) {
    const ngi_model *m = pass->model;
    ngi_scratch *s = &m->scratch[worker];
    size_t K = m->spec.family.dim_z;
    double *block = s->F_blocks;
    ngi_model_forward(m, rows, pass->theta, s);
    ngi_model_curvature(m, rows, pass->fisher, s, s->M);
    for (size_t i = 0; i < rows->count; i++)
        pass->sum[worker] += ngi_row_weight(m, rows, i);
    for (size_t a = 0; a < K; a++) {
        jacobian j = component_jacobian(m, rows, pass->theta, a, s->jacobian);
        for (size_t i = 0; i < rows->count; i++) {
            double w = ngi_row_weight(m, rows, i);
            s->value1[i] = w == 0 ? 0 : w * s->M[(i * K + a) * K + a];
        }
        j.first = 0;
        if (j.count)
            add_pair(j.count, rows->count, s->value1, &j, &j, s->scaled, block);
        block += j.count * j.count;
    }
}

ng_status ngi_model_fisher_blocks(ng_problem *problem, const double *theta,
                                  const ng_fisher *fisher, size_t stride,
                                  double *blocks) {
    ngi_model *m = ngi_model_of(problem);
    /* The stride counts blocks of rows, of which there may be few. */
    size_t most = m->blocks / m->workers;
    ngi_pass pass = {.model = m,
                     .rows = block_rows,
                     .theta = theta,
                     .fisher = fisher,
                     .F_blocks = blocks,
                     .stride = stride < most ? stride : most};
    NG_TRY(ngi_pass_run(&pass));
    size_t size = ngi_model_block_memory(m);
    for (size_t i = 0; i < size; i++)
        blocks[i] = pass.sum[0] > 0 ? blocks[i] / pass.sum[0] : 0;
    return NG_OK;
}

/* ---- F v ---- */

static void product_rows(ngi_pass *pass, size_t worker, const ng_rows *rows) {
    const ngi_model *m = pass->model;
    ngi_scratch *s = &m->scratch[worker];
    size_t K = m->spec.family.dim_z;
    ngi_model_forward_kept(m, rows, pass->theta, s);
    ngi_model_curvature(m, rows, pass->fisher, s, s->M);
    ngi_model_jvp(m, rows, pass->theta, pass->v, s->xi);
    for (size_t i = 0; i < rows->count; i++) {
        double w = ngi_row_weight(m, rows, i);
        for (size_t a = 0; a < K; a++) {
            double sum = 0;
            for (size_t b = 0; b < K; b++)
                sum += s->M[(i * K + a) * K + b] * s->xi[i * K + b];
            s->u[i * K + a] = w == 0 ? 0 : w * sum;
        }
    }
    ngi_model_vjp(m, rows, pass->theta, s->u, s->gradient);
}

ng_status ngi_model_fisher_product(ng_problem *problem, const double *theta,
                                   const ng_fisher *fisher, const double *v,
                                   double *out) {
    ngi_model *m = ngi_model_of(problem);
    size_t bytes = problem->dim * sizeof *theta;
    m->keeps = m->keeps && memcmp(theta, m->kept_theta, bytes) == 0;
    ngi_pass pass = {.model = m,
                     .rows = product_rows,
                     .theta = theta,
                     .v = v,
                     .fisher = fisher,
                     .want_gradient = true,
                     .gradient = out};
    NG_TRY(ngi_pass_run(&pass));
    if (m->kept_eta && !m->keeps) {
        memcpy(m->kept_theta, theta, bytes);
        m->keeps = true;
    }
    return NG_OK;
}

/* ---- diag F ---- */

static void diagonal_rows(ngi_pass *pass, size_t worker, const ng_rows *rows) {
    const ngi_model *m = pass->model;
    ngi_scratch *s = &m->scratch[worker];
    size_t K = m->spec.family.dim_z;
    ngi_model_forward(m, rows, pass->theta, s);
    ngi_model_curvature(m, rows, pass->fisher, s, s->M);
    for (size_t a = m->free_first; a < m->free_first + m->free_count; a++) {
        jacobian j = component_jacobian(m, rows, pass->theta, a, s->jacobian);
        for (size_t i = 0; i < rows->count; i++) {
            double w = ngi_row_weight(m, rows, i);
            double weight = w == 0 ? 0 : w * s->M[(i * K + a) * K + a];
            for (size_t k = 0; k < j.count; k++) {
                double x = j.J[i * j.ld + k];
                s->gradient[j.first + k] += weight * x * x;
            }
        }
    }
}

ng_status ngi_model_fisher_diagonal(ng_problem *problem, const double *theta,
                                    const ng_fisher *fisher, double *diagonal) {
    ngi_pass pass = {.model = ngi_model_of(problem),
                     .rows = diagonal_rows,
                     .theta = theta,
                     .fisher = fisher,
                     .want_gradient = true,
                     .gradient = diagonal};
    return ngi_pass_run(&pass);
}

/* ---- S with F = S' S ---- */

/* Rows of S that one row of data gives. */
static size_t root_width(const ngi_model *m, const ng_fisher *fisher) {
    switch (fisher->kind) {
    case NG_FISHER_EXACT:
        return m->free_count;
    case NG_FISHER_SAMPLED:
        return fisher->samples;
    case NG_FISHER_EMPIRICAL:
        return 1;
    case NG_FISHER_OBSERVED:
        break;
    }
    return 0; /* indefinite: it has no root */
}

size_t ngi_model_root_rows(const ng_problem *problem, const ng_fisher *fisher) {
    return problem->rows * root_width(ngi_model_of(problem), fisher);
}

/* M = R R', R lower triangular, in place of M's lower triangle; a pivot that
 * rounding made zero or negative gives a column of zeros. */
static void semidefinite_root(size_t K, size_t first, size_t count, double *M) {
    for (size_t j = first; j < first + count; j++) {
        double pivot = M[j * K + j];
        double root = pivot > 0 ? sqrt(pivot) : 0;
        M[j * K + j] = root;
        for (size_t i = j + 1; i < first + count; i++)
            M[i * K + j] = root > 0 ? M[i * K + j] / root : 0;
        for (size_t i = j + 1; i < first + count; i++) {
            for (size_t k = j + 1; k <= i; k++)
                M[i * K + k] -= M[i * K + j] * M[k * K + j];
        }
    }
}

static void write_root(ngi_pass *pass, const ng_rows *rows, ngi_scratch *s,
                       size_t column, const double *R, size_t stride,
                       size_t step, double scale) {
    const ngi_model *m = pass->model;
    size_t d = m->base.dim;
    size_t width = root_width(m, pass->fisher);
    for (size_t i = 0; i < rows->count; i++)
        memset(pass->S + ((rows->first + i) * width + column) * d, 0,
               d * sizeof(double));
    for (size_t a = m->free_first; a < m->free_first + m->free_count; a++) {
        jacobian j = component_jacobian(m, rows, pass->theta, a, s->jacobian);
        for (size_t i = 0; i < rows->count; i++) {
            double w = ngi_row_weight(m, rows, i);
            double r = w == 0 ? 0 : scale * sqrt(w) * R[i * stride + a * step];
            double *row = pass->S + ((rows->first + i) * width + column) * d;
            for (size_t k = 0; k < j.count; k++)
                row[j.first + k] += r * j.J[i * j.ld + k];
        }
    }
}

static void scores_in_eta(size_t n, size_t K, const double *dz, double *u) {
    for (size_t i = 0; i < n * K; i++)
        u[i] *= dz[i];
}

static void root_rows(ngi_pass *pass, size_t worker, const ng_rows *rows) {
    const ngi_model *m = pass->model;
    const ng_family *f = &m->spec.family;
    ngi_scratch *s = &m->scratch[worker];
    size_t K = f->dim_z, n = rows->count;
    ngi_model_forward(m, rows, pass->theta, s);
    if (pass->fisher->kind == NG_FISHER_EXACT) {
        ngi_model_exact_curvature(m, n, s, s->M);
        for (size_t i = 0; i < n; i++)
            semidefinite_root(K, m->free_first, m->free_count,
                              s->M + i * K * K);
        for (size_t c = 0; c < m->free_count; c++) {
            size_t column = m->free_first + c;
            /* Above the diagonal M still holds its own entries. */
            for (size_t i = 0; i < n; i++) {
                for (size_t a = 0; a < column; a++)
                    s->M[(i * K + a) * K + column] = 0;
            }
            write_root(pass, rows, s, c, s->M + column, K * K, K, 1);
        }
        return;
    }
    size_t samples = root_width(m, pass->fisher);
    for (size_t sample = 0; sample < samples; sample++) {
        if (pass->fisher->kind == NG_FISHER_SAMPLED)
            draw_scores(m, rows, pass->fisher, sample, s);
        else
            f->ops->score(f, n, s->z, rows->y, s->u, s->work);
        scores_in_eta(n, K, s->dz, s->u);
        write_root(pass, rows, s, sample, s->u, K, 1,
                   1 / sqrt((double)samples));
    }
}

ng_status ngi_model_fisher_root(ng_problem *problem, const double *theta,
                                const ng_fisher *fisher, double *S) {
    ngi_model *m = ngi_model_of(problem);
    if (!root_width(m, fisher))
        return ngi_fail(problem->ctx, NG_EUNSUPPORTED,
                        "the observed Fisher may be indefinite and has no "
                        "sample-space form");
    ngi_pass pass = {.model = m,
                     .rows = root_rows,
                     .theta = theta,
                     .fisher = fisher,
                     .S = S};
    return ngi_pass_run(&pass);
}
