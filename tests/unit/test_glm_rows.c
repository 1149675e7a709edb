/* The passes over a block of columns against plain loops. */
#include "glm/rows.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH(table) (sizeof(table) / sizeof *(table))

enum { WIDTH = 19, COUNT = 131 };

static const size_t WIDTHS[] = {0, 1, 7, 8, 9, 16, WIDTH};
static const size_t COUNTS[] = {0, 1, 7, 8, 9, 64, COUNT};

typedef struct table {
    double x[WIDTH][COUNT + 8], offset[COUNT], u[COUNT], theta[WIDTH];
    const double *columns[WIDTH];
} table;

/* Columns that begin anywhere, as those of a frame do. */
static void fill(table *t) {
    ng_rng rng;
    ng_rng_init(&rng, 5, 0);
    for (size_t j = 0; j < WIDTH; j++) {
        for (size_t i = 0; i < COUNT + 8; i++)
            t->x[j][i] = ng_rng_normal(&rng);
        t->theta[j] = ng_rng_normal(&rng);
        t->columns[j] = t->x[j] + j % 8;
    }
    for (size_t i = 0; i < COUNT; i++) {
        t->offset[i] = ng_rng_normal(&rng);
        t->u[i] = ng_rng_normal(&rng);
    }
}

/* Every count with every width, with an offset or without. */
static ngi_glm_block block_of(const table *t, int i, ngi_glm_rows *rows) {
    const int widths = (int)LENGTH(WIDTHS);
    *rows = (ngi_glm_rows){.width = WIDTHS[i % widths]};
    return (ngi_glm_block){.count =
                               COUNTS[i / 2 / widths % (int)LENGTH(COUNTS)],
                           .x = t->columns,
                           .offset = i / widths % 2 ? t->offset : NULL};
}

enum { CASES = 2 * (int)LENGTH(WIDTHS) * (int)LENGTH(COUNTS) };

START_TEST(the_predictor_is_the_offset_and_the_columns) {
    table t;
    fill(&t);
    ngi_glm_rows rows;
    ngi_glm_block b = block_of(&t, _i, &rows);
    double eta[COUNT + 1];
    eta[b.count] = 77;
    ngi_glm_predictor(&rows, &b, t.theta, eta);
    ck_assert(eta[b.count] == 77);
    for (size_t i = 0; i < b.count; i++) {
        double sum = b.offset ? b.offset[i] : 0, size = fabs(sum);
        for (size_t j = 0; j < rows.width; j++) {
            sum += t.theta[j] * b.x[j][i];
            size += fabs(t.theta[j] * b.x[j][i]);
        }
        /* Both orders of width + 1 sums. */
        ck_assert_double_le(fabs(eta[i] - sum),
                            2 * (WIDTH + 1) * DBL_EPSILON * size);
    }
}
END_TEST

START_TEST(the_gradient_is_added_up_over_blocks) {
    table t;
    fill(&t);
    ngi_glm_rows rows;
    ngi_glm_block b = block_of(&t, _i, &rows);
    double g[WIDTH + 1];
    for (size_t j = 0; j <= WIDTH; j++)
        g[j] = 3;
    ngi_glm_gradient(&rows, &b, t.u, g);
    for (size_t j = 0; j < rows.width; j++) {
        double sum = 3, size = 3;
        for (size_t i = 0; i < b.count; i++) {
            sum += b.x[j][i] * t.u[i];
            size += fabs(b.x[j][i] * t.u[i]);
        }
        ck_assert_double_le(fabs(g[j] - sum),
                            2 * (COUNT + 1) * DBL_EPSILON * size);
    }
    ck_assert(g[rows.width] == 3);
}
END_TEST

START_TEST(scaled_columns_lie_one_after_the_other) {
    table t;
    fill(&t);
    ngi_glm_rows rows;
    ngi_glm_block b = block_of(&t, _i, &rows);
    size_t n = b.count, size = n * rows.width;
    double *out = malloc((size + 1) * sizeof *out);
    float *single = malloc((size + 1) * sizeof *single);
    ck_assert(out && single);
    out[size] = 77;
    single[size] = 77;
    const double *root = b.offset ? t.u : NULL;
    ngi_glm_scaled(&rows, &b, t.theta, root, out);
    ngi_glm_scaled_single(&rows, &b, t.theta, root, single);
    ck_assert(out[size] == 77 && single[size] == 77);
    for (size_t j = 0; j < rows.width; j++) {
        for (size_t i = 0; i < n; i++) {
            double x = b.x[j][i] * t.theta[j] * (root ? root[i] : 1);
            ck_assert_double_le(fabs(out[j * n + i] - x),
                                2 * DBL_EPSILON * fabs(x));
            ck_assert_double_le(fabs((double)single[j * n + i] - x),
                                (double)FLT_EPSILON * fabs(x));
        }
    }
    free(out);
    free(single);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("glm_rows");
    TCase *passes = tcase_create("passes");
    tcase_add_loop_test(passes, the_predictor_is_the_offset_and_the_columns, 0,
                        CASES);
    tcase_add_loop_test(passes, the_gradient_is_added_up_over_blocks, 0, CASES);
    tcase_add_loop_test(passes, scaled_columns_lie_one_after_the_other, 0,
                        CASES);
    suite_add_tcase(suite, passes);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
