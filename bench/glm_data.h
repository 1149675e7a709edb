/* What the programs of the glm bench share: the files that glm_data.py writes,
 * the answers that it reads, and what a process took of memory. */
#ifndef BENCH_GLM_DATA_H
#define BENCH_GLM_DATA_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

/* X.bin is rows x columns doubles, column after column; y.bin is rows. */
typedef struct glm_data {
    size_t rows, columns;
    double *X, *y;
} glm_data;

static inline double *read_doubles(const char *path, size_t count) {
    double *values = malloc(count * sizeof *values);
    FILE *file = fopen(path, "rb");
    if (!values || !file ||
        fread(values, sizeof *values, count, file) != count) {
        fprintf(stderr, "%s: cannot read %zu doubles\n", path, count);
        exit(1);
    }
    fclose(file);
    return values;
}

static inline glm_data read_data(const char *const *argument) {
    glm_data data = {.rows = strtoul(argument[2], NULL, 10),
                     .columns = strtoul(argument[3], NULL, 10)};
    data.X = read_doubles(argument[0], data.rows * data.columns);
    data.y = read_doubles(argument[1], data.rows);
    return data;
}

static inline void write_doubles(const char *path, const double *values,
                                 size_t count) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(values, sizeof *values, count, file) != count ||
        fclose(file) != 0) {
        fprintf(stderr, "%s: cannot be written\n", path);
        exit(1);
    }
}

/* Bytes of a line of /proc/self/status: VmRSS, or VmHWM, its largest since
 * the process began or forgot. 0 where there is no such file. */
static inline double status_bytes(const char *key) {
    char line[256];
    double kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, key, strlen(key)) == 0)
            kib = strtod(line + strlen(key) + 1, NULL);
    }
    if (file)
        fclose(file);
    return kib * 1024;
}

static inline void forget_peak(void) {
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (!file)
        return;
    fputs("5", file);
    fclose(file);
}

#endif
