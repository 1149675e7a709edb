/* Random data for every family and link, as text: the same table is a frame, a
 * file for a stream, and the start of a bad design. */
#ifndef GLM_RANDOM_H
#define GLM_RANDOM_H

#include "fixture.h"

enum { MOST_ROWS = 4096, MOST_COLUMNS = 12 };

typedef struct cell {
    const char *family, *link;
    double power; /* tweedie's; else 0 */
} cell;

static const cell CELLS[] = {
    {"gaussian", "identity", 0},
    {"gaussian", "log", 0},
    {"gaussian", "inverse", 0},
    {"gaussian", "sqrt", 0},
    {"binomial", "logit", 0},
    {"binomial", "probit", 0},
    {"binomial", "cloglog", 0},
    {"binomial", "cauchit", 0},
    {"binomial", "log", 0},
    {"binomial", "identity", 0},
    {"poisson", "log", 0},
    {"poisson", "identity", 0},
    {"poisson", "sqrt", 0},
    {"poisson", "inverse", 0},
    {"gamma", "inverse", 0},
    {"gamma", "log", 0},
    {"gamma", "identity", 0},
    {"gamma", "sqrt", 0},
    {"inverse-gaussian", "1/mu^2", 0},
    {"inverse-gaussian", "inverse", 0},
    {"inverse-gaussian", "log", 0},
    {"inverse-gaussian", "identity", 0},
    {"negative-binomial", "log", 0},
    {"negative-binomial", "sqrt", 0},
    {"negative-binomial", "identity", 0},
    {"beta", "logit", 0},
    {"beta", "probit", 0},
    {"beta", "cloglog", 0},
    {"beta", "cauchit", 0},
    {"beta", "log", 0},
    {"tweedie", "log", 1.5},
    {"tweedie", "identity", 1.5},
    {"tweedie", "inverse", 1.5},
    {"tweedie", "sqrt", 1.5},
    {"tweedie", "log", 2.5},
    {"ordinal", "logit", 0},
    {"ordinal", "probit", 0},
    {"ordinal", "cloglog", 0},
    {"ordinal", "cauchit", 0},
    {"multinomial", "logit", 0},
};
enum { CELL_COUNT = sizeof CELLS / sizeof *CELLS };

typedef struct sample {
    const cell *c;
    size_t n, p;
    double x[MOST_COLUMNS][MOST_ROWS];
    double y[MOST_ROWS], w[MOST_ROWS], o[MOST_ROWS];
    bool weighted, shifted; /* w and o are used */
} sample;

static const char *const FEATURES[MOST_COLUMNS] = {
    "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11"};

static inline bool is(const cell *c, const char *family) {
    return strcmp(c->family, family) == 0;
}

static inline bool has_link(const cell *c, const char *link) {
    return strcmp(c->link, link) == 0;
}

static inline bool has_levels(const cell *c) {
    return is(c, "ordinal") || is(c, "multinomial");
}

static inline bool is_share(const cell *c) {
    return is(c, "binomial") || is(c, "beta");
}

/* ---- Laws ---- */

static inline double mean_of(const cell *c, double eta) {
    if (has_link(c, "log"))
        return exp(eta);
    if (has_link(c, "logit"))
        return 1 / (1 + exp(-eta));
    if (has_link(c, "probit"))
        return 0.5 * erfc(-eta / sqrt(2.0));
    if (has_link(c, "cloglog"))
        return -expm1(-exp(eta));
    if (has_link(c, "cauchit"))
        return 0.5 + atan(eta) / 3.14159265358979323846;
    if (has_link(c, "inverse"))
        return 1 / eta;
    if (has_link(c, "1/mu^2"))
        return 1 / sqrt(eta);
    return has_link(c, "sqrt") ? eta * eta : eta;
}

/* Features are between 0 and 1: means stay inside the domain of each link. */
static inline double predictor(const cell *c, const sample *s, size_t i) {
    double base = 1.2, slope = 0.6, eta;
    if (is_share(c) && (has_link(c, "log") || has_link(c, "identity"))) {
        base = has_link(c, "log") ? -1.3 : 0.4;
        slope = 0.15;
    } else if (is_share(c) || has_levels(c)) {
        base = -0.4;
        slope = 1.2;
    }
    eta = base;
    for (size_t j = 0; j < s->p && j < 3; j++)
        eta += (j == 1 ? -0.5 : 1) * slope * s->x[j][i] / (double)(1 + j);
    return eta;
}

static inline double draw_gamma(ng_rng *rng, double shape, double mean) {
    return mean * exp(ng_rng_log_gamma(rng, shape)) / shape;
}

static inline double draw(const cell *c, ng_rng *rng, double eta) {
    double u = ng_rng_uniform(rng);
    if (has_levels(c)) {
        double noisy = eta + log(u) - log1p(-u);
        return noisy < -0.6 ? 0 : (noisy < 0.7 ? 1 : 2);
    }
    double mu = mean_of(c, eta);
    if (is(c, "gaussian"))
        return mu + 0.1 * ng_rng_normal(rng);
    if (is(c, "binomial"))
        return u < mu;
    if (is(c, "poisson"))
        return ng_rng_poisson(rng, mu);
    if (is(c, "negative-binomial"))
        return ng_rng_poisson(rng, draw_gamma(rng, 1.5, mu));
    if (is(c, "beta")) {
        double a = draw_gamma(rng, 12 * mu, 12 * mu);
        return a / (a + draw_gamma(rng, 12 - 12 * mu, 12 - 12 * mu));
    }
    if (is(c, "tweedie") && c->power < 2) {
        double jumps = ng_rng_poisson(rng, 2 * mu);
        return jumps > 0 ? draw_gamma(rng, 3 * jumps, jumps / 2) : 0;
    }
    return draw_gamma(rng, 6, mu);
}

static inline void make_sample(sample *s, const cell *c, uint64_t seed,
                               size_t n, size_t p) {
    ng_rng rng;
    ck_assert(n <= MOST_ROWS && p <= MOST_COLUMNS);
    ng_rng_init(&rng, seed, (uint64_t)(c - CELLS));
    s->c = c;
    s->n = n;
    s->p = p;
    s->weighted = s->shifted = false;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < p; j++)
            s->x[j][i] = ng_rng_uniform(&rng);
        s->w[i] = 1 + (double)(i % 3);
        s->o[i] = 0;
        s->y[i] = draw(c, &rng, predictor(c, s, i));
    }
}

/* ---- Tables ---- */

/* To be freed. Levels are written as words. */
static inline char *text_of(const sample *s) {
    size_t size = (s->n + 1) * (s->p + 4) * 26, used = 0;
    char *text = malloc(size);
    ck_assert_ptr_nonnull(text);
#define ADD(...) used += (size_t)snprintf(text + used, size - used, __VA_ARGS__)
    for (size_t j = 0; j < s->p; j++)
        ADD("%s,", FEATURES[j]);
    ADD("w,o,y\n");
    for (size_t i = 0; i < s->n; i++) {
        for (size_t j = 0; j < s->p; j++)
            ADD("%.17g,", s->x[j][i]);
        ADD("%.17g,%.17g,", s->w[i], s->o[i]);
        ADD(has_levels(s->c) ? "level%.17g\n" : "%.17g\n", s->y[i]);
    }
#undef ADD
    return text;
}

static inline ng_frame *frame_of(const sample *s) {
    char *text = text_of(s);
    ng_frame *frame = frame_of_text(text, NULL);
    free(text);
    return frame;
}

static inline ng_glm_options options_of(const sample *s) {
    ng_glm_options options = glm_options(s->c->family, s->c->link, "y");
    options.features = FEATURES;
    options.feature_count = s->p;
    options.power = s->c->power > 0 ? s->c->power : (double)NAN;
    options.weights = s->weighted ? "w" : NULL;
    options.offset = s->shifted ? "o" : NULL;
    return options;
}

static inline ng_model *fit_sample(const sample *s) {
    ng_frame *frame = frame_of(s);
    ng_glm_options options = options_of(s);
    ng_model *model;
    ng_status status = ng_glm_fit(ctx, frame, &options, &model);
    ck_assert_msg(status == NG_OK, "%s %s: %s", s->c->family, s->c->link,
                  ng_error(ctx));
    ck_assert_msg(ng_model_summary(model)->converged, "%s %s: %s", s->c->family,
                  s->c->link, ng_stop_text(ng_model_summary(model)->stop));
    ng_frame_destroy(&frame);
    return model;
}

/* ---- Comparisons ---- */

/* |x - y| <= tolerance standard errors of y. */
static inline void check_near(const cell *c, const ng_parameter *x,
                              const ng_parameter *y, double tolerance) {
    ck_assert_msg(fabs(x->estimate - y->estimate) <= tolerance * y->std_error,
                  "%s %s, %s: %.17g and %.17g, %.2g standard errors apart",
                  c->family, c->link, y->term, x->estimate, y->estimate,
                  fabs(x->estimate - y->estimate) / y->std_error);
}

static inline const ng_parameter *find(const ng_summary *s,
                                       const ng_parameter *like) {
    for (size_t i = 0; i < s->parameters; i++) {
        const ng_parameter *p = &s->parameter[i];
        bool levels = p->level && like->level;
        if (strcmp(p->term, like->term) == 0 &&
            (!levels || strcmp(p->level, like->level) == 0))
            return p;
    }
    return NULL;
}

/* The estimates of `wanted` are those of `got`, whatever else is there. */
static inline void check_agrees(const cell *c, const ng_model *got,
                                const ng_model *wanted, double tolerance) {
    const ng_summary *a = ng_model_summary(got), *b = ng_model_summary(wanted);
    for (size_t i = 0; i < b->parameters; i++) {
        const ng_parameter *p = find(a, &b->parameter[i]);
        ck_assert_ptr_nonnull(p);
        check_near(c, p, &b->parameter[i], tolerance);
    }
}

#endif
