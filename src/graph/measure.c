/* Modules and betweenness, through igraph.
 *
 * Modules: the Leiden algorithm (Traag, Waltman & van Eck 2019, Sci. Rep. 9:5233) on |rho| with the modularity objective at
 * resolution 1. It is randomised, so it is restarted several times from singletons, each time iterated from its own answer
 * until nothing improves, and the partition of highest modularity is kept. (igraph's own "until stable", a negative number
 * of iterations, stops after the first change in 0.10: igraph issue 2798. Hence the loop here.)
 *
 * Betweenness: Brandes (2001) over all nodes costs O(V E). When that exceeds a budget, only the shortest paths from k
 * nodes drawn with the seed are counted and the sum is scaled by V / k (Brandes & Pich 2007): unbiased, and
 * GlintGraph.betweenness_sources tells. */
#include "base/error.h"
#include "graph/igraph_scope.h"
#include "graph/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ITERATIONS = 50, MIN_SOURCES = 256 };
static const double default_budget = 6e8; /* (V + 2E) x sources: 5,000 nodes of degree 22, or some ten seconds */
static const double leiden_beta = 0.01;  /* randomness of the refinement step: the authors' default */

/* The nodes with an edge as an igraph: isolated ones have no module and lie on no path. Weights are |rho| relative to the
 * strongest edge (modularity does not change with scale, and nothing underflows). */
typedef struct {
    gsize n;
    gsize *node;   /* igraph vertex -> node */
    igraph_t graph;
    igraph_vector_t weights, strengths;
    double total;  /* of the weights */
} Connected;

/* ---- building ---- */

static gboolean fill_connected(Connected *self, const GlintGraph *graph, const gsize *vertex, GError **error)
{
    igraph_vector_int_t ends;
    if (!gli_igraph_check(igraph_vector_int_init(&ends, 2 * (igraph_integer_t)graph->n_edges), "allocating edges", error))
        return FALSE;
    for (gsize k = 0; k < graph->n_edges; k++) {
        VECTOR(ends)[2 * k] = (igraph_integer_t)vertex[graph->edges[k].i];
        VECTOR(ends)[2 * k + 1] = (igraph_integer_t)vertex[graph->edges[k].j];
        double weight = fabs(graph->edges[k].pcor) / fabs(graph->edges[0].pcor);
        VECTOR(self->weights)[k] = weight;
        VECTOR(self->strengths)[vertex[graph->edges[k].i]] += weight;
        VECTOR(self->strengths)[vertex[graph->edges[k].j]] += weight;
        self->total += weight;
    }
    gboolean ok = gli_igraph_create(&self->graph, self->n, &ends, error);
    igraph_vector_int_destroy(&ends);
    return ok;
}

static gboolean connected_init(Connected *self, const GlintGraph *graph, GError **error)
{
    g_autofree gsize *vertex = g_new0(gsize, graph->p + 1);
    *self = (Connected){.node = g_new0(gsize, graph->p + 1)};
    for (gsize i = 0; i < graph->p; i++)
        if (graph->nodes[i].degree > 0) {
            vertex[i] = self->n;
            self->node[self->n++] = i;
        }
    if (gli_igraph_check(igraph_vector_init(&self->weights, (igraph_integer_t)graph->n_edges), "allocating weights", error)) {
        if (gli_igraph_check(igraph_vector_init(&self->strengths, (igraph_integer_t)self->n), "allocating strengths", error)) {
            if (fill_connected(self, graph, vertex, error))
                return TRUE;
            igraph_vector_destroy(&self->strengths);
        }
        igraph_vector_destroy(&self->weights);
    }
    g_free(self->node);
    return FALSE;
}

static void connected_release(Connected *self)
{
    igraph_destroy(&self->graph);
    igraph_vector_destroy(&self->strengths);
    igraph_vector_destroy(&self->weights);
    g_free(self->node);
}

/* ---- modularity ---- */

/* Q = sum over modules of w_in / m - (strength / 2m)^2, with m the total weight (Newman 2004). */
void gli_graph_score(GlintGraph *self)
{
    int last = -1;
    for (gsize i = 0; i < self->p; i++)
        last = MAX(last, self->nodes[i].module);
    self->n_modules = (gsize)(last + 1);
    g_autofree double *inside = g_new0(double, self->n_modules + 1), *strength = g_new0(double, self->n_modules + 1);
    double total = 0, sum = 0;
    for (gsize k = 0; k < self->n_edges; k++) {
        const GlintEdge *edge = &self->edges[k];
        int mi = self->nodes[edge->i].module, mj = self->nodes[edge->j].module;
        double weight = fabs(edge->pcor);
        total += weight;
        if (mi >= 0)
            strength[mi] += weight;
        if (mj >= 0)
            strength[mj] += weight;
        if (mi >= 0 && mi == mj)
            inside[mi] += weight;
    }
    for (gsize m = 0; m < self->n_modules && total > 0; m++)
        sum += inside[m] / total - (strength[m] / (2 * total)) * (strength[m] / (2 * total));
    self->modularity = sum;
}

/* ---- Leiden ---- */

static int restarts_for(gsize n_edges)
{
    return n_edges <= 50000 ? 20 : n_edges <= 500000 ? 6 : 2;
}

/* One start: iterates until the quality does not rise; the best partition of the run is in `best`. */
static gboolean leiden_run(Connected *connected, igraph_vector_int_t *membership, igraph_vector_int_t *best, double *best_quality, GError **error)
{
    double former = -INFINITY, tiny = 1e-12;
    for (int iteration = 0; iteration < MAX_ITERATIONS; iteration++) {
        igraph_real_t quality = 0;
        igraph_integer_t n_clusters = 0;
        if (!gli_igraph_check(igraph_community_leiden(&connected->graph, &connected->weights, &connected->strengths, 1 / (2 * connected->total), leiden_beta,
                                                      iteration > 0, 1, membership, &n_clusters, &quality), "finding modules (Leiden)", error))
            return FALSE;
        if (quality > *best_quality + tiny) {
            *best_quality = quality;
            if (!gli_igraph_check(igraph_vector_int_update(best, membership), "keeping modules", error))
                return FALSE;
        }
        if (!(quality > former + tiny))
            break;
        former = quality;
    }
    return TRUE;
}

typedef struct { gsize size, first; int label; } ModuleRank;

static int compare_ranks(const void *a, const void *b)
{
    const ModuleRank *x = a, *y = b;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

/* Writes modules numbered by decreasing size, ties by their smallest node, so that labels do not depend on igraph's. */
static void number_modules(GlintGraph *self, const Connected *connected, const igraph_vector_int_t *membership)
{
    gsize n = connected->n;
    g_autofree ModuleRank *ranks = g_new0(ModuleRank, n + 1);
    g_autofree int *number = g_new0(int, n + 1);
    for (gsize v = 0; v < n; v++) {
        ModuleRank *rank = &ranks[VECTOR(*membership)[v]];
        if (rank->size++ == 0)
            rank->first = connected->node[v];
    }
    for (gsize m = 0; m < n; m++)
        ranks[m].label = (int)m;
    qsort(ranks, n, sizeof *ranks, compare_ranks);
    for (gsize m = 0; m < n; m++)
        number[ranks[m].label] = (int)m;
    for (gsize v = 0; v < n; v++)
        self->nodes[connected->node[v]].module = number[VECTOR(*membership)[v]];
}

static gboolean find_modules(GlintGraph *self, Connected *connected, GError **error)
{
    double best_quality = -INFINITY;
    igraph_vector_int_t membership, best;
    if (!gli_igraph_check(igraph_vector_int_init(&membership, (igraph_integer_t)connected->n), "allocating modules", error))
        return FALSE;
    gboolean ok = gli_igraph_check(igraph_vector_int_init(&best, (igraph_integer_t)connected->n), "allocating modules", error);
    if (ok) {
        for (int restart = 0; ok && restart < restarts_for(self->n_edges); restart++)
            ok = leiden_run(connected, &membership, &best, &best_quality, error);
        if (ok)
            number_modules(self, connected, &best);
        igraph_vector_int_destroy(&best);
    }
    igraph_vector_int_destroy(&membership);
    return ok;
}

/* ---- betweenness ---- */

/* k distinct vertices of 0..n-1 from igraph's (seeded) generator: a partial Fisher-Yates shuffle. */
static gboolean draw_sources(igraph_vector_int_t *sources, gsize n, gsize k, GError **error)
{
    if (!gli_igraph_check(igraph_vector_int_init_range(sources, 0, (igraph_integer_t)n), "drawing sources", error))
        return FALSE;
    for (gsize s = 0; s < k; s++) {
        igraph_integer_t other = igraph_rng_get_integer(igraph_rng_default(), (igraph_integer_t)s, (igraph_integer_t)n - 1);
        igraph_integer_t swapped = VECTOR(*sources)[s];
        VECTOR(*sources)[s] = VECTOR(*sources)[other];
        VECTOR(*sources)[other] = swapped;
    }
    igraph_vector_int_resize(sources, (igraph_integer_t)k); /* shrinking cannot fail */
    return TRUE;
}

static gboolean sampled_betweenness(Connected *connected, igraph_vector_t *out, gsize n_sources, GError **error)
{
    igraph_vector_int_t sources;
    if (!draw_sources(&sources, connected->n, n_sources, error))
        return FALSE;
    igraph_vs_t vs;
    igraph_vs_vector(&vs, &sources);
    gboolean ok = gli_igraph_check(igraph_betweenness_subset(&connected->graph, out, igraph_vss_all(), IGRAPH_UNDIRECTED, vs, igraph_vss_all(), NULL),
                                   "estimating betweenness", error);
    igraph_vs_destroy(&vs);
    igraph_vector_int_destroy(&sources);
    return ok;
}

static gboolean find_betweenness(GlintGraph *self, Connected *connected, double budget, GError **error)
{
    double p = (double)self->p, pairs = (p - 1) * (p - 2) / 2, per_source = (double)connected->n + 2 * (double)self->n_edges;
    gsize n_sources = connected->n;
    if ((double)n_sources * per_source > budget)
        n_sources = MIN(n_sources, MAX((gsize)MIN_SOURCES, (gsize)(budget / per_source)));
    igraph_vector_t raw;
    if (!gli_igraph_check(igraph_vector_init(&raw, 0), "allocating betweenness", error))
        return FALSE;
    gboolean ok = n_sources < connected->n
                      ? sampled_betweenness(connected, &raw, n_sources, error)
                      : gli_igraph_check(igraph_betweenness(&connected->graph, &raw, igraph_vss_all(), IGRAPH_UNDIRECTED, NULL), "computing betweenness", error);
    double scale = pairs > 0 ? (double)connected->n / (double)n_sources / pairs : 0;
    for (gsize v = 0; ok && v < connected->n; v++)
        self->nodes[connected->node[v]].betweenness = CLAMP(VECTOR(raw)[v] * scale, 0.0, 1.0);
    if (ok)
        self->betweenness_sources = n_sources;
    igraph_vector_destroy(&raw);
    return ok;
}

gboolean gli_graph_measure(GlintGraph *self, guint64 seed, double budget, GError **error)
{
    for (gsize i = 0; i < self->p; i++) {
        self->nodes[i].module = -1;
        self->nodes[i].betweenness = 0;
    }
    self->betweenness_sources = 0;
    gboolean ok = TRUE;
    if (self->n_edges > 0) {
        g_auto(GliIgraph) scope = {.entered = FALSE};
        Connected connected;
        if (!gli_igraph_enter(&scope, seed, error) || !connected_init(&connected, self, error))
            return FALSE;
        ok = find_modules(self, &connected, error) && find_betweenness(self, &connected, budget, error);
        connected_release(&connected);
    }
    gli_graph_score(self);
    return ok;
}

gboolean glint_graph_measure(GlintGraph *self, guint64 seed, GError **error)
{
    return gli_graph_measure(self, seed, default_budget, error);
}
