/* The effect of steering over the depth of the model: one column a layer, the module as a point with its interval, the controls as bars
 * behind it. See dose_picture.h. */
#include "draw/caption.h"
#include "draw/dose_picture.h"
#include "draw/frame.h"
#include "draw/lettering.h"

#include <math.h>

static const double page_height = 420, page_margin = 24, panel_left = 78, panel_top = 84, panel_height = 240, least_width = 520, most_column = 46;

static const GlintColour module_colour = {0.12, 0.36, 0.66}, random_colour = {0.55, 0.55, 0.58}, matched_colour = {0.80, 0.62, 0.25}, top_colour = {0.77, 0.24, 0.22},
                         correlation_colour = {0.16, 0.55, 0.45}, residual_colour = {0.45, 0.33, 0.60};

static GlintAxis effect_axis(const GlintDepthPoint *points, gsize n)
{
    g_autoptr(GArray) shown = g_array_new(FALSE, FALSE, sizeof(double));
    for (gsize k = 0; k < n; k++) {
        const GlintDepthPoint *p = &points[k];
        const double values[] = {0, p->effect, p->low, p->high, p->random_low, p->random_high, p->matched_low, p->matched_high, p->top, p->correlation, p->residual};
        g_array_append_vals(shown, values, G_N_ELEMENTS(values));
    }
    return glint_axis_of(GLINT_AXIS_LINEAR, (const double *)(void *)shown->data, shown->len, 0.06);
}

static void draw_bar(const GlintFrame *frame, double x, double width, double low, double high, GlintColour colour)
{
    if (!isfinite(low) || !isfinite(high))
        return;
    const double from = glint_axis_at(&frame->y, high), to = glint_axis_at(&frame->y, low);
    glint_colour_set(frame->cr, colour, 0.35);
    cairo_rectangle(frame->cr, x, from, width, MAX(to - from, 0.8));
    cairo_fill(frame->cr);
}

static void draw_mark(const GlintFrame *frame, double x, double value, GlintColour colour)
{
    if (isfinite(value))
        glint_canvas_line(frame->cr, x - 6, glint_axis_at(&frame->y, value), x + 6, glint_axis_at(&frame->y, value), 1.8, colour);
}

static void draw_layer(const GlintFrame *frame, const GlintDepthPoint *p, double x, double column)
{
    const double half = 0.36 * column;
    draw_bar(frame, x - half, half, p->random_low, p->random_high, random_colour);
    draw_bar(frame, x, half, p->matched_low, p->matched_high, matched_colour);
    draw_mark(frame, x, p->residual, residual_colour);
    draw_mark(frame, x, p->correlation, correlation_colour);
    draw_mark(frame, x, p->top, top_colour);
    glint_canvas_line(frame->cr, x, glint_axis_at(&frame->y, p->low), x, glint_axis_at(&frame->y, p->high), 1.6, module_colour);
    cairo_new_sub_path(frame->cr);
    cairo_arc(frame->cr, x, glint_axis_at(&frame->y, p->effect), 4, 0, 2 * G_PI);
    glint_colour_set(frame->cr, p->steers ? module_colour : GLINT_WHITE, 1);
    cairo_fill_preserve(frame->cr);
    glint_colour_set(frame->cr, module_colour, 1);
    cairo_set_line_width(frame->cr, 1.4);
    cairo_stroke(frame->cr);
}

static void draw_legend(cairo_t *cr, double x, double y)
{
    const struct { const char *label; GlintColour colour; double width; } entries[] = {
        {"module (filled: better than random and matched sets)", module_colour, 8}, {"random sets", random_colour, 10}, {"equal degrees", matched_colour, 10},
        {"neurons that differ most", top_colour, 10},                               {"correlations", correlation_colour, 10}, {"residual", residual_colour, 10}};
    const GlintFont font = {.size = 8.5, .colour = GLINT_INK};
    double at = x;
    for (gsize k = 0; k < G_N_ELEMENTS(entries); k++) {
        if (k == 3) {
            at = x;
            y += 15;
        }
        glint_colour_set(cr, entries[k].colour, k == 1 || k == 2 ? 0.45 : 1);
        cairo_rectangle(cr, at, y - 6, entries[k].width, k == 1 || k == 2 ? 7 : k == 0 ? 7 : 2.2);
        cairo_fill(cr);
        glint_text(cr, font, at + 15, y, entries[k].label);
        at += 24 + glint_text_width(cr, font, entries[k].label);
    }
}

gboolean glint_draw_depth(const GlintDepthPoint *points, gsize n, const char *title, const char *path, GError **error)
{
    const double width = MAX(least_width, (double)n * 22), column = MIN(width / (double)MAX(n, 1), most_column), page_width = panel_left + width + page_margin;
    g_autoptr(GlintCanvas) canvas = glint_canvas_new(path, page_width, page_height, title, title, error);
    if (!canvas)
        return FALSE;
    cairo_t *cr = canvas->cr;
    GlintFrame frame = {.cr = cr, .x = {.kind = GLINT_AXIS_LINEAR, .low = 0, .high = 1}, .y = effect_axis(points, n)};
    glint_frame_place(&frame, panel_left, panel_top, width, panel_height);
    glint_caption_head(cr, page_margin, 32, page_width - 2 * page_margin, title,
                       "Change of the log-odds at the strongest dose that the module reached, with its 95 % interval; bars are 5–95 % of the control sets.");
    g_autoptr(GArray) ticks = glint_axis_ticks(&frame.y, 5);
    for (guint k = 0; k < ticks->len; k++)
        glint_canvas_line(cr, panel_left, glint_axis_at(&frame.y, g_array_index(ticks, double, k)), panel_left + width,
                          glint_axis_at(&frame.y, g_array_index(ticks, double, k)), 0.5, (GlintColour){0.91, 0.91, 0.92});
    glint_canvas_line(cr, panel_left, glint_axis_at(&frame.y, 0), panel_left + width, glint_axis_at(&frame.y, 0), 0.8, GLINT_QUIET);
    for (gsize k = 0; k < n; k++) {
        const double x = panel_left + width * ((double)k + 0.5) / (double)n;
        g_autofree char *label = g_strdup_printf("%zu", points[k].layer);
        draw_layer(&frame, &points[k], x, column);
        glint_text(cr, (GlintFont){.size = 8.5, .colour = GLINT_INK, .align = GLINT_CENTRE}, x, panel_top + panel_height + 14, label);
    }
    glint_frame_outline(&frame);
    glint_frame_values(&frame, page_margin + 10, "change of the log-odds");
    glint_text(cr, (GlintFont){.size = 10, .colour = GLINT_INK, .align = GLINT_CENTRE}, panel_left + width / 2, panel_top + panel_height + 31, "layer");
    draw_legend(cr, panel_left, panel_top + panel_height + 56);
    return glint_canvas_finish(g_steal_pointer(&canvas), error);
}
