/* The frame of a panel with curves: helper lines, axes with ticks and titles, outline. The axes know where the frame lies. */
#pragma once
#include "draw/axis.h"

typedef struct {
    cairo_t *cr;
    GlintAxis x, y;
    double left, top, width, height;
} GlintFrame;

/* Fits the axes to the rectangle. */
void glint_frame_place(GlintFrame *self, double left, double top, double width, double height);
void glint_frame_grid(const GlintFrame *self);
/* The values' axis, its title at `title_x`, read upwards; the title says so when labels are thousands, or the axis is logarithmic. */
void glint_frame_values(const GlintFrame *self, double title_x, const char *title);
/* Ticks below; labels and title only when `title` is given. */
void glint_frame_bottom(const GlintFrame *self, const char *title);
void glint_frame_outline(const GlintFrame *self);
void glint_frame_dashed(cairo_t *cr, double x0, double y0, double x1, double y1, GlintColour colour);
/* A line through the points that the axes show; what they do not show is a gap. */
void glint_frame_curve(const GlintFrame *self, const double *x, const double *y, gsize n, double width, GlintColour colour);
/* The area between two curves over the same x. */
void glint_frame_band(const GlintFrame *self, const double *x, const double *low, const double *high, gsize n, GlintColour colour, double alpha);
void glint_frame_dot(const GlintFrame *self, double x, double y, double radius, gboolean hollow, GlintColour colour); /* values, not points */
