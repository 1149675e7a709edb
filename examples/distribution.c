/* Maximum likelihood of a distribution: a gamma fitted to an array, with
 * standard errors from the Fisher information. */
#include <natgrad/natgrad.h>

#include <stdio.h>

/* Hours between failures of an air-conditioning unit (Proschan 1963,
 * Technometrics 5, plane 7910). */
static const double hours[] = {74, 57,  48, 29, 502, 12, 70, 21,
                               29, 386, 59, 27, 153, 26, 326};

static void print(const ng_summary *summary) {
    printf("%s, %g values\n", summary->family, summary->n);
    for (size_t i = 0; i < summary->parameters; i++) {
        const ng_parameter *p = &summary->parameter[i];
        printf("  %-6s %10.6f  (standard error %.6f)\n", p->term, p->estimate,
               p->std_error);
    }
    printf("  log-likelihood %.4f, AIC %.4f\n", summary->log_likelihood,
           summary->aic);
    printf("  %zu iterations, %.3g nats travelled, %s\n", summary->iterations,
           summary->kl_total, ng_stop_text(summary->stop));
}

static ng_status fit(ng_ctx *ctx, int *converged) {
    static const char *const name[] = {"hours"};
    const double *const column[] = {hours};
    ng_frame *frame;
    ng_model *model = NULL;
    ng_dist_options options;
    ng_status status = ng_frame_from_arrays(ctx, sizeof hours / sizeof *hours,
                                            1, name, column, &frame);
    if (status != NG_OK)
        return status;
    ng_dist_options_init(&options);
    options.family = "gamma";
    options.columns = name;
    options.column_count = 1;
    status = ng_dist_fit(ctx, frame, &options, &model);
    if (status == NG_OK) {
        print(ng_model_summary(model));
        /* A run that stops elsewhere is no error: the summary says so. */
        *converged = ng_model_summary(model)->converged;
    }
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
    return status;
}

int main(void) {
    ng_ctx *ctx;
    int converged = 0;
    if (ng_ctx_create(NULL, &ctx) != NG_OK)
        return 1;
    ng_status status = fit(ctx, &converged);
    if (status != NG_OK)
        fprintf(stderr, "distribution: %s: %s\n", ng_status_text(status),
                ng_error(ctx));
    ng_ctx_destroy(&ctx);
    return status != NG_OK || !converged;
}
