/* See frame.h. */
#include "draw/frame.h"
#include "draw/lettering.h"

#include <math.h>

void glint_frame_place(GlintFrame *self, double left, double top, double width, double height)
{
    self->left = left;
    self->top = top;
    self->width = width;
    self->height = height;
    self->x.from = left;
    self->x.to = left + width;
    self->y.from = top + height;
    self->y.to = top;
}

void glint_frame_grid(const GlintFrame *self)
{
    g_autoptr(GArray) down = glint_axis_ticks(&self->y, 5), across = glint_axis_ticks(&self->x, 9);
    const GlintColour light = {0.91, 0.91, 0.92};
    for (guint k = 0; k < down->len; k++) {
        const double at = glint_axis_at(&self->y, g_array_index(down, double, k));
        glint_canvas_line(self->cr, self->left, at, self->left + self->width, at, 0.5, light);
    }
    for (guint k = 0; k < across->len; k++) {
        const double at = glint_axis_at(&self->x, g_array_index(across, double, k));
        glint_canvas_line(self->cr, at, self->top, at, self->top + self->height, 0.5, light);
    }
}

/* "EBIC (thousands)", "edges (logarithmic)" */
static char *axis_title(const GlintFrame *self, const char *title)
{
    static const char *const powers[] = {NULL, "thousands", "millions", "10⁹", "10¹²"};
    if (self->y.kind == GLINT_AXIS_LOG_COUNT)
        return g_strdup_printf("%s (logarithmic)", title);
    const int power = glint_axis_power(&self->y);
    return power > 0 && power < (int)G_N_ELEMENTS(powers) ? g_strdup_printf("%s (%s)", title, powers[power]) : g_strdup(title);
}

void glint_frame_values(const GlintFrame *self, double title_x, const char *title)
{
    const GlintFont font = {.size = 8.5, .colour = GLINT_INK, .align = GLINT_RIGHT}, upright = {.size = 10, .colour = GLINT_INK, .align = GLINT_CENTRE};
    g_autoptr(GArray) ticks = glint_axis_ticks(&self->y, 5);
    for (guint k = 0; k < ticks->len; k++) {
        const double at = glint_axis_at(&self->y, g_array_index(ticks, double, k));
        g_autofree char *label = glint_axis_label(&self->y, ticks, k);
        glint_canvas_line(self->cr, self->left - 3, at, self->left, at, 0.6, GLINT_INK);
        glint_text(self->cr, font, self->left - 6, at + 3, label);
    }
    g_autofree char *text = axis_title(self, title);
    glint_text_up(self->cr, upright, title_x, self->top + self->height / 2, text);
}

void glint_frame_bottom(const GlintFrame *self, const char *title)
{
    const GlintFont font = {.size = 8.5, .colour = GLINT_INK, .align = GLINT_CENTRE}, large = {.size = 10, .colour = GLINT_INK, .align = GLINT_CENTRE};
    const double bottom = self->top + self->height;
    g_autoptr(GArray) ticks = glint_axis_ticks(&self->x, 9);
    for (guint k = 0; k < ticks->len; k++) {
        const double at = glint_axis_at(&self->x, g_array_index(ticks, double, k));
        glint_canvas_line(self->cr, at, bottom, at, bottom + 3, 0.6, GLINT_INK);
        g_autofree char *label = glint_axis_label(&self->x, ticks, k);
        if (title)
            glint_text(self->cr, font, at, bottom + 13, label);
    }
    if (title)
        glint_text(self->cr, large, self->left + self->width / 2, bottom + 29, title);
}

void glint_frame_outline(const GlintFrame *self)
{
    glint_colour_set(self->cr, GLINT_INK, 1);
    cairo_set_line_width(self->cr, 0.7);
    cairo_rectangle(self->cr, self->left, self->top, self->width, self->height);
    cairo_stroke(self->cr);
}

void glint_frame_dashed(cairo_t *cr, double x0, double y0, double x1, double y1, GlintColour colour)
{
    const double dash[] = {4, 3};
    cairo_set_dash(cr, dash, 2, 0);
    glint_canvas_line(cr, x0, y0, x1, y1, 0.9, colour);
    cairo_set_dash(cr, NULL, 0, 0);
}

void glint_frame_curve(const GlintFrame *self, const double *x, const double *y, gsize n, double width, GlintColour colour)
{
    gboolean drawing = FALSE;
    glint_colour_set(self->cr, colour, 1);
    cairo_set_line_width(self->cr, width);
    cairo_set_line_join(self->cr, CAIRO_LINE_JOIN_ROUND);
    for (gsize k = 0; k < n; k++) {
        if (!glint_axis_shows(&self->x, x[k]) || !glint_axis_shows(&self->y, y[k])) {
            drawing = FALSE; /* a gap, not a line across what is not known */
            continue;
        }
        if (drawing)
            cairo_line_to(self->cr, glint_axis_at(&self->x, x[k]), glint_axis_at(&self->y, y[k]));
        else
            cairo_move_to(self->cr, glint_axis_at(&self->x, x[k]), glint_axis_at(&self->y, y[k]));
        drawing = TRUE;
    }
    cairo_stroke(self->cr);
}

void glint_frame_band(const GlintFrame *self, const double *x, const double *low, const double *high, gsize n, GlintColour colour, double alpha)
{
    gsize drawn = 0;
    for (gsize k = 0; k < n; k++)
        if (glint_axis_shows(&self->x, x[k]) && isfinite(high[k]) && isfinite(low[k])) {
            if (drawn++ == 0)
                cairo_move_to(self->cr, glint_axis_at(&self->x, x[k]), glint_axis_at(&self->y, high[k]));
            else
                cairo_line_to(self->cr, glint_axis_at(&self->x, x[k]), glint_axis_at(&self->y, high[k]));
        }
    for (gsize k = n; k-- > 0 && drawn > 0;)
        if (glint_axis_shows(&self->x, x[k]) && isfinite(high[k]) && isfinite(low[k]))
            cairo_line_to(self->cr, glint_axis_at(&self->x, x[k]), glint_axis_at(&self->y, low[k]));
    if (drawn == 0)
        return;
    cairo_close_path(self->cr);
    glint_colour_set(self->cr, colour, alpha);
    cairo_fill(self->cr);
}

void glint_frame_dot(const GlintFrame *self, double x, double y, double radius, gboolean hollow, GlintColour colour)
{
    if (!glint_axis_shows(&self->x, x) || !glint_axis_shows(&self->y, y))
        return;
    cairo_new_sub_path(self->cr);
    cairo_arc(self->cr, glint_axis_at(&self->x, x), glint_axis_at(&self->y, y), radius, 0, 2 * G_PI);
    glint_colour_set(self->cr, hollow ? GLINT_WHITE : colour, 1);
    cairo_fill_preserve(self->cr);
    glint_colour_set(self->cr, colour, 1);
    cairo_set_line_width(self->cr, 0.9);
    cairo_stroke(self->cr);
}
