/* libggm: how far a graph can be trusted.
 *
 *   ggm_stability      how often each edge is chosen again in random halves of the samples, and a bound on the number of false ones
 *   ggm_shuffle_null   what the same lambda finds in samples without any dependence
 *   ggm_bootstrap      how much each edge's partial correlation moves from resample to resample
 *   ggm_debias         estimates without the penalty's bias, with p-values, false discovery rate and confidence intervals
 *
 * The first three solve the problem once on all samples (from problem->start, if given), and again on many resamples. They need
 * problem->samples (given otherwise: GGM_ERROR_ARGUMENT) and form every covariance as problem->covariance says. One resample is solved per
 * thread, settings->threads of them side by side, each with one thread inside. Every resample has random numbers of its own, from the seed and
 * its number, so what it says is the same, bit for bit, at any number of threads (unless time limit or interrupt strikes).
 *
 * Independent samples: rows that belong to one text (its tokens, say) depend on each other. With ggm_resampling.group, texts are drawn whole,
 * and "n" is the number of groups wherever independent observations count.
 *
 * A variable that does not vary in some resample has no edges in it; how many resamples had such a variable is counted. A resample that
 * cannot be solved is counted too, with the reason, and does not lose the others: the call fails only if none of those tried was
 * solved. Time limit (for the whole call) and interrupt return what was finished; interrupt is asked from the calling thread only, between
 * resamples and inside solves, not while a covariance is formed. settings->progress is told of the solve of all samples only.
 *
 * Memory: each of the resamples solved side by side holds about 6 p^2 doubles, and for the null a copy of the samples; with
 * ggm_resampling.memory_limit fewer run side by side.
 *
 * Partial correlation of i and j: rho_ij = -T_ij / sqrt(T_ii T_jj). Edges are pairs i < j with T_ij != 0. See ggm.h for threads and ownership. */
#pragma once
#include <ggm/ggm.h>

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

typedef struct {
    int count;               /* resamples; 0: 100 half-samples, 20 shuffles, 200 bootstrap resamples; at least 0 */
    uint64_t seed;           /* default 1 */
    const size_t *group;     /* (samples->n) which group sample k (row samples->rows[k] if that is given) belongs to, any numbers, in any order;
                                borrowed. NULL: every sample on its own */
    double threshold;        /* ggm_stability: an edge is stable if chosen in this share of the half-samples; in (0.5, 1], default 0.8 */
    double level;            /* ggm_bootstrap: of its intervals; in (0, 1), default 0.95 */
    size_t memory_limit;     /* bytes for the resamples solved side by side; 0 = none. One always runs. */
    void (*progress)(int finished, int count, void *user_data); /* from the calling thread only; may be NULL */
    void *user_data;
} ggm_resampling;

void ggm_default_resampling(ggm_resampling *resampling);

typedef struct {
    int planned, completed;  /* resamples; what the results say is about those completed */
    int failed;              /* of those tried, no answer */
    ggm_status failure;      /* why: of the failed one with the lowest number; GGM_OK if none failed */
    int unconverged;         /* of the completed ones: stopped at the iteration limit */
    int constant;            /* of the completed ones: with a variable that does not vary */
    ggm_outcome outcome;     /* GGM_CONVERGED: all were tried; otherwise what cut the run short */
    size_t independent;      /* number of groups, or of samples without groups */
    int threads;             /* resamples solved side by side */
    double seconds;
    ggm_info full;           /* of the solve of all samples */
} ggm_resampling_info;

/* ---- stability selection ---- */
/* Half-samples 2k and 2k + 1 are the two halves of one random permutation of the groups (complementary pairs; an odd group is
 * left out; of an odd count the last has no partner). Each is solved at problem->lambda. */
typedef struct {
    ggm_sparse frequency;    /* (p, p) symmetric without diagonal: share of the half-samples that chose the pair; only pairs ever chosen */
    double *positive;        /* (frequency.nnz) share, of the half-samples that chose the pair, in which its partial correlation is positive:
                                near 0 or 1 when they agree on the sign */
    double average_edges;    /* q, edges of a half-sample's graph on average */
    double threshold;        /* as asked */
    size_t stable;           /* edges with frequency >= threshold */
    double false_bound;      /* ggm_stability_bound(average_edges, threshold, p) */
    ggm_resampling_info info;
} ggm_stability_result;      /* owned by the caller: ggm_stability_result_release */

/* At least 4 independent samples. settings and resampling may be NULL (defaults). *result is overwritten, not released first; on error zeroed. */
ggm_status ggm_stability(const ggm_problem *problem, const ggm_settings *settings, const ggm_resampling *resampling, ggm_stability_result *result);
void ggm_stability_result_release(ggm_stability_result *result); /* NULL and all-zero are fine */

/* Bound on the expected number of false edges among those chosen with a frequency of at least `threshold` > 1/2:
 *   q^2 / ((2 threshold - 1) p (p - 1) / 2)
 * after Meinshausen & Buehlmann (2010, theorem 1). With complementary pairs it holds without their assumption of exchangeability for pairs that a
 * half-sample chooses no likelier than a pair drawn blindly, q / (p (p - 1) / 2) (Shah & Samworth 2013, theorem 1). 0 when p < 2. It says
 * nothing when it exceeds the number of stable edges. */
double ggm_stability_bound(double q, double threshold, size_t p);

/* ---- matched null ---- */
/* In each replicate every variable's samples are permuted on their own: each variable keeps its distribution, and no two depend on
 * each other. What is then found is false. With groups, each variable's groups are laid end to end in an order of its own, whole and with
 * their rows in order, from a random row on, round the end: so what a variable remembers from row to row within a text stays, whatever the
 * texts' lengths, while no two variables meet in the same text nor at the same place in it, except by chance. */
typedef struct {
    size_t p;
    size_t edges;            /* of the real graph */
    double *real;            /* (edges) their |rho|, descending */
    size_t *null_edges;      /* (info.completed) edges of each replicate's graph, by its number */
    double *null_largest;    /* (info.completed) its largest |rho|, 0 without edges */
    size_t pooled_count;
    double *pooled;          /* (pooled_count) |rho| of the edges of all replicates, descending; all other pairs' are 0 */
    double mean_null_edges;
    double false_share;      /* ggm_null_false_share(this, 0): estimated false discovery share of the whole real graph */
    ggm_resampling_info info;
} ggm_null_result;           /* owned by the caller: ggm_null_result_release */

/* At least 2 independent samples. settings and resampling may be NULL (defaults). *result is overwritten; on error zeroed. */
ggm_status ggm_shuffle_null(const ggm_problem *problem, const ggm_settings *settings, const ggm_resampling *resampling, ggm_null_result *result);
void ggm_null_result_release(ggm_null_result *result);

/* Estimated share of false ones among the real edges with |rho| >= `rho`: mean number of such edges in a null replicate / number of real ones,
 * at most 1; 0 where there is no real edge, NaN if no replicate was completed. It takes every pair for false, so it errs on the high side. */
double ggm_null_false_share(const ggm_null_result *result, double rho);
/* Family-wise p-value of one edge: (1 + number of replicates whose largest |rho| >= |rho|) / (1 + replicates). At least 1 / (1 + replicates):
 * 20 replicates are just enough for 0.05. */
double ggm_null_family_p(const ggm_null_result *result, double rho);
/* p-value of one pair taken by itself, all pairs of all replicates pooled: (1 + pooled |rho| >= |rho|) / (1 + replicates p (p - 1) / 2) */
double ggm_null_pair_p(const ggm_null_result *result, double rho);
/* |rho| below which the share `probability` in [0, 1] of all pairs of all replicates lies (zeros included): the smallest value v that was
 * seen with share{|rho| <= v} >= probability. NAN for another probability or without pairs. */
double ggm_null_quantile(const ggm_null_result *result, double probability);

/* ---- bootstrap ---- */
/* Each resample draws as many groups as there are, with replacement (Efron 1979), and is solved at problem->lambda. */
typedef struct {
    int i, j;                /* i < j */
    double estimate;         /* rho_ij of all samples */
    double lower, upper;     /* percentile interval of rho_ij over the resamples, 0 where the edge is absent */
    double deviation;        /* standard deviation (divisor: resamples - 1) of the same; 0 with one resample */
    double presence;         /* share of the resamples in which the edge is present */
} ggm_bootstrap_edge;

typedef struct {
    size_t p, count;
    ggm_bootstrap_edge *edges; /* (count) the edges on all samples, by i, then j */
    double level;
    ggm_resampling_info info;
} ggm_bootstrap_result;      /* owned by the caller: ggm_bootstrap_result_release */

/* What the intervals are: the range in which the penalised estimate falls for `level` of resamples like this one, quantiles interpolated
 * linearly as R and numpy do by default. What they are not: confidence intervals of the true partial correlation. The penalty pulls estimates
 * towards 0, resampling does not undo that, and the resamples' distribution has a lump at exactly 0. An interval that holds 0 means an edge that
 * is not stable; one that does not is no test. For tests and confidence intervals, ggm_debias. Memory: 8 bytes per edge and
 * resample. At least 2 independent samples. settings and resampling may be NULL (defaults). *result is overwritten; on error zeroed. */
ggm_status ggm_bootstrap(const ggm_problem *problem, const ggm_settings *settings, const ggm_resampling *resampling, ggm_bootstrap_result *result);
void ggm_bootstrap_result_release(ggm_bootstrap_result *result);

/* ---- debiased estimates ---- */
/* Jankova & van de Geer (2015): from a graphical lasso answer T for S,
 *   D = 2 T - T S T,   sigma_ij^2 = T_ii T_jj + T_ij^2,   z_ij = sqrt(n) D_ij / sigma_ij,
 * z_ij being standard normal for large n where there is no edge, if samples are Gaussian and the graph is sparse compared with sqrt(n) / log p.
 * z does not depend on the variables' units. p-values are two-sided; q-values are Benjamini & Hochberg's (1995) over all p (p - 1) / 2 pairs.
 * lambda of about sqrt(log(p) / n) suits it; with penalised (too small) T, sigma comes out a little large, and tests a little careful. */
typedef struct {
    double false_discovery;  /* pairs with q up to this are listed; in [0, 1], default 0.05; 1 lists all pairs */
    double confidence;       /* of the intervals; in (0, 1), default 0.95 */
    bool dense;              /* give the (p, p) arrays as well; default false */
} ggm_debias_settings;

typedef struct {
    int i, j;                /* i < j */
    double estimate;         /* D_ij, in units of the inverse of s */
    double lower, upper;     /* D_ij -+ normal quantile * sigma_ij / sqrt(n): each covers the true T_ij with the confidence asked for */
    double partial;          /* -D_ij / sqrt(D_ii D_jj); NAN where a D_ii is not positive */
    double z, p_value, q_value;
    double log10_p;          /* of the p-value, exact where p_value is 0 because it is below the smallest double */
} ggm_debias_pair;

typedef struct {
    size_t p, count;
    ggm_debias_pair *pairs;  /* (count) by falling |z| */
    double *estimate, *z, *p_value, *q_value; /* (p, p) each, row-major, symmetric, NAN on the diagonal except estimate; or all NULL */
    ggm_outcome outcome;     /* GGM_CONVERGED, or what cut it short: then there are no pairs and no arrays */
    double seconds;
} ggm_debias_result;         /* owned by the caller: ggm_debias_result_release */

void ggm_default_debias_settings(ggm_debias_settings *settings);

/* precision: an answer of ggm_solve for `problem`, in the units of its S; lambda and weights are not needed. independent: n, the number of
 * independent samples behind S (texts, not tokens), at least 1. Of settings, threads, time_limit and interrupt count; both settings may be NULL.
 * *result is overwritten; on error zeroed. Cost: 3 p nnz(T) flops, and memory for S, the arrays asked for and the pairs. Same bits at any
 * number of threads. */
ggm_status ggm_debias(const ggm_problem *problem, const ggm_sparse *precision, double independent, const ggm_settings *settings,
                      const ggm_debias_settings *debias, ggm_debias_result *result);
void ggm_debias_result_release(ggm_debias_result *result);

/* log10 of the two-sided p-value of a standard normal z, for any finite z: no underflow */
double ggm_normal_log10_p(double z);
/* q[k] = the smallest false discovery rate at which hypothesis k is rejected among `count` p-values (Benjamini & Hochberg 1995). q may be p.
 * GGM_ERROR_ARGUMENT for a p outside [0, 1] or NaN. */
ggm_status ggm_benjamini_hochberg(const double *p, size_t count, double *q);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
