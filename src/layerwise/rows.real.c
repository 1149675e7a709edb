#include "layerwise/rows.h"

#include <math.h>
#include <string.h>

void NR(example_gradient)(const engine *e, size_t worker, size_t example,
                          size_t first, size_t layers, size_t parameter,
                          size_t size, real *row) {
    memset(row, 0, size * sizeof *row);
    for (size_t l = first; l < first + layers; l++) {
        const ng_layer *layer = &e->architecture->layer[l];
        const layer_ops *ops = NR(layer_ops)(layer->kind);
        if (layer->parameters && ops->gradient)
            ops->gradient(e->pass[worker], l, example, 1,
                          row + (layer->parameter - parameter));
    }
}

NGI_VECTOR void NR(add_squares)(size_t n, real scale, const real *x, real *S) {
    for (size_t i = 0; i < n; i++)
        S[i] += scale * x[i] * x[i];
}

/* Has this place in the example's list of indices an earlier twin? */
static bool seen(const real *index, size_t place) {
    for (size_t s = 0; s < place; s++)
        if (index[s] == index[place])
            return true;
    return false;
}

void NR(table_squares)(const engine *e, size_t worker, size_t layer,
                       size_t count, const real *u, real scale, real *S) {
    const ng_layer *table = &e->architecture->layer[layer];
    const pass *p = e->pass[worker];
    size_t indices = table->in.channels, width = table->columns;
    for (size_t i = 0; i < count; i++, u += indices * width) {
        const real *index = p->value[layer] + i * pass_stride(p, layer);
        for (size_t t = 0; t < indices; t++) {
            real *out = S + (size_t)index[t] * width;
            if (seen(index, t))
                continue;
            for (size_t j = 0; j < width; j++) {
                real sum = 0;
                for (size_t s = t; s < indices; s++)
                    sum += index[s] == index[t] ? u[s * width + j] : 0;
                out[j] += scale * sum * sum;
            }
        }
    }
}

size_t NR(triangle_share)(size_t n, size_t worker, size_t workers) {
    if (worker == workers)
        return n;
    return (size_t)((double)n * sqrt((double)worker / (double)workers));
}

size_t NR(draws)(const ngi_architecture *architecture,
                 const ng_train_options *options) {
    if (options->fisher == NG_FISHER_EXACT)
        return architecture->outputs;
    if (options->fisher == NG_FISHER_SAMPLED)
        return options->fisher_samples ? options->fisher_samples : 1;
    return 1;
}
