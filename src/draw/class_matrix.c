/* See class_matrix.h. Cells keep one size that a number fits into, so the page grows with the classes, up to a limit. */
#include "draw/class_matrix.h"
#include "draw/caption.h"
#include "draw/lettering.h"
#include "draw/scale.h"

#include <math.h>

static const double page_margin = 24, panel_left = GLINT_CLASS_MATRIX_LEFT, panel_top = GLINT_CLASS_MATRIX_TOP, largest_cell = 66,
    smallest_cell = 14, number_cell = 30, most_side = 900, least_width = 440;

double glint_class_matrix_cell(gsize n) { return CLAMP(most_side / (double)MAX(n, 1), smallest_cell, largest_cell); }

static void draw_cell(cairo_t *cr, const GlintClassMatrix *matrix, const GlintScale *scale, gsize row, gsize column, double cell)
{
    const double x = panel_left + (double)column * cell, y = panel_top + (double)row * cell, value = matrix->values[row * matrix->n + column];
    glint_colour_set(cr, glint_scale_colour(scale, value), 1);
    cairo_rectangle(cr, x, y, cell, cell);
    cairo_fill(cr);
    if (matrix->marked[row * matrix->n + column]) {
        const double inset = MIN(2.5, cell / 6);
        glint_colour_set(cr, GLINT_INK, 1);
        cairo_set_line_width(cr, 1.4);
        cairo_rectangle(cr, x + inset, y + inset, cell - 2 * inset, cell - 2 * inset);
        cairo_stroke(cr);
    }
    if (cell < number_cell)
        return;
    g_autofree char *text = isfinite(value) ? glint_format_short(value, 2) : g_strdup("–");
    const gboolean dark = isfinite(value) && fabs(value) > 0.6 * scale->max;
    glint_text(cr, (GlintFont){.size = MIN(10, cell / 4), .colour = dark ? GLINT_WHITE : GLINT_INK, .align = GLINT_CENTRE}, x + cell / 2,
               y + cell / 2 + MIN(10, cell / 4) / 3, text);
}

/* A name turned upright must end below the title: what is too long loses its end. */
static char *shortened(cairo_t *cr, GlintFont font, const char *name, double room)
{
    char *text = glint_text_clean(name);
    for (glong n = g_utf8_strlen(text, -1) - 1; n > 0 && glint_text_width(cr, font, text) > room; n--) {
        g_autofree char *start = g_utf8_substring(text, 0, n);
        g_free(text);
        text = g_strconcat(start, "…", NULL);
    }
    return text;
}

static void draw_names(cairo_t *cr, const GlintClassMatrix *matrix, double cell, double side)
{
    const double size = MIN(10, 0.7 * cell);
    for (gsize k = 0; k < matrix->n; k++) {
        const double middle = ((double)k + 0.5) * cell;
        const gboolean noted = matrix->row_notes && cell >= number_cell;
        glint_text_within(cr, (GlintFont){.size = size, .colour = GLINT_INK, .align = GLINT_RIGHT}, panel_left - 8,
                          panel_top + middle + (noted ? -2 : size / 3), panel_left - page_margin - 28, matrix->classes[k]);
        if (noted)
            glint_text_within(cr, (GlintFont){.size = 7.5, .colour = GLINT_QUIET, .align = GLINT_RIGHT}, panel_left - 8, panel_top + middle + 9,
                              panel_left - page_margin - 28, matrix->row_notes[k]);
        if (cell >= number_cell)
            glint_text_within(cr, (GlintFont){.size = size, .colour = GLINT_INK, .align = GLINT_CENTRE}, panel_left + middle, panel_top - 7, cell - 4, matrix->classes[k]);
        else {
            const GlintFont font = {.size = size, .colour = GLINT_INK, .align = GLINT_LEFT};
            g_autofree char *name = shortened(cr, font, matrix->classes[k], 36);
            glint_text_up(cr, font, panel_left + middle + size / 3, panel_top - 5, name);
        }
    }
    const GlintFont title = {.size = 10, .colour = GLINT_INK, .align = GLINT_CENTRE, .bold = TRUE};
    glint_text(cr, title, panel_left + side / 2, panel_top - (cell >= number_cell ? 24 : 46), matrix->column_title);
    glint_text_up(cr, title, page_margin + 10, panel_top + side / 2, matrix->row_title);
}

gboolean glint_draw_class_matrix(const GlintClassMatrix *matrix, const char *path, GError **error)
{
    const gsize n = matrix->n;
    const double cell = glint_class_matrix_cell(n), side = cell * (double)n;
    const double width = MAX(panel_left + side + 110, least_width), height = panel_top + MAX(side, 100) + 76;
    const GlintScale scale = glint_scale_of(matrix->values, n * n);
    g_autoptr(GlintCanvas) canvas = glint_canvas_new(path, ceil(width), ceil(height), matrix->title, matrix->remark, error);
    if (!canvas)
        return FALSE;
    cairo_t *cr = canvas->cr;
    glint_caption_head(cr, page_margin, 32, width - 2 * page_margin, matrix->title, matrix->line);
    for (gsize row = 0; row < n; row++)
        for (gsize column = 0; column < n; column++)
            draw_cell(cr, matrix, &scale, row, column, cell);
    glint_colour_set(cr, GLINT_INK, 1);
    cairo_set_line_width(cr, 0.7);
    cairo_rectangle(cr, panel_left, panel_top, side, side);
    cairo_stroke(cr);
    draw_names(cr, matrix, cell, side);
    glint_scale_bar(&scale, cr, panel_left + side + 18, panel_top, 12, MAX(side, 100), matrix->meaning);
    glint_caption_foot(cr, page_margin, panel_top + MAX(side, 100) + 30, width - 2 * page_margin, matrix->remark);
    return glint_canvas_finish(g_steal_pointer(&canvas), error);
}
