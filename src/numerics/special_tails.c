#include "numerics/special_impl.h"

#include <float.h>
#include <math.h>

enum { uniform_terms = 32 };

/* The Taylor coefficients of eta / z(eta), where z dz/deta =
 * eta (1 + c1 z - c2 z^2) and z = eta + ... With z = eta Z and S = Z^2 the
 * equation reads (k + 2) / 2 S_k = c1 Z_{k-1} - c2 S_{k-2}. */
static void slope_ratio_series(double c1, double c2, double *f) {
    double z[uniform_terms];
    double s[uniform_terms];
    z[0] = s[0] = f[0] = 1.0;
    for (int k = 1; k < uniform_terms; k++) {
        const double below = k > 1 ? s[k - 2] : 0.0;
        s[k] = 2.0 / (k + 2.0) * (c1 * z[k - 1] - c2 * below);
        double cross = 0.0;
        for (int i = 1; i < k; i++)
            cross += z[i] * z[k - i];
        z[k] = 0.5 * (s[k] - cross);
        double quotient = 0.0;
        for (int i = 1; i <= k; i++)
            quotient += z[i] * f[k - i];
        f[k] = -quotient;
    }
}

/* Temme's uniform expansion. With f = eta / z the lower tail F satisfies
 *   dF/deta = sqrt(m / 2 pi) e^{-m eta^2 / 2} f(eta) / G,
 * G being the Stirling factor of the normaliser. Writing
 *   F = erfc(-eta sqrt(m / 2)) / 2 - e^{-m eta^2 / 2} T / (G sqrt(2 pi m))
 * gives T' - m eta T = m (G - f), so the coefficients of T obey
 *   t_{n-1} = f_n + (n + 1) t_{n+1} / m,  G = 1 + t_1 / m,
 * a recurrence that is stable downwards. (For the gamma distribution this is
 * DLMF 8.12.3-4; the same steps serve the beta distribution.) */
void ngi_uniform_tails(double c1, double c2, double m, double eta,
                       double deviance, ngi_tails *out) {
    double f[uniform_terms];
    slope_ratio_series(c1, c2, f);
    double t[uniform_terms + 1] = {0.0};
    for (int n = uniform_terms - 1; n > 0; n--)
        t[n - 1] = f[n] + (n + 1.0) / m * t[n + 1];
    double sum = 0.0;
    for (int n = uniform_terms - 1; n >= 0; n--)
        sum = sum * eta + t[n];
    const double g = 1.0 + t[1] / m;
    const double decay = exp(-deviance);
    const double rest = decay * sum / (g * sqrt(2.0 * NGI_PI * m));
    const double z = copysign(sqrt(deviance), eta);
    out->lower = fmin(fmax(0.5 * erfc(-z) - rest, 0.0), 1.0);
    out->upper = fmin(fmax(0.5 * erfc(z) + rest, 0.0), 1.0);
}

double ngi_log_tail_inverse(ngi_log_tail f, const double *parameter,
                            double target, double sign, double start,
                            const double *bracket) {
    double lo = bracket[0];
    double hi = bracket[1];
    double s = start > lo && start < hi ? start : 0.5 * (lo + hi);
    for (int i = 0; i < 200; i++) {
        double slope;
        const double gap = f(s, parameter, &slope) - target;
        if (gap == 0.0)
            break;
        if ((gap < 0.0) == (sign > 0.0))
            lo = s;
        else
            hi = s;
        double next = s - gap / slope;
        /* A crawl, or a step out of the bracket, is cut by bisection. */
        if (!(next >= lo && next <= hi) || (i > 20 && i % 2))
            next = 0.5 * (lo + hi);
        const double step = fabs(next - s);
        s = next;
        if (step <= 0.5 * DBL_EPSILON * (1.0 + fabs(s)))
            break;
    }
    return s;
}
