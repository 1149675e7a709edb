/* That the options of a command go together. */
#include "cli.h"

#include <math.h>
#include <string.h>

static bool is(const char *a, const char *b) {
    return a && strcmp(a, b) == 0;
}

static bool is_net(const cli_options *o) {
    return is(o->command, "net") || is(o->command, "compare net");
}

static bool is_glm(const cli_options *o) {
    return is(o->command, "glm") || is(o->command, "compare glm");
}

static bool is_dist(const cli_options *o) {
    return is(o->command, "dist") || is(o->command, "compare dist");
}

/* And not a table. */
static bool writes_model(const cli_options *o) {
    return is(o->command, "glm") || is(o->command, "dist") ||
           is(o->command, "net");
}

static int contradiction(const char *a, const char *b) {
    return cli_complain(CLI_USAGE, "--%s and --%s contradict each other", a, b);
}

/* An excluded column cannot be used. */
static int check_excluded(const cli_options *o) {
    const char *const role[] = {"target", "weights", "offset", "trials",
                                "cluster"};
    const char *const name[] = {o->target, o->weights, o->offset, o->trials,
                                o->cluster};
    for (size_t i = 0; i < o->exclude.count; i++) {
        for (size_t j = 0; j < sizeof role / sizeof *role; j++) {
            if (is(name[j], o->exclude.item[i]))
                return contradiction("exclude", role[j]);
        }
    }
    return CLI_DONE;
}

static int check_contradictions(const cli_options *o) {
    if (o->column && o->columns.count)
        return contradiction("column", "columns");
    if (o->trace && !is(o->trace, "-") && is(o->out, o->trace))
        return contradiction("out", "trace");
    if (o->features.count && o->exclude.count)
        return contradiction("features", "exclude");
    bool sampled = o->fisher ? is(o->fisher, "sampled") : is_net(o);
    if (o->fisher_samples != 1 && !sampled)
        return cli_complain(CLI_USAGE,
                            "--fisher-samples goes with --fisher sampled");
    if (writes_model(o) && is(o->out, "-") && is(o->trace, "-"))
        return contradiction("out -", "trace -");
    if (o->json && is(o->out, "-"))
        return contradiction("json", "out -");
    if (o->json && is(o->trace, "-"))
        return contradiction("json", "trace -");
    if (o->json && is(o->onnx, "-"))
        return contradiction("json", "onnx -");
    if (o->json && is(o->residuals, "-"))
        return contradiction("json", "residuals -");
    return check_excluded(o);
}

/* A formula says all that these say. */
static int check_formula(const cli_options *o) {
    if (!o->formula && !o->target)
        return cli_complain(CLI_USAGE, "expected --target or --formula");
    if (!o->formula)
        return CLI_DONE;
    if (o->target)
        return contradiction("formula", "target");
    if (o->features.count)
        return contradiction("formula", "features");
    if (o->no_intercept)
        return cli_complain(CLI_USAGE, "--formula and --no-intercept "
                                       "contradict each other: expected "
                                       "\"- 1\" in the formula");
    return CLI_DONE;
}

static int check_glm(const cli_options *o) {
    bool tweedie = is(o->family, "tweedie"), given = !isnan(o->power);
    bool plain = is(o->std_errors, "expected") ||
                 is(o->std_errors, "observed") || is(o->std_errors, "none");
    if (given && !tweedie)
        return cli_complain(CLI_USAGE, "--power goes with --family tweedie");
    if (tweedie && !given)
        return cli_complain(CLI_USAGE, "--family tweedie: expected --power");
    if (o->cluster && plain)
        return cli_complain(CLI_USAGE,
                            "--cluster and --std-errors %s contradict each "
                            "other",
                            o->std_errors);
    if (o->stream && o->residuals)
        return contradiction("stream", "residuals");
    if (o->stream && o->plot)
        return contradiction("stream", "plot");
    if (o->stream && o->cluster)
        return contradiction("stream", "cluster");
    bool diagnosed = is(o->command, "glm") && (o->residuals || o->plot);
    if (diagnosed && is(o->family, "multinomial"))
        return cli_complain(CLI_USAGE,
                            "--%s: a multinomial model has no residuals",
                            o->residuals ? "residuals" : "plot");
    if (o->firth && o->l2 > 0)
        return contradiction("firth", "l2");
    return check_formula(o);
}

/* Two models have all been said about themselves. */
static int check_nested(const cli_options *o) {
    if (o->positionals != 2)
        return cli_complain(CLI_USAGE, "--nested: expected two models");
    bool more = o->family || o->target || o->formula || o->features.count ||
                o->out || o->plot || o->test || o->optimizers.count;
    if (more)
        return cli_complain(CLI_USAGE,
                            "--nested compares saved models: expected no "
                            "other option but --json");
    return CLI_DONE;
}

static int check_plot(const cli_options *o) {
    const char *dot = o->plot ? strrchr(o->plot, '.') : NULL;
    if (!o->plot || (dot && (is(dot, ".svg") || is(dot, ".png"))))
        return CLI_DONE;
    return cli_complain(CLI_USAGE,
                        "--plot: expected a name that ends in .svg or .png, "
                        "found \"%s\"",
                        o->plot);
}

int cli_check_options(const cli_options *o) {
    if (o->missing && strcmp(o->missing, "drop") != 0)
        return cli_complain(CLI_USAGE,
                            "--missing: expected \"drop\", found \"%s\"",
                            o->missing);
    if (o->nested)
        return check_nested(o);
    if ((is_glm(o) || is_dist(o)) && !o->family)
        return cli_complain(CLI_USAGE, "expected --family");
    int status = is_glm(o) ? check_glm(o) : CLI_DONE;
    if (status != CLI_DONE)
        return status;
    if (is_net(o) && !o->target)
        return cli_complain(CLI_USAGE, "expected --target");
    if (is_dist(o) && !o->column && !o->columns.count)
        return cli_complain(CLI_USAGE, "expected --column or --columns");
    status = check_plot(o);
    return status == CLI_DONE ? check_contradictions(o) : status;
}
