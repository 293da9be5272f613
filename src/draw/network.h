/* What of a graph is drawn, and where: the strongest edges when there are too many, the neurons they join, a layout.
 * One GlintNetwork is drawn into any number of files. */
#pragma once
#include "draw/canvas.h"
#include "graph/graph.h"

typedef struct {
    gsize node;       /* index into graph->nodes */
    double x, y, r;   /* points, on the page */
    gsize degree;     /* drawn edges */
} GlintDot;

typedef struct {
    const GlintGraph *graph; /* borrowed */
    gsize n_dots, n_edges;
    GlintDot *dots;          /* by node index */
    gsize *edges;            /* indices of graph->edges, strongest first */
    gsize *ends;             /* 2 * n_edges: indices into dots */
    gsize n_edges_all;       /* that could be drawn (finite, not zero) */
    gsize n_isolated;        /* neurons without any edge */
    gsize n_torn;            /* edges of torn-off fragments, strong enough but left out */
    double pcor_min, pcor_max; /* |rho| of the weakest and the strongest drawn edge; 0 when there are none */
    double strength_max;     /* of the drawn neurons */
    double radius_scale;     /* at most 1: many strong neurons are drawn smaller, or they would hide the edges */
} GlintNetwork;

/* Fewer neurons than this, torn off the rest because their other edges are not drawn, make no picture. */
enum { GLINT_FRAGMENT = 4 };

/* Root of i in a forest of parents (union-find with path halving). */
gsize glint_root_of(gsize *parent, gsize i);
/* The layout fits the rectangle x, y, width, height. */
GlintNetwork *glint_network_new(const GlintGraph *graph, guint64 seed, double x, double y, double width, double height, GError **error);
void glint_network_free(GlintNetwork *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintNetwork, glint_network_free)
void glint_network_draw(const GlintNetwork *self, cairo_t *cr);
/* Line width and opacity of an edge of this |rho|, for the drawing and its legend. */
double glint_network_edge_width(const GlintNetwork *self, double pcor);
void glint_network_edge(const GlintNetwork *self, cairo_t *cr, double x0, double y0, double x1, double y1, double pcor);
/* Radius in points of a neuron of this strength. */
double glint_network_radius(const GlintNetwork *self, double strength);
