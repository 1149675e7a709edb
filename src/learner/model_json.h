/* Models as JSON, both ways. */
#ifndef NGI_MODEL_JSON_H
#define NGI_MODEL_JSON_H

#include "learner/model.h"

#include <jansson.h>

/* A number, or null for one that is not finite. */
json_t *ngi_json_number(double x);

/* The summary as --json prints it; NULL when out of memory. */
json_t *ngi_model_result(const ng_model *model);

#endif
