/* A folder for the test at hand, with the points, a net that knows them, and
 * small images. */
#ifndef NET_PLACE_H
#define NET_PLACE_H

#include "net_fixture.h"

static folder place;

static inline void begin(void) {
    folder_open(&place);
}

static inline void end(void) {
    folder_remove(place.path);
}

static inline ng_net_data *points(size_t rows, uint64_t seed,
                                  const char *target) {
    char name[32];
    snprintf(name, sizeof name, "points%llu.csv", (unsigned long long)seed);
    write_points(folder_file(&place, name), rows, seed);
    return read_net_data(place.file, target, NULL, NULL);
}

/* A net that has seen a few batches of the points. */
static inline ng_net *quick_net(const char *target, const char *layers) {
    ng_net_data *data = points(200, 1, target);
    ng_net_options options = net_options(layers, NG_TRAIN_KFAC);
    options.iterations = 3;
    ng_net *net = fit_net(data, &options);
    ng_net_data_destroy(&data);
    return net;
}

/* Two by two, three of them, and a label each. */
static const unsigned char IMAGES[] = {0, 0, 8, 3, 0, 0, 0, 3,  0,   0,
                                       0, 2, 0, 0, 0, 2, 0, 51, 102, 255,
                                       1, 2, 3, 4, 9, 8, 7, 6};
static const unsigned char LABELS[] = {0, 0, 8, 1, 0, 0, 0, 3, 2, 0, 1};

#endif
