/* Numbers of 1, 2, 4 or 8 bytes, in files and in memory, whatever the byte
 * order of the machine. */
#ifndef NGI_BYTES_H
#define NGI_BYTES_H

#include "base/base.h"
#include "natgrad/data.h"

uint64_t ngi_bytes_load(const unsigned char *bytes, size_t size, bool big);
/* Little-endian. */
void ngi_bytes_store(uint64_t bits, size_t size, unsigned char *bytes);

/* Number i of an array of uint8_t, uint16_t, ... or of anything else of that
 * size. */
uint64_t ngi_bits_get(const void *numbers, size_t size, size_t i);
void ngi_bits_set(void *numbers, size_t size, size_t i, uint64_t bits);

/* All numbers of an array, little-endian. */
void ngi_bits_write(ng_writer *writer, const void *numbers, size_t size,
                    size_t count);

#endif
