/* What the conformance programs share: the table of families and ordinary
 * parameters, and independent ways to differentiate and to integrate. */
#ifndef CONFORM_CASES_H
#define CONFORM_CASES_H

#include "natgrad/family.h"

#include <stdbool.h>

enum { MAX_Z = 9, MAX_Y = 4, MAX_POINTS = 5, MAX_WORK = 256 };
enum { MAX_OBSERVATIONS = 8, MAX_STATISTICS = MAX_Z + 2 * MAX_Z * MAX_Z };

/* The one table that a new family is added to. */
typedef struct family_facts {
    const char *name;
    size_t size;
    double lower, upper; /* closure of the support of a scalar y */
    size_t points;
    double z[MAX_POINTS][MAX_Z];
} family_facts;

extern const family_facts FAMILY_FACTS[];

/* A family at one parameter. */
typedef struct point {
    ng_family family;
    const family_facts *facts;
    double z[MAX_Z];
    double kink; /* one more y at which integrals are split; NAN for none */
    double work[MAX_WORK];
} point;

/* The families of ng_family_list(), and all points of all of them: ranges for
 * Check's loop tests. family_at fails the test for a family that the table
 * lacks and gives the family's first point. */
int family_count(void);
int point_count(void);
point family_at(int index);
point point_at(int index);

/* sqrt of the Fisher's diagonal: 1 / the natural unit of each component. */
void point_units(point *p, double *unit);
/* y's to try: quantiles, of a vector y draws with a fixed seed. Returns their
 * number. */
size_t point_observations(point *p, double *y);

/* The derivative of f (k outputs) at p->z along `direction`, and a bound on
 * the error of the estimate: see differentiate's body. f rounds as a number of
 * the size of its value or of `terms`, the largest that it sums. */
typedef void (*vector_function)(point *p, const double *z, const void *user,
                                double *out);
void differentiate(point *p, const double *direction, double step,
                   vector_function f, const void *user, size_t k, double terms,
                   double *value, double *error);

/* E g(Y) for Y ~ p (k outputs), with the error that must be allowed for. A
 * scalar continuous y is integrated, a discrete one summed, a vector y drawn.
 */
typedef void (*statistic)(point *p, const double *y, const void *user,
                          double *out);
void expect(point *p, statistic g, const void *user, size_t k, double *value,
            double *error);

/* The integral of the density over (a, b), scalar continuous y. */
double integrate_density(point *p, double a, double b);

double log_density_at(point *p, const double *z, const double *y);
double divergence(point *p, const double *z1);

/* The program's main: runs the suite in one process or many as CK_FORK says.
 */
struct Suite;
int run_suite(struct Suite *suite);
#endif
