/* Graph pictures: which edges are drawn, where nodes and labels lie, what the caption says. */
#include "draw/labels.h"
#include "draw/network.h"
#include "support.h"
#include <math.h>
#include <string.h>

static const GlintCaption caption = {"blocks.0.mlp.hook_post", "neg", 0.2, 500};
static const GlintBox page = {20, 30, 600, 500};

static GlintNetwork *network_of(const GlintGraph *graph)
{
    g_autoptr(GError) error = NULL;
    GlintNetwork *network = glint_network_new(graph, 1, page.x, page.y, page.width, page.height, &error);
    if (!network)
        fail_msg("%s", error->message);
    return network;
}

static char *svg_text_of(void **state, const GlintGraph *graph)
{
    g_autofree char *path = test_path(state, "graph.svg");
    char *paths[] = {path, NULL};
    g_autoptr(GError) error = NULL;
    if (!glint_draw_graph(graph, &caption, 1, paths, &error))
        fail_msg("%s", error->message);
    return test_svg_text(path);
}

static void test_small_graph_is_drawn_whole(void **state)
{
    g_autoptr(GlintGraph) graph = test_random_graph(3, 10, 2, 6, 2);
    g_autoptr(GlintNetwork) network = network_of(graph);
    assert_int_equal(network->n_edges, graph->n_edges);
    assert_true(network->n_isolated >= 6);
    assert_int_equal(network->n_dots + network->n_isolated, graph->p);
    g_autofree char *text = svg_text_of(state, graph), *all = g_strdup_printf("All %zu edges drawn; %zu of 36 neurons", graph->n_edges, network->n_dots);
    assert_non_null(strstr(text, all));
    assert_non_null(strstr(text, "isolated neurons"));
    assert_non_null(strstr(text, "class neg"));
}

static void test_too_many_edges_leave_the_strongest(void **state)
{
    g_autoptr(GlintGraph) graph = test_random_graph(6, 60, 12, 0, 2);
    g_autoptr(GlintNetwork) network = network_of(graph);
    assert_true(network->n_edges < graph->n_edges);
    assert_true(network->n_edges <= 800);
    assert_true((double)network->n_edges <= 2.2 * (double)network->n_dots);
    /* No edge left out is stronger than the threshold, but for the fragments that are counted. */
    gsize n_strong = 0;
    for (gsize k = 0; k < graph->n_edges; k++)
        n_strong += fabs(graph->edges[k].pcor) >= network->pcor_min;
    assert_int_equal(n_strong, network->n_edges + network->n_torn);
    for (gsize k = 0; k < network->n_edges; k++)
        assert_true(fabs(graph->edges[network->edges[k]].pcor) >= network->pcor_min);
    g_autofree char *text = svg_text_of(state, graph), *drawn = g_strdup_printf("%zu of ", network->n_edges);
    assert_non_null(strstr(text, drawn));
    assert_non_null(strstr(text, "the strongest (|ρ| ≥ "));
}

static void test_torn_off_pairs_are_left_out_but_own_components_stay(void **state)
{
    (void)state;
    /* A dense module of weak and strong edges, a pair hanging on it by a weak edge only, and a pair for itself. */
    g_autoptr(GArray) edges = g_array_new(FALSE, FALSE, sizeof(Rho));
    for (gsize i = 0; i < 24; i++) {
        for (gsize j = i + 1; j < 24; j++) {
            const Rho edge = {i, j, j == i + 1 ? 0.3 : 0.01 + 1e-5 * (double)(i * 24 + j)};
            g_array_append_val(edges, edge);
        }
    }
    const Rho more[] = {{24, 25, 0.28}, {0, 24, 0.005}, {26, 27, 0.27}};
    g_array_append_vals(edges, more, 3);
    g_autoptr(GlintGraph) graph = test_graph_of(28, (const Rho *)(void *)edges->data, edges->len);
    g_autoptr(GlintNetwork) network = network_of(graph);
    gboolean torn = FALSE, own = FALSE;
    for (gsize k = 0; k < network->n_dots; k++) {
        torn |= network->dots[k].node == 24;
        own |= network->dots[k].node == 26;
    }
    assert_false(torn);
    assert_true(own);
    assert_int_equal(network->n_torn, 1);
}

static void test_nodes_lie_on_the_page_and_apart(void **state)
{
    (void)state;
    const struct { gsize n_modules, size; double degree; } graphs[] = {{1, 2, 1}, {1, 3, 2}, {2, 8, 2}, {6, 30, 3}, {12, 60, 4}};
    for (gsize g = 0; g < G_N_ELEMENTS(graphs); g++) {
        g_autoptr(GlintGraph) graph = test_random_graph(graphs[g].n_modules, graphs[g].size, graphs[g].degree, 3, 11);
        g_autoptr(GlintNetwork) network = network_of(graph);
        gsize n_touching = 0;
        for (gsize a = 0; a < network->n_dots; a++) {
            const GlintDot *dot = &network->dots[a];
            assert_true(isfinite(dot->x) && isfinite(dot->y) && dot->r > 1);
            assert_true(dot->x >= page.x - 1e-6 && dot->x <= page.x + page.width + 1e-6 && dot->y >= page.y - 1e-6 && dot->y <= page.y + page.height + 1e-6);
            for (gsize b = a + 1; b < network->n_dots; b++)
                n_touching += hypot(dot->x - network->dots[b].x, dot->y - network->dots[b].y) < (dot->r + network->dots[b].r) * 0.9;
        }
        assert_true(n_touching <= network->n_dots / 50);
    }
}

static void test_labels_keep_apart(void **state)
{
    (void)state;
    g_autoptr(GlintGraph) graph = test_random_graph(8, 25, 4, 3, 4);
    g_autoptr(GlintNetwork) network = network_of(graph);
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, 10, 10);
    cairo_t *cr = cairo_create(surface);
    g_autoptr(GArray) labels = glint_labels_place(network, cr, page, 40);
    assert_true(labels->len >= 16 && labels->len <= 40);
    for (guint a = 0; a < labels->len; a++) {
        const GlintBox box = glint_label_box(&g_array_index(labels, GlintLabel, a));
        assert_true(box.x >= page.x && box.y >= page.y && box.x + box.width <= page.x + page.width && box.y + box.height <= page.y + page.height);
        for (guint b = a + 1; b < labels->len; b++) {
            const GlintBox other = glint_label_box(&g_array_index(labels, GlintLabel, b));
            assert_false(box.x < other.x + other.width && other.x < box.x + box.width && box.y < other.y + other.height && other.y < box.y + box.height);
        }
    }
    /* Every module of the graph has its hub named, unless there was no room for it. */
    gsize hubs = 0;
    for (guint k = 0; k < labels->len; k++) {
        const GlintNode *node = &graph->nodes[network->dots[g_array_index(labels, GlintLabel, k).dot].node];
        gboolean strongest = TRUE;
        for (gsize i = 0; i < graph->p; i++)
            strongest &= graph->nodes[i].module != node->module || graph->nodes[i].strength <= node->strength;
        hubs += strongest;
    }
    assert_true(hubs + 2 >= graph->n_modules);
    cairo_destroy(cr);
    cairo_surface_destroy(surface);
}

static void test_strong_edges_are_wider(void **state)
{
    (void)state;
    const Rho edges[] = {{0, 1, 0.5}, {1, 2, -0.1}};
    g_autoptr(GlintGraph) graph = test_graph_of(3, edges, 2);
    g_autoptr(GlintNetwork) network = network_of(graph);
    assert_true(glint_network_edge_width(network, 0.5) > 2 * glint_network_edge_width(network, -0.1));
    assert_true(glint_network_radius(network, graph->nodes[1].strength) > glint_network_radius(network, graph->nodes[2].strength));
}

/* The middle of a lone edge has the colour of its sign, an end the colour of its module. */
static void test_colours_of_edge_and_node(void **state)
{
    for (int sign = -1; sign <= 1; sign += 2) {
        const Rho edge = {0, 1, sign * 0.5};
        g_autoptr(GlintGraph) graph = test_graph_of(3, &edge, 1);
        g_autofree char *path = test_path(state, "graph.png");
        char *paths[] = {path, NULL};
        assert_true(glint_draw_graph(graph, &caption, 1, paths, NULL));
        TestPicture *picture = test_picture_read(path);
        gsize n_blue = 0, n_red = 0, n_module = 0;
        const guint32 module = glint_colour_argb(glint_colour_module(0)) & 0xffffff;
        for (int y = 70 * 3; y < 680 * 3; y++) {
            for (int x = 20 * 3; x < 650 * 3; x++) {
                const guint32 colour = test_pixel(picture, x, y);
                n_module += colour == module;
                n_blue += colour != module && (colour & 255) > (colour >> 16) + 90;
                n_red += test_is_red(colour) && (colour >> 16) > (colour & 255) + 90;
            }
        }
        assert_true(n_module > 500);
        assert_true(sign > 0 ? n_blue > 200 : n_red > 200);
        assert_true(sign > 0 ? n_red == 0 : n_red > n_blue);
        test_picture_free(picture);
    }
}

static void test_no_edges_give_a_message(void **state)
{
    for (gsize p = 0; p <= 2; p++) {
        g_autoptr(GlintGraph) graph = test_graph_of(p, NULL, 0);
        g_autofree char *path = test_path(state, "graph.png");
        char *paths[] = {path, NULL};
        assert_true(glint_draw_graph(graph, &caption, 1, paths, NULL));
        TestPicture *picture = test_picture_read(path);
        assert_int_equal(picture->width, 860 * 3);
        assert_int_equal(picture->height, 740 * 3);
        gsize dark = 0;
        for (int y = 370 * 3 - 30; y < 370 * 3 + 15; y++) {
            for (int x = 100; x < 2500; x++)
                dark += (test_pixel(picture, x, y) & 255) < 160;
        }
        assert_true(dark > 200);
        test_picture_free(picture);
    }
}

static void test_not_finite_values_do_no_harm(void **state)
{
    g_autoptr(GlintGraph) graph = test_random_graph(3, 10, 3, 1, 5);
    graph->edges[0].pcor = NAN;
    graph->edges[3].pcor = -INFINITY;
    graph->nodes[2].strength = NAN;
    graph->nodes[4].strength = INFINITY;
    g_autoptr(GlintNetwork) network = network_of(graph);
    assert_int_equal(network->n_edges_all, graph->n_edges - 2);
    for (gsize k = 0; k < network->n_dots; k++)
        assert_true(isfinite(network->dots[k].x) && isfinite(network->dots[k].r));
    g_autofree char *text = svg_text_of(state, graph);
    assert_null(strstr(text, "nan"));
}

static void test_one_layout_for_all_files(void **state)
{
    g_autoptr(GlintGraph) graph = test_random_graph(4, 15, 3, 2, 5);
    g_autofree char *png = test_path(state, "g.png"), *svg = test_path(state, "g.svg"), *pdf = test_path(state, "g.pdf");
    char *paths[] = {png, svg, pdf, NULL};
    assert_true(glint_draw_graph(graph, &caption, 3, paths, NULL));
    assert_int_equal(test_count_files(state), 3);
    gsize length[2];
    g_autofree char *first_png = test_contents(png, &length[0]), *first_svg = test_contents(svg, NULL);
    gsize pdf_length;
    g_autofree char *first_pdf = test_contents(pdf, &pdf_length);
    assert_true(glint_draw_graph(graph, &caption, 3, paths, NULL));
    g_autofree char *second_png = test_contents(png, &length[1]), *second_svg = test_contents(svg, NULL), *second_pdf = test_contents(pdf, NULL);
    assert_int_equal(length[0], length[1]);
    assert_memory_equal(first_png, second_png, length[0]);
    assert_string_equal(first_svg, second_svg);
    assert_memory_equal(first_pdf, second_pdf, pdf_length);
    assert_true(length[0] < 2000000);
}

static void test_one_bad_path_draws_nothing(void **state)
{
    g_autoptr(GlintGraph) graph = test_random_graph(2, 6, 2, 0, 5);
    g_autofree char *good = test_path(state, "g.png"), *bad = test_path(state, "g.gif");
    char *paths[] = {good, bad, NULL};
    g_autoptr(GError) error = NULL;
    assert_false(glint_draw_graph(graph, &caption, 1, paths, &error));
    assert_non_null(strstr(error->message, "g.gif"));
    assert_int_equal(test_count_files(state), 0);
}

#define FOLDER_TEST(f) cmocka_unit_test_setup_teardown(f, test_folder_setup, test_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(test_small_graph_is_drawn_whole),
        FOLDER_TEST(test_too_many_edges_leave_the_strongest),
        cmocka_unit_test(test_torn_off_pairs_are_left_out_but_own_components_stay),
        cmocka_unit_test(test_nodes_lie_on_the_page_and_apart),
        cmocka_unit_test(test_labels_keep_apart),
        cmocka_unit_test(test_strong_edges_are_wider),
        FOLDER_TEST(test_colours_of_edge_and_node),
        FOLDER_TEST(test_no_edges_give_a_message),
        FOLDER_TEST(test_not_finite_values_do_no_harm),
        FOLDER_TEST(test_one_layout_for_all_files),
        FOLDER_TEST(test_one_bad_path_draws_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
