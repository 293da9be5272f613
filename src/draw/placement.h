/* From a layout in units of edges to places on the page. */
#pragma once
#include "draw/network.h"

/* Sets x and y of all dots; their radii must be set. The rectangle is filled. */
gboolean glint_placement(GlintNetwork *network, guint64 seed, double x, double y, double width, double height, GError **error);
