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
static const double node_share_max = 0.05; /* of the page */

/* Edges per neuron beyond which force layouts of real neuron graphs turn into a ball; large graphs bear less. A few
 * edges are always drawn: small graphs may be dense. */
static double density_max(gsize n_nodes)
{
    return n_nodes <= 100 ? 2.2 : MAX(1.6, 2.2 - 0.6 * (double)(n_nodes - 100) / 200);
}

static gboolean drawable(const GlintEdge *edge) { return isfinite(edge->pcor) && edge->pcor != 0 && edge->i != edge->j; }

gsize glint_root_of(gsize *parent, gsize i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

typedef struct { gsize n_edges, n_nodes, n_torn; } Choice;

/* What is drawn when the n strongest of the drawable edges are taken: all of them but those of small components that hang on
 * the rest by edges not taken. Writes indices into `strong` to `kept` (n of them). */
static Choice keep(const GlintGraph *graph, const gsize *strong, gsize n_strong, gsize n, gsize *kept)
{
    Choice choice = {0};
    g_autofree gsize *parent = g_new(gsize, graph->p + 1), *size = g_new0(gsize, graph->p + 1);
    g_autofree guint8 *torn = g_new0(guint8, graph->p + 1), *seen = g_new0(guint8, graph->p + 1);
    for (gsize i = 0; i < graph->p; i++)
        parent[i] = i;
    for (gsize k = 0; k < n; k++) {
        const gsize a = glint_root_of(parent, graph->edges[strong[k]].i), b = glint_root_of(parent, graph->edges[strong[k]].j);
        parent[MAX(a, b)] = MIN(a, b);
    }
    for (gsize i = 0; i < graph->p; i++)
        size[glint_root_of(parent, i)]++;
    for (gsize k = n; k < n_strong; k++)
        torn[glint_root_of(parent, graph->edges[strong[k]].i)] = torn[glint_root_of(parent, graph->edges[strong[k]].j)] = 1;
    for (gsize k = 0; k < n; k++) {
        const GlintEdge *edge = &graph->edges[strong[k]];
        const gsize root = glint_root_of(parent, edge->i);
        if (torn[root] && size[root] < GLINT_FRAGMENT) {
            choice.n_torn++;
            continue;
        }
        kept[choice.n_edges++] = strong[k];
        choice.n_nodes += !seen[edge->i] + !seen[edge->j];
        seen[edge->i] = seen[edge->j] = 1;
    }
    return choice;
}

static gboolean readable(Choice choice)
{
    return choice.n_edges <= N_EDGES_ALWAYS ||
           (choice.n_edges <= N_EDGES_MAX && (double)choice.n_edges <= density_max(choice.n_nodes) * (double)choice.n_nodes);
}

/* As many of the strongest edges as make a readable picture, by bisection. */
static void choose_edges(GlintNetwork *self)
{
    const GlintGraph *graph = self->graph;
    g_autofree gsize *strong = g_new(gsize, graph->n_edges + 1);
    self->edges = g_new(gsize, graph->n_edges + 1);
    for (gsize k = 0; k < graph->n_edges; k++) {
        if (drawable(&graph->edges[k]))
            strong[self->n_edges_all++] = k;
    }
    gsize low = MIN(self->n_edges_all, N_EDGES_ALWAYS), high = self->n_edges_all;
    while (low < high) {
        const gsize middle = high - (high - low) / 2;
        if (readable(keep(graph, strong, self->n_edges_all, middle, self->edges)))
            low = middle;
        else
            high = middle - 1;
    }
    const Choice choice = keep(graph, strong, self->n_edges_all, low, self->edges);
    self->n_edges = choice.n_edges;
    self->n_torn = choice.n_torn;
    if (low > 0 && self->n_edges == 0) { /* nothing but fragments: then those */
        memcpy(self->edges, strong, low * sizeof *strong);
        self->n_edges = low;
        self->n_torn = 0;
    }
    if (self->n_edges) {
        self->pcor_min = fabs(graph->edges[strong[low - 1]].pcor); /* the threshold, whatever fragments are left out */
        self->pcor_max = fabs(graph->edges[self->edges[0]].pcor);
    }
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
    const double n = (double)MAX(self->n_dots, 1), scale = self->radius_scale;
    const double large = CLAMP(150 / sqrt(n), 5.5, 14) * scale, small = CLAMP(40 / sqrt(n), 1.9, 5) * scale;
    if (!(self->strength_max > 0) || !isfinite(strength))
        return small;
    const double share = CLAMP(strength / self->strength_max, 0, 1);
    return sqrt(small * small + share * share * (large * large - small * small));
}

static void set_radii(GlintNetwork *self, double page_area)
{
    double area = 0;
    self->radius_scale = 1;
    for (gsize k = 0; k < self->n_dots; k++) {
        const double r = glint_network_radius(self, self->graph->nodes[self->dots[k].node].strength);
        area += G_PI * r * r;
    }
    if (area > node_share_max * page_area)
        self->radius_scale = sqrt(node_share_max * page_area / area);
    for (gsize k = 0; k < self->n_dots; k++)
        self->dots[k].r = glint_network_radius(self, self->graph->nodes[self->dots[k].node].strength);
}

GlintNetwork *glint_network_new(const GlintGraph *graph, guint64 seed, double x, double y, double width, double height, GError **error)
{
    g_autoptr(GlintNetwork) self = g_new0(GlintNetwork, 1);
    self->graph = graph;
    choose_edges(self);
    choose_nodes(self);
    set_radii(self, width * height);
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
