/* The components of the screened graph for every lambda at once: see select.h.
 *
 * {i != j: |S_ij| > lambda w_ij} = {|S_ij| / w_ij > lambda}, so components are single-linkage clusters, and those only depend on a maximum
 * spanning tree (Gower & Ross 1969). Prim's algorithm grows it from one variable in p steps over one row of S each: no sorting and no
 * queue, which for a dense graph is the fastest there is. The tree's edges in descending order are the merges; union-find then counts. */
#include "ggm/selecting.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    double value;
    int a, b;
} link_edge;

static int heavier_first(const void *x, const void *y)
{
    const link_edge *a = x, *b = y;
    if (a->value != b->value)
        return a->value > b->value ? -1 : 1;
    if (a->a != b->a)
        return a->a < b->a ? -1 : 1;
    return (a->b > b->b) - (a->b < b->b);
}

/* |S_ij| / w_ij: the pair is joined for every lambda below it */
static double strength(const ggm_problem *problem, const double *scales, size_t i, size_t j)
{
    const double entry = fabs(ggm_entry(problem, scales, i, j)), weight = problem->weights ? problem->weights[i * problem->p + j] : 1;
    if (entry == 0 || isinf(weight))
        return 0;
    return weight > 0 ? entry / weight : (double)INFINITY;
}

/* The step of Prim's algorithm that takes variable i in: nearest[j] becomes the strongest link of j to the tree, negative once j is in it. Returns
 * the next to take. */
static size_t take_in(const ggm_problem *problem, const double *scales, size_t i, double *nearest, int *via)
{
    size_t next = problem->p;
    nearest[i] = -1;
    for (size_t j = 0; j < problem->p; j++) {
        if (nearest[j] < 0)
            continue;
        double value = strength(problem, scales, i, j);
        if (value > nearest[j] || via[j] < 0) {
            nearest[j] = value;
            via[j] = (int)i;
        }
        if (next == problem->p || nearest[j] > nearest[next])
            next = j;
    }
    return next;
}

static void span(const ggm_problem *problem, const double *scales, double *nearest, int *via, link_edge *edges)
{
    for (size_t i = 0; i < problem->p; i++) {
        nearest[i] = 0;
        via[i] = -1;
    }
    for (size_t count = 0, i = 0; count + 1 < problem->p; count++) {
        size_t next = take_in(problem, scales, i, nearest, via);
        int other = via[next], own = (int)next;
        edges[count] = (link_edge){.value = nearest[next], .a = other < own ? other : own, .b = other < own ? own : other};
        i = next;
    }
}

static int root_of(int *parent, int i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

static void merge(const link_edge *edges, int *parent, int *size, ggm_linkage *linkage)
{
    int largest = 1;
    for (size_t i = 0; i < linkage->p; i++) {
        parent[i] = (int)i;
        size[i] = 1;
    }
    for (size_t k = 0; k + 1 < linkage->p; k++) {
        int a = root_of(parent, edges[k].a), b = root_of(parent, edges[k].b);
        int big = size[a] >= size[b] ? a : b, small = big == a ? b : a;
        parent[small] = big;
        size[big] += size[small];
        largest = size[big] > largest ? size[big] : largest;
        linkage->lambda[k] = edges[k].value;
        linkage->a[k] = edges[k].a;
        linkage->b[k] = edges[k].b;
        linkage->size[k] = size[big];
        linkage->largest[k] = largest;
    }
}

bool ggm_linkage_build(const ggm_problem *problem, ggm_linkage *linkage)
{
    const size_t p = problem->p;
    double *scales = ggm_scales(problem), *nearest = ggm_alloc(p, sizeof *nearest);
    int *via = ggm_alloc(p, sizeof *via), *size = ggm_alloc(p, sizeof *size);
    link_edge *edges = ggm_alloc(p, sizeof *edges);
    *linkage = (ggm_linkage){.p = p, .lambda = ggm_alloc(p, sizeof *linkage->lambda), .a = ggm_alloc(p, sizeof *linkage->a), .b = ggm_alloc(p, sizeof *linkage->b),
                             .size = ggm_alloc(p, sizeof *linkage->size), .largest = ggm_alloc(p, sizeof *linkage->largest)};
    bool good = scales && nearest && via && size && edges && linkage->lambda && linkage->a && linkage->b && linkage->size && linkage->largest;
    if (good) {
        span(problem, scales, nearest, via, edges);
        qsort(edges, p - 1, sizeof *edges, heavier_first);
        merge(edges, via, size, linkage);
    }
    ggm_free(scales);
    ggm_free(nearest);
    ggm_free(via);
    ggm_free(size);
    ggm_free(edges);
    return good;
}

ggm_status ggm_linkage_new(const ggm_problem *problem, int threads, ggm_linkage *linkage)
{
    if (!linkage)
        return GGM_ERROR_ARGUMENT;
    *linkage = (ggm_linkage){0};
    if (!problem || threads < 0)
        return GGM_ERROR_ARGUMENT;
    ggm_problem any = *problem, taken;
    any.lambda = 0;
    double *owned = NULL;
    ggm_status status = ggm_take_problem(&any, threads, &taken, &owned);
    if (status == GGM_OK && !ggm_linkage_build(&taken, linkage))
        status = GGM_ERROR_MEMORY;
    if (status != GGM_OK)
        ggm_linkage_release(linkage);
    ggm_free(owned);
    return status;
}

/* Merges that have happened at lambda: those above it */
static size_t merges(const ggm_linkage *linkage, double lambda)
{
    size_t low = 0, high = linkage->p > 0 ? linkage->p - 1 : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (linkage->lambda[middle] > lambda)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool ggm_linkage_cut(const ggm_linkage *linkage, double lambda, ggm_components *components)
{
    *components = (ggm_components){0};
    int *parent = ggm_alloc(linkage->p, sizeof *parent);
    if (!parent)
        return false;
    for (size_t i = 0; i < linkage->p; i++)
        parent[i] = (int)i;
    const size_t count = merges(linkage, lambda);
    for (size_t k = 0; k < count; k++)
        (void)ggm_join(parent, linkage->a[k], linkage->b[k]);
    const bool good = ggm_components_collect(parent, linkage->p, components);
    ggm_free(parent);
    return good;
}

size_t ggm_linkage_components(const ggm_linkage *linkage, double lambda)
{
    return linkage->p - merges(linkage, lambda);
}

size_t ggm_linkage_largest(const ggm_linkage *linkage, double lambda)
{
    size_t count = merges(linkage, lambda);
    return count > 0 ? (size_t)linkage->largest[count - 1] : linkage->p > 0;
}

double ggm_linkage_lambda(const ggm_linkage *linkage, size_t largest)
{
    for (size_t k = 0; k + 1 < linkage->p; k++)
        if ((size_t)linkage->largest[k] > largest)
            return linkage->lambda[k];
    return 0;
}

void ggm_linkage_release(ggm_linkage *linkage)
{
    if (!linkage)
        return;
    ggm_free(linkage->lambda);
    ggm_free(linkage->a);
    ggm_free(linkage->b);
    ggm_free(linkage->size);
    ggm_free(linkage->largest);
    *linkage = (ggm_linkage){0};
}
