/* Layout of graph drawings. See layout.h for what is promised.
 *
 * Every connected component is laid out by itself, because a force-directed layout of a disconnected graph only pushes
 * its parts to infinity:
 *   start      the modules of the component are set on a circle, their nodes in a disc around its place (seeded);
 *   forces     Fruchterman & Reingold (1991) in igraph. Edges between modules pull less the more of them there are, and an
 *              invisible hub in every module holds its nodes together, so that modules come apart; a strong edge pulls
 *              somewhat more than a weak one. The first steps are short, for they would stir the start up again;
 *   finish     turned so that the longest axis lies flat, scaled so that the median edge is 1, nodes that lie on each
 *              other pushed apart.
 * The boxes of the components are then packed by src/graph/pack.c. */
#include "graph/layout.h"
#include "base/error.h"
#include "graph/igraph_scope.h"
#include "graph/pack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* All edges between modules together pull this share of what the edges inside do, one of them within these limits. */
static const double between_share = 0.02, between_least = 0.02, between_most = 0.4;
static const double hub_pull = 0.2;
static const double node_room = 0.45, crowded_room = 0.6; /* nodes are kept apart: shares of an edge, and of the mean spacing */

/* The subset to draw in local numbers: node k is nodes[k]. */
typedef struct {
    const GlintGraph *graph;
    const gsize *nodes;
    gsize n, n_edges;
    gsize *ends;      /* 2 per edge, local */
    double *pull;     /* of each edge */
    gsize *component; /* of each node */
    gsize n_components;
    double *xy;
} Drawing;

/* One component in numbers of its own. */
typedef struct {
    gsize n, n_edges;
    gsize *node;      /* -> local number in the drawing */
    gsize *ends;      /* 2 per edge, numbers of the component */
    double *pull, *xy;
} Part;

/* ---- the drawing ---- */

static void drawing_release(Drawing *self)
{
    g_free(self->ends);
    g_free(self->pull);
    g_free(self->component);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Drawing, drawing_release)

static gsize find_root(gsize *parent, gsize i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

/* Components by union-find, numbered in the order of their first node. */
static void find_components(Drawing *self)
{
    g_autofree gsize *parent = g_new(gsize, self->n + 1), *number = g_new(gsize, self->n + 1);
    for (gsize i = 0; i < self->n; i++)
        parent[i] = i;
    for (gsize k = 0; k < self->n_edges; k++) {
        gsize a = find_root(parent, self->ends[2 * k]), b = find_root(parent, self->ends[2 * k + 1]);
        parent[MAX(a, b)] = MIN(a, b);
    }
    for (gsize i = 0; i < self->n; i++) {
        gsize root = find_root(parent, i);
        if (root == i)
            number[i] = self->n_components++;
        self->component[i] = number[root];
    }
}

static gboolean drawing_init(Drawing *self, const GlintGraph *graph, const gsize *nodes, gsize n_nodes, const gsize *edges, gsize n_edges, double *xy, GError **error)
{
    *self = (Drawing){.graph = graph, .nodes = nodes, .n = n_nodes, .n_edges = n_edges, .ends = g_new(gsize, 2 * n_edges + 1), .pull = g_new(double, n_edges + 1),
                      .component = g_new(gsize, n_nodes + 1), .xy = xy};
    g_autofree gsize *local = g_new(gsize, graph->p + 1);
    for (gsize i = 0; i < graph->p; i++)
        local[i] = G_MAXSIZE;
    for (gsize k = 0; k < n_nodes; k++) {
        if (nodes[k] >= graph->p || local[nodes[k]] != G_MAXSIZE)
            return glint_fail(error, GLINT_ERROR_FAILED, "layout: node %zu is out of range or listed twice", nodes[k]);
        local[nodes[k]] = k;
    }
    double strongest = 0;
    for (gsize k = 0; k < n_edges; k++)
        strongest = MAX(strongest, edges[k] < graph->n_edges ? fabs(graph->edges[edges[k]].pcor) : 0);
    for (gsize k = 0; k < n_edges; k++) {
        const GlintEdge *edge = edges[k] < graph->n_edges ? &graph->edges[edges[k]] : NULL;
        if (!edge || local[edge->i] == G_MAXSIZE || local[edge->j] == G_MAXSIZE)
            return glint_fail(error, GLINT_ERROR_FAILED, "layout: edge %zu is out of range or has an end that is not drawn", edges[k]);
        self->ends[2 * k] = local[edge->i];
        self->ends[2 * k + 1] = local[edge->j];
        double share = strongest > 0 ? fabs(edge->pcor) / strongest : 1;
        self->pull[k] = 0.6 + 0.4 * share;
    }
    find_components(self);
    return TRUE;
}

/* ---- one component ---- */

static void part_free(Part *self)
{
    g_free(self->node);
    g_free(self->ends);
    g_free(self->pull);
    g_free(self->xy);
    g_free(self);
}

static Part *part_new(gsize n, gsize n_edges)
{
    Part *self = g_new0(Part, 1);
    self->node = g_new(gsize, n + 1);
    self->ends = g_new(gsize, 2 * n_edges + 1);
    self->pull = g_new(double, n_edges + 1);
    self->xy = g_new0(double, 2 * n + 2);
    return self;
}

/* The components as parts, in the order of their numbers. */
static GPtrArray *split(const Drawing *drawing)
{
    GPtrArray *parts = g_ptr_array_new_with_free_func((GDestroyNotify)part_free);
    g_autofree gsize *n = g_new0(gsize, drawing->n_components + 1), *n_edges = g_new0(gsize, drawing->n_components + 1), *number = g_new(gsize, drawing->n + 1);
    for (gsize i = 0; i < drawing->n; i++)
        n[drawing->component[i]]++;
    for (gsize k = 0; k < drawing->n_edges; k++)
        n_edges[drawing->component[drawing->ends[2 * k]]]++;
    for (gsize c = 0; c < drawing->n_components; c++)
        g_ptr_array_add(parts, part_new(n[c], n_edges[c]));
    for (gsize i = 0; i < drawing->n; i++) {
        Part *part = g_ptr_array_index(parts, drawing->component[i]);
        number[i] = part->n;
        part->node[part->n++] = i;
    }
    for (gsize k = 0; k < drawing->n_edges; k++) {
        Part *part = g_ptr_array_index(parts, drawing->component[drawing->ends[2 * k]]);
        part->ends[2 * part->n_edges] = number[drawing->ends[2 * k]];
        part->ends[2 * part->n_edges + 1] = number[drawing->ends[2 * k + 1]];
        part->pull[part->n_edges++] = drawing->pull[k];
    }
    return parts;
}

static double uniform(void)
{
    return igraph_rng_get_unif01(igraph_rng_default());
}

static int module_of(const Drawing *drawing, const Part *part, gsize v)
{
    return drawing->graph->nodes[drawing->nodes[part->node[v]]].module;
}

/* Modules on a circle, each taking an arc as long as its disc is wide; nodes at random in the disc of their module. */
static void start_positions(const Drawing *drawing, Part *part)
{
    int last = -1;
    for (gsize v = 0; v < part->n; v++)
        last = MAX(last, module_of(drawing, part, v));
    gsize n_modules = (gsize)(last + 2); /* -1 is one more */
    g_autofree gsize *size = g_new0(gsize, n_modules);
    g_autofree double *angle = g_new0(double, n_modules);
    for (gsize v = 0; v < part->n; v++)
        size[module_of(drawing, part, v) + 1]++;
    double arcs = 0, at = 0;
    gsize n_used = 0;
    for (gsize m = 0; m < n_modules; m++) {
        arcs += sqrt((double)size[m]);
        n_used += size[m] > 0;
    }
    for (gsize m = 0; m < n_modules; m++) {
        angle[m] = 2 * G_PI * (at + sqrt((double)size[m]) / 2) / arcs;
        at += sqrt((double)size[m]);
    }
    double radius = n_used > 1 ? arcs / G_PI : 0; /* discs of radius sqrt(size) along the circle */
    for (gsize v = 0; v < part->n; v++) {
        int m = module_of(drawing, part, v) + 1;
        double r = sqrt((double)size[m] * uniform()) * 0.8, phi = 2 * G_PI * uniform();
        part->xy[2 * v] = radius * cos(angle[m]) + r * cos(phi);
        part->xy[2 * v + 1] = radius * sin(angle[m]) + r * sin(phi);
    }
}

static void weaken_between(const Drawing *drawing, const Part *part, double *pull)
{
    double inside = 0, between = 0;
    for (gsize k = 0; k < part->n_edges; k++)
        *(module_of(drawing, part, part->ends[2 * k]) == module_of(drawing, part, part->ends[2 * k + 1]) ? &inside : &between) += pull[k];
    double factor = CLAMP(between > 0 ? between_share * inside / between : 1, between_least, between_most);
    for (gsize k = 0; k < part->n_edges; k++)
        if (module_of(drawing, part, part->ends[2 * k]) != module_of(drawing, part, part->ends[2 * k + 1]))
            pull[k] *= factor;
}

static void add_hubs(const Drawing *drawing, const Part *part, gsize n_modules, Part *out)
{
    g_autofree gsize *size = g_new0(gsize, n_modules), *hub = g_new0(gsize, n_modules);
    for (gsize v = 0; v < part->n; v++)
        if (module_of(drawing, part, v) >= 0)
            size[module_of(drawing, part, v)]++;
    for (gsize m = 0; m < n_modules; m++)
        if (size[m] > 2)
            hub[m] = out->n++;
    for (gsize v = 0; v < part->n; v++) {
        int m = module_of(drawing, part, v);
        if (m < 0 || size[m] < 3)
            continue;
        out->ends[2 * out->n_edges] = v;
        out->ends[2 * out->n_edges + 1] = hub[m];
        out->pull[out->n_edges++] = hub_pull;
        out->xy[2 * hub[m]] += part->xy[2 * v] / (double)size[m];
        out->xy[2 * hub[m] + 1] += part->xy[2 * v + 1] / (double)size[m];
    }
}

/* Adds the hubs (nodes part->n and up, one for a module of three nodes or more) and weakens the edges between modules.
 * Returns a part of its own; the same nodes come first. Without modules to tell apart it is a plain copy. */
static Part *with_hubs(const Drawing *drawing, const Part *part)
{
    int first = module_of(drawing, part, 0), last = first, lowest = first;
    for (gsize v = 0; v < part->n; v++) {
        last = MAX(last, module_of(drawing, part, v));
        lowest = MIN(lowest, module_of(drawing, part, v));
    }
    gsize n_modules = lowest < last ? (gsize)(last + 1) : 0;
    Part *out = part_new(part->n + n_modules, part->n_edges + part->n);
    memcpy(out->ends, part->ends, 2 * part->n_edges * sizeof *out->ends);
    memcpy(out->pull, part->pull, part->n_edges * sizeof *out->pull);
    memcpy(out->xy, part->xy, 2 * part->n * sizeof *out->xy);
    out->n = part->n;
    out->n_edges = part->n_edges;
    if (n_modules > 0) {
        weaken_between(drawing, part, out->pull);
        add_hubs(drawing, part, n_modules, out);
    }
    return out;
}

static gboolean run_forces(Part *part, igraph_t *graph, igraph_matrix_t *places, GError **error)
{
    igraph_vector_t pull = {0}; /* a view, set below; gcc -O0 cannot see that */
    igraph_vector_view(&pull, part->pull, (igraph_integer_t)part->n_edges);
    for (gsize v = 0; v < part->n; v++) {
        MATRIX(*places, v, 0) = part->xy[2 * v];
        MATRIX(*places, v, 1) = part->xy[2 * v + 1];
    }
    /* O(n^2) a step; igraph's grid, which forgets far nodes, squeezes modules out of shape and is for the largest only. */
    igraph_integer_t iterations = part->n <= 300 ? 1500 : part->n <= 1000 ? 700 : 350;
    igraph_layout_grid_t grid = part->n > 4000 ? IGRAPH_LAYOUT_GRID : IGRAPH_LAYOUT_NOGRID;
    if (!gli_igraph_check(igraph_layout_fruchterman_reingold(graph, places, TRUE, iterations, 0.15 * sqrt((double)part->n), grid, &pull, NULL, NULL, NULL, NULL),
                          "laying out the graph", error))
        return FALSE;
    for (gsize v = 0; v < part->n; v++) {
        part->xy[2 * v] = MATRIX(*places, v, 0);
        part->xy[2 * v + 1] = MATRIX(*places, v, 1);
    }
    return TRUE;
}

static gboolean force_layout(Part *part, GError **error)
{
    igraph_vector_int_t ends;
    if (!gli_igraph_check(igraph_vector_int_init(&ends, 2 * (igraph_integer_t)part->n_edges), "allocating edges", error))
        return FALSE;
    for (gsize k = 0; k < 2 * part->n_edges; k++)
        VECTOR(ends)[k] = (igraph_integer_t)part->ends[k];
    igraph_t graph;
    gboolean ok = gli_igraph_create(&graph, part->n, &ends, error);
    igraph_vector_int_destroy(&ends);
    if (!ok)
        return FALSE;
    igraph_matrix_t places;
    ok = gli_igraph_check(igraph_matrix_init(&places, (igraph_integer_t)part->n, 2), "allocating places", error);
    if (ok) {
        ok = run_forces(part, &graph, &places, error);
        igraph_matrix_destroy(&places);
    }
    igraph_destroy(&graph);
    return ok;
}

/* ---- finish ---- */

/* Turns the part so that its principal axis is horizontal. */
static void lay_flat(Part *part)
{
    double mx = 0, my = 0, xx = 0, xy = 0, yy = 0, n = (double)part->n;
    for (gsize v = 0; v < part->n; v++) {
        mx += part->xy[2 * v] / n;
        my += part->xy[2 * v + 1] / n;
    }
    for (gsize v = 0; v < part->n; v++) {
        double x = part->xy[2 * v] - mx, y = part->xy[2 * v + 1] - my;
        xx += x * x;
        xy += x * y;
        yy += y * y;
    }
    double angle = 0.5 * atan2(2 * xy, xx - yy), c = cos(angle), s = sin(angle);
    for (gsize v = 0; v < part->n; v++) {
        double x = part->xy[2 * v] - mx, y = part->xy[2 * v + 1] - my;
        part->xy[2 * v] = c * x + s * y;
        part->xy[2 * v + 1] = c * y - s * x;
    }
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_edge(const Part *part)
{
    g_autofree double *length = g_new(double, part->n_edges + 1);
    for (gsize k = 0; k < part->n_edges; k++) {
        gsize a = part->ends[2 * k], b = part->ends[2 * k + 1];
        length[k] = hypot(part->xy[2 * a] - part->xy[2 * b], part->xy[2 * a + 1] - part->xy[2 * b + 1]);
    }
    qsort(length, part->n_edges, sizeof *length, compare_doubles);
    return length[part->n_edges / 2];
}

static void scale_to_unit(Part *part)
{
    double median = median_edge(part);
    for (gsize c = 0; median > 0 && c < 2 * part->n; c++)
        part->xy[c] /= median;
}

/* Whole cells of the plane, as hash keys. */
typedef struct { gint32 x, y; } Cell;

static Cell cell_of(const double *place, double size)
{
    return (Cell){(gint32)floor(place[0] / size), (gint32)floor(place[1] / size)};
}

static gpointer cell_key(gint32 x, gint32 y)
{
    return GSIZE_TO_POINTER(((gsize)(guint32)x << 32 | (guint32)y) * 2 + 1); /* never NULL */
}

/* Moves two nodes apart, half each, when they are closer than `room`. */
static gboolean separate(double *a, double *b, double room, gsize tie)
{
    double dx = b[0] - a[0], dy = b[1] - a[1], distance = hypot(dx, dy);
    if (distance >= room)
        return FALSE;
    if (distance < 1e-9) { /* on each other: part in a direction that differs from pair to pair */
        dx = cos((double)tie * 2.399963);
        dy = sin((double)tie * 2.399963);
        distance = 1;
    }
    double push = (room - MIN(distance, room)) / 2 + 1e-4 * room;
    a[0] -= push * dx / distance;
    a[1] -= push * dy / distance;
    b[0] += push * dx / distance;
    b[1] += push * dy / distance;
    return TRUE;
}

/* Pushes apart nodes closer than `room`: sweeps over a grid of cells that wide, where only neighbours can be near. */
static void remove_overlaps(Part *part, double room)
{
    enum { SWEEPS = 60 };
    g_autofree gsize *next = g_new(gsize, part->n + 1);
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        g_autoptr(GHashTable) first = g_hash_table_new(NULL, NULL);
        for (gsize v = part->n; v-- > 0;) { /* lists in ascending order; 0 = end, hence v + 1 */
            Cell cell = cell_of(&part->xy[2 * v], room);
            next[v] = GPOINTER_TO_SIZE(g_hash_table_lookup(first, cell_key(cell.x, cell.y)));
            g_hash_table_insert(first, cell_key(cell.x, cell.y), GSIZE_TO_POINTER(v + 1));
        }
        gboolean moved = FALSE;
        for (gsize v = 0; v < part->n; v++) {
            Cell cell = cell_of(&part->xy[2 * v], room);
            for (gint32 around = 0; around < 9; around++) {
                gsize w = GPOINTER_TO_SIZE(g_hash_table_lookup(first, cell_key(cell.x + around % 3 - 1, cell.y + around / 3 - 1)));
                for (; w != 0; w = next[w - 1])
                    if (w - 1 > v)
                        moved |= separate(&part->xy[2 * v], &part->xy[2 * (w - 1)], room, v + w);
            }
        }
        if (!moved)
            return;
    }
}

static GliBox box_of(const Part *part, double *left, double *top)
{
    double right = -INFINITY, bottom = -INFINITY;
    *left = *top = INFINITY;
    for (gsize v = 0; v < part->n; v++) {
        *left = MIN(*left, part->xy[2 * v]);
        right = MAX(right, part->xy[2 * v]);
        *top = MIN(*top, part->xy[2 * v + 1]);
        bottom = MAX(bottom, part->xy[2 * v + 1]);
    }
    return (GliBox){.width = right - *left + 1, .height = bottom - *top + 1, .n = part->n};
}

static gboolean place_part(const Drawing *drawing, Part *part, GError **error)
{
    if (part->n < 3) { /* one node, or a pair side by side */
        part->xy[2] = (double)(part->n - 1);
        return TRUE;
    }
    start_positions(drawing, part);
    Part *pulled = with_hubs(drawing, part);
    gboolean ok = force_layout(pulled, error);
    memcpy(part->xy, pulled->xy, 2 * part->n * sizeof *part->xy);
    part_free(pulled);
    if (!ok)
        return FALSE;
    for (gsize c = 0; c < 2 * part->n; c++)
        if (!isfinite(part->xy[c]))
            return glint_fail(error, GLINT_ERROR_FAILED, "the layout of a component of %zu nodes did not stay finite", part->n);
    lay_flat(part);
    scale_to_unit(part);
    double left, top;
    GliBox box = box_of(part, &left, &top);
    remove_overlaps(part, MIN(node_room, crowded_room * sqrt((box.width - 1) * (box.height - 1) / (double)part->n)));
    return TRUE;
}

/* ---- all of them ---- */

static void pack_parts(Drawing *drawing, GPtrArray *parts, double aspect)
{
    g_autofree GliBox *boxes = g_new(GliBox, parts->len + 1);
    g_autofree double *left = g_new(double, parts->len + 1), *top = g_new(double, parts->len + 1);
    for (guint c = 0; c < parts->len; c++)
        boxes[c] = box_of(g_ptr_array_index(parts, c), &left[c], &top[c]);
    gli_pack(boxes, parts->len, aspect);
    for (guint c = 0; c < parts->len; c++) {
        const Part *part = g_ptr_array_index(parts, c);
        for (gsize v = 0; v < part->n; v++) {
            drawing->xy[2 * part->node[v]] = part->xy[2 * v] - left[c] + boxes[c].x;
            drawing->xy[2 * part->node[v] + 1] = part->xy[2 * v + 1] - top[c] + boxes[c].y;
        }
    }
}

gboolean glint_graph_layout(const GlintGraph *graph, const gsize *nodes, gsize n_nodes, const gsize *edges, gsize n_edges, double aspect, guint64 seed, double *xy, GError **error)
{
    g_auto(Drawing) drawing = {.n = 0};
    if (!drawing_init(&drawing, graph, nodes, n_nodes, edges, n_edges, xy, error))
        return FALSE;
    g_autoptr(GPtrArray) parts = split(&drawing);
    g_auto(GliIgraph) scope = {.entered = FALSE};
    if (!gli_igraph_enter(&scope, seed, error))
        return FALSE;
    for (guint c = 0; c < parts->len; c++)
        if (!place_part(&drawing, g_ptr_array_index(parts, c), error))
            return FALSE;
    pack_parts(&drawing, parts, isfinite(aspect) && aspect > 0 ? aspect : 1);
    return TRUE;
}
