/* Exact screening: the connected components of the graph {i != j: |S_ij| > L_ij} are those of the solution's graph, so each
 * is a problem of its own (Witten, Friedman & Simon, JCGS 2011; Mazumder & Hastie, JMLR 13, 2012).
 *
 * Union-find with path halving over one pass of S; the root of a component is its smallest node, which numbers components and
 * orders nodes the same way whatever the order of the unions. Cost: p^2/2 comparisons. */
#include "ggm/internal.h"
#include "ggm/simd.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#define LOOK 64    /* entries looked at together, for large ones are few */
#define SHARED 400 /* variables from which on threads share the work */
#define BAND 64    /* rows that a thread takes at a time */

static int find(int *parent, int i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

bool ggm_join(int *parent, int i, int j)
{
    int a = find(parent, i), b = find(parent, j);
    if (a < b)
        parent[b] = a;
    else
        parent[a] = b;
    return a != b;
}

/* The first j >= from, j < n, whose entry s_j scale_j is larger than `limit` in size; n if there is none */
GGM_CLONES static size_t next_large(const double *restrict s, const double *restrict scale, double limit, size_t from, size_t n)
{
    for (; from + LOOK <= n; from += LOOK) {
        double over[8] = {0}, sum = 0;
        for (size_t k = 0; k < LOOK; k += 8)
            for (size_t x = 0; x < 8; x++) {
                double size = s[from + k + x] * scale[from + k + x];
                size = size < 0 ? -size : size;
                over[x] += size > limit ? 1.0 : 0.0;
            }
        for (size_t x = 0; x < 8; x++)
            sum += over[x];
        if (sum != 0)
            break;
    }
    while (from < n && !(fabs(s[from] * scale[from]) > limit))
        from++;
    return from;
}

/* Joins what rows [from, to) have to say; *apart: components that are left, one being the end of the search */
static void join_rows(const ggm_problem *problem, const double *scales, double lambda, size_t from, size_t to, int *parent, size_t *apart)
{
    const size_t p = problem->p;
    for (size_t i = from; *apart > 1 && i < to; i++) {
        const double *row = problem->s + i * p, *weights = problem->weights ? problem->weights + i * p : NULL;
        const double margin = 1 - 1e-12; /* next_large multiplies in another order: look again */
        for (size_t j = 0; j < i; j++) {
            if (!weights)
                j = next_large(row, scales, lambda / scales[i] * margin, j, i);
            if (j < i && fabs(ggm_entry(problem, scales, i, j)) > (weights ? ggm_weighted(lambda, weights[j]) : lambda))
                *apart -= ggm_join(parent, (int)i, (int)j);
        }
    }
}

/* Every thread joins some rows in a forest of its own; the forests are then joined. False: no memory. */
static bool join_covariance(const ggm_problem *problem, const double *scales, double lambda, int *parent)
{
    const size_t p = problem->p;
    const int threads = p >= SHARED ? omp_get_max_threads() : 1;
    size_t apart = p;
    if (threads == 1) {
        join_rows(problem, scales, lambda, 0, p, parent, &apart);
        return true;
    }
    int *forests = ggm_alloc((size_t)threads * p, sizeof *forests);
    if (!forests)
        return false;
#pragma omp parallel num_threads(threads) default(none) shared(problem, scales, lambda, p, forests, threads)
    {
        int *forest = forests + (size_t)omp_get_thread_num() * p;
        size_t left = p;
        for (size_t i = 0; i < p; i++)
            forest[i] = (int)i;
#pragma omp for schedule(dynamic)
        for (size_t from = 0; from < p; from += BAND)
            join_rows(problem, scales, lambda, from, from + BAND < p ? from + BAND : p, forest, &left);
    }
    for (size_t k = 0; k < (size_t)threads * p; k++)
        (void)ggm_join(parent, (int)(k % p), forests[k]);
    ggm_free(forests);
    return true;
}

static void join_matrix(const ggm_sparse *matrix, int *parent)
{
    for (size_t i = 0; i < matrix->p; i++)
        for (size_t k = matrix->start[i]; k < matrix->start[i + 1]; k++)
            if (matrix->value[k] != 0)
                ggm_join(parent, (int)i, matrix->index[k]);
}

bool ggm_components_collect(int *parent, size_t p, ggm_components *components)
{
    int *number = ggm_alloc(p, sizeof *number);
    components->node = ggm_alloc(p, sizeof *components->node);
    components->start = ggm_alloc_zero(p + 1, sizeof *components->start);
    if (!number || !components->node || !components->start) {
        ggm_free(number);
        ggm_components_release(components);
        return false;
    }
    for (size_t i = 0; i < p; i++) {
        int root = find(parent, (int)i);
        number[i] = root == (int)i ? components->count++ : number[root]; /* roots come first: they are the smallest */
        components->start[number[i] + 1]++;
    }
    for (int c = 0; c < components->count; c++) {
        if (components->start[c + 1] > components->largest)
            components->largest = components->start[c + 1];
        components->start[c + 1] += components->start[c];
    }
    int *next = parent; /* no longer needed: reuse as the place where each component's next node goes */
    memcpy(next, components->start, (size_t)components->count * sizeof *next);
    for (size_t i = 0; i < p; i++)
        components->node[next[number[i]]++] = (int)i;
    ggm_free(number);
    return true;
}

bool ggm_screen(const ggm_problem *problem, const double *scales, double lambda, const ggm_sparse *also, bool all, ggm_components *components)
{
    *components = (ggm_components){0};
    int *parent = ggm_alloc(problem->p, sizeof *parent);
    if (!parent)
        return false;
    for (size_t i = 0; i < problem->p; i++)
        parent[i] = all ? 0 : (int)i;
    bool good = all || join_covariance(problem, scales, lambda, parent);
    if (also && !all)
        join_matrix(also, parent);
    good = good && ggm_components_collect(parent, problem->p, components);
    ggm_free(parent);
    return good;
}

void ggm_components_release(ggm_components *components)
{
    ggm_free(components->start);
    ggm_free(components->node);
    *components = (ggm_components){0};
}

double ggm_lambda_max(const ggm_problem *problem, const double *scales)
{
    double largest = 0;
    for (size_t i = 1; i < problem->p; i++)
        for (size_t j = 0; j < i; j++) {
            double weight = problem->weights ? problem->weights[i * problem->p + j] : 1, entry = fabs(ggm_entry(problem, scales, i, j));
            if (entry > 0 && !isinf(weight) && weight > 0 && entry / weight > largest)
                largest = entry / weight;
        }
    return largest;
}
