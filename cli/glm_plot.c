/* natgrad glm --residuals and --plot: what the rows say about the fit, as a
 * table and as four panels by gnuplot. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 1200, HEIGHT = 900, BINS = 30, LABELS = 3 };
/* More points than these hide one another: they are counted over a grid, and
 * only the farthest are drawn as points. */
enum { MOST_POINTS = 5000, FAR_POINTS = 20, MOST_QUANTILES = 2000 };
enum { GRID_X = 100, GRID_Y = 70, PANELS = 3 };

/* A row of weight above 0. */
typedef struct point {
    size_t row;
    double link, residual, spread; /* spread: root of |standardised| */
    double leverage, pearson, cook, quantile;
    bool drawn;
} point;

typedef struct diagnosis {
    point *points;
    size_t count;
    bool dense;     /* more than are drawn one by one */
    bool influence; /* leverages are there */
    bool quantiles; /* residuals are quantile residuals */
    bool normal;    /* there are quantile residuals */
    double parameters;
    size_t label[LABELS]; /* points of the largest Cook's distances */
    size_t labels;
    double bin[BINS][3]; /* mean link, residual, spread */
    size_t bins;
} diagnosis;

/* ---- The numbers ---- */

static size_t column_of(const ng_prediction *table, const char *name) {
    size_t j = 0;
    while (j < table->columns && strcmp(table->column[j], name) != 0)
        j++;
    return j;
}

static double value_of(const ng_prediction *table, size_t row, size_t column) {
    return column < table->columns
               ? table->values[row * table->columns + column]
               : (double)NAN;
}

/* Of a count or a class, deviance residuals lie on curves, one for each value:
 * the randomised quantile residuals do not. */
static bool is_discrete(const char *family) {
    return strcmp(family, "binomial") == 0 || strcmp(family, "poisson") == 0 ||
           strcmp(family, "negative-binomial") == 0 ||
           strcmp(family, "ordinal") == 0;
}

static int collect(const ng_model *model, const ng_frame *frame,
                   const ng_prediction *table, diagnosis *d) {
    const ng_summary *s = ng_model_summary(model);
    size_t link = column_of(table, "link");
    size_t quantile = column_of(table, "quantile");
    size_t leverage = column_of(table, "leverage");
    size_t pearson = column_of(table, "std_pearson");
    size_t cook = column_of(table, "cook");
    d->quantiles = is_discrete(s->family);
    size_t residual = d->quantiles ? quantile : column_of(table, "deviance");
    size_t spread = d->quantiles ? quantile : column_of(table, "std_deviance");
    d->influence = leverage < table->columns;
    d->parameters = s->l2 > 0 ? s->df_effective : (double)s->rank;
    d->points = calloc(table->rows + 1, sizeof *d->points);
    if (!d->points)
        return cli_complain(CLI_RESOURCES, "out of memory");
    for (size_t i = 0; i < table->rows; i++) {
        point p = {.row = ng_frame_record(frame, i),
                   .link = value_of(table, i, link),
                   .residual = value_of(table, i, residual),
                   .spread = sqrt(fabs(value_of(table, i, spread))),
                   .leverage = value_of(table, i, leverage),
                   .pearson = value_of(table, i, pearson),
                   .cook = value_of(table, i, cook),
                   .quantile = value_of(table, i, quantile)};
        if (!isfinite(p.link) || !isfinite(p.residual))
            continue;
        d->normal = d->normal || isfinite(p.quantile);
        d->points[d->count++] = p;
    }
    return CLI_DONE;
}

static int descending(double a, double b) {
    return a > b ? -1 : a < b ? 1 : 0;
}

static double magnitude(double x) {
    return isfinite(x) ? fabs(x) : 0;
}

static int by_residual(const void *a, const void *b) {
    const point *p = a, *q = b;
    return descending(magnitude(p->residual), magnitude(q->residual));
}

static int by_leverage(const void *a, const void *b) {
    const point *p = a, *q = b;
    return descending(magnitude(p->leverage), magnitude(q->leverage));
}

static int by_cook(const void *a, const void *b) {
    const point *p = a, *q = b;
    return descending(magnitude(p->cook), magnitude(q->cook));
}

static int by_link(const void *a, const void *b) {
    const point *p = a, *q = b;
    return -descending(p->link, q->link);
}

static int by_value(const void *a, const void *b) {
    const double *p = a, *q = b;
    return -descending(*p, *q);
}

/* Chooses the points that are drawn, and leaves them in the order of the
 * link. */
static void choose(diagnosis *d) {
    static int (*const orders[])(const void *, const void *) = {
        by_residual, by_leverage, by_cook};
    d->dense = d->count > MOST_POINTS;
    for (size_t k = 0; k < sizeof orders / sizeof *orders; k++) {
        qsort(d->points, d->count, sizeof *d->points, orders[k]);
        for (size_t i = 0; i < d->count && i < FAR_POINTS; i++)
            d->points[i].drawn = true;
    }
    /* They are in the order of Cook's distance now. */
    for (size_t i = 0; d->influence && i < d->count && i < LABELS; i++)
        d->label[d->labels++] = d->points[i].row;
    qsort(d->points, d->count, sizeof *d->points, by_link);
    for (size_t i = 0; i < d->count; i++)
        d->points[i].drawn = d->points[i].drawn || !d->dense;
}

static bool same_link(double a, double b) {
    return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

static void average_of(const diagnosis *d, size_t first, size_t end,
                       double mean[3]) {
    double spreads = 0;
    for (size_t i = first; i < end; i++) {
        const point *p = &d->points[i];
        mean[0] += p->link / (double)(end - first);
        mean[1] += p->residual / (double)(end - first);
        mean[2] += isfinite(p->spread) ? p->spread : 0;
        spreads += isfinite(p->spread) ? 1 : 0;
    }
    mean[2] = spreads > 0 ? mean[2] / spreads : (double)NAN;
}

/* Means over about as many points each, in the order of the link; points of
 * the same link stay together. */
static void average(diagnosis *d) {
    enum { LEAST = 8 };
    double wanted = fmin(sqrt((double)d->count) / 2, BINS);
    size_t size = (size_t)fmax((double)d->count / fmax(wanted, 1), LEAST);
    for (size_t first = 0, end; first < d->count && d->bins < BINS;
         first = end) {
        bool last = d->bins + 1 == BINS || first + size + size / 2 > d->count;
        end = last ? d->count : first + size;
        while (end < d->count &&
               same_link(d->points[end - 1].link, d->points[end].link))
            end++;
        average_of(d, first, end, d->bin[d->bins++]);
    }
}

/* ---- Density ---- */

/* Where a panel has a point. */
static void place(const point *p, size_t panel, double *x, double *y) {
    const double across[PANELS] = {p->link, p->link, p->leverage};
    const double up[PANELS] = {p->residual, p->spread, p->pearson};
    *x = across[panel];
    *y = up[panel];
}

typedef struct grid {
    double low[2], step[2];
    size_t count[GRID_X][GRID_Y];
} grid;

static void bound_grid(const diagnosis *d, size_t panel, grid *g) {
    static const double CELLS[2] = {GRID_X, GRID_Y};
    double high[2] = {-HUGE_VAL, -HUGE_VAL};
    g->low[0] = g->low[1] = HUGE_VAL;
    for (size_t i = 0; i < d->count; i++) {
        double at[2];
        place(&d->points[i], panel, &at[0], &at[1]);
        for (size_t k = 0; k < 2; k++) {
            if (!isfinite(at[k]))
                continue;
            g->low[k] = fmin(g->low[k], at[k]);
            high[k] = fmax(high[k], at[k]);
        }
    }
    for (size_t k = 0; k < 2; k++)
        g->step[k] = high[k] > g->low[k] ? (high[k] - g->low[k]) / CELLS[k] : 1;
}

static size_t cell_of(const grid *g, size_t k, double x, size_t cells) {
    double at = floor((x - g->low[k]) / g->step[k]);
    return at < (double)cells ? (size_t)at : cells - 1;
}

/* Centre and half width of each cell that has points, and their number. */
static int write_grid(ng_writer *w, const diagnosis *d, size_t panel) {
    grid *g = calloc(1, sizeof *g);
    if (!g)
        return cli_complain(CLI_RESOURCES, "out of memory");
    bound_grid(d, panel, g);
    for (size_t i = 0; i < d->count; i++) {
        double x, y;
        place(&d->points[i], panel, &x, &y);
        if (isfinite(x) && isfinite(y))
            g->count[cell_of(g, 0, x, GRID_X)][cell_of(g, 1, y, GRID_Y)]++;
    }
    ng_writer_print(w, "\n\n# x\ty\thalf width\thalf height\trows\n");
    for (size_t c = 0; c < GRID_X * GRID_Y; c++) {
        size_t i = c / GRID_Y, j = c % GRID_Y;
        if (g->count[i][j])
            ng_writer_print(w, "%.9g\t%.9g\t%.9g\t%.9g\t%zu\n",
                            g->low[0] + ((double)i + 0.5) * g->step[0],
                            g->low[1] + ((double)j + 0.5) * g->step[1],
                            0.5 * g->step[0], 0.5 * g->step[1], g->count[i][j]);
    }
    free(g);
    return CLI_DONE;
}

/* ---- The data beside the picture ---- */

static void write_points(ng_writer *w, const diagnosis *d) {
    ng_writer_print(w, "# row\tlink\tresidual\tspread\tleverage\tstd_pearson\t"
                       "cook\n");
    for (size_t i = 0; i < d->count; i++) {
        const point *p = &d->points[i];
        if (p->drawn)
            ng_writer_print(w, "%zu\t%.9g\t%.9g\t%.9g\t%.9g\t%.9g\t%.9g\n",
                            p->row, p->link, p->residual, p->spread,
                            p->leverage, p->pearson, p->cook);
    }
}

/* Sorted quantile residuals against Blom's scores, (i - 3/8) / (n + 1/4); of
 * many the tails whole and the middle thinned. */
static int write_quantiles(ng_ctx *ctx, ng_writer *w, const diagnosis *d) {
    enum { TAIL = 200 };
    ng_family normal;
    size_t n = 0, every;
    static const double standard[] = {0, 0};
    double *sorted = malloc((d->count + 1) * sizeof *sorted);
    if (!sorted)
        return cli_complain(CLI_RESOURCES, "out of memory");
    int status = cli_fail(ctx, ng_family_init(ctx, "normal", 1, &normal));
    for (size_t i = 0; i < d->count; i++) {
        if (isfinite(d->points[i].quantile))
            sorted[n++] = d->points[i].quantile;
    }
    qsort(sorted, n, sizeof *sorted, by_value);
    every = n / MOST_QUANTILES + 1;
    ng_writer_print(w, "\n\n# normal quantile\tquantile residual\n");
    for (size_t i = 0; i < n && status == CLI_DONE; i++) {
        double score;
        if (i >= TAIL && i + TAIL < n && i % every != 0)
            continue;
        normal.ops->quantile(&normal, 1, standard,
                             ((double)i + 0.625) / ((double)n + 0.25), &score,
                             NULL);
        ng_writer_print(w, "%.9g\t%.9g\n", score, sorted[i]);
    }
    free(sorted);
    return status;
}

static void write_means(ng_writer *w, const diagnosis *d) {
    ng_writer_print(w, "\n\n# mean link\tmean residual\tmean spread\n");
    for (size_t b = 0; b < d->bins; b++)
        ng_writer_print(w, "%.9g\t%.9g\t%.9g\n", d->bin[b][0], d->bin[b][1],
                        d->bin[b][2]);
}

/* The data sets of the table that are there, in this order; gnuplot counts no
 * empty ones. */
enum { QUANTILES = 1 };

static size_t index_of_means(const diagnosis *d) {
    return d->normal ? QUANTILES + 1 : QUANTILES;
}

static size_t index_of_grid(const diagnosis *d, size_t panel) {
    return index_of_means(d) + (d->bins ? 1 : 0) + panel;
}

static int write_table(ng_ctx *ctx, const char *path, const diagnosis *d) {
    ng_writer *w;
    int status = cli_fail(ctx, ng_writer_open(ctx, path, &w));
    if (status != CLI_DONE)
        return status;
    write_points(w, d);
    if (d->normal)
        status = write_quantiles(ctx, w, d);
    if (status == CLI_DONE && d->bins)
        write_means(w, d);
    for (size_t k = 0; d->dense && k < PANELS && status == CLI_DONE; k++)
        status = write_grid(w, d, k);
    if (status != CLI_DONE) {
        ng_writer_abort(&w);
        return status;
    }
    return cli_fail(ctx, ng_writer_commit(&w));
}

/* ---- The script ---- */

static void begin_script(ng_writer *w, const char *picture, const char *quoted,
                         const diagnosis *d, const char *family) {
    const char *dot = strrchr(picture, '.');
    bool png = dot && strcmp(dot, ".png") == 0;
    ng_writer_print(w, "set terminal %s size %d,%d%s\n", png ? "png" : "svg",
                    WIDTH, HEIGHT, png ? "" : " dynamic");
    /* Smooth and translucent, where this terminal is built in. */
    if (png)
        ng_writer_print(w,
                        "if (strstrt(GPVAL_TERMINALS, 'pngcairo')) "
                        "set terminal pngcairo size %d,%d\n",
                        WIDTH, HEIGHT);
    ng_writer_print(w,
                    "set output '%s'\nset datafile separator tab\n"
                    "set grid lc rgb '#dddddd' lt 1\n"
                    "set border 3 lc rgb '#606060'\nset tics nomirror\n"
                    "unset key\nset format '%%g'\n"
                    "unset colorbox\nset logscale cb\n"
                    "set palette defined (0 '#cfdff0', 1 '#08306b')\n",
                    quoted);
    ng_writer_print(w,
                    "set multiplot layout 2,2 title 'glm, family %s: %zu "
                    "rows%s'\n",
                    family, d->count, d->dense ? ", the darker the more" : "");
}

/* The points of a panel, and below them where there are many: how many. */
static void draw_points(ng_writer *w, const char *table, const diagnosis *d,
                        size_t panel, const char *columns) {
    enum { FEW = 500 };
    if (d->dense)
        ng_writer_print(w,
                        "'%s' index %zu using 1:2:3:4:5 with boxxyerror "
                        "fill solid noborder lc palette, ",
                        table, index_of_grid(d, panel));
    ng_writer_print(w,
                    "'%s' index 0 using %s with points pt 7 ps %g lc rgb "
                    "'#60336699'",
                    table, columns, d->count > FEW ? 0.45 : 0.8);
}

/* Their means, within a light border that parts them from the points. */
static void draw_means(ng_writer *w, const char *table, const diagnosis *d,
                       const char *columns) {
    static const char *const STYLES[] = {"lw 5 lc rgb '#ffffff'",
                                         "lw 2.5 lc rgb '#d62728'"};
    for (size_t k = 0; d->bins > 1 && k < 2; k++)
        ng_writer_print(w, ", '%s' index %zu using %s with lines %s", table,
                        index_of_means(d), columns, STYLES[k]);
    ng_writer_print(w, "\n");
}

/* gnuplot complains of a range that ends where it begins: a constant model. */
static void set_link_range(ng_writer *w, const diagnosis *d) {
    double low = d->points[0].link, high = d->points[d->count - 1].link;
    if (!same_link(low, high))
        ng_writer_print(w, "set xrange [*:*]\n");
    else
        ng_writer_print(w, "set xrange [%.9g:%.9g]\n", low - 1, high + 1);
}

static void draw_residuals(ng_writer *w, const char *table,
                           const diagnosis *d) {
    ng_writer_print(w,
                    "set title 'Residuals, and their means'\n"
                    "set xlabel 'linear predictor'\nset ylabel '%s'\nplot ",
                    d->quantiles ? "quantile residual" : "deviance residual");
    draw_points(w, table, d, 0, "2:3");
    ng_writer_print(w, ", 0 lc rgb '#606060' dt 2");
    draw_means(w, table, d, "1:2");
}

static void draw_quantiles(ng_writer *w, const char *table) {
    ng_writer_print(
        w,
        "set title 'Quantile residuals, which are normal if the "
        "model is true'\nset xlabel 'normal quantile'\n"
        "set ylabel 'quantile residual'\n"
        "plot [*:*] '%s' index %d using 1:2 with points pt 7 ps 0.45 "
        "lc rgb '#60336699', x lc rgb '#606060' dt 2\n",
        table, QUANTILES);
}

static void draw_spread(ng_writer *w, const char *table, const diagnosis *d) {
    ng_writer_print(w,
                    "set title 'Spread, and its means'\n"
                    "set xlabel 'linear predictor'\n"
                    "set ylabel 'root of |%s residual|'\nplot [][0:] ",
                    d->quantiles ? "quantile" : "standardised deviance");
    draw_points(w, table, d, 1, "2:4");
    draw_means(w, table, d, "1:3");
}

static bool labelled(const diagnosis *d, size_t row) {
    for (size_t k = 0; k < d->labels; k++) {
        if (d->label[k] == row)
            return true;
    }
    return false;
}

/* About a fourth of the range, in one digit: long ones would overlap. */
static double round_step(double range) {
    double least = range > 0 ? range / 5 : 1;
    double decade = pow(10, floor(log10(least)));
    return ceil(least / decade) * decade;
}

/* Ranges that the contours of Cook's distance c, r^2 = c p (1 - h) / h, do not
 * stretch. */
static void draw_influence(ng_writer *w, const char *table,
                           const diagnosis *d) {
    double h = 0, r = 1;
    for (size_t i = 0; i < d->count; i++) {
        h = fmax(h, magnitude(d->points[i].leverage));
        r = fmax(r, magnitude(d->points[i].pearson));
    }
    for (size_t i = 0; i < d->count; i++) {
        const point *p = &d->points[i];
        if (labelled(d, p->row) && isfinite(p->leverage) &&
            isfinite(p->pearson))
            ng_writer_print(w,
                            "set label '%zu' at %.9g,%.9g right offset "
                            "-0.6,0 font ',9'\n",
                            p->row, p->leverage, p->pearson);
    }
    ng_writer_print(w,
                    "set title \"Leverage, and Cook's distances 0.5 and 1\"\n"
                    "set xlabel 'leverage'\n"
                    "set ylabel 'standardised Pearson residual'\n"
                    "set samples 500\n"
                    "cook(h, c) = h > 0 && h < 1 ? sqrt(c * %.9g * (1 - h) / "
                    "h) : NaN\n",
                    d->parameters);
    ng_writer_print(w, "set xtics %.9g\nplot [0:%.9g][%.9g:%.9g] ",
                    round_step(h), fmin(1.08 * h + 1e-12, 1), -1.1 * r,
                    1.1 * r);
    for (int k = 0; k < 4; k++)
        ng_writer_print(w, "%scook(x, %s) lc rgb '#d62728' dt %d, ",
                        k % 2 ? "-" : "", k < 2 ? "0.5" : "1", k < 2 ? 3 : 2);
    draw_points(w, table, d, 2, "5:6");
    ng_writer_print(w, ", 0 lc rgb '#606060' dt 2\n");
}

static int write_script(ng_ctx *ctx, const cli_options *options,
                        const char *script, const char *table,
                        const diagnosis *d) {
    ng_writer *w;
    char *quoted = cli_escape(options->plot), *data = cli_escape(table);
    int status = quoted && data ? CLI_DONE
                                : cli_complain(CLI_RESOURCES, "out of memory");
    if (status == CLI_DONE)
        status = cli_fail(ctx, ng_writer_open(ctx, script, &w));
    if (status == CLI_DONE) {
        begin_script(w, options->plot, quoted, d, options->family);
        set_link_range(w, d);
        draw_residuals(w, data, d);
        if (d->normal)
            draw_quantiles(w, data);
        draw_spread(w, data, d);
        if (d->influence)
            draw_influence(w, data, d);
        ng_writer_print(w, "unset multiplot\n");
        status = cli_fail(ctx, ng_writer_commit(&w));
    }
    free(quoted);
    free(data);
    return status;
}

static int draw(ng_ctx *ctx, const cli_options *options, const ng_model *model,
                const ng_frame *frame, const ng_prediction *residuals) {
    diagnosis d = {.count = 0};
    char *script = cli_beside(options->plot, ".gp");
    char *table = cli_beside(options->plot, ".tsv");
    int status = script && table ? CLI_DONE
                                 : cli_complain(CLI_RESOURCES, "out of memory");
    if (status == CLI_DONE)
        status = collect(model, frame, residuals, &d);
    if (status == CLI_DONE && d.count == 0)
        status = cli_complain(CLI_FAILED,
                              "%s: no residual is finite: there is nothing to "
                              "draw",
                              options->plot);
    if (status == CLI_DONE) {
        choose(&d);
        average(&d);
        status = write_table(ctx, table, &d);
    }
    if (status == CLI_DONE)
        status = write_script(ctx, options, script, table, &d);
    if (status == CLI_DONE)
        status = cli_gnuplot(script, options->plot);
    free(script);
    free(table);
    free(d.points);
    return status;
}

int cli_diagnose(ng_ctx *ctx, const cli_options *options, const ng_model *model,
                 const ng_frame *frame) {
    ng_prediction *residuals = NULL;
    ng_writer *writer = NULL;
    int status =
        cli_fail(ctx, ng_model_residuals(model, frame, (uint64_t)options->seed,
                                         &residuals));
    if (status == CLI_DONE && options->residuals)
        status =
            cli_fail(ctx, ng_writer_open(ctx, options->residuals, &writer));
    if (status == CLI_DONE && writer) {
        cli_write_prediction(writer, residuals, frame);
        status = cli_fail(ctx, ng_writer_commit(&writer));
    }
    if (status == CLI_DONE && options->plot)
        status = draw(ctx, options, model, frame, residuals);
    ng_prediction_destroy(&residuals);
    return status;
}
