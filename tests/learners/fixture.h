/* What the learner tests share: a context for each test, frames from text or
 * arrays, and small dense algebra written apart from the library's. */
#ifndef LEARNER_FIXTURE_H
#define LEARNER_FIXTURE_H

#include "natgrad/natgrad.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Made anew for each test. */
extern ng_ctx *ctx;

/* Runs the tests that `add` puts in the case; 0 if all passed. */
int learner_main(const char *name, void (*add)(TCase *tests));

#define OK(call)                                                               \
    do {                                                                       \
        ng_status ok_status_ = (call);                                         \
        ck_assert_msg(ok_status_ == NG_OK, "%s: %s", #call, ng_error(ctx));    \
    } while (0)

#define NEAR(x, y, tolerance) ck_assert_double_eq_tol(x, y, tolerance)

/* |x - y| <= tolerance * |y|, with what was compared in the message. */
void check_relative(const char *what, double x, double y, double tolerance);

/* ---- Frames ---- */
ng_frame *frame_of_text(const char *csv, const char *factor);
/* Columns x0, x1, ... are named by the caller. */
ng_frame *frame_of_arrays(size_t rows, size_t columns, const char *const *names,
                          const double *const *values);
/* A file under shared/reference/stat; NULL, having said SKIP, if absent. */
ng_frame *frame_of_reference(const char *test, const char *file);
/* The whole of a reference file as text, to be freed; NULL likewise. */
char *reference_text(const char *test, const char *file);

/* ---- Fits ---- */
ng_glm_options glm_options(const char *family, const char *link,
                           const char *target);
ng_model *fit_glm(const ng_frame *frame, const ng_glm_options *options);
ng_dist_options dist_options(const char *family, const char *const *columns,
                             size_t count);
ng_model *fit_dist(const ng_frame *frame, const ng_dist_options *options);
double estimate(const ng_model *model, size_t i);
double std_error(const ng_model *model, size_t i);
/* The estimate of a parameter by its term and, unless NULL, level. */
const ng_parameter *parameter(const ng_model *model, const char *term,
                              const char *level);
/* Same estimates and standard errors, to relative tolerance. */
void check_same_fit(const ng_model *a, const ng_model *b, double tolerance);

/* ---- Algebra ---- */
/* A^-1 by Gauss-Jordan elimination with row exchanges; A is d x d. */
void invert(size_t d, const double *A, double *inverse);

#endif
