/* One fit of a generalised linear model by the library, of columns in memory:
 *
 *   bench_glm_fit X.bin y.bin ROWS COLUMNS FAMILY THREADS TOLERANCE OUT
 *
 * prints seconds (standard errors included), iterations, the bytes that the
 * library held at most and by how much the process grew; OUT receives the
 * coefficients, the intercept first, and the standard errors. TOLERANCE 0 is
 * the library's own. */
#include <natgrad/natgrad.h>

#include "glm_data.h"
#include "meter.h"

#include <math.h>

/* Workers may allocate too. */
typedef struct shared_meter {
    meter meter;
    pthread_mutex_t lock;
} shared_meter;

static void *resize(void *user, void *block, size_t size) {
    shared_meter *m = user;
    pthread_mutex_lock(&m->lock);
    void *moved = metered_resize(&m->meter, block, size);
    pthread_mutex_unlock(&m->lock);
    return moved;
}

static void *allocate(void *user, size_t size) {
    return resize(user, NULL, size);
}

static void release(void *user, void *block) {
    shared_meter *m = user;
    pthread_mutex_lock(&m->lock);
    metered_release(&m->meter, block);
    pthread_mutex_unlock(&m->lock);
}

static ng_frame *make_frame(ng_ctx *ctx, const glm_data *data, char **names,
                            const double **columns) {
    ng_frame *frame = NULL;
    for (size_t j = 0; j <= data->columns; j++) {
        snprintf(names[j], 16, j < data->columns ? "x%zu" : "y", j);
        columns[j] = j < data->columns ? data->X + j * data->rows : data->y;
    }
    if (ng_frame_of_columns(ctx, data->rows, data->columns + 1,
                            (const char *const *)names, columns,
                            &frame) != NG_OK)
        return NULL;
    return frame;
}

static void report(const ng_model *model, double seconds, double grown,
                   const shared_meter *m, size_t before, const char *out) {
    const ng_summary *s = ng_model_summary(model);
    double *values = malloc(2 * s->parameters * sizeof *values);
    for (size_t j = 0; values && j < s->parameters; j++) {
        values[j] = s->parameter[j].estimate;
        values[s->parameters + j] = s->parameter[j].std_error;
    }
    if (values)
        write_doubles(out, values, 2 * s->parameters);
    free(values);
    printf("seconds\t%.6f\niterations\t%zu\nheld\t%zu\ngrown\t%.0f\n", seconds,
           s->iterations, m->meter.peak - before, grown);
}

static ng_status fit(ng_ctx *ctx, const ng_frame *frame, char **argument,
                     shared_meter *m) {
    ng_glm_options options;
    ng_model *model = NULL;
    ng_glm_options_init(&options);
    options.family = argument[5];
    options.target = "y";
    if (strtod(argument[7], NULL) > 0)
        options.fit.tolerance = strtod(argument[7], NULL);
    size_t before = m->meter.peak = m->meter.bytes;
    forget_peak();
    double resident = status_bytes("VmRSS:");
    double start = now();
    ng_status status = ng_glm_fit(ctx, frame, &options, &model);
    double seconds = now() - start;
    if (status == NG_OK)
        report(model, seconds, status_bytes("VmHWM:") - resident, m, before,
               argument[8]);
    ng_model_destroy(&model);
    return status;
}

int main(int argc, char **argv) {
    shared_meter m = {.lock = PTHREAD_MUTEX_INITIALIZER};
    ng_allocator allocator = {allocate, resize, release, &m};
    ng_ctx_options options = {.allocator = &allocator};
    ng_ctx *ctx = NULL;
    ng_status status;
    if (argc != 9) {
        fprintf(stderr, "usage: bench_glm_fit X.bin y.bin ROWS COLUMNS FAMILY "
                        "THREADS TOLERANCE OUT\n");
        return 2;
    }
    glm_data data = read_data((const char *const *)argv + 1);
    char **names = malloc((data.columns + 1) * sizeof *names);
    const double **columns = malloc((data.columns + 1) * sizeof *columns);
    char *text = malloc((data.columns + 1) * 16);
    if (!names || !columns || !text)
        return 1;
    for (size_t j = 0; j <= data.columns; j++)
        names[j] = text + 16 * j;
    options.threads = strtoul(argv[6], NULL, 10);
    ng_set_blas_threads(1);
    status = ng_ctx_create(&options, &ctx);
    ng_frame *frame =
        status == NG_OK ? make_frame(ctx, &data, names, columns) : NULL;
    status = frame ? fit(ctx, frame, argv, &m) : NG_ENOMEM;
    if (status != NG_OK)
        fprintf(stderr, "bench_glm_fit: %s\n", ctx ? ng_error(ctx) : "memory");
    ng_frame_destroy(&frame);
    ng_ctx_destroy(&ctx);
    free(names);
    free(columns);
    free(text);
    free(data.X);
    free(data.y);
    return status != NG_OK;
}
