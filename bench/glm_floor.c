/* Seconds of one symmetric rank-k update X'X of a whole design in memory, the
 * column of ones included: what an iteration of scoring cannot do without.
 *
 *   bench_glm_floor X.bin y.bin ROWS COLUMNS THREADS */
#include "glm_data.h"

enum { REPEATS = 3 };

int main(int argc, char **argv) {
    double seconds[REPEATS];
    if (argc != 6) {
        fprintf(stderr,
                "usage: bench_glm_floor X.bin y.bin ROWS COLUMNS THREADS\n");
        return 2;
    }
    glm_data data = read_data((const char *const *)argv + 1);
    size_t n = data.rows, p = data.columns + 1;
    double *X = realloc(data.X, n * p * sizeof *X);
    double *gram = calloc(p * p, sizeof *gram);
    if (!X || !gram)
        return 1;
    for (size_t i = 0; i < n; i++)
        X[(p - 1) * n + i] = 1;
    openblas_set_num_threads(atoi(argv[5]));
    /* The first one is not counted: it wakes the threads. */
    for (int i = -1; i < REPEATS; i++) {
        double start = now();
        cblas_dsyrk(CblasColMajor, CblasUpper, CblasTrans, (int)p, (int)n, 1, X,
                    (int)n, 0, gram, (int)p);
        if (i >= 0)
            seconds[i] = now() - start;
    }
    double middle = median(seconds, REPEATS);
    printf("seconds\t%.6f\ngflops\t%.3f\n", middle,
           1e-9 * (double)n * (double)p * (double)(p + 1) / middle);
    free(X);
    free(data.y);
    free(gram);
    return 0;
}
