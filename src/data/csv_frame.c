/* Frames from CSV: the fast reader, and the careful one for what the fast one
 * leaves to it. */
#include "data/csv.h"
#include "data/csv_plain.h"
#include "data/csv_reader.h"

#include <locale.h>

static ng_status read_plain(ng_ctx *ctx, ngi_input *input,
                            const ng_frame_options *options, size_t chunk,
                            ng_frame **out, bool *plain) {
    ngi_csv_plain *p = ngi_alloc(ctx, 1, sizeof *p);
    if (!p)
        return NG_ENOMEM;
    ng_status status =
        ngi_csv_plain_open(ctx, input, options, chunk, true, p, plain);
    if (status == NG_OK && *plain)
        status = ngi_csv_plain_read(p, out, plain);
    ngi_csv_plain_clear(p);
    ngi_free(ctx, p);
    return status;
}

static ng_status read_rows(ngi_csv_reading *reading, ng_frame **out) {
    NG_TRY(ngi_csv_read(reading));
    NG_TRY(ngi_selection_finish(reading->selection, out));
    (*out)->rows = reading->records - reading->drops;
    (*out)->dropped = reading->drops;
    (*out)->dropped_record = reading->dropped;
    reading->dropped = NULL;
    return NG_OK;
}

/* Numbers have a decimal point whatever the user's language; the locale is
 * changed for this thread alone. */
static ng_status read_carefully(ng_ctx *ctx, ngi_input *input,
                                const ng_frame_options *options,
                                ng_frame **out) {
    ngi_selection selection;
    ngi_csv_reading reading = {.ctx = ctx,
                               .input = input,
                               .options = options,
                               .selection = &selection};
    locale_t standard = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!standard)
        return ngi_fail_memory(ctx);
    locale_t users = uselocale(standard);
    ngi_selection_init(&selection, ctx, ngi_input_source(input));
    ng_status status = read_rows(&reading, out);
    ngi_free(ctx, reading.dropped);
    ngi_selection_clear(&selection);
    uselocale(users);
    freelocale(standard);
    return status;
}

static ng_status read_input(ng_ctx *ctx, ngi_input *input,
                            const ng_frame_options *options, ng_frame **out) {
    bool plain;
    NG_TRY(read_plain(ctx, input, options, 0, out, &plain));
    if (plain)
        return NG_OK;
    if (ngi_input_repeats(input))
        NG_TRY(ngi_input_rewind(input));
    return read_carefully(ctx, input, options, out);
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

ng_status ngi_frame_parse_csv_by(ng_ctx *ctx, const char *source,
                                 const void *data, size_t size,
                                 const ng_frame_options *options, size_t chunk,
                                 ng_frame **out) {
    ngi_input *input;
    bool plain;
    *out = NULL;
    NG_TRY(ngi_input_open_memory(ctx, source, data, size, &input));
    ng_status status = chunk
                           ? read_plain(ctx, input, options, chunk, out, &plain)
                           : read_carefully(ctx, input, options, out);
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
