/* Learning curves over iterations and seconds, and what an autoencoder makes
 * of images, by gnuplot. */
#include "net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Columns of the table of curves, see net_table.c. */
enum { ITERATION = 3, SECONDS = 5, FIRST_SCORE = 8, SCORES = 3 };
enum { EXAMPLES = 10, ROW = 320, DIGITS_ROW = 290, WIDTH = 1200 };
enum { KEY_ROW = 24, KEY_COLUMNS = 5 };

static const char *const PART_LABELS[] = {"training", "validation", "test"};
static const char *const SCORE_LABELS[] = {
    "loss (nats)", "error (share of classes)", "squared error"};
static const char *const COLORS[] = {
    "#d62728", "#1f77b4", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b",
    "#e377c2", "#7f7f7f", "#bcbd22", "#17becf", "#000000", "#aec7e8"};
enum { COLOR_COUNT = sizeof COLORS / sizeof *COLORS };

typedef struct picture {
    const net_curve *curves;
    size_t count;
    char *table; /* quoted for gnuplot */
    char *image; /* the same, or NULL */
    size_t image_columns, image_rows;
    size_t key, height; /* pixels: of the key, of all */
} picture;

static double score_of(const net_point *point, size_t part, size_t score) {
    const ng_score *s = part == 0   ? &point->train
                        : part == 1 ? &point->valid
                                    : &point->test;
    /* Accuracy is drawn as error, which a logarithm spreads. */
    return score == 0   ? s->loss
           : score == 1 ? 1 - s->accuracy
                        : s->squared_error;
}

typedef struct range {
    bool found;
    double low, high;
} range;

/* The values of a score that any curve has, within `r` and those. */
static void extend(const picture *p, size_t part, size_t score, range *r) {
    for (size_t i = 0; i < p->count; i++) {
        for (size_t k = 0; k < p->curves[i].points; k++) {
            double value = score_of(&p->curves[i].point[k], part, score);
            if (!isfinite(value))
                continue;
            r->low = r->found ? fmin(r->low, value) : value;
            r->high = r->found ? fmax(r->high, value) : value;
            r->found = true;
        }
    }
}

static bool is_there(const picture *p, size_t part, size_t score) {
    range r = {.found = false};
    extend(p, part, score, &r);
    return r.found;
}

/* Whether one curve has any, which gnuplot asks of all that it draws. */
static bool has_values(const net_curve *curve, size_t part, size_t score) {
    const picture one = {.curves = curve, .count = 1};
    return is_there(&one, part, score);
}

static bool has_part(const picture *p, size_t part) {
    bool there = false;
    for (size_t score = 0; score < SCORES; score++)
        there = there || is_there(p, part, score);
    return there;
}

/* A logarithm is for what spans about a decade. */
static bool spans_a_decade(const range *r) {
    enum { FACTOR = 8 };
    return r->low > 0 && r->high > FACTOR * r->low;
}

static const char *value_of(size_t part, size_t score, char *out, size_t size) {
    snprintf(out, size, score == 1 ? "(1-$%zu)" : "%zu",
             FIRST_SCORE + SCORES * part + score);
    return out;
}

/* Where there are few decades, 1, 2, 5, 10, ... within the range. */
static void set_logarithm(ng_writer *w, const range *r) {
    static const double STEPS[] = {1, 2, 5};
    static const double MANY = 200, BEYOND = 1.1;
    double low = r->low / BEYOND, high = r->high * BEYOND;
    const char *separator = "";
    ng_writer_print(w, "set logscale y\nset yrange [%g:%g]\n", low, high);
    if (high > MANY * low) {
        ng_writer_print(w, "set ytics nomirror autofreq\n");
        return;
    }
    ng_writer_print(w, "set ytics nomirror (");
    for (double decade = pow(10, floor(log10(low))); decade < high;
         decade *= 10) {
        for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; i++) {
            double tic = decade * STEPS[i];
            if (tic < low || tic > high)
                continue;
            ng_writer_print(w, "%s%g", separator, tic);
            separator = ", ";
        }
    }
    ng_writer_print(w, ")\n");
}

static void set_margins(ng_writer *w, const picture *p, double left,
                        double right, double top, double bottom) {
    double height = (double)p->height;
    ng_writer_print(w,
                    "set lmargin at screen %g\nset rmargin at screen %g\n"
                    "set tmargin at screen %g\nset bmargin at screen %g\n",
                    left, right, 1 - top / height, 1 - bottom / height);
}

/* A range that ends where it begins is none. */
static void set_linear(ng_writer *w, const range *r) {
    double margin = r->low == 0 ? 1 : 0.1 * fabs(r->low);
    ng_writer_print(w, "unset logscale y\nset ytics nomirror autofreq\n");
    if (r->high - r->low > 1e-6 * margin)
        ng_writer_print(w, "set yrange [*:*]\n");
    else
        ng_writer_print(w, "set yrange [%.9g:%.9g]\n", r->low - margin,
                        r->high + margin);
}

static bool beyond_zero(const picture *p, int axis) {
    for (size_t i = 0; i < p->count; i++) {
        for (size_t k = 0; k < p->curves[i].points; k++) {
            const net_point *point = &p->curves[i].point[k];
            if (axis ? point->seconds > 0 : point->iteration > 0)
                return true;
        }
    }
    return false;
}

/* Panel `axis` of a row from the top: where it is, and its axes. */
static void set_panel(ng_writer *w, const picture *p, size_t row, int axis,
                      const char *y, const range *r) {
    double top = (double)(p->key + row * ROW);
    bool first = axis == 0;
    set_margins(w, p, first ? 0.09 : 0.57, first ? 0.49 : 0.97, top + 10,
                top + ROW - 60);
    ng_writer_print(w, "set xlabel '%s'\nset ylabel '%s'\n",
                    first ? "iterations" : "seconds of training",
                    first ? y : "");
    ng_writer_print(w, "set xrange [0:%s]\n", beyond_zero(p, axis) ? "*" : "1");
    if (spans_a_decade(r))
        set_logarithm(w, r);
    else
        set_linear(w, r);
}

static void print_title(ng_writer *w, const picture *p, size_t i) {
    const net_curve *c = &p->curves[i];
    if (p->count == 1)
        ng_writer_print(w, "%s", PART_LABELS[i]);
    else
        ng_writer_print(w, "%s", c->name);
    if (p->count > 1 && isfinite(c->rate))
        ng_writer_print(w, ", rate %g", c->rate);
}

/* One key for all panels, above them, where it hides no curve: that of an
 * empty plot as wide as the picture. */
static void draw_key(ng_writer *w, const picture *p) {
    bool first = true;
    set_margins(w, p, 0.05, 0.97, 0, (double)p->key);
    ng_writer_print(w,
                    "set key at screen 0.53,%g center center horizontal "
                    "maxcols %d Left reverse samplen 2\n"
                    "unset border\nunset tics\nset yrange [0:1]\n"
                    "set xrange [0:1]\nplot ",
                    1 - (double)p->key / 2 / (double)p->height, KEY_COLUMNS);
    for (size_t i = 0; i < (p->count == 1 ? 3 : p->count); i++) {
        if (p->count == 1 && !has_part(p, i))
            continue;
        ng_writer_print(w,
                        "%sNaN with linespoints lw 2 pt 7 ps 0.4 lc rgb '%s' "
                        "title '",
                        first ? "" : ", ", COLORS[i % COLOR_COUNT]);
        print_title(w, p, i);
        ng_writer_print(w, "'");
        first = false;
    }
    ng_writer_print(w, "\nunset key\nset border 3 lc rgb '#606060'\n"
                       "set xtics nomirror\n");
}

/* One panel of each axis: the data sets of one curve. */
static void draw_parts(ng_writer *w, const picture *p, size_t row,
                       size_t score) {
    range r = {.found = false};
    bool there[3];
    char value[32];
    for (size_t part = 0; part < 3; part++) {
        there[part] = is_there(p, part, score);
        extend(p, part, score, &r);
    }
    for (int axis = 0; axis < 2; axis++) {
        bool first = true;
        set_panel(w, p, row, axis, SCORE_LABELS[score], &r);
        ng_writer_print(w, "plot ");
        for (size_t part = 0; part < 3; part++) {
            if (!there[part])
                continue;
            ng_writer_print(
                w,
                "%s'%s' using %d:%s with linespoints lw 2 pt 7 ps "
                "0.4 lc rgb '%s'",
                first ? "" : ", ", p->table, axis ? SECONDS : ITERATION,
                value_of(part, score, value, sizeof value), COLORS[part]);
            first = false;
        }
        ng_writer_print(w, "\n");
    }
}

/* One panel of each axis: the curves on one data set. */
static void draw_curves(ng_writer *w, const picture *p, size_t row, size_t part,
                        size_t score) {
    range r = {.found = false};
    char label[96], value[32];
    const char *separator;
    extend(p, part, score, &r);
    snprintf(label, sizeof label, "%s %s", PART_LABELS[part],
             SCORE_LABELS[score]);
    for (int axis = 0; axis < 2; axis++) {
        set_panel(w, p, row, axis, label, &r);
        ng_writer_print(w, "plot ");
        separator = "";
        for (size_t i = 0; i < p->count; i++) {
            if (!has_values(&p->curves[i], part, score))
                continue;
            ng_writer_print(w,
                            "%s'%s' index %zu using %d:%s with linespoints lw "
                            "2 pt 7 ps 0.3 lc rgb '%s'",
                            separator, p->table, i, axis ? SECONDS : ITERATION,
                            value_of(part, score, value, sizeof value),
                            COLORS[i % COLOR_COUNT]);
            separator = ", ";
        }
        ng_writer_print(w, "\n");
    }
}

/* Writes the rows of panels, or only counts them where w is NULL. */
static size_t draw_rows(ng_writer *w, const picture *p) {
    size_t rows = 0;
    for (size_t score = 0; score < SCORES; score++) {
        bool shared = false;
        for (size_t part = 0; part < 3; part++) {
            bool there = is_there(p, part, score);
            shared = shared || there;
            if (p->count == 1 || !there)
                continue;
            if (w)
                draw_curves(w, p, rows, part, score);
            rows++;
        }
        if (p->count > 1 || !shared)
            continue;
        if (w)
            draw_parts(w, p, rows, score);
        rows++;
    }
    return rows;
}

static void draw_image(ng_writer *w, const picture *p) {
    double height = (double)p->height;
    set_margins(w, p, 0.02, 0.98, height - DIGITS_ROW + 35, height - 10);
    ng_writer_print(w, "unset colorbox\nunset tics\nunset border\nunset grid\n"
                       "set xlabel ''\nset ylabel ''\nunset logscale\n"
                       "set palette gray\nset cbrange [0:1]\n"
                       "set datafile separator whitespace\n"
                       "set title 'examples, and below them what the network "
                       "makes of them'\n");
    ng_writer_print(w,
                    "set size ratio -1\nplot [-0.5:%zu.5][%zu.5:-0.5] '%s' "
                    "matrix with image\n",
                    p->image_columns - 1, p->image_rows - 1, p->image);
}

static void set_terminal(ng_writer *w, const char *output, size_t height) {
    const char *dot = strrchr(output, '.');
    bool png = dot && strcmp(dot, ".png") == 0;
    ng_writer_print(w, "set terminal %s size %d,%zu%s\n", png ? "png" : "svg",
                    WIDTH, height, png ? "" : " dynamic");
    /* Smooth lines, where this terminal is built in. */
    if (png)
        ng_writer_print(w,
                        "if (strstrt(GPVAL_TERMINALS, 'pngcairo')) "
                        "set terminal pngcairo size %d,%zu\n",
                        WIDTH, height);
}

static int write_script(ng_ctx *ctx, const char *path, const char *output,
                        const char *quoted, picture *p) {
    ng_writer *w;
    size_t rows = draw_rows(NULL, p);
    size_t keys = p->count == 1 ? 1 : (p->count - 1) / KEY_COLUMNS + 1;
    p->key = keys * KEY_ROW;
    p->height = p->key + rows * ROW + (p->image ? DIGITS_ROW : 0);
    if (!rows)
        return cli_complain(CLI_FAILED,
                            "%s: nothing was evaluated that could be drawn",
                            output);
    int status = cli_fail(ctx, ng_writer_open(ctx, path, &w));
    if (status != CLI_DONE)
        return status;
    set_terminal(w, output, p->height);
    ng_writer_print(w, "set output '%s'\nset grid lc rgb '#dddddd' lt 1\n",
                    quoted);
    ng_writer_print(w, "set format y '%%g'\nset datafile separator tab\n"
                       "set multiplot\n");
    draw_key(w, p);
    draw_rows(w, p);
    if (p->image)
        draw_image(w, p);
    ng_writer_print(w, "unset multiplot\n");
    return cli_fail(ctx, ng_writer_commit(&w));
}

/* ---- Images ---------------------------------------------------------------
 */

/* Height and width of an example that is an image: so shaped, or a square
 * number of values. */
static bool image_shape(const ng_array *x, size_t *height, size_t *width,
                        size_t *channels) {
    enum { LEAST = 8 };
    *channels = 1;
    if (x->dims >= 3) {
        *channels = x->dims == 4 ? x->shape[1] : 1;
        *height = x->shape[x->dims - 2];
        *width = x->shape[x->dims - 1];
        return true;
    }
    *height = *width = (size_t)lround(sqrt((double)ng_array_width(x)));
    return *width >= LEAST && *width * *height == ng_array_width(x);
}

/* What is drawn: examples, and after them what the network makes of them. */
typedef struct images {
    double *value;
    size_t count, height, width, channels;
    double low, high; /* of the examples: black and white */
} images;

static double grey(const images *m, size_t example, size_t pixel) {
    size_t pixels = m->height * m->width;
    const double *value = m->value + example * m->channels * pixels;
    double sum = 0;
    for (size_t c = 0; c < m->channels; c++)
        sum += value[c * pixels + pixel];
    double share = (sum / (double)m->channels - m->low) / (m->high - m->low);
    return fmin(fmax(share, 0), 1);
}

/* Side by side, one matrix. */
static int write_images(ng_ctx *ctx, const char *path, const images *m) {
    ng_writer *w;
    int status = cli_fail(ctx, ng_writer_open(ctx, path, &w));
    if (status != CLI_DONE)
        return status;
    for (size_t row = 0; row < 2 * m->height; row++) {
        size_t first = row / m->height * m->count;
        for (size_t c = 0; c < m->count * m->width; c++)
            ng_writer_print(w, "%.3g ",
                            grey(m, first + c / m->width,
                                 row % m->height * m->width + c % m->width));
        ng_writer_print(w, "\n");
    }
    return cli_fail(ctx, ng_writer_commit(&w));
}

static void take_examples(const ng_array *from, images *m) {
    size_t all = ng_array_width(from);
    m->low = HUGE_VAL;
    m->high = -HUGE_VAL;
    for (size_t i = 0; i < m->count * all; i++) {
        m->value[i] = ng_array_at(from, i / all, i % all);
        m->low = fmin(m->low, m->value[i]);
        m->high = fmax(m->high, m->value[i]);
    }
    if (!(m->high > m->low))
        m->high = m->low + 1;
}

static int reconstruct(ng_ctx *ctx, const char *path, ng_net *net,
                       const ng_net_data *data, picture *p) {
    const ng_array *x = ng_net_data_x(data), *y = ng_net_data_y(data);
    size_t rows = ng_array_rows(x), all = ng_array_width(x);
    images m = {.count = rows < EXAMPLES ? rows : EXAMPLES};
    const ng_batch batch = {.x = x, .count = m.count};
    m.value = malloc((2 * m.count * all + 1) * sizeof *m.value);
    if (!m.value)
        return cli_complain(CLI_RESOURCES, "out of memory");
    image_shape(x, &m.height, &m.width, &m.channels);
    take_examples(y ? y : x, &m);
    int status = cli_fail(ctx, ng_network_mean(ng_net_network(net), &batch,
                                               m.value + m.count * all));
    if (status == CLI_DONE)
        status = write_images(ctx, path, &m);
    free(m.value);
    p->image_columns = m.count * m.width;
    p->image_rows = 2 * m.height;
    return status;
}

static int add_image(ng_ctx *ctx, const cli_options *options, ng_net *net,
                     const ng_net_data *data, picture *p) {
    size_t height, width, channels;
    const ng_array *x = data ? ng_net_data_x(data) : NULL;
    if (!net || !x || strcmp(options->target, "self") != 0 ||
        !image_shape(x, &height, &width, &channels))
        return CLI_DONE;
    char *path = cli_beside(options->plot, ".images.tsv");
    p->image = path ? cli_escape(path) : NULL;
    int status = p->image ? reconstruct(ctx, path, net, data, p)
                          : cli_complain(CLI_RESOURCES, "out of memory");
    free(path);
    return status;
}

int net_draw(ng_ctx *ctx, const cli_options *options, const net_curve *curves,
             size_t count, const char *table, ng_net *net,
             const ng_net_data *data) {
    picture p = {.curves = curves, .count = count};
    char *script = cli_beside(options->plot, ".gp");
    char *beside = cli_beside(options->plot, ".tsv");
    char *output = cli_escape(options->plot);
    const char *name = table ? table : beside;
    int status = CLI_DONE;
    p.table = name ? cli_escape(name) : NULL;
    if (!script || !output || !p.table)
        status = cli_complain(CLI_RESOURCES, "out of memory");
    if (status == CLI_DONE && !table)
        status = net_write_table(ctx, name, curves, count);
    if (status == CLI_DONE)
        status = add_image(ctx, options, net, data, &p);
    if (status == CLI_DONE)
        status = write_script(ctx, script, options->plot, output, &p);
    if (status == CLI_DONE)
        status = cli_gnuplot(script, options->plot);
    free(script);
    free(beside);
    free(output);
    free(p.table);
    free(p.image);
    return status;
}
