#include "layerwise/layerwise.h"

const metric_ops *NR(metric_find)(ng_trainer optimizer) {
    switch (optimizer) {
    case NG_TRAIN_KFAC:
        return &NR(kfac);
    case NG_TRAIN_EKFAC:
        return &NR(ekfac);
    case NG_TRAIN_LAYER_DENSE:
        return &NR(layer_dense);
    case NG_TRAIN_NATURAL:
        return &NR(natural);
    case NG_TRAIN_SAMPLE_SPACE:
        return &NR(sample_space);
    case NG_TRAIN_DIAGONAL:
        return &NR(diagonal);
    case NG_TRAIN_CG:
        return &NR(conjugate_gradients);
    default:
        return NULL;
    }
}
