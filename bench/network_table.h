/* Rows of the table that bench_network_steps prints. */
#ifndef BENCH_NETWORK_TABLE_H
#define BENCH_NETWORK_TABLE_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#define COLUMN_LIST(X)                                                         \
    X(MEDIAN, "median")                                                        \
    X(MEAN, "mean")                                                            \
    X(START, "start")                                                          \
    X(GFLOP, "gflop")                                                          \
    X(FLOOR, "floor")                                                          \
    X(OVER_FLOOR, "over_floor")                                                \
    X(MEDIAN_OVER_SGD, "median_over_sgd")                                      \
    X(MEAN_OVER_SGD, "mean_over_sgd")                                          \
    X(FLOOR_OVER_SGD, "floor_over_sgd")                                        \
    X(MIB, "mib")
#define X(name, key) name,
enum { COLUMN_LIST(X) COLUMNS };
#undef X
#define X(name, key) key,
static const char *const COLUMN[] = {COLUMN_LIST(X)};
#undef X

typedef struct row {
    const char *part, *what, *unit;
    size_t threads;
    double value[COLUMNS]; /* NaN: none */
} row;

/* `rate`: flops a second. */
static inline void set_floor(row *r, double flops, double rate) {
    r->value[GFLOP] = flops * 1e-9;
    r->value[FLOOR] = flops / rate;
    r->value[OVER_FLOOR] = r->value[MEAN] / r->value[FLOOR];
}

static inline void print_json(FILE *out, const row *rows, size_t count) {
    fprintf(out, "[");
    for (size_t i = 0; i < count; i++) {
        const row *r = &rows[i];
        fprintf(out,
                "%s\n {\"part\": \"%s\", \"what\": \"%s\", \"threads\": %zu, "
                "\"unit\": \"%s\"",
                i ? "," : "", r->part, r->what, r->threads, r->unit);
        for (int c = 0; c < COLUMNS; c++)
            if (isfinite(r->value[c]))
                fprintf(out, ", \"%s\": %.9g", COLUMN[c], r->value[c]);
        fprintf(out, "}");
    }
    fprintf(out, "\n]\n");
}

static inline void cell_text(double value, char *out, size_t size) {
    if (isfinite(value))
        snprintf(out, size, "%.4g", value);
    else
        snprintf(out, size, "-");
}

static inline void print_table(const row *rows, size_t count) {
    int width = 4;
    char text[32];
    for (size_t i = 0; i < count; i++)
        if ((int)strlen(rows[i].what) > width)
            width = (int)strlen(rows[i].what);
    printf("%-10s  %-*s  threads  %-13s", "part", width, "what", "unit");
    for (int c = 0; c < COLUMNS; c++)
        printf("  %*s", (int)strlen(COLUMN[c]) < 9 ? 9 : 0, COLUMN[c]);
    for (size_t i = 0; i < count; i++) {
        const row *r = &rows[i];
        printf("\n%-10s  %-*s  %7zu  %-13s", r->part, width, r->what,
               r->threads, r->unit);
        for (int c = 0; c < COLUMNS; c++) {
            int size = (int)strlen(COLUMN[c]);
            cell_text(r->value[c], text, sizeof text);
            printf("  %*s", size < 9 ? 9 : size, text);
        }
    }
    printf("\n");
}

#endif
