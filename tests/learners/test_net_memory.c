/* Every allocation of a net made to fail in turn: an error, no leak, no crash,
 * and the same call succeeds afterwards. */
#include "net_fixture.h"

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

/* What a sweep works with, made before the heap begins to refuse. */
typedef struct scene {
    heap h;
    folder place;
    char csv[512], images[512], labels[512], model[512], run[512];
    ng_net_data *data;
    ng_net *net;
} scene;

static void scene_write_arrays(scene *s) {
    const size_t shape[] = {20, 4, 4}, flat[] = {20};
    ng_array x, y;
    OK(ng_array_create(ctx, NG_U8, 3, shape, &x));
    OK(ng_array_create(ctx, NG_U8, 1, flat, &y));
    for (size_t i = 0; i < 20 * 16; i++)
        ((unsigned char *)x.data)[i] = (unsigned char)(i * i % 200);
    for (size_t i = 0; i < 20; i++)
        ((unsigned char *)y.data)[i] = (unsigned char)(i % 2);
    OK(ng_array_write_npy(ctx, s->images, &x));
    OK(ng_array_write_npy(ctx, s->labels, &y));
    ng_array_free(ctx, &x);
    ng_array_free(ctx, &y);
}

static void scene_open(scene *s) {
    memset(s, 0, sizeof *s);
    ng_allocator allocator = {heap_alloc, heap_resize, heap_release, &s->h};
    ng_ctx_options options = {.allocator = &allocator, .threads = 1};
    ng_ctx_destroy(&ctx);
    ck_assert_int_eq(ng_ctx_create(&options, &ctx), NG_OK);
    folder_open(&s->place);
    strcpy(s->csv, folder_file(&s->place, "points.csv"));
    strcpy(s->images, folder_file(&s->place, "images.npy"));
    strcpy(s->labels, folder_file(&s->place, "labels.npy"));
    strcpy(s->model, folder_file(&s->place, "net.safetensors"));
    strcpy(s->run, folder_file(&s->place, "run"));
    write_points(s->csv, 40, 1);
    scene_write_arrays(s);
}

static void scene_close(scene *s) {
    ng_net_destroy(&s->net);
    ng_net_data_destroy(&s->data);
    folder_remove(s->place.path);
    ng_ctx_destroy(&ctx);
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
            ck_assert_msg(status == NG_OK, "%s", ng_error(ctx));
            return n - 1;
        }
        ck_assert_msg(status == NG_ENOMEM, "request %zu: status %d (%s)", n,
                      (int)status, ng_error(ctx));
        ck_assert_ptr_nonnull(strstr(ng_error(ctx), "out of memory"));
    }
    ck_abort_msg("the task never got all it asked for");
    return 0;
}

/* ---- Tasks ----------------------------------------------------------------
 */

static ng_status read_once(scene *s, size_t which) {
    static const char *const targets[] = {"kind", "y", "self", NULL};
    static const char *const families[] = {NULL, "gaussian", NULL,
                                           "categorical"};
    static const char *const numbers[] = {"a", "b"};
    ng_net_source source = {.path = which == 3 ? s->images : s->csv,
                            .target = which == 3 ? s->labels : targets[which]};
    ng_net_data *data;
    if (which == 2) {
        source.features = numbers;
        source.feature_count = 2;
    }
    ng_status status =
        ng_net_data_read(ctx, &source, families[which], NULL, &data);
    ck_assert((status == NG_OK) == (data != NULL));
    ng_net_data_destroy(&data);
    return status;
}

static ng_status read_like_once(scene *s, size_t which) {
    const ng_net_source source = {.path = s->csv,
                                  .target = which ? "kind" : NULL};
    ng_net_data *data;
    ng_status status = ng_net_data_read(ctx, &source, NULL, s->net, &data);
    ck_assert((status == NG_OK) == (data != NULL));
    ng_net_data_destroy(&data);
    return status;
}

typedef struct fit_kind {
    ng_trainer optimizer;
    const char *layers;
    double valid_fraction;
} fit_kind;

static const fit_kind FITS[] = {
    {NG_TRAIN_KFAC, "3 tanh", 0.25},
    {NG_TRAIN_EKFAC, "3 tanh", 0},
    {NG_TRAIN_ADAM, "[4 relu, 5], layer-norm", 0},
};
enum { FIT_COUNT = sizeof FITS / sizeof *FITS };

static ng_net_options options_of(const scene *s, size_t which) {
    ng_net_options options =
        net_options(FITS[which].layers, FITS[which].optimizer);
    options.iterations = 2;
    options.evaluate_every = 1;
    options.valid_fraction = FITS[which].valid_fraction;
    options.test = (const ng_net_data *const *)&s->data;
    options.tests = 1;
    return options;
}

static ng_status fit_once(scene *s, size_t which) {
    ng_net_options options = options_of(s, which);
    ng_net *net;
    ng_status status = ng_net_fit(ctx, s->data, &options, &net);
    ck_assert((status == NG_OK) == (net != NULL));
    ng_net_destroy(&net);
    return status;
}

static ng_status checkpoint_once(scene *s, size_t which) {
    char path[600];
    ng_net_options options = options_of(s, which);
    ng_net *net;
    options.checkpoint = s->run;
    options.checkpoint_every = 1;
    ng_status status = ng_net_fit(ctx, s->data, &options, &net);
    ng_net_destroy(&net);
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", s->run);
    unlink(path);
    return status;
}

static ng_status resume_once(scene *s, size_t which) {
    ng_net_options options = options_of(s, which);
    ng_net *net;
    options.checkpoint = s->run;
    options.resume = 1;
    ng_status status = ng_net_fit(ctx, s->data, &options, &net);
    ng_net_destroy(&net);
    return status;
}

static ng_status save_once(scene *s, size_t which) {
    (void)which;
    return ng_net_save(s->net, s->model);
}

static ng_status load_once(scene *s, size_t which) {
    ng_net *net;
    (void)which;
    ng_status status = ng_net_load(ctx, s->model, &net);
    ck_assert((status == NG_OK) == (net != NULL));
    ng_net_destroy(&net);
    return status;
}

static ng_status look_once(scene *s, size_t which) {
    int is_net;
    (void)which;
    return ng_net_is_file(ctx, s->model, &is_net);
}

static ng_status predict_once(scene *s, size_t which) {
    ng_prediction *p;
    (void)which;
    ng_status status = ng_net_predict(s->net, s->data, &p);
    ck_assert((status == NG_OK) == (p != NULL));
    ng_prediction_destroy(&p);
    return status;
}

static ng_status evaluate_once(scene *s, size_t which) {
    ng_score score;
    (void)which;
    return ng_net_evaluate(s->net, s->data, &score);
}

static ng_status print_once(scene *s, size_t which) {
    char *text;
    (void)which;
    ng_status status = ng_net_to_json(s->net, &text);
    ng_text_free(ctx, &text);
    return status;
}

static ng_status measure_once(scene *s, size_t which) {
    ng_net_options options = options_of(s, which);
    double bytes;
    return ng_net_memory(ctx, s->data, &options, &bytes);
}

/* ---- Tests ----------------------------------------------------------------
 */

START_TEST(every_allocation_of_reading_can_fail) {
    scene s;
    scene_open(&s);
    ck_assert_uint_gt(sweep(&s, read_once, (size_t)_i), 10);
    scene_close(&s);
}
END_TEST

START_TEST(every_allocation_of_a_run_can_fail) {
    scene s;
    scene_open(&s);
    s.data = read_net_data(s.csv, "kind", NULL, NULL);
    ck_assert_uint_gt(sweep(&s, fit_once, (size_t)_i), 10);
    ck_assert_uint_gt(sweep(&s, measure_once, (size_t)_i), 10);
    ck_assert_uint_gt(sweep(&s, checkpoint_once, (size_t)_i), 10);
    scene_close(&s);
}
END_TEST

START_TEST(every_allocation_of_resuming_can_fail) {
    scene s;
    scene_open(&s);
    s.data = read_net_data(s.csv, "kind", NULL, NULL);
    ng_net_options options = options_of(&s, (size_t)_i);
    options.checkpoint = s.run;
    ng_net *net = fit_net(s.data, &options);
    ng_net_destroy(&net);
    ck_assert_uint_gt(sweep(&s, resume_once, (size_t)_i), 10);
    scene_close(&s);
}
END_TEST

START_TEST(every_allocation_around_a_net_can_fail) {
    static const task TASKS[] = {save_once,    load_once,     look_once,
                                 predict_once, evaluate_once, print_once};
    scene s;
    scene_open(&s);
    s.data = read_net_data(s.csv, "kind", NULL, NULL);
    ng_net_options options = options_of(&s, 0);
    s.net = fit_net(s.data, &options);
    for (size_t i = 0; i < sizeof TASKS / sizeof *TASKS; i++)
        ck_assert_uint_gt(sweep(&s, TASKS[i], 0), 0);
    ck_assert_uint_gt(sweep(&s, read_like_once, 0), 10);
    ck_assert_uint_gt(sweep(&s, read_like_once, 1), 10);
    scene_close(&s);
}
END_TEST

static void add(TCase *tests) {
    tcase_add_loop_test(tests, every_allocation_of_reading_can_fail, 0, 4);
    tcase_add_loop_test(tests, every_allocation_of_a_run_can_fail, 0,
                        FIT_COUNT);
    tcase_add_loop_test(tests, every_allocation_of_resuming_can_fail, 0,
                        FIT_COUNT);
    tcase_add_test(tests, every_allocation_around_a_net_can_fail);
}

int main(void) {
    return learner_main("net_memory", add);
}
