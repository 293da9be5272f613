/* The colours of every picture. All are defined in OKLab (B. Ottosson 2020), where equal steps look equally large. */
#pragma once
#include <cairo.h>
#include <glib.h>

typedef struct { double r, g, b; } GlintColour; /* sRGB, each in [0, 1] */

/* Diverging scale: t in [-1, 1], clipped; negative red, positive blue, exactly 0 (and NaN) white. The smallest nonzero
 * value is already visibly tinted, so that "a weak edge" and "no edge" never look the same. */
GlintColour glint_colour_diverging(double t);
/* Modules: 12 colours apart for normal, deuteranope and protanope eyes, then lighter and darker; -1 = grey. */
GlintColour glint_colour_module(int module);
/* Between two colours: share 0 = a, 1 = b (in sRGB, for tints). */
GlintColour glint_colour_mix(GlintColour a, GlintColour b, double share);

#define GLINT_INK ((GlintColour){0.13, 0.13, 0.15})   /* text and frames */
#define GLINT_QUIET ((GlintColour){0.42, 0.42, 0.45}) /* secondary text */
#define GLINT_FAINT ((GlintColour){0.82, 0.82, 0.84}) /* helper lines */
#define GLINT_WHITE ((GlintColour){1, 1, 1})

void glint_colour_set(cairo_t *cr, GlintColour colour, double alpha);
guint32 glint_colour_argb(GlintColour colour); /* opaque pixel of CAIRO_FORMAT_ARGB32 */
