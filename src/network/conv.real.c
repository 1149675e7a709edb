/* Convolution as a product: each output position's patch of the input is a
 * row, the trailing one takes the bias, and each group has rows of its own.
 * Patches stay in scratch for the gradient and for K-FAC; what backward and
 * tangent make goes through a slice small enough to stay in cache. */
#include "network/pass.h"

#include <string.h>

/* In scratch: the patches, group by group. Work: one packed image; a slice. */
typedef struct site {
    const ng_layer *layer;
    size_t in_size, in_stride, out_stride;
    size_t positions, columns;
    size_t in_group, out_group; /* channels of one group */
    size_t run, line;           /* reals of a row of kernel, of packed image */
    size_t block;               /* reals of one group's patches */
    bool packed; /* images must be copied before patches are taken */
    real *patches, *image, *slice;
    size_t slice_rows; /* that fit into the slice, and into cache */
} site;

/* One group's channels of an image with its padding around it. */
static size_t packed_size(const ng_layer *layer) {
    size_t height = layer->in.height + 2 * layer->padding[0];
    size_t width = layer->in.width + 2 * layer->padding[1];
    return height * width * (layer->in.channels / layer->groups);
}

static size_t scratch(const ng_layer *layer) {
    return layer->columns * layer->groups * ngi_shape_positions(&layer->out);
}

/* Patches that fit into a core's cache. */
static size_t cached_rows(const ng_layer *layer) {
    enum { CACHED_BYTES = 1 << 18 };
    return CACHED_BYTES / (layer->columns * sizeof(real)) + 1;
}

static size_t work(const ng_layer *layer) {
    return packed_size(layer) + cached_rows(layer) * layer->columns;
}

static site site_of(const pass *p, size_t l) {
    const ng_layer *layer = &p->architecture->layer[l];
    site s = {.layer = layer,
              .in_size = pass_size(p, l),
              .in_stride = pass_stride(p, l),
              .out_stride = pass_stride(p, l + 1),
              .positions = pass_positions(p, l + 1),
              .columns = layer->columns,
              .in_group = layer->in.channels / layer->groups,
              .out_group = layer->out.channels / layer->groups,
              .patches = p->scratch[l]};
    s.run = layer->kernel[1] * s.in_group;
    s.line = (layer->in.width + 2 * layer->padding[1]) * s.in_group;
    s.packed =
        layer->padding[0] || layer->padding[1] || s.in_group != s.in_stride;
    s.block = p->capacity * s.positions * s.columns;
    s.image = p->layer_work;
    s.slice = s.image + packed_size(layer);
    s.slice_rows = cached_rows(layer);
    return s;
}

/* ---- Packed images --------------------------------------------------------
 */

/* Where row y of the image begins between its padding. */
static real *packed_row(const site *s, size_t y) {
    const size_t *padding = s->layer->padding;
    return s->image + (y + padding[0]) * s->line + padding[1] * s->in_group;
}

static const real *pack(const site *s, const real *image) {
    size_t width = s->layer->in.width, group = s->in_group;
    if (!s->packed)
        return image;
    for (size_t y = 0; y < s->layer->in.height; y++) {
        const real *from = image + y * width * s->in_stride;
        real *to = packed_row(s, y);
        if (group == s->in_stride) {
            memcpy(to, from, width * group * sizeof *to);
            continue;
        }
        for (size_t x = 0; x < width; x++)
            for (size_t c = 0; c < group; c++)
                to[x * group + c] = from[x * s->in_stride + c];
    }
    return s->image;
}

static void add_unpacked(const site *s, real *image) {
    size_t width = s->layer->in.width, group = s->in_group;
    for (size_t y = 0; y < s->layer->in.height; y++) {
        real *to = image + y * width * s->in_stride;
        const real *from = packed_row(s, y);
        for (size_t x = 0; x < width; x++)
            for (size_t c = 0; c < group; c++)
                to[x * s->in_stride + c] += from[x * group + c];
    }
}

static void clear_packed(const site *s) {
    if (s->packed)
        memset(s->image, 0, packed_size(s->layer) * sizeof(real));
}

/* ---- Patches --------------------------------------------------------------
 */

/* A stretch of patches in one row of outputs. */
typedef struct stretch {
    size_t example, count;
    size_t start;     /* of the first patch in the packed image */
    bool first, last; /* of those asked for in this example */
} stretch;

/* The longest that begins with patch `at`; patches end before `end`. */
static stretch stretch_at(const site *s, size_t at, size_t begin, size_t end) {
    const ng_layer *layer = s->layer;
    size_t place = at % s->positions, width = layer->out.width;
    size_t row = place / width, column = place % width;
    stretch t = {.example = at / s->positions, .count = width - column};
    if (t.count > end - at)
        t.count = end - at;
    t.start = row * layer->stride[0] * s->line +
              column * layer->stride[1] * s->in_group;
    t.first = at == begin || place == 0;
    t.last = at + t.count == end || place + t.count == s->positions;
    return t;
}

/* `run` is told by the caller so that the compiler knows the short ones: a
 * call of memcpy would cost more than what it copies. */
static inline void gather_runs(const site *s, const real *image, size_t count,
                               size_t run, real one, real *patch) {
    size_t step = s->layer->stride[1] * s->in_group;
    size_t height = s->layer->kernel[0];
    for (size_t k = 0; k < count; k++, patch += s->columns, image += step) {
        for (size_t i = 0; i < height; i++)
            memcpy(patch + i * run, image + i * s->line, run * sizeof *patch);
        patch[height * run] = one;
    }
}

static void gather_stretch(const site *s, const real *image, size_t count,
                           real one, real *patch) {
    switch (s->run) {
    case 1:
        gather_runs(s, image, count, 1, one, patch);
        break;
    case 2:
        gather_runs(s, image, count, 2, one, patch);
        break;
    case 3:
        gather_runs(s, image, count, 3, one, patch);
        break;
    case 5:
        gather_runs(s, image, count, 5, one, patch);
        break;
    case 7:
        gather_runs(s, image, count, 7, one, patch);
        break;
    case 9:
        gather_runs(s, image, count, 9, one, patch);
        break;
    default:
        gather_runs(s, image, count, s->run, one, patch);
    }
}

NGI_VECTOR static void scatter_stretch(const site *s, const real *patch,
                                       size_t count, real *image) {
    size_t step = s->layer->stride[1] * s->in_group;
    for (size_t k = 0; k < count; k++, patch += s->columns, image += step)
        for (size_t i = 0; i < s->layer->kernel[0]; i++)
            for (size_t j = 0; j < s->run; j++)
                image[i * s->line + j] += patch[i * s->run + j];
}

/* Patches [first, first + count) of a group, `one` behind each. */
static void gather(const site *s, const real *images, size_t group,
                   size_t first, size_t count, real one, real *patches) {
    const real *image = NULL;
    stretch t;
    images += group * s->in_group;
    clear_packed(s);
    for (size_t at = first; at < first + count; at += t.count) {
        t = stretch_at(s, at, first, first + count);
        if (t.first)
            image = pack(s, images + t.example * s->in_size);
        gather_stretch(s, image + t.start, t.count, one,
                       patches + (at - first) * s->columns);
    }
}

/* Adds patches to the images they were taken from. */
static void scatter(const site *s, const real *patches, size_t group,
                    size_t first, size_t count, real *images) {
    stretch t;
    images += group * s->in_group;
    for (size_t at = first; at < first + count; at += t.count) {
        t = stretch_at(s, at, first, first + count);
        real *image = images + t.example * s->in_size;
        if (t.first)
            clear_packed(s);
        scatter_stretch(s, patches + (at - first) * s->columns, t.count,
                        (s->packed ? s->image : image) + t.start);
        if (t.last && s->packed)
            add_unpacked(s, image);
    }
}

/* ---- The layer ------------------------------------------------------------
 */

static size_t at_most(size_t a, size_t b) {
    return a < b ? a : b;
}

/* out (count rows from `first`) = patches W' + beta out */
static void multiply(const site *s, size_t group, const real *patches,
                     const real *weights, size_t first, size_t count, real beta,
                     real *out) {
    size_t row = group * s->out_group;
    NR(gemm_nt)
    (count, s->out_group, s->columns, 1, patches, s->columns,
     weights + row * s->columns, s->columns, beta,
     out + first * s->out_stride + row, s->out_stride);
}

static void forward(pass *p, size_t l, const real *theta) {
    site s = site_of(p, l);
    size_t total = p->rows * s.positions, count;
    for (size_t group = 0; group < s.layer->groups; group++)
        for (size_t first = 0; first < total; first += count) {
            real *patches = s.patches + group * s.block + first * s.columns;
            count = at_most(s.slice_rows, total - first);
            gather(&s, p->value[l], group, first, count, 1, patches);
            multiply(&s, group, patches, theta, first, count, 0,
                     p->value[l + 1]);
        }
}

static void backward(pass *p, size_t l, const real *theta) {
    site s = site_of(p, l);
    size_t total = p->rows * s.positions, count;
    if (!p->architecture->shared[l])
        memset(p->delta[l], 0, p->rows * s.in_size * sizeof(real));
    for (size_t group = 0; group < s.layer->groups; group++)
        for (size_t first = 0; first < total; first += count) {
            size_t row = group * s.out_group;
            count = at_most(s.slice_rows, total - first);
            NR(gemm_nn)
            (count, s.columns - 1, s.out_group, 1,
             p->delta[l + 1] + first * s.out_stride + row, s.out_stride,
             theta + row * s.columns, s.columns, 0, s.slice, s.columns);
            scatter(&s, s.slice, group, first, count, p->delta[l]);
        }
}

static void gradient(pass *p, size_t l, size_t first, size_t count, real *g) {
    site s = site_of(p, l);
    for (size_t group = 0; group < s.layer->groups; group++) {
        size_t row = group * s.out_group;
        NR(gemm_tn)
        (s.out_group, s.columns, count * s.positions, 1,
         p->delta[l + 1] + first * s.positions * s.out_stride + row,
         s.out_stride,
         s.patches + group * s.block + first * s.positions * s.columns,
         s.columns, 1, g + row * s.columns, s.columns);
    }
}

/* Patches of the inputs' tangents times W': all tangents are examples that
 * follow each other. */
static void tangent_inputs(pass *p, size_t l, const site *s,
                           const real *theta) {
    size_t total = p->tangents * p->tangent_rows * s->positions, count;
    for (size_t group = 0; group < s->layer->groups; group++)
        for (size_t first = 0; first < total; first += count) {
            count = at_most(s->slice_rows, total - first);
            gather(s, p->tangent[l], group, first, count, 0, s->slice);
            multiply(s, group, s->slice, theta, first, count, 0,
                     p->tangent[l + 1]);
        }
}

static void tangent(pass *p, size_t l, const real *theta, const real *const *v,
                    bool inputs) {
    site s = site_of(p, l);
    size_t rows = p->tangent_rows * s.positions;
    if (inputs)
        tangent_inputs(p, l, &s, theta);
    for (size_t k = 0; k < p->tangents; k++)
        for (size_t group = 0; group < s.layer->groups; group++)
            multiply(&s, group, s.patches + group * s.block,
                     v[k] + s.layer->parameter, k * rows, rows, inputs ? 1 : 0,
                     p->tangent[l + 1]);
}

static void capture_group(pass *p, size_t l, size_t group, size_t first,
                          size_t count, capture *out) {
    site s = site_of(p, l);
    size_t row = first * s.positions;
    *out = (capture){.a = s.patches + group * s.block + row * s.columns,
                     .lda = s.columns,
                     .g = p->delta[l + 1] + row * s.out_stride +
                          group * s.out_group,
                     .ldg = s.out_stride,
                     .rows = count * s.positions,
                     .positions = s.positions};
}

const layer_ops NR(conv) = {
    .name = "conv",
    .scratch = scratch,
    .work = work,
    .forward = forward,
    .backward = backward,
    .gradient = gradient,
    .tangent = tangent,
    .capture = capture_group,
};
