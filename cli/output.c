/* Results: a table to read, or JSON. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

json_t *cli_number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

int cli_print_json(json_t *object) {
    char *text =
        object ? json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(17))
               : NULL;
    json_decref(object);
    if (!text)
        return cli_complain(CLI_RESOURCES, "out of memory");
    puts(text);
    free(text);
    return CLI_DONE;
}

static int print_json(ng_ctx *ctx, const ng_model *model, json_t *extra) {
    char *text = NULL;
    int status = cli_fail(ctx, ng_model_to_json(model, &text));
    if (status != CLI_DONE) {
        json_decref(extra);
        return status;
    }
    json_t *object = json_loads(text, 0, NULL);
    ng_text_free(ctx, &text);
    if (extra && object)
        json_object_update(object, extra);
    json_decref(extra);
    return cli_print_json(object);
}

/* Widest name, for the first column. */
static int name_width(const ng_summary *s) {
    size_t widest = 4;
    for (size_t i = 0; i < s->parameters; i++) {
        const ng_parameter *p = &s->parameter[i];
        size_t width = strlen(p->term) + (p->level ? strlen(p->level) + 2 : 0);
        widest = width > widest ? width : widest;
    }
    return widest > 40 ? 40 : (int)widest;
}

static void print_parameters(const ng_summary *s) {
    enum { MOST = 60 };
    bool glm = strcmp(s->learner, "glm") == 0;
    int width = name_width(s);
    printf("\n%-*s %14s %12s", width, "", "estimate", "std.error");
    if (glm)
        printf(" %9s %9s", isfinite(s->df_residual) ? "statistic" : "", "p");
    putchar('\n');
    for (size_t i = 0; i < s->parameters && i < MOST; i++) {
        const ng_parameter *p = &s->parameter[i];
        char name[256];
        snprintf(name, sizeof name, "%s%s%s", p->level ? p->level : "",
                 p->level ? ": " : "", p->term);
        printf("%-*.*s %14.7g %12.5g", width, width, name, p->estimate,
               p->std_error);
        if (glm)
            printf(" %9.3f %9.3g", p->statistic, p->p_value);
        putchar('\n');
    }
    if (s->parameters > MOST)
        printf("... and %zu more; --json or --out has them all\n",
               s->parameters - MOST);
}

static void print_table(const ng_summary *s) {
    printf("%s, family %s", s->learner, s->family);
    if (s->link)
        printf(", link %s", s->link);
    printf(", n = %.10g\n", s->n);
    if (s->levels == 2)
        printf("models %s = \"%s\" (the other level is \"%s\")\n",
               s->target ? s->target : "y", s->level[1], s->level[0]);
    else if (s->levels)
        printf("reference level \"%s\"\n", s->level[0]);
    print_parameters(s);
    putchar('\n');
    if (isfinite(s->deviance))
        printf("deviance %.8g (null %.8g), residual df %.0f, dispersion "
               "%.6g\n",
               s->deviance, s->null_deviance, s->df_residual, s->dispersion);
    printf("log-likelihood %.10g, AIC %.8g, BIC %.8g\n", s->log_likelihood,
           s->aic, s->bic);
    printf("loss %.8g nats per example", s->loss);
    if (isfinite(s->accuracy))
        printf(", accuracy %.4f", s->accuracy);
    printf("\n%s after %zu iteration%s; decrement %.2e, max|gradient| %.2e, "
           "%.4g nats moved\n",
           ng_stop_text(s->stop), s->iterations, s->iterations == 1 ? "" : "s",
           s->decrement, s->gradient_norm, s->kl_total);
}

static void print_extra(const json_t *extra) {
    const json_t *test = json_object_get(extra, "test");
    if (!test)
        return;
    printf("test: loss %.6g nats per example",
           json_number_value(json_object_get(test, "loss")));
    if (json_is_number(json_object_get(test, "accuracy")))
        printf(", accuracy %.4f",
               json_number_value(json_object_get(test, "accuracy")));
    putchar('\n');
}

int cli_print_model(ng_ctx *ctx, const cli_options *options,
                    const ng_model *model, json_t *extra) {
    const ng_summary *s = ng_model_summary(model);
    for (size_t i = 0; i < s->warnings; i++)
        fprintf(stderr, "natgrad: warning: %s\n", s->warning[i]);
    if (options->json)
        return print_json(ctx, model, extra);
    print_table(s);
    print_extra(extra);
    json_decref(extra);
    return CLI_DONE;
}
