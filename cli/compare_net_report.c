/* What came of a race between networks: table, files, picture, JSON. */
#include "net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What the slowest arrives at in the end, so that all have arrived. */
typedef struct finish_line {
    double train, test; /* not finite: none */
} finish_line;

static double best_of(const net_curve *curve, bool test) {
    double best = HUGE_VAL;
    for (size_t k = 0; k < curve->points; k++) {
        const net_point *p = &curve->point[k];
        best = fmin(best, test ? p->test.loss : p->train.loss);
    }
    return best;
}

/* The worst of the best losses, of runs that did not break. */
static double line_of(const net_runner *runners, size_t count, bool test) {
    double worst = -HUGE_VAL;
    for (size_t i = 0; i < count; i++) {
        double best = best_of(&runners[i].curve, test);
        if (isfinite(best) && runners[i].stop != NG_NET_DIVERGED)
            worst = fmax(worst, best);
    }
    return worst;
}

/* The first point at or below the line; NULL if there is none. */
static const net_point *arrival(const net_curve *curve, bool test,
                                double line) {
    for (size_t k = 0; k < curve->points; k++) {
        const net_point *p = &curve->point[k];
        if ((test ? p->test.loss : p->train.loss) <= line)
            return p;
    }
    return NULL;
}

static void print_arrival(const net_point *p) {
    if (p)
        printf(" %9zu %9.3g", p->iteration, p->seconds);
    else
        printf(" %9s %9s", "-", "-");
}

static void print_score(const ng_score *score, const char *format) {
    printf(" %11.6g", score->loss);
    if (!isnan(score->accuracy))
        printf(format, score->accuracy);
    if (!isnan(score->squared_error))
        printf(" %11.5g", score->squared_error);
}

static void print_head(const ng_score *score, const char *part) {
    char name[32];
    snprintf(name, sizeof name, "%s loss", part);
    printf(" %11s", name);
    if (!isnan(score->accuracy))
        printf(" %9s", "accuracy");
    if (!isnan(score->squared_error))
        printf(" %11s", "sq. error");
}

static const net_runner *first_that_ran(const net_runner *runners,
                                        size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (runners[i].ran)
            return &runners[i];
    }
    return NULL;
}

static void print_runner(const net_runner *r, size_t tests,
                         const finish_line *line) {
    printf("%-12s ", r->curve.name);
    if (r->hopeless) {
        printf("%7s diverged at every rate\n", "-");
        return;
    }
    if (isfinite(r->curve.rate))
        printf("%7g", r->curve.rate);
    else
        printf("%7s", "own");
    if (!r->ran) {
        printf(": no run\n");
        return;
    }
    printf(" %7zu %6zu %8.3g", r->iterations, r->epochs, r->seconds);
    print_score(&r->train, " %9.4f");
    if (tests)
        print_score(&r->test[0], " %9.4f");
    print_arrival(arrival(&r->curve, false, line->train));
    if (tests)
        print_arrival(arrival(&r->curve, true, line->test));
    puts(r->stop == NG_NET_DIVERGED ? "  diverged" : "");
}

static void print_table(const net_runner *runners, size_t count, size_t tests,
                        const finish_line *line) {
    const net_runner *model = first_that_ran(runners, count);
    if (!model)
        return;
    printf("\n%-12s %7s %7s %6s %8s", "", "rate", "iter", "epochs", "seconds");
    print_head(&model->train, "train");
    if (tests)
        print_head(&model->test[0], "test");
    printf(" %9s %9s", "iter to*", "s to*");
    if (tests)
        printf(" %9s %9s", "iter to+", "s to+");
    putchar('\n');
    for (size_t i = 0; i < count; i++)
        print_runner(&runners[i], tests, line);
    if (isfinite(line->train))
        printf("* until the training loss is %.6g, which every run that did "
               "not diverge reached\n",
               line->train);
    if (tests && isfinite(line->test))
        printf("+ until the test loss is %.6g, the same\n", line->test);
}

/* ---- JSON -----------------------------------------------------------------
 */

static json_t *score_json(const ng_score *score) {
    json_t *object = json_object();
    json_object_set_new(object, "loss", cli_number(score->loss));
    if (!isnan(score->accuracy))
        json_object_set_new(object, "accuracy", cli_number(score->accuracy));
    if (!isnan(score->squared_error))
        json_object_set_new(object, "squared_error",
                            cli_number(score->squared_error));
    return object;
}

static void add_arrival(json_t *object, const char *part, const net_point *p) {
    char key[64];
    snprintf(key, sizeof key, "iterations_to_%s", part);
    json_object_set_new(
        object, key, p ? json_integer((json_int_t)p->iteration) : json_null());
    snprintf(key, sizeof key, "seconds_to_%s", part);
    json_object_set_new(object, key, p ? cli_number(p->seconds) : json_null());
}

static json_t *search_json(const net_runner *r, const double *rates) {
    json_t *array = json_array();
    for (size_t i = 0; i < r->trials; i++)
        json_array_append_new(array,
                              json_pack("{s:f, s:o}", "rate", rates[i], "loss",
                                        cli_number(r->reached[i])));
    return array;
}

static json_t *runner_json(const net_runner *r, const double *rates,
                           const net_data *data, const finish_line *line) {
    json_t *object = json_object();
    json_object_set_new(object, "optimizer", json_string(r->curve.name));
    json_object_set_new(object, "rate", cli_number(r->curve.rate));
    json_object_set_new(object, "tuning", search_json(r, rates));
    if (!r->ran)
        return object;
    json_object_set_new(object, "stop", json_string(net_end_text(r->stop)));
    json_object_set_new(object, "iterations",
                        json_integer((json_int_t)r->iterations));
    json_object_set_new(object, "epochs", json_integer((json_int_t)r->epochs));
    json_object_set_new(object, "seconds", cli_number(r->seconds));
    json_object_set_new(object, "train", score_json(&r->train));
    add_arrival(object, "train", arrival(&r->curve, false, line->train));
    if (!data->tests)
        return object;
    json_t *tests = json_array();
    for (size_t i = 0; i < data->tests; i++) {
        json_t *score = score_json(&r->test[i]);
        json_object_set_new(score, "file", json_string(data->test_name[i]));
        json_array_append_new(tests, score);
    }
    json_object_set_new(object, "test", tests);
    add_arrival(object, "test", arrival(&r->curve, true, line->test));
    return object;
}

static int print_json(const net_runner *runners, size_t count,
                      const double *rates, const net_data *data,
                      const finish_line *line) {
    json_t *array = json_array(), *object = json_object();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array,
                              runner_json(&runners[i], rates, data, line));
    json_object_set_new(object, "train_line", cli_number(line->train));
    if (data->tests)
        json_object_set_new(object, "test_line", cli_number(line->test));
    json_object_set_new(object, "optimizers", array);
    return cli_print_json(object);
}

/* ---- All of it ------------------------------------------------------------
 */

static int write_files(ng_ctx *ctx, const cli_options *options,
                       const net_data *data, const net_runner *runners,
                       size_t count, ng_net *net) {
    net_curve *curves = calloc(count + 1, sizeof *curves);
    int status = CLI_DONE;
    size_t drawn = 0;
    if (!curves)
        return cli_complain(CLI_RESOURCES, "out of memory");
    /* A block without lines would be no index of gnuplot's. */
    for (size_t i = 0; i < count; i++) {
        if (runners[i].curve.points)
            curves[drawn++] = runners[i].curve;
    }
    if (options->out)
        status = net_write_table(ctx, options->out, curves, drawn);
    if (status == CLI_DONE && options->plot && drawn)
        status = net_draw(ctx, options, curves, drawn, NULL, net,
                          net_examples(data));
    free(curves);
    return status;
}

int net_race_report(ng_ctx *ctx, const cli_options *options,
                    const net_data *data, const double *rates,
                    net_runner *runners, size_t count, ng_net *net) {
    finish_line line = {.train = line_of(runners, count, false),
                        .test = line_of(runners, count, true)};
    int status = write_files(ctx, options, data, runners, count, net);
    if (status != CLI_DONE)
        return status;
    if (options->json)
        return print_json(runners, count, rates, data, &line);
    print_table(runners, count, data->tests, &line);
    return CLI_DONE;
}
