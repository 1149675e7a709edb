/* Where a glm fit begins: at the constant model, and where that is outside the
 * link's domain at the least-squares fit of the linked data, as R does. */
#include "learner/glm.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static void constant_start(const ngi_glm_data *data,
                           const ngi_glm_kernel *kernel, double *theta) {
    const ng_model *model = data->model;
    const ngi_glm_totals *t = &data->totals;
    const ngi_glm_family *family = model->glm;
    size_t width = data->rows.width;
    ngi_glm_moments moments = {.total = t->weight,
                               .mean = t->mean,
                               .variance = t->spread / t->weight,
                               .level_weight = data->level_weight,
                               .levels = model->levels.count};
    if (kernel->extras)
        family->start_psi(&moments, model->links[0], theta + width);
    if (!family->start_mean || !model->design->intercept)
        return;
    double mean = family->start_mean(t->mean, t->weight);
    double eta = ngi_glm_eta_of_mean(family, model->links[0], mean) - t->offset;
    theta[0] = isfinite(eta) ? eta : 0;
}

/* The same rows with what the link makes of y. */
typedef struct linked {
    const ngi_glm_data *data;
    double *y; /* block_rows for each worker */
    ngi_glm_visit visit;
    void *user;
} linked;

static void pass_linked(void *user, size_t worker, const ngi_glm_block *from) {
    linked *l = user;
    const ng_model *model = l->data->model;
    double *y = l->y + worker * l->data->rows.block_rows;
    ngi_glm_block block = *from;
    for (size_t i = 0; i < block.count; i++) {
        double weight = block.weight ? block.weight[i] : 1;
        double mean = model->glm->start_mean(block.y[i], weight);
        double eta = ngi_glm_eta_of_mean(model->glm, model->links[0], mean);
        y[i] = weight == 0 && !isfinite(eta) ? 0 : eta;
    }
    block.y = y;
    l->visit(l->user, worker, &block);
}

static ng_status each_linked(const ngi_glm_rows *rows, size_t stride,
                             ngi_glm_visit visit, void *user) {
    linked *l = rows->state;
    l->visit = visit;
    l->user = user;
    return l->data->rows.each(&l->data->rows, stride, pass_linked, l);
}

static ng_status least_squares(const ngi_glm_data *data, const double *ridge,
                               double *theta) {
    linked l = {.data = data};
    ngi_glm_rows rows = data->rows;
    ng_family normal;
    ngi_glm_kernel kernel;
    ngi_scoring *scoring = NULL;
    ng_report report;
    ng_status status;
    rows.each = each_linked;
    rows.state = &l;
    l.y = ngi_alloc(data->ctx, rows.workers, rows.block_rows * sizeof *l.y);
    if (!l.y)
        return NG_ENOMEM;
    NG_TRY_GOTO(ng_family_init(data->ctx, "normal", 1, &normal));
    ngi_glm_kernel_mean(&normal, NG_LINK_IDENTITY, &kernel);
    ngi_scoring_spec spec = {&rows, &kernel, ridge, 1};
    ngi_scoring_options options = {.max_iter = 2};
    NG_TRY_GOTO(ngi_scoring_create(data->ctx, &spec, &scoring));
    memset(theta, 0, rows.width * sizeof *theta);
    status = ngi_scoring_run(scoring, &options, theta, &report);
    if (status == NG_ENUMERIC) /* a link not defined at some y */
        status = NG_OK;
fail:
    ngi_scoring_destroy(&scoring);
    ngi_free(data->ctx, l.y);
    return status;
}

ng_status ngi_glm_start(ngi_glm_fit *fit) {
    const ngi_glm_data *data = &fit->data;
    const ng_model *model = fit->model;
    double loss, *theta = fit->theta;
    bool offset = data->offset != SIZE_MAX || model->design->has_offset;
    constant_start(data, &fit->kernel, theta);
    /* A constant mean within the range of y is in every link's domain. */
    if (model->design->intercept && !offset && theta[0] != 0)
        return NG_OK;
    NG_TRY(ngi_scoring_evaluate(fit->scoring, theta, false, &loss, NULL, NULL));
    if (isfinite(loss))
        return NG_OK;
    if (model->glm->start_mean) {
        NG_TRY(least_squares(data, fit->ridge, theta));
        NG_TRY(ngi_scoring_evaluate(fit->scoring, theta, false, &loss, NULL,
                                    NULL));
    }
    if (isfinite(loss))
        return NG_OK;
    return ngi_fail(fit->ctx, NG_ENUMERIC,
                    "no start with a finite loss was found for family \"%s\" "
                    "with link \"%s\"; expected means inside the link's "
                    "domain",
                    model->family_name, model->link_name);
}
