#include "data/bytes.h"

#include <string.h>

/* Numbers are packed into bytes in pieces of this many. */
enum { PIECE = 512 };

uint64_t ngi_bytes_load(const unsigned char *bytes, size_t size, bool big) {
    uint64_t bits = 0;
    for (size_t i = 0; i < size; i++)
        bits |= (uint64_t)bytes[big ? size - 1 - i : i] << (8 * i);
    return bits;
}

void ngi_bytes_store(uint64_t bits, size_t size, unsigned char *bytes) {
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(bits >> (8 * i));
}

uint64_t ngi_bits_get(const void *numbers, size_t size, size_t i) {
    const unsigned char *at = (const unsigned char *)numbers + size * i;
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (size) {
    case 1:
        return *at;
    case 2:
        memcpy(&two, at, sizeof two);
        return two;
    case 4:
        memcpy(&four, at, sizeof four);
        return four;
    default:
        memcpy(&eight, at, sizeof eight);
        return eight;
    }
}

void ngi_bits_set(void *numbers, size_t size, size_t i, uint64_t bits) {
    unsigned char *at = (unsigned char *)numbers + size * i;
    uint16_t two = (uint16_t)bits;
    uint32_t four = (uint32_t)bits;
    switch (size) {
    case 1:
        *at = (unsigned char)bits;
        return;
    case 2:
        memcpy(at, &two, sizeof two);
        return;
    case 4:
        memcpy(at, &four, sizeof four);
        return;
    default:
        memcpy(at, &bits, sizeof bits);
    }
}

void ngi_bits_write(ng_writer *writer, const void *numbers, size_t size,
                    size_t count) {
    unsigned char bytes[8 * PIECE];
    for (size_t done = 0; done < count;) {
        size_t piece = count - done < PIECE ? count - done : PIECE;
        for (size_t i = 0; i < piece; i++)
            ngi_bytes_store(ngi_bits_get(numbers, size, done + i), size,
                            bytes + size * i);
        ng_writer_bytes(writer, bytes, size * piece);
        done += piece;
    }
}
