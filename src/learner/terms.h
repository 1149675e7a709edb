/* The algebra of terms: a term is a set of atoms, and the operators of a
 * formula join lists of terms. */
#ifndef NGI_TERMS_H
#define NGI_TERMS_H

#include "learner/formula.h"

/* Terms and columns of a design, at most. */
enum { NGI_DESIGN_MOST = 100000 };

typedef struct ngi_term_list {
    ng_ctx *ctx;
    /* By their degree, then as they appeared; the atoms of a term in the order
     * in which these appeared in the formula. */
    size_t count;
    size_t *start; /* count + 1 places in `atom` */
    size_t *atom;
    size_t offsets;
    size_t *offset;    /* atoms of offset(), behind `atom` */
    bool left_dropped; /* the left side was a term too */
} ngi_term_list;

ng_status ngi_term_list_create(const ngi_formula *formula, ngi_term_list *out);
void ngi_term_list_clear(ngi_term_list *terms);

/* The part of atom i in the hash of a set of atoms, which is their sum. */
uint64_t ngi_atom_hash(size_t i);

#endif
