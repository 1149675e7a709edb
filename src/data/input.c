#include "data/input.h"
#include "data/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { CHUNK = 1 << 16 };

struct ngi_input {
    ng_ctx *ctx;
    char *source;
    int fd; /* -1 for memory */
    bool own_fd, seekable;
    off_t start;       /* of a seekable file, where we found it */
    const char *known; /* bytes in memory: all of them, or those of a pipe */
    char *kept;        /* `known`, if it is ours */
    size_t known_size, kept_capacity, position;
    bool ended;            /* the end of a pipe is asked for once only */
    uint64_t told, stored; /* bytes read, and of those as they are stored */
    bool begun, gzip, inflating, between_members;
    z_stream z;
    size_t chunk_size, chunk_used;
    unsigned char chunk[CHUNK];
};

static ng_status create(ng_ctx *ctx, const char *source, ngi_input **out) {
    ngi_input *in = ngi_alloc(ctx, 1, sizeof *in);
    *out = NULL;
    if (!in)
        return NG_ENOMEM;
    in->ctx = ctx;
    in->fd = -1;
    in->source = ngi_strdup(ctx, source);
    if (!in->source) {
        ngi_free(ctx, in);
        return NG_ENOMEM;
    }
    *out = in;
    return NG_OK;
}

ng_status ngi_input_open_memory(ng_ctx *ctx, const char *source,
                                const void *data, size_t size,
                                ngi_input **out) {
    NG_TRY(create(ctx, source, out));
    (*out)->known = data;
    (*out)->known_size = size;
    return NG_OK;
}

static ng_status fail_errno(const ngi_input *in, const char *what, int error) {
    char text[128];
    return ngi_fail(in->ctx, NG_EDATA, "%s: %s: %s", in->source, what,
                    ngi_errno_text(error, text, sizeof text));
}

ng_status ngi_input_open(ng_ctx *ctx, const char *path, ngi_input **out) {
    bool standard = strcmp(path, "-") == 0;
    ngi_input *in;
    ng_status status;
    *out = NULL;
    NG_TRY(create(ctx, standard ? "standard input" : path, &in));
    in->own_fd = !standard;
    in->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (in->fd < 0 || fstat(in->fd, &about) != 0) {
        status = fail_errno(in, "cannot be opened", errno);
        ngi_input_close(&in);
        return status;
    }
    in->start = lseek(in->fd, 0, SEEK_CUR);
    in->seekable = S_ISREG(about.st_mode) && in->start >= 0;
    *out = in;
    return NG_OK;
}

const char *ngi_input_source(const ngi_input *input) {
    return input->source;
}

void ngi_input_close(ngi_input **input) {
    ngi_input *in = *input;
    if (!in)
        return;
    if (in->inflating)
        inflateEnd(&in->z);
    if (in->own_fd && in->fd >= 0)
        close(in->fd);
    ngi_free(in->ctx, in->kept);
    ngi_free(in->ctx, in->source);
    ngi_free(in->ctx, in);
    *input = NULL;
}

ng_status ngi_input_rewind(ngi_input *input) {
    input->position = 0;
    input->chunk_size = input->chunk_used = 0;
    input->begun = false;
    input->told = input->stored = 0;
    if (input->seekable && lseek(input->fd, input->start, SEEK_SET) < 0)
        return fail_errno(input, "cannot be read again", errno);
    return NG_OK;
}

static ng_status keep(ngi_input *in, const void *bytes, size_t size) {
    void *block = in->kept;
    ng_status status = ngi_reserve(in->ctx, &block, &in->kept_capacity,
                                   in->known_size + size, 1);
    in->known = in->kept = block;
    NG_TRY(status);
    memcpy(in->kept + in->known_size, bytes, size);
    in->known_size += size;
    in->position += size;
    return NG_OK;
}

/* Some bytes as they are stored; *got = 0 only at their end. */
static ng_status read_stored(ngi_input *in, unsigned char *bytes, size_t size,
                             size_t *got) {
    *got = 0;
    if (in->position < in->known_size) {
        size_t left = in->known_size - in->position;
        *got = left < size ? left : size;
        memcpy(bytes, in->known + in->position, *got);
        in->position += *got;
        return NG_OK;
    }
    if (in->fd < 0 || in->ended)
        return NG_OK;
    ssize_t count;
    do {
        if (ngi_cancelled(in->ctx))
            return ngi_fail(in->ctx, NG_ECANCELLED, "%s: reading cancelled",
                            in->source);
        count = read(in->fd, bytes, size);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        return fail_errno(in, "cannot be read", errno);
    *got = (size_t)count;
    if (in->seekable)
        return NG_OK;
    in->ended = count == 0;
    return in->ended ? NG_OK : keep(in, bytes, *got);
}

/* At least two bytes for a start, so that gzip can be told from its magic
 * number; an empty chunk means the end. */
static ng_status refill(ngi_input *in) {
    size_t wanted = in->begun ? 1 : 2, got = 1;
    in->chunk_used = in->chunk_size = 0;
    while (in->chunk_size < wanted && got) {
        NG_TRY(read_stored(in, in->chunk + in->chunk_size,
                           CHUNK - in->chunk_size, &got));
        in->chunk_size += got;
        in->stored += got;
    }
    return NG_OK;
}

static voidpf z_alloc(voidpf ctx, uInt items, uInt size) {
    return ngi_alloc(ctx, items, size);
}

static void z_free(voidpf ctx, voidpf block) {
    ngi_free(ctx, block);
}

static ng_status begin(ngi_input *in) {
    NG_TRY(refill(in));
    in->begun = true;
    in->between_members = false;
    in->gzip =
        in->chunk_size >= 2 && in->chunk[0] == 0x1f && in->chunk[1] == 0x8b;
    if (!in->gzip)
        return NG_OK;
    if (in->inflating)
        inflateEnd(&in->z);
    in->inflating = false;
    memset(&in->z, 0, sizeof in->z);
    in->z.zalloc = z_alloc;
    in->z.zfree = z_free;
    in->z.opaque = in->ctx;
    /* 15 bits of window, and 16 for a gzip header. */
    if (inflateInit2(&in->z, 15 + 16) != Z_OK)
        return ngi_fail_memory(in->ctx);
    in->inflating = true;
    return NG_OK;
}

/* One call of inflate; members that follow each other are one stream (RFC
 * 1952, 2.2). */
static ng_status unpack(ngi_input *in, unsigned char *bytes, size_t size,
                        size_t *got) {
    if (in->between_members && inflateReset(&in->z) != Z_OK)
        return ngi_fail_memory(in->ctx);
    in->between_members = false;
    in->z.next_in = in->chunk + in->chunk_used;
    in->z.avail_in = (uInt)(in->chunk_size - in->chunk_used);
    in->z.next_out = bytes;
    in->z.avail_out = size < CHUNK ? (uInt)size : CHUNK;
    uInt room = in->z.avail_out;
    int result = inflate(&in->z, Z_NO_FLUSH);
    in->chunk_used = in->chunk_size - in->z.avail_in;
    *got = room - in->z.avail_out;
    if (result == Z_MEM_ERROR)
        return ngi_fail_memory(in->ctx);
    if (result == Z_STREAM_END)
        in->between_members = true;
    else if (result != Z_OK && result != Z_BUF_ERROR)
        return ngi_fail(in->ctx, NG_EDATA, "%s: damaged gzip data: %s",
                        in->source, in->z.msg ? in->z.msg : "bad stream");
    return NG_OK;
}

static ng_status copy(ngi_input *in, unsigned char *bytes, size_t size,
                      size_t *got) {
    size_t left = in->chunk_size - in->chunk_used;
    *got = left < size ? left : size;
    memcpy(bytes, in->chunk + in->chunk_used, *got);
    in->chunk_used += *got;
    return NG_OK;
}

ng_status ngi_input_read(ngi_input *input, void *buffer, size_t size,
                         size_t *got) {
    unsigned char *bytes = buffer;
    *got = 0;
    if (!input->begun)
        NG_TRY(begin(input));
    while (*got < size) {
        size_t more = 0;
        if (input->chunk_used == input->chunk_size)
            NG_TRY(refill(input));
        bool ended = input->chunk_size == 0;
        if (ended && (!input->gzip || input->between_members))
            return NG_OK;
        if (input->gzip)
            NG_TRY(unpack(input, bytes + *got, size - *got, &more));
        else
            NG_TRY(copy(input, bytes + *got, size - *got, &more));
        if (ended && !more && !input->between_members)
            return ngi_fail(input->ctx, NG_EDATA, "%s: truncated gzip data",
                            input->source);
        *got += more;
        input->told += more;
    }
    return NG_OK;
}

uint64_t ngi_input_told(const ngi_input *input) {
    return input->told;
}

void ngi_input_progress(const ngi_input *input, uint64_t *done,
                        uint64_t *total) {
    struct stat about;
    *done = input->stored;
    *total = input->known_size;
    if (input->fd >= 0)
        *total = fstat(input->fd, &about) == 0 && about.st_size > input->start
                     ? (uint64_t)(about.st_size - input->start)
                     : 0;
}

bool ngi_input_repeats(const ngi_input *input) {
    return input->fd < 0 || input->seekable;
}

/* ---- Spooling ---- */

/* A file that is gone as soon as nobody has it open. */
static int open_spool(const char *folder) {
    char path[1024];
    int length = snprintf(path, sizeof path, "%s/natgrad-XXXXXX",
                          folder && *folder ? folder : "/tmp");
    if (length < 0 || (size_t)length >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = mkstemp(path);
    if (fd >= 0) {
        unlink(path);
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    return fd;
}

static ng_status spool_bytes(const ngi_input *in, int fd,
                             const unsigned char *bytes, size_t size) {
    while (size) {
        ssize_t put = write(fd, bytes, size);
        if (put < 0 && errno == EINTR && !ngi_cancelled(in->ctx))
            continue;
        if (put < 0)
            return fail_errno(in, "cannot be kept in a temporary file", errno);
        bytes += put;
        size -= (size_t)put;
    }
    return NG_OK;
}

ng_status ngi_input_spool(ngi_input *in, const char *folder) {
    if (in->seekable || in->fd < 0)
        return NG_OK;
    int fd = open_spool(folder);
    if (fd < 0)
        return fail_errno(in, "cannot be kept in a temporary file", errno);
    in->seekable = true; /* read_stored need not keep the bytes */
    size_t got = 1;
    ng_status status = NG_OK;
    while (status == NG_OK && got) {
        status = read_stored(in, in->chunk, CHUNK, &got);
        if (status == NG_OK)
            status = spool_bytes(in, fd, in->chunk, got);
    }
    if (in->own_fd)
        close(in->fd);
    in->fd = fd;
    in->own_fd = true;
    in->start = 0;
    NG_TRY(status);
    return ngi_input_rewind(in);
}

/* ---- Bytes in any order ---- */

bool ngi_input_span(const ngi_input *input, ngi_span *out) {
    unsigned char magic[2] = {0};
    struct stat about;
    *out = (ngi_span){-1, 0, input->known, input->known_size};
    if (input->fd >= 0) {
        if (!input->seekable || fstat(input->fd, &about) != 0 ||
            about.st_size <= input->start)
            return false;
        *out = (ngi_span){input->fd, input->start, NULL,
                          (uint64_t)(about.st_size - input->start)};
    }
    if (!out->size)
        return false;
    if (!ngi_span_read(out, 0, magic, out->size < 2 ? 1 : 2))
        return false;
    return magic[0] != 0x1f || magic[1] != 0x8b;
}

bool ngi_span_read(const ngi_span *span, uint64_t offset, void *buffer,
                   size_t size) {
    char *bytes = buffer;
    if (offset > span->size || size > span->size - offset)
        return false;
    if (span->fd < 0) {
        memcpy(bytes, span->memory + offset, size);
        return true;
    }
    while (size) {
        ssize_t got = pread(span->fd, bytes, size,
                            (off_t)((uint64_t)span->start + offset));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        bytes += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return true;
}

uint64_t ngi_input_stamp(const ngi_input *input) {
    struct stat about;
    if (input->fd < 0 || fstat(input->fd, &about) != 0)
        return 0;
    return (uint64_t)about.st_size * UINT64_C(0x9e3779b97f4a7c15) ^
           (uint64_t)about.st_mtim.tv_sec * 1000000000u ^
           (uint64_t)about.st_mtim.tv_nsec;
}

ng_status ngi_input_slurp(ng_ctx *ctx, const char *path, char **data,
                          size_t *size) {
    ngi_input *in;
    *data = NULL;
    *size = 0;
    NG_TRY(ngi_input_open(ctx, path, &in));
    /* Stored bytes are wanted in one block, which is what a pipe leaves. */
    in->seekable = false;
    size_t got = 1;
    ng_status status = NG_OK;
    while (status == NG_OK && got)
        status = read_stored(in, in->chunk, CHUNK, &got);
    if (status == NG_OK) {
        *data = in->kept;
        *size = in->known_size;
        in->kept = NULL;
    }
    ngi_input_close(&in);
    return status;
}
