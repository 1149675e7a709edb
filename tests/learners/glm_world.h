/* One small world in which every glm family has a target. */
#ifndef GLM_WORLD_H
#define GLM_WORLD_H

#include "fixture.h"

enum { ROWS = 60 };

typedef struct world {
    double x[ROWS], z[ROWS], normal[ROWS], positive[ROWS], count[ROWS],
        wins[ROWS], games[ROWS], share[ROWS], w[ROWS], same[ROWS];
} world;

static inline void make_world(world *d) {
    ng_rng rng;
    ng_rng_init(&rng, 20, 4);
    for (size_t i = 0; i < ROWS; i++) {
        d->x[i] = ng_rng_normal(&rng);
        d->z[i] = ng_rng_uniform(&rng);
        double eta = 0.4 + 0.6 * d->x[i] - 0.8 * d->z[i];
        d->normal[i] = 2 * eta + 0.5 * ng_rng_normal(&rng);
        d->positive[i] = exp(eta + ng_rng_log_gamma(&rng, 5)) / 5;
        double lambda = exp(eta + ng_rng_log_gamma(&rng, 2)) / 2;
        d->count[i] = ng_rng_poisson(&rng, lambda);
        d->games[i] = 1 + (double)(i % 5);
        d->wins[i] = 0;
        for (size_t k = 0; k < i % 5 + 1; k++)
            d->wins[i] += ng_rng_uniform(&rng) < 1 / (1 + exp(-eta));
        double a = exp(ng_rng_log_gamma(&rng, 8 / (1 + exp(-eta))));
        double b = exp(ng_rng_log_gamma(&rng, 8 / (1 + exp(eta))));
        d->share[i] = a / (a + b);
        d->w[i] = 1 + (double)(i % 3);
        d->same[i] = d->x[i] - 2 * d->z[i];
    }
}

static inline ng_frame *frame_of_world(const world *d) {
    static const char *const names[] = {"x",     "z",    "normal", "positive",
                                        "count", "wins", "games",  "share",
                                        "w",     "same"};
    const double *const values[] = {d->x,     d->z,    d->normal, d->positive,
                                    d->count, d->wins, d->games,  d->share,
                                    d->w,     d->same};
    return frame_of_arrays(ROWS, sizeof names / sizeof *names, names, values);
}

/* Classes with text for levels, from the same numbers. */
static inline ng_frame *frame_with_classes(const world *d) {
    size_t size = ROWS * 64, used = 0;
    char *text = malloc(size);
    ck_assert_ptr_nonnull(text);
    used += (size_t)snprintf(text, size, "x,z,grade,pair\n");
    for (size_t i = 0; i < ROWS; i++)
        used += (size_t)snprintf(text + used, size - used,
                                 "%.17g,%.17g,%s,%s\n", d->x[i], d->z[i],
                                 d->normal[i] < -0.5  ? "a"
                                 : d->normal[i] < 0.8 ? "b"
                                                      : "c",
                                 d->count[i] > 0 ? "some" : "none");
    ng_frame *frame = frame_of_text(text, NULL);
    free(text);
    return frame;
}

typedef struct kind {
    const char *family, *link, *formula, *trials, *weights;
    double power;
} kind;

static const kind MEANS[] = {
    {"gaussian", NULL, "normal ~ x + z", NULL, "w", NAN},
    {"gamma", "log", "positive ~ x + z", NULL, NULL, NAN},
    {"gamma", "inverse", "positive ~ z", NULL, "w", NAN},
    {"inverse-gaussian", "log", "positive ~ x", NULL, NULL, NAN},
    {"poisson", NULL, "count ~ x + z + offset(z)", NULL, NULL, NAN},
    {"poisson", "sqrt", "count ~ z", NULL, NULL, NAN},
    {"binomial", NULL, "wins ~ x + z", "games", NULL, NAN},
    {"binomial", "cloglog", "cbind(wins, games) ~ x", NULL, NULL, NAN},
    {"negative-binomial", NULL, "count ~ x + z", NULL, NULL, NAN},
    {"beta", NULL, "share ~ x + z", NULL, NULL, NAN},
    {"tweedie", "log", "count ~ x", NULL, NULL, 1.5},
};
enum { MEAN_COUNT = sizeof MEANS / sizeof *MEANS };

static const kind CLASSES[] = {
    {"multinomial", NULL, "grade ~ x + z", NULL, NULL, NAN},
    {"ordinal", NULL, "grade ~ x + z", NULL, NULL, NAN},
    {"ordinal", "probit", "grade ~ x", NULL, NULL, NAN},
    {"binomial", NULL, "pair ~ x + z", NULL, NULL, NAN},
};
enum { CLASS_COUNT = sizeof CLASSES / sizeof *CLASSES };

static inline ng_model *fit_kind(const ng_frame *frame, const kind *k) {
    ng_glm_options options = glm_options(k->family, k->link, NULL);
    options.formula = k->formula;
    options.trials = k->trials;
    options.weights = k->weights;
    options.power = k->power;
    return fit_glm(frame, &options);
}

static inline ng_model *fit_formula(const ng_frame *frame, const char *family,
                                    const char *formula) {
    const kind k = {family, NULL, formula, NULL, NULL, NAN};
    return fit_kind(frame, &k);
}

static inline double cell(const ng_prediction *p, size_t row,
                          const char *name) {
    for (size_t j = 0; j < p->columns; j++) {
        if (strcmp(p->column[j], name) == 0)
            return p->values[row * p->columns + j];
    }
    ck_abort_msg("no column \"%s\"", name);
    return NAN;
}

static inline ng_prediction *predict(const ng_model *model,
                                     const ng_frame *frame, int std_errors) {
    ng_predict_options options;
    ng_prediction *p;
    ng_predict_options_init(&options);
    options.std_errors = std_errors;
    OK(ng_model_predict(model, frame, &options, &p));
    return p;
}

static inline ng_prediction *residuals(const ng_model *model,
                                       const ng_frame *frame, uint64_t seed) {
    ng_prediction *p;
    OK(ng_model_residuals(model, frame, seed, &p));
    return p;
}

#endif
