#include "make_graph.h"
#include "base/error.h"

#include <glib/gstdio.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

GlintCsr *make_precision(gsize p, const Link *links, gsize n_links)
{
    g_autofree double *dense = g_new0(double, p * p + 1);
    gsize nnz = p;
    for (gsize i = 0; i < p; i++)
        dense[i * p + i] = 1 + (double)i / 10;
    for (gsize k = 0; k < n_links; k++) {
        gsize i = links[k].i, j = links[k].j;
        dense[i * p + j] = dense[j * p + i] = -links[k].pcor * sqrt(dense[i * p + i] * dense[j * p + j]);
        nnz += 2;
    }
    GlintCsr *matrix = g_new0(GlintCsr, 1);
    *matrix = (GlintCsr){.rows = p, .cols = p, .nnz = nnz, .indptr = g_new0(gint64, p + 1), .indices = g_new0(gint32, nnz + 1), .data = g_new0(double, nnz + 1)};
    gsize at = 0;
    for (gsize i = 0; i < p; i++) {
        for (gsize j = 0; j < p; j++)
            if (dense[i * p + j] != 0) {
                matrix->indices[at] = (gint32)j;
                matrix->data[at++] = dense[i * p + j];
            }
        matrix->indptr[i + 1] = (gint64)at;
    }
    assert_int_equal(at, nnz);
    return matrix;
}

char **make_names(gsize p)
{
    char **names = g_new0(char *, p + 1);
    for (gsize i = 0; i < p; i++)
        names[i] = g_strdup_printf("L0.N%zu", i);
    return names;
}

GlintGraph *make_named(gsize p, const Link *links, gsize n_links, char *const *neurons)
{
    g_autoptr(GlintCsr) precision = make_precision(p, links, n_links);
    g_autoptr(GError) error = NULL;
    GlintGraph *graph = glint_graph_new(precision, neurons, NULL, NULL, NULL, &error);
    if (!graph)
        fail_msg("glint_graph_new: %s", error->message);
    return graph;
}

GlintGraph *make_graph(gsize p, const Link *links, gsize n_links)
{
    g_auto(GStrv) names = make_names(p);
    return make_named(p, links, n_links, names);
}

GlintGraph *make_planted(gsize p, gsize n_modules, double inside, double between, guint32 seed)
{
    g_autofree Link *links = g_new(Link, p * p / 2 + 1);
    gsize n_links = 0;
    GRand *rand = g_rand_new_with_seed(seed);
    for (gsize i = 0; i < p; i++)
        for (gsize j = i + 1; j < p; j++) {
            double chance = i * n_modules / p == j * n_modules / p ? inside : between, draw = g_rand_double(rand), size = g_rand_double(rand), sign = g_rand_double(rand);
            if (draw < chance)
                links[n_links++] = (Link){i, j, (0.05 + 0.25 * size) * (sign < 0.5 ? -1 : 1)};
        }
    g_rand_free(rand);
    return make_graph(p, links, n_links);
}

GlintGraph *make_karate(void)
{
    static const guint8 ends[78][2] = {
        {0, 1}, {0, 2}, {0, 3}, {0, 4}, {0, 5}, {0, 6}, {0, 7}, {0, 8}, {0, 10}, {0, 11}, {0, 12}, {0, 13}, {0, 17}, {0, 19}, {0, 21}, {0, 31},
        {1, 2}, {1, 3}, {1, 7}, {1, 13}, {1, 17}, {1, 19}, {1, 21}, {1, 30}, {2, 3}, {2, 7}, {2, 8}, {2, 9}, {2, 13}, {2, 27}, {2, 28}, {2, 32},
        {3, 7}, {3, 12}, {3, 13}, {4, 6}, {4, 10}, {5, 6}, {5, 10}, {5, 16}, {6, 16}, {8, 30}, {8, 32}, {8, 33}, {9, 33}, {13, 33}, {14, 32}, {14, 33},
        {15, 32}, {15, 33}, {18, 32}, {18, 33}, {19, 33}, {20, 32}, {20, 33}, {22, 32}, {22, 33}, {23, 25}, {23, 27}, {23, 29}, {23, 32}, {23, 33},
        {24, 25}, {24, 27}, {24, 31}, {25, 31}, {26, 29}, {26, 33}, {27, 33}, {28, 31}, {28, 33}, {29, 32}, {29, 33}, {30, 32}, {30, 33}, {31, 32},
        {31, 33}, {32, 33}};
    Link links[78];
    for (gsize k = 0; k < 78; k++)
        links[k] = (Link){ends[k][0], ends[k][1], k % 2 ? 0.05 : -0.05};
    return make_graph(34, links, 78);
}

char *scratch_new(void)
{
    g_autoptr(GError) error = NULL;
    char *folder = g_dir_make_tmp("glint-graph-XXXXXX", &error);
    if (!folder)
        fail_msg("%s", error->message);
    return folder;
}

void scratch_remove(char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_remove(path);
    }
    assert_int_equal(g_rmdir(folder), 0);
    g_free(folder);
}

char *read_text(const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    char *text = NULL;
    g_autoptr(GError) error = NULL;
    if (!g_file_get_contents(path, &text, NULL, &error))
        fail_msg("%s", error->message);
    return text;
}

void write_text(const char *folder, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    assert_true(g_file_set_contents(path, text, -1, NULL));
}

void expect_error(GError **error, int code, const char *words)
{
    if (!*error)
        fail_msg("expected an error about '%s'", words);
    if (!g_error_matches(*error, GLINT_ERROR, code) || !strstr((*error)->message, words))
        fail_msg("expected an error about '%s', got %d: %s", words, (*error)->code, (*error)->message);
    g_clear_error(error);
}
