/* The key of a graph picture. Only modules that are in the picture are listed, with the neurons drawn of how many, and
 * the hub: the neuron of largest strength. */
#include "draw/legend.h"
#include "draw/lettering.h"
#include <math.h>

enum { N_MODULES_LISTED = 16 };

typedef struct { gsize n_all, n_drawn, hub /* node */; gboolean has_hub; } ModuleRow;

static const GlintFont head_font = {.size = 9.5, .bold = TRUE, .colour = {0.13, 0.13, 0.15}};
static const GlintFont row_font = {.size = 9, .colour = {0.13, 0.13, 0.15}};
static const GlintFont quiet_font = {.size = 8.5, .colour = {0.42, 0.42, 0.45}};
static const double row_height = 14.5;

static ModuleRow *rows_of(const GlintNetwork *network, gsize n_modules)
{
    ModuleRow *rows = g_new0(ModuleRow, n_modules + 1);
    for (gsize i = 0; i < network->graph->p; i++) {
        const int module = network->graph->nodes[i].module;
        if (module >= 0 && (gsize)module < n_modules)
            rows[module].n_all++;
    }
    for (gsize k = 0; k < network->n_dots; k++) {
        const gsize i = network->dots[k].node;
        const GlintNode *node = &network->graph->nodes[i];
        if (node->module < 0 || (gsize)node->module >= n_modules)
            continue;
        ModuleRow *row = &rows[node->module];
        row->n_drawn++;
        if (!row->has_hub || node->strength > network->graph->nodes[row->hub].strength) {
            row->hub = i;
            row->has_hub = TRUE;
        }
    }
    return rows;
}

static gsize connected_of(const GlintGraph *graph)
{
    gsize n = 0;
    for (gsize i = 0; i < graph->p; i++)
        n += graph->nodes[i].degree > 0;
    return n;
}

static double draw_modules(const GlintNetwork *network, cairo_t *cr, double x, double y, double width, gsize n_rows_max)
{
    const gsize n_modules = network->graph->n_modules;
    g_autofree ModuleRow *rows = rows_of(network, n_modules);
    gsize listed = 0, more = 0, more_neurons = 0;
    const GlintFont right = {.size = 9, .colour = GLINT_INK, .align = GLINT_RIGHT};
    const GlintFont right_quiet = {.size = 8.5, .colour = GLINT_QUIET, .align = GLINT_RIGHT};
    const double number_x = x + 28, size_x = x + 78, hub_x = x + 88;
    glint_text(cr, head_font, x, y, "Modules");
    y += row_height;
    glint_text(cr, right_quiet, size_x, y, network->n_dots < connected_of(network->graph) ? "drawn/all" : "neurons");
    glint_text(cr, quiet_font, hub_x, y, "hub");
    for (gsize m = 0; m < n_modules; m++) {
        if (rows[m].n_drawn == 0)
            continue;
        if (listed == n_rows_max) {
            more++;
            more_neurons += rows[m].n_drawn;
            continue;
        }
        listed++;
        y += row_height;
        const GlintColour colour = glint_colour_module((int)m);
        cairo_arc(cr, x + 5, y - 3.2, 4.6, 0, 2 * G_PI);
        glint_colour_set(cr, colour, 1);
        cairo_fill_preserve(cr);
        glint_colour_set(cr, glint_colour_mix(colour, GLINT_INK, 0.6), 1);
        cairo_set_line_width(cr, 0.6);
        cairo_stroke(cr);
        g_autofree char *number = g_strdup_printf("%" G_GSIZE_FORMAT, m);
        g_autofree char *size = rows[m].n_drawn == rows[m].n_all
            ? glint_format_count(rows[m].n_all)
            : g_strdup_printf("%" G_GSIZE_FORMAT "/%" G_GSIZE_FORMAT, rows[m].n_drawn, rows[m].n_all);
        glint_text(cr, right, number_x, y, number);
        glint_text(cr, right, size_x, y, size);
        glint_text_within(cr, row_font, hub_x, y, x + width - hub_x, network->graph->nodes[rows[m].hub].neuron);
    }
    if (more) {
        y += row_height;
        g_autofree char *line = g_strdup_printf("and %" G_GSIZE_FORMAT " more, %" G_GSIZE_FORMAT " neurons", more, more_neurons);
        glint_text(cr, quiet_font, x, y, line);
    }
    return y;
}

static double draw_edges(const GlintNetwork *network, cairo_t *cr, double x, double y)
{
    const double largest = network->pcor_max, smallest = network->pcor_min;
    const double steps[] = {smallest, (smallest + largest) / 2, largest};
    const int n_steps = largest > smallest * 1.2 ? 3 : 1;
    glint_text(cr, head_font, x, y, "Partial correlation");
    const GlintFont centre = {.size = 8.5, .colour = GLINT_QUIET, .align = GLINT_CENTRE};
    for (int k = 0; k < n_steps; k++) {
        const double value = n_steps == 1 ? largest : steps[k], left = x + 52 + 37 * k;
        g_autofree char *label = glint_format_short(value, 2);
        glint_text(cr, centre, left + 16, y + 15, label);
        glint_network_edge(network, cr, left, y + 26, left + 32, y + 26, value);
        glint_network_edge(network, cr, left, y + 40.5, left + 32, y + 40.5, -value);
    }
    glint_text(cr, quiet_font, x, y + 15, "|ρ|");
    glint_text(cr, row_font, x, y + 29, "positive");
    glint_text(cr, row_font, x, y + 43.5, "negative");
    return y + 43.5;
}

static double draw_areas(const GlintNetwork *network, cairo_t *cr, double x, double y)
{
    const double largest = network->strength_max;
    if (!(largest > 0))
        return y;
    glint_text(cr, head_font, x, y, "Strength Σ|ρ|");
    const double room = glint_network_radius(network, largest);
    double left = x + 4;
    for (int k = 0; k < 3; k++) {
        const double value = largest * (k == 0 ? 0.1 : k == 1 ? 0.5 : 1), r = glint_network_radius(network, value);
        g_autofree char *label = glint_format_real(value, largest < 1 ? 2 : 1);
        cairo_arc(cr, left + r, y + 8 + room, r, 0, 2 * G_PI);
        glint_colour_set(cr, GLINT_FAINT, 1);
        cairo_fill_preserve(cr);
        glint_colour_set(cr, GLINT_QUIET, 1);
        cairo_set_line_width(cr, 0.6);
        cairo_stroke(cr);
        glint_text(cr, row_font, left + 2 * r + 4, y + 8 + room + 3.2, label);
        left += 2 * r + 4 + glint_text_width(cr, row_font, label) + 12;
    }
    return y + 8 + 2 * room;
}

void glint_legend_draw(const GlintNetwork *network, cairo_t *cr, double x, double y, double width, double height)
{
    const double bottom = y + height;
    if (network->n_edges == 0)
        return;
    y = draw_edges(network, cr, x, y) + 30;
    y = draw_areas(network, cr, x, y) + 30;
    const double rows = (bottom - y) / row_height - 3;
    if (network->graph->n_modules > 0 && rows >= 1)
        draw_modules(network, cr, x, y, width, MIN((gsize)rows, (gsize)N_MODULES_LISTED));
}
