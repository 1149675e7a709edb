/* Frames: CSV in all its forms, and every way it can be wrong. */
#include "data/csv.h"
#include "data/text.h"
#include "data_fixture.h"
#include "frame_fixture.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ng_frame *parse(const char *csv, const ng_frame_options *options) {
    ng_frame *frame;
    ng_status status =
        ngi_frame_parse_csv(ctx, "f.csv", csv, strlen(csv), options, &frame);
    ck_assert_msg(status == NG_OK, "%s", ng_error(ctx));
    return frame;
}

static void ck_bad_bytes(const void *csv, size_t size,
                         const ng_frame_options *options, const char *message) {
    ng_frame *frame;
    ng_status status =
        ngi_frame_parse_csv(ctx, "f.csv", csv, size, options, &frame);
    ck_assert_int_eq(status, NG_EDATA);
    ck_assert_ptr_null(frame);
    ck_assert_str_eq(ng_error(ctx), message);
}

static void ck_bad(const char *csv, const char *message) {
    ck_bad_bytes(csv, strlen(csv), NULL, message);
}

static void ck_values(const ng_frame *frame, const char *name, size_t count,
                      const double *values) {
    const ng_column *column = ng_frame_find(frame, name);
    ck_assert_ptr_nonnull(column);
    ck_assert_uint_eq(ng_frame_rows(frame), count);
    for (size_t i = 0; i < count; i++)
        ck_assert_double_eq(column->values[i], values[i]);
}

static void ck_levels(const ng_frame *frame, const char *name, size_t count,
                      const char *const *levels) {
    const ng_column *column = ng_frame_find(frame, name);
    ck_assert_ptr_nonnull(column);
    ck_assert_uint_eq(column->levels, count);
    for (size_t i = 0; i < count; i++)
        ck_assert_str_eq(column->level[i], levels[i]);
}

START_TEST(numbers) {
    ng_frame *frame = parse("a,b\n1, -2.5 \n0x1.8p1,1e-400\n+.5,-0\n"
                            "123456789012345678,\t1.7976931348623157e308",
                            NULL);
    ck_values(frame, "a", 4, (double[]){1, 3, .5, 123456789012345678.0});
    ck_values(frame, "b", 4, (double[]){-2.5, 0, -0.0, DBL_MAX});
    ck_assert(signbit(ng_frame_find(frame, "b")->values[2]));
    ck_assert_uint_eq(ng_frame_columns(frame), 2);
    ck_assert_str_eq(ng_frame_source(frame), "f.csv");
    ck_assert_uint_eq(ng_frame_column(frame, 1)->levels, 0);
    ck_assert_ptr_null(ng_frame_column(frame, 2));
    ck_assert_ptr_null(ng_frame_find(frame, "c"));
    ck_assert_uint_eq(ng_frame_record(frame, 3), 4);
    ng_frame_destroy(&frame);
    ck_assert_ptr_null(frame);
}
END_TEST

/* The short way to a number gives what strtod gives. */
START_TEST(numbers_as_strtod) {
    ng_rng rng = {{1, 2}, {0}, {0}, 0};
    char text[64];
    for (unsigned i = 0; i < 200000; i++) {
        uint32_t *key = rng.key;
        key[0] = key[0] * 1664525u + 1013904223u;
        key[1] = key[1] * 22695477u + key[0] + 1u;
        double x = (double)key[0] * 4294967296.0 + key[1], number = 0;
        x = (i & 1 ? -x : x) / pow(10, i % 23);
        snprintf(text, sizeof text, "%.*g", (int)(i % 18), x);
        ck_assert_int_eq(ngi_cell_classify(text, strlen(text), &number),
                         NGI_CELL_NUMBER);
        ck_assert_double_eq(number, strtod(text, NULL));
    }
}
END_TEST

START_TEST(quotes_and_line_ends) {
    ng_frame *frame = parse("\xef\xbb\xbf\"a\",\"b \"\"c\"\"\"\r\n"
                            "\"x,y\",\"1\"\r\" z\",2\n\"p\nq\",\"3\"\r\n\r\n",
                            NULL);
    ck_levels(frame, "a", 3, (const char *[]){" z", "p\nq", "x,y"});
    ck_values(frame, "a", 3, (double[]){2, 0, 1});
    ck_values(frame, "b \"c\"", 3, (double[]){1, 2, 3});
    ng_frame_destroy(&frame);
}
END_TEST

START_TEST(factors) {
    const char *const names[] = {"a", "absent"};
    const ng_frame_options options = {.factors = names, .factor_count = 2};
    ng_frame *frame =
        parse("a,b,c\n10,x,A\n9,\xc3\xa9,B\n9.0,X,A\n10,x,1\n", &options);
    ck_levels(frame, "a", 3, (const char *[]){"9", "9.0", "10"});
    ck_values(frame, "a", 4, (double[]){2, 0, 1, 2});
    ck_levels(frame, "b", 3, (const char *[]){"X", "x", "\xc3\xa9"});
    ck_levels(frame, "c", 3, (const char *[]){"1", "A", "B"});
    ck_values(frame, "c", 4, (double[]){1, 2, 1, 0});
    ck_assert_str_eq(warning, "");
    ng_frame_destroy(&frame);
}
END_TEST

START_TEST(late_text) {
    ng_frame *frame = parse("a,b\n2,1\n1.0,2\n?,3\n1,4\ninf,5\n", NULL);
    ck_levels(frame, "a", 5, (const char *[]){"1", "1.0", "2", "?", "inf"});
    ck_values(frame, "a", 5, (double[]){2, 1, 3, 0, 4});
    ck_values(frame, "b", 5, (double[]){1, 2, 3, 4, 5});
    ck_assert_str_eq(warning,
                     "f.csv: row 3, column \"a\": expected a number, found "
                     "\"?\"; the column becomes a factor because 1 of its 5 "
                     "values is not a number");
    ng_frame_destroy(&frame);
}
END_TEST

START_TEST(many_levels) {
    char *csv = malloc(200000), *end = csv + sprintf(csv, "a\n");
    for (int i = 0; i < 10000; i++)
        end += sprintf(end, "L%05d\n", (i * 7919) % 5000);
    ng_frame *frame = parse(csv, NULL);
    const ng_column *column = ng_frame_column(frame, 0);
    ck_assert_uint_eq(column->levels, 5000);
    ck_assert_str_eq(column->level[4999], "L04999");
    for (int i = 0; i < 10000; i++)
        ck_assert_double_eq(column->values[i], (i * 7919) % 5000);
    ng_frame_destroy(&frame);
    free(csv);
}
END_TEST

START_TEST(drop_missing) {
    const ng_frame_options options = {.drop_missing = 1};
    ng_frame *frame =
        parse("a,b\nNA,z\n1,x\nNaN,1\n2,\n3,y\n4,x\n,\n", &options);
    ck_values(frame, "a", 3, (double[]){1, 3, 4});
    ck_levels(frame, "b", 2, (const char *[]){"x", "y"});
    ck_assert_uint_eq(ng_frame_dropped(frame), 4);
    ck_assert_uint_eq(ng_frame_record(frame, 0), 2);
    ck_assert_uint_eq(ng_frame_record(frame, 1), 5);
    ck_assert_uint_eq(ng_frame_record(frame, 2), 6);
    ng_frame_destroy(&frame);
    frame = parse("a\n1\n\n2\n\n\n", &options);
    ck_values(frame, "a", 2, (double[]){1, 2});
    ck_assert_uint_eq(ng_frame_record(frame, 1), 3);
    ng_frame_destroy(&frame);
    ck_bad_bytes("a\nNA\n", 5, &options,
                 "f.csv: expected a row without missing values, found none");
}
END_TEST

START_TEST(selection) {
    const char *const a[] = {"a"}, *const b[] = {"b", "x"};
    const char csv[] = "c,b,a\nNA,1,2\ninf,3,4\n";
    ng_frame_options options = {.include = a, .includes = 1};
    ng_frame *frame = parse(csv, &options);
    ck_assert_uint_eq(ng_frame_columns(frame), 1);
    ck_values(frame, "a", 2, (double[]){2, 4});
    ng_frame_destroy(&frame);
    options.optional = b;
    options.optionals = 2;
    frame = parse(csv, &options);
    ck_assert_str_eq(ng_frame_column(frame, 0)->name, "b");
    ck_assert_str_eq(ng_frame_column(frame, 1)->name, "a");
    ng_frame_destroy(&frame);
    const char *const c[] = {"c"};
    options = (ng_frame_options){.exclude = c, .excludes = 1};
    frame = parse(csv, &options);
    ck_assert_uint_eq(ng_frame_columns(frame), 2);
    ng_frame_destroy(&frame);
}
END_TEST

START_TEST(bad_names) {
    const char csv[] = "a,b\n1,2\n";
    const char *const list[] = {"a", "no\nne"};
    const char message[] = "f.csv: header: expected a column \"no?ne\", found "
                           "none of that name";
    ng_frame_options options = {.include = list, .includes = 2};
    ck_bad_bytes(csv, strlen(csv), &options, message);
    options = (ng_frame_options){.exclude = list, .excludes = 2};
    ck_bad_bytes(csv, strlen(csv), &options, message);
    options = (ng_frame_options){.numeric = list, .numerics = 2};
    ck_bad_bytes(csv, strlen(csv), &options, message);
    options.numerics = 1;
    options.factors = list;
    options.factor_count = 1;
    ng_frame *frame;
    ck_assert_int_eq(
        ngi_frame_parse_csv(ctx, "f", csv, strlen(csv), &options, &frame),
        NG_EUSAGE);
    ck_assert_str_eq(ng_error(ctx),
                     "column \"a\" cannot be both numeric and a factor");
}
END_TEST

START_TEST(bad_structure) {
    ck_bad("", "f.csv: expected column names, found an empty file");
    ck_bad("\xef\xbb\xbf\n\n",
           "f.csv: expected column names, found an empty file");
    ck_bad("a,b\r\n", "f.csv: expected rows of data, found a header only");
    ck_bad("a,b", "f.csv: expected rows of data, found a header only");
    ck_bad("\na\n1\n",
           "f.csv: header: expected column names, found a blank line");
    ck_bad("a,,b\n1,2,3\n",
           "f.csv: header: expected a name for column 2, found \"\"");
    ck_bad("a,b,c,b\n", "f.csv: header: expected distinct names, found \"b\" "
                        "for columns 2 and 4");
    ck_bad("a,b\n1,2\n3\n", "f.csv: row 2: expected 2 fields, found 1");
    ck_bad("a,b\n1,2,\n3\n", "f.csv: row 1: expected 2 fields, found 3");
    ck_bad("a\n1,2\n", "f.csv: row 1: expected 1 field, found 2");
    ck_bad("a,b\r\n1,2\r\n\r\n3,4\r\n",
           "f.csv: row 2: expected 2 fields, found a blank line");
}
END_TEST

START_TEST(bad_bytes) {
    static const char lone[] = ": expected quotes around whole fields and "
                               "doubled within them, found a lone quote";
    char message[160];
    snprintf(message, sizeof message, "f.csv: row 2%s", lone);
    ck_bad("a,b\n1,2\n3,x\"y\n", message);
    ck_bad("a,b\n1,2\n3,\"x\"y\n", message);
    ck_bad("a\n\n\"x\"y\n", message);
    snprintf(message, sizeof message, "f.csv: header%s", lone);
    ck_bad("a,b\"\n1,2\n", message);
    ck_bad("a,b\n1,2\n3,\"4\n5,6\n7,8\n",
           "f.csv: row 2: expected a closing quote, found the end of the file");
    ck_bad("\"a,b\n1,2\n", "f.csv: header: expected a closing quote, found the "
                           "end of the file");
    ck_bad_bytes("a,b\n1,2\n3,\0004\n", 13, NULL,
                 "f.csv: row 2: expected text, found a NUL byte");
    ck_bad_bytes("a\0,b\n", 5, NULL,
                 "f.csv: header: expected text, found a NUL byte");
}
END_TEST

START_TEST(bad_values) {
    const char *const b[] = {"b"};
    const ng_frame_options options = {.numeric = b, .numerics = 1};
    const char *csv = "a,b\n1,2\nx,3 4\n";
    ck_bad_bytes(csv, strlen(csv), &options,
                 "f.csv: row 2, column \"b\": expected a number, found "
                 "\"3 4\"");
    csv = "a,b\n1,2\nx,-Inf\n";
    ck_bad_bytes(csv, strlen(csv), &options,
                 "f.csv: row 2, column \"b\": infinite value: expected a "
                 "finite number, found \"-Inf\"");
    ck_bad("a,b\n1,2\n1e999,3\ninf,3\n",
           "f.csv: row 2, column \"a\": infinite value: expected a finite "
           "number, found \"1e999\"");
    ck_bad("a,b\n1,2\n2,NA\n", "f.csv: row 2, column \"b\": missing value: "
                               "expected a value, found \"NA\"");
    ck_bad("a\n1\n\n2\n", "f.csv: row 2, column \"a\": missing value: expected "
                          "a value, found \"\"");
    ck_bad("a,b\n -nAn,2\n", "f.csv: row 1, column \"a\": missing value: "
                             "expected a value, found \" -nAn\"");
    csv = "a,b\n1,\t0123456789\xc3\xa9 0123456789012345678901234567890\n";
    ck_bad_bytes(csv, strlen(csv), &options,
                 "f.csv: row 1, column \"b\": expected a number, found "
                 "\"?0123456789\xc3\xa9 01234567890123456789012345...\"");
}
END_TEST

START_TEST(not_numbers) {
    static const char *const text[] = {"1x",  "nan(1)", "0x", "-",   "1e",
                                       "\n1", "1 2",    ".",  "+-1", "1,5",
                                       "e5",  "na",     "1\n"};
    double number;
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        ck_assert_int_eq(ngi_cell_classify(text[i], strlen(text[i]), &number),
                         NGI_CELL_TEXT);
}
END_TEST

START_TEST(utf8) {
    static const char *const good[] = {"",
                                       "a",
                                       "\xc2\x80",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xc1\xbf",
                                      "\xc3",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xe2\x82",
                                      "\xe2\x82(",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert(ngi_utf8_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert(!ngi_utf8_valid(bad[i], strlen(bad[i])));
    ck_assert_str_eq(ngi_show_string("\x1b[\xc2\x9b\xc3\xa9\xff").text,
                     "?[??\xc3\xa9?");
}
END_TEST

START_TEST(no_such_file) {
    ng_frame *frame;
    char message[256];
    const char *path = path_of("absent");
    snprintf(message, sizeof message,
             "%s: cannot be opened: No such file or directory", path);
    ck_assert_int_eq(ng_frame_read_csv(ctx, path, NULL, &frame), NG_EDATA);
    ck_assert_str_eq(ng_error(ctx), message);
    snprintf(message, sizeof message, "%s: cannot be read: Is a directory",
             folder);
    ck_assert_int_eq(ng_frame_read_csv(ctx, folder, NULL, &frame), NG_EDATA);
    ck_assert_str_eq(ng_error(ctx), message);
    ck_assert_ptr_null(frame);
}
END_TEST

START_TEST(gzip) {
    unsigned char packed[512];
    size_t first = squeeze("\xef\xbb\xbf"
                           "a,b\n1,2\n3,",
                           packed, 256);
    size_t size = first + squeeze("x\n5,6\n", packed + first, 256);
    ng_frame *frame;
    ck_assert_int_eq(
        ngi_frame_parse_csv(ctx, "f.csv", packed, size, NULL, &frame), NG_OK);
    ck_values(frame, "a", 3, (double[]){1, 3, 5});
    ck_levels(frame, "b", 3, (const char *[]){"2", "6", "x"});
    ng_frame_destroy(&frame);
    for (size_t cut = 2; cut < size; cut++) {
        if (cut == first)
            continue;
        ck_bad_bytes(packed, cut, NULL, "f.csv: truncated gzip data");
    }
    ck_bad_bytes(packed, first, NULL,
                 "f.csv: row 2, column \"b\": missing value: expected a value, "
                 "found \"\"");
    packed[first - 6] ^= 1;
    ck_bad_bytes(packed, size, NULL,
                 "f.csv: damaged gzip data: incorrect data check");
    packed[first - 6] ^= 1;
    packed[first] = 'x';
    ck_bad_bytes(packed, size, NULL,
                 "f.csv: damaged gzip data: incorrect header check");
}
END_TEST

/* Standard input as a pipe, which has to be read twice here. */
START_TEST(standard_input) {
    static const char csv[] = "a,b\n1,2\nx,3\n";
    int ends[2], saved = dup(STDIN_FILENO);
    ng_frame *frame;
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], csv, strlen(csv)), (int)strlen(csv));
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    ng_status status = ng_frame_read_csv(ctx, "-", NULL, &frame);
    dup2(saved, STDIN_FILENO);
    close(saved);
    ck_assert_int_eq(status, NG_OK);
    ck_levels(frame, "a", 2, (const char *[]){"1", "x"});
    ck_assert_str_eq(ng_frame_source(frame), "standard input");
    ng_frame_destroy(&frame);
}
END_TEST

/* A file larger than the reader's buffers, read twice. */
START_TEST(large_file) {
    const char *path = path_of("large.csv");
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "a,b,c\r\n");
    for (int i = 0; i < 30000; i++)
        fprintf(file, "%d,\"%d\",%s\r\n", i, i * 3, i == 29999 ? "x" : "7");
    fclose(file);
    ng_frame *frame;
    ck_assert_int_eq(ng_frame_read_csv(ctx, path, NULL, &frame), NG_OK);
    ck_assert_uint_eq(ng_frame_rows(frame), 30000);
    for (int i = 0; i < 30000; i++) {
        ck_assert_double_eq(ng_frame_column(frame, 0)->values[i], i);
        ck_assert_double_eq(ng_frame_column(frame, 1)->values[i], 3 * i);
    }
    ck_levels(frame, "c", 2, (const char *[]){"7", "x"});
    ng_frame_destroy(&frame);
    unlink(path);
}
END_TEST

START_TEST(cancelled) {
    ng_frame *frame;
    ng_cancel(ctx);
    ck_assert_int_eq(ngi_frame_parse_csv(ctx, "f", "a\n1\n", 4, NULL, &frame),
                     NG_ECANCELLED);
    ck_assert_str_eq(ng_error(ctx), "f: reading cancelled");
}
END_TEST

START_TEST(arrays) {
    static const double x[] = {1, 2}, y[] = {3, (double)NAN};
    const char *names[] = {"x", "y"};
    const double *values[] = {x, x};
    ng_frame *frame;
    ck_assert_int_eq(ng_frame_from_arrays(ctx, 2, 2, names, values, &frame),
                     NG_OK);
    ck_values(frame, "y", 2, x);
    ck_assert_uint_eq(ng_frame_record(frame, 1), 2);
    ng_frame_destroy(&frame);
    values[1] = y;
    ck_assert_int_eq(ng_frame_from_arrays(ctx, 2, 2, names, values, &frame),
                     NG_EDATA);
    ck_assert_str_eq(ng_error(ctx), "row 2, column \"y\": expected a finite "
                                    "number, found nan");
    names[1] = "x";
    ck_assert_int_eq(ng_frame_from_arrays(ctx, 2, 2, names, values, &frame),
                     NG_EUSAGE);
    ck_assert_str_eq(ng_error(ctx), "columns 1 and 2 are both named \"x\"");
    names[1] = "";
    ck_assert_int_eq(ng_frame_from_arrays(ctx, 2, 2, names, values, &frame),
                     NG_EUSAGE);
    ck_assert_str_eq(ng_error(ctx), "column 2: empty name");
}
END_TEST

static TCase *csv_case(void) {
    TCase *tests = tcase_create("csv");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, numbers);
    tcase_add_test(tests, numbers_as_strtod);
    tcase_add_test(tests, quotes_and_line_ends);
    tcase_add_test(tests, factors);
    tcase_add_test(tests, late_text);
    tcase_add_test(tests, many_levels);
    tcase_add_test(tests, drop_missing);
    tcase_add_test(tests, selection);
    tcase_add_test(tests, bad_names);
    tcase_add_test(tests, bad_structure);
    tcase_add_test(tests, bad_bytes);
    tcase_add_test(tests, bad_values);
    tcase_add_test(tests, not_numbers);
    tcase_add_test(tests, utf8);
    tcase_add_test(tests, no_such_file);
    tcase_add_test(tests, gzip);
    tcase_add_test(tests, standard_input);
    tcase_add_test(tests, large_file);
    tcase_add_test(tests, cancelled);
    tcase_add_test(tests, arrays);
    tcase_set_timeout(tests, 60);
    return tests;
}

int main(void) {
    Suite *suite = suite_create("data");
    suite_add_tcase(suite, csv_case());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
