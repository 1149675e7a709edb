/* The inside of a run, shared by the loop, the rules that make directions and
 * the steps that choose lengths. */
#ifndef NGI_LOOP_H
#define NGI_LOOP_H

#include "base/base.h"
#include "natgrad/fit.h"

/* A first-order method: a direction from the gradient and a memory of two
 * vectors, zero at the start. */
typedef struct ngi_rule {
    /* d = the direction of descent at iteration t (from 0). */
    void (*direction)(size_t n, size_t t, const double *g, double *first,
                      double *second, double *d);
    double rate; /* default */
} ngi_rule;

extern const ngi_rule ngi_rule_gradient;
extern const ngi_rule ngi_rule_momentum;
extern const ngi_rule ngi_rule_rmsprop;
extern const ngi_rule ngi_rule_adam;

/* How a step ended. */
typedef enum ngi_outcome {
    NGI_MOVED,     /* `trial` is the next theta */
    NGI_NO_DESCENT /* no acceptable trial */
} ngi_outcome;

/* Chooses a length along fit->direction and leaves the point in fit->trial,
 * with change, kl and length in the fit. */
typedef struct ngi_step_ops {
    ng_status (*take)(ng_fit *fit, ngi_outcome *outcome);
} ngi_step_ops;

extern const ngi_step_ops ngi_step_fixed;
extern const ngi_step_ops ngi_step_kl;
extern const ngi_step_ops ngi_step_line_search;
extern const ngi_step_ops ngi_step_lm;

struct ng_fit {
    ng_problem *problem;
    ng_fit_options options;
    const ngi_step_ops *step;
    const ngi_rule *rule; /* NULL for natural and newton */
    ng_metric *metric;    /* of the direction; NULL where there is a rule */
    ng_metric *judge;     /* measures a rule's decrement now and then */
    double *memory;       /* of the vectors below */
    double *theta, *trial, *gradient, *direction, *scratch, *scratch1;
    double *first, *second;  /* memory of the rule */
    double damping;          /* in use */
    double objective, slope; /* at theta; g' direction */
    double form;             /* d' F d of the direction, NaN if not known */
    double length, last_length, change, kl; /* of the trial */
    double last_decrement;
    double steepest; /* largest |gradient| so far */
    ng_report report;
    double started; /* by ngi_seconds */
    bool clock_runs;
};

/* d' F d with the exact Fisher at theta, computed once an iteration. */
ng_status ngi_quadratic_form(ng_fit *fit, double *form);

/* trial = theta moved by `length` along the direction, by the run's
 * integrator; then the change of the objective and the true KL of the move. A
 * point that is nowhere (not finite) has an infinite change. */
ng_status ngi_try_length(ng_fit *fit, double length);

/* What rounding can do to a change of the objective. */
double ngi_change_slack(const ng_fit *fit);

/* The longest first trial that the rate and the KL radius admit. */
ng_status ngi_first_length(ng_fit *fit, double *length);

/* direction = -(metric)^-1 gradient with this damping; slope follows. */
ng_status ngi_metric_direction(ng_fit *fit, double damping);

/* The clock counts work and leaves bookkeeping out. */
void ngi_clock_start(ng_fit *fit);
void ngi_clock_stop(ng_fit *fit);

#endif
