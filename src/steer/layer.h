/* What steering knows of one layer: the neurons that the graph is of, their means in each class, the precision matrix and modules.
 *
 * Letters: p neurons (nodes of the graph), W width of the site, C classes. A neuron is named by its row in the graph, 0..p-1;
 * column[row] is its place in the site's activations. */
#pragma once
#include "base/npy.h"
#include "graph/graph.h"
#include "model/site.h"

typedef struct {
    GlintSite site;
    gsize p, width, n_classes;
    gsize *column;        /* p, ascending */
    char **neurons;       /* p ids, NULL-terminated */
    char **classes;       /* C names, NULL-terminated */
    double *mean;         /* C x p: mean of each class */
    double *sd;           /* p: within classes, pooled */
    double *overall;      /* p: mean of the class means, so that the larger class does not pull it */
    double *effect;       /* p: (mean[towards] - mean[away]) / sd, Cohen's d of single neurons */
    gsize towards, away;  /* the two classes that are told apart */
    GlintCsr *precision;  /* p x p, of the class whose graph it is */
    GlintGraph *graph;    /* nodes in the order of the rows, with modules */
    double *covariance;   /* p x p within classes, pooled, or NULL when not known: module scores and the correlation graph need it */
} GlintSteerLayer;

/* Reads <root>/<folder>/<site> (edges.csv, modules.csv, and covariance.npy where every class has one) of every class; folders[c] is that of
 * classes[c]. `graph_folder` is where the graph and its precision.npz are that is steered by: one of them, or that of all classes together.
 * Errors name the file; folders whose graphs have different neurons are refused. */
GlintSteerLayer *glint_steer_layer_read(const char *root, char *const *classes, char *const *folders, const char *graph_folder, const char *towards, const char *away,
                                        const GlintSite *site, gsize width, gsize head_size, GError **error);
void glint_steer_layer_free(GlintSteerLayer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintSteerLayer, glint_steer_layer_free)

/* Neurons of the module, by decreasing degree inside it, then row: hubs first. GArray of gsize. */
GArray *glint_steer_module(const GlintSteerLayer *self, int module);

/* The precisions among some neurons: out[a * n + b] = T[rows[a], rows[b]]. */
void glint_steer_submatrix(const GlintSteerLayer *self, const gsize *rows, gsize n, double *out);

/* How well a set of neurons tells the classes apart: its discriminant score w'h, w = Theta_MM (mean[towards] - mean[away])_M, has means that lie
 * t pooled standard deviations apart. t is what is returned; with no covariance the variance of w'h is taken from Theta_MM^-1, which is the covariance given all others. */
double glint_steer_separation(const GlintSteerLayer *self, const gsize *rows, gsize n);
