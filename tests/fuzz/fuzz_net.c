/* A saved network from memory: what is read must hold together well enough to
 * be shown, saved anew and used. */
#include "learner/net.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_summary(const ng_net *net) {
    const ng_net_summary *s = ng_net_result(net);
    if (!s->layers || !s->family || !s->target || !s->optimizer)
        abort();
    for (size_t i = 0; i < s->tests; i++)
        if (!s->test_name[i])
            abort();
    for (size_t i = 0; i < s->warnings; i++)
        if (!s->warning[i])
            abort();
}

/* Zeros in the shape that the net takes. */
static void use(ng_ctx *ctx, ng_net *net) {
    const ng_shape *s = &net->coding->shape;
    const size_t shape[] = {2, s->channels, s->height, s->width};
    size_t width = ng_network_outputs(net->network);
    ng_array x;
    if (ngi_shape_size(s) > 1 << 16 || width > 1 << 16)
        return;
    if (ng_array_create(ctx, NG_F32, 4, shape, &x) != NG_OK)
        abort();
    double *z = calloc(2 * width, sizeof *z);
    const ng_batch batch = {.x = &x, .count = 2};
    if (!z || ng_network_predict(net->network, &batch, z) != NG_OK)
        abort();
    free(z);
    ng_array_free(ctx, &x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ng_ctx *ctx;
    ng_net *net;
    char *text;
    if (ng_ctx_create(NULL, &ctx) != NG_OK)
        return 0;
    if (ngi_net_parse(ctx, "fuzz", data, size, &net) == NG_OK) {
        check_summary(net);
        use(ctx, net);
        if (ng_net_to_json(net, &text) != NG_OK)
            abort();
        ng_text_free(ctx, &text);
    } else if (net || !*ng_error(ctx)) {
        abort();
    }
    ng_net_destroy(&net);
    ng_ctx_destroy(&ctx);
    return 0;
}
