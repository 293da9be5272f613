/* A square of coloured cells: the matrix part of heat maps, without axes. */
#pragma once
#include "draw/scale.h"

typedef struct { gsize row, col; double value; } GlintHeatEntry; /* drawn at (row, col) and at (col, row) */

typedef struct {
    double x, y, side; /* points; cell k spans x + k * side / p */
    gsize p;
    gboolean crisp;    /* cells are whole device pixels, and large enough to be drawn one by one */
    double pixels;     /* device pixels per point */
} GlintHeatPanel;

/* A panel of about `side` points at (x, y); its side is adjusted so that cells of 4 or more pixels are whole pixels. */
GlintHeatPanel glint_heat_panel(double x, double y, double side, gsize p, double pixels);
/* The same, never larger than `side` (up to rounding). */
GlintHeatPanel glint_heat_panel_within(double x, double y, double side, gsize p, double pixels);
/* The entries, strongest on top, and the blank diagonal. Cells smaller than 4 pixels are drawn as dots of 4 pixels (of
 * fewer when they would fill the picture), so that single edges among thousands of neurons can be seen; of several in one
 * place the strongest shows. */
gboolean glint_heat_draw(const GlintHeatPanel *self, cairo_t *cr, const GlintHeatEntry *entries, gsize n_entries,
                         const GlintScale *scale, GError **error);
