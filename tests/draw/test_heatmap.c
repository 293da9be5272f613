/* Heat maps: the right colour in the right cell, at any size of the graph. */
#include "draw/heatmap.h"
#include "draw/margins.h"
#include "support.h"
#include <math.h>
#include <string.h>

static const GlintCaption caption = {"blocks.1.mlp.hook_post", "pos", 0.32, 1000};

/* Where the cell (row i, column j of neurons) has its middle, in pixels of the PNG. */
static void cell_centre(const GlintGraph *graph, gsize i, gsize j, double *x, double *y)
{
    g_autofree gsize *order = glint_graph_order(graph);
    const gsize n = glint_connected_of(graph, order);
    const GlintHeatPanel panel = glint_heatmap_panel(n, GLINT_CANVAS_PIXELS);
    const double cell = panel.side / (double)n;
    gsize row = n, column = n;
    for (gsize k = 0; k < n; k++) {
        row = order[k] == i ? k : row;
        column = order[k] == j ? k : column;
    }
    assert_true(row < n && column < n);
    *x = (panel.x + ((double)column + 0.5) * cell) * GLINT_CANVAS_PIXELS;
    *y = (panel.y + ((double)row + 0.5) * cell) * GLINT_CANVAS_PIXELS;
}

static guint32 colour_of_cell(const TestPicture *picture, const GlintGraph *graph, gsize i, gsize j)
{
    double x, y;
    cell_centre(graph, i, j, &x, &y);
    return test_pixel(picture, x, y);
}

static TestPicture *draw_png(void **state, const GlintGraph *graph)
{
    g_autofree char *path = test_path(state, "heat.png");
    g_autoptr(GError) error = NULL;
    if (!glint_draw_heatmap(graph, &caption, path, &error))
        fail_msg("%s", error->message);
    return test_picture_read(path);
}

static void test_cells_have_the_colours_of_their_signs(void **state)
{
    const Rho edges[] = {{0, 1, 0.4}, {1, 2, -0.4}, {0, 2, 0.05}, {3, 4, -0.02}};
    g_autoptr(GlintGraph) graph = test_graph_of(6, edges, G_N_ELEMENTS(edges));
    TestPicture *picture = draw_png(state, graph);
    for (int flip = 0; flip < 2; flip++) {
        assert_int_equal(colour_of_cell(picture, graph, flip, !flip), glint_colour_argb(glint_colour_diverging(1)) & 0xffffff);
        assert_int_equal(colour_of_cell(picture, graph, flip ? 1 : 2, flip ? 2 : 1), glint_colour_argb(glint_colour_diverging(-1)) & 0xffffff);
        assert_true(test_is_blue(colour_of_cell(picture, graph, flip ? 0 : 2, flip ? 2 : 0)));
        assert_true(test_is_red(colour_of_cell(picture, graph, flip ? 3 : 4, flip ? 4 : 3)));
    }
    assert_int_equal(colour_of_cell(picture, graph, 0, 3), 0xffffff); /* no edge, between modules */
    for (gsize i = 0; i < 5; i++)
        assert_true(test_is_colourless(colour_of_cell(picture, graph, i, i)));
    test_picture_free(picture);
}

static void test_isolated_neurons_get_no_rows(void **state)
{
    const Rho edges[] = {{2, 5, 0.3}};
    g_autoptr(GlintGraph) graph = test_graph_of(9, edges, 1);
    g_autofree gsize *order = glint_graph_order(graph);
    assert_int_equal(glint_connected_of(graph, order), 2);
    TestPicture *picture = draw_png(state, graph);
    assert_true(test_is_blue(colour_of_cell(picture, graph, 2, 5)));
    assert_true(test_is_blue(colour_of_cell(picture, graph, 5, 2)));
    test_picture_free(picture);
}

static GlintScale scale_of(const GlintGraph *graph)
{
    g_autofree double *values = g_new(double, graph->n_edges + 1);
    for (gsize k = 0; k < graph->n_edges; k++)
        values[k] = graph->edges[k].pcor;
    return glint_scale_of(values, graph->n_edges);
}

/* Every edge of a large graph must be seen, though cells are smaller than a pixel. */
static void check_every_edge_is_visible(void **state, gsize n_modules, gsize size)
{
    g_autoptr(GlintGraph) graph = test_random_graph(n_modules, size, 4, 10, 7);
    TestPicture *picture = draw_png(state, graph);
    assert_true(picture->width > 1800 && picture->width < 2600 && picture->height > 1800 && picture->height < 2600);
    gsize n_visible = 0, n_sign = 0;
    for (gsize k = 0; k < graph->n_edges; k++) {
        const guint32 colour = colour_of_cell(picture, graph, graph->edges[k].i, graph->edges[k].j);
        n_visible += !test_is_colourless(colour);
        n_sign += graph->edges[k].pcor > 0 ? test_is_blue(colour) : test_is_red(colour);
    }
    assert_int_equal(n_visible, graph->n_edges);
    assert_true(n_sign >= graph->n_edges * 8 / 10); /* where dots meet, the stronger edge shows */
    const GlintScale scale = scale_of(graph);
    const guint32 strongest = glint_colour_argb(glint_scale_colour(&scale, graph->edges[0].pcor)) & 0xffffff;
    assert_int_equal(colour_of_cell(picture, graph, graph->edges[0].i, graph->edges[0].j), strongest); /* so the strongest always does */
    test_picture_free(picture);
}

static void test_every_edge_is_visible_at_p_100(void **state) { check_every_edge_is_visible(state, 5, 20); }
static void test_every_edge_is_visible_at_p_400(void **state) { check_every_edge_is_visible(state, 8, 50); }
static void test_every_edge_is_visible_at_p_2000(void **state) { check_every_edge_is_visible(state, 8, 250); }

static void test_files_stay_small(void **state)
{
    g_autoptr(GlintGraph) graph = test_random_graph(20, 100, 6, 100, 3);
    const char *names[] = {"heat.png", "heat.svg", "heat.pdf"};
    for (gsize k = 0; k < G_N_ELEMENTS(names); k++) {
        g_autofree char *path = test_path(state, names[k]);
        assert_true(glint_draw_heatmap(graph, &caption, path, NULL));
        assert_true(test_file_size(path) < 2000000);
    }
    g_autofree char *svg = test_path(state, "heat.svg");
    assert_int_equal(test_svg_count(svg, "image"), 1); /* cells are one picture, not 12,000 rectangles */
    assert_true(test_svg_count(svg, "path") < 2000);
}

static void test_small_svg_is_sharp(void **state)
{
    g_autoptr(GlintGraph) graph = test_random_graph(4, 20, 4, 0, 5);
    g_autofree char *path = test_path(state, "heat.svg");
    assert_true(glint_draw_heatmap(graph, &caption, path, NULL));
    assert_int_equal(test_svg_count(path, "image"), 0);
    assert_true(test_svg_count(path, "path") > graph->n_edges);
}

static void test_svg_says_what_it_shows(void **state)
{
    g_autoptr(GlintGraph) graph = test_random_graph(3, 10, 3, 4, 5);
    g_autofree char *path = test_path(state, "heat.svg");
    assert_true(glint_draw_heatmap(graph, &caption, path, NULL));
    g_autofree char *text = test_svg_text(path);
    const char *parts[] = {"Partial correlations between neurons", "blocks.1.mlp.hook_post", "class pos", "λ = 0.32", "n = 1,000", "34 neurons", "isolated"};
    for (gsize k = 0; k < G_N_ELEMENTS(parts); k++)
        assert_non_null(strstr(text, parts[k]));
    g_autofree char *edges = g_strdup_printf("%zu edges", graph->n_edges);
    assert_non_null(strstr(text, edges));
}

static void test_caption_without_facts(void **state)
{
    g_autoptr(GlintGraph) graph = test_random_graph(2, 5, 3, 0, 5);
    const GlintCaption nothing = {NULL, NULL, NAN, 0};
    g_autofree char *path = test_path(state, "heat.svg");
    assert_true(glint_draw_heatmap(graph, &nothing, path, NULL));
    g_autofree char *text = test_svg_text(path);
    assert_null(strstr(text, "λ"));
    assert_null(strstr(text, "class"));
    assert_null(strstr(text, "n ="));
    assert_true(glint_draw_heatmap(graph, NULL, path, NULL));
}

static void test_empty_graphs_say_so(void **state)
{
    for (gsize p = 0; p <= 3; p++) {
        g_autoptr(GlintGraph) graph = test_graph_of(p, NULL, 0);
        TestPicture *picture = draw_png(state, graph);
        const GlintHeatPanel panel = glint_heatmap_panel(0, GLINT_CANVAS_PIXELS);
        gsize dark = 0; /* letters in the middle of the empty panel */
        const int middle = (int)((panel.y + panel.side / 2) * 3);
        for (int y = middle - 30; y < middle + 15; y++) {
            for (int x = (int)(panel.x * 3) + 20; x < (int)((panel.x + panel.side) * 3) - 20; x++)
                dark += (test_pixel(picture, x, y) & 255) < 160;
        }
        assert_true(dark > 200);
        test_picture_free(picture);
    }
}

static void test_two_neurons(void **state)
{
    const Rho edge = {0, 1, -0.99};
    g_autoptr(GlintGraph) graph = test_graph_of(2, &edge, 1);
    TestPicture *picture = draw_png(state, graph);
    assert_true(test_is_red(colour_of_cell(picture, graph, 0, 1)));
    assert_true(test_is_colourless(colour_of_cell(picture, graph, 0, 0)));
    test_picture_free(picture);
}

static void test_not_finite_values_are_left_out_and_told(void **state)
{
    g_autoptr(GlintGraph) graph = test_random_graph(3, 10, 3, 0, 5);
    graph->edges[1].pcor = NAN;
    graph->edges[2].pcor = INFINITY;
    graph->nodes[3].strength = NAN;
    TestPicture *picture = draw_png(state, graph);
    assert_true(test_is_colourless(colour_of_cell(picture, graph, graph->edges[1].i, graph->edges[1].j)));
    assert_false(test_is_colourless(colour_of_cell(picture, graph, graph->edges[0].i, graph->edges[0].j)));
    test_picture_free(picture);
    g_autofree char *path = test_path(state, "heat.svg");
    assert_true(glint_draw_heatmap(graph, &caption, path, NULL));
    g_autofree char *text = test_svg_text(path);
    assert_non_null(strstr(text, "2 edges without a finite partial correlation"));
}

static void test_unmeasured_graph_can_be_drawn(void **state)
{
    g_autoptr(GlintGraph) graph = test_random_graph(3, 10, 3, 0, 5);
    for (gsize i = 0; i < graph->p; i++)
        graph->nodes[i].module = -1;
    graph->n_modules = 0;
    TestPicture *picture = draw_png(state, graph);
    assert_false(test_is_colourless(colour_of_cell(picture, graph, graph->edges[0].i, graph->edges[0].j)));
    test_picture_free(picture);
}

static void test_equal_graphs_give_equal_bytes(void **state)
{
    const char *names[] = {"1.png", "2.png", "1.svg", "2.svg", "1.pdf", "2.pdf"};
    gsize length[2];
    char *bytes[2];
    for (gsize k = 0; k < G_N_ELEMENTS(names); k++) {
        g_autoptr(GlintGraph) graph = test_random_graph(6, 60, 4, 5, 9);
        g_autofree char *path = test_path(state, names[k]);
        assert_true(glint_draw_heatmap(graph, &caption, path, NULL));
        bytes[k % 2] = test_contents(path, &length[k % 2]);
        if (k % 2 == 0)
            continue;
        assert_int_equal(length[0], length[1]);
        assert_memory_equal(bytes[0], bytes[1], length[0]);
        g_free(bytes[0]);
        g_free(bytes[1]);
    }
}

static void test_error_names_the_file(void **state)
{
    g_autoptr(GlintGraph) graph = test_random_graph(2, 5, 3, 0, 5);
    g_autofree char *path = test_path(state, "heat.bmp");
    g_autoptr(GError) error = NULL;
    assert_false(glint_draw_heatmap(graph, &caption, path, &error));
    assert_non_null(strstr(error->message, "heat.bmp"));
    assert_int_equal(test_count_files(state), 0);
}

#define FOLDER_TEST(f) cmocka_unit_test_setup_teardown(f, test_folder_setup, test_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(test_cells_have_the_colours_of_their_signs),
        FOLDER_TEST(test_isolated_neurons_get_no_rows),
        FOLDER_TEST(test_every_edge_is_visible_at_p_100),
        FOLDER_TEST(test_every_edge_is_visible_at_p_400),
        FOLDER_TEST(test_every_edge_is_visible_at_p_2000),
        FOLDER_TEST(test_files_stay_small),
        FOLDER_TEST(test_small_svg_is_sharp),
        FOLDER_TEST(test_svg_says_what_it_shows),
        FOLDER_TEST(test_caption_without_facts),
        FOLDER_TEST(test_empty_graphs_say_so),
        FOLDER_TEST(test_two_neurons),
        FOLDER_TEST(test_not_finite_values_are_left_out_and_told),
        FOLDER_TEST(test_unmeasured_graph_can_be_drawn),
        FOLDER_TEST(test_equal_graphs_give_equal_bytes),
        FOLDER_TEST(test_error_names_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
