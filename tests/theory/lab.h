/* A network with a batch on its way through it, and the metrics of networks
 * looked at from outside: what a solve says about the matrix behind it. All in
 * double precision. */
#ifndef THEORY_LAB_H
#define THEORY_LAB_H

#include "fixture.h"

#define NGI_DOUBLE 1
#include "layerwise/factors.h"

typedef struct lab_case {
    const char *layers;
    ng_shape input;
    const char *family;
    size_t levels, targets;
    size_t rows;
} lab_case;

/* Every kind of layer with parameters, outputs with and without constant
 * Fisher. The second is a linear network. */
enum { LAB_CASE_COUNT = 7, LAB_MOST_DIM = 128 };
extern const lab_case LAB_CASES[LAB_CASE_COUNT];

enum { LAB_WORKERS = 4 };

typedef struct lab {
    ng_ctx *ctx;
    ng_network *network;
    engine *e; /* the network's */
    size_t dim, rows;
    ng_array x, y;
    ng_batch batch;
    ng_rng rng;
    ng_train_options options;
    metric m;
    size_t count[LAB_WORKERS];
} lab;

/* Weights and data drawn at random, and the rows gone forward. `threads` is
 * that of `own`. */
void lab_open(lab *l, ng_ctx *own, const lab_case *kind);
void lab_close(lab *l);
/* Arrays of rows x width. */
ng_array lab_array(ng_ctx *own, size_t rows, size_t width);

/* A metric for the lab's options; the one before is destroyed. */
void lab_metric(lab *l, ng_trainer optimizer);
/* The backward passes of a collection, each given to `collect`. */
typedef void lab_collector(lab *l, const collection *c, size_t worker);
void lab_collect_into(lab *l, lab_collector *collect, double decay,
                      uint64_t draw);
/* One collection, refreshed with the damping and adopted. */
void lab_update(lab *l, double damping);
void lab_collect(lab *l, double decay, uint64_t draw);
void lab_refresh(lab *l, double damping);
/* M of (M + damping I)^-1, which the metric's solves stand for. */
void lab_matrix(lab *l, double damping, double *M);

/* F by the network's gradients, one example and one label (one output) at a
 * time, with no part of a metric in it: both triangles. */
void lab_fisher(lab *l, double *F);
/* The gradients that F is made of: rows of weight w, F = sum w g g'. Returns
 * how many; at most rows * outputs. */
size_t lab_gradients(lab *l, double *gradient, double *weight);

/* sum of the squares of A - B within [first, first + size)^2 */
double lab_block_distance(size_t dim, const double *A, const double *B,
                          size_t first, size_t size);

/* ---- What comparisons need ---- */

/* n x n zeros. */
double *lab_square(size_t n);
double lab_largest(size_t n, const double *A);
/* Of an entry of F: a sum over rows and outputs of products of gradients, which
 * come through a few layers. A generous count of roundings. */
double lab_rounding(const lab *l, const double *F);
/* A damping of the size of F: inverting what solves say loses few digits. */
double lab_fitting_damping(size_t n, const double *F);

#endif
