/* natgrad compare dist --parametrizations: the paths that plain and natural
 * gradient take over the statistical manifold, in several parametrisations,
 * from one start. Every step of every path moves the same number of nats, so
 * that the pictures differ by direction alone: natural paths fall on one
 * another, plain ones part. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PARAMETERS = 3, MAX_POINTS = 20000, GRID = 61 };

/* A path ends this many nats from the optimum, or after MAX_POINTS. */
static const double ARRIVED = 1e-4;

/* Names people use for coordinates, and the link of the block they mean. */
typedef struct coordinate_name {
    const char *name;
    ng_link link;
} coordinate_name;

static const coordinate_name NAMES[] = {
    {"probability", NG_LINK_IDENTITY},
    {"logit", NG_LINK_LOGIT},
    {"sd", NG_LINK_IDENTITY},
    {"log-sd", NG_LINK_LOG},
    {"precision", NG_LINK_INVERSE_SQUARE},
};

typedef struct path {
    const char *parametrization;
    ng_optimizer optimizer;
    double *customary; /* points x parameters */
    double *gap;       /* points: KL(optimum || point) */
    size_t points;
} path;

/* The fitted family, the data and the optimum. */
typedef struct manifold {
    ng_ctx *ctx;
    const cli_options *options;
    ng_family family;
    const double *y, *weight;
    size_t rows;
    double optimum[MAX_PARAMETERS], start[MAX_PARAMETERS]; /* customary */
    double best[MAX_PARAMETERS];                           /* z */
    double radius;                                         /* nats a step */
    double *work;
} manifold;

static int find_link(ng_ctx *ctx, const char *name, ng_link *out) {
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        if (strcmp(NAMES[i].name, name) == 0) {
            *out = NAMES[i].link;
            return CLI_DONE;
        }
    }
    if (ng_link_find(ctx, name, out) == NG_OK)
        return CLI_DONE;
    return cli_complain(CLI_USAGE,
                        "unknown parametrization \"%s\"; expected "
                        "probability, logit, sd, log-sd, precision or a link",
                        name);
}

static ng_link own_link(ng_coordinate coordinate) {
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

/* The last block takes the link, the others keep their own coordinates. */
static void make_blocks(const manifold *m, ng_link last,
                        ng_model_block *block) {
    for (size_t b = 0; b < m->family.blocks; b++)
        block[b] = (ng_model_block){
            &ng_predictor_none, 0,
            b + 1 == m->family.blocks ? last
                                      : own_link(m->family.block[b].coordinate),
            0};
}

static void to_eta(const manifold *m, const ng_model_block *block,
                   const double *z, double *eta) {
    for (size_t b = 0; b < m->family.blocks; b++) {
        const ng_family_block *own = &m->family.block[b];
        ng_link_forward(block[b].link, own->coordinate, own->count,
                        z + own->first, eta + own->first);
    }
}

static void to_z(const manifold *m, const ng_model_block *block,
                 const double *eta, double *z) {
    for (size_t b = 0; b < m->family.blocks; b++) {
        const ng_family_block *own = &m->family.block[b];
        ng_link_inverse(block[b].link, own->coordinate, own->count,
                        eta + own->first, z + own->first, NULL, NULL);
    }
}

static void add_point(const manifold *m, const ng_model_block *block,
                      const double *eta, path *p) {
    const ng_family *f = &m->family;
    double z[MAX_PARAMETERS];
    to_z(m, block, eta, z);
    f->ops->to_customary(f, 1, z, p->customary + p->points * f->dim_customary,
                         m->work);
    f->ops->kl(f, 1, m->best, z, &p->gap[p->points], m->work);
    p->points++;
}

static int follow(const manifold *m, const ng_model_block *block,
                  ng_problem *problem, path *p) {
    double z[MAX_PARAMETERS], eta[MAX_PARAMETERS];
    ng_fit_options how;
    ng_fit *fit = NULL;
    ng_report report = {0};
    ng_fit_options_init(&how);
    how.optimizer = p->optimizer;
    how.step = NG_STEP_KL;
    how.kl = m->radius;
    /* Long enough that the radius alone cuts a plain step. */
    how.rate = p->optimizer == NG_NATURAL ? 1 : 1e12;
    how.max_iter = MAX_POINTS;
    m->family.ops->from_customary(&m->family, 1, m->start, z, m->work);
    to_eta(m, block, z, eta);
    for (size_t j = 0; j < problem->dim; j++) {
        if (!isfinite(eta[j]))
            return cli_complain(CLI_USAGE,
                                "parametrization \"%s\" does not suit family "
                                "\"%s\"",
                                p->parametrization, m->family.ops->name);
    }
    int status = cli_fail(m->ctx, ng_fit_create(problem, &how, eta, &fit));
    if (status == CLI_DONE)
        add_point(m, block, eta, p);
    while (status == CLI_DONE && report.stop == NG_RUNNING &&
           p->points < MAX_POINTS && p->gap[p->points - 1] > ARRIVED) {
        status = cli_fail(m->ctx, ng_fit_step(fit, &report));
        if (status == CLI_DONE && report.step > 0)
            add_point(m, block, ng_fit_theta(fit), p);
        if (cli_interrupted())
            break;
    }
    ng_fit_destroy(&fit);
    return status;
}

static int trace_path(const manifold *m, path *p) {
    ng_model_spec spec = {.family = m->family};
    ng_memory_source memory;
    ng_problem *problem = NULL;
    ng_link link;
    int status = find_link(m->ctx, p->parametrization, &link);
    if (status != CLI_DONE)
        return status;
    make_blocks(m, link, spec.block);
    p->customary =
        malloc(MAX_POINTS * m->family.dim_customary * sizeof(double));
    p->gap = malloc(MAX_POINTS * sizeof(double));
    if (!p->customary || !p->gap)
        return cli_complain(CLI_RESOURCES, "out of memory");
    ng_rows rows = {.count = m->rows, .y = m->y, .weight = m->weight};
    status = cli_fail(m->ctx,
                      ng_memory_source_init(m->ctx, &rows, &m->family,
                                            spec.block, &memory, &spec.source));
    if (status == CLI_DONE)
        status =
            cli_fail(m->ctx, ng_model_problem_create(m->ctx, &spec, &problem));
    if (status == CLI_DONE)
        status = follow(m, spec.block, problem, p);
    ng_problem_destroy(&problem);
    return status;
}

/* ---- What is written ---- */

static void write_paths(const manifold *m, const path *paths, size_t count,
                        ng_writer *writer) {
    size_t c = m->family.dim_customary;
    ng_writer_print(writer, "parametrization\toptimizer\titeration\tkl");
    for (size_t j = 0; j < c; j++) {
        char name[64];
        m->family.ops->customary_name(&m->family, j, NULL, name, sizeof name);
        ng_writer_print(writer, "\t%s", name);
    }
    ng_writer_print(writer, "\n");
    for (size_t i = 0; i < count; i++) {
        if (i)
            ng_writer_print(writer, "\n\n");
        for (size_t k = 0; k < paths[i].points; k++) {
            ng_writer_print(
                writer, "%s\t%s\t%zu\t%.17g", paths[i].parametrization,
                paths[i].optimizer == NG_NATURAL ? "natural" : "gradient", k,
                paths[i].gap[k]);
            for (size_t j = 0; j < c; j++)
                ng_writer_print(writer, "\t%.17g",
                                paths[i].customary[k * c + j]);
            ng_writer_print(writer, "\n");
        }
    }
}

/* The smallest box that holds all paths, with a margin. */
static void bounds(const manifold *m, const path *paths, size_t count, size_t j,
                   double *low, double *high) {
    size_t c = m->family.dim_customary;
    *low = *high = m->optimum[j];
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < paths[i].points; k++) {
            *low = fmin(*low, paths[i].customary[k * c + j]);
            *high = fmax(*high, paths[i].customary[k * c + j]);
        }
    }
    double margin = 0.15 * (*high - *low);
    bool positive = *low > 0;
    *low -= margin;
    *high += margin;
    if (positive && *low <= 0)
        *low = 0.02 * *high;
}

/* KL(optimum || point) over the box, as gnuplot's grid data. */
static void write_grid(const manifold *m, const path *paths, size_t count,
                       ng_writer *writer) {
    const ng_family *f = &m->family;
    double low[2], high[2];
    bounds(m, paths, count, 0, &low[0], &high[0]);
    bounds(m, paths, count, 1, &low[1], &high[1]);
    for (size_t a = 0; a < GRID; a++) {
        for (size_t b = 0; b < GRID; b++) {
            double c[2], z[MAX_PARAMETERS], kl;
            c[0] = low[0] + (high[0] - low[0]) * (double)a / (GRID - 1);
            c[1] = low[1] + (high[1] - low[1]) * (double)b / (GRID - 1);
            f->ops->from_customary(f, 1, c, z, m->work);
            f->ops->kl(f, 1, m->best, z, &kl, m->work);
            ng_writer_print(writer, "%.9g\t%.9g\t%.9g\n", c[0], c[1], kl);
        }
        ng_writer_print(writer, "\n");
    }
}

static int
save(const manifold *m, const path *paths, size_t count, const char *file,
     void (*write)(const manifold *, const path *, size_t, ng_writer *)) {
    ng_writer *writer;
    int status = cli_fail(m->ctx, ng_writer_open(m->ctx, file, &writer));
    if (status != CLI_DONE)
        return status;
    write(m, paths, count, writer);
    return cli_fail(m->ctx, ng_writer_commit(&writer));
}

static void plot_lines(ng_writer *writer, const char *tsv, const path *paths,
                       size_t count, const char *using_columns) {
    static const char *const colour[] = {"#d62728", "#1f77b4", "#2ca02c",
                                         "#9467bd", "#8c564b"};
    /* Natural paths coincide: each is drawn inside the one before. */
    static const char *const width[] = {"9", "6", "3", "2", "1"};
    for (size_t i = 0; i < count; i++) {
        bool natural = paths[i].optimizer == NG_NATURAL;
        ng_writer_print(writer,
                        ", \\\n  '%s' index %zu using %s with lines lw %s "
                        "lc rgb '%s' dt %s title '%s, %s'",
                        tsv, i, using_columns,
                        natural ? width[i / 2 % 5] : "1.5", colour[i / 2 % 5],
                        "1", natural ? "natural" : "plain",
                        paths[i].parametrization);
    }
    ng_writer_print(writer, "\n");
}

static int write_script(const manifold *m, const path *paths, size_t count,
                        const char *script, const char *tsv, const char *grid,
                        const char *picture) {
    ng_writer *writer;
    char name[2][64] = {"", ""};
    size_t c = m->family.dim_customary;
    int status = cli_fail(m->ctx, ng_writer_open(m->ctx, script, &writer));
    if (status != CLI_DONE)
        return status;
    for (size_t j = 0; j < c && j < 2; j++)
        m->family.ops->customary_name(&m->family, j, NULL, name[j],
                                      sizeof name[j]);
    const char *dot = strrchr(picture, '.');
    bool png = dot && strcmp(dot, ".png") == 0;
    ng_writer_print(writer,
                    "set terminal %s\nset output '%s'\n"
                    "set datafile separator tab\nset key outside right\n",
                    png ? "png size 1000,640" : "svg size 1000,640 dynamic",
                    picture);
    if (c >= 2) {
        double low[2], high[2];
        bounds(m, paths, count, 0, &low[0], &high[0]);
        bounds(m, paths, count, 1, &low[1], &high[1]);
        ng_writer_print(writer,
                        "set xrange [%.9g:%.9g]\nset yrange "
                        "[%.9g:%.9g]\n",
                        low[0], high[0], low[1], high[1]);
        ng_writer_print(
            writer,
            "set table $contours\nset contour base\nunset surface\n"
            "set cntrparam levels discrete 0.01,0.03,0.1,0.3,1,3\n"
            "splot '%s' using 1:2:3\nunset table\nunset contour\n"
            "set xlabel '%s'\nset ylabel '%s'\n"
            "set title 'contours: KL from the optimum, 0.01 to 3 nats'\n"
            "set datafile separator whitespace\n"
            "plot $contours using 1:2 with lines lc rgb '#c0c0c0' notitle, "
            "\\\n  '-' using 1:2 with points pt 7 ps 1.5 lc rgb 'black' "
            "title 'optimum'",
            grid, name[0], name[1]);
        plot_lines(writer, tsv, paths, count, "5:6");
        ng_writer_print(writer, "%.9g %.9g\ne\n", m->optimum[0], m->optimum[1]);
    } else {
        ng_writer_print(writer,
                        "set xlabel 'steps of equal length in nats'\n"
                        "set ylabel '%s'\nset title 'paths to the optimum'\n"
                        "plot %.17g with lines lc rgb '#c0c0c0' title "
                        "'optimum'",
                        name[0], m->optimum[0]);
        plot_lines(writer, tsv, paths, count, "3:5");
    }
    return cli_fail(m->ctx, ng_writer_commit(&writer));
}

static int draw(const manifold *m, const path *paths, size_t count,
                const char *tsv) {
    const char *plot = m->options->plot;
    char *script = cli_beside(plot, ".gp"), *grid = cli_beside(plot, ".kl.tsv");
    char *names[] = {cli_escape(tsv), grid ? cli_escape(grid) : NULL,
                     cli_escape(plot)};
    int status = script && names[0] && names[1] && names[2]
                     ? CLI_DONE
                     : cli_complain(CLI_RESOURCES, "out of memory");
    if (status == CLI_DONE && m->family.dim_customary >= 2)
        status = save(m, paths, count, grid, write_grid);
    if (status == CLI_DONE)
        status =
            write_script(m, paths, count, script, names[0], names[1], names[2]);
    if (status == CLI_DONE)
        status = cli_gnuplot(script, plot);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        free(names[i]);
    free(script);
    free(grid);
    return status;
}

static void print_row(const manifold *m, const path *p) {
    size_t c = m->family.dim_customary;
    const double *last = p->customary + (p->points - 1) * c;
    printf("%-12s %-9s %6zu %12.4g", p->parametrization,
           p->optimizer == NG_NATURAL ? "natural" : "plain", p->points - 1,
           p->gap[p->points - 1]);
    for (size_t j = 0; j < c; j++)
        printf(" %12.6g", last[j]);
    puts(p->gap[p->points - 1] > ARRIVED ? "  (cut short)" : "");
}

/* How far apart two paths of the same rule lie: the largest KL-gap difference
 * at equal step numbers says whether parametrisation matters. */
static double spread(const path *paths, size_t count, ng_optimizer optimizer,
                     size_t c) {
    double widest = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (paths[i].optimizer != optimizer ||
                paths[k].optimizer != optimizer)
                continue;
            size_t n = paths[i].points < paths[k].points ? paths[i].points
                                                         : paths[k].points;
            for (size_t t = 0; t < n * c; t++)
                widest = fmax(widest, fabs(paths[i].customary[t] -
                                           paths[k].customary[t]) /
                                          (1 + fabs(paths[i].customary[t])));
        }
    }
    return widest;
}

static int report(const manifold *m, const path *paths, size_t count) {
    const cli_options *o = m->options;
    char *beside = NULL;
    const char *tsv = o->out;
    int status = CLI_DONE;
    if (!tsv && o->plot)
        tsv = beside = cli_beside(o->plot, ".tsv");
    if (tsv)
        status = save(m, paths, count, tsv, write_paths);
    if (status == CLI_DONE && o->plot)
        status = draw(m, paths, count, tsv);
    free(beside);
    if (status != CLI_DONE)
        return status;
    double natural = spread(paths, count, NG_NATURAL, m->family.dim_customary);
    double plain = spread(paths, count, NG_GRADIENT, m->family.dim_customary);
    if (o->json) {
        json_t *object = json_object(), *array = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(
                array,
                json_pack("{s:s, s:s, s:I, s:o}", "parametrization",
                          paths[i].parametrization, "optimizer",
                          paths[i].optimizer == NG_NATURAL ? "natural"
                                                           : "gradient",
                          "steps", (json_int_t)paths[i].points - 1, "kl",
                          cli_number(paths[i].gap[paths[i].points - 1])));
        json_object_set_new(object, "paths", array);
        json_object_set_new(object, "natural_spread", cli_number(natural));
        json_object_set_new(object, "gradient_spread", cli_number(plain));
        return cli_print_json(object);
    }
    printf("Steps of %g nats; KL is from the optimum.\n%-12s %-9s %6s %12s",
           m->radius, "in", "gradient", "steps", "KL left");
    for (size_t j = 0; j < m->family.dim_customary; j++) {
        char name[64];
        m->family.ops->customary_name(&m->family, j, NULL, name, sizeof name);
        printf(" %12s", name);
    }
    putchar('\n');
    for (size_t i = 0; i < count; i++)
        print_row(m, &paths[i]);
    printf("Paths of the same rule in different coordinates part by at most "
           "%.2g (natural) and %.2g (plain), relative.\n",
           natural, plain);
    return CLI_DONE;
}

/* ---- Set-up ---- */

/* Off the optimum along every parameter, by about a nat. */
static int choose_start(const cli_options *o, manifold *m) {
    const ng_family *f = &m->family;
    if (o->start.count) {
        double *given = NULL;
        int status = cli_start(m->ctx, o, &given);
        if (status == CLI_DONE)
            memcpy(m->start, given, o->start.count * sizeof *given);
        free(given);
        return status;
    }
    double z[MAX_PARAMETERS], F[MAX_PARAMETERS * MAX_PARAMETERS];
    f->ops->fisher(f, 1, m->best, F, m->work);
    for (size_t j = 0; j < f->dim_z; j++)
        z[j] = m->best[j] +
               (j % 2 ? 1 : -1) * 1.2 / sqrt(fmax(F[j * f->dim_z + j], 1e-12));
    f->ops->to_customary(f, 1, z, m->start, m->work);
    return CLI_DONE;
}

static int find_optimum(const ng_frame *frame, const ng_dist_options *dist,
                        manifold *m) {
    ng_model *model = NULL;
    int status = cli_fail(m->ctx, ng_dist_fit(m->ctx, frame, dist, &model));
    if (status != CLI_DONE)
        return status;
    const ng_summary *s = ng_model_summary(model);
    for (size_t j = 0; j < s->parameters && j < MAX_PARAMETERS; j++)
        m->optimum[j] = s->parameter[j].estimate;
    m->family.ops->from_customary(&m->family, 1, m->optimum, m->best, m->work);
    ng_model_destroy(&model);
    return CLI_DONE;
}

static int survey(manifold *m, const ng_frame *frame,
                  const ng_dist_options *dist) {
    const cli_options *o = m->options;
    const ng_column *y = ng_frame_find(frame, o->column);
    const ng_column *w = o->weights ? ng_frame_find(frame, o->weights) : NULL;
    int status =
        cli_fail(m->ctx, ng_family_init(m->ctx, o->family, 1, &m->family));
    if (status != CLI_DONE)
        return status;
    if (m->family.dim_z > 2)
        return cli_complain(CLI_USAGE,
                            "family \"%s\" has %zu parameters; paths are "
                            "drawn for one or two",
                            o->family, m->family.dim_z);
    m->y = y->values;
    m->weight = w ? w->values : NULL;
    m->rows = ng_frame_rows(frame);
    m->radius = o->kl > 0 ? o->kl : 1e-4;
    m->work = malloc((ng_family_work(&m->family) + 1) * sizeof(double));
    if (!m->work)
        return cli_complain(CLI_RESOURCES, "out of memory");
    status = find_optimum(frame, dist, m);
    return status == CLI_DONE ? choose_start(o, m) : status;
}

static int travel(manifold *m) {
    const cli_options *o = m->options;
    const char *const *names = o->parametrizations.item;
    size_t count = o->parametrizations.count;
    path *paths = calloc(2 * count, sizeof *paths);
    int status =
        paths ? CLI_DONE : cli_complain(CLI_RESOURCES, "out of memory");
    for (size_t i = 0; i < 2 * count && status == CLI_DONE; i++) {
        paths[i].parametrization = names[i / 2];
        paths[i].optimizer = i % 2 ? NG_NATURAL : NG_GRADIENT;
        status = trace_path(m, &paths[i]);
    }
    if (status == CLI_DONE)
        status = report(m, paths, 2 * count);
    for (size_t i = 0; paths && i < 2 * count; i++) {
        free(paths[i].customary);
        free(paths[i].gap);
    }
    free(paths);
    return status;
}

/* What a drawing has no use for is a mistake. */
static int refuse_others(const cli_options *o) {
    const struct {
        const char *name;
        bool given;
    } others[] = {{"optimizers", o->optimizers.count > 0},
                  {"rates", o->rates.count > 0},
                  {"test", o->test != NULL},
                  {"metric", o->metric != NULL},
                  {"fisher", o->fisher != NULL},
                  {"damping", o->damping > 0},
                  {"max-iter", o->max_iter > 0},
                  {"tol", o->tol >= 0}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (others[i].given)
            return cli_complain(CLI_USAGE,
                                "--%s and --parametrizations contradict each "
                                "other",
                                others[i].name);
    }
    return CLI_DONE;
}

int cli_manifold(const cli_options *options) {
    manifold m = {.options = options};
    ng_frame *frame = NULL;
    ng_dist_options dist;
    if (!options->column)
        return cli_complain(CLI_USAGE, "expected --column");
    int status = refuse_others(options);
    if (status == CLI_DONE)
        status = cli_dist_options(options, &dist);
    if (status == CLI_DONE)
        status = cli_context(options, &m.ctx);
    if (status == CLI_DONE)
        status = cli_read_dist(m.ctx, options, options->positional[0], &frame);
    dist.std_errors = NG_SE_NONE;
    ng_fit_options_init(&dist.fit);
    if (status == CLI_DONE)
        status = survey(&m, frame, &dist);
    if (status == CLI_DONE)
        status = travel(&m);
    free(m.work);
    ng_frame_destroy(&frame);
    cli_context_destroy(&m.ctx);
    if (status == CLI_DONE && cli_interrupted())
        status = cli_complain(CLI_FAILED, "interrupted");
    return status;
}
