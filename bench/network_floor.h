/* The arithmetic that a step cannot do without, by formulas in the sizes of
 * dense layers: n rows in a batch, c of them for the curvature, a inputs of a
 * layer with the bias's one among them, i without, g outputs; sums over the
 * layers. Nothing is measured here. */
#ifndef BENCH_NETWORK_FLOOR_H
#define BENCH_NETWORK_FLOOR_H

#include "natgrad/train.h"

/* Flops of each done once, but for `products`: those of one direction. */
typedef struct floors {
    double forward;      /* 2 n sum a g */
    double backward;     /* 2 n sum a g, and 2 n sum i g but for layer one */
    double sampling;     /* 2 c sum i g but for layer one: drawn targets back */
    double factors;      /* c sum (a^2 + g^2): two flops an entry of half */
    double squares;      /* 2 c sum a g: squared gradients of examples */
    double rotation;     /* 2 c sum (a^2 + g^2): rows into the eigenbasis */
    double inversion;    /* sum (a^3 + g^3): Cholesky 1/3, inverse 2/3 */
    double eigenvectors; /* 10/3 sum (a^3 + g^3): to tridiagonal and back */
    double preconditioning; /* 2 sum (a^2 g + a g^2) */
    double product;         /* J v: 2 c sum a g, 2 c sum i g but layer one */
    double look;            /* 2 c sum a g: the loss after the step */
} floors;

/* How often, as the library does by default once a run has settled. */
static const double STATISTICS_EVERY = 2, INVERSE_EVERY = 20,
                    EIGENVECTORS_EVERY = 100, LOOK_EVERY = 5;

static inline floors floors_of(const ng_network *network, double n, double c) {
    size_t count;
    const ng_layer *layer = ng_network_layers(network, &count);
    double weights = 0, inner = 0, square = 0, cube = 0, both = 0;
    int first = 1;
    for (size_t l = 0; l < count; l++) {
        double a = (double)layer[l].columns, g = (double)layer[l].rows;
        if (layer[l].kind != NG_LAYER_DENSE)
            continue;
        weights += a * g;
        inner += first ? 0 : (a - 1) * g;
        square += a * a + g * g;
        cube += a * a * a + g * g * g;
        both += a * a * g + a * g * g;
        first = 0;
    }
    return (floors){.forward = 2 * n * weights,
                    .backward = 2 * n * (weights + inner),
                    .sampling = 2 * c * inner,
                    .factors = c * square,
                    .squares = 2 * c * weights,
                    .rotation = 2 * c * square,
                    .inversion = cube,
                    .eigenvectors = 10.0 / 3 * cube,
                    .preconditioning = 2 * both,
                    .product = 2 * c * (weights + inner),
                    .look = 2 * c * weights};
}

/* Of a step; `model`: with the quadratic model along two directions. */
static inline double step_floor(const floors *f, ng_trainer optimizer,
                                int model) {
    double flops = f->forward + f->backward;
    if (!ng_trainer_second_order(optimizer))
        return flops;
    flops += model ? 2 * f->product + f->look / LOOK_EVERY : 0;
    flops += f->sampling / STATISTICS_EVERY;
    if (optimizer == NG_TRAIN_DIAGONAL)
        return flops + f->squares / STATISTICS_EVERY;
    flops += f->factors / STATISTICS_EVERY + f->preconditioning;
    if (optimizer == NG_TRAIN_EKFAC)
        return flops + f->preconditioning +
               (f->rotation + f->squares) / STATISTICS_EVERY +
               f->eigenvectors / EIGENVECTORS_EVERY;
    return flops + f->inversion / INVERSE_EVERY;
}

#endif
