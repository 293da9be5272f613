/* Puts a laid-out network on a page so that the page is used well.
 *
 * Force-directed layouts of real neuron graphs have a crowded core and a few long tails, and pairs of neurons apart from
 * everything else. Three corrections, all keeping neighbourhoods:
 *  - components of a few neurons are laid out by themselves, at a small fixed scale, in rows at the foot of the picture;
 *  - in the rest each coordinate is blended with its rank, which widens crowded regions and pulls tails in (a monotone map
 *    of each axis: left of stays left of);
 *  - nodes that touch are pushed apart. */
#include "draw/placement.h"
#include "graph/layout.h"
#include <math.h>
#include <stdlib.h>

enum { SMALL_COMPONENT = 5, N_SWEEPS = 80 };
static const double rank_share = 0.5, edge_of_small = 25 /* points */, node_gap = 3.2, strip_share_max = 0.35;

typedef struct { double x, y, width, height; } Box;
typedef struct { gsize n, n_edges; gsize *dots, *edges; double *xy, right, bottom; } Group; /* some components */

/* For each dot: is its component one of the small ones? At least the largest never is. Counts the others. */
static gboolean *find_small(const GlintNetwork *network, gsize *n_large)
{
    const gsize n = network->n_dots;
    g_autofree gsize *parent = g_new(gsize, n + 1), *size = g_new0(gsize, n + 1);
    gboolean *small = g_new0(gboolean, n + 1);
    gsize largest = 0;
    for (gsize k = 0; k < n; k++)
        parent[k] = k;
    for (gsize e = 0; e < network->n_edges; e++) {
        const gsize a = glint_root_of(parent, network->ends[2 * e]), b = glint_root_of(parent, network->ends[2 * e + 1]);
        parent[MAX(a, b)] = MIN(a, b);
    }
    for (gsize k = 0; k < n; k++)
        largest = MAX(largest, ++size[glint_root_of(parent, k)]);
    *n_large = 0;
    for (gsize k = 0; k < n; k++) {
        small[k] = size[glint_root_of(parent, k)] < MIN(largest, SMALL_COMPONENT);
        *n_large += !small[k] && parent[k] == k;
    }
    return small;
}

static void group_release(Group *self)
{
    g_free(self->dots);
    g_free(self->edges);
    g_free(self->xy);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Group, group_release)

static void group_init(Group *self, const GlintNetwork *network, const gboolean *small, gboolean want_small)
{
    *self = (Group){.dots = g_new(gsize, network->n_dots + 1), .edges = g_new(gsize, network->n_edges + 1), .xy = g_new0(double, 2 * network->n_dots + 2)};
    for (gsize k = 0; k < network->n_dots; k++) {
        if (small[k] == want_small)
            self->dots[self->n++] = k;
    }
    for (gsize e = 0; e < network->n_edges; e++) {
        if (small[network->ends[2 * e]] == want_small)
            self->edges[self->n_edges++] = network->edges[e];
    }
}

static gboolean group_lay_out(Group *self, const GlintNetwork *network, double aspect, guint64 seed, GError **error)
{
    g_autofree gsize *nodes = g_new(gsize, self->n + 1);
    for (gsize k = 0; k < self->n; k++)
        nodes[k] = network->dots[self->dots[k]].node;
    if (!glint_graph_layout(network->graph, nodes, self->n, self->edges, self->n_edges, aspect, seed, self->xy, error))
        return FALSE;
    self->right = self->bottom = 0;
    for (gsize k = 0; k < self->n; k++) {
        self->right = MAX(self->right, self->xy[2 * k]);
        self->bottom = MAX(self->bottom, self->xy[2 * k + 1]);
    }
    return TRUE;
}

/* Rows of small components at the foot of the box; takes their height off it. */
static gboolean place_small(GlintNetwork *network, Group *group, guint64 seed, Box *box, GError **error)
{
    if (group->n == 0)
        return TRUE;
    /* The flattest packing that can keep its scale. */
    double scale = 0;
    for (double aspect = 24; aspect > 1.5 && scale < edge_of_small; aspect *= 0.7) {
        if (!group_lay_out(group, network, aspect, seed, error))
            return FALSE;
        scale = MIN(edge_of_small, box->width / MAX(group->right, 1e-9));
    }
    scale = MIN(scale, strip_share_max * box->height / MAX(group->bottom, 1e-9));
    const double height = group->bottom * scale, top = box->y + box->height - height, left = box->x + (box->width - group->right * scale) / 2;
    for (gsize k = 0; k < group->n; k++) {
        network->dots[group->dots[k]].x = left + group->xy[2 * k] * scale;
        network->dots[group->dots[k]].y = top + group->xy[2 * k + 1] * scale;
    }
    box->height -= height + 34;
    return TRUE;
}

typedef struct { double value; gsize index; } Ranked;

static int by_value(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* Coordinates of one axis (0 = x, 1 = y) -> [0, 1]. */
static void spread_axis(const Group *group, int axis, double range, double *out)
{
    g_autofree Ranked *ranked = g_new(Ranked, group->n + 1);
    for (gsize k = 0; k < group->n; k++)
        ranked[k] = (Ranked){group->xy[2 * k + (gsize)axis], k};
    qsort(ranked, group->n, sizeof *ranked, by_value);
    /* Few nodes stand well as they are; ranks would bend a triangle. */
    const double share = rank_share * CLAMP(((double)group->n - 10) / 50, 0, 1);
    for (gsize k = 0; k < group->n; k++) {
        const double rank = group->n > 1 ? (double)k / (double)(group->n - 1) : 0.5;
        const double plain = range > 0 ? ranked[k].value / range : 0.5;
        out[ranked[k].index] = share * rank + (1 - share) * plain;
    }
}

/* Turns a single component, which comes lying flat, so that it fills the box best. */
static void turn_to_fit(Group *group, const Box *box)
{
    double best = 0, best_angle = 0, left = 0, top = 0;
    for (int degrees = 0; degrees < 180; degrees += 5) {
        const double c = cos(degrees * G_PI / 180), s = sin(degrees * G_PI / 180);
        double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
        for (gsize k = 0; k < group->n; k++) {
            const double x = c * group->xy[2 * k] - s * group->xy[2 * k + 1], y = s * group->xy[2 * k] + c * group->xy[2 * k + 1];
            x0 = MIN(x0, x), x1 = MAX(x1, x), y0 = MIN(y0, y), y1 = MAX(y1, y);
        }
        const double scale = MIN(box->width / MAX(x1 - x0, 1e-9), box->height / MAX(y1 - y0, 1e-9));
        if (scale > best * 1.02) { /* prefer lying flat */
            best = scale;
            best_angle = degrees * G_PI / 180;
            left = x0, top = y0;
            group->right = x1 - x0, group->bottom = y1 - y0;
        }
    }
    for (gsize k = 0; k < group->n; k++) {
        const double x = group->xy[2 * k], y = group->xy[2 * k + 1];
        group->xy[2 * k] = cos(best_angle) * x - sin(best_angle) * y - left;
        group->xy[2 * k + 1] = sin(best_angle) * x + cos(best_angle) * y - top;
    }
}

static gboolean place_large(GlintNetwork *network, Group *group, guint64 seed, const Box *box, gboolean single, GError **error)
{
    if (!group_lay_out(group, network, box->width / box->height, seed, error))
        return FALSE;
    if (single && group->n > 2)
        turn_to_fit(group, box);
    g_autofree double *u = g_new(double, group->n + 1), *v = g_new(double, group->n + 1);
    spread_axis(group, 0, group->right, u);
    spread_axis(group, 1, group->bottom, v);
    /* A graph of three neurons need not stretch over the page: at most 110 points an edge, then the middle of the box. */
    const double most = 110, width = MIN(box->width, MAX(group->right, 0.01) * most), height = MIN(box->height, MAX(group->bottom, 0.01) * most);
    for (gsize k = 0; k < group->n; k++) {
        network->dots[group->dots[k]].x = box->x + (box->width - width) / 2 + u[k] * width;
        network->dots[group->dots[k]].y = box->y + (box->height - height) / 2 + v[k] * height;
    }
    return TRUE;
}

static gboolean push_apart(GlintDot *a, GlintDot *b, gsize tie)
{
    double dx = b->x - a->x, dy = b->y - a->y, square = dx * dx + dy * dy;
    const double room = a->r + b->r + node_gap;
    if (square >= room * room)
        return FALSE;
    if (square < 1e-12) { /* on each other: part in a direction that differs from pair to pair */
        dx = cos((double)tie * 2.4);
        dy = sin((double)tie * 2.4);
        square = 1;
    }
    const double distance = sqrt(square), push = (room - MIN(distance, room)) / 2 + 0.01;
    /* The smaller one gives way. */
    const double share = 2 * b->r / (a->r + b->r);
    a->x -= share * push * dx / distance;
    a->y -= share * push * dy / distance;
    b->x += (2 - share) * push * dx / distance;
    b->y += (2 - share) * push * dy / distance;
    return TRUE;
}

/* Cost: N_SWEEPS * n^2 / 2 comparisons at most; n is bounded by the edges that are drawn. */
static void remove_overlaps(GlintNetwork *network, const Group *group, const Box *box)
{
    for (int sweep = 0; sweep < N_SWEEPS; sweep++) {
        gboolean moved = FALSE;
        for (gsize i = 0; i < group->n; i++) {
            GlintDot *a = &network->dots[group->dots[i]];
            for (gsize j = i + 1; j < group->n; j++)
                moved |= push_apart(a, &network->dots[group->dots[j]], i + j);
            a->x = CLAMP(a->x, box->x, box->x + box->width);
            a->y = CLAMP(a->y, box->y, box->y + box->height);
        }
        if (!moved)
            return;
    }
}

gboolean glint_placement(GlintNetwork *network, guint64 seed, double x, double y, double width, double height, GError **error)
{
    gsize n_large;
    g_autofree gboolean *small = find_small(network, &n_large);
    g_auto(Group) few = {0}, many = {0};
    Box box = {x, y, width, height};
    group_init(&few, network, small, TRUE);
    group_init(&many, network, small, FALSE);
    if (!place_small(network, &few, seed, &box, error) || !place_large(network, &many, seed, &box, n_large == 1, error))
        return FALSE;
    remove_overlaps(network, &many, &box);
    return TRUE;
}
