/* The picture of a graph without its page. Against hairballs:
 *  - only the strongest edges are drawn when there are more than a picture can hold (the caption says how many);
 *    a threshold on |rho| is what readers expect and can repeat, unlike a pruning per node;
 *  - pairs and triples that this cuts off from their modules are left out too (the caption says so): a field of loose
 *    pairs tells nothing;
 *  - edges are drawn weakest first, thin and transparent when weak, so strong ones lie on top;
 *  - the layout is that of the drawn edges, module by module (graph/layout.h, placement.c).
 * Neurons left without a drawn edge are left out. A node's area follows its strength, its colour its module.
 *
 * A GlintNetwork owns its arrays and borrows the graph. */
#include "draw/network.h"
#include "draw/placement.h"
#include <math.h>
#include <string.h>

enum { N_EDGES_MAX = 800, N_EDGES_ALWAYS = 40 };

/* Edges per neuron beyond which force layouts of real neuron graphs turn into a ball; large graphs bear less. */
static double density_max(gsize n_nodes)
{
    return n_nodes <= 100 ? 2.2 : MAX(1.6, 2.2 - 0.6 * (double)(n_nodes - 100) / 200);
}

static gboolean drawable(const GlintEdge *edge) { return isfinite(edge->pcor) && edge->pcor != 0 && edge->i != edge->j; }

/* Walks the edges from the strongest on and stops before there are more than a reader can follow: an absolute number,
 * and a number per neuron joined so far (a few edges are always drawn: small graphs may be dense). */
gsize glint_network_budget(const GlintGraph *graph)
{
    g_autofree guint8 *seen = g_new0(guint8, graph->p + 1);
    gsize n_nodes = 0, n = 0, best = 0;
    for (gsize k = 0; k < graph->n_edges && n < N_EDGES_MAX; k++) {
        const GlintEdge *edge = &graph->edges[k];
        if (!drawable(edge))
            continue;
        n_nodes += !seen[edge->i] + !seen[edge->j];
        seen[edge->i] = seen[edge->j] = 1;
        n++;
        if (n <= N_EDGES_ALWAYS || (double)n <= density_max(n_nodes) * (double)n_nodes)
            best = n;
    }
    return best;
}

gsize glint_root_of(gsize *parent, gsize i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

/* Drops the chosen edges of small components that hang on the rest by edges not chosen; never all of them. */
static void drop_fragments(GlintNetwork *self)
{
    const GlintGraph *graph = self->graph;
    g_autofree gsize *parent = g_new(gsize, graph->p + 1), *size = g_new0(gsize, graph->p + 1);
    g_autofree gsize *missing = g_new0(gsize, graph->p + 1); /* ends of edges that are not chosen, by root */
    for (gsize i = 0; i < graph->p; i++)
        parent[i] = i;
    for (gsize k = 0; k < self->n_edges; k++) {
        const gsize a = glint_root_of(parent, graph->edges[self->edges[k]].i), b = glint_root_of(parent, graph->edges[self->edges[k]].j);
        parent[MAX(a, b)] = MIN(a, b);
    }
    for (gsize i = 0; i < graph->p; i++)
        size[glint_root_of(parent, i)]++;
    const gsize last = self->n_edges ? self->edges[self->n_edges - 1] : 0;
    for (gsize k = last + 1; k < graph->n_edges; k++) {
        if (drawable(&graph->edges[k])) {
            missing[glint_root_of(parent, graph->edges[k].i)]++;
            missing[glint_root_of(parent, graph->edges[k].j)]++;
        }
    }
    gsize n_kept = 0;
    g_autofree gsize *kept = g_new(gsize, self->n_edges + 1);
    for (gsize k = 0; k < self->n_edges; k++) {
        const gsize root = glint_root_of(parent, graph->edges[self->edges[k]].i);
        if (size[root] >= GLINT_FRAGMENT || missing[root] == 0)
            kept[n_kept++] = self->edges[k];
    }
    if (n_kept == 0 || n_kept == self->n_edges)
        return;
    self->n_torn = self->n_edges - n_kept;
    self->n_edges = n_kept;
    memcpy(self->edges, kept, n_kept * sizeof *kept);
}

static void choose_edges(GlintNetwork *self, gsize budget)
{
    const GlintGraph *graph = self->graph;
    self->edges = g_new(gsize, graph->n_edges + 1);
    for (gsize k = 0; k < graph->n_edges; k++) {
        if (!drawable(&graph->edges[k]))
            continue;
        self->n_edges_all++;
        if (self->n_edges < budget)
            self->edges[self->n_edges++] = k;
    }
    if (self->n_edges == 0)
        return;
    self->pcor_min = fabs(graph->edges[self->edges[self->n_edges - 1]].pcor); /* the threshold, whatever else is left out */
    drop_fragments(self);
    self->pcor_max = fabs(graph->edges[self->edges[0]].pcor);
}

static void choose_nodes(GlintNetwork *self)
{
    const GlintGraph *graph = self->graph;
    g_autofree gsize *degree = g_new0(gsize, graph->p + 1);
    g_autofree gsize *dot_of = g_new0(gsize, graph->p + 1);
    for (gsize k = 0; k < self->n_edges; k++) {
        degree[graph->edges[self->edges[k]].i]++;
        degree[graph->edges[self->edges[k]].j]++;
    }
    self->dots = g_new0(GlintDot, graph->p + 1);
    for (gsize i = 0; i < graph->p; i++) {
        self->n_isolated += graph->nodes[i].degree == 0;
        if (degree[i] == 0)
            continue;
        dot_of[i] = self->n_dots;
        self->dots[self->n_dots++] = (GlintDot){.node = i, .degree = degree[i]};
        if (isfinite(graph->nodes[i].strength))
            self->strength_max = MAX(self->strength_max, graph->nodes[i].strength);
    }
    self->ends = g_new(gsize, 2 * self->n_edges + 1);
    for (gsize k = 0; k < self->n_edges; k++) {
        self->ends[2 * k] = dot_of[graph->edges[self->edges[k]].i];
        self->ends[2 * k + 1] = dot_of[graph->edges[self->edges[k]].j];
    }
}

double glint_network_radius(const GlintNetwork *self, double strength)
{
    const double n = (double)MAX(self->n_dots, 1);
    const double large = CLAMP(150 / sqrt(n), 5.5, 14), small = CLAMP(40 / sqrt(n), 1.9, 5);
    if (!(self->strength_max > 0) || !isfinite(strength))
        return small;
    const double share = CLAMP(strength / self->strength_max, 0, 1);
    return sqrt(small * small + share * share * (large * large - small * small));
}

GlintNetwork *glint_network_new(const GlintGraph *graph, guint64 seed, double x, double y, double width, double height, GError **error)
{
    g_autoptr(GlintNetwork) self = g_new0(GlintNetwork, 1);
    self->graph = graph;
    choose_edges(self, glint_network_budget(graph));
    choose_nodes(self);
    for (gsize k = 0; k < self->n_dots; k++)
        self->dots[k].r = glint_network_radius(self, graph->nodes[self->dots[k].node].strength);
    if (self->n_dots && !glint_placement(self, seed, x, y, width, height, error))
        return NULL;
    return g_steal_pointer(&self);
}

void glint_network_free(GlintNetwork *self)
{
    if (!self)
        return;
    g_free(self->dots);
    g_free(self->edges);
    g_free(self->ends);
    g_free(self);
}

double glint_network_edge_width(const GlintNetwork *self, double pcor)
{
    const double share = self->pcor_max > 0 ? fabs(pcor) / self->pcor_max : 0;
    const double room = CLAMP(34 / sqrt((double)MAX(self->n_dots, 1)), 1.6, 4);
    return 0.45 + share * share * room;
}

void glint_network_edge(const GlintNetwork *self, cairo_t *cr, double x0, double y0, double x1, double y1, double pcor)
{
    const double share = self->pcor_max > 0 ? fabs(pcor) / self->pcor_max : 0;
    glint_colour_set(cr, glint_colour_diverging(pcor > 0 ? 0.72 : -0.72), 0.30 + 0.6 * share);
    cairo_set_line_width(cr, glint_network_edge_width(self, pcor));
    cairo_move_to(cr, x0, y0);
    cairo_line_to(cr, x1, y1);
    cairo_stroke(cr);
}

static void draw_dot(const GlintNetwork *self, cairo_t *cr, const GlintDot *dot)
{
    const GlintColour colour = glint_colour_module(self->graph->nodes[dot->node].module);
    cairo_arc(cr, dot->x, dot->y, dot->r, 0, 2 * G_PI);
    glint_colour_set(cr, colour, 1);
    cairo_fill_preserve(cr);
    cairo_set_line_width(cr, CLAMP(dot->r * 0.16, 0.4, 0.9));
    glint_colour_set(cr, glint_colour_mix(colour, GLINT_INK, 0.6), 1);
    cairo_stroke(cr);
}

void glint_network_draw(const GlintNetwork *self, cairo_t *cr)
{
    for (gsize k = self->n_edges; k > 0; k--) {
        const GlintDot *a = &self->dots[self->ends[2 * k - 2]], *b = &self->dots[self->ends[2 * k - 1]];
        glint_network_edge(self, cr, a->x, a->y, b->x, b->y, self->graph->edges[self->edges[k - 1]].pcor);
    }
    for (gsize k = 0; k < self->n_dots; k++)
        draw_dot(self, cr, &self->dots[k]);
}
