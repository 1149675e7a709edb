#include "fixture.h"

#include "data/csv.h"

ng_ctx *ctx;

static void set_up(void) {
    ng_ctx_options options = {.threads = 1};
    ck_assert_int_eq(ng_ctx_create(&options, &ctx), NG_OK);
}

static void tear_down(void) {
    ng_ctx_destroy(&ctx);
}

int learner_main(const char *name, void (*add)(TCase *tests)) {
    Suite *suite = suite_create(name);
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 300);
    add(tests);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

void check_relative(const char *what, double x, double y, double tolerance) {
    ck_assert_msg(fabs(x - y) <= tolerance * fabs(y),
                  "%s: %.17g, expected %.17g, off by %.2g of it", what, x, y,
                  fabs(x - y) / fabs(y));
}

/* ---- Frames ---- */

ng_frame *frame_of_text(const char *csv, const char *factor) {
    ng_frame *frame;
    ng_frame_options options = {.factors = &factor,
                                .factor_count = factor ? 1 : 0};
    OK(ngi_frame_parse_csv(ctx, "text", csv, strlen(csv), &options, &frame));
    return frame;
}

ng_frame *frame_of_arrays(size_t rows, size_t columns, const char *const *names,
                          const double *const *values) {
    ng_frame *frame;
    OK(ng_frame_from_arrays(ctx, rows, columns, names, values, &frame));
    return frame;
}

static bool find_reference(const char *test, const char *file, char *path,
                           size_t size) {
    snprintf(path, size, "%s/reference/stat/%s", NG_SHARED_DIR, file);
    FILE *stream = fopen(path, "rb");
    if (stream) {
        fclose(stream);
        return true;
    }
    printf("SKIP %s: %s is not there\n", test, path);
    fflush(stdout);
    return false;
}

ng_frame *frame_of_reference(const char *test, const char *file) {
    char path[4096];
    ng_frame *frame;
    if (!find_reference(test, file, path, sizeof path))
        return NULL;
    OK(ng_frame_read_csv(ctx, path, NULL, &frame));
    return frame;
}

char *reference_text(const char *test, const char *file) {
    enum { MOST = 1 << 16 };
    char path[4096];
    if (!find_reference(test, file, path, sizeof path))
        return NULL;
    char *text = malloc(MOST);
    FILE *stream = fopen(path, "rb");
    ck_assert(text && stream);
    size_t length = fread(text, 1, MOST - 1, stream);
    text[length] = '\0';
    fclose(stream);
    return text;
}

/* ---- Fits ---- */

ng_glm_options glm_options(const char *family, const char *link,
                           const char *target) {
    ng_glm_options options;
    ng_glm_options_init(&options);
    options.family = family;
    options.link = link;
    options.target = target;
    return options;
}

ng_model *fit_glm(const ng_frame *frame, const ng_glm_options *options) {
    ng_model *model;
    OK(ng_glm_fit(ctx, frame, options, &model));
    return model;
}

ng_dist_options dist_options(const char *family, const char *const *columns,
                             size_t count) {
    ng_dist_options options;
    ng_dist_options_init(&options);
    options.family = family;
    options.columns = columns;
    options.column_count = count;
    return options;
}

ng_model *fit_dist(const ng_frame *frame, const ng_dist_options *options) {
    ng_model *model;
    OK(ng_dist_fit(ctx, frame, options, &model));
    return model;
}

double estimate(const ng_model *model, size_t i) {
    return ng_model_summary(model)->parameter[i].estimate;
}

double std_error(const ng_model *model, size_t i) {
    return ng_model_summary(model)->parameter[i].std_error;
}

const ng_parameter *parameter(const ng_model *model, const char *term,
                              const char *level) {
    const ng_summary *s = ng_model_summary(model);
    for (size_t i = 0; i < s->parameters; i++) {
        const ng_parameter *p = &s->parameter[i];
        if (strcmp(p->term, term) == 0 &&
            (!level || strcmp(p->level, level) == 0))
            return p;
    }
    ck_abort_msg("no parameter \"%s\"", term);
    return NULL;
}

void check_same_fit(const ng_model *a, const ng_model *b, double tolerance) {
    const ng_summary *s = ng_model_summary(a), *t = ng_model_summary(b);
    ck_assert_uint_eq(s->parameters, t->parameters);
    for (size_t i = 0; i < s->parameters; i++) {
        const ng_parameter *p = &s->parameter[i], *q = &t->parameter[i];
        NEAR(p->estimate, q->estimate, tolerance * q->std_error);
        check_relative(p->term, p->std_error, q->std_error, tolerance);
    }
}

/* ---- Algebra ---- */

static void exchange(size_t d, double *a, double *b) {
    for (size_t j = 0; j < d; j++) {
        double kept = a[j];
        a[j] = b[j];
        b[j] = kept;
    }
}

static void eliminate(size_t d, size_t k, double *W, double *inverse) {
    double pivot = W[k * d + k];
    for (size_t j = 0; j < d; j++) {
        W[k * d + j] /= pivot;
        inverse[k * d + j] /= pivot;
    }
    for (size_t i = 0; i < d; i++) {
        double factor = W[i * d + k];
        for (size_t j = 0; i != k && j < d; j++) {
            W[i * d + j] -= factor * W[k * d + j];
            inverse[i * d + j] -= factor * inverse[k * d + j];
        }
    }
}

void invert(size_t d, const double *A, double *inverse) {
    double W[400];
    ck_assert_uint_le(d * d, sizeof W / sizeof *W);
    memcpy(W, A, d * d * sizeof *W);
    for (size_t i = 0; i < d * d; i++)
        inverse[i] = i % (d + 1) == 0 ? 1 : 0;
    for (size_t k = 0; k < d; k++) {
        size_t best = k;
        for (size_t i = k + 1; i < d; i++) {
            if (fabs(W[i * d + k]) > fabs(W[best * d + k]))
                best = i;
        }
        exchange(d, W + k * d, W + best * d);
        exchange(d, inverse + k * d, inverse + best * d);
        eliminate(d, k, W, inverse);
    }
}
