/* ggm_certify: what a precision matrix is worth, from the problem and the matrix alone, by the plain formulas of ggm.h: Cholesky of T, its
 * inverse, and Cholesky of the inverse moved into the dual's bounds. It shares with the solver the screening, the dense
 * operations and the evaluation of f and logdet, but none of its iterates.
 *
 * It works by components of {T_ij != 0 or |S_ij| > L_ij}: between those T and its inverse are 0, which is within the bounds. */
#include "ggm/internal.h"

#include <math.h>
#include <omp.h>
#include <string.h>

typedef struct {
    const ggm_problem *problem;
    const double *scales;
    const ggm_sparse *t;
    double *s, *w, *space, *weights; /* (q, q), q the largest component */
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
    c->place = ggm_alloc(c->problem->p, sizeof *c->place);
    c->local = (ggm_sparse){.start = ggm_alloc(q + 1, sizeof *c->local.start), .index = ggm_alloc(c->t->nnz, sizeof *c->local.index),
                            .value = ggm_alloc(c->t->nnz, sizeof *c->local.value)};
    return c->local.start && c->local.index && c->local.value && c->s && c->w && c->space && c->place && (c->weights || !c->problem->weights);
}

static void free_checker(checker *c)
{
    ggm_free(c->s);
    ggm_free(c->w);
    ggm_free(c->space);
    ggm_free(c->weights);
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

/* Adds a component's share; false if T is not positive definite there */
static bool check_component(checker *c, const int *node, int m, ggm_certificate *certificate)
{
    ggm_evidence evidence = load(c, node, m);
    double logdet;
    if (!ggm_logdet_sparse(&c->local, c->w, &logdet) || !ggm_linalg_host.invert(c->w, m))
        return false;
    certificate->objective += ggm_linear_part(&evidence) - logdet;
    certificate->kkt_residual = fmax(certificate->kkt_residual, residual(c, &evidence));
    certificate->dual_objective += ggm_dual_logdet(&evidence, c->w, c->space) + m;
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

static void judge(checker *c, const ggm_components *components, ggm_certificate *certificate)
{
    certificate->positive_definite = true;
    for (int k = 0; certificate->positive_definite && k < components->count; k++) {
        const int *node = components->node + components->start[k];
        certificate->positive_definite = check_component(c, node, components->start[k + 1] - components->start[k], certificate);
    }
    if (!certificate->positive_definite) {
        certificate->objective = certificate->kkt_residual = certificate->duality_gap = certificate->relative_duality_gap = INFINITY;
        certificate->dual_objective = -(double)INFINITY;
        return;
    }
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
