/* A block of rows on its way through a network, and what a layer must do. One
 * pass belongs to one worker. */
#ifndef NGI_PASS_H
#define NGI_PASS_H

#include "network/architecture.h"
#include "network/real.h"

enum { NGI_TANGENTS = 2 };

typedef struct pass {
    const ngi_architecture *architecture;
    size_t capacity, rows; /* examples */
    bool targeted;         /* the batch has targets: losses mean something */
    /* layers + 1 of each; see ngi_value_stride. delta is d loss / d value. */
    real **value, **delta;
    /* J v of up to NGI_TANGENTS vectors, one behind the other: tangent k of
     * example i is at row k * tangent_rows + i. NULL without tangents. */
    real **tangent;
    size_t tangent_capacity, tangent_rows, tangents;
    real **scratch; /* of each layer, kept from forward to backward */
    real *target;   /* capacity x targets */
    real *work;     /* two examples */
    real *layer_work;
    real *mean;     /* capacity x outputs: what outputs keep of a row */
    double *losses; /* capacity */
    double *wide;   /* what the core's family functions need for a row */
    size_t *row;    /* capacity: where the rows came from */
    real *memory;
} pass;

/* A layer whose weights see inputs a and output gradients g: the gradient of
 * an example is the sum over its `positions` rows of g a'. */
typedef struct capture {
    const real *a; /* rows x columns (the bias's one included) */
    const real *g; /* rows x rows of the weights */
    size_t lda, ldg;
    size_t rows, positions; /* of all examples; of one */
} capture;

typedef struct layer_ops {
    const char *name;
    /* Reals an example kept between forward and backward. Optional: none. */
    size_t (*scratch)(const ng_layer *layer);
    /* Reals that a call works in, which all layers share. Optional: none. */
    size_t (*work)(const ng_layer *layer);
    void (*forward)(pass *p, size_t l, const real *theta);
    /* delta[l] from delta[l + 1]; where value l is shared it is added. */
    void (*backward)(pass *p, size_t l, const real *theta);
    /* g (the layer's parameters) += the gradient of `count` examples from
     * `first`. Optional: no parameters. */
    void (*gradient)(pass *p, size_t l, size_t first, size_t count, real *g);
    /* tangent[l + 1] of the first tangent_rows examples from tangent[l] and
     * the directions v[0..tangents) of all parameters. Where `inputs` is false
     * tangent[l] is zero. */
    void (*tangent)(pass *p, size_t l, const real *theta, const real *const *v,
                    bool inputs);
    /* What of `count` examples from `first` K-FAC looks at, group by group
     * (conv). Optional: no Kronecker factors. */
    void (*capture)(pass *p, size_t l, size_t group, size_t first, size_t count,
                    capture *out);
} layer_ops;

extern const layer_ops NR(dense), NR(conv), NR(max_pool), NR(average_pool),
    NR(flatten), NR(layer_norm), NR(embedding), NR(sum), NR(activation);

/* The table entry of a layer. */
const layer_ops *NR(layer_ops)(ng_layer_kind kind);

static inline size_t pass_stride(const pass *p, size_t value) {
    return ngi_value_stride(ngi_value_shape(p->architecture, value));
}
static inline size_t pass_positions(const pass *p, size_t value) {
    return ngi_shape_positions(ngi_value_shape(p->architecture, value));
}
/* Reals an example takes in value v. */
static inline size_t pass_size(const pass *p, size_t value) {
    return pass_positions(p, value) * pass_stride(p, value);
}

/* Reals that a pass of so many rows takes, for whoever plans memory. */
size_t NR(pass_size)(const ngi_architecture *architecture, size_t capacity,
                     size_t tangent_capacity);
ng_status NR(pass_create)(const ngi_architecture *architecture, size_t capacity,
                          size_t tangent_capacity, pass **out);
void NR(pass_destroy)(pass **p);

/* Fills value 0 and the targets, from example `at` of the pass on, with
 * `count` of the batch's rows from `first`; p->rows = at + count. */
void NR(pass_gather)(pass *p, const ng_batch *batch, size_t at, size_t first,
                     size_t count);
void NR(pass_forward)(pass *p, const real *theta);
/* From delta of the last value down to the first layer with parameters; where
 * `gradient` is not NULL, adds the gradient of all rows to it. Only the first
 * `count` examples. */
void NR(pass_backward)(pass *p, const real *theta, size_t count,
                       real *gradient);
/* Tangents of the first `rows` examples along v[0 .. tangents). */
void NR(pass_tangent)(pass *p, const real *theta, const real *const *v,
                      size_t tangents, size_t rows);

/* ---- Outputs: the family at the last value --------------------------------
 */
typedef struct output_sums {
    double loss, right, squared_error;
} output_sums;

/* All but `prepare` look at one row and what that left in p->mean. */
typedef struct output_ops {
    /* The first `count` rows: p->losses, and p->mean as the others want it. */
    void (*prepare)(pass *p, size_t count);
    /* Adds to `right` or `squared_error`. */
    void (*score)(pass *p, size_t row, output_sums *sums);
    /* u = d loss / dz */
    void (*gradient)(pass *p, size_t row, real *u);
    /* The same with y drawn from the model. */
    void (*sampled)(pass *p, size_t row, ng_rng *rng, real *u);
    /* Column c (0 .. outputs) of R, F_z = R R'. */
    void (*root)(pass *p, size_t row, size_t c, real *u);
    /* out = F_z v */
    void (*fisher)(pass *p, size_t row, const real *v, real *out);
} output_ops;

extern const output_ops NR(output_bernoulli), NR(output_softmax),
    NR(output_gaussian), NR(output_family);
const output_ops *NR(output_ops)(const ngi_architecture *architecture);

/* Every forward pass ends with this; whoever changes the last value otherwise
 * calls it again. */
void NR(output_prepare)(pass *p, size_t count);
/* The sum of losses of the first `count` rows. */
double NR(output_loss)(const pass *p, size_t count);
/* Adds the sums of rows [first, first + count). */
void NR(output_sums)(pass *p, size_t first, size_t count, output_sums *sums);
/* delta of the last value = d loss / dz of the first `count` rows. */
void NR(output_gradient)(pass *p, size_t count);
/* The same with labels drawn from the model: a row's depend on the seed,
 * `draw` and its number in the batch, `number` + its place here. */
void NR(output_sampled)(pass *p, size_t count, uint64_t seed, uint64_t draw,
                        size_t number);
/* delta = column c of a root of the family's Fisher. */
void NR(output_root)(pass *p, size_t count, size_t c);
/* out = F_z v for `count` rows from `first`, row strides ld. */
void NR(output_fisher)(pass *p, size_t first, size_t count, const real *v,
                       size_t ldv, real *out, size_t ldo);
/* KL(p(z0) || p(z of this pass)) of the first `count` rows, summed; z0 has row
 * stride ld0. In double, so that close points keep their accuracy. */
double NR(output_kl)(pass *p, size_t count, const real *z0, size_t ld0);
/* The family's means, count x (replicates x dim_mean). */
void NR(output_mean)(pass *p, size_t first, size_t count, double *mean);
/* Doubles of `wide`. */
size_t NR(output_wide)(const ngi_architecture *architecture);

#endif
