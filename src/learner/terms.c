/* Lists of terms while the formula's steps are taken. A set of atoms is stored
 * once and known by its number; lists hold numbers. */
#include "learner/terms.h"

#include <stdlib.h>
#include <string.h>

/* Atoms looked at while lists are multiplied: what keeps a hostile formula
 * from taking long. */
enum { WORK_MOST = 8000000 };

typedef struct list {
    size_t *term;
    size_t count, capacity;
    bool minus;
} list;

typedef struct algebra {
    ng_ctx *ctx;
    const ngi_formula *formula;
    size_t *member; /* atoms of all sets, ascending in each */
    size_t members, member_capacity;
    size_t *start; /* sets + 1 */
    size_t sets, start_capacity;
    size_t *slot; /* hash table of 1 + set */
    size_t slots;
    size_t *place; /* of each set: 1 + place in the list being made */
    size_t place_capacity;
    list *stack;
    size_t depth, stack_capacity;
    size_t work;
    size_t position; /* of the operator, for messages */
} algebra;

static ng_status reserve(algebra *a, size_t **block, size_t *capacity,
                         size_t needed) {
    void *grown = *block;
    ng_status status =
        ngi_reserve(a->ctx, &grown, capacity, needed, sizeof **block);
    *block = grown;
    return status;
}

/* ---- Sets ----------------------------------------------------------------
 */

uint64_t ngi_atom_hash(size_t i) {
    uint64_t h = (uint64_t)i + UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ (h >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
    return h ^ (h >> 31);
}

static uint64_t hash_set(const size_t *member, size_t count) {
    uint64_t h = 0;
    for (size_t i = 0; i < count; i++)
        h += ngi_atom_hash(member[i]);
    return h;
}

static size_t set_size(const algebra *a, size_t set) {
    return a->start[set + 1] - a->start[set];
}

/* The slot that holds the set, or the free one where it belongs. */
static size_t find_slot(const algebra *a, const size_t *member, size_t count) {
    size_t mask = a->slots - 1, i = (size_t)hash_set(member, count) & mask;
    for (; a->slot[i]; i = (i + 1) & mask) {
        size_t set = a->slot[i] - 1;
        if (set_size(a, set) == count &&
            memcmp(a->member + a->start[set], member, count * sizeof *member) ==
                0)
            break;
    }
    return i;
}

static ng_status grow_table(algebra *a) {
    size_t slots = a->slots ? 2 * a->slots : 64;
    size_t *slot = ngi_alloc(a->ctx, slots, sizeof *slot);
    if (!slot)
        return NG_ENOMEM;
    ngi_free(a->ctx, a->slot);
    a->slot = slot;
    a->slots = slots;
    for (size_t set = 0; set < a->sets; set++)
        slot[find_slot(a, a->member + a->start[set], set_size(a, set))] =
            set + 1;
    return NG_OK;
}

/* The number of the set whose members were written behind those of the others;
 * they stay if it is new. */
static ng_status intern(algebra *a, size_t count, size_t *set) {
    if (a->sets >= a->slots / 2)
        NG_TRY(grow_table(a));
    size_t slot = find_slot(a, a->member + a->members, count);
    if (!a->slot[slot]) {
        NG_TRY(reserve(a, &a->start, &a->start_capacity, a->sets + 2));
        NG_TRY(reserve(a, &a->place, &a->place_capacity, a->sets + 1));
        a->place[a->sets] = 0;
        a->start[a->sets++] = a->members;
        a->members += count;
        a->start[a->sets] = a->members;
        a->slot[slot] = a->sets;
    }
    *set = a->slot[slot] - 1;
    return NG_OK;
}

static ng_status spend(algebra *a, size_t work) {
    a->work += work;
    if (a->work <= WORK_MOST)
        return NG_OK;
    return ngi_fail(a->ctx, NG_EUSAGE,
                    "formula, character %zu: too many terms to write out",
                    a->position);
}

/* x union y. */
static ng_status unite(algebra *a, size_t x, size_t y, size_t *out) {
    size_t most = set_size(a, x) + set_size(a, y), count = 0;
    NG_TRY(spend(a, most));
    NG_TRY(reserve(a, &a->member, &a->member_capacity, a->members + most));
    size_t i = a->start[x], j = a->start[y];
    size_t i_end = a->start[x + 1], j_end = a->start[y + 1];
    size_t *to = a->member + a->members;
    while (i < i_end || j < j_end) {
        bool left = j == j_end || (i < i_end && a->member[i] <= a->member[j]);
        bool right = i == i_end || (j < j_end && a->member[j] <= a->member[i]);
        to[count++] = left ? a->member[i] : a->member[j];
        i += left;
        j += right;
    }
    return intern(a, count, out);
}

/* ---- Lists ---------------------------------------------------------------
 */

static ng_status append(algebra *a, list *to, size_t set) {
    if (a->place[set])
        return NG_OK;
    if (to->count == NGI_DESIGN_MOST)
        return ngi_fail(a->ctx, NG_EUSAGE,
                        "formula, character %zu: more than %d terms",
                        a->position, NGI_DESIGN_MOST);
    NG_TRY(reserve(a, &to->term, &to->capacity, to->count + 1));
    to->term[to->count++] = set;
    a->place[set] = to->count;
    return NG_OK;
}

static ng_status append_all(algebra *a, list *to, const list *from) {
    for (size_t i = 0; i < from->count; i++)
        NG_TRY(append(a, to, from->term[i]));
    return NG_OK;
}

/* SIZE_MAX leaves a gap, which `close` closes. */
static void take_away(algebra *a, list *from, const list *what) {
    for (size_t i = 0; i < what->count; i++) {
        size_t set = what->term[i];
        if (a->place[set])
            from->term[a->place[set] - 1] = SIZE_MAX;
        a->place[set] = 0;
    }
}

static void finish(algebra *a, list *made) {
    size_t kept = 0;
    for (size_t i = 0; i < made->count; i++) {
        if (made->term[i] == SIZE_MAX)
            continue;
        a->place[made->term[i]] = 0;
        made->term[kept++] = made->term[i];
    }
    made->count = kept;
}

/* a:b for every a of x and b of y, to the end of the list. */
static ng_status multiply(algebra *a, list *to, const list *x, const list *y) {
    for (size_t i = 0; i < x->count; i++) {
        NG_TRY(spend(a, 1));
        for (size_t j = 0; j < y->count; j++) {
            size_t set;
            NG_TRY(unite(a, x->term[i], y->term[j], &set));
            NG_TRY(append(a, to, set));
        }
    }
    return NG_OK;
}

/* One list of one term: the union of all of x. */
static ng_status join(algebra *a, const list *x, list *out) {
    size_t all = x->term[0];
    for (size_t i = 1; i < x->count; i++)
        NG_TRY(unite(a, all, x->term[i], &all));
    NG_TRY(reserve(a, &out->term, &out->capacity, 1));
    out->term[0] = all;
    out->count = 1;
    return NG_OK;
}

static ng_status push(algebra *a, const list *item) {
    void *block = a->stack;
    ng_status status = ngi_reserve(a->ctx, &block, &a->stack_capacity,
                                   a->depth + 1, sizeof *a->stack);
    a->stack = block;
    NG_TRY(status);
    a->stack[a->depth++] = *item;
    return NG_OK;
}

/* ---- Steps ---------------------------------------------------------------
 */

static ng_status push_atom(algebra *a, size_t atom) {
    list item = {0};
    size_t set;
    NG_TRY(reserve(a, &a->member, &a->member_capacity, a->members + 1));
    a->member[a->members] = atom;
    NG_TRY(intern(a, 1, &set));
    NG_TRY(reserve(a, &item.term, &item.capacity, 1));
    item.term[item.count++] = set;
    ng_status status = push(a, &item);
    if (status != NG_OK)
        ngi_free(a->ctx, item.term);
    return status;
}

static ng_status add_up(algebra *a, list *out, size_t operands) {
    const list *operand = a->stack + a->depth - operands;
    for (size_t i = 0; i < operands; i++) {
        if (operand[i].minus)
            take_away(a, out, &operand[i]);
        else
            NG_TRY(append_all(a, out, &operand[i]));
    }
    return NG_OK;
}

static ng_status raise(algebra *a, list *out, size_t power) {
    const list *base = &a->stack[a->depth - 1];
    NG_TRY(append_all(a, out, base));
    for (size_t i = 1; i < power; i++) {
        NG_TRY(spend(a, 1));
        list last = *out;
        *out = (list){0};
        finish(a, &last);
        ng_status status = multiply(a, out, &last, base);
        ngi_free(a->ctx, last.term);
        NG_TRY(status);
    }
    return NG_OK;
}

static ng_status join_pair(algebra *a, list *out, ngi_step_kind kind) {
    const list *x = &a->stack[a->depth - 2], *y = &a->stack[a->depth - 1];
    bool both = kind == NGI_STEP_CROSS || kind == NGI_STEP_INTERACT;
    list all = {0};
    if (!x->count || !y->count)
        return ngi_fail(a->ctx, NG_EUSAGE,
                        "formula, character %zu: expected a term on either "
                        "side of the operator",
                        a->position);
    if (!both)
        NG_TRY(join(a, kind == NGI_STEP_NEST ? x : y, &all));
    ng_status status = NG_OK;
    if (kind == NGI_STEP_CROSS || kind == NGI_STEP_NEST)
        status = append_all(a, out, x);
    if (status == NG_OK && kind == NGI_STEP_CROSS)
        status = append_all(a, out, y);
    if (status == NG_OK)
        status = multiply(a, out, kind == NGI_STEP_NEST ? &all : x,
                          kind == NGI_STEP_WITHIN ? &all : y);
    ngi_free(a->ctx, all.term);
    return status;
}

static void drop(algebra *a, size_t lists) {
    for (size_t i = 0; i < lists; i++)
        ngi_free(a->ctx, a->stack[--a->depth].term);
}

/* Operands on top of the stack give way to what is made of them. */
static ng_status make(algebra *a, const ngi_step *step) {
    list made = {0};
    size_t operands = 2;
    ng_status status;
    if (step->kind == NGI_STEP_SUM) {
        operands = step->value;
        status = add_up(a, &made, operands);
    } else if (step->kind == NGI_STEP_POWER) {
        operands = 1;
        status = raise(a, &made, step->value);
    } else {
        status = join_pair(a, &made, step->kind);
    }
    finish(a, &made);
    if (status == NG_OK) {
        drop(a, operands);
        status = push(a, &made);
    }
    if (status != NG_OK)
        ngi_free(a->ctx, made.term);
    return status;
}

static ng_status take_step(algebra *a, const ngi_step *step) {
    a->position = step->position;
    switch (step->kind) {
    case NGI_STEP_ATOM:
        return push_atom(a, step->value);
    case NGI_STEP_NOTHING:
        return push(a, &(list){0});
    case NGI_STEP_MINUS:
        a->stack[a->depth - 1].minus = true;
        return NG_OK;
    case NGI_STEP_DROP:
        a->stack[a->depth - 1].count = 0;
        return NG_OK;
    default:
        return make(a, step);
    }
}

/* ---- The result ----------------------------------------------------------
 */

/* The atom that the left side is too, or SIZE_MAX. */
static size_t find_left(const ngi_formula *f) {
    const ngi_atom *left = &f->left[0];
    size_t atom = 0;
    if (f->response != NGI_RESPONSE_COLUMN &&
        f->response != NGI_RESPONSE_EXPRESSION)
        return SIZE_MAX;
    if (left->kind != NGI_ATOM_COLUMN)
        return ngi_strings_find(&f->atom_text, f->text, f->left_length);
    while (atom < f->atom_text.count &&
           (f->atom[atom].kind != NGI_ATOM_COLUMN ||
            f->atom[atom].name != left->name))
        atom++;
    return atom < f->atom_text.count ? atom : SIZE_MAX;
}

typedef struct ordered {
    size_t degree, place, set;
} ordered;

static int compare_degree(const void *p, const void *q) {
    const ordered *a = p, *b = q;
    if (a->degree != b->degree)
        return a->degree < b->degree ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

static ng_status sort_terms(algebra *a, const list *terms, ordered *order,
                            ngi_term_list *out) {
    size_t left = find_left(a->formula), used = 0;
    for (size_t i = 0; i < terms->count; i++)
        order[i] = (ordered){set_size(a, terms->term[i]), i, terms->term[i]};
    qsort(order, terms->count, sizeof *order, compare_degree);
    for (size_t i = 0; i < terms->count; i++) {
        const size_t *member = a->member + a->start[order[i].set];
        bool has_left = false;
        for (size_t k = 0; k < order[i].degree; k++) {
            const ngi_atom *atom = &a->formula->atom[member[k]];
            has_left |= member[k] == left;
            if (atom->kind == NGI_ATOM_OFFSET && order[i].degree > 1)
                return ngi_fail(a->ctx, NG_EUSAGE,
                                "formula, character %zu: offset() has no "
                                "interactions",
                                atom->position);
            out->atom[used + k] = member[k];
        }
        out->left_dropped |= has_left;
        if (has_left)
            continue;
        if (a->formula->atom[member[0]].kind == NGI_ATOM_OFFSET) {
            out->offset[out->offsets++] = member[0];
            continue;
        }
        used += order[i].degree;
        out->start[++out->count] = used;
    }
    return NG_OK;
}

static ng_status collect(algebra *a, ngi_term_list *out) {
    const list *terms = &a->stack[0];
    size_t atoms = 0;
    for (size_t i = 0; i < terms->count; i++)
        atoms += set_size(a, terms->term[i]);
    ordered *order = ngi_alloc(a->ctx, terms->count, sizeof *order);
    out->start = ngi_alloc(a->ctx, terms->count + 1, sizeof *out->start);
    out->atom = ngi_alloc(a->ctx, atoms + terms->count, sizeof *out->atom);
    ng_status status = NG_ENOMEM;
    if (order && out->start && out->atom) {
        out->offset = out->atom + atoms;
        status = sort_terms(a, terms, order, out);
    }
    ngi_free(a->ctx, order);
    return status;
}

ng_status ngi_term_list_create(const ngi_formula *formula, ngi_term_list *out) {
    algebra a = {.ctx = formula->ctx, .formula = formula};
    ng_status status = NG_OK;
    *out = (ngi_term_list){.ctx = formula->ctx};
    for (size_t i = 0; i < formula->steps && status == NG_OK; i++)
        status = take_step(&a, &formula->step[i]);
    if (status == NG_OK)
        status = collect(&a, out);
    if (status != NG_OK)
        ngi_term_list_clear(out);
    drop(&a, a.depth);
    ngi_free(a.ctx, a.stack);
    ngi_free(a.ctx, a.member);
    ngi_free(a.ctx, a.start);
    ngi_free(a.ctx, a.slot);
    ngi_free(a.ctx, a.place);
    return status;
}

void ngi_term_list_clear(ngi_term_list *terms) {
    ngi_free(terms->ctx, terms->start);
    ngi_free(terms->ctx, terms->atom);
    *terms = (ngi_term_list){.ctx = terms->ctx};
}
