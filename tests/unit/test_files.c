/* Files: written whole or not at all, safetensors, and what happens when
 * memory runs out on the way. */
#include "data/tensors.h"
#include "data_fixture.h"
#include "scarce.h"

#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void store(const char *path, const void *data, size_t size) {
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

static void ck_content(const char *path, const char *expected) {
    char text[1024];
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    ck_assert_str_eq(text, expected);
}

static ng_status write_text(const char *path, const char *text) {
    ng_writer *writer;
    NG_TRY(ng_writer_open(ctx, path, &writer));
    ng_writer_print(writer, "%s", text);
    return ng_writer_commit(&writer);
}

START_TEST(writer_replaces) {
    const char *path = path_of("out");
    struct stat about;
    store(path, "old", 3);
    chmod(path, 0640);
    ng_writer *writer;
    ck_assert_int_eq(ng_writer_open(ctx, path, &writer), NG_OK);
    ng_writer_print(writer, "%d,%g\n", 7, 0.5);
    ck_content(path, "old");
    ng_writer_bytes(writer, "end", 3);
    ck_assert_int_eq(ng_writer_commit(&writer), NG_OK);
    ck_assert_ptr_null(writer);
    ck_content(path, "7,0.5\nend");
    ck_assert_int_eq(stat(path, &about), 0);
    ck_assert_int_eq(about.st_mode & 0777, 0640);
    ck_assert_int_eq(ng_writer_open(ctx, path, &writer), NG_OK);
    ng_writer_print(writer, "new");
    ng_writer_abort(&writer);
    ng_writer_abort(&writer);
    ck_content(path, "7,0.5\nend");
    unlink(path);
    mode_t mask = umask(027);
    ck_assert_int_eq(write_text(path, "x"), NG_OK);
    umask(mask);
    ck_assert_int_eq(stat(path, &about), 0);
    ck_assert_int_eq(about.st_mode & 0777, 0640);
    unlink(path);
}
END_TEST

START_TEST(writer_large) {
    const char *path = path_of("out");
    const size_t size = 200000;
    struct stat about;
    char *text = malloc(size + 1);
    memset(text, 'x', size);
    text[size] = '\0';
    ng_writer *writer;
    ck_assert_int_eq(ng_writer_open(ctx, path, &writer), NG_OK);
    for (int i = 0; i < 10; i++) {
        ng_writer_print(writer, "%s", text);
        ng_writer_print(writer, "%s", text + size - 40000);
        ng_writer_bytes(writer, text, size);
    }
    ck_assert_int_eq(ng_writer_commit(&writer), NG_OK);
    ck_assert_int_eq(stat(path, &about), 0);
    ck_assert_int_eq((int)about.st_size, 4400000);
    free(text);
    unlink(path);
}
END_TEST

START_TEST(writer_links) {
    const char *link = path_of("link"), *target = path_of("target");
    struct stat about;
    ck_assert_int_eq(symlink("target", link), 0);
    ck_assert_int_eq(write_text(link, "one"), NG_OK);
    ck_content(target, "one");
    ck_assert_int_eq(write_text(link, "two"), NG_OK);
    ck_content(target, "two");
    ck_assert_int_eq(lstat(link, &about), 0);
    ck_assert(S_ISLNK(about.st_mode));
    unlink(target);
    unlink(link);
    ck_assert_int_eq(symlink("link", link), 0);
    ck_assert_int_eq(write_text(link, "three"), NG_EWRITE);
    unlink(link);
}
END_TEST

static void ck_unwritable(const char *path, const char *name,
                          const char *reason) {
    char message[256];
    snprintf(message, sizeof message, "%s: cannot be written: %s", name,
             reason);
    ck_assert_int_eq(write_text(path, "text"), NG_EWRITE);
    ck_assert_str_eq(ng_error(ctx), message);
}

START_TEST(writer_trouble) {
    struct stat about;
    ck_unwritable("/dev/full", "/dev/full", "No space left on device");
    ck_assert_int_eq(stat("/dev/full", &about), 0);
    ck_assert(S_ISCHR(about.st_mode));
    ck_assert_int_eq(write_text("/dev/null", "text"), NG_OK);
    ck_unwritable(folder, folder, "Is a directory");
    const char *path = path_of("absent/out");
    ck_unwritable(path, path, "No such file or directory");
    ck_unwritable("", "", "No such file or directory");
    path = path_of("out");
    store(path, "old", 3);
    chmod(path, 0444);
    if (access(path, W_OK) != 0)
        ck_unwritable(path, path, "Permission denied");
    ck_content(path, "old");
    unlink(path);
}
END_TEST

START_TEST(writer_standard_output) {
    int saved = dup(STDOUT_FILENO);
    const char *path = path_of("out");
    fflush(stdout);
    int full = open("/dev/full", O_WRONLY);
    dup2(full, STDOUT_FILENO);
    close(full);
    ng_status failed = write_text("-", "text");
    char message[128];
    snprintf(message, sizeof message, "%s", ng_error(ctx));
    int file = open(path, O_WRONLY | O_CREAT, 0600);
    dup2(file, STDOUT_FILENO);
    close(file);
    ng_status first = write_text("-", "one"), second = write_text(path, "two");
    dup2(saved, STDOUT_FILENO);
    close(saved);
    ck_assert_int_eq(failed, NG_EWRITE);
    ck_assert_str_eq(message, "standard output: cannot be written: No space "
                              "left on device");
    ck_assert_int_eq(first, NG_OK);
    ck_assert_int_eq(second, NG_OK);
    ck_content(path, "onetwo");
    unlink(path);
}
END_TEST

START_TEST(writer_fifo) {
    const char *path = path_of("fifo");
    char text[16] = {0};
    struct stat about;
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    ck_assert_int_eq(write_text(path, "text"), NG_OK);
    ck_assert_int_eq(read(reader, text, sizeof text), 4);
    ck_assert_str_eq(text, "text");
    close(reader);
    ck_assert_int_eq(stat(path, &about), 0);
    ck_assert(S_ISFIFO(about.st_mode));
    unlink(path);
}
END_TEST

/* A German user's numbers are written and read with a point all the same. */
START_TEST(foreign_locale) {
    const char *path = path_of("out");
    const char *changed = setlocale(LC_ALL, "de_DE.UTF-8");
    ng_writer *writer;
    ck_assert_int_eq(ng_writer_open(ctx, path, &writer), NG_OK);
    ng_writer_print(writer, "a\n%.17g\n", 0.1);
    ck_assert_int_eq(ng_writer_commit(&writer), NG_OK);
    ck_content(path, "a\n0.10000000000000001\n");
    ng_frame *frame;
    ck_assert_int_eq(ng_frame_read_csv(ctx, path, NULL, &frame), NG_OK);
    ck_assert_double_eq(ng_frame_column(frame, 0)->values[0], 0.1);
    ng_frame_destroy(&frame);
    if (changed)
        setlocale(LC_ALL, "C");
    unlink(path);
}
END_TEST

static ngi_tensors *make_tensors(void) {
    static const double w[] = {1, -2.5, INFINITY, 4, 5e-324, 6};
    ngi_tensors *tensors;
    ck_assert_int_eq(ngi_tensors_create(ctx, &tensors), NG_OK);
    ck_assert_int_eq(ngi_tensors_add(tensors, "w", 2, (size_t[]){2, 3}, w),
                     NG_OK);
    ck_assert_int_eq(ngi_tensors_add(tensors, "scalar", 0, NULL, w + 1), NG_OK);
    ck_assert_int_eq(ngi_tensors_add(tensors, "empty", 2, (size_t[]){0, 3}, w),
                     NG_OK);
    ck_assert_int_eq(ngi_tensors_set_metadata(tensors, "k", "old"), NG_OK);
    ck_assert_int_eq(ngi_tensors_set_metadata(tensors, "q\"\xc3\xa9", "line\n"),
                     NG_OK);
    ck_assert_int_eq(ngi_tensors_set_metadata(tensors, "k", "v"), NG_OK);
    return tensors;
}

START_TEST(tensors_round_trip) {
    const char *path = path_of("t.safetensors");
    ngi_tensors *tensors = make_tensors(), *read;
    ck_assert_int_eq(ngi_tensors_write(tensors, path), NG_OK);
    ck_assert_int_eq(ngi_tensors_read(ctx, path, &read), NG_OK);
    ck_assert_uint_eq(read->count, 3);
    const ngi_tensor *w = ngi_tensors_find(read, "w");
    ck_assert_uint_eq(w->dims, 2);
    ck_assert_uint_eq(w->shape[1], 3);
    ck_assert_int_eq(
        memcmp(w->data, tensors->tensor[0].data, 6 * sizeof(double)), 0);
    ck_assert_double_eq(ngi_tensor_value(ngi_tensors_find(read, "scalar"), 0),
                        -2.5);
    ck_assert_uint_eq(ngi_tensors_find(read, "empty")->count, 0);
    ck_assert_str_eq(ngi_tensors_metadata(read, "k"), "v");
    ck_assert_str_eq(ngi_tensors_metadata(read, "q\"\xc3\xa9"), "line\n");
    ck_assert_ptr_null(ngi_tensors_metadata(read, "none"));
    ck_assert_ptr_null(ngi_tensors_find(read, "none"));
    ngi_tensors_destroy(&read);
    ngi_tensors_destroy(&tensors);
    unlink(path);
}
END_TEST

START_TEST(tensors_bad_arguments) {
    ngi_tensors *t = make_tensors();
    const size_t huge[] = {SIZE_MAX / 2, 9};
    const double one = 1;
    ck_assert_int_eq(ngi_tensors_add(t, "w", 0, NULL, &one), NG_EUSAGE);
    ck_assert_str_eq(ng_error(ctx), "tensor \"w\": expected a new name");
    ck_assert_int_eq(ngi_tensors_add(t, "\xff", 0, NULL, &one), NG_EUSAGE);
    ck_assert_str_eq(ng_error(ctx), "tensor \"?\": expected UTF-8");
    ck_assert_int_eq(ngi_tensors_add(t, "h", 2, huge, &one), NG_EUSAGE);
    ck_assert_str_eq(ng_error(ctx), "tensor \"h\": shape too large");
    ck_assert_int_eq(ngi_tensors_add(t, "h", 9, huge, &one), NG_EUSAGE);
    ck_assert_str_eq(ng_error(ctx), "tensor \"h\": expected at most 8 "
                                    "dimensions, found 9");
    ck_assert_int_eq(ngi_tensors_add(t, "__metadata__", 0, NULL, &one),
                     NG_EUSAGE);
    ck_assert_str_eq(ng_error(ctx),
                     "a tensor cannot be named \"__metadata__\"");
    ck_assert_int_eq(ngi_tensors_set_metadata(t, "k", "\xed\xa0\x80"),
                     NG_EUSAGE);
    ck_assert_uint_eq(t->count, 3);
    ngi_tensors_destroy(&t);
}
END_TEST

/* A file with this header and so many bytes of data. */
static size_t lay_out(const char *header, size_t data, char *file) {
    size_t length = strlen(header);
    memset(file, 0, 8 + length + data);
    file[0] = (char)(length & 0xff);
    file[1] = (char)(length >> 8);
    memcpy(file + 8, header, length);
    return 8 + length + data;
}

static void ck_bad_tensors(const char *header, size_t data,
                           const char *message) {
    char file[1024], full[256];
    ngi_tensors *tensors;
    size_t size = lay_out(header, data, file);
    snprintf(full, sizeof full, "t: %s", message);
    ck_assert_int_eq(ngi_tensors_parse(ctx, "t", file, size, &tensors),
                     NG_EDATA);
    ck_assert_ptr_null(tensors);
    ck_assert_str_eq(ng_error(ctx), full);
}

#define F64(shape, begin, end)                                                 \
    "{\"dtype\":\"F64\",\"shape\":[" shape "],\"data_offsets\":[" begin        \
    "," end "]}"

START_TEST(tensors_bad_header) {
    ngi_tensors *tensors;
    ck_assert_int_eq(ngi_tensors_parse(ctx, "t", "\1\0\0", 3, &tensors),
                     NG_EDATA);
    ck_assert_str_eq(ng_error(ctx), "t: expected the length of a header, "
                                    "found 3 bytes");
    ck_assert_int_eq(
        ngi_tensors_parse(ctx, "t", "\3\0\0\0\0\0\0\0{}", 10, &tensors),
        NG_EDATA);
    ck_assert_str_eq(ng_error(ctx),
                     "t: not a safetensors file: expected a header of at most "
                     "2 bytes, found 3");
    ck_bad_tensors("", 0, "expected a header that begins with \"{\"");
    ck_bad_tensors(" {}", 0, "expected a header that begins with \"{\"");
    ck_bad_tensors("{]", 0,
                   "expected a JSON header, found an error at byte 2: string "
                   "or '}' expected near ']'");
    ck_bad_tensors("{\"\xff\":{}}", 0,
                   "expected a JSON header, found an error at byte 2: unable "
                   "to decode byte 0xff near '\"'");
    ck_bad_tensors("{\"a\":{},\"a\":{}}", 0,
                   "expected a JSON header, found an error at byte 11: "
                   "duplicate object key near '\"a\"'");
    ck_bad_tensors("{\"__metadata__\":[]}", 0,
                   "expected an object \"__metadata__\"");
    ck_bad_tensors("{\"__metadata__\":{\"k\":1}}", 0,
                   "metadata \"k\": expected a string");
}
END_TEST

START_TEST(tensors_bad_entries) {
    ck_bad_tensors("{\"a\":1}", 0, "tensor \"a\": expected an object");
    ck_bad_tensors("{\"a\":{}}", 0,
                   "tensor \"a\": expected a string \"dtype\"");
    ck_bad_tensors("{\"a\":{\"dtype\":\"I32\"}}", 0,
                   "tensor \"a\": expected dtype F64, F32, I64 or U8, found "
                   "\"I32\"");
    ck_bad_tensors("{\"a\":{\"dtype\":\"F64\"}}", 0,
                   "tensor \"a\": expected an array \"shape\"");
    ck_bad_tensors("{\"a\":" F64("-1", "0", "8") "}", 8,
                   "tensor \"a\": expected sizes in \"shape\"");
    ck_bad_tensors("{\"a\":" F64("1.0", "0", "8") "}", 8,
                   "tensor \"a\": expected sizes in \"shape\"");
    ck_bad_tensors("{\"a\":" F64("1,1,1,1,1,1,1,1,1", "0", "8") "}", 8,
                   "tensor \"a\": expected at most 8 dimensions");
    ck_bad_tensors("{\"a\":" F64("1", "0", "8,9") "}", 8,
                   "tensor \"a\": expected two offsets in \"data_offsets\"");
    ck_bad_tensors("{\"a\":" F64("1", "0", "\"8\"") "}", 8,
                   "tensor \"a\": expected two offsets in \"data_offsets\"");
}
END_TEST

START_TEST(tensors_bad_offsets) {
    ck_bad_tensors("{\"a\":" F64("1", "8", "0") "}", 8,
                   "tensor \"a\": expected offsets within 8 bytes of data, "
                   "found [8, 0]");
    ck_bad_tensors("{\"a\":" F64("1", "0", "8") "}", 7,
                   "tensor \"a\": expected offsets within 7 bytes of data, "
                   "found [0, 8]");
    ck_bad_tensors("{\"a\":" F64("2", "0", "8") "}", 8,
                   "tensor \"a\": expected 16 bytes of data for its shape, "
                   "found 8");
    ck_bad_tensors("{\"a\":" F64("4294967296,4294967296,2", "0", "8") "}", 8,
                   "tensor \"a\": shape too large");
    ck_bad_tensors(
        "{\"a\":" F64("1", "0", "8") ",\"b\":" F64("1", "4", "12") "}", 12,
        "expected a tensor at offset 8, found one at 4");
    ck_bad_tensors(
        "{\"a\":" F64("1", "0", "8") ",\"b\":" F64("1", "9", "17") "}", 17,
        "expected a tensor at offset 8, found one at 9");
    ck_bad_tensors("{\"a\":" F64("1", "0", "8") "}", 9,
                   "expected 8 bytes of data, found 9");
}
END_TEST

/* A file of another writer's. */
START_TEST(tensors_float32) {
    static const char header[] =
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}  ";
    char file[128];
    size_t size = lay_out(header, 8, file);
    memcpy(file + size - 8, "\0\0\xc0\x3f\0\0\0\xc1", 8);
    ngi_tensors *tensors;
    ck_assert_int_eq(ngi_tensors_parse(ctx, "t", file, size, &tensors), NG_OK);
    const ngi_tensor *a = &tensors->tensor[0];
    const float *values = a->data;
    double wide[2];
    ck_assert_int_eq(a->type, NGI_TENSOR_F32);
    ck_assert(values[0] == 1.5f);
    ck_assert_double_eq(ngi_tensor_value(a, 1), -8);
    ngi_tensor_values(a, wide);
    ck_assert_double_eq(wide[0], 1.5);
    ck_assert_double_eq(wide[1], -8);
    ngi_tensors_destroy(&tensors);
}
END_TEST

static void add_typed(ngi_tensors *tensors, ngi_tensor_type type, size_t count,
                      const void *data) {
    ck_assert_int_eq(ngi_tensors_add_data(tensors, ngi_tensor_type_name(type),
                                          type, 1, &count, data),
                     NG_OK);
}

static void ck_typed(const ngi_tensors *tensors, ngi_tensor_type type,
                     size_t count, const void *data) {
    const ngi_tensor *tensor =
        ngi_tensors_find(tensors, ngi_tensor_type_name(type));
    ck_assert_ptr_nonnull(tensor);
    ck_assert_int_eq(tensor->type, type);
    ck_assert_uint_eq(tensor->count, count);
    ck_assert_int_eq(
        memcmp(tensor->data, data, count * ngi_tensor_type_size(type)), 0);
}

/* Narrow numbers first, as they arrive, would leave the wide ones askew. */
START_TEST(tensors_of_every_type_keep_their_bits) {
    static const uint8_t bytes[] = {0, 7, 255};
    static const uint32_t floats[] = {0x7fc12345, 0x80000000, 1};
    static const int64_t integers[] = {INT64_MIN, -1, INT64_MAX};
    static const double doubles[] = {0.1, -0.0};
    static const unsigned char one[] = {0x9a, 0x99, 0x99, 0x99,
                                        0x99, 0x99, 0xb9, 0x3f};
    const char *path = path_of("t.safetensors");
    unsigned char file[1024];
    ngi_tensors *tensors, *read;
    ck_assert_int_eq(ngi_tensors_create(ctx, &tensors), NG_OK);
    add_typed(tensors, NGI_TENSOR_U8, 3, bytes);
    add_typed(tensors, NGI_TENSOR_F32, 3, floats);
    add_typed(tensors, NGI_TENSOR_F64, 2, doubles);
    add_typed(tensors, NGI_TENSOR_I64, 3, integers);
    ck_assert_int_eq(ngi_tensors_write(tensors, path), NG_OK);
    ck_assert_int_eq(ngi_tensors_read(ctx, path, &read), NG_OK);
    ck_typed(read, NGI_TENSOR_U8, 3, bytes);
    ck_typed(read, NGI_TENSOR_F32, 3, floats);
    ck_typed(read, NGI_TENSOR_F64, 2, doubles);
    ck_typed(read, NGI_TENSOR_I64, 3, integers);
    ck_assert_double_eq(ngi_tensor_value(ngi_tensors_find(read, "U8"), 2), 255);
    ck_assert_double_eq(ngi_tensor_value(ngi_tensors_find(read, "I64"), 1), -1);
    FILE *stream = fopen(path, "rb");
    size_t size = fread(file, 1, sizeof file, stream),
           data = 8 + file[0] + 256u * file[1];
    fclose(stream);
    ck_assert_uint_eq(data % 8, 0);
    ck_assert_uint_eq(size - data, 2 * 8 + 3 * 8 + 3 * 4 + 3);
    ck_assert_int_eq(memcmp(file + data, one, sizeof one), 0);
    ck_assert_int_eq(memcmp(file + size - 3, bytes, 3), 0);
    ngi_tensors_destroy(&read);
    ngi_tensors_destroy(&tensors);
    unlink(path);
}
END_TEST

static ng_status read_scarcely(ng_ctx *poor, const char *path) {
    const ng_frame_options options = {.drop_missing = 1};
    ng_frame *frame;
    NG_TRY(ng_frame_read_csv(poor, path, &options, &frame));
    ck_assert_uint_eq(ng_frame_rows(frame), 40);
    ng_frame_destroy(&frame);
    return NG_OK;
}

static ng_status write_scarcely(ng_ctx *poor, const char *path) {
    char *text = malloc(100001);
    memset(text, 'x', 100000);
    text[100000] = '\0';
    ng_writer *writer;
    ng_status status = ng_writer_open(poor, path, &writer);
    if (status == NG_OK) {
        ng_writer_print(writer, "%s", text);
        status = ng_writer_commit(&writer);
    }
    free(text);
    unlink(path);
    return status;
}

static ng_status fill_scarcely(ngi_tensors *tensors, const char *path) {
    const double values[] = {1, 2};
    NG_TRY(ngi_tensors_add(tensors, "a", 1, (size_t[]){2}, values));
    NG_TRY(ngi_tensors_add_data(tensors, "b", NGI_TENSOR_U8, 0, NULL, values));
    NG_TRY(ngi_tensors_set_metadata(tensors, "k", "v"));
    NG_TRY(ngi_tensors_set_metadata(tensors, "k", "w"));
    return ngi_tensors_write(tensors, path);
}

static ng_status keep_scarcely(ng_ctx *poor, const char *path) {
    ngi_tensors *tensors;
    NG_TRY(ngi_tensors_create(poor, &tensors));
    ng_status status = fill_scarcely(tensors, path);
    ngi_tensors_destroy(&tensors);
    if (status == NG_OK) {
        status = ngi_tensors_read(poor, path, &tensors);
        ngi_tensors_destroy(&tensors);
    }
    unlink(path);
    return status;
}

START_TEST(scarce_memory) {
    const char *path = path_of("t.csv");
    char text[1024] = "a,b,c\n";
    unsigned char packed[1024];
    for (int i = 0; i < 40; i++)
        sprintf(text + strlen(text), "%d,L%d,%s\n", i, i, i > 20 ? "x" : "2");
    strcat(text, "NA,NA,NA\n");
    store(path, packed, squeeze(text, packed, sizeof packed));
    starve(read_scarcely, path);
    unlink(path);
    starve(write_scarcely, path_of("out"));
    starve(keep_scarcely, path_of("t.safetensors"));
}
END_TEST

static TCase *writer_case(void) {
    TCase *tests = tcase_create("writer");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, writer_replaces);
    tcase_add_test(tests, writer_large);
    tcase_add_test(tests, writer_links);
    tcase_add_test(tests, writer_trouble);
    tcase_add_test(tests, writer_standard_output);
    tcase_add_test(tests, writer_fifo);
    tcase_add_test(tests, foreign_locale);
    return tests;
}

static TCase *tensors_case(void) {
    TCase *tests = tcase_create("tensors");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, tensors_round_trip);
    tcase_add_test(tests, tensors_bad_arguments);
    tcase_add_test(tests, tensors_bad_header);
    tcase_add_test(tests, tensors_bad_entries);
    tcase_add_test(tests, tensors_bad_offsets);
    tcase_add_test(tests, tensors_float32);
    tcase_add_test(tests, tensors_of_every_type_keep_their_bits);
    tcase_add_test(tests, scarce_memory);
    return tests;
}

int main(void) {
    Suite *suite = suite_create("files");
    suite_add_tcase(suite, writer_case());
    suite_add_tcase(suite, tensors_case());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
