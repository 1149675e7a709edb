/* What the tests of nets share: files in a folder of their own. */
#ifndef NET_FIXTURE_H
#define NET_FIXTURE_H

#include "fixture.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct folder {
    char path[64];
    char file[512]; /* of the last call of folder_file */
} folder;

static inline void folder_open(folder *f) {
    strcpy(f->path, "/tmp/natgrad-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(f->path));
}

/* Removes it with its files, and those of folders in it. */
static inline void folder_remove(const char *path) {
    DIR *directory = opendir(path);
    ck_assert_ptr_nonnull(directory);
    for (struct dirent *e = readdir(directory); e; e = readdir(directory)) {
        char name[1024];
        struct stat about;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (stat(name, &about) == 0 && S_ISDIR(about.st_mode))
            folder_remove(name);
        else
            unlink(name);
    }
    closedir(directory);
    ck_assert_int_eq(rmdir(path), 0);
}

static inline const char *folder_file(folder *f, const char *name) {
    snprintf(f->file, sizeof f->file, "%s/%s", f->path, name);
    return f->file;
}

static inline void write_bytes(const char *path, const void *data,
                               size_t size) {
    FILE *stream = fopen(path, "wb");
    ck_assert_ptr_nonnull(stream);
    ck_assert_uint_eq(fwrite(data, 1, size, stream), size);
    ck_assert_int_eq(fclose(stream), 0);
}

static inline void write_text(const char *path, const char *text) {
    write_bytes(path, text, strlen(text));
}

/* Three classes of points in three dimensions, a group and a number y that
 * depends on all. */
static inline void write_points(const char *path, size_t rows, uint64_t seed) {
    static const char *const kinds[] = {"ant", "bee", "cat"};
    ng_rng rng;
    FILE *stream = fopen(path, "wb");
    ck_assert_ptr_nonnull(stream);
    ng_rng_init(&rng, seed, 0);
    fprintf(stream, "a,b,group,kind,y\n");
    for (size_t i = 0; i < rows; i++) {
        double a = 10 + 5 * ng_rng_normal(&rng), b = ng_rng_normal(&rng);
        size_t group = (size_t)(2 * ng_rng_uniform(&rng));
        double y = 0.3 * (a - 10) + sin(2 * b) + (double)group;
        size_t kind = y < 0 ? 0 : y < 1.5 ? 1 : 2;
        fprintf(stream, "%.17g,%.17g,%s,%s,%.17g\n", a, b,
                group ? "left" : "right", kinds[kind], y);
    }
    ck_assert_int_eq(fclose(stream), 0);
}

static inline ng_net_data *read_net_data(const char *path, const char *target,
                                         const char *family,
                                         const ng_net *like) {
    const ng_net_source source = {.path = path, .target = target};
    ng_net_data *data;
    OK(ng_net_data_read(ctx, &source, family, like, &data));
    return data;
}

static inline ng_net_options net_options(const char *layers,
                                         ng_trainer optimizer) {
    ng_net_options options;
    ng_net_options_init(&options);
    options.layers = layers;
    options.train.optimizer = optimizer;
    return options;
}

static inline ng_net *fit_net(const ng_net_data *data,
                              const ng_net_options *options) {
    ng_net *net;
    OK(ng_net_fit(ctx, data, options, &net));
    return net;
}

/* All parameters; to be freed. */
static inline double *net_theta(ng_net *net) {
    ng_network *network = ng_net_network(net);
    double *theta = calloc(ng_network_parameters(network), sizeof *theta);
    ck_assert_ptr_nonnull(theta);
    ng_network_get(network, theta);
    return theta;
}

static inline void check_same_theta(ng_net *a, ng_net *b) {
    size_t dim = ng_network_parameters(ng_net_network(a));
    double *x = net_theta(a), *y = net_theta(b);
    ck_assert_uint_eq(dim, ng_network_parameters(ng_net_network(b)));
    ck_assert_msg(memcmp(x, y, dim * sizeof *x) == 0,
                  "the parameters are not the same");
    free(x);
    free(y);
}

/* The call fails like this, with all of `words` (ended by NULL) said. */
static inline void check_failure(ng_status status, ng_status expected,
                                 const char *const *words) {
    ck_assert_msg(status == expected, "status %d (%s)", (int)status,
                  ng_error(ctx));
    for (; *words; words++)
        ck_assert_msg(strstr(ng_error(ctx), *words) != NULL,
                      "\"%s\" does not say \"%s\"", ng_error(ctx), *words);
}
#define FAILS(call, expected, ...)                                             \
    check_failure(call, expected, (const char *const[]){__VA_ARGS__, NULL})

#endif
