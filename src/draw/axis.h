/* Axes of curves: where a value stands on the page, and which values are worth a tick. */
#pragma once
#include "draw/canvas.h"

typedef enum {
    GLINT_AXIS_LINEAR,
    GLINT_AXIS_LOG,      /* values above 0 */
    GLINT_AXIS_LOG_COUNT /* log(1 + value): counts of many sizes, 0 among them */
} GlintAxisKind;

typedef struct {
    GlintAxisKind kind;
    double low, high; /* values at the two ends, low < high */
    double from, to;  /* page coordinates of low and high, in points */
} GlintAxis;

/* The axis between the smallest and the largest finite value, widened by a share of its length at both ends (a count starts at 0;
 * one single value gets room on both sides). Values that a kind cannot show are passed over; without any, the axis is [0, 1] or [0.1, 1]. */
GlintAxis glint_axis_of(GlintAxisKind kind, const double *values, gsize n_values, double margin);
double glint_axis_at(const GlintAxis *self, double value);
gboolean glint_axis_shows(const GlintAxis *self, double value); /* finite, and possible on this kind of axis */
/* Ascending values between low and high, at most about `n_most` of them: GArray of double, owned by the caller. */
GArray *glint_axis_ticks(const GlintAxis *self, guint n_most);
/* Power of 1,000 that the labels of an axis should be divided by, so that they stay short: 0 for values below 100,000. */
int glint_axis_power(const GlintAxis *self);
/* The label of one of `ticks`, with as many digits as tell them apart; free with g_free. */
char *glint_axis_label(const GlintAxis *self, const GArray *ticks, guint k);
