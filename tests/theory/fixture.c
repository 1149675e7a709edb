#include "fixture.h"

#include <stdlib.h>

ng_ctx *ctx;

static void set_up(void) {
    ck_assert_int_eq(ng_ctx_create(NULL, &ctx), NG_OK);
}

static void tear_down(void) {
    ng_ctx_destroy(&ctx);
}

int theory_main(const char *name, void (*add)(TCase *tests)) {
    Suite *suite = suite_create(name);
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    /* Seconds, for a build with sanitizers on a busy machine. */
    tcase_set_timeout(tests, 60);
    add(tests);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

double distance(size_t n, const double *a, const double *b) {
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        double gap = fabs(a[i] - b[i]);
        if (!(gap <= largest))
            largest = gap;
    }
    return largest;
}

double relative_distance(size_t n, const double *a, const double *b) {
    double scale = 1;
    for (size_t i = 0; i < n; i++)
        scale = fmax(scale, fabs(b[i]));
    return distance(n, a, b) / scale;
}

/* ---- Problems ---- */

ng_link own_link(ng_coordinate coordinate) {
    switch (coordinate) {
    case NG_COORDINATE_LOG:
        return NG_LINK_LOG;
    case NG_COORDINATE_LOGIT:
        return NG_LINK_LOGIT;
    case NG_COORDINATE_REAL:
    case NG_COORDINATE_OTHER:
        break;
    }
    return NG_LINK_IDENTITY;
}

void small_init(small *s, const char *family, size_t size, size_t rows,
                const double *y) {
    memset(s, 0, sizeof *s);
    OK(ng_family_init(ctx, family, size, &s->family));
    for (size_t b = 0; b < s->family.blocks; b++) {
        s->block[b].predictor = &ng_predictor_fixed;
        s->block[b].link = own_link(s->family.block[b].coordinate);
    }
    s->rows.count = rows;
    s->rows.y = y;
}

void small_none(small *s, size_t block, ng_link link) {
    s->block[block] = (ng_model_block){&ng_predictor_none, 0, link, 0};
}

void small_linear(small *s, size_t block, ng_link link, size_t inputs,
                  const double *X) {
    s->block[block] = (ng_model_block){&ng_predictor_linear, inputs, link, 0};
    s->rows.X[block] = X;
}

void small_open_in(small *s, ng_ctx *own) {
    ng_model_spec spec = {
        .family = s->family, .objective = s->objective, .ridge = s->ridge};
    memcpy(spec.block, s->block, sizeof spec.block);
    OK(ng_memory_source_init(own, &s->rows, &s->family, s->block, &s->memory,
                             &spec.source));
    OK(ng_model_problem_create(own, &spec, &s->problem));
    s->d = s->problem->dim;
}

void small_open(small *s) {
    small_open_in(s, ctx);
}

void small_close(small *s) {
    ng_problem_destroy(&s->problem);
}

void random_design(ng_rng *rng, size_t n, size_t p, double *X) {
    for (size_t i = 0; i < n * p; i++)
        X[i] = i % p ? ng_rng_normal(rng) : 1;
}

void random_vector(ng_rng *rng, size_t n, double scale, double *v) {
    for (size_t i = 0; i < n; i++)
        v[i] = scale * ng_rng_normal(rng);
}

void usual_open(usual *u, ng_link link, size_t rows, size_t inputs,
                uint64_t seed) {
    ng_rng rng;
    ng_rng_init(&rng, seed, 0);
    ck_assert_uint_le(rows * inputs, USUAL_MOST);
    random_design(&rng, rows, inputs, u->X);
    for (size_t i = 0; i < rows; i++) {
        u->y[i] = ng_rng_uniform(&rng) < 0.6;
        u->weight[i] = 0.5 + ng_rng_uniform(&rng);
    }
    small_init(&u->s, "bernoulli", 1, rows, u->y);
    small_linear(&u->s, 0, link, inputs, u->X);
    u->s.rows.weight = u->weight;
    small_open(&u->s);
}

void single_open(small *s, const char *family, ng_link link, size_t rows,
                 const double *y) {
    small_init(s, family, 1, rows, y);
    small_none(s, 0, link);
    small_open(s);
}

double objective_at(const small *s, const double *theta) {
    double objective;
    OK(s->problem->ops->evaluate(s->problem, theta, NULL, &objective, NULL,
                                 NULL, NULL));
    return objective;
}

void gradient_at(const small *s, const double *theta, double *g) {
    OK(s->problem->ops->evaluate(s->problem, theta, NULL, NULL, g, NULL, NULL));
}

void fisher_of(const small *s, const double *theta, const ng_fisher *fisher,
               double *F) {
    OK(s->problem->ops->evaluate(s->problem, theta, NULL, NULL, NULL, fisher,
                                 F));
    for (size_t i = 0; i < s->d; i++) {
        for (size_t j = 0; j < i; j++)
            F[j * s->d + i] = F[i * s->d + j];
    }
}

void fisher_at(const small *s, const double *theta, ng_fisher_kind kind,
               double *F) {
    const ng_fisher fisher = {.kind = kind, .samples = 1, .seed = 1};
    fisher_of(s, theta, &fisher, F);
}

static void compare(const small *s, const double *theta0, const double *theta1,
                    double *change, double *kl) {
    OK(s->problem->ops->compare(s->problem, theta0, theta1, change, kl));
}

double kl_between(const small *s, const double *theta0, const double *theta1) {
    double change, kl;
    compare(s, theta0, theta1, &change, &kl);
    return kl;
}

double change_between(const small *s, const double *theta0,
                      const double *theta1) {
    double change, kl;
    compare(s, theta0, theta1, &change, &kl);
    return change;
}

void numeric_hessian(const small *s, const double *theta, double *H) {
    size_t d = s->d;
    double *point = malloc(3 * d * sizeof *point);
    double *up = point + d, *down = up + d;
    memcpy(point, theta, d * sizeof *point);
    for (size_t j = 0; j < d; j++) {
        double h = cbrt(DBL_EPSILON) * fmax(1, fabs(theta[j]));
        point[j] = theta[j] + h;
        gradient_at(s, point, up);
        point[j] = theta[j] - h;
        gradient_at(s, point, down);
        point[j] = theta[j];
        for (size_t i = 0; i < d; i++)
            H[i * d + j] = (up[i] - down[i]) / (2 * h);
    }
    free(point);
}

void solve_with(const small *s, const char *metric_name,
                const ng_metric_options *options, const double *theta,
                double damping, const double *g, double *d) {
    const ng_metric_ops *ops;
    ng_metric *metric;
    ng_metric_options own;
    double loss, objective;
    double *gradient = malloc(s->d * sizeof *gradient);
    ng_metric_options_init(&own);
    OK(ng_metric_find(ctx, metric_name, &ops));
    OK(ng_metric_create(s->problem, ops, options ? options : &own, &metric));
    OK(ng_metric_update(metric, theta, &loss, &objective, gradient));
    OK(ng_metric_factor(metric, damping));
    OK(ng_metric_solve(metric, g ? g : gradient, d));
    ng_metric_destroy(&metric);
    free(gradient);
}

void natural_gradient(const small *s, const double *theta, double damping,
                      double *d) {
    solve_with(s, "dense", NULL, theta, damping, NULL, d);
}

ng_fit_options fixed_steps(ng_optimizer optimizer, double rate) {
    ng_fit_options options;
    ng_fit_options_init(&options);
    options.optimizer = optimizer;
    options.step = NG_STEP_FIXED;
    options.rate = rate;
    options.tolerance = 0;
    return options;
}

void take_steps(const small *s, const ng_fit_options *options, size_t steps,
                const double *from, double *to) {
    ng_fit_options own = *options;
    ng_fit *fit;
    ng_report report;
    own.max_iter = steps + 1;
    OK(ng_fit_create(s->problem, &own, from, &fit));
    for (size_t i = 0; i < steps; i++)
        OK(ng_fit_step(fit, &report));
    memcpy(to, ng_fit_theta(fit), s->d * sizeof *to);
    ng_fit_destroy(&fit);
}

ng_report run_fit(const small *s, const ng_fit_options *options,
                  const double *from, double *to) {
    ng_fit *fit;
    ng_report report;
    OK(ng_fit_create(s->problem, options, from, &fit));
    OK(ng_fit_run(fit, NULL, NULL, &report));
    memcpy(to, ng_fit_theta(fit), s->d * sizeof *to);
    ng_fit_destroy(&fit);
    return report;
}

/* ---- Linear algebra ---- */

double dot(size_t n, const double *a, const double *b) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

double norm(size_t n, const double *a) {
    return sqrt(dot(n, a, a));
}

double form(size_t n, const double *A, const double *x, const double *y) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * dot(n, A + i * n, y);
    return sum;
}

static void swap_rows(size_t n, double *A, size_t i, size_t j) {
    for (size_t k = 0; k < n; k++) {
        double t = A[i * n + k];
        A[i * n + k] = A[j * n + k];
        A[j * n + k] = t;
    }
}

void solve_linear(size_t n, const double *A, const double *b, double *x) {
    size_t wide = n + 1;
    double *W = malloc(n * wide * sizeof *W);
    for (size_t i = 0; i < n; i++) {
        memcpy(W + i * wide, A + i * n, n * sizeof *W);
        W[i * wide + n] = b[i];
    }
    for (size_t k = 0; k < n; k++) {
        size_t pivot = k;
        for (size_t i = k + 1; i < n; i++) {
            if (fabs(W[i * wide + k]) > fabs(W[pivot * wide + k]))
                pivot = i;
        }
        swap_rows(wide, W, k, pivot);
        for (size_t i = k + 1; i < n; i++) {
            double factor = W[i * wide + k] / W[k * wide + k];
            for (size_t j = k; j < wide; j++)
                W[i * wide + j] -= factor * W[k * wide + j];
        }
    }
    for (size_t k = n; k-- > 0;) {
        x[k] = W[k * wide + n];
        for (size_t j = k + 1; j < n; j++)
            x[k] -= W[k * wide + j] * x[j];
        x[k] /= W[k * wide + k];
    }
    free(W);
}

/* Reflects columns k.. of the n x wide matrix W so that column k ends at row
 * k. */
static void reflect(size_t n, size_t wide, double *W, size_t k) {
    double length = 0;
    for (size_t i = k; i < n; i++)
        length += W[i * wide + k] * W[i * wide + k];
    length = copysign(sqrt(length), W[k * wide + k]);
    double *v = malloc(n * sizeof *v), square = 0;
    for (size_t i = k; i < n; i++) {
        v[i] = W[i * wide + k] + (i == k ? length : 0);
        square += v[i] * v[i];
    }
    for (size_t j = k; j < wide; j++) {
        double product = 0;
        for (size_t i = k; i < n; i++)
            product += v[i] * W[i * wide + j];
        for (size_t i = k; i < n; i++)
            W[i * wide + j] -= 2 * product / square * v[i];
    }
    free(v);
}

void least_squares(size_t n, size_t p, const double *X, const double *y,
                   double *beta) {
    size_t wide = p + 1;
    double *W = malloc(n * wide * sizeof *W);
    for (size_t i = 0; i < n; i++) {
        memcpy(W + i * wide, X + i * p, p * sizeof *W);
        W[i * wide + p] = y[i];
    }
    for (size_t k = 0; k < p; k++)
        reflect(n, wide, W, k);
    for (size_t k = p; k-- > 0;) {
        beta[k] = W[k * wide + p];
        for (size_t j = k + 1; j < p; j++)
            beta[k] -= W[k * wide + j] * beta[j];
        beta[k] /= W[k * wide + k];
    }
    free(W);
}

static void rotate(size_t n, double *A, double *V, size_t p, size_t q) {
    double apq = A[p * n + q];
    if (apq == 0)
        return;
    double angle = 0.5 * atan2(2 * apq, A[q * n + q] - A[p * n + p]);
    double c = cos(angle), s = sin(angle);
    for (size_t k = 0; k < n; k++) {
        double x = A[k * n + p], y = A[k * n + q];
        A[k * n + p] = c * x - s * y;
        A[k * n + q] = s * x + c * y;
        x = V[k * n + p];
        y = V[k * n + q];
        V[k * n + p] = c * x - s * y;
        V[k * n + q] = s * x + c * y;
    }
    for (size_t k = 0; k < n; k++) {
        double x = A[p * n + k], y = A[q * n + k];
        A[p * n + k] = c * x - s * y;
        A[q * n + k] = s * x + c * y;
    }
}

void eigen(size_t n, const double *A, double *w, double *V) {
    enum { SWEEPS = 30 };
    double *D = malloc(n * n * sizeof *D);
    memcpy(D, A, n * n * sizeof *D);
    for (size_t i = 0; i < n * n; i++)
        V[i] = i % (n + 1) ? 0 : 1;
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        for (size_t p = 0; p + 1 < n; p++) {
            for (size_t q = p + 1; q < n; q++)
                rotate(n, D, V, p, q);
        }
    }
    for (size_t i = 0; i < n; i++)
        w[i] = D[i * n + i];
    free(D);
}

void pseudo_solve(size_t n, const double *A, const double *b, double *x) {
    double *w = malloc((n + n * n) * sizeof *w), *V = w + n;
    double largest = 0;
    eigen(n, A, w, V);
    for (size_t k = 0; k < n; k++)
        largest = fmax(largest, fabs(w[k]));
    memset(x, 0, n * sizeof *x);
    for (size_t k = 0; k < n; k++) {
        double product = 0;
        if (fabs(w[k]) <= 1e-10 * largest)
            continue;
        for (size_t i = 0; i < n; i++)
            product += V[i * n + k] * b[i];
        for (size_t i = 0; i < n; i++)
            x[i] += V[i * n + k] * product / w[k];
    }
    free(w);
}

double smallest_eigenvalue(size_t n, const double *A) {
    double *w = malloc((n + n * n) * sizeof *w);
    eigen(n, A, w, w + n);
    double smallest = w[0];
    for (size_t k = 1; k < n; k++)
        smallest = fmin(smallest, w[k]);
    free(w);
    return smallest;
}

double log_slope(size_t n, const double *x, const double *y) {
    double mean_x = 0, mean_y = 0, xx = 0, xy = 0;
    for (size_t i = 0; i < n; i++) {
        mean_x += log(x[i]) / (double)n;
        mean_y += log(y[i]) / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        double dx = log(x[i]) - mean_x;
        xx += dx * dx;
        xy += dx * (log(y[i]) - mean_y);
    }
    return xy / xx;
}
