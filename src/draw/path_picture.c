/* What a reader asks of a path: how dense is the graph at each lambda, what did the criterion say, and was the choice at an end of
 * the grid. So every criterion has its own panel with its own scale (they share nothing but lambda), a thin line goes through
 * all panels at the chosen lambda, and points that missed the tolerance are hollow. Counts are on a log(1 + x) axis when they span
 * several powers of ten, for the empty graph must be on it, too.
 *
 * The page has one width whatever is drawn, fit for a column of a paper. */
#include "draw/path_picture.h"
#include "draw/caption.h"
#include "draw/frame.h"
#include "draw/lettering.h"
#include <math.h>

enum { N_PANELS_MAX = 5, N_DOTS_MAX = 80 };
static const double page_width = 500, page_margin = 20, head_height = 76, panel_left = 92, panel_right = 22, panel_height = 112, panel_gap = 16;
static const double foot_height = 88;

typedef struct {
    const char *title;      /* of the vertical axis */
    const double *values;   /* (n) */
    const double *se;       /* (n) or NULL */
    double threshold;       /* NAN: none */
    gboolean count;         /* a number of things: starts at 0, and is logarithmic when it is large */
    gboolean marks_least;   /* a ring at the smallest value */
} Panel;

static gsize count_known(const double *values, gsize n)
{
    gsize known = 0;
    for (gsize k = 0; values && k < n; k++)
        known += isfinite(values[k]);
    return known;
}

/* The panels that have something to show, at most N_PANELS_MAX. */
static gsize choose_panels(const GlintPathCurves *curves, Panel panels[N_PANELS_MAX])
{
    const Panel all[N_PANELS_MAX] = {
        {.title = "edges", .values = curves->edges, .threshold = NAN, .count = TRUE},
        {.title = "components", .values = curves->components, .threshold = NAN, .count = TRUE},
        {.title = "EBIC", .values = curves->ebic, .threshold = NAN, .marks_least = TRUE},
        {.title = "held-out loss", .values = curves->cv, .se = curves->cv_se, .threshold = NAN, .marks_least = TRUE},
        {.title = "instability", .values = curves->instability, .threshold = curves->threshold},
    };
    gsize n = 0;
    for (gsize k = 0; k < N_PANELS_MAX; k++)
        if (k == 0 || count_known(all[k].values, curves->n) > 0)
            panels[n++] = all[k];
    return n;
}

gsize glint_path_panels(const GlintPathCurves *curves)
{
    Panel panels[N_PANELS_MAX];
    return choose_panels(curves, panels);
}

void glint_path_panel(gsize k, double *x, double *y, double *width, double *height)
{
    *x = panel_left;
    *y = head_height + (double)k * (panel_height + panel_gap);
    *width = page_width - panel_left - panel_right;
    *height = panel_height;
}

/* Indices of the drawable lambdas in ascending order. */
static gsize *ascending(const GlintPathCurves *curves, gsize *n_drawn)
{
    gsize *order = g_new(gsize, curves->n + 1), n = 0;
    for (gsize k = 0; k < curves->n; k++) {
        if (!(curves->lambda[k] > 0) || !isfinite(curves->lambda[k]))
            continue;
        gsize at = n++;
        for (; at > 0 && curves->lambda[order[at - 1]] > curves->lambda[k]; at--)
            order[at] = order[at - 1];
        order[at] = k;
    }
    *n_drawn = n;
    return order;
}

static GlintAxis value_axis(const Panel *panel, const gsize *order, gsize n_drawn)
{
    g_autofree double *shown = g_new(double, 3 * n_drawn + 1);
    gsize n = 0;
    double most = 0;
    for (gsize a = 0; panel->values && a < n_drawn; a++) {
        const double value = panel->values[order[a]], se = panel->se && isfinite(panel->se[order[a]]) ? panel->se[order[a]] : 0;
        if (!isfinite(value))
            continue;
        shown[n++] = value - se;
        shown[n++] = value + se;
        most = fmax(most, value);
    }
    if (isfinite(panel->threshold))
        shown[n++] = panel->threshold;
    if (panel->count) {
        GlintAxis axis = glint_axis_of(most > 1000 ? GLINT_AXIS_LOG_COUNT : GLINT_AXIS_LINEAR, shown, n, 0.06);
        axis.low = 0;
        return axis;
    }
    return glint_axis_of(GLINT_AXIS_LINEAR, shown, n, 0.08);
}

/* ---- what is in it ---- */

static void draw_threshold(const GlintFrame *frame, double threshold)
{
    if (!isfinite(threshold))
        return;
    const double at = glint_axis_at(&frame->y, threshold);
    g_autofree char *value = glint_format_short(threshold, 3), *text = g_strdup_printf("threshold %s", value);
    const GlintFont font = {.size = 8, .colour = GLINT_QUIET, .align = GLINT_RIGHT};
    glint_frame_dashed(frame->cr, frame->left, at, frame->left + frame->width, at, GLINT_QUIET);
    glint_text_halo(frame->cr, font, frame->left + frame->width - 4, at - 3, text);
}

static void draw_errors(const GlintFrame *frame, const GlintPathCurves *curves, const Panel *panel, const gsize *order, gsize n_drawn)
{
    const GlintColour pale = glint_colour_mix(GLINT_WHITE, glint_colour_diverging(0.75), 0.45);
    for (gsize a = 0; panel->se && a < n_drawn; a++) {
        const gsize k = order[a];
        if (!isfinite(panel->values[k]) || !isfinite(panel->se[k]))
            continue;
        const double x = glint_axis_at(&frame->x, curves->lambda[k]);
        const double low = glint_axis_at(&frame->y, panel->values[k] - panel->se[k]), high = glint_axis_at(&frame->y, panel->values[k] + panel->se[k]);
        glint_canvas_line(frame->cr, x, low, x, high, 1, pale);
        glint_canvas_line(frame->cr, x - 2, low, x + 2, low, 1, pale);
        glint_canvas_line(frame->cr, x - 2, high, x + 2, high, 1, pale);
    }
}

static void draw_curve(const GlintFrame *frame, const GlintPathCurves *curves, const Panel *panel, const gsize *order, gsize n_drawn)
{
    g_autofree double *x = g_new(double, n_drawn + 1), *y = g_new(double, n_drawn + 1);
    for (gsize a = 0; a < n_drawn; a++) {
        x[a] = curves->lambda[order[a]];
        y[a] = panel->values ? panel->values[order[a]] : NAN;
    }
    glint_frame_curve(frame, x, y, n_drawn, 1.3, glint_colour_diverging(0.85));
}

static void draw_dots(const GlintFrame *frame, const GlintPathCurves *curves, const Panel *panel, const gsize *order, gsize n_drawn)
{
    gsize least = curves->n;
    for (gsize a = 0; panel->values && a < n_drawn; a++) {
        const gsize k = order[a];
        if (!glint_axis_shows(&frame->y, panel->values[k]))
            continue;
        const gboolean hollow = curves->converged && !curves->converged[k];
        if (least == curves->n || panel->values[k] < panel->values[least])
            least = k;
        if (n_drawn <= N_DOTS_MAX || hollow)
            glint_frame_dot(frame, curves->lambda[k], panel->values[k], n_drawn <= 40 ? 2.2 : 1.5, hollow, glint_colour_diverging(0.85));
    }
    if (!panel->marks_least || least == curves->n)
        return;
    glint_colour_set(frame->cr, GLINT_INK, 1);
    cairo_set_line_width(frame->cr, 1);
    cairo_new_sub_path(frame->cr);
    cairo_arc(frame->cr, glint_axis_at(&frame->x, curves->lambda[least]), glint_axis_at(&frame->y, panel->values[least]), 5, 0, 2 * G_PI);
    cairo_stroke(frame->cr);
}

static gboolean has_selected(const GlintPathCurves *curves)
{
    return curves->selected < curves->n && curves->lambda[curves->selected] > 0 && isfinite(curves->lambda[curves->selected]);
}

static void draw_selected(const GlintFrame *frame, const GlintPathCurves *curves, gboolean named)
{
    if (!has_selected(curves))
        return;
    const GlintColour red = glint_colour_diverging(-0.8);
    const double lambda = curves->lambda[curves->selected], x = glint_axis_at(&frame->x, lambda);
    glint_frame_dashed(frame->cr, x, frame->top, x, frame->top + frame->height, red);
    if (!named)
        return;
    g_autofree char *value = glint_format_short(lambda, 3), *text = g_strdup_printf("λ = %s", value);
    const gboolean at_right = x > frame->left + frame->width * 0.8;
    const GlintFont font = {.size = 9, .colour = red, .align = at_right ? GLINT_RIGHT : x < frame->left + frame->width * 0.2 ? GLINT_LEFT : GLINT_CENTRE};
    glint_text(frame->cr, font, x, frame->top - 4, text);
}

static void draw_panel(cairo_t *cr, const GlintPathCurves *curves, const Panel *panels, gsize n_panels, gsize which, const gsize *order, gsize n_drawn)
{
    const Panel *panel = &panels[which];
    GlintFrame frame = {.cr = cr, .x = glint_axis_of(GLINT_AXIS_LOG, curves->lambda, curves->n, 0.03), .y = value_axis(panel, order, n_drawn)};
    double left, top, width, height;
    glint_path_panel(which, &left, &top, &width, &height);
    glint_frame_place(&frame, left, top, width, height);
    glint_frame_grid(&frame);
    draw_threshold(&frame, panel->threshold);
    draw_selected(&frame, curves, which == 0);
    draw_errors(&frame, curves, panel, order, n_drawn);
    draw_curve(&frame, curves, panel, order, n_drawn);
    draw_dots(&frame, curves, panel, order, n_drawn);
    glint_frame_outline(&frame);
    glint_frame_values(&frame, page_margin + 20, panel->title);
    glint_frame_bottom(&frame, which + 1 == n_panels ? "penalty λ (logarithmic)" : NULL);
}

/* ---- the words ---- */

static char *head_line(const GlintPathCurves *curves, const GlintCaption *caption)
{
    g_autoptr(GString) line = g_string_new(NULL);
    if (caption && caption->site && *caption->site)
        g_string_append_printf(line, "%s · ", caption->site);
    if (caption && caption->class_name && *caption->class_name)
        g_string_append_printf(line, "class %s · ", caption->class_name);
    if (curves->p) {
        g_autofree char *neurons = glint_format_counted(curves->p, "neuron", "neurons");
        g_string_append_printf(line, "%s · ", neurons);
    }
    if (caption && caption->n_samples) {
        g_autofree char *n = glint_format_count(caption->n_samples);
        g_string_append_printf(line, "n = %s · ", n);
    }
    g_autofree char *points = glint_format_counted(curves->n, "value of λ", "values of λ");
    g_string_append(line, points);
    return g_string_free(g_steal_pointer(&line), FALSE);
}

static char *remark_of(const GlintPathCurves *curves, const Panel *panels, gsize n_panels, gsize n_drawn)
{
    g_autoptr(GString) text = g_string_new(NULL);
    gboolean errors = FALSE;
    gsize rings = 0;
    const char *ringed = "";
    gsize n_open = 0;
    for (gsize k = 0; k < n_panels; k++) {
        errors = errors || panels[k].se;
        rings += panels[k].marks_least;
        ringed = panels[k].marks_least ? panels[k].title : ringed;
    }
    for (gsize k = 0; curves->converged && k < curves->n; k++)
        n_open += !curves->converged[k];
    if (has_selected(curves)) {
        g_autofree char *lambda = glint_format_short(curves->lambda[curves->selected], 4), *edges = glint_format_count((gsize)fmax(0, curves->edges[curves->selected]));
        g_string_append_printf(text, "Dashed: the chosen λ = %s%s%s (%s edges). ", lambda, curves->rule ? ", by " : "", curves->rule ? curves->rule : "", edges);
    }
    if (rings)
        g_string_append_printf(text, "Ring%s: the smallest %s. ", rings > 1 ? "s" : "", rings > 1 ? "values" : ringed);
    if (errors)
        g_string_append(text, "Bars: one standard error over the folds. ");
    if (n_open) {
        g_autofree char *count = glint_format_counted(n_open, "point", "points");
        g_string_append_printf(text, "Hollow: %s stopped before the tolerance. ", count);
    }
    if (n_drawn < curves->n) {
        g_autofree char *count = glint_format_count(curves->n - n_drawn);
        g_string_append_printf(text, "λ = 0 has no place on this axis (%s left out). ", count);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

gboolean glint_draw_path(const GlintPathCurves *curves, const GlintCaption *caption, const char *path, GError **error)
{
    const char *title = "Regularization path";
    Panel panels[N_PANELS_MAX];
    gsize n_panels = choose_panels(curves, panels), n_drawn;
    g_autofree gsize *order = ascending(curves, &n_drawn);
    g_autofree char *line = head_line(curves, caption), *remark = remark_of(curves, panels, n_panels, n_drawn);
    g_autofree char *description = g_strdup_printf("%s. %s", line, remark);
    const double bottom = head_height + (double)n_panels * (panel_height + panel_gap) - panel_gap;
    g_autoptr(GlintCanvas) canvas = glint_canvas_new(path, page_width, bottom + foot_height, title, description, error);
    if (!canvas)
        return FALSE;
    glint_caption_head(canvas->cr, page_margin, 30, page_width - 2 * page_margin, title, line);
    for (gsize k = 0; k < n_panels; k++)
        draw_panel(canvas->cr, curves, panels, n_panels, k, order, n_drawn);
    if (n_drawn == 0)
        glint_caption_empty(canvas->cr, panel_left, head_height, page_width - panel_left - panel_right, panel_height, "no point of the path was solved");
    glint_caption_foot(canvas->cr, page_margin, bottom + 50, page_width - 2 * page_margin, remark);
    return glint_canvas_finish(g_steal_pointer(&canvas), error);
}
