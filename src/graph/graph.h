/* The graph of a sparse precision matrix: nonzeros are edges, strength is the partial correlation
 * rho_ij = -theta_ij / sqrt(theta_ii theta_jj). Undirected; every edge once, i < j. igraph stays behind this header.
 * Equal input and seed give equal results and equal bytes in every file. Letters: p nodes, E edges, V nodes with an edge. */
#pragma once
#include "base/npy.h"
#include <glib.h>

typedef struct { gsize i, j; double precision, pcor, cor /* NAN if unknown */; } GlintEdge;

typedef struct {
    char *neuron;              /* "L5.N1234" */
    double mean, sd;           /* of the sample; NAN if unknown */
    int module;                /* 0-based, largest module first; -1 = isolated */
    gsize degree;
    double strength;           /* sum of |rho| over its edges */
    double betweenness;        /* normalised to [0,1] by all p nodes (as networkx does), unweighted */
} GlintNode;

typedef struct {
    gsize p, n_edges, n_modules;
    GlintNode *nodes;          /* p */
    GlintEdge *edges;          /* n_edges, by decreasing |pcor| */
    double modularity;         /* of the modules, on |rho|; 0 without edges */
    gsize betweenness_sources; /* nodes whose shortest paths were counted; fewer than the nodes with an edge: betweenness is an
                                  unbiased estimate from that many drawn with the seed. 0 = not measured, or read from files */
} GlintGraph;

/* `neurons`: p ids (copied), distinct, UTF-8, without control characters. `covariance` (p x p, any scale), `mean`, `sd` may be
 * NULL. The precision matrix must be symmetric (both triangles stored), finite, with a positive diagonal and |rho| <= 1.
 * Degree and strength are set here; modules and betweenness wait for glint_graph_measure(). Cost O(nnz log nnz). */
GlintGraph *glint_graph_new(const GlintCsr *precision, char *const *neurons, const double *covariance, const double *mean, const double *sd, GError **error);
void glint_graph_free(GlintGraph *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintGraph, glint_graph_free)
/* Leiden modules on |rho| (igraph, fixed seed, modularity objective: the best of several restarts, each iterated until it is
 * stable) and betweenness: exact, O(V E), up to about 5,000 nodes of degree 20; beyond that work it is estimated from a
 * sample of sources (see betweenness_sources). */
gboolean glint_graph_measure(GlintGraph *self, guint64 seed, GError **error);
/* Rows of the matrix ordered by module, then by decreasing strength, isolated nodes last: for heat maps. p entries; free with g_free. */
gsize *glint_graph_order(const GlintGraph *self);

/* edges.csv: i,j,neuron_i,neuron_j,precision,partial_correlation,correlation, strongest first.
 * modules.csv: neuron,module,degree,strength,betweenness,mean,sd, a row per node in the order of the matrix.
 * RFC 4180, numbers in the C locale with as many digits as give the same double back, unknown = empty. */
gboolean glint_graph_write_edges(const GlintGraph *self, const char *path, GError **error);
/* The same with more columns behind the others: a value of each edge in the order of self->edges, NAN = unknown. */
typedef struct { const char *name; const double *values; } GlintEdgeColumn;
gboolean glint_graph_write_edges_with(const GlintGraph *self, const GlintEdgeColumn *columns, gsize n_columns, const char *path, GError **error);
gboolean glint_graph_write_modules(const GlintGraph *self, const char *path, GError **error);
/* Graphviz: undirected, isolated nodes left out, one line an edge, blue = positive, red = negative, width by |rho|. */
gboolean glint_graph_write_dot(const GlintGraph *self, const char *title, const char *path, GError **error);
/* GraphML with all p nodes; the node id is the neuron id. Edge keys weight = |rho|, pcor, sign (1, -1), precision, correlation;
 * node keys label, module, degree, strength, betweenness, mean, sd and r, g, b, which Gephi takes as colour. */
gboolean glint_graph_write_graphml(const GlintGraph *self, const char *title, const char *path, GError **error);
/* Reads edges.csv + modules.csv back, for `glint draw` and `glint compare`, and checks that they fit each other. Columns are
 * found by name; unknown ones are ignored. Modularity is recomputed. */
GlintGraph *glint_graph_read(const char *folder, GError **error);

/* Edges that classes share and that only one has, matched by neuron id (a neuron that one class lacks has no edge there). */
typedef struct { char *a, *b; /* neuron ids */ double *pcor; /* one per class; 0 = no edge */ } GlintSharedEdge;
typedef struct {
    gsize n_classes; char **classes; gsize n_edges; GlintSharedEdge *edges; /* union of edges, by decreasing largest difference */
    gsize *n_own;    /* edges of each class */
    gsize *n_only;   /* edges that only this class has */
    gsize n_all;     /* edges that all classes share */
    gsize n_opposite;/* edges of all classes whose sign differs */
    double jaccard;  /* n_all / n_edges; 1 when no class has an edge */
    gsize *n_neurons, *n_modules; /* of each class */
    double *modularity;           /* of each class */
    double *lambda;  /* of each class, NAN at first: the caller may fill it in before writing */
} GlintComparison;
/* Two or more classes with distinct names. An edge of all classes is "opposite" when not all have the same sign. */
GlintComparison *glint_compare(GlintGraph *const *graphs, char *const *classes, gsize n_classes, GError **error);
void glint_comparison_free(GlintComparison *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintComparison, glint_comparison_free)
/* Into an existing folder, strongest difference first (largest minus smallest pcor over the classes, no edge = 0):
 * edges.csv            neuron_i,neuron_j,pcor_<class>...,shared (1 when every class has it),difference
 * shared.csv           neuron_i,neuron_j,pcor_<class>...,difference
 * only_<class>.csv     neuron_i,neuron_j,partial_correlation (characters of a class name that a file name cannot carry are %XX)
 * summary.json         counts, Jaccard index (of all classes and of each pair), sign disagreements, strongest differences, and
 *                      of each class: neurons, edges, only, modules, modularity, lambda (if given), file */
gboolean glint_comparison_write(const GlintComparison *self, const char *folder, GError **error);
