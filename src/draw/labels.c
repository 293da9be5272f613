/* Greedy label placement (the point-feature problem of Christensen, Marks & Shieber 1995, solved by its simplest method):
 * hubs in order of importance try eight places around them; places outside the box or over another label are out, and of
 * the rest the one that covers the least of nodes wins. A label with no free place is left out, never drawn over another. */
#include "draw/labels.h"
#include "draw/lettering.h"
#include <math.h>
#include <stdlib.h>

static const GlintFont label_font = {.size = 8, .colour = {0.13, 0.13, 0.15}};
static const double ascent = 6.2, descent = 1.8, gap = 2.2;
static const double most_cover = 4.5; /* points of nodes that a label may hide; its place counts 0 to 2.8 */

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

/* Place number `side` of eight: right, left, above, below, then the corners. Later places are a little worse. */
static GlintLabel label_at(const GlintDot *dot, gsize index, double width, int side)
{
    static const double towards_x[] = {1, -1, 0, 0, 1, 1, -1, -1}, towards_y[] = {0, 0, -1, 1, -1, 1, -1, 1};
    const double diagonal = side < 4 ? 1 : 0.71, reach = dot->r * diagonal + gap * diagonal;
    const double middle_x = dot->x + towards_x[side] * (reach + width / 2);
    const double middle_y = dot->y + towards_y[side] * (reach + (ascent + descent) / 2);
    return (GlintLabel){index, middle_x - width / 2, middle_y + (ascent - descent) / 2, width};
}

static gboolean try_label(const GlintNetwork *network, gsize index, double width, GlintBox inside, GArray *labels)
{
    GlintLabel best = {0};
    double best_cost = INFINITY;
    for (int side = 0; side < 8; side++) {
        const GlintLabel label = label_at(&network->dots[index], index, width, side);
        const GlintBox box = glint_label_box(&label);
        gboolean free_place = box_within(box, inside);
        for (guint k = 0; k < labels->len && free_place; k++)
            free_place = !boxes_meet(box, glint_label_box(&g_array_index(labels, GlintLabel, k)));
        const double cost = free_place ? covered(network, box, index) + 0.4 * side : INFINITY;
        if (cost < best_cost) {
            best_cost = cost;
            best = label;
        }
    }
    if (!(best_cost < most_cover))
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
        try_label(network, dot, width, inside, labels);
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
