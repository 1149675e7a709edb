/* That no output takes the place of an input, or of another output. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FIXED = 16 }; /* files besides those that may be named repeatedly */

typedef struct named_file {
    const char *name; /* as the message calls it */
    const char *path;
    bool output, exists, regular, standard;
    dev_t device;
    ino_t node;
    char *place; /* of what is not there yet, or NULL */
} named_file;

typedef struct file_list {
    named_file *file;
    size_t count;
    char *derived[FIXED]; /* names beside others */
    size_t deriveds;
    bool failed;
} file_list;

/* The folder's true name and the file's own; NULL where there is no folder. */
static char *place_of(const char *path) {
    const char *slash = strrchr(path, '/');
    const char *own = slash ? slash + 1 : path;
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : NULL;
    char *real = realpath(folder ? folder : ".", NULL), *out = NULL;
    size_t size = real ? strlen(real) + strlen(own) + 2 : 0;
    if (real)
        out = malloc(size);
    if (out)
        snprintf(out, size, "%s/%s", real, own);
    free(folder);
    free(real);
    return out;
}

static void add(file_list *list, bool output, const char *name,
                const char *path) {
    named_file f = {.name = name, .path = path, .output = output};
    struct stat about;
    if (!path)
        return;
    f.standard = strcmp(path, "-") == 0;
    if (!f.standard && stat(path, &about) == 0) {
        f.exists = true;
        f.regular = S_ISREG(about.st_mode);
        f.device = about.st_dev;
        f.node = about.st_ino;
    } else if (!f.standard) {
        f.place = place_of(path);
    }
    list->file[list->count++] = f;
}

/* `path` is kept, and freed in the end. */
static void add_derived(file_list *list, const char *name, char *path) {
    if (!path) {
        list->failed = true;
        return;
    }
    list->derived[list->deriveds++] = path;
    add(list, true, name, path);
}

static bool is(const char *a, const char *b) {
    return a && strcmp(a, b) == 0;
}

/* The target of an array is a file, that of a table a column. What is no
 * regular file can be read once only, and not here. */
static bool target_is_file(const cli_options *o) {
    ng_ctx *ctx = NULL;
    ng_array_format format = NG_ARRAY_OTHER;
    struct stat about;
    if (is(o->target, "self") || stat(o->positional[0], &about) != 0 ||
        !S_ISREG(about.st_mode) || ng_ctx_create(NULL, &ctx) != NG_OK)
        return false;
    if (ng_array_sniff(ctx, o->positional[0], &format) != NG_OK)
        format = NG_ARRAY_OTHER;
    ng_ctx_destroy(&ctx);
    return format != NG_ARRAY_OTHER;
}

static bool is_number(const char *text) {
    char *end;
    strtod(text, &end);
    return *end == '\0';
}

static void add_inputs(file_list *list, const cli_options *o, bool nets) {
    bool predicts = is(o->command, "predict");
    if (predicts)
        add(list, false, "MODEL", o->positional[0]);
    add(list, false, "DATA", o->positional[predicts ? 1 : 0]);
    add(list, false, "--test", o->test);
    if (!nets)
        return;
    if (target_is_file(o))
        add(list, false, "--target", o->target);
    for (size_t i = 0; i < o->tests.count; i++)
        add(list, false, "--test", o->tests.item[i]);
    for (size_t i = 0; i < o->test_targets.count; i++)
        add(list, false, "--test-target", o->test_targets.item[i]);
    if (o->valid && !is_number(o->valid))
        add(list, false, "--valid", o->valid);
    add(list, false, "--valid-target", o->valid_target);
}

static char *in_folder(const char *folder, const char *name) {
    size_t size = strlen(folder) + strlen(name) + 2;
    char *out = malloc(size);
    if (out)
        snprintf(out, size, "%s/%s", folder, name);
    return out;
}

/* Races of glm and dist write one table, --out or beside the picture. */
static void add_outputs(file_list *list, const cli_options *o, bool nets) {
    bool paths = o->parametrizations.count > 0;
    if (o->checkpoint)
        add_derived(list, "the file in --checkpoint",
                    in_folder(o->checkpoint, "checkpoint.safetensors"));
    add(list, true, "--out", o->out);
    add(list, true, "--onnx", o->onnx);
    add(list, true, "--trace", o->trace);
    add(list, true, "--plot", o->plot);
    add(list, true, "--residuals", o->residuals);
    if (!o->plot)
        return;
    add_derived(list, "the script of --plot", cli_beside(o->plot, ".gp"));
    if (nets || !o->out || is(o->command, "glm"))
        add_derived(list, "the table of --plot", cli_beside(o->plot, ".tsv"));
    if (nets && is(o->target, "self"))
        add_derived(list, "the images of --plot",
                    cli_beside(o->plot, ".images.tsv"));
    if (paths)
        add_derived(list, "the grid of --plot", cli_beside(o->plot, ".kl.tsv"));
}

static bool same_file(const named_file *a, const named_file *b) {
    if (a->standard || b->standard)
        return a->standard && b->standard && a->output == b->output;
    if (a->exists != b->exists || (a->exists && !a->regular))
        return false;
    if (a->exists)
        return a->device == b->device && a->node == b->node;
    return a->place && b->place && strcmp(a->place, b->place) == 0;
}

/* The table of a race between networks is the same twice. */
static bool is_harmless(const cli_options *o, const named_file *a,
                        const named_file *b) {
    return (!a->output && !b->output && !a->standard) ||
           (is(o->command, "compare net") && is(a->name, "--out") &&
            is(b->name, "the table of --plot"));
}

static int compare(const cli_options *o, const file_list *list) {
    for (size_t j = 0; j < list->count; j++) {
        for (size_t i = 0; i < j; i++) {
            const named_file *a = &list->file[i], *b = &list->file[j];
            if (!same_file(a, b) || is_harmless(o, a, b))
                continue;
            return cli_complain(CLI_USAGE,
                                "%s and %s are %s: expected another name",
                                b->name, a->name,
                                !a->standard ? "the same file"
                                : a->output  ? "both standard output"
                                             : "both standard input");
        }
    }
    return CLI_DONE;
}

int cli_check_files(const cli_options *o) {
    bool nets = is(o->command, "net") || is(o->command, "compare net");
    file_list list = {.count = 0};
    int status = CLI_DONE;
    /* show and kl write nothing. */
    if (is(o->command, "show") || is(o->command, "kl"))
        return CLI_DONE;
    list.file = calloc(FIXED + o->tests.count + o->test_targets.count,
                       sizeof *list.file);
    if (list.file) {
        add_inputs(&list, o, nets);
        add_outputs(&list, o, nets);
    }
    if (!list.file || list.failed)
        status = cli_complain(CLI_RESOURCES, "out of memory");
    else
        status = compare(o, &list);
    for (size_t i = 0; i < list.count; i++)
        free(list.file[i].place);
    for (size_t i = 0; i < list.deriveds; i++)
        free(list.derived[i]);
    free(list.file);
    return status;
}
