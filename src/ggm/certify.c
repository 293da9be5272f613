/* ggm_certify: what a precision matrix is worth, from the problem and the matrix alone, by the plain formulas of ggm.h: Cholesky of T, its
 * inverse, and Cholesky of the inverse moved into the dual's bounds. It shares with the solver the screening, the dense
 * operations and the evaluation of f and logdet, but none of its iterates.
 *
 * It works by components of {T_ij != 0 or |S_ij| > L_ij}: between those T, its inverse and the optimum are 0, which is within the bounds. What is
 * proven of the optimum's support (formulas in ggm.h) needs W and the gap at the same time, and the gap is had from W moved into its bounds, in
 * place. That is no loss: a pair can be proven 0 only where W lies inside its bounds, and there the move changes nothing. */
#include "ggm/internal.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <string.h>

typedef struct {
    const ggm_problem *problem;
    const double *scales;
    const ggm_sparse *t;
    double *s, *w, *space, *weights; /* (q, q), q the largest component */
    double *root;                    /* (q) of the component at hand, square roots of W_ii */
    ggm_sparse local;                /* T of the component at hand, in the units of the solved problem; room for all of T */
    int *place;                      /* (p) number of a variable in the component at hand, else -1 */
    double unit;                     /* max S_ii */
} checker;

static bool alloc_checker(checker *c, size_t q)
{
    c->s = ggm_alloc(q * q, sizeof *c->s);
    c->w = ggm_alloc(q * q, sizeof *c->w);
    c->space = ggm_alloc(q * q, sizeof *c->space);
    c->weights = c->problem->weights ? ggm_alloc(q * q, sizeof *c->weights) : NULL;
    c->root = ggm_alloc(q, sizeof *c->root);
    c->place = ggm_alloc(c->problem->p, sizeof *c->place);
    c->local = (ggm_sparse){.start = ggm_alloc(q + 1, sizeof *c->local.start), .index = ggm_alloc(c->t->nnz, sizeof *c->local.index),
                            .value = ggm_alloc(c->t->nnz, sizeof *c->local.value)};
    bool good = c->s && c->w && c->space && c->root && c->place && (c->weights || !c->problem->weights);
    return good && c->local.start && c->local.index && c->local.value;
}

static void free_checker(checker *c)
{
    ggm_free(c->s);
    ggm_free(c->w);
    ggm_free(c->space);
    ggm_free(c->weights);
    ggm_free(c->root);
    ggm_free(c->place);
    ggm_sparse_release(&c->local);
}

/* S, weights and T of the component, in the units of the solved problem */
static ggm_evidence load(checker *c, const int *node, int m)
{
    const size_t n = (size_t)m, p = c->problem->p;
    for (size_t a = 0; a < n; a++)
        c->place[node[a]] = (int)a;
    size_t at = 0;
    for (size_t a = 0; a < n; a++) {
        size_t i = (size_t)node[a];
        for (size_t b = 0; b < n; b++) {
            c->s[a * n + b] = ggm_entry(c->problem, c->scales, i, (size_t)node[b]);
            if (c->weights)
                c->weights[a * n + b] = c->problem->weights[i * p + (size_t)node[b]];
        }
        c->local.start[a] = at;
        for (size_t k = c->t->start[i]; k < c->t->start[i + 1]; k++)
            if (c->t->value[k] != 0) {
                size_t j = (size_t)c->t->index[k];
                c->local.index[at] = c->place[j];
                c->local.value[at++] = c->t->value[k] / (c->scales[i] * c->scales[j]);
            }
    }
    c->local.start[n] = at;
    c->local.p = n;
    c->local.nnz = at;
    return (ggm_evidence){.m = m, .s = c->s, .weights = c->weights, .lambda = c->problem->lambda,
                          .penalize_diagonal = c->problem->penalize_diagonal, .t = &c->local};
}

/* Largest violation of the optimality conditions at W = inverse of T, in c->w */
static double residual(const checker *c, const ggm_evidence *evidence)
{
    const size_t n = (size_t)evidence->m;
    double worst = 0;
    for (size_t a = 0; a < n; a++) {
        for (size_t b = 0; b < n; b++) /* as if every entry were 0; the others follow */
            c->space[b] = fmax(0, fabs(c->s[a * n + b] - c->w[a * n + b]) - ggm_limit(evidence, a, b));
        for (size_t k = c->local.start[a]; k < c->local.start[a + 1]; k++) {
            size_t b = (size_t)c->local.index[k];
            c->space[b] = fabs(c->s[a * n + b] - c->w[a * n + b] + copysign(ggm_limit(evidence, a, b), c->local.value[k]));
        }
        for (size_t b = 0; b < n; b++)
            worst = fmax(worst, c->space[b]);
    }
    return worst / c->unit;
}

/* Lower bound on T's smallest eigenvalue from W in c->w: the largest eigenvalue of W is at most that of |W|, which is at most
 * max_i (|W| x)_i / x_i for whatever positive x; powers of |W| bring it down. Overwrites c->space and c->root. */
static double smallest_eigenvalue(const checker *c, int m)
{
    const int rounds = 4;
    const size_t n = (size_t)m;
    double *x = c->space, *y = c->root, least = INFINITY;
    for (size_t i = 0; i < n; i++)
        x[i] = 1;
    for (int round = 0; round < rounds; round++) {
        double ratio = 0, largest = 0;
        for (size_t i = 0; i < n; i++) {
            y[i] = 0;
            for (size_t j = 0; j < n; j++)
                y[i] += fabs(c->w[i * n + j]) * x[j];
            ratio = fmax(ratio, y[i] / x[i]);
            largest = fmax(largest, y[i]);
        }
        least = fmin(least, ratio);
        for (size_t i = 0; i < n; i++)
            x[i] = fmax(y[i] / largest, 1e-100);
    }
    return 1 / least;
}

/* How far the optimum can be if f is within `gap` of it: d and z of ggm.h */
typedef struct {
    double covariance, precision;
} radii;

static radii radii_of(double gap)
{
    if (!isfinite(gap))
        return (radii){INFINITY, INFINITY};
    double middle = sqrt(2 * gap + 4 * gap * gap / 9), shift = 2 * gap / 3, y = middle - shift;
    return (radii){.covariance = middle + shift, .precision = y < 1 ? y / (1 - y) : (double)INFINITY};
}

/* Counts what is proven of the component's pairs. Wants W within its bounds in c->w, the roots of W_ii before it was moved there in c->root. */
static void prove_support(const checker *c, const ggm_evidence *evidence, double gap, ggm_certificate *certificate)
{
    const size_t n = (size_t)evidence->m;
    if (n < 2)
        return;
    const radii far = radii_of(gap);
    double *row = c->space, *scale = c->space + n; /* of T: one row, and the roots of its diagonal */
    for (size_t a = 0; a < n; a++)
        for (size_t k = c->local.start[a]; k < c->local.start[a + 1]; k++)
            if ((size_t)c->local.index[k] == a)
                scale[a] = sqrt(c->local.value[k]);
    for (size_t a = 0; a < n; a++) {
        memset(row, 0, n * sizeof *row);
        for (size_t k = c->local.start[a]; k < c->local.start[a + 1]; k++)
            row[c->local.index[k]] = c->local.value[k];
        for (size_t b = a + 1; b < n; b++) {
            double limit = ggm_limit(evidence, a, b), distance = fabs(c->s[a * n + b] - c->w[a * n + b]);
            bool edge = fabs(row[b]) > far.precision * scale[a] * scale[b];
            bool zero = isinf(limit) || distance + far.covariance * c->root[a] * c->root[b] < limit;
            certificate->proven_edges += edge && !zero;
            certificate->proven_zeros += zero && !edge;
            certificate->wrong_edges += zero && !edge && row[b] != 0;
            certificate->undecided_pairs += edge == zero; /* both: only rounding could do that */
        }
    }
}

/* Adds a component's share; false if T is not positive definite there */
static bool check_component(checker *c, const int *node, int m, ggm_certificate *certificate)
{
    ggm_evidence evidence = load(c, node, m);
    double logdet;
    if (!ggm_logdet_sparse(&c->local, c->w, &logdet) || !ggm_linalg_host.invert(c->w, m))
        return false;
    certificate->smallest_eigenvalue = fmin(certificate->smallest_eigenvalue, smallest_eigenvalue(c, m));
    certificate->kkt_residual = fmax(certificate->kkt_residual, residual(c, &evidence));
    for (size_t i = 0; i < (size_t)m; i++)
        c->root[i] = sqrt(c->w[i * (size_t)m + i]);
    double linear = ggm_linear_part(&evidence), dual = ggm_dual_logdet(&evidence, c->w, c->space);
    double rounding = 8 * DBL_EPSILON * (fabs(linear) + fabs(logdet) + fabs(dual) + m);
    certificate->objective += linear - logdet;
    certificate->dual_objective += dual + m;
    prove_support(c, &evidence, fmax(0, linear - logdet - dual - m) + rounding, certificate);
    return true;
}

static double value_at(const ggm_sparse *t, size_t i, int j)
{
    size_t low = t->start[i], high = t->start[i + 1];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->index[middle] < j)
            low = middle + 1;
        else
            high = middle;
    }
    return low < t->start[i + 1] && t->index[low] == j ? t->value[low] : 0;
}

ggm_status ggm_check_symmetric(const ggm_sparse *t)
{
    for (size_t i = 0; i < t->p; i++)
        for (size_t k = t->start[i]; k < t->start[i + 1]; k++) {
            double x = t->value[k], y = value_at(t, (size_t)t->index[k], (int)i);
            if (fabs(x - y) > 1e-12 * fmax(fabs(x), fabs(y)))
                return GGM_ERROR_NOT_SYMMETRIC;
        }
    return GGM_OK;
}

/* Nothing is proven by a T that is not positive definite */
static void reject(size_t pairs, ggm_certificate *certificate)
{
    *certificate = (ggm_certificate){.nonzeros = certificate->nonzeros, .undecided_pairs = pairs};
    certificate->objective = certificate->kkt_residual = certificate->duality_gap = certificate->relative_duality_gap = INFINITY;
    certificate->dual_objective = certificate->smallest_eigenvalue = -(double)INFINITY;
}

static void judge(checker *c, const ggm_components *components, ggm_certificate *certificate)
{
    const size_t p = c->problem->p;
    size_t apart = p * (p - 1) / 2; /* pairs of different components */
    certificate->smallest_eigenvalue = INFINITY;
    for (int k = 0; k < components->count; k++) {
        const int *node = components->node + components->start[k], size = components->start[k + 1] - components->start[k];
        if (!check_component(c, node, size, certificate)) {
            reject(p * (p - 1) / 2, certificate);
            return;
        }
        apart -= (size_t)size * ((size_t)size - 1) / 2;
    }
    certificate->positive_definite = true;
    certificate->proven_zeros += apart;
    certificate->duality_gap = fmax(0, certificate->objective - certificate->dual_objective);
    certificate->relative_duality_gap = certificate->duality_gap / fmax(1, fabs(certificate->objective));
}

static ggm_status certify_taken(const ggm_problem *problem, const ggm_sparse *precision, int threads, ggm_certificate *certificate)
{
    double *scales = ggm_scales(problem);
    ggm_components components = {0};
    checker c = {.problem = problem, .scales = scales, .t = precision};
    bool good = scales && ggm_screen(problem, scales, problem->lambda, precision, false, &components) && alloc_checker(&c, (size_t)components.largest);
    if (good) {
        for (size_t i = 0; i < problem->p; i++)
            c.unit = fmax(c.unit, ggm_entry(problem, scales, i, i));
        for (size_t k = 0; k < precision->start[problem->p]; k++)
            certificate->nonzeros += precision->value[k] != 0;
        int before = omp_get_max_threads();
        omp_set_num_threads(ggm_thread_count(threads));
        judge(&c, &components, certificate);
        omp_set_num_threads(before);
    }
    free_checker(&c);
    ggm_components_release(&components);
    ggm_free(scales);
    return good ? GGM_OK : GGM_ERROR_MEMORY;
}

ggm_status ggm_certify(const ggm_problem *problem, const ggm_sparse *precision, int threads, ggm_certificate *certificate)
{
    if (!problem || !precision || !certificate || threads < 0)
        return GGM_ERROR_ARGUMENT;
    *certificate = (ggm_certificate){0};
    ggm_problem taken;
    double *owned;
    ggm_status status = ggm_take_problem(problem, threads, &taken, &owned);
    if (status != GGM_OK)
        return status;
    status = ggm_check_sparse(precision, taken.p);
    if (status == GGM_OK)
        status = ggm_check_symmetric(precision);
    if (status == GGM_OK)
        status = certify_taken(&taken, precision, threads, certificate);
    ggm_free(owned);
    return status;
}
