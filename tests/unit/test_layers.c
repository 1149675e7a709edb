/* Small networks of every kind of layer: what a layer computes against its
 * definition, its derivatives against differences and against each other. */
#include "network_fixture.h"
#include "scarce.h"
#include "single_network.h"

#include <stdio.h>

#define LENGTH(table) (sizeof(table) / sizeof *(table))
#define IMAGE                                                                  \
    { 4, 7, 6 }
#define GRAY                                                                   \
    { 1, 8, 7 }
#define FLAT                                                                   \
    { 5, 1, 1 }

/* Sums of products have at most 250 terms, and layers are few. */
static const double ROUNDINGS = 500;

static const net_case NETS[] = {
    {.layers = "", .input = FLAT},
    {.layers = "6 relu, 5 relu", .input = FLAT},
    {.layers = "6 leaky-relu 0.2, 5 leaky-relu 0", .input = FLAT},
    {.layers = "6 gelu, 5 silu, tanh", .input = FLAT},
    {.layers = "6 tanh, sigmoid, softplus", .input = FLAT},
    {.layers = "6 sigmoid, 5 softplus, relu", .input = FLAT},
    {.layers = "tanh, 4 silu, silu, gelu", .input = FLAT},
    {.layers = "6 tanh, [tanh, 6 relu, 6], 4", .input = FLAT},
    {.layers = "6, [5 tanh, [6 relu, 5] tanh, 6] relu", .input = FLAT},
    {.layers = "6, [[gelu, 6], [relu, 6]]", .input = FLAT},
    {.layers = "[tanh, 5], [relu, sigmoid]", .input = FLAT},
    {.layers = "6 tanh, [5, 6] tanh, [6]", .input = FLAT, .own = true},
    {.layers = "layer-norm, 6 tanh, layer-norm relu", .input = FLAT},
    {.layers = "6, [layer-norm, 7 gelu, 6], layer-norm", .input = FLAT},
    {.layers = "embedding 4x3, 6 tanh", .input = FLAT},
    {.layers = "embedding 9x2, [layer-norm, 10]", .input = FLAT},
    {.layers = "[embedding 3x1, tanh], 4", .input = FLAT},
    {.layers = "conv 3 3x2 tanh", .input = GRAY},
    {.layers = "conv 4 5x5 pad 2 relu, max-pool 2, conv 5 3x2 relu, "
               "max-pool 2, 6 relu",
     .input = GRAY},
    {.layers = "conv 3 3 stride 2 pad 1 tanh, conv 2 2x3 stride 1x2 pad 0x2",
     .input = IMAGE},
    {.layers = "conv 6 3 groups 2 pad 1 tanh, conv 6 2 groups 6, "
               "conv 3 1 groups 3 gelu",
     .input = IMAGE},
    {.layers = "conv 3 2 pad 3 stride 3, conv 2 2 pad 2", .input = IMAGE},
    {.layers = "conv 4 7x6 groups 4 tanh, 5", .input = IMAGE},
    {.layers = "max-pool 3 stride 1 pad 1, conv 3 3 relu, "
               "max-pool 3x2 stride 2x1 pad 1",
     .input = IMAGE},
    {.layers = "conv 4 3 pad 1, average-pool 3 stride 2 pad 1 tanh, "
               "conv 3 2, average-pool all",
     .input = IMAGE},
    {.layers = "average-pool 2 stride 1, conv 3 2 silu, max-pool all relu",
     .input = IMAGE},
    {.layers = "conv 4 1, [conv 4 3 pad same relu, conv 4 3 pad same groups 2]"
               " relu, [relu, conv 4 1]",
     .input = IMAGE},
    {.layers = "conv 3 2, [max-pool 3 stride 1 pad 1], "
               "[average-pool 3 stride 1 pad 1, conv 3 1]",
     .input = IMAGE},
    {.layers = "layer-norm, conv 3 3 stride 2, [layer-norm, conv 3 3 pad same]",
     .input = IMAGE},
    {.layers = "conv 2 3 pad same, [tanh, conv 2 1], flatten, layer-norm",
     .input = GRAY,
     .own = true},
};

static net started(int index) {
    net n = net_make(&NETS[index]);
    net_start(&n);
    return n;
}

static double loss(net *n) {
    output_sums sums = {0};
    net_forward(n);
    ngi_output_sums_f64(n->p, 0, ROWS, &sums);
    return sums.loss;
}

static void backward(net *n, size_t count, double *gradient) {
    ngi_output_gradient_f64(n->p, count);
    ngi_pass_backward_f64(n->p, n->theta, count, gradient);
}

static void ck_near(double value, double expected, double tolerance,
                    const char *layers, size_t index) {
    ck_assert_msg(fabs(value - expected) <= tolerance,
                  "\"%s\", %zu: %.17g, expected %.17g within %.2g", layers,
                  index, value, expected, tolerance);
}

/* ---- Derivatives ----------------------------------------------------------
 */

START_TEST(the_gradient_is_the_slope_of_the_loss) {
    net n = started(_i);
    double *g = normals(&n, n.a->dim, 0);
    double terms = 1 + fabs(loss(&n));
    backward(&n, ROWS, g);
    for (size_t j = 0; j < n.a->dim; j++) {
        double f[4], here = n.theta[j];
        for (size_t k = 0; k < 4; k++) {
            n.theta[j] = here + DIFFERENCE_AT[k] * DIFFERENCE_STEP;
            f[k] = loss(&n);
        }
        n.theta[j] = here;
        slope s = slope_of(f, ROUNDINGS * terms);
        ck_near(g[j], s.value, s.error, NETS[_i].layers, j);
    }
    free(g);
    net_free(&n);
}
END_TEST

/* Outputs at theta + t v, into `out`. */
static void outputs_along(net *n, const double *theta, const double *v,
                          double t, double *out) {
    for (size_t j = 0; j < n->a->dim; j++)
        n->theta[j] = theta[j] + t * v[j];
    net_forward(n);
    for (size_t i = 0; i < ROWS * n->a->outputs; i++)
        out[i] = net_output(n, i / n->a->outputs, i % n->a->outputs);
    memcpy(n->theta, theta, n->a->dim * sizeof *theta);
}

/* Tangent k of row i, output j. */
static double tangent_at(const net *n, size_t k, size_t i, size_t j) {
    size_t last = n->a->layers;
    return n->p
        ->tangent[last]
                 [(k * n->p->tangent_rows + i) * pass_stride(n->p, last) + j];
}

static void ck_tangent(net *n, size_t k, const double *v, const char *layers) {
    size_t outputs = n->a->outputs, count = ROWS * outputs;
    double *theta = normals(n, n->a->dim, 0), *f = normals(n, 4 * count, 0);
    memcpy(theta, n->theta, n->a->dim * sizeof *theta);
    for (size_t t = 0; t < 4; t++)
        outputs_along(n, theta, v, DIFFERENCE_AT[t] * DIFFERENCE_STEP,
                      f + t * count);
    for (size_t i = 0; i < n->p->tangent_rows * outputs; i++) {
        const double at[4] = {f[i], f[count + i], f[2 * count + i],
                              f[3 * count + i]};
        slope s = slope_of(at, ROUNDINGS * (1 + fabs(at[0])));
        ck_near(tangent_at(n, k, i / outputs, i % outputs), s.value, s.error,
                layers, i);
    }
    net_forward(n);
    free(f);
    free(theta);
}

START_TEST(each_tangent_is_the_slope_of_the_outputs) {
    net n = started(_i);
    double *v = normals(&n, 2 * n.a->dim, 1);
    const double *const both[] = {v, v + n.a->dim};
    for (size_t tangents = 1; tangents <= 2; tangents++) {
        size_t rows = TANGENT_ROWS + 1 - tangents;
        ngi_pass_tangent_f64(n.p, n.theta, both, tangents, rows);
        for (size_t k = 0; k < tangents; k++)
            ck_tangent(&n, k, both[k], NETS[_i].layers);
    }
    free(v);
    net_free(&n);
}
END_TEST

/* Sum of x y; *size grows by what its terms are. */
static double inner(size_t n, const double *x, const double *y, double *size) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += x[i] * y[i];
        *size += fabs(x[i] * y[i]);
    }
    return sum;
}

START_TEST(backward_is_the_transpose_of_tangent) {
    net n = started(_i);
    size_t outputs = n.a->outputs;
    double *g = normals(&n, n.a->dim, 0), *v = normals(&n, n.a->dim, 1);
    double *u = normals(&n, TANGENT_ROWS * outputs, 1);
    const double *const one[] = {v};
    double forth = 0, size = 0;
    ngi_pass_tangent_f64(n.p, n.theta, one, 1, TANGENT_ROWS);
    for (size_t i = 0; i < TANGENT_ROWS; i++) {
        const double *row = u + i * outputs;
        memcpy(last_delta(&n, i), row, outputs * sizeof *row);
        for (size_t j = 0; j < outputs; j++)
            forth += row[j] * tangent_at(&n, 0, i, j);
    }
    ngi_pass_backward_f64(n.p, n.theta, TANGENT_ROWS, g);
    double back = inner(n.a->dim, g, v, &size);
    ck_near(forth, back, ROUNDINGS * DBL_EPSILON * size, NETS[_i].layers, 0);
    free(g);
    free(v);
    free(u);
    net_free(&n);
}
END_TEST

/* ---- Parts of the gradient ------------------------------------------------
 */

/* What of layer l belongs to examples [first, first + count). */
static void add_part(net *n, size_t l, size_t first, size_t count, double *g) {
    const layer_ops *ops = ngi_layer_ops_f64(n->a->layer[l].kind);
    if (ops->gradient)
        ops->gradient(n->p, l, first, count, g + n->a->layer[l].parameter);
}

START_TEST(gradients_of_runs_of_examples_add_up) {
    net n = started(_i);
    double *whole = normals(&n, n.a->dim, 0), *parts = normals(&n, n.a->dim, 0);
    backward(&n, ROWS, whole);
    for (size_t l = 0; l < n.a->layers; l++) {
        add_part(&n, l, 0, 2, parts);
        add_part(&n, l, 2, 1, parts);
        add_part(&n, l, 3, ROWS - 3, parts);
    }
    for (size_t j = 0; j < n.a->dim; j++)
        ck_near(parts[j], whole[j],
                ROUNDINGS * DBL_EPSILON * (1 + fabs(whole[j])), NETS[_i].layers,
                j);
    free(whole);
    free(parts);
    net_free(&n);
}
END_TEST

START_TEST(a_backward_of_the_first_examples_is_their_gradient) {
    net n = started(_i);
    double *some = normals(&n, n.a->dim, 0), *parts = normals(&n, n.a->dim, 0);
    backward(&n, ROWS, NULL);
    for (size_t l = 0; l < n.a->layers; l++)
        add_part(&n, l, 0, 2, parts);
    backward(&n, 2, some);
    ck_assert_uint_eq(n.p->rows, ROWS);
    for (size_t j = 0; j < n.a->dim; j++)
        ck_near(some[j], parts[j],
                ROUNDINGS * DBL_EPSILON * (1 + fabs(parts[j])), NETS[_i].layers,
                j);
    free(some);
    free(parts);
    net_free(&n);
}
END_TEST

/* Adds sum g a' of one group's rows. */
static void add_products(const ng_layer *layer, size_t group, const capture *c,
                         double *out) {
    size_t rows = layer->rows / layer->groups, columns = layer->columns;
    double *own = out + layer->parameter + group * rows * columns;
    for (size_t i = 0; i < c->rows; i++)
        for (size_t r = 0; r < rows; r++)
            for (size_t k = 0; k < columns; k++)
                own[r * columns + k] +=
                    c->g[i * c->ldg + r] * c->a[i * c->lda + k];
}

START_TEST(captured_rows_multiply_to_the_gradient) {
    net n = started(_i);
    double *part = normals(&n, n.a->dim, 0), *sum = normals(&n, n.a->dim, 0);
    const double *const one[] = {n.theta};
    backward(&n, ROWS, NULL);
    ngi_pass_tangent_f64(n.p, n.theta, one, 1, TANGENT_ROWS);
    for (size_t l = 0; l < n.a->layers; l++) {
        const ng_layer *layer = &n.a->layer[l];
        const layer_ops *ops = ngi_layer_ops_f64(layer->kind);
        capture c;
        if (!ops->capture)
            continue;
        add_part(&n, l, 1, 3, part);
        for (size_t group = 0; group < layer->groups; group++) {
            ops->capture(n.p, l, group, 1, 3, &c);
            ck_assert_uint_eq(c.positions, ngi_shape_positions(&layer->out));
            ck_assert_uint_eq(c.rows, 3 * c.positions);
            add_products(layer, group, &c, sum);
        }
    }
    for (size_t j = 0; j < n.a->dim; j++)
        ck_near(sum[j], part[j], ROUNDINGS * DBL_EPSILON * (1 + fabs(part[j])),
                NETS[_i].layers, j);
    free(part);
    free(sum);
    net_free(&n);
}
END_TEST

/* ---- Precisions -----------------------------------------------------------
 */

/* Roundings of one sign could add up to ROUNDINGS epsilons; as they come, the
 * root of their number in every layer is what is left, times what the loss
 * makes of it: a fifth of ROUNDINGS is allowed. */
START_TEST(single_precision_agrees_with_double) {
    net n = started(_i);
    size_t outputs = n.a->outputs;
    double *z = normals(&n, ROWS * outputs, 0);
    double *single = normals(&n, n.a->dim, 0), *g = normals(&n, n.a->dim, 0);
    double size = 0, tolerance = ROUNDINGS / 5 * (double)FLT_EPSILON;
    const ng_batch batch = batch_of(&n);
    backward(&n, ROWS, g);
    ck_assert_int_eq(single_run(n.a, &batch, n.theta, z, single), NG_OK);
    for (size_t i = 0; i < ROWS * outputs; i++) {
        double expected = net_output(&n, i / outputs, i % outputs);
        ck_near(z[i], expected, tolerance * (1 + fabs(expected)),
                NETS[_i].layers, i);
    }
    for (size_t j = 0; j < n.a->dim; j++)
        size = fmax(size, fabs(g[j]));
    for (size_t j = 0; j < n.a->dim; j++)
        ck_near(single[j], g[j], tolerance * (1 + size), NETS[_i].layers, j);
    free(z);
    free(g);
    free(single);
    net_free(&n);
}
END_TEST

/* ---- Definitions ----------------------------------------------------------
 */

/* One example of the network's input: channel c, row y, column x; outside of
 * the image it is `outside`. */
typedef struct picture {
    const double *x;
    ng_shape shape;
    double outside;
} picture;

static double at(const picture *q, size_t c, ptrdiff_t y, ptrdiff_t x) {
    ptrdiff_t height = (ptrdiff_t)q->shape.height;
    ptrdiff_t width = (ptrdiff_t)q->shape.width;
    if (y < 0 || y >= height || x < 0 || x >= width)
        return q->outside;
    return q->x[((ptrdiff_t)c * height + y) * width + x];
}

/* Input under element (i, j) of the kernel for output (y, x). */
static double under(const picture *q, const ng_layer *layer, size_t c,
                    const size_t y[2], const size_t x[2]) {
    return at(q, c,
              (ptrdiff_t)(y[0] * layer->stride[0] + y[1]) -
                  (ptrdiff_t)layer->padding[0],
              (ptrdiff_t)(x[0] * layer->stride[1] + x[1]) -
                  (ptrdiff_t)layer->padding[1]);
}

static double convolved(const picture *q, const ng_layer *layer,
                        const double *theta, size_t c, size_t row,
                        size_t column) {
    size_t inputs = layer->in.channels / layer->groups;
    size_t first = c / (layer->out.channels / layer->groups) * inputs;
    const double *w = theta + c * layer->columns;
    double sum = w[layer->columns - 1];
    for (size_t i = 0; i < layer->kernel[0]; i++)
        for (size_t j = 0; j < layer->kernel[1]; j++)
            for (size_t k = 0; k < inputs; k++)
                sum += *w++ * under(q, layer, first + k, (size_t[]){row, i},
                                    (size_t[]){column, j});
    return sum;
}

static double pooled(const picture *q, const ng_layer *layer, size_t c,
                     size_t row, size_t column) {
    double sum = 0, most = -HUGE_VAL;
    for (size_t i = 0; i < layer->kernel[0]; i++)
        for (size_t j = 0; j < layer->kernel[1]; j++) {
            double x =
                under(q, layer, c, (size_t[]){row, i}, (size_t[]){column, j});
            sum += x;
            most = fmax(most, x);
        }
    if (layer->kind == NG_LAYER_MAX_POOL)
        return most;
    return sum / (double)(layer->kernel[0] * layer->kernel[1]);
}

static double normalised(const picture *q, const ng_layer *layer,
                         const double *theta, size_t index) {
    size_t size = ngi_shape_size(&layer->in);
    double mean = 0, variance = 0;
    for (size_t k = 0; k < size; k++)
        mean += q->x[k] / (double)size;
    for (size_t k = 0; k < size; k++)
        variance += pow(q->x[k] - mean, 2) / (double)size;
    return theta[2 * index] * (q->x[index] - mean) /
               sqrt(variance + layer->epsilon) +
           theta[2 * index + 1];
}

static double activated(const ng_layer *layer, double x) {
    switch (layer->activation) {
    case NG_RELU:
        return fmax(x, 0);
    case NG_LEAKY_RELU:
        return fmax(x, 0) + layer->slope * fmin(x, 0);
    case NG_GELU:
        return x * erfc(-x / sqrt(2)) / 2;
    case NG_SILU:
        return x / (1 + exp(-x));
    case NG_TANH:
        return tanh(x);
    case NG_SIGMOID:
        return 1 / (1 + exp(-x));
    case NG_SOFTPLUS:
        return log(1 + exp(x));
    default:
        return x;
    }
}

/* Output (c, y, x) of the first layer. */
static double defined(const picture *q, const ng_layer *layer,
                      const double *theta, size_t c, size_t y, size_t x) {
    size_t index = (c * layer->out.height + y) * layer->out.width + x;
    switch (layer->kind) {
    case NG_LAYER_CONV:
        return convolved(q, layer, theta, c, y, x);
    case NG_LAYER_MAX_POOL:
    case NG_LAYER_AVERAGE_POOL:
        return pooled(q, layer, c, y, x);
    case NG_LAYER_LAYER_NORM:
        return normalised(q, layer, theta, index);
    case NG_LAYER_EMBEDDING:
        return theta[(size_t)q->x[c / layer->columns] * layer->columns +
                     c % layer->columns];
    default:
        return activated(layer, q->x[index]);
    }
}

static const net_case FIRST[] = {
    {.layers = "conv 3 3x2", .input = IMAGE},
    {.layers = "conv 4 3 pad 2x1", .input = IMAGE},
    {.layers = "conv 6 2x3 stride 2 pad 1 groups 2", .input = IMAGE},
    {.layers = "conv 8 3 stride 3x1 groups 4", .input = IMAGE},
    {.layers = "conv 2 2 pad 3", .input = IMAGE},
    {.layers = "conv 5 7x6", .input = IMAGE},
    {.layers = "conv 6 5 pad same", .input = GRAY},
    {.layers = "max-pool 2", .input = IMAGE},
    {.layers = "max-pool 3x2 stride 1 pad 1", .input = IMAGE},
    {.layers = "max-pool 2 stride 3 pad 1", .input = GRAY},
    {.layers = "max-pool all", .input = IMAGE},
    {.layers = "average-pool 2", .input = GRAY},
    {.layers = "average-pool 3 stride 2 pad 1", .input = IMAGE},
    {.layers = "average-pool all", .input = IMAGE},
    {.layers = "layer-norm", .input = IMAGE},
    {.layers = "layer-norm", .input = FLAT},
    {.layers = "embedding 7x3", .input = FLAT},
    {.layers = "relu", .input = FLAT},
    {.layers = "leaky-relu", .input = IMAGE},
    {.layers = "gelu", .input = FLAT},
    {.layers = "silu", .input = IMAGE},
    {.layers = "tanh", .input = IMAGE},
    {.layers = "sigmoid", .input = FLAT},
    {.layers = "softplus", .input = IMAGE},
};

START_TEST(a_layer_computes_what_it_is_defined_to) {
    net n = net_make(&FIRST[_i]);
    net_start(&n);
    const ng_layer *layer = &n.a->layer[0];
    size_t positions = ngi_shape_positions(&layer->out);
    size_t width = layer->out.width, size = ngi_shape_size(&layer->in);
    for (size_t i = 0; i < ROWS; i++) {
        const double *x = n.x.data, *value = n.p->value[1];
        const picture q = {x + (FIRST_ROW + i) * size, layer->in,
                           layer->kind == NG_LAYER_MAX_POOL ? -HUGE_VAL : 0};
        value += i * pass_size(n.p, 1);
        for (size_t k = 0; k < positions * layer->out.channels; k++) {
            size_t c = k / positions, place = k % positions;
            double expected =
                defined(&q, layer, n.theta, c, place / width, place % width);
            ck_near(value[place * pass_stride(n.p, 1) + c], expected,
                    ROUNDINGS * DBL_EPSILON * (1 + fabs(expected)),
                    FIRST[_i].layers, k);
        }
    }
    net_free(&n);
}
END_TEST

START_TEST(flattened_images_are_channel_by_channel) {
    const net_case c = {.layers = "tanh, flatten", .input = IMAGE};
    net n = net_make(&c);
    const double *x = (const double *)n.x.data + FIRST_ROW * 4 * 7 * 6;
    net_start(&n);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t k = 0; k < 4 * 7 * 6; k++)
            ck_assert_double_eq(n.p->value[2][i * pass_stride(n.p, 2) + k],
                                tanh(x[i * 4 * 7 * 6 + k]));
    net_free(&n);
}
END_TEST

START_TEST(a_maximum_passes_a_nan_on_and_leads_back_to_the_first_of_equals) {
    const net_case c = {.layers = "conv 1 1, max-pool 2x3 stride 2x1",
                        .input = {1, 2, 4}};
    net n = net_make(&c);
    double *x = n.x.data;
    for (size_t k = 0; k < 8; k++)
        x[FIRST_ROW * 8 + k] = k == 6 ? (double)NAN : 1;
    for (size_t k = 8; k < 16; k++)
        x[FIRST_ROW * 8 + k] = k == 8 ? 0 : 3;
    n.theta[0] = 1;
    net_start(&n);
    ck_assert_double_nan(n.p->value[2][0]);
    ck_assert_double_nan(n.p->value[2][1]);
    /* Two windows; the columns of the first begin with a smaller value. */
    const double u[] = {1, 10}, expected[] = {0, 11, 0, 0, 0, 0, 0, 0};
    memcpy(n.p->delta[2] + 2, u, sizeof u);
    ngi_max_pool_f64.backward(n.p, 1, NULL);
    for (size_t k = 0; k < 8; k++)
        ck_assert_double_eq(n.p->delta[1][8 + k], expected[k]);
    net_free(&n);
}
END_TEST

static ng_status make_pass(ng_ctx *poor, const char *layers) {
    const ng_network_options options = {.layers = layers,
                                        .input = IMAGE,
                                        .family = "gaussian",
                                        .targets = 1,
                                        .init = -1};
    ngi_architecture *a;
    pass *p = NULL;
    ng_status status = ngi_architecture_create(poor, &options, &a);
    if (status != NG_OK)
        return status;
    status = ngi_pass_create_f64(a, CAPACITY, TANGENT_ROWS, &p);
    ngi_pass_destroy_f64(&p);
    ngi_architecture_destroy(&a);
    return status;
}

START_TEST(a_pass_that_runs_out_of_memory_leaves_nothing) {
    starve(make_pass, "conv 3 3 relu, layer-norm, max-pool 2");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("layers");
    TCase *derivatives = tcase_create("derivatives");
    const int nets = (int)LENGTH(NETS);
    tcase_set_timeout(derivatives, 60);
    tcase_add_loop_test(derivatives, the_gradient_is_the_slope_of_the_loss, 0,
                        nets);
    tcase_add_loop_test(derivatives, each_tangent_is_the_slope_of_the_outputs,
                        0, nets);
    tcase_add_loop_test(derivatives, backward_is_the_transpose_of_tangent, 0,
                        nets);
    tcase_add_loop_test(derivatives, gradients_of_runs_of_examples_add_up, 0,
                        nets);
    tcase_add_loop_test(derivatives,
                        a_backward_of_the_first_examples_is_their_gradient, 0,
                        nets);
    tcase_add_loop_test(derivatives, captured_rows_multiply_to_the_gradient, 0,
                        nets);
    tcase_add_loop_test(derivatives, single_precision_agrees_with_double, 0,
                        nets);
    suite_add_tcase(suite, derivatives);
    TCase *definitions = tcase_create("definitions");
    tcase_add_loop_test(definitions, a_layer_computes_what_it_is_defined_to, 0,
                        (int)LENGTH(FIRST));
    tcase_add_test(definitions, flattened_images_are_channel_by_channel);
    tcase_add_test(
        definitions,
        a_maximum_passes_a_nan_on_and_leads_back_to_the_first_of_equals);
    tcase_add_test(definitions, a_pass_that_runs_out_of_memory_leaves_nothing);
    suite_add_tcase(suite, definitions);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
