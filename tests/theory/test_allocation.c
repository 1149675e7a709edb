/* Memory: a step takes none, and any allocation may fail without a leak. */
#include "fixture.h"

#include <stdlib.h>

/* Fails allocation number `fail_at` (from 1; 0 for never) and all after it. */
typedef struct counter {
    size_t calls, live, fail_at;
} counter;

static bool allowed(counter *c) {
    c->calls++;
    return c->fail_at == 0 || c->calls < c->fail_at;
}

static void *count_alloc(void *user, size_t size) {
    counter *c = user;
    if (!allowed(c))
        return NULL;
    void *block = malloc(size);
    c->live += block != NULL;
    return block;
}

static void *count_resize(void *user, void *block, size_t size) {
    counter *c = user;
    if (!allowed(c))
        return NULL;
    void *grown = realloc(block, size);
    c->live += grown && !block;
    return grown;
}

static void count_release(void *user, void *block) {
    counter *c = user;
    if (block)
        c->live--;
    free(block);
}

enum { ROWS = 12, INPUTS = 3 };

static const double X[ROWS * INPUTS] = {
    1, 0.2,  -1,  1, 1.3, 0.4, 1, -0.7, 2,    1, 0.1,  0.3,
    1, -1.5, 0.8, 1, 0.9, -2,  1, 0.6,  1.1,  1, -0.2, -0.5,
    1, 2.1,  0,   1, -1,  1,   1, 0.5,  -0.9, 1, -0.4, 0.7};
static const double Y[ROWS] = {0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1, 0};
static const double RIDGE[INPUTS] = {0, 0.1, 0.2};

/* A run of some iterations; the number of allocations that its steps make. */
static ng_status run(ng_ctx *own, const ng_fit_options *options, counter *count,
                     size_t *in_steps) {
    const double start[INPUTS] = {0.1, -0.2, 0.3};
    small s;
    ng_fit *fit = NULL;
    ng_report report;
    ng_model_spec spec = {.ridge = RIDGE};
    spec.block[0] =
        (ng_model_block){&ng_predictor_linear, INPUTS, NG_LINK_PROBIT, 0};
    ng_rows rows = {.count = ROWS, .y = Y, .X = {X}};
    ng_status status = ng_family_init(own, "bernoulli", 1, &spec.family);
    if (status == NG_OK)
        status = ng_memory_source_init(own, &rows, &spec.family, spec.block,
                                       &s.memory, &spec.source);
    if (status != NG_OK)
        return status;
    status = ng_model_problem_create(own, &spec, &s.problem);
    if (status == NG_OK)
        status = ng_fit_create(s.problem, options, start, &fit);
    size_t before = count->calls;
    for (size_t i = 0; status == NG_OK && i < 30; i++)
        status = ng_fit_step(fit, &report);
    *in_steps = count->calls - before;
    ng_fit_destroy(&fit);
    ng_problem_destroy(&s.problem);
    return status;
}

static ng_status run_with(const ng_fit_options *options, size_t threads,
                          counter *count, size_t *in_steps) {
    const ng_allocator allocator = {count_alloc, count_resize, count_release,
                                    count};
    const ng_ctx_options own_options = {.allocator = &allocator,
                                        .threads = threads};
    ng_ctx *own;
    ng_status status = ng_ctx_create(&own_options, &own);
    if (status != NG_OK) {
        ck_assert_ptr_null(own);
        return status;
    }
    status = run(own, options, count, in_steps);
    ck_assert((status == NG_OK) == (ng_error(own)[0] == '\0'));
    ng_ctx_destroy(&own);
    return status;
}

/* Calls `look` for a choice of options that reaches every metric, step,
 * integrator and rule. */
static void everywhere(void (*look)(const ng_fit_options *options)) {
    const ng_metric_ops *const *list = ng_metric_list();
    ng_fit_options options;
    for (size_t k = 0; list[k]; k++) {
        ng_fit_options_init(&options);
        options.metric = list[k]->name;
        look(&options);
        options.integrator = NG_MIDPOINT;
        look(&options);
        options.integrator = NG_GEODESIC;
        look(&options);
        options.integrator = NG_EULER;
        options.step = NG_STEP_LM;
        look(&options);
        options.step = NG_STEP_KL;
        options.kl = 0.01;
        options.fisher = NG_FISHER_SAMPLED;
        look(&options);
    }
    for (int o = NG_NEWTON; o <= NG_ADAM; o++) {
        ng_fit_options_init(&options);
        options.optimizer = (ng_optimizer)o;
        look(&options);
    }
}

static void ck_no_allocation(const ng_fit_options *options) {
    for (size_t threads = 1; threads <= 2; threads++) {
        counter count = {0};
        size_t in_steps;
        ck_assert_int_eq(run_with(options, threads, &count, &in_steps), NG_OK);
        ck_assert_uint_eq(in_steps, 0);
        ck_assert_uint_gt(count.calls, 5);
        ck_assert_uint_eq(count.live, 0);
    }
}

START_TEST(steps_allocate_nothing) {
    everywhere(ck_no_allocation);
}
END_TEST

static void ck_every_failure(const ng_fit_options *options) {
    counter count = {0};
    size_t in_steps;
    ck_assert_int_eq(run_with(options, 2, &count, &in_steps), NG_OK);
    size_t calls = count.calls;
    for (size_t i = 1; i <= calls; i++) {
        count = (counter){.fail_at = i};
        ck_assert_int_eq(run_with(options, 2, &count, &in_steps), NG_ENOMEM);
        ck_assert_uint_eq(count.live, 0);
    }
    count = (counter){.fail_at = calls + 1};
    ck_assert_int_eq(run_with(options, 2, &count, &in_steps), NG_OK);
}

START_TEST(every_allocation_may_fail) {
    everywhere(ck_every_failure);
}
END_TEST

/* The check of gradients allocates, and gives back. */
START_TEST(gradient_check_bears_a_failure) {
    counter count = {0};
    const ng_allocator allocator = {count_alloc, count_resize, count_release,
                                    &count};
    const ng_ctx_options options = {.allocator = &allocator};
    const double y[] = {1}, theta[] = {0.3};
    double error;
    ng_ctx *own;
    small s;
    ck_assert_int_eq(ng_ctx_create(&options, &own), NG_OK);
    small_init(&s, "bernoulli", 1, 1, y);
    small_none(&s, 0, NG_LINK_LOGIT);
    small_open_in(&s, own);
    size_t live = count.live;
    count.fail_at = count.calls + 1;
    ck_assert_int_eq(ng_check_gradient(s.problem, theta, &error), NG_ENOMEM);
    count.fail_at = 0;
    ck_assert_int_eq(ng_check_gradient(s.problem, theta, &error), NG_OK);
    ck_assert_uint_eq(count.live, live);
    small_close(&s);
    ng_ctx_destroy(&own);
    ck_assert_uint_eq(count.live, 0);
}
END_TEST

static void add(TCase *tests) {
    tcase_add_test(tests, steps_allocate_nothing);
    tcase_add_test(tests, every_allocation_may_fail);
    tcase_add_test(tests, gradient_check_bears_a_failure);
}

int main(void) {
    return theory_main("allocation", add);
}
