#include "lab.h"

#include "network/engine_ops.h"

#include <stdlib.h>

const lab_case LAB_CASES[LAB_CASE_COUNT] = {
    {"4 tanh, 3 sigmoid", {3, 1, 1}, "categorical", 3, 0, 9},
    {"3, 4", {3, 1, 1}, "gaussian", 0, 2, 8},
    {"4 silu", {2, 1, 1}, "bernoulli", 0, 3, 7},
    {"conv 2 2x2 tanh, 3 tanh", {1, 4, 3}, "categorical", 3, 0, 6},
    {"conv 4 3x3 stride 2 pad 1 groups 2 tanh, average-pool 2",
     {2, 4, 4},
     "gaussian",
     0,
     2,
     6},
    {"embedding 3x2, 3 tanh", {4, 1, 1}, "categorical", 2, 0, 9},
    {"4 tanh, layer-norm, [4 tanh, 4]", {3, 1, 1}, "gaussian", 0, 2, 8},
};

ng_array lab_array(ng_ctx *own, size_t rows, size_t width) {
    ng_array out;
    const size_t shape[] = {rows, width};
    OK(ng_array_create(own, NG_F64, 2, shape, &out));
    out.scale = 1;
    return out;
}

static void draw_parameters(lab *l) {
    double *theta = calloc(l->dim, sizeof *theta);
    size_t layers;
    const ng_layer *layer = ng_network_layers(l->network, &layers);
    for (size_t k = 0; k < layers; k++) {
        bool gains = layer[k].kind == NG_LAYER_LAYER_NORM;
        bool table = layer[k].kind == NG_LAYER_EMBEDDING;
        double scale = 1 / sqrt(table || gains ? 4 : (double)layer[k].columns);
        for (size_t i = 0; i < layer[k].parameters; i++)
            theta[layer[k].parameter + i] =
                scale * ng_rng_normal(&l->rng) + (gains && i % 2 == 0 ? 1 : 0);
    }
    ng_network_set(l->network, theta);
    free(theta);
}

static void draw_data(lab *l, const lab_case *kind) {
    const ngi_architecture *a = l->e->architecture;
    size_t width = ngi_shape_size(&kind->input);
    double *x, *y;
    l->x = lab_array(l->ctx, l->rows, width);
    l->y = lab_array(l->ctx, l->rows, a->targets);
    x = l->x.data;
    y = l->y.data;
    for (size_t i = 0; i < l->rows * width; i++)
        x[i] = a->layer[0].kind == NG_LAYER_EMBEDDING
                   ? floor(ng_rng_uniform(&l->rng) *
                           (double)a->layer[0].vocabulary)
                   : ng_rng_normal(&l->rng);
    for (size_t i = 0; i < l->rows * a->targets; i++)
        y[i] = a->levels ? floor(ng_rng_uniform(&l->rng) * (double)a->levels)
               : strcmp(kind->family, "bernoulli") == 0
                   ? floor(2 * ng_rng_uniform(&l->rng))
                   : ng_rng_normal(&l->rng);
    l->batch = (ng_batch){.x = &l->x, .y = &l->y, .count = l->rows};
    OK(ng_network_check(l->network, &l->x, &l->y, "x", "y"));
}

static void forward_worker(void *user, size_t worker) {
    lab *l = user;
    pass *p = l->e->pass[worker];
    size_t first, end;
    engine_share(l->rows, worker, l->e->workers, &first, &end);
    l->count[worker] = end - first;
    ngi_pass_gather_f64(p, &l->batch, 0, first, end - first);
    ngi_pass_forward_f64(p, l->e->theta);
}

void lab_open(lab *l, ng_ctx *own, const lab_case *kind) {
    memset(l, 0, sizeof *l);
    l->ctx = own;
    l->rows = kind->rows;
    ng_rng_init(&l->rng, 11, strlen(kind->layers));
    ng_network_options options;
    ng_network_options_init(&options);
    options.layers = kind->layers;
    options.input = kind->input;
    options.family = kind->family;
    options.levels = kind->levels;
    options.targets = kind->targets ? kind->targets : 1;
    options.precision = NG_DOUBLE;
    OK(ng_network_create(own, &options, &l->network));
    l->e = l->network->engine;
    l->dim = ng_network_parameters(l->network);
    ck_assert_uint_le(l->e->workers, LAB_WORKERS);
    draw_parameters(l);
    draw_data(l, kind);
    ng_train_options_init(&l->options);
    l->options.fisher = NG_FISHER_EXACT;
    l->options.cg_iterations = 200;
    OK(ngi_engine_reserve_f64(l->e, l->rows, l->rows));
    ngi_parallel(own, forward_worker, l);
}

void lab_close(lab *l) {
    if (l->m.state)
        l->m.ops->destroy(&l->m);
    ng_array_free(l->ctx, &l->x);
    ng_array_free(l->ctx, &l->y);
    ng_network_destroy(&l->network);
}

void lab_metric(lab *l, ng_trainer optimizer) {
    if (l->m.state)
        l->m.ops->destroy(&l->m);
    l->options.optimizer = optimizer;
    l->m = (metric){.ops = ngi_metric_find_f64(optimizer),
                    .ctx = l->ctx,
                    .engine = l->e,
                    .options = &l->options,
                    .rows = l->rows,
                    .count = l->count,
                    .total = l->rows};
    OK(l->m.ops->create(&l->m));
}

/* ---- Collections ---- */

typedef struct task {
    lab *l;
    collection c;
    uint64_t number;
    lab_collector *collect;
} task;

static void backward_worker(void *user, size_t worker) {
    task *t = user;
    lab *l = t->l;
    pass *p = l->e->pass[worker];
    size_t count = l->count[worker], first, end;
    engine_share(l->rows, worker, l->e->workers, &first, &end);
    if (l->options.fisher == NG_FISHER_EXACT)
        ngi_output_root_f64(p, count, t->c.draw);
    else
        ngi_output_sampled_f64(p, count, 3, t->number + t->c.draw, first);
    ngi_pass_backward_f64(p, l->e->theta, count, NULL);
}

static void collect_worker(void *user, size_t worker) {
    task *t = user;
    t->collect(t->l, &t->c, worker);
}

void lab_collect_into(lab *l, lab_collector *collect, double decay,
                      uint64_t draw) {
    bool exact = l->options.fisher == NG_FISHER_EXACT;
    size_t draws =
        exact ? l->e->architecture->outputs : l->options.fisher_samples;
    task t = {.l = l, .collect = collect, .number = draw * (draws + 1)};
    t.c = (collection){.count = l->count,
                       .total = l->rows,
                       .draws = draws,
                       .weight = exact ? 1 : 1 / (double)draws,
                       .decay = decay};
    for (size_t i = 0; i < draws; i++) {
        t.c.draw = i;
        ngi_parallel(l->ctx, backward_worker, &t);
        ngi_parallel(l->ctx, collect_worker, &t);
    }
}

static void collect_metric(lab *l, const collection *c, size_t worker) {
    l->m.ops->collect(&l->m, c, worker);
}

void lab_collect(lab *l, double decay, uint64_t draw) {
    if (l->m.ops->collect)
        lab_collect_into(l, collect_metric, decay, draw);
}

void lab_refresh(lab *l, double damping) {
    l->m.ops->refresh(&l->m, damping, false);
    l->m.ops->adopt(&l->m);
}

void lab_update(lab *l, double damping) {
    lab_collect(l, 0, 0);
    lab_refresh(l, damping);
}

/* ---- Matrices ---- */

void lab_matrix(lab *l, double damping, double *M) {
    size_t n = l->dim;
    double *inverse = calloc(n * n, sizeof *inverse);
    double *unit = calloc(n, sizeof *unit);
    for (size_t j = 0; j < n; j++) {
        memset(unit, 0, n * sizeof *unit);
        unit[j] = 1;
        OK(l->m.ops->solve(&l->m, unit, inverse + j * n));
    }
    for (size_t j = 0; j < n; j++) {
        memset(unit, 0, n * sizeof *unit);
        unit[j] = 1;
        solve_linear(n, inverse, unit, M + j * n);
        M[j * n + j] -= damping;
    }
    free(unit);
    free(inverse);
}

/* J'u of one example, for the output u = scale e_c. */
static void output_gradient(lab *l, ng_batch *one, size_t c, double scale,
                            double *gradient) {
    size_t outputs = ng_network_outputs(l->network);
    double *u = calloc(outputs, sizeof *u);
    u[c] = scale;
    OK(ng_network_vjp(l->network, one, u, gradient));
    free(u);
}

size_t lab_gradients(lab *l, double *gradient, double *weight) {
    const ngi_architecture *a = l->e->architecture;
    bool bernoulli = strcmp(a->family.ops->name, "bernoulli") == 0;
    size_t outputs = a->outputs, count = 0;
    double *mean = calloc(outputs, sizeof *mean);
    for (size_t i = 0; i < l->rows; i++) {
        double label;
        const size_t shape[] = {1, 1};
        ng_array y = {.dtype = NG_F64,
                      .dims = 2,
                      .shape = {shape[0], shape[1]},
                      .scale = 1,
                      .data = &label};
        const size_t row[] = {i}, none[] = {0};
        ng_batch one = {.x = &l->x, .y = &l->y, .row = row, .count = 1};
        OK(ng_network_mean(l->network, &one, mean));
        ng_array x = l->x;
        x.data = (double *)l->x.data + i * ng_array_width(&l->x);
        x.shape[0] = 1;
        ng_batch labelled = {.x = &x, .y = &y, .row = none, .count = 1};
        for (size_t c = 0; c < outputs; c++, count++) {
            double *g = gradient + count * l->dim;
            weight[count] = 1 / (double)l->rows;
            label = (double)c;
            if (a->levels) {
                weight[count] *= mean[c];
                OK(ng_network_gradient(l->network, &labelled, NULL, g));
            } else {
                double scale = bernoulli ? sqrt(mean[c] * (1 - mean[c])) : 1;
                output_gradient(l, &one, c, scale, g);
            }
        }
    }
    free(mean);
    /* Those calls had the passes. */
    ngi_parallel(l->ctx, forward_worker, l);
    return count;
}

void lab_fisher(lab *l, double *F) {
    size_t most = l->rows * ng_network_outputs(l->network);
    double *g = calloc(most * l->dim, sizeof *g);
    double *w = calloc(most, sizeof *w);
    size_t count = lab_gradients(l, g, w);
    memset(F, 0, l->dim * l->dim * sizeof *F);
    for (size_t k = 0; k < count; k++)
        for (size_t i = 0; i < l->dim; i++)
            for (size_t j = 0; j < l->dim; j++)
                F[i * l->dim + j] +=
                    w[k] * g[k * l->dim + i] * g[k * l->dim + j];
    free(w);
    free(g);
}

double lab_block_distance(size_t dim, const double *A, const double *B,
                          size_t first, size_t size) {
    double sum = 0;
    for (size_t i = first; i < first + size; i++)
        for (size_t j = first; j < first + size; j++) {
            double gap = A[i * dim + j] - B[i * dim + j];
            sum += gap * gap;
        }
    return sqrt(sum);
}

/* ---- What comparisons need ---- */

double *lab_square(size_t n) {
    double *out = calloc(n * n, sizeof *out);
    ck_assert_ptr_nonnull(out);
    return out;
}

double lab_largest(size_t n, const double *A) {
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(A[i]));
    return most;
}

double lab_rounding(const lab *l, const double *F) {
    return 1000 * DBL_EPSILON * (double)l->rows *
           fmax(1, lab_largest(l->dim * l->dim, F));
}

double lab_fitting_damping(size_t n, const double *F) {
    double trace = 0;
    for (size_t i = 0; i < n; i++)
        trace += F[i * (n + 1)];
    return trace / (double)n;
}
