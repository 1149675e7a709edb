/* What came of a race: table, TSV, picture, JSON. */
#include "race.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Nats above the best at which a runner counts as having arrived. */
static const double ARRIVED = 1e-3;

static double best_objective(const runner *runners, size_t count) {
    double best = HUGE_VAL;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < runners[i].points; k++)
            best = fmin(best, runners[i].point[k].objective);
    }
    return best;
}

/* Index of the first point within reach of the best; points if none is. */
static size_t arrival(const runner *r, double best) {
    size_t k = 0;
    while (k < r->points && !(r->point[k].objective <= best + ARRIVED))
        k++;
    return k;
}

static void print_table(const runner *runners, size_t count, double best,
                        bool tested) {
    printf("\n%-9s %7s %6s %9s %11s %11s %9s %9s", "", "rate", "iter",
           "seconds", "loss", "above best", "iter to*", "s to*");
    if (tested)
        printf(" %9s %8s", "test loss", "accuracy");
    putchar('\n');
    for (size_t i = 0; i < count; i++) {
        const runner *r = &runners[i];
        if (r->points == 0) {
            printf("%-9s %7g: no run\n", r->name, r->rate);
            continue;
        }
        const race_point *last = &r->point[r->points - 1];
        size_t k = arrival(r, best);
        printf("%-9s %7g %6zu %9.3f %11.6g %11.3g", r->name, r->rate,
               r->points - 1, last->seconds, last->loss,
               last->objective - best);
        if (k < r->points)
            printf(" %9zu %9.3f", k, r->point[k].seconds);
        else
            printf(" %9s %9s", "-", "-");
        if (tested)
            printf(" %9.5f %8.4f", r->test_loss, r->test_accuracy);
        putchar('\n');
    }
    printf("* until the objective is within %g nats of the best that any "
           "reached, %.8g\n",
           ARRIVED, best);
}

static int write_tsv(ng_ctx *ctx, const char *path, const runner *runners,
                     size_t count, double best) {
    ng_writer *writer;
    int status = cli_fail(ctx, ng_writer_open(ctx, path, &writer));
    if (status != CLI_DONE)
        return status;
    ng_writer_print(writer, "optimizer\trate\titeration\tseconds\tloss\t"
                            "objective\tabove_best\tgradient_norm\tdecrement\t"
                            "kl_total\texamples\n");
    for (size_t i = 0; i < count; i++) {
        const runner *r = &runners[i];
        /* A blank pair of lines makes each runner an index for gnuplot. */
        if (i)
            ng_writer_print(writer, "\n\n");
        for (size_t k = 0; k < r->points; k++) {
            const race_point *p = &r->point[k];
            ng_writer_print(writer,
                            "%s\t%.17g\t%zu\t%.9g\t%.17g\t%.17g\t%.17g\t"
                            "%.17g\t%.17g\t%.17g\t%.17g\n",
                            r->name, r->rate, k, p->seconds, p->loss,
                            p->objective, p->objective - best, p->gradient_norm,
                            p->decrement, p->kl_total, p->examples);
        }
    }
    return cli_fail(ctx, ng_writer_commit(&writer));
}

static void write_panel(ng_writer *writer, const char *tsv,
                        const runner *runners, size_t count, const char *label,
                        const char *column, const char *format) {
    ng_writer_print(writer, "set xlabel '%s'\n%s\nplot [][1e-10:*] \\\n", label,
                    format);
    /* Newton's curve can lie on the natural one (canonical links): wide solid
     * below, narrow dashes above show both. */
    static const char *const style[] = {
        "lw 5 lc rgb '#d62728'", "lw 2 lc rgb 'black' dt (8,6)",
        "lw 2 lc rgb '#7f7f7f'", "lw 2 lc rgb '#1f77b4'",
        "lw 2 lc rgb '#2ca02c'", "lw 2 lc rgb '#ff7f0e'"};
    for (size_t i = 0; i < count; i++)
        ng_writer_print(
            writer,
            "  '%s' index %zu using %s:($7 > 1e-10 ? $7 : 1e-10) with lines "
            "%s title '%s, rate %g'%s\n",
            tsv, i, column, style[runners[i].optimizer], runners[i].name,
            runners[i].rate, i + 1 < count ? ", \\" : "");
}

static int write_script(ng_ctx *ctx, const char *path, const char *tsv,
                        const char *picture, const runner *runners,
                        size_t count) {
    ng_writer *writer;
    int status = cli_fail(ctx, ng_writer_open(ctx, path, &writer));
    if (status != CLI_DONE)
        return status;
    const char *dot = strrchr(picture, '.');
    bool png = dot && strcmp(dot, ".png") == 0;
    ng_writer_print(writer,
                    "set terminal %s\nset output '%s'\n"
                    "set datafile separator tab\nset logscale xy\n"
                    "set format y '10^{%%L}'\nset key at graph 0.97,0.45 "
                    "opaque font ',11'\n"
                    "set grid lc rgb '#dddddd'\n"
                    "set ylabel 'objective above the best reached "
                    "(nats per example)'\n"
                    "set multiplot layout 1,2\n",
                    png ? "png size 1200,480" : "svg size 1200,480 dynamic",
                    picture);
    write_panel(writer, tsv, runners, count, "iterations (log scale)",
                "($3 + 1)", "");
    ng_writer_print(writer, "set nokey\nset ylabel ''\n");
    write_panel(writer, tsv, runners, count, "seconds (log scale)", "4",
                "set format x '10^{%L}'");
    ng_writer_print(writer, "unset multiplot\n");
    return cli_fail(ctx, ng_writer_commit(&writer));
}

static int draw(ng_ctx *ctx, const cli_options *options, const char *tsv,
                const runner *runners, size_t count) {
    char *script = cli_beside(options->plot, ".gp");
    char *data = cli_escape(tsv), *picture = cli_escape(options->plot);
    int status = CLI_RESOURCES;
    if (!script || !data || !picture)
        cli_complain(CLI_RESOURCES, "out of memory");
    else
        status = write_script(ctx, script, data, picture, runners, count);
    if (status == CLI_DONE)
        status = cli_gnuplot(script, options->plot);
    free(script);
    free(data);
    free(picture);
    return status;
}

static json_t *search_json(const runner *r) {
    json_t *array = json_array();
    for (size_t i = 0; i < r->trials; i++)
        json_array_append_new(array, json_pack("{s:f, s:o}", "rate",
                                               r->tried[i], "objective",
                                               cli_number(r->reached[i])));
    return array;
}

static json_t *runner_json(const runner *r, double best) {
    json_t *object = json_object();
    json_object_set_new(object, "optimizer", json_string(r->name));
    json_object_set_new(object, "rate", cli_number(r->rate));
    json_object_set_new(object, "tuning", search_json(r));
    json_object_set_new(object, "stop", json_string(ng_stop_text(r->stop)));
    if (r->points == 0)
        return object;
    const race_point *last = &r->point[r->points - 1];
    size_t k = arrival(r, best);
    json_object_set_new(object, "iterations",
                        json_integer((json_int_t)r->points - 1));
    json_object_set_new(object, "seconds", cli_number(last->seconds));
    json_object_set_new(object, "loss", cli_number(last->loss));
    json_object_set_new(object, "objective", cli_number(last->objective));
    json_object_set_new(object, "above_best",
                        cli_number(last->objective - best));
    json_object_set_new(object, "gradient_norm",
                        cli_number(last->gradient_norm));
    json_object_set_new(object, "kl_total", cli_number(last->kl_total));
    json_object_set_new(object, "iterations_to_best",
                        k < r->points ? json_integer((json_int_t)k)
                                      : json_null());
    json_object_set_new(object, "seconds_to_best",
                        k < r->points ? cli_number(r->point[k].seconds)
                                      : json_null());
    if (isfinite(r->test_loss))
        json_object_set_new(object, "test",
                            json_pack("{s:o, s:o}", "loss",
                                      cli_number(r->test_loss), "accuracy",
                                      cli_number(r->test_accuracy)));
    return object;
}

static int print_json(const runner *runners, size_t count, double best) {
    json_t *array = json_array(), *object = json_object();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, runner_json(&runners[i], best));
    json_object_set_new(object, "best_objective", cli_number(best));
    json_object_set_new(object, "optimizers", array);
    return cli_print_json(object);
}

int race_report(ng_ctx *ctx, const cli_options *options, const runner *runners,
                size_t count) {
    double best = best_objective(runners, count);
    char *beside = NULL;
    const char *tsv = options->out;
    int status = CLI_DONE;
    if (!tsv && options->plot)
        tsv = beside = cli_beside(options->plot, ".tsv");
    if (tsv)
        status = write_tsv(ctx, tsv, runners, count, best);
    if (status == CLI_DONE && options->plot)
        status = draw(ctx, options, tsv, runners, count);
    free(beside);
    if (status != CLI_DONE)
        return status;
    if (options->json)
        return print_json(runners, count, best);
    print_table(runners, count, best, options->test != NULL);
    return CLI_DONE;
}
