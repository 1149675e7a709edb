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

/* What stands before a row: thresholds go by their levels alone. */
static void parameter_name(const ng_parameter *p, bool threshold, char *out,
                           size_t size) {
    snprintf(out, size, "%s%s%s", p->level ? p->level : "",
             p->level && !threshold ? ": " : "", threshold ? "" : p->term);
}

/* Widest name, for the first column. */
static int name_width(const ng_summary *s) {
    size_t widest = 4;
    char name[256];
    for (size_t i = 0; i < s->parameters; i++) {
        parameter_name(&s->parameter[i], i >= s->parameters - s->thresholds,
                       name, sizeof name);
        size_t width = strlen(name);
        widest = width > widest ? width : widest;
    }
    return widest > 60 ? 60 : (int)widest;
}

static bool is_glm(const ng_summary *s) {
    return strcmp(s->learner, "glm") == 0;
}

/* A combination of earlier columns has nothing to show. */
static void print_aliased(void) {
    printf(" %14s %12s %9s %9s %10s %10s\n", "-", "-", "-", "-", "-", "-");
}

static void print_rows(const ng_summary *s, size_t first, size_t count) {
    enum { MOST = 60 };
    int width = name_width(s);
    bool thresholds = first >= s->parameters - s->thresholds;
    for (size_t i = first; i < first + count && i < first + MOST; i++) {
        const ng_parameter *p = &s->parameter[i];
        char name[256];
        parameter_name(p, thresholds, name, sizeof name);
        printf("%-*.*s", width, width, name);
        if (p->aliased) {
            print_aliased();
            continue;
        }
        printf(" %14.7g %12.5g", p->estimate, p->std_error);
        if (is_glm(s))
            printf(" %9.3f %9.3g %10.4g %10.4g", p->statistic, p->p_value,
                   p->lower, p->upper);
        putchar('\n');
    }
    if (count > MOST)
        printf("... and %zu more; --json or --out has them all\n",
               count - MOST);
}

static void print_parameters(const ng_summary *s) {
    size_t coefficients = s->parameters - s->thresholds;
    char lower[32], upper[32];
    double tail = 50 * (1 - s->interval_level);
    printf("\n%-*s %14s %12s", name_width(s), "", "estimate", "std.error");
    snprintf(lower, sizeof lower, "%.4g %%", tail);
    snprintf(upper, sizeof upper, "%.4g %%", 100 - tail);
    if (is_glm(s))
        printf(" %9s %9s %10s %10s", "statistic", "p", lower, upper);
    putchar('\n');
    print_rows(s, 0, coefficients);
    if (s->thresholds) {
        printf("thresholds\n");
        print_rows(s, coefficients, s->thresholds);
    }
}

/* Each term once, whatever the levels that it stands for. */
static void print_terms(const ng_summary *s, bool aliased) {
    const char *separator = "";
    for (size_t i = 0; i < s->parameters; i++) {
        const ng_parameter *p = &s->parameter[i];
        bool seen = false;
        if (!(aliased ? p->aliased : p->infinite))
            continue;
        bool threshold = i >= s->parameters - s->thresholds && p->level;
        for (size_t j = 0; j < i && !seen && !threshold; j++) {
            const ng_parameter *q = &s->parameter[j];
            seen = (aliased ? q->aliased : q->infinite) &&
                   strcmp(p->term, q->term) == 0;
        }
        if (!seen)
            printf("%s%s%s%s", separator, p->term, threshold ? " " : "",
                   threshold ? p->level : "");
        separator = seen ? separator : ", ";
    }
}

/* The families that --firth is for. */
static bool reduces_bias(const char *family) {
    return strcmp(family, "binomial") == 0 || strcmp(family, "poisson") == 0;
}

static void print_notes(const ng_summary *s) {
    bool aliased = false;
    for (size_t i = 0; i < s->parameters; i++)
        aliased = aliased || s->parameter[i].aliased;
    if (aliased) {
        printf("aliased, being combinations of the columns before them: ");
        print_terms(s, true);
        putchar('\n');
    }
    if (s->separation == NG_SEPARATION_NONE)
        return;
    printf("%s separation: ", s->separation == NG_SEPARATION_COMPLETE
                                  ? "complete"
                                  : "quasi-complete");
    printf("the maximum is at infinity in ");
    print_terms(s, false);
    if (s->firth)
        puts("; the estimates shown are finite by --firth");
    else
        printf("; --%s gives finite estimates\n",
               reduces_bias(s->family) ? "firth" : "l2");
}

static void print_head(const ng_summary *s) {
    printf("%s, family %s", s->learner, s->family);
    if (isfinite(s->power))
        printf(" of power %g", s->power);
    if (s->link)
        printf(", link %s", s->link);
    printf(", n = %.10g\n", s->n);
    if (s->formula)
        printf("%s\n", s->formula);
    if (s->thresholds)
        return;
    if (s->levels == 2)
        printf("models %s = \"%s\" (the other level is \"%s\")\n",
               s->target ? s->target : "y", s->level[1], s->level[0]);
    else if (s->levels)
        printf("reference level \"%s\"\n", s->level[0]);
}

/* What is shown, where it is not what is usually shown. */
static void print_kinds(const ng_summary *s) {
#define NAME(name, key) key,
    static const char *const ERRORS[] = {NG_STD_ERRORS_LIST(NAME) NULL};
#undef NAME
    bool usual = s->std_errors == NG_SE_EXPECTED || s->std_errors == NG_SE_NONE;
    bool profile = s->intervals == NG_INTERVALS_PROFILE;
    if (!is_glm(s) || (usual && !profile && !s->firth))
        return;
    printf("%s%s standard errors%s\n", s->firth ? "bias-reduced, " : "",
           ERRORS[s->std_errors],
           profile ? ", intervals of the profile likelihood" : "");
}

/* A number, or a dash where there is none. */
static void print_number(const char *before, double x, int digits) {
    if (isnan(x))
        printf("%s-", before);
    else
        printf("%s%.*g", before, digits, x);
}

static void print_dispersion(const ng_summary *s) {
    static const char *const KINDS[] = {"Pearson", "deviance",
                                        "maximum likelihood"};
    printf(", dispersion %.6g", s->dispersion);
    if (s->dispersion != 1)
        printf(" (%s)", KINDS[s->dispersion_kind]);
    putchar('\n');
}

static void print_table(const ng_summary *s) {
    print_head(s);
    print_kinds(s);
    print_parameters(s);
    print_notes(s);
    putchar('\n');
    if (isinf(s->theta))
        printf("theta is infinite: the Poisson model is the best fit\n");
    else if (isfinite(s->theta))
        printf("theta %.7g, std.error %.5g\n", s->theta, s->theta_std_error);
    if (isfinite(s->deviance)) {
        print_number("deviance ", s->deviance, 8);
        print_number(" (null ", s->null_deviance, 8);
        print_number("), residual df ", s->df_residual, 6);
        print_dispersion(s);
    }
    if (s->l2 > 0)
        printf("effective degrees of freedom %.6g (l2 %g)\n", s->df_effective,
               s->l2);
    /* A stream that is stopped is not looked at again. */
    if (!isnan(s->log_likelihood) || s->stop != NG_STOPPED) {
        print_number("log-likelihood ", s->log_likelihood, 10);
        print_number(", AIC ", s->aic, 8);
        print_number(", BIC ", s->bic, 8);
        print_number("\nloss ", s->loss, 8);
        printf(" nats per example");
        if (isfinite(s->accuracy))
            printf(", accuracy %.4f", s->accuracy);
        putchar('\n');
    }
    printf("%s after %zu iteration%s; decrement %.2e, max|gradient| %.2e, "
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
