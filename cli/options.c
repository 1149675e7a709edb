/* One table drives parsing, range checks and --help. */
#define _GNU_SOURCE /* getopt_long */
#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    DIST = 1,
    GLM = 2,
    PREDICT = 4,
    SHOW = 8,
    KL = 16,
    COMPARE_GLM = 32,
    COMPARE_DIST = 64,
    NET = 128,
    COMPARE_NET = 256,
    NETS = NET | COMPARE_NET,
    FITS = DIST | GLM,
    RACES = COMPARE_GLM | COMPARE_DIST,
    GLMS = GLM | COMPARE_GLM,
    DISTS = DIST | COMPARE_DIST,
    READS = DIST | GLM | PREDICT | KL | COMPARE_GLM | COMPARE_DIST,
    ALL = READS | SHOW | NETS
};

/* A TEXT is not empty but as MAYBE, a LIST is separated by commas, of FILES
 * each has its own option, PAIRS ("a=b") may come in either way. */
typedef enum kind { TEXT, MAYBE, LIST, FILES, PAIRS, NUMBER, COUNT, FLAG } kind;

typedef struct option_row {
    const char *name, *argument;
    kind kind;
    size_t at;
    double least, most;
    int commands;
    const char *help;
} option_row;

#define AT(field) offsetof(cli_options, field)

static const option_row OPTIONS[] = {
    {"target", "COLUMN", TEXT, AT(target), 0, 0, GLMS,
     "what is modelled; of two levels the second is the success"},
    {"target", "COLUMN|FILE", TEXT, AT(target), 0, 0, NETS,
     "columns, or the file of targets beside NPY and IDX, or self; required"},
    {"formula", "FORMULA", TEXT, AT(formula), 0, 0, GLMS,
     "R's, 'y ~ a + b:c + log(d) + C(e) + offset(f) - 1', instead of\n"
     "                             --target and --features"},
    {"reference", "COLUMN=LEVEL", PAIRS, AT(references), 0, 0, GLMS,
     "the level that others are compared with; may be repeated; the first"},
    {"levels", "A,B,...", LIST, AT(levels), 0, 0, GLMS,
     "all levels of the target in order, for ordinal; by number or bytes"},
    {"column", "COLUMN", TEXT, AT(column), 0, 0, DISTS, "the data of y"},
    {"columns", "A,B,...", LIST, AT(columns), 0, 0, DISTS,
     "the data of a vector y (mvnormal, dirichlet)"},
    {"family", "NAME", TEXT, AT(family), 0, 0, GLMS | DISTS,
     "the distribution; required"},
    {"family", "NAME", TEXT, AT(family), 0, 0, NETS,
     "the distribution of the target; categorical for classes, bernoulli for\n"
     "                             self within 0 and 1, gaussian else"},
    {"layers", "LAYERS", MAYBE, AT(layers), 0, 0, NETS,
     "hidden layers, '64 tanh, 64 tanh', or a JSON file; none"},
    {"precision", "KIND", TEXT, AT(precision), 0, 0, NETS,
     "of all numbers in training: single, double; single"},
    {"init", "NAME", TEXT, AT(init), 0, 0, NETS,
     "sparse, glorot, he, lecun, torch; by the layer"},
    {"link", "NAME", TEXT, AT(link), 0, 0, GLMS,
     "identity, log, logit, probit, cloglog, cauchit, inverse, 1/mu^2, sqrt"},
    {"power", "P", NUMBER, AT(power), 1, 1e3, GLMS,
     "tweedie: the variance is dispersion x mean^P"},
    {"features", "A,B,...", LIST, AT(features), 0, 0, GLMS | NETS,
     "inputs; every column not otherwise used"},
    {"exclude", "A,B,...", LIST, AT(exclude), 0, 0, GLMS,
     "columns left out of the features"},
    {"categorical", "A,B,...", LIST, AT(categorical), 0, 0, GLMS | DISTS,
     "columns whose numbers are levels"},
    {"weights", "COLUMN", TEXT, AT(weights), 0, 0, GLMS | DISTS,
     "row weights: a row of weight 3 is three rows"},
    {"offset", "COLUMN", TEXT, AT(offset), 0, 0, GLMS,
     "added to the linear predictor"},
    {"trials", "COLUMN", TEXT, AT(trials), 0, 0, GLMS,
     "binomial: the target counts successes out of these"},
    {"no-intercept", NULL, FLAG, AT(no_intercept), 0, 0, GLMS,
     "leave the intercept out"},
    {"no-standardize", NULL, FLAG, AT(no_standardize), 0, 0, GLMS,
     "run on the raw columns"},
    {"l2", "LAMBDA", NUMBER, AT(l2), 0, HUGE_VAL, GLMS,
     "adds lambda/2 |beta|^2 to the mean loss, intercepts free; 0"},
    {"l2", "LAMBDA", NUMBER, AT(l2), 0, HUGE_VAL, NETS,
     "adds lambda/2 |theta|^2 to the mean loss; 0"},
    {"firth", NULL, FLAG, AT(firth), 0, 0, GLM,
     "bias-reduced estimates, finite also where the data separate"},
    {"dispersion", "KIND", TEXT, AT(dispersion), 0, 0, GLM,
     "estimate: pearson, deviance or ml; pearson"},
    {"std-errors", "KIND", TEXT, AT(std_errors), 0, 0, DIST,
     "expected, observed or none; expected"},
    {"std-errors", "KIND", TEXT, AT(std_errors), 0, 0, GLM,
     "expected, observed, robust (HC0), HC1, HC2, HC3 or none; expected"},
    {"cluster", "COLUMN", TEXT, AT(cluster), 0, 0, GLM,
     "rows of the same value are not independent: robust standard errors"},
    {"intervals", "KIND", TEXT, AT(intervals), 0, 0, GLM,
     "wald or profile (of the profile likelihood); wald"},
    {"level", "P", NUMBER, AT(level), 1e-12, 1 - 1e-12, GLM | PREDICT,
     "confidence that the intervals of estimates have; 0.95"},
    {"std-errors", NULL, FLAG, AT(with_std_errors), 0, 0, PREDICT,
     "also standard errors of the means, of the linear predictor and of\n"
     "                             probabilities (glm)"},
    {"missing", "drop", TEXT, AT(missing), 0, 0, READS,
     "leave rows with missing values out, and say how many"},
    {"missing", "drop", TEXT, AT(missing), 0, 0, NETS,
     "leave rows with missing values out"},
    {"test", "FILE", TEXT, AT(test), 0, 0, FITS | RACES,
     "also report loss and accuracy on this data"},
    {"test", "FILE", FILES, AT(tests), 0, 0, NETS,
     "also report the scores on this data; may be repeated"},
    {"test-target", "FILE", FILES, AT(test_targets), 0, 0, NETS,
     "targets of a test file that is NPY or IDX, in the order of --test"},
    {"valid", "SHARE|FILE", TEXT, AT(valid), 0, 0, NET,
     "validation data: a share of DATA, or a file; the best model is kept"},
    {"valid-target", "FILE", TEXT, AT(valid_target), 0, 0, NET,
     "targets of a validation file that is NPY or IDX"},
    {"patience", "N", COUNT, AT(patience), 1, 1e9, NET,
     "stop after so many evaluations without a better validation loss"},
    {"augment", "shift[:N]", TEXT, AT(augment), 0, 0, NETS,
     "move images by up to N pixels each way; 2"},
    {"optimizer", "NAME", TEXT, AT(optimizer), 0, 0, FITS,
     "natural, newton, gradient, momentum, rmsprop, adam; natural"},
    {"metric", "NAME", TEXT, AT(metric), 0, 0, FITS | RACES,
     "identity, diagonal, dense, cg, sample-space; dense"},
    {"optimizer", "NAME", TEXT, AT(optimizer), 0, 0, NET,
     "kfac, ekfac, layer-dense, natural, sample-space, diagonal, cg, sgd,\n"
     "                             momentum, rmsprop, adam, adamw; kfac"},
    {"fisher", "KIND", TEXT, AT(fisher), 0, 0, FITS | RACES,
     "exact, sampled, empirical, observed; exact"},
    {"fisher", "KIND", TEXT, AT(fisher), 0, 0, NETS,
     "exact, sampled, empirical; sampled"},
    {"fisher-samples", "N", COUNT, AT(fisher_samples), 1, 1e9,
     FITS | RACES | NETS, "draws a row of the sampled Fisher; 1"},
    {"sharing", "KIND", TEXT, AT(sharing), 0, 0, NETS,
     "factors of convolutions: expand, reduce; expand"},
    {"batch", "N", COUNT, AT(batch), 1, 1e12, NETS,
     "examples a step; 128, second-order an eighth of all, 1000 at most"},
    {"first-batch", "N", COUNT, AT(first_batch), 1, 1e12, NETS,
     "examples of the first step, growing to --batch in 100; no growth"},
    {"epochs", "N", COUNT, AT(epochs), 1, 1e12, NETS,
     "most passes over the data; 20 unless another limit is given"},
    {"seconds", "S", NUMBER, AT(seconds), 1e-300, HUGE_VAL, NETS,
     "most seconds of training, evaluations not counted"},
    {"target-loss", "NATS", NUMBER, AT(target_loss), -HUGE_VAL, HUGE_VAL, NET,
     "stop when the training loss is evaluated as at most this"},
    {"evaluate-every", "N", COUNT, AT(evaluate_every), 1, 1e12, NETS,
     "iterations between evaluations; once an epoch if anything needs them"},
    {"step", "KIND", TEXT, AT(step), 0, 0, FITS,
     "fixed, kl, line-search, lm; line-search"},
    {"rate", "X", NUMBER, AT(rate), 1e-300, 1e300, FITS,
     "length along the direction; 1 for natural and newton"},
    {"rate", "X", NUMBER, AT(rate), 1e-300, 1e300, NET,
     "length of a step; second-order methods find their own, 0.1 sgd,\n"
     "                             0.003 momentum, 0.001 the others"},
    {"momentum", "X", NUMBER, AT(momentum), 0, 1, NET,
     "of optimizer momentum, 0.9; second-order methods find their own"},
    {"schedule", "KIND", TEXT, AT(schedule), 0, 0, NETS,
     "of the rate: constant, cosine; constant"},
    {"kl", "NATS", NUMBER, AT(kl), 0, HUGE_VAL, FITS | COMPARE_DIST,
     "most nats per example that a step may move"},
    {"damping", "LAMBDA", NUMBER, AT(damping), 0, 1e300, FITS | RACES,
     "added to the Fisher's diagonal; 0"},
    {"kl", "NATS", NUMBER, AT(kl), 1e-300, HUGE_VAL, NETS,
     "most nats per example that a second-order step may move; no limit,\n"
     "                             with --rate 0.001"},
    {"damping", "LAMBDA", NUMBER, AT(damping), 1e-300, 1e300, NETS,
     "the first one; found at the start"},
    {"integrator", "NAME", TEXT, AT(integrator), 0, 0, FITS,
     "euler, midpoint, geodesic; euler"},
    {"max-iter", "N", COUNT, AT(max_iter), 1, 1e12, FITS | RACES,
     "most iterations; 1000, first-order methods 10000, races 200"},
    {"max-iter", "N", COUNT, AT(max_iter), 1, 1e12, NETS,
     "most iterations; no limit"},
    {"tol", "X", NUMBER, AT(tol), 0, HUGE_VAL, FITS | RACES,
     "stop at this decrement, sqrt(g' F^-1 g); 1e-10"},
    {"seed", "N", COUNT, AT(seed), 0, 9007199254740992, FITS | RACES | NETS,
     "of everything random; 1"},
    {"threads", "N", COUNT, AT(threads), 1, 1024, READS | NETS, "workers; 1"},
    {"checkpoint", "DIR", TEXT, AT(checkpoint), 0, 0, NET,
     "keep the state of the run there; none"},
    {"checkpoint-every", "N", COUNT, AT(checkpoint_every), 1, 1e12, NET,
     "iterations between checkpoints; at evaluations and at the end"},
    {"resume", NULL, FLAG, AT(resume), 0, 0, NET,
     "go on from the checkpoint, bit for bit as if never stopped"},
    {"optimizers", "A,B,...", LIST, AT(optimizers), 0, 0, RACES,
     "who races; all of them"},
    {"optimizers", "A,B,...", LIST, AT(optimizers), 0, 0, COMPARE_NET,
     "who races; kfac,adam,momentum"},
    {"rates", "A,B,...", LIST, AT(rates), 0, 0, COMPARE_NET,
     "the rates that first-order methods are tuned over; 0.0001, ... 1"},
    {"tune-iter", "N", COUNT, AT(tune_iter), 1, 1e9, COMPARE_NET,
     "iterations of a tuning run; 100"},
    {"rates", "A,B,...", LIST, AT(rates), 0, 0, RACES,
     "the rates that each is tuned over; 0.001, 0.003, ... 10"},
    {"tune-iter", "N", COUNT, AT(tune_iter), 1, 1e9, RACES,
     "iterations of a tuning run; 50"},
    {"parametrizations", "A,B,...", LIST, AT(parametrizations), 0, 0,
     COMPARE_DIST,
     "draw paths instead, in these coordinates of the last parameter:\n"
     "                             probability, logit; sd, log-sd, precision; "
     "or a link"},
    {"start", "A,B,...", LIST, AT(start), 0, 0, COMPARE_DIST,
     "customary parameters to begin from"},
    {"nested", NULL, FLAG, AT(nested), 0, 0, COMPARE_GLM,
     "analysis of deviance of two saved models, one within the other"},
    {"interval", "P", NUMBER, AT(interval), 1e-12, 1 - 1e-12, PREDICT,
     "probability of the central interval; 0.9"},
    {"out", "FILE", TEXT, AT(out), 0, 0, FITS | PREDICT | RACES,
     "the model (dist, glm), predictions (predict; standard output) or "
     "table (compare)"},
    {"out", "FILE", TEXT, AT(out), 0, 0, NETS,
     "the model (net) or table (compare), .csv or .tsv"},
    {"onnx", "FILE", TEXT, AT(onnx), 0, 0, NET, "the network as ONNX"},
    {"stream", NULL, FLAG, AT(stream), 0, 0, GLM,
     "read the data in every pass instead of holding them; by itself where\n"
     "                             they would take half of the memory"},
    {"residuals", "FILE", TEXT, AT(residuals), 0, 0, GLM,
     "residuals, leverages and Cook's distances by row, as CSV"},
    {"plot", "FILE", TEXT, AT(plot), 0, 0, GLM,
     "diagnostic picture, .svg or .png, drawn by gnuplot"},
    {"plot", "FILE", TEXT, AT(plot), 0, 0, RACES | NETS,
     "the picture, .svg or .png, drawn by gnuplot"},
    {"trace", "FILE", TEXT, AT(trace), 0, 0, FITS | NET,
     "one JSON object an iteration"},
    {"json", NULL, FLAG, AT(json), 0, 0, ALL & ~PREDICT,
     "print one JSON object and nothing else"},
    {"quiet", NULL, FLAG, AT(quiet), 0, 0, READS | NETS, "no progress"},
    {"help", NULL, FLAG, 0, 0, 0, ALL, "this text"},
};

enum { OPTION_COUNT = sizeof OPTIONS / sizeof *OPTIONS };

typedef struct command_row {
    const char *name;
    int bit;
    size_t least, most; /* positional arguments */
    const char *usage, *about, *example;
} command_row;

static const command_row COMMANDS[] = {
    {"dist", DIST, 1, 1, "natgrad dist DATA --column Y --family NAME",
     "Fits a distribution by maximum likelihood.",
     "natgrad dist failures.csv --column hours --family weibull"},
    {"glm", GLM, 1, 1,
     "natgrad glm DATA --formula FORMULA|--target Y --family NAME",
     "Fits a generalised linear model by Fisher scoring. Families gaussian,\n"
     "binomial, poisson, gamma, inverse-gaussian, negative-binomial, "
     "multinomial,\nordinal, beta, tweedie.",
     "natgrad glm births.csv --formula 'case ~ age * parity' \\\n"
     "      --family binomial --out model.safetensors"},
    {"net", NET, 1, 1, "natgrad net DATA --target Y [--layers LAYERS]",
     "Trains a network by K-FAC.",
     "natgrad net digits.csv --target digit --family categorical \\\n"
     "      --layers '64 tanh, 64 tanh' --valid 0.1 --out net.safetensors"},
    {"predict", PREDICT, 2, 2, "natgrad predict MODEL DATA",
     "Predicts from a saved model, as CSV.",
     "natgrad predict model.safetensors new.csv --interval 0.9"},
    {"show", SHOW, 1, 1, "natgrad show MODEL", "Shows a saved model.",
     "natgrad show model.safetensors"},
    {"kl", KL, 2, 3, "natgrad kl MODEL MODEL [DATA]",
     "Mean KL divergence of two saved models on the same inputs, both ways.",
     "natgrad kl a.safetensors b.safetensors data.csv"},
    {"compare glm", COMPARE_GLM, 1, 2,
     "natgrad compare glm DATA --target Y --family NAME",
     "Races optimisers from one start, each tuned over its rate. Or\n"
     "  natgrad compare glm --nested MODEL MODEL\n"
     "the analysis of deviance of two models that natgrad glm --out saved.",
     "natgrad compare glm digits.csv --target digit --family multinomial \\\n"
     "      --l2 1e-3 --out race.tsv --plot race.svg"},
    {"compare net", COMPARE_NET, 1, 1,
     "natgrad compare net DATA --target Y [--layers LAYERS]",
     "Races optimisers on a network, from the same weights through the same\n"
     "batches, first-order methods each tuned over their rate.",
     "natgrad compare net digits.csv --target digit --family categorical \\\n"
     "      --layers '64 tanh' --optimizers kfac,adam --plot race.svg"},
    {"compare dist", COMPARE_DIST, 1, 1,
     "natgrad compare dist DATA --column Y --family NAME",
     "Races optimisers from one start, or draws the paths of plain and "
     "natural\n"
     "gradient in several parametrisations.",
     "natgrad compare dist heights.csv --column cm --family normal \\\n"
     "      --parametrizations sd,log-sd,precision --plot paths.svg"},
};

enum { COMMAND_COUNT = sizeof COMMANDS / sizeof *COMMANDS };

static const command_row *find_command(const char *name) {
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(COMMANDS[i].name, name) == 0)
            return &COMMANDS[i];
    }
    return NULL;
}

static void print_help(const command_row *command) {
    printf("Usage: %s [options]\n\n%s\n\nOptions (defaults last):\n",
           command->usage, command->about);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const option_row *o = &OPTIONS[i];
        char left[64];
        if (!(o->commands & command->bit))
            continue;
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->argument ? " " : "",
                 o->argument ? o->argument : "");
        printf("  %-26s %s\n", left, o->help);
    }
    if (command->bit & GLMS)
        puts("\nDATA is CSV, gzipped or not, \"-\" for standard input, or a "
             "two-dimensional NPY,\nwhose columns are V1, V2, ...");
    else if (command->bit & (NETS | PREDICT))
        puts("\nDATA is CSV, NPY or IDX, gzipped or not (arrays for networks); "
             "CSV may be\n\"-\", standard input.");
    else if (command->bit & READS)
        puts("\nDATA is CSV, gzipped or not, \"-\" for standard input.");
    printf("\nExample:\n  %s\n\nSee also: man natgrad\n", command->example);
}

static int parse_list(const char *name, const char *text, cli_list *list) {
    size_t count = 1;
    free(list->text);
    free(list->item);
    for (const char *p = text; *p; p++)
        count += *p == ',';
    list->text = strdup(text);
    list->item = calloc(count, sizeof *list->item);
    list->count = 0;
    if (!list->text || !list->item)
        return cli_complain(CLI_RESOURCES, "out of memory");
    for (char *item = list->text; item;) {
        char *comma = strchr(item, ',');
        if (comma)
            *comma = '\0';
        if (!*item)
            return cli_complain(CLI_USAGE,
                                "--%s: expected a comma-separated list, "
                                "found an empty item",
                                name);
        list->item[list->count++] = item;
        item = comma ? comma + 1 : NULL;
    }
    return CLI_DONE;
}

static int add_file(const char *name, const char *text, cli_list *list) {
    if (!*text)
        return cli_complain(CLI_USAGE, "--%s: expected a value", name);
    const char **grown =
        realloc(list->item, (list->count + 1) * sizeof *list->item);
    if (!grown)
        return cli_complain(CLI_RESOURCES, "out of memory");
    list->item = grown;
    list->item[list->count++] = text;
    return CLI_DONE;
}

/* Pieces lie one behind the other in the text. A comma within a level is part
 * of it: what follows a comma that separates has a "=". */
static int add_pairs(const char *name, const char *text, cli_list *list) {
    size_t used = 0, count = 0, pieces = list->count;
    for (size_t i = 0; i < list->count; i++)
        used += strlen(list->item[i]) + 1;
    size_t end = used + strlen(text) + 1;
    char *grown = realloc(list->text, end);
    if (!grown)
        return cli_complain(CLI_RESOURCES, "out of memory");
    list->text = grown;
    strcpy(grown + used, text);
    for (char *comma = strchr(grown + used, ','); comma;
         comma = strchr(comma + 1, ',')) {
        size_t next = strcspn(comma + 1, ",=");
        if (comma[1 + next] == '=')
            *comma = '\0';
    }
    for (size_t at = used; at < end; at += strlen(grown + at) + 1)
        pieces++;
    const char **item = realloc(list->item, pieces * sizeof *item);
    if (!item)
        return cli_complain(CLI_RESOURCES, "out of memory");
    list->item = item;
    list->count = pieces;
    for (size_t at = 0; at < end; at += strlen(grown + at) + 1) {
        const char *equals = strchr(grown + at, '=');
        if (!equals || equals == grown + at || !equals[1])
            return cli_complain(CLI_USAGE,
                                "--%s: expected COLUMN=LEVEL, found \"%s\"",
                                name, grown + at);
        item[count++] = grown + at;
    }
    return CLI_DONE;
}

static int parse_number(const option_row *o, const char *text, double *out) {
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    bool whole = o->kind != COUNT || value == floor(value);
    if (end != text && !*end && value >= o->least && value <= o->most &&
        isfinite(value) && whole) {
        *out = value;
        return CLI_DONE;
    }
    const char *what = o->kind == COUNT ? "a whole number" : "a number";
    if (o->most < 1e299)
        return cli_complain(CLI_USAGE,
                            "--%s: expected %s from %g to %g, found \"%s\"",
                            o->name, what, o->least, o->most, text);
    if (o->least < 0)
        return cli_complain(CLI_USAGE, "--%s: expected %s, found \"%s\"",
                            o->name, what, text);
    return cli_complain(CLI_USAGE, "--%s: expected %s %s 0, found \"%s\"",
                        o->name, what, o->least > 0 ? ">" : ">=", text);
}

static int set_option(const option_row *o, const char *text,
                      cli_options *options) {
    char *at = (char *)options + o->at;
    switch (o->kind) {
    case TEXT:
    case MAYBE:
        if (!*text && o->kind == TEXT)
            return cli_complain(CLI_USAGE, "--%s: expected a value", o->name);
        *(const char **)(void *)at = text;
        return CLI_DONE;
    case LIST:
        return parse_list(o->name, text, (cli_list *)(void *)at);
    case FILES:
        return add_file(o->name, text, (cli_list *)(void *)at);
    case PAIRS:
        return add_pairs(o->name, text, (cli_list *)(void *)at);
    case NUMBER:
    case COUNT:
        return parse_number(o, text, (double *)(void *)at);
    case FLAG:
        *(bool *)(void *)at = true;
        return CLI_DONE;
    }
    return CLI_USAGE;
}

static void set_defaults(const command_row *command, cli_options *o) {
    memset(o, 0, sizeof *o);
    o->rate = o->max_iter = o->tol = -1;
    o->fisher_samples = o->seed = o->threads = 1;
    o->tune_iter = 50;
    o->power = (double)NAN;
    if (!(command->bit & NETS))
        return;
    o->batch = o->first_batch = o->epochs = o->seconds = o->patience =
        o->momentum = -1;
    o->checkpoint_every = o->evaluate_every = -1;
    o->l2 = o->damping = o->kl = -1;
    o->target_loss = -HUGE_VAL;
    o->tune_iter = 100;
}

static void fill_long_options(const command_row *command,
                              struct option *table) {
    size_t count = 0;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (!(OPTIONS[i].commands & command->bit))
            continue;
        table[count++] = (struct option){
            OPTIONS[i].name,
            OPTIONS[i].kind == FLAG ? no_argument : required_argument, NULL,
            (int)i + 1000};
    }
    table[count] = (struct option){NULL, 0, NULL, 0};
}

static int check(const command_row *command, const cli_options *options) {
    if (options->positionals < command->least)
        return cli_complain(CLI_USAGE, "expected: %s", command->usage);
    if (command->bit == COMPARE_GLM && !options->nested &&
        options->positionals > 1)
        return cli_complain(CLI_USAGE,
                            "unexpected argument \"%s\"; expected: %s",
                            options->positional[1], command->usage);
    return cli_check_options(options);
}

int cli_parse(int argc, char **argv, const char *name, cli_options *options,
              bool *done) {
    const command_row *command = find_command(name);
    struct option table[OPTION_COUNT + 1];
    *done = false;
    set_defaults(command, options);
    options->command = name;
    options->word = argv + 1;
    options->words = (size_t)argc - 1;
    fill_long_options(command, table);
    opterr = 0;
    optind = 1;
    for (;;) {
        int chosen = getopt_long(argc, argv, "-:h", table, NULL);
        if (chosen == -1)
            break;
        if (chosen == ':')
            return cli_complain(CLI_USAGE, "%s: expected a value",
                                argv[optind - 1]);
        if (chosen == '?')
            return cli_complain(CLI_USAGE,
                                "unknown option \"%s\"; see natgrad %s "
                                "--help",
                                argv[optind - 1], name);
        if (chosen == 1) {
            if (options->positionals == command->most)
                return cli_complain(CLI_USAGE,
                                    "unexpected argument \"%s\"; expected: %s",
                                    optarg, command->usage);
            options->positional[options->positionals++] = optarg;
            continue;
        }
        const option_row *o =
            &OPTIONS[chosen == 'h' ? OPTION_COUNT - 1 : chosen - 1000];
        if (strcmp(o->name, "help") == 0) {
            print_help(command);
            *done = true;
            return CLI_DONE;
        }
        int status = set_option(o, optarg, options);
        if (status != CLI_DONE)
            return status;
    }
    for (; optind < argc; optind++) { /* after "--" */
        if (options->positionals == command->most)
            return cli_complain(CLI_USAGE, "unexpected argument \"%s\"",
                                argv[optind]);
        options->positional[options->positionals++] = argv[optind];
    }
    return check(command, options);
}

void cli_options_free(cli_options *options) {
    cli_list *lists[] = {&options->columns,    &options->features,
                         &options->exclude,    &options->categorical,
                         &options->optimizers, &options->parametrizations,
                         &options->start,      &options->rates,
                         &options->tests,      &options->test_targets,
                         &options->references, &options->levels};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        free(lists[i]->text);
        free(lists[i]->item);
    }
}
