/* Several graphs in common rows: neurons matched by id, ordered by the modules of all graphs together. */
#pragma once
#include "draw/heat.h"
#include "graph/graph.h"

typedef struct {
    GlintGraph *graph;   /* union: an edge where any graph has one, with the |rho| of the strongest; modules are joint */
    gsize n_rows;        /* neurons with an edge in any graph */
    gsize *order;        /* n_rows: the neuron at each row */
    gsize n_graphs;
    gsize n_pairs;       /* edges of the union */
    gsize *pairs;        /* 2 * n_pairs: rows, not neurons */
    double *pcor;        /* n_pairs * n_graphs; 0 = no edge */
} GlintJoint;

GlintJoint *glint_joint_new(GlintGraph *const *graphs, gsize n_graphs, GError **error);
void glint_joint_free(GlintJoint *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintJoint, glint_joint_free)
/* The edges of graph k, or (minus >= 0) its difference from graph `minus`, or (GLINT_JOINT_MEAN) from the mean of all.
 * n_pairs entries, zeros where nothing is; free with g_free. */
enum { GLINT_JOINT_PLAIN = -1, GLINT_JOINT_MEAN = -2 };
GlintHeatEntry *glint_joint_entries(const GlintJoint *self, gsize k, int minus);
