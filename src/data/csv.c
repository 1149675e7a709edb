/* CSV: records come from libcsv, bytes from ngi_input, and each column makes
 * up its own mind about its type (column.h).
 *
 * RFC 4180 in its strict form, with LF, CRLF or CR at the end of a line, and
 * a UTF-8 byte order mark allowed before the first. Blanks belong to the
 * field. Blank lines at the end are ignored; elsewhere they are a record of
 * one empty field, which is a missing value where there is one column and a
 * ragged row otherwise.
 *
 * The text of a number is not kept. Should text turn up in a column after
 * numbers, the input is read a second time with that column as a factor. */
#include "data/csv.h"
#include "data/column.h"
#include "data/input.h"
#include "data/text.h"

#include <csv.h>
#include <locale.h>
#include <string.h>

enum { CHUNK = 1 << 16 };

/* One cell of the record that is being read. */
typedef struct cell {
    size_t start, length; /* in the reader's text */
    ngi_cell kind;
    double number;
} cell;

typedef struct reader {
    ng_ctx *ctx;
    const ng_frame_options *options;
    ngi_input *input;
    const char *source;
    ng_status status;  /* callbacks of libcsv cannot return one */
    ngi_strings names; /* all columns of the file */
    size_t *place;     /* of each in `column`; SIZE_MAX if it is not read */
    ngi_column_builder *column;
    cell *cell; /* of each of `column` in this record */
    size_t columns;
    bool header_done;   /* in this pass */
    bool columns_known; /* from the first pass */
    size_t records;     /* complete ones after the header */
    size_t fields;      /* of this record so far */
    size_t blanks;      /* blank lines since the last record */
    int line_end;       /* the character that ended the last line */
    char *text;         /* cells of this record, each followed by a NUL */
    size_t text_size, text_capacity;
    size_t *dropped;
    size_t drops, drop_capacity;
} reader;

static ng_status fail_file(const reader *r, const char *problem) {
    return ngi_fail(r->ctx, NG_EDATA, "%s: %s", r->source, problem);
}

/* Trouble with the record that is being read. */
static ng_status fail_record(const reader *r, const char *problem) {
    if (!r->header_done)
        return ngi_fail(r->ctx, NG_EDATA, "%s: header: %s", r->source, problem);
    return ngi_fail(r->ctx, NG_EDATA, "%s: row %zu: %s", r->source,
                    r->records + r->blanks + 1, problem);
}

static ng_status fail_ragged(const reader *r) {
    size_t expected = r->names.count;
    return ngi_fail(r->ctx, NG_EDATA,
                    "%s: row %zu: expected %zu field%s, found %zu", r->source,
                    r->records + 1, expected, expected == 1 ? "" : "s",
                    r->fields);
}

static ng_status add_name(reader *r, const char *name, size_t length) {
    size_t index, known = r->names.count;
    if (!length)
        return ngi_fail(r->ctx, NG_EDATA,
                        "%s: header: expected a name for column %zu, found "
                        "\"\"",
                        r->source, known + 1);
    NG_TRY(ngi_strings_intern(&r->names, name, length, &index));
    if (r->names.count == known)
        return ngi_fail(r->ctx, NG_EDATA,
                        "%s: header: expected distinct names, found \"%s\" "
                        "for columns %zu and %zu",
                        r->source, ngi_show(name, length).text, index + 1,
                        known + 1);
    return NG_OK;
}

static ng_status add_cell(reader *r, size_t index, const char *text,
                          size_t length) {
    if (index >= r->names.count || r->place[index] == SIZE_MAX)
        return NG_OK;
    void *block = r->text;
    ng_status status = ngi_reserve(r->ctx, &block, &r->text_capacity,
                                   r->text_size + length + 1, 1);
    r->text = block;
    NG_TRY(status);
    cell *c = &r->cell[r->place[index]];
    c->start = r->text_size;
    c->length = length;
    memcpy(r->text + c->start, text, length);
    r->text[c->start + length] = '\0';
    r->text_size += length + 1;
    return NG_OK;
}

enum { WANTED = 1, UNWANTED = 2 };

/* Mark the listed columns; SIZE_MAX in `missing` if the file has them all. */
static size_t mark(const reader *r, const char *const *list, size_t count,
                   unsigned char *marks, unsigned char value) {
    size_t missing = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t index = ngi_strings_find(&r->names, list[i], strlen(list[i]));
        if (index != SIZE_MAX)
            marks[index] |= value;
        else if (missing == SIZE_MAX)
            missing = i;
    }
    return missing;
}

static ng_status mark_all(const reader *r, const char *const *list,
                          size_t count, unsigned char *marks,
                          unsigned char value) {
    size_t missing = mark(r, list, count, marks, value);
    if (missing == SIZE_MAX)
        return NG_OK;
    return ngi_fail(r->ctx, NG_EDATA,
                    "%s: header: expected a column \"%s\", found none of that "
                    "name",
                    r->source, ngi_show_string(list[missing]).text);
}

/* Which columns to read: sets `place` and `columns`. */
static ng_status select_columns(reader *r, unsigned char *marks) {
    const ng_frame_options *o = r->options;
    NG_TRY(mark_all(r, o->include, o->includes, marks, WANTED));
    NG_TRY(mark_all(r, o->exclude, o->excludes, marks, UNWANTED));
    mark(r, o->optional, o->optionals, marks, WANTED);
    for (size_t i = 0; i < r->names.count; i++) {
        bool wanted = !o->includes || (marks[i] & WANTED);
        bool read = wanted && !(marks[i] & UNWANTED);
        r->place[i] = read ? r->columns++ : SIZE_MAX;
    }
    return NG_OK;
}

/* As what to read them. */
static ng_status create_columns(reader *r, unsigned char *marks) {
    enum { FACTOR = 1, NUMERIC = 2 };
    const ng_frame_options *o = r->options;
    memset(marks, 0, r->names.count);
    mark(r, o->factors, o->factor_count, marks, FACTOR);
    NG_TRY(mark_all(r, o->numeric, o->numerics, marks, NUMERIC));
    for (size_t i = 0; i < r->names.count; i++) {
        const char *name = ngi_strings_get(&r->names, i);
        if (marks[i] == (FACTOR | NUMERIC))
            return ngi_fail(r->ctx, NG_EUSAGE,
                            "column \"%s\" cannot be both numeric and a factor",
                            ngi_show_string(name).text);
        if (r->place[i] == SIZE_MAX)
            continue;
        ngi_column_builder *column = &r->column[r->place[i]];
        ngi_column_init(column, r->ctx, r->source, name);
        column->wanted_factor = marks[i] == FACTOR;
        column->wanted_numeric = marks[i] == NUMERIC;
        ngi_column_restart(column);
    }
    return NG_OK;
}

static ng_status finish_header(reader *r) {
    if (r->columns_known)
        return r->fields == r->names.count
                   ? NG_OK
                   : fail_file(r, "changed while it was read");
    size_t count = r->names.count;
    unsigned char *marks = ngi_alloc(r->ctx, count, 1);
    r->place = ngi_alloc(r->ctx, count, sizeof *r->place);
    ng_status status = marks && r->place ? NG_OK : NG_ENOMEM;
    if (status == NG_OK)
        status = select_columns(r, marks);
    if (status == NG_OK) {
        r->column = ngi_alloc(r->ctx, r->columns, sizeof *r->column);
        r->cell = ngi_alloc(r->ctx, r->columns, sizeof *r->cell);
        status = r->column && r->cell ? create_columns(r, marks) : NG_ENOMEM;
    }
    ngi_free(r->ctx, marks);
    r->columns_known = status == NG_OK;
    return status;
}

static ng_status drop_record(reader *r) {
    void *block = r->dropped;
    ng_status status = ngi_reserve(r->ctx, &block, &r->drop_capacity,
                                   r->drops + 1, sizeof *r->dropped);
    r->dropped = block;
    NG_TRY(status);
    r->dropped[r->drops++] = r->records + 1;
    return NG_OK;
}

static ng_status finish_record(reader *r) {
    size_t missing = SIZE_MAX, record = r->records + 1;
    if (r->fields != r->names.count)
        return fail_ragged(r);
    for (size_t i = 0; i < r->columns; i++) {
        cell *c = &r->cell[i];
        c->number = 0;
        c->kind = ngi_cell_classify(r->text + c->start, c->length, &c->number);
        if (c->kind == NGI_CELL_MISSING && missing == SIZE_MAX)
            missing = i;
    }
    if (missing != SIZE_MAX && r->options->drop_missing)
        return drop_record(r);
    if (missing != SIZE_MAX) {
        const cell *c = &r->cell[missing];
        return ngi_column_fail(&r->column[missing], record,
                               "missing value: ", "a value",
                               ngi_show(r->text + c->start, c->length).text);
    }
    for (size_t i = 0; i < r->columns; i++) {
        const cell *c = &r->cell[i];
        NG_TRY(ngi_column_add(&r->column[i], record, c->kind, c->number,
                              r->text + c->start, c->length));
    }
    return NG_OK;
}

/* The record has all its fields. */
static ng_status close_record(reader *r) {
    if (r->header_done) {
        NG_TRY(finish_record(r));
        r->records++;
    } else {
        NG_TRY(finish_header(r));
        r->header_done = true;
    }
    r->fields = 0;
    r->text_size = 0;
    return NG_OK;
}

/* Blank lines that turn out not to be the last ones. */
static ng_status count_blanks(reader *r) {
    size_t blanks = r->blanks;
    r->blanks = 0;
    if (!r->header_done)
        return fail_record(r, "expected column names, found a blank line");
    if (r->names.count != 1)
        return ngi_fail(r->ctx, NG_EDATA,
                        "%s: row %zu: expected %zu fields, found a blank line",
                        r->source, r->records + 1, r->names.count);
    for (; blanks; blanks--) {
        NG_TRY(add_cell(r, 0, "", 0));
        r->fields = 1;
        NG_TRY(close_record(r));
    }
    return NG_OK;
}

static ng_status take_field(reader *r, const char *text, size_t length) {
    if (r->fields == 0 && r->blanks)
        NG_TRY(count_blanks(r));
    size_t index = r->fields++;
    if (r->header_done)
        return add_cell(r, index, text, length);
    return r->columns_known ? NG_OK : add_name(r, text, length);
}

static void on_field(void *text, size_t length, void *user) {
    reader *r = user;
    if (r->status == NG_OK)
        r->status = take_field(r, text, length);
}

/* libcsv reports every CR and LF outside quotes, so that CRLF arrives as the
 * end of a record and a blank line. */
static void on_line_end(int character, void *user) {
    reader *r = user;
    if (r->status != NG_OK)
        return;
    bool second = character == CSV_LF && r->line_end == CSV_CR && !r->fields;
    r->line_end = character;
    if (second)
        return;
    if (r->fields)
        r->status = close_record(r);
    else
        r->blanks++;
}

/* libcsv would strip them. */
static int no_blanks(unsigned char character) {
    (void)character;
    return 0;
}

static ng_status fail_parser(const reader *r, struct csv_parser *parser,
                             const char *problem) {
    if (csv_error(parser) == CSV_EPARSE)
        return fail_record(r, problem);
    return ngi_fail_memory(r->ctx);
}

static ng_status parse_bytes(reader *r, struct csv_parser *parser,
                             const char *bytes, size_t size) {
    const char *nul = memchr(bytes, '\0', size);
    size_t usable = nul ? (size_t)(nul - bytes) : size;
    size_t parsed = csv_parse(parser, bytes, usable, on_field, on_line_end, r);
    NG_TRY(r->status);
    if (parsed < usable)
        return fail_parser(r, parser,
                           "expected quotes around whole fields and doubled "
                           "within them, found a lone quote");
    return nul ? fail_record(r, "expected text, found a NUL byte") : NG_OK;
}

static ng_status parse_input(reader *r, struct csv_parser *parser,
                             char *chunk) {
    static const char mark_of_utf8[] = "\xef\xbb\xbf";
    size_t got = CHUNK;
    for (bool first = true; got == CHUNK; first = false) {
        NG_TRY(ngi_input_read(r->input, chunk, CHUNK, &got));
        if (ngi_cancelled(r->ctx))
            return ngi_fail(r->ctx, NG_ECANCELLED, "%s: reading cancelled",
                            r->source);
        size_t skip = first && got >= 3 && !memcmp(chunk, mark_of_utf8, 3);
        skip *= 3;
        NG_TRY(parse_bytes(r, parser, chunk + skip, got - skip));
    }
    if (csv_fini(parser, on_field, on_line_end, r) != 0)
        return fail_parser(r, parser,
                           "expected a closing quote, found the end of the "
                           "file");
    return r->status;
}

/* The whole input once. libcsv takes its memory from malloc: its hooks know
 * no context. */
static ng_status parse_once(reader *r) {
    struct csv_parser parser;
    const unsigned char options =
        CSV_STRICT | CSV_STRICT_FINI | CSV_REPALL_NL | CSV_APPEND_NULL;
    r->header_done = false;
    r->records = r->fields = r->blanks = r->drops = r->text_size = 0;
    r->line_end = 0;
    if (csv_init(&parser, options) != 0)
        return ngi_fail_memory(r->ctx);
    csv_set_space_func(&parser, no_blanks);
    csv_set_blk_size(&parser, 4096);
    char *chunk = ngi_alloc(r->ctx, CHUNK, 1);
    ng_status status = chunk ? parse_input(r, &parser, chunk) : NG_ENOMEM;
    ngi_free(r->ctx, chunk);
    csv_free(&parser);
    NG_TRY(status);
    if (!r->header_done)
        return fail_file(r, "expected column names, found an empty file");
    if (!r->records)
        return fail_file(r, "expected rows of data, found a header only");
    return NG_OK;
}

static ng_status parse(reader *r) {
    for (;;) {
        NG_TRY(parse_once(r));
        bool again = false;
        for (size_t i = 0; i < r->columns; i++)
            again = again || r->column[i].mixed;
        if (!again)
            break;
        for (size_t i = 0; i < r->columns; i++)
            ngi_column_restart(&r->column[i]);
        NG_TRY(ngi_input_rewind(r->input));
    }
    if (r->drops == r->records)
        return fail_file(r, "expected a row without missing values, found "
                            "none");
    return NG_OK;
}

static ng_status make_frame(reader *r, ng_frame **out) {
    ng_frame *frame;
    NG_TRY(ngi_frame_create(r->ctx, r->source, r->columns, &frame));
    for (size_t i = 0; i < r->columns; i++) {
        ng_status status = ngi_column_finish(&r->column[i], &frame->column[i]);
        if (status != NG_OK) {
            ng_frame_destroy(&frame);
            return status;
        }
    }
    frame->rows = r->records - r->drops;
    frame->dropped = r->drops;
    frame->dropped_record = r->dropped;
    r->dropped = NULL;
    *out = frame;
    return NG_OK;
}

static void clear_reader(reader *r) {
    for (size_t i = 0; r->columns_known && i < r->columns; i++)
        ngi_column_clear(&r->column[i]);
    ngi_strings_clear(&r->names);
    ngi_free(r->ctx, r->place);
    ngi_free(r->ctx, r->column);
    ngi_free(r->ctx, r->cell);
    ngi_free(r->ctx, r->text);
    ngi_free(r->ctx, r->dropped);
}

/* Numbers have a decimal point whatever the user's language; the locale is
 * changed for this thread alone. */
static ng_status read_input(ng_ctx *ctx, ngi_input *input,
                            const ng_frame_options *options, ng_frame **out) {
    static const ng_frame_options everything = {0};
    reader r = {.ctx = ctx,
                .options = options ? options : &everything,
                .input = input,
                .source = ngi_input_source(input)};
    locale_t standard = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!standard)
        return ngi_fail_memory(ctx);
    locale_t users = uselocale(standard);
    ngi_strings_init(&r.names, ctx);
    ng_status status = parse(&r);
    if (status == NG_OK)
        status = make_frame(&r, out);
    clear_reader(&r);
    uselocale(users);
    freelocale(standard);
    return status;
}

ng_status ngi_frame_parse_csv(ng_ctx *ctx, const char *source, const void *data,
                              size_t size, const ng_frame_options *options,
                              ng_frame **out) {
    ngi_input *input;
    *out = NULL;
    NG_TRY(ngi_input_open_memory(ctx, source, data, size, &input));
    ng_status status = read_input(ctx, input, options, out);
    ngi_input_close(&input);
    return status;
}

ng_status ng_frame_read_csv(ng_ctx *ctx, const char *path,
                            const ng_frame_options *options, ng_frame **out) {
    ngi_input *input;
    *out = NULL;
    NG_TRY(ngi_input_open(ctx, path, &input));
    ng_status status = read_input(ctx, input, options, out);
    ngi_input_close(&input);
    return status;
}
