/* Heat maps of several classes side by side, in common rows and on one colour scale, and what differs: for two classes the
 * first minus the second, for more each class minus the mean of all. */
#include "base/error.h"
#include "draw/caption.h"
#include "draw/draw.h"
#include "draw/joint.h"
#include "draw/lettering.h"
#include "draw/margins.h"
#include <math.h>

enum { N_COLUMNS_MAX = 4 };
static const double page_margin = 20, head_height = 58, panel_side = 250, panel_gap = 24, panel_head = 34, row_gap = 20, bar_room = 92;

typedef struct {
    char *title, *remark;    /* owned */
    GlintHeatEntry *entries; /* owned; joint->n_pairs of them */
} Panel;

static void panel_clear(gpointer data)
{
    Panel *self = data;
    g_free(self->title);
    g_free(self->remark);
    g_free(self->entries);
}

typedef struct { gsize own, only, all, opposite; } Counts;

/* Of graph g: its edges, and those no other graph has. Of all: edges in every graph, and those whose sign differs. */
static Counts count_edges(const GlintJoint *joint, gsize g)
{
    Counts counts = {0};
    for (gsize e = 0; e < joint->n_pairs; e++) {
        const double *values = &joint->pcor[e * joint->n_graphs];
        gsize n_have = 0, n_positive = 0;
        for (gsize k = 0; k < joint->n_graphs; k++) {
            n_have += values[k] != 0;
            n_positive += values[k] > 0;
        }
        counts.own += values[g] != 0;
        counts.only += values[g] != 0 && n_have == 1;
        counts.all += n_have == joint->n_graphs;
        counts.opposite += n_have == joint->n_graphs && n_positive > 0 && n_positive < n_have;
    }
    return counts;
}

static void add_class_panel(GArray *panels, const GlintJoint *joint, gsize g, const char *name)
{
    const Counts counts = count_edges(joint, g);
    g_autofree char *own = glint_format_counted(counts.own, "edge", "edges"), *only = glint_format_count(counts.only);
    Panel panel = {g_strdup(name), joint->n_graphs > 1 ? g_strdup_printf("%s, %s only here", own, only) : g_strdup(own),
                   glint_joint_entries(joint, g, GLINT_JOINT_PLAIN)};
    g_array_append_val(panels, panel);
}

static void add_difference_panel(GArray *panels, const GlintJoint *joint, char *const *names)
{
    const Counts counts = count_edges(joint, 0);
    g_autofree char *all = glint_format_count(counts.all), *opposite = glint_format_count(counts.opposite);
    Panel panel = {g_strdup_printf("%s − %s", names[0], names[1]),
                   g_strdup_printf("%s shared, %s of them with opposite sign", all, opposite), glint_joint_entries(joint, 0, 1)};
    g_array_append_val(panels, panel);
}

static GArray *make_panels(const GlintJoint *joint, char *const *names)
{
    GArray *panels = g_array_new(FALSE, FALSE, sizeof(Panel));
    g_array_set_clear_func(panels, panel_clear);
    for (gsize g = 0; g < joint->n_graphs; g++)
        add_class_panel(panels, joint, g, names[g]);
    if (joint->n_graphs == 2)
        add_difference_panel(panels, joint, names);
    for (gsize g = 0; g < joint->n_graphs && joint->n_graphs > 2; g++) {
        Panel panel = {g_strdup_printf("%s − mean of all", names[g]), g_strdup(""), glint_joint_entries(joint, g, GLINT_JOINT_MEAN)};
        g_array_append_val(panels, panel);
    }
    return panels;
}

/* ---- the page ---- */

typedef struct { gsize n_columns, n_rows; double side /* of a panel */, width, height; } Grid;

/* Classes fill rows of up to four; with more than two classes the differences start a row of their own. */
static Grid grid_of(const GlintJoint *joint, gsize n_panels)
{
    const gsize n_graphs = joint->n_graphs;
    Grid grid = {.n_columns = n_graphs == 2 ? 3 : CLAMP(n_graphs, 1, N_COLUMNS_MAX)};
    const gsize class_rows = (n_graphs + grid.n_columns - 1) / grid.n_columns;
    grid.n_rows = n_panels > n_graphs && n_graphs > 2 ? 2 * class_rows : MAX(class_rows, 1);
    grid.side = glint_heat_panel(0, 0, panel_side, joint->n_rows, GLINT_CANVAS_PIXELS).side;
    const double columns = (double)grid.n_columns, rows = (double)grid.n_rows;
    grid.width = 2 * page_margin + GLINT_MARGIN_LEFT + columns * grid.side + (columns - 1) * panel_gap + bar_room;
    grid.height = head_height + rows * (panel_head + GLINT_MARGIN_TOP + grid.side) + (rows - 1) * row_gap + 34 + 46;
    return grid;
}

static GlintHeatPanel panel_place(const Grid *grid, const GlintJoint *joint, gsize index, double pixels)
{
    const gsize class_rows = (joint->n_graphs + grid->n_columns - 1) / grid->n_columns;
    const gboolean below = joint->n_graphs > 2 && index >= joint->n_graphs;
    const gsize within = below ? index - joint->n_graphs : index;
    const gsize column = within % grid->n_columns, row = within / grid->n_columns + (below ? class_rows : 0);
    const double x = page_margin + GLINT_MARGIN_LEFT + (double)column * (grid->side + panel_gap);
    const double y = head_height + (double)row * (panel_head + GLINT_MARGIN_TOP + grid->side + row_gap) + panel_head + GLINT_MARGIN_TOP;
    return glint_heat_panel_within(x, y, grid->side, joint->n_rows, pixels);
}

static gboolean draw_panel(cairo_t *cr, const Panel *panel, const GlintHeatPanel *place, const GlintJoint *joint, const GArray *runs,
                           const GlintScale *scale, gboolean first_of_row, GError **error)
{
    const GlintFont name = {.size = 11.5, .bold = TRUE, .colour = GLINT_INK}, plain = {.size = 9, .colour = GLINT_QUIET};
    const double head = place->y - GLINT_MARGIN_TOP - panel_head;
    glint_text_within(cr, name, place->x, head + 14, place->side, panel->title);
    glint_text_within(cr, plain, place->x, head + 28, place->side, panel->remark);
    glint_margins_grid(place, cr, runs);
    if (!glint_heat_draw(place, cr, panel->entries, joint->n_pairs, scale, error))
        return FALSE;
    glint_margins_strips(place, cr, runs, first_of_row);
    if (joint->n_pairs == 0)
        glint_caption_empty(cr, place->x, place->y, place->side, place->side, joint->graph->p ? "no edges" : "no neurons");
    return TRUE;
}

static char *line_of(const GlintJoint *joint, const char *site)
{
    g_autofree char *neurons = glint_format_counted(joint->graph->p, "neuron", "neurons");
    g_autofree char *pairs = glint_format_counted(joint->n_pairs, "edge", "edges"), *all = NULL;
    if (joint->n_graphs > 1) {
        g_autofree char *count = glint_format_count(count_edges(joint, 0).all);
        all = g_strdup_printf(" in any class, %s in %s", count, joint->n_graphs == 2 ? "both" : "all");
    }
    return g_strdup_printf("%s%s%s · %s%s", site && *site ? site : "", site && *site ? " · " : "", neurons, pairs, all ? all : "");
}

static char *foot_of(const GlintJoint *joint, char *const *names, const GlintScale *scale)
{
    g_autofree char *ends = glint_scale_remark(scale);
    GString *text = g_string_new("Rows and columns are the same neurons in all panels, ordered by the modules of all classes together. ");
    if (joint->n_rows < joint->graph->p) {
        g_autofree char *isolated = glint_format_counted(joint->graph->p - joint->n_rows, "neuron without any edge is", "neurons without any edge are");
        g_string_append_printf(text, "%s not shown. ", isolated);
    }
    if (joint->n_graphs == 2)
        g_string_append_printf(text, "Blue in the difference: more positive in %s. ", names[0]);
    g_string_append(text, ends);
    return g_string_free(text, FALSE);
}

static gboolean draw_page(GlintCanvas *canvas, const Grid *grid, const GlintJoint *joint, const GArray *panels, char *const *names,
                          const char *title, const char *line, GError **error)
{
    cairo_t *cr = canvas->cr;
    const GlintScale scale = glint_scale_of(joint->pcor, joint->n_pairs * joint->n_graphs);
    g_autoptr(GArray) runs = glint_runs_of(joint->graph, joint->order, joint->n_rows);
    const double text_width = grid->width - 2 * page_margin;
    glint_caption_head(cr, page_margin, 30, text_width, title, line);
    for (guint k = 0; k < panels->len; k++) {
        const GlintHeatPanel place = panel_place(grid, joint, k, canvas->pixels);
        const gboolean first_of_row = place.x < page_margin + GLINT_MARGIN_LEFT + 1;
        if (!draw_panel(cr, &g_array_index(panels, Panel, k), &place, joint, runs, &scale, first_of_row, error))
            return FALSE;
    }
    const GlintHeatPanel first = panel_place(grid, joint, 0, canvas->pixels);
    glint_scale_bar(&scale, cr, grid->width - page_margin - bar_room + 18, first.y + grid->side * 0.1, 13, grid->side * 0.8,
                    joint->n_graphs > 1 ? "partial correlation ρ, difference" : "partial correlation ρ");
    const GlintFont axis = {.size = 10, .colour = GLINT_INK, .align = GLINT_CENTRE};
    glint_text(cr, axis, first.x + first.side / 2, grid->height - 62, "neurons, ordered by module");
    g_autofree char *foot = foot_of(joint, names, &scale);
    glint_caption_foot(cr, page_margin, grid->height - 42, text_width, foot);
    return TRUE;
}

gboolean glint_draw_comparison(GlintGraph *const *graphs, char *const *classes, gsize n_classes, const char *site, const char *path, GError **error)
{
    const char *title = "Partial correlations by class";
    if (!glint_canvas_check(path, error))
        return FALSE;
    g_autoptr(GlintJoint) joint = glint_joint_new(graphs, n_classes, error);
    if (!joint)
        return FALSE;
    g_autoptr(GArray) panels = make_panels(joint, classes);
    const Grid grid = grid_of(joint, panels->len);
    g_autofree char *line = line_of(joint, site);
    g_autoptr(GlintCanvas) canvas = glint_canvas_new(path, ceil(grid.width), ceil(grid.height), title, line, error);
    if (!canvas || !draw_page(canvas, &grid, joint, panels, classes, title, line, error))
        return FALSE;
    return glint_canvas_finish(g_steal_pointer(&canvas), error);
}
