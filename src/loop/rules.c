/* The ordinary first-order methods, to be compared with. */
#include "loop/loop.h"

#include <math.h>

static void gradient(size_t n, size_t t, const double *g, double *first,
                     double *second, double *d) {
    (void)t;
    (void)first;
    (void)second;
    for (size_t j = 0; j < n; j++)
        d[j] = -g[j];
}

/* Heavy ball (Polyak 1964) with the customary 0.9. */
static void momentum(size_t n, size_t t, const double *g, double *first,
                     double *second, double *d) {
    (void)t;
    (void)second;
    for (size_t j = 0; j < n; j++) {
        first[j] = 0.9 * first[j] + g[j];
        d[j] = -first[j];
    }
}

/* RMSProp (Tieleman & Hinton 2012, lecture 6.5). */
static void rmsprop(size_t n, size_t t, const double *g, double *first,
                    double *second, double *d) {
    (void)t;
    (void)first;
    for (size_t j = 0; j < n; j++) {
        second[j] = 0.9 * second[j] + 0.1 * g[j] * g[j];
        d[j] = -g[j] / (sqrt(second[j]) + 1e-8);
    }
}

/* Adam (Kingma & Ba 2015, algorithm 1) with its own constants. */
static void adam(size_t n, size_t t, const double *g, double *first,
                 double *second, double *d) {
    double bias1 = -expm1((double)(t + 1) * log(0.9));
    double bias2 = -expm1((double)(t + 1) * log(0.999));
    for (size_t j = 0; j < n; j++) {
        first[j] = 0.9 * first[j] + 0.1 * g[j];
        second[j] = 0.999 * second[j] + 0.001 * g[j] * g[j];
        d[j] = -(first[j] / bias1) / (sqrt(second[j] / bias2) + 1e-8);
    }
}

const ngi_rule ngi_rule_gradient = {gradient, 1};
const ngi_rule ngi_rule_momentum = {momentum, 0.1};
const ngi_rule ngi_rule_rmsprop = {rmsprop, 0.01};
const ngi_rule ngi_rule_adam = {adam, 0.01};
