/* Draws pictures of precision matrices for people to look at while the drawing code changes; not a test.
 *   draw_samples OUT_PREFIX SITE LAMBDA N NAME=PRECISION.npz...
 * writes OUT_PREFIX-heat.{png,svg}, OUT_PREFIX-graph.{png,svg,pdf} of the first and, given several, OUT_PREFIX-compare.{png,svg}. */
#include "base/npy.h"
#include "draw/draw.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static GlintGraph *load(const char *path, GError **error)
{
    g_autoptr(GlintCsr) precision = glint_csr_read(path, error);
    if (!precision)
        return NULL;
    g_autoptr(GPtrArray) neurons = g_ptr_array_new_with_free_func(g_free);
    for (gsize i = 0; i < precision->rows; i++)
        g_ptr_array_add(neurons, g_strdup_printf("L%zu.N%zu", i * 5 / precision->rows, i * 7 % 4096));
    GlintGraph *graph = glint_graph_new(precision, (char *const *)neurons->pdata, NULL, NULL, NULL, error);
    if (graph && graph->n_edges && !glint_graph_measure(graph, 1, error)) {
        glint_graph_free(graph);
        return NULL;
    }
    return graph;
}

static gboolean draw_single(const GlintGraph *graph, const GlintCaption *caption, const char *prefix, GError **error)
{
    g_autofree char *heat_png = g_strconcat(prefix, "-heat.png", NULL), *heat_svg = g_strconcat(prefix, "-heat.svg", NULL);
    g_autofree char *png = g_strconcat(prefix, "-graph.png", NULL), *svg = g_strconcat(prefix, "-graph.svg", NULL);
    g_autofree char *pdf = g_strconcat(prefix, "-graph.pdf", NULL);
    char *paths[] = {png, svg, pdf, NULL};
    return glint_draw_heatmap(graph, caption, heat_png, error) && glint_draw_heatmap(graph, caption, heat_svg, error) &&
           glint_draw_graph(graph, caption, 1, paths, error);
}

static gboolean draw_several(GlintGraph *const *graphs, char *const *names, gsize n, const char *site, const char *prefix, GError **error)
{
    g_autofree char *png = g_strconcat(prefix, "-compare.png", NULL), *svg = g_strconcat(prefix, "-compare.svg", NULL);
    return glint_draw_comparison(graphs, names, n, site, png, error) && glint_draw_comparison(graphs, names, n, site, svg, error);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) graphs = g_ptr_array_new_with_free_func((GDestroyNotify)glint_graph_free);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    if (argc < 6) {
        fprintf(stderr, "usage: draw_samples OUT_PREFIX SITE LAMBDA N NAME=PRECISION.npz...\n");
        return 2;
    }
    for (int k = 5; k < argc; k++) {
        const char *split = strchr(argv[k], '=');
        GlintGraph *graph = split ? load(split + 1, &error) : NULL;
        if (!graph) {
            fprintf(stderr, "draw_samples: %s\n", error ? error->message : "expected NAME=FILE");
            return 1;
        }
        g_ptr_array_add(graphs, graph);
        g_ptr_array_add(names, g_strndup(argv[k], (gsize)(split - argv[k])));
    }
    const GlintCaption caption = {argv[2], g_ptr_array_index(names, 0), g_ascii_strtod(argv[3], NULL), (gsize)g_ascii_strtoull(argv[4], NULL, 10)};
    if (!draw_single(g_ptr_array_index(graphs, 0), &caption, argv[1], &error) ||
        (graphs->len > 1 && !draw_several((GlintGraph *const *)graphs->pdata, (char *const *)names->pdata, graphs->len, argv[2], argv[1], &error))) {
        fprintf(stderr, "draw_samples: %s\n", error->message);
        return 1;
    }
    return 0;
}
