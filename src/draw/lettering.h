/* Single lines of text and the numbers in them. */
#pragma once
#include "draw/colour.h"

typedef enum { GLINT_LEFT, GLINT_CENTRE, GLINT_RIGHT } GlintAlign;
typedef struct { double size; gboolean bold; GlintColour colour; GlintAlign align; } GlintFont;

/* Valid UTF-8 without control characters, which is all that cairo accepts; free with g_free. */
char *glint_text_clean(const char *text);
/* One line of text; y is its base line. Any bytes will do: broken UTF-8 and control characters are replaced. */
void glint_text(cairo_t *cr, GlintFont font, double x, double y, const char *text);
/* The same cut to `width`, with an ellipsis. */
void glint_text_within(cairo_t *cr, GlintFont font, double x, double y, double width, const char *text);
/* The same turned by 90 degrees, read from bottom to top; x is the base line, y where `align` anchors it. */
void glint_text_up(cairo_t *cr, GlintFont font, double x, double y, const char *text);
/* The same with a white rim, readable over lines. */
void glint_text_halo(cairo_t *cr, GlintFont font, double x, double y, const char *text);
double glint_text_width(cairo_t *cr, GlintFont font, const char *text);
/* Text from y on, broken at spaces into lines of at most `width`; what does not fit n_lines_max lines is cut with an ellipsis.
 * Returns the base line of the last line. */
double glint_text_paragraph(cairo_t *cr, GlintFont font, double x, double y, double width, int n_lines_max, const char *text);

/* 12345 -> "12,345"; free with g_free, as all below. */
char *glint_format_count(gsize n);
/* "1 edge", "1,204 edges" */
char *glint_format_counted(gsize n, const char *one, const char *many);
/* `digits` after the point and a real minus sign: "−0.25". */
char *glint_format_real(double value, int digits);
/* So many significant digits, without trailing zeros: "0.317". */
char *glint_format_short(double value, int digits);
