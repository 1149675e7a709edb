/* natgrad predict, show and kl: what is done with saved models. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

/* RFC 4180: quoted where a comma, quote or newline would mislead. */
void cli_print_field(ng_writer *writer, const char *text) {
    if (!strpbrk(text, ",\"\r\n")) {
        ng_writer_print(writer, "%s", text);
        return;
    }
    ng_writer_bytes(writer, "\"", 1);
    for (; *text; text++)
        ng_writer_bytes(writer, *text == '"' ? "\"\"" : text,
                        *text == '"' ? 2 : 1);
    ng_writer_bytes(writer, "\"", 1);
}

void cli_write_prediction(ng_writer *writer, const ng_prediction *p,
                          const ng_frame *frame) {
    if (frame)
        ng_writer_print(writer, "row,");
    for (size_t j = 0; j < p->columns; j++) {
        if (j)
            ng_writer_bytes(writer, ",", 1);
        cli_print_field(writer, p->column[j]);
    }
    ng_writer_print(writer, p->best ? ",class\n" : "\n");
    for (size_t i = 0; i < p->rows; i++) {
        if (frame)
            ng_writer_print(writer, "%zu,", ng_frame_record(frame, i));
        for (size_t j = 0; j < p->columns; j++)
            ng_writer_print(writer, "%s%.17g", j ? "," : "",
                            p->values[i * p->columns + j]);
        if (p->best) {
            ng_writer_bytes(writer, ",", 1);
            cli_print_field(writer, p->level[p->best[i]]);
        }
        ng_writer_bytes(writer, "\n", 1);
    }
}

static int load(const cli_options *options, size_t which, ng_ctx *ctx,
                ng_model **out) {
    return cli_fail(ctx, ng_model_load(ctx, options->positional[which], out));
}

int cli_predict(const cli_options *options) {
    ng_ctx *ctx = NULL;
    ng_model *model = NULL;
    ng_frame *frame = NULL;
    ng_prediction *prediction = NULL;
    ng_writer *writer = NULL;
    ng_predict_options how;
    ng_predict_options_init(&how);
    how.std_errors = options->with_std_errors;
    if (options->interval > 0)
        how.interval = options->interval;
    if (options->level > 0)
        how.level = options->level;
    int status = cli_context(options, &ctx);
    if (status == CLI_DONE && cli_is_net(ctx, options->positional[0])) {
        status = cli_predict_net(ctx, options);
        cli_context_destroy(&ctx);
        return status;
    }
    if (status == CLI_DONE)
        status = load(options, 0, ctx, &model);
    /* A distribution has no inputs: any rows will do, only their number
     * counts. */
    bool any_rows = status == CLI_DONE &&
                    strcmp(ng_model_summary(model)->learner, "dist") == 0;
    if (status == CLI_DONE)
        status = cli_read_for_model(ctx, options, model, options->positional[1],
                                    any_rows, &frame);
    if (status == CLI_DONE)
        status = cli_check_limit(options);
    if (status == CLI_DONE)
        status =
            cli_fail(ctx, ng_model_predict(model, frame, &how, &prediction));
    if (status == CLI_DONE)
        status =
            cli_fail(ctx, ng_writer_open(ctx, options->out ? options->out : "-",
                                         &writer));
    if (status == CLI_DONE) {
        cli_write_prediction(writer, prediction, NULL);
        status = cli_fail(ctx, ng_writer_commit(&writer));
    }
    ng_prediction_destroy(&prediction);
    ng_frame_destroy(&frame);
    ng_model_destroy(&model);
    cli_context_destroy(&ctx);
    return status;
}

int cli_show(const cli_options *options) {
    ng_ctx *ctx = NULL;
    ng_model *model = NULL;
    int status = cli_context(options, &ctx);
    if (status == CLI_DONE && cli_is_net(ctx, options->positional[0])) {
        status = cli_show_net(ctx, options);
        cli_context_destroy(&ctx);
        return status;
    }
    if (status == CLI_DONE)
        status = load(options, 0, ctx, &model);
    if (status == CLI_DONE)
        status = cli_print_model(ctx, options, model, NULL);
    ng_model_destroy(&model);
    cli_context_destroy(&ctx);
    return status;
}

static size_t join(const char **out, const char *const *a, size_t as,
                   const char *const *b, size_t bs) {
    for (size_t i = 0; i < as; i++)
        out[i] = a[i];
    for (size_t i = 0; i < bs; i++)
        out[as + i] = b[i];
    return as + bs;
}

/* The columns of both models. */
static int read_for_both(ng_ctx *ctx, const cli_options *options,
                         const ng_model *a, const ng_model *b, ng_frame **out) {
    ng_frame_options first, second, how = {0};
    int status = cli_fail(ctx, ng_model_columns(a, 0, &first));
    if (status == CLI_DONE)
        status = cli_fail(ctx, ng_model_columns(b, 0, &second));
    if (status != CLI_DONE)
        return status;
    size_t most = first.includes + second.includes;
    const char **names = calloc(3 * most + 1, sizeof *names);
    if (!names)
        return cli_complain(CLI_RESOURCES, "out of memory");
    how.include = names;
    how.includes = join(names, first.include, first.includes, second.include,
                        second.includes);
    how.factors = names + most;
    how.factor_count = join(names + most, first.factors, first.factor_count,
                            second.factors, second.factor_count);
    how.numeric = names + 2 * most;
    how.numerics = join(names + 2 * most, first.numeric, first.numerics,
                        second.numeric, second.numerics);
    how.drop_missing = options->missing != NULL;
    status = cli_read(ctx, options, options->positional[2], &how, out);
    free(names);
    return status;
}

int cli_print_kl(const cli_options *options, double ab, double ba) {
    if (options->json)
        return cli_print_json(json_pack("{s:o, s:o}", "kl_ab", cli_number(ab),
                                        "kl_ba", cli_number(ba)));
    printf("KL(%s || %s) = %.10g nats per example\n", options->positional[0],
           options->positional[1], ab);
    printf("KL(%s || %s) = %.10g nats per example\n", options->positional[1],
           options->positional[0], ba);
    return CLI_DONE;
}

static int kl_of_models(ng_ctx *ctx, const cli_options *options) {
    ng_model *a = NULL, *b = NULL;
    ng_frame *frame = NULL;
    double ab, ba;
    int status = load(options, 0, ctx, &a);
    if (status == CLI_DONE)
        status = load(options, 1, ctx, &b);
    if (status == CLI_DONE && options->positionals == 3)
        status = read_for_both(ctx, options, a, b, &frame);
    if (status == CLI_DONE)
        status = cli_fail(ctx, ng_model_kl(a, b, frame, &ab, &ba));
    if (status == CLI_DONE)
        status = cli_print_kl(options, ab, ba);
    ng_frame_destroy(&frame);
    ng_model_destroy(&a);
    ng_model_destroy(&b);
    return status;
}

int cli_kl(const cli_options *options) {
    ng_ctx *ctx = NULL;
    int status = cli_context(options, &ctx);
    if (status == CLI_DONE)
        status = cli_is_net(ctx, options->positional[0]) ||
                         cli_is_net(ctx, options->positional[1])
                     ? cli_kl_net(ctx, options)
                     : kl_of_models(ctx, options);
    cli_context_destroy(&ctx);
    return status;
}
