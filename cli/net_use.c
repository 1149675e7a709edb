/* predict, show and kl where the model is a network. */
#include "net.h"

#include <string.h>
#include <sys/stat.h>

/* What can be read once only is left to the reader of other models, and so is
 * the complaint about what cannot be read. */
bool cli_is_net(ng_ctx *ctx, const char *path) {
    struct stat about;
    int is_net = 0;
    if (stat(path, &about) != 0 || !S_ISREG(about.st_mode))
        return false;
    return ng_net_is_file(ctx, path, &is_net) == NG_OK && is_net;
}

static int load(ng_ctx *ctx, const cli_options *options, size_t which,
                ng_net **out) {
    return cli_fail(ctx, ng_net_load(ctx, options->positional[which], out));
}

/* Examples as the network has learnt to read them. */
static int read_inputs(ng_ctx *ctx, const cli_options *options,
                       const char *path, const ng_net *net, ng_net_data **out) {
    const ng_net_source source = {.path = path,
                                  .drop_missing = options->missing != NULL};
    return cli_fail(ctx, ng_net_data_read(ctx, &source, NULL, net, out));
}

static bool ends_in(const char *path, const char *ending) {
    size_t length = strlen(path), tail = strlen(ending);
    return length >= tail && strcmp(path + length - tail, ending) == 0;
}

static int write_prediction(ng_ctx *ctx, const char *path,
                            const ng_prediction *p) {
    ng_writer *writer;
    if (path && ends_in(path, ".npy")) {
        const ng_array array = {.dtype = NG_F64,
                                .dims = 2,
                                .shape = {p->rows, p->columns},
                                .scale = 1,
                                .data = p->values};
        return cli_fail(ctx, ng_array_write_npy(ctx, path, &array));
    }
    int status = cli_fail(ctx, ng_writer_open(ctx, path ? path : "-", &writer));
    if (status != CLI_DONE)
        return status;
    cli_write_prediction(writer, p, NULL);
    return cli_fail(ctx, ng_writer_commit(&writer));
}

int cli_predict_net(ng_ctx *ctx, const cli_options *options) {
    ng_net *net = NULL;
    ng_net_data *data = NULL;
    ng_prediction *prediction = NULL;
    if (options->with_std_errors || options->level > 0)
        return cli_complain(CLI_USAGE,
                            "--%s: %s is a network, of which only means and "
                            "classes are predicted",
                            options->with_std_errors ? "std-errors" : "level",
                            options->positional[0]);
    if (options->interval > 0)
        return cli_complain(CLI_USAGE,
                            "--interval: %s is a network, of which only means "
                            "and classes are predicted",
                            options->positional[0]);
    int status = load(ctx, options, 0, &net);
    if (status == CLI_DONE)
        status = read_inputs(ctx, options, options->positional[1], net, &data);
    if (status == CLI_DONE)
        status = cli_fail(ctx, ng_net_predict(net, data, &prediction));
    if (status == CLI_DONE)
        status = write_prediction(ctx, options->out, prediction);
    ng_prediction_destroy(&prediction);
    ng_net_data_destroy(&data);
    ng_net_destroy(&net);
    return status;
}

int cli_show_net(ng_ctx *ctx, const cli_options *options) {
    ng_net *net = NULL;
    int status = load(ctx, options, 0, &net);
    if (status == CLI_DONE)
        status = net_explain(ctx, options, net);
    ng_net_destroy(&net);
    return status;
}

/* The divergence is taken by giving one network the other's parameters, so
 * that they must be networks of the same kind. */
static int check_alike(const cli_options *options, ng_net *a, ng_net *b) {
    const char *const *path = options->positional;
    const ng_net_summary *s = ng_net_result(a), *t = ng_net_result(b);
    if (strcmp(s->layers, t->layers) != 0)
        return cli_complain(CLI_USAGE,
                            "%s has layers \"%s\" and %s \"%s\": kl "
                            "compares only networks with the same layers",
                            path[0], s->layers, path[1], t->layers);
    if (strcmp(s->family, t->family) != 0 ||
        ng_network_parameters(ng_net_network(a)) !=
            ng_network_parameters(ng_net_network(b)))
        return cli_complain(CLI_USAGE,
                            "%s and %s have different inputs, targets or "
                            "families",
                            path[0], path[1]);
    return CLI_DONE;
}

/* What is no network is another model, or damaged. */
static int complain_other(ng_ctx *ctx, const cli_options *options,
                          size_t other) {
    const char *const *path = options->positional;
    ng_model *model = NULL;
    ng_net *net = NULL;
    if (ng_model_load(ctx, path[other], &model) != NG_OK) {
        int status = load(ctx, options, other, &net);
        ng_net_destroy(&net);
        return status;
    }
    ng_model_destroy(&model);
    return cli_complain(CLI_USAGE,
                        "%s is a network and %s is not: there is no KL "
                        "divergence between them",
                        path[1 - other], path[other]);
}

static int check_both(ng_ctx *ctx, const cli_options *options) {
    for (size_t i = 0; i < 2; i++) {
        int status = CLI_DONE;
        if (!cli_is_net(ctx, options->positional[i]))
            status = complain_other(ctx, options, i);
        if (status != CLI_DONE)
            return status;
    }
    if (options->positionals < 3)
        return cli_complain(CLI_USAGE, "the KL divergence of networks is a "
                                       "mean over DATA: natgrad kl MODEL MODEL "
                                       "DATA");
    return CLI_DONE;
}

int cli_kl_net(ng_ctx *ctx, const cli_options *options) {
    ng_net *a = NULL, *b = NULL;
    ng_net_data *data = NULL;
    double ab, ba;
    int status = check_both(ctx, options);
    if (status == CLI_DONE)
        status = load(ctx, options, 0, &a);
    if (status == CLI_DONE)
        status = load(ctx, options, 1, &b);
    if (status == CLI_DONE)
        status = check_alike(options, a, b);
    if (status == CLI_DONE)
        status = read_inputs(ctx, options, options->positional[2], a, &data);
    if (status == CLI_DONE)
        status = cli_fail(ctx, ng_net_kl(a, b, data, &ab, &ba));
    if (status == CLI_DONE)
        status = cli_print_kl(options, ab, ba);
    ng_net_data_destroy(&data);
    ng_net_destroy(&a);
    ng_net_destroy(&b);
    return status;
}
