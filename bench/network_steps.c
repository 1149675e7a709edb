/* What training steps cost: the deep autoencoder 784-1000-500-250-30-...-784
 * at batch 1000 (part `steps`), its forward pass and its 16 inversions, and a
 * small network 64-32-10 at batch 64 (part `small`), timed in this process
 * through the public headers. Floors are formulas (network_floor.h) over the
 * rate that the BLAS reaches on 1000 x 1000 products here and now.
 *
 *   bench_network_steps [--only steps,forward,inversions,small]
 *       [--optimizers sgd,kfac,...] [--threads 1,2] [--rounds 5] [--steps 20]
 *       [--warm 100] [--images IDX] [--digits CSV]
 *       [--json | --json-file FILE]
 *
 * Optimizers take turns, --steps at a time, so that what disturbs the machine
 * disturbs them all. --warm steps come before, by when the schedules of the
 * second-order methods have settled; `start` is the mean of these. Without
 * files inputs are random. Medians and means are over all timed steps. */
#include <natgrad/natgrad.h>

#include "measure.h"
#include "network_floor.h"
#include "network_table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char AUTOENCODER[] = "1000 tanh, 500 tanh, 250 tanh, 30, "
                                  "250 tanh, 500 tanh, 1000 tanh";
enum { PIXELS = 784, BATCH = 1000, FORWARD_ROWS = 10000, MOST_STEPS = 100000 };
static const double SMALL_SECONDS = 0.4; /* of a turn of a small network */

/* ---- The table ---- */

enum { MOST_ROWS = 256, MOST_RUNNERS = 16, MOST_THREADS = 8 };

typedef struct bench {
    const char *only, *optimizers, *images, *digits, *json_file;
    size_t threads[MOST_THREADS], thread_counts;
    size_t rounds, steps, warm;
    int json;
    ng_ctx *ctx; /* of the thread count at hand */
    size_t at_threads;
    double rate; /* flops a second of the BLAS on so many threads */
    row rows[MOST_ROWS];
    size_t count;
} bench;

static row *add_row(bench *b, const char *part, const char *what,
                    const char *unit) {
    row *r = &b->rows[b->count < MOST_ROWS - 1 ? b->count++ : MOST_ROWS - 1];
    *r = (row){part, what, unit, b->at_threads, {0}};
    for (int i = 0; i < COLUMNS; i++)
        r->value[i] = (double)NAN;
    return r;
}

/* ---- Networks that take steps in turn ---- */

typedef struct variant {
    const char *name;
    ng_trainer optimizer;
    double rate;  /* negative: the default */
    int as_torch; /* the settings of the peer in peer_torch.py */
} variant;

static const variant LARGE[] = {{"sgd", NG_TRAIN_SGD, -1, 0},
                                {"momentum", NG_TRAIN_MOMENTUM, -1, 0},
                                {"adam", NG_TRAIN_ADAM, -1, 0},
                                {"kfac", NG_TRAIN_KFAC, -1, 0},
                                {"kfac-no-model", NG_TRAIN_KFAC, 0.03, 0},
                                {"ekfac", NG_TRAIN_EKFAC, -1, 0},
                                {"diagonal", NG_TRAIN_DIAGONAL, -1, 0}};
static const variant SMALL[] = {{"sgd", NG_TRAIN_SGD, -1, 0},
                                {"adam", NG_TRAIN_ADAM, -1, 0},
                                {"kfac", NG_TRAIN_KFAC, -1, 0},
                                {"kfac-as-torch", NG_TRAIN_KFAC, 0.03, 1}};

static ng_train_options train_options(const variant *v, size_t batch) {
    ng_train_options o;
    ng_train_options_init(&o);
    o.optimizer = v->optimizer;
    o.batch = batch;
    o.l2 = 1e-5;
    if (v->rate < 0)
        return o;
    o.rate = v->rate;
    o.damping = 0.3;
    o.adapt_damping = 0;
    o.kl_radius = 0;
    if (!v->as_torch)
        return o;
    o.l2 = 0;
    o.fisher = NG_FISHER_EMPIRICAL;
    o.curvature_fraction = 1;
    o.statistics_every = 5;
    o.inverse_every = 25;
    o.inverse_delay = 0;
    o.average = 0;
    return o;
}

typedef struct examples {
    ng_array x, y;    /* y.data NULL: an autoencoder's */
    ng_net_data *net; /* which x and y belong to, or NULL */
    size_t *order, count;
} examples;

typedef struct runner {
    const variant *variant;
    const examples *data;
    ng_train_options options;
    ng_network *network;
    ng_train *train;
    size_t position; /* in the order of the examples */
    double *seconds, start;
    size_t count;
} runner;

static ng_status create_runner(ng_ctx *ctx, const ng_network_options *network,
                               const variant *v, const examples *data,
                               size_t batch, runner *out) {
    *out = (runner){.variant = v, .data = data, .start = (double)NAN};
    out->options = train_options(v, batch);
    ng_status status = ng_network_create(ctx, network, &out->network);
    if (status == NG_OK)
        status = ng_train_create(out->network, &out->options, &out->train);
    return status;
}

static void destroy_runner(runner *r) {
    if (r->train)
        ng_train_destroy(&r->train);
    if (r->network)
        ng_network_destroy(&r->network);
    free(r->seconds);
    *r = (runner){0};
}

static ng_status take_step(runner *r) {
    ng_train_report report;
    ng_batch batch = {.x = &r->data->x,
                      .y = r->data->y.data ? &r->data->y : NULL,
                      .count = r->options.batch};
    if (r->position + batch.count > r->data->count)
        r->position = 0;
    batch.row = r->data->order + r->position;
    r->position += batch.count;
    return ng_train_step(r->train, &batch, &report);
}

static ng_status take_steps(runner *r, size_t count) {
    ng_status status = NG_OK;
    for (size_t i = 0; i < count && status == NG_OK; i++) {
        double start = now();
        status = take_step(r);
        if (r->seconds)
            r->seconds[r->count++] = now() - start;
    }
    return status;
}

/* ---- Examples ---- */

static int shuffled(examples *e, size_t count) {
    ng_rng rng;
    ng_rng_init(&rng, 1, 0);
    e->count = count;
    e->order = malloc(count * sizeof *e->order);
    for (size_t i = 0; e->order && i < count; i++) {
        size_t j = (size_t)(ng_rng_uniform(&rng) * (double)(i + 1));
        e->order[i] = i;
        e->order[i] = e->order[j];
        e->order[j] = i;
    }
    return e->order != NULL;
}

static ng_status random_bytes(ng_ctx *ctx, size_t rows, size_t width,
                              double levels, ng_array *out) {
    const size_t shape[] = {rows, width};
    ng_rng rng;
    ng_rng_init(&rng, 2, width);
    ng_status status =
        ng_array_create(ctx, NG_U8, width > 1 ? 2 : 1, shape, out);
    for (size_t i = 0; status == NG_OK && i < rows * width; i++)
        ((unsigned char *)out->data)[i] =
            (unsigned char)(levels * ng_rng_uniform(&rng));
    return status;
}

static ng_status read_pixels(const bench *b, examples *out) {
    ng_status status =
        b->images ? ng_array_read(b->ctx, b->images, &out->x)
                  : random_bytes(b->ctx, FORWARD_ROWS, PIXELS, 256, &out->x);
    if (status == NG_OK && ng_array_width(&out->x) != PIXELS) {
        fprintf(stderr, "%s: images of 28 x 28 are expected\n", b->images);
        return NG_EDATA;
    }
    if (status != NG_OK)
        return status;
    out->x.scale = 1 / 255.0;
    return shuffled(out, ng_array_rows(&out->x)) ? NG_OK : NG_ENOMEM;
}

static ng_status read_digits(const bench *b, examples *out) {
    const ng_net_source source = {.path = b->digits, .target = "digit"};
    enum { ROWS = 1797, INPUTS = 64, CLASSES = 10 };
    ng_status status;
    if (b->digits) {
        status =
            ng_net_data_read(b->ctx, &source, "categorical", NULL, &out->net);
        if (status == NG_OK) {
            out->x = *ng_net_data_x(out->net);
            out->y = *ng_net_data_y(out->net);
        }
    } else {
        status = random_bytes(b->ctx, ROWS, INPUTS, 17, &out->x);
        out->x.scale = 1 / 16.0;
        if (status == NG_OK)
            status = random_bytes(b->ctx, ROWS, 1, CLASSES, &out->y);
    }
    if (status != NG_OK)
        return status;
    return shuffled(out, ng_array_rows(&out->x)) ? NG_OK : NG_ENOMEM;
}

static void free_examples(ng_ctx *ctx, examples *e) {
    if (e->net) {
        ng_net_data_destroy(&e->net);
    } else {
        ng_array_free(ctx, &e->x);
        ng_array_free(ctx, &e->y);
    }
    free(e->order);
}

/* ---- Parts ---- */

/* "a,b" holds b; a NULL list holds everything. */
static int listed(const char *list, const char *name) {
    size_t size = strlen(name);
    for (const char *at = list; at && *at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, size) == 0 && (at[size] == ',' || !at[size]))
            return 1;
        if (!strchr(at, ','))
            break;
    }
    return list == NULL;
}

static ng_network_options autoencoder(void) {
    ng_network_options o;
    ng_network_options_init(&o);
    o.layers = AUTOENCODER;
    o.input = (ng_shape){PIXELS, 1, 1};
    o.family = "bernoulli";
    o.targets = PIXELS;
    return o;
}

static void add_floors(bench *b, const floors *f) {
    const struct {
        const char *formula;
        double flops;
    } parts[] = {
        {"forward: 2 n sum a g", f->forward},
        {"backward: 2 n sum (a g + i g)", f->backward},
        {"sampling: 2 c sum i g, once in 2", f->sampling},
        {"factors: c sum (a^2 + g^2), once in 2", f->factors},
        {"squares: 2 c sum a g, once in 2", f->squares},
        {"rotation: 2 c sum (a^2 + g^2), once in 2", f->rotation},
        {"inversion: sum (a^3 + g^3), once in 20", f->inversion},
        {"eigenvectors: 10/3 sum (a^3 + g^3), once in 100", f->eigenvectors},
        {"preconditioning: 2 sum (a^2 g + a g^2)", f->preconditioning},
        {"products, two: 4 c sum (a g + i g)", 2 * f->product},
        {"loss again: 2 c sum a g, once in 5", f->look}};
    row *rate = add_row(b, "rate", "sgemm, 1000 x 1000", "Gflop/s");
    rate->value[MEDIAN] = b->rate * 1e-9;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        set_floor(add_row(b, "floor", parts[i].formula, "seconds"),
                  parts[i].flops, b->rate);
}

static void add_step_rows(bench *b, runner *runners, size_t count,
                          const floors *f) {
    double sgd_median = (double)NAN, sgd_mean = (double)NAN;
    double sgd_floor = step_floor(f, NG_TRAIN_SGD, 0);
    for (size_t i = 0; i < count; i++) {
        runner *r = &runners[i];
        row *out = add_row(b, "step", r->variant->name, "seconds");
        out->value[MEAN] = mean(r->seconds, r->count);
        out->value[MEDIAN] = median(r->seconds, r->count);
        out->value[START] = r->start;
        double flops =
            step_floor(f, r->variant->optimizer, r->variant->rate < 0);
        set_floor(out, flops, b->rate);
        if (r->variant->optimizer == NG_TRAIN_SGD) {
            sgd_median = out->value[MEDIAN];
            sgd_mean = out->value[MEAN];
        }
        out->value[MEDIAN_OVER_SGD] = out->value[MEDIAN] / sgd_median;
        out->value[MEAN_OVER_SGD] = out->value[MEAN] / sgd_mean;
        out->value[FLOOR_OVER_SGD] = flops / sgd_floor;
        out->value[MIB] = ng_train_memory(r->network, &r->options) / 1048576.0;
    }
}

/* First-order methods have no schedule to settle. */
static ng_status warm_up(const bench *b, runner *r) {
    const size_t few = 3;
    int second = ng_trainer_second_order(r->options.optimizer);
    double start = now();
    ng_status status = take_steps(r, second ? b->warm : few);
    if (second && b->warm)
        r->start = (now() - start) / (double)b->warm;
    r->seconds = calloc(b->rounds * b->steps, sizeof *r->seconds);
    return r->seconds || status != NG_OK ? status : NG_ENOMEM;
}

static ng_status run_steps(bench *b, const examples *data) {
    ng_network_options network = autoencoder();
    runner runners[MOST_RUNNERS] = {{0}};
    size_t count = 0;
    ng_status status = NG_OK;
    for (size_t i = 0; i < sizeof LARGE / sizeof *LARGE && status == NG_OK;
         i++) {
        if (!listed(b->optimizers, LARGE[i].name))
            continue;
        runner *r = &runners[count++];
        status = create_runner(b->ctx, &network, &LARGE[i], data, BATCH, r);
        if (status == NG_OK)
            status = warm_up(b, r);
    }
    for (size_t k = 0; k < b->rounds; k++)
        for (size_t i = 0; i < count && status == NG_OK; i++)
            status = take_steps(&runners[i], b->steps);
    if (status == NG_OK && count) {
        floors f = floors_of(runners[0].network, BATCH, BATCH / 8);
        add_floors(b, &f);
        add_step_rows(b, runners, count, &f);
    }
    for (size_t i = 0; i < count; i++)
        destroy_runner(&runners[i]);
    return status;
}

static ng_status run_forward(bench *b, const examples *data) {
    enum { REPEATS = 10 };
    ng_network_options options = autoencoder();
    ng_network *network = NULL;
    double predict[REPEATS], evaluate[REPEATS];
    ng_batch batch = {.x = &data->x, .count = FORWARD_ROWS};
    ng_score score;
    double *z = malloc((size_t)FORWARD_ROWS * PIXELS * sizeof *z);
    ng_status status =
        z ? ng_network_create(b->ctx, &options, &network) : NG_ENOMEM;
    if (status == NG_OK)
        status = ng_network_predict(network, &batch, z); /* first touch */
    for (size_t i = 0; i < REPEATS && status == NG_OK; i++) {
        double start = now();
        status = ng_network_predict(network, &batch, z);
        predict[i] = now() - start;
        start = now();
        if (status == NG_OK)
            status = ng_network_evaluate(network, &batch, &score);
        evaluate[i] = now() - start;
    }
    if (status == NG_OK) {
        floors f = floors_of(network, FORWARD_ROWS, 0);
        const char *names[] = {"predict 10000", "evaluate 10000"};
        double *seconds[] = {predict, evaluate};
        for (size_t i = 0; i < 2; i++) {
            row *r = add_row(b, "forward", names[i], "seconds");
            r->value[MEAN] = mean(seconds[i], REPEATS);
            r->value[MEDIAN] = median(seconds[i], REPEATS);
            set_floor(r, f.forward, b->rate);
        }
    }
    if (network)
        ng_network_destroy(&network);
    free(z);
    return status;
}

/* Factors of normal rows: what they hold does not change the work. */
static ng_status observe_all(ng_kfac *kfac, const ng_kfac_layer *layer,
                             size_t layers) {
    enum { ROWS = 128, WIDEST = 1000 };
    ng_rng rng;
    ng_status status = NG_OK;
    float *noise = malloc((size_t)ROWS * WIDEST * sizeof *noise);
    ng_rng_init(&rng, 3, 0);
    for (size_t i = 0; noise && i < (size_t)ROWS * WIDEST; i++)
        noise[i] = (float)ng_rng_normal(&rng);
    for (size_t l = 0; noise && l < layers && status == NG_OK; l++)
        if (layer[l].inputs <= WIDEST && layer[l].outputs <= WIDEST)
            status = ng_kfac_observe(kfac, l, ROWS, noise, noise);
    free(noise);
    return noise ? status : NG_ENOMEM;
}

static ng_status run_inversions(bench *b) {
    enum { REPEATS = 7 };
    static const ng_kfac_layer layer[] = {
        {784, 1000, 1}, {1000, 500, 1}, {500, 250, 1},  {250, 30, 1},
        {30, 250, 1},   {250, 500, 1},  {500, 1000, 1}, {1000, 784, 1}};
    const size_t layers = sizeof layer / sizeof *layer;
    double seconds[REPEATS], flops = 0;
    ng_kfac *kfac = NULL;
    ng_status status = ng_kfac_create(b->ctx, layer, layers, 0.95, &kfac);
    if (status == NG_OK)
        status = observe_all(kfac, layer, layers);
    if (status == NG_OK)
        status = ng_kfac_refresh(kfac, 0.1); /* first touch */
    for (size_t i = 0; i < REPEATS && status == NG_OK; i++) {
        double start = now();
        status = ng_kfac_refresh(kfac, 0.1);
        seconds[i] = now() - start;
    }
    for (size_t l = 0; l < layers; l++)
        flops += pow((double)layer[l].inputs + 1, 3) +
                 pow((double)layer[l].outputs, 3);
    if (status == NG_OK) {
        row *r = add_row(b, "inversions", "16 factors, Cholesky", "seconds");
        r->value[MEAN] = mean(seconds, REPEATS);
        r->value[MEDIAN] = median(seconds, REPEATS);
        set_floor(r, flops, b->rate);
    }
    if (kfac)
        ng_kfac_destroy(&kfac);
    return status;
}

/* A turn begins afresh, so that no run gets far away from what training is. */
static ng_status small_turn(const bench *b, const variant *v,
                            const examples *data, double *rate) {
    enum { SMALL_BATCH = 64, SMALL_WARM = 200, CHUNK = 50 };
    ng_network_options o;
    ng_network_options_init(&o);
    o.layers = "32 tanh";
    o.input = (ng_shape){ng_array_width(&data->x), 1, 1};
    o.family = "categorical";
    o.levels = 10;
    runner r;
    size_t count = 0;
    double seconds = 0;
    ng_status status = create_runner(b->ctx, &o, v, data, SMALL_BATCH, &r);
    if (status == NG_OK)
        status = take_steps(&r, SMALL_WARM);
    for (double start = now(); status == NG_OK && seconds < SMALL_SECONDS;
         seconds = now() - start, count += CHUNK)
        status = take_steps(&r, CHUNK);
    *rate = (double)count / seconds;
    destroy_runner(&r);
    return status;
}

static ng_status run_small(bench *b) {
    enum { VARIANTS = sizeof SMALL / sizeof *SMALL, MOST_ROUNDS = 64 };
    double rate[VARIANTS][MOST_ROUNDS];
    size_t rounds = b->rounds < MOST_ROUNDS ? b->rounds : MOST_ROUNDS;
    examples data = {.order = NULL};
    ng_status status = read_digits(b, &data);
    for (size_t k = 0; k < rounds; k++)
        for (size_t i = 0; i < VARIANTS && status == NG_OK; i++)
            if (listed(b->optimizers, SMALL[i].name))
                status = small_turn(b, &SMALL[i], &data, &rate[i][k]);
    for (size_t i = 0; i < VARIANTS && status == NG_OK; i++) {
        if (!listed(b->optimizers, SMALL[i].name))
            continue;
        row *r = add_row(b, "small", SMALL[i].name, "steps/second");
        r->value[MEAN] = mean(rate[i], rounds);
        r->value[MEDIAN] = median(rate[i], rounds);
    }
    free_examples(b->ctx, &data);
    return status;
}

static ng_status run_parts(bench *b) {
    examples data = {.order = NULL};
    ng_status status = NG_OK;
    int steps = listed(b->only, "steps"), forward = listed(b->only, "forward");
    int alone = b->at_threads == b->threads[0];
    if (steps || forward)
        status = read_pixels(b, &data);
    if (status == NG_OK && steps)
        status = run_steps(b, &data);
    if (status == NG_OK && forward)
        status = run_forward(b, &data);
    if (status == NG_OK && listed(b->only, "inversions"))
        status = run_inversions(b);
    if (status == NG_OK && listed(b->only, "small") && alone)
        status = run_small(b); /* on the first number of threads: one */
    free_examples(b->ctx, &data);
    return status;
}

static int print(const bench *b) {
    if (b->json) {
        print_json(stdout, b->rows, b->count);
        return 0;
    }
    print_table(b->rows, b->count);
    if (!b->json_file)
        return 0;
    FILE *file = fopen(b->json_file, "w");
    if (file)
        print_json(file, b->rows, b->count);
    if (file && fclose(file) == 0)
        return 0;
    perror(b->json_file);
    return 1;
}

static int run(bench *b) {
    ng_status status = NG_OK;
    for (size_t i = 0; i < b->thread_counts && status == NG_OK; i++) {
        const ng_ctx_options options = {.threads = b->threads[i]};
        b->at_threads = b->threads[i];
        b->rate = gemm_rate(b->at_threads);
        status = ng_ctx_create(&options, &b->ctx);
        if (status == NG_OK)
            status = run_parts(b);
        if (status != NG_OK)
            fprintf(stderr, "bench_network_steps: %s\n",
                    b->ctx ? ng_error(b->ctx) : ng_status_text(status));
        ng_ctx_destroy(&b->ctx);
    }
    return status == NG_OK ? print(b) : 1;
}

/* ---- The command line ---- */

static int parse_threads(bench *b, const char *text) {
    char *end;
    b->thread_counts = 0;
    do {
        long count = strtol(text, &end, 10);
        if (end == text || count < 1 || b->thread_counts == MOST_THREADS)
            return 0;
        b->threads[b->thread_counts++] = (size_t)count;
        text = end + 1;
    } while (*end == ',');
    return *end == '\0';
}

static int parse_count(const char *text, size_t *out) {
    char *end;
    long count = strtol(text, &end, 10);
    *out = (size_t)count;
    return end != text && !*end && count >= 1 && count <= MOST_STEPS;
}

static int parse_option(bench *b, const char *name, const char *value) {
    if (strcmp(name, "--only") == 0)
        b->only = value;
    else if (strcmp(name, "--optimizers") == 0)
        b->optimizers = value;
    else if (strcmp(name, "--images") == 0)
        b->images = value;
    else if (strcmp(name, "--digits") == 0)
        b->digits = value;
    else if (strcmp(name, "--json-file") == 0)
        b->json_file = value;
    else if (strcmp(name, "--threads") == 0)
        return parse_threads(b, value);
    else if (strcmp(name, "--rounds") == 0)
        return parse_count(value, &b->rounds);
    else if (strcmp(name, "--steps") == 0)
        return parse_count(value, &b->steps);
    else if (strcmp(name, "--warm") == 0)
        return parse_count(value, &b->warm);
    else
        return 0;
    return 1;
}

int main(int argc, char **argv) {
    bench b = {.threads = {1, 2},
               .thread_counts = 2,
               .rounds = 5,
               .steps = 20,
               .warm = 100};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            b.json = 1;
        } else if (i + 1 == argc || !parse_option(&b, argv[i], argv[i + 1])) {
            fprintf(stderr,
                    "bench_network_steps: bad %s; the head of "
                    "bench/network_steps.c says what goes\n",
                    argv[i]);
            return 2;
        } else {
            i++;
        }
    }
    ng_set_blas_threads(1);
    return run(&b);
}
