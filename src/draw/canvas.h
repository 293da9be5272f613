/* A page to draw on, one drawing code for three formats: the file's ending chooses PNG, SVG or PDF. Lengths are points
 * (1/72 inch) in all of them; a PNG has `pixels` of them to the point. Nothing appears under the final name before
 * glint_canvas_finish(). */
#pragma once
#include "draw/colour.h"

typedef struct {
    cairo_t *cr;
    double width, height; /* points */
    double pixels;        /* device pixels per point: of the PNG, and of pictures embedded in SVG and PDF */
    struct GlintCanvasTarget *target;
} GlintCanvas;

/* Pixels per point of all but very large pages. */
#define GLINT_CANVAS_PIXELS 3.0

/* `title` and `description` go into the file (SVG title and desc, PDF metadata). A white page. */
GlintCanvas *glint_canvas_new(const char *path, double width, double height, const char *title, const char *description,
                              GError **error);
/* Writes the file. Frees self in every case. */
gboolean glint_canvas_finish(GlintCanvas *self, GError **error);
void glint_canvas_free(GlintCanvas *self); /* throws the picture away; NULL ok */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintCanvas, glint_canvas_free)
/* Can this path be drawn to? For checking before expensive work. */
gboolean glint_canvas_check(const char *path, GError **error);

void glint_canvas_line(cairo_t *cr, double x0, double y0, double x1, double y1, double width, GlintColour colour);
