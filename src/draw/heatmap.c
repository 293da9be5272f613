/* The heat map of one graph: partial correlations, rows and columns ordered by module. The page has one size whatever p
 * is, so type stays as large at p = 2,000 as at p = 100; what changes is how cells are drawn (heat.c). */
#include "draw/heatmap.h"
#include "base/error.h"
#include "draw/caption.h"
#include "draw/draw.h"
#include "draw/lettering.h"
#include "draw/margins.h"
#include <math.h>

static const double page_margin = 20, head_height = 62, panel_side = 520, bar_width = 13;

GlintHeatPanel glint_heatmap_panel(gsize n_rows, double pixels)
{
    return glint_heat_panel(page_margin + GLINT_MARGIN_LEFT, head_height + GLINT_MARGIN_TOP, panel_side, n_rows, pixels);
}

/* Edges as cells in the order's coordinates. */
static GlintHeatEntry *entries_of(const GlintGraph *graph, const gsize *order, gsize n_rows)
{
    g_autofree gsize *place = g_new0(gsize, graph->p + 1);
    for (gsize k = 0; k < n_rows; k++)
        place[order[k]] = k;
    GlintHeatEntry *entries = g_new(GlintHeatEntry, graph->n_edges + 1);
    for (gsize k = 0; k < graph->n_edges; k++) {
        const GlintEdge *edge = &graph->edges[k];
        entries[k] = (GlintHeatEntry){place[edge->i], place[edge->j], edge->pcor};
    }
    return entries;
}

static GlintScale scale_of_graph(const GlintGraph *graph)
{
    g_autofree double *values = g_new(double, graph->n_edges + 1);
    for (gsize k = 0; k < graph->n_edges; k++)
        values[k] = graph->edges[k].pcor;
    return glint_scale_of(values, graph->n_edges);
}

static char *remark_of(const GlintGraph *graph, gsize n_rows, const GlintScale *scale)
{
    GString *text = g_string_new(NULL);
    if (graph->n_edges == 0) {
        g_string_append(text, graph->p > 1 ? "Every neuron is isolated." : "");
        return g_string_free(text, FALSE);
    }
    g_autofree char *ends = glint_scale_remark(scale);
    const gsize drawn = glint_edges_finite(graph);
    if (graph->p > 1) {
        const double pairs = (double)graph->p * (double)(graph->p - 1) / 2;
        g_autofree char *share = glint_format_short(100 * (double)graph->n_edges / pairs, 3);
        g_string_append_printf(text, "%s %% of all pairs are edges. ", share);
    }
    if (n_rows < graph->p) {
        g_autofree char *isolated = glint_format_counted(graph->p - n_rows, "isolated neuron is", "isolated neurons are");
        g_string_append_printf(text, "%s not shown. ", isolated);
    }
    if (drawn < graph->n_edges) {
        g_autofree char *lost = glint_format_counted(graph->n_edges - drawn, "edge without", "edges without");
        g_string_append_printf(text, "%s a finite partial correlation left out. ", lost);
    }
    g_string_append(text, ends);
    return g_string_free(text, FALSE);
}

static const char *empty_message(const GlintGraph *graph)
{
    if (graph->p == 0)
        return "no neurons";
    if (glint_edges_finite(graph) == 0)
        return "no edges: no two neurons are directly connected at this λ";
    return NULL;
}

static gboolean draw_matrix(cairo_t *cr, const GlintGraph *graph, const gsize *order, const GlintHeatPanel *panel,
                            const GlintScale *scale, GError **error)
{
    g_autofree GlintHeatEntry *entries = entries_of(graph, order, panel->p);
    g_autoptr(GArray) runs = glint_runs_of(graph, order, panel->p);
    glint_margins_grid(panel, cr, runs);
    if (!glint_heat_draw(panel, cr, entries, graph->n_edges, scale, error))
        return FALSE;
    glint_margins_strips(panel, cr, runs, TRUE);
    if (empty_message(graph))
        glint_caption_empty(cr, panel->x, panel->y, panel->side, panel->side, empty_message(graph));
    return TRUE;
}

static void draw_axes(cairo_t *cr, const GlintGraph *graph, const gsize *order, const GlintHeatPanel *panel, gboolean named)
{
    if (!named) {
        if (panel->p > 0)
            glint_margins_ticks(panel, cr);
        return;
    }
    g_autofree char **names = g_new0(char *, panel->p + 1);
    for (gsize k = 0; k < panel->p; k++)
        names[k] = graph->nodes[order[k]].neuron;
    glint_margins_names(panel, cr, names);
}

gboolean glint_draw_heatmap(const GlintGraph *graph, const GlintCaption *caption, const char *path, GError **error)
{
    const char *title = "Partial correlations between neurons";
    g_autofree char *line = glint_caption_line(graph, caption);
    g_autofree gsize *order = glint_graph_order(graph);
    const gsize n_rows = glint_connected_of(graph, order);
    const GlintScale scale = scale_of_graph(graph);
    GlintHeatPanel panel = glint_heatmap_panel(n_rows, GLINT_CANVAS_PIXELS);
    const gboolean named = n_rows > 0 && n_rows <= GLINT_NAMED_NEURONS;
    const double names_room = named ? GLINT_NAMES_ROOM : 0, below = named ? GLINT_NAMES_ROOM : 36;
    const double width = panel.x + panel.side + names_room + 96, height = panel.y + panel.side + below + 46;
    g_autofree char *remark = remark_of(graph, n_rows, &scale);
    g_autofree char *description = g_strdup_printf("%s. %s", line, remark);
    g_autoptr(GlintCanvas) canvas = glint_canvas_new(path, ceil(width), ceil(height), title, description, error);
    if (!canvas)
        return FALSE;
    cairo_t *cr = canvas->cr;
    panel = glint_heatmap_panel(n_rows, canvas->pixels);
    glint_caption_head(cr, page_margin, 30, canvas->width - 2 * page_margin, title, line);
    if (!draw_matrix(cr, graph, order, &panel, &scale, error))
        return FALSE;
    draw_axes(cr, graph, order, &panel, named);
    if (glint_edges_finite(graph) > 0)
        glint_scale_bar(&scale, cr, panel.x + panel.side + names_room + 16, panel.y + panel.side / 4, bar_width, panel.side / 2, "partial correlation ρ");
    glint_caption_foot(cr, panel.x, panel.y + panel.side + below + 14, panel.side + 72, remark);
    return glint_canvas_finish(g_steal_pointer(&canvas), error);
}
