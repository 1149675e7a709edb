/* Chunk i of a plain text has the lines that begin in bytes [i, i + 1) size of
 * its body, so that every worker finds its chunks without asking another. What
 * is packed is unpacked by one and cut after the last line that fits. */
#include "data/csv_chunks.h"

#include "data/array.h"
#include "data/csv_lines.h"
#include "data/text.h"

#include <locale.h>
#include <string.h>

enum { MIN_CHUNK = 1 << 19, MAX_CHUNK = 1 << 23, MAX_HEADER = 1 << 26 };
enum { PIECE = 1 << 16, MOST_CHUNKS = 1 << 16 };

struct ngi_chunks_worker {
    char *buffer;
    size_t capacity;
    size_t text, end; /* of the lines in the buffer */
    bool empty;
    bool broken; /* bytes could not be had */
    ng_status status;
};

/* Room for `size` bytes and what may be read after them. */
static ng_status make_room(ngi_chunks *c, char **buffer, size_t *capacity,
                           size_t size) {
    void *block = *buffer;
    pthread_mutex_lock(&c->lock);
    ng_status status =
        ngi_reserve(c->ctx, &block, capacity, size + 1 + NGI_LINES_PADDING, 1);
    pthread_mutex_unlock(&c->lock);
    *buffer = block;
    return status;
}

/* ---- Header and end ---- */

static ng_status find_header(ngi_chunks *c, bool *plain) {
    size_t capacity = 0, got = PIECE;
    const char *line_end = NULL;
    while (!line_end && got == PIECE && c->header_size < MAX_HEADER) {
        NG_TRY(make_room(c, &c->header, &capacity, c->header_size + PIECE));
        NG_TRY(
            ngi_input_read(c->input, c->header + c->header_size, PIECE, &got));
        line_end = memchr(c->header + c->header_size, '\n', got);
        c->header_size += got;
    }
    *plain = line_end != NULL &&
             ngi_array_recognize((const unsigned char *)c->header,
                                 c->header_size) != NG_ARRAY_NPY;
    if (line_end)
        c->body = c->header_size = (size_t)(line_end - c->header) + 1;
    return NG_OK;
}

/* Line ends at the end are as good as none. */
static bool find_end(ngi_chunks *c) {
    char piece[256];
    c->end = c->span.size;
    while (c->end > c->body) {
        size_t size = c->end - c->body < sizeof piece
                          ? (size_t)(c->end - c->body)
                          : sizeof piece;
        if (!ngi_span_read(&c->span, c->end - size, piece, size))
            return false;
        size_t left = size;
        while (left && (piece[left - 1] == '\n' || piece[left - 1] == '\r'))
            left--;
        c->end -= size - left;
        if (left)
            return true;
    }
    return false;
}

/* Long lines want large chunks, so that there are enough in each. */
static size_t choose_size(const ngi_chunks *c) {
    enum { LINES = 256 };
    uint64_t size = LINES * (uint64_t)c->header_size;
    size = size < MIN_CHUNK ? MIN_CHUNK : size > MAX_CHUNK ? MAX_CHUNK : size;
    uint64_t bytes = c->packed ? 0 : c->end - c->body;
    return (size_t)(size < bytes / MOST_CHUNKS ? bytes / MOST_CHUNKS : size);
}

static ng_status set_up(ngi_chunks *c, size_t size, bool may_be_packed,
                        bool *plain) {
    c->packed = !ngi_input_span(c->input, &c->span);
    *plain = !c->packed || (may_be_packed && ngi_input_repeats(c->input));
    if (*plain)
        NG_TRY(find_header(c, plain));
    if (*plain && !c->packed)
        *plain = find_end(c);
    if (!*plain)
        return NG_OK;
    c->size = size ? size : choose_size(c);
    if (!c->packed)
        c->count = (size_t)((c->end - c->body - 1) / c->size + 1);
    c->worker = ngi_alloc(c->ctx, c->workers, sizeof *c->worker);
    return c->worker ? NG_OK : NG_ENOMEM;
}

ng_status ngi_chunks_create(ng_ctx *ctx, ngi_input *input, size_t size,
                            bool may_be_packed, ngi_chunks *out, bool *plain) {
    memset(out, 0, sizeof *out);
    out->ctx = ctx;
    out->input = input;
    out->workers = ngi_threads(ctx);
    pthread_mutex_init(&out->lock, NULL);
    ng_status status = set_up(out, size, may_be_packed, plain);
    if (status != NG_OK || !*plain)
        ngi_chunks_clear(out);
    return status;
}

void ngi_chunks_clear(ngi_chunks *c) {
    if (!c->ctx)
        return;
    for (size_t i = 0; c->worker && i < c->workers; i++)
        ngi_free(c->ctx, c->worker[i].buffer);
    ngi_free(c->ctx, c->worker);
    ngi_free(c->ctx, c->header);
    ngi_free(c->ctx, c->carry);
    pthread_mutex_destroy(&c->lock);
    c->ctx = NULL;
}

/* ---- Chunks in any order ---- */

/* Bytes of the text from `begin` on, up to the first line feed at or after
 * `last`, or its end. */
static bool load_lines(ngi_chunks *c, ngi_chunks_worker *w, uint64_t begin,
                       uint64_t last) {
    size_t have = 0, ask = (size_t)(last - begin) + PIECE / 16;
    for (;; ask *= 2) {
        ask = ask < c->end - begin ? ask : (size_t)(c->end - begin);
        w->status = make_room(c, &w->buffer, &w->capacity, ask);
        if (w->status != NG_OK || !ngi_span_read(&c->span, begin + have,
                                                 w->buffer + have, ask - have))
            return false;
        size_t from = (size_t)(last - begin);
        from = from > have ? from : have;
        have = ask;
        char *line_end =
            from < have ? memchr(w->buffer + from, '\n', have - from) : NULL;
        if (line_end) {
            w->end = (size_t)(line_end - w->buffer) + 1;
            return true;
        }
        if (begin + have < c->end)
            continue;
        w->buffer[have] = '\n';
        w->end = have + 1;
        return true;
    }
}

static bool load_chunk(ngi_chunks *c, ngi_chunks_worker *w, size_t chunk) {
    uint64_t begin = c->body + (uint64_t)chunk * c->size, left = c->end - begin;
    uint64_t end = begin + (left < c->size ? left : c->size);
    /* A line begins after a line feed, which may be the byte before. */
    w->empty = false;
    if (!load_lines(c, w, begin - 1, end - 1))
        return false;
    const char *feed = memchr(w->buffer, '\n', w->end);
    w->text = (size_t)(feed - w->buffer) + 1;
    w->empty = begin - 1 + w->text >= end;
    return true;
}

/* ---- Chunks in their order ---- */

static ng_status begin_packed(ngi_chunks *c) {
    char piece[1024];
    uint64_t left = c->body;
    c->carried = 0;
    NG_TRY(ngi_input_rewind(c->input));
    while (left) {
        size_t size = left < sizeof piece ? (size_t)left : sizeof piece, got;
        NG_TRY(ngi_input_read(c->input, piece, size, &got));
        left = got == size ? left - size : 0;
    }
    return NG_OK;
}

static ng_status keep_carry(ngi_chunks *c, const char *bytes, size_t size) {
    NG_TRY(make_room(c, &c->carry, &c->carry_capacity, size));
    memcpy(c->carry, bytes, size);
    c->carried = size;
    return NG_OK;
}

static void end_text(ngi_chunks_worker *w, size_t size) {
    while (size && (w->buffer[size - 1] == '\n' || w->buffer[size - 1] == '\r'))
        size--;
    w->empty = size == 0;
    w->buffer[size] = '\n';
    w->end = size + 1;
}

/* *more is false at the end of the text. */
static ng_status load_packed(ngi_chunks *c, ngi_chunks_worker *w, bool *more) {
    size_t have = c->carried, cut = 0, got;
    w->text = 0;
    w->empty = false;
    NG_TRY(make_room(c, &w->buffer, &w->capacity, have + c->size));
    if (have)
        memcpy(w->buffer, c->carry, have);
    c->carried = 0;
    while (!cut) {
        NG_TRY(make_room(c, &w->buffer, &w->capacity, have + c->size));
        NG_TRY(ngi_input_read(c->input, w->buffer + have, c->size, &got));
        cut = have += got;
        *more = got == c->size;
        if (!*more) {
            end_text(w, have);
            return NG_OK;
        }
        while (cut && w->buffer[cut - 1] != '\n')
            cut--;
    }
    w->end = cut;
    return keep_carry(c, w->buffer + cut, have - cut);
}

/* ---- Walks ---- */

typedef struct task {
    ngi_chunks *chunks;
    const ngi_chunks_walk *walk;
    size_t limit;
    size_t first, loaded; /* where packed, the chunks of this round */
    locale_t locale;
} task;

static void stop_worker(ngi_chunks *c, ngi_chunks_worker *w) {
    w->broken = w->status == NG_OK;
    atomic_store(&c->stop, true);
}

static void visit(task *t, size_t worker, size_t chunk) {
    ngi_chunks *c = t->chunks;
    ngi_chunks_worker *w = &c->worker[worker];
    if (w->empty)
        w->text = w->end = 0;
    memset(w->buffer + w->end, 0, NGI_LINES_PADDING);
    if (!t->walk->visit(t->walk->user, worker, chunk, w->buffer + w->text,
                        w->buffer + w->end))
        stop_worker(c, w);
}

static uint64_t chunk_bytes(const ngi_chunks *c, size_t chunk) {
    uint64_t left = c->end - c->body - (uint64_t)chunk * c->size;
    return left < c->size ? left : c->size;
}

static void show_packed(const ngi_chunks *c) {
    uint64_t done, total;
    if (!c->progress)
        return;
    ngi_input_progress(c->input, &done, &total);
    atomic_store(&c->progress->done, done);
    atomic_store(&c->progress->total, total);
}

static void walk_plain(task *t, size_t worker) {
    ngi_chunks *c = t->chunks;
    const ngi_chunks_walk *walk = t->walk;
    size_t chunk = walk->in_turn ? worker : atomic_fetch_add(&c->next, 1);
    while (chunk < t->limit && !atomic_load(&c->stop) &&
           !ngi_cancelled(c->ctx)) {
        bool wanted = !walk->wanted || walk->wanted(walk->user, chunk);
        if (wanted && !load_chunk(c, &c->worker[worker], chunk))
            stop_worker(c, &c->worker[worker]);
        else if (wanted)
            visit(t, worker, chunk);
        if (c->progress)
            atomic_fetch_add(&c->progress->done, chunk_bytes(c, chunk));
        chunk =
            walk->in_turn ? chunk + c->workers : atomic_fetch_add(&c->next, 1);
    }
}

/* Numbers have a decimal point whatever the user's language; the locale is
 * changed for this thread alone. */
static void run_worker(void *user, size_t worker) {
    task *t = user;
    locale_t users = uselocale(t->locale);
    if (!t->chunks->packed)
        walk_plain(t, worker);
    else if (worker < t->loaded)
        visit(t, worker, t->first + worker);
    uselocale(users);
}

static ng_status walk_packed(task *t) {
    ngi_chunks *c = t->chunks;
    bool more = true;
    NG_TRY(begin_packed(c));
    for (; more && t->first < t->limit && !atomic_load(&c->stop);
         t->first += t->loaded) {
        size_t left = t->limit - t->first;
        size_t most = left < c->workers ? left : c->workers;
        for (t->loaded = 0; more && t->loaded < most; t->loaded++)
            NG_TRY(load_packed(c, &c->worker[t->loaded], &more));
        if (ngi_cancelled(c->ctx))
            return NG_OK;
        if (t->walk->expect)
            NG_TRY(t->walk->expect(t->walk->user, t->first + t->loaded));
        ngi_parallel(c->ctx, run_worker, t);
        show_packed(c);
    }
    c->count = more ? c->count : t->first;
    return NG_OK;
}

static ng_status walk_any(task *t) {
    ngi_chunks *c = t->chunks;
    const ngi_chunks_walk *walk = t->walk;
    if (c->packed) {
        t->limit = walk->limit ? walk->limit : SIZE_MAX;
        return walk_packed(t);
    }
    t->limit = walk->limit ? walk->limit : c->count;
    if (walk->expect)
        NG_TRY(walk->expect(walk->user, t->limit));
    ngi_parallel(c->ctx, run_worker, t);
    return NG_OK;
}

static void start(ngi_chunks *c) {
    for (size_t i = 0; i < c->workers; i++) {
        c->worker[i].broken = false;
        c->worker[i].status = NG_OK;
    }
    atomic_store(&c->next, 0);
    atomic_store(&c->stop, false);
    if (c->progress) {
        atomic_store(&c->progress->done, 0);
        if (!c->packed)
            atomic_store(&c->progress->total, c->end - c->body);
    }
}

/* What the workers' passes came to. */
static ng_status finish(const ngi_chunks *c, ng_status status, bool *whole) {
    *whole = !atomic_load(&c->stop);
    for (size_t i = 0; i < c->workers && status == NG_OK; i++)
        status = c->worker[i].status;
    if (status == NG_OK && ngi_cancelled(c->ctx))
        return ngi_fail(c->ctx, NG_ECANCELLED, "%s: reading cancelled",
                        ngi_input_source(c->input));
    return status;
}

ng_status ngi_chunks_each(ngi_chunks *c, const ngi_chunks_walk *walk,
                          bool *whole) {
    task t = {.chunks = c, .walk = walk};
    t.locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!t.locale)
        return ngi_fail_memory(c->ctx);
    start(c);
    ng_status status = walk_any(&t);
    freelocale(t.locale);
    return finish(c, status, whole);
}

/* ---- Counting ---- */

typedef struct count {
    ngi_chunks *chunks;
    size_t *lines;
} count;

static size_t count_feeds(const char *text, size_t size) {
    const char *end = text + size;
    size_t feeds = 0;
    while ((text = memchr(text, '\n', (size_t)(end - text)))) {
        feeds++;
        text++;
    }
    return feeds;
}

static bool count_chunk(const count *job, size_t chunk, char *piece) {
    const ngi_chunks *c = job->chunks;
    uint64_t at = c->body + (uint64_t)chunk * c->size - 1;
    uint64_t left = c->end - 1 - at;
    job->lines[chunk] = 0;
    for (left = left < c->size ? left : c->size; left;) {
        size_t size = left < PIECE ? (size_t)left : PIECE;
        if (!ngi_span_read(&c->span, at, piece, size))
            return false;
        job->lines[chunk] += count_feeds(piece, size);
        at += size;
        left -= size;
    }
    return true;
}

static void count_worker(void *user, size_t worker) {
    count *job = user;
    ngi_chunks *c = job->chunks;
    ngi_chunks_worker *w = &c->worker[worker];
    w->status = make_room(c, &w->buffer, &w->capacity, PIECE);
    bool good = w->status == NG_OK;
    for (size_t i = 0; good && !atomic_load(&c->stop);) {
        i = atomic_fetch_add(&c->next, 1);
        if (i >= c->count || ngi_cancelled(c->ctx))
            return;
        good = count_chunk(job, i, w->buffer);
    }
    if (!good)
        stop_worker(c, w);
}

ng_status ngi_chunks_count(ngi_chunks *c, size_t *lines, bool *whole) {
    count job = {c, lines};
    start(c);
    ngi_parallel(c->ctx, count_worker, &job);
    return finish(c, NG_OK, whole);
}
