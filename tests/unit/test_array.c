/* Arrays: NPY and IDX as others write them, and NPY as we do. */
#include "array_fixture.h"
#include "scarce.h"

#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>

static void store(const char *path, const bytes *b) {
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(b->data, 1, b->size, file), b->size);
    ck_assert_int_eq(fclose(file), 0);
}

static bytes load(const char *path) {
    bytes b;
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    b.size = fread(b.data, 1, sizeof b.data, file);
    fclose(file);
    return b;
}

/* The file holds just these values, of this type and shape. */
static void ck_holds(bytes b, ng_dtype dtype, size_t dims, const size_t *shape,
                     const double *values) {
    ng_array a;
    ng_status status = ngi_array_parse(ctx, "a", b.data, b.size, &a);
    ck_assert_msg(status == NG_OK, "%s", ng_error(ctx));
    ck_assert_int_eq(a.dtype, dtype);
    ck_assert_uint_eq(a.dims, dims);
    ck_assert_double_eq(a.scale, 1);
    for (size_t k = 0; k < dims; k++)
        ck_assert_uint_eq(a.shape[k], shape[k]);
    size_t rows = ng_array_rows(&a), width = ng_array_width(&a);
    ck_assert_uint_eq(rows, shape[0]);
    for (size_t i = 0; i < rows * width; i++)
        ck_assert_double_eq(ng_array_at(&a, i / width, i % width), values[i]);
    ng_array_free(ctx, &a);
    ck_assert_ptr_null(a.data);
}

/* ---- What is read ---- */

#define SHAPE(...)                                                             \
    (const size_t[]) {                                                         \
        __VA_ARGS__                                                            \
    }

static const double THREE[] = {1.5, -8, 0};

START_TEST(npy_types_of_either_byte_order) {
    const size_t two[] = {2};
    ck_holds(npy(1, HEADER("|b1", "False", "(2,)"), "\0\1", 2), NG_U8, 1, two,
             (double[]){0, 1});
    ck_holds(npy(1, HEADER("|u1", "False", "(2,)"), "\xff\x01", 2), NG_U8, 1,
             two, (double[]){255, 1});
    ck_holds(npy(1, HEADER("|i1", "False", "(2,)"), "\xff\x80", 2), NG_F64, 1,
             two, (double[]){-1, -128});
    ck_holds(npy(1, HEADER("<i2", "False", "(2,)"), "\x01\x02\xfe\xff", 4),
             NG_F64, 1, two, (double[]){513, -2});
    ck_holds(npy(1, HEADER(">i2", "False", "(2,)"), "\x01\x02\xff\xfe", 4),
             NG_F64, 1, two, (double[]){258, -2});
    ck_holds(npy(1, HEADER("<u2", "False", "(2,)"), "\x01\x02\xfe\xff", 4),
             NG_F64, 1, two, (double[]){513, 65534});
    ck_holds(npy(1, HEADER(">i4", "False", "(2,)"), "\x80\0\0\0\0\0\1\0", 8),
             NG_F64, 1, two, (double[]){-2147483648.0, 256});
    ck_holds(
        npy(1, HEADER("<u4", "False", "(2,)"), "\xff\xff\xff\xff\0\0\0\x80", 8),
        NG_F64, 1, two, (double[]){4294967295.0, 2147483648.0});
    ck_holds(npy(1, HEADER("<f4", "False", "(3,)"), THREE_FLOATS, 12), NG_F32,
             1, SHAPE(3), THREE);
    ck_holds(
        npy(1, HEADER(">f4", "False", "(2,)"), "\x3f\xc0\0\0\xc1\0\0\0", 8),
        NG_F32, 1, two, THREE);
    ck_holds(npy(1, HEADER(">f8", "False", "(1,)"), "\x3f\xf8\0\0\0\0\0\0", 8),
             NG_F64, 1, SHAPE(1), THREE);
}
END_TEST

/* 2^53 is the last integer of which a double is sure. */
START_TEST(npy_integers_that_a_double_holds) {
    bytes b = npy(1, HEADER("<i8", "False", "(2,)"), NULL, 0);
    append_number(&b, UINT64_C(1) << 53, 8);
    append_number(&b, -(UINT64_C(1) << 53), 8);
    ck_holds(b, NG_F64, 1, SHAPE(2),
             (double[]){9007199254740992.0, -9007199254740992.0});
    b = npy(1, HEADER("<u8", "False", "(1, 2)"), NULL, 0);
    append_number(&b, 7, 8);
    append_number(&b, (UINT64_C(1) << 53) + 1, 8);
    ck_bad(b, "row 1, column 2: expected an integer of at most 2^53 in size, "
              "found 9007199254740993");
    b = npy(1, HEADER("<i8", "False", "(2, 1)"), NULL, 0);
    append_number(&b, 7, 8);
    append_number(&b, UINT64_C(1) << 63, 8);
    ck_bad(b, "row 2, column 1: expected an integer of at most 2^53 in size, "
              "found -9223372036854775808");
}
END_TEST

START_TEST(npy_headers_as_various_writers_have_them) {
    static const char *const headers[] = {
        HEADER("<f4", "False", "(3,)"),
        "{'shape':(3,),'descr':'<f4','fortran_order':True}",
        " {'shape' :(3 , ),\r\n\"fortran_order\":\tFalse, \"descr\": '<f4' ,} ",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3L,)}\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3)}\n",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        for (unsigned char version = 1; version <= 3; version++)
            ck_holds(npy(version, headers[i], THREE_FLOATS, 12), NG_F32, 1,
                     SHAPE(3), THREE);
}
END_TEST

/* In Fortran's order value (i, j, k) of a 2 x 3 x 2 array is number
 * i + 2 (j + 3 k). */
START_TEST(npy_fortran_order_becomes_row_major) {
    static const double matrix[] = {0, 2, 4, 1, 3, 5};
    static const double cube[] = {0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11};
    const unsigned char data[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    ck_holds(npy(1, HEADER("|u1", "True", "(2, 3)"), data, 6), NG_U8, 2,
             SHAPE(2, 3), matrix);
    ck_holds(npy(1, HEADER("|u1", "True", "(2, 3, 2)"), data, 12), NG_U8, 3,
             SHAPE(2, 3, 2), cube);
    ck_holds(npy(1, HEADER("|i1", "True", "(2, 3)"), data, 6), NG_F64, 2,
             SHAPE(2, 3), matrix);
    bytes b = npy(1, HEADER("<f4", "True", "(2, 3)"), NULL, 0);
    for (uint32_t i = 0; i < 6; i++)
        append_number(&b, i == 3 ? 0x7fc00000 : 0, 4);
    ck_bad(b, "row 2, column 2: expected a finite number, found nan");
}
END_TEST

START_TEST(idx_types) {
    const uint32_t two[] = {2}, matrix[] = {2, 1}, four[] = {1, 1, 1, 2};
    ck_holds(idx(0x08, 1, two, "\xff\x01", 2), NG_U8, 1, SHAPE(2),
             (double[]){255, 1});
    ck_holds(idx(0x09, 2, matrix, "\xff\x01", 2), NG_F64, 2, SHAPE(2, 1),
             (double[]){-1, 1});
    ck_holds(idx(0x0b, 1, two, "\x01\x02\xff\xfe", 4), NG_F64, 1, SHAPE(2),
             (double[]){258, -2});
    ck_holds(idx(0x0c, 4, four, "\x80\0\0\0\0\0\1\0", 8), NG_F64, 4,
             SHAPE(1, 1, 1, 2), (double[]){-2147483648.0, 256});
    ck_holds(idx(0x0d, 1, two, "\x3f\xc0\0\0\xc1\0\0\0", 8), NG_F32, 1,
             SHAPE(2), THREE);
    ck_holds(idx(0x0e, 1, (uint32_t[]){1}, "\x3f\xf8\0\0\0\0\0\0", 8), NG_F64,
             1, SHAPE(1), THREE);
}
END_TEST

START_TEST(values_are_scaled) {
    static uint8_t data[] = {0, 51, 102, 255};
    const ng_array a = {NG_U8, 3, {2, 1, 2}, 1 / 255.0, data};
    ck_assert_uint_eq(ng_array_rows(&a), 2);
    ck_assert_uint_eq(ng_array_width(&a), 2);
    ck_assert_double_eq(ng_array_at(&a, 0, 1), 51 * (1 / 255.0));
    ck_assert_double_eq(ng_array_at(&a, 1, 1), 255 * (1 / 255.0));
    ck_assert_uint_eq(ng_dtype_size(NG_U8), 1);
    ck_assert_uint_eq(ng_dtype_size(NG_F32), 4);
    ck_assert_uint_eq(ng_dtype_size(NG_F64), 8);
    ck_assert_str_eq(ng_dtype_name(NG_U8), "uint8");
    ck_assert_str_eq(ng_dtype_name(NG_F32), "float32");
    ck_assert_str_eq(ng_dtype_name(NG_F64), "float64");
}
END_TEST

START_TEST(arrays_are_created_empty_of_values) {
    ng_array a;
    ck_assert_int_eq(ng_array_create(ctx, NG_F32, 2, SHAPE(3, 2), &a), NG_OK);
    ck_assert_uint_eq(ng_array_rows(&a), 3);
    for (size_t i = 0; i < 6; i++)
        ck_assert_double_eq(ng_array_at(&a, i / 2, i % 2), 0);
    ng_array_free(ctx, &a);
    ng_array_free(ctx, &a);
    ck_assert_uint_eq(ng_array_rows(&a), 0);
    ck_assert_int_eq(
        ng_array_create(ctx, NG_F64, 2, SHAPE(SIZE_MAX / 4, 8), &a), NG_ENOMEM);
    ck_assert_ptr_null(a.data);
    ck_assert_int_eq(ng_array_create(ctx, NG_F64, 0, NULL, &a), NG_EUSAGE);
    ck_assert_str_eq(ng_error(ctx),
                     "array: expected 1 to 4 dimensions, found 0");
    ck_assert_int_eq(ng_array_create(ctx, NG_F64, 5, SHAPE(1, 1, 1, 1, 1), &a),
                     NG_EUSAGE);
}
END_TEST

/* ---- Files ---- */

START_TEST(gzipped_files) {
    static const char header[] = HEADER("<f4", "False", "(3,)");
    bytes b = npy(1, header, THREE_FLOATS, 12), packed;
    packed.size =
        squeeze_bytes(b.data, b.size, packed.data, sizeof packed.data);
    ck_holds(packed, NG_F32, 1, SHAPE(3), THREE);
    /* All of the data may be there, but not the checksum. */
    for (size_t size = 2; size < packed.size; size++) {
        bytes cut = packed;
        cut.size = size;
        ck_bad(cut, "truncated gzip data");
    }
    packed.data[packed.size - 8] ^= 1;
    ck_bad(packed, "damaged gzip data: incorrect data check");
}
END_TEST

/* More than is read at a time, so that room has to be made again. */
START_TEST(large_arrays) {
    enum { ROWS = 700, WIDTH = 301 };
    const char *path = path_of("large.npy");
    ng_array a, read;
    ck_assert_int_eq(ng_array_create(ctx, NG_F64, 2, SHAPE(ROWS, WIDTH), &a),
                     NG_OK);
    for (size_t i = 0; i < (size_t)ROWS * WIDTH; i++)
        ((double *)a.data)[i] = sin((double)i);
    ck_assert_int_eq(ng_array_write_npy(ctx, path, &a), NG_OK);
    ck_assert_int_eq(ng_array_read(ctx, path, &read), NG_OK);
    ck_assert_int_eq(memcmp(a.data, read.data, sizeof(double) * ROWS * WIDTH),
                     0);
    ng_array_free(ctx, &read);
    ng_array_free(ctx, &a);
    unlink(path);
}
END_TEST

static void ck_round_trip(const ng_array *a) {
    const char *path = path_of("a.npy");
    ng_array read;
    ck_assert_int_eq(ng_array_write_npy(ctx, path, a), NG_OK);
    ck_assert_int_eq(ng_array_read(ctx, path, &read), NG_OK);
    ck_assert_int_eq(read.dtype, a->dtype);
    ck_assert_uint_eq(read.dims, a->dims);
    for (size_t k = 0; k < a->dims; k++)
        ck_assert_uint_eq(read.shape[k], a->shape[k]);
    size_t count = ng_array_rows(a) * ng_array_width(a);
    ck_assert_int_eq(
        memcmp(read.data, a->data, count * ng_dtype_size(a->dtype)), 0);
    ng_array_free(ctx, &read);
    unlink(path);
}

START_TEST(what_is_written_is_read_bit_for_bit) {
    uint8_t bytes_[] = {0, 1, 2, 127, 128, 255};
    float floats[] = {-0.0f, 1.4e-45f, 0.1f, 3.4028235e38f, 1, 2};
    double doubles[] = {-0.0, 5e-324, 0.1, 1.7976931348623157e308, 1, 2};
    /* The scale is not written. */
    ck_round_trip(&(ng_array){NG_U8, 1, {6}, 0.5, bytes_});
    ck_round_trip(&(ng_array){NG_U8, 4, {1, 2, 3, 1}, 1, bytes_});
    ck_round_trip(&(ng_array){NG_F32, 2, {2, 3}, 1, floats});
    ck_round_trip(&(ng_array){NG_F64, 3, {3, 1, 2}, 1, doubles});
}
END_TEST

/* As numpy.save writes it, byte for byte. */
START_TEST(npy_files_are_those_of_numpy) {
    static const char header[] =
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }"
        "                                                            \n";
    const char *path = path_of("a.npy");
    float values[] = {1.5f, -8, 0};
    const ng_array a = {NG_F32, 1, {3}, 1, values};
    ck_assert_int_eq(ng_array_write_npy(ctx, path, &a), NG_OK);
    bytes written = load(path), expected = npy(1, header, THREE_FLOATS, 12);
    ck_assert_uint_eq(strlen(header), 128 - 10);
    ck_assert_uint_eq(written.size, expected.size);
    ck_assert_int_eq(memcmp(written.data, expected.data, written.size), 0);
    unlink(path);
}
END_TEST

static ng_array_format sniff(const char *path) {
    ng_array_format format;
    ng_status status = ng_array_sniff(ctx, path, &format);
    ck_assert_msg(status == NG_OK, "%s", ng_error(ctx));
    return format;
}

static ng_array_format sniff_bytes(const char *path, const void *data,
                                   size_t size) {
    bytes b = {.size = 0};
    append(&b, data, size);
    store(path, &b);
    ng_array_format plain = sniff(path);
    b.size = squeeze_bytes(data, size, b.data, sizeof b.data);
    store(path, &b);
    ck_assert_int_eq(sniff(path), plain);
    return plain;
}

START_TEST(formats_are_told_by_their_first_bytes) {
    const char *path = path_of("a");
    ng_array_format format;
    char message[256];
    ck_assert_int_eq(sniff_bytes(path, "\x93NUMPY\1\0", 8), NG_ARRAY_NPY);
    ck_assert_int_eq(sniff_bytes(path, "\0\0\x08\1\0\0\0\1!", 9), NG_ARRAY_IDX);
    ck_assert_int_eq(sniff_bytes(path, "a,b\n", 4), NG_ARRAY_OTHER);
    ck_assert_int_eq(sniff_bytes(path, "7", 1), NG_ARRAY_OTHER);
    bytes b = {.size = 0};
    store(path, &b);
    ck_assert_int_eq(ng_array_sniff(ctx, path, &format), NG_EDATA);
    snprintf(message, sizeof message, "%s: expected data, found an empty file",
             path);
    ck_assert_str_eq(ng_error(ctx), message);
    append(&b, "\x1f\x8b\x08\0\0", 5);
    store(path, &b);
    ck_assert_int_eq(ng_array_sniff(ctx, path, &format), NG_EDATA);
    unlink(path);
    ck_assert_int_eq(ng_array_sniff(ctx, path, &format), NG_EDATA);
    ck_assert_int_eq(ng_array_sniff(ctx, folder, &format), NG_EDATA);
}
END_TEST

/* Nothing of a pipe is taken, and a file on standard input stays where it
 * was. */
START_TEST(sniffing_leaves_the_input_as_it_was) {
    const char *fifo = path_of("fifo"), *path = path_of("a");
    bytes b = idx(8, 1, (uint32_t[]){1}, "!", 1);
    unsigned char data[16];
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    int end = open(fifo, O_RDWR);
    ck_assert_int_eq(write(end, b.data, b.size), (ssize_t)b.size);
    ck_assert_int_eq(sniff(fifo), NG_ARRAY_OTHER);
    ck_assert_int_eq(read(end, data, sizeof data), (ssize_t)b.size);
    close(end);
    store(path, &b);
    int saved = dup(STDIN_FILENO), file = open(path, O_RDONLY);
    dup2(file, STDIN_FILENO);
    close(file);
    ng_array_format format = NG_ARRAY_OTHER;
    ng_array a;
    ng_status sniffed = ng_array_sniff(ctx, "-", &format);
    ng_status status = ng_array_read(ctx, "-", &a);
    dup2(saved, STDIN_FILENO);
    close(saved);
    ck_assert_int_eq(sniffed, NG_OK);
    ck_assert_int_eq(format, NG_ARRAY_IDX);
    ck_assert_int_eq(status, NG_OK);
    ck_assert_double_eq(ng_array_at(&a, 0, 0), '!');
    ng_array_free(ctx, &a);
    unlink(fifo);
    unlink(path);
}
END_TEST

/* ---- MNIST ---- */

static bool find_mnist(const char *test, const char *file, char *path,
                       size_t size) {
    snprintf(path, size, "%s/data/mnist/%s", NG_SHARED_DIR, file);
    if (access(path, R_OK) == 0)
        return true;
    printf("SKIP %s: %s is not there\n", test, path);
    fflush(stdout);
    return false;
}

START_TEST(mnist_is_read) {
    char labels[4096], images[4096];
    ng_array a;
    if (!find_mnist("mnist_is_read", "train-labels-idx1-ubyte.gz", labels,
                    sizeof labels) ||
        !find_mnist("mnist_is_read", "t10k-images-idx3-ubyte.gz", images,
                    sizeof images))
        return;
    ck_assert_int_eq(sniff(labels), NG_ARRAY_IDX);
    ck_assert_int_eq(ng_array_read(ctx, labels, &a), NG_OK);
    ck_assert_int_eq(a.dtype, NG_U8);
    ck_assert_uint_eq(a.dims, 1);
    ck_assert_uint_eq(ng_array_rows(&a), 60000);
    ck_assert_double_eq(ng_array_at(&a, 0, 0), 5);
    ng_array_free(ctx, &a);
    ck_assert_int_eq(ng_array_read(ctx, images, &a), NG_OK);
    ck_assert_uint_eq(a.dims, 3);
    ck_assert_uint_eq(ng_array_rows(&a), 10000);
    ck_assert_uint_eq(a.shape[1], 28);
    ck_assert_uint_eq(ng_array_width(&a), 784);
    ng_array_free(ctx, &a);
}
END_TEST

/* ---- Memory ---- */

static ng_status read_scarcely(ng_ctx *poor, const char *path) {
    ng_array_format format;
    ng_array a;
    NG_TRY(ng_array_sniff(poor, path, &format));
    ng_status status = ng_array_read(poor, path, &a);
    ck_assert((status == NG_OK) == (a.data != NULL));
    ng_array_free(poor, &a);
    return status;
}

static ng_status write_scarcely(ng_ctx *poor, const char *path) {
    ng_array a;
    ng_status status = ng_array_create(poor, NG_F64, 2, SHAPE(300, 70), &a);
    if (status == NG_OK)
        status = ng_array_write_npy(poor, path, &a);
    ng_array_free(poor, &a);
    return status;
}

START_TEST(every_allocation_can_fail) {
    const char *path = path_of("a.npy");
    const unsigned char data[] = {0, 1, 2, 3, 4, 5};
    bytes b = npy(1, HEADER("|u1", "True", "(2, 3)"), data, 6), packed;
    packed.size =
        squeeze_bytes(b.data, b.size, packed.data, sizeof packed.data);
    store(path, &packed);
    starve(read_scarcely, path);
    unlink(path);
    starve(write_scarcely, path);
    starve(read_scarcely, path);
    unlink(path);
}
END_TEST

static TCase *good_case(void) {
    TCase *tests = tcase_create("good");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, npy_types_of_either_byte_order);
    tcase_add_test(tests, npy_integers_that_a_double_holds);
    tcase_add_test(tests, npy_headers_as_various_writers_have_them);
    tcase_add_test(tests, npy_fortran_order_becomes_row_major);
    tcase_add_test(tests, idx_types);
    tcase_add_test(tests, values_are_scaled);
    tcase_add_test(tests, arrays_are_created_empty_of_values);
    return tests;
}

static TCase *file_case(void) {
    TCase *tests = tcase_create("files");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, gzipped_files);
    tcase_add_test(tests, large_arrays);
    tcase_add_test(tests, what_is_written_is_read_bit_for_bit);
    tcase_add_test(tests, npy_files_are_those_of_numpy);
    tcase_add_test(tests, formats_are_told_by_their_first_bytes);
    tcase_add_test(tests, sniffing_leaves_the_input_as_it_was);
    tcase_add_test(tests, mnist_is_read);
    tcase_add_test(tests, every_allocation_can_fail);
    return tests;
}

int main(void) {
    Suite *suite = suite_create("array");
    suite_add_tcase(suite, good_case());
    suite_add_tcase(suite, file_case());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
