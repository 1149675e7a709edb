/* The average of the iterates, over about the last tenth of them: late enough
 * to have forgotten the start, long enough to take the noise of the batches
 * out (Polyak & Juditsky 1992; Martens & Grosse 2015, section 8). */
#include "train/trainer.h"

#include <math.h>

void NR(trainer_follow)(trainer *t, size_t first, size_t count) {
    const double share = 0.1;
    if (!t->average)
        return;
    double window = share * ((double)t->iteration + 1);
    double keep = window > 1 ? 1 - 1 / window : 0;
    keep = fmin(keep, t->options.average);
    NR(axpby)
    (count, (real)(1 - keep), t->e->theta + first, (real)keep,
     t->average + first);
}

static void average_worker(void *user, size_t worker) {
    trainer *t = user;
    size_t first, end;
    engine_share(t->e->dim, worker, t->e->workers, &first, &end);
    NR(trainer_follow)(t, first, end - first);
}

void NR(trainer_average)(trainer *t) {
    if (t->average)
        NR(trainer_run)(t, average_worker);
}
