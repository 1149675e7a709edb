/* Models as JSON, both ways. */
#ifndef NGI_MODEL_JSON_H
#define NGI_MODEL_JSON_H

#include "learner/model.h"

#include <jansson.h>

/* A number, or null for one that is not finite. */
json_t *ngi_json_number(double x);

/* The summary as --json prints it; NULL when out of memory. */
json_t *ngi_model_result(const ng_model *model);

/* Kinds by their keys, and back from a result: the first of each where the
 * key is unknown. */
const char *ngi_std_errors_name(ng_std_errors kind);
const char *ngi_dispersion_name(ng_dispersion kind);
const char *ngi_intervals_name(ng_intervals kind);
const char *ngi_separation_name(ng_separation kind);
void ngi_model_read_kinds(const json_t *result, ng_summary *summary);

#endif
