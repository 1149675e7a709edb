/* Logistic regression by liblinear's Newton method with hardly any penalty, of
 * data in its own format in memory; only the training is timed.
 *
 *   bench_glm_liblinear X.bin y.bin ROWS COLUMNS TOLERANCE OUT */
#include "glm_data.h"

#include <linear.h>

static void silent(const char *text) {
    (void)text;
}

/* Of a row: its columns, the ones of the intercept, the end. */
static struct feature_node *make_nodes(glm_data *data,
                                       struct feature_node **rows) {
    size_t p = data->columns;
    struct feature_node *nodes = malloc(data->rows * (p + 2) * sizeof *nodes);
    for (size_t i = 0; nodes && i < data->rows; i++) {
        struct feature_node *row = rows[i] = nodes + i * (p + 2);
        for (size_t j = 0; j < p; j++)
            row[j] =
                (struct feature_node){(int)j + 1, data->X[j * data->rows + i]};
        row[p] = (struct feature_node){(int)p + 1, 1};
        row[p + 1] = (struct feature_node){-1, 0};
    }
    return nodes;
}

static void report(const struct model *model, size_t p, double seconds,
                   double grown, const char *out) {
    double *values = malloc((p + 1) * sizeof *values);
    double sign = model->label[0] == 1 ? 1 : -1;
    if (!values)
        return;
    values[0] = sign * model->w[p];
    for (size_t j = 0; j < p; j++)
        values[j + 1] = sign * model->w[j];
    write_doubles(out, values, p + 1);
    free(values);
    printf("seconds\t%.6f\ngrown\t%.0f\n", seconds, grown);
}

int main(int argc, char **argv) {
    struct parameter parameter = {.solver_type = L2R_LR, .C = 1e8};
    if (argc != 7) {
        fprintf(stderr, "usage: bench_glm_liblinear X.bin y.bin ROWS COLUMNS "
                        "TOLERANCE OUT\n");
        return 2;
    }
    glm_data data = read_data((const char *const *)argv + 1);
    struct feature_node **rows = malloc(data.rows * sizeof *rows);
    struct feature_node *nodes = rows ? make_nodes(&data, rows) : NULL;
    if (!nodes)
        return 1;
    free(data.X);
    struct problem problem = {.l = (int)data.rows,
                              .n = (int)data.columns + 1,
                              .y = data.y,
                              .x = rows,
                              .bias = 1};
    parameter.eps = strtod(argv[5], NULL);
    set_print_string_function(silent);
    forget_peak();
    double resident = status_bytes("VmRSS:");
    double start = now();
    struct model *model = train(&problem, &parameter);
    double seconds = now() - start;
    report(model, data.columns, seconds, status_bytes("VmHWM:") - resident,
           argv[6]);
    free_and_destroy_model(&model);
    free(nodes);
    free(rows);
    free(data.y);
    return 0;
}
