/* How the columns of a file, or the values of an array, become the examples of
 * a network; as JSON in models, both ways. */
#include "learner/net.h"

#include "learner/model_json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

ng_status ngi_net_coding_create(ng_ctx *ctx, ngi_net_coding **out) {
    *out = ngi_alloc(ctx, 1, sizeof **out);
    if (!*out)
        return NG_ENOMEM;
    (*out)->ctx = ctx;
    return NG_OK;
}

void ngi_net_coding_destroy(ngi_net_coding **pointer) {
    ngi_net_coding *coding = *pointer;
    if (!coding)
        return;
    ng_ctx *ctx = coding->ctx;
    for (size_t i = 0; coding->input && i < coding->inputs; i++) {
        ngi_free(ctx, coding->input[i].name);
        ngi_levels_free(ctx, &coding->input[i].levels);
    }
    ngi_free(ctx, coding->input);
    ngi_levels_free(ctx, &coding->names);
    ngi_levels_free(ctx, &coding->classes);
    ngi_free(ctx, coding);
    *pointer = NULL;
}

ng_status ngi_net_coding_copy(const ngi_net_coding *coding,
                              ngi_net_coding **out) {
    *out = NULL;
    json_t *object = ngi_net_coding_to_json(coding);
    if (!object)
        return ngi_fail_memory(coding->ctx);
    ng_status status =
        ngi_net_coding_from_json(coding->ctx, "coding", object, out);
    json_decref(object);
    return status;
}

static size_t column_width(const ngi_net_coding *coding,
                           const ngi_net_column *column) {
    return column->levels.count && !coding->plain ? column->levels.count : 1;
}

size_t ngi_net_coding_width(const ngi_net_coding *coding) {
    size_t width = 0;
    for (size_t i = 0; i < coding->inputs; i++)
        width += column_width(coding, &coding->input[i]);
    return width;
}

/* ---- From a frame ---------------------------------------------------------
 */

/* Values of the column, every `stride` doubles: numbers, or places among
 * `levels`. Where a file has only levels that look like whole numbers, its
 * column was read as one of numbers. */
static ng_status read_column(ng_ctx *ctx, const ng_frame *frame,
                             const char *name, const ngi_levels *levels,
                             double *out, size_t stride) {
    const ng_column *column;
    if (!levels->count)
        NG_TRY(ngi_require_numeric(ctx, frame, name, &column));
    else
        NG_TRY(ngi_require_column(ctx, frame, name, &column));
    if (levels->count && column->levels)
        return ngi_match_levels(ctx, frame, column, levels, out, stride);
    for (size_t i = 0; i < ng_frame_rows(frame); i++) {
        double value = column->values[i];
        size_t level = 0;
        char text[32];
        out[i * stride] = value;
        if (!levels->count)
            continue;
        snprintf(text, sizeof text, "%.0f",
                 fabs(value) < 1e15 ? value : (double)NAN);
        while (
            level < levels->count &&
            (strcmp(levels->name[level], text) != 0 || value != floor(value)))
            level++;
        if (level == levels->count)
            return ngi_fail(ctx, NG_EDATA,
                            "%s: row %zu, column \"%s\": level \"%.6g\" was "
                            "not seen when the model was fitted",
                            ng_frame_source(frame), ng_frame_record(frame, i),
                            name, value);
        out[i * stride] = (double)level;
    }
    return NG_OK;
}

static ng_status fill_input(const ngi_net_coding *coding, const ng_frame *frame,
                            const ngi_net_column *column, double *out,
                            size_t stride) {
    size_t rows = ng_frame_rows(frame), width = column_width(coding, column);
    NG_TRY(read_column(coding->ctx, frame, column->name, &column->levels, out,
                       stride));
    if (coding->plain)
        return NG_OK;
    for (size_t i = 0; i < rows; i++) {
        double *row = out + i * stride;
        if (!column->levels.count) {
            row[0] = (row[0] - column->mean) / column->sd;
            continue;
        }
        size_t level = (size_t)row[0];
        for (size_t k = 0; k < width; k++)
            row[k] = k == level ? 1 : 0;
    }
    return NG_OK;
}

static ng_status fill_inputs(const ngi_net_coding *coding,
                             const ng_frame *frame, ng_array *x) {
    size_t width = ngi_net_coding_width(coding), at = 0;
    const size_t shape[] = {ng_frame_rows(frame), width};
    NG_TRY(ng_array_create(coding->ctx, NG_F64, 2, shape, x));
    for (size_t i = 0; i < coding->inputs; i++) {
        NG_TRY(fill_input(coding, frame, &coding->input[i],
                          (double *)x->data + at, width));
        at += column_width(coding, &coding->input[i]);
    }
    return NG_OK;
}

static ng_status fill_targets(const ngi_net_coding *coding,
                              const ng_frame *frame, ng_array *y) {
    static const ngi_levels none;
    size_t width = coding->targets;
    const size_t shape[] = {ng_frame_rows(frame), width};
    if (coding->self && coding->plain)
        return NG_OK;
    NG_TRY(ng_array_create(coding->ctx, NG_F64, 2, shape, y));
    for (size_t j = 0; j < width; j++)
        NG_TRY(read_column(coding->ctx, frame,
                           coding->self ? coding->input[j].name
                                        : coding->names.name[j],
                           coding->self ? &none : &coding->classes,
                           (double *)y->data + j, width));
    return NG_OK;
}

ng_status ngi_net_coding_fill(const ngi_net_coding *coding,
                              const ng_frame *frame, bool targets, ng_array *x,
                              ng_array *y) {
    ng_status status = fill_inputs(coding, frame, x);
    if (status == NG_OK && targets)
        status = fill_targets(coding, frame, y);
    if (status != NG_OK) {
        ng_array_free(coding->ctx, x);
        ng_array_free(coding->ctx, y);
    }
    return status;
}

/* ---- JSON -----------------------------------------------------------------
 */

static json_t *levels_json(const ngi_levels *levels) {
    json_t *array = json_array();
    int bad = array ? 0 : -1;
    for (size_t i = 0; !bad && i < levels->count; i++)
        bad = json_array_append_new(array, json_string(levels->name[i]));
    if (!bad)
        return array;
    json_decref(array);
    return NULL;
}

static json_t *column_json(const ngi_net_column *column) {
    if (column->levels.count)
        return json_pack("{s:s, s:o}", "column", column->name, "levels",
                         levels_json(&column->levels));
    return json_pack("{s:s, s:f, s:f}", "column", column->name, "mean",
                     column->mean, "sd", column->sd);
}

static json_t *columns_json(const ngi_net_coding *coding) {
    json_t *array = json_array();
    int bad = array ? 0 : -1;
    for (size_t i = 0; !bad && i < coding->inputs; i++)
        bad = json_array_append_new(array, column_json(&coding->input[i]));
    if (!bad)
        return array;
    json_decref(array);
    return NULL;
}

json_t *ngi_net_coding_to_json(const ngi_net_coding *coding) {
    const ng_shape *s = &coding->shape;
    return json_pack(
        "{s:b, s:b, s:b, s:b, s:[I,I,I], s:I, s:o, s:o, s:o}", "table",
        coding->table, "self", coding->self, "categorical", coding->categorical,
        "plain", coding->plain, "shape", (json_int_t)s->channels,
        (json_int_t)s->height, (json_int_t)s->width, "targets",
        (json_int_t)coding->targets, "names", levels_json(&coding->names),
        "classes", levels_json(&coding->classes), "inputs",
        columns_json(coding));
}

typedef struct reader {
    ng_ctx *ctx;
    const char *source;
    const json_t *object;
} reader;

static ng_status malformed(const reader *r, const char *key) {
    return ngi_fail(r->ctx, NG_EDATA,
                    "%s: not a natgrad network: \"%s\" is missing or is not "
                    "as it should be",
                    r->source, key);
}

static ng_status read_levels(const reader *r, const json_t *object,
                             const char *key, ngi_levels *out) {
    const json_t *array = json_object_get(object, key);
    if (!json_is_array(array))
        return malformed(r, key);
    size_t count = json_array_size(array);
    out->name = ngi_alloc(r->ctx, count, sizeof *out->name);
    if (!out->name)
        return NG_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        if (!text)
            return malformed(r, key);
        out->name[i] = ngi_strdup(r->ctx, text);
        if (!out->name[i])
            return NG_ENOMEM;
        out->count++;
    }
    return NG_OK;
}

static ng_status read_column_json(const reader *r, const json_t *object,
                                  ngi_net_column *out) {
    const char *name = json_string_value(json_object_get(object, "column"));
    const json_t *mean = json_object_get(object, "mean");
    const json_t *sd = json_object_get(object, "sd");
    if (!name)
        return malformed(r, "inputs");
    out->name = ngi_strdup(r->ctx, name);
    if (!out->name)
        return NG_ENOMEM;
    if (json_object_get(object, "levels")) {
        NG_TRY(read_levels(r, object, "levels", &out->levels));
        return out->levels.count ? NG_OK : malformed(r, "levels");
    }
    out->mean = json_number_value(mean);
    out->sd = json_number_value(sd);
    return json_is_number(mean) && out->sd > 0 ? NG_OK : malformed(r, "inputs");
}

static ng_status read_inputs(const reader *r, ngi_net_coding *coding) {
    const json_t *array = json_object_get(r->object, "inputs");
    if (!json_is_array(array))
        return malformed(r, "inputs");
    size_t count = json_array_size(array);
    coding->input = ngi_alloc(r->ctx, count, sizeof *coding->input);
    if (!coding->input)
        return NG_ENOMEM;
    coding->inputs = count;
    for (size_t i = 0; i < count; i++)
        NG_TRY(
            read_column_json(r, json_array_get(array, i), &coding->input[i]));
    return NG_OK;
}

static bool read_size(const json_t *value, size_t *out) {
    json_int_t number = json_integer_value(value);
    if (number < 1 || number > (json_int_t)NGI_SIZE_MOST)
        return false;
    *out = (size_t)number;
    return true;
}

static ng_status read_flags(const reader *r, ngi_net_coding *coding) {
    struct {
        const char *key;
        bool *flag;
    } flags[] = {{"table", &coding->table},
                 {"self", &coding->self},
                 {"categorical", &coding->categorical},
                 {"plain", &coding->plain}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        const json_t *value = json_object_get(r->object, flags[i].key);
        if (!json_is_boolean(value))
            return malformed(r, flags[i].key);
        *flags[i].flag = json_is_true(value);
    }
    return NG_OK;
}

/* Counts that name the same thing must agree. */
static ng_status check(const reader *r, const ngi_net_coding *coding) {
    const ng_shape *s = &coding->shape;
    size_t width = s->channels * s->height;
    if (width > NGI_SIZE_MOST || width * s->width > NGI_SIZE_MOST ||
        (coding->table && (s->channels != ngi_net_coding_width(coding) ||
                           s->height != 1 || s->width != 1)))
        return malformed(r, "shape");
    if (coding->categorical &&
        (coding->targets != 1 || coding->classes.count < 2 || coding->self))
        return malformed(r, "classes");
    if (coding->table && !coding->self &&
        (coding->names.count != coding->targets ||
         (coding->classes.count && coding->targets != 1)))
        return malformed(r, "names");
    if (coding->self && coding->targets != width * s->width)
        return malformed(r, "targets");
    for (size_t i = 0; coding->self && i < coding->inputs; i++)
        if (coding->input[i].levels.count)
            return malformed(r, "inputs");
    return NG_OK;
}

static ng_status read_coding(const reader *r, ngi_net_coding *coding) {
    const json_t *shape = json_object_get(r->object, "shape");
    NG_TRY(read_flags(r, coding));
    if (!read_size(json_array_get(shape, 0), &coding->shape.channels) ||
        !read_size(json_array_get(shape, 1), &coding->shape.height) ||
        !read_size(json_array_get(shape, 2), &coding->shape.width))
        return malformed(r, "shape");
    if (!read_size(json_object_get(r->object, "targets"), &coding->targets))
        return malformed(r, "targets");
    NG_TRY(read_levels(r, r->object, "names", &coding->names));
    NG_TRY(read_levels(r, r->object, "classes", &coding->classes));
    NG_TRY(read_inputs(r, coding));
    return check(r, coding);
}

ng_status ngi_net_coding_from_json(ng_ctx *ctx, const char *source,
                                   const json_t *object, ngi_net_coding **out) {
    const reader r = {ctx, source, object};
    ngi_net_coding *coding;
    *out = NULL;
    NG_TRY(ngi_net_coding_create(ctx, &coding));
    ng_status status = read_coding(&r, coding);
    if (status == NG_OK)
        *out = coding;
    else
        ngi_net_coding_destroy(&coding);
    return status;
}
