#include "learner/design.h"
#include "data/text.h"

#include <stdio.h>
#include <string.h>

ng_status ngi_name_copy(ng_ctx *ctx, const char *name, char **out) {
    if (!ngi_utf8_valid(name, strlen(name)))
        return ngi_fail(ctx, NG_EDATA, "name \"%s\": expected UTF-8",
                        ngi_show_string(name).text);
    *out = ngi_strdup(ctx, name);
    return *out ? NG_OK : NG_ENOMEM;
}

ng_status ngi_levels_copy(ng_ctx *ctx, size_t count, const char *const *name,
                          ngi_levels *out) {
    out->count = 0;
    out->name = ngi_alloc(ctx, count, sizeof *out->name);
    if (!out->name)
        return NG_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        NG_TRY(ngi_name_copy(ctx, name[i], &out->name[i]));
        out->count++;
    }
    return NG_OK;
}

void ngi_levels_free(ng_ctx *ctx, ngi_levels *levels) {
    for (size_t i = 0; i < levels->count; i++)
        ngi_free(ctx, levels->name[i]);
    ngi_free(ctx, levels->name);
    *levels = (ngi_levels){0, NULL};
}

ng_status ngi_design_allocate(ng_ctx *ctx, size_t terms, int intercept,
                              ngi_design **out) {
    *out = NULL;
    ngi_design *design = ngi_alloc(ctx, 1, sizeof *design);
    if (!design)
        return NG_ENOMEM;
    design->ctx = ctx;
    design->intercept = intercept;
    design->term = ngi_alloc(ctx, terms, sizeof *design->term);
    if (!design->term) {
        ngi_free(ctx, design);
        return NG_ENOMEM;
    }
    design->terms = terms;
    *out = design;
    return NG_OK;
}

void ngi_design_destroy(ngi_design **design) {
    if (!*design)
        return;
    ng_ctx *ctx = (*design)->ctx;
    for (size_t i = 0; i < (*design)->terms; i++) {
        ngi_free(ctx, (*design)->term[i].column);
        ngi_levels_free(ctx, &(*design)->term[i].levels);
    }
    ngi_free(ctx, (*design)->term);
    ngi_free(ctx, *design);
    *design = NULL;
}

static size_t term_width(const ngi_term *term) {
    return term->levels.count ? term->levels.count - 1 : 1;
}

void ngi_design_measure(ngi_design *design) {
    design->width = design->intercept ? 1 : 0;
    for (size_t i = 0; i < design->terms; i++)
        design->width += term_width(&design->term[i]);
}

ng_status ngi_require_column(ng_ctx *ctx, const ng_frame *frame,
                             const char *name, const ng_column **out) {
    *out = ng_frame_find(frame, name);
    if (!*out)
        return ngi_fail(ctx, NG_EDATA, "%s: no column \"%s\"",
                        ng_frame_source(frame), name);
    return NG_OK;
}

ng_status ngi_require_numeric(ng_ctx *ctx, const ng_frame *frame,
                              const char *name, const ng_column **out) {
    NG_TRY(ngi_require_column(ctx, frame, name, out));
    if ((*out)->levels)
        return ngi_fail(ctx, NG_EDATA,
                        "%s: row %zu, column \"%s\": expected a number, found "
                        "\"%s\"",
                        ng_frame_source(frame), ng_frame_record(frame, 0), name,
                        (*out)->level[(size_t)(*out)->values[0]]);
    return NG_OK;
}

ng_status ngi_design_create(ng_ctx *ctx, const ng_frame *frame,
                            const char *const *features, size_t count,
                            int intercept, ngi_design **out) {
    ngi_design *design;
    ng_status status = NG_OK;
    NG_TRY(ngi_design_allocate(ctx, count, intercept, &design));
    for (size_t i = 0; i < count; i++) {
        ngi_term *term = &design->term[i];
        const ng_column *column;
        NG_TRY_GOTO(ngi_require_column(ctx, frame, features[i], &column));
        NG_TRY_GOTO(ngi_name_copy(ctx, column->name, &term->column));
        if (column->levels == 1) {
            status = ngi_fail(ctx, NG_EDATA,
                              "%s: column \"%s\" has one level only (\"%s\"); "
                              "expected two or more",
                              ng_frame_source(frame), column->name,
                              column->level[0]);
            goto fail;
        }
        if (column->levels)
            NG_TRY_GOTO(ngi_levels_copy(ctx, column->levels, column->level,
                                        &term->levels));
    }
    ngi_design_measure(design);
    *out = design;
    return NG_OK;
fail:
    ngi_design_destroy(&design);
    return status;
}

static size_t find_level(const ngi_levels *levels, const char *name) {
    size_t k = 0;
    while (k < levels->count && strcmp(levels->name[k], name) != 0)
        k++;
    return k;
}

/* A numeric column where levels are expected (the same codes, but all that
 * this file holds look like numbers and nobody said they are levels). */
static ng_status expect_factor(ng_ctx *ctx, const ng_frame *frame,
                               const ng_column *column) {
    if (column->levels)
        return NG_OK;
    return ngi_fail(ctx, NG_EDATA,
                    "%s: column \"%s\" holds numbers; the model expects "
                    "levels",
                    ng_frame_source(frame), column->name);
}

ng_status ngi_match_levels(ng_ctx *ctx, const ng_frame *frame,
                           const ng_column *column, const ngi_levels *levels,
                           double *values, size_t stride) {
    size_t rows = ng_frame_rows(frame);
    NG_TRY(expect_factor(ctx, frame, column));
    size_t *map = ngi_alloc(ctx, column->levels, sizeof *map);
    if (!map)
        return NG_ENOMEM;
    for (size_t k = 0; k < column->levels; k++)
        map[k] = find_level(levels, column->level[k]);
    ng_status status = NG_OK;
    for (size_t i = 0; i < rows && status == NG_OK; i++) {
        size_t own = (size_t)column->values[i];
        if (map[own] == levels->count)
            status = ngi_fail(ctx, NG_EDATA,
                              "%s: row %zu, column \"%s\": level \"%s\" was "
                              "not seen when the model was fitted",
                              ng_frame_source(frame), ng_frame_record(frame, i),
                              column->name, column->level[own]);
        values[i * stride] = (double)map[own];
    }
    ngi_free(ctx, map);
    return status;
}

static ng_status fill_numeric(const ngi_design *design, const ng_frame *frame,
                              const ngi_term *term, double *X) {
    const ng_column *column;
    NG_TRY(ngi_require_numeric(design->ctx, frame, term->column, &column));
    for (size_t i = 0; i < ng_frame_rows(frame); i++)
        X[i * design->width] = column->values[i];
    return NG_OK;
}

static ng_status fill_factor(const ngi_design *design, const ng_frame *frame,
                             const ngi_term *term, double *X) {
    const ng_column *column;
    size_t width = term_width(term);
    NG_TRY(ngi_require_column(design->ctx, frame, term->column, &column));
    /* The index goes to the first indicator's place, then is spread. */
    NG_TRY(ngi_match_levels(design->ctx, frame, column, &term->levels, X,
                            design->width));
    for (size_t i = 0; i < ng_frame_rows(frame); i++) {
        double *row = X + i * design->width;
        size_t level = (size_t)row[0];
        for (size_t k = 0; k < width; k++)
            row[k] = level == k + 1 ? 1 : 0;
    }
    return NG_OK;
}

ng_status ngi_design_fill(const ngi_design *design, const ng_frame *frame,
                          double *X) {
    size_t at = 0;
    if (design->intercept) {
        for (size_t i = 0; i < ng_frame_rows(frame); i++)
            X[i * design->width] = 1;
        at = 1;
    }
    for (size_t t = 0; t < design->terms; t++) {
        const ngi_term *term = &design->term[t];
        NG_TRY(term->levels.count ? fill_factor(design, frame, term, X + at)
                                  : fill_numeric(design, frame, term, X + at));
        at += term_width(term);
    }
    return NG_OK;
}

void ngi_design_name(const ngi_design *design, size_t j, char *out,
                     size_t size) {
    if (design->intercept && j == 0) {
        snprintf(out, size, "(Intercept)");
        return;
    }
    j -= design->intercept ? 1 : 0;
    size_t t = 0;
    while (j >= term_width(&design->term[t]))
        j -= term_width(&design->term[t++]);
    const ngi_term *term = &design->term[t];
    if (term->levels.count)
        snprintf(out, size, "%s[%s]", term->column, term->levels.name[j + 1]);
    else
        snprintf(out, size, "%s", term->column);
}
