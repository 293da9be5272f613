/* The layout keeps its promises: bounding box from (0, 0), median edge 1, components and modules apart, determinism. */
#include "base/error.h"
#include "graph/layout.h"
#include "graph/pack.h"
#include "make_graph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct { GlintGraph *graph; gsize n; gsize *nodes, *edges; double *xy; } Layout;

static Layout lay_out(GlintGraph *graph, gboolean isolated, double aspect, guint64 seed)
{
    Layout self = {.graph = graph, .nodes = g_new0(gsize, graph->p + 1), .edges = g_new0(gsize, graph->n_edges + 1), .xy = g_new0(double, 2 * graph->p + 2)};
    for (gsize i = 0; i < graph->p; i++)
        if (isolated || graph->nodes[i].degree > 0)
            self.nodes[self.n++] = i;
    for (gsize k = 0; k < graph->n_edges; k++)
        self.edges[k] = k;
    g_autoptr(GError) error = NULL;
    if (!glint_graph_layout(graph, self.nodes, self.n, self.edges, graph->n_edges, aspect, seed, self.xy, &error))
        fail_msg("%s", error->message);
    return self;
}

static void layout_release(Layout *self)
{
    g_free(self->nodes);
    g_free(self->edges);
    g_free(self->xy);
}

static double distance(const Layout *self, gsize a, gsize b)
{
    return hypot(self->xy[2 * a] - self->xy[2 * b], self->xy[2 * a + 1] - self->xy[2 * b + 1]);
}

static void extent(const Layout *self, double *width, double *height)
{
    double left = INFINITY, top = INFINITY;
    *width = *height = -INFINITY;
    for (gsize k = 0; k < self->n; k++) {
        assert_true(isfinite(self->xy[2 * k]) && isfinite(self->xy[2 * k + 1]));
        left = MIN(left, self->xy[2 * k]);
        top = MIN(top, self->xy[2 * k + 1]);
        *width = MAX(*width, self->xy[2 * k]);
        *height = MAX(*height, self->xy[2 * k + 1]);
    }
    assert_float_equal(left, 0, 1e-9);
    assert_float_equal(top, 0, 1e-9);
}

static void test_same_seed_same_coordinates(void **state)
{
    (void)state;
    g_autoptr(GlintGraph) graph = make_planted(120, 3, .15, .01, 2);
    assert_true(glint_graph_measure(graph, 1, NULL));
    Layout a = lay_out(graph, FALSE, 1.5, 7), b = lay_out(graph, FALSE, 1.5, 7), c = lay_out(graph, FALSE, 1.5, 8);
    assert_memory_equal(a.xy, b.xy, 2 * a.n * sizeof(double));
    assert_memory_not_equal(a.xy, c.xy, 2 * a.n * sizeof(double));
    layout_release(&a);
    layout_release(&b);
    layout_release(&c);
}

static void test_modules_come_apart(void **state)
{
    (void)state;
    g_autoptr(GlintGraph) graph = make_planted(150, 3, .15, .004, 4);
    assert_true(glint_graph_measure(graph, 1, NULL));
    Layout layout = lay_out(graph, FALSE, 1, 1);
    gsize n_closer = 0, n_pairs = 0;
    for (gsize a = 0; a < layout.n; a++) { /* the nearest neighbour of nearly every node is of its module */
        gsize nearest = a == 0;
        for (gsize b = 0; b < layout.n; b++)
            if (b != a && distance(&layout, a, b) < distance(&layout, a, nearest))
                nearest = b;
        n_pairs++;
        n_closer += graph->nodes[layout.nodes[a]].module == graph->nodes[layout.nodes[nearest]].module;
    }
    assert_true((double)n_closer > .9 * (double)n_pairs);
    layout_release(&layout);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void test_edges_have_unit_length_and_nodes_room(void **state)
{
    (void)state;
    g_autoptr(GlintGraph) graph = make_karate();
    assert_true(glint_graph_measure(graph, 1, NULL));
    Layout layout = lay_out(graph, TRUE, 1, 1); /* nodes are all, so layout index = node */
    double length[78], width, height;
    for (gsize k = 0; k < 78; k++)
        length[k] = distance(&layout, graph->edges[k].i, graph->edges[k].j);
    qsort(length, 78, sizeof *length, compare_doubles);
    assert_float_equal(length[39], 1, .1); /* overlaps are removed after scaling */
    for (gsize a = 0; a < layout.n; a++)
        for (gsize b = 0; b < a; b++)
            assert_true(distance(&layout, a, b) > .25);
    extent(&layout, &width, &height);
    assert_true(width >= .9 * height); /* the long axis lies flat */
    layout_release(&layout);
}

static void test_components_lie_side_by_side(void **state)
{
    (void)state;
    /* Ten triangles, ten pairs, ten isolated nodes. */
    Link links[40];
    gsize n = 0;
    for (gsize c = 0; c < 10; c++) {
        links[n++] = (Link){3 * c, 3 * c + 1, .2};
        links[n++] = (Link){3 * c + 1, 3 * c + 2, .3};
        links[n++] = (Link){3 * c, 3 * c + 2, -.2};
    }
    for (gsize c = 0; c < 10; c++)
        links[n++] = (Link){30 + 2 * c, 31 + 2 * c, .1};
    g_autoptr(GlintGraph) graph = make_graph(60, links, n);
    assert_true(glint_graph_measure(graph, 1, NULL));
    const double aspects[] = {1, 3, 1.0 / 3, NAN};
    for (gsize k = 0; k < G_N_ELEMENTS(aspects); k++) {
        Layout layout = lay_out(graph, TRUE, aspects[k], 1);
        double width, height, wanted = isnan(aspects[k]) ? 1 : aspects[k];
        extent(&layout, &width, &height);
        assert_in_range((uintmax_t)(100 * (width + 1) / (height + 1)), (uintmax_t)(60 * wanted), (uintmax_t)(170 * wanted));
        for (gsize a = 0; a < 60; a++)
            for (gsize b = 0; b < a; b++) {
                gboolean same = a < 30 ? a / 3 == b / 3 : a < 50 && a / 2 == b / 2;
                assert_true(distance(&layout, a, b) > (same ? .4 : .999));
            }
        layout_release(&layout);
    }
}

static void test_small_layouts(void **state)
{
    (void)state;
    double xy[8] = {9, 9, 9, 9, 9, 9, 9, 9};
    g_autoptr(GlintGraph) empty = make_graph(0, NULL, 0);
    assert_true(glint_graph_layout(empty, NULL, 0, NULL, 0, 1, 1, xy, NULL));
    const Link link = {0, 1, .5};
    const gsize nodes[] = {1, 0}, edge = 0;
    g_autoptr(GlintGraph) pair = make_graph(2, &link, 1); /* not measured */
    assert_true(glint_graph_layout(pair, nodes, 2, &edge, 1, 1, 1, xy, NULL));
    assert_true(hypot(xy[0] - xy[2], xy[1] - xy[3]) == 1);
    assert_true(glint_graph_layout(pair, nodes, 2, NULL, 0, 1, 1, xy, NULL)); /* without the edge: two components */
    assert_true(hypot(xy[0] - xy[2], xy[1] - xy[3]) == 1);
    assert_true(glint_graph_layout(pair, nodes, 1, NULL, 0, 1, 1, xy, NULL));
    assert_true(xy[0] == 0 && xy[1] == 0);
}

static void test_wrong_subsets_are_refused(void **state)
{
    (void)state;
    g_autoptr(GlintGraph) graph = make_karate();
    double xy[8];
    const gsize twice[] = {3, 3}, outside[] = {34}, lone[] = {0}, edge = 0, no_edge = 78;
    g_autoptr(GError) error = NULL;
    assert_false(glint_graph_layout(graph, twice, 2, NULL, 0, 1, 1, xy, &error));
    expect_error(&error, GLINT_ERROR_FAILED, "listed twice");
    assert_false(glint_graph_layout(graph, outside, 1, NULL, 0, 1, 1, xy, &error));
    expect_error(&error, GLINT_ERROR_FAILED, "out of range");
    assert_false(glint_graph_layout(graph, lone, 1, &edge, 1, 1, 1, xy, &error));
    expect_error(&error, GLINT_ERROR_FAILED, "not drawn");
    assert_false(glint_graph_layout(graph, lone, 1, &no_edge, 1, 1, 1, xy, &error));
    expect_error(&error, GLINT_ERROR_FAILED, "out of range");
}

static void test_packed_boxes_do_not_overlap(void **state)
{
    (void)state;
    GRand *rand = g_rand_new_with_seed(3);
    for (gsize trial = 0; trial < 50; trial++) {
        GliBox boxes[40];
        gsize n = (gsize)g_rand_int_range(rand, 1, 41);
        double area = 0, width = 0, height = 0, aspect = g_rand_double_range(rand, .3, 3);
        for (gsize k = 0; k < n; k++) {
            double size = k == 0 ? 20 : 3;
            boxes[k] = (GliBox){.width = 1 + size * g_rand_double(rand), .height = 1 + size * g_rand_double(rand), .n = n - k};
            area += boxes[k].width * boxes[k].height;
        }
        gli_pack(boxes, n, aspect);
        for (gsize a = 0; a < n; a++) {
            assert_true(boxes[a].x >= 0 && boxes[a].y >= 0);
            width = MAX(width, boxes[a].x + boxes[a].width);
            height = MAX(height, boxes[a].y + boxes[a].height);
            for (gsize b = 0; b < a; b++)
                assert_true(boxes[a].x + boxes[a].width <= boxes[b].x + 1e-9 || boxes[b].x + boxes[b].width <= boxes[a].x + 1e-9 ||
                            boxes[a].y + boxes[a].height <= boxes[b].y + 1e-9 || boxes[b].y + boxes[b].height <= boxes[a].y + 1e-9);
        }
        if (n > 20)
            assert_true(width * height < 5 * area);
    }
    g_rand_free(rand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_coordinates),
        cmocka_unit_test(test_modules_come_apart),
        cmocka_unit_test(test_edges_have_unit_length_and_nodes_room),
        cmocka_unit_test(test_components_lie_side_by_side),
        cmocka_unit_test(test_small_layouts),
        cmocka_unit_test(test_wrong_subsets_are_refused),
        cmocka_unit_test(test_packed_boxes_do_not_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
