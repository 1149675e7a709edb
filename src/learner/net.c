/* Nets: making, naming, releasing. */
#include "learner/net.h"

#include <math.h>
#include <string.h>

const char *ngi_trainer_name(ng_trainer optimizer) {
#define KEY(name, key) key,
    static const char *const names[] = {NG_TRAINER_LIST(KEY)};
#undef KEY
    return names[optimizer];
}

const char *ngi_net_stop_text(ng_net_stop stop) {
#define KEY(name, text) text,
    static const char *const texts[] = {NG_NET_STOP_LIST(KEY)};
#undef KEY
    return texts[stop];
}

ng_score ngi_net_no_score(void) {
    return (ng_score){(double)NAN, (double)NAN, (double)NAN};
}

ng_status ngi_net_create(ng_ctx *ctx, const char *family, const char *target,
                         ng_net **out) {
    ng_net *net = ngi_alloc(ctx, 1, sizeof *net);
    *out = NULL;
    if (!net)
        return NG_ENOMEM;
    net->ctx = ctx;
    net->family = ngi_strdup(ctx, family);
    net->target = ngi_strdup(ctx, target);
    if (!net->family || !net->target) {
        ng_net_destroy(&net);
        return NG_ENOMEM;
    }
    net->summary.train = net->summary.valid = ngi_net_no_score();
    net->summary.damping = net->summary.rate = net->summary.momentum =
        (double)NAN;
    *out = net;
    return NG_OK;
}

ng_status ngi_net_allocate_tests(ng_net *net, size_t tests) {
    net->test = ngi_alloc(net->ctx, tests, sizeof *net->test);
    net->test_name = ngi_alloc(net->ctx, tests, sizeof *net->test_name);
    if (!net->test || !net->test_name)
        return NG_ENOMEM;
    net->summary.tests = tests;
    for (size_t i = 0; i < tests; i++)
        net->test[i] = ngi_net_no_score();
    return NG_OK;
}

ng_status ngi_net_warn(ng_net *net, const char *text) {
    size_t count = net->summary.warnings;
    char **grown = ngi_resize(net->ctx, net->warning, count + 1, sizeof *grown);
    if (!grown)
        return NG_ENOMEM;
    net->warning = grown;
    grown[count] = ngi_strdup(net->ctx, text);
    if (!grown[count])
        return NG_ENOMEM;
    net->summary.warnings++;
    return NG_OK;
}

void ng_net_destroy(ng_net **pointer) {
    if (!pointer || !*pointer)
        return;
    ng_net *net = *pointer;
    ng_ctx *ctx = net->ctx;
    for (size_t i = 0; net->test_name && i < net->summary.tests; i++)
        ngi_free(ctx, net->test_name[i]);
    for (size_t i = 0; i < net->summary.warnings; i++)
        ngi_free(ctx, net->warning[i]);
    ngi_free(ctx, net->warning);
    ngi_free(ctx, net->test_name);
    ngi_free(ctx, net->test);
    ngi_free(ctx, net->family);
    ngi_free(ctx, net->target);
    ngi_net_coding_destroy(&net->coding);
    ng_network_destroy(&net->network);
    ngi_free(ctx, net);
    *pointer = NULL;
}

const ng_net_summary *ng_net_result(const ng_net *net) {
    /* The summary speaks of names that the net holds. */
    ng_net_summary *s = &((ng_net *)(uintptr_t)net)->summary;
    s->family = net->family;
    s->target = net->target;
    s->layers = ng_network_text(net->network);
    s->test = net->test;
    s->test_name = (const char *const *)net->test_name;
    s->warning = (const char *const *)net->warning;
    return s;
}

ng_network *ng_net_network(ng_net *net) {
    return net->network;
}
