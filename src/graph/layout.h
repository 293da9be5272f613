/* Where the nodes of a graph drawing go. Force-directed (Fruchterman & Reingold 1991, igraph), every connected component by
 * itself, started from its modules set on a circle so that modules come apart; the components are then packed side by side,
 * the largest first. The same input and seed give the same coordinates.
 * Cost: O(n^2) a step up to 4,000 nodes a component (2,000 nodes: 5 s), about O(n) beyond. */
#pragma once
#include "graph/graph.h"

/* `nodes`: the n_nodes nodes to place, distinct indices of graph->nodes; `edges`: the n_edges edges that pull, distinct
 * indices of graph->edges whose two ends are both among `nodes` (the drawn edges, or more than are drawn).
 * `aspect`: wanted width / height of the whole picture, for example 4.0 / 3.
 * Out: xy[2*k], xy[2*k+1] = x, y of nodes[k]; the bounding box starts at (0, 0), y grows downwards, and the median length
 * of an edge of every component is 1 (with no edges, neighbours lie 1 apart), boxes of components are 1 apart. Nodes of a
 * component are at least 0.45 or about half their mean spacing apart, whichever is less. Nodes without an edge come last.
 * glint_graph_measure() first gives modules to start from, but is not required. */
gboolean glint_graph_layout(const GlintGraph *graph, const gsize *nodes, gsize n_nodes, const gsize *edges, gsize n_edges,
                            double aspect, guint64 seed, double *xy, GError **error);
