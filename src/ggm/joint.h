/* libggm: several classes at once, the joint graphical lasso (Danaher, Wang & Witten, JRSS B 76, 2014).
 *
 * For covariances S_1 .. S_K of the same p variables in K classes, and weights n_k > 0 of the classes,
 *
 *   min  sum_k n_k [ -logdet T_k + tr(S_k T_k) ] + sum_ij P(T_1,ij, ..., T_K,ij),    every T_k positive definite,
 *
 *   group   P(x) = lambda1 sum_k |x_k| + lambda2 sqrt(sum_k x_k^2)         classes share which edges there are
 *   fused   P(x) = lambda1 sum_k |x_k| + lambda2 sum_{k<l} |x_k - x_l|     classes share edges and their values
 *
 * The sum runs over both triangles, and over the diagonal only if it is penalised. Classes are unordered: the fused penalty joins every pair.
 * With lambda2 = 0 this is K graphical lassos with lambda = lambda1 / n_k, and is solved as such. The dual is
 *
 *   max  sum_k n_k [ logdet W_k + p ],   W_k = S_k + U_k / n_k,   (U_1,ij, ..., U_K,ij) in the dual ball of P for every i, j
 *
 *   group   sum_k (|u_k| - lambda1)_+^2 <= lambda2^2
 *   fused   |sum_{k in A} u_k| <= lambda1 |A| + lambda2 |A| (K - |A|)      for every set A of classes
 *
 * (U_ii = 0 where the diagonal is not penalised.) The weights default to 1, so that lambda1 means what lambda means for one class; the
 * numbers of samples, or their shares, are the likelihood's.
 *
 * Method: exact screening into components (joint_screen.c), then block coordinate descent on the dual, a column of all classes at once
 * (joint_bcd.c, joint_column.c). Zeros are exact, and so are equalities under the fused penalty: where it makes classes equal, T_k,ij are
 * equal to the last bit in the problem that was solved. Mind `scale`: with it, that problem's matrices are the classes' correlation matrices
 * and each answer is scaled back by its own class's standard deviations, which keeps zeros but not equalities. For equalities in the answer,
 * give correlation matrices, or covariances divided by deviations common to all classes, with scale = false.
 *
 * See ggm.h for arrays, threads, ownership, determinism and the meaning of outcomes. */
#pragma once
#include <ggm/ggm.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#define GGM_JOINT_CLASSES_MAX 64

typedef enum { GGM_JOINT_GROUP = 0, GGM_JOINT_FUSED } ggm_joint_penalty;

typedef struct {
    size_t classes;              /* K, 1 to GGM_JOINT_CLASSES_MAX */
    const ggm_problem *problems; /* (classes) borrowed. Of each: p and scale, the same in all; s, s32 or samples with covariance; start (used
                                    if every class has one). weights must be NULL. lambda and penalize_diagonal are not read. */
    const double *weights;       /* (classes) n_k, positive and finite, or NULL for 1 everywhere; borrowed */
    ggm_joint_penalty penalty;
    double lambda1, lambda2;     /* >= 0 and finite */
    bool penalize_diagonal;
} ggm_joint_problem;

typedef struct {
    double objective;            /* of the formula above, for the correlation matrices if scale is set */
    double duality_gap;          /* upper bound on objective - optimum, >= 0 */
    double relative_duality_gap; /* duality_gap / max(1, |objective|) */
    double kkt_residual;         /* largest violation of the optimality conditions, as in ggm_info: at the solver's dual point */
    size_t nonzeros;             /* of all classes' matrices together, with the diagonals */
    size_t components, largest_component; /* of the screened graph, common to all classes */
    int iterations;              /* sweeps: the most that any component took */
    double seconds;
    int threads;
    const char *solver;          /* static text: "joint bcd", or what solved the classes one by one (K = 1, lambda2 = 0) */
    ggm_outcome outcome;
    double lambda1, lambda2;
} ggm_joint_info;

typedef struct {
    size_t classes;
    ggm_sparse *precisions;      /* (classes) positive definite, symmetric, in the units of problems[k] */
    ggm_joint_info info;
} ggm_joint_result;              /* owned by the caller: ggm_joint_result_release */

void ggm_default_joint_problem(ggm_joint_problem *problem); /* zeros: the group penalty, diagonal not penalised */

/* Solves one joint problem. *result is overwritten, not released first; on error it is zeroed. settings may be NULL (defaults); its field
 * `solver` matters only where classes are solved one by one. progress is called with lambda1. Errors as ggm_solve; also GGM_ERROR_ARGUMENT where p or
 * scale differ between classes. Memory: about 4 K q^2 doubles, q the largest component, beside the K matrices S. */
ggm_status ggm_joint_solve(const ggm_joint_problem *problem, const ggm_settings *settings, ggm_joint_result *result);

/* *lambda1_max = the smallest lambda1 for which no class has an edge, at problem->lambda2 (problem->lambda1 is not read). */
ggm_status ggm_joint_lambda1_max(const ggm_joint_problem *problem, int threads, double *lambda1_max);

/* The certificate of K precision matrices (in the units of problems[k]) from the problem and the matrices alone, as ggm_certify: objective by
 * Cholesky; dual point the inverses moved, pair by pair, into the dual ball (u - prox_P(u), Moreau), onto the face that T's
 * zeros, signs and equalities name, and if need be towards a point that always is positive definite. nonzeros are those of all classes;
 * kkt_residual is the largest |n_k (W_k - S_k) - nearest subgradient of P at T| / n_k at W_k = inverse of T_k, in units of the class's max S_ii.
 * A matrix that is not positive definite is an answer, not an error. Where scale is set, entries of different classes count as equal
 * for the fused penalty if they are so up to rounding. */
ggm_status ggm_joint_certify(const ggm_joint_problem *problem, const ggm_sparse *precisions, int threads, ggm_certificate *certificate);

void ggm_joint_result_release(ggm_joint_result *result);    /* NULL and all-zero are fine; leaves it all-zero */

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
