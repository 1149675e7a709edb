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

/* What is made of a frame is a table, or an error that says why not. */
static void check_table(const ng_ctx *ctx, ng_status status,
                        ng_prediction **table) {
    if (status != NG_OK && (*table || !*ng_error(ctx)))
        abort();
    ng_prediction_destroy(table);
}

/* One frame that has what the seeds ask for; others refuse it politely. */
static void use(ng_ctx *ctx, ng_model *model) {
    static const char text[] =
        "x,z,g,y,c,k,m,w,o,s\n0.5,1,a,1,p,1,2,1,0,0.1\n"
        "1.5,-1,b,2,q,0,3,2,0.1,0.7\n-2,0.5,c,3,r,2,2,0,0.2,0.4\n";
    const ng_predict_options uncertain = {
        .interval = 0.9, .level = 0.95, .std_errors = 1};
    ng_nested nested;
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
    check_table(ctx, ng_model_predict(model, frame, NULL, &prediction),
                &prediction);
    check_table(ctx, ng_model_predict(model, frame, &uncertain, &prediction),
                &prediction);
    check_table(ctx, ng_model_residuals(model, frame, 1, &prediction),
                &prediction);
    if (ng_glm_nested(model, model, &nested) != NG_OK && !*ng_error(ctx))
        abort();
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
