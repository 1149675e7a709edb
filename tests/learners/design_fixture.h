/* A table from text, and designs over it. */
#ifndef DESIGN_FIXTURE_H
#define DESIGN_FIXTURE_H

#include "fixture.h"
#include "learner/design.h"

static ng_frame *frame;
static ngi_table table;

static inline void open_text(const char *csv, const char *factor) {
    frame = frame_of_text(csv, factor);
    ngi_table_of_frame(frame, &table);
}

static inline ngi_design *design_of(const char *formula) {
    ngi_design_spec spec = {.formula = formula};
    ngi_design *design;
    OK(ngi_design_create(ctx, &table, &spec, &design));
    return design;
}

static inline void check_names(const ngi_design *design, const char *names) {
    char text[4096] = "";
    for (size_t j = 0; j < design->width; j++) {
        strcat(text, j ? "|" : "");
        strcat(text, design->name[j]);
    }
    ck_assert_str_eq(text, names);
}

#endif
