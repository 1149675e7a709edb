/* What a training step costs as a network grows: seconds and memory over the
 * width w of a network w - w - w, tanh, batch 256, for SGD and the metrics of
 * the Fisher; and the example of one layer 50 -> 10.
 *
 *   bench_network_cost COSTS.tsv [LARGEST_WIDTH [STEPS]]
 *
 * Seconds are the mean of STEPS (40, two periods of the inverses), or of a
 * multiple that takes a while, after 80, by when the schedules have settled.
 * Memory is what ng_train_memory says beforehand and what the run then took,
 * counted in the allocator, the network apart. A method ends where its memory
 * would pass 512 MB, or where it does not settle in a minute and a half. */
#include <natgrad/natgrad.h>

#include "measure.h"
#include "meter.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_WIDTH = 8, LAST_WIDTH = 1024, BATCH = 256, WARM = 80, STEPS = 40 };
static const double MOST_BYTES = 512e6, MOST_SECONDS = 90, LEAST_SECONDS = 0.3;

/* ---- The case ---- */

typedef struct method {
    const char *name;
    ng_trainer optimizer;
} method;

static const method METHODS[] = {{"sgd", NG_TRAIN_SGD},
                                 {"diagonal", NG_TRAIN_DIAGONAL},
                                 {"kfac", NG_TRAIN_KFAC},
                                 {"ekfac", NG_TRAIN_EKFAC},
                                 {"natural", NG_TRAIN_NATURAL}};

typedef struct experiment {
    ng_ctx *ctx;
    meter meter;
    FILE *out;
    size_t steps;
} experiment;

typedef struct cost {
    size_t parameters;
    double seconds, said, taken; /* bytes */
} cost;

static ng_status normal_rows(ng_ctx *ctx, size_t width, uint64_t stream,
                             ng_array *out) {
    const size_t shape[] = {BATCH, width};
    ng_rng rng;
    ng_rng_init(&rng, 1, stream);
    ng_status status = ng_array_create(ctx, NG_F32, 2, shape, out);
    for (size_t i = 0; status == NG_OK && i < BATCH * width; i++)
        ((float *)out->data)[i] = (float)ng_rng_normal(&rng);
    return status;
}

/* Settles the schedules, then takes the mean, of quick steps over as many as
 * take a while. NaN where time is up. */
static ng_status time_steps(const experiment *e, ng_train *train,
                            const ng_batch *batch, double *seconds) {
    ng_train_report report;
    double start = now(), spent = 0;
    size_t count = 0;
    ng_status status = NG_OK;
    *seconds = (double)NAN;
    for (size_t i = 0; i < WARM && status == NG_OK; i++) {
        status = ng_train_step(train, batch, &report);
        if (now() - start > MOST_SECONDS)
            return status;
    }
    for (start = now(); status == NG_OK && spent < LEAST_SECONDS;
         spent = now() - start, count += e->steps)
        for (size_t i = 0; i < e->steps && status == NG_OK; i++)
            status = ng_train_step(train, batch, &report);
    *seconds = spent / (double)count;
    return status;
}

static ng_status measure(experiment *e, const ng_network_options *options,
                         const method *m, const ng_batch *batch, cost *out) {
    ng_network *network = NULL;
    ng_train *train = NULL;
    ng_train_options o;
    ng_train_options_init(&o);
    o.optimizer = m->optimizer;
    o.batch = BATCH;
    /* On noise there is nothing to learn: short steps stay where they are. */
    o.rate = m->optimizer == NG_TRAIN_SGD ? 1e-4 : -1;
    *out = (cost){.seconds = (double)NAN};
    ng_status status = ng_network_create(e->ctx, options, &network);
    if (status != NG_OK)
        return status;
    size_t before = e->meter.bytes;
    e->meter.peak = before;
    out->parameters = ng_network_parameters(network);
    out->said = ng_train_memory(network, &o);
    if (out->said <= MOST_BYTES) {
        status = ng_train_create(network, &o, &train);
        if (status == NG_OK)
            status = time_steps(e, train, batch, &out->seconds);
        out->taken = (double)(e->meter.peak - before);
        if (train)
            ng_train_destroy(&train);
    }
    ng_network_destroy(&network);
    return status;
}

static void print(const experiment *e, const char *part, const method *m,
                  size_t width, const cost *c) {
    fprintf(e->out, "%s\t%s\t%zu\t%zu\t%.6g\t%.0f\t%.0f\n", part, m->name,
            width, c->parameters, c->seconds, c->said, c->taken);
    fflush(e->out);
}

static ng_status run_width(experiment *e, const method *m, size_t width,
                           cost *out) {
    char layers[64];
    ng_array x = {.data = NULL}, y = {.data = NULL};
    ng_network_options o;
    ng_network_options_init(&o);
    snprintf(layers, sizeof layers, "%zu tanh", width);
    o.layers = layers;
    o.input = (ng_shape){width, 1, 1};
    o.family = "gaussian";
    o.targets = width;
    ng_status status = normal_rows(e->ctx, width, 1, &x);
    if (status == NG_OK)
        status = normal_rows(e->ctx, width, 2, &y);
    const ng_batch batch = {.x = &x, .y = &y, .count = BATCH};
    if (status == NG_OK)
        status = measure(e, &o, m, &batch, out);
    ng_array_free(e->ctx, &x);
    ng_array_free(e->ctx, &y);
    return status;
}

/* 8, 12, 16, 24, 32, ... */
static size_t wider(size_t width) {
    int power = (width & (width - 1)) == 0;
    return power ? width + width / 2 : width / 3 * 4;
}

static ng_status run_widths(experiment *e, size_t largest) {
    ng_status status = NG_OK;
    for (size_t i = 0; i < sizeof METHODS / sizeof *METHODS; i++) {
        for (size_t w = FIRST_WIDTH; w <= largest; w = wider(w)) {
            cost c;
            status = run_width(e, &METHODS[i], w, &c);
            if (status != NG_OK)
                return status;
            if (!isfinite(c.seconds))
                break;
            print(e, "width", &METHODS[i], w, &c);
        }
        fputs("\n\n", e->out); /* gnuplot's gap between data sets */
    }
    return status;
}

/* ---- One layer 50 -> 10 ---- */

enum { INPUTS = 50, OUTPUTS = 10 };

static void print_entries(void) {
    const size_t a = INPUTS, g = OUTPUTS, bias = INPUTS + 1;
    printf("layer %d -> %d: K-FAC keeps %zu entries of factors, the dense "
           "Fisher %zu (with the bias %zu and %zu)\n",
           INPUTS, OUTPUTS, a * a + g * g, a * g * a * g, bias * bias + g * g,
           bias * g * bias * g);
}

static ng_status run_layer(experiment *e) {
    ng_array x = {.data = NULL}, y = {.data = NULL};
    ng_network_options o;
    ng_network_options_init(&o);
    o.input = (ng_shape){INPUTS, 1, 1};
    o.family = "gaussian";
    o.targets = OUTPUTS;
    ng_status status = normal_rows(e->ctx, INPUTS, 1, &x);
    if (status == NG_OK)
        status = normal_rows(e->ctx, OUTPUTS, 2, &y);
    const ng_batch batch = {.x = &x, .y = &y, .count = BATCH};
    print_entries();
    for (size_t i = 0; i < sizeof METHODS / sizeof *METHODS; i++) {
        cost c;
        if (status == NG_OK)
            status = measure(e, &o, &METHODS[i], &batch, &c);
        if (status != NG_OK)
            break;
        print(e, "layer", &METHODS[i], INPUTS, &c);
        printf("  %-9s %9.3g s a step, %8.1f KiB\n", METHODS[i].name, c.seconds,
               c.taken / 1024);
    }
    ng_array_free(e->ctx, &x);
    ng_array_free(e->ctx, &y);
    return status;
}

int main(int argc, char **argv) {
    experiment e = {.steps = STEPS};
    const ng_allocator allocator = {metered_alloc, metered_resize,
                                    metered_release, &e.meter};
    const ng_ctx_options options = {.allocator = &allocator, .threads = 1};
    size_t largest = LAST_WIDTH;
    if (argc > 2)
        largest = (size_t)strtoul(argv[2], NULL, 10);
    if (argc > 3)
        e.steps = (size_t)strtoul(argv[3], NULL, 10);
    if (argc < 2 || argc > 4 || !largest || !e.steps) {
        fprintf(stderr,
                "usage: bench_network_cost COSTS.tsv [WIDTH [STEPS]]\n");
        return 2;
    }
    ng_set_blas_threads(1);
    e.out = fopen(argv[1], "w");
    if (!e.out) {
        perror(argv[1]);
        return 1;
    }
    fprintf(e.out, "part\toptimizer\twidth\tparameters\tseconds\tbytes_said\t"
                   "bytes_taken\n");
    ng_status status = ng_ctx_create(&options, &e.ctx);
    if (status == NG_OK)
        status = run_widths(&e, largest);
    if (status == NG_OK)
        status = run_layer(&e);
    if (status != NG_OK)
        fprintf(stderr, "bench_network_cost: %s\n",
                e.ctx ? ng_error(e.ctx) : ng_status_text(status));
    ng_ctx_destroy(&e.ctx);
    return fclose(e.out) != 0 || status != NG_OK;
}
