/* Greedy label placement (the point-feature problem of Christensen, Marks & Shieber 1995, solved by its simplest method):
 * hubs in order of importance try eight places around them; places outside the box or over another label are out, and of
 * the rest the one that covers the least of nodes and edges wins. A label with no free place is left out, never drawn over another. */
#include "draw/labels.h"
#include "draw/lettering.h"
#include <math.h>
#include <stdlib.h>

static const GlintFont label_font = {.size = 8, .colour = {0.13, 0.13, 0.15}};
static const double ascent = 6.2, descent = 1.8, gap = 2.2;

/* Points of nodes that a label may hide: the hub of a module should be named even in a crowd. */
static double cover_max(gsize rank)
{
    return rank == 0 ? 12 : rank < 3 ? 5 : 3;
}

GlintBox glint_label_box(const GlintLabel *label)
{
    return (GlintBox){label->x, label->y - ascent, label->width, ascent + descent};
}

static gboolean boxes_meet(GlintBox a, GlintBox b)
{
    const double air = 1.5;
    return a.x < b.x + b.width + air && b.x < a.x + a.width + air && a.y < b.y + b.height + air && b.y < a.y + a.height + air;
}

static gboolean box_within(GlintBox a, GlintBox outer)
{
    return a.x >= outer.x && a.y >= outer.y && a.x + a.width <= outer.x + outer.width && a.y + a.height <= outer.y + outer.height;
}

/* How much of the nodes a label's box covers, as the sum of overlaps in points. */
static double covered(const GlintNetwork *network, GlintBox box, gsize own)
{
    double sum = 0;
    for (gsize k = 0; k < network->n_dots; k++) {
        const GlintDot *dot = &network->dots[k];
        const double dx = dot->x - CLAMP(dot->x, box.x, box.x + box.width), dy = dot->y - CLAMP(dot->y, box.y, box.y + box.height);
        const double overlap = dot->r + 0.8 - sqrt(dx * dx + dy * dy);
        if (overlap > 0 && k != own)
            sum += overlap;
    }
    return sum;
}

static gboolean segment_meets_box(double x0, double y0, double x1, double y1, GlintBox box)
{
    /* Liang & Barsky: the part of the segment between the box's left and right, then of that between top and bottom. */
    const double p[] = {x0 - x1, x1 - x0, y0 - y1, y1 - y0};
    const double q[] = {x0 - box.x, box.x + box.width - x0, y0 - box.y, box.y + box.height - y0};
    double enter = 0, leave = 1;
    for (int k = 0; k < 4; k++) {
        if (p[k] == 0 && q[k] < 0)
            return FALSE;
        if (p[k] < 0)
            enter = MAX(enter, q[k] / p[k]);
        else if (p[k] > 0)
            leave = MIN(leave, q[k] / p[k]);
    }
    return enter < leave;
}

/* How much ink of edges lies under the box. */
static double crossed(const GlintNetwork *network, GlintBox box)
{
    double sum = 0;
    for (gsize e = 0; e < network->n_edges; e++) {
        const GlintDot *a = &network->dots[network->ends[2 * e]], *b = &network->dots[network->ends[2 * e + 1]];
        if (segment_meets_box(a->x, a->y, b->x, b->y, box))
            sum += 0.3 + glint_network_edge_width(network, network->graph->edges[network->edges[e]].pcor);
    }
    return sum;
}

/* Place number `side` of eight: right, left, above, below, then the corners. Later places are a little worse. */
static GlintLabel label_at(const GlintDot *dot, gsize index, double width, int side)
{
    static const double towards_x[] = {1, -1, 0, 0, 1, 1, -1, -1}, towards_y[] = {0, 0, -1, 1, -1, 1, -1, 1};
    const double diagonal = side < 4 ? 1 : 0.71, reach = dot->r * diagonal + gap * diagonal;
    const double middle_x = dot->x + towards_x[side] * (reach + width / 2);
    const double middle_y = dot->y + towards_y[side] * (reach + (ascent + descent) / 2);
    return (GlintLabel){index, middle_x - width / 2, middle_y + (ascent - descent) / 2, width};
}

static gboolean try_label(const GlintNetwork *network, gsize index, double width, double most_cover, GlintBox inside, GArray *labels)
{
    GlintLabel best = {0};
    double best_cost = INFINITY;
    for (int side = 0; side < 8; side++) {
        const GlintLabel label = label_at(&network->dots[index], index, width, side);
        const GlintBox box = glint_label_box(&label);
        gboolean free_place = box_within(box, inside);
        for (guint k = 0; k < labels->len && free_place; k++)
            free_place = !boxes_meet(box, glint_label_box(&g_array_index(labels, GlintLabel, k)));
        const double cover = free_place ? covered(network, box, index) : INFINITY;
        const double cost = cover < most_cover ? cover + crossed(network, box) + 0.25 * side : INFINITY;
        if (cost < best_cost) {
            best_cost = cost;
            best = label;
        }
    }
    if (best_cost == INFINITY)
        return FALSE;
    g_array_append_val(labels, best);
    return TRUE;
}

typedef struct { gsize dot; int module; gsize rank; double strength; } Candidate;

static int by_module_then_strength(const void *a, const void *b)
{
    const Candidate *x = a, *y = b;
    if (x->module != y->module)
        return x->module < y->module ? -1 : 1;
    if (x->strength != y->strength)
        return x->strength > y->strength ? -1 : 1;
    return (x->dot > y->dot) - (x->dot < y->dot);
}

static int by_rank_then_strength(const void *a, const void *b)
{
    const Candidate *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    if (x->strength != y->strength)
        return x->strength > y->strength ? -1 : 1;
    return (x->dot > y->dot) - (x->dot < y->dot);
}

GArray *glint_labels_place(const GlintNetwork *network, cairo_t *cr, GlintBox inside, gsize n_max)
{
    const gsize n = network->n_dots;
    g_autofree Candidate *candidates = g_new(Candidate, n + 1);
    for (gsize k = 0; k < n; k++) {
        const GlintNode *node = &network->graph->nodes[network->dots[k].node];
        candidates[k] = (Candidate){k, node->module, 0, isfinite(node->strength) ? node->strength : 0};
    }
    qsort(candidates, n, sizeof *candidates, by_module_then_strength);
    for (gsize k = 1; k < n; k++)
        candidates[k].rank = candidates[k].module == candidates[k - 1].module ? candidates[k - 1].rank + 1 : 0;
    qsort(candidates, n, sizeof *candidates, by_rank_then_strength);
    GArray *labels = g_array_new(FALSE, FALSE, sizeof(GlintLabel));
    for (gsize k = 0; k < n && labels->len < n_max; k++) {
        const gsize dot = candidates[k].dot;
        const double width = glint_text_width(cr, label_font, network->graph->nodes[network->dots[dot].node].neuron);
        try_label(network, dot, width, cover_max(candidates[k].rank), inside, labels);
    }
    return labels;
}

void glint_labels_draw(const GlintNetwork *network, cairo_t *cr, const GArray *labels)
{
    for (guint k = 0; k < labels->len; k++) {
        const GlintLabel *label = &g_array_index(labels, GlintLabel, k);
        glint_text_halo(cr, label_font, label->x, label->y, network->graph->nodes[network->dots[label->dot].node].neuron);
    }
}
