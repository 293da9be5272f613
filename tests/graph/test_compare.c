/* What classes share: counts worked out by hand, matching by neuron id, and the files. */
#include "base/error.h"
#include "base/files.h"
#include "make_graph.h"

#include <math.h>
#include <string.h>

/* a: 01 02 12 23;  b: 01 (other sign) 12 34.  Shared 01 12, opposite 01, only a 02 23, only b 34. */
static const Link links_a[] = {{0, 1, .5}, {0, 2, -.4}, {1, 2, .3}, {2, 3, .2}};
static const Link links_b[] = {{0, 1, -.1}, {1, 2, .25}, {3, 4, .35}};

static GlintComparison *compare_two(const char *first, const char *second)
{
    g_autoptr(GlintGraph) a = make_graph(5, links_a, 4), b = make_graph(5, links_b, 3);
    assert_true(glint_graph_measure(a, 1, NULL) && glint_graph_measure(b, 1, NULL));
    GlintGraph *graphs[] = {a, b};
    g_autofree char *x = g_strdup(first), *y = g_strdup(second);
    char *classes[] = {x, y};
    g_autoptr(GError) error = NULL;
    GlintComparison *comparison = glint_compare(graphs, classes, 2, &error);
    if (!comparison)
        fail_msg("%s", error->message);
    return comparison;
}

static void test_counts_of_two_classes(void **state)
{
    (void)state;
    g_autoptr(GlintComparison) comparison = compare_two("pos", "neg");
    assert_int_equal(comparison->n_classes, 2);
    assert_int_equal(comparison->n_edges, 5);
    assert_int_equal(comparison->n_own[0], 4);
    assert_int_equal(comparison->n_own[1], 3);
    assert_int_equal(comparison->n_only[0], 2);
    assert_int_equal(comparison->n_only[1], 1);
    assert_int_equal(comparison->n_all, 2);
    assert_int_equal(comparison->n_opposite, 1);
    assert_float_equal(comparison->jaccard, .4, 1e-15);
    assert_true(isnan(comparison->lambda[0]));
    assert_int_equal(comparison->n_neurons[1], 5);
}

static void test_edges_are_ordered_by_difference(void **state)
{
    (void)state;
    g_autoptr(GlintComparison) comparison = compare_two("pos", "neg");
    static const struct { const char *a, *b; double pcor[2]; } expected[] = {
        {"L0.N0", "L0.N1", {.5, -.1}}, {"L0.N0", "L0.N2", {-.4, 0}}, {"L0.N3", "L0.N4", {0, .35}}, {"L0.N2", "L0.N3", {.2, 0}}, {"L0.N1", "L0.N2", {.3, .25}}};
    for (gsize k = 0; k < 5; k++) {
        assert_string_equal(comparison->edges[k].a, expected[k].a);
        assert_string_equal(comparison->edges[k].b, expected[k].b);
        assert_float_equal(comparison->edges[k].pcor[0], expected[k].pcor[0], 1e-15);
        assert_float_equal(comparison->edges[k].pcor[1], expected[k].pcor[1], 1e-15);
    }
}

static void test_neurons_are_matched_by_id_not_by_row(void **state)
{
    (void)state;
    const char *forward[] = {"x", "y", "z", NULL}, *backward[] = {"z", "w", "y", "x", NULL};
    g_auto(GStrv) first = g_strdupv((char **)forward), second = g_strdupv((char **)backward);
    const Link link_a = {0, 1, .5}, links[] = {{2, 3, .25}, {0, 1, .1}};
    g_autoptr(GlintGraph) a = make_named(3, &link_a, 1, first), b = make_named(4, links, 2, second);
    GlintGraph *graphs[] = {a, b};
    char a_name[] = "a", b_name[] = "b", *classes[] = {a_name, b_name};
    g_autoptr(GlintComparison) comparison = glint_compare(graphs, classes, 2, NULL);
    assert_int_equal(comparison->n_edges, 2);
    assert_int_equal(comparison->n_all, 1); /* x -- y, stored as (0, 1) and as (2, 3) */
    assert_string_equal(comparison->edges[0].a, "x");
    assert_string_equal(comparison->edges[0].b, "y");
    assert_string_equal(comparison->edges[1].b, "w");
    assert_int_equal(comparison->n_only[1], 1);
}

static void test_three_classes_and_empty_graphs(void **state)
{
    (void)state;
    g_autoptr(GlintGraph) a = make_graph(5, links_a, 4), b = make_graph(5, links_b, 3), none = make_graph(5, NULL, 0);
    GlintGraph *graphs[] = {a, b, none};
    char x[] = "x", y[] = "y", z[] = "z", *classes[] = {x, y, z};
    g_autoptr(GlintComparison) three = glint_compare(graphs, classes, 3, NULL);
    assert_int_equal(three->n_edges, 5);
    assert_int_equal(three->n_all, 0);
    assert_int_equal(three->n_opposite, 0);
    assert_int_equal(three->n_only[0], 2);
    assert_int_equal(three->n_only[2], 0);
    GlintGraph *empty[] = {none, none};
    g_autoptr(GlintComparison) nothing = glint_compare(empty, classes, 2, NULL);
    assert_int_equal(nothing->n_edges, 0);
    assert_true(nothing->jaccard == 1);
}

static void test_wrong_arguments_are_refused(void **state)
{
    (void)state;
    g_autoptr(GlintGraph) a = make_graph(5, links_a, 4);
    GlintGraph *graphs[] = {a, a};
    char x[] = "x", *classes[] = {x, x};
    g_autoptr(GError) error = NULL;
    assert_null(glint_compare(graphs, classes, 1, &error));
    expect_error(&error, GLINT_ERROR_DATA, "two classes or more");
    assert_null(glint_compare(graphs, classes, 2, &error));
    expect_error(&error, GLINT_ERROR_DATA, "called 'x'");
}

static void test_files(void **state)
{
    (void)state;
    g_autoptr(GlintComparison) comparison = compare_two("pos", "a/b, \"c\"");
    comparison->lambda[0] = .25;
    char *folder = scratch_new();
    g_autoptr(GError) error = NULL;
    if (!glint_comparison_write(comparison, folder, &error))
        fail_msg("%s", error->message);
    g_autofree char *edges = read_text(folder, "edges.csv"), *shared = read_text(folder, "shared.csv");
    g_autofree char *only_a = read_text(folder, "only_pos.csv"), *only_b = read_text(folder, "only_a%2Fb, %22c%22.csv");
    assert_true(g_str_has_prefix(edges, "neuron_i,neuron_j,pcor_pos,\"pcor_a/b, \"\"c\"\"\",shared,difference\nL0.N0,L0.N1,0.5,-0.1,1,0.6\nL0.N0,L0.N2,-0.4,0,0,0.4\n"));
    assert_string_equal(shared, "neuron_i,neuron_j,pcor_pos,\"pcor_a/b, \"\"c\"\"\",difference\nL0.N0,L0.N1,0.5,-0.1,0.6\nL0.N1,L0.N2,0.3,0.25,0.04999999999999999\n");
    assert_string_equal(only_a, "neuron_i,neuron_j,partial_correlation\nL0.N0,L0.N2,-0.4\nL0.N2,L0.N3,0.2\n");
    assert_string_equal(only_b, "neuron_i,neuron_j,partial_correlation\nL0.N3,L0.N4,0.35\n");
    g_autofree char *path = g_build_filename(folder, "summary.json", NULL);
    g_autoptr(json_t) summary = glint_json_read(path, &error);
    assert_non_null(summary);
    assert_int_equal(glint_json_int(summary, "shared", -1, NULL), 2);
    assert_int_equal(glint_json_int(summary, "opposite_sign", -1, NULL), 1);
    assert_float_equal(glint_json_real(summary, "jaccard", -1, NULL), .4, 1e-15);
    const json_t *first = json_array_get(json_object_get(summary, "classes"), 0), *second = json_array_get(json_object_get(summary, "classes"), 1);
    assert_float_equal(glint_json_real((json_t *)first, "lambda", -1, NULL), .25, 1e-15);
    assert_true(json_is_null(json_object_get(second, "lambda")));
    assert_string_equal(glint_json_string((json_t *)second, "only_file", NULL, NULL), "only_a%2Fb, %22c%22.csv");
    assert_int_equal(json_array_size(json_object_get(summary, "strongest_differences")), 5);
    assert_int_equal(json_array_size(json_object_get(summary, "pairs")), 1);
    scratch_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_of_two_classes),
        cmocka_unit_test(test_edges_are_ordered_by_difference),
        cmocka_unit_test(test_neurons_are_matched_by_id_not_by_row),
        cmocka_unit_test(test_three_classes_and_empty_graphs),
        cmocka_unit_test(test_wrong_arguments_are_refused),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
