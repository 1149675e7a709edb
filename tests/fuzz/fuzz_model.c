/* A saved model from memory: what is read must hold together well enough to
 * be shown, saved anew and used. */
#include "data/csv.h"
#include "learner/model.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_summary(const ng_model *model) {
    const ng_summary *s = ng_model_summary(model);
    if (!s->learner || !s->family || s->parameters == 0)
        abort();
    for (size_t i = 0; i < s->parameters; i++)
        if (!s->parameter[i].term)
            abort();
    for (size_t i = 0; i < s->warnings; i++)
        if (!s->warning[i])
            abort();
}

/* One frame that has what the seeds ask for; others refuse it politely. */
static void use(ng_ctx *ctx, ng_model *model) {
    static const char text[] =
        "x,z,g,y,c,k,m,w,o\n0.5,1,a,1,p,1,2,1,0\n1.5,-1,b,2,q,0,3,2,0.1\n"
        "-2,0.5,c,3,r,2,2,0,0.2\n";
    ng_frame_options options;
    ng_frame *frame;
    ng_prediction *prediction;
    double a, b;
    if (ng_model_columns(model, 1, &options) != NG_OK)
        return;
    options.include = NULL;
    options.includes = 0;
    if (ngi_frame_parse_csv(ctx, "frame", text, sizeof text - 1, &options,
                            &frame) != NG_OK)
        return;
    if (ng_model_predict(model, frame, 0.9, &prediction) != NG_OK &&
        (prediction || !*ng_error(ctx)))
        abort();
    ng_prediction_destroy(&prediction);
    if (ng_model_evaluate(model, frame, &a, &b) != NG_OK && !*ng_error(ctx))
        abort();
    if (ng_model_kl(model, model, frame, &a, &b) != NG_OK && !*ng_error(ctx))
        abort();
    ng_frame_destroy(&frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ng_ctx *ctx;
    ng_model *model;
    char *text;
    if (ng_ctx_create(NULL, &ctx) != NG_OK)
        return 0;
    if (ngi_model_parse(ctx, "fuzz", data, size, &model) == NG_OK) {
        check_summary(model);
        use(ctx, model);
        if (ng_model_to_json(model, &text) != NG_OK)
            abort();
        ng_text_free(ctx, &text);
    } else if (model || !*ng_error(ctx)) {
        abort();
    }
    ng_model_destroy(&model);
    ng_ctx_destroy(&ctx);
    return 0;
}
