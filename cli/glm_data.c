/* The data of a glm: which columns are read, and as what; whole or as a
 * stream. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is(const char *a, const char *b) {
    return a && strcmp(a, b) == 0;
}

/* What is asked of the reader, with the lists that it borrows. */
typedef struct request {
    cli_formula formula;
    ng_frame_options how;
    const char **storage;
} request;

static void append(const char **names, size_t *count, const char *name) {
    if (name)
        names[(*count)++] = name;
}

/* Everything, unless features or a formula name what is needed. Of a formula
 * the first column must be there and the others may: what the library misses
 * it names. */
static void list_included(const cli_options *o, request *r,
                          const char **include, const char **optional) {
    const cli_formula *f = &r->formula;
    bool named = o->features.count > 0 || (f->names > 0 && !f->all);
    if (!named)
        return;
    r->how.include = include;
    r->how.optional = optional;
    for (size_t i = 0; i < o->features.count; i++)
        append(include, &r->how.includes, o->features.item[i]);
    for (size_t i = 0; i < f->names; i++) {
        if (i == 0 && f->has_left)
            append(include, &r->how.includes, f->name[i]);
        else
            append(optional, &r->how.optionals, f->name[i]);
    }
    append(include, &r->how.includes, o->target);
    append(include, &r->how.includes, o->weights);
    append(include, &r->how.includes, o->offset);
    append(include, &r->how.includes, o->trials);
    append(include, &r->how.includes, o->cluster);
}

static void list_kinds(const cli_options *o, request *r, const char **factors,
                       const char **numeric) {
    const cli_formula *f = &r->formula;
    const char *target = f->lone_target ? f->name[0] : o->target;
    bool classes = is(o->family, "multinomial") || is(o->family, "ordinal");
    bool binary = is(o->family, "binomial");
    r->how.factors = factors;
    r->how.numeric = numeric;
    for (size_t i = 0; i < o->categorical.count; i++)
        append(factors, &r->how.factor_count, o->categorical.item[i]);
    for (size_t i = 0; i < f->names; i++)
        append(factors, &r->how.factor_count, f->factor[i] ? f->name[i] : NULL);
    if (classes)
        append(factors, &r->how.factor_count, target);
    append(numeric, &r->how.numerics, o->weights);
    append(numeric, &r->how.numerics, o->offset);
    append(numeric, &r->how.numerics, o->trials);
    if (!classes && (!binary || o->trials))
        append(numeric, &r->how.numerics, target);
}

static int make_request(const cli_options *o, request *r) {
    enum { ROLES = 5, LISTS = 4 };
    *r = (request){.storage = NULL};
    int status = cli_formula_names(o->formula, &r->formula);
    if (status != CLI_DONE)
        return status;
    size_t most =
        o->features.count + o->categorical.count + r->formula.names + ROLES;
    r->storage = calloc(LISTS * most, sizeof *r->storage);
    if (!r->storage)
        return cli_complain(CLI_RESOURCES, "out of memory");
    r->how.exclude = o->exclude.item;
    r->how.excludes = o->exclude.count;
    r->how.drop_missing = o->missing != NULL;
    list_included(o, r, r->storage, r->storage + most);
    list_kinds(o, r, r->storage + 2 * most, r->storage + 3 * most);
    return CLI_DONE;
}

static void free_request(request *r) {
    cli_formula_free(&r->formula);
    free(r->storage);
}

/* Whether what stands before one of the signs = names one of them. */
static bool refers_to(const char *reference, const char *const *name,
                      size_t names) {
    for (const char *sign = strchr(reference, '='); sign;
         sign = strchr(sign + 1, '=')) {
        size_t length = (size_t)(sign - reference);
        for (size_t i = 0; i < names; i++) {
            if (strncmp(name[i], reference, length) == 0 && !name[i][length])
                return true;
        }
    }
    return false;
}

/* A column that is not read has no reference level: the library would find it
 * missing from the data. */
static int check_references(const cli_options *o, const request *r) {
    for (size_t i = 0; r->how.include && i < o->references.count; i++) {
        const char *reference = o->references.item[i];
        const char *sign = strchr(reference, '=');
        if (!sign || refers_to(reference, r->how.include, r->how.includes) ||
            refers_to(reference, r->how.optional, r->how.optionals))
            continue;
        return cli_complain(CLI_USAGE,
                            "--reference %s: the model has no column \"%.*s\"",
                            reference, (int)(sign - reference), reference);
    }
    return CLI_DONE;
}

int cli_read_glm(ng_ctx *ctx, const cli_options *o, const char *path,
                 ng_frame **out) {
    request r;
    int status = make_request(o, &r);
    if (status == CLI_DONE)
        status = check_references(o, &r);
    if (status == CLI_DONE)
        status = cli_read(ctx, o, path, &r.how, out);
    free_request(&r);
    if (status == CLI_DONE)
        status = cli_check_categorical(o, *out, NULL);
    return status;
}

int cli_stream_glm(ng_ctx *ctx, const cli_options *o, const char *path,
                   ng_stream **out) {
    request r;
    int status = make_request(o, &r);
    r.how.spool = getenv("TMPDIR");
    if (status == CLI_DONE)
        status = check_references(o, &r);
    if (status == CLI_DONE)
        status = cli_fail(ctx, ng_stream_open(ctx, path, &r.how, out));
    free_request(&r);
    if (status == CLI_DONE && o->missing)
        cli_say_dropped(ng_stream_dropped(*out));
    if (status == CLI_DONE)
        status = cli_check_categorical(o, NULL, *out);
    return status;
}

/* ---- Whether to stream ---- */

/* Bytes that can be had without swapping; infinite where nobody says. */
static double available_memory(const cli_options *o) {
    double available = HUGE_VAL, kilobytes;
    char line[128];
    FILE *file = fopen("/proc/meminfo", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "MemAvailable: %lf", &kilobytes) == 1)
            available = 1024 * kilobytes;
    }
    if (file)
        fclose(file);
    return fmin(available, fmax(cli_limit_leaves(o->threads), 0));
}

/* What the stream's fit does without. */
static bool needs_all(const cli_options *o) {
    bool scoring = (!o->optimizer || is(o->optimizer, "natural")) &&
                   !o->metric && !o->fisher && !o->step;
    return o->residuals || o->plot || o->cluster || !scoring;
}

bool cli_wants_stream(const cli_options *o, const char *path) {
    struct stat about;
    if (o->stream)
        return true;
    if (is(path, "-") || stat(path, &about) != 0 || !S_ISREG(about.st_mode))
        return false;
    if ((double)about.st_size <= 0.5 * available_memory(o) || needs_all(o))
        return false;
    fprintf(stderr,
            "natgrad: %s is larger than half of the available memory: it is "
            "read anew in every pass (--stream)\n",
            path);
    return true;
}
