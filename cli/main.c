/* natgrad: dispatch, errors, signals. */
#include "cli.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static ng_ctx *active;
static volatile sig_atomic_t interrupted;

int cli_complain(int status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("natgrad: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return status;
}

int cli_fail(const ng_ctx *ctx, ng_status status) {
    int code = CLI_FAILED;
    switch (status) {
    case NG_OK:
        return CLI_DONE;
    case NG_EUSAGE:
    case NG_EUNSUPPORTED:
        code = CLI_USAGE;
        break;
    case NG_EDATA:
        code = CLI_DATA;
        break;
    case NG_ENOMEM:
    case NG_EWRITE:
        code = CLI_RESOURCES;
        break;
    case NG_ENUMERIC:
    case NG_ECANCELLED:
        break;
    }
    return cli_complain(code, "%s", ng_error(ctx));
}

/* The first Ctrl-C ends the run at its next iteration; the second at once. */
static void on_interrupt(int signal_number) {
    if (interrupted) {
        signal(signal_number, SIG_DFL);
        raise(signal_number);
        return;
    }
    interrupted = 1;
    if (active)
        ng_cancel(active);
}

bool cli_interrupted(void) {
    return interrupted != 0;
}

static void on_warning(void *user, const char *message) {
    (void)user;
    fprintf(stderr, "natgrad: warning: %s\n", message);
}

static void catch_interrupts(void) {
    struct sigaction action = {.sa_handler = on_interrupt};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int cli_context(const cli_options *options, ng_ctx **out) {
    ng_ctx_options how = {.threads = (size_t)options->threads,
                          .warn = on_warning};
    ng_set_blas_threads(1);
    ng_status status = ng_ctx_create(&how, out);
    if (status != NG_OK)
        return cli_complain(CLI_RESOURCES, "%s", ng_status_text(status));
    active = *out;
    if (interrupted) /* between the start of the program and here */
        ng_cancel(*out);
    return CLI_DONE;
}

void cli_context_destroy(ng_ctx **ctx) {
    active = NULL; /* before a signal could reach for it */
    ng_ctx_destroy(ctx);
}

/* A closed descriptor would be given to the next file opened, and messages
 * would land in it. Unusable ones take the places. */
static void occupy_standard_descriptors(void) {
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
    }
}

static bool is_limited(int resource) {
    struct rlimit limit;
    return getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

/* OpenBLAS starts threads of its own as it is loaded, which are never used
 * here. Each maps 128 MiB and, where ulimit refuses them, tries again for ever;
 * the end of the program would wait for it. Only the environment keeps it from
 * that, and so the program begins again. */
static void keep_threads_away(char **argv) {
    static const char name[] = "OPENBLAS_NUM_THREADS";
    const char *threads = getenv(name);
    if (!is_limited(RLIMIT_AS) && !is_limited(RLIMIT_DATA))
        return;
    if ((threads && strcmp(threads, "1") == 0) || setenv(name, "1", 1) != 0)
        return;
    execv("/proc/self/exe", argv);
}

typedef struct subcommand {
    const char *name;
    int (*run)(const cli_options *options);
    const char *about;
} subcommand;

static const subcommand SUBCOMMANDS[] = {
    {"dist", cli_dist, "fit a distribution"},
    {"glm", cli_glm, "fit a generalised linear model"},
    {"net", cli_net, "train a network"},
    {"compare glm", cli_compare_glm, "race optimisers on a linear model"},
    {"compare dist", cli_compare_dist,
     "race optimisers, or draw their paths, on a distribution"},
    {"compare net", cli_compare_net, "race optimisers on a network"},
    {"predict", cli_predict, "predict from a saved model"},
    {"show", cli_show, "show a saved model"},
    {"kl", cli_kl, "KL divergence of two saved models"},
};

enum { SUBCOMMAND_COUNT = sizeof SUBCOMMANDS / sizeof *SUBCOMMANDS };

static void print_usage(FILE *stream) {
    fputs("natgrad learns probabilistic models by natural gradient.\n\n"
          "Usage: natgrad COMMAND ... [options]\n\nCommands:\n",
          stream);
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        fprintf(stream, "  %-14s %s\n", SUBCOMMANDS[i].name,
                SUBCOMMANDS[i].about);
    fputs("\nExample:\n"
          "  natgrad glm data.csv --target y --family binomial\n\n"
          "natgrad COMMAND --help lists the options; natgrad --version says "
          "which this is.\n",
          stream);
}

static const subcommand *find_subcommand(const char *first, const char *second,
                                         int *words) {
    char both[64];
    snprintf(both, sizeof both, "%s %s", first, second ? second : "");
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++) {
        *words = 1;
        if (strcmp(SUBCOMMANDS[i].name, first) == 0)
            return &SUBCOMMANDS[i];
        *words = 2;
        if (strcmp(SUBCOMMANDS[i].name, both) == 0)
            return &SUBCOMMANDS[i];
    }
    return NULL;
}

/* Output that could not be written is no success. */
static int finish(int status) {
    if (fflush(stdout) != 0 && status == CLI_DONE)
        return cli_complain(CLI_RESOURCES,
                            "standard output could not be written");
    return status;
}

int main(int argc, char **argv) {
    int words;
    keep_threads_away(argv);
    occupy_standard_descriptors();
    catch_interrupts();
    if (argc < 2) {
        print_usage(stderr);
        return CLI_USAGE;
    }
    bool help = strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
                strcmp(argv[1], "help") == 0;
    /* "compare" alone is half a command. */
    if (help || (argc > 2 && strcmp(argv[1], "compare") == 0 &&
                 strcmp(argv[2], "--help") == 0)) {
        print_usage(stdout);
        return finish(CLI_DONE);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("natgrad %s\n", ng_version());
        return finish(CLI_DONE);
    }
    const subcommand *command =
        find_subcommand(argv[1], argc > 2 ? argv[2] : NULL, &words);
    if (!command)
        return strcmp(argv[1], "compare") == 0
                   ? cli_complain(CLI_USAGE,
                                  "expected: natgrad compare glm|dist|net DATA")
                   : cli_complain(CLI_USAGE,
                                  "unknown command \"%s\"; expected one of "
                                  "dist, glm, net, compare, predict, show, kl",
                                  argv[1]);
    cli_options options;
    bool done;
    int status =
        cli_parse(argc - words, argv + words, command->name, &options, &done);
    if (status == CLI_DONE && !done)
        status = cli_check_files(&options);
    if (status == CLI_DONE && !done)
        status = command->run(&options);
    cli_options_free(&options);
    return finish(status);
}
