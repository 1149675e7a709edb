/* Arrays that nobody should have written, and what is said of them. */
#include "array_fixture.h"

static void ck_bad_header(const char *header, const char *message) {
    ck_bad(npy(1, header, NULL, 0), message);
}

START_TEST(npy_version_or_length_of_header) {
    ck_bad(npy(4, "", NULL, 0),
           "expected NPY version 1.0, 2.0 or 3.0, found 4.0");
    bytes b = npy(1, "", NULL, 0);
    b.data[7] = 9;
    ck_bad(b, "expected NPY version 1.0, 2.0 or 3.0, found 1.9");
    b = npy(2, "", NULL, 0);
    memset(b.data + 8, 0xff, 4);
    ck_bad(b, "expected an NPY header of at most 65536 bytes, found "
              "4294967295");
    b = npy(1, HEADER("<f4", "False", "(3,)"), NULL, 0);
    b.data[9] = 0xff;
    ck_bad(b, "the file ends within its header");
    for (size_t size = 6; size < 10; size++) {
        b.size = size;
        ck_bad(b, "the file ends within its header");
    }
    ck_bad_header("", "NPY header: expected \"{\", found its end");
}
END_TEST

START_TEST(npy_dictionaries_that_do_not_parse) {
    ck_bad_header("[1]", "NPY header: expected \"{\" at byte 1, found \"[1]\"");
    ck_bad_header("{", "NPY header: expected a key, found its end");
    ck_bad_header("{'descr", "NPY header: expected a key at byte 2, found "
                             "\"'descr\"");
    ck_bad_header("{7:8}",
                  "NPY header: expected a key at byte 2, found \"7:8}\"");
    ck_bad_header("{'shape' (1,)}", "NPY header: expected \":\" at byte 10, "
                                    "found \"(1,)}\"");
    ck_bad_header("{'shape': (1,) 'descr': '<f4'}",
                  "NPY header: expected \",\" or \"}\" at byte 16, found "
                  "\"'descr': '<f4'}\"");
    ck_bad_header("{'shape': 3}", "NPY header: expected a tuple of sizes at "
                                  "byte 11, found \"3}\"");
    ck_bad_header("{'shape': (-1,)}",
                  "NPY header: expected a size at byte 12, found \"-1,)}\"");
    ck_bad_header("{'shape': (1.5,)}", "NPY header: expected \",\" or \")\" at "
                                       "byte 13, found \".5,)}\"");
    ck_bad_header("{'shape': (1,",
                  "NPY header: expected a size, found its end");
    ck_bad_header("{'fortran_order': 0}",
                  "NPY header: expected True or False at byte 19, found "
                  "\"0}\"");
    ck_bad_header("{'fortran_order': Fal",
                  "NPY header: expected True or False at byte 19, found "
                  "\"Fal\"");
    ck_bad_header("{'descr': 4}",
                  "NPY header: expected a type at byte 11, found \"4}\"");
    ck_bad_header(HEADER("<f4", "False", "(3,)") " \x01",
                  "NPY header: expected blanks only at byte 57, found \"?\"");
}
END_TEST

START_TEST(npy_keys) {
    ck_bad_header("{'order': 'C'}",
                  "NPY header: expected each of the keys descr, fortran_order "
                  "and shape once, found \"order\"");
    ck_bad_header("{'shape': (1,), 'shape': (2,)}",
                  "NPY header: expected each of the keys descr, fortran_order "
                  "and shape once, found another \"shape\"");
    ck_bad_header("{'descr': '<f4', 'shape': (1,)}",
                  "NPY header: expected a key \"fortran_order\", found none of "
                  "that name");
    ck_bad_header("{}", "NPY header: expected a key \"descr\", found none of "
                        "that name");
}
END_TEST

START_TEST(npy_types_that_are_not_numbers_of_ours) {
    static const char *const types[][2] = {
        {"<f2", "float16"},        {"<f16", "extended precision"},
        {"<c8", "complex64"},      {">c16", "complex128"},
        {"<c32", "complex"},       {"|O", "Python objects"},
        {"|S5", "byte strings"},   {"|a5", "byte strings"},
        {"<U3", "strings"},        {"<M8[ns]", "dates or times"},
        {"<m8", "dates or times"}, {"|V12", "raw bytes"},
        {"<i16", "unknown"},       {"<i", "unknown"},
        {"<i3", "unknown"},        {"|b2", "unknown"},
        {"", "unknown"},           {"<", "unknown"},
        {"<f4x", "unknown"},       {"<i18446744073709551617", "unknown"},
    };
    char header[128], message[256];
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        snprintf(header, sizeof header, "{'descr': '%s'}", types[i][0]);
        snprintf(message, sizeof message,
                 "expected an array of bool, integers, float32 or float64, "
                 "found type \"%s\" (%s)",
                 types[i][0], types[i][1]);
        ck_bad_header(header, message);
    }
    ck_bad_header("{'descr': [('a', '<f4')]}",
                  "expected an array of bool, integers, float32 or float64, "
                  "found a structured type");
}
END_TEST

START_TEST(shapes_that_cannot_be) {
    const uint32_t none[] = {0, 3}, five[] = {1, 1, 1, 1, 1};
    ck_bad_header(HEADER("<f4", "False", "()"),
                  "expected 1 to 4 dimensions, found 0");
    ck_bad_header(HEADER("<f4", "False", "(1,2,3,4,5)"),
                  "expected 1 to 4 dimensions, found 5");
    ck_bad_header(HEADER("<f4", "False", "(0,)"),
                  "expected at least one example of at least one value, found "
                  "shape (0,)");
    ck_bad_header(HEADER("<f4", "False", "(2, 0)"),
                  "expected at least one example of at least one value, found "
                  "shape (2, 0)");
    ck_bad_header(HEADER("|u1", "False", "(4294967296, 4294967296)"),
                  "shape (4294967296, 4294967296) is too large");
    ck_bad_header(HEADER("|u1", "False", "(99999999999999999999999,)"),
                  "shape (18446744073709551615,) is too large");
    ck_bad(idx(8, 2, none, NULL, 0),
           "expected at least one example of at least one value, found shape "
           "(0, 3)");
    ck_bad(idx(8, 5, five, NULL, 0), "expected 1 to 4 dimensions, found 5");
    ck_bad(idx(8, 0, NULL, NULL, 0), "expected 1 to 4 dimensions, found 0");
}
END_TEST

/* The message is of the data: no room was asked for on the header's word. */
START_TEST(more_or_fewer_bytes_than_the_shape_asks_for) {
    const uint32_t huge[] = {0xffffffff, 200};
    ck_bad(
        npy(1, HEADER("<f8", "False", "(1000000, 1000000)"), THREE_FLOATS, 9),
        "expected 8000000000000 bytes of data for shape (1000000, 1000000), "
        "found 9");
    ck_bad_header(HEADER("|u1", "False", "(1000000000000,)"),
                  "expected 1000000000000 bytes of data for shape "
                  "(1000000000000,), found 0");
    ck_bad(npy(1, HEADER("<f4", "False", "(2,)"), THREE_FLOATS, 9),
           "expected 8 bytes of data for shape (2,), found more");
    ck_bad(idx(0x0c, 2, huge, "abc", 3),
           "expected 3435973836000 bytes of data for shape (4294967295, 200), "
           "found 3");
    ck_bad(idx(8, 1, (uint32_t[]){2}, "abc", 3),
           "expected 2 bytes of data for shape (2,), found more");
}
END_TEST

START_TEST(idx_headers) {
    bytes b = idx(8, 1, (uint32_t[]){2}, "ab", 2);
    for (size_t size = 2; size < 8; size++) {
        b.size = size;
        ck_bad(b, "the file ends within its header");
    }
    ck_bad(idx(7, 1, (uint32_t[]){2}, "ab", 2),
           "IDX header: expected type 0x08, 0x09, 0x0b, 0x0c, 0x0d or 0x0e, "
           "found 0x07");
}
END_TEST

START_TEST(values_that_are_not_finite) {
    bytes b = npy(1, HEADER("<f4", "False", "(2, 2)"), NULL, 0);
    append(&b, THREE_FLOATS, 12);
    append_number(&b, 0xffc00000, 4);
    ck_bad(b, "row 2, column 2: expected a finite number, found nan");
    b.size -= 4;
    append_number(&b, 0x7f800000, 4);
    ck_bad(b, "row 2, column 2: expected a finite number, found inf");
    ck_bad(idx(0x0e, 3, (uint32_t[]){1, 1, 1}, "\xff\xf0\0\0\0\0\0\0", 8),
           "row 1, column 1: expected a finite number, found -inf");
    ck_bad(npy(1, HEADER("|b1", "False", "(2, 1)"), "\1\2", 2),
           "row 2, column 1: expected a bool of 0 or 1, found 2");
}
END_TEST

START_TEST(files_that_are_no_array) {
    bytes b = {.size = 0};
    ck_bad(b, "expected an array, found an empty file");
    append(&b, "a,b\n1,2\n", 8);
    ck_bad(b, "expected an NPY or IDX file, found one that begins with "
              "\"a,b?1,\"");
    b.size = 0;
    append(&b, "\x93NUMP", 5);
    ck_bad(b, "expected an NPY or IDX file, found one that begins with "
              "\"?NUMP\"");
}
END_TEST

START_TEST(files_that_cannot_be_read_or_written) {
    uint8_t data[1] = {0};
    ng_array a = {NG_U8, 1, {1}, 1, data}, read;
    char message[256];
    const char *path = path_of("absent/a.npy");
    ck_assert_int_eq(ng_array_write_npy(ctx, path, &a), NG_EWRITE);
    snprintf(message, sizeof message,
             "%s: cannot be written: No such file or directory", path);
    ck_assert_str_eq(ng_error(ctx), message);
    ck_assert_int_eq(ng_array_read(ctx, path, &read), NG_EDATA);
    snprintf(message, sizeof message,
             "%s: cannot be opened: No such file or directory", path);
    ck_assert_str_eq(ng_error(ctx), message);
    ck_assert_ptr_null(read.data);
    a.dims = 0;
    ck_assert_int_eq(ng_array_write_npy(ctx, "a", &a), NG_EUSAGE);
    ck_assert_str_eq(ng_error(ctx), "a: expected an array of 1 to 4 "
                                    "dimensions, found 0");
}
END_TEST

static TCase *make_case(void) {
    TCase *tests = tcase_create("bad_array");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, npy_version_or_length_of_header);
    tcase_add_test(tests, npy_dictionaries_that_do_not_parse);
    tcase_add_test(tests, npy_keys);
    tcase_add_test(tests, npy_types_that_are_not_numbers_of_ours);
    tcase_add_test(tests, shapes_that_cannot_be);
    tcase_add_test(tests, more_or_fewer_bytes_than_the_shape_asks_for);
    tcase_add_test(tests, idx_headers);
    tcase_add_test(tests, values_that_are_not_finite);
    tcase_add_test(tests, files_that_are_no_array);
    tcase_add_test(tests, files_that_cannot_be_read_or_written);
    return tests;
}

int main(void) {
    Suite *suite = suite_create("array_bad");
    suite_add_tcase(suite, make_case());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
