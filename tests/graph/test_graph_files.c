/* The files of a graph: what is written is read back bit for bit, awkward names survive every format, broken files are refused. */
#include "base/error.h"
#include "graph/internal.h"
#include "make_graph.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <string.h>

/* ---- a graph to write ---- */

static GlintGraph *awkward_graph(void)
{
    static const Link links[] = {{0, 1, .5}, {1, 2, -.25}, {2, 3, .125}};
    const char *names[] = {"a,b", "say \"hi\"", "<x> & 'y'", "back\\slash\\N", " Größe 神經 ", NULL};
    g_autoptr(GlintCsr) precision = make_precision(5, links, 3);
    g_auto(GStrv) copies = g_strdupv((char **)names);
    double covariance[25];
    for (gsize k = 0; k < 25; k++)
        covariance[k] = k % 6 == 0 ? 2 : 0.3;
    const double mean[] = {1.0 / 3, -0.0, DBL_MIN, 1e300, NAN}, sd[] = {.1, 2, 3, NAN, 5};
    g_autoptr(GError) error = NULL;
    GlintGraph *graph = glint_graph_new(precision, copies, covariance, mean, sd, &error);
    assert_non_null(graph);
    assert_true(glint_graph_measure(graph, 1, NULL));
    return graph;
}

static void write_tables(const GlintGraph *graph, const char *folder)
{
    g_autofree char *edges = g_build_filename(folder, "edges.csv", NULL), *modules = g_build_filename(folder, "modules.csv", NULL);
    g_autoptr(GError) error = NULL;
    if (!glint_graph_write_edges(graph, edges, &error) || !glint_graph_write_modules(graph, modules, &error))
        fail_msg("%s", error->message);
}

static void assert_same_double(double a, double b)
{
    if (isnan(a) || isnan(b))
        assert_true(isnan(a) && isnan(b));
    else
        assert_true(a == b);
}

static void assert_same_graph(const GlintGraph *a, const GlintGraph *b)
{
    assert_int_equal(a->p, b->p);
    assert_int_equal(a->n_edges, b->n_edges);
    assert_int_equal(a->n_modules, b->n_modules);
    assert_same_double(a->modularity, b->modularity);
    for (gsize i = 0; i < a->p; i++) {
        const GlintNode *x = &a->nodes[i], *y = &b->nodes[i];
        assert_string_equal(x->neuron, y->neuron);
        assert_int_equal(x->module, y->module);
        assert_int_equal(x->degree, y->degree);
        assert_same_double(x->strength, y->strength);
        assert_same_double(x->betweenness, y->betweenness);
        assert_same_double(x->mean, y->mean);
        assert_same_double(x->sd, y->sd);
    }
    for (gsize k = 0; k < a->n_edges; k++) {
        const GlintEdge *x = &a->edges[k], *y = &b->edges[k];
        assert_true(x->i == y->i && x->j == y->j);
        assert_same_double(x->precision, y->precision);
        assert_same_double(x->pcor, y->pcor);
        assert_same_double(x->cor, y->cor);
    }
}

/* ---- tables ---- */

static void test_tables_read_back_bit_for_bit(void **state)
{
    (void)state;
    GlintGraph *graphs[] = {awkward_graph(), make_karate(), make_planted(200, 3, .2, .01, 3), make_graph(2, NULL, 0), make_graph(0, NULL, 0)};
    for (gsize k = 0; k < G_N_ELEMENTS(graphs); k++) {
        char *folder = scratch_new();
        assert_true(glint_graph_measure(graphs[k], 1, NULL));
        write_tables(graphs[k], folder);
        g_autoptr(GError) error = NULL;
        g_autoptr(GlintGraph) back = glint_graph_read(folder, &error);
        if (!back)
            fail_msg("%s", error->message);
        assert_same_graph(graphs[k], back);
        scratch_remove(folder);
        glint_graph_free(graphs[k]);
    }
}

static void test_tables_have_the_documented_columns(void **state)
{
    (void)state;
    char *folder = scratch_new();
    g_autoptr(GlintGraph) graph = awkward_graph();
    write_tables(graph, folder);
    g_autofree char *edges = read_text(folder, "edges.csv"), *modules = read_text(folder, "modules.csv");
    assert_true(g_str_has_prefix(edges, "i,j,neuron_i,neuron_j,precision,partial_correlation,correlation\n0,1,\"a,b\",\"say \"\"hi\"\"\",-0.5244044240850758,0.5,0.15\n"));
    assert_true(g_str_has_prefix(modules, "neuron,module,degree,strength,betweenness,mean,sd\n\"a,b\",0,1,0.5,0,0.3333333333333333,0.1\n"));
    scratch_remove(folder);
}

static void test_numbers_do_not_depend_on_the_locale(void **state)
{
    (void)state;
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8") && !setlocale(LC_NUMERIC, "fr_FR.UTF-8") && !setlocale(LC_NUMERIC, "de_DE")) {
        print_message("no locale with a decimal comma is installed: skipped\n");
        skip();
    }
    char *folder = scratch_new(), buffer[GLI_NUMBER_SIZE];
    assert_string_equal(gli_number(buffer, .5), "0.5");
    g_autoptr(GlintGraph) graph = awkward_graph();
    write_tables(graph, folder);
    g_autoptr(GlintGraph) back = glint_graph_read(folder, NULL);
    setlocale(LC_NUMERIC, "C");
    assert_non_null(back);
    assert_same_graph(graph, back);
    scratch_remove(folder);
}

static void test_numbers_are_short_and_exact(void **state)
{
    (void)state;
    char buffer[GLI_NUMBER_SIZE];
    assert_string_equal(gli_number(buffer, .1), "0.1");
    assert_string_equal(gli_number(buffer, -0.0), "-0");
    assert_string_equal(gli_number(buffer, 1e300), "1e+300");
    assert_string_equal(gli_number(buffer, NAN), "");
    assert_string_equal(gli_number(buffer, INFINITY), "");
    const double values[] = {1.0 / 3, DBL_MAX, -DBL_MAX, DBL_MIN, DBL_TRUE_MIN, 0.1 + 0.2, 123456789.123456789};
    for (gsize k = 0; k < G_N_ELEMENTS(values); k++)
        assert_true(g_ascii_strtod(gli_number(buffer, values[k]), NULL) == values[k]);
}

#define EDGES "i,j,neuron_i,neuron_j,precision,partial_correlation,correlation\n"
#define MODULES "neuron,module,degree,strength,betweenness,mean,sd\n"
#define TWO_NODES MODULES "a,0,1,0.5,0,,\nb,0,1,0.5,0,,\n"
#define ONE_EDGE EDGES "0,1,a,b,-1,0.5,\n"

static void test_broken_tables_are_refused(void **state)
{
    (void)state;
    static const struct { const char *modules, *edges, *words; } cases[] = {
        {"", ONE_EDGE, "modules.csv is empty"},
        {"neuron,degree\n", ONE_EDGE, "no column 'module'"},
        {TWO_NODES, "i,j\n", "no column 'neuron_i'"},
        {MODULES "a,0,1,0.5,0,\n", ONE_EDGE, "row 2 has 6 fields"},
        {MODULES "a,x,1,0.5,0,,\n", ONE_EDGE, "row 2: module must be"},
        {MODULES "a,-2,1,0.5,0,,\n", ONE_EDGE, "module must be"},
        {MODULES "a,0,-1,0.5,0,,\n", ONE_EDGE, "degree must be"},
        {MODULES "a,0,1,nan,0,,\n", ONE_EDGE, "strength must be"},
        {MODULES "a,0,1,0.5,2,,\n", ONE_EDGE, "betweenness must be"},
        {MODULES "a,0,1,0.5,0,1;2,\n", ONE_EDGE, "mean must be"},
        {MODULES "a,0,1,0.5,0,,1x\n", ONE_EDGE, "sd must be"},
        {MODULES "a,0,1,0.5,0,,\na,0,1,0.5,0,,\n", ONE_EDGE, "'a' twice"},
        {MODULES "a,7,1,0.5,0,,\nb,0,1,0.5,0,,\n", ONE_EDGE, "module 7 of 'a'"},
        {MODULES ",0,1,0.5,0,,\n", ONE_EDGE, "neuron must be"},
        {MODULES "\"a,0,1,0.5,0,,\n", ONE_EDGE, "ends inside a quoted field"},
        {MODULES "\"a\"x,0,1,0.5,0,,\n", ONE_EDGE, "row 2 is not CSV"},
        {TWO_NODES, EDGES "0,2,a,b,-1,0.5,\n", "j must be"},
        {TWO_NODES, EDGES "1,0,b,a,-1,0.5,\n", "j must be"},
        {TWO_NODES, EDGES "0,1,b,a,-1,0.5,\n", "neuron_i must be"},
        {TWO_NODES, EDGES "0,1,a,c,-1,0.5,\n", "neuron_j must be"},
        {TWO_NODES, EDGES "0,1,a,b,,0.5,\n", "precision must be"},
        {TWO_NODES, EDGES "0,1,a,b,1,0.5,\n", "sign opposite"},
        {TWO_NODES, EDGES "0,1,a,b,-1,1.5,\n", "partial_correlation must be"},
        {TWO_NODES, EDGES "0,1,a,b,-1,0,\n", "partial_correlation must be"},
        {TWO_NODES, EDGES "0,1,a,b,-1,0.5,inf\n", "correlation must be"},
        {TWO_NODES, ONE_EDGE "0,1,a,b,-1,0.25,\n", "0, 1 twice"},
        {TWO_NODES, EDGES, "belong to different graphs"},
    };
    for (gsize k = 0; k < G_N_ELEMENTS(cases); k++) {
        char *folder = scratch_new();
        write_text(folder, "modules.csv", cases[k].modules);
        write_text(folder, "edges.csv", cases[k].edges);
        g_autoptr(GError) error = NULL;
        assert_null(glint_graph_read(folder, &error));
        expect_error(&error, GLINT_ERROR_FORMAT, cases[k].words);
        scratch_remove(folder);
    }
}

static void test_extra_columns_and_windows_lines_are_fine(void **state)
{
    (void)state;
    char *folder = scratch_new();
    write_text(folder, "modules.csv", "sd,mean,neuron,module,degree,note,strength,betweenness\r\n,,a,0,1,\"x, y\",0.5,0\r\n,,b,0,1,,0.5,0\r\n");
    write_text(folder, "edges.csv", "i,j,neuron_i,neuron_j,precision,partial_correlation,correlation,stability\r\n0,1,a,b,-1,0.5,0.25,0.9");
    g_autoptr(GError) error = NULL;
    g_autoptr(GlintGraph) graph = glint_graph_read(folder, &error);
    assert_non_null(graph);
    assert_true(graph->n_edges == 1 && graph->edges[0].cor == .25);
    scratch_remove(folder);
}

/* Damaged bytes: never a crash (ASan runs this too), and either an error that says something or a graph that holds together. */
static void test_damaged_tables_are_refused_or_sound(void **state)
{
    (void)state;
    static const char spice[] = ",\"\n\r0-9.eEx\0 \xff";
    char *folder = scratch_new();
    g_autoptr(GlintGraph) graph = awkward_graph();
    write_tables(graph, folder);
    char *texts[2];
    static const char *const names[2] = {"edges.csv", "modules.csv"};
    GRand *rand = g_rand_new_with_seed(11);
    gsize n_refused = 0;
    for (int k = 0; k < 2; k++)
        texts[k] = read_text(folder, names[k]);
    for (int trial = 0; trial < 1500; trial++) {
        int k = trial % 2;
        g_autofree char *path = g_build_filename(folder, names[k], NULL), *damaged = g_strdup(texts[k]);
        gsize length = strlen(damaged);
        for (int change = g_rand_int_range(rand, 1, 4); change > 0; change--)
            damaged[g_rand_int_range(rand, 0, (gint32)length)] = spice[g_rand_int_range(rand, 0, sizeof spice - 1)];
        gsize kept = trial % 5 == 0 ? (gsize)g_rand_int_range(rand, 0, (gint32)length) : length;
        assert_true(g_file_set_contents(path, damaged, (gssize)kept, NULL));
        g_autoptr(GError) error = NULL;
        g_autoptr(GlintGraph) back = glint_graph_read(folder, &error);
        assert_true((back != NULL) == (error == NULL));
        n_refused += back == NULL;
        for (gsize e = 0; back && e < back->n_edges; e++)
            assert_true(back->edges[e].i < back->edges[e].j && back->edges[e].j < back->p && fabs(back->edges[e].pcor) <= 1);
        if (error)
            assert_non_null(strstr(error->message, ".csv"));
        write_text(folder, names[k], texts[k]);
    }
    assert_in_range(n_refused, 500, 1499);
    g_free(texts[1]);
    g_free(texts[0]);
    g_rand_free(rand);
    scratch_remove(folder);
}

static void test_missing_files_are_named(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    assert_null(glint_graph_read("/nowhere", &error));
    expect_error(&error, GLINT_ERROR_IO, "/nowhere/modules.csv");
    g_autoptr(GlintGraph) graph = make_karate();
    assert_false(glint_graph_write_edges(graph, "/proc/no/edges.csv", &error));
    assert_non_null(error);
}

/* ---- DOT and GraphML ---- */

static gsize count(const char *text, const char *part)
{
    gsize n = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        n++;
    return n;
}

static char *write_and_read(const GlintGraph *graph, const char *title, gboolean dot)
{
    char *folder = scratch_new();
    g_autofree char *path = g_build_filename(folder, "graph", NULL);
    g_autoptr(GError) error = NULL;
    if (!(dot ? glint_graph_write_dot : glint_graph_write_graphml)(graph, title, path, &error))
        fail_msg("%s", error->message);
    char *text = read_text(folder, "graph");
    scratch_remove(folder);
    return text;
}

static void test_dot_has_one_line_an_edge_and_escapes(void **state)
{
    (void)state;
    g_autoptr(GlintGraph) graph = awkward_graph();
    g_autofree char *dot = write_and_read(graph, "a \"title\"\nwith \\N", TRUE);
    assert_non_null(strstr(dot, "\ngraph glint {\n"));
    assert_non_null(strstr(dot, "label=\"a \\\"title\\\"\\nwith \\\\N\""));
    assert_int_equal(count(dot, " -- "), 3);
    assert_non_null(strstr(dot, "\n  \"a,b\" -- \"say \\\"hi\\\"\" [color=\"#2f6fb7\" penwidth=5.000 pcor=\"0.5\"];\n"));
    assert_non_null(strstr(dot, "\n  \"say \\\"hi\\\"\" -- \"<x> & 'y'\" [color=\"#c43c39\" penwidth=2.700 pcor=\"-0.25\"];\n"));
    assert_non_null(strstr(dot, "\"back\\\\slash\\\\N\" ["));
    assert_null(strstr(dot, "Größe")); /* isolated */
}

typedef struct { gsize n_nodes, n_edges, n_keys; GString *ids; const char *key; double weight, pcor; int sign; gboolean consistent; } Seen;

static void element_start(GMarkupParseContext *context, const char *name, const char **keys, const char **values, gpointer user_data, GError **error)
{
    (void)context, (void)error;
    Seen *seen = user_data;
    seen->n_nodes += strcmp(name, "node") == 0;
    seen->n_edges += strcmp(name, "edge") == 0;
    seen->n_keys += strcmp(name, "key") == 0;
    seen->key = NULL;
    for (gsize k = 0; keys[k]; k++) {
        if (strcmp(name, "data") == 0 && strcmp(keys[k], "key") == 0)
            seen->key = g_intern_string(values[k]);
        if (strcmp(name, "node") == 0 && strcmp(keys[k], "id") == 0)
            g_string_append_printf(seen->ids, "[%s]", values[k]);
    }
}

static void element_text(GMarkupParseContext *context, const char *text, gsize length, gpointer user_data, GError **error)
{
    (void)context, (void)length, (void)error;
    Seen *seen = user_data;
    if (!seen->key)
        return;
    if (strcmp(seen->key, "weight") == 0)
        seen->weight = g_ascii_strtod(text, NULL);
    if (strcmp(seen->key, "pcor") == 0)
        seen->pcor = g_ascii_strtod(text, NULL);
    if (strcmp(seen->key, "sign") == 0)
        seen->sign = (int)g_ascii_strtoll(text, NULL, 10);
}

static void element_end(GMarkupParseContext *context, const char *name, gpointer user_data, GError **error)
{
    (void)context, (void)error;
    Seen *seen = user_data;
    seen->key = NULL;
    if (strcmp(name, "edge") == 0)
        seen->consistent &= seen->weight >= 0 && seen->weight == fabs(seen->pcor) && seen->sign == (seen->pcor > 0 ? 1 : -1);
}

static void test_graphml_is_well_formed_and_complete(void **state)
{
    (void)state;
    static const GMarkupParser parser = {element_start, element_end, element_text, NULL, NULL};
    g_autoptr(GlintGraph) graph = awkward_graph();
    g_autofree char *xml = write_and_read(graph, "<t> & \"u\" \x01 \xff", FALSE);
    Seen seen = {.ids = g_string_new(NULL), .consistent = TRUE};
    g_autoptr(GMarkupParseContext) context = g_markup_parse_context_new(&parser, 0, &seen, NULL);
    g_autoptr(GError) error = NULL;
    if (!g_markup_parse_context_parse(context, xml, -1, &error) || !g_markup_parse_context_end_parse(context, &error))
        fail_msg("%s", error->message);
    assert_int_equal(seen.n_nodes, 5);
    assert_int_equal(seen.n_edges, 3);
    assert_int_equal(seen.n_keys, 18);
    assert_true(seen.consistent);
    assert_string_equal(seen.ids->str, "[a,b][say \"hi\"][<x> & 'y'][back\\slash\\N][ Größe 神經 ]");
    g_string_free(seen.ids, TRUE);
}

static void test_equal_graphs_give_equal_bytes(void **state)
{
    (void)state;
    for (int dot = 0; dot < 2; dot++) {
        g_autoptr(GlintGraph) a = make_planted(150, 4, .2, .02, 9), b = make_planted(150, 4, .2, .02, 9);
        assert_true(glint_graph_measure(a, 3, NULL) && glint_graph_measure(b, 3, NULL));
        g_autofree char *x = write_and_read(a, "t", dot), *y = write_and_read(b, "t", dot);
        assert_string_equal(x, y);
    }
}

static void test_empty_graphs_are_written(void **state)
{
    (void)state;
    g_autoptr(GlintGraph) graph = make_graph(1, NULL, 0);
    assert_true(glint_graph_measure(graph, 1, NULL));
    g_autofree char *dot = write_and_read(graph, NULL, TRUE), *xml = write_and_read(graph, NULL, FALSE);
    assert_int_equal(count(dot, " -- "), 0);
    assert_int_equal(count(xml, "<node "), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_read_back_bit_for_bit),
        cmocka_unit_test(test_tables_have_the_documented_columns),
        cmocka_unit_test(test_numbers_do_not_depend_on_the_locale),
        cmocka_unit_test(test_numbers_are_short_and_exact),
        cmocka_unit_test(test_broken_tables_are_refused),
        cmocka_unit_test(test_extra_columns_and_windows_lines_are_fine),
        cmocka_unit_test(test_damaged_tables_are_refused_or_sound),
        cmocka_unit_test(test_missing_files_are_named),
        cmocka_unit_test(test_dot_has_one_line_an_edge_and_escapes),
        cmocka_unit_test(test_graphml_is_well_formed_and_complete),
        cmocka_unit_test(test_equal_graphs_give_equal_bytes),
        cmocka_unit_test(test_empty_graphs_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
