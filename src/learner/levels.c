/* Names of levels, and columns of a frame by name. */
#include "learner/levels.h"
#include "data/text.h"

#include <string.h>

ng_status ngi_name_check(ng_ctx *ctx, const char *name) {
    if (ngi_utf8_valid(name, strlen(name)))
        return NG_OK;
    return ngi_fail(ctx, NG_EDATA, "name \"%s\": expected UTF-8",
                    ngi_show_string(name).text);
}

ng_status ngi_name_copy(ng_ctx *ctx, const char *name, char **out) {
    *out = NULL;
    NG_TRY(ngi_name_check(ctx, name));
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

size_t ngi_levels_find(const ngi_levels *levels, const char *name) {
    size_t k = 0;
    while (k < levels->count && strcmp(levels->name[k], name) != 0)
        k++;
    return k;
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
        map[k] = ngi_levels_find(levels, column->level[k]);
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
