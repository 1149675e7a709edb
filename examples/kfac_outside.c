/* K-FAC for a network that lives elsewhere: 2 -> 24 -> 1 with tanh in plain C,
 * which knows nothing of natgrad. For each layer it hands over the inputs and
 * the gradients with respect to the outputs, for targets drawn from its own
 * predictions, and gets its gradient back preconditioned. */
#include <natgrad/natgrad.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 256, IN = 2, HIDDEN = 24, STEPS = 300, REFRESH = 5 };
enum { FIRST = HIDDEN * (IN + 1), ALL = FIRST + HIDDEN + 1 };
static const double DAMPING = 0.01, RATE = 0.5, RADIUS = 0.01;

/* y is normal with mean w2 (tanh(W1 (x, 1)), 1) and variance 1. */
typedef struct network {
    float theta[ALL]; /* W1, a row for each hidden unit; w2 */
    float x[ROWS][IN], y[ROWS];
    float h[ROWS][HIDDEN], out[ROWS]; /* of the last forward pass */
    float dh[ROWS][HIDDEN]; /* of the last backward pass, before the tanh */
} network;

static void start(network *n) {
    ng_rng rng;
    ng_rng_init(&rng, 1, 0);
    for (size_t i = 0; i < ROWS; i++) {
        double a = 2 * ng_rng_uniform(&rng) - 1;
        double b = 2 * ng_rng_uniform(&rng) - 1;
        n->x[i][0] = (float)a, n->x[i][1] = (float)b;
        n->y[i] = (float)(sin(5 * a) * cos(3 * b) + a * b);
    }
    for (size_t k = 0; k < ALL; k++)
        n->theta[k] = (float)(ng_rng_normal(&rng) * (k < FIRST ? 1 : 0.2));
}

static double forward(network *n) {
    const float *w2 = n->theta + FIRST;
    double loss = 0;
    for (size_t i = 0; i < ROWS; i++) {
        n->out[i] = w2[HIDDEN];
        for (size_t k = 0; k < HIDDEN; k++) {
            const float *w = n->theta + k * (IN + 1);
            n->h[i][k] = tanhf(w[0] * n->x[i][0] + w[1] * n->x[i][1] + w[2]);
            n->out[i] += w2[k] * n->h[i][k];
        }
        loss += pow((double)(n->out[i] - n->y[i]), 2) / (2 * ROWS);
    }
    return loss;
}

/* `dout`: gradients of the rows' losses with respect to their outputs. */
static void backward(network *n, const float *dout) {
    const float *w2 = n->theta + FIRST;
    for (size_t i = 0; i < ROWS; i++)
        for (size_t k = 0; k < HIDDEN; k++)
            n->dh[i][k] = dout[i] * w2[k] * (1 - n->h[i][k] * n->h[i][k]);
}

static void gradient(network *n, float *g) {
    float dout[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        dout[i] = (n->out[i] - n->y[i]) / ROWS;
    backward(n, dout);
    memset(g, 0, ALL * sizeof *g);
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t k = 0; k < HIDDEN; k++) {
            for (size_t j = 0; j < IN; j++)
                g[k * (IN + 1) + j] += n->dh[i][k] * n->x[i][j];
            g[k * (IN + 1) + IN] += n->dh[i][k];
            g[FIRST + k] += dout[i] * n->h[i][k];
        }
        g[FIRST + HIDDEN] += dout[i];
    }
}

/* What K-FAC sees: the score of a drawn target is here standard normal. */
static ng_status observe(ng_kfac *kfac, network *n, ng_rng *rng, int refresh) {
    float dout[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        dout[i] = (float)ng_rng_normal(rng);
    backward(n, dout);
    ng_status status = ng_kfac_observe(kfac, 0, ROWS, n->x[0], n->dh[0]);
    if (status == NG_OK)
        status = ng_kfac_observe(kfac, 1, ROWS, n->h[0], dout);
    if (status == NG_OK && refresh)
        status = ng_kfac_refresh(kfac, DAMPING);
    return status;
}

/* The gradient g becomes the natural one, of a length of at most RADIUS
 * nats: for d = F^-1 g the step a d moves the model by a^2 g'd / 2. */
static ng_status precondition(ng_kfac *kfac, float *g) {
    float d[ALL];
    double gd = 0;
    ng_status status = ng_kfac_precondition(kfac, 0, g, d);
    if (status == NG_OK)
        status = ng_kfac_precondition(kfac, 1, g + FIRST, d + FIRST);
    if (status != NG_OK)
        return status;
    for (size_t k = 0; k < ALL; k++)
        gd += (double)g[k] * (double)d[k];
    for (size_t k = 0; k < ALL; k++)
        g[k] = (float)fmin(RATE, sqrt(2 * RADIUS / gd)) * d[k];
    return NG_OK;
}

/* By K-FAC, or with none by the plain gradient. */
static ng_status train(network *n, ng_kfac *kfac, double rate, double *loss) {
    float g[ALL];
    ng_rng rng;
    ng_status status = NG_OK;
    ng_rng_init(&rng, 1, 1);
    start(n);
    for (size_t t = 0; t < STEPS && status == NG_OK; t++) {
        forward(n);
        if (kfac)
            status = observe(kfac, n, &rng, t % REFRESH == 0);
        gradient(n, g);
        if (kfac && status == NG_OK)
            status = precondition(kfac, g);
        for (size_t k = 0; k < ALL && status == NG_OK; k++)
            n->theta[k] -= (float)rate * g[k];
    }
    *loss = forward(n);
    return status;
}

int main(void) {
    static network n;
    const double rates[] = {0.03, 0.1, 0.2, 0.3, 0.5, 1};
    const ng_kfac_layer layers[] = {{IN, HIDDEN, 1}, {HIDDEN, 1, 1}};
    double loss = HUGE_VAL, plain = HUGE_VAL;
    ng_ctx *ctx;
    ng_kfac *kfac = NULL;
    if (ng_ctx_create(NULL, &ctx) != NG_OK)
        return 1;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        (void)train(&n, NULL, rates[i], &loss); /* only K-FAC fails */
        if (isfinite(loss))
            printf("plain gradient, rate %4g: loss %.2e\n", rates[i], loss);
        else
            printf("plain gradient, rate %4g: diverged\n", rates[i]);
        plain = fmin(plain, loss);
    }
    ng_status status = ng_kfac_create(ctx, layers, 2, 0.95, &kfac);
    if (status == NG_OK)
        status = train(&n, kfac, 1, &loss);
    if (status != NG_OK)
        fprintf(stderr, "kfac_outside: %s\n", ng_error(ctx));
    printf("K-FAC:                     loss %.2e\n", loss);
    ng_kfac_destroy(&kfac);
    ng_ctx_destroy(&ctx);
    return status != NG_OK || !(loss < plain / 10);
}
