/* What the machine and ulimit leave of memory. */
#include "cli.h"

#include <math.h>
#include <sys/resource.h>
#include <unistd.h>

static const double MEBI = 1 << 20;

/* OpenBLAS maps up to 128 MiB for each thread that calls it, and where they
 * are refused tries again for ever. Small change is for stacks. */
static double blas_needs(double threads) {
    return threads * 136 * MEBI;
}

/* The n-th number of /proc/self/statm, in bytes. */
static double mapped(int n) {
    double pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    for (int i = 0; file && i <= n; i++) {
        if (fscanf(file, "%lf", &pages) != 1)
            pages = 0;
    }
    if (file)
        fclose(file);
    return pages * (double)sysconf(_SC_PAGESIZE);
}

static double left_of(int resource, int mapped_by) {
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return HUGE_VAL;
    return (double)limit.rlim_cur - mapped(mapped_by);
}

/* RLIMIT_DATA counts what is private and may be written; statm's data counts
 * stacks beside it. */
double cli_limit_leaves(double threads) {
    enum { SIZE = 0, DATA = 5 };
    double left = fmin(left_of(RLIMIT_AS, SIZE), left_of(RLIMIT_DATA, DATA));
    return left - blas_needs(threads);
}

int cli_check_limit(const cli_options *options) {
    double left = cli_limit_leaves(options->threads);
    if (left >= 0)
        return CLI_DONE;
    return cli_complain(CLI_RESOURCES,
                        "the limit of address space (ulimit -v, -d) is too "
                        "low: expected %.0f MiB more for the linear algebra "
                        "of %d thread%s",
                        ceil(-left / MEBI), (int)options->threads,
                        options->threads > 1 ? "s" : "");
}
