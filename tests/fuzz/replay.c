/* Feeds every file of the folders named on the command line to the fuzz
 * target, for compilers that have no fuzzer. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path) {
    FILE *file = fopen(path, "rb");
    long size = -1;
    if (file && fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    uint8_t *data = size < 0 ? NULL : malloc((size_t)size + 1);
    int failed = 1;
    if (data) {
        rewind(file);
        failed = fread(data, 1, (size_t)size, file) != (size_t)size;
    }
    if (file)
        fclose(file);
    if (failed)
        fprintf(stderr, "replay: %s cannot be read\n", path);
    else
        LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
    return failed;
}

/* The number of files, or -1. */
static long replay_folder(const char *folder) {
    DIR *directory = opendir(folder);
    long count = 0;
    char path[4096];
    if (!directory) {
        fprintf(stderr, "replay: %s: %s\n", folder, strerror(errno));
        return -1;
    }
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (replay_file(path) != 0) {
            count = -1;
            break;
        }
        count++;
    }
    closedir(directory);
    return count;
}

int main(int argc, char **argv) {
    long total = 0;
    for (int i = 1; i < argc; i++) {
        long count = replay_folder(argv[i]);
        if (count < 0)
            return 1;
        total += count;
    }
    printf("replayed %ld files\n", total);
    return total == 0;
}
