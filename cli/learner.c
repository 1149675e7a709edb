/* From options to the library's, and from files to frames. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int cli_choice(const char *option, const char *text, const char *const *choices,
               int *out) {
    char names[256];
    size_t used = 0;
    if (!text)
        return CLI_DONE;
    names[0] = '\0';
    for (int i = 0; choices[i]; i++) {
        if (strcmp(choices[i], text) == 0) {
            *out = i;
            return CLI_DONE;
        }
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s",
                                 i ? ", " : "", choices[i]);
    }
    return cli_complain(CLI_USAGE, "--%s: expected one of %s, found \"%s\"",
                        option, names, text);
}

#define NAME(name, key) key,
static const char *const OPTIMIZERS[] = {NG_OPTIMIZER_LIST(NAME) NULL};
static const char *const STEPS[] = {NG_STEP_LIST(NAME) NULL};
static const char *const INTEGRATORS[] = {NG_INTEGRATOR_LIST(NAME) NULL};
static const char *const FISHERS[] = {NG_FISHER_LIST(NAME) NULL};
static const char *const STD_ERRORS[] = {NG_STD_ERRORS_LIST(NAME) NULL};
static const char *const DISPERSIONS[] = {NG_DISPERSION_LIST(NAME) NULL};
static const char *const INTERVALS[] = {NG_INTERVALS_LIST(NAME) NULL};
#undef NAME

int cli_numbers(const char *option, const cli_list *list, double **out) {
    *out = malloc((list->count + 1) * sizeof **out);
    if (!*out)
        return cli_complain(CLI_RESOURCES, "out of memory");
    for (size_t i = 0; i < list->count; i++) {
        char *end;
        (*out)[i] = strtod(list->item[i], &end);
        if (*end || !isfinite((*out)[i]))
            return cli_complain(CLI_USAGE,
                                "--%s: expected numbers, found \"%s\"", option,
                                list->item[i]);
    }
    return CLI_DONE;
}

int cli_optimizer(const char *option, const char *name, ng_optimizer *out) {
    int chosen = NG_NATURAL;
    int status = cli_choice(option, name, OPTIMIZERS, &chosen);
    *out = (ng_optimizer)chosen;
    return status;
}

/* Options that the chosen optimiser would silently ignore are mistakes. */
static int check_fit(const cli_options *o, const ng_fit_options *fit) {
    bool natural = fit->optimizer == NG_NATURAL;
    bool newton = fit->optimizer == NG_NEWTON;
    if (!natural && !newton && o->metric)
        return cli_complain(CLI_USAGE,
                            "--metric and --optimizer %s contradict each "
                            "other",
                            o->optimizer);
    if (!natural && o->fisher)
        return cli_complain(CLI_USAGE,
                            "--fisher and --optimizer %s contradict each "
                            "other",
                            o->optimizer);
    if (!natural && !newton && o->damping > 0)
        return cli_complain(CLI_USAGE,
                            "--damping and --optimizer %s contradict each "
                            "other",
                            o->optimizer);
    if (o->kl > 0 && fit->step == NG_STEP_FIXED)
        return cli_complain(CLI_USAGE,
                            "--kl and --step fixed contradict each other");
    return CLI_DONE;
}

int cli_fit_options(const cli_options *o, ng_fit_options *fit) {
    int fisher = NG_FISHER_EXACT, integrator = NG_EULER;
    int status = CLI_DONE;
    ng_fit_options_init(fit);
    if ((status = cli_optimizer("optimizer", o->optimizer, &fit->optimizer)) ||
        (status = cli_choice("step", o->step, STEPS, &fit->step)) ||
        (status = cli_choice("fisher", o->fisher, FISHERS, &fisher)) ||
        (status =
             cli_choice("integrator", o->integrator, INTEGRATORS, &integrator)))
        return status;
    fit->metric = o->metric;
    fit->fisher = (ng_fisher_kind)fisher;
    fit->integrator = (ng_integrator)integrator;
    fit->fisher_samples = (size_t)o->fisher_samples;
    fit->rate = o->rate;
    fit->kl = o->kl;
    fit->damping = o->damping;
    fit->seed = (uint64_t)o->seed;
    fit->max_iter = o->max_iter > 0 ? (size_t)o->max_iter : 0;
    if (o->tol >= 0)
        fit->tolerance = o->tol;
    return check_fit(o, fit);
}

static int std_errors(const cli_options *o, ng_std_errors *out) {
    int chosen = NG_SE_EXPECTED;
    int status = cli_choice("std-errors", o->std_errors, STD_ERRORS, &chosen);
    *out = (ng_std_errors)chosen;
    return status;
}

static int glm_kinds(const cli_options *o, ng_glm_options *glm) {
    int dispersion = NG_DISPERSION_PEARSON, intervals = NG_INTERVALS_WALD;
    int status = std_errors(o, &glm->std_errors);
    if (status == CLI_DONE)
        status =
            cli_choice("dispersion", o->dispersion, DISPERSIONS, &dispersion);
    if (status == CLI_DONE)
        status = cli_choice("intervals", o->intervals, INTERVALS, &intervals);
    glm->dispersion = (ng_dispersion)dispersion;
    glm->intervals = (ng_intervals)intervals;
    /* A cluster asks for robust ones by itself. */
    if (o->cluster && !o->std_errors)
        glm->std_errors = NG_SE_ROBUST;
    return status;
}

int cli_glm_options(const cli_options *o, ng_glm_options *glm) {
    ng_glm_options_init(glm);
    glm->formula = o->formula;
    glm->target = o->target;
    glm->family = o->family;
    glm->link = o->link;
    glm->power = o->power;
    glm->features = o->features.count ? o->features.item : NULL;
    glm->feature_count = o->features.count;
    glm->references = o->references.count ? o->references.item : NULL;
    glm->reference_count = o->references.count;
    glm->levels = o->levels.count ? o->levels.item : NULL;
    glm->level_count = o->levels.count;
    glm->weights = o->weights;
    glm->offset = o->offset;
    glm->trials = o->trials;
    glm->cluster = o->cluster;
    glm->intercept = !o->no_intercept;
    glm->standardize = !o->no_standardize;
    glm->l2 = o->l2;
    glm->firth = o->firth;
    if (o->level > 0)
        glm->level = o->level;
    int status = glm_kinds(o, glm);
    return status ? status : cli_fit_options(o, &glm->fit);
}

int cli_dist_options(const cli_options *o, ng_dist_options *dist) {
    ng_dist_options_init(dist);
    dist->family = o->family;
    dist->columns = o->column ? &o->column : o->columns.item;
    dist->column_count = o->column ? 1 : o->columns.count;
    dist->weights = o->weights;
    int status = std_errors(o, &dist->std_errors);
    return status ? status : cli_fit_options(o, &dist->fit);
}

int cli_start(ng_ctx *ctx, const cli_options *o, double **out) {
    ng_family family;
    int status = cli_fail(ctx, ng_family_init(ctx, o->family,
                                              o->column ? 1 : o->columns.count,
                                              &family));
    if (status == CLI_DONE)
        status = cli_numbers("start", &o->start, out);
    if (status == CLI_DONE && o->start.count != family.dim_customary)
        status = cli_complain(CLI_USAGE, "--start: expected %zu numbers",
                              family.dim_customary);
    return status;
}

void cli_say_dropped(size_t rows) {
    if (rows)
        fprintf(stderr, "natgrad: %zu row%s with missing values dropped\n",
                rows, rows == 1 ? "" : "s");
}

/* Standard input and pipes can be read once only. */
static bool is_npy(ng_ctx *ctx, const char *path) {
    ng_array_format format;
    return strcmp(path, "-") != 0 &&
           ng_array_sniff(ctx, path, &format) == NG_OK &&
           format == NG_ARRAY_NPY;
}

int cli_read(ng_ctx *ctx, const cli_options *o, const char *path,
             const ng_frame_options *how, ng_frame **out) {
    int status = cli_fail(ctx, is_npy(ctx, path)
                                   ? ng_frame_read_npy(ctx, path, how, out)
                                   : ng_frame_read_csv(ctx, path, how, out));
    if (status == CLI_DONE && o->missing)
        cli_say_dropped(ng_frame_dropped(*out));
    return status;
}

/* Room for a list and a few names more. */
static const char **extend(const cli_list *list, size_t more) {
    const char **names = calloc(list->count + more, sizeof *names);
    for (size_t i = 0; names && i < list->count; i++)
        names[i] = list->item[i];
    return names;
}

static void append(const char **names, size_t *count, const char *name) {
    if (name)
        names[(*count)++] = name;
}

static bool has_column(const ng_frame *frame, const ng_stream *stream,
                       const char *name) {
    if (frame)
        return ng_frame_find(frame, name) != NULL;
    for (size_t i = 0; i < ng_stream_columns(stream); i++) {
        if (strcmp(ng_stream_column(stream, i)->name, name) == 0)
            return true;
    }
    return false;
}

int cli_check_categorical(const cli_options *o, const ng_frame *frame,
                          const ng_stream *stream) {
    const char *path = o->positional[0];
    const char *source = frame ? ng_frame_source(frame) : path;
    if (strcmp(source, "-") == 0)
        source = "standard input";
    for (size_t i = 0; i < o->categorical.count; i++) {
        const char *name = o->categorical.item[i];
        bool known = has_column(frame, stream, name);
        for (size_t j = 0; j < o->exclude.count; j++)
            known = known || strcmp(name, o->exclude.item[j]) == 0;
        if (!known)
            return cli_complain(CLI_DATA,
                                "%s: --categorical: column \"%s\" is not "
                                "among those used",
                                source, name);
    }
    return CLI_DONE;
}

int cli_read_dist(ng_ctx *ctx, const cli_options *o, const char *path,
                  ng_frame **out) {
    const cli_list one = {NULL, NULL, 0};
    const char **include = extend(o->column ? &one : &o->columns, 2);
    const char **factors = extend(&o->categorical, 1);
    const char **numeric = extend(o->column ? &one : &o->columns, 2);
    ng_frame_options how = {.include = include,
                            .includes = o->columns.count,
                            .factors = factors,
                            .factor_count = o->categorical.count,
                            .numeric = numeric,
                            .drop_missing = o->missing != NULL};
    if (!include || !factors || !numeric) {
        free(include);
        free(factors);
        free(numeric);
        return cli_complain(CLI_RESOURCES, "out of memory");
    }
    bool classes = strcmp(o->family, "categorical") == 0 ||
                   strcmp(o->family, "softmax") == 0;
    bool binary = strcmp(o->family, "bernoulli") == 0;
    append(include, &how.includes, o->column);
    append(include, &how.includes, o->weights);
    if (classes)
        append(factors, &how.factor_count, o->column);
    else if (!binary)
        for (size_t i = 0; i < (o->column ? 1 : o->columns.count); i++)
            numeric[how.numerics++] =
                o->column ? o->column : o->columns.item[i];
    append(numeric, &how.numerics, o->weights);
    int status = cli_read(ctx, o, path, &how, out);
    free(include);
    free(factors);
    free(numeric);
    if (status == CLI_DONE)
        status = cli_check_categorical(o, *out, NULL);
    return status;
}

int cli_read_for_model(ng_ctx *ctx, const cli_options *o, const ng_model *model,
                       const char *path, bool with_target, ng_frame **out) {
    ng_frame_options how;
    int status = cli_fail(ctx, ng_model_columns(model, with_target, &how));
    if (status != CLI_DONE)
        return status;
    how.drop_missing = o->missing != NULL;
    return cli_read(ctx, o, path, &how, out);
}
