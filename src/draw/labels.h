/* Names beside the hubs of a network, none over another. */
#pragma once
#include "draw/network.h"

/* The rectangle that labels must stay in. */
typedef struct { double x, y, width, height; } GlintBox;

typedef struct { gsize dot; double x, y; /* base line, left */ double width; } GlintLabel;

/* Chooses and places labels: the strongest neuron of every module first, then the second of each, and so on. Up to n_max.
 * GArray of GlintLabel; the caller owns it. */
GArray *glint_labels_place(const GlintNetwork *network, cairo_t *cr, GlintBox inside, gsize n_max);
void glint_labels_draw(const GlintNetwork *network, cairo_t *cr, const GArray *labels);
/* The box of a label's text, as placement sees it. */
GlintBox glint_label_box(const GlintLabel *label);
