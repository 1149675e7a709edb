/* The negative binomial's mass function and the expectations under it that
 * have no closed form. */
#ifndef NGI_NEGATIVE_BINOMIAL_H
#define NGI_NEGATIVE_BINOMIAL_H

/* Counts beyond this are taken for it, so that sums with the size and the
 * mean stay finite. */
#define NGI_NB_MAX_COUNT 1e300

/* One law; logarithms are cut to +-700 so that both sums and ratios of the
 * mean and the size are representable. */
typedef struct ngi_nb {
    double log_mean, log_size, mean, size;
    double p, q;      /* mean / (size + mean), size / (size + mean) */
    double log_total; /* log(size + mean) */
} ngi_nb;

/* A place y >= 0 (not always whole) with the ratios that would cancel:
 * a = (y - mean) / (size + mean), b = q (mean / y - 1). */
typedef struct ngi_nb_point {
    double y, a, b;
} ngi_nb_point;

ngi_nb ngi_nb_make(const double *z);
ngi_nb_point ngi_nb_at_count(const ngi_nb *law, double y);
double ngi_nb_log_mass(const ngi_nb *law, const ngi_nb_point *point);
/* d log p / d log size and minus the second derivative. */
double ngi_nb_size_score(const ngi_nb *law, const ngi_nb_point *point);
double ngi_nb_size_curvature(const ngi_nb *law, const ngi_nb_point *point);

/* Variance of the score above, and KL between two laws of equal means. */
double ngi_nb_size_information(const ngi_nb *law);
double ngi_nb_size_kl(const ngi_nb *from, const ngi_nb *to);
#endif
