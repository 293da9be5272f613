/* ggm_joint_certify: what K precision matrices are worth, from the problem and the matrices alone: Cholesky of every T_k, its inverse, the
 * inverses moved into the dual ball pair by pair, and Cholesky of those. It shares with the solver the screening, the penalty's functions and
 * the dense operations, but none of its iterates.
 *
 * It works by components of {some T_k,ij != 0 or (n_k S_k,ij) outside the ball}: between those every T_k and its inverse are 0, and u = -n S
 * is in the ball. */
#include "ggm/joint_internal.h"

#include <math.h>
#include <omp.h>
#include <string.h>

typedef struct {
    const ggm_joint_input *input;
    const ggm_sparse *precisions; /* the caller's */
    int *place;                   /* (p) number of a variable in the component at hand, else -1 */
    double unit[GGM_K];           /* max S_ii of each class */
} checker;

/* T_k of the component, in the units of the solved problem */
static bool load_precision(const checker *c, ggm_joint_block *block, int k)
{
    const ggm_sparse *t = &c->precisions[k];
    const double *scales = c->input->scales[k];
    ggm_sparse *local = &block->precisions[k];
    size_t nnz = 0;
    for (int a = 0; a < block->m; a++)
        nnz += t->start[block->node[a] + 1] - t->start[block->node[a]];
    *local = (ggm_sparse){.p = (size_t)block->m, .start = ggm_alloc((size_t)block->m + 1, sizeof *local->start),
                          .index = ggm_alloc(nnz, sizeof *local->index),
                          .value = ggm_alloc(nnz, sizeof *local->value)};
    if (!local->start || !local->index || !local->value)
        return false;
    for (int a = 0; a < block->m; a++) {
        const size_t i = (size_t)block->node[a];
        local->start[a] = local->nnz;
        for (size_t e = t->start[i]; e < t->start[i + 1]; e++)
            if (t->value[e] != 0) {
                local->index[local->nnz] = c->place[t->index[e]];
                local->value[local->nnz++] = t->value[e] / (scales[i] * scales[t->index[e]]);
            }
    }
    local->start[block->m] = local->nnz;
    return true;
}

/* Largest distance of n_k (W_k - S_k) to the subgradients at T */
static double residual(const checker *c, const ggm_joint_block *block)
{
    double worst = 0;
    for (size_t k = 0, square = ggm_joint_square(block); k < (size_t)block->classes; k++)
        for (size_t e = k * square; e < (k + 1) * square; e++)
            worst = fmax(worst, fabs(block->w[e] - block->feasible[e]) / c->unit[k]);
    return worst;
}

/* Adds a component's share; certificate->positive_definite becomes false where a T_k is not */
static void judge(const checker *c, ggm_joint_block *block, ggm_joint_sums *sums, double *dense, ggm_certificate *certificate)
{
    double logdets = 0;
    for (size_t k = 0, square = ggm_joint_square(block); k < (size_t)block->classes; k++) {
        double logdet, *w = block->w + k * square;
        certificate->positive_definite = ggm_logdet_sparse(&block->precisions[k], w, &logdet) && ggm_linalg_host.invert(w, block->m);
        if (!certificate->positive_definite)
            return;
        logdets += block->weights[k] * logdet;
    }
    ggm_joint_bound_point(block, sums, dense, 0, block->m);
    certificate->objective += ggm_joint_linear(sums, block->m) - logdets;
    certificate->kkt_residual = fmax(certificate->kkt_residual, residual(c, block));
    certificate->dual_objective += ggm_joint_dual(block);
    for (int k = 0; k < block->classes; k++)
        certificate->dual_objective += block->weights[k] * block->m;
}

static bool check_component(checker *c, const int *node, int m, ggm_certificate *certificate)
{
    ggm_joint_block block = {0};
    ggm_joint_sums sums = {0};
    double *dense = ggm_alloc_zero((size_t)m * (size_t)c->input->classes, sizeof *dense);
    for (int a = 0; a < m; a++)
        c->place[node[a]] = a;
    bool good = ggm_joint_block_load(&block, c->input, node, m) && dense && ggm_joint_sums_init(&sums, m, c->input->classes);
    for (int k = 0; good && k < c->input->classes; k++)
        good = load_precision(c, &block, k);
    if (good)
        judge(c, &block, &sums, dense, certificate);
    ggm_joint_sums_release(&sums);
    ggm_joint_block_release(&block);
    ggm_free(dense);
    return good;
}

static void finish(ggm_certificate *certificate)
{
    if (!certificate->positive_definite) {
        certificate->objective = certificate->kkt_residual = certificate->duality_gap = certificate->relative_duality_gap = INFINITY;
        certificate->dual_objective = -(double)INFINITY;
        return;
    }
    certificate->duality_gap = fmax(0, certificate->objective - certificate->dual_objective);
    certificate->relative_duality_gap = certificate->duality_gap / fmax(1, fabs(certificate->objective));
}

static ggm_status certify_taken(const ggm_joint_input *input, const ggm_sparse *precisions, ggm_certificate *certificate)
{
    checker c = {.input = input, .precisions = precisions, .place = ggm_alloc(input->p, sizeof *c.place)};
    ggm_components components = {0};
    bool good = c.place && ggm_joint_screen(input, precisions, false, &components);
    certificate->positive_definite = true;
    for (int k = 0; k < input->classes; k++) {
        for (size_t i = 0; i < input->p; i++)
            c.unit[k] = fmax(c.unit[k], ggm_joint_entry(input, k, i, i));
        for (size_t e = 0; e < precisions[k].start[input->p]; e++)
            certificate->nonzeros += precisions[k].value[e] != 0;
    }
    for (int b = 0; good && certificate->positive_definite && b < components.count; b++)
        good = check_component(&c, components.node + components.start[b], components.start[b + 1] - components.start[b], certificate);
    finish(certificate);
    ggm_components_release(&components);
    ggm_free(c.place);
    return good ? GGM_OK : GGM_ERROR_MEMORY;
}

ggm_status ggm_joint_certify(const ggm_joint_problem *problem, const ggm_sparse *precisions, int threads, ggm_certificate *certificate)
{
    if (!problem || !precisions || !certificate || threads < 0)
        return GGM_ERROR_ARGUMENT;
    *certificate = (ggm_certificate){0};
    ggm_joint_input input;
    ggm_status status = ggm_joint_take(problem, threads, &input);
    if (status != GGM_OK)
        return status;
    for (int k = 0; status == GGM_OK && k < input.classes; k++) {
        status = ggm_check_sparse(&precisions[k], input.p);
        if (status == GGM_OK)
            status = ggm_check_symmetric(&precisions[k]);
    }
    if (status == GGM_OK) {
        const int before = omp_get_max_threads();
        omp_set_num_threads(ggm_thread_count(threads));
        status = certify_taken(&input, precisions, certificate);
        omp_set_num_threads(before);
    }
    ggm_joint_input_release(&input);
    if (status != GGM_OK)
        *certificate = (ggm_certificate){0};
    return status;
}
