/* Streams and tables: the same values as a frame's, block by block. */
#include "data/csv.h"
#include "data/stream.h"
#include "data_fixture.h"
#include "frame_fixture.h"
#include "natgrad/array.h"
#include "scarce.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Blocks against a frame ---- */

typedef struct visited {
    const ng_frame *frame;
    unsigned char *rows; /* how often each was seen */
    size_t *worker;      /* who saw it */
    size_t block_rows;
    pthread_mutex_t lock;
    bool wrong;
} visited;

static void look(void *user, size_t worker, const ngi_table_block *block) {
    visited *v = user;
    pthread_mutex_lock(&v->lock);
    v->wrong = v->wrong || !block->count || block->count > v->block_rows ||
               block->first + block->count > ng_frame_rows(v->frame);
    for (size_t i = 0; i < block->count && !v->wrong; i++) {
        size_t row = block->first + i;
        v->rows[row]++;
        v->worker[row] = worker;
        for (size_t j = 0; j < ng_frame_columns(v->frame); j++)
            v->wrong =
                v->wrong || memcmp(&ng_frame_column(v->frame, j)->values[row],
                                   &block->values[j][i], sizeof(double)) != 0;
    }
    pthread_mutex_unlock(&v->lock);
}

/* Two passes visit the same rows, by the same workers; a pass without gaps
 * visits them all. */
static void ck_pass(const ngi_table *table, const ng_frame *frame,
                    size_t block_rows, size_t stride) {
    size_t rows = ng_frame_rows(frame), seen = 0;
    visited v[2];
    for (int k = 0; k < 2; k++) {
        v[k] = (visited){.frame = frame, .block_rows = block_rows};
        v[k].rows = calloc(rows, 1);
        v[k].worker = calloc(rows, sizeof *v[k].worker);
        pthread_mutex_init(&v[k].lock, NULL);
        ng_status status = table->each(table, block_rows, stride, look, &v[k]);
        ck_assert_msg(status == NG_OK, "%s", ng_error(ctx));
        ck_assert(!v[k].wrong);
        pthread_mutex_destroy(&v[k].lock);
    }
    ck_assert_mem_eq(v[0].rows, v[1].rows, rows);
    ck_assert_mem_eq(v[0].worker, v[1].worker, rows * sizeof *v[0].worker);
    for (size_t i = 0; i < rows; i++) {
        ck_assert_uint_le(v[0].rows[i], 1);
        seen += v[0].rows[i];
    }
    ck_assert(stride == 1 ? seen == rows : seen > 0);
    for (int k = 0; k < 2; k++) {
        free(v[k].rows);
        free(v[k].worker);
    }
}

static void ck_table(const ngi_table *table, const ng_frame *frame) {
    static const size_t block[] = {1, 3, 64, 100000};
    ck_assert_uint_eq(table->rows, ng_frame_rows(frame));
    ck_assert_uint_eq(table->columns, ng_frame_columns(frame));
    for (size_t j = 0; j < table->columns; j++)
        ck_same_column(table->column(table, j), ng_frame_column(frame, j));
    for (size_t i = 0; i < table->rows; i++)
        ck_assert_uint_eq(table->record(table, i), ng_frame_record(frame, i));
    for (size_t k = 0; k < sizeof block / sizeof *block; k++)
        for (size_t stride = 1; stride < 8; stride += 2)
            ck_pass(table, frame, block[k], stride);
}

static void ck_stream(const ng_stream *stream, const ng_frame *frame) {
    ngi_table table;
    ngi_table_of_stream(stream, &table);
    ck_assert(table.streams);
    ck_assert_uint_eq(ng_stream_rows(stream), ng_frame_rows(frame));
    ck_assert_uint_eq(ng_stream_dropped(stream), ng_frame_dropped(frame));
    ck_assert_str_eq(table.source, ng_frame_source(frame));
    ck_table(&table, frame);
}

/* The tests' context has one worker; here are more. */
static void use_threads(size_t threads) {
    const ng_ctx_options options = {.warn = remember, .threads = threads};
    ng_ctx_destroy(&ctx);
    ck_assert_int_eq(ng_ctx_create(&options, &ctx), NG_OK);
    warning[0] = '\0';
}

/* By both readers, in chunks of many sizes, by one to three workers. */
static void ck_text(const char *csv, const ng_frame_options *options,
                    bool plain) {
    static const size_t chunk[] = {0, 1, 7, 50, 1000};
    for (size_t threads = 1; threads <= 3; threads++) {
        ng_frame *frame;
        use_threads(threads);
        ck_assert_int_eq(ngi_frame_parse_csv_by(ctx, "f.csv", csv, strlen(csv),
                                                options, 0, &frame),
                         NG_OK);
        for (size_t i = 0; i < sizeof chunk / sizeof *chunk; i++) {
            ng_stream *stream;
            ng_status status = ngi_stream_parse_by(
                ctx, "f.csv", csv, strlen(csv), options, chunk[i], &stream);
            ck_assert_msg(status == NG_OK, "%s", ng_error(ctx));
            ck_assert(plain || !chunk[i] ? stream != NULL : stream == NULL);
            if (stream)
                ck_stream(stream, frame);
            ng_stream_close(&stream);
        }
        ng_frame_destroy(&frame);
    }
}

START_TEST(plain_text) {
    ck_text("a,b,c\n1,x,3\n2,y,-0\n3,x,1e-5\n4,zz,0x1p3\n5,y,  7 \n", NULL,
            true);
    ck_text("a\r\n1\r\n2\r\n3\r\n\r\n", NULL, true);
    ck_text("\xef\xbb\xbf\"a\",b\n1,\"x,y\"\n\"2\",z\n", NULL, true);
    const ng_frame_options drop = {.drop_missing = 1};
    ck_text("a,b\nNA,1\n1,x\n2,\n,\n3,y\n4,x\nnan,q", &drop, true);
    const char *const a[] = {"a"}, *const c[] = {"c"};
    const ng_frame_options some = {
        .factors = a, .factor_count = 1, .exclude = c, .excludes = 1};
    ck_text("a,b,c\n10,1,?\n9,2,?\n10,3,?\n8,4,\n", &some, true);
}
END_TEST

START_TEST(odd_text) {
    ck_text("a,b\n\"1\",\"x\ny\"\n2,\"\"\"\"\n3,z\n", NULL, false);
    ck_text("a,b\r1,x\r2,y\r3,z\r", NULL, false);
    const ng_frame_options drop = {.drop_missing = 1};
    ck_text("a\n1\n\n2\n3\n\n\n4\n5\n6\n", &drop, false);
}
END_TEST

static char *make_csv(size_t rows, size_t *size) {
    char *csv = malloc(rows * 64 + 64), *end = csv;
    ck_assert_ptr_nonnull(csv);
    end += sprintf(end, "a,b,c\n");
    for (size_t i = 0; i < rows; i++) {
        end += sprintf(end, "%.17g,L%zu,", sin((double)i), i * i % 17);
        end += i % 50 == 49 ? sprintf(end, "NA\n")
                            : sprintf(end, "%zu\n", i % 1000);
    }
    *size = (size_t)(end - csv);
    return csv;
}

static const ng_frame_options DROP = {.drop_missing = 1};

static void write_file(const char *path, const void *data, size_t size) {
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

/* A file of several chunks, plain and packed, and what a pass tells of how far
 * it is. */
START_TEST(files) {
    size_t size;
    char *csv = make_csv(40000, &size);
    unsigned char *packed = malloc(size);
    size_t packed_size = squeeze_bytes(csv, size, packed, size);
    const char *path = path_of("f.csv");
    for (int pack = 0; pack < 2; pack++) {
        ng_frame *frame, *careful;
        ng_stream *stream;
        ngi_table table;
        double done, total;
        size_t passes;
        write_file(path, pack ? (void *)packed : csv,
                   pack ? packed_size : size);
        use_threads(2);
        ck_assert_int_eq(ng_frame_read_csv(ctx, path, &DROP, &frame), NG_OK);
        ck_assert_int_eq(
            ngi_frame_parse_csv_by(ctx, path, csv, size, &DROP, 0, &careful),
            NG_OK);
        ck_same_frame(frame, careful);
        ng_frame_destroy(&careful);
        ck_assert_int_eq(ng_stream_open(ctx, path, &DROP, &stream), NG_OK);
        ck_assert_uint_eq(ng_stream_dropped(stream), 800);
        ngi_table_of_stream(stream, &table);
        ck_pass(&table, frame, 256, 1);
        ck_pass(&table, frame, 100, 7);
        ng_stream_progress(stream, &done, &total, &passes);
        ck_assert_uint_eq(passes, 5);
        ck_assert_double_eq(done, total);
        ck_assert_double_gt(total, (double)packed_size / 2);
        ng_stream_close(&stream);
        ck_assert_ptr_null(stream);
        ng_frame_destroy(&frame);
    }
    unlink(path);
    free(packed);
    free(csv);
}
END_TEST

/* Chunks that are shorter than a line, and longer. */
START_TEST(packed_chunks) {
    size_t size;
    char *csv = make_csv(300, &size);
    unsigned char *packed = malloc(size);
    size_t packed_size = squeeze_bytes(csv, size, packed, size);
    for (size_t chunk = 1; chunk < 20000; chunk *= 7) {
        ng_frame *frame;
        ng_stream *stream;
        ngi_table table;
        use_threads(1 + chunk % 3);
        ck_assert_int_eq(
            ngi_frame_parse_csv_by(ctx, "f.csv", csv, size, &DROP, 0, &frame),
            NG_OK);
        ck_assert_int_eq(ngi_stream_parse_by(ctx, "f.csv", packed, packed_size,
                                             &DROP, chunk, &stream),
                         NG_OK);
        ck_assert_ptr_nonnull(stream);
        ngi_table_of_stream(stream, &table);
        ck_pass(&table, frame, 10, 1);
        ck_pass(&table, frame, 7, 3);
        ng_stream_close(&stream);
        ng_frame_destroy(&frame);
    }
    free(packed);
    free(csv);
}
END_TEST

START_TEST(standard_input) {
    static const char csv[] = "a,b\n1,2\nx,3\n4,5\n";
    int ends[2], saved = dup(STDIN_FILENO);
    ng_stream *stream;
    ng_frame *frame;
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], csv, strlen(csv)), (int)strlen(csv));
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    ng_status status = ng_stream_open(ctx, "-", NULL, &stream);
    dup2(saved, STDIN_FILENO);
    close(saved);
    ck_assert_int_eq(status, NG_OK);
    ck_assert_int_eq(ngi_frame_parse_csv(ctx, "standard input", csv,
                                         strlen(csv), NULL, &frame),
                     NG_OK);
    ck_stream(stream, frame);
    ng_stream_close(&stream);
    ng_frame_destroy(&frame);
}
END_TEST

/* ---- What goes wrong ---- */

static void ignore(void *user, size_t worker, const ngi_table_block *block) {
    (void)user;
    (void)worker;
    (void)block;
}

/* Whether its time is new or not, bytes that are others are found out, unless
 * they read the same, as those do that follow the old end. */
START_TEST(changed) {
    static const char *const text[] = {"a,b\n1,x\n2,y\n3,x\n",
                                       "a,b\n1,x\n2,z\n3,x\n",
                                       "a,b\n1,x\n2,y\n3\n, x",
                                       "a,b\n1,x\n\n2,y\n3,\n",
                                       "a,b\n1,x\n",
                                       "a,b\n1,x\n2,y\nq,x\n",
                                       "a,b\n1,x\n2,y\n3,x,\n",
                                       "",
                                       "a,b\n11,x\n2,y\n3,x\n"};
    const char *path = path_of("f.csv");
    for (size_t i = 1; i < 2 * sizeof text / sizeof *text; i++) {
        const char *other = text[i / 2];
        ng_stream *stream;
        ngi_table table;
        bool hide = i % 2;
        write_file(path, text[0], strlen(text[0]));
        ck_assert_int_eq(ng_stream_open(ctx, path, NULL, &stream), NG_OK);
        ngi_table_of_stream(stream, &table);
        ck_assert_int_eq(table.each(&table, 2, 1, ignore, NULL), NG_OK);
        write_file(path, other, strlen(other));
        if (hide)
            stream->stamp = ngi_input_stamp(stream->input);
        ng_status status = table.each(&table, 2, 1, ignore, NULL);
        bool same = hide && (i / 2 == 0 || i / 2 == 6);
        if (!same)
            ck_assert_int_eq(status, NG_EDATA);
        if (!hide)
            ck_assert_ptr_nonnull(
                strstr(ng_error(ctx), ": changed while it was read"));
        ng_stream_close(&stream);
    }
    unlink(path);
}
END_TEST

START_TEST(errors) {
    static const char *const bad[] = {"", "a,b\n", "a,b\n1,2\n3\n",
                                      "a\n1\nNA\n2\n", "a\n1\ninf\n"};
    const char *path = path_of("f.csv");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ng_stream *stream;
        ng_frame *frame;
        char message[256];
        write_file(path, bad[i], strlen(bad[i]));
        ck_assert_int_eq(ng_frame_read_csv(ctx, path, NULL, &frame), NG_EDATA);
        snprintf(message, sizeof message, "%s", ng_error(ctx));
        ck_assert_int_eq(ng_stream_open(ctx, path, NULL, &stream), NG_EDATA);
        ck_assert_str_eq(ng_error(ctx), message);
        ck_assert_ptr_null(stream);
    }
    unlink(path);
}
END_TEST

static void cancel(void *user, size_t worker, const ngi_table_block *block) {
    (void)worker;
    (void)block;
    ng_cancel(user);
}

START_TEST(cancelled) {
    const char csv[] = "a\n1\n2\n3\n4\n";
    for (size_t chunk = 0; chunk < 3; chunk++) {
        ng_stream *stream;
        ngi_table table;
        use_threads(1);
        ck_assert_int_eq(ngi_stream_parse_by(ctx, "f", csv, strlen(csv), NULL,
                                             chunk, &stream),
                         NG_OK);
        ngi_table_of_stream(stream, &table);
        ng_cancel(ctx);
        ck_assert_int_eq(table.each(&table, 1, 1, cancel, ctx), NG_ECANCELLED);
        ck_assert_str_eq(ng_error(ctx), "f: reading cancelled");
        ng_stream_close(&stream);
    }
}
END_TEST

static ng_status stream_all(ng_ctx *poor, const char *path) {
    ng_stream *stream;
    ngi_table table;
    NG_TRY(ng_stream_open(poor, path, &DROP, &stream));
    ngi_table_of_stream(stream, &table);
    ng_status status = table.each(&table, 16, 1, ignore, NULL);
    ng_stream_close(&stream);
    return status;
}

START_TEST(scarce_memory) {
    static const char *const text[] = {"a,b\n1,x\n2,y\nNA,x\n",
                                       "a,b\n\"1\n\",x\n2,y\nNA,x\n"};
    const char *path = path_of("f.csv");
    for (size_t i = 0; i < 2; i++) {
        write_file(path, text[i], strlen(text[i]));
        starve(stream_all, path);
    }
    unlink(path);
}
END_TEST

/* ---- Frames as tables ---- */

START_TEST(frame_table) {
    size_t size;
    char *csv = make_csv(500, &size);
    for (size_t threads = 1; threads <= 3; threads++) {
        ng_frame *frame;
        ngi_table table;
        size_t index;
        use_threads(threads);
        ck_assert_int_eq(
            ngi_frame_parse_csv(ctx, "f.csv", csv, size, &DROP, &frame), NG_OK);
        ngi_table_of_frame(frame, &table);
        ck_assert(!table.streams);
        ck_table(&table, frame);
        ck_assert_ptr_eq(ngi_table_find(&table, "b", &index),
                         ng_frame_column(frame, 1));
        ck_assert_uint_eq(index, 1);
        ck_assert_ptr_null(ngi_table_find(&table, "d", NULL));
        ng_frame_destroy(&frame);
    }
    free(csv);
}
END_TEST

START_TEST(borrowed_columns) {
    static const double x[] = {1, 2}, y[] = {3, (double)NAN};
    const char *names[] = {"x", "y"};
    const double *values[] = {x, x};
    ng_frame *frame;
    ck_assert_int_eq(ng_frame_of_columns(ctx, 2, 2, names, values, &frame),
                     NG_OK);
    ck_assert_ptr_eq(ng_frame_column(frame, 1)->values, x);
    ng_frame_destroy(&frame);
    values[1] = y;
    ck_assert_int_eq(ng_frame_of_columns(ctx, 2, 2, names, values, &frame),
                     NG_EDATA);
    ck_assert_ptr_null(frame);
}
END_TEST

/* ---- NPY ---- */

static size_t make_npy(unsigned char *out, const char *type, bool fortran,
                       size_t rows, size_t columns, const void *numbers,
                       size_t size) {
    char header[128];
    int length = snprintf(header, sizeof header,
                          "{'descr': '%s', 'fortran_order': %s, 'shape': "
                          "(%zu, %zu), }\n",
                          type, fortran ? "True" : "False", rows, columns);
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (unsigned char)length;
    out[9] = 0;
    memcpy(out + 10, header, (size_t)length);
    memcpy(out + 10 + length, numbers, size);
    return 10 + (size_t)length + size;
}

static void ck_npy(const void *data, size_t size,
                   const ng_frame_options *options, size_t rows, size_t columns,
                   const double *expected) {
    const char *path = path_of("x.npy");
    write_file(path, data, size);
    for (size_t threads = 1; threads <= 3; threads++) {
        ng_frame *frame;
        ng_stream *stream;
        use_threads(threads);
        ng_status status = ng_frame_read_npy(ctx, path, options, &frame);
        ck_assert_msg(status == NG_OK, "%s", ng_error(ctx));
        ck_assert_uint_eq(ng_frame_rows(frame), rows);
        ck_assert_uint_eq(ng_frame_columns(frame), columns);
        for (size_t i = 0; i < rows * columns; i++)
            ck_assert_double_eq(
                ng_frame_column(frame, i % columns)->values[i / columns],
                expected[i]);
        ck_assert_int_eq(ng_stream_open(ctx, path, options, &stream), NG_OK);
        ck_stream(stream, frame);
        ng_stream_close(&stream);
        ng_frame_destroy(&frame);
    }
    unlink(path);
}

START_TEST(npy) {
    static const double x[] = {1, 2, 3, 4, 5, 6}, t[] = {1, 3, 5, 2, 4, 6};
    static const float f[] = {1, 2, 3, 4, 5, 6};
    static const int16_t h[] = {1, 2, 3, 4, 5, 6};
    static const unsigned char b[] = {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6};
    unsigned char file[512], packed[512];
    size_t size = make_npy(file, "<f8", false, 3, 2, x, sizeof x);
    ck_npy(file, size, NULL, 3, 2, x);
    ck_npy(packed, squeeze_bytes(file, size, packed, sizeof packed), NULL, 3, 2,
           x);
    size = make_npy(file, "<f8", true, 3, 2, t, sizeof t);
    ck_npy(file, size, NULL, 3, 2, x);
    size = make_npy(file, "<f4", false, 3, 2, f, sizeof f);
    ck_npy(file, size, NULL, 3, 2, x);
    size = make_npy(file, "<i2", false, 3, 2, h, sizeof h);
    ck_npy(file, size, NULL, 3, 2, x);
    size = make_npy(file, ">u2", false, 3, 2, b, sizeof b);
    ck_npy(file, size, NULL, 3, 2, x);
}
END_TEST

START_TEST(npy_options) {
    static const double x[] = {7,   2, (double)NAN, 4, 5,
                               6.5, 7, (double)NAN, 7, 1};
    static const double kept[] = {1, 2, 0, 6.5, 1, 1};
    const char *const a[] = {"V1"};
    const ng_frame_options options = {
        .drop_missing = 1, .factors = a, .factor_count = 1};
    unsigned char file[512];
    size_t size = make_npy(file, "<f8", false, 5, 2, x, sizeof x);
    ck_npy(file, size, &options, 3, 2, kept);
    const char *const b[] = {"V2"};
    const double second[] = {2, 4, 6.5, 1};
    const ng_frame_options one = {
        .drop_missing = 1, .include = b, .includes = 1};
    ck_npy(file, size, &one, 4, 1, second);
}
END_TEST

static ng_status frame_of_npy(ng_ctx *poor, const char *path) {
    const char *const a[] = {"V1"};
    const ng_frame_options options = {
        .drop_missing = 1, .factors = a, .factor_count = 1};
    ng_frame *frame;
    NG_TRY(ng_frame_read_npy(poor, path, &options, &frame));
    ng_frame_destroy(&frame);
    return NG_OK;
}

START_TEST(npy_scarce_memory) {
    static const double x[] = {7, 2, (double)NAN, 4, 5, 6.5};
    unsigned char file[512];
    const char *path = path_of("x.npy");
    write_file(path, file, make_npy(file, "<f8", false, 3, 2, x, sizeof x));
    starve(frame_of_npy, path);
    starve(stream_all, path);
    unlink(path);
}
END_TEST

static void ck_bad_npy(const char *type, size_t columns, const void *numbers,
                       size_t size, const char *message) {
    unsigned char file[512];
    ng_frame *frame;
    ng_stream *stream;
    const char *path = path_of("x.npy");
    write_file(path, file,
               make_npy(file, type, false, 2, columns, numbers, size));
    ck_assert_int_eq(ng_frame_read_npy(ctx, path, NULL, &frame), NG_EDATA);
    ck_assert_str_eq(strstr(ng_error(ctx), ": ") + 2, message);
    ck_assert_int_eq(ng_stream_open(ctx, path, NULL, &stream), NG_EDATA);
    ck_assert_str_eq(strstr(ng_error(ctx), ": ") + 2, message);
    unlink(path);
}

START_TEST(npy_errors) {
    static const double nan[] = {1, 2, 3, (double)NAN},
                        inf[] = {1, -HUGE_VAL, (double)NAN, 2};
    static const int64_t large[] = {1, 2, -INT64_MAX, 4};
    ck_bad_npy("<f8", 2, nan, sizeof nan,
               "row 2, column \"V2\": missing value: expected a value, found "
               "\"nan\"");
    ck_bad_npy("<f8", 2, inf, sizeof inf,
               "row 1, column \"V2\": infinite value: expected a finite "
               "number, found \"-inf\"");
    ck_bad_npy("<i8", 2, large, sizeof large,
               "row 2, column \"V1\": expected an integer of at most 2^53 in "
               "size, found \"-9223372036854775807\"");
    ck_bad_npy("<f8", 3, nan, sizeof nan,
               "expected 48 bytes of data for shape (2, 3), found 32");
    ck_bad_npy("<f8", 1, nan, sizeof nan,
               "expected 16 bytes of data for shape (2, 1), found 32");
    ck_bad_npy("<f8", 0, nan, 0,
               "expected at least one row and one column, found shape (2, 0)");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("stream");
    TCase *tests = tcase_create("stream");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, plain_text);
    tcase_add_test(tests, odd_text);
    tcase_add_test(tests, files);
    tcase_add_test(tests, packed_chunks);
    tcase_add_test(tests, standard_input);
    tcase_add_test(tests, changed);
    tcase_add_test(tests, errors);
    tcase_add_test(tests, cancelled);
    tcase_add_test(tests, scarce_memory);
    tcase_add_test(tests, frame_table);
    tcase_add_test(tests, borrowed_columns);
    tcase_add_test(tests, npy);
    tcase_add_test(tests, npy_options);
    tcase_add_test(tests, npy_scarce_memory);
    tcase_add_test(tests, npy_errors);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
