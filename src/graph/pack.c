/* Shelf packing (next-fit decreasing height, Coffman et al. 1980) with the page width searched: the boxes, the tallest first,
 * fill rows from left to right. The first box is usually the giant component; the small ones fill rows below it, and also
 * the column that it leaves free beside it when that makes the page fit better.
 *
 * Boxes keep the order "most nodes first" when heights tie, then their index, so the result is deterministic. */
#include "graph/pack.h"

#include <math.h>
#include <stdlib.h>

typedef struct { double width, height; gsize n, index; } Item;

static int compare_items(const void *a, const void *b)
{
    const Item *x = a, *y = b;
    if (x->height != y->height)
        return x->height > y->height ? -1 : 1;
    if (x->n != y->n)
        return x->n > y->n ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* Rows of at most `width` from (left, top); stops before the row that would pass `bottom`. Returns the number of items placed;
 * *right and *low become the extent. */
static gsize fill_rows(const Item *items, gsize n, double left, double top, double width, double bottom, GliBox *boxes, double *right, double *low)
{
    gsize k = 0;
    double y = top;
    *right = left;
    *low = top;
    while (k < n) {
        double x = left, height = items[k].height;
        if (y + height > bottom + 1e-9 || items[k].width > width + 1e-9)
            break;
        for (; k < n && x + items[k].width <= left + width + 1e-9; k++) {
            boxes[items[k].index].x = x;
            boxes[items[k].index].y = y;
            x += items[k].width;
        }
        *right = MAX(*right, x);
        y += height;
        *low = y;
    }
    return k;
}

/* The first item at the origin, the next in a column `side` wide beside it, the rest in rows below. Returns how bad it is. */
static double try_page(const Item *items, gsize n, double side, double aspect, GliBox *boxes)
{
    double right, low, page_width = items[0].width + side, page_height = items[0].height;
    boxes[items[0].index].x = boxes[items[0].index].y = 0;
    gsize placed = 1 + fill_rows(items + 1, n - 1, items[0].width, 0, side, items[0].height, boxes, &right, &low);
    if (placed < n) {
        placed += fill_rows(items + placed, n - placed, 0, items[0].height, page_width, INFINITY, boxes, &right, &low);
        page_height = low;
    }
    if (placed < n)
        return INFINITY;
    /* The scale at which the page fits a unit-height frame of the wanted aspect: larger pages are worse. */
    return MAX(page_width / aspect, page_height);
}

void gli_pack(GliBox *boxes, gsize n, double aspect)
{
    enum { TRIES = 400 };
    if (n == 0)
        return;
    g_autofree Item *items = g_new(Item, n);
    double area = 0, widest = 0, best = INFINITY, best_side = 0;
    for (gsize k = 0; k < n; k++) {
        items[k] = (Item){boxes[k].width, boxes[k].height, boxes[k].n, k};
        area += boxes[k].width * boxes[k].height;
        widest = MAX(widest, boxes[k].width);
    }
    qsort(items, n, sizeof *items, compare_items);
    double most = MAX(widest, 3 * sqrt(area * MAX(aspect, 1 / aspect))) + widest;
    for (int t = 0; t <= TRIES; t++) {
        double side = most * t / TRIES, badness = try_page(items, n, side, aspect, boxes);
        if (badness < best - 1e-9) {
            best = badness;
            best_side = side;
        }
    }
    try_page(items, n, isfinite(best) ? best_side : most, aspect, boxes);
}
