/* Comparison pictures: common rows, differences, counts. */
#include "draw/joint.h"
#include "support.h"
#include <math.h>
#include <string.h>

static char *two_names[] = {(char *)"pos", (char *)"neg"};

static GlintJoint *joint_of(GlintGraph *const *graphs, gsize n)
{
    g_autoptr(GError) error = NULL;
    GlintJoint *joint = glint_joint_new(graphs, n, &error);
    if (!joint)
        fail_msg("%s", error->message);
    return joint;
}

/* The value at the cell of two neurons of the union, 0 when there is none. */
static double value_at(const GlintJoint *joint, const GlintHeatEntry *entries, const char *a, const char *b)
{
    for (gsize e = 0; e < joint->n_pairs; e++) {
        const char *row = joint->graph->nodes[joint->order[entries[e].row]].neuron, *col = joint->graph->nodes[joint->order[entries[e].col]].neuron;
        if ((strcmp(row, a) == 0 && strcmp(col, b) == 0) || (strcmp(row, b) == 0 && strcmp(col, a) == 0))
            return entries[e].value;
    }
    return 0;
}

static void rename_neuron(GlintGraph *graph, gsize i, const char *name)
{
    g_free(graph->nodes[i].neuron);
    graph->nodes[i].neuron = g_strdup(name);
}

static void test_neurons_are_matched_by_id(void **state)
{
    (void)state;
    const Rho a[] = {{0, 1, 0.3}, {1, 2, -0.2}}, b[] = {{0, 1, 0.1}, {2, 3, 0.25}};
    g_autoptr(GlintGraph) first = test_graph_of(4, a, 2), second = test_graph_of(4, b, 2);
    /* In the second graph places 0 and 1 hold neurons 2 and 1, and place 2 one that the first has not. */
    rename_neuron(second, 0, "L0.N2");
    rename_neuron(second, 2, "L9.N9");
    GlintGraph *graphs[] = {first, second};
    g_autoptr(GlintJoint) joint = joint_of(graphs, 2);
    assert_int_equal(joint->n_pairs, 3); /* 0-1, 1-2, 9-3 */
    assert_int_equal(joint->n_rows, 5);
    g_autofree GlintHeatEntry *one = glint_joint_entries(joint, 0, GLINT_JOINT_PLAIN), *two = glint_joint_entries(joint, 1, GLINT_JOINT_PLAIN);
    g_autofree GlintHeatEntry *difference = glint_joint_entries(joint, 0, 1), *mean = glint_joint_entries(joint, 1, GLINT_JOINT_MEAN);
    assert_near(value_at(joint, one, "L0.N0", "L0.N1"), 0.3, 1e-12);
    assert_near(value_at(joint, two, "L0.N0", "L0.N1"), 0, 0);
    assert_near(value_at(joint, two, "L0.N1", "L0.N2"), 0.1, 1e-12);
    assert_near(value_at(joint, difference, "L0.N1", "L0.N2"), -0.3, 1e-12);
    assert_near(value_at(joint, difference, "L9.N9", "L0.N3"), -0.25, 1e-12);
    assert_near(value_at(joint, mean, "L0.N1", "L0.N2"), 0.15, 1e-12);
}

static void test_order_is_symmetric_in_the_classes(void **state)
{
    (void)state;
    g_autoptr(GlintGraph) first = test_random_graph(4, 15, 3, 2, 1), second = test_random_graph(4, 15, 3, 2, 2);
    GlintGraph *forth[] = {first, second}, *back[] = {second, first};
    g_autoptr(GlintJoint) a = joint_of(forth, 2), b = joint_of(back, 2);
    assert_int_equal(a->n_rows, b->n_rows);
    assert_memory_equal(a->order, b->order, a->n_rows * sizeof *a->order);
}

static void test_two_classes_give_three_panels(void **state)
{
    const Rho a[] = {{0, 1, 0.3}, {1, 2, -0.3}, {3, 4, 0.2}}, b[] = {{0, 1, 0.3}, {1, 2, 0.3}};
    g_autoptr(GlintGraph) first = test_graph_of(6, a, 3), second = test_graph_of(6, b, 2);
    GlintGraph *graphs[] = {first, second};
    g_autofree char *svg = test_path(state, "c.svg"), *png = test_path(state, "c.png"), *pdf = test_path(state, "c.pdf");
    g_autoptr(GError) error = NULL;
    assert_true(glint_draw_comparison(graphs, two_names, 2, "blocks.0.mlp.hook_post", svg, &error));
    assert_true(glint_draw_comparison(graphs, two_names, 2, "blocks.0.mlp.hook_post", png, &error));
    assert_true(glint_draw_comparison(graphs, two_names, 2, NULL, pdf, &error));
    g_autofree char *text = test_svg_text(svg);
    assert_non_null(strstr(text, "Partial correlations by class"));
    assert_non_null(strstr(text, "blocks.0.mlp.hook_post"));
    assert_non_null(strstr(text, "3 edges in any class, 2 in both"));
    TestPicture *picture = test_picture_read(png);
    assert_true(picture->width > 2 * picture->height); /* side by side */
    /* Equal edges vanish from the third panel, opposite ones stay: more red at its end than in the second. */
    gsize blue[3] = {0}, red[3] = {0};
    for (int y = 130 * 3; y < picture->height - 80 * 3; y++) {
        for (int x = 90 * 3; x < picture->width - 100 * 3; x++) {
            const guint32 colour = test_pixel(picture, x, y);
            const int panel = (x - 90 * 3) / ((picture->width - 190 * 3) / 3 + 1);
            blue[panel] += colour == (glint_colour_argb(glint_colour_diverging(1)) & 0xffffff);
            red[panel] += colour == (glint_colour_argb(glint_colour_diverging(-1)) & 0xffffff);
        }
    }
    assert_true(blue[0] > 1000 && red[0] > 1000); /* 0-1 and 1-2 of the first */
    assert_true(blue[1] > 1000 && red[1] == 0);                /* both positive in the second */
    assert_true(red[2] > 1000 && blue[2] == 0);                /* 0-1 cancels, 1-2 is -0.6, beyond the end */
    test_picture_free(picture);
}

static void test_one_three_and_many_classes(void **state)
{
    char *names[] = {(char *)"a", (char *)"b", (char *)"a class with a name much longer than the panel it stands over, and more", (char *)"d", (char *)"e", (char *)"f"};
    GlintGraph *graphs[6];
    for (guint32 k = 0; k < 6; k++)
        graphs[k] = test_random_graph(3, 12, 3, 1, k + 1);
    int height_before = 0;
    for (gsize n = 1; n <= 6; n += n == 1 ? 2 : 3) {
        g_autofree char *path = test_path(state, "many.png");
        g_autoptr(GError) error = NULL;
        if (!glint_draw_comparison(graphs, names, n, "site", path, &error))
            fail_msg("%zu classes: %s", n, error->message);
        TestPicture *picture = test_picture_read(path);
        assert_true(picture->height > height_before);
        height_before = picture->height;
        test_picture_free(picture);
    }
    for (gsize k = 0; k < 6; k++)
        glint_graph_free(graphs[k]);
}

static void test_empty_graphs_compare(void **state)
{
    for (gsize p = 0; p <= 2; p++) {
        g_autoptr(GlintGraph) first = test_graph_of(p, NULL, 0), second = test_graph_of(p, NULL, 0);
        GlintGraph *graphs[] = {first, second};
        g_autofree char *path = test_path(state, "c.png");
        g_autoptr(GError) error = NULL;
        if (!glint_draw_comparison(graphs, two_names, 2, "site", path, &error))
            fail_msg("p = %zu: %s", p, error->message);
    }
}

static void test_not_finite_values_do_no_harm(void **state)
{
    g_autoptr(GlintGraph) first = test_random_graph(2, 8, 3, 1, 1), second = test_random_graph(2, 8, 3, 1, 2);
    first->edges[0].pcor = NAN;
    second->edges[1].pcor = INFINITY;
    GlintGraph *graphs[] = {first, second};
    g_autoptr(GlintJoint) joint = joint_of(graphs, 2);
    for (gsize k = 0; k < joint->n_pairs * 2; k++)
        assert_true(isfinite(joint->pcor[k]));
    g_autofree char *path = test_path(state, "c.svg");
    assert_true(glint_draw_comparison(graphs, two_names, 2, "site", path, NULL));
}

static void test_equal_input_gives_equal_bytes(void **state)
{
    g_autoptr(GlintGraph) first = test_random_graph(5, 70, 3, 1, 1), second = test_random_graph(5, 70, 3, 1, 2);
    GlintGraph *graphs[] = {first, second};
    const char *endings[] = {"png", "svg", "pdf"};
    for (gsize k = 0; k < 3; k++) {
        g_autofree char *name = g_strconcat("c.", endings[k], NULL), *path = test_path(state, name);
        gsize n, m;
        assert_true(glint_draw_comparison(graphs, two_names, 2, "site", path, NULL));
        g_autofree char *a = test_contents(path, &n);
        assert_true(glint_draw_comparison(graphs, two_names, 2, "site", path, NULL));
        g_autofree char *b = test_contents(path, &m);
        assert_int_equal(n, m);
        assert_memory_equal(a, b, n);
        assert_true(n < 2000000);
    }
}

static void test_error_names_the_file(void **state)
{
    g_autoptr(GlintGraph) graph = test_random_graph(2, 5, 3, 0, 5);
    GlintGraph *graphs[] = {graph, graph};
    g_autofree char *path = test_path(state, "c.tiff");
    g_autoptr(GError) error = NULL;
    assert_false(glint_draw_comparison(graphs, two_names, 2, "site", path, &error));
    assert_non_null(strstr(error->message, "c.tiff"));
    assert_int_equal(test_count_files(state), 0);
}

#define FOLDER_TEST(f) cmocka_unit_test_setup_teardown(f, test_folder_setup, test_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neurons_are_matched_by_id),
        cmocka_unit_test(test_order_is_symmetric_in_the_classes),
        FOLDER_TEST(test_two_classes_give_three_panels),
        FOLDER_TEST(test_one_three_and_many_classes),
        FOLDER_TEST(test_empty_graphs_compare),
        FOLDER_TEST(test_not_finite_values_do_no_harm),
        FOLDER_TEST(test_equal_input_gives_equal_bytes),
        FOLDER_TEST(test_error_names_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
