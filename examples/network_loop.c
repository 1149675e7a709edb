/* A training loop of one's own for a network: which of two spirals a point of
 * the plane is from, learnt by K-FAC in mini-batches. The order of the rows,
 * the end of the run and everything printed are the program's. */
#include <natgrad/natgrad.h>

#include <math.h>
#include <stdio.h>

enum { ROWS = 600, BATCH = 100, EPOCHS = 40 };
static const double TARGET = 0.03; /* nats per point */

typedef struct spirals {
    float point[ROWS][2];
    unsigned char arm[ROWS]; /* the class: 0 or 1 */
    ng_array x, y;           /* what the library sees of them */
} spirals;

/* Two arms that wind 1.5 times around the origin, half a turn apart. */
static void simulate(uint64_t stream, spirals *s) {
    const double turn = 6.283185307179586, noise = 0.03;
    ng_rng rng;
    ng_rng_init(&rng, 1, stream);
    for (size_t i = 0; i < ROWS; i++) {
        double radius = sqrt(ng_rng_uniform(&rng));
        s->arm[i] = i % 2;
        double angle = turn * (1.5 * radius + 0.5 * s->arm[i]);
        double x = radius * cos(angle) + noise * ng_rng_normal(&rng);
        double y = radius * sin(angle) + noise * ng_rng_normal(&rng);
        s->point[i][0] = (float)x;
        s->point[i][1] = (float)y;
    }
    s->x = (ng_array){NG_F32, 2, {ROWS, 2}, 1, s->point};
    s->y = (ng_array){NG_U8, 1, {ROWS}, 1, s->arm};
}

/* Fisher and Yates: every order is equally likely. */
static void shuffle(ng_rng *rng, size_t *row) {
    for (size_t i = ROWS - 1; i > 0; i--) {
        size_t j = (size_t)(ng_rng_uniform(rng) * (double)(i + 1));
        size_t other = row[j];
        row[j] = row[i];
        row[i] = other;
    }
}

static ng_status run_epoch(ng_train *train, const spirals *data,
                           const size_t *row, ng_train_report *report) {
    ng_batch batch = {.x = &data->x, .y = &data->y, .count = BATCH};
    ng_status status = NG_OK;
    for (size_t i = 0; i < ROWS && status == NG_OK; i += BATCH) {
        batch.row = row + i;
        status = ng_train_step(train, &batch, report);
    }
    return status;
}

/* With the average of the last iterates, which jumps about less than they. */
static ng_status evaluate(ng_network *network, ng_train *train,
                          const spirals *data, ng_score *score) {
    const ng_batch all = {.x = &data->x, .y = &data->y, .count = ROWS};
    ng_train_swap_average(train);
    ng_status status = ng_network_evaluate(network, &all, score);
    ng_train_swap_average(train);
    return status;
}

/* Until the training loss is at the target. */
static ng_status learn(ng_network *network, ng_train *train,
                       const spirals *data, const spirals *fresh,
                       ng_score *score) {
    size_t row[ROWS];
    ng_score fit = {.loss = HUGE_VAL};
    ng_train_report report;
    ng_rng rng;
    ng_status status = NG_OK;
    ng_rng_init(&rng, 1, 2);
    for (size_t i = 0; i < ROWS; i++)
        row[i] = i;
    puts("epoch  steps  damping      nats  train loss  test loss  accuracy");
    for (size_t epoch = 1; epoch <= EPOCHS && fit.loss > TARGET; epoch++) {
        shuffle(&rng, row);
        status = run_epoch(train, data, row, &report);
        if (status == NG_OK)
            status = evaluate(network, train, data, &fit);
        if (status == NG_OK)
            status = evaluate(network, train, fresh, score);
        if (status != NG_OK)
            return status;
        printf("%5zu  %5zu  %7.1e  %8.1e  %10.5f  %9.5f  %8.3f\n", epoch,
               report.iteration, report.damping, report.kl, fit.loss,
               score->loss, score->accuracy);
    }
    return NG_OK;
}

static ng_status set_up(ng_ctx *ctx, ng_network **network, ng_train **train) {
    ng_network_options shape;
    ng_train_options how;
    ng_network_options_init(&shape);
    shape.layers = "32 tanh, 32 tanh";
    shape.input = (ng_shape){2, 1, 1};
    shape.family = "categorical";
    shape.levels = 2;
    ng_train_options_init(&how); /* K-FAC; it finds rate and damping */
    how.batch = BATCH;
    how.l2 = 1e-4;
    ng_status status = ng_network_create(ctx, &shape, network);
    if (status == NG_OK)
        status = ng_train_create(*network, &how, train);
    return status;
}

int main(void) {
    static spirals data, fresh;
    ng_score score = {.loss = HUGE_VAL};
    ng_ctx *ctx;
    ng_network *network = NULL;
    ng_train *train = NULL;
    if (ng_ctx_create(NULL, &ctx) != NG_OK)
        return 1;
    simulate(0, &data);
    simulate(1, &fresh);
    ng_status status = set_up(ctx, &network, &train);
    if (status == NG_OK)
        status = learn(network, train, &data, &fresh, &score);
    if (status != NG_OK)
        fprintf(stderr, "network_loop: %s: %s\n", ng_status_text(status),
                ng_error(ctx));
    ng_train_destroy(&train);
    ng_network_destroy(&network);
    ng_ctx_destroy(&ctx);
    return status != NG_OK || !(score.accuracy > 0.95);
}
