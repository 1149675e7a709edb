/* How long a table of numbers takes to read, and in how much memory.
 *
 *   bench_csv write FILE ROWS COLUMNS   numbers of 17 digits
 *   bench_csv read FILE THREADS         a frame
 *   bench_csv stream FILE THREADS       the first pass of a stream
 *   bench_csv check FILE                every value against strtod
 *
 * Reading prints seconds, the most memory in bytes that the process had, and
 * the number of values. The first line of the file names its columns. */
#include <natgrad/natgrad.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int fail(const char *message) {
    fprintf(stderr, "bench_csv: %s\n", message);
    return 1;
}

static int write_table(const char *path, size_t rows, size_t columns) {
    FILE *file = fopen(path, "w");
    ng_rng rng;
    if (!file)
        return fail("the file cannot be written");
    ng_rng_init(&rng, 1, 0);
    for (size_t j = 0; j < columns; j++)
        fprintf(file, "%sx%zu", j ? "," : "", j + 1);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            fprintf(file, "%c%.17g", j ? ',' : '\n', ng_rng_normal(&rng));
    fputc('\n', file);
    return fclose(file) == 0 ? 0 : fail("the file cannot be written");
}

static void report(double seconds, size_t values) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%.6f %ld %zu\n", seconds, 1024 * usage.ru_maxrss, values);
}

static int read_table(ng_ctx *ctx, const char *path) {
    ng_frame *frame;
    double start = now();
    if (ng_frame_read_csv(ctx, path, NULL, &frame) != NG_OK)
        return fail(ng_error(ctx));
    report(now() - start, ng_frame_rows(frame) * ng_frame_columns(frame));
    ng_frame_destroy(&frame);
    return 0;
}

/* Opening is one pass; the others cost the same. */
static int open_stream(ng_ctx *ctx, const char *path) {
    ng_stream *stream;
    double start = now();
    if (ng_stream_open(ctx, path, NULL, &stream) != NG_OK)
        return fail(ng_error(ctx));
    report(now() - start, ng_stream_rows(stream) * ng_stream_columns(stream));
    ng_stream_close(&stream);
    return 0;
}

static int check_line(char *line, const ng_frame *frame, size_t row) {
    for (size_t j = 0; j < ng_frame_columns(frame); j++) {
        char *end;
        double expected = strtod(line, &end);
        double found = ng_frame_column(frame, j)->values[row];
        if (memcmp(&expected, &found, sizeof found) != 0)
            return fail("a value is not strtod's");
        line = end + 1;
    }
    return 0;
}

static int check_values(ng_ctx *ctx, const char *path) {
    static char line[1 << 20];
    ng_frame *frame;
    FILE *file = fopen(path, "r");
    if (!file)
        return fail("the file cannot be read");
    if (ng_frame_read_csv(ctx, path, NULL, &frame) != NG_OK) {
        fclose(file);
        return fail(ng_error(ctx));
    }
    int status = fgets(line, sizeof line, file) ? 0 : fail("no header");
    for (size_t i = 0; i < ng_frame_rows(frame) && status == 0; i++)
        status = fgets(line, sizeof line, file) ? check_line(line, frame, i)
                                                : fail("too few rows");
    if (status == 0)
        report(0, ng_frame_rows(frame) * ng_frame_columns(frame));
    ng_frame_destroy(&frame);
    fclose(file);
    return status;
}

int main(int argc, char **argv) {
    ng_ctx_options options = {.threads = 1};
    ng_ctx *ctx;
    int status = 2;
    if (argc == 5 && strcmp(argv[1], "write") == 0)
        return write_table(argv[2], strtoul(argv[3], NULL, 10),
                           strtoul(argv[4], NULL, 10));
    if (argc == 4)
        options.threads = strtoul(argv[3], NULL, 10);
    if (ng_ctx_create(&options, &ctx) != NG_OK)
        return fail("no memory");
    if (argc == 4 && strcmp(argv[1], "read") == 0)
        status = read_table(ctx, argv[2]);
    else if (argc == 4 && strcmp(argv[1], "stream") == 0)
        status = open_stream(ctx, argv[2]);
    else if (argc == 3 && strcmp(argv[1], "check") == 0)
        status = check_values(ctx, argv[2]);
    else
        fail("write FILE ROWS COLUMNS, read FILE THREADS, stream FILE THREADS "
             "or check FILE");
    ng_ctx_destroy(&ctx);
    return status;
}
