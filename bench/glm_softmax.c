/* The softmax of the glm engine over arrays in memory, beside
 * bench/glm_softmax.py, which makes the data and runs the peer.
 *
 *   bench_glm_softmax X Y ROWS COLUMNS LEVELS L2 GRADIENT THREADS THETA
 *
 * X: doubles, column-major, the first column an intercept that is not
 * penalised. Y: doubles, level indices. Then, for each line on standard input,
 * a fit from zero to max |gradient| <= GRADIENT; a line of JSON each, and the
 * last coefficients ((LEVELS - 1) x COLUMNS doubles) in THETA. */
#include "glm/softmax.h"

#include "measure.h"
#include "meter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 512, MOST_THREADS = 64 };

typedef struct memory {
    ngi_glm_rows rows;
    double *X, *y;
    size_t stride;
    ngi_glm_visit visit;
    void *user;
    const double **x[MOST_THREADS];
} memory;

static void work(void *user, size_t worker) {
    memory *m = user;
    size_t blocks = (m->rows.rows + BLOCK - 1) / BLOCK;
    size_t chosen = (blocks + m->stride - 1) / m->stride;
    size_t end = chosen * (worker + 1) / m->rows.workers;
    for (size_t c = chosen * worker / m->rows.workers; c < end; c++) {
        size_t first = c * m->stride * BLOCK, count = m->rows.rows - first;
        count = count < BLOCK ? count : BLOCK;
        for (size_t j = 0; j < m->rows.width; j++)
            m->x[worker][j] = m->X + j * m->rows.rows + first;
        ngi_glm_block block = {.first = first,
                               .count = count,
                               .x = m->x[worker],
                               .y = m->y + first};
        m->visit(m->user, worker, &block);
    }
}

static ng_status each(const ngi_glm_rows *rows, size_t stride,
                      ngi_glm_visit visit, void *user) {
    memory *m = rows->state;
    m->stride = stride;
    m->visit = visit;
    m->user = user;
    ngi_parallel(rows->ctx, work, m);
    return NG_OK;
}

static _Noreturn void die(const char *what) {
    fprintf(stderr, "bench_glm_softmax: %s\n", what);
    exit(1);
}

static double *read_doubles(const char *path, size_t count) {
    double *x = malloc(count * sizeof *x);
    FILE *file = fopen(path, "rb");
    if (!x || !file || fread(x, sizeof *x, count, file) != count)
        die("an input file is missing or short");
    fclose(file);
    return x;
}

static void write_doubles(const char *path, const double *x, size_t count) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(x, sizeof *x, count, file) != count ||
        fclose(file) != 0)
        die("the coefficients cannot be written");
}

static int show(void *user, const ng_report *r) {
    (void)user;
    if (getenv("BENCH_TRACE"))
        fprintf(stderr,
                "%3zu objective %.15g gradient %.2e decrement %.2e step %.3g "
                "rejected %zu examples %.0f seconds %.4f\n",
                r->iteration, r->objective, r->gradient_norm, r->decrement,
                r->step, r->rejected, r->examples, r->seconds);
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 10)
        die("expected X Y ROWS COLUMNS LEVELS L2 GRADIENT THREADS THETA");
    static memory m;
    size_t n = strtoul(argv[3], NULL, 10), p = strtoul(argv[4], NULL, 10);
    size_t levels = strtoul(argv[5], NULL, 10);
    size_t threads = strtoul(argv[8], NULL, 10);
    size_t dim = (levels - 1) * p;
    m.X = read_doubles(argv[1], n * p);
    m.y = read_doubles(argv[2], n);
    meter memory_used = {0};
    ng_allocator allocator = {metered_alloc, metered_resize, metered_release,
                              &memory_used};
    ng_ctx_options options = {.allocator = &allocator, .threads = threads};
    ng_ctx *ctx;
    if (threads < 1 || threads > MOST_THREADS ||
        ng_ctx_create(&options, &ctx) != NG_OK)
        die("no context");
    ng_set_blas_threads(1);
    double *theta = calloc(dim, sizeof *theta);
    double *ridge = calloc(p, sizeof *ridge);
    for (size_t j = 1; j < p; j++)
        ridge[j] = strtod(argv[6], NULL);
    for (size_t i = 0; i < threads; i++)
        m.x[i] = malloc(p * sizeof *m.x[i]);
    m.rows = (ngi_glm_rows){.ctx = ctx,
                            .rows = n,
                            .width = p,
                            .workers = threads,
                            .block_rows = BLOCK,
                            .total_weight = (double)n,
                            .used = (double)n,
                            .each = each,
                            .state = &m};
    ngi_softmax_spec spec = {.rows = &m.rows,
                             .levels = levels,
                             .ridge = ridge,
                             .gradient_tolerance = strtod(argv[7], NULL),
                             .max_iter = 1000,
                             .monitor = show};
    for (int c = getchar(); c != EOF; c = getchar()) {
        ng_report report;
        if (c != '\n')
            continue;
        memset(theta, 0, dim * sizeof *theta);
        double begin = now();
        if (ngi_softmax_run(ctx, &spec, theta, &report) != NG_OK)
            die(ng_error(ctx));
        printf("{\"seconds\": %.6f, \"iterations\": %zu, \"passes\": %.2f, "
               "\"objective\": %.17g, \"gradient\": %.3g, \"decrement\": %.3g, "
               "\"bytes\": %zu, \"stop\": \"%s\"}\n",
               now() - begin, report.iteration, report.examples / (double)n,
               report.objective, report.gradient_norm, report.decrement,
               memory_used.peak, ng_stop_text(report.stop));
        fflush(stdout);
        write_doubles(argv[9], theta, dim);
    }
    for (size_t i = 0; i < threads; i++)
        free(m.x[i]);
    free(theta);
    free(ridge);
    free(m.X);
    free(m.y);
    ng_ctx_destroy(&ctx);
    return 0;
}
