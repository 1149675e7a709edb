/* The reader of plain CSV against the careful one, and against strtod. */
#include "data/csv.h"
#include "data/decimal.h"
#include "data/text.h"
#include "data_fixture.h"
#include "frame_fixture.h"
#include "scarce.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* strtod and the quick conversion, bit by bit. True if the quick one leaves a
 * normal double to the other. */
static bool ck_decimal(const ngi_powers *powers, const char *text) {
    char padded[512] = {0}, *end;
    snprintf(padded, sizeof padded - 16, "%s,", text);
    double number, expected = strtod(text, &end);
    const char *after = ngi_decimal_read(powers, padded, &number);
    if (!after)
        return fabs(expected) >= 2 * DBL_MIN && fabs(expected) < DBL_MAX;
    ck_assert_int_eq(after - padded, end - text);
    ck_assert_msg(memcmp(&number, &expected, sizeof number) == 0,
                  "%s: %a, not %a", text, number, expected);
    return false;
}

START_TEST(decimals_as_strtod) {
    static const char *const text[] = {
        "0",
        "-0",
        "+0.0e5",
        "00012.50",
        ".5",
        "5.",
        "1e22",
        "1e23",
        "1e-22",
        "9007199254740993",
        "9007199254740992.5",
        "9007199254740993e0",
        "18446744073709551615",
        "18446744073709551616",
        "1e308",
        "1e-307",
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "1e309",
        "4e-324",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "1e400",
        "1e-400",
        "0.000000000000000000000000000000000000000000001234567890123456789",
        "123456789012345678901234567890123456789012345678901234567890",
        "1e",
        "1e+",
        "1e-5x",
        "1.2.3",
        "8.41e21",
        "9.109e-31",
        "1e99999999999999999",
        "0e99999999999999999999",
        "100000000000000016777215",
        "1.00000000000000011102230246251565404",
        "1.00000000000000011102230246251565405",
        "1.00000000000000033306690738754696213",
        "12345678.12345678e-8",
        "0.12500000000000000",
        "5e-1",
        "1.000000000000000000e+00"};
    ngi_powers *powers = malloc(sizeof *powers);
    ngi_powers_init(powers);
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        ck_decimal(powers, text[i]);
    char number[64];
    size_t left = 0, all = 0;
    uint64_t state = 88172645463325252u;
    for (unsigned i = 0; i < 200000; i++) {
        double x;
        uint64_t bits = next_random(&state);
        memcpy(&x, &bits, sizeof x);
        int digits = (int)(next_random(&state) % 25);
        if (i % 3 == 0)
            x = ((double)(bits >> 11) - 0x1p52) /
                pow(10, (double)(next_random(&state) % 30));
        if (!isfinite(x))
            continue;
        snprintf(number, sizeof number, i % 2 ? "%.*e" : "%.*g", digits, x);
        left += ck_decimal(powers, number);
        all++;
        /* The middle between two doubles, to more digits or fewer. */
        long double middle =
            ((long double)x + (long double)nextafter(x, HUGE_VAL)) / 2;
        snprintf(number, sizeof number, "%.*Lg", digits, middle);
        ck_decimal(powers, number);
    }
    /* Only ties, which are rare among numbers of up to 17 digits, and among
     * longer ones those whose first 19 digits do not tell. */
    ck_assert_uint_lt(left, all / 100);
    free(powers);
}
END_TEST

/* Both readers on the same bytes: the same frame, warnings included, if the
 * quick one has one; and reading as usual is reading carefully. */
static bool ck_readers(const char *csv, size_t size,
                       const ng_frame_options *options, size_t chunk) {
    ng_frame *careful, *plain, *usual;
    char message[1024], said[1024];
    warning[0] = '\0';
    ng_status status =
        ngi_frame_parse_csv_by(ctx, "f.csv", csv, size, options, 0, &careful);
    snprintf(message, sizeof message, "%s", ng_error(ctx));
    snprintf(said, sizeof said, "%s", warning);
    warning[0] = '\0';
    ck_assert_int_eq(
        ngi_frame_parse_csv(ctx, "f.csv", csv, size, options, &usual), status);
    ck_assert_str_eq(warning, said);
    warning[0] = '\0';
    ck_assert_int_eq(
        ngi_frame_parse_csv_by(ctx, "f.csv", csv, size, options, chunk, &plain),
        NG_OK);
    bool found = plain != NULL;
    if (status != NG_OK) {
        ck_assert_msg(!plain, "%s", csv);
        ck_assert_int_eq(
            ngi_frame_parse_csv(ctx, "f.csv", csv, size, options, &usual),
            status);
        ck_assert_str_eq(ng_error(ctx), message);
        return false;
    }
    ck_same_frame(usual, careful);
    if (plain) {
        ck_same_frame(plain, careful);
        ck_assert_str_eq(warning, said);
    }
    ng_frame_destroy(&careful);
    ng_frame_destroy(&usual);
    ng_frame_destroy(&plain);
    return found;
}

/* A table of mostly sensible cells. */
static size_t make_table(char *csv, uint64_t *state) {
    static const char *const cell[] = {
        "1",       "-2.5",     "3e5",      "0.12345678901234567",
        "9",       "1",        "7",        "12",
        " 4 ",     "x",        "y",        "\"z\"",
        "\"1\"",   "NA",       "nan",      "inf",
        "",        "1x",       "\xc3\xa9", "0x1p3",
        "\"a,b\"", "\"\"\"\"", "\"p\nq\"", "-0"};
    static const char *const line_end[] = {"\n",   "\n", "\n",
                                           "\r\n", "\r", "\n\n"};
    enum { CELLS = sizeof cell / sizeof *cell };
    char *end = csv;
    size_t columns = 1 + next_random(state) % 4, rows = next_random(state) % 12;
    size_t kinds = 8 + next_random(state) % (CELLS - 7);
    size_t ends = 1 + next_random(state) % 3;
    ends = next_random(state) % 4 ? ends : 6;
    for (size_t i = 0; i <= rows; i++) {
        for (size_t j = 0; j < columns; j++) {
            const char *text = cell[next_random(state) % kinds];
            if (i == 0)
                end += sprintf(end, "%s%c", j ? "," : "", (int)('a' + j));
            else
                end += sprintf(end, "%s%s", j ? "," : "", text);
        }
        if (next_random(state) % 200 == 0)
            end += sprintf(end, ",");
        if (i < rows || next_random(state) % 2)
            end += sprintf(end, "%s", line_end[next_random(state) % ends]);
    }
    return (size_t)(end - csv);
}

START_TEST(readers_agree) {
    const char *const a[] = {"a"}, *const b[] = {"b"};
    uint64_t state = 2463534242u;
    size_t plain = 0, all = 0;
    for (size_t threads = 1; threads <= 3; threads++) {
        const ng_ctx_options more = {.warn = remember, .threads = threads};
        ng_ctx_destroy(&ctx);
        ck_assert_int_eq(ng_ctx_create(&more, &ctx), NG_OK);
        for (unsigned i = 0; i < 1000; i++, all++) {
            char csv[2048];
            uint64_t bits = next_random(&state);
            const ng_frame_options options = {.factors = a,
                                              .factor_count = bits & 1,
                                              .include = a,
                                              .includes = (bits & 14) == 2,
                                              .optional = b,
                                              .optionals = bits >> 4 & 1,
                                              .numeric = b,
                                              .numerics = (bits >> 5 & 7) == 0,
                                              .exclude = b,
                                              .excludes = (bits >> 8 & 7) == 0,
                                              .drop_missing = bits >> 11 & 1};
            size_t size = make_table(csv, &state);
            plain += ck_readers(csv, size, &options, 1 + (bits >> 12) % 40);
        }
    }
    /* The test would show little if the quick reader read little. */
    ck_assert_uint_gt(plain, all / 10);
}
END_TEST

/* Lines that are longer than a chunk and what is read with it. */
START_TEST(long_lines) {
    enum { COLUMNS = 3000, ROWS = 20 };
    char *csv = malloc((ROWS + 1) * COLUMNS * 24), *end = csv;
    ck_assert_ptr_nonnull(csv);
    for (int i = 0; i <= ROWS; i++)
        for (int j = 0; j < COLUMNS; j++) {
            const char *before = j ? "," : i ? "\n" : "";
            if (i)
                end += sprintf(end, "%s%.17g", before, sin(i + 100 * j));
            else
                end += sprintf(end, "%sx%d", before, j);
        }
    ck_assert(ck_readers(csv, (size_t)(end - csv), NULL, 100));
    ck_assert(ck_readers(csv, (size_t)(end - csv), NULL, 50000));
    ck_assert(ck_readers(csv, (size_t)(end - csv), NULL, 100000));
    free(csv);
}
END_TEST

static ng_status read_quickly(ng_ctx *poor, const char *csv) {
    const ng_frame_options options = {.drop_missing = 1};
    ng_frame *frame;
    NG_TRY(ngi_frame_parse_csv_by(poor, "f.csv", csv, strlen(csv), &options, 5,
                                  &frame));
    ck_assert_ptr_nonnull(frame);
    ng_frame_destroy(&frame);
    return NG_OK;
}

START_TEST(scarce_memory) {
    starve(read_quickly, "a,b\n1,x\n2,y\nNA,x\n4,z\n5,z\n");
}
END_TEST

static TCase *csv_case(void) {
    TCase *tests = tcase_create("csv");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, decimals_as_strtod);
    tcase_add_test(tests, readers_agree);
    tcase_add_test(tests, long_lines);
    tcase_add_test(tests, scarce_memory);
    tcase_set_timeout(tests, 60);
    return tests;
}

int main(void) {
    Suite *suite = suite_create("csv");
    suite_add_tcase(suite, csv_case());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
