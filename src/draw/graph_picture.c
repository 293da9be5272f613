/* The page of a graph picture: head, network, key, and a caption that says what is left out. The layout is computed once
 * and drawn into every file, so the PNG on the screen and the PDF in the paper agree. */
#include "base/error.h"
#include "draw/caption.h"
#include "draw/draw.h"
#include "draw/labels.h"
#include "draw/legend.h"
#include "draw/lettering.h"
#include <math.h>

enum { N_LABELS_MAX = 60 };
static const double page_width = 860, page_height = 740, page_margin = 22, key_width = 168;
static const GlintBox network_box = {22, 66, 632, 616};

static char *caption_of(const GlintNetwork *network)
{
    GString *text = g_string_new(NULL);
    const GlintGraph *graph = network->graph;
    g_autofree char *drawn = glint_format_count(network->n_edges), *all = glint_format_counted(network->n_edges_all, "edge", "edges");
    g_autofree char *dots = glint_format_count(network->n_dots), *p = glint_format_counted(graph->p, "neuron", "neurons");
    if (network->n_edges < network->n_edges_all) {
        g_autofree char *limit = glint_format_short(network->pcor_min, 2), *torn = glint_format_count(network->n_torn);
        g_string_append_printf(text, "%s of %s drawn, the strongest (|ρ| ≥ %s)", drawn, all, limit);
        if (network->n_torn)
            g_string_append_printf(text, " without %s in torn-off fragments of fewer than %d neurons", torn, GLINT_FRAGMENT);
        g_string_append_printf(text, "; %s of %s.", dots, p);
    } else {
        g_string_append_printf(text, "All %s drawn; %s of %s.", all, dots, p);
    }
    const gsize undrawn = graph->p - network->n_dots - MIN(network->n_isolated, graph->p - network->n_dots);
    g_autofree char *isolated = glint_format_counted(network->n_isolated, "isolated neuron", "isolated neurons");
    g_autofree char *others = glint_format_count(undrawn);
    if (network->n_isolated && undrawn)
        g_string_append_printf(text, " Left out: %s, and %s whose edges are not drawn.", isolated, others);
    else if (network->n_isolated)
        g_string_append_printf(text, " Left out: %s.", isolated);
    else if (undrawn)
        g_string_append_printf(text, " Left out: %s whose edges are not drawn.", others);
    return g_string_free(text, FALSE);
}

static gboolean draw_page(const GlintNetwork *network, const char *title, const char *line, const char *path, GError **error)
{
    g_autofree char *foot = caption_of(network);
    g_autofree char *description = g_strdup_printf("%s. %s", line, foot);
    g_autoptr(GlintCanvas) canvas = glint_canvas_new(path, page_width, page_height, title, description, error);
    if (!canvas)
        return FALSE;
    cairo_t *cr = canvas->cr;
    glint_caption_head(cr, page_margin, 30, page_width - 2 * page_margin, title, line);
    if (network->n_dots == 0) {
        const char *message = network->graph->p == 0 ? "no neurons" : "no edges: every neuron is isolated at this λ, so there is nothing to draw";
        glint_caption_empty(cr, 0, 0, page_width, page_height, message);
    } else {
        glint_network_draw(network, cr);
        const GlintBox inside = {network_box.x - 8, network_box.y - 8, network_box.width + 16, network_box.height + 16};
        g_autoptr(GArray) labels = glint_labels_place(network, cr, inside, N_LABELS_MAX);
        glint_labels_draw(network, cr, labels);
        glint_legend_draw(network, cr, page_width - page_margin - key_width + 8, 84, key_width - 8, page_height - 84 - 60);
    }
    glint_caption_foot(cr, page_margin, page_height - 28, page_width - 2 * page_margin, foot);
    return glint_canvas_finish(g_steal_pointer(&canvas), error);
}

gboolean glint_draw_graph(const GlintGraph *graph, const GlintCaption *caption, guint64 seed, char *const *paths, GError **error)
{
    for (char *const *path = paths; *path; path++) {
        if (!glint_canvas_check(*path, error))
            return FALSE;
    }
    const double edge = 16; /* room for the largest node at the border */
    g_autoptr(GlintNetwork) network = glint_network_new(graph, seed, network_box.x + edge, network_box.y + edge,
                                                        network_box.width - 2 * edge, network_box.height - 2 * edge, error);
    if (!network)
        return FALSE;
    g_autofree char *line = glint_caption_line(graph, caption);
    for (char *const *path = paths; *path; path++) {
        if (!draw_page(network, "Direct connections between neurons", line, *path, error))
            return FALSE;
    }
    return TRUE;
}
