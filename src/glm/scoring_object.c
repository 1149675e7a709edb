/* The object that scores: its memory, and what can be asked of it. */
#include "glm/scoring_impl.h"

#include <string.h>

ng_status ngi_scoring_create(ng_ctx *ctx, const ngi_scoring_spec *spec,
                             ngi_scoring **out) {
    ng_status status = NG_ENOMEM;
    *out = NULL;
    ngi_scoring *s = ngi_alloc(ctx, 1, sizeof *s);
    if (!s)
        return NG_ENOMEM;
    s->ctx = ctx;
    s->spec = *spec;
    s->p = spec->rows->width;
    s->q = spec->kernel->extras;
    s->dim = s->p + s->q;
    s->scale = ngi_alloc(ctx, s->dim, sizeof *s->scale);
    s->held = ngi_alloc(ctx, 3 * s->dim, sizeof *s->held);
    s->F = ngi_alloc(ctx, s->dim, s->dim * sizeof *s->F);
    s->vectors = ngi_alloc(ctx, 6 * s->dim, sizeof *s->vectors);
    if (!s->scale || !s->held || !s->F || !s->vectors)
        goto fail;
    s->aliased = s->held + s->dim;
    s->bound = s->aliased + s->dim;
    for (size_t i = 0; i < s->dim; i++)
        s->scale[i] = 1;
    NG_TRY_GOTO(ngi_scoring_reserve(s));
    NG_TRY_GOTO(ngi_factor_reserve(s));
    *out = s;
    return NG_OK;
fail:
    ngi_scoring_destroy(&s);
    return status;
}

void ngi_scoring_destroy(ngi_scoring **scoring) {
    ngi_scoring *s = *scoring;
    if (!s)
        return;
    ngi_scoring_release(s);
    ngi_factor_release(s);
    ngi_free(s->ctx, s->scale);
    ngi_free(s->ctx, s->held);
    ngi_free(s->ctx, s->F);
    ngi_free(s->ctx, s->vectors);
    ngi_free(s->ctx, s);
    *scoring = NULL;
}

bool *ngi_scoring_held(ngi_scoring *s) {
    return s->held;
}

const bool *ngi_scoring_aliased(const ngi_scoring *s) {
    return s->aliased;
}

ng_status ngi_scoring_evaluate(ngi_scoring *s, const double *theta,
                               bool observed, double *loss, double *gradient,
                               double *F) {
    double value;
    NG_TRY(ngi_scoring_pass(s, 1, theta, F ? NGI_FORM_DOUBLE : NGI_FORM_NONE,
                            observed, &value, gradient));
    if (loss)
        *loss = value - ngi_scoring_penalty(s, theta);
    if (F)
        memcpy(F, s->F, s->dim * s->dim * sizeof *F);
    return NG_OK;
}
