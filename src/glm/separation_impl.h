/* The inside of the search for separation: separation.c decides,
 * separation_pass.c looks along directions, separation_sum.c adds up. */
#ifndef NGI_GLM_SEPARATION_IMPL_H
#define NGI_GLM_SEPARATION_IMPL_H

#include "glm/separation.h"

/* One inequality of a row: a = x in block `up`, -x in block `down`, `sign` at
 * threshold `psi`. */
typedef struct ngi_side {
    size_t up, down, psi; /* NGI_NO_SIDE where there is none */
    double sign;
} ngi_side;
static const size_t NGI_NO_SIDE = SIZE_MAX;

enum { NGI_SIDE_CHUNK = 128 };

/* The sides of a row as one of `most`, with what is known of them. */
typedef struct ngi_separation_worker {
    double *eta, *reach;        /* block x outputs: x'd, |x|'|d| */
    double *value;              /* block x most: along the directions so far */
    double *multiplier;         /* block x most */
    bool *alive;                /* block x most: not separated so far */
    ngi_side *side;             /* most */
    double *kernel;             /* scratch for scores or probabilities */
    size_t pending;             /* sides collected for G */
    ngi_side *chunk_side;       /* chunk */
    size_t *chunk_row;          /* chunk */
    double *chunk_root, *chunk; /* chunk, chunk x dim (column-major) */
    double *G, *b, *noise;      /* dim^2, dim, dim */
    double *square;             /* dim^2: of the parameters in `list` */
    size_t listed, *list;       /* dim */
    double *low, *high;         /* width: of the columns */
    size_t candidates, weakest; /* violated sides, the worst of them */
    double *score, *vector;     /* batch, batch x dim */
    uint64_t *id;               /* batch */
    double least;               /* multiplier */
    double ratio;               /* how far a trial may be added */
    size_t living, violated, risen, risen_rows;
} ngi_separation_worker;

typedef struct ngi_finder {
    const ngi_separation_spec *spec;
    ng_ctx *ctx;
    size_t width, outputs, thresholds, dim, most, batch;
    /* Columns are looked at as (x - shift) scale, in [-1, 1]. They are shifted
     * where a constant makes up for it: without, a time in seconds and the
     * constant would be one column to rounding. */
    double *scale, *shift, *magnitude; /* width; the largest |x| */
    size_t constant;                   /* column; NGI_NO_SIDE: none */
    double constant_sign;
    size_t kept;   /* parameters that may move */
    size_t *keep;  /* dim: which */
    double *G, *b; /* kept^2, kept: sums over the sides alive */
    double *noise; /* kept */
    size_t found;  /* directions: dim numbers each, then the reach of each */
    double *found_direction;
    double *trial, *combined; /* 2 dim: a direction and its reach */
    double tolerance;         /* of a value against its reach */
    size_t workers, passes;
    ngi_separation_worker *worker;
    bool weighted; /* sums are weighted by multipliers at theta */
} ngi_finder;

/* ---- separation_pass.c ---- */

/* The inequalities of a row with this y, at most f->most: their number. */
size_t ngi_sides(const ngi_finder *f, double y, ngi_side *out);
/* Whether y pulls both ways: an equality, as two sides. */
bool ngi_side_is_equality(const ngi_finder *f, double y);
/* The entry of parameter k in a side's vector, of row i. */
double ngi_side_entry(const ngi_finder *f, const ngi_glm_block *block,
                      const ngi_side *side, size_t i, size_t k);
static inline bool ngi_side_counts(const ngi_glm_block *block, size_t i) {
    return !block->weight || block->weight[i] > 0;
}
/* Which sides rise along none of the directions found: w->alive. */
void ngi_finder_living(const ngi_finder *f, const ngi_glm_block *block,
                       ngi_separation_worker *w);
/* A pass. */
ng_status ngi_finder_look(ngi_finder *f, ngi_glm_visit visit);

ng_status ngi_finder_reserve(ngi_finder *f);
void ngi_finder_release(ngi_finder *f);
/* scale, shift, constant and keep. */
ng_status ngi_finder_columns(ngi_finder *f);

typedef struct ngi_probe {
    size_t living, violated, risen, risen_rows;
    double ratio;
} ngi_probe;
/* Looks at the sides alive along the trial. The workers keep the most
 * violated. */
ng_status ngi_finder_probe(ngi_finder *f, ngi_probe *out);

/* ---- separation_sum.c ---- */

/* G = sum of l a a', b = sum of l a over the sides alive, l = 1 unless
 * weighted; their number, and the least multiplier. */
ng_status ngi_finder_sum(ngi_finder *f, size_t *living, double *least);

#endif
