/* Cells of a sparse symmetric matrix. Two ways to the same look: where cells are large and few they are rectangles, sharp
 * at any magnification; otherwise they are written into an image of the panel's own pixels, so that an SVG or PDF holds one
 * picture and not a million rectangles. Entries are drawn from the weakest to the strongest, which is max-|value|
 * pooling where several fall on one pixel. Dots are larger than their cells when cells are tiny, or a lone
 * edge would vanish; all dots of a picture have one size, or dense places would look emptier than sparse ones. */
#include "draw/heat.h"
#include "base/error.h"
#include <math.h>
#include <stdlib.h>

enum { DOT = 4 /* pixels: the mark of an edge */, DOT_IN_CROWD = 2, CRISP_CELL = 6 /* pixels */, N_RECTANGLES_MAX = 6000 };

static const GlintColour diagonal_colour = {0.90, 0.90, 0.91};

/* A panel whose cells have this many pixels: whole ones, or so few that dots are drawn anyway. */
static GlintHeatPanel panel_of_cell(double x, double y, double side, gsize p, double pixels, double cell)
{
    GlintHeatPanel self = {.x = x, .y = y, .side = side, .p = p, .pixels = pixels};
    if (p == 0)
        return self;
    if (cell >= DOT)
        self.side = cell * (double)p / pixels;
    self.crisp = cell >= CRISP_CELL;
    return self;
}

GlintHeatPanel glint_heat_panel(double x, double y, double side, gsize p, double pixels)
{
    return panel_of_cell(x, y, side, p, pixels, round(side * pixels / (double)MAX(p, 1)));
}

GlintHeatPanel glint_heat_panel_within(double x, double y, double side, gsize p, double pixels)
{
    return panel_of_cell(x, y, side, p, pixels, floor(side * pixels / (double)MAX(p, 1) + 1e-6));
}

static int weakest_first(const void *a, const void *b)
{
    const GlintHeatEntry *x = a, *y = b;
    const double u = fabs(x->value), v = fabs(y->value);
    if (u != v)
        return u < v ? -1 : 1;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return (x->col > y->col) - (x->col < y->col);
}

static void draw_rectangles(const GlintHeatPanel *self, cairo_t *cr, const GlintHeatEntry *entries, gsize n, const GlintScale *scale)
{
    const double cell = self->side / (double)self->p;
    cairo_save(cr);
    cairo_set_antialias(cr, CAIRO_ANTIALIAS_NONE);
    glint_colour_set(cr, diagonal_colour, 1);
    for (gsize k = 0; k < self->p; k++)
        cairo_rectangle(cr, self->x + (double)k * cell, self->y + (double)k * cell, cell, cell);
    cairo_fill(cr);
    for (gsize k = 0; k < n; k++) {
        const double row = (double)entries[k].row * cell, col = (double)entries[k].col * cell;
        glint_colour_set(cr, glint_scale_colour(scale, entries[k].value), 1);
        cairo_rectangle(cr, self->x + col, self->y + row, cell, cell);
        cairo_rectangle(cr, self->x + row, self->y + col, cell, cell);
        cairo_fill(cr);
    }
    cairo_restore(cr);
}

typedef struct { guint32 *pixels; int side; gsize stride; double cell; int dot; } Raster;

/* First and one past the last pixel of cell k, at least a dot's about its middle. */
static void pixel_span(const Raster *raster, gsize k, int *first, int *end)
{
    const int dot = raster->dot;
    *first = (int)floor((double)k * raster->cell + 1e-6);
    *end = (int)ceil((double)(k + 1) * raster->cell - 1e-6);
    if (*end - *first < dot) {
        *first = (int)floor(((double)k + 0.5) * raster->cell) - dot / 2;
        *end = *first + dot;
    }
    *first = CLAMP(*first, 0, raster->side);
    *end = CLAMP(*end, *first, raster->side);
}

/* Smaller dots when there are so many that they would fill more than a third of the picture. */
static int dot_for(int side, gsize n_entries)
{
    return CLAMP((int)sqrt(0.35 * side * side / (2.0 * (double)n_entries + 1)), DOT_IN_CROWD, DOT);
}

static void raster_cell(const Raster *raster, gsize row, gsize col, guint32 argb)
{
    int x0, x1, y0, y1;
    pixel_span(raster, col, &x0, &x1);
    pixel_span(raster, row, &y0, &y1);
    for (int y = y0; y < y1; y++) {
        for (int x = x0; x < x1; x++)
            raster->pixels[(gsize)y * raster->stride + (gsize)x] = argb;
    }
}

static void raster_entries(const Raster *raster, const GlintHeatPanel *panel, const GlintHeatEntry *entries, gsize n, const GlintScale *scale)
{
    for (gsize k = 0; k < panel->p; k++)
        raster_cell(raster, k, k, glint_colour_argb(diagonal_colour));
    for (gsize k = 0; k < n; k++) {
        const guint32 argb = glint_colour_argb(glint_scale_colour(scale, entries[k].value));
        raster_cell(raster, entries[k].row, entries[k].col, argb);
        raster_cell(raster, entries[k].col, entries[k].row, argb);
    }
}

static gboolean draw_image(const GlintHeatPanel *self, cairo_t *cr, const GlintHeatEntry *entries, gsize n, const GlintScale *scale, GError **error)
{
    const int side = MAX(1, (int)round(self->side * self->pixels));
    cairo_surface_t *image = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, side, side);
    if (cairo_surface_status(image) != CAIRO_STATUS_SUCCESS) {
        cairo_surface_destroy(image);
        return glint_fail(error, GLINT_ERROR_FAILED, "no memory for a heat map of %d x %d pixels", side, side);
    }
    cairo_surface_flush(image);
    const Raster raster = {.pixels = (guint32 *)(void *)cairo_image_surface_get_data(image), .side = side,
                     .stride = (gsize)cairo_image_surface_get_stride(image) / 4, .cell = side / (double)self->p, .dot = dot_for(side, n)};
    raster_entries(&raster, self, entries, n, scale);
    cairo_surface_mark_dirty(image);
    cairo_save(cr);
    cairo_translate(cr, self->x, self->y);
    cairo_scale(cr, self->side / side, self->side / side);
    cairo_set_source_surface(cr, image, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(cr), CAIRO_FILTER_NEAREST);
    cairo_paint(cr);
    cairo_restore(cr);
    cairo_surface_destroy(image);
    return TRUE;
}

gboolean glint_heat_draw(const GlintHeatPanel *self, cairo_t *cr, const GlintHeatEntry *entries, gsize n_entries,
                         const GlintScale *scale, GError **error)
{
    if (self->p == 0)
        return TRUE;
    GlintHeatEntry *sorted = g_try_new(GlintHeatEntry, n_entries + 1);
    if (!sorted)
        return glint_fail(error, GLINT_ERROR_FAILED, "no memory to sort %" G_GSIZE_FORMAT " edges", n_entries);
    gsize n = 0;
    for (gsize k = 0; k < n_entries; k++) {
        if (isfinite(entries[k].value) && entries[k].value != 0 && entries[k].row != entries[k].col)
            sorted[n++] = entries[k];
    }
    qsort(sorted, n, sizeof *sorted, weakest_first);
    gboolean ok = TRUE;
    if (self->crisp && n <= N_RECTANGLES_MAX)
        draw_rectangles(self, cr, sorted, n, scale);
    else
        ok = draw_image(self, cr, sorted, n, scale, error);
    g_free(sorted);
    return ok;
}
