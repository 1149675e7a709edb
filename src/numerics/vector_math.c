#include "numerics/vector_math.h"

NGI_LANES void ngi_vector_exp(size_t n, const double *x, double *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = ngi_lane_exp(x[i]);
}

NGI_LANES void ngi_vector_log(size_t n, const double *x, double *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = ngi_lane_log(x[i]);
}

NGI_LANES void ngi_vector_softplus(size_t n, const double *x, double *y) {
    for (size_t i = 0; i < n; i++) {
        double positive = x[i] > 0 ? x[i] : 0;
        y[i] = positive + ngi_lane_logistic(x[i]).log_large;
    }
}

NGI_LANES void ngi_vector_expit(size_t n, const double *x, double *y) {
    for (size_t i = 0; i < n; i++) {
        double t = ngi_lane_exp(-fabs(x[i]));
        y[i] = (x[i] < 0 ? t : 1) / (1 + t);
    }
}
