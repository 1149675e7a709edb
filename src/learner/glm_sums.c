#include "learner/glm_sums.h"

#include "glm/separation.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef struct worker {
    double *eta, *loss, *mean, *probability, *work;
    ngi_glm_sums sums;
} worker;

typedef struct pass {
    const ngi_glm_point *point;
    worker *worker;
    bool binomial;
    bool halved;   /* the kernel's loss is half the unit deviance */
    double lowest; /* a mean below may be on its way to 0 */
} pass;

/* R's log-likelihood, and sum of w log p(y) at the estimated dispersion. */
static void add_likelihood(const pass *p, const ngi_glm_law *row, double y,
                           double w, double loss, bool plain, ngi_glm_sums *s) {
    const ngi_glm_family *family = p->point->family;
    ngi_glm_law law = *row;
    law.dispersion = p->point->likelihood_dispersion;
    double likelihood = plain ? -loss : family->log_likelihood(&law, y, w);
    /* A mean below the range of numbers has a loss all the same. */
    if (p->halved && !family->dispersion && law.mean == 0) {
        law.mean = y;
        likelihood = family->log_likelihood(&law, y, w) - w * loss;
    }
    s->log_likelihood += likelihood;
    if (p->binomial) {
        s->log_density -= w * loss;
        return;
    }
    law.dispersion = p->point->dispersion;
    bool same = w == 1 && law.dispersion == p->point->likelihood_dispersion;
    s->log_density +=
        same ? likelihood : w * family->log_likelihood(&law, y, 1);
}

static void add_mean_row(const pass *p, const ngi_glm_block *block, size_t i,
                         ngi_glm_law *law, double loss, ngi_glm_sums *s) {
    const ngi_glm_point *point = p->point;
    const ngi_glm_family *family = point->family;
    double w = block->weight ? block->weight[i] : 1, y = block->y[i];
    bool certain = p->binomial && (y == 0 || y == 1);
    law->trials = block->trials ? block->trials[i] : 0;
    if (point->likelihoods)
        add_likelihood(p, law, y, w, loss, certain && !block->trials && w == 1,
                       s);
    if (!point->deviances)
        return;
    double r = y - law->mean;
    s->deviance +=
        w * (certain || p->halved ? 2 * loss : family->deviance(law, y));
    if (family->dispersion && r != 0)
        s->pearson += w * r * r / family->variance(law);
    if (!p->binomial) {
        s->extreme = s->extreme || law->mean < p->lowest;
        return;
    }
    s->right += w * (law->mean > 0.5 ? y : 1 - y);
    s->extreme =
        s->extreme || law->mean < NGI_GLM_EDGE || law->mean > 1 - NGI_GLM_EDGE;
}

static void add_level_row(const pass *p, const ngi_glm_block *block, size_t i,
                          const double *probability, double loss,
                          ngi_glm_sums *s) {
    double w = block->weight ? block->weight[i] : 1;
    size_t levels = p->point->kernel->levels, best = 0;
    for (size_t k = 1; k < levels; k++)
        best = probability[k] > probability[best] ? k : best;
    s->deviance += 2 * w * loss;
    s->log_likelihood -= w * loss;
    s->log_density -= w * loss;
    s->right += best == (size_t)block->y[i] ? w : 0;
    s->extreme = s->extreme || probability[best] > 1 - NGI_GLM_EDGE ||
                 probability[(size_t)block->y[i]] < NGI_GLM_EDGE;
}

static void add_sums(const ngi_glm_sums *from, ngi_glm_sums *to) {
    to->deviance += from->deviance;
    to->pearson += from->pearson;
    to->log_likelihood += from->log_likelihood;
    to->log_density += from->log_density;
    to->right += from->right;
    to->extreme = to->extreme || from->extreme;
}

static void visit(void *user, size_t which, const ngi_glm_block *block) {
    const pass *p = user;
    const ngi_glm_point *point = p->point;
    const ngi_glm_kernel *kernel = point->kernel;
    const ngi_glm_rows *rows = point->rows;
    const double *psi = point->theta + rows->width;
    worker *w = &p->worker[which];
    /* Of the block first: then rounding grows with the blocks, not the rows. */
    ngi_glm_sums sums = {0};
    ngi_glm_terms terms = {.loss = w->loss};
    ngi_glm_law law = {.power = kernel->power,
                       .psi = psi,
                       .dispersion = 1,
                       .levels = kernel->levels};
    ngi_glm_predictor(rows, block, point->theta, w->eta);
    kernel->ops->terms(kernel, block->count, w->eta, psi, block->y,
                       block->weight, &terms, w->work);
    if (w->probability)
        kernel->ops->probabilities(kernel, block->count, w->eta, psi,
                                   w->probability, NULL, NULL);
    else
        kernel->ops->mean(kernel, block->count, w->eta, w->mean, NULL, NULL);
    for (size_t i = 0; i < block->count; i++) {
        if (block->weight && block->weight[i] == 0)
            continue;
        if (w->probability) {
            add_level_row(p, block, i, w->probability + i * kernel->levels,
                          w->loss[i], &sums);
            continue;
        }
        law.mean = w->mean[i];
        add_mean_row(p, block, i, &law, w->loss[i], &sums);
    }
    add_sums(&sums, &w->sums);
}

static ng_status reserve(const ngi_glm_point *point, pass *p) {
    const ngi_glm_rows *rows = point->rows;
    const ngi_glm_kernel *kernel = point->kernel;
    size_t m = rows->block_rows,
           levels = kernel->ops->probabilities ? kernel->levels : 0;
    p->worker = ngi_alloc(rows->ctx, rows->workers, sizeof *p->worker);
    for (size_t k = 0; p->worker && k < rows->workers; k++) {
        worker *w = &p->worker[k];
        w->eta = ngi_alloc(rows->ctx, m,
                           (3 + kernel->work + levels) * sizeof *w->eta);
        if (!w->eta)
            return NG_ENOMEM;
        w->loss = w->eta + m;
        w->mean = w->loss + m;
        w->work = w->mean + m;
        w->probability = levels ? w->work + m * kernel->work : NULL;
    }
    return p->worker ? NG_OK : NG_ENOMEM;
}

ng_status ngi_glm_add_rows(const ngi_glm_point *point, ngi_glm_sums *out) {
    const ngi_glm_rows *rows = point->rows;
    const char *name = point->family->name;
    pass p = {.point = point, .binomial = strcmp(name, "binomial") == 0};
    p.halved = !p.binomial && !point->family->extras;
    p.lowest = -HUGE_VAL;
    if (point->family->discrete ||
        ngi_separation_form_of(point->kernel) != NGI_SEPARATES_NEVER)
        p.lowest = point->level > 0 ? NGI_GLM_EDGE * point->level : HUGE_VAL;
    ng_status status = reserve(point, &p);
    *out = (ngi_glm_sums){0};
    if (status == NG_OK)
        status = rows->each(rows, 1, visit, &p);
    for (size_t k = 0; p.worker && k < rows->workers; k++) {
        add_sums(&p.worker[k].sums, out);
        ngi_free(rows->ctx, p.worker[k].eta);
    }
    ngi_free(rows->ctx, p.worker);
    return status;
}
