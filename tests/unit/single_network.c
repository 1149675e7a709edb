#define NGI_DOUBLE 0
#include "single_network.h"

#include "network/pass.h"

static void run_pass(pass *p, const ng_batch *batch, const float *theta,
                     float *gradient) {
    ngi_pass_gather_f32(p, batch, 0, 0, batch->count);
    ngi_pass_forward_f32(p, theta);
    ngi_output_gradient_f32(p, batch->count);
    ngi_pass_backward_f32(p, theta, batch->count, gradient);
}

ng_status single_run(const ngi_architecture *a, const ng_batch *batch,
                     const double *theta, double *z, double *gradient) {
    pass *p;
    float *own = ngi_alloc(a->ctx, 2 * a->dim, sizeof *own);
    if (!own)
        return NG_ENOMEM;
    for (size_t i = 0; i < a->dim; i++)
        own[i] = (float)theta[i];
    ng_status status = ngi_pass_create_f32(a, batch->count, 0, &p);
    if (status == NG_OK) {
        const float *out = p->value[a->layers];
        size_t stride = pass_stride(p, a->layers);
        run_pass(p, batch, own, own + a->dim);
        for (size_t i = 0; i < batch->count * a->outputs; i++)
            z[i] = (double)out[i / a->outputs * stride + i % a->outputs];
        for (size_t i = 0; i < a->dim; i++)
            gradient[i] = (double)own[a->dim + i];
        ngi_pass_destroy_f32(&p);
    }
    ngi_free(a->ctx, own);
    return status;
}
