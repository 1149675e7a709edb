/* Every allocation made to fail in turn: an error, no leak, no crash, and the
 * same call succeeds afterwards. */
#include "fixture.h"

#include "data/csv.h"

#include <unistd.h>

/* An allocator that counts, and refuses one request. */
typedef struct heap {
    size_t live, requests;
    size_t refused; /* number of the request, from 1; 0 for none */
} heap;

static bool refuses(heap *h) {
    return ++h->requests == h->refused;
}

static void *heap_alloc(void *user, size_t size) {
    heap *h = user;
    void *block = refuses(h) ? NULL : malloc(size);
    h->live += block ? 1 : 0;
    return block;
}

static void *heap_resize(void *user, void *block, size_t size) {
    heap *h = user;
    if (refuses(h))
        return NULL;
    void *grown = realloc(block, size);
    h->live += grown && !block ? 1 : 0;
    return grown;
}

static void heap_release(void *user, void *block) {
    heap *h = user;
    h->live -= block ? 1 : 0;
    free(block);
}

static const char TEXT[] =
    "x,group,y,class,n\n0.5,a,1.2,p,3\n1.5,b,2.9,q,4\n2.1,a,2.2,r,2\n"
    "2.9,c,4.1,p,5\n3.3,b,3.7,q,6\n4.2,c,6.1,r,3\n4.8,a,4.4,q,7\n"
    "5.5,b,5.9,r,5\n6.1,c,8.8,p,8\n6.6,a,5.2,r,4\n";

/* What a sweep works with, made before the heap begins to refuse. */
typedef struct scene {
    heap h;
    ng_ctx *ctx;
    ng_frame *frame;
    ng_model *model, *other;
    char path[64];
} scene;

static void scene_open(scene *s) {
    ng_allocator allocator = {heap_alloc, heap_resize, heap_release, &s->h};
    ng_ctx_options options = {.allocator = &allocator, .threads = 2};
    memset(s, 0, sizeof *s);
    ck_assert_int_eq(ng_ctx_create(&options, &s->ctx), NG_OK);
    ck_assert_int_eq(ngi_frame_parse_csv(s->ctx, "text", TEXT, strlen(TEXT),
                                         NULL, &s->frame),
                     NG_OK);
    strcpy(s->path, "/tmp/natgrad-test-XXXXXX");
    int fd = mkstemp(s->path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void scene_close(scene *s) {
    unlink(s->path);
    ng_model_destroy(&s->model);
    ng_model_destroy(&s->other);
    ng_frame_destroy(&s->frame);
    ng_ctx_destroy(&s->ctx);
    ck_assert_uint_eq(s->h.live, 0);
}

typedef ng_status (*task)(scene *s, size_t which);

/* Refuses the first request, then the second, ... until the task needs fewer.
 * A task leaves nothing behind. */
static size_t sweep(scene *s, task run, size_t which) {
    enum { MOST = 100000 };
    for (size_t n = 1; n < MOST; n++) {
        size_t live = s->h.live;
        s->h.requests = 0;
        s->h.refused = n;
        ng_status status = run(s, which);
        bool refused = s->h.requests >= n;
        s->h.refused = 0;
        ck_assert_msg(s->h.live == live, "request %zu: %zu blocks leaked", n,
                      s->h.live - live);
        if (!refused) {
            ck_assert_msg(status == NG_OK, "%s", ng_error(s->ctx));
            return n - 1;
        }
        ck_assert_msg(status == NG_ENOMEM, "request %zu: status %d (%s)", n,
                      (int)status, ng_error(s->ctx));
        ck_assert_str_eq(ng_error(s->ctx), "out of memory");
    }
    ck_abort_msg("the task never got all it asked for");
    return 0;
}

/* ---- Fits ---- */

typedef struct fit_kind {
    const char *family, *link, *target, *metric;
    ng_optimizer optimizer;
    ng_std_errors errors;
} fit_kind;

static const fit_kind GLMS[] = {
    {"gaussian", NULL, "y", NULL, NG_NATURAL, NG_SE_EXPECTED},
    {"gaussian", "inverse", "y", NULL, NG_NATURAL, NG_SE_OBSERVED},
    {"gamma", "log", "y", "cg", NG_NATURAL, NG_SE_ROBUST},
    {"inverse-gaussian", "log", "y", "sample-space", NG_NATURAL,
     NG_SE_EXPECTED},
    {"poisson", NULL, "n", "diagonal", NG_NATURAL, NG_SE_OBSERVED},
    {"poisson", "identity", "n", NULL, NG_NEWTON, NG_SE_ROBUST},
    {"poisson", NULL, "n", NULL, NG_ADAM, NG_SE_NONE},
    {"multinomial", NULL, "class", NULL, NG_NATURAL, NG_SE_EXPECTED},
};
enum { GLM_COUNT = sizeof GLMS / sizeof *GLMS };

static ng_status fit_glm_once(scene *s, size_t which) {
    static const char *const features[] = {"x", "group"};
    const fit_kind *k = &GLMS[which];
    ng_glm_options options = glm_options(k->family, k->link, k->target);
    ng_model *model;
    options.features = features;
    options.feature_count = 2;
    options.l2 = which == GLM_COUNT - 1 ? 0.1 : 0;
    options.std_errors = k->errors;
    options.fit.optimizer = k->optimizer;
    options.fit.metric = k->metric;
    options.fit.max_iter = 30;
    ng_status status = ng_glm_fit(s->ctx, s->frame, &options, &model);
    ck_assert((status == NG_OK) == (model != NULL));
    ng_model_destroy(&model);
    return status;
}

START_TEST(every_allocation_of_a_glm_fit_can_fail) {
    scene s;
    scene_open(&s);
    ck_assert_uint_gt(sweep(&s, fit_glm_once, (size_t)_i), 10);
    scene_close(&s);
}
END_TEST

static const char *const DISTS[] = {"normal",  "gamma",    "student-t",
                                    "laplace", "mvnormal", "categorical"};
enum { DIST_COUNT = sizeof DISTS / sizeof *DISTS };

static ng_status fit_dist_once(scene *s, size_t which) {
    static const char *const y[] = {"y", "x"}, *const levels[] = {"class"};
    bool classes = strcmp(DISTS[which], "categorical") == 0;
    bool vector = strcmp(DISTS[which], "mvnormal") == 0;
    ng_dist_options options =
        dist_options(DISTS[which], classes ? levels : y, vector ? 2 : 1);
    ng_model *model;
    options.weights = "n";
    options.std_errors = which % 2 ? NG_SE_OBSERVED : NG_SE_EXPECTED;
    options.fit.max_iter = 30;
    ng_status status = ng_dist_fit(s->ctx, s->frame, &options, &model);
    ck_assert((status == NG_OK) == (model != NULL));
    ng_model_destroy(&model);
    return status;
}

START_TEST(every_allocation_of_a_dist_fit_can_fail) {
    scene s;
    scene_open(&s);
    ck_assert_uint_gt(sweep(&s, fit_dist_once, (size_t)_i), 10);
    scene_close(&s);
}
END_TEST

/* ---- Models ---- */

static ng_status save_once(scene *s, size_t which) {
    (void)which;
    return ng_model_save(s->model, s->path);
}

static ng_status load_once(scene *s, size_t which) {
    ng_model *model;
    (void)which;
    ng_status status = ng_model_load(s->ctx, s->path, &model);
    ck_assert((status == NG_OK) == (model != NULL));
    ng_model_destroy(&model);
    return status;
}

static ng_status predict_once(scene *s, size_t which) {
    const ng_predict_options options = {
        .interval = 0.9, .level = 0.95, .std_errors = 1};
    ng_prediction *p;
    (void)which;
    ng_status status = ng_model_predict(s->model, s->frame, &options, &p);
    ck_assert((status == NG_OK) == (p != NULL));
    ng_prediction_destroy(&p);
    return status;
}

static ng_status residuals_once(scene *s, size_t which) {
    ng_prediction *p;
    (void)which;
    ng_status status = ng_model_residuals(s->model, s->frame, 1, &p);
    ck_assert((status == NG_OK) == (p != NULL));
    ng_prediction_destroy(&p);
    return status;
}

static ng_status evaluate_once(scene *s, size_t which) {
    double loss, accuracy;
    (void)which;
    return ng_model_evaluate(s->model, s->frame, &loss, &accuracy);
}

static ng_status kl_once(scene *s, size_t which) {
    double ab, ba;
    (void)which;
    return ng_model_kl(s->model, s->other, s->frame, &ab, &ba);
}

static ng_status print_once(scene *s, size_t which) {
    char *text;
    (void)which;
    ng_status status = ng_model_to_json(s->model, &text);
    ck_assert((status == NG_OK) == (text != NULL));
    ng_text_free(s->ctx, &text);
    return status;
}

static void make_models(scene *s, const char *family, const char *target) {
    static const char *const features[] = {"x", "group"};
    ng_glm_options options = glm_options(family, NULL, target);
    options.features = features;
    options.feature_count = 2;
    options.l2 = 0.1;
    ck_assert_int_eq(ng_glm_fit(s->ctx, s->frame, &options, &s->model), NG_OK);
    options.feature_count = 1;
    ck_assert_int_eq(ng_glm_fit(s->ctx, s->frame, &options, &s->other), NG_OK);
}

START_TEST(every_allocation_around_a_model_can_fail) {
    static const task TASKS[] = {save_once,     load_once, predict_once,
                                 evaluate_once, kl_once,   print_once};
    static const char *const family[] = {"gaussian", "multinomial", "ordinal"};
    static const char *const target[] = {"y", "class", "class"};
    scene s;
    scene_open(&s);
    make_models(&s, family[_i], target[_i]);
    for (size_t i = 0; i < sizeof TASKS / sizeof *TASKS; i++)
        ck_assert_uint_gt(sweep(&s, TASKS[i], 0), 0);
    if (strcmp(family[_i], "multinomial") != 0)
        ck_assert_uint_gt(sweep(&s, residuals_once, 0), 0);
    scene_close(&s);
}
END_TEST

/* Tests of this program have no use for the fixture's own context. */
static void add(TCase *tests) {
    tcase_add_loop_test(tests, every_allocation_of_a_glm_fit_can_fail, 0,
                        GLM_COUNT);
    tcase_add_loop_test(tests, every_allocation_of_a_dist_fit_can_fail, 0,
                        DIST_COUNT);
    tcase_add_loop_test(tests, every_allocation_around_a_model_can_fail, 0, 3);
}

int main(void) {
    return learner_main("learner_memory", add);
}
