#include "support.h"
#include <glib/gstdio.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_place(const void *a, const void *b)
{
    const Rho *x = a, *y = b;
    if (x->i != y->i)
        return x->i < y->i ? -1 : 1;
    return (x->j > y->j) - (x->j < y->j);
}

GlintGraph *test_graph_of(gsize p, const Rho *edges, gsize n_edges)
{
    const gsize nnz = p + 2 * n_edges;
    g_autofree Rho *all = g_new(Rho, nnz + 1);
    gsize n = 0;
    for (gsize k = 0; k < n_edges; k++) {
        all[n++] = (Rho){edges[k].i, edges[k].j, -edges[k].rho};
        all[n++] = (Rho){edges[k].j, edges[k].i, -edges[k].rho};
    }
    for (gsize i = 0; i < p; i++)
        all[n++] = (Rho){i, i, 1};
    qsort(all, n, sizeof *all, by_place);
    g_autofree gint64 *indptr = g_new0(gint64, p + 1);
    g_autofree gint32 *indices = g_new(gint32, n + 1);
    g_autofree double *data = g_new(double, n + 1);
    for (gsize k = 0; k < n; k++) {
        indptr[all[k].i + 1]++;
        indices[k] = (gint32)all[k].j;
        data[k] = all[k].rho;
    }
    for (gsize i = 0; i < p; i++)
        indptr[i + 1] += indptr[i];
    g_autoptr(GPtrArray) neurons = g_ptr_array_new_with_free_func(g_free);
    for (gsize i = 0; i < p; i++)
        g_ptr_array_add(neurons, g_strdup_printf("L0.N%zu", i));
    g_ptr_array_add(neurons, NULL);
    const GlintCsr csr = {p, p, n, indptr, indices, data};
    g_autoptr(GError) error = NULL;
    GlintGraph *graph = glint_graph_new(&csr, (char *const *)neurons->pdata, NULL, NULL, NULL, &error);
    if (!graph || !glint_graph_measure(graph, 1, &error))
        fail_msg("%s", error->message);
    return graph;
}

GlintGraph *test_random_graph(gsize n_modules, gsize size, double degree, gsize n_isolated, guint32 seed)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(seed);
    const gsize p = n_modules * size, n_inside = (gsize)((double)p * degree / 2), n_between = p / 8;
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    g_autoptr(GArray) edges = g_array_new(FALSE, FALSE, sizeof(Rho));
    while (edges->len < n_inside + n_between) {
        const gboolean inside = edges->len < n_inside;
        gsize i = (gsize)g_rand_int_range(random, 0, (gint32)p);
        gsize j = inside ? i / size * size + (gsize)g_rand_int_range(random, 0, (gint32)size) : (gsize)g_rand_int_range(random, 0, (gint32)p);
        if (i == j || !g_hash_table_add(seen, GSIZE_TO_POINTER(MIN(i, j) * p + MAX(i, j) + 1)))
            continue;
        const Rho edge = {MIN(i, j), MAX(i, j), (g_rand_boolean(random) ? 1 : -1) * g_rand_double_range(random, 0.01, inside ? 0.4 : 0.1)};
        g_array_append_val(edges, edge);
    }
    return test_graph_of(p + n_isolated, (const Rho *)(void *)edges->data, edges->len);
}

/* ---- folders ---- */

int test_folder_setup(void **state)
{
    g_autoptr(GError) error = NULL;
    *state = g_dir_make_tmp("glint-draw-XXXXXX", &error);
    return *state ? 0 : -1;
}

static void each_file(const char *folder, void (*on_file)(const char *path, gpointer data), gpointer data)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    if (!dir)
        return;
    for (const char *name = g_dir_read_name(dir); name; name = g_dir_read_name(dir)) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        on_file(path, data);
    }
    g_dir_close(dir);
}

static void remove_one(const char *path, gpointer data)
{
    (void)data;
    g_remove(path);
}

static void count_one(const char *path, gpointer data)
{
    (void)path;
    ++*(gsize *)data;
}

int test_folder_teardown(void **state)
{
    each_file(*state, remove_one, NULL);
    const int rc = g_rmdir(*state);
    g_free(*state);
    return rc;
}

char *test_path(void **state, const char *name) { return g_build_filename(*state, name, NULL); }

gsize test_count_files(void **state)
{
    gsize n = 0;
    each_file(*state, count_one, &n);
    return n;
}

char *test_contents(const char *path, gsize *length)
{
    char *text = NULL;
    g_autoptr(GError) error = NULL;
    if (!g_file_get_contents(path, &text, length, &error))
        fail_msg("%s", error->message);
    return text;
}

gsize test_file_size(const char *path)
{
    gsize length;
    g_free(test_contents(path, &length));
    return length;
}

/* ---- pictures ---- */

TestPicture *test_picture_read(const char *path)
{
    cairo_surface_t *surface = cairo_image_surface_create_from_png(path);
    assert_int_equal(cairo_surface_status(surface), CAIRO_STATUS_SUCCESS);
    TestPicture *self = g_new(TestPicture, 1);
    self->width = cairo_image_surface_get_width(surface);
    self->height = cairo_image_surface_get_height(surface);
    self->rgb = g_new(guint32, (gsize)self->width * (gsize)self->height);
    const gsize stride = (gsize)cairo_image_surface_get_stride(surface);
    for (gsize y = 0; y < (gsize)self->height; y++) {
        const guint32 *row = (const guint32 *)(void *)(cairo_image_surface_get_data(surface) + y * stride);
        for (gsize x = 0; x < (gsize)self->width; x++)
            self->rgb[y * (gsize)self->width + x] = row[x] & 0xffffff;
    }
    cairo_surface_destroy(surface);
    return self;
}

void test_picture_free(TestPicture *self)
{
    g_free(self->rgb);
    g_free(self);
}

guint32 test_pixel(const TestPicture *self, double x, double y)
{
    assert_true(x >= 0 && y >= 0 && x < self->width && y < self->height);
    return self->rgb[(gsize)y * (gsize)self->width + (gsize)x];
}

gboolean test_is_blue(guint32 rgb) { return (gint)(rgb & 255) > (gint)(rgb >> 16 & 255) + 12; }
gboolean test_is_red(guint32 rgb) { return (gint)(rgb >> 16 & 255) > (gint)(rgb & 255) + 12; }
gboolean test_is_colourless(guint32 rgb) { return !test_is_blue(rgb) && !test_is_red(rgb); }

/* ---- SVG ---- */

typedef struct { const char *wanted; gsize count; GString *text; gboolean in_text; } SvgWalk;

static void on_start(GMarkupParseContext *context, const char *name, const char **keys, const char **values, gpointer data, GError **error)
{
    (void)context, (void)keys, (void)values, (void)error;
    SvgWalk *walk = data;
    walk->count += walk->wanted && strcmp(name, walk->wanted) == 0;
    walk->in_text = strcmp(name, "title") == 0 || strcmp(name, "desc") == 0;
}

static void on_end(GMarkupParseContext *context, const char *name, gpointer data, GError **error)
{
    (void)context, (void)name, (void)error;
    ((SvgWalk *)data)->in_text = FALSE;
}

static void on_text(GMarkupParseContext *context, const char *text, gsize length, gpointer data, GError **error)
{
    (void)context, (void)error;
    SvgWalk *walk = data;
    if (walk->in_text) {
        g_string_append_len(walk->text, text, (gssize)length);
        g_string_append_c(walk->text, '\n');
    }
}

static void walk_svg(const char *path, SvgWalk *walk)
{
    gsize length;
    g_autofree char *svg = test_contents(path, &length);
    const GMarkupParser parser = {on_start, on_end, on_text, NULL, NULL};
    g_autoptr(GError) error = NULL;
    GMarkupParseContext *context = g_markup_parse_context_new(&parser, 0, walk, NULL);
    if (!g_markup_parse_context_parse(context, svg, (gssize)length, &error) || !g_markup_parse_context_end_parse(context, &error))
        fail_msg("%s: %s", path, error->message);
    g_markup_parse_context_free(context);
}

char *test_svg_text(const char *path)
{
    SvgWalk walk = {.text = g_string_new(NULL)};
    walk_svg(path, &walk);
    return g_string_free(walk.text, FALSE);
}

gsize test_svg_count(const char *path, const char *element)
{
    SvgWalk walk = {.wanted = element, .text = g_string_new(NULL)};
    walk_svg(path, &walk);
    g_string_free(walk.text, TRUE);
    return walk.count;
}
