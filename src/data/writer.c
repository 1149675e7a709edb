/* Files that appear whole or not at all. The data go to a new file in the
 * same directory, which is flushed to disk and then renamed over the old one;
 * flushing the directory makes the rename itself last. Devices, pipes and
 * standard output cannot be replaced so and are written directly. */
#include "data/text.h"
#include "natgrad/data.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 1 << 16, MAX_LINKS = 40, MAX_NAMES = 100 };

struct ng_writer {
    ng_ctx *ctx;
    char *path;      /* as the caller named it, for messages */
    char *target;    /* what is renamed over, with links resolved */
    char *temporary; /* NULL if written directly */
    int fd;
    bool own_fd;
    int error;      /* errno of the first trouble */
    bool exhausted; /* it was lack of memory */
    locale_t standard;
    size_t used;
    char buffer[BUFFER];
};

static ng_status fail_path(ng_ctx *ctx, const char *path, int error) {
    char text[128];
    const char *name = strcmp(path, "-") == 0 ? "standard output" : path;
    return ngi_fail(ctx, NG_EWRITE, "%s: cannot be written: %s", name,
                    ngi_errno_text(error, text, sizeof text));
}

static void destroy(ng_writer **writer) {
    ng_writer *w = *writer;
    if (w->own_fd && w->fd >= 0)
        close(w->fd);
    if (w->temporary)
        unlink(w->temporary);
    if (w->standard)
        freelocale(w->standard);
    ngi_free(w->ctx, w->temporary);
    ngi_free(w->ctx, w->target);
    ngi_free(w->ctx, w->path);
    ngi_free(w->ctx, w);
    *writer = NULL;
}

/* Length of the directory part with its slash. */
static size_t directory_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* `name` as seen from the directory of `path`. */
static char *beside(ng_ctx *ctx, const char *path, const char *name) {
    size_t prefix = name[0] == '/' ? 0 : directory_length(path);
    size_t length = strlen(name);
    char *joined = ngi_alloc(ctx, prefix + length + 1, 1);
    if (joined) {
        memcpy(joined, path, prefix);
        memcpy(joined + prefix, name, length);
    }
    return joined;
}

/* One step along a symbolic link; *followed tells whether there was one. */
static ng_status follow(ng_writer *w, bool *followed) {
    struct stat about;
    char name[4096];
    *followed = false;
    if (lstat(w->target, &about) != 0)
        return errno == ENOENT ? NG_OK : fail_path(w->ctx, w->path, errno);
    if (!S_ISLNK(about.st_mode))
        return NG_OK;
    ssize_t length = readlink(w->target, name, sizeof name);
    if (length < 0 || (size_t)length >= sizeof name)
        return fail_path(w->ctx, w->path, length < 0 ? errno : ENAMETOOLONG);
    name[length] = '\0';
    char *next = beside(w->ctx, w->target, name);
    if (!next)
        return NG_ENOMEM;
    ngi_free(w->ctx, w->target);
    w->target = next;
    *followed = true;
    return NG_OK;
}

/* A link is written through, even one to a file that does not exist yet. */
static ng_status resolve(ng_writer *w) {
    bool followed = true;
    for (int i = 0; i < MAX_LINKS; i++) {
        NG_TRY(follow(w, &followed));
        if (!followed)
            return NG_OK;
    }
    return fail_path(w->ctx, w->path, ELOOP);
}

/* A new file beside the target. The name need not be secret, O_EXCL sees to
 * it that it is ours. */
static ng_status open_temporary(ng_writer *w, mode_t mode) {
    char name[64];
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_REALTIME, &now);
    for (int i = 0; i < MAX_NAMES; i++) {
        snprintf(name, sizeof name, ".natgrad-%lx-%lx-%d.tmp", (long)getpid(),
                 (long)now.tv_nsec, i);
        char *temporary = beside(w->ctx, w->target, name);
        if (!temporary)
            return NG_ENOMEM;
        w->fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (w->fd >= 0) {
            w->temporary = temporary;
            return NG_OK;
        }
        int error = errno;
        ngi_free(w->ctx, temporary);
        if (error != EEXIST)
            return fail_path(w->ctx, w->path, error);
    }
    return fail_path(w->ctx, w->path, EEXIST);
}

/* The new file gets the permissions of the old one. Renaming needs no right
 * to write the old one, but its owner will have meant that protection. */
static ng_status open_replacement(ng_writer *w, const struct stat *old) {
    NG_TRY(resolve(w));
    if (!old)
        return open_temporary(w, 0666);
    if (access(w->target, W_OK) != 0)
        return fail_path(w->ctx, w->path, errno);
    NG_TRY(open_temporary(w, old->st_mode & 0600));
    if (fchmod(w->fd, old->st_mode & 0777) != 0)
        return fail_path(w->ctx, w->path, errno);
    return NG_OK;
}

static void use_standard_output(ng_writer *w) {
    w->fd = STDOUT_FILENO;
    w->own_fd = false;
    /* What the caller printed before comes first. */
    fflush(stdout);
}

/* /dev/stdout can stand for a regular file, which is not ours to replace. */
static bool is_standard_output(const struct stat *about) {
    struct stat standard;
    return fstat(STDOUT_FILENO, &standard) == 0 &&
           standard.st_dev == about->st_dev && standard.st_ino == about->st_ino;
}

static ng_status open_path(ng_writer *w) {
    struct stat about;
    if (strcmp(w->path, "-") == 0) {
        use_standard_output(w);
        return NG_OK;
    }
    if (stat(w->path, &about) != 0)
        return errno == ENOENT && *w->path ? open_replacement(w, NULL)
                                           : fail_path(w->ctx, w->path, errno);
    if (is_standard_output(&about)) {
        use_standard_output(w);
        return NG_OK;
    }
    if (S_ISREG(about.st_mode))
        return open_replacement(w, &about);
    w->fd = open(w->path, O_WRONLY | O_CLOEXEC);
    return w->fd < 0 ? fail_path(w->ctx, w->path, errno) : NG_OK;
}

ng_status ng_writer_open(ng_ctx *ctx, const char *path, ng_writer **out) {
    ng_writer *w = ngi_alloc(ctx, 1, sizeof *w);
    *out = NULL;
    if (!w)
        return NG_ENOMEM;
    w->ctx = ctx;
    w->fd = -1;
    w->own_fd = true;
    w->path = ngi_strdup(ctx, path);
    w->target = ngi_strdup(ctx, path);
    w->standard = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    ng_status status = NG_ENOMEM;
    if (!w->standard)
        ngi_fail_memory(ctx);
    else if (w->path && w->target)
        status = open_path(w);
    if (status == NG_OK)
        *out = w;
    else
        destroy(&w);
    return status;
}

static void write_out(ng_writer *w, const char *bytes, size_t size) {
    while (size && !w->error) {
        ssize_t count = write(w->fd, bytes, size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            w->error = errno;
            return;
        }
        bytes += count;
        size -= (size_t)count;
    }
}

static void flush_buffer(ng_writer *w) {
    write_out(w, w->buffer, w->used);
    w->used = 0;
}

void ng_writer_bytes(ng_writer *writer, const void *data, size_t size) {
    if (writer->error || writer->exhausted || !size)
        return;
    if (size > BUFFER - writer->used)
        flush_buffer(writer);
    if (size > BUFFER) {
        write_out(writer, data, size);
        return;
    }
    memcpy(writer->buffer + writer->used, data, size);
    writer->used += size;
}

/* A text longer than the buffer. */
static void print_long(ng_writer *w, size_t size, const char *format,
                       va_list args) {
    char *text = ngi_alloc(w->ctx, size + 1, 1);
    if (!text) {
        w->exhausted = true;
        return;
    }
    vsnprintf(text, size + 1, format, args);
    ng_writer_bytes(w, text, size);
    ngi_free(w->ctx, text);
}

/* In the C locale, so that numbers have a decimal point in every language. */
static void print_standard(ng_writer *w, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    size_t room = BUFFER - w->used;
    int length = vsnprintf(w->buffer + w->used, room, format, args);
    if (length < 0)
        w->error = EOVERFLOW;
    else if ((size_t)length < room)
        w->used += (size_t)length;
    else
        print_long(w, (size_t)length, format, again);
    va_end(again);
}

void ng_writer_print(ng_writer *writer, const char *format, ...) {
    if (writer->error || writer->exhausted)
        return;
    locale_t users = uselocale(writer->standard);
    va_list args;
    va_start(args, format);
    print_standard(writer, format, args);
    va_end(args);
    uselocale(users);
}

/* Some file systems cannot flush a directory and say so with EINVAL. */
static int flush_directory(ng_writer *w) {
    size_t length = directory_length(w->target);
    w->target[length] = '\0';
    const char *name = length ? w->target : ".";
    int error = 0, fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* A directory that we may write but not list. */
    if (fd < 0)
        return errno == EACCES ? 0 : errno;
    if (fsync(fd) != 0 && errno != EINVAL)
        error = errno;
    close(fd);
    return error;
}

static void close_file(ng_writer *w) {
    if (!w->own_fd)
        return;
    if (close(w->fd) != 0 && !w->error)
        w->error = errno;
    w->fd = -1;
}

static void finish(ng_writer *w) {
    flush_buffer(w);
    if (!w->error && w->temporary && fsync(w->fd) != 0)
        w->error = errno;
    close_file(w);
    if (w->error || !w->temporary)
        return;
    if (rename(w->temporary, w->target) != 0) {
        w->error = errno;
        return;
    }
    ngi_free(w->ctx, w->temporary);
    w->temporary = NULL;
    w->error = flush_directory(w);
}

ng_status ng_writer_commit(ng_writer **writer) {
    ng_writer *w = *writer;
    ng_status status = NG_OK;
    if (!w->exhausted)
        finish(w);
    if (w->exhausted)
        status = ngi_fail_memory(w->ctx);
    else if (w->error)
        status = fail_path(w->ctx, w->path, w->error);
    destroy(writer);
    return status;
}

void ng_writer_abort(ng_writer **writer) {
    if (writer && *writer)
        destroy(writer);
}
