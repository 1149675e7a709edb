/* Links between a block's quantity q and its predictor eta. For every pair of
 * link and coordinate there is one closed form of z(eta) and its derivatives,
 * formed without passing through q, which would lose the tails. */
#include "natgrad/family.h"

#include "base/base.h"
#include "numerics/special.h"

#include <math.h>
#include <string.h>

static const char *const NAMES[NG_LINK_COUNT] = {
    [NG_LINK_IDENTITY] = "identity", [NG_LINK_LOG] = "log",
    [NG_LINK_LOGIT] = "logit",       [NG_LINK_PROBIT] = "probit",
    [NG_LINK_CLOGLOG] = "cloglog",   [NG_LINK_CAUCHIT] = "cauchit",
    [NG_LINK_INVERSE] = "inverse",   [NG_LINK_INVERSE_SQUARE] = "1/mu^2",
    [NG_LINK_SQRT] = "sqrt"};

/* z and its first two derivatives in eta. */
typedef struct jet {
    double z, dz, d2z;
} jet;

static const jet NOWHERE = {NAN, NAN, NAN};

/* q = eta^power: z = q. */
static jet power_real(double eta, double power) {
    if (eta == 0 && power < 2 && power != 1)
        return NOWHERE;
    jet j = {pow(eta, power), power * pow(eta, power - 1),
             power * (power - 1) * (power == 1 ? 0 : pow(eta, power - 2))};
    return j;
}

/* q = eta^power: z = log q = power log eta. */
static jet power_log(double eta, double power) {
    if (!(eta > 0))
        return NOWHERE;
    jet j = {power * log(eta), power / eta, -power / (eta * eta)};
    return j;
}

static jet real_coordinate(ng_link link, double eta) {
    switch (link) {
    case NG_LINK_IDENTITY:
        return (jet){eta, 1, 0};
    case NG_LINK_LOG:
        return (jet){exp(eta), exp(eta), exp(eta)};
    case NG_LINK_INVERSE:
        return power_real(eta, -1);
    case NG_LINK_INVERSE_SQUARE:
        return eta > 0 ? power_real(eta, -0.5) : NOWHERE;
    case NG_LINK_SQRT:
        return eta >= 0 ? power_real(eta, 2) : NOWHERE;
    default:
        return NOWHERE;
    }
}

static jet log_coordinate(ng_link link, double eta) {
    switch (link) {
    case NG_LINK_IDENTITY:
        return power_log(eta, 1);
    case NG_LINK_LOG:
        return (jet){eta, 1, 0};
    case NG_LINK_INVERSE:
        return power_log(eta, -1);
    case NG_LINK_INVERSE_SQUARE:
        return power_log(eta, -0.5);
    case NG_LINK_SQRT:
        return power_log(eta, 2);
    default:
        return NOWHERE;
    }
}

/* z = log(F / S) for a distribution function F, S = 1 - F with density f:
 * dz = f / (F S) and d2z = dz (f'/f - f/F + f/S), all from logarithms. */
static jet from_distribution(double log_F, double log_S, double log_f,
                             double dlog_f) {
    double dz = exp(log_f - log_F - log_S);
    double d2z = dz * (dlog_f - exp(log_f - log_F) + exp(log_f - log_S));
    return (jet){log_F - log_S, dz, d2z};
}

static jet probit(double eta) {
    double log_f = -0.5 * eta * eta - 0.5 * NGI_LOG_2PI;
    return from_distribution(ngi_log_ndtr(eta), ngi_log_ndtr(-eta), log_f,
                             -eta);
}

static jet cloglog(double eta) {
    /* S = exp(-e^eta), f/S = e^eta; F goes to e^eta from below. */
    double e = exp(eta);
    double log_F = eta < -36 ? eta : ngi_log1mexp(-e);
    double dz = exp(eta - log_F);
    return (jet){log_F + e, dz, dz * (1 - exp(eta - e - log_F))};
}

static jet cauchit(double eta) {
    /* atan of the reciprocal keeps the thin side of the tail exact. */
    double tail = atan2(1, fabs(eta)) / NGI_PI;
    double log_thin = log(tail), log_thick = log1p(-tail);
    double log_f = -log(NGI_PI) -
                   (fabs(eta) > 1e150 ? 2 * log(fabs(eta)) : log1p(eta * eta));
    double dlog_f = fabs(eta) > 1e150 ? -2 / eta : -2 * eta / (1 + eta * eta);
    return eta < 0 ? from_distribution(log_thin, log_thick, log_f, dlog_f)
                   : from_distribution(log_thick, log_thin, log_f, dlog_f);
}

static jet logit_coordinate(ng_link link, double eta) {
    switch (link) {
    case NG_LINK_LOGIT:
        return (jet){eta, 1, 0};
    case NG_LINK_PROBIT:
        return probit(eta);
    case NG_LINK_CLOGLOG:
        return cloglog(eta);
    case NG_LINK_CAUCHIT:
        return cauchit(eta);
    case NG_LINK_IDENTITY:
        if (!(eta > 0 && eta < 1))
            return NOWHERE;
        return from_distribution(log(eta), log1p(-eta), 0, 0);
    case NG_LINK_LOG:
        if (!(eta < 0))
            return NOWHERE;
        return from_distribution(eta, ngi_log1mexp(eta), eta, 1);
    default:
        return NOWHERE;
    }
}

static jet evaluate(ng_link link, ng_coordinate coordinate, double eta) {
    switch (coordinate) {
    case NG_COORDINATE_REAL:
        return real_coordinate(link, eta);
    case NG_COORDINATE_LOG:
        return log_coordinate(link, eta);
    case NG_COORDINATE_LOGIT:
        return logit_coordinate(link, eta);
    case NG_COORDINATE_OTHER:
        break;
    }
    return link == NG_LINK_IDENTITY ? (jet){eta, 1, 0} : NOWHERE;
}

/* The link under which eta is the family's own coordinate. */
static bool is_own(ng_link link, ng_coordinate coordinate) {
    switch (coordinate) {
    case NG_COORDINATE_LOG:
        return link == NG_LINK_LOG;
    case NG_COORDINATE_LOGIT:
        return link == NG_LINK_LOGIT;
    case NG_COORDINATE_REAL:
    case NG_COORDINATE_OTHER:
        break;
    }
    return link == NG_LINK_IDENTITY;
}

void ng_link_inverse(ng_link link, ng_coordinate coordinate, size_t n,
                     const double *eta, double *z, double *dz, double *d2z) {
    bool own = is_own(link, coordinate);
    for (size_t i = 0; i < n; i++) {
        jet j = own ? (jet){eta[i], 1, 0} : evaluate(link, coordinate, eta[i]);
        z[i] = j.z;
        if (dz)
            dz[i] = j.dz;
        if (d2z)
            d2z[i] = j.d2z;
    }
}

static double forward_positive(ng_link link, double log_q) {
    switch (link) {
    case NG_LINK_IDENTITY:
        return exp(log_q);
    case NG_LINK_LOG:
        return log_q;
    case NG_LINK_INVERSE:
        return exp(-log_q);
    case NG_LINK_INVERSE_SQUARE:
        return exp(-2 * log_q);
    case NG_LINK_SQRT:
        return exp(0.5 * log_q);
    default:
        return (double)NAN;
    }
}

static double forward_probability(ng_link link, double z) {
    double log_p = -ngi_softplus(-z), log_1mp = -ngi_softplus(z);
    switch (link) {
    case NG_LINK_IDENTITY:
        return ngi_expit(z);
    case NG_LINK_LOG:
        return log_p;
    case NG_LINK_LOGIT:
        return z;
    case NG_LINK_PROBIT:
        return z < 0 ? ngi_ndtri(exp(log_p)) : -ngi_ndtri(exp(log_1mp));
    case NG_LINK_CLOGLOG:
        return log(-log_1mp);
    case NG_LINK_CAUCHIT:
        return z < 0 ? -1 / tan(NGI_PI * exp(log_p))
                     : 1 / tan(NGI_PI * exp(log_1mp));
    default:
        return (double)NAN;
    }
}

static double forward_real(ng_link link, double q) {
    switch (link) {
    case NG_LINK_IDENTITY:
        return q;
    case NG_LINK_LOG:
        return log(q);
    case NG_LINK_INVERSE:
        return 1 / q;
    case NG_LINK_INVERSE_SQUARE:
        return 1 / (q * q);
    case NG_LINK_SQRT:
        return sqrt(q);
    default:
        return (double)NAN;
    }
}

void ng_link_forward(ng_link link, ng_coordinate coordinate, size_t n,
                     const double *z, double *eta) {
    for (size_t i = 0; i < n; i++) {
        switch (coordinate) {
        case NG_COORDINATE_LOG:
            eta[i] = forward_positive(link, z[i]);
            break;
        case NG_COORDINATE_LOGIT:
            eta[i] = forward_probability(link, z[i]);
            break;
        case NG_COORDINATE_REAL:
            eta[i] = forward_real(link, z[i]);
            break;
        case NG_COORDINATE_OTHER:
            eta[i] = link == NG_LINK_IDENTITY ? z[i] : (double)NAN;
            break;
        }
    }
}

const char *ng_link_name(ng_link link) {
    return (size_t)link < NG_LINK_COUNT ? NAMES[link] : "unknown";
}

ng_status ng_link_find(ng_ctx *ctx, const char *name, ng_link *out) {
    for (int i = 0; i < NG_LINK_COUNT; i++) {
        if (strcmp(NAMES[i], name) == 0) {
            *out = (ng_link)i;
            return NG_OK;
        }
    }
    return ngi_fail(ctx, NG_EUSAGE,
                    "unknown link \"%s\"; expected one of identity, log, "
                    "logit, probit, cloglog, cauchit, inverse, 1/mu^2, sqrt",
                    name);
}
