/* A layer of a results folder that the test writes: read back, and refused with the file's name where files are missing or disagree. */
#include "base/error.h"
#include "base/files.h"
#include "steer/layer.h"
#include <glib/gstdio.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { P = 4, WIDTH = 40 };

static const GlintSite site = {GLINT_SITE_MLP_POST, 3};
static const char *const names[P] = {"L3.N2", "L3.N7", "L3.N11", "L3.N30"};
static const double means[2][P] = {{1, 2, 3, 4}, {1.5, 2, 2.25, 6}}, sds[2][P] = {{1, 2, 1, 0.5}, {3, 2, 1, 0.5}};
static char *classes[] = {(char *)"neg", (char *)"pos", NULL};

typedef struct { char *root; } Case;

static GlintCsr *precision(gsize p)
{
    GlintCsr *matrix = g_new0(GlintCsr, 1);
    *matrix = (GlintCsr){.rows = p, .cols = p, .indptr = g_new0(gint64, p + 1), .indices = g_new(gint32, p * p), .data = g_new(double, p * p)};
    for (gsize i = 0; i < p; i++) {
        for (gsize j = 0; j < p; j++)
            if (i == j || i + 1 == j || j + 1 == i) {
                matrix->indices[matrix->nnz] = (gint32)j;
                matrix->data[matrix->nnz++] = i == j ? 2 + (double)i : -0.5;
            }
        matrix->indptr[i + 1] = (gint64)matrix->nnz;
    }
    return matrix;
}

static char *place(const Case *self, const char *class_name, const char *file) { return g_build_filename(self->root, class_name, "blocks.3.mlp.hook_post", file, NULL); }

static void write_graph(const Case *self, gsize c, gsize p, const char *const *neurons, const double *mean)
{
    GError *error = NULL;
    g_autofree char *folder = place(self, classes[c], NULL), *edges = place(self, classes[c], "edges.csv"), *modules = place(self, classes[c], "modules.csv");
    g_autoptr(GlintCsr) matrix = precision(p);
    g_autoptr(GlintGraph) graph = glint_graph_new(matrix, (char *const *)(void *)neurons, NULL, mean, mean ? sds[c] : NULL, &error);
    assert_non_null(graph);
    assert_true(glint_mkdir(folder, &error) && glint_graph_measure(graph, 0, &error));
    assert_true(glint_graph_write_edges(graph, edges, &error) && glint_graph_write_modules(graph, modules, &error));
}

static void write_matrices(const Case *self, gsize c, gsize p)
{
    GError *error = NULL;
    const gsize shape[2] = {p, p};
    g_autofree char *sparse = place(self, classes[c], "precision.npz"), *dense = place(self, classes[c], "covariance.npy");
    g_autoptr(GlintCsr) matrix = precision(p);
    g_autofree double *covariance = g_new(double, p * p);
    for (gsize k = 0; k < p * p; k++)
        covariance[k] = (double)(k + 1) * (c ? 3 : 1);
    assert_true(glint_csr_write(sparse, matrix, &error) && glint_npy_write(dense, GLINT_F64, 2, shape, covariance, &error));
}

static int setup(void **state)
{
    Case *self = g_new0(Case, 1);
    self->root = g_dir_make_tmp("glint_layer_XXXXXX", NULL);
    for (gsize c = 0; c < 2; c++) {
        write_graph(self, c, P, names, means[c]);
        write_matrices(self, c, P);
    }
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    Case *self = *state;
    glint_remove_tree(self->root, NULL);
    g_free(self->root);
    g_free(self);
    return 0;
}

static GlintSteerLayer *read_layer(const Case *self, const char *graph, const char *towards, const char *away, gsize width, GError **error)
{
    return glint_steer_layer_read(self->root, classes, classes, graph, towards, away, &site, width, 8, error);
}

static void refuses(const Case *self, const char *says, const char *and_says)
{
    GError *error = NULL;
    assert_null(read_layer(self, "pos", "pos", "neg", WIDTH, &error));
    assert_non_null(error);
    if (!strstr(error->message, says) || !strstr(error->message, and_says))
        fail_msg("'%s' does not say '%s' and '%s'", error->message, says, and_says);
    g_clear_error(&error);
}

static void test_a_folder_is_read(void **state)
{
    GError *error = NULL;
    g_autoptr(GlintSteerLayer) layer = read_layer(*state, "neg", "pos", "neg", WIDTH, &error);
    const gsize columns[P] = {2, 7, 11, 30};
    assert_non_null(layer);
    assert_true(layer->p == P && layer->width == WIDTH && layer->n_classes == 2 && layer->towards == 1 && layer->away == 0);
    assert_true(layer->site.kind == site.kind && layer->site.layer == 3);
    assert_memory_equal(layer->column, columns, sizeof columns);
    assert_memory_equal(layer->mean, means, sizeof means);
    for (gsize i = 0; i < P; i++) {
        const double sd = sqrt((sds[0][i] * sds[0][i] + sds[1][i] * sds[1][i]) / 2);
        assert_string_equal(layer->neurons[i], names[i]);
        assert_true(fabs(layer->sd[i] - sd) < 1e-12 && fabs(layer->overall[i] - (means[0][i] + means[1][i]) / 2) < 1e-12);
        assert_true(fabs(layer->effect[i] - (means[1][i] - means[0][i]) / sd) < 1e-12);
    }
    for (gsize k = 0; k < P * P; k++)
        assert_true(fabs(layer->covariance[k] - 2 * (double)(k + 1)) < 1e-12); /* mean of 1 and 3 times */
    assert_true(layer->precision->nnz == 3 * P - 2 && layer->graph->n_edges == P - 1);
    double theta[4];
    glint_steer_submatrix(layer, (const gsize[]){2, 1}, 2, theta);
    assert_true(theta[0] == 4 && theta[1] == -0.5 && theta[2] == -0.5 && theta[3] == 3);
}

static void test_hubs_come_first(void **state)
{
    GError *error = NULL;
    g_autoptr(GlintSteerLayer) layer = read_layer(*state, "pos", "pos", "neg", WIDTH, &error);
    assert_non_null(layer);
    for (gsize i = 0; i < P; i++)
        layer->graph->nodes[i].module = i == 3 ? 1 : 0;
    g_autoptr(GArray) rows = glint_steer_module(layer, 0), lone = glint_steer_module(layer, 1), none = glint_steer_module(layer, 7);
    assert_int_equal(rows->len, 3);
    assert_memory_equal(rows->data, ((const gsize[]){1, 0, 2}), 3 * sizeof(gsize)); /* the middle of 0 - 1 - 2 has two edges inside */
    assert_int_equal(lone->len, 1);
    assert_int_equal(none->len, 0);
}

static void test_without_covariance(void **state)
{
    const Case *self = *state;
    GError *error = NULL;
    g_autofree char *path = place(self, "pos", "covariance.npy");
    g_remove(path);
    g_autoptr(GlintSteerLayer) layer = read_layer(self, "pos", "pos", "neg", WIDTH, &error);
    assert_non_null(layer);
    assert_null(layer->covariance);
    const gsize rows[2] = {2, 3};
    const double d[2] = {-0.75, 2}, form = 4 * d[0] * d[0] + 5 * d[1] * d[1] + 2 * -0.5 * d[0] * d[1];
    assert_true(fabs(glint_steer_separation(layer, rows, 2) - sqrt(form)) < 1e-12);
}

static void test_missing_files_are_named(void **state)
{
    static const char *const files[] = {"precision.npz", "edges.csv", "modules.csv"};
    const Case *self = *state;
    for (gsize k = 0; k < G_N_ELEMENTS(files); k++) {
        g_autofree char *path = place(self, "pos", files[k]);
        g_remove(path);
        refuses(self, files[k], self->root);
        if (k > 0)
            write_graph(self, 1, P, names, means[1]);
        else
            write_matrices(self, 1, P);
    }
}

static void test_truncated_files_are_named(void **state)
{
    static const char *const files[] = {"precision.npz", "modules.csv", "covariance.npy"};
    const Case *self = *state;
    for (gsize k = 0; k < G_N_ELEMENTS(files); k++) {
        g_autofree char *path = place(self, "pos", files[k]), *bytes = NULL;
        gsize length;
        assert_true(g_file_get_contents(path, &bytes, &length, NULL));
        assert_true(g_file_set_contents(path, bytes, (gssize)length / 2, NULL));
        refuses(self, files[k], self->root);
        assert_true(g_file_set_contents(path, bytes, (gssize)length, NULL));
    }
}

static void test_classes_of_other_neurons(void **state)
{
    const Case *self = *state;
    static const char *const other[P] = {"L3.N2", "L3.N8", "L3.N11", "L3.N30"};
    write_graph(self, 1, P, other, means[1]);
    refuses(self, "L3.N8", "L3.N7");
    write_graph(self, 1, P - 1, names, means[1]);
    refuses(self, "has 3 neurons where the other classes have 4", "pos");
}

static void test_neurons_of_another_model(void **state)
{
    const Case *self = *state;
    static const char *const wrong[] = {"L2.N2", "L3.N40", "L3.X2", "L3.N", "L3.N2x", "L3.H5.0", "L3.H99999999999999999999.1", "L3"};
    for (gsize k = 0; k < G_N_ELEMENTS(wrong); k++) {
        const char *some[P] = {wrong[k], names[1], names[2], names[3]};
        for (gsize c = 0; c < 2; c++)
            write_graph(self, c, P, some, means[c]);
        refuses(self, wrong[k], "another model");
    }
}

static void test_heads_are_columns(void **state)
{
    const Case *self = *state;
    GError *error = NULL;
    static const char *const heads[P] = {"L3.H0.7", "L3.H1.0", "L3.H2.3", "L3.H4.7"};
    const gsize columns[P] = {7, 8, 19, 39};
    for (gsize c = 0; c < 2; c++)
        write_graph(self, c, P, heads, means[c]);
    g_autoptr(GlintSteerLayer) layer = read_layer(self, "pos", "pos", "neg", WIDTH, &error);
    assert_non_null(layer);
    assert_memory_equal(layer->column, columns, sizeof columns);
}

/* The graph of all classes together is no class's, and classes may lie in folders of other names. */
static void test_another_graph_in_folders_of_other_names(void **state)
{
    const Case *self = *state;
    GError *error = NULL;
    g_autofree char *from = g_build_filename(self->root, "pos", NULL), *to = g_build_filename(self->root, "p%2Fs", NULL), *all = g_build_filename(self->root, "all", NULL);
    char *const folders[] = {(char *)"neg", (char *)"p%2Fs", NULL};
    assert_true(g_rename(from, to) == 0);
    assert_null(glint_steer_layer_read(self->root, classes, folders, "all", "pos", "neg", &site, WIDTH, 8, &error));
    assert_non_null(strstr(error->message, all));
    g_clear_error(&error);
    write_graph(self, 1, P, names, NULL); /* in the folder `pos` again, which becomes that of all */
    write_matrices(self, 1, P);
    assert_true(g_rename(from, all) == 0);
    g_autoptr(GlintSteerLayer) layer = glint_steer_layer_read(self->root, classes, folders, "all", "pos", "neg", &site, WIDTH, 8, &error);
    assert_non_null(layer);
    assert_true(layer->n_classes == 2 && layer->graph->n_edges == P - 1 && isnan(layer->graph->nodes[0].mean));
    assert_memory_equal(layer->mean, means, sizeof means);
}

static void test_graphs_without_means(void **state)
{
    const Case *self = *state;
    write_graph(self, 0, P, names, NULL);
    refuses(self, "no mean and sd of L3.N2", "glint graph");
}

static void test_matrices_of_wrong_sizes(void **state)
{
    const Case *self = *state;
    write_matrices(self, 1, P + 1);
    refuses(self, "covariance.npy is not 4 x 4", "glint solve");
    g_autofree char *path = place(self, "pos", "covariance.npy");
    g_remove(path);
    refuses(self, "precision.npz is not 4 x 4", "glint graph");
}

static void test_unknown_classes(void **state)
{
    const Case *self = *state;
    GError *error = NULL;
    const char *const asked[][3] = {{"pos", "good", "neg"}, {"pos", "pos", "bad"}, {"pos", "pos", "pos"}};
    const char *const says[] = {"no class 'good'; the classes are neg, pos", "no class 'bad'", "'pos' twice"};
    for (gsize k = 0; k < G_N_ELEMENTS(asked); k++) {
        assert_null(read_layer(self, asked[k][0], asked[k][1], asked[k][2], WIDTH, &error));
        assert_non_null(strstr(error->message, says[k]));
        g_clear_error(&error);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_a_folder_is_read), TEST(test_hubs_come_first), TEST(test_without_covariance), TEST(test_missing_files_are_named),
                                       TEST(test_truncated_files_are_named), TEST(test_classes_of_other_neurons),
                                       TEST(test_neurons_of_another_model), TEST(test_heads_are_columns), TEST(test_another_graph_in_folders_of_other_names),
                                       TEST(test_graphs_without_means), TEST(test_matrices_of_wrong_sizes), TEST(test_unknown_classes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
