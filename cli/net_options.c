/* From the command's options to the learner's. */
#include "net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define NAME(name, key) key,
static const char *const TRAINERS[] = {NG_TRAINER_LIST(NAME) NULL};
static const char *const SCHEDULES[] = {NG_SCHEDULE_LIST(NAME) NULL};
static const char *const SHARINGS[] = {NG_SHARING_LIST(NAME) NULL};
static const char *const INITS[] = {NG_INIT_LIST(NAME) NULL};
#undef NAME
/* The Hessian of the loss is no metric here. */
static const char *const FISHERS[] = {"exact", "sampled", "empirical", NULL};
static const char *const PRECISIONS[] = {"single", "double", NULL};

enum { SHIFT = 2 }; /* pixels, of --augment shift */

int net_trainer(const char *option, const char *name, ng_trainer *out) {
    int chosen = NG_TRAIN_KFAC;
    int status = cli_choice(option, name, TRAINERS, &chosen);
    *out = (ng_trainer)chosen;
    return status;
}

static int contradiction(const char *option, const char *optimizer) {
    return cli_complain(CLI_USAGE,
                        "--%s and --optimizer %s contradict each other", option,
                        optimizer);
}

/* Options that not every optimizer has a use for. */
enum { MOMENTUM, FISHER, FISHER_SAMPLES, SHARING, DAMPING, KL, SPECIALS };
static const char *const SPECIAL[] = {"momentum", "fisher",  "fisher-samples",
                                      "sharing",  "damping", "kl"};

static bool is_given(const cli_options *o, int option) {
    const bool given[] = {o->momentum >= 0,       o->fisher != NULL,
                          o->fisher_samples != 1, o->sharing != NULL,
                          o->damping > 0,         o->kl > 0};
    return given[option];
}

/* Conjugate gradients take nothing from drawn labels; only Kronecker products
 * have factors. */
static bool has_use(int option, ng_trainer optimizer) {
    bool second_order = ng_trainer_second_order(optimizer);
    if (option == MOMENTUM)
        return second_order || optimizer == NG_TRAIN_MOMENTUM;
    if (option == FISHER || option == FISHER_SAMPLES)
        return second_order && optimizer != NG_TRAIN_CG;
    if (option == SHARING)
        return optimizer == NG_TRAIN_KFAC || optimizer == NG_TRAIN_EKFAC;
    return second_order;
}

static int check_batches(const cli_options *o) {
    if (o->first_batch > 0 && o->batch > 0 && o->first_batch > o->batch)
        return cli_complain(CLI_USAGE,
                            "--first-batch: batches grow: expected at most "
                            "--batch, %.0f",
                            o->batch);
    return CLI_DONE;
}

int net_check_optimizer(const cli_options *o, const char *name,
                        ng_trainer optimizer) {
    for (int option = 0; option < SPECIALS; option++) {
        if (is_given(o, option) && !has_use(option, optimizer))
            return contradiction(SPECIAL[option], name);
    }
    if (ng_trainer_second_order(optimizer) && o->momentum > 0 && o->rate < 0)
        return cli_complain(CLI_USAGE,
                            "--momentum goes with --rate: the quadratic model "
                            "finds its own (0 turns it off)");
    return check_batches(o);
}

int net_check_optimizers(const cli_options *o, const ng_trainer *optimizer,
                         size_t count) {
    for (int option = 0; option < SPECIALS; option++) {
        bool useful = !is_given(o, option);
        for (size_t i = 0; i < count; i++)
            useful = useful || has_use(option, optimizer[i]);
        if (!useful)
            return cli_complain(CLI_USAGE,
                                "--%s: none of --optimizers has a use for it",
                                SPECIAL[option]);
    }
    return check_batches(o);
}

void net_keep_useful(ng_train_options *train) {
    ng_train_options usual;
    ng_train_options_init(&usual);
    if (!has_use(FISHER, train->optimizer)) {
        train->fisher = usual.fisher;
        train->fisher_samples = usual.fisher_samples;
    }
    if (!has_use(SHARING, train->optimizer))
        train->sharing = usual.sharing;
    if (!has_use(DAMPING, train->optimizer))
        train->damping = train->kl_radius = -1;
}

static int goes_with(const char *option, const char *other) {
    return cli_complain(CLI_USAGE, "--%s goes with --%s", option, other);
}

static int check(const cli_options *o) {
    if (o->resume && !o->checkpoint)
        return goes_with("resume", "checkpoint");
    if (o->checkpoint_every > 0 && !o->checkpoint)
        return goes_with("checkpoint-every", "checkpoint");
    if (o->patience > 0 && !o->valid)
        return goes_with("patience", "valid");
    return CLI_DONE;
}

static int parse_shift(const char *text, size_t *shift) {
    *shift = 0;
    if (!text)
        return CLI_DONE;
    char *end = NULL;
    long pixels = SHIFT;
    bool good = strncmp(text, "shift", 5) == 0;
    if (good && text[5]) {
        pixels = text[5] == ':' ? strtol(text + 6, &end, 10) : 0;
        good = end && end != text + 6 && !*end;
    }
    if (!good || pixels < 1 || pixels > 1000)
        return cli_complain(CLI_USAGE,
                            "--augment: expected shift or shift:N, N from 1 to "
                            "1000, found \"%s\"",
                            text);
    *shift = (size_t)pixels;
    return CLI_DONE;
}

/* A number is a share, anything else a file. */
static int parse_share(const char *text, double *share) {
    char *end;
    *share = 0;
    if (!text)
        return CLI_DONE;
    double value = strtod(text, &end);
    if (*end)
        return CLI_DONE;
    if (!(value > 0 && value < 1))
        return cli_complain(CLI_USAGE,
                            "--valid: expected a share between 0 and 1 or a "
                            "file, found \"%s\"",
                            text);
    *share = value;
    return CLI_DONE;
}

static size_t count_of(double number) {
    return number > 0 ? (size_t)number : 0;
}

static int train_options(const cli_options *o, ng_train_options *train) {
    int fisher = NG_FISHER_SAMPLED, schedule = NG_SCHEDULE_CONSTANT;
    int sharing = NG_EXPAND, status;
    if ((status = net_trainer("optimizer", o->optimizer, &train->optimizer)) ||
        (status = cli_choice("fisher", o->fisher, FISHERS, &fisher)) ||
        (status = cli_choice("schedule", o->schedule, SCHEDULES, &schedule)) ||
        (status = cli_choice("sharing", o->sharing, SHARINGS, &sharing)))
        return status;
    train->fisher = (ng_fisher_kind)fisher;
    train->fisher_samples = (size_t)o->fisher_samples;
    train->schedule = (ng_schedule)schedule;
    train->sharing = (ng_sharing)sharing;
    train->batch = count_of(o->batch);
    train->rate = o->rate;
    train->momentum = o->momentum;
    train->damping = o->damping;
    train->kl_radius = o->kl;
    if (o->l2 >= 0)
        train->l2 = o->l2;
    return CLI_DONE;
}

int net_options(const cli_options *o, const net_data *data,
                ng_net_options *out) {
    int init = -1, precision = NG_SINGLE, status;
    ng_net_options_init(out);
    out->first_batch = count_of(o->first_batch);
    if ((status = check(o)) || (status = train_options(o, &out->train)) ||
        (status = cli_choice("init", o->init, INITS, &init)) ||
        (status =
             cli_choice("precision", o->precision, PRECISIONS, &precision)) ||
        (status = parse_shift(o->augment, &out->shift)) ||
        (status = parse_share(o->valid, &out->valid_fraction)))
        return status;
    out->layers = o->layers;
    out->init = init;
    out->precision = (ng_precision)precision;
    out->seed = (uint64_t)o->seed;
    out->epochs = count_of(o->epochs);
    out->iterations = count_of(o->max_iter);
    out->seconds = o->seconds > 0 ? o->seconds : 0;
    out->target_loss = o->target_loss;
    out->patience = count_of(o->patience);
    out->evaluate_every = count_of(o->evaluate_every);
    out->checkpoint = o->checkpoint;
    out->checkpoint_every = count_of(o->checkpoint_every);
    out->resume = o->resume;
    out->valid = data->valid;
    out->test = (const ng_net_data *const *)data->test;
    out->test_name = data->test_name;
    out->tests = data->tests;
    return CLI_DONE;
}

static const double MEBI = 1048576;

/* "MemAvailable:  12345 kB", what can be had without swapping. */
static double machine_has(void) {
    double available = HUGE_VAL, kilobytes;
    char line[128];
    FILE *file = fopen("/proc/meminfo", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "MemAvailable: %lf kB", &kilobytes) == 1)
            available = 1024 * kilobytes;
    }
    if (file)
        fclose(file);
    return available;
}

int net_check_memory(ng_ctx *ctx, const cli_options *options,
                     const net_data *data, const ng_net_options *net) {
    double bytes;
    int status = cli_fail(ctx, ng_net_memory(ctx, data->train, net, &bytes));
    if (status != CLI_DONE)
        return status;
    double available =
        fmax(fmin(machine_has(), cli_limit_leaves(options->threads + 1)), 0);
    if (bytes > available)
        return cli_complain(CLI_RESOURCES,
                            "training needs %.0f MiB of memory, %.0f MiB are "
                            "available; a smaller network, --batch or another "
                            "--optimizer needs less",
                            ceil(bytes / MEBI), floor(available / MEBI));
    if (!options->quiet)
        fprintf(stderr, "natgrad: training will take %.0f MiB\n",
                ceil(bytes / MEBI));
    return CLI_DONE;
}
