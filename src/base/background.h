/* One thread beside the training that does one job at a time. */
#ifndef NGI_BACKGROUND_H
#define NGI_BACKGROUND_H

#include "base/base.h"

typedef struct ngi_background ngi_background;

/* With `threaded` false jobs run in ngi_background_start. */
ng_status ngi_background_create(ng_ctx *ctx, bool threaded,
                                ngi_background **out);
/* Waits for the job at hand. */
void ngi_background_destroy(ngi_background **background);
/* Begins a job; the one before must have been waited for. */
void ngi_background_start(ngi_background *background, void (*job)(void *user),
                          void *user);
void ngi_background_wait(ngi_background *background);

#endif
