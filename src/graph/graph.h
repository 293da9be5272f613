/* The graph of a sparse precision matrix: nonzeros are edges, strength is the partial correlation
 * rho_ij = -theta_ij / sqrt(theta_ii theta_jj). Undirected; every edge once, i < j. igraph stays behind this header. */
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
    double betweenness;        /* normalised to [0,1], unweighted */
} GlintNode;

typedef struct {
    gsize p, n_edges, n_modules;
    GlintNode *nodes;          /* p */
    GlintEdge *edges;          /* n_edges, by decreasing |pcor| */
    double modularity;         /* of the modules, on |rho| */
} GlintGraph;

/* `neurons`: p ids (copied). `covariance` (p x p, any scale), `mean`, `sd` may be NULL. */
GlintGraph *glint_graph_new(const GlintCsr *precision, char *const *neurons, const double *covariance, const double *mean, const double *sd, GError **error);
void glint_graph_free(GlintGraph *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintGraph, glint_graph_free)
/* Leiden modules on |rho| (igraph, fixed seed, modularity objective), degree, strength, betweenness. */
gboolean glint_graph_measure(GlintGraph *self, guint64 seed, GError **error);
/* Rows of the matrix ordered by module, then by strength: for heat maps. p entries; free with g_free. */
gsize *glint_graph_order(const GlintGraph *self);

gboolean glint_graph_write_edges(const GlintGraph *self, const char *path, GError **error);    /* edges.csv */
gboolean glint_graph_write_modules(const GlintGraph *self, const char *path, GError **error);  /* modules.csv */
gboolean glint_graph_write_dot(const GlintGraph *self, const char *title, const char *path, GError **error);
gboolean glint_graph_write_graphml(const GlintGraph *self, const char *title, const char *path, GError **error);
/* Reads edges.csv + modules.csv back, for `glint draw` and `glint compare`. */
GlintGraph *glint_graph_read(const char *folder, GError **error);

/* Edges that classes share and that only one has, matched by neuron id. */
typedef struct { char *a, *b; /* neuron ids */ double *pcor; /* one per class; 0 = no edge */ } GlintSharedEdge;
typedef struct {
    gsize n_classes; char **classes; gsize n_edges; GlintSharedEdge *edges; /* union of edges, by decreasing largest difference */
    gsize *n_own;    /* edges of each class */
    gsize *n_only;   /* edges that only this class has */
    gsize n_all;     /* edges that all classes share */
    gsize n_opposite;/* edges of all classes whose sign differs */
    double jaccard;  /* n_all / n_edges */
} GlintComparison;
GlintComparison *glint_compare(GlintGraph *const *graphs, char *const *classes, gsize n_classes, GError **error);
void glint_comparison_free(GlintComparison *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintComparison, glint_comparison_free)
/* folder/edges.csv (all, with a column per class and "shared"), shared.csv, only_<class>.csv, summary.json */
gboolean glint_comparison_write(const GlintComparison *self, const char *folder, GError **error);
