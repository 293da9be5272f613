/* The key beside a graph picture: modules, edge signs and widths, node areas. */
#pragma once
#include "draw/network.h"

/* Draws from (x, y) downwards, at most `height` points. */
void glint_legend_draw(const GlintNetwork *network, cairo_t *cr, double x, double y, double width, double height);
