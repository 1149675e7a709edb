/* Pieces of text: how they are shown in messages, whether they are numbers,
 * and sets of distinct strings. */
#ifndef NGI_TEXT_H
#define NGI_TEXT_H

#include "base/base.h"

enum { NGI_SHOWN_BYTES = 40 };

/* A piece of foreign text made fit for a message: at most NGI_SHOWN_BYTES
 * bytes of it, "..." if it was longer, and '?' for every byte that is neither
 * printable ASCII nor part of a printable UTF-8 character. */
typedef struct ngi_shown {
    char text[NGI_SHOWN_BYTES + 4];
} ngi_shown;

ngi_shown ngi_show(const char *text, size_t length);
ngi_shown ngi_show_string(const char *text);

bool ngi_utf8_valid(const char *text, size_t length);

/* What a system call had to say; `text` comes back. */
const char *ngi_errno_text(int error, char *text, size_t size);

typedef enum ngi_cell {
    NGI_CELL_MISSING,  /* empty, "NA", or "nan" in any case with any sign */
    NGI_CELL_NUMBER,   /* finite */
    NGI_CELL_INFINITE, /* "inf", "infinity", or too large for a double */
    NGI_CELL_TEXT
} ngi_cell;

/* Blanks around the value do not count. `text` must be followed by a NUL, and
 * the thread must be in the C locale. */
ngi_cell ngi_cell_classify(const char *text, size_t length, double *number);

/* Make room for `needed` items in a block that holds *capacity of them. */
ng_status ngi_reserve(ng_ctx *ctx, void **block, size_t *capacity,
                      size_t needed, size_t size);

/* Distinct strings, numbered in the order of their arrival. All bytes lie in
 * one block, each string followed by a NUL. */
typedef struct ngi_strings {
    ng_ctx *ctx;
    char *text;
    size_t text_size, text_capacity;
    size_t *start; /* of string i in `text` */
    size_t count, capacity;
    size_t *slot; /* hash table of 1 + index; its size is a power of two */
    size_t slots;
} ngi_strings;

void ngi_strings_init(ngi_strings *strings, ng_ctx *ctx);
void ngi_strings_clear(ngi_strings *strings);
/* The number of the string, which is added if it is new. */
ng_status ngi_strings_intern(ngi_strings *strings, const char *text,
                             size_t length, size_t *index);
/* SIZE_MAX if absent. */
size_t ngi_strings_find(const ngi_strings *strings, const char *text,
                        size_t length);
const char *ngi_strings_get(const ngi_strings *strings, size_t index);

#endif
