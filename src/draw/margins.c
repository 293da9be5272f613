/* Modules are named where they lie. Large modules get their number and size; neighbours too thin for a line of text are
 * named together ("13–27"), so that every row belongs to some name and names never overlap. The numbers are those of
 * modules.csv. Isolated neurons get no rows: they are blank by definition, and without them the rest is larger. */
#include "draw/margins.h"
#include "draw/lettering.h"
#include <math.h>

static const double strip_width = 7, strip_gap = 3, name_gap = 4;

gsize glint_connected_of(const GlintGraph *graph, gsize *order)
{
    gsize n = 0;
    for (gsize k = 0; k < graph->p; k++) {
        if (graph->nodes[order[k]].degree > 0)
            order[n++] = order[k];
    }
    return n;
}

GArray *glint_runs_of(const GlintGraph *graph, const gsize *order, gsize n_rows)
{
    GArray *runs = g_array_new(FALSE, FALSE, sizeof(GlintRun));
    for (gsize k = 0; k < n_rows; k++) {
        const int module = graph->nodes[order[k]].module;
        GlintRun *last = runs->len ? &g_array_index(runs, GlintRun, runs->len - 1) : NULL;
        if (last && last->module == module) {
            last->size++;
        } else {
            const GlintRun run = {module, k, 1};
            g_array_append_val(runs, run);
        }
    }
    return runs;
}

void glint_margins_grid(const GlintHeatPanel *panel, cairo_t *cr, const GArray *runs)
{
    const double cell = panel->p ? panel->side / (double)panel->p : 0;
    for (guint k = 0; k < runs->len; k++) {
        const GlintRun *run = &g_array_index(runs, GlintRun, k);
        const double at = (double)run->start * cell, size = (double)run->size * cell;
        if (run->module >= 0) {
            glint_colour_set(cr, (GlintColour){0.955, 0.955, 0.96}, 1); /* neutral: a tint could be taken for a weak edge */
            cairo_rectangle(cr, panel->x + at, panel->y + at, size, size);
            cairo_fill(cr);
        }
        if (k == 0 || size < 4)
            continue;
        const GlintColour light = {0.88, 0.88, 0.89};
        glint_canvas_line(cr, panel->x + at, panel->y, panel->x + at, panel->y + panel->side, 0.5, light);
        glint_canvas_line(cr, panel->x, panel->y + at, panel->x + panel->side, panel->y + at, 0.5, light);
    }
}

static void frame(const GlintHeatPanel *panel, cairo_t *cr)
{
    glint_colour_set(cr, GLINT_INK, 1);
    const double width = 0.7; /* all of it outside: the first row may be less than a pixel */
    cairo_set_line_width(cr, width);
    cairo_rectangle(cr, panel->x - width / 2, panel->y - width / 2, panel->side + width, panel->side + width);
    cairo_stroke(cr);
}

static const GlintFont name_font = {.size = 8.5, .colour = {0.13, 0.13, 0.15}, .align = GLINT_RIGHT};

/* Neighbouring runs that share a name. */
typedef struct { guint from, to; } Group;

/* "3" or "13–27", with the number of neurons when wanted. */
static char *name_of(const GArray *runs, Group group, gboolean with_size)
{
    const int first = g_array_index(runs, GlintRun, group.from).module, last = g_array_index(runs, GlintRun, group.to).module;
    g_autofree char *name = first < 0 ? g_strdup("no module") : first == last ? g_strdup_printf("%d", first) : g_strdup_printf("%d–%d", first, last);
    if (!with_size)
        return g_steal_pointer(&name);
    gsize n = 0;
    for (guint k = group.from; k <= group.to; k++)
        n += g_array_index(runs, GlintRun, k).size;
    g_autofree char *count = glint_format_count(n);
    return g_strdup_printf("%s (%s)", name, count);
}

static double extent_of(const GlintHeatPanel *panel, const GArray *runs, Group group, double *middle)
{
    const GlintRun *first = &g_array_index(runs, GlintRun, group.from), *last = &g_array_index(runs, GlintRun, group.to);
    const double cell = panel->side / (double)panel->p, extent = (double)(last->start + last->size - first->start) * cell;
    *middle = (double)first->start * cell + extent / 2;
    return extent;
}

/* Does the name fit beside its rows (one line high) or, level, above its columns (as wide as its text)? */
static gboolean group_fits(const GlintHeatPanel *panel, cairo_t *cr, const GArray *runs, Group group, gboolean level)
{
    double middle;
    const double extent = extent_of(panel, runs, group, &middle);
    g_autofree char *name = name_of(runs, group, FALSE);
    return extent >= (level ? glint_text_width(cr, name_font, name) + 4 : name_font.size * 1.15);
}

/* Gathers runs from the first on until their common name fits; what is left over at the end joins the group before it. */
static GArray *groups_of(const GlintHeatPanel *panel, cairo_t *cr, const GArray *runs, gboolean level)
{
    GArray *groups = g_array_new(FALSE, FALSE, sizeof(Group));
    for (guint k = 0; k < runs->len; k++) {
        Group *last = groups->len ? &g_array_index(groups, Group, groups->len - 1) : NULL;
        if (last && !group_fits(panel, cr, runs, *last, level)) {
            last->to = k;
        } else {
            const Group group = {k, k};
            g_array_append_val(groups, group);
        }
    }
    while (groups->len > 1 && !group_fits(panel, cr, runs, g_array_index(groups, Group, groups->len - 1), level)) {
        g_array_index(groups, Group, groups->len - 2).to = g_array_index(groups, Group, groups->len - 1).to;
        g_array_set_size(groups, groups->len - 1);
    }
    return groups;
}

typedef void (*DrawName)(const GlintHeatPanel *panel, cairo_t *cr, double middle, const char *name);

static void draw_names(const GlintHeatPanel *panel, cairo_t *cr, const GArray *runs, gboolean level, DrawName draw)
{
    g_autoptr(GArray) groups = groups_of(panel, cr, runs, level);
    for (guint k = 0; k < groups->len; k++) {
        const Group group = g_array_index(groups, Group, k);
        g_autofree char *name = name_of(runs, group, !level);
        double middle;
        extent_of(panel, runs, group, &middle);
        draw(panel, cr, middle, name);
    }
}

static void name_at_left(const GlintHeatPanel *panel, cairo_t *cr, double middle, const char *name)
{
    const double x = panel->x - strip_gap - strip_width - name_gap;
    glint_text(cr, name_font, x, panel->y + middle + name_font.size * 0.36, name);
}

static void name_on_top(const GlintHeatPanel *panel, cairo_t *cr, double middle, const char *name)
{
    GlintFont font = name_font;
    font.align = GLINT_CENTRE;
    glint_text(cr, font, panel->x + middle, panel->y - strip_gap - strip_width - name_gap, name);
}

void glint_margins_strips(const GlintHeatPanel *panel, cairo_t *cr, const GArray *runs, gboolean names_at_left)
{
    frame(panel, cr);
    if (panel->p == 0)
        return;
    const double cell = panel->side / (double)panel->p;
    for (guint k = 0; k < runs->len; k++) {
        const GlintRun *run = &g_array_index(runs, GlintRun, k);
        const double at = (double)run->start * cell, size = (double)run->size * cell, inset = size > 3 ? 0.5 : 0;
        glint_colour_set(cr, glint_colour_module(run->module), run->module < 0 ? 0.5 : 1);
        cairo_rectangle(cr, panel->x - strip_gap - strip_width, panel->y + at + inset, strip_width, size - 2 * inset);
        cairo_rectangle(cr, panel->x + at + inset, panel->y - strip_gap - strip_width, size - 2 * inset, strip_width);
        cairo_fill(cr);
    }
    if (names_at_left)
        draw_names(panel, cr, runs, FALSE, name_at_left);
    draw_names(panel, cr, runs, TRUE, name_on_top);
}

void glint_margins_ticks(const GlintHeatPanel *panel, cairo_t *cr)
{
    const GlintFont font = {.size = 8.5, .colour = GLINT_INK, .align = GLINT_CENTRE};
    const double bottom = panel->y + panel->side;
    const double rough = (double)panel->p / 5, power = pow(10, floor(log10(rough)));
    const double lead = rough / power, factor = lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10;
    const gsize step = MAX(1, (gsize)(factor * power));
    for (gsize k = 0; k <= panel->p; k = k < panel->p && k + step > panel->p ? panel->p : k + step) {
        if (k < panel->p && panel->p - k < step / 2)
            continue; /* too near the last tick, which counts them all */
        const double x = panel->x + panel->side * (double)k / (double)panel->p;
        g_autofree char *label = glint_format_count(k);
        glint_canvas_line(cr, x, bottom, x, bottom + 3, 0.6, GLINT_INK);
        glint_text(cr, font, x, bottom + 13, label);
    }
    const GlintFont title = {.size = 10, .colour = GLINT_INK, .align = GLINT_CENTRE};
    glint_text(cr, title, panel->x + panel->side / 2, bottom + 29, "neurons, ordered by module");
}

void glint_margins_names(const GlintHeatPanel *panel, cairo_t *cr, char *const *names)
{
    const double cell = panel->side / (double)MAX(panel->p, 1), room = GLINT_NAMES_ROOM - 4;
    GlintFont font = {.size = CLAMP(cell * 0.85, 5, 8.5), .colour = GLINT_INK};
    for (gsize k = 0; k < panel->p; k++) {
        const double middle = ((double)k + 0.5) * cell;
        font.align = GLINT_LEFT;
        glint_text_within(cr, font, panel->x + panel->side + 4, panel->y + middle + font.size * 0.36, room, names[k]);
        font.align = GLINT_RIGHT;
        cairo_save(cr);
        cairo_translate(cr, panel->x + middle + font.size * 0.36, panel->y + panel->side + 4);
        cairo_rotate(cr, -G_PI / 2);
        glint_text_within(cr, font, 0, 0, room, names[k]);
        cairo_restore(cr);
    }
}
