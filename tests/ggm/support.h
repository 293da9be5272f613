/* What libggm's tests share: matrices to solve, and a checker of answers that is none of libggm's. */
#pragma once
#include "ggm/ggm.h"

#include <stdint.h>

/* A .npy file of a square C-ordered float64 matrix; NULL if it is not there. Freed with free(). */
double *read_square_npy(const char *path, size_t *p);

/* xorshift64* and Box-Muller: the same numbers everywhere */
typedef struct {
    uint64_t state;
} rng;
rng rng_seeded(uint64_t seed);
double rng_uniform(rng *r); /* (0, 1) */
double rng_normal(rng *r);
int rng_below(rng *r, int n);

/* (n, p) samples, one a row, from N(0, inverse of truth); truth (p, p) positive definite */
double *draw_samples(rng *r, const double *truth, int p, int n);
/* (p, p) covariance of n samples from N(0, inverse of truth); truth (p, p) positive definite */
double *sample_covariance(rng *r, const double *truth, int p, int n);
/* (p, p) positive definite with unit diagonal and about `degree` nonzeros off the diagonal in a row */
double *sparse_truth(rng *r, int p, double degree);

/* A small random problem; `number` varies the kind: rank-deficient S and full-rank S, duplicate columns, disconnected ones, units far apart, both
 * treatments of the diagonal, scaled or not, with and without weights (among them 0 and infinity) */
typedef struct {
    ggm_problem problem;
    double *s, *weights; /* what it points to */
} instance;
instance random_instance(rng *r, int number);
void instance_release(instance *x);

/* logdet of a (p, p) positive definite, by a plain Cholesky; NaN if it is not */
double plain_logdet(const double *a, int p);
