/* Pictures by gnuplot, which is optional: the data and the script stay beside
 * the picture either way. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

char *cli_beside(const char *path, const char *ending) {
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    size_t stem = dot && (!slash || dot > slash + 1) ? (size_t)(dot - path)
                                                     : strlen(path);
    char *out = malloc(stem + strlen(ending) + 1);
    if (out) {
        memcpy(out, path, stem);
        strcpy(out + stem, ending);
    }
    return out;
}

char *cli_escape(const char *path) {
    char *out = malloc(2 * strlen(path) + 1), *at = out;
    for (; out && *path; path++) {
        if (*path == '\'')
            *at++ = '\'';
        *at++ = *path;
    }
    if (out)
        *at = '\0';
    return out;
}

int cli_gnuplot(const char *script, const char *picture) {
    fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        return cli_complain(CLI_RESOURCES, "gnuplot could not be started: %s",
                            strerror(errno));
    if (child == 0) {
        execlp("gnuplot", "gnuplot", script, (char *)NULL);
        _exit(127);
    }
    int state = 0;
    while (waitpid(child, &state, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0)
        return CLI_DONE;
    if (WIFEXITED(state) && WEXITSTATUS(state) == 127) {
        fprintf(stderr,
                "natgrad: warning: gnuplot was not found; %s was not drawn, "
                "its script is %s\n",
                picture, script);
        return CLI_DONE;
    }
    return cli_complain(CLI_FAILED, "gnuplot failed on %s", script);
}
