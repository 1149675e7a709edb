/* A trained network in words and numbers. */
#include "net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *net_end_text(ng_net_stop stop) {
    static const char *const texts[] = {
#define TEXT(name, text) text,
        NG_NET_STOP_LIST(TEXT)
#undef TEXT
    };
    return texts[stop];
}

static int print_json(ng_ctx *ctx, const ng_net *net, json_t *extra) {
    char *text = NULL;
    int status = cli_fail(ctx, ng_net_to_json(net, &text));
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

/* 1234567 as 1,234,567. */
static const char *thousands(size_t number, char *out, size_t size) {
    char digits[32];
    size_t length = (size_t)snprintf(digits, sizeof digits, "%zu", number);
    size_t used = 0;
    for (size_t i = 0; i < length && used + 2 < size; i++) {
        if (i && (length - i) % 3 == 0)
            out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = '\0';
    return out;
}

static void print_score(const char *name, int width, const ng_score *score) {
    if (isnan(score->loss) && isnan(score->accuracy) &&
        isnan(score->squared_error))
        return;
    printf("%-*s %12.6g", width, name, score->loss);
    if (!isnan(score->accuracy))
        printf(" %12.4f", score->accuracy);
    if (!isnan(score->squared_error))
        printf(" %14.6g", score->squared_error);
    putchar('\n');
}

static const char *test_name(const ng_net_summary *s, size_t i) {
    return s->test_name && s->test_name[i] ? s->test_name[i] : "test";
}

static void print_scores(const ng_net_summary *s) {
    int width = 5;
    for (size_t i = 0; s->tests > 1 && i < s->tests; i++) {
        int length = (int)strlen(test_name(s, i));
        width = length > width ? length : width;
    }
    printf("\n%-*s %12s", width, "", "loss");
    if (!isnan(s->train.accuracy))
        printf(" %12s", "accuracy");
    if (!isnan(s->train.squared_error))
        printf(" %14s", "squared error");
    putchar('\n');
    print_score("train", width, &s->train);
    print_score("valid", width, &s->valid);
    for (size_t i = 0; i < s->tests; i++)
        print_score(s->tests > 1 ? test_name(s, i) : "test", width,
                    &s->test[i]);
}

static void print_warnings(const ng_net_summary *s) {
    for (size_t i = 0; i < s->warnings; i++)
        fprintf(stderr, "natgrad: warning: %s\n", s->warning[i]);
}

static void print_head(const ng_net_summary *s) {
    char parameters[48];
    printf("net, family %s", s->family);
    if (s->target)
        printf(", target %s", s->target);
    printf("\nlayers %s; %s parameters\n",
           s->layers && *s->layers ? s->layers : "none but the output",
           thousands(s->parameters, parameters, sizeof parameters));
}

static void print_tail(const ng_net_summary *s) {
    printf("%s after %zu iteration%s, %zu epoch%s, %.4g s of %s\n",
           net_end_text(s->stop), s->iterations, s->iterations == 1 ? "" : "s",
           s->epochs, s->epochs == 1 ? "" : "s", s->seconds, s->optimizer);
}

static void print_value(bool *first, const char *name, double value) {
    if (isnan(value))
        return;
    printf("%s%s %.4g", *first ? "" : ", ", name, value);
    *first = false;
}

static void print_values(const ng_net_summary *s) {
    bool first = false;
    printf("at the end: batch %zu", s->batch);
    print_value(&first, "rate", s->rate);
    print_value(&first, "momentum", s->momentum);
    print_value(&first, "damping", s->damping);
    print_value(&first, "l2", s->l2);
    putchar('\n');
}

int net_print(ng_ctx *ctx, const cli_options *options, ng_net *net,
              json_t *extra) {
    const ng_net_summary *s = ng_net_result(net);
    print_warnings(s);
    if (options->json)
        return print_json(ctx, net, extra);
    json_decref(extra);
    print_head(s);
    print_scores(s);
    putchar('\n');
    print_values(s);
    print_tail(s);
    return CLI_DONE;
}

static void print_layers(ng_net *net) {
    size_t count;
    const ng_layer *layers = ng_network_layers(ng_net_network(net), &count);
    printf("\n%5s  %-44s %11s\n", "", "layer", "parameters");
    for (size_t l = 0; l < count; l++) {
        char text[128], parameters[48];
        ng_layer_text(&layers[l], text, sizeof text);
        if (layers[l].parameters)
            printf(
                "%5zu  %-44s %11s\n", l, text,
                thousands(layers[l].parameters, parameters, sizeof parameters));
        else
            printf("%5zu  %s\n", l, text);
    }
}

static void explain(const char *name, double value, const char *words) {
    if (!isnan(value))
        printf("  %-9s %-10.4g %s\n", name, value, words);
}

static bool is_second_order(const char *name) {
    static const char *const names[] = {
#define NAME(name, key) key,
        NG_TRAINER_LIST(NAME)
#undef NAME
    };
    for (int i = 0; i < (int)(sizeof names / sizeof *names); i++) {
        if (strcmp(names[i], name) == 0)
            return ng_trainer_second_order((ng_trainer)i);
    }
    return false;
}

static void explain_values(const ng_net_summary *s) {
    bool second_order = is_second_order(s->optimizer);
    printf("\nWhat %s ended with:\n", s->optimizer);
    explain("batch", (double)s->batch, "examples in a step");
    if (second_order) {
        explain("damping", s->damping,
                "added to the Fisher's diagonal: found at the start, then\n"
                "                       lower where the quadratic model "
                "predicts well, higher\n"
                "                       where it does not");
        explain("rate", s->rate,
                "of the natural gradient in the last step: where the\n"
                "                       quadratic model has its minimum, "
                "unless --rate was given");
        explain("momentum", s->momentum,
                "of the step before in the last one: by the same minimum");
    } else {
        explain("rate", s->rate, "times the direction is a step, at the end");
        explain("momentum", s->momentum, "kept of earlier gradients");
    }
    explain("l2", s->l2, "times half of |theta|^2 is added to the loss");
}

int net_explain(ng_ctx *ctx, const cli_options *options, ng_net *net) {
    const ng_net_summary *s = ng_net_result(net);
    print_warnings(s);
    if (options->json)
        return print_json(ctx, net, NULL);
    print_head(s);
    print_layers(net);
    print_scores(s);
    explain_values(s);
    putchar('\n');
    print_tail(s);
    return CLI_DONE;
}
