/* What the machine's BLAS gives on the shapes that a fit is made of, in the
 * same process conditions: the rates that floors are computed from.
 *
 *   bench_floor SYRK_P GEMM_N GEMM_K GEMM_P POTRF_D
 *
 * prints GFLOP/s of the symmetric rank update of a block of rows (P columns),
 * of eta = X B' (N x P by P x K) and of Cholesky (dimension D, 0: none). */
#include <cblas.h>
#include <lapacke.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BLOCK = 512, REPEATS = 5 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double *make(size_t count) {
    double *x = malloc(count * sizeof *x);
    if (!x) {
        fprintf(stderr, "bench_floor: out of memory\n");
        exit(1);
    }
    for (size_t i = 0; i < count; i++)
        x[i] = (double)(i * 7919 % 1009) / 1009 - 0.5;
    return x;
}

/* Seconds of the fastest of a few: a floor has no bad luck in it. */
static double best(void (*run)(void *), void *job) {
    double least = 1e300;
    for (int i = 0; i < REPEATS; i++) {
        double start = now();
        run(job);
        double seconds = now() - start;
        least = seconds < least ? seconds : least;
    }
    return least;
}

typedef struct job {
    int n, k, p, times;
    double *a, *b, *c, *d;
} job;

static void run_syrk(void *user) {
    job *j = user;
    for (int i = 0; i < j->times; i++)
        cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, j->p, BLOCK, 1, j->a,
                    j->p, 1, j->c, j->p);
}

static void run_gemm(void *user) {
    job *j = user;
    for (int i = 0; i < j->times; i++)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, j->n, j->k, j->p,
                    1, j->a, j->p, j->b, j->p, 0, j->c, j->k);
}

static void run_potrf(void *user) {
    job *j = user;
    size_t n = (size_t)j->n;
    memcpy(j->c, j->a, n * n * sizeof *j->c);
    LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', j->n, j->c, j->n);
}

/* Enough repetitions that a clock tick does not matter. */
static int times_for(double flops) {
    double times = 2e8 / flops;
    return times < 1 ? 1 : (int)times;
}

static double syrk_rate(int p) {
    size_t width = (size_t)p;
    double flops = (double)BLOCK * p * (p + 1);
    job j = {.p = p, .times = times_for(flops)};
    j.a = make(BLOCK * width);
    j.c = make(width * width);
    double seconds = best(run_syrk, &j);
    free(j.a);
    free(j.c);
    return j.times * flops / seconds * 1e-9;
}

static double gemm_rate(int n, int k, int p) {
    double flops = 2.0 * n * k * p;
    job j = {.n = n, .k = k, .p = p, .times = times_for(flops)};
    j.a = make((size_t)n * (size_t)p);
    j.b = make((size_t)k * (size_t)p);
    j.c = make((size_t)n * (size_t)k);
    double seconds = best(run_gemm, &j);
    free(j.a);
    free(j.b);
    free(j.c);
    return j.times * flops / seconds * 1e-9;
}

static double potrf_rate(int d) {
    size_t n = (size_t)d;
    job j = {.n = d};
    j.a = make(n * n);
    j.c = make(n * n);
    for (size_t i = 0; i < n; i++)
        j.a[i * n + i] = d;
    double seconds = best(run_potrf, &j);
    free(j.a);
    free(j.c);
    return (double)d * d * d / 3 / seconds * 1e-9;
}

int main(int argc, char **argv) {
    int size[5];
    for (int i = 0; i < 5; i++) {
        size[i] = argc == 6 ? atoi(argv[i + 1]) : 0;
        if (size[i] < (i < 4)) {
            fprintf(stderr, "usage: bench_floor P N K P D\n");
            return 2;
        }
    }
    printf("syrk\t%.3f\n", syrk_rate(size[0]));
    printf("gemm\t%.3f\n", gemm_rate(size[1], size[2], size[3]));
    if (size[4])
        printf("potrf\t%.3f\n", potrf_rate(size[4]));
    return 0;
}
