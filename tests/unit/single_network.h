/* The same pass in single precision, for whoever was compiled for double. */
#ifndef SINGLE_NETWORK_H
#define SINGLE_NETWORK_H

#include "network/architecture.h"

/* z (count x outputs) and the gradient of the batch's summed loss. */
ng_status single_run(const ngi_architecture *architecture,
                     const ng_batch *batch, const double *theta, double *z,
                     double *gradient);

#endif
