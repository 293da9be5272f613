/* See support.h. */
#include "support.h"
#include "base/error.h"
#include "base/files.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka needs those above it */
#include <cmocka.h>

static char *scratch;
const GlintSite three_layers[3] = {{GLINT_SITE_MLP_POST, 0}, {GLINT_SITE_MLP_POST, 1}, {GLINT_SITE_MLP_POST, 2}};
const GlintSite everything[6] = {{GLINT_SITE_MLP_OUT, 2}, {GLINT_SITE_MLP_POST, 0}, {GLINT_SITE_MLP_OUT, 0}, {GLINT_SITE_MLP_POST, 2},
                                 {GLINT_SITE_MLP_POST, 1}, {GLINT_SITE_MLP_OUT, 1}};

int make_scratch(void **state)
{
    (void)state;
    scratch = g_dir_make_tmp("glint-collect-XXXXXX", NULL);
    return scratch ? 0 : -1;
}

int drop_scratch(void **state)
{
    (void)state;
    assert_true(glint_remove_tree(scratch, NULL));
    g_clear_pointer(&scratch, g_free);
    return 0;
}

char *in_scratch(const char *name) { return g_build_filename(scratch, name, NULL); }

GlintDataset *dataset_new(const char *const *classes)
{
    GlintDataset *d = g_new0(GlintDataset, 1);
    d->classes = g_ptr_array_new_with_free_func(g_free);
    d->texts = g_array_new(FALSE, FALSE, sizeof(GlintText));
    for (; *classes; classes++)
        g_ptr_array_add(d->classes, g_strdup(*classes));
    d->sha256 = g_strdup("d0d0");
    return d;
}

void dataset_add(GlintDataset *d, int label, const char *text)
{
    GlintText entry = {g_strdup_printf("line %u", d->texts->len + 1), g_strdup(text), label};
    g_array_append_val(d->texts, entry);
}

void dataset_drop(GlintDataset *d)
{
    for (guint k = 0; k < d->texts->len; k++) {
        g_free(g_array_index(d->texts, GlintText, k).id);
        g_free(g_array_index(d->texts, GlintText, k).text);
    }
    g_ptr_array_unref(d->classes);
    g_array_unref(d->texts);
    g_free(d->sha256);
    g_free(d);
}

/* n texts of changing length in two classes; every 10th is longer than the model takes. */
GlintDataset *texts_of(guint n)
{
    const char *const classes[] = {"neg", "pos/weird name", NULL};
    GlintDataset *d = dataset_new(classes);
    guint32 x = 1;
    for (guint k = 0; k < n; k++) {
        g_autoptr(GString) text = g_string_new(NULL);
        x = x * 1664525u + 1013904223u;
        for (guint length = k % 10 == 9 ? 100 : 1 + (x >> 16) % 40, c = 0; c < length; c++) {
            x = x * 1664525u + 1013904223u;
            g_string_append_c(text, (char)('a' + (x >> 16) % 20 + (k % 3 == 0)));
        }
        dataset_add(d, k % 3 == 0, text->str);
    }
    return d;
}

GlintCollectOptions options_of(GlintPool pool)
{
    return (GlintCollectOptions){.sites = three_layers, .n_sites = 3, .pool = pool, .batch_size = 7, .checkpoint_seconds = -1};
}

GlintCollectStats collect_good(const GlintDataset *d, const GlintCollectOptions *options, const char *folder)
{
    g_autoptr(GError) error = NULL;
    GlintCollectStats stats;
    fake.forwards = 0;
    if (!glint_collect(fake_model(), fake_tokenizer(), d, options, folder, &stats, &error))
        fail_msg("%s", error->message);
    return stats;
}

void collect_bad(const GlintDataset *d, const GlintCollectOptions *options, const char *folder, GlintErrorCode code, const char *part)
{
    g_autoptr(GError) error = NULL;
    GlintCollectStats stats;
    assert_false(glint_collect(fake_model(), fake_tokenizer(), d, options, folder, &stats, &error));
    if (!g_error_matches(error, GLINT_ERROR, (gint)code) || !strstr(error->message, part))
        fail_msg("code %d: %s", error->code, error->message);
}

static gint by_name(gconstpointer a, gconstpointer b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Every file below `path` and its bytes, in one string. */
static void read_tree(const char *path, const char *below, GString *out)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    GDir *dir = g_dir_open(path, 0, NULL);
    if (!dir) {
        g_autofree char *bytes = NULL;
        gsize length;
        assert_true(g_file_get_contents(path, &bytes, &length, NULL));
        g_string_append_printf(out, "\n%s %zu:", below, length);
        g_string_append_len(out, bytes, (gssize)length);
        return;
    }
    for (const char *name; (name = g_dir_read_name(dir));)
        g_ptr_array_add(names, g_strdup(name));
    g_dir_close(dir);
    g_ptr_array_sort(names, by_name);
    for (guint k = 0; k < names->len; k++) {
        g_autofree char *child = g_build_filename(path, g_ptr_array_index(names, k), NULL), *name = g_build_filename(below, g_ptr_array_index(names, k), NULL);
        read_tree(child, name, out);
    }
}

void assert_same_tree(const char *a, const char *b)
{
    g_autoptr(GString) x = g_string_new(NULL), y = g_string_new(NULL);
    read_tree(a, "", x);
    read_tree(b, "", y);
    assert_true(x->len > 0 && x->len == y->len);
    assert_true(memcmp(x->str, y->str, x->len) == 0);
}
