/* Curves of training as a table: what pictures are drawn from. */
#include "net.h"

#include <math.h>
#include <string.h>

static const char *const COLUMNS[] = {"optimizer",
                                      "rate",
                                      "iteration",
                                      "epoch",
                                      "seconds",
                                      "examples",
                                      "batch_loss",
                                      "train_loss",
                                      "train_accuracy",
                                      "train_squared_error",
                                      "valid_loss",
                                      "valid_accuracy",
                                      "valid_squared_error",
                                      "test_loss",
                                      "test_accuracy",
                                      "test_squared_error"};

static void write_numbers(ng_writer *writer, char separator,
                          const double *number, size_t count) {
    for (size_t i = 0; i < count; i++) {
        ng_writer_bytes(writer, &separator, 1);
        if (isnan(number[i]))
            ng_writer_print(writer, "nan");
        else
            ng_writer_print(writer, "%.17g", number[i]);
    }
}

static void write_point(ng_writer *writer, char separator,
                        const net_curve *curve, const net_point *p) {
    const ng_score *part[] = {&p->train, &p->valid, &p->test};
    const double head[] = {curve->rate, (double)p->iteration, (double)p->epoch,
                           p->seconds,  p->examples,          p->loss};
    ng_writer_print(writer, "%s", curve->name);
    write_numbers(writer, separator, head, sizeof head / sizeof *head);
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        const double score[] = {part[i]->loss, part[i]->accuracy,
                                part[i]->squared_error};
        write_numbers(writer, separator, score, 3);
    }
    ng_writer_bytes(writer, "\n", 1);
}

int net_write_table(ng_ctx *ctx, const char *path, const net_curve *curves,
                    size_t count) {
    ng_writer *writer;
    const char *dot = strrchr(path, '.');
    bool csv = dot && strcmp(dot, ".csv") == 0;
    char separator = csv ? ',' : '\t';
    int status = cli_fail(ctx, ng_writer_open(ctx, path, &writer));
    if (status != CLI_DONE)
        return status;
    for (size_t i = 0; i < sizeof COLUMNS / sizeof *COLUMNS; i++) {
        if (i)
            ng_writer_bytes(writer, &separator, 1);
        ng_writer_print(writer, "%s", COLUMNS[i]);
    }
    ng_writer_bytes(writer, "\n", 1);
    for (size_t i = 0; i < count; i++) {
        /* A blank pair of lines makes each curve an index for gnuplot. */
        if (i && !csv)
            ng_writer_print(writer, "\n\n");
        for (size_t k = 0; k < curves[i].points; k++)
            write_point(writer, separator, &curves[i], &curves[i].point[k]);
    }
    return cli_fail(ctx, ng_writer_commit(&writer));
}
