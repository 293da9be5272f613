/* Precision matrix -> graph -> modules and measures, against numbers worked out by hand or by networkx 3.6 (golden). */
#include "base/error.h"
#include "base/talk.h"
#include "graph/internal.h"
#include "graph/palette.h"
#include "make_graph.h"

#include <igraph/igraph.h>
#include <math.h>
#include <signal.h>
#include <string.h>

static const Link two_triangles[] = {{0, 1, .5}, {0, 2, -.4}, {1, 2, .3}, {2, 3, .2}, {3, 4, -.45}, {3, 5, .35}, {4, 5, .25}, {6, 7, -.1}};
enum { N_TRIANGLES = G_N_ELEMENTS(two_triangles) };

static void measure(GlintGraph *graph, guint64 seed)
{
    g_autoptr(GError) error = NULL;
    if (!glint_graph_measure(graph, seed, &error))
        fail_msg("%s", error->message);
}

static void test_edges_are_partial_correlations_strongest_first(void **state)
{
    (void)state;
    g_autoptr(GlintGraph) graph = make_graph(9, two_triangles, N_TRIANGLES);
    static const Link expected[] = {{0, 1, .5}, {3, 4, -.45}, {0, 2, -.4}, {3, 5, .35}, {1, 2, .3}, {4, 5, .25}, {2, 3, .2}, {6, 7, -.1}};
    assert_int_equal(graph->p, 9);
    assert_int_equal(graph->n_edges, N_TRIANGLES);
    for (gsize k = 0; k < N_TRIANGLES; k++) {
        const GlintEdge *edge = &graph->edges[k];
        assert_int_equal(edge->i, expected[k].i);
        assert_int_equal(edge->j, expected[k].j);
        assert_float_equal(edge->pcor, expected[k].pcor, 1e-15);
        assert_float_equal(edge->precision, -expected[k].pcor * sqrt((1 + .1 * (double)edge->i) * (1 + .1 * (double)edge->j)), 1e-15);
        assert_true(isnan(edge->cor));
    }
    assert_string_equal(graph->nodes[3].neuron, "L0.N3");
    assert_true(isnan(graph->nodes[3].mean) && isnan(graph->nodes[3].sd));
}

static void test_ties_are_ordered_by_index(void **state)
{
    (void)state;
    /* Every rho is 1/4 exactly: unit diagonal. */
    double data[] = {1, .25, -.25, .25, 1, .25, -.25, .25, 1};
    gint32 indices[] = {0, 1, 2, 0, 1, 2, 0, 1, 2};
    gint64 indptr[] = {0, 3, 6, 9};
    GlintCsr precision = {.rows = 3, .cols = 3, .nnz = 9, .indptr = indptr, .indices = indices, .data = data};
    g_auto(GStrv) names = make_names(3);
    g_autoptr(GlintGraph) graph = glint_graph_new(&precision, names, NULL, NULL, NULL, NULL);
    assert_non_null(graph);
    assert_true(graph->edges[0].i == 0 && graph->edges[0].j == 1 && graph->edges[0].pcor == -.25);
    assert_true(graph->edges[1].i == 0 && graph->edges[1].j == 2 && graph->edges[1].pcor == .25);
    assert_true(graph->edges[2].i == 1 && graph->edges[2].j == 2);
}

static void test_correlation_comes_from_the_covariance(void **state)
{
    (void)state;
    const Link link = {0, 1, .5};
    g_autoptr(GlintCsr) precision = make_precision(2, &link, 1);
    g_auto(GStrv) names = make_names(2);
    const double covariance[] = {4, 3, 3, 9}, dead[] = {4, 0, 0, 0}, mean[] = {1.5, -2}, sd[] = {2, 3};
    g_autoptr(GlintGraph) graph = glint_graph_new(precision, names, covariance, mean, sd, NULL);
    assert_float_equal(graph->edges[0].cor, .5, 1e-15);
    assert_true(graph->nodes[1].mean == -2 && graph->nodes[1].sd == 3);
    g_autoptr(GlintGraph) constant = glint_graph_new(precision, names, dead, NULL, NULL, NULL);
    assert_true(isnan(constant->edges[0].cor));
}

static void test_measures_match_networkx(void **state)
{
    (void)state;
    g_autoptr(GlintGraph) graph = make_graph(9, two_triangles, N_TRIANGLES);
    measure(graph, 1);
    static const int module[] = {0, 0, 0, 1, 1, 1, 2, 2, -1};
    static const gsize degree[] = {2, 2, 3, 3, 2, 2, 1, 1, 0};
    static const double strength[] = {.9, .8, .9, 1, .7, .6, .1, .1, 0};
    for (gsize i = 0; i < 9; i++) {
        assert_int_equal(graph->nodes[i].module, module[i]);
        assert_int_equal(graph->nodes[i].degree, degree[i]);
        assert_float_equal(graph->nodes[i].strength, strength[i], 1e-14);
        assert_float_equal(graph->nodes[i].betweenness, i == 2 || i == 3 ? 0.21428571428571427 : 0, 1e-15);
    }
    assert_int_equal(graph->n_modules, 3);
    assert_float_equal(graph->modularity, 0.45674740484429066, 1e-14);
    assert_int_equal(graph->betweenness_sources, 8);
}

static void test_karate_club_reaches_the_known_optimum(void **state)
{
    (void)state;
    static const struct { gsize node; double betweenness; } golden[] = {
        {0, 0.43763528138528146}, {2, 0.14365680615680618}, {8, 0.05592682780182781}, {11, 0}, {31, 0.13827561327561325}, {33, 0.30407497594997596}};
    for (guint64 seed = 0; seed < 5; seed++) {
        g_autoptr(GlintGraph) graph = make_karate();
        measure(graph, seed);
        assert_float_equal(graph->modularity, 0.41979, 1e-5); /* Brandes et al. 2008: optimal */
        assert_int_equal(graph->n_modules, 4);
        for (gsize k = 0; k < G_N_ELEMENTS(golden); k++)
            assert_float_equal(graph->nodes[golden[k].node].betweenness, golden[k].betweenness, 1e-12);
    }
}

static void test_modules_are_numbered_by_size_then_first_node(void **state)
{
    (void)state;
    /* Components {0,1}, {2,3}, {4,5,6,7}: the largest is module 0. */
    static const Link links[] = {{0, 1, .3}, {2, 3, -.5}, {4, 5, .2}, {5, 6, .2}, {6, 7, .2}, {4, 7, .2}, {4, 6, .2}};
    g_autoptr(GlintGraph) graph = make_graph(8, links, G_N_ELEMENTS(links));
    measure(graph, 3);
    static const int module[] = {1, 1, 2, 2, 0, 0, 0, 0};
    for (gsize i = 0; i < 8; i++)
        assert_int_equal(graph->nodes[i].module, module[i]);
}

static void test_planted_modules_are_found(void **state)
{
    (void)state;
    g_autoptr(GlintGraph) graph = make_planted(120, 2, .25, .01, 7);
    measure(graph, 1);
    assert_int_equal(graph->n_modules, 2);
    int first = graph->nodes[0].module;
    for (gsize i = 0; i < 120; i++)
        assert_int_equal(graph->nodes[i].module, i < 60 ? first : 1 - first);
    assert_true(graph->modularity > .4);
}

static void test_equal_seed_gives_equal_results(void **state)
{
    (void)state;
    g_autoptr(GlintGraph) a = make_planted(300, 1, .02, .02, 5), b = make_planted(300, 1, .02, .02, 5);
    measure(a, 42);
    igraph_rng_seed(igraph_rng_default(), 999); /* the process-wide generator must not matter */
    measure(b, 42);
    for (gsize i = 0; i < 300; i++) {
        assert_int_equal(a->nodes[i].module, b->nodes[i].module);
        assert_memory_equal(&a->nodes[i].betweenness, &b->nodes[i].betweenness, sizeof(double));
    }
    assert_memory_equal(&a->modularity, &b->modularity, sizeof(double));
}

static igraph_error_t my_interrupt(void *data)
{
    (void)data;
    return IGRAPH_SUCCESS;
}

static void test_igraph_is_left_as_it_was(void **state)
{
    (void)state;
    igraph_error_handler_t *handler = igraph_set_error_handler(igraph_error_handler_ignore);
    igraph_interruption_handler_t *interrupt = igraph_set_interruption_handler(my_interrupt);
    igraph_rng_seed(igraph_rng_default(), 5);
    igraph_integer_t expected = igraph_rng_get_integer(igraph_rng_default(), 0, 1000000);
    igraph_rng_seed(igraph_rng_default(), 5);
    g_autoptr(GlintGraph) graph = make_karate();
    measure(graph, 1);
    assert_int_equal(igraph_rng_get_integer(igraph_rng_default(), 0, 1000000), expected);
    assert_ptr_equal(igraph_set_error_handler(handler), igraph_error_handler_ignore);
    assert_ptr_equal(igraph_set_interruption_handler(interrupt), my_interrupt);
}

static void test_beyond_its_budget_betweenness_is_an_unbiased_estimate(void **state)
{
    (void)state;
    g_autoptr(GlintGraph) exact = make_planted(900, 3, .012, .001, 5), estimate = make_planted(900, 3, .012, .001, 5);
    measure(exact, 1);
    assert_true(gli_graph_measure(estimate, 1, 1e3, NULL));
    assert_true(exact->betweenness_sources > 800);
    assert_int_equal(estimate->betweenness_sources, 256);
    double sum_exact = 0, sum_estimate = 0, squares = 0, errors = 0;
    for (gsize i = 0; i < 900; i++) {
        double x = exact->nodes[i].betweenness, y = estimate->nodes[i].betweenness;
        sum_exact += x;
        sum_estimate += y;
        squares += x * x;
        errors += (x - y) * (x - y);
    }
    assert_float_equal(sum_estimate / sum_exact, 1, .02);
    assert_true(sqrt(errors / squares) < .3);
}

static void test_small_and_empty_graphs(void **state)
{
    (void)state;
    for (gsize p = 0; p <= 2; p++) {
        g_autoptr(GlintGraph) graph = make_graph(p, NULL, 0);
        measure(graph, 1);
        g_autofree gsize *order = glint_graph_order(graph);
        assert_int_equal(graph->n_edges, 0);
        assert_int_equal(graph->n_modules, 0);
        assert_true(graph->modularity == 0);
        for (gsize i = 0; i < p; i++) {
            assert_int_equal(graph->nodes[i].module, -1);
            assert_int_equal(order[i], i);
        }
    }
    const Link link = {0, 1, -1};
    g_autoptr(GlintGraph) pair = make_graph(2, &link, 1);
    measure(pair, 1);
    assert_int_equal(pair->nodes[0].module, 0);
    assert_int_equal(pair->nodes[1].module, 0);
    assert_true(pair->edges[0].pcor == -1 && pair->nodes[0].betweenness == 0 && pair->modularity == 0);
}

static void test_order_is_by_module_then_strength(void **state)
{
    (void)state;
    g_autoptr(GlintGraph) graph = make_graph(9, two_triangles, N_TRIANGLES);
    measure(graph, 1);
    g_autofree gsize *order = glint_graph_order(graph);
    static const gsize expected[] = {0, 2, 1, 3, 4, 5, 6, 7, 8}; /* 0 and 2 both 0.9 up to rounding */
    for (gsize k = 3; k < 9; k++)
        assert_int_equal(order[k], expected[k]);
    assert_int_equal(order[0] + order[1], 2);
    assert_int_equal(order[2], 1);
}

static void refuse(GlintCsr *precision, char *const *names, const char *words)
{
    g_autoptr(GError) error = NULL;
    assert_null(glint_graph_new(precision, names, NULL, NULL, NULL, &error));
    expect_error(&error, GLINT_ERROR_DATA, words);
}

static void test_bad_matrices_are_refused(void **state)
{
    (void)state;
    g_auto(GStrv) names = make_names(3);
    const Link links[] = {{0, 1, .5}, {1, 2, .2}};
    g_autoptr(GlintCsr) matrix = make_precision(3, links, 2); /* entries: 00 01 10 11 12 21 22 */
    double good = matrix->data[1];
    matrix->data[1] = good * 1.001;
    refuse(matrix, names, "not symmetric at L0.N0, L0.N1");
    matrix->data[1] = NAN;
    refuse(matrix, names, "not finite");
    matrix->data[1] = matrix->data[2] = 5;
    refuse(matrix, names, "not positive definite");
    matrix->data[1] = matrix->data[2] = good;
    matrix->data[0] = -1;
    refuse(matrix, names, "diagonal entry for L0.N0");
    matrix->data[0] = 1;
    matrix->indices[0] = 1;
    refuse(matrix, names, "not ascending");
    matrix->indices[0] = 7;
    refuse(matrix, names, "out of range");
    matrix->indices[0] = 0;
    matrix->cols = 4;
    refuse(matrix, names, "3 x 4");
    matrix->cols = 3;
    matrix->indptr[3] = 99;
    refuse(matrix, names, "does not fit");
    matrix->indptr[3] = (gint64)matrix->nnz;
    g_autoptr(GlintGraph) fine = glint_graph_new(matrix, names, NULL, NULL, NULL, NULL);
    assert_non_null(fine);
}

static void test_one_triangle_is_refused(void **state)
{
    (void)state;
    double data[] = {1, -.5, 1};
    gint32 indices[] = {0, 1, 1};
    gint64 indptr[] = {0, 2, 3};
    GlintCsr upper = {.rows = 2, .cols = 2, .nnz = 3, .indptr = indptr, .indices = indices, .data = data};
    g_auto(GStrv) names = make_names(2);
    refuse(&upper, names, "both triangles");
}

static void test_explicit_zeros_are_no_edges(void **state)
{
    (void)state;
    const Link link = {0, 1, .5};
    g_autoptr(GlintCsr) matrix = make_precision(2, &link, 1);
    matrix->data[1] = matrix->data[2] = 0;
    g_auto(GStrv) names = make_names(2);
    g_autoptr(GlintGraph) graph = glint_graph_new(matrix, names, NULL, NULL, NULL, NULL);
    assert_int_equal(graph->n_edges, 0);
}

static void refuse_names(GlintCsr *matrix, const char *first, const char *second, const char *words)
{
    g_autofree char *a = g_strdup(first), *b = g_strdup(second);
    char *names[] = {a, b};
    refuse(matrix, names, words);
}

static void test_bad_names_are_refused(void **state)
{
    (void)state;
    g_autoptr(GlintCsr) matrix = make_precision(2, NULL, 0);
    refuse_names(matrix, "a", "a", "'a' occurs twice");
    refuse_names(matrix, "a", "", "neuron id 1");
    refuse_names(matrix, "a", "b\nc", "control characters");
    refuse_names(matrix, "a", "\xff", "UTF-8");
}

static void test_module_colours_repeat_lighter_and_darker(void **state)
{
    (void)state;
    assert_int_equal(glint_module_rgb(0), 0x6d6ed9);
    assert_int_not_equal(glint_module_rgb(0), glint_module_rgb(12));
    assert_int_not_equal(glint_module_rgb(12), glint_module_rgb(24));
    assert_int_equal(glint_module_rgb(0), glint_module_rgb(36));
    assert_int_equal(glint_module_rgb(-1), 0xa8a8ad);
}

/* Last: the flag that the signal sets stays set. */
static void test_an_interrupt_stops_igraph_and_leaves_no_trace(void **state)
{
    (void)state;
    g_autoptr(GlintGraph) graph = make_planted(400, 2, .05, .01, 1);
    glint_interrupt_install();
    igraph_error_handler_t *handler = igraph_set_error_handler(igraph_error_handler_ignore);
    raise(SIGINT);
    g_autoptr(GError) error = NULL;
    assert_false(glint_graph_measure(graph, 1, &error));
    expect_error(&error, GLINT_ERROR_INTERRUPTED, "interrupted during");
    assert_ptr_equal(igraph_set_error_handler(handler), igraph_error_handler_ignore);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges_are_partial_correlations_strongest_first),
        cmocka_unit_test(test_ties_are_ordered_by_index),
        cmocka_unit_test(test_correlation_comes_from_the_covariance),
        cmocka_unit_test(test_measures_match_networkx),
        cmocka_unit_test(test_karate_club_reaches_the_known_optimum),
        cmocka_unit_test(test_modules_are_numbered_by_size_then_first_node),
        cmocka_unit_test(test_planted_modules_are_found),
        cmocka_unit_test(test_equal_seed_gives_equal_results),
        cmocka_unit_test(test_igraph_is_left_as_it_was),
        cmocka_unit_test(test_beyond_its_budget_betweenness_is_an_unbiased_estimate),
        cmocka_unit_test(test_small_and_empty_graphs),
        cmocka_unit_test(test_order_is_by_module_then_strength),
        cmocka_unit_test(test_bad_matrices_are_refused),
        cmocka_unit_test(test_one_triangle_is_refused),
        cmocka_unit_test(test_explicit_zeros_are_no_edges),
        cmocka_unit_test(test_bad_names_are_refused),
        cmocka_unit_test(test_module_colours_repeat_lighter_and_darker),
        cmocka_unit_test(test_an_interrupt_stops_igraph_and_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
