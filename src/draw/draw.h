/* Pictures, all through cairo, PNG or SVG or PDF by the file's ending. Positive is blue, negative red, white is zero.
 * Never sees a model: everything a caption says comes in `GlintCaption`. Files appear whole or not at all; equal input gives
 * equal bytes (with the same cairo and fonts). Edges whose partial correlation is not finite are left out, and counted in
 * the caption. Graphs without neurons or edges give a picture that says so. */
#pragma once
#include "graph/graph.h"

typedef struct {
    const char *site, *class_name; /* either may be NULL */
    double lambda;                 /* NAN = not known */
    gsize n_samples;               /* 0 = not known */
} GlintCaption;

/* Heat map of partial correlations ordered by module, with module bars, colour bar and title. Isolated neurons have no rows.
 * `caption` may be NULL. */
gboolean glint_draw_heatmap(const GlintGraph *graph, const GlintCaption *caption, const char *path, GError **error);
/* Force-directed picture, modules coloured, isolated nodes left out; draws the strongest edges when there are too many and says so. */
gboolean glint_draw_graph(const GlintGraph *graph, const GlintCaption *caption, guint64 seed,
                          char *const *paths /* NULL-terminated; one layout, several files */, GError **error);
/* Partial correlations of each class side by side, rows in the order of the modules of all classes together, and, for two
 * classes, their difference (first minus second); for more, each class minus the mean of all. */
gboolean glint_draw_comparison(GlintGraph *const *graphs, char *const *classes, gsize n_classes, const char *site, const char *path, GError **error);
