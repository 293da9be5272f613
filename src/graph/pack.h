/* Packing boxes onto a page. Internal to src/graph. */
#pragma once
#include <glib.h>

typedef struct {
    double width, height; /* in */
    gsize n;              /* in: how much is in the box; bigger boxes come first */
    double x, y;          /* out: upper left corner */
} GliBox;

/* Places the boxes without overlap from (0, 0) so that the whole is about `aspect` (width / height) and small. */
void gli_pack(GliBox *boxes, gsize n, double aspect);
