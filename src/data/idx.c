/* IDX, the format of MNIST (LeCun, Cortes & Burges): two zero bytes, a type,
 * the number of dimensions, that many big-endian 32-bit sizes, and the values,
 * big-endian and row-major. */
#include "data/array.h"
#include "data/bytes.h"

static ng_status read_type(ng_ctx *ctx, const ngi_input *input,
                           unsigned char code, ngi_element *element) {
    static const struct {
        unsigned char code;
        ngi_element element;
    } TYPES[] = {
        {0x08, {NGI_UNSIGNED, 1, true}}, {0x09, {NGI_SIGNED, 1, true}},
        {0x0b, {NGI_SIGNED, 2, true}},   {0x0c, {NGI_SIGNED, 4, true}},
        {0x0d, {NGI_FLOAT, 4, true}},    {0x0e, {NGI_FLOAT, 8, true}},
    };
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        if (TYPES[i].code == code) {
            *element = TYPES[i].element;
            return NG_OK;
        }
    }
    return ngi_fail(ctx, NG_EDATA,
                    "%s: IDX header: expected type 0x08, 0x09, 0x0b, 0x0c, "
                    "0x0d or 0x0e, found 0x%02x",
                    ngi_input_source(input), code);
}

ng_status ngi_idx_read_header(ng_ctx *ctx, ngi_input *input,
                              ngi_array_layout *layout) {
    unsigned char magic[4], size[4];
    NG_TRY(ngi_array_take(ctx, input, magic, sizeof magic));
    NG_TRY(read_type(ctx, input, magic[2], &layout->element));
    layout->fortran = false;
    layout->dims = magic[3];
    for (size_t k = 0; k < layout->dims && k < NG_ARRAY_MAX_DIMS; k++) {
        NG_TRY(ngi_array_take(ctx, input, size, sizeof size));
        layout->shape[k] = (size_t)ngi_bytes_load(size, sizeof size, true);
    }
    return NG_OK;
}
