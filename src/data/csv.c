/* Records come from libcsv, bytes from ngi_input, and each column makes
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
#include "data/array.h"
#include "data/csv_reader.h"

#include <csv.h>
#include <string.h>

enum { CHUNK = 1 << 16 };

typedef struct reader {
    ng_ctx *ctx;
    ngi_csv_reading *reading;
    ngi_selection *selection;
    const char *source;
    ng_status status;   /* callbacks of libcsv cannot return one */
    ngi_csv_cell *cell; /* of each column that is read, in this record */
    bool header_done;   /* in this pass */
    size_t records;     /* complete ones after the header */
    size_t fields;      /* of this record so far */
    size_t blanks;      /* blank lines since the last record */
    int line_end;       /* the character that ended the last line */
    char *text;         /* cells of this record, each followed by a NUL */
    size_t text_size, text_capacity;
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
    size_t expected = r->selection->names.count;
    return ngi_fail(r->ctx, NG_EDATA,
                    "%s: row %zu: expected %zu field%s, found %zu", r->source,
                    r->records + 1, expected, expected == 1 ? "" : "s",
                    r->fields);
}

static ng_status add_cell(reader *r, size_t index, const char *text,
                          size_t length) {
    const ngi_selection *s = r->selection;
    if (index >= s->names.count || s->place[index] == SIZE_MAX)
        return NG_OK;
    void *block = r->text;
    ng_status status = ngi_reserve(r->ctx, &block, &r->text_capacity,
                                   r->text_size + length + 1, 1);
    r->text = block;
    NG_TRY(status);
    ngi_csv_cell *c = &r->cell[s->place[index]];
    c->start = r->text_size;
    c->length = length;
    memcpy(r->text + c->start, text, length);
    r->text[c->start + length] = '\0';
    r->text_size += length + 1;
    return NG_OK;
}

static ng_status finish_header(reader *r) {
    ngi_selection *s = r->selection;
    if (s->complete) {
        if (r->fields != s->names.count)
            return fail_file(r, "changed while it was read");
    } else {
        NG_TRY(ngi_selection_make(s, r->reading->options));
    }
    if (!r->cell)
        r->cell = ngi_alloc(r->ctx, s->columns, sizeof *r->cell);
    return r->cell ? NG_OK : NG_ENOMEM;
}

static ng_status drop_record(reader *r) {
    ngi_csv_reading *reading = r->reading;
    if (!reading->take) {
        void *block = reading->dropped;
        ng_status status =
            ngi_reserve(r->ctx, &block, &reading->drop_capacity,
                        reading->drops + 1, sizeof *reading->dropped);
        reading->dropped = block;
        NG_TRY(status);
        reading->dropped[reading->drops] = r->records + 1;
    }
    reading->drops++;
    return NG_OK;
}

static ng_status give_record(reader *r) {
    ngi_csv_reading *reading = r->reading;
    ngi_selection *s = r->selection;
    if (reading->take)
        return reading->take(reading->user, r->cell, r->text);
    for (size_t i = 0; i < s->columns; i++) {
        const ngi_csv_cell *c = &r->cell[i];
        NG_TRY(ngi_column_add(&s->column[i], r->records + 1, c->kind, c->number,
                              r->text + c->start, c->length));
    }
    return NG_OK;
}

static ng_status finish_record(reader *r) {
    ngi_selection *s = r->selection;
    size_t missing = SIZE_MAX;
    if (r->fields != s->names.count)
        return fail_ragged(r);
    for (size_t i = 0; i < s->columns; i++) {
        ngi_csv_cell *c = &r->cell[i];
        c->number = 0;
        c->kind = ngi_cell_classify(r->text + c->start, c->length, &c->number);
        if (c->kind == NGI_CELL_MISSING && missing == SIZE_MAX)
            missing = i;
    }
    if (missing == SIZE_MAX)
        return give_record(r);
    if (r->reading->options && r->reading->options->drop_missing)
        return drop_record(r);
    const ngi_csv_cell *c = &r->cell[missing];
    return ngi_column_fail(&s->column[missing], r->records + 1,
                           "missing value: ", "a value",
                           ngi_show(r->text + c->start, c->length).text);
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
    if (r->selection->names.count != 1)
        return ngi_fail(r->ctx, NG_EDATA,
                        "%s: row %zu: expected %zu fields, found a blank line",
                        r->source, r->records + 1, r->selection->names.count);
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
    return r->selection->complete
               ? NG_OK
               : ngi_selection_add(r->selection, text, length);
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
        NG_TRY(ngi_input_read(r->reading->input, chunk, CHUNK, &got));
        if (ngi_cancelled(r->ctx))
            return ngi_fail(r->ctx, NG_ECANCELLED, "%s: reading cancelled",
                            r->source);
        if (first && ngi_array_recognize((const unsigned char *)chunk, got) ==
                         NG_ARRAY_NPY)
            return fail_file(r, "expected CSV, found an NPY array, which is "
                                "read from a file by its name, or as a stream "
                                "(--stream)");
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
    r->records = r->fields = r->blanks = r->text_size = 0;
    r->reading->drops = 0;
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
    r->reading->records = r->records;
    return NG_OK;
}

static ng_status parse(reader *r) {
    NG_TRY(parse_once(r));
    while (!r->reading->take && ngi_selection_restart(r->selection)) {
        NG_TRY(ngi_input_rewind(r->reading->input));
        NG_TRY(parse_once(r));
    }
    if (r->reading->drops == r->records)
        return fail_file(r, "expected a row without missing values, found "
                            "none");
    return NG_OK;
}

ng_status ngi_csv_read(ngi_csv_reading *reading) {
    reader r = {.ctx = reading->ctx,
                .reading = reading,
                .selection = reading->selection,
                .source = ngi_input_source(reading->input)};
    ng_status status = parse(&r);
    ngi_free(r.ctx, r.cell);
    ngi_free(r.ctx, r.text);
    return status;
}
