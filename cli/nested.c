/* natgrad compare glm --nested: the analysis of deviance of two saved models.
 */
#include "cli.h"

#include <math.h>

static json_t *row_json(const char *path, const ng_nested *t, size_t i) {
    return json_pack("{s:s, s:o, s:o}", "model", path, "df_residual",
                     cli_number(t->df_residual[i]),
                     t->likelihood ? "minus_twice_log_likelihood" : "deviance",
                     cli_number(t->deviance[i]));
}

static int print_json(const char *const path[2], const ng_nested *t) {
    json_t *models =
        json_pack("[o, o]", row_json(path[0], t, 0), row_json(path[1], t, 1));
    return cli_print_json(
        json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "models", models,
                  "test", t->is_F ? "F" : "Chisq", "df", cli_number(t->df),
                  "deviance", cli_number(t->drop), "dispersion",
                  cli_number(t->dispersion), "statistic",
                  cli_number(t->statistic), "p_value", cli_number(t->p_value)));
}

static void print_table(const char *const path[2], const char *const formula[2],
                        const ng_nested *t) {
    for (int i = 0; i < 2; i++)
        printf("Model %d: %s (%s)\n", i + 1, formula[i] ? formula[i] : "",
               path[i]);
    printf("\n  %10s %16s %6s %14s %12s %12s\n", "resid. df",
           t->likelihood ? "-2 log-lik." : "resid. deviance", "df", "deviance",
           t->is_F ? "F" : "chi-square", "p");
    printf("1 %10.6g %16.8g\n", t->df_residual[0], t->deviance[0]);
    printf("2 %10.6g %16.8g %6.4g %14.8g %12.6g %12.4g\n", t->df_residual[1],
           t->deviance[1], t->df, t->drop, t->statistic, t->p_value);
    if (t->is_F)
        printf("F at the dispersion of model 2, %.6g\n", t->dispersion);
}

/* Who asked for robust errors does not trust the model's own. */
static void warn_of_robust(ng_model *const *model) {
    for (int i = 0; i < 2; i++) {
        ng_std_errors kind = ng_model_summary(model[i])->std_errors;
        if (kind < NG_SE_ROBUST || kind > NG_SE_HC3)
            continue;
        fprintf(stderr, "natgrad: warning: the test takes the models at their "
                        "word; robust standard errors do not enter it\n");
        return;
    }
}

int cli_nested(const cli_options *options) {
    ng_ctx *ctx = NULL;
    ng_model *model[2] = {NULL, NULL};
    ng_nested table;
    int status = cli_context(options, &ctx);
    for (int i = 0; i < 2 && status == CLI_DONE; i++) {
        const char *path = options->positional[i];
        if (cli_is_net(ctx, path))
            status = cli_complain(CLI_USAGE,
                                  "--nested: %s is a network; expected two "
                                  "models of natgrad glm",
                                  path);
        else
            status = cli_fail(ctx, ng_model_load(ctx, path, &model[i]));
    }
    if (status == CLI_DONE)
        status = cli_fail(ctx, ng_glm_nested(model[0], model[1], &table));
    if (status == CLI_DONE) {
        int first = table.swapped ? 1 : 0;
        const char *path[2] = {options->positional[first],
                               options->positional[1 - first]};
        const char *formula[2] = {ng_model_summary(model[first])->formula,
                                  ng_model_summary(model[1 - first])->formula};
        warn_of_robust(model);
        if (options->json)
            status = print_json(path, &table);
        else
            print_table(path, formula, &table);
    }
    ng_model_destroy(&model[0]);
    ng_model_destroy(&model[1]);
    cli_context_destroy(&ctx);
    return status;
}
