/* The range of colours: symmetric about 0, its end a robust maximum rounded up to a readable number. */
#pragma once
#include "draw/canvas.h"

typedef struct {
    double max;       /* |value| of the darkest colour */
    gsize n_beyond;   /* values that lie beyond it, and are drawn as the darkest */
} GlintScale;

/* `values`: n_values numbers, in any order, of which the absolute value counts; not-finite ones are passed over.
 * The end is the 99th percentile when there are at least 100, otherwise the maximum; 1 when all are zero. */
GlintScale glint_scale_of(const double *values, gsize n_values);
GlintColour glint_scale_colour(const GlintScale *self, double value);
/* Upright colour bar with ticks; the end ticks carry "≥" and "≤" when values lie beyond. `meaning` stands to its right. */
void glint_scale_bar(const GlintScale *self, cairo_t *cr, double x, double y, double width, double height, const char *meaning);
/* What the reader must know about the ends of the bar, as a sentence; free with g_free. */
char *glint_scale_remark(const GlintScale *self);
