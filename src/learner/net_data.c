/* Examples and targets from files: columns of a CSV, NPY, IDX. */
#include "learner/net.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static bool is_self(const char *target) {
    return target && strcmp(target, "self") == 0;
}

static bool is_categorical(const char *family) {
    return strcmp(family, "categorical") == 0 || strcmp(family, "softmax") == 0;
}

static const char *shown_path(const char *path) {
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

void ng_net_data_destroy(ng_net_data **pointer) {
    if (!pointer || !*pointer)
        return;
    ng_net_data *data = *pointer;
    ng_ctx *ctx = data->ctx;
    char *names[] = {data->path, data->target, data->family, data->x_name,
                     data->y_name};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ngi_free(ctx, names[i]);
    ngi_net_coding_destroy(&data->coding);
    ng_frame_destroy(&data->frame);
    ng_array_free(ctx, &data->x);
    ng_array_free(ctx, &data->y);
    ngi_free(ctx, data);
    *pointer = NULL;
}

const ng_array *ng_net_data_x(const ng_net_data *data) {
    return &data->x;
}

const ng_array *ng_net_data_y(const ng_net_data *data) {
    return data->y.data ? &data->y : NULL;
}

const char *ng_net_data_family(const ng_net_data *data) {
    return data->family;
}

static ng_status set_family(ng_net_data *data, const char *family) {
    data->family = ngi_strdup(data->ctx, family);
    return data->family ? NG_OK : NG_ENOMEM;
}

static bool within_unit(const ng_array *x) {
    size_t count = ng_array_rows(x) * ng_array_width(x);
    ng_array flat = *x;
    flat.dims = 1;
    flat.shape[0] = count;
    for (size_t i = 0; i < count; i++) {
        double value = ng_array_at(&flat, i, 0);
        if (!(value >= 0 && value <= 1))
            return false;
    }
    return true;
}

static ng_status fail_self_classes(ng_ctx *ctx, const char *family) {
    return ngi_fail(ctx, NG_EUSAGE,
                    "the target \"self\" and the family \"%s\" do not go "
                    "together: its outputs are the inputs, not classes",
                    family);
}

/* ---- Arrays ---------------------------------------------------------------
 */

/* What does not fit the shape of an example is an error of the reader's. */
static ng_shape shape_of(const ng_array *x) {
    if (x->dims == 4)
        return (ng_shape){x->shape[1], x->shape[2], x->shape[3]};
    if (x->dims == 3)
        return (ng_shape){1, x->shape[1], x->shape[2]};
    return (ng_shape){ng_array_width(x), 1, 1};
}

static ng_status read_array(ng_ctx *ctx, const char *path,
                            ng_array_format format, ng_array *out) {
    NG_TRY(ng_array_read(ctx, path, out));
    if (format == NG_ARRAY_IDX && out->dtype == NG_U8 && out->dims > 1)
        out->scale = 1.0 / 255;
    if (ng_array_width(out))
        return NG_OK;
    return ngi_fail(ctx, NG_EDATA, "%s: its examples hold no values",
                    shown_path(path));
}

static ng_status read_array_targets(ng_net_data *data,
                                    const ng_net_source *source) {
    ng_array_format format;
    data->targets = source->target != NULL;
    if (!source->target || is_self(source->target))
        return NG_OK;
    NG_TRY(ng_array_sniff(data->ctx, source->target, &format));
    if (format == NG_ARRAY_OTHER)
        return ngi_fail(data->ctx, NG_EDATA,
                        "%s: expected an NPY or IDX file of targets, one for "
                        "each example of %s",
                        shown_path(source->target), data->x_name);
    NG_TRY(read_array(data->ctx, source->target, format, &data->y));
    if (ng_array_rows(&data->y) == ng_array_rows(&data->x))
        return NG_OK;
    return ngi_fail(data->ctx, NG_EDATA,
                    "%s has %zu targets, but %s has %zu examples: one for each "
                    "is expected",
                    data->y_name, ng_array_rows(&data->y), data->x_name,
                    ng_array_rows(&data->x));
}

/* Labels 0, 1, ... K - 1 are classes named after them. */
static ng_status count_classes(ng_net_data *data) {
    enum { MOST = 1 << 20 };
    const ng_array *y = &data->y;
    ngi_levels *classes = &data->coding->classes;
    double largest = 0;
    if (ng_array_width(y) != 1)
        return ngi_fail(data->ctx, NG_EDATA,
                        "%s: expected one label for each example, found %zu",
                        data->y_name, ng_array_width(y));
    for (size_t i = 0; i < ng_array_rows(y); i++) {
        double label = ng_array_at(y, i, 0);
        if (!(label >= 0 && label < MOST) || label != floor(label))
            return ngi_fail(data->ctx, NG_EDATA,
                            "%s: row %zu: expected a label from 0 to %d, found "
                            "%g",
                            data->y_name, i + 1, MOST - 1, label);
        largest = fmax(largest, label);
    }
    size_t count = (size_t)largest + 1;
    classes->name = ngi_alloc(data->ctx, count, sizeof *classes->name);
    if (!classes->name)
        return NG_ENOMEM;
    for (; classes->count < count; classes->count++) {
        char text[32];
        snprintf(text, sizeof text, "%zu", classes->count);
        classes->name[classes->count] = ngi_strdup(data->ctx, text);
        if (!classes->name[classes->count])
            return NG_ENOMEM;
    }
    return NG_OK;
}

/* Whole numbers that many examples share are rather names than amounts. */
static size_t largest_label(const ng_array *y) {
    enum { MOST = 1000 };
    double largest = 0;
    if (ng_array_width(y) != 1)
        return 0;
    for (size_t i = 0; i < ng_array_rows(y); i++) {
        double label = ng_array_at(y, i, 0);
        if (!(label >= 0 && label < MOST) || label != floor(label))
            return 0;
        largest = fmax(largest, label);
    }
    return largest < (double)ng_array_rows(y) ? (size_t)largest : 0;
}

static ng_status code_array(ng_net_data *data, ng_array_format format,
                            const char *family) {
    ngi_net_coding *coding;
    NG_TRY(ngi_net_coding_create(data->ctx, &data->coding));
    coding = data->coding;
    coding->plain = true;
    coding->self = is_self(data->target);
    coding->shape = shape_of(&data->x);
    if (!data->targets)
        return set_family(data, family ? family : "gaussian");
    if (coding->self) {
        coding->targets = ng_array_width(&data->x);
        if (family && is_categorical(family))
            return fail_self_classes(data->ctx, family);
        return set_family(data, family                  ? family
                                : within_unit(&data->x) ? "bernoulli"
                                                        : "gaussian");
    }
    bool labels = format == NG_ARRAY_IDX && data->x.dims > 1 &&
                  data->y.dtype == NG_U8 && data->y.dims == 1;
    coding->targets = ng_array_width(&data->y);
    NG_TRY(set_family(data, family   ? family
                            : labels ? "categorical"
                                     : "gaussian"));
    coding->categorical = is_categorical(data->family);
    if (!family && !labels)
        data->largest_label = largest_label(&data->y);
    return coding->categorical ? count_classes(data) : NG_OK;
}

static ng_status read_arrays(ng_net_data *data, const ng_net_source *source,
                             ng_array_format format, const char *family,
                             const ng_net *like) {
    if (source->feature_count)
        return ngi_fail(data->ctx, NG_EUSAGE,
                        "%s is an array, which has no columns to choose from",
                        data->x_name);
    NG_TRY(read_array(data->ctx, source->path, format, &data->x));
    NG_TRY(read_array_targets(data, source));
    if (!like)
        return code_array(data, format, family);
    NG_TRY(ngi_net_coding_copy(like->coding, &data->coding));
    return set_family(data, like->family);
}

/* ---- Tables ---------------------------------------------------------------
 */

/* Columns to be read, and how. */
typedef struct lists {
    const char **all, **factors, **numeric;
    size_t alls, factor_count, numerics;
} lists;

static void list(lists *l, const char *name, bool factor, bool number) {
    l->all[l->alls++] = name;
    if (factor)
        l->factors[l->factor_count++] = name;
    if (number)
        l->numeric[l->numerics++] = name;
}

/* "a,b,c" into the names of the targets. */
static ng_status split_targets(ng_net_data *data, ngi_levels *names) {
    ng_ctx *ctx = data->ctx;
    size_t most = 1;
    for (const char *c = data->target; *c; c++)
        most += *c == ',';
    names->name = ngi_alloc(ctx, most, sizeof *names->name);
    if (!names->name)
        return NG_ENOMEM;
    for (const char *at = data->target;; at++) {
        size_t length = strcspn(at, ",");
        char *name = ngi_strndup(ctx, at, length);
        if (!name)
            return NG_ENOMEM;
        ng_status status = ngi_name_copy(ctx, name, &names->name[names->count]);
        ngi_free(ctx, name);
        NG_TRY(status);
        names->count++;
        at += length;
        if (!*at)
            return NG_OK;
    }
}

static ng_status check_features(const ng_net_data *data,
                                const ng_net_source *source,
                                const ngi_levels *names) {
    for (size_t i = 0; i < source->feature_count; i++)
        for (size_t j = 0; j < names->count; j++)
            if (strcmp(source->features[i], names->name[j]) == 0)
                return ngi_fail(data->ctx, NG_EUSAGE,
                                "column \"%s\" is an input and a target too",
                                names->name[j]);
    return NG_OK;
}

static ng_status read_frame(ng_net_data *data, const ng_net_source *source,
                            const char *family, bool like) {
    const ngi_net_coding *coding = data->coding;
    size_t inputs = like ? coding->inputs : source->feature_count;
    size_t most = inputs + coding->names.count + 1;
    const char **memory = ngi_alloc(data->ctx, 3 * most, sizeof *memory);
    if (!memory)
        return NG_ENOMEM;
    lists l = {memory, memory + most, memory + 2 * most, 0, 0, 0};
    for (size_t i = 0; i < inputs; i++) {
        bool factor = like && coding->input[i].levels.count > 0;
        list(&l, like ? coding->input[i].name : source->features[i], factor,
             like && !factor);
    }
    bool classes =
        like ? coding->classes.count > 0 : family && is_categorical(family);
    for (size_t j = 0; data->targets && j < coding->names.count; j++)
        list(&l, coding->names.name[j], classes, like && !classes);
    ng_frame_options options = {.include = l.all,
                                .includes = inputs ? l.alls : 0,
                                .factors = l.factors,
                                .factor_count = l.factor_count,
                                .numeric = l.numeric,
                                .numerics = l.numerics,
                                .drop_missing = source->drop_missing};
    ng_status status =
        ng_frame_read_csv(data->ctx, source->path, &options, &data->frame);
    ngi_free(data->ctx, memory);
    return status;
}

/* A running mean and variance (West 1979) that no number of a double's range
 * leads out of it. */
static void moments(const ng_column *column, size_t rows, double *mean,
                    double *sd) {
    double variance = 0;
    *mean = 0;
    for (size_t i = 0; i < rows; i++) {
        double share = 1 / ((double)i + 1);
        double delta = column->values[i] - *mean;
        delta = fmax(-DBL_MAX, fmin(delta, DBL_MAX));
        *mean += share * delta;
        double square = fmin(delta * (1 - share) * delta, DBL_MAX);
        variance += share * square - share * variance;
    }
    *sd = variance > 0 ? sqrt(variance) : 1;
}

static ng_status describe_input(ng_net_data *data, const ng_column *column,
                                ngi_net_column *out) {
    ng_ctx *ctx = data->ctx;
    NG_TRY(ngi_name_copy(ctx, column->name, &out->name));
    if (column->levels && data->coding->self)
        return ngi_fail(ctx, NG_EDATA,
                        "%s: column \"%s\" holds levels (\"%s\"); the target "
                        "\"self\" needs numbers",
                        data->x_name, column->name, column->level[0]);
    if (column->levels)
        return ngi_levels_copy(ctx, column->levels, column->level,
                               &out->levels);
    moments(column, ng_frame_rows(data->frame), &out->mean, &out->sd);
    return NG_OK;
}

static bool is_target(const ngi_net_coding *coding, const char *name) {
    for (size_t j = 0; j < coding->names.count; j++)
        if (strcmp(coding->names.name[j], name) == 0)
            return true;
    return false;
}

static ng_status describe_inputs(ng_net_data *data,
                                 const ng_net_source *source) {
    ngi_net_coding *coding = data->coding;
    size_t columns = ng_frame_columns(data->frame);
    size_t most = source->feature_count ? source->feature_count : columns;
    coding->input = ngi_alloc(data->ctx, most, sizeof *coding->input);
    if (!coding->input)
        return NG_ENOMEM;
    for (size_t i = 0; i < most; i++) {
        const ng_column *column =
            source->feature_count
                ? ng_frame_find(data->frame, source->features[i])
                : ng_frame_column(data->frame, i);
        if (!is_target(coding, column->name))
            NG_TRY(
                describe_input(data, column, &coding->input[coding->inputs++]));
    }
    if (coding->inputs)
        return NG_OK;
    return ngi_fail(data->ctx, NG_EDATA, "%s: no column is left for the inputs",
                    data->x_name);
}

static ng_status fail_levels(const ng_net_data *data, const ng_column *column) {
    return ngi_fail(data->ctx, NG_EDATA,
                    "%s: column \"%s\" holds levels (\"%s\"); the family "
                    "\"%s\" needs numbers",
                    data->x_name, column->name, column->level[0], data->family);
}

/* Classes that look like numbers are meant to be whole. */
static ng_status check_whole(const ng_net_data *data, const ng_column *column) {
    const char *first = column->level[0];
    for (size_t i = 0; i < column->levels; i++) {
        const char *text = column->level[i];
        size_t length = strlen(text);
        size_t digits = strspn(text, "0123456789.+-eE");
        if (length != digits || !strpbrk(text, "0123456789"))
            return NG_OK;
        if (strpbrk(text, ".eE"))
            first = text;
    }
    if (!strpbrk(first, ".eE"))
        return NG_OK;
    return ngi_fail(data->ctx, NG_EDATA,
                    "%s: column \"%s\": expected classes, as words or whole "
                    "numbers, found %s",
                    data->x_name, column->name, first);
}

static ng_status describe_targets(ng_net_data *data, const char *family) {
    ngi_net_coding *coding = data->coding;
    const ng_column *column;
    coding->targets = coding->names.count;
    for (size_t j = coding->targets; j-- > 0;)
        NG_TRY(ngi_require_column(data->ctx, data->frame, coding->names.name[j],
                                  &column));
    bool classes = coding->targets == 1 && column->levels;
    NG_TRY(set_family(data, family    ? family
                            : classes ? "categorical"
                                      : "gaussian"));
    coding->categorical = is_categorical(data->family);
    bool binary = strcmp(data->family, "bernoulli") == 0;
    if (coding->categorical && coding->targets > 1)
        return ngi_fail(data->ctx, NG_EUSAGE,
                        "family \"%s\" takes one target column, not %zu",
                        data->family, coding->targets);
    for (size_t j = 0; j < coding->targets && !coding->categorical; j++) {
        column = ng_frame_find(data->frame, coding->names.name[j]);
        /* Of two levels the second is the success. */
        bool success = binary && coding->targets == 1 && column->levels == 2;
        if (column->levels && !success)
            return fail_levels(data, column);
    }
    if (coding->categorical)
        NG_TRY(check_whole(data, column));
    return column->levels ? ngi_levels_copy(data->ctx, column->levels,
                                            column->level, &coding->classes)
                          : NG_OK;
}

static bool frame_within_unit(const ng_net_data *data) {
    const ngi_net_coding *coding = data->coding;
    for (size_t i = 0; i < coding->inputs; i++) {
        const ng_column *column =
            ng_frame_find(data->frame, coding->input[i].name);
        for (size_t k = 0; k < ng_frame_rows(data->frame); k++)
            if (!(column->values[k] >= 0 && column->values[k] <= 1))
                return false;
    }
    return true;
}

/* Without a net to go by. */
static ng_status describe_table(ng_net_data *data, const ng_net_source *source,
                                const char *family) {
    ngi_net_coding *coding = data->coding;
    if (data->targets && !coding->self)
        NG_TRY(describe_targets(data, family));
    NG_TRY(describe_inputs(data, source));
    if (coding->self) {
        coding->plain = frame_within_unit(data);
        coding->targets = coding->inputs;
        if (family && is_categorical(family))
            return fail_self_classes(data->ctx, family);
        NG_TRY(set_family(data, family          ? family
                                : coding->plain ? "bernoulli"
                                                : "gaussian"));
    } else if (!data->targets) {
        NG_TRY(set_family(data, family ? family : "gaussian"));
    }
    coding->shape = (ng_shape){ngi_net_coding_width(coding), 1, 1};
    return NG_OK;
}

static ng_status check_like(const ng_net_data *data, const ng_net *like) {
    if (!data->target || strcmp(data->target, like->target) == 0)
        return NG_OK;
    return ngi_fail(data->ctx, NG_EUSAGE,
                    "the target \"%s\" is not that of the network, \"%s\"",
                    data->target, like->target);
}

static ng_status read_table(ng_net_data *data, const ng_net_source *source,
                            const char *family, const ng_net *like) {
    data->targets = source->target != NULL;
    if (like && !like->coding->table)
        return ngi_fail(data->ctx, NG_EDATA,
                        "%s is no NPY or IDX file, which the network was "
                        "trained on",
                        data->x_name);
    if (like) {
        NG_TRY(check_like(data, like));
        NG_TRY(ngi_net_coding_copy(like->coding, &data->coding));
        NG_TRY(set_family(data, like->family));
    } else {
        NG_TRY(ngi_net_coding_create(data->ctx, &data->coding));
        data->coding->table = true;
        data->coding->self = is_self(source->target);
        if (data->targets && !data->coding->self)
            NG_TRY(split_targets(data, &data->coding->names));
        NG_TRY(check_features(data, source, &data->coding->names));
    }
    NG_TRY(read_frame(data, source, family, like != NULL));
    if (!like)
        NG_TRY(describe_table(data, source, family));
    return ngi_net_coding_fill(data->coding, data->frame, data->targets,
                               &data->x, &data->y);
}

/* ---- Both -----------------------------------------------------------------
 */

static ng_status set_names(ng_net_data *data, const ng_net_source *source) {
    char name[256];
    ng_ctx *ctx = data->ctx;
    const char *target = source->target;
    data->path = ngi_strdup(ctx, source->path);
    data->target = target ? ngi_strdup(ctx, target) : NULL;
    data->x_name = ngi_strdup(ctx, shown_path(source->path));
    snprintf(name, sizeof name, "%s",
             target && !is_self(target) ? shown_path(target)
                                        : shown_path(source->path));
    data->y_name = ngi_strdup(ctx, name);
    return data->path && (data->target || !target) && data->x_name &&
                   data->y_name
               ? NG_OK
               : NG_ENOMEM;
}

static ng_status name_target_column(ng_net_data *data) {
    char name[512];
    snprintf(name, sizeof name, "%s: target %s", data->x_name, data->target);
    ngi_free(data->ctx, data->y_name);
    data->y_name = ngi_strdup(data->ctx, name);
    return data->y_name ? NG_OK : NG_ENOMEM;
}

static ng_status read_all(ng_net_data *data, const ng_net_source *source,
                          const char *family, const ng_net *like) {
    ng_array_format format;
    NG_TRY(set_names(data, source));
    NG_TRY(ng_array_sniff(data->ctx, source->path, &format));
    if (format != NG_ARRAY_OTHER)
        return read_arrays(data, source, format, family, like);
    if (data->target && !is_self(data->target))
        NG_TRY(name_target_column(data));
    return read_table(data, source, family, like);
}

ng_status ng_net_data_read(ng_ctx *ctx, const ng_net_source *source,
                           const char *family, const ng_net *like,
                           ng_net_data **out) {
    *out = NULL;
    ng_net_data *data = ngi_alloc(ctx, 1, sizeof *data);
    if (!data)
        return NG_ENOMEM;
    data->ctx = ctx;
    ng_status status = read_all(data, source, family, like);
    if (status == NG_OK)
        *out = data;
    else
        ng_net_data_destroy(&data);
    return status;
}
