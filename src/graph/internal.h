/* What the files of src/graph share and nobody else sees. */
#pragma once
#include "graph/graph.h"
#include <stdio.h>

/* Text that CSV, DOT and XML can carry: not empty, UTF-8, no control characters. */
gboolean gli_neuron_valid(const char *neuron);

/* An empty graph of p zeroed nodes (neurons still to be set) with room for most_edges. */
GlintGraph *gli_graph_alloc(gsize p, gsize most_edges, GError **error);
/* Degree and strength of every node from the edges. */
void gli_graph_count(GlintGraph *self);
/* For qsort: decreasing |pcor|, then i, then j. */
int gli_compare_edges(const void *a, const void *b);
/* Modularity of node->module on |pcor|, isolated nodes ignored; sets n_modules too. */
void gli_graph_score(GlintGraph *self);

/* glint_graph_measure() with another limit on the work of betweenness, sources x (V + 2E). */
gboolean gli_graph_measure(GlintGraph *self, guint64 seed, double budget, GError **error);

/* The double as text in the C locale, with the fewest of 15 to 17 digits that read back equal; NAN and infinity as "". */
enum { GLI_NUMBER_SIZE = 40 };
const char *gli_number(char buffer[GLI_NUMBER_SIZE], double value);

/* Edges in DOT: 0xrrggbb. */
enum { GLI_POSITIVE_RGB = 0x2f6fb7, GLI_NEGATIVE_RGB = 0xc43c39 };

/* Largest minus smallest of the classes' pcor (0 = no edge). */
double gli_largest_difference(const double *pcor, gsize n_classes);
