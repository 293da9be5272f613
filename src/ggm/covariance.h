/* libggm: from samples to a covariance or correlation matrix, plain or robust, and from an indefinite matrix to a definite one.
 *
 * Row-major arrays; variables are columns. See ggm.h for threads (0 = as many as OpenMP would use) and ownership. All of a resample
 * (ggm_samples.rows) is handled as if its rows had been copied out, repeats included.
 *
 * S is formed in the order transform, covariance, shrinkage, repair; each is described at ggm_covariance.
 *
 * Determinism: the same bits at any number of threads, on the same kind of processor with the same BLAS, if that is OpenBLAS built
 * with OpenMP, or a single-threaded one. */
#pragma once
#include <ggm/ggm.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* What was done to S besides its plain formula */
typedef struct {
    double shrinkage;           /* the intensity a that was used */
    double smallest_eigenvalue; /* of the correlation matrix of S before the repair; NAN if there was none */
    bool repaired;
    double repair_distance;     /* Frobenius norm of the change that the repair made to the correlation matrix; 0 without one */
} ggm_covariance_info;

/* No transform, winsor = 0.01, no shrinkage, repair */
void ggm_default_covariance_settings(ggm_covariance_settings *settings);

/* s (p, p) <- covariance of the samples with divisor n, the maximum likelihood estimate (means are estimated too), or for every transform
 * but GGM_TRANSFORM_NONE and GGM_TRANSFORM_WINSOR a correlation matrix: every diagonal entry is 1 or, for a variable that takes a
 * single value, 0, as are then its row and column (ggm_solve refuses such a matrix with GGM_ERROR_DIAGONAL). Without a transform such a
 * variable's row and column are exactly 0 too. settings may be NULL (defaults).
 *
 * Transforms. r is the rank of a value among the n of its variable, 1 the smallest, ties given their mean rank:
 *   NONE           x
 *   WINSOR         with g = floor(winsor * n) the g smallest values become the g+1-st, the g largest the g+1-st from above
 *   NPN            inverse normal distribution function of r / (n + 1)              (Liu, Lafferty & Wasserman, JMLR 2009)
 *   NPN_TRUNCATED  the same of r / n, moved into [d, 1 - d], d = 1 / (4 n^(1/4) sqrt(pi log n))               (the same)
 *   SPEARMAN       r: S is Spearman's rank correlation rho
 *   SKEPTIC        S_ij = 2 sin(pi/6 rho_ij)                           (Liu, Han, Yuan, Lafferty & Wasserman, Ann. Statist. 2012)
 *   KENDALL        S_ij = sin(pi/2 tau_ij), tau_ij Kendall's tau-b: (concordant - discordant) / sqrt((N - N_i)(N - N_j)), where N = n (n-1)/2
 *                  and N_i is the number of pairs of samples tied in variable i                                    (the same)
 * NPN, NPN_TRUNCATED and SPEARMAN then take the correlation of the transformed samples.
 *
 * Shrinkage: S_ij <- (1 - a) S_ij off the diagonal. With settings->shrinkage NAN, a is what minimises the expected squared error of the
 * correlations (Schaefer & Strimmer 2005, their target D), which does not depend on the units of the variables:
 *   a = sum_{i != j} (m_ij - c_ij^2) / (n - 1)  /  sum_{i != j} c_ij^2,  moved into [0, 1]; 0 if fewer than two variables vary,
 * c the correlations that S holds, m_ij the mean over the samples of z_i^2 z_j^2, z the transformed samples, for SKEPTIC and KENDALL
 * their ranks, with every variable scaled to mean 0 and variance 1 (constant ones are 0).
 *
 * Repair: only SKEPTIC and KENDALL can give an indefinite S; the others are positive semidefinite up to rounding. With
 * settings->repair S then goes through ggm_repair; without, an indefinite S is left as it is, which the graphical lasso may well be
 * able to solve, its penalty permitting.
 *
 * Precision: samples in double precision are multiplied in double precision. Samples in single precision are centred by means in double
 * precision, rounded to single, multiplied in blocks of 128 to 1024 rows (about 8 sqrt(n)), and the blocks added in double precision:
 * S_ij is then within 1e-6 sqrt(S_ii S_jj) of what double precision gives, in practice within 5e-7.
 *
 * Errors: GGM_ERROR_ARGUMENT (n or p is 0 or above INT_MAX, not exactly one of x and x32, a setting out of range), GGM_ERROR_NOT_FINITE
 * (NaN or infinite samples, or so large that S overflows), GGM_ERROR_MEMORY, and those of ggm_repair; s is then undefined.
 *
 * Cost: n p^2 flops at close to the machine's rate for matrix products; the transforms by rank sort, n log n a variable, and hold a copy
 * of the samples. KENDALL takes n p^2 / 2 steps of 4 to 10 nanoseconds, shared among the threads (n of tens of thousands; more steps
 * beyond), and 4 n p bytes; SKEPTIC estimates the same correlations much faster. A repair costs an eigendecomposition.
 * Memory besides s: 4096 samples, in single precision 2 MiB a thread, and with a transform a copy of all samples. It cannot be interrupted. */
ggm_status ggm_covariance(const ggm_samples *samples, const ggm_covariance_settings *settings, int threads, double *s);

/* The same, saying what was done in *info (NULL is fine; zeroed after an error) */
ggm_status ggm_covariance_with_info(const ggm_samples *samples, const ggm_covariance_settings *settings, int threads, double *s,
                                    ggm_covariance_info *info);

/* Makes the symmetric s (p, p), both triangles given, positive definite if it is not positive semidefinite, and leaves it alone if it is
 * (its smallest eigenvalue, as a correlation matrix, is above -1e-8). The eigenvalues of the correlation matrix below 1e-8 are raised to
 * 1e-8, and rows and columns scaled so that the diagonal of s stays as it was (Rousseeuw & Molenberghs 1993, "eigenvalue method").
 * Variables with S_ii = 0 are left out. *info (may be NULL) tells. Errors: GGM_ERROR_NOT_FINITE, GGM_ERROR_NOT_SYMMETRIC as ggm_solve has
 * it, GGM_ERROR_DIAGONAL (S_ii < 0, or S_ii = 0 with another entry
 * in its row), GGM_ERROR_INDEFINITE (LAPACK found no eigenvalues), GGM_ERROR_MEMORY, GGM_ERROR_ARGUMENT; s is then unchanged.
 * Cost: p^3 / 3 flops if all is well, else that of the eigenvectors needed, at most about 9 p^3; p^2 doubles, 2 p^2 for a repair. */
ggm_status ggm_repair(double *s, size_t p, int threads, ggm_covariance_info *info);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
