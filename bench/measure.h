/* Clock, median and the rate of the BLAS, for the benches of networks. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <cblas.h>

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static inline double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts them. */
static inline double median(double *values, size_t count) {
    qsort(values, count, sizeof *values, ascending);
    return count == 0       ? 0
           : count % 2 == 1 ? values[count / 2]
                            : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static inline double mean(const double *values, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return count ? sum / (double)count : 0;
}

/* Single-precision products of two 1000 x 1000 matrices, as many as there are
 * threads at a time, each on one of them. */
enum { GEMM_SIZE = 1000, GEMM_TIMES = 10, GEMM_MOST_THREADS = 64 };

static inline void *gemm_worker(void *matrices) {
    float *a = matrices, *b = a + GEMM_SIZE * GEMM_SIZE;
    float *c = b + GEMM_SIZE * GEMM_SIZE;
    for (int i = 0; i < GEMM_TIMES; i++)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, GEMM_SIZE,
                    GEMM_SIZE, GEMM_SIZE, 1, a, GEMM_SIZE, b, GEMM_SIZE, 0, c,
                    GEMM_SIZE);
    return NULL;
}

/* Flops a second; 0 if there is no memory or thread for it. */
static inline double gemm_round(size_t threads, float *matrices, size_t size) {
    pthread_t thread[GEMM_MOST_THREADS];
    size_t started = 0;
    double start = now();
    while (started < threads &&
           pthread_create(&thread[started], NULL, gemm_worker,
                          matrices + started * size) == 0)
        started++;
    for (size_t i = 0; i < started; i++)
        pthread_join(thread[i], NULL);
    double flops = 2.0 * GEMM_SIZE * GEMM_SIZE * GEMM_SIZE * GEMM_TIMES;
    return (double)started * flops / (now() - start);
}

/* The best of a few rounds: a floor has no bad luck in it. */
static inline double gemm_rate(size_t threads) {
    enum { ROUNDS = 5 };
    size_t size = (size_t)3 * GEMM_SIZE * GEMM_SIZE;
    float *matrices = threads <= GEMM_MOST_THREADS
                          ? malloc(threads * size * sizeof *matrices)
                          : NULL;
    double best = 0;
    if (!matrices)
        return 0;
    for (size_t i = 0; i < threads * size; i++)
        matrices[i] = (float)(i * 7919 % 1009) / 1009 - 0.5f;
    for (int i = 0; i < ROUNDS; i++) {
        double rate = gemm_round(threads, matrices, size);
        best = rate > best ? rate : best;
    }
    free(matrices);
    return best;
}

#endif
