/* Which files hold what: tables with columns, or arrays beside arrays. */
#include "net.h"

#include <stdlib.h>
#include <string.h>

static bool is_self(const char *target) {
    return strcmp(target, "self") == 0;
}

static bool is_array(ng_array_format format) {
    return format != NG_ARRAY_OTHER;
}

/* Standard input can be read once, and so is CSV. */
static int sniff(ng_ctx *ctx, const char *path, ng_array_format *format) {
    *format = NG_ARRAY_OTHER;
    if (strcmp(path, "-") == 0)
        return CLI_DONE;
    return cli_fail(ctx, ng_array_sniff(ctx, path, format));
}

static int read_one(ng_ctx *ctx, const cli_options *options, const char *path,
                    const char *target, ng_net_data **out) {
    const ng_net_source source = {
        .path = path,
        .target = target,
        .features = options->features.count ? options->features.item : NULL,
        .feature_count = options->features.count,
        .drop_missing = options->missing != NULL};
    return cli_fail(ctx,
                    ng_net_data_read(ctx, &source, options->family, NULL, out));
}

/* The targets of a further file: the same columns, the examples themselves, or
 * the next of the files in `targets`. */
static int target_of(ng_ctx *ctx, const cli_options *options, const char *path,
                     const char *option, const cli_list *targets, size_t *used,
                     const char **out) {
    ng_array_format format;
    int status = sniff(ctx, path, &format);
    *out = options->target;
    if (status != CLI_DONE || !is_array(format) || is_self(options->target))
        return status;
    if (*used == targets->count)
        return cli_complain(CLI_USAGE,
                            "--%s %s: expected the file of its targets in "
                            "--%s-target",
                            option, path, option);
    *out = targets->item[(*used)++];
    return CLI_DONE;
}

static int check_used(const char *option, const cli_list *targets,
                      size_t used) {
    if (used == targets->count)
        return CLI_DONE;
    return cli_complain(CLI_USAGE,
                        "--%s-target %s: expected a file in --%s that is NPY "
                        "or IDX to go with it",
                        option, targets->item[used], option);
}

static int read_valid(ng_ctx *ctx, const cli_options *options, net_data *out) {
    const cli_list targets = {.item = (const char **)&options->valid_target,
                              .count = options->valid_target ? 1 : 0};
    const char *target;
    size_t used = 0;
    char *end;
    if (!options->valid)
        return check_used("valid", &targets, 0);
    strtod(options->valid, &end);
    if (!*end) /* a share, which the learner cuts off */
        return check_used("valid", &targets, 0);
    int status = target_of(ctx, options, options->valid, "valid", &targets,
                           &used, &target);
    if (status == CLI_DONE)
        status = check_used("valid", &targets, used);
    if (status == CLI_DONE)
        status = read_one(ctx, options, options->valid, target, &out->valid);
    return status;
}

static int read_tests(ng_ctx *ctx, const cli_options *options, net_data *out) {
    size_t used = 0;
    int status = CLI_DONE;
    out->test = calloc(options->tests.count + 1, sizeof(ng_net_data *));
    out->test_name = options->tests.item;
    if (!out->test)
        return cli_complain(CLI_RESOURCES, "out of memory");
    for (size_t i = 0; i < options->tests.count && status == CLI_DONE; i++) {
        const char *target, *path = options->tests.item[i];
        status = target_of(ctx, options, path, "test", &options->test_targets,
                           &used, &target);
        if (status == CLI_DONE)
            status = read_one(ctx, options, path, target, &out->test[i]);
        out->tests += status == CLI_DONE;
    }
    return status == CLI_DONE ? check_used("test", &options->test_targets, used)
                              : status;
}

int net_read(ng_ctx *ctx, const cli_options *options, net_data *out) {
    int status = read_one(ctx, options, options->positional[0], options->target,
                          &out->train);
    if (status == CLI_DONE)
        status = read_valid(ctx, options, out);
    if (status == CLI_DONE)
        status = read_tests(ctx, options, out);
    return status;
}

void net_data_free(net_data *data) {
    ng_net_data_destroy(&data->train);
    ng_net_data_destroy(&data->valid);
    for (size_t i = 0; i < data->tests; i++)
        ng_net_data_destroy(&data->test[i]);
    free(data->test);
}

const ng_net_data *net_examples(const net_data *data) {
    return data->tests && !ng_net_data_y(data->test[0]) ? data->test[0]
                                                        : data->train;
}
