/* 1/2 sum_j ridge_j B_j' C B_j over the columns B_j of a linear block, with
 * C = I - coupling 1 1' over its outputs. For a categorical family of K levels
 * coupling = 1/K: with the reference level's 0 included, B_j' C B_j is the sum
 * of squares about the mean over all K levels, which is what the symmetric
 * softmax's penalty comes to at its minimum. */
#include "problem/model.h"

#include <math.h>

typedef struct columns {
    size_t first, inputs, outputs;
} columns;

static columns ridge_columns(const ngi_model *m) {
    const ng_predictor *p = &m->predictor[m->ridge_block];
    return (columns){m->theta_first[m->ridge_block], p->inputs, p->outputs};
}

/* a' C b of column j. */
static double form(const ngi_model *m, const columns *at, size_t j,
                   const double *a, const double *b) {
    double product = 0, sum_a = 0, sum_b = 0;
    for (size_t c = 0; c < at->outputs; c++) {
        double x = a[at->first + c * at->inputs + j];
        double y = b[at->first + c * at->inputs + j];
        product += x * y;
        sum_a += x;
        sum_b += y;
    }
    return product - m->coupling * sum_a * sum_b;
}

double ngi_model_penalty(const ngi_model *m, const double *theta) {
    if (!m->ridge)
        return 0;
    columns at = ridge_columns(m);
    double sum = 0;
    for (size_t j = 0; j < at.inputs; j++)
        sum += m->ridge[j] * form(m, &at, j, theta, theta);
    return 0.5 * sum;
}

/* (b' C b - a' C a) / 2 = (b - a)' C (b + a) / 2, which does not cancel. */
double ngi_model_penalty_change(const ngi_model *m, const double *theta0,
                                const double *theta1) {
    if (!m->ridge)
        return 0;
    columns at = ridge_columns(m);
    double change = 0;
    for (size_t j = 0; j < at.inputs; j++) {
        double product = 0, sum_minus = 0, sum_plus = 0;
        for (size_t c = 0; c < at.outputs; c++) {
            size_t k = at.first + c * at.inputs + j;
            double minus = theta1[k] - theta0[k], plus = theta1[k] + theta0[k];
            product += minus * plus;
            sum_minus += minus;
            sum_plus += plus;
        }
        change += m->ridge[j] * (product - m->coupling * sum_minus * sum_plus);
    }
    return 0.5 * change;
}

void ngi_model_penalty_product(const ng_problem *problem, const double *v,
                               double *out) {
    const ngi_model *m = ngi_model_of(problem);
    if (!m->ridge)
        return;
    columns at = ridge_columns(m);
    for (size_t j = 0; j < at.inputs; j++) {
        double sum = 0;
        for (size_t c = 0; c < at.outputs; c++)
            sum += v[at.first + c * at.inputs + j];
        for (size_t c = 0; c < at.outputs; c++) {
            size_t k = at.first + c * at.inputs + j;
            out[k] += m->ridge[j] * (v[k] - m->coupling * sum);
        }
    }
}

void ngi_model_penalty_add(const ng_problem *problem, double *F) {
    const ngi_model *m = ngi_model_of(problem);
    if (!m->ridge)
        return;
    columns at = ridge_columns(m);
    size_t d = problem->dim;
    for (size_t j = 0; j < at.inputs; j++) {
        for (size_t c = 0; c < at.outputs; c++) {
            double *row = F + (at.first + c * at.inputs + j) * d;
            for (size_t e = 0; e <= c; e++)
                row[at.first + e * at.inputs + j] +=
                    m->ridge[j] * ((c == e) - m->coupling);
        }
    }
}

void ngi_model_penalty_diagonal(const ng_problem *problem, double *diagonal) {
    const ngi_model *m = ngi_model_of(problem);
    if (!m->ridge)
        return;
    columns at = ridge_columns(m);
    for (size_t c = 0; c < at.outputs; c++) {
        for (size_t j = 0; j < at.inputs; j++)
            diagonal[at.first + c * at.inputs + j] +=
                m->ridge[j] * (1 - m->coupling);
    }
}

/* Sherman-Morrison per column: with a = ridge_j + damping and
 * b = ridge_j coupling, (a I - b 1 1')^-1 = (I + b/(a - b k) 1 1') / a. */
ng_status ngi_model_penalty_solve(const ng_problem *problem, double damping,
                                  const double *v, double *out) {
    const ngi_model *m = ngi_model_of(problem);
    if (!(damping > 0) &&
        (!m->ridge || m->predictor[m->ridge_block].dim != problem->dim))
        return NG_ENUMERIC;
    for (size_t k = 0; k < problem->dim; k++)
        out[k] = damping > 0 ? v[k] / damping : v[k];
    if (!m->ridge)
        return NG_OK;
    columns at = ridge_columns(m);
    for (size_t j = 0; j < at.inputs; j++) {
        double a = m->ridge[j] + damping, b = m->ridge[j] * m->coupling;
        double sum = 0;
        if (!(a > 0))
            return NG_ENUMERIC;
        for (size_t c = 0; c < at.outputs; c++)
            sum += v[at.first + c * at.inputs + j];
        double shared = sum * b / (a - b * (double)at.outputs);
        for (size_t c = 0; c < at.outputs; c++) {
            size_t k = at.first + c * at.inputs + j;
            out[k] = (v[k] + shared) / a;
        }
    }
    return NG_OK;
}
