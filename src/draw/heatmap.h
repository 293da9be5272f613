/* Where the heat map's parts lie on its page; for the drawing code and its tests. */
#pragma once
#include "draw/heat.h"

/* The matrix panel of glint_draw_heatmap() with n_rows connected neurons: row k of the order lies at y + k * side / n_rows. */
GlintHeatPanel glint_heatmap_panel(gsize n_rows, double pixels);
